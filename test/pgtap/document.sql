-- Documents of a record, and the e-mails and invitations that carry them.
BEGIN;
SELECT no_plan();

CREATE SCHEMA doc;
CREATE TABLE doc.deal (id integer PRIMARY KEY, title text, email text, meets_at timestamptz, local_time timestamp, day date, zone text, file bytea);
SELECT automation.attach('doc.deal', 'deal', '{"time_zone": "zone"}');
CREATE SERVER doc_mail FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'office@firm.example');

-- Makes a rule of these steps, inserts a deal that fires it, drops the rule; answers what the log says of the last step.
CREATE FUNCTION doc.run(steps automation.step[], file bytea DEFAULT '\x0102', email text DEFAULT 'ann@x.example') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	deal integer := (SELECT coalesce(max(id), 0) + 1 FROM doc.deal);
	answer text;
BEGIN
	PERFORM automation.create_rule('doc', 'doc.deal', 'created', steps => steps, activate => true);
	INSERT INTO doc.deal VALUES (deal, 'Roof <b>', email, '2030-05-01 10:00+02', '2030-05-01 10:00', '2030-05-01', 'America/New_York', file);
	SELECT concat_ws(' ', l.status, l.sqlstate, l.reason) INTO answer
	FROM automation.step_log AS l WHERE l.key = deal::text ORDER BY l.run_id DESC, l.step DESC LIMIT 1;
	PERFORM automation.drop_rule('doc');
	RETURN answer;
END
$$;
CREATE FUNCTION doc.refused(step automation.step) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT automation.create_rule(''doc'', ''doc.deal'', ''created'', steps => ARRAY[%L::automation.step])', step)
$$;
CREATE FUNCTION doc.message() RETURNS jsonb LANGUAGE sql AS 'SELECT d.message FROM automation.delivery AS d ORDER BY d.id DESC LIMIT 1';
-- What the last message carries.
CREATE FUNCTION doc.carried() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(d.name || ' ' || d.type || ' ' || encode(d.content, 'escape'), ', ' ORDER BY a.place)
	FROM jsonb_array_elements(doc.message() -> 'attachments') WITH ORDINALITY AS a(id, place)
	JOIN automation.document AS d ON d.id = a.id::bigint
$$;

-- generate_document

SELECT is(doc.run(ARRAY[automation.generate_document('contract {{ id }}.html', html => '<p>{{ title }}</p>')]), 'succeeded', 'a rule generates a document');
SELECT is((SELECT (key, name, type, text, bytes)::text FROM automation.documents), '(1,"contract 1.html","text/html; charset=utf-8","<p>Roof &lt;b&gt;</p>",21)', 'HTML is escaped');
SELECT is(doc.run(ARRAY[automation.generate_document('note.txt', 'About {{ title }}')]), 'succeeded', 'or text');
SELECT is((SELECT text FROM automation.documents WHERE name = 'note.txt'), 'About Roof <b>', 'which is not');
SELECT is(doc.run(ARRAY[automation.generate_document('a/{{ title }}', 'x')]), 'failed 22023 invalid name of a document: "a/Roof <b>"', 'a path is no name');
SELECT throws_ok(doc.refused(automation.generate_document('x')), '22023', 'action "generate_document" needs either "text" or "html"');
SELECT throws_ok(doc.refused(automation.generate_document('x', 'x', 'x')), '22023', 'action "generate_document" needs either "text" or "html"');
SELECT throws_ok(doc.refused(automation.generate_document('x', '{{ nothing }}')), '42703', 'merge field "nothing" does not exist');

-- Attachments

SELECT is(doc.run(ARRAY[
	automation.generate_document('contract.txt', 'old'),
	automation.generate_document('contract.txt', 'new'),
	automation.send_email('doc_mail', '{{ email }}', 's', 'b', options => '{"attachments": ["contract.txt"], "reply_to": "bob@x.example"}')]), 'delivering', 'an e-mail carries what a step before it made');
