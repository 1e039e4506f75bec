-- Playbooks: invoices and payments.

INSERT INTO automation.playbook (key, category, title, description, params, rules) VALUES
('invoice_overdue', 'billing', 'Overdue invoice',
	'E-mails with a link to pay 7, 14 and 30 days after the due date, on workdays at 9 o''clock, and a task for the office with the last. Ends when the invoice is paid, voided or disputed.',
	$j${"invoice": {"table": "invoice", "roles": ["status", "due", "balance"]}, "email": {"channel": "email"}, "address": "{{ customer.email }}",
		"days": 7, "second": {"default": "7 days", "description": "after the first"}, "third": {"default": "23 days", "description": "after the first"},
		"link": {"type": "string", "description": "where it can be paid, such as https://pay.example/{{ id }}"},
		"settled": {"default": ["Paid", "Void", "Voided", "Disputed", "Cancelled"], "description": "statuses in which nothing is asked for"},
		"weekdays": ["mon", "tue", "wed", "thu", "fri"], "time": "09:00", "assignee": {"type": "string", "optional": true, "description": "who calls"},
		"subject": "Payment reminder", "body": "{{ balance | currency }} has been due since {{ due | date: \"%d %B\" }}. Pay here: ${link}"}$j$,
	$j$[{"name": "${name}", "table": "invoice", "trigger": "invoice.overdue",
		"params": {"days": "${days}", "time_of_day": "${time}", "weekdays": "${weekdays}"},
		"condition": {"field": "status", "operator": "isNoneOf", "value": "${settled}"}, "steps": [
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"},
			"timing": {"delay": "${second}", "time_of_day": "${time}", "weekdays": "${weekdays}",
				"cancel_when": {"any": [{"field": "balance", "operator": "<=", "value": 0}, {"field": "status", "operator": "isOneOf", "value": "${settled}"}]}}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"},
			"timing": {"delay": "${third}", "time_of_day": "${time}", "weekdays": "${weekdays}",
				"cancel_when": {"any": [{"field": "balance", "operator": "<=", "value": 0}, {"field": "status", "operator": "isOneOf", "value": "${settled}"}]}}},
		{"action": "create_task", "params": {"title": "Call about overdue invoice {{ id }}", "assignee": "${assignee}"},
			"timing": {"delay": "${third}", "time_of_day": "${time}", "weekdays": "${weekdays}",
				"cancel_when": {"any": [{"field": "balance", "operator": "<=", "value": 0}, {"field": "status", "operator": "isOneOf", "value": "${settled}"}]}}}]}]$j$),

('complete_to_cash', 'billing', 'From done to paid',
	'Makes one invoice of a job that is done and has an amount, and sends it with a link to pay by text message and e-mail.',
	$j${"job": {"table": "job", "roles": ["status", "amount", "customer"]}, "invoice": {"table": "invoice", "of": "job", "roles": ["status", "amount", "due", "purpose"]},
		"sms": {"channel": "sms"}, "email": {"channel": "email"}, "phone": "{{ customer.phone }}", "address": "{{ customer.email }}", "due": "14 days",
		"fields": {"default": {}, "description": "further columns of the invoice; texts are templates"},
		"link": {"type": "string", "description": "where it can be paid, such as https://pay.example/{{ id }}"},
		"text": "Your invoice over {{ amount | currency }}: ${link}", "subject": "Your invoice", "body": "Thank you for your business. Pay {{ amount | currency }} here: ${link}"}$j$,
	$j$[{"name": "${name}", "table": "job", "trigger": "job.completed", "condition": {"field": "amount", "operator": ">", "value": 0}, "steps": [
			{"action": "create_invoice", "params": {"status": "Sent", "due": "${due}", "fields": "${fields}"}}]},
		{"name": "${name}: send", "table": "invoice", "trigger": "invoice.sent", "steps": [
			{"action": "send_sms", "params": {"class": "transactional", "channel": "${sms}", "recipient": "${phone}", "body": "${text}"}},
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}}]}]$j$),

