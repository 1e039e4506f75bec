-- Channels: foreign servers of our wrapper, their credentials in user mappings.

CREATE FUNCTION automation._validate_options(options text[], catalog oid) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_validate_options';
COMMENT ON FUNCTION automation._validate_options(text[], oid) IS 'Checks the options of the wrapper, of channels and of their user mappings';

CREATE FOREIGN DATA WRAPPER pg_automation NO HANDLER VALIDATOR automation._validate_options;
COMMENT ON FOREIGN DATA WRAPPER pg_automation IS 'Channels of pg_automation; its own options say where messages may go';

CREATE VIEW automation.channels AS
SELECT
	s.oid AS server,
	s.srvname AS name,
	o.options ->> 'channel' AS kind,
	coalesce(
		o.options ->> 'provider',
		CASE o.options ->> 'channel' WHEN 'sms' THEN 'twilio' WHEN 'email' THEN 'smtp' ELSE 'http' END) AS provider,
	s.srvowner::regrole AS owner,
	o.options,
	CASE
		WHEN p.server IS NOT NULL THEN 'paused'
		WHEN b.until > automation._now() THEN 'open'
		WHEN b.server IS NOT NULL THEN 'half open'
		ELSE 'active'
	END AS state,
	p.paused_at,
	coalesce(p.reason, b.reason) AS reason,
	b.until AS open_until
FROM pg_catalog.pg_foreign_server AS s
JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
CROSS JOIN LATERAL (
	SELECT coalesce(jsonb_object_agg(f.option_name, f.option_value), '{}') AS options
	FROM pg_catalog.pg_options_to_table(s.srvoptions) AS f
) AS o
LEFT JOIN automation.channel_state AS p ON p.server = s.oid
LEFT JOIN automation.breaker AS b ON b.server = s.oid
WHERE w.fdwname = 'pg_automation';
COMMENT ON VIEW automation.channels IS 'Channels with their options; credentials are in user mappings and not shown';
COMMENT ON COLUMN automation.channels.state IS 'active, paused (by somebody), open (its circuit breaker: it is left alone until open_until) or half open (one attempt decides)';
COMMENT ON COLUMN automation.channels.name IS 'Name of the foreign server';
COMMENT ON COLUMN automation.channels.kind IS 'sms, email or webhook';
COMMENT ON COLUMN automation.channels.provider IS 'Who takes the messages: twilio, smtp, http, ...';
COMMENT ON COLUMN automation.channels.owner IS 'Who may alter and drop it';
COMMENT ON COLUMN automation.channels.options IS 'Options of the foreign server';
COMMENT ON COLUMN automation.channels.reason IS 'Why it is not active';
COMMENT ON COLUMN automation.channels.open_until IS 'Until when its circuit breaker leaves it alone';

-- Helpers

CREATE FUNCTION automation._channel(name text) RETURNS oid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	channel record;
BEGIN
	SELECT s.oid, w.fdwname INTO channel
	FROM pg_foreign_server AS s
	JOIN pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
	WHERE s.srvname = name;
	IF NOT FOUND THEN
		PERFORM automation._fail('42704', format('server "%s" does not exist', name),
			hint => 'Perhaps you meant the server "'
				|| automation._suggest(name, ARRAY(SELECT c.name::text FROM automation.channels AS c)) || '".');
	ELSIF channel.fdwname <> 'pg_automation' THEN
		PERFORM automation._fail('42809', format('server "%s" is not a pg_automation channel', name));
	END IF;
	RETURN channel.oid;
END
$$;
COMMENT ON FUNCTION automation._channel(text) IS 'The foreign server that is a channel';

CREATE FUNCTION automation._own_channel(caller regrole, name text) RETURNS oid
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	channel oid := automation._channel(name);
BEGIN
	IF NOT pg_has_role(caller, (SELECT s.srvowner FROM pg_foreign_server AS s WHERE s.oid = channel), 'USAGE') THEN
		PERFORM automation._fail('42501', format('must be owner of foreign server %s', name));
	END IF;
	RETURN channel;
END
$$;
COMMENT ON FUNCTION automation._own_channel(regrole, text) IS 'The foreign server of a channel that the caller may change';

