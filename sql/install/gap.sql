-- What should have happened and has not: automation.audit_gaps(). On a healthy system it answers nothing. What is
-- held on purpose (a copy, a paused channel or rule, a limit) is no gap.

CREATE TYPE automation._gap AS (gap text, subject text, since timestamptz, detail text);
COMMENT ON TYPE automation._gap IS 'One row of automation.audit_gaps()';

CREATE FUNCTION automation._overdue_steps(before timestamptz) RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'step not taken'::text, format('rule "%s", %s %s', r.name, r.relation, p.key), p.due_at,
		format('Step %s of run %s is due; its row may be locked, or no tick() runs.', p.step, coalesce(p.run_id, p.id))
	FROM automation.pending AS p
	JOIN automation.rule AS r ON r.id = p.rule_id
	WHERE p.due_at < before AND p.parked_at IS NULL AND NOT automation._is_copy();
END;
COMMENT ON FUNCTION automation._overdue_steps(timestamptz) IS 'Steps that were due before then and have not been taken';

CREATE FUNCTION automation._lost_steps(before timestamptz) RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'step lost'::text, format('run %s, step %s', u.id, e.step -> 'step'), u.at,
		'The log says that it waits, but nothing is planned.'::text
	FROM automation.run AS u
	CROSS JOIN LATERAL jsonb_array_elements(u.steps) AS e(step)
	WHERE e.step ->> 'status' = 'waiting' AND u.at < before
		AND NOT EXISTS (SELECT FROM automation.step_run AS s WHERE s.run_id = u.id AND s.step = (e.step -> 'step')::smallint)
		AND NOT EXISTS (
			SELECT FROM automation.pending AS p
			WHERE p.entity_id = u.entity_id AND p.key = u.key AND p.run_id = u.id AND p.step = (e.step -> 'step')::smallint);
END;
COMMENT ON FUNCTION automation._lost_steps(timestamptz) IS 'Steps that wait for nothing';

CREATE FUNCTION automation._orphaned_plans() RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'plan of nothing'::text, format('pending %s', p.id), p.due_at,
		CASE WHEN v.rule_id IS NULL THEN format('Version %s of rule #%s does not exist.', p.version, p.rule_id)
			ELSE format('Run %s does not exist.', p.run_id) END
	FROM automation.pending AS p
	LEFT JOIN automation.rule_version AS v ON v.rule_id = p.rule_id AND v.version = p.version
	LEFT JOIN automation.run AS u ON u.id = p.run_id
	WHERE v.rule_id IS NULL OR p.run_id IS NOT NULL AND u.id IS NULL;
END;
COMMENT ON FUNCTION automation._orphaned_plans() IS 'Planned steps of runs or rules that are not there';

CREATE FUNCTION automation._unclaimed_messages(before timestamptz) RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'message not claimed'::text, format('channel "%s"', s.channel), u.oldest, format('%s messages wait for a first attempt.', u.many)
	FROM automation.stats AS s
	JOIN automation.channels AS c ON c.name = s.channel
	LEFT JOIN automation.lane AS l ON l.server = c.server
	CROSS JOIN LATERAL automation._unclaimed(c.server) AS u
	WHERE u.oldest < before AND s.state = 'active' AND l.limited_by IS NULL
		AND current_setting('pg_automation.delivery', true) IS DISTINCT FROM 'off' AND NOT automation._is_copy();
END;
COMMENT ON FUNCTION automation._unclaimed_messages(timestamptz) IS 'Channels that have left messages lying';

CREATE FUNCTION automation._unsettled_attempts(before timestamptz) RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'attempt without outcome'::text, format('delivery %s, attempt %s', a.delivery_id, a.number), a.started_at,
		CASE WHEN a.epoch < w.epoch THEN 'It was made by an earlier worker.'
			ELSE 'It takes longer than pg_automation.request_timeout allows.' END
	FROM automation.worker AS w
	JOIN automation.attempt AS a ON a.id >= w.settled_below
	WHERE a.outcome IS NULL AND (a.epoch < w.epoch AND a.started_at < before
		OR a.started_at < before - coalesce(current_setting('pg_automation.request_timeout', true), '30s')::interval);
END;
COMMENT ON FUNCTION automation._unsettled_attempts(timestamptz) IS 'Attempts that nobody has recorded the end of';

CREATE FUNCTION automation._overdue_retries(before timestamptz) RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'retry not made'::text, format('delivery %s, channel "%s"', r.delivery_id, c.name), r.due_at, 'Another attempt is due.'::text
	FROM automation.retry AS r
	JOIN automation.channels AS c ON c.server = r.server
	LEFT JOIN automation.lane AS l ON l.server = c.server
	WHERE r.due_at < before AND c.state = 'active' AND l.limited_by IS NULL
		AND current_setting('pg_automation.delivery', true) IS DISTINCT FROM 'off' AND NOT automation._is_copy();
END;
COMMENT ON FUNCTION automation._overdue_retries(timestamptz) IS 'Further attempts that were due before then and have not been made';

CREATE FUNCTION automation._forgotten_messages() RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'message forgotten'::text, format('delivery %s', l.delivery_id), l.finished_at,
		'Its last attempt was to be repeated, but no further one is planned.'::text
	FROM (
		SELECT DISTINCT ON (a.delivery_id) a.delivery_id, a.finished_at, a.retry_at
		FROM automation.attempt AS a
		WHERE a.delivery_id IN (SELECT p.delivery_id FROM automation.attempt AS p WHERE p.retry_at IS NOT NULL)
		ORDER BY a.delivery_id, a.id DESC
	) AS l
	WHERE l.retry_at IS NOT NULL
		AND NOT EXISTS (SELECT FROM automation.retry AS r WHERE r.delivery_id = l.delivery_id);
