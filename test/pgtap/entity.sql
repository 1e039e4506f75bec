-- What can be attached and by whom, what attach() leaves behind, and how it is undone.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (
	id integer PRIMARY KEY,
	status text,
	technician_id integer,
	branch text NOT NULL,
	number integer NOT NULL,
	"First Name" text,
	UNIQUE (branch, number)
);
CREATE TABLE crm.line (branch text, number integer, line integer, PRIMARY KEY (branch, number, line));
CREATE TABLE crm.document (id uuid PRIMARY KEY, title text);
CREATE TABLE crm.notes (body text, email text UNIQUE, code text NOT NULL, state text NOT NULL);
CREATE UNIQUE INDEX ON crm.notes (code) WHERE state = 'open';

CREATE FUNCTION crm.as_role(role name, command text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE command;
	SET LOCAL ROLE NONE;
END
$$;
-- What the compiled key or roles of a row say.
CREATE FUNCTION crm.compiled(part text, here anyelement) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	answer jsonb;
BEGIN
	SELECT jsonb_object_agg(f.key, to_jsonb(here) -> f.value) INTO answer
	FROM automation.entity AS e,
		jsonb_each_text(automation._fields(automation._compiled(format('entity_%s_%s', e.id, part)))) AS f
	WHERE e.relation = pg_typeof(here)::text::regclass;
	RETURN answer;
END
$$;
CREATE FUNCTION crm.described(watched regclass) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', object_type, key_columns, columns) FROM automation.entities WHERE relation = watched
$$;
CREATE FUNCTION crm.watched(tables regclass[]) RETURNS regclass[] LANGUAGE sql AS $$
	SELECT coalesce(array_agg(tgrelid::regclass ORDER BY tgrelid::regclass::text), '{}') FROM pg_trigger
	WHERE tgname = 'pg_automation' AND tgrelid = ANY (tables)
$$;

CREATE ROLE tap_owner;
CREATE ROLE tap_member IN ROLE tap_owner;
CREATE ROLE tap_stranger;
GRANT USAGE ON SCHEMA automation, crm TO tap_owner, tap_stranger;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA automation TO tap_owner, tap_stranger;

-- attach()

SELECT lives_ok(
	$$SELECT automation.attach('crm.job', object_type => 'job', columns => '{"status": "status", "owner": "technician_id"}')$$,
	'a table is attached');
SELECT is(crm.described('crm.job'), 'job {id} {"owner": "technician_id", "status": "status"}',
	'with object type, key and roles');
SELECT triggers_are('crm', 'job', '{pg_automation,pg_automation_truncate}', 'with a trigger for rows and one for TRUNCATE');
SELECT is(crm.compiled('key', ROW(5, 'Won', 7, 'east', 1, 'Ann')::crm.job), '{"id": 5}', 'the key of a row is compiled');
SELECT is(crm.compiled('roles', ROW(5, 'Won', 7, 'east', 1, 'Ann')::crm.job), '{"status": "Won", "owner": 7}',
	'and so are its roles');
SELECT lives_ok($$INSERT INTO crm.job VALUES (1, 'New', 7, 'east', 1)$$, 'rows are still written');

SELECT lives_ok($$SELECT automation.attach('crm.line')$$, 'a table with a composite key is attached');
SELECT is(crm.described('crm.line'), 'record {branch,line,number} {}', 'with all of the key');
SELECT is(crm.compiled('key', ROW('east', 4, 2)::crm.line), '{"branch": "east", "number": 4, "line": 2}', 'and so its key is');
SELECT lives_ok($$SELECT automation.attach('crm.document', 'document')$$, 'a table with a uuid for a key is attached');
SELECT is(crm.compiled('key', ROW('3f333df6-90a4-4fda-8dd3-9485d27cee36', 'x')::crm.document),
	'{"id": "3f333df6-90a4-4fda-8dd3-9485d27cee36"}', 'and so its key is');

SELECT lives_ok(
	$$SELECT automation.attach('crm.job', 'work_order', '{"title": "First Name"}', key_columns => '{number,branch}')$$,
	'it may be attached again');
SELECT is(crm.described('crm.job'), 'work_order {branch,number} {"title": "First Name"}',
	'which replaces object type, key and roles');
SELECT is(crm.compiled('key', ROW(5, 'Won', 7, 'east', 1, 'Ann')::crm.job), '{"branch": "east", "number": 1}',
	'in the compiled functions too');
SELECT triggers_are('crm', 'job', '{pg_automation,pg_automation_truncate}', 'and leaves the triggers alone');
SELECT automation.create_rule('keyed', 'crm.job', 'created', steps => ARRAY[automation.notify('log', 'new')], activate => true);
SELECT lives_ok($$SELECT automation.attach('crm.job', 'work_order', '{"title": "First Name"}', key_columns => '{branch,number}')$$,
	'the same key may be given again');
SELECT throws_ok($$SELECT automation.attach('crm.job', 'work_order', '{"title": "First Name"}')$$, '55000', 'cannot change the key of table "crm.job"',
	'another one not while rules know rows by it');
INSERT INTO crm.job VALUES (9, 'New', 7, 'east', 9);
SELECT automation.drop_rule('keyed');
SELECT throws_ok($$SELECT automation.attach('crm.job')$$, '55000', 'cannot change the key of table "crm.job"', 'nor while the log does');

-- Columns that change

ALTER TABLE crm.job RENAME COLUMN "First Name" TO caption;
SELECT is(crm.described('crm.job'), 'work_order {branch,number} {"title": "caption"}', 'a role follows its renamed column');
ALTER TABLE crm.job RENAME COLUMN branch TO office;
SELECT is(crm.compiled('key', ROW(5, 'Won', 7, 'east', 1, 'Ann')::crm.job), '{"branch": "east", "number": 1}',
	'the key of a row stays the same when a column is renamed');
SELECT throws_ok($$ALTER TABLE crm.job DROP COLUMN caption$$, '2BP01', NULL, 'a column with a role is not dropped');
SELECT throws_ok($$ALTER TABLE crm.job DROP COLUMN number$$, '2BP01', NULL, 'nor is a column of the key');
SELECT lives_ok($$ALTER TABLE crm.job ADD COLUMN later text, DROP COLUMN status$$, 'others come and go');
ALTER TABLE crm.job RENAME TO jobs;
ALTER SCHEMA crm RENAME TO sales;
SELECT is((SELECT object_type FROM automation.entities WHERE relation = 'sales.jobs'::regclass), 'work_order',
	'a renamed table stays attached');
ALTER SCHEMA sales RENAME TO crm;
ALTER TABLE crm.jobs RENAME TO job;

-- What cannot be attached

CREATE VIEW crm.vw AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW crm.mv AS SELECT 1 AS id;
CREATE SEQUENCE crm.seq;
CREATE FOREIGN DATA WRAPPER tap_wrapper;
CREATE SERVER tap_server FOREIGN DATA WRAPPER tap_wrapper;
CREATE FOREIGN TABLE crm.ft (id integer) SERVER tap_server;
CREATE TEMPORARY TABLE tmp1 (id integer PRIMARY KEY);
CREATE TABLE crm.p (id integer PRIMARY KEY, status text) PARTITION BY RANGE (id);
CREATE TABLE crm.p_low PARTITION OF crm.p FOR VALUES FROM (0) TO (10);

SELECT throws_ok($$SELECT automation.attach('crm.lead')$$, '42P01', 'relation "crm.lead" does not exist');
SELECT throws_ok($$SELECT automation.attach(NULL)$$, '22004', 'relation must not be null');
SELECT throws_ok($$SELECT automation.attach(1)$$, '42P01', 'relation with OID 1 does not exist');
SELECT throws_ok($$SELECT automation.attach('crm.vw')$$, '42809', '"vw" is a view');
SELECT throws_ok($$SELECT automation.attach('crm.mv')$$, '42809', '"mv" is a materialized view');
SELECT throws_ok($$SELECT automation.attach('crm.seq')$$, '42809', '"seq" is a sequence');
SELECT throws_ok($$SELECT automation.attach('crm.ft')$$, '42809', '"ft" is a foreign table');
SELECT throws_ok($$SELECT automation.attach('crm.job_pkey')$$, '42809', '"job_pkey" is an index');
SELECT throws_ok($$SELECT automation.attach('pg_class')$$, '42501', 'permission denied: "pg_class" is a system catalog');
SELECT throws_ok($$SELECT automation.attach('information_schema.sql_parts')$$, '42501',
	'permission denied: "sql_parts" is a system catalog');
SELECT throws_ok($$SELECT automation.attach('automation.entity')$$, '42P17',
	'cannot attach rules to table "automation.entity"');
SELECT throws_ok($$SELECT automation.attach('tmp1')$$, '0A000', 'cannot attach rules to temporary table "tmp1"');
SELECT throws_ok($$SELECT automation.attach('crm.p_low')$$, '42809', '"p_low" is a partition');
SELECT throws_ok($$SELECT automation.attach('crm.notes')$$, '55000', 'table "crm.notes" has no primary key');
SELECT throws_ok($$SELECT automation.attach('crm.notes', key_columns => '{email}')$$, '42P17',
	'columns (email) do not form a unique key of table "crm.notes"', 'a key cannot be null');
SELECT throws_ok($$SELECT automation.attach('crm.notes', key_columns => '{code}')$$, '42P17',
	'columns (code) do not form a unique key of table "crm.notes"', 'a partial index makes no key');
SELECT throws_ok($$SELECT automation.attach('crm.job', key_columns => '{number}')$$, '42P17',
	'columns (number) do not form a unique key of table "crm.job"', 'nor does part of one');
SELECT throws_ok($$SELECT automation.attach('crm.job', key_columns => '{nummer}')$$, '42703',
	'column "nummer" of table "crm.job" does not exist');
SELECT throws_ok($$SELECT automation.attach('crm.job', 'job.x')$$, '22023', 'invalid object type: "job.x"');
SELECT throws_ok($$SELECT automation.attach('crm.job', columns => '{"owner": "technican_id"}')$$, '42703',
	'column "technican_id" of table "crm.job" does not exist');
SELECT throws_ok($$SELECT automation.attach('crm.job', columns => '{"owner": 1}')$$, '22023',
	'columns must be a JSON object of role and column');
SELECT throws_ok($$SELECT automation.attach('crm.job', columns => '["owner"]')$$, '22023',
	'columns must be a JSON object of role and column');
SELECT is(crm.described('crm.job'), 'work_order {office,number} {"title": "caption"}',
	'what was refused has changed nothing');

-- Who may

SELECT throws_ok($$SELECT crm.as_role('tap_stranger', 'SELECT automation.attach(''crm.job'')')$$, '42501',
	'must be owner of table job', 'only its owner attaches a table');
ALTER TABLE crm.document OWNER TO tap_owner;
SELECT lives_ok($$SELECT crm.as_role('tap_owner', 'SELECT automation.attach(''crm.document'')')$$, 'the owner does');
SELECT lives_ok($$SELECT crm.as_role('tap_member', 'SELECT automation.attach(''crm.document'')')$$,
	'and so does who has the owner''s rights');
SELECT throws_ok($$SELECT crm.as_role('tap_stranger', 'SELECT automation.detach(''crm.document'')')$$, '42501',
	'must be owner of table document', 'nobody else detaches it');
SELECT throws_ok(
	$$SELECT crm.as_role('tap_stranger', 'SELECT automation.link(''crm.document'', ''x'', ''id'', ''crm.document'')')$$,
	'42501', 'must be owner of table document', 'or names its links');
SELECT throws_ok(
	$$SELECT crm.as_role('tap_stranger', 'SELECT automation.unlink(''crm.document'', ''x'')')$$,
	'42501', 'must be owner of table document', 'or forgets them');
SELECT throws_ok($$SELECT crm.as_role('tap_stranger', 'DELETE FROM automation.entity')$$, '42501', NULL,
	'or writes our tables');
SELECT ok(NOT has_function_privilege('tap_stranger', automation._compiled(format('entity_%s_key', id)), 'EXECUTE'),
	'or calls what was compiled') FROM automation.entity WHERE relation = 'crm.document'::regclass;

-- Partitions and children

SET LOCAL client_min_messages = error; -- the warnings below are meant

SELECT lives_ok($$SELECT automation.attach('crm.p', columns => '{"status": "status"}')$$, 'a partitioned table is attached');
CREATE TABLE crm.p_high PARTITION OF crm.p FOR VALUES FROM (10) TO (20);
SELECT is(crm.watched('{crm.p,crm.p_low,crm.p_high}'), '{crm.p,crm.p_high,crm.p_low}', 'with all its partitions, later ones too');
SELECT lives_ok($$INSERT INTO crm.p VALUES (1), (11); UPDATE crm.p SET id = id + 1$$, 'rows are still written');

CREATE TABLE crm.person (id integer PRIMARY KEY, name text);
CREATE TABLE crm.employee (salary numeric) INHERITS (crm.person);
CREATE TABLE crm.manager () INHERITS (crm.employee);
CREATE TABLE crm.animal (id integer PRIMARY KEY);
CREATE TABLE crm.dog () INHERITS (crm.animal);
CREATE TABLE crm.cat (id integer PRIMARY KEY) INHERITS (crm.animal);
SELECT lives_ok($$SELECT automation.attach('crm.person')$$, 'a table with children is attached');
SELECT is(crm.watched('{crm.person,crm.employee,crm.manager}'), '{crm.employee,crm.manager,crm.person}', 'with its children at every depth');
SELECT is((SELECT count(DISTINCT tgargs) FROM pg_trigger
	WHERE tgname = 'pg_automation' AND tgrelid IN ('crm.person'::regclass, 'crm.manager'::regclass)), 1::bigint,
	'whose rows are rows of the parent');
SELECT lives_ok($$SELECT automation.attach('crm.person', include_children => false)$$, 'it can be attached again without them');
SELECT is(crm.watched('{crm.person,crm.employee,crm.manager}'), '{crm.person}', 'which are let go');
SELECT lives_ok($$SELECT automation.attach('crm.person')$$, 'and with them');
SELECT is(crm.watched('{crm.person,crm.employee,crm.manager}'), '{crm.employee,crm.manager,crm.person}', 'which are watched again');
SELECT throws_ok($$SELECT automation.attach('crm.employee', key_columns => '{id}')$$, '42P17', NULL,
	'a key is not inherited');
SELECT lives_ok($$SELECT automation.attach('crm.animal', include_children => false)$$, 'children may be left out');
SELECT is(crm.watched('{crm.animal,crm.dog,crm.cat}'), '{crm.animal}', 'and then are not watched');
SELECT lives_ok($$SELECT automation.attach('crm.cat')$$, 'so that one can be attached by itself');
SELECT throws_ok($$SELECT automation.attach('crm.animal')$$, '55000', 'table "crm.cat" is already attached',
	'a table belongs to one entity');
ALTER TABLE crm.dog OWNER TO tap_owner;
ALTER TABLE crm.animal OWNER TO tap_owner;
SELECT throws_ok($$SELECT crm.as_role('tap_owner', 'SELECT automation.attach(''crm.animal'')')$$, '42501',
	'must be owner of table cat', 'children are attached only by their owner');

-- Children that come later
CREATE FUNCTION crm.unseen() RETURNS text LANGUAGE sql AS $$
	SELECT detail || coalesce(E'\n' || hint, '') FROM automation.check() WHERE "check" = 'triggers' $$;
SELECT is(crm.unseen(), 'enabled on every attached table', 'check() is content');
CREATE TABLE crm.trainee () INHERITS (crm.employee);
CREATE TABLE crm.guest (id integer NOT NULL, name text);
ALTER TABLE crm.guest INHERIT crm.person;
CREATE TABLE crm.bird () INHERITS (crm.animal);
SELECT is(crm.unseen(), $$changes go unseen: crm.trainee, crm.guest
SELECT automation.attach('crm.person', 'record', '{}', '{id}');$$, 'unless there are new children of a table that was attached with its own, which it tells how to watch');
SELECT lives_ok(split_part(crm.unseen(), E'\n', 2), 'what it says can be done');
SELECT is(crm.unseen(), 'enabled on every attached table', 'and then it is content');
DROP TABLE crm.trainee, crm.guest, crm.bird;
ALTER TABLE crm.p_low DISABLE TRIGGER pg_automation;
SELECT is(crm.unseen(), $$changes go unseen: crm.p_low
ALTER TABLE crm.p_low ENABLE TRIGGER pg_automation;$$, 'it tells of a single partition, too');
ALTER TABLE crm.p_low ENABLE TRIGGER pg_automation;

CREATE UNLOGGED TABLE crm.scratch (id integer PRIMARY KEY);
SELECT lives_ok($$SELECT automation.attach('crm.scratch')$$, 'an unlogged table is attached, with a warning');

-- detach()

SELECT lives_ok($$SELECT automation.create_rule(name => 'tap rule', relation => 'crm.job', trigger => 'created',
	steps => ARRAY[automation.notify('somebody', 'something')])$$, 'a rule is made');
SELECT throws_ok($$SELECT automation.detach('crm.job')$$, '2BP01',
	'cannot detach table "crm.job" because rules depend on it');
SELECT lives_ok($$SELECT automation.detach('crm.job', cascade => true)$$, 'unless it is told to cascade');
SELECT is((SELECT count(*) FROM automation.rule WHERE name = 'tap rule'), 0::bigint, 'the rules are gone then');
SELECT triggers_are('crm', 'job', '{}', 'so are the triggers');
SELECT is(crm.described('crm.job'), NULL, 'and the entity');
SELECT throws_ok($$SELECT automation.detach('crm.job')$$, '55000', 'table "crm.job" is not attached');
SELECT lives_ok($$ALTER TABLE crm.job DROP COLUMN caption$$, 'its columns are free again');
SELECT lives_ok($$SELECT automation.detach('crm.person'), automation.detach('crm.p')$$, 'other tables are detached');
SELECT is(crm.watched('{crm.person,crm.employee,crm.manager,crm.p,crm.p_low,crm.p_high}'), '{}',
	'children and partitions are let go with their parent');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'automation_compiled'::regnamespace
	AND proname ~ '^entity_\d+_(key|roles)$'), 2 * (SELECT count(*) FROM automation.entity),
	'no compiled function stays behind');

