-- Playbooks: contacts, leads, deals.

INSERT INTO automation.playbook (key, category, title, description, params, rules) VALUES
('new_contact_followup', 'sales', 'Follow up new contacts',
	'Writes to a new contact at once and after 1, 3 and 7 working days at 10 o''clock, with a call in between; not to imported ones. Ends when the contact opts out.',
	$j${"contact": {"table": "contact", "roles": ["source", "opted_out"]}, "email": {"channel": "email"}, "class": {"default": "marketing", "description": "marketing goes only to those who have consented"}, "address": "{{ email }}",
		"imported": {"default": ["import", "Import"], "description": "sources that are not followed up"},
		"assignee": {"type": "string", "optional": true, "description": "who calls"},
		"subject": "Welcome", "body": "Hi {{ first_name | default: \"there\" }},\n\nthank you for getting in touch. How can we help?",
		"second": "Hi {{ first_name | default: \"there\" }},\n\nis there anything we can do for you?"}$j$,
	$j$[{"name": "${name}: sequence", "table": "contact", "trigger": "manual", "steps": [
			{"action": "send_email", "params": {"class": "${class}", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}},
			{"action": "send_email", "params": {"class": "${class}", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${second}"},
				"timing": {"workdays": 1, "time_of_day": "10:00", "cancel_when": {"field": "opted_out", "operator": "isSet"}}},
			{"action": "create_task", "params": {"title": "Call {{ first_name | default: \"a new contact\" }}", "assignee": "${assignee}"},
				"timing": {"workdays": 3, "time_of_day": "10:00", "cancel_when": {"field": "opted_out", "operator": "isSet"}}},
			{"action": "send_email", "params": {"class": "${class}", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${second}"},
				"timing": {"workdays": 7, "time_of_day": "10:00", "cancel_when": {"field": "opted_out", "operator": "isSet"}}}]},
		{"name": "${name}", "table": "contact", "trigger": "contact.created", "condition": {"field": "source", "operator": "isNoneOf", "value": "${imported}"},
			"steps": [{"action": "start_rule", "params": {"rule": "${name}: sequence"}}]}]$j$),

('lead_followup_sequence', 'sales', 'Follow up a lead',
	'E-mail at once, text message after a day, task to call after three, e-mail after seven, on workdays at 10 o''clock. Ends as soon as the status of the lead changes.',
	$j${"lead": {"table": "lead", "roles": ["status", "owner"]}, "email": {"channel": "email"}, "sms": {"channel": "sms"},
		"address": "{{ customer.email }}", "phone": "{{ customer.phone }}", "time": "10:00", "weekdays": ["mon", "tue", "wed", "thu", "fri"],
		"subject": "Your enquiry", "first": "Thank you for your enquiry. We will be in touch.",
		"text": "Do you have a question about your enquiry? Just reply.", "last": "Are you still interested? We would be glad to help."}$j$,
	$j$[{"name": "${name}", "table": "lead", "trigger": "lead.created", "steps": [
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${first}"}},
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${text}"},
			"timing": {"delay": "1 day", "time_of_day": "${time}", "weekdays": "${weekdays}", "cancel_if_changed": ["${lead.status}"]}},
		{"action": "create_task", "params": {"title": "Call lead {{ id }}", "assignee": "owner"},
			"timing": {"delay": "3 days", "time_of_day": "${time}", "weekdays": "${weekdays}", "cancel_if_changed": ["${lead.status}"]}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${last}"},
			"timing": {"delay": "7 days", "time_of_day": "${time}", "weekdays": "${weekdays}", "cancel_if_changed": ["${lead.status}"]}}]}]$j$),

('form_lead_intake', 'sales', 'Form to lead',
	'Makes a lead of a form that is sent in, answers it, has somebody call within 15 minutes, and gives new leads to the team in turn.',
	$j${"form": {"table": "form", "roles": ["email"]}, "lead": {"table": "lead", "roles": ["source", "owner"]}, "email": {"channel": "email"},
		"team": {"type": "array", "description": "keys of the users who take leads in turn"},
		"fields": {"default": {"source": "Form"}, "description": "columns of the lead; texts are templates"},
		"due": "15 minutes", "subject": "We have received your message", "body": "Thank you for your message. We will call you shortly."}$j$,
	$j$[{"name": "${name}", "table": "form", "trigger": "form.submitted", "steps": [
			{"action": "create_record", "params": {"relation": "${lead}", "fields": "${fields}"}},
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "{{ email }}", "subject": "${subject}", "body": "${body}"}},
			{"action": "create_task", "params": {"title": "Call back {{ email }}", "due": "${due}"}}]},
		{"name": "${name}: in turn", "table": "lead", "trigger": "lead.created", "condition": {"field": "owner", "operator": "empty"}, "steps": [
			{"action": "assign_user", "params": {"strategy": "round_robin", "pool": "${team}"}}]}]$j$),

