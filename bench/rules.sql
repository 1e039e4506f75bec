-- How cost grows with the number of rules: rules of 1,000 tenants on one table, none of which matches.

\echo 'Rules at scale: UPDATE of ':rows' rows, rules of 1,000 tenants on the table, none matches'
CALL bench.make_jobs('no_trigger', :rows);
CALL bench.make_jobs('ours', :rows);
\o /dev/null
SELECT automation.attach('crm.ours', 'job', '{"status": "status"}');
SELECT automation.create_rule('Rule ' || i, 'crm.ours', 'status_entered', jsonb_build_object('to', 'Status ' || i),
	format('new.tenant_id = %s', i + 100), ARRAY[automation.notify('x', 'Job {{ id }} is {{ status }}')], activate => true)
FROM generate_series(1, 10) AS i;
\o

-- More of them, as create_rule() leaves them to who writes: it takes too long to compile so many for this.
CREATE PROCEDURE bench.make_rules(many integer) LANGUAGE plpgsql AS $$
BEGIN
	CREATE TEMPORARY TABLE sample ON COMMIT DROP AS
	SELECT r, v, i, m.rule_id, random() AS position
	FROM generate_series((SELECT max(r.id) FROM automation.rule AS r) + 1, many) AS m(rule_id)
	JOIN automation.rule AS r ON r.name = 'Rule ' || m.rule_id % 10 + 1
	JOIN automation.rule_version AS v ON v.rule_id = r.id
	JOIN automation.rule_index AS i ON i.rule_id = r.id;
	INSERT INTO automation.rule OVERRIDING SYSTEM VALUE
	SELECT (jsonb_populate_record(s.r, jsonb_build_object('id', s.rule_id, 'name', 'Rule ' || s.rule_id, 'position', s.rule_id))).* FROM sample AS s;
	INSERT INTO automation.rule_version OVERRIDING SYSTEM VALUE
	SELECT (jsonb_populate_record(s.v, jsonb_build_object('rule_id', s.rule_id))).* FROM sample AS s;
	INSERT INTO automation.rule_index
	SELECT (jsonb_populate_record(s.i, jsonb_build_object('rule_id', s.rule_id, 'hashes', ARRAY[hashint8extended(s.rule_id, 0)]))).* FROM sample AS s;
	PERFORM setval('automation.rule_id_seq', max(r.id)) FROM automation.rule AS r;
	COMMIT;
END
$$;

-- Sessions of their own: what the first write takes longer than the second, and the memory that stays.
CREATE EXTENSION IF NOT EXISTS dblink;
CREATE PROCEDURE bench.first_write(round integer, rules text) LANGUAGE plpgsql AS $$
DECLARE
	target text;
	since timestamptz;
	took double precision;
	pid integer;
	memory bigint;
BEGIN
	FOREACH target IN ARRAY '{no_trigger,ours}'::text[] LOOP
		PERFORM dblink_connect('session', format('host=%s port=%s dbname=%s', current_setting('unix_socket_directories'), current_setting('port'), current_database()));
		SELECT p.pid INTO pid FROM dblink('session', 'SELECT pg_backend_pid() FROM crm.no_trigger LIMIT 1') AS p(pid integer);
		PERFORM dblink_exec('session', 'UPDATE crm.no_trigger SET priority = priority WHERE id = 1');
		memory := bench.private_memory(pid);
		since := clock_timestamp();
		PERFORM dblink_exec('session', format('UPDATE crm.%s SET status = status WHERE id = 2', target));
		took := extract(epoch FROM clock_timestamp() - since);
		INSERT INTO bench.taken VALUES (round, format('first write, %s, %s', target, rules), 1, took),
			(round, format('memory, %s, %s', target, rules), 1, (bench.private_memory(pid) - memory) / 1024.0 ^ 2);
		PERFORM dblink_disconnect('session');
		COMMIT;
	END LOOP;
END
$$;
-- What is done with so many rules, statement by statement; vacuumed as by autovacuum.
CREATE FUNCTION bench.course(many integer, rounds integer) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	rules text := to_char(many, 'FM999,999') || ' rules';
BEGIN
	RETURN NEXT format('CALL bench.make_rules(%s)', many);
	FOR round IN 0..rounds LOOP
		RETURN NEXT format('CALL bench.first_write(%s, %L)', round, rules);
		RETURN NEXT 'VACUUM crm.no_trigger, crm.ours';
		RETURN NEXT format('CALL bench.take(%s, %L, %L)', round, 'no trigger, ' || rules, bench.change('no_trigger'));
		RETURN NEXT format('CALL bench.take(%s, %L, %L)', round, rules, bench.change('ours'));
	END LOOP;
	FOR round IN 0..rounds LOOP
		RETURN NEXT format('CALL bench.take(%s, %L, %L)', round, bench.sized('one rule more', many),
			format('SELECT automation.create_rule(''More %s, %s'', ''crm.ours'', ''status_entered'', ''{"to": "More"}'',
				steps => ARRAY[automation.notify(''x'', ''Job {{ id }} is {{ status }}'')], activate => true)', many, round));
		RETURN NEXT format('CALL bench.take(%s, %L, %L)', round, bench.sized('and the first write after it', many),
			'UPDATE crm.ours SET status = status || ''!'' WHERE id = 1');
	END LOOP;
END
$$;
CREATE FUNCTION bench.judge(rules text) RETURNS void LANGUAGE sql AS $$
	SELECT bench.goal('W3', rules || ', none matches, in bulk, more a row', 'at most', 1.5, bench.more(rules, 'no trigger, ' || rules), ' µs'),
		bench.goal('W3', rules || ', first write of a connection, late', 'at most', 20,
			(SELECT array_agg(m / 1000) FROM unnest(bench.more('first write, ours, ' || rules, 'first write, no_trigger, ' || rules)) AS m), ' ms'),
		bench.goal('W3', rules || ', memory of a backend', 'at most', 16,
			(SELECT array_agg(m / 1e6) FROM unnest(bench.more('memory, ours, ' || rules, 'memory, no_trigger, ' || rules)) AS m), ' MB')
$$;
VACUUM ANALYZE;
SELECT bench.course(many, :rounds) FROM unnest('{10,100,1000,10000,100000}'::integer[]) AS many \gexec
SELECT replace(t.variant, 'no trigger, ', '') AS rules,
	(SELECT "µs more a row" FROM bench.report(t.variant) AS r WHERE r.variant = replace(t.variant, 'no trigger, ', '')) AS "µs more a row",
	(SELECT round((r."µs more a row" / 1000), 1) FROM bench.report(replace(t.variant, 'no trigger', 'first write, no_trigger')) AS r
		WHERE r.variant = replace(t.variant, 'no trigger', 'first write, ours')) AS "first write, ms late",
	(SELECT round(r."µs more a row" / 1e6, 1) FROM bench.report(replace(t.variant, 'no trigger', 'memory, no_trigger')) AS r
		WHERE r.variant = replace(t.variant, 'no trigger', 'memory, ours')) AS "MB"
FROM bench.taken AS t WHERE t.round = 1 AND t.variant LIKE 'no trigger, %' ORDER BY t.ctid;
SELECT * FROM bench.growth \crosstabview "µs each" size cost
\o /dev/null
SELECT bench.judge('10,000 rules'), bench.judge('100,000 rules');
\o
