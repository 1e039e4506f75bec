-- What rules share as code: folders, filters, templates and action templates in the documents of code.sql.

CREATE FUNCTION automation._sections() RETURNS text[]
LANGUAGE sql IMMUTABLE
-- Later ones may name what is in earlier ones.
RETURN '{filters,templates,action_templates}'::text[];
COMMENT ON FUNCTION automation._sections() IS 'Parts of a document with components, in the order in which they are made';

CREATE FUNCTION automation._shared_schema() RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN '{
	"folders": {"type": "array", "items": {
		"type": "object",
		"required": ["path"],
		"additionalProperties": false,
		"properties": {
			"path": {"type": "string", "description": "names with slashes between them"},
			"description": {"type": ["string", "null"]}}}},
	"filters": {"type": "array", "items": {
		"type": "object",
		"required": ["name", "relation", "condition"],
		"additionalProperties": false,
		"properties": {
			"name": {"type": "string"},
			"folder": {"type": "string", "default": "Default"},
			"description": {"type": ["string", "null"]},
			"relation": {"type": "string", "description": "table with its schema"},
			"condition": {"type": ["string", "object"], "description": "SQL over new, or a JSON tree"}}}},
	"templates": {"type": "array", "items": {
		"type": "object",
		"required": ["name"],
		"additionalProperties": false,
		"properties": {
			"name": {"type": "string"},
			"folder": {"type": "string", "default": "Default"},
			"description": {"type": ["string", "null"]},
			"relation": {"type": ["string", "null"], "description": "table with its schema"},
			"subject": {"type": ["string", "null"]},
			"body": {"type": ["string", "null"]},
			"html": {"type": ["string", "null"]}}}},
	"action_templates": {"type": "array", "items": {
		"type": "object",
		"required": ["name", "step"],
		"additionalProperties": false,
		"properties": {
			"name": {"type": "string"},
			"folder": {"type": "string", "default": "Default"},
			"description": {"type": ["string", "null"]},
			"step": {"type": "object", "description": "as a step of a rule, with ${x} for the parameter x"},
			"params": {"type": "object", "default": {}, "description": "a default for each, or {type, description}"}}}}}'::jsonb;
COMMENT ON FUNCTION automation._shared_schema() IS 'What the schema of documents says of what rules share';

-- To a document

CREATE FUNCTION automation._component_document(component automation.component) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp -- tables are written with their schema
AS $$
BEGIN
	RETURN automation._says(component.kind, component.name) || jsonb_strip_nulls(jsonb_build_object('name', component.name,
		'folder', component.folder, 'description', component.description, 'relation', component.relation::text));
END
$$;
COMMENT ON FUNCTION automation._component_document(automation.component) IS 'What a component says, and nothing about how it came to that';

CREATE FUNCTION automation._folder_document(folder automation.folder) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_strip_nulls(jsonb_build_object('path', folder.path, 'description', folder.description));
COMMENT ON FUNCTION automation._folder_document(automation.folder) IS 'What a folder is, in a document';

CREATE FUNCTION automation._is_used_in(component automation.component, folder text) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (
		SELECT FROM (
			SELECT w.folder FROM automation._rules_with((_is_used_in.component).kind, (_is_used_in.component).name) AS w
			UNION ALL
			SELECT d.folder FROM automation._drafts_with((_is_used_in.component).kind, (_is_used_in.component).name) AS d
		) AS r
		WHERE automation._is_within(r.folder, _is_used_in.folder));
END;
COMMENT ON FUNCTION automation._is_used_in(automation.component, text) IS 'Whether a rule in the folder has the component, or its draft';

