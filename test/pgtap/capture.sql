-- Every way to change a row fires rules, once for each real change, and nothing else does.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;

-- Rules on a table that note each event with the values of :status.
CREATE FUNCTION tap.watch(watched regclass, field text DEFAULT 'status', key_columns text[] DEFAULT NULL) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM automation.attach(watched, key_columns => key_columns);
	PERFORM automation.create_rule(format('%s %s', watched, t.event), watched, t.event,
		steps => ARRAY[automation.notify('log', format(t.body, field))], activate => true)
	FROM (VALUES
		('created', '{{ new["%1$s"] }}'),
		('updated', '{{ old["%1$s"] }} > {{ new["%1$s"] }}'),
		('deleted', '{{ old["%1$s"] }}')) AS t(event, body);
END
$$;

-- What has fired since the last look.
CREATE FUNCTION tap.fired() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.run RETURNING id, event, key, status, reason),
		said AS (DELETE FROM automation.notification RETURNING run_id, body)
	SELECT coalesce(string_agg(concat_ws(' ', gone.event, gone.key, nullif(gone.status, 'succeeded'), gone.reason, said.body), ', ' ORDER BY gone.id), 'nothing')
	FROM gone LEFT JOIN said ON said.run_id = gone.id
$$;

-- Statements

CREATE TABLE job (id integer PRIMARY KEY, status text, note text);
CREATE VIEW open_job AS SELECT * FROM job WHERE status <> 'Done';
CREATE TABLE staging (id integer, status text);
SELECT tap.watch('job');

INSERT INTO job VALUES (1, 'New'), (2, 'New');
SELECT is(tap.fired(), 'created 1 New, created 2 New', 'INSERT of several rows');
INSERT INTO job SELECT 3, 'New' RETURNING id;
SELECT is(tap.fired(), 'created 3 New', 'INSERT from a query');
UPDATE job SET status = 'Open' WHERE id < 3;
SELECT is(tap.fired(), 'updated 1 New > Open, updated 2 New > Open', 'UPDATE of several rows');
DELETE FROM job WHERE id = 2;
SELECT is(tap.fired(), 'deleted 2 Open', 'DELETE');
COPY job (id, status) FROM STDIN;
4	New
5	Open
\.
SELECT is(tap.fired(), 'created 4 New, created 5 Open', 'COPY');

INSERT INTO staging VALUES (1, 'Done'), (3, NULL), (6, 'New');
MERGE INTO job USING staging ON job.id = staging.id
WHEN MATCHED AND staging.status IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET status = staging.status
WHEN NOT MATCHED THEN INSERT VALUES (staging.id, staging.status);
SELECT is(tap.fired(), 'updated 1 Open > Done, deleted 3 New, created 6 New', 'MERGE');

INSERT INTO job VALUES (6, 'x'), (7, 'New') ON CONFLICT DO NOTHING;
SELECT is(tap.fired(), 'created 7 New', 'ON CONFLICT DO NOTHING: what conflicts is no event');
INSERT INTO job VALUES (6, 'Open'), (8, 'New') ON CONFLICT (id) DO UPDATE SET status = excluded.status;
SELECT is(tap.fired(), 'updated 6 New > Open, created 8 New', 'ON CONFLICT DO UPDATE: an update or an insert');
INSERT INTO job VALUES (6, 'y') ON CONFLICT (id) DO UPDATE SET status = excluded.status WHERE false;
SELECT is(tap.fired(), 'nothing', 'ON CONFLICT DO UPDATE WHERE: a row left alone is no event');

WITH opened AS (UPDATE job SET status = 'Open' WHERE id = 8 RETURNING id) DELETE FROM job WHERE id = 7;
SELECT is(tap.fired(), 'deleted 7 New, updated 8 New > Open', 'statements in WITH');
UPDATE open_job SET status = 'Done' WHERE id = 8;
INSERT INTO open_job VALUES (9, 'New');
SELECT is(tap.fired(), 'updated 8 Open > Done, created 9 New', 'through a view');
DO $$ BEGIN UPDATE job SET status = 'Open' WHERE id = 9; END $$;
SELECT is(tap.fired(), 'updated 9 New > Open', 'in a function');
UPDATE job SET id = 90 WHERE id = 9;
SELECT is(tap.fired(), 'updated 90 Open > Open', 'a changed key: the run is about the row as it is now');

