-- Conditions: SQL over new and old, or a JSON tree; either becomes one SQL expression.
--
-- The tree is react-querybuilder's: {"combinator": "and", "rules": [{"field", "operator", "value"}, ...]},
-- "not" anywhere; all, any and none are shorter groups. Child rows: {"exists": "crm.note", "where": {...}},
-- {"count": "crm.line_item", "where": {...}, "operator": ">", "value": 3}, likewise sum, min and max
-- with "field"; "by" in place of a link: rows with the same values in these columns, this row among them
-- ("exists": another one). {"filter": "name"} is a named condition (filter.sql). {"became": {...}}: it holds
-- now and did not before. {"took": [decision, arm]}: the run of the step went that way. A field that is
-- compared with another one (valueSource) may be measured against a multiple of it ("times": 0.9), or against a time so much later
-- ("plus": "15 minutes"). A negation is the exact complement: what is unknown does not hold, so its negation does.

CREATE TABLE automation.condition_operator (
	name text NOT NULL,
	types text NOT NULL DEFAULT 'any'
		CHECK (types IN ('any', 'text', 'number', 'boolean', 'datetime', 'array', 'jsonb', 'extension')),
	operands text NOT NULL DEFAULT 'one'
		CHECK (operands IN ('none', 'one', 'two', 'some', 'listed', 'transition')),
	operand_type text NOT NULL DEFAULT 'field' CHECK (operand_type IN ('field', 'element', 'text', 'interval')),
	expression text,
	complement_of text,
	aliases text[] NOT NULL DEFAULT '{}',
	description text NOT NULL,
	PRIMARY KEY (name, types),
	CHECK ((expression IS NULL) <> (complement_of IS NULL))
);
COMMENT ON TABLE automation.condition_operator IS 'Operators of JSON conditions (read only)';
COMMENT ON COLUMN automation.condition_operator.name IS 'As in a condition; case, spaces and underscores do not matter';
COMMENT ON COLUMN automation.condition_operator.types IS 'What it applies to; extension is a type outside pg_catalog with an equality of its own, such as citext';
COMMENT ON COLUMN automation.condition_operator.operands IS 'What "value" is: none, one value, two values, some values (one or an array), listed values (an array, or a text with commas), a transition (two, each one or an array)';
COMMENT ON COLUMN automation.condition_operator.operand_type IS 'Type of the values: that of the field or of its elements, text, or interval';
COMMENT ON COLUMN automation.condition_operator.expression IS 'SQL with {field} (or {old} and {new}), {1} and {2} for the values, {list} for all of them, {=} {<} ... for the type''s own comparisons';
COMMENT ON COLUMN automation.condition_operator.complement_of IS 'The operator that holds exactly when this one does not';
COMMENT ON COLUMN automation.condition_operator.aliases IS 'Other names';
COMMENT ON COLUMN automation.condition_operator.description IS 'When it holds';

INSERT INTO automation.condition_operator
	(name, types, operands, operand_type, expression, aliases, description) VALUES
