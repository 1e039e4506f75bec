-- What becomes of rules that match: their order, loops, failures, and which of these reach the writer.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;
CREATE FUNCTION tap.logged() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.run RETURNING *)
	SELECT coalesce(string_agg(concat_ws(' ', (SELECT name FROM automation.rule AS r WHERE r.id = rule_id), key, status, sqlstate, reason), E'\n' ORDER BY id), 'nothing')
	FROM gone
$$;
CREATE FUNCTION tap.rule(name text, relation regclass, trigger text, params jsonb, VARIADIC steps automation.step[]) RETURNS void LANGUAGE sql AS $$
	SELECT automation.create_rule(name, relation, trigger, params, steps => steps, activate => true)
$$;

CREATE TABLE job (id integer PRIMARY KEY, status text, priority integer DEFAULT 1, note text, next_id integer);
SELECT automation.attach('job', columns => '{"status": "status"}');

-- Order

SELECT tap.rule(name, 'job', 'created', '{}', automation.notify('log', name)) FROM unnest('{c,a,b}'::text[]) AS name;
INSERT INTO job VALUES (1, 'New');
SELECT is(tap.logged(), E'c 1 succeeded\na 1 succeeded\nb 1 succeeded', 'all rules on one trigger fire, in listed order');
SELECT automation.move_rule('b', before => 'c');
INSERT INTO job VALUES (2, 'New');
SELECT is(tap.logged(), E'b 2 succeeded\nc 2 succeeded\na 2 succeeded', 'which can be changed');
SELECT is((SELECT string_agg(body, '' ORDER BY id) FROM automation.notification), 'cabbca', 'so do their steps');
SELECT automation.pause_rule('c'), automation.disable_rule('a');
INSERT INTO job VALUES (3, 'New');
SELECT is(tap.logged(), 'b 3 succeeded', 'paused and disabled rules do not run');
SELECT automation.resume_rule('c'), automation.enable_rule('a');
INSERT INTO job VALUES (4, 'New'), (5, 'New');
SELECT is(tap.logged(), E'b 4 succeeded\nc 4 succeeded\na 4 succeeded\nb 5 succeeded\nc 5 succeeded\na 5 succeeded', 'row by row');
SELECT automation.drop_rule(name) FROM unnest('{a,b,c}'::text[]) AS name;
INSERT INTO job VALUES (6, 'New');
SELECT is(tap.logged(), 'nothing', 'a dropped rule is gone');

-- Loops

SELECT tap.rule('to B', 'job', 'status_changed', '{"to": "A"}', automation.update_field('status', 'B'));
SELECT tap.rule('to A', 'job', 'status_changed', '{"to": "B"}', automation.update_field('status', 'A'));
UPDATE job SET status = 'A' WHERE id = 1;
SELECT is(tap.logged(), format(E'to B 1 succeeded\nto A 1 succeeded\nto B 1 suppressed loop: #%1$s > #%2$s > #%1$s',
		(SELECT id FROM automation.rule WHERE name = 'to B'), (SELECT id FROM automation.rule WHERE name = 'to A')),
	'a rule fires once for a row and an event; the log names the chain');
SELECT is((SELECT status FROM job WHERE id = 1), 'A', 'what came before the cut is done');
UPDATE job SET status = 'B' WHERE id = 1;
SELECT matches(tap.logged(), E'^to A 1 succeeded\nto B 1 succeeded\nto A 1 suppressed', 'the next event starts anew');
SELECT automation.drop_rule('to A'), automation.drop_rule('to B');

SELECT tap.rule('self', 'job', 'updated', '{}', automation.update_field('priority', expression => 'new.priority + 1'));
UPDATE job SET note = 'x' WHERE id <= 2;
SELECT is(tap.logged(), format(E'self 1 succeeded\nself 1 suppressed loop: #%1$s > #%1$s\nself 2 succeeded\nself 2 suppressed loop: #%1$s > #%1$s',
	(SELECT id FROM automation.rule WHERE name = 'self')), 'a rule that sets itself off');
SELECT results_eq('SELECT priority FROM job WHERE id <= 2', 'VALUES (2), (2)', 'runs once for each row');
SELECT tap.rule('same', 'job', 'field_changed', '{"field": "note"}', automation.update_field('note', '{{ note }}'));
UPDATE job SET note = 'y' WHERE id = 1;
SELECT is(tap.logged() ~ 'same 1 suppressed', false, 'an update that changes nothing sets nothing off');
SELECT automation.drop_rule('self'), automation.drop_rule('same');

