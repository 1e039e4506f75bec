-- Triggers with names of the trade: data over the generic ones.
--
-- Each line tells the generic trigger, which roles' columns its parameters stand for, what must hold besides
-- ("{role.x}", "{x}" as in trigger.sql), further parameters and defaults. A further parameter that is only
-- the name of a role ("job_type": "type") narrows the trigger to rows whose column of that role is one of the values.

-- A status has two usual spellings, Title Case and snake_case; a parameter names any other.
CREATE FUNCTION automation._spellings(choices jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE jsonb_typeof(choices) WHEN 'array' THEN (
	SELECT jsonb_agg(s.spelling ORDER BY u.place, s.spelling)
	FROM jsonb_array_elements_text(choices) WITH ORDINALITY AS u(choice, place),
		LATERAL (SELECT u.choice UNION SELECT replace(lower(u.choice), ' ', '_')) AS s(spelling)
) ELSE choices END;
COMMENT ON FUNCTION automation._spellings(jsonb) IS 'Each of the choices as "En Route" and as "en_route"';

CREATE FUNCTION automation._with_columns(node jsonb, columns jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	template text := node;
	part record;
BEGIN
	FOR part IN SELECT c.key, c.value FROM jsonb_each_text(columns) AS c LOOP
		template := replace(template, format('{%s}', part.key), format('{role.%s}', part.value));
	END LOOP;
	RETURN template;
END
$$;
COMMENT ON FUNCTION automation._with_columns(jsonb, jsonb) IS 'Part of a generic trigger in which parameters have become columns of roles';

CREATE FUNCTION automation._with_filter(node jsonb, filter jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN filter IS NULL THEN node
	WHEN strpos(node::text, '"{filter}"') > 0 THEN replace(node::text, '"{filter}"', filter::text)::jsonb
	WHEN node = '{"all": []}' THEN filter
	ELSE jsonb_build_object('all', jsonb_build_array(node, filter))
END;
COMMENT ON FUNCTION automation._with_filter(jsonb, jsonb) IS 'Part of a generic trigger with a condition, in its place or besides';

CREATE FUNCTION automation._narrowed(filter jsonb, params jsonb, is_later boolean) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT CASE WHEN count(*) = 0 THEN filter ELSE jsonb_build_object('all',
		CASE WHEN filter IS NULL THEN '[]' ELSE jsonb_build_array(filter) END || jsonb_agg(jsonb_build_object('operator', 'isOneOf', 'value', format('{%s}', p.key), 'field', format(CASE
			WHEN starts_with(p.value #>> '{}', 'child.') THEN 'new.{%s?}'
			WHEN is_later THEN '{role.%s?}'
			ELSE 'new.{role.%s?}' END, p.value #>> '{}')) ORDER BY p.key)) END
	FROM jsonb_each(params) AS p
	WHERE jsonb_typeof(p.value) = 'string'
);
COMMENT ON FUNCTION automation._narrowed(jsonb, jsonb, boolean) IS 'Condition of a trigger with those that its further parameters make';

CREATE FUNCTION automation._further_params(params jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT coalesce(jsonb_object_agg(p.key, CASE jsonb_typeof(p.value) WHEN 'string' THEN jsonb_build_object(
		'type', '["string", "number", "boolean", "array"]'::jsonb,
		CASE WHEN starts_with(p.value #>> '{}', 'child.') THEN 'child_role' ELSE 'role' END,
		replace(p.value #>> '{}', 'child.', ''),
		'description', format('only with this %s, or one of an array', replace(p.key, '_', ' ')))
	ELSE p.value END), '{}')
	FROM jsonb_each(params) AS p
);
COMMENT ON FUNCTION automation._further_params(jsonb) IS 'JSON schema of further parameters of a trigger';

CREATE FUNCTION automation._roles_in(kind text, VARIADIC parts jsonb[]) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(
	SELECT DISTINCT m.role[1]
	FROM unnest(parts) AS p(part), regexp_matches(p.part::text, format('\{%s\.(\w+)\}', kind), 'g') AS m(role)
	ORDER BY 1
);
COMMENT ON FUNCTION automation._roles_in(text, jsonb[]) IS 'Roles that a trigger cannot do without';

CREATE FUNCTION automation._specialised(
	generic automation.trigger_definition,
	name text,
	columns jsonb,
	filter jsonb,
	further jsonb,
	defaults jsonb,
	sample jsonb,
	description text)
RETURNS automation.trigger_definition
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made automation.trigger_definition := generic;
	is_later CONSTANT boolean := generic.kind = 'time';
	gone CONSTANT text[] := ARRAY(SELECT jsonb_object_keys(columns))
		|| CASE WHEN filter IS NOT NULL THEN '{filter}'::text[] ELSE '{}' END;
BEGIN
	filter := automation._narrowed(filter, further, is_later);
	made.name := name;
	made.object_type := split_part(name, '.', 1);
	made.generic := generic.name;
	made.condition := automation._with_columns(generic.condition, columns);
	IF NOT is_later OR strpos(generic.condition::text, '{filter}') > 0 THEN
		made.condition := automation._with_filter(made.condition, filter);
	END IF;
	IF is_later THEN
		made.still := automation._with_filter(generic.still, filter);
	END IF;
	made.timing := automation._with_columns(generic.timing, columns);
	made.roles := automation._roles_in('role', made.condition, made.still, made.timing);
	made.child_roles := automation._roles_in('child', made.condition);
	made.defaults := generic.defaults || (
		SELECT coalesce(jsonb_object_agg(d.key, automation._spellings(d.value)), '{}') FROM jsonb_each(defaults) AS d);
	made.params := jsonb_build_object(
		'properties', (generic.params -> 'properties') - gone || automation._further_params(further),
		'required', (
			SELECT coalesce(jsonb_agg(r), '[]') FROM jsonb_array_elements_text(generic.params -> 'required') AS r
			WHERE r <> ALL (gone) AND NOT made.defaults ? r));
	made.description := description;
	made.example := concat(format('trigger => ''%s''', name), ', params => ''' || sample::text || '''');
	RETURN made;
END
$$;
COMMENT ON FUNCTION automation._specialised(automation.trigger_definition, text, jsonb, jsonb, jsonb, jsonb, jsonb, text)
	IS 'A trigger with a name of the trade, made of a generic one';

INSERT INTO automation.trigger_definition
SELECT (automation._specialised(d, t.name, coalesce(t.columns::jsonb, '{}'), t.filter::jsonb, coalesce(t.further::jsonb, '{}'),
	coalesce(t.defaults::jsonb, '{}'), t.sample::jsonb, t.description)).*
FROM (VALUES
	-- Jobs
	('job.created', 'created', NULL, NULL, '{"job_type": "type", "source": "source"}', NULL, NULL,
		'a job is opened'),
	('job.scheduled', 'status_entered', NULL, NULL, '{"job_type": "type"}', '{"to": ["Scheduled"]}', NULL,
		'a job is scheduled'),
	('job.dispatched', 'status_entered', NULL, NULL, '{"job_type": "type"}', '{"to": ["Dispatched"]}', NULL,
		'a technician is sent to a job'),
	('job.en_route', 'status_entered', NULL, NULL, '{"job_type": "type"}', '{"to": ["En Route", "On My Way"]}', NULL,
		'the technician is on the way'),
	('job.on_site', 'status_entered', NULL, NULL, '{"job_type": "type"}', '{"to": ["On Site", "Arrived"]}', NULL,
		'the technician has arrived'),
	('job.completed', 'status_entered', NULL, NULL, '{"job_type": "type"}', '{"to": ["Completed", "Complete"]}', NULL,
		'a job is done'),
	('job.closed', 'status_entered', NULL, NULL, '{"job_type": "type"}', '{"to": ["Closed"]}', NULL,
		'a job is closed'),
	('job.cancelled', 'status_entered', NULL, NULL, '{"job_type": "type", "reason": "reason"}', '{"to": ["Cancelled", "Canceled"]}', NULL,
		'a job is cancelled'),
	('job.reopened', 'status_left', NULL, NULL, '{"job_type": "type"}', '{"from": ["Completed", "Complete", "Closed", "Cancelled", "Canceled"]}', NULL,
		'a job that was done, closed or cancelled is taken up again'),
	('job.on_hold', 'status_entered', NULL, NULL, '{"job_type": "type", "reason": "reason"}', '{"to": ["On Hold"]}', NULL,
		'a job is put on hold'),
	('job.resumed', 'status_left', NULL, NULL, '{"job_type": "type"}', '{"from": ["On Hold"]}', NULL,
		'a job that was on hold goes on'),
	('job.unassigned_for', 'held_for', NULL,
		'{"all": [{"field": "{role.owner}", "operator": "empty"}, {"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}]}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which it needs nobody"}}',
		'{"closed": ["Completed", "Complete", "Closed", "Cancelled", "Canceled"]}', '{"for": "15 minutes"}',
		'an open job has had no technician for so long'),
	('job.priority_changed', 'field_changed', '{"field": "priority"}', NULL, NULL, NULL, '{"to": "High"}',
		'the priority of a job changes'),
	('job.emergency_created', 'created', NULL, '{"field": "new.{role.priority}", "operator": "isOneOf", "value": "{class}"}',
		'{"class": {"type": ["string", "number", "array"], "role": "priority", "description": "priorities that are emergencies"}}',
		'{"class": ["Emergency"]}', '{"class": ["No Heat", "Gas Leak"]}',
		'a job is opened whose priority is an emergency''s'),
	('job.note_added', 'child_added', NULL, NULL, '{"visibility": "child.visibility"}', '{"child": "note"}', NULL,
		'a note is written on a job'),
	('job.photo_added', 'child_added', NULL, NULL, '{"kind": "child.kind"}', '{"child": "photo"}', NULL,
		'a photo is added to a job'),
	('job.checklist_completed', 'child_status_entered', NULL, NULL, '{"template": "child.template"}', '{"child": "checklist", "to": ["Completed", "Complete", "Done"]}', NULL,
		'a checklist of a job is worked off'),
	('job.signature_captured', 'flag_set', '{"field": "signature"}', NULL, NULL, NULL, NULL,
		'the customer signs for a job'),
	('job.completed_without_signature', 'status_entered', NULL, '{"field": "new.{role.signature}", "operator": "isNotSet"}',
		'{"job_type": "type"}', '{"to": ["Completed", "Complete"]}', NULL,
		'a job is done and the customer has not signed'),
	('job.completed_without_photo', 'status_entered', NULL, '{"none": [{"exists": "{photo}"}]}',
		'{"job_type": "type", "photo": {"type": "string", "table": true, "description": "an attached table of photos, or its object type"}}',
		'{"to": ["Completed", "Complete"], "photo": "photo"}', NULL,
		'a job is done and has no photo'),
	('job.cost_changed', 'field_changed', '{"field": "cost"}', NULL, NULL, NULL, NULL,
		'what a job costs changes'),
	('job.nte_approaching', 'field_matches', NULL,
		'{"field": "{role.cost}", "operator": ">=", "value": "{role.limit}", "valueSource": "field", "times": "{at_ratio}"}',
		'{"at_ratio": {"type": "number", "description": "share of the limit"}}', '{"at_ratio": 0.9}', '{"at_ratio": 0.8}',
		'the costs of a job come near the amount not to exceed; again only after the limit was raised'),
	('job.nte_exceeded', 'field_matches', NULL,
		'{"field": "{role.cost}", "operator": ">", "value": "{role.limit}", "valueSource": "field"}', NULL, NULL, NULL,
		'the costs of a job exceed the amount not to exceed; again only after the limit was raised'),
	('job.overdue', 'date_passed', '{"field": "due"}', '{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which it is not overdue"}}',
		'{"closed": ["Completed", "Complete", "Closed", "Cancelled", "Canceled"]}', '{"after": "30 minutes"}',
		'the time by which a job was to be done is over, and it is not'),
	('job.callback_detected', 'created', NULL,
		'{"exists": "{relation}", "by": ["{role.location}", "{role.equipment?}"], "where": {"all": [
			{"field": "{role.status}", "operator": "isOneOf", "value": "{done}"},
			{"field": "{role.completed}", "operator": "withinLast", "value": "{within}"}]}}',
		'{"within": {"type": "string", "description": "so long after the first, an interval"},
			"done": {"type": "array", "role": "status", "description": "statuses of a job that was done"}}',
		'{"within": "30 days", "done": ["Completed", "Complete", "Closed"]}', '{"within": "14 days"}',
		'a job is opened at a location, and for equipment, where another was done shortly before'),
	('job.warranty_claimed', 'flag_set', '{"field": "warranty"}', NULL, NULL, NULL, NULL,
		'a job turns out to be a case of warranty'),
	('job.first_visit_incomplete', 'child_added', NULL, '{"count": "{child}", "operator": ">=", "value": 2}', NULL, '{"child": "appointment"}', NULL,
		'a job needs another appointment'),

	-- Appointments
	('appointment.booked', 'created', NULL, NULL, '{"channel": "channel"}', NULL, NULL,
		'an appointment is made'),
	('appointment.confirmed', 'status_entered', NULL, NULL, NULL, '{"to": ["Confirmed"]}', NULL,
		'an appointment is confirmed'),
	('appointment.cancelled', 'status_entered', NULL, NULL, '{"reason": "reason"}', '{"to": ["Cancelled", "Canceled"]}', NULL,
		'an appointment is cancelled'),
	('appointment.no_show', 'status_entered', NULL, NULL, NULL, '{"to": ["No Show"]}', NULL,
		'the customer was not there'),
	('appointment.moved', 'updated', NULL,
		'{"any": [{"field": "{role.start}", "operator": "changed"}, {"field": "{role.end?}", "operator": "changed"}, {"field": "{role.owner?}", "operator": "changed"}]}',
		'{"by": "moved_by"}', NULL, NULL,
		'an appointment goes to another time or another technician'),
	('appointment.rescheduled_by_customer', 'field_changed', '{"field": "start"}', '{"field": "new.{role.moved_by}", "operator": "isOneOf", "value": "{by}"}',
		'{"by": {"type": ["string", "array"], "role": "moved_by", "description": "what the column says of a customer"}}', '{"by": ["Customer"]}', NULL,
		'a customer moves an appointment'),
	('appointment.starting_soon', 'date_approaching', '{"field": "start"}', '{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which it does not take place"}}',
		'{"closed": ["Completed", "Complete", "Cancelled", "Canceled", "No Show"]}', '{"before": "1 day", "time_of_day": "18:00"}',
		'an appointment is near; with time_of_day, at that time so many days before'),
	('appointment.late_start', 'date_passed', '{"field": "start"}', '{"field": "{role.status}", "operator": "isNoneOf", "value": "{begun}"}',
		'{"begun": {"type": "array", "role": "status", "description": "statuses in which it has begun, or does not take place"}}',
		'{"after": "15 minutes", "begun": ["On Site", "Arrived", "Started", "In Progress", "Completed", "Complete", "Cancelled", "Canceled", "No Show"]}', '{"after": "10 minutes"}',
		'an appointment should have begun, and has not'),
	('appointment.running_late', 'field_matches', NULL,
		'{"field": "{role.eta}", "operator": ">", "value": "{role.end}", "valueSource": "field", "plus": "{minutes} minutes"}',
		'{"minutes": {"type": "number", "description": "so much later than the end of the window"}}', '{"minutes": 0}', '{"minutes": 15}',
		'the technician is now expected after the end of the window'),
	('appointment.eta_changed', 'date_moved', '{"field": "eta"}', NULL, NULL, '{"by": "10 minutes"}', '{"by": "5 minutes"}',
		'the technician is expected at another time'),

	-- Technicians and capacity
	('technician.overtime_risk', 'threshold_crossed', '{"field": "hours"}', NULL, NULL, '{"value": 40, "direction": "up"}', '{"value": 38}',
		'the hours planned for a technician reach the limit'),
	('technician.unavailable', 'child_added', NULL, NULL, '{"kind": "child.kind"}', '{"child": "absence"}', NULL,
		'a technician is absent'),
	('technician.shift_ended', 'date_passed', '{"field": "shift_end"}', NULL, NULL, NULL, NULL,
		'the shift of a technician is over'),
	('ping.missing', 'no_activity', NULL, '{"none": [{"exists": "{relation}", "by": "{role.owner}", "where": {"field": "{role.created}", "operator": "newerThan", "value": "{for}"}}]}',
		NULL, NULL, '{"for": "30 minutes"}',
		'whoever sends where he is has not done so for so long'),
	('capacity.threshold_crossed', 'field_matches', NULL,
		'{"field": "{role.booked}", "operator": ">=", "value": "{role.available}", "valueSource": "field", "times": "{ratio}"}',
		'{"ratio": {"type": "number", "description": "share of what is available"}}', '{"ratio": 0.85}', '{"ratio": 0.95}',
		'so much of a day''s capacity is booked'),
	('capacity.hold_expiring', 'date_approaching', '{"field": "expires"}', NULL, NULL, NULL, '{"before": "3 days"}',
		'capacity that is held back will soon be given free'),

	-- Estimates
	('estimate.sent', 'status_entered', NULL, NULL, NULL, '{"to": ["Sent"]}', NULL,
		'an estimate is sent'),
	('estimate.viewed', 'status_entered', NULL, NULL, NULL, '{"to": ["Viewed"]}', NULL,
		'the customer has opened an estimate'),
	('estimate.approved', 'status_entered', NULL, NULL, NULL, '{"to": ["Approved", "Accepted"]}', NULL,
		'the customer has approved an estimate'),
	('estimate.declined', 'status_entered', NULL, NULL, '{"reason": "reason"}', '{"to": ["Declined", "Rejected"]}', NULL,
		'the customer has declined an estimate'),
	('estimate.revised', 'updated', NULL,
		'{"all": [{"field": "{role.amount}", "operator": "changed"}, {"field": "old.{role.status}", "operator": "isOneOf", "value": "{open}"}]}',
		'{"open": {"type": "array", "role": "status", "description": "statuses in which the customer knows it"}}',
		'{"open": ["Sent", "Viewed", "Approved", "Accepted", "Declined", "Rejected"]}', NULL,
		'the amount of an estimate changes after it was sent'),
	('estimate.amount_changed', 'field_changed', '{"field": "amount"}', NULL, NULL, NULL, NULL,
		'the amount of an estimate changes'),
	('estimate.unanswered', 'held_for', NULL, '{"field": "{role.status}", "operator": "isOneOf", "value": "{open}"}',
		'{"open": {"type": "array", "role": "status", "description": "statuses in which an answer is awaited"}}',
		'{"open": ["Sent", "Viewed"]}', '{"for": "3 days"}',
		'an estimate has been with the customer for so long'),
	('estimate.expiring', 'date_approaching', '{"field": "expires"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{open}"}',
		'{"open": {"type": "array", "role": "status", "description": "statuses in which an answer is awaited"}}',
		'{"open": ["Sent", "Viewed"]}', '{"before": "3 days"}',
		'an estimate is soon no longer valid, and not answered'),
	('estimate.expired', 'date_passed', '{"field": "expires"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{open}"}',
		'{"open": {"type": "array", "role": "status", "description": "statuses in which an answer is awaited"}}',
		'{"open": ["Sent", "Viewed"]}', NULL,
		'an estimate is no longer valid, and was not answered'),

	-- Invoices
	('invoice.sent', 'status_entered', NULL, NULL, NULL, '{"to": ["Sent"]}', NULL,
		'an invoice is sent'),
	('invoice.viewed', 'status_entered', NULL, NULL, NULL, '{"to": ["Viewed"]}', NULL,
		'the customer has opened an invoice'),
	('invoice.partially_paid', 'status_entered', NULL, NULL, NULL, '{"to": ["Partially Paid"]}', NULL,
		'part of an invoice is paid'),
	('invoice.paid', 'status_entered', NULL, NULL, NULL, '{"to": ["Paid"]}', NULL,
		'an invoice is paid'),
	('invoice.voided', 'status_entered', NULL, NULL, NULL, '{"to": ["Void", "Voided"]}', NULL,
		'an invoice is voided'),
	('invoice.disputed', 'status_entered', NULL, NULL, NULL, '{"to": ["Disputed"]}', NULL,
		'the customer disputes an invoice'),
	('invoice.payment_received', 'child_status_entered', NULL, NULL, NULL, '{"child": "payment", "to": ["Received", "Succeeded", "Paid"]}', NULL,
		'a payment for an invoice has arrived'),
	('invoice.due_soon', 'date_approaching', '{"field": "due"}',
		'{"all": [{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}, {"field": "{role.balance?}", "operator": ">", "value": 0}]}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which nothing is owed"}}',
		'{"closed": ["Draft", "Paid", "Void", "Voided", "Cancelled", "Canceled", "Written Off"]}', '{"before": "3 days"}',
		'an invoice that is not paid is soon due'),
	('invoice.overdue', 'date_passed', '{"field": "due"}',
		'{"all": [{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}, {"field": "{role.balance?}", "operator": ">", "value": 0}]}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which nothing is owed"}}',
		'{"closed": ["Draft", "Paid", "Void", "Voided", "Cancelled", "Canceled", "Written Off"]}', '{"days": 7}',
		'an invoice is so long overdue, and not paid'),

	-- Payments
	('payment.received', 'status_entered', NULL, NULL, '{"kind": "kind"}', '{"to": ["Received", "Succeeded", "Paid"]}', NULL,
		'a payment has arrived'),
	('payment.failed', 'status_entered', NULL,
		'{"count": "{relation}", "by": "{role.customer?}", "operator": ">=", "value": "{count}", "where": {"all": [
			{"field": "{role.status}", "operator": "isOneOf", "value": "{to}"},
			{"field": "{role.created?}", "operator": "withinLast", "value": "{within}"}]}}',
		'{"code": "code",
			"count": {"type": "number", "role": ["customer", "created"], "description": "only if so many payments of the customer have failed, this one among them"},
			"within": {"type": "string", "description": "in so long, an interval"}}',
		'{"to": ["Failed", "Declined"], "within": "30 days"}', '{"count": 3, "within": "30 days"}',
		'a payment has failed'),
	('payment.refunded', 'status_entered', NULL, NULL, NULL, '{"to": ["Refunded"]}', NULL,
		'a payment is refunded'),
	('payment.deposit_received', 'status_entered', NULL, '{"field": "new.{role.kind}", "operator": "isOneOf", "value": "{kind}"}',
		'{"kind": {"type": ["string", "array"], "role": "kind", "description": "what the column says of a deposit"}}',
		'{"to": ["Received", "Succeeded", "Paid"], "kind": ["Deposit"]}', NULL,
		'a deposit has arrived'),
	('payment.risk_flagged', 'threshold_crossed', '{"field": "risk"}', NULL, NULL, '{"value": 70, "direction": "up"}', '{"value": 50}',
		'the risk score of a payment reaches the limit'),
	('payment.unmatched', 'field_matches', NULL,
		'{"all": [{"field": "{role.status}", "operator": "isOneOf", "value": "{to}"}, {"field": "{role.invoice}", "operator": "empty"}]}',
		'{"to": {"type": "array", "role": "status", "description": "statuses of a payment that has arrived"}}',
		'{"to": ["Received", "Succeeded", "Paid"]}', NULL,
		'a payment has arrived that belongs to no invoice'),
	('payment.autopay_due', 'date_passed', '{"field": "due"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{planned}"}',
		'{"planned": {"type": "array", "role": "status", "description": "statuses of a payment that is to be drawn"}}',
		'{"planned": ["Scheduled", "Planned"]}', NULL,
		'a payment that is to be drawn automatically is due'),
	('payment_method.expiring', 'date_approaching', '{"field": "expires"}', NULL, NULL, NULL, '{"before": "30 days"}',
		'a card on file soon expires'),

	-- Contacts
	('contact.created', 'created', NULL, NULL, '{"source": "source"}', NULL, NULL,
		'a contact is entered'),
	('contact.address_changed', 'field_changed', '{"field": "address"}', NULL, NULL, NULL, NULL,
		'a contact moves'),
	('contact.merged', 'field_filled', '{"field": "merged_into"}', NULL, NULL, NULL, NULL,
		'a contact is merged into another'),
	('contact.opted_out', 'flag_set', '{"field": "opted_out"}', NULL, NULL, NULL, NULL,
		'a contact wants no more messages'),
	('contact.opted_in', 'flag_cleared', '{"field": "opted_out"}', NULL, NULL, NULL, NULL,
		'a contact that wanted no messages wants them again'),
	('contact.anniversary', 'recurring', NULL, NULL, NULL, '{"every": "1 year"}', '{"field": "born_on"}',
		'the birthday or another anniversary of a contact, every year'),
	('contact.note_added', 'child_added', NULL, NULL, '{"visibility": "child.visibility"}', '{"child": "note"}', NULL,
		'a note is written on a contact'),
	('contact.message_received', 'child_added', NULL, '{"field": "new.{child.direction}", "operator": "isOneOf", "value": "{direction}"}',
		'{"intent": "child.intent", "direction": {"type": "array", "child_role": "direction", "description": "what the column says of a message that comes in"}}',
		'{"child": "message", "direction": ["Inbound", "In", "Incoming"]}', NULL,
		'a contact writes to us'),

	-- Leads
	('lead.created', 'created', NULL, NULL, '{"source": "source"}', NULL, '{"source": "Web"}',
		'a lead comes in'),
	('lead.qualified', 'status_entered', NULL, NULL, NULL, '{"to": ["Qualified"]}', NULL,
		'a lead is found to be worth the work'),
	('lead.converted', 'status_entered', NULL, NULL, NULL, '{"to": ["Converted"]}', NULL,
		'a lead has become a customer'),
	('lead.lost', 'status_entered', NULL, NULL, '{"reason": "reason"}', '{"to": ["Lost", "Disqualified"]}', NULL,
		'a lead is lost'),
	('lead.unassigned_for', 'held_for', NULL,
		'{"all": [{"field": "{role.owner}", "operator": "empty"}, {"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}]}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which it needs nobody"}}',
		'{"closed": ["Converted", "Lost", "Disqualified"]}', '{"for": "15 minutes"}',
		'an open lead has had no owner for so long'),
	('lead.idle', 'no_activity', NULL, '{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which nothing is to be done"}}',
		'{"closed": ["Converted", "Lost", "Disqualified"]}', '{"for": "3 days"}',
		'nobody has touched an open lead for so long'),

	-- What comes in
	('form.submitted', 'created', NULL, NULL, '{"form": "form"}', NULL, '{"form": "Contact us"}',
		'somebody sends in a form'),
	('call.received', 'created', NULL, '{"field": "new.{role.direction?}", "operator": "isOneOf", "value": "{direction}"}',
		'{"direction": {"type": "array", "role": "direction", "description": "what the column says of a call that comes in"}}',
		'{"direction": ["Inbound", "In", "Incoming"]}', NULL,
		'a call comes in'),
	('call.missed', 'status_entered', NULL, '{"field": "new.{role.direction?}", "operator": "isOneOf", "value": "{direction}"}',
		'{"direction": {"type": "array", "role": "direction", "description": "what the column says of a call that comes in"}}',
		'{"to": ["Missed", "No Answer", "Voicemail"], "direction": ["Inbound", "In", "Incoming"]}', NULL,
		'nobody took a call'),
	('message.received', 'created', NULL,
		'{"all": [{"field": "new.{role.direction}", "operator": "isOneOf", "value": "{direction}"}, {"field": "new.{role.body?}", "operator": "contains", "value": "{contains}"}]}',
		'{"intent": "intent",
			"contains": {"type": "string", "role": "body", "description": "only with this in its text"},
			"direction": {"type": "array", "role": "direction", "description": "what the column says of a message that comes in"}}',
		'{"direction": ["Inbound", "In", "Incoming"]}', '{"intent": "Reschedule"}',
		'a message comes in'),
	('message.delivered', 'status_entered', NULL, NULL, '{"channel": "channel"}', '{"to": ["Delivered"]}', NULL,
		'a message has reached its recipient'),
	('message.failed', 'status_entered', NULL, NULL, '{"channel": "channel"}', '{"to": ["Failed", "Undelivered"]}', NULL,
		'a message could not be delivered'),
	('message.bounced', 'status_entered', NULL, NULL, '{"channel": "channel"}', '{"to": ["Bounced"]}', NULL,
		'a message has come back'),
	('message.link_clicked', 'flag_set', '{"field": "clicked"}', NULL, NULL, NULL, NULL,
		'a recipient follows a link in a message'),
	('review.received', 'created', NULL,
		'{"all": [{"field": "new.{role.rating}", "operator": "<=", "value": "{at_most}"}, {"field": "new.{role.rating}", "operator": ">=", "value": "{at_least}"}]}',
		'{"at_most": {"type": "number", "description": "a rating of at most this"}, "at_least": {"type": "number", "description": "a rating of at least this"}}',
		NULL, '{"at_most": 3}',
		'a customer reviews us'),
	('external.event', 'created', NULL, '{"field": "new.{role.kind}", "operator": "isOneOf", "value": "{kind}"}',
		'{"kind": {"type": ["string", "array"], "role": "kind", "description": "the kind of event, or an array of them; any by default"}}',
		NULL, '{"kind": "weather.wind"}',
		'another system reports something, as a row of a table for that'),

	-- Deals
	('deal.stage_changed', 'status_changed', NULL, NULL, NULL, NULL, '{"to": "Offer Sent"}',
		'a deal moves to another stage'),
	('deal.amount_changed', 'field_changed', '{"field": "amount"}', '{"field": "new.{role.amount}", "operator": ">", "value": "{over}"}',
		'{"over": {"type": "number", "description": "only if it is now more than this"}}', NULL, '{"over": 50000}',
		'the amount of a deal changes'),
	('deal.won', 'status_entered', NULL, NULL, NULL, '{"to": ["Won", "Closed Won"]}', NULL,
		'a deal is won'),
	('deal.lost', 'status_entered', NULL, NULL, '{"reason": "reason"}', '{"to": ["Lost", "Closed Lost"]}', NULL,
		'a deal is lost'),
	('deal.stalled', 'stayed_in_status', NULL, '{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}',
		'{"closed": {"type": "array", "role": "status", "description": "stages in which it is at an end"}}',
		'{"closed": ["Won", "Lost", "Closed Won", "Closed Lost"]}', '{"for": "14 days"}',
		'an open deal has been in its stage for so long'),
	('deal.close_date_passed', 'date_passed', '{"field": "due"}', '{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}',
		'{"closed": {"type": "array", "role": "status", "description": "stages in which it is at an end"}}',
		'{"closed": ["Won", "Lost", "Closed Won", "Closed Lost"]}', '{"after": "1 day"}',
		'the day on which a deal was to be closed is over, and it is open'),
	('deal.note_added', 'child_added', NULL, NULL, '{"visibility": "child.visibility"}', '{"child": "note"}', NULL,
		'a note is written on a deal'),

	-- Tasks
	('task.completed', 'status_entered', NULL, NULL, NULL, '{"to": ["Completed", "Done"]}', NULL,
		'a task is done'),
	('task.reopened', 'status_left', NULL, NULL, NULL, '{"from": ["Completed", "Done"]}', NULL,
		'a task that was done is taken up again'),
	('task.due_changed', 'field_changed', '{"field": "due"}', NULL, NULL, NULL, NULL,
		'the due date of a task changes'),
	('task.due_soon', 'date_approaching', '{"field": "due"}', '{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which nothing is to be done"}}',
		'{"closed": ["Completed", "Done", "Cancelled", "Canceled"]}', '{"before": "1 day"}',
		'an open task is soon due'),
	('task.overdue', 'date_passed', '{"field": "due"}', '{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which nothing is to be done"}}',
		'{"closed": ["Completed", "Done", "Cancelled", "Canceled"]}', '{"after": "1 day"}',
		'an open task is overdue'),

	-- Notes and documents
	('note.added', 'created', NULL, NULL, '{"visibility": "visibility"}', NULL, NULL,
		'a note is written'),
	('note.mention', 'field_matches', NULL, '{"field": "{role.body}", "operator": "contains", "value": "{user}"}',
		'{"user": {"type": "string", "description": "what stands in the note, such as @tom; @ for anybody"}}', '{"user": "@"}', '{"user": "@tom"}',
		'somebody is mentioned in a note'),
	('attachment.added', 'created', NULL, NULL, '{"kind": "kind"}', NULL, NULL,
		'a file is attached'),
	('document.generated', 'created', NULL, NULL, '{"kind": "kind"}', NULL, NULL,
		'a document is generated'),
	('document.signed', 'flag_set', '{"field": "signature"}', NULL, NULL, NULL, NULL,
		'a document is signed'),

	-- Parts and purchase orders
	('part.scanned', 'child_added', NULL, NULL, NULL, '{"child": "part_scan"}', NULL,
		'a part is scanned'),
	('part.used', 'field_decreased', '{"field": "quantity"}', NULL, NULL, NULL, '{"by": 2}',
		'a part is taken from the stock'),
	('part.received', 'field_increased', '{"field": "quantity"}', NULL, NULL, NULL, '{"by": 2}',
		'a part comes into the stock'),
	('part.low_stock', 'field_matches', NULL, '{"field": "{role.quantity}", "operator": "<=", "value": "{role.reorder}", "valueSource": "field"}', NULL, NULL, NULL,
		'the stock of a part falls to the point of reordering; again only after it was above'),
	('part.out_of_stock', 'field_matches', NULL, '{"field": "{role.quantity}", "operator": "<=", "value": 0}', NULL, NULL, NULL,
		'the last of a part is gone'),
	('part.delayed', 'field_increased', '{"field": "expected"}', NULL, NULL, NULL, NULL,
		'a part will come later than expected'),
	('purchase_order.approved', 'status_entered', NULL, NULL, NULL, '{"to": ["Approved"]}', NULL,
		'a purchase order is approved'),
	('purchase_order.received', 'status_entered', NULL, NULL, NULL, '{"to": ["Received"]}', NULL,
		'what was ordered has come'),
	('purchase_order.overdue', 'date_passed', '{"field": "due"}', '{"field": "{role.status}", "operator": "isNoneOf", "value": "{closed}"}',
		'{"closed": {"type": "array", "role": "status", "description": "statuses in which nothing is awaited"}}',
		'{"closed": ["Draft", "Received", "Closed", "Cancelled", "Canceled"]}', '{"after": "2 days"}',
		'what was ordered should have come, and has not'),

	-- Service levels and approvals
	('sla.started', 'status_entered', NULL, NULL, '{"policy": "policy"}', '{"to": ["Running"]}', NULL,
		'the clock of a service level begins to run'),
	('sla.paused', 'status_entered', NULL, NULL, '{"policy": "policy"}', '{"to": ["Paused"]}', NULL,
		'the clock of a service level is stopped for a while'),
	('sla.resumed', 'status_changed', NULL, NULL, '{"policy": "policy"}', '{"from": ["Paused"], "to": ["Running"]}', NULL,
		'the clock of a service level runs again'),
	('sla.met', 'status_entered', NULL, NULL, '{"policy": "policy"}', '{"to": ["Met"]}', NULL,
		'a service level is met'),
	('sla.warning', 'date_approaching', '{"field": "due"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{running}"}',
		'{"policy": "policy", "running": {"type": "array", "role": "status", "description": "statuses in which the clock runs"}}',
		'{"running": ["Running"]}', '{"before": "1 hour"}',
		'a service level will soon be missed'),
	('sla.breached', 'date_passed', '{"field": "due"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{running}"}',
		'{"policy": "policy", "running": {"type": "array", "role": "status", "description": "statuses in which the clock runs"}}',
		'{"running": ["Running"]}', NULL,
		'a service level is missed'),
	('sla.risk_detected', 'field_matches', NULL, '{"all": [
			{"field": "{role.eta}", "operator": ">", "value": "{role.due}", "valueSource": "field"}, {"field": "{role.status}", "operator": "isOneOf", "value": "{running}"}]}',
		'{"policy": "policy", "running": {"type": "array", "role": "status", "description": "statuses in which the clock runs"}}',
		'{"running": ["Running"]}', NULL,
		'a service level would be missed, by when somebody is expected'),
	('approval.requested', 'created', NULL, NULL, '{"kind": "kind"}', NULL, NULL,
		'an approval is asked for'),
	('approval.granted', 'status_entered', NULL, NULL, '{"kind": "kind"}', '{"to": ["Granted", "Approved"]}', NULL,
		'an approval is given'),
	('approval.declined', 'status_entered', NULL, NULL, '{"kind": "kind"}', '{"to": ["Declined", "Rejected"]}', NULL,
		'an approval is refused'),
	('approval.expiring', 'date_approaching', '{"field": "expires"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{open}"}',
		'{"open": {"type": "array", "role": "status", "description": "statuses in which an answer is awaited"}}',
		'{"open": ["Requested", "Pending"]}', '{"before": "2 hours"}',
		'the time to give an approval is nearly over'),
	('approval.expired', 'date_passed', '{"field": "expires"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{open}"}',
		'{"open": {"type": "array", "role": "status", "description": "statuses in which an answer is awaited"}}',
		'{"open": ["Requested", "Pending"]}', NULL,
		'an approval was not given in time'),

	-- Contracts and equipment
	('contract.cancelled', 'status_entered', NULL, NULL, '{"reason": "reason"}', '{"to": ["Cancelled", "Canceled"]}', NULL,
		'a contract is cancelled'),
	('contract.visit_due', 'date_approaching', '{"field": "next_visit"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{active}"}',
		'{"active": {"type": "array", "role": "status", "description": "statuses of a contract that is in force"}}',
		'{"active": ["Active"]}', '{"before": "30 days"}',
		'a visit of a maintenance contract is soon due'),
	('contract.renewal_due', 'date_approaching', '{"field": "end"}', '{"field": "{role.status}", "operator": "isOneOf", "value": "{active}"}',
		'{"active": {"type": "array", "role": "status", "description": "statuses of a contract that is in force"}}',
		'{"active": ["Active"]}', '{"before": "60 days"}',
		'a contract soon ends'),
	('equipment.warranty_expiring', 'date_approaching', '{"field": "warranty_end"}', NULL, NULL, NULL, '{"before": "30 days"}',
		'the warranty of a piece of equipment soon ends'),
	('equipment.service_due', 'date_passed', '{"field": "next_service"}', NULL, NULL, NULL, '{"after": "1 day"}',
		'a piece of equipment is due for service')
) AS t(name, generic, columns, filter, further, defaults, sample, description)
JOIN automation.trigger_definition AS d ON d.name = t.generic;
