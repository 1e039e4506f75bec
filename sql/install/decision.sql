-- What the steps of a rule decide, and which of them ask for it. Names are compared at definition: a way that
-- nothing leads to would be steps that are never taken, and nobody would be told.

CREATE FUNCTION automation.took(decision text, arm text) RETURNS boolean
LANGUAGE C STABLE STRICT AS 'MODULE_PATHNAME', 'automation_took';
COMMENT ON FUNCTION automation.took(text, text) IS 'In the condition of a step: whether the run went that way at a decision before';

CREATE FUNCTION automation._decided_by(step jsonb, OUT decision text, OUT ways text[])
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	SELECT automation._decision(step #>> '{params,decision}', step #>> '{params,condition}'),
		CASE step ->> 'action' WHEN 'branch' THEN '{then,else}' WHEN 'wait_until' THEN '{met,timed out}'
			ELSE ARRAY(SELECT jsonb_object_keys(step #> '{params,weights}')) END
	WHERE step ->> 'action' IN ('branch', 'split', 'wait_until');
END;
COMMENT ON FUNCTION automation._decided_by(jsonb) IS 'The decision that a step makes, and the ways it may go; null if it makes none';

CREATE FUNCTION automation._flowing(steps jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	flowing jsonb := '[]';
	has_waited boolean := false;
	step jsonb;
BEGIN
	FOR step IN SELECT s.value FROM jsonb_array_elements(steps) WITH ORDINALITY AS s(value, place) ORDER BY s.place LOOP
		IF has_waited THEN
			step := jsonb_set(step, '{timing}', step -> 'timing' || '{"after_previous": true}');
		END IF;
		-- What asks for a decision cannot come before it, though it has no time of its own.
		has_waited := has_waited OR step ->> 'action' IN ('wait', 'wait_until')
			OR step ->> 'action' IN ('branch', 'split') AND step -> 'timing' <> '{}';
		flowing := flowing || jsonb_build_array(step);
	END LOOP;
	RETURN flowing;
END
$$;
COMMENT ON FUNCTION automation._flowing(jsonb) IS 'Steps of a rule, those behind one that waits, or decides later, made to come after it';

-- Who asks

CREATE FUNCTION automation._unquoted(literal text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN starts_with(literal, 'E') THEN replace(replace(substr(literal, 3, length(literal) - 3), '''''', ''''), '\\', '\')
	ELSE replace(substr(literal, 2, length(literal) - 2), '''''', '''') END;
COMMENT ON FUNCTION automation._unquoted(text) IS 'The text that a literal stands for';

CREATE FUNCTION automation._asked(condition text) RETURNS TABLE (decision text, arm text, is_needed boolean)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF ltrim(condition) ~ '^\{' THEN
		RETURN QUERY
		SELECT t.node ->> 0, t.node ->> 1, NOT jsonb_path_exists(condition::jsonb, '$.** ? (exists (@.not) || exists (@.any) || exists (@.none) || @.combinator == "or")')
		FROM jsonb_path_query(condition::jsonb, 'strict $.**.took') AS t(node);
	ELSE
		RETURN QUERY
		SELECT replace(t.name[1], '''''', ''''), replace(t.name[2], '''''', ''''), regexp_replace(condition, '''(?:[^'']|'''')*''|\mis\s+not\s+null\M', '', 'gi') !~* '\m(or|not|case|distinct|coalesce|false)\M'
		FROM regexp_matches(condition, 'automation\.took\(''((?:[^'']|'''')*)'',\s*''((?:[^'']|'''')*)''\)', 'g') AS t(name);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._asked(text) IS 'Decisions that the condition of a step asks for; is_needed: the step is only taken on that way, as far as the text shows';

CREATE FUNCTION automation._asks(part oid) RETURNS TABLE (decision text, arm text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- As PostgreSQL prints it, however it was written.
	RETURN QUERY
	SELECT automation._unquoted(c.literals[1]), automation._unquoted(c.literals[2])
	FROM regexp_matches(pg_get_function_sqlbody(part),
		$re$automation\.took\((?:(E?'(?:[^']|'')*')::text, (E?'(?:[^']|'')*')::text\)|)$re$, 'g') AS c(literals);
END
$$;
COMMENT ON FUNCTION automation._asks(oid) IS 'Decisions that a compiled part of a rule asks for; null where it does not say so with two plain texts';

CREATE FUNCTION automation._check_asked(rule text, decision text, arm text, made jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	decisions CONSTANT text[] := ARRAY(SELECT jsonb_object_keys(made));
	ways CONSTANT text[] := ARRAY(SELECT jsonb_array_elements_text(made -> decision));
BEGIN
	IF decision IS NULL OR arm IS NULL THEN
		PERFORM automation._fail('22023', format('rule "%s" asks for a decision, but not by name', rule),
			hint => 'Write automation.took(''decision'', ''way''), with two plain texts.');
	ELSIF decision <> ALL (decisions) THEN
		PERFORM automation._fail('42704', format('rule "%s" asks for a decision "%s" that no step before has made', rule, decision),
			hint => coalesce(automation._perhaps(decision, decisions),
				CASE WHEN decisions = '{}' THEN 'Put a branch(), split() or wait_until() before it.'
					ELSE format('Decisions before it: %s.', automation._list(decisions)) END));
	ELSIF arm <> ALL (ways) THEN
		PERFORM automation._fail('42704', format('decision "%s" of rule "%s" has no way "%s"', decision, rule, arm),
			hint => format('Its ways are: %s.', automation._list(ways)));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_asked(text, text, text, jsonb) IS 'Raises an error for a decision that is not among those made, or has no such way';

CREATE FUNCTION automation._check_asks_nothing(rule automation.rule, parts text[], what text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM unnest(parts) AS p, LATERAL automation._asks(automation._rule_part(rule.id, rule.version, p))) THEN
		PERFORM automation._fail('0A000', format('%s cannot ask for a decision', what),
			'Only while its steps are taken does a run know which way it goes.', 'Make it the condition of a step: automation.only_if() or automation.in_arm().');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_asks_nothing(automation.rule, text[], text) IS 'Raises an error if a part of a rule asks for a decision that it cannot know';

CREATE FUNCTION automation._check_decisions(rule automation.rule, steps jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made jsonb := '{}';
	step record;
	decision text;
	ways text[];
BEGIN
	PERFORM automation._check_asks_nothing(rule, '{when,key,still}'::text[] || automation._parts_of_step(0), format('the condition of rule "%s"', rule.name));
	FOR step IN SELECT s.place, s.value FROM jsonb_array_elements(steps) WITH ORDINALITY AS s(value, place) ORDER BY s.place LOOP
		PERFORM automation._check_asks_nothing(rule, ARRAY(SELECT p FROM unnest(automation._parts_of_step(step.place::integer)) AS p WHERE p !~ '^(if|step)_'),
			format('what step %s of rule "%s" waits for', step.place, rule.name));
		PERFORM automation._check_asked(rule.name, a.decision, a.arm, made)
		FROM unnest('{if,step}'::text[]) AS p, LATERAL automation._asks(automation._rule_part(rule.id, rule.version, format('%s_%s', p, step.place))) AS a;
		SELECT d.decision, d.ways INTO decision, ways FROM automation._decided_by(step.value) AS d;
		IF made ? decision THEN
			PERFORM automation._fail('42710', format('rule "%s" has two decisions "%s"', rule.name, decision), hint => 'Name them: decision => ....');
		ELSIF decision IS NOT NULL THEN
			made := made || jsonb_build_object(decision, ways);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._check_decisions(automation.rule, jsonb) IS 'Raises an error for a decision that is asked for and not made before, made twice, or asked for where nobody can know it';