('deposit_and_final', 'billing', 'Deposit and final invoice',
	'Asks for a deposit when the estimate of a big job is approved, and for the rest, less the deposit, when the job is done. One of each for a job.',
	$j${"job": {"table": "job", "roles": ["status", "amount", "customer"]}, "estimate": {"table": "estimate", "of": "job", "roles": ["status"]},
		"invoice": {"table": "invoice", "of": "job", "roles": ["status", "amount", "due", "purpose"]}, "email": {"channel": "email"},
		"over": {"default": 5000, "description": "amounts of jobs from which a deposit is asked for"}, "percent": {"default": 40, "description": "how much of it"}, "due": "14 days",
		"approved": {"default": ["Approved", "Accepted"], "description": "statuses of an estimate that was approved"}, "address": "{{ customer.email }}",
		"fields": {"default": {}, "description": "further columns of the invoices; texts are templates"},
		"link": {"type": "string", "description": "where it can be paid, such as https://pay.example/{{ id }}"},
		"subject": "{{ purpose | capitalize }} invoice", "body": "Please pay {{ amount | currency }}: ${link}"}$j$,
	$j$[{"name": "${name}: deposit", "table": "job", "trigger": "child_status_entered", "params": {"child": "${estimate}", "to": "${approved}"}, "condition": {"field": "amount", "operator": ">=", "value": "${over}"}, "steps": [
			{"action": "create_invoice", "params": {"purpose": "deposit", "percent": "${percent}", "status": "Sent", "due": "${due}", "fields": "${fields}"}}]},
		{"name": "${name}: final", "table": "job", "trigger": "job.completed",
			"condition": {"exists": "${invoice}", "where": {"field": "purpose", "operator": "=", "value": "deposit"}}, "steps": [
			{"action": "create_invoice", "params": {"purpose": "final", "status": "Sent", "due": "${due}", "fields": "${fields}"}}]},
		{"name": "${name}: send", "table": "invoice", "trigger": "invoice.sent", "condition": {"field": "purpose", "operator": "in", "value": ["deposit", "final"]}, "steps": [
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}}]}]$j$),

('payment_failed_retry', 'billing', 'Try a failed payment again',
	'Asks the payment service to try again after 1 hour, 1, 3 and 7 days; tells the office and the customer at once, and makes a task after the last. Ends when the payment''s status changes.',
	$j${"payment": {"table": "payment", "roles": ["status", "amount"]}, "gateway": {"channel": "webhook"}, "email": {"channel": "email"},
		"recipient": {"type": "string", "description": "who is told in the office"}, "address": "{{ customer.email }}",
		"code": {"type": ["string", "array"], "optional": true, "description": "only for these reasons of the failure"}, "path": "/payments/{{ id }}/retry",
		"link": {"type": "string", "description": "where the customer can enter another card"},
		"subject": "Your payment failed", "body": "We could not collect {{ amount | currency }}. Enter another card here: ${link}"}$j$,
	$j$[{"name": "${name}", "table": "payment", "trigger": "payment.failed", "params": {"code": "${code}"}, "steps": [
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "Payment {{ id }} failed"}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}},
		{"action": "send_webhook", "params": {"channel": "${gateway}", "path": "${path}", "body": {"attempt": 1}}, "timing": {"delay": "1 hour", "cancel_if_changed": ["${payment.status}"]}},
		{"action": "send_webhook", "params": {"channel": "${gateway}", "path": "${path}", "body": {"attempt": 2}}, "timing": {"delay": "1 day", "cancel_if_changed": ["${payment.status}"]}},
		{"action": "send_webhook", "params": {"channel": "${gateway}", "path": "${path}", "body": {"attempt": 3}}, "timing": {"delay": "3 days", "cancel_if_changed": ["${payment.status}"]}},
		{"action": "send_webhook", "params": {"channel": "${gateway}", "path": "${path}", "body": {"attempt": 4}}, "timing": {"delay": "7 days", "cancel_if_changed": ["${payment.status}"]}},
		{"action": "create_task", "params": {"title": "Payment {{ id }} failed for good"}, "timing": {"delay": "8 days", "cancel_if_changed": ["${payment.status}"]}}]}]$j$),

