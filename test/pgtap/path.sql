-- How the paths of templates and conditions find columns, roles and linked rows.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.team (id integer PRIMARY KEY, name text);
CREATE TABLE crm.app_user (id integer PRIMARY KEY, name text, email text UNIQUE, "teamId" integer REFERENCES crm.team);
CREATE TABLE crm.contact (
	id integer PRIMARY KEY,
	name text,
	"Pet's ""Name"" 100%" text,
	phone varchar(20),
	manager_id integer REFERENCES crm.app_user,
	parent_id integer REFERENCES crm.contact
);
CREATE TABLE crm.branch (country text, number integer, city text, PRIMARY KEY (country, number));
CREATE TABLE crm.site (id integer PRIMARY KEY, city text, code text);
CREATE TABLE crm.job (
	id integer PRIMARY KEY,
	status text,
	customer_id integer REFERENCES crm.contact,
	site_contact_id integer REFERENCES crm.contact,
	assignee text REFERENCES crm.app_user (email),
	country text,
	number integer,
	site integer,
	"First Name" text,
	now integer,
	FOREIGN KEY (country, number) REFERENCES crm.branch
);
CREATE TABLE crm.note (id integer PRIMARY KEY, job_id integer REFERENCES crm.job, body text, author_id integer REFERENCES crm.app_user);

INSERT INTO crm.team VALUES (1, 'North');
INSERT INTO crm.app_user VALUES (1, 'Ann', 'ann@x.example', 1), (2, 'Bob', 'bob@x.example', NULL);
INSERT INTO crm.contact VALUES (1, 'Old Corp', NULL, '+1', 2, NULL), (2, 'New Corp', 'Rex', '+2', 1, 1);
INSERT INTO crm.site VALUES (9, 'Paris', 'P9');
INSERT INTO crm.job (id, status) VALUES (3, 'Won');

