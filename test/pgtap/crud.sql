-- The table of objects and verbs, cell by cell: what may be created, read, updated and deleted, and what may not,
-- by whoever has all that grant_access() gives.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
CREATE ROLE tap_admin;
GRANT USAGE ON SCHEMA crm TO tap_admin;
GRANT ALL ON crm.job TO tap_admin;
SELECT automation.grant_access('tap_admin', 'admin');

-- What users have no other way to than by tables, they have not.
CREATE FUNCTION crm.denied(object text, tables text[]) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	name text;
	verb text;
BEGIN
	FOREACH name IN ARRAY tables LOOP
		FOREACH verb IN ARRAY ARRAY[format('INSERT INTO automation.%I DEFAULT VALUES', name),
			format('UPDATE automation.%I SET %I = NULL', name, (SELECT attname FROM pg_attribute WHERE attrelid = format('automation.%I', name)::regclass AND attnum = 2)),
			format('DELETE FROM automation.%I', name), format('TRUNCATE automation.%I', name)]
		LOOP
			RETURN NEXT throws_ok(verb, '42501', NULL, format('%s: %s is denied', object, verb));
		END LOOP;
	END LOOP;
END
$$;
GRANT USAGE ON SCHEMA crm TO PUBLIC;
SET LOCAL ROLE tap_admin;

-- Automation rule: create, read, update, delete

SELECT isnt(automation.create_rule('r', 'crm.job', 'created', steps => ARRAY[automation.notify('a', 'b')], activate => true), NULL, 'rule: create');
SELECT is((SELECT trigger FROM automation.rules WHERE name = 'r'), 'created', 'rule: read');
SELECT is(automation.alter_rule('r', trigger => 'updated'), 2, 'rule: update');
SELECT is(automation.alter_rule('r', trigger => 'created'), 3, 'rule: update again');
SELECT crm.denied('rule', '{rule,rule_version}');

-- Trigger definition: read

SELECT isnt_empty($$SELECT FROM automation.triggers WHERE name = 'job.created'$$, 'trigger definition: read');
SELECT crm.denied('trigger definition', '{trigger_definition}');
SELECT is_empty($$SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'automation'::regnamespace AND p.proname ~ '^(create|alter|drop)_trigger'$$, 'trigger definition: there is no verb to create, update or delete one');

-- Action template: create, read, update, delete

SELECT is(automation.create_action_template('t', automation.notify('a', 'b')), 1, 'action template: create');
SELECT is((SELECT action FROM automation.action_templates WHERE name = 't'), 'notify', 'action template: read');
SELECT is(automation.alter_action_template('t', automation.notify('a', 'c')), 2, 'action template: update');
SELECT lives_ok($$SELECT automation.drop_action_template('t')$$, 'action template: delete');
SELECT is_empty($$SELECT FROM automation.action_templates$$, 'action template: is deleted');
SELECT crm.denied('action template', '{component,component_version}');

-- Rule execution log: read, delete (purge)

INSERT INTO crm.job VALUES (1, 'New');
SELECT is((SELECT status FROM automation.execution_log WHERE rule = 'r'), 'succeeded', 'execution log: read');
SELECT crm.denied('execution log', '{run,step_run}');
SELECT throws_ok($$INSERT INTO automation.execution_log (rule) VALUES ('r')$$, NULL, NULL, 'execution log: the view takes no create');
SELECT throws_ok($$UPDATE automation.execution_log SET status = 'failed'$$, NULL, NULL, 'execution log: nor update');
SELECT throws_ok($$DELETE FROM automation.execution_log$$, NULL, NULL, 'execution log: nor delete');
SELECT lives_ok($$SELECT automation.purge_log('1 day')$$, 'execution log: delete is a purge');
SELECT is((SELECT count(*) FROM automation.execution_log), 1::bigint, 'execution log: that leaves what is younger');

-- Rule test run: create, read

SELECT lives_ok($$SELECT * FROM automation.test_rule('r', '1')$$, 'test run: create');
SELECT is((SELECT count(*) FROM automation.test_runs), 1::bigint, 'test run: read');
SELECT crm.denied('test run', '{test_run}');
SELECT is_empty($$SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'automation'::regnamespace AND p.proname ~ '^(alter|drop|delete|purge)_test'$$, 'test run: there is no verb to update or delete one');

-- Rule: delete, of which the log and the history remain

SELECT lives_ok($$SELECT automation.drop_rule('r')$$, 'rule: delete');
SELECT is_empty($$SELECT FROM automation.rules$$, 'rule: is deleted');
SELECT is((SELECT count(*) FROM automation.rule_history WHERE rule = 'r'), 3::bigint, 'rule: its versions remain');
SELECT is((SELECT rule FROM automation.execution_log), 'r', 'rule: its runs remain');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
