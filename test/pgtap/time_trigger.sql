-- Rules that begin when something is due: dates of a row, stages and rows left alone, what recurs, schedules.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;
SET LOCAL timezone = 'UTC';
CREATE FUNCTION tap.said() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.notification RETURNING *)
	SELECT coalesce(string_agg(to_char(at, 'MM-DD HH24:MI ') || body, ', ' ORDER BY id), 'nothing') FROM gone
$$;
CREATE TABLE invoice (id integer PRIMARY KEY, status text DEFAULT 'Sent', due_on date, balance numeric DEFAULT 100, starts_at timestamptz, note text);
SELECT automation.attach('invoice', 'invoice', '{"status": "status", "due": "due_on", "balance": "balance"}');
-- A rule that says its name and the row's number; the rules before it are dropped.
CREATE FUNCTION tap.rule(name text, trigger text, params jsonb, condition text DEFAULT NULL, body text DEFAULT '{{ rule.name }} {{ id }}') RETURNS integer LANGUAGE sql AS $$
	SELECT automation.set_clock('2030-03-04 09:00+00');
	SELECT automation.drop_rule(r.name) FROM automation.rules AS r;
	TRUNCATE tap.invoice;
	SELECT automation.create_rule(name, 'invoice', trigger, params, condition, ARRAY[automation.notify('log', body)], activate => true);
$$;
CREATE FUNCTION tap.planned() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', key, to_char(nullif(next_at, 'infinity'), 'MM-DD HH24:MI')), ', ' ORDER BY key), 'nothing')
	FROM tap.invoice AS i, automation.item_status('invoice', i.id::text) AS s(rule, state, status, icon, reason, last_at, next_at, run_id), LATERAL (SELECT i.id::text) AS k(key)
	WHERE s.next_at IS NOT NULL
$$;

-- date_passed: an invoice that is overdue

SELECT tap.rule('overdue', 'date_passed', '{"field": "due_on", "after": "7 days"}', 'new.balance > 0');
INSERT INTO invoice (id, due_on) VALUES (1, '2030-03-10'), (2, '2030-03-10'), (3, '2030-03-10'), (4, NULL), (5, '2030-03-20');
INSERT INTO invoice (id, due_on, balance) VALUES (6, '2030-03-10', 0);
SELECT is(tap.planned(), '1 03-17 00:00, 2 03-17 00:00, 3 03-17 00:00, 5 03-27 00:00', 'a rule waits for the date of each row to which it applies');
SELECT is_empty('SELECT * FROM automation.run', 'which is no run yet');
SELECT results_eq($$SELECT due_at, rule, key, step::integer, action, waits_for FROM automation.due WHERE key = '1'$$,
	$$VALUES ('2030-03-17'::timestamptz, 'overdue', '1', 0, NULL, NULL)$$, 'automation.due lists it');
SELECT results_eq($$SELECT status, reason, next_at, run_id FROM automation.item_status('invoice', '1')$$,
	$$VALUES ('waiting', 'waits for its time', '2030-03-17'::timestamptz, NULL::bigint)$$, 'so does the status of the row');
