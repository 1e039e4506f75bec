-- Message templates: texts that rules share.

CREATE FUNCTION automation._template_says(body text, subject text, html text) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_strip_nulls(jsonb_build_object('body', nullif(body, ''), 'subject', nullif(subject, ''), 'html', nullif(html, '')));
COMMENT ON FUNCTION automation._template_says(text, text, text) IS 'The texts of a template that are given';

CREATE FUNCTION automation._template_parts(scope automation._scope, says jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT jsonb_object_agg(p.key, automation._value_sql(scope, p.value,
		CASE p.key WHEN 'subject' THEN 'line' WHEN 'html' THEN 'html' ELSE 'text' END))
	FROM jsonb_each(says) AS p
);
COMMENT ON FUNCTION automation._template_parts(automation._scope, jsonb) IS 'SQL for each text of a template';

CREATE FUNCTION automation._check_template(template automation.component, says jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF says = '{}' THEN
		PERFORM automation._fail('22023', format('template "%s" says nothing', template.name));
	ELSIF template.relation IS NOT NULL THEN
		PERFORM automation._template_parts(automation._scope(template.relation, template.owner, rule => template.name), says);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_template(automation.component, jsonb) IS 'Raises what is wrong with a template; of one that is about no table only rules can tell';

CREATE FUNCTION automation.create_template(
	name text,
	body text,
	subject text DEFAULT NULL,
	html text DEFAULT NULL,
	relation regclass DEFAULT NULL,
	folder text DEFAULT 'Default',
	description text DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_template(text, text, text, text, regclass, text, text)
	IS 'Makes a message template, for steps of with_template(), and answers its version, 1. With a relation its merge tags are checked against that table at once';

CREATE FUNCTION automation._create_template(
	caller regrole,
	name text,
	body text,
	subject text,
	html text,
	relation regclass,
	folder text,
	description text)
RETURNS integer
LANGUAGE sql
RETURN automation._create_component(caller, 'template', name, relation, folder, description, automation._template_says(body, subject, html));
COMMENT ON FUNCTION automation._create_template(regrole, text, text, text, text, regclass, text, text) IS 'automation.create_template()';

CREATE FUNCTION automation.alter_template(
	name text,
	body text DEFAULT NULL,
	subject text DEFAULT NULL,
	html text DEFAULT NULL,
	folder text DEFAULT NULL,
	description text DEFAULT NULL,
	reason text DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.alter_template(text, text, text, text, text, text, text)
	IS 'Changes what is given of a template and answers its version. Every rule with it says the new text from now on; if one of them cannot, nothing changes. An empty text removes a part';

CREATE FUNCTION automation._alter_template(
	caller regrole,
	name text,
	body text,
	subject text,
	html text,
	folder text,
	description text,
	reason text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	template automation.component := automation._own_component(caller, 'template', name);
	said CONSTANT jsonb := automation._says('template', name);
BEGIN
	RETURN automation._alter_component(caller, template, folder, description, automation._template_says(
		coalesce(body, said ->> 'body'), coalesce(subject, said ->> 'subject'), coalesce(html, said ->> 'html')), reason);
END
$$;
COMMENT ON FUNCTION automation._alter_template(regrole, text, text, text, text, text, text, text) IS 'automation.alter_template()';

CREATE FUNCTION automation.drop_template(name text, detach boolean DEFAULT false) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_template(text, boolean) IS 'Drops a template that nothing uses; detach: rules that have it keep its texts as their own';

CREATE FUNCTION automation._action_templates_with(template text) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(array_agg(c.name ORDER BY c.name), '{}')
	FROM automation.component AS c
	WHERE c.kind = 'action_template' AND automation._says(c.kind, c.name) #>> '{step,params,template}' = _action_templates_with.template;
END;
COMMENT ON FUNCTION automation._action_templates_with(text) IS 'Action templates whose steps have a template';

CREATE FUNCTION automation._drop_template(caller regrole, name text, detach boolean) RETURNS void
LANGUAGE sql
RETURN automation._drop_component(caller, 'template', name, detach);
COMMENT ON FUNCTION automation._drop_template(regrole, text, boolean) IS 'automation.drop_template()';

-- In a step

CREATE FUNCTION automation.with_template(template text, step automation.step) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN ROW((step).action, coalesce((step).params, '{}') || jsonb_build_object('template', template),
	(step).timing, (step).condition)::automation.step;
COMMENT ON FUNCTION automation.with_template(text, automation.step)
	IS 'The step, with the texts of a message template for those of body, subject and html that it does not give itself';

CREATE FUNCTION automation._apply_template(step jsonb, says jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	action CONSTANT automation.action_definition := automation._action(step ->> 'action');
	texts jsonb := (SELECT jsonb_object_agg(s.key, s.value) FROM jsonb_each(says) AS s WHERE action.params -> 'properties' ? s.key);
BEGIN
	IF texts IS NULL THEN
		PERFORM automation._fail('22023', format('action "%s" has no text that template "%s" could be', action.name, step -> 'params' ->> 'template'));
	END IF;
	RETURN step || jsonb_build_object('params', texts || (step -> 'params') - 'template');
END
$$;
COMMENT ON FUNCTION automation._apply_template(jsonb, jsonb) IS 'A step with the texts of a template';

-- What it looks like

CREATE FUNCTION automation._row_images_sql(relation regclass) RETURNS text
LANGUAGE sql STABLE
RETURN format('(SELECT (pg_catalog.jsonb_populate_record(NULL::%1$s, ''{}'')).*) AS old, (SELECT (pg_catalog.jsonb_populate_record(NULL::%1$s, $1)).*) AS new', relation);
COMMENT ON FUNCTION automation._row_images_sql(regclass) IS 'What stands for old and new where the row is the jsonb $1, and there was none before';

CREATE FUNCTION automation.preview_template(template text, relation regclass, key text)
RETURNS TABLE (subject text, body text, html text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.preview_template(text, regclass, text) IS 'What a template says of a row that is there, with the rights of the caller';

CREATE FUNCTION automation._preview_template(caller regrole, template text, relation regclass, key text)
RETURNS TABLE (subject text, body text, html text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	says CONSTANT jsonb := automation._says('template', template);
	parts jsonb;
	rendered jsonb;
BEGIN
	PERFORM automation._check_reader(caller, relation);
	parts := automation._template_parts(automation._scope(relation, caller, rule => template), says);
	rendered := automation._ask(caller,
		format('SELECT %s FROM %s', automation._object_sql(parts), automation._row_images_sql(relation)), automation._row(relation, key));
	RETURN QUERY SELECT rendered ->> 'subject', rendered ->> 'body', rendered ->> 'html';
END
$$;
COMMENT ON FUNCTION automation._preview_template(regrole, text, regclass, text) IS 'automation.preview_template()';

CREATE VIEW automation.templates AS
SELECT c.name, c.folder, c.relation, v.says ->> 'subject' AS subject, v.says ->> 'body' AS body, v.says ->> 'html' AS html,
	c.version, automation._rule_names_with(c.kind, c.name) AS rules, c.owner, c.description, c.created_at, v.created_at AS changed_at, v.author, v.reason
FROM automation.component AS c
JOIN automation.component_version AS v ON v.component_id = c.id AND v.version = c.version
WHERE c.kind = 'template'
ORDER BY c.name;
COMMENT ON VIEW automation.templates IS 'Message templates, and the rules that have them';
COMMENT ON COLUMN automation.templates.subject IS 'Subject, of an e-mail';
COMMENT ON COLUMN automation.templates.body IS 'Text';
COMMENT ON COLUMN automation.templates.html IS 'The text as HTML, of an e-mail';
COMMENT ON COLUMN automation.templates.version IS 'Its present version, counted from 1';
COMMENT ON COLUMN automation.templates.rules IS 'Rules that have it';
COMMENT ON COLUMN automation.templates.created_at IS 'When it was made';
COMMENT ON COLUMN automation.templates.changed_at IS 'When its present version was written';
