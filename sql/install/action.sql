-- What a rule can do: the library of actions, the builders of steps, and what compiles a step into
-- the body of a function.

CREATE TABLE automation.action_definition (
	name text PRIMARY KEY,
	category text NOT NULL,
	kind text NOT NULL CHECK (kind IN ('message', 'statement', 'engine')),
	undo text NOT NULL CHECK (undo IN ('reversible', 'recallable', 'final')),
	channel_kind text CHECK (channel_kind IN ('sms', 'email', 'webhook')),
	message_class text CHECK (message_class IN ('transactional', 'internal')),
	compiler text NOT NULL,
	params jsonb NOT NULL,
	description text NOT NULL
);
COMMENT ON TABLE automation.action_definition IS 'The library of actions (read only)';
COMMENT ON COLUMN automation.action_definition.name IS 'Name of the action, as in automation.action()';
COMMENT ON COLUMN automation.action_definition.category IS 'What the action is for';
COMMENT ON COLUMN automation.action_definition.kind IS 'message: sent after commit; statement: done in the writer''s transaction; engine: done by the engine itself';
COMMENT ON COLUMN automation.action_definition.channel_kind IS 'Kind of channel that a message goes through';
COMMENT ON COLUMN automation.action_definition.undo IS 'reversible: what was written can be set back; recallable: until it is sent; final: neither';
COMMENT ON COLUMN automation.action_definition.message_class IS 'Class of a message that does not name its own; null: it sends none, or to machines';
COMMENT ON COLUMN automation.action_definition.compiler IS 'Function of schema automation that turns a step into SQL';
COMMENT ON COLUMN automation.action_definition.params IS 'JSON schema of the parameters; "template" tells how a merge field is escaped';
COMMENT ON COLUMN automation.action_definition.description IS 'What the action does';

CREATE VIEW automation.actions AS
SELECT name, category, kind, channel_kind, params -> 'properties' AS params,
	params -> 'required' AS required, description, undo, message_class
FROM automation.action_definition;
COMMENT ON VIEW automation.actions IS 'What a rule can do, with the parameters of each action';
COMMENT ON COLUMN automation.actions.undo IS 'reversible: what was written can be set back; recallable: until it is sent; final: neither';
COMMENT ON COLUMN automation.actions.message_class IS 'Class of its messages, unless a step names another; null: it sends none, or to machines';
COMMENT ON COLUMN automation.actions.required IS 'Parameters that must be given';

-- Builders. Each answers one step; only_if(), after() and the like wrap it.

CREATE FUNCTION automation.action(type text, params jsonb) RETURNS automation.step
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(params) <> 'object' THEN
		RAISE EXCEPTION USING ERRCODE = '22023', MESSAGE = format('parameters of action "%s" must be a JSON object', type);
	END IF;
	RETURN ROW(
		type,
		(SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}') FROM jsonb_each(params) AS p(key, value)
		WHERE p.value <> 'null'),
		'{}',
		NULL
	)::automation.step;
END
$$;
COMMENT ON FUNCTION automation.action(text, jsonb) IS 'A step of any action of automation.actions; a parameter that is null is left out';

CREATE FUNCTION automation.only_if(condition text, step automation.step) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN ROW(
	(step).action,
	(step).params,
	(step).timing,
	CASE
		WHEN (step).condition IS NULL THEN condition
		WHEN starts_with(ltrim(condition), '{') AND starts_with(ltrim((step).condition), '{')
		THEN jsonb_build_object('combinator', 'and', 'rules',
			jsonb_build_array(condition::jsonb, (step).condition::jsonb))::text
		ELSE format('(%s) AND (%s)', condition, (step).condition)
	END
)::automation.step;
COMMENT ON FUNCTION automation.only_if(text, automation.step)
	IS 'The step, taken only when the condition (SQL over new and old, or a JSON tree) holds';

CREATE FUNCTION automation._timed(step automation.step, timing jsonb) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN ROW((step).action, (step).params, coalesce((step).timing, '{}') || timing, (step).condition)::automation.step;
COMMENT ON FUNCTION automation._timed(automation.step, jsonb) IS 'The step, with more said about its time';

CREATE FUNCTION automation.after_previous(step automation.step) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation._timed(step, '{"after_previous": true}');
COMMENT ON FUNCTION automation.after_previous(automation.step)
	IS 'The step, taken only when the step before it is finished, its messages delivered, and has not failed';

CREATE FUNCTION automation.after(
	delay text,
	step automation.step,
	cancel_if_changed text[] DEFAULT NULL,
	anchor text DEFAULT 'trigger',
	options jsonb DEFAULT '{}')
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation._timed(step, jsonb_build_object('delay', delay, 'anchor', anchor)
	|| CASE WHEN cancel_if_changed IS NULL THEN '{}' ELSE jsonb_build_object('cancel_if_changed', cancel_if_changed) END
	|| coalesce(options, '{}'));
COMMENT ON FUNCTION automation.after(text, automation.step, text[], text, jsonb)
	IS 'The step, taken later: so long after the trigger, the previous step, the row''s entering or leaving its stage, or a date of the row (field:due_on). A change of one of the columns cancels it. options: cancel_mode, cancel_when, and the calendar''s';

CREATE FUNCTION automation.at("time" text, step automation.step, cancel_if_changed text[] DEFAULT NULL, options jsonb DEFAULT '{}')
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation._timed(step, jsonb_build_object('at', "time")
	|| CASE WHEN cancel_if_changed IS NULL THEN '{}' ELSE jsonb_build_object('cancel_if_changed', cancel_if_changed) END
	|| coalesce(options, '{}'));
