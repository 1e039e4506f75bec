-- What rules share, by name: message templates, action templates and filters. A rule says which, and what
-- that says is a part of the rule's version; another version of it is a new version of every rule with it.

CREATE TABLE automation.component (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind text NOT NULL CHECK (kind IN ('template', 'action_template', 'filter')),
	name text NOT NULL,
	folder text NOT NULL DEFAULT 'Default',
	description text,
	relation regclass,
	owner regrole NOT NULL,
	version integer NOT NULL,
	created_at timestamptz NOT NULL DEFAULT automation._now(),
	UNIQUE (kind, name)
);
COMMENT ON TABLE automation.component IS 'What rules share, as it is now';
COMMENT ON COLUMN automation.component.id IS 'Its number';
COMMENT ON COLUMN automation.component.kind IS 'template, action_template or filter';
COMMENT ON COLUMN automation.component.name IS 'What rules call it';
COMMENT ON COLUMN automation.component.folder IS 'Where it is listed';
COMMENT ON COLUMN automation.component.description IS 'What it is for';
COMMENT ON COLUMN automation.component.relation IS 'Table whose rows it is about; null: of any table that has what it names';
COMMENT ON COLUMN automation.component.owner IS 'Who may change it';
COMMENT ON COLUMN automation.component.version IS 'The version that rules take';
COMMENT ON COLUMN automation.component.created_at IS 'When it was made';

CREATE TABLE automation.component_version (
	component_id integer NOT NULL,
	version integer NOT NULL,
	says jsonb NOT NULL,
	author regrole NOT NULL,
	reason text,
	created_at timestamptz NOT NULL DEFAULT automation._now(),
	PRIMARY KEY (component_id, version)
);
COMMENT ON TABLE automation.component_version IS 'What each component said when';
COMMENT ON COLUMN automation.component_version.component_id IS 'The component';
COMMENT ON COLUMN automation.component_version.version IS 'Counted from 1 in each';
COMMENT ON COLUMN automation.component_version.says IS 'template: subject, body, html; action_template: step, params; filter: condition';
COMMENT ON COLUMN automation.component_version.author IS 'Who wrote it';
COMMENT ON COLUMN automation.component_version.reason IS 'Why it was changed';
COMMENT ON COLUMN automation.component_version.created_at IS 'When it was written';