TRUNCATE job;
SELECT is(tap.fired(), 'nothing', 'TRUNCATE fires nothing');
SELECT is((SELECT count(*) FROM automation.touch), 0::bigint, 'and where nothing waits nothing is noted');

-- Foreign keys

CREATE TABLE line (id integer PRIMARY KEY, job_id integer REFERENCES job ON DELETE CASCADE ON UPDATE CASCADE, status text);
CREATE TABLE remark (id integer PRIMARY KEY, job_id integer DEFAULT 1 REFERENCES job ON DELETE SET NULL ON UPDATE CASCADE, status text);
SELECT tap.watch('line', 'job_id'), tap.watch('remark', 'job_id');
INSERT INTO job VALUES (1, 'New'), (2, 'New');
INSERT INTO line VALUES (1, 1), (2, 1), (3, 2);
INSERT INTO remark VALUES (1, 1);
SELECT tap.fired();
UPDATE job SET id = 5 WHERE id = 1;
SELECT is(tap.fired(), 'updated 5 New > New, updated 1 1 > 5, updated 2 1 > 5, updated 1 1 > 5', 'ON UPDATE CASCADE');
DELETE FROM job WHERE id = 5;
SELECT is(tap.fired(), 'deleted 5 New, deleted 1 5, deleted 2 5, updated 1 5 > ', 'ON DELETE CASCADE and SET NULL');

-- What other triggers do

CREATE TABLE lead (id integer PRIMARY KEY, status text, touched integer DEFAULT 0);
CREATE FUNCTION tidy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.status = 'veto' THEN
		RETURN NULL;
	END IF;
	NEW.status := initcap(NEW.status);
	RETURN NEW;
END
$$;
CREATE TRIGGER tidy BEFORE INSERT OR UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION tidy();
SELECT tap.watch('lead');
SELECT automation.create_rule('lead won', 'lead', 'field_changed', '{"field": "status", "to": "Won"}',
	steps => ARRAY[automation.notify('log', 'won')], activate => true);
INSERT INTO lead VALUES (1, 'new');
SELECT is(tap.fired(), 'created 1 New', 'a BEFORE trigger''s change is seen');
UPDATE lead SET status = 'won';
SELECT is(tap.fired(), 'updated 1 New > Won, updated 1 won', 'and matched');
UPDATE lead SET status = 'WON';
SELECT is(tap.fired(), 'nothing', 'what it undoes is no change');
INSERT INTO lead VALUES (2, 'veto');
UPDATE lead SET status = 'veto';
SELECT is(tap.fired(), 'nothing', 'what it suppresses is no event');
CREATE FUNCTION move_on() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.status := 'Lost'; RETURN NEW; END $$;
CREATE TRIGGER zz_move_on BEFORE UPDATE ON lead FOR EACH ROW EXECUTE FUNCTION move_on();
UPDATE lead SET touched = 1;
SELECT is(tap.fired(), 'updated 1 Won > Lost', 'a column that only a BEFORE trigger changes is changed');

-- Changes by value

CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE TYPE tap.size AS (width integer, label text);
CREATE TABLE sample (
	id integer PRIMARY KEY,
	n numeric, f float8, j json, jb jsonb, c citext, t text, d date, ts timestamptz, a integer[], s tap.size, b bytea, p char(8),
	twice numeric GENERATED ALWAYS AS (n * 2) STORED,
	gone integer
);
ALTER TABLE sample DROP COLUMN gone;
SELECT tap.watch('sample', 'id');
INSERT INTO sample (id, n, f, j, jb, c, t, d, ts, a, s, b, p) VALUES
	(1, 2, 0, '{"a":1}', '{"a":1}', 'Ann', 'x', '2026-01-31', '2026-01-31 12:00+00', '{1,2}', '(1,x)', '\x00', 'ab');
SELECT tap.fired();

