-- Guards: what they refuse and how, who may override them, and what becomes of a write that cannot be judged.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
SET search_path = crm, public;
SET LOCAL timezone = 'UTC';
CREATE ROLE tap_author;
CREATE ROLE tap_writer;
CREATE ROLE tap_supervisor;
CREATE ROLE tap_boss IN ROLE tap_supervisor;
CREATE TABLE job (id integer PRIMARY KEY, kind text DEFAULT 'Electrical', status text DEFAULT 'New', amount integer DEFAULT 0);
CREATE TABLE photo (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES job);
SELECT automation.attach('job', 'job', '{"status": "status", "type": "kind"}'), automation.attach('photo', 'photo');
GRANT USAGE ON SCHEMA crm TO PUBLIC;
GRANT SELECT, TRIGGER ON job, photo TO tap_author;
GRANT SELECT, INSERT, UPDATE, DELETE ON job TO tap_writer, tap_supervisor;
SELECT automation.grant_access('tap_author', 'author');
INSERT INTO job (id) VALUES (1), (2);

-- All that an error tells.
CREATE FUNCTION crm.outcome(command text, what text DEFAULT 'message') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer jsonb;
	state text; message text; detail text; hint text; guard text; relation text; schema text;
BEGIN
	EXECUTE command;
	RETURN 'done';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		guard = CONSTRAINT_NAME, relation = TABLE_NAME, schema = SCHEMA_NAME;
	answer := jsonb_build_object('state', state, 'message', message, 'detail', detail, 'hint', hint, 'guard', guard, 'table', schema || '.' || relation);
	RETURN answer ->> what;
END
$$;
CREATE VIEW crm.closing AS SELECT $$UPDATE crm.job SET status = 'Closed' WHERE id = 1$$ AS command;
GRANT SELECT ON crm.closing TO PUBLIC;

SET LOCAL ROLE tap_author;
SELECT automation.create_guard('photo first', 'job', '{"none": [{"exists": "photo"}]}', 'Job {{ id }}: add a photo of the panel before it is {{ status }}',
	trigger => 'status_entered', params => '{"to": "Closed"}', override => 'tap_supervisor');
RESET ROLE;
SELECT is(crm.outcome(command), 'done', 'a draft refuses nothing') FROM crm.closing;
UPDATE job SET status = 'New';
SELECT automation.activate_rule('photo first');

SELECT is(crm.outcome(command), 'Job 1: add a photo of the panel before it is Closed', 'a change is refused with the message') FROM crm.closing;
SELECT is(crm.outcome(command, 'state'), '23514', 'as a violated CHECK would be') FROM crm.closing;
SELECT is(crm.outcome(command, 'detail'), 'Guard "photo first" refuses the change.', 'which guard it was') FROM crm.closing;
SELECT is(crm.outcome(command, 'hint'), $$A member of role "tap_supervisor" can override it: SET pg_automation.override = 'reason'.$$, 'what can be done') FROM crm.closing;
SELECT is(crm.outcome(command, 'guard'), 'photo first', 'for programs, too') FROM crm.closing;
SELECT is(crm.outcome(command, 'table'), 'crm.job', 'and the table') FROM crm.closing;
SELECT is((SELECT status FROM job WHERE id = 1), 'New', 'nothing has changed');
SELECT is_empty('SELECT * FROM automation.run', 'nothing is in the log');
SELECT is(crm.outcome($$INSERT INTO crm.job VALUES (3, 'Electrical', 'Closed')$$), 'Job 3: add a photo of the panel before it is Closed', 'an insertion, too');
SELECT is(crm.outcome($$UPDATE crm.job SET status = 'Open' WHERE id = 1$$), 'done', 'another change passes');
INSERT INTO photo (job_id) VALUES (1);
SELECT is(crm.outcome(command), 'done', 'and this one, with a photo') FROM crm.closing;
SELECT is_empty('SELECT * FROM automation.run', 'who lets something pass leaves nothing behind');
DELETE FROM photo;
SELECT is(crm.outcome($$UPDATE crm.job SET amount = 1 WHERE id = 1$$), 'done', 'it is the change that is judged, not the row');
UPDATE job SET status = 'New';
CREATE FUNCTION crm.close_kept() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE crm.job SET amount = 5 WHERE id = 1;
	BEGIN
		UPDATE crm.job SET status = 'Closed' WHERE id = 1;
	EXCEPTION WHEN check_violation THEN
		RETURN 'kept ' || (SELECT amount FROM crm.job WHERE id = 1);
	END;
	RETURN 'closed';
