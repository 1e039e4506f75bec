-- When a step is due: every key of a timing, and every error. Wall clocks here are Berlin's unless said otherwise.
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'America/New_York'; -- what a session says must not matter

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, zone text, age integer);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, due_on date, starts_at timestamptz, wall timestamp, alarm time, note text,
	contact_id integer REFERENCES crm.contact, "Follow Up" date);
INSERT INTO crm.contact VALUES (1, 'Asia/Tokyo'), (2, NULL), (3, 'Mars/Phobos'), (4, 'europe/berlin');
SELECT automation.attach('crm.job', 'job', '{"status": "status", "due": "due_on"}');

CREATE FUNCTION crm.due_sql(timing jsonb) RETURNS text LANGUAGE sql
RETURN automation._due_sql(automation._scope('crm.job', current_user::regrole), timing);
CREATE FUNCTION crm.due(timing jsonb, started timestamptz DEFAULT NULL, new jsonb DEFAULT '{}') RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
	due timestamptz;
BEGIN
	EXECUTE format('SELECT %s FROM (SELECT ($1).*) AS new', replace(crm.due_sql(timing), 'automation._base()', format('%L::timestamptz', started)))
	INTO due USING jsonb_populate_record(NULL::crm.job, new);
	RETURN due;
END
$$;
-- The wall clock when a step is due that was started then.
CREATE FUNCTION crm.started(started timestamp, timing text) RETURNS timestamp LANGUAGE sql
RETURN crm.due('{"zone": "Europe/Berlin"}' || timing::jsonb, started AT TIME ZONE 'Europe/Berlin') AT TIME ZONE 'Europe/Berlin';
-- The same for a step around starts_at.
CREATE FUNCTION crm.around(starts timestamp, timing text) RETURNS timestamp LANGUAGE sql
RETURN crm.due('{"zone": "Europe/Berlin", "anchor": "field:starts_at"}' || timing::jsonb, '2020-01-01',
	jsonb_build_object('due_on', starts::date, 'starts_at', starts AT TIME ZONE 'Europe/Berlin', 'wall', starts)) AT TIME ZONE 'Europe/Berlin';
