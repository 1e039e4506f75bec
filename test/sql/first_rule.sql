-- The first rule: from CREATE EXTENSION to the log, and to why a rule did not run.

-- A small CRM in a database of its own. It knows nothing of rules, and never will.
CREATE DATABASE first_rule;
\c first_rule
CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, first_name text, phone text, tier text NOT NULL DEFAULT 'standard');
CREATE TABLE crm.job (
	id integer PRIMARY KEY,
	title text NOT NULL,
	contact_id integer NOT NULL REFERENCES crm.contact,
	technician_id integer,
	priority integer NOT NULL DEFAULT 1,
	amount numeric(12, 2),
	status text NOT NULL DEFAULT 'New'
);
CREATE TABLE crm.task (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text NOT NULL, assignee_id integer);

CREATE EXTENSION pg_automation;

-- Where messages go: a channel is a foreign server, and its credential names a file that only the worker reads.
CREATE SERVER twilio FOREIGN DATA WRAPPER pg_automation
	OPTIONS (channel 'sms', provider 'twilio', base_url 'https://api.twilio.com', sender '+15005550006');
CREATE USER MAPPING FOR PUBLIC SERVER twilio
	OPTIONS (username 'AC00000000000000000000000000000000', password 'file:twilio_token');

-- The same for e-mail, in one call.
SELECT automation.create_channel('office', 'email',
	'{"base_url": "smtps://mail.firm.example", "sender": "office@firm.example"}',
	credentials => '{"username": "office", "password": "file:office_password"}');

-- Nothing leaves before we say so.
SELECT automation.pause_channel(name, 'we are only looking around') FROM automation.channels;
SELECT name, kind, provider, state, reason FROM automation.channels ORDER BY name;

-- What is watched, and what its columns mean. A foreign key is a link by itself; this one gets a name that people use.
SELECT automation.attach('crm.job', 'job', '{"status": "status", "owner": "technician_id"}');
SELECT automation.attach('crm.task', 'task', '{"title": "title", "owner": "assignee_id"}');
SELECT automation.link('crm.job', 'customer', 'contact_id', 'crm.contact');

-- When a job is dispatched, tell the customer; when it is a large one, have somebody call too.
SELECT automation.create_rule(
	name      => 'Your tech is on the way',
	relation  => 'crm.job',
	trigger   => 'job.status_changed', params => '{"to": "Dispatched"}',
	condition => $$ new.priority > 0 AND customer.tier <> 'muted' $$,
	steps     => ARRAY[
		automation.send_sms('twilio', recipient => '{{ customer.phone }}',
			body => 'Hi {{ customer.first_name | default: "there" }}, your tech is on the way.'),
		automation.only_if($$ new.amount > 1000 $$,
			automation.create_task(title => 'Call {{ customer.first_name }}', assignee => '{{ technician_id }}'))],
	activate  => true);

-- A mistake is told when the rule is made, not when it runs.
\set SHOW_CONTEXT never
SELECT automation.create_rule('Thanks', 'crm.job', 'job.completed',
	steps => ARRAY[automation.send_sms('twilio', '{{ customer.fone }}', 'Thank you!')]);
SELECT automation.create_rule('Thanks', 'crm.job', 'job.compleated',
	steps => ARRAY[automation.send_sms('twilio', '{{ customer.phone }}', 'Thank you!')]);

-- Business goes on, and nobody calls the engine.
INSERT INTO crm.contact VALUES
	(1, 'Ada', '+12025550199', 'standard'), (2, NULL, '+12025550142', 'standard'), (3, 'Charles', '+12025550111', 'muted');
INSERT INTO crm.job VALUES
	(1, 'Boiler', 1, 7, 1, 4800), (2, 'Tap', 2, 7, 1, 90), (3, 'Engine', 3, 8, 1, 9000);
UPDATE crm.job SET status = 'Dispatched' WHERE id IN (1, 2);
UPDATE crm.job SET status = 'Dispatched' WHERE id = 3;

-- What is rolled back has not happened.
BEGIN;
INSERT INTO crm.job VALUES (4, 'Dream', 1);
UPDATE crm.job SET status = 'Dispatched' WHERE id = 4;
ROLLBACK;

-- The log: one row for each rule, event and row.
SELECT id, rule, key, event, status, reason FROM automation.execution_log ORDER BY id;
SELECT rule, run_id, step, channel, recipient, state, reason FROM automation.deliveries ORDER BY id;
SELECT message ->> 'body' AS body FROM automation.delivery ORDER BY id;
SELECT title, assignee_id FROM crm.task;

-- Everything about one job.
SELECT rule, state, status, reason FROM automation.item_status('crm.job', '2');
SELECT rule, state, status, reason FROM automation.item_status('crm.job', '3');

-- And why a rule did not run.
SELECT part, conjunct, holds, row_values, note
FROM automation.explain('Your tech is on the way', 'crm.job', '3');

-- Its versions are kept.
SELECT automation.alter_rule('Your tech is on the way', condition => '', reason => 'everybody wants to know');
SELECT version, present, condition, reason FROM automation.rule_history;
SELECT automation.rollback_rule('Your tech is on the way', 1);

-- A rule follows the table: a column may be renamed, and one that a rule needs is not dropped.
ALTER TABLE crm.contact RENAME COLUMN tier TO level;
ALTER TABLE crm.contact DROP COLUMN level;
UPDATE crm.contact SET level = 'standard' WHERE id = 3;
UPDATE crm.job SET status = 'New' WHERE id = 3;
UPDATE crm.job SET status = 'Dispatched' WHERE id = 3;
SELECT rule, key, status FROM automation.execution_log ORDER BY id DESC LIMIT 1;

-- What operators do.
SELECT automation.pause_rule('Your tech is on the way');
SELECT automation.resume_rule('Your tech is on the way');
SELECT automation.purge_log('90 days');

-- It goes as it came. The business stays.
SET client_min_messages = warning;
DROP EXTENSION pg_automation CASCADE;
SELECT count(*) FROM crm.job;
\c postgres
DROP DATABASE first_rule;
