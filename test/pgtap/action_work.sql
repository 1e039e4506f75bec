-- Actions on tags, stages, priorities, notes, flags, checklists and events; and what is known of each action.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TYPE crm.stage AS ENUM ('New', 'Offer', 'Won');
CREATE TABLE crm.job (
	id integer PRIMARY KEY, status text DEFAULT 'New', priority integer DEFAULT 1, tags text[], labels jsonb, title text DEFAULT 'Roof');
CREATE TABLE crm.deal (id integer PRIMARY KEY, stage crm.stage);
CREATE TABLE crm.pair (a integer, b integer, PRIMARY KEY (a, b));
SELECT automation.attach('crm.job', 'job', '{"status": "status", "priority": "priority", "tags": "tags"}'),
	automation.attach('crm.deal', 'deal', '{"status": "stage"}'), automation.attach('crm.pair', 'pair');

-- Makes a rule of one step for rows that change their title, changes one, drops the rule; answers what the log says.
CREATE FUNCTION crm.step(step automation.step, number integer DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	INSERT INTO crm.job (id) VALUES (number) ON CONFLICT DO NOTHING;
	PERFORM automation.create_rule('tap', 'crm.job', 'field_changed', '{"field": "title"}', steps => ARRAY[step], activate => true);
	UPDATE crm.job SET title = title || '.' WHERE id = number;
	SELECT concat_ws(' ', l.status, l.result, l.sqlstate, l.reason) INTO answer
	FROM automation.step_log AS l WHERE l.rule = 'tap' ORDER BY l.run_id DESC LIMIT 1;
	PERFORM automation.drop_rule('tap');
	RETURN answer;
END
$$;
CREATE FUNCTION crm.refused(step automation.step, relation text DEFAULT 'crm.job') RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT automation.create_rule(''tap'', %L, ''created'', steps => ARRAY[%L::automation.step])', relation, step)
$$;

-- Tags

SELECT is(crm.step(automation.add_tag('vip', '{{ id }}')), 'succeeded {"tags": ["vip", "1"]}', 'add_tag: the first ones, templates too');
SELECT is(crm.step(automation.add_tag('north', 'vip')), 'succeeded {"tags": ["vip", "1", "north"]}', 'only what is missing');
SELECT is(crm.step(automation.add_tag('vip')), 'succeeded no row to change', 'and no write when nothing is');
SELECT is(crm.step(automation.remove_tag('1', 'south')), 'succeeded {"tags": ["vip", "north"]}', 'remove_tag: what is there');
SELECT is(crm.step(automation.remove_tag('south')), 'succeeded no row to change', 'and nothing else');
SELECT throws_ok(crm.refused(automation.add_tag('x'), 'crm.deal'), '55000', 'action "add_tag" needs a column with the role "tags", and table "crm.deal" has none', 'a table without the role');
SELECT throws_ok(crm.refused(automation.action('add_tag', '{"tag": []}')), '22023', 'parameter "tag" of action "add_tag" is empty', 'no tag');
SELECT automation.attach('crm.job', 'job', '{"status": "status", "priority": "priority", "tags": "title"}');
SELECT throws_ok(crm.refused(automation.add_tag('x')), '42804', 'column "title" of table "crm.job" cannot hold tags', 'a column that is no array');
SELECT automation.attach('crm.job', 'job', '{"status": "status", "priority": "priority", "tags": "labels"}');
SELECT is(crm.step(automation.add_tag('vip')), 'succeeded {"labels": ["vip"]}', 'add_tag: jsonb');
SELECT is(crm.step(automation.add_tag('b', 'vip', 'a')), 'succeeded {"labels": ["vip", "b", "a"]}', 'only what is missing');
SELECT is(crm.step(automation.remove_tag('vip')), 'succeeded {"labels": ["b", "a"]}', 'remove_tag: jsonb');

-- Stages

SELECT is(crm.step(automation.set_stage('Done')), 'succeeded {"status": "Done"}', 'set_stage');
SELECT is(crm.step(automation.set_stage('Open', true, '{New,Open,Done}')), 'succeeded no row to change', 'only_forward: not back');
SELECT is(crm.step(automation.set_stage('Open', true, '{New,Open,Done}'), 2), 'succeeded {"status": "Open"}', 'but forward');
SELECT is(crm.step(automation.set_stage('Open', true, '{Open,Done}'), 3), 'succeeded no row to change', 'nor from a stage outside the order');
SELECT throws_ok(crm.refused(automation.set_stage('Open', true)), '22023', 'action "set_stage" needs the parameter "order" to go only forward', 'a text has no order');
SELECT throws_ok(crm.refused(automation.set_stage('Opne', true, '{New,Open}')), '22023', 'stage "Opne" is not in the order of stages', 'a stage outside it');
SELECT throws_ok(crm.refused(automation.set_stage('Lost'), 'crm.deal'), '22P02', 'invalid input value for enum crm.stage: "Lost"', 'a stage that the enum lacks');
SELECT automation.create_rule('win', 'crm.deal', 'created', steps => ARRAY[automation.set_stage('Offer', true)], activate => true);
INSERT INTO crm.deal VALUES (1, 'New'), (2, 'Won');
SELECT results_eq('SELECT stage::text FROM crm.deal ORDER BY id', $$VALUES ('Offer'), ('Won')$$, 'only_forward: an enum has an order');

-- Priority

SELECT is(crm.step(automation.set_priority('3')), 'succeeded {"priority": 3}', 'set_priority: a value');
SELECT is(crm.step(automation.set_priority(expression => 'new.priority + 1')), 'succeeded {"priority": 4}', 'an expression');
SELECT throws_ok(crm.refused(automation.set_priority()), '22023', 'action "set_priority" needs either "value" or "expression"', 'neither');
SELECT throws_ok(crm.refused(automation.set_priority('3'), 'crm.deal'), '55000', NULL, 'a table without the role');

-- Notes

SELECT throws_ok(crm.refused(automation.add_note('x')), '55000', 'no attached table has the object type "note"', 'add_note: no table for notes');
CREATE TABLE crm.note (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject integer, body text, author text, secret boolean);
SELECT automation.attach('crm.note', 'note', '{}');
SELECT throws_ok(crm.refused(automation.add_note('x')), '55000', 'table "crm.note" has no column that leads to table "crm.job"', 'one that does not lead to the record');
SELECT automation.attach('crm.note', 'note', '{"job": "subject"}');
SELECT throws_ok(crm.refused(automation.add_note('x', visibility => 'all')), '55000', 'table "crm.note" has no column for the role "visibility"', 'a column that is missing');
SELECT is(crm.step(automation.add_note('{{ title }} is {{ status }}', 'us', fields => '{"secret": true}')), 'succeeded {"id": 1}', 'add_note');
SELECT results_eq('SELECT subject, body, author, secret FROM crm.note', $$SELECT 1, title || ' is Done', 'us', true FROM crm.job WHERE id = 1$$, 'is written');
SELECT throws_ok(crm.refused(automation.add_note('x', fields => '{"no": 1}')), '42703', NULL, 'an unknown column');

-- Flags

CREATE TABLE crm.flag (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES crm.job, kind text, status text, severity text, body text, suggestion jsonb);
SELECT throws_ok(crm.refused(automation.raise_flag('late')), '55000', 'no attached table has the object type "flag"', 'raise_flag: no table for flags');
SELECT automation.attach('crm.flag', 'flag', '{"kind": "kind", "status": "status"}');
SELECT is(crm.step(automation.raise_flag('late', 'high', '{{ title }} is late', '{"assign": "{{ id }}", "n": 1}')), 'succeeded {"id": 1}', 'raise_flag');
SELECT results_eq('SELECT job_id, kind, status, severity, suggestion FROM crm.flag', $$VALUES (1, 'late', 'Open', 'high', '{"assign": 1, "n": 1}'::jsonb)$$, 'is written');
SELECT is(crm.step(automation.raise_flag('late')), 'succeeded no row to change', 'one of a kind is enough');
SELECT is(crm.step(automation.raise_flag('late'), 2), 'succeeded {"id": 2}', 'for each record');
SELECT is(crm.step(automation.raise_flag('odd')), 'succeeded {"id": 3}', 'and kind');
SELECT is(crm.step(automation.clear_flag('late')), 'succeeded {"id": 1}', 'clear_flag');
SELECT results_eq('SELECT id, status FROM crm.flag ORDER BY id', $$VALUES (1, 'Cleared'), (2, 'Open'), (3, 'Open')$$, 'clears those of the record and kind');
SELECT is(crm.step(automation.raise_flag('late')), 'succeeded {"id": 4}', 'then another can be raised');
SELECT is(crm.step(automation.clear_flag('none')), 'succeeded no row to change', 'none to clear');
SELECT throws_ok(crm.refused(automation.raise_flag('x'), 'crm.pair'), '55000', NULL, 'a record that no flag leads to');

-- Checklists

CREATE TABLE crm.item (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES crm.job, kind text, status text, title text, position integer);
SELECT throws_ok(crm.refused(automation.attach_checklist('hvac', '{a}')), '55000', 'no attached table has the object type "checklist_item"', 'attach_checklist: no table');
SELECT automation.attach('crm.item', 'checklist_item', '{"kind": "kind", "status": "status", "title": "title"}');
SELECT alike(crm.step(automation.attach_checklist('hvac', '{Flue draft,"Pressure at {{ title }}"}')), 'succeeded {"id": _}', 'attach_checklist');
SELECT results_eq('SELECT job_id, kind, status, title, position FROM crm.item ORDER BY position',
	$$SELECT 1, 'hvac', 'Open', v.title, v.n FROM crm.job AS j, LATERAL (VALUES ('Flue draft', 1), ('Pressure at ' || j.title, 2)) AS v(title, n) WHERE j.id = 1$$, 'an item each, in order');
SELECT is(crm.step(automation.attach_checklist('hvac', '{a,b,c}')), 'succeeded no row to change', 'once for the record');
SELECT alike(crm.step(automation.attach_checklist('other', '{a}', 'To do')), 'succeeded {"id": _}', 'another list is another');
SELECT throws_ok(crm.refused(automation.attach_checklist('x', '{}')), '22023', 'parameter "items" of action "attach_checklist" must be an array of texts', 'no items');
SELECT alike(crm.step(automation.require_evidence('photo', 2, 'Photo of {{ id }}')), 'succeeded {"id": _}', 'require_evidence');
SELECT results_eq($$SELECT title, position FROM crm.item WHERE kind = 'photo' ORDER BY position$$, $$VALUES ('Photo of 1', 1), ('Photo of 1', 2)$$, 'as many items as asked for');
SELECT alike(crm.step(automation.require_evidence('photo', 3)), 'succeeded {"id": _}', 'more are needed');
SELECT is((SELECT count(*) FROM crm.item WHERE kind = 'photo'), 3::bigint, 'there are so many, not more');
SELECT is(crm.step(automation.require_evidence('photo', 3)), 'succeeded no row to change', 'and it is enough');
SELECT throws_ok(crm.refused(automation.require_evidence('photo', 0)), '22023', 'parameter "count" of action "require_evidence" must be a whole number from 1 to 100', 'none is no evidence');

-- Events

CREATE TABLE crm.event (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, kind text, payload jsonb, dedupe text);
SELECT automation.attach('crm.event', 'external', '{"kind": "kind", "external_id": "dedupe"}');
SELECT throws_ok(crm.refused(automation.emit_event('x', dedupe_key => 'y')), '55000', 'column "dedupe" of table "crm.event" is not unique', 'emit_event: a key that is not unique');
ALTER TABLE crm.event ADD UNIQUE (dedupe);
SELECT automation.create_rule('hear', 'crm.event', 'external.event', '{"kind": "job.moved"}', steps => ARRAY[automation.notify('Ann', '{{ kind }}')], activate => true);
SELECT is(crm.step(automation.emit_event('job.moved', '{"job": "{{ id }}"}', 'j{{ id }}')), 'succeeded {"id": 1}', 'emit_event');
SELECT is(crm.step(automation.emit_event('job.moved', '{"job": "{{ id }}"}', 'j{{ id }}')), 'succeeded no row to change', 'once for each key');
SELECT results_eq('SELECT kind, payload, dedupe FROM crm.event', $$VALUES ('job.moved', '{"job": 1}'::jsonb, 'j1')$$, 'is written');
SELECT results_eq('SELECT body FROM automation.notification', $$VALUES ('job.moved')$$, 'and other rules hear of it');

-- The same from outside

SELECT is(automation.ingest('job.moved', '{"job": 7}', 'x1'), '{"id": 3}', 'ingest: an event from outside');
SELECT is(automation.ingest('job.moved', '{"job": 7}', 'x1'), NULL, 'once for each key');
SELECT is(automation.ingest('other'), '{"id": 5}', 'nothing but its kind is needed');
SELECT results_eq('SELECT kind, payload, dedupe FROM crm.event WHERE id > 1 ORDER BY id', $$VALUES ('job.moved', '{"job": 7}'::jsonb, 'x1'), ('other', NULL, NULL)$$, 'is written');
SELECT is((SELECT count(*) FROM automation.notification), 2::bigint, 'and rules hear of it');
SELECT throws_ok($$SELECT automation.ingest('')$$, '22023', 'kind of the event must not be empty', 'an event of no kind');
CREATE ROLE tap_outside;
GRANT USAGE ON SCHEMA automation TO tap_outside;
GRANT EXECUTE ON FUNCTION automation.ingest TO tap_outside;
SET LOCAL ROLE tap_outside;
SELECT throws_ok($$SELECT automation.ingest('x')$$, '42501', NULL, 'who may not insert into the table may not do so');
RESET ROLE;

-- The library

SELECT is(automation.describe_action('set_stage') #>> '{params,properties,only_forward,type}', 'boolean', 'describe_action: the JSON schema of its parameters');
SELECT is(automation.describe_action('send_sms') - '{params,description}'::text[], '{"name": "send_sms", "kind": "message", "undo": "recallable", "category": "communication", "channel_kind": "sms", "message_class": "transactional"}', 'and what it is');
SELECT throws_ok($$SELECT automation.describe_action('set_stagee')$$, '42704', 'action "set_stagee" does not exist', 'or that there is none');
SELECT is((SELECT array_agg(name) FROM automation.actions WHERE (kind = 'message') <> (undo = 'recallable')), NULL, 'what is sent is recallable until then');
SELECT is((SELECT array_agg(name) FROM automation.action_definition WHERE to_regprocedure(format('automation.%I(automation._scope,automation._site,jsonb)', compiler)) IS NULL), NULL, 'each has a compiler');
SELECT is((SELECT array_agg(DISTINCT d.name) FROM automation.action_definition AS d, jsonb_object_keys(d.params) AS k WHERE k NOT IN ('required', 'properties')
	OR NOT coalesce(d.params -> 'required', '[]') <@ (SELECT jsonb_agg(p) FROM jsonb_object_keys(d.params -> 'properties') AS p)), NULL, 'and needs no parameter that it does not have');

SELECT * FROM finish();
ROLLBACK;
