-- The log: what a run and its steps come to, item_status(), explain(), fire(), check() and purge_log().
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, phone text);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, amount integer, contact_id integer REFERENCES crm.contact);
CREATE TABLE crm.visit (site text, day date, status text, PRIMARY KEY (site, day));
CREATE TABLE crm.note (id integer PRIMARY KEY, job_id integer REFERENCES crm.job, body text);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
SELECT automation.attach('crm.visit', 'visit', '{"status": "status"}');
SELECT automation.attach('crm.note', 'note');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
INSERT INTO crm.contact VALUES (1, 'Ada', '+12025550199');

CREATE FUNCTION crm.logged(item text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', rule, event, status, nullif(icon, ''), reason), '; ' ORDER BY id) FROM automation.execution_log WHERE key = item
$$;
CREATE FUNCTION crm.told(item text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', rule, status, nullif(icon, ''), reason), '; ') FROM automation.item_status('crm.job', item)
$$;

-- What the worker does, without it.
CREATE FUNCTION crm.attempt(outcome text, reason text DEFAULT NULL, due timestamptz DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	last automation.delivery;
BEGIN
	SELECT * INTO last FROM automation.delivery ORDER BY id DESC LIMIT 1;
	DELETE FROM automation.retry WHERE delivery_id = last.id;
	INSERT INTO automation.attempt (delivery_id, number, epoch, finished_at, outcome, reason, retry_at)
	VALUES (last.id, 1, 1, CASE WHEN outcome IS NOT NULL THEN now() END, outcome, reason, due);
	IF due IS NOT NULL THEN
		INSERT INTO automation.retry (delivery_id, server, due_at) VALUES (last.id, last.server, due);
	END IF;
END
$$;

-- Runs and their states

SELECT automation.create_rule('tell', 'crm.job', 'status_entered', '{"to": "Sent"}',
	steps => ARRAY[
		automation.send_sms('tap_sms', '{{ contact.phone }}', 'Hi'),
		automation.only_if('new.amount > 100', automation.notify('boss', 'x'))], activate => true);
SELECT automation.create_rule('big', 'crm.job', 'updated', condition => 'new.amount > 100', steps => ARRAY[automation.notify('boss', 'x')], activate => true);
INSERT INTO crm.job VALUES (1, 'New', 5, 1), (2, 'New', 500, NULL);
SELECT is(crm.logged('1'), NULL, 'a rule that does not apply leaves nothing');
SELECT is(crm.told('1'), 'tell not_run has not applied to this row; big not_run has not applied to this row', 'item_status() tells it has not run');
UPDATE crm.job SET status = 'Sent' WHERE id = 1;
SELECT is(crm.logged('1'), 'tell updated delivering ⏳', 'a message on its way');
SELECT is((SELECT concat_ws(' ', rule, relation, key, changes, steps, depth, cause, actor = session_user, version, last_at = now()) FROM automation.execution_log),
	'tell crm.job 1 {"status": ["New", "Sent"]} 2 0 t 1 t', 'the log tells what changed, and who changed it');
SELECT results_eq('SELECT step::integer, action, status, icon, reason FROM automation.step_log ORDER BY step',
	$$VALUES (1, 'send_sms', 'delivering', '⏳', NULL), (2, 'notify', 'not_run', '', 'condition of the step does not hold')$$, 'and what came of each step');
SELECT is((SELECT array_agg(deliveries ORDER BY step) = ARRAY[ARRAY[(SELECT max(id) FROM automation.delivery)]] || '{}' FROM automation.step_log WHERE step = 1), true, 'with the numbers of its messages');
SELECT crm.attempt(NULL);
SELECT is(crm.logged('1'), 'tell updated delivering ⏳', 'a message in flight');
SELECT crm.attempt('retry', 'connection refused', now() + interval '1 minute');
SELECT is(crm.logged('1'), 'tell updated retrying ⏳ step 1: connection refused', 'one that waits for another try');
SELECT is((SELECT next_at FROM automation.execution_log), now() + interval '1 minute', 'and when that is');
SELECT is((SELECT next_at FROM automation.item_status('crm.job', '1') WHERE rule = 'tell'), now() + interval '1 minute', 'in item_status() too');
SELECT crm.attempt('dead', 'gone');
SELECT is(crm.logged('1'), 'tell updated dead ⚠ step 1: gone', 'one that nobody takes');
SELECT crm.attempt('unknown', 'no answer');
SELECT is(crm.logged('1'), 'tell updated dead ⚠ step 1: no answer', 'one that may have arrived needs a person as well');
SELECT crm.attempt('delivered');
SELECT is(crm.logged('1'), 'tell updated succeeded ✅', 'one that was delivered');
SELECT is(crm.told('1'), 'tell succeeded ✅; big not_run has not applied to this row', 'item_status() tells the same');
UPDATE crm.job SET status = 'Sent' WHERE id = 2;
SELECT is(crm.logged('2'), 'tell updated failed ⚠ step 1: recipient of step 1 is null; big updated succeeded ✅', 'two rules, a row each');
SELECT automation.pause_channel('tap_sms');
UPDATE crm.job SET status = 'New', contact_id = 1 WHERE id = 2;
UPDATE crm.job SET status = 'Sent' WHERE id = 2;
SELECT is((SELECT concat_ws(' ', status, icon) FROM automation.execution_log WHERE rule = 'tell' ORDER BY id DESC LIMIT 1), 'waiting ⏳', 'a channel that is paused holds its messages');
SELECT automation.resume_channel('tap_sms');
SELECT automation.pause_rule('big');
SELECT is((SELECT concat_ws(' ', state, status, run_id IS NOT NULL) FROM automation.item_status('crm.job', '2') WHERE rule = 'big'), 'paused succeeded t', 'a paused rule still has its past');
SELECT is((SELECT reason FROM automation.item_status('crm.job', '1') WHERE rule = 'big'), 'rule is paused', 'and says why it does nothing');
SELECT automation.resume_rule('big');

-- Loops are named

SELECT automation.create_rule('up', 'crm.visit', 'updated', steps => ARRAY[automation.update_field('status', expression => $$coalesce(new.status, '') || 'a'$$)], activate => true);
INSERT INTO crm.visit VALUES ('Paris', '2030-01-01', NULL);
UPDATE crm.visit SET status = 'x';
SELECT is(crm.logged('{"day": "2030-01-01", "site": "Paris"}'), 'up updated succeeded ✅; up updated suppressed loop: "up" > "up"', 'a loop is cut and named');
SELECT is((SELECT status FROM crm.visit), 'xa', 'after one round');
SELECT is((SELECT status FROM automation.item_status('crm.visit', '{"site": "Paris", "day": "2030-01-01"}')), 'succeeded', 'item_status() takes a composite key');
SELECT automation.alter_rule('up', name => 'round');
SELECT is((SELECT reason FROM automation.execution_log WHERE status = 'suppressed'), 'loop: "round" > "round"', 'a renamed rule is called by its name');
SELECT is((SELECT DISTINCT rule FROM automation.execution_log WHERE relation = 'crm.visit'::regclass), 'round', 'throughout the log');

-- explain()

SELECT results_eq($$SELECT part, conjunct, holds, row_values, note FROM automation.explain('tell', 'crm.job', '2')$$, $$VALUES
	('rule', 'state is active', true, NULL::jsonb, NULL::text),
	('rule', 'can run', true, NULL, NULL),
	('event', 'insert, update of crm.job', NULL, NULL, 'only an event can tell'),
	('condition', 'automation.changed(old.status, new.status)', NULL, '{"new.status": "Sent"}', 'only an event can tell'),
	('condition', '(new.status = ''Sent''::text)', true, '{"new.status": "Sent"}', NULL),
	('step 2', '(new.amount > 100)', true, '{"new.amount": 500}', NULL)$$, 'explain() tells of every part whether it holds');
SELECT is((SELECT concat_ws(' ', holds, row_values) FROM automation.explain('big', 'crm.job', '1') WHERE part = 'condition'), 'f {"new.amount": 5}', 'and with which values it does not');
SELECT is((SELECT holds FROM automation.explain('tell', 'crm.job', '1') WHERE part = 'step 2'), false, 'for the steps too');
SELECT automation.create_rule('odd', 'crm.job', 'manual', condition => '1 / (new.amount - 5) > 0 AND contact.name = ''Ada''', steps => ARRAY[automation.notify('a', 'b')]);
SELECT is((SELECT array_agg(concat_ws(' ', holds, note)) FROM automation.explain('odd', 'crm.job', '1') WHERE part = 'condition'), '{"division by zero",t}', 'an error is told like anything else');
SELECT is((SELECT concat_ws(' ', holds, note) FROM automation.explain('odd', 'crm.job', '1') WHERE conjunct = 'state is active'), 'f it is draft', 'so is a state');
SELECT is((SELECT conjunct FROM automation.explain('odd', 'crm.job', '1') WHERE part = 'event'), 'automation.fire() or start_rule', 'and what fires it');
SELECT throws_ok($$SELECT * FROM automation.explain('odd', 'crm.job', '77')$$, 'P0002', 'table "crm.job" has no row with the key 77', 'there must be such a row');
SELECT throws_ok($$SELECT * FROM automation.item_status('crm.job', '77')$$, 'P0002', 'table "crm.job" has no row with the key 77', 'for item_status() too');
SELECT throws_ok($$SELECT * FROM automation.explain('odd', 'crm.visit', '1')$$, '42809', 'rule "odd" is not on table "crm.visit"', 'of the rule''s table');
SELECT throws_ok($$SELECT * FROM automation.item_status('crm.contact', '1')$$, '55000', 'table "crm.contact" is not attached', 'that is attached');
SELECT throws_ok($$SELECT * FROM automation.item_status('crm.visit', '{"site": "Paris"}')$$, '22023', 'invalid key of table "crm.visit": {"site": "Paris"}', 'with a whole key');

-- fire()

SELECT throws_ok($$SELECT automation.fire('odd', 'crm.job', '2')$$, '55000', 'rule "odd" is not active', 'a draft cannot be fired');
SELECT automation.alter_rule('odd', condition => 'new.amount > 100'), automation.activate_rule('odd');
CREATE TEMP TABLE fired AS SELECT automation.fire('odd', 'crm.job', '2') AS run;
SELECT is((SELECT run FROM fired), (SELECT max(id) FROM automation.execution_log), 'fire() answers the run');
SELECT is((SELECT concat_ws(' ', rule, key, event, status) FROM automation.execution_log ORDER BY id DESC LIMIT 1), 'odd 2 fired succeeded', 'that is in the log as what it is');
SELECT is(automation.fire('odd', 'crm.job', '1'), NULL, 'or null when the condition does not hold');
SELECT throws_ok($$SELECT automation.fire('odd', 'crm.job', '77')$$, 'P0002', 'table "crm.job" has no row with the key 77', 'there must be such a row');
SELECT is(automation.fire('round', 'crm.visit', '{"day": "2030-01-01", "site": "Paris"}') IS NOT NULL, true, 'by a composite key');
SELECT automation.create_rule('noted', 'crm.job', 'child_added', '{"child": "crm.note"}', steps => ARRAY[automation.notify('a', '{{ new.body }}')], activate => true);
INSERT INTO crm.note VALUES (9, 1, 'again');
SELECT throws_ok($$SELECT automation.fire('noted', 'crm.job', '1')$$, '42809', 'rule "noted" is not on table "crm.job"', 'a rule about a parent');
SELECT isnt(automation.fire('noted', 'crm.note', '9'), NULL, 'is fired by the key of a child');
SELECT is((SELECT array_agg(key) FROM automation.execution_log WHERE rule = 'noted'), '{1,1}', 'its run is the parent''s');
DELETE FROM crm.note;
DELETE FROM crm.job WHERE id = 1;
SELECT is((SELECT count(*) FROM automation.item_status('crm.job', '1') WHERE status <> 'not_run'), 2::bigint, 'a deleted row keeps its past');

-- What the log says of a row

SELECT automation.create_rule('begins', 'crm.visit', 'created', steps => ARRAY[automation.start_rule('goes on')], activate => true)
FROM automation.create_rule('goes on', 'crm.visit', 'manual', steps => ARRAY[automation.notify('a', 'b')], activate => true);
INSERT INTO crm.visit VALUES ('Rome', '2030-01-01', 'a') ON CONFLICT (site, day) DO UPDATE SET status = 'b';
INSERT INTO crm.visit VALUES ('Rome', '2030-01-01', 'a') ON CONFLICT (site, day) DO UPDATE SET status = 'b';
MERGE INTO crm.visit AS v USING (VALUES ('Rome', 'c'), ('Bonn', 'c')) AS n (site, status) ON v.site = n.site
WHEN MATCHED THEN UPDATE SET status = n.status WHEN NOT MATCHED THEN INSERT VALUES (n.site, '2030-01-01', n.status);
SELECT is((SELECT string_agg(concat_ws(' ', rule, substring(key FROM 'Rome|Bonn'), event), ', ' ORDER BY id) FROM automation.execution_log WHERE key ~ 'Rome|Bonn' AND depth < 2 AND status <> 'suppressed'),
	'begins Rome created, goes on Rome started, round Rome updated, round Rome updated, begins Bonn created, goes on Bonn started', 'one word for each event, whatever the statement');
SELECT automation.drop_rule(name) FROM unnest('{begins,goes on,round}'::text[]) AS name;
SELECT automation.create_rule('long', 'crm.visit', 'status_changed', steps => ARRAY[automation.notify('{{ status | truncate: 3 }}', 'b'),
	automation.after('1 day', automation.update_field('day', '{{ status }}'), cancel_if_changed => '{status}'),
	automation.update_field('day', '{{ status }}')], activate => true);
UPDATE crm.visit SET status = repeat('ä', 250) WHERE site = 'Bonn';
SELECT is((SELECT changes FROM automation.execution_log ORDER BY id DESC LIMIT 1), jsonb_build_object('status', jsonb_build_array('c', repeat('ä', 200) || '...')), 'of a long value it keeps 200 characters');
UPDATE crm.visit SET status = repeat('ö', 250) WHERE site = 'Bonn';
SELECT automation.advance('0');
CREATE FUNCTION crm.reasons() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(': ', step, status, regexp_replace(reason, 'ä+|ö+| at 20.*', '~', 'g')), E'\n' ORDER BY step) FROM automation.step_log WHERE run_id = (SELECT min(id) FROM automation.execution_log WHERE rule = 'long') AND step > 1 $$;
SELECT is(crm.reasons(), E'2: cancelled: field status changed ~...→~...~\n3: failed: invalid input syntax for type date: "~"', 'so does a reason');
CREATE ROLE tap_reader;
SELECT automation.grant_access('tap_reader', 'viewer');
GRANT USAGE ON SCHEMA crm TO tap_reader;
SET ROLE tap_reader;
SELECT is(crm.reasons(), E'2: cancelled: field status changed\n3: failed: error, not shown without SELECT on the table', 'which shows no value of a column');
SELECT is((SELECT min(reason) FROM automation.execution_log WHERE rule = 'long'), 'step 3: error, not shown without SELECT on the table', 'in neither log');
RESET ROLE;
GRANT SELECT ON crm.visit TO tap_reader;
SET ROLE tap_reader;
SELECT matches(crm.reasons(), 'changed ~', 'to who may not read the table');
RESET ROLE;

-- The short way to the steps of a run that is over tells what the long one tells.

CREATE FUNCTION crm.same_steps(description text) RETURNS text LANGUAGE sql AS $$
	SELECT is(
		(SELECT jsonb_agg(jsonb_build_array(run_id, step, action, status, reason, sqlstate, result, deliveries, next_at) ORDER BY run_id, step) FROM automation.step_log),
		(SELECT jsonb_agg(jsonb_build_array(l.id, n.step, n.action, n.status, automation._with_names(n.reason), n.sqlstate, n.result, coalesce(n.deliveries, '{}'), n.next_at) ORDER BY l.id, n.step)
			FROM automation.execution_log AS l, automation._steps_now(l.id) AS n), description)
$$;
GRANT EXECUTE ON FUNCTION crm.same_steps(text) TO tap_reader;
SELECT crm.same_steps('both ways to the steps agree');
SELECT cmp_ok((SELECT count(*) FROM automation.run WHERE NOT automation._may_go_on(steps) AND steps <> '[]'), '>', 2::bigint, 'of runs that are over');
SELECT cmp_ok((SELECT count(*) FROM automation.run WHERE automation._may_go_on(steps)), '>', 2::bigint, 'and of such as are not');
SET ROLE tap_reader;
SELECT crm.same_steps('also for who may not read everything');
RESET ROLE;

-- Dropped rules

SELECT automation.drop_rule('tell');
SELECT is((SELECT count(*) FROM automation.execution_log WHERE rule = 'tell'), 3::bigint, 'so does a dropped rule');
SELECT is((SELECT count(*) FROM automation.item_status('crm.job', '2') WHERE rule = 'tell'), 0::bigint, 'but item_status() shows only those that are');

-- check()

SELECT results_eq('SELECT "check" FROM automation.check()', '{library,worker,"worker processes",pg_cron,delivery,home,"secrets directory",credentials,channels,"lost rules",rules,"channels of rules",tables,triggers}'::text[], 'what is checked');
SELECT is((SELECT bool_and((hint IS NULL) = ok AND detail IS NOT NULL) FROM automation.check()), true, 'a hint where something is wrong, a detail everywhere');
SELECT is((SELECT ok FROM automation.check() WHERE "check" = 'triggers'), true, 'triggers are enabled');
ALTER TABLE crm.visit DISABLE TRIGGER pg_automation;
SELECT is((SELECT concat_ws(' ', ok, detail) FROM automation.check() WHERE "check" = 'triggers'), 'f changes go unseen: crm.visit', 'or not');
ALTER TABLE crm.visit ENABLE TRIGGER pg_automation;
SELECT is((SELECT concat_ws(' ', ok, detail) FROM automation.check() WHERE "check" = 'credentials'), 'f channels without any: tap_sms', 'a channel without a login');
SELECT automation.create_rule('sends', 'crm.job', 'created', steps => ARRAY[automation.send_sms('tap_sms', '+12025550101', 'x')]);
SELECT automation.drop_channel('tap_sms');
SELECT is((SELECT concat_ws(' ', ok, detail) FROM automation.check() WHERE "check" = 'channels of rules'), 'f "sends" cannot use "tap_sms"', 'a rule without its channel');

-- purge_log()

SELECT is(automation.purge_log('1 day'), 0::bigint, 'nothing is a day old');
SELECT automation.advance('0');
UPDATE automation.run SET at = at - interval '2 days';
SELECT is((SELECT count(*) FROM automation.execution_log AS l WHERE status IN ('delivering', 'waiting', 'retrying')), 1::bigint, 'one run still has a message on its way');
CREATE TEMP TABLE held AS SELECT count(*) AS runs FROM automation.run;
SELECT is(automation.purge_log('1 day'), (SELECT runs - 2 FROM held), 'older runs go');
SELECT is((SELECT count(*) FROM automation.run), 2::bigint, 'but that one, and one of which a step waits');
SELECT is((SELECT count(*) FROM automation.attempt), 0::bigint, 'with the attempts of their messages');
SELECT is((SELECT count(*) FROM automation.delivery), 1::bigint, 'and the messages');
SELECT is((SELECT array_agg(DISTINCT rule) FROM automation.rule_history WHERE rule = 'tell'), '{tell}', 'the dropped rule it belongs to is still known');
SELECT crm.attempt('delivered');
SELECT is(automation.purge_log('0'), 1::bigint, 'when the message is delivered, it goes too');
SELECT is((SELECT count(*) FROM automation.rule_history WHERE rule = 'tell'), 0::bigint, 'and with it the last of the dropped rule');

-- A look at one row is cheap, in a database that was never analyzed too: PostgreSQL does not compile it (jit).
CREATE FUNCTION crm.cost(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> 'Total Cost';
END
$$;
SELECT cmp_ok(crm.cost(query), '<', current_setting('jit_above_cost')::numeric / 4, query)
FROM unnest(ARRAY[
	$$SELECT * FROM automation.execution_log WHERE relation = 'pg_class'::regclass AND key = '17'$$,
	$$SELECT * FROM automation.execution_log ORDER BY id DESC LIMIT 10$$,
	$$SELECT * FROM automation.step_log WHERE relation = 'pg_class'::regclass AND key = '17'$$,
	$$SELECT * FROM automation.step_log WHERE run_id = 1$$,
	$$SELECT * FROM automation.due WHERE relation = 'pg_class'::regclass AND key = '17'$$,
	'SELECT * FROM automation.due ORDER BY due_at LIMIT 10',
	'SELECT * FROM automation.activations', 'SELECT * FROM automation.rules', 'SELECT * FROM automation.deliveries ORDER BY id DESC LIMIT 10']) AS query;

-- Of many messages, a look at some runs reads theirs alone.

CREATE FUNCTION crm.messages_read() RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_all_tables
	WHERE schemaname = 'automation' AND relname ~ '^delivery(_[0-9]+)?$'
$$;
CREATE SERVER tap_mass FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
SELECT automation.create_rule('mass', 'crm.job', 'created', steps => ARRAY[automation.send_sms('tap_mass', '{{ contact.phone }}', 'Hi')], activate => true);
INSERT INTO crm.job SELECT n, 'New', 5, 1 FROM generate_series(1001, 1200) AS n;
SELECT is(crm.logged('1200'), 'mass created delivering ⏳', 'each of many rows has a message');
SELECT crm.messages_read() AS already \gset
SELECT is((SELECT count(*) FROM (SELECT * FROM automation.execution_log ORDER BY id DESC LIMIT 20) AS l WHERE status = 'delivering'), 20::bigint, 'the last runs have theirs');
SELECT is(crm.messages_read() - :already, 20::bigint, 'and no other message is read');
SELECT crm.messages_read() AS already \gset
SELECT is((SELECT count(*) FROM automation.step_log WHERE relation = 'crm.job'::regclass AND key = '1200' AND deliveries <> '{}'), 1::bigint, 'so has the step of one row');
SELECT is(crm.messages_read() - :already, 1::bigint, 'and none but its own is read');
SET LOCAL enable_seqscan = off; -- as if there were many
SELECT crm.messages_read() AS already \gset
SELECT is((SELECT count(*) FROM automation.cascade((SELECT max(id) FROM automation.run)) WHERE part = 'message'), 1::bigint, 'a cascade has its messages');
SELECT cmp_ok(crm.messages_read() - :already, '<', 10::bigint, 'and reads no others');
SELECT crm.messages_read() AS already \gset
SELECT is((SELECT count(*) FROM automation.whatif('UPDATE crm.job SET amount = amount WHERE id = 1200; INSERT INTO crm.job (id, status, contact_id) VALUES (1201, ''New'', 1)') WHERE part = 'message'), 1::bigint, 'so has what would be');
SELECT cmp_ok(crm.messages_read() - :already, '<', 10::bigint, 'which reads no others either');

-- What was sent in this transaction

SELECT automation.create_rule('inform', 'crm.job', 'created', steps => ARRAY[automation.send_sms('tap_mass', '{{ contact.phone }}', 'Hi'), automation.notify('a', 'b')], activate => true);
INSERT INTO crm.job VALUES (1202, 'New', 5, 1);
SELECT results_eq($$SELECT step, channel, recipient FROM automation.messages('inform')$$, $$VALUES (1, 'tap_mass', '+12025550199'), (2, 'notification', 'a')$$, 'a notification, too, tells its step');

SELECT * FROM finish();
ROLLBACK;
