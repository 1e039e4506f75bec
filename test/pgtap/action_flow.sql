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

-- Who asks must ask for what is decided before

CREATE FUNCTION crm.answer(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;
CREATE FUNCTION crm.asks(condition text) RETURNS text LANGUAGE sql AS $$
	SELECT crm.answer(crm.refused(VARIADIC automation.branch('new.amount > 10', ARRAY[crm.say('a')], decision => 'rich') || automation.only_if(condition, crm.say('b'))))
$$;
SELECT is(crm.asks('{"took": ["rihc", "then"]}'), '42704 | rule "tap" asks for a decision "rihc" that no step before has made | Perhaps you meant "rich".', 'a decision that nobody makes, in JSON');
SELECT is(crm.asks('{"any": [{"not": true, "took": ["it''s", "then"]}, {"field": "owner", "operator": "filled"}]}'),
	'42704 | rule "tap" asks for a decision "it''s" that no step before has made | Decisions before it: rich.', 'wherever it stands');
SELECT is(crm.asks($$ AUTOMATION . took ($x$other$x$, 'then') AND true $$), '42704 | rule "tap" asks for a decision "other" that no step before has made | Decisions before it: rich.', 'however it is written');
SELECT is(crm.asks('{"took": ["rich", "no"]}'), '42704 | decision "rich" of rule "tap" has no way "no" | Its ways are: then, else.', 'a way that there is not');
SELECT is(crm.asks($$automation.took('rich', 'Then')$$), '42704 | decision "rich" of rule "tap" has no way "Then" | Its ways are: then, else.', 'in SQL too');
SELECT is(crm.asks($$automation.took('rich', new.status)$$), '22023 | rule "tap" asks for a decision, but not by name | Write automation.took(''decision'', ''way''), with two plain texts.', 'a way that nobody can know');
SELECT is(crm.asks('{"took": "rich"}'), '22023 | "took" of a condition must be a decision and one of its ways, not "rich" | This is step 3 (notify) of rule "tap". | For example: {"took": ["new.amount > 100", "then"]}.', 'half a question');
SELECT is(crm.answer(crm.refused(VARIADIC ARRAY[automation.split('ab', '{"a": 1, "b": 1}')] || automation.in_arm('ab', 'c', ARRAY[crm.say('c')]))),
	'42704 | decision "ab" of rule "tap" has no way "c" | Its ways are: a, b.', 'ways of a split are those that have a weight');
SELECT is(crm.answer(crm.refused(VARIADIC automation.wait_until('new.amount > 10', '1 day') || automation.in_arm('new.amount > 10', 'then', ARRAY[crm.say('c')]))),
	'42704 | decision "new.amount > 10" of rule "tap" has no way "then" | Its ways are: met, timed out.', 'and of wait_until');
SELECT is(crm.answer(crm.refused(VARIADIC automation.in_arm('late', 'then', ARRAY[crm.say('c')]) || automation.branch('true', '{}', decision => 'late'))),
	'42704 | rule "tap" asks for a decision "late" that no step before has made | Put a branch(), split() or wait_until() before it.', 'one that is made later');
SELECT is(crm.answer($$SELECT automation.create_rule('tap', 'crm.job', 'created', condition => '{"took": ["rich", "then"]}', steps => automation.branch('true', ARRAY[crm.say('a')], decision => 'rich'))$$),
	'0A000 | the condition of rule "tap" cannot ask for a decision | Only while its steps are taken does a run know which way it goes. | Make it the condition of a step: automation.only_if() or automation.in_arm().', 'a rule cannot ask before it runs');
SELECT is(crm.answer(crm.refused(VARIADIC automation.branch('true', '{}', decision => 'rich') || automation.after('1 day', crm.say('a'), options => '{"cancel_when": "automation.took(''rich'', ''then'')"}'))),
	'0A000 | what step 2 of rule "tap" waits for cannot ask for a decision | Only while its steps are taken does a run know which way it goes. | Make it the condition of a step: automation.only_if() or automation.in_arm().', 'nor a step while it waits');
SELECT is(crm.asks($$automation.took('rich', 'then') AND NOT automation.took('rich', 'else')$$), 'nothing', 'what is decided may be asked for');
SELECT automation.drop_rule('tap');
SELECT throws_ok($$SELECT automation.apply_rules('{"format": 1, "rules": [{"name": "doc", "relation": "crm.job", "trigger": "created", "steps": [{"action": "notify", "params": {"recipient": "Ann", "body": "x"}, "condition": "{\"took\": [\"nobodys\", \"then\"]}"}]}]}')$$,
	'42704', NULL, 'rules as data are asked likewise');

-- A decision with a time of its own is made before what asks for it

SELECT automation.create_rule('later', 'crm.job', 'created', steps => ARRAY[automation.after('1 day', automation.split('ab', '{"a": 1, "b": 0}'))]
	|| automation.in_arm('ab', 'a', ARRAY[crm.say('a')]) || automation.in_arm('ab', 'b', ARRAY[crm.say('b')]), activate => true);
INSERT INTO crm.job (id) VALUES (25);
SELECT is(crm.said(), NULL, 'what comes after a split that waits');
SELECT automation.advance('1 day');
SELECT is(crm.said(), 'a', 'waits for it');
SELECT automation.drop_rule('later');

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
