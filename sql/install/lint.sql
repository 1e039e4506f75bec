-- What is probably wrong with rules, though each of them compiles.

CREATE FUNCTION automation._body(function regprocedure) RETURNS text
LANGUAGE sql STABLE
RETURN regexp_replace(pg_get_function_sqlbody(function), '\s+', ' ', 'g');
COMMENT ON FUNCTION automation._body(regprocedure) IS 'SQL of a compiled function on one line';

CREATE VIEW automation._write AS
-- By what steps are compiled to: true of every action there is.
SELECT r.id AS rule_id, p.step, w.relation, w.event, w.column,
	CASE WHEN strpos(v.params ->> 'value', '{{') = 0 THEN v.params ->> 'value' END AS value
FROM automation.rule AS r
JOIN automation._part AS p ON p.rule_id = r.id AND p.version = r.version AND p.part = 'step' AND p.function IS NOT NULL
CROSS JOIN LATERAL (SELECT automation._body(p.function)) AS b(body)
CROSS JOIN LATERAL (
	SELECT to_regclass(m[1]), 'update', unnest(string_to_array(trim(both '()' FROM m[2]), ', '))
	FROM regexp_matches(b.body, 'UPDATE (?:ONLY )?(\S+)(?: AS)?(?: \w+)? SET (\([^)]*\)|(?:"[^"]+"|\w+)) =', 'g') AS m
	UNION ALL
	SELECT to_regclass(m[1]), 'insert', NULL FROM regexp_matches(b.body, 'INSERT INTO (\S+)', 'g') AS m
) AS w(relation, event, "column")
CROSS JOIN LATERAL (
	SELECT (automation._version(r.id, r.version)).steps -> (p.step - 1)::integer -> 'params'
) AS v(params)
WHERE w.relation IS NOT NULL;
COMMENT ON VIEW automation._write IS 'Columns that steps of rules write, and tables they insert into; value: a text that is always the same';

