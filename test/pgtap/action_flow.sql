-- Steps that wait and decide: wait, wait_until, branch, split, escalate.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text DEFAULT 'New', amount numeric, owner text, told text);
CREATE TABLE crm.note (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES crm.job, body text);
SELECT automation.attach('crm.job', 'job', '{"status": "status", "owner": "owner"}'), automation.attach('crm.note', 'note');
SELECT automation.set_clock('2030-03-04 09:00Z');

-- What was said, in order, and what became of the steps of the last run.
CREATE FUNCTION crm.said() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.notification RETURNING id, body) SELECT string_agg(body, ' ' ORDER BY id) FROM gone
$$;
CREATE FUNCTION crm.steps(rule text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat(l.status, ' (' || l.reason || ')'), ', ' ORDER BY l.step) FROM automation.step_log AS l
	WHERE l.run_id = (SELECT max(k.run_id) FROM automation.step_log AS k WHERE k.rule = steps.rule)
$$;
CREATE FUNCTION crm.say(body text) RETURNS automation.step LANGUAGE sql AS $$ SELECT automation.notify('Ann', body) $$;
CREATE FUNCTION crm.refused(VARIADIC steps automation.step[]) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT automation.create_rule(''tap'', ''crm.job'', ''created'', steps => %L::automation.step[])', steps)
$$;

-- wait

SELECT automation.create_rule('waits', 'crm.job', 'created', steps => ARRAY[crm.say('a'), automation.wait('2 days'), crm.say('b'), crm.say('c'),
	automation.wait('1 day'), crm.say('d'), automation.after('1 hour', crm.say('e'))], activate => true);
