-- Whatever names a writer has put in his path, the engine's own SQL finds PostgreSQL's: he has a
-- copy of every operator, and of every function that may be called by an ordinary value.
\set QUIET on
SET client_min_messages = warning;

CREATE ROLE path_boss;
CREATE ROLE path_writer;
CREATE SCHEMA yard AUTHORIZATION path_boss;
CREATE SCHEMA trap AUTHORIZATION path_writer;
GRANT USAGE ON SCHEMA yard TO path_writer;
GRANT USAGE ON SCHEMA trap TO PUBLIC;
SELECT automation.grant_access('path_boss', 'admin');

SET ROLE path_writer;
CREATE TABLE trap.seen (what text, who name);
GRANT INSERT ON trap.seen TO PUBLIC;
CREATE FUNCTION trap.record(what text) RETURNS void LANGUAGE sql
BEGIN ATOMIC INSERT INTO trap.seen VALUES (what, current_user); END;
DO $$
DECLARE
	o record;
	most CONSTANT text := 'AS $body$ BEGIN PERFORM trap.record(%L); RETURN NULL; END $body$';
BEGIN
	FOR o IN
	SELECT p.proname, pg_get_function_identity_arguments(p.oid) AS arguments, format_type(p.prorettype, NULL) AS result
	FROM pg_proc AS p
	WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f' AND NOT p.proretset AND p.provariadic = 0
		AND NOT EXISTS (SELECT FROM unnest(p.prorettype || p.proargtypes::oid[]) AS a (type)
			JOIN pg_type AS t ON t.oid = a.type WHERE t.typtype = 'p')
	LOOP
	BEGIN
		EXECUTE format('CREATE FUNCTION trap.%I(%s) RETURNS %s LANGUAGE plpgsql ' || most, o.proname, o.arguments, o.result, o.proname);
	EXCEPTION WHEN OTHERS THEN
		RAISE NOTICE '%: %', o.proname, SQLERRM;
	END;
	END LOOP;
	FOR o IN
	SELECT p.oprname, p.oid, nullif(p.oprleft, 0)::regtype AS "left", p.oprright::regtype AS "right", format_type(p.oprresult, NULL) AS result
	FROM pg_operator AS p
	WHERE p.oprnamespace = 'pg_catalog'::regnamespace AND p.oprcode <> 0
		AND NOT EXISTS (SELECT FROM pg_type AS t WHERE t.oid IN (p.oprleft, p.oprright, p.oprresult) AND t.typtype = 'p')
	LOOP
	BEGIN
		EXECUTE format('CREATE FUNCTION trap.operator_%s(%s) RETURNS %s LANGUAGE plpgsql ' || most,
			o.oid, concat_ws(', ', o."left", o."right"), o.result, 'operator ' || o.oprname);
		EXECUTE format('CREATE OPERATOR trap.%s (%s RIGHTARG = %s, FUNCTION = trap.operator_%s)',
			o.oprname, 'LEFTARG = ' || o."left" || ',', o."right", o.oid);
	EXCEPTION WHEN OTHERS THEN
		RAISE NOTICE '%: %', o.oprname, SQLERRM;
	END;
	END LOOP;
END
$$;
RESET ROLE;

SET ROLE path_boss;
CREATE TABLE yard.client (id integer PRIMARY KEY, tier text);
CREATE TABLE yard.job (id integer PRIMARY KEY, status text, amount numeric, visit timestamptz, client_id integer REFERENCES yard.client);
CREATE TABLE yard.plain (id integer PRIMARY KEY);
CREATE TABLE yard.pair (a integer, b text, x integer, PRIMARY KEY (a, b));
INSERT INTO yard.client VALUES (1, 'gold');
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON yard.job, yard.plain, yard.pair TO path_writer;
SELECT automation.attach('yard.job', columns => '{"status": "status"}'), automation.attach('yard.plain'), automation.attach('yard.pair'), automation.attach('yard.client');
CREATE TABLE yard.limits (most integer);
INSERT INTO yard.limits VALUES (100);
CREATE FUNCTION yard.low(text) RETURNS text IMMUTABLE LANGUAGE sql RETURN lower($1);
CREATE FUNCTION yard.norm(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS 'BEGIN RETURN low(lower($1)); END';
CREATE FUNCTION yard.most() RETURNS integer STABLE LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT most FROM limits); END';
SELECT automation.approve_function('yard.plain', 'yard.norm(text)'), automation.approve_function('yard.plain', 'yard.most()');
SET search_path = yard;
SELECT automation.create_rule('functions', 'plain', 'created', condition => 'yard.norm(''GO'') = ''go'' AND new.id < yard.most()',
	steps => ARRAY[automation.notify('log', 'within')], activate => true);
RESET search_path;
RESET ROLE;
SELECT automation.create_channel('path_hook', 'webhook', '{"base_url": "https://hook.example"}');
SELECT automation.pause_channel('path_hook');
GRANT USAGE ON FOREIGN SERVER path_hook TO path_boss;

