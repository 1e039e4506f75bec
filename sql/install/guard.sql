-- Guards: rules that refuse a change. All else about them is as with any rule: the language of their
-- conditions, their states and versions, in whose name they look, rules as code.

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('refuse', 'guard', 'engine', 'final', NULL, NULL, '_compile_message', '{
	"required": ["message"],
	"properties": {
		"message": {"type": "string", "template": "text", "description": "what whoever writes is told"},
		"hint": {"type": "string", "template": "text", "description": "what he can do about it"},
		"override": {"type": "string", "template": "line", "description": "role whose members can override it"}}}',
	'Refuses the change: the write fails with the message. The only step of its rule, which so is a guard');

CREATE FUNCTION automation.refuse(message text, hint text DEFAULT NULL, override text DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('refuse', jsonb_build_object('message', message, 'hint', hint, 'override', override));
COMMENT ON FUNCTION automation.refuse(text, text, text)
	IS 'The step of a guard: the write fails with the message. Both texts are templates; members of the role override can have the change made all the same';

CREATE FUNCTION automation.create_guard(
	name text,
	relation regclass,
	condition text,
	message text,
	trigger text DEFAULT 'written',
	params jsonb DEFAULT '{}',
	hint text DEFAULT NULL,
	override text DEFAULT NULL,
	folder text DEFAULT 'Guards',
	description text DEFAULT NULL,
	activate boolean DEFAULT false,
	evaluate text DEFAULT 'row')
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_guard(text, regclass, text, text, text, jsonb, text, text, text, text, boolean, text)
	IS 'Makes a rule that refuses a change for which the condition holds, with a message that is a template, and answers its number. Members of the role override can have the change made all the same';

CREATE FUNCTION automation._create_guard(
	caller regrole,
	name text,
	relation regclass,
	condition text,
	message text,
	trigger text,
	params jsonb,
	hint text,
	override text,
	folder text,
	description text,
	activate boolean,
	evaluate text)
RETURNS integer
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._fail('22004', format('guard "%s" has no condition', _create_guard.name),
		hint => 'For one that refuses every change that its trigger detects, write ''true''.')
	WHERE _create_guard.condition ~ '\S' IS NOT TRUE;
	-- Before all other rules: what they would do is undone anyway.
	SELECT automation._create_rule(caller, name, relation, trigger, params, condition, ARRAY[automation.refuse(message, hint, override)],
		folder, description, activate, 'fail', 0, evaluate, NULL);
END;
COMMENT ON FUNCTION automation._create_guard(regrole, text, regclass, text, text, text, jsonb, text, text, text, text, boolean, text) IS 'automation.create_guard()';

CREATE FUNCTION automation._is_guard(rule_id integer) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT v.steps -> 0 ->> 'action' = 'refuse'
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
	WHERE r.id = _is_guard.rule_id;
END;
COMMENT ON FUNCTION automation._is_guard(integer) IS 'Whether a rule refuses changes';

CREATE VIEW automation.guards AS
SELECT r.name, r.folder, r.relation, r.trigger, r.params, r.condition, s.params ->> 'message' AS message, s.params ->> 'hint' AS hint,
	s.params ->> 'override' AS override, r.evaluate, r.state, r.state_icon, r.valid, r.problem, r.owner, r.version, r.description
FROM automation.rules AS r
JOIN automation.rule_steps AS s ON s.rule = r.name AND s.action = 'refuse'
ORDER BY r.position, r.id;
COMMENT ON VIEW automation.guards IS 'Rules that refuse changes; one that is active and not valid refuses every change that it would have to judge';
COMMENT ON COLUMN automation.guards.override IS 'Role whose members can have the change made all the same';
COMMENT ON COLUMN automation.guards.name IS 'What users call it';
COMMENT ON COLUMN automation.guards.folder IS 'Where it is listed';
COMMENT ON COLUMN automation.guards.relation IS 'Table whose changes it may refuse';
COMMENT ON COLUMN automation.guards.trigger IS 'Trigger of automation.triggers';
COMMENT ON COLUMN automation.guards.params IS 'Parameters of the trigger';
COMMENT ON COLUMN automation.guards.condition IS 'When it refuses: SQL over new and old, or a JSON tree';
COMMENT ON COLUMN automation.guards.message IS 'What the error says; a template';
COMMENT ON COLUMN automation.guards.hint IS 'What could be done; a template';
COMMENT ON COLUMN automation.guards.evaluate IS 'row: with each change; commit: once per row, at the end of the transaction';
COMMENT ON COLUMN automation.guards.state IS 'draft, active, paused or disabled';
COMMENT ON COLUMN automation.guards.state_icon IS 'The state as a sign';
COMMENT ON COLUMN automation.guards.valid IS 'Whether it can be judged';
COMMENT ON COLUMN automation.guards.problem IS 'Why not';
COMMENT ON COLUMN automation.guards.owner IS 'Role in whose name it is judged';
COMMENT ON COLUMN automation.guards.version IS 'Its present version, counted from 1';
COMMENT ON COLUMN automation.guards.description IS 'What it is for';