CREATE FUNCTION automation._option_list(options jsonb, present text[] DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce('OPTIONS (' || string_agg(
		CASE
			WHEN o.value IS NULL THEN format('DROP %I', o.key)
			WHEN present IS NULL THEN format('%I %L', o.key, o.value)
			WHEN o.key = ANY (present) THEN format('SET %I %L', o.key, o.value)
			ELSE format('ADD %I %L', o.key, o.value)
		END,
		', ') || ')', '')
	FROM jsonb_each_text(options) AS o
	WHERE o.value IS NOT NULL OR o.key = ANY (present)
$$;
COMMENT ON FUNCTION automation._option_list(jsonb, text[]) IS 'OPTIONS clause that sets what the object says, and drops what it says is null; present: the options there are, null when the object is new';

CREATE FUNCTION automation._map_public(server text, actions text[], names text[], settings text[]) RETURNS void
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_map_public';
COMMENT ON FUNCTION automation._map_public(text, text[], text[], text[]) IS 'CREATE or ALTER USER MAPPING FOR PUBLIC without a statement that shows secrets; actions: add, set, drop';

CREATE FUNCTION automation._set_credentials(channel oid, credentials jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	present text[] := ARRAY(
		SELECT o.option_name
		FROM pg_user_mapping AS m
		CROSS JOIN LATERAL pg_options_to_table(m.umoptions) AS o
		WHERE m.umserver = channel AND m.umuser = 0);
	provider text := (SELECT c.provider FROM automation.channels AS c WHERE c.server = channel);
BEGIN
	IF provider = 'twilio' AND credentials ->> 'username' !~ '^AC[0-9a-fA-F]{32}$' THEN
		PERFORM automation._fail('22023', 'invalid account SID', 'Expected "AC" followed by 32 hexadecimal digits.');
	END IF;
	PERFORM automation._map_public(
		(SELECT s.srvname FROM pg_foreign_server AS s WHERE s.oid = channel),
		coalesce(array_agg(CASE
			WHEN c.value IS NULL THEN 'drop'
			WHEN c.key = ANY (present) THEN 'set'
			ELSE 'add' END), '{}'),
		coalesce(array_agg(c.key), '{}'),
		coalesce(array_agg(coalesce(c.value, '')), '{}'))
	FROM jsonb_each_text(credentials) AS c
	WHERE c.value IS NOT NULL OR c.key = ANY (present);
END
$$;
COMMENT ON FUNCTION automation._set_credentials(oid, jsonb) IS 'Sets the credentials that everybody''s messages through a channel use';

-- Verbs

CREATE FUNCTION automation.create_channel(name text, channel text, options jsonb, credentials jsonb DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_channel(text, text, jsonb, jsonb) IS 'CREATE SERVER and CREATE USER MAPPING FOR PUBLIC in one call; the caller owns the channel';

CREATE FUNCTION automation._create_channel(caller regrole, name text, channel text, options jsonb, credentials jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT has_foreign_data_wrapper_privilege(caller, 'pg_automation', 'USAGE') THEN
		PERFORM automation._fail('42501', 'permission denied for foreign-data wrapper pg_automation');
	END IF;
	EXECUTE format(
		'CREATE SERVER %I FOREIGN DATA WRAPPER pg_automation %s',
		name, automation._option_list(coalesce(options, '{}') || jsonb_build_object('channel', channel)));
	EXECUTE format('ALTER SERVER %I OWNER TO %s', name, caller);
	IF credentials IS NOT NULL THEN
		PERFORM automation._set_credentials(automation._own_channel(caller, name), credentials);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._create_channel(regrole, text, text, jsonb, jsonb) IS 'Body of automation.create_channel()';

CREATE FUNCTION automation.alter_channel(name text, options jsonb DEFAULT NULL, credentials jsonb DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.alter_channel(text, jsonb, jsonb) IS 'Sets options and credentials of a channel; null drops one, what is not named stays';

CREATE FUNCTION automation._alter_channel(caller regrole, name text, options jsonb, credentials jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	channel oid := automation._own_channel(caller, name);
	clause text := automation._option_list(
		options,
		ARRAY(SELECT jsonb_object_keys(c.options) FROM automation.channels AS c WHERE c.server = channel));
BEGIN
	IF clause <> '' THEN
		EXECUTE format('ALTER SERVER %I %s', name, clause);
	END IF;
	IF credentials IS NOT NULL THEN
		PERFORM automation._set_credentials(channel, credentials);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._alter_channel(regrole, text, jsonb, jsonb) IS 'Body of automation.alter_channel()';

CREATE FUNCTION automation.drop_channel(name text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_channel(text) IS 'Drops a channel with its credentials; what still waits for it ends dead';

CREATE FUNCTION automation._drop_channel(caller regrole, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	channel oid := automation._own_channel(caller, name);
	mapped text;
BEGIN
	FOR mapped IN
		SELECT CASE m.umuser WHEN 0 THEN 'PUBLIC' ELSE m.umuser::regrole::text END
		FROM pg_user_mapping AS m
		WHERE m.umserver = channel
	LOOP
		EXECUTE format('DROP USER MAPPING FOR %s SERVER %I', mapped, name);
	END LOOP;
	EXECUTE format('DROP SERVER %I', name);
	DELETE FROM automation.channel_state AS s WHERE s.server = channel;
	DELETE FROM automation.breaker AS b WHERE b.server = channel;
END
$$;
COMMENT ON FUNCTION automation._drop_channel(regrole, text) IS 'Body of automation.drop_channel()';

CREATE FUNCTION automation.pause_channel(name text, reason text DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.pause_channel(text, text) IS 'Holds everything that goes through a channel until resume_channel()';

CREATE FUNCTION automation._pause_channel(caller regrole, name text, reason text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	INSERT INTO automation.channel_state (server, called, reason)
	VALUES (automation._channel(name), name, coalesce(reason, 'paused by ' || caller))
	ON CONFLICT ON CONSTRAINT channel_state_pkey DO UPDATE SET reason = excluded.reason;
END
$$;
COMMENT ON FUNCTION automation._pause_channel(regrole, text, text) IS 'Body of automation.pause_channel()';

CREATE FUNCTION automation.resume_channel(name text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.resume_channel(text) IS 'Ends pause_channel(); what was held goes out';

CREATE FUNCTION automation._resume_channel(caller regrole, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM automation.channel_state AS s WHERE s.server = automation._channel(name);
	PERFORM automation._wake_worker();
END
$$;
COMMENT ON FUNCTION automation._resume_channel(regrole, text) IS 'Body of automation.resume_channel()';
