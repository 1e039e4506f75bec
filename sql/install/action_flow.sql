-- How a rule goes on, and others with it.
--
-- Steps are one flat list. A step that decides (branch, split, wait_until) leaves its choice, the arm, in the
-- log of the run, and steps that belong to an arm have the condition automation.took(decision, arm): so
-- they all go the same way, whatever the row has become when a later one is due (decision.sql).

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('start_rule', 'flow', 'engine', 'final', NULL, NULL, '_compile_other_rule', '{
	"required": ["rule"],
	"properties": {"rule": {"type": "string", "description": "name of a rule on the same table"}}}',
	'Runs another rule for the same row'),
('stop_rule', 'flow', 'engine', 'final', NULL, NULL, '_compile_other_rule', '{
	"required": ["rule"],
	"properties": {"rule": {"type": "string", "description": "name of a rule on the same table"}}}',
	'Ends what another rule still has to do for the same row'),
('wait', 'flow', 'engine', 'final', NULL, NULL, '_compile_nothing', '{"properties": {}}',
	'Does nothing, at the time that its timing says; what stands behind it in the list comes after it'),
('wait_until', 'flow', 'engine', 'final', NULL, NULL, '_compile_wait_until', '{
	"required": ["condition"],
	"properties": {
		"condition": {"type": ["string", "object"], "description": "SQL over new, or a JSON tree; judged whenever a column of the record in it changes"},
		"decision": {"type": "string", "description": "what automation.took() calls it, its condition by default"}}}',
	'Waits until a condition holds, and no longer than its timing says: goes the way "met" or "timed out"'),
('branch', 'flow', 'engine', 'final', NULL, NULL, '_compile_branch', '{
	"required": ["condition"],
	"properties": {
		"condition": {"type": ["string", "object"], "description": "SQL over new and old, or a JSON tree"},
		"decision": {"type": "string", "description": "what automation.took() calls it, its condition by default"}}}',
	'Goes the way "then" or "else"'),
('split', 'flow', 'engine', 'final', NULL, NULL, '_compile_split', '{
	"required": ["decision", "weights"],
	"properties": {
		"decision": {"type": "string", "description": "what automation.took() calls it; splits of one name go the same way"},
		"weights": {"type": "object", "description": "how many of all go each way: {\"a\": 1, \"b\": 1}"},
		"by": {"type": "string", "description": "template: who has the same goes the same way; the key of the record by default"}}}',
	'Goes one of several ways by chance, but the same one for the same record');

