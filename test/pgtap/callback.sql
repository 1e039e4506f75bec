-- What a provider tells later, and what a recipient answers.
BEGIN;
SELECT no_plan();

CREATE SERVER talk FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006',
	stop_reply 'You are out. START brings you back.', help_reply 'Call +1 500 555 0006.');
CREATE SERVER quiet FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE SERVER letters FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example', sender 'office@firm.example');

-- The reply that a text message from this number has brought about.
CREATE TEMP TABLE number (n integer);
INSERT INTO number VALUES (0);
CREATE FUNCTION pg_temp.says(body text, channel text DEFAULT 'talk', sender text DEFAULT '+12025550142') RETURNS text LANGUAGE sql AS $$
	UPDATE number SET n = n + 1;
	SELECT automation.record_callback(channel, jsonb_build_object('MessageSid', 'SM' || n, 'SmsStatus', 'received', 'From', sender, 'Body', body)) FROM number;
$$;
CREATE FUNCTION pg_temp.consent(sender text DEFAULT '+12025550142') RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(class || ' ' || state || ' ' || source, ', ' ORDER BY ordinality DESC)
	FROM automation.consents('sms', sender) WITH ORDINALITY
$$;
CREATE FUNCTION pg_temp.replies() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(d.message ->> 'body' || ' ' || (d.message ->> 'class') || ' ' || d.recipient || ' ' || d.channel, E'\n' ORDER BY d.id), '') FROM automation.delivery AS d
$$;

SELECT is(pg_temp.says('Yes'), 'message', 'YES is an answer to whatever was asked');
SELECT is(pg_temp.says('START'), 'start', 'START without a STOP before');
SELECT is(pg_temp.consent(), NULL, 'is no consent to anything');
SELECT is(pg_temp.says('please stop it'), 'message', 'STOP is one word');
SELECT is(pg_temp.says(E' Stop. \n'), 'stop', 'however it is written');
SELECT is(pg_temp.consent(), 'all denied STOP', 'and goes into the ledger');
SELECT is(pg_temp.replies(), 'You are out. START brings you back. compliance +12025550142 talk', 'it is confirmed');
SELECT is(automation._consent_problem('sms', '+12025550142', 'compliance'), NULL, 'which is allowed');
SELECT isnt(automation._consent_problem('sms', '+12025550142', 'transactional'), NULL, 'while nothing else is');
SELECT is(pg_temp.says(word), 'stop', word) FROM unnest('{STOPALL,unsubscribe,Cancel,END,quit}'::text[]) AS word;
SELECT is(pg_temp.consent(), 'all denied STOP', 'to say it again changes nothing');
SELECT is(pg_temp.replies(), 'You are out. START brings you back. compliance +12025550142 talk', 'and is not confirmed again');
SELECT is(automation.record_callback('talk', '{"MessageSid": "SM5", "SmsStatus": "received", "From": "+12025550142", "Body": "STOP"}'), 'stop', 'nor is a call that is repeated');
SELECT is(pg_temp.says('yes'), 'start', 'YES after a STOP');
SELECT is(pg_temp.consent(), 'all denied STOP, all granted YES', 'brings him back');
SELECT is(automation.record_callback('talk', '{"MessageSid": "SM5", "SmsStatus": "received", "From": "+12025550142", "Body": "STOP"}'), 'stop', 'a call that is repeated later');
SELECT is(pg_temp.consent(), 'all denied STOP, all granted YES', 'does not undo that');
SELECT is(pg_temp.says('help'), 'help', 'HELP');
SELECT is(split_part(pg_temp.replies(), E'\n', 2), 'Call +1 500 555 0006. compliance +12025550142 talk', 'is answered');
SELECT is(pg_temp.says('STOP', 'quiet', '+12025550143'), 'stop', 'a channel without a stop_reply');
SELECT is((SELECT count(*) FROM automation.delivery), 2::bigint, 'leaves that to the provider');
SELECT is(pg_temp.consent('+12025550143'), 'all denied STOP', 'and writes the ledger all the same');
SELECT is(automation.record_callback('quiet', '{"MessageSid": "SM100", "From": "+12025550144", "Body": "ARRET", "OptOutType": "STOP"}'), 'stop', 'the provider may know more words');
SELECT is(pg_temp.consent('+12025550144'), 'all denied ARRET', 'than we do');

