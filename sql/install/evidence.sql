-- Evidence that is missing refuses the end of a job: what require_evidence and attach_checklist ask for, a guard can insist on.

CREATE FUNCTION automation.create_evidence_guard(
	relation regclass,
	stage text[],
	kind text DEFAULT NULL,
	name text DEFAULT NULL,
	done text[] DEFAULT '{Done,Completed,Complete}',
	message text DEFAULT NULL,
	override text DEFAULT NULL,
	activate boolean DEFAULT false)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_evidence_guard(regclass, text[], text, text, text[], text, text, boolean)
	IS 'Makes a guard, and answers its number: a record enters none of these stages while an item of its checklists, of this kind or of any, is not done. See require_evidence() and attach_checklist()';

CREATE FUNCTION automation._create_evidence_guard(
	caller regrole,
	relation regclass,
	stage text[],
	kind text,
	name text,
	done text[],
	message text,
	override text,
	activate boolean)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item CONSTANT regclass := automation._table_of('checklist_item', 'create_guard');
	entity CONSTANT automation.entity := automation._entity(relation);
	missing CONSTANT jsonb := jsonb_build_object('exists', item::text, 'where', jsonb_build_object('all', (
		SELECT jsonb_agg(jsonb_build_object('field', automation._path_text(ARRAY[automation._role_column(item, c.role)]), 'operator', c.operator, 'value', c.value))
		FROM (VALUES ('status', 'isNoneOf', to_jsonb(done)), ('kind', '=', to_jsonb(kind))) AS c(role, operator, value)
		WHERE c.value IS NOT NULL)));
BEGIN
	PERFORM automation._check_has_roles(entity, 'a guard of evidence', '{status}');
	IF coalesce(cardinality(stage), 0) = 0 OR coalesce(cardinality(done), 0) = 0 THEN
		PERFORM automation._fail('22023', 'a guard of evidence needs stages, and statuses of items that are done');
	END IF;
	RETURN automation._create_guard(caller, coalesce(name, concat_ws(' ', 'Evidence for', entity.object_type, automation._list(stage), '(' || kind || ')')), relation, missing::text,
		coalesce(message, format('%s {{ %s }} cannot be "{{ %s }}": %s', entity.object_type,
			automation._path_text(ARRAY[(automation._primary_key(relation))[1]]), automation._path_text(ARRAY[automation._roles(relation) ->> 'status']),
			CASE WHEN kind IS NULL THEN 'items of its checklists are not done' ELSE format('evidence is missing: %s', kind) END)),
		'status_entered', jsonb_build_object('to', to_jsonb(stage)),
		format('Items that are not done are in %s.', item), override, 'Guards', NULL, activate, 'row');
END
$$;
COMMENT ON FUNCTION automation._create_evidence_guard(regrole, regclass, text[], text, text, text[], text, text, boolean) IS 'automation.create_evidence_guard()';
