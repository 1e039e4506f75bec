-- Filters: conditions by name, in rules and in SQL. And folders, where all of it is listed.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, tier text);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, amount numeric, contact_id integer REFERENCES crm.contact);
CREATE TABLE crm.note (id integer PRIMARY KEY, job_id integer REFERENCES crm.job, body text);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}'), automation.attach('crm.note', 'note'), automation.attach('crm.contact', 'contact');
INSERT INTO crm.contact VALUES (1, 'Ada', 'gold'), (2, 'Bob', NULL);
INSERT INTO crm.job VALUES (1, 'New', 900, 1), (2, 'New', 5, 1), (3, 'New', 900, 2);

CREATE FUNCTION crm.fires(rule text, command text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	before bigint := (SELECT coalesce(max(id), 0) FROM automation.execution_log);
BEGIN
	EXECUTE command;
	RETURN EXISTS (SELECT FROM automation.execution_log AS l WHERE l.id > before AND l.rule = fires.rule);
END
$$;
CREATE FUNCTION crm.keys(filter text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(j.id::text, ',' ORDER BY j.id) FROM crm.job AS j WHERE automation.matches(filter, j)
$$;

-- Create, read

SELECT is(automation.create_filter('large', 'crm.job', 'new.amount > 100', 'Filters', 'Worth a call'), 1, 'a filter begins with version 1');
SELECT is(automation.create_filter('gold', 'crm.job', '{"field": "contact.tier", "operator": "=", "value": "gold"}'), 1, 'in SQL or as a tree');
SELECT automation.create_filter('vip', 'crm.job', '{"all": [{"filter": "gold"}, {"filter": "large"}]}');
SELECT results_eq($$SELECT name, folder, relation::text, condition, version, rules, description FROM automation.filters WHERE name = 'large'$$,
	$$VALUES ('large', 'Filters', 'crm.job', 'new.amount > 100', 1, '{}'::text[], 'Worth a call')$$, 'it is listed');

-- In SQL

SELECT is(crm.keys('large'), '1,3', 'rows of a query');
SELECT is(crm.keys('gold'), '1,2', 'by a linked row, too');
SELECT is(crm.keys('vip'), '1', 'and filters made of filters');
SELECT is(automation.matches('vip', 'crm.job', '1'), true, 'a row by its key');
SELECT is(automation.matches('vip', 'crm.job', '3'), false, 'one that it does not take');
SELECT throws_ok($$SELECT automation.matches('vip', 'crm.job', '9')$$, 'P0002', 'table "crm.job" has no row with the key 9', 'one that is not there');
SELECT throws_ok($$SELECT automation.matches('vip', 'crm.note', '9')$$, 'P0002', NULL, 'of a table that it is not about');
INSERT INTO crm.note VALUES (1, 1, 'x');
SELECT throws_ok($$SELECT automation.matches('vip', 'crm.note', '1')$$, '42809', 'filter "vip" is on table "crm.job"', 'it is about one table');
SELECT throws_ok($$SELECT automation.matches('vpi', j) FROM crm.job AS j$$, '42704', 'filter "vpi" does not exist', 'and has a name');

-- In rules

SELECT automation.create_rule('in sql', 'crm.job', 'updated', condition => $$filter('large') AND new.status <> 'it''s filter(''vip'')' /* filter('nope') */ AND contact.tier = 'gold' -- filter('x')$$, steps => ARRAY[automation.notify('a', 'b')], activate => true);
SELECT automation.create_rule('in tree', 'crm.job', 'updated', condition => '{"any": [{"filter": "vip"}, {"field": "status", "operator": "=", "value": "Hot"}]}', steps => ARRAY[automation.notify('a', 'b')], activate => true);
SELECT automation.create_rule('in step', 'crm.job', 'updated', steps => ARRAY[automation.only_if($$filter('vip')$$, automation.notify('a', 'b'))], activate => true);
SELECT automation.create_rule('in child', 'crm.note', 'created', condition => '{"exists": "crm.job", "by": ["id"], "where": {"filter": "gold"}}', steps => ARRAY[automation.notify('a', 'b')], activate => true);
SELECT is(crm.fires('in sql', 'UPDATE crm.job SET amount = 901 WHERE id = 1'), true, 'a condition in SQL');
SELECT is(crm.fires('in sql', 'UPDATE crm.job SET amount = 6 WHERE id = 2'), false, 'that does not hold');
SELECT is(crm.fires('in sql', 'UPDATE crm.job SET amount = 902 WHERE id = 3'), false, 'nor its other part');
SELECT is(crm.fires('in tree', 'UPDATE crm.job SET amount = 903 WHERE id = 1'), true, 'a JSON tree');
SELECT is(crm.fires('in tree', 'UPDATE crm.job SET amount = 904 WHERE id = 3'), false, 'that does not hold');
SELECT is((SELECT status FROM automation.step_log WHERE rule = 'in step' AND key = '3' ORDER BY run_id DESC LIMIT 1), 'not_run', 'a step');
SELECT is((SELECT status FROM automation.step_log WHERE rule = 'in step' AND key = '1' ORDER BY run_id DESC LIMIT 1), 'succeeded', 'that is taken');
SELECT is((SELECT string_agg(name || ': ' || rules::text, ', ' ORDER BY name) FROM automation.filters), 'gold: {"in tree","in step","in child"}, large: {"in sql","in tree","in step"}, vip: {"in tree","in step"}', 'filters know their rules, also those through other filters');

-- Update: every rule with it, or none

SELECT is(automation.alter_filter('large', 'new.amount > 1000', reason => 'inflation'), 2, 'another condition is another version');
SELECT is((SELECT string_agg(format('%s %s %s', rule, version, reason), ', ' ORDER BY rule) FROM automation.rule_history WHERE present AND version > 1),
	'in sql 2 filter "large" version 2, in step 2 filter "large" version 2, in tree 2 filter "large" version 2', 'and another version of each rule with it');
SELECT is(crm.keys('vip'), NULL, 'and of filters with it');
SELECT is(crm.fires('in tree', 'UPDATE crm.job SET amount = 905 WHERE id = 1'), false, 'rules ask the new one');
SELECT is(crm.fires('in sql', 'UPDATE crm.job SET amount = 1905 WHERE id = 1'), true, 'all of them');
SELECT is((SELECT filters FROM automation.rule_version WHERE name = 'in tree' AND version = 2), '{"vip": 1, "gold": 1, "large": 2}', 'a version of a rule says which ones it was made with');
SELECT throws_ok($$SELECT automation.alter_filter('gold', 'contact.tier = ''gold''')$$, '0A000', 'filter "gold" is written in SQL, and can only be about the changed row', 'what a rule cannot follow is refused');
SELECT is((SELECT version FROM automation.filters WHERE name = 'gold'), 1, 'and nothing has changed');
SELECT is(automation.alter_filter('large', description => 'x'), 2, 'what it is for makes no new version');
SELECT throws_ok($$SELECT automation.alter_filter('large', $f$filter('vip')$f$)$$, '42P17', 'filter "large" refers to itself', 'no circle');

-- Delete

SELECT throws_ok($$SELECT automation.drop_filter('large')$$, '2BP01', 'cannot drop filter "large" because filters have it', 'one that filters name is not dropped');
SELECT throws_ok($$SELECT automation.drop_filter('vip')$$, '2BP01', 'cannot drop filter "vip" because rules have it', 'nor one that rules name');
SELECT automation.drop_rule('in step'), automation.drop_rule('in tree'), automation.drop_filter('vip');
SELECT is((SELECT count(*) FROM automation.filters WHERE name = 'vip'), 0::bigint, 'one that nothing names is');

-- PostgreSQL knows them

SELECT throws_ok('ALTER TABLE crm.contact DROP COLUMN tier', '2BP01', NULL, 'a column that a filter names is not dropped');
ALTER TABLE crm.job RENAME COLUMN amount TO total;
SELECT is(crm.keys('large'), '1', 'one that is renamed it follows');
ALTER TABLE crm.job RENAME COLUMN total TO amount;

-- Bad filters

SELECT throws_ok(command, state, message, coalesce(message, command)) FROM (VALUES
	($$SELECT automation.create_filter('', 'crm.job', 'true')$$, '42602', 'invalid filter name: ""'),
	($$SELECT automation.create_filter('large', 'crm.job', 'true')$$, '42710', 'filter "large" already exists'),
	($$SELECT automation.create_filter('x', 'crm.job', '  ')$$, '22023', 'filter "x" has no condition'),
	($$SELECT automation.create_filter('x', 'crm.job', NULL)$$, '22023', 'filter "x" has no condition'),
	($$SELECT automation.create_filter('x', NULL, 'true')$$, '22004', NULL),
	($$SELECT automation.create_filter('x', 'pg_class', 'true')$$, '55000', NULL),
	($$SELECT automation.create_filter('x', 'crm.job', 'new.amuont > 1')$$, '42703', NULL),
	($$SELECT automation.create_filter('x', 'crm.job', 'old.amount > 1')$$, NULL, NULL),
	($$SELECT automation.create_filter('x', 'crm.job', '{"filter": "nope"}')$$, '42704', 'filter "nope" does not exist'),
	($$SELECT automation.create_filter('x', 'crm.job', $f$filter('nope')$f$)$$, '42704', 'filter "nope" does not exist'),
	($$SELECT automation.create_filter('x', 'crm.job', '{"filter": 7}')$$, '42704', NULL),
	($$SELECT automation.create_filter('x', 'crm.note', '{"filter": "large"}')$$, '42809', 'filter "large" is on table "crm.job"'),
	($$SELECT automation.alter_filter('nope', 'true')$$, '42704', 'filter "nope" does not exist'),
	($$SELECT automation.drop_filter('nope')$$, '42704', 'filter "nope" does not exist')) AS v(command, state, message);

-- Folders

SELECT automation.create_folder('Sales/Follow up', 'After the call');
SELECT results_eq($$SELECT path, parent, is_default, rules, templates, action_templates, filters, description FROM automation.folders$$,
	$$VALUES ('Default', NULL, true, 2::bigint, 0::bigint, 0::bigint, 1::bigint, NULL), ('Filters', NULL, false, 0, 0, 0, 1, NULL), ('Sales', NULL, false, 0, 0, 0, 0, NULL), ('Sales/Follow up', 'Sales', false, 0, 0, 0, 0, 'After the call')$$, 'folders are a tree');
SELECT is(automation.move_to_folder('in sql', 'Sales/Follow up'), 'Default', 'a rule is moved');
SELECT automation.move_to_folder('gold', 'Sales', 'filter'), automation.create_template('t', 'x', folder => 'Sales/Texts'), automation.create_action_template('a', automation.notify('a', 'b'), folder => 'Sales');
SELECT is((SELECT folder FROM automation.rules WHERE name = 'in sql'), 'Sales/Follow up', 'the rules tell');
SELECT is((SELECT string_agg(path || rules || templates || action_templates || filters, ', ') FROM automation.folders WHERE path ~ '^Sales'), 'Sales0011, Sales/Follow up1000, Sales/Texts0100', 'what lies where');
SELECT throws_ok($$SELECT automation.drop_folder('Sales')$$, '2BP01', 'cannot drop folder "Sales" because it is not empty', 'only an empty one is dropped');
SELECT automation.rename_folder('Sales', 'Office/Selling');
SELECT is((SELECT string_agg(path, ', ') FROM automation.folders), 'Default, Filters, Office, Office/Selling, Office/Selling/Follow up, Office/Selling/Texts', 'a folder moves with what lies in it');
SELECT is((SELECT folder FROM automation.rules WHERE name = 'in sql'), 'Office/Selling/Follow up', 'rules, too');
SELECT automation.create_folder('Empty');
SELECT lives_ok($$SELECT automation.drop_folder('Empty')$$, 'an empty one is dropped');
SELECT throws_ok(command, state, message, message) FROM (VALUES
	($$SELECT automation.create_folder('Office')$$, '42710', 'folder "Office" already exists'),
	($$SELECT automation.create_folder('Default')$$, '42710', 'folder "Default" already exists'),
	($$SELECT automation.create_folder('')$$, '42602', 'invalid folder: ""'),
	($$SELECT automation.create_folder('/x')$$, '42602', 'invalid folder: "/x"'),
	($$SELECT automation.create_folder(NULL)$$, '42602', 'invalid folder: ""'),
	($$SELECT automation.create_folder(repeat('x', 64))$$, '42602', 'invalid folder: "' || repeat('x', 64) || '"'),
	($$SELECT automation.drop_folder('Default')$$, '0A000', 'folder "Default" is always there'),
	($$SELECT automation.drop_folder('Ofice')$$, '42704', 'folder "Ofice" does not exist'),
	($$SELECT automation.rename_folder('Office', 'Office/x')$$, '22023', 'folder "Office" cannot be moved into itself'),
	($$SELECT automation.rename_folder('Filters', 'Office')$$, '42710', 'folder "Office" already exists'),
	($$SELECT automation.move_to_folder('nope', 'x')$$, '42704', 'rule "nope" does not exist'),
	($$SELECT automation.move_to_folder('gold', 'x', 'fliter')$$, '22023', 'invalid kind: "fliter"'),
	($$SELECT automation.move_to_folder('gold', NULL, 'filter')$$, '22004', 'folder must not be null')) AS v(command, state, message);

-- Whose they are

CREATE ROLE tap_author;
GRANT USAGE ON SCHEMA crm TO tap_author;
GRANT TRIGGER, SELECT ON crm.job TO tap_author;
SELECT automation.grant_access('tap_author', 'author');
SET LOCAL ROLE tap_author;
SELECT throws_ok($$SELECT automation.alter_filter('large', 'true')$$, '42501', 'must be owner of filter "large"', 'a filter is changed by its owner');
SELECT throws_ok($$SELECT automation.drop_folder('Office')$$, '42501', 'must be owner of folder "Office"', 'a folder, too');
SELECT is(crm.keys('large'), '1', 'and asked by whoever may read the rows');
SELECT throws_ok($$SELECT crm.keys('gold')$$, '42501', NULL, 'all of them');
SELECT is(automation.create_filter('mine', 'crm.job', 'true'), 1, 'an author makes his own');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
