-- A rule that says something else: drafts, what becomes of what is planned, and in what two versions differ.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, amount integer, due date);
SELECT automation.attach('crm.job', 'job', '{"status": "status", "due_date": "due"}');
SELECT automation.set_clock('2030-03-04 09:00Z');
SET LOCAL timezone = 'UTC';

CREATE FUNCTION crm.planned(rule text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s step %s v%s %s', p.key, p.step, p.version, to_char(p.due_at, 'MM-DD HH24:MI')), ', ' ORDER BY p.key, p.step)
	FROM automation.pending AS p JOIN automation.rule AS r ON r.id = p.rule_id WHERE r.name = planned.rule
$$;
CREATE FUNCTION crm.said() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(body, ', ' ORDER BY id) FROM automation.notification $$;
CREATE FUNCTION crm.effects(rule text, in_flight text, step_map jsonb DEFAULT NULL, dry_run boolean DEFAULT true) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s %s %s %s', key, step, action, effect), ', ' ORDER BY key, step) FROM automation.publish_rule(rule, in_flight, step_map, dry_run)
$$;
CREATE FUNCTION crm.begun(rule text, trigger text DEFAULT 'status_entered', params jsonb DEFAULT '{"to": "Late"}') RETURNS void LANGUAGE sql AS $$
	SELECT automation.create_rule(rule, 'crm.job', trigger, params, steps => ARRAY[
		automation.notify('a', rule || ' at once {{ id }}'),
		automation.after('2 days', automation.notify('a', rule || ' first {{ id }}'), cancel_if_changed => '{amount}'),
		automation.after('4 days', automation.notify('a', rule || ' second {{ id }}'))], activate => true)
$$;

-- Drafts

SELECT crm.begun('r');
INSERT INTO crm.job VALUES (1, 'Late', 1), (2, 'Late', 2);
SELECT is(crm.planned('r'), '1 step 2 v1 03-06 09:00, 1 step 3 v1 03-08 09:00, 2 step 2 v1 03-06 09:00, 2 step 3 v1 03-08 09:00', 'two runs have begun');
SELECT is(automation.alter_rule('r', condition => 'new.amount > 1', reason => 'small ones are nothing', publish => false), 1, 'a draft leaves the version as it is');
SELECT is(automation.alter_rule('r', steps => ARRAY[
	automation.after('1 day', automation.notify('a', 'new first {{ id }}')),
	automation.after('4 days', automation.notify('a', 'r second {{ id }}'))], publish => false), 1, 'and can be written in parts');
SELECT is((SELECT concat_ws(' ', version, condition) FROM automation.rules WHERE name = 'r'), '1', 'the rule says what it said');
SELECT is((SELECT concat_ws(' ', rule, based_on, publishable, author::text = current_user, reason, says ->> 'condition') FROM automation.drafts), 'r 1 t t small ones are nothing new.amount > 1', 'the draft is listed');
SELECT results_eq($$SELECT part, was, "is" FROM automation.rule_diff('r', to_version => 0) WHERE part !~ '^steps'$$, $$VALUES ('condition', NULL, 'new.amount > 1')$$, 'and compared');
SELECT is((SELECT string_agg(part, ' ') FROM automation.rule_diff('r', to_version => 0) WHERE part ~ '^steps\[1\]'), 'steps[1].params.body steps[1].timing.anchor steps[1].timing.delay', 'value by value');
SELECT throws_ok($$SELECT automation.alter_rule('r', condition => 'new.nope > 1', publish => false)$$, '42703', NULL, 'a draft that could not run is refused');
SELECT is((SELECT says ->> 'condition' FROM automation.drafts), 'new.amount > 1', 'the one before stays');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'automation_compiled'::regnamespace AND proname ~ '_2_'), 0::bigint, 'nothing of a draft is compiled');

-- What is in flight: told first, then done