CREATE FUNCTION automation._kind_name(kind text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN replace(kind, '_', ' ');
COMMENT ON FUNCTION automation._kind_name(text) IS 'A kind of component in a message';

CREATE FUNCTION automation._component(kind text, name text) RETURNS automation.component
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	component automation.component;
BEGIN
	SELECT c.* INTO component FROM automation.component AS c WHERE c.kind = _component.kind AND c.name = _component.name;
	IF NOT FOUND AND kind <> ALL ('{template,action_template,filter}') THEN
		PERFORM automation._fail('22023', format('invalid kind: "%s"', kind),
			hint => 'Valid kinds are: rule, template, action_template, filter.');
	ELSIF NOT FOUND THEN
		PERFORM automation._no_such(automation._kind_name(kind), name,
			ARRAY(SELECT c.name FROM automation.component AS c WHERE c.kind = _component.kind), kind || 's');
	END IF;
	RETURN component;
END
$$;
COMMENT ON FUNCTION automation._component(text, text) IS 'A component by its kind and name';

CREATE FUNCTION automation._says(kind text, name text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT v.says
	FROM automation._component(kind, name) AS c
	JOIN automation.component_version AS v ON v.component_id = c.id AND v.version = c.version;
END;
COMMENT ON FUNCTION automation._says(text, text) IS 'What a component says now';

CREATE FUNCTION automation._own_component(caller regrole, kind text, name text) RETURNS automation.component
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	component automation.component := automation._component(kind, name);
BEGIN
	-- Two who change one of them take turns.
	SELECT c.* INTO component FROM automation.component AS c WHERE c.id = component.id FOR UPDATE;
	IF NOT pg_has_role(caller, component.owner, 'USAGE') THEN
		PERFORM automation._fail('42501', format('must be owner of %s "%s"', automation._kind_name(kind), name));
	END IF;
	RETURN component;
END
$$;
COMMENT ON FUNCTION automation._own_component(regrole, text, text) IS 'A component that the caller may change';

CREATE FUNCTION automation._check_relation_of(caller regrole, relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF relation IS NOT NULL THEN
		PERFORM automation._entity(relation);
		IF NOT has_table_privilege(caller, relation, 'SELECT') THEN
			PERFORM automation._fail('42501', format('permission denied for table %s', automation._relation_name(relation)));
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_relation_of(regrole, regclass) IS 'Raises an error unless something may be about rows of the table';

CREATE FUNCTION automation._create_component(
	caller regrole,
	kind text,
	name text,
	relation regclass,
	folder text,
	description text,
	says jsonb)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made automation.component;
BEGIN
	PERFORM automation._check_name(automation._kind_name(kind), name);
	IF EXISTS (SELECT FROM automation.component AS c WHERE c.kind = _create_component.kind AND c.name = _create_component.name) THEN
		PERFORM automation._fail('42710', format('%s "%s" already exists', automation._kind_name(kind), name),
			hint => format('Use automation.alter_%s().', kind));
	END IF;
	PERFORM automation._check_relation_of(caller, relation);
	INSERT INTO automation.component (kind, name, folder, description, relation, owner, version)
	VALUES (kind, name, automation._folder(caller, coalesce(folder, 'Default')), description, relation, caller, 1)
	RETURNING * INTO made;
	INSERT INTO automation.component_version (component_id, version, says, author)
	VALUES (made.id, 1, says, caller);
	PERFORM automation._check_component(made);
	RETURN made.version;
END
$$;
COMMENT ON FUNCTION automation._create_component(regrole, text, text, regclass, text, text, jsonb) IS 'Makes a component with its first version';

CREATE FUNCTION automation._alter_component(
	caller regrole,
	component automation.component,
	folder text,
	description text,
	says jsonb,
	reason text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE automation.component AS c
	SET folder = coalesce(automation._folder(caller, _alter_component.folder), c.folder),
		description = coalesce(_alter_component.description, c.description)
	WHERE c.id = component.id;
	IF says = automation._says(component.kind, component.name) THEN
		RETURN component.version;
	END IF;
	UPDATE automation.component AS c SET version = c.version + 1 WHERE c.id = component.id RETURNING c.version INTO component.version;
	INSERT INTO automation.component_version (component_id, version, says, author, reason)
	VALUES (component.id, component.version, says, caller, reason);
	PERFORM automation._check_component(component);
	PERFORM automation._renew_rules(caller, component);
	RETURN component.version;
END
$$;
COMMENT ON FUNCTION automation._alter_component(regrole, automation.component, text, text, jsonb, text)
	IS 'Changes a component, and with it every rule that has it: all of them, or nothing';

CREATE FUNCTION automation._check_component(component automation.component) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('SELECT automation._check_%s($1, $2)', component.kind)
	USING component, automation._says(component.kind, component.name);
END
$$;
COMMENT ON FUNCTION automation._check_component(automation.component) IS 'Raises what is wrong with a component';

-- Rules with them

CREATE FUNCTION automation._rules_with(kind text, name text) RETURNS SETOF automation.rule
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.*
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
	WHERE CASE _rules_with.kind WHEN 'filter' THEN v.filters ? _rules_with.name
		ELSE v.steps @> jsonb_build_array(jsonb_build_object('uses', jsonb_build_object(_rules_with.kind, jsonb_build_object('name', _rules_with.name)))) END
	ORDER BY r.id;
END;
COMMENT ON FUNCTION automation._rules_with(text, text) IS 'Rules that have a component';

CREATE FUNCTION automation._rule_names_with(kind text, name text) RETURNS text[]
LANGUAGE sql STABLE
RETURN ARRAY(SELECT r.name FROM automation._rules_with(kind, name) AS r ORDER BY r.position, r.id);
COMMENT ON FUNCTION automation._rule_names_with(text, text) IS 'Names of the rules that have a component';

CREATE FUNCTION automation._renew_rules(caller regrole, component automation.component) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule automation.rule;
	said automation.rule_version;
	state text;
	message text;
	detail text;
	hint text;
BEGIN
	FOR rule IN SELECT r.* FROM automation._rules_with(component.kind, component.name) AS r LOOP
		-- They act in the name of others: who cannot change such a rule cannot change it this way.
		rule := automation._own_rule(caller, rule.name);
		said := automation._version(rule.id, rule.version);
		said.version := rule.version + 1;
		said.steps := automation._resolved_steps(said.steps);
		said.author := caller;
		said.reason := format('%s "%s" version %s', automation._kind_name(component.kind), component.name, component.version);
		PERFORM automation._add_version(said);
	END LOOP;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	PERFORM automation._fail(state, message, concat_ws(' ', nullif(detail, ''),
		format('Rule "%s" has %s "%s".', rule.name, automation._kind_name(component.kind), component.name)), nullif(hint, ''));
END
$$;
COMMENT ON FUNCTION automation._renew_rules(regrole, automation.component) IS 'Makes a new version of every rule that has a component; an error tells which rule it does not suit';

CREATE FUNCTION automation._components_with(kind text, name text, OUT user_kind text, OUT users text[])
LANGUAGE plpgsql STABLE -- what names them comes later
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE kind
	WHEN 'filter' THEN
		user_kind := 'filter';
		users := automation._filters_with(name);
	WHEN 'template' THEN
		user_kind := 'action_template';
		users := automation._action_templates_with(name);
	ELSE
		users := '{}';
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._components_with(text, text) IS 'Components that have a component';

CREATE FUNCTION automation._drop_component(caller regrole, kind text, name text, detach boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	component automation.component := automation._own_component(caller, kind, name);
	users CONSTANT text[] := automation._rule_names_with(kind, name);
	drafts CONSTANT text[] := ARRAY(SELECT format('%s (draft)', r.name) FROM automation._drafts_with(kind, name) AS r);
	others CONSTANT record := automation._components_with(kind, name);
BEGIN
	IF others.users <> '{}' THEN
		PERFORM automation._fail('2BP01', format('cannot drop %s "%s" because %ss have it', automation._kind_name(kind), name, automation._kind_name(others.user_kind)),
			format('%ss with it: %s.', automation.capitalize(automation._kind_name(others.user_kind)), automation._list(others.users)),
			format('Use automation.alter_%s() first.', others.user_kind));
	ELSIF users || drafts <> '{}' AND detach IS NOT TRUE THEN
		PERFORM automation._fail('2BP01', format('cannot drop %s "%s" because rules have it', automation._kind_name(kind), name),
			format('Rules with it: %s.', automation._list(users || drafts)),
			CASE WHEN kind = 'filter' THEN 'Use automation.alter_rule() first.' ELSE 'With detach => true they keep what it says.' END);
	END IF;
	PERFORM automation._detach(caller, component);
	-- What it said when stays, for the rules that had it.
	DELETE FROM automation.component AS c WHERE c.id = component.id;
	PERFORM automation._drop_compiled(format('%s_%s', kind, component.id)); -- of a filter there is one
END
$$;
COMMENT ON FUNCTION automation._drop_component(regrole, text, text, boolean) IS 'Drops a component; detach: rules that have it keep what it says as their own';

CREATE FUNCTION automation._detach(caller regrole, component automation.component) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule automation.rule;
	said automation.rule_version;
BEGIN
	FOR rule IN SELECT r.* FROM automation._rules_with(component.kind, component.name) AS r LOOP
		rule := automation._own_rule(caller, rule.name);
		said := automation._version(rule.id, rule.version);
		said.version := rule.version + 1;
		said.steps := automation._detached_steps(said.steps, component.kind, component.name);
		said.author := caller;
		said.reason := format('%s "%s" dropped', automation._kind_name(component.kind), component.name);
		PERFORM automation._add_version(said);
	END LOOP;
	FOR rule IN SELECT r.* FROM automation._drafts_with(component.kind, component.name) AS r LOOP
		rule := automation._own_rule(caller, rule.name);
		UPDATE automation.rule_draft AS d
		SET says = jsonb_set(d.says, '{steps}', automation._detached_steps(automation._resolved_steps(d.says -> 'steps'), component.kind, component.name))
		WHERE d.rule_id = rule.id;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._detach(regrole, automation.component) IS 'Makes what a component says the own words of every rule and draft that has it';

-- Steps that refer to them. The rule keeps each step as it was written beside what it came to: what runs
-- is the version's own, whatever becomes of the component.

CREATE FUNCTION automation._step_json(step automation.step) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_build_object('action', (step).action, 'params', coalesce((step).params, '{}'), 'timing', coalesce((step).timing, '{}'),
	'condition', nullif(btrim((step).condition), ''));
COMMENT ON FUNCTION automation._step_json(automation.step) IS 'A step as rules and action templates keep it';

CREATE FUNCTION automation._written_step(step jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN coalesce(step -> 'written', step);
COMMENT ON FUNCTION automation._written_step(jsonb) IS 'A step as it was written';

CREATE FUNCTION automation._written_steps(steps jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (SELECT jsonb_agg(automation._written_step(s.step) ORDER BY s.place) FROM jsonb_array_elements(steps) WITH ORDINALITY AS s(step, place));
COMMENT ON FUNCTION automation._written_steps(jsonb) IS 'Steps as they were written';

CREATE FUNCTION automation._resolved_step(step jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	written CONSTANT jsonb := automation._written_step(step);
	uses jsonb := '{}';
	used text;
	resolved jsonb := written;
BEGIN
	IF resolved ->> 'action' = 'use' THEN
		used := automation._used_name('action_template', resolved);
		uses := automation._use('action_template', used);
		resolved := automation._apply_action_template(resolved, automation._says('action_template', used));
	END IF;
	IF resolved -> 'params' ? 'template' THEN
		used := automation._used_name('template', resolved);
		uses := uses || automation._use('template', used);
		resolved := automation._apply_template(resolved, automation._says('template', used));
	END IF;
	RETURN resolved || CASE WHEN uses = '{}' THEN '{}' ELSE jsonb_build_object('written', written, 'uses', uses) END;
END
$$;
COMMENT ON FUNCTION automation._resolved_step(jsonb) IS 'A step with what the templates that it names say now';

CREATE FUNCTION automation._resolved_steps(steps jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (SELECT jsonb_agg(automation._resolved_step(s.step) ORDER BY s.place) FROM jsonb_array_elements(steps) WITH ORDINALITY AS s(step, place));
COMMENT ON FUNCTION automation._resolved_steps(jsonb) IS 'Steps with what the templates that they name say now';

CREATE FUNCTION automation._detached_steps(steps jsonb, kind text, name text) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT jsonb_agg(CASE WHEN s.step -> 'uses' -> kind ->> 'name' = name THEN s.step - '{written,uses}'::text[] ELSE s.step END ORDER BY s.place)
	FROM jsonb_array_elements(steps) WITH ORDINALITY AS s(step, place)
);
COMMENT ON FUNCTION automation._detached_steps(jsonb, text, text) IS 'Steps that say in their own words what a component says';

CREATE FUNCTION automation._used_name(kind text, step jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(step -> 'params' -> 'template') IS DISTINCT FROM 'string' THEN
		PERFORM automation._fail('22023', format('parameter "template" of action "%s" must be the name of %s', step ->> 'action',
			CASE kind WHEN 'template' THEN 'a template' ELSE 'an action template' END));
	END IF;
	RETURN step -> 'params' ->> 'template';
END
$$;
COMMENT ON FUNCTION automation._used_name(text, jsonb) IS 'The component that a step names';

CREATE FUNCTION automation._use(kind text, name text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT jsonb_build_object(kind, jsonb_build_object('name', c.name, 'version', c.version)) FROM automation._component(kind, name) AS c;
END;
COMMENT ON FUNCTION automation._use(text, text) IS 'Which version of a component a step takes';