-- The value of a path for a change from one row to another.
CREATE FUNCTION crm.value(scope automation._scope, path text[], before jsonb, after jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('SELECT (%2$s)::text FROM jsonb_populate_record(NULL::%1$s, $1) AS old, jsonb_populate_record(NULL::%1$s, $2) AS new',
		scope.row_relation, (automation._path(scope, path)).sql) INTO answer USING before, after;
	RETURN answer;
END
$$;
CREATE FUNCTION crm.job_value(VARIADIC path text[]) RETURNS text LANGUAGE sql AS $$
	SELECT crm.value(automation._scope('crm.job', current_user::regrole, rule => 'The "rule"'), path,
		'{"id": 3, "status": "New", "customer_id": 1, "assignee": "bob@x.example"}',
		'{"id": 3, "status": "Won", "customer_id": 2, "assignee": "ann@x.example", "First Name": "Eve", "site": 9, "now": 42}')
$$;
CREATE FUNCTION crm.job_path(VARIADIC path text[]) RETURNS text LANGUAGE sql AS $$
	SELECT sql FROM automation._path(automation._scope('crm.job', current_user::regrole), path)
$$;

-- Columns

SELECT is(crm.job_value('status'), 'Won', 'a plain name is a column of the row as it is');
SELECT is(crm.job_value('new', 'status'), 'Won', 'new is the row as it is');
SELECT is(crm.job_value('old', 'status'), 'New', 'old is the row as it was');
SELECT is(crm.job_value('First Name'), 'Eve', 'a name may be any text');
SELECT is(crm.job_value('now')::timestamptz, automation._now(), 'now is the instant, even when there is such a column');
SELECT is(crm.job_value('new', 'now'), '42', 'which new leads to');
SELECT is(crm.job_value('rule', 'name'), 'The "rule"', 'rule.name is the name of the rule');
SELECT is((SELECT type FROM automation._path(automation._scope('crm.contact', current_user::regrole), '{phone}')), 'varchar'::regtype,
	'the type comes with the SQL');

-- Links that nobody named

SELECT is(crm.job_value('customer', 'name'), 'New Corp', 'customer_id makes the link customer');
SELECT is(crm.job_value('customer_id', 'name'), 'New Corp', 'and customer_id');
SELECT is(crm.job_value('new', 'customer', 'name'), 'New Corp', 'new.customer is the same');
SELECT is(crm.job_value('old', 'customer', 'name'), 'Old Corp', 'old.customer is the row that was named before');
SELECT is(crm.job_value('customer', 'Pet''s "Name" 100%'), 'Rex', 'columns of linked rows may have any name too');
SELECT is(crm.job_value('assignee', 'name'), 'Ann', 'a foreign key need not end in _id, nor name the primary key');
SELECT is(crm.job_value('app_user', 'name'), 'Ann', 'the name of the target table is a link');
SELECT is(crm.job_value('customer', 'manager', 'name'), 'Ann', 'a path has any number of levels');
SELECT is(crm.job_value('old', 'customer', 'manager', 'name'), 'Bob', 'from the row as it was too');
SELECT is(crm.job_value('customer', 'manager', 'team', 'name'), 'North', 'teamId makes the link team');
SELECT is(crm.job_value('customer', 'parent', 'name'), 'Old Corp', 'a table may lead to itself');
SELECT is(crm.job_value('site_contact', 'name'), NULL, 'a link that leads nowhere is null');
SELECT throws_ok($$SELECT crm.job_value('contact', 'name')$$, '42702', 'merge field "contact.name" is ambiguous',
	'a table that two columns lead to is no link');
SELECT throws_ok($$SELECT crm.job_value('branch', 'city')$$, '42703', 'merge field "branch.city" does not exist',
	'nor is a foreign key of several columns');
SELECT throws_ok($$SELECT crm.job_value('number', 'city')$$, '42703', 'merge field "number.city" does not exist',
	'nor one column of it');
SELECT throws_ok($$SELECT crm.job_value('site', 'city')$$, '42703', 'merge field "site.city" does not exist',
	'nor a column without a foreign key');

-- Foreign keys to partitions

CREATE TABLE crm.region (id integer PRIMARY KEY, name text) PARTITION BY RANGE (id);
CREATE TABLE crm.region_low PARTITION OF crm.region FOR VALUES FROM (0) TO (10);
CREATE TABLE crm.region_high PARTITION OF crm.region FOR VALUES FROM (10) TO (20);
ALTER TABLE crm.team ADD COLUMN region_id integer REFERENCES crm.region;
INSERT INTO crm.region VALUES (1, 'EMEA');
UPDATE crm.team SET region_id = 1;
SELECT is(crm.job_value('customer', 'manager', 'team', 'region', 'name'), 'EMEA', 'the target may be partitioned');

-- link() and unlink()

SELECT lives_ok($$SELECT automation.link('crm.job', 'site', 'site', 'crm.site')$$, 'a link is named');
SELECT is(crm.job_value('site', 'city'), 'Paris', 'and is one');
SELECT lives_ok($$SELECT automation.link('crm.job', 'contact', 'site_contact_id', 'crm.contact')$$, 'an ambiguous one is named');
SELECT is(crm.job_value('contact', 'name'), NULL, 'and is so no more');
SELECT lives_ok($$SELECT automation.link('crm.job', 'Main Contact', 'customer_id', 'crm.contact', 'id')$$, 'a link may have any name');
SELECT is(crm.job_value('Main Contact', 'name'), 'New Corp', 'and is found by it');
SELECT lives_ok($$SELECT automation.link('crm.job', 'customer', 'site_contact_id', 'crm.contact')$$, 'a named link');
SELECT is(crm.job_value('customer', 'name'), NULL, 'goes before a foreign key of that name');
SELECT lives_ok($$SELECT automation.unlink('crm.job', 'customer')$$, 'a link is forgotten');
SELECT is(crm.job_value('customer', 'name'), 'New Corp', 'and the foreign key counts again');
SELECT throws_ok($$SELECT automation.unlink('crm.job', 'customer')$$, '42704', 'link "customer" of table "crm.job" does not exist');
SELECT throws_ok($$SELECT automation.link('crm.job', 'site', 'site', 'crm.site')$$, '42710',
	'link "site" of table "crm.job" already exists');
SELECT throws_ok($$SELECT automation.link('crm.job', 'old', 'site', 'crm.site')$$, '42939', 'link name "old" is reserved');
SELECT throws_ok($$SELECT automation.link('crm.job', '', 'site', 'crm.site')$$, '42602', 'invalid link name: ""');
SELECT throws_ok($$SELECT automation.link('crm.job', 'x', 'sight', 'crm.site')$$, '42703',
	'column "sight" of table "crm.job" does not exist');
SELECT throws_ok($$SELECT automation.link('crm.job', 'x', 'site', 'crm.site', 'city')$$, '42P17',
	'column "city" of table "crm.site" is not unique');
SELECT throws_ok($$SELECT automation.link('crm.job', 'x', 'number', 'crm.branch')$$, '55000',
	'table "crm.branch" has no primary key of one column');
SELECT throws_ok($$SELECT automation.link('crm.job', 'x', 'status', 'crm.site')$$, '42883', 'operator does not exist: text = integer');
SELECT throws_ok($$SELECT automation.link('crm.job', 'x', 'site', 'pg_class')$$, '42501',
	'permission denied: "pg_class" is a system catalog');

ALTER TABLE crm.job RENAME COLUMN site TO location;
ALTER TABLE crm.site RENAME COLUMN id TO number;
SELECT is(
	crm.value(automation._scope('crm.job', current_user::regrole), '{site,city}', NULL, '{"location": 9}'), 'Paris',
	'a link follows its renamed columns');
SELECT throws_ok($$ALTER TABLE crm.job DROP COLUMN location$$, '2BP01', NULL, 'which are not dropped');

-- Roles

SELECT lives_ok($$SELECT automation.attach('crm.job', 'job', '{"owner": "assignee", "client": "customer_id", "status": "First Name"}')$$,
	'columns get roles');
SELECT is(crm.job_value('owner'), 'ann@x.example', 'a role is a name of its column');
SELECT is(crm.job_value('owner', 'name'), 'Ann', 'and a link when the column leads somewhere');
SELECT is(crm.job_value('old', 'client', 'name'), 'Old Corp', 'from the row as it was too');
SELECT is(crm.job_value('status'), 'Won', 'but a column goes before a role of that name');
SELECT results_eq(
	$$SELECT name, source_column, origin FROM automation.links
		WHERE relation = 'crm.job'::regclass AND name IN ('owner', 'customer', 'site') ORDER BY name$$,
	$$VALUES ('customer', 'customer_id', 'foreign key'), ('owner', 'assignee', 'role'), ('site', 'location', 'link')$$,
	'the view shows where each name comes from');

-- A rule that fires on another table than the one it is about

CREATE FUNCTION crm.note_value(VARIADIC path text[]) RETURNS text LANGUAGE sql AS $$
	SELECT crm.value(automation._scope('crm.job', current_user::regrole, '{insert}', 'crm.note', 'job_id'), path,
		NULL, '{"id": 1, "job_id": 3, "body": "Hello", "author_id": 1}')
$$;
UPDATE crm.job SET customer_id = 2;
SELECT is(crm.note_value('status'), 'Won', 'a plain name is a column of the row the rule is about');
SELECT is(crm.note_value('customer', 'name'), 'New Corp', 'links start there too');
SELECT is(crm.note_value('new', 'body'), 'Hello', 'new is the row that changed');
SELECT is(crm.note_value('new', 'author', 'name'), 'Ann', 'with links of its own');
SELECT is(crm.value(automation._scope('crm.job', current_user::regrole, '{delete}'), '{customer,name}',
	'{"customer_id": 1}', NULL), 'Old Corp', 'a deleted row is read as it was');

-- What there is not

SELECT throws_ok($$SELECT crm.job_value('new', 'statuz')$$, '42703', 'merge field "new.statuz" does not exist');
SELECT throws_ok($$SELECT crm.job_value('custmer', 'name')$$, '42703', 'merge field "custmer.name" does not exist');
SELECT throws_ok($$SELECT crm.job_value('customer', 'nam e')$$, '42703', 'merge field "customer["nam e"]" does not exist');
SELECT throws_ok($$SELECT crm.job_value('customer')$$, '42703', 'merge field "customer" does not exist');
SELECT throws_ok($$SELECT crm.job_value('ctid')$$, '42703', 'merge field "ctid" does not exist');
SELECT throws_ok($$SELECT * FROM automation._path(automation._scope('crm.job', current_user::regrole), '{statuz}', 'column')$$,
	'42703', 'column "statuz" does not exist');
SELECT throws_ok($$SELECT crm.note_value('old', 'body')$$, '42P17', 'rule template for INSERT cannot reference OLD values');
SELECT throws_ok(
	$$SELECT automation._path(automation._scope('crm.job', current_user::regrole, '{delete}'), '{new,status}', 'column')$$,
	'42P17', 'rule condition for DELETE cannot reference NEW values');

CREATE FUNCTION crm.hint_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN hint;
END
$$;
SELECT is(crm.hint_of($$SELECT crm.job_path('new', 'statuz')$$), 'Perhaps you meant "new.status".', 'a column is suggested');
SELECT is(crm.hint_of($$SELECT crm.job_path('custmer', 'name')$$), 'Perhaps you meant "customer.name".', 'a link is');
SELECT is(crm.hint_of($$SELECT crm.job_path('customer', 'manager', 'emial')$$), 'Perhaps you meant "customer.manager.email".',
	'a column of a linked row is');
SELECT is(crm.hint_of($$SELECT crm.job_path('onwer', 'name')$$), 'Perhaps you meant "owner.name".', 'a role is');
SELECT is(crm.hint_of($$SELECT * FROM automation._path(automation._scope('crm.job', current_user::regrole), '{new,statuz}', 'column')$$),
	'Perhaps you meant to reference the column "new.status".', 'a condition has its own words');
SELECT is(crm.hint_of($$SELECT crm.job_path('warehouse', 'name')$$),
	'A link is a foreign key of one column, or made by automation.link().', 'where nothing is near, links are explained');

-- What the owner of the rule may not read

CREATE ROLE tap_author;
GRANT SELECT (id, status, customer_id) ON crm.job TO tap_author;
GRANT SELECT (id, name) ON crm.contact TO tap_author;
CREATE FUNCTION crm.author_path(VARIADIC path text[]) RETURNS text LANGUAGE sql AS $$
	SELECT sql FROM automation._path(automation._scope('crm.job', 'tap_author'), path)
$$;
SELECT is(crm.author_path('status'), 'new.status', 'a granted column is read');
SELECT is(crm.author_path('customer', 'name'), '(SELECT t.name FROM crm.contact AS t WHERE t.id = new.customer_id)',
	'on linked rows too');
SELECT throws_ok($$SELECT crm.author_path('assignee')$$, '42501', 'permission denied for column "assignee" of table "crm.job"');
SELECT throws_ok($$SELECT crm.author_path('owner')$$, '42501', 'permission denied for column "assignee" of table "crm.job"',
	'a role is no way around');
SELECT throws_ok($$SELECT crm.author_path('customer', 'phone')$$, '42501', 'permission denied for column "phone" of table "crm.contact"');
SELECT throws_ok($$SELECT crm.author_path('customer', 'manager', 'name')$$, '42501',
	'permission denied for column "manager_id" of table "crm.contact"', 'the columns of a link are read too');
REVOKE SELECT (id) ON crm.contact FROM tap_author;
SELECT throws_ok($$SELECT crm.author_path('customer', 'name')$$, '42501', 'permission denied for column "id" of table "crm.contact"');

ALTER TABLE crm.job ENABLE ROW LEVEL SECURITY;
SELECT throws_ok($$SELECT crm.author_path('status')$$, '42501',
	'row-level security of table "crm.job" hides rows from role tap_author', 'policies would not hide the images of a change');
ALTER ROLE tap_author BYPASSRLS;
SELECT is(crm.author_path('status'), 'new.status', 'unless they do not bind the author');

SELECT * FROM finish();
ROLLBACK;