SELECT is(crm.effects('r', 'finish'), '1 2 notify finishes as it was, 1 3 notify finishes as it was, 2 2 notify finishes as it was, 2 3 notify finishes as it was', 'finish');
SELECT is(crm.effects('r', 'cancel'), '1 2 notify is cancelled, 1 3 notify is cancelled, 2 2 notify is cancelled, 2 3 notify is cancelled', 'cancel');
SELECT is(crm.effects('r', 'migrate', '{"2": 1, "3": 2}'), '1 2 notify goes on as step 1, 1 3 notify goes on as step 2, 2 2 notify goes on as step 1, 2 3 notify goes on as step 2', 'migrate: as the map says');
SELECT is(crm.effects('r', 'migrate', '{"2": null}'), '1 2 notify is cancelled, 1 3 notify goes on as step 2, 2 2 notify is cancelled, 2 3 notify goes on as step 2', 'null ends a step; without a word the step that does the same goes on');
SELECT is((SELECT version FROM automation.rules WHERE name = 'r'), 1, 'a dry run tells');
SELECT is(crm.planned('r'), '1 step 2 v1 03-06 09:00, 1 step 3 v1 03-08 09:00, 2 step 2 v1 03-06 09:00, 2 step 3 v1 03-08 09:00', 'and does nothing');
SELECT is(crm.effects('r', 'migrate', '{"2": 1, "3": 2}', false), '1 2 notify goes on as step 1, 1 3 notify goes on as step 2, 2 2 notify goes on as step 1, 2 3 notify goes on as step 2', 'in earnest it tells the same');
SELECT is((SELECT concat_ws(' ', version, condition) FROM automation.rules WHERE name = 'r'), '2 new.amount > 1', 'the rule says what the draft said');
SELECT is_empty('SELECT FROM automation.drafts', 'which is one no longer');
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'automation_compiled'::regnamespace AND proname ~ '_1_when$' AND proname ~ ('_' || (SELECT id FROM automation.rules WHERE name = 'r') || '_')), 0::bigint, 'nothing needs the old version any more');
SELECT automation.advance('1 second');
SELECT is(crm.planned('r'), '1 step 1 v2 03-05 09:00, 1 step 2 v2 03-08 09:00, 2 step 1 v2 03-05 09:00, 2 step 2 v2 03-08 09:00', 'times are reckoned anew, from the beginning of the run');
SELECT automation.advance('1 day');
SELECT is(crm.said(), 'r at once 1, r at once 2, new first 1, new first 2', 'the new step is taken');
SELECT is((SELECT string_agg(concat_ws(' ', step, action, status), ', ' ORDER BY step) FROM automation.step_log WHERE rule = 'r' AND key = '1'), '1 notify succeeded, 2 notify succeeded, 3 notify waiting', 'the log keeps the numbers that a run began with');
SELECT automation.cancel(run_id, step::integer) FROM automation.due WHERE rule = 'r' AND key = '1';
SELECT is((SELECT string_agg(concat_ws(' ', step, status), ', ' ORDER BY step) FROM automation.step_log WHERE rule = 'r' AND key = '1'), '1 succeeded, 2 succeeded, 3 cancelled', 'what has moved can be cancelled');
SELECT automation.advance('3 days');
SELECT is((SELECT status FROM automation.execution_log WHERE rule = 'r' AND key = '2'), 'succeeded', 'and ends like any other');

-- alter_rule() and rollback_rule() do the same

