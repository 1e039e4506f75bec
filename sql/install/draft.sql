-- Drafts: what a rule is to say, and does not yet.

CREATE TABLE automation.rule_draft (
	rule_id integer PRIMARY KEY,
	based_on integer NOT NULL,
	says jsonb NOT NULL,
	author regrole NOT NULL,
	reason text,
	created_at timestamptz NOT NULL DEFAULT automation._now()
);
COMMENT ON TABLE automation.rule_draft IS 'Changes of rules that are not published';
COMMENT ON COLUMN automation.rule_draft.rule_id IS 'The rule';
COMMENT ON COLUMN automation.rule_draft.based_on IS 'Version of the rule when the draft was begun';
COMMENT ON COLUMN automation.rule_draft.says IS '{name, trigger, params, condition, steps, evaluate}';
COMMENT ON COLUMN automation.rule_draft.author IS 'Who wrote it last';
COMMENT ON COLUMN automation.rule_draft.reason IS 'Why';
COMMENT ON COLUMN automation.rule_draft.created_at IS 'When it was written last';

CREATE FUNCTION automation._draft(rule automation.rule) RETURNS automation.rule_version
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT ROW((_draft.rule).id, (_draft.rule).version + 1, d.says ->> 'name', d.says ->> 'trigger', d.says -> 'params', d.says ->> 'condition',
		'{}', NULL, false, d.says -> 'steps', d.author, d.reason, d.created_at, d.says ->> 'evaluate', NULL, NULL, NULL)::automation.rule_version
	FROM automation.rule_draft AS d
	WHERE d.rule_id = (_draft.rule).id;
END;
COMMENT ON FUNCTION automation._draft(automation.rule) IS 'The draft of a rule as a version, or null';

CREATE FUNCTION automation._drafts_with(kind text, name text) RETURNS SETOF automation.rule
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.*
	FROM automation.rule AS r
	JOIN automation.rule_draft AS d ON d.rule_id = r.id
	CROSS JOIN LATERAL automation._draft(r) AS v
	WHERE CASE _drafts_with.kind WHEN 'filter' THEN automation._filters_of(v) ? _drafts_with.name
		ELSE v.steps @> jsonb_build_array(jsonb_build_object('uses', jsonb_build_object(_drafts_with.kind, jsonb_build_object('name', _drafts_with.name)))) END
	ORDER BY r.position, r.id;
END;
COMMENT ON FUNCTION automation._drafts_with(text, text) IS 'Rules whose drafts have a component';

CREATE FUNCTION automation._try_version(version automation.rule_version) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	has_passed boolean := false;
BEGIN
	PERFORM automation._add_version(version);
	has_passed := true;
	RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = 'undone';
EXCEPTION WHEN raise_exception THEN
	IF NOT has_passed THEN
		RAISE;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._try_version(automation.rule_version) IS 'Raises what keeps a rule from saying this, and leaves it as it is';

CREATE FUNCTION automation._keep_draft(rule automation.rule, version automation.rule_version) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._try_version(version);
	INSERT INTO automation.rule_draft AS d (rule_id, based_on, says, author, reason)
	VALUES (rule.id, rule.version, jsonb_build_object('name', version.name, 'trigger', version.trigger, 'params', version.params,
		'condition', version.condition, 'steps', version.steps, 'evaluate', version.evaluate), version.author, version.reason)
	ON CONFLICT ON CONSTRAINT rule_draft_pkey DO UPDATE
	SET says = excluded.says, author = excluded.author, reason = coalesce(excluded.reason, d.reason), created_at = excluded.created_at;
END
$$;
COMMENT ON FUNCTION automation._keep_draft(automation.rule, automation.rule_version) IS 'Keeps a version of a rule that could run as its draft';

CREATE FUNCTION automation._own_draft(caller regrole, rule text) RETURNS automation.rule
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	drafted automation.rule := automation._own_rule(caller, rule);
BEGIN
	IF NOT EXISTS (SELECT FROM automation.rule_draft AS d WHERE d.rule_id = drafted.id) THEN
		PERFORM automation._fail('55000', format('rule "%s" has no draft', rule),
			hint => 'Use automation.alter_rule() with publish => false.');
	END IF;
	RETURN drafted;
END
$$;
COMMENT ON FUNCTION automation._own_draft(regrole, text) IS 'A rule with a draft that the caller may change';

CREATE FUNCTION automation.publish_rule(
	rule text,
	in_flight text DEFAULT 'finish',
	step_map jsonb DEFAULT NULL,
	dry_run boolean DEFAULT false)
