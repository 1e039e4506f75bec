-- The log and the outbox are kept in volumes: the tables themselves are volume 0, their children the
-- others. One volume is written at a time. One that is old is emptied by TRUNCATE, which
-- deletes no rows and leaves nothing for VACUUM; then it is written again.
--
-- Inheritance and a fixed set, not PARTITION BY: nothing is made or dropped while writers write, so none
-- can come to a row without a place and none waits for DDL on the parent; a row goes straight to its
-- volume, without routing and without a partition's constraint to check; and as the volumes are members
-- of the extension and tables that pg_dump reads, a dump carries of them what waiting steps need. Of a
-- partitioned table it carries nothing, of partitions that are no members everything.

CREATE TABLE automation.volume (
	number smallint PRIMARY KEY,
	opened_at timestamptz NOT NULL DEFAULT automation._now(),
	closed_at timestamptz DEFAULT automation._now(),
	last_run bigint,
	last_delivery bigint
);
INSERT INTO automation.volume (number) SELECT * FROM generate_series(0, 5);
UPDATE automation.volume SET closed_at = NULL WHERE number = 0;
COMMENT ON TABLE automation.volume IS 'Volumes of the log and the outbox';
COMMENT ON COLUMN automation.volume.number IS '0: automation.run, step_run, delivery, attempt themselves; 3: automation.run_3, ...';
COMMENT ON COLUMN automation.volume.opened_at IS 'Since when it is, or was, written';
COMMENT ON COLUMN automation.volume.closed_at IS 'Until when it was; null: it is the one that is written';
COMMENT ON COLUMN automation.volume.last_run IS 'Highest number of a run that was in it when it was emptied: what lies in a later volume may belong to none that is left';
COMMENT ON COLUMN automation.volume.last_delivery IS 'The same, of a message';

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.volume
FOR EACH STATEMENT EXECUTE FUNCTION automation._rules_changed();
ALTER TABLE automation.volume ENABLE ALWAYS TRIGGER pg_automation_changed;

CREATE FUNCTION automation._volume_table(name text, number integer) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('automation.%I', name || CASE WHEN number > 0 THEN '_' || number ELSE '' END);
COMMENT ON FUNCTION automation._volume_table(text, integer) IS 'What a table is called in a volume';

CREATE FUNCTION automation._volume_tables(number integer) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN (SELECT array_agg(automation._volume_table(t.name, number)) FROM unnest('{run,step_run,delivery,attempt}'::text[]) AS t(name));
COMMENT ON FUNCTION automation._volume_tables(integer) IS 'The tables of a volume';

DO $$
DECLARE
	name text;
	volume integer;
BEGIN
	FOR volume IN 1..5 LOOP
		FOREACH name IN ARRAY '{run,step_run,delivery,attempt}'::text[] LOOP
			EXECUTE format('CREATE TABLE %1$s (LIKE automation.%2$I INCLUDING CONSTRAINTS INCLUDING INDEXES INCLUDING STORAGE INCLUDING COMMENTS)
				INHERITS (automation.%2$I) %3$s', automation._volume_table(name, volume), name,
				CASE name WHEN 'attempt' THEN 'WITH (fillfactor = 50)' END);
			EXECUTE format('COMMENT ON TABLE %s IS %L', automation._volume_table(name, volume),
				format('Volume %s of automation.%I', volume, name));
		END LOOP;
		-- Taken for the thousands of rows that PostgreSQL expects of a table that it does not know, they
		-- would have it compile (jit) each query of a view.
		EXECUTE format('ANALYZE %s', array_to_string(automation._volume_tables(volume), ', '));
	END LOOP;
END
$$;

CREATE FUNCTION automation._written(name text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT automation._volume_table(name, v.number) FROM automation.volume AS v WHERE v.closed_at IS NULL;
END;
COMMENT ON FUNCTION automation._written(text) IS 'What a table is called in the volume that is written: whoever inserts, inserts there';

CREATE FUNCTION automation._is_empty(volume integer) RETURNS boolean
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	name text;
	found boolean;
BEGIN
	FOREACH name IN ARRAY automation._volume_tables(volume) LOOP
		EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %s)', name) INTO found;
		IF found THEN
			RETURN false;
		END IF;
	END LOOP;
	RETURN true;
END
$$;
COMMENT ON FUNCTION automation._is_empty(integer) IS 'Whether nothing is in a volume';

CREATE FUNCTION automation._turn_volume(width interval) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	next integer;
BEGIN
	-- Who turns it at the same time waits here, and then finds it turned.
	PERFORM FROM automation.volume AS v
	WHERE v.closed_at IS NULL AND v.opened_at < automation._now() - width AND NOT automation._is_empty(v.number)
	FOR UPDATE;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	next := (
		SELECT v.number FROM automation.volume AS v
		WHERE v.closed_at IS NOT NULL AND automation._is_empty(v.number)
		ORDER BY v.closed_at, v.number
		LIMIT 1);
	-- While none is empty, the one that is written gets thicker.
	IF next IS NOT NULL THEN
		UPDATE automation.volume AS v
		SET closed_at = CASE WHEN v.number <> next THEN automation._now() END,
			opened_at = CASE WHEN v.number = next THEN automation._now() ELSE v.opened_at END
		WHERE v.number = next OR v.closed_at IS NULL;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._turn_volume(interval) IS 'Begins the next volume if there is an empty one and this one has been written for so long';
