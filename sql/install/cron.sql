-- pg_cron: one job calls tick() each minute, should the worker not, and one clears away at night. What is
-- due, and when, stands in automation.pending alone.

CREATE FUNCTION automation._jobs(retention interval, payload_retention interval, keep text[]) RETURNS TABLE (name text, schedule text, command text)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	VALUES
		('pg_automation tick', '* * * * *', 'SELECT automation.tick()'),
		('pg_automation housekeeping', '43 3 * * *', format('SELECT automation.housekeep(%L, %L, %L)', retention, payload_retention, keep));
END;
COMMENT ON FUNCTION automation._jobs(interval, interval, text[]) IS 'Our jobs in pg_cron';

CREATE FUNCTION automation._check_cron_here() RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
		PERFORM automation._fail('55000', 'pg_cron is not installed in this database',
			hint => 'Preload it, set cron.database_name to this database, restart, and CREATE EXTENSION pg_cron.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_cron_here() IS 'Raises an error unless pg_cron runs in this database';

CREATE FUNCTION automation.schedule_jobs(retention interval DEFAULT NULL, payload_retention interval DEFAULT NULL, keep text[] DEFAULT '{}') RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.schedule_jobs(interval, interval, text[])
	IS 'Has pg_cron call automation.tick() each minute and automation.housekeep(retention, payload_retention, keep) each night; again changes what is kept how long';

CREATE FUNCTION automation._schedule_jobs(caller regrole, retention interval, payload_retention interval, keep text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job record;
BEGIN
	PERFORM automation._check_cron_here();
	PERFORM automation._check_age('retention', retention), automation._check_age('payload_retention', payload_retention),
		automation._check_keep(keep);
	FOR job IN SELECT j.* FROM automation._jobs(retention, payload_retention, keep) AS j LOOP
		EXECUTE 'SELECT cron.schedule($1, $2, $3)' USING job.name, job.schedule, job.command;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._schedule_jobs(regrole, interval, interval, text[]) IS 'automation.schedule_jobs()';

CREATE FUNCTION automation.unschedule_jobs() RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.unschedule_jobs() IS 'Ends schedule_jobs(): before DROP EXTENSION';

CREATE FUNCTION automation._unschedule_jobs(caller regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_cron_here();
	EXECUTE 'SELECT cron.unschedule(j.jobid) FROM cron.job AS j WHERE j.jobname = ANY ($1)'
	USING ARRAY(SELECT j.name FROM automation._jobs(NULL, NULL, NULL) AS j);
END
$$;
COMMENT ON FUNCTION automation._unschedule_jobs(regrole) IS 'automation.unschedule_jobs()';

CREATE FUNCTION automation.housekeep(retention interval DEFAULT NULL, payload_retention interval DEFAULT NULL, keep text[] DEFAULT '{}') RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.housekeep(interval, interval, text[])
	IS 'Clears away what nothing waits for any more, pg_cron''s history of our jobs, volumes of the log that are older than the retention (null: none) but for runs of the statuses in keep, and messages that are older than the payload_retention';

CREATE FUNCTION automation._housekeep(caller regrole, retention interval, payload_retention interval, keep text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_age('retention', retention), automation._check_age('payload_retention', payload_retention),
		automation._check_keep(keep);
	-- The last touch of a row tells since when it is in its stage. A day covers transactions still under way.
	DELETE FROM automation.touch AS t
	WHERE t.at < automation._now() - interval '1 day'
		AND EXISTS (
			SELECT FROM automation.touch AS n
			WHERE n.entity_id = t.entity_id AND n.key = t.key AND n.id > t.id AND n.columns @> t.columns)
		AND NOT EXISTS (
			SELECT FROM automation.pending AS p
			WHERE p.entity_id = t.entity_id AND p.key = t.key AND coalesce(p.run_id, p.id) < t.id);
	PERFORM automation._forget_sendings(), automation._forget_undone();
	PERFORM automation._drop_idle_versions(r.id) FROM automation.rule AS r;
	IF payload_retention IS NOT NULL THEN
		PERFORM automation._purge_payloads(payload_retention);
	END IF;
	DELETE FROM automation.token AS t WHERE t.expires_at < automation._now() - interval '90 days';
	IF retention IS NOT NULL THEN
		PERFORM automation._purge(retention, keep, exactly => false);
	END IF;
	IF EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
		EXECUTE 'DELETE FROM cron.job_run_details AS d USING cron.job AS j
			WHERE j.jobid = d.jobid AND j.jobname = ANY ($1) AND d.end_time < automation._now() - interval ''2 days'''
		USING ARRAY(SELECT j.name FROM automation._jobs(NULL, NULL, NULL) AS j);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._housekeep(regrole, interval, interval, text[]) IS 'automation.housekeep()';
