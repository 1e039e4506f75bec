-- What is usual in a CRM: tags, stages, priorities, notes, flags, checklists, events. Rows go into the
-- attached table of their object type, into the columns of their roles.

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('add_tag', 'data', 'statement', 'reversible', NULL, NULL, '_compile_tag', '{
	"required": ["tag"],
	"properties": {"tag": {"type": ["string", "array"], "description": "a tag, or an array of them; templates"}}}',
	'Adds tags that the record does not have yet; needs the role tags'),
('remove_tag', 'data', 'statement', 'reversible', NULL, NULL, '_compile_tag', '{
	"required": ["tag"],
	"properties": {"tag": {"type": ["string", "array"], "description": "a tag, or an array of them; templates"}}}',
	'Takes tags from the record; needs the role tags'),
('set_stage', 'data', 'statement', 'reversible', NULL, NULL, '_compile_set_stage', '{
	"required": ["stage"],
	"properties": {
		"stage": {"type": "string", "description": "the status or stage to set; a template"},
		"only_forward": {"type": "boolean", "description": "not from the same or a later stage, nor from one that is not in the order"},
		"order": {"type": "array", "description": "all stages in their order; that of the labels when the column is an enum"}}}',
	'Sets the status or stage of the record'),
('set_priority', 'work', 'statement', 'reversible', NULL, NULL, '_compile_set_priority', '{
	"properties": {
		"value": {"type": ["string", "number"], "description": "template"},
		"expression": {"type": "string", "description": "SQL over new and old"}}}',
	'Sets the priority of the record; needs the role priority'),
('add_note', 'work', 'statement', 'reversible', NULL, NULL, '_compile_add_note', '{
	"required": ["body"],
	"properties": {
		"body": {"type": "string", "description": "template"},
		"author": {"type": "string", "description": "template"},
		"visibility": {"type": "string", "description": "who may read it; template"},
		"fields": {"type": "object", "description": "further columns of the note"}}}',
	'Inserts a row that leads to the record into the attached table of object type note'),
('raise_flag', 'work', 'statement', 'reversible', NULL, NULL, '_compile_raise_flag', '{
	"required": ["kind"],
	"properties": {
		"kind": {"type": "string", "description": "what is wrong, in a word"},
		"severity": {"type": "string", "description": "template"},
		"body": {"type": "string", "description": "what is wrong, for a reader; template"},
		"suggestion": {"type": ["object", "array", "string"], "description": "how it could be mended; texts are templates"},
		"status": {"type": "string", "description": "status of a flag that is up, Open by default"},
		"fields": {"type": "object", "description": "further columns of the flag"}}}',
	'Inserts a row that leads to the record into the attached table of object type flag, unless one of the kind is up'),
('clear_flag', 'work', 'statement', 'reversible', NULL, NULL, '_compile_clear_flag', '{
	"required": ["kind"],
	"properties": {
		"kind": {"type": "string", "description": "what was wrong, in a word"},
		"open": {"type": "string", "description": "status of a flag that is up, Open by default"},
		"status": {"type": "string", "description": "status it gets, Cleared by default"}}}',
	'Clears the flags of a kind that are up for the record'),
('attach_checklist', 'work', 'statement', 'reversible', NULL, NULL, '_compile_attach_checklist', '{
	"required": ["name", "items"],
	"properties": {
		"name": {"type": "string", "description": "which checklist; the record gets each once"},
		"items": {"type": "array", "description": "what is to be done, one text each; templates"},
		"status": {"type": "string", "description": "status of an item that is to be done, Open by default"}}}',
	'Inserts an item each into the attached table of object type checklist_item'),
('require_evidence', 'work', 'statement', 'reversible', NULL, NULL, '_compile_require_evidence', '{
	"required": ["kind"],
	"properties": {
		"kind": {"type": "string", "description": "photo, reading, signature, ..."},
		"count": {"type": "number", "description": "how many, 1 by default"},
		"title": {"type": "string", "description": "what to show; template, its kind by default"},
		"status": {"type": "string", "description": "status of an item that is to be done, Open by default"}}}',
	'Inserts checklist items for evidence that is needed, until there are so many of the kind'),