RETURNS TABLE (run_id bigint, key text, step integer, action text, due_at timestamptz, effect text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.publish_rule(text, text, jsonb, boolean)
	IS 'Makes the draft of a rule its present version, and answers what becomes of each step that waits: in_flight is finish, cancel, or migrate; step_map: which new step goes on for which old one, {"2": 3, "3": null}. dry_run: nothing is done but to tell';

CREATE FUNCTION automation._publish(rule automation.rule, in_flight text, step_map jsonb)
RETURNS TABLE (run_id bigint, key text, step integer, action text, due_at timestamptz, effect text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	said automation.rule_version := automation._draft(rule);
BEGIN
	-- What it names may say something else by now.
	said.steps := automation._resolved_steps(said.steps);
	PERFORM automation._add_version(said);
	DELETE FROM automation.rule_draft AS d WHERE d.rule_id = rule.id;
	RETURN QUERY SELECT c.* FROM automation._carry_over(rule.id, in_flight, step_map) AS c;
END
$$;
COMMENT ON FUNCTION automation._publish(automation.rule, text, jsonb) IS 'Makes the draft of a rule its present version';

CREATE FUNCTION automation._publish_rule(caller regrole, rule text, in_flight text, step_map jsonb, dry_run boolean)
RETURNS TABLE (run_id bigint, key text, step integer, action text, due_at timestamptz, effect text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	drafted automation.rule := automation._own_draft(caller, rule);
	began CONSTANT integer := (SELECT d.based_on FROM automation.rule_draft AS d WHERE d.rule_id = drafted.id);
	effects jsonb;
BEGIN
	PERFORM automation._check_in_flight(in_flight, step_map), automation._check_author(drafted.owner, drafted.relation);
	IF began <> drafted.version THEN
		PERFORM automation._fail('55000', format('rule "%s" has changed since its draft was made', rule), (
				SELECT format('The draft changes version %s; version %s is by %s%s.', began, v.version, v.author, coalesce(': ' || v.reason, ''))
				FROM automation._version(drafted.id, drafted.version) AS v),
			format('See automation.rule_diff(%L, %s, 0) and automation.rule_diff(%L, %s, %s); use automation.discard_draft(), and make another one.',
				rule, began, rule, began, drafted.version));
	ELSIF dry_run IS NOT TRUE THEN
		RETURN QUERY SELECT p.* FROM automation._publish(drafted, in_flight, step_map) AS p;
		RETURN;
	END IF;
	BEGIN
		SELECT coalesce(jsonb_agg(to_jsonb(p)), '[]') INTO effects FROM automation._publish(drafted, in_flight, step_map) AS p;
		RAISE EXCEPTION USING ERRCODE = 'P0001', MESSAGE = 'undone';
	EXCEPTION WHEN raise_exception THEN
		IF effects IS NULL THEN
			RAISE;
		END IF;
	END;
	RETURN QUERY SELECT e.* FROM jsonb_to_recordset(effects) AS e(run_id bigint, key text, step integer, action text, due_at timestamptz, effect text);
END
$$;
COMMENT ON FUNCTION automation._publish_rule(regrole, text, text, jsonb, boolean) IS 'automation.publish_rule()';

CREATE FUNCTION automation.discard_draft(rule text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.discard_draft(text) IS 'Throws the draft of a rule away';

CREATE FUNCTION automation._discard_draft(caller regrole, rule text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	drafted automation.rule := automation._own_draft(caller, rule);
BEGIN
	DELETE FROM automation.rule_draft AS d WHERE d.rule_id = drafted.id;
END
$$;
COMMENT ON FUNCTION automation._discard_draft(regrole, text) IS 'automation.discard_draft()';

CREATE VIEW automation.drafts WITH (security_barrier) AS
SELECT r.name AS rule, d.based_on, d.based_on = r.version AS publishable, d.author, d.reason, d.created_at, d.says
FROM automation.rule_draft AS d
JOIN automation.rule AS r ON r.id = d.rule_id
WHERE pg_has_role(r.owner, 'USAGE') OR (SELECT automation._is_operator(quote_ident(current_user)::regrole))
ORDER BY r.position, r.id;
COMMENT ON VIEW automation.drafts IS 'Changes, not published, of your own rules and of those of roles you are a member of, or of all rules for an operator; not publishable: the rule has changed since';
COMMENT ON COLUMN automation.drafts.rule IS 'What the rule is called';
COMMENT ON COLUMN automation.drafts.publishable IS 'Whether the rule is still as it was when the draft was begun';

-- Differences

CREATE FUNCTION automation._leaves(document jsonb) RETURNS TABLE (path text, value jsonb)
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	WITH RECURSIVE node(path, value) AS (
		SELECT '', document
		UNION ALL
		SELECT c.path, c.value
		FROM node AS n,
			LATERAL (
				SELECT concat_ws('.', nullif(n.path, ''), o.key), o.value
				FROM jsonb_each(CASE jsonb_typeof(n.value) WHEN 'object' THEN n.value ELSE '{}' END) AS o
				UNION ALL
				SELECT format('%s[%s]', n.path, a.place), a.value
				FROM jsonb_array_elements(CASE jsonb_typeof(n.value) WHEN 'array' THEN n.value ELSE '[]' END) WITH ORDINALITY AS a(value, place)
			) AS c(path, value)
	)
	SELECT n.path, n.value FROM node AS n WHERE jsonb_typeof(n.value) NOT IN ('object', 'array', 'null');
END;
COMMENT ON FUNCTION automation._leaves(jsonb) IS 'Every single value of a document, with the way to it: steps[2].params.body';

CREATE FUNCTION automation._version_document(version automation.rule_version) RETURNS jsonb
LANGUAGE sql STABLE
RETURN jsonb_build_object('name', (version).name, 'trigger', (version).trigger, 'params', (version).params, 'condition', (version).condition,
	'evaluate', (version).evaluate, 'filters', coalesce((version).filters, automation._filters_of(version)),
	'steps', (SELECT jsonb_agg(s.step - 'written' ORDER BY s.place) FROM jsonb_array_elements((version).steps) WITH ORDINALITY AS s(step, place)));
COMMENT ON FUNCTION automation._version_document(automation.rule_version) IS 'What a version of a rule says';

CREATE FUNCTION automation.rule_diff(rule text, from_version integer DEFAULT NULL, to_version integer DEFAULT NULL)
RETURNS TABLE (part text, was text, "is" text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.rule_diff(text, integer, integer)
	IS 'In what two versions of a rule differ: by default the present one from the one before; 0 is the draft. A rule that was dropped has versions, too';

CREATE FUNCTION automation._rule_diff(caller regrole, rule text, from_version integer, to_version integer)
RETURNS TABLE (part text, was text, "is" text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	present automation.rule;
	last automation.rule_version;
	versions automation.rule_version[];
BEGIN
	SELECT r.* INTO present FROM automation.rule AS r WHERE r.name = rule;
	SELECT v.* INTO last FROM automation.rule_version AS v
	WHERE v.rule_id = coalesce(present.id, (SELECT max(d.rule_id) FROM automation.rule_version AS d WHERE d.name = rule))
	ORDER BY v.version DESC LIMIT 1;
	IF last.rule_id IS NULL THEN
		PERFORM automation._rule(rule);
	END IF;
	to_version := coalesce(to_version, last.version);
	from_version := coalesce(from_version, CASE to_version WHEN 0 THEN last.version ELSE greatest(to_version - 1, 1) END);
	versions := ARRAY(
		SELECT CASE n WHEN 0 THEN automation._draft(present) ELSE automation._version(last.rule_id, n) END
		FROM unnest(ARRAY[from_version, to_version]) WITH ORDINALITY AS u(n, place) ORDER BY u.place);
	IF versions[1].rule_id IS NULL OR versions[2].rule_id IS NULL THEN
		PERFORM automation._fail('42704', CASE WHEN (CASE WHEN versions[1].rule_id IS NULL THEN from_version ELSE to_version END) = 0
			THEN format('rule "%s" has no draft', rule)
			ELSE format('rule "%s" has no version %s', rule, CASE WHEN versions[1].rule_id IS NULL THEN from_version ELSE to_version END) END,
			format('Its versions are 1 to %s.', last.version));
	END IF;
	RETURN QUERY
	SELECT coalesce(a.path, b.path), a.value #>> '{}', b.value #>> '{}'
	FROM automation._leaves(automation._version_document(versions[1])) AS a
	FULL JOIN automation._leaves(automation._version_document(versions[2])) AS b ON b.path = a.path
	WHERE a.value IS DISTINCT FROM b.value
	ORDER BY 1;
END
$$;
COMMENT ON FUNCTION automation._rule_diff(regrole, text, integer, integer) IS 'automation.rule_diff()';
