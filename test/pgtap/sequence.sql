-- The sequences that people build of delays and cancellations, in days and hours that pass at once; and what is
-- refused of a timing.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;
SET LOCAL timezone = 'UTC';
CREATE TABLE deal (id integer PRIMARY KEY, stage text DEFAULT 'New', customer text, email text, phone text, owner text, closes_on date, hour time);
CREATE TABLE task (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text, assignee text);
SELECT automation.attach('deal', 'deal', '{"status": "stage", "owner": "owner"}');
SELECT automation.attach('task', 'task', '{"owner": "assignee"}');
CREATE SERVER sequence_mail FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'office@firm.example');
CREATE SERVER sequence_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
-- What leaves, what is written, and when.
CREATE FUNCTION tap.sent() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s %s %s', to_char(r.at, 'DD HH24:MI'), d.kind, d.message ->> 'body'), ', ' ORDER BY r.at, d.id), 'nothing')
	FROM automation.delivery AS d
	JOIN LATERAL (SELECT coalesce(max(s.at), d.at) AS at FROM automation.step_run AS s WHERE s.run_id = d.run_id AND s.step = d.step) AS r ON true
$$;

-- Two e-mails and a text message in the first six hours in a stage, unless somebody changes the stage.

SELECT automation.create_rule('Salesperson not assigned', 'deal', 'status_entered', '{"to": "Salesperson not assigned"}', activate => true, steps => ARRAY[
	automation.after('5 minutes', automation.send_email('sequence_mail', 'boss@firm.example', 'Deal {{ id }}', 'first'), cancel_if_changed => '{stage}'),
	automation.after('2 hours', automation.send_email('sequence_mail', 'boss@firm.example', 'Deal {{ id }}', 'second'), cancel_if_changed => '{stage}'),
	automation.after('6 hours', automation.send_sms('sequence_sms', '+12025550199', 'third'), cancel_if_changed => '{stage}')]);
SELECT automation.set_clock('2030-03-04 09:00+00');
INSERT INTO deal (id, stage) VALUES (1, 'Salesperson not assigned'), (2, 'Salesperson not assigned'), (3, 'New');
SELECT automation.advance('5 minutes');
SELECT is(tap.sent(), '04 09:05 email first, 04 09:05 email first', 'an e-mail after five minutes');
SELECT automation.advance('2 hours');
SELECT is(tap.sent(), '04 09:05 email first, 04 09:05 email first, 04 11:00 email second, 04 11:00 email second', 'one after two hours');
UPDATE deal SET stage = 'Quotation in progress' WHERE id = 2;
SELECT automation.advance('1 day');
SELECT is(tap.sent(), '04 09:05 email first, 04 09:05 email first, 04 11:00 email second, 04 11:00 email second, 04 15:00 sms third', 'a text message after six, unless the stage has changed');
SELECT results_eq($$SELECT key, status, reason FROM automation.step_log WHERE step = 3 ORDER BY key$$,
	format($$VALUES ('1', 'delivering', NULL), ('2', 'cancelled', 'field stage changed Salesperson not assigned→Quotation in progress at 2030-03-04 11:05:00+00 by %s')$$, session_user),
	'the log tells why one was not sent');
SELECT automation.drop_rule('Salesperson not assigned');
DELETE FROM automation.delivery;

-- A thank-you at once, a task after three days, a reminder after five if the status has not changed.

SELECT automation.create_rule('Offer sent', 'deal', 'status_entered', '{"to": "Offer sent"}', activate => true, steps => ARRAY[
	automation.after('0 days', automation.send_email('sequence_mail', '{{ email }}', 'Thank you', 'thanks')),
	automation.after('3 days', automation.create_task('Follow-up call {{ customer }}', 'owner')),
	automation.after('5 days', automation.send_sms('sequence_sms', '{{ phone }}', 'reminder'), cancel_if_changed => '{stage}')]);
SELECT automation.set_clock('2030-03-04 09:00+00');
UPDATE deal SET customer = 'Ada', email = 'ada@x.example', phone = '+12025550199', owner = 'rep', stage = 'Offer sent' WHERE id = 1;
UPDATE deal SET customer = 'Bob', email = 'bob@x.example', phone = '+12025550198', owner = 'rep', stage = 'Offer sent' WHERE id = 2;
SELECT is(tap.sent(), '04 09:00 email thanks, 04 09:00 email thanks', 'day 0');
SELECT automation.advance('4 days');
SELECT results_eq('SELECT title, assignee FROM task ORDER BY id', $$VALUES ('Follow-up call Ada', 'rep'), ('Follow-up call Bob', 'rep')$$, 'day 3');
UPDATE deal SET stage = 'Won' WHERE id = 2;
SELECT automation.advance('30 days');
SELECT is(tap.sent(), '04 09:00 email thanks, 04 09:00 email thanks, 09 09:00 sms reminder', 'day 5, for the one who has not answered');
SELECT automation.drop_rule('Offer sent');

-- What is refused

CREATE FUNCTION tap.refused(step automation.step, code text, message text, why text) RETURNS text LANGUAGE sql AS $$
	SELECT throws_ok(format('SELECT automation.create_rule(%L, %L, %L, steps => ARRAY[%L::automation.step])', 'refused', 'tap.deal', 'created', step), code, message, why)
$$;
CREATE FUNCTION tap.step() RETURNS automation.step LANGUAGE sql AS $$ SELECT automation.notify('log', 'x') $$;

