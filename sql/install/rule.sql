-- Rules: what users write, and who may change it.

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
	in_test boolean NOT NULL DEFAULT false,
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
COMMENT ON COLUMN automation.rule.in_test IS 'Its messages are not sent';
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
	filters jsonb NOT NULL DEFAULT '{}',
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
COMMENT ON COLUMN automation.rule_version.steps IS 'Array of {action, params, timing, condition}; of a step that names templates, written: as it was, and uses: versions of them';
COMMENT ON COLUMN automation.rule_version.author IS 'Who wrote it';
COMMENT ON COLUMN automation.rule_version.reason IS 'Why it was changed';
COMMENT ON COLUMN automation.rule_version.created_at IS 'When it was written';
COMMENT ON COLUMN automation.rule_version.evaluate IS 'row: with each change; commit: once per row, by what the whole transaction has made of it';
COMMENT ON COLUMN automation.rule_version.event_relation IS 'Table whose changes fire it';
COMMENT ON COLUMN automation.rule_version.column_names IS 'What the columns of its relation were called, by number';
COMMENT ON COLUMN automation.rule_version.filters IS 'Versions of the filters that its conditions name';

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
		PERFORM automation._no_such('rule', name, ARRAY(SELECT r.name FROM automation.rule AS r));
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
