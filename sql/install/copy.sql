-- A rule of one table for another one, or for another stage: told part by part what would fit there.

CREATE FUNCTION automation._trigger_on(trigger text, source regclass, target regclass) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT regexp_replace(trigger, format('^%s\.', s.object_type), t.object_type || '.')
	FROM automation._entity(source) AS s, automation._entity(target) AS t;
END;
COMMENT ON FUNCTION automation._trigger_on(text, regclass, regclass) IS 'job.created as deal.created, when a rule goes from jobs to deals';

CREATE FUNCTION automation._at_stage(relation regclass, trigger text, params jsonb, stage text) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF stage IS NULL THEN
		RETURN params;
	ELSIF (automation._trigger(automation._entity(relation), trigger)).params -> 'properties' ? 'to' IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('trigger "%s" waits for no stage', trigger),
			hint => 'One with the parameter "to" does, for example status_entered.');
	END IF;
	RETURN params || jsonb_build_object('to', stage);
END
$$;
COMMENT ON FUNCTION automation._at_stage(regclass, text, jsonb, text) IS 'Parameters of a trigger that waits for another stage';

CREATE FUNCTION automation._copied(caller regrole, rule automation.rule, new_name text, target regclass, stage text, columns jsonb) RETURNS automation.rule_version
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	there CONSTANT regclass := coalesce(target, rule.relation);
	copied automation.rule_version := automation._version(rule.id, rule.version);
BEGIN
	copied.name := new_name;
	copied.trigger := automation._trigger_on(copied.trigger, rule.relation, there);
	IF columns IS NOT NULL THEN
		PERFORM automation._check_mapping(caller, rule.relation, there, columns);
		copied.params := automation._json_there(copied.params, NULL, columns);
		copied.condition := automation._json_there(to_jsonb(copied.condition), 'condition', columns) #>> '{}';
		copied.steps := automation._resolved_steps(automation._json_there(automation._written_steps(copied.steps), NULL, columns));
	END IF;
	copied.params := automation._at_stage(there, copied.trigger, copied.params, stage);
	IF there <> rule.relation OR columns IS NOT NULL THEN
		copied.column_names := NULL;
	END IF;
	copied.author := caller;
	copied.reason := format('copy of "%s"', rule.name);
	RETURN copied;
END
$$;
COMMENT ON FUNCTION automation._copied(regrole, automation.rule, text, regclass, text, jsonb) IS 'What a rule says, for another table or stage, or over other columns';

