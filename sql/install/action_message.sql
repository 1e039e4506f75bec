-- What a rule says to others: messages through channels, and notifications.

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('send_sms', 'communication', 'message', 'recallable', 'sms', 'transactional', '_compile_message', '{
	"required": ["channel", "recipient", "body"],
	"properties": {
		"channel": {"type": "string", "description": "foreign server of kind sms"},
		"recipient": {"type": ["string", "array"], "template": "address", "description": "phone number, or a list of them"},
		"body": {"type": "string", "template": "text"},
		"class": {"type": "string", "template": "line", "enum": ["transactional", "marketing", "emergency", "compliance"],
			"description": "what kind of message it is; decides whose consent it needs"}}}',
	'Sends a text message'),
('send_email', 'communication', 'message', 'recallable', 'email', 'transactional', '_compile_message', '{
	"required": ["channel", "recipient", "subject", "body"],
	"properties": {
		"channel": {"type": "string", "description": "foreign server of kind email"},
		"recipient": {"type": ["string", "array"], "template": "address", "description": "e-mail address, or a list of them"},
		"subject": {"type": "string", "template": "line"},
		"body": {"type": "string", "template": "text", "description": "plain text"},
		"html": {"type": "string", "template": "html", "description": "the same as HTML"},
		"class": {"type": "string", "template": "line", "enum": ["transactional", "marketing", "emergency", "compliance"],
			"description": "what kind of message it is; decides whose consent it needs"}}}',
	'Sends an e-mail'),
('send_webhook', 'communication', 'message', 'recallable', 'webhook', NULL, '_compile_webhook', '{
	"required": ["channel"],
	"properties": {
		"channel": {"type": "string", "description": "foreign server of kind webhook"},
		"path": {"type": "string", "template": "url", "description": "below the base_url of the channel"},
		"body": {"template": "json", "description": "JSON; a leaf that is one merge tag keeps its type"},
		"headers": {"type": "object", "template": "line"},
		"method": {"type": "string", "enum": ["POST", "PUT", "PATCH", "GET", "DELETE"]}}}',
	'Calls a webhook'),
('notify', 'communication', 'engine', 'reversible', NULL, 'internal', '_compile_message', '{
	"required": ["recipient", "body"],
	"properties": {
		"recipient": {"type": ["string", "array"], "template": "person", "description": "a user, or a role of the record such as owner"},
		"body": {"type": "string", "template": "text"}}}',
	'Leaves a row in automation.notification');

-- What every message may say of its own delivery; channels say the same for all of theirs.
UPDATE automation.action_definition
SET params = jsonb_set(params, '{properties}', params -> 'properties' || '{
	"expires_after": {"type": "string", "delivery": true, "description": "no attempt begins so long after the event: 2h, 3d"},
	"max_attempts": {"type": ["number", "string"], "delivery": true},
	"retry_delay": {"type": "string", "delivery": true, "description": "wait after the first attempt"},
	"retry_max_delay": {"type": "string", "delivery": true, "description": "longest wait"},
	"retry_schedule": {"type": "string", "delivery": true, "description": "all waits instead: 5s, 5min, 2h"},
	"on_unknown": {"type": "string", "delivery": true, "enum": ["repeat", "hold"], "description": "when it may have arrived"}}')
WHERE channel_kind IS NOT NULL;

CREATE FUNCTION automation.send_sms(channel text, recipient text, body text, options jsonb DEFAULT '{}')
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('send_sms',
	jsonb_build_object('channel', channel, 'recipient', recipient, 'body', body) || options);
COMMENT ON FUNCTION automation.send_sms(text, text, text, jsonb) IS 'A step that sends a text message; recipient and body are templates';

CREATE FUNCTION automation.send_email(
	channel text,
	recipient text,
	subject text,
	body text,
	html text DEFAULT NULL,
	options jsonb DEFAULT '{}')
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('send_email',
	jsonb_build_object(
		'channel', channel, 'recipient', recipient, 'subject', subject, 'body', body, 'html', html)
	|| options);
COMMENT ON FUNCTION automation.send_email(text, text, text, text, text, jsonb) IS 'A step that sends an e-mail; recipient, subject, body and html are templates';

CREATE FUNCTION automation.send_webhook(
	channel text,
	path text DEFAULT '',
	body jsonb DEFAULT NULL,
	headers jsonb DEFAULT NULL,
	method text DEFAULT 'POST',
	options jsonb DEFAULT '{}')
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('send_webhook',
	jsonb_build_object(
		'channel', channel, 'path', path, 'body', body, 'headers', headers, 'method', method)
	|| options);
COMMENT ON FUNCTION automation.send_webhook(text, text, jsonb, jsonb, text, jsonb) IS 'A step that calls a webhook; path, and texts in body and headers, are templates';

