-- The life of a rule: making, changing, copying, ordering, stopping and dropping it, and who may.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.app_user (id integer PRIMARY KEY, name text);
CREATE TABLE crm.job (
	id integer PRIMARY KEY,
	status text,
	title text,
	owner_id integer REFERENCES crm.app_user,
	amount numeric(12, 2)
);
CREATE TABLE crm.deal (id integer PRIMARY KEY, status text, title text);
CREATE TABLE crm.note (id integer PRIMARY KEY, job_id integer REFERENCES crm.job, body text);
INSERT INTO crm.app_user VALUES (1, 'Ann');
SELECT automation.attach('crm.job', 'job', '{"status": "status", "owner": "owner_id"}');
SELECT automation.attach('crm.deal', 'deal', '{"status": "status"}');
SELECT automation.attach('crm.note', 'note');

CREATE ROLE tap_author;
CREATE ROLE tap_member IN ROLE tap_author;
CREATE ROLE tap_other;
CREATE ROLE tap_operator;
SELECT automation.grant_access(r::regrole, 'author') FROM unnest('{tap_author,tap_member,tap_other}'::text[]) AS r;
SELECT automation.grant_access('tap_operator', 'operator');
GRANT USAGE ON SCHEMA crm TO tap_author, tap_other;
GRANT SELECT, INSERT, UPDATE, TRIGGER ON ALL TABLES IN SCHEMA crm TO tap_author;
GRANT SELECT ON crm.job TO tap_other;

