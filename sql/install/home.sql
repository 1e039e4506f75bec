-- Where this database lives. One that was restored, copied or renamed knows it by the homes that its
-- data remember, and one that was set back to an earlier moment by what PostgreSQL has kept of that. It
-- does nothing that is due and sends nothing until somebody adopts it.
--
-- A standby that is promoted is neither: it goes on where its primary has ended.

CREATE FUNCTION automation._system_identifier() RETURNS bigint
-- pg_control_system() reads a file; the worker asks with every turn.
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_system_identifier';
COMMENT ON FUNCTION automation._system_identifier() IS 'Number of this cluster; replicas and physical copies share it';

CREATE FUNCTION automation._database() RETURNS oid
-- Without a look into pg_database it becomes a part of the query that calls it.
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_database';
COMMENT ON FUNCTION automation._database() IS 'OID of this database';

CREATE TABLE automation.home (
	system_identifier bigint NOT NULL DEFAULT automation._system_identifier(),
	database oid NOT NULL,
	name name NOT NULL DEFAULT current_database(),
	since timestamptz NOT NULL DEFAULT automation._now(),
	wal pg_lsn NOT NULL DEFAULT pg_current_wal_insert_lsn()
);
COMMENT ON TABLE automation.home IS 'Databases in which these rules and plans have lived and that nobody has declared to be this one; a dump brings its own';
COMMENT ON COLUMN automation.home.system_identifier IS 'Cluster';
COMMENT ON COLUMN automation.home.database IS 'Database';
COMMENT ON COLUMN automation.home.name IS 'What it was called';
COMMENT ON COLUMN automation.home.since IS 'When it came there';
COMMENT ON COLUMN automation.home.wal IS 'The same as a position in the WAL: a recovery or a backup that began later was of this home';

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.home
FOR EACH STATEMENT EXECUTE FUNCTION automation._table_changed();
ALTER TABLE automation.home ENABLE ALWAYS TRIGGER pg_automation_changed;

CREATE FUNCTION automation._set_back(since pg_lsn) RETURNS text
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'automation_set_back';
COMMENT ON FUNCTION automation._set_back(pg_lsn) IS 'How this server was set back to an earlier moment since, by a recovery to a chosen point or by a start from a backup; or null';

CREATE FUNCTION automation._settle_here() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM automation.home;
	INSERT INTO automation.home (database) VALUES (automation._database());
END;
COMMENT ON FUNCTION automation._settle_here() IS 'Declares this database to be the home of what is in it';
SELECT automation._settle_here();

CREATE FUNCTION automation._is_here(home automation.home) RETURNS boolean
LANGUAGE sql STABLE
RETURN (home.system_identifier, home.database, home.name)
	IS NOT DISTINCT FROM (automation._system_identifier(), automation._database(), current_database());
COMMENT ON FUNCTION automation._is_here(automation.home) IS 'Whether that home is this database, be it at another moment';

CREATE FUNCTION automation._stranger() RETURNS SETOF automation.home
LANGUAGE sql STABLE
-- A set, of one at most: so it becomes a part of the query that calls it.
BEGIN ATOMIC
	SELECT h.*
	FROM automation.home AS h
	WHERE NOT automation._is_here(h) OR automation._set_back(h.wal) IS NOT NULL
	ORDER BY h.since
	LIMIT 1;
END;
COMMENT ON FUNCTION automation._stranger() IS 'The database, or an earlier state of this one, of which this is a copy; none when it is no copy, or was adopted';

CREATE FUNCTION automation._is_copy() RETURNS boolean
LANGUAGE plpgsql STABLE -- which keeps its plan: it is asked for each message of a log
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN EXISTS (SELECT FROM automation._stranger());
END
$$;
COMMENT ON FUNCTION automation._is_copy() IS 'Whether this database was restored, copied, set back or renamed, and not adopted since';

CREATE FUNCTION automation._copy_warning(OUT message text, OUT detail text, OUT hint text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'deliveries are on hold because this database was restored or copied',
		CASE WHEN automation._is_here(s)
			THEN automation._set_back(s.wal) || ' What it holds may have been done and sent since.'
			ELSE format('It comes from database "%s" with OID %s in cluster %s; this is "%s" in cluster %s.',
				s.name, s.database, s.system_identifier, current_database(), automation._system_identifier())
		END,
		'Run automation.adopt(''resume'') or automation.adopt(''discard'').'
	FROM automation._stranger() AS s;
END;
COMMENT ON FUNCTION automation._copy_warning() IS 'What is to be said of a copy; null when this is none';

CREATE FUNCTION automation.adopt(pending text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.adopt(text)
	IS 'Lets a database that was restored, copied, set back or renamed work again: with what was planned and on its way (resume), or without it (discard)';

CREATE FUNCTION automation._adopt(caller regrole, pending text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF (pending IN ('resume', 'discard')) IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('invalid value for pending: "%s"', pending),
			'It says what becomes of steps that were planned and messages that were on their way when the copy was made.',
			'Valid values are: resume, discard.');
	ELSIF NOT automation._is_copy() THEN
		PERFORM automation._fail('55000', 'this database is no copy, or has been adopted',
			hint => 'Use automation.check() to see what else may hold messages back.');
	END IF;
	IF pending = 'discard' THEN
		PERFORM automation._discard_batch(caller, b.id) FROM automation.batch AS b WHERE b.state IN ('held', 'releasing');
		PERFORM automation._discard_plans('discarded when the database was adopted');
		PERFORM automation._discard_deliveries();
	END IF;
	IF (SELECT s.system_identifier FROM automation._stranger() AS s) <> automation._system_identifier() THEN
		PERFORM automation._follow_channels();
	END IF;
	PERFORM automation._settle_here();
	PERFORM automation._wake_worker();
END
$$;
COMMENT ON FUNCTION automation._adopt(regrole, text) IS 'automation.adopt()';
