-- Nobody gets rights that are not his by way of a rule: one test for each attempt. In transactions of
-- their own, since some attempts wait for COMMIT.
\set QUIET on
SET client_min_messages = warning;
SELECT no_plan();

CREATE ROLE thief_boss;
CREATE ROLE thief_author;
CREATE ROLE thief_writer;
CREATE SCHEMA shop AUTHORIZATION thief_boss;
CREATE SCHEMA attack AUTHORIZATION thief_author;
GRANT USAGE ON SCHEMA shop TO thief_author, thief_writer;
GRANT USAGE ON SCHEMA attack TO PUBLIC;
SELECT automation.grant_access('thief_boss', 'admin'), automation.grant_access('thief_author', 'author');

-- The boss owns tables, the author may make rules on one of them and read part of it.
SET ROLE thief_boss;
CREATE TABLE shop.client (id integer PRIMARY KEY, phone text, pin text);
CREATE TABLE shop.job (id integer PRIMARY KEY, status text, amount numeric, secret text, client_id integer REFERENCES shop.client);
CREATE TABLE shop.other (id integer PRIMARY KEY, status text);
INSERT INTO shop.client VALUES (1, '+12025550100', '1234');
SELECT automation.attach('shop.job', columns => '{"status": "status"}'), automation.attach('shop.other'), automation.attach('shop.client');
CREATE FUNCTION shop.secretly(jsonb) RETURNS void LANGUAGE sql AS '';
REVOKE ALL ON FUNCTION shop.secretly FROM PUBLIC;
GRANT TRIGGER, SELECT (id, status, amount, client_id), UPDATE (amount) ON shop.job TO thief_author;
GRANT SELECT (id, phone) ON shop.client TO thief_author;
GRANT SELECT ON shop.other TO thief_author;
GRANT SELECT, INSERT, UPDATE, DELETE ON shop.job TO thief_writer;