END
$$;
SELECT is(crm.close_kept(), 'kept 5', 'a savepoint keeps what was before');

-- In whose name

SET LOCAL ROLE tap_writer;
SELECT is(crm.outcome(command), 'Job 1: add a photo of the panel before it is Closed', 'a writer needs no right to what the guard reads') FROM crm.closing;
SET LOCAL pg_automation.override = 'a writer''s whim';
SELECT is(crm.outcome(command), 'Job 1: add a photo of the panel before it is Closed', 'and cannot override it') FROM crm.closing;
RESET ROLE;
CREATE FUNCTION crm.as_superuser(command text) RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = crm AS $$ SELECT crm.outcome(command) $$;
SET LOCAL ROLE tap_writer;
SELECT is(crm.as_superuser(command), 'Job 1: add a photo of the panel before it is Closed', 'not even through a function of somebody who can') FROM crm.closing;
RESET ROLE;
SET LOCAL pg_automation.override = '';

-- Override

SAVEPOINT overriding;
SET LOCAL ROLE tap_boss;
SELECT is(crm.outcome(command), 'Job 1: add a photo of the panel before it is Closed', 'a supervisor is refused as anybody is') FROM crm.closing;
SET LOCAL pg_automation.override = 'panel is bricked in';
SELECT is(crm.outcome(command), 'done', 'unless he gives a reason') FROM crm.closing;
RESET ROLE;
SELECT results_eq($$SELECT rule, key, event, status, reason, actor FROM automation.execution_log$$,
	format($$VALUES ('photo first', '1', 'updated', 'suppressed', 'overridden: panel is bricked in', %L)$$, session_user), 'which the log tells');
ROLLBACK TO overriding;
SELECT automation.alter_rule('photo first', steps => ARRAY[automation.refuse('No', hint => 'Ask {{ kind }}')]);
SET LOCAL pg_automation.override = 'I am a superuser';
SELECT is(crm.outcome(command), 'No', 'where there is no such role nobody overrides') FROM crm.closing;
SELECT is(crm.outcome(command, 'hint'), 'Ask Electrical', 'the hint is a template, too') FROM crm.closing;
SELECT is((SELECT version FROM automation.guards), 2, 'what a guard says has versions');
SELECT automation.rollback_rule('photo first', 1);
SELECT is((SELECT override FROM automation.guards), 'tap_supervisor', 'it says again what it said');
ROLLBACK TO overriding;

-- Lifecycle, as with any rule

SELECT results_eq($$SELECT name, folder, relation::text, trigger, message, override, state, valid, owner::text FROM automation.guards$$,
	$$VALUES ('photo first', 'Guards', 'job', 'status_entered', 'Job {{ id }}: add a photo of the panel before it is {{ status }}', 'tap_supervisor', 'active', true, 'tap_author')$$, 'guards are listed');
SELECT automation.pause_rule('photo first');
SELECT is(crm.outcome(command), 'done', 'paused it lets everything pass') FROM crm.closing;
UPDATE job SET status = 'New';
SELECT automation.resume_rule('photo first');
SELECT isnt(crm.outcome(command), 'done', 'resumed it does not') FROM crm.closing;
SELECT automation.export_rules() AS exported \gset
SELECT automation.drop_rule('photo first');
SELECT is(crm.outcome(command), 'done', 'dropped it is gone') FROM crm.closing;
UPDATE job SET status = 'New';
SELECT automation.apply_rules(:'exported');
SELECT isnt(crm.outcome(command), 'done', 'applied as code it is back') FROM crm.closing;
SELECT is(automation.export_rules(), :'exported'::jsonb, 'and says the same');
SELECT throws_ok($$SELECT automation.activate_rule('photo first', apply_to => 'all')$$, '0A000', 'rule "photo first" is a guard', 'rows that are there cannot be refused');
ROLLBACK TO overriding;

-- A guard and other rules

