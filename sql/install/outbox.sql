-- The outbox: what the engine hands to the worker, and what became of it.
--
--                     ┌───────────────────────────────────────────────┐
--                     ▼                                               │ due
--   delivery ──> attempt (outcome null: in flight) ──> delivered      │
--   (written        │                             ──> retry ──────> automation.retry
--    with the       │                             ──> dead, cancelled   ▲
--    CRM change)    └─ the worker ended ────────────> unknown ──────────┘ but for an SMS, which may
--                                                                         not be sent twice
--
-- Writers only insert into delivery; the worker only inserts attempts, settles each of them once, and
-- inserts and deletes retries. No column that is ever updated is in an index.

CREATE TABLE automation.delivery (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL,
	txid xid8 NOT NULL,
	run_id bigint,
	step smallint,
	rule_owner oid NOT NULL,
	server oid NOT NULL,
	channel text NOT NULL,
	kind text NOT NULL,
	recipient text,
	priority smallint NOT NULL DEFAULT 1,
	message jsonb NOT NULL,
	watched smallint[]
);
CREATE INDEX delivery_lane ON automation.delivery (server, priority, txid, id);
COMMENT ON TABLE automation.delivery IS 'Finished messages on their way out';
COMMENT ON COLUMN automation.delivery.id IS 'Number of the delivery';
COMMENT ON COLUMN automation.delivery.at IS 'When the rule fired';
COMMENT ON COLUMN automation.delivery.txid IS 'Transaction that wrote it: by this the worker finds it, however late the transaction commits; 0: a batch has held it, and automation.retry leads to it';
COMMENT ON COLUMN automation.delivery.run_id IS 'Run that made it';
COMMENT ON COLUMN automation.delivery.step IS 'Step of the run, counted from 1';
COMMENT ON COLUMN automation.delivery.rule_owner IS 'In whose name it is sent: his credentials are used, and he needs USAGE on the channel';
COMMENT ON COLUMN automation.delivery.server IS 'Foreign server that is the channel; 0: it is held with its transaction, see automation.batch';
COMMENT ON COLUMN automation.delivery.channel IS 'Its name at the time';
COMMENT ON COLUMN automation.delivery.kind IS 'sms, email or webhook';
COMMENT ON COLUMN automation.delivery.recipient IS 'Where to: phone number, e-mail address, or path below the channel''s URL';
COMMENT ON COLUMN automation.delivery.priority IS '0: emergency, 1: transactional, 2: marketing; what has a lower number goes first';
COMMENT ON COLUMN automation.delivery.message IS 'Text and whatever else the kind of channel needs';
COMMENT ON COLUMN automation.delivery.watched IS 'Columns of the row whose change cancels it: no attempt begins after that; null: none';

CREATE TABLE automation.attempt (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	delivery_id bigint NOT NULL,
	number smallint NOT NULL,
	epoch bigint NOT NULL,
	started_at timestamptz NOT NULL DEFAULT automation._now(),
	finished_at timestamptz,
	outcome text CHECK (outcome IN (
		'delivered', 'retry', 'dead', 'unknown', 'expired', 'cancelled', 'suppressed', 'simulated')),
	status_code integer,
	reason text,
	response text,
	retry_at timestamptz
) WITH (fillfactor = 50);
CREATE INDEX attempt_delivery ON automation.attempt (delivery_id, id);
COMMENT ON TABLE automation.attempt IS 'Each try to send a delivery: committed before the first byte leaves, settled after the answer';
COMMENT ON COLUMN automation.attempt.id IS 'Number of the attempt';
COMMENT ON COLUMN automation.attempt.delivery_id IS 'What was to be sent';
COMMENT ON COLUMN automation.attempt.number IS 'Counted from 1 for each delivery';
COMMENT ON COLUMN automation.attempt.epoch IS 'Which start of the worker it belongs to';
COMMENT ON COLUMN automation.attempt.started_at IS 'When it was claimed';
COMMENT ON COLUMN automation.attempt.finished_at IS 'When the answer came, or the wait for it ended';
COMMENT ON COLUMN automation.attempt.outcome IS 'delivered, retry, dead, unknown or expired; null while it is in flight; cancelled, suppressed or simulated, and expired: it was not even begun';
COMMENT ON COLUMN automation.attempt.status_code IS 'HTTP status or SMTP reply code';
COMMENT ON COLUMN automation.attempt.reason IS 'Why it was not delivered';
COMMENT ON COLUMN automation.attempt.response IS 'Beginning of the answer, without the channel''s secrets';
COMMENT ON COLUMN automation.attempt.retry_at IS 'When the next attempt is due';

