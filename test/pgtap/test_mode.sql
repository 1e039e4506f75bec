-- Test mode: a rule runs and writes as ever, and tells nobody; what the worker makes of its messages: test/t/attempts_follow_the_policy.pl.
BEGIN;
SELECT no_plan();

CREATE ROLE tap_other;
SELECT automation.grant_access('tap_other', 'author');
CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text DEFAULT 'New', phone text DEFAULT '+12025550199');
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
SELECT automation.pause_channel('tap_sms', 'for the test'); -- no worker meddles
SELECT automation.create_rule('Greet', 'crm.job', 'created', condition => 'new.id > 0', steps => ARRAY[
	automation.send_sms('tap_sms', '{{ phone }}', 'Hi'), automation.notify('Ann', 'new'), automation.set_stage('Greeted'),
	automation.after('1 hour', automation.send_sms('tap_sms', '{{ phone }}', 'Well?'))], activate => true);
CREATE FUNCTION crm.tests(item text) RETURNS text LANGUAGE sql RETURN (
	SELECT string_agg(concat_ws(' ', d.step, d.message -> 'test'), ', ' ORDER BY d.step)
	FROM automation.delivery AS d JOIN automation.execution_log AS l ON l.id = d.run_id WHERE l.key = item);
SELECT automation.set_clock('2030-03-04 09:00Z');

SELECT is(automation.set_test_mode('Greet'), true, 'a rule is put into test mode');
SELECT is((SELECT in_test FROM automation.rules), true, 'the view tells');
INSERT INTO crm.job VALUES (1), (-1);
SELECT is((SELECT string_agg(concat_ws(' ', step, action, status, reason), ', ' ORDER BY step) FROM automation.step_log),
	'1 send_sms waiting for the test, 2 notify succeeded test mode, 3 set_stage succeeded, 4 send_sms waiting', 'it judges its condition and takes all its steps');
SELECT is((SELECT status FROM crm.job WHERE id = 1), 'Greeted', 'it writes');
SELECT is((SELECT count(*) FROM automation.notification), 0::bigint, 'it notifies nobody');
SELECT is(crm.tests('1'), '1 true', 'its message is marked');
SELECT is(automation.set_test_mode('Greet', false), false, 'and out of it');
INSERT INTO crm.job VALUES (2);
SELECT automation.advance('2 hours');
SELECT is(crm.tests('1'), '1 true, 4', 'what was made in test mode stays so; a later step is taken as the rule is then');
SELECT is(crm.tests('2'), '1, 4', 'the rule is in earnest');
SELECT is((SELECT count(*) FROM automation.notification), 1::bigint, 'and notifies');
SELECT throws_ok($$SELECT automation.set_test_mode('Nope')$$, '42704', 'rule "Nope" does not exist', 'a rule that is not there');
SELECT throws_ok($$SELECT automation.set_test_mode('Greet', NULL)$$, '22004', NULL, 'neither on nor off');
SET LOCAL ROLE tap_other;
SELECT throws_ok($$SELECT automation.set_test_mode('Greet')$$, '42501', 'must be owner of rule "Greet"', 'not everybody may');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