CREATE FUNCTION tap.setting(expression text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'UPDATE tap.sample SET ' || expression;
	RETURN CASE tap.fired() WHEN 'nothing' THEN 'same' WHEN 'updated 1 1 > 1' THEN 'changed' END;
END
$$;
SELECT is(tap.setting(expression), expected, expression) FROM (VALUES
	('n = 2.00', 'same'), ('n = n', 'same'), ('n = 2.01', 'changed'), ('n = ''NaN''', 'changed'), ('n = ''NaN''', 'same'),
	('f = ''-0.0''', 'same'), ('f = ''NaN''', 'changed'), ('f = ''NaN''', 'same'),
	('j = ''{"a":1}''', 'same'), ('j = ''{"a": 1}''', 'changed'), ('j = NULL', 'changed'), ('j = NULL', 'same'),
	('jb = ''{"a": 1.0}''', 'same'), ('jb = ''{"a": 2}''', 'changed'),
	('c = ''ANN''', 'same'), ('c = ''Anna''', 'changed'),
	('t = ''x''', 'same'), ('t = ''''', 'changed'), ('t = NULL', 'changed'), ('t = NULL', 'same'),
	('d = ''20260131''::text::date', 'same'), ('ts = ''2026-01-31 13:00+01''', 'same'), ('ts = ''2026-01-31 13:00+00''', 'changed'),
	('a = ''{1,2}''', 'same'), ('a = ''[0:1]={1,2}''', 'changed'), ('a[1] = 3', 'changed'),
	('s = ''(1,x)''', 'same'), ('s.width = 2', 'changed'),
	('b = ''\x00''', 'same'), ('b = ''\x01''', 'changed'), ('p = ''ab   ''', 'same'), ('p = ''abc''', 'changed'))
	AS t(expression, expected);

-- A column that is computed changes with what it is computed from.
SELECT automation.create_rule('sample twice', 'sample', 'field_changed', '{"field": "twice"}',
	steps => ARRAY[automation.notify('log', '{{ old.twice }} > {{ new.twice }}')], activate => true);
UPDATE sample SET n = 3;
UPDATE sample SET n = 4;
SELECT is(tap.fired(), 'updated 1 1 > 1, updated 1 NaN > 6, updated 1 1 > 1, updated 1 6 > 8', 'generated columns');
DROP TABLE sample CASCADE;

-- Stored out of line: unchanged, rewritten with the same bytes, changed in the middle.
CREATE TABLE letter (id integer PRIMARY KEY, body text, jbody json, status text);
ALTER TABLE letter ALTER body SET STORAGE EXTERNAL, ALTER jbody SET STORAGE EXTERNAL;
SELECT tap.watch('letter', 'id');
SELECT automation.create_rule('letter body', 'letter', 'field_changed', '{"field": ["body", "jbody"]}',
	steps => ARRAY[automation.notify('log', 'body')], activate => true);
INSERT INTO letter VALUES (1, repeat('x', 100000), to_json(repeat('y', 100000)));
SELECT ok(pg_column_size(body) > 90000 AND pg_relation_size(reltoastrelid) > 100000, 'values are out of line')
FROM letter, pg_class WHERE oid = 'letter'::regclass;
SELECT tap.fired();
UPDATE letter SET body = body, jbody = to_json(repeat('y', 100000));
SELECT is(tap.fired(), 'nothing', 'out of line and equal is no change');
UPDATE letter SET status = 'x';
SELECT is(tap.fired(), 'updated 1 1 > 1', 'nor is it when another column changes');
UPDATE letter SET body = overlay(body PLACING 'z' FROM 50000);
SELECT is(tap.fired(), 'updated 1 1 > 1, updated 1 body', 'one byte in the middle is');

-- Columns come and go

CREATE TABLE shape (id integer PRIMARY KEY, dropped text, status text);
INSERT INTO shape VALUES (1, 'x', 'New');
ALTER TABLE shape ADD COLUMN added text DEFAULT 'fast';
SELECT tap.watch('shape');
SELECT automation.create_rule('shape added', 'shape', 'field_changed', '{"field": "added"}',
	steps => ARRAY[automation.notify('log', '{{ old.added }} > {{ new.added }}')], activate => true);
UPDATE shape SET status = 'New';
SELECT is(tap.fired(), 'nothing', 'an added column with its default is no change');
UPDATE shape SET status = 'Done';
SELECT is(tap.fired(), 'updated 1 New > Done', 'nor is it part of another');
UPDATE shape SET added = 'slow';
SELECT is(tap.fired(), 'updated 1 Done > Done, updated 1 fast > slow', 'its default is its old value');
ALTER TABLE shape DROP COLUMN dropped, ADD COLUMN later text;
UPDATE shape SET status = 'Open';
SELECT is(tap.fired(), 'updated 1 Done > Open', 'columns may come and go on a watched table');
UPDATE shape SET later = 'x';
SELECT is(tap.fired(), 'updated 1 Open > Open', 'and are watched');
ALTER TABLE shape ADD COLUMN defaulted text NOT NULL DEFAULT 'fast', ADD COLUMN computed text NOT NULL DEFAULT random()::text,
	ALTER COLUMN later TYPE varchar(80);
UPDATE shape SET status = 'Open';
SELECT is(tap.fired(), 'nothing', 'nor is a table written anew, for a default or a type, a change');
SELECT throws_ok($$ALTER TABLE shape ALTER COLUMN status TYPE varchar(80)$$, '0A000',
	'cannot alter type of a column used by a function or procedure', 'a column that rules use keeps its type');
ALTER TABLE shape RENAME COLUMN status TO state;
UPDATE shape SET state = 'New';
SELECT is(tap.fired(), 'updated 1 Open > New', 'a renamed column is followed');
ALTER TABLE shape RENAME TO form;
ALTER TABLE form SET SCHEMA public;
UPDATE public.form SET state = 'Open';
SELECT is(tap.fired(), 'updated 1 New > Open', 'and a table under another name in another schema');
SELECT throws_ok('ALTER TABLE public.form DROP COLUMN state', '2BP01', NULL, 'a column that rules use cannot be dropped');
DROP TABLE public.form CASCADE;

-- Keys

CREATE TABLE composite (branch text, number integer, status text, PRIMARY KEY (branch, number));
CREATE TABLE by_uuid (id uuid PRIMARY KEY, status text);
CREATE TABLE by_text (code text PRIMARY KEY, status text);
CREATE TABLE by_unique (a integer NOT NULL UNIQUE, b timestamptz NOT NULL UNIQUE, status text);
SELECT tap.watch('composite'), tap.watch('by_uuid'), tap.watch('by_text'), tap.watch('by_unique', key_columns => '{b}');
INSERT INTO composite VALUES ('a"b', 7, 'x');
INSERT INTO by_uuid VALUES ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'x');
INSERT INTO by_text VALUES ('A "quoted" ä', 'x');
SET LOCAL TimeZone = 'Asia/Tokyo';
INSERT INTO by_unique VALUES (1, '2026-01-31 12:00+00', 'x');
RESET TimeZone;
SELECT is(tap.fired(),
	'created {"branch": "a\"b", "number": 7} x, created a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11 x, created A "quoted" ä x, created 2026-01-31T12:00:00+00:00 x',
	'composite, uuid, text and chosen keys');

