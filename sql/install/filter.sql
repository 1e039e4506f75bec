-- Filters: conditions on rows of a table, by name. In a JSON tree {"filter": "vip"}, in SQL filter('vip').

CREATE FUNCTION automation._sql_tokens(condition text) RETURNS TABLE (token text, filter text, place bigint)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	-- What only looks like one comes in one piece: literals, quoted names, comments.
	SELECT m.m[1], replace(substring(m.m[1] FROM '^filter\s*\(\s*''(.*)''\s*\)$'), '''''', ''''), m.place
	FROM regexp_matches(condition, $$([eE]'(?:\\.|[^'\\])*'|'[^']*'|"[^"]*"|--[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/|(?<![.\w])filter\s*\(\s*'(?:[^']|'')*'\s*\)|[^feE'"/-]+|.)$$, 'g') WITH ORDINALITY AS m(m, place);
END;
COMMENT ON FUNCTION automation._sql_tokens(text) IS 'A condition in pieces, with the name of the filter where a piece is filter(''name'')';

CREATE FUNCTION automation._filters_in(condition text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF strpos(condition, 'filter') = 0 THEN
		RETURN;
	ELSIF condition ~ '^\s*\{' THEN
		RETURN QUERY SELECT f #>> '{}' FROM jsonb_path_query(condition::jsonb, 'strict $.**.filter', silent => true) AS f WHERE jsonb_typeof(f) = 'string';
	ELSE
		RETURN QUERY SELECT t.filter FROM automation._sql_tokens(condition) AS t WHERE t.filter IS NOT NULL;
	END IF;
EXCEPTION WHEN invalid_text_representation THEN
	RETURN; -- It is no condition: compiling it tells.
END
$$;
COMMENT ON FUNCTION automation._filters_in(text) IS 'Filters that a condition names';

CREATE FUNCTION automation._filters_below(conditions text[]) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH RECURSIVE named(name) AS (
		SELECT f.name FROM unnest(conditions) AS c(condition), LATERAL automation._filters_in(c.condition) AS f(name)
		UNION
		SELECT f.name
		FROM named AS n
		JOIN automation.component AS c ON c.kind = 'filter' AND c.name = n.name
		JOIN automation.component_version AS v ON v.component_id = c.id AND v.version = c.version,
			LATERAL automation._filters_in(v.says ->> 'condition') AS f(name)
	)
	SELECT coalesce(jsonb_object_agg(c.name, c.version), '{}')
	FROM named AS n
	JOIN automation.component AS c ON c.kind = 'filter' AND c.name = n.name;
END;
COMMENT ON FUNCTION automation._filters_below(text[]) IS 'Versions of the filters that conditions name, and of those that these name';

CREATE FUNCTION automation._filters_of(version automation.rule_version) RETURNS jsonb
LANGUAGE sql STABLE
-- Wherever a step may have a condition, and in the parameters of triggers, which are JSON trees.
RETURN automation._filters_below((version).condition || ARRAY(
	SELECT c.condition
	FROM jsonb_path_query((version).steps, 'strict $.**') AS o,
		LATERAL (VALUES (o ->> 'condition'), (o ->> 'cancel_when')) AS c(condition)
	WHERE jsonb_typeof(o) = 'object' AND c.condition IS NOT NULL
	UNION
	SELECT p::text FROM jsonb_path_query((version).params, 'lax $.*') AS p WHERE jsonb_typeof(p) = 'object'));
COMMENT ON FUNCTION automation._filters_of(automation.rule_version) IS 'Versions of the filters in a version of a rule';

-- What they come to

CREATE FUNCTION automation._named_condition(scope automation._scope, name text, depth integer) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	filter CONSTANT automation.component := automation._component('filter', name);
	condition CONSTANT text := automation._says('filter', name) ->> 'condition';
BEGIN
	IF filter.relation <> scope.relation THEN
		PERFORM automation._fail('42809', format('filter "%s" is on table "%s"', name, filter.relation),
			format('The condition is about table "%s".', scope.relation));
	ELSIF condition ~ '^\s*\{' THEN
		RETURN automation._tree_sql(scope, condition::jsonb, depth + 1);
	ELSIF scope.base <> 'new' OR scope.via IS NOT NULL THEN
		PERFORM automation._fail('0A000', format('filter "%s" is written in SQL, and can only be about the changed row', name),
			hint => 'Write it as a JSON tree.');
	END IF;
	RETURN automation._condition_sql(scope, condition);
END
$$;
COMMENT ON FUNCTION automation._named_condition(automation._scope, text, integer) IS 'SQL for a filter in a condition';

CREATE FUNCTION automation._placeholder(number bigint) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('(''filter %s''::text IS NOT NULL)', number);
COMMENT ON FUNCTION automation._placeholder(bigint) IS 'What stands for a filter in a condition while the rest of it is looked at';

CREATE FUNCTION automation._sql_condition(scope automation._scope, condition text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	own text := condition;
	named record;
BEGIN
	IF strpos(condition, 'filter') > 0 THEN
		own := (SELECT string_agg(CASE WHEN t.filter IS NULL THEN t.token ELSE automation._placeholder(t.place) END, '' ORDER BY t.place)
			FROM automation._sql_tokens(condition) AS t);
	END IF;
	PERFORM automation._check_condition(scope, own, coalesce(scope.events, '{}'));
	own := automation._rewrite_links(scope, own);
	FOR named IN
		SELECT t.filter, t.place FROM automation._sql_tokens(condition) AS t WHERE strpos(condition, 'filter') > 0 AND t.filter IS NOT NULL
	LOOP
		own := replace(own, automation._placeholder(named.place), format('(%s)', automation._named_condition(scope, named.filter, 1)));
	END LOOP;
	RETURN own;
END
$$;
COMMENT ON FUNCTION automation._sql_condition(automation._scope, text) IS 'SQL for a condition that is written in SQL, and may name filters';

-- Verbs

CREATE FUNCTION automation._check_filter(filter automation.component, says jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- Of a row as it is: there is no change.
	scope CONSTANT automation._scope := automation._scope(filter.relation, filter.owner, '{insert}');
BEGIN
	IF filter.relation IS NULL THEN
		PERFORM automation._fail('22004', 'relation must not be null');
	ELSIF says ->> 'condition' IS NULL THEN
		PERFORM automation._fail('22023', format('filter "%s" has no condition', filter.name));
	ELSIF automation._filters_below(ARRAY[says ->> 'condition']) ? filter.name THEN
		PERFORM automation._fail('42P17', format('filter "%s" refers to itself', filter.name));
	END IF;
	PERFORM automation._let_run(filter.owner);
	PERFORM automation._compile(format('filter_%s', filter.id), 'boolean',
		automation._select_sql(filter.relation, automation._condition_sql(scope, says ->> 'condition')));
END
$$;
COMMENT ON FUNCTION automation._check_filter(automation.component, jsonb) IS 'Raises what is wrong with a filter, and compiles it for matches()';

CREATE FUNCTION automation.create_filter(
	name text,
	relation regclass,
	condition text,
	folder text DEFAULT 'Default',
	description text DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_filter(text, regclass, text, text, text)
	IS 'Makes a filter, a condition (SQL over new, or a JSON tree) on rows of a table by name, and answers its version, 1. In conditions of rules it is filter(''name'') or {"filter": "name"}';

CREATE FUNCTION automation._create_filter(caller regrole, name text, relation regclass, condition text, folder text, description text)
RETURNS integer
LANGUAGE sql
RETURN automation._create_component(caller, 'filter', name, relation, folder, description,
	jsonb_build_object('condition', nullif(btrim(condition), '')));
COMMENT ON FUNCTION automation._create_filter(regrole, text, regclass, text, text, text) IS 'automation.create_filter()';

CREATE FUNCTION automation.alter_filter(
	name text,
	condition text DEFAULT NULL,
	folder text DEFAULT NULL,
	description text DEFAULT NULL,
	reason text DEFAULT NULL)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.alter_filter(text, text, text, text, text)
	IS 'Changes what is given of a filter and answers its version. Every rule and filter with it asks so from now on; if one of them cannot, nothing changes';

CREATE FUNCTION automation._alter_filter(caller regrole, name text, condition text, folder text, description text, reason text)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	filter automation.component := automation._own_component(caller, 'filter', name);
	version integer := automation._alter_component(caller, filter, folder, description,
		jsonb_build_object('condition', coalesce(btrim(condition), automation._says('filter', name) ->> 'condition')), reason);
BEGIN
	IF version > filter.version THEN
		PERFORM automation._check_component(automation._own_component(caller, 'filter', f)) FROM unnest(automation._filters_with(name)) AS f;
	END IF;
	RETURN version;
END
$$;
COMMENT ON FUNCTION automation._alter_filter(regrole, text, text, text, text, text) IS 'automation.alter_filter()';

CREATE FUNCTION automation._filters_with(name text) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(array_agg(c.name ORDER BY c.id), '{}')
	FROM automation.component AS c
	WHERE c.kind = 'filter' AND c.name <> _filters_with.name
		AND automation._filters_below(ARRAY[automation._says(c.kind, c.name) ->> 'condition']) ? _filters_with.name;
END;
COMMENT ON FUNCTION automation._filters_with(text) IS 'Filters that name a filter, or one that does';

CREATE FUNCTION automation.drop_filter(name text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_filter(text) IS 'Drops a filter that no rule and no other filter names';

CREATE FUNCTION automation._drop_filter(caller regrole, name text) RETURNS void
LANGUAGE sql
RETURN automation._drop_component(caller, 'filter', name, false);
COMMENT ON FUNCTION automation._drop_filter(regrole, text) IS 'automation.drop_filter()';

CREATE VIEW automation.filters AS
SELECT c.name, c.folder, c.relation, v.says ->> 'condition' AS condition, c.version,
	automation._rule_names_with(c.kind, c.name) AS rules, c.owner, c.description, c.created_at, v.created_at AS changed_at, v.author, v.reason
FROM automation.component AS c
JOIN automation.component_version AS v ON v.component_id = c.id AND v.version = c.version
WHERE c.kind = 'filter'
ORDER BY c.name;
COMMENT ON VIEW automation.filters IS 'Filters, and the rules that have them';
COMMENT ON COLUMN automation.filters.condition IS 'SQL over new, or a JSON tree';
COMMENT ON COLUMN automation.filters.version IS 'Its present version, counted from 1';
COMMENT ON COLUMN automation.filters.rules IS 'Rules that have it';
COMMENT ON COLUMN automation.filters.created_at IS 'When it was made';
COMMENT ON COLUMN automation.filters.changed_at IS 'When its present version was written';
