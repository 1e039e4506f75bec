-- Taking back what a run did: columns get the value they had, rows that it inserted go, what waits and
-- what is unsent is cancelled; all of it in the name of the rule's owner, and nothing that somebody has
-- changed since. To other rules these are changes like any.

CREATE TABLE automation.undo_note (
	run_id bigint NOT NULL,
	step smallint NOT NULL,
	at timestamptz NOT NULL DEFAULT automation._now(),
	actor text NOT NULL,
	effect text NOT NULL,
	reason text
);
CREATE INDEX undo_note_of_run ON automation.undo_note (run_id);
COMMENT ON TABLE automation.undo_note IS 'What became of each step that somebody had taken back';
COMMENT ON COLUMN automation.undo_note.run_id IS 'The run';
COMMENT ON COLUMN automation.undo_note.step IS 'The step';
COMMENT ON COLUMN automation.undo_note.at IS 'When';
COMMENT ON COLUMN automation.undo_note.actor IS 'Who asked for it';
COMMENT ON COLUMN automation.undo_note.effect IS 'undone, cancelled, conflict, final or nothing';
COMMENT ON COLUMN automation.undo_note.reason IS 'Why it is not undone';

CREATE VIEW automation.undone AS
SELECT n.run_id, coalesce(r.name, v.name) AS rule, e.relation, u.key, n.step, n.at, n.actor, n.effect, n.reason
FROM automation.undo_note AS n
JOIN automation.run AS u ON u.id = n.run_id
LEFT JOIN automation.rule AS r ON r.id = u.rule_id
LEFT JOIN automation.rule_version AS v ON v.rule_id = u.rule_id AND v.version = u.version
LEFT JOIN automation.entity AS e ON e.id = u.entity_id;
COMMENT ON VIEW automation.undone IS 'What undo_run() and recall() have taken back, or could not: who, when and why';
COMMENT ON COLUMN automation.undone.rule IS 'What the rule is called';

COMMENT ON COLUMN automation.undone.run_id IS 'The run';
COMMENT ON COLUMN automation.undone.rule IS 'What the rule is called now, or was called when it was dropped';
COMMENT ON COLUMN automation.undone.relation IS 'Table of the row that the run was about';
COMMENT ON COLUMN automation.undone.key IS 'Key of that row';
COMMENT ON COLUMN automation.undone.step IS 'The step';
COMMENT ON COLUMN automation.undone.at IS 'When it was taken back';
COMMENT ON COLUMN automation.undone.actor IS 'Who asked for it';
COMMENT ON COLUMN automation.undone.effect IS 'undone; cancelled: it had not begun, or was not sent; conflict: it has been changed since; final: it cannot be undone; nothing: it did nothing';
COMMENT ON COLUMN automation.undone.reason IS 'Why it is not undone; of an error only its code';

CREATE TYPE automation._undoing AS (step smallint, action text, effect text, reason text);
COMMENT ON TYPE automation._undoing IS 'What becomes of a step that is taken back. undone; cancelled: it had not begun, or was not sent; conflict: somebody has changed it since; final: it cannot be; nothing: it did nothing';

-- What waits and what is unsent

