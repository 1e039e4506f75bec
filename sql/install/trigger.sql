-- What a rule can fire on: the library of triggers, and what turns one into SQL.
--
-- A trigger is a JSON condition (condition.sql) over roles and parameters. "{to}" stands for a
-- parameter and "{role.status}" for the column of a role; a part whose parameter is not given is left out.

CREATE TABLE automation.trigger_definition (
	name text PRIMARY KEY,
	object_type text,
	kind text NOT NULL CHECK (kind IN ('event', 'time', 'external', 'system')),
	event_kinds text[] NOT NULL CHECK (event_kinds <@ '{insert,update,delete}'),
	condition jsonb NOT NULL,
	roles text[] NOT NULL DEFAULT '{}',
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
COMMENT ON COLUMN automation.trigger_definition.roles IS 'Roles that the table must have';
COMMENT ON COLUMN automation.trigger_definition.params IS 'JSON schema of the parameters';
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
		"from": {"type": ["string", "number", "boolean", "array"], "description": "the status before, or an array of them"},
		"to": {"type": ["string", "number", "boolean", "array"], "description": "the status now, or an array of them"}}}',
	'the status changes',
	$$trigger => 'status_changed', params => '{"from": "Scheduled", "to": "Dispatched"}'$$),
('status_entered', 'event', '{insert,update}',
	'{"field": "{role.status}", "operator": "changedTo", "value": "{to}"}', '{status}',
	'{"required": ["to"], "properties": {
		"to": {"type": ["string", "number", "boolean", "array"], "description": "the status, or an array of them"}}}',
	'a row gets a status, or is inserted with it',
	$$trigger => 'status_entered', params => '{"to": "Dispatched"}'$$),
('status_left', 'event', '{update}',
	'{"all": [
		{"field": "{role.status}", "operator": "changedFrom", "value": "{from}"},
		{"field": "new.{role.status}", "operator": "isNoneOf", "value": "{from}"}]}', '{status}',
	'{"required": ["from"], "properties": {
		"from": {"type": ["string", "number", "boolean", "array"], "description": "the status, or an array of them"}}}',
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
('child_added', 'event', '{insert}', '{"all": []}', '{}',
	'{"required": ["child"], "properties": {
		"child": {"type": "string", "description": "an attached table whose rows lead to this one, or its object type"},
		"link": {"type": "string", "description": "the column that leads here, when there are several"}}}',
	'a row that leads to this one is inserted; in conditions new is that row, a plain column is of this one',
	$$trigger => 'child_added', params => '{"child": "crm.note"}'$$),
('manual', 'system', '{}', '{"all": []}', '{}', '{"properties": {}}',
	'somebody asks for it: automation.fire(), or a step start_rule of another rule',
	$$trigger => 'manual'$$);

UPDATE automation.trigger_definition SET defaults = '{"direction": "up"}' WHERE name = 'threshold_crossed';

-- A status has two usual spellings, Title Case and snake_case; "to" or "from" names any other.
CREATE FUNCTION automation._spellings(statuses text[]) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT jsonb_agg(s.spelling ORDER BY u.place, s.spelling)
	FROM unnest(statuses) WITH ORDINALITY AS u(status, place),
		LATERAL (SELECT u.status UNION SELECT replace(lower(u.status), ' ', '_')) AS s(spelling)
);
COMMENT ON FUNCTION automation._spellings(text[]) IS 'Each status as "En Route" and as "en_route"';

INSERT INTO automation.trigger_definition
	(name, object_type, kind, event_kinds, condition, roles, params, defaults, description, example)
SELECT n.name, split_part(n.name, '.', 1), d.kind, d.event_kinds, d.condition, d.roles, d.params,
	jsonb_build_object(n.param, automation._spellings(n.statuses)), n.description,
	format($$trigger => '%s'$$, n.name)
