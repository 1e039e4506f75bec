-- What a rule can fire on: the library of triggers, and what turns one into SQL.
--
-- A trigger is a JSON condition (condition.sql) over roles and parameters. "{to}" stands for a
-- parameter, "{role.status}" for the column of a role, "{role.end?}" for that of one the table may lack, and
-- "{child.status}" for that of a child row's role; a part that names what is not given is left out.
-- Here are the generic ones, for rows of any kind; library.sql has those with a name of the trade.

CREATE TABLE automation.trigger_definition (
	name text PRIMARY KEY,
	object_type text,
	kind text NOT NULL CHECK (kind IN ('event', 'time', 'external', 'system')),
	event_kinds text[] NOT NULL CHECK (event_kinds <@ '{insert,update,delete}'),
	condition jsonb NOT NULL DEFAULT '{"all": []}',
	still jsonb NOT NULL DEFAULT '{"all": []}',
	generic text,
	roles text[] NOT NULL DEFAULT '{}',
	child_roles text[] NOT NULL DEFAULT '{}',
	params jsonb NOT NULL DEFAULT '{"properties": {}}',
	defaults jsonb NOT NULL DEFAULT '{}',
	timing jsonb,
	is_standing boolean NOT NULL DEFAULT false,
	description text NOT NULL,
	example text NOT NULL
);
COMMENT ON TABLE automation.trigger_definition IS 'The library of triggers (read only)';
COMMENT ON COLUMN automation.trigger_definition.name IS 'Generic ones (created) may be written with an object type before them (job.created); the others have one in their name';
COMMENT ON COLUMN automation.trigger_definition.object_type IS 'Object type of the tables it is for; null: any';
COMMENT ON COLUMN automation.trigger_definition.kind IS 'event: a row changed; time: something is due; external: something outside happened; system: somebody asked for it';
COMMENT ON COLUMN automation.trigger_definition.event_kinds IS 'Changes that can fire it: some of insert, update, delete';
COMMENT ON COLUMN automation.trigger_definition.condition IS 'JSON condition that tells whether the change is one';
COMMENT ON COLUMN automation.trigger_definition.still IS 'JSON condition that must hold, too, when a run begins later than the change';
COMMENT ON COLUMN automation.trigger_definition.generic IS 'The generic trigger that it is a case of; null: it is generic itself';
COMMENT ON COLUMN automation.trigger_definition.roles IS 'Roles that the table must have';
COMMENT ON COLUMN automation.trigger_definition.child_roles IS 'Roles that the table of its child rows must have';
COMMENT ON COLUMN automation.trigger_definition.params IS 'JSON schema of the parameters; "role": the columns that one is about, "table": it names a table by its object type';
COMMENT ON COLUMN automation.trigger_definition.defaults IS 'Parameters that are not given';
COMMENT ON COLUMN automation.trigger_definition.timing IS 'When the run begins, if not with the change: as in automation.after(), parameters filled in';
COMMENT ON COLUMN automation.trigger_definition.is_standing IS 'It waits for a date of the row for as long as the rule''s condition holds, not from a change on';
COMMENT ON COLUMN automation.trigger_definition.description IS 'What it detects';
COMMENT ON COLUMN automation.trigger_definition.example IS 'Arguments of automation.create_rule()';

INSERT INTO automation.trigger_definition
	(name, kind, event_kinds, condition, roles, params, description, example) VALUES
('created', 'event', '{insert}', '{"all": []}', '{}', '{"properties": {}}',
	'a row is inserted',
	$$trigger => 'created'$$),
('updated', 'event', '{update}', '{"all": []}', '{}', '{"properties": {}}',
	'a row is updated and something in it really changes',
	$$trigger => 'updated'$$),
('written', 'event', '{insert,update}', '{"all": []}', '{}', '{"properties": {}}',
	'a row is inserted, or updated and something in it really changes',
	$$trigger => 'written'$$),
('deleted', 'event', '{delete}', '{"all": []}', '{}', '{"properties": {}}',
	'a row is deleted',
	$$trigger => 'deleted'$$),
('field_changed', 'event', '{update}',
	'{"all": [
		{"field": "{field}", "operator": "changed"},
		{"field": "{field}", "operator": "was", "value": "{from}"},
		{"field": "new.{field}", "operator": "isOneOf", "value": "{to}"}]}', '{}',
	'{"required": ["field"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns any of which may change"},
		"from": {"type": ["string", "number", "boolean", "array"], "description": "what it was, or an array of that"},
		"to": {"type": ["string", "number", "boolean", "array"], "description": "what it is now, or an array of that"}}}',
	'a column changes',
	$$trigger => 'field_changed', params => '{"field": "priority", "to": ["high", "urgent"]}'$$),
