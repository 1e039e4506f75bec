-- Each trigger of the library as a rule on a table of the trade: what fires it, and what must not.
BEGIN;
SELECT no_plan();
SET LOCAL jit = off;

CREATE SCHEMA crm;
SET search_path = crm, public;
SET LOCAL timezone = 'UTC';
CREATE FUNCTION crm.attach(name text, object_type text, columns text, VARIADIC roles text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE crm.%I (id integer PRIMARY KEY, %s)', name, columns);
	PERFORM automation.attach(format('crm.%I', name)::regclass, object_type, (SELECT coalesce(jsonb_object_agg(split_part(r, '=', 1), split_part(r, '=', 2)), '{}') FROM unnest(roles) AS r));
END
$$;
SELECT crm.attach('contact', 'contact', 'source text, address text, merged_into integer, opted_out boolean DEFAULT false, born_on date, tags text[]',
	'source=source', 'address=address', 'merged_into=merged_into', 'opted_out=opted_out', 'tags=tags');
SELECT crm.attach('job', 'job', 'status text DEFAULT ''New'', tech integer, type text, source text, priority text, reason text, signed_at timestamptz, cost numeric, nte numeric, due_at timestamptz, place integer, unit integer, done_at timestamptz, warranty boolean',
	'status=status', 'owner=tech', 'type=type', 'source=source', 'priority=priority', 'reason=reason', 'signature=signed_at', 'cost=cost', 'limit=nte', 'due=due_at', 'location=place', 'equipment=unit', 'completed=done_at', 'warranty=warranty');
SELECT crm.attach('appointment', 'appointment', 'job_id integer REFERENCES crm.job, status text DEFAULT ''Booked'', tech integer, starts_at timestamptz, ends_at timestamptz, eta timestamptz, channel text, reason text, moved_by text',
	'status=status', 'owner=tech', 'start=starts_at', 'end=ends_at', 'eta=eta', 'channel=channel', 'reason=reason', 'moved_by=moved_by');
SELECT crm.attach('lead', 'lead', 'status text DEFAULT ''New'', owner integer, source text, reason text', 'status=status', 'owner=owner', 'source=source', 'reason=reason');
SELECT crm.attach('deal', 'deal', 'stage text DEFAULT ''New'', amount numeric, closes_on date, reason text', 'status=stage', 'amount=amount', 'due=closes_on', 'reason=reason');
SELECT crm.attach('estimate', 'estimate', 'status text DEFAULT ''Draft'', amount numeric, valid_until date, reason text', 'status=status', 'amount=amount', 'expires=valid_until', 'reason=reason');
SELECT crm.attach('invoice', 'invoice', 'status text DEFAULT ''Draft'', balance numeric DEFAULT 100, due_on date', 'status=status', 'balance=balance', 'due=due_on');
SELECT crm.attach('payment', 'payment', 'invoice_id integer REFERENCES crm.invoice, customer integer, status text, kind text, code text, risk integer, draw_on date, made_at timestamptz DEFAULT ''2030-03-04 09:00+00''',
	'status=status', 'kind=kind', 'code=code', 'risk=risk', 'due=draw_on', 'created=made_at', 'customer=customer', 'invoice=invoice_id');
SELECT crm.attach('card', 'payment_method', 'valid_until date', 'expires=valid_until');
SELECT crm.attach('task', 'task', 'status text DEFAULT ''Open'', due_at timestamptz', 'status=status', 'due=due_at');
SELECT crm.attach('note', 'note', 'job_id integer REFERENCES crm.job, contact_id integer REFERENCES crm.contact, deal_id integer REFERENCES crm.deal, body text, visibility text', 'body=body', 'visibility=visibility');
SELECT crm.attach('photo', 'photo', 'job_id integer REFERENCES crm.job, kind text', 'kind=kind');
SELECT crm.attach('checklist', 'checklist', 'job_id integer REFERENCES crm.job, status text, template text', 'status=status', 'template=template');
SELECT crm.attach('attachment', 'attachment', 'kind text', 'kind=kind');
SELECT crm.attach('document', 'document', 'kind text, signed boolean', 'kind=kind', 'signature=signed');
SELECT crm.attach('form', 'form', 'form text', 'form=form');
SELECT crm.attach('call', 'call', 'status text, direction text DEFAULT ''inbound''', 'status=status', 'direction=direction');
SELECT crm.attach('message', 'message', 'contact_id integer REFERENCES crm.contact, status text, direction text, body text, intent text, channel text, clicked_at timestamptz',
	'status=status', 'direction=direction', 'body=body', 'intent=intent', 'channel=channel', 'clicked=clicked_at');
SELECT crm.attach('review', 'review', 'stars integer', 'rating=stars');
SELECT crm.attach('inbox', 'external', 'kind text', 'kind=kind');
SELECT crm.attach('part', 'part', 'stock integer, reorder_at integer, expected_on date', 'quantity=stock', 'reorder=reorder_at', 'expected=expected_on');
SELECT crm.attach('part_scan', 'part_scan', 'part_id integer REFERENCES crm.part');
SELECT crm.attach('purchase', 'purchase_order', 'status text DEFAULT ''Draft'', due_on date', 'status=status', 'due=due_on');
SELECT crm.attach('sla', 'sla', 'status text DEFAULT ''Running'', due_at timestamptz, policy text, eta timestamptz', 'status=status', 'due=due_at', 'policy=policy', 'eta=eta');
SELECT crm.attach('ping', 'ping', 'tech integer, sent_at timestamptz DEFAULT automation._now()', 'owner=tech', 'created=sent_at');
SELECT crm.attach('approval', 'approval', 'status text DEFAULT ''Requested'', kind text, until timestamptz', 'status=status', 'kind=kind', 'expires=until');
SELECT crm.attach('contract', 'contract', 'status text DEFAULT ''Active'', reason text, next_visit date, ends_on date', 'status=status', 'reason=reason', 'next_visit=next_visit', 'end=ends_on');
SELECT crm.attach('equipment', 'equipment', 'warranty_until date, service_on date', 'warranty_end=warranty_until', 'next_service=service_on');
SELECT crm.attach('technician', 'technician', 'hours numeric, shift_end timestamptz', 'hours=hours', 'shift_end=shift_end');
SELECT crm.attach('absence', 'absence', 'technician_id integer REFERENCES crm.technician, kind text', 'kind=kind');
SELECT crm.attach('day', 'capacity', 'booked numeric, available numeric, held_until date', 'booked=booked', 'available=available', 'expires=held_until');
-- Whatever has a row for every table: its number is 1.
INSERT INTO job (id) VALUES (1);
INSERT INTO contact (id) VALUES (1);
INSERT INTO deal (id) VALUES (1);
INSERT INTO invoice (id) VALUES (1);
INSERT INTO part (id, stock, reorder_at, expected_on) VALUES (1, 10, 5, '2030-04-01');
INSERT INTO technician (id) VALUES (1);

-- The rows for which a rule with this trigger runs, when this is done on Monday the 4th and ten days pass; all of it is
-- undone. What stands before | is done before there is the rule.
CREATE FUNCTION crm.fired(trigger text, params jsonb, script text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	subject CONSTANT text := coalesce(substring(trigger FROM '^(\w+)\.'), 'job');
	answer text;
	parts CONSTANT text[] := regexp_split_to_array(script, '\s\|\s');
BEGIN
	PERFORM automation.set_clock('2030-03-04 09:00+00');
	IF cardinality(parts) > 1 THEN
		EXECUTE parts[1];
	END IF;
	PERFORM automation.create_rule('tried', (SELECT e.relation FROM automation.entities AS e WHERE e.object_type = subject),
		trigger, params, steps => ARRAY[automation.notify('log', 'x')], activate => true);
	EXECUTE parts[cardinality(parts)];
	PERFORM automation.advance('10 days');
	answer := (SELECT coalesce(string_agg(concat_ws(' ', key, CASE event WHEN 'due' THEN to_char(at, 'DD HH24:MI') END), ', ' ORDER BY id), '-')
		FROM automation.run WHERE status = 'succeeded');
	RAISE SQLSTATE 'TAP00' USING MESSAGE = answer;
EXCEPTION WHEN SQLSTATE 'TAP00' THEN
	RETURN SQLERRM;
END
$$;

-- trigger, parameters, what fires it, for which row (and when), what does not
CREATE TEMPORARY TABLE example (trigger text, params jsonb, fires text, expected text, does_not text);
INSERT INTO example VALUES
('job.created', '{"job_type": "Roof"}', $$INSERT INTO job (id, type) VALUES (2, 'Roof')$$, '2', $$INSERT INTO job (id, type) VALUES (2, 'Drain')$$),
('job.created', '{"source": ["Web", "Phone"]}', $$INSERT INTO job (id, source) VALUES (2, 'Phone')$$, '2', $$UPDATE job SET source = 'Phone'$$),
('job.scheduled', NULL, $$UPDATE job SET status = 'Scheduled'$$, '1', $$INSERT INTO job (id, status) VALUES (2, 'Scheduling')$$),
('job.dispatched', NULL, $$UPDATE job SET status = 'dispatched'$$, '1', $$UPDATE job SET status = 'Scheduled'$$),
('job.dispatched', '{"job_type": "Roof"}', $$UPDATE job SET type = 'Roof', status = 'Dispatched'$$, '1', $$UPDATE job SET status = 'Dispatched'$$),
('job.en_route', NULL, $$UPDATE job SET status = 'En Route'$$, '1', $$UPDATE job SET status = 'On Site'$$),
('job.on_site', NULL, $$UPDATE job SET status = 'on_site'$$, '1', $$UPDATE job SET status = 'Complete'$$),
('job.completed', NULL, $$UPDATE job SET status = 'Complete'$$, '1', $$UPDATE job SET status = 'Completed' | UPDATE job SET type = 'Roof'$$),
('job.closed', NULL, $$UPDATE job SET status = 'Closed'$$, '1', $$UPDATE job SET status = 'Completed'$$),
('job.cancelled', NULL, $$UPDATE job SET status = 'Canceled'$$, '1', $$UPDATE job SET status = 'Closed'$$),
('job.cancelled', '{"reason": "Weather"}', $$UPDATE job SET status = 'Cancelled', reason = 'Weather'$$, '1', $$UPDATE job SET status = 'Cancelled', reason = 'Price'$$),
('job.reopened', NULL, $$UPDATE job SET status = 'Completed' | UPDATE job SET status = 'Scheduled'$$, '1', $$UPDATE job SET status = 'Completed' | UPDATE job SET status = 'Closed'$$),
('job.on_hold', '{"reason": "Parts"}', $$UPDATE job SET status = 'On Hold', reason = 'Parts'$$, '1', $$UPDATE job SET status = 'On Hold'$$),
('job.resumed', NULL, $$UPDATE job SET status = 'On Hold' | UPDATE job SET status = 'On Site'$$, '1', $$UPDATE job SET status = 'On Site'$$),
('job.unassigned_for', '{"for": "15 minutes"}', $$INSERT INTO job (id) VALUES (2)$$, '2 04 09:15', $$INSERT INTO job (id) VALUES (2); SELECT automation.advance('10 minutes'); UPDATE job SET tech = 7$$),
('job.unassigned_for', '{"for": "1 hour"}', $$INSERT INTO job (id, tech) VALUES (2, 7); UPDATE job SET tech = NULL WHERE id = 2; SELECT automation.advance('10 minutes'); UPDATE job SET type = 'Roof'$$, '2 04 10:00',
	$$INSERT INTO job (id) VALUES (2); SELECT automation.advance('10 minutes'); UPDATE job SET status = 'Cancelled'$$),
('job.priority_changed', '{"to": "High"}', $$UPDATE job SET priority = 'High'$$, '1', $$UPDATE job SET priority = 'Low'$$),
('job.emergency_created', '{"class": ["No Heat", "Gas Leak"]}', $$INSERT INTO job (id, priority) VALUES (2, 'Gas Leak')$$, '2', $$INSERT INTO job (id, priority) VALUES (2, 'Low')$$),
('job.emergency_created', NULL, $$INSERT INTO job (id, priority) VALUES (2, 'emergency')$$, '2', $$UPDATE job SET priority = 'emergency'$$),
('job.note_added', NULL, $$INSERT INTO note (id, job_id) VALUES (1, 1)$$, '1', $$INSERT INTO note (id, contact_id) VALUES (1, 1)$$),
('job.note_added', '{"visibility": "public"}', $$INSERT INTO note (id, job_id, visibility) VALUES (1, 1, 'public')$$, '1', $$INSERT INTO note (id, job_id, visibility) VALUES (1, 1, 'internal')$$),
('job.photo_added', '{"kind": "panel"}', $$INSERT INTO photo VALUES (1, 1, 'panel')$$, '1', $$INSERT INTO photo VALUES (1, 1, 'roof')$$),
('job.checklist_completed', NULL, $$INSERT INTO checklist VALUES (1, 1, 'Open') | UPDATE checklist SET status = 'Done'$$, '1', $$INSERT INTO checklist VALUES (1, 1, 'Open')$$),
('job.checklist_completed', '{"template": "Safety"}', $$INSERT INTO checklist VALUES (1, 1, 'Done', 'Safety')$$, '1', $$INSERT INTO checklist VALUES (1, 1, 'Done', 'Tidiness')$$),
('job.signature_captured', NULL, $$UPDATE job SET signed_at = '2030-03-04'$$, '1', $$UPDATE job SET signed_at = '2030-03-04' | UPDATE job SET signed_at = '2030-03-05'$$),
('job.completed_without_signature', NULL, $$UPDATE job SET status = 'Completed'$$, '1', $$UPDATE job SET status = 'Completed', signed_at = '2030-03-04'$$),
('job.completed_without_photo', NULL, $$UPDATE job SET status = 'Completed'$$, '1', $$INSERT INTO photo VALUES (1, 1); UPDATE job SET status = 'Completed'$$),
('job.cost_changed', NULL, $$UPDATE job SET cost = 10$$, '1', $$UPDATE job SET cost = 10 | UPDATE job SET cost = 10.00$$),
('job.nte_approaching', '{"at_ratio": 0.8}', $$UPDATE job SET cost = 10, nte = 100 | UPDATE job SET cost = 80; UPDATE job SET cost = 85$$, '1', $$UPDATE job SET cost = 10, nte = 100 | UPDATE job SET cost = 79.99$$),
('job.nte_approaching', NULL, $$UPDATE job SET cost = 95, nte = 100 | UPDATE job SET nte = 200; UPDATE job SET cost = 190$$, '1', $$UPDATE job SET cost = 95, nte = 100 | UPDATE job SET cost = 96$$),
('job.nte_exceeded', NULL, $$UPDATE job SET cost = 10, nte = 100 | UPDATE job SET cost = 101; UPDATE job SET cost = 102$$, '1', $$UPDATE job SET cost = 10, nte = 100 | UPDATE job SET cost = 100$$),
('job.overdue', '{"after": "30 minutes"}', $$UPDATE job SET due_at = '2030-03-05 12:00+00'$$, '1 05 12:30', $$UPDATE job SET due_at = '2030-03-05 12:00+00', status = 'Completed'$$),
('job.callback_detected', NULL, $$INSERT INTO job (id, place, status, done_at) VALUES (2, 5, 'Completed', '2030-02-20') | INSERT INTO job (id, place) VALUES (3, 5)$$, '-', $$INSERT INTO job (id, place, status, done_at) VALUES (2, 5, 'Completed', '2030-02-20') | INSERT INTO job (id, place) VALUES (3, 6)$$),
('job.callback_detected', '{"within": "14 days"}', $$INSERT INTO job (id, place, unit, status, done_at) VALUES (2, 5, 9, 'Completed', '2030-02-20') | INSERT INTO job (id, place, unit) VALUES (3, 5, 9)$$, '3',
	$$INSERT INTO job (id, place, unit, status, done_at) VALUES (2, 5, 9, 'Completed', '2030-02-01') | INSERT INTO job (id, place, unit, status, done_at) VALUES (3, 5, 9, 'Completed', '2030-03-01')$$),
('job.warranty_claimed', NULL, $$UPDATE job SET warranty = true$$, '1', $$UPDATE job SET warranty = false$$),
('job.first_visit_incomplete', NULL, $$INSERT INTO appointment (id, job_id) VALUES (1, 1) | INSERT INTO appointment (id, job_id) VALUES (2, 1)$$, '1', $$INSERT INTO appointment (id, job_id) VALUES (1, 1)$$),
('appointment.booked', '{"channel": "web"}', $$INSERT INTO appointment (id, channel) VALUES (1, 'web')$$, '1', $$INSERT INTO appointment (id, channel) VALUES (1, 'phone')$$),
('appointment.confirmed', NULL, $$INSERT INTO appointment (id) VALUES (1); UPDATE appointment SET status = 'Confirmed'$$, '1', $$INSERT INTO appointment (id) VALUES (1)$$),
('appointment.cancelled', '{"reason": "Weather"}', $$INSERT INTO appointment (id, reason, status) VALUES (1, 'Weather', 'cancelled')$$, '1', $$INSERT INTO appointment (id, reason, status) VALUES (1, 'Price', 'cancelled')$$),
('appointment.no_show', NULL, $$INSERT INTO appointment (id) VALUES (1); UPDATE appointment SET status = 'no_show'$$, '1', $$INSERT INTO appointment (id) VALUES (1); UPDATE appointment SET status = 'Completed'$$),
('appointment.moved', NULL, $$INSERT INTO appointment (id) VALUES (1); UPDATE appointment SET tech = 7$$, '1', $$INSERT INTO appointment (id) VALUES (1); UPDATE appointment SET status = 'Confirmed'$$),
('appointment.moved', '{"by": "dispatcher"}', $$INSERT INTO appointment (id) VALUES (1); UPDATE appointment SET starts_at = '2030-03-05', moved_by = 'dispatcher'$$, '1',
	$$INSERT INTO appointment (id, starts_at) VALUES (1, '2030-03-05'); UPDATE appointment SET starts_at = '2030-03-05', moved_by = 'dispatcher'$$),
('appointment.rescheduled_by_customer', NULL, $$INSERT INTO appointment (id) VALUES (1); UPDATE appointment SET starts_at = '2030-03-05', moved_by = 'customer'$$, '1',
	$$INSERT INTO appointment (id) VALUES (1); UPDATE appointment SET starts_at = '2030-03-05', moved_by = 'dispatcher'$$),
('appointment.starting_soon', '{"before": "1 day", "time_of_day": "18:00"}', $$INSERT INTO appointment (id, starts_at) VALUES (1, '2030-03-07 14:00+00'); UPDATE appointment SET starts_at = '2030-03-08 10:00+00'$$, '1 07 18:00',
	$$INSERT INTO appointment (id, starts_at) VALUES (1, '2030-03-07 14:00+00'); SELECT automation.advance('1 day'); UPDATE appointment SET status = 'Cancelled'$$),
('appointment.late_start', NULL, $$INSERT INTO appointment (id, starts_at) VALUES (1, '2030-03-07 14:00+00')$$, '1 07 14:15', $$INSERT INTO appointment (id, starts_at, status) VALUES (1, '2030-03-07 14:00+00', 'On Site')$$),
('appointment.running_late', '{"minutes": 15}', $$INSERT INTO appointment (id, ends_at) VALUES (1, '2030-03-07 14:00+00'); UPDATE appointment SET eta = '2030-03-07 14:16+00'; UPDATE appointment SET eta = '2030-03-07 14:20+00'$$, '1',
	$$INSERT INTO appointment (id, ends_at) VALUES (1, '2030-03-07 14:00+00'); UPDATE appointment SET eta = '2030-03-07 14:15+00'$$),
('appointment.eta_changed', '{"by": "5 minutes"}', $$INSERT INTO appointment (id, eta) VALUES (1, '2030-03-07 14:00+00'); UPDATE appointment SET eta = '2030-03-07 13:55+00'$$, '1',
	$$INSERT INTO appointment (id, eta) VALUES (1, '2030-03-07 14:00+00'); UPDATE appointment SET eta = '2030-03-07 14:04+00'$$),
('technician.overtime_risk', '{"value": 38}', $$UPDATE technician SET hours = 30; UPDATE technician SET hours = 39; UPDATE technician SET hours = 45$$, '1', $$UPDATE technician SET hours = 37$$),
('technician.unavailable', '{"kind": "sick"}', $$INSERT INTO absence VALUES (1, 1, 'sick')$$, '1', $$INSERT INTO absence VALUES (1, 1, 'holiday')$$),
('technician.shift_ended', NULL, $$UPDATE technician SET shift_end = '2030-03-04 17:00+00'$$, '1 04 17:00', $$UPDATE technician SET shift_end = '2030-03-04 17:00+00'; UPDATE technician SET shift_end = NULL$$),
('ping.missing', '{"for": "30 minutes"}', $$INSERT INTO ping (id, tech) VALUES (1, 7); SELECT automation.advance('10 minutes'); INSERT INTO ping (id, tech) VALUES (2, 7)$$, '2 04 09:40', $$INSERT INTO ping (id, tech) SELECT 1, 7; SELECT automation.advance('20 minutes'); INSERT INTO ping (id, tech) SELECT 2, 7; SELECT automation.advance('20 minutes'); DELETE FROM ping WHERE id = 2; DELETE FROM ping$$),
('capacity.threshold_crossed', '{"ratio": 0.9}', $$INSERT INTO day VALUES (1, 5, 10); UPDATE day SET booked = 9; UPDATE day SET booked = 10$$, '1', $$INSERT INTO day VALUES (1, 8.9, 10)$$),
('capacity.hold_expiring', '{"before": "3 days"}', $$INSERT INTO day VALUES (1, 5, 10, '2030-03-10')$$, '1 07 00:00', $$INSERT INTO day VALUES (1, 5, 10, '2030-03-20')$$),
('estimate.sent', NULL, $$INSERT INTO estimate (id) VALUES (1); UPDATE estimate SET status = 'sent'$$, '1', $$INSERT INTO estimate (id) VALUES (1)$$),
('estimate.viewed', NULL, $$INSERT INTO estimate (id, status) VALUES (1, 'Viewed')$$, '1', $$INSERT INTO estimate (id, status) VALUES (1, 'Sent')$$),
('estimate.approved', NULL, $$INSERT INTO estimate (id) VALUES (1); UPDATE estimate SET status = 'Accepted'$$, '1', $$INSERT INTO estimate (id) VALUES (1); UPDATE estimate SET status = 'Declined'$$),
('estimate.declined', '{"reason": "Price"}', $$INSERT INTO estimate (id) VALUES (1); UPDATE estimate SET status = 'Rejected', reason = 'Price'$$, '1', $$INSERT INTO estimate (id) VALUES (1); UPDATE estimate SET status = 'Rejected'$$),
('estimate.revised', NULL, $$INSERT INTO estimate (id, status, amount) VALUES (1, 'Sent', 10); UPDATE estimate SET amount = 12$$, '1', $$INSERT INTO estimate (id, amount) VALUES (1, 10); UPDATE estimate SET amount = 12, status = 'Sent'$$),
('estimate.amount_changed', NULL, $$INSERT INTO estimate (id, amount) VALUES (1, 10); UPDATE estimate SET amount = 12$$, '1', $$INSERT INTO estimate (id, amount) VALUES (1, 10); UPDATE estimate SET status = 'Sent'$$),
('estimate.unanswered', '{"for": "3 days"}', $$INSERT INTO estimate (id, status) VALUES (1, 'Sent'); SELECT automation.advance('1 day'); UPDATE estimate SET status = 'Viewed'$$, '1 07 09:00',
	$$INSERT INTO estimate (id, status) VALUES (1, 'Sent'); SELECT automation.advance('1 day'); UPDATE estimate SET status = 'Approved'$$),
('estimate.expiring', '{"before": "3 days"}', $$INSERT INTO estimate (id, status, valid_until) VALUES (1, 'Sent', '2030-03-10')$$, '1 07 00:00', $$INSERT INTO estimate (id, status, valid_until) VALUES (1, 'Approved', '2030-03-10')$$),
('estimate.expired', NULL, $$INSERT INTO estimate (id, status, valid_until) VALUES (1, 'Viewed', '2030-03-10')$$, '1 10 00:00', $$INSERT INTO estimate (id, status, valid_until) VALUES (1, 'Viewed', '2030-03-10'); UPDATE estimate SET status = 'Declined'$$),
('invoice.sent', NULL, $$UPDATE invoice SET status = 'Sent'$$, '1', $$UPDATE invoice SET status = 'Paid'$$),
('invoice.viewed', NULL, $$UPDATE invoice SET status = 'Viewed'$$, '1', $$UPDATE invoice SET status = 'Sent'$$),
('invoice.partially_paid', NULL, $$UPDATE invoice SET status = 'partially_paid'$$, '1', $$UPDATE invoice SET status = 'Paid'$$),
('invoice.paid', NULL, $$UPDATE invoice SET status = 'Paid'$$, '1', $$UPDATE invoice SET balance = 0$$),
('invoice.voided', NULL, $$UPDATE invoice SET status = 'Void'$$, '1', $$UPDATE invoice SET status = 'Paid'$$),
('invoice.disputed', NULL, $$UPDATE invoice SET status = 'Disputed'$$, '1', $$UPDATE invoice SET status = 'Sent'$$),
('invoice.payment_received', NULL, $$INSERT INTO payment (id, invoice_id, status) VALUES (1, 1, 'Received')$$, '1', $$INSERT INTO payment (id, invoice_id, status) VALUES (1, 1, 'Failed'); INSERT INTO payment (id, status) VALUES (2, 'Received')$$),
('invoice.due_soon', '{"before": "3 days"}', $$UPDATE invoice SET status = 'Sent', due_on = '2030-03-10'$$, '1 07 00:00', $$UPDATE invoice SET status = 'Sent', due_on = '2030-03-10'; UPDATE invoice SET balance = 0$$),
('invoice.overdue', '{"days": 7}', $$UPDATE invoice SET status = 'Sent', due_on = '2030-03-05'$$, '1 12 00:00', $$UPDATE invoice SET status = 'Sent', due_on = '2030-03-05'; SELECT automation.advance('3 days'); UPDATE invoice SET status = 'Paid'$$),
('invoice.overdue', NULL, $$UPDATE invoice SET status = 'Sent', due_on = '2030-03-05'; UPDATE invoice SET due_on = '2030-03-06'$$, '1 06 00:00', $$UPDATE invoice SET due_on = '2030-03-05'$$),
('payment.received', '{"kind": "card"}', $$INSERT INTO payment (id, status, kind) VALUES (1, 'Succeeded', 'card')$$, '1', $$INSERT INTO payment (id, status, kind) VALUES (1, 'Succeeded', 'ach')$$),
('payment.failed', '{"code": "expired"}', $$INSERT INTO payment (id, status, code) VALUES (1, 'Failed', 'expired')$$, '1', $$INSERT INTO payment (id, status, code) VALUES (1, 'Failed', 'stolen')$$),
('payment.failed', '{"count": 2, "within": "30 days"}', $$INSERT INTO payment (id, customer, status) VALUES (1, 7, 'Failed'), (2, 8, 'Failed'); INSERT INTO payment (id, customer, status) VALUES (3, 7, 'Declined')$$, '3',
	$$INSERT INTO payment (id, customer, status, made_at) VALUES (1, 7, 'Failed', '2030-01-01'), (2, 7, 'Received', '2030-03-01'), (3, 7, 'Failed', '2030-03-01')$$),
('payment.refunded', NULL, $$INSERT INTO payment (id, status) VALUES (1, 'Received'); UPDATE payment SET status = 'Refunded'$$, '1', $$INSERT INTO payment (id, status) VALUES (1, 'Received')$$),
('payment.deposit_received', NULL, $$INSERT INTO payment (id, status, kind) VALUES (1, 'Received', 'deposit')$$, '1', $$INSERT INTO payment (id, status, kind) VALUES (1, 'Received', 'final')$$),
('payment.risk_flagged', NULL, $$INSERT INTO payment (id, risk) VALUES (1, 20); UPDATE payment SET risk = 70$$, '1', $$INSERT INTO payment (id, risk) VALUES (1, 69)$$),
('payment.unmatched', NULL, $$INSERT INTO payment (id, status) VALUES (1, 'Received')$$, '1', $$INSERT INTO payment (id, status, invoice_id) VALUES (1, 'Received', 1)$$),
('payment.autopay_due', NULL, $$INSERT INTO payment (id, status, draw_on) VALUES (1, 'Scheduled', '2030-03-10')$$, '1 10 00:00', $$INSERT INTO payment (id, status, draw_on) VALUES (1, 'Scheduled', '2030-03-10'); UPDATE payment SET status = 'Cancelled'$$),
('payment_method.expiring', '{"before": "7 days"}', $$INSERT INTO card VALUES (1, '2030-03-15')$$, '1 08 00:00', $$INSERT INTO card VALUES (1, '2030-03-15'); UPDATE card SET valid_until = '2033-03-15'$$),
('contact.created', '{"source": "fair"}', $$INSERT INTO contact (id, source) VALUES (2, 'fair')$$, '2', $$INSERT INTO contact (id, source) VALUES (2, 'import')$$),
('contact.address_changed', NULL, $$UPDATE contact SET address = 'x'$$, '1', $$UPDATE contact SET source = 'x'$$),
('contact.merged', NULL, $$INSERT INTO contact (id) VALUES (2); UPDATE contact SET merged_into = 1 WHERE id = 2$$, '2', $$INSERT INTO contact (id) VALUES (2)$$),
('contact.opted_out', NULL, $$UPDATE contact SET opted_out = true$$, '1', $$UPDATE contact SET opted_out = false$$),
('contact.opted_in', NULL, $$UPDATE contact SET opted_out = true | UPDATE contact SET opted_out = false$$, '1', $$INSERT INTO contact (id, opted_out) VALUES (2, false)$$),
('contact.anniversary', '{"field": "born_on"}', $$UPDATE contact SET born_on = '1990-03-09'$$, '1 09 00:00', $$UPDATE contact SET born_on = '1990-04-09'$$),
('contact.note_added', '{"visibility": "public"}', $$INSERT INTO note (id, contact_id, visibility) VALUES (1, 1, 'public')$$, '1', $$INSERT INTO note (id, job_id, visibility) VALUES (1, 1, 'public')$$),
('contact.message_received', NULL, $$INSERT INTO message (id, contact_id, direction) VALUES (1, 1, 'inbound')$$, '1', $$INSERT INTO message (id, contact_id, direction) VALUES (1, 1, 'outbound')$$),
('contact.message_received', '{"intent": "stop"}', $$INSERT INTO message (id, contact_id, direction, intent) VALUES (1, 1, 'Inbound', 'stop')$$, '1', $$INSERT INTO message (id, contact_id, direction) VALUES (1, 1, 'Inbound')$$),
('lead.created', '{"source": "Web"}', $$INSERT INTO lead (id, source) VALUES (1, 'Web')$$, '1', $$INSERT INTO lead (id, source) VALUES (1, 'Fair')$$),
('lead.qualified', NULL, $$INSERT INTO lead (id, status) VALUES (1, 'Qualified')$$, '1', $$INSERT INTO lead (id) VALUES (1)$$),
('lead.converted', NULL, $$INSERT INTO lead (id) VALUES (1); UPDATE lead SET status = 'Converted'$$, '1', $$INSERT INTO lead (id) VALUES (1); UPDATE lead SET status = 'Lost'$$),
('lead.lost', '{"reason": "Price"}', $$INSERT INTO lead (id) VALUES (1); UPDATE lead SET status = 'lost', reason = 'Price'$$, '1', $$INSERT INTO lead (id) VALUES (1); UPDATE lead SET status = 'lost'$$),
('lead.unassigned_for', '{"for": "15 minutes"}', $$INSERT INTO lead (id) VALUES (1)$$, '1 04 09:15', $$INSERT INTO lead (id) VALUES (1); UPDATE lead SET owner = 3$$),
('lead.idle', '{"for": "3 days"}', $$INSERT INTO lead (id) VALUES (1); SELECT automation.advance('1 day'); UPDATE lead SET source = 'x'$$, '1 08 09:00', $$INSERT INTO lead (id) VALUES (1); SELECT automation.advance('1 day'); UPDATE lead SET status = 'Converted'$$),
('form.submitted', '{"form": "Contact us"}', $$INSERT INTO form VALUES (1, 'Contact us')$$, '1', $$INSERT INTO form VALUES (1, 'Newsletter')$$),
('call.received', NULL, $$INSERT INTO call VALUES (1, 'Ringing')$$, '1', $$INSERT INTO call VALUES (1, 'Ringing', 'outbound')$$),
('call.missed', NULL, $$INSERT INTO call VALUES (1, 'Ringing'); UPDATE call SET status = 'Missed'$$, '1', $$INSERT INTO call VALUES (1, 'Missed', 'outbound')$$),
('message.received', '{"intent": "Reschedule"}', $$INSERT INTO message (id, direction, intent) VALUES (1, 'inbound', 'Reschedule')$$, '1', $$INSERT INTO message (id, direction, intent) VALUES (1, 'outbound', 'Reschedule')$$),
('message.received', '{"contains": "STOP"}', $$INSERT INTO message (id, direction, body) VALUES (1, 'inbound', 'STOP it')$$, '1', $$INSERT INTO message (id, direction, body) VALUES (1, 'inbound', 'go on')$$),
('message.delivered', '{"channel": "sms"}', $$INSERT INTO message (id, channel, status) VALUES (1, 'sms', 'Sent'); UPDATE message SET status = 'Delivered'$$, '1', $$INSERT INTO message (id, channel, status) VALUES (1, 'mail', 'Delivered')$$),
('message.failed', NULL, $$INSERT INTO message (id, status) VALUES (1, 'Sent'); UPDATE message SET status = 'Undelivered'$$, '1', $$INSERT INTO message (id, status) VALUES (1, 'Sent')$$),
('message.bounced', NULL, $$INSERT INTO message (id, status) VALUES (1, 'Bounced')$$, '1', $$INSERT INTO message (id, status) VALUES (1, 'Failed')$$),
('message.link_clicked', NULL, $$INSERT INTO message (id) VALUES (1); UPDATE message SET clicked_at = '2030-03-04'$$, '1', $$INSERT INTO message (id) VALUES (1); UPDATE message SET status = 'Delivered'$$),
('review.received', '{"at_most": 3}', $$INSERT INTO review VALUES (1, 3)$$, '1', $$INSERT INTO review VALUES (1, 4)$$),
('review.received', '{"at_least": 4}', $$INSERT INTO review VALUES (1, 5)$$, '1', $$INSERT INTO review VALUES (1, 3)$$),
('external.event', '{"kind": "weather.wind"}', $$INSERT INTO inbox VALUES (1, 'weather.wind')$$, '1', $$INSERT INTO inbox VALUES (1, 'weather.snow')$$),
('deal.stage_changed', '{"to": "Offer Sent"}', $$UPDATE deal SET stage = 'Offer Sent'$$, '1', $$UPDATE deal SET stage = 'Won'$$),
('deal.amount_changed', '{"over": 50000}', $$UPDATE deal SET amount = 50001$$, '1', $$UPDATE deal SET amount = 50000$$),
('deal.won', NULL, $$UPDATE deal SET stage = 'Closed Won'$$, '1', $$UPDATE deal SET stage = 'Lost'$$),
('deal.lost', '{"reason": "Price"}', $$UPDATE deal SET stage = 'Lost', reason = 'Price'$$, '1', $$UPDATE deal SET stage = 'Lost', reason = 'Time'$$),
('deal.stalled', '{"for": "3 days"}', $$UPDATE deal SET stage = 'Offer Sent'$$, '1 07 09:00', $$UPDATE deal SET stage = 'Won'$$),
('deal.stalled', '{"for": "3 days", "status": "Offer Sent"}', $$UPDATE deal SET stage = 'Offer Sent'$$, '1 07 09:00', $$UPDATE deal SET stage = 'Offer Sent'; SELECT automation.advance('1 day'); UPDATE deal SET stage = 'New'$$),
('deal.close_date_passed', '{"after": "1 day"}', $$UPDATE deal SET closes_on = '2030-03-06'$$, '1 07 00:00', $$UPDATE deal SET closes_on = '2030-03-06', stage = 'Won'$$),
('deal.note_added', NULL, $$INSERT INTO note (id, deal_id) VALUES (1, 1)$$, '1', $$INSERT INTO note (id, job_id) VALUES (1, 1)$$),
('task.completed', NULL, $$INSERT INTO task (id) VALUES (1); UPDATE task SET status = 'done'$$, '1', $$INSERT INTO task (id) VALUES (1)$$),
('task.reopened', NULL, $$INSERT INTO task (id, status) VALUES (1, 'Done'); UPDATE task SET status = 'Open'$$, '1', $$INSERT INTO task (id, status) VALUES (1, 'Done'); UPDATE task SET status = 'Completed'$$),
('task.due_changed', NULL, $$INSERT INTO task (id) VALUES (1); UPDATE task SET due_at = '2030-03-05'$$, '1', $$INSERT INTO task (id, due_at) VALUES (1, '2030-03-05')$$),
('task.due_soon', '{"before": "1 day"}', $$INSERT INTO task (id, due_at) VALUES (1, '2030-03-06 12:00+00')$$, '1 05 12:00', $$INSERT INTO task (id, due_at) VALUES (1, '2030-03-06 12:00+00'); UPDATE task SET status = 'Done'$$),
('task.overdue', '{"after": "1 day"}', $$INSERT INTO task (id, due_at) VALUES (1, '2030-03-06 12:00+00')$$, '1 07 12:00', $$INSERT INTO task (id, due_at) VALUES (1, '2030-03-06 12:00+00'); UPDATE task SET due_at = '2031-01-01'$$),
('note.added', '{"visibility": "public"}', $$INSERT INTO note (id, visibility) VALUES (1, 'public')$$, '1', $$INSERT INTO note (id, visibility) VALUES (1, 'internal')$$),
('note.mention', '{"user": "@tom"}', $$INSERT INTO note (id, body) VALUES (1, 'ask @tom')$$, '1', $$INSERT INTO note (id, body) VALUES (1, 'ask @tina')$$),
('attachment.added', '{"kind": "permit"}', $$INSERT INTO attachment VALUES (1, 'permit')$$, '1', $$INSERT INTO attachment VALUES (1, 'photo')$$),
('document.generated', '{"kind": "contract"}', $$INSERT INTO document VALUES (1, 'contract')$$, '1', $$INSERT INTO document VALUES (1, 'report')$$),
('document.signed', NULL, $$INSERT INTO document VALUES (1, 'contract', false); UPDATE document SET signed = true$$, '1', $$INSERT INTO document VALUES (1, 'contract', false)$$),
('part.scanned', NULL, $$INSERT INTO part_scan VALUES (1, 1)$$, '1', $$INSERT INTO part_scan VALUES (1, NULL)$$),
('part.used', '{"by": 2}', $$UPDATE part SET stock = 8$$, '1', $$UPDATE part SET stock = 9; UPDATE part SET stock = 20$$),
('part.received', NULL, $$UPDATE part SET stock = 11$$, '1', $$UPDATE part SET stock = 9$$),
('part.low_stock', NULL, $$UPDATE part SET stock = 5; UPDATE part SET stock = 4$$, '1', $$UPDATE part SET stock = 6$$),
('part.out_of_stock', NULL, $$UPDATE part SET stock = 0$$, '1', $$UPDATE part SET stock = 1$$),
('part.delayed', NULL, $$UPDATE part SET expected_on = '2030-04-09'$$, '1', $$UPDATE part SET expected_on = '2030-03-20'$$),
('purchase_order.approved', NULL, $$INSERT INTO purchase (id) VALUES (1); UPDATE purchase SET status = 'Approved'$$, '1', $$INSERT INTO purchase (id) VALUES (1)$$),
('purchase_order.received', NULL, $$INSERT INTO purchase (id) VALUES (1); UPDATE purchase SET status = 'received'$$, '1', $$INSERT INTO purchase (id) VALUES (1); UPDATE purchase SET status = 'Closed'$$),
('purchase_order.overdue', '{"after": "2 days"}', $$INSERT INTO purchase VALUES (1, 'Ordered', '2030-03-05')$$, '1 07 00:00', $$INSERT INTO purchase VALUES (1, 'Received', '2030-03-05')$$),
('sla.started', '{"policy": "4h"}', $$INSERT INTO sla (id, policy) VALUES (1, '4h')$$, '1', $$INSERT INTO sla (id, policy) VALUES (1, '8h')$$),
('sla.paused', NULL, $$INSERT INTO sla (id) VALUES (1); UPDATE sla SET status = 'Paused'$$, '1', $$INSERT INTO sla (id) VALUES (1)$$),
('sla.resumed', NULL, $$INSERT INTO sla (id, status) VALUES (1, 'Paused'); UPDATE sla SET status = 'Running'$$, '1', $$INSERT INTO sla (id, status) VALUES (1, 'Paused'); UPDATE sla SET status = 'Met'$$),
('sla.met', NULL, $$INSERT INTO sla (id) VALUES (1); UPDATE sla SET status = 'Met'$$, '1', $$INSERT INTO sla (id) VALUES (1); UPDATE sla SET status = 'Paused'$$),
('sla.warning', '{"before": "1 hour"}', $$INSERT INTO sla (id, due_at) VALUES (1, '2030-03-04 13:00+00')$$, '1 04 12:00', $$INSERT INTO sla (id, due_at) VALUES (1, '2030-03-04 13:00+00'); UPDATE sla SET status = 'Met'$$),
('sla.breached', NULL, $$INSERT INTO sla (id, due_at) VALUES (1, '2030-03-04 13:00+00')$$, '1 04 13:00', $$INSERT INTO sla (id, due_at) VALUES (1, '2030-03-04 13:00+00'); UPDATE sla SET status = 'Paused'$$),
('sla.risk_detected', NULL, $$INSERT INTO sla (id, due_at, eta) VALUES (1, '2030-03-04 13:00+00', '2030-03-04 12:00+00') | UPDATE sla SET eta = '2030-03-04 13:20+00'$$, '1', $$INSERT INTO sla (id, status, due_at, eta) VALUES (1, 'Met', '2030-03-04 13:00+00', '2030-03-04 13:20+00'), (2, 'Running', '2030-03-04 13:00+00', '2030-03-04 12:20+00')$$),
('approval.requested', '{"kind": "nte"}', $$INSERT INTO approval (id, kind) VALUES (1, 'nte')$$, '1', $$INSERT INTO approval (id, kind) VALUES (1, 'discount')$$),
('approval.granted', NULL, $$INSERT INTO approval (id) VALUES (1); UPDATE approval SET status = 'Approved'$$, '1', $$INSERT INTO approval (id) VALUES (1); UPDATE approval SET status = 'Declined'$$),
('approval.declined', NULL, $$INSERT INTO approval (id) VALUES (1); UPDATE approval SET status = 'Rejected'$$, '1', $$INSERT INTO approval (id) VALUES (1); UPDATE approval SET status = 'Granted'$$),
('approval.expiring', '{"before": "2 hours"}', $$INSERT INTO approval (id, until) VALUES (1, '2030-03-05 09:00+00')$$, '1 05 07:00', $$INSERT INTO approval (id, until, status) VALUES (1, '2030-03-05 09:00+00', 'Granted')$$),
('approval.expired', NULL, $$INSERT INTO approval (id, until) VALUES (1, '2030-03-05 09:00+00')$$, '1 05 09:00', $$INSERT INTO approval (id, until) VALUES (1, '2030-03-05 09:00+00'); UPDATE approval SET status = 'Granted'$$),
('contract.cancelled', '{"reason": "Price"}', $$INSERT INTO contract (id) VALUES (1); UPDATE contract SET status = 'Cancelled', reason = 'Price'$$, '1', $$INSERT INTO contract (id) VALUES (1); UPDATE contract SET status = 'Cancelled'$$),
('contract.visit_due', '{"before": "3 days"}', $$INSERT INTO contract (id, next_visit) VALUES (1, '2030-03-10')$$, '1 07 00:00', $$INSERT INTO contract (id, next_visit, status) VALUES (1, '2030-03-10', 'Cancelled')$$),
('contract.renewal_due', '{"before": "3 days"}', $$INSERT INTO contract (id, ends_on) VALUES (1, '2030-03-10')$$, '1 07 00:00', $$INSERT INTO contract (id, ends_on) VALUES (1, '2030-03-10'); UPDATE contract SET ends_on = '2031-03-10'$$),
('equipment.warranty_expiring', '{"before": "3 days"}', $$INSERT INTO equipment VALUES (1, '2030-03-10')$$, '1 07 00:00', $$INSERT INTO equipment VALUES (1, '2030-03-30')$$),
('equipment.service_due', NULL, $$INSERT INTO equipment VALUES (1, NULL, '2030-03-10')$$, '1 10 00:00', $$INSERT INTO equipment VALUES (1, NULL, '2030-03-10'); UPDATE equipment SET service_on = '2030-09-10'$$),

-- Generic ones that trigger_library.sql and time_trigger.sql leave out
('field_matches', '{"filter": {"all": [{"field": "cost", "operator": ">", "value": 100}, {"field": "priority", "operator": "=", "value": "High"}]}}',
	$$UPDATE job SET cost = 200; UPDATE job SET priority = 'High'; UPDATE job SET cost = 300$$, '1', $$UPDATE job SET cost = 200, priority = 'High' | UPDATE job SET type = 'Roof'$$),
('field_matches', '{"filter": {"field": "cost", "operator": "null"}}', $$INSERT INTO job (id) VALUES (2)$$, '2', $$UPDATE job SET type = 'Roof'$$),
('flag_set', '{"field": ["warranty", "reason"]}', $$UPDATE job SET reason = 'x'$$, '1', $$UPDATE job SET reason = ' ', warranty = false$$),
('flag_cleared', '{"field": "warranty"}', $$UPDATE job SET warranty = true | UPDATE job SET warranty = NULL$$, '1', $$UPDATE job SET warranty = false$$),
('field_increased', '{"field": "cost", "by": 10}', $$UPDATE job SET cost = 5 | UPDATE job SET cost = 15$$, '1', $$UPDATE job SET cost = 5 | UPDATE job SET cost = 14$$),
('field_decreased', '{"field": "due_at"}', $$UPDATE job SET due_at = '2030-03-09' | UPDATE job SET due_at = '2030-03-08'$$, '1', $$UPDATE job SET due_at = '2030-03-09' | UPDATE job SET due_at = NULL$$),
('date_moved', '{"field": "due_at", "by": "1 day"}', $$UPDATE job SET due_at = '2030-03-09' | UPDATE job SET due_at = '2030-03-08'$$, '1', $$UPDATE job SET due_at = '2030-03-09' | UPDATE job SET due_at = '2030-03-08 01:00+00'$$),
('contact.tag_added', '{"tag": "VIP"}', $$UPDATE contact SET tags = '{VIP}'; UPDATE contact SET tags = '{VIP,new}'$$, '1', $$UPDATE contact SET tags = '{new}'$$),
('contact.tag_added', '{"tag": ["VIP", "owner"]}', $$UPDATE contact SET tags = '{VIP}' | UPDATE contact SET tags = '{VIP,owner}'$$, '1', $$UPDATE contact SET tags = '{VIP}' | UPDATE contact SET tags = '{new,VIP}'$$),
('contact.tag_added', NULL, $$INSERT INTO contact (id, tags) VALUES (2, '{a}')$$, '2', $$UPDATE contact SET tags = '{a,b}' | UPDATE contact SET tags = '{b}'$$),
('contact.tag_removed', '{"tag": "VIP"}', $$UPDATE contact SET tags = '{VIP,a}' | UPDATE contact SET tags = NULL$$, '1', $$UPDATE contact SET tags = '{VIP,a}' | UPDATE contact SET tags = '{VIP}'$$),
('held_for', '{"filter": {"field": "type", "operator": "empty"}, "for": "1 day"}', $$INSERT INTO job (id) VALUES (2)$$, '2 05 09:00', $$INSERT INTO job (id) VALUES (2); UPDATE job SET type = 'Roof'; SELECT automation.advance('2 days'); UPDATE job SET priority = 'High'$$),
('child_added', '{"child": "crm.note"}', $$INSERT INTO note (id, job_id) VALUES (1, 1)$$, '1', $$INSERT INTO note (id, job_id) VALUES (1, 1) | UPDATE note SET body = 'x'$$),
('child_changed', '{"child": "note", "field": "body"}', $$INSERT INTO note (id, job_id) VALUES (1, 1) | UPDATE note SET body = 'x'$$, '1', $$INSERT INTO note (id, job_id) VALUES (1, 1) | UPDATE note SET visibility = 'x'$$),
('child_changed', '{"child": "note"}', $$INSERT INTO note (id, job_id) VALUES (1, 1) | UPDATE note SET visibility = 'x'$$, '1', $$INSERT INTO note (id, job_id) VALUES (1, 1) | UPDATE note SET visibility = NULL$$),
('child_removed', '{"child": "note"}', $$INSERT INTO note (id, job_id) VALUES (1, 1) | DELETE FROM note$$, '1', $$INSERT INTO note (id, contact_id) VALUES (1, 1) | DELETE FROM note$$),
('child_status_entered', '{"child": "checklist", "to": "Open"}', $$INSERT INTO checklist VALUES (1, 1, 'Open')$$, '1', $$INSERT INTO checklist VALUES (1, 1, 'Done')$$);

SELECT format('SELECT is(crm.fired(%L, %L, %L), %L, %L)', trigger, params, script, fires_for, concat_ws(' ', trigger, params, says, script))
FROM example, LATERAL (VALUES (fires, expected, 'fires:'), (does_not, '-', 'does not:')) AS v(script, fires_for, says) \gexec
SELECT is_empty($$
	SELECT d.name FROM automation.trigger_definition AS d WHERE d.object_type IS NOT NULL
	AND NOT EXISTS (SELECT FROM example AS e WHERE e.trigger = d.name AND e.expected <> '-')$$, 'every trigger with a name of the trade has a line');
SELECT cmp_ok((SELECT count(*) FROM automation.trigger_definition WHERE object_type IS NOT NULL), '>=', 110::bigint, 'there are many');
SELECT is_empty($$SELECT name, needs FROM automation.triggers WHERE relation IS NOT NULL AND object_type IN (SELECT object_type FROM automation.trigger_definition) AND name IN (SELECT name FROM automation.trigger_definition) AND needs <> '{}'$$,
	'these tables support them all');

SELECT is_empty($$SELECT unnest('{job.updated,job.deleted,job.field_changed,job.field_filled,job.field_cleared,job.status_changed,job.status_entered,job.status_left,job.stayed_in_status,
	job.date_approaching,job.date_passed,job.no_activity,job.threshold_crossed,job.tag_added,job.tag_removed,job.assigned,job.reassigned,job.unassigned,job.child_added,job.child_changed,
	estimate.created,invoice.created,payment.created,contact.updated,lead.assigned,lead.status_changed,deal.created,task.created,task.assigned,purchase_order.created,contract.created,
	equipment.updated,approval.status_changed}'::text[]) EXCEPT SELECT name FROM automation.triggers WHERE needs IS NOT NULL$$, 'generic triggers go by every object type');

-- What a trigger wants of a row besides its date counts when a rule is activated for all rows, and is explained.
INSERT INTO invoice (id, status, due_on) VALUES (11, 'Sent', '2030-01-01'), (12, 'Paid', '2030-01-01');
SELECT automation.create_rule('Dunning', 'crm.invoice', 'invoice.overdue', '{"days": 7}', steps => ARRAY[automation.notify('log', 'x')]);
SELECT is(automation.matching_rows('Dunning'), 1::bigint, 'a paid invoice does not count as overdue');
SELECT matches((SELECT string_agg(conjunct, ' ') FROM automation.explain('Dunning', 'crm.invoice', '12') WHERE NOT holds), 'status', 'and why is told');

-- The example of each is one that a user can copy.
CREATE FUNCTION crm.tries(example text, relation regclass) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT automation.create_rule(name => %L, relation => %L, %s, steps => %L)', 'copied', relation, example, ARRAY[automation.notify('log', 'x')]);
	RAISE SQLSTATE 'TAP00';
EXCEPTION WHEN SQLSTATE 'TAP00' THEN
	RETURN 'a rule';
END
$$;
SELECT is(crm.tries(t.example, t.relation), 'a rule', t.example) FROM automation.triggers AS t
WHERE t.name IN (SELECT d.name FROM automation.trigger_definition AS d WHERE d.object_type IS NOT NULL) ORDER BY t.name;

SELECT * FROM finish();
ROLLBACK;
