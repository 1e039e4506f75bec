-- Calendars: workdays, opening hours and holidays.

-- Weeks. They begin on Monday and are counted in seconds.

CREATE FUNCTION automation._weekday_names() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN '{mon,tue,wed,thu,fri,sat,sun}'::text[];
COMMENT ON FUNCTION automation._weekday_names() IS 'Days of the week, in order';

CREATE FUNCTION automation._check_weekdays(name text, weekdays text[]) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	unknown text := (SELECT d FROM unnest(weekdays) AS d WHERE d IS NULL OR d <> ALL (automation._weekday_names()) LIMIT 1);
BEGIN
	IF weekdays = '{}' OR weekdays IS NULL THEN
		PERFORM automation._fail('22023', format('%s must not be empty', name));
	ELSIF unknown IS NOT NULL OR array_position(weekdays, NULL) IS NOT NULL THEN
		PERFORM automation._fail('22023', format('unrecognized weekday: "%s"', unknown),
			hint => format('Valid weekdays are: %s.', automation._list(automation._weekday_names())));
	END IF;
	RETURN weekdays;
END
$$;
COMMENT ON FUNCTION automation._check_weekdays(text, text[]) IS 'The weekdays; raises an error when there are none, or others';

CREATE FUNCTION automation._second_of_day(clock text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF clock !~ '^([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?$' THEN
		PERFORM automation._fail('22007', format('invalid time of day: "%s"', clock),
			hint => 'Write it as HH:MM or HH:MM:SS.');
	END IF;
	RETURN extract(epoch FROM clock::time);
END
$$;
COMMENT ON FUNCTION automation._second_of_day(text) IS 'Seconds between midnight and what the text says';

CREATE FUNCTION automation._hours(name text, hours jsonb) RETURNS int4multirange
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	first integer;
	last integer;
BEGIN
	PERFORM automation._check_params(name,
		'{"required": ["from", "to"], "properties": {"from": {"type": "string"}, "to": {"type": "string"}}}', hours);
	first := automation._second_of_day(hours ->> 'from');
	last := CASE WHEN hours ->> 'to' = '24:00' THEN 86400 ELSE automation._second_of_day(hours ->> 'to') END;
	IF first = last THEN
		PERFORM automation._fail('22023', format('%s start and end must differ', name));
	ELSIF first > last THEN
		RETURN int4multirange(int4range(0, last), int4range(first, 86400));
	END IF;
	RETURN int4multirange(int4range(first, last));
END
$$;
COMMENT ON FUNCTION automation._hours(text, jsonb) IS 'The seconds of a day in {"from": "20:00", "to": "06:00"}';

CREATE FUNCTION automation._week(weekdays text[], hours int4multirange) RETURNS int4multirange
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT range_agg(int4range(d.midnight + lower(h), d.midnight + upper(h)))
	FROM unnest(weekdays) AS w(name),
		LATERAL (SELECT 86400 * (array_position(automation._weekday_names(), w.name) - 1)) AS d(midnight),
		unnest(hours) AS h
);
COMMENT ON FUNCTION automation._week(text[], int4multirange) IS 'A week with these hours on these days';

-- Calendars

CREATE FUNCTION automation._opening_hours(hours jsonb) RETURNS int4multirange
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	opening int4multirange;
BEGIN
	IF jsonb_typeof(hours) = 'array' THEN
		opening := (SELECT range_agg(o) FROM jsonb_array_elements(hours) AS h, unnest(automation._opening_hours(h)) AS o);
		IF opening IS NULL THEN
			PERFORM automation._fail('22023', 'opening hours must not be empty');
		END IF;
		RETURN opening;
	END IF;
	opening := automation._hours('opening hours', hours);
	IF (SELECT count(*) FROM unnest(opening)) > 1 THEN
		PERFORM automation._fail('22023', 'opening hours must end after they start',
			hint => 'Give what is after midnight to the next day.');
	END IF;
	RETURN opening;
