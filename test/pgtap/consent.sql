-- Nobody gets a message that he has refused, or a marketing message that he has not agreed to.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
CREATE TABLE tap.contact (id integer PRIMARY KEY, phone text, email text);
SELECT automation.attach('tap.contact', 'contact');
CREATE SERVER consent_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE SERVER consent_mail FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'office@firm.example');
-- What became of one message of each class, on both ways.
SELECT automation.create_rule(class, 'tap.contact', 'created', activate => true, steps => ARRAY[
	automation.send_sms('consent_sms', '{{ phone }}', 'x', options),
	automation.send_email('consent_mail', '{{ email }}', 'x', 'x', options => options)])
FROM unnest('{transactional,marketing,emergency,compliance}'::text[]) AS class,
	LATERAL (SELECT jsonb_build_object('class', class)) AS o(options);
CREATE FUNCTION tap.sent() RETURNS TABLE (kind text, classes text) LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM tap.contact;
	INSERT INTO tap.contact VALUES (1, '+1 202 555-0199', 'Ada@engines.example');
	RETURN QUERY
	SELECT a.kind, (
		SELECT string_agg(l.rule, ' ' ORDER BY l.run_id)
		FROM automation.step_log AS l
		WHERE l.status = 'delivering' AND l.action = 'send_' || a.kind
			AND l.run_id > (SELECT max(u.run_id) - 4 FROM automation.step_log AS u))
	FROM unnest('{sms,email}'::text[]) AS a(kind);
END
$$;
SELECT set_eq('SELECT * FROM tap.sent()', $$VALUES ('sms', 'transactional emergency compliance'), ('email', 'transactional emergency compliance')$$,
	'who has said nothing gets everything but marketing');
SELECT is((SELECT DISTINCT reason FROM automation.step_log WHERE rule = 'marketing'), 'consent: marketing messages were never agreed to', 'and the log says why');
SELECT is((SELECT DISTINCT status FROM automation.execution_log WHERE rule = 'marketing'), 'suppressed', 'which is a status of its own');

SELECT automation.set_consent('sms', '+12025550199', 'marketing', 'granted', 'web form');
SELECT set_eq('SELECT * FROM tap.sent()', $$VALUES ('sms', 'transactional marketing emergency compliance'), ('email', 'transactional emergency compliance')$$,
	'who has agreed gets it, on that way, however the number is written');
SELECT automation.set_consent('email', 'ADA@Engines.example', 'marketing', 'granted', 'web form');
SELECT automation.set_consent('sms', '+12025550199', 'all', 'denied', 'STOP');
SELECT set_eq('SELECT * FROM tap.sent()', $$VALUES ('sms', 'emergency compliance'), ('email', 'transactional marketing emergency compliance')$$,
	'who refuses all gets emergencies, and an answer');
SELECT is((SELECT reason FROM automation.step_log WHERE rule = 'transactional' AND action = 'send_sms' ORDER BY run_id DESC LIMIT 1),
	format('consent: transactional messages refused on %s (STOP)', (now() AT TIME ZONE 'UTC')::date), 'the log tells when he did');
SELECT automation.set_consent('sms', '+12025550199', 'emergency', 'denied', 'phone call');
SELECT automation.set_consent('sms', '+12025550199', 'transactional', 'granted', 'phone call');
SELECT set_eq('SELECT * FROM tap.sent()', $$VALUES ('sms', 'transactional compliance'), ('email', 'transactional marketing emergency compliance')$$,
	'the last word counts, for what it is about');
SELECT automation.set_consent('sms', '+12025550199', 'all', 'granted', 'START');
SELECT set_eq('SELECT * FROM tap.sent()', $$VALUES ('sms', 'transactional marketing compliance'), ('email', 'transactional marketing emergency compliance')$$,
	'who comes back gets all that he does not refuse by itself');

-- Several recipients

SELECT automation.create_rule('many', 'tap.contact', 'updated', activate => true, steps => ARRAY[
	automation.action('send_email', '{"channel": "consent_mail", "recipient": ["{{ email }}", "bob@engines.example"], "subject": "x", "body": "x", "class": "marketing"}')]);
UPDATE tap.contact SET phone = NULL;
SELECT is((SELECT (status, cardinality(deliveries), reason)::text FROM automation.step_log WHERE rule = 'many'),
	'(delivering,1,"consent: marketing messages were never agreed to")', 'of several recipients those are left out who do not want it');