INSERT INTO crm.job (id) VALUES (1);
SELECT is(crm.said(), 'a', 'what stands before a wait is done at once');
SELECT automation.advance('47 hours');
SELECT is(crm.said(), NULL, 'what stands behind it is not');
SELECT automation.advance('1 hour');
SELECT is(crm.said(), 'b c', 'until it is over');
SELECT automation.advance('1 day');
SELECT is(crm.said(), 'd', 'waits add up');
SELECT automation.advance('1 hour');
SELECT is(crm.said(), 'e', 'and so do the delays behind them');
SELECT is(crm.steps('waits'), 'succeeded, succeeded, succeeded, succeeded, succeeded, succeeded, succeeded', 'each step is in the log');
SELECT is((SELECT count(*) FROM automation.due), 0::bigint, 'nothing is left');
SELECT is(automation.export_rules() #> '{rules,0,steps,1}', '{"action": "wait", "params": {}, "timing": {"delay": "2 days", "anchor": "trigger"}, "condition": null}', 'it is a step as any other');
SELECT automation.drop_rule('waits');

SELECT automation.create_rule('waits', 'crm.job', 'created', steps => ARRAY[automation.wait('2 days', '{status}'), crm.say('a')], activate => true);
INSERT INTO crm.job (id) VALUES (2);
UPDATE crm.job SET status = 'Won' WHERE id = 2;
SELECT automation.advance('3 days');
SELECT is(crm.said(), NULL, 'a wait that is cancelled takes what is behind it along');
SELECT is(crm.steps('waits') ~ '^cancelled \(.*\), not_run \(the step before it failed\)$', true, 'the log says so');
SELECT automation.drop_rule('waits');

-- branch

SELECT automation.create_rule('branches', 'crm.job', 'created', steps => ARRAY[crm.say('a')]
	|| automation.branch('new.amount > 100', ARRAY[automation.update_field('amount', '1'), crm.say('rich'), automation.after('1 day', crm.say('still rich'))],
		ARRAY[crm.say('poor'), automation.only_if('{"field": "owner", "operator": "filled"}', crm.say('but owned'))])
	|| crm.say('z'), activate => true);
INSERT INTO crm.job (id, amount) VALUES (10, 500);
SELECT is(crm.said(), 'a rich z', 'the way is decided once, though a step on it changes what it was decided by');
SELECT automation.advance('1 day');
SELECT is(crm.said(), 'still rich', 'and kept for what comes later');
INSERT INTO crm.job (id, amount, owner) VALUES (11, NULL, 'Tom');
SELECT is(crm.said(), 'a poor but owned z', 'what is unknown does not hold; steps on a way have their own conditions');
SELECT is(crm.steps('branches') ~ '^succeeded, succeeded, not_run .*, not_run .*, waiting, succeeded, succeeded, succeeded$', true, 'steps on the other way are not taken');
SELECT automation.advance('1 day');
SELECT is(crm.said(), NULL, 'nor later');
SELECT is((SELECT result FROM automation.step_log WHERE rule = 'branches' AND action = 'branch' ORDER BY run_id DESC LIMIT 1),
	'{"arm": "else", "decision": "new.amount > 100"}', 'the log has the way');
SELECT is((SELECT string_agg(condition, '; ' ORDER BY step) FROM automation.rule_steps WHERE rule = 'branches'),
	$$automation.took('new.amount > 100', 'then'); automation.took('new.amount > 100', 'then'); automation.took('new.amount > 100', 'then'); automation.took('new.amount > 100', 'else'); {"rules": [{"took": ["new.amount > 100", "else"]}, {"field": "owner", "operator": "filled"}], "combinator": "and"}$$,
	'steps are one flat list');
CREATE TEMPORARY TABLE exported AS SELECT automation.export_rules() AS document;
SELECT automation.drop_rule('branches');
SELECT automation.apply_rules((SELECT document FROM exported));
SELECT is(automation.export_rules(), (SELECT document FROM exported), 'which goes out and comes in as it is');
INSERT INTO crm.job (id, amount) VALUES (12, 500);
SELECT is(crm.said(), 'a rich z', 'and does the same');
SELECT automation.alter_rule('branches', steps => ARRAY[crm.say('new version')]);
SELECT automation.advance('1 day');
SELECT is(crm.said(), 'still rich', 'a run that has begun goes its way to the end');
SELECT is(automation.rule_to_text('branches') IS NOT NULL AND automation.rule_to_mermaid('branches') IS NOT NULL, true, 'it can be shown');
SELECT automation.drop_rule('branches');

-- A branch within a branch, behind a wait

SELECT automation.create_rule('nests', 'crm.job', 'created', steps => ARRAY[automation.wait('1 day')]
	|| automation.branch('new.amount > 10', automation.branch('new.amount > 100', ARRAY[crm.say('large')], ARRAY[crm.say('middle')]), ARRAY[crm.say('small')]), activate => true);
INSERT INTO crm.job (id, amount) VALUES (20, 500), (21, 50), (22, 5);
SELECT automation.advance('1 day');
SELECT is(crm.said(), 'large middle small', 'branches nest');
SELECT automation.drop_rule('nests');
SELECT throws_ok(crm.refused(VARIADIC automation.branch('new.amount > 10', ARRAY[crm.say('a')]) || automation.branch('new.amount > 10', ARRAY[crm.say('a')])),
	'42710', 'rule "tap" has two decisions "new.amount > 10"', 'two decisions of one name');
SELECT throws_ok(crm.refused(VARIADIC automation.in_arm('nobodys', 'then', ARRAY[crm.say('a')])),
	'42704', 'rule "tap" asks for a decision "nobodys" that no step before has made', 'a decision that nobody makes');
SELECT throws_ok(crm.refused(VARIADIC automation.branch('new.amuont > 10', ARRAY[crm.say('a')])), '42703', NULL, 'a condition that is none');

-- split

SELECT automation.create_rule('splits', 'crm.job', 'created', steps => ARRAY[automation.split('ab', '{"a": 1, "b": 1, "none": 2}')]
	|| automation.in_arm('ab', 'a', ARRAY[crm.say('a')]) || automation.in_arm('ab', 'b', ARRAY[crm.say('b')]), activate => true);
INSERT INTO crm.job (id) SELECT generate_series(1000, 1999);
CREATE TEMPORARY TABLE arms AS SELECT key, result ->> 'arm' AS arm FROM automation.step_log WHERE rule = 'splits' AND action = 'split';
SELECT is((SELECT string_agg(arm, ',' ORDER BY arm) FROM (SELECT arm FROM arms GROUP BY arm HAVING abs(count(*) - CASE arm WHEN 'none' THEN 500 ELSE 250 END) < 60) AS a),
	'a,b,none', 'so many go each way, or nearly');
SELECT is((SELECT count(*) FROM automation.notification), (SELECT count(*) FROM arms WHERE arm <> 'none'), 'and nobody goes two');
DELETE FROM crm.job WHERE id >= 1000;
INSERT INTO crm.job (id) SELECT generate_series(1000, 1099);
SELECT is((SELECT count(DISTINCT l.result ->> 'arm') = 1 FROM automation.step_log AS l WHERE rule = 'splits' AND action = 'split' AND key = '1000'), true, 'one record goes the same way again');
SELECT is((SELECT count(*) FROM automation.step_log AS l JOIN arms AS a USING (key) WHERE rule = 'splits' AND action = 'split' AND l.result ->> 'arm' <> a.arm), 0::bigint, 'and so do all');
SELECT automation.drop_rule('splits');
SELECT throws_ok(crm.refused(automation.split('ab', '{"a": 1}')), '22023', NULL, 'one way is no choice');
SELECT throws_ok(crm.refused(automation.split('ab', '{"a": 1, "b": -1}')), '22023', NULL, 'nor is less than none');
SELECT throws_ok(crm.refused(automation.split('ab', '{"a": 0, "b": 0}')), '22023', NULL, 'nor none at all');
SELECT crm.said() IS NOT NULL;

-- wait_until

SELECT automation.create_rule('until', 'crm.job', 'created', steps => automation.wait_until($$new.status = 'Paid'$$, '3 days',
	met => ARRAY[crm.say('thanks')], timed_out => ARRAY[crm.say('pay')]) || crm.say('end'), activate => true);
INSERT INTO crm.job (id, status) VALUES (30, 'New'), (31, 'New'), (32, 'Paid'), (33, 'New');
SELECT is(crm.said(), 'thanks end', 'what holds already is not waited for');
SELECT automation.advance('1 day');
UPDATE crm.job SET amount = 1 WHERE id = 31;
UPDATE crm.job SET status = 'Sent' WHERE id = 31;
SELECT automation.advance('1 minute');
SELECT is(crm.said(), NULL, 'changes that do not bring it are not');
UPDATE crm.job SET status = 'Paid' WHERE id = 31;
SELECT automation.advance('1 minute');
SELECT is(crm.said(), 'thanks end', 'when a change brings it, it is over');
SELECT is((SELECT count(*) FROM automation.due WHERE key IN ('31', '32')), 0::bigint, 'for good');
SELECT automation.stop_item('crm.job', '33');
UPDATE crm.job SET status = 'Paid' WHERE id = 33;
SELECT automation.advance('2 days');
SELECT is(crm.said(), 'pay end', 'when nothing does, time is up');
SELECT is((SELECT string_agg(result ->> 'arm', ',' ORDER BY key) FROM automation.step_log WHERE rule = 'until' AND action = 'wait_until' AND key IN ('30', '31', '32')), 'timed out,met,met', 'the log has how it ended');
SELECT automation.resume_item('crm.job', '33', on_overdue => 'run');
SELECT automation.advance('1 minute');
SELECT is(crm.said(), 'thanks end', 'a row that was stopped is looked at afterwards');
DELETE FROM crm.job WHERE id >= 1000;
INSERT INTO crm.job (id) VALUES (34);
DELETE FROM crm.job WHERE id = 34;
SELECT automation.advance('3 days');
SELECT is(crm.said(), NULL, 'a row that is gone is not waited for');
SELECT automation.drop_rule('until');

SELECT automation.create_rule('until', 'crm.job', 'created', steps => ARRAY[automation.wait('1 day')] || automation.wait_until('{"field": "owner", "operator": "filled"}', '1 day',
	met => ARRAY[crm.say('{{ owner }}')], timed_out => ARRAY[crm.say('nobody')], decision => 'owned'), activate => true);
INSERT INTO crm.job (id) VALUES (40), (41), (42);
UPDATE crm.job SET owner = 'Eve' WHERE id = 40;
SELECT automation.advance('1 day');
SELECT is(crm.said(), 'Eve', 'behind a wait: what came in the meantime counts');
SELECT automation.advance('12 hours');
UPDATE crm.job SET owner = 'Tom' WHERE id = 41;
SELECT automation.advance('1 minute');
SELECT is(crm.said(), 'Tom', 'as does what comes after it');
SELECT automation.advance('12 hours');
SELECT is(crm.said(), 'nobody', 'its time counts from the wait');
SELECT automation.drop_rule('until');

-- escalate

SELECT automation.create_rule('escalates', 'crm.job', 'created', steps => automation.escalate(
	'[{"to": "Ann"}, {"after": "30 minutes", "to": ["Bob", "Eve"]}, {"after": "2 hours", "to": "Boss"}]', 'Job {{ id }} waits', '{owner}'), activate => true);
INSERT INTO crm.job (id) VALUES (50), (51);
SELECT automation.advance('30 minutes');
UPDATE crm.job SET owner = 'Tom' WHERE id = 50;
SELECT automation.advance('2 hours');
SELECT results_eq('SELECT recipient, body FROM automation.notification ORDER BY body, id', $$VALUES ('Ann', 'Job 50 waits'), ('Bob', 'Job 50 waits'), ('Eve', 'Job 50 waits'),
	('Ann', 'Job 51 waits'), ('Bob', 'Job 51 waits'), ('Eve', 'Job 51 waits'), ('Boss', 'Job 51 waits')$$, 'one after the other is told, until somebody takes it');
SELECT throws_ok($$SELECT automation.escalate('[]', 'x')$$, '22023', 'chain of escalate() must be an array', 'nobody to tell');
SELECT throws_ok($$SELECT automation.escalate('[{"too": "x"}]', 'x')$$, '22023', NULL, 'a part that is none');

SELECT is(automation.took('a', 'b'), false, 'outside of a run nothing was decided');

SELECT * FROM finish();
ROLLBACK;
