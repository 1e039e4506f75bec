-- Drafts as code: they go out and come in with their rules, and what becomes of one when the rule is another.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, amount integer);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
CREATE FUNCTION crm.say(body text) RETURNS automation.step[] LANGUAGE sql AS $$ SELECT ARRAY[automation.notify('a', body)] $$;
CREATE FUNCTION crm.applied(document jsonb, prune boolean DEFAULT false, dry_run boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', action, rule, detail), E'\n') FROM automation.apply_rules(document, prune, dry_run)
$$;
CREATE FUNCTION crm.publishable(rule text) RETURNS text LANGUAGE sql AS $$ SELECT concat_ws(' ', publishable, says ->> 'condition') FROM automation.drafts AS d WHERE d.rule = publishable.rule $$;
CREATE TABLE saved (doc jsonb);
CREATE FUNCTION crm.edited(path text[], value jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_set(doc, path, value) FROM saved $$;

SELECT automation.create_template('Note', 'job {{ id }}');
SELECT automation.create_rule('plain', 'crm.job', 'created', steps => crm.say('plain'), activate => true);
SELECT automation.create_rule('drafted', 'crm.job', 'status_entered', '{"to": "Won"}', 'new.amount > 1', crm.say('old'), activate => true);
SELECT automation.alter_rule('drafted', name => 'renamed', trigger => 'job.status_entered', params => '{"to": "Lost"}', condition => 'new.amount > 2', reason => 'we ask for more',
	steps => ARRAY[automation.with_template('Note', automation.notify('b', NULL))], publish => false);
SELECT automation.create_rule('starter', 'crm.job', 'manual', steps => crm.say('s'));
INSERT INTO saved SELECT automation.export_rules();

SELECT is((SELECT doc #> '{rules,1,draft}' FROM saved), '{"name": "renamed", "trigger": "job.status_entered", "params": {"to": "Lost"}, "condition": "new.amount > 2", "evaluate": "row", "reason": "we ask for more",
	"steps": [{"action": "notify", "params": {"recipient": "b", "template": "Note"}, "timing": {}, "condition": null}]}', 'a draft stands with its rule, as it was written');
SELECT is((SELECT doc #> '{rules,0}' ? 'draft' FROM saved), false, 'a rule without has none');
SELECT is(crm.applied((SELECT doc FROM saved)), E'keep plain\nkeep drafted\nkeep starter', 'once more, and nothing happens');
SELECT automation.drop_rule(name) FROM automation.rules;
SELECT automation.drop_template('Note');
SELECT crm.applied((SELECT doc FROM saved));
SELECT is(automation.export_rules()::text, (SELECT doc::text FROM saved), 'export, drop, apply, export is the same to the letter');
SELECT is(crm.publishable('drafted'), 't new.amount > 2', 'and the draft can be published');
SELECT lives_ok($$SELECT automation.publish_rule('drafted')$$, 'it is');
INSERT INTO crm.job VALUES (1, 'Lost', 5);
SELECT is((SELECT string_agg(body, ', ' ORDER BY id) FROM automation.notification), 'plain, job 1', 'and says what it says');

-- On a rule that is there

SELECT automation.drop_rule('renamed');
SELECT crm.applied((SELECT doc FROM saved));
SELECT is(crm.applied(crm.edited('{rules,1,draft,condition}', '"new.amount > 3"'), dry_run => true), E'keep plain\nalter drafted draft\nkeep starter', 'the plan has another draft');
SELECT is(crm.publishable('drafted'), 't new.amount > 2', 'and does nothing');
SELECT crm.applied(crm.edited('{rules,1,draft,condition}', '"new.amount > 3"'));
SELECT is(crm.publishable('drafted') || ' ' || (SELECT version FROM automation.rules WHERE name = 'drafted'), 't new.amount > 3 1', 'another draft is no other version');
SELECT crm.applied(crm.edited('{rules,1,condition}', '"new.amount > 0"'));
SELECT is(crm.publishable('drafted') || ' ' || (SELECT version FROM automation.rules WHERE name = 'drafted'), 't new.amount > 2 2', 'a document that has both: the draft is one of the rule as it is there');
SELECT is(crm.applied((SELECT doc #- '{rules,1,draft}' FROM saved) #- '{rules,1,description}'), E'keep plain\nalter drafted condition: new.amount > 0 → new.amount > 1\nkeep starter', 'one that says nothing of the draft');
SELECT is(crm.publishable('drafted'), 'f new.amount > 2', 'leaves it, older than the rule');
CREATE FUNCTION crm.refusal(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	d text; h text;
BEGIN
	EXECUTE command;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLERRM, d, h);
END
$$;
SELECT is(crm.refusal($$SELECT automation.publish_rule('drafted')$$), format($$rule "drafted" has changed since its draft was made
The draft changes version 2; version 3 is by %s: apply_rules().
See automation.rule_diff('drafted', 2, 0) and automation.rule_diff('drafted', 2, 3); use automation.discard_draft(), and make another one.$$, current_user::regrole), 'publishing says what has come between');
CREATE TABLE outdated AS SELECT automation.export_rules() AS doc;
SELECT is((SELECT doc #> '{rules,1,draft,outdated}' FROM outdated), 'true', 'so does the document');
SELECT automation.drop_rule(name) FROM automation.rules;
SELECT crm.applied((SELECT doc FROM outdated));
SELECT is(automation.export_rules()::text, (SELECT doc::text FROM outdated), 'and it stays so from one database to another');
SELECT throws_ok($$SELECT automation.publish_rule('drafted')$$, '55000', 'rule "drafted" has changed since its draft was made', 'nothing is published that nobody has compared');
SELECT is(crm.applied(crm.edited('{rules,1,draft}', 'null')), E'keep plain\nalter drafted draft\nkeep starter', 'null: there is no draft');
SELECT is(crm.publishable('drafted'), NULL, 'there is none');
SELECT crm.applied((SELECT doc FROM saved));
SELECT is(crm.applied((SELECT doc #- '{rules,1,draft}' FROM saved), prune => true), E'keep plain\nalter drafted draft\nkeep starter', 'prune drops what the document has not');
SELECT is(crm.publishable('drafted'), NULL, 'drafts, too');

-- What is refused

SELECT throws_ok(format('SELECT automation.apply_rules(crm.edited(%L, %L))', path, value), code, message, message) FROM (VALUES
	('{rules,1,draft}', '{"trigger": "created"}', '22023', 'the draft of rule "drafted" needs the key "steps"'),
	('{rules,1,draft,conditions}', '"x"', '22023', 'unrecognized key "conditions" of the draft of rule "drafted"'),
	('{rules,1,draft,steps,0,when}', '"x"', '22023', 'unrecognized key "when" of a step of the draft of rule "drafted"'),
	('{rules,1,draft,condition}', '"new.nope > 1"', '42703', 'column new.nope does not exist')) AS v(path, value, code, message);

SELECT * FROM finish();
ROLLBACK;
