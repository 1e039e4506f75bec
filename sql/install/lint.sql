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
SELECT r.id AS rule_id, r.event_relation, v.events, c.number, c.query, c.columns, c.is_change,
	(regexp_match(automation._readable(c.query), '^\(?new\.("[^"]+"|\w+) = (''(?:[^'']|'''')*''|-?\d+)(?:::[a-z ]+)?\)?$')) AS equality
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
JOIN automation._part AS p ON p.rule_id = r.id AND p.version = r.version AND p.part = 'when' AND p.function IS NOT NULL
CROSS JOIN LATERAL automation._conjuncts(p.function::regprocedure) WITH ORDINALITY AS c(query, columns, is_change, number)
WHERE automation._readable(c.query) <> 'true';
COMMENT ON VIEW automation._demand IS 'Conjuncts of the conditions of rules; equality: column and constant';

CREATE VIEW automation._wish AS
-- Materialized: the planner would have every conjunct taken apart once for each rule.
WITH conjunct AS MATERIALIZED (
	SELECT m.*, regexp_replace(m.query, '^\s*SELECT (.*) AS holds$', '\1') AS holds,
		replace(substring(m.query FROM '^\s*SELECT \(\((.*) IS NOT TRUE\) OR \(\(\$1\)\.(?:"[^"]+"|\w+) IS NULL\)\) AS holds$'), '$1', '$2') AS held
	FROM automation._demand AS m
), beginning AS (
	-- What holds now and did not before: by what the row itself says, one of its columns has to change.
	SELECT b.rule_id, b.columns
	FROM conjunct AS b
	JOIN conjunct AS f ON f.rule_id = b.rule_id AND f.number < b.number
	JOIN conjunct AS p ON p.rule_id = b.rule_id AND p.number BETWEEN f.number AND b.number - 1
	WHERE b.held !~ 'SELECT|\$2(?!\)\.)'
	GROUP BY b.rule_id, b.number, b.columns, b.held, f.number
	HAVING b.held IN (string_agg(p.holds, ' AND ' ORDER BY p.number), '(' || string_agg(p.holds, ' AND ' ORDER BY p.number) || ')')
), demand AS MATERIALIZED (
	SELECT m.rule_id, array_agg(m.query) AS queries,
		array_agg(c.name) FILTER (WHERE m.is_change AND c.name IS NOT NULL) AS changes,
		jsonb_object_agg(m.equality[1], trim(both '''' FROM m.equality[2])) FILTER (WHERE m.equality IS NOT NULL) AS constants
	FROM conjunct AS m
	LEFT JOIN LATERAL (SELECT substr(n, 5) FROM unnest(m.columns) AS n WHERE starts_with(n, 'new.')) AS c(name) ON m.is_change
	GROUP BY m.rule_id
)
SELECT r.id AS rule_id, r.name, r.position, r.relation, r.event_relation, v.events, v.timing, v.steps,
	coalesce(d.queries, '{}') AS queries,
	coalesce(d.changes, ARRAY(SELECT substr(n, 5) FROM beginning AS b, unnest(b.columns) AS n WHERE b.rule_id = r.id)) AS changes,
	coalesce(d.constants, '{}') AS constants
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
LEFT JOIN demand AS d ON d.rule_id = r.id
WHERE r.state <> 'disabled';
COMMENT ON VIEW automation._wish IS 'What the condition of each rule comes to: its conjuncts, columns of which one has to change, columns that have to have a value';

CREATE FUNCTION automation._agree(a jsonb, b jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN NOT EXISTS (SELECT FROM jsonb_each(a) AS x WHERE b -> x.key <> x.value);
COMMENT ON FUNCTION automation._agree(jsonb, jsonb) IS 'Whether one row can have all these values';

CREATE FUNCTION automation._lint_cycles() RETURNS TABLE (rule_id integer, finding text, detail text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH RECURSIVE wish AS MATERIALIZED (
		SELECT w.* FROM automation._wish AS w
	), act AS MATERIALIZED (
		SELECT w.* FROM automation._write AS w
	), edge AS MATERIALIZED (
		-- What one writes must not be what the other does not want.
		SELECT DISTINCT w.rule_id AS "from", b.rule_id AS "to"
		FROM act AS w
		JOIN wish AS a ON a.rule_id = w.rule_id
		JOIN wish AS b ON b.event_relation = w.relation
		WHERE w.event = ANY (b.events)
			AND (w.event = 'insert' OR b.changes = '{}' OR w.column = ANY (b.changes))
			AND (b.constants ->> w.column = w.value) IS NOT FALSE
		UNION
		SELECT a.rule_id, b.rule_id
		FROM wish AS a
		CROSS JOIN LATERAL jsonb_array_elements(a.steps) AS s(step)
		JOIN wish AS b ON b.name = s.step -> 'params' ->> 'rule'
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
	WHERE p.last = p.first;
END;
COMMENT ON FUNCTION automation._lint_cycles() IS 'Rules that may set each other off without end; the engine cuts that short';

CREATE FUNCTION automation._same_steps(a jsonb, b jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT string_agg(DISTINCT concat_ws(' ', x.step ->> 'action', coalesce(x.step -> 'params' ->> 'field', x.step -> 'params' ->> 'channel')), ', ')
	FROM jsonb_array_elements(a) AS x(step), jsonb_array_elements(b) AS y(step)
	WHERE x.step ->> 'action' = y.step ->> 'action' AND x.step -> 'timing' = y.step -> 'timing'
		AND x.step ->> 'condition' IS NOT DISTINCT FROM y.step ->> 'condition'
		AND coalesce(x.step -> 'params' ->> 'field', x.step -> 'params' ->> 'channel', x.step -> 'params' ->> 'recipient')
			= coalesce(y.step -> 'params' ->> 'field', y.step -> 'params' ->> 'channel', y.step -> 'params' ->> 'recipient')
);
COMMENT ON FUNCTION automation._same_steps(jsonb, jsonb) IS 'Steps of two rules that do the same to the same, or null';

CREATE FUNCTION automation._lint_conditions() RETURNS TABLE (rule_id integer, finding text, detail text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH wish AS MATERIALIZED (
		SELECT w.* FROM automation._wish AS w
	), demand AS MATERIALIZED (
		SELECT d.* FROM automation._demand AS d WHERE d.equality IS NOT NULL
	), act AS MATERIALIZED (
		SELECT w.* FROM automation._write AS w
	), written AS MATERIALIZED (
		SELECT DISTINCT w.relation, w.column, a.rule_id, a.name, a.position, a.constants
		FROM act AS w JOIN wish AS a ON a.rule_id = w.rule_id
		WHERE w.event = 'update'
	)
	SELECT a.rule_id, 'unreachable', format('it wants %s to be %s and %s at once', a.equality[1], a.equality[2], b.equality[2])
	FROM demand AS a
	JOIN demand AS b ON b.rule_id = a.rule_id AND b.equality[1] = a.equality[1] AND b.equality[2] > a.equality[2]
	JOIN wish AS w ON w.rule_id = a.rule_id
	UNION ALL
	SELECT b.rule_id, 'shadowed', format('whenever it fires, "%s" does too, and does the same: %s', a.name, automation._same_steps(a.steps, b.steps))
	FROM wish AS a
	JOIN wish AS b ON b.event_relation = a.event_relation AND b.relation = a.relation AND b.rule_id <> a.rule_id
	WHERE a.queries <@ b.queries AND b.events <> '{}' AND b.events <@ a.events AND a.timing IS NULL AND b.timing IS NULL
		-- Of two that say the same, the later one.
		AND ((a.position, a.rule_id) < (b.position, b.rule_id) OR NOT b.queries <@ a.queries)
		AND automation._same_steps(a.steps, b.steps) IS NOT NULL
	UNION ALL
	-- Two that no one change can fire do not meet.
	SELECT b.rule_id, 'two writers', format('"%s" writes column "%s" of %s, too', a.name, a.column, a.relation)
	FROM written AS a
	JOIN written AS b ON b.relation = a.relation AND b.column = a.column AND (a.position, a.rule_id) < (b.position, b.rule_id)
	WHERE automation._agree(a.constants, b.constants);
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
		-- What its timing says is the longest that it waits: it is the row that ends it.
		AND s.step ->> 'action' <> 'wait_until'
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
