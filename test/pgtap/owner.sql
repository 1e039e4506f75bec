-- What a rule means, and what it may read, is decided by its owner's rights when it was made and when it
-- runs: not by what somebody plants in a schema later, nor by the settings of whoever writes.
\set QUIET on
SET client_min_messages = warning;
BEGIN;
SELECT no_plan();

CREATE ROLE owner_boss;
CREATE ROLE owner_author;
CREATE ROLE owner_planter;
CREATE ROLE owner_team;
CREATE ROLE owner_writer;
CREATE SCHEMA mill AUTHORIZATION owner_boss;
CREATE SCHEMA garden AUTHORIZATION owner_planter;
GRANT USAGE ON SCHEMA mill TO owner_author, owner_team, owner_writer;
GRANT USAGE ON SCHEMA garden TO PUBLIC;
SELECT automation.grant_access('owner_boss', 'admin'), automation.grant_access('owner_author', 'author');

SET ROLE owner_boss;
CREATE TABLE mill.client (id integer PRIMARY KEY, tier text);
CREATE TABLE mill.job (id integer PRIMARY KEY, status text, note text, client_id integer REFERENCES mill.client);
CREATE TABLE mill.visit (id integer PRIMARY KEY, job_id integer REFERENCES mill.job, kind text);
INSERT INTO mill.client VALUES (1, 'gold'), (2, NULL);
GRANT SELECT, INSERT, UPDATE ON mill.job TO owner_writer;
GRANT SELECT, INSERT, UPDATE, TRIGGER ON mill.job TO owner_author;
GRANT SELECT ON mill.client, mill.visit TO owner_author;
SELECT automation.attach('mill.job', columns => '{"status": "status"}'), automation.attach('mill.client'), automation.attach('mill.visit');

CREATE FUNCTION mill.log() RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ SELECT 'x' $$;
RESET ROLE;
CREATE FUNCTION mill.logged() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	found text;
BEGIN
	SELECT coalesce(string_agg(concat_ws(' ', l.rule, l.key, l.status, l.sqlstate, l.reason), E'\n' ORDER BY l.id), 'nothing') INTO found
	FROM automation.execution_log AS l WHERE l.id > coalesce(nullif(current_setting('mill.seen', true), ''), '0')::bigint;
	PERFORM set_config('mill.seen', (SELECT max(l.id)::text FROM automation.execution_log AS l), true);
	RETURN found;
END
$$;

-- Operators that text cannot name

SET ROLE owner_boss;
SET LOCAL search_path = garden, mill;
SELECT automation.create_rule('means', 'mill.job', 'created', activate => true,
	condition => $$client.tier IS DISTINCT FROM 'silver' AND client.tier IN ('gold', 'blue') AND CASE client.tier WHEN 'gold' THEN true END
		AND NULLIF(client.tier, 'red') IS NOT NULL AND client.tier BETWEEN 'a' AND 'z' AND (client.tier, 1) <= ('h', 2)$$,
	steps => ARRAY[automation.update_field('note', expression => $$NULLIF(client.tier, 'none')$$),
		automation.notify('log', '{{ client.tier }}')]);
RESET search_path;
SET ROLE owner_planter;
CREATE TABLE garden.seen (who name);
GRANT INSERT ON garden.seen TO PUBLIC;
CREATE FUNCTION garden.spy(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN INSERT INTO garden.seen VALUES (current_user); RETURN false; END $$;
CREATE OPERATOR garden.= (LEFTARG = text, RIGHTARG = text, FUNCTION = garden.spy);
CREATE OPERATOR garden.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = garden.spy);
CREATE OPERATOR garden.>= (LEFTARG = text, RIGHTARG = text, FUNCTION = garden.spy);
CREATE OPERATOR garden.<= (LEFTARG = text, RIGHTARG = text, FUNCTION = garden.spy);
CREATE OPERATOR garden.< (LEFTARG = text, RIGHTARG = text, FUNCTION = garden.spy);
SET ROLE owner_writer;
INSERT INTO mill.job VALUES (1, 'New', NULL, 1), (2, 'New', NULL, 2);
RESET ROLE;
SELECT is(mill.logged(), 'means 1 succeeded', 'a rule means what it meant when it was made');
SELECT is((SELECT note FROM mill.job WHERE id = 1), 'gold', 'so does its step');
SELECT is_empty('SELECT DISTINCT who FROM garden.seen', 'whatever somebody plants in a schema of its path');
SELECT is((SELECT bool_and(holds) FROM automation.explain('means', 'mill.job', '1') WHERE part = 'condition'), true, 'explain() says the same');
SELECT is(automation.matching_rows('means'), 1::bigint, 'and matching_rows()');
SELECT is_empty('SELECT DISTINCT who FROM garden.seen', 'by the same operators');
SELECT automation.drop_rule('means');