END
$$;
COMMENT ON FUNCTION automation._opening_hours(jsonb) IS 'The seconds of a day in {"from": "09:00", "to": "17:00"}, or in an array of such';

CREATE FUNCTION automation._opening(workdays text[], hours jsonb) RETURNS int4multirange
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_by_day CONSTANT boolean := jsonb_typeof(hours) = 'object' AND NOT hours ?| '{from,to}';
	others text;
BEGIN
	PERFORM automation._check_weekdays('workdays', workdays);
	IF hours IS NULL OR hours = '{}' THEN
		RETURN automation._week(workdays, '{[0,86400)}');
	ELSIF NOT is_by_day THEN
		RETURN automation._week(workdays, automation._opening_hours(hours));
	END IF;
	others := (SELECT automation._list(array_agg(k)) FROM jsonb_object_keys(hours) AS k WHERE k <> ALL (workdays));
	IF others IS NOT NULL OR NOT hours ?& workdays THEN
		PERFORM automation._fail('22023', 'opening hours by weekday must be those of the workdays',
			concat_ws(' ', 'Not a workday: ' || others || '.',
				'Without hours: ' || (SELECT automation._list(array_agg(w)) FROM unnest(workdays) AS w WHERE NOT hours ? w) || '.'));
	END IF;
	RETURN (
		SELECT range_agg(o)
		FROM unnest(workdays) AS w, unnest(automation._week(ARRAY[w], automation._opening_hours(hours -> w))) AS o);
END
$$;
COMMENT ON FUNCTION automation._opening(text[], jsonb) IS 'The part of the week in which a calendar is open';

CREATE TABLE automation.calendar (
	name text PRIMARY KEY,
	zone text,
	workdays text[] NOT NULL,
	hours jsonb,
	week int4multirange NOT NULL GENERATED ALWAYS AS (automation._opening(workdays, hours)) STORED,
	created_at timestamptz NOT NULL DEFAULT automation._now()
);
COMMENT ON TABLE automation.calendar IS 'When work is done';
COMMENT ON COLUMN automation.calendar.name IS 'What users call it';
COMMENT ON COLUMN automation.calendar.zone IS 'Time zone of those who follow it; null: whatever zone the row or the database has';
COMMENT ON COLUMN automation.calendar.workdays IS 'Some of mon to sun';
COMMENT ON COLUMN automation.calendar.hours IS 'Opening hours, {"from": ..., "to": ...} or an array of such, for every workday alike or by weekday; null: all day';
COMMENT ON COLUMN automation.calendar.week IS 'The seconds of the week, from Monday on, in which it is open';
COMMENT ON COLUMN automation.calendar.created_at IS 'When it was made';

-- No foreign key: pg_restore may load two tables at once.
CREATE TABLE automation.holiday (
	calendar text NOT NULL,
	day date NOT NULL,
	name text,
	PRIMARY KEY (calendar, day)
);
COMMENT ON TABLE automation.holiday IS 'Days on which a calendar is closed';
COMMENT ON COLUMN automation.holiday.calendar IS 'The calendar';
COMMENT ON COLUMN automation.holiday.day IS 'The day';
COMMENT ON COLUMN automation.holiday.name IS 'What is celebrated';

CREATE FUNCTION automation._calendar(name text) RETURNS automation.calendar
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	calendar automation.calendar;
BEGIN
	SELECT c.* INTO calendar FROM automation.calendar AS c WHERE c.name = _calendar.name;
	IF NOT FOUND THEN
		PERFORM automation._no_such('calendar', name, ARRAY(SELECT c.name FROM automation.calendar AS c));
	END IF;
	RETURN calendar;
END
$$;
COMMENT ON FUNCTION automation._calendar(text) IS 'A calendar by its name';

CREATE FUNCTION automation.create_calendar(
	name text,
	workdays text[] DEFAULT '{mon,tue,wed,thu,fri}',
	hours jsonb DEFAULT NULL,
	zone text DEFAULT NULL,
	holidays date[] DEFAULT '{}')
RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_calendar(text, text[], jsonb, text, date[])
	IS 'Makes a calendar that steps can follow. hours: {"from": "09:00", "to": "17:00"}, an array of such, or one of both for each workday; all day by default';

CREATE FUNCTION automation._create_calendar(
	caller regrole,
	name text,
	workdays text[],
	hours jsonb,
	zone text,
	holidays date[])
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (octet_length(name) BETWEEN 1 AND 63 AND name !~ '[[:cntrl:]]') IS NOT TRUE THEN
		PERFORM automation._fail('42602', format('invalid calendar name: "%s"', name),
			'A name has 1 to 63 bytes and no control characters.');
	ELSIF EXISTS (SELECT FROM automation.calendar AS c WHERE c.name = _create_calendar.name) THEN
		PERFORM automation._fail('42710', format('calendar "%s" already exists', name),
			hint => 'Use automation.alter_calendar().');
	END IF;
	INSERT INTO automation.calendar (name, workdays, hours, zone)
	VALUES (name, workdays, hours, CASE WHEN zone IS NOT NULL THEN automation._check_zone(zone) END);
	PERFORM automation._add_holiday(caller, name, h.day, NULL) FROM unnest(holidays) AS h(day);
END
$$;
COMMENT ON FUNCTION automation._create_calendar(regrole, text, text[], jsonb, text, date[]) IS 'automation.create_calendar()';

CREATE FUNCTION automation.alter_calendar(
	name text,
	workdays text[] DEFAULT NULL,
	hours jsonb DEFAULT NULL,
	zone text DEFAULT NULL)
RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.alter_calendar(text, text[], jsonb, text)
	IS 'Changes what is given of a calendar, for steps scheduled from now on; empty hours ({}) mean all day, an empty zone none';

