-- What users read of runs, and what they ask about one row.

-- Statuses, the one that matters most first.
CREATE FUNCTION automation._statuses() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN '{dead,failed,retrying,delivering,running,waiting,cancelled,suppressed,succeeded,not_run}'::text[];
COMMENT ON FUNCTION automation._statuses() IS 'All statuses of runs and steps; of several, the first in this list tells how it stands';

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
	WHEN 'simulated' THEN 'succeeded'
	WHEN 'expired' THEN 'suppressed'
	-- Sent perhaps, and not repeated: a person has to decide.
	WHEN 'unknown' THEN 'dead'
	ELSE state
END;
COMMENT ON FUNCTION automation._delivery_status(text) IS 'What the state of a delivery means for its step';

CREATE FUNCTION automation._with_names(reason text) RETURNS text
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER -- for readers of the log
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF reason !~ '^(loop: |.*\mrule #[0-9])' THEN
		RETURN reason;
	END IF;
	-- The engine writes numbers, which no renaming changes.
	RETURN (
		SELECT string_agg(coalesce('"' || r.name || '"', t.token[1]), '' ORDER BY t.place)
		FROM regexp_matches(reason, '#[0-9]+|[^#]+|#', 'g') WITH ORDINALITY AS t(token, place)
		LEFT JOIN automation.rule AS r ON '#' || r.id = t.token[1]);
END
$$;
COMMENT ON FUNCTION automation._with_names(text) IS 'A reason with the names of rules for their numbers';

CREATE FUNCTION automation._deliveries_now(
	ids jsonb,
	OUT worst integer,
	OUT reason text,
	OUT deliveries bigint[],
	OUT next_at timestamptz,
	OUT last_at timestamptz)
LANGUAGE plpgsql STABLE STRICT -- most steps have none
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT min(array_position(automation._statuses(), automation._delivery_status(v.state))),
		(array_agg(v.reason ORDER BY v.id) FILTER (WHERE v.state <> 'delivered' AND v.reason IS NOT NULL))[1],
		array_agg(v.id ORDER BY v.id),
		min(v.next_at),
		max(v.last_at)
	INTO worst, reason, deliveries, next_at, last_at
	FROM automation._delivery_now AS v
	-- No join: of so many tables PostgreSQL would read all messages before it looks at the numbers.
	WHERE v.id = ANY (ARRAY(SELECT i::bigint FROM jsonb_array_elements_text(ids) AS i));
END
$$;
COMMENT ON FUNCTION automation._deliveries_now(jsonb) IS 'How these messages stand now, all together';

CREATE FUNCTION automation._deliveries_of(runs bigint[]) RETURNS bigint[]
LANGUAGE sql STABLE
-- An index on the runs of messages would be paid for with each message.
RETURN ARRAY(
	SELECT d.id::bigint
	FROM (
		SELECT e.step FROM automation.run AS u, jsonb_array_elements(u.steps) AS e(step) WHERE u.id = ANY (runs)
		UNION ALL
		SELECT r.record FROM automation.step_run AS r WHERE r.run_id = ANY (runs)
	) AS s
	CROSS JOIN jsonb_array_elements_text(s.step -> 'deliveries') AS d(id));
COMMENT ON FUNCTION automation._deliveries_of(bigint[]) IS 'Numbers of the messages that runs have made, as their steps have noted them';

CREATE FUNCTION automation._may_see(caller regrole, relation regclass) RETURNS boolean
LANGUAGE sql STABLE
RETURN has_table_privilege(caller, relation, 'SELECT') AND NOT automation._hides_rows(relation, caller);
COMMENT ON FUNCTION automation._may_see(regrole, regclass) IS 'Whether the role may read every row of a table';

CREATE FUNCTION automation._may_see(relation regclass) RETURNS boolean
LANGUAGE sql STABLE
RETURN has_table_privilege(relation, 'SELECT') AND NOT row_security_active(relation);
COMMENT ON FUNCTION automation._may_see(regclass) IS 'Whether the current user may read every row of a table: cheap enough to be asked for each row of a view';

