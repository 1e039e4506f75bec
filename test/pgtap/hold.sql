-- Pausing, disabling, stopping for one row, cancelling, changing and dropping rules while steps of theirs wait;
-- rules for rows that were there before; the sequences that people build of all this; and what is refused.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;
SET LOCAL timezone = 'UTC';
CREATE FUNCTION tap.said() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.notification RETURNING *)
	SELECT coalesce(string_agg(to_char(at, 'DD HH24:MI:SS ') || body, ', ' ORDER BY id), 'nothing') FROM gone
$$;
CREATE FUNCTION tap.steps(key text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', step, status, to_char(next_at, 'DD HH24:MI'), reason), E'\n' ORDER BY step)
	FROM automation.step_log WHERE run_id = (SELECT max(id) FROM automation.run AS u WHERE u.key = steps.key)
$$;
CREATE TABLE deal (id integer PRIMARY KEY, stage text DEFAULT 'New', note text, closes_on date, email text, phone text);
SELECT automation.attach('deal', 'deal', '{"status": "stage"}');
-- The table is empty, the only rule is this one, and it is Monday.
CREATE FUNCTION tap.rule(VARIADIC steps automation.step[]) RETURNS integer LANGUAGE sql AS $$
	SELECT automation.set_clock('2030-03-04 09:00+00');
	SELECT automation.drop_rule(r.name) FROM automation.rules AS r;
	TRUNCATE tap.deal;
	SELECT tap.said();
	SELECT automation.create_rule('r', 'deal', 'created', steps => steps, activate => true)
$$;
CREATE FUNCTION tap.three_hours() RETURNS integer LANGUAGE sql AS $$
	SELECT tap.rule(
		automation.after('1 h', automation.notify('log', 'one of {{ id }}')),
		automation.after('2 h', automation.notify('log', 'two of {{ id }}'), cancel_if_changed => '{stage}'),
		automation.after('3 h', automation.notify('log', 'three of {{ id }}')))
$$;

-- Pause and resume

SELECT tap.three_hours();
INSERT INTO deal (id) VALUES (1), (2);
SELECT automation.advance('30 min');
SELECT automation.pause_rule('r');
SELECT automation.advance('2 h');
SELECT is(tap.said(), 'nothing', 'a paused rule takes no steps');
SELECT is(tap.steps('1'), E'1 waiting\n2 waiting\n3 waiting 04 12:00', 'what comes due waits');
SELECT results_eq($$SELECT step::integer, waits_for, parked_at FROM automation.due WHERE key = '1' ORDER BY step$$,
	$$VALUES (1, 'its rule was paused, or the row stopped, when it came due', '2030-03-04 10:00+00'::timestamptz),
		(2, 'its rule was paused, or the row stopped, when it came due', '2030-03-04 11:00+00'), (3, NULL, NULL)$$, 'and automation.due says why');
INSERT INTO deal (id) VALUES (3);
UPDATE deal SET stage = 'Won' WHERE id = 2;
SAVEPOINT paused;
SELECT automation.resume_rule('r');
SELECT is(automation.advance('1 h'), 2, 'skip, unless told otherwise');
SELECT is(tap.said(), '04 12:00:00 three of 1, 04 12:00:00 three of 2', 'what came due in the meantime is not done');
SELECT matches(tap.steps('1'), E'^1 cancelled came due while it was paused\n2 cancelled came due while it was paused\n3 succeeded$', 'and the log says so');
SELECT is_empty($$SELECT * FROM automation.run WHERE key = '3'$$, 'what happened in the meantime fires nothing');
ROLLBACK TO paused;
SELECT automation.set_clock('2030-03-04 11:30+00');
SELECT automation.resume_rule('r', on_overdue => 'run');
SELECT automation.advance('1 s');
SELECT is(tap.said(), '04 11:30:00 one of 1, 04 11:30:00 one of 2, 04 11:30:00 two of 1', 'run: now, but for what was cancelled in the meantime');
SELECT automation.advance('1 h');
SELECT is(tap.said(), '04 12:00:00 three of 1, 04 12:00:00 three of 2', 'the others at their time');
SELECT matches(tap.steps('2'), '2 cancelled field stage changed', 'a change cancels what waits in a paused rule');
ROLLBACK TO paused;
SELECT automation.set_clock('2030-03-04 11:30+00');
SELECT automation.resume_rule('r', on_overdue => 'reschedule');
SELECT automation.advance('1 day');
SELECT is(tap.said(), '04 12:00:00 one of 1, 04 12:00:00 three of 1, 04 12:00:00 one of 2, 04 12:00:00 three of 2, 04 13:00:00 two of 1', 'reschedule: as much later as the pause was long');

SELECT tap.rule(automation.after('1 h', automation.notify('log', '{{ id }}')));
INSERT INTO deal (id) SELECT generate_series(1, 30);
SELECT automation.pause_rule('r');
SELECT automation.advance('2 h');
SELECT automation.resume_rule('r', on_overdue => 'run');
SELECT automation.advance('0.95 s');
SELECT automation.advance('1 h');
SELECT is((SELECT count(*) FROM automation.notification), 30::bigint, 'until all is done');
SELECT is((SELECT count(*) FROM automation.notification WHERE at < '2030-03-04 11:00:01+00'), 10::bigint, 'a backlog does not burst: ten a second');

-- Disable

SELECT tap.three_hours();
INSERT INTO deal (id) VALUES (1);
SELECT automation.advance('90 min');
SELECT tap.said();
SAVEPOINT active;
SELECT automation.disable_rule('r');
SELECT is(tap.steps('1'), E'1 succeeded\n2 cancelled rule disabled\n3 cancelled rule disabled', 'disabling a rule cancels what it has planned');
SELECT automation.advance('1 day');
SELECT automation.enable_rule('r');
SELECT automation.advance('1 day');
SELECT is(tap.said(), 'nothing', 'for good');
ROLLBACK TO active;
SELECT automation.set_clock('2030-03-04 10:30+00');
SELECT automation.disable_rule('r', in_flight => 'finish');
INSERT INTO deal (id) VALUES (2);
SELECT automation.advance('1 day');
SELECT is(tap.said(), '04 11:00:00 two of 1, 04 12:00:00 three of 1', 'or lets it finish, and nothing new begin');
ROLLBACK TO active;
SELECT automation.set_clock('2030-03-04 10:30+00');
SELECT automation.pause_rule('r');
SELECT automation.advance('1 h');
SELECT automation.disable_rule('r', in_flight => 'finish');
SELECT automation.advance('1 day');
SELECT is(tap.said(), '04 12:00:00 three of 1', 'what came due before, while it was paused, is skipped');

-- One row

SELECT tap.three_hours();
INSERT INTO deal (id) VALUES (1), (2);
SELECT automation.create_rule('other', 'deal', 'field_changed', '{"field": "note"}', steps => ARRAY[automation.notify('log', 'other {{ id }}')], activate => true);
SELECT automation.stop_item('deal', '1', reason => 'a complaint');
SELECT automation.stop_item('deal', '2', 'r');
UPDATE deal SET note = 'x';
SELECT is(tap.said(), '04 09:00:00 other 2', 'a row may be stopped for all rules or for one');
SELECT results_eq($$SELECT key, status, reason FROM automation.execution_log WHERE rule = 'other' ORDER BY key$$,
	$$VALUES ('1', 'suppressed', 'stopped for this row'), ('2', 'succeeded', NULL)$$, 'what would have begun is logged');
SELECT automation.advance('2 h');
SELECT is(tap.said(), 'nothing', 'what comes due waits');
SELECT is(tap.steps('2'), '1 succeeded', 'each rule by itself');
SAVEPOINT stopped;
SELECT automation.resume_item('deal', '1');
SELECT automation.resume_item('deal', '2', 'r', on_overdue => 'run');
SELECT automation.advance('1 h');
SELECT is(tap.said(), '04 11:00:00 one of 2, 04 11:00:00 two of 2, 04 12:00:00 three of 1, 04 12:00:00 three of 2', 'resume_item() knows the policies of resume_rule()');
ROLLBACK TO stopped;
SELECT automation.set_clock('2030-03-04 11:00+00');
SELECT automation.resume_item('deal', '2', 'r', on_overdue => 'reschedule');
SELECT automation.advance('3 h');
SELECT is(tap.said(), '04 12:00:00 one of 2, 04 12:00:00 three of 2, 04 13:00:00 two of 2', 'all of them');
SELECT throws_ok($$SELECT automation.resume_item('deal', '2', 'r')$$, '55000', 'row 2 of table "tap.deal" is not stopped', 'once');
SELECT throws_ok($$SELECT automation.resume_item('deal', '1', on_overdue => 'perhaps')$$, '22023', 'invalid value for on_overdue: "perhaps"', 'and no others');
SELECT throws_ok($$SELECT automation.stop_item('deal', '99')$$, 'P0002', NULL, 'a row that is not there cannot be stopped');
SELECT throws_ok($$SELECT automation.stop_item('deal', '1', 'nobody')$$, '42704', 'rule "nobody" does not exist', 'nor by a rule that is not');
-- Both kinds of stop at once: the other one holds.
SELECT automation.stop_item('deal', '1', 'r');
SELECT automation.resume_item('deal', '1', on_overdue => 'run');
SELECT automation.advance('1 h');
SELECT is(tap.said(), 'nothing', 'of two stops of a row each has to be ended');
SELECT automation.resume_item('deal', '1', 'r', on_overdue => 'run');
SELECT automation.advance('1 h');
SELECT matches(tap.said(), '^04 15:00:00 one of 1, 04 15:00:00 two of 1, 04 15:00:00 three of 1$', 'then it goes on');

-- The rules are not read again for that.
SELECT tap.rule(automation.notify('log', '{{ id }}'));
CREATE FUNCTION tap.readings() RETURNS bigint LANGUAGE sql AS $$
	SELECT sum(coalesce(seq_scan, 0) + coalesce(idx_scan, 0))::bigint FROM pg_stat_xact_user_tables WHERE relid IN ('automation.rule_version'::regclass, 'automation.entity'::regclass)
$$;
CREATE TABLE tap.reading AS SELECT tap.readings() AS before;
INSERT INTO deal (id) VALUES (1), (2);
INSERT INTO automation.hold (entity_id, key, actor) SELECT id, '3', 'me' FROM automation.entity WHERE relation = 'deal'::regclass;
UPDATE tap.reading SET before = tap.readings();
INSERT INTO deal (id) VALUES (3), (4);
SELECT is(tap.readings(), before, 'a session that goes on after a stop keeps the rules it knows') FROM tap.reading;
DELETE FROM automation.hold;
INSERT INTO deal (id) VALUES (5);
SELECT is(tap.said(), '04 09:00:00 1, 04 09:00:00 2, 04 09:00:00 4, 04 09:00:00 5', 'and obeys the stop');

-- Cancel

SELECT tap.three_hours();
INSERT INTO deal (id) VALUES (1), (2);
SELECT is(automation.cancel((SELECT id FROM automation.run WHERE key = '1' AND rule_id = (SELECT id FROM automation.rule)), 2), 1, 'a step that waits is cancelled');
SELECT is(tap.steps('1'), format(E'1 waiting 04 10:00\n2 cancelled cancelled by %s\n3 waiting 04 12:00', current_user), 'by hand');
SELECT throws_ok(format('SELECT automation.cancel(%s, 2)', max(id)), '55000', format('step 2 of run %s does not wait', max(id)), 'once')
	FROM automation.run WHERE key = '1';
SELECT is(automation.cancel(max(id), reason => 'wrong number'), 3, 'or all of a run') FROM automation.run WHERE key = '2';
SELECT is(tap.steps('2'), E'1 cancelled wrong number\n2 cancelled wrong number\n3 cancelled wrong number', 'for a reason');
SELECT throws_ok(format('SELECT automation.cancel(%s)', max(id)), '55000', format('no step of run %s waits', max(id)), 'once, too') FROM automation.run WHERE key = '2';
SELECT throws_ok(format('SELECT automation.cancel(%s, 7)', max(id)), '42704', format('run %s has no step 7', max(id)), 'a step that is not there') FROM automation.run WHERE key = '1';
SELECT throws_ok('SELECT automation.cancel(-1)', '42704', 'run -1 does not exist', 'a run that is not there');
SELECT automation.advance('1 day');
SELECT is(tap.said(), '04 10:00:00 one of 1, 04 12:00:00 three of 1', 'what is cancelled is not done');
SELECT throws_ok(format('SELECT automation.cancel(%s, 1)', max(id)), '55000', NULL, 'what is done is not cancelled') FROM automation.run WHERE key = '1';

-- A step that is cancelled ends its chain.
SELECT tap.rule(automation.after('1 h', automation.notify('log', 'first')),
	automation.after_previous(automation.notify('log', 'second')), automation.after('1 h', automation.notify('log', 'third'), anchor => 'previous'));
INSERT INTO deal (id) VALUES (1);
SELECT automation.cancel(max(id), 1) FROM automation.run;
SELECT automation.advance('1 day');
SELECT is(tap.said(), 'nothing', 'what comes after a step that was cancelled is not done');
SELECT is(regexp_replace(tap.steps('1'), 'cancelled by \S+', 'by hand'), E'1 cancelled by hand\n2 not_run the step before it failed\n3 not_run the step before it failed', 'nor does it wait for ever');

SELECT tap.rule(automation.after('1 h', automation.notify('log', 'first')), automation.after_previous(automation.notify('log', 'second')));
INSERT INTO deal (id) VALUES (1);
SELECT automation.pause_rule('r');
SELECT automation.advance('2 h');
SELECT automation.resume_rule('r');
SELECT automation.advance('1 s');
SELECT is(tap.steps('1'), E'1 cancelled came due while it was paused\n2 not_run the step before it failed', 'nor after one that was skipped');

-- Rules that change, or go

SELECT tap.three_hours();
INSERT INTO deal (id) VALUES (1);
SELECT automation.alter_rule('r', name => 'renamed', steps => ARRAY[automation.after('1 h', automation.notify('log', 'altered {{ id }}'))]);
INSERT INTO deal (id) VALUES (2);
SELECT automation.advance('1 day');
SELECT is(tap.said(), '04 10:00:00 one of 1, 04 10:00:00 altered 2, 04 11:00:00 two of 1, 04 12:00:00 three of 1', 'runs finish as they began, new ones follow the new version');
INSERT INTO deal (id) VALUES (3);
SELECT automation.drop_rule('renamed');
SELECT is(tap.steps('3'), '1 cancelled rule dropped', 'dropping a rule ends what it has planned');
SELECT automation.advance('1 day');
SELECT is(tap.said(), 'nothing', 'for good');
SELECT tap.three_hours();
INSERT INTO deal (id) VALUES (1);
ALTER TABLE deal RENAME COLUMN stage TO step;
SELECT automation.advance('90 min');
UPDATE deal SET step = 'Won';
SELECT automation.advance('1 day');
SELECT is(tap.steps('1'), format(E'1 succeeded\n2 cancelled field step changed New→Won at 2030-03-04 10:30:00+00 by %s\n3 succeeded', session_user), 'a renamed column is followed');
ALTER TABLE deal RENAME COLUMN step TO stage;
SELECT throws_ok('ALTER TABLE deal DROP COLUMN stage', '2BP01', NULL, 'one that is in use is not dropped');

-- Rules that stop others

SELECT tap.three_hours();
SELECT automation.create_rule('stopper', 'deal', 'field_changed', '{"field": "note"}', steps => ARRAY[automation.stop_rule('r')], activate => true);
INSERT INTO deal (id) VALUES (1), (2);
UPDATE deal SET note = 'x' WHERE id = 1;
SELECT automation.advance('1 day');
SELECT is(tap.said(), '04 10:00:00 one of 2, 04 11:00:00 two of 2, 04 12:00:00 three of 2', 'a rule may stop another for a row');
SELECT matches((SELECT reason FROM automation.step_log WHERE rule = 'r' AND key = '1' AND step = 1 ORDER BY run_id DESC LIMIT 1), '^stopped by rule "stopper"', 'which is said');

-- Rows that were there before

SELECT tap.rule(automation.notify('log', 'x'));
INSERT INTO deal (id, stage) SELECT i, CASE WHEN i % 3 = 0 THEN 'Old' ELSE 'New' END FROM generate_series(1, 30) AS i;
SELECT automation.create_rule('all', 'deal', 'status_entered', '{"to": "Old"}', steps => ARRAY[automation.after('1 h', automation.notify('log', 'all {{ id }}'))]);
SELECT is(automation.matching_rows('all'), 10::bigint, 'one may ask first to how many rows a rule would apply');
DELETE FROM automation.notification;
DELETE FROM automation.run;
SELECT automation.activate_rule('all', apply_to => 'all', rate => 10);
UPDATE deal SET stage = 'New' WHERE id = 3;
UPDATE deal SET stage = 'Old' WHERE id IN (3, 4, 30);
SELECT results_eq('SELECT rule, state, total, seen, fired, rate FROM automation.activations', $$VALUES ('all', 'running', 30::bigint, 0::bigint, 0::bigint, 10)$$, 'it is a job');
SELECT automation.set_clock('2030-03-04 09:00:01+00');
SELECT automation.tick();
SELECT results_eq('SELECT state, seen, fired, percent FROM automation.activations', $$VALUES ('running', 10::bigint, 2::bigint, 33.3)$$,
	'that takes its time, and leaves rows alone for which the rule has fired meanwhile');
SELECT automation.pause_rule('all');
SELECT automation.set_clock('2030-03-04 09:00:10+00');
SELECT automation.tick();
SELECT is((SELECT seen FROM automation.activations), 10::bigint, 'it rests while the rule does');
SELECT automation.resume_rule('all');
SELECT automation.tick(), automation.tick();
SELECT automation.set_clock('2030-03-04 09:00:30+00');
SELECT automation.tick();
SELECT results_eq('SELECT state, seen, fired FROM automation.activations', $$VALUES ('finished', 30::bigint, 9::bigint)$$, 'and comes to its end');
SELECT is((SELECT count(*) - count(DISTINCT key) || ' ' || count(*) FROM automation.run), '0 11', 'it has fired once for each row');
SELECT throws_ok($$SELECT automation.cancel_activation('all')$$, '55000', 'rule "all" is not being applied to rows that were there before', 'it is over');
SELECT automation.disable_rule('all');
SELECT automation.activate_rule('all', apply_to => 'all', rate => 1);
SELECT automation.cancel_activation('all');
SELECT automation.set_clock('2030-03-04 09:10+00');
SELECT automation.tick();
SELECT results_eq('SELECT state, seen FROM automation.activations', $$VALUES ('cancelled', 0::bigint)$$, 'it can be cancelled');
SELECT automation.disable_rule('all');
DELETE FROM automation.run;
SELECT automation.activate_rule('all', apply_to => 'all', rate => 10);
SELECT automation.set_clock('2030-03-04 09:10:01+00');
SELECT automation.tick();
SELECT automation.alter_rule('all', steps => ARRAY[automation.notify('log', 'altered {{ id }}')]);
SELECT automation.set_clock('2030-03-04 09:11+00');
SELECT automation.tick();
SELECT results_eq('SELECT a.state, a.seen, a.fired, count(DISTINCT u.key), count(DISTINCT u.version) FROM automation.activations AS a, automation.run AS u GROUP BY a.state, a.seen, a.fired',
	$$VALUES ('finished', 30::bigint, 11::bigint, 11::bigint, 2::bigint)$$, 'or goes on with what the rule says now');
SELECT throws_ok($$SELECT automation.activate_rule('all', apply_to => 'some')$$, '22023', 'invalid value for apply_to: "some"', 'new or all');
SELECT automation.disable_rule('all');
SELECT throws_ok($$SELECT automation.activate_rule('all', 'all', 0)$$, '22023', 'rate must be between 1 and 100000', 'at some rate');

SELECT * FROM finish();
ROLLBACK;