CREATE FUNCTION automation._alter_calendar(
	caller regrole,
	name text,
	workdays text[],
	hours jsonb,
	zone text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._calendar(name);
	UPDATE automation.calendar AS c
	SET workdays = coalesce(_alter_calendar.workdays, c.workdays),
		hours = coalesce(_alter_calendar.hours, c.hours),
		zone = CASE WHEN _alter_calendar.zone <> '' THEN automation._check_zone(_alter_calendar.zone)
			WHEN _alter_calendar.zone IS NULL THEN c.zone END
	WHERE c.name = _alter_calendar.name;
END
$$;
COMMENT ON FUNCTION automation._alter_calendar(regrole, text, text[], jsonb, text) IS 'automation.alter_calendar()';

CREATE FUNCTION automation.drop_calendar(name text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_calendar(text) IS 'Drops a calendar that no rule uses';

CREATE FUNCTION automation._calendar_users(name text) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		SELECT format('"%s"', r.name)
		FROM automation.rule AS r
		JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
		WHERE EXISTS (
			SELECT FROM jsonb_array_elements(v.steps) AS s WHERE s -> 'timing' ->> 'calendar' = _calendar_users.name)
		ORDER BY r.id);
END
$$;
COMMENT ON FUNCTION automation._calendar_users(text) IS 'Rules with steps that follow a calendar';

CREATE FUNCTION automation._drop_calendar(caller regrole, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	users CONSTANT text[] := automation._calendar_users(name);
BEGIN
	PERFORM automation._calendar(name);
	IF users <> '{}' THEN
		PERFORM automation._fail('2BP01', format('cannot drop calendar "%s" because rules depend on it', name),
			format('Rules with it: %s.', automation._list(users)));
	END IF;
	DELETE FROM automation.calendar AS c WHERE c.name = _drop_calendar.name;
	DELETE FROM automation.holiday AS h WHERE h.calendar = _drop_calendar.name;
END
$$;
COMMENT ON FUNCTION automation._drop_calendar(regrole, text) IS 'automation.drop_calendar()';

CREATE FUNCTION automation.add_holiday(calendar text, day date, name text DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.add_holiday(text, date, text) IS 'Closes a calendar for a day, for steps scheduled from now on; once more gives it the new name';

CREATE FUNCTION automation._add_holiday(caller regrole, calendar text, day date, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._calendar(calendar);
	IF isfinite(day) IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'holiday must be a day');
	END IF;
	INSERT INTO automation.holiday (calendar, day, name) VALUES (calendar, day, name)
	ON CONFLICT ON CONSTRAINT holiday_pkey DO UPDATE SET name = excluded.name;
END
$$;
COMMENT ON FUNCTION automation._add_holiday(regrole, text, date, text) IS 'automation.add_holiday()';

CREATE FUNCTION automation.remove_holiday(calendar text, day date) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.remove_holiday(text, date) IS 'Ends add_holiday()';

CREATE FUNCTION automation._remove_holiday(caller regrole, calendar text, day date) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._calendar(calendar);
	DELETE FROM automation.holiday AS h WHERE h.calendar = _remove_holiday.calendar AND h.day = _remove_holiday.day;
	IF NOT FOUND THEN
		PERFORM automation._fail('42704', format('calendar "%s" has no holiday on %s', calendar, day));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._remove_holiday(regrole, text, date) IS 'automation.remove_holiday()';

CREATE VIEW automation.calendars AS
SELECT
	c.name,
	c.workdays,
	c.hours,
	c.zone,
	(SELECT coalesce(jsonb_object_agg(h.day, h.name ORDER BY h.day), '{}') FROM automation.holiday AS h WHERE h.calendar = c.name) AS holidays,
	c.created_at
FROM automation.calendar AS c
ORDER BY c.name;
COMMENT ON VIEW automation.calendars IS 'Calendars that steps can follow, with their holidays';
COMMENT ON COLUMN automation.calendars.name IS 'Name';
COMMENT ON COLUMN automation.calendars.holidays IS 'Days on which it is closed: {"2030-12-25": "Christmas"}';

CREATE FUNCTION automation._calendar_zone(name text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER
BEGIN ATOMIC
	SELECT c.zone FROM automation.calendar AS c WHERE c.name = _calendar_zone.name;
END;
COMMENT ON FUNCTION automation._calendar_zone(text) IS 'Time zone of a calendar, or null';

CREATE FUNCTION automation._fit(
	base timestamptz,
	delay interval,
	zone text,
	workdays integer,
	working_week int4multirange,
	backward boolean,
	time_of_day integer,
	day_itself boolean,
	week int4multirange,
	holidays date[])
RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_schedule';
COMMENT ON FUNCTION automation._fit(timestamptz, interval, text, integer, int4multirange, boolean, integer, boolean, int4multirange, date[])
	IS 'The instant after delay and working days, on an allowed day, at the time of day, within the allowed hours; a time_of_day of -1 is as it comes';

CREATE FUNCTION automation._schedule(base timestamptz, delay interval, plan jsonb, zone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- Where no calendar tells, Monday to Friday are working days.
	working_week int4multirange := '{[0,432000)}';
	week int4multirange := plan ->> 'week';
	holidays date[] := '{}';
BEGIN
	IF plan ? 'calendar' THEN
		working_week := (automation._calendar(plan ->> 'calendar')).week;
		week := week * working_week;
		holidays := ARRAY(SELECT h.day FROM automation.holiday AS h WHERE h.calendar = plan ->> 'calendar' ORDER BY h.day);
	END IF;
	RETURN automation._fit(base, delay, zone, (plan ->> 'workdays')::integer, working_week,
		(plan -> 'backward')::boolean, coalesce((plan ->> 'time_of_day')::integer, -1), (plan -> 'day_itself')::boolean, week, holidays);
END
$$;
COMMENT ON FUNCTION automation._schedule(timestamptz, interval, jsonb, text) IS 'When a step with a plan of automation._plan() is due';
