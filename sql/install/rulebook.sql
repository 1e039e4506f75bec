-- What the engine reads: whether a rule can run, what it is compiled to, and which rows cannot concern it.

-- No part of a dump: numbers of columns and hashes of values mean something in this database only.
CREATE TABLE automation.rule_index (
	rule_id integer NOT NULL,
	version integer NOT NULL,
	made_by text NOT NULL DEFAULT version(),
	relation regclass NOT NULL,
	at_commit boolean NOT NULL,
	is_timed boolean NOT NULL,
	watched smallint[] NOT NULL,
	columns smallint[] NOT NULL,
	functions oid[] NOT NULL,
	collations oid[] NOT NULL,
	hashes bigint[] NOT NULL,
	waits_for smallint[],
	PRIMARY KEY (rule_id, version)
);
-- Of a short list sessions read all with their first write: what is stored so is read in place.
ALTER TABLE automation.rule_index
	ALTER watched SET STORAGE PLAIN,
	ALTER columns SET STORAGE PLAIN,
	ALTER functions SET STORAGE PLAIN,
	ALTER collations SET STORAGE PLAIN,
	ALTER hashes SET STORAGE PLAIN;
COMMENT ON TABLE automation.rule_index IS 'What is known of each compiled rule without reading it: which rows it cannot concern';
COMMENT ON COLUMN automation.rule_index.rule_id IS 'The rule';
COMMENT ON COLUMN automation.rule_index.version IS 'Which version of it';
COMMENT ON COLUMN automation.rule_index.made_by IS 'Version of the server; what another one has made is made again';
COMMENT ON COLUMN automation.rule_index.relation IS 'Its event relation';
COMMENT ON COLUMN automation.rule_index.at_commit IS 'It is judged when the transaction ends';
COMMENT ON COLUMN automation.rule_index.is_timed IS 'Its runs begin later: what waits is planned though it is paused';
COMMENT ON COLUMN automation.rule_index.watched IS 'Columns of its event relation that an update must have changed';
COMMENT ON COLUMN automation.rule_index.columns IS 'Columns of its event relation that it compares with values';
COMMENT ON COLUMN automation.rule_index.functions IS 'Hash function of each of the columns';
COMMENT ON COLUMN automation.rule_index.collations IS 'Collation for each of them';
COMMENT ON COLUMN automation.rule_index.hashes IS 'One number for each list of values of the columns that the rule takes';
COMMENT ON COLUMN automation.rule_index.waits_for IS 'Columns of its relation whose change may end what waits, 0 among them; null: nothing of it waits';

-- For long lists: which columns are compared at all, and which rules compare them with what a row has.
CREATE INDEX rule_index_shape ON automation.rule_index (relation, columns, functions, collations, at_commit);
CREATE INDEX rule_index_hashes ON automation.rule_index USING gin (hashes) WITH (fastupdate = off);
CREATE INDEX rule_index_waits ON automation.rule_index (rule_id) WHERE waits_for IS NOT NULL;

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.rule_index
FOR EACH STATEMENT EXECUTE FUNCTION automation._rules_changed();
ALTER TABLE automation.rule_index ENABLE ALWAYS TRIGGER pg_automation_changed;

CREATE FUNCTION automation._obstacle(rule_id integer) RETURNS text
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_obstacle';
COMMENT ON FUNCTION automation._obstacle(integer) IS 'Why PostgreSQL would not execute what a rule was compiled to, in the name of its owner, or null';

CREATE VIEW automation._rule_problem AS
SELECT r.id AS rule_id, CASE
	WHEN o.oid IS NULL THEN format('role %s does not exist', r.owner)
	WHEN o.rolsuper AND NOT coalesce(current_setting('pg_automation.superuser_rules', true)::boolean, true)
	THEN 'pg_automation.superuser_rules is off'
	WHEN subject.id IS NULL THEN format('table "%s" is not attached', r.relation)
	WHEN source.id IS NULL THEN format('table "%s" is not attached', r.event_relation)
	ELSE coalesce((
			SELECT format('compiled function "%s" does not exist',
				min(automation._rule_function(r.id, r.version, concat_ws('_', p.part, p.step))))
			FROM automation._part AS p
			WHERE p.rule_id = r.id AND p.version = r.version AND p.function IS NULL
			HAVING count(*) > 0),
		CASE WHEN NOT pg_is_in_recovery() THEN automation._obstacle(r.id) END)
