-- The volumes of the log: how they are turned and emptied, and what stays. Time passes on the clock of tests.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, due date);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
SELECT automation.pause_channel('tap_sms');
SELECT automation.create_rule('note', 'crm.job', 'created', steps => ARRAY[automation.notify('log', '{{ id }}')], activate => true);
SELECT automation.create_rule('later', 'crm.job', 'status_entered', '{"to": "Later"}', activate => true, steps => ARRAY[
	automation.notify('log', 'now'), automation.after('300 days', automation.notify('log', 'later'))]);
SELECT automation.create_rule('send', 'crm.job', 'status_entered', '{"to": "Send"}', activate => true, steps => ARRAY[
	automation.send_sms('tap_sms', '+12025550101', 'one'), automation.send_sms('tap_sms', '+12025550102', 'two')]);
SELECT automation.create_rule('on the day', 'crm.job', 'date_passed', '{"field": "due"}', activate => true, steps => ARRAY[automation.notify('log', 'day')]);

CREATE FUNCTION crm.volumes() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat(coalesce(nullif(substring(tableoid::regclass::text FROM '\d+'), ''), '0'), ': ', rows), ', ' ORDER BY tableoid::regclass::text)
	FROM (SELECT tableoid, count(*) AS rows FROM automation.run GROUP BY tableoid) AS v
$$;
CREATE FUNCTION crm.current() RETURNS integer LANGUAGE sql AS $$ SELECT number FROM automation.volume WHERE closed_at IS NULL $$;

SELECT automation.set_clock('2030-01-01 12:00+00');
UPDATE automation.volume SET opened_at = automation._now(), closed_at = closed_at + (automation._now() - opened_at);
INSERT INTO crm.job SELECT i, 'New' FROM generate_series(1, 5) AS i;
UPDATE crm.job SET status = 'Later' WHERE id = 1;
UPDATE crm.job SET status = 'Send' WHERE id = 2;
UPDATE crm.job SET due = '2029-12-24' WHERE id = 3;
INSERT INTO crm.job VALUES (6, 'New', '2030-01-02');
SELECT automation.advance('2 days');
SELECT is(crm.volumes(), '0: 10', 'the log begins with the table itself');
SELECT automation.housekeep('80 days');
SELECT is(crm.current(), 0, 'a volume that is young is written further');
SELECT automation.advance('20 days');
SELECT automation.housekeep();
SELECT is(crm.current(), 0, 'without a retention there is one volume');
SELECT automation.housekeep('80 days');
SELECT isnt(crm.current(), 0, 'after a quarter of the retention the next one is begun');
SELECT automation.housekeep('80 days');
INSERT INTO crm.job SELECT i, 'New' FROM generate_series(11, 13) AS i;
SELECT is(crm.volumes(), '0: 10, 1: 3', 'and written');
SELECT is((SELECT count(*) FROM automation.execution_log), 13::bigint, 'the log is one');
SELECT is((SELECT count(DISTINCT id) FROM automation.run), 13::bigint, 'its numbers go on');

-- What is needed

