-- Rules: what users write, its versions, and the verbs that change it.

CREATE TABLE automation.rule (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE,
	folder text NOT NULL DEFAULT 'Default',
	description text,
	relation regclass NOT NULL,
	event_relation regclass NOT NULL,
	owner regrole NOT NULL,
	search_path text NOT NULL,
	position integer NOT NULL,
	state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'active', 'paused', 'disabled')),
	version integer NOT NULL DEFAULT 1,
	on_error text NOT NULL DEFAULT 'log' CHECK (on_error IN ('log', 'fail')),
	in_flight text NOT NULL DEFAULT 'cancel' CHECK (in_flight IN ('cancel', 'finish')),
	on_bulk text CHECK (on_bulk IN ('hold', 'run', 'log_only', 'skip')),
	paused_at timestamptz,
	created_at timestamptz NOT NULL DEFAULT automation._now()
);
COMMENT ON TABLE automation.rule IS 'Rules as they are now';
COMMENT ON COLUMN automation.rule.id IS 'Number of the rule, in the log and in the names of its compiled functions';
COMMENT ON COLUMN automation.rule.name IS 'What users call it';
COMMENT ON COLUMN automation.rule.folder IS 'Where it is listed';
COMMENT ON COLUMN automation.rule.description IS 'What it is for';
COMMENT ON COLUMN automation.rule.relation IS 'Table whose rows it is about';
COMMENT ON COLUMN automation.rule.event_relation IS 'Table whose changes fire it: the same, or a child of it';
COMMENT ON COLUMN automation.rule.owner IS 'Role in whose name it acts';
COMMENT ON COLUMN automation.rule.search_path IS 'What the owner''s functions find: the search path of whoever made the rule';
COMMENT ON COLUMN automation.rule.position IS 'Place in the list; rules for one event run in this order, equals by id';
COMMENT ON COLUMN automation.rule.state IS 'draft: not yet activated; paused and disabled: takes no new runs';
COMMENT ON COLUMN automation.rule.version IS 'The version that new runs follow; earlier ones stay compiled while runs of theirs wait';
COMMENT ON COLUMN automation.rule.on_error IS 'fail: an error aborts the write that fired the rule';
COMMENT ON COLUMN automation.rule.in_flight IS 'When disabled: what becomes of runs that have begun';
COMMENT ON COLUMN automation.rule.on_bulk IS 'What becomes of its matches in a transaction that sets off too much; null: hold if it sends, else run';
COMMENT ON COLUMN automation.rule.paused_at IS 'Since when it is paused';
COMMENT ON COLUMN automation.rule.created_at IS 'When it was made';

CREATE TABLE automation.rule_version (
	rule_id integer NOT NULL,
	version integer NOT NULL,
	name text NOT NULL,
	trigger text NOT NULL,
	params jsonb NOT NULL,
	condition text,
	events text[] NOT NULL,
	timing jsonb,
	is_standing boolean NOT NULL DEFAULT false,
	steps jsonb NOT NULL,
	author regrole NOT NULL,
	reason text,
	created_at timestamptz NOT NULL DEFAULT automation._now(),
	evaluate text NOT NULL DEFAULT 'row' CHECK (evaluate IN ('row', 'commit')),
	event_relation regclass,
	column_names name[],
	PRIMARY KEY (rule_id, version)
);
COMMENT ON TABLE automation.rule_version IS 'What each rule said when; kept after a rule is dropped, for the log';
COMMENT ON COLUMN automation.rule_version.rule_id IS 'The rule';
COMMENT ON COLUMN automation.rule_version.version IS 'Counted from 1 in each rule';
COMMENT ON COLUMN automation.rule_version.name IS 'What the rule was called';
COMMENT ON COLUMN automation.rule_version.trigger IS 'Trigger of automation.triggers';
COMMENT ON COLUMN automation.rule_version.params IS 'Parameters of the trigger';
COMMENT ON COLUMN automation.rule_version.condition IS 'SQL over new and old, or a JSON tree; null: always';
COMMENT ON COLUMN automation.rule_version.events IS 'Some of insert, update, delete';
COMMENT ON COLUMN automation.rule_version.timing IS 'When a run begins, if not with the change that fires it';
COMMENT ON COLUMN automation.rule_version.is_standing IS 'It waits for a date of the row, for as long as the condition holds';
COMMENT ON COLUMN automation.rule_version.steps IS 'Array of {action, params, timing, condition}';
COMMENT ON COLUMN automation.rule_version.author IS 'Who wrote it';
COMMENT ON COLUMN automation.rule_version.reason IS 'Why it was changed';
COMMENT ON COLUMN automation.rule_version.created_at IS 'When it was written';
COMMENT ON COLUMN automation.rule_version.evaluate IS 'row: with each change; commit: once per row, by what the whole transaction has made of it';
COMMENT ON COLUMN automation.rule_version.event_relation IS 'Table whose changes fire it';
COMMENT ON COLUMN automation.rule_version.column_names IS 'What the columns of its relation were called, by number';

