-- automation.stats and automation.metrics: what waits now. What the worker counts is seen in test/t.
BEGIN;
SELECT no_plan();
SET LOCAL timezone = 'UTC';

CREATE SCHEMA tap;
CREATE TABLE tap.job (id integer PRIMARY KEY);
SELECT automation.attach('tap.job', 'job');
CREATE SERVER stats_hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hook.example');
CREATE SERVER stats_idle FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hook.example');
SELECT automation.set_clock('2030-03-04 09:00Z');
SELECT automation.create_rule('r', 'tap.job', 'created', activate => true, steps => ARRAY[
	automation.send_webhook('stats_hook'), automation.after('1 h', automation.notify('log', 'x'))]);
INSERT INTO tap.job SELECT generate_series(1, 3);
SELECT automation.set_clock('2030-03-04 09:30Z');

SELECT results_eq($$SELECT channel::text COLLATE "default", kind, state, ready, oldest_ready_seconds, retrying, overdue_seconds FROM automation.stats ORDER BY channel$$,
	$$VALUES ('stats_hook', 'webhook', 'active', 3::bigint, 1800::double precision, 0::bigint, NULL::double precision),
		('stats_idle', 'webhook', 'active', 0, NULL, 0, NULL)$$, 'a channel with messages, and one without');
SELECT results_eq('SELECT deliveries_ready, delivery_waiting_seconds, step_overdue_seconds, rules_active, rules_broken, is_copy, delivery_on FROM automation.metrics',
	'VALUES (3::numeric, 1800::double precision, 0::double precision, 1::bigint, 0::bigint, 0, 1)', 'and all together');

INSERT INTO automation.attempt (delivery_id, number, epoch, outcome, retry_at)
SELECT min(d.id), 1, 1, 'retry', '2030-03-04 09:20Z' FROM automation.delivery AS d;
INSERT INTO automation.retry (delivery_id, server, due_at) SELECT min(d.id), min(d.server), '2030-03-04 09:20Z' FROM automation.delivery AS d;
SELECT results_eq($$SELECT ready, retrying, overdue_seconds FROM automation.stats WHERE channel = 'stats_hook'$$,
	'VALUES (2::bigint, 1::bigint, 600::double precision)', 'what was tried waits for its next attempt');
SELECT automation.pause_channel('stats_hook'), automation.set_clock('2030-03-04 10:10Z');
SELECT results_eq('SELECT channels_paused, breakers_open, step_overdue_seconds FROM automation.metrics',
	'VALUES (1::bigint, 0::bigint, 600::double precision)', 'a step that is due and was not taken');

-- Who watches needs to see nothing else.
CREATE ROLE stats_exporter;
SELECT automation.grant_access('stats_exporter', 'viewer');
SET LOCAL ROLE stats_exporter;
SELECT results_eq('SELECT deliveries_ready FROM automation.metrics', 'VALUES (2::numeric)', 'a viewer reads the figures');
SELECT results_eq($$SELECT ready FROM automation.stats WHERE channel = 'stats_hook'$$, 'VALUES (2::bigint)', 'of each channel, too');
SELECT throws_ok('SELECT automation.audit_gaps()', '42501', NULL, 'the gaps are for operators');
RESET ROLE;
SELECT finish();
ROLLBACK;