SELECT tap.refused(automation.after('-1 minute', tap.step()), '22023', 'delay must not be negative', 'the past');
SELECT tap.refused(automation.after('1 month -40 days', tap.step()), '22023', 'delay must not be negative', 'now and then the past');
SELECT tap.refused(automation.after('6 years', tap.step()), '22023', 'delay must not exceed 5 years', 'too long a delay');
SELECT tap.refused(automation.after('99999999999 years', tap.step()), '22008', 'interval out of range', 'an interval that is none');
SELECT tap.refused(automation.after('a while', tap.step()), '22007', 'delay is no interval: "a while"', 'no interval at all');
SELECT tap.refused(automation.after(NULL, tap.step()), '22023', 'parameter "delay" of timing must not be of type null', 'none');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"zone": "Mars/Phobos"}'), '22023', 'time zone "Mars/Phobos" not recognized', 'a zone that is not there');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"zone": "Foo+3"}'), '22023', 'time zone "Foo+3" is not a named time zone', 'one without a name');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"quiet_hours": {"from": "21:00", "to": "21:00"}}'), '22023', 'quiet hours start and end must differ', 'quiet all day');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"quiet_hours": {"from": "21:00", "to": "25:00"}}'), '22007', NULL, 'an hour that is none');
SELECT tap.refused(automation.after('1 h', tap.step(), anchor => 'field:stage'), '42804', 'column "stage" is of type text, not a date or time', 'an anchor that is no date');
SELECT tap.refused(automation.after('1 h', tap.step(), anchor => 'field:hour'), '42804', 'column "hour" is of type time without time zone, not a date or time', 'nor is an hour');
SELECT tap.refused(automation.after('1 h', tap.step(), anchor => 'field:nothing'), '42703', NULL, 'one that is no column');
SELECT tap.refused(automation.after('1 h', tap.step(), anchor => 'never'), '22023', 'unrecognized anchor: "never"', 'one that is nothing');
SELECT tap.refused(automation.after('-1 h', tap.step(), anchor => 'entered'), '22023', 'delay must not be negative', 'before something that nobody foresees');
SELECT tap.refused(automation.at('1 h', tap.step()), '22007', NULL, 'at no time');
SELECT tap.refused(automation.at('2030-02-30', tap.step()), '22008', NULL, 'nor on a day that is none');
SELECT tap.refused(automation.after('1 h', tap.step(), cancel_if_changed => '{nothing}'), '42703', NULL, 'cancelled by a column that is not there');
SELECT tap.refused(automation.after('1 h', tap.step(), cancel_if_changed => '{}'), '22023', 'cancel_if_changed must name at least one column', 'by none');
SELECT tap.refused(automation.after('1 h', tap.step(), cancel_if_changed => '{NULL}'), '22023', 'cancel_if_changed must name at least one column', 'by null');
SELECT tap.refused(automation.after('1 h', tap.step(), cancel_if_changed => '{stage}', options => '{"cancel_mode": "perhaps"}'), '22023', 'invalid value for cancel_mode: "perhaps"', 'in no known way');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"cancel_mode": "differs"}'), '22023', 'cancel_mode needs cancel_if_changed', 'by what?');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"cancel_when": "new.nothing > 0"}'), '42703', NULL, 'when?');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"cancel_when": "old.stage = ''x''"}'), NULL, NULL, 'when the step is due nothing has changed');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"when": "later"}'), '22023', 'unrecognized parameter "when" of timing', 'an option that is none');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '[]'), NULL, NULL, 'options that are none');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'deleted', steps => ARRAY[automation.after('1 h', tap.step())])$$,
	'0A000', 'a step cannot be delayed when the row is deleted', 'what is to be done to a row that is gone');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'schedule', '{"cron": "61 * * * *"}', steps => ARRAY[tap.step()])$$,
	'22023', 'invalid cron schedule: "61 * * * *"', 'a minute that never comes');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'schedule', '{"cron": "0 0 30 2 *"}', steps => ARRAY[tap.step()])$$, '22023', NULL, 'nor does a day');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'recurring', '{"field": "closes_on", "every": "0"}', steps => ARRAY[tap.step()])$$, '22023', 'recurrence interval must be positive', 'again and again at once');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'recurring', '{"field": "stage", "every": "1 day"}', steps => ARRAY[tap.step()])$$, '42804', NULL, 'counted from no date');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'date_passed', '{"field": "nothing"}', steps => ARRAY[tap.step()])$$, '42703', NULL, 'a date that is no column');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'date_approaching', '{"field": "closes_on", "before": "-1 day"}', steps => ARRAY[tap.step()])$$,
	'22023', 'before must not be negative', 'before is not after');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'stayed_in_status', '{"for": "-1 day"}', steps => ARRAY[tap.step()])$$, '22023', NULL, 'for less than no time');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'updated', '{"settle": "soon"}', steps => ARRAY[tap.step()])$$, '22007', NULL, 'settled at no known time');

-- Calendars

SELECT automation.create_calendar('sequence', zone => 'UTC');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"calendar": "nobody"}'), '42704', NULL, 'a calendar that is not there');
SELECT tap.refused(automation.after('1 h', tap.step(), options => '{"calendar": "sequence", "weekdays": ["sat"]}'), '22023', 'timing leaves no time at all', 'one that never opens');

-- A clock near the end of time.
SELECT automation.create_rule('late', 'deal', 'created', steps => ARRAY[automation.after('5 years', tap.step()), tap.step()], activate => true);
SELECT automation.set_clock('294275-12-01 00:00+00');
SELECT lives_ok($$INSERT INTO deal (id) VALUES (9)$$, 'a delay that ends after the end of time does not stop the write');
SELECT results_eq($$SELECT step::integer, status, reason FROM automation.step_log WHERE rule = 'late' ORDER BY step$$,
	$$VALUES (1, 'failed', 'timestamp out of range'), (2, 'succeeded', NULL)$$, 'nor the other steps, and is logged');

SELECT * FROM finish();
ROLLBACK;
