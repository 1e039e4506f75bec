-- Playbooks: what customers are told.

INSERT INTO automation.playbook (key, category, title, description, params, rules) VALUES
('dispatched_sms', 'customer communication', 'Your tech is on the way',
	'Texts the customer when a technician is sent to a job.',
	$j${"job": {"table": "job", "roles": ["status"]}, "sms": {"channel": "sms"}, "phone": "{{ customer.phone }}",
		"body": "Hi {{ customer.first_name | default: \"there\" }}, your technician is on the way."}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.dispatched", "steps": [
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${body}"}}]}]$j$),

('booking_confirmation', 'customer communication', 'Booking confirmation',
	'Confirms an appointment by text message, and by e-mail with an invitation for the calendar, as soon as it is booked. The invitation moves with the appointment, and is cancelled with it.',
	$j${"appointment": {"table": "appointment", "roles": ["start", "status"]}, "sms": {"channel": "sms"}, "email": {"channel": "email"},
		"phone": "{{ customer.phone }}", "address": "{{ customer.email }}", "duration": "1 hour",
		"text": "We have booked you for {{ start | date: \"%d %B at %H:%M\" }}.",
		"summary": "Your appointment on {{ start | date: \"%d %B\" }}",
		"body": "Hi {{ customer.first_name | default: \"there\" }},\n\nwe have booked you for {{ start | date: \"%A %d %B at %H:%M\" }}. Reply to this message if that does not suit you.",
		"off": "Hi {{ customer.first_name | default: \"there\" }},\n\nyour appointment on {{ start | date: \"%A %d %B at %H:%M\" }} is cancelled."}$j$,
	$j$[{"name": "${name}", "table": "appointment", "trigger": "appointment.booked", "steps": [
			{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${text}"}},
			{"action": "send_calendar_invite", "params": {"class": "transactional", "channel": "${email}", "attendees": "${address}", "summary": "${summary}", "body": "${body}", "start": "start", "duration": "${duration}"}}]},
		{"name": "${name}: moved", "table": "appointment", "trigger": "field_changed", "params": {"field": "${appointment.start}"}, "steps": [
			{"action": "send_calendar_invite", "params": {"class": "transactional", "channel": "${email}", "attendees": "${address}", "summary": "${summary}", "body": "${body}", "start": "start", "duration": "${duration}"}}]},
		{"name": "${name}: off", "table": "appointment", "trigger": "appointment.cancelled", "steps": [
			{"action": "send_calendar_invite", "params": {"class": "transactional", "channel": "${email}", "attendees": "${address}", "summary": "${summary}", "body": "${off}", "start": "start", "duration": "${duration}", "method": "cancel"}}]}]$j$),

('night_before_reminder', 'customer communication', 'Night-before reminder',
	'Reminds the customer of an appointment at 18:00 the day before. It moves with the appointment and ends when that is cancelled.',
	$j${"appointment": {"table": "appointment", "roles": ["status", "start"]}, "sms": {"channel": "sms"}, "phone": "{{ customer.phone }}",
		"time": {"default": "18:00", "description": "when, the day before"},
		"zone": {"type": "string", "optional": true, "description": "whose clocks, such as field:customer.time_zone"},
		"body": "Reminder: we come tomorrow, {{ start | date: \"%d %B at %H:%M\" }}. Reply C to confirm or R to reschedule."}$j$,
	$j$[{"name": "${name}", "table": "appointment", "trigger": "appointment.starting_soon",
		"params": {"before": "1 day", "time_of_day": "${time}", "zone": "${zone}"}, "steps": [
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${body}"}}]}]$j$),

('en_route_live', 'customer communication', 'Technician on the way',
	'Tells the customer who is coming, with a link to follow him, when the technician sets off. Once for each trip.',
	$j${"job": {"table": "job", "roles": ["status", "owner"]}, "sms": {"channel": "sms"}, "phone": "{{ customer.phone }}",
		"technician": "{{ owner.name }}",
		"link": {"type": "string", "description": "where the trip can be followed, such as https://track.example/{{ id }}"},
		"body": "${technician} is on the way to you. Follow the trip or choose another time: ${link}"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.en_route", "steps": [
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${body}"}}]}]$j$),

('live_eta', 'customer communication', 'New time of arrival',
	'Tells the customer when the technician is expected at another time, as soon as that time has settled; not once he has arrived.',
	$j${"appointment": {"table": "appointment", "roles": ["status", "eta"]}, "sms": {"channel": "sms"}, "phone": "{{ customer.phone }}",
		"delta": {"default": "10 minutes", "description": "smaller changes are not worth a message"},
		"settle": {"default": "2 minutes", "description": "how long the new time must stand"},
		"arrived": {"default": ["On Site", "Arrived", "In Progress", "Completed", "Cancelled", "No Show"], "description": "statuses in which nobody waits"},
		"body": "Our technician is now expected at {{ eta | date: \"%H:%M\" }}."}$j$,
	$j$[{"name": "${name}", "table": "appointment", "trigger": "appointment.eta_changed", "params": {"by": "${delta}", "settle": "${settle}"},
		"condition": {"field": "status", "operator": "isNoneOf", "value": "${arrived}"}, "steps": [
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${body}"}}]}]$j$),

('no_show_recovery', 'customer communication', 'Recover a no-show',
	'When the customer was not there: half an hour later a link to book again, a day later a task to call. Ends when the appointment is rebooked.',
	$j${"appointment": {"table": "appointment", "roles": ["status", "start"]}, "sms": {"channel": "sms"}, "phone": "{{ customer.phone }}",
		"link": {"type": "string", "description": "where customers book"}, "assignee": {"type": "string", "optional": true, "description": "who calls"},
		"body": "Sorry we missed you. Choose another time: ${link}"}$j$,
	$j$[{"name": "${name}", "table": "appointment", "trigger": "appointment.no_show", "steps": [
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${body}"},
			"timing": {"delay": "30 minutes", "cancel_if_changed": ["${appointment.status}", "${appointment.start}"]}},
		{"action": "create_task", "params": {"title": "Call a customer who was not there", "assignee": "${assignee}"},
			"timing": {"delay": "1 day", "cancel_if_changed": ["${appointment.status}", "${appointment.start}"]}}]}]$j$),

('missed_call_textback', 'customer communication', 'Text back a missed call',
	'Two minutes after a call that nobody took, by day, a text message with a link to book. Ends when somebody calls back.',
	$j${"call": {"table": "call", "roles": ["status", "phone"]}, "sms": {"channel": "sms"},
		"link": {"type": "string", "description": "where customers book"},
		"hours": {"default": {"from": "08:00", "to": "21:00"}, "description": "when messages may be sent"},
		"body": "Sorry we missed your call. Book a visit at ${link} or reply here."}$j$,
	$j$[{"name": "${name}", "table": "call", "trigger": "call.missed", "steps": [
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "{{ phone }}", "body": "${body}"},
			"timing": {"delay": "2 minutes", "window": "${hours}", "cancel_if_changed": ["${call.status}"]}}]}]$j$),

('review_request', 'customer communication', 'Ask for a review',
	'Two hours after a job is done, between 9 and 20 o''clock, asks for a review; not if another job of the customer was done in the last 90 days. Ends when the job is reopened.',
	$j${"job": {"table": "job", "roles": ["status", "customer", "completed"]}, "sms": {"channel": "sms"}, "class": {"default": "marketing", "description": "marketing goes only to those who have consented"}, "phone": "{{ customer.phone }}",
		"link": {"type": "string", "description": "where customers leave reviews"}, "delay": "2 hours",
		"hours": {"default": {"from": "09:00", "to": "20:00"}, "description": "when messages may be sent"},
		"done": {"default": ["Completed", "Complete", "Closed"], "description": "statuses of a job that was done"},
		"body": "Thank you for your trust. How did we do? ${link}"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.completed",
		"condition": {"none": [{"exists": "${job}", "by": "customer", "where": {"all": [
			{"field": "status", "operator": "isOneOf", "value": "${done}"}, {"field": "completed", "operator": "withinLast", "value": "90 days"}]}}]},
		"steps": [{"action": "send_sms", "params": {"class": "${class}", "channel": "${sms}", "recipient": "${phone}", "body": "${body}"},
			"timing": {"delay": "${delay}", "window": "${hours}", "cancel_when": {"field": "status", "operator": "isNoneOf", "value": "${done}"}}}]}]$j$),

('stop_compliance', 'customer communication', 'Honour STOP',
	'A contact who writes STOP is opted out and told so, once; START opts him in again.',
	$j${"contact": {"table": "contact", "roles": ["opted_out"]}, "message": {"table": "message", "of": "contact", "roles": ["direction", "body"]},
		"sms": {"channel": "sms"}, "phone": "{{ phone }}",
		"goodbye": "You will receive no more messages from us. Reply START to receive them again.",
		"welcome": "You will receive messages from us again. Reply STOP to end them."}$j$,
	$j$[{"name": "${name}", "table": "contact", "trigger": "contact.message_received", "params": {"child": "${message}"},
			"condition": {"all": [{"field": "new.body", "operator": "in", "value": ["STOP", "Stop", "stop", "STOPALL", "UNSUBSCRIBE", "Unsubscribe", "unsubscribe", "CANCEL", "END", "QUIT"]},
				{"field": "opted_out", "operator": "isNotSet"}]},
			"steps": [{"action": "update_field", "params": {"field": "opted_out", "value": "true"}},
				{"action": "send_sms", "params": {"class": "compliance", "channel": "${sms}", "recipient": "${phone}", "body": "${goodbye}"}}]},
		{"name": "${name}: START", "table": "contact", "trigger": "contact.message_received", "params": {"child": "${message}"},
			"condition": {"all": [{"field": "new.body", "operator": "in", "value": ["START", "Start", "start", "UNSTOP"]}, {"field": "opted_out", "operator": "isSet"}]},
			"steps": [{"action": "update_field", "params": {"field": "opted_out", "value": "false"}},
				{"action": "send_sms", "params": {"class": "compliance", "channel": "${sms}", "recipient": "${phone}", "body": "${welcome}"}}]}]$j$),

('pm_updates', 'customer communication', 'Keep the property manager posted',
	'One e-mail to the property manager of a job when an hour has passed since the last note on it.',
	$j${"job": {"table": "job", "roles": ["manager", "title"]}, "note": {"table": "note", "of": "job"}, "email": {"channel": "email"},
		"address": "{{ manager.email }}", "settle": {"default": "1 hour", "description": "how long there must be no further note"},
		"subject": "News about {{ title }}", "body": "The latest on {{ title }}:\n\n{{ new.body }}"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.note_added", "params": {"child": "${note}", "settle": "${settle}"},
		"condition": {"field": "manager", "operator": "filled"}, "steps": [
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}}]}]$j$),

('completed_to_marketing', 'customer communication', 'Done jobs to marketing',
	'A day after a job is done, tells the marketing tool, unless the customer has opted out. Ends when the job is reopened.',
	$j${"job": {"table": "job", "roles": ["status"]}, "webhook": {"channel": "webhook"}, "path": "/jobs/done",
		"opted_out": {"default": "customer.opted_out", "description": "field that tells that the customer wants nothing"},
		"done": {"default": ["Completed", "Complete", "Closed"], "description": "statuses of a job that was done"},
		"body": {"default": {"job": "{{ id }}", "customer": "{{ customer }}", "email": "{{ customer.email }}"}}}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.completed", "condition": {"field": "${opted_out}", "operator": "isNotSet"}, "steps": [
		{"action": "send_webhook", "params": {"channel": "${webhook}", "path": "${path}", "body": "${body}"},
			"timing": {"delay": "1 day", "cancel_when": {"any": [{"field": "status", "operator": "isNoneOf", "value": "${done}"}, {"field": "${opted_out}", "operator": "isSet"}]}}}]}]$j$);