-- A comment at the end of a condition

SET ROLE owner_boss;
SELECT automation.create_rule('remarks', 'mill.job', 'created', condition => $$new.id > 0 -- any$$, activate => true,
	steps => ARRAY[automation.only_if($$new.id > 1000 -- many$$, automation.notify('log', 'x'))]);
SELECT automation.create_rule('child remarks', 'mill.visit', 'created', condition => $$job.id > 0 -- any$$, activate => true, steps => ARRAY[automation.notify('log', 'x')]);
RESET ROLE;
INSERT INTO mill.job VALUES (11);
INSERT INTO mill.visit VALUES (1, 11, 'x');
SELECT is(mill.logged(), E'remarks 11 succeeded\nchild remarks 1 succeeded', 'a comment ends with its line');
SELECT is((SELECT string_agg(s.status, ', ') FROM automation.step_log AS s WHERE s.rule = 'remarks'), 'not_run', 'in the condition of a step too');
SELECT automation.drop_rule('remarks'), automation.drop_rule('child remarks');

-- Row security is switched on later

SET ROLE owner_author;
SELECT automation.create_rule('reads row', 'mill.job', 'created', condition => $$new.id > 0$$, steps => ARRAY[automation.notify('log', 'x')], activate => true);
SELECT automation.create_rule('reads client', 'mill.job', 'created', condition => $$client.tier IS NULL$$, steps => ARRAY[automation.notify('log', 'x')], activate => true);
SELECT automation.create_rule('tells client', 'mill.job', 'created', steps => ARRAY[automation.notify('log', '{{ client.tier | default: "none" }}')], activate => true);
RESET ROLE;
INSERT INTO mill.job VALUES (21, 'New', NULL, 2);
SELECT is(mill.logged(), E'reads row 21 succeeded\nreads client 21 succeeded\ntells client 21 succeeded', 'rules read rows that no policy hides');
ALTER TABLE mill.client ENABLE ROW LEVEL SECURITY;
INSERT INTO mill.job VALUES (22, 'New', NULL, 1);
SELECT is(mill.logged(), E'reads row 22 succeeded\nreads client 22 failed 42501 condition: query would be affected by row-level security policy for table "client"\n'
	'tells client 22 failed 42501 step 1: query would be affected by row-level security policy for table "client"',
	'a policy that would hide rows from the owner makes them fail: they never see fewer than there are');
SELECT results_eq($$SELECT name, problem FROM automation.rules ORDER BY id$$,
	$$VALUES ('reads row', NULL), ('reads client', 'query would be affected by row-level security policy for table "client"'),
		('tells client', 'query would be affected by row-level security policy for table "client"')$$, 'as automation.rules says');
SET LOCAL row_security = off;
INSERT INTO mill.job VALUES (23, 'New', NULL, 1);
SELECT matches(mill.logged(), E'^reads row 23 succeeded\nreads client 23 failed 42501 .*\ntells client 23 failed 42501 step 1', 'whatever the writer has set');
RESET row_security;
ALTER ROLE owner_author BYPASSRLS;
INSERT INTO mill.job VALUES (24, 'New', NULL, 2);
SELECT is(mill.logged(), E'reads row 24 succeeded\nreads client 24 succeeded\ntells client 24 succeeded', 'who is above policies sees all rows');
ALTER ROLE owner_author NOBYPASSRLS;
INSERT INTO mill.job VALUES (25, 'New', NULL, 2);
SELECT matches(mill.logged(), E'^reads row 25 succeeded\nreads client 25 failed 42501', 'for as long as he is');
ALTER TABLE mill.client DISABLE ROW LEVEL SECURITY;
ALTER TABLE mill.job ENABLE ROW LEVEL SECURITY;
INSERT INTO mill.job VALUES (26, 'New', NULL, 2);
SELECT matches(mill.logged(), E'^reads row 26 failed 42501 the rule cannot run: table "job" has row-level security\nreads client 26 failed 42501 .*"job".*\ntells client 26 failed 42501 .*"job"',
	'the row that is written is no exception');
