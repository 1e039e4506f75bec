-- What goes on: figures for monitoring. They are cheap to ask for: what the worker counts stands in shared
-- memory, and of the tables only what is not done yet is read.

CREATE FUNCTION automation._channel_figures()
RETURNS TABLE (server oid, delivered bigint, retried bigint, unknown bigint, dead bigint, expired bigint, milliseconds bigint)
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_channel_figures';
COMMENT ON FUNCTION automation._channel_figures()
	IS 'Attempts of each channel since the worker of this database began, by outcome, and their time in ms; server 0: channels beyond the 63rd';

CREATE FUNCTION automation._worker_figures()
RETURNS TABLE (since timestamptz, silent_ms bigint, in_flight bigint, turns bigint, failures bigint, steps bigint)
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_worker_figures';
COMMENT ON FUNCTION automation._worker_figures()
	IS 'The worker of this database: since when it runs, how long its loop has not gone round, requests under way, transactions for deliveries, those of all that failed, due steps taken; no row when there is none';

CREATE FUNCTION automation._unclaimed(server oid, OUT many bigint, OUT oldest timestamptz)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
-- Mostly there are few, whatever there is of the others: PostgreSQL is to know where they begin.
SET plan_cache_mode = force_custom_plan
AS $$
DECLARE
	seen pg_snapshot;
	found record;
BEGIN
	many := 0;
	FOR number IN 0..2 LOOP
		-- Beyond what the worker has claimed, as far as that was saved.
		seen := (SELECT l.seen FROM automation.lane AS l WHERE l.server = _unclaimed.server AND l.priority = number);
		SELECT count(*) AS many, min(d.at) AS oldest INTO found
		FROM automation.delivery AS d
		WHERE d.server = _unclaimed.server AND d.priority = number AND d.txid >= coalesce(pg_snapshot_xmin(seen), '0')
			AND pg_visible_in_snapshot(d.txid, seen) IS NOT TRUE
			AND NOT EXISTS (SELECT FROM automation.attempt AS a WHERE a.delivery_id = d.id)
			AND NOT EXISTS (SELECT FROM automation.retry AS r WHERE r.delivery_id = d.id);
		many := many + found.many;
		oldest := least(oldest, found.oldest);
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._unclaimed(oid) IS 'Messages of a channel that no attempt was made for yet, and when the oldest was made';

