-- What a rule writes: columns of the record, and rows of other tables.

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('update_field', 'data', 'statement', 'reversible', NULL, NULL, '_compile_update_field', '{
	"required": ["field"],
	"properties": {
		"field": {"type": "string", "description": "column or role of the record"},
		"value": {"type": ["string", "number", "boolean"], "description": "template"},
		"expression": {"type": "string", "description": "SQL over new and old"}}}',
	'Sets a column of the record'),
('assign_user', 'work', 'statement', 'reversible', NULL, NULL, '_compile_assign_user', '{
	"required": ["strategy"],
	"properties": {
		"strategy": {"type": "string", "enum": ["fixed", "field", "round_robin", "least_busy"]},
		"assignee": {"type": ["string", "number"], "description": "fixed: a user or a template; field: a path such as customer.account_manager"},
		"pool": {"type": ["array", "object"], "description": "users, or {\"relation\": ..., \"column\": ..., \"filter\": {column: value}}"},
		"closed": {"type": "array", "description": "least_busy: statuses that do not count as work"},
		"role": {"type": "string", "description": "role or column to set, owner by default"}}}',
	'Gives the record to a user'),
('create_record', 'data', 'statement', 'reversible', NULL, NULL, '_compile_create_record', '{
	"required": ["relation", "fields"],
	"properties": {
		"relation": {"type": "string"},
		"fields": {"type": "object", "description": "column: value; text values are templates"}}}',
	'Inserts a row'),
('create_task', 'work', 'statement', 'reversible', NULL, NULL, '_compile_create_task', '{
	"required": ["title"],
	"properties": {
		"title": {"type": "string"},
		"assignee": {"type": "string", "description": "a user, or a role of the record such as owner"},
		"due": {"type": "string", "description": "an interval from now, an instant or a template"},
		"fields": {"type": "object", "description": "further columns of the task"}}}',
	'Inserts a row into the attached table of object type task'),
('call_function', 'data', 'statement', 'final', NULL, NULL, '_compile_call_function', '{
	"required": ["function"],
	"properties": {
		"function": {"type": "string", "description": "a function of one jsonb argument"},
		"args": {"type": "object", "description": "added to the argument; text values are templates"}}}',
	'Calls a function with {"rule", "old", "new"} and the given arguments');

CREATE FUNCTION automation.create_task(
	title text,
	assignee text DEFAULT NULL,
	due text DEFAULT NULL,
	fields jsonb DEFAULT NULL)
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('create_task',
	jsonb_build_object('title', title, 'assignee', assignee, 'due', due, 'fields', fields));
COMMENT ON FUNCTION automation.create_task(text, text, text, jsonb) IS 'A step that inserts into the attached table of object type task; title, assignee and due are templates, due may be an interval from now';

CREATE FUNCTION automation.update_field(field text, value text DEFAULT NULL, expression text DEFAULT NULL)
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('update_field',
	jsonb_build_object('field', field, 'value', value, 'expression', expression));
COMMENT ON FUNCTION automation.update_field(text, text, text) IS 'A step that sets a column or role of the record to a template or to an SQL expression over new and old';

CREATE FUNCTION automation.assign_user(
	strategy text,
	assignee text DEFAULT NULL,
	pool jsonb DEFAULT NULL,
	closed text[] DEFAULT NULL,
	role text DEFAULT NULL)
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('assign_user',
	jsonb_build_object('strategy', strategy, 'assignee', assignee, 'pool', pool, 'closed', to_jsonb(closed),
		'role', role));
COMMENT ON FUNCTION automation.assign_user(text, text, jsonb, text[], text) IS 'A step that gives the record to a user: fixed, field, round_robin or least_busy';

CREATE FUNCTION automation.create_record(relation text, fields jsonb) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('create_record', jsonb_build_object('relation', relation, 'fields', fields));
COMMENT ON FUNCTION automation.create_record(text, jsonb) IS 'A step that inserts a row; texts in fields are templates';

