-- Whoever writes into the log or the outbox writes into the volume that is open: the engine, what it
-- releases, an operator's verb, a provider's call. What lies in another is forgotten with that.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text);
SELECT automation.attach('crm.job');
SET LOCAL pg_automation.max_events_per_transaction = 2;
CREATE SERVER talk FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006', stop_reply 'You are out.');
SELECT automation.create_rule('send', 'crm.job', 'created', activate => true, on_bulk => 'hold', steps => ARRAY[automation.send_sms('talk', '+12025550101', 'one')]);
CREATE FUNCTION crm.volumes(kind text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	found text;
BEGIN
	EXECUTE format('SELECT string_agg(v.place || '' '' || v.rows, '', '' ORDER BY v.place)
		FROM (SELECT tableoid::regclass::text AS place, count(*) AS rows FROM automation.%I GROUP BY tableoid) AS v', kind) INTO found;
	RETURN replace(found, 'automation.', '');
END
$$;
CREATE FUNCTION crm.batch() RETURNS bigint LANGUAGE sql AS $$ SELECT max(id) FROM automation.batch $$;

SELECT automation.set_clock('2030-01-01 12:00+00');
UPDATE automation.volume SET closed_at = automation._now() WHERE number = 0;
UPDATE automation.volume SET closed_at = NULL, opened_at = automation._now() WHERE number = 3;
SELECT is(automation._written('run'), 'automation.run_3', 'one volume is written');

INSERT INTO crm.job SELECT generate_series(1, 4);
SELECT is(crm.volumes('delivery'), 'delivery_3 2', 'a rule writes it');
SAVEPOINT held;
SELECT automation.discard_batch(crm.batch());
SELECT is(crm.volumes('attempt'), 'attempt_3 2', 'so does who discards a batch: the ends of messages');
SELECT is(crm.volumes('run'), 'run_3 3', 'and the run that tells of it');
SELECT is((SELECT count(*) FROM automation.deliveries WHERE state = 'cancelled'), 2::bigint, 'they are found there');
ROLLBACK TO held;
DELETE FROM crm.job WHERE id = 4;
SELECT automation.release_batch(crm.batch());
SELECT automation.tick();
SELECT is((SELECT string_agg(concat_ws(' ', key, status, reason, version), ', ' ORDER BY id) FROM automation.execution_log WHERE event = 'released'),
	'3 delivering 1, 4 cancelled bulk: row deleted 1', 'one match is released, the other has no row any more');
SELECT is(crm.volumes('run'), 'run_3 4', 'both are written there');
SELECT is(automation.record_callback('talk', '{"MessageSid": "SM1", "From": "+12025550142", "Body": "STOP"}'), 'stop', 'somebody has had enough');
SELECT is(crm.volumes('delivery'), 'delivery_3 4', 'the answer to him lies there, too');
SELECT is((SELECT count(DISTINCT id) FROM automation.delivery), 4::bigint, 'under a number of its own');

-- The attempts of a message may lie in a later volume than itself, which may be emptied earlier.

SAVEPOINT apart;
UPDATE automation.volume SET closed_at = automation._now() WHERE number = 3;
INSERT INTO automation.attempt_4 (id, delivery_id, number, epoch, started_at, finished_at, outcome)
SELECT nextval('automation.attempt_id_seq'), d.id, 1, 0, automation._now(), automation._now(), 'delivered' FROM automation.delivery AS d;
UPDATE automation.volume SET closed_at = NULL, opened_at = automation._now() WHERE number = 5;
SELECT automation.set_clock('2030-01-02 12:00+00');
SELECT automation._empty_volume(4, automation._now(), '{}');
SELECT is(crm.volumes('attempt'), 'attempt_5 4', 'they are kept as long as it is');
SELECT is((SELECT string_agg(DISTINCT state, ', ') FROM automation.deliveries), 'delivered', 'so it does not seem new');
ROLLBACK TO apart;

-- A batch that is over is forgotten with the rest; one that is not, is not.

INSERT INTO automation.batch (at, state, ended_at) VALUES (automation._now(), 'discarded', automation._now()), (automation._now(), 'held', NULL);
SELECT automation.set_clock('2030-02-01 12:00+00');
INSERT INTO automation.batch (at, state, ended_at) VALUES (automation._now(), 'released', automation._now());
SELECT automation.purge_log('10 days');
SELECT is((SELECT string_agg(state, ', ' ORDER BY at, state) FROM automation.batch), 'held, released', 'batches that have long ended are purged');

SELECT * FROM finish();
ROLLBACK;
