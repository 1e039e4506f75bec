-- A rule for another table or another stage, and what of it does not fit there.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, amount integer, crew text);
CREATE TABLE crm.deal (id integer PRIMARY KEY, stage text, amount integer, note text);
CREATE TABLE crm.plain (id integer PRIMARY KEY);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}'), automation.attach('crm.deal', 'deal', '{"status": "stage"}');
SELECT automation.create_rule('r', 'crm.job', 'job.status_entered', '{"to": "Won"}', 'new.amount > 10 AND new.crew = ''x''', ARRAY[
	automation.notify('a', 'Won {{ id }}'),
	automation.notify('{{ crew }}', 'Won {{ id }}'),
	automation.after('1 day', automation.notify('a', '{{ amount }}'), cancel_if_changed => '{crew}')], folder => 'Sales', description => 'd', activate => true);
CREATE FUNCTION crm.definitions() RETURNS text LANGUAGE sql AS $$
	SELECT (SELECT md5(string_agg(r::text, '' ORDER BY id)) FROM automation.rule AS r) || (SELECT md5(string_agg(v::text, '' ORDER BY rule_id, version)) FROM automation.rule_version AS v)
		|| (SELECT md5(string_agg(proname, '' ORDER BY proname)) FROM pg_proc WHERE pronamespace = 'automation_compiled'::regnamespace)
$$;
CREATE TABLE state AS SELECT crm.definitions() AS before;

SELECT is((SELECT string_agg(concat_ws(' | ', part, fits, problem), E'\n') FROM automation.copy_report('r', 'crm.deal')), $$trigger | t
condition | f | column new.crew does not exist
step 1 | t
step 2 | f | merge field "crew" does not exist
step 3 | f | column "crew" of table "crm.deal" does not exist$$, 'a report has every part');
SELECT is((SELECT says FROM automation.copy_report('r', 'crm.deal', 'Lost') WHERE part = 'trigger'), 'deal.status_entered (to: Lost)', 'as it would be there');
SELECT is(crm.definitions(), (SELECT before FROM state), 'and does nothing');
SELECT throws_ok($$SELECT automation.copy_rule('r', 'copy', 'crm.deal')$$, '42703', NULL, 'what does not fit is not copied');
SELECT automation.alter_rule('r', condition => 'new.amount > 10', steps => ARRAY[automation.notify('a', '{{ amount }}')]);
SELECT is_empty($$SELECT FROM automation.copy_report('r', 'crm.deal') WHERE NOT fits$$, 'what fits');
SELECT throws_ok($$SELECT * FROM automation.copy_report('r', NULL)$$, '22004', 'table must not be null', 'a table has to be named');
SELECT isnt(automation.copy_rule('r', 'copy', 'crm.deal', activate => true, stage => 'Closed'), NULL, 'is');
SELECT is((SELECT concat_ws(' ', relation, trigger, params ->> 'to', condition, folder, state) FROM automation.rules WHERE name = 'copy'), 'crm.deal deal.status_entered Closed new.amount > 10 Sales active', 'with all it says');
INSERT INTO crm.deal VALUES (1, 'Closed', 20), (2, 'Won', 20);
SELECT is((SELECT string_agg(rule || key, ' ') FROM automation.execution_log), 'copy1', 'it works there');

-- Moving

SELECT is(automation.move_rule_to('r', stage => 'Lost'), (SELECT id FROM automation.rules WHERE name = 'r'), 'to another stage it stays the rule it is');
SELECT is((SELECT concat_ws(' ', version, params ->> 'to') FROM automation.rules WHERE name = 'r'), '3 Lost', 'and has a new version');
SELECT automation.pause_rule('r');
SELECT isnt(automation.move_rule_to('r', 'crm.deal', 'Won'), NULL, 'to another table');
SELECT is((SELECT concat_ws(' ', relation, trigger, params ->> 'to', state, folder, description, position) FROM automation.rules WHERE name = 'r'), 'crm.deal deal.status_entered Won paused Sales d 1', 'it has its name, place and state');
SELECT is((SELECT count(*) FROM automation.rule_history WHERE rule = 'r'), 4::bigint, 'what it said before is kept');
SELECT automation.resume_rule('r');
UPDATE crm.deal SET stage = 'Won' WHERE id = 1;
SELECT is((SELECT rule || key FROM automation.execution_log ORDER BY id DESC LIMIT 1), 'r1', 'and works');
SELECT throws_ok(command, state, message, coalesce(message, command)) FROM (VALUES
	($$SELECT automation.move_rule_to('nope')$$, '42704', 'rule "nope" does not exist'),
	($$SELECT automation.move_rule_to('r', 'crm.plain')$$, '55000', 'table "crm.plain" is not attached'),
	($$SELECT * FROM automation.copy_report('nope', 'crm.deal')$$, '42704', 'rule "nope" does not exist'),
	($$SELECT * FROM automation.copy_report('r', 'crm.plain')$$, '55000', 'table "crm.plain" is not attached'),
	($$SELECT automation.copy_rule('r', 'copy')$$, '42710', 'rule "copy" already exists')) AS v(command, state, message);
SELECT automation.alter_rule('copy', trigger => 'created');
SELECT throws_ok($$SELECT automation.copy_rule('copy', 'x', stage => 'Won')$$, '22023', 'trigger "created" waits for no stage', 'a rule that waits for none');

