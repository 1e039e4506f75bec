-- Invoices and estimates, made from lines: once for each purpose.

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description)
SELECT a.name, 'money', 'statement', 'reversible', NULL, NULL, '_compile_bill', '{
	"properties": {
		"purpose": {"type": "string", "enum": ["full", "deposit", "final"], "description": "deposit: a part of the sum in advance; final: the sum less deposits; full by default"},
		"percent": {"type": "number", "description": "deposit: which part"},
		"lines": {"type": "array", "description": "each {title, quantity, price}, texts and numbers, templates; or {from: table whose rows lead to the record, title, quantity, price: columns of it or numbers, where: {column: value}}. By default one line, the amount of the record"},
		"due": {"type": "string", "description": "an interval from now, an instant or a template"},
		"status": {"type": "string", "description": "its status; template"},
		"fields": {"type": "object", "description": "further columns; texts are templates"}}}',
	format('Makes an %s of the record, with its lines, unless there is one for the purpose', a.object_type)
FROM (VALUES ('create_invoice', 'invoice'), ('create_estimate', 'estimate')) AS a(name, object_type);
INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('add_line_item', 'money', 'statement', 'reversible', NULL, NULL, '_compile_add_line_item', '{
	"required": ["price"],
	"properties": {
		"title": {"type": "string", "description": "template"},
		"product": {"type": ["string", "number"], "description": "what is sold; template"},
		"quantity": {"type": ["string", "number"], "description": "1 by default; template"},
		"price": {"type": ["string", "number"], "description": "price of one; template"},
		"fields": {"type": "object", "description": "further columns; texts are templates"}}}',
	'Inserts a row that leads to the record into the attached table of object type line_item');

CREATE FUNCTION automation.create_invoice(
	purpose text DEFAULT NULL,
	percent numeric DEFAULT NULL,
	lines jsonb DEFAULT NULL,
	due text DEFAULT NULL,
	status text DEFAULT NULL,
	fields jsonb DEFAULT NULL)
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('create_invoice', jsonb_build_object(
	'purpose', purpose, 'percent', percent, 'lines', lines, 'due', due, 'status', status, 'fields', fields));
COMMENT ON FUNCTION automation.create_invoice(text, numeric, jsonb, text, text, jsonb)
	IS 'A step that makes an invoice of the record, once for each purpose: full, deposit (percent of the sum) or final (less deposits)';

CREATE FUNCTION automation.create_estimate(
	purpose text DEFAULT NULL,
	percent numeric DEFAULT NULL,
	lines jsonb DEFAULT NULL,
	due text DEFAULT NULL,
	status text DEFAULT NULL,
	fields jsonb DEFAULT NULL)
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('create_estimate', jsonb_build_object(
	'purpose', purpose, 'percent', percent, 'lines', lines, 'due', due, 'status', status, 'fields', fields));
COMMENT ON FUNCTION automation.create_estimate(text, numeric, jsonb, text, text, jsonb)
	IS 'A step that makes an estimate of the record, once for each purpose; as create_invoice()';

CREATE FUNCTION automation.add_line_item(
	title text DEFAULT NULL,
	price text DEFAULT NULL,
	quantity text DEFAULT NULL,
	product text DEFAULT NULL,
	fields jsonb DEFAULT NULL)
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('add_line_item', jsonb_build_object(
	'title', title, 'price', price, 'quantity', quantity, 'product', product, 'fields', fields));
COMMENT ON FUNCTION automation.add_line_item(text, text, text, text, jsonb)
	IS 'A step that inserts into the attached table of object type line_item; texts are templates';

