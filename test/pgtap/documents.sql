-- Every example of README.md, docs/*.md and docs/tasks/*.md that a transaction can run, with what is printed below it.
BEGIN;
SELECT no_plan();
\set readme `cat README.md`
\set trying `cat docs/trying.md`
\set understanding `cat docs/understanding.md`
\set retention `cat docs/retention.md`
\set operations `cat docs/operations.md`
\set templates `cat docs/templates.md`
\set email `cat docs/email.md`
\set sms `cat docs/sms.md`
\set rules `cat docs/rules.md`
\set bulk `cat docs/bulk.md`
\set guards `cat docs/guards.md`
\set tutorial `cat docs/tutorial.md`
\set sms_reminders `cat docs/tasks/sms_reminders.md`
\set dunning `cat docs/tasks/dunning.md`
\set approvals `cat docs/tasks/approvals.md`
\set testing_in_ci `cat docs/tasks/testing_in_ci.md`
\set going_live `cat docs/tasks/going_live.md`
\set restoring `cat docs/tasks/restoring.md`

-- A block of SQL, and the text block that follows it at once: its rows, columns separated by " | ".
CREATE FUNCTION pg_temp.check_document(document text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	example text[];
	command text;
	printed text;
	detail text;
	hint text;
BEGIN
	PERFORM automation.set_clock('2030-03-04 09:00Z'); -- no savepoint sets it back
	FOR example IN
		SELECT ARRAY[p.command, CASE WHEN starts_with(p.rest, E'\n\n```text\n') THEN split_part(substr(p.rest, 11), E'\n```', 1) END]
		FROM (
			SELECT split_part(b, E'\n```', 1), substr(b, strpos(b, E'\n```') + 4)
			FROM regexp_split_to_table(document, '```sql\n') WITH ORDINALITY AS s(b, place)
			WHERE s.place > 1
		) AS p(command, rest)
	LOOP
		IF example[1] ~ '_ok\(|is_empty\(' THEN
			FOREACH command IN ARRAY regexp_split_to_array(rtrim(example[1], ';'), E';\n') LOOP
				RETURN QUERY EXECUTE command;
			END LOOP;
		ELSIF example[2] ~ '^ERROR' THEN
			BEGIN
				EXECUTE example[1];
				RETURN NEXT fail(example[1]);
			EXCEPTION WHEN OTHERS THEN
				GET STACKED DIAGNOSTICS printed = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
				RETURN NEXT is(concat_ws(E'\n', 'ERROR:  ' || printed, 'DETAIL:  ' || nullif(detail, ''), 'HINT:  ' || nullif(hint, '')), example[2], example[1]);
			END;
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

SAVEPOINT trying;
SELECT pg_temp.check_document(:'trying');
SELECT is((SELECT string_agg(name, ', ') FROM automation.rules), 'On the way, Big job', 'all examples have run');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'understanding');
SELECT is((SELECT count(*) FROM automation.event), 4::bigint, 'all of them');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'operations');
SELECT is((SELECT count(*) FROM pg_roles WHERE rolname = 'exporter'), 1::bigint, 'those too');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'templates');
SELECT is((SELECT count(*) FROM automation.folders), 4::bigint, 'all of them');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'retention');
SELECT is((SELECT count(*) FROM automation.delivery WHERE message ? 'erased'), 1::bigint, 'to the end');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'email');
SELECT is((SELECT count(*) FROM automation.consents('email', 'ada@engines.example')), 2::bigint, 'all of them');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'sms');
SELECT is((SELECT count(*) FROM automation.consents('sms', '+12025550199')), 1::bigint, 'all of them');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'rules');
SELECT is((SELECT version FROM automation.rules), 3, 'all of them');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'bulk');
SELECT is((SELECT state FROM automation.batch), 'releasing', 'bulk to its end');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'guards');
SELECT is((SELECT count(*) FROM automation.guards), 1::bigint, 'guards, too');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'tutorial');
SELECT is((SELECT state FROM automation.rules), 'paused', 'the tutorial to its end');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'sms_reminders');
SELECT is((SELECT count(*) FROM automation.consents('sms', '+12025550142')), 1::bigint, 'reminders to the end');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'dunning');
SELECT is((SELECT count(*) FROM crm.task), 1::bigint, 'dunning to the end');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'approvals');
SELECT is((SELECT count(*) FROM automation.notification), 2::bigint, 'approvals to the end');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'testing_in_ci');
SELECT is((SELECT count(*) FROM automation.deliveries), 3::bigint, 'all of them');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'going_live');
SELECT is((SELECT count(*) FROM automation.caps), 1::bigint, 'to the last step');
ROLLBACK TO trying;
SELECT pg_temp.check_document(:'restoring');
ROLLBACK TO trying;
-- The README tells of channels after the rule that uses one.
CREATE ROLE dispatcher;
CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, first_name text, phone text, tier text NOT NULL DEFAULT 'standard');
CREATE TABLE crm.job (id integer PRIMARY KEY, contact_id integer REFERENCES crm.contact, technician_id integer, priority integer, amount numeric, status text);
CREATE TABLE crm.task (id integer PRIMARY KEY, title text, assignee text);
SELECT automation.attach('crm.task', 'task', '{"title": "title", "owner": "assignee"}');
SELECT pg_temp.check_document(substring(:'readme' FROM '## Channels\n.*'));
SELECT pg_temp.check_document(substring(:'readme' FROM '## The first rule\n.*?## Channels'));
INSERT INTO crm.contact (id, phone) VALUES (1, '+12025550100'), (2, '+12025550199');
INSERT INTO crm.job VALUES (1, 1, 7, 1, 90, 'New'), (2, 2, 7, 1, 90, 'New');
UPDATE crm.job SET status = 'Dispatched';
SELECT results_eq('SELECT key, status, reason FROM automation.execution_log ORDER BY key', $$VALUES ('1', 'delivering', NULL::text),
	('2', 'suppressed', 'step 1: consent: transactional messages refused on 2030-03-04 (STOP)')$$, 'the first rule runs, and a refusal counts');

SELECT * FROM finish();
ROLLBACK;