CREATE FUNCTION automation._is_readable(reader regrole, relation regclass) RETURNS boolean
LANGUAGE sql STABLE
-- A table that is gone has nobody left who may read it but who may read everything here.
RETURN coalesce(automation._may_see(reader, relation), has_table_privilege(reader, 'automation.run', 'SELECT'));
COMMENT ON FUNCTION automation._is_readable(regrole, regclass) IS 'Whether a role may see values of any row of a table';

CREATE FUNCTION automation._is_readable(relation regclass) RETURNS boolean
LANGUAGE sql STABLE
RETURN coalesce(automation._may_see(relation), has_table_privilege('automation.run', 'SELECT'));
COMMENT ON FUNCTION automation._is_readable(regclass) IS 'Whether the current user may see values of any row of a table';

CREATE FUNCTION automation._readable_reason(is_readable boolean, status text, reason text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
	WHEN is_readable THEN reason
	WHEN status IN ('failed', 'dead') AND reason IS NOT NULL THEN concat(substring(reason FROM '^step [0-9]+: '), 'error, not shown without SELECT on the table')
	ELSE coalesce(substring(reason FROM '^(?:step [0-9]+: )?field .*? changed'), reason)
END;
COMMENT ON FUNCTION automation._readable_reason(boolean, text, text) IS 'A reason without the values of columns that PostgreSQL''s messages and changes of fields have in them, unless the reader may read the table';

CREATE FUNCTION automation._readable_reason(reader regrole, relation regclass, status text, reason text) RETURNS text
LANGUAGE sql STABLE
RETURN automation._readable_reason(automation._is_readable(reader, relation), status, reason);
COMMENT ON FUNCTION automation._readable_reason(regrole, regclass, text, text) IS 'A reason as a role may read it';

-- A function, so that the cost of a look at one run does not depend on what PostgreSQL thinks of tables
-- that were never analyzed: it would compile the query (jit), which takes longer than to execute it.
CREATE FUNCTION automation._steps_now(run_id bigint)
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
LANGUAGE C STABLE ROWS 3 COST 500 AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation._steps_now(bigint) IS 'Steps of a run as they stand now: what was known at commit, and what the worker has done since. What they wrote and why they failed is for those who may read the table';

CREATE FUNCTION automation.__steps_now(caller regrole, run_id bigint)
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
LANGUAGE plpgsql STABLE ROWS 3
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT
		(e.step ->> 'step')::smallint,
		coalesce((
			SELECT v.steps -> (n.number - 1) ->> 'action' FROM automation.rule_version AS v
			WHERE v.rule_id = run.rule_id AND v.version = n.version), s.step ->> 'action'),
		t.status,
		automation._readable_reason(o.is_readable, t.status, coalesce(d.reason, s.step ->> 'reason')),
		s.step ->> 'sqlstate',
		CASE WHEN o.is_readable THEN automation._without_trace(s.step -> 'result') END,
		d.deliveries,
		coalesce(d.next_at, nullif(p.due_at, 'infinity')),
		coalesce(d.last_at, l.at)
	FROM automation.run
	CROSS JOIN LATERAL (
		SELECT automation._is_readable(caller, (SELECT e.relation FROM automation.entity AS e WHERE e.id = run.entity_id)) AS is_readable
		OFFSET 0 -- asked once
	) AS o
	CROSS JOIN jsonb_array_elements(run.steps) AS e(step)
	-- A run that went over to a later version may have other numbers there.
	LEFT JOIN LATERAL automation._moved_to(run.id, (e.step -> 'step')::smallint) AS n ON e.step ->> 'status' = 'waiting'
	LEFT JOIN LATERAL (
		SELECT r.at, r.record
		FROM automation.step_run AS r
		WHERE r.run_id = run.id AND r.step = n.number
		ORDER BY r.at DESC
		LIMIT 1
	) AS l ON e.step ->> 'status' = 'waiting'
	CROSS JOIN LATERAL (
		SELECT CASE WHEN l.at IS NULL THEN e.step
			ELSE l.record || jsonb_build_object('step', e.step -> 'step', 'action', e.step -> 'action') END
	) AS s(step)
	LEFT JOIN automation.pending AS p ON s.step ->> 'status' = 'waiting' AND p.entity_id = run.entity_id AND p.key = run.key
		AND p.run_id = run.id AND p.step = n.number
	LEFT JOIN LATERAL automation._deliveries_now(s.step -> 'deliveries') AS d ON true
	CROSS JOIN LATERAL (
		SELECT coalesce((automation._statuses())[d.worst], s.step ->> 'status')
	) AS t(status)
	WHERE run.id = __steps_now.run_id;
END
$$;
COMMENT ON FUNCTION automation.__steps_now(regrole, bigint) IS 'automation._steps_now()';

CREATE FUNCTION automation._may_go_on(steps jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN steps @? '$[*] ? (@.status == "waiting" || exists (@.deliveries))';
COMMENT ON FUNCTION automation._may_go_on(jsonb) IS 'Whether more may have become of steps than was known at commit';

CREATE FUNCTION automation._elements(steps jsonb) RETURNS SETOF jsonb
LANGUAGE internal IMMUTABLE STRICT ROWS 3 AS 'jsonb_array_elements';
COMMENT ON FUNCTION automation._elements(jsonb) IS 'jsonb_array_elements() of which PostgreSQL does not expect a hundred: it would compile (jit) each query of the log';

-- Becomes part of the query that calls it, so that a log of runs that are over is read without any call.
CREATE FUNCTION automation._steps_of(run_id bigint, steps jsonb, relation regclass)
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
LANGUAGE sql STABLE ROWS 3
BEGIN ATOMIC
	SELECT
		(e.step ->> 'step')::smallint,
		e.step ->> 'action',
		e.step ->> 'status',
		automation._readable_reason(automation._is_readable(relation), e.step ->> 'status', e.step ->> 'reason'),
		e.step ->> 'sqlstate',
		CASE WHEN automation._is_readable(relation) THEN automation._without_trace(e.step -> 'result') END,
		NULL::bigint[], NULL::timestamptz, NULL::timestamptz
	FROM automation._elements(steps) AS e(step)
	WHERE NOT automation._may_go_on(steps)
	UNION ALL
	SELECT n.* FROM automation._steps_now(run_id) AS n WHERE automation._may_go_on(steps);
END;
COMMENT ON FUNCTION automation._steps_of(bigint, jsonb, regclass) IS 'automation._steps_now(), for the tenth of its cost where nothing more may have become of the run';

CREATE VIEW automation._step AS
SELECT u.id AS run_id, s.*
FROM automation.run AS u
LEFT JOIN automation.entity AS e ON e.id = u.entity_id
CROSS JOIN LATERAL automation._steps_of(u.id, u.steps, e.relation) AS s;
COMMENT ON VIEW automation._step IS 'Steps of runs as they stand now: what was known at commit, and what the worker has done since';

CREATE VIEW automation.execution_log AS
SELECT
	u.id,
	u.at,
	coalesce(r.name, v.name) AS rule,
	e.relation,
	u.key,
	u.event,
	s.status,
	automation._status_icon(s.status) AS icon,
	automation._readable_reason(automation._is_readable(e.relation), s.status, automation._with_names(coalesce(u.reason, s.reasons -> s.status ->> 0))) AS reason,
	u.sqlstate,
	-- Old and new values are for those who may read the table, and whom no policy keeps from a row.
	CASE WHEN automation._may_see(e.relation) THEN u.changes END AS changes,
	jsonb_array_length(u.steps) AS steps,
	coalesce(s.last_at, u.at) AS last_at,
	s.next_at,
	u.rule_id,
	u.version,
	u.depth,
	u.cause,
	u.actor
FROM automation.run AS u
LEFT JOIN automation.rule AS r ON r.id = u.rule_id
LEFT JOIN automation.rule_version AS v ON v.rule_id = u.rule_id AND v.version = u.version
LEFT JOIN automation.entity AS e ON e.id = u.entity_id
CROSS JOIN LATERAL (
	SELECT coalesce((automation._statuses())[min(array_position(automation._statuses(), p.status)) FILTER (WHERE p.status <> 'not_run')], u.status) AS status,
		jsonb_object_agg(p.status, p.reasons) AS reasons,
		max(p.last_at) AS last_at,
		min(p.next_at) AS next_at
	FROM (
		SELECT t.status, max(t.last_at) AS last_at, min(t.next_at) AS next_at,
			jsonb_agg(format('step %s: %s', t.step, t.reason) ORDER BY t.step) FILTER (WHERE t.reason IS NOT NULL) AS reasons
		FROM automation._steps_of(u.id, u.steps, e.relation) AS t
		GROUP BY t.status
	) AS p
) AS s;
COMMENT ON VIEW automation.execution_log IS 'Every run of every rule, and how it stands now';
COMMENT ON COLUMN automation.execution_log.id IS 'Number of the run';
COMMENT ON COLUMN automation.execution_log.at IS 'When the rule fired';
COMMENT ON COLUMN automation.execution_log.rule IS 'What the rule is called now, or was called when it was dropped';
COMMENT ON COLUMN automation.execution_log.status IS 'Worst of its steps: succeeded, failed, waiting, delivering, retrying, dead, cancelled, suppressed, not_run';
COMMENT ON COLUMN automation.execution_log.event IS 'created, updated, deleted; due: a time came; fired: by automation.fire(); started: by a step of another rule; activated: for all rows';
COMMENT ON COLUMN automation.execution_log.reason IS 'Why it is not succeeded; the text of an error, and values of columns, only for who may read every row of the table';
COMMENT ON COLUMN automation.execution_log.changes IS 'Columns the trigger watches, each with its old and new value; null for whoever may not read every row of the table';
COMMENT ON COLUMN automation.execution_log.cause IS 'The run that wrote what fired this one';
COMMENT ON COLUMN automation.execution_log.icon IS 'The status as a sign';
COMMENT ON COLUMN automation.execution_log.steps IS 'How many steps it has';
COMMENT ON COLUMN automation.execution_log.last_at IS 'When something of it was last done';
COMMENT ON COLUMN automation.execution_log.next_at IS 'When something of it is due next';
COMMENT ON COLUMN automation.execution_log.version IS 'What the rule said: automation.rule_history';

CREATE VIEW automation.step_log AS
SELECT
	u.id AS run_id,
	u.at,
	coalesce(r.name, v.name) AS rule,
	e.relation,
	u.key,
	s.step,
	s.action,
	s.status,
	automation._status_icon(s.status) AS icon,
	automation._with_names(s.reason) AS reason,
	s.sqlstate,
	s.result,
	coalesce(s.deliveries, '{}') AS deliveries,
	s.last_at,
	s.next_at
FROM automation.run AS u
LEFT JOIN automation.rule AS r ON r.id = u.rule_id
LEFT JOIN automation.rule_version AS v ON v.rule_id = u.rule_id AND v.version = u.version
LEFT JOIN automation.entity AS e ON e.id = u.entity_id
CROSS JOIN LATERAL automation._steps_of(u.id, u.steps, e.relation) AS s;
COMMENT ON VIEW automation.step_log IS 'Every step of every run, and how it stands now';
COMMENT ON COLUMN automation.step_log.result IS 'What a step in the database wrote; null for whoever may not read every row of the table';
COMMENT ON COLUMN automation.step_log.deliveries IS 'Numbers of its messages in automation.deliveries';
COMMENT ON COLUMN automation.step_log.run_id IS 'Run in automation.execution_log';
COMMENT ON COLUMN automation.step_log.rule IS 'What the rule is called now, or was called when it was dropped';
COMMENT ON COLUMN automation.step_log.step IS 'Counted from 1';
COMMENT ON COLUMN automation.step_log.action IS 'What it does';
COMMENT ON COLUMN automation.step_log.status IS 'succeeded, failed, waiting, delivering, retrying, dead, cancelled, suppressed, ...';
COMMENT ON COLUMN automation.step_log.icon IS 'The status as a sign';
COMMENT ON COLUMN automation.step_log.reason IS 'Why it is not succeeded; the text of an error, and values of columns, only for who may read every row of the table';
COMMENT ON COLUMN automation.step_log.sqlstate IS 'Code of the error';
COMMENT ON COLUMN automation.step_log.last_at IS 'When something of it was last done';
COMMENT ON COLUMN automation.step_log.next_at IS 'When something of it is due next';

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

CREATE FUNCTION automation._row_query(relation regclass, answer text DEFAULT 'pg_catalog.to_jsonb(t)') RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT format('SELECT %s FROM %s AS t, pg_catalog.jsonb_to_record($1) AS k (%s) WHERE %s',
		answer,
		relation,
		string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '),
		string_agg(format('t.%1$I %2$s k.%1$I', a.attname, automation._type_operator('=', a.atttypid::regtype)), ' AND '))
	FROM unnest(automation._key(relation)) AS c
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relation AND a.attname = c;
END;
COMMENT ON FUNCTION automation._row_query(regclass, text) IS 'Query for the row t whose key is the jsonb object $1';

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
		PERFORM automation._fail('P0002', format('table "%s" has no row with the key %s', relation, key),
			hint => format('Its key is %s.', automation._list(automation._key(relation))));
	END IF;
	RETURN answer;
END
$$;
COMMENT ON FUNCTION automation._row(regclass, text) IS 'A row of an attached table by its key, as it is now';

CREATE FUNCTION automation._place(entity_id integer, key text) RETURNS TABLE (table_id oid, place tid)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation regclass := (SELECT e.relation FROM automation.entity AS e WHERE e.id = entity_id);
	owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = relation);
	answer jsonb := automation._ask(owner,
		automation._row_query(relation, 'pg_catalog.jsonb_build_array(t.tableoid::text, t.ctid::text)') || ' FOR NO KEY UPDATE OF t',
		automation._key_json(relation, key));
BEGIN
	RETURN QUERY SELECT (answer ->> 0)::oid, (answer ->> 1)::tid WHERE answer IS NOT NULL;
END
$$;
COMMENT ON FUNCTION automation._place(integer, text) IS 'Where a row of an attached table is, by its key; locks it, so that it stays there';

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
SET jit = off
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
		CASE WHEN l.id IS NOT NULL THEN l.reason
			WHEN plan.due_at IS NOT NULL THEN 'waits for its time'
			ELSE coalesce(p.problem, CASE r.state WHEN 'active' THEN 'has not applied to this row'
				WHEN 'draft' THEN 'rule is a draft' ELSE 'rule is ' || r.state END) END,
		l.last_at, least(l.next_at, plan.due_at), l.id
	FROM automation.rule AS r
	JOIN automation._rule_problem AS p ON p.rule_id = r.id
	JOIN automation.entity AS e ON e.relation = r.relation
	LEFT JOIN LATERAL (
		-- Of a rule that sets itself off, the run that did so, and not the one that was cut.
		SELECT max(u.id) AS id
		FROM automation.run AS u
		WHERE u.entity_id = e.id AND u.key = item AND u.rule_id = r.id
			AND (u.status <> 'suppressed' OR NOT EXISTS (
				SELECT FROM automation.run AS c WHERE c.id = u.cause AND c.rule_id = u.rule_id AND c.key = u.key))
	) AS last ON true
	LEFT JOIN automation.execution_log AS l ON l.id = last.id
	LEFT JOIN LATERAL (
		SELECT p.due_at
		FROM automation.pending AS p
		WHERE p.entity_id = e.id AND p.key = item AND p.rule_id = r.id AND p.step = 0
			AND NOT EXISTS (SELECT FROM automation._ended_by(e.id, item, r.id, NULL, p.id, '{}'))
		ORDER BY p.id DESC
		LIMIT 1
	) AS plan ON true
	CROSS JOIN LATERAL (
		SELECT coalesce(l.status, CASE WHEN plan.due_at IS NULL THEN 'not_run' ELSE 'waiting' END)
	) AS s(status)
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

CREATE FUNCTION automation._holds(owner regrole, search_path text, function regprocedure, conjunct integer, relation regclass, old_row jsonb, new_row jsonb)
RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_holds';
COMMENT ON FUNCTION automation._holds(regrole, text, regprocedure, integer, regclass, jsonb, jsonb)
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
	FOR c IN SELECT f.* FROM automation._conjuncts(function) WITH ORDINALITY AS f(query, columns, is_change, number) LOOP
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
				holds := automation._holds(
					rule.owner, rule.search_path, function, c.number::integer, rule.event_relation, record, record);
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
	SELECT 'rule', 'can run', automation._problem((rule).id) IS NULL, NULL, automation._problem((rule).id)
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