CREATE FUNCTION automation.copy_rule(
	rule text,
	new_name text,
	relation regclass DEFAULT NULL,
	activate boolean DEFAULT false,
	stage text DEFAULT NULL,
	columns jsonb DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.copy_rule(text, text, regclass, boolean, text, jsonb)
	IS 'Makes a rule of the caller''s that says the same, for another table or another stage too, and answers its number; columns: what columns are called there, {"crew": "team"}. See copy_report() first';

CREATE FUNCTION automation._copy_rule(
	caller regrole,
	rule text,
	new_name text,
	relation regclass,
	activate boolean,
	stage text,
	columns jsonb)
RETURNS integer
LANGUAGE sql
RETURN (
	SELECT automation._new_rule(
		automation._callers_search_path(caller), coalesce(_copy_rule.relation, r.relation), r.folder, r.description,
		activate, r.on_error, NULL, automation._copied(caller, r, new_name, _copy_rule.relation, stage, columns), r.on_bulk)
	FROM automation._rule(_copy_rule.rule) AS r
);
COMMENT ON FUNCTION automation._copy_rule(regrole, text, text, regclass, boolean, text, jsonb) IS 'automation.copy_rule()';

-- What does not map

CREATE FUNCTION automation._try_rule(search_path text, relation regclass, version automation.rule_version, OUT problem text, OUT hint text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	has_passed boolean := false;
BEGIN
	PERFORM automation._new_rule(_try_rule.search_path, relation, NULL, NULL, false, 'log', NULL, version);
	has_passed := true;
	RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = 'undone';
EXCEPTION WHEN OTHERS THEN
	IF NOT has_passed THEN
		GET STACKED DIAGNOSTICS problem = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
		hint := nullif(hint, '');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._try_rule(text, regclass, automation.rule_version) IS 'What keeps a rule from being made, or null; it is not made';

CREATE FUNCTION automation._stand_ins(steps jsonb, place bigint) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT coalesce(jsonb_agg(automation._step_json(automation.split(d.decision, (SELECT jsonb_object_agg(w, 1) FROM unnest(d.ways) AS w))) ORDER BY s.place), '[]')
	FROM jsonb_array_elements(steps) WITH ORDINALITY AS s(value, place), LATERAL automation._decided_by(s.value) AS d
	WHERE s.place < _stand_ins.place AND d.decision IS NOT NULL
);
COMMENT ON FUNCTION automation._stand_ins(jsonb, bigint) IS 'Steps that decide what a step may ask for, and fit on any table';

CREATE FUNCTION automation._report_copy(search_path text, relation regclass, version automation.rule_version)
RETURNS TABLE (part text, says text, fits boolean, problem text, hint text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- A part by itself, among others that fit everywhere.
	plain CONSTANT automation.step := automation.notify('nobody', 'nothing');
	tried automation.rule_version := version;
	step record;
BEGIN
	IF relation IS NULL THEN
		PERFORM automation._entity(relation); -- says so
	END IF;
	tried.name := format('copy %s', gen_random_uuid());
	tried.condition := NULL;
	tried.steps := jsonb_build_array(automation._step_json(plain));
	part := 'trigger';
	says := automation._trigger_text(version.trigger, version.params);
	SELECT t.problem, t.hint, t.problem IS NULL INTO problem, hint, fits FROM automation._try_rule(_report_copy.search_path, relation, tried) AS t;
	RETURN NEXT;
	IF NOT fits THEN
		tried.trigger := 'updated';
		tried.params := '{}';
	END IF;
	IF version.condition IS NOT NULL THEN
		tried.condition := version.condition;
		part := 'condition';
		says := version.condition;
		SELECT t.problem, t.hint, t.problem IS NULL INTO problem, hint, fits FROM automation._try_rule(_report_copy.search_path, relation, tried) AS t;
		tried.condition := NULL;
		RETURN NEXT;
	END IF;
	FOR step IN SELECT s.value, s.place FROM jsonb_array_elements(version.steps) WITH ORDINALITY AS s(value, place) LOOP
		tried.steps := automation._stand_ins(version.steps, step.place) || jsonb_build_array(step.value);
		part := format('step %s', step.place);
		says := automation._action_text(step.value);
		SELECT t.problem, t.hint, t.problem IS NULL INTO problem, hint, fits FROM automation._try_rule(_report_copy.search_path, relation, tried) AS t;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._report_copy(text, regclass, automation.rule_version) IS 'Tries each part of a rule on a table';

CREATE FUNCTION automation.copy_report(rule text, relation regclass, stage text DEFAULT NULL, columns jsonb DEFAULT NULL)
RETURNS TABLE (part text, says text, fits boolean, problem text, hint text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.copy_report(text, regclass, text, jsonb)
	IS 'What of a rule would fit another table or stage, with columns as in copy_rule(), and what not: trigger, condition and each step, all of them and not the first that does not. Nothing is made';

CREATE FUNCTION automation._copy_report(caller regrole, rule text, relation regclass, stage text, columns jsonb)
RETURNS TABLE (part text, says text, fits boolean, problem text, hint text)
LANGUAGE sql
BEGIN ATOMIC
	SELECT c.*
	FROM automation._rule(_copy_report.rule) AS r,
		LATERAL automation._report_copy(automation._callers_search_path(caller), _copy_report.relation,
			automation._copied(caller, r, r.name, _copy_report.relation, stage, columns)) AS c;
END;
COMMENT ON FUNCTION automation._copy_report(regrole, text, regclass, text, jsonb) IS 'automation.copy_report()';

-- Moving

CREATE FUNCTION automation.move_rule_to(rule text, relation regclass DEFAULT NULL, stage text DEFAULT NULL, columns jsonb DEFAULT NULL) RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.move_rule_to(text, regclass, text, jsonb)
	IS 'Moves a rule to another stage, as a version, or to another table, as a rule of the caller''s with its name, place and state, and answers its number; columns as in copy_rule(). What it had planned on the other table is cancelled';

CREATE FUNCTION automation._move_rule_to(caller regrole, rule text, relation regclass, stage text, columns jsonb, search_path text) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	moved automation.rule := automation._own_rule(caller, rule);
	said automation.rule_version := automation._copied(caller, moved, rule, relation, stage, columns);
	number integer;
BEGIN
	IF coalesce(relation, moved.relation) = moved.relation THEN
		PERFORM automation._check_author(moved.owner, moved.relation);
		said.version := moved.version + 1;
		said.reason := coalesce(format('moved to stage "%s"', stage), 'moved to other columns');
		PERFORM automation._add_version(said);
		RETURN moved.id;
	END IF;
	PERFORM automation._drop_rule(caller, rule);
	said.reason := format('moved from table "%s"', moved.relation);
	number := automation._new_rule(_move_rule_to.search_path, relation, moved.folder, moved.description, moved.state = 'active', moved.on_error, moved.position, said, moved.on_bulk);
	PERFORM automation._reach_state(caller, rule, CASE moved.state WHEN 'active' THEN 'active' ELSE 'draft' END, moved.state);
	RETURN number;
END
$$;
COMMENT ON FUNCTION automation._move_rule_to(regrole, text, regclass, text, jsonb, text) IS 'Moves a rule';

CREATE FUNCTION automation._move_rule_to(caller regrole, rule text, relation regclass, stage text, columns jsonb) RETURNS integer
LANGUAGE sql
RETURN automation._move_rule_to(caller, rule, relation, stage, columns, automation._callers_search_path(caller));
COMMENT ON FUNCTION automation._move_rule_to(regrole, text, regclass, text, jsonb) IS 'automation.move_rule_to()';
