-- Trying: something is done in earnest and looked at, in a subtransaction that is rolled back.

-- What the engine asks about its own transaction

CREATE FUNCTION automation._own_due(since bigint, until timestamptz) RETURNS SETOF automation._task
LANGUAGE sql
BEGIN ATOMIC
	SELECT (automation._task(p.place, p.pending)).*
	FROM (
		SELECT d.ctid AS place, d AS pending
		FROM automation.pending AS d
		WHERE d.due_at <= until AND d.id > since AND automation._is_own(d.xmin)
		ORDER BY d.due_at, d.id
		LIMIT 1
	) AS p;
END;
COMMENT ON FUNCTION automation._own_due(bigint, timestamptz) IS 'What this transaction has planned since that number, and is due first';

CREATE FUNCTION automation._own_touched(since bigint) RETURNS SETOF automation._task
LANGUAGE sql
BEGIN ATOMIC
	SELECT (automation._task(p.ctid, p)).*
	FROM automation.pending AS p
	WHERE p.id > since AND automation._is_own(p.xmin) AND EXISTS (
		SELECT FROM automation.touch AS t
		WHERE t.entity_id = p.entity_id AND t.key = p.key AND t.id > coalesce(p.run_id, p.id) AND automation._is_own(t.xmin));
END;
COMMENT ON FUNCTION automation._own_touched(bigint) IS 'What this transaction has planned since that number, and touched';

CREATE FUNCTION automation._own_runs(since bigint) RETURNS bigint[]
LANGUAGE sql STABLE
RETURN ARRAY(SELECT u.id FROM automation.run AS u WHERE u.id > since AND automation._is_own(u.xmin) ORDER BY u.id);
COMMENT ON FUNCTION automation._own_runs(bigint) IS 'Runs of this transaction since that number';

CREATE FUNCTION automation._own_events(since bigint) RETURNS bigint[]
LANGUAGE sql STABLE
RETURN ARRAY(SELECT e.id FROM automation.event AS e WHERE e.id > since AND automation._is_own(e.xmin) ORDER BY e.id);
COMMENT ON FUNCTION automation._own_events(bigint) IS 'Changes of rows of this transaction since that number';

CREATE FUNCTION automation._planned_nodes(caller regrole, since bigint) RETURNS SETOF automation._node
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'pending ' || p.id, (
			SELECT 'event ' || max(e.id) FROM automation.event AS e
			WHERE e.key = coalesce(p.source_key, p.key) AND e.id < p.id AND e.id > since AND automation._is_own(e.xmin)
			HAVING max(e.id) IS NOT NULL),
		p.id, format('⏳ rule "%s" is to begin at %s', r.name, p.due_at),
		'due', r.name, r.relation, p.key, 'waiting', NULL, jsonb_build_object('due', p.due_at)
	FROM automation.pending AS p
	JOIN automation.rule AS r ON r.id = p.rule_id
	WHERE p.id > since AND p.step = 0 AND automation._is_own(p.xmin)
	UNION ALL
	SELECT format('ended %s', p.id), NULL, 2000000000000000000,
		format('rule "%s" step %s for %s %s, due %s, is cancelled: %s', r.name, p.step, r.relation, p.key, p.due_at, t.reason),
		'cancelled', r.name, r.relation, p.key, 'cancelled', t.reason, jsonb_build_object('run', p.run_id, 'step', p.step, 'due', p.due_at)
	FROM automation.pending AS p
	JOIN automation.rule AS r ON r.id = p.rule_id
	JOIN automation._wait AS w ON w.rule_id = p.rule_id AND w.version = p.version AND w.step = p.step
	CROSS JOIN LATERAL (
		SELECT automation._readable_reason(caller, r.relation, 'cancelled', automation._ended_by(p.entity_id, p.key, p.rule_id,
			p.run_id, coalesce(p.run_id, p.id), CASE WHEN w.by_difference THEN '{}' ELSE coalesce(w.cancelled_by, '{}') END))
	) AS t(reason)
	WHERE p.id < since AND t.reason IS NOT NULL AND EXISTS (
		SELECT FROM automation.touch AS o
		WHERE o.entity_id = p.entity_id AND (o.key = p.key OR o.key IS NULL) AND o.id > since AND automation._is_own(o.xmin));
