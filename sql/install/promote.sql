-- The end of an experiment: the rule goes the way that has won, and no other.

CREATE FUNCTION automation._is_one_group(inside text) RETURNS boolean
LANGUAGE sql IMMUTABLE
-- Literals and quoted names may hold anything; those with backslashes are left alone.
RETURN strpos(inside, '\') = 0 AND (
	SELECT coalesce(bool_and(d.depth >= 0), true)
	FROM (
		SELECT sum(CASE c.character WHEN '(' THEN 1 WHEN ')' THEN -1 ELSE 0 END) OVER (ORDER BY c.place)
		FROM regexp_split_to_table(regexp_replace(inside, '''[^'']*''|"[^"]*"', '', 'g'), '') WITH ORDINALITY AS c(character, place)
	) AS d(depth)
);
COMMENT ON FUNCTION automation._is_one_group(text) IS 'Whether parentheses around this are a pair';

CREATE FUNCTION automation._settled(condition text, decision text, arms text[], winner text) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tree jsonb;
	arm text;
BEGIN
	IF ltrim(condition) ~ '^\{' THEN
		tree := condition::jsonb;
		FOREACH arm IN ARRAY arms LOOP
			-- An empty group of "all" holds, one of "any" does not.
			tree := replace(tree::text, jsonb_build_object('took', jsonb_build_array(decision, arm))::text,
				CASE arm WHEN winner THEN '{"all": []}' ELSE '{"any": []}' END)::jsonb;
		END LOOP;
		IF tree - 'rules' = '{"combinator": "and"}' AND tree #> '{rules,0}' = '{"all": []}' AND jsonb_array_length(tree -> 'rules') = 2 THEN
			tree := tree #> '{rules,1}';
		END IF;
		RETURN nullif(tree, '{"all": []}')::text;
	END IF;
	condition := regexp_replace(condition, '(automation\.took\()\s*(''(?:[^'']|'''')*'')\s*,\s*(''(?:[^'']|'''')*'')\s*\)', '\1\2, \3)', 'g');
	FOREACH arm IN ARRAY arms LOOP
		condition := replace(condition, format('automation.took(%L, %L)', decision, arm), CASE arm WHEN winner THEN 'true' ELSE 'false' END);
	END LOOP;
	-- As only_if() and in_arm() have put it together.
	IF condition ~ '^\(true\) AND \(.*\)$' AND automation._is_one_group(substr(condition, 13, length(condition) - 13)) THEN
		condition := substr(condition, 13, length(condition) - 13);
	END IF;
	RETURN nullif(condition, 'true');
END
$$;
COMMENT ON FUNCTION automation._settled(text, text, text[], text) IS 'A condition of a step when there is but one way left at a decision';

CREATE FUNCTION automation._winning_steps(steps jsonb, decision text, arms text[], winner text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	winning jsonb := '[]';
	gone text[] := '{}'; -- decisions on the ways that are given up
	step jsonb;
BEGIN
	FOR step IN SELECT s.value FROM jsonb_array_elements(steps) WITH ORDINALITY AS s(value, place) ORDER BY s.place LOOP
		IF EXISTS (
			SELECT FROM automation._asked(step ->> 'condition') AS a
			WHERE a.is_needed AND (a.decision = _winning_steps.decision AND a.arm <> winner OR a.decision = ANY (gone)))
		THEN
			gone := gone || automation._decision(step #>> '{params,decision}', step #>> '{params,condition}');
		ELSIF (step ->> 'action' = 'split' AND step #>> '{params,decision}' = decision) IS NOT TRUE THEN
			winning := winning || jsonb_build_array(jsonb_set_lax(step, '{condition}', to_jsonb(automation._settled(step ->> 'condition', decision, arms, winner))));
		END IF;
	END LOOP;
	RETURN winning;
END
$$;
COMMENT ON FUNCTION automation._winning_steps(jsonb, text, text[], text) IS 'Steps of a rule without a split and without what stood on its other ways';

CREATE FUNCTION automation._winner(caller regrole, experiment automation.experiment) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	winner text;
	standings text;
BEGIN
	SELECT coalesce(
			(array_agg(r.arm ORDER BY r.rate DESC) FILTER (WHERE r.verdict = 'better'))[1],
			CASE WHEN bool_and(r.verdict = 'worse') THEN experiment.control END),
		string_agg(format('"%s": %s', r.arm, r.verdict)
			|| coalesce(format(' (p = %s%s)', round(r.p_value::numeric, 3), ', ' || r.needed || ' records each way would tell'), ''), '; ')
	INTO winner, standings
	FROM automation._experiment_report(caller, experiment.name) AS r
	WHERE r.verdict <> 'control';
	IF winner IS NULL THEN
		PERFORM automation._fail('55000', format('experiment "%s" has no winner', experiment.name), format('Against "%s": %s.', experiment.control, standings),
			'Wait for more records, or say which way to promote.');
	END IF;
	RETURN winner;
END
$$;
COMMENT ON FUNCTION automation._winner(regrole, automation.experiment) IS 'The way that is better than the control by more than chance, or the control when all are worse';

CREATE FUNCTION automation.promote_experiment(name text, arm text DEFAULT NULL, reason text DEFAULT NULL) RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.promote_experiment(text, text, text)
	IS 'Ends an experiment: a new version of its rule, which is answered, has no split but the steps of the way that has won; or of the one that is given, won or not. Who has gone another way already goes it to the end';

CREATE FUNCTION automation._promote_experiment(caller regrole, name text, arm text, reason text) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	experiment CONSTANT automation.experiment := automation._experiment(name);
	old_rule CONSTANT automation.rule := automation._own_rule(caller, (SELECT r.name FROM automation.rule AS r WHERE r.id = experiment.rule_id));
	version automation.rule_version := automation._version(old_rule.id, old_rule.version);
	arms CONSTANT text[] := ARRAY(SELECT jsonb_object_keys(w.weights) FROM automation._weights(old_rule.id, experiment.decision) AS w WHERE w.version = old_rule.version);
	winner text := arm;
BEGIN
	PERFORM automation._check_author(old_rule.owner, old_rule.relation);
	IF experiment.ended_at IS NOT NULL THEN
		PERFORM automation._fail('55000', format('experiment "%s" has ended', name), format('Way "%s" was promoted on %s.', experiment.promoted, experiment.ended_at::date));
	ELSIF arms = '{}' THEN
		PERFORM automation._fail('55000', format('rule "%s" has no split "%s" any more', old_rule.name, experiment.decision));
	ELSIF arm <> ALL (arms) THEN
		PERFORM automation._fail('22023', format('split "%s" has no way "%s"', experiment.decision, arm), format('Its ways are: %s.', automation._list(arms)));
	END IF;
	winner := coalesce(arm, automation._winner(caller, experiment));
	version.steps := automation._winning_steps(automation._written_steps(version.steps), experiment.decision, arms, winner);
	IF version.steps = '[]' THEN
		PERFORM automation._fail('55000', format('nothing would be left of rule "%s"', old_rule.name), format('Way "%s" has no steps.', winner),
			'Use automation.disable_rule() or automation.drop_rule().');
	END IF;
	version.steps := automation._resolved_steps(automation._flowing(version.steps));
	version.version := old_rule.version + 1;
	version.author := caller;
	version.reason := coalesce(reason, format('experiment "%s": way "%s" %s', name, winner, CASE WHEN arm IS NULL THEN 'has won' ELSE 'was chosen' END));
	PERFORM automation._add_version(version);
	UPDATE automation.experiment AS x SET ended_at = automation._now(), promoted = winner WHERE x.name = experiment.name;
	RETURN version.version;
END
$$;
COMMENT ON FUNCTION automation._promote_experiment(regrole, text, text, text) IS 'automation.promote_experiment()';
