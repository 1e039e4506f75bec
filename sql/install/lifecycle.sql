-- The life of a rule: its place in the list, its states, its end.

-- The list

CREATE FUNCTION automation.move_rule(rule text, before text DEFAULT NULL, after text DEFAULT NULL) RETURNS integer
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.move_rule(text, text, text) IS 'Moves a rule in the list, before or after another, and answers its place; rules for one event run in listed order';

CREATE FUNCTION automation._move_rule(caller regrole, rule text, before text, after text) RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	moved automation.rule := automation._own_rule(caller, rule);
	neighbour automation.rule;
BEGIN
	IF (before IS NULL) = (after IS NULL) THEN
		PERFORM automation._fail('22023', 'either "before" or "after" must be given');
	END IF;
	neighbour := automation._rule(coalesce(before, after));
	-- The list is numbered anew, so that equals and gaps do not matter.
	UPDATE automation.rule AS r SET position = listed.place
	FROM (
		SELECT l.id, row_number() OVER (ORDER BY
			CASE WHEN l.id = moved.id THEN neighbour.position ELSE l.position END,
			CASE WHEN l.id = moved.id THEN neighbour.id ELSE l.id END,
			CASE WHEN l.id <> moved.id THEN 0 WHEN before IS NULL THEN 1 ELSE -1 END) AS place
		FROM automation.rule AS l
	) AS listed
	WHERE r.id = listed.id AND r.position <> listed.place;
	RETURN (SELECT r.position FROM automation.rule AS r WHERE r.id = moved.id);
END
$$;
COMMENT ON FUNCTION automation._move_rule(regrole, text, text, text) IS 'automation.move_rule()';

-- States

