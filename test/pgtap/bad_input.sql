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
SELECT throws_ok(crm.rule('won2', 'ARRAY[NULL]::automation.step[]'), '22004', 'step 1 of rule "won2" is null', 'or one that is');
SELECT throws_ok(crm.rule('won2', 'ARRAY[automation.notify(''1'', ''x''), NULL]'), '22004', 'step 2 of rule "won2" is null', 'among others');
SELECT throws_ok($$SELECT automation.create_rule('won2', 'crm.lead', NULL, steps => ARRAY[automation.notify('1', 'x')])$$, '22004', 'trigger must not be null', 'no trigger');
SELECT throws_ok($$SELECT automation.create_rule('won2', NULL, 'created', steps => ARRAY[automation.notify('1', 'x')])$$, '22004', 'table must not be null', 'no table');
SELECT throws_ok($$SELECT automation.stop_item(NULL, '1')$$, '22004', 'table must not be null', 'a row of none');
SELECT throws_ok($$SELECT automation.action('add_tag', '[1]')$$, '22023', 'parameters of action "add_tag" must be a JSON object', 'parameters that are a list');
SELECT throws_ok($$SELECT * FROM automation.whatif(NULL)$$, '22004', 'commands must not be null', 'nothing to try');
SELECT is(crm.context($$SELECT * FROM automation.test_rule('nosuch', '{}')$$), E'SQL statement "SELECT * FROM automation.test_rule(''nosuch'', ''{}'')"\nPL/pgSQL function crm.context(text) line 5 at EXECUTE', 'an error of test_rule() says nothing of our SQL');
SELECT throws_ok($$SELECT automation.create_rule('tap', 'crm.lead', 'created', steps => ARRAY[automation.notify('1', 'x')], on_error => 'explode')$$,
	'22023', 'invalid value for on_error: "explode"', 'another on_error');
SELECT throws_ok($$SELECT automation.create_rule('tap', 'crm.leads', 'created', steps => ARRAY[automation.notify('1', 'x')])$$,
	'42P01', 'relation "crm.leads" does not exist', 'a table that is missing');

-- Conditions

