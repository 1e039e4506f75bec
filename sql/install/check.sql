-- What may be wrong with the installation: automation.check().

CREATE TYPE automation._finding AS ("check" text, ok boolean, detail text, hint text);
COMMENT ON TYPE automation._finding IS 'One row of automation.check()';

CREATE FUNCTION automation._library_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN ROW('library',
	strpos(current_setting('shared_preload_libraries'), 'pg_automation') > 0,
	'shared_preload_libraries = ' || current_setting('shared_preload_libraries'),
	'Add pg_automation to shared_preload_libraries and restart the server: nothing is sent without it.'
)::automation._finding;
COMMENT ON FUNCTION automation._library_finding() IS 'Whether the library is preloaded';

CREATE FUNCTION automation._worker_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('worker', count(*) > 0, coalesce('process ' || min(a.pid), 'no worker runs in this database'),
		'See the server log; max_worker_processes or pg_automation.databases may leave this database out.')::automation._finding
	FROM pg_stat_activity AS a
	WHERE a.backend_type = 'pg_automation worker' AND a.datname = current_database()
);
COMMENT ON FUNCTION automation._worker_finding() IS 'Whether a worker sends this database''s messages';

CREATE FUNCTION automation._processes_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('worker processes', count(*) < current_setting('max_worker_processes')::integer,
		format('%s of %s in use', count(*), current_setting('max_worker_processes')),
		'Raise max_worker_processes: each database with the extension needs one, the launcher and pg_cron one each.')::automation._finding
	FROM pg_stat_activity AS a
	WHERE a.backend_type NOT IN ('client backend', 'autovacuum launcher', 'autovacuum worker', 'background writer',
		'checkpointer', 'startup', 'walreceiver', 'walsender', 'walwriter', 'archiver')
);
COMMENT ON FUNCTION automation._processes_finding() IS 'Whether there is room for background workers';

CREATE FUNCTION automation._cron_problem(OUT detail text, OUT hint text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	database text := current_setting('cron.database_name', true);
	slots text := current_setting('cron.use_background_workers', true);
	tick record;
BEGIN
	IF database IS NULL THEN
		detail := 'not preloaded';
		hint := 'Set shared_preload_libraries = ''pg_cron,pg_automation'' and cron.database_name, and restart.';
	ELSIF database <> current_database() THEN
		detail := format('runs in database "%s"', database);
		hint := format('In that database: SELECT cron.schedule_in_database(''pg_automation tick'', ''* * * * *'', ''SELECT automation.tick()'', %L);',
			current_database());
	ELSIF NOT EXISTS (SELECT FROM pg_extension AS e WHERE e.extname = 'pg_cron') THEN
		detail := 'not installed in this database';
		hint := 'CREATE EXTENSION pg_cron; SELECT automation.schedule_jobs();';
	ELSE
		EXECUTE 'SELECT j.jobid, j.active, max(d.start_time) AS at,
				(array_agg(d.return_message ORDER BY d.runid DESC) FILTER (WHERE d.status = ''failed''))[1] AS error
			FROM cron.job AS j
			LEFT JOIN cron.job_run_details AS d ON d.jobid = j.jobid AND d.start_time > automation._now() - interval ''3 minutes''
			WHERE j.command = ''SELECT automation.tick()''
			GROUP BY j.jobid, j.active'
		INTO tick;
		IF tick.jobid IS NULL OR NOT tick.active THEN
			detail := 'does not call automation.tick()';
			hint := 'SELECT automation.schedule_jobs();';
		ELSIF tick.error IS NOT NULL THEN
			detail := format('its last call of automation.tick() failed: %s', tick.error);
			hint := CASE WHEN slots = 'off'
				THEN 'It connects to the server as a client: ALTER SYSTEM SET cron.use_background_workers = on, and restart, or see pg_hba.conf and cron.host.'
				ELSE 'See cron.job_run_details.' END;
		ELSIF tick.at IS NULL AND pg_postmaster_start_time() < automation._now() - interval '3 minutes' THEN
			detail := 'has not called automation.tick() for three minutes';
			hint := 'See cron.job_run_details and the server''s log; cron.max_running_jobs and max_worker_processes may be too small.';
		END IF;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._cron_problem() IS 'Why pg_cron does not keep time for us, or null';

CREATE FUNCTION automation._cron_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('pg_cron', p.detail IS NULL, coalesce(p.detail, 'calls automation.tick() each minute'), p.hint)::automation._finding
	FROM automation._cron_problem() AS p
);
COMMENT ON FUNCTION automation._cron_finding() IS 'Whether pg_cron keeps time should the worker not';