-- Status

INSERT INTO automation.delivery (at, txid, rule_owner, server, channel, kind, recipient, message)
SELECT now(), pg_current_xact_id(), 10, s.oid, s.srvname, 'sms', '+12025550145', '{"body": "€ 5"}' FROM pg_foreign_server AS s WHERE s.srvname = 'quiet';
SELECT max(id) AS delivery FROM automation.delivery \gset
SELECT is(automation.record_callback('quiet', '{"MessageSid": "SM200", "MessageStatus": "sent"}'), 'status', 'a status may come before the answer');
INSERT INTO automation.receipt (server, provider_id, delivery_id) SELECT s.oid, 'SM200', :delivery FROM pg_foreign_server AS s WHERE s.srvname = 'quiet';
SELECT is(automation.record_callback('quiet', '{"MessageSid": "SM200", "MessageStatus": "delivered"}'), 'status', 'or after it');
SELECT is(automation.record_callback('quiet', '{"MessageSid": "SM200", "MessageStatus": "delivered"}'), 'status', 'and again');
SELECT is((SELECT string_agg(channel || ' ' || provider_id || ' ' || state, ', ' ORDER BY state) FROM automation.receipts WHERE delivery_id = :delivery),
	'quiet SM200 delivered, quiet SM200 sent', 'it shows, each once');
SELECT is(automation.record_callback('quiet', '{"MessageSid": "SM200", "MessageStatus": "undelivered", "ErrorCode": "21610"}'), 'status', 'that he has opted out may come late');
SELECT is(pg_temp.consent('+12025550145'), 'all denied Twilio 21610: the recipient has opted out', 'and counts');
SELECT is((SELECT error_code FROM automation.receipts WHERE state = 'undelivered'), '21610', 'with its reason');
SELECT is(automation.record_callback('quiet', jsonb_build_object('id', format('msg_%s_%s_1', replace(w.identity::text, '-', ''), :'delivery'), 'status', 'read')), 'status', 'a provider without ids of its own')
FROM automation.worker AS w;
SELECT is((SELECT count(*) FROM automation.receipts WHERE delivery_id = :delivery AND state = 'read'), 1::bigint, 'uses ours');
SELECT is(automation.record_callback('quiet', '{"id": "msg_other_1_1", "status": "read"}'), 'status', 'an id of somebody else');
SELECT is((SELECT count(*) FROM automation.receipts WHERE state = 'read'), 1::bigint, 'tells nothing of ours');

-- Two providers may give out the same numbers.

CREATE SERVER other FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
SELECT is(automation.record_callback('other', '{"MessageSid": "SM1", "SmsStatus": "received", "From": "+12025550146", "Body": "STOP"}'), 'stop', 'another provider calls a message as the first one did');
SELECT is(pg_temp.consent('+12025550146'), 'all denied STOP', 'and its STOP counts');
SELECT automation.record_callback('other', '{"MessageSid": "SM200", "MessageStatus": "failed"}');
SELECT is((SELECT count(*) FROM automation.receipts WHERE state = 'failed'), 0::bigint, 'what it tells of its messages tells nothing of others');
SELECT automation.record_callback('other', jsonb_build_object('id', format('msg_%s_%s_1', replace(w.identity::text, '-', ''), :'delivery'), 'status', 'failed')) FROM automation.worker AS w;
SELECT is((SELECT count(*) FROM automation.receipts WHERE state = 'failed'), 0::bigint, 'nor by our own number');
SELECT automation.record_callback('other', '{"MessageSid": "SM200", "MessageStatus": "undelivered", "ErrorCode": "21610"}');
SELECT is((SELECT count(*) FROM automation.receipts WHERE state = 'undelivered'), 1::bigint, 'what both tell is kept twice');
SELECT is((SELECT count(*) FROM automation.callback WHERE provider_id = 'SM200' AND state = 'undelivered'), 2::bigint, 'each with its channel');

-- In another cluster servers have other numbers, even one another's.

