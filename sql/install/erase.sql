-- Erasure: what is known of a person goes, what has happened stays. Of runs, messages and the rest there
-- remain times, states and counts; values, texts and addresses are blanked wherever they stand.

CREATE TYPE automation._item AS (entity_id integer, key text, link text);
COMMENT ON TYPE automation._item IS 'A row of an attached table that is a person, or names him by that link';

-- ANALYZE keeps samples of columns in pg_statistic, where no erasure comes: of these it is to take none. No query looks for their values.
ALTER TABLE automation.run ALTER COLUMN changes SET STATISTICS 0, ALTER COLUMN reason SET STATISTICS 0, ALTER COLUMN steps SET STATISTICS 0;
ALTER TABLE automation.step_run ALTER COLUMN record SET STATISTICS 0;
ALTER TABLE automation.delivery ALTER COLUMN recipient SET STATISTICS 0, ALTER COLUMN message SET STATISTICS 0;
ALTER TABLE automation.attempt ALTER COLUMN reason SET STATISTICS 0, ALTER COLUMN response SET STATISTICS 0;
ALTER TABLE automation.notification ALTER COLUMN recipient SET STATISTICS 0, ALTER COLUMN body SET STATISTICS 0;
ALTER TABLE automation.event ALTER COLUMN old_row SET STATISTICS 0, ALTER COLUMN new_row SET STATISTICS 0;
ALTER TABLE automation.document ALTER COLUMN name SET STATISTICS 0, ALTER COLUMN content SET STATISTICS 0;
ALTER TABLE automation.touch ALTER COLUMN reason SET STATISTICS 0;
ALTER TABLE automation.hold ALTER COLUMN reason SET STATISTICS 0;
ALTER TABLE automation.pending ALTER COLUMN seen SET STATISTICS 0;
ALTER TABLE automation.held ALTER COLUMN old SET STATISTICS 0;
ALTER TABLE automation.test_run ALTER COLUMN sample SET STATISTICS 0, ALTER COLUMN reason SET STATISTICS 0, ALTER COLUMN steps SET STATISTICS 0,
	ALTER COLUMN changes SET STATISTICS 0, ALTER COLUMN tree SET STATISTICS 0;

-- What is left of a text, a step, a change

