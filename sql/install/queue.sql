-- Order and caps: what is ready, and yet has to wait for another message, or for the recipient's sake.

CREATE TABLE automation.queue (
	delivery_id bigint PRIMARY KEY,
	server oid NOT NULL,
	priority smallint NOT NULL,
	entity_id integer NOT NULL,
	key text NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX queue_place ON automation.queue (server, priority, entity_id, key, delivery_id);
COMMENT ON TABLE automation.queue IS 'Deliveries whose rules ask for order, from the write until they end; of those of one row through one channel the first may begin';
COMMENT ON COLUMN automation.queue.delivery_id IS 'The delivery; the numbers tell the order';
COMMENT ON COLUMN automation.queue.server IS 'Its channel';
COMMENT ON COLUMN automation.queue.priority IS 'Its priority: one that is more urgent does not wait for the others';
COMMENT ON COLUMN automation.queue.entity_id IS 'Table of the row that it is about';
COMMENT ON COLUMN automation.queue.key IS 'The row''s key';

CREATE FUNCTION automation._advance(ended bigint[]) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	WITH gone AS (
		DELETE FROM automation.queue AS q WHERE q.delivery_id = ANY (ended)
		RETURNING q.delivery_id, q.server, q.priority, q.entity_id, q.key
	)
	UPDATE automation.retry AS r
	SET due_at = automation._now(), reason = NULL
	FROM gone AS g
	CROSS JOIN LATERAL (
		SELECT q.delivery_id
		FROM automation.queue AS q
		WHERE q.server = g.server AND q.priority = g.priority AND q.entity_id = g.entity_id AND q.key = g.key
			AND q.delivery_id > g.delivery_id AND q.delivery_id <> ALL (ended)
		ORDER BY q.delivery_id
		LIMIT 1
	) AS next
	WHERE r.delivery_id = next.delivery_id AND r.due_at IS NULL;
END;
COMMENT ON FUNCTION automation._advance(bigint[]) IS 'These have ended: those behind them may begin';

CREATE FUNCTION automation._tidy_queue() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM automation.queue AS q
	WHERE NOT EXISTS (SELECT FROM automation.delivery AS d WHERE d.id = q.delivery_id);
	UPDATE automation.retry AS r
	SET due_at = automation._now(), reason = NULL
	WHERE r.due_at IS NULL AND NOT EXISTS (
		SELECT FROM automation.queue AS q
		JOIN automation.queue AS b ON b.server = q.server AND b.priority = q.priority AND b.entity_id = q.entity_id
			AND b.key = q.key AND b.delivery_id < q.delivery_id
		WHERE q.delivery_id = r.delivery_id);
END;
COMMENT ON FUNCTION automation._tidy_queue() IS 'Lets begin what waits for something that somebody else than the worker has ended, or deleted, while the worker was looking';

-- Caps

CREATE TABLE automation.cap (
	name text PRIMARY KEY,
	most integer NOT NULL,
	per interval NOT NULL,
	class text,
	channel text,
	kind text,
	on_hit text NOT NULL
);
COMMENT ON TABLE automation.cap IS 'At most so many messages to one address in such a time';
COMMENT ON COLUMN automation.cap.name IS 'Name';
COMMENT ON COLUMN automation.cap.most IS 'So many';
COMMENT ON COLUMN automation.cap.per IS 'In any stretch of this length';
COMMENT ON COLUMN automation.cap.class IS 'Only messages of this class; null: of all but emergency and compliance';
COMMENT ON COLUMN automation.cap.channel IS 'Only those through this channel; null: through all together';
COMMENT ON COLUMN automation.cap.kind IS 'Only sms or email; null: both, each address by itself';
COMMENT ON COLUMN automation.cap.on_hit IS 'What becomes of one more: defer (it waits) or skip (it ends as suppressed)';

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.cap
FOR EACH STATEMENT EXECUTE FUNCTION automation._table_changed();
ALTER TABLE automation.cap ENABLE ALWAYS TRIGGER pg_automation_changed;

CREATE TABLE automation.sending (
	address bytea NOT NULL,
	at timestamptz NOT NULL DEFAULT automation._now(),
	class text NOT NULL,
	channel text NOT NULL
);
CREATE INDEX sending_address ON automation.sending (address, at);
COMMENT ON TABLE automation.sending IS 'First attempts that caps count; written while there are caps';
COMMENT ON COLUMN automation.sending.address IS 'Keyed hash of the phone number or e-mail address';
COMMENT ON COLUMN automation.sending.at IS 'When';
COMMENT ON COLUMN automation.sending.class IS 'Class of the message';
COMMENT ON COLUMN automation.sending.channel IS 'Channel it went through';

CREATE FUNCTION automation._cap_hit(
	kind text,
	channel text,
	class text,
	address bytea,
	OUT reason text,
	OUT free_at timestamptz)
LANGUAGE sql STABLE
-- Of several, one that leaves the message out; or else the one that lets it wait the longest.
BEGIN ATOMIC
	SELECT
		format('cap "%s": %s in %s to one address', c.name, c.most, c.per),
		CASE c.on_hit WHEN 'defer' THEN l.at + c.per END
	FROM automation.cap AS c
	CROSS JOIN LATERAL (
		SELECT s.at
		FROM automation.sending AS s
		WHERE s.address = _cap_hit.address AND s.at + c.per > automation._now()
			AND (c.class IS NULL OR s.class = c.class) AND (c.channel IS NULL OR s.channel = c.channel)
		ORDER BY s.at DESC
		OFFSET c.most - 1 LIMIT 1
	) AS l
	WHERE (c.class IS NULL OR c.class = _cap_hit.class) AND (c.channel IS NULL OR c.channel = _cap_hit.channel)
		AND (c.kind IS NULL OR c.kind = _cap_hit.kind)
	ORDER BY c.on_hit = 'skip' DESC, l.at + c.per DESC
	LIMIT 1;
END;
COMMENT ON FUNCTION automation._cap_hit(text, text, text, bytea) IS 'Which cap one more message to an address would exceed, if any, and until when; null: it may not wait';

CREATE FUNCTION automation._over_caps(deliveries bigint[]) RETURNS TABLE (delivery bigint, reason text, wait bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	message record;
	hit record;
BEGIN
	FOR message IN
		SELECT d.id, d.kind, d.channel, m.class, automation._address_hash(d.kind, d.recipient) AS address
		FROM unnest(deliveries) WITH ORDINALITY AS i(id, place)
		JOIN automation.delivery AS d ON d.id = i.id
		CROSS JOIN LATERAL (SELECT coalesce(d.message ->> 'class', 'transactional')) AS m(class)
		WHERE d.kind IN ('sms', 'email') AND m.class IN ('marketing', 'transactional')
		ORDER BY i.place
	LOOP
		SELECT h.* INTO hit FROM automation._cap_hit(message.kind, message.channel, message.class, message.address) AS h;
		IF hit.reason IS NULL THEN
			INSERT INTO automation.sending (address, class, channel) VALUES (message.address, message.class, message.channel);
		ELSE
			RETURN QUERY SELECT message.id, hit.reason,
				ceil(extract(epoch FROM hit.free_at - automation._now()) * 1000)::bigint;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._over_caps(bigint[])
	IS 'Counts messages that are about to be sent, and answers those that may not be: why, and for how many milliseconds; null: for ever';

CREATE FUNCTION automation._forget_sendings() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	DELETE FROM automation.sending AS s
	WHERE NOT EXISTS (SELECT FROM automation.cap AS c WHERE s.at + c.per > automation._now());
END;
COMMENT ON FUNCTION automation._forget_sendings() IS 'Forgets what no cap counts any more';

CREATE FUNCTION automation._check_cap(cap automation.cap) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF coalesce(trim(cap.name), '') = '' THEN
		PERFORM automation._fail('22023', 'name of the cap must not be empty');
	ELSIF EXISTS (SELECT FROM automation.cap AS c WHERE c.name = cap.name) THEN
		PERFORM automation._fail('42710', format('cap "%s" already exists', cap.name));
	ELSIF (cap.most BETWEEN 1 AND 1000) IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'most must be between 1 and 1000');
	ELSIF (cap.per BETWEEN '1 second' AND '366 days') IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'per must be between a second and 366 days');
	ELSIF cap.class NOT IN ('marketing', 'transactional') THEN
		PERFORM automation._fail('22023', format('there is no cap on messages of class "%s"', cap.class),
			hint => 'Valid values are: marketing, transactional; null for both.');
	ELSIF cap.kind NOT IN ('sms', 'email') THEN
		PERFORM automation._fail('22023', format('unrecognized kind of address: "%s"', cap.kind), hint => 'Valid values are: sms, email.');
	ELSIF (cap.on_hit IN ('defer', 'skip')) IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('unrecognized on_hit: "%s"', cap.on_hit), hint => 'Valid values are: defer, skip.');
	ELSIF cap.channel IS NOT NULL THEN
		PERFORM automation._channel(cap.channel);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_cap(automation.cap) IS 'Raises what is wrong with a cap';

