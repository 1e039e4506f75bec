-- When something is due: arithmetic of instants and wall clocks.

CREATE FUNCTION automation._local_instant(local timestamp, zone text) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_local_instant';
COMMENT ON FUNCTION automation._local_instant(timestamp, text) IS 'The first instant at which the clocks of the zone show this or a later time: in a gap the transition, in a fold the first of the two';

CREATE FUNCTION automation._add(instant timestamptz, delay interval, zone text) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_add';
COMMENT ON FUNCTION automation._add(timestamptz, interval, text) IS 'Months and days are added on the wall clock of the zone, then hours, minutes and seconds as they pass';

CREATE FUNCTION automation._named_zone(zone text) RETURNS text
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_named_zone';
COMMENT ON FUNCTION automation._named_zone(text) IS 'The zone as pg_timezone_names spells it, null when it is not there';

CREATE FUNCTION automation._check_zone(zone text) RETURNS text
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_check_zone';
COMMENT ON FUNCTION automation._check_zone(text) IS 'The zone as pg_timezone_names spells it; raises an error for what is not there';

CREATE FUNCTION automation._check_delay(delay text, negative boolean, name text DEFAULT 'delay') RETURNS interval
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
SET intervalstyle = postgres
AS $$
DECLARE
	checked interval;
BEGIN
	IF delay IS NULL THEN
		PERFORM automation._fail('22004', format('%s must not be null', name));
	END IF;
	BEGIN
		checked := delay::interval;
	EXCEPTION WHEN interval_field_overflow THEN
		PERFORM automation._fail('22008', 'interval out of range', format('The %s is "%s".', name, delay));
	END;
	-- Any part of it: "1 month -31 days" is at times one.
	IF NOT negative AND checked::text ~ '-' THEN
		PERFORM automation._fail('22023', format('%s must not be negative', name));
	ELSIF checked NOT BETWEEN '-5 years' AND '5 years' THEN
		PERFORM automation._fail('22023', format('%s must not exceed 5 years', name));
	END IF;
	RETURN checked;
END
$$;
COMMENT ON FUNCTION automation._check_delay(text, boolean, text) IS 'The interval that the text says, at most five years; raises an error for what no delay can be';

CREATE FUNCTION automation._cluster_zone() RETURNS text
LANGUAGE C STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_cluster_zone';
COMMENT ON FUNCTION automation._cluster_zone() IS 'TimeZone of postgresql.conf when the server started; UTC without shared_preload_libraries';

CREATE FUNCTION automation._default_zone() RETURNS text
LANGUAGE sql STABLE
-- Never what the session says: clients and roles have time zones of their own.
BEGIN ATOMIC
	SELECT coalesce(
		(
			SELECT automation._named_zone(substr(s.setting, length('TimeZone=') + 1))
			FROM pg_catalog.pg_db_role_setting AS d, unnest(d.setconfig) AS s(setting)
			WHERE d.setrole = 0 AND starts_with(s.setting, 'TimeZone=')
				AND d.setdatabase IN (0, (SELECT b.oid FROM pg_catalog.pg_database AS b WHERE b.datname = current_database()))
			ORDER BY d.setdatabase DESC
			LIMIT 1
		),
		automation._named_zone(automation._cluster_zone()),
		'UTC');
END;
COMMENT ON FUNCTION automation._default_zone() IS 'The time zone of this database: ALTER DATABASE ... SET TimeZone, else that of the server';

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
	IF clock !~ '^(([01]?\d|2[0-3]):[0-5]\d(:[0-5]\d)?|24:00(:00)?)$' THEN
		PERFORM automation._fail('22007', format('invalid time of day: "%s"', clock),
			hint => 'Write it as HH:MM or HH:MM:SS.');
	END IF;
	RETURN extract(epoch FROM clock::time);
END
$$;
COMMENT ON FUNCTION automation._second_of_day(text) IS 'Seconds between midnight and what the text says, 24:00 included';

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
	last := automation._second_of_day(hours ->> 'to');
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

