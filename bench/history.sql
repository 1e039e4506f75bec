-- How cost grows with the log, and with what has happened to one row: one match in bulk, what is asked, and what forgets it.
-- One run in a hundred has sent a message, which the worker has ended as simulated.

\echo 'The log: one match, what is asked of it, and what is forgotten, by its rows'
ALTER SYSTEM SET pg_automation.delivery = simulate;
CALL bench.make_jobs('ours', 10000);
\o /dev/null
SELECT pg_reload_conf(), automation.create_channel('nowhere', 'webhook', '{"base_url": "https://127.0.0.1:9"}'),
	automation.attach('crm.ours', 'job', '{"status": "status"}');
SELECT automation.create_rule('ours', 'crm.ours', 'status_entered', '{"to": ["completed", "done"]}',
	steps => ARRAY[automation.notify('x', 'Job {{ id }} is {{ status }}')], activate => true);
SELECT automation.create_rule('sends', 'crm.ours', 'status_entered', '{"to": "sent"}',
	steps => ARRAY[automation.send_webhook('nowhere', '/', '{"id": "{{ id }}", "status": "{{ status }}"}')], activate => true);
UPDATE crm.ours SET status = 'sent' WHERE id = 1;
\o

-- Ten runs of each row.
CREATE PROCEDURE bench.fill_log(many bigint) LANGUAGE plpgsql AS $$
DECLARE
	here bigint := (SELECT count(*) FROM automation.run);
BEGIN
	WHILE here < many LOOP
		WITH new AS (
			SELECT here + i AS place, nextval('automation.run_id_seq') AS run,
				CASE WHEN i % 100 = 0 THEN nextval('automation.delivery_id_seq') END AS delivery
			FROM generate_series(1, least(many - here, 100000)) AS i
		), message AS (
			INSERT INTO automation.delivery (id, at, txid, run_id, step, rule_owner, server, channel, kind, recipient, priority, message)
			OVERRIDING SYSTEM VALUE
			SELECT n.delivery, now(), pg_current_xact_id(), n.run, 1, d.rule_owner, d.server, d.channel, d.kind, d.recipient, d.priority, d.message
			FROM new AS n, (SELECT * FROM automation.delivery LIMIT 1) AS d
			WHERE n.delivery IS NOT NULL
		)
		INSERT INTO automation.run (id, at, rule_id, version, entity_id, key, event, changes, status, steps, actor) OVERRIDING SYSTEM VALUE
		SELECT n.run, CASE WHEN n.place <= 10000 THEN now() - interval '2 days' ELSE now() END, CASE WHEN n.delivery IS NULL THEN 1 ELSE 2 END, 1, 1, 1000000 + n.place / 10, 'updated', '{"status": ["done", "completed"]}',
			CASE WHEN n.delivery IS NULL THEN 'succeeded' ELSE 'delivering' END,
			jsonb_build_array(CASE WHEN n.delivery IS NULL THEN '{"step": 1, "action": "notify", "status": "succeeded"}'
				ELSE jsonb_build_object('step', 1, 'action', 'send_webhook', 'status', 'delivering', 'deliveries', jsonb_build_array(n.delivery)) END),
			'bench'
		FROM new AS n;
		here := here + least(many - here, 100000);
		COMMIT;
		PERFORM bench.wait_for_worker();
		COMMIT;
	END LOOP;
END
$$;
CREATE FUNCTION bench.wait_for_worker() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	WHILE EXISTS (SELECT FROM automation.stats AS s WHERE s.ready > 0) LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
END
$$;