-- The ledger

SELECT results_eq($$SELECT class, state, source, actor FROM automation.consents('sms', '+1 (202) 555 0199')$$,
	format($$VALUES ('all', 'granted', 'START', %1$L), ('transactional', 'granted', 'phone call', %1$L), ('emergency', 'denied', 'phone call', %1$L),
		('all', 'denied', 'STOP', %1$L), ('marketing', 'granted', 'web form', %1$L)$$, session_user), 'it keeps every word');
SELECT is_empty($$SELECT FROM automation.consents('email', 'bob@engines.example')$$, 'and has none of who said nothing');
SELECT throws_ok('UPDATE automation.consent SET state = ''granted''', '55000', 'table automation.consent is append-only', 'nobody changes it');
SELECT throws_ok('DELETE FROM automation.consent', '55000', 'table automation.consent is append-only', 'or takes anything away');
SELECT throws_ok('TRUNCATE automation.consent', '55000', 'table automation.consent is append-only', 'or everything');
SELECT unalike((SELECT string_agg(c::text, ' ') FROM automation.consent AS c), '%2025550199%', 'it knows no address');

-- Refused

SELECT throws_ok(format('SELECT automation.set_consent(%L, %L, %L, %L, %L)', kind, address, class, state, source), code, message, message)
FROM (VALUES
	('fax', '+12025550199', 'all', 'denied', 'x', '22023', 'unrecognized kind of address: "fax"'),
	('sms', '12', 'all', 'denied', 'x', '22023', 'invalid phone number "12"'),
	('sms', '+12025550199', 'spam', 'denied', 'x', '22023', 'unrecognized class of messages: "spam"'),
	('sms', '+12025550199', 'all', 'perhaps', 'x', '22023', 'unrecognized consent: "perhaps"'),
	('sms', '+12025550199', 'all', 'denied', ' ', '22023', 'source of the consent must not be empty')) AS v(kind, address, class, state, source, code, message);
SELECT throws_ok($$SELECT automation.create_rule('x', 'tap.contact', 'created', steps => ARRAY[
	automation.send_sms('consent_sms', '{{ phone }}', 'x', '{"class": "spam"}')])$$, '22023', NULL, 'a class that there is not');
CREATE ROLE consent_author;
SELECT automation.grant_access('consent_author', 'author');
SET LOCAL ROLE consent_author;
SELECT throws_ok($$SELECT automation.set_consent('sms', '+12025550199', 'all', 'granted', 'x')$$, '42501', 'permission denied for function set_consent', 'consent is not for authors to give');
RESET ROLE;

-- As a step

CREATE TABLE tap.message (id integer PRIMARY KEY, phone text, body text);
SELECT automation.attach('tap.message', 'message');
SELECT automation.create_rule('stop', 'tap.message', 'created', condition => $$new.body ~* '^stop'$$, activate => true,
	steps => ARRAY[automation.record_consent('sms', '{{ phone }}', 'all', 'denied', 'text message {{ id }}')]);
INSERT INTO tap.message VALUES (7, '+1 202 555-0177', 'Stop it');
SELECT results_eq($$SELECT class, state, source FROM automation.consents('sms', '+12025550177')$$, $$VALUES ('all', 'denied', 'text message 7')$$, 'a rule records what somebody writes');
INSERT INTO tap.message VALUES (8, 'nobody', 'Stop it');
SELECT is((SELECT concat_ws(' ', status, sqlstate) FROM automation.step_log WHERE rule = 'stop' ORDER BY run_id DESC LIMIT 1) LIKE 'failed %', true, 'an address that is none fails the step');
GRANT TRIGGER, SELECT ON tap.message TO consent_author;
GRANT USAGE ON SCHEMA tap TO consent_author;
SET LOCAL ROLE consent_author;
SELECT throws_ok($$SELECT automation.create_rule('his', 'tap.message', 'created', steps => ARRAY[
	automation.record_consent('sms', '{{ phone }}', 'all', 'granted', 'x')])$$, '42501', 'permission denied to record consent', 'nor for the rules of authors');
RESET ROLE;
SELECT throws_ok($$SELECT automation.create_rule('x', 'tap.message', 'created', steps => ARRAY[
	automation.record_consent('fax', '{{ phone }}', 'all', 'granted', 'x')])$$, '22023', NULL, 'a kind of address that there is not');

SELECT * FROM finish();
ROLLBACK;