('field_filled', 'event', '{insert,update}',
	'{"all": [
		{"field": "{field}", "operator": "changed"},
		{"field": "new.{field}", "operator": "filled"},
		{"field": "old.{field}", "operator": "empty"}]}', '{}',
	'{"required": ["field"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns"}}}',
	'a column that was null or blank gets a value, at insertion too',
	$$trigger => 'field_filled', params => '{"field": "phone"}'$$),
('field_cleared', 'event', '{update}',
	'{"all": [
		{"field": "{field}", "operator": "changed"},
		{"field": "old.{field}", "operator": "filled"},
		{"field": "new.{field}", "operator": "empty"}]}', '{}',
	'{"required": ["field"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns"}}}',
	'a column becomes null or blank',
	$$trigger => 'field_cleared', params => '{"field": "due_on"}'$$),
('status_changed', 'event', '{update}',
	'{"all": [
		{"field": "{role.status}", "operator": "changed"},
		{"field": "{role.status}", "operator": "was", "value": "{from}"},
		{"field": "new.{role.status}", "operator": "isOneOf", "value": "{to}"}]}', '{status}',
	'{"properties": {
		"from": {"type": ["string", "number", "boolean", "array"], "role": "status", "description": "the status before, or an array of them"},
		"to": {"type": ["string", "number", "boolean", "array"], "role": "status", "description": "the status now, or an array of them"}}}',
	'the status changes',
	$$trigger => 'status_changed', params => '{"from": "Scheduled", "to": "Dispatched"}'$$),
('status_entered', 'event', '{insert,update}',
	'{"field": "{role.status}", "operator": "changedTo", "value": "{to}"}', '{status}',
	'{"required": ["to"], "properties": {
		"to": {"type": ["string", "number", "boolean", "array"], "role": "status", "description": "the status, or an array of them"}}}',
	'a row gets a status, or is inserted with it',
	$$trigger => 'status_entered', params => '{"to": "Dispatched"}'$$),
('status_left', 'event', '{update}',
	'{"all": [
		{"field": "{role.status}", "operator": "changedFrom", "value": "{from}"},
		{"field": "new.{role.status}", "operator": "isNoneOf", "value": "{from}"}]}', '{status}',
	'{"required": ["from"], "properties": {
		"from": {"type": ["string", "number", "boolean", "array"], "role": "status", "description": "the status, or an array of them"}}}',
	'a row leaves a status',
	$$trigger => 'status_left', params => '{"from": "On Hold"}'$$),
('threshold_crossed', 'event', '{insert,update}',
	'{"field": "{field}", "operator": "crossed {direction}", "value": "{value}"}', '{}',
	'{"required": ["field", "value"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns"},
		"value": {"type": ["string", "number"], "description": "the threshold"},
		"direction": {"type": "string", "enum": ["up", "down", "any"],
			"description": "up: from less to the threshold or above, at insertion too; down: from more to it or below"}}}',
	'a value crosses a threshold; it fires again only after it has come back',
	$$trigger => 'threshold_crossed', params => '{"field": "amount", "value": 10000, "direction": "up"}'$$),
('assigned', 'event', '{insert,update}',
	'{"all": [
		{"field": "{role.owner}", "operator": "changed"},
		{"field": "new.{role.owner}", "operator": "filled"},
		{"field": "new.{role.owner}", "operator": "isOneOf", "value": "{to}"}]}', '{owner}',
	'{"properties": {
		"to": {"type": ["string", "number", "array"], "description": "the owner now, or an array of them"}}}',
	'a row gets an owner, at insertion too',
	$$trigger => 'assigned'$$),
('reassigned', 'event', '{update}',
	'{"all": [
		{"field": "{role.owner}", "operator": "changed"},
		{"field": "old.{role.owner}", "operator": "filled"},
		{"field": "new.{role.owner}", "operator": "filled"}]}', '{owner}', '{"properties": {}}',
	'a row goes from one owner to another',
	$$trigger => 'reassigned'$$),
('unassigned', 'event', '{update}',
	'{"all": [
		{"field": "{role.owner}", "operator": "changed"},
		{"field": "old.{role.owner}", "operator": "filled"},
		{"field": "new.{role.owner}", "operator": "empty"}]}', '{owner}', '{"properties": {}}',
	'a row loses its owner',
	$$trigger => 'unassigned'$$),
('field_matches', 'event', '{insert,update}', '{"became": "{filter}"}', '{}',
	'{"required": ["filter"], "properties": {
		"filter": {"type": "object", "description": "a JSON condition over columns of the row"}}}',
	'a condition holds that did not hold before, at insertion too',
	$$trigger => 'field_matches', params => '{"filter": {"all": [{"field": "amount", "operator": ">", "value": 10000}, {"field": "status", "operator": "=", "value": "Open"}]}}'$$),
