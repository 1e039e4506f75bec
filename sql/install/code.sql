-- Rules as code: a document that says what rules there are, and what they share (code_shared.sql), and what makes it so.

CREATE FUNCTION automation.rule_schema() RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN automation._with_draft_schema('{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"title": "Rules of pg_automation, as export_rules() writes them and apply_rules() reads them",
	"type": "object",
	"required": ["format", "rules"],
	"additionalProperties": false}'::jsonb
	|| jsonb_build_object('properties', automation._shared_schema() || '{
		"format": {"type": "number", "const": 1},
		"rules": {"type": "array", "description": "in listed order", "items": {
			"type": "object",
			"required": ["name", "relation", "trigger", "steps"],
			"additionalProperties": false,
			"properties": {
				"name": {"type": "string"},
				"folder": {"type": "string", "default": "Default"},
				"description": {"type": ["string", "null"]},
				"relation": {"type": "string", "description": "table with its schema"},
				"trigger": {"type": "string"},
				"params": {"type": "object", "default": {}},
				"condition": {"type": ["string", "object", "null"], "description": "SQL over new and old, or a JSON tree"},
				"steps": {"type": "array", "minItems": 1, "items": {
					"type": "object",
					"required": ["action"],
					"additionalProperties": false,
					"properties": {
						"action": {"type": "string"},
						"params": {"type": "object", "default": {}},
						"timing": {"type": "object", "default": {}},
						"condition": {"type": ["string", "null"]}}}},
				"state": {"type": "string", "enum": ["draft", "active", "paused", "disabled"], "default": "draft"},
				"on_error": {"type": "string", "enum": ["log", "fail"], "default": "log"},
				"evaluate": {"type": "string", "enum": ["row", "commit"], "default": "row"},
				"on_bulk": {"type": "string", "enum": ["default", "hold", "run", "log_only", "skip"], "default": "default"}}}}}'::jsonb));
COMMENT ON FUNCTION automation.rule_schema() IS 'JSON schema of the documents of export_rules() and apply_rules()';

-- From rules to a document

CREATE FUNCTION automation._rule_document(rule_id integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp -- tables are written with their schema
AS $$
BEGIN
	RETURN (
		SELECT automation._with_draft(jsonb_strip_nulls(jsonb_build_object('name', r.name, 'folder', r.folder, 'description', r.description,
				'relation', r.relation::text, 'trigger', v.trigger, 'condition', v.condition, 'state', r.state, 'on_error', r.on_error,
				'evaluate', v.evaluate, 'on_bulk', r.on_bulk))
			|| jsonb_build_object('params', v.params, 'steps', automation._written_steps(v.steps)), automation._draft_document(r))
		FROM automation.rule AS r
		JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
		WHERE r.id = _rule_document.rule_id);
END
$$;
COMMENT ON FUNCTION automation._rule_document(integer) IS 'What a rule says, and nothing about how it came to that';

CREATE FUNCTION automation.export_rules(folder text DEFAULT NULL) RETURNS jsonb
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.export_rules(text) IS 'All rules and what they share, or the rules of a folder and what those have, as a document for apply_rules(): the same rules give the same text';

CREATE FUNCTION automation._export_rules(caller regrole, folder text) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT automation._export_shared(_export_rules.folder) || jsonb_build_object('format', 1, 'rules',
		coalesce(jsonb_agg(automation._rule_document(r.id) ORDER BY r.position, r.id), '[]'))
	FROM automation.rule AS r
	WHERE _export_rules.folder IS NULL OR automation._is_within(r.folder, _export_rules.folder)
);
COMMENT ON FUNCTION automation._export_rules(regrole, text) IS 'automation.export_rules()';

-- What is wrong with a document

