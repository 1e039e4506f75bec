-- Experiments: which way of a split leads to success, and whether that is more than chance.

CREATE TABLE automation.experiment (
	name text PRIMARY KEY CHECK (name ~ '\S'),
	rule_id integer NOT NULL REFERENCES automation.rule ON DELETE CASCADE,
	decision text NOT NULL,
	success text NOT NULL,
	period interval NOT NULL,
	succeeded_at text,
	control text NOT NULL,
	created_by regrole NOT NULL,
	created_at timestamptz NOT NULL DEFAULT automation._now(),
	ended_at timestamptz,
	promoted text
);
COMMENT ON TABLE automation.experiment IS 'What is measured of the ways of a split';
COMMENT ON COLUMN automation.experiment.name IS 'What users call it';
COMMENT ON COLUMN automation.experiment.rule_id IS 'The rule with the split';
COMMENT ON COLUMN automation.experiment.decision IS 'The split';
COMMENT ON COLUMN automation.experiment.success IS 'Condition on the record';
COMMENT ON COLUMN automation.experiment.period IS 'How long after the run it is judged';
COMMENT ON COLUMN automation.experiment.succeeded_at IS 'Column that tells when it succeeded, which counts within the period only; null: it counts when the report is made';
COMMENT ON COLUMN automation.experiment.control IS 'The way that the others are compared with';
COMMENT ON COLUMN automation.experiment.created_by IS 'Who made it';
COMMENT ON COLUMN automation.experiment.created_at IS 'When; runs before do not count';
COMMENT ON COLUMN automation.experiment.ended_at IS 'When a way was promoted; runs after it do not count';
COMMENT ON COLUMN automation.experiment.promoted IS 'The way that the rule goes since then';

CREATE VIEW automation.experiments AS
SELECT x.name, r.name AS rule, r.relation, x.decision, x.success, x.period, x.succeeded_at, x.control, x.created_by, x.created_at, x.ended_at, x.promoted
FROM automation.experiment AS x
JOIN automation.rule AS r ON r.id = x.rule_id;
COMMENT ON VIEW automation.experiments IS 'What is measured of the ways of splits: experiment_report() tells the result';
COMMENT ON COLUMN automation.experiments.name IS 'What users call it';
COMMENT ON COLUMN automation.experiments.rule IS 'The rule with the split';
COMMENT ON COLUMN automation.experiments.relation IS 'Table of the records';
COMMENT ON COLUMN automation.experiments.created_by IS 'Who made it';
COMMENT ON COLUMN automation.experiments.decision IS 'The split';
COMMENT ON COLUMN automation.experiments.success IS 'Condition on the record';
COMMENT ON COLUMN automation.experiments.period IS 'How long after the run it is judged';
COMMENT ON COLUMN automation.experiments.succeeded_at IS 'Column that tells when it succeeded';
COMMENT ON COLUMN automation.experiments.control IS 'The way that the others are compared with';
COMMENT ON COLUMN automation.experiments.created_at IS 'When it was made; runs before do not count';
COMMENT ON COLUMN automation.experiments.ended_at IS 'When a way was promoted; runs after it do not count';
COMMENT ON COLUMN automation.experiments.promoted IS 'The way that the rule goes since then';

-- Statistics

CREATE FUNCTION automation._erfc(x double precision) RETURNS double precision
LANGUAGE sql IMMUTABLE STRICT
-- Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26, for x >= 0: off by 1.5e-7 at most.
-- PostgreSQL 16 is the first to have erfc().
RETURN (
	SELECT t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * exp(-least(x * x, 700))
	FROM (SELECT 1 / (1 + 0.3275911 * x)) AS s(t)
);
COMMENT ON FUNCTION automation._erfc(double precision) IS 'Complementary error function of a number that is not negative';

CREATE FUNCTION automation._two_proportions(
	successes bigint,
	runs bigint,
	other_successes bigint,
	other_runs bigint,
	OUT difference double precision,
	OUT low double precision,
	OUT high double precision,
	OUT p_value double precision)
