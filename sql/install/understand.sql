-- What became of one row, one person: messages, plans, and why something did not happen.

-- Messages of a rule

CREATE FUNCTION automation.messages(rule text DEFAULT NULL)
RETURNS TABLE (rule_name text, relation regclass, key text, step integer, channel text, recipient text, subject text, body text, at timestamptz)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.messages(text)
	IS 'What rules of the caller have sent in this transaction, notifications too: for tests, which see it before anybody else does';

CREATE FUNCTION automation._messages(caller regrole, rule text)
RETURNS TABLE (rule_name text, relation regclass, key text, step integer, channel text, recipient text, subject text, body text, at timestamptz)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF rule IS NOT NULL THEN
		PERFORM automation._rule(rule);
	END IF;
	RETURN QUERY
	SELECT r.name, r.relation, u.key, m.step::integer, m.channel, m.recipient, m.message ->> 'subject',
		m.message ->> 'body', m.at
	FROM (
		SELECT d.run_id, d.step, d.channel, d.recipient, d.message, d.at, d.id
		FROM automation.delivery AS d
		WHERE d.txid = pg_current_xact_id_if_assigned()
		UNION ALL
		SELECT n.run_id, n.step, 'notification', n.recipient, jsonb_build_object('body', n.body), n.at, n.id
		FROM automation.notification AS n
		WHERE automation._is_own(n.xmin)
	) AS m
	JOIN automation.run AS u ON u.id = m.run_id
	JOIN automation.rule AS r ON r.id = u.rule_id
	WHERE r.name = coalesce(_messages.rule, r.name) AND automation._may_read_messages(caller, r.owner)
	ORDER BY m.at, m.run_id, m.step, m.id;
END
$$;
COMMENT ON FUNCTION automation._messages(regrole, text) IS 'automation.messages()';

-- Plans of a rule

