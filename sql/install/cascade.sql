-- Runs as a tree: an event, the rules it fired, their steps and messages, the events those made.
-- Without JIT: the planner takes a run for one of thousands of steps, and would compile for seconds.

CREATE TYPE automation._node AS (
	id text,
	parent text,
	place bigint,
	line text,
	part text,
	rule text,
	relation regclass,
	key text,
	status text,
	reason text,
	detail jsonb
);
COMMENT ON TYPE automation._node IS 'A line of a tree: under which other line, where among its siblings, and what it says';

CREATE FUNCTION automation._draw(nodes automation._node[])
RETURNS TABLE (tree text, node automation._node)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH RECURSIVE listed AS (
		SELECT n AS node, row_number() OVER siblings AS number, count(*) OVER (PARTITION BY n.parent) AS of
		FROM unnest(nodes) AS n
		WINDOW siblings AS (PARTITION BY n.parent ORDER BY n.place, n.id)
	), drawn AS (
		SELECT l.node, ARRAY[l.number] AS path, ''::text AS margin, (l.node).line AS tree
		FROM listed AS l
		WHERE (l.node).parent IS NULL
		UNION ALL
		SELECT l.node, d.path || l.number,
			d.margin || CASE WHEN l.number = l.of THEN '   ' ELSE '│  ' END,
			d.margin || CASE WHEN l.number = l.of THEN '└─ ' ELSE '├─ ' END || (l.node).line
		FROM drawn AS d
		JOIN listed AS l ON (l.node).parent = (d.node).id
	)
	SELECT d.tree, d.node FROM drawn AS d ORDER BY d.path;
END;
COMMENT ON FUNCTION automation._draw(automation._node[]) IS 'Nodes in the order of their tree, each with its line as it stands in the drawing';