END;
COMMENT ON FUNCTION automation._forgotten_messages() IS 'Messages that are neither waiting nor at their end';

CREATE FUNCTION automation._orphaned_deliveries() RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'message of no run'::text, format('delivery %s', d.id), d.at, format('Run %s does not exist.', d.run_id)
	FROM automation.delivery AS d
	WHERE d.run_id IS NOT NULL AND NOT EXISTS (SELECT FROM automation.run AS u WHERE u.id = d.run_id)
	UNION ALL
	SELECT 'attempt of nothing', format('attempt %s', a.id), a.started_at, format('Delivery %s does not exist.', a.delivery_id)
	FROM automation.attempt AS a
	WHERE NOT EXISTS (SELECT FROM automation.delivery AS d WHERE d.id = a.delivery_id)
	UNION ALL
	SELECT 'retry of nothing', format('delivery %s', r.delivery_id), r.due_at, 'The delivery does not exist.'
	FROM automation.retry AS r
	WHERE NOT EXISTS (SELECT FROM automation.delivery AS d WHERE d.id = r.delivery_id);
END;
COMMENT ON FUNCTION automation._orphaned_deliveries() IS 'Rows of the outbox that belong to nothing';

CREATE FUNCTION automation._unseen_tables() RETURNS SETOF automation._gap
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT 'changes go unseen'::text, u.relation::text, NULL::timestamptz, format('Remedy: %s', u.remedy)
	FROM automation._unseen() AS u;
END;
COMMENT ON FUNCTION automation._unseen_tables() IS 'Attached tables without a trigger of ours that fires';

CREATE FUNCTION automation._undecided_events(before timestamptz) RETURNS SETOF automation._gap
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	considered record;
BEGIN
	-- Only what a rule that is as it was then, and looks at nothing but the changed row, says of a change that no rule made.
	FOR considered IN
		SELECT e AS event, r AS rule
		FROM automation.event AS e
		JOIN automation.entity AS n ON n.id = e.entity_id
		JOIN automation.rule AS r ON r.event_relation = n.relation AND r.relation = n.relation AND r.state = 'active'
		JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
		WHERE e.cause IS NULL AND e.at < before AND v.created_at < e.at AND v.evaluate = 'row' AND v.timing IS NULL AND NOT v.is_standing
			AND automation._event_verb(e.event) = ANY (v.events)
			AND NOT EXISTS (SELECT FROM automation.hold AS h WHERE h.entity_id = e.entity_id AND h.key = e.key)
			-- What a bulk has set off is held, or was discarded or skipped; its batch is of the same instant.
			AND r.on_bulk IS DISTINCT FROM 'skip' AND NOT EXISTS (SELECT FROM automation.batch AS b WHERE b.at = e.at)
			AND NOT EXISTS (SELECT FROM automation.event AS o WHERE o.entity_id = e.entity_id AND o.key = e.key AND o.id > e.id)
			AND NOT EXISTS (
				SELECT FROM automation.run AS u
				WHERE u.entity_id = e.entity_id AND u.key = e.key AND u.rule_id = r.id AND u.id > e.id)
		ORDER BY e.id
	LOOP
		IF NOT EXISTS (
			SELECT FROM automation._judged(considered.rule,
				automation._compiled(automation._rule_function((considered.rule).id, (considered.rule).version, 'when')),
				(considered.event).old_row, (considered.event).new_row) AS j
			WHERE j.holds IS NOT TRUE)
		THEN
			RETURN NEXT ROW('event without a run', format('rule "%s", %s %s', (considered.rule).name, (considered.rule).relation, (considered.event).key),
				(considered.event).at, format('Event %s of the journal fulfils its condition.', (considered.event).id))::automation._gap;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._undecided_events(timestamptz)
	IS 'Of the journal: last changes of rows that fulfil the condition of an active rule which has no run for them';

CREATE FUNCTION automation.audit_gaps(grace interval DEFAULT '2 minutes')
RETURNS TABLE (gap text, subject text, since timestamptz, detail text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.audit_gaps(interval)
	IS 'What should have happened and has not, later than the grace allows; no rows: nothing is amiss. Reads the whole log: for a nightly look, not for every scrape';

CREATE FUNCTION automation._audit_gaps(caller regrole, grace interval)
RETURNS TABLE (gap text, subject text, since timestamptz, detail text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	before timestamptz := automation._now() - grace;
BEGIN
	IF grace IS NULL OR grace < interval '0' THEN
		PERFORM automation._fail('22023', 'grace must not be negative');
	END IF;
	RETURN QUERY
	SELECT g.* FROM automation._overdue_steps(before) AS g
	UNION ALL SELECT g.* FROM automation._lost_steps(before) AS g
	UNION ALL SELECT g.* FROM automation._orphaned_plans() AS g
	UNION ALL SELECT g.* FROM automation._unclaimed_messages(before) AS g
	UNION ALL SELECT g.* FROM automation._unsettled_attempts(before) AS g
	UNION ALL SELECT g.* FROM automation._overdue_retries(before) AS g
	UNION ALL SELECT g.* FROM automation._forgotten_messages() AS g
	UNION ALL SELECT g.* FROM automation._orphaned_deliveries() AS g
	UNION ALL SELECT g.* FROM automation._unseen_tables() AS g
	UNION ALL SELECT g.* FROM automation._undecided_events(before) AS g
	ORDER BY 3 NULLS FIRST;
END
$$;
COMMENT ON FUNCTION automation._audit_gaps(regrole, interval) IS 'automation.audit_gaps()';