SELECT crm.begun('s');
INSERT INTO crm.job VALUES (3, 'Late', 1);
SELECT automation.alter_rule('s', condition => 'true');
SELECT is(crm.planned('s'), '3 step 2 v1 03-10 09:00, 3 step 3 v1 03-12 09:00', 'by itself it lets runs finish as they were');
SELECT is(automation.alter_rule('s', condition => 'new.amount > 0', in_flight => 'migrate'), 3, 'a run goes over');
SELECT is(crm.planned('s'), '3 step 2 v3 03-10 09:00, 3 step 3 v3 03-12 09:00', 'with all that is as it was');
SELECT is(automation.rollback_rule('s', 1, in_flight => 'cancel'), 4, 'or ends');
SELECT is(crm.planned('s'), NULL, 'at once');
SELECT is((SELECT string_agg(DISTINCT reason, ', ') FROM automation.step_log WHERE rule = 's' AND status = 'cancelled'), 'rule altered: version 4', 'with a reason');
UPDATE crm.job SET status = 'x' WHERE id = 3;
UPDATE crm.job SET status = 'Late' WHERE id = 3;
UPDATE crm.job SET status = 'Late ' WHERE id = 3;
SELECT is(crm.planned('s'), '3 step 2 v4 03-10 09:00, 3 step 3 v4 03-12 09:00', 'another run');
SELECT automation.alter_rule('s', steps => ARRAY[automation.after('1 day', automation.notify('a', 's second {{ id }}')), automation.after('9 days', automation.notify('a', 's first {{ id }}'), cancel_if_changed => '{amount}')],
	in_flight => 'migrate');
SELECT automation.advance('1 second');
SELECT is(crm.planned('s'), '3 step 1 v5 03-09 09:00, 3 step 2 v5 03-17 09:00', 'two steps change places');
UPDATE crm.job SET amount = 5 WHERE id = 3;
SELECT automation.advance('1 day');
SELECT is((SELECT string_agg(concat_ws(' ', step, status), ', ' ORDER BY step) FROM automation.step_log WHERE rule = 's' AND run_id = (SELECT max(run_id) FROM automation.step_log WHERE rule = 's')),
	'1 succeeded, 2 cancelled, 3 succeeded', 'what cancels a step goes with it');

-- What cannot go on

SELECT automation.create_rule('chain', 'crm.job', 'status_entered', '{"to": "Chained"}', steps => ARRAY[
	automation.after('1 day', automation.notify('a', 'one')), automation.after_previous(automation.notify('a', 'two'))], activate => true);
INSERT INTO crm.job VALUES (4, 'Chained');
SELECT throws_ok($$SELECT automation.alter_rule('chain', steps => ARRAY[automation.after('1 day', automation.notify('a', 'zero')), automation.after('1 day', automation.notify('a', 'one')), automation.after_previous(automation.notify('a', 'two'))], in_flight => 'migrate')$$,
	'0A000', 'step 2 of rule "chain" waits for the step before it, and cannot become another one', 'one that waits for another');
SELECT is((SELECT version FROM automation.rules WHERE name = 'chain'), 1, 'nothing has changed');
SELECT throws_ok($$SELECT automation.alter_rule('chain', steps => ARRAY[automation.after('1 day', automation.notify('a', 'one'), cancel_if_changed => '{amount}', options => '{"cancel_mode": "differs"}'), automation.after_previous(automation.notify('a', 'two'))], in_flight => 'migrate')$$,
	'0A000', 'step 1 of rule "chain" would compare values that nobody has noted', 'one that compares');
SELECT throws_ok(command, state, message, message) FROM (VALUES
	($$SELECT automation.alter_rule('chain', condition => 'true', in_flight => 'wait')$$, '22023', 'invalid value for in_flight: "wait"'),
	($$SELECT automation.alter_rule('chain', condition => 'true', in_flight => NULL)$$, '22023', 'invalid value for in_flight: ""'),
	($$SELECT automation.alter_rule('chain', condition => 'true', step_map => '{"1": 1}')$$, '22023', 'step_map needs in_flight => ''migrate'''),
	($$SELECT automation.alter_rule('chain', condition => 'true', in_flight => 'migrate', step_map => '{"1": 7}')$$, '22023', 'rule "chain" has no step 7'),
	($$SELECT automation.alter_rule('chain', condition => 'true', in_flight => 'migrate', step_map => '{"77": 1}')$$, '22023', 'no earlier version of rule "chain" has a step 77'),
	($$SELECT automation.alter_rule('chain', condition => 'true', in_flight => 'migrate', step_map => '{"one": 1}')$$, '22023', 'invalid value for step_map: {"one": 1}'),
	($$SELECT automation.alter_rule('chain', condition => 'true', in_flight => 'migrate', step_map => '[1]')$$, '22023', 'invalid value for step_map: [1]'),
	($$SELECT automation.disable_rule('chain', 'migrate')$$, '22023', 'invalid value for in_flight: "migrate"'),
	($$SELECT * FROM automation.publish_rule('chain')$$, '55000', 'rule "chain" has no draft'),
	($$SELECT automation.discard_draft('chain')$$, '55000', 'rule "chain" has no draft'),
	($$SELECT * FROM automation.publish_rule('nope')$$, '42704', 'rule "nope" does not exist'),
	($$SELECT * FROM automation.rule_diff('nope')$$, '42704', 'rule "nope" does not exist'),
	($$SELECT * FROM automation.rule_diff('chain', 1, 0)$$, '42704', 'rule "chain" has no draft'),
	($$SELECT * FROM automation.rule_diff('chain', 1, 9)$$, '42704', 'rule "chain" has no version 9')) AS v(command, state, message);