CREATE FUNCTION automation._delivery_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('delivery', s.mode IS DISTINCT FROM 'off', 'pg_automation.delivery = ' || coalesce(s.mode, 'on'),
		'All messages are held. Set pg_automation.delivery to on and reload, unless this is a copy of another database.')::automation._finding
	FROM (SELECT current_setting('pg_automation.delivery', true)) AS s(mode)
);
COMMENT ON FUNCTION automation._delivery_finding() IS 'Whether messages leave at all';

CREATE FUNCTION automation._home_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('home', c.message IS NULL, coalesce(c.detail, 'this is the database that the rules were made in'),
		c.hint || ' Until then nothing that is due is done, and nothing is sent.')::automation._finding
	FROM (SELECT) AS always
	LEFT JOIN automation._copy_warning() AS c ON true
);
COMMENT ON FUNCTION automation._home_finding() IS 'Whether this database is a copy of another one';

CREATE FUNCTION automation._secrets_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('secrets directory', coalesce(f.isdir, s.directory = ''),
		CASE
			WHEN s.directory = '' THEN 'not set'
			WHEN f.isdir IS NULL THEN 'does not exist'
			WHEN NOT f.isdir THEN 'is not a directory'
			ELSE 'exists'
		END,
		'Set pg_automation.secrets_dir to the directory of the files that credentials refer to.')::automation._finding
	FROM (SELECT coalesce(current_setting('pg_automation.secrets_dir', true), '')) AS s(directory)
	LEFT JOIN LATERAL pg_stat_file(s.directory, true) AS f ON s.directory <> ''
);
COMMENT ON FUNCTION automation._secrets_finding() IS 'Whether the directory of credentials is there';

CREATE FUNCTION automation._credentials_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('credentials', count(*) = 0, coalesce('channels without any: ' || string_agg(c.name, ', ' ORDER BY c.name), 'every channel that needs some has some'),
		'Use CREATE USER MAPPING, or automation.alter_channel() with credentials.')::automation._finding
	FROM automation.channels AS c
	WHERE c.provider = 'twilio'
		AND NOT EXISTS (SELECT FROM pg_user_mapping AS m WHERE m.umserver = c.server)
);
COMMENT ON FUNCTION automation._credentials_finding() IS 'Channels of a provider that wants a login, without one';

CREATE FUNCTION automation._channels_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('channels', count(*) = 0, coalesce('paused: ' || string_agg(c.name, ', ' ORDER BY c.name), 'none is paused'),
		'Use automation.resume_channel().')::automation._finding
	FROM automation.channels AS c
	WHERE c.state = 'paused'
);
COMMENT ON FUNCTION automation._channels_finding() IS 'Channels that hold what goes through them';

CREATE FUNCTION automation._lost_rules_finding() RETURNS automation._finding
LANGUAGE sql STABLE
-- What a rule was compiled to is dumped by itself, and no role is needed for it.
RETURN (
	SELECT ROW('lost rules', count(*) = 0, coalesce('compiled, but not there: #' || string_agg(c.id::text, ', #' ORDER BY c.id), 'none'),
		'A restore has left them out because roles that own rules did not exist: create those (pg_dumpall --roles-only), and restore into a new database.'
		)::automation._finding
	FROM (
		SELECT DISTINCT substring(p.proname FROM '^rule_([0-9]+)_')::integer
		FROM pg_proc AS p
		WHERE p.pronamespace = 'automation_compiled'::regnamespace
	) AS c(id)
	WHERE c.id IS NOT NULL AND NOT EXISTS (SELECT FROM automation.rule AS r WHERE r.id = c.id)
);
COMMENT ON FUNCTION automation._lost_rules_finding() IS 'Compiled rules that a restore has left without a definition';

CREATE FUNCTION automation._rules_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('rules', count(*) = 0, coalesce(string_agg(format('"%s": %s', r.name, r.problem), '; ' ORDER BY r.id), 'all can run'),
		'Use automation.alter_rule() or automation.drop_rule().')::automation._finding
	FROM automation.rules AS r
	WHERE NOT r.valid
);
COMMENT ON FUNCTION automation._rules_finding() IS 'Rules that cannot run';

