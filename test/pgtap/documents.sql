-- Every example of these documents, with what is printed below it.
BEGIN;
SELECT no_plan();
\set trying `cat docs/trying.md`
\set understanding `cat docs/understanding.md`
\set templates `cat docs/templates.md`
\set rules `cat docs/rules.md`

-- A block of SQL, and the text block that follows it at once: its rows, columns separated by " | ".
CREATE FUNCTION pg_temp.check_document(document text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	example text[];
	command text;
	printed text;
BEGIN
	FOR example IN SELECT regexp_matches(document, E'```sql\n(.*?)\n```(?:\n\n```text\n(.*?)\n```)?', 'g') LOOP
		IF example[1] ~ '_ok\(' THEN
			FOREACH command IN ARRAY regexp_split_to_array(rtrim(example[1], ';'), E';\n') LOOP
				RETURN QUERY EXECUTE command;
			END LOOP;
		ELSIF example[2] IS NULL THEN
			EXECUTE example[1];
			RETURN NEXT pass(split_part(example[1], E'\n', 1));
		ELSE
			EXECUTE format('SELECT string_agg((SELECT string_agg(coalesce(v.value, ''''), '' | '') FROM json_each_text(row_to_json(t)) AS v), E''\n'') FROM (%s) AS t',
				rtrim(example[1], ';')) INTO printed;
			RETURN NEXT is(printed, example[2], split_part(example[1], E'\n', 1));
		END IF;
	END LOOP;
END
$$;
SET timezone = 'UTC';
SELECT automation.set_clock('2030-03-04 09:00Z');

SAVEPOINT trying;
SELECT pg_temp.check_document(:'trying');
SELECT is((SELECT string_agg(name, ', ') FROM automation.rules), 'On the way, Big job', 'all examples have run');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'understanding');
SELECT is((SELECT count(*) FROM automation.event), 2::bigint, 'all of them');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'templates');
SELECT is((SELECT count(*) FROM automation.folders), 4::bigint, 'all of them');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'rules');
SELECT is((SELECT version FROM automation.rules), 3, 'all of them');

SELECT * FROM finish();
ROLLBACK;
