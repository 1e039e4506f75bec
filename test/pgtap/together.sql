-- What the rows of a statement leave is written together when the statement ends: the next one sees it,
-- and it goes as its part of the transaction goes.
BEGIN;
SELECT no_plan();
SET client_min_messages = warning;
SET pg_automation.max_events_per_transaction = 0;

CREATE SCHEMA tap;
SET search_path = tap, public;
CREATE TABLE job (id integer PRIMARY KEY, status text, of integer REFERENCES job ON DELETE CASCADE ON UPDATE CASCADE);
SELECT automation.attach('job', columns => '{"status": "status"}');
SELECT automation.create_rule('tells ' || t, 'job', t, steps => ARRAY[automation.notify('x', '{{ id }}')], activate => true)
FROM unnest('{created,updated,deleted}'::text[]) AS t;
-- How many runs there are since the last time, and how many notifications.
CREATE FUNCTION tap.news() RETURNS text LANGUAGE sql AS $$
	WITH runs AS (DELETE FROM automation.run RETURNING 1), told AS (DELETE FROM automation.notification RETURNING 1)
	SELECT (SELECT count(*) FROM runs) || '+' || (SELECT count(*) FROM told)
$$;

INSERT INTO job SELECT i, 'new' FROM generate_series(1, 1200) AS i;
SELECT cmp_ok((SELECT count(DISTINCT xmin::text) FROM automation.run), '<', 5::bigint, 'a statement of many rows takes few subtransactions to record them');
SELECT is(tap.news(), '1200+1200', 'and leaves all of it');
WITH changed AS (UPDATE job SET status = 'old' RETURNING id) SELECT count(*) FROM changed;
SELECT cmp_ok((SELECT count(DISTINCT xmin::text) FROM automation.run), '<', 5::bigint, 'so does one that says it touched a single row');
SELECT is(tap.news(), '1200+1200', 'when it touched more');
DELETE FROM job;
SELECT is(tap.news(), '1200+1200', 'deletions, too');

-- Kinds of statements
COPY job (id, status) FROM stdin;
1	new
2	new
\.
SELECT is(tap.news(), '2+2', 'COPY');
INSERT INTO job VALUES (2, 'newer'), (3, 'new') ON CONFLICT (id) DO UPDATE SET status = excluded.status;
SELECT is(tap.news(), '2+2', 'ON CONFLICT');
MERGE INTO job AS j USING (VALUES (3), (4)) AS v (id) ON j.id = v.id
WHEN MATCHED THEN UPDATE SET status = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (v.id, 'merged');
SELECT is(tap.news(), '2+2', 'MERGE');
WITH inserted AS (INSERT INTO job VALUES (5, 'new', 4), (6, 'new', 5) RETURNING id) SELECT count(*) FROM inserted;
SELECT is(tap.news(), '2+2', 'a WITH clause');
UPDATE job SET id = 40 WHERE id = 4;
SELECT is(tap.news(), '2+2', 'a cascade of updates');
DELETE FROM job WHERE id = 40;
SELECT is(tap.news(), '3+3', 'and of deletions');
CREATE FUNCTION tap.write_and_look() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE job SET status = 'seen' WHERE id <= 2;
	RETURN tap.news();
END
$$;
SELECT is(tap.write_and_look(), '2+2', 'statements of a function');

-- Savepoints
SAVEPOINT a;
UPDATE job SET status = 'a';
SAVEPOINT b;
UPDATE job SET status = 'b';
ROLLBACK TO b;
SELECT is(tap.news(), '3+3', 'what a savepoint undoes has not been');
ROLLBACK TO a;
SELECT is(tap.news(), '0+0', 'nor what an outer one does');

-- Statements within statements
CREATE TABLE looks (saw text);
CREATE FUNCTION tap.meddle() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	before bigint := (SELECT count(*) FROM automation.run);
BEGIN
	BEGIN
		UPDATE job SET status = 'undone' WHERE id < 100;
		RAISE '%', format('inside %s', (SELECT count(*) - before FROM automation.run));
	EXCEPTION WHEN raise_exception THEN
		INSERT INTO looks VALUES (sqlerrm);
		INSERT INTO looks SELECT 'after ' || count(*) - before FROM automation.run;
	END;
	INSERT INTO job VALUES (new.id + 1000, 'added');
	INSERT INTO looks SELECT 'added ' || count(*) - before FROM automation.run;
	RETURN NULL;
END
$$;
CREATE TRIGGER zz AFTER INSERT ON job FOR EACH ROW WHEN (new.id < 1000) EXECUTE FUNCTION tap.meddle();
INSERT INTO job VALUES (10, 'new'), (11, 'new'), (12, 'new');
SELECT is(tap.news(), '6+6', 'each statement leaves its own, but those that were undone');
SELECT is((SELECT string_agg(saw, ', ') FROM looks WHERE saw ~ 'after|added'), 'after 0, added 1, after 0, added 1, after 0, added 1',
	'a trigger sees what its own statements have left');
SELECT is((SELECT count(*) FROM looks WHERE saw = 'inside 6'), 3::bigint, 'while it has not been undone');
DROP TRIGGER zz ON job;

-- By hand within a statement
SELECT automation.create_rule('by hand', 'job', 'manual', steps => ARRAY[automation.notify('x', 'by hand')], activate => true);
CREATE FUNCTION tap.fire_and_look() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	before bigint := (SELECT count(*) FROM automation.notification);
BEGIN
	PERFORM automation.fire('by hand', 'job', new.id::text);
	new.status := (SELECT count(*) - before FROM automation.notification);
	INSERT INTO looks VALUES ('fired ' || new.status);
	RETURN NULL;
