-- Filters in SQL: whether a row is one that a filter takes.

CREATE FUNCTION automation._row_matches(caller regrole, filter text, relation regclass, item jsonb, search_path text) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	named CONSTANT automation.component := automation._component('filter', filter);
BEGIN
	IF named.relation IS DISTINCT FROM relation THEN
		PERFORM automation._fail('42809', format('filter "%s" is on table "%s"', filter, named.relation));
	END IF;
	PERFORM automation._check_reader(caller, relation);
	RETURN coalesce(automation._holds(caller, _row_matches.search_path, automation._compiled(format('filter_%s', named.id)), 0, relation, NULL, item), false);
END
$$;
COMMENT ON FUNCTION automation._row_matches(regrole, text, regclass, jsonb, text) IS 'Whether a row is one that a filter takes, asked with the rights of the caller';

CREATE FUNCTION automation.matches(filter text, relation regclass, key text) RETURNS boolean
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.matches(text, regclass, text) IS 'Whether a row, given by its key, is one that a filter takes';

CREATE FUNCTION automation._matches(caller regrole, filter text, relation regclass, key text) RETURNS boolean
LANGUAGE sql STABLE
RETURN automation._row_matches(caller, filter, relation, automation._row(relation, key), automation._callers_search_path(caller));
COMMENT ON FUNCTION automation._matches(regrole, text, regclass, text) IS 'automation.matches()';

CREATE FUNCTION automation.matches(filter text, type regtype, item jsonb) RETURNS boolean
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.matches(text, regtype, jsonb) IS 'Whether a row of that type, as JSON, is one that a filter takes';

CREATE FUNCTION automation._matches(caller regrole, filter text, type regtype, item jsonb) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT automation._row_matches(caller, filter, t.typrelid::regclass, item, automation._callers_search_path(caller))
	FROM pg_catalog.pg_type AS t
	WHERE t.oid = type;
END;
COMMENT ON FUNCTION automation._matches(regrole, text, regtype, jsonb) IS 'automation.matches()';

CREATE FUNCTION automation.matches(filter text, item anyelement) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT automation.matches(filter, pg_typeof(item), to_jsonb(item))
$$;
COMMENT ON FUNCTION automation.matches(text, anyelement) IS 'Whether a row is one that a filter takes: SELECT * FROM crm.job AS j WHERE automation.matches(''urgent'', j)';
