-- Clocks of service levels: over a calendar, with pauses.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text DEFAULT 'New');
CREATE TABLE crm.sla (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES crm.job, policy text, status text, start timestamptz, due timestamptz,
	target interval, pauses tstzmultirange, calendar text, zone text);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
SELECT automation.create_calendar('office', hours => '[{"from": "08:00", "to": "12:00"}, {"from": "13:00", "to": "17:00"}]', zone => 'Europe/Berlin', holidays => '{2030-03-06}');
-- A Monday in Berlin, 10:00.
SELECT automation.set_clock('2030-03-04 09:00Z');

CREATE FUNCTION crm.refused(step automation.step) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT automation.create_rule(''tap'', ''crm.job'', ''created'', steps => ARRAY[%L::automation.step])', step)
$$;
SELECT throws_ok(crm.refused(automation.start_sla('arrival', '4 hours')), '55000', 'no attached table has the object type "sla"', 'no table for clocks');
SELECT automation.attach('crm.sla', 'sla', '{"policy": "policy", "status": "status", "due": "due"}');
SELECT throws_ok(crm.refused(automation.start_sla('arrival', 'soon')), '22007', NULL, 'no interval');
SELECT throws_ok(crm.refused(automation.start_sla('arrival', '0 hours')), '22023', 'parameter "target" of action "start_sla" must be from now to 1 year', 'no time');
SELECT throws_ok(crm.refused(automation.start_sla('arrival', '4 hours', 'ofice')), '42704', 'calendar "ofice" does not exist', 'an unknown calendar');
SELECT throws_ok(crm.refused(automation.start_sla('arrival', '4 hours', zone => 'Mars')), '22023', NULL, 'an unknown zone');
SELECT throws_ok(crm.refused(automation.pause_sla(NULL)), '22023', 'action "pause_sla" needs the parameter "policy"', 'no policy');

-- Open time

SELECT is(automation.sla_elapsed('2030-03-04 09:00Z', '2030-03-04 12:30Z', '{}', 'office'), '2:30', 'a break does not count');
SELECT is(automation.sla_elapsed('2030-03-04 09:00Z', '2030-03-05 09:00Z', '{}', 'office'), '8:00', 'nor does the night');
SELECT is(automation.sla_elapsed('2030-03-04 09:00Z', '2030-03-11 09:00Z', '{}', 'office'), '32:00', 'nor a holiday and the weekend');
SELECT is(automation.sla_elapsed('2030-03-29 00:00Z', '2030-04-02 00:00Z', '{}', 'office'), '16:00', 'the day on which the clocks change is one as others');
SELECT is(automation.sla_elapsed('2030-03-04 09:00Z', '2030-03-05 09:00Z', '{[2030-03-04 09:30Z,2030-03-04 12:30Z)}', 'office'), '6:00', 'a pause counts but once: its break is no open time');
SELECT is(automation.sla_elapsed('2030-03-04 09:00Z', '2030-03-04 08:00Z', '{}', 'office'), '0', 'time does not go back');
SELECT is(automation.sla_elapsed('2030-03-04 09:00Z', '2030-03-05 09:00Z'), '24:00', 'without a calendar all of it counts');

-- What is due is when so much has passed: whatever the pauses, and the calendar
CREATE FUNCTION crm.agrees(seed integer) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := '2030-01-01Z'::timestamptz + (hashint4(seed) & 65535) * interval '7 minutes';
	target interval := (1 + (hashint4(seed + 1) & 2047)) * interval '3 minutes';
	pauses tstzmultirange := (
		SELECT range_agg(tstzrange(p.at, p.at + (1 + (hashint4(seed * 7 + n) & 511)) * interval '5 minutes'))
		FROM generate_series(1, seed % 5) AS n, LATERAL (SELECT start + (hashint4(seed * 13 + n) & 1023) * interval '11 minutes') AS p(at));
	calendar text := CASE WHEN seed % 3 > 0 THEN 'office' END;
	due timestamptz := automation._sla_due(start, target, pauses, calendar, NULL);
BEGIN
	RETURN automation.sla_elapsed(start, due, pauses, calendar) = target
		AND automation.sla_elapsed(start, due - interval '1 second', pauses, calendar) < target;
END
$$;
SELECT is((SELECT string_agg(seed::text, ', ') FROM generate_series(1, 300) AS seed WHERE crm.agrees(seed) IS NOT TRUE), NULL, 'due and elapsed agree for 300 random clocks');

-- A clock

SELECT automation.create_rule('start', 'crm.job', 'created', steps => ARRAY[automation.start_sla('arrival', '6 hours', 'office')], activate => true);
SELECT automation.create_rule('start again', 'crm.job', 'status_entered', '{"to": "Again"}', steps => ARRAY[automation.start_sla('arrival', '6 hours', 'office')], activate => true);
SELECT automation.create_rule('pause', 'crm.job', 'status_entered', '{"to": "On Hold"}', steps => ARRAY[automation.pause_sla('arrival')], activate => true);
SELECT automation.create_rule('resume', 'crm.job', 'status_left', '{"from": "On Hold"}', steps => ARRAY[automation.resume_sla('arrival')], activate => true);
SELECT automation.create_rule('stop', 'crm.job', 'status_entered', '{"to": "Done"}', steps => ARRAY[automation.stop_sla('arrival')], activate => true);
SELECT automation.create_rule('warn', 'crm.sla', 'sla.warning', '{"before": "1 hour"}', steps => ARRAY[automation.notify('Ann', 'warning {{ job_id }}')], activate => true);
SELECT automation.create_rule('breach', 'crm.sla', 'sla.breached', steps => ARRAY[automation.notify('Ann', 'breached {{ job_id }}')], activate => true);
SELECT automation.create_rule('met', 'crm.sla', 'sla.met', steps => ARRAY[automation.notify('Ann', 'met {{ job_id }}')], activate => true);
CREATE FUNCTION crm.said() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.notification RETURNING id, body) SELECT string_agg(body, ', ' ORDER BY id) FROM gone
$$;
INSERT INTO crm.job (id) VALUES (1), (2);
SELECT results_eq('SELECT job_id, policy, status, start, due FROM crm.sla ORDER BY job_id',
	$$VALUES (1, 'arrival', 'Running', '2030-03-04 09:00Z'::timestamptz, '2030-03-04 16:00Z'::timestamptz), (2, 'arrival', 'Running', '2030-03-04 09:00Z', '2030-03-04 16:00Z')$$,
	'start_sla: due when the calendar was open for so long');
