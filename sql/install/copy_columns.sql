-- A rule for a table whose columns are called otherwise: what it says, with their names there.

CREATE FUNCTION automation._there(path text, columns jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parts text[] := automation._parse_path(path);
	place CONSTANT integer := CASE WHEN parts[1] IN ('new', 'old') AND cardinality(parts) > 1 THEN 2 ELSE 1 END;
BEGIN
	IF columns ? parts[place] IS NOT TRUE THEN
		RETURN path;
	END IF;
	parts[place] := columns ->> parts[place];
	-- Alone, any name is a path.
	RETURN CASE cardinality(parts) WHEN 1 THEN parts[1] ELSE automation._path_text(parts) END;
END
$$;
COMMENT ON FUNCTION automation._there(text, jsonb) IS 'A path whose first name is that of another table';

CREATE FUNCTION automation._sql_there(expression text, columns jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
-- Literals, quoted names and comments come in one piece, as in _sql_tokens().
RETURN (
	SELECT string_agg(CASE WHEN columns ? n.name THEN concat(lower(n.image), '.', quote_ident(columns ->> n.name)) ELSE t.token[1] END, '' ORDER BY t.place)
	FROM regexp_matches(expression, $re$((?<![.\w])(?:new|old)\s*\.\s*(?:"(?:[^"]|"")*"|\w+)|e'(?:\\.|[^'\\])*'|'[^']*'|"[^"]*"|--[^\n]*|/\*(?:[^*]|\*+[^*/])*\*+/|[^noe'"/-]+|.)$re$, 'gi')
		WITH ORDINALITY AS t(token, place),
		LATERAL (SELECT regexp_match(t.token[1], '^(new|old)\s*\.\s*(?:"(.*)"|(\w+))$', 'i')) AS m(part),
		LATERAL (SELECT m.part[1], coalesce(replace(m.part[2], '""', '"'), lower(m.part[3]))) AS n(image, name)
);
COMMENT ON FUNCTION automation._sql_there(text, jsonb) IS 'SQL over new and old of another table';

CREATE FUNCTION automation._template_there(template text, columns jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT string_agg(CASE WHEN t.token[1] !~ '^\{[{%]' THEN t.token[1] ELSE (
			SELECT string_agg(CASE WHEN w.word[1] ~ '^[[:alpha:]_[]' THEN automation._path_text(automation._parse_path(automation._there(w.word[1], columns))) ELSE w.word[1] END, '' ORDER BY w.place)
			-- Filters are no columns.
			FROM regexp_matches(t.token[1], $re$("[^"]*"|'[^']*'|\|\s*\w+|(?:[[:alpha:]_]\w*|\[\s*"[^"]*"\s*\])(?:\s*\.\s*\w+|\s*\[\s*"[^"]*"\s*\])*|.)$re$, 'g') WITH ORDINALITY AS w(word, place)
		) END, '' ORDER BY t.place)
	FROM regexp_matches(template, '(\{\{(?:[^}]|\}(?!\}))*\}\}|\{%(?:[^%]|%(?!\}))*%\}|[^{]+|.)', 'g') WITH ORDINALITY AS t(token, place)
);
COMMENT ON FUNCTION automation._template_there(text, jsonb) IS 'A template over a row of another table';

CREATE FUNCTION automation._json_there(node jsonb, key text, columns jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	says CONSTANT text := node #>> '{}';
BEGIN
	CASE jsonb_typeof(node)
	WHEN 'object' THEN
		-- "where" is about other rows.
		RETURN (
			SELECT coalesce(jsonb_object_agg(e.key, CASE
				WHEN e.key = 'where' THEN e.value
				WHEN e.key = 'value' AND node ->> 'valueSource' = 'field' THEN automation._json_there(e.value, 'field', columns)
				ELSE automation._json_there(e.value, e.key, columns) END), '{}')
			FROM jsonb_each(node) AS e);
	WHEN 'array' THEN
		RETURN (
			SELECT coalesce(jsonb_agg(automation._json_there(e.value, _json_there.key, columns) ORDER BY e.place), '[]')
			FROM jsonb_array_elements(node) WITH ORDINALITY AS e(value, place));
	WHEN 'string' THEN
		RETURN to_jsonb(CASE
			WHEN key IN ('condition', 'cancel_when') AND says ~ '^\s*\{' THEN automation._json_there(says::jsonb, NULL, columns)::text
			WHEN key IN ('condition', 'cancel_when', 'expression') THEN automation._sql_there(says, columns)
			WHEN says ~ '\{[{%]' THEN automation._template_there(says, columns)
			WHEN key = 'anchor' AND starts_with(says, 'field:') THEN 'field:' || automation._there(substr(says, 7), columns)
			-- Parameters that name a column of the record, or a role.
			WHEN key IN ('field', 'role', 'cancel_if_changed', 'start', 'end', 'recipient', 'assignee', 'approver', 'attendees')
				AND says ~ '\S' THEN automation._there(says, columns)
			ELSE says END);
	ELSE
		RETURN node;
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._json_there(jsonb, text, jsonb) IS 'Parameters, a timing, a condition or a step, with the columns of another table; key: what it is the value of';

CREATE FUNCTION automation._check_mapping(caller regrole, source regclass, target regclass, columns jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(columns) <> 'object' OR jsonb_path_exists(columns, '$.* ? (@.type() != "string")') THEN
		PERFORM automation._fail('22023', 'columns must be a JSON object of names', hint => 'For example: {"crew": "team"}.');
	END IF;
	PERFORM automation._column(caller, source, c.key, 'SELECT'), automation._column(caller, target, c.value, 'SELECT')
	FROM jsonb_each_text(columns) AS c;
END
$$;
COMMENT ON FUNCTION automation._check_mapping(regrole, regclass, regclass, jsonb) IS 'Raises an error unless these are columns here, with those that stand for them there';