-- A chain over as many rows.
INSERT INTO job (id, status, next_id) SELECT i, 'New', i + 1 FROM generate_series(101, 120) AS i;
CREATE FUNCTION tap.pass_on(event jsonb) RETURNS void LANGUAGE sql AS $$
	UPDATE tap.job SET status = 'Passed' WHERE id = (event -> 'new' ->> 'next_id')::integer
$$;
SELECT tap.rule('chain', 'job', 'status_entered', '{"to": "Passed"}', automation.call_function('tap.pass_on'));
UPDATE job SET status = 'Passed' WHERE id = 101;
SELECT is((SELECT count(*) FROM job WHERE status = 'Passed'), 9::bigint, 'a chain ends at pg_automation.max_depth');
SELECT is((SELECT string_agg(format('%s %s %s', key, depth, status), ', ' ORDER BY id DESC) FROM automation.run WHERE depth > 6),
	'109 8 suppressed, 108 7 succeeded', 'where the log has a row') ;
SELECT matches(reason, '^loop: deeper than pg_automation.max_depth: (#\d+ > ){8}#\d+$', 'that says why') FROM automation.run WHERE status = 'suppressed';
SELECT is((SELECT count(*) FROM automation.run AS r JOIN automation.run AS c ON c.id = r.cause AND c.depth = r.depth - 1), 8::bigint, 'and each run names its cause');
SET LOCAL pg_automation.max_depth = 2;
UPDATE job SET status = 'New';
SELECT tap.logged();
UPDATE job SET status = 'Passed' WHERE id = 101;
SELECT is((SELECT count(*) FROM job WHERE status = 'Passed'), 3::bigint, 'which can be set');
RESET pg_automation.max_depth;
SELECT automation.drop_rule('chain');
UPDATE job SET status = 'New';
SELECT tap.logged();

-- Failures

