-- The event journal: row images of what fired rules, and what did not. It is kept while
-- pg_automation.journal is on, and for the time of a trial.

CREATE TABLE automation.event (
	id bigint NOT NULL DEFAULT nextval('automation.run_id_seq'),
	at timestamptz NOT NULL DEFAULT automation._now(),
	entity_id integer NOT NULL,
	key text NOT NULL,
	event text NOT NULL,
	old_row jsonb,
	new_row jsonb,
	cause bigint,
	actor text NOT NULL DEFAULT session_user
);
CREATE INDEX event_of_row ON automation.event (entity_id, key, id);
COMMENT ON TABLE automation.event IS 'Changes of attached tables, noted while pg_automation.journal is on: what why_not() looks back at';
COMMENT ON COLUMN automation.event.id IS 'Drawn from the numbers of runs: runs that it fired have higher numbers';
COMMENT ON COLUMN automation.event.at IS 'When';
COMMENT ON COLUMN automation.event.entity_id IS 'Attached table';
COMMENT ON COLUMN automation.event.key IS 'Key of the changed row';
COMMENT ON COLUMN automation.event.event IS 'created, updated or deleted';
COMMENT ON COLUMN automation.event.old_row IS 'The row before';
COMMENT ON COLUMN automation.event.new_row IS 'The row after';
COMMENT ON COLUMN automation.event.cause IS 'The run that did it; null: a person or program';
COMMENT ON COLUMN automation.event.actor IS 'Session user';

CREATE FUNCTION automation._is_own(writer xid) RETURNS boolean
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'automation_is_own';
COMMENT ON FUNCTION automation._is_own(xid) IS 'Whether this very transaction has written a row with this xmin';

CREATE FUNCTION automation._may_read_messages(caller regrole, owner oid) RETURNS boolean
LANGUAGE sql STABLE
RETURN pg_has_role(caller, owner, 'USAGE') OR automation._is_operator(caller);
COMMENT ON FUNCTION automation._may_read_messages(regrole, oid) IS 'Whether the role may read messages of rules of that owner';

CREATE FUNCTION automation._differences(old_row jsonb, new_row jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT jsonb_object_agg(n.key, jsonb_build_array(old_row -> n.key, n.value))
	FROM jsonb_each(new_row) AS n
	WHERE n.value IS DISTINCT FROM old_row -> n.key
);
COMMENT ON FUNCTION automation._differences(jsonb, jsonb) IS 'Columns that differ, each with its old and new value, as in automation.run.changes';

CREATE FUNCTION automation._changes_text(changes jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT string_agg(format('%s: %s → %s', c.key, coalesce(c.value ->> 0, 'null'), coalesce(c.value ->> 1, 'null')), ', ' ORDER BY c.key)
	FROM jsonb_each(changes) AS c
);
COMMENT ON FUNCTION automation._changes_text(jsonb) IS 'status: New → Won, ...';

-- Why a rule did not run