CREATE FUNCTION automation._bounds(week int4multirange) RETURNS integer[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(
	SELECT b.bound FROM unnest(week) AS r, LATERAL (VALUES (lower(r)), (upper(r))) AS b(bound) ORDER BY b.bound
);
COMMENT ON FUNCTION automation._bounds(int4multirange) IS 'Where each part begins and ends';

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
	IF isempty(opening) OR automation._second_of_day(hours ->> 'from') > automation._second_of_day(hours ->> 'to') THEN
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

CREATE TABLE automation.holiday (
	calendar text NOT NULL REFERENCES automation.calendar ON DELETE CASCADE,
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
		PERFORM automation._fail('42704', format('calendar "%s" does not exist', name),
			hint => automation._perhaps(name, ARRAY(SELECT c.name FROM automation.calendar AS c)));
	END IF;
	RETURN calendar;
END
$$;
COMMENT ON FUNCTION automation._calendar(text) IS 'A calendar by its name';

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
	working_week integer[],
	backward boolean,
	time_of_day integer,
	day_itself boolean,
	week integer[],
	holidays date[])
RETURNS timestamptz
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_schedule';
COMMENT ON FUNCTION automation._fit(timestamptz, interval, text, integer, integer[], boolean, integer, boolean, integer[], date[])
	IS 'The instant after delay and working days, on an allowed day, at the time of day, within the allowed hours; only time_of_day may be null';

CREATE FUNCTION automation._schedule(base timestamptz, delay interval, plan jsonb, zone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	week int4multirange := plan ->> 'week';
	calendar automation.calendar;
BEGIN
	IF plan ? 'calendar' THEN
		calendar := automation._calendar(plan ->> 'calendar');
		week := week * calendar.week;
	END IF;
	RETURN automation._fit(base, delay, zone,
		(plan ->> 'workdays')::integer, automation._bounds(coalesce(calendar.week, automation._office_week())),
		(plan -> 'backward')::boolean, (plan ->> 'time_of_day')::integer, (plan -> 'day_itself')::boolean,
		automation._bounds(week),
		ARRAY(SELECT h.day FROM automation.holiday AS h WHERE h.calendar = plan ->> 'calendar' ORDER BY h.day));
END
$$;
COMMENT ON FUNCTION automation._schedule(timestamptz, interval, jsonb, text) IS 'When a step with a plan of automation._plan() is due';

CREATE FUNCTION automation._office_week() RETURNS int4multirange
LANGUAGE sql IMMUTABLE
RETURN automation._week('{mon,tue,wed,thu,fri}', '{[0,86400)}');
COMMENT ON FUNCTION automation._office_week() IS 'What working days are where no calendar tells';

-- From a step's timing to SQL

CREATE FUNCTION automation._timing_schema() RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN '{"properties": {
	"anchor": {"type": "string"},
	"delay": {"type": "string"},
	"workdays": {"type": "number"},
	"at": {"type": "string"},
	"weekdays": {"type": "array"},
	"calendar": {"type": "string"},
	"roll": {"type": "string", "enum": ["next", "previous"]},
	"time_of_day": {"type": "string"},
	"window": {"type": "object"},
	"quiet_hours": {"type": "object"},
	"not_after": {"type": "string"},
	"zone": {"type": "string"}}}'::jsonb;
COMMENT ON FUNCTION automation._timing_schema() IS 'What a timing may say about when, as automation._check_params() takes it';

CREATE FUNCTION automation._timing_field(scope automation._scope, field text, OUT sql text, OUT type regtype)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT p.sql, automation._base_type(p.type) INTO sql, type
	FROM automation._path(scope, automation._parse_path(substr(field, length('field:') + 1)), 'column') AS p;
END
$$;
COMMENT ON FUNCTION automation._timing_field(automation._scope, text) IS 'SQL and type of field:<column>';

