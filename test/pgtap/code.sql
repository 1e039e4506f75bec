-- Rules as code: export_rules(), apply_rules(), and what they refuse.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, phone text);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, amount integer, contact_id integer REFERENCES crm.contact);
CREATE TABLE crm.part (id integer PRIMARY KEY);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}'), automation.attach('crm.part', 'part');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');

CREATE FUNCTION crm.applied(document jsonb, prune boolean DEFAULT false, dry_run boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', action, rule, detail), E'\n') FROM automation.apply_rules(document, prune, dry_run)
$$;
CREATE TABLE saved (doc jsonb);
CREATE FUNCTION crm.edited(path text[], value jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT jsonb_set(doc, path, value) FROM saved $$;
CREATE FUNCTION crm.definitions() RETURNS text LANGUAGE sql AS $$
	SELECT (SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM automation.rule AS r) || (SELECT md5(string_agg(v::text, '' ORDER BY rule_id, version)) FROM automation.rule_version AS v)
		|| (SELECT md5(string_agg(proname, '' ORDER BY proname)) FROM pg_proc WHERE pronamespace = 'automation_compiled'::regnamespace)
$$;

SELECT is(automation.export_rules(), '{"format": 1, "rules": []}', 'there are no rules');
SELECT automation.create_rule('starter', 'crm.job', 'manual', steps => ARRAY[automation.notify('a', 'b')]);
SELECT automation.create_rule('On the way', 'crm.job', 'status_entered', '{"to": "Dispatched"}', condition => $$new.amount > 10 AND new.status <> 'O''Hare'$$, steps => ARRAY[
	automation.send_sms('tap_sms', '{{ contact.phone }}', E'Hi {{ contact.name }},\n"quoted" ü'),
	automation.after('2 hours', automation.only_if('new.amount > 100', automation.update_field('amount', expression => '1')), cancel_if_changed => '{status}'),
	automation.start_rule('starter')], folder => 'Office', description => 'Tells', activate => true, on_error => 'fail');
SELECT automation.create_rule('tree', 'crm.job', 'updated', condition => '{"all": [{"field": "amount", "operator": ">", "value": 3}]}', steps => ARRAY[automation.notify('a', 'b')], activate => true);
SELECT automation.create_rule('broken off', 'crm.part', 'created', steps => ARRAY[automation.notify('a', 'b')], activate => true);
SELECT automation.pause_rule('tree'), automation.disable_rule('broken off'), automation.move_rule('starter', after => 'tree');
INSERT INTO saved SELECT automation.export_rules();

-- Export, drop, apply, export

SELECT is((SELECT string_agg(r ->> 'name', ', ') FROM saved, jsonb_array_elements(doc -> 'rules') AS r), 'On the way, tree, starter, broken off', 'rules in listed order');
SELECT is((SELECT doc #> '{rules,2}' FROM saved), '{"name": "starter", "folder": "Default", "relation": "crm.job", "trigger": "manual", "params": {}, "state": "draft", "on_error": "log", "evaluate": "row",
	"steps": [{"action": "notify", "params": {"body": "b", "recipient": "a"}, "timing": {}, "condition": null}]}', 'what a rule says, and no number or date');
SELECT automation.drop_rule(name) FROM unnest('{On the way,tree,broken off,starter}'::text[]) AS name;
SELECT is(automation.export_rules(), '{"format": 1, "rules": [], "folders": [{"path": "Office"}]}', 'all are gone, but for the folder');
SELECT is(crm.applied((SELECT doc FROM saved)), $$create tree paused on crm.job
create starter draft on crm.job
create broken off disabled on crm.part
create On the way active on crm.job
move On the way, tree, starter, broken off$$, 'a document makes them, one that starts another after that');
SELECT is(automation.export_rules(), (SELECT doc FROM saved), 'and they are what they were');
SELECT is(automation.export_rules()::text, (SELECT doc::text FROM saved), 'to the letter');
INSERT INTO crm.contact VALUES (1, 'Ada', '+12025550199');
INSERT INTO crm.job VALUES (1, 'Dispatched', 50, 1);
SELECT is((SELECT string_agg(rule, ', ') FROM automation.execution_log), 'On the way', 'they work');
SELECT is((SELECT jsonb_array_length(automation.export_rules('Office') -> 'rules')), 1, 'a folder alone');

-- Once more, and nothing happens

CREATE TABLE state AS SELECT crm.definitions() AS before;
SELECT is(crm.applied((SELECT doc FROM saved)), E'keep On the way\nkeep tree\nkeep starter\nkeep broken off', 'a migration may run again');
SELECT is(crm.definitions(), (SELECT before FROM state), 'there is no new version then');

-- The plan

SELECT is(crm.applied(crm.edited('{rules,0,condition}', '"new.amount > 20"'), dry_run => true), $$alter On the way condition: new.amount > 10 AND new.status <> 'O''Hare' → new.amount > 20
keep tree
keep starter
keep broken off$$, 'dry_run tells what there is to do');
SELECT is(crm.applied((SELECT jsonb_build_object('format', 1, 'rules', jsonb_build_array(doc #> '{rules,1}')) FROM saved), true, true),
	E'drop On the way active on crm.job\ndrop starter draft on crm.job\ndrop broken off disabled on crm.part\nkeep tree', 'prune, too');
SELECT is(crm.definitions(), (SELECT before FROM state), 'and does nothing');
SELECT throws_ok($$SELECT * FROM automation.apply_rules(crm.edited('{rules,0,condition}', '"new.amuont > 20"'), dry_run => true)$$, '42703', NULL, 'it does find what would fail');

-- Changes

SELECT is(crm.applied(crm.edited('{rules,0,state}', '"paused"')), E'alter On the way state: active → paused\nkeep tree\nkeep starter\nkeep broken off', 'a state is reached by the verbs');
SELECT is((SELECT concat_ws(' ', state, version, paused_at IS NOT NULL) FROM automation.rule WHERE name = 'On the way'), 'paused 1 t', 'without a new version');
SELECT crm.applied(crm.edited('{rules,0,steps,0,params,body}', '"Hello"'));
SELECT is((SELECT concat_ws(' ', state, version) FROM automation.rule WHERE name = 'On the way'), 'active 2', 'another text is another version');
SELECT is((SELECT reason FROM automation.rule_history WHERE rule = 'On the way' AND version = 2), 'apply_rules()', 'that says where it came from');
SELECT is(crm.applied((SELECT doc #- '{rules,0,description}' #- '{rules,0,state}' FROM saved)), $$alter On the way description: Tells → none, steps
keep tree
keep starter
keep broken off$$, 'what is left out goes, but for the state');
SELECT is((SELECT concat_ws(' ', state, description) FROM automation.rule WHERE name = 'On the way'), 'active', 'that stays');
SELECT crm.applied((SELECT doc FROM saved));
SELECT is(automation.export_rules(), (SELECT doc FROM saved), 'and back');
SELECT is(crm.applied(crm.edited('{rules,1,condition}', '{"all": [{"field": "amount", "operator": ">", "value": 3}]}')), E'keep On the way\nkeep tree\nkeep starter\nkeep broken off', 'a JSON condition need not be a text');
SELECT is(crm.applied((SELECT jsonb_build_object('format', 1, 'rules', (SELECT jsonb_agg(r ORDER BY place DESC) FROM jsonb_array_elements(doc -> 'rules') WITH ORDINALITY AS d(r, place))) FROM saved)),
	E'keep broken off\nkeep starter\nkeep tree\nkeep On the way\nmove broken off, starter, tree, On the way', 'another order');
SELECT is((SELECT string_agg(name, ', ') FROM automation.rules), 'broken off, starter, tree, On the way', 'is the order of the list');
SELECT is(crm.applied('{"format": 1, "rules": [{"name": "new", "relation": "crm.job", "trigger": "created", "steps": [{"action": "notify", "params": {"recipient": "a", "body": "b"}}]}]}'), 'create new draft on crm.job', 'as little as possible');
SELECT is(crm.applied('{"format": 1, "rules": []}', true), E'drop broken off disabled on crm.part\ndrop starter draft on crm.job\ndrop tree paused on crm.job\ndrop On the way active on crm.job\ndrop new draft on crm.job', 'prune drops what the document has not');

-- Bad documents

CREATE FUNCTION crm.with_rule(extra jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('format', 1, 'rules', jsonb_build_array('{"name": "won", "relation": "crm.job", "trigger": "created", "steps": [{"action": "notify", "params": {"recipient": "a", "body": "b"}}]}'::jsonb || extra))
$$;
SELECT throws_ok(format('SELECT * FROM automation.apply_rules(%L)', document), state, message, coalesce(message, document::text))
FROM (VALUES
	(crm.with_rule('{"whenn": 1}'), '22023', 'unrecognized key "whenn" of rule "won"'),
	('{"format": 3, "rules": []}', '0A000', 'rule format version 3 is not supported'),
	('{"rules": []}', '22023', 'the document needs the key "format"'),
	('{"format": 1}', '22023', 'the document needs the key "rules"'),
	('{"format": 1, "rules": {}}', '22023', 'key "rules" of the document must not be of type object'),
	('{"format": 1, "rules": [], "more": 1}', '22023', 'unrecognized key "more" of the document'),
	('[]', '22023', 'the document must be a JSON object'),
	('{"format": 1, "rules": [7]}', '22023', 'rule "" must be a JSON object'),
	(jsonb_set(crm.with_rule('{}'), '{rules,1}', crm.with_rule('{}') #> '{rules,0}'), '42710', 'rule "won" is in the document more than once'),
	(crm.with_rule('{"name": ""}'), '42602', 'invalid rule name: ""'),
	(crm.with_rule(jsonb_build_object('name', repeat('x', 64))), '42602', 'invalid rule name: "' || repeat('x', 64) || '"'),
	(crm.with_rule('{"name": 7}'), '22023', 'key "name" of rule "7" must not be of type number'),
	(crm.with_rule('{"trigger": "upsert"}'), '22023', 'unrecognized trigger: "upsert"'),
	(crm.with_rule('{"steps": []}'), '22023', 'rule "won" has no steps'),
	(crm.with_rule('{"steps": [{"acton": "notify"}]}'), '22023', 'unrecognized key "acton" of a step of rule "won"'),
	(crm.with_rule('{"steps": [{}]}'), '22023', 'a step of rule "won" needs the key "action"'),
	(crm.with_rule('{"steps": [{"action": "notifi"}]}'), '42704', 'action "notifi" does not exist'),
	(crm.with_rule('{"steps": [{"action": "start_rule", "params": {"rule": "nope"}}]}'), '42704', 'rule "nope" does not exist'),
	(crm.with_rule('{"state": "asleep"}'), '22023', 'invalid value of key "state" of rule "won": "asleep"'),
	(crm.with_rule('{"on_error": "panic"}'), '22023', 'invalid value of key "on_error" of rule "won": "panic"'),
	(crm.with_rule('{"relation": "crm.nope"}'), '42P01', 'relation "crm.nope" does not exist'),
	(crm.with_rule('{"relation": "crm.contact"}'), '55000', 'table "crm.contact" is not attached')) AS v(document, state, message);
CREATE FUNCTION pg_temp.detail(document jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	PERFORM automation.apply_rules(document);
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END
$$;
SELECT is(pg_temp.detail(jsonb_set(crm.with_rule('{}'), '{rules,1}', crm.with_rule('{"name": "lost", "condition": "new.nope"}') #> '{rules,0}')), 'Rule "lost" of the document cannot be made so.', 'it is said which rule is wrong');
SELECT is((SELECT count(*) FROM automation.rules), 0::bigint, 'nothing of a bad document is done');
SELECT crm.applied(crm.with_rule('{"state": "active"}'));
SELECT throws_ok($$SELECT * FROM automation.apply_rules(crm.with_rule('{"state": "draft"}'))$$, '55000', 'rule "won" is active', 'no way back to a draft');
SELECT throws_ok($$SELECT * FROM automation.apply_rules(crm.with_rule('{"relation": "crm.part"}'))$$, '42809', 'rule "won" is on table "crm.job"', 'nor to another table');
SELECT is(automation.rule_schema() #>> '{properties,format,const}', '1', 'the schema is at hand');

-- What rules share

SELECT automation.drop_rule(name) FROM automation.rules;
SELECT crm.applied('{"format": 1, "rules": [], "folders": []}', true);
SELECT automation.create_folder('Sales/Calls', 'After hours'), automation.create_filter('b', 'crm.job', 'new.amount > 100', 'Sales', 'Large'),
	automation.create_filter('a', 'crm.job', '{"all": [{"filter": "b"}]}'), automation.create_template('t', 'Hi {{ id }}', 'S', relation => 'crm.job', folder => 'Sales/Texts', description => 'Short'),
	automation.create_template('spare', E'"quoted"\nü'), automation.create_action_template('call', automation.after('${when}', automation.with_template('t', automation.notify('x', NULL))), '{"when": "1 day"}');
SELECT automation.create_rule('sharer', 'crm.job', 'updated', condition => $$filter('a')$$, folder => 'Sales', steps => ARRAY[automation.use('call', '{"when": "2 days"}'), automation.with_template('t', automation.notify('y', NULL))], activate => true);
TRUNCATE saved;
INSERT INTO saved SELECT automation.export_rules();
SELECT is((SELECT doc - 'rules' FROM saved), $${"format": 1,
	"folders": [{"path": "Sales"}, {"path": "Sales/Calls", "description": "After hours"}, {"path": "Sales/Texts"}],
	"filters": [{"name": "a", "folder": "Default", "relation": "crm.job", "condition": "{\"all\": [{\"filter\": \"b\"}]}"}, {"name": "b", "folder": "Sales", "relation": "crm.job", "condition": "new.amount > 100", "description": "Large"}],
	"templates": [{"name": "spare", "folder": "Default", "body": "\"quoted\"\nü"}, {"name": "t", "folder": "Sales/Texts", "relation": "crm.job", "body": "Hi {{ id }}", "subject": "S", "description": "Short"}],
	"action_templates": [{"name": "call", "folder": "Default", "params": {"when": "1 day"}, "step": {"action": "notify", "params": {"template": "t", "recipient": "x"}, "timing": {"delay": "${when}", "anchor": "trigger"}, "condition": null}}]}$$::jsonb, 'a document has what rules share');
SELECT is((SELECT doc #> '{rules,0,steps}' FROM saved), '[{"action": "use", "params": {"args": {"when": "2 days"}, "template": "call"}, "timing": {}, "condition": null}, {"action": "notify", "params": {"template": "t", "recipient": "y"}, "timing": {}, "condition": null}]', 'and the names of it in the steps');
SELECT is(crm.applied((SELECT doc FROM saved)), 'keep sharer', 'which say what is there');
SELECT is((SELECT automation.export_rules('Sales') #>> '{templates,0,name}'), 't', 'a folder brings what its rules have, and no more');
SELECT automation.drop_rule('sharer');
SELECT is(crm.applied('{"format": 1, "rules": [], "filters": [], "templates": [], "action_templates": [], "folders": []}', true), $$drop action template "call"
drop template "spare"
drop template "t"
drop filter "a"
drop filter "b"$$, 'prune drops what nothing uses');
SELECT is(automation.export_rules(), '{"format": 1, "rules": []}', 'all is gone');
SELECT is(crm.applied((SELECT doc FROM saved)), $$create filter "b"
create filter "a"
create template "spare"
create template "t"
create action template "call"
create sharer active on crm.job$$, 'a document makes it, what others name first');
SELECT is(automation.export_rules()::text, (SELECT doc::text FROM saved), 'to the letter');
SELECT is(crm.applied(crm.edited('{filters,1,condition}', '"new.amount > 7"'), dry_run => true), E'alter filter "b"\nkeep sharer', 'a change of a filter');
SELECT is((SELECT version FROM automation.rules WHERE name = 'sharer'), 1, 'is only tried');
SELECT crm.applied(crm.edited('{filters,1,condition}', '"new.amount > 7"'));
SELECT is((SELECT version FROM automation.rules WHERE name = 'sharer'), 2, 'or reaches the rule');
SELECT is(crm.applied((SELECT doc - 'templates' - 'filters' FROM saved), true), 'keep sharer', 'a part that is not in the document stays as it is');
SELECT throws_ok(format('SELECT * FROM automation.apply_rules(%L)', '{"format": 1, "rules": []}'::jsonb || document::jsonb), state, message, coalesce(message, document))
FROM (VALUES
	('{"templates": [{"name": "x", "bodi": "y"}]}', '22023', 'unrecognized key "bodi" of template "x"'),
	('{"templates": [{"body": "y"}]}', '22023', 'template "" needs the key "name"'),
	('{"templates": [{"name": "x", "body": "y"}, {"name": "x", "body": "y"}]}', '42710', 'template "x" is in the document more than once'),
	('{"templates": {}}', '22023', 'key "templates" of the document must not be of type object'),
	('{"filters": [{"name": "x", "relation": "crm.job"}]}', '22023', 'filter "x" needs the key "condition"'),
	('{"filters": [{"name": "x", "relation": "crm.job", "condition": "filter(''y'')"}, {"name": "y", "relation": "crm.job", "condition": "filter(''x'')"}]}', '42704', 'filter "y" does not exist'),
	('{"filters": [{"name": "a", "relation": "crm.part", "condition": "true"}]}', '42809', 'filter "a" is on table "crm.job"'),
	('{"action_templates": [{"name": "x", "step": {"acton": "notify"}}]}', '22023', 'unrecognized key "acton" of the step of action template "x"'),
	('{"folders": [{"path": "a//b"}]}', '42602', 'invalid folder: "a//b"')) AS v(document, state, message);
SELECT automation.drop_rule('sharer');
SELECT crm.applied(crm.with_rule('{"state": "active"}'));

-- When it is judged

SELECT crm.applied(crm.with_rule('{"state": "active", "evaluate": "commit"}'));
SELECT is(automation.export_rules() #>> '{rules,0,evaluate}', 'commit', 'a document says when a rule is judged');
SELECT crm.applied(crm.with_rule('{"state": "active"}'));
SELECT is(automation.export_rules() #>> '{rules,0,evaluate}', 'row', 'with each change, unless it says so');

-- Whose rules

CREATE ROLE tap_author;
GRANT USAGE ON SCHEMA crm TO tap_author;
GRANT TRIGGER, SELECT ON crm.job TO tap_author;
SELECT automation.grant_access('tap_author', 'author');
SELECT automation.create_folder('Theirs', 'theirs');
SELECT automation.create_template('theirs', 'Hi', description => 'Short');
SELECT automation.create_rule('described', 'crm.job', 'created', description => 'Why', steps => ARRAY[automation.notify('a', 'b')]);
CREATE FUNCTION crm.without_description(section text, name text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT '{"format": 1, "rules": []}' || jsonb_build_object(section, jsonb_agg(i - 'description'))
	FROM jsonb_array_elements(automation.export_rules() -> section) AS i WHERE i ->> 'name' = without_description.name
$$;
SET LOCAL ROLE tap_author;
SELECT is(crm.applied('{"format": 1, "rules": [{"name": "mine", "relation": "crm.job", "trigger": "created", "steps": [{"action": "notify", "params": {"recipient": "a", "body": "b"}}]}]}', true), 'create mine draft on crm.job', 'prune leaves the rules of others alone');
SELECT is((SELECT string_agg(name || ' ' || owner, ', ') FROM automation.rules WHERE name = 'mine'), 'mine tap_author', 'rules belong to whoever applies them');
SELECT crm.applied('{"format": 1, "rules": [{"name": "mine too", "relation": "crm.job", "trigger": "created", "steps": [{"action": "notify", "params": {"recipient": "a", "body": "b"}}]}]}');
CREATE FUNCTION pg_temp.only(VARIADIC names text[]) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('format', 1, 'rules', jsonb_agg(r ORDER BY array_position(names, r ->> 'name'))) FROM jsonb_array_elements(automation.export_rules() -> 'rules') AS r WHERE r ->> 'name' = ANY (names)
$$;
SELECT is(crm.applied(pg_temp.only('mine too', 'mine', 'won')), E'keep mine too\nkeep mine\nkeep won\nmove mine too, mine', 'an order is one of rules of one''s own');
SELECT is((SELECT string_agg(name, ', ' ORDER BY position) FROM automation.rules WHERE name IN ('won', 'mine', 'mine too')), 'won, mine too, mine', 'those of others stay where they are');
SELECT throws_ok($$SELECT * FROM automation.apply_rules('{"format": 1, "rules": [], "folders": [{"path": "Theirs", "description": "mine now"}]}')$$, '42501', 'must be owner of folder "Theirs"',
	'so do descriptions of folders');
SELECT lives_ok($$SELECT * FROM automation.apply_rules('{"format": 1, "rules": [], "folders": [{"path": "Theirs", "description": "theirs"}, {"path": "Own", "description": "mine"}]}')$$, 'that they have anyway');
SELECT lives_ok($$SELECT * FROM automation.apply_rules('{"format": 1, "rules": [], "folders": [{"path": "Theirs"}, {"path": "Own"}]}')$$, 'or that a document does not speak of');
SELECT throws_ok($$SELECT * FROM automation.apply_rules(crm.with_rule('{"folder": "x"}'))$$, '42501', 'must be owner of rule "won"', 'and are changed by their owners');
SELECT is(crm.applied(crm.without_description('templates', 'theirs') || crm.without_description('rules', 'described')), 'keep described', 'so it is with what else is theirs');
RESET ROLE;
SELECT results_eq($$SELECT path, description FROM automation.folder WHERE path IN ('Own', 'Theirs') ORDER BY path DESC$$, $$VALUES ('Theirs', 'theirs'), ('Own', NULL)$$, 'of one''s own, it says that there is none');

SELECT * FROM finish();
ROLLBACK;
