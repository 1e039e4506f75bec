-- A transaction that sets off too much: what becomes of it by each value of on_bulk, and of what is held.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;
SET LOCAL timezone = 'UTC';
SET LOCAL client_min_messages = error;
SET LOCAL pg_automation.max_events_per_transaction = 3;
CREATE SERVER hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://example.com');
CREATE TABLE deal (id integer PRIMARY KEY, stage text DEFAULT 'New', closes_on date);
SELECT automation.attach('deal', 'deal', '{"status": "stage"}');
CREATE FUNCTION tap.log(rule text) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', key, event, status, reason), ', ' ORDER BY id), 'nothing') FROM automation.execution_log AS l WHERE l.rule = log.rule
$$;
CREATE FUNCTION tap.pending() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s: %s+%s+%s', rule, matches, messages, plans), ', ' ORDER BY rule), 'nothing') FROM automation.pending_batches
$$;
CREATE FUNCTION tap.batch() RETURNS bigint LANGUAGE sql AS $$ SELECT max(id) FROM automation.batch $$;
CREATE FUNCTION tap.messages() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s %s', message ->> 'body', d.state), ', ' ORDER BY d.id), 'nothing')
	FROM automation.deliveries AS d JOIN automation.delivery AS m USING (id)
$$;
SAVEPOINT now;
-- A step that waits for a message which is never sent goes with it.
SELECT automation.create_rule('then', 'deal', 'created', activate => true, on_bulk => 'hold', steps => ARRAY[
	automation.send_webhook('hook', '/', '"first"'), automation.after_previous(automation.notify('log', 'then'))]);
INSERT INTO deal SELECT generate_series(1, 4);
SELECT automation.discard_batch(tap.batch());
SELECT automation.tick();
SELECT is((SELECT string_agg(concat_ws(' ', step, status), ', ' ORDER BY step) FROM automation.step_log WHERE rule = 'then' AND key = '1'), '1 cancelled, 2 cancelled', 'neither is left behind');
ROLLBACK TO now;
SELECT automation.set_clock('2030-03-04 09:00+00');

-- What a rule says

SELECT automation.create_rule('send', 'deal', 'created', steps => ARRAY[automation.send_webhook('hook', '/', '"{{ id }} {{ stage }}"')]);
SELECT automation.create_rule('note', 'deal', 'created', steps => ARRAY[automation.notify('log', '{{ id }}')]);
SELECT results_eq($$SELECT name, on_bulk FROM automation.rules ORDER BY name$$, $$VALUES ('note', 'run'), ('send', 'hold')$$,
	'unless it says otherwise, a rule that sends holds in bulk, another one runs');
