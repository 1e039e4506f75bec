-- How cost grows with the rows that a statement changes, each statement in a transaction of its own.

\echo 'Rows: what one costs by how many the statement changes, synchronous_commit off'
SET synchronous_commit = off;
CALL bench.make_jobs('no_trigger', :rows);
CALL bench.make_jobs('ours', :rows);
\o /dev/null
SELECT automation.attach('crm.ours', 'job', '{"status": "status"}');
SELECT automation.create_rule('ours', 'crm.ours', 'status_entered', '{"to": ["completed", "done"]}',
	steps => ARRAY[automation.notify('x', 'Job {{ id }} is {{ status }}')], activate => true);
\o
CREATE PROCEDURE bench.change_by(size integer, many integer, round integer, name text) LANGUAGE plpgsql AS $$
DECLARE
	since timestamptz := clock_timestamp();
BEGIN
	FOR piece IN 0..many / size - 1 LOOP
		EXECUTE format('%s WHERE id > %s AND id <= %s', bench.change(name), piece * size, (piece + 1) * size);
		COMMIT;
	END LOOP;
	INSERT INTO bench.taken VALUES (round, bench.sized(name, size), many, extract(epoch FROM clock_timestamp() - since));
	COMMIT;
END
$$;
CREATE PROCEDURE bench.rounds(size integer, many integer, rounds integer) LANGUAGE plpgsql AS $$
BEGIN
	FOR round IN 0..rounds LOOP
		EXECUTE 'TRUNCATE automation.run, automation.notification';
		COMMIT;
		CALL bench.change_by(size, greatest(size, many), round, 'no_trigger');
		CALL bench.change_by(size, greatest(size, many), round, 'ours');
	END LOOP;
END
$$;
VACUUM ANALYZE;
SELECT format('CALL bench.rounds(%s, %s, %s)', size, :rows / 10, :rounds) FROM unnest(ARRAY[1, 10, 100, 1000, 10000, :rows]) AS size \gexec
SELECT * FROM bench.growth \crosstabview "µs each" size cost