CREATE VIEW automation._demand AS
SELECT r.id AS rule_id, r.event_relation, v.events, c.query, c.columns, c.is_change,
	(regexp_match(automation._readable(c.query), '^\(?new\.("[^"]+"|\w+) = (''(?:[^'']|'''')*''|-?\d+)(?:::[a-z ]+)?\)?$')) AS equality
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
JOIN automation._part AS p ON p.rule_id = r.id AND p.version = r.version AND p.part = 'when' AND p.function IS NOT NULL
CROSS JOIN LATERAL automation._conjuncts(p.function::regprocedure) AS c
WHERE automation._readable(c.query) <> 'true';
COMMENT ON VIEW automation._demand IS 'Conjuncts of the conditions of rules; equality: column and constant';

CREATE FUNCTION automation._lint_cycles() RETURNS TABLE (rule_id integer, finding text, detail text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH RECURSIVE demand AS MATERIALIZED (
		SELECT d.* FROM automation._demand AS d
	), written AS MATERIALIZED (
		SELECT w.* FROM automation._write AS w
	), edge AS MATERIALIZED (
		SELECT DISTINCT w.rule_id AS "from", r.id AS "to"
		FROM written AS w
		JOIN automation.rule AS r ON r.event_relation = w.relation
		JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
		WHERE w.event = ANY (v.events)
			AND (w.event = 'insert'
				OR NOT EXISTS (SELECT FROM demand AS d WHERE d.rule_id = r.id AND d.is_change)
				OR EXISTS (SELECT FROM demand AS d WHERE d.rule_id = r.id AND d.is_change AND 'new.' || w.column = ANY (d.columns)))
			-- What it writes must not be what the other one does not want.
			AND NOT EXISTS (
				SELECT FROM demand AS d
				WHERE d.rule_id = r.id AND d.equality[1] = w.column AND trim(both '''' FROM d.equality[2]) <> w.value)
		UNION
		SELECT r.id, o.id
		FROM automation.rule AS r
		JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
		CROSS JOIN LATERAL jsonb_array_elements(v.steps) AS s(step)
		JOIN automation.rule AS o ON o.name = s.step -> 'params' ->> 'rule'
		WHERE s.step ->> 'action' = 'start_rule'
	), path AS (
		SELECT e.from AS first, e.to AS last, ARRAY[e.from] AS rules FROM edge AS e
		UNION ALL
		-- Each cycle once, from its lowest number on.
		SELECT p.first, e.to, p.rules || e.from
		FROM path AS p
		JOIN edge AS e ON e.from = p.last
		WHERE p.last > p.first AND e.from <> ALL (p.rules) AND cardinality(p.rules) < 8
	)
	SELECT p.first, 'cycle', (
		SELECT string_agg('"' || r.name || '"', ' > ' ORDER BY n.place)
		FROM unnest(p.rules || p.first) WITH ORDINALITY AS n(id, place)
		JOIN automation.rule AS r ON r.id = n.id)
	FROM path AS p
	WHERE p.last = p.first AND NOT EXISTS (SELECT FROM automation.rule AS r WHERE r.id = ANY (p.rules) AND r.state = 'disabled');
END;
COMMENT ON FUNCTION automation._lint_cycles() IS 'Rules that may set each other off without end; the engine cuts that short';

CREATE FUNCTION automation._lint_conditions() RETURNS TABLE (rule_id integer, finding text, detail text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH demand AS MATERIALIZED (
		SELECT d.* FROM automation._demand AS d JOIN automation.rule AS r ON r.id = d.rule_id WHERE r.state <> 'disabled'
	), written AS MATERIALIZED (
		SELECT w.* FROM automation._write AS w WHERE w.event = 'update'
	)
	SELECT a.rule_id, 'unreachable', format('it wants %s to be %s and %s at once', a.equality[1], a.equality[2], b.equality[2])
	FROM demand AS a
	JOIN demand AS b ON b.rule_id = a.rule_id AND b.equality[1] = a.equality[1] AND b.equality[2] > a.equality[2]
	UNION ALL
	SELECT b.id, 'shadowed', format('whenever it fires, "%s" does too, and does the same: %s', a.name, same.what)
	FROM automation.rule AS a
	JOIN automation.rule AS b ON b.event_relation = a.event_relation AND b.relation = a.relation AND b.id <> a.id
	JOIN automation.rule_version AS va ON va.rule_id = a.id AND va.version = a.version
	JOIN automation.rule_version AS vb ON vb.rule_id = b.id AND vb.version = b.version
	CROSS JOIN LATERAL (
		SELECT string_agg(DISTINCT concat_ws(' ', x.step ->> 'action', coalesce(x.step -> 'params' ->> 'field', x.step -> 'params' ->> 'channel')), ', ')
		FROM jsonb_array_elements(va.steps) AS x(step), jsonb_array_elements(vb.steps) AS y(step)
		WHERE x.step ->> 'action' = y.step ->> 'action' AND x.step -> 'timing' = y.step -> 'timing'
			AND x.step ->> 'condition' IS NOT DISTINCT FROM y.step ->> 'condition'
			AND coalesce(x.step -> 'params' ->> 'field', x.step -> 'params' ->> 'channel', x.step -> 'params' ->> 'recipient')
				= coalesce(y.step -> 'params' ->> 'field', y.step -> 'params' ->> 'channel', y.step -> 'params' ->> 'recipient')
	) AS same(what)
	WHERE same.what IS NOT NULL AND a.state <> 'disabled' AND b.state <> 'disabled' AND vb.events <> '{}' AND vb.events <@ va.events
		AND va.timing IS NULL AND vb.timing IS NULL
		AND NOT EXISTS (
			SELECT FROM demand AS d WHERE d.rule_id = a.id
				AND NOT EXISTS (SELECT FROM demand AS o WHERE o.rule_id = b.id AND o.query = d.query))
		-- Of two that say the same, the later one.
		AND ((a.position, a.id) < (b.position, b.id) OR EXISTS (
			SELECT FROM demand AS d WHERE d.rule_id = b.id
				AND NOT EXISTS (SELECT FROM demand AS o WHERE o.rule_id = a.id AND o.query = d.query)))
	UNION ALL
	SELECT DISTINCT b.id, 'two writers', format('"%s" writes column "%s" of %s, too', a.name, w.column, w.relation)
	FROM written AS w
	JOIN written AS v ON v.relation = w.relation AND v.column = w.column AND v.rule_id <> w.rule_id
	JOIN automation.rule AS a ON a.id = w.rule_id AND a.state <> 'disabled'
	JOIN automation.rule AS b ON b.id = v.rule_id AND b.state <> 'disabled' AND (a.position, a.id) < (b.position, b.id)
	-- Two that no one change can fire do not meet.
	WHERE NOT EXISTS (
		SELECT FROM demand AS d
		JOIN demand AS e ON e.rule_id = b.id AND e.equality[1] = d.equality[1] AND e.equality[2] <> d.equality[2]
		WHERE d.rule_id = a.id);
END;
COMMENT ON FUNCTION automation._lint_conditions() IS 'Rules whose conditions never hold, or hold only when another one''s does, and rules that write one column';

CREATE FUNCTION automation._can_be_null(relation regclass, path text[]) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE cardinality(path)
		WHEN 1 THEN NOT coalesce((
			SELECT a.attnotnull FROM pg_catalog.pg_attribute AS a
			WHERE a.attrelid = relation AND a.attname = coalesce(automation._roles(relation) ->> path[1], path[1])), true)
		WHEN 2 THEN coalesce((
			SELECT NOT (s.attnotnull AND t.attnotnull)
			FROM automation._links_called(relation, path[1]) AS l
			JOIN pg_catalog.pg_attribute AS s ON s.attrelid = relation AND s.attname = l.source_column
			JOIN pg_catalog.pg_attribute AS t ON t.attrelid = l.target AND t.attname = path[2]
			LIMIT 1), false)
		ELSE true
	END;
END;
COMMENT ON FUNCTION automation._can_be_null(regclass, text[]) IS 'Whether a merge tag may have nothing to show; false for what is no column';

CREATE FUNCTION automation._lint_steps() RETURNS TABLE (rule_id integer, finding text, detail text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.id, 'missing fallback', format('step %s: {{ %s }} may be null; add a default', s.place, t.tag)
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
	CROSS JOIN LATERAL jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
	JOIN automation.action_definition AS a ON a.name = s.step ->> 'action'
	CROSS JOIN LATERAL jsonb_each_text(s.step -> 'params') AS p(name, value)
	CROSS JOIN LATERAL (
		SELECT DISTINCT m[1] FROM regexp_matches(p.value, '\{\{\s*([[:alnum:]_.]+)\s*((?:\|[^}]*)?)\}\}', 'g') AS m
		WHERE m[2] !~ '\mdefault\M'
	) AS t(tag)
	WHERE r.state <> 'disabled' AND a.kind <> 'statement' AND p.name <> 'channel'
		AND automation._can_be_null(r.relation, string_to_array(regexp_replace(t.tag, '^(new|old)\.', ''), '.'))
	UNION ALL
	SELECT r.id, 'never cancelled', format('step %s waits %s, and only the end of its row keeps it from coming: see cancel_if_changed', s.place,
		coalesce(s.step -> 'timing' ->> 'delay', 'for its time'))
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
	CROSS JOIN LATERAL jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
	WHERE r.state <> 'disabled' AND s.step -> 'timing' ?| '{delay,at,workdays,time_of_day}' AND NOT s.step -> 'timing' ?| '{cancel_if_changed,cancel_when}'
	UNION ALL
	SELECT r.id, 'superuser', format('its owner %s may do everything, and so may the rule', r.owner)
	FROM automation.rule AS r
	JOIN pg_catalog.pg_roles AS o ON o.oid = r.owner
	WHERE o.rolsuper AND r.state <> 'disabled'
	UNION ALL
	SELECT p.rule_id, 'cannot run', p.problem
	FROM automation._rule_problem AS p
	WHERE p.problem IS NOT NULL;
END;
COMMENT ON FUNCTION automation._lint_steps() IS 'What may go wrong in single steps';

CREATE FUNCTION automation.lint(rule text DEFAULT NULL)
RETURNS TABLE (rule_name text, severity text, finding text, detail text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.lint(text)
	IS 'What is probably wrong with rules: cycle, unreachable, shadowed, two writers, missing fallback, never cancelled, superuser, cannot run';

CREATE FUNCTION automation._lint(caller regrole, rule text)
RETURNS TABLE (rule_name text, severity text, finding text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
	IF rule IS NOT NULL THEN
		PERFORM automation._rule(rule);
	END IF;
	RETURN QUERY
	SELECT r.name, CASE WHEN f.finding IN ('cycle', 'unreachable', 'cannot run') THEN 'error'
		WHEN f.finding IN ('two writers', 'shadowed', 'superuser', 'missing fallback') THEN 'warning' ELSE 'notice' END,
		f.finding, f.detail
	FROM (
		SELECT c.* FROM automation._lint_cycles() AS c
		UNION ALL SELECT c.* FROM automation._lint_conditions() AS c
		UNION ALL SELECT c.* FROM automation._lint_steps() AS c
	) AS f
	JOIN automation.rule AS r ON r.id = f.rule_id
	WHERE _lint.rule IS NULL OR r.name = _lint.rule OR f.finding = 'cycle' AND strpos(f.detail, '"' || _lint.rule || '"') > 0
	ORDER BY r.position, r.id, f.finding, f.detail;
END
$$;
COMMENT ON FUNCTION automation._lint(regrole, text) IS 'automation.lint()';
