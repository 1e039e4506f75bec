-- What is still to be done, and what ends it. Writers only insert here, too: a change of a row is
-- recorded as a touch, and what waits for that row is judged by automation.tick(), under the row's lock.
--
--   pending ──(due_at comes)──> step_run or run            waiting: run.steps, and a row of pending
--      │
--      └─(a touch: a watched column changed, the row was deleted, somebody stopped it)──> step_run: cancelled

CREATE TABLE automation.pending (
	id bigint NOT NULL DEFAULT nextval('automation.run_id_seq'),
	due_at timestamptz NOT NULL,
	rule_id integer NOT NULL,
	version integer NOT NULL,
	entity_id integer NOT NULL,
	step smallint NOT NULL,
	awaits text,
	run_id bigint,
	parked_at timestamptz,
	key text NOT NULL,
	source_key text,
	seen text,
	batch_id bigint
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX pending_when ON automation.pending (due_at, id);
CREATE INDEX pending_of_row ON automation.pending (entity_id, key);
CREATE INDEX pending_after_message ON automation.pending (run_id, step) WHERE awaits = 'previous';
COMMENT ON TABLE automation.pending IS 'Steps that wait for their time, and rules that wait to begin';
COMMENT ON COLUMN automation.pending.id IS 'Drawn from the numbers of runs: of two for one row, the lower one is the earlier';
COMMENT ON COLUMN automation.pending.due_at IS 'When; infinity: not before something else has happened';
COMMENT ON COLUMN automation.pending.rule_id IS 'The rule';
COMMENT ON COLUMN automation.pending.version IS 'What the rule said when this was planned';
COMMENT ON COLUMN automation.pending.entity_id IS 'Attached table of the row the rule is about';
COMMENT ON COLUMN automation.pending.step IS 'Step of the run; 0: the run itself is to begin';
COMMENT ON COLUMN automation.pending.awaits IS 'What its time depends on, as long as that is not known; at due_at it is reckoned';
COMMENT ON COLUMN automation.pending.run_id IS 'The run; null for step 0';
COMMENT ON COLUMN automation.pending.parked_at IS 'It came due then, while its rule was paused or its row stopped';
COMMENT ON COLUMN automation.pending.key IS 'Key of the row the rule is about';
COMMENT ON COLUMN automation.pending.source_key IS 'Key of the row whose change fired the rule; null: the same row';
COMMENT ON COLUMN automation.pending.seen IS 'Values that must not differ when it is due, as the engine writes them; of a step that is looked at before its time, that time';
COMMENT ON COLUMN automation.pending.batch_id IS 'It is held with the rest of its transaction: automation.batch; parked_at is then when it would be due';

CREATE TABLE automation.touch (
	id bigint NOT NULL DEFAULT nextval('automation.run_id_seq'),
	at timestamptz NOT NULL DEFAULT automation._now(),
	txid xid8 NOT NULL DEFAULT pg_current_xact_id(),
	entity_id integer NOT NULL,
	key text,
	columns smallint[],
	rule_id integer,
	cause bigint,
	reason text NOT NULL,
	actor text NOT NULL DEFAULT session_user
);
CREATE INDEX touch_of_row ON automation.touch (entity_id, key);
CREATE INDEX touch_txid ON automation.touch (txid);
COMMENT ON TABLE automation.touch IS 'What may end steps that were planned earlier: changes of columns that some step watches, deletions, stops';
COMMENT ON COLUMN automation.touch.id IS 'Drawn from the numbers of runs: it concerns runs with lower numbers';
COMMENT ON COLUMN automation.touch.at IS 'When';
COMMENT ON COLUMN automation.touch.txid IS 'Transaction that did it: by this tick() finds new ones';
COMMENT ON COLUMN automation.touch.entity_id IS 'Attached table';
COMMENT ON COLUMN automation.touch.key IS 'Key of the row; null: every row';
COMMENT ON COLUMN automation.touch.columns IS 'Numbers of the columns that changed; null: it ends every step';
COMMENT ON COLUMN automation.touch.rule_id IS 'Only steps of this rule; null: of every rule';
COMMENT ON COLUMN automation.touch.cause IS 'Run that did it; its own steps go on';
COMMENT ON COLUMN automation.touch.reason IS 'What happened';
COMMENT ON COLUMN automation.touch.actor IS 'Session user';

CREATE TYPE automation._horizon AS (snapshot pg_snapshot, txid xid8, touch bigint);
COMMENT ON TYPE automation._horizon IS 'Touches up to a moment: of all transactions visible in the snapshot, and of that transaction itself up to this number';

CREATE TABLE automation.settled (
	singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	seen automation._horizon NOT NULL,
	until automation._horizon,
	id bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO automation.settled (seen) VALUES (ROW(pg_current_snapshot(), NULL, NULL));
COMMENT ON TABLE automation.settled IS 'How far tick() has come with touches';
COMMENT ON COLUMN automation.settled.singleton IS 'There is one row';
COMMENT ON COLUMN automation.settled.seen IS 'Touches up to then have had their effect';
COMMENT ON COLUMN automation.settled.until IS 'It is about to see to those that came up to then';
COMMENT ON COLUMN automation.settled.id IS 'And has come to this row of pending';

CREATE TABLE automation.step_run (
	run_id bigint NOT NULL,
	step smallint NOT NULL,
	at timestamptz NOT NULL DEFAULT automation._now(),
	record jsonb NOT NULL
);
CREATE INDEX step_run_of_run ON automation.step_run (run_id);
COMMENT ON TABLE automation.step_run IS 'What became of steps that waited; for the others see automation.run.steps';
COMMENT ON COLUMN automation.step_run.run_id IS 'The run';
COMMENT ON COLUMN automation.step_run.step IS 'Its step';
COMMENT ON COLUMN automation.step_run.at IS 'When';
COMMENT ON COLUMN automation.step_run.record IS 'In the form of an element of automation.run.steps';

CREATE TABLE automation.fired (
	rule_id integer NOT NULL,
	entity_id integer NOT NULL,
	key text NOT NULL,
	instant timestamptz NOT NULL,
	id bigint NOT NULL DEFAULT nextval('automation.run_id_seq'),
	PRIMARY KEY (entity_id, key, rule_id, instant)
);
COMMENT ON TABLE automation.fired IS 'Instants of dates for which a rule has fired: once each, however often the date moves to and fro';
COMMENT ON COLUMN automation.fired.rule_id IS 'The rule';
COMMENT ON COLUMN automation.fired.entity_id IS 'Attached table';
COMMENT ON COLUMN automation.fired.key IS 'Key of the row';
COMMENT ON COLUMN automation.fired.instant IS 'When it was due';
COMMENT ON COLUMN automation.fired.id IS 'Drawn from the numbers of runs: a deletion with a higher one was of that row, and the row there now is another';

CREATE TABLE automation.hold (
	entity_id integer NOT NULL,
	key text NOT NULL,
	rule_id integer,
	at timestamptz NOT NULL DEFAULT automation._now(),
	actor text NOT NULL,
	reason text,
	UNIQUE NULLS NOT DISTINCT (entity_id, key, rule_id)
);
COMMENT ON TABLE automation.hold IS 'Rows for which rules are stopped: nothing new begins, what comes due waits';
COMMENT ON COLUMN automation.hold.entity_id IS 'Attached table';
COMMENT ON COLUMN automation.hold.key IS 'Key of the row';
COMMENT ON COLUMN automation.hold.rule_id IS 'The rule that is stopped; null: every rule';
COMMENT ON COLUMN automation.hold.at IS 'Since when';
COMMENT ON COLUMN automation.hold.actor IS 'Who stopped it';
COMMENT ON COLUMN automation.hold.reason IS 'Why';

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.hold
FOR EACH STATEMENT EXECUTE FUNCTION automation._table_changed();
ALTER TABLE automation.hold ENABLE ALWAYS TRIGGER pg_automation_changed;

CREATE VIEW automation.due AS
SELECT
	p.due_at,
	r.name AS rule,
	r.relation,
	p.key,
	p.run_id,
	p.step,
	CASE WHEN p.step > 0 THEN v.steps -> (p.step - 1) ->> 'action' END AS action,
	CASE
		WHEN p.batch_id IS NOT NULL THEN 'it is held with its transaction: automation.pending_batches'
		WHEN p.parked_at IS NOT NULL THEN 'its rule was paused, or the row stopped, when it came due'
		WHEN p.awaits = 'previous' THEN 'the step before it is not finished'
		WHEN p.awaits = 'leaving' THEN 'the row is still in its stage'
		WHEN p.awaits = 'field' THEN 'the date it counts from is not set'
		WHEN p.awaits = 'until' THEN 'its row was locked when it was looked at'
	END AS waits_for,
	p.parked_at
FROM automation.pending AS p
JOIN automation.rule AS r ON r.id = p.rule_id
JOIN automation.rule_version AS v ON v.rule_id = p.rule_id AND v.version = p.version;
COMMENT ON VIEW automation.due IS 'What rules have planned; step null or 0: a run that is to begin';
COMMENT ON COLUMN automation.due.due_at IS 'When; infinity: not before something else has happened';
COMMENT ON COLUMN automation.due.waits_for IS 'What else has to happen first';
COMMENT ON COLUMN automation.due.rule IS 'What the rule is called';
COMMENT ON COLUMN automation.due.action IS 'What the step does';

-- The engine

CREATE FUNCTION automation._began(run_id bigint) RETURNS timestamptz
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce((SELECT u.at FROM automation.run AS u WHERE u.id = run_id), automation._now());
END;
COMMENT ON FUNCTION automation._began(bigint) IS 'When a run began';

CREATE FUNCTION automation._entered(entity_id integer, key text, status smallint) RETURNS timestamptz
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(max(t.at), automation._now())
	FROM automation.touch AS t
	WHERE t.entity_id = _entered.entity_id AND t.key = _entered.key AND _entered.status = ANY (t.columns);
END;
COMMENT ON FUNCTION automation._entered(integer, text, smallint) IS 'When a row entered its stage, as far as it was watched; else now';

CREATE FUNCTION automation._left(entity_id integer, key text, status smallint, since bigint) RETURNS timestamptz
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT min(t.at)
	FROM automation.touch AS t
	WHERE t.entity_id = _left.entity_id AND t.key = _left.key AND _left.status = ANY (t.columns) AND t.id > since;
END;
COMMENT ON FUNCTION automation._left(integer, text, smallint, bigint) IS 'When a row left the stage it was in, or null';

CREATE FUNCTION automation._find_query(relation regclass) RETURNS text
LANGUAGE plpgsql STABLE -- operators come later
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT format('SELECT t, t.tableoid, t.ctid FROM %s AS t WHERE %s', relation, string_agg(
			format('t.%I %s (%s)::%s', a.attname, automation._type_operator('=', a.atttypid::regtype),
				CASE WHEN k.columns > 1 THEN format('$1::pg_catalog.jsonb OPERATOR(pg_catalog.->>) %L::pg_catalog.text', a.attname)
					ELSE '$1' END,
				format_type(a.atttypid, a.atttypmod)), ' AND '))
		FROM (SELECT c, count(*) OVER () FROM unnest(automation._key(relation)) AS c) AS k(name, columns)
		JOIN pg_attribute AS a ON a.attrelid = relation AND a.attname = k.name);
END
$$;
COMMENT ON FUNCTION automation._find_query(regclass) IS 'Query for the row whose key, as runs have it, is $1';

CREATE FUNCTION automation._ended_by(
	entity_id integer,
	key text,
	rule_id integer,
	run_id bigint,
	since bigint,
	columns smallint[])
RETURNS SETOF text
LANGUAGE sql STABLE
-- A set, of one at most: so it becomes a part of the query that calls it.
BEGIN ATOMIC
	SELECT format('%s at %s by %s', t.reason, date_trunc('second', t.at), t.actor)
	FROM (
		-- OR would have all touches of the table read.
		SELECT k.* FROM automation.touch AS k WHERE k.entity_id = _ended_by.entity_id AND k.key = _ended_by.key
		UNION ALL
		SELECT k.* FROM automation.touch AS k WHERE k.entity_id = _ended_by.entity_id AND k.key IS NULL
	) AS t
	WHERE t.id > since
		AND (t.rule_id IS NULL OR t.rule_id = _ended_by.rule_id)
		AND (t.cause = _ended_by.run_id) IS NOT TRUE
		AND (t.columns IS NULL OR t.columns && _ended_by.columns)
	ORDER BY t.id
	LIMIT 1;
END;
COMMENT ON FUNCTION automation._ended_by(integer, text, integer, bigint, bigint, smallint[])
	IS 'The touch since then that ends what is planned for a row, given the columns that cancel it; or none';

CREATE FUNCTION automation._circumstances(
	entity_id integer,
	key text,
	rule_id integer,
	run_id bigint,
	id bigint,
	step smallint,
	columns smallint[])
RETURNS TABLE (is_held boolean, touch text, is_superseded boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT
		EXISTS (
			SELECT FROM automation.hold AS h
			WHERE h.entity_id = _circumstances.entity_id AND h.key = _circumstances.key
				AND (h.rule_id IS NULL OR h.rule_id = _circumstances.rule_id)),
		(
			SELECT e.touch
			FROM automation._ended_by(_circumstances.entity_id, _circumstances.key, _circumstances.rule_id,
				_circumstances.run_id, coalesce(_circumstances.run_id, _circumstances.id), _circumstances.columns) AS e(touch)),
		_circumstances.step = 0 AND EXISTS (
			SELECT FROM automation.pending AS p
			WHERE p.entity_id = _circumstances.entity_id AND p.key = _circumstances.key
				AND p.rule_id = _circumstances.rule_id AND p.step = 0 AND p.id > _circumstances.id);
END;
COMMENT ON FUNCTION automation._circumstances(integer, text, integer, bigint, bigint, smallint, smallint[])
	IS 'What has happened to something that is planned: its rule was stopped for its row, a touch ends it, it was planned anew';

CREATE FUNCTION automation._step_status(run_id bigint, step smallint) RETURNS text
LANGUAGE plpgsql STABLE -- the view comes later
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT s.status FROM automation._step AS s WHERE s.run_id = _step_status.run_id AND s.step = _step_status.step);
END
$$;
COMMENT ON FUNCTION automation._step_status(bigint, smallint) IS 'How a step of a run stands now';

CREATE FUNCTION automation._arm(run_id bigint, decision text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.record -> 'result' ->> 'arm'
	FROM (
		SELECT r.record FROM automation.step_run AS r WHERE r.run_id = _arm.run_id
		UNION ALL
		SELECT e FROM automation.run AS u, jsonb_array_elements(u.steps) AS e WHERE u.id = _arm.run_id
	) AS s(record)
	WHERE s.record -> 'result' ->> 'decision' = _arm.decision
	LIMIT 1;
END;
COMMENT ON FUNCTION automation._arm(bigint, text) IS 'Which way a run went at a decision, or null';

CREATE TYPE automation._task AS (
	place tid,
	id bigint,
	due_at timestamptz,
	rule_id integer,
	version integer,
	entity_id integer,
	step smallint,
	awaits text,
	run_id bigint,
	key text,
	source_key text,
	seen text,
	source_id integer
);
COMMENT ON TYPE automation._task IS 'A row of automation.pending as tick() works on it';

CREATE FUNCTION automation._task(place tid, pending automation.pending) RETURNS automation._task
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT place, (pending).id, (pending).due_at, (pending).rule_id, (pending).version, (pending).entity_id, (pending).step,
		(pending).awaits, (pending).run_id, (pending).key, (pending).source_key, (pending).seen, (
			SELECT s.id
			FROM automation.rule AS r
			JOIN automation.entity AS s ON s.relation = r.event_relation
			WHERE r.id = (pending).rule_id);
END;
COMMENT ON FUNCTION automation._task(tid, automation.pending) IS 'What the engine needs to know of a row of automation.pending';

CREATE FUNCTION automation._coming_due(most integer, after_due timestamptz, after_id bigint)
RETURNS SETOF automation._task
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- The table may have been all but empty when this was planned.
SET enable_seqscan = off
SET jit = off
AS $$
BEGIN
	RETURN QUERY
	SELECT p.place, p.id, p.due_at, p.rule_id, p.version, p.entity_id, p.step, p.awaits, p.run_id, p.key, p.source_key, p.seen, s.id
	FROM (
		SELECT d.ctid AS place, d.*
		FROM automation.pending AS d
		WHERE d.due_at <= automation._now() AND (d.due_at, d.id) > (after_due, after_id)
		ORDER BY d.due_at, d.id
		LIMIT most
		FOR UPDATE SKIP LOCKED
	) AS p
	LEFT JOIN automation.rule AS r ON r.id = p.rule_id
	LEFT JOIN automation.entity AS s ON s.relation = r.event_relation
	ORDER BY p.due_at, p.id;
END
$$;
COMMENT ON FUNCTION automation._coming_due(integer, timestamptz, bigint) IS 'What is due now, the earliest first, locked; after something that cannot be done now';

CREATE FUNCTION automation._horizon() RETURNS automation._horizon
LANGUAGE sql
-- A snapshot does not list its own transaction among those that are under way.
BEGIN ATOMIC
	SELECT format('%s:%s:%s', least(pg_snapshot_xmin(c.snapshot), c.own), pg_snapshot_xmax(c.snapshot), (
			SELECT string_agg(i.txid::text, ',' ORDER BY i.txid)
			FROM (
				SELECT pg_snapshot_xip(c.snapshot)
				UNION
				SELECT c.own WHERE c.own < pg_snapshot_xmax(c.snapshot)
			) AS i(txid)))::pg_snapshot,
		c.own, (SELECT max(t.id) FROM automation.touch AS t WHERE t.txid = c.own)
	FROM (SELECT pg_current_snapshot(), pg_current_xact_id()) AS c(snapshot, own);
END;
COMMENT ON FUNCTION automation._horizon() IS 'Now: what other transactions have committed, and what this one has done so far';

CREATE FUNCTION automation._is_before(touch automation.touch, horizon automation._horizon) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN pg_visible_in_snapshot((touch).txid, (horizon).snapshot)
	OR ((touch).txid = (horizon).txid AND (touch).id <= (horizon).touch) IS TRUE;
COMMENT ON FUNCTION automation._is_before(automation.touch, automation._horizon) IS 'Whether a touch came up to that moment';

CREATE FUNCTION automation._touched(most integer) RETURNS SETOF automation._task
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	progress automation.settled;
	task automation._task;
	count integer := 0;
BEGIN
	SELECT * INTO progress FROM automation.settled;
	IF progress.until IS NULL AND NOT EXISTS (
		SELECT FROM automation.touch AS t
		WHERE t.txid >= pg_snapshot_xmin((progress.seen).snapshot) AND NOT automation._is_before(t, progress.seen))
	THEN
		RETURN;
	END IF;
	SELECT * INTO progress FROM automation.settled FOR UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN;
	ELSIF progress.until IS NULL THEN
		progress.until := automation._horizon();
	END IF;
	FOR task IN
		SELECT DISTINCT ON (p.id)
			p.place, p.id, p.due_at, p.rule_id, p.version, p.entity_id, p.step, p.awaits, p.run_id, p.key, p.source_key, p.seen, s.id
		FROM automation.touch AS t
		CROSS JOIN LATERAL (
			SELECT d.ctid AS place, d.* FROM automation.pending AS d WHERE d.entity_id = t.entity_id AND d.key = t.key
			UNION ALL
			SELECT d.ctid, d.* FROM automation.pending AS d WHERE d.entity_id = t.entity_id AND t.key IS NULL
		) AS p
		LEFT JOIN automation.rule AS r ON r.id = p.rule_id
		LEFT JOIN automation.entity AS s ON s.relation = r.event_relation
		WHERE t.txid >= pg_snapshot_xmin((progress.seen).snapshot)
			AND NOT automation._is_before(t, progress.seen) AND automation._is_before(t, progress.until)
			AND p.id > progress.id AND t.id > coalesce(p.run_id, p.id)
		ORDER BY p.id
		LIMIT most
	LOOP
		progress.id := task.id;
		count := count + 1;
		RETURN NEXT task;
	END LOOP;
	IF count < most THEN
		progress.seen := progress.until;
		progress.until := NULL;
		progress.id := 0;
	END IF;
	UPDATE automation.settled SET seen = progress.seen, until = progress.until, id = progress.id;
END
$$;
COMMENT ON FUNCTION automation._touched(integer) IS 'What is planned for rows that have been touched since the last time, by number';

CREATE FUNCTION automation._follow(run_id bigint, step smallint) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	UPDATE automation.pending AS p
	SET due_at = automation._now()
	FROM automation.run AS u
	WHERE u.id = _follow.run_id AND p.entity_id = u.entity_id AND p.key = u.key AND p.run_id = u.id
		AND p.step = _follow.step + 1 AND p.awaits = 'previous' AND p.parked_at IS NULL;
END;
COMMENT ON FUNCTION automation._follow(bigint, smallint) IS 'Lets the step begin that waits for this one';

CREATE FUNCTION automation._delivered(runs bigint[], steps smallint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
-- The table may have been all but empty when this was planned.
SET enable_seqscan = off
AS $$
BEGIN
	PERFORM automation._follow(w.run_id, w.step)
	FROM (
		SELECT DISTINCT o.run_id, o.step
		FROM unnest(runs, steps) AS o(run_id, step)
		JOIN automation.pending AS p ON p.run_id = o.run_id AND p.step = o.step + 1
		WHERE p.awaits = 'previous'
		OFFSET 0 -- a step's status is dear: it is asked only where somebody waits for it
	) AS w
	WHERE automation._step_status(w.run_id, w.step) NOT IN ('delivering', 'retrying', 'waiting');
	IF FOUND THEN
		PERFORM automation._wake_worker();
	END IF;
END
$$;
COMMENT ON FUNCTION automation._delivered(bigint[], smallint[]) IS 'Messages of these steps of runs have come to their end: steps that waited for them may begin';

CREATE FUNCTION automation.tick(most integer DEFAULT 1000) RETURNS integer
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_tick';
COMMENT ON FUNCTION automation.tick(integer)
	IS 'Does what is due, at most so many steps, and answers how many it has dealt with. The worker calls it in time, pg_cron each minute; any number may run at once. After BEGIN it does not look for changes that end or move what is planned';

CREATE FUNCTION automation._next_due() RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_next_due';
COMMENT ON FUNCTION automation._next_due() IS 'Milliseconds until something is due; the highest bigint when nothing is planned, or may be done';

CREATE FUNCTION automation._plan_schedule(rule_id integer) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	-- The one planned before is superseded.
	INSERT INTO automation.pending (due_at, rule_id, version, entity_id, step, key)
	SELECT automation._now(), r.id, r.version, e.id, 0, ''
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
	JOIN automation.entity AS e ON e.relation = r.relation
	WHERE r.id = _plan_schedule.rule_id AND r.state = 'active' AND v.timing ? 'cron';
	UPDATE automation.pending AS p
	SET awaits = 'entered'
	FROM automation.rule AS r, automation.entity AS e
	WHERE r.id = _plan_schedule.rule_id AND e.relation = r.relation AND p.entity_id = e.id AND p.key = '' AND p.rule_id = r.id;
END;
COMMENT ON FUNCTION automation._plan_schedule(integer) IS 'Has tick() reckon when a rule with a schedule is due next';

-- The clock of tests

CREATE FUNCTION automation.set_clock("time" timestamptz) RETURNS timestamptz
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_set_clock';
COMMENT ON FUNCTION automation.set_clock(timestamptz)
	IS 'Until the end of this transaction it is that time for all rules. It does nothing that is due: see advance()';

CREATE FUNCTION automation.advance("by" interval) RETURNS integer
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_advance';
COMMENT ON FUNCTION automation.advance(interval)
	IS 'Lets time pass for this transaction: what comes due on the way is done at its time, and counted. Messages count as delivered';

-- Verbs

CREATE FUNCTION automation._write_step(run_id bigint, step smallint, record jsonb) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_write_step';
COMMENT ON FUNCTION automation._write_step(bigint, smallint, jsonb) IS 'Notes what became of a step that waited';

CREATE FUNCTION automation._cancel(place tid, reason text) RETURNS void
LANGUAGE plpgsql -- which keeps its plans: SQL would plan anew for each
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	gone record;
BEGIN
	DELETE FROM automation.pending AS p WHERE p.ctid = place RETURNING p.run_id, p.step INTO gone;
	IF gone.run_id IS NOT NULL THEN
		PERFORM automation._write_step(gone.run_id, gone.step, jsonb_build_object('status', 'cancelled', 'reason', reason));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._cancel(tid, text) IS 'Ends something that is planned';

CREATE FUNCTION automation._cancel_runs(rule_id integer, reason text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._cancel(p.place, _cancel_runs.reason)
	FROM (SELECT d.ctid AS place FROM automation.pending AS d WHERE d.rule_id = _cancel_runs.rule_id FOR UPDATE) AS p;
END;
COMMENT ON FUNCTION automation._cancel_runs(integer, text) IS 'Ends everything that a rule has planned';

CREATE FUNCTION automation._discard_plans(reason text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	-- What a date of the row or a schedule brings about later stays planned.
	SELECT automation._cancel(p.place, _discard_plans.reason)
	FROM (
		SELECT d.ctid AS place
		FROM automation.pending AS d
		WHERE d.step > 0 OR d.parked_at IS NOT NULL OR d.due_at <= automation._now()
		FOR UPDATE
	) AS p;
	SELECT automation._plan_schedule(r.id) FROM automation.rule AS r;
END;
COMMENT ON FUNCTION automation._discard_plans(text) IS 'Ends every run that waits, and everything that is overdue';

CREATE FUNCTION automation._is_first(rule_id integer, entity_id integer, key text, instant timestamptz) RETURNS boolean
LANGUAGE sql
BEGIN ATOMIC
	WITH noted AS (
		INSERT INTO automation.fired AS f (rule_id, entity_id, key, instant)
		VALUES (_is_first.rule_id, _is_first.entity_id, _is_first.key, _is_first.instant)
		ON CONFLICT (entity_id, key, rule_id, instant) DO UPDATE SET id = excluded.id
		WHERE EXISTS (
			SELECT FROM automation.touch AS t
			WHERE t.entity_id = f.entity_id AND (t.key = f.key OR t.key IS NULL)
				AND t.columns IS NULL AND t.rule_id IS NULL AND t.id > f.id)
		RETURNING 1)
	SELECT EXISTS (SELECT FROM noted);
END;
COMMENT ON FUNCTION automation._is_first(integer, integer, text, timestamptz) IS 'Notes that a rule fires for a date of a row; false: it has fired for that one';

CREATE FUNCTION automation._resume(place tid, on_overdue text, late interval) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF on_overdue = 'skip' AND EXISTS (
		SELECT FROM automation.pending AS p
		JOIN automation._wait AS w ON w.rule_id = p.rule_id AND w.version = p.version AND w.step = p.step
		WHERE p.ctid = place AND w.recurs)
	THEN
		-- It comes again: tick() reckons when.
		UPDATE automation.pending AS p
		SET parked_at = NULL, due_at = automation._now(), awaits = 'field'
		WHERE p.ctid = place;
	ELSIF on_overdue = 'skip' THEN
		PERFORM automation._follow(p.run_id, p.step) FROM automation.pending AS p WHERE p.ctid = place;
		PERFORM automation._cancel(place, 'came due while it was paused');
	ELSE
		UPDATE automation.pending AS p
		SET parked_at = NULL, due_at = p.parked_at + late
		WHERE p.ctid = place;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._resume(tid, text, interval) IS 'What becomes of a step that came due while it was paused; late: how much later it is to run';

CREATE FUNCTION automation._check_on_overdue(on_overdue text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_choice('invalid value for on_overdue', on_overdue, 'skip', 'run', 'reschedule');
END
$$;
COMMENT ON FUNCTION automation._check_on_overdue(text) IS 'Raises an error unless the text says what becomes of steps that came due in the meantime';

CREATE FUNCTION automation._resume_all(on_overdue text, rule_id integer, entity_id integer, key text, since timestamptz) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	-- Ten a second, so that a backlog never bursts.
	SELECT automation._resume(p.place, on_overdue, CASE on_overdue
		WHEN 'run' THEN automation._now() - p.parked_at + p.number * interval '0.1 s'
		ELSE automation._now() - since
	END)
	FROM (
		SELECT d.ctid AS place, d.parked_at, row_number() OVER (ORDER BY d.parked_at, d.id) - 1 AS number
		FROM automation.pending AS d
		WHERE d.due_at = 'infinity' AND d.parked_at IS NOT NULL AND d.batch_id IS NULL
			AND d.rule_id = coalesce(_resume_all.rule_id, d.rule_id)
			AND d.entity_id = coalesce(_resume_all.entity_id, d.entity_id)
			AND d.key = coalesce(_resume_all.key, d.key)
	) AS p;
END;
COMMENT ON FUNCTION automation._resume_all(text, integer, integer, text, timestamptz)
	IS 'What becomes of all steps that came due while their rule was paused, or the row stopped';

CREATE FUNCTION automation._check_stopper(caller regrole, relation regclass, rule text) RETURNS integer
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	stopped automation.rule;
BEGIN
	PERFORM automation._check_reader(caller, relation);
	IF rule IS NULL THEN
		IF NOT automation._is_operator(caller) THEN
			PERFORM automation._fail('42501', 'permission denied to stop every rule for a row',
				hint => 'Name a rule of yours, or be granted the role of an operator.');
		END IF;
		RETURN NULL;
	END IF;
	stopped := automation._rule(rule);
	IF NOT automation._is_operator(caller) AND NOT pg_has_role(caller, stopped.owner, 'USAGE') THEN
		PERFORM automation._fail('42501', format('must be owner of rule "%s"', rule));
	END IF;
	RETURN stopped.id;
END
$$;
COMMENT ON FUNCTION automation._check_stopper(regrole, regclass, text) IS 'Raises an error unless the caller may stop the rule for rows of the table; answers its number';

CREATE FUNCTION automation.stop_item(relation regclass, key text, rule text DEFAULT NULL, reason text DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.stop_item(regclass, text, text, text)
	IS 'Stops a rule, or all of them, for one row: no new runs, and what comes due waits, until resume_item()';

CREATE FUNCTION automation._stop_item(caller regrole, relation regclass, key text, rule text, reason text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	stopped integer := automation._check_stopper(caller, relation, rule);
BEGIN
	PERFORM automation._row(relation, key);
	INSERT INTO automation.hold (entity_id, key, rule_id, actor, reason)
	VALUES ((automation._entity(relation)).id, automation._key_text(relation, key), stopped, caller::text, reason)
	ON CONFLICT DO NOTHING;
	IF NOT FOUND THEN
		RAISE NOTICE 'row % of table "%" is already stopped', key, relation;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._stop_item(regrole, regclass, text, text, text) IS 'automation.stop_item()';

CREATE FUNCTION automation.resume_item(relation regclass, key text, rule text DEFAULT NULL, on_overdue text DEFAULT 'skip') RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.resume_item(regclass, text, text, text)
	IS 'Ends stop_item(). What came due in the meantime is skipped, run, or rescheduled: as much later as the stop was long';

CREATE FUNCTION automation._resume_item(caller regrole, relation regclass, key text, rule text, on_overdue text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	stopped integer := automation._check_stopper(caller, relation, rule);
	entity integer := (automation._entity(relation)).id;
	item text := automation._key_text(relation, key);
	since timestamptz;
BEGIN
	PERFORM automation._check_on_overdue(on_overdue);
	DELETE FROM automation.hold AS h
	WHERE h.entity_id = entity AND h.key = item AND h.rule_id IS NOT DISTINCT FROM stopped
	RETURNING h.at INTO since;
	IF NOT FOUND THEN
		PERFORM automation._fail('55000', format('row %s of table "%s" is not stopped', key, relation));
	END IF;
	PERFORM automation._resume_all(on_overdue, stopped, entity, item, since);
	PERFORM automation._wake_worker();
END
$$;
COMMENT ON FUNCTION automation._resume_item(regrole, regclass, text, text, text) IS 'automation.resume_item()';

CREATE FUNCTION automation.cancel(run bigint, step integer DEFAULT NULL, reason text DEFAULT NULL) RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.cancel(bigint, integer, text) IS 'Cancels a step of a run that waits, or all that wait, and answers how many';

CREATE FUNCTION automation._cancel(caller regrole, run bigint, step integer, reason text) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cancelled record;
	count integer;
BEGIN
	SELECT u.rule_id, u.entity_id, u.key INTO cancelled FROM automation.run AS u WHERE u.id = run;
	IF NOT FOUND THEN
		PERFORM automation._fail('42704', format('run %s does not exist', coalesce(run::text, 'null')));
	ELSIF NOT automation._is_operator(caller) AND NOT coalesce(pg_has_role(caller,
		(SELECT r.owner FROM automation.rule AS r WHERE r.id = cancelled.rule_id), 'USAGE'), false)
	THEN
		PERFORM automation._fail('42501', format('must be owner of the rule of run %s', run));
	END IF;
	PERFORM automation._cancel(p.place, coalesce(_cancel.reason, 'cancelled by ' || caller))
	FROM (
		SELECT d.ctid AS place
		FROM automation.pending AS d
		WHERE d.entity_id = cancelled.entity_id AND d.key = cancelled.key AND d.run_id = run
			AND d.step = coalesce(_cancel.step, d.step)
		FOR UPDATE
	) AS p;
	GET DIAGNOSTICS count = ROW_COUNT;
	IF count = 0 AND automation._step_status(run, step::smallint) IS NULL AND step IS NOT NULL THEN
		PERFORM automation._fail('42704', format('run %s has no step %s', run, step));
	ELSIF count = 0 THEN
		PERFORM automation._fail('55000', CASE WHEN step IS NULL THEN format('no step of run %s waits', run)
			ELSE format('step %s of run %s does not wait', step, run) END,
			'Its status is ' || automation._step_status(run, step::smallint) || '.');
	ELSIF step IS NOT NULL THEN
		PERFORM automation._follow(run, step::smallint), automation._wake_worker();
	END IF;
	RETURN count;
END
$$;
COMMENT ON FUNCTION automation._cancel(regrole, bigint, integer, text) IS 'automation.cancel()';
