-- How cost grows with what waits in the outbox: messages of a channel that is paused. Other channels go on: the worker ends their
-- messages as simulated, and does all the rest. In the end what has waited leaves.

\echo 'Backlog: what a writer, the worker and who looks feel of messages that wait in a paused channel'
ALTER SYSTEM SET pg_automation.delivery = simulate;
CALL bench.make_jobs('ours', 2000);
CALL bench.make_jobs('waiting', 10);
\o /dev/null
SELECT pg_reload_conf();
SELECT automation.create_channel(name, 'webhook', '{"base_url": "https://127.0.0.1:9"}'),
	automation.attach(format('crm.%I', name)::regclass, 'job', '{"status": "status"}'),
	automation.create_rule(name, format('crm.%I', name)::regclass, 'status_entered', '{"to": ["completed", "done"]}', activate => true,
		steps => ARRAY[automation.send_webhook(name, '/', '{"id": "{{ id }}", "tenant": "{{ tenant_id }}", "status": "{{ status }}", "notes": "{{ notes }}"}')])
FROM unnest('{ours,waiting}'::text[]) AS name;
SELECT automation.pause_channel('waiting');
UPDATE crm.waiting SET status = 'completed' WHERE id = 1;
\o
CREATE TABLE bench.sample AS SELECT d.*, u.entity_id, u.rule_id FROM automation.delivery AS d JOIN automation.run AS u ON u.id = d.run_id;

-- As the rule itself would have left them, in transactions of a thousand.
CREATE PROCEDURE bench.fill_backlog(many bigint) LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1..(many - (SELECT count(*) FROM automation.delivery AS d JOIN bench.sample AS s ON s.server = d.server)) / 1000 LOOP
		WITH new AS (
			SELECT nextval('automation.run_id_seq') AS run, nextval('automation.delivery_id_seq') AS delivery FROM generate_series(1, 1000)
		), message AS (
			INSERT INTO automation.delivery (id, at, txid, run_id, step, rule_owner, server, channel, kind, recipient, priority, message)
			OVERRIDING SYSTEM VALUE
			SELECT n.delivery, now(), pg_current_xact_id(), n.run, 1, s.rule_owner, s.server, s.channel, s.kind, s.recipient, s.priority, s.message
			FROM new AS n, bench.sample AS s
		)
		INSERT INTO automation.run (id, at, rule_id, version, entity_id, key, event, changes, status, steps, actor) OVERRIDING SYSTEM VALUE
		SELECT n.run, now(), s.rule_id, 1, s.entity_id, n.run, 'updated', '{"status": ["done", "completed"]}', 'delivering',
			jsonb_build_array(jsonb_build_object('step', 1, 'action', 'send_webhook', 'status', 'delivering', 'deliveries', jsonb_build_array(n.delivery))),
			'bench'
		FROM new AS n, bench.sample AS s;
		COMMIT;
	END LOOP;
END
$$;

CREATE FUNCTION bench.worker() RETURNS integer LANGUAGE sql
RETURN (SELECT a.pid FROM pg_stat_activity AS a WHERE a.backend_type = 'pg_automation worker' AND a.datname = current_database());
CREATE FUNCTION bench.processor_seconds(pid integer) RETURNS double precision LANGUAGE sql
RETURN split_part(pg_read_file(format('/proc/%s/schedstat', pid)), ' ', 1)::bigint / 1e9;
CREATE FUNCTION bench.last_attempt() RETURNS bigint LANGUAGE sql RETURN (SELECT coalesce(max(a.id), 0) FROM automation.attempt AS a);

-- How long the statement takes, and what the worker needs until it has ended so many more messages: processor time, as it pauses
-- when there is nothing to send.
CREATE PROCEDURE bench.take_both(round integer, writer text, worker text, statement text, many bigint) LANGUAGE plpgsql AS $$
DECLARE
	attempt bigint := bench.last_attempt();
	before double precision := bench.processor_seconds(bench.worker());
	ended bigint := 0;
BEGIN
	CALL bench.take(round, writer, statement);
	WHILE ended < many LOOP
		COMMIT;
		PERFORM pg_sleep(0.02);
		ended := bench.last_attempt() - attempt;
	END LOOP;
	INSERT INTO bench.taken VALUES (round, worker, ended, bench.processor_seconds(bench.worker()) - before);
	COMMIT;
END
$$;

CREATE PROCEDURE bench.rounds(many bigint, rounds integer) LANGUAGE plpgsql AS $$
BEGIN
	CALL bench.fill_backlog(many);
	ANALYZE automation.run, automation.delivery;
	COMMIT;
	FOR round IN 0..rounds LOOP
		CALL bench.take_both(round, bench.sized('one match that sends', many), bench.sized('the worker, one of those', many), bench.change('ours'), 2000);
		CALL bench.take(round, bench.sized('the last 20 messages', many), $q$SELECT bench.repeat(20, 'SELECT * FROM automation.deliveries ORDER BY id DESC LIMIT 20')$q$);
		CALL bench.take(round, bench.sized('the last 20 runs', many), $q$SELECT bench.repeat(20, 'SELECT * FROM automation.execution_log ORDER BY id DESC LIMIT 20')$q$);
		CALL bench.take(round, bench.sized('stats', many), $q$SELECT bench.repeat(3, 'SELECT * FROM automation.stats')$q$);
		CALL bench.take(round, bench.sized('check()', many), $q$SELECT bench.repeat(3, 'SELECT * FROM automation.check()')$q$);
		INSERT INTO bench.taken VALUES (round, bench.sized('memory of the worker, in MB', many), 1, bench.private_memory(bench.worker()) / 1e12);
		COMMIT;
	END LOOP;
	CALL bench.take_undone(1, bench.sized('the night that carries them over', many), 'SELECT bench.forget()');
	INSERT INTO bench.taken SELECT 1, bench.sized('bytes of a message', many), 1e6 * count(*), pg_total_relation_size('automation.delivery') FROM automation.delivery;
	COMMIT;
END
$$;
SELECT format('CALL bench.rounds(%s, %s)', many, :rounds) FROM unnest(ARRAY[0, :pending / 10, :pending]) AS many \gexec
CALL bench.take_both(1, bench.sized('resume_channel()', :pending), bench.sized('the worker, one that had waited', :pending),
	$$SELECT automation.resume_channel('waiting')$$, 5000);
INSERT INTO bench.taken SELECT 1, bench.sized('bytes of an attempt', :pending), 1e6 * count(*), pg_total_relation_size('automation.attempt') FROM automation.attempt;
SELECT * FROM bench.growth \crosstabview "µs each" size cost
ALTER SYSTEM RESET pg_automation.delivery;
\o /dev/null
SELECT pg_reload_conf();
\o