CREATE FUNCTION automation._check_once(kind text, items jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name text := (
		SELECT i ->> 'name' FROM jsonb_array_elements(items) AS i
		GROUP BY i ->> 'name' HAVING count(*) > 1
		LIMIT 1);
BEGIN
	IF name IS NOT NULL THEN
		PERFORM automation._fail('42710', format('%s "%s" is in the document more than once', kind, name));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_once(text, jsonb) IS 'Raises an error when two parts of a document have one name';

CREATE FUNCTION automation._check_document(document jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema CONSTANT jsonb := automation.rule_schema();
	rule_schema CONSTANT jsonb := schema #> '{properties,rules,items}';
	item jsonb;
	subject text;
	section text;
	kind text;
BEGIN
	IF document -> 'format' IS NOT NULL AND document -> 'format' <> '1' THEN
		PERFORM automation._fail('0A000', format('rule format version %s is not supported', document ->> 'format'),
			hint => 'This version reads format 1.');
	END IF;
	PERFORM automation._check_params('the document', schema, document, 'key');
	FOR item IN SELECT r FROM jsonb_array_elements(document -> 'rules') AS r LOOP
		subject := format('rule "%s"', item ->> 'name');
		PERFORM automation._check_params(subject, rule_schema, item, 'key');
		PERFORM automation._check_name('rule', item ->> 'name');
		PERFORM automation._check_params('a step of ' || subject, rule_schema #> '{properties,steps,items}', s, 'key')
		FROM jsonb_array_elements(item -> 'steps') AS s;
		CONTINUE WHEN jsonb_typeof(item -> 'draft') IS DISTINCT FROM 'object';
		PERFORM automation._check_params('the draft of ' || subject, rule_schema #> '{properties,draft}', item -> 'draft', 'key');
		PERFORM automation._check_params('a step of the draft of ' || subject, rule_schema #> '{properties,steps,items}', s, 'key')
		FROM jsonb_array_elements(item #> '{draft,steps}') AS s;
	END LOOP;
	PERFORM automation._check_once('rule', document -> 'rules');
	FOREACH section IN ARRAY automation._sections() LOOP
		kind := automation._kind_name(rtrim(section, 's'));
		PERFORM automation._check_params(format('%s "%s"', kind, i ->> 'name'), schema -> 'properties' -> section -> 'items', i, 'key')
		FROM jsonb_array_elements(document -> section) AS i;
		PERFORM automation._check_once(kind, document -> section);
	END LOOP;
	PERFORM automation._check_params('folder', schema #> '{properties,folders,items}', f, 'key') FROM jsonb_array_elements(document -> 'folders') AS f;
	PERFORM automation._check_params(format('the step of action template "%s"', i ->> 'name'), rule_schema #> '{properties,steps,items}', i -> 'step', 'key')
	FROM jsonb_array_elements(document -> 'action_templates') AS i;
END
$$;
COMMENT ON FUNCTION automation._check_document(jsonb) IS 'Raises what is wrong with a document before any rule is made of it';

-- From a document to rules

CREATE FUNCTION automation._document_steps(item jsonb) RETURNS jsonb
LANGUAGE sql
RETURN automation._steps_json(item ->> 'name', ARRAY(
	SELECT ROW(s.step ->> 'action', s.step -> 'params', s.step -> 'timing', s.step ->> 'condition')::automation.step
	FROM jsonb_array_elements(item -> 'steps') WITH ORDINALITY AS s(step, place)
	ORDER BY s.place));
COMMENT ON FUNCTION automation._document_steps(jsonb) IS 'Steps of a rule in a document, complete';

CREATE FUNCTION automation._full_document(item jsonb, present jsonb) RETURNS jsonb
LANGUAGE sql
RETURN automation._with_draft(jsonb_strip_nulls(item - CASE WHEN item ->> 'on_bulk' = 'default' THEN '{params,steps,draft,on_bulk}' ELSE '{params,steps,draft}' END::text[])
	|| jsonb_build_object('folder', coalesce(item ->> 'folder', 'Default'), 'on_error', coalesce(item ->> 'on_error', 'log'),
		'evaluate', coalesce(item ->> 'evaluate', 'row'),
		'params', coalesce(item -> 'params', '{}'), 'state', coalesce(item ->> 'state', present ->> 'state', 'draft'),
		'steps', automation._document_steps(item))
	|| CASE
		-- The same tree, written otherwise.
		WHEN jsonb_typeof(item -> 'condition') = 'object' AND present ->> 'condition' ~ '^\s*\{' AND (present ->> 'condition')::jsonb = item -> 'condition'
		THEN jsonb_build_object('condition', present -> 'condition')
		WHEN btrim(item ->> 'condition') <> '' THEN jsonb_build_object('condition', btrim(item ->> 'condition'))
		ELSE '{}'
	END, automation._full_draft(item, present));
COMMENT ON FUNCTION automation._full_document(jsonb, jsonb) IS 'A rule of a document in the form of export_rules(); one that says nothing of its state stays as it is';

CREATE FUNCTION automation._document_version(item jsonb, rule_id integer, number integer, author regrole, reason text) RETURNS automation.rule_version
LANGUAGE sql
RETURN ROW(rule_id, number, item ->> 'name', item ->> 'trigger', item -> 'params', item ->> 'condition', '{}', NULL, false, automation._resolved_steps(item -> 'steps'),
	author, reason, NULL, item ->> 'evaluate', NULL, NULL, NULL)::automation.rule_version;
COMMENT ON FUNCTION automation._document_version(jsonb, integer, integer, regrole, text) IS 'A version of a rule from a document';

CREATE FUNCTION automation._reach_state(caller regrole, name text, "from" text, "to" text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE "to"
	WHEN "from" THEN
		RETURN;
	WHEN 'draft' THEN
		PERFORM automation._fail('55000', format('rule "%s" is %s', name, "from"), 'It cannot become a draft again.', 'Use the state "disabled".');
	WHEN 'disabled' THEN
		PERFORM automation._disable_rule(caller, name, 'cancel');
	WHEN 'active' THEN
		IF "from" = 'paused' THEN
			PERFORM automation._resume_rule(caller, name, 'skip');
		ELSE
			PERFORM automation._activate_rule(caller, name, 'new', 100);
		END IF;
	WHEN 'paused' THEN
		PERFORM automation._reach_state(caller, name, "from", 'active'), automation._pause_rule(caller, name);
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._reach_state(regrole, text, text, text) IS 'Takes a rule from one state to another by the verbs there are';

CREATE FUNCTION automation._make_from(caller regrole, search_path text, item jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._new_rule(_make_from.search_path, (item ->> 'relation')::regclass, item ->> 'folder', item ->> 'description', false,
		item ->> 'on_error', NULL, automation._document_version(item, NULL, NULL, caller, NULL), item ->> 'on_bulk');
	PERFORM automation._draft_from(caller, automation._rule(item ->> 'name'), item -> 'draft');
	PERFORM automation._reach_state(caller, item ->> 'name', 'draft', item ->> 'state');
END
$$;
COMMENT ON FUNCTION automation._make_from(regrole, text, jsonb) IS 'Makes a rule that a document has and the database has not';

CREATE FUNCTION automation._change_to(caller regrole, item jsonb, present jsonb, says_draft boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	changed automation.rule := automation._own_rule(caller, item ->> 'name');
BEGIN
	IF (item ->> 'relation')::regclass <> changed.relation THEN
		PERFORM automation._fail('42809', format('rule "%s" is on table "%s"', changed.name, changed.relation),
			hint => 'Drop the rule, or give the other one another name.');
	END IF;
	PERFORM automation._check_author(changed.owner, changed.relation);
	IF (item -> 'trigger', item -> 'params', item -> 'condition', item -> 'steps', item -> 'evaluate')
		IS DISTINCT FROM (present -> 'trigger', present -> 'params', present -> 'condition', present -> 'steps', present -> 'evaluate')
	THEN
		PERFORM automation._add_version(automation._document_version(item, changed.id, changed.version + 1, caller, 'apply_rules()'));
	END IF;
	-- A draft that the document has is one of what the document says; any other one is as old as it was.
	IF says_draft OR item -> 'draft' IS DISTINCT FROM present -> 'draft' THEN
		PERFORM automation._draft_from(caller, automation._rule(changed.name), item -> 'draft');
	END IF;
	UPDATE automation.rule AS r
	SET folder = automation._folder(caller, item ->> 'folder'), description = item ->> 'description', on_error = item ->> 'on_error',
		on_bulk = item ->> 'on_bulk'
	WHERE r.id = changed.id
		AND (r.folder, r.description, r.on_error, r.on_bulk)
			IS DISTINCT FROM (item ->> 'folder', item ->> 'description', item ->> 'on_error', item ->> 'on_bulk');
	PERFORM automation._reach_state(caller, changed.name, changed.state, item ->> 'state');
END
$$;
COMMENT ON FUNCTION automation._change_to(regrole, jsonb, jsonb, boolean) IS 'Changes a rule to what a document says of it';

CREATE FUNCTION automation._list_as(names text[]) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Rules that the document does not know keep their places.
	UPDATE automation.rule AS r SET position = listed.place
	FROM (
		SELECT w.id, l.place
		FROM (
			SELECT row_number() OVER (ORDER BY o.position, o.id) AS place, o.name = ANY (names) AS is_named,
				row_number() OVER (PARTITION BY o.name = ANY (names) ORDER BY o.position, o.id) AS number, o.id
			FROM automation.rule AS o
		) AS l
		JOIN (
			SELECT o.id, o.name = ANY (names) AS is_named,
				row_number() OVER (PARTITION BY o.name = ANY (names) ORDER BY array_position(names, o.name), o.position, o.id) AS number
			FROM automation.rule AS o
		) AS w ON w.is_named = l.is_named AND w.number = l.number
	) AS listed
	WHERE r.id = listed.id AND r.position <> listed.place
		AND names <> ARRAY(SELECT o.name FROM automation.rule AS o WHERE o.name = ANY (names) ORDER BY o.position, o.id);
	RETURN FOUND;
END
$$;
COMMENT ON FUNCTION automation._list_as(text[]) IS 'Brings rules into this order; false: they were in it';

CREATE FUNCTION automation._is_ready(item jsonb) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT NOT EXISTS (
		SELECT FROM jsonb_array_elements(item -> 'steps' || coalesce(item #> '{draft,steps}', '[]')) AS s(step)
		WHERE s.step ->> 'action' IN ('start_rule', 'stop_rule')
			AND s.step -> 'params' ->> 'rule' NOT IN (SELECT r.name FROM automation.rule AS r));
END;
COMMENT ON FUNCTION automation._is_ready(jsonb) IS 'Whether the rules that a rule starts or stops are there';

CREATE FUNCTION automation._difference_text(item jsonb, present jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT string_agg(CASE WHEN k.key IN ('steps', 'params', 'draft') THEN k.key
		ELSE format('%s: %s → %s', k.key, coalesce(present ->> k.key, 'none'), coalesce(item ->> k.key, 'none')) END, ', ' ORDER BY k.key)
	FROM (SELECT jsonb_object_keys(item || present)) AS k(key)
	WHERE item -> k.key IS DISTINCT FROM present -> k.key
);
COMMENT ON FUNCTION automation._difference_text(jsonb, jsonb) IS 'In what two rules of documents differ';

CREATE FUNCTION automation._apply_document(caller regrole, search_path text, document jsonb, prune boolean)
RETURNS TABLE (action text, rule text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	items jsonb[] := ARRAY(SELECT r FROM jsonb_array_elements(document -> 'rules') AS r);
	names text[] := ARRAY(SELECT r ->> 'name' FROM jsonb_array_elements(document -> 'rules') WITH ORDINALITY AS d(r, place) ORDER BY place);
	later jsonb[];
	is_stuck boolean;
	says_draft boolean;
	item jsonb;
	present jsonb;
	state text;
	message text;
	explanation text;
	hint text;
BEGIN
	IF prune THEN
		FOR rule, detail IN
			SELECT r.name, format('%s on %s', r.state, r.relation) FROM automation.rule AS r
			WHERE r.name <> ALL (names) AND pg_has_role(caller, r.owner, 'USAGE')
			ORDER BY r.position, r.id
		LOOP
			action := 'drop';
			PERFORM automation._drop_rule(caller, rule);
			RETURN NEXT;
		END LOOP;
	END IF;
	RETURN QUERY SELECT a.* FROM automation._apply_shared(caller, document) AS a WHERE a.action <> 'keep';
	-- Those that others start come first; what waits in vain is tried in the end, and fails.
	BEGIN
		WHILE cardinality(items) > 0 LOOP
			later := ARRAY(SELECT i FROM unnest(items) WITH ORDINALITY AS u(i, place) WHERE NOT automation._is_ready(i) ORDER BY u.place);
			is_stuck := cardinality(later) = cardinality(items);
			FOREACH item IN ARRAY items LOOP
				CONTINUE WHEN NOT is_stuck AND item = ANY (later);
				rule := item ->> 'name';
				present := (SELECT automation._rule_document(r.id) FROM automation.rule AS r WHERE r.name = item ->> 'name');
				-- To prune is to drop what the document does not have.
				item := CASE WHEN prune THEN '{"draft": null}' ELSE '{}' END::jsonb || item;
				says_draft := jsonb_typeof(item -> 'draft') = 'object';
				item := automation._full_document(item, present);
				item := jsonb_set(item, '{relation}', to_jsonb((item ->> 'relation')::regclass::text));
				IF present IS NULL THEN
					action := 'create';
					detail := format('%s on %s', item ->> 'state', item ->> 'relation');
					PERFORM automation._make_from(caller, _apply_document.search_path, item);
				ELSIF automation._is_said_of(item, present, caller, (SELECT r.owner FROM automation.rule AS r WHERE r.name = item ->> 'name')) THEN
					action := 'keep';
					detail := NULL;
				ELSE
					action := 'alter';
					detail := automation._difference_text(item, present);
					PERFORM automation._change_to(caller, item, present, says_draft);
				END IF;
				RETURN NEXT;
			END LOOP;
			items := CASE WHEN is_stuck THEN '{}' ELSE later END;
		END LOOP;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, explanation = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		PERFORM automation._fail(state, message, concat_ws(' ', nullif(explanation, ''), format('Rule "%s" of the document cannot be made so.', rule)),
			nullif(hint, ''));
	END;
	-- What others have stays where it is.
	names := ARRAY(SELECT n.name FROM unnest(names) WITH ORDINALITY AS n(name, place)
		JOIN automation.rule AS r ON r.name = n.name AND pg_has_role(caller, r.owner, 'USAGE') ORDER BY n.place);
	IF automation._list_as(names) THEN
		action := 'move';
		rule := NULL;
		detail := automation._list(names);
		RETURN NEXT;
	END IF;
	IF prune THEN
		RETURN QUERY SELECT a.* FROM automation._prune_shared(caller, document) AS a;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._apply_document(regrole, text, jsonb, boolean) IS 'Makes the rules what a document says, and tells what there was to do';

CREATE FUNCTION automation.apply_rules(document jsonb, prune boolean DEFAULT false, dry_run boolean DEFAULT false)
RETURNS TABLE (action text, rule text, detail text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.apply_rules(jsonb, boolean, boolean)
	IS 'Makes rules, and what they share, what a document says, and answers what there was to do: create, alter, keep, move, drop. prune: rules of yours that it does not have are dropped, and so is what nothing uses then; dry_run: nothing is done but to try';

CREATE FUNCTION automation._apply_or_try(caller regrole, search_path text, document jsonb, prune boolean, dry_run boolean)
RETURNS TABLE (action text, rule text, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	plan jsonb;
BEGIN
	PERFORM automation._check_document(document);
	IF dry_run IS NOT TRUE THEN
		RETURN QUERY SELECT a.* FROM automation._apply_document(caller, _apply_or_try.search_path, document, prune) AS a;
		RETURN;
	END IF;
	BEGIN
		SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') INTO plan
		FROM automation._apply_document(caller, _apply_or_try.search_path, document, prune) AS a;
		RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = 'undone';
	EXCEPTION WHEN raise_exception THEN
		IF plan IS NULL THEN
			RAISE;
		END IF;
	END;
	RETURN QUERY SELECT a.* FROM jsonb_to_recordset(plan) AS a(action text, rule text, detail text);
END
$$;
COMMENT ON FUNCTION automation._apply_or_try(regrole, text, jsonb, boolean, boolean) IS 'Applies a document; or does so, tells what there was to do, and undoes it';

CREATE FUNCTION automation._apply_rules(caller regrole, document jsonb, prune boolean, dry_run boolean)
RETURNS TABLE (action text, rule text, detail text)
LANGUAGE sql
BEGIN ATOMIC
	SELECT a.* FROM automation._apply_or_try(caller, automation._callers_search_path(caller), document, prune, dry_run) AS a;
END;
COMMENT ON FUNCTION automation._apply_rules(regrole, jsonb, boolean, boolean) IS 'automation.apply_rules()';