('employee_alert', 'sales', 'A new lead is in',
	'Tells somebody, and the team''s chat, that a lead has come in. Each of the two by itself.',
	$j${"lead": {"table": "lead"}, "chat": {"channel": "webhook"}, "recipient": {"type": "string", "description": "who is told"},
		"path": "", "text": "New lead {{ id }}"}$j$,
	$j$[{"name": "${name}", "table": "lead", "trigger": "lead.created", "steps": [
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}},
		{"action": "send_webhook", "params": {"channel": "${chat}", "path": "${path}", "body": {"text": "${text}"}}}]}]$j$),

('lead_to_work_order', 'sales', 'Qualified lead to work order',
	'Makes a job of a lead that is qualified, and tells the system that the lead came from.',
	$j${"lead": {"table": "lead", "roles": ["status", "customer"]}, "job": {"table": "job", "roles": ["status", "customer", "title"]}, "webhook": {"channel": "webhook"},
		"fields": {"default": {"customer": "{{ customer }}", "title": "Lead {{ id }}", "status": "New"}, "description": "columns of the job; texts are templates"},
		"path": "/leads/{{ id }}"}$j$,
	$j$[{"name": "${name}", "table": "lead", "trigger": "lead.qualified", "steps": [
		{"action": "create_record", "params": {"relation": "${job}", "fields": "${fields}"}},
		{"action": "send_webhook", "params": {"channel": "${webhook}", "path": "${path}", "body": {"lead": "{{ id }}", "state": "work order created"}, "method": "PUT"}}]}]$j$),

('unassigned_escalation', 'sales', 'Nobody has taken it',
	'E-mail after 5 minutes, again after 2 hours, text message to the manager after 6, as long as a deal stays in the stage. Each is dropped when the stage is touched.',
	$j${"deal": {"table": "deal", "roles": ["status"]}, "email": {"channel": "email"}, "sms": {"channel": "sms"},
		"stage": {"default": "Salesperson not assigned"}, "address": {"type": "string", "description": "e-mail address of the manager"},
		"phone": {"type": "string", "description": "phone number of the manager"},
		"subject": "Deal {{ id }} has no salesperson", "body": "Deal {{ id }} is still in ${stage}."}$j$,
	$j$[{"name": "${name}", "table": "deal", "trigger": "status_entered", "params": {"to": "${stage}"}, "steps": [
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"},
			"timing": {"delay": "5 minutes", "cancel_if_changed": ["${deal.status}"]}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"},
			"timing": {"delay": "2 hours", "cancel_if_changed": ["${deal.status}"]}},
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${body}"},
			"timing": {"delay": "6 hours", "cancel_if_changed": ["${deal.status}"]}}]}]$j$),

('offer_sent_followup', 'sales', 'Follow up an offer',
	'A thank-you when the offer is sent, a task to call after 3 days, a text message after 5. The message is dropped when the stage has changed.',
	$j${"deal": {"table": "deal", "roles": ["status", "owner"]}, "email": {"channel": "email"}, "sms": {"channel": "sms"}, "stage": {"default": "Offer Sent"},
		"address": "{{ customer.email }}", "phone": "{{ customer.phone }}", "subject": "Our offer", "body": "Thank you for your interest. Our offer is on its way.",
		"text": "Have you had a look at our offer? We are glad to answer questions."}$j$,
	$j$[{"name": "${name}", "table": "deal", "trigger": "status_entered", "params": {"to": "${stage}"}, "steps": [
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}},
		{"action": "create_task", "params": {"title": "Follow-up call, deal {{ id }}", "assignee": "owner"}, "timing": {"delay": "3 days"}},
		{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${text}"},
			"timing": {"delay": "5 days", "cancel_if_changed": ["${deal.status}"]}}]}]$j$),