-- Message, detail and hint of the error that a timing ends with.
CREATE FUNCTION crm.refused(timing text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	RETURN crm.due_sql(timing::jsonb);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE || ' ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END
$$;

-- What is simple is a sum

SELECT is(crm.due_sql('{}'), 'automation._base()', 'no timing is what the engine counts from');
SELECT is(crm.due_sql('{"delay": "5 min"}'), 'automation._base() + ''00:05:00''::pg_catalog.interval', 'minutes are added');
SELECT is(crm.due_sql('{"delay": "2 days", "zone": "europe/berlin"}'),
	'automation._add(automation._base(), ''2 days''::pg_catalog.interval, ''Europe/Berlin''::pg_catalog.text)', 'days by the clocks of a zone');
SELECT is(crm.due_sql(format('{"anchor": "%s", "delay": "1 hour"}', anchor)::jsonb), 'automation._base() + ''01:00:00''::pg_catalog.interval', anchor)
FROM unnest('{trigger,previous,entered,left}'::text[]) AS anchor;
SELECT is(crm.due_sql('{"anchor": "field:due"}'), crm.due_sql('{"anchor": "field:due_on"}'), 'a role names its column');

-- Delays

SELECT is(crm.started('2026-03-28 12:00', '{"delay": "1 day"}'), '2026-03-29 12:00', 'a day of 23 hours');
SELECT is(crm.started('2026-03-28 12:00', '{"delay": "24 hours"}'), '2026-03-29 13:00', '24 hours');
SELECT is(crm.started('2026-10-24 12:00', '{"delay": "1 day 2 hours"}'), '2026-10-25 14:00', 'days first, then hours');
SELECT is(crm.started('2026-01-31 12:00', '{"delay": "1 month"}'), '2026-02-28 12:00', 'a month from the 31st');
SELECT is(crm.started('2026-03-28 02:30', '{"delay": "1 day"}'), '2026-03-29 03:00', 'an hour that is jumped over');
SELECT is(crm.started('2026-10-24 02:30', '{"delay": "1 day"}'), '2026-10-25 02:30', 'one that comes twice');

-- Fields

SELECT is(crm.around('2026-03-30 10:00', '{}'), '2026-03-30 10:00', 'an instant');
SELECT is(crm.around('2026-03-30 10:00', '{"delay": "-1 day"}'), '2026-03-29 10:00', 'a day before');
SELECT is(crm.around('2026-03-30 10:00', '{"delay": "-2 hours"}'), '2026-03-30 08:00', 'hours before');
SELECT is(crm.around('2026-03-30 10:00', '{"anchor": "field:due_on"}'), '2026-03-30 00:00', 'a date is its midnight');
SELECT is(crm.around('2026-03-30 10:00', '{"anchor": "field:wall"}'), '2026-03-30 10:00', 'a timestamp is what the clocks show');
SELECT is(crm.around('2026-03-29 02:15', '{"anchor": "field:wall"}'), '2026-03-29 03:00', 'or would have shown');
SELECT is(crm.due('{"anchor": "field:Follow Up", "zone": "UTC"}', new => '{"Follow Up": "2026-05-01"}'), '2026-05-01Z', 'a column of any name');
SELECT is(crm.due('{"anchor": "field:[\"Follow Up\"]", "zone": "UTC"}', new => '{"Follow Up": "2026-05-01"}'), '2026-05-01Z', 'as templates write it too');
SELECT is(crm.due(timing::jsonb), NULL, 'nothing is due where the field is null: ' || timing) FROM (VALUES
	('{"anchor": "field:due_on"}'), ('{"anchor": "field:starts_at", "delay": "-1 day", "time_of_day": "18:00"}'), ('{"anchor": "field:wall", "not_after": "1 day"}')) AS v(timing);
SELECT is(crm.due('{"anchor": "field:due_on", "delay": "1 day", "time_of_day": "18:00"}', new => '{"due_on": "infinity"}'), 'infinity', 'and for ever where it is infinite');

-- Absolute

SELECT is(crm.due('{"at": "2030-12-31 18:00", "zone": "Europe/Berlin"}'), '2030-12-31 18:00+01', 'by the clocks of the zone');
SELECT is(crm.due(format('{"at": "%s", "zone": "Europe/Berlin"}', at)::jsonb), '2030-12-31 18:00Z', at)
FROM unnest('{2030-12-31 18:00Z,2030-12-31T18:00:00Z,2030-12-31 13:00-05,2030-12-31 13:00 America/New_York}'::text[]) AS at;
SELECT is(crm.due('{"at": "2030-12-31", "time_of_day": "18:00", "zone": "Europe/Berlin"}'), '2030-12-31 18:00+01', 'with a time of day');
SELECT is(crm.refused(format('{"at": "2030-12-31", "%s": %s}', key, value)), format('22023 "at" and "%s" exclude each other', key), 'at beside ' || key)
FROM (VALUES ('delay', '"1 day"'), ('anchor', '"trigger"'), ('workdays', '1')) AS v(key, value);
SELECT is(crm.refused(format('{"at": "%s"}', at)), format('22007 invalid instant: "%s" | Write it as 2030-12-31 18:00, or with a time zone as 2030-12-31 18:00+01.', at), at)
FROM unnest('{now,tomorrow,infinity,18:00,31.12.2030}'::text[]) AS at;
SELECT is(crm.refused('{"at": "2030-12-31 25:00"}'), '22008 date/time field value out of range: "2030-12-31 25:00"', 'an hour that no day has');

-- Time of day

SELECT is(crm.started('2026-03-02 08:00', '{"time_of_day": "09:00"}'), '2026-03-02 09:00', 'today');
SELECT is(crm.started('2026-03-02 10:00', '{"time_of_day": "09:00"}'), '2026-03-03 09:00', 'or tomorrow');
SELECT is(crm.started('2026-03-02 09:00', '{"time_of_day": "9:00"}'), '2026-03-02 09:00', 'now is not too late');
SELECT is(crm.started('2026-03-02 10:00', '{"delay": "3 days", "time_of_day": "09:00:30"}'), '2026-03-06 09:00:30', 'never earlier than the delay');
SELECT is(crm.around('2026-03-03 10:00', '{"delay": "-1 day", "time_of_day": "18:00"}'), '2026-03-02 18:00', 'the night before');
SELECT is(crm.around('2026-03-03 20:00', '{"delay": "-1 day", "time_of_day": "18:00"}'), '2026-03-02 18:00', 'whatever the hour');
SELECT is(crm.around('2026-03-03 10:00', '{"time_of_day": "07:00"}'), '2026-03-03 07:00', 'the morning of the day');
SELECT is(crm.around('2026-03-03 10:00', '{"delay": "1 day", "time_of_day": "07:00"}'), '2026-03-05 07:00', 'but not before a day has passed');
SELECT is(crm.around('2026-03-29 10:00', '{"time_of_day": "02:30"}'), '2026-03-29 03:00', 'an hour that is jumped over');
SELECT is(crm.refused(format('{"time_of_day": "%s"}', clock)), format('22007 invalid time of day: "%s" | Write it as HH:MM or HH:MM:SS.', clock), 'time of day ' || clock)
FROM unnest('{25:00,24:00,12:60,noon,9,"",12:00:60,12:00+01}'::text[]) AS clock;
SELECT is(crm.refused('{"anchor": "field:due_on", "delay": "-2 hours", "time_of_day": "18:00"}'),
	'22023 time_of_day needs a delay of whole days | The delay is "-2 hours".', 'a time of day some hours before');

-- Weekdays, working days, roll

SELECT is(crm.started('2026-03-07 10:00', '{"weekdays": ["mon", "thu"]}'), '2026-03-09 10:00', 'the next weekday');
SELECT is(crm.started('2026-03-09 10:00', '{"weekdays": ["mon", "thu"]}'), '2026-03-09 10:00', 'today');
SELECT is(crm.started('2026-03-09 10:00', '{"weekdays": ["mon", "thu"], "time_of_day": "09:00"}'), '2026-03-12 09:00', 'the next one when the hour is over');
SELECT is(crm.started('2026-03-04 10:00', '{"delay": "3 days", "weekdays": ["mon", "fri"], "roll": "previous"}'), '2026-03-06 10:00', 'the one before');
SELECT is(crm.started('2026-03-07 10:00', '{"weekdays": ["mon", "fri"], "roll": "previous"}'), '2026-03-09 10:00', 'never before it was started');
SELECT is(crm.around('2026-03-08 10:00', '{"weekdays": ["mon", "fri"], "roll": "previous", "time_of_day": "18:00"}'), '2026-03-06 18:00', 'before a date is fine');
SELECT is(crm.started('2026-03-06 10:00', '{"workdays": 1}'), '2026-03-09 10:00', 'a working day from Friday');
SELECT is(crm.started('2026-03-07 10:00', '{"workdays": 2, "time_of_day": "09:00"}'), '2026-03-11 09:00', 'two from Saturday, at an hour');
SELECT is(crm.started('2026-03-06 10:00', '{"delay": "1 day", "workdays": 1}'), '2026-03-09 10:00', 'after the delay');
SELECT is(crm.around('2026-03-09 10:00', '{"workdays": -1, "time_of_day": "18:00"}'), '2026-03-06 18:00', 'the evening of the working day before');
SELECT is(crm.started('2026-03-06 10:00', '{"workdays": 0}'), '2026-03-06 10:00', 'none');
SELECT is(crm.refused('{"weekdays": []}'), '22023 weekdays must not be empty', 'no weekdays');
SELECT is(crm.refused('{"weekdays": ["fry"]}'), '22023 unrecognized weekday: "fry" | Valid weekdays are: mon, tue, wed, thu, fri, sat, sun.', 'no weekday');
SELECT is(crm.refused('{"weekdays": [null]}'), '22023 unrecognized weekday: "" | Valid weekdays are: mon, tue, wed, thu, fri, sat, sun.', 'null is none either');
SELECT is(crm.refused('{"roll": "back"}'), '22023 invalid value of parameter "roll" of timing: "back" | Valid values are: next, previous.', 'another roll');
SELECT is(crm.refused(format('{"workdays": %s}', number)), '22023 ' || message, 'workdays ' || number)
FROM (VALUES ('-1', 'workdays must not be negative'), ('1.5', 'workdays must be a whole number of at most 1000'), ('1001', 'workdays must be a whole number of at most 1000'),
	('1e300', 'workdays must be a whole number of at most 1000')) AS v(number, message);

-- Window and quiet hours

SELECT is(crm.started('2026-03-02 07:00', '{"window": {"from": "08:00", "to": "20:00"}}'), '2026-03-02 08:00', 'when it opens');
SELECT is(crm.started('2026-03-02 12:34:56', '{"window": {"from": "08:00", "to": "20:00"}}'), '2026-03-02 12:34:56', 'while it is open');
SELECT is(crm.started('2026-03-02 20:00', '{"window": {"from": "08:00", "to": "20:00"}}'), '2026-03-03 08:00', 'when it has closed');
SELECT is(crm.started('2026-03-02 23:00', '{"window": {"from": "22:00", "to": "06:00"}}'), '2026-03-02 23:00', 'at night');
SELECT is(crm.started('2026-03-02 05:59', '{"window": {"from": "22:00", "to": "06:00"}}'), '2026-03-02 05:59', 'after midnight');
SELECT is(crm.started('2026-03-02 06:00', '{"window": {"from": "22:00", "to": "06:00"}}'), '2026-03-02 22:00', 'in the evening');
SELECT is(crm.started('2026-03-02 12:00', '{"window": {"from": "00:00", "to": "24:00"}}'), '2026-03-02 12:00', 'all day');
SELECT is(crm.started('2026-03-02 23:00', '{"quiet_hours": {"from": "21:00", "to": "08:00"}}'), '2026-03-03 08:00', 'quiet hours end');
SELECT is(crm.started('2026-03-02 20:59', '{"quiet_hours": {"from": "21:00", "to": "08:00"}}'), '2026-03-02 20:59', 'quiet hours have not begun');
SELECT is(crm.started('2026-03-02 13:00', '{"window": {"from": "09:00", "to": "17:00"}, "quiet_hours": {"from": "12:00", "to": "14:00"}}'), '2026-03-02 14:00', 'both');
SELECT is(crm.started('2026-03-06 21:00', '{"window": {"from": "08:00", "to": "20:00"}, "weekdays": ["mon", "fri"]}'), '2026-03-09 08:00', 'on the next weekday');
SELECT is(crm.started('2026-03-02 10:00', '{"time_of_day": "22:00", "window": {"from": "08:00", "to": "20:00"}}'), '2026-03-03 08:00', 'hours come after the time of day');
SELECT is(crm.started('2026-03-28 23:00', '{"window": {"from": "02:00", "to": "03:00"}}'), '2026-03-30 02:00', 'not in hours that are jumped over');
SELECT is(crm.refused('{"window": {"from": "08:00", "to": "08:00"}}'), '22023 window start and end must differ', 'a window of no length');
SELECT is(crm.refused('{"quiet_hours": {"from": "08:00", "to": "8:00:00"}}'), '22023 quiet hours start and end must differ', 'quiet hours of none');
SELECT is(crm.refused('{"quiet_hours": {"from": "08:00", "to": "26:00"}}'), '22007 invalid time of day: "26:00" | Write it as HH:MM or HH:MM:SS.', 'quiet hours past midnight');
SELECT is(crm.refused('{"window": {"from": "08:00"}}'), '22023 window needs the parameter "to" | Valid parameters are: from, to.', 'half a window');
SELECT is(crm.refused('{"window": {"from": "08:00", "to": 20}}'), '22023 parameter "to" of window must not be of type number | Valid types are: string.', 'a number');
SELECT is(crm.refused('{"window": {"start": "08:00", "to": "20:00"}}'), '22023 unrecognized parameter "start" of window | Valid parameters are: from, to.', 'another key');
SELECT is(crm.refused('{"quiet_hours": {"from": "00:00", "to": "24:00"}}'),
	'22023 timing leaves no time at all | Weekdays, hours and calendar have nothing in common.', 'never');

-- Cap

SELECT is(crm.started('2026-03-06 21:00', '{"weekdays": ["mon"], "not_after": "1 day"}'), '2026-03-07 21:00', 'not after a day');
SELECT is(crm.started('2026-03-06 21:00', '{"weekdays": ["mon"], "not_after": "1 week"}'), '2026-03-09 21:00', 'a week is enough');
SELECT is(crm.around('2026-03-03 07:00', '{"delay": "-2 hours", "window": {"from": "08:00", "to": "20:00"}, "not_after": "0"}'), '2026-03-03 07:00', 'not after the date itself');
SELECT is(crm.refused('{"not_after": "-1 day"}'), '22023 not_after must not be negative', 'a cap before');

-- Zones

CREATE FUNCTION crm.zoned(timing text, contact integer DEFAULT NULL) RETURNS timestamptz LANGUAGE sql
RETURN crm.due('{"anchor": "field:wall"}' || timing::jsonb, new => jsonb_build_object('wall', '2026-03-02 09:00', 'contact_id', contact));
SELECT is(crm.zoned('{"zone": "Asia/Tokyo"}'), '2026-03-02 09:00+09', 'a zone by name');
SELECT is(crm.zoned('{"zone": "field:contact.zone"}', 1), '2026-03-02 09:00+09', 'the recipient''s');
SELECT is(crm.zoned('{"zone": "field:contact.zone"}', 4), '2026-03-02 09:00+01', 'however it is spelt');
SELECT is(crm.zoned('{"zone": "field:contact.zone"}', n), '2026-03-02 09:00Z', 'the database''s where that is ' || what) FROM (VALUES (2, 'null'), (3, 'none'), (9, 'missing')) AS v(n, what);
SELECT automation.create_calendar('kolkata', workdays => automation._weekday_names(), zone => 'asia/kolkata');
SELECT is(crm.zoned('{"zone": "field:contact.zone", "calendar": "kolkata"}', 2), '2026-03-02 09:00+05:30', 'before that the calendar''s');
SELECT is(crm.zoned('{"zone": "field:contact.zone", "calendar": "kolkata"}', 1), '2026-03-02 09:00+09', 'after the recipient''s');
SELECT automation.attach('crm.job', 'job', '{"status": "status", "time_zone": "note"}');
CREATE FUNCTION crm.of_row(timing text, zone text) RETURNS timestamptz LANGUAGE sql
RETURN crm.due('{"anchor": "field:wall"}' || timing::jsonb, new => jsonb_build_object('wall', '2026-03-02 09:00', 'note', zone, 'contact_id', 2));
SELECT is(crm.of_row('{}', 'Asia/Tokyo'), '2026-03-02 09:00+09', 'the row''s');
SELECT is(crm.of_row('{}', NULL), '2026-03-02 09:00Z', 'unless it is null');
SELECT is(crm.of_row('{"zone": "field:contact.zone", "calendar": "kolkata"}', 'Asia/Tokyo'), '2026-03-02 09:00+09', 'goes before the calendar''s');
SELECT is(crm.of_row('{"zone": "UTC"}', 'Asia/Tokyo'), '2026-03-02 09:00Z', 'and after one by name');
SELECT automation.attach('crm.job', 'job', '{"status": "status", "due": "due_on"}');
SELECT is(automation._default_zone(), 'UTC', 'that of the server, not of the session');
SELECT lives_ok(format('ALTER DATABASE %I SET timezone = ''Asia/Kathmandu''', current_database()), 'a database of its own zone');
SELECT is(automation._default_zone(), 'Asia/Kathmandu', 'has it at once');
SELECT is(crm.zoned('{}'), '2026-03-02 09:00+05:45', 'for its steps');
SELECT lives_ok(format('ALTER DATABASE %I SET timezone = ''Foo+3''', current_database()), 'one that is none');
SELECT is(automation._default_zone(), 'UTC', 'does not count');
SELECT is(crm.refused(format('{"zone": "%s"}', zone)), '22023 ' || message, zone)
FROM (VALUES ('Mars/Phobos', 'time zone "Mars/Phobos" not recognized'), ('', 'time zone "" not recognized'),
	('Foo+3', 'time zone "Foo+3" is not a named time zone | Use a name from pg_timezone_names.'),
	('Foo/Bar+3', 'time zone "Foo/Bar+3" is not a named time zone | Use a name from pg_timezone_names.'),
	('CET-1CEST,M3.5.0,M10.5.0/3', 'time zone "CET-1CEST,M3.5.0,M10.5.0/3" is not a named time zone | Use a name from pg_timezone_names.'),
	('<+03>-3', 'time zone "<+03>-3" is not a named time zone | Use a name from pg_timezone_names.')) AS v(zone, message);
SELECT is(automation._check_zone(lower(name)), name, name) FROM unnest('{Europe/Berlin,GB-Eire,NZ-CHAT,EST5EDT,GMT0,Etc/GMT-14,UTC,America/Port-au-Prince}'::text[]) AS name;
SELECT throws_ok('SELECT automation._check_zone(NULL)', '22004', 'time zone must not be null', 'no zone');
SELECT is(crm.refused('{"zone": "field:contact.age"}'), '42804 column "contact.age" is of type integer, not text | Use a column with names of pg_timezone_names.', 'a zone that is a number');
SELECT is(crm.refused('{"zone": "field:contact.zoen"}'), '42703 column "contact.zoen" does not exist | Perhaps you meant to reference the column "contact.zone".', 'a zone that is missing');

-- Delays that are none

CREATE FUNCTION crm.delay(delay text, negative boolean) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN automation._check_delay(delay, negative);
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END
$$;
SELECT is(crm.delay(delay, false), answer, coalesce(delay, 'null')) FROM (VALUES
	('90 min', '01:30:00'), ('P1DT2H', '1 day 02:00:00'), ('5 years', '5 years'), ('0', '00:00:00'),
	('-1 day', '22023 delay must not be negative'), ('1 month -31 days', '22023 delay must not be negative'), ('1 day ago', '22023 delay must not be negative'),
	('5 years 1 sec', '22023 delay must not exceed 5 years'), ('10 years', '22023 delay must not exceed 5 years'), ('999999999 hours', '22023 delay must not exceed 5 years'),
	('99999999999 years', '22008 interval out of range'), ('9999999999999999999 hours', '22008 interval out of range'),
	('soon', '22007 delay is no interval: "soon"'), ('', '22007 delay is no interval: ""'),
	(NULL, '22004 delay must not be null')) AS v(delay, answer);
SELECT is(crm.delay('-5 years', true), '-5 years', 'before a field');
SELECT is(crm.delay('-5 years -1 sec', true), '22023 delay must not exceed 5 years', 'but no more than 5 years');
SET LOCAL intervalstyle = sql_standard;
SELECT is(crm.delay('-1 12:00', false), '22023 delay must not be negative', 'in any style');
SELECT is(crm.around('2026-03-05 10:00', '{"delay": "-1 days -02:00:00"}'), '2026-03-04 08:00', 'means the same');
RESET intervalstyle;
SELECT throws_ok(format('SELECT crm.due(%L, new => %L)', timing, jsonb_build_object('due_on', day)), '22008', message, message || ' ' || timing)
FROM (VALUES ('{"anchor": "field:due_on", "delay": "1 month"}', '294276-12-31', 'timestamp out of range'),
	('{"anchor": "field:due_on", "delay": "800 hours"}', '294276-12-31', 'timestamp out of range'),
	('{"anchor": "field:due_on", "delay": "-1 month"}', '4714-12-01 BC', 'timestamp out of range'),
	('{"anchor": "field:due_on"}', '5874897-12-31', 'date out of range for timestamp'),
	('{"anchor": "field:due_on", "workdays": 1}', '294276-12-31', 'timestamp out of range for a calendar'),
	('{"anchor": "field:due_on", "weekdays": ["mon"]}', '40000-12-31', 'timestamp out of range for a calendar')) AS v(timing, day, message);

-- Other timings that are none

SELECT is(crm.refused(timing), message, coalesce(timing, 'null')) FROM (VALUES
	(NULL, '22023 parameters of timing must be a JSON object'),
	('{"delay": null}', '22023 parameter "delay" of timing must not be of type null | Valid types are: string.'),
	('[]', '22023 parameters of timing must be a JSON object'),
	('{"dely": "1 day"}', '22023 unrecognized parameter "dely" of timing | Perhaps you meant "delay". Valid parameters are: anchor, at, calendar, delay, not_after, quiet_hours, roll, share, time_of_day, weekdays, window, workdays, zone.'),
	('{"delay": 5}', '22023 parameter "delay" of timing must not be of type number | Valid types are: string.'),
	('{"weekdays": "mon"}', '22023 parameter "weekdays" of timing must not be of type string | Valid types are: array.'),
	('{"window": ["08:00", "20:00"]}', '22023 parameter "window" of timing must not be of type array | Valid types are: object.'),
	('{"delay": "-1 day"}', '22023 delay must not be negative'),
	('{"anchor": "entered", "delay": "-1 day"}', '22023 delay must not be negative'),
	('{"anchor": "yesterday"}', '22023 unrecognized anchor: "yesterday" | Valid anchors are: trigger, previous, entered, left, field:<column>.'),
	('{"anchor": "due_on"}', '22023 unrecognized anchor: "due_on" | Valid anchors are: trigger, previous, entered, left, field:<column>.'),
	('{"anchor": "field:du_on"}', '42703 column "du_on" does not exist | Perhaps you meant to reference the column "due_on".'),
	('{"anchor": "field:note"}', '42804 column "note" is of type text, not a date or time | An anchor is a column of type date, timestamp or timestamptz.'),
	('{"anchor": "field:alarm"}', '42804 column "alarm" is of type time without time zone, not a date or time | An anchor is a column of type date, timestamp or timestamptz.'),
	('{"anchor": "field:contact.zone"}', '22023 anchor "field:contact.zone" is no column of table "crm.job" | A step moves with its row, not with others.'),
	('{"anchor": "field:old.due_on"}', '22023 anchor "field:old.due_on" is no column of table "crm.job" | A step moves with its row, not with others.'),
	('{"calendar": "kolkat"}', '42704 calendar "kolkat" does not exist | Perhaps you meant "kolkata".')) AS v(timing, message);

-- A rule keeps what its timing reads

SELECT lives_ok(format($$SELECT automation._compile('tap', 'timestamptz', automation._select_sql('crm.job', %L))$$,
	crm.due_sql('{"anchor": "field:wall", "delay": "-1 day", "time_of_day": "18:00", "zone": "field:contact.zone", "calendar": "kolkata", "not_after": "0"}')), 'it compiles');
ALTER TABLE crm.job RENAME wall TO appointment;
SELECT throws_ok('ALTER TABLE crm.job DROP appointment', '2BP01', NULL, 'and PostgreSQL keeps the column');

-- Schedules

CREATE FUNCTION crm.cron(schedule text, after text DEFAULT '2026-02-15 12:00') RETURNS text LANGUAGE sql
RETURN to_char(automation._cron_next(schedule, after::timestamp AT TIME ZONE 'Europe/Berlin', 'Europe/Berlin') AT TIME ZONE 'Europe/Berlin', 'YYYY-MM-DD HH24:MI');
SELECT is(crm.cron(schedule), due, schedule) FROM (VALUES
	('0 9 * * mon-fri', '2026-02-16 09:00'), ('*/15 * * * *', '2026-02-15 12:15'), ('@daily', '2026-02-16 00:00'), ('0 0 29 2 *', '2028-02-29 00:00'),
	('0 0 1 * mon', '2026-02-16 00:00')) AS v(schedule, due);
SELECT is(crm.cron('30 2 * * *', '2026-03-28 12:00'), '2026-03-29 03:00', 'at the jump');
SELECT is(automation._cron_next('0 9 * * *', now, 'Asia/Tokyo'), '2026-02-16 00:00Z', 'in another zone') FROM (VALUES ('2026-02-15 12:00Z'::timestamptz)) AS v(now);
CREATE FUNCTION crm.bad_cron(schedule text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN automation._check_cron(schedule);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || SQLERRM || ' | ' || detail;
END
$$;
SELECT is(crm.bad_cron('0 9 * * mon-fri'), '0 9 * * mon-fri', 'a schedule');
SELECT is(crm.bad_cron('61 * * * *'), '22023 invalid cron schedule: "61 * * * *" | Minute must be between 0 and 59.', 'a minute that no hour has');
SELECT is(crm.bad_cron('0 0 30 2 *'), '22023 invalid cron schedule: "0 0 30 2 *" | None of its months has such a day.', 'a day that no February has');
SELECT throws_ok('SELECT automation._check_cron(NULL)', '22004', 'cron schedule must not be null', 'no schedule');
SELECT throws_ok(format('SELECT automation._cron_next(''@daily'', %L, %L)', after, zone), state, message, message) FROM (VALUES
	('infinity', 'UTC', '22008', 'timestamp out of range for a calendar'), ('200000-01-01', 'UTC', '22008', 'timestamp out of range for a calendar'),
	('2026-01-01', 'Mars/Phobos', '22023', 'time zone "Mars/Phobos" not recognized')) AS v(after, zone, state, message);

-- Recurrence

SELECT is(automation._recur_next('2026-01-31 09:00+01', every::interval, after::timestamptz, 'Europe/Berlin') AT TIME ZONE 'Europe/Berlin', due::timestamp, every || ' after ' || after)
FROM (VALUES ('1 month', '2026-01-01Z', '2026-01-31 09:00'), ('1 month', '2026-01-31 08:00Z', '2026-02-28 09:00'), ('1 month', '2026-03-01Z', '2026-03-31 09:00'),
	('1 month', '2036-02-01Z', '2036-02-29 09:00'), ('1 day', '2026-03-28 12:00Z', '2026-03-29 09:00'), ('24 hours', '2026-03-28 12:00Z', '2026-03-29 10:00'),
	('2 weeks', '2026-02-14 08:00Z', '2026-02-28 09:00'), ('1 year', '2027-06-01Z', '2028-01-31 09:00')) AS v(every, after, due);
SELECT is((SELECT array_agg(DISTINCT extract(day FROM d.day)) FROM generate_series(0, 400) AS n,
	LATERAL (SELECT automation._recur_next('2026-01-31 09:00Z', '1 month', '2026-01-31 09:00Z'::timestamptz + n * '30 days'::interval, 'UTC') AT TIME ZONE 'UTC') AS d(day)),
	'{28,29,30,31}', 'the 31st does not drift');
SELECT is(automation._recur_next('2026-01-01Z', '1 us', '2036-01-01Z', 'UTC'), '2036-01-01 00:00:00.000001Z', 'microseconds for ten years');
SELECT throws_ok(format('SELECT automation._recur_next(%L, %L, ''2026-01-01'', ''UTC'')', start, every), state, message, message || ' ' || every) FROM (VALUES
	('2025-01-01', '0', '22023', 'recurrence interval must be positive'), ('2025-01-01', '-1 day', '22023', 'recurrence interval must be positive'),
	('2025-01-01', '1 month -1 day', '22023', 'recurrence interval must be positive'), ('2025-01-01', '101 years', '22023', 'recurrence interval must not exceed 100 years'),
	('infinity', '1 day', '22008', 'timestamp out of range for a calendar')) AS v(start, every, state, message);

SELECT * FROM finish();
ROLLBACK;
