-- What becomes of what a rule has planned when it says something else. Dates that it waits for are no runs
-- yet, and follow it; of runs that have begun whoever changes it says: they finish as they were, are
-- cancelled, or go on (migrate) with the steps of the new version.

CREATE TABLE automation.moved (
	run_id bigint NOT NULL,
	step smallint NOT NULL,
	version integer NOT NULL,
	becomes smallint NOT NULL,
	PRIMARY KEY (run_id, step, version)
);
COMMENT ON TABLE automation.moved IS 'Steps of runs that have another number since the run goes on with a later version';
COMMENT ON COLUMN automation.moved.run_id IS 'The run';
COMMENT ON COLUMN automation.moved.step IS 'What the step was';
COMMENT ON COLUMN automation.moved.version IS 'The version that the run went over to';
COMMENT ON COLUMN automation.moved.becomes IS 'What it is there';

CREATE FUNCTION automation._moved_to(run_id bigint, step smallint, OUT number smallint, OUT version integer)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	next record;
BEGIN
	number := step;
	LOOP
		SELECT m.becomes, m.version INTO next
		FROM automation.moved AS m
		WHERE m.run_id = _moved_to.run_id AND m.step = number AND m.version > coalesce(_moved_to.version, 0)
		ORDER BY m.version
		LIMIT 1;
		EXIT WHEN NOT FOUND;
		number := next.becomes;
		version := next.version;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._moved_to(bigint, smallint) IS 'What number a step of a run has now, and of which version if it has moved';

-- Dates

CREATE FUNCTION automation._replan(rule_id integer) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	-- Nothing has begun: there is nothing to be logged.
	DELETE FROM automation.pending AS p
	USING automation.rule AS r, automation.rule_version AS was, automation.rule_version AS now
	WHERE p.rule_id = _replan.rule_id AND p.step = 0 AND r.id = p.rule_id AND p.version < r.version
		AND was.rule_id = r.id AND was.version = p.version AND now.rule_id = r.id AND now.version = r.version
		AND (now.timing IS NULL OR was.event_relation <> now.event_relation OR (p.key = '') <> (now.timing ? 'cron'));
	-- One that waits for a date is reckoned anew, and due at once where that is past; any other one keeps its time.
	UPDATE automation.pending AS p
	SET version = r.version,
		due_at = CASE WHEN c.is_reckoned AND p.parked_at IS NULL THEN automation._now() ELSE p.due_at END,
		awaits = CASE WHEN c.is_reckoned THEN 'field' ELSE p.awaits END
	FROM automation.rule AS r, automation.rule_version AS was, automation.rule_version AS now,
		LATERAL (VALUES (now.is_standing AND (was.timing, was.trigger, was.params) IS DISTINCT FROM (now.timing, now.trigger, now.params))) AS c(is_reckoned)
	WHERE p.rule_id = _replan.rule_id AND p.step = 0 AND r.id = p.rule_id AND p.version < r.version
		AND was.rule_id = r.id AND was.version = p.version AND now.rule_id = r.id AND now.version = r.version;
END;
COMMENT ON FUNCTION automation._replan(integer) IS 'Has what waits to begin wait for what the rule says now';

-- Runs that have begun