SELECT automation.create_rule('close', 'job', 'field_changed', '{"field": "amount"}', steps => ARRAY[automation.update_field('status', 'Closed')], activate => true);
SELECT automation.create_rule('tell', 'job', 'field_changed', '{"field": "amount"}', steps => ARRAY[automation.notify('log', 'x')], activate => true);
SELECT is(crm.outcome('UPDATE crm.job SET amount = 9 WHERE id = 1'), 'done', 'what a rule writes is refused to the rule, not to the writer');
SELECT results_eq('SELECT rule, status, reason FROM automation.execution_log ORDER BY id',
	$$VALUES ('close', 'failed', 'step 1: guard "photo first" refuses: Job 1: add a photo of the panel before it is Closed'), ('tell', 'succeeded', NULL)$$, 'it fails, and says so; the others go on');
SELECT is((SELECT position FROM automation.rules WHERE name = 'photo first'), 0, 'guards come first');
ROLLBACK TO overriding;
SET LOCAL pg_automation.max_events_per_transaction = 1;
INSERT INTO job SELECT g FROM generate_series(10, 12) AS g;
SELECT matches(crm.outcome($$UPDATE crm.job SET status = 'Closed'$$), 'add a photo of the panel before it is Closed', 'a bulk is refused as well');
ROLLBACK TO overriding;
SELECT is((SELECT string_agg(tree, E'\n') FROM automation.whatif($$UPDATE crm.job SET status = 'Open'$$)) ~ 'UPDATE 2', true, 'whatif() shows what passes');
SELECT results_eq($$SELECT tree, part, rule, relation::text, status, reason, detail ->> 'sqlstate', detail ->> 'hint' IS NOT NULL FROM automation.whatif('UPDATE crm.job SET status = ''Closed'' WHERE id = 1')$$,
	$$VALUES ('refused', 'statement', NULL, NULL, NULL, NULL, NULL, false),
		('⚠ guard "photo first" refuses: Job 1: add a photo of the panel before it is Closed (23514)', 'guard', 'photo first', 'job', 'failed', 'Job 1: add a photo of the panel before it is Closed', '23514', true)$$, 'and which guard refuses what does not');
