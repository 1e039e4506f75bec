-- Drafts in the documents of code.sql: what a rule is to say next stands beside what it says.

CREATE FUNCTION automation._with_draft_schema(schema jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN jsonb_set(schema, '{properties,rules,items,properties,draft}', jsonb_build_object(
	'type', '["object", "null"]'::jsonb,
	'description', 'what publish_rule() would make of the rule; null: nothing. Left out: as it is',
	'required', '["trigger", "steps"]'::jsonb,
	'additionalProperties', false,
	'properties', '{
		"reason": {"type": "string"},
		"outdated": {"type": "boolean", "default": false, "description": "the rule has changed since: it cannot be published"}}'::jsonb || (
		SELECT jsonb_object_agg(p.key, p.value)
		FROM jsonb_each(schema #> '{properties,rules,items,properties}') AS p
		WHERE p.key IN ('name', 'trigger', 'params', 'condition', 'steps', 'evaluate'))));
COMMENT ON FUNCTION automation._with_draft_schema(jsonb) IS 'The schema of documents, with drafts: they say what rules say';

CREATE FUNCTION automation._draft_document(rule automation.rule) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT jsonb_strip_nulls(d.says - '{params,steps}'::text[] || jsonb_build_object('reason', d.reason, 'outdated', nullif(d.based_on <> (rule).version, false)))
		|| jsonb_build_object('params', d.says -> 'params', 'steps', automation._written_steps(d.says -> 'steps'))
	FROM automation.rule_draft AS d
	WHERE d.rule_id = (rule).id
);
COMMENT ON FUNCTION automation._draft_document(automation.rule) IS 'What the draft of a rule says, or null';

CREATE FUNCTION automation._with_draft(document jsonb, draft jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN draft IS NULL THEN document ELSE document || jsonb_build_object('draft', draft) END;
COMMENT ON FUNCTION automation._with_draft(jsonb, jsonb) IS 'A rule of a document, with its draft if it has one';

CREATE FUNCTION automation._full_draft(item jsonb, present jsonb) RETURNS jsonb
LANGUAGE plpgsql -- a draft is a rule without one
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE jsonb_typeof(item -> 'draft')
		WHEN 'object' THEN automation._full_document(jsonb_build_object('name', item ->> 'name') || (item -> 'draft'), present -> 'draft')
			- CASE WHEN (item #> '{draft,outdated}')::boolean THEN '{folder,state,on_error}' ELSE '{folder,state,on_error,outdated}' END::text[]
		WHEN 'null' THEN NULL
		ELSE present -> 'draft'
	END;
END
$$;
COMMENT ON FUNCTION automation._full_draft(jsonb, jsonb) IS 'The draft of a rule of a document in the form of export_rules(), or null; one of which the document says nothing stays as it is';

CREATE FUNCTION automation._draft_from(caller regrole, rule automation.rule, draft jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM automation.rule_draft AS d WHERE d.rule_id = rule.id;
	IF draft IS NOT NULL THEN
		PERFORM automation._keep_draft(rule, automation._document_version(draft, rule.id, rule.version + 1, caller, draft ->> 'reason'));
		UPDATE automation.rule_draft AS d SET based_on = d.based_on - 1 WHERE d.rule_id = rule.id AND (draft ->> 'outdated')::boolean;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._draft_from(regrole, automation.rule, jsonb) IS 'Makes the draft of a rule what a document says of it';