-- Whoever runs the spy is recorded, and robbed of his rights if he has any.
SET ROLE thief_author;
CREATE TABLE attack.seen (place text, who name);
GRANT INSERT ON attack.seen TO PUBLIC;
CREATE FUNCTION attack.spy(place text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO attack.seen VALUES (place, current_user);
	BEGIN
		ALTER ROLE thief_author SUPERUSER;
	EXCEPTION WHEN OTHERS THEN
		NULL;
	END;
	RETURN true;
END
$$;
CREATE FUNCTION attack.trojan(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN attack.spy('function ' || $1); END $$;
CREATE FUNCTION attack.is(text, text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN attack.spy('operator'); END $$;
CREATE OPERATOR attack.= (LEFTARG = text, RIGHTARG = text, FUNCTION = attack.is);
CREATE FUNCTION attack.lower(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM attack.spy('lower'); RETURN $1; END $$;
CREATE DOMAIN attack.word AS text CHECK (attack.trojan('domain ' || VALUE));
CREATE TYPE attack.pair AS (word attack.word);
CREATE DOMAIN attack.number AS integer CHECK (attack.trojan('range'));
CREATE TYPE attack.span AS RANGE (subtype = attack.number);
CREATE TYPE attack.box AS (content text);
CREATE FUNCTION attack.to_boolean(attack.box) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN attack.spy('cast'); END $$;
CREATE CAST (attack.box AS boolean) WITH FUNCTION attack.to_boolean(attack.box) AS IMPLICIT;
RESET ROLE;

-- What the spies have seen: the author himself is no prey.
CREATE FUNCTION attack.loot() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	SELECT coalesce(string_agg(DISTINCT format('%s as %s', place, who), ', ') FILTER (WHERE who <> 'thief_author'), 'nothing')
		|| (SELECT CASE WHEN rolsuper THEN ', and is a superuser' ELSE '' END FROM pg_roles WHERE rolname = 'thief_author')
	INTO found FROM attack.seen;
	DELETE FROM attack.seen;
	ALTER ROLE thief_author NOSUPERUSER;
	RETURN found;
END
$$;
CREATE FUNCTION attack.as(role name, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE command INTO answer;
	SET LOCAL ROLE NONE;
	RETURN coalesce(answer, 'done');
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
-- Makes and activates the author's rule "r", and has a superuser and a writer fire it.
CREATE FUNCTION attack.rule(condition text, step automation.step, path text DEFAULT 'public') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE thief_author;
	PERFORM set_config('search_path', path, true);
	PERFORM automation.create_rule('r', 'shop.job', 'created', condition => condition, steps => ARRAY[step], activate => true);
	SET LOCAL search_path = public;
	SET LOCAL ROLE NONE;
	RETURN 'made';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END
$$;
CREATE SEQUENCE attack.number_of_job;
CREATE FUNCTION attack.write() RETURNS void LANGUAGE sql AS $$
	INSERT INTO shop.job (id, status, client_id) VALUES (nextval('attack.number_of_job'), 'New', 1)
$$;

-- While a rule is made: what the author writes is read by nobody with more rights than his.

CREATE TEMPORARY TABLE attempt (what text, condition text, answer text);
INSERT INTO attempt VALUES
	('a function that is not approved', $$attack.trojan(new.status)$$, '42501'),
	('an operator that is not approved', $$new.status OPERATOR(attack.=) 'x'$$, '42501'),
	('a cast that is not approved', $$(ROW('x')::attack.box)::boolean$$, '42501'),
	('a domain''s CHECK', $$new.status::attack.word IS NOT NULL$$, '0A000'),
	('a literal of a composite type', $$'(x)'::attack.pair IS NOT NULL$$, '0A000'),
	('a literal of an array of those', $$'{"(x)"}'::attack.pair[] IS NOT NULL$$, '0A000'),
	('a literal of an array of a domain', $$'{"x"}'::attack.word[] IS NOT NULL$$, '0A000'),
	('a literal of a range', $$'[1,5)'::attack.span IS NOT NULL$$, '0A000'),
	('a row that becomes a composite', $$(ROW(new.status)::attack.pair) IS NOT NULL$$, '0A000'),
	('a text that becomes a composite', $$(new.status::attack.pair) IS NOT NULL$$, NULL),
	('a function of that type', $$attack.trojan((ROW('x')::attack.pair).word)$$, '0A000'),
	('a sub-query', $$EXISTS (SELECT FROM shop.client WHERE attack.spy('sub-query'))$$, '0A000'),
	('an injection', $$true) OR attack.spy('injection') OR (true$$, '42601'),
	('another', $$true; SELECT attack.spy('injection')$$, '42601'),
	('a comment', $$true -- $$, NULL),
	('a name that is quoted', $$new."status) OR (attack.spy('name')" = 'x'$$, '42703'),
	('a link', $$client["phone' || attack.spy('link') || '"] = 'x'$$, NULL),
	('a tree', $${"field": "status) OR attack.spy('tree') OR (true", "operator": "=", "value": "x"}$$, '42703'),
	('a tree''s value', $${"field": "status", "operator": "=", "value": "x') OR attack.spy('tree') OR ('"}$$, 'made'),
	('a tree''s table', $${"exists": "shop.client AS c, attack.spy('tree') AS s"}$$, NULL);
-- "answer: loot" of making such a rule, firing, explaining and dropping it.
CREATE FUNCTION attack.attempt(condition text, step automation.step, path text DEFAULT 'public') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text := attack.rule(condition, step, path);
BEGIN
	IF answer = 'made' THEN
		PERFORM attack.write();
		PERFORM automation.explain('r', 'shop.job', currval('attack.number_of_job')::text);
		PERFORM automation.fire('r', 'shop.job', currval('attack.number_of_job')::text);
		PERFORM automation.drop_rule('r');
	END IF;
	RETURN answer || ': ' || attack.loot();
END
$$;
SELECT matches(attack.attempt(condition, automation.notify('log', 'x')), format('^%s: nothing$', coalesce(answer, '\w+')), 'condition: ' || what)
FROM attempt;
SELECT matches(attack.attempt(NULL, automation.only_if(condition, automation.notify('log', 'x'))), format('^%s: nothing$', coalesce(answer, '\w+')), 'condition of a step: ' || what)
FROM attempt;
SELECT matches(attack.attempt(NULL, automation.update_field('amount', expression => format(E'CASE WHEN %s\n THEN 1 END', condition))), ': nothing$', 'expression of update_field: ' || what)
FROM attempt WHERE condition NOT LIKE '{%';

-- With what the author calls =, lower and boolean first in his path.
SELECT is(attack.attempt($$new.status = 'New' AND lower(new.status) = 'new'$$, automation.notify('log', '{{ status | downcase }}'), 'attack, pg_catalog'), 'made: nothing',
	'condition: operators and functions of the author''s path');
SELECT is(attack.attempt('{"all": [{"field": "status", "operator": "=", "value": "New"}, {"field": "status", "operator": "beginsWith", "value": "N"}]}',
	automation.update_field('amount', '5'), 'attack, pg_catalog'), 'made: nothing', 'tree: operators and functions of the author''s path');
SELECT is((SELECT max(amount) FROM shop.job), 5::numeric, 'PostgreSQL''s own are meant');

-- Templates
SELECT is(attack.attempt(NULL, automation.notify(t.body, t.body)), t.answer || ': nothing', 'template: ' || t.body)
FROM (VALUES ('{{ secret }}', '42501'), ('{{ new.secret }}', '42501'), ('{{ client.pin }}', '42501'), ('{{ client.phone }}', 'made'),
	('{{ status | default: "'' || attack.spy(''t'') || ''" }}', 'made'), ('''|| attack.spy(''t'') ||''', 'made'),
	('{{ status["x) || attack.spy() || ("] }}', '42703'), ('{% if secret == "x" %}x{% endif %}', '42501'),
	('{{ status | replace: "N", "'') || attack.spy(''t'') || (''" }}', 'made'),
	('{{ id }} %s %I %L %1$s', 'made'), ('{{ ctid }}', '42703'), ('{{ new.tableoid }}', '42703')) AS t(body, answer);

-- Privileges of the author
SELECT is(attack.attempt(condition, automation.notify('log', 'x')), '42501: nothing', 'column without SELECT: ' || condition)
FROM (VALUES ($$new.secret = 'x'$$), ($$(new).secret IS NULL$$), ($$new IS NULL$$), ($$client.pin = '1234'$$),
	('{"field": "secret", "operator": "=", "value": "x"}'), ('{"field": "client.pin", "operator": "=", "value": "x"}')) AS t(condition);
SELECT is(attack.as('thief_author', command), '42501', command) FROM (VALUES
	($$SELECT automation.create_rule('x', 'shop.job', 'field_changed', '{"field": "secret"}', steps => ARRAY[automation.notify('log', 'x')])$$),
	($$SELECT automation.create_rule('x', 'shop.job', 'created', steps => ARRAY[automation.update_field('status', 'x')])$$),
	($$SELECT automation.create_rule('x', 'shop.job', 'created', steps => ARRAY[automation.create_record('shop.other', '{"id": 1}')])$$),
	($$SELECT automation.create_rule('x', 'shop.job', 'created', steps => ARRAY[automation.call_function('shop.secretly')])$$),
	($$SELECT automation.create_rule('x', 'shop.other', 'created', steps => ARRAY[automation.notify('log', 'x')])$$),
	($$SELECT automation.attach('shop.job')$$),
	($$SELECT automation.approve_function('shop.job', 'attack.trojan(text)')$$),
	($$SELECT automation.grant_access('thief_author', 'admin')$$),
	($$SELECT automation._create_rule('postgres', 'x', 'shop.job', 'created', '{}', NULL, NULL, 'x', NULL, true, 'log', NULL, 'row', NULL)$$),
	($$SELECT automation._ask('postgres', 'SELECT to_jsonb(attack.spy(''ask''))', '{}')$$),
	($$SELECT automation._compile('x', 'text', 'SELECT 1')$$),
	($$SELECT automation._fire_rule(1, '{}')$$),
	($$INSERT INTO automation.delivery (at, txid, rule_owner, server, channel, kind, message) VALUES (now(), pg_current_xact_id(), 10, 1, 'x', 'sms', '{}')$$),
	($$INSERT INTO automation.run (rule_id, version, entity_id, key, event, status, actor) VALUES (1, 1, 1, '1', 'created', 'succeeded', 'x')$$),
	($$INSERT INTO automation.rule_version SELECT * FROM automation.rule_version$$),
	($$UPDATE automation.rule SET owner = 'postgres'$$),
	($$DELETE FROM automation.attempt$$),
	($$INSERT INTO automation.approved_function VALUES ('shop.job', 'attack.trojan(text)', 'thief_boss')$$),
	($$SELECT recipient FROM automation.delivery$$),
	($$CREATE TABLE automation.x ()$$),
	($$CREATE FUNCTION automation_compiled.rule_1_1_when() RETURNS boolean LANGUAGE sql RETURN attack.spy('compiled')$$),
	($$CREATE TRIGGER x AFTER INSERT ON attack.seen FOR EACH ROW EXECUTE FUNCTION automation._capture('1')$$)) AS t(command);
SELECT is(attack.loot(), 'nothing', 'nothing of these has run');

-- Another's rule
SELECT automation.create_rule('theirs', 'shop.job', 'manual', steps => ARRAY[automation.update_field('secret', 'x')], activate => true);
SELECT is(attack.as('thief_author', format(command, 'theirs')), '42501', command) FROM (VALUES
	($$SELECT automation.alter_rule(%L, condition => 'true')$$), ($$SELECT automation.drop_rule(%L)$$), ($$SELECT automation.pause_rule(%L)$$),
	($$SELECT automation.move_rule(%1$L, before => %1$L)$$), ($$SELECT automation.rollback_rule(%L, 1)$$), ($$SELECT automation.fire(%L, 'shop.job', '1')$$),
	($$SELECT automation.create_rule('x', 'shop.job', 'created', steps => ARRAY[automation.start_rule(%L)])$$),
	($$SELECT automation.create_rule('x', 'shop.job', 'created', steps => ARRAY[automation.stop_rule(%L)])$$),
	($$SELECT automation.copy_rule(%L, 'mine')$$)) AS t(command);
SELECT automation.drop_rule('theirs');

-- Through a function of another's
SET ROLE thief_author;
CREATE FUNCTION attack.make() RETURNS integer SECURITY DEFINER LANGUAGE sql AS $$
	SELECT automation.create_rule('wrapped', 'shop.job', 'created', steps => ARRAY[automation.update_field('amount', '1')])
$$;
RESET ROLE;
SELECT attack.make();
SELECT is(owner, 'thief_author'::regrole, 'whoever calls it, a rule made by a SECURITY DEFINER function belongs to the function''s owner') FROM automation.rules WHERE name = 'wrapped';
SELECT automation.drop_rule('wrapped');
SET ROLE thief_boss;
CREATE FUNCTION shop.make(condition text) RETURNS integer SECURITY DEFINER LANGUAGE sql AS $$
	SELECT automation.create_rule('wrapped', 'shop.job', 'created', condition => condition, steps => ARRAY[automation.update_field('amount', '1')])
$$;
RESET ROLE;
SELECT is(attack.as('thief_author', $$SELECT shop.make('attack.trojan(new.status)')$$), '42501', 'such a function lends its rights to no function that is not approved');
SELECT attack.as('thief_author', $$SELECT shop.make('''(x)''::attack.pair IS NOT NULL')$$);
SELECT attack.write();
SELECT is(attack.loot(), 'nothing', 'nor to a type');
SELECT automation.drop_rule(name) FROM automation.rules WHERE name = 'wrapped';

-- While a rule runs: as its owner, whoever writes.

SET ROLE thief_boss;
SELECT automation.approve_function('shop.job', 'attack.trojan(text)');
RESET ROLE;
SELECT attack.rule('attack.trojan(new.status)', automation.notify('log', 'x'));
SELECT attack.write();
SELECT results_eq('SELECT DISTINCT place, who FROM attack.seen', $$VALUES ('function New', 'thief_author'::name)$$, 'an approved function runs as the rule''s owner');
SELECT is(attack.loot(), 'nothing', 'and robs nobody');
SELECT isnt_empty($$SELECT * FROM automation.explain('r', 'shop.job', currval('attack.number_of_job')::text)$$);
SELECT is(attack.loot(), 'nothing', 'explain() too runs it as that');
SELECT automation.fire('r', 'shop.job', currval('attack.number_of_job')::text);
SELECT is(attack.loot(), 'nothing', 'and fire()');
SELECT automation.drop_rule('r');

-- What a function may do to the session that it runs in. Tried in a condition, and as a step.
CREATE TEMPORARY TABLE mischief (what text, command text, harm text);
INSERT INTO mischief VALUES
	('sets the path', $$SELECT set_config('search_path', 'attack', false)$$, $$SELECT current_setting('search_path') ~ 'attack'$$),
	('sets another setting', $$SELECT set_config('statement_timeout', '77s', false)$$, $$SELECT current_setting('statement_timeout') = '77s'$$),
	('becomes somebody else', $$SET ROLE postgres$$, $$SELECT current_user <> 'postgres'$$),
	('resets its role', $$RESET ROLE$$, 'SELECT false'),
	('takes over the session', $$SET SESSION AUTHORIZATION postgres$$, 'SELECT false'),
	('leaves a temporary table', $$CREATE TEMPORARY TABLE job (id integer)$$, $$SELECT to_regclass('pg_temp.job') IS NOT NULL$$),
	('leaves a temporary view', $$CREATE TEMPORARY VIEW client AS SELECT attack.spy('view')$$, $$SELECT to_regclass('pg_temp.client') IS NOT NULL$$),
	('leaves a cursor for the commit', $$DECLARE later CURSOR WITH HOLD FOR SELECT attack.spy('cursor')$$, $$SELECT EXISTS (SELECT FROM pg_cursors WHERE name = 'later')$$),
	('leaves a prepared statement', $$PREPARE later AS SELECT attack.spy('prepared')$$, $$SELECT EXISTS (SELECT FROM pg_prepared_statements WHERE name = 'later')$$),
	('leaves a deferred trigger', $$INSERT INTO attack.deferred VALUES (1)$$, 'SELECT false');
GRANT SELECT ON mischief TO thief_author;
SET ROLE thief_author;
CREATE TABLE attack.deferred (id integer);
CREATE FUNCTION attack.later() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM attack.spy(TG_TABLE_NAME || ' ' || TG_NAME); RETURN NEW; END $$;
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON attack.deferred DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attack.later();
CREATE TABLE attack.todo (command text);
CREATE FUNCTION attack.misbehave() RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM attack.spy('mischief');
	EXECUTE (SELECT command FROM attack.todo);
	PERFORM attack.spy('mischief done');
	RETURN true;
EXCEPTION WHEN OTHERS THEN
	RETURN true;
END
$$;
CREATE OR REPLACE FUNCTION attack.trojan(text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN attack.misbehave(); END $$;
CREATE FUNCTION attack.act(event jsonb) RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM attack.misbehave(); END $$;
RESET ROLE;
CREATE FUNCTION attack.harm(question text) RETURNS boolean LANGUAGE plpgsql AS $$ DECLARE answer boolean; BEGIN EXECUTE question INTO answer; RETURN answer; END $$;

CREATE FUNCTION attack.tidy() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	DROP TABLE IF EXISTS pg_temp.job;
	DROP VIEW IF EXISTS pg_temp.client;
	DEALLOCATE ALL;
	RESET search_path;
	RESET statement_timeout;
END
$$;

-- One transaction for each of these commands: the write, its COMMIT, then a look at the harm.
CREATE FUNCTION attack.commands(place text) RETURNS TABLE (a text, b text, c text, d text, e text, f text) LANGUAGE sql AS $$
	SELECT format('UPDATE attack.todo SET command = %L', command), 'SELECT attack.write()',
		format('SELECT is(attack.harm(%L), false, %L)', harm, place || ' ' || what),
		'SELECT CASE WHEN EXISTS (SELECT FROM pg_prepared_statements WHERE name = ''later'') THEN attack.harm(''EXECUTE later'') END',
		'SELECT is(attack.loot(), ''nothing'', ''... and robs nobody'')', 'SELECT attack.tidy()'
	FROM mischief
$$;
INSERT INTO attack.todo VALUES ('');
SELECT attack.rule('attack.trojan(new.status)', automation.notify('log', 'x'));
SELECT * FROM attack.commands('a function in a condition') \gexec
SELECT automation.drop_rule('r');
GRANT SELECT ON shop.job TO thief_author; -- the function is handed the whole row
SELECT attack.rule(NULL, automation.call_function('attack.act'));
SELECT * FROM attack.commands('a function that is a step') \gexec
SELECT automation.drop_rule('r');
REVOKE SELECT ON shop.job FROM thief_author;
GRANT SELECT (id, status, amount, client_id) ON shop.job TO thief_author;

-- Tables of the author's, with code of his wherever a table can have some.
SET ROLE thief_author;
CREATE TABLE attack.trap (
	id integer DEFAULT CASE WHEN attack.spy('default') THEN 1 END,
	pair attack.pair,
	word attack.word,
	checked text CHECK (attack.spy('check ' || checked)));
CREATE INDEX ON attack.trap ((attack.lower(checked)));
CREATE TRIGGER now BEFORE INSERT ON attack.trap FOR EACH ROW EXECUTE FUNCTION attack.later();
CREATE CONSTRAINT TRIGGER deferred AFTER INSERT ON attack.trap DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attack.later();
CREATE RULE also AS ON INSERT TO attack.trap DO ALSO SELECT attack.spy('rewrite rule');
CREATE VIEW attack.window AS SELECT checked FROM attack.trap WHERE attack.spy('view');
CREATE TRIGGER instead INSTEAD OF INSERT ON attack.window FOR EACH ROW EXECUTE FUNCTION attack.later();
CREATE TABLE attack.guarded (id integer);
ALTER TABLE attack.guarded ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY spying ON attack.guarded USING (attack.spy('policy')) WITH CHECK (attack.spy('policy check'));
RESET ROLE;
UPDATE attack.todo SET command = '';
SELECT format($$SELECT attack.rule(NULL, automation.create_record(%L, %L))$$, relation, fields), 'SELECT attack.write()',
	format('SELECT is(attack.loot(), ''nothing'', %L)', 'a record of ' || relation || ' ' || fields), $$SELECT automation.drop_rule(name) FROM automation.rules WHERE name = 'r'$$
FROM (VALUES ('attack.trap', '{"checked": "{{ status }}"}'), ('attack.trap', '{"checked": "x", "word": "y"}'), ('attack.trap', '{"checked": "{{ status }}", "pair": "(x)"}'),
	('attack.window', '{"checked": "x"}'), ('attack.guarded', '{"id": 1}')) AS t(relation, fields) \gexec
SELECT is((SELECT count(*) FROM attack.trap), 0::bigint, 'a deferred trigger refuses the record');
SET ROLE thief_author;
DROP TRIGGER deferred ON attack.trap;
RESET ROLE;
SELECT attack.attempt(NULL, automation.create_record('attack.trap', '{"checked": "{{ status }}", "word": "y", "pair": "(x)"}'));
SELECT cmp_ok((SELECT count(*) FROM attack.trap), '>', 0::bigint, 'without one it is made');
SELECT is(attack.loot(), 'nothing', 'in its author''s name');

-- A function is handed whole rows.
SET ROLE thief_author;
CREATE TABLE attack.peeked (secret text);
CREATE FUNCTION attack.peek(event jsonb) RETURNS void LANGUAGE sql AS $$ INSERT INTO attack.peeked SELECT event -> 'new' ->> 'secret' $$;
RESET ROLE;
SELECT attack.rule(NULL, automation.call_function('attack.peek'));
INSERT INTO shop.job VALUES (1000, 'New', 1, 'a secret', 1);
SELECT is_empty('SELECT * FROM attack.peeked', 'a function is not handed columns that the owner of the rule may not read');
SET ROLE thief_boss;
GRANT SELECT ON shop.job TO thief_author;
RESET ROLE;
SELECT automation.drop_rule(name) FROM automation.rules WHERE name = 'r';
SELECT attack.rule(NULL, automation.call_function('attack.peek'));
UPDATE shop.job SET id = 999 WHERE id = 1000;
INSERT INTO shop.job VALUES (1000, 'New', 1, 'told', 1);
SELECT results_eq('SELECT secret FROM attack.peeked', $$VALUES ('told')$$, 'but those that he may');
SET ROLE thief_boss;
REVOKE SELECT ON shop.job FROM thief_author;
GRANT SELECT (id, status, amount, client_id) ON shop.job TO thief_author;
RESET ROLE;
SELECT automation.drop_rule('r');

-- Things that a writer puts in the way: temporary objects, and a path of his.
SET ROLE thief_boss;
CREATE TABLE shop.limits (most numeric);
INSERT INTO shop.limits VALUES (100);
CREATE FUNCTION shop.within_limits(amount numeric) RETURNS boolean STABLE LANGUAGE plpgsql AS $$
BEGIN
	RETURN abs(amount) <= (SELECT most FROM limits);
END
$$;
SELECT automation.approve_function('shop.job', 'shop.within_limits(numeric)');
SET search_path = shop;
SELECT automation.create_rule('limits', 'job', 'created', condition => 'shop.within_limits(new.amount) AND upper(new.status) = ''NEW''',
	steps => ARRAY[automation.notify('log', 'within {{ status | upcase }} {{ client.phone }}'), automation.update_field('secret', 'kept')], activate => true);
RESET search_path;
RESET ROLE;
CREATE SCHEMA evil AUTHORIZATION thief_writer;
DELETE FROM automation.notification;
SET ROLE thief_writer;
CREATE TEMPORARY TABLE limits AS SELECT 1000000 AS most;
CREATE TEMPORARY TABLE client (id integer, phone text);
CREATE TEMPORARY TABLE job (id integer, status text, secret text);
CREATE FUNCTION evil.abs(numeric) RETURNS numeric LANGUAGE plpgsql AS $$ BEGIN PERFORM attack.spy('abs'); RETURN 0; END $$;
CREATE FUNCTION evil.upper(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM attack.spy('upper'); RETURN $1; END $$;
CREATE FUNCTION evil.less(numeric, numeric) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM attack.spy('less'); RETURN true; END $$;
CREATE OPERATOR evil.<= (LEFTARG = numeric, RIGHTARG = numeric, FUNCTION = evil.less);
CREATE TABLE evil.limits AS SELECT 1000000 AS most;
SET search_path = pg_temp, evil, pg_catalog;
INSERT INTO shop.job (id, status, amount, client_id) VALUES (1001, 'New', 50, 1), (1002, 'New', 500, 1);
RESET search_path;
RESET ROLE;
SELECT is(attack.loot(), 'nothing', 'what a writer puts in the path of a rule is not called');
SELECT results_eq('SELECT body FROM automation.notification', $$VALUES ('within NEW +12025550100')$$, 'nor read');
SELECT results_eq('SELECT secret FROM shop.job WHERE id > 1000 ORDER BY id', $$VALUES ('kept'), (NULL)$$, 'nor written');
DROP TABLE pg_temp.limits, pg_temp.client, pg_temp.job;
SELECT automation.drop_rule('limits');

-- A column that its owner filled with code.
SET ROLE thief_author;
CREATE TABLE attack.job (id integer PRIMARY KEY, word attack.word, pair attack.pair, status text);
INSERT INTO attack.job VALUES (1, 'x', ROW('y'), 'New');
RESET ROLE;
SELECT automation.grant_access('thief_author', 'admin');
SET ROLE thief_author;
SELECT automation.attach('attack.job');
SELECT automation.create_rule('own', 'attack.job', 'created', steps => ARRAY[automation.notify('log', '{{ word }}'), automation.update_field('pair', '(z)'), automation.update_field('word', 'w')], activate => true);
SELECT automation.fire('own', 'attack.job', '1');
RESET ROLE;
SELECT is(attack.loot(), 'nothing', 'fire() reads no row of a table with more rights than its owner''s');
SELECT * FROM automation.explain('own', 'attack.job', '1');
SELECT * FROM automation.item_status('attack.job', '1');
SELECT attack.as('thief_author', $$INSERT INTO attack.job VALUES (2, 'x', ROW('y'), 'New')$$);
SELECT is(attack.loot(), 'nothing', 'nor does anything else');

-- What an operator has deferred himself
SELECT automation.grant_access('thief_author', 'operator');
SET ROLE thief_author;
CREATE TABLE attack.late (id integer);
CREATE FUNCTION attack.lately() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM attack.spy('tick'); RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON attack.late DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION attack.lately();
BEGIN;
INSERT INTO attack.late VALUES (1);
SELECT automation.tick();
COMMIT;
RESET ROLE;
SELECT is(attack.loot(), 'nothing', 'tick() runs no trigger with its own rights');

-- A privilege that is taken back
SELECT attack.rule('new.status = ''New''', automation.notify('log', '{{ status }} {{ client.phone }}'));
DELETE FROM automation.notification;
SELECT attack.write();
SELECT results_eq('SELECT body FROM automation.notification', $$VALUES ('New +12025550100')$$, 'a rule reads what its owner may');
SET ROLE thief_boss;
REVOKE SELECT ON shop.client FROM thief_author;
REVOKE SELECT (id, phone) ON shop.client FROM thief_author;
RESET ROLE;
DELETE FROM automation.notification;
SELECT attack.write();
SELECT is_empty('SELECT body FROM automation.notification WHERE body ~ ''0100''', 'no more of a linked row once it is revoked');
SET ROLE thief_boss;
GRANT SELECT (id, phone) ON shop.client TO thief_author;
REVOKE SELECT (status) ON shop.job FROM thief_author;
RESET ROLE;
DELETE FROM automation.notification;
SELECT attack.write();
SELECT is_empty('SELECT body FROM automation.notification', 'nor of the row');

SELECT automation.drop_rule(name) FROM automation.rules WHERE owner = 'thief_author'::regrole;
SELECT * FROM finish();
DROP SCHEMA shop, attack, evil CASCADE;
DROP OWNED BY thief_boss, thief_author, thief_writer CASCADE;
DROP ROLE thief_boss, thief_author, thief_writer;