UPDATE crm.job SET status = 'Again' WHERE id = 1;
SELECT is((SELECT count(*) FROM crm.sla), 2::bigint, 'one clock is enough');
SELECT automation.advance('2 hours');
UPDATE crm.job SET status = 'On Hold' WHERE id = 1;
SELECT results_eq('SELECT status, due FROM crm.sla WHERE job_id = 1', $$VALUES ('Paused', NULL::timestamptz)$$, 'pause_sla: nothing is due');
SELECT automation.advance('6 hours');
SELECT is(crm.said(), 'warning 2, breached 2', 'of a clock that runs, somebody is warned');
UPDATE crm.job SET status = 'Open' WHERE id = 1;
SELECT results_eq('SELECT status, due, pauses FROM crm.sla WHERE job_id = 1',
	$$VALUES ('Running', '2030-03-05 11:00Z'::timestamptz, '{["2030-03-04 11:00Z","2030-03-04 17:00Z")}'::tstzmultirange)$$, 'resume_sla: due so much later as it was open meanwhile');
SELECT automation.advance('12 hours');
UPDATE crm.job SET status = 'Done' WHERE id IN (1, 2);
SELECT results_eq('SELECT job_id, status FROM crm.sla ORDER BY job_id', $$VALUES (1, 'Met'), (2, 'Breached')$$, 'stop_sla: in time, or not');
SELECT is(crm.said(), 'met 1', 'and rules hear of it');
SELECT automation.advance('2 days');
SELECT is(crm.said(), NULL, 'nothing comes after the end');
UPDATE crm.job SET status = 'Again' WHERE id = 1;
SELECT is((SELECT count(*) FROM crm.sla WHERE job_id = 1 AND status = 'Running'), 1::bigint, 'after it another can be started');
UPDATE crm.job SET status = 'On Hold' WHERE id = 1;
SELECT automation.advance('2 days');
UPDATE crm.job SET status = 'Done' WHERE id = 1;
SELECT is((SELECT status FROM crm.sla WHERE job_id = 1 ORDER BY id DESC LIMIT 1), 'Met', 'one that is ended while it is paused has not run');

-- Per cent of the clock

SELECT automation.drop_rule(name) FROM automation.rules WHERE name IN ('warn', 'breach', 'met');
SELECT throws_ok(format($$SELECT automation.create_rule('pct', 'crm.sla', 'sla.warning', %L, steps => ARRAY[automation.notify('a', 'b')])$$, params), '22023', message, params) FROM (VALUES
	('{}', 'trigger "sla.warning" takes one of "before" and "pct"'), ('{"pct": 80, "before": "1 hour"}', 'trigger "sla.warning" takes one of "before" and "pct"'),
	('{"pct": 100}', 'a share of a clock must be more than 0 and less than 100 per cent'), ('{"pct": 0}', 'a share of a clock must be more than 0 and less than 100 per cent')) AS v(params, message);
SELECT automation.create_rule(pct || ' %', 'crm.sla', 'sla.warning', jsonb_build_object('pct', pct), steps => ARRAY[automation.notify('Ann', pct || ' {{ job_id }}')], activate => true)
FROM unnest('{50,75,90}'::integer[]) AS pct;
SELECT crm.said() IS NOT NULL;
-- A Monday in Berlin, 10:00: of six hours, one is after a break, and three are before 14:00.
SELECT automation.set_clock('2030-03-11 09:00Z');
INSERT INTO crm.job (id) VALUES (3), (4);
SELECT automation.advance('3 hours 59 minutes');
SELECT is(crm.said(), NULL, 'a break is no part of the clock');
SELECT automation.advance('1 minute');
SELECT is(crm.said(), '50 3, 50 4', 'half of the time');
UPDATE crm.job SET status = 'On Hold' WHERE id = 4;
SELECT automation.advance('2 hours');
SELECT is(crm.said(), '75 3', 'while a clock is paused nobody is warned');
UPDATE crm.job SET status = 'Open' WHERE id = 4;
SELECT automation.advance('54 minutes');
SELECT is(crm.said(), '90 3', 'three quarters and nine tenths of the other one');
SELECT automation.advance('15 hours 46 minutes');
SELECT is(crm.said(), '75 4', 'when it goes on, so much later as it stood, and over the night');
UPDATE crm.job SET status = 'Done' WHERE id = 4;
SELECT automation.advance('2 days');
SELECT is(crm.said(), NULL, 'and of one that has been met');
CREATE TABLE crm.bare (id integer PRIMARY KEY, status text, due timestamptz);
SELECT automation.attach('crm.bare', 'sla', '{"status": "status", "due": "due"}');
SELECT throws_ok($$SELECT automation.create_rule('pct', 'crm.bare', 'sla.warning', '{"pct": 80}', steps => ARRAY[automation.notify('a', 'b')])$$, '55000', 'table "crm.bare" has no column for the role "start"', 'a date is no clock');

SELECT * FROM finish();
ROLLBACK;