('emit_event', 'data', 'statement', 'final', NULL, NULL, '_compile_emit_event', '{
	"required": ["kind"],
	"properties": {
		"kind": {"type": "string", "description": "what happened: rules with the trigger external.event wait for it"},
		"payload": {"type": ["object", "array", "string"], "description": "texts are templates"},
		"dedupe_key": {"type": "string", "description": "an event that has been recorded under this key is not recorded again; template"}}}',
	'Inserts an event into the attached table of object type external');

CREATE FUNCTION automation.add_tag(VARIADIC tags text[]) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('add_tag', jsonb_build_object('tag', tags));
COMMENT ON FUNCTION automation.add_tag(text[]) IS 'A step that adds tags to the record; they are templates';

CREATE FUNCTION automation.remove_tag(VARIADIC tags text[]) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('remove_tag', jsonb_build_object('tag', tags));
COMMENT ON FUNCTION automation.remove_tag(text[]) IS 'A step that takes tags from the record; they are templates';

CREATE FUNCTION automation.set_stage(stage text, only_forward boolean DEFAULT NULL, "order" text[] DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('set_stage', jsonb_build_object('stage', stage, 'only_forward', only_forward, 'order', "order"));
COMMENT ON FUNCTION automation.set_stage(text, boolean, text[]) IS 'A step that sets the status or stage of the record; only_forward: never back, by the order of an enum or the one given';

CREATE FUNCTION automation.set_priority(value text DEFAULT NULL, expression text DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('set_priority', jsonb_build_object('value', value, 'expression', expression));
COMMENT ON FUNCTION automation.set_priority(text, text) IS 'A step that sets the priority of the record to a template or to an SQL expression over new and old';

CREATE FUNCTION automation.add_note(body text, author text DEFAULT NULL, visibility text DEFAULT NULL, fields jsonb DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('add_note', jsonb_build_object('body', body, 'author', author, 'visibility', visibility, 'fields', fields));
COMMENT ON FUNCTION automation.add_note(text, text, text, jsonb) IS 'A step that inserts into the attached table of object type note; body, author and visibility are templates';

CREATE FUNCTION automation.raise_flag(
	kind text,
	severity text DEFAULT NULL,
	body text DEFAULT NULL,
	suggestion jsonb DEFAULT NULL,
	options jsonb DEFAULT '{}')
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('raise_flag',
	jsonb_build_object('kind', kind, 'severity', severity, 'body', body, 'suggestion', suggestion) || options);
COMMENT ON FUNCTION automation.raise_flag(text, text, text, jsonb, jsonb) IS 'A step that raises a flag on the record, once as long as it is up; options: status, fields';

CREATE FUNCTION automation.clear_flag(kind text, options jsonb DEFAULT '{}') RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('clear_flag', jsonb_build_object('kind', kind) || options);
COMMENT ON FUNCTION automation.clear_flag(text, jsonb) IS 'A step that clears the flags of a kind that are up for the record; options: open, status';

CREATE FUNCTION automation.attach_checklist(name text, items text[], status text DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('attach_checklist', jsonb_build_object('name', name, 'items', items, 'status', status));
COMMENT ON FUNCTION automation.attach_checklist(text, text[], text) IS 'A step that gives the record a checklist, once; items are templates';

CREATE FUNCTION automation.require_evidence(kind text, count integer DEFAULT NULL, title text DEFAULT NULL, status text DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('require_evidence', jsonb_build_object('kind', kind, 'count', count, 'title', title, 'status', status));
COMMENT ON FUNCTION automation.require_evidence(text, integer, text, text) IS 'A step that asks for so many photos, readings or the like, as checklist items';

CREATE FUNCTION automation.emit_event(kind text, payload jsonb DEFAULT NULL, dedupe_key text DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('emit_event', jsonb_build_object('kind', kind, 'payload', payload, 'dedupe_key', dedupe_key));
COMMENT ON FUNCTION automation.emit_event(text, jsonb, text) IS 'A step that inserts into the attached table of object type external; texts in payload are templates';

-- The record

CREATE FUNCTION automation._role_of_record(scope automation._scope, action text, role text) RETURNS pg_catalog.pg_attribute
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_has_roles(automation._entity(scope.relation), format('action "%s"', action), ARRAY[role]);
	RETURN automation._column(scope.owner, scope.relation, automation._roles(scope.relation) ->> role, 'UPDATE');
END
$$;
COMMENT ON FUNCTION automation._role_of_record(automation._scope, text, text) IS 'The column of the record that has a role, for an action that sets it';

CREATE FUNCTION automation._compile_tag(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target CONSTANT pg_attribute := automation._role_of_record(scope, site.action, 'tags');
	is_json CONSTANT boolean := automation._base_type(target.atttypid) = 'jsonb'::regtype;
	tags CONSTANT jsonb := CASE jsonb_typeof(params -> 'tag') WHEN 'array' THEN params -> 'tag' ELSE jsonb_build_array(params -> 'tag') END;
BEGIN
	IF NOT is_json AND NOT EXISTS (SELECT FROM pg_type AS t WHERE t.oid = automation._base_type(target.atttypid) AND t.typcategory = 'A') THEN
		PERFORM automation._fail('42804', format('column "%s" of table "%s" cannot hold tags', target.attname, scope.relation),
			format('It is of type %s.', automation._type_name(target)), 'Tags are an array or jsonb.');
	ELSIF tags = '[]' THEN
		PERFORM automation._fail('22023', format('parameter "tag" of action "%s" is empty', site.action));
	END IF;
	RETURN automation._update_sql(scope, target, 'SELECT ' || automation._typed_sql(scope, target, tags), format(CASE
		WHEN is_json AND site.action = 'add_tag' THEN
			'coalesce(t.%1$I, ''[]'') || (SELECT coalesce(jsonb_agg(e ORDER BY n), ''[]'') FROM jsonb_array_elements(v.value) WITH ORDINALITY AS x (e, n) WHERE NOT coalesce(t.%1$I @> e, false))'
		WHEN is_json THEN
			'(SELECT coalesce(jsonb_agg(e ORDER BY n), ''[]'') FROM jsonb_array_elements(t.%1$I) WITH ORDINALITY AS x (e, n) WHERE NOT v.value @> e)'
		WHEN site.action = 'add_tag' THEN
			'coalesce(t.%1$I, ''{}'') || ARRAY(SELECT e FROM unnest(v.value) WITH ORDINALITY AS x (e, n) WHERE (e = ANY (t.%1$I)) IS NOT TRUE ORDER BY n)'
		ELSE 'ARRAY(SELECT e FROM unnest(t.%1$I) WITH ORDINALITY AS x (e, n) WHERE (e = ANY (v.value)) IS NOT TRUE ORDER BY n)'
	END, target.attname));
END
$$;
COMMENT ON FUNCTION automation._compile_tag(automation._scope, automation._site, jsonb) IS 'Statement for add_tag and remove_tag';

CREATE FUNCTION automation._compile_set_stage(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target CONSTANT pg_attribute := automation._role_of_record(scope, site.action, 'status');
	stages CONSTANT text[] := ARRAY(SELECT jsonb_array_elements_text(
		coalesce(params -> 'order', automation._labels(scope.relation, 'status'), '[]')));
	condition text := 'true';
BEGIN
	IF (params -> 'only_forward')::boolean THEN
		IF stages = '{}' THEN
			PERFORM automation._fail('22023', 'action "set_stage" needs the parameter "order" to go only forward',
				hint => format('Column "%s" is no enum, whose labels have an order.', target.attname));
		ELSIF automation._is_constant(params ->> 'stage') AND params ->> 'stage' <> ALL (stages) THEN
			PERFORM automation._fail('22023', format('stage "%s" is not in the order of stages', params ->> 'stage'),
				hint => automation._perhaps(params ->> 'stage', stages));
		END IF;
		condition := format('array_position(%1$L::text[], t.%2$I::text) < array_position(%1$L::text[], v.value::text)', stages, target.attname);
	END IF;
	RETURN automation._update_sql(scope, target,
		'SELECT ' || automation._typed_sql(scope, target, params -> 'stage'), condition => condition);
END
$$;
COMMENT ON FUNCTION automation._compile_set_stage(automation._scope, automation._site, jsonb) IS 'Statement for set_stage';

CREATE FUNCTION automation._compile_set_priority(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target CONSTANT pg_attribute := automation._role_of_record(scope, site.action, 'priority');
BEGIN
	RETURN automation._set_column_sql(scope, site.action, target, params);
END
$$;
COMMENT ON FUNCTION automation._compile_set_priority(automation._scope, automation._site, jsonb) IS 'Statement for set_priority';

-- Rows that lead to the record

CREATE FUNCTION automation._key_of_record(scope automation._scope) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	key CONSTANT text[] := ARRAY(SELECT k.value FROM jsonb_each_text(automation._subject_key(scope)) AS k);
BEGIN
	IF cardinality(key) > 1 THEN
		PERFORM automation._fail('0A000', format('no one column can lead to a row of table "%s"', scope.relation),
			format('Its key is (%s).', automation._list(automation._key(scope.relation))));
	END IF;
	RETURN key[1];
END
$$;
COMMENT ON FUNCTION automation._key_of_record(automation._scope) IS 'SQL for the key of the record, which has one column';

CREATE TYPE automation._companion AS (relation regclass, about text, key text);
COMMENT ON TYPE automation._companion IS 'A table whose rows lead to the record, the column that does, and SQL for its value';

CREATE FUNCTION automation._companion(scope automation._scope, object_type text) RETURNS automation._companion
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation regclass;
	about text;
BEGIN
	relation := automation._table_of(object_type, 'create_record');
	PERFORM automation._check_writable(scope.owner, relation);
	about := automation._about_column(relation, scope.relation);
	IF about IS NULL THEN
		PERFORM automation._fail('55000', format('table "%s" has no column that leads to table "%s"', relation, scope.relation),
			hint => format('Give one the role "%s" or "about" in automation.attach(%L).', (automation._entity(scope.relation)).object_type, relation));
	END IF;
	RETURN ROW(relation, (automation._column(scope.owner, relation, about, 'SELECT')).attname::text, automation._key_of_record(scope));
END
$$;
COMMENT ON FUNCTION automation._companion(automation._scope, text) IS 'The table for rows of an object type, which have to lead to the record';

CREATE FUNCTION automation._role_values(relation regclass, needed jsonb, wanted jsonb DEFAULT '{}') RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT coalesce(jsonb_object_agg(r.column_name, r.value) FILTER (WHERE r.column_name IS NOT NULL AND r.value <> 'null'), '{}')
	FROM (
		SELECT automation._role_column(relation, n.key), n.value FROM jsonb_each(needed) AS n
		UNION ALL
		SELECT automation._known_column(relation, w.key), w.value FROM jsonb_each(wanted) AS w
	) AS r(column_name, value)
);
COMMENT ON FUNCTION automation._role_values(regclass, jsonb, jsonb) IS 'Columns of roles and what they get; those that are only wanted are left out when there is no column';

CREATE FUNCTION automation._given(params jsonb, VARIADIC names text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (SELECT coalesce(jsonb_object_agg(p.key, p.value), '{}') FROM jsonb_each(params) AS p WHERE p.key = ANY (names));
COMMENT ON FUNCTION automation._given(jsonb, text[]) IS 'Those of the parameters that are given';

CREATE FUNCTION automation._companion_fields(scope automation._scope, companion automation._companion, fields jsonb) RETURNS jsonb
LANGUAGE sql STABLE
RETURN jsonb_build_object(
		(automation._column((scope).owner, (companion).relation, (companion).about, 'INSERT')).attname, (companion).key)
	|| automation._fields_sql(scope, (companion).relation, fields);
COMMENT ON FUNCTION automation._companion_fields(automation._scope, automation._companion, jsonb) IS 'SQL for each column of a row that leads to the record';

CREATE FUNCTION automation._its_rows_sql(scope automation._scope, companion automation._companion, fields jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN format('%s AS p WHERE p.%I = %s AND %s', (companion).relation, (companion).about, (companion).key,
	automation._filter_sql(scope, (companion).relation, fields));
COMMENT ON FUNCTION automation._its_rows_sql(automation._scope, automation._companion, jsonb) IS 'What stands behind FROM for rows p that lead to the record and have these values';

CREATE FUNCTION automation._compile_add_note(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	note CONSTANT automation._companion := automation._companion(scope, 'note');
BEGIN
	RETURN automation._insert_sql(scope, note.relation, automation._companion_fields(scope, note,
		automation._role_values(note.relation, automation._given(params, 'body', 'author', 'visibility'))
		|| coalesce(params -> 'fields', '{}')));
END
$$;
COMMENT ON FUNCTION automation._compile_add_note(automation._scope, automation._site, jsonb) IS 'Statement for add_note';

CREATE FUNCTION automation._compile_raise_flag(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	flag CONSTANT automation._companion := automation._companion(scope, 'flag');
	is_up CONSTANT jsonb := automation._role_values(flag.relation,
		jsonb_build_object('kind', params -> 'kind', 'status', coalesce(params ->> 'status', 'Open')));
BEGIN
	RETURN automation._insert_sql(scope, flag.relation, automation._companion_fields(scope, flag,
			is_up || automation._role_values(flag.relation, automation._given(params, 'severity', 'body', 'suggestion'))
			|| coalesce(params -> 'fields', '{}')),
		format('WHERE NOT EXISTS (SELECT FROM %s)', automation._its_rows_sql(scope, flag, is_up)));
END
$$;
COMMENT ON FUNCTION automation._compile_raise_flag(automation._scope, automation._site, jsonb) IS 'Statement for raise_flag';

CREATE FUNCTION automation._compile_clear_flag(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	flag CONSTANT automation._companion := automation._companion(scope, 'flag');
	status CONSTANT pg_attribute := automation._column(scope.owner, flag.relation, automation._role_column(flag.relation, 'status'), 'UPDATE');
	is_up CONSTANT jsonb := automation._role_values(flag.relation,
		jsonb_build_object('kind', params -> 'kind', 'status', coalesce(params ->> 'open', 'Open')));
BEGIN
	RETURN format('UPDATE %s AS t SET %I = v.value FROM %s, LATERAL (SELECT %s) AS v (value) WHERE %s RETURNING %s',
		flag.relation, status.attname, automation._images_sql(scope.row_relation),
		automation._typed_sql(scope, status, to_jsonb(coalesce(params ->> 'status', 'Cleared'))),
		-- What _its_rows_sql() calls p is what is updated.
		format('EXISTS (SELECT FROM %s AND p.ctid = t.ctid AND p.tableoid = t.tableoid)', automation._its_rows_sql(scope, flag, is_up)),
		automation._call_sql('jsonb_build_object', ARRAY(
			SELECT format('%L::text, t.%I', k, k) FROM unnest(automation._primary_key(flag.relation)) AS k)));
END
$$;
COMMENT ON FUNCTION automation._compile_clear_flag(automation._scope, automation._site, jsonb) IS 'Statement for clear_flag';

-- Checklists

CREATE FUNCTION automation._checklist_sql(scope automation._scope, item automation._companion, kind jsonb, status jsonb, source text, unless text)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fields jsonb := automation._companion_fields(scope, item, automation._role_values(item.relation,
		jsonb_build_object('kind', kind), jsonb_build_object('status', coalesce(status, '"Open"'))));
	part text;
	target pg_attribute;
BEGIN
	FOREACH part IN ARRAY '{title,position}'::text[] LOOP
		CONTINUE WHEN part = 'position' AND automation._known_column(item.relation, part) IS NULL;
		target := automation._column(scope.owner, item.relation, automation._role_column(item.relation, part), 'INSERT');
		fields := fields || jsonb_build_object(target.attname, format('i.%s::%s', part, automation._type_name(target)));
	END LOOP;
	RETURN automation._insert_sql(scope, item.relation, fields, format(', LATERAL (%s) AS i (title, position) WHERE %s', source, unless), false);
END
$$;
COMMENT ON FUNCTION automation._checklist_sql(automation._scope, automation._companion, jsonb, jsonb, text, text)
	IS 'Statement that inserts a checklist item for each row of a query for title and position';

CREATE FUNCTION automation._compile_attach_checklist(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item CONSTANT automation._companion := automation._companion(scope, 'checklist_item');
BEGIN
	IF params -> 'items' = '[]' OR jsonb_path_exists(params -> 'items', '$[*] ? (@.type() != "string")') THEN
		PERFORM automation._fail('22023', 'parameter "items" of action "attach_checklist" must be an array of texts');
	END IF;
	RETURN automation._checklist_sql(scope, item, params -> 'name', params -> 'status',
		format('SELECT e.value, e.place FROM pg_catalog.jsonb_array_elements_text(%s) WITH ORDINALITY AS e (value, place)',
			automation._value_sql(scope, params -> 'items', 'json')),
		format('NOT EXISTS (SELECT FROM %s)', automation._its_rows_sql(scope, item,
			automation._role_values(item.relation, jsonb_build_object('kind', params -> 'name')))));
END
$$;
COMMENT ON FUNCTION automation._compile_attach_checklist(automation._scope, automation._site, jsonb) IS 'Statement for attach_checklist';

CREATE FUNCTION automation._compile_require_evidence(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item CONSTANT automation._companion := automation._companion(scope, 'checklist_item');
	most CONSTANT numeric := coalesce((params ->> 'count')::numeric, 1);
BEGIN
	IF most NOT BETWEEN 1 AND 100 OR most <> trunc(most) THEN
		PERFORM automation._fail('22023', 'parameter "count" of action "require_evidence" must be a whole number from 1 to 100');
	END IF;
	RETURN automation._checklist_sql(scope, item, params -> 'kind', params -> 'status',
		format('SELECT %s, n FROM pg_catalog.generate_series(1 + (SELECT count(*) FROM %s), %s) AS n',
			automation._template_sql(scope, coalesce(params ->> 'title', params ->> 'kind'), 'text'),
			automation._its_rows_sql(scope, item, automation._role_values(item.relation, jsonb_build_object('kind', params -> 'kind'))), most),
		'true');
END
$$;
COMMENT ON FUNCTION automation._compile_require_evidence(automation._scope, automation._site, jsonb) IS 'Statement for require_evidence';

-- Events

CREATE FUNCTION automation._check_dedupe_key(event regclass, dedupe_key text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF dedupe_key IS NOT NULL AND NOT automation._is_unique(event, ARRAY[automation._role_column(event, 'external_id')]) THEN
		PERFORM automation._fail('55000', format('column "%s" of table "%s" is not unique', automation._role_column(event, 'external_id'), event),
			'By it an event that comes twice is known.', 'Create a unique index on it.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_dedupe_key(regclass, text) IS 'Raises an error when an event that comes twice would not be known by its key';

CREATE FUNCTION automation._compile_emit_event(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	event CONSTANT regclass := automation._table_of('external', 'create_record');
	needed CONSTANT jsonb := automation._given(params, 'kind', 'payload')
		|| CASE WHEN params ? 'dedupe_key' THEN jsonb_build_object('external_id', params -> 'dedupe_key') ELSE '{}' END;
BEGIN
	PERFORM automation._check_writable(scope.owner, event);
	PERFORM automation._check_dedupe_key(event, params ->> 'dedupe_key');
	RETURN automation._insert_sql(scope, event, automation._fields_sql(scope, event, automation._role_values(event, needed)),
		CASE WHEN params ? 'dedupe_key' THEN 'ON CONFLICT DO NOTHING' ELSE '' END);
END
$$;
COMMENT ON FUNCTION automation._compile_emit_event(automation._scope, automation._site, jsonb) IS 'Statement for emit_event';