END;
COMMENT ON FUNCTION automation._planned_nodes(regrole, bigint) IS 'Nodes of runs that are to begin later, and of steps of earlier runs that are cancelled';

-- whatif()

CREATE FUNCTION automation.whatif(commands text, advance interval DEFAULT '0')
RETURNS TABLE (tree text, part text, rule text, relation regclass, key text, status text, reason text, detail jsonb)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_whatif';
COMMENT ON FUNCTION automation.whatif(text, interval)
	IS 'Executes SQL with the rights of the caller, shows what it sets off as a tree, and rolls all of it back. advance: what comes due in that time is done too';

CREATE FUNCTION automation._whatif_tree(caller regrole, since bigint, outcome text)
RETURNS TABLE (tree text, part text, rule text, relation regclass, key text, status text, reason text, detail jsonb)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	nodes automation._node[] := ARRAY(
		SELECT n FROM automation._nodes(caller, automation._own_runs(since), automation._own_events(since)) AS n
		UNION ALL
		SELECT n FROM automation._planned_nodes(caller, since) AS n);
BEGIN
	-- What is planned is told once.
	nodes := ARRAY(SELECT n FROM unnest(nodes) AS n WHERE NOT (n.part = 'rule' AND n.reason LIKE 'it is to begin at %'));
	RETURN QUERY
	SELECT outcome, 'statement', NULL::text, NULL::regclass, NULL::text, NULL::text, NULL::text, NULL::jsonb
	UNION ALL
	SELECT d.tree, (d.node).part, (d.node).rule, (d.node).relation, (d.node).key, (d.node).status, (d.node).reason, (d.node).detail
	FROM automation._draw(nodes) AS d;
END
$$;
COMMENT ON FUNCTION automation._whatif_tree(regrole, bigint, text) IS 'What this transaction has set off since that number';