LANGUAGE sql IMMUTABLE STRICT
-- NIST/SEMATECH e-Handbook of Statistical Methods, 7.3.3: the z-test with the pooled proportion, two-sided.
-- The interval is that of the difference, each proportion with its own variance; 1.96: 95 %.
BEGIN ATOMIC
	SELECT p.other - p.one,
		p.other - p.one - 1.959964 * p.spread,
		p.other - p.one + 1.959964 * p.spread,
		CASE WHEN p.pooled > 0 AND p.pooled < 1
			THEN automation._erfc(abs(p.other - p.one) / sqrt(p.pooled * (1 - p.pooled) * (1.0 / runs + 1.0 / other_runs)) / sqrt(2)) END
	FROM (
		SELECT q.one, q.other, (successes + other_successes)::double precision / (runs + other_runs) AS pooled,
			sqrt(q.one * (1 - q.one) / runs + q.other * (1 - q.other) / other_runs) AS spread
		FROM (SELECT successes::double precision / runs, other_successes::double precision / other_runs) AS q(one, other)
	) AS p
	WHERE runs > 0 AND other_runs > 0;
END;
COMMENT ON FUNCTION automation._two_proportions(bigint, bigint, bigint, bigint) IS 'How much more often the other one succeeds, between which limits, and how likely so great a difference is by chance';

-- Measuring

CREATE FUNCTION automation._verdict(
	successes bigint,
	runs bigint,
	other_successes bigint,
	other_runs bigint,
	p_value double precision,
	comparisons bigint,
	OUT verdict text,
	OUT needed bigint)
LANGUAGE sql IMMUTABLE
-- Of several ways one is better by chance more easily: Bonferroni divides the 5 % among them. Under five
-- successes or failures the normal distribution that the test supposes is far away (NIST, 7.2.4.1).
-- 7.849 = (1.95996 + 0.84162)^2: what it takes to find such a difference four times out of five.
BEGIN ATOMIC
	SELECT CASE
			WHEN p.least_successes IS NULL OR p.least_successes < 5 THEN 'too few'
			WHEN p_value < 0.05 / comparisons THEN CASE WHEN p.other > p.one THEN 'better' ELSE 'worse' END
			ELSE 'not significant'
		END,
		CASE WHEN (p_value < 0.05 / comparisons) IS NOT TRUE AND p.other <> p.one
			THEN ceil(7.849 * (p.one * (1 - p.one) + p.other * (1 - p.other)) / (p.other - p.one) ^ 2)::bigint END
	FROM (
		SELECT q.one, q.other, least(q.pooled, 1 - q.pooled) * least(runs, other_runs) AS least_successes
		FROM (SELECT successes::double precision / nullif(runs, 0), other_successes::double precision / nullif(other_runs, 0),
			(successes + other_successes)::double precision / nullif(runs + other_runs, 0)) AS q(one, other, pooled)
	) AS p;
END;
COMMENT ON FUNCTION automation._verdict(bigint, bigint, bigint, bigint, double precision, bigint)
	IS 'What the test comes to: better, worse, not significant or too few; and how many records each way it would take to tell';

-- Measuring