END AS problem
FROM automation.rule AS r
LEFT JOIN pg_catalog.pg_roles AS o ON o.oid = r.owner
LEFT JOIN automation.entity AS subject ON subject.relation = r.relation
LEFT JOIN automation.entity AS source ON source.relation = r.event_relation;
COMMENT ON VIEW automation._rule_problem IS 'Why a rule cannot run, or null';

CREATE FUNCTION automation._problem(rule_id integer) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT p.problem FROM automation._rule_problem AS p WHERE p.rule_id = _problem.rule_id;
END;
COMMENT ON FUNCTION automation._problem(integer) IS 'Why a rule cannot run, or null';

CREATE VIEW automation._wait AS
SELECT
	r.id AS rule_id,
	v.version,
	w.step,
	r.event_relation,
	r.relation,
	coalesce(automation._rule_part(r.id, v.version, 'due_' || w.step), 0) AS due_function,
	coalesce(automation._rule_part(r.id, v.version, 'unless_' || w.step), 0) AS unless_function,
	automation._column_numbers(r.relation, automation._rule_part(r.id, v.version, 'cancel_' || w.step)) AS cancelled_by,
	(automation._column_numbers(r.relation, automation._rule_part(r.id, v.version, 'anchor_' || w.step)))[1] AS anchored_on,
	coalesce(w.timing ->> 'cancel_mode' = 'differs', false) AS by_difference,
	coalesce((w.timing ->> 'after_previous')::boolean, false) OR coalesce(w.timing ->> 'anchor' = 'previous', false) AS after_previous,
	coalesce(w.timing ->> 'anchor', 'trigger') AS anchor,
	w.timing ?| '{cron,every}' AS recurs,
	w.timing ? 'cron' AS has_no_row,
	coalesce(automation._rule_part(r.id, v.version, 'until_' || w.step), 0) AS until_function
FROM automation.rule AS r
JOIN automation.rule_version AS v ON v.rule_id = r.id
CROSS JOIN LATERAL (
	SELECT 0::smallint, v.timing WHERE v.timing IS NOT NULL
	UNION ALL
	SELECT s.place::smallint, s.step -> 'timing'
	FROM jsonb_array_elements(v.steps) WITH ORDINALITY AS s(step, place)
	WHERE automation._is_delayed(s.step -> 'timing')
) AS w(step, timing)
WHERE automation._rule_part(r.id, v.version, 'when') IS NOT NULL;
COMMENT ON VIEW automation._wait IS 'Steps that wait, and rules whose runs begin later (step 0): for what, and what cancels them';

-- The index of rules

CREATE FUNCTION automation._index_key(owner regrole, function oid)
RETURNS TABLE (watched smallint[], columns smallint[], functions oid[], collations oid[], hashes bigint[])
LANGUAGE C STABLE AS 'MODULE_PATHNAME', 'automation_index_key';
COMMENT ON FUNCTION automation._index_key(regrole, oid) IS 'What a compiled condition asks of the values of columns, found out with the rights of the rule''s owner';

CREATE FUNCTION automation._known_of(rule_id integer, version integer)
RETURNS TABLE (watched smallint[], columns smallint[], functions oid[], collations oid[], hashes bigint[])
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- A rule that waits for a date has to see every change.
	SELECT k.*
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id,
		LATERAL automation._index_key(r.owner,
			CASE WHEN v.is_standing THEN 0 ELSE coalesce(automation._rule_part(r.id, v.version, 'when'), 0) END) AS k
	WHERE r.id = _known_of.rule_id AND v.version = _known_of.version;