CREATE FUNCTION crm.as_role(role name, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE command INTO answer;
	SET LOCAL ROLE NONE;
	RETURN answer;
END
$$;
CREATE FUNCTION crm.detail_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE command;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END
$$;
CREATE FUNCTION crm.listed() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(name, ' ' ORDER BY position, id) FROM automation.rules
$$;
CREATE FUNCTION crm.state(rule text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', state, version, trigger, condition) FROM automation.rules WHERE name = rule
$$;
CREATE FUNCTION crm.compiled(rule integer) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc
	WHERE pronamespace = 'automation_compiled'::regnamespace AND proname ~ ('^rule_' || rule || '_')
$$;
CREATE TEMP TABLE made (id integer);

-- create_rule()

INSERT INTO made SELECT automation.create_rule(
	name => 'won', relation => 'crm.job', trigger => 'status_entered', params => '{"to": "Won"}',
	condition => 'new.amount > 10',
	steps => ARRAY[
		automation.update_field('title', 'Won: {{ title }}'),
		automation.only_if('new.amount > 1000', automation.notify('owner', 'A big one'))],
	description => 'Marks what was won');
SELECT is(crm.state('won'), 'draft 1 status_entered new.amount > 10', 'a rule begins as a draft');
SELECT is((SELECT concat_ws(' ', id, folder, relation, steps, position, owner, on_error, valid, description) FROM automation.rules),
	(SELECT format('%s Default crm.job 2 1 %s log t Marks what was won', id, current_user::regrole) FROM made), 'automation.rules shows all of it');
SELECT is(crm.compiled((SELECT id FROM made)),
	(SELECT format('rule_%1$s_1_if_2 rule_%1$s_1_key rule_%1$s_1_step_1 rule_%1$s_1_step_2 rule_%1$s_1_when', id) FROM made),
	'it is compiled to one function for each part');
SELECT ok(NOT has_function_privilege('public', p.oid, 'EXECUTE'), p.proname || ' is nobody''s to call')
FROM pg_proc AS p WHERE p.pronamespace = 'automation_compiled'::regnamespace;
SELECT is((SELECT array_agg(action || coalesce(' if ' || condition, '') ORDER BY step) FROM automation.rule_steps WHERE rule = 'won'),
	'{update_field,"notify if new.amount > 1000"}', 'automation.rule_steps lists the steps');
INSERT INTO crm.job VALUES (1, 'Won', 'Roof', 1, 50);
SELECT is((SELECT title FROM crm.job WHERE id = 1), 'Roof', 'a draft does nothing');

-- States

SELECT is(automation.activate_rule('won'), 'active', 'activate_rule() answers the state');
INSERT INTO crm.job VALUES (2, 'Won', 'Roof', 1, 50);
SELECT is((SELECT title FROM crm.job WHERE id = 2), 'Won: Roof', 'an active rule acts');
INSERT INTO crm.job VALUES (3, 'Won', 'Roof', 1, 5);
SELECT is((SELECT title FROM crm.job WHERE id = 3), 'Roof', 'when its condition holds');
SELECT is(automation.pause_rule('won'), 'paused', 'pause_rule()');
INSERT INTO crm.job VALUES (4, 'Won', 'Roof', 1, 50);
SELECT is((SELECT title FROM crm.job WHERE id = 4), 'Roof', 'a paused rule does nothing');
SELECT is(automation.pause_rule('won'), 'paused', 'pausing twice is no error');
SELECT throws_ok($$SELECT automation.enable_rule('won')$$, '55000', 'rule "won" is paused', 'a paused rule cannot be enabled');
SELECT is(automation.resume_rule('won'), 'active', 'resume_rule()');
SELECT is(automation.disable_rule('won'), 'disabled', 'disable_rule()');
INSERT INTO crm.job VALUES (5, 'Won', 'Roof', 1, 50);
SELECT is((SELECT title FROM crm.job WHERE id = 5), 'Roof', 'a disabled rule does nothing');
SELECT throws_ok($$SELECT automation.resume_rule('won')$$, '55000', 'rule "won" is disabled', 'a disabled rule cannot be resumed');
SELECT throws_ok($$SELECT automation.pause_rule('won')$$, '55000', 'rule "won" is disabled', 'nor paused');
SELECT is(automation.enable_rule('won'), 'active', 'enable_rule()');
INSERT INTO crm.job VALUES (6, 'Won', 'Roof', 1, 50);
SELECT is((SELECT title FROM crm.job WHERE id = 6), 'Won: Roof', 'and it acts again');
SET LOCAL session_replication_role = replica;
SELECT automation.pause_rule('won');
RESET session_replication_role;
INSERT INTO crm.job VALUES (7, 'Won', 'Roof', 1, 50);
SELECT is((SELECT title FROM crm.job WHERE id = 7), 'Roof', 'a rule that was paused in a session of replication does nothing');
DELETE FROM crm.job WHERE id = 7;
SELECT automation.resume_rule('won');
SELECT throws_ok($$SELECT automation.pause_rule('wonn')$$, '42704', 'rule "wonn" does not exist', 'there must be such a rule');

-- alter_rule() and rollback_rule()

SELECT is(automation.alter_rule('won', condition => 'new.amount > 60', reason => 'too many'), 2, 'alter_rule() answers the new version');
SELECT is(crm.state('won'), 'active 2 status_entered new.amount > 60', 'what is not given stays');
INSERT INTO crm.job VALUES (7, 'Won', 'Roof', 1, 50);
SELECT is((SELECT title FROM crm.job WHERE id = 7), 'Roof', 'the new version counts at once');
SELECT unalike(crm.compiled((SELECT id FROM made)), '%\_1\_when%', 'only the present version is compiled');
SELECT is(automation.alter_rule('won', condition => ''), 3, 'an empty condition');
SELECT is(crm.state('won'), 'active 3 status_entered', 'removes the condition');
SELECT is(automation.alter_rule('won', name => 'was won', folder => 'Sales', on_error => 'fail'), 4, 'a rule can be renamed');
SELECT is((SELECT concat_ws(' ', name, folder, on_error, description) FROM automation.rules), 'was won Sales fail Marks what was won', 'and moved to a folder');
SELECT is(automation.rollback_rule('was won', 1), 5, 'rollback_rule() makes a new version of an old one');
SELECT is(crm.state('was won'), 'active 5 status_entered new.amount > 10', 'that says what the old one said');
SELECT is((SELECT array_agg(concat_ws(' ', version, reason) ORDER BY version) FROM automation.rule_history WHERE rule = 'was won'),
	'{1,"2 too many",3,4,"5 rollback to version 1"}', 'every version stays in automation.rule_history');
SELECT throws_ok($$SELECT automation.rollback_rule('was won', 9)$$, '42704', 'rule "was won" has no version 9', 'there must be such a version');
SELECT is(automation.alter_rule('was won', trigger => 'created'), 6, 'another trigger');
SELECT is((SELECT params FROM automation.rules), '{}', 'does not keep the parameters of the one before');
SELECT throws_ok($$SELECT automation.alter_rule('was won', steps => '{}')$$, '22023', 'rule "was won" has no steps', 'steps can be replaced, not removed');
SELECT throws_ok($$SELECT automation.alter_rule('was won', on_error => 'stop')$$, '22023', 'invalid value for on_error: "stop"', 'on_error is log or fail');
SELECT throws_ok($$SELECT automation.alter_rule('was won', condition => 'new.statuz = 1')$$, '42703', NULL, 'what is wrong is refused');
SELECT is(crm.state('was won'), 'active 6 created new.amount > 10', 'and changes nothing');

-- A rename is followed, a drop is refused

ALTER TABLE crm.job RENAME title TO subject;
INSERT INTO crm.job VALUES (8, 'New', 'Roof', 1, 50);
SELECT is((SELECT subject FROM crm.job WHERE id = 8), 'Won: Roof', 'a renamed column is followed');
ALTER TABLE crm.job RENAME subject TO title;
SELECT throws_ok('ALTER TABLE crm.job DROP COLUMN amount', '2BP01', NULL, 'a column in use cannot be dropped');

-- A function that rules call stays approved

CREATE FUNCTION crm.is_big(value numeric) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN value > 100;
CREATE FUNCTION crm.alike(a text, b text) RETURNS boolean LANGUAGE sql IMMUTABLE RETURN lower(a) = lower(b);
CREATE OPERATOR crm.~== (LEFTARG = text, RIGHTARG = text, FUNCTION = crm.alike);
CREATE FUNCTION crm.note(note jsonb) RETURNS void LANGUAGE sql AS 'SELECT';
SELECT automation.approve_function('crm.job', f) FROM unnest('{"crm.is_big(numeric)","crm.alike(text,text)",crm.note(jsonb)}'::regprocedure[]) AS f;
SELECT automation.create_rule('big', 'crm.job', 'created', condition => 'crm.is_big(new.amount)', steps => ARRAY[automation.only_if('new.status OPERATOR(crm.~==) ''won''', automation.call_function('crm.note'))]);
SELECT automation.create_rule('bigger', 'crm.job', 'created', steps => ARRAY[automation.update_field('amount', expression => 'CASE WHEN crm.is_big(new.amount) THEN 1 ELSE 2 END')]);
SELECT throws_ok($$SELECT automation.disapprove_function('crm.job', 'crm.is_big(numeric)')$$, '2BP01', 'cannot disapprove function crm.is_big(numeric) because rules depend on it', 'a function that rules call');
SELECT is(crm.detail_of($$SELECT automation.disapprove_function('crm.job', 'crm.is_big(numeric)')$$), 'Rules that call it: "big", "bigger".', 'is told with their names');
SELECT throws_ok($$SELECT automation.disapprove_function('crm.job', 'crm.alike(text,text)')$$, '2BP01', NULL, 'by an operator too');
SELECT lives_ok($$SELECT automation.disapprove_function('crm.job', 'crm.note(jsonb)')$$, 'as an action it needs no approval');
SELECT automation.alter_rule('big', condition => ''), automation.drop_rule('bigger');
SELECT lives_ok($$SELECT automation.disapprove_function('crm.job', 'crm.is_big(numeric)')$$, 'once no rule calls it, it can be disapproved');
SELECT automation.drop_rule('big');

-- copy_rule(), move_rule(), drop_rule()

SELECT lives_ok($$SELECT automation.copy_rule('was won', 'second')$$, 'copy_rule()');
SELECT is(crm.state('second'), 'draft 1 created new.amount > 10', 'the copy is a draft');
SELECT lives_ok($$SELECT automation.create_rule('third', 'crm.deal', 'created', steps => ARRAY[automation.notify('1', 'x')])$$, 'a rule on another table');
SELECT lives_ok($$SELECT automation.copy_rule('third', 'fourth', 'crm.job', activate => true)$$, 'a copy for another table');
SELECT is((SELECT concat_ws(' ', relation, state) FROM automation.rules WHERE name = 'fourth'), 'crm.job active', 'can be active at once');
SELECT throws_ok($$SELECT automation.copy_rule('was won', 'fifth', 'crm.deal')$$, '42703', NULL, 'it must make sense there');
SELECT automation.create_rule('jobs', 'crm.job', 'job.status_changed', steps => ARRAY[automation.notify('1', 'x')], place => 99);
SELECT automation.copy_rule('jobs', 'deals', 'crm.deal');
SELECT is((SELECT trigger FROM automation.rules WHERE name = 'deals'), 'deal.status_changed', 'the trigger becomes one of the other table');
SELECT automation.drop_rule('jobs'), automation.drop_rule('deals');
SELECT is(crm.listed(), 'was won second third fourth', 'rules are listed as they were made');
SELECT is(automation.move_rule('fourth', before => 'second'), 2, 'move_rule() answers the place');
SELECT is(crm.listed(), 'was won fourth second third', 'before another');
SELECT is(automation.move_rule('was won', after => 'third'), 4, 'or after another');
SELECT is(crm.listed(), 'fourth second third was won', 'to the end');
SELECT is(automation.move_rule('second', before => 'fourth'), 1, 'to the front');
SELECT is(crm.listed(), 'second fourth third was won', 'in front of all');
SELECT throws_ok($$SELECT automation.move_rule('second')$$, '22023', 'either "before" or "after" must be given', 'a neighbour is needed');
SELECT lives_ok($$SELECT automation.create_rule('early', 'crm.job', 'created', steps => ARRAY[automation.notify('1', 'x')], place => 0)$$, 'a place can be given');
SELECT is(crm.listed(), 'early second fourth third was won', 'when a rule is made');
SELECT lives_ok($$SELECT automation.drop_rule(name) FROM automation.rules WHERE name <> 'was won'$$, 'drop_rule()');
SELECT is(crm.listed(), 'was won', 'the rule is gone');
SELECT is((SELECT count(DISTINCT substring(proname FROM 'rule_\d+')) FROM pg_proc WHERE pronamespace = 'automation_compiled'::regnamespace AND proname ~ '^rule'),
	1::bigint, 'and so are its functions');
SELECT lives_ok($$SELECT automation.create_rule('second', 'crm.job', 'created', steps => ARRAY[automation.notify('1', 'x')])$$, 'its name is free again');
SELECT is((SELECT count(*) FROM automation.rule_history WHERE rule = 'second'), 2::bigint, 'what the dropped one said stays');

-- Listed order, at run time

SELECT automation.create_rule('a', 'crm.deal', 'created', steps => ARRAY[automation.update_field('title', '{{ title }}a')], activate => true);
SELECT automation.create_rule('b', 'crm.deal', 'created', steps => ARRAY[automation.update_field('title', expression => $$new.title || 'b'$$)], activate => true);
INSERT INTO crm.deal VALUES (1, 'New', 'x');
SELECT results_eq($$SELECT rule FROM automation.execution_log WHERE relation = 'crm.deal'::regclass ORDER BY id$$, '{a,b}'::text[],
	'two rules on one event both fire, in listed order');
SELECT automation.move_rule('b', before => 'a');
INSERT INTO crm.deal VALUES (2, 'New', 'x');
SELECT results_eq($$SELECT rule FROM automation.execution_log WHERE relation = 'crm.deal'::regclass AND key = '2' ORDER BY id$$, '{b,a}'::text[],
	'moving one changes the order');

-- A child fires a rule about its parent

SELECT automation.create_rule('note', 'crm.job', 'child_added', '{"child": "crm.note"}',
	steps => ARRAY[automation.update_field('status', '{{ new.body }}')], activate => true);
INSERT INTO crm.note VALUES (1, 8, 'Noted');
SELECT is((SELECT status FROM crm.job WHERE id = 8), 'Noted', 'a step about a child row changes its parent');
SELECT is((SELECT key FROM automation.execution_log WHERE rule = 'note'), '8', 'and the log tells the parent');

-- on_error

SELECT automation.create_rule('log', 'crm.deal', 'updated', steps => ARRAY[automation.update_field('title', expression => $$(1 / (new.id - 1))::text$$)], activate => true);
SELECT lives_ok('UPDATE crm.deal SET status = ''Lost'' WHERE id = 1', 'an error does not stop the write');
SELECT is((SELECT concat_ws(' ', status, reason, sqlstate) FROM automation.step_log WHERE rule = 'log'), 'failed division by zero 22012', 'and is in the log');
SELECT automation.alter_rule('log', on_error => 'fail');
SELECT throws_ok('UPDATE crm.deal SET status = ''Won'' WHERE id = 1', '22012', 'division by zero', 'unless the rule says so');

-- Owners

SELECT lives_ok($$SELECT crm.as_role('tap_author', $c$SELECT automation.create_rule('mine', 'crm.job', 'updated',
	steps => ARRAY[automation.update_field('title', expression => 'current_user::text')], activate => true)$c$)$$, 'an author makes a rule');
SELECT is((SELECT owner FROM automation.rules WHERE name = 'mine'), 'tap_author'::regrole, 'that is his');
UPDATE crm.job SET status = 'Lost' WHERE id = 1;
SELECT is((SELECT title FROM crm.job WHERE id = 1), 'tap_author', 'and acts in his name, whoever writes');
SELECT lives_ok($$SELECT crm.as_role('tap_member', $c$SELECT automation.alter_rule('mine', description => 'ours')$c$)$$, 'a member of his may change it');
SELECT is((SELECT owner FROM automation.rules WHERE name = 'mine'), 'tap_author'::regrole, 'it stays his');
SELECT throws_ok($$SELECT crm.as_role('tap_other', $c$SELECT automation.$$ || verb || $$('mine')$c$)$$, '42501', 'must be owner of rule "mine"', verb || '() is not for others')
FROM unnest('{alter_rule,drop_rule,activate_rule,pause_rule,resume_rule,disable_rule,enable_rule}'::text[]) AS verb;
SELECT throws_ok($$SELECT crm.as_role('tap_other', $c$SELECT automation.rollback_rule('mine', 1)$c$)$$, '42501', 'must be owner of rule "mine"', 'nor is rollback_rule()');
SELECT throws_ok($$SELECT crm.as_role('tap_other', $c$SELECT automation.move_rule('mine', before => 'b')$c$)$$, '42501', 'must be owner of rule "mine"', 'nor move_rule()');
SELECT throws_ok($$SELECT crm.as_role('tap_other', $c$SELECT automation.fire('mine', 'crm.job', '1')$c$)$$, '42501', 'must be owner of rule "mine"', 'nor fire()');
SELECT is(crm.as_role('tap_operator', $$SELECT automation.pause_rule('mine')$$), 'paused', 'an operator may pause the rules of others');
SELECT is(crm.as_role('tap_operator', $$SELECT automation.resume_rule('mine')$$), 'active', 'and resume them');
SELECT throws_ok($$SELECT crm.as_role('tap_other', $c$SELECT automation.create_rule('his', 'crm.job', 'updated', steps => ARRAY[automation.notify('1', 'x')])$c$)$$,
	'42501', 'permission denied for table job', 'a rule needs the TRIGGER privilege on its table');
SELECT throws_ok($$SELECT crm.as_role('tap_author', $c$SELECT automation.create_rule('stop', 'crm.job', 'updated', steps => ARRAY[automation.start_rule('was won')])$c$)$$,
	'42501', 'must be owner of rule "was won"', 'a rule may not start rules of others');
SELECT throws_ok('DROP ROLE tap_author', '2BP01', NULL, 'a role with rules cannot be dropped unnoticed');

-- What stays as it is is not compiled again, and follows a column that is renamed

CREATE TABLE crm.lead (id integer PRIMARY KEY, stage text, score integer, note text);
SELECT automation.attach('crm.lead', columns => '{"status": "stage"}');
SELECT automation.create_rule('kept', 'crm.lead', 'field_changed', '{"field": "score"}', condition => 'new.score > 5', activate => true, steps => ARRAY[
	automation.update_field('note', expression => 'new.score::text'),
	automation.only_if('new.score < 100', automation.notify('log', '{{ score }}'))]);
CREATE FUNCTION crm.compiled_of(rule text) RETURNS TABLE (part text, function oid, body text) LANGUAGE sql AS $$
	SELECT substring(p.proname FROM '^rule_\d+_\d+_(.*)'), p.oid, pg_get_function_sqlbody(p.oid)
	FROM automation.rules AS r
	JOIN pg_proc AS p ON p.pronamespace = 'automation_compiled'::regnamespace AND starts_with(p.proname, format('rule_%s_%s_', r.id, r.version))
	WHERE r.name = compiled_of.rule
$$;
CREATE TEMPORARY TABLE compiled AS SELECT * FROM crm.compiled_of('kept');
SELECT is(automation.alter_rule('kept', description => 'good leads', folder => 'Leads', on_error => 'fail'), 1, 'what a rule is for makes no new version');
SELECT set_eq('SELECT part, function FROM crm.compiled_of(''kept'')', 'SELECT part, function FROM compiled', 'and compiles nothing');
ALTER TABLE crm.lead RENAME COLUMN score TO points;
SELECT is(automation.alter_rule('kept', name => 'still kept'), 2, 'another name makes a new version');
SELECT set_eq('SELECT part, replace(body, ''points'', ''score'') FROM crm.compiled_of(''still kept'')', 'SELECT part, replace(body, ''points'', ''score'') FROM compiled', 'that says the same');
INSERT INTO crm.lead VALUES (1, 'new', 1), (2, 'new', 1);
UPDATE crm.lead SET points = 7 WHERE id = 1;
SELECT is((SELECT note FROM crm.lead WHERE id = 1), '7', 'and does the same');
SELECT is((SELECT bool_and(NOT has_function_privilege('tap_other', function, 'EXECUTE')) FROM crm.compiled_of('still kept')), true, 'and is closed to others');
SELECT is(automation.alter_rule('still kept', steps => ARRAY[automation.notify('log', '{{ points }}')]), 3, 'other steps need no new trigger');
UPDATE crm.lead SET points = 8 WHERE id = 2;
SELECT is((SELECT body FROM automation.notification ORDER BY id DESC LIMIT 1), '8', 'they run');
SELECT throws_matching($$SELECT automation.alter_rule('still kept', condition => 'new.score > 7')$$, 'score', 'a text that is written now has to name what is there');
SELECT automation.alter_rule('still kept', params => '{"field": "points"}', condition => 'new.points > 5');
PREPARE go_back AS SELECT automation.rollback_rule('still kept', 1);
CREATE FUNCTION crm.hint_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ': ' || hint;
END
$$;
SELECT is(crm.hint_of($$SELECT automation.rollback_rule('still kept', 1)$$), '42703: Column "score" is called "points" now.', 'to go back to an older text may need its columns');
ALTER TABLE crm.lead RENAME points TO score;
SELECT is(crm.hint_of($$SELECT automation.copy_rule('still kept', 'copied')$$), '42703: Column "points" is called "score" now.', 'so may a copy');
ALTER TABLE crm.lead RENAME score TO points;
ALTER TABLE crm.lead RENAME COLUMN points TO score;
SELECT lives_ok('EXECUTE go_back', 'it goes back when they are there');
SELECT automation.drop_rule('still kept');

-- What makes a rule invalid

SELECT throws_ok($$SELECT automation.create_rule('x', 'crm.app_user', 'created', steps => ARRAY[automation.notify('1', 'x')])$$,
	'55000', 'table "crm.app_user" is not attached', 'the table must be attached');
DO $$
BEGIN
	EXECUTE 'DROP FUNCTION ' || (SELECT p.oid::regprocedure FROM pg_proc AS p, automation.rules AS r
		WHERE r.name = 'mine' AND p.proname = format('rule_%s_%s_step_1', r.id, r.version));
END
$$;
SELECT matches((SELECT concat_ws(' ', valid, state_icon, problem) FROM automation.rules WHERE name = 'mine'),
	'^f ⚠ compiled function "rule_\d+_\d+_step_1" does not exist$', 'a rule whose function was dropped is invalid');
SELECT lives_ok('UPDATE crm.job SET status = ''Again'' WHERE id = 1', 'it is passed over');
SELECT is((SELECT concat_ws(' ', ok, left(detail, 7)) FROM automation.check() WHERE "check" = 'rules'), 'f "mine":', 'and check() tells');
SELECT throws_ok($$SELECT automation.disable_rule('mine'), automation.enable_rule('mine')$$, '55000', 'rule "mine" cannot run', 'it cannot be activated');
SELECT lives_ok($$SELECT automation.alter_rule('mine', reason => 'again')$$, 'a new version');
SELECT is((SELECT valid FROM automation.rules WHERE name = 'mine'), true, 'is compiled anew');

SELECT throws_ok('DROP TABLE crm.deal', '2BP01', NULL, 'a table with rules cannot be dropped');
SET LOCAL client_min_messages = warning;
DROP TABLE crm.deal CASCADE;
SELECT is_empty('SELECT FROM automation.rule_index AS i WHERE NOT EXISTS (SELECT FROM automation.rule AS r WHERE r.id = i.rule_id)',
	'nothing is known of rules that went with their table');
SELECT is((SELECT count(*) FROM automation.rules WHERE name IN ('a', 'b', 'log')), 0::bigint, 'CASCADE drops the rules with it');
SELECT is((SELECT count(*) FROM automation.execution_log WHERE rule IN ('a', 'b')), 4::bigint, 'their log stays');

SELECT * FROM finish();
ROLLBACK;
