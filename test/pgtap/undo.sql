-- undo_run() and recall(): what a run did is taken back, unless somebody has changed it since.
BEGIN;
SELECT no_plan();

CREATE ROLE tap_owner;
CREATE ROLE tap_other;
SELECT automation.grant_access('tap_owner', 'author'), automation.grant_access('tap_other', 'author');
CREATE SCHEMA crm;
GRANT USAGE ON SCHEMA crm TO tap_owner;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text DEFAULT 'New', owner text, tags text[] DEFAULT '{}', due timestamptz, budget numeric(10, 2), extra jsonb, phone text DEFAULT '+12025550199');
CREATE TABLE crm.task (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text, job integer REFERENCES crm.job, made timestamptz DEFAULT now());
CREATE TABLE crm.remark (id integer PRIMARY KEY, task_id integer REFERENCES crm.task ON DELETE CASCADE);
CREATE TABLE crm.item (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job integer REFERENCES crm.job, kind text, title text, position integer, status text);
GRANT ALL ON ALL TABLES IN SCHEMA crm TO tap_owner;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO tap_owner;
SELECT automation.attach('crm.job', 'job', '{"status": "status", "tags": "tags"}'), automation.attach('crm.task', 'task', '{"about": "job"}'),
	automation.attach('crm.item', 'checklist_item', '{"about": "job"}');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
GRANT USAGE ON FOREIGN SERVER tap_sms TO tap_owner;
SELECT automation.set_clock('2030-03-04 09:00Z');
SELECT automation.pause_channel('tap_sms', 'for the test'); -- no worker meddles

SET LOCAL ROLE tap_owner;
SELECT automation.create_rule('Dispatch', 'crm.job', 'status_entered', '{"to": "Dispatched"}', steps => ARRAY[
	automation.update_field('owner', 'Ann'), automation.add_tag('urgent'), automation.update_field('due', expression => $$'2030-04-01 12:00+02'::timestamptz$$),
	automation.update_field('budget', '12.5'), automation.update_field('extra', expression => $$'{"a": [1, 2]}'::jsonb$$), automation.set_stage('Doing'),
	automation.create_task('Call'), automation.notify('Ann', 'yours'), automation.send_sms('tap_sms', '{{ phone }}', 'Hi'),
	automation.after('2 hours', automation.send_sms('tap_sms', '{{ phone }}', 'Well?')),
	automation.attach_checklist('Tools', '{Drill,Ladder}'), automation.update_field('owner', 'Ann')], activate => true);