CREATE FUNCTION automation._message_text(message jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN jsonb_typeof(message -> 'body') = 'string'
	THEN concat_ws(': ', message ->> 'subject', message ->> 'body')
	ELSE concat_ws(' ', message ->> 'method', message -> 'body') END;
COMMENT ON FUNCTION automation._message_text(jsonb) IS 'What a message says, on one line';

CREATE FUNCTION automation._parents(runs bigint[], events bigint[]) RETURNS TABLE (run_id bigint, parent text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH happened AS (
		SELECT u.id, u.cause, u.event, true AS is_run FROM automation.run AS u WHERE u.id = ANY (runs)
		UNION ALL
		SELECT e.id, e.cause, e.event, false FROM automation.event AS e WHERE e.id = ANY (events)
	), ordered AS (
		-- Of those with one cause, each is over before the next begins.
		SELECT h.*, max(CASE WHEN NOT h.is_run THEN h.id END) OVER (PARTITION BY h.cause ORDER BY h.id) AS last_event FROM happened AS h
	), started AS (
		SELECT format('step %s %s', u.id, s.step ->> 'step') AS step, (s.step -> 'result' ->> 'run')::bigint AS run_id
		FROM automation.run AS u, jsonb_array_elements(u.steps) AS s(step)
		WHERE u.id = ANY (runs) AND s.step ->> 'action' = 'start_rule'
	)
	SELECT o.id, coalesce(s.step, 'event ' || e.id, 'run ' || c.id)
	FROM ordered AS o
	LEFT JOIN started AS s ON s.run_id = o.id
	LEFT JOIN happened AS e ON e.id = o.last_event AND e.event = o.event
	LEFT JOIN happened AS c ON c.id = o.cause
	WHERE o.is_run;
END;
COMMENT ON FUNCTION automation._parents(bigint[], bigint[]) IS 'Node under which each run stands: the step that started it, the event that fired it, the run that caused it';

CREATE FUNCTION automation._run_nodes(caller regrole, runs bigint[], events bigint[]) RETURNS SETOF automation._node
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'run ' || u.id, p.parent, u.id,
		concat_ws(' ', nullif(l.icon, ''), format('rule "%s"', l.rule),
			CASE WHEN p.parent ~ '^(event|step) ' IS NOT TRUE THEN format('for %s %s (%s)', l.relation, l.key, u.event) END,
			l.status) || coalesce(': ' || y.reason, ''),
		'run', l.rule, l.relation, l.key, l.status, y.reason, jsonb_build_object('run', u.id, 'at', u.at)
	FROM automation._parents(runs, events) AS p
	JOIN automation.run AS u ON u.id = p.run_id
	JOIN automation.execution_log AS l ON l.id = u.id
	CROSS JOIN LATERAL (SELECT automation._readable_reason(caller, l.relation, l.status, l.reason)) AS y(reason);
END;
COMMENT ON FUNCTION automation._run_nodes(regrole, bigint[], bigint[]) IS 'Nodes of runs';

CREATE FUNCTION automation._step_nodes(caller regrole, runs bigint[]) RETURNS SETOF automation._node
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- Before the events that the run made, whose numbers are positive.
	SELECT format('step %s %s', u.id, s.step), 'run ' || u.id, s.step - 100000,
		concat_ws(' ', s.step, s.action, nullif(automation._status_icon(s.status), ''), s.status)
			|| CASE WHEN s.status = 'waiting' AND s.next_at IS NOT NULL THEN format(' until %s', s.next_at) ELSE '' END
			|| coalesce(': ' || y.reason, '')
			|| coalesce(' ' || CASE WHEN automation._may_see(caller, e.relation) THEN s.result::text END, ''),
		'step', v.name, e.relation, u.key, s.status, y.reason,
		jsonb_build_object('run', u.id, 'step', s.step, 'action', s.action, 'due', s.next_at, 'result',
			CASE WHEN automation._may_see(caller, e.relation) THEN s.result END)
	FROM automation.run AS u
	JOIN automation._step AS s ON s.run_id = u.id
	LEFT JOIN automation.entity AS e ON e.id = u.entity_id
	LEFT JOIN automation.rule_version AS v ON v.rule_id = u.rule_id AND v.version = u.version
	CROSS JOIN LATERAL (SELECT automation._readable_reason(caller, e.relation, s.status, automation._with_names(s.reason))) AS y(reason)
	WHERE u.id = ANY (runs);
END;
COMMENT ON FUNCTION automation._step_nodes(regrole, bigint[]) IS 'Nodes of the steps of runs';

CREATE FUNCTION automation._message_nodes(caller regrole, runs bigint[]) RETURNS SETOF automation._node
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'delivery ' || d.id, format('step %s %s', d.run_id, d.step), d.id,
		format('to %s through %s', v.recipient, d.channel) || CASE WHEN d.at <> u.at THEN format(' at %s', d.at) ELSE '' END
			|| coalesce(': ' || CASE WHEN automation._may_read_messages(caller, d.rule_owner) THEN automation._message_text(d.message) END, ''),
		'message', v.rule, NULL::regclass, NULL, v.state, v.reason,
		jsonb_build_object('channel', d.channel, 'kind', d.kind, 'recipient', v.recipient, 'at', d.at, 'message',
			CASE WHEN automation._may_read_messages(caller, d.rule_owner) THEN d.message - 'recipient' END)
	FROM automation.delivery AS d
	CROSS JOIN LATERAL (SELECT s.* FROM automation._delivery AS s WHERE s.id = d.id OFFSET 0) AS v
	JOIN automation.run AS u ON u.id = d.run_id
	WHERE d.id = ANY (automation._deliveries_of(runs))
	UNION ALL
	SELECT 'notification ' || n.id, 'run ' || n.run_id, -1,
		format('tells %s', n.recipient)
			|| coalesce(': ' || CASE WHEN automation._may_read_messages(caller, r.owner) THEN n.body END, ''),
		'notification', r.name, NULL, NULL, NULL, NULL,
		jsonb_build_object('recipient', n.recipient, 'body', CASE WHEN automation._may_read_messages(caller, r.owner) THEN n.body END)
	FROM automation.notification AS n
	JOIN automation.run AS u ON u.id = n.run_id
	JOIN automation.rule AS r ON r.id = u.rule_id
	WHERE n.run_id = ANY (runs);
END;
COMMENT ON FUNCTION automation._message_nodes(regrole, bigint[]) IS 'Nodes of what runs sent';

CREATE FUNCTION automation._event_nodes(caller regrole, runs bigint[], events bigint[]) RETURNS SETOF automation._node
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'event ' || v.id, (SELECT 'run ' || u FROM unnest(runs) AS u WHERE u = v.cause), v.id,
		concat_ws(' ', e.relation, v.key, v.event) || coalesce(': ' || CASE WHEN automation._may_see(caller, e.relation)
			THEN automation._changes_text(c.changes) END, ''),
		'event', NULL, e.relation, v.key, v.event, NULL,
		CASE WHEN automation._may_see(caller, e.relation) THEN
			jsonb_build_object('changes', c.changes, 'old', v.old_row, 'new', v.new_row) END
	FROM automation.event AS v
	JOIN automation.entity AS e ON e.id = v.entity_id
	CROSS JOIN LATERAL (
		SELECT CASE v.event WHEN 'updated' THEN automation._differences(v.old_row, v.new_row) END
	) AS c(changes)
	WHERE v.id = ANY (events);
END;
COMMENT ON FUNCTION automation._event_nodes(regrole, bigint[], bigint[]) IS 'Nodes of changes of rows';

CREATE FUNCTION automation._silent_nodes(caller regrole, runs bigint[], events bigint[]) RETURNS SETOF automation._node
LANGUAGE sql
BEGIN ATOMIC
	WITH fired AS MATERIALIZED (
		SELECT u.rule_id, p.parent FROM automation._parents(runs, events) AS p JOIN automation.run AS u ON u.id = p.run_id
	), shown AS (
		-- Reasons take time: a statement that changes thousands of rows has them for the first ones.
		SELECT v.id FROM automation.event AS v WHERE v.id = ANY (events) ORDER BY v.id LIMIT 50
	)
	-- Last under their event.
	SELECT format('rule %s of %s', r.id, v.id), 'event ' || v.id, 1000000000000000000 + r.position,
		format('rule "%s" did not fire: %s', r.name, w.reason),
		'rule', r.name, r.relation, v.key, 'not_run', w.reason, NULL::jsonb
	FROM shown AS s
	JOIN automation.event AS v ON v.id = s.id
	JOIN automation.entity AS e ON e.id = v.entity_id
	JOIN automation.rule AS r ON r.event_relation = e.relation
	CROSS JOIN LATERAL (
		SELECT coalesce(
			(
				SELECT format('it is to begin at %s', p.due_at)
				FROM automation.pending AS p
				WHERE p.rule_id = r.id AND p.step = 0 AND p.id > v.id AND coalesce(p.source_key, p.key) = v.key
				ORDER BY p.id LIMIT 1
			), automation._did_not(caller, r, v))
	) AS w(reason)
	WHERE NOT EXISTS (SELECT FROM fired AS f WHERE f.rule_id = r.id AND f.parent = 'event ' || v.id)
	ORDER BY r.position, r.id;
END;
COMMENT ON FUNCTION automation._silent_nodes(regrole, bigint[], bigint[]) IS 'Nodes of rules that did not run on an event, and why';

CREATE FUNCTION automation._nodes(caller regrole, runs bigint[], events bigint[]) RETURNS SETOF automation._node
LANGUAGE sql
BEGIN ATOMIC
	SELECT (n).* FROM automation._event_nodes(caller, runs, events) AS n
	UNION ALL SELECT (n).* FROM automation._run_nodes(caller, runs, events) AS n
	UNION ALL SELECT (n).* FROM automation._step_nodes(caller, runs) AS n
	UNION ALL SELECT (n).* FROM automation._message_nodes(caller, runs) AS n
	UNION ALL SELECT (n).* FROM automation._silent_nodes(caller, runs, events) AS n;
END;
COMMENT ON FUNCTION automation._nodes(regrole, bigint[], bigint[]) IS 'All there is to say of these runs, and of these events of the journal';

-- Of a run that was

CREATE FUNCTION automation.cascade(run bigint)
RETURNS TABLE (tree text, part text, rule text, relation regclass, key text, status text, reason text, detail jsonb)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.cascade(bigint)
	IS 'A run with all that led to it and all that it set off, as a tree; with the changes of rows between them if pg_automation.journal was on';

CREATE FUNCTION automation._cascade(caller regrole, run bigint)
RETURNS TABLE (tree text, part text, rule text, relation regclass, key text, status text, reason text, detail jsonb)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	root bigint;
	runs bigint[];
	events bigint[];
BEGIN
	WITH RECURSIVE up AS (
		SELECT u.id, u.cause FROM automation.run AS u WHERE u.id = _cascade.run
		UNION ALL
		SELECT u.id, u.cause FROM up JOIN automation.run AS u ON u.id = up.cause
	)
	SELECT min(up.id) INTO root FROM up;
	IF root IS NULL THEN
		PERFORM automation._fail('42704', format('run %s does not exist', run));
	END IF;
	-- An effect has a higher number than its cause.
	WITH RECURSIVE down AS (
		SELECT root AS id
		UNION ALL
		SELECT u.id FROM down JOIN automation.run AS u ON u.cause = down.id AND u.id > root
	)
	SELECT array_agg(d.id) INTO runs FROM down AS d;
	events := ARRAY(SELECT e.id FROM automation.event AS e WHERE e.cause = ANY (runs));
	events := events || ARRAY(
		SELECT max(e.id)
		FROM automation.run AS u JOIN automation.event AS e ON e.entity_id = u.entity_id AND e.key = u.key
		WHERE u.id = root AND u.cause IS NULL AND e.id < root AND e.cause IS NULL AND e.event = u.event
		HAVING max(e.id) IS NOT NULL);
	RETURN QUERY
	SELECT d.tree, (d.node).part, (d.node).rule, (d.node).relation, (d.node).key, (d.node).status, (d.node).reason, (d.node).detail
	FROM automation._draw(ARRAY(SELECT n FROM automation._nodes(caller, runs, events) AS n)) AS d;
END
$$;
COMMENT ON FUNCTION automation._cascade(regrole, bigint) IS 'automation.cascade()';
