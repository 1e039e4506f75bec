-- What waits: 10,000 steps that are due, alone and among many that are not.

\echo 'Due steps: 10,000 of them, with nothing else pending and with ':pending' steps pending'
CREATE TABLE crm.due (id integer PRIMARY KEY, status text, note text);
CREATE TABLE crm.later (LIKE crm.due INCLUDING ALL);
-- The floor: a queue as one writes it by hand, that knows neither rows nor rules.
CREATE TABLE bench.queue (id bigint PRIMARY KEY, due_at timestamptz NOT NULL, payload text);
CREATE INDEX ON bench.queue (due_at);
\o /dev/null
SELECT automation.attach('crm.due', 'job', '{"status": "status"}'), automation.attach('crm.later', 'job', '{"status": "status"}');
SELECT automation.create_rule('due', 'crm.due', 'created', activate => true, steps => ARRAY[
	automation.after('1 hour', automation.notify('log', 'Job {{ id }} is {{ status }}'), cancel_if_changed => '{status}')]);
SELECT automation.create_rule('later', 'crm.later', 'created', activate => true, steps => ARRAY[
	automation.after('30 days', automation.notify('log', 'Job {{ id }} is {{ status }}'), cancel_if_changed => '{status}')]);
-- As the rule itself would have planned them.
INSERT INTO crm.later SELECT i, 'New' FROM generate_series(1, 10000) AS i;
INSERT INTO crm.later SELECT i, 'New' FROM generate_series(10001, :pending) AS i WHERE set_config('pg_automation.enabled', 'off', true) = 'off';
CREATE TABLE bench.many AS
SELECT p.due_at + i * interval '1 ms' AS due_at, p.rule_id, p.version, p.entity_id, p.step, 0::bigint AS run_id, i::text AS key
FROM generate_series(1, :pending) AS i, (SELECT * FROM automation.pending LIMIT 1) AS p;
\o

CREATE PROCEDURE bench.fill(pending boolean) LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE automation.pending, automation.run, automation.step_run, automation.touch, automation.notification, crm.due, bench.queue;
	IF pending THEN
		INSERT INTO automation.pending (due_at, rule_id, version, entity_id, step, run_id, key)
		SELECT m.due_at, m.rule_id, m.version, m.entity_id, m.step, m.run_id, m.key FROM bench.many AS m;
		INSERT INTO bench.queue SELECT m.key::bigint, m.due_at FROM bench.many AS m;
	END IF;
	COMMIT;
	INSERT INTO crm.due SELECT i, 'New' FROM generate_series(1, 10000) AS i;
	INSERT INTO bench.queue SELECT -i, now() FROM generate_series(1, 10000) AS i;
	COMMIT;
	ANALYZE automation.pending, bench.queue;
	PERFORM automation.tick(0);
	COMMIT;
END
$$;

CREATE FUNCTION bench.claim_by_hand(most integer) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY DELETE FROM bench.queue AS q USING (
		SELECT d.ctid AS place FROM bench.queue AS d WHERE d.due_at <= now() ORDER BY d.due_at LIMIT most FOR UPDATE SKIP LOCKED) AS c
	WHERE q.ctid = c.place RETURNING q.id;
END
$$;

-- The time of the steps has come, as far as this transaction goes.
CREATE FUNCTION bench.tick(most integer) RETURNS SETOF integer LANGUAGE plpgsql AS $$
BEGIN
	PERFORM automation.set_clock(now() + interval '1 hour');
	RETURN QUERY SELECT generate_series(1, automation.tick(most));
END
$$;

CREATE FUNCTION bench.claim(most integer) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
BEGIN
	PERFORM automation.set_clock(now() + interval '1 hour');
	RETURN QUERY SELECT d.id FROM automation._coming_due(most, '-infinity', 0) AS d;
END
$$;

-- In one transaction, or the worker would be faster.
CREATE FUNCTION bench.cancel() RETURNS SETOF integer LANGUAGE plpgsql AS $$
BEGIN
	UPDATE crm.due SET status = 'Old' WHERE id BETWEEN 15001 AND 20000;
	PERFORM automation.tick(10000);
	RETURN QUERY SELECT generate_series(1, 5000);
END
$$;

CREATE PROCEDURE bench.rounds(rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	pending boolean;
	suffix text;
BEGIN
	FOR round IN 0..rounds LOOP
		FOREACH pending IN ARRAY '{false,true}'::boolean[] LOOP
			suffix := CASE WHEN pending THEN ', many pending' ELSE '' END;
			CALL bench.fill(pending);
			CALL bench.take(round, 'claim from a plain queue' || suffix, 'SELECT bench.claim_by_hand(1000) FROM generate_series(1, 10)');
			CALL bench.take(round, 'claim' || suffix, 'SELECT bench.claim(10000)');
			CALL bench.take(round, 'take' || suffix, 'SELECT bench.tick(10000)');
			CALL bench.take(round, 'write' || suffix, 'INSERT INTO crm.due SELECT i, ''New'' FROM generate_series(10001, 20000) AS i');
			CALL bench.take(round, 'cancel by a write' || suffix, 'UPDATE crm.due SET status = ''Old'' WHERE id BETWEEN 10001 AND 15000');
			CALL bench.take(round, 'and settle it' || suffix, 'SELECT bench.cancel()');
			INSERT INTO crm.due SELECT i, 'New' FROM generate_series(20001, 21000) AS i;
			COMMIT;
			CALL bench.take(round, 'cancel()' || suffix, 'SELECT automation.cancel(u.id) FROM automation.run AS u WHERE u.key::integer > 20000');
		END LOOP;
	END LOOP;
END
$$;
CALL bench.rounds(:rounds);

\echo 'What each costs; the base is the floor: rows claimed from a queue that knows nothing else'
SELECT * FROM bench.report('claim from a plain queue');
\echo 'The same with many steps pending, against none'
SELECT r.* FROM unnest('{claim,take,write,cancel by a write,and settle it,cancel()}'::text[]) AS base(variant), bench.report(base.variant) AS r
WHERE r.variant = base.variant || ', many pending';

\o /dev/null
SELECT bench.goal('S1', '10,000 due among many pending, times none pending', 'at most', 1.1, bench.ratios('take, many pending', 'take')),
	bench.goal('S2', 'due steps claimed a second, with many pending', 'at least', 40000,
		(SELECT array_agg(t.rows / t.seconds) FROM bench.taken AS t WHERE t.variant = 'claim, many pending' AND t.round > 0)),
	bench.goal('S3', 'cancel(), with many pending', 'at most', 0.15,
		(SELECT array_agg(1000 * t.seconds / t.rows) FROM bench.taken AS t WHERE t.variant = 'cancel(), many pending' AND t.round > 0), ' ms'),
	bench.goal('S4', 'bytes of a pending step, with its indexes', 'at most', 200,
		ARRAY[pg_total_relation_size('automation.pending') / (SELECT count(*) FROM automation.pending)::double precision]);
\o
