-- What users read of runs, and what they ask about one row.

-- Statuses, the one that matters most first.
CREATE FUNCTION automation._statuses() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN '{dead,failed,retrying,delivering,running,waiting,cancelled,suppressed,succeeded,not_run}'::text[];
COMMENT ON FUNCTION automation._statuses() IS 'All statuses of runs and steps; of several, the first in this list tells how it stands';

CREATE FUNCTION automation._worst(statuses text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (SELECT s FROM unnest(statuses) AS s ORDER BY array_position(automation._statuses(), s) LIMIT 1);
COMMENT ON FUNCTION automation._worst(text[]) IS 'The status of a whole whose parts have these';

CREATE FUNCTION automation._status_icon(status text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN status = 'succeeded' THEN '✅'
	WHEN status IN ('failed', 'dead') THEN '⚠'
	WHEN status IN ('waiting', 'running', 'delivering', 'retrying') THEN '⏳'
	ELSE ''
END;
COMMENT ON FUNCTION automation._status_icon(text) IS 'Done, needs a look, on its way, or nothing to show';

CREATE FUNCTION automation._delivery_status(state text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE state
	WHEN 'ready' THEN 'delivering'
	WHEN 'delivered' THEN 'succeeded'
	WHEN 'held' THEN 'waiting'
	-- Sent perhaps, and not repeated: a person has to decide.
	WHEN 'unknown' THEN 'dead'
	ELSE state
END;
COMMENT ON FUNCTION automation._delivery_status(text) IS 'What the state of a delivery means for its step';

-- Whoever may read a view also needs the right to call its functions, and those read with his rights:
-- hence SECURITY DEFINER. Their bodies are bound to what they name when they are made.

CREATE FUNCTION automation._rule_name(rule_id integer) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
	SELECT coalesce(
		(SELECT r.name FROM automation.rule AS r WHERE r.id = rule_id),
		(SELECT v.name FROM automation.rule_version AS v WHERE v.rule_id = _rule_name.rule_id ORDER BY v.version DESC LIMIT 1));
END;
COMMENT ON FUNCTION automation._rule_name(integer) IS 'What a rule is called, or was when it was dropped';

CREATE FUNCTION automation._with_names(reason text) RETURNS text
LANGUAGE sql STABLE
-- The engine writes numbers, which no renaming changes.
RETURN CASE
	WHEN reason ~ '^(loop: |.*\mrule #[0-9])' THEN (
		SELECT string_agg(
			CASE WHEN t.token[1] ~ '^#[0-9]{1,9}$'
				THEN coalesce(format('"%s"', automation._rule_name(substr(t.token[1], 2)::integer)), t.token[1])
				ELSE t.token[1] END,
			'' ORDER BY t.place)
		FROM regexp_matches(reason, '#[0-9]+|[^#]+|#', 'g') WITH ORDINALITY AS t(token, place))
	ELSE reason
END;
COMMENT ON FUNCTION automation._with_names(text) IS 'A reason with the names of rules for their numbers';

CREATE FUNCTION automation._delivery_ids(step jsonb) RETURNS bigint[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT jsonb_array_elements_text(step -> 'deliveries')::bigint);
COMMENT ON FUNCTION automation._delivery_ids(jsonb) IS 'Deliveries that a step of automation.run.steps made';

CREATE FUNCTION automation._step_states(steps jsonb)
RETURNS TABLE (
	step smallint,
	action text,
	status text,
	reason text,
	sqlstate text,
	result jsonb,
	deliveries bigint[],
	next_at timestamptz,
	last_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
	SELECT
		(s.step ->> 'step')::smallint,
		s.step ->> 'action',
		coalesce(d.status, s.step ->> 'status'),
		coalesce(d.reason, automation._with_names(s.step ->> 'reason')),
		s.step ->> 'sqlstate',
		s.step -> 'result',
		automation._delivery_ids(s.step),
		d.next_at,
		d.last_at
	FROM jsonb_array_elements(steps) AS s(step)
	LEFT JOIN LATERAL (
		SELECT automation._worst(array_agg(automation._delivery_status(v.state))) AS status,
			(array_agg(v.reason ORDER BY v.id) FILTER (WHERE v.reason IS NOT NULL AND v.state <> 'delivered'))[1] AS reason,
			min(v.next_at) AS next_at,
			max(v.last_at) AS last_at
		FROM automation.deliveries AS v
		WHERE v.id = ANY (automation._delivery_ids(s.step))
	) AS d ON s.step ? 'deliveries';
END;
COMMENT ON FUNCTION automation._step_states(jsonb) IS 'How the steps of a run stand now: what was known at commit, and what the worker has done since';

CREATE FUNCTION automation._run_state(run automation.run)
RETURNS TABLE (status text, reason text, next_at timestamptz, last_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
	SELECT w.status,
		coalesce(automation._with_names((run).reason), (
			SELECT format('step %s: %s', s.step, s.reason)
			FROM automation._step_states((run).steps) AS s
			WHERE s.status = w.status AND s.reason IS NOT NULL
			ORDER BY s.step LIMIT 1)),
		w.next_at,
		coalesce(w.last_at, (run).at)
	FROM (
		SELECT coalesce(automation._worst(array_agg(s.status) FILTER (WHERE s.status <> 'not_run')), (run).status) AS status,
			min(s.next_at) AS next_at,
			max(s.last_at) AS last_at
		FROM automation._step_states((run).steps) AS s
	) AS w;
END;
COMMENT ON FUNCTION automation._run_state(automation.run) IS 'How a run stands now';

CREATE VIEW automation.execution_log AS
SELECT
	u.id,
	u.at,
	automation._rule_name(u.rule_id) AS rule,
	e.relation,
	u.key,
	u.event,
	s.status,
	automation._status_icon(s.status) AS icon,
	s.reason,
	u.sqlstate,
	-- Old and new values are for those who may read the table.
	CASE WHEN has_table_privilege(e.relation, 'SELECT') THEN u.changes END AS changes,
	jsonb_array_length(u.steps) AS steps,
	s.last_at,
	s.next_at,
	u.version,
	u.depth,
	u.cause,
	u.actor
FROM automation.run AS u
LEFT JOIN automation.entity AS e ON e.id = u.entity_id,
	LATERAL automation._run_state(u) AS s;
COMMENT ON VIEW automation.execution_log IS 'Every run of every rule, and how it stands now';
COMMENT ON COLUMN automation.execution_log.id IS 'Number of the run';
COMMENT ON COLUMN automation.execution_log.at IS 'When the rule fired';
COMMENT ON COLUMN automation.execution_log.rule IS 'What the rule is called now, or was when it was dropped';
COMMENT ON COLUMN automation.execution_log.status IS 'Worst of its steps: succeeded, failed, waiting, delivering, retrying, dead, cancelled, suppressed, not_run';
COMMENT ON COLUMN automation.execution_log.reason IS 'Why it is not succeeded';
COMMENT ON COLUMN automation.execution_log.changes IS 'Columns the trigger watches, each with its old and new value; null without SELECT on the table';
COMMENT ON COLUMN automation.execution_log.cause IS 'The run that wrote what fired this one';

CREATE VIEW automation.step_log AS
SELECT
	u.id AS run_id,
	u.at,
	automation._rule_name(u.rule_id) AS rule,
	e.relation,
	u.key,
	s.step,
	s.action,
	s.status,
	automation._status_icon(s.status) AS icon,
	s.reason,
	s.sqlstate,
	CASE WHEN has_table_privilege(e.relation, 'SELECT') THEN s.result END AS result,
	s.deliveries,
	s.last_at,
	s.next_at
FROM automation.run AS u
LEFT JOIN automation.entity AS e ON e.id = u.entity_id,
	LATERAL automation._step_states(u.steps) AS s;
COMMENT ON VIEW automation.step_log IS 'Every step of every run, and how it stands now';
COMMENT ON COLUMN automation.step_log.result IS 'What a step in the database wrote; null without SELECT on the table';
COMMENT ON COLUMN automation.step_log.deliveries IS 'Numbers of its messages in automation.deliveries';

-- One row

CREATE FUNCTION automation._check_reader(caller regrole, relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._entity(relation);
	IF NOT has_table_privilege(caller, relation, 'SELECT') THEN
		PERFORM automation._fail('42501', format('permission denied for table %s', automation._relation_name(relation)));
	END IF;
	PERFORM automation._check_row_security(relation, caller);
END
$$;
COMMENT ON FUNCTION automation._check_reader(regrole, regclass) IS 'Raises an error unless the caller may see every row of the attached table';

CREATE FUNCTION automation._key_json(relation regclass, key text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text[] := automation._key(relation);
	given jsonb;
BEGIN
	IF cardinality(columns) = 1 THEN
		RETURN jsonb_build_object(columns[1], key);
	END IF;
	given := key::jsonb;
	IF jsonb_typeof(given) <> 'object' OR NOT given ?& columns THEN
		PERFORM automation._fail('22023', format('invalid key of table "%s": %s', relation, key),
			hint => format('Use a JSON object with the keys %s.', automation._list(columns)));
	END IF;
	RETURN given;
END
$$;
COMMENT ON FUNCTION automation._key_json(regclass, text) IS 'A key as an object: {"id": "5"}';

CREATE FUNCTION automation._key_text(relation regclass, key text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE WHEN cardinality(automation._key(relation)) = 1 THEN key ELSE automation._key_json(relation, key)::text END;
COMMENT ON FUNCTION automation._key_text(regclass, text) IS 'A key as runs have it: a composite one in the form of jsonb';

CREATE FUNCTION automation._ask(role regrole, query text, argument jsonb) RETURNS jsonb
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_ask';
COMMENT ON FUNCTION automation._ask(regrole, text, jsonb)
	IS 'The one jsonb value that a query about $1 answers, asked with the rights of a role, in a restricted context';

CREATE FUNCTION automation._row_query(relation regclass) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT format('SELECT pg_catalog.to_jsonb(t) FROM %s AS t, pg_catalog.jsonb_to_record($1) AS k (%s) WHERE %s',
		relation,
		string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '),
		string_agg(format('t.%1$I %2$s k.%1$I', a.attname, automation._type_operator('=', a.atttypid::regtype)), ' AND '))
	FROM unnest(automation._key(relation)) AS c
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relation AND a.attname = c;
END;
COMMENT ON FUNCTION automation._row_query(regclass) IS 'Query for the row whose key is the jsonb object $1';

CREATE FUNCTION automation._row(relation regclass, key text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- A column's type may bring code of its owner with it: a domain's CHECK, a cast to json.
	owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = relation);
	answer jsonb := automation._ask(owner, automation._row_query(relation), automation._key_json(relation, key));
BEGIN
	IF answer IS NULL THEN
		PERFORM automation._fail('P0002', format('table "%s" has no row with the key %s', relation, key));
	END IF;
	RETURN answer;
END
$$;
COMMENT ON FUNCTION automation._row(regclass, text) IS 'A row of an attached table by its key, as it is now';

CREATE FUNCTION automation._last_run(rule automation.rule, key text) RETURNS automation.run
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT u
	FROM automation.run AS u
	JOIN automation.entity AS e ON e.id = u.entity_id
	WHERE e.relation = (rule).relation AND u.key = _last_run.key AND u.rule_id = (rule).id
	ORDER BY u.id DESC
	LIMIT 1;
END;
COMMENT ON FUNCTION automation._last_run(automation.rule, text) IS 'What a rule did last for a row';

CREATE FUNCTION automation.item_status(relation regclass, key text)
RETURNS TABLE (
	rule text,
	state text,
	status text,
	icon text,
	reason text,
	last_at timestamptz,
	next_at timestamptz,
	run_id bigint)
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.item_status(regclass, text) IS 'What each rule on a table has done for one row, in listed order; not_run: nothing yet';

CREATE FUNCTION automation._item_status(caller regrole, relation regclass, key text)
RETURNS TABLE (
	rule text,
	state text,
	status text,
	icon text,
	reason text,
	last_at timestamptz,
	next_at timestamptz,
	run_id bigint)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item text;
BEGIN
	PERFORM automation._check_reader(caller, relation);
	item := automation._key_text(relation, key);
	-- A deleted row still has its runs.
	IF NOT EXISTS (SELECT FROM automation.run AS u WHERE u.entity_id = (automation._entity(relation)).id AND u.key = item) THEN
		PERFORM automation._row(relation, key);
	END IF;
	RETURN QUERY
	SELECT r.name, r.state, s.status, automation._status_icon(s.status),
		CASE WHEN u.id IS NOT NULL THEN s.reason
			ELSE coalesce(automation._problem(r), CASE WHEN r.state = 'active' THEN 'has not applied to this row'
				WHEN r.state = 'draft' THEN 'rule is a draft' ELSE 'rule is ' || r.state END) END,
		CASE WHEN u.id IS NOT NULL THEN s.last_at END, s.next_at, u.id
	FROM automation.rule AS r
	LEFT JOIN LATERAL automation._last_run(r, item) AS u ON true
	LEFT JOIN LATERAL (
		SELECT l.* FROM automation._run_state(u) AS l WHERE u.id IS NOT NULL
		UNION ALL
		SELECT 'not_run', NULL, NULL, NULL WHERE u.id IS NULL
	) AS s ON true
	WHERE r.relation = _item_status.relation
	ORDER BY r.position, r.id;
END
$$;
COMMENT ON FUNCTION automation._item_status(regrole, regclass, text) IS 'automation.item_status()';

-- Running a rule for one row, and why it would not run

CREATE FUNCTION automation._fire_rule(rule_id integer, record jsonb) RETURNS bigint
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_fire_rule';
COMMENT ON FUNCTION automation._fire_rule(integer, jsonb) IS 'Runs a rule for a row of its event relation; the run, or 0 when its condition does not hold';

CREATE FUNCTION automation._check_waits_for(rule automation.rule, relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (rule.event_relation = relation) IS NOT TRUE THEN
		PERFORM automation._fail('42809', format('rule "%s" is not on table "%s"', rule.name, relation),
			format('It waits for changes of table "%s".', rule.event_relation));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_waits_for(automation.rule, regclass) IS 'Raises an error unless changes of the table fire the rule';

CREATE FUNCTION automation.fire(rule text, relation regclass, key text) RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.fire(text, regclass, text)
	IS 'Runs a rule for one row as if the row had just been inserted, and answers the run; null when its condition does not hold';

CREATE FUNCTION automation._fire(caller regrole, rule text, relation regclass, key text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fired automation.rule := automation._rule(rule);
BEGIN
	IF NOT automation._is_operator(caller) AND NOT pg_has_role(caller, fired.owner, 'USAGE') THEN
		PERFORM automation._fail('42501', format('must be owner of rule "%s"', rule));
	END IF;
	PERFORM automation._check_waits_for(fired, relation);
	IF fired.state <> 'active' THEN
		PERFORM automation._fail('55000', format('rule "%s" is not active', rule), format('Its state is %s.', fired.state),
			'Use automation.activate_rule().');
	END IF;
	RETURN nullif(automation._fire_rule(fired.id, automation._row(relation, key)), 0);
END
$$;
COMMENT ON FUNCTION automation._fire(regrole, text, regclass, text) IS 'automation.fire()';

CREATE FUNCTION automation._conjuncts(function regprocedure)
RETURNS TABLE (query text, columns text[], is_change boolean)
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_conjuncts';
COMMENT ON FUNCTION automation._conjuncts(regprocedure) IS 'The conjuncts of a compiled condition: a query over $1 (old) and $2 (new), and the columns it names';

CREATE FUNCTION automation._holds(owner regrole, query text, relation regclass, old_row jsonb, new_row jsonb) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_holds';
COMMENT ON FUNCTION automation._holds(regrole, text, regclass, jsonb, jsonb)
	IS 'What a conjunct says of two rows, with the rights of the rule''s owner, in a restricted context';

CREATE FUNCTION automation._readable(query text) RETURNS text
LANGUAGE sql IMMUTABLE
-- Compiled queries qualify every name; people read the short form.
RETURN (
	SELECT regexp_replace(regexp_replace(short.form, '^\s*SELECT\s+(.*?)(\s+AS holds)?\s*;?\s*$', '\1'), '\s+', ' ', 'g')
	FROM (
		SELECT regexp_replace(regexp_replace(regexp_replace(replace(replace(replace(query,
			'$1.', 'old.'), '$2.', 'new.'), 'pg_catalog.', ''),
			'\(\$1\)\.', 'old.', 'g'), '\(\$2\)\.', 'new.', 'g'),
			'OPERATOR\(([^)]*?\.)?([^).]+)\)', '\2', 'g')
	) AS short(form)
);
COMMENT ON FUNCTION automation._readable(text) IS 'A conjunct as its author might have written it';

CREATE FUNCTION automation._column_values(columns text[], record jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT jsonb_object_agg(c, record -> substr(c, 5)) FROM unnest(columns) AS c WHERE starts_with(c, 'new.')
);
COMMENT ON FUNCTION automation._column_values(text[], jsonb) IS 'Values of "new.status", ... in a row';

CREATE FUNCTION automation._explain_condition(rule automation.rule, label text, function regprocedure, record jsonb)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c record;
BEGIN
	part := label;
	FOR c IN SELECT f.* FROM automation._conjuncts(function) AS f LOOP
		conjunct := automation._readable(c.query);
		-- A trigger or rule without a condition.
		CONTINUE WHEN conjunct = 'true';
		row_values := automation._column_values(c.columns, record);
		holds := NULL;
		note := NULL;
		IF c.is_change OR EXISTS (SELECT FROM unnest(c.columns) AS name WHERE starts_with(name, 'old.')) THEN
			note := 'only an event can tell';
		ELSE
			BEGIN
				holds := automation._holds(rule.owner, c.query, rule.event_relation, record, record);
				note := CASE WHEN holds IS NULL THEN 'null: does not hold' END;
			EXCEPTION WHEN OTHERS THEN
				note := SQLERRM;
			END;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._explain_condition(automation.rule, text, regprocedure, jsonb) IS 'Each conjunct of a compiled condition, held against a row as it is now';

CREATE FUNCTION automation._explain_state(rule automation.rule)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'rule', 'state is active', (rule).state = 'active', NULL::jsonb, nullif('it is ' || (rule).state, 'it is active')
	UNION ALL
	SELECT 'rule', 'can run', automation._problem(rule) IS NULL, NULL, automation._problem(rule)
	UNION ALL
	SELECT 'event',
		CASE v.events WHEN '{}' THEN 'automation.fire() or start_rule'
			ELSE format('%s of %s', automation._list(v.events), (rule).event_relation) END,
		NULL, NULL, 'only an event can tell'
	FROM automation._version((rule).id, (rule).version) AS v;
END;
COMMENT ON FUNCTION automation._explain_state(automation.rule) IS 'What must be so before a rule looks at a row';

CREATE FUNCTION automation.explain(rule text, relation regclass, key text)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.explain(text, regclass, text)
	IS 'Why a rule runs for a row or does not: each part of its condition, whether it holds for the row as it is now, and the values';

CREATE FUNCTION automation._explain(caller regrole, rule text, relation regclass, key text)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	explained automation.rule := automation._rule(rule);
	steps integer := jsonb_array_length((automation._version(explained.id, explained.version)).steps);
	record jsonb;
	function regprocedure;
BEGIN
	PERFORM automation._check_waits_for(explained, relation);
	PERFORM automation._check_reader(caller, relation);
	record := automation._row(relation, key);
	RETURN QUERY SELECT e.* FROM automation._explain_state(explained) AS e;
	FOR step IN 0..steps LOOP
		function := automation._compiled(automation._rule_function(explained.id, explained.version,
			CASE step WHEN 0 THEN 'when' ELSE 'if_' || step END));
		IF function IS NOT NULL THEN
			RETURN QUERY SELECT e.* FROM automation._explain_condition(
				explained, CASE step WHEN 0 THEN 'condition' ELSE 'step ' || step END, function, record) AS e;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._explain(regrole, text, regclass, text) IS 'automation.explain()';

-- Purging

CREATE FUNCTION automation._is_settled(run automation.run) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT NOT EXISTS (
		SELECT FROM jsonb_array_elements((run).steps) AS s(step)
		JOIN automation.deliveries AS d ON d.id = ANY (automation._delivery_ids(s.step))
		WHERE d.state IN ('ready', 'delivering', 'retrying', 'held'));
END;
COMMENT ON FUNCTION automation._is_settled(automation.run) IS 'Whether the worker is done with all messages of a run';

CREATE FUNCTION automation._purge_versions() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM automation.rule_version AS v
	WHERE NOT EXISTS (SELECT FROM automation.rule AS r WHERE r.id = v.rule_id)
		AND NOT EXISTS (SELECT FROM automation.run AS u WHERE u.rule_id = v.rule_id);
END;
COMMENT ON FUNCTION automation._purge_versions() IS 'Forgets dropped rules that no run mentions';

CREATE FUNCTION automation.purge_log(older_than interval) RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.purge_log(interval)
	IS 'Deletes runs older than this, with their messages and attempts, and answers how many; one with a message still on its way stays';

CREATE FUNCTION automation._purge_log(caller regrole, older_than interval) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	horizon timestamptz := automation._now() - older_than;
	purged bigint;
BEGIN
	IF (older_than >= '0'::interval) IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'older_than must not be negative or null');
	END IF;
	WITH old_run AS (
		DELETE FROM automation.run AS u WHERE u.at < horizon AND automation._is_settled(u) RETURNING u.steps
	), old_delivery AS (
		DELETE FROM automation.delivery AS d
		USING old_run AS u, jsonb_array_elements(u.steps) AS s(step), unnest(automation._delivery_ids(s.step)) AS i(id)
		WHERE d.id = i.id
	), old_attempt AS (
		DELETE FROM automation.attempt AS a
		USING old_run AS u, jsonb_array_elements(u.steps) AS s(step), unnest(automation._delivery_ids(s.step)) AS i(id)
		WHERE a.delivery_id = i.id
	)
	SELECT count(*) INTO purged FROM old_run;
	DELETE FROM automation.stop AS s WHERE s.at < horizon;
	PERFORM automation._purge_versions();
	RETURN purged;
END
$$;
COMMENT ON FUNCTION automation._purge_log(regrole, interval) IS 'automation.purge_log()';