FROM (VALUES
	('job.scheduled', 'status_entered', 'to', '{Scheduled}'::text[], 'a job is scheduled'),
	('job.dispatched', 'status_entered', 'to', '{Dispatched}', 'a technician is sent to a job'),
	('job.en_route', 'status_entered', 'to', '{En Route}', 'the technician is on the way'),
	('job.on_site', 'status_entered', 'to', '{On Site}', 'the technician has arrived'),
	('job.completed', 'status_entered', 'to', '{Completed}', 'a job is done'),
	('job.closed', 'status_entered', 'to', '{Closed}', 'a job is closed'),
	('job.cancelled', 'status_entered', 'to', '{Cancelled,Canceled}', 'a job is cancelled'),
	('job.reopened', 'status_left', 'from', '{Completed,Closed,Cancelled,Canceled}', 'a job that was done, closed or cancelled is taken up again'),
	('job.on_hold', 'status_entered', 'to', '{On Hold}', 'a job is put on hold'),
	('job.resumed', 'status_left', 'from', '{On Hold}', 'a job that was on hold goes on'),
	('appointment.confirmed', 'status_entered', 'to', '{Confirmed}', 'an appointment is confirmed'),
	('appointment.cancelled', 'status_entered', 'to', '{Cancelled,Canceled}', 'an appointment is cancelled'),
	('appointment.no_show', 'status_entered', 'to', '{No Show}', 'the customer was not there'),
	('estimate.sent', 'status_entered', 'to', '{Sent}', 'an estimate is sent'),
	('estimate.viewed', 'status_entered', 'to', '{Viewed}', 'the customer has opened an estimate'),
	('estimate.approved', 'status_entered', 'to', '{Approved,Accepted}', 'the customer has approved an estimate'),
	('estimate.declined', 'status_entered', 'to', '{Declined,Rejected}', 'the customer has declined an estimate'),
	('invoice.sent', 'status_entered', 'to', '{Sent}', 'an invoice is sent'),
	('invoice.viewed', 'status_entered', 'to', '{Viewed}', 'the customer has opened an invoice'),
	('invoice.partially_paid', 'status_entered', 'to', '{Partially Paid}', 'part of an invoice is paid'),
	('invoice.paid', 'status_entered', 'to', '{Paid}', 'an invoice is paid'),
	('invoice.voided', 'status_entered', 'to', '{Void,Voided}', 'an invoice is voided'),
	('invoice.disputed', 'status_entered', 'to', '{Disputed}', 'the customer disputes an invoice'),
	('payment.received', 'status_entered', 'to', '{Received,Succeeded,Paid}', 'a payment has arrived'),
	('payment.failed', 'status_entered', 'to', '{Failed,Declined}', 'a payment has failed'),
	('payment.refunded', 'status_entered', 'to', '{Refunded}', 'a payment is refunded'),
	('lead.qualified', 'status_entered', 'to', '{Qualified}', 'a lead is found to be worth the work'),
	('lead.converted', 'status_entered', 'to', '{Converted}', 'a lead has become a customer'),
	('lead.lost', 'status_entered', 'to', '{Lost}', 'a lead is lost'),
	('deal.won', 'status_entered', 'to', '{Won,Closed Won}', 'a deal is won'),
	('deal.lost', 'status_entered', 'to', '{Lost,Closed Lost}', 'a deal is lost'),
	('task.completed', 'status_entered', 'to', '{Completed,Done}', 'a task is done'),
	('task.reopened', 'status_left', 'from', '{Completed,Done}', 'a task that was done is taken up again')
) AS n(name, generic, param, statuses, description)
JOIN automation.trigger_definition AS d ON d.name = n.generic;

INSERT INTO automation.trigger_definition
	(name, object_type, kind, event_kinds, condition, roles, params, defaults, description, example)
SELECT n.name, split_part(n.name, '.', 1), d.kind, d.event_kinds, d.condition, d.roles, d.params,
	n.defaults, n.description, format($$trigger => '%s'$$, n.name)
