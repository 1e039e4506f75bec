-- A rule of one table for another one.

CREATE FUNCTION automation.copy_rule(
	rule text,
	new_name text,
	relation regclass DEFAULT NULL,
	activate boolean DEFAULT false)
RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.copy_rule(text, text, regclass, boolean) IS 'Makes a rule of the caller''s that says the same, for another table too, and answers its number';

CREATE FUNCTION automation._trigger_on(trigger text, source regclass, target regclass) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT regexp_replace(trigger, format('^%s\.', s.object_type), t.object_type || '.')
	FROM automation._entity(source) AS s, automation._entity(target) AS t;
END;
COMMENT ON FUNCTION automation._trigger_on(text, regclass, regclass) IS 'job.created as deal.created, when a rule goes from jobs to deals';

CREATE FUNCTION automation._copy_rule(
	caller regrole,
	rule text,
	new_name text,
	relation regclass,
	activate boolean)
RETURNS integer
LANGUAGE sql
RETURN (
	SELECT automation._new_rule(
		automation._callers_search_path(caller), coalesce(_copy_rule.relation, r.relation), r.folder, r.description,
		activate, r.on_error, NULL,
		ROW(NULL, NULL, new_name,
			automation._trigger_on(v.trigger, r.relation, coalesce(_copy_rule.relation, r.relation)), v.params,
			v.condition, NULL, NULL, NULL, v.steps, caller, format('copy of "%s"', r.name), NULL, v.evaluate, NULL,
			CASE WHEN coalesce(_copy_rule.relation, r.relation) = r.relation THEN v.column_names END, NULL)::automation.rule_version, r.on_bulk)
	FROM automation._rule(_copy_rule.rule) AS r, LATERAL automation._version(r.id, r.version) AS v
);
COMMENT ON FUNCTION automation._copy_rule(regrole, text, text, regclass, boolean) IS 'automation.copy_rule()';