-- Savepoints

SAVEPOINT before;
INSERT INTO job VALUES (20, 'New');
SELECT isnt(tap.fired(), 'nothing', 'a change fires');
ROLLBACK TO before;
SELECT is(tap.fired(), 'nothing', 'and nothing is left of it after a rollback to a savepoint');
SELECT throws_ok('INSERT INTO job VALUES (20, ''New''), (20, ''New'')', '23505');
SELECT is(tap.fired(), 'nothing', 'nor of a failed statement');
INSERT INTO job VALUES (20, 'New');
SELECT is(tap.fired(), 'created 20 New', 'the next one fires as ever');

-- What a writer does to his session

CREATE TABLE fact (id integer PRIMARY KEY, d date, ts timestamptz, i interval, f float8, b bytea, m numeric, a timestamptz[], r daterange);
SELECT automation.attach('fact');
SELECT automation.create_rule('fact text', 'fact', 'updated',
	condition => $$new.d::text = '2026-01-31' AND new.ts::text LIKE '2026-01-31 12:00:00+00' AND new.f::text = '0.30000000000000004'$$,
	steps => ARRAY[automation.notify('log', '{{ d }}|{{ ts }}|{{ i }}|{{ f }}|{{ b }}|{{ m }}|{{ a }}|{{ r }}|{{ ts | date: "%d.%m.%Y %H:%M" }}')], activate => true);
SELECT automation.create_rule('fact changes', 'fact', 'field_changed', '{"field": "ts"}', activate => true,
	steps => ARRAY[automation.notify('log', 'changes')]);