ALTER TABLE mill.job DISABLE ROW LEVEL SECURITY;

-- The code of users, in a rule

SET ROLE owner_boss;
CREATE FUNCTION mill.row_security(jsonb) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN current_setting('row_security'); END $$;
SELECT automation.create_rule('asks', 'mill.job', 'created', steps => ARRAY[automation.call_function('mill.row_security(jsonb)')], activate => true);
RESET ROLE;
SET LOCAL row_security = off;
INSERT INTO mill.job VALUES (27);
RESET row_security;
SELECT is((SELECT result #>> '{}' FROM automation.step_log WHERE rule = 'asks'), 'on', 'functions that steps call have the ordinary setting');
SELECT mill.logged(), automation.drop_rule('asks'), automation.drop_rule('reads client'), automation.drop_rule('tells client');

-- A privilege is taken away

INSERT INTO mill.job VALUES (31);
REVOKE SELECT ON mill.job FROM owner_author;
INSERT INTO mill.job VALUES (32);
SELECT is(mill.logged(), E'reads row 31 succeeded\nreads row 32 failed 42501 the rule cannot run: permission denied for column "id" of relation "job"',
	'a rule whose owner may no longer read what it reads fails');
SELECT matches((SELECT problem FROM automation.rules WHERE name = 'reads row'), 'permission denied', 'automation.rules says why');
SELECT matches((SELECT detail FROM automation."check"() WHERE "check" = 'rules'), 'reads row.*permission denied', 'and check()');
INSERT INTO mill.job SELECT i FROM generate_series(101, 400) AS i;
SELECT is((SELECT count(*) FROM automation.execution_log WHERE rule = 'reads row' AND status = 'failed' AND key::integer > 100), 99::bigint, 'it is recorded a hundred times in a transaction');
SELECT matches((SELECT reason FROM automation.execution_log ORDER BY id DESC LIMIT 1), 'not recorded again in this transaction', 'the last of which tells so');
GRANT SELECT ON mill.job TO owner_team;
GRANT owner_team TO owner_author;
SELECT is((SELECT problem FROM automation.rules WHERE name = 'reads row'), NULL, 'a role may give it back');
REVOKE owner_team FROM owner_author;
SELECT matches((SELECT problem FROM automation.rules WHERE name = 'reads row'), 'permission denied', 'and take it');
UPDATE automation.rule SET on_error = 'fail' WHERE name = 'reads row';
SELECT throws_ok('INSERT INTO mill.job VALUES (41)', '42501', NULL, 'a rule that is told so aborts the write');
UPDATE automation.rule SET on_error = 'log' WHERE name = 'reads row';
SELECT automation.drop_rule('reads row');

-- The owner is gone

CREATE ROLE owner_passer;
GRANT USAGE ON SCHEMA mill TO owner_passer;
GRANT SELECT, TRIGGER ON mill.job TO owner_passer;
SELECT automation.grant_access('owner_passer', 'author');
SET ROLE owner_passer;
SELECT automation.create_rule('orphan', 'mill.job', 'created', steps => ARRAY[automation.notify('log', 'x')], activate => true);
RESET ROLE;
DROP OWNED BY owner_passer;
DROP ROLE owner_passer;
INSERT INTO mill.job VALUES (51);
SELECT matches(mill.logged(), '(^|\n)orphan 51 failed 42704 the rule cannot run: role with OID \d+ does not exist$', 'a rule without an owner fails');
SELECT * FROM finish();
ROLLBACK;