CREATE FUNCTION automation.call_function(function text, args jsonb DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('call_function', jsonb_build_object('function', function, 'args', args));
COMMENT ON FUNCTION automation.call_function(text, jsonb) IS 'A step that calls a function of one jsonb argument with {"rule", "old", "new"} and args';

CREATE FUNCTION automation._check_writable(owner regrole, relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema regnamespace := (SELECT c.relnamespace FROM pg_class AS c WHERE c.oid = relation);
BEGIN
	IF schema::text IN ('automation', 'automation_compiled', 'pg_catalog', 'information_schema', 'pg_toast') THEN
		PERFORM automation._fail('42501', format('rules cannot write to table "%s"', relation));
	END IF;
	IF NOT has_schema_privilege(owner, schema, 'USAGE') THEN
		PERFORM automation._fail('42501', format('permission denied for schema %s', schema));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_writable(regrole, regclass) IS 'Raises an error unless rules of this owner can reach the table';

CREATE FUNCTION automation._column(owner regrole, relation regclass, name text, privilege text)
RETURNS pg_catalog.pg_attribute
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	real_name text := coalesce(automation._role_or_column(relation, name), name);
	target pg_attribute;
BEGIN
	PERFORM automation._check_columns(relation, ARRAY[real_name]);
	SELECT a.* INTO target FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = real_name;
	IF NOT has_column_privilege(owner, relation, target.attnum, privilege) THEN
		PERFORM automation._fail('42501',
			format('permission denied for table %s', automation._relation_name(relation)),
			format('Role %s may not %s column "%s".', owner, lower(privilege), real_name));
	END IF;
	IF privilege <> 'SELECT' AND (target.attgenerated <> '' OR target.attidentity = 'a') THEN
		PERFORM automation._fail('428C9', format('column "%s" is generated always', real_name),
			'A rule cannot give it a value.');
	END IF;
	RETURN target;
END
$$;
COMMENT ON FUNCTION automation._column(regrole, regclass, text, text)
	IS 'A column, given by its name or role, on which a rule''s owner has the privilege';

CREATE FUNCTION automation._type_name(target pg_catalog.pg_attribute) RETURNS text
LANGUAGE sql STABLE
-- The constraints of a domain and the length of a varchar are for the assignment, which the owner of the
-- rule makes. With typmod -1: bpchar and "bit" otherwise mean one character.
RETURN format_type(automation._base_type((target).atttypid), -1);
COMMENT ON FUNCTION automation._type_name(pg_catalog.pg_attribute) IS 'The type that a value for a column is computed as';

CREATE FUNCTION automation._typed_sql(scope automation._scope, target pg_catalog.pg_attribute, value jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	base CONSTANT regtype := automation._base_type(target.atttypid);
	json text := automation._value_sql(scope, value, 'json');
	typed text;
BEGIN
	IF base NOT IN ('json', 'jsonb') AND NOT 'text' = ANY (automation._type_classes(base)) THEN
		json := format('nullif(%s, ''""'')', json);
	END IF;
	typed := format('(SELECT v FROM pg_catalog.jsonb_to_record(pg_catalog.jsonb_build_object(''v''::text, %s)) AS x(v %s))',
		json, automation._type_name(target));
	-- What is wrong with a constant is wrong now, not when the rule first runs.
	IF automation._is_constant(value::text) AND automation._has_literals(base) THEN
		EXECUTE 'SELECT ' || typed;
	END IF;
	RETURN typed;
END
$$;
COMMENT ON FUNCTION automation._typed_sql(automation._scope, pg_catalog.pg_attribute, jsonb)
	IS 'SQL for a value as the column takes it; empty text is NULL unless the column is text';

CREATE FUNCTION automation._subject_key(scope automation._scope) RETURNS jsonb
LANGUAGE sql STABLE
-- The column that leads to the row is its key already: no need to look there.
BEGIN ATOMIC
	SELECT jsonb_object_agg(k, CASE
		WHEN k = (
			SELECT l.target_column FROM automation._leads((scope).row_relation) AS l
			WHERE l.source_column = (scope).via AND l.target = (scope).relation)
		THEN format('%s.%I', (scope).base, (scope).via)
		ELSE format((automation._subject_row(scope)).access, k)
	END)
	FROM unnest(automation._key((scope).relation)) AS k;
END;
COMMENT ON FUNCTION automation._subject_key(automation._scope) IS 'Columns of the key of the row that the rule is about, and SQL for each';

-- Dear, so that a small table is not read from one end to the other instead: SERIALIZABLE would count every row.
CREATE FUNCTION automation._same_table(a oid, b oid) RETURNS boolean
LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE COST 100000 AS 'oideq';
COMMENT ON FUNCTION automation._same_table(oid, oid) IS 'Whether two rows are in the same table: one check for one row that was found by its address';

CREATE FUNCTION automation._is_changed_row(scope automation._scope) RETURNS boolean
LANGUAGE sql STABLE
RETURN (scope).via IS NULL AND (scope).base = 'new'
	AND has_column_privilege((scope).owner, (scope).relation::oid, 'ctid', 'SELECT')
	AND has_column_privilege((scope).owner, (scope).relation::oid, 'tableoid', 'SELECT');
COMMENT ON FUNCTION automation._is_changed_row(automation._scope)
	IS 'Whether the rule is about the changed row itself, and its owner may go where that is';

CREATE FUNCTION automation._same_row_sql(scope automation._scope) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- Where the row is leads to it without an index; the key keeps other partitions out.
	SELECT CASE WHEN automation._is_changed_row(scope)
			THEN 't.ctid = new.ctid AND automation._same_table(t.tableoid, new.tableoid) AND ' ELSE '' END
		|| string_agg(format('t.%I = %s', k.key, k.value), ' AND ' ORDER BY k.key)
	FROM jsonb_each_text(automation._subject_key(scope)) AS k;
END;
COMMENT ON FUNCTION automation._same_row_sql(automation._scope) IS 'Condition under which t is the row that the rule is about';

CREATE FUNCTION automation._trace() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '';
COMMENT ON FUNCTION automation._trace()
	IS 'Under which name the result of a step has what undo_run() needs, one that no column can have: [old value], or of a row that was inserted [table, hash]';

CREATE FUNCTION automation._without_trace(result jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN jsonb_typeof(result) = 'object' THEN result - automation._trace() ELSE result END;
COMMENT ON FUNCTION automation._without_trace(jsonb) IS 'The result of a step as readers see it';

CREATE FUNCTION automation._update_sql(
	scope automation._scope,
	target pg_catalog.pg_attribute,
	value text,
	result text DEFAULT 'v.value',
	condition text DEFAULT 'true')
RETURNS text
LANGUAGE sql STABLE
-- The value stands alone in a sub-query so that no name in it can mean a column of the target.
RETURN format(
	'UPDATE %1$s AS t SET %2$I = %7$s FROM %3$s, LATERAL (%4$s) AS v (value) '
	'WHERE %5$s AND %8$s AND automation.changed(t.%2$I::%6$s, %7$s) '
	'RETURNING pg_catalog.jsonb_build_object(%2$L::text, t.%2$I, %9$L::text, pg_catalog.jsonb_build_array(%10$s))',
	scope.relation, target.attname, automation._images_sql(scope.row_relation), value,
	automation._same_row_sql(scope), automation._type_name(target), result, condition,
	-- What the record had before is read where the record is, in the snapshot of the statement.
	automation._trace(), format((automation._subject_row(scope)).access, target.attname));
COMMENT ON FUNCTION automation._update_sql(automation._scope, pg_catalog.pg_attribute, text, text, text)
	IS 'Statement that sets a column of the record t to the value, or to a result of that and t, unless it is so already';

CREATE FUNCTION automation._inserted_trace(owner regrole, relation regclass) RETURNS text[]
LANGUAGE sql STABLE
RETURN CASE WHEN has_table_privilege(owner, relation, 'SELECT') THEN ARRAY[format('%L::text, pg_catalog.jsonb_build_array(t.tableoid, '
	'pg_catalog.hashtextextended(t::pg_catalog.text, 0))', automation._trace())] ELSE '{}' END;
COMMENT ON FUNCTION automation._inserted_trace(regrole, regclass)
	IS 'SQL for what undo_run() needs of a row that is inserted; of one that the owner may not read as a whole, nothing';

CREATE FUNCTION automation._insert_sql(
	scope automation._scope,
	relation regclass,
	fields jsonb,
	clauses text DEFAULT '',
	is_one boolean DEFAULT true)
RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT format('INSERT INTO %s AS t (%s) %s %s RETURNING %s',
		relation,
		string_agg(quote_ident(f.key), ', ' ORDER BY f.key),
		automation._select_sql((scope).row_relation, string_agg(f.value, ', ' ORDER BY f.key)),
		clauses,
		automation._call_sql('jsonb_build_object', ARRAY(
			SELECT format('%L::text, t.%I', k, k)
			FROM unnest(coalesce(automation._key(relation), automation._primary_key(relation))) AS k
			WHERE has_column_privilege((scope).owner::oid, relation::oid, k, 'SELECT'))
			|| CASE WHEN is_one THEN automation._inserted_trace((scope).owner, relation) ELSE '{}' END))
	FROM jsonb_each_text(fields) AS f;
END;
COMMENT ON FUNCTION automation._insert_sql(automation._scope, regclass, jsonb, text, boolean) IS 'Statement that inserts a row of SQL expressions and answers its key; clauses: what follows FROM';

CREATE FUNCTION automation._target(scope automation._scope, name text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parts text[] := parse_ident(name);
	target regclass;
BEGIN
	IF cardinality(parts) = 1 THEN
		parts := (SELECT n.nspname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
			WHERE c.oid = scope.relation) || parts;
	END IF;
	target := to_regclass((SELECT string_agg(quote_ident(part), '.') FROM unnest(parts) AS part));
	IF target IS NULL THEN
		PERFORM automation._fail('42P01', format('relation "%s" does not exist', name));
	END IF;
	PERFORM automation._check_writable(scope.owner, target);
	RETURN target;
END
$$;
COMMENT ON FUNCTION automation._target(automation._scope, text) IS 'A table by its name; one without a schema is looked for beside the table that the rule is about';

CREATE FUNCTION automation._fields_sql(scope automation._scope, target regclass, fields jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	written jsonb := '{}';
	field record;
	target_column pg_attribute;
BEGIN
	FOR field IN SELECT f.key, f.value FROM jsonb_each(fields) AS f LOOP
		target_column := automation._column(scope.owner, target, field.key, 'INSERT');
		written := written || jsonb_build_object(
			target_column.attname, automation._typed_sql(scope, target_column, field.value));
	END LOOP;
	RETURN written;
END
$$;
COMMENT ON FUNCTION automation._fields_sql(automation._scope, regclass, jsonb) IS 'SQL for each column of a new row';

CREATE FUNCTION automation._compile_create_record(scope automation._scope, site automation._site, params jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target regclass := automation._target(scope, params ->> 'relation');
	fields jsonb := params -> 'fields';
BEGIN
	IF fields = '{}' THEN
		PERFORM automation._fail('22023', 'parameter "fields" of action "create_record" is empty');
	END IF;
	RETURN automation._insert_sql(scope, target, automation._fields_sql(scope, target, fields));
END
$$;
COMMENT ON FUNCTION automation._compile_create_record(automation._scope, automation._site, jsonb) IS 'Statement for create_record';

-- Rows of other attached tables: known by their object type, their columns by their roles

CREATE FUNCTION automation._table_of(object_type text, instead text) RETURNS regclass
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tables regclass[] := ARRAY(
		SELECT e.relation FROM automation.entity AS e WHERE e.object_type = _table_of.object_type ORDER BY e.id);
BEGIN
	IF cardinality(tables) = 0 THEN
		PERFORM automation._fail('55000', format('no attached table has the object type "%s"', object_type),
			hint => format('Use automation.attach() with object_type => %L, or automation.%s().', object_type, instead));
	ELSIF cardinality(tables) > 1 THEN
		PERFORM automation._fail('55000', format('several attached tables have the object type "%s"', object_type),
			format('They are: %s.', automation._list(tables::text[])), format('Use automation.%s().', instead));
	END IF;
	RETURN tables[1];
END
$$;
COMMENT ON FUNCTION automation._table_of(text, text) IS 'The attached table for rows of an object type; instead: the action that does without';

CREATE FUNCTION automation._known_column(relation regclass, role text) RETURNS text
LANGUAGE sql STABLE
RETURN coalesce(
	automation._roles(relation) ->> role,
	(SELECT c FROM unnest(automation._columns(relation)) AS c WHERE c = role));
COMMENT ON FUNCTION automation._known_column(regclass, text) IS 'The column that has a role, or its name; or null';

CREATE FUNCTION automation._role_column(relation regclass, role text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known CONSTANT text := automation._known_column(relation, role);
BEGIN
	IF known IS NULL THEN
		PERFORM automation._fail('55000', format('table "%s" has no column for the role "%s"', relation, role),
			hint => 'Name it in the columns of automation.attach().');
	END IF;
	RETURN known;
END
$$;
COMMENT ON FUNCTION automation._role_column(regclass, text) IS 'The column that has a role, or its name';

CREATE FUNCTION automation._about_column(relation regclass, subject regclass) RETURNS text
LANGUAGE sql STABLE
-- Two foreign keys to the same table (a task's owner and its author) do not tell which one is meant.
RETURN coalesce(
	automation._roles(relation) ->> (SELECT e.object_type FROM automation.entity AS e WHERE e.relation = subject),
	automation._roles(relation) ->> 'about',
	(
		SELECT min(a.attname)
		FROM pg_constraint AS c
		JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
		WHERE c.contype = 'f' AND c.conrelid = relation AND c.confrelid = subject AND cardinality(c.conkey) = 1
		HAVING count(*) = 1
	));
COMMENT ON FUNCTION automation._about_column(regclass, regclass) IS 'The column that names the record a row is about, or null';

-- Tasks

CREATE FUNCTION automation._due_sql(scope automation._scope, target pg_catalog.pg_attribute, due text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN format('(automation._now() + %L::pg_catalog.interval)::%s', due::interval, automation._type_name(target));
EXCEPTION WHEN invalid_datetime_format THEN
	RETURN automation._typed_sql(scope, target, to_jsonb(due));
END
$$;
COMMENT ON FUNCTION automation._due_sql(automation._scope, pg_catalog.pg_attribute, text) IS 'SQL for the due date of a task: an interval from now, or a template';

CREATE FUNCTION automation._task_fields(scope automation._scope, task regclass, params jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	about text := automation._about_column(task, scope.relation);
	key text[] := ARRAY(SELECT k.value FROM jsonb_each_text(automation._subject_key(scope)) AS k);
	due pg_attribute;
	fields jsonb := '{}';
BEGIN
	IF about IS NOT NULL AND cardinality(key) = 1 THEN
		fields := jsonb_build_object(
			(automation._column(scope.owner, task, about, 'INSERT')).attname, key[1]);
	END IF;
	fields := fields || automation._fields_sql(scope, task, jsonb_build_object(
		automation._role_column(task, 'title'), params -> 'title'));
	IF params ? 'assignee' THEN
		fields := fields || automation._fields_sql(scope, task, jsonb_build_object(
			automation._role_column(task, 'owner'), automation._person(scope, params ->> 'assignee')));
	END IF;
	IF params ? 'due' THEN
		due := automation._column(scope.owner, task, automation._role_column(task, 'due'), 'INSERT');
		fields := fields || jsonb_build_object(due.attname, automation._due_sql(scope, due, params ->> 'due'));
	END IF;
	RETURN fields || automation._fields_sql(scope, task, coalesce(params -> 'fields', '{}'));
END
$$;
COMMENT ON FUNCTION automation._task_fields(automation._scope, regclass, jsonb) IS 'SQL for each column of a new task';

CREATE FUNCTION automation._compile_create_task(scope automation._scope, site automation._site, params jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	task regclass := automation._table_of('task', 'create_record');
BEGIN
	PERFORM automation._check_writable(scope.owner, task);
	RETURN automation._insert_sql(scope, task, automation._task_fields(scope, task, params));
END
$$;
COMMENT ON FUNCTION automation._compile_create_task(automation._scope, automation._site, jsonb) IS 'Statement for create_task';

-- Changes of the record

CREATE FUNCTION automation._check_expression(scope automation._scope, expression text, events text[]) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_check_expression';
COMMENT ON FUNCTION automation._check_expression(automation._scope, text, text[])
	IS 'Raises what is wrong with an expression that a user wrote in SQL; its type may be any';

CREATE FUNCTION automation._set_column_sql(scope automation._scope, action text, target pg_catalog.pg_attribute, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	expression CONSTANT text := params ->> 'expression';
BEGIN
	IF (params ? 'value') = (params ? 'expression') THEN
		PERFORM automation._fail('22023', format('action "%s" needs either "value" or "expression"', action),
			hint => 'Use expression => ''NULL'' to clear a field.');
	END IF;
	IF expression IS NULL THEN
		RETURN automation._update_sql(scope, target, 'SELECT ' || automation._typed_sql(scope, target, params -> 'value'));
	END IF;
	PERFORM automation._check_expression(scope, expression, scope.events);
	RETURN automation._update_sql(scope, target, format(E'SELECT (%s\n)::%s',
		automation._rewrite_links(scope, expression), automation._type_name(target)));
END
$$;
COMMENT ON FUNCTION automation._set_column_sql(automation._scope, text, pg_catalog.pg_attribute, jsonb)
	IS 'Statement that sets a column of the record to a template (value) or an SQL expression';

CREATE FUNCTION automation._compile_update_field(scope automation._scope, site automation._site, params jsonb)
RETURNS text
LANGUAGE sql STABLE
RETURN automation._set_column_sql(
	scope, site.action, automation._column((scope).owner, (scope).relation, params ->> 'field', 'UPDATE'), params);
COMMENT ON FUNCTION automation._compile_update_field(automation._scope, automation._site, jsonb) IS 'Statement for update_field';

CREATE FUNCTION automation._filter_sql(scope automation._scope, relation regclass, filter jsonb) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(string_agg(
		format('p.%I = %s', c.attname, automation._typed_sql(scope, c, f.value)), ' AND ' ORDER BY f.key), 'true')
	FROM jsonb_each(filter) AS f,
		LATERAL automation._column(scope.owner, relation, f.key, 'SELECT') AS c;
END;
COMMENT ON FUNCTION automation._filter_sql(automation._scope, regclass, jsonb) IS 'Condition that columns have the given values';

CREATE FUNCTION automation._pool_sql(scope automation._scope, target pg_catalog.pg_attribute, pool jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	type CONSTANT text := automation._type_name(target);
	source regclass;
	source_column text;
BEGIN
	IF jsonb_typeof(pool) = 'array' THEN
		IF pool = '[]' THEN
			PERFORM automation._fail('22023', 'parameter "pool" of action "assign_user" is empty');
		ELSIF NOT automation._has_literals(automation._base_type(target.atttypid)) THEN
			PERFORM automation._fail('0A000', format('a pool cannot list values of type %s', type));
		END IF;
		RETURN format('SELECT u.value, u.place - 1 FROM pg_catalog.unnest(%L::%s[]) WITH ORDINALITY AS u (value, place)',
			ARRAY(SELECT jsonb_array_elements_text(pool)), type);
	END IF;
	PERFORM automation._check_params('the pool of action "assign_user"', '{"required": ["relation"], "properties": {
		"relation": {"type": "string"}, "column": {"type": "string"}, "filter": {"type": "object"}}}', pool);
	source := automation._target(scope, pool ->> 'relation');
	source_column := coalesce(pool ->> 'column', (automation._primary_key(source))[1]);
	PERFORM automation._check_columns(source, ARRAY[source_column]);
	RETURN format('SELECT p.%1$I::%2$s, row_number() OVER (ORDER BY p.%1$I) - 1 FROM %3$s AS p WHERE %4$s',
		source_column, type, source,
		automation._filter_sql(scope, source, coalesce(pool -> 'filter', '{}')));
END
$$;
COMMENT ON FUNCTION automation._pool_sql(automation._scope, pg_catalog.pg_attribute, jsonb) IS 'Query for the users to choose from, and the place of each from 0';

CREATE FUNCTION automation._turn(site automation._site, owner regrole) RETURNS regclass
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name text := format('automation_compiled.rule_%s_%s_turn_%s', site.rule_id, site.version, site.step);
BEGIN
	EXECUTE format('CREATE SEQUENCE %s MINVALUE 0 START 0 CYCLE', name);
	EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %s', name, owner);
	RETURN name::regclass;
END
$$;
COMMENT ON FUNCTION automation._turn(automation._site, regrole)
	IS 'Makes the sequence of a round robin: no row is shared, so no writer waits for another';

CREATE FUNCTION automation._round_robin_sql(
	scope automation._scope,
	site automation._site,
	target pg_catalog.pg_attribute,
	pool jsonb)
RETURNS text
LANGUAGE sql
RETURN automation._update_sql(
	scope, target,
	format('WITH pool (value, place) AS MATERIALIZED (%s), turn (number) AS MATERIALIZED (SELECT pg_catalog.nextval(%L::pg_catalog.regclass)) '
		'SELECT pool.value FROM pool, turn WHERE pool.place = turn.number %% nullif((SELECT count(*) FROM pool), 0)',
		automation._pool_sql(scope, target, pool), automation._turn(site, scope.owner)));
COMMENT ON FUNCTION automation._round_robin_sql(automation._scope, automation._site, pg_catalog.pg_attribute, jsonb)
	IS 'Statement that gives the record to the next user of the pool';

CREATE FUNCTION automation._least_busy_sql(
	scope automation._scope,
	target pg_catalog.pg_attribute,
	pool jsonb,
	closed jsonb)
RETURNS text
LANGUAGE sql STABLE
RETURN automation._update_sql(
	scope, target,
	format('WITH pool (value, place) AS MATERIALIZED (%s) SELECT pool.value FROM pool ORDER BY '
		'(SELECT count(*) FROM %s AS work WHERE work.%I = pool.value%s), pool.place LIMIT 1',
		automation._pool_sql(scope, target, pool), scope.relation, target.attname,
		CASE WHEN closed IS NOT NULL THEN
			format(' AND work.%I::text <> ALL (%L::text[])',
				(automation._column(scope.owner, scope.relation, 'status', 'SELECT')).attname,
				ARRAY(SELECT jsonb_array_elements_text(closed)))
		END));
COMMENT ON FUNCTION automation._least_busy_sql(automation._scope, pg_catalog.pg_attribute, jsonb, jsonb)
	IS 'Statement that gives the record to the user of the pool who has the fewest';

CREATE FUNCTION automation._compile_assign_user(scope automation._scope, site automation._site, params jsonb)
RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target pg_attribute := automation._column(scope.owner, scope.relation, coalesce(params ->> 'role', 'owner'), 'UPDATE');
	strategy text := params ->> 'strategy';
	needed text := CASE WHEN strategy IN ('fixed', 'field') THEN 'assignee' ELSE 'pool' END;
BEGIN
	IF NOT params ? needed THEN
		PERFORM automation._fail('22023', format('strategy "%s" of action "assign_user" needs the parameter "%s"', strategy, needed));
	END IF;
	CASE strategy
	WHEN 'fixed' THEN
		RETURN automation._update_sql(scope, target, 'SELECT ' || automation._typed_sql(scope, target, params -> 'assignee'));
	WHEN 'field' THEN
		RETURN automation._update_sql(scope, target, 'SELECT ' || automation._typed_sql(
			scope, target, to_jsonb(format('{{ %s }}', params ->> 'assignee'))));
	WHEN 'round_robin' THEN
		RETURN automation._round_robin_sql(scope, site, target, params -> 'pool');
	WHEN 'least_busy' THEN
		RETURN automation._least_busy_sql(scope, target, params -> 'pool', params -> 'closed');
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._compile_assign_user(automation._scope, automation._site, jsonb) IS 'Statement for assign_user';

-- Functions

CREATE FUNCTION automation._action_function(scope automation._scope, name text) RETURNS pg_catalog.pg_proc
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	parts text[] := parse_ident(regexp_replace(name, '\s*\(\s*jsonb\s*\)$', ''));
	schema name := CASE WHEN cardinality(parts) > 1 THEN parts[1]
		ELSE (SELECT c.relnamespace::regnamespace::text FROM pg_class AS c WHERE c.oid = scope.relation) END;
	candidate pg_proc;
BEGIN
	-- The one with the right argument, if there is one.
	SELECT p.* INTO candidate
	FROM pg_proc AS p JOIN pg_namespace AS n ON n.oid = p.pronamespace
	WHERE n.nspname = schema AND p.proname = parts[cardinality(parts)]
	ORDER BY p.pronargs = 1 AND p.proargtypes[0] = 'jsonb'::regtype DESC
	LIMIT 1;
	IF NOT FOUND THEN
		PERFORM automation._fail('42883', format('function %s(jsonb) does not exist', name));
	ELSIF candidate.prokind <> 'f' OR candidate.pronargs <> 1 OR candidate.proargtypes[0] <> 'jsonb'::regtype THEN
		PERFORM automation._fail('42883', 'action function must have signature (jsonb) and return void or jsonb');
	ELSIF candidate.proretset OR candidate.prorettype <> 'void'::regtype AND (
		SELECT t.typtype IN ('p', 'c') FROM pg_type AS t WHERE t.oid = candidate.prorettype)
	THEN
		PERFORM automation._fail('42P13', 'action function must have signature (jsonb) and return void or jsonb');
	END IF;
	RETURN candidate;
END
$$;
COMMENT ON FUNCTION automation._action_function(automation._scope, text) IS 'A function that can be an action; one without a schema is looked for beside the table that the rule is about';

CREATE FUNCTION automation._compile_call_function(scope automation._scope, site automation._site, params jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	called pg_proc := automation._action_function(scope, params ->> 'function');
	call text;
BEGIN
	IF NOT has_schema_privilege(scope.owner, called.pronamespace, 'USAGE') THEN
		PERFORM automation._fail('42501', format('permission denied for schema %s', called.pronamespace::regnamespace));
	ELSIF NOT has_function_privilege(scope.owner, called.oid, 'EXECUTE') THEN
		PERFORM automation._fail('42501', format('permission denied for function %s', called.proname));
	END IF;
	call := format('%s(pg_catalog.jsonb_build_object(''rule''::text, %L::text, ''old''::text, pg_catalog.to_jsonb(old), ''new''::text, pg_catalog.to_jsonb(new)) || %s)',
		called.oid::regproc, scope.rule, automation._value_sql(scope, coalesce(params -> 'args', '{}'), 'json'));
	RETURN automation._select_sql(scope.row_relation, CASE called.prorettype
		WHEN 'jsonb'::regtype THEN call
		-- Nothing but IS NULL takes a void.
		WHEN 'void'::regtype THEN format('CASE WHEN %s IS NULL THEN ''{}''::jsonb ELSE ''{}''::jsonb END', call)
		ELSE format('pg_catalog.to_jsonb(%s)', call)
	END);
END
$$;
COMMENT ON FUNCTION automation._compile_call_function(automation._scope, automation._site, jsonb) IS 'Query for call_function';
