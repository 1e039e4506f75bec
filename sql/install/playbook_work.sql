-- Playbooks: jobs, appointments, parts, service levels.

INSERT INTO automation.playbook (key, category, title, description, params, rules) VALUES
('estimate_approved_schedule', 'operations', 'Schedule the approved job',
	'A task for the dispatcher when the customer has approved an estimate.',
	$j${"estimate": {"table": "estimate", "roles": ["status"]}, "assignee": {"type": "string", "optional": true, "description": "the dispatcher"}, "due": "4 hours",
		"title": "Schedule the job of estimate {{ id }}"}$j$,
	$j$[{"name": "${name}", "table": "estimate", "trigger": "estimate.approved", "steps": [
		{"action": "create_task", "params": {"title": "${title}", "assignee": "${assignee}", "due": "${due}"}}]}]$j$),

('note_notify_tech', 'operations', 'Notes to the technician',
	'Tells the technician of a job about a note on it, unless he wrote it.',
	$j${"job": {"table": "job", "roles": ["owner"]}, "note": {"table": "note", "of": "job", "roles": ["author", "body"]}, "text": "Job {{ id }}: {{ new.body }}"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.note_added", "params": {"child": "${note}"},
		"condition": {"all": [{"field": "owner", "operator": "filled"}, {"field": "new.author", "operator": "!=", "value": "owner", "valueSource": "field"}]}, "steps": [
		{"action": "notify", "params": {"recipient": "owner", "body": "${text}"}}]}]$j$),

('urgency_channel_mix', 'operations', 'The more urgent, the louder',
	'E-mail about every urgent job; a text message too when it is very urgent, and another to the second in line after ten minutes when it is critical. Ends when somebody takes the job.',
	$j${"job": {"table": "job", "roles": ["priority", "owner"]}, "email": {"channel": "email"}, "sms": {"channel": "sms"},
		"levels": {"default": ["High", "Urgent", "Critical"], "description": "priorities with an e-mail"}, "loud": {"default": ["Urgent", "Critical"], "description": "with a text message"},
		"critical": {"default": ["Critical"], "description": "with another one to the second in line"}, "address": {"type": "string", "description": "e-mail address of the dispatch"},
		"phone": {"type": "string", "description": "phone number of who is on call"}, "second": {"type": "string", "description": "phone number of the second in line"},
		"subject": "{{ priority }}: job {{ id }}", "text": "{{ priority }} job {{ id }} needs somebody."}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.created", "condition": {"field": "priority", "operator": "isOneOf", "value": "${levels}"}, "steps": [
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${text}"}},
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${text}"}, "condition": {"field": "priority", "operator": "isOneOf", "value": "${loud}"}},
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${second}", "body": "${text}"}, "condition": {"field": "priority", "operator": "isOneOf", "value": "${critical}"},
			"timing": {"delay": "10 minutes", "cancel_if_changed": ["${job.owner}"]}}]}]$j$),

('deadline_guard', 'operations', 'Deadline',
	'Reminds the owner two days before the due date and on it, and tells the manager the day after, on workdays at 9 o''clock. Moves with the date; ends when the record is closed.',
	$j${"table": {"table": "*", "roles": ["status", "due", "owner"]}, "closed": {"default": ["Completed", "Done", "Closed", "Cancelled", "Won", "Lost", "Paid"], "description": "statuses in which there is nothing to do"},
		"before": "2 days", "after": "1 day", "time": "09:00", "weekdays": ["mon", "tue", "wed", "thu", "fri"],
		"manager": {"type": "string", "description": "who is told in the end"}, "text": "{{ id }} is due on {{ due | date: \"%d %B\" }}"}$j$,
	$j$[{"name": "${name}: soon", "table": "table", "trigger": "date_approaching", "params": {"field": "due", "before": "${before}", "time_of_day": "${time}", "weekdays": "${weekdays}"},
			"condition": {"field": "status", "operator": "isNoneOf", "value": "${closed}"}, "steps": [{"action": "notify", "params": {"recipient": "owner", "body": "${text}"}}]},
		{"name": "${name}", "table": "table", "trigger": "date_passed", "params": {"field": "due", "time_of_day": "${time}", "weekdays": "${weekdays}"},
			"condition": {"field": "status", "operator": "isNoneOf", "value": "${closed}"}, "steps": [{"action": "notify", "params": {"recipient": "owner", "body": "${text}"}}]},
		{"name": "${name}: over", "table": "table", "trigger": "date_passed", "params": {"field": "due", "after": "${after}", "time_of_day": "${time}", "weekdays": "${weekdays}"},
			"condition": {"field": "status", "operator": "isNoneOf", "value": "${closed}"}, "steps": [{"action": "notify", "params": {"recipient": "${manager}", "body": "${text}"}}]}]$j$),