FROM (VALUES
	('deal.stage_changed', 'status_changed', '{}'::jsonb, 'a deal moves to another stage'),
	('appointment.booked', 'created', '{}', 'an appointment is made'),
	('note.added', 'created', '{}', 'a note is written'),
	('attachment.added', 'created', '{}', 'a file is attached'),
	('job.note_added', 'child_added', '{"child": "note"}', 'a note is written on a job'),
	('job.photo_added', 'child_added', '{"child": "photo"}', 'a photo is added to a job'),
	('contact.note_added', 'child_added', '{"child": "note"}', 'a note is written on a contact'),
	('deal.note_added', 'child_added', '{"child": "note"}', 'a note is written on a deal')
) AS n(name, generic, defaults, description)
JOIN automation.trigger_definition AS d ON d.name = n.generic;

-- field_changed, whose field is the column of a role.
INSERT INTO automation.trigger_definition
	(name, object_type, kind, event_kinds, condition, roles, params, defaults, description, example)
SELECT n.name, split_part(n.name, '.', 1), d.kind, d.event_kinds,
	replace(d.condition::text, '{field}', format('{role.%s}', n.role))::jsonb, ARRAY[n.role],
	jsonb_build_object('properties', (d.params -> 'properties') - 'field'::text), '{}', n.description,
	format($$trigger => '%s'$$, n.name)
FROM (VALUES
	('job.priority_changed', 'priority', 'the priority of a job changes'),
	('appointment.moved', 'start', 'an appointment is moved to another time'),
	('estimate.amount_changed', 'amount', 'the amount of an estimate changes'),
	('deal.amount_changed', 'amount', 'the amount of a deal changes'),
	('contact.address_changed', 'address', 'a contact moves'),
	('task.due_changed', 'due', 'the due date of a task changes')
) AS n(name, role, description)
JOIN automation.trigger_definition AS d ON d.name = 'field_changed';

-- Time

INSERT INTO automation.trigger_definition
	(name, kind, event_kinds, condition, roles, params, defaults, timing, is_standing, description, example) VALUES
('date_approaching', 'time', '{insert,update}', '{"all": []}', '{}',
	'{"required": ["field", "before"], "properties": {
		"field": {"type": "string", "description": "a column: a date or a time"},
		"before": {"type": "string", "description": "how long before it, an interval"}}}',
	'{}',
	'{"anchor": "field:{field}", "before": "{before}"}', true,
	'a date of the row is so near; once for each date, while the condition holds',
	$$trigger => 'date_approaching', params => '{"field": "starts_at", "before": "1 day"}'$$),
('date_passed', 'time', '{insert,update}', '{"all": []}', '{}',
	'{"required": ["field"], "properties": {
		"field": {"type": "string", "description": "a column: a date or a time"},
		"after": {"type": "string", "description": "how long after it, an interval; at once by default"}}}',
	'{"after": "0"}',
	'{"anchor": "field:{field}", "delay": "{after}"}', true,
	'a date of the row is so long ago; once for each date, while the condition holds',
	$$trigger => 'date_passed', params => '{"field": "due_on", "after": "7 days"}'$$),
('stayed_in_status', 'time', '{insert,update}',
	'{"all": [
		{"field": "{role.status}", "operator": "changed"},
		{"field": "new.{role.status}", "operator": "isOneOf", "value": "{status}"}]}', '{status}',
	'{"required": ["for"], "properties": {
		"status": {"type": ["string", "array"], "description": "the status, or an array of them; any by default"},
		"for": {"type": "string", "description": "how long, an interval"}}}',
	'{}',
	'{"delay": "{for}", "cancel_if_changed": ["{role.status}"]}', false,
	'the row has stayed in a status for so long',
	$$trigger => 'stayed_in_status', params => '{"status": "Offer sent", "for": "3 days"}'$$),
('no_activity', 'time', '{insert,update}', '{"all": []}', '{}',
	'{"required": ["for"], "properties": {
		"for": {"type": "string", "description": "how long, an interval"}}}',
	'{}',
	'{"delay": "{for}"}', false,
	'nothing in the row has changed for so long',
	$$trigger => 'no_activity', params => '{"for": "30 days"}'$$),
