\echo Use "CREATE EXTENSION pg_automation" to load this file. \quit

-- These parts only ever create: an object that somebody has made beforehand, to be called by us
-- later, makes the installation fail.

CREATE SCHEMA automation;
COMMENT ON SCHEMA automation IS 'pg_automation: rules that fire on writes to CRM tables';

CREATE SCHEMA automation_compiled;
COMMENT ON SCHEMA automation_compiled IS 'What rules, entities and links were compiled to: one SQL function each, so that PostgreSQL follows a renamed column and refuses to drop one in use';

-- Types

CREATE TYPE automation.step AS (action text, params jsonb, timing jsonb, condition text);
COMMENT ON TYPE automation.step IS 'One action of a rule with its timing and its own condition; made by automation.send_sms(), update_field(), after(), ...';

CREATE TYPE automation._scope AS (
	relation regclass,
	row_relation regclass,
	base text,
	via text,
	owner regrole,
	events text[],
	rule text
);
COMMENT ON TYPE automation._scope IS 'What the text of one rule may refer to, while it is compiled';
COMMENT ON COLUMN automation._scope.relation IS 'Table the rule is about; a plain column name is one of its columns';
COMMENT ON COLUMN automation._scope.row_relation IS 'Table whose change fires the rule: old and new are rows of it';
COMMENT ON COLUMN automation._scope.base IS 'SQL name of the row: new, old (for a deletion), or the alias of a sub-query over child rows';
COMMENT ON COLUMN automation._scope.via IS 'Column of row_relation that leads to the row the rule is about; null when the changed row is that row';
COMMENT ON COLUMN automation._scope.owner IS 'Role whose privileges decide what may be read';
COMMENT ON COLUMN automation._scope.events IS 'Some of insert, update, delete: which images there are';
COMMENT ON COLUMN automation._scope.rule IS 'Name of the rule, for {{ rule.name }}';

CREATE TYPE automation._row AS (relation regclass, access text);
COMMENT ON TYPE automation._row IS 'A row within reach of compiled SQL';
COMMENT ON COLUMN automation._row.relation IS 'Table of the row';
COMMENT ON COLUMN automation._row.access IS 'Format string whose %I is a column: new.%I, or a scalar sub-query on the row''s key';

-- The engine

CREATE FUNCTION automation._capture() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_capture';
COMMENT ON FUNCTION automation._capture() IS 'Row trigger of every attached table; its argument is the id of the entity';

CREATE FUNCTION automation._truncated() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_truncated';
COMMENT ON FUNCTION automation._truncated() IS 'TRUNCATE trigger of every attached table; its argument is the id of the entity';

CREATE FUNCTION automation._rules_changed() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_rules_changed';
COMMENT ON FUNCTION automation._rules_changed() IS 'Statement trigger of every table of definitions: all sessions read them again';

CREATE FUNCTION automation._table_changed() RETURNS trigger
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_table_changed';
COMMENT ON FUNCTION automation._table_changed() IS 'Statement trigger of tables that sessions or the worker keep in mind: they read them again';

CREATE FUNCTION automation.changed(old anyelement, new anyelement) RETURNS boolean
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_changed';
COMMENT ON FUNCTION automation.changed(anyelement, anyelement) IS 'Whether two values differ, by the equality of their type; two nulls do not';

CREATE FUNCTION automation._now() RETURNS timestamptz
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_now';
COMMENT ON FUNCTION automation._now() IS 'The engine''s clock: the start of the transaction, unless a test has set it';

CREATE FUNCTION automation._base() RETURNS timestamptz
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_base';
COMMENT ON FUNCTION automation._base() IS 'What delays are counted from: now, or when the row entered or left its stage';

-- Helpers of the compilers

CREATE FUNCTION automation._fields(function regprocedure) RETURNS jsonb
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'automation_fields';
COMMENT ON FUNCTION automation._fields(regprocedure) IS 'Of a compiled jsonb_build_object(name, row.column, ...): the present column of each name';

CREATE FUNCTION automation._rewrite_links(scope automation._scope, expression text) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'automation_rewrite_links';
COMMENT ON FUNCTION automation._rewrite_links(automation._scope, text) IS 'SQL in which columns of linked rows (customer.tier) have become scalar sub-queries';

CREATE FUNCTION automation._check_condition(scope automation._scope, expression text, events text[]) RETURNS void
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'automation_check_condition';
COMMENT ON FUNCTION automation._check_condition(automation._scope, text, text[]) IS 'Raises what is wrong with a condition that a user wrote in SQL';

CREATE FUNCTION automation._template_sql(scope automation._scope, template text, destination text) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'automation_template_sql';
COMMENT ON FUNCTION automation._template_sql(automation._scope, text, text) IS 'SQL expression for a template, escaped for where it goes: text, html, line, address, url or json';

CREATE FUNCTION automation._suggest(name text, candidates text[]) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_suggest';
COMMENT ON FUNCTION automation._suggest(text, text[]) IS 'The candidate that was probably meant, or null';

-- What compiled templates call