CREATE FUNCTION automation._weights(rule_id integer, decision text, OUT weights jsonb, OUT version integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.step #> '{params,weights}', v.version
	FROM automation.rule_version AS v, jsonb_array_elements(v.steps) AS s(step)
	WHERE v.rule_id = _weights.rule_id AND s.step ->> 'action' = 'split' AND s.step #>> '{params,decision}' = _weights.decision
	ORDER BY v.version DESC
	LIMIT 1;
END;
COMMENT ON FUNCTION automation._weights(integer, text) IS 'The ways of a split, how many go each, and the last version of the rule that has it';

CREATE FUNCTION automation._success_query(rule automation.rule, experiment automation.experiment) RETURNS text
LANGUAGE sql STABLE
RETURN (
	SELECT format('SELECT pg_catalog.jsonb_object_agg(c.arm, c.successes) FROM (SELECT m.item ->> ''arm'' AS arm, pg_catalog.count(*) AS successes '
		'FROM pg_catalog.jsonb_array_elements($1) AS m (item), LATERAL pg_catalog.jsonb_to_record(m.item -> ''key'') AS k (%s), %s AS new '
		'WHERE %s AND (%s) IS TRUE%s GROUP BY 1) AS c',
		k.definitions, rule.relation, k.matches,
		automation._condition_sql(automation._scope(rule.relation, rule.owner, '{insert}'), experiment.success),
		CASE WHEN experiment.succeeded_at IS NOT NULL THEN format(
			' AND new.%I BETWEEN (m.item ->> ''began'')::pg_catalog.timestamptz AND (m.item ->> ''ended'')::pg_catalog.timestamptz', experiment.succeeded_at) ELSE '' END)
	FROM automation._key_sql(rule.relation, automation._key(rule.relation), 'new') AS k
);
COMMENT ON FUNCTION automation._success_query(automation.rule, automation.experiment) IS 'Query for how many of the records in $1, each with its arm, have succeeded';

CREATE FUNCTION automation._assigned(rule automation.rule, experiment automation.experiment)
RETURNS TABLE (key text, arm text, began timestamptz)
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- The first run of each record: later ones go the same way, and would count it twice.
	SELECT DISTINCT ON (u.key) u.key, coalesce((
			SELECT s.step #>> '{result,arm}' FROM jsonb_array_elements(u.steps) AS s(step)
			WHERE s.step #>> '{result,decision}' = (experiment).decision
		), automation._arm(u.id, (experiment).decision)), u.at
	FROM automation.run AS u
	WHERE u.rule_id = (rule).id AND u.at >= (experiment).created_at AND u.at <= coalesce((experiment).ended_at, 'infinity') AND u.steps <> '[]'
	ORDER BY u.key, u.id;
END;
COMMENT ON FUNCTION automation._assigned(automation.rule, automation.experiment) IS 'Which way each record has gone, and since when';

-- Verbs

CREATE FUNCTION automation.create_experiment(
	name text,
	rule text,
	decision text,
	success text,
	period interval,
	succeeded_at text DEFAULT NULL,
	control text DEFAULT NULL)
RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_experiment(text, text, text, text, interval, text, text)
	IS 'Measures how the ways of a split of a rule succeed: success is a condition (SQL over new, or a JSON tree) on the record, judged when the period after the run is over; succeeded_at: the column with the time it did; control: the way to compare with, the first by default';

CREATE FUNCTION automation._create_experiment(caller regrole, name text, rule text, decision text, success text, period interval, succeeded_at text, control text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	measured CONSTANT automation.rule := automation._own_rule(caller, rule);
	weights CONSTANT jsonb := (SELECT w.weights FROM automation._weights(measured.id, decision) AS w WHERE w.version = measured.version);
	made CONSTANT automation.experiment := ROW(name, measured.id, decision, success, period,
		CASE WHEN succeeded_at IS NOT NULL THEN (automation._column(measured.owner, measured.relation, succeeded_at, 'SELECT')).attname END,
		coalesce(control, (SELECT min(w) FROM jsonb_object_keys(weights) AS w)), caller, automation._now(), NULL, NULL);
BEGIN
	IF weights IS NULL THEN
		PERFORM automation._fail('42704', format('rule "%s" has no split "%s"', rule, decision), hint => 'Give it one: automation.split(decision, weights).');
	ELSIF NOT weights ? made.control THEN
		PERFORM automation._fail('22023', format('split "%s" has no way "%s"', decision, control), format('Its ways are: %s.',
			automation._list(ARRAY(SELECT jsonb_object_keys(weights)))));
	ELSIF (period > interval '0') IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'period of an experiment must be positive');
	ELSIF success ~ '\S' IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'success of an experiment must be a condition');
	ELSIF EXISTS (SELECT FROM automation.experiment AS x WHERE x.name = made.name) THEN
		PERFORM automation._fail('42710', format('experiment "%s" already exists', name));
	END IF;
	-- What is wrong with the condition is wrong now.
	PERFORM automation._ask(measured.owner, automation._success_query(measured, made), '[]');
	INSERT INTO automation.experiment SELECT made.*;
END
$$;
COMMENT ON FUNCTION automation._create_experiment(regrole, text, text, text, text, interval, text, text) IS 'automation.create_experiment()';

CREATE FUNCTION automation._experiment(name text) RETURNS automation.experiment
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	experiment automation.experiment;
BEGIN
	SELECT x.* INTO experiment FROM automation.experiment AS x WHERE x.name = _experiment.name;
	IF NOT FOUND THEN
		PERFORM automation._no_such('experiment', name, ARRAY(SELECT x.name FROM automation.experiment AS x));
	END IF;
	RETURN experiment;