('recurring', 'time', '{insert,update}', '{"all": []}', '{}',
	'{"required": ["field", "every"], "properties": {
		"field": {"type": "string", "description": "a column: the date or time from which it is counted"},
		"every": {"type": "string", "description": "an interval"},
		"zone": {"type": "string", "description": "whose clocks count, or field:column"}}}',
	'{}', '{"anchor": "field:{field}", "every": "{every}", "zone": "{zone}"}', true,
	'again and again for each row, counted from a date of the row, while the condition holds',
	$$trigger => 'recurring', params => '{"field": "starts_on", "every": "1 month"}'$$),
('schedule', 'time', '{}', '{"all": []}', '{}',
	'{"required": ["cron"], "properties": {
		"cron": {"type": "string", "description": "minute, hour, day of the month, month, day of the week"},
		"zone": {"type": "string", "description": "whose clocks count"}}}',
	'{}', '{"cron": "{cron}", "zone": "{zone}"}', false,
	'at fixed times, for no row in particular',
	$$trigger => 'schedule', params => '{"cron": "0 9 * * mon-fri", "zone": "Europe/Berlin"}'$$);

CREATE VIEW automation.triggers AS
SELECT
	n.name,
	n.object_type,
	d.kind,
	d.description AS detects,
	d.event_kinds AS events,
	d.roles,
	d.params -> 'properties' AS params,
	d.params -> 'required' AS required,
	d.defaults,
	replace(d.example, format('''%s''', d.name), format('''%s''', n.name)) AS example,
	ARRAY(
		SELECT e.relation FROM automation.entity AS e
		WHERE e.object_type = coalesce(n.object_type, e.object_type)
		ORDER BY e.id) AS tables
FROM automation.trigger_definition AS d,
	LATERAL (
		SELECT d.name, d.object_type
		UNION ALL
		SELECT t.object_type || '.' || d.name, t.object_type
		FROM (
			SELECT k.object_type FROM automation.trigger_definition AS k WHERE k.object_type IS NOT NULL
			UNION
			SELECT e.object_type FROM automation.entity AS e
		) AS t
		WHERE d.object_type IS NULL
	) AS n(name, object_type);
COMMENT ON VIEW automation.triggers IS 'What rules can fire on, with the parameters of each, and the attached tables it is for';

-- From a name and parameters to SQL

CREATE FUNCTION automation._trigger_names(object_type text) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(t.name ORDER BY t.name)
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
	WHERE d.name = _trigger.name OR (d.object_type IS NULL AND d.name = substring(_trigger.name FROM '\.(.*)$'));
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