CREATE FUNCTION automation.html_escape(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_html_escape';
COMMENT ON FUNCTION automation.html_escape(text) IS 'The text with the characters escaped that mean something in HTML';

CREATE FUNCTION automation.one_line(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_one_line';
COMMENT ON FUNCTION automation.one_line(text) IS 'The text without line breaks and control characters, fit for a header';

CREATE FUNCTION automation._object(VARIADIC "any") RETURNS jsonb
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_object';
COMMENT ON FUNCTION automation._object("any") IS 'The object of keys, each followed by its value; compiled steps call it in place of jsonb_build_object(), where the values are booleans, integers, numerics, texts and jsonb, which it writes the same way';

CREATE FUNCTION automation.url_encode(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_url_encode';
COMMENT ON FUNCTION automation.url_encode(text) IS 'The text percent-encoded as one component of a URL';

CREATE FUNCTION automation.phone_e164(value text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_phone_e164';
COMMENT ON FUNCTION automation.phone_e164(text) IS 'The phone number as +491711234567';

CREATE FUNCTION automation.capitalize(value text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN upper(left(value, 1)) || lower(substr(value, 2));
COMMENT ON FUNCTION automation.capitalize(text) IS 'The text in lower case but for its first character';

CREATE FUNCTION automation.truncate(value text, most integer, ellipsis text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN char_length(value) <= most THEN value
	ELSE left(value, greatest(most - char_length(ellipsis), 0)) || ellipsis END;
COMMENT ON FUNCTION automation.truncate(text, integer, text) IS 'The text cut to so many characters, those of the ellipsis included';

-- Errors

CREATE FUNCTION automation._fail(code text, message text, detail text DEFAULT NULL, hint text DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- RAISE takes no null option.
	IF detail IS NULL AND hint IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message;
	ELSIF hint IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail;
	ELSIF detail IS NULL THEN
		RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, HINT = hint;
	ELSE
		RAISE EXCEPTION USING ERRCODE = code, MESSAGE = message, DETAIL = detail, HINT = hint;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._fail(text, text, text, text) IS 'Raises an error whose detail and hint may be null';

CREATE FUNCTION automation._perhaps(name text, candidates text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN 'Perhaps you meant "' || automation._suggest(name, candidates) || '".';
COMMENT ON FUNCTION automation._perhaps(text, text[]) IS 'Hint with the candidate that was probably meant, or null';

CREATE FUNCTION automation._no_such(kind text, name text, candidates text[], listed_in text DEFAULT NULL) RETURNS void
LANGUAGE sql
RETURN automation._fail('42704', format('%s "%s" does not exist', kind, name),
	hint => coalesce(automation._perhaps(name, candidates), 'The view automation.' || listed_in || ' lists them.'));
COMMENT ON FUNCTION automation._no_such(text, text, text[], text) IS 'Raises the error for a name that nothing of its kind has';

CREATE FUNCTION automation._list(names text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN array_to_string(names, ', ');
COMMENT ON FUNCTION automation._list(text[]) IS 'Names as a message lists them';

CREATE FUNCTION automation._check_choice(what text, value text, VARIADIC choices text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (value = ANY (choices)) IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('%s: "%s"', what, value), hint => format('Valid values are: %s.', automation._list(choices)));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_choice(text, text, text[]) IS 'Raises an error, which begins with what is wrong, unless the value is one of these';

CREATE FUNCTION automation._check_name(kind text, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (octet_length(name) BETWEEN 1 AND 63 AND name !~ '[[:cntrl:]]') IS NOT TRUE THEN
		PERFORM automation._fail('42602', format('invalid %s name: "%s"', kind, name),
			'A name has 1 to 63 bytes and no control characters.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_name(text, text) IS 'Raises an error unless the text can be the name of a rule, or of what rules share';

-- Text

CREATE FUNCTION automation._fill(template text, parts jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
-- In one pass: what is filled in may hold braces of its own.
RETURN (
	SELECT string_agg(
		CASE WHEN t.token[1] ~ '^\{.+\}$' THEN parts ->> trim(BOTH '{}' FROM t.token[1]) ELSE t.token[1] END,
		'' ORDER BY t.place)
	FROM regexp_matches(template, '\{[^{}]+\}|[^{]+|\{', 'g') WITH ORDINALITY AS t(token, place)
);
COMMENT ON FUNCTION automation._fill(text, jsonb) IS 'The template with each {name} replaced by the part of that name';

-- Parameters of triggers and actions

CREATE FUNCTION automation._check_params(subject text, schema jsonb, params jsonb, word text DEFAULT 'parameter') RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	valid CONSTANT text[] := ARRAY(SELECT jsonb_object_keys(schema -> 'properties') ORDER BY 1);
	list CONSTANT text := CASE WHEN valid = '{}' THEN format('It takes no %ss.', word) ELSE format('Valid %ss are: %s.', word, automation._list(valid)) END;
	name text;
BEGIN
	IF jsonb_typeof(params) IS DISTINCT FROM 'object' THEN
		PERFORM automation._fail('22023', format('%s must be a JSON object', CASE word WHEN 'parameter' THEN 'parameters of ' || subject ELSE subject END));
	END IF;
	FOR name IN SELECT jsonb_object_keys(params) LOOP
		IF name <> ALL (valid) THEN
			PERFORM automation._fail('22023', format('unrecognized %s "%s" of %s', word, name, subject), hint => concat_ws(' ', automation._perhaps(name, valid), list));
		END IF;
		PERFORM automation._check_param(format('%s "%s" of %s', word, name, subject), schema -> 'properties' -> name, params -> name);
	END LOOP;
	FOR name IN SELECT jsonb_array_elements_text(schema -> 'required') LOOP
		IF NOT params ? name THEN
			PERFORM automation._fail('22023', format('%s needs the %s "%s"', subject, word, name), hint => list);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._check_params(text, jsonb, jsonb, text)
	IS 'Raises what is wrong with parameters, or another object whose members are called by the word, by a JSON schema (properties, required; type and enum of each)';

CREATE FUNCTION automation._check_param(subject text, schema jsonb, value jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	types jsonb := CASE jsonb_typeof(schema -> 'type')
		WHEN 'array' THEN schema -> 'type'
		WHEN 'string' THEN jsonb_build_array(schema -> 'type') END;
BEGIN
	-- A type is left out where anything goes.
	IF NOT types ? jsonb_typeof(value) THEN
		PERFORM automation._fail('22023', format('%s must not be of type %s', subject, jsonb_typeof(value)),
			hint => format('Valid types are: %s.',
				(SELECT string_agg(t, ', ') FROM jsonb_array_elements_text(types) AS t)));
	END IF;
	IF NOT schema -> 'enum' @> value THEN
		PERFORM automation._fail('22023', format('invalid value of %s: %s', subject, value),
			hint => format('Valid values are: %s.',
				(SELECT string_agg(v, ', ') FROM jsonb_array_elements_text(schema -> 'enum') AS v)));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_param(text, jsonb, jsonb) IS 'Raises what is wrong with one parameter';

-- Compiled functions

CREATE FUNCTION automation._compiled(name text) RETURNS regprocedure
LANGUAGE sql STABLE
-- By the catalog, not by regprocedure's input: that would want USAGE on the schema and a path.
BEGIN ATOMIC
	SELECT p.oid::regprocedure
	FROM pg_catalog.pg_proc AS p
	JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
	WHERE n.nspname = 'automation_compiled' AND p.proname = _compiled.name;
END;
COMMENT ON FUNCTION automation._compiled(text) IS 'A compiled function by its name, or null';

CREATE FUNCTION automation._drop_compiled(name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	function regprocedure := automation._compiled(name);
BEGIN
	IF function IS NOT NULL THEN
		EXECUTE format('DROP FUNCTION %s', function);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._drop_compiled(text) IS 'Drops a compiled function if there is one';

CREATE FUNCTION automation._images_sql(relation regclass) RETURNS text
LANGUAGE sql IMMUTABLE
-- Tables and not parameters of the row's type: only so does PostgreSQL tie a function to single
-- columns. A function with such parameters would forbid most of ALTER TABLE.
RETURN format('%1$s AS old, %1$s AS new', relation);
COMMENT ON FUNCTION automation._images_sql(regclass) IS 'What stands in the FROM clause of a compiled query for the row before and after the change';

CREATE FUNCTION automation._select_sql(relation regclass, expression text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('SELECT %s FROM %s', expression, automation._images_sql(relation));
COMMENT ON FUNCTION automation._select_sql(regclass, text) IS 'Query for an expression over old and new';

CREATE FUNCTION automation._compile(
	name text,
	result text,
	body text,
	volatility text DEFAULT 'STABLE')
RETURNS regprocedure
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	function regprocedure;
BEGIN
	PERFORM automation._drop_compiled(name);
	EXECUTE format('CREATE FUNCTION automation_compiled.%I() RETURNS %s LANGUAGE sql %s BEGIN ATOMIC %s; END',
		name, result, volatility, body);
	function := automation._compiled(name);
	EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', function);
	RETURN function;
END
$$;
COMMENT ON FUNCTION automation._compile(text, text, text, text) IS 'Creates or replaces a function of schema automation_compiled; it is never called, the engine reads its body';

CREATE FUNCTION automation._object_sql(fields jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
-- The names are typed: in a VARIADIC "any" list an untyped literal would stay of type unknown.
RETURN (
	SELECT format('jsonb_build_object(%s)',
		string_agg(format('%L::text, %s', f.key, f.value), ', ' ORDER BY f.key))
	FROM jsonb_each_text(fields) AS f
);
COMMENT ON FUNCTION automation._object_sql(jsonb) IS 'SQL that builds a jsonb object from SQL expressions, in the form that automation._fields() reads';

CREATE FUNCTION automation._is_operator(role regrole) RETURNS boolean
LANGUAGE sql STABLE
RETURN has_function_privilege(role, 'automation.purge_log(interval, text[])', 'EXECUTE');
COMMENT ON FUNCTION automation._is_operator(regrole) IS 'Whether the role may stop and restart rules of others';