CREATE FUNCTION automation.notify(recipient text, body text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('notify', jsonb_build_object('recipient', recipient, 'body', body));
COMMENT ON FUNCTION automation.notify(text, text) IS 'A step that leaves a row in automation.notification; both parameters are templates';

CREATE FUNCTION automation._check_delivery(options jsonb) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_check_delivery';
COMMENT ON FUNCTION automation._check_delivery(jsonb) IS 'Raises an error for what a step cannot say of its delivery';

CREATE FUNCTION automation._delivery_sql(properties jsonb, params jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	options jsonb := (
		SELECT jsonb_object_agg(param.key, param.value #>> '{}')
		FROM jsonb_each(params) AS param
		WHERE properties -> param.key ? 'delivery');
BEGIN
	PERFORM automation._check_delivery(options);
	RETURN CASE WHEN options IS NOT NULL THEN ARRAY[format('%L::text, %L::pg_catalog.jsonb', 'delivery', options)] END;
END
$$;
COMMENT ON FUNCTION automation._delivery_sql(jsonb, jsonb) IS 'What a step says of its delivery, to go with the message as it is';

CREATE FUNCTION automation._message_sql(scope automation._scope, properties jsonb, params jsonb) RETURNS text
LANGUAGE sql STABLE
RETURN automation._select_sql((scope).row_relation, automation._call_sql('jsonb_build_object', ARRAY(
	SELECT format('%L::text, %s', param.key,
		automation._value_sql(scope, param.value, properties -> param.key ->> 'template'))
	FROM jsonb_each(params) AS param
	WHERE properties -> param.key ? 'template'
	ORDER BY param.key) || automation._delivery_sql(properties, params)));
COMMENT ON FUNCTION automation._message_sql(automation._scope, jsonb, jsonb) IS 'Query for a finished message: every parameter that is a template';

CREATE FUNCTION automation._compile_message(scope automation._scope, site automation._site, params jsonb)
RETURNS text
LANGUAGE sql STABLE
RETURN (
	SELECT automation._message_sql(scope, d.params -> 'properties', _compile_message.params)
	FROM automation.action_definition AS d
	WHERE d.name = site.action
);
COMMENT ON FUNCTION automation._compile_message(automation._scope, automation._site, jsonb) IS 'Query for send_sms, send_email, notify and refuse';

CREATE FUNCTION automation._check_header(name text, value text) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_check_header';
COMMENT ON FUNCTION automation._check_header(text, text) IS 'Raises an error for an HTTP header that would never be sent; the value may be a template';

CREATE FUNCTION automation._compile_webhook(scope automation._scope, site automation._site, params jsonb)
RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_header(h.key, coalesce(h.value, '')) FROM jsonb_each_text(params -> 'headers') AS h;
	RETURN (
		SELECT automation._message_sql(
			scope,
			d.params -> 'properties' || '{"recipient": {"template": "url"}, "method": {"template": "line"}}',
			'{"path": "", "method": "POST"}' || _compile_webhook.params
				|| jsonb_build_object('recipient', coalesce(_compile_webhook.params ->> 'path', '')))
		FROM automation.action_definition AS d
		WHERE d.name = site.action);
END
$$;
COMMENT ON FUNCTION automation._compile_webhook(automation._scope, automation._site, jsonb) IS 'Query for send_webhook';

-- Channels

CREATE FUNCTION automation._channel_kind(server oid) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT o.option_value
	FROM pg_catalog.pg_foreign_server AS s,
		LATERAL pg_catalog.pg_options_to_table(s.srvoptions) AS o
	WHERE s.oid = server AND o.option_name = 'channel';
END;
COMMENT ON FUNCTION automation._channel_kind(oid) IS 'Kind of a channel: sms, email or webhook';

CREATE FUNCTION automation._channel_names() RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(array_agg(s.srvname::text ORDER BY s.srvname), '{}')
	FROM pg_catalog.pg_foreign_server AS s
	JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
	WHERE w.fdwname = 'pg_automation';
END;
COMMENT ON FUNCTION automation._channel_names() IS 'Foreign servers of our wrapper';

CREATE FUNCTION automation._check_channel(owner regrole, name text, kind text) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	server pg_foreign_server;
BEGIN
	SELECT s.* INTO server FROM pg_foreign_server AS s WHERE s.srvname = name;
	IF NOT FOUND THEN
		PERFORM automation._fail('42704', format('server "%s" does not exist', name),
			hint => coalesce(
				'Perhaps you meant the server "' || automation._suggest(name, automation._channel_names()) || '".',
				'Use automation.create_channel() or CREATE SERVER.'));
	ELSIF name <> ALL (automation._channel_names()) THEN
		PERFORM automation._fail('42809', format('server "%s" is not a pg_automation channel', name));
	ELSIF automation._channel_kind(server.oid) IS DISTINCT FROM kind THEN
		PERFORM automation._fail('42809', format('server "%s" is of type "%s"', name, automation._channel_kind(server.oid)),
			format('The step requires a channel of type "%s".', kind));
	ELSIF NOT has_server_privilege(owner, server.oid, 'USAGE') THEN
		PERFORM automation._fail('42501', format('permission denied for foreign server %s', name));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_channel(regrole, text, text) IS 'Raises an error unless the owner may send this kind of message through the channel';

CREATE FUNCTION automation._check_recipient(kind text, recipient text) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_check_recipient';
COMMENT ON FUNCTION automation._check_recipient(text, text) IS 'Raises an error when no message of this kind can go there';
