-- Forgetting what is old. Volumes that are old throughout are emptied, whatever is in them, once the
-- little that is still needed has been carried over to the volume that is written now.

CREATE FUNCTION automation._open_deliveries() RETURNS SETOF bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
-- Mostly there are few, whatever there is of the others.
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
DECLARE
	lane oid := 0;
	horizon xid8;
BEGIN
	RETURN QUERY
	SELECT r.delivery_id FROM automation.retry AS r
	UNION
	SELECT a.delivery_id FROM automation.attempt AS a
	WHERE a.id >= (SELECT w.settled_below FROM automation.worker AS w) AND a.outcome IS NULL
		AND NOT EXISTS (SELECT FROM automation.attempt AS n WHERE n.delivery_id = a.delivery_id AND n.id > a.id)
	UNION
	SELECT d.id FROM automation.batch AS b
	JOIN automation.delivery AS d ON d.server = 0 AND d.priority IN (0, 1, 2) AND d.txid = b.txid AND d.at <= b.at
	WHERE b.state IN ('held', 'releasing')
		AND NOT EXISTS (SELECT FROM automation.attempt AS a WHERE a.delivery_id = d.id);
	LOOP
		-- Each of them by one probe, as the worker does.
		lane := (SELECT d.server FROM automation.delivery AS d WHERE d.server > lane ORDER BY d.server LIMIT 1);
		EXIT WHEN lane IS NULL;
		-- Of a priority that was never saved, all are to be looked at.
		horizon := (SELECT CASE WHEN count(*) = 3 THEN min(pg_snapshot_xmin(l.seen)) END FROM automation.lane AS l WHERE l.server = lane);
		RETURN QUERY
		SELECT d.id FROM automation.delivery AS d
		WHERE d.server = lane AND d.txid >= coalesce(horizon, '0')
			AND NOT EXISTS (SELECT FROM automation.attempt AS a WHERE a.delivery_id = d.id);
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._open_deliveries() IS 'Messages that have not ended: not attempted yet, in flight, waiting for another attempt, or held by a batch';

