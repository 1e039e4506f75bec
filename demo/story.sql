-- The demo: a CRM developer's first afternoon with pg_automation, told to psql.
-- Variables: smtp_port and http_port, where the local mail and web servers listen.

\set QUIET on
\pset border 0
\pset footer off
SET client_min_messages = warning;
\set VERBOSITY terse

\echo '-- 1. Install. pg_cron is optional, and expected.'
\set ECHO queries
CREATE EXTENSION pg_cron;
CREATE EXTENSION pg_automation;
\set ECHO none

\echo
\echo '-- 2. Where messages go. Only a superuser may allow plain http and private networks: here, for the demo.'
\set ECHO queries
ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (ADD allow_http 'true', ADD allowed_networks '127.0.0.0/8');
\set ECHO none
SELECT format('http://127.0.0.1:%s', :'http_port') AS web, format('smtp://127.0.0.1:%s', :'smtp_port') AS mail \gset
CREATE SERVER twilio FOREIGN DATA WRAPPER pg_automation
	OPTIONS (channel 'sms', provider 'twilio', base_url :'web', sender '+15005550006');
CREATE USER MAPPING FOR PUBLIC SERVER twilio
	OPTIONS (username 'AC00000000000000000000000000000000', password 'file:twilio_token');
\o /dev/null
SELECT automation.create_channel('office', 'email',
	jsonb_build_object('base_url', :'mail', 'sender', 'office@firm.example', 'starttls', 'off'));
SELECT automation.create_channel('ops', 'webhook', jsonb_build_object('base_url', :'web'));
\o
SELECT name, kind, provider, state FROM automation.channels ORDER BY name;

\echo
\echo '-- 3. Which tables it watches, and what their columns mean.'
\o /dev/null
\set ECHO queries
SELECT automation.attach('crm.job', 'job',
	'{"status": "status", "owner": "technician_id", "title": "title", "amount": "amount"}');
SELECT automation.attach('crm.estimate', 'estimate', '{"status": "status", "amount": "amount"}');
SELECT automation.attach('crm.invoice', 'invoice', '{"status": "status", "due": "due_on", "amount": "balance"}');
SELECT automation.attach('crm.contact', 'contact', '{"owner": "owner_id", "email": "email", "phone": "phone"}');
SELECT automation.attach('crm.task', 'task',
	'{"title": "title", "owner": "assignee_id", "due": "due_at", "status": "status"}');
SELECT automation.attach('crm.deal', 'deal', '{"status": "stage", "title": "title", "amount": "amount"}');
SELECT automation.attach('crm.note', 'note');
SELECT automation.link('crm.job', 'customer', 'contact_id', 'crm.contact');
\set ECHO none

\echo
\echo '-- 4. Rules.'
\set ECHO queries
SELECT automation.create_rule(
	name     => 'Your tech is on the way',
	relation => 'crm.job',
	trigger  => 'job.status_changed', params => '{"to": "Dispatched"}',
	steps    => ARRAY[
		automation.send_sms('twilio', recipient => '{{ customer.phone }}',
			body => 'Hi {{ customer.first_name | default: "there" }}, your tech {{ technician.name }} is on the way.'),
		automation.send_webhook('ops', path => '/jobs/{{ id }}',
			headers => '{"X-Source": "crm"}',
			body => '{"job": "{{ id }}", "status": "{{ status }}", "amount": "{{ amount }}"}')],
	activate => true);

SELECT automation.create_rule(
	name     => 'Schedule the approved job',
	relation => 'crm.estimate',
	trigger  => 'estimate.approved',
	steps    => ARRAY[
		automation.create_task(title => 'Schedule job for {{ contact.company | default: "customer" }} ({{ amount | currency: "USD" }})',
			assignee => '1', due => '1 day')],
	activate => true);

SELECT automation.create_rule(
	name      => 'Payment reminder',
	relation  => 'crm.invoice',
	trigger   => 'date_passed', params => '{"field": "due_on", "after": "7 days"}',
	condition => $$ new.balance > 0 $$,
	steps     => ARRAY[
		automation.send_email('office', recipient => '{{ contact.email }}',
			subject => 'Invoice {{ number }} is overdue',
			body => E'Dear {{ contact.first_name }},\n\n{{ balance | currency: "USD" }} of invoice {{ number }} were due on {{ due_on | date: "%B %-d, %Y" }}.\nPay here: https://pay.firm.example/{{ number | url_encode }}\n')],
	activate  => true);

SELECT automation.create_rule(
	name     => 'New lead follow-up',
	relation => 'crm.contact',
	trigger  => 'manual',
	steps    => ARRAY[
		automation.send_email('office', recipient => '{{ email }}', subject => 'Welcome, {{ first_name }}',
			body => 'Thank you for your interest. {{ owner.name }} will call you.'),
		automation.create_task(title => 'Call {{ first_name }} {{ last_name }}', assignee => '{{ owner_id }}')],
	activate => true);

SELECT automation.create_rule(
	name     => 'Greet new contacts',
	relation => 'crm.contact',
	trigger  => 'contact.created',
	steps    => ARRAY[
		automation.assign_user('round_robin', pool => '[2, 3]'),
		automation.start_rule('New lead follow-up')],
	activate => true);