END
$$;
COMMENT ON FUNCTION automation._experiment(text) IS 'An experiment by its name';

CREATE FUNCTION automation.drop_experiment(name text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_experiment(text) IS 'Measures no more; the rule goes on';

CREATE FUNCTION automation._drop_experiment(caller regrole, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	dropped CONSTANT automation.experiment := automation._experiment(name);
BEGIN
	PERFORM automation._own_rule(caller, (SELECT r.name FROM automation.rule AS r WHERE r.id = dropped.rule_id));
	DELETE FROM automation.experiment AS x WHERE x.name = dropped.name;
END
$$;
COMMENT ON FUNCTION automation._drop_experiment(regrole, text) IS 'automation.drop_experiment()';

CREATE FUNCTION automation.experiment_report(name text)
RETURNS TABLE (arm text, runs bigint, still_open bigint, successes bigint, rate double precision,
	difference double precision, low double precision, high double precision, p_value double precision, verdict text, needed bigint)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.experiment_report(text)
	IS 'Of each way of an experiment, the control first: records whose period is over, those whose is not, how many succeeded; how much more often than the control, the limits of that (95 %), how likely so great a difference is by chance (two-proportion z-test), and what that comes to: better, worse, not significant, or too few; needed: records each way that would tell';

CREATE FUNCTION automation._experiment_report(caller regrole, name text)
RETURNS TABLE (arm text, runs bigint, still_open bigint, successes bigint, rate double precision,
	difference double precision, low double precision, high double precision, p_value double precision, verdict text, needed bigint)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	experiment CONSTANT automation.experiment := automation._experiment(name);
	rule automation.rule;
	judged jsonb; -- [{arm, key, began, ended}] of those whose period is over
	open jsonb;   -- how many others of each arm
	succeeded jsonb;
BEGIN
	SELECT r.* INTO rule FROM automation.rule AS r WHERE r.id = experiment.rule_id;
	PERFORM automation._check_reader(caller, rule.relation);
	SELECT coalesce(jsonb_agg(jsonb_build_object('arm', a.arm, 'key', automation._key_json(rule.relation, a.key), 'began', a.began,
			'ended', a.began + experiment.period)) FILTER (WHERE a.began + experiment.period <= automation._now()), '[]'),
		coalesce(jsonb_agg(a.arm) FILTER (WHERE a.began + experiment.period > automation._now()), '[]')
	INTO judged, open
	FROM automation._assigned(rule, experiment) AS a
	WHERE a.arm IS NOT NULL;
	succeeded := coalesce(automation._ask(rule.owner, automation._success_query(rule, experiment), judged), '{}');
	RETURN QUERY
	WITH arms AS MATERIALIZED (
		SELECT w.arm, w.arm = experiment.control AS is_control,
			(SELECT count(*) FROM jsonb_array_elements(judged) AS j(item) WHERE j.item ->> 'arm' = w.arm) AS runs,
			(SELECT count(*) FROM jsonb_array_elements_text(open) AS o(arm) WHERE o.arm = w.arm) AS still_open,
			coalesce((succeeded ->> w.arm)::bigint, 0) AS successes
		FROM jsonb_object_keys((automation._weights(rule.id, experiment.decision)).weights) AS w(arm)
	)
	SELECT a.arm, a.runs, a.still_open, a.successes, a.successes::double precision / nullif(a.runs, 0), t.difference, t.low, t.high, t.p_value,
		CASE WHEN a.is_control THEN 'control' ELSE v.verdict END, v.needed
	FROM arms AS a
	LEFT JOIN arms AS c ON c.is_control AND NOT a.is_control
	LEFT JOIN LATERAL automation._two_proportions(c.successes, c.runs, a.successes, a.runs) AS t ON true
	LEFT JOIN LATERAL automation._verdict(c.successes, c.runs, a.successes, a.runs, t.p_value, (SELECT count(*) - 1 FROM arms)) AS v ON NOT a.is_control
	ORDER BY a.is_control DESC, a.arm;
END
$$;
COMMENT ON FUNCTION automation._experiment_report(regrole, text) IS 'automation.experiment_report()';