-- Dropped tables

CREATE TABLE crm.tag (id integer PRIMARY KEY);
SELECT lives_ok($$SELECT automation.link('crm.line', 'tag', 'line', 'crm.tag')$$, 'a link is made');
SELECT throws_ok($$DROP TABLE crm.tag$$, '2BP01', NULL, 'the target of a link is not dropped');
SELECT throws_ok($$DROP TABLE crm.line$$, '2BP01', NULL, 'nor is an attached table');
DROP TABLE crm.line CASCADE;
SELECT is((SELECT count(*) FROM automation.entity AS e WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = e.relation)), 0::bigint,
	'unless by CASCADE, and then the entity is forgotten');
SELECT is((SELECT count(*) FROM automation.link AS l WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = l.relation)), 0::bigint,
	'and its links are');
SELECT lives_ok($$DROP TABLE crm.tag$$, 'whose targets are free again');
CREATE TABLE crm.replicated (id integer PRIMARY KEY);
SELECT automation.attach('crm.replicated');
SET LOCAL session_replication_role = replica;
DROP TABLE crm.replicated CASCADE;
RESET session_replication_role;
SELECT is((SELECT count(*) FROM automation.entity AS e WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = e.relation)), 0::bigint,
	'it is in a session of replication too');

-- A table that was dropped behind our back

