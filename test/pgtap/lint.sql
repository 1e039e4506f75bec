-- lint(): bad rules, each with what it says of them, and good ones, of which it says nothing.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text NOT NULL, phone text);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text NOT NULL, stage text, priority integer, note text, contact_id integer NOT NULL REFERENCES crm.contact, owner text);
CREATE TABLE crm.part (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}'), automation.attach('crm.part', 'part');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE ROLE tap_author;
GRANT USAGE, CREATE ON SCHEMA crm TO tap_author;
GRANT ALL ON ALL TABLES IN SCHEMA crm TO tap_author;
GRANT USAGE ON FOREIGN SERVER tap_sms TO tap_author;
SELECT automation.grant_access('tap_author', 'author');
SET LOCAL ROLE tap_author;

CREATE FUNCTION crm.rule(name text, trigger text, params jsonb, steps automation.step[], condition text DEFAULT NULL, relation regclass DEFAULT 'crm.job') RETURNS integer LANGUAGE sql AS $$
	SELECT automation.create_rule(name, relation, trigger, params, condition, steps, activate => true)
$$;
CREATE FUNCTION crm.lint() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' | ', rule_name, severity, finding, detail), E'\n') FROM automation.lint()
$$;
CREATE FUNCTION crm.drop_all() RETURNS void LANGUAGE sql AS $$ SELECT automation.drop_rule(name) FROM automation.rules $$;

-- Nothing to say

SELECT crm.rule('fine', 'status_entered', '{"to": "Won"}', ARRAY[automation.send_sms('tap_sms', '{{ contact.phone | default: "+15005550006" }}', 'Hi {{ contact.name }}, {{ id }} {{ note | default: "-" }}'),
	automation.after('1 day', automation.notify('a', '{{ status }}'), cancel_if_changed => '{status}')]);
SELECT crm.rule('also', 'status_entered', '{"to": "Lost"}', ARRAY[automation.update_field('stage', 'Over')]);
SELECT crm.rule('won', 'status_entered', '{"to": "Won"}', ARRAY[automation.update_field('stage', 'Open')]);
SELECT is(crm.lint(), NULL, 'there is nothing to say of rules that are right');
SELECT crm.drop_all();

-- Cycles

SELECT crm.rule('a', 'field_changed', '{"field": "priority"}', ARRAY[automation.update_field('stage', expression => 'new.priority::text')]);
SELECT crm.rule('b', 'field_changed', '{"field": "stage"}', ARRAY[automation.update_field('note', '{{ id }}')]);
SELECT is(crm.lint(), NULL, 'a chain that ends');
SELECT crm.rule('c', 'field_changed', '{"field": "note"}', ARRAY[automation.update_field('priority', expression => 'new.priority + 1')]);
SELECT is(crm.lint(), 'a | error | cycle | "a" > "b" > "c" > "a"', 'one that does not');
SELECT automation.alter_rule('b', condition => $$new.stage = 'x'$$, steps => ARRAY[automation.update_field('note', 'y')]);
SELECT automation.alter_rule('c', condition => $$new.note = 'z'$$);
SELECT is(crm.lint(), NULL, 'a value that the next rule does not want ends it');
SELECT automation.alter_rule('c', condition => $$new.note = 'y'$$);
SELECT is(crm.lint(), 'a | error | cycle | "a" > "b" > "c" > "a"', 'one that it wants does not');
SELECT automation.disable_rule('c');
SELECT is(crm.lint(), NULL, 'nor does a rule that is disabled');
SELECT crm.drop_all();
SELECT crm.rule('self', 'updated', '{}', ARRAY[automation.update_field('priority', expression => 'new.priority + 1')]);
SELECT crm.rule('born', 'created', '{}', ARRAY[automation.create_record('crm.part', '{"name": "x"}')], NULL, 'crm.part');
SELECT is(crm.lint(), E'self | error | cycle | "self" > "self"\nborn | error | cycle | "born" > "born"', 'a rule that fires itself, by an update or by an insert');
SELECT crm.drop_all();
SELECT crm.rule('two', 'manual', '{}', ARRAY[automation.notify('a', 'b')]);
SELECT crm.rule('one', 'manual', '{}', ARRAY[automation.start_rule('two')]);
SELECT automation.alter_rule('two', steps => ARRAY[automation.start_rule('one')]);
SELECT is(crm.lint(), 'two | error | cycle | "two" > "one" > "two"', 'rules that start each other');
SELECT crm.drop_all();