CREATE FUNCTION automation._event_verb(event text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE event WHEN 'created' THEN 'insert' WHEN 'updated' THEN 'update' WHEN 'deleted' THEN 'delete' END;
COMMENT ON FUNCTION automation._event_verb(text) IS 'created as insert, ...';

CREATE FUNCTION automation._value_text(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN value IS NULL OR value = 'null' THEN 'null' ELSE value #>> '{}' END;
COMMENT ON FUNCTION automation._value_text(jsonb) IS 'A value as a reason mentions it';

CREATE FUNCTION automation._image_values(columns text[], old_row jsonb, new_row jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT jsonb_object_agg(c, CASE WHEN starts_with(c, 'old.') THEN old_row ELSE new_row END -> substr(c, 5))
	FROM unnest(columns) AS c
	WHERE CASE WHEN starts_with(c, 'old.') THEN old_row ELSE new_row END IS NOT NULL
);
COMMENT ON FUNCTION automation._image_values(text[], jsonb, jsonb) IS 'Values of "old.status", "new.status", ... in two images of a row';

CREATE FUNCTION automation._judged(rule automation.rule, function regprocedure, old_row jsonb, new_row jsonb)
RETURNS TABLE (conjunct text, holds boolean, row_values jsonb, note text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	c record;
BEGIN
	FOR c IN SELECT f.* FROM automation._conjuncts(function) WITH ORDINALITY AS f(query, columns, is_change, number) LOOP
		conjunct := automation._readable(c.query);
		-- A trigger or rule without a condition.
		CONTINUE WHEN conjunct = 'true';
		row_values := automation._image_values(c.columns, old_row, new_row);
		holds := NULL;
		note := NULL;
		BEGIN
			holds := automation._holds(rule.owner, rule.search_path, function, c.number::integer, rule.event_relation, old_row, new_row);
			note := CASE WHEN holds IS NULL THEN 'null: does not hold' END;
		EXCEPTION WHEN OTHERS THEN
			note := SQLERRM;
		END;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._judged(automation.rule, regprocedure, jsonb, jsonb) IS 'Each conjunct of a compiled condition, held against the row before and after a change';

CREATE FUNCTION automation._gate(rule automation.rule, event text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE
		WHEN (rule).state = 'draft' THEN 'rule is a draft'
		WHEN (rule).state <> 'active' THEN 'rule is ' || (rule).state
		WHEN automation._problem((rule).id) IS NOT NULL THEN automation._problem((rule).id)
		WHEN event = 'fired' THEN NULL
		WHEN v.events = '{}' THEN 'it waits for automation.fire() or start_rule'
		WHEN automation._event_verb(event) <> ALL (v.events)
		THEN format('it waits for %s, not for %s', array_to_string(v.events, ' or '), automation._event_verb(event))
	END
	FROM automation._version((rule).id, (rule).version) AS v;
END;
COMMENT ON FUNCTION automation._gate(automation.rule, text) IS 'What keeps a rule from even looking at a change, or null';

CREATE FUNCTION automation._verdict(conjunct text, note text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN note IS NULL AND conjunct ~ '^automation\.changed\(old\.(\S+), new\.\1\)$'
	THEN regexp_replace(conjunct, '^.* new\.(.*)\)$', '\1 has not changed')
	ELSE concat_ws(' ', regexp_replace(regexp_replace(conjunct, '^\((.*)\)$', '\1'), '''::(text|character varying|bpchar)\M', '''', 'g'),
		coalesce(note, 'does not hold'))
END;
COMMENT ON FUNCTION automation._verdict(text, text) IS 'That a conjunct does not hold, as a reason says it';

CREATE FUNCTION automation._did_not(caller regrole, rule automation.rule, event automation.event) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	gate text := automation._gate(rule, event.event);
	may_see boolean := automation._may_see(caller, rule.event_relation);
	failed text;
BEGIN
	IF gate IS NOT NULL THEN
		RETURN gate;
	ELSIF event.event = 'updated' AND event.old_row = event.new_row THEN
		RETURN 'nothing has changed';
	END IF;
	SELECT string_agg(CASE WHEN NOT may_see THEN automation._verdict(j.conjunct, NULL)
		ELSE concat_ws(' ', automation._verdict(j.conjunct, j.note), (
			SELECT format('(%s)', string_agg(format('%s: %s', v.key, automation._value_text(v.value)), ', ' ORDER BY v.key))
			FROM jsonb_each(j.row_values) AS v)) END, '; ')
	INTO failed
	FROM automation._judged(rule, automation._compiled(automation._rule_function(rule.id, rule.version, 'when')),
		event.old_row, event.new_row) AS j
	WHERE j.holds IS NOT TRUE;
	RETURN coalesce(failed, 'its condition holds now: the row, or one it names, has changed since');
END
$$;
COMMENT ON FUNCTION automation._did_not(regrole, automation.rule, automation.event) IS 'Why a rule did not run on an event of the journal';