-- No part of a dump: numbers of columns and hashes of values mean something in this database only.
CREATE TABLE automation.rule_index (
	rule_id integer NOT NULL,
	version integer NOT NULL,
	made_by text NOT NULL DEFAULT version(),
	watched smallint[] NOT NULL,
	columns smallint[] NOT NULL,
	functions oid[] NOT NULL,
	collations oid[] NOT NULL,
	hashes bigint[] NOT NULL,
	waits_for smallint[],
	PRIMARY KEY (rule_id, version)
);
-- Sessions read all of it with their first write: what is stored so is read in place.
ALTER TABLE automation.rule_index
	ALTER watched SET STORAGE PLAIN,
	ALTER columns SET STORAGE PLAIN,
	ALTER functions SET STORAGE PLAIN,
	ALTER collations SET STORAGE PLAIN,
	ALTER hashes SET STORAGE PLAIN;
COMMENT ON TABLE automation.rule_index IS 'What is known of each compiled rule without reading it: which rows it cannot concern';
COMMENT ON COLUMN automation.rule_index.rule_id IS 'The rule';
COMMENT ON COLUMN automation.rule_index.version IS 'Which version of it';
COMMENT ON COLUMN automation.rule_index.made_by IS 'Version of the server; what another one has made is made again';
COMMENT ON COLUMN automation.rule_index.watched IS 'Columns of its event relation that an update must have changed';
COMMENT ON COLUMN automation.rule_index.columns IS 'Columns of its event relation that it compares with values';
COMMENT ON COLUMN automation.rule_index.functions IS 'Hash function of each of the columns';
COMMENT ON COLUMN automation.rule_index.collations IS 'Collation for each of them';
COMMENT ON COLUMN automation.rule_index.hashes IS 'One number for each list of values of the columns that the rule takes';
COMMENT ON COLUMN automation.rule_index.waits_for IS 'Columns of its relation whose change may end what waits, 0 among them; null: nothing of it waits';

CREATE INDEX rule_index_waits ON automation.rule_index (rule_id) WHERE waits_for IS NOT NULL;

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.rule_index
FOR EACH STATEMENT EXECUTE FUNCTION automation._rules_changed();
ALTER TABLE automation.rule_index ENABLE ALWAYS TRIGGER pg_automation_changed;
CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.rule
FOR EACH STATEMENT EXECUTE FUNCTION automation._rules_changed();
ALTER TABLE automation.rule ENABLE ALWAYS TRIGGER pg_automation_changed;
CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.rule_version
FOR EACH STATEMENT EXECUTE FUNCTION automation._rules_changed();
ALTER TABLE automation.rule_version ENABLE ALWAYS TRIGGER pg_automation_changed;

-- Who may do what

CREATE FUNCTION automation._rule(name text) RETURNS automation.rule
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule automation.rule;
BEGIN
	SELECT r.* INTO rule FROM automation.rule AS r WHERE r.name = _rule.name;
	IF NOT FOUND THEN
		PERFORM automation._fail('42704', format('rule "%s" does not exist', name),
			hint => automation._perhaps(name, ARRAY(SELECT r.name FROM automation.rule AS r)));
	END IF;
	RETURN rule;
END
$$;
COMMENT ON FUNCTION automation._rule(text) IS 'A rule by its name';

CREATE FUNCTION automation._own_rule(caller regrole, name text) RETURNS automation.rule
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule automation.rule := automation._rule(name);
BEGIN
	-- Two who change one rule take turns.
	SELECT r.* INTO rule FROM automation.rule AS r WHERE r.id = rule.id FOR UPDATE;
	IF NOT pg_has_role(caller, rule.owner, 'USAGE') THEN
		PERFORM automation._fail('42501', format('must be owner of rule "%s"', name));
	END IF;
	RETURN rule;
END
$$;
COMMENT ON FUNCTION automation._own_rule(regrole, text) IS 'A rule that the caller may change: his own, or that of a role he is a member of';

CREATE FUNCTION automation._superuser_may(owner regrole) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT NOT r.rolsuper OR coalesce(current_setting('pg_automation.superuser_rules', true)::boolean, true)
	FROM pg_catalog.pg_roles AS r
	WHERE r.oid = owner;
END;
COMMENT ON FUNCTION automation._superuser_may(regrole) IS 'Whether rules of the role may run at all; null when there is no such role';

