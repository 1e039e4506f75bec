-- The library of triggers: what each means for real changes, and what is refused.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TYPE crm.state AS ENUM ('draft', 'en_route', 'Done');
CREATE TABLE crm.job (
	id integer PRIMARY KEY,
	state text,
	technician_id integer,
	priority integer,
	amount numeric,
	phone text,
	due_on date,
	"First Name" text
);
CREATE TABLE crm.note (id integer PRIMARY KEY, job_id integer REFERENCES crm.job, copied_to integer REFERENCES crm.job, body text);
CREATE TABLE crm.remark (id integer PRIMARY KEY, job_id integer REFERENCES crm.job, body text);
CREATE TABLE crm.photo (id integer PRIMARY KEY, job_id integer REFERENCES crm.job);
CREATE TABLE crm.visit (id integer PRIMARY KEY, status crm.state, start timestamptz);
CREATE TABLE crm.todo (id integer PRIMARY KEY, done boolean);
CREATE TABLE crm.plain (id integer PRIMARY KEY, status text);

CREATE FUNCTION crm.attach_all() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM automation.attach('crm.job', 'job', '{"status": "state", "owner": "technician_id", "priority": "priority"}');
	PERFORM automation.attach('crm.remark', 'note');
	PERFORM automation.attach('crm.visit', 'appointment', '{"status": "status", "start": "start"}');
	PERFORM automation.attach('crm.todo', 'task', '{"status": "done"}');
	PERFORM automation.attach('crm.plain');
END
$$;
SELECT lives_ok($$SELECT crm.attach_all()$$, 'tables are attached');

CREATE FUNCTION crm.meaning(relation regclass, trigger text, params jsonb DEFAULT '{}') RETURNS record LANGUAGE sql AS $$
	SELECT (t.expression, t.events, t.row_relation, t.via) FROM automation._trigger_sql(automation._scope(relation, current_user::regrole), trigger, params) AS t