-- A session in which nothing has been prepared yet.
\connect -
SET client_min_messages = warning;
SET search_path = trap, pg_catalog;
SET ROLE path_writer;
INSERT INTO yard.plain VALUES (1);
UPDATE yard.plain SET id = DEFAULT WHERE id OPERATOR(pg_catalog.=) 2;
RESET ROLE;
RESET search_path;
SELECT no_plan();
SELECT cmp_ok((SELECT count(*) FROM pg_operator WHERE oprnamespace = 'trap'::regnamespace), '>', 600::bigint, 'the trap has PostgreSQL''s operators');
SELECT cmp_ok((SELECT count(*) FROM pg_proc WHERE pronamespace = 'trap'::regnamespace), '>', 2000::bigint, 'and its functions');
SELECT results_eq('SELECT * FROM trap.seen', 'SELECT ''''::text, ''''::name WHERE false', 'a writer''s names are not looked up, be it in functions that rules call');
SELECT results_eq('SELECT body FROM automation.notification', $$VALUES ('within')$$, 'which find what their owner means');
CREATE TEMPORARY TABLE limits AS SELECT 0 AS most;
SELECT results_eq($$SELECT conjunct, holds FROM automation.explain('functions', 'yard.plain', '1') WHERE part = 'condition'$$,
	$$VALUES ('(yard.norm(''GO''::text) = ''go''::text)', true), ('(new.id < yard.most())', true)$$, 'as they do when they are explained');
DROP TABLE limits;
SELECT automation.drop_rule('functions');
DELETE FROM automation.notification;

SET ROLE path_boss;
SELECT automation.create_rule('all kinds', 'yard.job', 'updated', condition => 'new.status <> old.status AND client.tier = ''gold''', steps => ARRAY[
	automation.update_field('amount', expression => 'coalesce(new.amount, 0) + 1'),
	automation.notify('log', 'job {{ id }} {{ client.tier | upcase }}'),
	automation.send_webhook('path_hook', '/x', '{"status": "{{ status }}"}'),
	automation.create_record('yard.pair', '{"a": "{{ id }}", "b": "{{ status }}"}'),
	automation.only_if('new.amount > 0', automation.notify('log', 'amount')),
	automation.after('1 hour', automation.notify('log', 'later'), cancel_if_changed => '{status}')], activate => true);
SELECT automation.create_rule('second', 'yard.pair', 'created', steps => ARRAY[automation.notify('log', '{{ b }}')], activate => true);
SELECT automation.alter_rule('second', description => 'two');
RESET ROLE;
SET ROLE path_writer;
SET search_path = trap, pg_catalog;
INSERT INTO yard.job VALUES (1, 'New', 1, NULL, 1);
UPDATE yard.job SET status = 'Done';
UPDATE yard.job SET status = 'Open';
DELETE FROM yard.job;
INSERT INTO yard.job VALUES (2, 'New', 1, NULL, 1);
UPDATE yard.job SET status = 'Done';
TRUNCATE yard.plain;
RESET search_path;
RESET ROLE;
SELECT results_eq('SELECT DISTINCT what, who FROM trap.seen', 'SELECT ''''::text, ''''::name WHERE false', 'nor where a rule does all that rules can do');
SELECT results_eq('SELECT rule, status, count(*)::integer FROM automation.execution_log GROUP BY 1, 2 ORDER BY 1, 2',
	$$VALUES ('all kinds', 'waiting', 3), ('functions', 'succeeded', 1), ('second', 'succeeded', 3)$$, 'which have run');
SELECT results_eq('SELECT body, count(*)::integer FROM automation.notification GROUP BY 1 ORDER BY 1',
	$$VALUES ('Done', 2), ('Open', 1), ('amount', 3), ('job 1 GOLD', 2), ('job 2 GOLD', 1)$$, 'as they should');
SELECT is(rolsuper, false, 'a writer stays what he is') FROM pg_roles WHERE rolname = 'path_writer';

-- What operators and the clock do
SET search_path = trap, pg_catalog;
SELECT automation.tick();
SELECT automation.advance('2 hours');
SELECT automation.fire('second', 'yard.pair', '{"a": 2, "b": "Done"}');
SELECT count(*) FROM automation.explain('all kinds', 'yard.job', '2');
SELECT count(*) FROM automation.item_status('yard.job', '2');
SELECT automation.stop_item('yard.job', '2');
SELECT count(*) FROM automation.execution_log;
SELECT count(*) FROM automation.deliveries;
SELECT count(*) FROM automation.rules;
SELECT count(*) FROM automation.check();
SELECT automation.drop_rule('second');
SELECT automation.purge_log('1 day');
RESET search_path;
SELECT results_eq('SELECT DISTINCT what, who FROM trap.seen', 'SELECT ''''::text, ''''::name WHERE false', 'nor by what operators call');

SELECT automation.drop_rule('all kinds');
SELECT * FROM finish();