CREATE FUNCTION automation._check_author(owner regrole, relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._entity(relation);
	IF NOT automation._superuser_may(owner) THEN
		PERFORM automation._fail('42501', 'rules owned by a superuser are not allowed',
			hint => 'Create the rule as another role, or set pg_automation.superuser_rules to on.');
	ELSIF NOT has_table_privilege(owner, relation, 'TRIGGER') THEN
		PERFORM automation._fail('42501', format('permission denied for table %s', automation._relation_name(relation)),
			format('Role %s has no TRIGGER privilege on it.', owner));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_author(regrole, regclass) IS 'Raises an error unless the role may have rules on the attached table';

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
	ELSIF coalesce(timing ->> 'cancel_mode', 'touched') NOT IN ('touched', 'differs') THEN
		PERFORM automation._fail('22023', format('invalid value for cancel_mode: "%s"', timing ->> 'cancel_mode'),
			hint => 'Valid values are: touched, differs.');
	ELSIF timing ? 'cancel_mode' AND columns IS NULL THEN
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
RETURN ARRAY(SELECT format('%s_%s', p, step) FROM unnest('{due,anchor,cancel,unless}'::text[]
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

CREATE FUNCTION automation._obstacle(rule_id integer) RETURNS text
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_obstacle';
COMMENT ON FUNCTION automation._obstacle(integer) IS 'Why PostgreSQL would not execute what a rule was compiled to, in the name of its owner, or null';

CREATE VIEW automation._rule_problem AS
SELECT r.id AS rule_id, CASE
	WHEN o.oid IS NULL THEN format('role %s does not exist', r.owner)
	WHEN o.rolsuper AND NOT coalesce(current_setting('pg_automation.superuser_rules', true)::boolean, true)
	THEN 'pg_automation.superuser_rules is off'
	WHEN subject.id IS NULL THEN format('table "%s" is not attached', r.relation)
	WHEN source.id IS NULL THEN format('table "%s" is not attached', r.event_relation)
	ELSE coalesce((
			SELECT format('compiled function "%s" does not exist',
				min(automation._rule_function(r.id, r.version, concat_ws('_', p.part, p.step))))
			FROM automation._part AS p
			WHERE p.rule_id = r.id AND p.version = r.version AND p.function IS NULL
			HAVING count(*) > 0),
		CASE WHEN NOT pg_is_in_recovery() THEN automation._obstacle(r.id) END)
END AS problem
FROM automation.rule AS r
LEFT JOIN pg_catalog.pg_roles AS o ON o.oid = r.owner
LEFT JOIN automation.entity AS subject ON subject.relation = r.relation
LEFT JOIN automation.entity AS source ON source.relation = r.event_relation;
COMMENT ON VIEW automation._rule_problem IS 'Why a rule cannot run, or null';

CREATE FUNCTION automation._problem(rule_id integer) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT p.problem FROM automation._rule_problem AS p WHERE p.rule_id = _problem.rule_id;
END;
COMMENT ON FUNCTION automation._problem(integer) IS 'Why a rule cannot run, or null';

CREATE VIEW automation._wait AS
SELECT
	r.id AS rule_id,
	v.version,
	w.step,
	r.event_relation,
	r.relation,
	coalesce(automation._rule_part(r.id, v.version, 'due_' || w.step), 0) AS due_function,
	coalesce(automation._rule_part(r.id, v.version, 'unless_' || w.step), 0) AS unless_function,
	automation._column_numbers(r.relation, automation._rule_part(r.id, v.version, 'cancel_' || w.step)) AS cancelled_by,
	(automation._column_numbers(r.relation, automation._rule_part(r.id, v.version, 'anchor_' || w.step)))[1] AS anchored_on,
	coalesce(w.timing ->> 'cancel_mode' = 'differs', false) AS by_difference,
	coalesce((w.timing ->> 'after_previous')::boolean, false) OR coalesce(w.timing ->> 'anchor' = 'previous', false) AS after_previous,
	coalesce(w.timing ->> 'anchor', 'trigger') AS anchor,
	w.timing ?| '{cron,every}' AS recurs,
	w.timing ? 'cron' AS has_no_row
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id
CROSS JOIN LATERAL (
	SELECT 0::smallint, v.timing WHERE v.timing IS NOT NULL
	UNION ALL
	SELECT s.place::smallint, s.step -> 'timing'
	FROM jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
	WHERE automation._is_delayed(s.step -> 'timing')
) AS w(step, timing)
WHERE automation._rule_part(r.id, v.version, 'when') IS NOT NULL;
COMMENT ON VIEW automation._wait IS 'Steps that wait, and rules whose runs begin later (step 0): for what, and what cancels them';

-- The index of rules

CREATE FUNCTION automation._index_key(owner regrole, function oid)
RETURNS TABLE (watched smallint[], columns smallint[], functions oid[], collations oid[], hashes bigint[])
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_index_key';
COMMENT ON FUNCTION automation._index_key(regrole, oid) IS 'What a compiled condition asks of the values of columns, found out with the rights of the rule''s owner';

CREATE FUNCTION automation._known_of(rule_id integer, version integer)
RETURNS TABLE (watched smallint[], columns smallint[], functions oid[], collations oid[], hashes bigint[])
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- A rule that waits for a date has to see every change.
	SELECT k.*
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id,
		LATERAL automation._index_key(r.owner,
			CASE WHEN v.is_standing THEN 0 ELSE coalesce(automation._rule_part(r.id, v.version, 'when'), 0) END) AS k
	WHERE r.id = _known_of.rule_id AND v.version = _known_of.version;
END;
COMMENT ON FUNCTION automation._known_of(integer, integer) IS 'What a version of a rule asks of the values of columns';

CREATE FUNCTION automation._index_rule(rule_id integer, version integer) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO automation.rule_index AS i (rule_id, version, watched, columns, functions, collations, hashes, waits_for)
	SELECT _index_rule.rule_id, _index_rule.version, k.watched, k.columns, k.functions, k.collations, k.hashes,
		(SELECT array_agg(DISTINCT c.attnum)
		FROM automation._wait AS w
		CROSS JOIN LATERAL unnest(CASE WHEN w.by_difference THEN '{}' ELSE coalesce(w.cancelled_by, '{}') END
			|| coalesce(w.anchored_on, 0::smallint)) AS c(attnum)
		WHERE w.rule_id = _index_rule.rule_id AND w.version = _index_rule.version)
	FROM automation._known_of(_index_rule.rule_id, _index_rule.version) AS k
	ON CONFLICT ON CONSTRAINT rule_index_pkey DO UPDATE
	SET made_by = excluded.made_by, watched = excluded.watched, columns = excluded.columns, functions = excluded.functions,
		collations = excluded.collations, hashes = excluded.hashes, waits_for = excluded.waits_for;
END;
COMMENT ON FUNCTION automation._index_rule(integer, integer) IS 'Notes what is known of a version of a rule without reading it';

CREATE FUNCTION automation._is_indexed() RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM automation.rule_index AS i WHERE i.made_by = version());
END;
COMMENT ON FUNCTION automation._is_indexed() IS 'Whether rule_index is of this database and server: all of it is, or nothing';

CREATE FUNCTION automation._unknown_rules() RETURNS TABLE (rule_id integer, version integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.id, r.version
	FROM automation.rule AS r
	LEFT JOIN automation.rule_index AS i ON i.rule_id = r.id AND i.version = r.version AND i.made_by = (SELECT version())
	WHERE i.rule_id IS NULL AND automation._rule_part(r.id, r.version, 'when') IS NOT NULL;
END;
COMMENT ON FUNCTION automation._unknown_rules() IS 'Compiled rules that are not in rule_index';

CREATE FUNCTION automation._index_rules() RETURNS void
LANGUAGE plpgsql -- what is pending comes later
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM automation._unknown_rules()) THEN
		PERFORM automation._index_rule(v.rule_id, v.version)
		FROM (
			SELECT u.rule_id, u.version FROM automation._unknown_rules() AS u
			UNION
			SELECT p.rule_id, p.version FROM automation.pending AS p
		) AS v
		WHERE automation._rule_part(v.rule_id, v.version, 'when') IS NOT NULL;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._index_rules() IS 'Indexes rules that came with a dump, or that another version of the server has indexed';

CREATE FUNCTION automation._rules_of(entity_id integer)
RETURNS TABLE (
	rule_id integer,
	version integer,
	place integer,
	is_known boolean,
	watched smallint[],
	columns smallint[],
	functions oid[],
	collations oid[],
	hashes bigint[],
	at_commit boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.id, r.version, r.position, i.rule_id IS NOT NULL, i.watched, i.columns, i.functions, i.collations, i.hashes,
		v.evaluate = 'commit'
	FROM automation.entity AS source
	JOIN automation.rule AS r ON r.event_relation = source.relation
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
		AND (r.state = 'active' OR r.state = 'paused' AND v.timing IS NOT NULL)
	LEFT JOIN pg_catalog.pg_authid AS o ON o.oid = r.owner
	LEFT JOIN automation.rule_index AS i ON i.rule_id = r.id AND i.version = r.version AND i.made_by = (SELECT version())
	WHERE source.id = entity_id
		AND (o.rolsuper IS NOT TRUE OR (SELECT coalesce(current_setting('pg_automation.superuser_rules', true)::boolean, true)));
END;
COMMENT ON FUNCTION automation._rules_of(integer) IS 'Rules that changes of an attached table can fire, with what is known of each without reading it';

CREATE FUNCTION automation._touched_columns(entity_id integer) RETURNS TABLE (attnum smallint, name text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT w.attnum, a.attname
	FROM automation.entity AS e
	JOIN automation.rule AS r ON r.relation = e.relation AND r.state <> 'draft'
	JOIN automation.rule_index AS i ON i.rule_id = r.id AND i.waits_for IS NOT NULL
	CROSS JOIN LATERAL unnest(i.waits_for) AS w(attnum)
	LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = e.relation AND a.attnum = w.attnum
	WHERE e.id = entity_id
	GROUP BY w.attnum, a.attname
	UNION ALL
	-- Until the rules that came with a dump are indexed, any column may be one.
	SELECT c.attnum, c.attname
	FROM automation.entity AS e
	CROSS JOIN LATERAL (
		SELECT 0::smallint, NULL
		UNION ALL
		SELECT a.attnum, a.attname
		FROM pg_catalog.pg_attribute AS a
		WHERE a.attrelid = e.relation AND a.attnum > 0 AND NOT a.attisdropped
	) AS c(attnum, attname)
	WHERE e.id = entity_id AND NOT automation._is_indexed() AND EXISTS (SELECT FROM automation.rule AS r WHERE r.relation = e.relation);
END;
COMMENT ON FUNCTION automation._touched_columns(integer) IS 'Columns whose change may end something that waits for the row, 0 among them';

CREATE FUNCTION automation._rule_parts(rule_id integer, version integer)
RETURNS TABLE (
	step smallint,
	action text,
	kind text,
	server oid,
	channel text,
	channel_kind text,
	function oid,
	if_function oid,
	anchor text,
	after_previous boolean,
	by_difference boolean,
	recurs boolean,
	has_no_row boolean,
	anchored_on smallint,
	cancelled_by smallint[],
	due_function oid,
	unless_function oid,
	events text[],
	key_function oid,
	owner oid,
	search_path text,
	subject integer,
	fails boolean,
	is_standing boolean,
	is_active boolean,
	state text,
	finishes boolean,
	on_bulk text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.step, d.name, d.kind, coalesce(c.oid, 0), s.channel, d.channel_kind,
		automation._rule_part(r.id, v.version, CASE s.step WHEN 0 THEN 'when' ELSE 'step_' || s.step END),
		automation._rule_part(r.id, v.version, CASE s.step WHEN 0 THEN 'still' ELSE 'if_' || s.step END),
		w.anchor, w.after_previous, w.by_difference, w.recurs, w.has_no_row, w.anchored_on, w.cancelled_by, w.due_function,
		w.unless_function, v.events, automation._rule_part(r.id, v.version, 'key'), r.owner::oid, r.search_path, subject.id,
		r.on_error = 'fail', v.is_standing,
		r.state = 'active' AND r.version = v.version AND coalesce(automation._superuser_may(r.owner), true), r.state,
		r.in_flight = 'finish', automation._on_bulk(r.id)
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id
	JOIN automation.entity AS subject ON subject.relation = r.relation
	CROSS JOIN LATERAL (
		SELECT 0::smallint, NULL, NULL
		UNION ALL
		SELECT u.place::smallint, u.step ->> 'action', u.step -> 'params' ->> 'channel'
		FROM jsonb_array_elements(v.steps) WITH ORDINALITY AS u(step, place)
	) AS s(step, action, channel)
	LEFT JOIN automation.action_definition AS d ON d.name = s.action
	LEFT JOIN automation._wait AS w ON w.rule_id = r.id AND w.version = v.version AND w.step = s.step
	LEFT JOIN pg_catalog.pg_foreign_server AS c ON c.srvname = s.channel
	WHERE r.id = _rule_parts.rule_id AND v.version = _rule_parts.version
	ORDER BY s.step;
END;
COMMENT ON FUNCTION automation._rule_parts(integer, integer)
	IS 'A version of a rule as the engine reads it: the rule itself (step 0), then its steps. One that is not active only finishes what it has begun';

-- Making and changing rules

CREATE FUNCTION automation._check_rule_name(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (octet_length(name) BETWEEN 1 AND 63 AND name !~ '[[:cntrl:]]') IS NOT TRUE THEN
		PERFORM automation._fail('42602', format('invalid rule name: "%s"', name),
			'A name has 1 to 63 bytes and no control characters.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_rule_name(text) IS 'Raises an error unless the text can be the name of a rule';

CREATE FUNCTION automation._check_new_name(name text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_rule_name(name);
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
	IF (on_error IN ('log', 'fail')) IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('invalid value for on_error: "%s"', on_error),
			hint => 'Valid values are: log, fail.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_on_error(text) IS 'Raises an error unless the text says what a failing rule does';

CREATE FUNCTION automation._check_on_bulk(on_bulk text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF on_bulk NOT IN ('default', 'hold', 'run', 'log_only', 'skip') THEN
		PERFORM automation._fail('22023', format('invalid value for on_bulk: "%s"', on_bulk),
			hint => 'Valid values are: default, hold, run, log_only, skip.');
	END IF;
	RETURN nullif(on_bulk, 'default');
END
$$;
COMMENT ON FUNCTION automation._check_on_bulk(text) IS 'What a rule keeps of what its author says of bulk, or an error';

CREATE FUNCTION automation._steps_json(rule text, steps automation.step[]) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF coalesce(cardinality(steps), 0) = 0 OR array_position(steps, NULL) IS NOT NULL THEN
		PERFORM automation._fail('22023', format('rule "%s" has no steps', rule));
	END IF;
	RETURN (
		SELECT jsonb_agg(jsonb_build_object(
			'action', s.action, 'params', coalesce(s.params, '{}'), 'timing', coalesce(s.timing, '{}'),
			'condition', nullif(btrim(s.condition), '')) ORDER BY s.place)
		FROM unnest(steps) WITH ORDINALITY AS s(action, params, timing, condition, place));
END
$$;
COMMENT ON FUNCTION automation._steps_json(text, automation.step[]) IS 'Steps as a version of a rule keeps them';

CREATE FUNCTION automation._callers_search_path(caller regrole) RETURNS text
LANGUAGE sql STABLE
-- The path the caller had before any function of ours set its own: these functions have no SET.
RETURN concat_ws(', ',
	CASE WHEN strpos(current_setting('search_path'), '"$user"') > 0 THEN caller::text END,
	(
		SELECT string_agg(quote_ident(s.name), ', ' ORDER BY s.place)
		FROM unnest(current_schemas(false)) WITH ORDINALITY AS s(name, place)
		WHERE NOT starts_with(s.name, 'pg_temp')
	),
	'pg_temp');
COMMENT ON FUNCTION automation._callers_search_path(regrole) IS 'Search path of the caller, with temporary objects last';

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
	IF version.evaluate NOT IN ('row', 'commit') THEN
		PERFORM automation._fail('22023', format('invalid value for evaluate: "%s"', version.evaluate),
			hint => 'Valid values are: row, commit.');
	END IF;
	INSERT INTO automation.rule_version (rule_id, version, name, trigger, params, condition, events, steps, author, reason, evaluate)
	VALUES (version.rule_id, version.version, version.name, version.trigger, coalesce(version.params, '{}'),
		nullif(btrim(version.condition), ''), '{}', version.steps, version.author, version.reason, coalesce(version.evaluate, 'row'));
	UPDATE automation.rule AS r SET version = _add_version.version.version, name = _add_version.version.name
	WHERE r.id = _add_version.version.rule_id;
	PERFORM automation._compile_rule(version.rule_id);
	IF automation._is_indexed() THEN
		PERFORM automation._index_rule(version.rule_id, version.version);
	ELSE
		PERFORM automation._index_rules();
	END IF;
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
	PERFORM automation._check_on_error(on_error);
	PERFORM automation._check_author(version.author, relation);
	INSERT INTO automation.rule (name, folder, description, relation, event_relation, owner, search_path, position, on_error, on_bulk)
	VALUES (version.name, coalesce(folder, 'Default'), description, relation, relation, version.author, search_path,
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
	ROW(NULL, NULL, name, trigger, params, condition, NULL, NULL, NULL, automation._steps_json(name, steps), caller, NULL, NULL, evaluate, NULL, NULL)::automation.rule_version, on_bulk);
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
	on_bulk text DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.alter_rule(text, text, text, jsonb, text, automation.step[], text, text, text, text, text, text)
	IS 'Changes what is given of a rule and answers its version, a new one if it says something else now; name renames it, an empty condition removes the condition';

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
	on_bulk text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old_rule automation.rule := automation._own_rule(caller, rule);
	version automation.rule_version := automation._version(old_rule.id, old_rule.version);
	says_the_same CONSTANT boolean := coalesce(name, old_rule.name) = old_rule.name
		AND num_nonnulls(trigger, params, condition, steps, reason, evaluate) = 0;
BEGIN
	PERFORM automation._check_author(old_rule.owner, old_rule.relation);
	IF name <> old_rule.name THEN
		PERFORM automation._check_new_name(name);
		version.name := name;
	END IF;
	-- The parameters of one trigger mean nothing to another.
	version.params := coalesce(params, CASE WHEN trigger <> version.trigger THEN '{}' ELSE version.params END);
	version.trigger := coalesce(trigger, version.trigger);
	version.condition := coalesce(condition, version.condition);
	version.steps := CASE WHEN steps IS NULL THEN version.steps ELSE automation._steps_json(version.name, steps) END;
	version.version := version.version + 1;
	version.author := caller;
	version.reason := reason;
	version.evaluate := coalesce(evaluate, version.evaluate);
	PERFORM automation._check_on_error(coalesce(on_error, old_rule.on_error));
	UPDATE automation.rule AS r
	SET folder = coalesce(_alter_rule.folder, r.folder),
		description = coalesce(_alter_rule.description, r.description),
		on_error = coalesce(_alter_rule.on_error, r.on_error),
		on_bulk = CASE WHEN _alter_rule.on_bulk IS NULL THEN r.on_bulk ELSE automation._check_on_bulk(_alter_rule.on_bulk) END
	WHERE r.id = old_rule.id;
	IF says_the_same THEN
		RETURN old_rule.version;
	END IF;
	PERFORM automation._add_version(version);
	RETURN version.version;
END
$$;
COMMENT ON FUNCTION automation._alter_rule(regrole, text, text, text, jsonb, text, automation.step[], text, text, text, text, text, text) IS 'automation.alter_rule()';

CREATE FUNCTION automation.rollback_rule(rule text, version integer, reason text DEFAULT NULL) RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.rollback_rule(text, integer, text) IS 'Makes a rule say again what it said in an earlier version, as a new version, and answers that';

CREATE FUNCTION automation._rollback_rule(caller regrole, rule text, version integer, reason text) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old_rule automation.rule := automation._own_rule(caller, rule);
	earlier automation.rule_version := automation._version(old_rule.id, version);
BEGIN
	PERFORM automation._check_author(old_rule.owner, old_rule.relation);
	IF earlier.rule_id IS NULL THEN
		PERFORM automation._fail('42704', format('rule "%s" has no version %s', rule, version),
			format('Its versions are 1 to %s.', old_rule.version));
	END IF;
	earlier.name := old_rule.name;
	earlier.version := old_rule.version + 1;
	earlier.author := caller;
	earlier.reason := coalesce(reason, format('rollback to version %s', version));
	PERFORM automation._add_version(earlier);
	RETURN earlier.version;
END
$$;
COMMENT ON FUNCTION automation._rollback_rule(regrole, text, integer, text) IS 'automation.rollback_rule()';

CREATE FUNCTION automation.copy_rule(
	rule text,
	new_name text,
	relation regclass DEFAULT NULL,
	activate boolean DEFAULT false)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.copy_rule(text, text, regclass, boolean) IS 'Makes a rule of the caller''s that says the same, for another table too, and answers its number';

CREATE FUNCTION automation._trigger_on(trigger text, source regclass, target regclass) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT regexp_replace(trigger, format('^%s\.', s.object_type), t.object_type || '.')
	FROM automation._entity(source) AS s, automation._entity(target) AS t;
END;
COMMENT ON FUNCTION automation._trigger_on(text, regclass, regclass) IS 'job.created as deal.created, when a rule goes from jobs to deals';

CREATE FUNCTION automation._copy_rule(
	caller regrole,
	rule text,
	new_name text,
	relation regclass,
	activate boolean)
RETURNS integer
LANGUAGE sql
RETURN (
	SELECT automation._new_rule(
		automation._callers_search_path(caller), coalesce(_copy_rule.relation, r.relation), r.folder, r.description,
		activate, r.on_error, NULL,
		ROW(NULL, NULL, new_name,
			automation._trigger_on(v.trigger, r.relation, coalesce(_copy_rule.relation, r.relation)), v.params,
			v.condition, NULL, NULL, NULL, v.steps, caller, format('copy of "%s"', r.name), NULL, v.evaluate, NULL,
			CASE WHEN coalesce(_copy_rule.relation, r.relation) = r.relation THEN v.column_names END)::automation.rule_version, r.on_bulk)
	FROM automation._rule(_copy_rule.rule) AS r, LATERAL automation._version(r.id, r.version) AS v
);
COMMENT ON FUNCTION automation._copy_rule(regrole, text, text, regclass, boolean) IS 'automation.copy_rule()';

CREATE FUNCTION automation.drop_rule(rule text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_rule(text) IS 'Drops a rule; the log of its runs stays';

CREATE FUNCTION automation._drop_rule(caller regrole, rule text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old_rule automation.rule := automation._own_rule(caller, rule);
BEGIN
	PERFORM automation._drop_compiled(old_rule.id, v.version)
	FROM automation.rule_version AS v
	WHERE v.rule_id = old_rule.id;
	PERFORM automation._cancel_runs(old_rule.id, 'rule dropped');
	DELETE FROM automation.rule AS r WHERE r.id = old_rule.id;
	DELETE FROM automation.playbook_rule AS p WHERE p.rule_id = old_rule.id;
END
$$;
COMMENT ON FUNCTION automation._drop_rule(regrole, text) IS 'automation.drop_rule()';

CREATE FUNCTION automation._indexed(compiled text[]) RETURNS SETOF automation.rule_index
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT i.*
	FROM unnest(compiled) AS c(name)
	JOIN automation.rule_index AS i ON i.rule_id = split_part(c.name, '_', 1)::integer AND i.version = split_part(c.name, '_', 2)::integer;
END;
COMMENT ON FUNCTION automation._indexed(text[]) IS 'The versions of rules ("1_2": of rule 1 the second) that are indexed';

-- The list

CREATE FUNCTION automation.move_rule(rule text, before text DEFAULT NULL, after text DEFAULT NULL) RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.move_rule(text, text, text) IS 'Moves a rule in the list, before or after another, and answers its place; rules for one event run in listed order';

CREATE FUNCTION automation._move_rule(caller regrole, rule text, before text, after text) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	moved automation.rule := automation._own_rule(caller, rule);
	neighbour automation.rule;
BEGIN
	IF (before IS NULL) = (after IS NULL) THEN
		PERFORM automation._fail('22023', 'either "before" or "after" must be given');
	END IF;
	neighbour := automation._rule(coalesce(before, after));
	-- The list is numbered anew, so that equals and gaps do not matter.
	UPDATE automation.rule AS r SET position = listed.place
	FROM (
		SELECT l.id, row_number() OVER (ORDER BY
			CASE WHEN l.id = moved.id THEN neighbour.position ELSE l.position END,
			CASE WHEN l.id = moved.id THEN neighbour.id ELSE l.id END,
			CASE WHEN l.id <> moved.id THEN 0 WHEN before IS NULL THEN 1 ELSE -1 END) AS place
		FROM automation.rule AS l
	) AS listed
	WHERE r.id = listed.id AND r.position <> listed.place;
	RETURN (SELECT r.position FROM automation.rule AS r WHERE r.id = moved.id);
END
$$;
COMMENT ON FUNCTION automation._move_rule(regrole, text, text, text) IS 'automation.move_rule()';

-- States

CREATE FUNCTION automation._is_operator(role regrole) RETURNS boolean
LANGUAGE sql STABLE
RETURN has_function_privilege(role, 'automation.purge_log(interval)', 'EXECUTE');
COMMENT ON FUNCTION automation._is_operator(regrole) IS 'Whether the role may stop and restart rules of others';

CREATE FUNCTION automation._set_state(caller regrole, name text, "from" text[], "to" text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule automation.rule := automation._rule(name);
BEGIN
	IF NOT (automation._is_operator(caller) AND rule.state <> 'draft') THEN
		rule := automation._own_rule(caller, name);
	END IF;
	IF rule.state = "to" THEN
		RAISE NOTICE 'rule "%" is already %', name, "to";
		RETURN "to";
	ELSIF rule.state <> ALL ("from") THEN
		PERFORM automation._fail('55000', format('rule "%s" is %s', name, CASE rule.state WHEN 'draft' THEN 'a draft' ELSE rule.state END),
			format('It must be %s.', array_to_string("from", ' or ')));
	ELSIF "to" = 'active' AND automation._problem(rule.id) IS NOT NULL THEN
		PERFORM automation._fail('55000', format('rule "%s" cannot run', name), format('The reason is: %s.', automation._problem(rule.id)),
			'Use automation.alter_rule().');
	END IF;
	UPDATE automation.rule AS r SET state = "to" WHERE r.id = rule.id;
	IF "to" = 'active' THEN
		PERFORM automation._plan_schedule(rule.id);
	END IF;
	RETURN "to";
END
$$;
COMMENT ON FUNCTION automation._set_state(regrole, text, text[], text) IS 'Changes the state of a rule and answers it';

CREATE FUNCTION automation.activate_rule(rule text, apply_to text DEFAULT 'new', rate integer DEFAULT 100) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.activate_rule(text, text, integer)
	IS 'Lets a rule run: for what happens from now on (new), or for all rows that are there too, at most rate of them a second. See matching_rows() first';

CREATE FUNCTION automation._activate_rule(caller regrole, rule text, apply_to text, rate integer) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	active automation.rule;
BEGIN
	IF (apply_to IN ('new', 'all')) IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('invalid value for apply_to: "%s"', apply_to),
			hint => 'Valid values are: new, all.');
	END IF;
	active := automation._rule(rule);
	IF active.state = 'paused' THEN
		PERFORM automation._resume_rule(caller, rule, 'skip');
	ELSE
		PERFORM automation._set_state(caller, rule, '{draft,disabled}', 'active');
	END IF;
	IF apply_to = 'all' THEN
		PERFORM automation._apply_to_all(active, rate);
	END IF;
	RETURN 'active';
END
$$;
COMMENT ON FUNCTION automation._activate_rule(regrole, text, text, integer) IS 'automation.activate_rule()';

CREATE FUNCTION automation.pause_rule(rule text) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.pause_rule(text) IS 'Takes no new runs of a rule, and no steps of those that have begun, until resume_rule()';

CREATE FUNCTION automation._pause_rule(caller regrole, rule text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._set_state(caller, rule, '{active}', 'paused');
	UPDATE automation.rule AS r SET paused_at = coalesce(r.paused_at, automation._now()) WHERE r.name = rule;
	RETURN 'paused';
END
$$;
COMMENT ON FUNCTION automation._pause_rule(regrole, text) IS 'automation.pause_rule()';

CREATE FUNCTION automation.resume_rule(rule text, on_overdue text DEFAULT 'skip') RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.resume_rule(text, text)
	IS 'Ends pause_rule(). What came due in the meantime is skipped, run (ten a second), or rescheduled: as much later as the pause was long';

CREATE FUNCTION automation._resume_rule(caller regrole, rule text, on_overdue text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	paused automation.rule := automation._rule(rule);
BEGIN
	PERFORM automation._check_on_overdue(on_overdue);
	PERFORM automation._set_state(caller, rule, '{paused}', 'active');
	UPDATE automation.rule AS r SET paused_at = NULL WHERE r.id = paused.id;
	PERFORM automation._resume_all(on_overdue, paused.id, NULL, NULL, paused.paused_at);
	PERFORM automation._wake_worker();
	RETURN 'active';
END
$$;
COMMENT ON FUNCTION automation._resume_rule(regrole, text, text) IS 'automation.resume_rule()';

CREATE FUNCTION automation.disable_rule(rule text, in_flight text DEFAULT 'cancel') RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.disable_rule(text, text)
	IS 'Takes no new runs of a rule until enable_rule(); those that have begun are cancelled, or finish';

CREATE FUNCTION automation._disable_rule(caller regrole, rule text, in_flight text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	disabled automation.rule := automation._rule(rule);
BEGIN
	IF (in_flight IN ('cancel', 'finish')) IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('invalid value for in_flight: "%s"', in_flight),
			hint => 'Valid values are: cancel, finish.');
	END IF;
	PERFORM automation._set_state(caller, rule, '{draft,active,paused}', 'disabled');
	UPDATE automation.rule AS r SET in_flight = _disable_rule.in_flight, paused_at = NULL WHERE r.id = disabled.id;
	IF in_flight = 'cancel' THEN
		PERFORM automation._cancel_runs(disabled.id, 'rule disabled');
	ELSE
		PERFORM automation._resume_all('skip', disabled.id, NULL, NULL, disabled.paused_at);
	END IF;
	RETURN 'disabled';
END
$$;
COMMENT ON FUNCTION automation._disable_rule(regrole, text, text) IS 'automation.disable_rule()';

CREATE FUNCTION automation.enable_rule(rule text) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.enable_rule(text) IS 'Ends disable_rule()';

CREATE FUNCTION automation._enable_rule(caller regrole, rule text) RETURNS text
LANGUAGE sql
RETURN automation._set_state(caller, rule, '{disabled}', 'active');
COMMENT ON FUNCTION automation._enable_rule(regrole, text) IS 'automation.enable_rule()';

-- What users read

CREATE VIEW automation.rules AS
SELECT
	r.id,
	r.name,
	r.folder,
	r.relation,
	v.trigger,
	v.params,
	v.condition,
	jsonb_array_length(v.steps) AS steps,
	r.state,
	CASE WHEN p.problem IS NOT NULL THEN '⚠' WHEN r.state = 'active' THEN '✅' ELSE '⚪' END AS state_icon,
	p.problem IS NULL AS valid,
	p.problem,
	r.position,
	r.owner,
	r.on_error,
	r.version,
	r.description,
	r.created_at,
	v.created_at AS changed_at,
	v.evaluate,
	automation._on_bulk(r.id) AS on_bulk
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
JOIN automation._rule_problem AS p ON p.rule_id = r.id
ORDER BY r.position, r.id;
COMMENT ON VIEW automation.rules IS 'Rules in listed order; one that is not valid takes no runs, problem tells why';

CREATE VIEW automation.rule_steps AS
SELECT
	r.name AS rule,
	s.place AS step,
	s.step ->> 'action' AS action,
	s.step -> 'params' AS params,
	s.step ->> 'condition' AS condition,
	s.step -> 'timing' AS timing
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version,
	LATERAL jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
ORDER BY r.position, r.id, s.place;
COMMENT ON VIEW automation.rule_steps IS 'Steps of every rule';

CREATE VIEW automation.rule_history AS
SELECT coalesce(r.name, v.name) AS rule, v.version, r.version = v.version AS present, v.trigger, v.params, v.condition, v.steps,
	v.author, v.reason, v.created_at
FROM automation.rule_version AS v
LEFT JOIN automation.rule AS r ON r.id = v.rule_id
ORDER BY v.rule_id, v.version;
COMMENT ON VIEW automation.rule_history IS 'Every version of every rule, dropped ones too; automation.rollback_rule() goes back to one';
