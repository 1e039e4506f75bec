-- why_not(), cascade(), told(), and the assertions for users' own suites.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, phone text, email text);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text DEFAULT 'New', amount integer, contact_id integer REFERENCES crm.contact, owner text);
INSERT INTO crm.contact VALUES (1, 'Ada', '+12025550199', 'ada@engines.example'), (2, 'Bob', NULL, NULL);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE SERVER tap_mail FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'office@firm.example');
SELECT automation.create_rule('On the way', 'crm.job', 'status_entered', '{"to": "Dispatched"}', condition => 'new.amount > 10', steps => ARRAY[
	automation.send_sms('tap_sms', '{{ contact.phone }}', 'Hi {{ contact.name }}'),
	automation.update_field('owner', 'Ann'),
	automation.after('2 hours', automation.send_email('tap_mail', '{{ contact.email }}', 'Well?', 'Was it good?'), cancel_if_changed => '{status}'),
	automation.only_if('new.amount > 100', automation.send_email('tap_mail', 'boss@firm.example', 'Big', 'x'))], activate => true);
SELECT automation.create_rule('Owner', 'crm.job', 'field_changed', '{"field": "owner"}', steps => ARRAY[automation.notify('{{ owner }}', 'yours')], activate => true);
CREATE FUNCTION crm.why(rule text, item text, at timestamptz DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', part, conjunct, CASE holds WHEN true THEN '+' WHEN false THEN '-' END, note), E'\n') FROM automation.why_not(rule, 'crm.job', item, at)
	WHERE part NOT IN ('session', 'table') AND NOT (part = 'version' AND note IS NULL)
$$;
SELECT automation.set_clock('2030-03-04 09:00Z');

-- The assertions pass

INSERT INTO crm.job VALUES (1, 'New', 50, 1), (2, 'New', 5, 1), (3, 'New', 50, 2);
SELECT automation.fires_ok($$UPDATE crm.job SET status = 'Dispatched' WHERE id = 1$$, 'On the way');
SELECT automation.fires_not_ok($$UPDATE crm.job SET status = 'Dispatched' WHERE id = 2$$, 'On the way', 'a small job tells nobody');
SELECT automation.sends_ok('On the way', 'Hi Ada', '+12025550199');
SELECT automation.sends_ok('Owner', 'your_', 'Ann', 'a notification counts, too');
SELECT automation.due_ok('On the way', '1', '2030-03-04 11:00Z');
SELECT is((SELECT string_agg(concat_ws(' ', status, step, action, due_at = '2030-03-04 11:00Z'), ', ') FROM automation.plans('On the way', '1')), 'waiting 3 send_email t', 'plans() tells what is planned');
SAVEPOINT cancelled;
UPDATE crm.job SET status = 'Done' WHERE id = 1;
SELECT automation.cancelled_ok('On the way', '1');
SELECT automation.advance('1 minute');
SELECT automation.cancelled_ok('On the way', '1', 'before tick() and after');
ROLLBACK TO cancelled;
SELECT automation.advance('1 day');
SELECT automation.sends_ok('On the way', 'Well?: Was it%', 'ada@engines.example');
SELECT automation.explains_like('On the way', 'crm.job', '2', '%new.amount > 10%{"new.amount": 5}%');
SELECT is((SELECT status FROM crm.job WHERE id = 2), 'Dispatched', 'fires_not_ok() has done what it was told');
SELECT is((SELECT count(*) FROM automation.event), 0::bigint, 'and has left no journal');
SET search_path = crm, public;
SELECT automation.fires_ok('INSERT INTO job VALUES (9, ''Dispatched'', 50, 1)', 'On the way', 'names are looked up on the path of the test');
RESET search_path;

-- And they fail, with a diagnosis

SELECT * FROM check_test(automation.fires_ok($$UPDATE crm.job SET status = 'Away' WHERE id = 3$$, 'On the way'), false, 'fires_ok()', 'rule "On the way" fires',
	$$UPDATE 1
crm.job 3 updated: status: New → Away
├─ rule "On the way" did not fire: new.status = 'Dispatched' does not hold (new.status: Away)
└─ rule "Owner" did not fire: owner has not changed (new.owner: null, old.owner: null)$$);
SELECT * FROM check_test(automation.fires_not_ok($$UPDATE crm.job SET owner = 'Eve' WHERE id = 3$$, 'Owner'), false, 'fires_not_ok()', 'rule "Owner" does not fire');
SELECT * FROM check_test(automation.sends_ok('Owner', 'mine'), false, 'sends_ok()', 'rule "Owner" sends "mine"', E'It has sent: to Ann: yours\nto Ann: yours\nto Eve: yours');
SELECT * FROM check_test(automation.sends_ok('Owner', 'yours', 'Bob'), false, 'sends_ok() to somebody', 'rule "Owner" sends "yours"');
SELECT * FROM check_test(automation.due_ok('Owner', '1', now()), false, 'due_ok()', format('rule "Owner" is due for 1 at %s', now()), 'It has planned nothing.');
SELECT * FROM check_test(automation.cancelled_ok('On the way', '9'), false, 'cancelled_ok()', 'rule "On the way" is cancelled for 9');
SELECT * FROM check_test(automation.explains_like('Owner', 'crm.job', '1', 'nonsense'), false, 'explains_like()', 'why_not() says "nonsense" of rule "Owner"');
SELECT throws_ok($$SELECT automation.fires_ok('SELECT 1/0', 'Owner')$$, '22012', NULL, 'an error is an error');
SELECT throws_ok($$SELECT automation.sends_ok('Nope', 'x')$$, '42704', 'rule "Nope" does not exist', 'so is a rule that is not there');

SELECT throws_ok($$SELECT automation.fires_not_ok('INSERT INTO crm.job VALUES (8)', 'Ownr')$$, '42704', 'rule "Ownr" does not exist', 'a rule that is not there does not "not fire"');
SELECT throws_ok($$SELECT automation.fires_ok('INSERT INTO crm.job VALUES (8)', NULL)$$, '42704', 'rule "" does not exist', 'nor does it fire');
SELECT throws_ok($$SELECT * FROM automation.watch(NULL)$$, '22004', 'commands must not be null', 'there has to be something to watch');
SELECT is((SELECT count(*) FROM crm.job WHERE id = 8), 0::bigint, 'which is found before anything is done');

-- cascade()

SELECT is((SELECT string_agg(tree, E'\n') FROM automation.cascade((SELECT max(id) FROM automation.execution_log WHERE rule = 'Owner' AND key = '1'))), $$⏳ rule "On the way" for crm.job 1 (updated) delivering
├─ 1 send_sms ⏳ delivering
│  └─ to +1******0199 through tap_sms: Hi Ada
├─ 2 update_field ✅ succeeded {"owner": "Ann"}
├─ 3 send_email ⏳ delivering
│  └─ to a***@engines.example through tap_mail at 2030-03-04 11:00:00+00: Well?: Was it good?
├─ 4 send_email not_run: condition of the step does not hold
└─ ✅ rule "Owner" for crm.job 1 (updated) succeeded
   ├─ 1 notify ✅ succeeded
   └─ tells Ann: yours$$, 'a run, from the run that began it all');
SELECT throws_ok('SELECT * FROM automation.cascade(-1)', '42704', 'run -1 does not exist', 'that has to be there');

-- why_not() without a journal

SELECT is(crm.why('On the way', '2'), $$rule state is active +
rule can run +
item is not stopped +
event insert, update of crm.job no change is in the journal: the row is judged as it is now
condition automation.changed(old.status, new.status) only an event can tell
condition (new.status = 'Dispatched'::text) +
condition (new.amount > 10) -$$, 'why_not() goes through every gate');
SELECT automation.stop_item('crm.job', '2', reason => 'she asked');
SELECT automation.pause_rule('On the way');
SELECT matches(crm.why('On the way', '2'), 'rule state is active - it is paused.*item is not stopped - stopped at \S+ \S+ by \w+: she asked', 'a stop is one of them');
SELECT automation.resume_rule('On the way'), automation.resume_item('crm.job', '2');
ALTER TABLE crm.job DISABLE TRIGGER pg_automation;
SELECT is((SELECT string_agg(concat_ws(' ', conjunct, note), '') FROM automation.why_not('On the way', 'crm.job', '2') WHERE NOT holds AND part = 'table'), 'changes of crm.job are seen its trigger is disabled', 'so is a trigger that is off');
ALTER TABLE crm.job ENABLE TRIGGER pg_automation;
SET LOCAL pg_automation.enabled = off;
SELECT is((SELECT holds FROM automation.why_not('On the way', 'crm.job', '2') WHERE part = 'session'), false, 'and a session that fires nothing');
SET LOCAL pg_automation.enabled = on;

-- With one it looks back, at what the rule said then

SET LOCAL pg_automation.journal = on;
SELECT automation.set_clock('2030-03-06 09:00Z');
UPDATE crm.job SET status = 'New' WHERE id = 2;
SELECT automation.set_clock('2030-03-06 10:00Z');
UPDATE crm.job SET status = 'Dispatched' WHERE id = 2;
SELECT automation.set_clock('2030-03-06 11:00Z');
SELECT automation.alter_rule('On the way', condition => 'new.amount > 1');
SELECT automation.set_clock('2030-03-06 12:00Z');
UPDATE crm.job SET status = 'New', amount = 20 WHERE id = 2;
UPDATE crm.job SET status = 'Dispatched' WHERE id = 2;
SELECT matches(crm.why('On the way', '2', '2030-03-06 10:30Z'), $$event insert, update of crm.job \+ it was updated at 2030-03-06 10:00:00\+00
condition automation.changed\(old.status, new.status\) \+
condition \(new.status = 'Dispatched'::text\) \+
condition \(new.amount > 10\) -$$, 'the version of then judges the change of then');
SELECT matches(crm.why('On the way', '2', '2030-03-06 09:30Z'), $$condition \(new.status = 'Dispatched'::text\) -$$, 'at any time');
SELECT matches(crm.why('On the way', '2'), format('and fired the rule: run %s\n.*new.amount > 1\) \+', (SELECT max(id) FROM automation.execution_log WHERE rule = 'On the way' AND key = '2')), 'the last change did fire it');
SELECT is((SELECT version FROM automation.rule WHERE name = 'On the way'), 2, 'the rule is as it was');
UPDATE crm.job SET status = 'Dispatched' WHERE id = 2;
SELECT is((SELECT count(*) FROM automation.execution_log WHERE rule = 'On the way' AND key = '2'), 1::bigint, 'and works');
SELECT is((SELECT count(*) FROM automation.cascade((SELECT max(id) FROM automation.execution_log WHERE rule = 'Owner' AND key = '2'))
	WHERE part = 'event'), 2::bigint, 'the journal shows in cascade(), too');
SET LOCAL pg_automation.journal = off;
SELECT throws_ok($$SELECT * FROM automation.why_not('On the way', 'crm.job', '77')$$, 'P0002', 'table "crm.job" has no row with the key 77', 'there must be such a row');

-- told()

UPDATE crm.job SET status = 'Dispatched' WHERE id = 3;
INSERT INTO automation.attempt (delivery_id, number, epoch, finished_at, outcome) SELECT min(id), 1, 1, now(), 'delivered' FROM automation.delivery WHERE recipient = '+12025550199';
INSERT INTO automation.attempt (delivery_id, number, epoch, finished_at, outcome, reason) SELECT max(id), 1, 1, now(), 'dead', 'mailbox full' FROM automation.delivery WHERE recipient = 'ada@engines.example';
SELECT is((SELECT string_agg(concat_ws(' ', rule, about, recipient, message, state, nullif(icon, ''), reason), E'\n') FROM automation.told('crm.contact', '1') WHERE about = 'crm.job 1'),
	$$On the way crm.job 1 +1******0199 Hi Ada delivered ✅
On the way crm.job 1 a***@engines.example Well?: Was it good? dead ⚠ mailbox full$$, 'told() lists the messages to a person');
SELECT is((SELECT string_agg(concat_ws(' ', about, step, state, reason), E'\n') FROM automation.told('crm.contact', '2')), $$crm.job 3 1 failed recipient of step 1 is null
crm.job 3 3 waiting due at 2030-03-06 14:00:00+00$$, 'and why others were not sent');
UPDATE crm.job SET status = 'Done' WHERE id = 3;
SELECT automation.advance('1 s');
SELECT is((SELECT reason ~ 'Dispatched→Done' FROM automation.told('crm.contact', '2') WHERE state = 'cancelled'), true, 'one that was cancelled');
SELECT throws_ok($$SELECT * FROM automation.told('crm.contact', '77')$$, 'P0002', 'table "crm.contact" has no row with the key 77', 'there must be such a person');
CREATE ROLE tap_viewer;
GRANT USAGE ON SCHEMA crm TO tap_viewer;
SELECT automation.grant_access('tap_viewer', 'viewer');
SET LOCAL ROLE tap_viewer;
SELECT throws_ok($$SELECT * FROM automation.told('crm.contact', '1')$$, '42501', 'permission denied for table contact', 'whom one may read of');
SELECT throws_ok($$SELECT * FROM automation.why_not('Owner', 'crm.job', '1')$$, '42501', 'permission denied for table job', 'for why_not() too');
SELECT is((SELECT string_agg(tree, '') !~ 'Ada|yours|\{' FROM automation.cascade((SELECT min(id) FROM automation.execution_log))), true, 'cascade() shows no message and no value to others');
SELECT alike(automation.report_html(), '%error, not shown without SELECT on the table%', 'report_html() no error');
SELECT unalike(automation.report_html(), '%recipient of step%', 'at all');
RESET ROLE;
GRANT SELECT ON crm.contact TO tap_viewer;
SET LOCAL ROLE tap_viewer;
SELECT is((SELECT reason FROM automation.told('crm.contact', '2') WHERE state = 'failed'), 'error, not shown without SELECT on the table', 'an error is for who may read the row');
SELECT is((SELECT count(message) FROM automation.told('crm.contact', '1')), 0::bigint, 'what was said is for the owners of rules');
SELECT is((SELECT count(*) > 3 FROM automation.told('crm.contact', '1')), true, 'that it was said for all who may read the person');
RESET ROLE;
SELECT automation.attach('crm.contact', 'contact');
SELECT automation.create_rule('Welcome', 'crm.contact', 'created', steps => ARRAY[automation.send_sms('tap_sms', '{{ phone }}', 'Welcome')], activate => true);
INSERT INTO crm.contact VALUES (3, 'Eve');
SELECT is((SELECT concat_ws(' ', rule, about, state, reason) FROM automation.told('crm.contact', '3')), 'Welcome crm.contact 3 failed recipient of step 1 is null', 'rules about the person count');

SELECT * FROM finish();
ROLLBACK;