CREATE TABLE automation.retry (
	delivery_id bigint PRIMARY KEY,
	server oid NOT NULL,
	priority smallint NOT NULL DEFAULT 1,
	due_at timestamptz,
	reason text
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0);
CREATE INDEX retry_due ON automation.retry (server, priority, due_at);
COMMENT ON TABLE automation.retry IS 'Deliveries that wait: for another attempt, for the one before them, for a limit of their recipient''s';
COMMENT ON COLUMN automation.retry.delivery_id IS 'The delivery';
COMMENT ON COLUMN automation.retry.server IS 'Its channel';
COMMENT ON COLUMN automation.retry.priority IS 'Its priority';
COMMENT ON COLUMN automation.retry.due_at IS 'Not before; null: when the one before it in automation.queue has ended';
COMMENT ON COLUMN automation.retry.reason IS 'Why it waits; null: its last attempt says so';

CREATE TABLE automation.recalled (
	delivery_id bigint PRIMARY KEY,
	reason text NOT NULL
);
COMMENT ON TABLE automation.recalled IS 'Deliveries that somebody has called back: the worker cancels what it has not begun to send';
COMMENT ON COLUMN automation.recalled.delivery_id IS 'The delivery';
COMMENT ON COLUMN automation.recalled.reason IS 'By whom';

CREATE TABLE automation.lane (
	server oid NOT NULL,
	priority smallint NOT NULL,
	seen pg_snapshot NOT NULL,
	until pg_snapshot,
	txid xid8 NOT NULL,
	id bigint NOT NULL,
	limited_by text,
	PRIMARY KEY (server, priority)
) WITH (fillfactor = 20);
COMMENT ON TABLE automation.lane IS 'How far the worker has come with the new deliveries of each channel and priority, saved now and then';
COMMENT ON COLUMN automation.lane.server IS 'The channel';
COMMENT ON COLUMN automation.lane.priority IS 'Priority of the deliveries';
COMMENT ON COLUMN automation.lane.seen IS 'Deliveries of all transactions visible in this snapshot have been claimed';
COMMENT ON COLUMN automation.lane.until IS 'It is about to claim those that became visible up to this one';
COMMENT ON COLUMN automation.lane.txid IS 'Of those, it has come to this transaction';
COMMENT ON COLUMN automation.lane.id IS 'And to this delivery of it';
COMMENT ON COLUMN automation.lane.limited_by IS 'Why those that are ready have to wait; null: they do not';

