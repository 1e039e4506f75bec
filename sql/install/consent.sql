-- What people have agreed to hear. The ledger only grows: of the decisions about an address the last
-- one counts. It knows addresses by a keyed hash, and so outlives their erasure.

CREATE TABLE automation.hash_key (key bytea NOT NULL);
COMMENT ON TABLE automation.hash_key IS 'Key of the hashes of addresses; made with the first of them';
COMMENT ON COLUMN automation.hash_key.key IS '32 random bytes';

CREATE TABLE automation.consent (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT automation._now(),
	address bytea NOT NULL,
	class text NOT NULL CHECK (class IN ('all', 'marketing', 'transactional', 'emergency')),
	state text NOT NULL CHECK (state IN ('granted', 'denied')),
	source text NOT NULL,
	actor text NOT NULL DEFAULT session_user
);
CREATE INDEX consent_address ON automation.consent (address, id DESC);
COMMENT ON TABLE automation.consent IS 'Ledger of what people have agreed to hear, or refused';
COMMENT ON COLUMN automation.consent.id IS 'Number of the decision';
COMMENT ON COLUMN automation.consent.at IS 'When';
COMMENT ON COLUMN automation.consent.address IS 'Keyed hash of the phone number or e-mail address';
COMMENT ON COLUMN automation.consent.class IS 'Messages it is about; all: every class but emergency';
COMMENT ON COLUMN automation.consent.state IS 'granted or denied';
COMMENT ON COLUMN automation.consent.source IS 'How it was given: a form, a STOP, a call';
COMMENT ON COLUMN automation.consent.actor IS 'Session user who recorded it';

CREATE FUNCTION automation._append_only() RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._fail('55000', format('table %I.%I is append-only', TG_TABLE_SCHEMA, TG_TABLE_NAME),
		hint => 'Record a new decision with automation.set_consent().');
END
$$;
COMMENT ON FUNCTION automation._append_only() IS 'Trigger of a table whose rows are neither changed nor deleted';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON automation.consent
FOR EACH STATEMENT EXECUTE FUNCTION automation._append_only();

