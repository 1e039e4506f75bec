-- Arithmetic of instants and wall clocks.

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
	EXCEPTION
	WHEN interval_field_overflow THEN
		PERFORM automation._fail('22008', 'interval out of range', format('The %s is "%s".', name, delay));
	WHEN invalid_datetime_format THEN
		PERFORM automation._fail('22007', format('%s is no interval: "%s"', name, delay), hint => 'Write it as 2 days, or 1 hour 30 minutes.');
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

-- What comes again and again

CREATE FUNCTION automation._check_cron(schedule text) RETURNS text
LANGUAGE C IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_check_cron';
COMMENT ON FUNCTION automation._check_cron(text) IS 'The cron schedule; raises an error for what is none, or never comes';

CREATE FUNCTION automation._cron_next(schedule text, after timestamptz, zone text) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_cron_next';
COMMENT ON FUNCTION automation._cron_next(text, timestamptz, text) IS 'The first instant after this one at which a cron schedule is due by the clocks of the zone';

CREATE FUNCTION automation._recur_next(start timestamptz, every interval, after timestamptz, zone text) RETURNS timestamptz
LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'automation_recur_next';
COMMENT ON FUNCTION automation._recur_next(timestamptz, interval, timestamptz, text) IS 'The first of start, start + every, start + 2 * every, ... after this instant, each by the clocks of the zone';
