-- Rules and what they did, as text, as a diagram, and as a page.

CREATE FUNCTION automation._timing_text(timing jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN nullif(concat_ws(', ',
	CASE WHEN (timing -> 'after_previous')::boolean THEN 'when the step before is done' END,
	'at ' || (timing ->> 'at'),
	'after ' || (timing ->> 'delay') || CASE WHEN timing ->> 'delay' ~ '-' THEN ' (before)' ELSE '' END,
	(timing ->> 'workdays') || ' working days later',
	'counted from ' || nullif(timing ->> 'anchor', 'trigger'),
	'at ' || (timing ->> 'time_of_day'),
	'by calendar ' || (timing ->> 'calendar'),
	(
		SELECT string_agg(format('%s: %s', t.key, t.value #>> '{}'), ', ' ORDER BY t.key)
		FROM jsonb_each(timing - '{after_previous,at,delay,workdays,anchor,time_of_day,calendar,cancel_if_changed,cancel_when,cancel_mode}'::text[]) AS t
	),
	'unless ' || (SELECT string_agg(c, ' or ') FROM jsonb_array_elements_text(timing -> 'cancel_if_changed') AS c)
		|| CASE timing ->> 'cancel_mode' WHEN 'differs' THEN ' is different' ELSE ' changes' END,
	'unless ' || (timing ->> 'cancel_when')), '');
COMMENT ON FUNCTION automation._timing_text(jsonb) IS 'When a step is taken, in words; null: at once';

CREATE FUNCTION automation._plain(value jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE jsonb_typeof(value) WHEN 'string' THEN value #>> '{}' ELSE value::text END;
COMMENT ON FUNCTION automation._plain(jsonb) IS 'A value without the quotes of JSON';

CREATE FUNCTION automation._deciding_text(action text, params jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN concat(replace(action, '_', ' '),
	CASE WHEN params ->> 'decision' <> coalesce(automation._decision(NULL, params ->> 'condition'), '') THEN format(' "%s":', params ->> 'decision')
		WHEN action = 'branch' THEN ':' END,
	' ' || automation._condition_text(params ->> 'condition'),
	' ' || (SELECT string_agg(format('%s %s', w.key, w.value), ', ' ORDER BY w.key) FROM jsonb_each_text(params -> 'weights') AS w),
	' by ' || (params ->> 'by'));
COMMENT ON FUNCTION automation._deciding_text(text, jsonb) IS 'What a step that decides does, on one line';

CREATE FUNCTION automation._action_text(step jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
-- What every message has is said in words, the rest as it is.
RETURN CASE WHEN step ->> 'action' IN ('branch', 'split', 'wait_until') THEN automation._deciding_text(step ->> 'action', step -> 'params')
	ELSE concat_ws(' ', step ->> 'action',
		'through ' || (step -> 'params' ->> 'channel'),
		'to ' || automation._plain(step -> 'params' -> 'recipient'))
		|| coalesce(': ' || nullif(concat_ws(' | ', step -> 'params' ->> 'subject', automation._plain(step -> 'params' -> 'body')), ''), '')
		|| coalesce(' ' || (
			SELECT string_agg(format('%s = %s', p.key, automation._plain(p.value)), ', ' ORDER BY p.key)
			FROM jsonb_each((step -> 'params') - '{channel,recipient,subject,body,html}'::text[]) AS p), '') END;
COMMENT ON FUNCTION automation._action_text(jsonb) IS 'What a step does, on one line';

CREATE FUNCTION automation._when_text(step jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN step ->> 'action' = 'wait_until' THEN regexp_replace(automation._timing_text(step -> 'timing'), '(^|, )after ', '\1at most ')
	ELSE automation._timing_text(step -> 'timing') END;
COMMENT ON FUNCTION automation._when_text(jsonb) IS 'When a step is taken, in words; of one that waits for something, how long it does';

CREATE FUNCTION automation._trigger_text(trigger text, params jsonb) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN concat_ws(' ', trigger, nullif((
	SELECT format('(%s)', string_agg(format('%s: %s', p.key, automation._plain(p.value)), ', ' ORDER BY p.key)) FROM jsonb_each(params) AS p), '()'));
COMMENT ON FUNCTION automation._trigger_text(text, jsonb) IS 'What a rule waits for, on one line';

CREATE FUNCTION automation.rule_to_text(rule text) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.rule_to_text(text) IS 'A rule in words';

CREATE FUNCTION automation._steps_text(steps jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	lines text[] := '{}';
	labels text[] := '{}';
	w record;
BEGIN
	FOR w IN SELECT * FROM automation._walk(steps) LOOP
		IF w.event = 'open' THEN
			labels[w.depth + 1] := w.label;
		ELSIF w.event = 'step' THEN
			lines := lines || format('%s %s. %s%s', CASE w.place WHEN 1 THEN 'Then' ELSE '    ' END, w.place, repeat('  ', w.depth),
				concat_ws(': ', labels[w.depth], nullif(concat_ws(', ', automation._when_text(w.step), 'if ' || w.only_if), ''), automation._action_text(w.step)));
		END IF;
	END LOOP;
	RETURN array_to_string(lines, E'\n');
END
$$;
COMMENT ON FUNCTION automation._steps_text(jsonb) IS 'Steps, one a line; those on a way of a decision stand further in and begin with it';

CREATE FUNCTION automation._rule_to_text(caller regrole, rule text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	shown automation.rule := automation._rule(rule);
	version automation.rule_version := automation._version(shown.id, shown.version);
BEGIN
	RETURN concat_ws(E'\n',
		format('Rule "%s" on %s (%s, version %s, acts as %s)', shown.name, shown.relation, shown.state, shown.version, shown.owner),
		shown.description,
		'When ' || automation._trigger_text(version.trigger, version.params),
		'If   ' || automation._condition_text(version.condition),
		automation._steps_text(version.steps));
END
$$;
COMMENT ON FUNCTION automation._rule_to_text(regrole, text) IS 'automation.rule_to_text()';

-- Mermaid

CREATE FUNCTION automation._mermaid(label text) RETURNS text
LANGUAGE sql IMMUTABLE
-- Within quotes it reads entities with # for &; these characters mean something to it, or to HTML.
RETURN '"' || replace(replace(replace(replace(replace(replace(label, '#', '#35;'), '"', '#quot;'), '<', '#lt;'), '>', '#gt;'), '`', '#96;'), E'\n', '<br>') || '"';
COMMENT ON FUNCTION automation._mermaid(text) IS 'A label of a node in a Mermaid diagram';

CREATE FUNCTION automation._arrows(tails jsonb, node text, note text DEFAULT NULL) RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(
	SELECT format('    %s -->%s %s', t.value ->> 0, '|' || automation._mermaid(nullif(concat_ws(', ', t.value ->> 1, note), '')) || '|', node)
	FROM jsonb_array_elements(tails) WITH ORDINALITY AS t(value, place)
	ORDER BY t.place
);
COMMENT ON FUNCTION automation._arrows(jsonb, text, text) IS 'Edges of a Mermaid diagram to a node, from each [node, label]';

CREATE FUNCTION automation._steps_mermaid(steps jsonb, tails jsonb) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	lines text[] := '{}';
	nodes jsonb := '{}'; -- of decisions
	joins jsonb := '{}'; -- where the ways of each have come to
	note text;
	w record;
BEGIN
	FOR w IN SELECT * FROM automation._walk(steps) LOOP
		IF w.event = 'open' THEN
			tails := jsonb_build_array(jsonb_build_array(nodes -> w.decision, w.label));
			CONTINUE;
		ELSIF w.event = 'close' THEN
			tails := (joins -> w.decision) || tails;
			joins := joins || jsonb_build_object(w.decision, tails);
			CONTINUE;
		END IF;
		note := automation._when_text(w.step);
		IF w.only_if IS NOT NULL THEN
			lines := lines || format('    if%s{%s}', w.place, automation._mermaid(w.only_if)) || automation._arrows(tails, 'if' || w.place, note);
			tails := jsonb_build_array(jsonb_build_array('if' || w.place, 'yes'));
			note := NULL;
		END IF;
		lines := lines || format(CASE WHEN w.decision IS NULL THEN '    step%s[%s]' ELSE '    step%s{%s}' END, w.place,
			automation._mermaid(format('%s. %s', w.place, automation._action_text(w.step)))) || automation._arrows(tails, 'step' || w.place, note);
		tails := CASE WHEN w.only_if IS NULL THEN '[]' ELSE jsonb_build_array(jsonb_build_array('if' || w.place, 'no')) END;
		IF w.decision IS NULL THEN
			tails := jsonb_build_array(jsonb_build_array('step' || w.place)) || tails;
		ELSE
			nodes := nodes || jsonb_build_object(w.decision, 'step' || w.place);
			joins := joins || jsonb_build_object(w.decision, tails);
		END IF;
	END LOOP;
	-- What ends with a way that does nothing, or a no, has to lead somewhere.
	RETURN lines || CASE WHEN jsonb_path_exists(tails, 'strict $[*] ? (@.size() > 1)') THEN automation._arrows(tails, 'done') ELSE '{}' END;
END
$$;
COMMENT ON FUNCTION automation._steps_mermaid(jsonb, jsonb) IS 'Nodes and edges of steps in a Mermaid diagram, behind those edges that lead to the first';

CREATE FUNCTION automation.rule_to_mermaid(rule text) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.rule_to_mermaid(text) IS 'A rule as a flowchart for Mermaid';

CREATE FUNCTION automation._rule_to_mermaid(caller regrole, rule text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	shown automation.rule := automation._rule(rule);
	version automation.rule_version := automation._version(shown.id, shown.version);
	has_condition CONSTANT boolean := version.condition IS NOT NULL;
	lines text[] := ARRAY[format('    trigger([%s])', automation._mermaid(automation._trigger_text(version.trigger, version.params)))];
BEGIN
	IF has_condition THEN
		lines := lines || format('    condition{%s}', automation._mermaid(automation._condition_text(version.condition))) || '    trigger --> condition'::text;
	END IF;
	lines := lines || automation._steps_mermaid(version.steps, CASE WHEN has_condition THEN '[["condition", "yes"]]'::jsonb ELSE '[["trigger"]]' END)
		|| CASE WHEN has_condition THEN automation._arrows('[["condition", "no"]]', 'done') END;
	RETURN array_to_string('flowchart TD'::text || lines || CASE WHEN EXISTS (SELECT FROM unnest(lines) AS l WHERE l LIKE '% done') THEN '    done(["end"])' END, E'\n');
END
$$;
COMMENT ON FUNCTION automation._rule_to_mermaid(regrole, text) IS 'automation.rule_to_mermaid()';

-- The page. It is XML as well, refers to nothing outside, and every text in it has gone through _e().

CREATE FUNCTION automation._e(value text) RETURNS text
LANGUAGE sql IMMUTABLE
-- Control characters have no place in XML, escaped or not.
RETURN automation.html_escape(regexp_replace(coalesce(value, ''), '[\x01-\x08\x0b\x0c\x0e-\x1f]', '�', 'g'));
COMMENT ON FUNCTION automation._e(text) IS 'A text as it stands in the page';

CREATE FUNCTION automation._time_text(at timestamptz) RETURNS text
LANGUAGE sql STABLE
RETURN to_char(at AT TIME ZONE automation._default_zone(), 'YYYY-MM-DD HH24:MI:SS');
COMMENT ON FUNCTION automation._time_text(timestamptz) IS 'An instant by the clocks of the database';

CREATE FUNCTION automation._status_class(status text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN status IN ('succeeded', 'delivered') THEN 'good' WHEN status IN ('failed', 'dead', 'unknown') THEN 'bad'
	WHEN status IN ('waiting', 'delivering', 'retrying', 'running', 'ready', 'held') THEN 'wait' ELSE 'none' END;
COMMENT ON FUNCTION automation._status_class(text) IS 'Color of a status in the page';

CREATE FUNCTION automation._html_status(status text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN format('<span class="status %s">%s</span>', automation._status_class(status), automation._e(status));
COMMENT ON FUNCTION automation._html_status(text) IS 'A status in its color';

CREATE FUNCTION automation._html_style() RETURNS text
LANGUAGE sql IMMUTABLE
RETURN '
:root { color-scheme: light dark; --ink: #1d2433; --soft: #667085; --line: #d9dee7; --paper: #ffffff; --back: #f4f6f9;
  --good: #13795b; --bad: #b42318; --wait: #9a6700; --none: #667085; --when: #e7effc; --if: #fdf3d8; --then: #eaf6ef }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a2b3; --line: #343c4a; --paper: #1b212c; --back: #12161e;
  --good: #5cc8a0; --bad: #ff8a80; --wait: #f0c060; --none: #98a2b3; --when: #1f2d47; --if: #3b3218; --then: #1a3328 } }
body { margin: 0 auto; max-width: 72rem; padding: 1.5rem; background: var(--back); color: var(--ink); font: 15px/1.45 system-ui, sans-serif }
h1 { font-size: 1.6rem; margin: 0 } h2 { font-size: 1.15rem; margin: 2.2rem 0 .8rem } h3 { font-size: 1rem; margin: 0 } h3.good, h3.bad, h3.none { color: var(--ink) }
h3.good::before, h3.bad::before, h3.none::before { content: ""; display: inline-block; width: .6rem; height: .6rem; margin-right: .5rem; border-radius: 50%; background: var(--none) } h3.good::before { background: var(--good) } h3.bad::before { background: var(--bad) }
p { margin: .2rem 0; color: var(--soft) } .card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 1rem; margin: .8rem 0; overflow-wrap: anywhere }
.tiles { display: flex; flex-wrap: wrap; gap: .8rem; margin-top: 1rem } .tile { flex: 1 1 8rem; margin: 0 } .tile b { display: block; font-size: 1.6rem }
.flow { display: flex; flex-wrap: wrap; align-items: flex-start; gap: .6rem 1.5rem; margin-top: .8rem; padding-left: .4rem }
.box { position: relative; border: 1px solid var(--line); border-radius: 8px; padding: .5rem .7rem; max-width: 17rem; overflow-wrap: anywhere; white-space: pre-wrap }
.box small { display: block; color: var(--soft) } .when { background: var(--when); border-radius: 1.6rem; padding-inline: 1.1rem } .if { background: var(--if) } .then { background: var(--then) }
.way { flex: 1 1 100%; min-width: 0; box-sizing: border-box; display: flex; flex-wrap: wrap; align-items: flex-start; gap: .6rem 1.5rem; margin-left: 1rem; padding-left: .8rem; border-left: 2px solid var(--line) } .way > b { padding-top: .5rem } .way > .none { padding-top: .5rem }
.box + .box::before, .way > b + .box::before { content: "→"; position: absolute; left: -1.25rem; top: .9rem; color: var(--soft) }
.scroll { overflow-x: auto } table { border-collapse: collapse; width: 100%; min-width: 46rem; background: var(--paper); font-size: .9rem } th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere }
th { color: var(--soft); font-weight: 600 } th, .short { white-space: nowrap } .status { font-weight: 600; white-space: nowrap } .good { color: var(--good) } .bad { color: var(--bad) } .wait { color: var(--wait) } .none { color: var(--none) }
.time { color: var(--soft); white-space: nowrap; font-variant-numeric: tabular-nums } ol.line { list-style: none; margin: .6rem 0 0 .4rem; padding: 0 0 0 1rem; border-left: 2px solid var(--line) } ol.line li { margin: .25rem 0; position: relative }
ol.line li::before { content: ""; position: absolute; left: -1.36rem; top: .45rem; width: .6rem; height: .6rem; border-radius: 50%; background: var(--none) }
ol.line li.good::before { background: var(--good) } ol.line li.bad::before { background: var(--bad) } ol.line li.wait::before { background: var(--wait) } ol.line li { color: var(--ink) }
svg { display: block; width: 100%; height: auto } svg text { fill: var(--soft); font-size: 10px } rect.good { fill: var(--good) } rect.bad { fill: var(--bad) } rect.other { fill: var(--line) }
';
COMMENT ON FUNCTION automation._html_style() IS 'What the page looks like';

CREATE FUNCTION automation._html_figures() RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT '<div class="tiles">' || string_agg(format('<div class="card tile"><b class="%s">%s</b>%s</div>', f.class, f.number, f.name), '' ORDER BY f.place) || '</div>'
	FROM (
		SELECT 1, 'active rules', count(*), 'none' FROM automation.rule AS r WHERE r.state = 'active'
		UNION ALL SELECT 2, 'runs', count(*), 'none' FROM automation.run
		UNION ALL SELECT 3, 'failed runs', count(*), CASE count(*) WHEN 0 THEN 'none' ELSE 'bad' END FROM automation.run AS u WHERE u.status = 'failed'
		UNION ALL SELECT 4, 'steps waiting', count(*), 'wait' FROM automation.pending
		UNION ALL SELECT 5, 'messages delivered', count(*), 'good' FROM automation.attempt AS a WHERE a.outcome = 'delivered'
		UNION ALL SELECT 6, 'messages dead or unknown', count(*), CASE count(*) WHEN 0 THEN 'none' ELSE 'bad' END FROM automation.attempt AS a WHERE a.outcome IN ('dead', 'unknown')
	) AS f(place, name, number, class);
END;
COMMENT ON FUNCTION automation._html_figures() IS 'Numbers at the top of the page';

CREATE FUNCTION automation._html_chart(days integer) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH day AS (
		SELECT d.day, count(u.id) AS runs, count(u.id) FILTER (WHERE u.status = 'failed') AS failed
		FROM (
			SELECT (automation._now() AT TIME ZONE automation._default_zone())::date - n AS day FROM generate_series(0, days - 1) AS n
		) AS d
		LEFT JOIN automation.run AS u ON (u.at AT TIME ZONE automation._default_zone())::date = d.day
		GROUP BY d.day
	), bar AS (
		SELECT b.*, row_number() OVER (ORDER BY b.day) - 1 AS place, greatest(max(b.runs) OVER (), 1) AS most FROM day AS b
	)
	SELECT format('<svg viewBox="0 0 %s 150" role="img" aria-label="runs per day">', days * 50) || string_agg(format(
		'<g><title>%1$s: %2$s runs, %3$s failed</title><rect class="good" x="%4$s" y="%5$s" width="34" height="%6$s"/><rect class="bad" x="%4$s" y="%7$s" width="34" height="%8$s"/>'
		'<text x="%9$s" y="%10$s" text-anchor="middle">%11$s</text><text x="%9$s" y="145" text-anchor="middle">%12$s</text></g>',
		b.day, b.runs, b.failed, b.place * 50 + 8,
		130 - round(110.0 * b.runs / b.most), round(110.0 * (b.runs - b.failed) / b.most),
		130 - round(110.0 * b.failed / b.most), round(110.0 * b.failed / b.most),
		b.place * 50 + 25, 124 - round(110.0 * b.runs / b.most), nullif(b.runs, 0), to_char(b.day, 'DD Mon')), '' ORDER BY b.day) || '</svg>'
	FROM bar AS b;
END;
COMMENT ON FUNCTION automation._html_chart(integer) IS 'Runs of the last days, as bars';

CREATE FUNCTION automation._html_steps(steps jsonb) RETURNS text
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	html text := '';
	before text;
	w record;
BEGIN
	FOR w IN SELECT * FROM automation._walk(steps) LOOP
		html := html || CASE w.event
			WHEN 'open' THEN format('<div class="way"><b>%s</b>', automation._e(w.label))
			WHEN 'close' THEN CASE before WHEN 'open' THEN '<span class="none">goes on</span></div>' ELSE '</div>' END
			ELSE format('<div class="box %s"><small>%s</small>%s</div>', CASE WHEN w.decision IS NULL THEN 'then' ELSE 'if' END,
				automation._e(concat_ws(' · ', w.place, automation._when_text(w.step), 'if ' || w.only_if)), automation._e(automation._action_text(w.step))) END;
		before := w.event;
	END LOOP;
	RETURN html;
END
$$;
COMMENT ON FUNCTION automation._html_steps(jsonb) IS 'Steps as boxes, each way of a decision in a line of its own';

CREATE FUNCTION automation._html_rule(rule_id integer) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT format('<div class="card"><h3 class="%s">%s</h3><p>%s</p><div class="flow"><div class="box when"><small>when</small>%s</div>%s%s</div></div>',
		CASE WHEN p.problem IS NOT NULL THEN 'bad' WHEN r.state = 'active' THEN 'good' ELSE 'none' END, automation._e(r.name),
		automation._e(concat_ws(' · ', r.folder, r.relation::text, r.state, 'version ' || r.version, 'acts as ' || r.owner, r.description, p.problem)),
		automation._e(automation._trigger_text(v.trigger, v.params)),
		CASE WHEN v.condition IS NOT NULL THEN format('<div class="box if"><small>if</small>%s</div>', automation._e(automation._condition_text(v.condition))) END,
		automation._html_steps(v.steps))
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
	JOIN automation._rule_problem AS p ON p.rule_id = r.id
	WHERE r.id = _html_rule.rule_id;
END;
COMMENT ON FUNCTION automation._html_rule(integer) IS 'A rule as boxes';

CREATE FUNCTION automation._html_runs(caller regrole, most integer) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT '<div class="scroll"><table><thead><tr><th>at</th><th>run</th><th>rule</th><th>row</th><th>event</th><th>status</th><th>reason</th></tr></thead><tbody>'
		|| coalesce(string_agg(format('<tr><td class="time">%s</td><td class="short">%s</td><td>%s</td><td>%s</td><td class="short">%s</td><td>%s</td><td>%s</td></tr>',
			automation._time_text(l.at), l.id, automation._e(l.rule), automation._e(concat_ws(' ', l.relation, l.key)), automation._e(l.event),
			automation._html_status(l.status), automation._e(automation._readable_reason(caller, l.relation, l.status, l.reason))), '' ORDER BY l.id DESC), '<tr><td colspan="7">nothing yet</td></tr>')
		|| '</tbody></table></div>'
	FROM (
		SELECT u.id FROM automation.run AS u ORDER BY u.id DESC LIMIT most
	) AS last
	JOIN automation.execution_log AS l ON l.id = last.id;
END;
COMMENT ON FUNCTION automation._html_runs(regrole, integer) IS 'The last runs as a table';

CREATE FUNCTION automation._html_item(caller regrole, entity_id integer, key text) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT format('<div class="card"><h3>%s</h3><ol class="line">%s</ol></div>', automation._e(concat_ws(' ', e.relation, key)),
		string_agg(format('<li class="%s"><span class="time">%s</span> %s %s %s</li>', automation._status_class(t.status),
			automation._time_text(t.at), automation._e(t.what), automation._html_status(t.status), automation._e(t.reason)), '' ORDER BY t.at NULLS LAST, t.run_id, t.step))
	FROM automation.entity AS e
	CROSS JOIN LATERAL (
		SELECT u.id, s.step, coalesce(s.next_at, CASE WHEN s.status <> 'waiting' THEN coalesce(s.last_at, u.at) END), format('"%s" %s. %s', coalesce(r.name, v.name), s.step, s.action), s.status,
			automation._readable_reason(caller, e.relation, s.status, automation._with_names(s.reason))
		FROM automation.run AS u
		JOIN automation._step AS s ON s.run_id = u.id
		LEFT JOIN automation.rule AS r ON r.id = u.rule_id
		LEFT JOIN automation.rule_version AS v ON v.rule_id = u.rule_id AND v.version = u.version
		WHERE u.entity_id = e.id AND u.key = _html_item.key
	) AS t(run_id, step, at, what, status, reason)
	WHERE e.id = _html_item.entity_id
	GROUP BY e.relation;
END;
COMMENT ON FUNCTION automation._html_item(regrole, integer, text) IS 'What rules did, do and will do for one row, in order of time';

CREATE FUNCTION automation.report_html(runs integer DEFAULT 100, items integer DEFAULT 10) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.report_html(integer, integer)
	IS 'One page for a browser that needs nothing else: figures, rules as flows, the last runs, and what happened to the rows they were about';

CREATE FUNCTION automation._report_html(caller regrole, runs integer, items integer) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET jit = off
AS $$
BEGIN
	IF (runs BETWEEN 0 AND 10000 AND items BETWEEN 0 AND 1000) IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'a report has at most 10000 runs and 1000 items');
	END IF;
	RETURN concat(
		'<!DOCTYPE html>', E'\n<html lang="en"><head><meta charset="utf-8"/><meta name="viewport" content="width=device-width"/><title>',
		automation._e(format('Automation in %s', current_database())), '</title><style>', automation._html_style(), E'</style></head><body>\n<h1>',
		automation._e(format('Automation in %s', current_database())), '</h1><p>', automation._time_text(automation._now()), ' ', automation._e(automation._default_zone()), E'</p>\n',
		automation._html_figures(), E'\n<h2>Runs per day</h2><div class="card">', automation._html_chart(14), E'</div>\n<h2>Rules</h2>\n',
		(SELECT string_agg(automation._html_rule(r.id), E'\n' ORDER BY r.folder, r.position, r.id) FROM automation.rule AS r),
		E'\n<h2>Last runs</h2>\n', automation._html_runs(caller, runs), E'\n<h2>Rows</h2>\n',
		(
			SELECT string_agg(automation._html_item(caller, i.entity_id, i.key), E'\n' ORDER BY i.last DESC)
			FROM (
				SELECT u.entity_id, u.key, max(u.id) AS last
				FROM automation.run AS u
				GROUP BY u.entity_id, u.key
				ORDER BY last DESC
				LIMIT items
			) AS i
		), E'\n</body></html>\n');
END
$$;
COMMENT ON FUNCTION automation._report_html(regrole, integer, integer) IS 'automation.report_html()';