SELECT automation.alter_rule('note', on_bulk => 'skip');
SELECT results_eq($$SELECT on_bulk, version FROM automation.rules WHERE name = 'note'$$, $$VALUES ('skip', 1)$$, 'it is altered without a new version');
SELECT is(automation.export_rules() #>> '{rules,1,on_bulk}', 'skip', 'exported');
SELECT is((SELECT count(*) FROM automation.apply_rules(automation.export_rules(), dry_run => true) AS a WHERE a.action <> 'keep'), 0::bigint, 'and what was exported is what there is');
SELECT automation.apply_rules(jsonb_set(automation.export_rules(), '{rules,1,on_bulk}', '"default"'));
SELECT is((SELECT on_bulk FROM automation.rules WHERE name = 'note'), 'run', 'applied');
SELECT automation.alter_rule('note', on_bulk => 'log_only');
SELECT automation.alter_rule('note', on_bulk => 'default');
SELECT is((SELECT on_bulk FROM automation.rules WHERE name = 'note'), 'run', 'and taken back');
SELECT throws_ok($$SELECT automation.alter_rule('note', on_bulk => 'often')$$, '22023', 'invalid value for on_bulk: "often"', 'one of these');
SELECT throws_ok($$SELECT automation.create_rule('x', 'deal', 'created', steps => ARRAY[automation.notify('log', 'x')], on_bulk => 'often')$$,
	'22023', 'invalid value for on_bulk: "often"', 'for a new one, too');

-- Up to the limit, and beyond

SELECT automation.activate_rule('send');
SAVEPOINT empty;
INSERT INTO deal SELECT generate_series(1, 3);
SELECT is(tap.messages(), '1 New ready, 2 New ready, 3 New ready', 'up to the limit all is as ever');
SELECT is(tap.pending(), 'nothing', 'and nothing is held');
INSERT INTO deal SELECT generate_series(4, 6);
SELECT is(tap.messages(), '1 New held, 2 New held, 3 New held', 'one more, and what was to be sent before is held');
SELECT is(tap.pending(), 'send: 3+3+0', 'with what follows');
SELECT is(tap.log('send'), '1 created waiting step 1: held with its transaction, 2 created waiting step 1: held with its transaction, 3 created waiting step 1: held with its transaction',
	'the log has the runs that there are');
SAVEPOINT held;

SELECT automation.release_batch(tap.batch(), 2);
SELECT results_eq($$SELECT delivery_id IS NOT NULL, due_at FROM automation.retry ORDER BY delivery_id$$,
	$$VALUES (true, '2030-03-04 09:00:00.5+00'::timestamptz), (true, '2030-03-04 09:00:01+00'), (true, '2030-03-04 09:00:01.5+00')$$, 'released, messages go one after another');
SELECT is((SELECT count(*) FROM automation.delivery WHERE server = 0), 0::bigint, 'through their channel');
UPDATE deal SET stage = 'Won' WHERE id = 5;
DELETE FROM deal WHERE id = 6;
SELECT is(automation.tick(), 2, 'matches go as many a second as was said');
SELECT is(automation.tick(), 0, 'and no more');
SELECT automation.set_clock('2030-03-04 09:00:01+00');
SELECT is(automation.tick(), 1, 'then the next');
SELECT is(tap.log('send'), '1 created delivering, 2 created delivering, 3 created delivering, 4 released delivering, 5 released delivering, 6 released cancelled bulk: row deleted',
	'each match has one run in the log');
SELECT matches(tap.messages(), '4 New ready, 5 Won ready$', 'about the row as it is now');
SELECT is((SELECT state FROM automation.batch), 'released', 'that was all');
SELECT throws_ok(format('SELECT automation.release_batch(%s)', tap.batch()), '55000', format('batch %s is already released', tap.batch()), 'once');
SELECT throws_ok(format('SELECT automation.discard_batch(%s)', tap.batch()), '55000', format('batch %s is already released', tap.batch()), 'it cannot be discarded then');
ROLLBACK TO held;

SELECT automation.discard_batch(tap.batch());
SELECT is(tap.messages(), '1 New cancelled, 2 New cancelled, 3 New cancelled', 'discarded, nothing is sent');
SELECT alike(tap.log('send'), '%,  discarded suppressed bulk: 3 matches, batch ' || tap.batch() || ' discarded by %', 'the log tells how many matches there were');
SELECT is(tap.pending(), 'nothing', 'it waits no more');
ROLLBACK TO held;

SELECT automation.pause_rule('send');
SELECT automation.release_batch(tap.batch());
SELECT is(automation.tick(), 0, 'matches of a paused rule wait on');
SELECT automation.resume_rule('send');
SELECT automation.set_clock('2030-03-04 09:00:10+00');
SELECT is(automation.tick(), 3, 'until it is resumed');
ROLLBACK TO held;
SELECT automation.disable_rule('send');
SELECT automation.release_batch(tap.batch());
SELECT automation.tick();
SELECT alike(tap.log('send'), '%4 released cancelled bulk: rule is not active any more%', 'those of a disabled one are cancelled');
ROLLBACK TO held;
SELECT automation.drop_rule('send');
SELECT is((SELECT matches FROM automation.pending_batches WHERE rule IS NULL), 3::numeric, 'those of one that was dropped stay listed');
SELECT automation.discard_batch(tap.batch());
SELECT is((SELECT reason ~ '^bulk: 3 matches' FROM automation.run WHERE event = 'discarded'), true, 'and can be discarded');
ROLLBACK TO held;
SELECT automation.alter_rule('send', condition => 'new.id = 4');
SELECT automation.release_batch(tap.batch());
SELECT automation.tick();
SELECT alike(tap.log('send'), '%4 released delivering, 5 released suppressed bulk: no longer applied when it was released, 6 released suppressed%', 'the rule as it is then is asked');
ROLLBACK TO held;
SELECT throws_ok('SELECT automation.release_batch(0)', '42704', 'batch 0 does not exist', 'there is such a batch');
SELECT throws_ok('SELECT automation.release_batch(NULL)', '42704', 'batch null does not exist', 'one is named');
SELECT throws_ok(format('SELECT automation.release_batch(%s, 0)', tap.batch()), '22023', 'rate must be between 1 and 100000', 'and how fast');
ROLLBACK TO empty;

-- The four values

SELECT automation.alter_rule('send', on_bulk => 'run');
INSERT INTO deal SELECT generate_series(1, 5);
SELECT is(tap.messages(), '1 New ready, 2 New ready, 3 New ready, 4 New ready, 5 New ready', 'run: as if there were no limit');
SELECT is(tap.pending(), 'nothing', 'and no batch');
ROLLBACK TO empty;
SELECT automation.alter_rule('send', on_bulk => 'log_only');
INSERT INTO deal SELECT generate_series(1, 5);
SELECT is(tap.messages(), '1 New suppressed, 2 New suppressed, 3 New suppressed', 'log_only: nothing is sent');
SELECT is(tap.log('send'), '1 created suppressed step 1: bulk, 2 created suppressed step 1: bulk, 3 created suppressed step 1: bulk, 4 created suppressed bulk: more than pg_automation.max_events_per_transaction, 5 created suppressed bulk: more than pg_automation.max_events_per_transaction',
	'but all of it is in the log');
SELECT is(tap.pending(), 'nothing', 'and nothing can be released');
ROLLBACK TO empty;
SELECT automation.alter_rule('send', on_bulk => 'skip');
INSERT INTO deal SELECT generate_series(1, 9);
SELECT is(tap.log('send'), '1 created suppressed step 1: bulk, 2 created suppressed step 1: bulk, 3 created suppressed step 1: bulk, 4 created suppressed bulk: more than pg_automation.max_events_per_transaction; it is skipped, as are all that follow',
	'skip: the log says so once');
ROLLBACK TO empty;
SET LOCAL pg_automation.max_events_per_transaction = 0;
INSERT INTO deal SELECT generate_series(1, 9);
SELECT is((SELECT count(*) FROM automation.deliveries WHERE state = 'ready'), 9::bigint, '0: no limit');
ROLLBACK TO empty;

-- Events are matches, not rows

SELECT automation.alter_rule('send', condition => 'new.id > 7');
INSERT INTO deal SELECT generate_series(1, 10);
SELECT is(tap.messages(), '8 New ready, 9 New ready, 10 New ready', 'rows that no rule matches do not count');
ROLLBACK TO empty;
SELECT automation.activate_rule('note');
INSERT INTO deal VALUES (1), (2);
SELECT is((SELECT count(*) FROM automation.notification), 2::bigint, 'rules count together, and one that runs runs');
SELECT is(tap.pending(), 'send: 0+2+0', 'while what others send is held, of the same transaction');
INSERT INTO deal VALUES (3);
SELECT is(tap.pending(), 'send: 1+2+0', 'from then on');
ROLLBACK TO empty;

-- Savepoints

SAVEPOINT inner_one;
INSERT INTO deal SELECT generate_series(1, 3);
ROLLBACK TO inner_one;
INSERT INTO deal SELECT generate_series(1, 3);
SELECT is(tap.messages(), '1 New ready, 2 New ready, 3 New ready', 'what was rolled back does not count');
SAVEPOINT inner_two;
INSERT INTO deal SELECT generate_series(4, 6);
SELECT is(tap.pending(), 'send: 3+3+0', 'this is a bulk');
ROLLBACK TO inner_two;
SELECT is(tap.messages(), '1 New ready, 2 New ready, 3 New ready', 'rolled back, it has been none');
SELECT is(tap.pending(), 'nothing', 'and nothing is held');
DO $$ BEGIN FOR i IN 4..6 LOOP BEGIN INSERT INTO tap.deal VALUES (i); EXCEPTION WHEN division_by_zero THEN NULL; END; END LOOP; END $$;
SELECT is(tap.pending(), 'send: 3+3+0', 'one by one, each in its savepoint, is a bulk as well');
SELECT is((SELECT count(*) FROM automation.batch), 1::bigint, 'one');
ROLLBACK TO empty;

-- Changes and deletions are asked again as what they were

SELECT automation.disable_rule('send');
SELECT automation.create_rule('won', 'deal', 'status_changed', '{"from": "New", "to": "Won"}', steps => ARRAY[automation.send_webhook('hook', '/', '"{{ id }} won"')], activate => true);
SELECT automation.create_rule('gone', 'deal', 'deleted', steps => ARRAY[automation.send_webhook('hook', '/', '"{{ old.id }} {{ old.stage }} gone"')], activate => true);
INSERT INTO deal SELECT generate_series(1, 6);
UPDATE deal SET stage = 'Won';
SELECT is(tap.pending(), 'won: 3+3+0', 'changes are held');
UPDATE deal SET stage = 'Lost' WHERE id = 5;
DELETE FROM deal WHERE id = 1;
SELECT is(tap.pending(), 'gone: 1+0+0, won: 3+3+0', 'deletions, too');
SELECT automation.release_batch(tap.batch());
SELECT automation.tick();
SELECT is(tap.log('won'), '1 updated delivering, 2 updated delivering, 3 updated delivering, 4 released delivering, 5 released suppressed bulk: no longer applied when it was released, 6 released delivering',
	'from what the row was to what it is now: that is still what the rule waits for, or not');
SELECT is(tap.log('gone'), '1 released delivering', 'of a deleted row, what it was');
SELECT matches(tap.messages(), '4 won ready, 6 won ready, 1 Won gone ready$', 'and that is sent');
ROLLBACK TO empty;

-- What is planned

SELECT automation.disable_rule('send');
SELECT automation.create_rule('later', 'deal', 'created', steps => ARRAY[automation.after('1 h', automation.send_webhook('hook', '/', '"{{ id }} later"'))], activate => true);
INSERT INTO deal SELECT generate_series(1, 5);
SELECT is(tap.pending(), 'later: 2+0+3', 'steps that wait are held');
SELECT is((SELECT count(*) FROM automation.due WHERE due_at = 'infinity' AND waits_for LIKE 'it is held%'), 3::bigint, 'which is what they say');
SAVEPOINT planned;
SELECT automation.advance('2 h');
SELECT is(tap.messages(), 'nothing', 'their time comes, and they are not taken');
SELECT automation.pause_rule('later');
SELECT automation.resume_rule('later', 'run');
SELECT automation.advance('1 h');
SELECT is(tap.messages(), 'nothing', 'nor when their rule was paused and is resumed');
ROLLBACK TO planned;
SELECT automation.release_batch(tap.batch());
SELECT automation.advance('2 h');
SELECT is(tap.messages(), '1 later ready, 2 later ready, 3 later ready, 4 later ready, 5 later ready', 'released, they are, when it is time');
ROLLBACK TO planned;
SELECT automation.discard_batch(tap.batch());
SELECT matches(tap.log('later'), '^1 created cancelled step 1: batch [0-9]+ discarded by ', 'discarded, they are cancelled');
ROLLBACK TO empty;
SELECT automation.disable_rule('send');
SELECT automation.create_rule('closing', 'deal', 'date_passed', '{"field": "closes_on"}', steps => ARRAY[automation.send_webhook('hook', '/', '"{{ id }} closes"')], activate => true);
INSERT INTO deal SELECT g, 'New', '2030-03-01' FROM generate_series(1, 5) AS g;
SELECT is(tap.pending(), 'closing: 2+0+3', 'and so do rules that wait for a date');
SELECT automation.advance('2 h');
SELECT is(tap.messages(), 'nothing', 'even if it is past');
UPDATE deal SET closes_on = '2030-03-10' WHERE id IN (1, 4);
SELECT automation.release_batch(tap.batch());
SELECT automation.advance('1 min');
SELECT matches(tap.messages(), '^[235] closes ready, [235] closes ready, [235] closes ready$', 'released, those that are due are done');
SELECT automation.advance('7 days');
SELECT is((SELECT count(*) FROM automation.delivery), 5::bigint, 'and the others when they are');
ROLLBACK TO empty;

-- No gap

SET LOCAL pg_automation.journal = on;
INSERT INTO deal SELECT generate_series(1, 9);
SELECT automation.set_clock('2030-03-05 09:00+00');
SELECT is_empty($$SELECT * FROM automation.audit_gaps() WHERE gap NOT LIKE 'changes%'$$, 'what is held on purpose is no gap');
SELECT automation.discard_batch(tap.batch());
SELECT is_empty($$SELECT * FROM automation.audit_gaps() WHERE gap NOT LIKE 'changes%'$$, 'nor what was discarded');
ROLLBACK TO empty;

-- Purging, another cluster, a copy

INSERT INTO deal SELECT generate_series(1, 5);
SELECT automation.set_clock('2031-03-04 09:00+00');
SELECT automation.purge_log('1 day');
SELECT is(tap.pending(), 'send: 2+3+0', 'purging leaves what is held');
SELECT automation._follow_channels();
SELECT is(tap.pending(), 'send: 2+3+0', 'nor does it go when its channel gets another number');
SELECT automation.release_batch(tap.batch());
UPDATE automation.home SET name = 'elsewhere';
SELECT automation.adopt('discard');
SELECT is(tap.pending(), 'nothing', 'a copy that is to do nothing of what was planned');
SELECT automation.tick();
SELECT is((SELECT count(*) FROM automation.execution_log WHERE event = 'released'), 0::bigint, 'does not go on with a batch');
ROLLBACK TO empty;

-- A batch of a dump comes without its messages, and its transaction has the number of another one here.
INSERT INTO automation.batch (at) VALUES (automation._now() - interval '1 day');
SELECT max(id) AS dumped FROM automation.batch \gset
INSERT INTO deal SELECT generate_series(1, 5);
SELECT is(tap.pending(), 'send: 2+3+0', 'what another transaction holds is not its');
SELECT automation.discard_batch(:dumped);
SELECT is(tap.messages(), '1 New held, 2 New held, 3 New held', 'it is not discarded with it');
SELECT automation.discard_batch(tap.batch());
SELECT is(tap.messages(), '1 New cancelled, 2 New cancelled, 3 New cancelled', 'but with its own');
SELECT is((SELECT max(attempts) FROM automation.deliveries), 0, 'before there was an attempt');
ROLLBACK TO empty;

-- Who may

CREATE ROLE tap_author;
CREATE ROLE tap_operator;
SELECT automation.grant_access('tap_author', 'author'), automation.grant_access('tap_operator', 'operator');
INSERT INTO deal SELECT generate_series(1, 5);
SET LOCAL ROLE tap_author;
SELECT throws_ok('SELECT automation.release_batch(1)', '42501', NULL, 'an author may not release');
RESET ROLE;
GRANT USAGE ON SCHEMA tap TO tap_operator;
SET LOCAL ROLE tap_operator;
SELECT isnt_empty('SELECT * FROM automation.pending_batches', 'an operator sees it');
SELECT lives_ok('SELECT automation.discard_batch((SELECT max(batch) FROM automation.pending_batches))', 'and decides');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