CREATE FUNCTION automation._refused_tree(refusal jsonb)
RETURNS TABLE (tree text, part text, rule text, relation regclass, key text, status text, reason text, detail jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'refused', 'statement', NULL::text, NULL::regclass, NULL::text, NULL::text, NULL::text, NULL::jsonb
	UNION ALL
	SELECT format('%s guard "%s" refuses: %s (%s)', automation._status_icon('failed'), refusal ->> 'guard', refusal ->> 'message', refusal ->> 'sqlstate'),
		'guard', refusal ->> 'guard', (SELECT r.event_relation FROM automation.rule AS r WHERE r.name = refusal ->> 'guard'), NULL, 'failed',
		refusal ->> 'message', jsonb_build_object('sqlstate', refusal -> 'sqlstate', 'hint', nullif(refusal ->> 'hint', ''));
END;
COMMENT ON FUNCTION automation._refused_tree(jsonb) IS 'What whatif() shows when a guard has refused: which one, and what it said';

CREATE FUNCTION automation.watch(commands text)
RETURNS TABLE (tree text, part text, rule text, relation regclass, key text, status text, reason text, detail jsonb)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_watch';
COMMENT ON FUNCTION automation.watch(text) IS 'Executes SQL with the rights of the caller, and shows what it has set off as a tree; unlike whatif(), it is done';

CREATE FUNCTION automation._forget_events(since bigint) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM automation.event AS e WHERE e.id > since AND automation._is_own(e.xmin);
END;
COMMENT ON FUNCTION automation._forget_events(bigint) IS 'What was noted for watch() alone';

-- test_rule()

CREATE TABLE automation.test_run (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT automation._now(),
	rule_id integer NOT NULL,
	rule text NOT NULL,
	version integer NOT NULL,
	rule_owner oid NOT NULL,
	state text NOT NULL,
	author text NOT NULL,
	sample jsonb,
	key text,
	fired boolean NOT NULL,
	status text NOT NULL,
	reason text,
	sqlstate text,
	steps jsonb NOT NULL,
	changes jsonb NOT NULL,
	tree text NOT NULL
);
COMMENT ON TABLE automation.test_run IS 'What test_rule() has found; never updated';
COMMENT ON COLUMN automation.test_run.id IS 'Number of the test run';
COMMENT ON COLUMN automation.test_run.at IS 'When';
COMMENT ON COLUMN automation.test_run.rule_id IS 'The rule';
COMMENT ON COLUMN automation.test_run.rule IS 'What it was called';
COMMENT ON COLUMN automation.test_run.version IS 'What it said: automation.rule_history';
COMMENT ON COLUMN automation.test_run.rule_owner IS 'Who may read it';
COMMENT ON COLUMN automation.test_run.state IS 'State of the rule: draft, active, ...';
COMMENT ON COLUMN automation.test_run.author IS 'Who tried it';
COMMENT ON COLUMN automation.test_run.sample IS 'Columns of the row it was tried on, or those that were changed';
COMMENT ON COLUMN automation.test_run.key IS 'Key of the row it was tried on; null: a new one';
COMMENT ON COLUMN automation.test_run.fired IS 'Whether its condition held';
COMMENT ON COLUMN automation.test_run.status IS 'As in automation.execution_log; not_run: it did not fire';
COMMENT ON COLUMN automation.test_run.reason IS 'Why it is not succeeded';
COMMENT ON COLUMN automation.test_run.sqlstate IS 'Code of the error that ended it';
COMMENT ON COLUMN automation.test_run.steps IS 'Array of {step, action, status, reason, due, result, messages: [{channel, recipient, message}]}';
COMMENT ON COLUMN automation.test_run.changes IS 'Rows of attached tables that were changed: array of {relation, key, event, changes}';
COMMENT ON COLUMN automation.test_run.tree IS 'The same as whatif() shows it';

CREATE VIEW automation.test_runs WITH (security_barrier) AS
SELECT t.id, t.at, t.rule, t.version, t.state, t.author, t.sample, t.key, t.fired, t.status, automation._status_icon(t.status) AS icon,
	t.reason, t.sqlstate, t.steps, t.changes, t.tree
FROM automation.test_run AS t
WHERE pg_has_role(t.rule_owner, 'USAGE') OR (SELECT automation._is_operator(quote_ident(current_user)::regrole));
COMMENT ON VIEW automation.test_runs IS 'Tests of your own rules and of roles you are a member of, or of all rules for an operator. Made by test_rule(), never changed';
COMMENT ON COLUMN automation.test_runs.icon IS 'The status as a sign';

CREATE FUNCTION automation.test_rule(
	rule text,
	sample jsonb DEFAULT NULL,
	key text DEFAULT NULL,
	advance interval DEFAULT '0')
RETURNS TABLE (
	test_run bigint,
	version integer,
	fired boolean,
	status text,
	icon text,
	reason text,
	steps jsonb,
	changes jsonb,
	tree text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_test_rule';
COMMENT ON FUNCTION automation.test_rule(text, jsonb, text, interval)
	IS 'Runs a rule, a draft too, for a row inserted from the sample, or for the row with that key (after changing it as the sample says), rolls all of it back, and keeps what it saw in automation.test_runs';

-- The parts of it that the engine calls, in this order; a request is the arguments, and what has been found out.

CREATE FUNCTION automation._sample_record(relation regclass, columns text[], record jsonb, alias text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT format('pg_catalog.jsonb_to_record(%L::pg_catalog.jsonb) AS %I (%s)', record, alias,
		string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum))
	FROM pg_catalog.pg_attribute AS a
	WHERE a.attrelid = relation AND a.attname = ANY (columns);
END;
COMMENT ON FUNCTION automation._sample_record(regclass, text[], jsonb, text) IS 'SQL for a FROM clause with columns of a table, their values from JSON';

CREATE FUNCTION automation._sample_sql(relation regclass, sample jsonb, key text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text[] := ARRAY(SELECT jsonb_object_keys(sample) ORDER BY 1);
	key_columns text[] := automation._key(relation);
	list text := (SELECT string_agg(quote_ident(c), ', ' ORDER BY c) FROM unnest(columns) AS c);
BEGIN
	PERFORM automation._check_columns(relation, columns);
	IF key IS NOT NULL THEN
		RETURN format('UPDATE %s AS t SET %s FROM %s, %s WHERE %s', relation,
			(SELECT string_agg(format('%1$I = s.%1$I', c), ', ' ORDER BY c) FROM unnest(columns) AS c),
			automation._sample_record(relation, columns, sample, 's'),
			automation._sample_record(relation, key_columns, automation._key_json(relation, key), 'k'),
			(
				SELECT string_agg(format('t.%1$I %2$s k.%1$I', a.attname, automation._type_operator('=', a.atttypid::regtype)), ' AND ')
				FROM pg_attribute AS a
				WHERE a.attrelid = relation AND a.attname = ANY (key_columns)));
	ELSIF columns = '{}' THEN
		RETURN format('INSERT INTO %s DEFAULT VALUES', relation);
	END IF;
	RETURN format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s', relation, list, list,
		automation._sample_record(relation, columns, sample, 's'));
END
$$;
COMMENT ON FUNCTION automation._sample_sql(regclass, jsonb, text) IS 'Statement that writes a sample: a new row, or columns of the row with the key';

CREATE FUNCTION automation._test_plan(caller regrole, request jsonb) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tested automation.rule := automation._rule(request ->> 'rule');
	version automation.rule_version := automation._version(tested.id, tested.version);
	sample jsonb := nullif(request -> 'sample', 'null');
	key text := request ->> 'key';
BEGIN
	IF NOT pg_has_role(caller, tested.owner, 'USAGE') THEN
		PERFORM automation._fail('42501', format('must be owner of rule "%s"', tested.name));
	ELSIF automation._problem(tested.id) IS NOT NULL THEN
		PERFORM automation._fail('55000', format('rule "%s" cannot run', tested.name),
			format('The reason is: %s.', automation._problem(tested.id)), 'Use automation.alter_rule().');
	END IF;
	-- What is no object is a key.
	IF jsonb_typeof(sample) IN ('number', 'string') AND key IS NULL THEN
		key := sample #>> '{}';
		sample := NULL;
	END IF;
	IF jsonb_typeof(sample) <> 'object' THEN
		PERFORM automation._fail('22023', 'sample must be a JSON object', hint => 'Its keys are columns of the table.');
	ELSIF sample IS NULL AND key IS NULL AND NOT coalesce(version.timing ? 'cron', false) THEN
		PERFORM automation._fail('22004', 'either a sample or a key must be given');
	ELSIF key IS NOT NULL THEN
		PERFORM automation._check_reader(caller, tested.event_relation);
		PERFORM automation._row(tested.event_relation, key);
	END IF;
	RETURN request || jsonb_build_object('id', tested.id, 'version', tested.version, 'state', tested.state, 'author', caller::text,
		'author_id', caller::oid::bigint, 'sample', sample, 'key', key,
		'is_fired', sample IS NULL OR version.events = '{}',
		'commands', CASE WHEN sample IS NOT NULL AND (key IS NULL OR sample <> '{}')
			THEN automation._sample_sql(tested.event_relation, sample, key) END);
END
$$;
COMMENT ON FUNCTION automation._test_plan(regrole, jsonb) IS 'Checks a call of test_rule() and completes it: the number of the rule, and what is to be executed in the name of the caller';

CREATE FUNCTION automation._test_begin(request jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	UPDATE automation.rule AS r SET state = 'active' WHERE r.id = (request -> 'id')::integer AND r.state <> 'active';
END;
COMMENT ON FUNCTION automation._test_begin(jsonb) IS 'For the time of a test a rule is active';

CREATE FUNCTION automation._test_fire(request jsonb, since bigint) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tested automation.rule := automation._rule(request ->> 'rule');
	record jsonb;
BEGIN
	IF NOT (request -> 'is_fired')::boolean THEN
		RETURN NULL;
	ELSIF request ->> 'key' IS NOT NULL THEN
		record := automation._row(tested.event_relation, request ->> 'key');
	ELSE
		-- The row that the sample has become.
		SELECT e.new_row INTO record
		FROM automation.event AS e
		WHERE e.id > since AND e.cause IS NULL AND e.entity_id = (automation._entity(tested.event_relation)).id
			AND automation._is_own(e.xmin)
		ORDER BY e.id
		LIMIT 1;
	END IF;
	RETURN automation._fire_rule(tested.id, coalesce(record, '{}'));
END
$$;
COMMENT ON FUNCTION automation._test_fire(jsonb, bigint) IS 'Fires the tested rule where no change does';

CREATE FUNCTION automation._test_messages(deliveries bigint[]) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT jsonb_agg(jsonb_build_object('channel', v.channel, 'kind', v.kind, 'recipient', v.recipient, 'message', d.message - 'recipient', 'at', d.at) ORDER BY d.id)
	FROM automation.delivery AS d
	CROSS JOIN LATERAL (SELECT s.* FROM automation._delivery_now AS s WHERE s.id = d.id OFFSET 0) AS v
	WHERE d.id = ANY (deliveries)
);
COMMENT ON FUNCTION automation._test_messages(bigint[]) IS 'Messages of a step, as they were rendered';

CREATE FUNCTION automation._test_steps(caller regrole, run_id bigint) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('step', s.step, 'action', s.action, 'status', s.status,
		'reason', automation._readable_reason(caller, e.relation, s.status, automation._with_names(s.reason)), 'sqlstate', s.sqlstate,
		'due', s.next_at, 'result', CASE WHEN automation._may_see(caller, e.relation) THEN s.result END,
		'messages', automation._test_messages(s.deliveries))) ORDER BY s.step), '[]')
	FROM automation._step AS s
	JOIN automation.run AS u ON u.id = s.run_id
	LEFT JOIN automation.entity AS e ON e.id = u.entity_id
	WHERE s.run_id = _test_steps.run_id
);
COMMENT ON FUNCTION automation._test_steps(regrole, bigint) IS 'Steps of a run as automation.test_run keeps them';