-- Conditions

SELECT crm.rule('never', 'status_entered', '{"to": "Won"}', ARRAY[automation.notify('a', 'b')], $$new.status = 'Lost'$$);
SELECT is(crm.lint(), $$never | error | unreachable | it wants status to be 'Lost' and 'Won' at once$$, 'a condition that cannot hold');
SELECT crm.drop_all();
SELECT crm.rule('wide', 'status_entered', '{"to": "Won"}', ARRAY[automation.send_sms('tap_sms', '+15005550006', 'x')]);
SELECT crm.rule('narrow', 'status_entered', '{"to": "Won"}', ARRAY[automation.send_sms('tap_sms', '+15005550006', 'y')], 'new.priority = 1');
SELECT is(crm.lint(), 'narrow | warning | shadowed | whenever it fires, "wide" does too, and does the same: send_sms tap_sms', 'a condition that is part of another one');
SELECT automation.alter_rule('narrow', steps => ARRAY[automation.notify('a', 'y')]);
SELECT is(crm.lint(), NULL, 'is nothing to say when the rules do different things');
SELECT automation.alter_rule('narrow', condition => '', steps => ARRAY[automation.send_sms('tap_sms', '+15005550006', 'y')]);
SELECT is(crm.lint(), 'narrow | warning | shadowed | whenever it fires, "wide" does too, and does the same: send_sms tap_sms', 'two that are the same: the later one');
SELECT crm.drop_all();
SELECT crm.rule('high', 'field_changed', '{"field": "note"}', ARRAY[automation.update_field('priority', '1')]);
SELECT crm.rule('low', 'status_entered', '{"to": "Won"}', ARRAY[automation.update_field('priority', '9')]);
SELECT is(crm.lint(), 'low | warning | two writers | "high" writes column "priority" of crm.job, too', 'two rules that write one column');
SELECT crm.drop_all();

-- Steps

SELECT crm.rule('bare', 'created', '{}', ARRAY[
	automation.send_sms('tap_sms', '{{ contact.phone }}', '{{ contact.name }} {{ note }} {{ new.stage | upcase }} {{ stage | default: "x" }}'),
	automation.after('3 days', automation.notify('a', 'still there')), automation.at('2030-01-01', automation.notify('a', 'x'), options => '{"cancel_when": "new.priority = 1"}')]);
SELECT is(crm.lint(), $$bare | warning | missing fallback | step 1: {{ contact.phone }} may be null; add a default
bare | warning | missing fallback | step 1: {{ new.stage }} may be null; add a default
bare | warning | missing fallback | step 1: {{ note }} may be null; add a default
bare | notice | never cancelled | step 2 waits 3 days, and only the end of its row keeps it from coming: see cancel_if_changed$$, 'merge tags without a default, and steps that nothing cancels');
SELECT is((SELECT count(*) FROM automation.lint('bare')), 4::bigint, 'of one rule');
SELECT throws_ok($$SELECT * FROM automation.lint('nope')$$, '42704', 'rule "nope" does not exist', 'that is there');
SELECT crm.drop_all();
RESET ROLE;
SELECT automation.create_rule('mighty', 'crm.job', 'created', steps => ARRAY[automation.notify('a', 'b')]);
SELECT is(crm.lint(), format('mighty | warning | superuser | its owner %s may do everything, and so may the rule', current_user), 'a rule of a superuser');
SELECT automation.drop_rule('mighty');
SET LOCAL ROLE tap_author;
SELECT crm.rule('broken', 'created', '{}', ARRAY[automation.notify('a', 'b')]);
RESET ROLE;
SELECT automation._drop_compiled(automation._rule_function(r.id, 1, 'step_1')) FROM automation.rule AS r WHERE name = 'broken';
SELECT matches(crm.lint(), 'broken | error | cannot run | compiled function "rule_\d+_1_step_1" does not exist', 'one that cannot run');
SELECT crm.drop_all();

-- Many rules

SELECT crm.rule('rule ' || n, 'status_entered', jsonb_build_object('to', 'S' || n), ARRAY[automation.update_field('status', 'S' || n + 1), automation.notify('a', 'b')]) FROM generate_series(1, 30) AS n;
SELECT is((SELECT count(*) FROM automation.lint() WHERE finding <> 'superuser'), 0::bigint, 'a long chain is not mistaken for a cycle');

SELECT * FROM finish();
ROLLBACK;