CREATE FUNCTION automation._check_has_roles(entity automation.entity, trigger text, needed text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	roles CONSTANT jsonb := automation._roles(entity.relation);
	missing CONSTANT text := (SELECT r FROM unnest(needed) AS r WHERE NOT roles ? r LIMIT 1);
BEGIN
	IF missing IS NOT NULL THEN
		PERFORM automation._fail('55000',
			format('trigger "%s" needs a column with the role "%s", and table "%s" has none',
				trigger, missing, entity.relation),
			hint => format('Name it: SELECT automation.attach(%L, object_type => %L, columns => %L);',
				entity.relation, entity.object_type, roles || jsonb_build_object(missing, '...')));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_has_roles(automation.entity, text, text[]) IS 'Raises an error unless the table has the roles that a trigger needs';

CREATE FUNCTION automation._usable_defaults(entity automation.entity, trigger text, defaults jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	column_type CONSTANT oid := (
		SELECT a.atttypid FROM pg_attribute AS a
		WHERE a.attrelid = entity.relation AND a.attname = automation._roles(entity.relation) ->> 'status');
	labels CONSTANT jsonb := (SELECT jsonb_agg(l.enumlabel) FROM pg_enum AS l WHERE l.enumtypid = column_type);
	param record;
	known jsonb;
BEGIN
	FOR param IN
		SELECT d.key, d.value FROM jsonb_each(defaults) AS d
		WHERE jsonb_typeof(d.value) = 'array' AND labels IS NOT NULL
	LOOP
		known := (SELECT jsonb_agg(v) FROM jsonb_array_elements_text(param.value) AS v WHERE labels ? v);
		IF known IS NULL THEN
			PERFORM automation._fail('55000',
				format('no status of table "%s" is one of those that trigger "%s" looks for', entity.relation, trigger),
				format('It looks for %s.', (SELECT string_agg(v, ', ') FROM jsonb_array_elements_text(param.value) AS v)),
				format('Name the status: params => %L.', jsonb_build_object(param.key, '...')));
		END IF;
		defaults := defaults || jsonb_build_object(param.key, known);
	END LOOP;
	RETURN defaults;
END
$$;
COMMENT ON FUNCTION automation._usable_defaults(automation.entity, text, jsonb) IS 'Defaults without the statuses that an enum column does not have';

CREATE FUNCTION automation._bind_text(value text, params jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN value ~ '^\{[^{}]+\}$' THEN params -> trim(BOTH '{}' FROM value)
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

CREATE FUNCTION automation._trigger_params(
	entity automation.entity,
	trigger text,
	definition automation.trigger_definition,
	params jsonb)
RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given jsonb := coalesce(nullif(params, 'null'), '{}');
BEGIN
	IF jsonb_typeof(given) = 'object' THEN
		IF given ? 'fields' AND NOT given ? 'field' THEN
			given := given - 'fields' || jsonb_build_object('field', given -> 'fields');
		END IF;
		given := automation._usable_defaults(
			entity, trigger, definition.defaults - ARRAY(SELECT jsonb_object_keys(given))) || given;
	END IF;
	PERFORM automation._check_params(format('trigger "%s"', trigger), definition.params, given - 'settle'::text);
	IF given -> 'field' = '[]' THEN
		PERFORM automation._fail('22023', format('parameter "field" of trigger "%s" is empty', trigger));
	END IF;
	RETURN given || (
		SELECT coalesce(jsonb_object_agg('role.' || r.key, automation._path_text(ARRAY[r.value])), '{}')
		FROM jsonb_each_text(automation._roles(entity.relation)) AS r);
END
$$;
COMMENT ON FUNCTION automation._trigger_params(automation.entity, text, automation.trigger_definition, jsonb) IS 'Parameters of a trigger, checked, with its defaults and the columns of roles';

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
	RETURN automation._tree_sql(scope, automation._bind(condition, params || jsonb_build_object('field', field)));
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
	ELSIF timing ? 'before' THEN
		RETURN timing - 'before' || jsonb_build_object('delay', (-automation._check_delay(timing ->> 'before', false, 'before'))::text);
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
	OUT is_standing boolean)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entity CONSTANT automation.entity := automation._entity(scope.relation);
	definition CONSTANT automation.trigger_definition := automation._trigger(entity, trigger);
	given jsonb;
BEGIN
	PERFORM automation._check_has_roles(entity, trigger, definition.roles);
	given := automation._trigger_params(entity, trigger, definition, params);
	events := definition.event_kinds;
	timing := automation._trigger_timing(definition, given);
	is_standing := definition.is_standing;
	row_relation := scope.relation;
	IF given ? 'child' THEN
		SELECT c.relation, c.source_column INTO row_relation, via
		FROM automation._child(scope.relation, given ->> 'child', given ->> 'link') AS c;
		PERFORM automation._entity(row_relation);
		expression := format('new.%I IS NOT NULL', via);
	ELSE
		expression := automation._bound_sql(
			automation._scope(scope.relation, scope.owner, events), definition.condition, given);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._trigger_sql(automation._scope, text, jsonb)
	IS 'What a trigger means for rows of scope.relation: an expression over old and new of row_relation, the events, and the column that leads to the row the rule is about';
