-- What is probably wrong with the way steps take: decisions, and what asks for them. And lint() itself.

CREATE VIEW automation._decider AS
SELECT r.id AS rule_id, r.name AS rule, r.relation, s.place, s.step ->> 'action' AS action, s.step ->> 'condition' AS condition, s.step -> 'params' AS params,
	d.decision,
	ARRAY(SELECT w FROM unnest(d.ways) AS w WHERE (s.step #>> ARRAY['params', 'weights', w])::numeric IS DISTINCT FROM 0) AS arms
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
CROSS JOIN LATERAL jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
CROSS JOIN LATERAL automation._decided_by(s.step) AS d
WHERE r.state <> 'disabled';
COMMENT ON VIEW automation._decider IS 'Steps of rules; of those that decide, what they decide and which ways there are';

CREATE VIEW automation._asking AS
SELECT f.rule_id, f.place, a.decision, a.arm, a.is_needed
FROM automation._decider AS f
CROSS JOIN LATERAL automation._asked(f.condition) AS a;
COMMENT ON VIEW automation._asking IS 'Decisions that the conditions of steps ask for';

CREATE VIEW automation._way_to AS
WITH RECURSIVE flow AS MATERIALIZED (
	SELECT f.* FROM automation._decider AS f WHERE f.decision IS NOT NULL
), ask AS MATERIALIZED (
	SELECT a.* FROM automation._asking AS a WHERE a.is_needed
), need AS (
	SELECT a.rule_id, a.place, a.decision, a.arm FROM ask AS a
	UNION
	-- A decision within an arm is only made on that way.
	SELECT n.rule_id, n.place, a.decision, a.arm
	FROM need AS n
	JOIN flow AS f ON f.rule_id = n.rule_id AND f.decision = n.decision
	JOIN ask AS a ON a.rule_id = f.rule_id AND a.place = f.place
)
SELECT n.* FROM need AS n;
COMMENT ON VIEW automation._way_to IS 'Ways that a run must have gone to come to a step';

CREATE FUNCTION automation._lint_flow() RETURNS TABLE (rule_id integer, finding text, detail text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH flow AS MATERIALIZED (
		SELECT f.* FROM automation._decider AS f
	), ask AS MATERIALIZED (
		SELECT a.* FROM automation._asking AS a
	), need AS MATERIALIZED (
		SELECT n.* FROM automation._way_to AS n
	), arm AS MATERIALIZED (
		-- What is asked for in the negative, or among others, asks for every way.
		SELECT f.rule_id, f.place, f.action, f.decision, w.arm, EXISTS (
			SELECT FROM ask AS a
			WHERE a.rule_id = f.rule_id AND a.decision = f.decision AND (a.arm = w.arm OR NOT a.is_needed)
		) AS is_asked
		FROM flow AS f CROSS JOIN LATERAL unnest(f.arms) AS w(arm)
	), decided AS (
		SELECT a.rule_id, a.place, a.action, a.decision,
			array_agg(a.arm) FILTER (WHERE a.is_asked) AS asked, array_agg(a.arm ORDER BY a.arm) FILTER (WHERE NOT a.is_asked) AS idle
		FROM arm AS a
		GROUP BY a.rule_id, a.place, a.action, a.decision
	)
	SELECT a.rule_id, 'unreachable step', format('step %s wants the way "%s" of "%s", which has no other than %s', a.place, a.arm, a.decision,
		(SELECT string_agg(format('"%s"', w), ', ') FROM unnest(f.arms) AS w))
	FROM ask AS a
	JOIN flow AS f ON f.rule_id = a.rule_id AND f.decision = a.decision
	WHERE a.arm <> ALL (f.arms)
	UNION ALL
	SELECT a.rule_id, 'unreachable step', format('step %s comes after "%s" and after "%s" of "%s", of which a run goes one', a.place, a.arm, b.arm, a.decision)
	FROM need AS a
	JOIN need AS b ON b.rule_id = a.rule_id AND b.place = a.place AND b.decision = a.decision AND b.arm > a.arm
	UNION ALL
	SELECT d.rule_id, 'unused decision', format('step %s decides "%s", and no step asks for it', d.place, d.decision)
	FROM decided AS d
	WHERE d.asked IS NULL AND d.action <> 'wait_until'
	UNION ALL
	SELECT d.rule_id, 'unused arm', format('step %s may go the way "%s" of "%s", and no step asks for it', d.place, w.arm, d.decision)
	FROM decided AS d
	CROSS JOIN LATERAL unnest(d.idle) AS w(arm)
	WHERE d.asked IS NOT NULL AND d.action = 'split'
	UNION ALL
	SELECT d.rule_id, 'missing otherwise', CASE d.action
		WHEN 'branch' THEN format('step %s: when "%s" does not hold, nothing is done', d.place, d.decision)
		ELSE format('step %s: when "%s" does not come to hold in time, nothing is done', d.place, d.decision) END
	FROM decided AS d
	WHERE d.asked IS NOT NULL AND d.idle && '{else,timed out}' AND d.action <> 'split' AND NOT EXISTS (
		-- A step behind it that comes either way.
		SELECT FROM flow AS f
		WHERE f.rule_id = d.rule_id AND f.place > d.place
			AND NOT EXISTS (SELECT FROM ask AS a WHERE a.rule_id = f.rule_id AND a.place = f.place AND a.decision = d.decision)
			AND NOT EXISTS (SELECT FROM need AS n WHERE n.rule_id = f.rule_id AND n.place = f.place AND (n.decision = d.decision
				OR EXISTS (SELECT FROM need AS o WHERE o.rule_id = d.rule_id AND o.place = d.place AND o.decision = n.decision AND o.arm <> n.arm))))
	UNION ALL
	SELECT f.rule_id, 'missing class', format('step %s: %s names no class of message, and so goes out as %s', f.place, f.action, a.message_class)
	FROM flow AS f
	JOIN automation.action_definition AS a ON a.name = f.action
	WHERE a.channel_kind IN ('sms', 'email') AND a.params -> 'properties' ? 'class' AND NOT f.params ? 'class';
END;
COMMENT ON FUNCTION automation._lint_flow() IS 'Steps that no run comes to, decisions for nothing, messages of which nobody has said what consent they need';

CREATE VIEW automation._advice AS
SELECT f.* FROM (VALUES
	('cycle', 'error', 'Have one of them ask for what the others do not write, or let it run only once.'),
	('unreachable', 'error', 'Take one of the two conditions away.'),
	('unreachable step', 'error', 'Ask for a way that the run can go, or take the step away.'),
	('cannot run', 'error', 'Mend what is missing, then store the rule again with automation.alter_rule().'),
	('two writers', 'warning', 'Make one rule of them, or see that the later one is meant to win.'),
	('shadowed', 'warning', 'Give the two conditions that exclude each other, or drop one of the rules.'),
	('superuser', 'warning', 'Let a role own it that may do no more than the rule has to.'),
	('missing fallback', 'warning', 'Write {{ ... | default: "..." }}.'),
	('unused decision', 'warning', 'Put what is to depend on it into automation.in_arm(), or take the decision away.'),
	('unused arm', 'notice', 'This is right for a hold-out. Otherwise put its steps into automation.in_arm().'),
	('missing otherwise', 'notice', 'Say what is done then, or give the steps the condition with automation.only_if().'),
	('missing class', 'notice', 'Say "class": "marketing" for what people have to agree to, "transactional" for what they wait for.'),
	('never cancelled', 'notice', 'Name the columns whose change makes it pointless in cancel_if_changed, or say cancel_when.')
) AS f (finding, severity, hint);
COMMENT ON VIEW automation._advice IS 'What lint() may find, how bad it is, and what helps';

CREATE FUNCTION automation.lint(rule text DEFAULT NULL)
RETURNS TABLE (rule_name text, severity text, finding text, detail text, hint text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.lint(text)
	IS 'What is probably wrong with rules: cycle, unreachable, unreachable step, cannot run, shadowed, two writers, missing fallback, superuser, unused decision, unused arm, missing otherwise, missing class, never cancelled';

CREATE FUNCTION automation._lint(caller regrole, rule text)
RETURNS TABLE (rule_name text, severity text, finding text, detail text, hint text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
	IF rule IS NOT NULL THEN
		PERFORM automation._rule(rule);
	END IF;
	RETURN QUERY
	SELECT r.name, k.severity, f.finding, f.detail, k.hint
	FROM (
		SELECT c.* FROM automation._lint_cycles() AS c
		UNION ALL SELECT c.* FROM automation._lint_conditions() AS c
		UNION ALL SELECT c.* FROM automation._lint_steps() AS c
		UNION ALL SELECT c.* FROM automation._lint_flow() AS c
	) AS f
	JOIN automation._advice AS k ON k.finding = f.finding
	JOIN automation.rule AS r ON r.id = f.rule_id
	WHERE _lint.rule IS NULL OR r.name = _lint.rule OR f.finding = 'cycle' AND strpos(f.detail, '"' || _lint.rule || '"') > 0
	ORDER BY r.position, r.id, f.finding, f.detail;
END
$$;
COMMENT ON FUNCTION automation._lint(regrole, text) IS 'automation.lint()';
