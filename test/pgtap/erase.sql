-- erase_subject(), erase_address(), export_subject(): a person who has been everywhere is found nowhere.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, phone text, email text, tier text);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, title text, contact_id integer REFERENCES crm.contact);
INSERT INTO crm.contact VALUES (1, 'Zoë "Z" Markerova', '(202) 555-0199', 'zoe.m@marker.example', 'gold'), (2, 'Bob', '+12025550123', 'bob@other.example', 'gold');
SELECT automation.attach('crm.contact', 'contact');
SELECT automation.attach('crm.job', 'job', '{"status": "status"}');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE SERVER tap_mail FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'a@b.example');
SET pg_automation.journal = on;
SELECT automation.create_rule('text', 'crm.job', 'status_entered', '{"to": "Go"}', activate => true, steps => ARRAY[
	automation.send_sms('tap_sms', '+1 {{ contact.phone }}', 'Hi {{ contact.name }}'),
	automation.send_email('tap_mail', '{{ contact.email }}', 'Hi', 'Dear {{ contact.name }}'),
	automation.send_email('tap_mail', 'office@firm.example', 'Job', '{{ contact.name }} is waiting'),
	automation.send_email('tap_mail', 'office@firm.example', 'Job', 'Job {{ id }}'),
	automation.notify('boss', 'Call {{ contact.name }}'),
	automation.update_field('title', 'Go to {{ contact.name }}'),
	automation.update_field('contact_id', '{{ contact.name }}'),
	automation.after('3 days', automation.send_sms('tap_sms', '+1 {{ contact.phone }}', 'Still coming'), cancel_if_changed => '{title}'),
	automation.after('3 days', automation.notify('boss', 'late'))]);
SELECT automation.create_rule('welcome', 'crm.contact', 'field_changed', '{"field": "name"}', activate => true, steps => ARRAY[
	automation.notify('{{ email }}', 'Now called {{ name }}'),
	automation.after('9 days', automation.notify('boss', '{{ name }}'), cancel_if_changed => '{name}')]);
SELECT automation.set_consent('sms', '+12025550199', 'all', 'denied', 'STOP');

INSERT INTO crm.job VALUES (1, 'New', 'x', 1), (2, 'New', 'x', 2);
UPDATE crm.job SET status = 'Go';
UPDATE crm.contact SET name = name || '!' WHERE id = 1;
UPDATE crm.contact SET name = left(name, -1) WHERE id = 1;
SELECT automation.test_rule('text', '1');
INSERT INTO automation.document (owner, entity_id, key, name, type, content, is_kept)
SELECT current_user::regrole, e.id, '1', 'markerova.txt', 'text/plain', 'Dear Ms Markerova', true FROM automation.entity AS e WHERE e.relation = 'crm.contact'::regclass;
SELECT automation.stop_item('crm.contact', '1', reason => 'Ms Markerova asked for it');
INSERT INTO automation.attempt (delivery_id, number, epoch, finished_at, outcome, reason, response)
SELECT id, 1, 1, now(), 'dead', 'no such user: ' || recipient, recipient FROM automation.delivery WHERE kind = 'email';