('nte_approval', 'operations', 'Not-to-exceed approval',
	'Holds a job whose costs come near the amount not to exceed, has the technician add photos, and asks the property manager to approve a higher one by a signed link, again after 10 and 20 minutes; after 30 the office. When it is granted, the amount is raised and the job goes on; when it is declined, the office has a task.',
	$j${"job": {"table": "job", "roles": ["status", "cost", "limit", "manager"]}, "approval": {"table": "approval", "of": "job", "roles": ["kind", "status", "amount", "expires", "link"]},
		"item": {"table": "checklist_item", "of": "job", "roles": ["kind", "title", "status"]}, "email": {"channel": "email"}, "sms": {"channel": "sms"}, "at_ratio": 0.9,
		"address": "{{ job.manager.email }}", "phone": {"type": "string", "description": "phone number of the office"}, "photos": {"default": 2, "description": "how many photos"},
		"held": {"default": "On Hold", "description": "status of a job that waits"}, "resumed": {"default": "In Progress", "description": "status when it goes on"},
		"more": {"default": "{{ limit | times: 1.25 }}", "description": "the amount that is asked for"}, "expires": "1 day",
		"link": {"type": "string", "description": "what stands before the token of the link, such as https://approve.example/"},
		"assignee": {"type": "string", "optional": true, "description": "who has the task when it is declined"},
		"subject": "Approval needed for job {{ job.id }}", "body": "Costs come near the limit. Please approve {{ amount | currency }}: {{ link }}"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.nte_approaching", "params": {"at_ratio": "${at_ratio}"}, "steps": [
			{"action": "update_field", "params": {"field": "status", "value": "${held}"}},
			{"action": "require_evidence", "params": {"kind": "photo", "count": "${photos}"}},
			{"action": "request_approval", "params": {"kind": "nte", "url": "${link}", "expires": "${expires}", "amount": "${more}"}}]},
		{"name": "${name}: ask", "table": "approval", "trigger": "approval.requested", "params": {"kind": "nte"}, "steps": [
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}},
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}, "timing": {"delay": "10 minutes", "cancel_if_changed": ["${approval.status}"]}},
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}, "timing": {"delay": "20 minutes", "cancel_if_changed": ["${approval.status}"]}},
			{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "Approval {{ id }} has no answer"}, "timing": {"delay": "30 minutes", "cancel_if_changed": ["${approval.status}"]}}]},
		{"name": "${name}: granted", "table": "job", "trigger": "child_status_entered", "params": {"child": "${approval}", "to": ["Granted", "Approved"]},
			"condition": {"all": [{"field": "new.${approval.kind}", "operator": "=", "value": "nte"}, {"field": "status", "operator": "=", "value": "${held}"}]}, "steps": [
			{"action": "update_field", "params": {"field": "limit", "value": "{{ new.${approval.amount} }}"}},
			{"action": "update_field", "params": {"field": "status", "value": "${resumed}"}}]},
		{"name": "${name}: declined", "table": "approval", "trigger": "approval.declined", "params": {"kind": "nte"}, "steps": [
			{"action": "create_task", "params": {"title": "Approval {{ id }} was declined", "assignee": "${assignee}"}}]}]$j$),