CREATE FUNCTION automation.start_rule(rule text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('start_rule', jsonb_build_object('rule', rule));
COMMENT ON FUNCTION automation.start_rule(text) IS 'A step that runs another rule for the same row';

CREATE FUNCTION automation.stop_rule(rule text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('stop_rule', jsonb_build_object('rule', rule));
COMMENT ON FUNCTION automation.stop_rule(text) IS 'A step that ends what another rule still has to do for the same row';

CREATE FUNCTION automation.wait(delay text, cancel_if_changed text[] DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.after(delay, automation.action('wait', '{}'), cancel_if_changed, options => options);
COMMENT ON FUNCTION automation.wait(text, text[], jsonb)
	IS 'A step that does nothing for so long. All steps behind it in the list come after it, one after the other; options: as in after()';

CREATE FUNCTION automation.in_arm(decision text, arm text, steps automation.step[]) RETURNS automation.step[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(
	SELECT automation.only_if(CASE WHEN ltrim((s).condition) ~ '^\{' THEN jsonb_build_object('took', jsonb_build_array(decision, arm))::text
		ELSE format('automation.took(%L, %L)', decision, arm) END, s)
	FROM unnest(steps) AS s
);
COMMENT ON FUNCTION automation.in_arm(text, text, automation.step[]) IS 'The steps, taken only when the run went that way at a decision before: branch(), split() or wait_until()';

CREATE FUNCTION automation._decision(name text, condition text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN coalesce(name, left(btrim(regexp_replace(condition, '\s+', ' ', 'g')), 60));
COMMENT ON FUNCTION automation._decision(text, text) IS 'What a decision is called: its own name, or else its condition';

CREATE FUNCTION automation.branch(
	condition text,
	"then" automation.step[],
	"else" automation.step[] DEFAULT '{}',
	decision text DEFAULT NULL)
RETURNS automation.step[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY[automation.action('branch', jsonb_build_object('condition', condition, 'decision', automation._decision(decision, condition)))]
	|| automation.in_arm(automation._decision(decision, condition), 'then', "then")
	|| automation.in_arm(automation._decision(decision, condition), 'else', "else");
COMMENT ON FUNCTION automation.branch(text, automation.step[], automation.step[], text)
	IS 'Steps: one that decides by the condition, and those for either way. Put them among others with ||';

CREATE FUNCTION automation.split(decision text, weights jsonb, "by" text DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('split', jsonb_build_object('decision', decision, 'weights', weights, 'by', "by"));
COMMENT ON FUNCTION automation.split(text, jsonb, text) IS 'A step that goes one of several ways by chance, the same one for the same record; what follows in in_arm(decision, way, steps)';

CREATE FUNCTION automation.wait_until(
	condition text,
	timeout text,
	met automation.step[] DEFAULT '{}',
	timed_out automation.step[] DEFAULT '{}',
	decision text DEFAULT NULL,
	options jsonb DEFAULT '{}')
RETURNS automation.step[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY[automation.after(timeout, automation.action('wait_until',
		jsonb_build_object('condition', condition, 'decision', automation._decision(decision, condition))), options => options)]
	|| automation.in_arm(automation._decision(decision, condition), 'met', met)
	|| automation.in_arm(automation._decision(decision, condition), 'timed out', timed_out);
COMMENT ON FUNCTION automation.wait_until(text, text, automation.step[], automation.step[], text, jsonb)
	IS 'Steps: one that waits until the condition holds, at most so long, and those for either case. Put them among others with ||; options: as in after()';

CREATE FUNCTION automation.escalate(
	chain jsonb,
	message text,
	cancel_if_changed text[] DEFAULT NULL,
	cancel_when text DEFAULT NULL)
RETURNS automation.step[]
LANGUAGE C IMMUTABLE AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.escalate(jsonb, text, text[], text)
	IS 'Steps that tell one after the other, each {after, to, sms or email: a channel; a notification without}, until a column changes or cancel_when holds';

CREATE FUNCTION automation._escalate(caller regrole, chain jsonb, message text, cancel_if_changed text[], cancel_when text) RETURNS automation.step[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	steps automation.step[] := '{}';
	rung jsonb;
	step automation.step;
	options CONSTANT jsonb := CASE WHEN cancel_when IS NULL THEN '{}' ELSE jsonb_build_object('cancel_when', cancel_when) END;
BEGIN
	IF jsonb_typeof(chain) IS DISTINCT FROM 'array' OR chain = '[]' THEN
		PERFORM automation._fail('22023', 'chain of escalate() must be an array',
			hint => 'For example: [{"to": "owner"}, {"after": "30 minutes", "to": "+12025550100", "sms": "twilio"}].');
	END IF;
	FOR rung IN SELECT jsonb_array_elements(chain) LOOP
		PERFORM automation._check_params('a part of the chain of escalate()', '{"required": ["to"], "properties": {
			"after": {"type": "string"}, "to": {"type": ["string", "array"]}, "sms": {"type": "string"}, "email": {"type": "string"}}}', rung);
		FOREACH step IN ARRAY
			CASE WHEN rung ? 'sms' THEN ARRAY[automation.action('send_sms',
				jsonb_build_object('channel', rung -> 'sms', 'recipient', rung -> 'to', 'body', message))] END
			|| CASE WHEN rung ? 'email' THEN ARRAY[automation.action('send_email',
				jsonb_build_object('channel', rung -> 'email', 'recipient', rung -> 'to', 'subject', message, 'body', message))] END
			|| CASE WHEN NOT rung ?| '{sms,email}' THEN ARRAY[automation.action('notify',
				jsonb_build_object('recipient', rung -> 'to', 'body', message))] END
		LOOP
			steps := steps || CASE WHEN rung ? 'after'
				THEN automation.after(rung ->> 'after', step, cancel_if_changed, options => options) ELSE step END;
		END LOOP;
	END LOOP;
	RETURN steps;
END
$$;
COMMENT ON FUNCTION automation._escalate(regrole, jsonb, text, text[], text) IS 'automation.escalate()';

-- What a step that decides is compiled to: {"decision": ..., "arm": ...}

CREATE FUNCTION automation._arm_sql(scope automation._scope, decision text, arm text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN automation._select_sql((scope).row_relation,
	format('pg_catalog.jsonb_build_object(''decision''::text, %L::text, ''arm''::text, %s)', decision, arm));
COMMENT ON FUNCTION automation._arm_sql(automation._scope, text, text) IS 'Query for which way a run goes; arm: SQL for its name';

CREATE FUNCTION automation._compile_nothing(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN automation._select_sql((scope).row_relation, 'NULL::pg_catalog.jsonb');
COMMENT ON FUNCTION automation._compile_nothing(automation._scope, automation._site, jsonb) IS 'Query for wait, which does nothing';

CREATE FUNCTION automation._compile_wait_until(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN automation._arm_sql(scope, automation._decision(params ->> 'decision', params ->> 'condition'),
	format('CASE WHEN %s THEN ''met''::text ELSE ''timed out''::text END', automation._condition_sql(scope, params ->> 'condition')));
COMMENT ON FUNCTION automation._compile_wait_until(automation._scope, automation._site, jsonb) IS 'Query for wait_until, when its time has come or the condition holds';

CREATE FUNCTION automation._compile_branch(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN automation._arm_sql(scope, automation._decision(params ->> 'decision', params ->> 'condition'),
	format('CASE WHEN %s THEN ''then''::text ELSE ''else''::text END', automation._condition_sql(scope, params ->> 'condition')));
COMMENT ON FUNCTION automation._compile_branch(automation._scope, automation._site, jsonb) IS 'Query for branch';

CREATE FUNCTION automation._compile_split(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	weights CONSTANT jsonb := params -> 'weights';
	who CONSTANT text := CASE WHEN params ? 'by' THEN automation._template_sql(scope, params ->> 'by', 'text') ELSE (
		SELECT format('concat_ws(''|'', %s)', string_agg(k.value, ', ' ORDER BY k.key)) FROM jsonb_each_text(automation._subject_key(scope)) AS k) END;
BEGIN
	IF (SELECT count(*) FROM jsonb_object_keys(weights)) < 2
		OR jsonb_path_exists(weights, '$.* ? (@.type() != "number" || @ < 0 || @ > 1000000 || @.floor() != @)')
		OR (SELECT sum(w::numeric) FROM jsonb_each_text(weights) AS e(k, w)) = 0
	THEN
		PERFORM automation._fail('22023', format('invalid weights of action "split": %s', weights),
			hint => 'Give two ways or more a whole number each, for example {"a": 50, "b": 50}.');
	END IF;
	RETURN automation._arm_sql(scope, params ->> 'decision', format(
		'(SELECT w.arm FROM (VALUES %s) AS w (arm, upto), LATERAL (SELECT (pg_catalog.hashtextextended(%s, %s) & 9223372036854775807) %% %s) AS h (n) '
		'WHERE h.n < w.upto ORDER BY w.upto LIMIT 1)',
		(
			SELECT string_agg(format('(%L::text, %s::bigint)', u.key, u.upto), ', ')
			FROM (SELECT e.key, sum(e.value::bigint) OVER (ORDER BY e.key) AS upto FROM jsonb_each_text(weights) AS e WHERE e.value::bigint > 0) AS u
		),
		who, hashtextextended(params ->> 'decision', 0), (SELECT sum(e.value::bigint) FROM jsonb_each_text(weights) AS e)));
END
$$;
COMMENT ON FUNCTION automation._compile_split(automation._scope, automation._site, jsonb) IS 'Query for split: by a hash, so that nothing has to be kept for it to stay the same';