('flag_set', 'event', '{insert,update}', '{"became": {"field": "{field}", "operator": "isSet"}}', '{}',
	'{"required": ["field"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns"}}}',
	'a yes-or-no column becomes true, or any other, such as the time of a signature, gets a value',
	$$trigger => 'flag_set', params => '{"field": "signed_at"}'$$),
('flag_cleared', 'event', '{update}',
	'{"all": [{"field": "{field}", "operator": "changed"}, {"became": {"field": "{field}", "operator": "isNotSet"}}]}', '{}',
	'{"required": ["field"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns"}}}',
	'a yes-or-no column is true no more, or any other loses its value',
	$$trigger => 'flag_cleared', params => '{"field": "do_not_call"}'$$),
('field_increased', 'event', '{update}',
	'{"all": [
		{"field": "{field}", "operator": "increased"},
		{"field": "{field}", "operator": "increasedBy", "value": "{by}"}]}', '{}',
	'{"required": ["field"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns"},
		"by": {"type": ["string", "number"], "description": "by so much at least"}}}',
	'a number grows, or a date is put off',
	$$trigger => 'field_increased', params => '{"field": "amount", "by": 100}'$$),
('field_decreased', 'event', '{update}',
	'{"all": [
		{"field": "{field}", "operator": "decreased"},
		{"field": "{field}", "operator": "decreasedBy", "value": "{by}"}]}', '{}',
	'{"required": ["field"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns"},
		"by": {"type": ["string", "number"], "description": "by so much at least"}}}',
	'a number falls, or a date is brought forward',
	$$trigger => 'field_decreased', params => '{"field": "amount", "by": 100}'$$),
('date_moved', 'event', '{update}', '{"field": "{field}", "operator": "movedBy", "value": "{by}"}', '{}',
	'{"required": ["field", "by"], "properties": {
		"field": {"type": ["string", "array"], "description": "a column, or an array of columns"},
		"by": {"type": "string", "description": "by so much at least, an interval"}}}',
	'a date or time moves so far, either way',
	$$trigger => 'date_moved', params => '{"field": "starts_at", "by": "15 minutes"}'$$),
('tag_added', 'event', '{insert,update}',
	'{"all": [
		{"field": "{role.tags}", "operator": "gained"},
		{"field": "{role.tags}", "operator": "gainedAny", "value": "{tag}"}]}', '{tags}',
	'{"properties": {
		"tag": {"type": ["string", "array"], "description": "the tag, or an array of them; any by default"}}}',
	'a row gets a tag, or is inserted with it',
	$$trigger => 'tag_added', params => '{"tag": "VIP"}'$$),
('tag_removed', 'event', '{update}',
	'{"all": [
		{"field": "{role.tags}", "operator": "lost"},
		{"field": "{role.tags}", "operator": "lostAny", "value": "{tag}"}]}', '{tags}',
	'{"properties": {
		"tag": {"type": ["string", "array"], "description": "the tag, or an array of them; any by default"}}}',
	'a row loses a tag',
	$$trigger => 'tag_removed', params => '{"tag": "VIP"}'$$),
('manual', 'system', '{}', '{"all": []}', '{}', '{"properties": {}}',
	'somebody asks for it: automation.fire(), or a step start_rule of another rule',
	$$trigger => 'manual'$$);

UPDATE automation.trigger_definition SET defaults = '{"direction": "up"}' WHERE name = 'threshold_crossed';

-- Child rows: the rule is about the row that they lead to.
INSERT INTO automation.trigger_definition
	(name, kind, event_kinds, condition, child_roles, params, description, example)
SELECT c.name, 'event', c.event_kinds::text[], c.condition::jsonb, c.child_roles::text[],
	jsonb_build_object(
		'required', '["child"]' || coalesce(c.params::jsonb -> 'required', '[]'),
		'properties', '{
			"child": {"type": "string", "table": true, "description": "an attached table whose rows lead to this one, or its object type"},
			"link": {"type": "string", "description": "the column that leads here, when there are several"}}'
			|| coalesce(c.params::jsonb -> 'properties', '{}')),
	c.description, c.example