SELECT is_empty($$SELECT * FROM automation.rule_diff('chain')$$, 'a rule that was never altered differs from nothing');
SELECT automation.alter_rule('chain', condition => 'new.id > 0', publish => false), automation.alter_rule('chain', condition => 'true');
SELECT throws_ok($$SELECT * FROM automation.publish_rule('chain')$$, '55000', 'rule "chain" has changed since its draft was made', 'a draft of an earlier version');
SELECT lives_ok($$SELECT automation.discard_draft('chain')$$, 'is thrown away');
SELECT automation.alter_rule('chain', in_flight => 'migrate', steps => ARRAY[automation.after('1 day', automation.notify('a', 'other one')), automation.after_previous(automation.notify('a', 'two'))]);
SELECT automation.advance('1 day');
SELECT matches(crm.said(), 'other one, two$', 'a chain that keeps its places goes on');

-- Dates that a rule waits for follow it

SELECT automation.create_rule('dated', 'crm.job', 'date_passed', '{"field": "due", "after": "7 days"}', steps => ARRAY[automation.notify('a', 'week {{ id }}')], activate => true);
INSERT INTO crm.job VALUES (5, 'New', 1, '2030-03-20'), (6, 'New', 1, '2030-03-05');
SELECT is(crm.planned('dated'), '5 step 0 v1 03-27 00:00, 6 step 0 v1 03-12 00:00', 'two dates are planned');
SELECT automation.alter_rule('dated', params => '{"field": "due", "after": "3 days"}', steps => ARRAY[automation.notify('a', 'three days {{ id }}')]);
SELECT automation.advance('1 second');
SELECT is(crm.planned('dated'), '5 step 0 v2 03-23 00:00', 'they are planned anew');
SELECT matches(crm.said(), 'three days 6$', 'one that has passed by now is due at once, and says what the rule says now');
SELECT automation.alter_rule('dated', condition => 'new.amount > 1');
SELECT automation.advance('20 days');
SELECT matches(crm.said(), 'three days 6$', 'a condition that no longer holds');
SELECT is(crm.planned('dated'), NULL, 'ends it');
INSERT INTO crm.job VALUES (7, 'New', 2, '2030-04-20');
SELECT automation.alter_rule('dated', trigger => 'created', params => '{}');
SELECT is(crm.planned('dated'), NULL, 'a rule that waits for no date has none planned');

-- A way that a run went stays its way: no step of it is lost without a word

CREATE FUNCTION crm.forks(condition text, decision text DEFAULT NULL, before automation.step[] DEFAULT '{}', steps text[] DEFAULT '{rich,poor}') RETURNS automation.step[] LANGUAGE sql AS $$
	SELECT before || automation.branch(condition, ARRAY[automation.after('1 day', automation.notify('a', steps[1] || ' {{ id }}'))],
		ARRAY[automation.after('1 day', automation.notify('a', steps[2] || ' {{ id }}'))], decision)
$$;
CREATE FUNCTION crm.lost(steps automation.step[], step_map jsonb DEFAULT NULL, rule text DEFAULT 'forks') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM automation.alter_rule(rule, steps => steps, in_flight => 'migrate', step_map => step_map);
	RETURN 'nothing';
