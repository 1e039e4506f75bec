-- A transaction that sets off too much. Up to pg_automation.max_events_per_transaction its matches are runs
-- as ever; with the next one it is a bulk, and each rule's on_bulk tells what becomes of the rest:
--
--   run       as before
--   hold      a row of held, which release_batch() makes a run, as many a second as somebody says. What such
--             rules have sent and planned earlier in the transaction is held as well: nothing of it has left
--   log_only  a run that is suppressed; what was sent and planned earlier ends, too
--   skip      nothing but one such run for the rule
--
-- Like the rest of the way of a write this only inserts, but for what the transaction itself has inserted.

CREATE TABLE automation.batch (
	id bigint PRIMARY KEY DEFAULT nextval('automation.run_id_seq'),
	at timestamptz NOT NULL DEFAULT automation._now(),
	txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
	actor text NOT NULL DEFAULT session_user,
	state text NOT NULL DEFAULT 'held' CHECK (state IN ('held', 'releasing', 'released', 'discarded')),
	rate integer CHECK (rate BETWEEN 1 AND 100000),
	worked_at timestamptz,
	ended_at timestamptz
);
COMMENT ON TABLE automation.batch IS 'Transactions that have set off too much, and what became of that';
COMMENT ON COLUMN automation.batch.id IS 'Drawn from the numbers of runs';
COMMENT ON COLUMN automation.batch.at IS 'When';
COMMENT ON COLUMN automation.batch.txid IS 'The transaction: by this, and by the time, its messages that are held are found; a batch that was restored from a dump has none, and its number may be that of another transaction here';
COMMENT ON COLUMN automation.batch.actor IS 'Session user of the write';
COMMENT ON COLUMN automation.batch.state IS 'held until somebody decides';
COMMENT ON COLUMN automation.batch.rate IS 'Matches a second, at most, while it is released';
COMMENT ON COLUMN automation.batch.worked_at IS 'When matches were last released';
COMMENT ON COLUMN automation.batch.ended_at IS 'When the last one was';

CREATE TABLE automation.held (
	id bigint NOT NULL DEFAULT nextval('automation.run_id_seq'),
	batch_id bigint NOT NULL,
	rule_id integer NOT NULL,
	entity_id integer NOT NULL,
	event text NOT NULL,
	key text NOT NULL,
	old text,
	PRIMARY KEY (batch_id, id)
);
COMMENT ON TABLE automation.held IS 'Matches that are no runs yet: as little of each as lets its rule be asked again';
COMMENT ON COLUMN automation.held.id IS 'Gives the order; drawn from the numbers of runs';
COMMENT ON COLUMN automation.held.batch_id IS 'The transaction it belongs to';
COMMENT ON COLUMN automation.held.rule_id IS 'The rule';
COMMENT ON COLUMN automation.held.entity_id IS 'Attached table whose row changed';
COMMENT ON COLUMN automation.held.event IS 'What happened to the row';
COMMENT ON COLUMN automation.held.key IS 'Key of that row';
COMMENT ON COLUMN automation.held.old IS 'JSON: what the columns were that the rule watches; of a row that was deleted, all of it';

CREATE VIEW automation.pending_batches AS
SELECT
	b.id AS batch,
	b.at,
	b.actor,
	b.state,
	b.rate,
	r.name AS rule,
	r.relation,
	sum(c.matches) AS matches,
	sum(c.messages) AS messages,
	sum(c.plans) AS plans