SELECT throws_ok($$SELECT * FROM automation.whatif('UPDATE crm.job SET id = 1')$$, '23505', NULL, 'other errors are the statement''s own');
SELECT is((SELECT jsonb_build_array(fired, status, reason, steps #- '{0,hint}', tree) FROM automation.test_rule('photo first', '{"status": "Closed"}', '1')),
	'[true, "failed", "guard \"photo first\" refuses: Job 1: add a photo of the panel before it is Closed", [{"step": 1, "action": "refuse", "status": "failed", "reason": "Job 1: add a photo of the panel before it is Closed", "sqlstate": "23514"}],
		"⚠ guard \"photo first\" refuses: Job 1: add a photo of the panel before it is Closed (23514)"]', 'test_rule() of a guard: it fires');
SELECT is((SELECT concat_ws(' ', sqlstate, fired) FROM automation.test_runs ORDER BY id DESC LIMIT 1), '23514 t', 'with the code of the error');
SELECT is((SELECT concat_ws(' ', fired, status, reason) FROM automation.test_rule('photo first', '{"status": "Open"}', '1')) ~ '^f not_run ', true, 'or lets the change pass');
SELECT automation.create_rule('close', 'job', 'field_changed', '{"field": "amount"}', steps => ARRAY[automation.set_stage('Closed')], activate => true),
	automation.create_rule('tell', 'job', 'status_entered', '{"to": "Closed"}', steps => ARRAY[automation.notify('a', 'b')], activate => true);
SELECT is((SELECT string_agg(concat_ws(' ', part, status, reason), ', ') FROM automation.whatif('UPDATE crm.job SET amount = 1 WHERE id = 1') WHERE part = 'step'),
	'step failed guard "photo first" refuses: Job 1: add a photo of the panel before it is Closed', 'what is refused to a step of a rule tells the guard, too');
SELECT is((SELECT concat_ws(' ', fired, status, reason) FROM automation.test_rule('tell', '{"status": "Closed"}', '1')),
	'f failed guard "photo first" refuses: Job 1: add a photo of the panel before it is Closed', 'and so does a test of a rule that it is in the way of');
SELECT automation.drop_rule('close'), automation.drop_rule('tell');
SELECT throws_ok(command, state, message, message) FROM (VALUES
	($$SELECT automation.create_guard('g', 'job', NULL, 'x')$$, '22004', 'guard "g" has no condition'),
	($$SELECT automation.create_guard('g', 'job', ' ', 'x')$$, '22004', 'guard "g" has no condition'),
	($$SELECT automation.create_guard('g', 'job', 'true', NULL)$$, '22023', 'action "refuse" needs the parameter "message"'),
	($$SELECT automation.create_guard('g', 'job', 'true', E' \n')$$, '22023', 'the message of guard "g" is blank')) AS v(command, state, message);
SELECT isnt_empty($$SELECT * FROM automation.explain('photo first', 'crm.job', '1')$$, 'explain() explains it');

-- Old and new, SQL, deletions

SELECT automation.create_guard('no giving back', 'job', 'new.amount < old.amount', 'Amount {{ old.amount }} must not become {{ amount }}', 'updated', activate => true);
UPDATE job SET amount = 10;
SELECT is(crm.outcome('UPDATE crm.job SET amount = 9 WHERE id = 1'), 'Amount 10 must not become 9', 'it sees the row before and after');
SELECT is(crm.outcome('UPDATE crm.job SET amount = 11 WHERE id = 1'), 'done', 'and judges by both');
SELECT automation.create_guard('kept', 'job', $$old.status = 'New'$$, 'Job {{ old.id }} is still open', 'deleted', activate => true);
SELECT is(crm.outcome('DELETE FROM crm.job WHERE id = 1'), 'Job 1 is still open', 'deletions can be refused');
SELECT automation.create_guard('positive', 'job', 'new.amount < 0', 'Negative', activate => true);
SELECT is(crm.outcome('INSERT INTO crm.job (id, amount) VALUES (4, -1)'), 'Negative', 'unless a trigger is named, insertions');
SELECT is(crm.outcome('UPDATE crm.job SET amount = -1'), 'Amount 10 must not become -1', 'and updates are judged, by the first that refuses') FROM (SELECT automation.move_rule('no giving back', before => 'positive')) AS m;
SELECT is(crm.outcome('UPDATE crm.job SET amount = amount'), 'done', 'an update that changes nothing is none');
ROLLBACK TO overriding;

-- What cannot be judged

CREATE FUNCTION crm.is_safe(integer) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT 1 / $1 > 0';
SELECT automation.approve_function('job', 'crm.is_safe(integer)');
SELECT automation.create_guard('broken', 'job', 'crm.is_safe(new.amount)', 'Unsafe', activate => true);
SELECT is(crm.outcome('UPDATE crm.job SET amount = 1 WHERE id = 1'), 'Unsafe', 'a function may judge');
SELECT is(crm.outcome($$UPDATE crm.job SET amount = 0 WHERE id = 1$$), 'guard cannot be judged: division by zero', 'where it fails nothing passes');
SELECT is(crm.outcome($$UPDATE crm.job SET amount = 0 WHERE id = 1$$, 'detail'), 'Guard "broken" lets no change pass that it cannot judge.', 'which is clear');
SELECT is(crm.outcome($$UPDATE crm.job SET amount = 0 WHERE id = 1$$, 'hint'), 'Mend it, or let changes pass with automation.pause_rule().', 'and can be mended');
ROLLBACK TO overriding;
REVOKE SELECT ON photo FROM tap_author;
SELECT is(crm.outcome(command), 'guard cannot be judged: permission denied for table photo', 'what its owner may not read any more, for one') FROM crm.closing;
SELECT is((SELECT valid FROM automation.guards), false, 'the view knows');
ROLLBACK TO overriding;

-- At the end of the transaction

SELECT automation.create_guard('at commit', 'job', 'new.amount > 5', 'Too much', 'updated', evaluate => 'commit', activate => true);
SELECT is(crm.outcome('UPDATE crm.job SET amount = 9 WHERE id = 1'), 'done', 'one that is judged at commit lets the statement pass');
ROLLBACK TO overriding;

-- Bad input

SELECT throws_ok($$SELECT automation.create_rule('x', 'job', 'written', steps => ARRAY[automation.refuse('x'), automation.notify('log', 'x')])$$,
	'22023', 'rule "x" refuses a change and does something else', 'a guard does nothing else');
SELECT throws_ok($$SELECT automation.create_rule('x', 'job', 'written', steps => ARRAY[automation.only_if('true', automation.refuse('x'))])$$,
	'22023', 'guard "x" has a condition on its step', 'its condition is the rule''s');
SELECT throws_ok($$SELECT automation.create_rule('x', 'job', 'written', steps => ARRAY[automation.after('1 h', automation.refuse('x'))])$$,
	'0A000', 'guard "x" would have to wait', 'it cannot wait');
SELECT throws_ok($$SELECT automation.create_guard('x', 'job', 'true', 'x', 'stayed_in_status', '{"status": "New", "for": "1 day"}')$$, '0A000', 'guard "x" would have to wait', 'nor for a time');
SELECT throws_ok($$SELECT automation.create_guard('x', 'job', 'true', 'x', override => 'nobody_there')$$, '42704', 'role "nobody_there" does not exist', 'the role exists');
SELECT throws_ok($$SELECT automation.create_guard('x', 'job', 'true', '{{ nothing }}')$$, '42703', NULL, 'its message is checked');
SELECT throws_ok($$SELECT automation.create_guard('x', 'job', 'new.nothing', 'x')$$, '42703', NULL, 'its condition, too');
SELECT throws_ok($$SELECT automation.create_guard('x', 'job', 'true', NULL)$$, '22023', NULL, 'it has a message');
SELECT throws_ok($$SELECT automation.create_guard('photo first', 'job', 'true', 'x')$$, '42710', NULL, 'and a name of its own');

-- Evidence

CREATE TABLE crm.visit (id integer PRIMARY KEY, status text);
CREATE TABLE crm.todo (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, visit_id integer REFERENCES crm.visit, kind text, status text, title text);
SELECT automation.attach('crm.visit', 'visit', '{"status": "status"}');
SELECT throws_ok($$SELECT automation.create_evidence_guard('crm.visit', '{Closed}')$$, '55000', 'no attached table has the object type "checklist_item"', 'no checklists');
SELECT automation.attach('crm.todo', 'checklist_item', '{"kind": "kind", "status": "status", "title": "title"}');
SELECT throws_ok($$SELECT automation.create_evidence_guard('crm.visit', '{}')$$, '22023', 'a guard of evidence needs stages, and statuses of items that are done', 'no stages');
SELECT automation.create_rule('asks', 'crm.visit', 'status_entered', '{"to": "Open"}', steps => ARRAY[automation.require_evidence('photo', 2), automation.require_evidence('reading')], activate => true);
SELECT automation.create_evidence_guard('crm.visit', '{Completed,Closed}', 'photo', activate => true);
SELECT is((SELECT concat_ws(' | ', name, trigger, params, state) FROM automation.guards WHERE relation = 'crm.visit'::regclass),
	'Evidence for visit Completed, Closed (photo) | status_entered | {"to": ["Completed", "Closed"]} | active', 'a guard of evidence is a guard like others');
INSERT INTO crm.visit VALUES (71, 'Open'), (72, 'Other');
SELECT throws_ok($$UPDATE crm.visit SET status = 'Completed' WHERE id = 71$$, '23514', 'visit 71 cannot be "Completed": evidence is missing: photo', 'what was asked for and is missing refuses the end');
SELECT lives_ok($$UPDATE crm.visit SET status = 'On Hold' WHERE id = 71$$, 'and nothing else');
SELECT lives_ok($$UPDATE crm.visit SET status = 'Closed' WHERE id = 72$$, 'where none was asked for none is missing');
UPDATE crm.todo SET status = 'Done' WHERE id = (SELECT min(id) FROM crm.todo WHERE kind = 'photo');
SELECT throws_ok($$UPDATE crm.visit SET status = 'Closed' WHERE id = 71$$, '23514', 'visit 71 cannot be "Closed": evidence is missing: photo', 'half of it is not all');
UPDATE crm.todo SET status = 'Done' WHERE kind = 'photo';
SELECT lives_ok($$UPDATE crm.visit SET status = 'Closed' WHERE id = 71$$, 'all of it is enough, and another kind does not matter');
UPDATE crm.visit SET status = 'On Hold';
SELECT automation.create_evidence_guard('crm.visit', '{Closed}', name => 'all', message => '{{ id }} lacks something', activate => true);
SELECT throws_ok($$UPDATE crm.visit SET status = 'Closed' WHERE id = 71$$, '23514', '71 lacks something', 'unless every kind does');

SELECT * FROM finish();
ROLLBACK;