CREATE FUNCTION automation._set_state(caller regrole, name text, "from" text[], "to" text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule automation.rule := automation._rule(name);
BEGIN
	IF NOT (automation._is_operator(caller) AND rule.state <> 'draft') THEN
		rule := automation._own_rule(caller, name);
	END IF;
	IF rule.state = "to" THEN
		RAISE NOTICE 'rule "%" is already %', name, "to";
		RETURN "to";
	ELSIF rule.state <> ALL ("from") THEN
		PERFORM automation._fail('55000', format('rule "%s" is %s', name, CASE rule.state WHEN 'draft' THEN 'a draft' ELSE rule.state END),
			format('It must be %s.', array_to_string("from", ' or ')));
	ELSIF "to" = 'active' AND automation._problem(rule.id) IS NOT NULL THEN
		PERFORM automation._fail('55000', format('rule "%s" cannot run', name), format('The reason is: %s.', automation._problem(rule.id)),
			'Use automation.alter_rule().');
	END IF;
	UPDATE automation.rule AS r SET state = "to" WHERE r.id = rule.id;
	IF "to" = 'active' THEN
		PERFORM automation._plan_schedule(rule.id);
	END IF;
	RETURN "to";
END
$$;
COMMENT ON FUNCTION automation._set_state(regrole, text, text[], text) IS 'Changes the state of a rule and answers it';

CREATE FUNCTION automation.activate_rule(rule text, apply_to text DEFAULT 'new', rate integer DEFAULT 100) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.activate_rule(text, text, integer)
	IS 'Lets a rule run: for what happens from now on (new), or for all rows that are there too, at most rate of them a second. See matching_rows() first';

CREATE FUNCTION automation._activate_rule(caller regrole, rule text, apply_to text, rate integer) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	active automation.rule;
BEGIN
	PERFORM automation._check_choice('invalid value for apply_to', apply_to, 'new', 'all');
	active := automation._rule(rule);
	IF active.state = 'paused' THEN
		PERFORM automation._resume_rule(caller, rule, 'skip');
	ELSE
		PERFORM automation._set_state(caller, rule, '{draft,disabled}', 'active');
	END IF;
	IF apply_to = 'all' THEN
		PERFORM automation._apply_to_all(active, rate);
	END IF;
	RETURN 'active';
END
$$;
COMMENT ON FUNCTION automation._activate_rule(regrole, text, text, integer) IS 'automation.activate_rule()';

CREATE FUNCTION automation.pause_rule(rule text) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.pause_rule(text) IS 'Takes no new runs of a rule, and no steps of those that have begun, until resume_rule()';

CREATE FUNCTION automation._pause_rule(caller regrole, rule text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._set_state(caller, rule, '{active}', 'paused');
	UPDATE automation.rule AS r SET paused_at = coalesce(r.paused_at, automation._now()) WHERE r.name = rule;
	RETURN 'paused';
END
$$;
COMMENT ON FUNCTION automation._pause_rule(regrole, text) IS 'automation.pause_rule()';

CREATE FUNCTION automation.resume_rule(rule text, on_overdue text DEFAULT 'skip') RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.resume_rule(text, text)
	IS 'Ends pause_rule(). What came due in the meantime is skipped, run (ten a second), or rescheduled: as much later as the pause was long';

CREATE FUNCTION automation._resume_rule(caller regrole, rule text, on_overdue text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	paused automation.rule := automation._rule(rule);
BEGIN
	PERFORM automation._check_on_overdue(on_overdue);
	PERFORM automation._set_state(caller, rule, '{paused}', 'active');
	UPDATE automation.rule AS r SET paused_at = NULL WHERE r.id = paused.id;
	PERFORM automation._resume_all(on_overdue, paused.id, NULL, NULL, paused.paused_at);
	PERFORM automation._wake_worker();
	RETURN 'active';
END
$$;
COMMENT ON FUNCTION automation._resume_rule(regrole, text, text) IS 'automation.resume_rule()';

CREATE FUNCTION automation.disable_rule(rule text, in_flight text DEFAULT 'cancel') RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.disable_rule(text, text)
	IS 'Takes no new runs of a rule until enable_rule(); those that have begun are cancelled, or finish';

CREATE FUNCTION automation._disable_rule(caller regrole, rule text, in_flight text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	disabled automation.rule := automation._rule(rule);
BEGIN
	PERFORM automation._check_choice('invalid value for in_flight', in_flight, 'cancel', 'finish');
	PERFORM automation._set_state(caller, rule, '{draft,active,paused}', 'disabled');
	UPDATE automation.rule AS r SET in_flight = _disable_rule.in_flight, paused_at = NULL WHERE r.id = disabled.id;
	IF in_flight = 'cancel' THEN
		PERFORM automation._cancel_runs(disabled.id, 'rule disabled');
	ELSE
		PERFORM automation._resume_all('skip', disabled.id, NULL, NULL, disabled.paused_at);
	END IF;
	RETURN 'disabled';
END
$$;
COMMENT ON FUNCTION automation._disable_rule(regrole, text, text) IS 'automation.disable_rule()';

CREATE FUNCTION automation.enable_rule(rule text) RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.enable_rule(text) IS 'Ends disable_rule()';

CREATE FUNCTION automation._enable_rule(caller regrole, rule text) RETURNS text
LANGUAGE sql
RETURN automation._set_state(caller, rule, '{disabled}', 'active');
COMMENT ON FUNCTION automation._enable_rule(regrole, text) IS 'automation.enable_rule()';

CREATE FUNCTION automation.drop_rule(rule text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_rule(text) IS 'Drops a rule; the log of its runs stays';

CREATE FUNCTION automation._drop_rule(caller regrole, rule text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old_rule automation.rule := automation._own_rule(caller, rule);
BEGIN
	PERFORM automation._drop_compiled(old_rule.id, v.version)
	FROM automation.rule_version AS v
	WHERE v.rule_id = old_rule.id;
	PERFORM automation._cancel_runs(old_rule.id, 'rule dropped');
	DELETE FROM automation.rule AS r WHERE r.id = old_rule.id;
	DELETE FROM automation.playbook_rule AS p WHERE p.rule_id = old_rule.id;
	DELETE FROM automation.rule_draft AS d WHERE d.rule_id = old_rule.id;
END
$$;
COMMENT ON FUNCTION automation._drop_rule(regrole, text) IS 'automation.drop_rule()';

-- What users read

CREATE VIEW automation.rules AS
SELECT
	r.id,
	r.name,
	r.folder,
	r.relation,
	v.trigger,
	v.params,
	v.condition,
	jsonb_array_length(v.steps) AS steps,
	r.state,
	CASE WHEN p.problem IS NOT NULL THEN '⚠' WHEN r.state = 'active' THEN '✅' ELSE '⚪' END AS state_icon,
	p.problem IS NULL AS valid,
	p.problem,
	r.position,
	r.owner,
	r.on_error,
	r.version,
	r.description,
	r.created_at,
	v.created_at AS changed_at,
	v.evaluate,
	automation._on_bulk(r.id) AS on_bulk,
	r.in_test
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
JOIN automation._rule_problem AS p ON p.rule_id = r.id
ORDER BY r.position, r.id;
COMMENT ON VIEW automation.rules IS 'Rules in listed order; one that is not valid takes no runs, problem tells why';
COMMENT ON COLUMN automation.rules.steps IS 'How many steps it has';
COMMENT ON COLUMN automation.rules.state_icon IS 'The state as a sign';
COMMENT ON COLUMN automation.rules.valid IS 'Whether it can run';
COMMENT ON COLUMN automation.rules.problem IS 'Why not';
COMMENT ON COLUMN automation.rules.version IS 'Its present version, counted from 1';
COMMENT ON COLUMN automation.rules.created_at IS 'When it was made';
COMMENT ON COLUMN automation.rules.changed_at IS 'When its present version was written';
COMMENT ON COLUMN automation.rules.in_test IS 'It is in test mode: its messages are not sent';
COMMENT ON COLUMN automation.rules.on_bulk IS 'What becomes of it in a transaction that sets off too much: hold, run, log_only or skip';

CREATE VIEW automation.rule_steps AS
SELECT
	r.name AS rule,
	s.place AS step,
	s.step ->> 'action' AS action,
	s.step -> 'params' AS params,
	s.step ->> 'condition' AS condition,
	s.step -> 'timing' AS timing,
	s.step -> 'uses' AS uses
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version,
	LATERAL jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
ORDER BY r.position, r.id, s.place;
COMMENT ON VIEW automation.rule_steps IS 'Steps of every rule; uses: the templates that one names, and which versions of them it says';
COMMENT ON COLUMN automation.rule_steps.rule IS 'What the rule is called';
COMMENT ON COLUMN automation.rule_steps.step IS 'Counted from 1';
COMMENT ON COLUMN automation.rule_steps.action IS 'What it does: an action of automation.actions';
COMMENT ON COLUMN automation.rule_steps.params IS 'Parameters of the action';
COMMENT ON COLUMN automation.rule_steps.condition IS 'When it is done at all: SQL over new and old; null: always';
COMMENT ON COLUMN automation.rule_steps.timing IS 'When it is done; empty: at once';
COMMENT ON COLUMN automation.rule_steps.uses IS 'Versions of the templates that it names';

CREATE VIEW automation.rule_history AS
SELECT coalesce(r.name, v.name) AS rule, v.version, r.version = v.version AS present, v.trigger, v.params, v.condition, v.steps,
	v.author, v.reason, v.created_at, v.evaluate, v.filters
FROM automation.rule_version AS v
LEFT JOIN automation.rule AS r ON r.id = v.rule_id
ORDER BY v.rule_id, v.version;
COMMENT ON VIEW automation.rule_history IS 'Every version of every rule, dropped ones too; automation.rollback_rule() goes back to one';
COMMENT ON COLUMN automation.rule_history.rule IS 'What the rule is called, or was in that version if it is dropped';
COMMENT ON COLUMN automation.rule_history.version IS 'Counted from 1';
COMMENT ON COLUMN automation.rule_history.present IS 'Whether it is what the rule says now';

CREATE VIEW automation.folders AS
SELECT f.path, automation._parent_folder(f.path) AS parent, f.path = 'Default' AS is_default,
	(SELECT count(*) FROM automation.rule AS r WHERE r.folder = f.path) AS rules,
	(SELECT count(*) FROM automation.component AS c WHERE c.folder = f.path AND c.kind = 'template') AS templates,
	(SELECT count(*) FROM automation.component AS c WHERE c.folder = f.path AND c.kind = 'action_template') AS action_templates,
	(SELECT count(*) FROM automation.component AS c WHERE c.folder = f.path AND c.kind = 'filter') AS filters,
	f.description, f.created_by
FROM (
	SELECT 'Default', NULL, NULL
	UNION ALL
	SELECT o.path, o.description, o.created_by FROM automation.folder AS o
) AS f(path, description, created_by)
ORDER BY f.path <> 'Default', string_to_array(f.path, '/');
COMMENT ON VIEW automation.folders IS 'Folders as a tree, with how much lies in each itself';
COMMENT ON COLUMN automation.folders.parent IS 'Folder it lies in';
COMMENT ON COLUMN automation.folders.is_default IS 'Whether it is where rules are put that name no other';
COMMENT ON COLUMN automation.folders.rules IS 'How many rules lie in it';
COMMENT ON COLUMN automation.folders.templates IS 'How many message templates';
COMMENT ON COLUMN automation.folders.action_templates IS 'How many action templates';
COMMENT ON COLUMN automation.folders.filters IS 'How many filters';