-- In every table of ours, and in how many
CREATE FUNCTION crm.found(pattern text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	name text;
	hits bigint;
	found text[] := '{}';
BEGIN
	FOR name IN SELECT c.relname FROM pg_class AS c WHERE c.relnamespace = 'automation'::regnamespace AND c.relkind = 'r' ORDER BY 1 LOOP
		EXECUTE format('SELECT count(*) FROM ONLY automation.%I AS t WHERE t::text ~* %L', name, pattern) INTO hits;
		IF hits > 0 THEN
			found := found || name;
		END IF;
	END LOOP;
	RETURN array_to_string(found, ', ');
END
$$;
\set marker '''marker|202\\D{0,3}555\\D{0,3}0199'''
SELECT is(crm.found(:marker), 'attempt, delivery, document, event, hold, notification, run, step_run, test_run, touch', 'she is everywhere')
FROM (SELECT automation.advance('1 day')) AS passed;
ANALYZE automation.run, automation.step_run, automation.delivery, automation.attempt, automation.notification, automation.event, automation.document, automation.touch, automation.hold,
	automation.pending, automation.test_run;
SELECT is((SELECT string_agg(DISTINCT s.starelid::regclass::text, ', ') FROM pg_statistic AS s JOIN pg_class AS c ON c.oid = s.starelid WHERE c.relnamespace = 'automation'::regnamespace AND s::text ~* :marker),
	NULL, 'but in no sample of ANALYZE');
CREATE TEMP TABLE before AS SELECT id, rule, key, event, status, at FROM automation.execution_log;
CREATE TEMP TABLE sent AS SELECT id, kind, at, run_id, step FROM automation.deliveries;

-- What is known of her

CREATE TEMP TABLE export AS SELECT automation.export_subject('crm.contact', '1') AS answer;
SELECT is((SELECT array_agg(k ORDER BY k) FROM export, jsonb_object_keys(answer) AS k), '{consents,events,messages,notifications,plans,runs,subject}', 'export_subject() tells all of it');
SELECT is((SELECT array_agg(m ->> 'recipient' ORDER BY m ->> 'id') FROM export, jsonb_array_elements(answer -> 'messages') AS m), '{zoe.m@marker.example}', 'the messages that went to her');
SELECT is((SELECT m -> 'attempts' -> 0 ->> 'outcome' FROM export, jsonb_array_elements(answer -> 'messages') AS m), 'dead', 'with what became of them');
SELECT is((SELECT jsonb_array_length(answer -> 'runs') FROM export), 2, 'the runs about her own row');
SELECT is((SELECT c ->> 'source' FROM export, jsonb_array_elements(answer -> 'consents') AS c LIMIT 1), NULL, 'no decision under a number that lacks its country');

-- Gone

SELECT is((SELECT c - 'touches' - 'events' FROM automation.erase_subject('crm.contact', '1') AS c),
	'{"runs": 3, "plans": 2, "steps": 1, "attempts": 2, "messages": 2, "documents": 1, "in_flight": 0, "test_runs": 1, "notifications": 3}', 'erase_subject() counts what it blanks');
SELECT is(crm.found(:marker), '', 'she is nowhere');
SELECT set_eq('SELECT id, rule, key, event, at FROM automation.execution_log', 'SELECT id, rule, key, event, at FROM before', 'what happened, and when, is still known');
SELECT set_eq('SELECT id, kind, at, run_id, step FROM automation.deliveries', 'SELECT * FROM sent', 'and what was sent');
SELECT is((SELECT string_agg(concat_ws(' ', step, status, reason), ', ' ORDER BY step) FROM automation.step_log WHERE rule = 'text' AND key = '1' AND step IN (4, 5, 7, 8, 9)),
	'4 dead no such user: office@firm.example, 5 succeeded, 7 failed erased, 8 cancelled erased, 9 waiting', 'states stay, reasons say that they were erased');
SELECT is((SELECT d.message ->> 'body' FROM automation.delivery AS d JOIN automation.run AS u ON u.id = d.run_id WHERE u.key = '1' AND d.step = 4), 'Job 1', 'a message that does not mention her stays');
SELECT is((SELECT string_agg(d.message ->> 'body', ', ' ORDER BY d.id) FROM automation.delivery AS d WHERE d.message ->> 'body' ~ 'Bob'), 'Hi Bob, Dear Bob, Bob is waiting', 'and so do those to others');
SELECT is((SELECT changes FROM automation.run AS u WHERE u.entity_id = (SELECT id FROM automation.entity WHERE relation = 'crm.contact'::regclass) ORDER BY id LIMIT 1), '{"name": [null, null]}', 'which columns changed is known');
SELECT is((SELECT count(*) FROM automation.pending AS p WHERE p.entity_id = (SELECT id FROM automation.entity WHERE relation = 'crm.contact'::regclass)), 0::bigint, 'nothing is planned for her');
SELECT is((SELECT c - 'in_flight' FROM automation.erase_subject('crm.contact', '1') AS c),
	'{"runs": 0, "plans": 0, "steps": 0, "events": 0, "touches": 0, "attempts": 0, "messages": 0, "documents": 0, "test_runs": 0, "notifications": 0}', 'a second time finds nothing');
SELECT is(automation._consent_problem('sms', '+12025550199', 'transactional') IS NOT NULL, true, 'what she has refused is still refused');
SELECT throws_ok(format('SELECT automation.retry(%s)', id), '55000', format('the message of delivery %s has been erased', id), 'a message that is gone cannot be sent again')
FROM automation.delivery WHERE message ? 'erased' AND kind = 'email' ORDER BY id LIMIT 1;
SELECT is((SELECT count(*) FROM automation.replay('{"state": "dead"}', dry_run => true) AS r(id) JOIN automation.delivery AS d USING (id) WHERE d.message ? 'erased'), 0::bigint, 'not with all others either');

-- By address, when the row is gone

SELECT isnt(crm.found('bob@other'), '', 'Bob is there');
DELETE FROM crm.job WHERE contact_id = 2;
DELETE FROM crm.contact WHERE id = 2;
SELECT is((SELECT c ->> 'runs' FROM automation.erase_subject('crm.contact', '2') AS c), '0', 'a row that is gone has no addresses');
SELECT cmp_ok((SELECT (c ->> 'messages')::integer FROM automation.erase_address('email', ' BOB@other.example') AS c), '>', 0, 'erase_address() finds what mentions one');
SELECT is(crm.found('bob@other'), '', 'and blanks it');
SELECT automation.erase_address('sms', '+1 (202) 555-0123');
SELECT is(crm.found('202\D{0,3}555\D{0,3}0123'), '', 'a number however it is written');
SELECT throws_ok($$SELECT automation.erase_address('fax', '1')$$, '22023', 'unrecognized kind of address: "fax"', 'a kind that is none');
SELECT throws_ok($$SELECT automation.erase_address('email', 'nobody')$$, '22023', NULL, 'an address that is none');

CREATE ROLE tap_reader;
SELECT automation.grant_access('tap_reader', 'operator');
GRANT USAGE ON SCHEMA crm TO tap_reader;
SET ROLE tap_reader;
SELECT throws_ok($$SELECT automation.export_subject('crm.contact', '1')$$, '42501', 'permission denied for table contact', 'who may not read a row is not told of it');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
