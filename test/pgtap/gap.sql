-- automation.audit_gaps(): nothing on a healthy system, and each fault that is planted is found.
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';
SET LOCAL pg_automation.journal = on;

CREATE SCHEMA tap;
CREATE TABLE tap.job (id integer PRIMARY KEY, status text NOT NULL DEFAULT 'New');
SELECT automation.attach('tap.job', 'job', '{"status": "status"}');
CREATE SERVER gap_hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hook.example');
SELECT automation.set_clock('2030-03-04 09:00Z');
SELECT automation.create_rule('won', 'tap.job', 'status_entered', '{"to": "Won"}', activate => true, steps => ARRAY[
	automation.send_webhook('gap_hook', '/won'),
	automation.after('1 day', automation.notify('log', 'won yesterday'))]);
SELECT automation.advance('1 s'); -- the journal is asked about rules that were there before
INSERT INTO tap.job VALUES (1, 'New'), (2, 'Won');
UPDATE tap.job SET status = 'Won' WHERE id = 1;

-- What the gaps are, those that belong together as one line.
CREATE FUNCTION tap.gaps(grace interval DEFAULT '2 minutes') RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(format('%s: %s', g.gap, g.subject), E'\n' ORDER BY g.gap, g.subject), 'none')
	FROM automation.audit_gaps(grace) AS g
$$;
-- Each fault is planted by itself.
CREATE FUNCTION tap.planted(fault text, grace interval DEFAULT '2 minutes') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
	clock timestamptz := automation._now(); -- no rollback turns it back
BEGIN
	BEGIN
		EXECUTE fault;
		found := tap.gaps(grace);
		RAISE EXCEPTION USING ERRCODE = 'TAP00';
	EXCEPTION WHEN SQLSTATE 'TAP00' THEN
		PERFORM automation.set_clock(clock);
	END;
	-- By number, as ids are drawn from a sequence.
	RETURN regexp_replace(found, '[0-9]+', 'N', 'g');
END
$$;

SELECT is(tap.gaps(), 'none', 'a healthy system has no gaps');
SELECT automation.pause_channel('gap_hook');
SELECT automation.set_clock('2030-03-04 12:00Z');
SELECT is(tap.gaps(), 'none', 'what waits for a paused channel is none');
SELECT is(tap.planted('SELECT automation.resume_channel(''gap_hook'')'), 'message not claimed: channel "gap_hook"', 'what waits for nothing is one');
SELECT is(tap.planted('SELECT automation.resume_channel(''gap_hook'')', '4 hours'), 'none', 'unless it is given the time');

SELECT is(tap.planted($$SELECT automation.set_clock('2030-03-05 12:00Z')$$),
	E'step not taken: rule "won", tap.job N\nstep not taken: rule "won", tap.job N', 'steps that nobody takes');
SELECT is(tap.planted($$SELECT automation.pause_rule('won'), automation.advance('1 day')$$), 'none', 'but those of a paused rule wait on purpose');
SELECT is(tap.planted('DELETE FROM automation.pending WHERE key = ''1'''), 'step lost: run N, step N', 'a plan that is gone');
SELECT is(tap.planted('UPDATE automation.pending SET run_id = -1 WHERE key = ''1'''),
	E'plan of nothing: pending N\nstep lost: run N, step N', 'a plan without its run');
SELECT is(tap.planted('UPDATE automation.pending SET version = 99 WHERE key = ''1'''), 'plan of nothing: pending N', 'or without its rule');

SELECT is(tap.planted($$INSERT INTO automation.attempt (delivery_id, number, epoch, started_at)
	SELECT d.id, 1, 1000000, '2030-03-04 09:00Z' FROM automation.delivery AS d$$),
	E'attempt without outcome: delivery N, attempt N\nattempt without outcome: delivery N, attempt N', 'attempts that take for ever');
SELECT is(tap.planted($$INSERT INTO automation.attempt (delivery_id, number, epoch) SELECT max(d.id), 1, -1 FROM automation.delivery AS d$$, '0'),
	'none', 'one of a worker that has just ended is given the time');
SELECT is(tap.planted($$INSERT INTO automation.attempt (delivery_id, number, epoch, started_at)
	SELECT max(d.id), 1, -1, '2030-03-04 11:55Z' FROM automation.delivery AS d$$), 'attempt without outcome: delivery N, attempt N', 'and no more');
SELECT is(tap.planted($$INSERT INTO automation.attempt (delivery_id, number, epoch, outcome, finished_at, retry_at)
	SELECT max(d.id), 1, 1, 'retry', '2030-03-04 09:00Z', '2030-03-04 10:00Z' FROM automation.delivery AS d$$),
	'message forgotten: delivery N', 'a message that was to be tried again and is not');
SELECT is(tap.planted($$SELECT automation.resume_channel('gap_hook');
	INSERT INTO automation.attempt (delivery_id, number, epoch, outcome, finished_at, retry_at)
	SELECT d.id, 1, 1, 'retry', '2030-03-04 09:00Z', '2030-03-04 10:00Z' FROM automation.delivery AS d;
	INSERT INTO automation.retry (delivery_id, server, due_at) SELECT d.id, d.server, '2030-03-04 10:00Z' FROM automation.delivery AS d$$),
	E'retry not made: delivery N, channel "gap_hook"\nretry not made: delivery N, channel "gap_hook"', 'or is late for it');
SELECT is(tap.planted('INSERT INTO automation.retry (delivery_id, server, due_at) SELECT -1, s.oid, now() FROM pg_foreign_server AS s WHERE s.srvname = ''gap_hook'''),
	'retry of nothing: delivery -N', 'a retry without its delivery');
SELECT is(tap.planted('INSERT INTO automation.attempt (delivery_id, number, epoch, outcome) VALUES (-1, 1, 1, ''dead'')'),
	'attempt of nothing: attempt N', 'an attempt without its delivery');
SELECT is(tap.planted('UPDATE automation.delivery SET run_id = -1 WHERE id = (SELECT max(d.id) FROM automation.delivery AS d)'),
	'message of no run: delivery N', 'a delivery without its run');

SELECT is(tap.planted('ALTER TABLE tap.job DISABLE TRIGGER ALL'), 'changes go unseen: tap.job', 'a table that nobody watches');
SELECT is(tap.planted('DELETE FROM automation.run WHERE key = ''2''; DELETE FROM automation.delivery; DELETE FROM automation.pending'),
	E'event without a run: rule "won", tap.job N\nstep lost: run N, step N', 'a change that should have fired');
SELECT is(tap.planted('DELETE FROM automation.run WHERE key = ''2''; DELETE FROM automation.delivery; DELETE FROM automation.pending WHERE key = ''2'';
	SELECT automation.stop_item(''tap.job'', ''2'')'), 'none', 'but for a row that somebody has stopped');

SELECT throws_ok('SELECT automation.audit_gaps(''-1 h'')', '22023', 'grace must not be negative', 'a grace is not negative');
SELECT finish();
ROLLBACK;