UPDATE automation.delivery SET server = 999999 WHERE id = :delivery;
UPDATE automation.receipt SET server = 999999;
UPDATE automation.callback SET server = 999999 WHERE server = (SELECT s.oid FROM pg_foreign_server AS s WHERE s.srvname = 'quiet');
SELECT is((SELECT count(*) FROM automation._delivery_called((SELECT s.oid FROM pg_foreign_server AS s WHERE s.srvname = 'quiet'), 'SM200') AS d(id) WHERE id IS NOT NULL), 0::bigint, 'a number that is not known');
SELECT automation._follow_channels();
SELECT is((SELECT string_agg(state, ', ' ORDER BY state) FROM automation.receipts WHERE delivery_id = :delivery), 'delivered, read, sent, undelivered', 'is found by the name of its channel');
SELECT is(automation._delivery_called((SELECT s.oid FROM pg_foreign_server AS s WHERE s.srvname = 'quiet'), 'SM200'), :'delivery'::bigint, 'and what comes next is understood');

-- Segments

SELECT is((SELECT segments FROM automation.deliveries WHERE id = :delivery), 1, 'segments show');
SELECT is(automation.sms_segments('x')::text, '(1,GSM-7)', 'and can be asked for');
SELECT is(automation.sms_segments(repeat('ß', 161))::text, '(2,GSM-7)', 'before anything is sent');
SELECT is(automation.sms_segments(repeat('ł', 71))::text, '(2,UCS-2)', 'one character makes it dearer');
SELECT is(automation.sms_segments(NULL)::text, NULL, 'nothing has none');

-- Signatures: the vector of Twilio's documentation

SELECT automation.alter_channel('quiet', credentials => '{"username": "AC00000000000000000000000000000000", "password": "12345"}');
CREATE FUNCTION pg_temp.verify(signature text, url text DEFAULT 'https://mycompany.com/myapp.php?foo=1&bar=2', sender text DEFAULT '+12349013030') RETURNS boolean LANGUAGE sql AS $$
	SELECT automation.verify_twilio_signature('quiet', url, jsonb_build_object('CallSid', 'CA1234567890ABCDE', 'Caller', sender, 'Digits', '1234', 'From', sender, 'To', '+18005551212'), signature)
$$;
SELECT is(pg_temp.verify('0/KCTR6DLpKmkAf8muzZqo1nDgQ='), true, 'a signature that is right');
SELECT is(pg_temp.verify('0/KCTR6DLpKmkAf8muzZqo1nDgQ=', 'https://mycompany.com/myapp.php?foo=1&bar=3'), false, 'of another URL');
SELECT is(pg_temp.verify('0/KCTR6DLpKmkAf8muzZqo1nDgQ=', sender => '+12349013031'), false, 'of other parameters');
SELECT is(pg_temp.verify(''), false, 'none');
SELECT is(pg_temp.verify(NULL), false, 'null');
SELECT throws_ok($$SELECT automation.verify_twilio_signature('talk', 'https://x', '{}', 'x')$$, '28000', 'channel "talk" has no credential "password"', 'a channel without a token cannot tell');

-- Refused

SELECT throws_ok($$SELECT automation.record_callback('nowhere', '{}')$$, '42704', 'server "nowhere" does not exist');
SELECT throws_ok($$SELECT automation.record_callback('letters', '{}')$$, '42809', 'server "letters" is of type "email"');
SELECT throws_ok($$SELECT automation.record_callback('talk', '{"MessageStatus": "sent"}')$$, '22023', 'callback does not name its message');
SELECT throws_ok($$SELECT automation.record_callback('talk', '{"MessageSid": "SM300"}')$$, '22023', 'callback has neither a status nor a sender');
SELECT throws_ok($$SELECT automation.record_callback('talk', '{"MessageSid": "SM301", "From": "x", "Body": "STOP"}')$$, '22023', 'invalid phone number "x"');
CREATE ROLE callback_author;
SELECT automation.grant_access('callback_author', 'author');
SET LOCAL ROLE callback_author;
SELECT throws_ok($$SELECT automation.record_callback('talk', '{}')$$, '42501', 'permission denied for function record_callback', 'callbacks are not for authors');
SELECT throws_ok($$SELECT automation.verify_twilio_signature('talk', '', '{}', '')$$, '42501', 'permission denied for function verify_twilio_signature');
SELECT is_empty('SELECT * FROM automation.receipts', 'who sees only what his own rules send');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