CREATE FUNCTION automation._test_tree(caller regrole, since bigint) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
	SELECT string_agg(t.tree, E'\n')
	FROM automation._whatif_tree(caller, since, '') AS t
	WHERE t.tree <> '';
END;
COMMENT ON FUNCTION automation._test_tree(regrole, bigint) IS 'The tree as one text';

CREATE FUNCTION automation._test_silence(caller regrole, request jsonb, since bigint) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tested automation.rule := automation._rule(request ->> 'rule');
	event automation.event;
	plan timestamptz;
BEGIN
	SELECT p.due_at INTO plan FROM automation.pending AS p
	WHERE p.id > since AND p.rule_id = tested.id AND p.step = 0 AND automation._is_own(p.xmin)
	ORDER BY p.id DESC LIMIT 1;
	IF plan IS NOT NULL THEN
		RETURN format('it is to begin at %s', plan);
	END IF;
	SELECT e.* INTO event FROM automation.event AS e
	WHERE e.id > since AND e.cause IS NULL AND automation._is_own(e.xmin)
	ORDER BY e.id LIMIT 1;
	IF (request -> 'is_fired')::boolean THEN
		event.event := 'fired';
		event.old_row := NULL;
		event.new_row := coalesce(event.new_row, automation._row(tested.event_relation, request ->> 'key'));
	END IF;
	RETURN automation._did_not(caller, tested, event);