CREATE TABLE crm.doc (id integer PRIMARY KEY, status text, js json);
SELECT automation.attach('crm.doc', 'doc');
CREATE FUNCTION crm.unknown(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE FUNCTION crm.condition(condition text, trigger text DEFAULT 'updated') RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT automation.create_rule(''condition'', ''crm.doc'', %L, condition => %L, steps => ARRAY[automation.notify(''1'', ''x'')])', trigger, condition)
$$;
SELECT throws_ok(crm.condition(condition), state, message, description)
FROM (VALUES
	('new.statuz = ''x''', '42703', 'column new.statuz does not exist', 'a condition on an unknown column'),
	('client.name = ''x''', '42703', 'column "client.name" does not exist', 'or on a row that is not linked'),
	('new.status', '42804', 'rule condition must be type boolean, not type text', 'a condition that is no truth value'),
	('(SELECT true)', '0A000', 'cannot use subquery in rule condition', 'a sub-query'),
	('count(*) > 1', '42803', 'aggregate functions are not allowed in rule conditions', 'an aggregate'),
	('row_number() OVER () = 1', '42P20', 'window functions are not allowed in rule conditions', 'a window function'),
	('generate_series(1, 2) = 1', '0A000', 'set-returning functions are not allowed in rule conditions', 'a function that returns a set'),
	('random() < 0.5', '42P17', 'function random() cannot be used in a rule condition', 'a volatile function'),
	('table_to_xml(''crm.doc'', true, true, '''') IS NULL', '42501', 'function table_to_xml(regclass,boolean,boolean,text) is not allowed in rule conditions', 'a function that reads tables'),
	('crm.unknown(new.status)', '42501', 'function crm.unknown(text) is not approved for rules on table "crm.doc"', 'a function that nobody has approved'),
	('true; DROP TABLE crm.doc', '42601', 'syntax error at or near ";"', 'a second statement'),
	('true) OR (true', '42601', 'syntax error at or near ")"', 'a parenthesis too many'),
	('true, true', '42601', 'syntax error in rule condition', 'two conditions'),
	('true FROM crm.doc', '42601', 'syntax error in rule condition', 'a query'),
	(repeat('NOT ', 2100) || 'true', '54001', 'rule condition is too complex', 'a condition of more than 8 kB'),
	(repeat('NOT ', 101) || 'true', '54001', 'rule condition is too complex', 'one of more than 100 levels'),
	('new.js = ''{}''', '42883', 'operator does not exist: json = unknown', 'a comparison of json'),
	('new.ctid IS NULL', '42P10', 'cannot use system columns in a rule condition', 'a system column')) AS v(condition, state, message, description);
SELECT throws_ok(crm.condition('old.status = ''x''', 'created'), '42P17', 'rule condition for INSERT cannot reference OLD values', 'the old row of a new one');
SELECT throws_ok(crm.condition('new.status = ''x''', 'deleted'), '42P17', 'rule condition for DELETE cannot reference NEW values', 'the new row of a deleted one');
SELECT is((crm.advice(crm.condition(condition)))[place], advice, 'with advice: ' || advice)
FROM (VALUES
	('new.statuz = ''x''', 2, 'Perhaps you meant to reference the column "new.status".'),
	('(SELECT true)', 2, 'Name related rows by a link (automation.link), or write the condition as a JSON tree with "exists" or "count".'),
	('random() < 0.5', 1, 'Functions in rule conditions must be IMMUTABLE or STABLE.'),
	('table_to_xml(''crm.doc'', true, true, '''') IS NULL', 1, 'The function can read other tables.'),
	('crm.unknown(new.status)', 2, 'The table owner can run automation.approve_function().'),
	('true; DROP TABLE crm.doc', 1, 'A rule condition is a single expression.'),
	(repeat('NOT ', 101) || 'true', 1, 'The expression exceeds the maximum depth of 100.')) AS v(condition, place, advice);

-- Channels

SELECT throws_ok(crm.step($$send_sms('twilo', '+12025550101', 'x')$$), '42704', 'server "twilo" does not exist', 'an unknown channel');
SELECT is(crm.advice(crm.step($$send_sms('twilo', '+12025550101', 'x')$$)),
	'{"This is step 1 (send_sms) of rule \"step\".","Perhaps you meant the server \"twilio\"."}', 'tells the step, and what was meant');
SELECT throws_ok(crm.step($$send_sms('pgremote', '+12025550101', 'x')$$), '42809', 'server "pgremote" is not a pg_automation channel', 'a server of another wrapper');
SELECT throws_ok(crm.step($$send_sms('mail', '+12025550101', 'x')$$), '42809', 'server "mail" is of type "email"', 'a channel of another kind');
SELECT matches((crm.advice(crm.step($$send_sms('mail', '+12025550101', 'x')$$)))[1], '^The step requires a channel of type "sms"\. ', 'tells which is needed');
SELECT throws_ok(crm.step($$send_webhook('twilio')$$), '42809', 'server "twilio" is of type "sms"', 'for webhooks too');
CREATE ROLE tap_author;
SELECT automation.grant_access('tap_author', 'author');
GRANT USAGE ON SCHEMA crm TO tap_author;
GRANT SELECT, TRIGGER ON crm.lead TO tap_author;
SET LOCAL ROLE tap_author;
SELECT throws_ok(crm.step($$send_sms('twilio', '+12025550101', 'x')$$), '42501', 'permission denied for foreign server twilio', 'a channel without USAGE');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER twilio TO tap_author;
SET LOCAL ROLE tap_author;
SELECT lives_ok(crm.step($$send_sms('twilio', '+12025550101', 'x')$$), 'with it, it can be used');
RESET ROLE;
SELECT automation.drop_rule('step');
CREATE FUNCTION crm.server(options text) RETURNS text LANGUAGE sql AS $$ SELECT format('CREATE SERVER tap FOREIGN DATA WRAPPER pg_automation OPTIONS (%s)', options) $$;
SELECT throws_ok(crm.server(options), state, message, description)
FROM (VALUES
	($$channel 'fax'$$, '22023', 'unrecognized channel type: "fax"', 'an unknown kind of channel'),
	($$channel 'webhook', base_url 'https://x.example', bogus '1'$$, 'HV00D', 'invalid option "bogus"', 'an unknown option'),
	($$channel 'webhook'$$, 'HV00J', 'option "base_url" is required for channels of type "webhook"', 'a missing option'),
	($$channel 'webhook', base_url 'https://x.example', auth_token '1'$$, 'HV00D', 'option "auth_token" is not allowed for a server', 'a secret that everybody could read'),
	($$channel 'webhook', base_url 'ftp://x.example'$$, '22023', 'URL scheme "ftp" is not allowed', 'another scheme'),
	($$channel 'webhook', base_url 'http://x.example'$$, '22023', 'webhook URL must use https', 'http without permission'),
	($$channel 'webhook', base_url 'https://u:p@x.example'$$, '22023', 'URL must not contain user name or password', 'a login in a URL'),
	($$channel 'webhook', base_url 'https://x.example/#a'$$, '22023', 'URL must not contain a fragment', 'a fragment'),
	($$channel 'webhook', base_url 'https://x.example/a b'$$, '22023', 'URL must not contain spaces or control characters', 'a space in a URL'),
	($$channel 'webhook', base_url E'https://x.example/\n'$$, '22023', 'option "base_url" contains a control character', 'a line end'),
	($$channel 'webhook', base_url 'https://169.254.169.254'$$, '42501', 'address 169.254.169.254 is not allowed for webhooks', 'an internal address'),
	($$channel 'webhook', base_url 'https://2130706433'$$, '42501', 'address 127.0.0.1 is not allowed for webhooks', 'however it is spelt'),
	($$channel 'webhook', base_url 'https://x.example:25'$$, '22023', 'port 25 is not allowed for webhooks', 'another port'),
	($$channel 'email', base_url 'smtps://x.example', sender 'a@b@c'$$, '22023', 'invalid email address "a@b@c"', 'a sender that is no address')) AS v(options, state, message, description);
SELECT is((crm.advice(crm.server(options)))[place], advice, 'with advice: ' || advice)
FROM (VALUES
	($$channel 'webhook', base_url 'https://x.example', auth_token '1'$$, 1, 'Server options are visible to all users.'),
	($$channel 'webhook', base_url 'https://x.example', auth_token '1'$$, 2, 'Use CREATE USER MAPPING.'),
	($$channel 'webhook', base_url 'http://x.example'$$, 2, 'A superuser can set allow_http on the foreign-data wrapper.'),
	($$channel 'webhook', base_url 'https://u:p@x.example'$$, 2, 'Store credentials in a user mapping.'),
	($$channel 'webhook', base_url 'https://169.254.169.254'$$, 1, 'The address is in the blocked range 169.254.0.0/16.')) AS v(options, place, advice);
SELECT throws_ok('CREATE FOREIGN TABLE crm.sent (a integer) SERVER twilio', '42809', 'foreign tables are not supported by foreign-data wrapper "pg_automation"', 'a foreign table');

CREATE FUNCTION crm.mapping(options text) RETURNS text LANGUAGE sql AS $$ SELECT format('CREATE USER MAPPING FOR PUBLIC SERVER twilio OPTIONS (%s)', options) $$;
SELECT throws_ok(crm.mapping($$signing_secret 'whsec_dG9vIHNob3J0'$$), '22023', 'invalid signing secret', 'a signing secret that is too short');
SELECT unalike(array_to_string(crm.advice(crm.mapping($$signing_secret 'whsec_dG9vIHNob3J0'$$)), ' '), '%dG9v%', 'is not echoed');
SELECT throws_ok(crm.mapping($$password 'file:../twilio'$$), '22023', 'secret name must not contain a path separator', 'a secret elsewhere');
SELECT throws_ok($$SELECT automation.alter_channel('twilio', credentials => '{"username": "AC1"}')$$, '22023', 'invalid account SID', 'an account that Twilio cannot have');

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

-- Recipients

SELECT throws_ok(crm.step($$send_sms('twilio', '0171 123', 'x')$$), '22023', 'invalid phone number "0171 123"', 'a number that is not international');
SELECT is(crm.advice(crm.step($$send_sms('twilio', '0171 123', 'x')$$)),
	'{"This is step 1 (send_sms) of rule \"step\".","Use E.164 format, for example \"+491711234567\"."}', 'tells the step, and how to write it');
SELECT throws_ok(crm.step($$action('send_sms', '{"channel": "twilio", "recipient": ["{{ status }}", "+12025550100", "nobody"], "body": "x"}')$$), '22023', 'invalid phone number "nobody"', 'one of several');
SELECT throws_ok(crm.step($$send_email('mail', 'a@b@c', 'x', 'x')$$), '22023', 'invalid email address "a@b@c"', 'an e-mail address that is none');
SELECT throws_ok(crm.step($$send_email('mail', E'a@b.example\nBcc: c@d.example', 'x', 'x')$$), '22023', 'email address contains a control character', 'or that brings a header with it');
SELECT throws_ok(crm.step($$send_webhook('hook', '/a b')$$), '22023', 'path of the webhook must not contain spaces, control characters or a fragment', 'a path with a space');
SELECT lives_ok(crm.rule('step', $$ARRAY[automation.send_sms('twilio', '{{ status }}', 'x'), automation.send_email('mail', 'a@b.example', 'x', 'x'), automation.send_webhook('hook', '/a?b={{ status }}')]$$), 'others are fine');
SELECT automation.drop_rule('step');

-- Templates

SELECT throws_ok(crm.step(format('notify(''1'', %L)', template)), state, message, description)
FROM (VALUES
	('Hi {{ status', '42601', 'unterminated merge tag', 'a tag that does not end'),
	('{{ new.statuz }}', '42703', 'merge field "new.statuz" does not exist', 'an unknown field'),
	('{{ status | upcas }}', '42883', 'template filter "upcas" does not exist', 'an unknown filter'),
	('{{ status | date }}', '42883', 'filter "date" requires 1 argument', 'a filter without its argument'),
	(repeat('x', 65537), '54000', 'template is too long', 'a template of more than 64 kB'),
	(repeat('{% if id %}', 9) || repeat('{% endif %}', 9), '54001', 'template is nested too deeply', 'a template of more than 8 levels')) AS v(template, state, message, description);
SELECT is(crm.advice(crm.step(format('notify(''1'', %L)', template))), ARRAY[detail || 'This is step 1 (notify) of rule "step".', hint], 'with advice: ' || detail || hint)
FROM (VALUES
	('Hi {{ status', 'The error is at character 4 of the text. ', 'Close the tag with "}}".'),
	('{{ new.statuz }}', '', 'Perhaps you meant "new.status".'),
	('{{ status | upcas }}', 'The error is at character 13 of the text. ', 'Perhaps you meant the filter "upcase".'),
	(repeat('x', 65537), 'Maximum size is 64 kB. ', '')) AS v(template, detail, hint);

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

-- Errors that say what would be right

CREATE TABLE crm.contact (id integer PRIMARY KEY, name text);
CREATE TABLE crm.visit (id integer, day date, due timestamptz, contact_id integer REFERENCES crm.contact, PRIMARY KEY (id, day));
SELECT automation.attach('crm.visit', 'visit');
CREATE FUNCTION crm.visit(more text) RETURNS text LANGUAGE sql AS $$ SELECT 'SELECT automation.create_rule(''visit'', ''crm.visit'', ' || more || ')' $$;
SELECT is(array_to_string(crm.advice(command), ' | '), advice, command) FROM (VALUES
	(crm.visit($$'created', steps => ARRAY[automation.notify('1', '{{ contact.naem }}')]$$), 'This is step 1 (notify) of rule "visit". | Perhaps you meant "contact.name".'),
	(crm.visit($$'created', steps => ARRAY[automation.notify('1', '{{ contcat.name }}')]$$), 'This is step 1 (notify) of rule "visit". | Perhaps you meant "contact.name".'),
	(crm.visit($$'created', steps => ARRAY[automation.notify('1', '{{ contact.zip }}')]$$), 'This is step 1 (notify) of rule "visit". | There are: id, name.'),
	(crm.visit($$'created', condition => '{"field": "due", "operator": "olderThan", "value": "soon"}', steps => ARRAY[automation.notify('1', 'x')]$$),
		'The condition is {"field": "due", "value": "soon", "operator": "olderThan"}. | '),
	(crm.visit($$'created', condition => '{"field": "due", "operator": ">", "value": "day", "valueSource": "field", "plus": "soon"}', steps => ARRAY[automation.notify('1', 'x')]$$),
		'The condition is {"plus": "soon", "field": "due", "value": "day", "operator": ">", "valueSource": "field"}. | '),
	($$SELECT automation.stop_item('crm.visit', '{"id": 1, "day": "2030-01-01"}')$$, ' | Its key is day, id.'),
	($$SELECT automation.approve('x', NULL)$$, ' | Answer granted or declined.')) AS v(command, advice);
SELECT throws_ok(command, '22007', message, message) FROM (VALUES
	(crm.visit($$'date_passed', '{"field": "due", "after": "soon"}', steps => ARRAY[automation.notify('1', 'x')]$$), 'after is no interval: "soon"'),
	(crm.visit($$'date_approaching', '{"field": "due", "before": "soon"}', steps => ARRAY[automation.notify('1', 'x')]$$), 'before is no interval: "soon"'),
	(crm.visit($$'created', steps => automation.wait_until('true', 'soon')$$), 'delay is no interval: "soon"'),
	(crm.step($$make_link('x', 'https://x.example/', 'status', 'soon')$$), 'expires is no interval: "soon"')) AS v(command, message);
SELECT throws_ok($$SELECT automation.approve('x', NULL)$$, '22004', 'decision must not be null', 'no decision');
SELECT throws_ok($$SELECT automation.stop_item('crm.lead', '99')$$, 'P0002', 'table "crm.lead" has no row with the key 99', 'a row that is not there');

-- Access

SELECT throws_ok($$SELECT automation.grant_access('tap_author', 'boss')$$, '22023', 'unrecognized access: "boss"', 'another kind of access');
SELECT throws_ok($$SELECT automation.purge_log('-1 day')$$, '22023', 'older_than must not be negative or null', 'purging the future');

SELECT * FROM finish();
ROLLBACK;