CREATE FUNCTION automation._unusable_channels()
RETURNS TABLE (rule text, channel text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.name, s.step -> 'params' ->> 'channel'
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version,
		LATERAL jsonb_array_elements(v.steps) AS s(step)
	JOIN automation.action_definition AS d ON d.name = s.step ->> 'action' AND d.kind = 'message'
	LEFT JOIN automation.channels AS c ON c.name = s.step -> 'params' ->> 'channel'
	WHERE c.server IS NULL OR NOT has_server_privilege(r.owner, c.server, 'USAGE');
END;
COMMENT ON FUNCTION automation._unusable_channels() IS 'Rules with a step whose channel is gone or closed to their owner';

CREATE FUNCTION automation._rule_channels_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('channels of rules', count(*) = 0,
		coalesce(string_agg(format('"%s" cannot use "%s"', u.rule, u.channel), '; ' ORDER BY u.rule), 'all can be used'),
		'Create the channel, or GRANT USAGE ON FOREIGN SERVER to the owner of the rule.')::automation._finding
	FROM automation._unusable_channels() AS u
);
COMMENT ON FUNCTION automation._rule_channels_finding() IS 'Whether rules can send through their channels';

CREATE FUNCTION automation._tables_finding() RETURNS automation._finding
LANGUAGE sql STABLE
-- Only when our event triggers were disabled.
RETURN (
	SELECT ROW('tables', count(*) = 0, coalesce('dropped: ' || string_agg(format('%s (%s)', e.relation::oid, e.object_type), ', ' ORDER BY e.id), 'every attached table exists'),
		'Use automation.detach() with the number, and cascade => true.')::automation._finding
	FROM automation.entity AS e
	WHERE automation._relation_name(e.relation) IS NULL
);
COMMENT ON FUNCTION automation._tables_finding() IS 'Attached tables that were dropped unnoticed';

CREATE FUNCTION automation._unseen() RETURNS TABLE (relation regclass, remedy text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- Disabled, or ENABLE REPLICA, which no writer here would fire.
	SELECT t.tgrelid::regclass, format('ALTER TABLE %s ENABLE TRIGGER %I;', t.tgrelid::regclass, t.tgname)
	FROM pg_catalog.pg_trigger AS t
	WHERE t.tgfoid = 'automation._capture()'::regprocedure AND t.tgenabled NOT IN ('O', 'A')
	UNION ALL
	-- Without any: children that have come since.
	SELECT w.relation, format('SELECT automation.attach(%L, %L, %L, %L%s);', e.relation, e.object_type,
		automation._roles(e.relation), automation._key(e.relation), CASE WHEN NOT e.include_children THEN ', false' END)
	FROM automation.entity AS e,
		LATERAL (
			SELECT e.relation
			UNION ALL
			SELECT c FROM automation._children(e.relation) AS c WHERE e.include_children
		) AS w(relation)
	WHERE automation._relation_name(e.relation) IS NOT NULL AND NOT EXISTS (
		SELECT FROM pg_catalog.pg_trigger AS t
		WHERE t.tgrelid = w.relation AND t.tgfoid = 'automation._capture()'::regprocedure);
END;
COMMENT ON FUNCTION automation._unseen() IS 'Tables whose changes fire no rules though they were attached, and what to do about each';

CREATE FUNCTION automation._triggers_finding() RETURNS automation._finding
LANGUAGE sql STABLE
RETURN (
	SELECT ROW('triggers', count(*) = 0,
		coalesce('changes go unseen: ' || string_agg(u.relation::text, ', ' ORDER BY u.relation), 'enabled on every attached table'),
		string_agg(DISTINCT u.remedy, ' '))::automation._finding
	FROM automation._unseen() AS u
);
COMMENT ON FUNCTION automation._triggers_finding() IS 'Whether our triggers fire';

CREATE FUNCTION automation."check"()
RETURNS TABLE ("check" text, ok boolean, detail text, hint text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation."check"() IS 'What may be wrong with the installation; hint tells what to do about it';

CREATE FUNCTION automation._check(caller regrole)
RETURNS TABLE ("check" text, ok boolean, detail text, hint text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT f."check", f.ok, f.detail, CASE WHEN NOT f.ok THEN f.hint END
	FROM unnest(ARRAY[
		automation._library_finding(),
		automation._worker_finding(),
		automation._processes_finding(),
		automation._cron_finding(),
		automation._delivery_finding(),
		automation._home_finding(),
		automation._secrets_finding(),
		automation._credentials_finding(),
		automation._channels_finding(),
		automation._lost_rules_finding(),
		automation._rules_finding(),
		automation._rule_channels_finding(),
		automation._tables_finding(),
		automation._triggers_finding()
	]) AS f;
END;
COMMENT ON FUNCTION automation._check(regrole) IS 'automation.check()';