UPDATE invoice SET balance = 0 WHERE id = 2;
UPDATE invoice SET due_on = '2030-03-12' WHERE id = 3;
UPDATE invoice SET balance = 50 WHERE id = 6;
UPDATE invoice SET balance = 99, note = 'x' WHERE id = 1;
SELECT is(tap.planned(), '1 03-17 00:00, 3 03-19 00:00, 5 03-27 00:00, 6 03-17 00:00', 'it dies when the balance is paid, and moves with the date, in the same transaction');
SAVEPOINT before;
UPDATE invoice SET due_on = '2031-01-01', balance = 0;
ROLLBACK TO before;
DELETE FROM invoice WHERE id = 5;
SELECT is(automation.advance('1 month') >= 3, true, 'time passes');
SELECT is(tap.said(), '03-17 00:00 overdue 1, 03-17 00:00 overdue 6, 03-19 00:00 overdue 3', 'each fires at its time');
SELECT is((SELECT string_agg(DISTINCT event || ' ' || status, ', ') FROM automation.execution_log), 'due succeeded', 'and then there is a run');
SELECT is_empty('SELECT * FROM automation.due', 'nothing is left');
UPDATE invoice SET balance = 0 WHERE id = 1;
UPDATE invoice SET balance = 10 WHERE id = 1;
UPDATE invoice SET due_on = due_on + 1 WHERE id = 3;
UPDATE invoice SET due_on = due_on - 1 WHERE id = 3;
SELECT automation.advance('1 month');
SELECT is(tap.said(), 'nothing', 'it fires once for each date, however often that comes and goes');
UPDATE invoice SET due_on = '2030-06-01' WHERE id = 1;
SELECT automation.advance('3 months');
SELECT is(tap.said(), '06-08 00:00 overdue 1', 'for another date again');
INSERT INTO invoice (id, due_on) VALUES (8, 'infinity');
SELECT automation.advance('1 year');
SELECT is(tap.said(), 'nothing', 'a date that never comes is not waited for');
SELECT automation.set_clock('2030-06-10 00:00+00');
UPDATE invoice SET due_on = '2030-06-09' WHERE id = 8;
SELECT is(tap.planned(), '8 06-16 00:00', 'until there is one');
DELETE FROM invoice WHERE id = 8;
INSERT INTO invoice (id, due_on) VALUES (7, '2030-01-01');
SELECT automation.tick();
SELECT matches(tap.said(), 'overdue 7$', 'a date that is over when the row comes fires at once');

-- A date that moves while the rule is paused.
SELECT tap.rule('overdue', 'date_passed', '{"field": "due_on"}', 'new.balance > 0');
INSERT INTO invoice (id, due_on) VALUES (1, '2030-03-10'), (2, '2030-03-10'), (3, '2030-03-10');
SELECT automation.pause_rule('overdue');
UPDATE invoice SET due_on = '2030-03-20' WHERE id = 1;
UPDATE invoice SET due_on = NULL WHERE id = 2;
SELECT automation.resume_rule('overdue');
SELECT automation.advance('1 month');
SELECT is(tap.said(), '03-10 00:00 overdue 3, 03-20 00:00 overdue 1', 'is looked at again when it would be due');

-- date_approaching

SELECT tap.rule('soon', 'date_approaching', '{"field": "starts_at", "before": "1 day"}', 'new.status = ''Sent''');
INSERT INTO invoice (id, starts_at) VALUES (1, '2030-03-10 15:00+00'), (2, '2030-03-10 15:00+00'), (3, '2030-03-04 12:00+00');
UPDATE invoice SET status = 'Off' WHERE id = 2;
SELECT automation.advance('1 hour');
SELECT is(tap.said(), '03-04 09:00 soon 3', 'what is already so near fires at once');
SELECT automation.advance('1 month');
SELECT is(tap.said(), '03-09 15:00 soon 1', 'so long before the date');
UPDATE invoice SET starts_at = '2030-05-01 15:00+00' WHERE id = 1;
UPDATE invoice SET starts_at = NULL WHERE id = 1;
SELECT automation.advance('1 year');
SELECT is(tap.said(), 'nothing', 'a date that is removed does not come');

-- stayed_in_status

SELECT tap.rule('stays', 'stayed_in_status', '{"status": ["Offer", "Sent"], "for": "3 days"}');
INSERT INTO invoice (id) VALUES (1), (2), (3);
INSERT INTO invoice (id, status) VALUES (4, 'Paid');
SELECT automation.advance('1 day');
UPDATE invoice SET status = 'Offer' WHERE id = 2;
UPDATE invoice SET status = 'Paid' WHERE id = 3;
UPDATE invoice SET note = 'x' WHERE id = 1;
SELECT automation.advance('1 day');
UPDATE invoice SET status = 'Sent' WHERE id = 3;
SELECT automation.advance('1 year');
SELECT is(tap.said(), '03-07 09:00 stays 1, 03-08 09:00 stays 2, 03-09 09:00 stays 3', 'leaving the stage ends the stay, coming back begins another');

-- no_activity

SELECT tap.rule('quiet', 'no_activity', '{"for": "30 days"}', 'new.status <> ''Paid''');
INSERT INTO invoice (id) VALUES (1), (2), (3);
SELECT automation.advance('10 days');
UPDATE invoice SET note = 'x' WHERE id = 2;
UPDATE invoice SET note = note WHERE id = 1;
UPDATE invoice SET status = 'Paid' WHERE id = 3;
SELECT automation.advance('1 year');
SELECT is(tap.said(), '04-03 09:00 quiet 1, 04-13 09:00 quiet 2', 'every change of the row puts it off');
SELECT tap.rule('quiet', 'no_activity', '{"for": "1 day"}');
INSERT INTO invoice (id) VALUES (1);
SELECT automation.advance('5 days');
SELECT is(tap.said(), '03-05 09:00 quiet 1', 'it is said once');

