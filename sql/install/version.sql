-- Making and changing rules. Every change of what one says is a version of its own.

CREATE FUNCTION automation._check_new_name(name text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_name('rule', name);
	IF EXISTS (SELECT FROM automation.rule AS r WHERE r.name = _check_new_name.name) THEN
		PERFORM automation._fail('42710', format('rule "%s" already exists', name), hint => 'Use automation.alter_rule().');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_new_name(text) IS 'Raises an error unless a rule may be called so';

CREATE FUNCTION automation._check_on_error(on_error text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_choice('invalid value for on_error', on_error, 'log', 'fail');
END
$$;
COMMENT ON FUNCTION automation._check_on_error(text) IS 'Raises an error unless the text says what a failing rule does';

CREATE FUNCTION automation._check_on_bulk(on_bulk text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_choice('invalid value for on_bulk', coalesce(on_bulk, 'default'), 'default', 'hold', 'run', 'log_only', 'skip');
	RETURN nullif(on_bulk, 'default');
END
$$;
COMMENT ON FUNCTION automation._check_on_bulk(text) IS 'What a rule keeps of what its author says of bulk, or an error';

CREATE FUNCTION automation._steps_json(rule text, steps automation.step[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF coalesce(cardinality(steps), 0) = 0 THEN
		PERFORM automation._fail('22023', format('rule "%s" has no steps', rule));
	ELSIF array_position(steps, NULL) IS NOT NULL THEN
		PERFORM automation._fail('22004', format('step %s of rule "%s" is null', array_position(steps, NULL), rule));
	END IF;
	RETURN automation._flowing((
		SELECT jsonb_agg(jsonb_build_object(
			'action', s.action, 'params', coalesce(s.params, '{}'), 'timing', coalesce(s.timing, '{}'),
			'condition', nullif(btrim(s.condition), '')) ORDER BY s.place)
		FROM unnest(steps) WITH ORDINALITY AS s(action, params, timing, condition, place)));
END
$$;
COMMENT ON FUNCTION automation._steps_json(text, automation.step[]) IS 'Steps as a version of a rule keeps them';

CREATE FUNCTION automation._drop_idle_versions(rule_id integer) RETURNS void
LANGUAGE plpgsql -- what is pending comes later
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._drop_compiled(r.id, v.version)
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version < r.version
	WHERE r.id = _drop_idle_versions.rule_id AND automation._rule_part(r.id, v.version, 'when') IS NOT NULL
		AND NOT EXISTS (SELECT FROM automation.pending AS p WHERE p.rule_id = r.id AND p.version = v.version);
END
$$;
COMMENT ON FUNCTION automation._drop_idle_versions(integer) IS 'Drops what earlier versions of a rule were compiled to, unless runs of theirs still wait';

CREATE FUNCTION automation._add_version(version automation.rule_version) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	state text;
	message text;
	detail text;
	hint text;
BEGIN
	PERFORM automation._check_choice('invalid value for evaluate', coalesce(version.evaluate, 'row'), 'row', 'commit');
	INSERT INTO automation.rule_version (rule_id, version, name, trigger, params, condition, events, steps, author, reason, evaluate, filters)
	VALUES (version.rule_id, version.version, version.name, version.trigger, coalesce(version.params, '{}'),
		nullif(btrim(version.condition), ''), '{}', version.steps, version.author, version.reason, coalesce(version.evaluate, 'row'), automation._filters_of(version));
	UPDATE automation.rule AS r SET version = _add_version.version.version, name = _add_version.version.name
	WHERE r.id = _add_version.version.rule_id;
	PERFORM automation._compile_rule(version.rule_id);
	IF automation._is_indexed() THEN
		PERFORM automation._index_rule(version.rule_id, version.version);
	ELSE
		PERFORM automation._index_rules();
	END IF;
	PERFORM automation._replan(version.rule_id);
	PERFORM automation._drop_idle_versions(version.rule_id), automation._plan_schedule(version.rule_id);
EXCEPTION WHEN undefined_column THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	hint := automation._renamed(version, message);
	IF hint IS NULL THEN
		RAISE;
	END IF;
	-- The text is older than the name that the column has now.
	PERFORM automation._fail(state, message, nullif(detail, ''), hint);
END
$$;
COMMENT ON FUNCTION automation._add_version(automation.rule_version) IS 'Makes this the present version of its rule; what runs have begun they finish as they were';

CREATE FUNCTION automation._new_rule(
	search_path text,
	relation regclass,
	folder text,
	description text,
	activate boolean,
	on_error text,
	place integer,
	version automation.rule_version,
	on_bulk text DEFAULT NULL)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_new_name(version.name);
	IF version.trigger IS NULL THEN
		PERFORM automation._fail('22004', 'trigger must not be null', hint => 'The view automation.triggers lists them.');
	END IF;
	PERFORM automation._check_on_error(on_error);
	PERFORM automation._check_author(version.author, relation);
	INSERT INTO automation.rule (name, folder, description, relation, event_relation, owner, search_path, position, on_error, on_bulk)
	VALUES (version.name, automation._folder(version.author, coalesce(folder, 'Default')), description, relation, relation, version.author, search_path,
		coalesce(place, (SELECT coalesce(max(r.position), 0) + 1 FROM automation.rule AS r)), on_error, automation._check_on_bulk(on_bulk))
	RETURNING id INTO version.rule_id;
	version.version := 1;
	PERFORM automation._add_version(version);
	IF activate THEN
		PERFORM automation._activate_rule(version.author, version.name, 'new', 100);
	END IF;
	RETURN version.rule_id;
END
$$;
COMMENT ON FUNCTION automation._new_rule(text, regclass, text, text, boolean, text, integer, automation.rule_version, text) IS 'Makes a rule with its first version';

CREATE FUNCTION automation.create_rule(
	name text,
	relation regclass,
	trigger text,
	params jsonb DEFAULT '{}',
	condition text DEFAULT NULL,
	steps automation.step[] DEFAULT NULL,
	folder text DEFAULT 'Default',
	description text DEFAULT NULL,
	activate boolean DEFAULT false,
	on_error text DEFAULT 'log',
	place integer DEFAULT NULL,
	evaluate text DEFAULT 'row',
	on_bulk text DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_rule(text, regclass, text, jsonb, text, automation.step[], text, text, boolean, text, integer, text, text)
	IS 'Makes a rule and answers its number. It belongs to the caller and acts in his name; place is its position in the list, the end by default; evaluate => ''commit'' judges it once per row, by what the whole transaction has made of it; on_bulk: hold, run, log_only or skip in a transaction that sets off too much';

CREATE FUNCTION automation._create_rule(
	caller regrole,
	name text,
	relation regclass,
	trigger text,
	params jsonb,
	condition text,
	steps automation.step[],
	folder text,
	description text,
	activate boolean,
	on_error text,
	place integer,
	evaluate text,
	on_bulk text)
RETURNS integer
LANGUAGE sql
RETURN automation._new_rule(
	automation._callers_search_path(caller), relation, folder, description, activate, on_error, place,
	ROW(NULL, NULL, name, trigger, params, condition, NULL, NULL, NULL, automation._resolved_steps(automation._steps_json(name, steps)), caller, NULL, NULL, evaluate, NULL, NULL, NULL)::automation.rule_version, on_bulk);
COMMENT ON FUNCTION automation._create_rule(regrole, text, regclass, text, jsonb, text, automation.step[], text, text, boolean, text, integer, text, text) IS 'automation.create_rule()';

CREATE FUNCTION automation._version(rule_id integer, version integer) RETURNS automation.rule_version
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT v FROM automation.rule_version AS v WHERE v.rule_id = _version.rule_id AND v.version = _version.version;
END;
COMMENT ON FUNCTION automation._version(integer, integer) IS 'A version of a rule';

CREATE FUNCTION automation.alter_rule(
	rule text,
	name text DEFAULT NULL,
	trigger text DEFAULT NULL,
	params jsonb DEFAULT NULL,
	condition text DEFAULT NULL,
	steps automation.step[] DEFAULT NULL,
	folder text DEFAULT NULL,
	description text DEFAULT NULL,
	on_error text DEFAULT NULL,
	reason text DEFAULT NULL,
	evaluate text DEFAULT NULL,
	on_bulk text DEFAULT NULL,
	in_flight text DEFAULT 'finish',
	step_map jsonb DEFAULT NULL,
	publish boolean DEFAULT true)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.alter_rule(text, text, text, jsonb, text, automation.step[], text, text, text, text, text, text, text, jsonb, boolean)
	IS 'Changes what is given of a rule and answers its version, a new one if it says something else now; name renames it, an empty condition removes the condition. Runs that have begun finish as they were, or in_flight => cancel, or migrate (see publish_rule()). publish => false: it is a draft, and the rule stays as it is';

CREATE FUNCTION automation._alter_rule(
	caller regrole,
	rule text,
	name text,
	trigger text,
	params jsonb,
	condition text,
	steps automation.step[],
	folder text,
	description text,
	on_error text,
	reason text,
	evaluate text,
	on_bulk text,
	in_flight text,
	step_map jsonb,
	publish boolean)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old_rule automation.rule := automation._own_rule(caller, rule);
	draft automation.rule_version := automation._draft(old_rule);
	version automation.rule_version := CASE WHEN publish OR draft.rule_id IS NULL
		THEN automation._version(old_rule.id, old_rule.version) ELSE draft END;
	says_the_same CONSTANT boolean := coalesce(name, old_rule.name) = old_rule.name
		AND num_nonnulls(trigger, params, condition, steps, reason, evaluate) = 0;
BEGIN
	PERFORM automation._check_author(old_rule.owner, old_rule.relation), automation._check_in_flight(in_flight, step_map);
	IF name <> old_rule.name THEN
		PERFORM automation._check_new_name(name);
		version.name := name;
	END IF;
	-- The parameters of one trigger mean nothing to another.
	version.params := coalesce(params, CASE WHEN trigger <> version.trigger THEN '{}' ELSE version.params END);
	version.trigger := coalesce(trigger, version.trigger);
	version.condition := coalesce(condition, version.condition);
	version.steps := CASE WHEN steps IS NULL THEN version.steps ELSE automation._resolved_steps(automation._steps_json(version.name, steps)) END;
	version.version := old_rule.version + 1;
	version.author := caller;
	version.reason := reason;
	version.evaluate := coalesce(evaluate, version.evaluate);
	PERFORM automation._check_on_error(coalesce(on_error, old_rule.on_error));
	UPDATE automation.rule AS r
	SET folder = coalesce(automation._folder(caller, _alter_rule.folder), r.folder),
		description = coalesce(_alter_rule.description, r.description),
		on_error = coalesce(_alter_rule.on_error, r.on_error),
		on_bulk = CASE WHEN _alter_rule.on_bulk IS NULL THEN r.on_bulk ELSE automation._check_on_bulk(_alter_rule.on_bulk) END
	WHERE r.id = old_rule.id;
	IF says_the_same THEN
		RETURN old_rule.version;
	ELSIF NOT publish THEN
		PERFORM automation._keep_draft(old_rule, version);
		RETURN old_rule.version;
	END IF;
	PERFORM automation._add_version(version);
	PERFORM automation._carry_over(old_rule.id, in_flight, step_map);
	RETURN version.version;
END
$$;
COMMENT ON FUNCTION automation._alter_rule(regrole, text, text, text, jsonb, text, automation.step[], text, text, text, text, text, text, text, jsonb, boolean) IS 'automation.alter_rule()';

CREATE FUNCTION automation.rollback_rule(
	rule text,
	version integer,
	reason text DEFAULT NULL,
	in_flight text DEFAULT 'finish',
	step_map jsonb DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.rollback_rule(text, integer, text, text, jsonb)
	IS 'Makes a rule say again what it said in an earlier version, as a new version, and answers that; in_flight and step_map as in alter_rule()';

CREATE FUNCTION automation._rollback_rule(
	caller regrole,
	rule text,
	version integer,
	reason text,
	in_flight text,
	step_map jsonb)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old_rule automation.rule := automation._own_rule(caller, rule);
	earlier automation.rule_version := automation._version(old_rule.id, version);
BEGIN
	PERFORM automation._check_author(old_rule.owner, old_rule.relation), automation._check_in_flight(in_flight, step_map);
	IF earlier.rule_id IS NULL THEN
		PERFORM automation._fail('42704', format('rule "%s" has no version %s', rule, version),
			format('Its versions are 1 to %s.', old_rule.version));
	END IF;
	earlier.name := old_rule.name;
	earlier.version := old_rule.version + 1;
	earlier.author := caller;
	earlier.reason := coalesce(reason, format('rollback to version %s', version));
	PERFORM automation._add_version(earlier);
	PERFORM automation._carry_over(old_rule.id, in_flight, step_map);
	RETURN earlier.version;
END
$$;
COMMENT ON FUNCTION automation._rollback_rule(regrole, text, integer, text, text, jsonb) IS 'automation.rollback_rule()';