('repeated_payment_failures', 'billing', 'Payments fail again and again',
	'Has somebody look into it when three payments of a customer have failed within 30 days.',
	$j${"payment": {"table": "payment", "roles": ["status", "customer", "created"]}, "count": 3, "within": "30 days",
		"recipient": {"type": "string", "description": "who is told"}, "assignee": {"type": "string", "optional": true, "description": "who looks into it"}}$j$,
	$j$[{"name": "${name}", "table": "payment", "trigger": "payment.failed", "params": {"count": "${count}", "within": "${within}"}, "steps": [
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${count} payments of customer {{ customer }} have failed"}},
		{"action": "create_task", "params": {"title": "Clear the failed payments of customer {{ customer }}", "assignee": "${assignee}"}}]}]$j$),

('payment_posted', 'billing', 'Payment posted',
	'Sends a receipt when a payment has arrived and tells the accounting; one that belongs to no invoice becomes a task instead.',
	$j${"payment": {"table": "payment", "roles": ["status", "amount", "invoice"]}, "email": {"channel": "email"}, "accounting": {"channel": "webhook"},
		"address": "{{ customer.email }}", "path": "/payments", "subject": "Receipt", "body": "Thank you. We have received {{ amount | currency }}."}$j$,
	$j$[{"name": "${name}", "table": "payment", "trigger": "payment.received", "condition": {"field": "invoice", "operator": "filled"}, "steps": [
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}},
			{"action": "send_webhook", "params": {"channel": "${accounting}", "path": "${path}", "body": {"payment": "{{ id }}", "invoice": "{{ invoice }}", "amount": "{{ amount }}"}}}]},
		{"name": "${name}: unmatched", "table": "payment", "trigger": "payment.unmatched", "steps": [
			{"action": "create_task", "params": {"title": "Find the invoice of payment {{ id }}"}}]}]$j$),

('fraud_step_up', 'billing', 'Risky payment',
	'Holds a payment whose risk score is high, tells the office and asks the customer to verify; after a day a task, unless the score has changed.',
	$j${"payment": {"table": "payment", "roles": ["status", "risk", "amount"]}, "email": {"channel": "email"}, "address": "{{ customer.email }}", "score": 70,
		"held": {"default": "Held", "description": "status of a payment that waits"}, "recipient": {"type": "string", "description": "who is told in the office"},
		"link": {"type": "string", "description": "where the customer can verify it"},
		"subject": "Please verify your payment", "body": "Please verify your payment of {{ amount | currency }}: ${link}"}$j$,
	$j$[{"name": "${name}", "table": "payment", "trigger": "payment.risk_flagged", "params": {"value": "${score}"}, "steps": [
		{"action": "update_field", "params": {"field": "status", "value": "${held}"}},
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "Payment {{ id }} is held, its risk is {{ risk }}"}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}},
		{"action": "create_task", "params": {"title": "Clear the held payment {{ id }}"}, "timing": {"delay": "1 day", "cancel_if_changed": ["${payment.risk}"]}}]}]$j$),

('onsite_qr_pay', 'billing', 'Pay on site',
	'When the invoice of a job is sent, gives the technician a signed link to pay it, which he shows as a QR code; again after half an hour, unless its status has changed.',
	$j${"invoice": {"table": "invoice", "of": "job", "roles": ["status", "job", "payment_link"]}, "job": {"table": "job", "roles": ["owner"]},
		"recipient": {"default": "{{ job.${job.owner} }}", "description": "who shows it"}, "url": {"type": "string", "description": "what stands before the token of the link, such as https://pay.example/"},
		"expires": "2 days", "text": "Invoice {{ id }} can be paid here: {{ payment_link }}"}$j$,
	$j$[{"name": "${name}", "table": "invoice", "trigger": "invoice.sent", "condition": {"field": "job", "operator": "filled"}, "steps": [
		{"action": "create_payment_link", "params": {"url": "${url}", "expires": "${expires}"}},
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}},
		{"action": "notify", "params": {"recipient": "${recipient}", "body": "${text}"}, "timing": {"delay": "30 minutes", "cancel_if_changed": ["${invoice.status}"]}}]}]$j$),

