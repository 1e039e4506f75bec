-- Action templates: steps with parameters, by name. "${x}" in one stands for its parameter x, as in playbooks.

CREATE FUNCTION automation._action_template_schema(says jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE -- parameters are those of playbooks
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT jsonb_build_object(
			'properties', coalesce(jsonb_object_agg(p.key, automation._playbook_param(p.value)), '{}'),
			'required', coalesce(jsonb_agg(p.key) FILTER (WHERE jsonb_typeof(p.value) = 'object' AND NOT p.value ?| '{default,optional}'), '[]'))
		FROM jsonb_each(says -> 'params') AS p);
END
$$;
COMMENT ON FUNCTION automation._action_template_schema(jsonb) IS 'JSON schema of the parameters of an action template';

CREATE FUNCTION automation._check_action_template(template automation.component, says jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	unknown text := (
		SELECT m[1] FROM regexp_matches((says -> 'step')::text, '\$\{([\w.]+)\}', 'g') AS m
		WHERE NOT says -> 'params' ? m[1] LIMIT 1);
BEGIN
	IF unknown IS NOT NULL THEN
		PERFORM automation._fail('22023', format('action template "%s" has no parameter "%s"', template.name, unknown),
			hint => automation._perhaps(unknown, ARRAY(SELECT jsonb_object_keys(says -> 'params'))));
	ELSIF says #>> '{step,action}' IS NULL THEN
		PERFORM automation._fail('22023', format('action template "%s" has no step', template.name));
	ELSIF says #>> '{step,action}' = 'use' THEN
		PERFORM automation._fail('0A000', 'an action template cannot use another one');
	ELSIF says #>> '{step,action}' IN ('wait', 'wait_until', 'branch', 'split') THEN
		PERFORM automation._fail('0A000', 'an action template cannot decide how the steps behind it go on',
			format('What stands behind "%s" in a rule is planned by it; another version of the template would change that in rules that nobody looks at.', says #>> '{step,action}'),
			'Write it into the rule. What is done before and behind it may be action templates, and so may a step that waits by itself: automation.after().');
	END IF;
	PERFORM automation._action(says -> 'step' ->> 'action');
	IF says #> '{step,params}' ? 'template' THEN
		PERFORM automation._component('template', says #>> '{step,params,template}');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_action_template(automation.component, jsonb) IS 'Raises what is wrong with an action template; whether it suits a table only a rule can tell';

CREATE FUNCTION automation._action_template_says(step automation.step, params jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('step', automation._step_json(step), 'params', coalesce(nullif(params, 'null'), '{}'));
COMMENT ON FUNCTION automation._action_template_says(automation.step, jsonb) IS 'What an action template says';

CREATE FUNCTION automation.create_action_template(
	name text,
	step automation.step,
	params jsonb DEFAULT '{}',
	folder text DEFAULT 'Default',
	description text DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_action_template(text, automation.step, jsonb, text, text)
	IS 'Makes an action template and answers its version, 1. "${x}" in the step stands for its parameter x; params: a default for each, or {"type": ..., "description": ...} for one that must be given';

CREATE FUNCTION automation._create_action_template(caller regrole, name text, step automation.step, params jsonb, folder text, description text)
RETURNS integer
LANGUAGE sql
RETURN automation._create_component(caller, 'action_template', name, NULL, folder, description, automation._action_template_says(step, params));
COMMENT ON FUNCTION automation._create_action_template(regrole, text, automation.step, jsonb, text, text) IS 'automation.create_action_template()';

CREATE FUNCTION automation.alter_action_template(
	name text,
	step automation.step DEFAULT NULL,
	params jsonb DEFAULT NULL,
	folder text DEFAULT NULL,
	description text DEFAULT NULL,
	reason text DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.alter_action_template(text, automation.step, jsonb, text, text, text)
	IS 'Changes what is given of an action template and answers its version. Every rule with it does so from now on; if one of them cannot, nothing changes';

CREATE FUNCTION automation._alter_action_template(
	caller regrole,
	name text,
	step automation.step,
	params jsonb,
	folder text,
	description text,
	reason text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	template automation.component := automation._own_component(caller, 'action_template', name);
	says jsonb := automation._says('action_template', name);
BEGIN
	IF step.action IS NOT NULL THEN
		says := says || automation._action_template_says(step, says -> 'params');
	END IF;
	RETURN automation._alter_component(caller, template, folder, description,
		says || CASE WHEN params IS NULL THEN '{}' ELSE jsonb_build_object('params', params) END, reason);
END
$$;
COMMENT ON FUNCTION automation._alter_action_template(regrole, text, automation.step, jsonb, text, text, text) IS 'automation.alter_action_template()';

CREATE FUNCTION automation.drop_action_template(name text, detach boolean DEFAULT false) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_action_template(text, boolean) IS 'Drops an action template that no rule uses; detach: rules that have it keep the step as their own';

CREATE FUNCTION automation._drop_action_template(caller regrole, name text, detach boolean) RETURNS void
LANGUAGE sql
RETURN automation._drop_component(caller, 'action_template', name, detach);
COMMENT ON FUNCTION automation._drop_action_template(regrole, text, boolean) IS 'automation.drop_action_template()';

-- In a rule

CREATE FUNCTION automation.use(template text, args jsonb DEFAULT '{}') RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('use', jsonb_build_object('template', template, 'args', args));
COMMENT ON FUNCTION automation.use(text, jsonb) IS 'The step of an action template, with these parameters. after(), only_if() and the like add to what the template says';

CREATE FUNCTION automation._apply_action_template(step jsonb, says jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name CONSTANT text := step -> 'params' ->> 'template';
	args CONSTANT jsonb := coalesce(step -> 'params' -> 'args', '{}');
	schema CONSTANT jsonb := automation._action_template_schema(says);
	defaults CONSTANT jsonb := (
		SELECT coalesce(jsonb_object_agg(p.key, p.value -> 'default'), '{}') FROM jsonb_each(schema -> 'properties') AS p WHERE p.value ? 'default');
	filled jsonb;
	own automation.step;
BEGIN
	PERFORM automation._check_params('action "use"', '{"properties": {"template": {"type": "string"}, "args": {"type": "object"}}}', step -> 'params');
	PERFORM automation._check_params(format('action template "%s"', name), schema, args);
	filled := automation._playbook_filled(says -> 'step', defaults || args);
	own := ROW(filled ->> 'action', filled -> 'params', coalesce(filled -> 'timing', '{}') || coalesce(step -> 'timing', '{}'), filled ->> 'condition');
	IF step ->> 'condition' IS NOT NULL THEN
		own := automation.only_if(step ->> 'condition', own);
	END IF;
	RETURN automation._step_json(own);
END
$$;
COMMENT ON FUNCTION automation._apply_action_template(jsonb, jsonb) IS 'The step that the use of an action template comes to';

CREATE VIEW automation.action_templates AS
SELECT c.name, c.folder, v.says #>> '{step,action}' AS action, v.says -> 'step' AS step, v.says -> 'params' AS params,
	c.version, automation._rule_names_with(c.kind, c.name) AS rules, c.owner, c.description, c.created_at, v.created_at AS changed_at, v.author, v.reason
FROM automation.component AS c
JOIN automation.component_version AS v ON v.component_id = c.id AND v.version = c.version
WHERE c.kind = 'action_template'
ORDER BY c.name;
COMMENT ON VIEW automation.action_templates IS 'Action templates, and the rules that have them';
COMMENT ON COLUMN automation.action_templates.action IS 'The action it does';
COMMENT ON COLUMN automation.action_templates.step IS 'Array of one {action, params, timing, condition}';
COMMENT ON COLUMN automation.action_templates.params IS 'Its parameters: a default for each, or {"type": ..., "description": ...} for one that must be given';
COMMENT ON COLUMN automation.action_templates.version IS 'Its present version, counted from 1';
COMMENT ON COLUMN automation.action_templates.rules IS 'Rules that use it';
COMMENT ON COLUMN automation.action_templates.created_at IS 'When it was made';
COMMENT ON COLUMN automation.action_templates.changed_at IS 'When its present version was written';