$$;
CREATE FUNCTION crm.sql_of(relation regclass, trigger text, params jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT t.expression FROM automation._trigger_sql(automation._scope(relation, current_user::regrole), trigger, params) AS t
$$;
-- Whether a trigger fires on a change: null before is an insertion, null after a deletion.
CREATE FUNCTION crm.fires(relation regclass, trigger text, params jsonb, before jsonb, after jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	event text := CASE WHEN before IS NULL THEN 'insert' WHEN after IS NULL THEN 'delete' ELSE 'update' END;
	means record;
	answer boolean;
BEGIN
	SELECT t.* INTO means FROM automation._trigger_sql(automation._scope(relation, current_user::regrole), trigger, params) AS t;
	EXECUTE format('SELECT %2$s FROM jsonb_populate_record(NULL::%1$s, $1) AS old, jsonb_populate_record(NULL::%1$s, $2) AS new',
		means.row_relation, means.expression) INTO answer USING before, after;
	RETURN event = ANY (means.events) AND answer IS TRUE;
END
$$;
CREATE FUNCTION crm.check_all(relation regclass, cases jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT is(crm.fires(relation, c ->> 0, c -> 1, nullif(c -> 2, 'null'), nullif(c -> 3, 'null')), (c ->> 4)::boolean,
		format('%s %s from %s to %s', c ->> 0, c ->> 1, c ->> 2, c ->> 3))
	FROM jsonb_array_elements(cases) AS c
$$;

-- Each line: trigger, parameters, the row before, the row after, whether it fires.

SELECT crm.check_all('crm.job', '[
["created", {}, null, {"id": 1}, true],
["created", {}, {"id": 1}, {"id": 2}, false],
["job.created", null, null, {"id": 1}, true],
["updated", {}, {"id": 1}, {"id": 2}, true],
["written", {}, {"id": 1}, {"id": 2}, true],
["written", {}, null, {"id": 1}, true],
["written", {}, {"id": 1}, null, false],
["updated", {}, null, {"id": 1}, false],
["job.deleted", {}, {"id": 1}, null, true],
["deleted", {}, {"id": 1}, {"id": 2}, false],

["field_changed", {"field": "priority"}, {"priority": 1}, {"priority": 2}, true],
["field_changed", {"field": "priority"}, {"priority": 1}, {"priority": 1}, false],
["field_changed", {"field": "priority"}, null, {"priority": 1}, false],
["field_changed", {"field": "priority"}, {"priority": 1}, {}, true],
["field_changed", {"field": "priority", "to": 3}, {"priority": 1}, {"priority": 2}, false],
["field_changed", {"field": "priority", "to": [2, 3]}, {"priority": 1}, {"priority": 2}, true],
["field_changed", {"field": "priority", "from": 1}, {"priority": 2}, {"priority": 3}, false],
["field_changed", {"field": "priority", "from": 1, "to": "2"}, {"priority": 1}, {"priority": 2}, true],
["field_changed", {"field": ["priority", "First Name"]}, {"First Name": "A"}, {"First Name": "B"}, true],
["field_changed", {"fields": ["priority", "amount"]}, {"amount": 1}, {"amount": 2}, true],
["field_changed", {"fields": ["priority", "amount"]}, {"phone": "1"}, {"phone": "2"}, false],
["field_changed", {"field": "First Name", "to": "a, b {to}"}, {}, {"First Name": "a, b {to}"}, true],

["field_filled", {"field": "phone"}, {"phone": " "}, {"phone": "1"}, true],
["field_filled", {"field": "phone"}, null, {"phone": "1"}, true],
["field_filled", {"field": "phone"}, null, {"phone": ""}, false],
["field_filled", {"field": "phone"}, {"phone": "1"}, {"phone": "2"}, false],
["field_filled", {"field": "amount"}, {}, {"amount": 0}, true],
["field_filled", {"field": "First Name"}, {}, {"First Name": "A"}, true],
["job.field_cleared", {"field": "phone"}, {"phone": "1"}, {"phone": " "}, true],
["field_cleared", {"field": "phone"}, {"phone": "1"}, {}, true],
["field_cleared", {"field": "phone"}, {}, {"phone": ""}, false],
["field_cleared", {"field": "due_on"}, {"due_on": "2026-01-01"}, {}, true],

["status_changed", {}, {"state": "A"}, {"state": "B"}, true],
["status_changed", {}, null, {"state": "B"}, false],
["job.status_changed", {"to": "B"}, {"state": "A"}, {"state": "B"}, true],
["job.status_changed", {"to": "B"}, {"state": "B"}, {"state": "B"}, false],
["status_changed", {"from": ["A", "C"], "to": "B"}, {"state": "C"}, {"state": "B"}, true],
["status_entered", {"to": "B"}, {"state": "A"}, {"state": "B"}, true],
["status_entered", {"to": "B"}, null, {"state": "B"}, true],
["status_entered", {"to": "B"}, {"state": "B", "id": 1}, {"state": "B", "id": 2}, false],
["status_left", {"from": "B"}, {"state": "B"}, {"state": "C"}, true],
["status_left", {"from": "B"}, {"state": "B"}, {}, true],
["status_left", {"from": ["B", "C"]}, {"state": "B"}, {"state": "C"}, false],
["status_left", {"from": "B"}, {"state": "B"}, null, false],

["threshold_crossed", {"field": "amount", "value": 100}, {"amount": 99}, {"amount": 100}, true],
["threshold_crossed", {"field": "amount", "value": 100}, {"amount": 100}, {"amount": 101}, false],
["threshold_crossed", {"field": "amount", "value": 100}, null, {"amount": 101}, true],
["threshold_crossed", {"field": "amount", "value": 100, "direction": "up"}, {"amount": 101}, {"amount": 99}, false],
["threshold_crossed", {"field": "amount", "value": 100, "direction": "down"}, {"amount": 101}, {"amount": 100}, true],
["threshold_crossed", {"field": "amount", "value": 100, "direction": "down"}, null, {"amount": 10}, false],
["threshold_crossed", {"field": "amount", "value": 100, "direction": "any"}, {"amount": 101}, {"amount": 99}, true],
["threshold_crossed", {"field": "due_on", "value": "2026-01-31"}, {"due_on": "2026-01-30"}, {"due_on": "2026-02-01"}, true],

["assigned", {}, {}, {"technician_id": 1}, true],
["assigned", {}, null, {"technician_id": 1}, true],
["assigned", {"to": 2}, {"technician_id": 1}, {"technician_id": 2}, true],
["assigned", {"to": [3, 4]}, {"technician_id": 1}, {"technician_id": 2}, false],
["assigned", {}, {"technician_id": 1}, {}, false],
["reassigned", {}, {"technician_id": 1}, {"technician_id": 2}, true],
["reassigned", {}, {}, {"technician_id": 2}, false],
["job.unassigned", {}, {"technician_id": 1}, {}, true],
["unassigned", {}, {"technician_id": 1}, {"technician_id": 2}, false],

["job.dispatched", {}, {"state": "Scheduled"}, {"state": "Dispatched"}, true],
["job.dispatched", {}, {"state": "scheduled"}, {"state": "dispatched"}, true],
["job.dispatched", {}, {"state": "Scheduled"}, {"state": "Completed"}, false],
["job.dispatched", {"to": "Unterwegs"}, {"state": "Geplant"}, {"state": "Unterwegs"}, true],
["job.dispatched", {"to": "Unterwegs"}, {"state": "Geplant"}, {"state": "Dispatched"}, false],
["job.en_route", {}, {}, {"state": "en_route"}, true],
["job.completed", {}, {}, {"state": "Completed"}, true],
["job.resumed", {}, {"state": "On Hold"}, {"state": "Scheduled"}, true],
["job.reopened", {}, {"state": "Completed"}, {"state": "Closed"}, false],
["job.reopened", {}, {"state": "Completed"}, {"state": "Scheduled"}, true],
["job.priority_changed", {"to": 3}, {"priority": 1}, {"priority": 3}, true]
]');
SELECT crm.check_all('crm.visit', '[
["appointment.booked", {}, null, {"id": 1}, true],
["appointment.moved", {}, {"start": "2026-01-01T10:00Z"}, {"start": "2026-01-01T11:00Z"}, true],
["appointment.status_entered", {"to": "Done"}, {"status": "draft"}, {"status": "Done"}, true]
]');
SELECT crm.check_all('crm.todo', '[["task.completed", {"to": true}, {"done": false}, {"done": true}, true]]');

-- What they become

SELECT is(crm.sql_of('crm.job', 'status_entered', '{"to": "Dispatched"}'),
	$$automation.changed(old.state, new.state) AND new.state = 'Dispatched'::text$$,
	'one status is a plain equality, for the index of rules');
SELECT is(crm.sql_of('crm.job', 'job.status_changed', '{"to": "Dispatched"}'),
	$$(automation.changed(old.state, new.state)) AND (new.state = 'Dispatched'::text)$$, 'so it is here');
SELECT results_eq(
	$$SELECT events, row_relation, via FROM automation._trigger_sql(automation._scope('crm.job', current_user::regrole), 'manual', NULL)$$,
	$$VALUES ('{}'::text[], 'crm.job'::regclass, NULL::text)$$, 'no change fires a manual rule');

-- Children

SELECT is(crm.meaning('crm.job', 'child_added', '{"child": "crm.remark"}')::text,
	'("new.job_id IS NOT NULL",{insert},crm.remark,job_id)', 'a child''s insertion fires a rule about its parent');
SELECT is(crm.meaning('crm.job', 'child_added', '{"child": "remark"}')::text,
	'("new.job_id IS NOT NULL",{insert},crm.remark,job_id)', 'the child may be named without the schema');
SELECT is(crm.meaning('crm.job', 'job.note_added')::text,
	'("new.job_id IS NOT NULL",{insert},crm.remark,job_id)', 'or found by its object type');
SELECT throws_ok($$SELECT crm.sql_of('crm.job', 'child_added', '{"child": "crm.photo"}')$$, '55000', 'table "crm.photo" is not attached');
SELECT throws_ok($$SELECT crm.sql_of('crm.job', 'job.photo_added')$$, '55000', 'table "crm.photo" is not attached');
SELECT throws_ok($$SELECT crm.sql_of('crm.job', 'child_added', '{"child": "crm.note"}')$$, '42702',
	'table "crm.note" has several links to table "crm.job"');
SELECT throws_ok($$SELECT crm.sql_of('crm.job', 'child_added', '{"child": "crm.todo"}')$$, '42704',
	'table "crm.todo" has no link to table "crm.job"');
SELECT lives_ok($$SELECT automation.attach('crm.note', 'memo')$$, 'a child with two links');
SELECT is(crm.meaning('crm.job', 'child_added', '{"child": "memo", "link": "copied_to"}')::text,
	'("new.copied_to IS NOT NULL",{insert},crm.note,copied_to)', 'is told which one counts');

-- Mistakes

SELECT throws_ok(format('SELECT crm.sql_of(%L, %L, %L)', relation, trigger, params), code, message, format('%s %s', trigger, params))
FROM (VALUES
	('crm.job', 'job.dispached', '{}', '22023', 'unrecognized trigger: "job.dispached"'),
	('crm.job', 'upsert', '{}', '22023', 'unrecognized trigger: "upsert"'),
	('crm.job', 'deal.won', '{}', '22023', 'trigger "deal.won" is not for table "crm.job"'),
	('crm.job', 'deal.created', '{}', '22023', 'trigger "deal.created" is not for table "crm.job"'),
	('crm.job', 'job.won', '{}', '22023', 'unrecognized trigger: "job.won"'),
	('crm.photo', 'created', '{}', '55000', 'table "crm.photo" is not attached'),
	('crm.plain', 'status_entered', '{"to": "x"}', '55000',
		'trigger "status_entered" needs a column with the role "status", and table "crm.plain" has none'),
	('crm.job', 'status_entered', '{}', '22023', 'trigger "status_entered" needs the parameter "to"'),
	('crm.job', 'status_entered', '{"too": "x"}', '22023', 'unrecognized parameter "too" of trigger "status_entered"'),
	('crm.job', 'status_entered', '{"to": null}', '22023', 'parameter "to" of trigger "status_entered" must not be of type null'),
	('crm.job', 'status_entered', '{"to": {}}', '22023', 'parameter "to" of trigger "status_entered" must not be of type object'),
	('crm.job', 'status_entered', '{"to": []}', '22023', 'operator "changedTo" needs at least one value'),
	('crm.job', 'status_entered', '["x"]', '22023', 'parameters of trigger "status_entered" must be a JSON object'),
	('crm.job', 'created', '{"to": "x"}', '22023', 'unrecognized parameter "to" of trigger "created"'),
	('crm.job', 'field_changed', '{}', '22023', 'trigger "field_changed" needs the parameter "field"'),
	('crm.job', 'field_changed', '{"field": "priorty"}', '42703', 'column "priorty" does not exist'),
	('crm.job', 'field_changed', '{"field": []}', '22023', 'parameter "field" of trigger "field_changed" is empty'),
	('crm.job', 'field_changed', '{"field": [1]}', '42703', 'column "1" does not exist'),
	('crm.job', 'field_changed', '{"field": "priority", "to": "high"}', '22P02', 'invalid input syntax for type integer: "high"'),
	('crm.job', 'threshold_crossed', '{"field": "amount", "value": 1, "direction": "sideways"}', '22023',
		'invalid value of parameter "direction" of trigger "threshold_crossed": "sideways"'),
	('crm.job', 'threshold_crossed', '{"field": "amount", "value": "much"}', '22P02', 'invalid input syntax for type numeric: "much"'),
	('crm.todo', 'task.completed', '{}', '22P02', 'invalid input syntax for type boolean: "Completed"'),
	('crm.visit', 'appointment.confirmed', '{}', '55000', 'no status of table "crm.visit" is one of those that trigger "appointment.confirmed" looks for'),
	('crm.job', 'job.created', '{"job_type": "Roof"}', '55000', 'trigger "job.created" needs a column with the role "type", and table "crm.job" has none'),
	('crm.job', 'job.note_added', '{"visibility": "public"}', '55000', 'trigger "job.note_added" needs a column with the role "visibility", and table "crm.remark" has none'),
	('crm.job', 'job.nte_exceeded', '{}', '55000', 'trigger "job.nte_exceeded" needs a column with the role "cost", and table "crm.job" has none'),
	('crm.job', 'child_status_entered', '{"child": "crm.remark", "to": "x"}', '55000',
		'trigger "child_status_entered" needs a column with the role "status", and table "crm.remark" has none'),
	('crm.job', 'field_matches', '{"filter": "x"}', '22023', 'parameter "filter" of trigger "field_matches" must not be of type string'),
	('crm.job', 'field_matches', '{"filter": {"field": "new.state", "operator": "filled"}}', '22023', '"became" needs plain columns of the changed row'),
	('crm.job', 'field_matches', '{"filter": {"field": "amount", "operator": ">", "value": 1, "times": 2}}', '22023', '"times" and "plus" of a condition need "valueSource": "field"'),
	('crm.job', 'date_passed', '{"field": "due_on", "days": "7"}', '22023', 'parameter "days" of trigger "date_passed" must not be of type string'),
	('crm.job', 'tag_added', '{}', '55000', 'trigger "tag_added" needs a column with the role "tags", and table "crm.job" has none')
) AS c(relation, trigger, params, code, message);

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
SELECT is(crm.hint_of($$SELECT crm.sql_of('crm.job', 'job.dispached')$$), 'Perhaps you meant "job.dispatched".', 'a trigger is suggested');
SELECT is(crm.hint_of($$SELECT crm.sql_of('crm.job', 'job.status_enterd')$$), 'Perhaps you meant "job.status_entered".', 'a generic one too');
SELECT is(crm.hint_of($$SELECT crm.sql_of('crm.plain', 'status_entered', '{"to": "x"}')$$),
	$$Name it: SELECT automation.attach('crm.plain', object_type => 'record', columns => '{"status": "..."}');$$,
	'the way to name a role is shown');
SELECT is(crm.hint_of($$SELECT crm.sql_of('crm.job', 'status_changed', '{"two": "x"}')$$), 'Perhaps you meant "to". Valid parameters are: from, to.',
	'parameters are listed');
SELECT is(crm.hint_of($$SELECT crm.sql_of('crm.job', 'threshold_crossed', '{"field": "amount", "value": 1, "direction": 1}')$$),
	'Valid types are: string.', 'so are their types');

-- Statuses of an enum: of the usual spellings, those that it has.
SELECT is(crm.sql_of('crm.visit', 'appointment.status_entered', '{"to": "en_route"}'),
	$$automation.changed(old.status, new.status) AND new.status = 'en_route'::crm.state$$, 'an enum takes its labels');
SELECT lives_ok($$SELECT automation.attach('crm.visit', 'task', '{"status": "status"}')$$, 'an enum that has one of two spellings');
SELECT is(crm.sql_of('crm.visit', 'task.completed'),
	$$automation.changed(old.status, new.status) AND new.status = 'Done'::crm.state$$, 'is asked for that one');

-- The library

SELECT is((SELECT array_agg(name ORDER BY name) FROM automation.trigger_definition WHERE object_type IS NULL),
	'{assigned,child_added,child_changed,child_removed,child_status_entered,created,date_approaching,date_moved,date_passed,deleted,field_changed,field_cleared,field_decreased,field_filled,field_increased,field_matches,flag_cleared,flag_set,held_for,manual,no_activity,reassigned,recurring,schedule,status_changed,status_entered,status_left,stayed_in_status,tag_added,tag_removed,threshold_crossed,unassigned,updated,written}',
	'the generic triggers');
SELECT is((SELECT count(*) FROM automation.trigger_definition WHERE object_type IS DISTINCT FROM substring(name FROM '^(.*)\.')), 0::bigint,
	'the others begin with their object type');
SELECT is_empty('SELECT name, relation FROM automation.triggers GROUP BY 1, 2 HAVING count(*) > 1', 'every name is listed once for each table');
SELECT results_eq(
	$$SELECT object_type, detects, example, needs FROM automation.triggers WHERE name = 'job.status_entered' AND relation = 'crm.job'::regclass$$,
	$$VALUES ('job', 'a row gets a status, or is inserted with it', 'trigger => ''job.status_entered'', params => ''{"to": "Dispatched"}''', '{}'::text[])$$,
	'generic triggers are listed for each object type');
SELECT results_eq(
	$$SELECT name, needs FROM automation.triggers WHERE relation = 'crm.job'::regclass AND needs <> '{}' ORDER BY 1$$,
	$$VALUES ('job.callback_detected', '{"role completed","role location"}'::text[]),
		('job.checklist_completed', '{"table checklist with role status"}'), ('job.completed_without_photo', '{"table photo"}'),
		('job.completed_without_signature', '{"role signature"}'), ('job.cost_changed', '{"role cost"}'),
		('job.first_visit_incomplete', '{"table appointment"}'), ('job.nte_approaching', '{"role cost","role limit"}'),
		('job.nte_exceeded', '{"role cost","role limit"}'), ('job.overdue', '{"role due"}'), ('job.photo_added', '{"table photo"}'),
		('job.signature_captured', '{"role signature"}'), ('job.tag_added', '{"role tags"}'), ('job.tag_removed', '{"role tags"}'),
		('job.warranty_claimed', '{"role warranty"}')$$,
	'what a table lacks for the others is told');
SELECT results_eq($$SELECT name, relation, needs FROM automation.triggers WHERE name IN ('deal.won', 'updated') ORDER BY 1$$,
	$$VALUES ('deal.won', NULL::regclass, '{table deal}'::text[]), ('updated', NULL, NULL)$$, 'or that there is none of its type');
SELECT is((SELECT defaults FROM automation.triggers WHERE name = 'job.scheduled'), '{"to": ["Scheduled", "scheduled"]}', 'defaults are shown');

CREATE ROLE tap_author;
SELECT ok(NOT has_table_privilege('tap_author', 'automation.trigger_definition', 'INSERT, UPDATE, DELETE, TRUNCATE'),
	'nobody writes to the library');

SELECT * FROM finish();
ROLLBACK;
