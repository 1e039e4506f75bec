-- How the steps of a rule follow on each other, and what they say in words: for text, diagrams and the page.

CREATE FUNCTION automation._tree_text(node jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	shape CONSTANT text := (SELECT s FROM unnest('{exists,count,sum,min,max,rules,all,any,none,became,took,filter,field}'::text[]) WITH ORDINALITY AS u(s, place)
		WHERE node ? s ORDER BY place LIMIT 1);
	comparison CONSTANT text := concat_ws(' ', node ->> 'operator', (
		SELECT string_agg(v.value #>> '{}', ', ' ORDER BY v.place)
		FROM jsonb_array_elements(CASE jsonb_typeof(node -> 'value') WHEN 'array' THEN node -> 'value' ELSE jsonb_build_array(node -> 'value') END) WITH ORDINALITY AS v(value, place)),
		'* ' || (node ->> 'times'), '+ ' || (node ->> 'plus'));
	words CONSTANT text := CASE
		WHEN shape IN ('rules', 'all', 'any', 'none') THEN coalesce((
			SELECT CASE count(*) WHEN 1 THEN min(automation._tree_text(n.part)) ELSE format('(%s)', string_agg(automation._tree_text(n.part),
				CASE WHEN shape IN ('any', 'none') OR lower(node ->> 'combinator') = 'or' THEN ' or ' ELSE ' and ' END ORDER BY n.place)) END
			FROM jsonb_array_elements(node -> shape) WITH ORDINALITY AS n(part, place)
			HAVING count(*) > 0), CASE WHEN shape IN ('any', 'none') THEN 'never' ELSE 'always' END)
		WHEN shape = 'took' THEN format('"%s" went "%s"', node #>> '{took,0}', node #>> '{took,1}')
		WHEN shape = 'filter' THEN format('filter "%s"', node ->> 'filter')
		WHEN shape = 'became' THEN format('became: %s', automation._tree_text(node -> 'became'))
		WHEN shape = 'field' THEN concat_ws(' ', node ->> 'field', comparison)
		ELSE concat_ws(' ', shape, node ->> 'field', CASE WHEN shape <> 'exists' THEN 'of' END, node ->> shape,
			'by ' || (SELECT string_agg(b, ', ') FROM jsonb_array_elements_text(node -> 'by') AS b),
			'where ' || automation._tree_text(node -> 'where'), nullif(comparison, ''))
	END;
BEGIN
	RETURN CASE WHEN (shape = 'none') <> (coalesce(node -> 'not', 'false') = 'true') THEN format('not %s', words) ELSE words END;
END
$$;
COMMENT ON FUNCTION automation._tree_text(jsonb) IS 'A JSON condition in words';

CREATE FUNCTION automation._condition_text(condition text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN condition ~ '^\s*\{' THEN automation._tree_text(condition::jsonb)
	ELSE regexp_replace(btrim(condition), 'automation\.took\(''((?:[^'']|'''')*)'', ''((?:[^'']|'''')*)''\)', '"\1" went "\2"', 'g') END;
COMMENT ON FUNCTION automation._condition_text(text) IS 'A condition in words';

CREATE FUNCTION automation._peel(condition text, OUT decision text, OUT arm text, OUT rest text)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tree CONSTANT jsonb := CASE WHEN condition ~ '^\s*\{' THEN condition::jsonb END;
	rules CONSTANT jsonb := CASE WHEN tree ->> 'combinator' = 'and' AND NOT tree ? 'not' AND tree -> 'rules' -> 0 ? 'took' THEN tree -> 'rules' ELSE jsonb_build_array(tree) END;
	parts text[];
BEGIN
	-- As in_arm() and only_if() write it.
	IF tree IS NULL THEN
		parts := regexp_match(condition, '^\(?automation\.took\((E?''(?:[^'']|'''')*''), (E?''(?:[^'']|'''')*'')\)(?:\) AND \((.*)\))?$');
		decision := automation._unquoted(parts[1]);
		arm := automation._unquoted(parts[2]);
		rest := CASE WHEN parts IS NULL THEN condition ELSE parts[3] END;
	ELSIF rules -> 0 ? 'took' AND NOT rules -> 0 ? 'not' THEN
		decision := rules #>> '{0,took,0}';
		arm := rules #>> '{0,took,1}';
		rest := CASE jsonb_array_length(rules) WHEN 1 THEN NULL WHEN 2 THEN rules ->> 1 ELSE (tree || jsonb_build_object('rules', rules - 0))::text END;
	ELSE
		rest := condition;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._peel(text) IS 'The first way that a condition asks for, and what it asks besides';

CREATE FUNCTION automation._ways(condition text, OUT ways jsonb, OUT rest text)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	peeled record;
BEGIN
	ways := '[]';
	rest := condition;
	LOOP
		SELECT p.* INTO peeled FROM automation._peel(rest) AS p;
		EXIT WHEN peeled.decision IS NULL;
		ways := ways || jsonb_build_array(jsonb_build_array(peeled.decision, peeled.arm));
		rest := peeled.rest;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._ways(text) IS 'All ways that a condition asks for first, [[decision, way], ...], and what it asks besides';

CREATE FUNCTION automation._walk(steps jsonb)
RETURNS TABLE (event text, decision text, way text, label text, place integer, step jsonb, only_if text, depth integer)
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- At each depth: the way that is open there, and the decision in it whose ways may begin: {decision, ways, used}.
	open jsonb[] := '{}';
	forks jsonb[] := '{NULL}';
	asked record;
	kept integer;
	is_new boolean;
BEGIN
	FOR place, step IN SELECT s.place, s.value FROM jsonb_array_elements(steps || '[null]') WITH ORDINALITY AS s(value, place) ORDER BY s.place LOOP
		SELECT w.ways, w.rest INTO asked FROM automation._ways(step ->> 'condition') AS w;
		kept := 0;
		WHILE kept < jsonb_array_length(asked.ways) AND open[kept + 1] = asked.ways -> kept LOOP
			kept := kept + 1;
		END LOOP;
		-- Ways begin one after the other, each of them once.
		is_new := coalesce(asked.ways -> kept ->> 0 = forks[kept + 1] ->> 'decision' AND forks[kept + 1] -> 'ways' ? (asked.ways -> kept ->> 1)
			AND NOT forks[kept + 1] -> 'used' ? (asked.ways -> kept ->> 1), false);
		FOR level IN REVERSE cardinality(open)..kept LOOP
			depth := level;
			-- The ways on which nothing is done.
			FOR decision, way IN
				SELECT forks[level + 1] ->> 'decision', w FROM jsonb_array_elements_text(forks[level + 1] -> 'ways') AS w
				WHERE NOT (level = kept AND is_new) AND NOT forks[level + 1] -> 'used' ? w
			LOOP
				label := automation._way_text(forks[level + 1] ->> 'action', way);
				event := 'open';
				RETURN NEXT;
				event := 'close';
				RETURN NEXT;
			END LOOP;
			IF level > kept THEN
				event := 'close';
				decision := open[level] ->> 0;
				way := open[level] ->> 1;
				RETURN NEXT;
			ELSIF NOT is_new THEN
				forks[level + 1] := NULL;
			END IF;
		END LOOP;
		EXIT WHEN step = 'null';
		open := open[:kept];
		forks := forks[:kept + 1];
		depth := kept;
		IF is_new THEN
			event := 'open';
			decision := asked.ways -> kept ->> 0;
			way := asked.ways -> kept ->> 1;
			label := automation._way_text(forks[kept + 1] ->> 'action', way);
			RETURN NEXT;
			forks[kept + 1] := jsonb_set(forks[kept + 1], '{used}', forks[kept + 1] -> 'used' || to_jsonb(way));
			open := open || (asked.ways -> kept);
			forks := forks || NULL::jsonb;
			kept := kept + 1;
		END IF;
		event := 'step';
		depth := kept;
		SELECT d.decision INTO decision FROM automation._decided_by(step) AS d;
		only_if := (
			SELECT string_agg(t.words, ' and ' ORDER BY t.place)
			FROM (
				SELECT w.place, format('"%s" went "%s"', w.value ->> 0, w.value ->> 1)
				FROM jsonb_array_elements(asked.ways) WITH ORDINALITY AS w(value, place) WHERE w.place > kept
				UNION ALL
				SELECT NULL, automation._condition_text(asked.rest)
			) AS t(place, words));
		RETURN NEXT;
		IF decision IS NOT NULL THEN
			forks[kept + 1] := jsonb_build_object('action', step -> 'action', 'decision', decision, 'ways', (automation._decided_by(step)).ways, 'used', '[]'::jsonb);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._walk(jsonb)
	IS 'Steps of a rule, and between them where ways begin and end (open, close), those without steps too; only_if: what a step asks besides the way that it is on';

CREATE FUNCTION automation._way_text(action text, way text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN action <> 'branch' THEN way WHEN way = 'then' THEN 'yes' ELSE 'no' END;
COMMENT ON FUNCTION automation._way_text(text, text) IS 'What a way of a decision is called in a picture';