CREATE FUNCTION automation._needed_runs(open bigint[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
-- Of many that are open PostgreSQL would not know, and look for each in the list of all.
SET plan_cache_mode = force_custom_plan
AS $$
BEGIN
	RETURN ARRAY(
		SELECT p.run_id FROM automation.pending AS p WHERE p.run_id IS NOT NULL
		UNION
		SELECT d.run_id FROM automation.delivery AS d WHERE d.id = ANY (open) AND d.run_id IS NOT NULL);
END
$$;
COMMENT ON FUNCTION automation._needed_runs(bigint[]) IS 'Runs of which a step waits or one of these messages is on its way';

CREATE TABLE automation.acknowledged (
	run_id bigint PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT automation._now(),
	actor text NOT NULL,
	note text
);
COMMENT ON TABLE automation.acknowledged IS 'Runs that ended badly and that somebody has seen: they are kept no longer than others';
COMMENT ON COLUMN automation.acknowledged.run_id IS 'The run';
COMMENT ON COLUMN automation.acknowledged.at IS 'When';
COMMENT ON COLUMN automation.acknowledged.actor IS 'Who has seen it';
COMMENT ON COLUMN automation.acknowledged.note IS 'What he has to say about it';

CREATE FUNCTION automation.acknowledge(run bigint, note text DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.acknowledge(bigint, text) IS 'Says that somebody has seen to a run that ended badly: purging need keep it no longer';

CREATE FUNCTION automation._acknowledge(caller regrole, run bigint, note text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM automation.run AS u WHERE u.id = run) THEN
		PERFORM automation._fail('42704', format('run %s does not exist', coalesce(run::text, 'null')));
	END IF;
	INSERT INTO automation.acknowledged (run_id, actor, note) VALUES (run, caller::text, note)
	ON CONFLICT ON CONSTRAINT acknowledged_pkey DO NOTHING;
END
$$;
COMMENT ON FUNCTION automation._acknowledge(regrole, bigint, text) IS 'automation.acknowledge()';

CREATE FUNCTION automation._kept_runs(horizon timestamptz, keep text[]) RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
	IF keep = '{}' THEN
		RETURN '{}';
	END IF;
	RETURN ARRAY(
		SELECT l.id
		FROM (
			SELECT u.id FROM automation.run AS u WHERE u.at < horizon AND (u.status = 'failed' OR u.steps @> '[{"status": "failed"}]')
			UNION
			SELECT s.run_id FROM automation.step_run AS s WHERE s.record ->> 'status' = 'failed'
			UNION
			SELECT d.run_id FROM automation.attempt AS a JOIN automation.delivery AS d ON d.id = a.delivery_id WHERE a.outcome IN ('dead', 'unknown')
		) AS bad
		JOIN automation.execution_log AS l ON l.id = bad.id
		WHERE l.at < horizon AND l.status = ANY (keep)
			AND NOT EXISTS (SELECT FROM automation.acknowledged AS a WHERE a.run_id = l.id));
END
$$;
COMMENT ON FUNCTION automation._kept_runs(timestamptz, text[]) IS 'Runs before then of these statuses that nobody has acknowledged';

CREATE FUNCTION automation._row_count(relation regclass) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rows bigint;
BEGIN
	IF pg_relation_size(relation) > 8 * 1024 * 1024 THEN
		SELECT c.reltuples::bigint INTO rows FROM pg_class AS c WHERE c.oid = relation AND c.reltuples > 0;
	END IF;
	IF rows IS NULL THEN
		EXECUTE format('SELECT count(*) FROM ONLY %s', relation) INTO rows;
	END IF;
	RETURN rows;
END
$$;
COMMENT ON FUNCTION automation._row_count(regclass) IS 'How many rows a table has; of a large one, what PostgreSQL reckons';

CREATE FUNCTION automation._carry_over(volume integer, runs bigint[], open bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	moved bigint;
	tables jsonb := (
		SELECT jsonb_object_agg(t.name, jsonb_build_array(
			automation._volume_table(t.name, volume), automation._volume_table(t.name, v.number)))
		FROM automation.volume AS v, unnest('{run,step_run,delivery,attempt}'::text[]) AS t(name)
		WHERE v.closed_at IS NULL);
BEGIN
	EXECUTE format('INSERT INTO %2$s OVERRIDING SYSTEM VALUE SELECT u.* FROM ONLY %1$s AS u WHERE u.id = ANY ($1)',
		tables -> 'run' ->> 0, tables -> 'run' ->> 1) USING runs;
	GET DIAGNOSTICS moved = ROW_COUNT;
	EXECUTE format('INSERT INTO %2$s SELECT s.* FROM ONLY %1$s AS s WHERE s.run_id = ANY ($1)',
		tables -> 'step_run' ->> 0, tables -> 'step_run' ->> 1) USING runs;
	-- What has been delivered, too: by it the run knows how it stands.
	EXECUTE format('INSERT INTO %4$s OVERRIDING SYSTEM VALUE
		SELECT a.* FROM ONLY %3$s AS a WHERE a.delivery_id IN (
			SELECT d.id FROM automation.delivery AS d WHERE d.run_id = ANY ($1) OR d.id = ANY ($2))',
		tables -> 'delivery' ->> 0, tables -> 'delivery' ->> 1,
		tables -> 'attempt' ->> 0, tables -> 'attempt' ->> 1) USING runs, open;
	EXECUTE format('INSERT INTO %2$s OVERRIDING SYSTEM VALUE
		SELECT d.* FROM ONLY %1$s AS d WHERE d.run_id = ANY ($1) OR d.id = ANY ($2)',
		tables -> 'delivery' ->> 0, tables -> 'delivery' ->> 1) USING runs, open;
	RETURN moved;
END
$$;
COMMENT ON FUNCTION automation._carry_over(integer, bigint[], bigint[]) IS 'Copies runs with all that belongs to them, and messages, from a volume to the one that is written; answers the number of runs';

CREATE FUNCTION automation._tried_elsewhere(volume integer) RETURNS bigint[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(DISTINCT a.delivery_id) FROM ONLY %s AS a
		WHERE NOT EXISTS (SELECT FROM ONLY %s AS here WHERE here.id = a.delivery_id)
			AND EXISTS (SELECT FROM automation.delivery AS d WHERE d.id = a.delivery_id)',
		automation._volume_table('attempt', volume), automation._volume_table('delivery', volume)) INTO found;
	RETURN coalesce(found, '{}');
END
$$;
COMMENT ON FUNCTION automation._tried_elsewhere(integer) IS 'Messages of other volumes whose attempts are in a volume: without these they would seem new';

CREATE FUNCTION automation._newest(volume integer) RETURNS timestamptz
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	newest timestamptz;
BEGIN
	EXECUTE format('SELECT greatest(
			(SELECT u.at FROM ONLY %s AS u ORDER BY u.id DESC LIMIT 1),
			(SELECT d.at FROM ONLY %s AS d ORDER BY d.id DESC LIMIT 1),
			(SELECT a.started_at FROM ONLY %s AS a ORDER BY a.id DESC LIMIT 1))', automation._volume_table('run', volume),
		automation._volume_table('delivery', volume), automation._volume_table('attempt', volume)) INTO newest;
	RETURN newest;
END
$$;
COMMENT ON FUNCTION automation._newest(integer) IS 'From when the last run, message or attempt in a volume is';

CREATE FUNCTION automation._empty_volume(volume integer, horizon timestamptz, kept bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- Whoever reads it goes first: less than it takes to be found in a deadlock, and there is another night.
SET lock_timeout = '200ms'
AS $$
DECLARE
	tables text := array_to_string(automation._volume_tables(volume), ', ONLY ');
	open bigint[];
	tried bigint[];
	runs bigint[];
	gone bigint;
BEGIN
	-- The worker looks in one volume after another, and must not miss what moves meanwhile.
	PERFORM automation._mind_locks();
	EXECUTE format('LOCK TABLE ONLY %s IN ACCESS EXCLUSIVE MODE', tables);
	-- By an INSERT of somebody's into the table itself, which is volume 0.
	IF automation._newest(volume) >= horizon THEN
		RETURN 0;
	END IF;
	open := ARRAY(SELECT o.id FROM automation._open_deliveries() AS o(id));
	tried := automation._tried_elsewhere(volume);
	runs := automation._needed_runs(open) || kept;
	gone := automation._row_count(automation._volume_table('run', volume)::regclass);
	IF cardinality(open) + cardinality(runs) + cardinality(tried) > 0 THEN
		gone := gone - automation._carry_over(volume, runs, open || tried);
	END IF;
	EXECUTE format('UPDATE automation.volume SET
			last_run = greatest(last_run, (SELECT max(u.id) FROM ONLY %s AS u)),
			last_delivery = greatest(last_delivery, (SELECT max(d.id) FROM ONLY %s AS d))
		WHERE number = $1', automation._volume_table('run', volume), automation._volume_table('delivery', volume)) USING volume;
	EXECUTE format('TRUNCATE ONLY %s', tables);
	IF volume > 0 THEN
		EXECUTE format('ANALYZE %s', array_to_string(automation._volume_tables(volume), ', '));
	END IF;
	RETURN gone;
EXCEPTION WHEN lock_not_available THEN
	RAISE NOTICE 'volume % of the log is being read: it stays until the next time', volume;
	RETURN 0;
END
$$;
COMMENT ON FUNCTION automation._empty_volume(integer, timestamptz, bigint[])
	IS 'Forgets all runs in a volume but those that something waits for, if all of them are from before then; answers how many';

CREATE FUNCTION automation._empty_volumes(horizon timestamptz, kept bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A snapshot that is older than the lock may miss what is needed.
	IF current_setting('transaction_isolation') IN ('repeatable read', 'serializable') THEN
		RETURN 0;
	END IF;
	RETURN (
		SELECT coalesce(sum(automation._empty_volume(v.number, horizon, kept)), 0)
		FROM automation.volume AS v
		WHERE v.closed_at < horizon AND NOT automation._is_empty(v.number));
END
$$;
COMMENT ON FUNCTION automation._empty_volumes(timestamptz, bigint[]) IS 'Empties all volumes that were closed before then; answers how many runs that were';

CREATE FUNCTION automation._delete_runs(horizon timestamptz, kept bigint[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	open bigint[] := ARRAY(SELECT o.id FROM automation._open_deliveries() AS o(id));
	runs bigint[] := automation._needed_runs(open) || kept;
	gone bigint;
BEGIN
	DELETE FROM automation.run AS u
	WHERE u.at < horizon AND NOT EXISTS (SELECT FROM unnest(runs) AS n(id) WHERE n.id = u.id);
	GET DIAGNOSTICS gone = ROW_COUNT;
	DELETE FROM automation.delivery AS d
	WHERE NOT EXISTS (SELECT FROM automation.run AS u WHERE u.id = d.run_id)
		AND NOT EXISTS (SELECT FROM unnest(open) AS o(id) WHERE o.id = d.id)
		AND (d.run_id IS NOT NULL OR d.at < horizon);
	DELETE FROM automation.attempt AS a
	WHERE NOT EXISTS (SELECT FROM automation.delivery AS d WHERE d.id = a.delivery_id);
	DELETE FROM automation.step_run AS s
	WHERE NOT EXISTS (SELECT FROM automation.run AS u WHERE u.id = s.run_id);
	RETURN gone;
END
$$;
COMMENT ON FUNCTION automation._delete_runs(timestamptz, bigint[]) IS 'Forgets all runs before then, row by row; answers how many';

CREATE FUNCTION automation._purge_versions() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM automation.rule_version AS v
	WHERE NOT EXISTS (SELECT FROM automation.rule AS r WHERE r.id = v.rule_id)
		AND NOT EXISTS (SELECT FROM automation.run AS u WHERE u.rule_id = v.rule_id);
END;
COMMENT ON FUNCTION automation._purge_versions() IS 'Forgets dropped rules that no run mentions';

CREATE FUNCTION automation._check_age(name text, age interval) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF age < '0'::interval THEN
		PERFORM automation._fail('22023', format('%s must not be negative', name));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_age(text, interval) IS 'Raises an error for the age of what is yet to come';

CREATE FUNCTION automation._check_keep(keep text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (keep <@ '{failed,dead}') IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('invalid value for keep: %s', coalesce(keep::text, 'null')), hint => 'Valid values are: failed, dead.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_keep(text[]) IS 'Raises an error unless these are statuses that purging can keep';

CREATE FUNCTION automation._purge_beside(horizon timestamptz) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- One that came after something was planned may still end it.
	DELETE FROM automation.touch AS t
	WHERE t.at < horizon AND NOT EXISTS (
		SELECT FROM automation.pending AS p
		WHERE p.entity_id = t.entity_id AND (p.key = t.key OR t.key IS NULL) AND coalesce(p.run_id, p.id) < t.id);
	DELETE FROM automation.event AS e WHERE e.at < horizon;
	DELETE FROM automation.batch AS b WHERE b.ended_at < horizon;
	DELETE FROM automation.receipt AS r WHERE r.at < horizon;
	DELETE FROM automation.callback AS c WHERE c.at < horizon;
	DELETE FROM automation.document AS d
	WHERE d.at < horizon AND NOT d.is_kept AND NOT EXISTS (SELECT FROM automation.run AS u WHERE u.id = d.run_id);
	DELETE FROM automation.acknowledged AS a WHERE NOT EXISTS (SELECT FROM automation.run AS u WHERE u.id = a.run_id);
	DELETE FROM automation.moved AS m WHERE NOT EXISTS (SELECT FROM automation.run AS u WHERE u.id = m.run_id);
	PERFORM automation._purge_versions();
END
$$;
COMMENT ON FUNCTION automation._purge_beside(timestamptz) IS 'Forgets what is older than that besides runs, or belongs to runs that are gone';

CREATE FUNCTION automation._purge(older_than interval, keep text[], exactly boolean) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	horizon timestamptz := automation._now() - older_than;
	kept bigint[] := automation._kept_runs(horizon, keep);
	purged bigint;
BEGIN
	-- Of the other five, four hold the time that is kept and one is about to be empty.
	PERFORM automation._turn_volume(older_than / 4);
	IF exactly THEN
		purged := automation._empty_volumes(horizon, kept) + automation._delete_runs(horizon, kept);
		PERFORM automation._purge_beside(horizon);
	ELSE
		-- Nothing leaves from the moment on in which the first volume is locked: that comes last. What
		-- belonged to its runs goes the next time.
		PERFORM automation._purge_beside(horizon);
		purged := automation._empty_volumes(horizon, kept);
	END IF;
	RETURN purged;
END
$$;
COMMENT ON FUNCTION automation._purge(interval, text[], boolean) IS 'Forgets runs older than this; not exactly: volumes that are older throughout';

CREATE FUNCTION automation.purge_log(older_than interval, keep text[] DEFAULT '{}') RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.purge_log(interval, text[])
	IS 'Deletes runs older than this, with their messages and attempts, and answers how many; one with a message still on its way, or a step that waits, stays; so do those of the statuses in keep (failed, dead) until somebody acknowledges them';

CREATE FUNCTION automation._purge_log(caller regrole, older_than interval, keep text[]) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (older_than >= '0'::interval) IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'older_than must not be negative or null');
	END IF;
	PERFORM automation._check_keep(keep);
	RETURN automation._purge(older_than, keep, exactly => true);
END
$$;
COMMENT ON FUNCTION automation._purge_log(regrole, interval, text[]) IS 'automation.purge_log()';

CREATE FUNCTION automation._purge_payloads(older_than interval) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
DECLARE
	horizon timestamptz := automation._now() - older_than;
	open bigint[] := ARRAY(SELECT o.id FROM automation._open_deliveries() AS o(id));
	blanked bigint;
BEGIN
	UPDATE automation.delivery AS d SET recipient = NULL, message = automation._erased_message()
	WHERE d.at < horizon AND d.message <> automation._erased_message() AND d.id <> ALL (open);
	GET DIAGNOSTICS blanked = ROW_COUNT;
	UPDATE automation.attempt AS a SET response = NULL
	WHERE a.response IS NOT NULL AND a.outcome IS NOT NULL AND a.started_at < horizon;
	RETURN blanked;
END
$$;
COMMENT ON FUNCTION automation._purge_payloads(interval) IS 'Blanks messages older than this that have ended, their recipients, and what was answered; answers how many messages';