CREATE PROCEDURE bench.rounds(many bigint, rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	run bigint;
BEGIN
	CALL bench.fill_log(many);
	ANALYZE automation.run, automation.delivery, automation.attempt;
	COMMIT;
	run := (SELECT max(u.id) FROM automation.run AS u WHERE u.status = 'delivering');
	FOR round IN 0..rounds LOOP
		CALL bench.take(round, bench.sized('one match', many), bench.change('ours'));
		CALL bench.take(round, bench.sized('the last 20 runs', many), $q$SELECT bench.repeat(50, 'SELECT * FROM automation.execution_log ORDER BY id DESC LIMIT 20')$q$);
		CALL bench.take(round, bench.sized('the runs of a row', many),
			$q$SELECT bench.repeat(50, 'SELECT * FROM automation.execution_log WHERE relation = ''crm.ours''::regclass AND key = ''1000777'' ORDER BY id DESC LIMIT 20')$q$);
		CALL bench.take(round, bench.sized('the steps of a run', many),
			format('SELECT bench.repeat(50, ''SELECT * FROM automation.step_log WHERE run_id = %s'')', run));
		CALL bench.take(round, bench.sized('item_status()', many), $q$SELECT bench.repeat(20, 'SELECT * FROM automation.item_status(''crm.ours'', ''77'')')$q$);
		CALL bench.take(round, bench.sized('explain()', many), $q$SELECT bench.repeat(20, 'SELECT * FROM automation.explain(''ours'', ''crm.ours'', ''77'')')$q$);
		CALL bench.take(round, bench.sized('why_not()', many), $q$SELECT bench.repeat(20, 'SELECT * FROM automation.why_not(''ours'', ''crm.ours'', ''77'')')$q$);
		CALL bench.take(round, bench.sized('stats', many), $q$SELECT bench.repeat(20, 'SELECT * FROM automation.stats')$q$);
		CALL bench.take_undone(round, bench.sized('the night that forgets it', many), 'SELECT bench.forget()');
	END LOOP;
	CALL bench.take_undone(1, bench.sized('purge_log() of the first 10,000', many), $q$SELECT automation.purge_log('1 day')$q$);
	INSERT INTO bench.taken SELECT 1, bench.sized('bytes of a run', many), 1e6 * count(*), pg_total_relation_size('automation.run') FROM automation.run;
	COMMIT;
END
$$;
SELECT format('CALL bench.rounds(%s, %s)', many, :rounds) FROM unnest(:sizes::bigint[]) AS many \gexec
SELECT * FROM bench.growth \crosstabview "µs each" size cost

\echo 'One row, by how often it has changed: each time a rule has run for it, and what waited was cancelled'
TRUNCATE automation.run, automation.step_run, automation.delivery, automation.attempt;
CREATE TABLE crm.busy (id integer PRIMARY KEY, status text, note text);
INSERT INTO crm.busy VALUES (7, 'New');
\o /dev/null
SELECT automation.attach('crm.busy', 'job', '{"status": "status"}');
SELECT automation.create_rule('busy', 'crm.busy', 'status_changed', activate => true, steps => ARRAY[
	automation.after('1 hour', automation.notify('x', 'Job {{ id }} is {{ status }}'), cancel_if_changed => '{status}')]);
UPDATE crm.busy SET status = 'Old';
UPDATE crm.busy SET status = 'New';
\o
CREATE TABLE bench.run_sample AS SELECT * FROM automation.run LIMIT 1;
CREATE TABLE bench.touch_sample AS SELECT * FROM automation.touch WHERE columns IS NOT NULL LIMIT 1;
CREATE PROCEDURE bench.fill_row(many bigint) LANGUAGE plpgsql AS $$
BEGIN
	WITH made AS (
		INSERT INTO automation.run (at, rule_id, version, entity_id, key, event, changes, status, steps, actor)
		SELECT r.at, r.rule_id, r.version, r.entity_id, r.key, r.event, r.changes, r.status, r.steps, r.actor
		FROM bench.run_sample AS r, generate_series((SELECT count(*) FROM automation.run) + 1, many)
		RETURNING id)
	INSERT INTO automation.step_run (run_id, step, at, record)
	SELECT m.id, 1, now(), '{"status": "cancelled", "reason": "field status changed"}' FROM made AS m;
	INSERT INTO automation.touch (at, txid, entity_id, key, columns, reason, actor)
	SELECT t.at, t.txid, t.entity_id, t.key, t.columns, t.reason, t.actor
	FROM bench.touch_sample AS t, generate_series((SELECT count(*) FROM automation.touch) + 1, many);
	COMMIT;
END
$$;
-- In one transaction, or the worker would see to it first.
CREATE FUNCTION bench.change_and_settle() RETURNS SETOF integer LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..20 LOOP
		UPDATE crm.busy SET status = 'Status ' || i;
		RETURN NEXT i;
	END LOOP;
	PERFORM automation.tick(1000);
END
$$;
CREATE PROCEDURE bench.rounds_of_row(many bigint, rounds integer) LANGUAGE plpgsql AS $$
BEGIN
	CALL bench.fill_row(many);
	ANALYZE automation.run, automation.step_run, automation.touch;
	COMMIT;
	FOR round IN 0..rounds LOOP
		CALL bench.take_undone(round, bench.sized('a change', many), $q$SELECT bench.repeat(20, 'UPDATE crm.busy SET status = status || ''!''')$q$);
		CALL bench.take_undone(round, bench.sized('a change, and what waited is settled', many), 'SELECT bench.change_and_settle()');
		CALL bench.take(round, bench.sized('the last 20 runs of the row', many),
			$q$SELECT bench.repeat(20, 'SELECT * FROM automation.execution_log WHERE relation = ''crm.busy''::regclass AND key = ''7'' ORDER BY id DESC LIMIT 20')$q$);
		CALL bench.take(round, bench.sized('item_status() of the row', many), $q$SELECT bench.repeat(5, 'SELECT * FROM automation.item_status(''crm.busy'', ''7'')')$q$);
	END LOOP;
END
$$;
SELECT format('CALL bench.rounds_of_row(%s, %s)', many, :rounds) FROM unnest('{100,1000,10000}'::bigint[]) AS many \gexec
SELECT * FROM bench.growth WHERE "µs each" ~ 'a change|of the row' \crosstabview "µs each" size cost
ALTER SYSTEM RESET pg_automation.delivery;
\o /dev/null
SELECT pg_reload_conf();
\o