FROM automation.batch AS b
CROSS JOIN LATERAL (
	SELECT h.rule_id, count(*) AS matches, 0 AS messages, 0 AS plans
	FROM automation.held AS h
	WHERE h.batch_id = b.id
	GROUP BY h.rule_id
	UNION ALL
	SELECT u.rule_id, 0, count(*), 0
	FROM automation.delivery AS d
	JOIN automation.run AS u ON u.id = d.run_id
	WHERE d.server = 0 AND d.priority IN (0, 1, 2) AND d.txid = b.txid AND d.at <= b.at AND NOT EXISTS (SELECT FROM automation.attempt AS a WHERE a.delivery_id = d.id)
	GROUP BY u.rule_id
	UNION ALL
	SELECT p.rule_id, 0, 0, count(*)
	FROM automation.pending AS p
	WHERE p.batch_id = b.id
	GROUP BY p.rule_id
) AS c
LEFT JOIN automation.rule AS r ON r.id = c.rule_id
WHERE b.state IN ('held', 'releasing')
GROUP BY b.id, r.id
ORDER BY b.id, r.position, r.id;
COMMENT ON VIEW automation.pending_batches IS 'Transactions that have set off too much, and by which rules: until release_batch() or discard_batch()';
COMMENT ON COLUMN automation.pending_batches.at IS 'When';
COMMENT ON COLUMN automation.pending_batches.rate IS 'Matches a second, once it is released';
COMMENT ON COLUMN automation.pending_batches.rule IS 'Null: it has been dropped since';
COMMENT ON COLUMN automation.pending_batches.matches IS 'Rows for which the rule is still to run';
COMMENT ON COLUMN automation.pending_batches.messages IS 'Messages of runs before there were too many';
COMMENT ON COLUMN automation.pending_batches.plans IS 'What such runs have planned for later';
COMMENT ON COLUMN automation.pending_batches.batch IS 'Number of the batch, for release_batch() and discard_batch()';
COMMENT ON COLUMN automation.pending_batches.state IS 'held, until somebody decides, or releasing';

-- The engine

CREATE FUNCTION automation._new_batch() RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO automation.batch DEFAULT VALUES RETURNING id;
END;
COMMENT ON FUNCTION automation._new_batch() IS 'This transaction has set off too much';

