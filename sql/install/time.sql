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

CREATE FUNCTION automation._due_sql(scope automation._scope, timing jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
	WHEN timing ? 'at' THEN format('%L::timestamptz', timing ->> 'at')
	WHEN timing ->> 'anchor' LIKE 'field:%' THEN format('new.%I::timestamptz + %L::interval', substr(timing ->> 'anchor', 7), timing ->> 'delay')
	ELSE format('automation._now() + %L::interval', timing ->> 'delay') END;
COMMENT ON FUNCTION automation._due_sql(automation._scope, jsonb) IS 'stub';