-- recurring

SELECT tap.rule('monthly', 'recurring', '{"field": "due_on", "every": "1 month", "zone": "Europe/Berlin"}', 'new.balance > 0');
INSERT INTO invoice (id, due_on) VALUES (1, '2029-12-31'), (2, '2030-05-15');
SELECT is(tap.planned(), '1 03-30 23:00, 2 05-14 22:00', 'it recurs by the clocks of its zone');
SELECT automation.advance('2 months');
SELECT is(tap.said(), '03-30 23:00 monthly 1, 04-29 22:00 monthly 1', 'counted from the first date, so the 31st comes back');
SELECT automation.advance('2 months');
UPDATE invoice SET balance = 0 WHERE id = 1;
SELECT automation.advance('1 month');
SELECT is(tap.said(), '05-14 22:00 monthly 2, 05-30 22:00 monthly 1, 06-14 22:00 monthly 2, 06-29 22:00 monthly 1, 07-14 22:00 monthly 2', 'until it applies no more');
SELECT automation.set_clock('2031-01-01 00:00+00');
SELECT automation.tick();
SELECT is(tap.said(), '01-01 00:00 monthly 2', 'after an outage it does not make up for each');

-- schedule

SELECT tap.rule('report', 'schedule', '{"cron": "0 9 * * mon-fri", "zone": "Europe/Berlin"}', body => 'report');
SELECT automation.advance('7 days');
SELECT is(tap.said(), '03-05 08:00 report, 03-06 08:00 report, 03-07 08:00 report, 03-08 08:00 report, 03-11 08:00 report', 'a schedule has no row');
SELECT automation.advance('21 days');
SELECT matches(tap.said(), '^03-12 08:00 report, .*03-29 08:00 report, 04-01 07:00 report$', 'and follows the clocks of its zone');
SELECT automation.pause_rule('report');
SELECT automation.advance('10 days');
SELECT automation.resume_rule('report');
SELECT is(tap.said(), 'nothing', 'not while it is paused');
SELECT automation.advance('4 days');
SELECT is(tap.said(), '04-12 07:00 report, 04-15 07:00 report', 'then it goes on');
SELECT automation.disable_rule('report');
SELECT automation.advance('10 days');
SELECT automation.enable_rule('report');
SELECT automation.advance('1 day');
SELECT is(tap.said(), '04-26 07:00 report', 'so it does when it was disabled');
SELECT automation.alter_rule('report', params => '{"cron": "30 12 1 * *", "zone": "UTC"}');
SELECT automation.advance('40 days');
SELECT is(tap.said(), '05-01 12:30 report, 06-01 12:30 report', 'or altered');

-- settle

SELECT tap.rule('settled', 'field_changed', '{"field": "note", "settle": "10 minutes"}', body => '{{ id }} {{ note }}');
INSERT INTO invoice (id) VALUES (1), (2);
UPDATE invoice SET note = 'a';
SELECT automation.advance('6 min');
UPDATE invoice SET note = 'b' WHERE id = 1;
SELECT automation.advance('6 min');
UPDATE invoice SET note = 'c' WHERE id = 1;
SELECT automation.advance('1 h');
SELECT is(tap.said(), '03-04 09:10 2 a, 03-04 09:22 1 c', 'a rule may wait until a row has been left alone');
UPDATE invoice SET note = 'd' WHERE id = 1;
DELETE FROM invoice WHERE id = 1;
SELECT automation.advance('1 h');
SELECT is(tap.said(), 'nothing', 'and does not fire for one that is gone');

-- While a rule is paused it goes on looking, or it would come back to what is no longer so

