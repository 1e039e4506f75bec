-- How many messages one address may get: what counts, what is over it, and until when.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE SERVER cap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE SERVER cap_other FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE SERVER cap_mail FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'office@firm.example');
SELECT automation.set_clock('2030-03-01 09:00Z');

-- What the worker asks when it is about to send: "go", or how long it waits, or "never".
CREATE FUNCTION crm.send(recipient text, class text DEFAULT 'marketing', channel text DEFAULT 'cap_sms', count integer DEFAULT 1) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[];
BEGIN
	WITH d AS (
		INSERT INTO automation.delivery (at, txid, rule_owner, server, channel, kind, recipient, message)
		SELECT automation._now(), pg_current_xact_id(), current_user::regrole, s.oid, channel, automation._channel_kind(s.oid), recipient,
			CASE WHEN class IS NULL THEN '{}' ELSE jsonb_build_object('class', class) END
		FROM pg_foreign_server AS s, generate_series(1, count) WHERE s.srvname = channel
		RETURNING id)
	SELECT array_agg(id ORDER BY id) INTO ids FROM d;
	RETURN (
		SELECT string_agg(CASE WHEN o.delivery IS NULL THEN 'go' ELSE coalesce((o.wait * interval '1 ms')::text, 'never') END, ' ' ORDER BY i.id)
		FROM unnest(ids) AS i(id)
		LEFT JOIN automation._over_caps(ids) AS o ON o.delivery = i.id);
END
$$;

SELECT automation.create_cap('fatigue', 2, '7 days', class => 'marketing');
SELECT is(crm.send('+12025550199', count => 3), 'go go 168:00:00', 'two go, in one batch too, the third waits');
SELECT is(crm.send('+1 202 555-0199'), '168:00:00', 'however the number is written');
SELECT is(crm.send('+12025550199', 'transactional'), 'go', 'other classes go on');
SELECT is(crm.send('+12025550199', NULL), 'go', 'and what says nothing is transactional');
SELECT is(crm.send('+12025550100'), 'go', 'others get theirs');
SELECT automation.advance('3 days');
SELECT is(crm.send('+12025550100'), 'go', 'the second, days later');
SELECT is(crm.send('+12025550100'), '96:00:00', 'the third waits until the first is a week old');
SELECT automation.advance('4 days');
SELECT is(crm.send('+12025550100', count => 2), 'go 72:00:00', 'and goes then, but no more');
SELECT is((SELECT reason FROM automation._over_caps(ARRAY[(SELECT max(id) FROM automation.delivery)])), 'cap "fatigue": 2 in 7 days to one address', 'it says why');

SELECT automation.create_cap('sms', 1, '1 hour', channel => 'cap_other', on_hit => 'skip');
SELECT is(crm.send('+12025550111', 'transactional', 'cap_other', 2), 'go never', 'one that is over it may be left out');
SELECT is(crm.send('+12025550111', 'transactional', 'cap_sms'), 'go', 'the cap of a channel is about that channel');
SELECT is(crm.send('+12025550111', 'emergency', 'cap_other', 9), 'go go go go go go go go go', 'emergencies are free');
SELECT is(crm.send('+12025550111', 'compliance', 'cap_other', 2), 'go go', 'and answers to a STOP');
SELECT automation.advance('1 hour');
SELECT is(crm.send('+12025550111', 'transactional', 'cap_other'), 'go', 'they do not count, either');
SELECT automation.advance('1 hour');
SELECT crm.send('+12025550122', count => 2);
SELECT is(crm.send('+12025550122', 'marketing', 'cap_other'), '168:00:00', 'of several caps, each counts by itself');
SELECT crm.send('+12025550122', 'transactional', 'cap_other');
SELECT is(crm.send('+12025550122', 'marketing', 'cap_other'), 'never', 'and one that leaves it out goes before one that lets it wait');

SELECT automation.create_cap('mail', 1, '1 month'::interval - '2 days', kind => 'email');
SELECT is(crm.send('ada@engines.example', 'transactional', 'cap_mail'), 'go', 'a cap on mail');
SELECT ok(crm.send('Ada@Engines.example', 'transactional', 'cap_mail') NOT IN ('go', 'never'), 'counts mail');
SELECT is(crm.send('+12025550133', 'transactional', count => 2), 'go go', 'and nothing else');
SELECT unalike((SELECT string_agg(s::text, ' ') FROM automation.sending AS s), '%2025550199%', 'no address is kept');

-- Forgotten and dropped

SELECT automation.advance('8 days');
SELECT automation.housekeep();
SELECT is((SELECT count(*) FROM automation.sending WHERE class = 'marketing' AND at < automation._now() - interval '29 days'), 0::bigint, 'what no cap counts is forgotten');
SELECT ok(crm.send('ada@engines.example', 'transactional', 'cap_mail') <> 'go', 'what one counts is not');
SELECT automation.drop_cap('mail');
SELECT is(crm.send('ada@engines.example', 'transactional', 'cap_mail'), 'go', 'a cap that is dropped is gone');
SELECT automation.drop_cap('sms');
SELECT set_eq('SELECT name, most, per, class, channel, kind, on_hit FROM automation.caps', $$VALUES ('fatigue', 2, interval '7 days', 'marketing', NULL, NULL, 'defer')$$, 'automation.caps lists them');

-- Refused

SELECT throws_ok(format('SELECT automation.create_cap(%s)', arguments), code, message, message)
FROM (VALUES
	($$' ', 1, '1 day'$$, '22023', 'name of the cap must not be empty'),
	($$'fatigue', 1, '1 day'$$, '42710', 'cap "fatigue" already exists'),
	($$'x', 0, '1 day'$$, '22023', 'most must be between 1 and 1000'),
	($$'x', NULL, '1 day'$$, '22023', 'most must be between 1 and 1000'),
	($$'x', 1, '0'$$, '22023', 'per must be between a second and 366 days'),
	($$'x', 1, '5 years'$$, '22023', 'per must be between a second and 366 days'),
	($$'x', 1, NULL$$, '22023', 'per must be between a second and 366 days'),
	($$'x', 1, '1 day', class => 'emergency'$$, '22023', 'there is no cap on messages of class "emergency"'),
	($$'x', 1, '1 day', channel => 'nowhere'$$, '42704', 'server "nowhere" does not exist'),
	($$'x', 1, '1 day', kind => 'fax'$$, '22023', 'unrecognized kind of address: "fax"'),
	($$'x', 1, '1 day', on_hit => 'digest'$$, '22023', 'unrecognized on_hit: "digest"')) AS v(arguments, code, message);
SELECT throws_ok($$SELECT automation.drop_cap('fatige')$$, '42704', 'cap "fatige" does not exist', 'a cap that there is not');
CREATE ROLE cap_operator;
SELECT automation.grant_access('cap_operator', 'operator');
SET LOCAL ROLE cap_operator;
SELECT throws_ok($$SELECT automation.create_cap('x', 1, '1 day')$$, '42501', 'permission denied for function create_cap', 'caps are for admins to set');
SELECT is((SELECT count(*) FROM automation.caps), 1::bigint, 'and for everybody to see');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