CREATE VIEW automation.caps AS
SELECT c.name, c.most, c.per, c.class, c.channel, c.kind, c.on_hit
FROM automation.cap AS c;
COMMENT ON VIEW automation.caps IS 'How many messages one address may get in which time';

CREATE FUNCTION automation.create_cap(
	name text,
	most integer,
	per interval,
	class text DEFAULT NULL,
	channel text DEFAULT NULL,
	kind text DEFAULT NULL,
	on_hit text DEFAULT 'defer')
RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_cap(text, integer, interval, text, text, text, text)
	IS 'From now on one address gets at most so many messages in any stretch of that length: of a class, through a channel, of a kind (sms, email); null: all together. What is over it waits (defer) or is left out (skip). Emergency and compliance are free';

CREATE FUNCTION automation._create_cap(caller regrole, name text, most integer, per interval, class text, channel text, kind text, on_hit text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_cap(ROW(name, most, per, class, channel, kind, on_hit)::automation.cap);
	PERFORM automation._make_hash_key();
	INSERT INTO automation.cap VALUES (name, most, per, class, channel, kind, on_hit);
END
$$;
COMMENT ON FUNCTION automation._create_cap(regrole, text, integer, interval, text, text, text, text) IS 'automation.create_cap()';

CREATE FUNCTION automation.drop_cap(name text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_cap(text) IS 'Ends a cap; what waits for it goes out';

CREATE FUNCTION automation._drop_cap(caller regrole, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM automation.cap AS c WHERE c.name = _drop_cap.name;
	IF NOT FOUND THEN
		PERFORM automation._no_such('cap', name, ARRAY(SELECT c.name FROM automation.cap AS c));
	END IF;
	-- Those of other caps come to nothing but the same wait.
	UPDATE automation.retry AS r SET due_at = automation._now() WHERE r.reason IS NOT NULL AND r.due_at > automation._now();
	PERFORM automation._wake_worker();
END
$$;
COMMENT ON FUNCTION automation._drop_cap(regrole, text) IS 'automation.drop_cap()';
