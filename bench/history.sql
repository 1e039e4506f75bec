-- How cost grows with the log: one match in bulk, and what is asked of the log, with more and more rows in it.

\echo 'A long log: one match, and reading, by the rows of the log'
CALL bench.make_jobs('ours', 10000);
\o /dev/null
SELECT automation.attach('crm.ours', 'job', '{"status": "status"}');
SELECT automation.create_rule('ours', 'crm.ours', 'status_entered', '{"to": ["completed", "done"]}',
	steps => ARRAY[automation.notify('x', 'Job {{ id }} is {{ status }}')], activate => true);
\o
CREATE PROCEDURE bench.fill_log(many bigint) LANGUAGE plpgsql AS $$
BEGIN
	WHILE many > (SELECT count(*) FROM (SELECT FROM automation.run AS u LIMIT many) AS there) LOOP
		INSERT INTO automation.run (rule_id, version, entity_id, key, event, status, actor)
		SELECT 1, 1, 1, i % 1000000, 'updated', 'succeeded', 'bench' FROM generate_series(1, least(many, 1000000)) AS i;
		COMMIT;
	END LOOP;
END
$$;
CREATE PROCEDURE bench.rounds(many bigint, rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	suffix text := ', ' || to_char(many, 'FM99,999,999') || ' rows in the log';
BEGIN
	CALL bench.fill_log(many);
	ANALYZE automation.run;
	FOR round IN 0..rounds LOOP
		CALL bench.take(round, 'one match' || suffix, bench.change('ours'));
		CALL bench.take(round, 'the last 20' || suffix, 'SELECT * FROM automation.execution_log ORDER BY id DESC LIMIT 20');
		CALL bench.take(round, 'of one row' || suffix, 'SELECT * FROM automation.execution_log WHERE relation = ''crm.ours''::regclass AND key = ''77'' ORDER BY id DESC LIMIT 20');
	END LOOP;
END
$$;
SELECT format('CALL bench.rounds(%s, %s)', many, :rounds) FROM unnest(:sizes::bigint[]) AS many \gexec
SELECT t.variant, round((percentile_cont(0.5) WITHIN GROUP (ORDER BY 1e6 * t.seconds / t.rows))::numeric, 2) AS "µs a row"
FROM bench.taken AS t WHERE t.round > 0 GROUP BY t.variant ORDER BY min(t.ctid);
