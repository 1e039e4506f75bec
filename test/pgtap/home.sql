-- A copy of another database does nothing by itself until it is adopted.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
CREATE TABLE tap.deal (id integer PRIMARY KEY, stage text, closes_on date);
SELECT automation.attach('tap.deal', 'deal', '{"status": "stage"}');
CREATE SERVER home_hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hooks.example');
SELECT automation.create_rule('wait', 'tap.deal', 'created', activate => true, steps => ARRAY[
	automation.send_webhook('home_hook'),
	automation.after('1 minute', automation.notify('log', 'overdue')),
	automation.after('1 hour', automation.notify('log', 'later'))]);
SELECT automation.create_rule('closes', 'tap.deal', 'date_passed', '{"field": "closes_on"}', activate => true, steps => ARRAY[automation.notify('log', 'closed')]);
SELECT automation.create_rule('daily', 'tap.deal', 'schedule', '{"cron": "@daily"}', activate => true, steps => ARRAY[automation.notify('log', 'daily')]);
CREATE FUNCTION tap.steps() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(status, ' ' ORDER BY step) FROM automation.step_log WHERE rule = 'wait'
$$;
CREATE FUNCTION tap.home() RETURNS text LANGUAGE sql AS $$ SELECT detail FROM automation.check() WHERE "check" = 'home' AND NOT ok $$;

-- At home

SELECT is(tap.home(), NULL, 'where it was made a database is at home');
SELECT throws_ok($$SELECT automation.adopt('resume')$$, '55000', 'this database is no copy, or has been adopted', 'there is nothing to adopt');
SELECT is(automation._set_back('0/0'), NULL, 'a server that nobody has recovered was never set back');

-- Away

UPDATE automation.home SET name = 'crm', database = 42, system_identifier = 7;
INSERT INTO tap.deal VALUES (1, 'New', current_date + 5);
UPDATE automation.pending SET due_at = automation._now() - interval '1 minute' WHERE step = 2;
SELECT is(tap.steps(), 'waiting waiting waiting', 'rules fire in a copy');
SELECT is((SELECT string_agg(state, ' ') FROM automation.deliveries), 'held', 'what they send is held');
SELECT is(automation.tick(), 0, 'what is due is not done');
SELECT is(tap.steps(), 'waiting waiting waiting', 'and waits');
SELECT is(tap.home(), format('It comes from database "crm" with OID 42 in cluster 7; this is "%s" in cluster %s.',
	current_database(), (SELECT system_identifier FROM pg_control_system())), 'check() tells where it comes from');
SELECT throws_ok('SELECT automation.retry(max(id)) FROM automation.deliveries', '55000',
	'deliveries are on hold because this database was restored or copied', 'there is no way around it');
SELECT throws_ok($$SELECT automation.adopt('x')$$, '22023', 'invalid value for pending: "x"', 'who adopts it says what to do');
SELECT throws_ok('SELECT automation.adopt(NULL)', '22023', 'invalid value for pending: ""', 'in any case');
CREATE ROLE home_operator;
SELECT automation.grant_access('home_operator', 'operator');
GRANT USAGE ON SCHEMA tap TO home_operator;
SET LOCAL ROLE home_operator;
SELECT is((SELECT string_agg(state, ' ') FROM automation.deliveries), 'held', 'an operator sees that');
SELECT throws_ok($$SELECT automation.adopt('resume')$$, '42501', 'permission denied for function adopt', 'but adopting is not for him');
RESET ROLE;

SAVEPOINT away;

-- Adopted

SELECT automation.adopt('resume');
SELECT is(tap.home(), NULL, 'adopted, it is at home');
SELECT is((SELECT string_agg(state, ' ') FROM automation.deliveries), 'ready', 'messages leave');
SELECT cmp_ok(automation.tick(), '>', 0, 'what is due is done');
SELECT is(tap.steps(), 'delivering succeeded waiting', 'and the rest in time');
ROLLBACK TO away;
SELECT identity AS source FROM automation.worker \gset
SELECT automation.adopt('discard');
SELECT is(tap.home(), NULL, 'so it is when all that is discarded');
SELECT automation.tick();
SELECT is(tap.steps(), 'delivering cancelled cancelled', 'steps are cancelled, and messages will be');
SELECT results_eq($$SELECT DISTINCT reason FROM automation.step_log WHERE status = 'cancelled'$$,
	$$VALUES ('discarded when the database was adopted')$$, 'which tells why');
SELECT bag_eq('SELECT rule, due_at::date - current_date FROM automation.due', $$VALUES ('closes', 5), ('daily', 1)$$, 'dates and schedules stay planned');
SELECT isnt((SELECT identity FROM automation.worker), :'source', 'its messages are not those of the database it comes from');

-- A channel that did not come along: its messages end, each as what it is.

ROLLBACK TO away;
CREATE SERVER home_lost FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hooks.example');
SELECT automation.create_rule('lost', 'tap.deal', 'created', activate => true, steps => ARRAY[
	automation.send_webhook('home_lost', '/', to_jsonb('{{ stage }}'::text)), automation.after_previous(automation.notify('log', 'then'))]);
INSERT INTO tap.deal VALUES (11, 'new'), (12, 'retrying'), (13, 'in flight'), (14, 'dead');
CREATE FUNCTION tap.lost() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', m.message ->> 'body', d.state, d.attempts, d.reason), ', ' ORDER BY d.id)
	FROM automation.deliveries AS d JOIN automation.delivery AS m USING (id) WHERE d.channel = 'home_lost'
$$;
INSERT INTO automation.attempt (delivery_id, number, epoch, outcome, reason)
SELECT d.id, 1, 1, o.outcome, o.outcome FROM automation.delivery AS d
JOIN (VALUES ('retrying', 'retry'), ('in flight', NULL), ('dead', 'dead')) AS o(body, outcome) ON o.body = d.message ->> 'body';
INSERT INTO automation.retry (delivery_id, server, due_at) SELECT d.id, d.server, automation._now() FROM automation.delivery AS d WHERE d.message ->> 'body' = 'retrying';
DROP SERVER home_lost;
SELECT automation.adopt('resume');
SELECT is(tap.lost(), 'new cancelled 0 its channel has been dropped, retrying cancelled 1 its channel has been dropped, '
	'in flight unknown 1 its channel has been dropped, dead dead 1 dead', 'none of them is held for ever');
SELECT throws_like(format('SELECT automation.retry(%s)', id), 'the channel of delivery % has been dropped', 'nor sent again through nothing')
FROM automation.deliveries WHERE channel = 'home_lost' AND state IN ('dead', 'unknown');
SELECT is_empty('SELECT FROM automation.retry WHERE server = 0', 'nothing waits for it');
SELECT automation.tick();
SELECT is((SELECT string_agg(DISTINCT s.status, ' ') FROM automation.step_log AS s WHERE s.rule = 'lost' AND s.step = 2), 'not_run', 'nor does what waited for their end');

-- Tests may let time pass

ROLLBACK TO away;
SELECT automation.set_clock(automation._now());
SELECT automation.advance('2 hours');
SELECT is(tap.steps(), 'waiting succeeded succeeded', 'tests run in a copy as they do at home');

SELECT * FROM finish();
ROLLBACK;
