-- Installing playbooks: what is found by itself, what is refused, what is recorded, and how they differ.
BEGIN;
SELECT no_plan();
SET LOCAL jit = off;

CREATE SCHEMA crm;
SET search_path = crm, public;
CREATE TABLE crm.contact (id integer PRIMARY KEY, phone text, email text, first_name text);
CREATE TABLE crm.job (id integer PRIMARY KEY, state text, contact_id integer REFERENCES crm.contact, title text);
CREATE TABLE crm.old_job (id integer PRIMARY KEY, state text, contact_id integer REFERENCES crm.contact);
CREATE TABLE crm.deal (id integer PRIMARY KEY, stage text, owner integer, due date);
CREATE TABLE crm.item (id integer PRIMARY KEY, deal_id integer REFERENCES crm.deal, product text, price numeric, quantity integer);
CREATE ROLE playbook_author;
GRANT USAGE ON SCHEMA crm TO playbook_author;
GRANT ALL ON ALL TABLES IN SCHEMA crm TO playbook_author;
SELECT automation.grant_access('playbook_author', 'author');

-- What is missing is told, one thing after the other.

CREATE FUNCTION crm.refusal(key text, params jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM automation.install_playbook(key, params);
	RETURN 'installed';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;
SELECT is((SELECT needs FROM automation.playbooks WHERE key = 'dispatched_sms'), '{"channel sms","table job"}', 'the list tells what a playbook needs');
SELECT is(crm.refusal('dispatched_sms', NULL), '55000 | playbook "dispatched_sms" needs an attached table of the object type "job" | Use automation.attach() with object_type => ''job''.', 'a table');
SELECT lives_ok($$SELECT automation.attach('crm.job', 'job')$$, 'there is one');
SELECT is(crm.refusal('dispatched_sms', NULL), '55000 | playbook "dispatched_sms" needs a column with the role "status", and table "crm.job" has none | Name it: SELECT automation.attach(''crm.job'', object_type => ''job'', columns => ''{"status": "..."}'');', 'with a role');
SELECT is((SELECT needs FROM automation.playbooks WHERE key = 'dispatched_sms'), '{"channel sms","role status"}', 'the list tells that, too');
SELECT lives_ok($$SELECT automation.attach('crm.job', 'job', '{"status": "state"}')$$, 'it has it');
SELECT is(crm.refusal('dispatched_sms', NULL), '55000 | playbook "dispatched_sms" needs a channel of the kind "sms" | Use automation.create_channel() or CREATE SERVER.', 'a channel');
CREATE SERVER playbook_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
SELECT is((SELECT needs FROM automation.playbooks WHERE key = 'dispatched_sms'), '{}', 'nothing more');
SELECT is(crm.refusal('dispatched_sms', NULL), '42703 | merge field "customer.first_name" does not exist | This is step 1 (send_sms) of rule "Your tech is on the way". | A link is a foreign key of one column, or made by automation.link().',
	'but this table calls the customer otherwise');
SELECT is(crm.refusal('dispatched_sms', '{"phone": "{{ contact.phone }}", "body": "Hello {{ contact.first_name }}"}'), 'installed', 'texts are parameters');
SELECT is(crm.refusal('dispatched_sms', NULL), '42710 | playbook "dispatched_sms" is already installed as "Your tech is on the way" | Give it another name, params => ''{"name": ...}'', or see automation.playbook_diff().', 'twice needs two names');
SELECT lives_ok($$SELECT automation.attach('crm.job', 'job', '{"status": "state", "customer": "contact_id"}')$$, 'the role is named');
SELECT results_eq($$SELECT automation.install_playbook('dispatched_sms', '{"name": "On the way, too", "folder": "Texts"}', activate => true)$$, $$VALUES ('{"On the way, too"}'::text[])$$, 'it answers the names of its rules');
CREATE SERVER playbook_other FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
SELECT is(crm.refusal('dispatched_sms', '{"name": "x"}'), '55000 | playbook "dispatched_sms" must be told which channel to use | There are: playbook_other, playbook_sms. | Name one of them: params => ''{"sms": "playbook_other"}''.', 'of two channels one must be named');
SELECT is(crm.refusal('dispatched_sms', '{"name": "x", "sms": "nowhere"}'), '42704 | server "nowhere" does not exist | Use automation.create_channel() or CREATE SERVER.', 'one that is there');
SELECT lives_ok($$SELECT automation.attach('crm.old_job', 'job', '{"status": "state"}')$$, 'two tables of jobs');
SELECT is(crm.refusal('dispatched_sms', '{"name": "x", "sms": "playbook_sms"}'), '55000 | playbook "dispatched_sms" must be told which table it is about | There are: crm.job, crm.old_job. | Name one of them: params => ''{"job": "crm.job"}''.', 'so must a table be');
SELECT is(crm.refusal('dispatched_sms', '{"name": "x", "sms": "playbook_sms", "job": "crm.deal"}'),
	'55000 | parameter "job" of playbook "dispatched_sms" must be an attached table of the object type "job", not "crm.deal" | The view automation.entities lists what is attached.', 'of the right type');
SELECT is(crm.refusal('dispatched_sms', '{"name": "x", "sms": "playbook_sms", "job": "job"}'), 'installed', 'with or without its schema');

SELECT is(crm.refusal('dispatched_sm', NULL), '42704 | playbook "dispatched_sm" does not exist | Perhaps you meant "dispatched_sms".', 'a playbook that is not there');
SELECT is(crm.refusal('dispatched_sms', '{"text": "x"}'), '22023 | unrecognized parameter "text" of playbook "dispatched_sms" | Valid parameters are: body, folder, job, name, phone, sms.', 'a parameter that is not there');
SELECT is(crm.refusal('dispatched_sms', '{"body": 7}'), '22023 | parameter "body" of playbook "dispatched_sms" must not be of type number | Valid types are: string.', 'one of the wrong type');
SELECT is(crm.refusal('dispatched_sms', '[]'), '22023 | parameters of playbook "dispatched_sms" must be a JSON object', 'no parameters at all');
SELECT is(crm.refusal('employee_alert', NULL), '22023 | playbook "employee_alert" needs the parameter "recipient" | Valid parameters are: chat, folder, lead, name, path, recipient, text.', 'one that is needed');
SELECT lives_ok($$SELECT automation.attach('crm.deal', 'deal', '{"status": "stage", "owner": "owner", "due": "due"}'), automation.attach('crm.item')$$, 'deals');
SELECT is(crm.refusal('deadline_guard', '{"manager": "m"}'), '55000 | playbook "deadline_guard" must be told which table it is about | There are: crm.job, crm.old_job, crm.deal, crm.item. | Name one of them: params => ''{"table": "crm.job"}''.', 'a playbook for any table wants one');
SELECT is(crm.refusal('deadline_guard', '{"manager": "m", "table": "crm.job"}'), '55000 | playbook "deadline_guard" needs a column with the role "due", and table "crm.job" has none | Name it: SELECT automation.attach(''crm.job'', object_type => ''job'', columns => ''{"due": "...", "status": "state", "customer": "contact_id"}'');', 'with its roles');
SELECT is(crm.refusal('add_product_item', '{"stage": "x", "product": "p", "price": 1}'), '55000 | playbook "add_product_item" needs an attached table of the object type "line_item" that leads to table "crm.deal" | Use automation.attach() with object_type => ''line_item''.', 'a table of children');
SELECT is((SELECT count(*) FROM automation.rules), 3::bigint, 'what was refused left nothing');

-- What it made

SELECT results_eq($$SELECT name, folder, state, description, trigger, owner::text FROM automation.rules ORDER BY id$$,
	$$VALUES ('Your tech is on the way', 'customer communication', 'draft', 'Texts the customer when a technician is sent to a job.', 'job.dispatched', 'postgres'),
		('On the way, too', 'Texts', 'active', 'Texts the customer when a technician is sent to a job.', 'job.dispatched', 'postgres'),
		('x', 'customer communication', 'draft', 'Texts the customer when a technician is sent to a job.', 'job.dispatched', 'postgres')$$, 'rules like any others');
SELECT results_eq($$SELECT step, action, params ->> 'body' FROM automation.rule_steps WHERE rule = 'x'$$, $$VALUES (1::bigint, 'send_sms', 'Hi {{ customer.first_name | default: "there" }}, your technician is on the way.')$$, 'with steps');
SELECT results_eq($$SELECT p.playbook, p.version, p.member, p.params FROM automation.playbook_rule AS p JOIN automation.rule AS r ON r.id = p.rule_id WHERE r.name = 'x'$$,
	$$VALUES ('dispatched_sms', 1, '${name}', '{"job": "crm.job", "sms": "playbook_sms", "name": "x"}'::jsonb)$$, 'it is recorded where they come from');
SELECT is((SELECT reason FROM automation.rule_history WHERE rule = 'x'), 'playbook dispatched_sms, version 1', 'their history tells');
SELECT is((SELECT installed FROM automation.playbooks WHERE key = 'dispatched_sms'), '{Your tech is on the way,"On the way, too",x}', 'so does the list');
SELECT lives_ok($$SELECT automation.drop_rule('x')$$, 'they can be dropped');
SELECT is((SELECT installed FROM automation.playbooks WHERE key = 'dispatched_sms'), '{Your tech is on the way,"On the way, too"}', 'and are forgotten');

SELECT lives_ok($$SELECT automation.install_playbook('deadline_guard', '{"manager": "m", "table": "deal", "name": "Close it"}')$$, 'a playbook may have several rules');
SELECT results_eq($$SELECT name, params, condition::jsonb FROM automation.rules WHERE name LIKE 'Close it%' ORDER BY id LIMIT 1$$,
	$$VALUES ('Close it: soon', '{"field": "due", "before": "2 days", "weekdays": ["mon", "tue", "wed", "thu", "fri"], "time_of_day": "09:00"}'::jsonb,
		'{"field": "status", "value": ["Completed", "Done", "Closed", "Cancelled", "Won", "Lost", "Paid"], "operator": "isNoneOf"}'::jsonb)$$, 'parameters keep their type');

-- Differences

SELECT is_empty($$SELECT * FROM automation.playbook_diff('deadline_guard')$$, 'nothing differs at first');
SELECT lives_ok($$SELECT automation.alter_rule('Close it: soon', params => '{"field": "due", "before": "5 days"}')$$, 'a rule is changed');
SELECT lives_ok($$SELECT automation.alter_rule('Close it', name => 'Closing')$$, 'or called otherwise');
SELECT results_eq($$SELECT rule, part, present::jsonb ->> 'before', offered = installed FROM automation.playbook_diff('deadline_guard')$$, $$VALUES ('Close it: soon', 'params', '5 days', true)$$, 'what the user has changed');
UPDATE automation.playbook SET version = 2, params = params || '{"text": "Look at {{ id }}"}', rules = rules || '[{"name": "${name}: later", "table": "table", "trigger": "updated", "steps": [{"action": "notify", "params": {"recipient": "owner", "body": "${text}"}}]}]' WHERE key = 'deadline_guard';
SELECT results_eq($$SELECT rule, part, present = installed, offered ~ 'Look at' FROM automation.playbook_diff('deadline_guard')$$,
	$$VALUES ('Close it: later', 'rule', NULL, false), ('Close it: over', 'step 1', true, true), ('Close it: soon', 'params', false, false), ('Close it: soon', 'step 1', true, true), ('Closing', 'step 1', true, true)$$, 'and what the playbook has');
SELECT throws_ok($$SELECT * FROM automation.playbook_diff('nope')$$, '42704', 'playbook "nope" does not exist');

-- Who

SET ROLE playbook_author;
SELECT is(crm.refusal('dispatched_sms', '{"name": "mine", "sms": "playbook_sms", "job": "job"}'), '42501 | permission denied for foreign server playbook_sms', 'an author needs the channel');
SELECT cmp_ok((SELECT count(*) FROM automation.playbooks WHERE needs <> '{}'), '>', 0::bigint, 'he reads what playbooks need');
SELECT is((SELECT needs FROM automation.triggers WHERE name = 'job.cost_changed' AND relation = 'crm.job'::regclass), '{role cost}', 'and what triggers need');
SELECT throws_ok($$INSERT INTO automation.playbook VALUES ('x', 1, 'x', 'x', 'x', '{}', '[]')$$, '42501', 'permission denied for table playbook');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER playbook_sms TO playbook_author;
SET ROLE playbook_author;
SELECT results_eq($$SELECT automation.install_playbook('dispatched_sms', '{"name": "mine", "sms": "playbook_sms", "job": "job"}')$$, $$VALUES ('{mine}'::text[])$$, 'then he has it');
SELECT is((SELECT owner::text FROM automation.rules WHERE name = 'mine'), 'playbook_author', 'in his own name');
RESET ROLE;

-- The library is sound.

SELECT is_empty($$SELECT p.key, m[1] FROM automation.playbook AS p, regexp_matches(p.rules::text || p.params::text, '\$\{(\w+)(?:\.\w+)?\}', 'g') AS m
	WHERE NOT p.params ? m[1] AND m[1] NOT IN ('name', 'folder')$$, 'every ${…} is a parameter');
SELECT is_empty($$SELECT p.key, k FROM automation.playbook AS p, jsonb_object_keys(p.params) AS k
	WHERE strpos(p.rules::text || p.params::text, '${' || k) = 0 AND NOT p.rules @> jsonb_build_array(jsonb_build_object('table', k)) AND NOT p.params -> k ? 'of'$$, 'every parameter is used');
SELECT is_empty($$SELECT p.key, r.role FROM automation.playbook AS p, jsonb_each(p.params) AS t, regexp_matches(p.rules::text, '\$\{(\w+)\.(\w+)\}', 'g') AS m, LATERAL (SELECT m[2]) AS r(role)
	WHERE m[1] = t.key AND NOT t.value -> 'roles' ? r.role$$, 'a column that is named by its role is asked for');
SELECT is_empty($$SELECT p.key FROM automation.playbook AS p, jsonb_array_elements(p.rules) AS r GROUP BY p.key HAVING count(*) <> count(DISTINCT r ->> 'name')$$, 'rules of a playbook have different names');

SELECT * FROM finish();
ROLLBACK;