('=', 'any', 'one', 'field', '{field} {=} {1}', '{==,is,eq,equals}', 'equals the value'),
('!=', 'any', 'one', 'field', '{field} IS DISTINCT FROM {1}', '{<>,isnot,ne,notequals}', 'differs from the value, or is null'),
('!=', 'extension', 'one', 'field', '({field} {=} {1}) IS NOT TRUE', '{<>,isnot,ne,notequals}', 'differs from the value, or is null'),
('<', 'any', 'one', 'field', '{field} {<} {1}', '{lt,lessthan,before}', 'is less'),
('<=', 'any', 'one', 'field', '{field} {<=} {1}', '{lte,atmost}', 'is less or equal'),
('>', 'any', 'one', 'field', '{field} {>} {1}', '{gt,greaterthan,after}', 'is greater'),
('>=', 'any', 'one', 'field', '{field} {>=} {1}', '{gte,atleast}', 'is greater or equal'),
('in', 'any', 'listed', 'field', '{field} {=} {1}', '{}', 'equals one of the values'),
('isOneOf', 'any', 'some', 'field', '{field} {=} {1}', '{}', 'equals one of the values; a text stays whole'),
('between', 'any', 'two', 'field', '{field} {>=} {1} AND {field} {<=} {2}', '{}', 'lies between the two values or equals one of them'),
('null', 'any', 'none', 'field', '{field} IS NULL', '{isnull}', 'is null'),
('notNull', 'any', 'none', 'field', '{field} IS NOT NULL', '{isnotnull}', 'is not null'),
('filled', 'any', 'none', 'field', '{field} IS NOT NULL', '{isfilled}', 'has a value'),
('filled', 'text', 'none', 'field', 'btrim({field}::text) <> ''''', '{isfilled}', 'has a value that is not blank'),
('filled', 'array', 'none', 'field', 'cardinality({field}) > 0', '{isfilled}', 'has an element'),
('filled', 'jsonb', 'none', 'field', '{field}::text NOT IN (''null'', ''""'', ''[]'', ''{}'')', '{isfilled}', 'has a value that is not empty'),
('isSet', 'any', 'none', 'field', '{field} IS NOT NULL', '{}', 'has a value; of yes and no, is yes'),
('isSet', 'text', 'none', 'field', 'btrim({field}::text) <> ''''', '{}', 'has a value that is not blank'),
('isSet', 'boolean', 'none', 'field', '{field} IS TRUE', '{}', 'is true'),
('isTrue', 'boolean', 'none', 'field', '{field} IS TRUE', '{true}', 'is true'),
('isFalse', 'boolean', 'none', 'field', '{field} IS FALSE', '{false}', 'is false; null is not'),
('contains', 'any', 'one', 'text', 'position({1} IN {field}::text) > 0', '{}', 'contains the text'),
('contains', 'array', 'one', 'element', '{1} {=} ANY ({field})', '{}', 'has the element'),
('contains', 'jsonb', 'one', 'text', 'jsonb_exists({field}, {1})', '{}', 'has the text as an element or key'),
('beginsWith', 'any', 'one', 'text', 'starts_with({field}::text, {1})', '{startswith}', 'begins with the text'),
('endsWith', 'any', 'one', 'text', 'right({field}::text, length({1})) = {1}', '{}', 'ends with the text'),
('hasTag', 'array', 'one', 'element', '{1} {=} ANY ({field})', '{has}', 'has the element'),
('hasTag', 'jsonb', 'one', 'text', 'jsonb_exists({field}, {1})', '{has}', 'has the text as an element or key'),
('hasAny', 'array', 'listed', 'element', '{field} && ARRAY[{list}]', '{}', 'has one of the elements'),
('hasAny', 'jsonb', 'listed', 'text', 'jsonb_exists_any({field}, ARRAY[{list}])', '{}', 'has one of the texts as an element or key'),
('hasAll', 'array', 'listed', 'element', '{field} @> ARRAY[{list}]', '{}', 'has all of the elements'),
('hasAll', 'jsonb', 'listed', 'text', 'jsonb_exists_all({field}, ARRAY[{list}])', '{}', 'has all of the texts as elements or keys'),
('olderThan', 'datetime', 'one', 'interval', '{field} < automation._now() - {1}', '{}', 'lies more than the interval back'),
('newerThan', 'datetime', 'one', 'interval', '{field} > automation._now() - {1}', '{}', 'lies less than the interval back, or ahead'),
('withinLast', 'datetime', 'one', 'interval', '{field} >= automation._now() - {1} AND {field} <= automation._now()', '{}', 'lies at most the interval back'),
('withinNext', 'datetime', 'one', 'interval', '{field} >= automation._now() AND {field} <= automation._now() + {1}', '{}', 'lies at most the interval ahead'),
('changed', 'any', 'none', 'field', 'automation.changed({old}, {new})', '{}', 'changed'),
('changedFrom', 'any', 'some', 'field', 'automation.changed({old}, {new}) AND {old} {=} {1}', '{}', 'changed and was one of the values'),
('changedTo', 'any', 'some', 'field', 'automation.changed({old}, {new}) AND {new} {=} {1}', '{}', 'changed and is one of the values'),
('changedFromTo', 'any', 'transition', 'field', 'automation.changed({old}, {new}) AND {old} {=} {1} AND {new} {=} {2}', '{}', 'changed from the first value to the second; each may be an array'),
('was', 'any', 'some', 'field', '{old} {=} {1}', '{}', 'was one of the values, changed or not'),
('increased', 'any', 'none', 'field', 'automation.changed({old}, {new}) AND {new} {>} {old}', '{}', 'became greater'),
('decreased', 'any', 'none', 'field', 'automation.changed({old}, {new}) AND {new} {<} {old}', '{}', 'became less'),
('increasedBy', 'number', 'one', 'field', 'automation.changed({old}, {new}) AND {new} - {old} >= {1}', '{}', 'became greater by the value or more'),
('decreasedBy', 'number', 'one', 'field', 'automation.changed({old}, {new}) AND {old} - {new} >= {1}', '{}', 'became less by the value or more'),
('movedBy', 'datetime', 'one', 'interval', 'automation.changed({old}, {new}) AND abs(extract(epoch FROM {new}) - extract(epoch FROM {old})) >= extract(epoch FROM {1})', '{}', 'moved by the interval or more, either way'),
('gained', 'array', 'none', 'field', 'automation.gained({old}, {new}, NULL)', '{}', 'has an element that it had not'),
('gained', 'jsonb', 'none', 'field', 'automation.gained({old}, {new}, NULL)', '{}', 'has an element that it had not'),
('gainedAny', 'array', 'listed', 'element', 'automation.gained({old}, {new}, ARRAY[{list}])', '{}', 'has one of the elements, and had it not'),
('gainedAny', 'jsonb', 'listed', 'text', 'automation.gained({old}, {new}, ARRAY[{list}])', '{}', 'has one of the texts, and had it not'),
('lost', 'array', 'none', 'field', 'automation.gained({new}, {old}, NULL)', '{}', 'had an element that it has not'),
('lost', 'jsonb', 'none', 'field', 'automation.gained({new}, {old}, NULL)', '{}', 'had an element that it has not'),
('lostAny', 'array', 'listed', 'element', 'automation.gained({new}, {old}, ARRAY[{list}])', '{}', 'had one of the elements, and has it not'),
('lostAny', 'jsonb', 'listed', 'text', 'automation.gained({new}, {old}, ARRAY[{list}])', '{}', 'had one of the texts, and has it not'),
('crossedUp', 'any', 'one', 'field', 'automation.changed({old}, {new}) AND {new} {>=} {1} AND ({old} {>=} {1}) IS NOT TRUE', '{}', 'reached the value, coming from less or from null'),
('crossedDown', 'any', 'one', 'field', 'automation.changed({old}, {new}) AND {new} {<=} {1} AND {old} {>} {1}', '{}', 'fell to the value or below it'),
('crossed', 'any', 'one', 'field', 'automation.changed({old}, {new}) AND ({new} {>=} {1} AND ({old} {>=} {1}) IS NOT TRUE OR {new} {<=} {1} AND {old} {>} {1})', '{crossedany}', 'crossed the value either way');

INSERT INTO automation.condition_operator (name, complement_of, aliases, description) VALUES
('notIn', 'in', '{}', 'equals none of the values, or is null'),
('isNoneOf', 'isOneOf', '{}', 'equals none of the values, or is null; a text stays whole'),
('notBetween', 'between', '{}', 'does not lie between the two values, or is null'),
('empty', 'filled', '{isempty,blank}', 'has no value, or a blank one'),
('doesNotContain', 'contains', '{}', 'does not contain the text, or is null'),
('doesNotBeginWith', 'beginsWith', '{doesnotstartwith}', 'does not begin with the text, or is null'),
('doesNotEndWith', 'endsWith', '{}', 'does not end with the text, or is null'),
('lacksTag', 'hasTag', '{doesnothavetag}', 'does not have the element, or is null'),
('isNotSet', 'isSet', '{}', 'has no value; of yes and no, is not yes'),
('notChanged', 'changed', '{unchanged}', 'kept its value');