END;
COMMENT ON FUNCTION automation._known_of(integer, integer) IS 'What a version of a rule asks of the values of columns';

CREATE FUNCTION automation._columns_read(relation regclass, function oid) RETURNS smallint[]
LANGUAGE sql STABLE
RETURN ARRAY(
	SELECT d.refobjsubid::smallint
	FROM pg_depend AS d
	WHERE d.classid = 'pg_proc'::regclass AND d.objid = function
		AND d.refclassid = 'pg_class'::regclass AND d.refobjid = relation AND d.refobjsubid > 0
);
COMMENT ON FUNCTION automation._columns_read(regclass, oid) IS 'Columns of a table that a compiled function names';

CREATE FUNCTION automation._index_rule(rule_id integer, version integer) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO automation.rule_index AS i (rule_id, version, relation, at_commit, is_timed, watched, columns, functions, collations, hashes, waits_for)
	SELECT _index_rule.rule_id, _index_rule.version, r.event_relation, v.evaluate = 'commit', v.timing IS NOT NULL, k.watched, k.columns, k.functions, k.collations, k.hashes,
		(SELECT array_agg(DISTINCT c.attnum)
		FROM automation._wait AS w
		CROSS JOIN LATERAL unnest(CASE WHEN w.by_difference THEN '{}' ELSE coalesce(w.cancelled_by, '{}') END
			|| automation._columns_read(w.relation, w.until_function) || coalesce(w.anchored_on, 0::smallint)) AS c(attnum)
		WHERE w.rule_id = _index_rule.rule_id AND w.version = _index_rule.version)
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id,
		LATERAL automation._known_of(_index_rule.rule_id, _index_rule.version) AS k
	WHERE r.id = _index_rule.rule_id AND v.version = _index_rule.version
	ON CONFLICT ON CONSTRAINT rule_index_pkey DO UPDATE
	SET made_by = excluded.made_by, relation = excluded.relation, at_commit = excluded.at_commit, is_timed = excluded.is_timed, watched = excluded.watched, columns = excluded.columns, functions = excluded.functions,
		collations = excluded.collations, hashes = excluded.hashes, waits_for = excluded.waits_for;
END;
COMMENT ON FUNCTION automation._index_rule(integer, integer) IS 'Notes what is known of a version of a rule without reading it';

CREATE FUNCTION automation._is_indexed() RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM automation.rule_index AS i WHERE i.made_by = version());
END;
COMMENT ON FUNCTION automation._is_indexed() IS 'Whether rule_index is of this database and server: all of it is, or nothing';

CREATE FUNCTION automation._unknown_rules() RETURNS TABLE (rule_id integer, version integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.id, r.version
	FROM automation.rule AS r
	LEFT JOIN automation.rule_index AS i ON i.rule_id = r.id AND i.version = r.version AND i.made_by = (SELECT version())
	WHERE i.rule_id IS NULL AND r.event_relation IS NOT NULL
		AND (r.state IN ('active', 'paused') OR automation._rule_part(r.id, r.version, 'when') IS NOT NULL);
END;
COMMENT ON FUNCTION automation._unknown_rules() IS 'Rules that are not in rule_index: those that are compiled, or are to run and say in the log why they cannot';

CREATE FUNCTION automation._index_rules() RETURNS void
LANGUAGE plpgsql -- what is pending comes later
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM automation._unknown_rules()) THEN
		PERFORM automation._index_rule(v.rule_id, v.version)
		FROM (
			SELECT u.rule_id, u.version FROM automation._unknown_rules() AS u
			UNION
			SELECT p.rule_id, p.version FROM automation.pending AS p
			WHERE automation._rule_part(p.rule_id, p.version, 'when') IS NOT NULL
		) AS v;
	END IF;
END
$$;
COMMENT ON FUNCTION automation._index_rules() IS 'Indexes rules that came with a dump, or that another version of the server has indexed';

