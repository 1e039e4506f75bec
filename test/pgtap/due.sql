-- Steps that are taken later: when, what cancels them, and what the log says meanwhile. Time is the virtual clock's.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;
SET LOCAL timezone = 'UTC';
-- What has been done, and when.
CREATE FUNCTION tap.said() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.notification RETURNING *)
	SELECT coalesce(string_agg(to_char(at, 'DD HH24:MI ') || body, ', ' ORDER BY id), 'nothing') FROM gone
$$;
-- The steps of the last run for a row.
CREATE FUNCTION tap.steps(key text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', step, status, to_char(next_at, 'DD HH24:MI'), reason), E'\n' ORDER BY step)
	FROM automation.step_log WHERE run_id = (SELECT max(id) FROM automation.run AS u WHERE u.key = steps.key)
$$;
CREATE TABLE deal (id integer PRIMARY KEY, stage text DEFAULT 'New', amount numeric DEFAULT 1, note text,
	closes_on date, meets_at timestamptz, calls_at timestamp, zone text, details json);
SELECT automation.attach('deal', 'deal', '{"status": "stage"}');
CREATE FUNCTION tap.rule(name text, trigger text, params jsonb, VARIADIC steps automation.step[]) RETURNS void LANGUAGE sql AS $$
	SELECT automation.create_rule(name, 'deal', trigger, params, steps => steps, activate => true)
$$;
CREATE FUNCTION tap.drop_rules() RETURNS void LANGUAGE sql AS $$ SELECT automation.drop_rule(name) FROM automation.rules $$;

SELECT automation.set_clock('2030-03-04 09:00+00');

-- After, and at

SELECT tap.rule('after', 'created', '{}',
	automation.notify('log', 'at once'),
	automation.after('5 minutes', automation.notify('log', '{{ note }} in 5 min')),
	automation.after('0', automation.notify('log', 'in no time')),
	automation.after('1 month 2 days', automation.notify('log', 'in a month')),
	automation.at('2030-03-04 09:30+00', automation.notify('log', 'at half past')),
	automation.at('2030-03-04 09:30', automation.notify('log', 'on the wall clock'), options => '{"zone": "Europe/Berlin"}'));
INSERT INTO deal (id, note) VALUES (1, 'first');
SELECT is(tap.said(), '04 09:00 at once, 04 09:00 in no time, 04 09:00 on the wall clock', 'what is not later is done with the change');
SELECT is(tap.steps('1'), E'1 succeeded\n2 waiting 04 09:05\n3 succeeded\n4 waiting 06 09:00\n5 waiting 04 09:30\n6 succeeded',
	'the log says when the others come');
SELECT results_eq($$SELECT due_at, rule, relation::text, key, step::integer, action, waits_for FROM automation.due ORDER BY due_at$$,
	$$VALUES ('2030-03-04 09:05+00'::timestamptz, 'after', 'deal', '1', 2, 'notify', NULL),
		('2030-03-04 09:30+00', 'after', 'deal', '1', 5, 'notify', NULL),
		('2030-04-06 09:00+00', 'after', 'deal', '1', 4, 'notify', NULL)$$, 'so does automation.due');
SELECT results_eq($$SELECT status, icon, reason, next_at FROM automation.item_status('deal', '1')$$,
	$$VALUES ('waiting', '⏳', NULL, '2030-03-04 09:05+00'::timestamptz)$$, 'and the status of the row');
UPDATE deal SET note = 'later' WHERE id = 1;
SELECT is(automation.tick(), 0, 'tick() does nothing before its time');
SELECT is(automation.advance('4 min 59.999999 s'), 0, 'nor does advance()');
SELECT is(automation.advance('1 us'), 1, 'which counts what it has done');
SELECT is(tap.said(), '04 09:05 later in 5 min', 'a step sees the row as it is when it is taken');
SELECT automation.set_clock('2030-03-04 10:00+00');
SELECT is(automation.tick(), 1, 'tick() makes up for what came due while nobody looked');
SELECT is(automation.tick(), 0, 'once');
SELECT is(tap.said(), '04 10:00 at half past', 'at the time at which it is done');
SELECT automation.advance('2 months');
SELECT is(tap.said(), '06 09:00 in a month', 'months are those of the calendar');
SELECT is(tap.steps('1'), E'1 succeeded\n2 succeeded\n3 succeeded\n4 succeeded\n5 succeeded\n6 succeeded', 'and the log says that all is done');
SELECT is_empty('SELECT * FROM automation.due', 'nothing is left');
SELECT tap.drop_rules();

-- A step that fails when it is due is logged, undone, and stops nothing.
CREATE FUNCTION tap.fail(event jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE tap.deal SET note = 'left behind?';
	RAISE 'no luck' USING ERRCODE = 'P0042';
END $$;
SELECT automation.set_clock('2030-03-04 09:00+00');
SELECT tap.rule('fails', 'created', '{}',
	automation.after('1 h', automation.call_function('tap.fail')),
	automation.after('1 h', automation.notify('log', 'independent')),
	automation.after_previous(automation.notify('log', 'goes on')),
	automation.after('2 h', automation.only_if('new.amount > 10', automation.notify('log', 'never'))),
	automation.only_if('new.amount < 10', automation.after('2 h', automation.notify('log', 'small'))));
INSERT INTO deal (id) VALUES (2);
SELECT is(automation.advance('3 h'), 5, 'steps that fail, or do not apply, are dealt with, too');
SELECT is(tap.steps('2'), E'1 failed no luck\n2 succeeded\n3 succeeded\n4 not_run condition of the step does not hold\n5 succeeded', 'one that fails does so alone');
SELECT is(tap.said(), '04 10:00 independent, 04 10:00 goes on, 04 11:00 small', 'its neighbours are taken');
SELECT is((SELECT note FROM deal WHERE id = 2), NULL, 'what it did is undone');
SELECT results_eq($$SELECT status, reason FROM automation.execution_log WHERE key = '2'$$, $$VALUES ('failed', 'step 1: no luck')$$, 'and its run has failed');
SELECT tap.drop_rules();

-- Anchors

SELECT automation.set_clock('2030-03-04 09:00+00');
SELECT tap.rule('anchors', 'created', '{}',
	automation.after('1 h', automation.notify('log', 'trigger')),
	automation.after('1 h', automation.notify('log', 'previous'), anchor => 'previous'),
	automation.after('1 h', automation.notify('log', 'previous of that'), anchor => 'previous'),
	automation.after('1 h', automation.notify('log', 'entered'), anchor => 'entered'),
	automation.after('1 h', automation.notify('log', 'left'), anchor => 'left'));
INSERT INTO deal (id) VALUES (3);
SELECT is(tap.steps('3'), E'1 waiting 04 10:00\n2 waiting after step 1\n3 waiting after step 2\n4 waiting 04 09:00\n5 waiting',
	'what depends on something else waits for it');
SELECT automation.tick();
SELECT is(tap.steps('3'), E'1 waiting 04 10:00\n2 waiting after step 1\n3 waiting after step 2\n4 waiting 04 10:00\n5 waiting',
	'a new row has just entered its stage');
SELECT results_eq($$SELECT step::integer, waits_for FROM automation.due WHERE due_at = 'infinity' ORDER BY step$$,
	$$VALUES (2, 'the step before it is not finished'), (3, 'the step before it is not finished'), (5, 'the row is still in its stage')$$,
	'automation.due says for what');
SELECT automation.advance('4 h');
SELECT is(tap.said(), '04 10:00 trigger, 04 10:00 entered, 04 11:00 previous, 04 12:00 previous of that', 'each counts from its anchor');
UPDATE deal SET stage = 'Won' WHERE id = 3;
SELECT automation.tick();
SELECT is(tap.steps('3') ~ E'\n5 waiting 04 14:00$', true, 'leaving its stage lets a step begin to wait');
SELECT automation.advance('30 min');
UPDATE deal SET stage = 'Lost' WHERE id = 3;
SELECT automation.advance('4 h');
SELECT is(tap.said(), '04 14:00 left', 'which counts from then');
SELECT tap.drop_rules();

-- A rule that fires long after the row has entered its stage.
SELECT automation.set_clock('2030-03-04 09:00+00');
SELECT tap.rule('since', 'field_changed', '{"field": "note"}', automation.after('3 h', automation.notify('log', 'three hours in it'), anchor => 'entered'));
INSERT INTO deal (id) VALUES (4);
SELECT automation.advance('1 h');
UPDATE deal SET stage = 'Warm' WHERE id = 4;
SELECT automation.advance('1 h');
UPDATE deal SET note = 'x' WHERE id = 4;
SELECT automation.advance('1 h 59 min');
SELECT is(tap.said(), 'nothing', 'a delay counted from the entering');
SELECT automation.advance('1 min');
SELECT is(tap.said(), '04 13:00 three hours in it', 'is not over before');
SELECT automation.advance('1 day');
UPDATE deal SET note = 'y' WHERE id = 4;
SELECT automation.tick();
SELECT is(tap.said(), '05 13:00 three hours in it', 'and may be over when the rule fires');
SELECT tap.drop_rules();

-- Dates of the row

SELECT automation.set_clock('2030-03-04 09:00+00');
SELECT tap.rule('dates', 'created', '{}',
	automation.after('-1 day', automation.notify('log', 'day before'), anchor => 'field:closes_on'),
	automation.after('2 days', automation.notify('log', 'two days after'), anchor => 'field:closes_on'),
	automation.after('-30 min', automation.notify('log', 'half an hour before'), anchor => 'field:meets_at'),
	automation.after('0', automation.notify('log', 'call'), anchor => 'field:calls_at', options => '{"zone": "field:zone"}'));
INSERT INTO deal (id, closes_on, meets_at, calls_at, zone) VALUES (5, '2030-03-10', '2030-03-12 12:00+00', '2030-03-13 12:00', 'Asia/Tokyo');
SELECT is(tap.steps('5'), E'1 waiting 09 00:00\n2 waiting 12 00:00\n3 waiting 12 11:30\n4 waiting 13 03:00', 'before and after a date, a wall clock''s or an instant');
UPDATE deal SET closes_on = '2030-03-20' WHERE id = 5;
SELECT automation.tick();
SELECT is(tap.steps('5'), E'1 waiting 19 00:00\n2 waiting 22 00:00\n3 waiting 12 11:30\n4 waiting 13 03:00', 'a date that moves takes its steps along');
UPDATE deal SET closes_on = NULL WHERE id = 5;
SELECT automation.tick();
SELECT is(tap.steps('5'), E'1 waiting\n2 waiting\n3 waiting 12 11:30\n4 waiting 13 03:00', 'one that is removed lets them wait');
SELECT results_eq($$SELECT DISTINCT waits_for FROM automation.due WHERE due_at = 'infinity'$$, $$VALUES ('the date it counts from is not set')$$, 'for a new one');
UPDATE deal SET closes_on = '2030-03-06' WHERE id = 5;
SELECT automation.advance('1 month');
SELECT is(tap.said(), '05 00:00 day before, 08 00:00 two days after, 12 11:30 half an hour before, 13 03:00 call', 'each is taken once, at its time');
UPDATE deal SET closes_on = '2030-06-01' WHERE id = 5;
SELECT automation.advance('1 year');
SELECT is(tap.said(), 'nothing', 'a date that moves later does not have it taken again');

SELECT automation.set_clock('2030-03-04 09:00+00');
INSERT INTO deal (id) VALUES (6);
INSERT INTO deal (id, closes_on) VALUES (7, 'infinity');
SELECT is(tap.steps('6'), E'1 waiting\n2 waiting\n3 waiting\n4 waiting', 'a date that is not set');
SELECT is(tap.steps('7'), E'1 waiting\n2 waiting\n3 waiting\n4 waiting', 'or is infinite, never comes');
UPDATE deal SET closes_on = '2030-03-05' WHERE id IN (6, 7);
SELECT automation.advance('1 month');
SELECT is(tap.said(), '04 09:00 day before, 04 09:00 day before, 07 00:00 two days after, 07 00:00 two days after',
	'until it is set; what is over by then is done at once');
INSERT INTO deal (id, closes_on) VALUES (8, '-infinity');
SELECT is(tap.steps('8'), E'1 succeeded\n2 succeeded\n3 waiting\n4 waiting', 'a date long ago is over');
SELECT tap.said(), tap.drop_rules();

-- After the step before

CREATE SERVER due_hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hook.example');
SELECT automation.set_clock('2030-03-04 09:00+00');
SELECT tap.rule('chain', 'created', '{}',
	automation.after('1 h', automation.send_webhook('due_hook')),
	automation.after_previous(automation.notify('log', 'delivered')),
	automation.after('10 min', automation.notify('log', 'and later'), anchor => 'previous'));
INSERT INTO deal (id) VALUES (10);
SELECT is(tap.steps('10'), E'1 waiting 04 10:00\n2 waiting after step 1\n3 waiting after step 2', 'a chain');
SELECT automation.advance('1 h');
SELECT is(tap.said(), '04 10:00 delivered', 'under the virtual clock messages count as delivered');
SELECT automation.advance('1 h');
SELECT is(tap.said(), '04 10:10 and later', 'a delay counts from the end of the step before');
SELECT automation.alter_rule('chain', steps => ARRAY[
	automation.after('1 h', automation.call_function('tap.fail')),
	automation.after_previous(automation.notify('log', 'after a failure')),
	automation.after_previous(automation.notify('log', 'after what was not run')),
	automation.after('1 h', automation.notify('log', 'independent'))]);
INSERT INTO deal (id) VALUES (11);
SELECT automation.advance('1 day');
SELECT is(tap.steps('11'), E'1 failed no luck\n2 not_run the step before it failed\n3 not_run the step before it failed\n4 succeeded', 'a failure ends the chain');
SELECT tap.said(), tap.drop_rules();

-- Cancel if changed: touched

SELECT automation.set_clock('2030-03-04 09:00+00');
SELECT tap.rule('offer', 'status_entered', '{"to": "Offer sent"}',
	automation.after('3 days', automation.notify('log', 'call'), cancel_if_changed => '{stage}'),
	automation.after('4 days', automation.notify('log', 'mind the amount'), cancel_if_changed => '{stage,amount}'),
	automation.after('5 days', automation.notify('log', 'whatever happens')));
UPDATE deal SET stage = 'New', amount = 1;
UPDATE deal SET stage = 'Offer sent' WHERE id IN (1, 2, 3);
SELECT automation.advance('1 day');
UPDATE deal SET stage = 'Won' WHERE id = 1;
SELECT automation.tick();
SELECT is(tap.steps('1'), format('1 cancelled field stage changed Offer sent→Won at 2030-03-05 09:00:00+00 by %1$s
2 cancelled field stage changed Offer sent→Won at 2030-03-05 09:00:00+00 by %1$s
3 waiting 09 09:00', session_user), 'a change of a watched column cancels, and says who did it');
UPDATE deal SET amount = 1.00, note = 'x' WHERE id = 2;
UPDATE deal SET amount = 2, stage = 'Offer sent' WHERE id = 3;
SELECT automation.tick();
SELECT is(tap.steps('2'), E'1 waiting 07 09:00\n2 waiting 08 09:00\n3 waiting 09 09:00', 'an equal value is no change, nor another column');
SELECT is(tap.steps('3'), format(E'1 waiting 07 09:00\n2 cancelled field amount changed 1→2 at 2030-03-05 09:00:00+00 by %s\n3 waiting 09 09:00', session_user),
	'each step watches its own columns');
SELECT automation.advance('1 day');
UPDATE deal SET stage = 'Other' WHERE id = 3;
UPDATE deal SET stage = 'Offer sent' WHERE id = 3;
SELECT automation.advance('1 hour');
SELECT is(tap.steps('3'), E'1 waiting 09 09:00\n2 waiting 10 09:00\n3 waiting 11 09:00', 'coming back fires anew');
SELECT results_eq($$SELECT step::integer, status, reason FROM automation.step_log
	WHERE run_id = (SELECT min(id) FROM automation.run WHERE key = '3' AND rule_id = (SELECT id FROM automation.rule WHERE name = 'offer')) AND step = 1$$,
	format($$VALUES (1, 'cancelled', 'field stage changed Offer sent→Other at 2030-03-06 09:00:00+00 by %s')$$, session_user), 'and there and back cancels what was planned before');
SAVEPOINT before;
UPDATE deal SET stage = 'Won' WHERE id = 2;
ROLLBACK TO before;
SELECT automation.advance('10 days');
SELECT is(tap.steps('2'), E'1 succeeded\n2 succeeded\n3 succeeded', 'a change that is rolled back cancels nothing');
SELECT is(tap.said(), '07 09:00 call, 08 09:00 mind the amount, 09 09:00 whatever happens, 09 09:00 whatever happens, 09 09:00 whatever happens, '
	'09 09:00 call, 10 09:00 mind the amount, 11 09:00 whatever happens', 'what is not cancelled is done');

-- Even when nobody has looked between the change and the time.
SELECT automation.set_clock('2030-03-04 09:00+00');
UPDATE deal SET stage = 'New';
UPDATE deal SET stage = 'Offer sent' WHERE id = 1;
SELECT automation.set_clock('2030-03-07 08:59:59+00');
UPDATE deal SET stage = NULL WHERE id = 1;
SELECT automation.set_clock('2030-03-20 09:00+00');
SELECT automation.tick();
SELECT matches(tap.steps('1'), '^1 cancelled field stage changed Offer sent→null at 2030-03-07 08:59:59', 'a change that came in time cancels, however late the tick');
SELECT is(tap.said(), '20 09:00 whatever happens', 'the rest is made up for');
SELECT tap.drop_rules();

-- The rule's own changes do not cancel its own steps; those of another rule do.
SELECT automation.set_clock('2030-03-04 09:00+00');
UPDATE deal SET stage = 'New', amount = 1;
SELECT tap.rule('own', 'status_entered', '{"to": "Mine"}',
	automation.update_field('amount', '2'),
	automation.after('1 h', automation.update_field('amount', '3')),
	automation.after('2 h', automation.notify('log', 'own'), cancel_if_changed => '{amount}'));
UPDATE deal SET stage = 'Mine' WHERE id = 1;
SELECT automation.advance('3 h');
SELECT is(tap.said(), '04 11:00 own', 'what a rule changes itself does not cancel its steps');
SELECT is(tap.steps('1'), E'1 succeeded\n2 succeeded\n3 succeeded', 'neither at once nor later');
SELECT tap.rule('other', 'status_entered', '{"to": "Mine"}', automation.after('90 min', automation.update_field('amount', '9')));
UPDATE deal SET stage = 'Mine' WHERE id = 2;
SELECT automation.advance('3 h');
SELECT is((SELECT s.reason FROM automation.step_log AS s WHERE s.rule = 'own' AND s.key = '2' AND s.step = 3),
	format('field amount changed 3→9 at 2030-03-04 13:30:00+00 by %s', session_user), 'what another rule changes does');
SELECT tap.said(), tap.drop_rules();

-- differs, and cancel_when

SELECT automation.set_clock('2030-03-04 09:00+00');
UPDATE deal SET stage = 'New', amount = 1, note = NULL;
SELECT tap.rule('modes', 'status_entered', '{"to": "Offer sent"}',
	automation.after('1 h', automation.notify('log', 'differs {{ id }}'), cancel_if_changed => '{stage,note}', options => '{"cancel_mode": "differs"}'),
	automation.after('1 h', automation.notify('log', 'when {{ id }}'), options => '{"cancel_when": "new.amount > 100 OR new.note = ''stop''"}'));
UPDATE deal SET stage = 'Offer sent' WHERE id IN (1, 2, 3, 4);
UPDATE deal SET stage = 'New' WHERE id IN (1, 2);
UPDATE deal SET stage = 'Offer sent' WHERE id = 1;
UPDATE deal SET note = 'stop' WHERE id = 3;
UPDATE deal SET amount = 101 WHERE id = 4;
UPDATE deal SET amount = 99 WHERE id = 4;
DELETE FROM automation.pending WHERE run_id = (SELECT max(id) FROM automation.run WHERE key = '1'); -- of the second entering
SELECT automation.advance('1 h');
SELECT is(tap.said(), '04 10:00 differs 4, 04 10:00 when 4, 04 10:00 differs 1, 04 10:00 when 1, 04 10:00 when 2', 'values are compared when the step is due');
SELECT is(tap.steps('2'), E'1 cancelled a value is not what it was\n2 succeeded', 'one that differs cancels');
SELECT is(tap.steps('3'), E'1 cancelled a value is not what it was\n2 cancelled its cancel_when holds', 'so does a condition that holds then');
SELECT tap.drop_rules();

-- Deletion and TRUNCATE

SELECT automation.set_clock('2030-03-04 09:00+00');
SELECT tap.rule('gone', 'field_changed', '{"field": "note"}', automation.after('1 h', automation.notify('log', 'still there')), automation.notify('log', 'begun'),
	automation.after_previous(automation.after('1 h', automation.notify('log', 'and there'))));
UPDATE deal SET note = 'gone' WHERE id IN (1, 2, 3);
SELECT tap.said();
SAVEPOINT before;
DELETE FROM deal WHERE id = 1;
ROLLBACK TO before;
DELETE FROM deal WHERE id = 2;
SELECT automation.tick();
SELECT is(tap.steps('2'), format(E'1 cancelled row deleted at 2030-03-04 09:00:00+00 by %1$s\n2 succeeded\n3 cancelled row deleted at 2030-03-04 09:00:00+00 by %1$s', session_user),
	'what waits for a row ends with it');
INSERT INTO deal (id) VALUES (2);
SELECT automation.advance('1 h');
SELECT is(tap.said(), '04 10:00 still there, 04 10:00 and there, 04 10:00 still there, 04 10:00 and there', 'a row that takes its number does not inherit it');
UPDATE deal SET note = 'again' WHERE id IN (1, 2, 3);
SELECT is(tap.said(), '04 10:00 begun, 04 10:00 begun, 04 10:00 begun', 'begun again');
SAVEPOINT before;
TRUNCATE deal;
SELECT automation.tick();
SELECT is(tap.steps('1'), format(E'1 cancelled table truncated at 2030-03-04 10:00:00+00 by %1$s\n2 succeeded\n3 cancelled table truncated at 2030-03-04 10:00:00+00 by %1$s', session_user), 'TRUNCATE ends what waits for any row');
SELECT is_empty('SELECT * FROM automation.due', 'of the table');
ROLLBACK TO before;
SELECT is(automation.advance('2 h'), 6, 'unless it is rolled back');
SELECT tap.said(), tap.drop_rules();

-- A key that moves is another row.
SELECT automation.set_clock('2030-03-04 09:00+00');
SELECT tap.rule('key', 'field_changed', '{"field": "note"}', automation.after('1 h', automation.notify('log', 'key {{ id }}')));
UPDATE deal SET note = 'key' WHERE id = 1;
UPDATE deal SET id = 1001 WHERE id = 1;
SELECT automation.advance('1 h');
SELECT is(tap.steps('1'), '1 cancelled row deleted', 'a row that is not found under its key counts as deleted');
SELECT tap.said(), tap.drop_rules();

-- The row is found by whatever its key is, and read as it is: not by way of JSON.
CREATE DOMAIN tap.code AS varchar(4) CHECK (VALUE <> '');
CREATE TYPE tap.area AS ENUM ('north', 'south');
CREATE TABLE tap."Visit" (gone text, "The Day" date, area tap.area, code tap.code, at timestamptz, share numeric(4, 2), details json,
	PRIMARY KEY ("The Day", area, code, at, share));
CREATE TABLE tap.named (name char(5) PRIMARY KEY, details json);
INSERT INTO tap."Visit" VALUES ('x', '2030-02-03', 'south', '%"', '2030-01-02 03:04:05.000006+07', 0.10, '{"b":  1, "a": 2}');
INSERT INTO tap.named VALUES ('ab', '[1,  2]');
ALTER TABLE tap."Visit" DROP COLUMN gone;
ALTER TABLE tap."Visit" ADD COLUMN late text DEFAULT 'filled';
SELECT automation.attach('tap."Visit"'), automation.attach('tap.named');
SELECT automation.create_rule('keys of ' || relation, relation::regclass, 'updated', steps => ARRAY[
	automation.after('1 h', automation.notify('log', said))], activate => true)
FROM (VALUES ('tap."Visit"', '{{ code }} {{ details }} {{ late }}'), ('tap.named', '{{ name }} {{ details }}')) AS v(relation, said);
SET LOCAL datestyle = 'German';
UPDATE tap."Visit" SET late = late || ' up';
UPDATE tap.named SET details = '[2,  1]';
SELECT automation.advance('1 h');
SELECT is(tap.said(), '04 11:00 %" {"b":  1, "a": 2} filled up, 04 11:00 ab [2,  1]', 'keys of all types, and values to the letter');
RESET datestyle;
SELECT tap.drop_rules();

SELECT * FROM finish();
ROLLBACK;
