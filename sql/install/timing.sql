-- When a step is due: from its timing to SQL.

CREATE FUNCTION automation._timing_schema() RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN '{"properties": {
	"anchor": {"type": "string"},
	"delay": {"type": "string"},
	"share": {"type": "number"},
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
	instant timestamptz;
BEGIN
	IF at !~ '^\d{4,6}-' THEN
		PERFORM automation._fail('22007', format('invalid instant: "%s"', at),
			hint => 'Write it as 2030-12-31 18:00, or with a time zone as 2030-12-31 18:00+01.');
	END IF;
	instant := at;
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
	IF cardinality(automation._parse_path(substr(anchor, length('field:') + 1))) > 1 THEN
		PERFORM automation._fail('22023', format('anchor "%s" is no column of table "%s"', anchor, scope.relation),
			hint => 'A step moves with its row, not with others.');
	END IF;
	IF timing ? 'share' THEN
		RETURN automation._sla_share_sql(scope, (timing ->> 'share')::numeric);
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
		PERFORM automation._fail('22023', 'timing leaves no time at all',
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