CREATE FUNCTION automation._export_shared(folder text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(jsonb_object_agg(s.section, s.items), '{}')
	FROM (
		SELECT c.kind || 's', jsonb_agg(automation._component_document(c) ORDER BY c.name COLLATE "C")
		FROM automation.component AS c
		WHERE _export_shared.folder IS NULL OR automation._is_used_in(c, _export_shared.folder)
		GROUP BY c.kind
		UNION ALL
		SELECT 'folders', jsonb_agg(automation._folder_document(f) ORDER BY f.path COLLATE "C")
		FROM automation.folder AS f
		WHERE _export_shared.folder IS NULL OR automation._is_within(f.path, _export_shared.folder)
		HAVING count(*) > 0
	) AS s(section, items);
END;
COMMENT ON FUNCTION automation._export_shared(text) IS 'What rules share as parts of a document: all of it, or what rules in a folder have';

-- From a document

CREATE FUNCTION automation._is_said_of(item jsonb, present jsonb, caller regrole, owner regrole) RETURNS boolean
LANGUAGE sql STABLE
RETURN item = present OR item = present - 'description' AND NOT pg_has_role(caller, owner, 'USAGE');
COMMENT ON FUNCTION automation._is_said_of(jsonb, jsonb, regrole, regrole) IS 'Whether a document says what there is; of what is somebody else''s it need not say what it is for';

CREATE FUNCTION automation._full_component(kind text, item jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	full_item jsonb := '{"folder": "Default"}' || jsonb_strip_nulls(item);
BEGIN
	IF item ->> 'relation' IS NOT NULL THEN
		full_item := jsonb_set(full_item, '{relation}', to_jsonb((item ->> 'relation')::regclass::text));
	END IF;
	CASE kind
	WHEN 'filter' THEN
		RETURN jsonb_set(full_item, '{condition}', to_jsonb(btrim(item ->> 'condition')));
	WHEN 'action_template' THEN
		RETURN full_item || jsonb_build_object('params', coalesce(item -> 'params', '{}'), 'step',
			automation._document_steps(jsonb_build_object('name', item ->> 'name', 'steps', jsonb_build_array(item -> 'step'))) -> 0);
	ELSE
		RETURN full_item;
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._full_component(text, jsonb) IS 'A component of a document in the form of export_rules()';

CREATE FUNCTION automation._apply_component(caller regrole, kind text, item jsonb) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	says CONSTANT jsonb := item - '{name,folder,description,relation}'::text[];
	present automation.component;
BEGIN
	SELECT c.* INTO present FROM automation.component AS c WHERE c.kind = _apply_component.kind AND c.name = item ->> 'name';
	IF NOT FOUND THEN
		PERFORM automation._create_component(caller, kind, item ->> 'name', (item ->> 'relation')::regclass,
			item ->> 'folder', item ->> 'description', says);
		RETURN 'create';
	ELSIF automation._is_said_of(item, automation._component_document(present), caller, present.owner) THEN
		RETURN 'keep';
	ELSIF present.relation IS DISTINCT FROM (item ->> 'relation')::regclass THEN
		PERFORM automation._fail('42809', format('%s "%s" is on %s', automation._kind_name(kind), present.name,
			coalesce(format('table "%s"', present.relation), 'no table')), hint => 'Drop it, or give the other one another name.');
	END IF;
	present := automation._own_component(caller, kind, present.name);
	PERFORM automation._alter_component(caller, present, item ->> 'folder', NULL, says, 'apply_rules()');
	UPDATE automation.component AS c SET description = item ->> 'description' WHERE c.id = present.id;
	RETURN 'alter';
END
$$;
COMMENT ON FUNCTION automation._apply_component(regrole, text, jsonb) IS 'Makes a component what a document says of it, and tells what there was to do';

CREATE FUNCTION automation._apply_shared(caller regrole, document jsonb) RETURNS TABLE (action text, rule text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	section text;
	kind text;
	item jsonb;
	waiting jsonb[];
	later jsonb[];
BEGIN
	FOR item IN SELECT f FROM jsonb_array_elements(document -> 'folders') AS f LOOP
		PERFORM automation._folder(caller, item ->> 'path');
		IF EXISTS (SELECT FROM automation.folder AS f WHERE f.path = item ->> 'path'
			AND NOT automation._is_said_of(jsonb_strip_nulls(item), automation._folder_document(f), caller, f.created_by))
		THEN
			PERFORM automation._own_folder(caller, item ->> 'path');
			UPDATE automation.folder AS f SET description = item ->> 'description' WHERE f.path = item ->> 'path';
		END IF;
	END LOOP;
	FOREACH section IN ARRAY automation._sections() LOOP
		kind := rtrim(section, 's');
		waiting := ARRAY(SELECT automation._full_component(kind, c.item) FROM jsonb_array_elements(document -> section) WITH ORDINALITY AS c(item, place) ORDER BY c.place);
		WHILE cardinality(waiting) > 0 LOOP
			-- Filters that others name come first; what waits in vain is tried in the end, and fails.
			later := ARRAY(SELECT w FROM unnest(waiting) AS w
				WHERE kind = 'filter' AND EXISTS (SELECT automation._filters_in(w ->> 'condition') EXCEPT SELECT c.name FROM automation.component AS c WHERE c.kind = 'filter'));
			FOREACH item IN ARRAY waiting LOOP
				CONTINUE WHEN item = ANY (later) AND cardinality(later) < cardinality(waiting);
				action := automation._apply_component(caller, kind, item);
				detail := format('%s "%s"', automation._kind_name(kind), item ->> 'name');
				RETURN NEXT;
			END LOOP;
			waiting := CASE WHEN cardinality(later) < cardinality(waiting) THEN later ELSE '{}' END;
		END LOOP;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._apply_shared(regrole, jsonb) IS 'Makes what rules share what a document says, and tells what there was to do';

CREATE FUNCTION automation._prune_shared(caller regrole, document jsonb) RETURNS TABLE (action text, rule text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	doomed record;
BEGIN
	action := 'drop';
	-- Of a part that the document does not have at all it says nothing. What rules of others have stays.
	LOOP
		SELECT c.kind, c.name INTO doomed
		FROM automation.component AS c
		WHERE pg_has_role(caller, c.owner, 'USAGE') AND document ? (c.kind || 's')
			AND NOT document -> (c.kind || 's') @> jsonb_build_array(jsonb_build_object('name', c.name))
			AND automation._rule_names_with(c.kind, c.name) = '{}'
			AND NOT EXISTS (SELECT FROM automation._drafts_with(c.kind, c.name))
			AND (automation._components_with(c.kind, c.name)).users = '{}'
		ORDER BY array_position(automation._sections(), c.kind || 's') DESC, c.name
		LIMIT 1;
		EXIT WHEN NOT FOUND;
		PERFORM automation._drop_component(caller, doomed.kind, doomed.name, false);
		detail := format('%s "%s"', automation._kind_name(doomed.kind), doomed.name);
		RETURN NEXT;
	END LOOP;
	DELETE FROM automation.folder AS f
	WHERE document ? 'folders' AND pg_has_role(caller, f.created_by, 'USAGE')
		AND NOT EXISTS (SELECT FROM jsonb_array_elements(document -> 'folders') AS d WHERE automation._is_within(d ->> 'path', f.path))
		AND NOT EXISTS (SELECT FROM automation.rule AS r WHERE automation._is_within(r.folder, f.path))
		AND NOT EXISTS (SELECT FROM automation.component AS c WHERE automation._is_within(c.folder, f.path));
END
$$;
COMMENT ON FUNCTION automation._prune_shared(regrole, jsonb) IS 'Drops what a document has not and nothing uses, and tells what that was';