('big_deal_alert', 'sales', 'Big deal',
	'Tells the manager when a deal above an amount moves, and has the owner prepare it.',
	$j${"deal": {"table": "deal", "roles": ["status", "amount", "owner"]}, "over": 50000, "recipient": {"type": "string", "description": "who is told"},
		"text": "Deal {{ id }} over {{ amount | currency }} is now in {{ status }}"}$j$,
	$j$[{"name": "${name}", "table": "deal", "trigger": "deal.stage_changed", "condition": {"field": "amount", "operator": ">", "value": "${over}"}, "steps": [
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}},
		{"action": "create_task", "params": {"title": "Review big deal {{ id }}", "assignee": "owner", "due": "1 day"}}]}]$j$),

('add_product_item', 'sales', 'Add a product',
	'Adds a product to a deal that enters a stage, once.',
	$j${"deal": {"table": "deal", "roles": ["status"]}, "line_item": {"table": "line_item", "of": "deal", "roles": ["product", "price", "quantity"]},
		"stage": {"type": "string", "description": "the stage"}, "product": {"type": ["string", "number"], "description": "what is added"},
		"price": {"type": "number", "description": "at this price"}, "quantity": 1}$j$,
	$j$[{"name": "${name}", "table": "deal", "trigger": "status_entered", "params": {"to": "${stage}"},
		"condition": {"none": [{"exists": "${line_item}", "where": {"field": "product", "operator": "=", "value": "${product}"}}]}, "steps": [
		{"action": "add_line_item", "params": {"product": "${product}", "price": "${price}", "quantity": "${quantity}"}}]}]$j$),

('stage_document', 'sales', 'Document of a stage',
	'When a deal enters a stage, makes a document of it, such as the contract, and then e-mails it to the customer.',
	$j${"deal": {"table": "deal", "roles": ["status"]}, "email": {"channel": "email"}, "stage": {"default": "Contract"}, "address": "{{ customer.email }}",
		"file": {"default": "contract.html", "description": "what the document is called"},
		"document": {"default": "<h1>Contract {{ id }}</h1>\n<p>between us and {{ customer.first_name | default: \"you\" }}</p>", "description": "what it says, in HTML; a template"},
		"subject": "Your contract", "body": "Please find your contract attached."}$j$,
	$j$[{"name": "${name}", "table": "deal", "trigger": "status_entered", "params": {"to": "${stage}"}, "steps": [
		{"action": "generate_document", "params": {"name": "${file}", "html": "${document}"}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}", "attachments": ["${file}"]},
			"timing": {"after_previous": true}}]}]$j$),