('sla_countdown', 'operations', 'Service level countdown',
	'Tells the dispatcher when three quarters and nine tenths of the time of a service level have passed, and the manager when it is missed. Pauses and closed hours do not count. Ends when it is met or paused.',
	$j${"sla": {"table": "sla", "roles": ["status", "due", "start", "target"]}, "sms": {"channel": "sms"},
		"first": {"default": 75, "description": "per cent of the time"}, "second": {"default": 90, "description": "per cent of the time"},
		"recipient": {"type": "string", "description": "the dispatcher"}, "phone": {"type": "string", "description": "phone number of the manager"},
		"text": "Service level {{ id }} ends at {{ due | date: \"%H:%M\" }}", "missed": "Service level {{ id }} was missed"}$j$,
	$j$[{"name": "${name}", "table": "sla", "trigger": "sla.warning", "params": {"pct": "${first}"}, "steps": [{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}}]},
		{"name": "${name}: last call", "table": "sla", "trigger": "sla.warning", "params": {"pct": "${second}"}, "steps": [{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}}]},
		{"name": "${name}: missed", "table": "sla", "trigger": "sla.breached", "steps": [
			{"action": "notify", "params": {"recipient": "${recipient}", "body": "${missed}"}},
			{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${missed}"}}]}]$j$),

('onsite_sla_timer', 'operations', 'Time on site',
	'Starts the clock of a service level when the technician arrives, stops it while the job is on hold, and ends it when the job is done: met if in time. sla_countdown warns.',
	$j${"job": {"table": "job", "roles": ["status"]}, "sla": {"table": "sla", "of": "job", "roles": ["status", "due"]},
		"job_type": {"type": ["string", "array"], "optional": true, "description": "only jobs of these types"},
		"policy": {"default": "On site", "description": "what the service level is called"}, "target": {"default": "4 hours", "description": "how much time there is"},
		"calendar": {"type": "string", "optional": true, "description": "the clock runs while it is open; always by default"}}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.on_site", "params": {"job_type": "${job_type}"}, "steps": [
			{"action": "start_sla", "params": {"policy": "${policy}", "target": "${target}", "calendar": "${calendar}"}}]},
		{"name": "${name}: hold", "table": "job", "trigger": "job.on_hold", "params": {"job_type": "${job_type}"}, "steps": [{"action": "pause_sla", "params": {"policy": "${policy}"}}]},
		{"name": "${name}: go on", "table": "job", "trigger": "job.resumed", "params": {"job_type": "${job_type}"}, "steps": [{"action": "resume_sla", "params": {"policy": "${policy}"}}]},
		{"name": "${name}: done", "table": "job", "trigger": "job.completed", "params": {"job_type": "${job_type}"}, "steps": [{"action": "stop_sla", "params": {"policy": "${policy}"}}]}]$j$),

