-- Calendars: their verbs, what they refuse, and steps that follow them.
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'America/New_York';

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');

-- Message, detail and hint of the error that a command ends with.
CREATE FUNCTION crm.refused(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;
CREATE FUNCTION crm.due_sql(timing jsonb) RETURNS text LANGUAGE sql
RETURN automation._due_sql(automation._scope('crm.job', current_user::regrole), timing);
-- The wall clock in Berlin when a step is due that was started then.
CREATE FUNCTION crm.started(started timestamp, timing text) RETURNS timestamp LANGUAGE plpgsql AS $$
DECLARE
	due timestamptz;
BEGIN
	EXECUTE 'SELECT ' || replace(crm.due_sql(timing::jsonb), 'automation._base()', format('%L::timestamptz', started AT TIME ZONE 'Europe/Berlin')) INTO due;
	RETURN due AT TIME ZONE 'Europe/Berlin';
END
$$;

-- Making and changing

SELECT automation.create_calendar('office', hours => '{"from": "09:00", "to": "17:00"}', zone => 'europe/berlin', holidays => '{2026-12-25,2026-01-01}');
SELECT results_eq($$SELECT name, workdays, hours, zone, holidays FROM automation.calendars$$,
	$$VALUES ('office', '{mon,tue,wed,thu,fri}'::text[], '{"from": "09:00", "to": "17:00"}'::jsonb, 'Europe/Berlin', '{"2026-12-25": null, "2026-01-01": null}'::jsonb)$$, 'a calendar');
SELECT automation.add_holiday('office', '2026-05-01', 'Labour Day');
SELECT automation.add_holiday('office', '2026-12-25', 'Christmas');
SELECT automation.remove_holiday('office', '2026-01-01');
SELECT is((SELECT holidays FROM automation.calendars), '{"2026-05-01": "Labour Day", "2026-12-25": "Christmas"}', 'holidays come and go');
SELECT automation.alter_calendar('office', zone => '');
SELECT results_eq('SELECT zone, hours FROM automation.calendars', $$VALUES (NULL::text, '{"from": "09:00", "to": "17:00"}'::jsonb)$$, 'what is not named stays');
SELECT automation.alter_calendar('office', workdays => '{mon,tue}', hours => '{}', zone => 'Asia/Tokyo');
SELECT results_eq('SELECT workdays, hours, zone FROM automation.calendars', $$VALUES ('{mon,tue}'::text[], '{}'::jsonb, 'Asia/Tokyo')$$, 'all of it can be changed');
SELECT automation.alter_calendar('office', workdays => '{mon,tue,wed,thu,fri}', zone => 'Europe/Berlin',
	hours => '{"mon": {"from": "09:00", "to": "17:00"}, "tue": {"from": "09:00", "to": "17:00"}, "wed": [{"from": "09:00", "to": "12:00"}, {"from": "13:00", "to": "24:00"}],
		"thu": {"from": "09:00", "to": "17:00"}, "fri": {"from": "09:00", "to": "12:00"}}');
SELECT is((SELECT week FROM automation.calendar),
	'{[32400,61200),[118800,147600),[205200,216000),[219600,259200),[291600,320400),[378000,388800)}', 'hours by weekday');
SELECT automation.create_calendar('whenever', workdays => '{mon,tue,wed,thu,fri,sat,sun}');
SELECT is((SELECT week FROM automation.calendar WHERE name = 'whenever'), '{[0,604800)}', 'without hours it is open all day');

-- What is refused

SELECT is(crm.refused(format('SELECT automation.%s', call)), message, call) FROM (VALUES
	('create_calendar(''office'')', '42710 calendar "office" already exists | Use automation.alter_calendar().'),
	('create_calendar('''')', '42602 invalid calendar name: "" | A name has 1 to 63 bytes and no control characters.'),
	('create_calendar(NULL)', '42602 invalid calendar name: "" | A name has 1 to 63 bytes and no control characters.'),
	('create_calendar(repeat(''x'', 64))', format('42602 invalid calendar name: "%s" | A name has 1 to 63 bytes and no control characters.', repeat('x', 64))),
	('create_calendar(''x'', workdays => ''{}'')', '22023 workdays must not be empty'),
	('create_calendar(''x'', workdays => NULL)', '22023 workdays must not be empty'),
	('create_calendar(''x'', workdays => ''{mon,monday}'')', '22023 unrecognized weekday: "monday" | Valid weekdays are: mon, tue, wed, thu, fri, sat, sun.'),
	('create_calendar(''x'', workdays => ''{mon,null}'')', '22023 unrecognized weekday: "" | Valid weekdays are: mon, tue, wed, thu, fri, sat, sun.'),
	('create_calendar(''x'', hours => ''[]'')', '22023 opening hours must not be empty'),
	('create_calendar(''x'', hours => ''9'')', '22023 parameters of opening hours must be a JSON object'),
	('create_calendar(''x'', hours => ''null'')', '22023 parameters of opening hours must be a JSON object'),
	('create_calendar(''x'', hours => ''{"from": "09:00"}'')', '22023 opening hours needs the parameter "to" | Valid parameters are: from, to.'),
	('create_calendar(''x'', hours => ''{"from": "09:00", "to": "09:00"}'')', '22023 opening hours start and end must differ'),
	('create_calendar(''x'', hours => ''{"from": "22:00", "to": "06:00"}'')', '22023 opening hours must end after they start | Give what is after midnight to the next day.'),
	('create_calendar(''x'', hours => ''{"from": "9 am", "to": "17:00"}'')', '22007 invalid time of day: "9 am" | Write it as HH:MM or HH:MM:SS.'),
	('create_calendar(''x'', workdays => ''{mon,tue}'', hours => ''{"mon": {"from": "09:00", "to": "12:00"}, "sat": {"from": "09:00", "to": "12:00"}}'')',
		'22023 opening hours by weekday must be those of the workdays | Not a workday: sat. Without hours: tue.'),
	('create_calendar(''x'', zone => ''Mars/Phobos'')', '22023 time zone "Mars/Phobos" not recognized'),
	('create_calendar(''x'', holidays => ''{infinity}'')', '22023 holiday must be a day'),
	('create_calendar(''x'', holidays => ''{null}'')', '22023 holiday must be a day'),
	('alter_calendar(''ofice'')', '42704 calendar "ofice" does not exist | Perhaps you meant "office".'),
	('alter_calendar(''office'', workdays => ''{mon}'')', '22023 opening hours by weekday must be those of the workdays | Not a workday: fri, thu, tue, wed.'),
	('add_holiday(''ofice'', ''2026-05-01'')', '42704 calendar "ofice" does not exist | Perhaps you meant "office".'),
	('remove_holiday(''office'', ''2026-05-02'')', '42704 calendar "office" has no holiday on 2026-05-02'),
	('drop_calendar(''ofice'')', '42704 calendar "ofice" does not exist | Perhaps you meant "office".')) AS v(call, message);

-- Following one

SELECT is(crm.started(started::timestamp, ('{"calendar": "office"}' || timing::jsonb)::text), due::timestamp, started || ' ' || timing) FROM (VALUES
	('2026-03-02 10:00', '{}', '2026-03-02 10:00'),
	('2026-03-02 18:00', '{}', '2026-03-03 09:00'),
	('2026-03-04 12:30', '{}', '2026-03-04 13:00'),
	('2026-03-04 23:30', '{}', '2026-03-04 23:30'),
	('2026-03-06 12:00', '{}', '2026-03-09 09:00'),
	('2026-03-07 10:00', '{}', '2026-03-09 10:00'),
	('2026-05-01 10:00', '{}', '2026-05-04 10:00'),
	('2026-05-01 10:00', '{"time_of_day": "09:30"}', '2026-05-04 09:30'),
	('2026-04-30 10:00', '{"workdays": 1}', '2026-05-04 10:00'),
	('2026-04-30 10:00', '{"workdays": 5, "time_of_day": "09:00"}', '2026-05-11 09:00'),
	('2026-04-29 10:00', '{"delay": "2 days", "roll": "previous"}', '2026-04-30 10:00'),
	('2026-12-24 15:00', '{"delay": "1 day", "not_after": "2 days"}', '2026-12-26 15:00'),
	('2026-03-02 08:00', '{"weekdays": ["wed", "sun"]}', '2026-03-04 09:00'),
	('2026-03-02 08:00', '{"window": {"from": "16:00", "to": "20:00"}}', '2026-03-02 16:00'),
	('2026-03-02 17:30', '{"window": {"from": "16:00", "to": "20:00"}}', '2026-03-03 16:00'),
	('2026-03-02 08:00', '{"zone": "Asia/Tokyo"}', '2026-03-02 08:00')) AS v(started, timing, due);
SELECT is(crm.refused($$SELECT crm.due_sql('{"calendar": "office", "weekdays": ["sat", "sun"]}')$$),
	'22023 timing leaves no time at all | Weekdays, hours and calendar have nothing in common.', 'a calendar that is closed on all those days');
SELECT lives_ok($$SELECT automation.add_holiday('whenever', day::date) FROM generate_series('2026-01-01'::date, '2029-12-31', '1 day') AS day$$, 'a calendar of holidays');
SELECT is(crm.refused($$SELECT crm.started('2026-03-02 10:00', '{"calendar": "whenever", "workdays": 1}')$$),
	'55000 no allowed time within two years | Weekdays, hours and holidays exclude every day. | Change the timing of the step, or its calendar.', 'is searched for two years');
SELECT is(crm.started('2028-03-02 10:00', '{"calendar": "whenever", "workdays": 1}'), '2030-01-01 10:00', 'and no less');

-- Rights

CREATE ROLE tap_author;
SELECT automation.grant_access('tap_author', 'author');
GRANT USAGE ON SCHEMA crm TO tap_author;
GRANT TRIGGER, SELECT ON crm.job TO tap_author;
SELECT lives_ok(format($$SELECT automation._compile('tap', 'timestamptz', automation._select_sql('crm.job', %L))$$,
	crm.due_sql('{"calendar": "office", "time_of_day": "10:00"}')), 'a compiled step');
SET LOCAL ROLE tap_author;
SELECT is((SELECT count(*) FROM automation.calendars), 2::bigint, 'an author sees calendars');
SELECT throws_ok('SELECT automation.create_calendar(''x'')', '42501', 'permission denied for function create_calendar', 'but makes none');
SELECT throws_ok('SELECT * FROM automation.calendar', '42501', 'permission denied for table calendar', 'nor reads the table');
SELECT is(automation._schedule('2026-05-01 10:00Z', '0', '{"calendar": "office", "workdays": 0, "backward": false, "day_itself": false, "time_of_day": 36000, "week": "{[0,604800)}"}', 'UTC'),
	'2026-05-04 10:00Z', 'though his rules follow it');
SELECT is(automation._schedule('2026-05-01', '0', plan, 'UTC'), NULL, 'half a plan leads nowhere: ' || plan::text)
FROM unnest(ARRAY['{}', '{"week": "{[0,604800)}"}', '{"workdays": 0, "backward": false, "day_itself": false}']::jsonb[]) AS plan;
SELECT throws_ok($$SELECT automation._schedule('2026-05-01', '0', '{"workdays": 2000000000, "backward": false, "day_itself": false, "week": "{}"}', 'UTC')$$,
	'22023', 'workdays must be a whole number of at most 1000', 'nor does one without end');
RESET ROLE;

-- Dropping

SELECT automation.create_rule('followed', 'crm.job', 'created',
	steps => ARRAY[automation.after('1 day', automation.notify('1', 'x'), options => '{"calendar": "office"}')]);
SELECT is(crm.refused('SELECT automation.drop_calendar(''office'')'),
	'2BP01 cannot drop calendar "office" because rules depend on it | Rules with it: "followed".', 'a calendar that a rule follows stays');
SELECT automation.alter_rule('followed', steps => ARRAY[automation.notify('1', 'y')]);
SELECT automation.drop_calendar('office');
SELECT is((SELECT array_agg(name) FROM automation.calendars), '{whenever}', 'until none does any more');
SELECT is((SELECT count(*) FROM automation.holiday WHERE calendar = 'office'), 0::bigint, 'and takes its holidays along');

SELECT * FROM finish();
ROLLBACK;