SELECT tap.rule('overdue', 'date_passed', '{"field": "due_on", "after": "7 days"}', 'new.balance > 0');
INSERT INTO invoice (id, due_on) VALUES (1, '2030-03-20'), (2, '2030-05-20');
SELECT automation.pause_rule('overdue');
INSERT INTO invoice (id, due_on) VALUES (3, '2030-03-21');
INSERT INTO invoice (id, due_on, balance) VALUES (4, '2030-03-22', 0);
UPDATE invoice SET balance = 1 WHERE id = 4;
UPDATE invoice SET due_on = '2030-03-23' WHERE id = 2;
SELECT is(tap.planned(), '1 03-27 00:00, 2 03-30 00:00, 3 03-28 00:00, 4 03-29 00:00', 'dates that are set meanwhile are planned for');
SELECT automation.advance('5 days');
SELECT automation.resume_rule('overdue');
SELECT automation.advance('60 days');
SELECT is(tap.said(), '03-27 00:00 overdue 1, 03-28 00:00 overdue 3, 03-29 00:00 overdue 4, 03-30 00:00 overdue 2', 'and it fires for each of them');

SELECT tap.rule('silent', 'no_activity', '{"for": "30 days"}');
INSERT INTO invoice (id) VALUES (1);
SELECT automation.pause_rule('silent');
SELECT automation.advance('20 days');
UPDATE invoice SET note = 'we spoke' WHERE id = 1;
SELECT automation.resume_rule('silent');
SELECT automation.advance('20 days');
SELECT is(tap.said(), 'nothing', 'what happens meanwhile counts');
SELECT automation.advance('20 days');
SELECT is(tap.said(), '04-23 09:00 silent 1', 'as if it had not been paused');

-- What came due meanwhile and is skipped does not end what comes again

SELECT tap.rule('often', 'recurring', '{"field": "starts_at", "every": "1 month"}');
INSERT INTO invoice (id, starts_at) VALUES (1, '2030-03-10 08:00+00');
SELECT automation.pause_rule('often');
SELECT automation.advance('40 days');
SELECT automation.resume_rule('often');
SELECT automation.advance('60 days');
SELECT is(tap.said(), '05-10 08:00 often 1, 06-10 08:00 often 1', 'a record that recurs goes on');
SELECT tap.rule('report', 'schedule', '{"cron": "30 12 1 * *"}', body => '{{ rule.name }}');
SELECT automation.pause_rule('report');
SELECT automation.advance('40 days');
SELECT automation.activate_rule('report');
SELECT automation.advance('60 days');
SELECT is(tap.said(), '05-01 12:30 report, 06-01 12:30 report', 'so does a schedule, with activate_rule() as with resume_rule()');

-- Once for each date of a row

SELECT tap.rule('overdue', 'date_passed', '{"field": "due_on"}');
INSERT INTO invoice (id, due_on) VALUES (1, '2030-03-10');
SELECT automation.pause_rule('overdue');
SELECT automation.advance('10 days');
SELECT automation.resume_rule('overdue', on_overdue => 'run');
SELECT automation.advance('1 day');
SELECT is(tap.said(), '03-14 09:00 overdue 1', 'late, but run');
UPDATE invoice SET due_on = '2030-06-01';
UPDATE invoice SET due_on = '2030-03-10';
SELECT automation.advance('1 day');
SELECT is(tap.said(), 'nothing', 'and not again when the date comes back');
DELETE FROM invoice;
INSERT INTO invoice (id, due_on) VALUES (1, '2030-03-10');
SELECT automation.advance('1 day');
SELECT is(tap.said(), '03-16 09:00 overdue 1', 'another row of that key is another row');

-- A date that could not be reckoned is no obstacle to one that can

SELECT tap.rule('overdue', 'date_passed', '{"field": "due_on"}', '100 / new.balance > 0');
INSERT INTO invoice (id, due_on, balance) VALUES (1, '2030-03-10', 0);
UPDATE invoice SET balance = 50;
SELECT is(tap.planned(), '1 03-10 00:00', 'a row is planned for once its condition can be told');

-- Time in tests

SELECT throws_ok($$SELECT automation.advance('-1 hour')$$, '22023', 'time does not go back', 'time passes forwards');
SELECT throws_ok($$SELECT automation.set_clock('infinity')$$, '22023', 'clock must be set to a finite time', 'and does not end');
SELECT throws_ok($$SELECT tap.rule('often', 'recurring', '{"field": "starts_at", "every": "1 second"}')$$, '22023', 'every must be at least one minute', 'nothing recurs all the time');

SELECT * FROM finish();
ROLLBACK;