('late_start', 'operations', 'Late start',
	'Asks the technician and gives the dispatcher a task when an appointment has not begun 15 minutes after its time; half an hour later a text message to the customer, unless it has begun.',
	$j${"appointment": {"table": "appointment", "roles": ["status", "start", "owner"]}, "sms": {"channel": "sms"}, "phone": "{{ customer.phone }}", "grace": "15 minutes",
		"assignee": {"type": "string", "optional": true, "description": "the dispatcher"}, "text": "Sorry, we are running late. We will be with you as soon as we can."}$j$,
	$j$[{"name": "${name}", "table": "appointment", "trigger": "appointment.late_start", "params": {"after": "${grace}"}, "steps": [
		{"action": "notify", "params": {"recipient": "owner", "body": "Appointment {{ id }} should have begun. Where are you?"}},
		{"action": "create_task", "params": {"title": "Late start of appointment {{ id }}", "assignee": "${assignee}"}},
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${text}"}, "timing": {"delay": "30 minutes", "cancel_if_changed": ["${appointment.status}", "${appointment.start}"]}}]}]$j$),

('missing_signature', 'operations', 'Missing signature',
	'Reminds the technician when a job is done without a signature, and sends the customer a link to sign four hours later. Ends when it is signed.',
	$j${"job": {"table": "job", "roles": ["status", "signature", "owner"]}, "email": {"channel": "email"}, "address": "{{ customer.email }}",
		"job_type": {"type": ["string", "array"], "optional": true, "description": "only jobs of these types"}, "link": {"type": "string", "description": "where the customer can sign, such as https://sign.example/{{ id }}"},
		"subject": "Please sign", "body": "Please sign for the work we have done: ${link}"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.completed_without_signature", "params": {"job_type": "${job_type}"}, "steps": [
		{"action": "notify", "params": {"recipient": "owner", "body": "Job {{ id }} has no signature"}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}, "timing": {"delay": "4 hours", "cancel_if_changed": ["${job.signature}"]}}]}]$j$),

('part_scan_reorder', 'operations', 'Reorder a part',
	'Drafts a purchase order when the stock of a part falls to its point of reordering, unless one is open, and tells the buyer. Again only after the stock was above.',
	$j${"part": {"table": "part", "roles": ["quantity", "reorder"]}, "purchase_order": {"table": "purchase_order", "of": "part", "roles": ["status", "part", "quantity"]},
		"amount": {"default": 10, "description": "how many are ordered"}, "closed": {"default": ["Received", "Closed", "Cancelled"], "description": "statuses of a purchase order that is not open"},
		"fields": {"default": {"part": "{{ id }}", "quantity": "${amount}", "status": "Draft"}, "description": "columns of the purchase order; texts are templates"},
		"recipient": {"type": "string", "description": "the buyer"}, "text": "Part {{ id }} is down to {{ quantity }}"}$j$,
	$j$[{"name": "${name}", "table": "part", "trigger": "part.low_stock",
		"condition": {"none": [{"exists": "${purchase_order}", "where": {"field": "status", "operator": "isNoneOf", "value": "${closed}"}}]}, "steps": [
		{"action": "create_record", "params": {"relation": "${purchase_order}", "fields": "${fields}"}},
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}}]}]$j$),