CREATE FUNCTION automation.plans(rule text, key text)
RETURNS TABLE (run bigint, step integer, action text, status text, due_at timestamptz, reason text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.plans(text, text)
	IS 'What a rule has planned for a row: waiting, or cancelled by what has happened since, whether tick() has seen to that or not; step 0: the run itself';

CREATE FUNCTION automation._plans(caller regrole, rule text, key text)
RETURNS TABLE (run bigint, step integer, action text, status text, due_at timestamptz, reason text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	planned automation.rule := automation._rule(rule);
	entity integer;
	item text;
BEGIN
	PERFORM automation._check_reader(caller, planned.relation);
	entity := (automation._entity(planned.relation)).id;
	item := automation._key_text(planned.relation, key);
	RETURN QUERY
	SELECT p.run_id, p.step::integer, v.steps -> (p.step - 1) ->> 'action',
		CASE WHEN t.reason IS NULL THEN 'waiting' ELSE 'cancelled' END, p.due_at, t.reason
	FROM automation.pending AS p
	JOIN automation._wait AS w ON w.rule_id = p.rule_id AND w.version = p.version AND w.step = p.step
	JOIN automation.rule_version AS v ON v.rule_id = p.rule_id AND v.version = p.version
	CROSS JOIN LATERAL (
		SELECT CASE WHEN c.is_superseded THEN 'planned anew' ELSE c.touch END
		FROM automation._circumstances(entity, item, p.rule_id, p.run_id, p.id, p.step,
			CASE WHEN w.by_difference THEN '{}' ELSE coalesce(w.cancelled_by, '{}') END) AS c
	) AS t(reason)
	WHERE p.entity_id = entity AND p.key = item AND p.rule_id = planned.id
	UNION ALL
	SELECT s.run_id, s.step::integer, u.steps -> (s.step - 1) ->> 'action', 'cancelled', NULL, s.record ->> 'reason'
	FROM automation.run AS u
	JOIN automation.step_run AS s ON s.run_id = u.id
	WHERE u.entity_id = entity AND u.key = item AND u.rule_id = planned.id AND s.record ->> 'status' = 'cancelled'
	ORDER BY 5, 1, 2;
END
$$;
COMMENT ON FUNCTION automation._plans(regrole, text, text) IS 'automation.plans()';

-- Why a rule did not run

CREATE FUNCTION automation.why_not(rule text, relation regclass, key text, at timestamptz DEFAULT NULL)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.why_not(text, regclass, text, timestamptz)
	IS 'Every gate between a change of a row and a run of a rule, and which were shut: for the last change up to that time, if pg_automation.journal was on, by what the rule said then; else for the row as it is now';

CREATE FUNCTION automation._why_capture(explained automation.rule)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'session', 'pg_automation.enabled is on', coalesce(current_setting('pg_automation.enabled', true)::boolean, true), NULL::jsonb, NULL::text
	UNION ALL
	SELECT 'table', format('changes of %s are seen', (explained).event_relation),
		t.tgenabled IN ('O', 'A'), NULL, CASE WHEN t.tgenabled NOT IN ('O', 'A') THEN 'its trigger is disabled' END
	FROM pg_catalog.pg_trigger AS t
	WHERE t.tgrelid = (explained).event_relation AND t.tgfoid = 'automation._capture()'::regprocedure;
END;
COMMENT ON FUNCTION automation._why_capture(automation.rule) IS 'Whether changes of the table come to the engine at all';

CREATE FUNCTION automation._why_state(explained automation.rule, key text)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'rule', 'state is active', (explained).state = 'active', NULL::jsonb, nullif('it is ' || (explained).state, 'it is active')
	UNION ALL
	SELECT 'rule', 'can run', automation._problem((explained).id) IS NULL, NULL, automation._problem((explained).id)
	UNION ALL
	SELECT 'version', format('version %s, of %s by %s', v.version, v.created_at, v.author), NULL, NULL,
		CASE WHEN v.version > 1 THEN 'earlier changes met earlier versions: automation.rule_history' END
	FROM automation._version((explained).id, (explained).version) AS v
	UNION ALL
	SELECT 'item', 'is not stopped', h.at IS NULL, NULL,
		CASE WHEN h.at IS NOT NULL THEN concat_ws(': ', format('stopped at %s by %s', h.at, h.actor), h.reason) END
	FROM (SELECT) AS one
	LEFT JOIN automation.entity AS e ON e.relation = (explained).relation
	LEFT JOIN LATERAL (
		SELECT o.at, o.actor, o.reason FROM automation.hold AS o
		WHERE o.entity_id = e.id AND o.key = _why_state.key AND (o.rule_id IS NULL OR o.rule_id = (explained).id)
		ORDER BY o.at
		LIMIT 1
	) AS h ON true
	UNION ALL
	SELECT 'loop', 'has not fired for this row in the same cascade', NULL, NULL,
		format('run %s at %s: %s', u.id, u.at, automation._with_names(u.reason))
	FROM automation.entity AS e, LATERAL (
		SELECT s.* FROM automation.run AS s
		WHERE s.entity_id = e.id AND s.key = _why_state.key AND s.rule_id = (explained).id AND s.status = 'suppressed'
		ORDER BY s.id DESC
		LIMIT 1
	) AS u
	WHERE e.relation = (explained).relation;
END;
COMMENT ON FUNCTION automation._why_state(automation.rule, text) IS 'What must be so of the rule and of the row before a change counts';

CREATE FUNCTION automation._why_event(explained automation.rule, event automation.event)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	version automation.rule_version := automation._version(explained.id, explained.version);
	fired bigint;
BEGIN
	part := 'event';
	conjunct := CASE version.events WHEN '{}' THEN 'automation.fire() or start_rule'
		ELSE format('%s of %s', automation._list(version.events), explained.event_relation) END;
	IF event.id IS NULL THEN
		note := 'no change is in the journal: the row is judged as it is now';
	ELSE
		holds := automation._event_verb(event.event) = ANY (version.events);
		note := format('it was %s at %s', event.event, event.at);
		SELECT min(u.id) INTO fired
		FROM automation.run AS u
		WHERE u.rule_id = explained.id AND u.id > event.id AND u.event = event.event AND u.cause IS NOT DISTINCT FROM event.cause
			AND u.id < coalesce((SELECT min(e.id) FROM automation.event AS e
				WHERE e.id > event.id AND e.cause IS NOT DISTINCT FROM event.cause AND e.entity_id = event.entity_id), u.id + 1);
		IF fired IS NOT NULL THEN
			note := note || format(', and fired the rule: run %s', fired);
		END IF;
	END IF;
	RETURN NEXT;
	IF event.id IS NULL THEN
		RETURN QUERY SELECT c.* FROM automation._explain_condition(explained, 'condition',
			automation._compiled(automation._rule_function(explained.id, explained.version, 'when')), event.new_row) AS c;
	ELSE
		RETURN QUERY SELECT 'condition', j.* FROM automation._judged(explained,
			automation._compiled(automation._rule_function(explained.id, explained.version, 'when')), event.old_row, event.new_row) AS j;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._why_event(automation.rule, automation.event) IS 'Whether a change is one that the rule waits for, and each part of its condition';

CREATE FUNCTION automation._why_then(explained automation.rule, event automation.event, version integer)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	gates jsonb;
BEGIN
	IF version = explained.version THEN
		RETURN QUERY SELECT w.* FROM automation._why_event(explained, event) AS w;
		RETURN;
	END IF;
	-- What the rule said then is compiled once more, and that is undone.
	BEGIN
		UPDATE automation.rule AS r SET version = _why_then.version WHERE r.id = explained.id;
		PERFORM automation._compile_rule(explained.id);
		SELECT r.* INTO explained FROM automation.rule AS r WHERE r.id = explained.id;
		SELECT jsonb_agg(to_jsonb(w)) INTO gates FROM automation._why_event(explained, event) AS w;
		RAISE EXCEPTION 'undone';
	EXCEPTION WHEN OTHERS THEN
		IF gates IS NULL THEN
			part := 'version';
			conjunct := format('version %s was in force', version);
			note := SQLERRM;
			RETURN NEXT;
			RETURN;
		END IF;
	END;
	RETURN QUERY SELECT 'version', format('version %s was in force', version), NULL::boolean, NULL::jsonb, NULL::text;
	RETURN QUERY SELECT g.* FROM jsonb_to_recordset(gates) AS g(part text, conjunct text, holds boolean, row_values jsonb, note text);
END
$$;
COMMENT ON FUNCTION automation._why_then(automation.rule, automation.event, integer) IS 'The same by an earlier version of the rule';

CREATE FUNCTION automation._why_not(caller regrole, rule text, relation regclass, key text, at timestamptz)
RETURNS TABLE (part text, conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	explained automation.rule := automation._rule(rule);
	happened automation.event;
	version integer := explained.version;
	item text;
BEGIN
	PERFORM automation._check_waits_for(explained, relation);
	PERFORM automation._check_reader(caller, relation);
	item := automation._key_text(relation, key);
	SELECT e.* INTO happened
	FROM automation.event AS e
	WHERE e.entity_id = (automation._entity(relation)).id AND e.key = item AND e.at <= coalesce(_why_not.at, 'infinity')
	ORDER BY e.cause IS NULL DESC, e.id DESC -- what rules wrote counts only if nobody else wrote
	LIMIT 1;
	IF happened.id IS NULL THEN
		happened.new_row := automation._row(relation, key);
	ELSE
		SELECT max(v.version) INTO version FROM automation.rule_version AS v
		WHERE v.rule_id = explained.id AND v.created_at <= happened.at;
		version := coalesce(version, 1);
	END IF;
	RETURN QUERY SELECT w.* FROM automation._why_capture(explained) AS w;
	RETURN QUERY SELECT w.* FROM automation._why_state(explained, item) AS w;
	RETURN QUERY SELECT w.* FROM automation._why_then(explained, happened, version) AS w;
END
$$;
COMMENT ON FUNCTION automation._why_not(regrole, text, regclass, text, timestamptz) IS 'automation.why_not()';

-- Messages to a person

CREATE FUNCTION automation._person_key(relation regclass) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text[];
BEGIN
	IF EXISTS (SELECT FROM automation.entity AS e WHERE e.relation = _person_key.relation) THEN
		RETURN automation._key(relation);
	END IF;
	SELECT k.columns INTO columns FROM automation._unique_keys(relation) AS k WHERE k."primary";
	IF columns IS NULL THEN
		PERFORM automation._fail('55000', format('table "%s" has no primary key', relation));
	END IF;
	RETURN columns;
END
$$;
COMMENT ON FUNCTION automation._person_key(regclass) IS 'Columns of the key of a table, attached or not';

CREATE FUNCTION automation._person(relation regclass, key text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text[] := automation._person_key(relation);
	owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = relation);
	answer jsonb;
BEGIN
	answer := automation._ask(owner, (
		SELECT format('SELECT pg_catalog.to_jsonb(t) FROM %s AS t, pg_catalog.jsonb_to_record($1) AS k (%s) WHERE %s', relation,
			string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '),
			string_agg(format('t.%1$I %2$s k.%1$I', a.attname, automation._type_operator('=', a.atttypid::regtype)), ' AND '))
		FROM pg_attribute AS a
		WHERE a.attrelid = relation AND a.attname = ANY (columns)),
		CASE WHEN cardinality(columns) = 1 THEN jsonb_build_object(columns[1], key) ELSE key::jsonb END);
	IF answer IS NULL THEN
		PERFORM automation._fail('P0002', format('table "%s" has no row with the key %s', relation, key));
	END IF;
	RETURN answer;
END
$$;
COMMENT ON FUNCTION automation._person(regclass, text) IS 'A row of any table with a primary key';

CREATE FUNCTION automation._rows_naming(relation regclass, source_column text, value jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = relation);
	key text[] := automation._key(relation);
BEGIN
	RETURN ARRAY(SELECT jsonb_array_elements_text(automation._ask(owner, (
		SELECT format('SELECT pg_catalog.jsonb_agg(%s) FROM %s AS t, pg_catalog.jsonb_to_record($1) AS k (named %s) WHERE t.%I %s k.named',
			CASE cardinality(key) WHEN 1 THEN format('t.%I::pg_catalog.text', key[1])
				ELSE format('pg_catalog.jsonb_build_object(%s)::pg_catalog.text',
					(SELECT string_agg(format('%L, t.%I', c, c), ', ') FROM unnest(key) AS c)) END,
			relation, format_type(a.atttypid, a.atttypmod), a.attname, automation._type_operator('=', a.atttypid::regtype))
		FROM pg_attribute AS a
		WHERE a.attrelid = relation AND a.attname = source_column), jsonb_build_object('named', value))));
END
$$;
COMMENT ON FUNCTION automation._rows_naming(regclass, text, jsonb) IS 'Keys of the rows of an attached table that have that value in a column';

CREATE FUNCTION automation._rows_about(relation regclass, person jsonb)
RETURNS TABLE (entity_id integer, key text, link text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found record;
BEGIN
	FOR found IN
		SELECT e.id, e.relation, l.name, l.source_column, l.target_column
		FROM automation.entity AS e, LATERAL automation._links(e.relation) AS l
		WHERE l.target = _rows_about.relation
	LOOP
		RETURN QUERY
		SELECT found.id, k, found.name
		FROM unnest(automation._rows_naming(found.relation, found.source_column, person -> found.target_column)) AS k;
	END LOOP;
	RETURN QUERY
	SELECT e.id, automation._key_text(e.relation, CASE WHEN cardinality(c.columns) = 1 THEN person ->> c.columns[1] ELSE person::text END), NULL
	FROM automation.entity AS e, LATERAL automation._person_key(e.relation) AS c(columns)
	WHERE e.relation = _rows_about.relation;
END
$$;
COMMENT ON FUNCTION automation._rows_about(regclass, jsonb) IS 'Rows of attached tables that name a person, and by which link; null: the person''s own';

CREATE FUNCTION automation._goes_to(step jsonb, link text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN coalesce(step -> 'params' ->> 'recipient', '') ~
	('\{\{\s*((new|old)\.)?' || coalesce(regexp_replace(link, '(\W)', '\\\1', 'g') || '\.', '\w+\s*[|}]'));
COMMENT ON FUNCTION automation._goes_to(jsonb, text) IS 'Whether the recipient of a step is what that link leads to; null: the row itself';

CREATE FUNCTION automation._addresses(person jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	value text;
	addresses text[] := '{}';
BEGIN
	FOR value IN SELECT f.value FROM jsonb_each_text(person) AS f WHERE f.value ~ '@' OR f.value ~ '^[+0-9() ./-]{6,}$' LOOP
		addresses := addresses || value;
		BEGIN
			addresses := addresses || automation.phone_e164(value);
		EXCEPTION WHEN OTHERS THEN
			NULL; -- an e-mail address, or a number without a country
		END;
	END LOOP;
	RETURN addresses;
END
$$;
COMMENT ON FUNCTION automation._addresses(jsonb) IS 'What in a person''s row may be an e-mail address or a phone number, also as it is sent to';

CREATE FUNCTION automation.told(relation regclass, key text)
RETURNS TABLE (at timestamptz, rule text, about text, channel text, kind text, recipient text, message text, state text, icon text, reason text, run_id bigint, step integer)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.told(regclass, text)
	IS 'Every message to a person, given as a row of a table with his addresses: what became of it, or why it was not sent';

CREATE FUNCTION automation._told(caller regrole, relation regclass, key text)
RETURNS TABLE (at timestamptz, rule text, about text, channel text, kind text, recipient text, message text, state text, icon text, reason text, run_id bigint, step integer)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	person jsonb;
	addresses text[];
BEGIN
	IF NOT has_table_privilege(caller, relation, 'SELECT') THEN
		PERFORM automation._fail('42501', format('permission denied for table %s', automation._relation_name(relation)));
	END IF;
	PERFORM automation._check_row_security(relation, caller);
	person := automation._person(relation, key);
	addresses := automation._addresses(person);
	RETURN QUERY
	SELECT d.at, coalesce(v.rule, r.name), format('%s %s', e.relation, u.key), d.channel, d.kind, v.recipient,
		CASE WHEN automation._may_read_messages(caller, d.rule_owner) THEN automation._message_text(d.message) END,
		v.state, automation._status_icon(automation._delivery_status(v.state)), v.reason, d.run_id, d.step::integer
	FROM automation.delivery AS d
	CROSS JOIN LATERAL (SELECT s.* FROM automation._delivery AS s WHERE s.id = d.id OFFSET 0) AS v
	LEFT JOIN automation.run AS u ON u.id = d.run_id
	LEFT JOIN automation.rule_version AS r ON r.rule_id = u.rule_id AND r.version = u.version
	LEFT JOIN automation.entity AS e ON e.id = u.entity_id
	WHERE d.recipient = ANY (addresses)
	UNION ALL
	-- Steps that came to no message, of runs for rows that name him.
	SELECT u.at, v.name, format('%s %s', e.relation, u.key), p.step -> 'params' ->> 'channel', a.channel_kind, NULL, NULL,
		s.status, automation._status_icon(s.status), automation._readable_reason(caller, e.relation, s.status,
			automation._with_names(coalesce(s.reason, CASE WHEN s.status = 'waiting' THEN format('due at %s', s.next_at) END, u.reason))),
		u.id, p.place::integer
	FROM (
		SELECT o.entity_id, o.key, array_agg(o.link) AS links FROM automation._rows_about(relation, person) AS o GROUP BY 1, 2
	) AS w
	JOIN automation.run AS u ON u.entity_id = w.entity_id AND u.key = w.key
	JOIN automation.rule_version AS v ON v.rule_id = u.rule_id AND v.version = u.version
	JOIN automation.entity AS e ON e.id = u.entity_id
	CROSS JOIN LATERAL jsonb_array_elements(v.steps) WITH ORDINALITY AS p(step, place)
	JOIN automation.action_definition AS a ON a.name = p.step ->> 'action' AND a.kind = 'message'
	LEFT JOIN automation._step AS t ON t.run_id = u.id AND t.step = p.place
	CROSS JOIN LATERAL (SELECT coalesce(t.status, u.status) AS status, t.reason, t.next_at) AS s
	WHERE t.deliveries IS NULL AND EXISTS (SELECT FROM unnest(w.links) AS l WHERE automation._goes_to(p.step, l))
	ORDER BY 1, 11, 12;
END
$$;
COMMENT ON FUNCTION automation._told(regrole, regclass, text) IS 'automation.told()';
