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
SELECT throws_ok($$SELECT automation.experiment_report('Tone')$$, '42501', NULL, 'who may not read the table learns nothing of it');
RESET ROLE;
SELECT automation.drop_experiment('Even');
SELECT throws_ok($$SELECT automation.experiment_report('Even')$$, '42704', 'experiment "Even" does not exist', 'it is dropped');
SELECT automation.drop_rule('Remind');
SELECT is((SELECT count(*) FROM automation.experiments), 0::bigint, 'an experiment goes with its rule');

SELECT * FROM finish();
ROLLBACK;