FROM (VALUES
	('child_added', '{insert}', '{"all": []}', '{}', '{}',
		'a row that leads to this one is inserted; in conditions new is that row, a plain column is of this one',
		$$trigger => 'child_added', params => '{"child": "crm.note"}'$$),
	('child_changed', '{update}', '{"all": [{"field": "new.{field}", "operator": "changed"}]}', '{}',
		'{"properties": {"field": {"type": ["string", "array"], "description": "a column of the child row, or an array of columns any of which may change; any by default"}}}',
		'a row that leads to this one is changed',
		$$trigger => 'child_changed', params => '{"child": "crm.line_item", "field": "price"}'$$),
	('child_removed', '{delete}', '{"all": []}', '{}', '{}',
		'a row that leads to this one is deleted; in conditions old is that row',
		$$trigger => 'child_removed', params => '{"child": "crm.line_item"}'$$),
	('child_status_entered', '{insert,update}', '{"field": "new.{child.status}", "operator": "changedTo", "value": "{to}"}', '{status}',
		'{"required": ["to"], "properties": {"to": {"type": ["string", "number", "boolean", "array"], "child_role": "status", "description": "the status, or an array of them"}}}',
		'a row that leads to this one gets a status, or is inserted with it',
		$$trigger => 'child_status_entered', params => '{"child": "crm.visit", "to": "Done"}'$$)
) AS c(name, event_kinds, condition, child_roles, params, description, example);

-- Time

CREATE FUNCTION automation._clock_params() RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN '{
	"time_of_day": {"type": "string", "description": "at that time of the day, HH:MM"},
	"weekdays": {"type": "array", "description": "days that are allowed"},
	"calendar": {"type": "string", "description": "a calendar whose workdays and hours are allowed"},
	"window": {"type": "object", "description": "hours that are allowed, {\"from\": \"08:00\", \"to\": \"20:00\"}"},
	"zone": {"type": "string", "description": "whose clocks count, or field:path"}}'::jsonb;
COMMENT ON FUNCTION automation._clock_params() IS 'Parameters of triggers with a time, as in docs/time.md';

INSERT INTO automation.trigger_definition
	(name, kind, event_kinds, condition, still, roles, params, defaults, timing, is_standing, description, example)
SELECT t.name, 'time', t.event_kinds::text[], t.condition::jsonb, t.still::jsonb, t.roles::text[], t.params::jsonb, t.defaults::jsonb,
	t.timing::jsonb, t.is_standing, t.description, t.example
FROM (VALUES
	('date_approaching', '{insert,update}', '{"all": []}', '{"all": []}', '{}',
		'{"required": ["field", "before"], "properties": {
			"field": {"type": "string", "description": "a column: a date or a time"},
			"before": {"type": "string", "description": "how long before it, an interval"}}}',
		'{}', '{"anchor": "field:{field}", "before": "{before}"}', true,
		'a date of the row is so near; once for each date, while the condition holds',
		$$trigger => 'date_approaching', params => '{"field": "starts_at", "before": "1 day"}'$$),
	('date_passed', '{insert,update}', '{"all": []}', '{"all": []}', '{}',
		'{"required": ["field"], "properties": {
			"field": {"type": "string", "description": "a column: a date or a time"},
			"after": {"type": "string", "description": "how long after it, an interval; at once by default"},
			"days": {"type": "number", "description": "the same in days"}}}',
		'{"after": "0"}', '{"anchor": "field:{field}", "delay": "{after}"}', true,
		'a date of the row is so long ago; once for each date, while the condition holds',
		$$trigger => 'date_passed', params => '{"field": "due_on", "after": "7 days"}'$$),
	('stayed_in_status', '{insert,update}',
		'{"all": [
			{"field": "{role.status}", "operator": "changed"},
			{"field": "new.{role.status}", "operator": "isOneOf", "value": "{status}"}]}', '{"all": []}', '{status}',
		'{"required": ["for"], "properties": {
			"status": {"type": ["string", "number", "boolean", "array"], "role": "status", "description": "the status, or an array of them; any by default"},
			"for": {"type": "string", "description": "how long, an interval"}}}',
		'{}', '{"delay": "{for}", "cancel_if_changed": ["{role.status}"]}', false,
		'the row has stayed in a status for so long',
		$$trigger => 'stayed_in_status', params => '{"status": "Offer sent", "for": "3 days"}'$$),
	('held_for', '{insert,update}', '{"became": "{filter}"}', '"{filter}"', '{}',
		'{"required": ["filter", "for"], "properties": {
			"filter": {"type": "object", "description": "a JSON condition over columns of the row"},
			"for": {"type": "string", "description": "how long, an interval"}}}',
		'{}', '{"delay": "{for}"}', false,
		'a condition began to hold so long ago, and holds',
		$$trigger => 'held_for', params => '{"filter": {"field": "owner", "operator": "empty"}, "for": "15 minutes"}'$$),
	('no_activity', '{insert,update}', '{"all": []}', '{"all": []}', '{}',
		'{"required": ["for"], "properties": {
			"for": {"type": "string", "description": "how long, an interval"}}}',
		'{}', '{"delay": "{for}"}', false,
		'nothing in the row has changed for so long',
		$$trigger => 'no_activity', params => '{"for": "30 days"}'$$),
	('recurring', '{insert,update}', '{"all": []}', '{"all": []}', '{}',
		'{"required": ["field", "every"], "properties": {
			"field": {"type": "string", "description": "a column: the date or time from which it is counted"},
			"every": {"type": "string", "description": "an interval"},
			"zone": {"type": "string", "description": "whose clocks count, or field:column"}}}',
		'{}', '{"anchor": "field:{field}", "every": "{every}", "zone": "{zone}"}', true,
		'again and again for each row, counted from a date of the row, while the condition holds',
		$$trigger => 'recurring', params => '{"field": "starts_on", "every": "1 month"}'$$),
	('schedule', '{}', '{"all": []}', '{"all": []}', '{}',
		'{"required": ["cron"], "properties": {
			"cron": {"type": "string", "description": "minute, hour, day of the month, month, day of the week"},
			"zone": {"type": "string", "description": "whose clocks count"}}}',
		'{}', '{"cron": "{cron}", "zone": "{zone}"}', false,
		'at fixed times, for no row in particular',
		$$trigger => 'schedule', params => '{"cron": "0 9 * * mon-fri", "zone": "Europe/Berlin"}'$$)
) AS t(name, event_kinds, condition, still, roles, params, defaults, timing, is_standing, description, example);

