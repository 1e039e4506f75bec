-- Which rows a rule cannot concern is known without reading it. A rule that cannot run shows which rows
-- it is asked about: it fails for those alone.
\set QUIET on
SET client_min_messages = warning;
BEGIN;
SELECT no_plan();

CREATE ROLE index_author;
CREATE SCHEMA file;
GRANT USAGE ON SCHEMA file TO index_author;
CREATE TYPE file.mood AS ENUM ('calm', 'cross', 'keen');
CREATE TABLE file.client (id integer PRIMARY KEY, tier text);
CREATE TABLE file.job (id integer PRIMARY KEY, status text, mood file.mood, size varchar(10), amount numeric, code text COLLATE "C", client_id integer REFERENCES file.client);
INSERT INTO file.client VALUES (1, 'gold');
SELECT automation.attach('file.job', columns => '{"status": "status"}'), automation.attach('file.client');
SELECT automation.grant_access('index_author', 'author');
GRANT SELECT, TRIGGER ON file.job TO index_author;
GRANT SELECT ON file.client TO index_author;

CREATE FUNCTION file.rule(name text, condition text, trigger text DEFAULT 'updated', params jsonb DEFAULT '{}') RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
	made integer;
BEGIN
	SET LOCAL ROLE index_author;
	made := automation.create_rule(name, 'file.job', trigger, params, condition, ARRAY[automation.notify('log', 'x')], activate => true);
	SET LOCAL ROLE NONE;
	RETURN made;
END
$$;
CREATE FUNCTION file.asked() RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
	found text;
BEGIN
	SELECT coalesce(string_agg(l.rule || ' ' || l.key, ', ' ORDER BY l.rule, l.key), 'nothing') INTO found
	FROM automation.execution_log AS l WHERE l.id > coalesce(nullif(current_setting('file.seen', true), ''), '0')::bigint;
	PERFORM set_config('file.seen', (SELECT max(l.id)::text FROM automation.execution_log AS l), true);
	RETURN found;
END
$$;
SELECT file.rule('one', $$new.status = 'a'$$);
SELECT file.rule('two', $$new.status IN ('b', 'c') AND new.amount > 5$$);
SELECT file.rule('pairs', $$new.status = ANY (ARRAY['c', 'd']) AND new.size IN ('S', 'M')$$);
SELECT file.rule('tree', '{"all": [{"field": "status", "operator": "in", "value": ["e", "f"]}, {"field": "mood", "operator": "isOneOf", "value": ["calm", "keen"]}]}');
SELECT file.rule('linked', $$client.tier = 'gold'$$, 'status_entered', '{"to": ["g", "h"]}');
SELECT file.rule('watches', $$client.tier = 'gold'$$, 'field_changed', '{"field": "amount"}');
SELECT file.rule('nulls', $$new.code IN ('x', NULL)$$);
SELECT set_eq($$SELECT r.name, cardinality(i.columns) AS a, cardinality(i.hashes) AS b, cardinality(i.watched) AS c FROM automation.rule_index AS i JOIN automation.rule AS r ON r.id = i.rule_id$$,
	$$VALUES ('one', 1, 1, 0), ('two', 1, 2, 0), ('pairs', 2, 4, 0), ('tree', 2, 4, 0), ('linked', 1, 2, 1), ('watches', 0, 1, 1), ('nulls', 1, 1, 0)$$,
	'what equals constants is indexed, each of a list, whatever else a condition says');
INSERT INTO file.job SELECT i, '-', 'cross', 'L', 10, '-', 1 FROM generate_series(1, 9) AS i;

