-- From what a rule says to functions in the name of its owner.

-- Steps about other rules

CREATE FUNCTION automation._compile_other_rule(scope automation._scope, site automation._site, params jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	other automation.rule := automation._rule(params ->> 'rule');
BEGIN
	IF NOT pg_has_role(scope.owner, other.owner, 'USAGE') THEN
		PERFORM automation._fail('42501', format('must be owner of rule "%s"', other.name));
	ELSIF other.event_relation <> scope.row_relation THEN
		PERFORM automation._fail('42809', format('rule "%s" waits for changes of table "%s"', other.name, other.event_relation),
			format('The step runs on changes of table "%s".', scope.row_relation));
	END IF;
	RETURN automation._select_sql(
		scope.row_relation, format('pg_catalog.jsonb_build_object(''rule''::text, %s)', other.id));
END
$$;
COMMENT ON FUNCTION automation._compile_other_rule(automation._scope, automation._site, jsonb) IS 'Query for start_rule and stop_rule: the number of the rule, whatever it will be called';

-- Compiled functions

CREATE FUNCTION automation._rule_function(rule_id integer, version integer, part text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('rule_%s_%s_%s', rule_id, version, part);
COMMENT ON FUNCTION automation._rule_function(integer, integer, text) IS 'Name of a compiled function of a rule';

CREATE FUNCTION automation._compile_part(
	rule automation.rule,
	part text,
	result text,
	body text,
	volatility text DEFAULT 'STABLE')
RETURNS regprocedure
LANGUAGE sql
RETURN automation._compile(
	automation._rule_function((rule).id, (rule).version, part), result, body, volatility);
COMMENT ON FUNCTION automation._compile_part(automation.rule, text, text, text, text) IS 'Compiles one part of a rule: when, key, step_1, if_1, ...';

-- When a step is taken, and what cancels it

CREATE FUNCTION automation._is_delayed(timing jsonb) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN timing <> '{}';
COMMENT ON FUNCTION automation._is_delayed(jsonb) IS 'Whether a step may be taken later than the change that fired its rule';

CREATE FUNCTION automation._fields_of(relation regclass, names text[]) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_columns(relation, names);
	RETURN automation._select_sql(relation, automation._object_sql(
		(SELECT jsonb_object_agg(n, format('new.%I', n)) FROM unnest(names) AS n)));
END
$$;
COMMENT ON FUNCTION automation._fields_of(regclass, text[]) IS 'Query that names columns of a table in the form that automation._fields() reads';

CREATE FUNCTION automation._check_cancellation(timing jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns jsonb := timing -> 'cancel_if_changed';
BEGIN
	IF columns IS NOT NULL AND (jsonb_typeof(columns) <> 'array' OR columns = '[]' OR columns @> '[null]') THEN
		PERFORM automation._fail('22023', 'cancel_if_changed must name at least one column');
	END IF;
	PERFORM automation._check_choice('invalid value for cancel_mode', coalesce(timing ->> 'cancel_mode', 'touched'), 'touched', 'differs');
	IF timing ? 'cancel_mode' AND columns IS NULL THEN
		PERFORM automation._fail('22023', 'cancel_mode needs cancel_if_changed');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_cancellation(jsonb) IS 'Raises what is wrong with what a step says of its cancellation';

CREATE FUNCTION automation._wait_sql(scope automation._scope, timing jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	every interval;
BEGIN
	IF timing ? 'cron' THEN
		PERFORM automation._check_params('schedule', '{"properties": {"cron": {"type": "string"}, "zone": {"type": "string"}}}', timing);
		RETURN format('automation._cron_next(%L::text, automation._base(), %s)',
			automation._check_cron(timing ->> 'cron'), automation._zone_sql(scope, timing));
	ELSIF NOT timing ? 'every' THEN
		RETURN automation._due_sql(scope, timing);
	END IF;
	every := automation._check_delay(timing ->> 'every', false, 'every');
	PERFORM automation._recur_next('2000-01-01', every, '2000-01-01', 'UTC'); -- it may be no time at all
	IF (timing ->> 'every')::interval < interval '1 minute' THEN
		PERFORM automation._fail('22023', 'every must be at least one minute');
	END IF;
	RETURN format('automation._recur_next(%s, %L::interval, automation._base(), %s)',
		automation._due_sql(scope, timing - 'every'), every, automation._zone_sql(scope, timing));
END
$$;
COMMENT ON FUNCTION automation._wait_sql(automation._scope, jsonb) IS 'SQL for when a step, or a run, is due; what recurs is due for the first time after the instant it is counted from';

CREATE FUNCTION automation._compile_wait(rule automation.rule, scope automation._scope, number integer, timing jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	anchor text := timing ->> 'anchor';
	clock jsonb := timing - '{after_previous,cancel_if_changed,cancel_mode,cancel_when}'::text[];
BEGIN
	PERFORM automation._check_cancellation(timing);
	IF clock <> '{}' THEN
		PERFORM automation._compile_part(rule, 'due_' || number, 'timestamptz',
			automation._select_sql(scope.row_relation, automation._wait_sql(scope, clock)));
	END IF;
	IF starts_with(anchor, 'field:') THEN
		PERFORM automation._compile_part(rule, 'anchor_' || number, 'jsonb',
			automation._fields_of(scope.relation, ARRAY[
				automation._role_or_column(scope.relation, (automation._parse_path(substr(anchor, 7)))[1])]));
	ELSIF anchor IN ('left', 'entered') THEN
		PERFORM automation._check_has_roles(automation._entity(scope.relation), format('anchor "%s"', anchor), '{status}');
		PERFORM automation._compile_part(rule, 'anchor_' || number, 'jsonb',
			automation._fields_of(scope.relation, ARRAY[automation._roles(scope.relation) ->> 'status']));
	END IF;
	IF timing ? 'cancel_if_changed' THEN
		PERFORM automation._compile_part(rule, 'cancel_' || number, 'jsonb', automation._fields_of(
			scope.relation, ARRAY(SELECT jsonb_array_elements_text(timing -> 'cancel_if_changed'))));
	END IF;
	IF timing ->> 'cancel_when' IS NOT NULL THEN
		PERFORM automation._compile_part(rule, 'unless_' || number, 'boolean',
			automation._select_sql(scope.row_relation, automation._condition_sql(scope, timing ->> 'cancel_when')));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._compile_wait(automation.rule, automation._scope, integer, jsonb)
	IS 'Compiles when a step is due and what cancels it; step 0 is the beginning of the run';

CREATE FUNCTION automation._later(scope automation._scope) RETURNS automation._scope
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF 'delete' = ANY (scope.events) THEN
		PERFORM automation._fail('0A000', 'a step cannot be delayed when the row is deleted',
			'There would be no row to act on.');
	END IF;
	-- It sees the row as it is then, and no change of it.
	scope.events := '{insert}';
	RETURN scope;
END
$$;
COMMENT ON FUNCTION automation._later(automation._scope) IS 'What may be referred to by what runs later';

CREATE FUNCTION automation._compile_step(rule automation.rule, scope automation._scope, number integer, step jsonb)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	action text := step ->> 'action';
	site automation._site := ROW(rule.id, rule.version, number, action);
	state text;
	message text;
	detail text;
	hint text;
BEGIN
	IF automation._is_delayed(step -> 'timing') THEN
		scope := automation._later(scope);
		PERFORM automation._compile_wait(rule, scope, number, step -> 'timing');
	END IF;
	PERFORM automation._compile_part(rule, 'step_' || number, 'jsonb',
		automation._compile_action(scope, site, step -> 'params'),
		CASE WHEN (automation._action(action)).kind = 'statement' THEN 'VOLATILE' ELSE 'STABLE' END);
	IF action = 'wait_until' THEN
		PERFORM automation._compile_part(rule, 'until_' || number, 'boolean',
			automation._select_sql(scope.row_relation, automation._condition_sql(scope, step -> 'params' ->> 'condition')));
	END IF;
	IF step ->> 'condition' IS NOT NULL THEN
		PERFORM automation._compile_part(rule, 'if_' || number, 'boolean',
			automation._select_sql(scope.row_relation, automation._condition_sql(scope, step ->> 'condition')));
	END IF;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	PERFORM automation._fail(state, message,
		concat_ws(' ', nullif(detail, ''), format('This is step %s (%s) of rule "%s".', number, action, rule.name)),
		nullif(hint, ''));
END
$$;
COMMENT ON FUNCTION automation._compile_step(automation.rule, automation._scope, integer, jsonb) IS 'Compiles a step and its condition; an error tells which step it is';

CREATE FUNCTION automation._let_run(owner regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema text;
BEGIN
	FOREACH schema IN ARRAY '{automation,automation_compiled}'::text[] LOOP
		IF NOT has_schema_privilege(owner, schema, 'USAGE') THEN
			EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', schema, owner);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._let_run(regrole) IS 'What a role needs so that compiled statements run in its name';

CREATE FUNCTION automation._step_scope(rule automation.rule, version automation.rule_version) RETURNS automation._scope
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	via text;
	scope automation._scope;
BEGIN
	IF version.event_relation <> rule.relation THEN
		via := (automation._trigger_sql(automation._scope(rule.relation, rule.owner), version.trigger, version.params)).via;
	END IF;
	-- A rule that is only started sees the change that fired the other one.
	scope := automation._scope(rule.relation, rule.owner,
		CASE WHEN version.events = '{}' THEN '{insert,update}' ELSE version.events END, version.event_relation, via, rule.name);
	RETURN CASE WHEN version.timing IS NULL THEN scope ELSE automation._later(scope) END;
END
$$;
COMMENT ON FUNCTION automation._step_scope(automation.rule, automation.rule_version) IS 'What the condition and the steps of a rule may refer to';

CREATE FUNCTION automation._compile_trigger(rule automation.rule, version automation.rule_version) RETURNS automation.rule_version
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fires record;
	scope automation._scope;
	condition text;
BEGIN
	SELECT t.* INTO fires
	FROM automation._trigger_sql(automation._scope(rule.relation, rule.owner), version.trigger, version.params) AS t;
	IF fires.row_relation <> rule.relation THEN
		PERFORM automation._check_author(rule.owner, fires.row_relation);
	END IF;
	version.event_relation := fires.row_relation;
	version.events := fires.events;
	version.timing := fires.timing;
	version.is_standing := fires.is_standing;
	scope := automation._step_scope(rule, version);
	condition := automation._condition_sql(scope, version.condition);
	IF version.timing IS NOT NULL THEN
		PERFORM automation._compile_wait(rule, scope, 0, version.timing);
		PERFORM automation._compile_part(rule, 'still', 'boolean',
			automation._select_sql(version.event_relation, format('(%s) AND (%s)', fires.still, condition)));
	END IF;
	PERFORM automation._compile_part(rule, 'when', 'boolean',
		automation._select_sql(version.event_relation, format('(%s) AND (%s)', fires.expression, condition)));
	PERFORM automation._compile_part(rule, 'key', 'jsonb',
		automation._select_sql(version.event_relation, automation._object_sql(automation._subject_key(scope))));
	RETURN version;
END
$$;
COMMENT ON FUNCTION automation._compile_trigger(automation.rule, automation.rule_version) IS 'Compiles what makes a rule run, and the key of the row it is about';

CREATE FUNCTION automation._keep_trigger(rule automation.rule, version automation.rule_version, source integer) RETURNS automation.rule_version
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	earlier automation.rule_version := automation._version(rule.id, source);
BEGIN
	PERFORM automation._keep_parts(rule, source, '{when,key,still}'::text[] || automation._parts_of_step(0));
	version.event_relation := earlier.event_relation;
	version.events := earlier.events;
	version.timing := earlier.timing;
	version.is_standing := earlier.is_standing;
	RETURN version;
END
$$;
COMMENT ON FUNCTION automation._keep_trigger(automation.rule, automation.rule_version, integer) IS 'Takes over what makes a rule run from an earlier version';

CREATE FUNCTION automation._check_guard(version automation.rule_version) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	step jsonb := jsonb_path_query_first(version.steps, '$[*] ? (@.action == "refuse")');
	role text := step #>> '{params,override}';
BEGIN
	IF step IS NULL THEN
		RETURN;
	ELSIF jsonb_array_length(version.steps) > 1 THEN
		PERFORM automation._fail('22023', format('rule "%s" refuses a change and does something else', version.name),
			hint => 'Make two rules of it.');
	ELSIF step #>> '{params,message}' !~ '\S' THEN
		PERFORM automation._fail('22023', format('the message of guard "%s" is blank', version.name),
			hint => 'Say what is wrong with the change, and what would be right.');
	ELSIF step ->> 'condition' IS NOT NULL THEN
		PERFORM automation._fail('22023', format('guard "%s" has a condition on its step', version.name),
			hint => 'Make it the condition of the rule.');
	ELSIF step -> 'timing' <> '{}' OR version.timing IS NOT NULL THEN
		PERFORM automation._fail('0A000', format('guard "%s" would have to wait', version.name),
			'A change can be refused only while it is made.');
	ELSIF role IS NOT NULL AND NOT EXISTS (SELECT FROM pg_roles AS r WHERE r.rolname = role) THEN
		PERFORM automation._fail('42704', format('role "%s" does not exist', role));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_guard(automation.rule_version) IS 'Raises an error for a rule that refuses a change and cannot';

CREATE FUNCTION automation._compile_rule(rule_id integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule automation.rule;
	version automation.rule_version;
	unchanged integer;
	step record;
BEGIN
	SELECT r.* INTO rule FROM automation.rule AS r WHERE r.id = rule_id;
	version := automation._version(rule.id, rule.version);
	PERFORM automation._let_run(rule.owner);
	unchanged := automation._unchanged(version);
	version := CASE WHEN unchanged IS NULL THEN automation._compile_trigger(rule, version)
		ELSE automation._keep_trigger(rule, version, unchanged) END;
	PERFORM automation._check_guard(version);
	UPDATE automation.rule AS r SET event_relation = version.event_relation WHERE r.id = rule.id;
	UPDATE automation.rule_version AS v
	SET events = version.events, timing = version.timing, is_standing = version.is_standing,
		event_relation = version.event_relation, column_names = automation._column_names(rule.relation)
	WHERE v.rule_id = rule.id AND v.version = rule.version;
	FOR step IN SELECT s.place::integer AS number, s.step FROM jsonb_array_elements(version.steps) WITH ORDINALITY AS s(step, place) LOOP
		unchanged := automation._unchanged(version, step.number);
		IF unchanged IS NULL THEN
			PERFORM automation._compile_step(rule, automation._step_scope(rule, version), step.number, step.step);
		ELSE
			PERFORM automation._keep_parts(rule, unchanged, automation._parts_of_step(step.number));
		END IF;
	END LOOP;
	PERFORM automation._check_decisions(rule, version.steps);
END
$$;
COMMENT ON FUNCTION automation._compile_rule(integer) IS 'Compiles the present version of a rule, but for what an earlier one says likewise';

CREATE FUNCTION automation._drop_compiled(rule_id integer, version integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	prefix text := automation._rule_function(rule_id, version, '');
	name text;
BEGIN
	DELETE FROM automation.rule_index AS i WHERE i.rule_id = _drop_compiled.rule_id AND i.version = _drop_compiled.version;
	FOR name IN
		SELECT p.oid::regprocedure FROM pg_proc AS p
		WHERE p.pronamespace = 'automation_compiled'::regnamespace AND starts_with(p.proname, prefix)
	LOOP
		EXECUTE format('DROP FUNCTION %s', name);
	END LOOP;
	FOR name IN
		SELECT c.oid::regclass FROM pg_class AS c
		WHERE c.relnamespace = 'automation_compiled'::regnamespace AND c.relkind = 'S' AND starts_with(c.relname, prefix)
	LOOP
		EXECUTE format('DROP SEQUENCE %s', name);
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._drop_compiled(integer, integer) IS 'Drops what a version of a rule was compiled to';

CREATE FUNCTION automation._on_bulk(rule_id integer) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(r.on_bulk, CASE WHEN EXISTS (
		SELECT FROM jsonb_array_elements(v.steps) AS s(step)
		JOIN automation.action_definition AS d ON d.name = s.step ->> 'action'
		WHERE d.channel_kind IS NOT NULL OR d.name = 'start_rule') THEN 'hold' ELSE 'run' END)
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
	WHERE r.id = _on_bulk.rule_id;
END;
COMMENT ON FUNCTION automation._on_bulk(integer)
	IS 'What becomes of matches of a rule in a transaction that sets off too much: as it says; else what may leave the house waits';

-- What the engine reads

CREATE VIEW automation._part AS
SELECT v.rule_id, v.version, p.part, p.step, f.oid AS function
FROM automation.rule_version AS v
CROSS JOIN LATERAL (
	VALUES ('when', NULL::bigint), ('key', NULL)
	UNION ALL
	SELECT 'step', s.place FROM jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
	UNION ALL
	SELECT 'if', s.place FROM jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
	WHERE s.step ->> 'condition' IS NOT NULL
) AS p(part, step)
LEFT JOIN pg_catalog.pg_proc AS f ON f.pronamespace = 'automation_compiled'::regnamespace
	AND f.proname = automation._rule_function(v.rule_id, v.version, concat_ws('_', p.part, p.step))::name;
COMMENT ON VIEW automation._part IS 'What each version of a rule is compiled to; null: it is missing';

CREATE FUNCTION automation._rule_part(rule_id integer, version integer, part text) RETURNS oid
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT f.oid
	FROM pg_catalog.pg_proc AS f
	WHERE f.pronamespace = 'automation_compiled'::regnamespace
		AND f.proname = automation._rule_function(rule_id, version, part)::name;
END;
COMMENT ON FUNCTION automation._rule_part(integer, integer, text) IS 'A compiled function of a rule, or null';

-- Parts that stay as they are. They are not compiled again: the text of a condition may name a column as
-- it was once called, and a search path may mean something else by now.

CREATE FUNCTION automation._copy_compiled(function oid, name text) RETURNS regprocedure
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_copy_compiled';
COMMENT ON FUNCTION automation._copy_compiled(oid, text) IS 'Gives what was compiled another name too';

CREATE FUNCTION automation._keep_parts(rule automation.rule, source integer, parts text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part text;
	name text;
BEGIN
	FOREACH part IN ARRAY parts LOOP
		CONTINUE WHEN automation._rule_part(rule.id, source, part) IS NULL;
		name := automation._rule_function(rule.id, rule.version, part);
		PERFORM automation._drop_compiled(name);
		EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC',
			automation._copy_compiled(automation._rule_part(rule.id, source, part), name));
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._keep_parts(automation.rule, integer, text[]) IS 'Gives the present version of a rule these parts of an earlier one';

CREATE FUNCTION automation._parts_of_step(step integer) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT format('%s_%s', p, step) FROM unnest('{due,anchor,cancel,unless,until}'::text[]
	|| CASE step WHEN 0 THEN '{}' ELSE '{step,if}'::text[] END) AS p);
COMMENT ON FUNCTION automation._parts_of_step(integer) IS 'What a step may be compiled to; 0: the beginning of the run';

CREATE FUNCTION automation._unchanged(version automation.rule_version, step integer DEFAULT NULL) RETURNS integer
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- A step may tell the rule's name, and one that takes turns counts them in a sequence of its own.
	SELECT max(v.version)
	FROM automation.rule_version AS v
	WHERE v.rule_id = (_unchanged.version).rule_id AND v.version < (_unchanged.version).version
		AND v.trigger = (_unchanged.version).trigger AND v.params = (_unchanged.version).params
		AND v.filters = (_unchanged.version).filters
		AND CASE WHEN _unchanged.step IS NULL THEN v.condition IS NOT DISTINCT FROM (_unchanged.version).condition
			ELSE v.steps -> _unchanged.step - 1 = (_unchanged.version).steps -> _unchanged.step - 1
				AND (v.name = (_unchanged.version).name OR strpos((v.steps -> _unchanged.step - 1)::text, 'rule') = 0)
				AND to_regclass(format('automation_compiled.rule_%s_%s_turn_%s', v.rule_id, v.version, _unchanged.step)) IS NULL
			END
		AND NOT EXISTS (
			SELECT FROM automation._part AS p WHERE p.rule_id = v.rule_id AND p.version = v.version AND p.function IS NULL);
END;
COMMENT ON FUNCTION automation._unchanged(automation.rule_version, integer)
	IS 'The earlier version, still compiled, that has the same trigger and condition, or the same step; or null';

CREATE FUNCTION automation._column_names(relation regclass) RETURNS name[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = relation AND a.attnum > 0;
END;
COMMENT ON FUNCTION automation._column_names(regclass) IS 'Names of a table''s columns by number, those of dropped ones too';

CREATE FUNCTION automation._renamed(version automation.rule_version, error text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT string_agg(format('Column "%s" is called "%s" now.', c.name, a.attname), ' ')
	FROM automation.rule AS r,
		LATERAL unnest((_renamed.version).column_names) WITH ORDINALITY AS c(name, number)
	JOIN pg_catalog.pg_attribute AS a ON a.attnum = c.number AND NOT a.attisdropped
	WHERE r.id = (_renamed.version).rule_id AND a.attrelid = r.relation
		AND a.attname <> c.name AND a.attname <> ALL ((_renamed.version).column_names) AND strpos(error, c.name) > 0;
END;
COMMENT ON FUNCTION automation._renamed(automation.rule_version, text) IS 'Which of the columns that an error is about have been renamed since, or null';

CREATE FUNCTION automation._column_numbers(relation regclass, function oid) RETURNS smallint[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(a.attnum ORDER BY a.attnum)
	FROM jsonb_each_text(automation._fields(function::regprocedure)) AS f
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relation AND a.attname = f.value;
END;
COMMENT ON FUNCTION automation._column_numbers(regclass, oid) IS 'The columns that a compiled function names, or null';

CREATE FUNCTION automation._rules_calling(relation regclass, function regprocedure) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- By its name or by an operator. What a step calls as an action nobody has to approve.
	SELECT array_agg(DISTINCT format('"%s"', r.name))
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
	JOIN automation._part AS p ON p.rule_id = r.id
	JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.function
	LEFT JOIN pg_catalog.pg_operator AS o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
	WHERE r.event_relation = _rules_calling.relation
		AND CASE d.refclassid WHEN 'pg_proc'::regclass THEN d.refobjid ELSE o.oprcode::oid END = _rules_calling.function::oid
		AND (p.part <> 'step' OR v.steps -> (p.step - 1)::integer ->> 'action' <> 'call_function');
END;
COMMENT ON FUNCTION automation._rules_calling(regclass, regprocedure) IS 'Rules on changes of the table whose conditions or expressions call the function, or null';