('ab_email', 'sales', 'Which e-mail works better',
	'When a record enters a status, one of two e-mails, by chance but the same one for the same address. What becomes of them is measured by create_experiment(decision => ''version''), and promote_experiment() keeps the better one.',
	$j${"table": {"table": "*", "roles": ["status"]}, "email": {"channel": "email"}, "status": {"type": ["string", "array"], "description": "the status, or several"},
		"class": {"default": "marketing", "description": "marketing goes only to those who have consented"}, "address": "{{ customer.email }}",
		"weights": {"default": {"a": 1, "b": 1}, "description": "how many get which"},
		"subject": {"type": "string", "description": "of e-mail a"}, "body": {"type": "string", "description": "of e-mail a"},
		"other_subject": {"type": "string", "description": "of e-mail b"}, "other_body": {"type": "string", "description": "of e-mail b"}}$j$,
	$j$[{"name": "${name}", "table": "table", "trigger": "status_entered", "params": {"to": "${status}"}, "steps": [
		{"action": "split", "params": {"decision": "version", "weights": "${weights}", "by": "${address}"}},
		{"action": "send_email", "params": {"class": "${class}", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"},
			"condition": {"took": ["version", "a"]}},
		{"action": "send_email", "params": {"class": "${class}", "channel": "${email}", "recipient": "${address}", "subject": "${other_subject}", "body": "${other_body}"},
			"condition": {"took": ["version", "b"]}}]}]$j$),

('repeat_sale', 'sales', 'Sell again',
	'Eleven months after a job is done, an offer to the customer and a task to call him. Ends when the customer has booked another job.',
	$j${"job": {"table": "job", "roles": ["status", "customer"]}, "email": {"channel": "email"}, "class": {"default": "marketing", "description": "marketing goes only to those who have consented"}, "address": "{{ customer.email }}", "delay": "330 days",
		"done": {"default": ["Completed", "Complete", "Closed", "Cancelled"], "description": "statuses of a job that is not open"},
		"subject": "Time for a check?", "body": "It has been almost a year. May we come again?"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.completed", "steps": [
		{"action": "send_email", "params": {"class": "${class}", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"},
			"timing": {"delay": "${delay}", "cancel_when": {"exists": "${job}", "by": "customer", "where": {"field": "status", "operator": "isNoneOf", "value": "${done}"}}}},
		{"action": "create_task", "params": {"title": "Offer another visit, job {{ id }}"},
			"timing": {"delay": "${delay}", "cancel_when": {"exists": "${job}", "by": "customer", "where": {"field": "status", "operator": "isNoneOf", "value": "${done}"}}}}]}]$j$),

('object_status_notify', 'sales', 'Tell those concerned',
	'When a record of any kind enters a status, an e-mail inside and one outside, at once or later. Ends when it leaves the status.',
	$j${"table": {"table": "*", "roles": ["status"]}, "email": {"channel": "email"}, "status": {"type": "string", "description": "the status"},
		"inside": {"type": ["string", "array"], "description": "e-mail addresses in the firm"}, "outside": {"type": ["string", "array"], "description": "e-mail addresses outside, such as {{ customer.email }}"},
		"delay": "0", "subject": "{{ id }} is now ${status}", "body": "{{ id }} is now ${status}."}$j$,
	$j$[{"name": "${name}", "table": "table", "trigger": "status_entered", "params": {"to": "${status}"}, "steps": [
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${inside}", "subject": "${subject}", "body": "${body}"},
			"timing": {"delay": "${delay}", "cancel_if_changed": ["${table.status}"]}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${outside}", "subject": "${subject}", "body": "${body}"},
			"timing": {"delay": "${delay}", "cancel_if_changed": ["${table.status}"]}}]}]$j$),

('stays_in_status_nudge', 'sales', 'It does not move',
	'When a record of any kind has stayed in a status for three days, reminds its owner; after five, the manager. Ends when it leaves the status.',
	$j${"table": {"table": "*", "roles": ["status", "owner"]}, "status": {"type": ["string", "array"], "description": "the status, or several"},
		"for": "3 days", "escalate_after": "5 days", "manager": {"type": "string", "description": "who is told next"}, "text": "{{ id }} is still in {{ status }}"}$j$,
	$j$[{"name": "${name}", "table": "table", "trigger": "stayed_in_status", "params": {"status": "${status}", "for": "${for}"}, "steps": [
			{"action": "notify", "params": {"recipient": "owner", "body": "${text}"}}]},
		{"name": "${name}: escalate", "table": "table", "trigger": "stayed_in_status", "params": {"status": "${status}", "for": "${escalate_after}"}, "steps": [
			{"action": "notify", "params": {"recipient": "${manager}", "body": "${text}"}}]}]$j$),

('field_filled_advance', 'sales', 'Go on when it is filled in',
	'When a field of a record is filled in, moves the record to a status and tells its owner.',
	$j${"table": {"table": "*", "roles": ["status", "owner"]}, "field": {"type": "string", "description": "the column"},
		"status": {"type": "string", "description": "the status it goes to"}, "text": "{{ id }} is now in ${status}"}$j$,
	$j$[{"name": "${name}", "table": "table", "trigger": "field_filled", "params": {"field": "${field}"}, "steps": [
		{"action": "update_field", "params": {"field": "status", "value": "${status}"}},
		{"action": "notify", "params": {"recipient": "owner", "body": "${text}"}}]}]$j$);
