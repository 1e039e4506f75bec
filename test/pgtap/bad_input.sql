-- What is refused when a rule or a channel is defined: SQLSTATE and message of each.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.lead (id integer PRIMARY KEY, status text);
SELECT automation.attach('crm.lead', 'lead', '{"status": "status"}');
CREATE SERVER twilio FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE SERVER mail FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'office@firm.example');
CREATE FOREIGN DATA WRAPPER tap_other;
CREATE SERVER pgremote FOREIGN DATA WRAPPER tap_other;

CREATE FUNCTION crm.rule(name text, steps text DEFAULT 'ARRAY[automation.notify(''1'', ''x'')]', trigger text DEFAULT 'created') RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT automation.create_rule(%L, ''crm.lead'', %L, steps => %s)', name, trigger, steps)
$$;
CREATE FUNCTION crm.step(step text) RETURNS text LANGUAGE sql AS $$
	SELECT crm.rule('step', format('ARRAY[automation.%s]', step))
$$;
-- Message, detail and hint of the error that a command ends with.
CREATE FUNCTION crm.advice(command text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	EXECUTE command;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN ARRAY[detail, hint];
END
$$;

-- Where it says it came from.
CREATE FUNCTION crm.context(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	EXECUTE command;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RETURN context;
END
$$;

-- Our way to an error is not told, but the caller's is

SELECT is(crm.context(command), format(E'SQL statement "%s"\nPL/pgSQL function crm.context(text) line 5 at EXECUTE', command), command)
FROM unnest(ARRAY[$$SELECT automation.drop_rule('x')$$, $$SELECT automation.create_channel('x', 'sms', '{"bogus": 1}')$$,
	crm.rule('x', '''{}'''), crm.step($$notify('1', '{{ x')$$), $$SELECT * FROM automation.explain('x', 'crm.lead', '1')$$,
	$$SELECT automation.create_rule('x', 'crm.lead', 'created', condition => 'new.x', steps => ARRAY[automation.notify('1', 'x')])$$]) AS command;

-- Names, triggers, steps

SELECT lives_ok(crm.rule('won'), 'a rule like any other');
SELECT throws_ok(crm.rule('won'), '42710', 'rule "won" already exists', 'a name that is taken');
SELECT throws_ok($$SELECT automation.copy_rule('won', 'won')$$, '42710', 'rule "won" already exists', 'for a copy too');
SELECT lives_ok(crm.rule('lost'), 'another');
SELECT throws_ok($$SELECT automation.alter_rule('won', name => 'lost')$$, '42710', 'rule "lost" already exists', 'or when one is renamed');
SELECT throws_ok(crm.rule(''), '42602', 'invalid rule name: ""', 'an empty name');
SELECT throws_ok(crm.rule(repeat('x', 64)), '42602', format('invalid rule name: "%s"', repeat('x', 64)), 'one of 64 bytes');
SELECT lives_ok(crm.rule(repeat('x', 63)), 'one of 63 bytes is fine');
SELECT throws_ok(crm.rule(repeat('ü', 32)), '42602', format('invalid rule name: "%s"', repeat('ü', 32)), 'bytes count, not characters');
SELECT throws_ok(crm.rule(E'a\nb'), '42602', E'invalid rule name: "a\nb"', 'one with a control character');
SELECT throws_ok($$SELECT automation.create_rule(NULL, 'crm.lead', 'created', steps => ARRAY[automation.notify('1', 'x')])$$, '42602', 'invalid rule name: ""', 'no name at all');
SELECT throws_ok(crm.rule('tap', trigger => 'upsert'), '22023', 'unrecognized trigger: "upsert"', 'an unknown trigger');
SELECT is((crm.advice(crm.rule('tap', trigger => 'updatd')))[2], 'Perhaps you meant "updated".', 'with a hint');
SELECT throws_ok(crm.rule('won2', '''{}'''), '22023', 'rule "won2" has no steps', 'no steps');
SELECT throws_ok(crm.rule('won2', 'NULL'), '22023', 'rule "won2" has no steps', 'steps that are null');
SELECT throws_ok(crm.rule('won2', 'ARRAY[NULL]::automation.step[]'), '22023', 'rule "won2" has no steps', 'or one that is');
SELECT throws_ok($$SELECT automation.create_rule('tap', 'crm.lead', 'created', steps => ARRAY[automation.notify('1', 'x')], on_error => 'explode')$$,
	'22023', 'invalid value for on_error: "explode"', 'another on_error');
SELECT throws_ok($$SELECT automation.create_rule('tap', 'crm.leads', 'created', steps => ARRAY[automation.notify('1', 'x')])$$,
	'42P01', 'relation "crm.leads" does not exist', 'a table that is missing');

-- Channels

SELECT throws_ok(crm.step($$send_sms('twilo', '+1', 'x')$$), '42704', 'server "twilo" does not exist', 'an unknown channel');
SELECT is(crm.advice(crm.step($$send_sms('twilo', '+1', 'x')$$)),
	'{"This is step 1 (send_sms) of rule \"step\".","Perhaps you meant the server \"twilio\"."}', 'tells the step, and what was meant');
SELECT throws_ok(crm.step($$send_sms('pgremote', '+1', 'x')$$), '42809', 'server "pgremote" is not a pg_automation channel', 'a server of another wrapper');
SELECT throws_ok(crm.step($$send_sms('mail', '+1', 'x')$$), '42809', 'server "mail" is of type "email"', 'a channel of another kind');
SELECT matches((crm.advice(crm.step($$send_sms('mail', '+1', 'x')$$)))[1], '^The step requires a channel of type "sms"\. ', 'tells which is needed');
SELECT throws_ok(crm.step($$send_webhook('twilio')$$), '42809', 'server "twilio" is of type "sms"', 'for webhooks too');
CREATE ROLE tap_author;
SELECT automation.grant_access('tap_author', 'author');
GRANT USAGE ON SCHEMA crm TO tap_author;
GRANT SELECT, TRIGGER ON crm.lead TO tap_author;
SET LOCAL ROLE tap_author;
SELECT throws_ok(crm.step($$send_sms('twilio', '+1', 'x')$$), '42501', 'permission denied for foreign server twilio', 'a channel without USAGE');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER twilio TO tap_author;
SET LOCAL ROLE tap_author;
SELECT lives_ok(crm.step($$send_sms('twilio', '+1', 'x')$$), 'with it, it can be used');
RESET ROLE;
SELECT automation.drop_rule('step');
SELECT throws_ok($$CREATE SERVER tap FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://x.example', bogus '1')$$,
	'HV00D', 'invalid option "bogus"', 'an unknown option');
SELECT throws_ok($$CREATE SERVER tap FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook')$$,
	'HV00J', 'option "base_url" is required for channels of type "webhook"', 'a missing option');

-- HTTP headers

CREATE SERVER hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hooks.example');
SELECT throws_ok(crm.step($$send_webhook('hook', headers => '{"X A": "1"}')$$), '22023', 'invalid HTTP header name "X A"', 'a header name with a space');
SELECT throws_ok(crm.step($$send_webhook('hook', headers => '{"X-A\r\nX-Evil": "1"}')$$), '22023', E'invalid HTTP header name "X-A\r\nX-Evil"', 'or a line end');
SELECT is((crm.advice(crm.step($$send_webhook('hook', headers => '{"": null}')$$)))[1],
	'A name has 1 to 64 letters, digits or any of !#$%&''*+-.^_`|~. This is step 1 (send_webhook) of rule "step".', 'tells what a name may have');
SELECT throws_ok(crm.step($$send_webhook('hook', headers => '{"X-A": "1\r\nX-Evil: 2"}')$$), '22023', 'HTTP header "X-A" contains a control character', 'a header with a line end');
SELECT throws_ok(crm.step($$send_webhook('hook', headers => '{"X-A": "{{ status }}\n"}')$$), '22023', 'HTTP header "X-A" contains a control character', 'beside a merge field too');
SELECT throws_ok(crm.step(format($$send_webhook('hook', headers => '{"%s": "1"}')$$, name)), '22023', format('HTTP header "%s" cannot be set', name), name || ' is not for rules')
FROM unnest('{Host,Content-Length,Transfer-Encoding,Connection,Te,Trailer,Upgrade,Proxy-Authorization,Expect,webhook-id}'::text[]) AS name;
SELECT lives_ok(crm.step($$send_webhook('hook', headers => '{"X-A": "{{ status }}", "X-B": 1, "Authorization": ""}')$$), 'other headers are fine');
SELECT automation.drop_rule('step');

-- JSON

SELECT throws_ok($$SELECT automation.send_webhook('hook', body => '{"a":')$$, '22P02', 'invalid input syntax for type json', 'a body that is no JSON');
SELECT throws_ok($$SELECT automation.send_webhook('hook', body => '{"a": "\u0000"}')$$, '22P05', 'unsupported Unicode escape sequence', 'or has a NUL');
SELECT throws_ok($$SELECT automation.create_rule('tap2', 'crm.lead', 'created', params => '[1]', steps => ARRAY[automation.notify('1', 'x')])$$,
	'22023', 'parameters of trigger "created" must be a JSON object', 'parameters that are no object');

-- Action functions

CREATE FUNCTION crm.two(a jsonb, b jsonb) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION crm.textual(a text) RETURNS void LANGUAGE sql AS 'SELECT';
CREATE FUNCTION crm.many(a jsonb) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION crm.composite(a jsonb) RETURNS crm.lead LANGUAGE sql AS 'SELECT NULL::crm.lead';
CREATE PROCEDURE crm.proc(a jsonb) LANGUAGE sql AS 'SELECT';
CREATE AGGREGATE crm.agg(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb);
SELECT throws_ok(crm.step(format('call_function(%L)', 'crm.' || f)), state, 'action function must have signature (jsonb) and return void or jsonb', f)
FROM (VALUES ('two', '42883'), ('textual', '42883'), ('proc', '42883'), ('agg', '42883'), ('many', '42P13'), ('composite', '42P13')) AS v(f, state);
SELECT throws_ok(crm.step($$call_function('crm.missing')$$), '42883', 'function crm.missing(jsonb) does not exist', 'a function that is missing');
SELECT throws_ok(crm.step($$call_function('crm..x')$$), '22023', 'string is not a valid identifier: "crm..x"', 'a name that is none');

-- Other rules

CREATE TABLE crm.deal (id integer PRIMARY KEY);
SELECT automation.attach('crm.deal', 'deal');
SELECT automation.create_rule('deal', 'crm.deal', 'created', steps => ARRAY[automation.notify('1', 'x')]);
SELECT throws_ok(crm.step($$start_rule('wonn')$$), '42704', 'rule "wonn" does not exist', 'an unknown rule');
SELECT is((crm.advice(crm.step($$start_rule('wonn')$$)))[2], 'Perhaps you meant "won".', 'with a hint');
SELECT throws_ok(crm.step($$start_rule('deal')$$), '42809', 'rule "deal" waits for changes of table "crm.deal"', 'a rule on another table');

-- Access

SELECT throws_ok($$SELECT automation.grant_access('tap_author', 'boss')$$, '22023', 'unrecognized access: "boss"', 'another kind of access');
SELECT throws_ok($$SELECT automation.purge_log('-1 day')$$, '22023', 'older_than must not be negative or null', 'purging the future');

SELECT * FROM finish();
ROLLBACK;