CREATE FUNCTION automation._check_in_flight(in_flight text, step_map jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_choice('invalid value for in_flight', in_flight, 'finish', 'migrate', 'cancel');
	IF step_map IS NOT NULL AND in_flight <> 'migrate' THEN
		PERFORM automation._fail('22023', 'step_map needs in_flight => ''migrate''');
	ELSIF jsonb_typeof(step_map) <> 'object' OR EXISTS (
		SELECT FROM jsonb_each(step_map) AS m WHERE m.key !~ '^[0-9]{1,4}$' OR m.value::text !~ '^([0-9]{1,4}|null)$')
	THEN
		PERFORM automation._fail('22023', format('invalid value for step_map: %s', step_map),
			hint => 'Give the number of the new step for that of each old one, or null: {"2": 3, "3": null}.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_in_flight(text, jsonb) IS 'Raises an error unless the texts say what becomes of runs that have begun';

CREATE FUNCTION automation._successor(was jsonb, now jsonb, step integer) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN coalesce(
	(
		SELECT n.place
		FROM jsonb_array_elements(now) WITH ORDINALITY AS n(step, place)
		WHERE (n.step -> 'action', n.step -> 'params') = (was -> (_successor.step - 1) -> 'action', was -> (_successor.step - 1) -> 'params')
		ORDER BY abs(n.place - _successor.step), n.place
		LIMIT 1
	),
	CASE WHEN now -> (step - 1) -> 'action' = was -> (step - 1) -> 'action' THEN step END);
COMMENT ON FUNCTION automation._successor(jsonb, jsonb, integer)
	IS 'The step that goes on for another one, if nobody says which: one that does the same, the nearest; else the same action in the same place; or null';

CREATE TYPE automation._passage AS (
	place tid,
	run_id bigint,
	key text,
	due_at timestamptz,
	version integer,
	step integer,
	was jsonb,
	becomes integer,
	"is" jsonb
);
COMMENT ON TYPE automation._passage IS 'A step that waits, of a run of an earlier version of its rule, and the step that is to go on for it';

CREATE FUNCTION automation._in_flight(rule_id integer, step_map jsonb) RETURNS SETOF automation._passage
LANGUAGE sql
BEGIN ATOMIC
	SELECT p.place, p.run_id, p.key, p.due_at, p.version, p.step, was.steps -> (p.step - 1),
		CASE WHEN EXISTS (SELECT FROM automation.step_run AS t WHERE t.run_id = p.run_id AND t.step = s.becomes AND t.step <> p.step) THEN NULL
			WHEN now.steps -> (s.becomes - 1) -> 'timing' <> '{}' THEN s.becomes END,
		now.steps -> (s.becomes - 1)
	FROM (SELECT d.ctid AS place, d.* FROM automation.pending AS d WHERE d.rule_id = _in_flight.rule_id AND d.step > 0 FOR UPDATE) AS p
	JOIN automation.rule AS r ON r.id = p.rule_id AND p.version < r.version
	JOIN automation.rule_version AS was ON was.rule_id = p.rule_id AND was.version = p.version
	JOIN automation.rule_version AS now ON now.rule_id = r.id AND now.version = r.version
	CROSS JOIN LATERAL (
		SELECT CASE WHEN step_map ? p.step::text THEN (step_map ->> p.step::text)::integer
			ELSE automation._successor(was.steps, now.steps, p.step) END
	) AS s(becomes)
	ORDER BY p.due_at, p.id;
END;
COMMENT ON FUNCTION automation._in_flight(integer, jsonb) IS 'Steps of earlier versions that wait, and what goes on for each: null when nothing does, or that has been taken already';

CREATE FUNCTION automation._check_passage(name text, passage automation._passage) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	was CONSTANT jsonb := passage.was -> 'timing';
	timing CONSTANT jsonb := passage."is" -> 'timing';
BEGIN
	IF passage.becomes <> passage.step
		AND (was @> '{"after_previous": true}' OR timing @> '{"after_previous": true}' OR 'previous' IN (was ->> 'anchor', timing ->> 'anchor'))
	THEN
		PERFORM automation._fail('0A000', format('step %s of rule "%s" waits for the step before it, and cannot become another one', passage.step, name),
			hint => 'Map it to null, or let these runs finish.');
	ELSIF timing ->> 'cancel_mode' = 'differs'
		AND (timing -> 'cancel_mode', timing -> 'cancel_if_changed') IS DISTINCT FROM (was -> 'cancel_mode', was -> 'cancel_if_changed')
	THEN
		PERFORM automation._fail('0A000', format('step %s of rule "%s" would compare values that nobody has noted', passage.becomes, name),
			'It has another cancel_mode or other columns than the step that waits.', 'Map it to null, or let these runs finish.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_passage(text, automation._passage) IS 'Raises an error where a step cannot go on as another one';

-- What a step asks for must be known of the run, or be decided by a step that goes on too: else nobody would ever take it.

CREATE FUNCTION automation._may_take(run_id bigint, part oid, still_decided text[]) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(bool_and(coalesce(automation._arm(_may_take.run_id, a.decision) = a.arm, a.decision = ANY (still_decided))), true)
	FROM automation._asks(part) AS a;
END;
COMMENT ON FUNCTION automation._may_take(bigint, oid, text[]) IS 'Whether a run went, or may still go, every way that the condition of a step asks for';

CREATE FUNCTION automation._check_ways(rule automation.rule, passages automation._passage[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	lost record;
BEGIN
	SELECT p.run_id, p.becomes, a.decision, a.arm, automation._arm(p.run_id, a.decision) AS went, w.decision AS formerly INTO lost
	FROM (
		SELECT p.*, automation._rule_part(rule.id, p.version, 'if_' || p.step) AS asked, automation._rule_part(rule.id, rule.version, 'if_' || p.becomes) AS asks,
			array_remove(array_agg((automation._decided_by(p.was)).decision) OVER run, NULL) AS was_decided,
			array_remove(array_agg((automation._decided_by(p."is")).decision) FILTER (WHERE p.becomes IS NOT NULL) OVER run, NULL) AS is_decided
		FROM unnest(passages) AS p
		WINDOW run AS (PARTITION BY p.run_id)
	) AS p
	CROSS JOIN LATERAL automation._asks(p.asks) AS a
	LEFT JOIN LATERAL automation._asks(p.asked) AS w ON w.decision NOT IN (SELECT n.decision FROM automation._asks(p.asks) AS n)
	WHERE p.becomes IS NOT NULL AND automation._may_take(p.run_id, p.asked, p.was_decided) AND NOT automation._may_take(p.run_id, p.asks, p.is_decided)
		AND coalesce(automation._arm(p.run_id, a.decision) <> a.arm, a.decision <> ALL (p.is_decided))
	ORDER BY p.run_id, p.becomes
	LIMIT 1;
	IF lost.went IS NOT NULL THEN
		PERFORM automation._fail('0A000', format('run %s would lose step %s of rule "%s"', lost.run_id, lost.becomes, rule.name),
			format('The step is on the way "%s" of decision "%s", and the run went the way "%s".', lost.arm, lost.decision, lost.went),
			'Map it to null, or let these runs finish.');
	ELSIF lost.decision IS NOT NULL THEN
		PERFORM automation._fail('0A000', format('run %s would lose step %s of rule "%s"', lost.run_id, lost.becomes, rule.name),
			format('The step asks for a decision "%s" that the run has not made.', lost.decision),
			CASE WHEN lost.formerly IS NULL THEN 'Map' ELSE format('Name the decision as it was called, decision => %L; or map', lost.formerly) END || ' the step to null, or let these runs finish.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_ways(automation.rule, automation._passage[]) IS 'Raises an error where a step would go on that its run could not take, though it could before';

CREATE FUNCTION automation._migrate(passage automation._passage, version integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	timing CONSTANT jsonb := passage."is" -> 'timing';
	anchor CONSTANT text := coalesce(timing ->> 'anchor', 'trigger');
	waits_for_another CONSTANT boolean := anchor = 'previous' OR timing @> '{"after_previous": true}';
	is_as_it_was CONSTANT boolean := timing - '{cancel_if_changed,cancel_mode,cancel_when}'::text[]
		= (passage.was -> 'timing') - '{cancel_if_changed,cancel_mode,cancel_when}'::text[] OR waits_for_another;
BEGIN
	UPDATE automation.pending AS p
	SET version = _migrate.version, step = passage.becomes,
		due_at = CASE WHEN is_as_it_was OR p.parked_at IS NOT NULL THEN p.due_at ELSE automation._now() END,
		awaits = CASE WHEN is_as_it_was THEN p.awaits WHEN anchor = 'left' THEN 'leaving' WHEN anchor = 'entered' THEN 'entered'
			WHEN starts_with(anchor, 'field:') THEN 'field' ELSE 'trigger' END
	WHERE p.ctid = passage.place;
	IF passage.becomes <> passage.step THEN
		INSERT INTO automation.moved (run_id, step, version, becomes)
		VALUES (passage.run_id, passage.step, _migrate.version, passage.becomes);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._migrate(automation._passage, integer) IS 'Lets a step go on as one of a later version; when it is due, tick() reckons anew if that says otherwise';

CREATE FUNCTION automation._carry_over(rule_id integer, in_flight text, step_map jsonb)
RETURNS TABLE (run_id bigint, key text, step integer, action text, due_at timestamptz, effect text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	present CONSTANT automation.rule := (SELECT r FROM automation.rule AS r WHERE r.id = _carry_over.rule_id);
	now CONSTANT automation.rule_version := automation._version(present.id, present.version);
	bad text := (SELECT m.value FROM jsonb_each_text(step_map) AS m WHERE m.value::integer NOT BETWEEN 1 AND jsonb_array_length(now.steps) LIMIT 1);
	unknown CONSTANT text := (SELECT m.key FROM jsonb_object_keys(step_map) AS m(key) WHERE m.key::integer NOT BETWEEN 1 AND (
		SELECT max(jsonb_array_length(v.steps)) FROM automation.rule_version AS v WHERE v.rule_id = present.id AND v.version < present.version) LIMIT 1);
	-- All of them are looked at before any is moved: two may change places.
	passages CONSTANT automation._passage[] := ARRAY(SELECT f FROM automation._in_flight(present.id, step_map) AS f);
	passage automation._passage;
BEGIN
	IF bad IS NOT NULL THEN
		PERFORM automation._fail('22023', format('rule "%s" has no step %s', present.name, bad));
	ELSIF unknown IS NOT NULL THEN
		PERFORM automation._fail('22023', format('no earlier version of rule "%s" has a step %s', present.name, unknown));
	END IF;
	IF in_flight = 'migrate' THEN
		PERFORM automation._check_ways(present, passages);
	END IF;
	FOREACH passage IN ARRAY passages LOOP
		run_id := passage.run_id;
		key := passage.key;
		step := passage.step;
		action := passage.was ->> 'action';
		due_at := passage.due_at;
		IF in_flight = 'finish' THEN
			effect := 'finishes as it was';
		ELSIF in_flight = 'cancel' OR passage.becomes IS NULL THEN
			effect := 'is cancelled';
			PERFORM automation._cancel(passage.place, format('rule altered: version %s', present.version));
			PERFORM automation._follow(passage.run_id, passage.step::smallint);
		ELSE
			effect := format('goes on as step %s', passage.becomes);
			PERFORM automation._check_passage(present.name, passage), automation._migrate(passage, present.version);
		END IF;
		RETURN NEXT;
	END LOOP;
	PERFORM automation._drop_idle_versions(present.id);
END
$$;
COMMENT ON FUNCTION automation._carry_over(integer, text, jsonb) IS 'Does with runs of earlier versions what is wanted, and tells what';