('slow_part_reschedule', 'operations', 'A part comes late',
	'Has the dispatcher reschedule what waits for a part that will come later than expected; reminds him after a day, unless the date has changed again.',
	$j${"part": {"table": "part", "roles": ["expected"]}, "recipient": {"type": "string", "description": "the dispatcher"}, "assignee": {"type": "string", "optional": true, "description": "who reschedules"},
		"title": "Reschedule jobs waiting for part {{ id }}, now expected on {{ expected | date: \"%d %B\" }}"}$j$,
	$j$[{"name": "${name}", "table": "part", "trigger": "part.delayed", "steps": [
		{"action": "create_task", "params": {"title": "${title}", "assignee": "${assignee}"}},
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${title}"}, "timing": {"delay": "1 day", "cancel_if_changed": ["${part.expected}"]}}]}]$j$),

('hvac_no_heat', 'operations', 'No heat',
	'Raises the priority of a no-heat call, starts a clock of four hours, attaches the checklist, texts who is on call at once, and escalates after two and three of the four hours. Ends when a technician has arrived or the job is cancelled.',
	$j${"job": {"table": "job", "roles": ["status", "priority", "type"]}, "sla": {"table": "sla", "of": "job", "roles": ["status", "due"]}, "item": {"table": "checklist_item", "of": "job", "roles": ["kind", "title", "status"]},
		"sms": {"channel": "sms"}, "job_type": {"default": ["No Heat"], "description": "types of such jobs"},
		"priority": {"default": "Emergency"}, "on_call": {"type": "string", "description": "phone number of who is on call"}, "manager": {"type": "string", "description": "phone number of the manager"},
		"policy": {"default": "No heat", "description": "what the service level is called"}, "target": {"default": "4 hours", "description": "how much time there is"},
		"half": "2 hours", "three_quarters": "3 hours", "there": {"default": ["On Site", "Arrived", "In Progress", "Completed", "Cancelled", "Canceled"], "description": "statuses in which nobody waits"},
		"items": {"default": ["Static pressure", "Flue draft"], "description": "what is to be measured"},
		"text": "No heat: job {{ id }}, to be reached within ${target}."}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.created", "params": {"job_type": "${job_type}"}, "steps": [
			{"action": "update_field", "params": {"field": "priority", "value": "${priority}"}},
			{"action": "start_sla", "params": {"policy": "${policy}", "target": "${target}"}},
			{"action": "attach_checklist", "params": {"name": "${policy}", "items": "${items}"}},
			{"action": "send_sms", "params": {"class": "emergency", "channel": "${sms}", "recipient": "${on_call}", "body": "${text}"}},
			{"action": "send_sms", "params": {"class": "emergency", "channel": "${sms}", "recipient": "${on_call}", "body": "Half of the time is over. ${text}"},
				"timing": {"delay": "${half}", "cancel_when": {"field": "status", "operator": "isOneOf", "value": "${there}"}}},
			{"action": "send_sms", "params": {"class": "emergency", "channel": "${sms}", "recipient": "${manager}", "body": "Nobody there yet. ${text}"},
				"timing": {"delay": "${three_quarters}", "cancel_when": {"field": "status", "operator": "isOneOf", "value": "${there}"}}}]},
		{"name": "${name}: reached", "table": "job", "trigger": "status_entered", "params": {"to": "${there}"}, "condition": {"field": "type", "operator": "isOneOf", "value": "${job_type}"}, "steps": [
			{"action": "stop_sla", "params": {"policy": "${policy}"}}]}]$j$),

('plumbing_gas_leak', 'operations', 'Gas leak',
	'Tells the customer how to be safe and texts one after the other who is on call, every five minutes, until somebody takes the job.',
	$j${"job": {"table": "job", "roles": ["type", "owner"]}, "sms": {"channel": "sms"}, "job_type": {"default": ["Gas Leak"], "description": "types of such jobs"}, "phone": "{{ customer.phone }}",
		"first": {"type": "string", "description": "phone number of who is on call"}, "second": {"type": "string", "description": "the next"}, "third": {"type": "string", "description": "the last"},
		"safety": "Leave the building, touch no switches, and call us from outside. Help is on its way.", "text": "Gas leak: job {{ id }}. Take it now."}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.created", "params": {"job_type": "${job_type}"}, "steps": [
		{"action": "send_sms", "params": {"class": "emergency", "channel": "${sms}", "recipient": "${phone}", "body": "${safety}"}},
		{"action": "send_sms", "params": {"class": "emergency", "channel": "${sms}", "recipient": "${first}", "body": "${text}"}},
		{"action": "send_sms", "params": {"class": "emergency", "channel": "${sms}", "recipient": "${second}", "body": "${text}"}, "timing": {"delay": "5 minutes", "cancel_if_changed": ["${job.owner}"]}},
		{"action": "send_sms", "params": {"class": "emergency", "channel": "${sms}", "recipient": "${third}", "body": "${text}"}, "timing": {"delay": "10 minutes", "cancel_if_changed": ["${job.owner}"]}}]}]$j$),

('electrical_loto_guard', 'operations', 'No power before the photo',
	'Refuses to complete an electrical job before its lockout/tagout checklist is complete and a photo of the panel is there. A supervisor can override it, which the log tells.',
	$j${"job": {"table": "job", "roles": ["status", "type"]}, "checklist": {"table": "checklist", "of": "job", "roles": ["template", "status"]}, "photo": {"table": "photo", "of": "job"},
		"types": {"default": ["Electrical"], "description": "types of job"}, "template": "Lockout/tagout", "complete": {"default": ["Complete", "Completed"], "description": "statuses of the checklist"},
		"supervisor": {"type": "string", "optional": true, "description": "database role that can override it"},
		"text": "Job {{ id }} cannot be completed: confirm lockout/tagout and add a photo of the panel first"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.completed", "params": {"job_type": "${types}"},
		"condition": {"any": [
			{"none": [{"exists": "${photo}"}]},
			{"none": [{"exists": "${checklist}", "where": {"all": [
				{"field": "template", "operator": "=", "value": "${template}"}, {"field": "status", "operator": "isOneOf", "value": "${complete}"}]}}]}]}, "steps": [
		{"action": "refuse", "params": {"message": "${text}", "override": "${supervisor}"}}]}]$j$),

