-- What comes back later: a provider tells what became of a message, a recipient answers one. PostgreSQL
-- listens to no web; the application's endpoint passes on what it is told.

CREATE TABLE automation.receipt (
	server oid NOT NULL,
	provider_id text NOT NULL,
	delivery_id bigint NOT NULL,
	at timestamptz NOT NULL DEFAULT automation._now(),
	PRIMARY KEY (server, provider_id)
);
COMMENT ON TABLE automation.receipt IS 'What providers call the messages that they have taken';
COMMENT ON COLUMN automation.receipt.server IS 'The channel: providers do not know each other''s numbers';
COMMENT ON COLUMN automation.receipt.provider_id IS 'Number that the provider gave the message: of Twilio its sid';
COMMENT ON COLUMN automation.receipt.delivery_id IS 'The delivery';
COMMENT ON COLUMN automation.receipt.at IS 'When it was taken';

CREATE TABLE automation.callback (
	server oid NOT NULL,
	provider_id text NOT NULL,
	state text NOT NULL,
	at timestamptz NOT NULL DEFAULT automation._now(),
	error_code text,
	PRIMARY KEY (server, provider_id, state)
);
COMMENT ON TABLE automation.callback IS 'What automation.record_callback() was told, each once: a status may come before the answer that says what its message is called';
COMMENT ON COLUMN automation.callback.server IS 'The channel';
COMMENT ON COLUMN automation.callback.provider_id IS 'What the provider calls the message';
COMMENT ON COLUMN automation.callback.state IS 'What became of it in the provider''s words: sent, delivered, undelivered, failed; received: it came from a recipient';
COMMENT ON COLUMN automation.callback.at IS 'When we were told first';
COMMENT ON COLUMN automation.callback.error_code IS 'Why it was not delivered';

CREATE FUNCTION automation._delivery_called(server oid, provider_id text) RETURNS bigint
LANGUAGE sql STABLE
-- A provider without ids of its own uses ours.
RETURN coalesce(
	(
		SELECT r.delivery_id FROM automation.receipt AS r
		WHERE r.server = _delivery_called.server AND r.provider_id = _delivery_called.provider_id
	),
	(
		-- Its number, and when it was made.
		SELECT d.id
		FROM (SELECT format('msg_%s_', replace(o.identity::text, '-', '')) FROM automation.worker AS o) AS w(prefix)
		JOIN automation.delivery AS d ON d.id = split_part(substr(_delivery_called.provider_id, length(w.prefix) + 1), '_', 1)::bigint
		WHERE starts_with(_delivery_called.provider_id, w.prefix)
			AND substr(_delivery_called.provider_id, length(w.prefix) + 1) ~ '^[0-9]{1,18}_[0-9]+$'
			AND (d.server = _delivery_called.server OR d.channel = (SELECT s.srvname FROM pg_foreign_server AS s WHERE s.oid = _delivery_called.server))
	));
COMMENT ON FUNCTION automation._delivery_called(oid, text) IS 'The delivery that the provider of a channel means';

CREATE FUNCTION automation._follow_receipts() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- Only messages know what a channel was called.
	numbers CONSTANT jsonb := (
		SELECT jsonb_object_agg(d.server, s.oid)
		FROM (SELECT DISTINCT m.server, m.channel FROM automation.delivery AS m) AS d
		JOIN pg_foreign_server AS s ON s.srvname = d.channel);
	receipts automation.receipt[];
	callbacks automation.callback[];
BEGIN
	WITH gone AS (DELETE FROM automation.receipt AS r WHERE numbers ? r.server::text RETURNING r) SELECT array_agg(g.r) INTO receipts FROM gone AS g;
	INSERT INTO automation.receipt (server, provider_id, delivery_id, at)
	SELECT (numbers ->> r.server::text)::oid, r.provider_id, r.delivery_id, r.at FROM unnest(receipts) AS r ON CONFLICT DO NOTHING;
	WITH gone AS (DELETE FROM automation.callback AS c WHERE numbers ? c.server::text RETURNING c) SELECT array_agg(g.c) INTO callbacks FROM gone AS g;
	INSERT INTO automation.callback (server, provider_id, state, at, error_code)
	SELECT (numbers ->> c.server::text)::oid, c.provider_id, c.state, c.at, c.error_code FROM unnest(callbacks) AS c ON CONFLICT DO NOTHING;