COMMENT ON FUNCTION automation.at(text, automation.step, text[], jsonb) IS 'The step, taken at that time. A change of one of the columns cancels it';

-- Compiling. Each compiler answers the body of automation_compiled.rule_<id>_<version>_step_<n>():
-- one query whose one column is jsonb.

CREATE TYPE automation._site AS (rule_id integer, version integer, step integer, action text);
COMMENT ON TYPE automation._site IS 'Which step of which rule is being compiled';

CREATE FUNCTION automation._is_constant(template text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN strpos(template, '{{') = 0 AND strpos(template, '{%') = 0;
COMMENT ON FUNCTION automation._is_constant(text) IS 'Whether a template has no tags';

CREATE FUNCTION automation._call_sql(function text, arguments text[]) RETURNS text
LANGUAGE sql IMMUTABLE
-- A function takes at most 100 arguments.
RETURN (
	SELECT coalesce(string_agg(format('pg_catalog.%s(%s)', function, array_to_string(chunk, ', ')), ' || ' ORDER BY start),
		format('pg_catalog.%s()', function))
	FROM generate_series(1, cardinality(arguments), 50) AS start,
		LATERAL (SELECT arguments[start:start + 49] AS chunk) AS c
);
COMMENT ON FUNCTION automation._call_sql(text, text[]) IS 'SQL that builds a jsonb object or array of any size';

CREATE FUNCTION automation._person(scope automation._scope, person text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
	WHEN automation._roles(scope.relation) ? person THEN format('{{ %s }}', automation._path_text(ARRAY[person]))
	ELSE person
END;
COMMENT ON FUNCTION automation._person(automation._scope, text) IS 'Template for a user: the name of a role of the record stands for its value';

CREATE FUNCTION automation._value_sql(scope automation._scope, value jsonb, destination text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE jsonb_typeof(value)
	WHEN 'object' THEN
		PERFORM automation._fail('22023', format('key "%s" contains a merge tag', k.key), hint => 'Merge tags are for values.')
		FROM jsonb_object_keys(value) AS k(key)
		WHERE k.key ~ '\{\{|\{%';
		RETURN automation._call_sql('jsonb_build_object', ARRAY(
			SELECT format('%L::text, %s', member.key, automation._value_sql(scope, member.value, destination))
			FROM jsonb_each(value) AS member
			ORDER BY member.key));
	WHEN 'array' THEN
		RETURN automation._call_sql('jsonb_build_array', ARRAY(
			SELECT automation._value_sql(scope, element.value, destination)
			FROM jsonb_array_elements(value) WITH ORDINALITY AS element(value, place)
			ORDER BY element.place));
	WHEN 'string' THEN
		IF destination = 'person' THEN
			RETURN automation._template_sql(scope, automation._person(scope, value #>> '{}'), 'address');
		END IF;
		RETURN automation._template_sql(scope, value #>> '{}', destination);
	ELSE
		RETURN format('%L::pg_catalog.jsonb', value);
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._value_sql(automation._scope, jsonb, text) IS 'SQL for a parameter: each text in it is a template';

-- One step

CREATE FUNCTION automation._action(name text) RETURNS automation.action_definition
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	definition automation.action_definition;
BEGIN
	SELECT d.* INTO definition FROM automation.action_definition AS d WHERE d.name = _action.name;
	IF NOT FOUND THEN
		PERFORM automation._no_such('action', name, ARRAY(SELECT d.name FROM automation.action_definition AS d), 'actions');
	END IF;
	RETURN definition;
END
$$;
COMMENT ON FUNCTION automation._action(text) IS 'An action by its name';

CREATE FUNCTION automation._compile_action(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	definition automation.action_definition := automation._action(site.action);
	body text;
BEGIN
	PERFORM automation._check_params(format('action "%s"', site.action), definition.params, params);
	IF definition.kind = 'message' THEN
		PERFORM automation._check_channel(scope.owner, params ->> 'channel', definition.channel_kind);
		PERFORM automation._check_recipient(definition.channel_kind, recipient #>> '{}')
		FROM jsonb_path_query(coalesce(params -> 'recipient', params -> 'attendees', params -> 'path'), '$[*]') AS recipient
		WHERE automation._is_constant(recipient #>> '{}');
	END IF;
	EXECUTE format('SELECT automation.%I($1, $2, $3)', definition.compiler) INTO body USING scope, site, params;
	RETURN body;
END
$$;
COMMENT ON FUNCTION automation._compile_action(automation._scope, automation._site, jsonb) IS 'Checks an action''s parameters and answers the body of its function';

CREATE FUNCTION automation.describe_action(name text) RETURNS jsonb
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.describe_action(text) IS 'All that is known of an action: category, undo, class of its messages, and the JSON schema of its parameters, for who draws a form';

CREATE FUNCTION automation._describe_action(caller regrole, name text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT jsonb_build_object('name', d.name, 'description', d.description, 'category', d.category, 'kind', d.kind,
		'channel_kind', d.channel_kind, 'undo', d.undo, 'message_class', d.message_class,
		'params', jsonb_build_object('type', 'object', 'properties', d.params -> 'properties',
			'required', coalesce(d.params -> 'required', '[]'), 'additionalProperties', false))
	FROM automation._action(name) AS d
);
COMMENT ON FUNCTION automation._describe_action(regrole, text) IS 'automation.describe_action()';