CREATE FUNCTION automation._recall_delivery(delivery bigint, reason text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	state text;
BEGIN
	PERFORM automation._mind_locks();
	PERFORM FROM automation.delivery AS d WHERE d.id = delivery FOR UPDATE;
	state := (SELECT d.state FROM automation._delivery_now AS d WHERE d.id = delivery);
	IF state IN ('ready', 'held', 'retrying') THEN
		INSERT INTO automation.recalled (delivery_id, reason) VALUES (delivery, _recall_delivery.reason) ON CONFLICT DO NOTHING;
		PERFORM automation._wake_worker();
		RETURN 'recalled';
	END IF;
	RETURN state;
END
$$;
COMMENT ON FUNCTION automation._recall_delivery(bigint, text) IS 'Calls a message back if its sending has not begun, and answers recalled; or else its state';

CREATE FUNCTION automation._undo_sending(deliveries bigint[], reason text, OUT effect text, OUT reason_why text)
LANGUAGE sql
BEGIN ATOMIC
	SELECT CASE WHEN count(*) FILTER (WHERE s.is_out) > 0 THEN 'final' WHEN count(*) FILTER (WHERE s.state = 'recalled') > 0 THEN 'cancelled' ELSE 'nothing' END,
		CASE WHEN count(*) FILTER (WHERE s.is_out) > 0
			THEN format('%s of %s messages sent, or being sent', count(*) FILTER (WHERE s.is_out), count(*))
			WHEN count(*) FILTER (WHERE s.state = 'recalled') = 0 THEN string_agg(DISTINCT s.state, ', ') END
	FROM (
		SELECT r.state, r.state IN ('delivering', 'delivered', 'unknown') AS is_out
		FROM unnest(deliveries) AS d, LATERAL automation._recall_delivery(d, _undo_sending.reason) AS r(state)
	) AS s;
END;
COMMENT ON FUNCTION automation._undo_sending(bigint[], text) IS 'Calls back the messages of a step';

CREATE FUNCTION automation._undo_waiting(run automation.run, step smallint, reason text) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	WITH waiting AS (
		SELECT p.ctid AS place
		FROM automation.pending AS p, automation._moved_to((run).id, _undo_waiting.step) AS n
		WHERE p.entity_id = (run).entity_id AND p.key = (run).key AND p.run_id = (run).id AND p.step = n.number
		FOR UPDATE OF p
	), cancelled AS MATERIALIZED (
		SELECT automation._cancel(w.place, _undo_waiting.reason) FROM waiting AS w
	)
	SELECT count(*) FROM cancelled;
END;
COMMENT ON FUNCTION automation._undo_waiting(automation.run, smallint, text) IS 'Cancels a step that waits, and answers how many that were';

-- What was written

CREATE FUNCTION automation._key_sql(relation regclass, columns text[], "row" text DEFAULT 't', OUT definitions text, OUT matches text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', '),
		string_agg(format('%3$s.%1$I %2$s k.%1$I', a.attname, automation._type_operator('=', a.atttypid::regtype), "row"), ' AND ')
	FROM unnest(columns) AS c
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relation AND a.attname = c;
END;
COMMENT ON FUNCTION automation._key_sql(regclass, text[], text) IS 'SQL for the members of a key as columns of k, and that they are those of a row';

CREATE FUNCTION automation._undo_sql(relation regclass, columns text[], change text, condition text) RETURNS text
LANGUAGE sql STABLE
-- Whoever changes the row at the same time goes first: the condition is judged on what he has made of it.
RETURN (
	SELECT format('WITH undone AS (%1$s pg_catalog.jsonb_to_record($1 -> ''key'') AS k (%2$s) WHERE %3$s AND %4$s RETURNING 1) '
		'SELECT pg_catalog.to_jsonb(CASE WHEN EXISTS (SELECT FROM undone) THEN ''undone''::text WHEN EXISTS ('
		'SELECT FROM %5$s AS t, pg_catalog.jsonb_to_record($1 -> ''key'') AS k (%2$s) WHERE %3$s) THEN ''changed'' ELSE ''gone'' END)',
		change, s.definitions, s.matches, condition, relation)
	FROM automation._key_sql(relation, columns) AS s
);
COMMENT ON FUNCTION automation._undo_sql(regclass, text[], text, text)
	IS 'Statement about the row t of the key in $1 that answers undone, changed or gone; change: an UPDATE or DELETE up to what follows its FROM or USING';

CREATE FUNCTION automation._set_back_sql(relation regclass, field text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT automation._undo_sql(relation, automation._key(relation),
		format('UPDATE %s AS t SET %I = (SELECT x.v FROM pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object(''v''::text, $1 -> ''was'')) AS x (v %s)) FROM',
			relation, a.attname, format_type(a.atttypid, a.atttypmod)),
		format('coalesce(pg_catalog.to_jsonb(t.%I), ''null'') = $1 -> ''is''', a.attname))
	FROM pg_catalog.pg_attribute AS a
	WHERE a.attrelid = relation AND a.attname = field AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION automation._set_back_sql(regclass, text) IS 'Statement that gives a column the value it had, unless it has another one by now than the rule gave it';

CREATE FUNCTION automation._goes_along_sql(relation regclass) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT string_agg(format(' AND NOT EXISTS (SELECT FROM %s AS c WHERE %s)', f.conrelid::regclass, (
		SELECT string_agg(format('c.%I = t.%I', a.attname, b.attname), ' AND ')
		FROM unnest(f.conkey, f.confkey) AS l(number, to_number)
		JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = l.number
		JOIN pg_catalog.pg_attribute AS b ON b.attrelid = f.confrelid AND b.attnum = l.to_number)), '')
	FROM pg_catalog.pg_constraint AS f
	WHERE f.contype = 'f' AND f.confrelid = relation AND f.conparentid = 0 AND f.confdeltype IN ('c', 'n', 'd');
END;
COMMENT ON FUNCTION automation._goes_along_sql(regclass) IS 'Further conditions: no row would be deleted or changed with the row t';

CREATE FUNCTION automation._take_away_sql(relation regclass, columns text[]) RETURNS text
LANGUAGE sql STABLE
RETURN automation._undo_sql(relation, columns, format('DELETE FROM %s AS t USING', relation),
	'pg_catalog.hashtextextended(t::pg_catalog.text, 0) = ($1 ->> ''is'')::pg_catalog.int8' || coalesce(automation._goes_along_sql(relation), ''));
COMMENT ON FUNCTION automation._take_away_sql(regclass, text[]) IS 'Statement that deletes a row that is as it was inserted, and that nothing would go along with';

CREATE FUNCTION automation._inserted_into(trace jsonb) RETURNS regclass
LANGUAGE sql STABLE
RETURN (SELECT coalesce(pg_partition_root(c.oid), c.oid) FROM pg_class AS c WHERE c.oid = (trace ->> 0)::oid);
COMMENT ON FUNCTION automation._inserted_into(jsonb) IS 'The table of a row that a step inserted; null when it is gone';

CREATE FUNCTION automation._act_for(run bigint, rule integer, key text, role regrole, search_path text, command text, argument jsonb) RETURNS jsonb
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_act_for';
COMMENT ON FUNCTION automation._act_for(bigint, integer, text, regrole, text, text, jsonb)
	IS 'automation._act() as one more step of a run that is over: its rule does not fire on what that writes for its row, others do';

CREATE FUNCTION automation._undo_write(rule automation.rule, run automation.run, result jsonb, OUT effect text, OUT reason text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	trace CONSTANT jsonb := result -> automation._trace();
	is_insert CONSTANT boolean := jsonb_array_length(trace) = 2;
	written CONSTANT jsonb := automation._without_trace(result);
	names CONSTANT text[] := ARRAY(SELECT jsonb_object_keys(written));
	relation CONSTANT regclass := CASE WHEN is_insert THEN automation._inserted_into(trace)
		ELSE (SELECT e.relation FROM automation.entity AS e WHERE e.id = run.entity_id) END;
	statement CONSTANT text := CASE
		WHEN NOT is_insert THEN automation._set_back_sql(relation, names[1])
		WHEN names @> coalesce(automation._key(relation), automation._primary_key(relation)) THEN automation._take_away_sql(relation, names) END;
	answer text;
BEGIN
	IF statement IS NULL THEN
		effect := 'final';
		reason := 'its table, column or key is gone';
		RETURN;
	END IF;
	answer := automation._act_for(run.id, rule.id, run.key, rule.owner, rule.search_path, statement, CASE
		WHEN is_insert THEN jsonb_build_object('key', written, 'is', trace -> 1)
		ELSE jsonb_build_object('key', automation._key_json(relation, run.key), 'is', written -> names[1], 'was', trace -> 0) END) #>> '{}';
	effect := CASE answer WHEN 'undone' THEN 'undone' ELSE 'conflict' END;
	reason := CASE
		WHEN answer = 'gone' THEN 'the row is gone'
		WHEN answer = 'changed' AND is_insert THEN 'the row has been changed since, or others depend on it'
		WHEN answer = 'changed' THEN format('%s has another value now', names[1]) END;
END
$$;
COMMENT ON FUNCTION automation._undo_write(automation.rule, automation.run, jsonb) IS 'Takes back what a step in the database wrote, with the rights of the rule''s owner';

CREATE FUNCTION automation._undo_notification(run bigint, step smallint, OUT effect text, OUT reason text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM automation.notification AS n 
	WHERE n.run_id = run AND n.step = (SELECT m.number FROM automation._moved_to(run, _undo_notification.step) AS m) AND n.read_at IS NULL;
	effect := CASE WHEN FOUND THEN 'undone' ELSE 'final' END;
	reason := CASE WHEN NOT FOUND THEN 'it has been read' END;
END
$$;
COMMENT ON FUNCTION automation._undo_notification(bigint, smallint) IS 'Takes away what a step has said to people of the house, and they have not read';

-- A step

CREATE FUNCTION automation._raw_result(run automation.run, step smallint) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(e.step -> 'result', (
		SELECT r.record -> 'result'
		FROM automation.step_run AS r, automation._moved_to((run).id, _raw_result.step) AS n
		WHERE r.run_id = (run).id AND r.step = n.number
		ORDER BY r.at DESC
		LIMIT 1))
	FROM jsonb_array_elements((run).steps) AS e(step)
	WHERE (e.step ->> 'step')::smallint = _raw_result.step;
END;
COMMENT ON FUNCTION automation._raw_result(automation.run, smallint) IS 'What a step answered, with the trace that readers do not see';

CREATE FUNCTION automation._withdraw_links(role regrole, result jsonb) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	UPDATE automation.token AS t SET expires_at = least(t.expires_at, automation._now())
	FROM jsonb_each_text(automation._without_trace(result)) AS w, LATERAL automation._known_token(w.value) AS k
	WHERE t.id = k.id AND t.role = _withdraw_links.role;
END;
COMMENT ON FUNCTION automation._withdraw_links(regrole, jsonb) IS 'Ends the links in what a step wrote: from now on they are expired';

CREATE FUNCTION automation._withdraw_request(role regrole, run automation.run, step smallint) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	UPDATE automation.token AS t SET expires_at = automation._now()
	FROM automation.rule_version AS v
	WHERE v.rule_id = run.rule_id AND v.version = run.version
		AND t.purpose = 'approval' AND t.name = v.steps -> (_withdraw_request.step - 1) -> 'params' ->> 'kind'
		AND t.role = _withdraw_request.role AND t.entity_id = run.entity_id AND t.key = run.key
		AND t.uses = 0 AND t.expires_at > automation._now();
END;
COMMENT ON FUNCTION automation._withdraw_request(regrole, automation.run, smallint)
	IS 'Ends the link of the approval that a step asked for: there is one of a kind at a time';

CREATE FUNCTION automation._undo_done(rule automation.rule, run automation.run, step smallint, action text, OUT effect text, OUT reason text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result CONSTANT jsonb := automation._raw_result(run, step);
BEGIN
	IF EXISTS (SELECT FROM automation.undo_note AS n WHERE n.run_id = run.id AND n.step = _undo_done.step AND n.effect = 'undone') THEN
		effect := 'nothing';
		reason := 'it has been undone already';
	ELSIF (SELECT d.undo FROM automation.action_definition AS d WHERE d.name = action) IS DISTINCT FROM 'reversible' THEN
		effect := 'final';
		reason := format('%s cannot be undone', action);
	ELSIF action = 'notify' THEN
		SELECT u.* INTO effect, reason FROM automation._undo_notification(run.id, step) AS u;
	ELSIF result ? automation._trace() THEN
		SELECT u.* INTO effect, reason FROM automation._undo_write(rule, run, result) AS u;
		-- Whatever has become of the column, the link is out in the world. That of an approval is good as long as its row is there.
		IF action IN ('make_link', 'create_payment_link') THEN
			PERFORM automation._withdraw_links(rule.owner, result);
		ELSIF action = 'request_approval' AND effect = 'undone' THEN
			PERFORM automation._withdraw_request(rule.owner, run, step);
		END IF;
	ELSE
		effect := CASE WHEN result IS NULL THEN 'nothing' ELSE 'final' END;
		reason := CASE WHEN result IS NULL THEN 'it changed no row' ELSE 'what it wrote is not noted in full' END;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._undo_done(automation.rule, automation.run, smallint, text) IS 'Takes back a step that has succeeded';

CREATE FUNCTION automation._undo_step(caller regrole, rule automation.rule, run automation.run, step smallint, is_recall boolean)
RETURNS automation._undoing
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	why CONSTANT text := format('%s by %s', CASE WHEN is_recall THEN 'recalled' ELSE 'undone' END, caller);
	done record;
	answer automation._undoing;
BEGIN
	SELECT s.* INTO done FROM automation._steps_now(run.id) AS s WHERE s.step = _undo_step.step;
	answer := ROW(step, done.action, 'nothing', done.status);
	IF automation._undo_waiting(run, step, why) > 0 THEN
		answer.effect := 'cancelled';
		answer.reason := NULL;
	ELSIF done.deliveries IS NOT NULL THEN
		SELECT s.* INTO answer.effect, answer.reason FROM automation._undo_sending(done.deliveries, why) AS s;
	ELSIF done.status = 'succeeded' AND NOT is_recall THEN
		SELECT u.* INTO answer.effect, answer.reason FROM automation._undo_done(rule, run, step, done.action) AS u;
	END IF;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	answer.effect := 'conflict';
	answer.reason := format('error %s', SQLSTATE) || CASE WHEN automation._may_see(caller, (
		SELECT e.relation FROM automation.entity AS e WHERE e.id = run.entity_id)) THEN ': ' || SQLERRM ELSE '' END;
	RETURN answer;
END
$$;
COMMENT ON FUNCTION automation._undo_step(regrole, automation.rule, automation.run, smallint, boolean) IS 'Takes back a step as it stands now; a recall leaves alone what it wrote';

CREATE FUNCTION automation._note_undoing(run bigint, answer automation._undoing) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	-- The text of an error may have values of columns in it.
	INSERT INTO automation.undo_note (run_id, step, actor, effect, reason)
	VALUES (run, (answer).step, session_user, (answer).effect, regexp_replace((answer).reason, '^(error \w+): .*$', '\1'));
END;
COMMENT ON FUNCTION automation._note_undoing(bigint, automation._undoing) IS 'Notes who has had what taken back';

CREATE FUNCTION automation._check_undoer(caller regrole, rule automation.rule, thing text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT automation._is_operator(caller) AND NOT coalesce(pg_has_role(caller, rule.owner, 'USAGE'), false) THEN
		PERFORM automation._fail('42501', 'must be owner of ' || thing);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_undoer(regrole, automation.rule, text) IS 'Raises an error unless the caller owns the rule or is an operator';

-- Verbs

CREATE FUNCTION automation.undo_run(run bigint) RETURNS TABLE (step smallint, action text, effect text, reason text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.undo_run(bigint)
	IS 'Takes back what a run did, the last step first: sets columns back and deletes rows that nobody has changed since, cancels what waits or is unsent; and says what it could not, and why';

CREATE FUNCTION automation._undo_run(caller regrole, run bigint) RETURNS TABLE (step smallint, action text, effect text, reason text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	undone automation.run;
	rule automation.rule;
	number smallint;
	answer automation._undoing;
BEGIN
	SELECT u.* INTO undone FROM automation.run AS u WHERE u.id = run;
	SELECT r.* INTO rule FROM automation.rule AS r WHERE r.id = undone.rule_id;
	IF undone.id IS NULL THEN
		PERFORM automation._fail('42704', format('run %s does not exist', coalesce(run::text, 'null')));
	ELSIF rule.id IS NULL THEN
		PERFORM automation._fail('55000', format('the rule of run %s has been dropped', run), 'There is nobody left in whose name it could be undone.');
	END IF;
	PERFORM automation._check_undoer(caller, rule, format('the rule of run %s', run));
	FOREACH number IN ARRAY ARRAY(SELECT (e.step ->> 'step')::smallint FROM jsonb_array_elements(undone.steps) AS e(step) ORDER BY 1 DESC) LOOP
		answer := automation._undo_step(caller, rule, undone, number, false);
		PERFORM automation._note_undoing(run, answer);
		RETURN QUERY SELECT answer.*;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._undo_run(regrole, bigint) IS 'automation.undo_run()';

CREATE FUNCTION automation.recall(rule text, since timestamptz DEFAULT '-infinity')
RETURNS TABLE (run bigint, key text, step smallint, action text, effect text, reason text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.recall(text, timestamptz)
	IS 'Cancels what runs of a rule since then wait for and have not sent, and says which messages it comes too late for; what they wrote stays, see undo_run()';

CREATE FUNCTION automation._recall(caller regrole, rule text, since timestamptz)
RETURNS TABLE (run bigint, key text, step smallint, action text, effect text, reason text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	recalled CONSTANT automation.rule := automation._rule(rule);
	past automation.run;
	answer automation._undoing;
BEGIN
	PERFORM automation._check_undoer(caller, recalled, format('rule "%s"', rule));
	FOR past IN SELECT u.* FROM automation.run AS u WHERE u.rule_id = recalled.id AND u.at >= since ORDER BY u.id LOOP
		FOR answer IN
			SELECT (a).*
			FROM automation._steps_now(past.id) AS s, LATERAL automation._undo_step(caller, recalled, past, s.step, true) AS a
			WHERE s.status = 'waiting' OR s.deliveries IS NOT NULL
			ORDER BY s.step
		LOOP
			CONTINUE WHEN answer.effect = 'nothing';
			PERFORM automation._note_undoing(past.id, answer);
			RETURN QUERY SELECT past.id, past.key, answer.*;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._recall(regrole, text, timestamptz) IS 'automation.recall()';

CREATE FUNCTION automation._forget_undone() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM automation.undo_note AS n WHERE NOT EXISTS (SELECT FROM automation.run AS u WHERE u.id = n.run_id);
	DELETE FROM automation.recalled AS r WHERE NOT EXISTS (SELECT FROM automation.delivery AS d WHERE d.id = r.delivery_id);
END;
COMMENT ON FUNCTION automation._forget_undone() IS 'Forgets what was taken back of runs that are in the log no more';