('job_type_checklist', 'operations', 'Checklist by type of job',
	'Attaches a checklist to jobs of a type when they are scheduled, once.',
	$j${"job": {"table": "job", "roles": ["status", "type"]}, "item": {"table": "checklist_item", "of": "job", "roles": ["kind", "title", "status"]},
		"job_type": {"type": ["string", "array"], "description": "types of jobs"}, "checklist": {"type": "string", "description": "what the checklist is called"},
		"items": {"type": "array", "description": "what is to be done, one text each"}}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.scheduled", "params": {"job_type": "${job_type}"}, "steps": [
		{"action": "attach_checklist", "params": {"name": "${checklist}", "items": "${items}"}}]}]$j$),

('status_push_back', 'operations', 'Status to the other system',
	'Tells the system that a job came from about every change of its status.',
	$j${"job": {"table": "job", "roles": ["status", "external_id"]}, "webhook": {"channel": "webhook"}, "path": "/jobs/{{ external_id }}",
		"body": {"default": {"status": "{{ status }}"}}}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "status_changed", "condition": {"field": "external_id", "operator": "filled"}, "steps": [
		{"action": "send_webhook", "params": {"channel": "${webhook}", "path": "${path}", "body": "${body}", "method": "PUT"}}]}]$j$),

('warranty_claim', 'operations', 'Warranty claim',
	'When a job is a case of warranty: its amount becomes zero, the technician is told, and somebody claims it from the vendor within two days.',
	$j${"job": {"table": "job", "roles": ["warranty", "owner", "amount"]}, "assignee": {"type": "string", "optional": true, "description": "who files the claim"}, "due": "2 days"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.warranty_claimed", "steps": [
		{"action": "update_field", "params": {"field": "amount", "value": "0"}},
		{"action": "create_task", "params": {"title": "Claim warranty for job {{ id }}", "assignee": "${assignee}", "due": "${due}"}},
		{"action": "notify", "params": {"recipient": "owner", "body": "Job {{ id }} is under warranty: no charge"}, "condition": {"field": "owner", "operator": "filled"}}]}]$j$),

('callback_detector', 'operations', 'Callback',
	'When a job is opened where another was done in the last 30 days: raises its priority and tells the manager.',
	$j${"job": {"table": "job", "roles": ["status", "location", "completed", "priority"]}, "within": "30 days", "priority": {"default": "High"},
		"recipient": {"type": "string", "description": "the manager"}, "text": "Job {{ id }} is a callback"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.callback_detected", "params": {"within": "${within}"}, "steps": [
		{"action": "update_field", "params": {"field": "priority", "value": "${priority}"}},
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}},
		{"action": "create_task", "params": {"title": "Find out why job {{ id }} is a callback"}}]}]$j$),

('overtime_cap', 'operations', 'Overtime',
	'Tells the dispatcher when the hours planned for a technician reach the cap, and gives him a task an hour later unless they have changed.',
	$j${"technician": {"table": "technician", "roles": ["hours"]}, "cap": 40, "recipient": {"type": "string", "description": "the dispatcher"}, "text": "Technician {{ id }} has {{ hours }} hours planned"}$j$,
	$j$[{"name": "${name}", "table": "technician", "trigger": "technician.overtime_risk", "params": {"value": "${cap}"}, "steps": [
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}},
		{"action": "create_task", "params": {"title": "Take work off technician {{ id }}"}, "timing": {"delay": "1 hour", "cancel_if_changed": ["${technician.hours}"]}}]}]$j$);