CREATE FUNCTION automation._rules_of(relation regclass)
RETURNS TABLE (rule_id integer, version integer, place integer, at_commit boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.id, r.version, r.position, v.evaluate = 'commit'
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id AND v.version = r.version
		AND (r.state = 'active' OR r.state = 'paused' AND v.timing IS NOT NULL)
	LEFT JOIN pg_catalog.pg_authid AS o ON o.oid = r.owner
	WHERE r.event_relation = _rules_of.relation
		AND (o.rolsuper IS NOT TRUE OR (SELECT coalesce(current_setting('pg_automation.superuser_rules', true)::boolean, true)));
END;
COMMENT ON FUNCTION automation._rules_of(regclass) IS 'Rules that changes of a table can fire, where nothing is indexed';

CREATE FUNCTION automation._listed(relation regclass)
RETURNS TABLE (
	rule_id integer,
	version integer,
	place integer,
	at_commit boolean,
	watched smallint[],
	columns smallint[],
	functions oid[],
	collations oid[],
	hashes bigint[])
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.id, r.version, r.position, i.at_commit, i.watched, i.columns, i.functions, i.collations, i.hashes
	FROM automation.rule_index AS i
	JOIN automation.rule AS r ON r.id = i.rule_id AND r.version = i.version
		AND (r.state = 'active' OR r.state = 'paused' AND i.is_timed)
	LEFT JOIN pg_catalog.pg_authid AS o ON o.oid = r.owner
	WHERE i.relation = _listed.relation
		AND (o.rolsuper IS NOT TRUE OR (SELECT coalesce(current_setting('pg_automation.superuser_rules', true)::boolean, true)));
END;
COMMENT ON FUNCTION automation._listed(regclass) IS 'The same where they are indexed, with what is known of each without reading it';

CREATE FUNCTION automation._is_long(relation regclass, many integer) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (SELECT FROM automation.rule_index AS i WHERE i.relation = _is_long.relation OFFSET many);
END;
COMMENT ON FUNCTION automation._is_long(regclass, integer) IS 'Whether more rules than that are indexed for a table';

CREATE FUNCTION automation._shapes_of(relation regclass)
RETURNS TABLE (at_commit boolean, columns smallint[], functions oid[], collations oid[])
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- From each to the next in the index, past all the rules that share it.
	WITH RECURSIVE shape AS (
		(SELECT i.columns, i.functions, i.collations, i.at_commit
		FROM automation.rule_index AS i
		WHERE i.relation = _shapes_of.relation
		ORDER BY i.columns, i.functions, i.collations, i.at_commit
		LIMIT 1)
		UNION ALL
		SELECT n.columns, n.functions, n.collations, n.at_commit
		FROM shape AS s
		CROSS JOIN LATERAL (
			SELECT i.columns, i.functions, i.collations, i.at_commit
			FROM automation.rule_index AS i
			WHERE i.relation = _shapes_of.relation AND (i.columns, i.functions, i.collations, i.at_commit) > (s.columns, s.functions, s.collations, s.at_commit)
			ORDER BY i.columns, i.functions, i.collations, i.at_commit
			LIMIT 1
		) AS n
	)
	SELECT s.at_commit, s.columns, s.functions, s.collations FROM shape AS s;
END;
COMMENT ON FUNCTION automation._shapes_of(regclass) IS 'Lists of columns that the rules of a table compare with constants';

CREATE FUNCTION automation._touched_columns(entity_id integer) RETURNS TABLE (attnum smallint, name text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT w.attnum, a.attname
	FROM automation.entity AS e
	JOIN automation.rule AS r ON r.relation = e.relation AND r.state <> 'draft'
	JOIN automation.rule_index AS i ON i.rule_id = r.id AND i.waits_for IS NOT NULL
	CROSS JOIN LATERAL unnest(i.waits_for) AS w(attnum)
	LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = e.relation AND a.attnum = w.attnum
	WHERE e.id = entity_id
	GROUP BY w.attnum, a.attname
	UNION ALL
	-- Until the rules that came with a dump are indexed, any column may be one.
	SELECT c.attnum, c.attname
	FROM automation.entity AS e
	CROSS JOIN LATERAL (
		SELECT 0::smallint, NULL
		UNION ALL
		SELECT a.attnum, a.attname
		FROM pg_catalog.pg_attribute AS a
		WHERE a.attrelid = e.relation AND a.attnum > 0 AND NOT a.attisdropped
	) AS c(attnum, attname)
	WHERE e.id = entity_id AND NOT automation._is_indexed() AND EXISTS (SELECT FROM automation.rule AS r WHERE r.relation = e.relation);
END;
COMMENT ON FUNCTION automation._touched_columns(integer) IS 'Columns whose change may end something that waits for the row, 0 among them';

CREATE FUNCTION automation._rule_parts(rule_id integer, version integer)
RETURNS TABLE (
	step smallint,
	action text,
	kind text,
	server oid,
	channel text,
	channel_kind text,
	function oid,
	if_function oid,
	anchor text,
	after_previous boolean,
	by_difference boolean,
	recurs boolean,
	has_no_row boolean,
	anchored_on smallint,
	cancelled_by smallint[],
	due_function oid,
	unless_function oid,
	events text[],
	key_function oid,
	owner oid,
	search_path text,
	subject integer,
	fails boolean,
	is_standing boolean,
	is_active boolean,
	state text,
	finishes boolean,
	on_bulk text,
	until_function oid,
	in_test boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT s.step, d.name, d.kind, coalesce(c.oid, 0), s.channel, d.channel_kind,
		automation._rule_part(r.id, v.version, CASE s.step WHEN 0 THEN 'when' ELSE 'step_' || s.step END),
		automation._rule_part(r.id, v.version, CASE s.step WHEN 0 THEN 'still' ELSE 'if_' || s.step END),
		w.anchor, w.after_previous, w.by_difference, w.recurs, w.has_no_row, w.anchored_on, w.cancelled_by, w.due_function,
		w.unless_function, v.events, automation._rule_part(r.id, v.version, 'key'), r.owner::oid, r.search_path, subject.id,
		r.on_error = 'fail', v.is_standing,
		r.state = 'active' AND r.version = v.version AND coalesce(automation._superuser_may(r.owner), true), r.state,
		r.in_flight = 'finish', automation._on_bulk(r.id), w.until_function, r.in_test
	FROM automation.rule AS r
	JOIN automation.rule_version AS v ON v.rule_id = r.id
	JOIN automation.entity AS subject ON subject.relation = r.relation
	CROSS JOIN LATERAL (
		SELECT 0::smallint, NULL, NULL
		UNION ALL
		SELECT u.place::smallint, u.step ->> 'action', u.step -> 'params' ->> 'channel'
		FROM jsonb_array_elements(v.steps) WITH ORDINALITY AS u(step, place)
	) AS s(step, action, channel)
	LEFT JOIN automation.action_definition AS d ON d.name = s.action
	LEFT JOIN automation._wait AS w ON w.rule_id = r.id AND w.version = v.version AND w.step = s.step
	LEFT JOIN pg_catalog.pg_foreign_server AS c ON c.srvname = s.channel
	WHERE r.id = _rule_parts.rule_id AND v.version = _rule_parts.version
	ORDER BY s.step;
END;
COMMENT ON FUNCTION automation._rule_parts(integer, integer)
	IS 'A version of a rule as the engine reads it: the rule itself (step 0), then its steps. One that is not active only finishes what it has begun';

CREATE FUNCTION automation._indexed(compiled text[]) RETURNS SETOF automation.rule_index
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT i.*
	FROM unnest(compiled) AS c(name)
	JOIN automation.rule_index AS i ON i.rule_id = split_part(c.name, '_', 1)::integer AND i.version = split_part(c.name, '_', 2)::integer;
END;
COMMENT ON FUNCTION automation._indexed(text[]) IS 'The versions of rules ("1_2": of rule 1 the second) that are indexed';