CREATE FUNCTION automation._suppress(deliveries bigint[], outcome text, reason text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('INSERT INTO %s (id, delivery_id, number, epoch, started_at, finished_at, outcome, reason) OVERRIDING SYSTEM VALUE
			SELECT nextval(''automation.attempt_id_seq''), d.id, coalesce((SELECT max(a.number) FROM automation.attempt AS a WHERE a.delivery_id = d.id), 0),
				0, n.now, n.now, $2, $3
			FROM unnest($1) AS d(id), (SELECT automation._now()) AS n(now)', automation._written('attempt'))
		USING deliveries, outcome, reason;
	PERFORM automation._advance(deliveries);
END
$$;
COMMENT ON FUNCTION automation._suppress(bigint[], text, text) IS 'Ends messages that no channel looks after any more';

CREATE FUNCTION automation._hold_back() RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- The tables may have been all but empty when this was planned.
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	batch bigint := nextval('automation.run_id_seq');
	held bigint[] := ARRAY(
		SELECT d.id
		FROM pg_foreign_server AS s
		JOIN automation.delivery AS d ON d.server = s.oid AND d.priority IN (0, 1, 2) AND d.txid = pg_current_xact_id()
		JOIN automation.run AS u ON u.id = d.run_id
		WHERE automation._on_bulk(u.rule_id) <> 'run');
	ended bigint[];
	planned bigint;
BEGIN
	UPDATE automation.delivery AS d SET server = 0 WHERE d.id = ANY (held);
	ended := ARRAY(
		SELECT d.id FROM automation.delivery AS d
		JOIN automation.run AS u ON u.id = d.run_id
		WHERE d.id = ANY (held) AND automation._on_bulk(u.rule_id) <> 'hold');
	PERFORM automation._suppress(ended, 'suppressed', 'bulk'),
		automation._cancel_own();
	-- What follows the step before it follows that one only when it is released.
	UPDATE automation.pending AS p SET batch_id = batch, parked_at = p.due_at, due_at = 'infinity'
	WHERE automation._is_own(p.xmin) AND p.awaits IS DISTINCT FROM 'previous'
		AND automation._on_bulk(p.rule_id) = 'hold';
	GET DIAGNOSTICS planned = ROW_COUNT;
	IF planned = 0 AND cardinality(held) = cardinality(ended) THEN
		RETURN NULL;
	END IF;
	INSERT INTO automation.batch (id) VALUES (batch);
	RETURN batch;
END
$$;
COMMENT ON FUNCTION automation._hold_back()
	IS 'Holds what this transaction has sent and planned by rules that hold, ends that of rules that do nothing in bulk, and answers the batch, or null';

CREATE FUNCTION automation._cancel_own() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._cancel(p.place, 'bulk')
	FROM (
		SELECT d.ctid AS place
		FROM automation.pending AS d
		WHERE automation._is_own(d.xmin) AND automation._on_bulk(d.rule_id) IN ('log_only', 'skip')
	) AS p;
END;
COMMENT ON FUNCTION automation._cancel_own() IS 'Ends what this transaction has planned by rules that do nothing in bulk';

CREATE FUNCTION automation._release() RETURNS SETOF automation.held
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job automation.batch;
BEGIN
	FOR job IN
		SELECT b.* FROM automation.batch AS b
		WHERE b.state = 'releasing' AND (b.rate * extract(epoch FROM automation._now() - b.worked_at) >= 1) IS NOT FALSE
		FOR UPDATE SKIP LOCKED
	LOOP
		-- Few at a time: each locks what its rule changes until all of them are done.
		RETURN QUERY
		WITH released AS (
			DELETE FROM automation.held AS h
			WHERE h.batch_id = job.id AND h.id = ANY (ARRAY(
				SELECT n.id
				FROM automation.held AS n
				LEFT JOIN automation.rule AS r ON r.id = n.rule_id
				WHERE n.batch_id = job.id AND r.state IS DISTINCT FROM 'paused'
				ORDER BY n.id
				LIMIT least(100, job.rate * coalesce(extract(epoch FROM automation._now() - job.worked_at), 1))))
			RETURNING h.*)
		SELECT r.* FROM released AS r ORDER BY r.id;
		UPDATE automation.batch AS b
		SET worked_at = automation._now(), state = CASE WHEN l.any_left THEN b.state ELSE 'released' END,
			ended_at = CASE WHEN NOT l.any_left THEN automation._now() END
		FROM (SELECT EXISTS (SELECT FROM automation.held AS h WHERE h.batch_id = job.id) AS any_left) AS l
		WHERE b.id = job.id;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._release() IS 'The matches that are to become runs next, as many as the rates allow';

CREATE FUNCTION automation._hold_again(match automation.held) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO automation.held (batch_id, rule_id, entity_id, event, key, old)
	VALUES ((match).batch_id, (match).rule_id, (match).entity_id, (match).event, (match).key, (match).old);
	UPDATE automation.batch AS b SET state = 'releasing', ended_at = NULL WHERE b.id = (match).batch_id AND b.state = 'released';
END;
COMMENT ON FUNCTION automation._hold_again(automation.held) IS 'Somebody has locked the row: its turn comes again';

-- Verbs

CREATE FUNCTION automation._pending_batch(batch bigint) RETURNS automation.batch
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found automation.batch;
BEGIN
	SELECT b.* INTO found FROM automation.batch AS b WHERE b.id = batch FOR UPDATE;
	IF found.id IS NULL THEN
		PERFORM automation._fail('42704', format('batch %s does not exist', coalesce(batch::text, 'null')),
			hint => 'See automation.pending_batches.');
	ELSIF found.state NOT IN ('held', 'releasing') THEN
		PERFORM automation._fail('55000', format('batch %s is already %s', batch, found.state));
	END IF;
	RETURN found;
END
$$;
COMMENT ON FUNCTION automation._pending_batch(bigint) IS 'A batch that is not over yet, locked';

CREATE FUNCTION automation._held_messages(batch automation.batch) RETURNS bigint[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(array_agg(d.id ORDER BY d.id), '{}')
	FROM automation.delivery AS d
	WHERE d.server = 0 AND d.priority IN (0, 1, 2) AND d.txid = (batch).txid AND d.at <= (batch).at AND NOT EXISTS (SELECT FROM automation.attempt AS a WHERE a.delivery_id = d.id);
END;
COMMENT ON FUNCTION automation._held_messages(automation.batch) IS 'Messages that a batch holds';

CREATE FUNCTION automation._release_messages(batch automation.batch, rate integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	messages bigint[] := automation._held_messages(batch);
BEGIN
	-- They come as if for another attempt, and in no other way: the worker may be yet to pass their place in the lane.
	WITH free AS (
		UPDATE automation.delivery AS d SET server = s.oid, txid = '0'
		FROM pg_foreign_server AS s
		WHERE d.id = ANY (messages) AND s.srvname = d.channel
		RETURNING d.id, d.server, d.priority
	)
	INSERT INTO automation.retry (delivery_id, server, priority, due_at)
	SELECT f.id, f.server, f.priority, automation._now() + row_number() OVER (ORDER BY f.id) * interval '1 s' / rate
	FROM free AS f;
	PERFORM automation._end_lost(automation._held_messages(batch));
END
$$;
COMMENT ON FUNCTION automation._release_messages(automation.batch, integer) IS 'Lets the messages of a batch go, so many a second';

CREATE FUNCTION automation._release_plans(batch_id bigint, rate integer) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	UPDATE automation.pending AS p
	SET due_at = greatest(p.parked_at, automation._now() + l.number * interval '1 s' / rate), parked_at = NULL, batch_id = NULL
	FROM (
		SELECT d.ctid AS place, row_number() OVER (ORDER BY d.parked_at, d.id) - 1 AS number
		FROM automation.pending AS d
		WHERE d.batch_id = _release_plans.batch_id
	) AS l
	WHERE p.ctid = l.place;
END;
COMMENT ON FUNCTION automation._release_plans(bigint, integer) IS 'Lets what a batch has planned come due: at its time, but so many a second';

CREATE FUNCTION automation.release_batch(batch bigint, rate integer DEFAULT 100) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.release_batch(bigint, integer)
	IS 'Lets go what a batch holds, at most rate a second: each match becomes a run if its rule still applies to the row as it is then. While it is released, changes the rate';

CREATE FUNCTION automation._release_batch(caller regrole, batch bigint, rate integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	released automation.batch := automation._pending_batch(batch);
BEGIN
	IF (rate BETWEEN 1 AND 100000) IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'rate must be between 1 and 100000', hint => 'It is a number of rows a second.');
	END IF;
	UPDATE automation.batch AS b SET state = 'releasing', rate = _release_batch.rate WHERE b.id = batch;
	PERFORM automation._release_messages(released, rate), automation._release_plans(batch, rate), automation._wake_worker();
END
$$;
COMMENT ON FUNCTION automation._release_batch(regrole, bigint, integer) IS 'automation.release_batch()';

CREATE FUNCTION automation.discard_batch(batch bigint) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.discard_batch(bigint) IS 'Drops what a batch still holds; of each rule the log keeps one run that says how much that was';

CREATE FUNCTION automation._discard_batch(caller regrole, batch bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	messages bigint[] := automation._held_messages(automation._pending_batch(batch));
	reason text := format('batch %s discarded by %s', batch, caller);
BEGIN
	EXECUTE format('INSERT INTO %s (id, at, rule_id, version, entity_id, key, event, status, reason, actor) OVERRIDING SYSTEM VALUE
			SELECT nextval(''automation.run_id_seq''), automation._now(), h.rule_id, coalesce(max(r.version), 0), coalesce(max(e.id), max(h.entity_id)), '''',
				''discarded'', ''suppressed'', format(''bulk: %%s matches, %%s'', count(*), $2), session_user
			FROM automation.held AS h
			LEFT JOIN automation.rule AS r ON r.id = h.rule_id
			LEFT JOIN automation.entity AS e ON e.relation = r.relation
			WHERE h.batch_id = $1
			GROUP BY h.rule_id', automation._written('run'))
		USING batch, reason;
	DELETE FROM automation.held AS h WHERE h.batch_id = batch;
	PERFORM automation._suppress(messages, 'cancelled', reason);
	PERFORM automation._cancel(p.place, reason)
	FROM (
		SELECT d.ctid AS place FROM automation.pending AS d
		WHERE d.batch_id = batch OR d.awaits = 'previous' AND d.run_id IN (SELECT m.run_id FROM automation.delivery AS m WHERE m.id = ANY (messages))
		FOR UPDATE
	) AS p;
	UPDATE automation.batch AS b SET state = 'discarded', ended_at = automation._now() WHERE b.id = batch;
END
$$;
COMMENT ON FUNCTION automation._discard_batch(regrole, bigint) IS 'automation.discard_batch()';
