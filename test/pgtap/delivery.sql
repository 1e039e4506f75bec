-- Deliveries as SQL sees them: their states, what may be sent again, and what channels and steps may say of them.

CREATE SCHEMA crm;
CREATE TABLE crm.job (id bigint PRIMARY KEY, phone text);
SELECT automation.attach('crm.job', 'job');
ALTER FOREIGN DATA WRAPPER pg_automation OPTIONS (ADD allowed_networks '127.0.0.0/8');
SELECT automation.create_channel('hook', 'webhook', '{"base_url": "https://127.0.0.1:9"}');
SELECT automation.create_channel('other', 'webhook', '{"base_url": "https://127.0.0.1:9"}');
SELECT automation.pause_channel(name, 'for the test') FROM unnest('{hook,other}'::text[]) AS name; -- no worker meddles
-- One that begins now would settle the attempts below as an earlier one's: wait until it takes its turns.
DO $$
BEGIN
	WHILE NOT EXISTS (
		SELECT FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'pg_automation worker' AND query <> '')
	LOOP
		PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
	END LOOP;
END
$$;

SELECT no_plan();

-- A delivery whose last attempt came to that; null: it has none.
CREATE FUNCTION crm.delivery(outcome text, reason text DEFAULT NULL, channel text DEFAULT 'hook', age interval DEFAULT '0') RETURNS bigint
LANGUAGE sql AS $$
	WITH d AS (
		INSERT INTO automation.delivery (at, txid, rule_owner, server, channel, kind, recipient, message)
		SELECT now() - age, pg_current_xact_id(), current_user::regrole, s.oid, channel, 'webhook', '/', '{}'
		FROM pg_foreign_server AS s WHERE s.srvname = channel
		RETURNING id),
	a AS (
		INSERT INTO automation.attempt (delivery_id, number, epoch, outcome, reason)
		SELECT d.id, 1, 1, nullif(outcome, 'delivering'), reason FROM d WHERE outcome IS NOT NULL)
	SELECT id FROM d;
$$;
CREATE FUNCTION crm.state(delivery bigint) RETURNS text LANGUAGE sql
RETURN (SELECT d.state FROM automation.deliveries AS d WHERE d.id = delivery);

-- States, and what may be sent again

CREATE TABLE crm.example AS
SELECT e.*, crm.delivery(e.outcome) AS id
FROM (VALUES
	(NULL, 'held', 'has not been attempted yet'),
	('delivering', 'delivering', 'is being delivered'),
	('delivered', 'delivered', 'is already delivered'),
	('cancelled', 'cancelled', 'is cancelled'),
	('suppressed', 'suppressed', 'is suppressed'),
	('dead', 'dead', NULL),
	('unknown', 'unknown', NULL),
	('expired', 'expired', NULL),
	('simulated', 'simulated', NULL)) AS e(outcome, state, refusal);
SELECT is(crm.state(id), state, coalesce(outcome, 'no attempt') || ' is ' || state) FROM crm.example;
SELECT throws_ok(format('SELECT automation.retry(%s)', id), '55000', format('delivery %s %s', id, refusal), state || ' cannot be sent again')
FROM crm.example WHERE refusal IS NOT NULL;
SELECT lives_ok(format('SELECT automation.retry(%s)', id), state || ' can be sent again') FROM crm.example WHERE refusal IS NULL;
SELECT is(crm.state(id), 'held', 'and waits for its channel then') FROM crm.example WHERE refusal IS NULL;
SELECT is(automation._delivery_state(true, 'retry', true, false), 'retrying', 'on an open channel it is retrying');
SELECT is(automation._delivery_state(false, NULL, false, false), 'ready', 'what nobody has tried is ready');
SELECT throws_ok('SELECT automation.retry(0)', '42704', 'delivery 0 does not exist', 'a delivery that is not there');

-- Many at once