END
$$;
COMMENT ON FUNCTION automation._follow_receipts() IS 'Gives what providers have told the numbers that their channels have now; before messages get them';

CREATE VIEW automation.receipts WITH (security_barrier) AS
SELECT d.id AS delivery_id, d.channel, c.provider_id, c.state, c.error_code, c.at
FROM automation.callback AS c
JOIN automation.delivery AS d ON d.id = automation._delivery_called(c.server, c.provider_id)
WHERE pg_has_role(d.rule_owner, 'USAGE') OR (SELECT automation._is_operator(quote_ident(current_user)::regrole));
COMMENT ON VIEW automation.receipts IS 'What providers have told of automation.deliveries after taking them';
COMMENT ON COLUMN automation.receipts.delivery_id IS 'Number in automation.deliveries';

CREATE FUNCTION automation._last_word(kind text, address text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT c.state
	FROM automation.consent AS c
	WHERE c.address = automation._address_hash(kind, _last_word.address) AND c.class = 'all'
	ORDER BY c.id DESC
	LIMIT 1;
END;
COMMENT ON FUNCTION automation._last_word(text, text) IS 'What an address has decided about all messages: granted, denied or null';

CREATE FUNCTION automation._opt_out(kind text, address text, source text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Of one that has been erased nothing can be noted.
	IF automation._plain_address(kind, address) IS NULL OR automation._last_word(kind, address) = 'denied' THEN
		RETURN false;
	END IF;
	PERFORM automation._set_consent(current_user::regrole, kind, address, 'all', 'denied', source);
	RETURN true;
END
$$;
COMMENT ON FUNCTION automation._opt_out(text, text, text) IS 'Records that an address refuses everything; false: it did before, or is not known any more';

CREATE FUNCTION automation._opt_in(kind text, address text, source text) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Only who has left comes back: START alone is no consent to marketing.
	IF automation._last_word(kind, address) IS DISTINCT FROM 'denied' THEN
		RETURN false;
	END IF;
	PERFORM automation._set_consent(current_user::regrole, kind, address, 'all', 'granted', source);
	RETURN true;
END
$$;
COMMENT ON FUNCTION automation._opt_in(text, text, text) IS 'Records that an address that refused everything takes that back; false: it did not refuse';

CREATE FUNCTION automation._keyword(body text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN upper(btrim(body, E' \t\r\n.!"''')) = ANY ('{STOP,STOPALL,UNSUBSCRIBE,CANCEL,END,QUIT}') THEN 'stop'
	WHEN upper(btrim(body, E' \t\r\n.!"''')) = ANY ('{START,YES,UNSTOP}') THEN 'start'
	WHEN upper(btrim(body, E' \t\r\n.!"''')) = ANY ('{HELP,INFO}') THEN 'help'
	ELSE 'message'
END;
COMMENT ON FUNCTION automation._keyword(text) IS 'What a text message that consists of one word asks for';

CREATE FUNCTION automation._reply(server oid, recipient text, meaning text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('INSERT INTO %s (id, at, txid, rule_owner, server, channel, kind, recipient, message) OVERRIDING SYSTEM VALUE
			SELECT nextval(''automation.delivery_id_seq''), automation._now(), pg_current_xact_id(), c.owner, c.server, c.name, ''sms'', $2,
				jsonb_build_object(''body'', c.options ->> $3, ''class'', ''compliance'')
			FROM automation.channels AS c
			WHERE c.server = $1 AND c.options ? $3', automation._written('delivery'))
		USING server, recipient, meaning || '_reply';
	PERFORM automation._wake_worker();
END
$$;
COMMENT ON FUNCTION automation._reply(oid, text, text) IS 'Sends the stop_reply, start_reply or help_reply of a channel, if it has one';

CREATE FUNCTION automation._understand(server oid, sender text, body text, told text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	word text := upper(btrim(body, E' \t\r\n.!"'''));
	meaning text := coalesce(told, automation._keyword(body));
	is_new boolean := CASE meaning
		WHEN 'stop' THEN automation._opt_out('sms', sender, word)
		WHEN 'start' THEN automation._opt_in('sms', sender, word)
		ELSE meaning = 'help'
	END;
BEGIN
	IF is_new THEN
		PERFORM automation._reply(server, sender, meaning);
	ELSIF word = 'YES' THEN
		RETURN 'message'; -- to whatever was asked
	END IF;
	RETURN meaning;
END
$$;
COMMENT ON FUNCTION automation._understand(oid, text, text, text) IS 'Does what a text message asks for; told: what the provider takes it for';

-- Verbs

CREATE FUNCTION automation.record_callback(channel text, params jsonb) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.record_callback(text, jsonb)
	IS 'Takes what an SMS provider calls back with: the status of a message, or a message that came in (From, Body), whose STOP or START goes into the consent ledger. Answers status, stop, start, help or message; to tell the same again changes nothing';

CREATE FUNCTION automation._record_callback(caller regrole, channel text, params jsonb) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	source CONSTANT oid := automation._channel(channel);
	provider_id CONSTANT text := coalesce(params ->> 'MessageSid', params ->> 'SmsSid', params ->> 'id');
	status CONSTANT text := lower(coalesce(params ->> 'MessageStatus', params ->> 'SmsStatus', params ->> 'status', 'received'));
	error_code CONSTANT text := coalesce(params ->> 'ErrorCode', params ->> 'error');
	sender CONSTANT text := coalesce(params ->> 'From', params ->> 'from');
	body CONSTANT text := coalesce(params ->> 'Body', params ->> 'body', '');
	told CONSTANT text := lower(params ->> 'OptOutType');
	is_new boolean;
BEGIN
	IF automation._channel_kind(source) <> 'sms' THEN
		PERFORM automation._fail('42809', format('server "%s" is of type "%s"', channel, automation._channel_kind(source)),
			'Callbacks come from channels of type "sms".');
	ELSIF coalesce(provider_id, '') = '' THEN
		PERFORM automation._fail('22023', 'callback does not name its message', hint => 'Pass on all parameters; among them is MessageSid, or id.');
	ELSIF status = 'received' AND sender IS NULL THEN
		PERFORM automation._fail('22023', 'callback has neither a status nor a sender', hint => 'Pass on all parameters.');
	END IF;
	INSERT INTO automation.callback (server, provider_id, state, error_code)
	VALUES (source, provider_id, status, nullif(error_code, ''))
	ON CONFLICT ON CONSTRAINT callback_pkey DO NOTHING;
	is_new := FOUND;
	IF status NOT IN ('received', 'receiving') THEN
		IF is_new AND error_code = '21610' THEN
			PERFORM automation._opt_out(d.kind, d.recipient, 'Twilio 21610: the recipient has opted out')
			FROM automation.delivery AS d WHERE d.id = automation._delivery_called(source, provider_id) AND d.recipient IS NOT NULL;
		END IF;
		RETURN 'status';
	ELSIF NOT is_new THEN
		RETURN coalesce(told, automation._keyword(body));
	END IF;
	RETURN automation._understand(source, sender, body, told);
END
$$;
COMMENT ON FUNCTION automation._record_callback(regrole, text, jsonb) IS 'automation.record_callback()';

CREATE FUNCTION automation._has_twilio_signature(server oid, sender oid, url text, params jsonb, signature text) RETURNS boolean
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_has_twilio_signature';
COMMENT ON FUNCTION automation._has_twilio_signature(oid, oid, text, jsonb, text)
	IS 'Whether a call is signed with the password that the sender uses on the channel';

CREATE FUNCTION automation.verify_twilio_signature(channel text, url text, params jsonb, signature text) RETURNS boolean
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.verify_twilio_signature(text, text, jsonb, text)
	IS 'Whether a call to url with these form parameters comes from Twilio: signature is its header X-Twilio-Signature, the key the password (auth token) of the channel, be it a reference to a file';

CREATE FUNCTION automation._verify_twilio_signature(caller regrole, channel text, url text, params jsonb, signature text) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(automation._has_twilio_signature(s.oid, s.srvowner, url, coalesce(params, '{}'), signature), false)
	FROM pg_catalog.pg_foreign_server AS s
	WHERE s.oid = automation._channel(channel);
END;
COMMENT ON FUNCTION automation._verify_twilio_signature(regrole, text, text, jsonb, text) IS 'automation.verify_twilio_signature()';