('recurring_contract_billing', 'billing', 'Recurring invoice',
	'Makes an invoice for each period of a contract, counted from its start, and announces it. Ends with the contract.',
	$j${"contract": {"table": "contract", "roles": ["status", "start", "amount", "customer"]}, "invoice": {"table": "invoice", "roles": ["status", "amount", "balance", "customer", "due"]},
		"email": {"channel": "email"}, "address": "{{ customer.email }}", "every": "1 month", "active": {"default": ["Active"], "description": "statuses of a contract in force"},
		"fields": {"default": {"customer": "{{ customer }}", "amount": "{{ amount }}", "balance": "{{ amount }}", "status": "Sent", "due": "{{ now }}"}, "description": "columns of the invoice; texts are templates"},
		"subject": "Your invoice", "body": "Your contract is billed with {{ amount | currency }} today."}$j$,
	$j$[{"name": "${name}", "table": "contract", "trigger": "recurring", "params": {"field": "start", "every": "${every}"},
		"condition": {"field": "status", "operator": "isOneOf", "value": "${active}"}, "steps": [
		{"action": "create_record", "params": {"relation": "${invoice}", "fields": "${fields}"}},
		{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}}]}]$j$),

('method_expiring', 'billing', 'Card about to expire',
	'Asks the customer for a new card 30 and 7 days before the one on file expires. Ends when it is replaced.',
	$j${"payment_method": {"table": "payment_method", "roles": ["expires"]}, "email": {"channel": "email"}, "address": "{{ customer.email }}",
		"first": "30 days", "second": "7 days", "link": {"type": "string", "description": "where the customer can enter a new card"},
		"subject": "Your card is about to expire", "body": "Your card expires on {{ expires | date: \"%d %B\" }}. Enter a new one: ${link}"}$j$,
	$j$[{"name": "${name}", "table": "payment_method", "trigger": "payment_method.expiring", "params": {"before": "${first}"}, "steps": [
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}}]},
		{"name": "${name}: again", "table": "payment_method", "trigger": "payment_method.expiring", "params": {"before": "${second}"}, "steps": [
			{"action": "send_email", "params": {"class": "transactional", "channel": "${email}", "recipient": "${address}", "subject": "${subject}", "body": "${body}"}}]}]$j$),

('accounting_push', 'billing', 'Invoices and payments to accounting',
	'Tells the accounting of every invoice that is sent and every payment that arrives.',
	$j${"invoice": {"table": "invoice", "roles": ["status", "amount"]}, "payment": {"table": "payment", "roles": ["status", "amount"]}, "accounting": {"channel": "webhook"},
		"invoice_path": "/invoices", "payment_path": "/payments", "invoice_body": {"default": {"id": "{{ id }}", "amount": "{{ amount }}"}}, "payment_body": {"default": {"id": "{{ id }}", "amount": "{{ amount }}"}}}$j$,
	$j$[{"name": "${name}: invoices", "table": "invoice", "trigger": "invoice.sent", "steps": [
			{"action": "send_webhook", "params": {"channel": "${accounting}", "path": "${invoice_path}", "body": "${invoice_body}"}}]},
		{"name": "${name}: payments", "table": "payment", "trigger": "payment.received", "steps": [
			{"action": "send_webhook", "params": {"channel": "${accounting}", "path": "${payment_path}", "body": "${payment_body}"}}]}]$j$);