CREATE TABLE automation.worker (
	singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	identity uuid NOT NULL DEFAULT gen_random_uuid(),
	epoch bigint NOT NULL DEFAULT 0,
	settled_below bigint NOT NULL DEFAULT 0,
	discarded_below bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO automation.worker DEFAULT VALUES;
COMMENT ON TABLE automation.worker IS 'What the worker of this database remembers from one start to the next';
COMMENT ON COLUMN automation.worker.singleton IS 'There is one row';
COMMENT ON COLUMN automation.worker.identity IS 'Makes the ids that receivers see unique in the world';
COMMENT ON COLUMN automation.worker.epoch IS 'Counts its starts';
COMMENT ON COLUMN automation.worker.settled_below IS 'All attempts below this number have an outcome';
COMMENT ON COLUMN automation.worker.discarded_below IS 'No attempt is made for deliveries below this number any more';

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OF identity, discarded_below OR DELETE OR TRUNCATE ON automation.worker
FOR EACH STATEMENT EXECUTE FUNCTION automation._table_changed();
ALTER TABLE automation.worker ENABLE ALWAYS TRIGGER pg_automation_changed;

CREATE TABLE automation.channel_state (
	server oid PRIMARY KEY,
	called text NOT NULL,
	paused_at timestamptz NOT NULL DEFAULT automation._now(),
	reason text
);
COMMENT ON TABLE automation.channel_state IS 'Channels that are paused';
COMMENT ON COLUMN automation.channel_state.server IS 'The channel';
COMMENT ON COLUMN automation.channel_state.called IS 'Its name at the time';
COMMENT ON COLUMN automation.channel_state.paused_at IS 'Since when';
COMMENT ON COLUMN automation.channel_state.reason IS 'Why';

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.channel_state
FOR EACH STATEMENT EXECUTE FUNCTION automation._table_changed();
ALTER TABLE automation.channel_state ENABLE ALWAYS TRIGGER pg_automation_changed;

CREATE TABLE automation.breaker (
	server oid PRIMARY KEY,
	openings integer NOT NULL,
	until timestamptz NOT NULL,
	reason text NOT NULL
);
COMMENT ON TABLE automation.breaker IS 'Channels that have failed so often in a row that they are left alone for a while';
COMMENT ON COLUMN automation.breaker.server IS 'The channel';
COMMENT ON COLUMN automation.breaker.openings IS 'How often in a row that has happened; the pauses grow';
COMMENT ON COLUMN automation.breaker.until IS 'Then one attempt shows whether it is back';
COMMENT ON COLUMN automation.breaker.reason IS 'The last failure';

CREATE FUNCTION automation._erased_message() RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN '{"erased": true}'::jsonb;
COMMENT ON FUNCTION automation._erased_message() IS 'What stands in automation.delivery.message when that has been erased';

-- What users read

CREATE FUNCTION automation._delivery_state(attempted boolean, outcome text, planned boolean, held boolean) RETURNS text
LANGUAGE C IMMUTABLE AS 'MODULE_PATHNAME', 'automation_delivery_state';
COMMENT ON FUNCTION automation._delivery_state(boolean, text, boolean, boolean)
	IS 'State of a delivery with that outcome of its last attempt, another one planned or not, on a channel that is held or not';

CREATE FUNCTION automation._may_send_again(state text) RETURNS boolean
LANGUAGE C IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'automation_may_send_again';
COMMENT ON FUNCTION automation._may_send_again(text) IS 'Whether somebody may have a delivery of that state sent again';

CREATE FUNCTION automation._sms_segments(body text) RETURNS integer
LANGUAGE C IMMUTABLE STRICT AS 'MODULE_PATHNAME', 'automation_sms_segments';
COMMENT ON FUNCTION automation._sms_segments(text) IS 'In how many parts a text goes out, each of which is paid for; negative: it needs UCS-2';

CREATE FUNCTION automation.sms_segments(body text, OUT segments integer, OUT encoding text)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT abs(s.count), CASE WHEN s.count > 0 THEN 'GSM-7' ELSE 'UCS-2' END
	FROM (SELECT automation._sms_segments(body)) AS s(count)
	WHERE s.count IS NOT NULL;
END;
COMMENT ON FUNCTION automation.sms_segments(text)
	IS 'In how many segments a text message goes out, each of which is paid for, and why: one character outside of GSM-7 makes it UCS-2';

CREATE VIEW automation._delivery_now AS
SELECT
	d.id,
	d.at,
	d.run_id,
	d.step,
	d.channel,
	d.kind,
	CASE d.kind
		WHEN 'sms' THEN regexp_replace(d.recipient, '^(.{2}).*(.{4})$', '\1******\2')
		WHEN 'email' THEN regexp_replace(d.recipient, '^(.).*@', '\1***@')
		ELSE d.recipient
	END AS recipient,
	CASE WHEN c.delivery_id IS NOT NULL THEN 'cancelled' ELSE automation._delivery_state(a.id IS NOT NULL, a.outcome, r.delivery_id IS NOT NULL,
		s.server IS NOT NULL OR d.server = 0 OR current_setting('pg_automation.delivery', true) IS NOT DISTINCT FROM 'off'
			OR (SELECT automation._is_copy())) END AS state,
	coalesce(a.number, 0) AS attempts,
	coalesce(c.reason, r.reason, a.reason, CASE WHEN a.id IS NULL THEN coalesce(s.reason, l.limited_by, CASE WHEN d.server = 0 THEN 'held with its transaction' END) END) AS reason,
	a.status_code,
	r.due_at AS next_at,
	a.finished_at AS last_at,
	CASE WHEN d.kind = 'sms' THEN abs(automation._sms_segments(d.message ->> 'body')) END AS segments,
	d.rule_owner
FROM automation.delivery AS d
LEFT JOIN LATERAL (
	SELECT l.id, l.number, l.outcome, l.reason, l.status_code, l.finished_at
	FROM automation.attempt AS l
	WHERE l.delivery_id = d.id
	ORDER BY l.id DESC
	LIMIT 1
) AS a ON true
LEFT JOIN automation.retry AS r ON r.delivery_id = d.id
-- What was sent in the very moment, or has been ended since, is what it is.
LEFT JOIN automation.recalled AS c ON c.delivery_id = d.id AND (a.id IS NULL OR r.delivery_id IS NOT NULL AND a.outcome IS NOT NULL)
LEFT JOIN automation.channel_state AS s ON s.server = d.server
LEFT JOIN automation.lane AS l ON l.server = d.server AND l.priority = d.priority;
COMMENT ON VIEW automation._delivery_now IS 'How deliveries stand now; without a look at their runs, which would cost as much again';

CREATE VIEW automation._delivery AS
SELECT n.*, r.name AS rule
FROM automation._delivery_now AS n
LEFT JOIN automation.run AS u ON u.id = n.run_id
LEFT JOIN automation.rule AS r ON r.id = u.rule_id;
COMMENT ON VIEW automation._delivery IS 'automation.deliveries, with those of everybody''s rules';

-- A function in the reader's query that is called before WHERE sees nothing but numbers of rows that
-- are not his. A security barrier would do that, too, and have all messages read for the last twenty.

CREATE VIEW automation.deliveries AS
SELECT
	v.id,
	CASE WHEN m.may THEN v.at END AS at,
	CASE WHEN m.may THEN v.rule END AS rule,
	CASE WHEN m.may THEN v.run_id END AS run_id,
	CASE WHEN m.may THEN v.step END AS step,
	CASE WHEN m.may THEN v.channel END AS channel,
	CASE WHEN m.may THEN v.kind END AS kind,
	CASE WHEN m.may THEN v.recipient END AS recipient,
	CASE WHEN m.may THEN v.state END AS state,
	CASE WHEN m.may THEN v.attempts END AS attempts,
	CASE WHEN m.may THEN v.reason END AS reason,
	CASE WHEN m.may THEN v.status_code END AS status_code,
	CASE WHEN m.may THEN v.next_at END AS next_at,
	CASE WHEN m.may THEN v.last_at END AS last_at,
	CASE WHEN m.may THEN v.segments END AS segments
FROM automation._delivery AS v
CROSS JOIN (SELECT automation._is_operator(quote_ident(current_user)::regrole) AS everything OFFSET 0) AS reader
CROSS JOIN LATERAL (SELECT reader.everything OR pg_has_role(v.rule_owner, 'USAGE') AS may) AS m
WHERE m.may;
COMMENT ON VIEW automation.deliveries IS 'Messages and what has become of them: of rules of your own and of roles you are a member of, or of all rules for an operator; addresses are masked';
COMMENT ON COLUMN automation.deliveries.state IS 'ready, delivering, delivered, retrying, held, cancelled, suppressed, expired, simulated, dead or unknown (sent perhaps, and not repeated)';
COMMENT ON COLUMN automation.deliveries.reason IS 'Why the last attempt did not deliver it, or why there has been none yet';
COMMENT ON COLUMN automation.deliveries.next_at IS 'When the next attempt is due';
COMMENT ON COLUMN automation.deliveries.segments IS 'Parts that a text message goes out in, each of which is paid for';
COMMENT ON COLUMN automation.deliveries.id IS 'Number of the delivery, for retry()';
COMMENT ON COLUMN automation.deliveries.at IS 'When its run fired';
COMMENT ON COLUMN automation.deliveries.rule IS 'What the rule is called';
COMMENT ON COLUMN automation.deliveries.run_id IS 'Run whose message it is';
COMMENT ON COLUMN automation.deliveries.step IS 'Step of that run';
COMMENT ON COLUMN automation.deliveries.channel IS 'What the channel was called then';
COMMENT ON COLUMN automation.deliveries.kind IS 'sms, email or webhook';
COMMENT ON COLUMN automation.deliveries.recipient IS 'Where it goes, masked';
COMMENT ON COLUMN automation.deliveries.attempts IS 'How many attempts there have been';
COMMENT ON COLUMN automation.deliveries.status_code IS 'HTTP status or SMTP reply code of the last attempt';
COMMENT ON COLUMN automation.deliveries.last_at IS 'When the last attempt ended';

CREATE VIEW automation.attempts AS
SELECT
	a.id,
	CASE WHEN m.may THEN a.delivery_id END AS delivery_id,
	CASE WHEN m.may THEN d.channel END AS channel,
	CASE WHEN m.may THEN a.number END AS number,
	CASE WHEN m.may THEN a.started_at END AS started_at,
	CASE WHEN m.may THEN a.finished_at END AS finished_at,
	CASE WHEN m.may THEN coalesce(a.outcome, 'delivering') END AS outcome,
	CASE WHEN m.may THEN a.status_code END AS status_code,
	CASE WHEN m.may THEN a.reason END AS reason,
	CASE WHEN m.may THEN a.retry_at END AS retry_at
FROM automation.attempt AS a
JOIN automation.delivery AS d ON d.id = a.delivery_id
CROSS JOIN (SELECT automation._is_operator(quote_ident(current_user)::regrole) AS everything OFFSET 0) AS reader
CROSS JOIN LATERAL (SELECT reader.everything OR pg_has_role(d.rule_owner, 'USAGE') AS may) AS m
WHERE m.may;
COMMENT ON VIEW automation.attempts IS 'Each try to send one of automation.deliveries';
COMMENT ON COLUMN automation.attempts.id IS 'Number of the attempt';

-- Calls to the worker; they count when the transaction commits.

CREATE FUNCTION automation._wake_worker() RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_wake_worker';
COMMENT ON FUNCTION automation._wake_worker() IS 'Makes the worker of this database, should there be one, look at what is to be done once this transaction commits';

CREATE FUNCTION automation._mind_locks() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	SELECT pg_advisory_xact_lock_shared(28775, 1);
END;
COMMENT ON FUNCTION automation._mind_locks() IS 'Until this transaction ends, the worker claims no message that it has locked; waits for the claim that is under way, if there is one';

CREATE FUNCTION automation._require_worker() RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_require_worker';
COMMENT ON FUNCTION automation._require_worker() IS 'Raises an error unless the library is preloaded: without it nothing can be sent';

CREATE FUNCTION automation._wake_launcher() RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_wake_launcher';
COMMENT ON FUNCTION automation._wake_launcher() IS 'Makes the launcher ask all databases for the extension once this transaction commits';

CREATE FUNCTION automation._discard_deliveries() RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	-- Other ids than those of the database that was copied: to receivers, these are other messages.
	UPDATE automation.worker
	SET identity = gen_random_uuid(), discarded_below = coalesce((SELECT max(d.id) + 1 FROM automation.delivery AS d), 0);
END;
COMMENT ON FUNCTION automation._discard_deliveries() IS 'What is on its way will be cancelled when the worker comes to it';

CREATE FUNCTION automation._end_lost(deliveries bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	dropped CONSTANT text := 'its channel has been dropped';
	unsent CONSTANT bigint[] := ARRAY(
		SELECT d FROM unnest(deliveries) AS d
		WHERE NOT EXISTS (SELECT FROM automation.attempt AS a WHERE a.delivery_id = d)
			OR EXISTS (SELECT FROM automation.retry AS r WHERE r.delivery_id = d));
BEGIN
	UPDATE automation.attempt AS a SET outcome = 'unknown', reason = dropped, finished_at = automation._now()
	WHERE a.delivery_id = ANY (deliveries) AND a.outcome IS NULL;
	DELETE FROM automation.retry AS r WHERE r.delivery_id = ANY (unsent);
	PERFORM automation._suppress(unsent, 'cancelled', dropped);
	PERFORM automation._delivered(array_agg(d.run_id), array_agg(d.step))
	FROM automation.delivery AS d WHERE d.id = ANY (deliveries);
END
$$;
COMMENT ON FUNCTION automation._end_lost(bigint[]) IS 'Ends messages whose channel nobody knows any more; of one that was in flight it is unknown whether it has arrived';

CREATE FUNCTION automation._follow_channels() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	paused automation.channel_state[];
	lost bigint[];
BEGIN
	PERFORM automation._follow_receipts();
	-- In another cluster, to which pg_upgrade has brought the data, servers have other numbers, and an old one may be that of
	-- another server now.
	WITH moved AS (
		UPDATE automation.delivery AS d
		SET server = coalesce((SELECT s.oid FROM pg_foreign_server AS s WHERE s.srvname = d.channel), 0)
		WHERE NOT EXISTS (
				SELECT FROM automation.attempt AS a
				WHERE a.delivery_id = d.id AND a.outcome IN ('delivered', 'cancelled', 'suppressed'))
			-- What a batch holds it goes on holding.
			AND NOT (d.server = 0 AND EXISTS (
				SELECT FROM automation.batch AS b WHERE b.txid = d.txid AND d.at <= b.at AND b.state IN ('held', 'releasing')))
		RETURNING d.id, d.server
	)
	SELECT array_agg(m.id) INTO lost FROM moved AS m WHERE m.server = 0;
	PERFORM automation._end_lost(lost);
	UPDATE automation.retry AS r SET server = d.server FROM automation.delivery AS d WHERE d.id = r.delivery_id;
	UPDATE automation.queue AS q
	SET server = coalesce((SELECT s.oid FROM pg_foreign_server AS s WHERE s.srvname = d.channel), 0)
	FROM automation.delivery AS d WHERE d.id = q.delivery_id;
	DELETE FROM automation.lane;
	DELETE FROM automation.breaker;
	WITH gone AS (DELETE FROM automation.channel_state AS c RETURNING c) SELECT array_agg(g.c) INTO paused FROM gone AS g;
	INSERT INTO automation.channel_state (server, called, paused_at, reason)
	SELECT s.oid, p.called, p.paused_at, p.reason
	FROM unnest(paused) AS p JOIN pg_foreign_server AS s ON s.srvname = p.called;
END
$$;
COMMENT ON FUNCTION automation._follow_channels() IS 'Finds the channels of what is on its way, and those that are paused, again by their names';

-- Verbs

CREATE FUNCTION automation.retry(delivery bigint) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.retry(bigint) IS 'Sends a delivery again that is dead, unknown or waiting for its next attempt';

CREATE FUNCTION automation._retry(caller regrole, delivery bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	message automation.delivery := (SELECT d FROM automation.delivery AS d WHERE d.id = delivery);
	state text;
	copy record;
BEGIN
	SELECT * INTO copy FROM automation._copy_warning();
	IF copy.message IS NOT NULL THEN
		PERFORM automation._fail('55000', copy.message, copy.detail, copy.hint);
	ELSIF message.id IS NULL THEN
		PERFORM automation._fail('42704', format('delivery %s does not exist', delivery));
	ELSIF (SELECT d.message = automation._erased_message() FROM automation.delivery AS d WHERE d.id = delivery) THEN
		PERFORM automation._fail('55000', format('the message of delivery %s has been erased', delivery));
	END IF;
	DELETE FROM automation.retry AS r WHERE r.delivery_id = delivery; -- waits for the worker, who may be claiming it
	state := (SELECT d.state FROM automation._delivery_now AS d WHERE d.id = delivery);
	IF NOT automation._may_send_again(state) THEN
		PERFORM automation._fail('55000', format('delivery %s %s', delivery, CASE state
			WHEN 'delivered' THEN 'is already delivered'
			WHEN 'delivering' THEN 'is being delivered'
			WHEN 'cancelled' THEN 'is cancelled'
			WHEN 'suppressed' THEN 'is suppressed'
			ELSE 'has not been attempted yet' END));
	ELSIF NOT EXISTS (SELECT FROM pg_foreign_server AS s WHERE s.oid = message.server) THEN
		PERFORM automation._fail('55000', format('the channel of delivery %s has been dropped', delivery));
	END IF;
	INSERT INTO automation.retry (delivery_id, server, priority, due_at)
	VALUES (delivery, message.server, message.priority, automation._now())
	ON CONFLICT ON CONSTRAINT retry_pkey DO NOTHING;
	PERFORM automation._require_worker(), automation._wake_worker();
END
$$;
COMMENT ON FUNCTION automation._retry(regrole, bigint) IS 'Body of automation.retry()';

CREATE FUNCTION automation.replay(filter jsonb DEFAULT '{}', most integer DEFAULT 1000, dry_run boolean DEFAULT false)
RETURNS SETOF bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.replay(jsonb, integer, boolean)
	IS 'Sends again what has ended without being delivered, the oldest first, and answers the deliveries; filter: channel, rule, state (dead), since, until, reason (a pattern of LIKE); dry_run: only answers';

CREATE FUNCTION automation._replay(caller regrole, filter jsonb, most integer, dry_run boolean) RETURNS SETOF bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	wanted text := coalesce(filter ->> 'state', 'dead');
	bad text := (
		SELECT min(k.name) FROM jsonb_object_keys(filter) AS k(name)
		WHERE k.name <> ALL ('{channel,rule,state,since,until,reason}'));
	ids bigint[];
BEGIN
	IF bad IS NOT NULL THEN
		PERFORM automation._fail('22023', format('unrecognized key "%s" in filter', bad),
			hint => 'Valid keys are: channel, rule, state, since, until, reason.');
	ELSIF NOT automation._may_send_again(wanted) THEN
		PERFORM automation._fail('22023', format('deliveries that are %s cannot be sent again', wanted),
			hint => 'Valid states are: dead, unknown, expired, simulated, retrying.');
	ELSIF (most BETWEEN 1 AND 100000) IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'most must be between 1 and 100000');
	END IF;
	ids := ARRAY(
		SELECT d.id
		FROM automation._delivery AS d
		WHERE d.state = wanted
			AND NOT EXISTS (
				SELECT FROM automation.delivery AS m WHERE m.id = d.id AND m.message = automation._erased_message())
			AND (filter ->> 'channel' IS NULL OR d.channel = filter ->> 'channel')
			AND (filter ->> 'rule' IS NULL OR d.rule = filter ->> 'rule')
			AND (filter ->> 'since' IS NULL OR d.at >= (filter ->> 'since')::timestamptz)
			AND (filter ->> 'until' IS NULL OR d.at < (filter ->> 'until')::timestamptz)
			AND (filter ->> 'reason' IS NULL OR d.reason LIKE filter ->> 'reason')
		ORDER BY d.id LIMIT most);
	IF NOT dry_run THEN
		PERFORM automation._retry(caller, i.id) FROM unnest(ids) AS i(id);
	END IF;
	RETURN QUERY SELECT i.id FROM unnest(ids) AS i(id);
END
$$;
COMMENT ON FUNCTION automation._replay(regrole, jsonb, integer, boolean) IS 'Body of automation.replay()';

SELECT automation._wake_launcher();