CREATE FUNCTION automation._awaiting_retry(server oid, OUT many bigint, OUT oldest timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT count(*), min(r.due_at) FROM automation.retry AS r WHERE r.server = _awaiting_retry.server;
END;
COMMENT ON FUNCTION automation._awaiting_retry(oid) IS 'Messages of a channel that wait for another attempt, and when the first is due';

CREATE VIEW automation.stats AS
SELECT
	c.name AS channel,
	c.kind,
	c.state,
	u.many AS ready,
	extract(epoch FROM automation._now() - u.oldest)::double precision AS oldest_ready_seconds,
	r.many AS retrying,
	CASE WHEN r.many > 0 THEN greatest(extract(epoch FROM automation._now() - r.oldest), 0) END::double precision AS overdue_seconds,
	coalesce(f.delivered, 0) AS delivered,
	coalesce(f.retried, 0) AS retried,
	coalesce(f.unknown, 0) AS unknown,
	coalesce(f.dead, 0) AS dead,
	coalesce(f.expired, 0) AS expired,
	f.milliseconds::double precision / nullif(f.delivered + f.retried + f.unknown + f.dead + f.expired, 0) AS mean_ms,
	w.since AS counted_since
FROM automation.channels AS c
CROSS JOIN LATERAL automation._unclaimed(c.server) AS u
CROSS JOIN LATERAL automation._awaiting_retry(c.server) AS r
LEFT JOIN automation._channel_figures() AS f ON f.server = c.server
LEFT JOIN automation._worker_figures() AS w ON true;
COMMENT ON VIEW automation.stats IS 'What goes through each channel: messages that wait now, and attempts by outcome since the worker began';
COMMENT ON COLUMN automation.stats.ready IS 'Messages that no attempt was made for yet';
COMMENT ON COLUMN automation.stats.oldest_ready_seconds IS 'How long the oldest of them has waited; null: there is none';
COMMENT ON COLUMN automation.stats.retrying IS 'Messages that wait for another attempt';
COMMENT ON COLUMN automation.stats.overdue_seconds IS 'How long the first of those has been due; null: there is none';
COMMENT ON COLUMN automation.stats.retried IS 'Attempts that failed and were to be repeated';
COMMENT ON COLUMN automation.stats.unknown IS 'Attempts that may have arrived';
COMMENT ON COLUMN automation.stats.mean_ms IS 'How long an attempt took on average, in milliseconds';
COMMENT ON COLUMN automation.stats.counted_since IS 'When the worker began to count; null: there is no worker';
COMMENT ON COLUMN automation.stats.channel IS 'What the channel is called';
COMMENT ON COLUMN automation.stats.kind IS 'sms, email or webhook';
COMMENT ON COLUMN automation.stats.delivered IS 'Attempts that delivered';
COMMENT ON COLUMN automation.stats.dead IS 'Attempts after which there was no use in another';
COMMENT ON COLUMN automation.stats.expired IS 'Messages whose time was over';

CREATE VIEW automation.metrics AS
SELECT
	(w.since IS NOT NULL)::integer AS worker_up,
	w.silent_ms / 1000.0::double precision AS worker_silent_seconds,
	coalesce(w.in_flight, 0) AS in_flight,
	coalesce(w.turns, 0) AS turns_total,
	coalesce(w.failures, 0) AS failures_total,
	coalesce(w.steps, 0) AS steps_total,
	pg_stat_get_live_tuples('automation.pending'::regclass) AS steps_waiting,
	coalesce(greatest(extract(epoch FROM automation._now() - (SELECT min(p.due_at) FROM automation.pending AS p)), 0), 0)::double precision AS step_overdue_seconds,
	s.ready AS deliveries_ready,
	coalesce(s.oldest_ready_seconds, 0) AS delivery_waiting_seconds,
	s.retrying AS deliveries_retrying,
	s.paused AS channels_paused,
	s.broken AS breakers_open,
	(SELECT count(*) FROM automation.rule AS r WHERE r.state = 'active') AS rules_active,
	(SELECT count(*) FROM automation.rules AS r WHERE NOT r.valid) AS rules_broken,
	automation._is_copy()::integer AS is_copy,
	(current_setting('pg_automation.delivery', true) IS DISTINCT FROM 'off')::integer AS delivery_on
FROM (
	SELECT coalesce(sum(c.ready), 0) AS ready, max(c.oldest_ready_seconds) AS oldest_ready_seconds,
		coalesce(sum(c.retrying), 0) AS retrying, count(*) FILTER (WHERE c.state = 'paused') AS paused,
		count(*) FILTER (WHERE c.state IN ('open', 'half open')) AS broken
	FROM automation.stats AS c
) AS s
LEFT JOIN automation._worker_figures() AS w ON true;
COMMENT ON VIEW automation.metrics IS 'One row of figures of the whole database for a monitoring system; docs/monitoring has queries for Prometheus, alerts and a dashboard';
COMMENT ON COLUMN automation.metrics.worker_up IS '1: a worker runs';
COMMENT ON COLUMN automation.metrics.worker_silent_seconds IS 'Since its loop last went round: more than a few seconds means that it hangs';
COMMENT ON COLUMN automation.metrics.in_flight IS 'Requests under way';
COMMENT ON COLUMN automation.metrics.turns_total IS 'Transactions in which the worker claimed or recorded deliveries, since it began';
COMMENT ON COLUMN automation.metrics.failures_total IS 'Transactions of the worker that failed, since it began';
COMMENT ON COLUMN automation.metrics.steps_total IS 'Due steps that the worker took, since it began';
COMMENT ON COLUMN automation.metrics.steps_waiting IS 'Steps that are planned, as PostgreSQL''s statistics have it';
COMMENT ON COLUMN automation.metrics.step_overdue_seconds IS 'How long the first step that is due has waited; 0: none is due';
COMMENT ON COLUMN automation.metrics.deliveries_ready IS 'Messages that no attempt was made for yet';
COMMENT ON COLUMN automation.metrics.delivery_waiting_seconds IS 'How long the oldest of them has waited; 0: there is none';
COMMENT ON COLUMN automation.metrics.deliveries_retrying IS 'Messages that wait for another attempt';
COMMENT ON COLUMN automation.metrics.channels_paused IS 'Channels that somebody, or a receiver''s 410, has paused';
COMMENT ON COLUMN automation.metrics.breakers_open IS 'Channels left alone because they failed too often in a row';
COMMENT ON COLUMN automation.metrics.rules_active IS 'Rules that fire';
COMMENT ON COLUMN automation.metrics.rules_broken IS 'Rules that cannot run';
COMMENT ON COLUMN automation.metrics.is_copy IS '1: this database is a copy that waits for automation.adopt()';
COMMENT ON COLUMN automation.metrics.delivery_on IS '0: pg_automation.delivery is off, nothing leaves';