-- These know when, so they may be told at what time of the day.
UPDATE automation.trigger_definition
SET params = jsonb_set(params, '{properties}', params -> 'properties' || automation._clock_params()),
	timing = timing || (SELECT jsonb_object_agg(k, format('{%s}', k)) FROM jsonb_object_keys(automation._clock_params()) AS k)
WHERE name IN ('date_approaching', 'date_passed', 'stayed_in_status', 'held_for', 'no_activity');

-- What each table supports

CREATE FUNCTION automation._tables_of(definition automation.trigger_definition) RETURNS SETOF text
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT definition.defaults ->> p.key
	FROM jsonb_each(definition.params -> 'properties') AS p
	WHERE p.value ? 'table' AND definition.defaults ? p.key;
END;
COMMENT ON FUNCTION automation._tables_of(automation.trigger_definition) IS 'Object types of the child rows that a trigger looks at';

CREATE FUNCTION automation._needs(relation regclass, trigger text) RETURNS text[]
LANGUAGE sql STABLE
RETURN ARRAY(
	SELECT 'role ' || r
	FROM automation.trigger_definition AS d, unnest(d.roles) AS r
	WHERE d.name = trigger AND NOT automation._roles(relation) ? r
	UNION ALL
	SELECT concat('table ' || t, (
		SELECT ' with role ' || string_agg(r, ', ' ORDER BY r) FROM unnest(d.child_roles) AS r))
	FROM automation.trigger_definition AS d, automation._tables_of(d) AS t
	WHERE d.name = trigger AND NOT EXISTS (
		SELECT FROM automation.entity AS e
		WHERE e.object_type = t AND automation._roles(e.relation) ?& d.child_roles
			AND EXISTS (SELECT FROM automation._leads(e.relation) AS l WHERE l.target = _needs.relation))
);
COMMENT ON FUNCTION automation._needs(regclass, text) IS 'What a table lacks to support a trigger: roles of columns, tables whose rows lead to it';

CREATE VIEW automation.triggers AS
SELECT
	n.name,
	n.object_type,
	e.relation,
	CASE
		WHEN e.relation IS NOT NULL THEN automation._needs(e.relation, d.name)
		WHEN n.object_type IS NOT NULL THEN ARRAY['table ' || n.object_type]
	END AS needs,
	d.kind,
	d.generic,
	d.description AS detects,
	d.event_kinds AS events,
	d.roles,
	d.params -> 'properties' AS params,
	d.params -> 'required' AS required,
	d.defaults,
	replace(d.example, format('''%s''', d.name), format('''%s''', n.name)) AS example
