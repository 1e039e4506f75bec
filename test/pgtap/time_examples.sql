-- Every example of docs/time.md.
BEGIN;
SELECT no_plan();
\set document `cat docs/time.md`

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, due_on date, starts_at timestamptz, status text);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');

SELECT match[1] FROM regexp_matches(:'document', '```sql\n(.*?)```', 'g') AS match \gexec

-- The cells of every row of a table whose first cell is code.
CREATE TEMPORARY TABLE example AS
SELECT trim('`' FROM c.cells[1]) AS code, c.cells[2:] AS cells
FROM regexp_matches(:'document', '^\| (`.*) \|$', 'gn') AS row(text), LATERAL (SELECT regexp_split_to_array(row.text[1], ' \| ')) AS c(cells)
WHERE c.cells[2] ~ '\d{4}-\d\d-\d\d';
SELECT is((SELECT count(*) FROM example), 25::bigint, 'all examples were found');

CREATE FUNCTION crm.berlin(shown text) RETURNS timestamptz LANGUAGE sql
RETURN substr(shown, 5)::timestamp AT TIME ZONE 'Europe/Berlin';
CREATE FUNCTION crm.shown(instant timestamptz) RETURNS text LANGUAGE sql
RETURN to_char(instant AT TIME ZONE 'Europe/Berlin', 'Dy YYYY-MM-DD HH24:MI');
CREATE FUNCTION crm.due(timing jsonb, anchor timestamptz) RETURNS timestamptz LANGUAGE plpgsql AS $$
DECLARE
	due timestamptz;
BEGIN
	EXECUTE format('SELECT %s FROM (SELECT %L::date AS due_on, %L::timestamptz AS starts_at) AS new',
		replace(automation._due_sql(automation._scope('crm.job', current_user::regrole), '{"zone": "Europe/Berlin"}' || timing), 'automation._base()', 'new.starts_at'),
		anchor AT TIME ZONE 'Europe/Berlin', anchor) INTO due;
	RETURN due;
END
$$;

SELECT is(crm.shown(crm.berlin(cell)), cell, 'there is such a day') FROM example, unnest(cells) AS cell;
SELECT is(crm.shown(CASE
		WHEN code ~ '^\{' THEN crm.due(code::jsonb, crm.berlin(cells[1]))
		WHEN cardinality(cells) = 2 THEN automation._cron_next(code, crm.berlin(cells[1]), 'Europe/Berlin')
		ELSE automation._recur_next(crm.berlin(cells[1]), code::interval, crm.berlin(cells[2]), 'Europe/Berlin')
	END), cells[cardinality(cells)], concat_ws(' ', code, 'from', cells[1])) FROM example;

SELECT * FROM finish();
ROLLBACK;