-- With and without what is stored, for a rule may come with a dump.
CREATE FUNCTION file.check(what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE file.job SET status = '-', mood = 'cross', size = 'L', amount = 10, code = '-';
	PERFORM file.asked();
	UPDATE file.job SET status = 'a' WHERE id = 1;
	UPDATE file.job SET status = 'c' WHERE id = 2;
	UPDATE file.job SET status = 'd', size = 'S' WHERE id = 3;
	UPDATE file.job SET status = 'f' WHERE id = 4;
	UPDATE file.job SET status = 'f', mood = 'keen' WHERE id = 5;
	UPDATE file.job SET status = 'h' WHERE id = 6;
	UPDATE file.job SET amount = 11 WHERE id = 7;
	UPDATE file.job SET code = 'x' WHERE id = 8;
	UPDATE file.job SET code = NULL WHERE id = 9;
	RETURN NEXT is(file.asked(), 'linked 6, nulls 8, one 1, pairs 3, tree 5, two 2, watches 7', what);
END
$$;
SELECT file.check('rules run for their rows');
REVOKE SELECT ON file.job FROM index_author;
SELECT file.check('those that cannot run fail for the same');
DELETE FROM automation.rule_index;
SELECT file.check('also where nothing is stored');
SELECT is((SELECT count(*) FROM automation.rule_index), 0::bigint, 'a writer stores nothing');
SELECT lives_ok('SELECT automation.tick()', 'tick()');
SELECT is((SELECT count(*) FROM automation.rule_index), 7::bigint, 'does');
SELECT file.check('and all is as it was');
UPDATE automation.rule_index SET made_by = 'another server', hashes = '{}';
SELECT file.check('what another server has stored does not count');
GRANT SELECT ON file.job TO index_author;
SELECT file.check('nor for rules that can run');

-- A long list is not read: what rows ask for is looked up, until they have asked for much.

CREATE FUNCTION file.lengthen(many integer) RETURNS void LANGUAGE sql AS $$
	INSERT INTO automation.rule_index (rule_id, version, relation, at_commit, is_timed, watched, columns, functions, collations, hashes)
	SELECT 1000000 + i, 1, 'file.job', false, false, '{}', k.columns, k.functions, k.collations, ARRAY[-i]
	FROM generate_series(1, many) AS i,
		(SELECT x.columns, x.functions, x.collations FROM automation.rule_index AS x JOIN automation.rule AS r ON r.id = x.rule_id WHERE r.name = 'one') AS k
$$;
SELECT lives_ok('SELECT automation.tick()', 'all is indexed again');
SELECT file.lengthen(1000);
SELECT ok(automation._is_long('file.job', 1000), 'a list of more than a thousand is long');
SELECT set_eq($$SELECT DISTINCT s.columns FROM automation._shapes_of('file.job') AS s$$,
	$$SELECT DISTINCT i.columns FROM automation.rule_index AS i$$, 'what is compared at all is found without reading it');
SELECT file.check('the same rules of a long list');
SELECT file.rule('new', $$new.status = 'n'$$);
UPDATE file.job SET status = 'n' WHERE id = 1;
SELECT is(file.asked(), 'new 1', 'a rule that comes');
SELECT automation.alter_rule('new', condition => $$new.status = 'm'$$);
UPDATE file.job SET status = 'm' WHERE id IN (1, 2);
UPDATE file.job SET status = 'n' WHERE id = 2;
SELECT is(file.asked(), 'new 1, new 2', 'changes');
SELECT automation.drop_rule('new');
UPDATE file.job SET status = 'm' WHERE id = 3;
SELECT is(file.asked(), 'nothing', 'and goes');
INSERT INTO file.job SELECT 1000 + i, 'asks ' || i, 'cross', 'L', 10, '-', 1 FROM generate_series(1, 1100) AS i;
UPDATE file.job SET status = 'a' WHERE id IN (1, 1001);
SELECT is(file.asked(), 'one 1, one 1001', 'to ask for much is to read the rest');
DELETE FROM file.job WHERE id > 1000;
SELECT file.check('which changes nothing');

-- Where a hash function is gone nothing would lead to the rules that compare by it.
CREATE FUNCTION file.hash(money) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
CREATE OPERATOR CLASS file.by_money DEFAULT FOR TYPE money USING hash AS OPERATOR 1 =, FUNCTION 1 file.hash(money);
CREATE TABLE file.sale (id integer PRIMARY KEY, price money);
SELECT automation.attach('file.sale');
SELECT automation.create_rule('sold', 'file.sale', 'created', condition => $$new.price = '5'::money$$, steps => ARRAY[automation.notify('log', 'x')], activate => true);
INSERT INTO automation.rule_index (rule_id, version, relation, at_commit, is_timed, watched, columns, functions, collations, hashes)
SELECT 2000000 + i, 1, x.relation, false, false, '{}', x.columns, x.functions, x.collations, ARRAY[-i]
FROM generate_series(1, 1000) AS i, automation.rule_index AS x WHERE x.relation = 'file.sale'::regclass;
DROP OPERATOR CLASS file.by_money USING hash;
DROP FUNCTION file.hash;
SELECT file.asked();
INSERT INTO file.sale VALUES (1, '5'), (2, '6');
SELECT is(file.asked(), 'sold 1', 'all of a long list is read when a hash function is gone');
DELETE FROM automation.rule_index AS i WHERE i.rule_id > 1000000;

-- What ends a wait is known likewise

SELECT automation.create_rule('waits', 'file.job', 'updated', activate => true, steps => ARRAY[
	automation.after('1 day', automation.notify('log', 'late'), cancel_if_changed => '{code}')]);
SELECT automation.drop_rule(name) FROM automation.rules WHERE name <> 'waits';
UPDATE file.job SET amount = 20 WHERE id IN (1, 2, 3);
UPDATE file.job SET code = 'y' WHERE id = 1;
DELETE FROM automation.rule_index;
UPDATE file.job SET code = 'y' WHERE id = 2;
SELECT automation.advance('0');
SELECT set_eq($$SELECT l.key, s.status FROM automation.step_log AS s JOIN automation.execution_log AS l ON l.id = s.run_id WHERE l.rule = 'waits' AND s.status = 'cancelled'$$,
	$$VALUES ('1', 'cancelled'), ('2', 'cancelled')$$, 'a change ends what waits for it, stored or not');

SELECT * FROM finish();
ROLLBACK;