FROM automation.trigger_definition AS d
CROSS JOIN LATERAL (
	SELECT d.name, d.object_type
	UNION ALL
	SELECT t.object_type || '.' || d.name, t.object_type
	FROM (
		SELECT k.object_type FROM automation.trigger_definition AS k WHERE k.object_type IS NOT NULL
		UNION
		SELECT e.object_type FROM automation.entity AS e
	) AS t
	WHERE d.object_type IS NULL
		AND NOT EXISTS (SELECT FROM automation.trigger_definition AS k WHERE k.name = t.object_type || '.' || d.name)
) AS n(name, object_type)
LEFT JOIN automation.entity AS e ON e.object_type = n.object_type;
COMMENT ON VIEW automation.triggers IS 'What rules can fire on, with the parameters of each: once for every attached table of its object type, and the generic ones once more for any';
COMMENT ON COLUMN automation.triggers.relation IS 'Attached table; null: none of that object type, or any';
COMMENT ON COLUMN automation.triggers.needs IS 'What the table lacks to support it; empty: it does';
COMMENT ON COLUMN automation.triggers.object_type IS 'What the rows are, as in automation.attach(); null: anything';
COMMENT ON COLUMN automation.triggers.detects IS 'When it fires';
COMMENT ON COLUMN automation.triggers.events IS 'Changes that can fire it: some of insert, update, delete';
COMMENT ON COLUMN automation.triggers.required IS 'Parameters that must be given';

-- From a name and parameters to SQL

CREATE FUNCTION automation._trigger_names(object_type text) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(DISTINCT t.name ORDER BY t.name)
	FROM automation.triggers AS t
	WHERE t.object_type = _trigger_names.object_type OR t.object_type IS NULL;
END;
COMMENT ON FUNCTION automation._trigger_names(text) IS 'Names of the triggers for rows of an object type';

CREATE FUNCTION automation._trigger(entity automation.entity, name text) RETURNS automation.trigger_definition
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	prefix CONSTANT text := substring(name FROM '^([^.]+)\.');
	definition automation.trigger_definition;
BEGIN
	SELECT d.* INTO definition FROM automation.trigger_definition AS d
	WHERE d.name = _trigger.name OR (d.object_type IS NULL AND d.name = substring(_trigger.name FROM '\.(.*)$'))
	ORDER BY d.object_type
	LIMIT 1;
	IF NOT FOUND THEN
		PERFORM automation._fail('22023', format('unrecognized trigger: "%s"', name),
			hint => coalesce(automation._perhaps(name, automation._trigger_names(entity.object_type)),
				'All triggers are listed in automation.triggers.'));
	ELSIF prefix <> entity.object_type THEN
		PERFORM automation._fail('22023', format('trigger "%s" is not for table "%s"', name, entity.relation),
			format('The table is attached with the object type "%s".', entity.object_type),
			CASE WHEN definition.object_type IS NULL THEN format('Use "%s".', definition.name)
				ELSE format('Attach it with object_type => %L, or use a generic trigger.', prefix) END);
	END IF;
	RETURN definition;
END
$$;
COMMENT ON FUNCTION automation._trigger(automation.entity, text) IS 'The trigger of this name, for rows of an entity';