SELECT is(doc.carried(), 'contract.txt text/plain; charset=utf-8 new', 'the newest of the name');
SELECT is(doc.message() ->> 'reply_to', 'bob@x.example', 'and says where answers go');
SELECT is(doc.run(ARRAY[automation.send_email('doc_mail', '{{ email }}', 's', 'b',
	options => '{"attachments": [{"name": "{{ id }}.bin", "content": "{{ file }}"}, {"name": "hi.txt", "type": "text/plain", "content": "SGk="}]}')]), 'delivering', 'or what it is given');
SELECT is(doc.carried(), format('%s.bin application/octet-stream %s, hi.txt text/plain Hi', (SELECT max(id) FROM doc.deal), encode('\x0102', 'escape')), 'a bytea column, and base64');
SELECT is((SELECT count(*) FROM automation.document WHERE NOT is_kept), 2::bigint, 'which is kept for the message alone');
SELECT is(doc.run(ARRAY[automation.send_email('doc_mail', '{{ email }}', 's', 'b', options => '{"attachments": ["hi.txt"]}')]), 'failed 42704 document "hi.txt" does not exist', 'and is no document of the record');
SELECT is(doc.run(ARRAY[automation.send_email('doc_mail', '{{ email }}', 's', 'b', options => '{"attachments": [{"name": "x", "content": "{{ file }}"}]}')], NULL), 'failed 22004 document "x" has no content', 'null is none');
SELECT is(doc.run(ARRAY[automation.send_email('doc_mail', '{{ email }}', 's', 'b', options => '{"attachments": [{"name": "x", "content": "{{ title }}"}]}')]), 'failed 22023 content of an attachment is neither base64 nor a bytea', 'nor is any text');
SELECT is(doc.run(ARRAY[automation.send_email('doc_mail', '{{ email }}', 's', 'b', options => '{"attachments": [{"name": "x", "content": "{{ file }}"}]}')], convert_to(repeat('x', 10485761), 'UTF8')), 'failed 54000 document "x" is too large', 'there is a limit to one');
SELECT is(doc.run(ARRAY[automation.send_email('doc_mail', '{{ email }}', 's', 'b', options => '{"attachments": [{"name": "x", "content": "{{ file }}"}, {"name": "y", "content": "{{ file }}"}]}')], convert_to(repeat('x', 6000000), 'UTF8')), 'failed 54000 attachments are too large', 'and to all');
SELECT throws_ok(doc.refused(automation.send_email('doc_mail', 'ann@x.example', 's', 'b', options => jsonb_build_object('attachments', jsonb_build_array(attachment)))), '22023', message)
FROM (VALUES
	('5'::jsonb, 'invalid attachment'),
	('{"name": "x"}', 'invalid attachment'),
	('{"name": "x", "content": "SGk=", "document": "y"}', 'invalid attachment'),
	('{"document": "x", "size": 5}', NULL),
	('{"name": "x", "content": "!"}', 'content of an attachment is neither base64 nor a bytea')) AS v(attachment, message);

-- Documents of applications

CREATE ROLE doc_author;
CREATE ROLE doc_other;
SELECT automation.grant_access(role, 'author') FROM unnest('{doc_author,doc_other}'::regrole[]) AS role;
GRANT USAGE ON SCHEMA doc TO doc_author, doc_other;
GRANT SELECT, TRIGGER ON doc.deal TO doc_author, doc_other;
GRANT USAGE ON FOREIGN SERVER doc_mail TO doc_author, doc_other;
SELECT max(id) + 1 AS next FROM doc.deal \gset
SET LOCAL ROLE doc_author;
SELECT ok(automation.add_document('doc.deal', :'next', 'plan.pdf', '\x2550', 'application/pdf') > 0, 'an application adds a document');
SELECT is((SELECT (name, type, bytes, text)::text FROM automation.documents), '(plan.pdf,application/pdf,2,)', 'and sees it');
SELECT automation.create_rule('own', 'doc.deal', 'created', activate => true, steps => ARRAY[automation.send_email('doc_mail', '{{ email }}', 's', 'b', options => '{"attachments": ["plan.pdf"]}')]);
SET LOCAL ROLE doc_other;
SELECT is_empty('SELECT FROM automation.documents', 'others do not');
SELECT throws_ok(format('SELECT automation.remove_document(%s)', (SELECT 1)), '42704', 'document 1 does not exist', 'or remove one');
SELECT automation.create_rule('other', 'doc.deal', 'created', activate => true, steps => ARRAY[automation.send_email('doc_mail', '{{ email }}', 's', 'b', options => '{"attachments": ["plan.pdf"]}')]);
RESET ROLE;
INSERT INTO doc.deal (id, email) VALUES (:next, 'ann@x.example');
SELECT results_eq(format('SELECT rule, status, reason FROM automation.step_log WHERE key = %L ORDER BY rule', :'next'),
	$$VALUES ('other', 'failed', 'document "plan.pdf" does not exist'), ('own', 'delivering', NULL)$$, 'nor do their rules send it');