END
$$;
COMMENT ON FUNCTION automation._test_silence(regrole, jsonb, bigint) IS 'Why the tested rule did not run';

CREATE FUNCTION automation._test_report(request jsonb, since bigint) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	caller regrole := (request ->> 'author_id')::oid::regrole;
	log automation.execution_log;
	silence text;
BEGIN
	SELECT l.* INTO log FROM automation.execution_log AS l
	WHERE l.id = ANY (automation._own_runs(since)) AND l.rule_id = (request -> 'id')::integer
	ORDER BY l.id LIMIT 1;
	IF log.id IS NULL THEN
		silence := automation._test_silence(caller, request, since);
	END IF;
	RETURN jsonb_build_object(
		'fired', log.id IS NOT NULL,
		'status', coalesce(log.status, CASE WHEN silence LIKE 'it is to begin at %' THEN 'waiting' ELSE 'not_run' END),
		'reason', CASE WHEN log.id IS NULL THEN silence ELSE automation._readable_reason(caller, log.relation, log.status, log.reason) END,
		'sqlstate', log.sqlstate,
		'steps', automation._test_steps(caller, log.id),
		'changes', (
			SELECT coalesce(jsonb_agg(jsonb_build_object('relation', n.relation, 'key', n.key, 'event', n.status, 'changes',
				CASE n.status WHEN 'updated' THEN n.detail -> 'changes' WHEN 'created' THEN n.detail -> 'new' ELSE n.detail -> 'old' END) ORDER BY n.place), '[]')
			FROM automation._event_nodes(caller, automation._own_runs(since), automation._own_events(since)) AS n
			WHERE n.parent IS NOT NULL),
		'tree', automation._test_tree(caller, since));