CREATE FUNCTION automation._check_has_roles(entity automation.entity, who text, needed text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	roles CONSTANT jsonb := automation._roles(entity.relation);
	missing CONSTANT text[] := ARRAY(SELECT r FROM unnest(needed) AS r WHERE NOT roles ? r);
BEGIN
	IF missing <> '{}' THEN
		PERFORM automation._fail('55000',
			format('%s needs a column with the role "%s", and table "%s" has none', who, missing[1], entity.relation),
			hint => format('Name it: SELECT automation.attach(%L, object_type => %L, columns => %L);', entity.relation,
				entity.object_type, roles || (SELECT jsonb_object_agg(m, '...') FROM unnest(missing) AS m)));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_has_roles(automation.entity, text, text[]) IS 'Raises an error unless the table has the roles that somebody needs';

CREATE FUNCTION automation._labels(relation regclass, role text) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT jsonb_agg(l.enumlabel)
	FROM pg_catalog.pg_attribute AS a
	JOIN pg_catalog.pg_enum AS l ON l.enumtypid = a.atttypid
	WHERE a.attrelid = relation AND a.attname = automation._roles(relation) ->> role;
END;
COMMENT ON FUNCTION automation._labels(regclass, text) IS 'Labels of the enum that the column of a role has; null when that is none';

CREATE FUNCTION automation._usable(relation regclass, trigger text, role text, param text, choices jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	labels CONSTANT jsonb := automation._labels(relation, role);
	known CONSTANT jsonb := (SELECT jsonb_agg(v) FROM jsonb_array_elements_text(choices) AS v WHERE labels ? v);
BEGIN
	IF labels IS NOT NULL AND known IS NULL THEN
		PERFORM automation._fail('55000',
			format('no %s of table "%s" is one of those that trigger "%s" looks for', role, relation, trigger),
			format('It looks for %s.', (SELECT string_agg(v, ', ') FROM jsonb_array_elements_text(choices) AS v)),
			format('Name the %s: params => %L.', role, jsonb_build_object(param, '...')));
	END IF;
	RETURN coalesce(known, choices);
END
$$;
COMMENT ON FUNCTION automation._usable(regclass, text, text, text, jsonb) IS 'Default values without those that an enum column does not have';

CREATE FUNCTION automation._bind_text(value text, params jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN value ~ '^\{[^{}]+\}$' THEN params -> trim(BOTH '{}' FROM value)
	WHEN EXISTS (SELECT FROM regexp_matches(value, '\{([^{}]+)\}', 'g') AS m(name) WHERE NOT params ? m.name[1]) THEN NULL
	ELSE to_jsonb(automation._fill(value, params))
END;
COMMENT ON FUNCTION automation._bind_text(text, jsonb) IS 'The parameter that the text is, or the text with its parameters filled in; null when one is not given';

CREATE FUNCTION automation._bind(node jsonb, params jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE jsonb_typeof(node)
	WHEN 'string' THEN
		RETURN automation._bind_text(node #>> '{}', params);
	WHEN 'object' THEN
		-- With a parameter that is not given goes the whole comparison.
		RETURN (
			SELECT CASE WHEN bool_and(b.bound IS NOT NULL) THEN jsonb_object_agg(b.key, b.bound) END
			FROM (SELECT n.key, automation._bind(n.value, params) AS bound FROM jsonb_each(node) AS n) AS b);
	WHEN 'array' THEN
		RETURN (
			SELECT coalesce(jsonb_agg(b.bound ORDER BY b.place) FILTER (WHERE b.bound IS NOT NULL), '[]')
			FROM (
				SELECT n.place, automation._bind(n.value, params) AS bound
				FROM jsonb_array_elements(node) WITH ORDINALITY AS n(value, place)
			) AS b);
	ELSE
		RETURN node;
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._bind(jsonb, jsonb) IS 'The condition of a trigger with its parameters';

CREATE FUNCTION automation._spelled_out(params jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN params ? 'fields' AND NOT params ? 'field' THEN params - 'fields' || jsonb_build_object('field', params -> 'fields')
	WHEN params ? 'days' AND NOT params ? 'after' THEN params || jsonb_build_object('after', params ->> 'days' || ' days')
	ELSE params
END;
COMMENT ON FUNCTION automation._spelled_out(jsonb) IS 'Parameters of a trigger without their shorter forms: fields for field, days for after';

CREATE FUNCTION automation._trigger_params(trigger text, definition automation.trigger_definition, params jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given jsonb := coalesce(nullif(params, 'null'), '{}');
BEGIN
	IF jsonb_typeof(given) = 'object' THEN
		given := definition.defaults || automation._spelled_out(given);
	END IF;
	PERFORM automation._check_params(format('trigger "%s"', trigger), definition.params, given - 'settle'::text);
	IF given -> 'field' = '[]' THEN
		PERFORM automation._fail('22023', format('parameter "field" of trigger "%s" is empty', trigger));
	END IF;
	RETURN given;
END
$$;
COMMENT ON FUNCTION automation._trigger_params(text, automation.trigger_definition, jsonb) IS 'Parameters of a trigger, checked, with its defaults';

CREATE FUNCTION automation._role_parts(
	entity automation.entity,
	trigger text,
	definition automation.trigger_definition,
	params jsonb,
	kind text)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	about CONSTANT text := CASE kind WHEN 'role' THEN 'role' ELSE 'child_role' END;
	who CONSTANT text := format('trigger "%s"', trigger);
	param record;
	parts jsonb;
BEGIN
	PERFORM automation._check_has_roles(
		entity, who, CASE kind WHEN 'role' THEN definition.roles ELSE definition.child_roles END);
	SELECT jsonb_object_agg(kind || '.' || r.key || s.mark, automation._path_text(ARRAY[r.value])) INTO parts
	FROM jsonb_each_text(automation._roles(entity.relation)) AS r, (VALUES (''), ('?')) AS s(mark);
	FOR param IN
		SELECT p.key, p.value -> about AS roles, params -> p.key AS value
		FROM jsonb_each(definition.params -> 'properties') AS p
		WHERE p.value ? about AND params ? p.key
	LOOP
		IF param.value IS DISTINCT FROM definition.defaults -> param.key THEN
			PERFORM automation._check_has_roles(entity, who, ARRAY(SELECT jsonb_path_query(param.roles, '$[*]') #>> '{}'));
		ELSIF jsonb_typeof(param.value) = 'array' THEN
			parts := parts || jsonb_build_object(
				param.key, automation._usable(entity.relation, trigger, param.roles #>> '{}', param.key, param.value));
		END IF;
	END LOOP;
	RETURN coalesce(parts, '{}');
END
$$;
COMMENT ON FUNCTION automation._role_parts(automation.entity, text, automation.trigger_definition, jsonb, text)
	IS 'Columns of the roles (kind role or child), and those parameters about them that are adjusted to the columns; raises an error when one is missing';

CREATE FUNCTION automation._bound_sql(scope automation._scope, condition jsonb, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	field text := automation._path_text(automation._parse_path(params ->> 'field'));
BEGIN
	IF jsonb_typeof(params -> 'field') = 'array' THEN
		-- Any of the columns.
		RETURN (
			SELECT string_agg(
				format('(%s)', automation._bound_sql(scope, condition, params || jsonb_build_object('field', f.field))),
				' OR ' ORDER BY f.place)
			FROM jsonb_array_elements(params -> 'field') WITH ORDINALITY AS f(field, place));
	END IF;
	-- So that "old." can stand before it, a column First Name is written ["First Name"].
	RETURN automation._tree_sql(scope, automation._bind(condition, params || jsonb_strip_nulls(jsonb_build_object('field', field))));
END
$$;
COMMENT ON FUNCTION automation._bound_sql(automation._scope, jsonb, jsonb) IS 'SQL for the condition of a trigger';

CREATE FUNCTION automation._trigger_timing(definition automation.trigger_definition, params jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	timing jsonb := (
		SELECT jsonb_object_agg(t.key, automation._bind(t.value, params))
		FROM jsonb_each(definition.timing) AS t
		WHERE automation._bind(t.value, params) IS NOT NULL);
BEGIN
	IF params ? 'settle' THEN
		IF definition.timing IS NOT NULL THEN
			PERFORM automation._fail('22023', format('trigger "%s" cannot be settled', definition.name),
				'It waits already.');
		END IF;
		PERFORM automation._check_delay(params ->> 'settle', false, 'settle');
		RETURN jsonb_build_object('delay', params ->> 'settle');
	ELSIF definition.timing ? 'share' AND (timing ? 'before') = (timing ? 'share') THEN
		PERFORM automation._fail('22023', format('trigger "%s" takes one of "before" and "pct"', definition.name),
			hint => 'For example {"pct": 80}, or {"before": "1 hour"}.');
	ELSIF timing ? 'before' THEN
		RETURN timing - 'before' || jsonb_build_object('delay', (-automation._check_delay(timing ->> 'before', false, 'before'))::text);
	ELSIF timing ? 'delay' THEN
		PERFORM automation._check_delay(timing ->> 'delay', true, coalesce(substring(definition.timing ->> 'delay' FROM '^\{(.+)\}$'), 'delay'));
	END IF;
	RETURN timing;
END
$$;
COMMENT ON FUNCTION automation._trigger_timing(automation.trigger_definition, jsonb) IS 'When a run begins, if not with the change; settle waits until the row has been left alone for so long';

CREATE FUNCTION automation._trigger_sql(
	scope automation._scope,
	trigger text,
	params jsonb,
	OUT expression text,
	OUT events text[],
	OUT row_relation regclass,
	OUT via text,
	OUT timing jsonb,
	OUT still text,
	OUT is_standing boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entity CONSTANT automation.entity := automation._entity(scope.relation);
	definition CONSTANT automation.trigger_definition := automation._trigger(entity, trigger);
	given jsonb := automation._trigger_params(trigger, definition, params);
BEGIN
	row_relation := scope.relation;
	given := given || automation._role_parts(entity, trigger, definition, given, 'role')
		|| jsonb_build_object('relation', scope.relation);
	IF given ? 'child' THEN
		SELECT c.relation, c.source_column INTO row_relation, via
		FROM automation._child(scope.relation, given ->> 'child', given ->> 'link') AS c;
		given := given || automation._role_parts(automation._entity(row_relation), trigger, definition, given, 'child');
	END IF;
	events := definition.event_kinds;
	timing := automation._trigger_timing(definition, given);
	is_standing := definition.is_standing;
	scope := automation._scope(scope.relation, scope.owner, events, row_relation, via);
	expression := automation._bound_sql(scope, definition.condition, given);
	IF via IS NOT NULL THEN
		expression := concat(format('%s.%I IS NOT NULL', scope.base, via), ' AND (' || nullif(expression, 'true') || ')');
	END IF;
	IF timing IS NOT NULL THEN
		still := automation._bound_sql(scope, definition.still, given);
	END IF;
	IF is_standing THEN
		-- No change begins it: it applies to a row for as long as that holds.
		expression := still;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._trigger_sql(automation._scope, text, jsonb)
	IS 'What a trigger means for rows of scope.relation: an expression over old and new of row_relation, the events, and the column that leads to the row the rule is about';
