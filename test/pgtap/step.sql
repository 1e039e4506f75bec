-- Steps one after the other: what each sees of the row, and what is left of one that fails.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;
CREATE FUNCTION tap.logged() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.run RETURNING *)
	SELECT coalesce(string_agg(concat_ws(' ', (SELECT name FROM automation.rule AS r WHERE r.id = rule_id), key, status, sqlstate, reason), E'\n' ORDER BY id), 'nothing')
	FROM gone
$$;
CREATE FUNCTION tap.rule(name text, relation regclass, trigger text, params jsonb, VARIADIC steps automation.step[]) RETURNS void LANGUAGE sql AS $$
	SELECT automation.create_rule(name, relation, trigger, params, steps => steps, activate => true)
$$;
CREATE FUNCTION tap.told() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.notification RETURNING *)
	SELECT coalesce(string_agg(body, ', ' ORDER BY id), 'nothing') FROM gone
$$;

CREATE TABLE job (id integer PRIMARY KEY, status text, note text);
SELECT automation.attach('job', columns => '{"status": "status"}');

-- What was rolled back has not fired: neither with a step nor within a function that catches its error.
CREATE FUNCTION tap.refuse_bad() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.status = 'bad' THEN
		RAISE 'bad';
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER zz AFTER UPDATE ON job FOR EACH ROW EXECUTE FUNCTION tap.refuse_bad();
CREATE FUNCTION tap.try_bad(event jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE tap.job SET status = 'bad' WHERE id = (event -> 'new' ->> 'id')::integer;
EXCEPTION WHEN OTHERS THEN
END
$$;
SELECT tap.rule('tries', 'job', 'created', '{}', automation.update_field('status', 'bad'),
	automation.call_function('tap.try_bad'), automation.update_field('status', 'good'));
SELECT tap.rule('set off', 'job', 'status_changed', '{}', automation.notify('log', '{{ status }}'));
INSERT INTO job VALUES (1, 'New');
SELECT is(tap.logged(), E'tries 1 failed P0001 step 1: bad\nset off 1 succeeded', 'a rule whose first firing was rolled back fires again');
SELECT is(tap.told(), 'good', 'and only the last one told');
DROP TRIGGER zz ON job;
SELECT automation.drop_rule(name) FROM unnest('{tries,set off}'::text[]) AS name;

-- What follows a step, a row for whoever is to be told, is part of it.
CREATE FUNCTION tap.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE 'no room for %', coalesce(to_jsonb(NEW) ->> 'body', to_jsonb(NEW) ->> 'key');
END
$$;
CREATE TRIGGER refuse BEFORE INSERT ON automation.notification FOR EACH ROW WHEN (NEW.body = 'refused') EXECUTE FUNCTION tap.refuse();
SELECT tap.rule('tells', 'job', 'created', '{}', automation.notify('log', 'refused'), automation.notify('log', 'accepted'));
SELECT tap.rule('next', 'job', 'created', '{}', automation.notify('log', 'next'));
INSERT INTO job VALUES (2, 'New');
SELECT is(tap.logged(), E'tells 2 failed P0001 step 1: no room for refused\nnext 2 succeeded', 'a row that cannot be written fails the step');
SELECT is(tap.told(), 'accepted, next', 'and nothing else');
SELECT automation.alter_rule('tells', on_error => 'fail');
SELECT throws_ok('INSERT INTO job VALUES (3)', 'P0001', 'no room for refused', 'or the write, if the rule says so');
SELECT automation.drop_rule('tells');

-- So is the rule that a step starts.
SELECT tap.rule('started', 'job', 'manual', '{}', automation.notify('log', 'started'), automation.notify('log', 'refused'));
SELECT automation.alter_rule('started', on_error => 'fail');
SELECT tap.rule('starts', 'job', 'created', '{}', automation.start_rule('started'), automation.notify('log', 'starts'));
INSERT INTO job VALUES (4, 'New');
SELECT is(tap.logged(), E'next 4 succeeded\nstarts 4 failed P0001 step 1: no room for refused', 'a rule that fails what started it fails that step');
SELECT is(tap.told(), 'next, starts', 'with all that it did itself');
SELECT automation.drop_rule(name) FROM unnest('{started,starts}'::text[]) AS name;

-- A run that cannot be recorded has not happened.
CREATE TRIGGER refuse BEFORE INSERT ON automation.run FOR EACH ROW WHEN (NEW.key = '6') EXECUTE FUNCTION tap.refuse();
SELECT tap.rule('tells', 'job', 'created', '{}', automation.notify('log', 'tells'));
SELECT lives_ok($$INSERT INTO job VALUES (5, 'New'), (6, 'New'), (7, 'New')$$, 'the write goes on');
SELECT is(tap.logged(), E'next 5 succeeded\ntells 5 succeeded\nnext 7 succeeded\ntells 7 succeeded', 'so does all else');
SELECT is(tap.told(), 'next, tells, next, tells', 'what is not in the log leaves nothing');
SELECT automation.alter_rule('tells', on_error => 'fail');
DELETE FROM job WHERE id = 6;
SELECT throws_ok('INSERT INTO job VALUES (6)', 'P0001', 'no room for 6', 'unless the rule aborts the write');
DROP TRIGGER refuse ON automation.run;
DROP TRIGGER refuse ON automation.notification;
SELECT automation.drop_rule(name) FROM unnest('{next,tells}'::text[]) AS name;
SELECT tap.logged(), tap.told();

-- Values of absurd length
CREATE TABLE person (id text PRIMARY KEY, name text);
SELECT automation.attach('person');
SELECT tap.rule('greets', 'person', 'created', '{}', automation.notify('{{ name }}', 'hello'));
INSERT INTO person SELECT 'a', string_agg(md5(i::text), '') FROM generate_series(1, 200) AS i;
SELECT is(tap.logged(), 'greets a failed 22001 step 1: recipient of step 1 is longer than 2000 bytes', 'a recipient too long for an index');
INSERT INTO person SELECT left(string_agg(md5(i::text), ''), 2600), 'ann' FROM generate_series(1, 100) AS i;
SELECT is(tap.logged(), 'greets  failed 54000 key: the row''s key is longer than 2000 bytes', 'and a key');
SELECT is(tap.told(), 'nothing', 'are refused');
INSERT INTO person VALUES ('b');
SELECT is(tap.logged(), 'greets b failed 22004 step 1: recipient of step 1 is null', 'as is no recipient');
SELECT automation.alter_rule('greets', on_error => 'fail');
SELECT throws_ok($$INSERT INTO person VALUES ('c')$$, '22004', 'recipient of step 1 is null', 'which may abort the write');

SELECT throws_ok($$INSERT INTO person VALUES ('d', ' ')$$, '22004', 'recipient of step 1 is empty', 'nor does an empty one pass');
SELECT automation.alter_rule('greets', on_error => 'log');
INSERT INTO person VALUES ('e', ' ');
SELECT is(tap.logged(), 'greets e failed 22004 step 1: recipient of step 1 is empty', 'one that is empty is none either');
SELECT automation.drop_rule('greets');
SELECT tap.rule('greets all', 'person', 'created', '{}', automation.action('notify', '{"recipient": ["{{ id }}", "{{ name }}"], "body": "hello"}'));
INSERT INTO person VALUES ('f');
SELECT is((SELECT steps #>> '{0,status}' || ': ' || (steps #>> '{0,reason}') FROM automation.run), 'succeeded: recipient of step 1 is missing: 1 of 2', 'one of several is missed in the log');
SELECT is((SELECT string_agg(recipient, ' ') FROM automation.notification), 'f', 'and the others are told');
SELECT automation.alter_rule('greets all', on_error => 'fail');
SELECT throws_ok($$INSERT INTO person VALUES ('g')$$, '22004', 'recipient of step 1 is missing: 1 of 2', 'unless the rule aborts the write');
SELECT automation.drop_rule('greets all');
SELECT tap.logged(), tap.told();

-- A step sees the row as it is now, whoever has changed it since the event.
TRUNCATE job;
SELECT automation.drop_rule(name) FROM automation.rules;
SELECT tap.rule('another', 'job', 'manual', '{}', automation.update_field('note', 'from another'));
SELECT tap.rule('starts', 'job', 'created', '{}', automation.start_rule('another'), automation.notify('log', 'starts: {{ note }}'));
INSERT INTO job VALUES (1, 'New');
SELECT is(tap.told(), 'starts: from another', 'after a rule that it has started');
SELECT tap.rule('late', 'job', 'status_entered', '{"to": "New"}', automation.notify('log', 'late: {{ status }} {{ note }}'));
SELECT tap.rule('never', 'job', 'status_entered', '{"to": "Seen"}', automation.notify('log', 'never'));
SELECT tap.rule('first', 'job', 'created', '{}', automation.update_field('status', 'Seen'));
SELECT automation.move_rule('first', before => 'starts');
SELECT tap.logged();
INSERT INTO job VALUES (2, 'New');
SELECT is(tap.told(), 'never, starts: from another, late: Seen from another', 'after an earlier rule, though whether the later one applies is for the event to tell');
SELECT automation.drop_rule(name) FROM unnest('{first,never,starts,another}'::text[]) AS name;
CREATE FUNCTION tap.before_rules() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE tap.job SET note = 'by trigger' WHERE id = NEW.id;
	RETURN NULL;
END
$$;
CREATE TRIGGER aa AFTER INSERT ON job FOR EACH ROW EXECUTE FUNCTION tap.before_rules();
SELECT tap.rule('sets', 'job', 'created', '{}', automation.update_field('status', '{{ note }}!'));
INSERT INTO job VALUES (3, 'New');
SELECT is(tap.told(), 'late: New by trigger', 'after a trigger that fires before ours');
SELECT is((SELECT status FROM job WHERE id = 3), 'by trigger!', 'and changes it where it is then');
DROP TRIGGER aa ON job;
CREATE FUNCTION tap.remove(event jsonb) RETURNS void LANGUAGE sql AS 'DELETE FROM tap.job WHERE id = (event -> ''new'' ->> ''id'')::integer';
SELECT tap.rule('removes', 'job', 'created', '{}', automation.call_function('tap.remove'), automation.update_field('note', 'gone'),
	automation.notify('log', 'last seen: {{ status }}'));
SELECT tap.logged(), tap.told();
INSERT INTO job VALUES (4, 'Now');
SELECT is((SELECT steps #>> '{1,reason}' FROM automation.run WHERE key = '4' ORDER BY id DESC LIMIT 1), 'no row to change', 'a row that a step has deleted is not found');
SELECT is(tap.told(), 'last seen: !', 'and tells what was seen last');
SELECT automation.drop_rule(name) FROM automation.rules;

-- So it does when it knows the row by its key alone.
SELECT tap.rule('by hand', 'job', 'manual', '{}', automation.notify('log', 'first {{ note }}'), automation.update_field('note', 'new {{ note }}'),
	automation.update_field('note', 'very {{ note }}'), automation.notify('log', '{{ note }}'));
INSERT INTO job VALUES (5, 'New', 'note');
SELECT automation.fire('by hand', 'job', '5');
SELECT is(tap.told(), 'first note, very new note', 'a rule that is fired by hand');

-- A row may go to another partition under a rule's hands.
CREATE TABLE deal (stage text, id integer, note text, PRIMARY KEY (id, stage)) PARTITION BY LIST (stage);
CREATE TABLE deal_open PARTITION OF deal FOR VALUES IN ('open');
CREATE TABLE deal_won (note text, id integer NOT NULL, stage text NOT NULL);
ALTER TABLE deal ATTACH PARTITION deal_won FOR VALUES IN ('won');
SELECT automation.attach('deal', columns => '{"status": "stage"}');
SELECT tap.rule('moves', 'deal', 'created', '{}', automation.update_field('stage', 'won'), automation.notify('log', 'is {{ stage }}'),
	automation.update_field('note', 'noted {{ stage }}'), automation.notify('log', '{{ note }}'));
INSERT INTO deal VALUES ('open', 1);
SELECT is((SELECT string_agg(s ->> 'status', ' ') FROM automation.run, jsonb_array_elements(steps) AS s WHERE key LIKE '%open%' AND depth = 0), 'succeeded succeeded succeeded succeeded', 'every step is taken');
SELECT is((SELECT deal_won::text FROM deal_won), '("noted won",1,won)', 'and finds the row where it is');
SELECT is(tap.told(), 'is won, noted won', 'and as it is');

SELECT * FROM finish();
ROLLBACK;