RESET ROLE;
SELECT automation.create_rule('Tell', 'crm.job', 'status_entered', '{"to": "Dispatched"}', steps => ARRAY[automation.notify('boss', '{{ id }}')], activate => true);
CREATE FUNCTION crm.run(item text) RETURNS bigint LANGUAGE sql RETURN (SELECT max(id) FROM automation.execution_log WHERE key = item AND rule = 'Dispatch' AND status <> 'suppressed');
CREATE FUNCTION crm.undo(item text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', step, action, effect, reason), E'\n') FROM automation.undo_run(crm.run(item))
$$;

-- All of it

INSERT INTO crm.job VALUES (1, 'New', 'Bob', '{vip}', '2030-03-31 23:59:59.123456+02', 7.25, NULL);
INSERT INTO crm.job (id) VALUES (2), (3), (4);
CREATE TABLE crm.before AS SELECT * FROM crm.job;
UPDATE crm.job SET status = 'Dispatched' WHERE id = 1;
SELECT is((SELECT concat_ws(' ', status, owner, tags, budget, extra) FROM crm.job WHERE id = 1), 'Doing Ann {vip,urgent} 12.50 {"a": [1, 2]}', 'a run writes');
SELECT is((SELECT result FROM automation.step_log WHERE run_id = crm.run('1') AND step = 1), '{"owner": "Ann"}', 'what it needs to be undone, readers do not see');
SET LOCAL timezone = 'Asia/Tokyo';
SELECT is(crm.undo('1'), $$12 update_field nothing it changed no row
11 attach_checklist final what it wrote is not noted in full
10 send_sms cancelled
9 send_sms cancelled
8 notify undone
7 create_task undone
6 set_stage undone
5 update_field undone
4 update_field undone
3 update_field undone
2 add_tag undone
1 update_field undone$$, 'it is undone step by step, the last one first; what cannot be is said');
RESET timezone;
SELECT results_eq('SELECT * FROM crm.job WHERE id = 1', $$SELECT id, 'Dispatched', owner, tags, due, budget, extra, phone FROM crm.before WHERE id = 1$$, 'the row is as it was when the rule fired, to the microsecond');
SELECT is((SELECT count(*) FROM crm.task) + (SELECT count(*) FROM automation.notification WHERE recipient = 'Ann'), 0::bigint, 'what was inserted is gone');
SELECT is((SELECT string_agg(concat_ws(' ', status, reason), ', ') FROM automation.execution_log WHERE rule = 'Dispatch' AND cause = crm.run('1')), 'suppressed loop: "Dispatch" > "Dispatch"', 'the rule does not fire on that');
SELECT is((SELECT count(*) FROM automation.notification WHERE recipient = 'boss'), 2::bigint, 'to other rules it is a change like any');
SELECT is((SELECT string_agg(concat_ws(' ', step, status, reason), ', ' ORDER BY step) FROM automation.step_log WHERE run_id = crm.run('1') AND step IN (9, 10)),
	format('9 cancelled undone by %1$s, 10 cancelled undone by %1$s', current_user), 'the log knows of the messages');
SELECT is((SELECT count(*) FROM automation.due WHERE run_id = crm.run('1')), 0::bigint, 'nothing is planned any more');
SELECT is((SELECT string_agg(DISTINCT concat_ws(' ', rule, relation, key, at, actor), ', ') FROM automation.undone WHERE run_id = crm.run('1')), format('Dispatch crm.job 1 2030-03-04 09:00:00+00 %s', session_user), 'who has undone it, and when, is noted');
SELECT throws_ok(format('SELECT automation.retry(%s)', (SELECT id FROM automation.deliveries)), '55000', NULL, 'what is called back is not sent again');
SELECT matches(crm.undo('1'), '7 create_task nothing it has been undone already\n6 set_stage nothing it has been undone already', 'a second time there is nothing left');

-- Not what somebody has changed since

UPDATE crm.job SET status = 'Dispatched' WHERE id = 2;
UPDATE crm.job SET owner = 'Eve', budget = NULL WHERE id = 2;
UPDATE crm.task SET title = 'Call at once';
UPDATE automation.notification SET read_at = now();
INSERT INTO automation.attempt (delivery_id, number, epoch, outcome) SELECT max(d.id), 1, 1, 'delivered' FROM automation.delivery AS d;
SELECT is(crm.undo('2'), $$12 update_field nothing it changed no row
11 attach_checklist final what it wrote is not noted in full
10 send_sms cancelled
9 send_sms final 1 of 1 messages sent, or being sent
8 notify final it has been read
7 create_task conflict the row has been changed since, or others depend on it
6 set_stage undone
5 update_field undone
4 update_field conflict budget has another value now
3 update_field undone
2 add_tag undone
1 update_field conflict owner has another value now$$, 'what somebody has changed is his');
SELECT is((SELECT concat_ws(' ', status, owner, tags, due, budget, extra) FROM crm.job WHERE id = 2), 'Dispatched Eve {}', 'and stays, the rest is undone');
SELECT is((SELECT title FROM crm.task), 'Call at once', 'a changed row stays, too');
UPDATE crm.job SET status = 'Dispatched' WHERE id = 3;
INSERT INTO crm.remark SELECT 1, max(id) FROM crm.task;
SELECT matches(crm.undo('3'), '7 create_task conflict the row has been changed since, or others depend on it', 'nor goes one that would take others along');
UPDATE crm.job SET status = 'Dispatched' WHERE id = 4;
DELETE FROM crm.task WHERE job = 4;
DELETE FROM crm.item WHERE job = 4;
DELETE FROM crm.job WHERE id = 4;
SELECT matches(crm.undo('4'), '7 create_task conflict the row is gone.*1 update_field conflict the row is gone', 'a row that is gone');

-- In whose name

INSERT INTO crm.job VALUES (5);
UPDATE crm.job SET status = 'Dispatched' WHERE id = 5;
SET LOCAL ROLE tap_other;
SELECT throws_ok(format('SELECT automation.undo_run(%s)', crm.run), '42501', format('must be owner of the rule of run %s', crm.run), 'not everybody undoes')
FROM (SELECT max(id) AS run FROM automation.execution_log WHERE key = '5') AS crm;
SELECT throws_ok($$SELECT automation.recall('Dispatch')$$, '42501', 'must be owner of rule "Dispatch"', 'or recalls');
RESET ROLE;
REVOKE UPDATE ON crm.job FROM tap_owner;
SELECT matches(crm.undo('5'), '7 create_task undone\n6 set_stage conflict error 42501: permission denied for table job\n', 'it takes the rights of the owner, not of who asks');
SELECT is((SELECT reason FROM automation.undone WHERE run_id = crm.run('5') AND step = 6), 'error 42501', 'the text of the error is not kept');
GRANT UPDATE ON crm.job TO tap_owner;
SELECT throws_ok('SELECT automation.undo_run(-1)', '42704', 'run -1 does not exist', 'a run that is not there');

-- Linked rows, partitions, later steps

CREATE TABLE crm.visit (id integer, day date, state text, job_id integer, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE crm.visit_later PARTITION OF crm.visit FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
CREATE TABLE crm.report (id integer GENERATED ALWAYS AS IDENTITY, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE crm.report_later PARTITION OF crm.report FOR VALUES FROM ('2030-01-01') TO ('2031-01-01');
SELECT automation.attach('crm.visit', 'visit', '{"status": "state"}');
SELECT automation.create_rule('Visited', 'crm.visit', 'created', steps => ARRAY[automation.update_field('state', 'Planned'), automation.create_record('crm.report', '{"day": "{{ day }}"}'),
	automation.after('1 day', automation.update_field('state', 'Late'))], activate => true);
INSERT INTO crm.visit VALUES (1, '2030-05-05', 'New', 1);
SELECT automation.advance('2 days');
SELECT is((SELECT state FROM crm.visit), 'Late', 'a later step has been taken');
SELECT is((SELECT string_agg(concat_ws(' ', step, effect, reason), ', ') FROM automation.undo_run((SELECT max(id) FROM automation.execution_log WHERE rule = 'Visited'))),
	'3 undone, 2 undone, 1 undone', 'it is undone, too: rows of partitions, with a key of two columns');
SELECT is((SELECT state FROM crm.visit) || (SELECT count(*) FROM crm.report), 'New0', 'back to the beginning');

-- Two notifications, of which one has been read

SELECT automation.create_rule('Both', 'crm.job', 'manual', steps => ARRAY[automation.notify('Eve', 'one'), automation.notify('Eve', 'two')], activate => true);
INSERT INTO crm.job VALUES (8);
SELECT automation.fire('Both', 'crm.job', '8');
UPDATE automation.notification SET read_at = now() WHERE body = 'one';
SELECT is((SELECT string_agg(concat_ws(' ', step, effect, reason), ', ') FROM automation.undo_run((SELECT max(id) FROM automation.execution_log WHERE rule = 'Both'))), '2 undone, 1 final it has been read', 'each step has its own');
SELECT is((SELECT string_agg(body, ', ') FROM automation.notification WHERE recipient = 'Eve'), 'one', 'and what has been read stays');

-- recall()

INSERT INTO crm.job VALUES (6), (7);
SELECT automation.set_clock('2030-03-10 09:00Z');
UPDATE crm.job SET status = 'Dispatched' WHERE id = 6;
SELECT automation.set_clock('2030-03-10 10:00Z');
UPDATE crm.job SET status = 'Dispatched' WHERE id = 7;
SELECT is((SELECT string_agg(concat_ws(' ', key, step, action, effect, reason), ', ') FROM automation.recall('Dispatch', '2030-03-10 09:30Z')), '7 9 send_sms cancelled, 7 10 send_sms cancelled', 'recall() since then');
SELECT is((SELECT string_agg(concat_ws(' ', key, step, effect, reason), ', ') FROM automation.recall('Dispatch')),
	'2 9 final 1 of 1 messages sent, or being sent, 6 9 cancelled, 6 10 cancelled', 'of all runs; what is out cannot be recalled');
SELECT is((SELECT owner FROM crm.job WHERE id = 7), 'Ann', 'what they wrote stays');
SELECT throws_ok($$SELECT automation.recall('Nope')$$, '42704', 'rule "Nope" does not exist', 'a rule that is not there');

SELECT * FROM finish();
ROLLBACK;