END
$$;
COMMENT ON FUNCTION automation._test_report(jsonb, bigint) IS 'What a test has seen, before it is undone';

CREATE FUNCTION automation._test_keep(request jsonb, report jsonb, error text, sqlstate text, refusal jsonb) RETURNS automation.test_runs
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	kept automation.test_runs;
	number bigint;
BEGIN
	INSERT INTO automation.test_run (rule_id, rule, version, rule_owner, state, author, sample, key,
		fired, status, reason, sqlstate, steps, changes, tree)
	SELECT r.id, r.name, r.version, r.owner, request ->> 'state', request ->> 'author', nullif(request -> 'sample', 'null'), request ->> 'key',
		coalesce((report -> 'fired')::boolean, refusal ->> 'guard' = r.name, false), coalesce(report ->> 'status', 'failed'),
		coalesce(report ->> 'reason', format('guard "%s" refuses: ', refusal ->> 'guard') || (refusal ->> 'message'), error),
		coalesce(report ->> 'sqlstate', _test_keep.sqlstate),
		coalesce(report -> 'steps', CASE WHEN refusal ->> 'guard' = r.name THEN jsonb_build_array(jsonb_strip_nulls(jsonb_build_object('step', 1, 'action', 'refuse',
			'status', 'failed', 'reason', refusal -> 'message', 'sqlstate', refusal -> 'sqlstate', 'hint', nullif(refusal ->> 'hint', '')))) END, '[]'),
		coalesce(report -> 'changes', '[]'),
		coalesce(report ->> 'tree', (SELECT t.tree FROM automation._refused_tree(refusal) AS t WHERE t.part = 'guard' AND refusal IS NOT NULL), '')
	FROM automation.rule AS r
	WHERE r.id = (request -> 'id')::integer
	RETURNING id INTO number;
	SELECT t.* INTO kept FROM automation.test_runs AS t WHERE t.id = number;
	RETURN kept;
END
$$;
COMMENT ON FUNCTION automation._test_keep(jsonb, jsonb, text, text, jsonb) IS 'Keeps what a test has seen, or the error that ended it, and which guard it came from';