CREATE FUNCTION automation._compile_add_line_item(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item CONSTANT automation._companion := automation._companion(scope, 'line_item');
BEGIN
	RETURN automation._insert_sql(scope, item.relation, automation._companion_fields(scope, item,
		automation._role_values(item.relation, automation._given(params, 'title', 'product', 'price'),
			jsonb_build_object('quantity', coalesce(params -> 'quantity', '1')))
		|| coalesce(params -> 'fields', '{}')));
END
$$;
COMMENT ON FUNCTION automation._compile_add_line_item(automation._scope, automation._site, jsonb) IS 'Statement for add_line_item';

-- Lines

CREATE FUNCTION automation._number_sql(scope automation._scope, subject text, value jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	number CONSTANT text := format('nullif((%s) #>> ''{}'', '''')::numeric', automation._value_sql(scope, value, 'json'));
BEGIN
	IF jsonb_typeof(value) NOT IN ('number', 'string') THEN
		PERFORM automation._fail('22023', format('%s must be a number or a template', subject));
	ELSIF automation._is_constant(value::text) THEN
		EXECUTE 'SELECT ' || number;
	END IF;
	RETURN number;
END
$$;
COMMENT ON FUNCTION automation._number_sql(automation._scope, text, jsonb) IS 'SQL for a number that is given as one, or as a template';

CREATE FUNCTION automation._source_value(scope automation._scope, source regclass, value jsonb, type text, missing text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
	WHEN value IS NULL AND automation._known_column(source, type) IS NULL THEN missing
	WHEN jsonb_typeof(value) = 'number' THEN value::text
	ELSE format('p.%I', (automation._column((scope).owner, source,
		coalesce(value #>> '{}', automation._known_column(source, type)), 'SELECT')).attname)
END;
COMMENT ON FUNCTION automation._source_value(automation._scope, regclass, jsonb, text, text)
	IS 'SQL for a part of a line from rows p: a column, by default that of its role, or a number';

CREATE FUNCTION automation._line_sql(scope automation._scope, action text, line jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	subject CONSTANT text := format('a line of action "%s"', action);
	source regclass;
	about text;
BEGIN
	IF NOT line ? 'from' THEN
		PERFORM automation._check_params(subject, '{"required": ["price"], "properties": {"title": {"type": "string"}, "quantity": {}, "price": {}}}', line);
		RETURN format('SELECT %s, %s, %s', automation._template_sql(scope, coalesce(line ->> 'title', ''), 'text'),
			automation._number_sql(scope, 'quantity of ' || subject, coalesce(line -> 'quantity', '1')),
			automation._number_sql(scope, 'price of ' || subject, line -> 'price'));
	END IF;
	PERFORM automation._check_params(subject, '{"properties": {"from": {"type": "string"}, "title": {"type": "string"},
		"quantity": {"type": ["string", "number"]}, "price": {"type": ["string", "number"]}, "where": {"type": "object"}}}', line);
	source := automation._target(scope, line ->> 'from');
	about := automation._about_column(source, scope.relation);
	IF about IS NULL THEN
		PERFORM automation._fail('55000', format('table "%s" has no column that leads to table "%s"', source, scope.relation));
	ELSIF NOT line ? 'price' AND automation._known_column(source, 'price') IS NULL THEN
		PERFORM automation._fail('22023', format('%s needs the parameter "price"', subject));
	END IF;
	RETURN format('SELECT (%s)::text, (%s)::numeric, (%s)::numeric FROM %s AS p WHERE p.%I = %s AND %s',
		automation._source_value(scope, source, line -> 'title', 'title', ''''''),
		automation._source_value(scope, source, line -> 'quantity', 'quantity', '1'),
		automation._source_value(scope, source, line -> 'price', 'price', NULL),
		source, (automation._column(scope.owner, source, about, 'SELECT')).attname, automation._key_of_record(scope),
		automation._filter_sql(scope, source, coalesce(line -> 'where', '{}')));
END
$$;
COMMENT ON FUNCTION automation._line_sql(automation._scope, text, jsonb) IS 'Query for title, quantity and price of a line, or of all lines from a table';

CREATE FUNCTION automation._lines_sql(scope automation._scope, action text, bill automation._companion, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	purpose CONSTANT text := coalesce(params ->> 'purpose', 'full');
	titled CONSTANT text := automation._known_column(scope.relation, 'title');
	lines CONSTANT jsonb := coalesce(params -> 'lines', jsonb_build_array(jsonb_build_object(
		'price', format('{{ %s }}', automation._path_text(ARRAY[automation._role_column(scope.relation, 'amount')])),
		'title', CASE WHEN titled IS NULL THEN '' ELSE format('{{ %s | default: "" }}', automation._path_text(ARRAY[titled])) END)));
	all_of_them text;
BEGIN
	IF lines = '[]' THEN
		PERFORM automation._fail('22023', format('parameter "lines" of action "%s" is empty', action));
	ELSIF (purpose = 'deposit') <> (params ? 'percent') THEN
		PERFORM automation._fail('22023', format('parameter "percent" of action "%s" goes with the purpose "deposit"', action));
	ELSIF (params ->> 'percent')::numeric NOT BETWEEN 0.01 AND 100 THEN
		PERFORM automation._fail('22023', format('parameter "percent" of action "%s" must be from 0.01 to 100', action));
	END IF;
	SELECT string_agg(automation._line_sql(scope, action, l.line), ' UNION ALL ' ORDER BY l.place) INTO all_of_them
	FROM jsonb_array_elements(lines) WITH ORDINALITY AS l(line, place);
	RETURN CASE purpose
		WHEN 'full' THEN all_of_them
		WHEN 'deposit' THEN format('SELECT %L, 1::numeric, round(sum(x.quantity * x.price) * %s / 100, 2) FROM (%s) AS x (title, quantity, price)',
			format('Deposit, %s %%', params ->> 'percent'), params ->> 'percent', all_of_them)
		ELSE format('%s UNION ALL SELECT ''Less deposit'', 1::numeric, -sum(p.%I) FROM %s HAVING sum(p.%2$I) <> 0', all_of_them,
			(automation._column(scope.owner, bill.relation, automation._role_column(bill.relation, 'amount'), 'SELECT')).attname,
			automation._its_rows_sql(scope, bill, automation._role_values(bill.relation, '{"purpose": "deposit"}')))
	END;
END
$$;
COMMENT ON FUNCTION automation._lines_sql(automation._scope, text, automation._companion, jsonb) IS 'Query for title, quantity and price of all lines of an invoice or estimate';

-- The whole

CREATE FUNCTION automation._bill_fields(scope automation._scope, bill automation._companion, params jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part text;
	target pg_attribute;
	customer CONSTANT text := automation._known_column(scope.relation, 'customer');
	fields jsonb := automation._companion_fields(scope, bill,
		automation._role_values(bill.relation, automation._given(params, 'status'), CASE WHEN customer IS NULL THEN '{}' ELSE
			jsonb_build_object('customer', format('{{ %s }}', automation._path_text(ARRAY[customer]))) END)
		|| automation._role_values(bill.relation, jsonb_build_object('purpose', coalesce(params ->> 'purpose', 'full'))));
BEGIN
	FOREACH part IN ARRAY '{amount,balance}'::text[] LOOP
		CONTINUE WHEN part = 'balance' AND automation._known_column(bill.relation, part) IS NULL;
		target := automation._column(scope.owner, bill.relation, automation._role_column(bill.relation, part), 'INSERT');
		fields := fields || jsonb_build_object(target.attname,
			format('(SELECT coalesce(sum(l.quantity * l.price), 0) FROM line AS l)::%s', automation._type_name(target)));
	END LOOP;
	IF params ? 'due' THEN
		target := automation._column(scope.owner, bill.relation, automation._role_column(bill.relation, 'due'), 'INSERT');
		fields := fields || jsonb_build_object(target.attname, automation._due_sql(scope, target, params ->> 'due'));
	END IF;
	RETURN fields || automation._fields_sql(scope, bill.relation, coalesce(params -> 'fields', '{}'));
END
$$;
COMMENT ON FUNCTION automation._bill_fields(automation._scope, automation._companion, jsonb) IS 'SQL for each column of a new invoice or estimate; its lines are called line';

CREATE FUNCTION automation._kept_lines_sql(scope automation._scope, bill regclass) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item CONSTANT regclass := automation._table_of('line_item', 'add_line_item');
	about CONSTANT text := automation._about_column(item, bill);
	key CONSTANT text[] := automation._key(bill);
	part text;
	target pg_attribute;
	columns text[];
	"values" text[];
BEGIN
	IF about IS NULL OR cardinality(key) > 1 THEN
		PERFORM automation._fail('55000', format('table "%s" has no column that leads to table "%s"', item, bill),
			hint => format('Give one the role "%s" in automation.attach(%L).', (automation._entity(bill)).object_type, item));
	END IF;
	columns := ARRAY[(automation._column(scope.owner, item, about, 'INSERT')).attname];
	"values" := ARRAY[format('m.%I', key[1])];
	PERFORM automation._check_writable(scope.owner, item);
	FOREACH part IN ARRAY '{title,quantity,price}'::text[] LOOP
		target := automation._column(scope.owner, item, automation._role_column(item, part), 'INSERT');
		columns := columns || target.attname::text;
		"values" := "values" || format('l.%s::%s', part, automation._type_name(target));
	END LOOP;
	RETURN format('INSERT INTO %s (%s) SELECT %s FROM made AS m, line AS l RETURNING 1', item,
		(SELECT string_agg(quote_ident(c), ', ') FROM unnest(columns) AS c), automation._list("values"));
END
$$;
COMMENT ON FUNCTION automation._kept_lines_sql(automation._scope, regclass) IS 'Statement that inserts the lines called line for the row called made';

CREATE FUNCTION automation._compile_bill(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	bill CONSTANT automation._companion := automation._companion(scope, substr(site.action, length('create_') + 1));
	amount CONSTANT text := automation._role_column(bill.relation, 'amount');
	of_the_purpose CONSTANT jsonb := automation._role_values(bill.relation, jsonb_build_object('purpose', coalesce(params ->> 'purpose', 'full')));
	made CONSTANT text := automation._insert_sql(scope, bill.relation, automation._bill_fields(scope, bill, params),
		format('WHERE NOT EXISTS (SELECT FROM %s)', automation._its_rows_sql(scope, bill, of_the_purpose)));
BEGIN
	RETURN format('WITH line (title, quantity, price) AS MATERIALIZED (SELECT l.* FROM %s, LATERAL (%s) AS l (title, quantity, price)), made AS (%s, t.%I AS amount, %s)%s '
		'SELECT m.key || pg_catalog.jsonb_build_object(''amount''::text, m.amount) FROM made AS m',
		automation._images_sql(scope.row_relation), automation._lines_sql(scope, site.action, bill, params),
		made || ' AS key', amount, (SELECT string_agg(format('t.%I', k), ', ') FROM unnest(automation._key(bill.relation)) AS k),
		CASE WHEN params ? 'lines' THEN format(', kept AS (%s)', automation._kept_lines_sql(scope, bill.relation)) ELSE '' END);
END
$$;
COMMENT ON FUNCTION automation._compile_bill(automation._scope, automation._site, jsonb) IS 'Statement for create_invoice and create_estimate: its lines, then itself, then what is kept of the lines';