CREATE FUNCTION automation.gained(old anyarray, new anyarray, among anyarray) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (
		SELECT FROM unnest(new) AS e
		WHERE e <> ALL (coalesce(old, '{}')) AND (among IS NULL OR e = ANY (among)))
$$;
COMMENT ON FUNCTION automation.gained(anyarray, anyarray, anyarray) IS 'Whether new has an element that old has not, among some if those are given';

CREATE FUNCTION automation.gained(old jsonb, new jsonb, among text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN automation.gained(
	ARRAY(SELECT jsonb_path_query(old, '$[*]') #>> '{}'), ARRAY(SELECT jsonb_path_query(new, '$[*]') #>> '{}'), among);
COMMENT ON FUNCTION automation.gained(jsonb, jsonb, text[]) IS 'Whether new has an element that old has not, among some if those are given';

-- Types

CREATE FUNCTION automation._base_type(type regtype) RETURNS regtype
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found pg_type;
	element regtype;
BEGIN
	LOOP
		SELECT t.* INTO found FROM pg_type AS t WHERE t.oid = type;
		EXIT WHEN found.typtype <> 'd';
		type := found.typbasetype;
	END LOOP;
	IF found.typcategory = 'A' THEN
		element := automation._base_type(found.typelem);
		type := (SELECT t.typarray FROM pg_type AS t WHERE t.oid = element);
	END IF;
	RETURN type;
END
$$;
COMMENT ON FUNCTION automation._base_type(regtype) IS 'The type below domains, in arrays too';

CREATE FUNCTION automation._element_type(type regtype) RETURNS regtype
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.typelem::regtype FROM pg_catalog.pg_type AS t WHERE t.oid = automation._base_type(type);
END;
COMMENT ON FUNCTION automation._element_type(regtype) IS 'Type of an array''s elements';

CREATE FUNCTION automation._has_literals(type regtype) RETURNS boolean
LANGUAGE sql STABLE
-- The input of other types may run a function of whoever made the type (the CHECK of a domain in a
-- composite, a range's canonical function), and we would run it with our rights.
BEGIN ATOMIC
	SELECT CASE
		WHEN e.typtype IN ('r', 'm') THEN e.typnamespace = 'pg_catalog'::regnamespace
		ELSE e.typtype IN ('b', 'e')
	END
	FROM pg_catalog.pg_type AS t
	JOIN pg_catalog.pg_type AS e ON e.oid = CASE t.typcategory WHEN 'A' THEN t.typelem ELSE t.oid END
	WHERE t.oid = type;
END;
COMMENT ON FUNCTION automation._has_literals(regtype) IS 'Whether text may be read as a value of the type while a rule is made';

CREATE FUNCTION automation._type_classes(type regtype) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_remove(ARRAY[
		CASE
			WHEN t.typtype = 'b' AND t.typcategory <> 'A' AND t.typnamespace <> 'pg_catalog'::regnamespace
			THEN 'extension'
		END,
		CASE
			WHEN t.typcategory = 'A' THEN 'array'
			WHEN t.typcategory = 'S' THEN 'text'
			WHEN t.typcategory = 'N' THEN 'number'
			WHEN t.typcategory = 'B' THEN 'boolean'
			WHEN t.oid IN ('date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype) THEN 'datetime'
			WHEN t.oid = 'jsonb'::regtype THEN 'jsonb'
		END,
		'any'], NULL)
	FROM pg_catalog.pg_type AS t
	WHERE t.oid = automation._base_type(type);
END;
COMMENT ON FUNCTION automation._type_classes(regtype) IS 'Classes of operators for a type, the closest first';

CREATE FUNCTION automation._type_operator(symbol text, type regtype) RETURNS text
LANGUAGE sql STABLE
-- Compiled text is parsed with pg_catalog alone in the path, where citext would be compared as text.
-- Only a superuser can make an operator class, so no operator gets in here that we should not call.
BEGIN ATOMIC
	SELECT coalesce((
		SELECT format('OPERATOR(%I.%s)', o.oprnamespace::regnamespace::name, o.oprname)
		FROM pg_catalog.pg_opclass AS c
		JOIN pg_catalog.pg_am AS m ON m.oid = c.opcmethod AND m.amname = 'btree'
		JOIN pg_catalog.pg_amop AS a ON a.amopfamily = c.opcfamily
			AND a.amoplefttype = c.opcintype AND a.amoprighttype = c.opcintype
		JOIN pg_catalog.pg_operator AS o ON o.oid = a.amopopr
		WHERE c.opcintype = automation._base_type(type) AND c.opcdefault AND o.oprname = symbol
			AND o.oprnamespace <> 'pg_catalog'::regnamespace), symbol);
END;
COMMENT ON FUNCTION automation._type_operator(text, regtype) IS 'The comparison of a type, qualified when it is not one of pg_catalog''s';

-- Values

CREATE FUNCTION automation._relative_time(word text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE lower(word)
	WHEN 'now' THEN 'automation._now()'
	WHEN 'today' THEN 'date_trunc(''day'', automation._now())'
	WHEN 'yesterday' THEN 'date_trunc(''day'', automation._now()) - ''1 day''::interval'
	WHEN 'tomorrow' THEN 'date_trunc(''day'', automation._now()) + ''1 day''::interval'
END;
COMMENT ON FUNCTION automation._relative_time(text) IS 'SQL for a word that means another instant each time it is read';

CREATE FUNCTION automation._literal(value jsonb, type regtype) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	base CONSTANT regtype := automation._base_type(type);
	-- With typmod -1: bpchar and "bit" otherwise mean one character.
	type_name CONSTANT text := format_type(base, -1);
	literal text := CASE base WHEN 'jsonb'::regtype THEN value::text ELSE value #>> '{}' END;
BEGIN
	IF jsonb_typeof(value) = 'null' THEN
		PERFORM automation._fail('22004', 'a condition cannot compare with null',
			hint => 'Use the operator "null" or "notNull".');
	ELSIF jsonb_typeof(value) IN ('array', 'object') AND base <> 'jsonb'::regtype THEN
		PERFORM automation._fail('22023', format('a single value is expected, not %s', value));
	ELSIF NOT automation._has_literals(base) THEN
		PERFORM automation._fail('0A000', format('a condition cannot compare a value of type %s', type_name),
			hint => 'Write the condition in SQL.');
	ELSIF 'datetime' = ANY (automation._type_classes(base)) AND automation._relative_time(literal) IS NOT NULL THEN
		RETURN format('(%s)::%s', automation._relative_time(literal), type_name);
	END IF;
	EXECUTE format('SELECT %L::%s', literal, type_name);
	RETURN format('%L::%s', literal, type_name);
END
$$;
COMMENT ON FUNCTION automation._literal(jsonb, regtype) IS 'A JSON value as an SQL literal of the type; raises the type''s own error for one it does not take';

CREATE FUNCTION automation._operands(operator automation.condition_operator, value jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	operands jsonb := value;
BEGIN
	IF operator.operands = 'none' THEN
		RETURN '[]';
	ELSIF value IS NULL THEN
		PERFORM automation._fail('22023', format('operator "%s" needs a value', operator.name));
	ELSIF operator.operands IN ('two', 'listed') AND jsonb_typeof(value) = 'string' THEN
		operands := to_jsonb(regexp_split_to_array(value #>> '{}', '\s*,\s*'));
	ELSIF operator.operands = 'one' OR jsonb_typeof(value) <> 'array' THEN
		operands := jsonb_build_array(value);
	END IF;
	IF operator.operands IN ('two', 'transition') AND jsonb_array_length(operands) <> 2 THEN
		PERFORM automation._fail('22023', format('operator "%s" needs two values', operator.name));
	ELSIF operands = '[]' OR '[]' IN (SELECT o FROM jsonb_array_elements(operands) AS o) THEN
		PERFORM automation._fail('22023', format('operator "%s" needs at least one value', operator.name));
	END IF;
	-- All values of a list are one operand.
	RETURN CASE WHEN operator.operands IN ('some', 'listed') THEN jsonb_build_array(operands) ELSE operands END;
END
$$;
COMMENT ON FUNCTION automation._operands(automation.condition_operator, jsonb) IS 'Values for {1} and {2} of an operator, each a value or an array of alternatives';

-- Fields

CREATE FUNCTION automation._parse_path(path text) RETURNS text[]
LANGUAGE sql IMMUTABLE STRICT
-- What is not well formed is taken for the name of a column: "First Name".
RETURN CASE
	WHEN path ~ '^([[:alpha:]_][[:alnum:]_$]*|\["[^"]+"\])(\.[[:alpha:]_][[:alnum:]_$]*|\.?\["[^"]+"\])*$' THEN ARRAY(
		SELECT coalesce(part.names[1], part.names[2])
		FROM regexp_matches(path, '([[:alpha:]_][[:alnum:]_$]*)|\["([^"]+)"\]', 'g') WITH ORDINALITY AS part(names, place)
		ORDER BY part.place)
	ELSE ARRAY[path]
END;
COMMENT ON FUNCTION automation._parse_path(text) IS 'The names in customer.phone or customer["First Name"]';

CREATE FUNCTION automation._field(scope automation._scope, field jsonb, OUT sql text, OUT type regtype)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(field) IS DISTINCT FROM 'string' THEN
		PERFORM automation._fail('22023',
			format('field of a condition must be a text, not %s', coalesce(field::text, 'missing')));
	END IF;
	SELECT p.sql, p.type INTO sql, type
	FROM automation._path(scope, automation._parse_path(field #>> '{}'), 'column') AS p;
END
$$;
COMMENT ON FUNCTION automation._field(automation._scope, jsonb) IS 'SQL and type of a field of a JSON condition';

CREATE FUNCTION automation._image_sql(scope automation._scope, image text, field jsonb, operator text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	path text[] := automation._parse_path(field #>> '{}');
	is_rooted CONSTANT boolean := cardinality(path) > 1 AND path[1] IN ('new', 'old');
BEGIN
	IF is_rooted THEN
		path := path[2:];
	END IF;
	-- Only the changed row has two images: not a linked row, not a child row, not an aggregate.
	IF cardinality(path) = 1 AND (is_rooted OR (scope.via IS NULL AND scope.base IN ('new', 'old'))) THEN
		RETURN (automation._path(scope, image || path, 'column')).sql;
	END IF;
	PERFORM automation._fail('22023', format('operator "%s" needs a column of the changed row', operator),
		CASE WHEN field IS NOT NULL THEN format('"%s" is none.', field #>> '{}') END);
END
$$;
COMMENT ON FUNCTION automation._image_sql(automation._scope, text, jsonb, text) IS 'SQL for a column of the changed row as it was (old) or is (new)';

-- One comparison

CREATE FUNCTION automation._operator(name text, type regtype) RETURNS automation.condition_operator
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	spelling CONSTANT text := regexp_replace(lower(name), '[ _-]', '', 'g');
	classes CONSTANT text[] := automation._type_classes(type);
	named automation.condition_operator;
	operator automation.condition_operator;
BEGIN
	SELECT o.* INTO named FROM automation.condition_operator AS o
	WHERE lower(o.name) = spelling OR spelling = ANY (o.aliases) LIMIT 1;
	IF NOT FOUND THEN
		PERFORM automation._fail('22023', format('unrecognized operator: "%s"', name),
			hint => coalesce(
				automation._perhaps(name, ARRAY(SELECT DISTINCT o.name FROM automation.condition_operator AS o)),
				'Valid operators are listed in automation.condition_operator.'));
	END IF;
	SELECT o.* INTO operator FROM automation.condition_operator AS o
	WHERE o.name = coalesce(named.complement_of, named.name) AND o.types = ANY (classes)
	ORDER BY array_position(classes, o.types) LIMIT 1;
	IF NOT FOUND THEN
		PERFORM automation._fail('42804', format('operator "%s" does not apply to type %s', named.name, type));
	END IF;
	IF named.complement_of IS NOT NULL THEN
		operator.expression := format('(%s) IS NOT TRUE', operator.expression);
		operator.name := named.name;
	END IF;
	RETURN operator;
END
$$;
COMMENT ON FUNCTION automation._operator(text, regtype) IS 'The operator of this name for a field of this type';

CREATE FUNCTION automation._shifted(field text, node jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
	WHEN node ? 'times' THEN format('(%s * %L::numeric)', field, (node ->> 'times')::numeric)
	WHEN node ? 'plus' THEN format('(%s + %L::interval)', field, (node ->> 'plus')::interval)
	ELSE field
END;
COMMENT ON FUNCTION automation._shifted(text, jsonb) IS 'SQL for a field that another one is compared with: so many times it, or so much later';

CREATE FUNCTION automation._alternatives(
	scope automation._scope,
	operator automation.condition_operator,
	operand jsonb,
	type regtype,
	node jsonb)
RETURNS text[]
LANGUAGE sql STABLE
RETURN ARRAY(
	SELECT CASE
		WHEN node ->> 'valueSource' IS DISTINCT FROM 'field' THEN automation._literal(v.value, type)
		WHEN (operator).operand_type IN ('text', 'interval')
			THEN format('%s::%s', (automation._field(scope, v.value)).sql, type)
		ELSE automation._shifted((automation._field(scope, v.value)).sql, node)
	END
	FROM jsonb_array_elements(CASE
		WHEN (operator).operands IN ('some', 'listed', 'transition') AND jsonb_typeof(operand) = 'array' THEN operand
		ELSE jsonb_build_array(operand)
	END) WITH ORDINALITY AS v(value, place)
	ORDER BY v.place
);
COMMENT ON FUNCTION automation._alternatives(automation._scope, automation.condition_operator, jsonb, regtype, jsonb)
	IS 'SQL for each alternative of an operand: literals, or other fields';

CREATE FUNCTION automation._value_parts(
	scope automation._scope,
	operator automation.condition_operator,
	node jsonb,
	type regtype)
RETURNS jsonb
LANGUAGE sql STABLE
-- One alternative stays a plain comparison, for the index of rules lives on those.
RETURN (
	SELECT coalesce(jsonb_object_agg(o.place, CASE
			WHEN cardinality(a.alternatives) = 1 THEN a.alternatives[1]
			ELSE format('ANY (ARRAY[%s])', automation._list(a.alternatives))
		END), '{}') || jsonb_build_object('list', string_agg(automation._list(a.alternatives), ', ' ORDER BY o.place))
	FROM jsonb_array_elements(automation._operands(operator, node -> 'value')) WITH ORDINALITY AS o(value, place),
		LATERAL (
			SELECT automation._alternatives(scope, operator, o.value, type, node)
		) AS a(alternatives)
);
COMMENT ON FUNCTION automation._value_parts(automation._scope, automation.condition_operator, jsonb, regtype) IS 'What stands for {1}, {2} and {list} of an operator';

CREATE FUNCTION automation._operator_parts(type regtype) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT jsonb_object_agg(symbol, automation._type_operator(symbol, type))
	FROM unnest('{=,<,<=,>,>=}'::text[]) AS symbol
);
COMMENT ON FUNCTION automation._operator_parts(regtype) IS 'What stands for {=}, {<}, ... when values of this type are compared';

CREATE FUNCTION automation._image_parts(
	scope automation._scope,
	operator automation.condition_operator,
	field jsonb)
RETURNS jsonb
LANGUAGE sql STABLE
RETURN CASE WHEN strpos((operator).expression, '{old}') = 0 THEN '{}' ELSE jsonb_build_object(
	'old', automation._image_sql(scope, 'old', field, (operator).name),
	'new', CASE WHEN strpos((operator).expression, '{new}') > 0
		THEN automation._image_sql(scope, 'new', field, (operator).name) END) END;
COMMENT ON FUNCTION automation._image_parts(automation._scope, automation.condition_operator, jsonb) IS 'What stands for {old} and {new}';

CREATE FUNCTION automation._comparison_sql(scope automation._scope, subject text, type regtype, node jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	operator CONSTANT automation.condition_operator := automation._operator(node ->> 'operator', type);
	value_type CONSTANT regtype := CASE operator.operand_type
		WHEN 'field' THEN type
		WHEN 'element' THEN automation._element_type(type)
		ELSE operator.operand_type::regtype
	END;
	detail text;
	hint text;
BEGIN
	IF automation._base_type(value_type) = 'json'::regtype AND operator.operands <> 'none' THEN
		PERFORM automation._fail('42883', 'operator does not exist: json = unknown', hint => 'Cast the column to jsonb.');
	ELSIF coalesce(node ->> 'valueSource', 'value') NOT IN ('value', 'field') THEN
		PERFORM automation._fail('22023', format('unrecognized valueSource: "%s"', node ->> 'valueSource'),
			hint => 'Valid sources are: value, field.');
	ELSIF node ?| '{times,plus}' AND node ->> 'valueSource' IS DISTINCT FROM 'field' THEN
		PERFORM automation._fail('22023', '"times" and "plus" of a condition need "valueSource": "field"');
	END IF;
	RETURN automation._fill(operator.expression,
		jsonb_build_object('field', subject)
		|| automation._image_parts(scope, operator, node -> 'field')
		|| automation._operator_parts(value_type)
		|| automation._value_parts(scope, operator, node, value_type));
EXCEPTION WHEN data_exception THEN
	-- The error of a type does not tell where the value stands.
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	PERFORM automation._fail(SQLSTATE, SQLERRM, coalesce(nullif(detail, ''), format('The condition is %s.', left(node::text, 200))), nullif(hint, ''));
END
$$;
COMMENT ON FUNCTION automation._comparison_sql(automation._scope, text, regtype, jsonb)
	IS 'SQL for the operator and value of a node, applied to the subject: a field, or an aggregate over child rows';

-- Child rows

CREATE FUNCTION automation._child_relation(parent regclass, name text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation regclass := to_regclass(name);
	typed regclass[] := ARRAY(
		SELECT e.relation FROM automation.entity AS e
		WHERE e.object_type = name AND EXISTS (SELECT FROM automation._leads(e.relation) AS l WHERE l.target = parent));
BEGIN
	IF relation IS NULL AND cardinality(typed) > 1 THEN
		PERFORM automation._fail('42702', format('"%s" is the object type of several tables', name),
			hint => format('Name one of the tables: %s.', automation._list(typed::text[])));
	END IF;
	relation := coalesce(relation, typed[1], to_regclass(format('%I.%I',
		(SELECT c.relnamespace::regnamespace::name FROM pg_class AS c WHERE c.oid = parent), name)));
	IF relation IS NULL THEN
		PERFORM automation._fail('42P01', format('relation "%s" does not exist', name));
	END IF;
	RETURN relation;
END
$$;
COMMENT ON FUNCTION automation._child_relation(regclass, text) IS 'A table by its name, by its object type, or by its name in the schema of its parent';

CREATE FUNCTION automation._child(
	parent regclass,
	name text,
	link text,
	OUT relation regclass,
	OUT source_column text,
	OUT target_column text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ways text[];
BEGIN
	relation := automation._child_relation(parent, name);
	SELECT array_agg(l.source_column ORDER BY l.source_column), min(l.source_column), min(l.target_column)
	INTO ways, source_column, target_column
	FROM automation._leads(_child.relation) AS l
	WHERE l.target = parent AND l.source_column = coalesce(link, l.source_column);
	IF ways IS NULL THEN
		PERFORM automation._fail('42704', format('table "%s" has no link to table "%s"', relation, parent)
			|| coalesce(' by column "' || link || '"', ''),
			hint => 'A link is a foreign key of one column, or made by automation.link().');
	ELSIF cardinality(ways) > 1 THEN
		PERFORM automation._fail('42702', format('table "%s" has several links to table "%s"', relation, parent),
			hint => format('Set "link" to one of: %s.', automation._list(ways)));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._child(regclass, text, text) IS 'A table whose rows lead to rows of parent, and the two columns of its link';

CREATE FUNCTION automation._child_alias(scope automation._scope) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN 'c' || CASE WHEN (scope).base IN ('new', 'old') THEN 1 ELSE substr((scope).base, 2)::integer + 1 END;
COMMENT ON FUNCTION automation._child_alias(automation._scope) IS 'Alias for child rows: c1, below it c2, ...';

CREATE FUNCTION automation._aggregate(shape text, scope automation._scope, node jsonb, OUT call text, OUT type regtype)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	field record;
BEGIN
	IF shape = 'count' THEN
		call := 'count(*)';
		type := 'bigint'::regtype;
		RETURN;
	END IF;
	SELECT f.sql, automation._base_type(f.type) AS type INTO field
	FROM automation._field(scope, node -> 'field') AS f;
	SELECT p.prorettype INTO type
	FROM pg_proc AS p
	WHERE p.proname = shape AND p.prokind = 'a' AND p.pronamespace = 'pg_catalog'::regnamespace
		AND p.proargtypes[0] = field.type;
	-- min and max of a varchar, an enum, ... are those of what it is taken for.
	IF type IS NULL AND shape = 'sum' THEN
		PERFORM automation._fail('42883', format('cannot sum column of type %s', field.type));
	END IF;
	type := coalesce(type, field.type);
	call := CASE shape
		WHEN 'sum' THEN format('coalesce(sum(%s), %L)', field.sql, 0)
		ELSE format('%s(%s)', shape, field.sql)
	END;
END
$$;
COMMENT ON FUNCTION automation._aggregate(text, automation._scope, jsonb) IS 'Call of count, sum, min or max over child rows, and its type; the sum of no rows is 0';

CREATE FUNCTION automation._peers_sql(scope automation._scope, peers automation._scope, node jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN (
	SELECT string_agg(format('%s = %s', (automation._field(peers, c.name)).sql, (automation._field(scope, c.name)).sql), ' AND ')
	FROM jsonb_path_query(node, '$.by[*]') AS c(name)
) || CASE WHEN node ? 'exists' AND (peers).relation = (scope).relation THEN (
	SELECT format(' AND (%s) IS NOT TRUE', string_agg(format('%s = %s',
		format('%s.%I', (peers).base, k), format((automation._subject_row(scope)).access, k)), ' AND '))
	FROM unnest(automation._key((scope).relation)) AS k
) ELSE '' END;
COMMENT ON FUNCTION automation._peers_sql(automation._scope, automation._scope, jsonb) IS 'SQL that holds for rows with the same values; whether there are any asks for others than the row itself';

CREATE FUNCTION automation._related_rows(
	scope automation._scope,
	shape text,
	node jsonb,
	OUT relation regclass,
	OUT is_related text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	child record;
	there automation._scope := scope;
BEGIN
	there.base := automation._child_alias(scope);
	there.via := NULL;
	IF NOT node ? 'by' THEN
		SELECT c.* INTO child FROM automation._child(scope.relation, node ->> shape, node ->> 'link') AS c;
		relation := child.relation;
		there.relation := relation;
		is_related := format('%s = %s', (automation._path(there, ARRAY[child.source_column], 'column')).sql,
			(automation._path(scope, ARRAY[child.target_column], 'column')).sql);
		RETURN;
	ELSIF node ? 'link' OR NOT jsonb_path_exists(node, '$.by[*] ? (@.type() == "string")') THEN
		PERFORM automation._fail('22023', '"by" of a condition must name columns, in place of a link');
	END IF;
	relation := automation._child_relation(scope.relation, node ->> shape);
	there.relation := relation;
	is_related := automation._peers_sql(scope, there, node);
END
$$;
COMMENT ON FUNCTION automation._related_rows(automation._scope, text, jsonb) IS 'The table that a node about other rows reads, and SQL that tells which rows of it';

CREATE FUNCTION automation._related_sql(scope automation._scope, shape text, node jsonb, depth integer) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	related CONSTANT record := automation._related_rows(scope, shape, node);
	inner_scope automation._scope := scope;
	aggregate record;
	rows text;
BEGIN
	inner_scope.relation := related.relation;
	inner_scope.base := automation._child_alias(scope);
	inner_scope.via := NULL;
	rows := format('FROM %s AS %s WHERE %s AND (%s)', related.relation, inner_scope.base, related.is_related,
		CASE WHEN node ? 'where' THEN automation._tree_sql(inner_scope, node -> 'where', depth + 1) ELSE 'true' END);
	IF shape = 'exists' THEN
		RETURN format('EXISTS (SELECT 1 %s)', rows);
	END IF;
	SELECT a.* INTO aggregate FROM automation._aggregate(shape, inner_scope, node) AS a;
	RETURN automation._comparison_sql(
		scope, format('(SELECT %s %s)', aggregate.call, rows), aggregate.type, node - 'field');
END
$$;
COMMENT ON FUNCTION automation._related_sql(automation._scope, text, jsonb, integer) IS 'SQL for a node about child rows';

-- The tree

CREATE FUNCTION automation._node_shape(node jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- In order of precedence; "field" stands in some of the others too.
	shapes CONSTANT text[] := '{exists,count,sum,min,max,rules,all,any,none,became,took,filter,field}';
	others CONSTANT jsonb := '{
		"exists": ["link", "by", "where"],
		"count": ["link", "by", "where", "operator", "value", "valueSource"],
		"sum": ["link", "by", "where", "field", "operator", "value", "valueSource"],
		"min": ["link", "by", "where", "field", "operator", "value", "valueSource"],
		"max": ["link", "by", "where", "field", "operator", "value", "valueSource"],
		"rules": ["combinator"],
		"field": ["operator", "value", "valueSource", "times", "plus"]}';
	shape text := (SELECT s FROM unnest(shapes) WITH ORDINALITY AS u(s, place) WHERE node ? s ORDER BY place LIMIT 1);
	valid text[] := shape || '{not}'::text[] || ARRAY(SELECT jsonb_array_elements_text(others -> shape));
	key text;
BEGIN
	IF shape IS NULL THEN
		PERFORM automation._fail('22023', format('unrecognized condition: %s', left(node::text, 100)),
			hint => format('A condition has one of the keys %s.', automation._list(shapes)));
	END IF;
	-- id, path and disabled are the editor's own.
	FOR key IN SELECT jsonb_object_keys(node - '{id,path,disabled}'::text[]) LOOP
		IF key <> ALL (valid) THEN
			PERFORM automation._fail('22023', format('unrecognized key "%s" in condition', key),
				hint => format('Valid keys next to "%s" are: %s.', shape, automation._list(array_remove(valid, shape))));
		END IF;
	END LOOP;
	RETURN shape;
END
$$;
COMMENT ON FUNCTION automation._node_shape(jsonb) IS 'What kind of node it is: the key that decides; raises an error for a key that does not belong there';

CREATE FUNCTION automation._group_sql(
	scope automation._scope,
	nodes jsonb,
	combinator text,
	when_empty text,
	depth integer)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(nodes) <> 'array' THEN
		PERFORM automation._fail('22023',
			format('rules of a condition must be an array, not %s', left(nodes::text, 100)));
	ELSIF combinator <> ALL ('{and,or}') THEN
		PERFORM automation._fail('22023', format('unrecognized combinator: "%s"', combinator),
			hint => 'Valid combinators are: and, or.');
	END IF;
	RETURN coalesce((
		SELECT string_agg(format('(%s)', automation._tree_sql(scope, n.node, depth + 1)),
			CASE combinator WHEN 'and' THEN ' AND ' ELSE ' OR ' END ORDER BY n.place)
		FROM jsonb_array_elements(nodes) WITH ORDINALITY AS n(node, place)), when_empty);
END
$$;
COMMENT ON FUNCTION automation._group_sql(automation._scope, jsonb, text, text, integer) IS 'SQL for the nodes of a group';

CREATE FUNCTION automation._became_sql(scope automation._scope, node jsonb, depth integer) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	before automation._scope := scope;
BEGIN
	IF scope.base <> 'new' OR jsonb_path_exists(node, '$.**.field ? (@ like_regex "^(new|old)[.]")') THEN
		PERFORM automation._fail('22023', '"became" needs plain columns of the changed row');
	END IF;
	before.base := 'old';
	-- Before it is inserted, nothing holds for a row.
	RETURN format('(%s) AND ((%s) IS NOT TRUE OR old.%I IS NULL)',
		automation._tree_sql(scope, node, depth + 1), automation._tree_sql(before, node, depth + 1),
		(automation._key(scope.row_relation))[1]);
END
$$;
COMMENT ON FUNCTION automation._became_sql(automation._scope, jsonb, integer) IS 'SQL for a condition that holds now and did not before';

CREATE FUNCTION automation._positive_sql(scope automation._scope, shape text, node jsonb, depth integer) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	field record;
BEGIN
	CASE shape
	WHEN 'rules' THEN
		-- An editor's empty group restricts nothing, whatever its combinator.
		RETURN automation._group_sql(scope, node -> 'rules', lower(coalesce(node ->> 'combinator', 'and')), 'true', depth);
	WHEN 'all' THEN
		RETURN automation._group_sql(scope, node -> 'all', 'and', 'true', depth);
	WHEN 'any', 'none' THEN
		RETURN automation._group_sql(scope, node -> shape, 'or', 'false', depth);
	WHEN 'took' THEN
		IF NOT jsonb_path_exists(node, 'strict $.took ? (@.type() == "array" && @.size() == 2 && @[0].type() == "string" && @[1].type() == "string")', silent => true) THEN
			PERFORM automation._fail('22023', format('"took" of a condition must be a decision and one of its ways, not %s', left((node -> 'took')::text, 100)),
				hint => 'For example: {"took": ["new.amount > 100", "then"]}.');
		END IF;
		RETURN format('automation.took(%L, %L)', node -> 'took' ->> 0, node -> 'took' ->> 1);
	WHEN 'became' THEN
		RETURN automation._became_sql(scope, node -> 'became', depth);
	WHEN 'filter' THEN
		RETURN automation._named_condition(scope, node ->> 'filter', depth);
	WHEN 'field' THEN
		SELECT f.* INTO field FROM automation._field(scope, node -> 'field') AS f;
		RETURN automation._comparison_sql(scope, field.sql, field.type, node);
	ELSE
		RETURN automation._related_sql(scope, shape, node, depth);
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._positive_sql(automation._scope, text, jsonb, integer) IS 'SQL for a node, leaving its negation aside';

CREATE FUNCTION automation._tree_sql(scope automation._scope, node jsonb, depth integer DEFAULT 1) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	shape text;
	sql text;
BEGIN
	IF depth > 100 THEN
		PERFORM automation._fail('54001', 'rule condition is too complex',
			'The condition exceeds the maximum depth of 100.');
	ELSIF jsonb_typeof(node) <> 'object' THEN
		PERFORM automation._fail('22023', format('a condition must be a JSON object, not %s', left(node::text, 100)));
	END IF;
	shape := automation._node_shape(node);
	IF coalesce(node -> 'not', 'false') NOT IN ('true', 'false') THEN
		PERFORM automation._fail('22023', format('"not" of a condition must be true or false, not %s', node -> 'not'));
	END IF;
	sql := automation._positive_sql(scope, shape, node, depth);
	RETURN CASE WHEN (shape = 'none') <> (coalesce(node -> 'not', 'false') = 'true')
		THEN format('(%s) IS NOT TRUE', sql) ELSE sql END;
END
$$;
COMMENT ON FUNCTION automation._tree_sql(automation._scope, jsonb, integer) IS 'SQL for a JSON condition';

CREATE FUNCTION automation._condition_sql(scope automation._scope, condition text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF condition ~ '\S' IS NOT TRUE THEN
		RETURN 'true';
	ELSIF octet_length(condition) > 8192 THEN
		PERFORM automation._fail('54001', 'rule condition is too complex',
			'The condition exceeds the maximum size of 8 kB.');
	ELSIF condition ~ '^\s*\{' THEN
		RETURN automation._tree_sql(scope, condition::jsonb);
	END IF;
	-- A comment at its end swallows nothing of what follows.
	RETURN automation._sql_condition(scope, condition) || E'\n';
END
$$;
COMMENT ON FUNCTION automation._condition_sql(automation._scope, text) IS 'SQL expression over old and new for a condition: a JSON tree when it starts with {, else SQL';

-- Functions that conditions may call

CREATE TABLE automation.approved_function (
	relation regclass NOT NULL,
	function text NOT NULL,
	approved_by regrole NOT NULL,
	approved_at timestamptz NOT NULL DEFAULT automation._now(),
	PRIMARY KEY (relation, function)
);
COMMENT ON TABLE automation.approved_function IS 'Functions of users that conditions of rules on a table may call';
COMMENT ON COLUMN automation.approved_function.relation IS 'Table of the rules';
COMMENT ON COLUMN automation.approved_function.function IS 'Signature as pg_identify_object() gives it: a dump carries no oids';
COMMENT ON COLUMN automation.approved_function.approved_by IS 'Who approved it';
COMMENT ON COLUMN automation.approved_function.approved_at IS 'When';

CREATE FUNCTION automation._function_identity(function oid) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT i.identity FROM pg_catalog.pg_identify_object('pg_proc'::regclass, function, 0) AS i;
END;
COMMENT ON FUNCTION automation._function_identity(oid) IS 'Signature of a function, the same under every search path';

CREATE FUNCTION automation._is_approved(relation regclass, function oid) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (
		SELECT FROM automation.approved_function AS a
		WHERE a.relation = _is_approved.relation AND a.function = automation._function_identity(_is_approved.function));
END;
COMMENT ON FUNCTION automation._is_approved(regclass, oid) IS 'Whether conditions of rules on the table may call the function';

CREATE FUNCTION automation.approve_function(relation regclass, function regprocedure) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.approve_function(regclass, regprocedure) IS 'Lets conditions of rules on a table of yours call a function. Whoever owns the function can change what it does';

CREATE FUNCTION automation._approve_function(caller regrole, relation regclass, function regprocedure) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_ownership(caller, relation);
	INSERT INTO automation.approved_function (relation, function, approved_by)
	VALUES (_approve_function.relation, automation._function_identity(_approve_function.function), caller)
	ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION automation._approve_function(regrole, regclass, regprocedure) IS 'automation.approve_function()';

CREATE FUNCTION automation.disapprove_function(relation regclass, function regprocedure) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.disapprove_function(regclass, regprocedure) IS 'Takes approve_function() back, unless conditions or expressions of rules call the function';

CREATE FUNCTION automation._disapprove_function(caller regrole, relation regclass, function regprocedure) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rules text[] := automation._rules_calling(relation, function);
BEGIN
	PERFORM automation._check_ownership(caller, relation);
	IF rules IS NOT NULL THEN
		PERFORM automation._fail('2BP01', format('cannot disapprove function %s because rules depend on it', function),
			format('Rules that call it: %s.', automation._list(rules)),
			'Use automation.alter_rule() or automation.drop_rule() first.');
	END IF;
	DELETE FROM automation.approved_function AS a
	WHERE a.relation = _disapprove_function.relation
		AND a.function = automation._function_identity(_disapprove_function.function);
	IF NOT FOUND THEN
		PERFORM automation._fail('42704',
			format('function %s is not approved for rules on table "%s"', function, relation));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._disapprove_function(regrole, regclass, regprocedure) IS 'automation.disapprove_function()';