CREATE FUNCTION automation._plain_address(kind text, address text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE kind WHEN 'sms' THEN automation.phone_e164(address) ELSE lower(trim(address)) END;
COMMENT ON FUNCTION automation._plain_address(text, text) IS 'The one way to write an address';

CREATE FUNCTION automation._address_hash(kind text, address text) RETURNS bytea
LANGUAGE sql STABLE
-- Null while there is no key: then there is no decision either.
RETURN (
	SELECT sha256(k.key || sha256(k.key || convert_to(kind || ':' || automation._plain_address(kind, address),
		-- Where any bytes go for text, they need not be UTF-8.
		CASE getdatabaseencoding() WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)))
	FROM automation.hash_key AS k
);
COMMENT ON FUNCTION automation._address_hash(text, text) IS 'How the ledger knows an address, however it is written: SHA-256 of the key and of the SHA-256 of key and address';

CREATE FUNCTION automation._consent_problem(kind text, address text, class text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT CASE
		WHEN c.state = 'denied' THEN
			format('consent: %s messages refused on %s (%s)', class, (c.at AT TIME ZONE 'UTC')::date, c.source)
		WHEN class = 'marketing' AND c.state IS NULL THEN 'consent: marketing messages were never agreed to'
	END
	FROM (SELECT) AS always
	LEFT JOIN LATERAL (
		SELECT l.state, l.at, l.source
		FROM automation.consent AS l
		WHERE l.address = automation._address_hash(kind, _consent_problem.address)
			AND (l.class = _consent_problem.class OR l.class = 'all' AND _consent_problem.class <> 'emergency')
		ORDER BY l.id DESC
		LIMIT 1
	) AS c ON class <> 'compliance';
END;
COMMENT ON FUNCTION automation._consent_problem(text, text, text)
	IS 'Why a message of a class may not go to an address, or null: the last decision about it; marketing wants one. Answers to a STOP (compliance) are always allowed';

CREATE FUNCTION automation._check_consent(kind text, address text, class text, state text, source text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_choice('unrecognized kind of address', kind, 'sms', 'email'),
		automation._check_choice('unrecognized class of messages', class, 'all', 'marketing', 'transactional', 'emergency'),
		automation._check_choice('unrecognized consent', state, 'granted', 'denied');
	IF coalesce(trim(source), '') = '' THEN
		PERFORM automation._fail('22023', 'source of the consent must not be empty', hint => 'Say how it was given, for example "web form".');
	END IF;
	PERFORM automation._check_recipient(kind, automation._plain_address(kind, address));
END
$$;
COMMENT ON FUNCTION automation._check_consent(text, text, text, text, text) IS 'Raises what is wrong with a decision';

CREATE FUNCTION automation._make_hash_key() RETURNS bytea
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM automation.hash_key) THEN
		LOCK TABLE automation.hash_key IN SHARE ROW EXCLUSIVE MODE;
		INSERT INTO automation.hash_key SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
		WHERE NOT EXISTS (SELECT FROM automation.hash_key);
	END IF;
	RETURN (SELECT k.key FROM automation.hash_key AS k);
END
$$;
COMMENT ON FUNCTION automation._make_hash_key() IS 'The key of the hashes; it is made when there is none';

CREATE FUNCTION automation.set_consent(kind text, address text, class text, state text, source text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.set_consent(text, text, text, text, text)
	IS 'Records that an address (kind sms or email) has granted or denied messages of a class: marketing, transactional, emergency, or all but emergency';

CREATE FUNCTION automation._set_consent(caller regrole, kind text, address text, class text, state text, source text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_consent(kind, address, class, state, source);
	PERFORM automation._make_hash_key();
	INSERT INTO automation.consent (address, class, state, source)
	VALUES (automation._address_hash(kind, address), class, state, source);
END
$$;
COMMENT ON FUNCTION automation._set_consent(regrole, text, text, text, text, text) IS 'automation.set_consent()';

CREATE FUNCTION automation.consents(kind text, address text)
RETURNS TABLE (at timestamptz, class text, state text, source text, actor text)
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.consents(text, text) IS 'Every decision about an address, the last one first';

CREATE FUNCTION automation._consents(caller regrole, kind text, address text)
RETURNS TABLE (at timestamptz, class text, state text, source text, actor text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT c.at, c.class, c.state, c.source, c.actor
	FROM automation.consent AS c
	WHERE c.address = automation._address_hash(_consents.kind, _consents.address)
	ORDER BY c.id DESC;
END;
COMMENT ON FUNCTION automation._consents(regrole, text, text) IS 'automation.consents()';

-- Unsubscribing by one click (RFC 8058). The token names the address by its hash and is signed: whoever
-- has it got the message.

CREATE FUNCTION automation._unsubscribe_seal(hash_key bytea, content bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE
RETURN substr(sha256(hash_key || sha256(hash_key || convert_to('unsubscribe:', 'UTF8') || content)), 1, 16);
COMMENT ON FUNCTION automation._unsubscribe_seal(bytea, bytea) IS 'Signature of a token';

CREATE FUNCTION automation._unsubscribe_token(kind text, address text, class text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT translate(encode(t.content || automation._unsubscribe_seal(k.key, t.content), 'base64'), E'+/=\n', '-_')
	FROM automation.hash_key AS k,
		LATERAL (SELECT automation._address_hash(kind, address) || convert_to(class, 'UTF8')) AS t(content);
END;
COMMENT ON FUNCTION automation._unsubscribe_token(text, text, text) IS 'Token by which an address refuses a class of messages; null while nobody has ever agreed to any';

CREATE FUNCTION automation.unsubscribe(token text) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.unsubscribe(text)
	IS 'Takes the token of a List-Unsubscribe link: its address refuses its class of messages from now on. Answers the class; to do it again changes nothing';

CREATE FUNCTION automation._unsubscribe(caller regrole, token text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	hash_key CONSTANT bytea := (SELECT k.key FROM automation.hash_key AS k);
	content bytea;
	hash bytea;
	refused text;
BEGIN
	IF token ~ '^[A-Za-z0-9_-]{40,120}$' AND length(token) % 4 <> 1 THEN
		content := decode(translate(token, '-_', '+/') || repeat('=', -length(token) & 3), 'base64');
		-- Hashed once more, so that the time it takes tells nothing.
		IF sha256(substr(content, length(content) - 15)) = sha256(automation._unsubscribe_seal(hash_key, substr(content, 1, length(content) - 16))) THEN
			hash := substr(content, 1, 32);
			refused := convert_from(substr(content, 33, length(content) - 48), 'UTF8');
		END IF;
	END IF;
	IF refused IS NULL THEN
		PERFORM automation._fail('22023', 'invalid unsubscribe token');
	ELSIF 'denied' IS DISTINCT FROM (
		SELECT c.state FROM automation.consent AS c
		WHERE c.address = hash AND c.class IN (refused, 'all')
		ORDER BY c.id DESC LIMIT 1)
	THEN
		INSERT INTO automation.consent (address, class, state, source) VALUES (hash, refused, 'denied', 'unsubscribe link');
	END IF;
	RETURN refused;
END
$$;
COMMENT ON FUNCTION automation._unsubscribe(regrole, text) IS 'automation.unsubscribe()';

-- As a step

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('record_consent', 'communication', 'engine', 'final', NULL, NULL, '_compile_record_consent', '{
	"required": ["kind", "address", "class", "state", "source"],
	"properties": {
		"kind": {"type": "string", "enum": ["sms", "email"]},
		"address": {"type": "string", "template": "address", "description": "phone number or e-mail address"},
		"class": {"type": "string", "enum": ["all", "marketing", "transactional", "emergency"]},
		"state": {"type": "string", "enum": ["granted", "denied"]},
		"source": {"type": "string", "template": "line", "description": "how it was given: a form, a STOP, a call"}}}',
	'Records what somebody has agreed to hear, or refused, as automation.set_consent() does');

CREATE FUNCTION automation.record_consent(kind text, address text, class text, state text, source text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('record_consent',
	jsonb_build_object('kind', kind, 'address', address, 'class', class, 'state', state, 'source', source));
COMMENT ON FUNCTION automation.record_consent(text, text, text, text, text) IS 'A step that records what an address has agreed to hear, or refused; address and source are templates';

CREATE FUNCTION automation._compile_record_consent(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT automation._is_operator(scope.owner) THEN
		PERFORM automation._fail('42501', 'permission denied to record consent',
			format('Rules act as their owner, %s.', scope.owner), 'Grant the role the access of an operator.');
	END IF;
	RETURN automation._select_sql(scope.row_relation, automation._call_sql('jsonb_build_object', ARRAY(
		SELECT format('%L::text, %s', param.key, CASE WHEN param.key IN ('address', 'source')
			THEN automation._template_sql(scope, param.value #>> '{}', CASE param.key WHEN 'address' THEN 'address' ELSE 'line' END)
			ELSE format('%L::text', param.value #>> '{}') END)
		FROM jsonb_each(params) AS param)));
END
$$;
COMMENT ON FUNCTION automation._compile_record_consent(automation._scope, automation._site, jsonb) IS 'Query for record_consent';
