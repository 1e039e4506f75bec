-- Experiments: ways of a split, compared by what became of the records.
BEGIN;
SELECT no_plan();

CREATE ROLE tap_other;
SELECT automation.grant_access('tap_other', 'author');
CREATE SCHEMA crm;
CREATE TABLE crm.invoice (id integer PRIMARY KEY, status text DEFAULT 'Open', paid_at timestamptz, reminders integer DEFAULT 0);
SELECT automation.attach('crm.invoice', 'invoice', '{"status": "status"}');
SELECT automation.set_clock('2030-03-04 09:00Z');
SELECT automation.create_rule('Remind', 'crm.invoice', 'created', steps => ARRAY[automation.split('tone', '{"friendly": 1, "strict": 1, "hold-out": 2}')]
	|| automation.in_arm('tone', 'friendly', ARRAY[automation.update_field('reminders', '1')])
	|| automation.in_arm('tone', 'strict', ARRAY[automation.update_field('reminders', '2')]), activate => true);
CREATE FUNCTION crm.report(experiment text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', arm, runs, still_open, successes, round(rate::numeric, 3), round(difference::numeric, 3), p_value < 0.001), ', ') FROM automation.experiment_report(experiment)
$$;

-- The numbers

SELECT ok(abs(automation._erfc(x) - y) < 2e-7, format('erfc(%s)', x)) FROM (VALUES (0, 1), (0.5, 0.4795001222), (1, 0.1572992071), (2, 0.0046777350), (40, 0)) AS v(x, y);
-- z = 0.1 / sqrt(0.25 * 0.75 * 2 / 100) = 1.6330, p = 0.1025.
SELECT is((SELECT ARRAY[round(difference::numeric, 4), round(low::numeric, 4), round(high::numeric, 4), round(p_value::numeric, 4)] FROM automation._two_proportions(20, 100, 30, 100)),
	'{0.1000,-0.0192,0.2192,0.1025}', 'the test for two proportions');
SELECT is((SELECT p_value FROM automation._two_proportions(0, 10, 0, 20)), NULL, 'where nobody succeeds there is nothing to test');
SELECT is((SELECT difference FROM automation._two_proportions(0, 0, 5, 20)), NULL, 'nor where nobody is');

-- An effect, and none

INSERT INTO crm.invoice VALUES (0);
SELECT automation.set_clock('2030-03-04 10:00Z');
SELECT automation.create_experiment('Tone', 'Remind', 'tone', $$new.status = 'Paid'$$, '7 days', 'paid_at', 'hold-out');
SELECT automation.create_experiment('Even', 'Remind', 'tone', 'new.id % 3 = 0', '7 days');
INSERT INTO crm.invoice (id) SELECT generate_series(1, 2000);
SELECT ok(bool_and(abs(n - share * 2000) < 150), 'as many go each way as the weights say') FROM (
	SELECT count(*) AS n, CASE reminders WHEN 0 THEN 0.5 ELSE 0.25 END AS share FROM crm.invoice GROUP BY reminders) AS s;
-- 20 % pay anyhow, 40 % after a strict reminder; some of them too late.
UPDATE crm.invoice SET status = 'Paid', paid_at = '2030-03-06 09:00Z' WHERE id % 10 < CASE reminders WHEN 2 THEN 4 ELSE 2 END;
UPDATE crm.invoice SET status = 'Paid', paid_at = '2030-03-12 09:00Z' WHERE id % 10 = 9;
SELECT is((SELECT count(*) FILTER (WHERE runs > 0) || ' ' || sum(still_open) FROM automation.experiment_report('Tone')), '0 2000', 'nothing is judged before its period is over, nor what ran before the experiment');
SELECT automation.set_clock('2030-03-20 09:00Z');
INSERT INTO crm.invoice (id) VALUES (3000);
SELECT is((SELECT string_agg(arm, ' ') FROM automation.experiment_report('Tone')), 'hold-out friendly strict', 'the control is the first');
SELECT results_eq($$SELECT arm, runs, successes FROM automation.experiment_report('Tone') ORDER BY arm$$,
	$$SELECT CASE reminders WHEN 0 THEN 'hold-out' WHEN 1 THEN 'friendly' ELSE 'strict' END, count(*), count(*) FILTER (WHERE paid_at < '2030-03-11')
	FROM crm.invoice WHERE id BETWEEN 1 AND 2000 GROUP BY reminders ORDER BY 1$$, 'it counts what the table has, successes within the period alone');
SELECT ok(difference BETWEEN 0.12 AND 0.28 AND low < 0.2 AND high > 0.2 AND p_value < 0.001, 'an effect is found, of its size') FROM automation.experiment_report('Tone') WHERE arm = 'strict';
SELECT ok(abs(difference) < 0.08 AND p_value > 0.05, 'where there is none, none is found') FROM automation.experiment_report('Tone') WHERE arm = 'friendly';
SELECT is((SELECT count(*) FROM automation.experiment_report('Even') WHERE p_value < 0.01), 0::bigint, 'nor in what the reminders have no part in');

SELECT is((SELECT string_agg(arm || ': ' || verdict || CASE WHEN needed > 0 THEN ', more' ELSE '' END, '; ' ORDER BY arm) FROM automation.experiment_report('Tone')),
	'friendly: not significant, more; hold-out: control; strict: better', 'what it comes to is said');
SELECT is(verdict, wants, format('%s of %s against %s of %s', b, n, a, m)) FROM (VALUES
	(20, 100, 30, 100, 1, 'not significant'), (20, 100, 40, 100, 1, 'better'), (40, 100, 20, 100, 1, 'worse'), (20, 100, 33, 100, 1, 'better'), (20, 100, 33, 100, 3, 'not significant'),
	(0, 10, 9, 10, 1, 'too few'), (0, 0, 5, 10, 1, 'too few')) AS v(a, m, b, n, comparisons, wants),
	LATERAL automation._two_proportions(a, m, b, n) AS t, LATERAL automation._verdict(a, m, b, n, t.p_value, comparisons)
UNION ALL SELECT is((SELECT verdict FROM automation._verdict(0, 0, 5, 10, NULL, 1)), 'too few', 'nobody to compare with');
-- 7.849 (0.2 * 0.8 + 0.3 * 0.7) / 0.1^2 = 290.4
SELECT is((SELECT needed FROM automation._verdict(20, 100, 30, 100, 0.1025, 1)), 291::bigint, 'and how many it takes to tell');

-- Sticky

CREATE TABLE crm.before AS SELECT id, reminders FROM crm.invoice;
DELETE FROM crm.invoice WHERE id BETWEEN 1 AND 500;
INSERT INTO crm.invoice (id) SELECT generate_series(1, 500);
SELECT is((SELECT count(*) FROM crm.invoice AS i JOIN crm.before AS b USING (id) WHERE i.reminders <> b.reminders), 0::bigint, 'the same record goes the same way again');
SELECT is((SELECT sum(runs + still_open) FROM automation.experiment_report('Tone')), 2001::numeric, 'and counts once');

-- What is refused

SELECT throws_ok(format('SELECT automation.create_experiment(%s)', arguments), code, NULL, arguments) FROM (VALUES
	($$'x', 'Nope', 'tone', 'true', '1 day'$$, '42704'), ($$'x', 'Remind', 'nope', 'true', '1 day'$$, '42704'), ($$'x', 'Remind', 'tone', 'new.nope', '1 day'$$, '42703'),
	($$'x', 'Remind', 'tone', 'true', '-1 day'$$, '22023'), ($$'x', 'Remind', 'tone', ' ', '1 day'$$, '22023'), ($$'Tone', 'Remind', 'tone', 'true', '1 day'$$, '42710'),
	($$'x', 'Remind', 'tone', 'true', '1 day', control => 'nope'$$, '22023'), ($$'x', 'Remind', 'tone', 'true', '1 day', 'nope'$$, '42703')) AS v(arguments, code);
SET LOCAL ROLE tap_other;
SELECT throws_ok($$SELECT automation.drop_experiment('Tone')$$, '42501', NULL, 'not everybody drops it');
SELECT throws_ok($$SELECT automation.promote_experiment('Tone')$$, '42501', NULL, 'nor promotes it');
SELECT throws_ok($$SELECT automation.experiment_report('Tone')$$, '42501', NULL, 'who may not read the table learns nothing of it');
RESET ROLE;
SELECT automation.drop_experiment('Even');
SELECT throws_ok($$SELECT automation.experiment_report('Even')$$, '42704', 'experiment "Even" does not exist', 'it is dropped');

-- The end of it

SELECT automation.create_template('Note', 'for {{ id }}');
SELECT automation.create_rule('Chase', 'crm.invoice', 'created', steps => ARRAY[automation.split('way', '{"soft": 1, "hard": 1, "none": 1}'), automation.notify('all', 'begins')]
	|| automation.in_arm('way', 'soft', ARRAY[automation.notify('soft', 'now'), automation.after('1 day', automation.notify('soft', 'later'))])
	|| automation.in_arm('way', 'hard', automation.branch('new.id > 0', ARRAY[automation.with_template('Note', automation.only_if('new.status = ''Open''', automation.notify('hard', NULL)))], ARRAY[automation.notify('hard', 'never')], decision => 'inner')
		|| ARRAY[automation.only_if('{"field": "status", "operator": "=", "value": "Open"}', automation.notify('hard', 'tree'))])
	|| ARRAY[automation.only_if('NOT automation.took( ''way'',''none'' )', automation.notify('some', 'not none'))], activate => true);
SELECT automation.create_experiment('Chasing', 'Chase', 'way', $$new.status = 'Paid'$$, '7 days', control => 'none');
INSERT INTO crm.invoice (id) SELECT generate_series(5000, 5059);
CREATE TABLE crm.went AS SELECT key, result ->> 'arm' AS arm FROM automation.step_log WHERE rule = 'Chase' AND action = 'split';
SELECT throws_ok($$SELECT automation.promote_experiment('Chasing')$$, '55000', 'experiment "Chasing" has no winner', 'who has not won is not promoted');
SELECT throws_ok($$SELECT automation.promote_experiment('Chasing', 'nope')$$, '22023', 'split "way" has no way "nope"', 'nor who did not run');
SELECT is(automation.promote_experiment('Chasing', 'hard', 'we like it'), 2, 'unless somebody says so');
SELECT is((SELECT string_agg(concat_ws(': ', action, params ->> 'recipient', condition), '; ' ORDER BY step) FROM automation.rule_steps WHERE rule = 'Chase'),
	$$notify: all; branch; notify: hard: (automation.took('inner', 'then')) AND (new.status = 'Open'); notify: hard: automation.took('inner', 'else'); notify: hard: {"field": "status", "value": "Open", "operator": "="}; notify: some: NOT false$$,
	'the rule has the steps of the winner');
SELECT is(automation._settled(was, 'd', '{a,b}', 'a'), becomes, was) FROM (VALUES ($$automation.took('d', 'a')$$, NULL), ($$(automation.took('d', 'a')) AND (new.x = ')' OR "(" > 0)$$, $$new.x = ')' OR "(" > 0$$),
	($$(automation.took('d', 'a')) AND (new.x) OR (new.y)$$, '(true) AND (new.x) OR (new.y)'), ($$automation.took('d','b') OR new.x$$, 'false OR new.x'), ($$automation.took('e', 'a')$$, $$automation.took('e', 'a')$$),
	($${"took": ["d", "a"]}$$, NULL), ($${"any": [{"took": ["d", "b"]}, {"took": ["e", "b"]}]}$$, $${"any": [{"any": []}, {"took": ["e", "b"]}]}$$)) AS v(was, becomes);
SELECT is((SELECT concat_ws(' ', version, reason) FROM automation.rule_history WHERE rule = 'Chase' ORDER BY version DESC LIMIT 1), '2 we like it', 'as a version with its reason');
SELECT is((SELECT concat_ws(' ', promoted, ended_at = automation._now()) FROM automation.experiments WHERE name = 'Chasing'), 'hard t', 'the experiment has ended');
SELECT is((SELECT sum(runs + still_open) FROM automation.experiment_report('Chasing')), 60::numeric, 'and tells its result still');
DELETE FROM automation.notification;
SELECT automation.advance('1 day');
SELECT is((SELECT string_agg(DISTINCT recipient, ',') || count(*) FROM automation.notification), 'soft' || (SELECT count(*) FROM crm.went WHERE arm = 'soft'), 'who went another way goes it to the end');
DELETE FROM automation.notification;
INSERT INTO crm.invoice (id) SELECT generate_series(5100, 5109);
SELECT is((SELECT string_agg(DISTINCT recipient || ' ' || regexp_replace(body, '\d+', 'n'), ', ' ORDER BY recipient || ' ' || regexp_replace(body, '\d+', 'n')) || ' ' || count(*) FROM automation.notification),
	'all begins, hard for n, hard tree, some not none 40', 'who comes now goes the way of the winner, with all conditions that stood on it');
SELECT is((SELECT sum(runs + still_open) FROM automation.experiment_report('Chasing')), 60::numeric, 'and counts no more');
SELECT is_empty($$SELECT * FROM automation.lint('Chase') WHERE finding ~ 'arm|decision|unreachable'$$, 'nothing of the split is left');
SELECT throws_ok($$SELECT automation.promote_experiment('Chasing')$$, '55000', 'experiment "Chasing" has ended', 'once');
SELECT is(automation.promote_experiment('Tone'), 2, 'the winner by more than chance is found');
SELECT is((SELECT concat_ws(' | ', version, reason) FROM automation.rule_history WHERE rule = 'Remind' ORDER BY version DESC LIMIT 1), '2 | experiment "Tone": way "strict" has won', 'and the version says so');
SELECT is((SELECT string_agg(concat_ws(' ', action, params ->> 'value', condition), ', ') FROM automation.rule_steps WHERE rule = 'Remind'), 'update_field 2', 'it is a rule like others');
SELECT automation.rollback_rule('Remind', 1);
SELECT automation.create_experiment('Again', 'Remind', 'tone', 'true', '1 day', control => 'strict');
SELECT throws_ok($$SELECT automation.promote_experiment('Again', 'hold-out')$$, '55000', 'nothing would be left of rule "Remind"', 'a hold-out that has won');
SELECT automation.drop_rule('Remind'), automation.drop_rule('Chase');
SELECT is((SELECT count(*) FROM automation.experiments), 0::bigint, 'an experiment goes with its rule');

SELECT * FROM finish();
ROLLBACK;