SELECT automation.advance('79 days');
SELECT automation.housekeep('80 days'), automation.housekeep('80 days');
SELECT is(crm.volumes(), '0: 10, 1: 3', 'as long as a volume may have something younger, it stays');
SELECT is(crm.current(), 2, 'a volume that is still empty is not left for another');
SELECT automation.advance('2 days');
INSERT INTO automation.attempt (delivery_id, number, epoch, started_at, finished_at, outcome) SELECT min(id), 1, 1, '2030-01-02', '2030-01-02', 'delivered' FROM automation.delivery;
SELECT automation.housekeep('80 days');
SELECT is((SELECT count(*) FROM ONLY automation.run) + (SELECT count(*) FROM ONLY automation.delivery) + (SELECT count(*) FROM ONLY automation.attempt), 0::bigint, 'a volume that is old throughout is emptied');
SELECT is(pg_relation_size('automation.run') + pg_relation_size('automation.delivery') + pg_relation_size('automation.run_of_row'), 8192::bigint, 'and its space given back');
SELECT is((SELECT string_agg(concat_ws(' ', rule, status), ', ' ORDER BY rule) FROM automation.execution_log WHERE at < '2030-01-15'), 'later waiting, send waiting', 'but for runs that something waits for');
SELECT is((SELECT string_agg(concat_ws(' ', step, status), ', ' ORDER BY step) FROM automation.step_log WHERE rule = 'send'), '1 succeeded, 2 waiting', 'which come along with all that belongs to them');
SELECT is((SELECT count(*) FROM automation.attempts), 1::bigint, 'attempts, too');
SELECT is((SELECT count(*) FROM automation.fired), 2::bigint, 'for which dates a rule has fired is remembered longer than the run');
SELECT is((SELECT string_agg(gap, ', ') FROM automation.audit_gaps() WHERE gap ~ 'of nothing|of no run|lost'), NULL, 'nothing is amiss');
SELECT automation.advance('220 days');
SELECT is((SELECT string_agg(concat_ws(' ', step, status), ', ' ORDER BY step) FROM automation.step_log WHERE rule = 'later'), '1 succeeded, 2 succeeded', 'a step that waits is taken in its time');

-- What ended badly, until somebody has seen it

DELETE FROM automation.pending;
SELECT automation.create_rule('bad', 'crm.job', 'status_entered', '{"to": "Bad"}', activate => true, steps => ARRAY[automation.update_field('due', '{{ status }}')]);
UPDATE crm.job SET status = 'Bad' WHERE id IN (4, 5);
UPDATE automation.attempt SET outcome = 'dead';
CREATE FUNCTION crm.bad() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', rule, key, status), ', ' ORDER BY id) FROM automation.execution_log WHERE status IN ('failed', 'dead')
$$;
SELECT is(crm.bad(), 'send 2 dead, bad 4 failed, bad 5 failed', 'some runs end badly');
SELECT automation.advance('101 days');
SELECT automation.housekeep('80 days', keep => '{failed,dead}');
SELECT automation.advance('81 days');
SELECT automation.housekeep('80 days', keep => '{failed,dead}');
SELECT is(crm.bad(), 'send 2 dead, bad 4 failed, bad 5 failed', 'they are kept');
SELECT is((SELECT count(*) FROM automation.execution_log WHERE rule <> 'send' AND status = 'succeeded'), 0::bigint, 'others are not');
SELECT automation.acknowledge(id, 'typo') FROM automation.execution_log WHERE rule = 'bad' AND key = '4';
SELECT is(automation.purge_log('80 days', keep => '{failed}'), 1::bigint, 'one that was acknowledged goes');
SELECT is(crm.bad(), 'send 2 dead, bad 5 failed', 'and no other; a message on its way keeps its run, too');
SELECT is((SELECT count(*) FROM automation.acknowledged), 0::bigint, 'nothing is remembered of it');
SELECT throws_ok('SELECT automation.acknowledge(0)', '42704', 'run 0 does not exist', 'a run that is not there');
SELECT throws_ok($$SELECT automation.purge_log('1 day', keep => '{succeeded}')$$, '22023', 'invalid value for keep: {succeeded}', 'a status that ends well');
SELECT throws_ok($$SELECT automation.housekeep(payload_retention => '-1 day')$$, '22023', 'payload_retention must not be negative', 'bodies from the future');

-- Bodies go before facts do

UPDATE automation.attempt SET response = 'thanks, +12025550101';
SELECT automation.housekeep(payload_retention => '14 days');
SELECT is((SELECT string_agg(concat_ws(' ', d.step, d.recipient, d.message - 'recipient'), ', ' ORDER BY d.step) FROM automation.delivery AS d),
	'1 {"erased": true}, 2 +12025550102 {"body": "two"}', 'messages that have ended are blanked, one on its way is not');
SELECT is((SELECT response FROM automation.attempt), NULL, 'with what was answered');
SELECT is((SELECT string_agg(concat_ws(' ', step, state), ', ' ORDER BY step) FROM automation.deliveries), '1 dead, 2 held', 'their state stays');

SELECT * FROM finish();
ROLLBACK;