SELECT automation.drop_rule(name) FROM unnest('{own,other}'::text[]) AS name;
SELECT throws_ok($$SELECT automation.add_document('doc.deal', '1', 'x', '\x', 'pdf')$$, '22023', 'invalid media type: "pdf"');
SELECT throws_ok($$SELECT automation.add_document('doc.deal', '1', '', '\x')$$, '22023', 'invalid name of a document: ""');
SELECT throws_ok($$SELECT automation.add_document('doc.deal', '1', 'x', NULL)$$, '22004', 'document "x" has no content');
SELECT lives_ok(format('SELECT automation.remove_document(%s)', (SELECT max(id) FROM automation.document WHERE name = 'plan.pdf')), 'an operator removes any');

-- Invitations

CREATE FUNCTION doc.invite(start text, "end" text DEFAULT NULL, options jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT doc.run(ARRAY[automation.send_calendar_invite('doc_mail', '{{ email }}', 'Visit {{ id }}', start, "end", 'Yard', 'Bring {{ title }}', options => options)])
		|| ' ' || (doc.message() -> 'invite' ->> 'start') || ' ' || (doc.message() -> 'invite' ->> 'end')
$$;
SELECT is(doc.invite('meets_at'), 'delivering 20300501T080000Z 20300501T090000Z', 'an invitation for a column takes an hour');
SELECT is(doc.message() - 'invite' - 'recipient', jsonb_build_object('subject', format('Visit %s', (SELECT max(id) FROM doc.deal)), 'body', 'Bring Roof <b>'), 'it is an e-mail');
SELECT is((doc.message() -> 'invite') - '{uid,sequence,made,start,end}'::text[], jsonb_build_object('name', '', 'method', 'request',
	'summary', format('Visit %s', (SELECT max(id) FROM doc.deal)), 'location', 'Yard', 'description', 'Bring Roof <b>'), 'that says what it is about');
SELECT is(doc.invite('{{ meets_at }}', options => '{"duration": "90 minutes"}'), 'delivering 20300501T080000Z 20300501T093000Z', 'or so long');
SELECT is(doc.invite('local_time', '2030-05-01 12:00'), 'delivering 20300501T140000Z 20300501T160000Z', 'the wall clock is that of the record');
SELECT is(doc.invite('2030-01-02 09:00+01', '{{ meets_at }}'), 'delivering 20300102T080000Z 20300501T080000Z', 'an instant is one');
SELECT is(doc.invite('day'), 'delivering 20300501T040000Z 20300501T050000Z', 'a date begins at midnight');
SELECT alike(doc.invite('meets_at', '2030-04-01 00:00'), 'failed 22023 invitation ends before it starts%', 'it does not end before it starts');
UPDATE doc.deal SET meets_at = NULL;
SELECT automation.create_rule('null', 'doc.deal', 'updated', activate => true, steps => ARRAY[automation.send_calendar_invite('doc_mail', '{{ email }}', 'x', 'meets_at')]);
UPDATE doc.deal SET title = 'x' WHERE id = 1;
SELECT is((SELECT reason FROM automation.step_log WHERE rule = 'null'), 'start of the invitation is null', 'nor starts at no time');
SELECT automation.drop_rule('null');

-- One appointment for a row, whichever rule speaks of it; the later word has the higher number.
SELECT automation.create_rule('a', 'doc.deal', 'updated', activate => true, steps => ARRAY[
	automation.send_calendar_invite('doc_mail', '{{ email }}', 'x', 'local_time'),
	automation.send_calendar_invite('doc_mail', '{{ email }}', 'x', 'local_time', method => 'cancel'),
	automation.send_calendar_invite('doc_mail', '{{ email }}', 'x', 'local_time', options => '{"name": "second"}'),
	automation.action('send_calendar_invite', '{"channel": "doc_mail", "attendees": ["a@x.example", "b@x.example"], "summary": "x", "start": "local_time"}')]);
UPDATE doc.deal SET title = 'y' WHERE id IN (1, 2);
CREATE TEMP VIEW told AS
SELECT u.key, d.step, d.recipient, d.message -> 'invite' ->> 'uid' AS uid, (d.message -> 'invite' ->> 'sequence')::integer AS sequence, d.message ->> 'subject' AS subject
FROM automation.delivery AS d JOIN automation.run AS u ON u.id = d.run_id JOIN automation.rule AS r ON r.id = u.rule_id WHERE r.name = 'a';
SELECT is((SELECT count(DISTINCT uid) FROM told WHERE key = '1' AND step <> 3), 1::bigint, 'one appointment has one UID');
SELECT is((SELECT count(DISTINCT uid) FROM told), 4::bigint, 'another row, or name, has another');
SELECT is((SELECT array_agg(step ORDER BY sequence, recipient) FROM told WHERE key = '1'), '{1,2,3,4,4}'::smallint[], 'SEQUENCE grows');
SELECT is((SELECT count(DISTINCT sequence) FROM told WHERE key = '1' AND step = 4), 1::bigint, 'all who are invited get the same');
SELECT is((SELECT subject FROM told WHERE key = '1' AND step = 2), 'Cancelled: x', 'a cancellation says so');
SELECT throws_ok(doc.refused(automation.send_calendar_invite('doc_mail', 'ann@x.example', 'x', 'nothing')), '22007', 'invalid instant: "nothing"');
SELECT throws_ok(doc.refused(automation.send_calendar_invite('doc_mail', 'ann', 'x', 'meets_at')), '22023', 'invalid email address "ann"');
SELECT throws_ok(doc.refused(automation.send_calendar_invite('doc_mail', '{{ email }}', 'x', 'meets_at', 'meets_at', options => '{"duration": "1 h"}')), '22023', 'an invitation has either "end" or "duration"');
SELECT throws_ok(doc.refused(automation.send_calendar_invite('doc_mail', '{{ email }}', 'x', 'meets_at', method => 'publish')), '22023', NULL, 'methods are two');

-- Unsubscribing

SELECT automation.set_consent('email', 'Ann@x.example', 'marketing', 'granted', 'web form');
SELECT automation._unsubscribe_token('email', 'ann@X.example', 'marketing') AS token \gset
SELECT matches(:'token'::text, '^[A-Za-z0-9_-]{60,100}$', 'a token fits into a URL');
SELECT is(automation.unsubscribe(:'token'), 'marketing', 'it unsubscribes');
SELECT results_eq($$SELECT class, state, source FROM automation.consents('email', 'ann@x.example')$$,
	$$VALUES ('marketing', 'denied', 'unsubscribe link'), ('marketing', 'granted', 'web form')$$, 'in the ledger');
SELECT is(automation.unsubscribe(:'token'), 'marketing', 'twice is once');
SELECT is((SELECT count(*) FROM automation.consents('email', 'ann@x.example')), 2::bigint, 'in the ledger too');
SELECT isnt(automation._unsubscribe_token('email', 'bob@x.example', 'marketing'), :'token', 'each address has its own');
SELECT throws_ok(format('SELECT automation.unsubscribe(%L)', token), '22023', 'invalid unsubscribe token')
FROM unnest(ARRAY[NULL, '', 'x', repeat('A', 66), overlay(:'token' PLACING 'x' FROM 3), left(:'token', -1), :'token' || 'A', repeat('A', 121)]) AS token;
SELECT throws_ok(format($$CREATE SERVER x FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'a@b.example', unsubscribe_url %L)$$, url), '22023', 'invalid unsubscribe_url')
FROM unnest(ARRAY['http://crm.example/{{token}}', 'https://crm.example', 'https://crm.example/ {{token}}', 'https://crm.example/>{{token}}']) AS url;

SELECT * FROM finish();
ROLLBACK;