CREATE FUNCTION automation._erased_reason(reason text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN reason IS NOT NULL THEN
	coalesce(substring(reason FROM '^(?:step [0-9]+: )?(?:field .*? changed|row deleted$|condition of the step does not hold$|loop: [ #>0-9]+$)'), 'erased')
END;
COMMENT ON FUNCTION automation._erased_reason(text) IS 'What is left of a reason';

CREATE FUNCTION automation._erased_step(step jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (step - 'result' - 'messages') || CASE WHEN step ? 'reason'
	THEN jsonb_build_object('reason', automation._erased_reason(step ->> 'reason')) ELSE '{}' END;
COMMENT ON FUNCTION automation._erased_step(jsonb) IS 'What is left of an element of automation.run.steps';

CREATE FUNCTION automation._erased_steps(steps jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT coalesce(jsonb_agg(automation._erased_step(s.step) ORDER BY s.place), '[]')
	FROM jsonb_array_elements(steps) WITH ORDINALITY AS s(step, place)
);
COMMENT ON FUNCTION automation._erased_steps(jsonb) IS 'What is left of automation.run.steps';

CREATE FUNCTION automation._erased_changes(changes jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (SELECT jsonb_object_agg(c.name, '[null, null]'::jsonb) FROM jsonb_object_keys(changes) AS c(name));
COMMENT ON FUNCTION automation._erased_changes(jsonb) IS 'What is left of automation.run.changes';

-- How a person is found in a text

CREATE FUNCTION automation._word_pattern(word text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT string_agg(DISTINCT regexp_replace(f.form, '([^[:alnum:]])', '\\\1', 'g'), '|')
	FROM unnest(ARRAY[word, regexp_replace(to_jsonb(word)::text, '^"|"$', '', 'g')]) AS f(form)
);
COMMENT ON FUNCTION automation._word_pattern(text) IS 'Regular expression for a text, in plain text and in that of jsonb';

CREATE FUNCTION automation._address_pattern(address text) RETURNS text
LANGUAGE sql IMMUTABLE
-- A phone number by its last nine digits, however they are grouped.
RETURN CASE
	WHEN address ~ '@' OR address !~ '[0-9].*[0-9].*[0-9].*[0-9].*[0-9].*[0-9]' THEN automation._word_pattern(address)
	ELSE regexp_replace(right(regexp_replace(address, '\D', '', 'g'), 9), '(\d)(?=\d)', '\1[-+ ()./]{0,3}', 'g')
END;
COMMENT ON FUNCTION automation._address_pattern(text) IS 'Regular expression for an address, however it is written';

CREATE FUNCTION automation._any_pattern(patterns text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (SELECT format('(%s)', string_agg(DISTINCT p, '|')) FROM unnest(patterns) AS p HAVING count(*) > 0);
COMMENT ON FUNCTION automation._any_pattern(text[]) IS 'Regular expression for any of them; null for none';

CREATE FUNCTION automation._person_or_null(relation regclass, key text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN automation._person(relation, key);
EXCEPTION WHEN no_data_found THEN
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION automation._person_or_null(regclass, text) IS 'A row of any table with a primary key; null when it is gone';

CREATE FUNCTION automation._items(relation regclass, key text, person jsonb) RETURNS automation._item[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF person IS NOT NULL THEN
		RETURN ARRAY(SELECT ROW(o.entity_id, o.key, o.link)::automation._item FROM automation._rows_about(relation, person) AS o);
	END IF;
	RETURN ARRAY(
		SELECT ROW(e.id, automation._key_text(e.relation, key), NULL)::automation._item
		FROM automation.entity AS e
		WHERE e.relation = _items.relation);
END
$$;
COMMENT ON FUNCTION automation._items(regclass, text, jsonb) IS 'Rows of attached tables that are a person or name him; of one whose row is gone, that row';

-- Erasing

CREATE FUNCTION automation._erase_plans(items automation._item[], words text, addresses text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ended bigint;
	held bigint;
BEGIN
	-- Of rows that only name him, the steps that would have told him something.
	PERFORM automation._cancel(p.place, 'erased')
	FROM (
		SELECT d.ctid AS place
		FROM automation.pending AS d
		LEFT JOIN automation.rule_version AS v ON v.rule_id = d.rule_id AND v.version = d.version
		WHERE d.seen ~* addresses OR EXISTS (
			SELECT FROM unnest(items) AS i
			WHERE i.entity_id = d.entity_id AND i.key = d.key AND (i.link IS NULL OR EXISTS (
				SELECT FROM jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
				WHERE d.step IN (0, s.place) AND automation._goes_to(s.step, i.link))))
		FOR UPDATE OF d
	) AS p;
	GET DIAGNOSTICS ended = ROW_COUNT;
	-- What a batch holds back knows the row as it was.
	DELETE FROM automation.held AS h
	WHERE h.old ~* addresses OR EXISTS (
		SELECT FROM unnest(items) AS i
		WHERE i.entity_id = h.entity_id AND i.key = h.key AND (i.link IS NULL OR h.old ~* words));
	GET DIAGNOSTICS held = ROW_COUNT;
	RETURN ended + held;
END
$$;
COMMENT ON FUNCTION automation._erase_plans(automation._item[], text, text) IS 'Ends what is planned for a person';

CREATE FUNCTION automation._erase_log(items automation._item[], words text, addresses text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	own bigint[];
	linked bigint[];
	runs bigint;
	steps bigint;
	notifications bigint;
BEGIN
	SELECT coalesce(array_agg(u.id) FILTER (WHERE i.link IS NULL), '{}'), coalesce(array_agg(u.id) FILTER (WHERE i.link IS NOT NULL), '{}')
	INTO own, linked
	FROM unnest(items) AS i JOIN automation.run AS u ON u.entity_id = i.entity_id AND u.key = i.key;
	UPDATE automation.run AS u
	SET changes = automation._erased_changes(u.changes), reason = automation._erased_reason(u.reason), steps = automation._erased_steps(u.steps)
	WHERE (u.id = ANY (own) OR u.id = ANY (linked) AND concat(u.changes, u.reason, u.steps) ~* words OR concat(u.changes, u.reason, u.steps) ~* addresses)
		AND (u.changes, u.reason, u.steps) IS DISTINCT FROM
			(automation._erased_changes(u.changes), automation._erased_reason(u.reason), automation._erased_steps(u.steps));
	GET DIAGNOSTICS runs = ROW_COUNT;
	UPDATE automation.step_run AS s
	SET record = automation._erased_step(s.record)
	WHERE (s.run_id = ANY (own) OR s.run_id = ANY (linked) AND s.record::text ~* words OR s.record::text ~* addresses)
		AND s.record <> automation._erased_step(s.record);
	GET DIAGNOSTICS steps = ROW_COUNT;
	UPDATE automation.notification AS n
	SET body = NULL, recipient = CASE WHEN n.recipient ~* words OR n.recipient ~* addresses THEN 'erased' ELSE n.recipient END
	WHERE (n.run_id = ANY (own) OR n.run_id = ANY (linked) AND concat_ws(' ', n.recipient, n.body) ~* words OR concat_ws(' ', n.recipient, n.body) ~* addresses)
		AND (n.body IS NOT NULL OR n.recipient ~* words OR n.recipient ~* addresses);
	GET DIAGNOSTICS notifications = ROW_COUNT;
	RETURN jsonb_build_object('runs', runs, 'steps', steps, 'notifications', notifications);
END
$$;
COMMENT ON FUNCTION automation._erase_log(automation._item[], text, text) IS 'Blanks runs and notifications: of a person''s own row all, of rows that name him those that mention him, of others those with an address of his';

CREATE FUNCTION automation._erase_messages(items automation._item[], words text, addresses text, recipients text[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	ids bigint[];
	messages bigint;
	attempts bigint;
BEGIN
	ids := ARRAY(
		SELECT d.id
		FROM automation.delivery AS d
		LEFT JOIN automation.run AS u ON u.id = d.run_id
		LEFT JOIN unnest(items) AS i ON i.entity_id = u.entity_id AND i.key = u.key
		WHERE i.entity_id IS NOT NULL AND i.link IS NULL
			OR d.kind || ':' || d.recipient = ANY (recipients)
			OR i.link IS NOT NULL AND concat_ws(' ', d.recipient, d.message) ~* words
			OR concat_ws(' ', d.recipient, d.message) ~* addresses);
	-- The worker ends what it has not begun to send, and what is answered to the rest it does not write down.
	PERFORM automation._mind_locks();
	UPDATE automation.delivery AS d SET recipient = NULL, message = automation._erased_message()
	WHERE d.id = ANY (ids) AND d.message <> automation._erased_message();
	GET DIAGNOSTICS messages = ROW_COUNT;
	UPDATE automation.attempt AS a
	SET response = NULL, reason = CASE WHEN a.outcome IS NULL THEN 'erased' ELSE automation._erased_reason(a.reason) END
	WHERE (a.delivery_id = ANY (ids)
			OR a.delivery_id IN (SELECT d.id FROM automation.delivery AS d WHERE d.message = automation._erased_message())
			OR concat_ws(' ', a.reason, a.response) ~* addresses)
		AND (a.response IS NOT NULL OR a.reason <> automation._erased_reason(a.reason) OR a.outcome IS NULL AND a.reason IS NULL);
	GET DIAGNOSTICS attempts = ROW_COUNT;
	RETURN jsonb_build_object('messages', messages, 'attempts', attempts, 'in_flight', (
		SELECT count(*) FROM automation.attempt AS a WHERE a.delivery_id = ANY (ids) AND a.outcome IS NULL));
END
$$;
COMMENT ON FUNCTION automation._erase_messages(automation._item[], text, text, text[]) IS 'Blanks messages to a person, and what was answered to them';

CREATE FUNCTION automation._document_text(document automation.document) RETURNS text
LANGUAGE sql STABLE
-- What is no text is searched by its name alone.
RETURN concat_ws(' ', (document).name, CASE WHEN (document).type ~ '^text/' THEN encode((document).content, 'escape') END);
COMMENT ON FUNCTION automation._document_text(automation.document) IS 'What of a document can be searched';

CREATE FUNCTION automation._erase_documents(items automation._item[], words text, addresses text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	documents bigint;
BEGIN
	DELETE FROM automation.document AS d
	WHERE automation._document_text(d) ~* addresses OR EXISTS (
		SELECT FROM unnest(items) AS i
		WHERE i.entity_id = d.entity_id AND i.key = d.key AND (i.link IS NULL OR automation._document_text(d) ~* words));
	GET DIAGNOSTICS documents = ROW_COUNT;
	RETURN documents;
END
$$;
COMMENT ON FUNCTION automation._erase_documents(automation._item[], text, text) IS 'Deletes documents of a person''s own row, and others that mention him';

CREATE FUNCTION automation._erase_traces(items automation._item[], words text, addresses text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	touches bigint;
	events bigint;
	tests bigint;
BEGIN
	UPDATE automation.touch AS t SET reason = automation._erased_reason(t.reason)
	WHERE (t.reason ~* addresses OR EXISTS (
			SELECT FROM unnest(items) AS i
			WHERE i.entity_id = t.entity_id AND i.key = t.key AND (i.link IS NULL OR t.reason ~* words)))
		AND t.reason <> automation._erased_reason(t.reason);
	GET DIAGNOSTICS touches = ROW_COUNT;
	UPDATE automation.event AS e
	SET old_row = CASE WHEN e.old_row IS NOT NULL THEN '{}'::jsonb END, new_row = CASE WHEN e.new_row IS NOT NULL THEN '{}'::jsonb END
	WHERE (concat(e.old_row, e.new_row) ~* addresses OR EXISTS (
			SELECT FROM unnest(items) AS i
			WHERE i.entity_id = e.entity_id AND i.key = e.key AND (i.link IS NULL OR concat(e.old_row, e.new_row) ~* words)))
		AND (e.old_row <> '{}' OR e.new_row <> '{}');
	GET DIAGNOSTICS events = ROW_COUNT;
	UPDATE automation.test_run AS t
	SET sample = NULL, reason = automation._erased_reason(t.reason), steps = automation._erased_steps(t.steps), changes = '[]', tree = 'erased'
	WHERE t.tree <> 'erased' AND (concat(t.sample, t.reason, t.steps, t.changes, t.tree) ~* concat_ws('|', words, addresses)
			AND concat(words, addresses) <> '' OR EXISTS (
			SELECT FROM unnest(items) AS i
			JOIN automation.entity AS e ON e.id = i.entity_id
			JOIN automation.rule AS r ON r.event_relation = e.relation
			WHERE r.id = t.rule_id AND i.key = t.key AND i.link IS NULL));
	GET DIAGNOSTICS tests = ROW_COUNT;
	UPDATE automation.hold AS h SET reason = NULL
	FROM unnest(items) AS i
	WHERE i.entity_id = h.entity_id AND i.key = h.key AND (i.link IS NULL OR h.reason ~* words);
	UPDATE automation.channel_state AS s SET reason = 'erased' WHERE s.reason ~* addresses;
	UPDATE automation.breaker AS b SET reason = 'erased' WHERE b.reason ~* addresses;
	UPDATE automation.lane AS l SET limited_by = 'erased' WHERE l.limited_by ~* addresses;
	RETURN jsonb_build_object('touches', touches, 'events', events, 'test_runs', tests);
END
$$;
COMMENT ON FUNCTION automation._erase_traces(automation._item[], text, text) IS 'Blanks what else tells of a person';

CREATE FUNCTION automation._erase(items automation._item[], words text, addresses text, recipients text[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	counts jsonb := jsonb_build_object('plans', automation._erase_plans(items, words, addresses),
		'documents', automation._erase_documents(items, words, addresses));
BEGIN
	counts := counts || automation._erase_messages(items, words, addresses, recipients)
		|| automation._erase_log(items, words, addresses) || automation._erase_traces(items, words, addresses);
	PERFORM automation._wake_worker();
	RETURN counts;
END
$$;
COMMENT ON FUNCTION automation._erase(automation._item[], text, text, text[]) IS 'Erases a person, given by rows, by what he is called, by his addresses, and by them as they are sent to; answers what has been blanked';

CREATE FUNCTION automation.erase_subject(relation regclass, key text) RETURNS jsonb
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.erase_subject(regclass, text)
	IS 'Erases a person, given as a row of a table, attached or not, from the log and the outbox: plans end, values, texts and addresses are blanked, what happened and when stays; answers how many of each. Call it while the row still has the addresses';

CREATE FUNCTION automation._erase_subject(caller regrole, relation regclass, key text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	person jsonb := automation._person_or_null(relation, key);
	addresses text[] := coalesce(automation._addresses(person), '{}');
BEGIN
	RETURN automation._erase(automation._items(relation, key, person),
		automation._any_pattern(ARRAY(
			SELECT automation._word_pattern(f.value #>> '{}') FROM jsonb_each(person) AS f
			WHERE jsonb_typeof(f.value) = 'string' AND length(f.value #>> '{}') > 2)),
		automation._any_pattern(ARRAY(SELECT automation._address_pattern(a) FROM unnest(addresses) AS a)),
		ARRAY(SELECT k || ':' || a FROM unnest(addresses) AS a, unnest('{sms,email}'::text[]) AS k));
END
$$;
COMMENT ON FUNCTION automation._erase_subject(regrole, regclass, text) IS 'automation.erase_subject()';

CREATE FUNCTION automation.erase_address(kind text, address text) RETURNS jsonb
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.erase_address(text, text)
	IS 'Erases an address (kind sms or email): messages to it, and all that mentions it, are blanked; answers how many of each. What it has agreed to hear is known by a hash, and stays';

CREATE FUNCTION automation._erase_address(caller regrole, kind text, address text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	plain text;
BEGIN
	PERFORM automation._check_choice('unrecognized kind of address', kind, 'sms', 'email');
	plain := automation._plain_address(kind, address);
	PERFORM automation._check_recipient(kind, plain);
	RETURN automation._erase('{}', NULL, automation._address_pattern(plain), ARRAY[kind || ':' || plain]);
END
$$;
COMMENT ON FUNCTION automation._erase_address(regrole, text, text) IS 'automation.erase_address()';

-- Asking

CREATE FUNCTION automation.export_subject(relation regclass, key text) RETURNS jsonb
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.export_subject(regclass, text)
	IS 'All that the log and the outbox hold of a person, given as a row of a table: runs, plans, messages with their attempts, notifications, decisions about his addresses';

CREATE FUNCTION automation._export_subject(caller regrole, relation regclass, key text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	person jsonb := automation._person_or_null(relation, key);
	addresses text[] := coalesce(automation._addresses(person), '{}');
	items automation._item[] := automation._items(relation, key, person);
	runs bigint[];
BEGIN
	IF NOT has_table_privilege(caller, relation, 'SELECT') THEN
		PERFORM automation._fail('42501', format('permission denied for table %s', automation._relation_name(relation)));
	END IF;
	PERFORM automation._check_row_security(relation, caller);
	runs := ARRAY(
		SELECT u.id FROM unnest(items) AS i
		JOIN automation.run AS u ON u.entity_id = i.entity_id AND u.key = i.key
		WHERE i.link IS NULL);
	RETURN jsonb_build_object(
		'subject', jsonb_build_object('relation', relation, 'key', key),
		'runs', (
			SELECT coalesce(jsonb_agg(to_jsonb(l) || jsonb_build_object('changes', u.changes, 'steps', (
				SELECT jsonb_agg(to_jsonb(s) ORDER BY s.step) FROM automation._steps_now(u.id) AS s)) ORDER BY l.id), '[]')
			FROM automation.execution_log AS l JOIN automation.run AS u ON u.id = l.id
			WHERE l.id = ANY (runs)),
		'plans', (
			SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.due_at), '[]')
			FROM automation.due AS p
			JOIN unnest(items) AS i ON i.key = p.key AND i.link IS NULL
			JOIN automation.entity AS e ON e.id = i.entity_id AND e.relation = p.relation),
		'messages', (
			SELECT coalesce(jsonb_agg(jsonb_build_object('id', d.id, 'at', d.at, 'channel', d.channel, 'kind', d.kind,
				'recipient', d.recipient, 'message', d.message, 'state', v.state, 'attempts', (
					SELECT coalesce(jsonb_agg(to_jsonb(a) - 'epoch' ORDER BY a.id), '[]') FROM automation.attempt AS a WHERE a.delivery_id = d.id)) ORDER BY d.id), '[]')
			FROM automation.delivery AS d
			CROSS JOIN LATERAL (SELECT s.* FROM automation._delivery_now AS s WHERE s.id = d.id OFFSET 0) AS v
			WHERE d.run_id = ANY (runs) OR d.recipient = ANY (addresses)),
		'notifications', (
			SELECT coalesce(jsonb_agg(to_jsonb(n) ORDER BY n.id), '[]') FROM automation.notification AS n WHERE n.run_id = ANY (runs)),
		'events', (
			SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.id), '[]')
			FROM automation.event AS e
			JOIN unnest(items) AS i ON i.entity_id = e.entity_id AND i.key = e.key AND i.link IS NULL),
		'consents', (
			SELECT coalesce(jsonb_agg(jsonb_build_object('kind', k, 'address', a) || to_jsonb(c) ORDER BY c.at), '[]')
			FROM unnest(addresses) AS a, unnest('{sms,email}'::text[]) AS k, LATERAL automation._consents(caller, k, a) AS c
			WHERE k = CASE WHEN a ~ '@' THEN 'email' ELSE 'sms' END AND (k = 'email' OR a ~ '^\+[0-9]+$')));
END
$$;
COMMENT ON FUNCTION automation._export_subject(regrole, regclass, text) IS 'automation.export_subject()';