INSERT INTO fact VALUES (1);
CREATE FUNCTION tap.write_fact(minute integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	UPDATE tap.fact SET d = make_date(2026, 1, 31), ts = timestamptz '2026-01-31 11:59+00' , i = make_interval(days => 1, hours => 26), f = 0.1::float8 + 0.2,
		b = decode('00ff', 'hex'), m = 1.50, a = ARRAY[to_timestamp(0)], r = daterange(make_date(2026, 1, 1), NULL);
	DELETE FROM automation.run; DELETE FROM automation.notification;
	UPDATE tap.fact SET ts = to_timestamp(1769860800);
	SELECT string_agg(format('%s %s', n.body, r.changes), E'\n' ORDER BY n.id) INTO said
	FROM automation.notification AS n JOIN automation.run AS r ON r.id = n.run_id;
	RETURN said;
END
$$;
CREATE TEMPORARY TABLE calm AS SELECT tap.write_fact(1) AS said;
SELECT is(said, E'2026-01-31|2026-01-31 12:00|1 day 26:00:00|0.3|\\x00ff|1.50|{"1970-01-01 00:00:00+00"}|[2026-01-01,)|31.01.2026 12:00 \n'
	|| 'changes {"ts": ["2026-01-31 11:59:00+00", "2026-01-31 12:00:00+00"]}', 'an ordinary session') FROM calm;
CREATE SCHEMA evil;
CREATE FUNCTION evil.text(timestamptz) RETURNS text LANGUAGE sql AS $$ SELECT 'evil' $$;
CREATE FUNCTION evil.date_trunc(text, timestamptz) RETURNS timestamptz LANGUAGE sql AS $$ SELECT 'epoch'::timestamptz $$;
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL IntervalStyle = 'sql_standard';
SET LOCAL TimeZone = 'America/St_Johns';
SET LOCAL extra_float_digits = -15;
SET LOCAL bytea_output = 'escape';
SET LOCAL search_path = evil, pg_catalog;
SET LOCAL quote_all_identifiers = on;
SET LOCAL row_security = off;
SET LOCAL default_text_search_config = 'pg_catalog.german';
CREATE TEMPORARY TABLE hostile AS SELECT tap.write_fact(1) AS said;
RESET DateStyle; RESET IntervalStyle; RESET TimeZone; RESET extra_float_digits; RESET bytea_output; RESET quote_all_identifiers;
RESET row_security; RESET default_text_search_config;
SET LOCAL search_path = tap, public;
SELECT is(hostile.said, calm.said, 'a session with every setting turned says the same') FROM hostile, calm;

SET LOCAL session_replication_role = replica;
INSERT INTO job VALUES (30, 'New');
UPDATE job SET status = 'Open' WHERE id = 30;
SET LOCAL session_replication_role = origin;
DELETE FROM automation.run WHERE rule_id IN (SELECT id FROM automation.rules WHERE name LIKE 'fact%');
SELECT is(tap.fired(), 'nothing', 'what replication writes fires nothing');

CREATE ROLE capture_writer;
GRANT USAGE ON SCHEMA tap TO capture_writer;
GRANT INSERT, UPDATE, DELETE, SELECT ON job TO capture_writer;
SET LOCAL ROLE capture_writer;
INSERT INTO job VALUES (31, 'New');
UPDATE job SET status = 'Open' WHERE id = 31;
SELECT throws_ok('SELECT automation.check()', '42501', NULL, 'a writer has no grant at all');
SELECT throws_ok('SELECT * FROM automation.run', '42501');
SELECT throws_ok('SET pg_automation.enabled = off', '42501', NULL, 'and cannot switch the rules off');
RESET ROLE;
SELECT is((SELECT string_agg(DISTINCT actor, ',') FROM automation.run), session_user::text, 'the log names the session''s user');
SELECT is(tap.fired(), 'created 31 New, updated 31 New > Open', 'and yet his writes fire rules');
SET LOCAL pg_automation.enabled = off;
INSERT INTO job VALUES (32, 'New');
RESET pg_automation.enabled;
SELECT is(tap.fired(), 'nothing', 'a superuser can');

SELECT * FROM finish();
ROLLBACK;