END
$$;
CREATE TRIGGER zz AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION tap.fire_and_look();
INSERT INTO job VALUES (20, 'new'), (21, 'new');
SELECT is((SELECT count(*) FROM looks WHERE saw = 'fired 1'), 2::bigint, 'who fires a rule in a trigger sees its run');
SELECT is(tap.news(), '4+4', 'and all of them are there in the end');
DROP TRIGGER zz ON job;

-- What a rule does in the database
CREATE FUNCTION tap.count_runs(event jsonb) RETURNS void LANGUAGE sql AS $$
	INSERT INTO tap.looks SELECT format('%s sees %s', $1 -> 'new' ->> 'id', count(*)) FROM automation.run
$$;
SELECT automation.create_rule('counts', 'job', 'created', steps => ARRAY[automation.call_function('tap.count_runs')], activate => true);
INSERT INTO job VALUES (30, 'new'), (31, 'new');
SELECT set_eq($$ SELECT saw FROM looks WHERE saw LIKE '%sees%' $$, ARRAY['30 sees 1', '31 sees 3'], 'a rule''s function sees the runs before it');
SELECT is(tap.news(), '4+2', 'which are all there');
SELECT automation.disable_rule('counts');

-- Deferred triggers
CREATE FUNCTION tap.later() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE job SET status = 'later' WHERE id = new.id;
	RETURN NULL;
END
$$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON job DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tap.later();
INSERT INTO job VALUES (50, 'new'), (51, 'new');
SET CONSTRAINTS later IMMEDIATE;
SELECT is(tap.news(), '4+4', 'deferred triggers');
DROP TRIGGER later ON job;

-- What cannot be recorded
CREATE UNIQUE INDEX once ON automation.notification (body);
INSERT INTO automation.notification (recipient, body) VALUES ('x', '61');
SELECT lives_ok($$ INSERT INTO job VALUES (60, 'new'), (61, 'new'), (62, 'new') $$, 'a row that cannot be recorded fails no write');
SELECT is(tap.news(), '2+3', 'and keeps back its own run alone');

-- A bulk that is found out by a statement within the statement
CREATE SERVER hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://example.com');
CREATE TABLE deal (id integer PRIMARY KEY, named text);
CREATE TABLE copy (id integer PRIMARY KEY);
SELECT automation.attach('deal'), automation.attach('copy');
SELECT automation.create_rule('send ' || t, t, 'created', steps => ARRAY[automation.send_webhook('hook', '/', to_jsonb(t || ' {{ id }}'))], activate => true)
FROM unnest('{deal,copy}'::text[]) AS t;
CREATE FUNCTION tap.copy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO tap.copy SELECT 10 * new.id + generate_series(1, current_setting('tap.copies')::integer);
	IF current_setting('tap.undo') = 'yes' THEN RAISE division_by_zero; END IF;
	RETURN NULL;
EXCEPTION WHEN division_by_zero THEN
	RETURN NULL;
END
$$;
CREATE TRIGGER zz AFTER INSERT ON deal FOR EACH ROW EXECUTE FUNCTION tap.copy();
CREATE FUNCTION tap.sent() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg((m.message -> 'body' #>> '{}') || ' ' || d.state, ', ' ORDER BY d.id) FROM automation.deliveries AS d JOIN automation.delivery AS m USING (id)
$$;
SET LOCAL pg_automation.max_events_per_transaction = 5;
SET LOCAL tap.copies = 1;
SET LOCAL tap.undo = 'no';
SAVEPOINT empty;
SET LOCAL tap.copies = 6;
SET LOCAL tap.undo = 'yes';
INSERT INTO deal VALUES (1), (2), (3);
SELECT is(tap.sent(), 'deal 1 ready, deal 2 ready, deal 3 ready', 'undone, it has been none');
SELECT is((SELECT count(*) FROM automation.run), 3::bigint, 'and what it was to hold is there once');
ROLLBACK TO empty;
INSERT INTO deal VALUES (1), (2), (3), (4);
SELECT is(tap.sent(), 'deal 1 held, copy 11 held, deal 2 held, copy 21 held, deal 3 held', 'it holds what the outer one has left until then');
SELECT is((SELECT count(*) FROM automation.run), 5::bigint, 'which is there once');
ROLLBACK TO empty;
SELECT automation.alter_rule('send deal', on_bulk => 'run');
INSERT INTO deal VALUES (1), (2), (3), (4);
SELECT is(tap.sent(), 'deal 1 ready, copy 11 held, deal 2 ready, copy 21 held, deal 3 ready, deal 4 ready', 'but for rules that run in bulk, too');
SELECT is((SELECT count(*) FROM automation.run), 6::bigint, 'whose runs after it are there as well');
ROLLBACK TO empty;
DROP TRIGGER zz ON deal;

-- Memory
SET LOCAL pg_automation.max_events_per_transaction = 0;
CREATE FUNCTION tap.weigh() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO looks SELECT 'took ' || max(total_bytes) FROM pg_backend_memory_contexts WHERE name = 'pg_automation gathered rows';
	RETURN NULL;
END
$$;
CREATE TRIGGER weigh AFTER INSERT ON deal FOR EACH STATEMENT EXECUTE FUNCTION tap.weigh();
SELECT automation.create_rule('fails', 'deal', 'created', activate => true,
	steps => ARRAY[automation.notify('x', repeat('x', 20000)), automation.notify('{{ named }}', 'to nobody')]);
INSERT INTO deal SELECT generate_series(1, 2000);
SELECT cmp_ok((SELECT max(substr(saw, 6)::bigint) FROM looks WHERE saw LIKE 'took %'), '<', 10000000::bigint, 'what fails does not pile up until the statement ends');

SELECT * FROM finish();
ROLLBACK;