SELECT automation.create_rule(
	name     => 'Ask for a review',
	relation => 'crm.job',
	trigger  => 'job.completed',
	steps    => ARRAY[
		automation.only_if($$ customer.tier <> 'muted' $$,
			automation.send_sms('twilio', recipient => '{{ customer.phone }}',
				body => 'How did we do? https://firm.example/review/{{ id }}'))],
	activate => true);

SELECT automation.create_rule(
	name     => 'Tell the technician about notes',
	relation => 'crm.job',
	trigger  => 'job.note_added',
	steps    => ARRAY[
		automation.notify('{{ technician.email }}', 'New note on "{{ title }}": {{ new.body }}')],
	activate => true);

-- Two e-mails and a text, unless somebody moves the deal on. Seconds here, for hours.
SELECT automation.create_rule(
	name     => 'Offer follow-up',
	relation => 'crm.deal',
	trigger  => 'status_entered', params => '{"to": "Offer sent"}',
	steps    => ARRAY[
		automation.after('1 second', automation.send_email('office', '{{ contact.email }}', '{{ title }}', 'Any questions?'),
			cancel_if_changed => '{stage}'),
		automation.after('3 seconds', automation.send_email('office', '{{ contact.email }}', '{{ title }}', 'The offer is good for a week.'),
			cancel_if_changed => '{stage}'),
		automation.after('5 seconds', automation.send_sms('twilio', '{{ contact.phone }}', 'Shall we talk?'),
			cancel_if_changed => '{stage}')],
	activate => true);
\set ECHO none
\o
\echo
SELECT state_icon AS " ", name, relation, trigger FROM automation.rules ORDER BY relation::text, position;

\echo
\echo '-- 5. The business goes on: nobody calls the engine.'
\set ECHO queries
INSERT INTO crm.contact (id, first_name, last_name, company, phone, email)
VALUES (1, 'Ada', 'Byron', 'Engines Ltd', '+12025550199', 'ada@engines.example');
INSERT INTO crm.job (id, title, contact_id, technician_id, amount) VALUES (1, 'Boiler does not start', 1, 2, 480);
INSERT INTO crm.note (job_id, author, body) VALUES (1, 'Dora', 'Customer is in from 2 pm.');
UPDATE crm.job SET status = 'Dispatched' WHERE id = 1;
INSERT INTO crm.estimate (job_id, contact_id, amount) VALUES (1, 1, 480);
UPDATE crm.estimate SET status = 'Approved' WHERE job_id = 1;
BEGIN;
UPDATE crm.job SET status = 'Completed' WHERE id = 1;
ROLLBACK;  -- and no review request leaves
UPDATE crm.job SET status = 'Completed' WHERE id = 1;
INSERT INTO crm.invoice (job_id, contact_id, number, amount, balance, due_on)
VALUES (1, 1, 'R-2031', 480, 480, current_date - 9);
INSERT INTO crm.deal (id, title, contact_id, stage) VALUES (1, 'Heat pump', 1, 'Offer sent'), (2, 'Solar roof', 1, 'Offer sent');
\set ECHO none
\echo
\echo '-- 6. A second later: what is still due, and one of the deals is won.'
DO $$
BEGIN
	FOR i IN 1..100 LOOP
		EXIT WHEN 2 = (SELECT count(*) FROM automation.step_log WHERE step = 1 AND rule = 'Offer follow-up' AND status <> 'waiting');
		PERFORM pg_sleep(0.1);
		COMMIT;
	END LOOP;
END
$$;
\set ECHO queries
SELECT rule, relation, key, step, date_trunc('second', due_at - now()) AS due_in FROM automation.due;
UPDATE crm.deal SET stage = 'Won' WHERE title = 'Heat pump';
\set ECHO none

\echo
\echo '-- 7. The log, once nothing is under way any more.'
DO $$
BEGIN
	FOR i IN 1..200 LOOP
		EXIT WHEN NOT EXISTS (SELECT FROM automation.execution_log WHERE status IN ('waiting', 'delivering', 'retrying'));
		PERFORM pg_sleep(0.1);
		COMMIT;
	END LOOP;
END
$$;
SELECT icon AS " ", at::time(0), rule, relation, key, event, status, reason FROM automation.execution_log ORDER BY id;
\echo
SELECT icon AS " ", key, step, action, status, reason FROM automation.step_log WHERE rule = 'Offer follow-up' ORDER BY key, step;
\echo
SELECT channel, kind, recipient, state, attempts FROM automation.deliveries ORDER BY id;
\echo
SELECT title, assignee_id, due_at::date - current_date AS days FROM crm.task ORDER BY id;
SELECT recipient, body FROM automation.notification;
\echo
\echo '-- 8. Everything about job 1, and why a rule did not fire.'
SELECT * FROM automation.item_status('crm.job', '1');
\echo
SELECT part, conjunct, holds, row_values FROM automation.explain('Your tech is on the way', 'crm.job', '1');