CREATE TABLE side (id integer PRIMARY KEY, what text NOT NULL);
CREATE FUNCTION tap.fail(event jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO tap.side VALUES (99, 'left behind?');
	RAISE 'no luck' USING ERRCODE = 'P0042', DETAIL = 'The detail.';
END
$$;
SELECT tap.rule('fails', 'job', 'status_entered', '{"to": "Fail"}',
	automation.create_record('tap.side', '{"id": "{{ id }}", "what": "before"}'),
	automation.call_function('tap.fail'),
	automation.create_record('tap.side', '{"id": "{{ id }}", "what": "again"}'),
	automation.after_previous(automation.notify('log', 'after a failure')),
	automation.notify('log', 'independent'));
SELECT tap.rule('next', 'job', 'status_entered', '{"to": "Fail"}', automation.notify('log', 'next'));
DELETE FROM automation.notification;
UPDATE job SET status = 'Fail' WHERE id = 1;
SELECT is((SELECT status FROM job WHERE id = 1), 'Fail', 'a failing step does not stop the write');
SELECT results_eq('SELECT * FROM side', $$VALUES (1, 'before')$$, 'what it did itself is undone, and nothing else');
SELECT is((SELECT string_agg(body, ', ' ORDER BY id) FROM automation.notification), 'independent, next', 'independent steps and the next rule run');
SELECT is(steps #- '{0,result}', '[
	{"step": 1, "action": "create_record", "status": "succeeded"},
	{"step": 2, "action": "call_function", "status": "failed", "reason": "no luck", "sqlstate": "P0042"},
	{"step": 3, "action": "create_record", "status": "failed", "sqlstate": "23505", "reason": "duplicate key value violates unique constraint \"side_pkey\""},
	{"step": 4, "action": "notify", "status": "not_run", "reason": "the step before it failed"},
	{"step": 5, "action": "notify", "status": "succeeded"}]'::jsonb, 'the log tells each step''s fate') FROM automation.run WHERE steps @> '[{"step": 5}]';
SELECT is(tap.logged(), E'fails 1 failed P0042 step 2: no luck\nnext 1 succeeded', 'and the run''s');

-- In a condition: a division, in rows of one statement.
SELECT automation.create_rule('divides', 'job', 'status_entered', '{"to": "Divide"}', condition => '10 / new.priority > 1',
	steps => ARRAY[automation.notify('log', 'divided')], activate => true);
SELECT tap.rule('next too', 'job', 'status_entered', '{"to": "Divide"}', automation.notify('log', 'next'));
UPDATE job SET priority = id - 2 WHERE id < 5;
UPDATE job SET status = 'Divide' WHERE id < 5;
SELECT is(tap.logged(), E'next too 1 succeeded\ndivides 2 failed 22012 condition: division by zero\nnext too 2 succeeded\n'
	'divides 3 succeeded\nnext too 3 succeeded\ndivides 4 succeeded\nnext too 4 succeeded', 'a condition that fails is logged, and stops nothing');
SELECT automation.create_rule('step divides', 'job', 'status_entered', '{"to": "Step"}',
	steps => ARRAY[automation.only_if('10 / new.priority > 1', automation.notify('log', 'x')), automation.notify('log', 'y')], activate => true);
UPDATE job SET status = 'Step' WHERE id = 2;
SELECT is(tap.logged(), 'step divides 2 failed 22012 step 1: division by zero', 'in the condition of a step too');

-- on_error => 'fail'
SELECT automation.alter_rule('divides', on_error => 'fail'), automation.alter_rule('fails', on_error => 'fail');
SELECT throws_ok($$UPDATE job SET status = 'Divide' WHERE id = 2$$, '22012', 'division by zero', 'a rule may be told to abort the write');
SELECT throws_ok($$UPDATE job SET status = 'Fail' WHERE id = 2$$, 'P0042', 'no luck', 'by a step too');
SELECT is(tap.logged(), 'nothing', 'then there is no run');
SELECT is((SELECT status FROM job WHERE id = 2), 'Step', 'nor a write');
UPDATE job SET status = 'Divide' WHERE id = 5;
SELECT is(tap.logged(), E'divides 5 succeeded\nnext too 5 succeeded', 'and others are not affected');
SELECT automation.drop_rule(name) FROM unnest('{fails,next,divides,next too,step divides}'::text[]) AS name;

-- A failure inside what a step sets off stays there.
SELECT tap.rule('outer', 'job', 'status_entered', '{"to": "Outer"}', automation.update_field('priority', '7'), automation.notify('log', 'outer'));
SELECT tap.rule('inner', 'job', 'field_changed', '{"field": "priority"}', automation.call_function('tap.fail'));
UPDATE job SET status = 'Outer' WHERE id = 1;
SELECT is(tap.logged(), E'outer 1 succeeded\ninner 1 failed P0042 step 1: no luck', 'a rule set off by another fails alone');
SELECT is((SELECT priority FROM job WHERE id = 1), 7, 'what set it off is done');
SELECT automation.alter_rule('inner', on_error => 'fail');
UPDATE job SET status = 'Outer' WHERE id = 2;
SELECT is(tap.logged(), 'outer 2 failed P0042 step 1: no luck', 'unless it is told to abort what fired it: that step');
SELECT results_eq('SELECT status, priority FROM job WHERE id = 2', $$VALUES ('Outer', 0)$$, 'but not the person''s write');

-- A rule that can no longer find its row's key: its owner lost a privilege.
CREATE ROLE run_author;
GRANT USAGE ON SCHEMA tap, automation TO run_author;
CREATE TABLE place (id integer PRIMARY KEY, code text UNIQUE);
CREATE TABLE visit (id integer PRIMARY KEY, place_code text REFERENCES place (code));
SELECT automation.attach('place'), automation.attach('visit');
GRANT SELECT, TRIGGER ON place, visit TO run_author;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA automation TO run_author;
SET LOCAL ROLE run_author;
SELECT automation.create_rule('visited', 'place', 'child_added', '{"child": "tap.visit"}', steps => ARRAY[automation.notify('log', 'visit')], activate => true);
RESET ROLE;
INSERT INTO place VALUES (1, 'x');
INSERT INTO visit VALUES (1, 'x');
SELECT is(tap.logged(), 'visited 1 succeeded', 'a child row is about its parent');
REVOKE SELECT ON place FROM run_author;
SELECT lives_ok($$INSERT INTO visit VALUES (2, 'x')$$, 'a revoked privilege does not stop the write');
SELECT is(tap.logged(), 'visited  failed 42501 key: permission denied for table place', 'but is logged');

-- What a step leaves for the COMMIT is the business of whoever has the writer's rights.
CREATE ROLE run_writer;
CREATE TABLE part (id integer PRIMARY KEY, place_id integer REFERENCES place DEFERRABLE INITIALLY DEFERRED);
GRANT USAGE ON SCHEMA tap TO run_writer;
GRANT INSERT ON place TO run_writer;
GRANT SELECT ON place TO run_author;
GRANT SELECT, INSERT ON part TO run_author;
SET LOCAL ROLE run_author;
SELECT automation.create_rule('parts', 'place', 'created', steps => ARRAY[automation.create_record('tap.part', '{"id": "{{ id }}", "place_id": "{{ id }}"}')], activate => true);
SET LOCAL SESSION AUTHORIZATION run_writer;
INSERT INTO tap.place VALUES (2, 'y');
RESET SESSION AUTHORIZATION;
SELECT is(tap.logged(), 'parts 2 failed 42501 step 1: cannot fire deferred trigger within security-restricted operation',
	'a deferred constraint is refused to a rule of somebody else''s');
GRANT run_writer TO run_author;
SET LOCAL SESSION AUTHORIZATION run_writer;
INSERT INTO tap.place VALUES (3, 'z');
RESET SESSION AUTHORIZATION;
SELECT is(tap.logged(), 'parts 3 succeeded', 'and granted to one whose owner is a member of the writer''s role');
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
SELECT automation.drop_rule('parts');

-- PostgreSQL judges a deferred constraint at the end of the transaction: an error is the writer's there, and late for the log.
SELECT automation.create_rule('orphans', 'place', 'created', steps => ARRAY[automation.create_record('tap.part', '{"id": "{{ id }}", "place_id": "77"}')], activate => true);
INSERT INTO place VALUES (4, 'p4');
SELECT is(tap.logged(), 'orphans 4 succeeded', 'the step has done what it can');
SELECT throws_ok('SET CONSTRAINTS ALL IMMEDIATE', '23503', 'insert or update on table "part" violates foreign key constraint "part_place_id_fkey"', 'until the constraint is checked');
DELETE FROM part;
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
ALTER TABLE part ALTER CONSTRAINT part_place_id_fkey NOT DEFERRABLE;
INSERT INTO place VALUES (5, 'p5');
SELECT is(tap.logged(), 'orphans 5 failed 23503 step 1: insert or update on table "part" violates foreign key constraint "part_place_id_fkey"',
	'one that is not deferred fails the step and not the write');
SELECT automation.drop_rule('orphans');

-- Functions are replaced under a rule that a session has used.
CREATE FUNCTION tap.verdict(text) RETURNS boolean STABLE LANGUAGE sql AS $$ SELECT true $$;
SELECT automation.approve_function('job', 'tap.verdict(text)');
SELECT automation.create_rule('verdict', 'job', 'created', condition => 'tap.verdict(new.status)', steps => ARRAY[automation.notify('log', 'x')], activate => true);
INSERT INTO job (id) VALUES (201);
CREATE OR REPLACE FUNCTION tap.verdict(text) RETURNS boolean STABLE LANGUAGE plpgsql AS $$ BEGIN RETURN false; END $$;
INSERT INTO job (id) VALUES (202);
CREATE OR REPLACE FUNCTION tap.verdict(text) RETURNS boolean STABLE LANGUAGE sql AS $$ SELECT true $$;
INSERT INTO job (id) VALUES (203);
SELECT is(tap.logged(), E'verdict 201 succeeded\nverdict 203 succeeded', 'a function that is replaced, in another language too, is called as it is');
DROP FUNCTION tap.verdict(text) CASCADE;
INSERT INTO job (id) VALUES (204);
SELECT is(tap.logged(), 'verdict 204 failed 42883 the rule cannot run: a compiled function of the rule does not exist',
	'a rule whose function is dropped does not run, and says so');
SELECT matches((SELECT problem FROM automation.rules WHERE name = 'verdict'), 'compiled function .* does not exist', 'wherever one looks');
SELECT automation.drop_rule('verdict');

-- Channels are dropped and made again under a rule that a session has used.
CREATE SERVER run_hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hook.example');
SELECT tap.rule('tell', 'job', 'created', '{}', automation.send_webhook('run_hook'), automation.notify('log', 'told'));
INSERT INTO job (id) VALUES (211);
DROP SERVER run_hook;
INSERT INTO job (id) VALUES (212);
CREATE SERVER run_hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hook.example');
INSERT INTO job (id) VALUES (213);
SELECT is(tap.logged(), E'tell 211 delivering\ntell 212 failed 42704 step 1: server "run_hook" does not exist\ntell 213 delivering',
	'a step whose channel is dropped fails');
SELECT is((SELECT server FROM automation.delivery ORDER BY id DESC LIMIT 1), (SELECT oid FROM pg_foreign_server WHERE srvname = 'run_hook'),
	'one that is made again is used');

SELECT * FROM finish();
ROLLBACK;