CREATE FUNCTION automation._zone_sql(scope automation._scope, timing jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	zone CONSTANT text := timing ->> 'zone';
	role_column CONSTANT text := automation._roles(scope.relation) ->> 'time_zone';
	candidates text[] := '{}';
	field record;
BEGIN
	IF starts_with(zone, 'field:') THEN
		SELECT f.* INTO field FROM automation._timing_field(scope, zone) AS f;
		IF (SELECT t.typcategory FROM pg_type AS t WHERE t.oid = field.type) NOT IN ('S', 'E') THEN
			PERFORM automation._fail('42804', format('column "%s" is of type %s, not text', substr(zone, length('field:') + 1), field.type),
				hint => 'Use a column with names of pg_timezone_names.');
		END IF;
		candidates := ARRAY[field.sql];
	ELSIF zone IS NOT NULL THEN
		RETURN format('%L::pg_catalog.text', automation._check_zone(zone));
	END IF;
	IF role_column IS NOT NULL THEN
		candidates := candidates || (automation._path(scope, ARRAY[role_column], 'column')).sql;
	END IF;
	IF timing ? 'calendar' THEN
		candidates := candidates || format('automation._calendar_zone(%L)', timing ->> 'calendar');
	END IF;
	RETURN CASE WHEN candidates = '{}' THEN 'automation._default_zone()' ELSE (
		SELECT format('coalesce(%s, automation._default_zone())',
			string_agg(format('automation._named_zone(%s::pg_catalog.text)', c.sql), ', ' ORDER BY c.place))
		FROM unnest(candidates) WITH ORDINALITY AS c(sql, place)) END;
END
$$;
COMMENT ON FUNCTION automation._zone_sql(automation._scope, jsonb)
	IS 'SQL for the time zone: that of the recipient, of the row, of the calendar, of the database; a zone named in the timing goes before all';

CREATE FUNCTION automation._has_days(delay interval) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN (extract(year FROM delay), extract(month FROM delay), extract(day FROM delay)) <> (0, 0, 0);
COMMENT ON FUNCTION automation._has_days(interval) IS 'Whether the length of the interval depends on the time zone';

CREATE FUNCTION automation._instant_sql(at text, zone text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET datestyle = 'ISO'
SET timezone = 'UTC'
AS $$
DECLARE
	instant CONSTANT timestamptz := at;
BEGIN
	IF at !~ '^\d{4,6}-' THEN
		PERFORM automation._fail('22007', format('invalid instant: "%s"', at),
			hint => 'Write it as 2030-12-31 18:00, or with a time zone as 2030-12-31 18:00+01.');
	END IF;
	BEGIN
		PERFORM (at || ' UTC')::timestamptz;
	EXCEPTION WHEN invalid_datetime_format THEN
		-- It has a zone, and takes no second one.
		RETURN format('%L::pg_catalog.timestamptz', instant);
	END;
	RETURN format('automation._local_instant(%L::pg_catalog.timestamp, %s)', at::timestamp, zone);
END
$$;
COMMENT ON FUNCTION automation._instant_sql(text, text) IS 'SQL for an instant; without a time zone of its own it is meant by the wall clock of the zone';

CREATE FUNCTION automation._base_sql(scope automation._scope, timing jsonb, zone text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	anchor CONSTANT text := coalesce(timing ->> 'anchor', 'trigger');
	field record;
BEGIN
	IF timing ? 'at' THEN
		RETURN automation._instant_sql(timing ->> 'at', zone);
	ELSIF anchor IN ('trigger', 'previous', 'entered', 'left') THEN
		RETURN 'automation._base()';
	ELSIF NOT starts_with(anchor, 'field:') THEN
		PERFORM automation._fail('22023', format('unrecognized anchor: "%s"', anchor),
			hint => 'Valid anchors are: trigger, previous, entered, left, field:<column>.');
	END IF;
	SELECT f.* INTO field FROM automation._timing_field(scope, anchor) AS f;
	CASE field.type
	WHEN 'timestamptz'::regtype THEN
		RETURN field.sql;
	WHEN 'timestamp'::regtype, 'date'::regtype THEN
		RETURN format('automation._local_instant(%s::pg_catalog.timestamp, %s)', field.sql, zone);
	ELSE
		PERFORM automation._fail('42804',
			format('column "%s" is of type %s, not a date or time', substr(anchor, length('field:') + 1), field.type),
			hint => 'An anchor is a column of type date, timestamp or timestamptz.');
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._base_sql(automation._scope, jsonb, text) IS 'SQL for the instant that a delay counts from';

CREATE FUNCTION automation._workdays(timing jsonb, negative boolean) RETURNS integer
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	workdays CONSTANT numeric := coalesce((timing ->> 'workdays')::numeric, 0);
BEGIN
	IF workdays < 0 AND NOT negative THEN
		PERFORM automation._fail('22023', 'workdays must not be negative');
	ELSIF workdays % 1 <> 0 OR workdays NOT BETWEEN -1000 AND 1000 THEN
		PERFORM automation._fail('22023', 'workdays must be a whole number of at most 1000');
	END IF;
	RETURN workdays;
END
$$;
COMMENT ON FUNCTION automation._workdays(jsonb, boolean) IS 'Working days of a timing, 0 without';

CREATE FUNCTION automation._allowed_week(timing jsonb) RETURNS int4multirange
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	hours int4multirange := '{[0,86400)}';
	week int4multirange;
BEGIN
	IF timing ? 'window' THEN
		hours := hours * automation._hours('window', timing -> 'window');
	END IF;
	IF timing ? 'quiet_hours' THEN
		hours := hours - automation._hours('quiet hours', timing -> 'quiet_hours');
	END IF;
	week := automation._week(
		CASE WHEN timing ? 'weekdays'
			THEN automation._check_weekdays('weekdays', ARRAY(SELECT jsonb_array_elements_text(timing -> 'weekdays')))
			ELSE automation._weekday_names() END,
		hours);
	IF timing ? 'calendar' AND isempty(week * (automation._calendar(timing ->> 'calendar')).week) OR week IS NULL THEN
		PERFORM automation._fail('22023', 'the timing leaves no time at all',
			'Weekdays, hours and calendar have nothing in common.');
	END IF;
	RETURN week;
END
$$;
COMMENT ON FUNCTION automation._allowed_week(jsonb) IS 'What a timing itself allows of a week; its calendar may take more away when a step is scheduled';

CREATE FUNCTION automation._plan(timing jsonb, delay interval, workdays integer) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_fixed CONSTANT boolean := timing ? 'at' OR starts_with(timing ->> 'anchor', 'field:');
	day_itself CONSTANT boolean := coalesce(is_fixed, false) AND delay <= '0' AND workdays <= 0;
BEGIN
	IF timing ? 'time_of_day' AND delay < '0' AND delay <> date_trunc('day', delay) THEN
		PERFORM automation._fail('22023', 'time_of_day needs a delay of whole days',
			format('The delay is "%s".', timing ->> 'delay'));
	ELSIF timing ->> 'time_of_day' LIKE '24:%' THEN
		PERFORM automation._fail('22007', format('invalid time of day: "%s"', timing ->> 'time_of_day'));
	END IF;
	RETURN jsonb_build_object(
		'workdays', workdays,
		'backward', coalesce(timing ->> 'roll' = 'previous', false),
		'time_of_day', automation._second_of_day(timing ->> 'time_of_day'),
		'day_itself', day_itself,
		'week', automation._allowed_week(timing))
		|| CASE WHEN timing ? 'calendar' THEN jsonb_build_object('calendar', timing -> 'calendar') ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION automation._plan(jsonb, interval, integer) IS 'What automation._schedule() does after the delay';

CREATE FUNCTION automation._check_timing(timing jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	beside text;
BEGIN
	PERFORM automation._check_params('timing', automation._timing_schema(), timing);
	beside := (SELECT k FROM unnest('{anchor,delay,workdays}'::text[]) AS k WHERE timing ? 'at' AND timing ? k LIMIT 1);
	IF beside IS NOT NULL THEN
		PERFORM automation._fail('22023', format('"at" and "%s" exclude each other', beside));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_timing(jsonb) IS 'Raises an error for what no timing can say';

CREATE FUNCTION automation._due_sql(scope automation._scope, timing jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET intervalstyle = postgres
AS $$
DECLARE
	needs_plan CONSTANT boolean := timing ?| '{workdays,weekdays,calendar,time_of_day,window,quiet_hours}';
	is_negative CONSTANT boolean := coalesce(starts_with(timing ->> 'anchor', 'field:'), false);
	delay interval;
	workdays integer;
	zone text;
	base text;
	due text;
BEGIN
	PERFORM automation._check_timing(timing);
	delay := automation._check_delay(coalesce(timing ->> 'delay', '0'), is_negative);
	workdays := automation._workdays(timing, is_negative);
	zone := automation._zone_sql(scope, timing);
	base := automation._base_sql(scope, timing, zone);
	due := CASE
		WHEN needs_plan THEN format('automation._schedule(%s, %L::pg_catalog.interval, %L::pg_catalog.jsonb, %s)',
			base, delay, automation._plan(timing, delay, workdays), zone)
		WHEN delay = '0' THEN base
		WHEN automation._has_days(delay) THEN format('automation._add(%s, %L::pg_catalog.interval, %s)', base, delay, zone)
		ELSE format('%s + %L::pg_catalog.interval', base, delay)
	END;
	IF timing ? 'not_after' THEN
		due := format('least(%s, automation._add(%s, %L::pg_catalog.interval, %s))',
			due, base, automation._check_delay(timing ->> 'not_after', false, 'not_after'), zone);
	END IF;
	RETURN due;
END
$$;
COMMENT ON FUNCTION automation._due_sql(automation._scope, jsonb)
	IS 'SQL expression for when a step is due, over the row as it is when the step is scheduled; raises an error for a timing that makes no sense';