CREATE TABLE crm.lost (id integer PRIMARY KEY);
CREATE TEMP TABLE lost AS SELECT 'crm.lost'::regclass::oid AS oid;
SELECT automation.attach('crm.lost', 'lost');
SELECT automation.create_rule(name, 'crm.lost', 'created', steps => ARRAY[automation.notify('somebody', 'something')], activate => true)
FROM unnest('{one,two}'::text[]) AS name;
ALTER EVENT TRIGGER pg_automation_dropped DISABLE;
DROP TABLE crm.lost CASCADE;
ALTER EVENT TRIGGER pg_automation_dropped ENABLE ALWAYS;
SELECT is((SELECT array_agg(detail ORDER BY detail) FROM automation.check() WHERE "check" IN ('tables', 'triggers')),
	ARRAY[format('dropped: %s (lost)', (SELECT oid FROM lost)), 'enabled on every attached table'], 'is named by check()');
SELECT matches((SELECT detail FROM automation.check() WHERE "check" = 'rules'), '^"one": .*; "two": ', 'with its rules');
SELECT lives_ok($$SELECT automation.drop_rule('one')$$, 'which can be dropped');
SELECT throws_ok($$SELECT automation.detach((SELECT oid FROM lost))$$, '2BP01', NULL, 'it can be detached');
SELECT lives_ok($$SELECT automation.detach((SELECT oid FROM lost), cascade => true)$$, 'with what is left of its rules');
SELECT is((SELECT count(*) FROM automation.rules WHERE name IN ('one', 'two')), 0::bigint, 'that are gone then');
SELECT is((SELECT ok FROM automation.check() WHERE "check" = 'tables'), true, 'and check() is content');

SELECT * FROM finish();
ROLLBACK;