EXCEPTION WHEN feature_not_supported THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', regexp_replace(SQLERRM, 'run \d+', 'run #'), detail, hint);
END
$$;
SELECT automation.create_rule('forks', 'crm.job', 'status_entered', '{"to": "Forked"}', steps => crm.forks('new.amount > 100'), activate => true);
INSERT INTO crm.job VALUES (60, 'Forked', 500), (61, 'Forked', 5);
SELECT is(crm.lost(crm.forks('new.amount > 200')), 'run # would lose step 2 of rule "forks" | The step asks for a decision "new.amount > 200" that the run has not made. | '
	'Name the decision as it was called, decision => ''new.amount > 100''; or map the step to null, or let these runs finish.', 'a decision that has another name');
SELECT is(regexp_replace(crm.planned('forks'), ' \d\d-\d\d \d\d:\d\d', '', 'g'), '60 step 2 v1, 60 step 3 v1, 61 step 2 v1, 61 step 3 v1', 'nothing has moved');
SELECT is(crm.lost(crm.forks('new.amount > 200', 'new.amount > 100', steps => '{poor,rich}')), 'run # would lose step 3 of rule "forks" | '
	'The step is on the way "else" of decision "new.amount > 100", and the run went the way "then". | Map it to null, or let these runs finish.', 'steps that change ways');
SELECT is(crm.lost(crm.forks('new.amount > 200', 'new'), '{"2": null, "3": null}'), 'nothing', 'what is mapped to null is not lost');
SELECT is(crm.planned('forks'), NULL, 'but cancelled');
INSERT INTO crm.job VALUES (62, 'Forked', 500), (63, 'Forked', 150);
SELECT is(crm.lost(crm.forks('new.amount > 1000', 'new')), 'nothing', 'a decision that keeps its name is the same one');
SELECT automation.advance('1 day');
SELECT matches(crm.said(), 'rich 62, poor 63$', 'each goes the way it went');
SELECT automation.alter_rule('forks', steps => crm.forks('new.amount > 100', before => ARRAY[automation.wait('1 day')]));
INSERT INTO crm.job VALUES (64, 'Forked', 150), (65, 'Forked', 5);
SELECT is(crm.lost(crm.forks('new.amount > 200', before => ARRAY[automation.wait('1 day')])), 'nothing', 'one that is still to be made');
SELECT automation.advance('4 days');
SELECT matches(crm.said(), 'poor 64, poor 65$', 'is made as the rule says now');
SELECT automation.create_rule('plain', 'crm.job', 'status_entered', '{"to": "Plain"}', steps => ARRAY[automation.after('1 day', automation.notify('a', 'rich {{ id }}'))], activate => true);
INSERT INTO crm.job VALUES (66, 'Plain', 500);
SELECT is(crm.lost(crm.forks('new.amount > 100'), rule => 'plain'), 'run # would lose step 2 of rule "plain" | The step asks for a decision "new.amount > 100" that the run has not made. | '
	'Map the step to null, or let these runs finish.', 'a step that was on no way');
SELECT matches(crm.planned('plain'), '^66 step 1 v1 ', 'goes on waiting');

-- What is in flight is not touched by who only renames, or may not

CREATE ROLE tap_author;
SELECT automation.grant_access('tap_author', 'author');
SELECT automation.alter_rule('s', condition => 'true', publish => false);
SET LOCAL ROLE tap_author;
SELECT throws_ok($$SELECT * FROM automation.publish_rule('s')$$, '42501', 'must be owner of rule "s"', 'a draft is published by who owns the rule');
SELECT throws_ok($$SELECT automation.discard_draft('s')$$, '42501', 'must be owner of rule "s"', 'and discarded');
RESET ROLE;

-- A rule that is no more

SELECT automation.drop_rule('r');
SELECT is((SELECT "is" FROM automation.rule_diff('r', 1, 2) WHERE part = 'condition'), 'new.amount > 1', 'has versions to compare');

SELECT * FROM finish();
ROLLBACK;