-- Columns that are called otherwise

CREATE TABLE crm.visit (id integer PRIMARY KEY, stage text, worth integer, "Crew name" text, day date, team text);
SELECT automation.attach('crm.visit', 'visit', '{"status": "stage"}');
ALTER TABLE crm.job ADD COLUMN due date;
SELECT automation.create_rule('wide', 'crm.job', 'job.field_changed', '{"field": ["amount", "crew"]}', $${"rules": [{"field": "amount", "operator": ">", "value": 10}, {"field": "new.crew", "operator": "=", "value": "crew"}]}$$, ARRAY[
	automation.notify('{{ crew | default: "crew" }}', 'amount {{ new.amount | plus: 0 }}{% if due %}, crew of {{ id }}{% endif %}'),
	automation.update_field('amount', expression => $$new."amount" + length('new.amount') + old.amount$$),
	automation.after('1 day', automation.only_if('new.crew <> ''new.crew''', automation.notify('crew', 'x')), cancel_if_changed => '{crew}', anchor => 'field:due', options => '{"cancel_when": "new.amount = 0"}')]
	|| automation.branch('new.amount > 10', ARRAY[automation.notify('a', 'large')]));
SELECT is((SELECT string_agg(part, ', ') FROM automation.copy_report('wide', 'crm.visit') WHERE NOT fits), 'trigger, condition, step 1, step 2, step 3, step 4', 'without their names there nothing fits');
SELECT is((SELECT string_agg(concat_ws(': ', part, problem), ', ') FROM automation.copy_report('wide', 'crm.visit', columns => '{"amount": "worth", "crew": "Crew name"}') WHERE NOT fits),
	'step 1: merge field "due" does not exist, step 3: column "due" does not exist', 'with some of them some does, and the report has the rest');
SELECT isnt(automation.copy_rule('wide', 'wide there', 'crm.visit', columns => '{"amount": "worth", "crew": "Crew name", "due": "day"}'), NULL, 'with all of them all does');
SELECT is((SELECT concat_ws(' | ', params, condition) FROM automation.rules WHERE name = 'wide there'),
	'{"field": ["worth", "Crew name"]} | {"rules": [{"field": "worth", "value": 10, "operator": ">"}, {"field": "new[\"Crew name\"]", "value": "crew", "operator": "="}]}', 'it says the same over other columns');
SELECT is((SELECT string_agg(concat_ws(' | ', params, timing - '{after_previous}'::text[], condition), E'\n' ORDER BY step) FROM automation.rule_steps WHERE rule = 'wide there'),
	$${"body": "amount {{ new.worth | plus: 0 }}{% if day %}, crew of {{ id }}{% endif %}", "recipient": "{{ [\"Crew name\"] | default: \"crew\" }}"} | {}
{"field": "worth", "expression": "new.worth + length('new.amount') + old.worth"} | {}
{"body": "x", "recipient": "Crew name"} | {"delay": "1 day", "anchor": "field:day", "cancel_when": "new.worth = 0", "cancel_if_changed": ["Crew name"]} | new."Crew name" <> 'new.crew'
{"decision": "new.amount > 10", "condition": "new.worth > 10"} | {}
{"body": "large", "recipient": "a"} | {} | automation.took('new.amount > 10', 'then')$$, 'in every place where one is named, and in no text');
SELECT isnt(automation.copy_rule('wide there', 'wide team', columns => '{"Crew name": "team"}'), NULL, 'on the same table, too');
SELECT is((SELECT params FROM automation.rules WHERE name = 'wide team'), '{"field": ["worth", "team"]}', 'and back from names that need quotes');
SELECT is((SELECT params ->> 'recipient' FROM automation.rule_steps WHERE rule = 'wide team' AND step = 1), '{{ team | default: "crew" }}', 'everywhere');
SELECT isnt(automation.move_rule_to('wide', 'crm.visit', columns => '{"amount": "worth", "crew": "Crew name", "due": "day"}'), NULL, 'a rule moves with them');
SELECT is(automation.move_rule_to('wide', columns => '{"Crew name": "team"}'), (SELECT id FROM automation.rules WHERE name = 'wide'), 'or stays, over others');
SELECT is((SELECT concat_ws(' ', version, params) FROM automation.rules WHERE name = 'wide'), '2 {"field": ["worth", "team"]}', 'as a version');
SELECT throws_ok(format($$SELECT automation.copy_rule('wide', 'x', 'crm.visit', columns => %L)$$, columns), code, message, columns) FROM (VALUES
	('{"nope": "team"}', '42703', 'column "nope" of table "crm.visit" does not exist'), ('{"team": "nope"}', '42703', 'column "nope" of table "crm.visit" does not exist'),
	('["team"]', '22023', 'columns must be a JSON object of names'), ('{"team": 1}', '22023', 'columns must be a JSON object of names')) AS v(columns, code, message);
SELECT automation.drop_rule(r) FROM unnest('{wide,wide there,wide team}'::text[]) AS r;

CREATE ROLE tap_author;
SELECT automation.grant_access('tap_author', 'author');
SET LOCAL ROLE tap_author;
SELECT throws_ok($$SELECT automation.move_rule_to('r', stage => 'x')$$, '42501', 'must be owner of rule "r"', 'a rule is moved by its owner');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