CREATE TABLE crm.dead AS
SELECT n, crm.delivery('dead', CASE WHEN n > 3 THEN 'HTTP 404' ELSE 'HTTP 500' END, CASE WHEN n = 5 THEN 'other' ELSE 'hook' END, n * interval '1 day') AS id
FROM generate_series(1, 5) AS n;
SELECT is(ARRAY(SELECT automation.replay('{"channel": "other"}', dry_run => true)), ARRAY(SELECT id FROM crm.dead WHERE n = 5), 'of a channel');
SELECT is(ARRAY(SELECT automation.replay('{"reason": "HTTP 404%"}', dry_run => true)), ARRAY(SELECT id FROM crm.dead WHERE n > 3), 'of a reason');
SELECT is(ARRAY(SELECT automation.replay(jsonb_build_object('since', now() - interval '60 hours'), dry_run => true)), ARRAY(SELECT id FROM crm.dead WHERE n < 3), 'of a time');
SELECT is(ARRAY(SELECT automation.replay(jsonb_build_object('until', now() - interval '60 hours'), dry_run => true)), ARRAY(SELECT id FROM crm.dead WHERE n > 2), 'or before it');
SELECT is(ARRAY(SELECT automation.replay('{"rule": "none"}', dry_run => true)), '{}'::bigint[], 'of a rule');
SELECT is(ARRAY(SELECT automation.replay('{"state": "unknown"}', dry_run => true)), '{}'::bigint[], 'of a state');
SELECT is(ARRAY(SELECT crm.state(id) FROM crm.dead), array_fill('dead'::text, ARRAY[5]), 'a preview sends nothing');
SELECT is(ARRAY(SELECT automation.replay(most => 2)), ARRAY(SELECT id FROM crm.dead WHERE n < 3), 'as many as asked for, in the order in which they came');
SELECT is(ARRAY(SELECT crm.state(id) FROM crm.dead ORDER BY n), '{held,held,dead,dead,dead}', 'are sent again');
SELECT is(ARRAY(SELECT automation.replay()), ARRAY(SELECT id FROM crm.dead WHERE n > 2), 'then the rest');
SELECT throws_ok($$SELECT automation.replay('{"chanel": "x"}')$$, '22023', 'unrecognized key "chanel" in filter', 'a filter that does not exist');
SELECT throws_ok($$SELECT automation.replay('{"state": "delivered"}')$$, '22023', 'deliveries that are delivered cannot be sent again', 'nor is that sent twice');
SELECT throws_ok($$SELECT automation.replay(most => 0)$$, '22023', 'most must be between 1 and 100000', 'none at all');
SELECT throws_ok($$SELECT automation.replay(most => NULL)$$, '22023', 'most must be between 1 and 100000', 'or without a bound');

-- What a channel says of its deliveries, and a step of its own

CREATE TABLE crm.saying (option text, value text, refusal text);
INSERT INTO crm.saying VALUES
	('max_attempts', '3', NULL),
	('max_attempts', '51', 'max_attempts must be between 1 and 50'),
	('retry_delay', '10s', NULL),
	('retry_delay', '2d', 'invalid value for option "retry_delay": "2d"'),
	('retry_max_delay', '1h', NULL),
	('retry_max_delay', 'long', 'invalid value for option "retry_max_delay": "long"'),
	('retry_schedule', '0s, 5s, 5min, 2h', NULL),
	('retry_schedule', '5s,', 'invalid value for option "retry_schedule": ""'),
	('on_unknown', 'hold', NULL),
	('expires_after', '3d', NULL),
	('expires_after', '-1h', 'invalid value for option "expires_after": "-1h"');
CREATE FUNCTION crm.step_with(option text, value text) RETURNS text LANGUAGE sql
RETURN format('SELECT automation.create_rule(%L, ''crm.job'', ''created'', steps => ARRAY[automation.send_webhook(''hook'', options => %L)])',
	option || value, jsonb_build_object(option, value));
CREATE FUNCTION crm.channel_with(option text, value text) RETURNS text LANGUAGE sql
RETURN format('SELECT automation.create_channel(%L, ''webhook'', %L)',
	option || value, jsonb_build_object('base_url', 'https://127.0.0.1:9', option, value));
SELECT CASE WHEN refusal IS NULL THEN lives_ok(command, what || ' ' || option || ' ' || value)
	ELSE throws_ok(command, '22023', refusal, what || ' ' || option || ' ' || value) END
FROM crm.saying, LATERAL (VALUES (crm.channel_with(option, value), 'channel with'), (crm.step_with(option, value), 'step with')) AS c(command, what);

SELECT throws_ok(crm.channel_with('on_unknown', 'guess'), '22023', 'unrecognized on_unknown: "guess"', 'channel with on_unknown guess');
SELECT automation.activate_rule('expires_after3d');
INSERT INTO crm.job VALUES (1);
SELECT is((SELECT d.message -> 'delivery' FROM automation.delivery AS d ORDER BY d.id DESC LIMIT 1), '{"expires_after": "3d"}', 'it goes with the message');

SELECT * FROM finish();
