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
CREATE FUNCTION crm.text(body text) RETURNS automation.step LANGUAGE sql AS $$ SELECT automation.send_sms('tap_sms', '+15005550006', body, '{"class": "transactional"}') $$;
CREATE FUNCTION crm.say(body text) RETURNS automation.step[] LANGUAGE sql AS $$ SELECT ARRAY[automation.notify('a', body)] $$;
-- What lint() says of a rule with these steps, and nothing else of.
CREATE FUNCTION crm.says(steps automation.step[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	says text;
BEGIN
	PERFORM crm.rule('flow', 'created', '{}', steps);
	says := crm.lint();
	PERFORM automation.drop_rule('flow');
	RETURN says;
END
$$;
CREATE FUNCTION crm.drop_all() RETURNS void LANGUAGE sql AS $$ SELECT automation.drop_rule(name) FROM automation.rules $$;

-- Nothing to say

SELECT crm.rule('fine', 'status_entered', '{"to": "Won"}', ARRAY[automation.send_sms('tap_sms', '{{ contact.phone | default: "+15005550006" }}', 'Hi {{ contact.name }}, {{ id }} {{ note | default: "-" }}', '{"class": "transactional"}'),
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
SELECT crm.rule('begins', 'field_matches', '{"filter": {"all": [{"field": "priority", "operator": ">", "value": 5}, {"field": "note", "operator": "isSet"}]}}', ARRAY[automation.update_field('owner', 'x')]);
SELECT is(crm.lint(), NULL, 'what begins to hold does not begin by a write of other columns');
SELECT automation.alter_rule('begins', steps => ARRAY[automation.update_field('note', 'x')]);
SELECT matches(crm.lint(), 'begins . error . cycle . "begins" > "begins"', 'and may by one of its own');
SELECT automation.drop_rule('begins');
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
SELECT crm.rule('wide', 'status_entered', '{"to": "Won"}', ARRAY[crm.text('x')]);
SELECT crm.rule('narrow', 'status_entered', '{"to": "Won"}', ARRAY[crm.text('y')], 'new.priority = 1');
SELECT is(crm.lint(), 'narrow | warning | shadowed | whenever it fires, "wide" does too, and does the same: send_sms tap_sms', 'a condition that is part of another one');
SELECT automation.alter_rule('narrow', steps => ARRAY[automation.notify('a', 'y')]);
SELECT is(crm.lint(), NULL, 'is nothing to say when the rules do different things');
SELECT automation.alter_rule('narrow', condition => '', steps => ARRAY[crm.text('y')]);
SELECT is(crm.lint(), 'narrow | warning | shadowed | whenever it fires, "wide" does too, and does the same: send_sms tap_sms', 'two that are the same: the later one');
SELECT crm.drop_all();
SELECT crm.rule('high', 'field_changed', '{"field": "note"}', ARRAY[automation.update_field('priority', '1')]);
SELECT crm.rule('low', 'status_entered', '{"to": "Won"}', ARRAY[automation.update_field('priority', '9')]);
SELECT is(crm.lint(), 'low | warning | two writers | "high" writes column "priority" of crm.job, too', 'two rules that write one column');
SELECT crm.drop_all();

-- Steps

SELECT crm.rule('bare', 'created', '{}', ARRAY[
	automation.send_sms('tap_sms', '{{ contact.phone }}', '{{ contact.name }} {{ note }} {{ new.stage | upcase }} {{ stage | default: "x" }}', '{"class": "transactional"}'),
	automation.after('3 days', automation.notify('a', 'still there')), automation.at('2030-01-01', automation.notify('a', 'x'), options => '{"cancel_when": "new.priority = 1"}')]);
SELECT is(crm.lint(), $$bare | warning | missing fallback | step 1: {{ contact.phone }} may be null; add a default
bare | warning | missing fallback | step 1: {{ new.stage }} may be null; add a default
bare | warning | missing fallback | step 1: {{ note }} may be null; add a default
bare | notice | never cancelled | step 2 waits 3 days, and only the end of its row keeps it from coming: see cancel_if_changed$$, 'merge tags without a default, and steps that nothing cancels');
SELECT is((SELECT count(*) FROM automation.lint('bare')), 4::bigint, 'of one rule');
SELECT throws_ok($$SELECT * FROM automation.lint('nope')$$, '42704', 'rule "nope" does not exist', 'that is there');
SELECT crm.drop_all();

-- Decisions, and what asks for them

SELECT is(crm.says(automation.wait_until('new.priority = 1', '3 days', crm.say('met'), crm.say('late'))), NULL, 'who waits until something holds is cancelled by that');
SELECT is(crm.says(automation.wait_until('new.priority = 1', '3 days', crm.say('met'), ARRAY[automation.after('1 day', automation.notify('a', 'late'))])),
	'flow | notice | never cancelled | step 3 waits 1 day, and only the end of its row keeps it from coming: see cancel_if_changed', 'what waits behind it is not');
SELECT is(crm.says(automation.branch('new.priority = 1', crm.say('yes'), crm.say('no'))), NULL, 'a branch that leads somewhere either way');
SELECT is(crm.says(automation.branch('new.priority = 1', crm.say('yes')) || crm.say('either')), NULL, 'or to the same place');
SELECT is(crm.says(automation.branch('new.priority = 1', crm.say('yes'))),
	'flow | notice | missing otherwise | step 1: when "new.priority = 1" does not hold, nothing is done', 'one that leads nowhere otherwise');
SELECT is(crm.says(automation.branch('new.priority = 1', automation.branch('new.stage = ''x''', crm.say('yes')), crm.say('no'))),
	'flow | notice | missing otherwise | step 2: when "new.stage = ''x''" does not hold, nothing is done', 'what stands on the other way of a branch around it is no help');
SELECT is(crm.says(automation.wait_until('new.priority = 1', '3 days', crm.say('met'))),
	'flow | notice | missing otherwise | step 1: when "new.priority = 1" does not come to hold in time, nothing is done', 'time that runs out for nothing');
SELECT is(crm.says(automation.wait_until('new.priority = 1', '3 days') || crm.say('either')), NULL, 'waiting alone is something');
SELECT is(crm.says(automation.branch('new.priority = 1', '{}') || crm.say('x')),
	'flow | warning | unused decision | step 1 decides "new.priority = 1", and no step asks for it', 'a decision for nothing');
SELECT is(crm.says(automation.split('ab', '{"a": 1, "b": 1, "c": 0}') || automation.in_arm('ab', 'a', crm.say('a')) || automation.in_arm('ab', 'b', crm.say('b'))), NULL, 'a split each way of which is used');
SELECT is(crm.says(automation.split('ab', '{"a": 1, "b": 1}') || automation.in_arm('ab', 'a', crm.say('a'))),
	'flow | notice | unused arm | step 1 may go the way "b" of "ab", and no step asks for it', 'one of which is not');
SELECT is(crm.says(automation.split('ab', '{"a": 1, "b": 1}') || ARRAY[automation.only_if('NOT automation.took(''ab'', ''a'')', automation.notify('a', 'b'))]), NULL, 'who asks whether it was not that way asks for the others');
SELECT is(crm.says(automation.split('ab', '{"a": 1, "b": 1, "c": 0}') || automation.in_arm('ab', 'a', crm.say('a')) || automation.in_arm('ab', 'b', crm.say('b')) || automation.in_arm('ab', 'c', crm.say('c'))),
	'flow | error | unreachable step | step 4 wants the way "c" of "ab", which has no other than "a", "b"', 'a way that nobody goes');
SELECT is(crm.says(automation.branch('new.priority = 1', crm.say('yes'), automation.in_arm('new.priority = 1', 'then', crm.say('never')))),
	'flow | error | unreachable step | step 3 comes after "else" and after "then" of "new.priority = 1", of which a run goes one', 'a step on two ways at once');
SELECT is(crm.says(automation.branch('new.priority = 1', automation.branch('new.stage = ''x''', crm.say('yes'), crm.say('no')), crm.say('else'))
		|| automation.in_arm('new.priority = 1', 'else', automation.in_arm('new.stage = ''x''', 'then', crm.say('never')))),
	'flow | error | unreachable step | step 6 comes after "else" and after "then" of "new.priority = 1", of which a run goes one', 'or behind a decision that is only made on the other way');
SELECT is(crm.says(automation.branch('new.priority = 1', ARRAY[automation.only_if('{"field": "note", "operator": "filled"}', automation.notify('a', 'yes'))], crm.say('no'))), NULL, 'conditions may be trees');
SELECT throws_ok($$SELECT crm.says(ARRAY[automation.only_if('{"took": ["nobodys", "then"]}', automation.notify('a', 'x'))])$$, '42704', 'rule "flow" asks for a decision "nobodys" that no step before has made', 'that ask for what was decided, too');
SELECT is(crm.says(ARRAY[automation.send_sms('tap_sms', '+15005550006', 'x'), crm.text('y')]),
	'flow | notice | missing class | step 1: send_sms names no class of message, and so goes out as transactional', 'a message of which nobody said what consent it needs');
SELECT crm.rule('hinted', 'created', '{}', ARRAY[automation.send_sms('tap_sms', '+15005550006', 'x')]);
SELECT matches((SELECT hint FROM automation.lint('hinted')), '"class": "marketing"', 'with the finding');
SELECT crm.drop_all();

RESET ROLE;
SELECT is((SELECT string_agg(finding, ', ') FROM automation._advice WHERE finding !~ '^[a-z ]+$' OR hint !~ '\.$' OR severity NOT IN ('error', 'warning', 'notice')), NULL, 'whatever there is to find says how bad it is, and what helps');
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
