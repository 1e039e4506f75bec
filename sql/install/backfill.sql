-- A rule that is activated for the rows that are there already: looked through in the order of their keys,
-- so many a second, by tick().

CREATE TABLE automation.activation (
	rule_id integer PRIMARY KEY,
	version integer NOT NULL,
	since bigint NOT NULL DEFAULT nextval('automation.run_id_seq'),
	started_at timestamptz NOT NULL DEFAULT automation._now(),
	worked_at timestamptz NOT NULL DEFAULT automation._now(),
	finished_at timestamptz,
	state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'finished', 'cancelled')),
	rate integer NOT NULL CHECK (rate BETWEEN 1 AND 100000),
	total bigint NOT NULL,
	seen bigint NOT NULL DEFAULT 0,
	fired bigint NOT NULL DEFAULT 0,
	last_key jsonb
);
COMMENT ON TABLE automation.activation IS 'Rules that are being applied to rows that were there before';
COMMENT ON COLUMN automation.activation.rule_id IS 'The rule';
COMMENT ON COLUMN automation.activation.version IS 'What it said when it was activated';
COMMENT ON COLUMN automation.activation.since IS 'Rows for which it has fired since this number are left alone';
COMMENT ON COLUMN automation.activation.started_at IS 'When it was activated';
COMMENT ON COLUMN automation.activation.worked_at IS 'When rows were last looked at';
COMMENT ON COLUMN automation.activation.finished_at IS 'When it ended';
COMMENT ON COLUMN automation.activation.state IS 'running, finished or cancelled';
COMMENT ON COLUMN automation.activation.rate IS 'Rows a second, at most';
COMMENT ON COLUMN automation.activation.total IS 'Rows there were at the start';
COMMENT ON COLUMN automation.activation.seen IS 'Rows looked at so far';
COMMENT ON COLUMN automation.activation.fired IS 'Of those, rows to which the rule applied';
COMMENT ON COLUMN automation.activation.last_key IS 'How far it has come';

CREATE TABLE automation.missed (
	rule_id integer NOT NULL,
	key text NOT NULL
);
COMMENT ON TABLE automation.missed IS 'Rows that somebody had locked when it was their turn: they are looked at again';
COMMENT ON COLUMN automation.missed.rule_id IS 'The rule that is being applied';
COMMENT ON COLUMN automation.missed.key IS 'Key of the row whose insertion would fire it';

CREATE VIEW automation.activations AS
SELECT
	r.name AS rule,
	a.state,
	a.total,
	a.seen,
	a.fired,
	a.rate,
	round(100.0 * least(a.seen, a.total) / nullif(a.total, 0), 1) AS percent,
	a.started_at,
	a.finished_at
FROM automation.activation AS a
JOIN automation.rule AS r ON r.id = a.rule_id;
COMMENT ON VIEW automation.activations IS 'Rules that were activated for rows that were there before, and how far that has come';
COMMENT ON COLUMN automation.activations.rule IS 'What the rule is called';
COMMENT ON COLUMN automation.activations.percent IS 'How much of it is done';

-- Keys in their order

CREATE FUNCTION automation._rows_query(relation regclass, has_begun boolean) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT format(
		'SELECT pg_catalog.jsonb_agg(n.record) FROM ('
		'SELECT pg_catalog.to_jsonb(t) AS record FROM %s AS t, pg_catalog.jsonb_to_record($1 -> ''after'') AS k (%s) WHERE %s ORDER BY %s '
		'LIMIT ($1 ->> ''most'')::integer) AS n',
		relation,
		string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY c.place),
		CASE WHEN has_begun THEN string_agg(
			(
				SELECT format('(%s)', string_agg(format('t.%1$I %2$s k.%1$I', b.attname,
					automation._type_operator(CASE WHEN e.place < c.place THEN '=' ELSE '>' END, b.atttypid::regtype)), ' AND ' ORDER BY e.place))
				FROM unnest(automation._key(relation)) WITH ORDINALITY AS e(name, place)
				JOIN pg_catalog.pg_attribute AS b ON b.attrelid = relation AND b.attname = e.name
				WHERE e.place <= c.place
			), ' OR ' ORDER BY c.place) ELSE 'true' END,
		string_agg(format('t.%I', a.attname), ', ' ORDER BY c.place))
	FROM unnest(automation._key(relation)) WITH ORDINALITY AS c(name, place)
	JOIN pg_catalog.pg_attribute AS a ON a.attrelid = relation AND a.attname = c.name;
END;
COMMENT ON FUNCTION automation._rows_query(regclass, boolean) IS 'Query for the next rows of a table in the order of their keys, $1 ->> most of them, after the key that is $1 -> after';

CREATE FUNCTION automation._next_rows(relation regclass, last_key jsonb, most integer) RETURNS SETOF jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = relation);
BEGIN
	RETURN QUERY SELECT jsonb_array_elements(automation._ask(owner, automation._rows_query(relation, last_key IS NOT NULL),
		jsonb_build_object('after', coalesce(last_key, '{}'), 'most', most)));
END
$$;
COMMENT ON FUNCTION automation._next_rows(regclass, jsonb, integer) IS 'The next rows of an attached table, in the order of their keys';

CREATE FUNCTION automation._backfill()
RETURNS TABLE (rule_id integer, version integer, entity_id integer, key text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	job automation.activation;
	present integer;
	source automation.entity;
	record jsonb;
	most integer;
	missed integer;
	count integer;
BEGIN
	FOR job IN
		SELECT a.* FROM automation.activation AS a
		JOIN automation.rule AS r ON r.id = a.rule_id
		WHERE a.state = 'running' AND r.state = 'active' AND a.rate * extract(epoch FROM automation._now() - a.worked_at) >= 1
		FOR UPDATE OF a SKIP LOCKED
	LOOP
		-- It may have been altered meanwhile.
		SELECT r.version INTO present FROM automation.rule AS r WHERE r.id = job.rule_id;
		SELECT e.* INTO source
		FROM automation.rule AS r JOIN automation.entity AS e ON e.relation = r.event_relation
		WHERE r.id = job.rule_id;
		-- Few at a time: each locks what its rule changes until all of them are done.
		most := least(100, job.rate * extract(epoch FROM automation._now() - job.worked_at));
		RETURN QUERY
		DELETE FROM automation.missed AS m
		WHERE m.ctid = ANY (ARRAY(SELECT l.ctid FROM automation.missed AS l WHERE l.rule_id = job.rule_id LIMIT most))
		RETURNING job.rule_id, present, source.id, m.key;
		GET DIAGNOSTICS missed = ROW_COUNT;
		-- One that stays locked holds up no other.
		most := greatest(most - missed, 1);
		count := 0;
		rule_id := job.rule_id;
		version := present;
		entity_id := source.id;
		FOR record IN SELECT r FROM automation._next_rows(source.relation, job.last_key, most) AS r LOOP
			job.last_key := (SELECT jsonb_object_agg(k, record -> k) FROM unnest(automation._key(source.relation)) AS k);
			key := CASE WHEN (SELECT count(*) FROM jsonb_object_keys(job.last_key)) = 1
				THEN (SELECT k.value FROM jsonb_each_text(job.last_key) AS k) ELSE job.last_key::text END;
			count := count + 1;
			RETURN NEXT;
		END LOOP;
		UPDATE automation.activation AS a
		SET seen = a.seen + count, last_key = job.last_key, worked_at = automation._now(),
			state = CASE WHEN count < most AND missed = 0 THEN 'finished' ELSE a.state END,
			finished_at = CASE WHEN count < most AND missed = 0 THEN automation._now() END
		WHERE a.rule_id = job.rule_id;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._backfill() IS 'The rows that are to be looked at next, as many as the rates allow';

CREATE FUNCTION automation._missed(rule_id integer, key text) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO automation.missed (rule_id, key) VALUES (_missed.rule_id, _missed.key);
	UPDATE automation.activation AS a SET state = 'running', finished_at = NULL
	WHERE a.rule_id = _missed.rule_id AND a.state = 'finished';
END;
COMMENT ON FUNCTION automation._missed(integer, text) IS 'Somebody has locked the row: it is looked at again';

CREATE FUNCTION automation._has_fired(rule_id integer, subject integer, key text) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (
		SELECT FROM automation.run AS u
		WHERE u.entity_id = subject AND u.key = _has_fired.key AND u.rule_id = _has_fired.rule_id AND u.id > a.since
	) OR EXISTS (
		SELECT FROM automation.pending AS p
		WHERE p.entity_id = subject AND p.key = _has_fired.key AND p.rule_id = _has_fired.rule_id AND p.id > a.since)
	FROM automation.activation AS a
	WHERE a.rule_id = _has_fired.rule_id;
END;
COMMENT ON FUNCTION automation._has_fired(integer, integer, text) IS 'Whether the rule has fired for a row since it was activated for all';

CREATE FUNCTION automation._count_fired(rule_id integer) RETURNS void
LANGUAGE sql
BEGIN ATOMIC
	UPDATE automation.activation AS a SET fired = a.fired + 1 WHERE a.rule_id = _count_fired.rule_id;
END;
COMMENT ON FUNCTION automation._count_fired(integer) IS 'Notes that the rule applied to one more row';

-- Verbs

CREATE FUNCTION automation._matches(owner regrole, search_path text, function oid, relation regclass) RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_matches';
COMMENT ON FUNCTION automation._matches(regrole, text, oid, regclass)
	IS 'To how many rows a compiled condition applies as if each had just been inserted, with the rights of the rule''s owner, in a restricted context';

CREATE FUNCTION automation.matching_rows(rule text) RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.matching_rows(text) IS 'To how many rows a rule would apply if each had just been inserted: what activate_rule() with apply_to => ''all'' would do';

CREATE FUNCTION automation._matching_rows(caller regrole, rule text) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	asked automation.rule := automation._own_rule(caller, rule);
	condition oid := coalesce(
		automation._rule_part(asked.id, asked.version, 'still'), automation._rule_part(asked.id, asked.version, 'when'));
BEGIN
	RETURN automation._matches(asked.owner, asked.search_path, condition, asked.event_relation);
END
$$;
COMMENT ON FUNCTION automation._matching_rows(regrole, text) IS 'automation.matching_rows()';

CREATE FUNCTION automation._apply_to_all(rule automation.rule, rate integer) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	owner regrole := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = rule.event_relation);
	total bigint := automation._ask(owner, format('SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) FROM %s', rule.event_relation), '{}');
BEGIN
	IF automation._is_guard(rule.id) THEN
		PERFORM automation._fail('0A000', format('rule "%s" is a guard', rule.name), 'Rows that are there already cannot be refused.');
	ELSIF (rate BETWEEN 1 AND 100000) IS NOT TRUE THEN
		PERFORM automation._fail('22023', 'rate must be between 1 and 100000', hint => 'It is a number of rows a second.');
	END IF;
	DELETE FROM automation.activation AS a WHERE a.rule_id = rule.id;
	DELETE FROM automation.missed AS m WHERE m.rule_id = rule.id;
	INSERT INTO automation.activation (rule_id, version, rate, total) VALUES (rule.id, rule.version, rate, total);
	RAISE NOTICE 'rule "%" is applied to the % rows of table "%", at most % a second', rule.name, total, rule.event_relation, rate
	USING HINT = 'See automation.activations; automation.cancel_activation() ends it.';
	PERFORM automation._wake_worker();
END
$$;
COMMENT ON FUNCTION automation._apply_to_all(automation.rule, integer) IS 'Begins to apply a rule to rows that are there already';

CREATE FUNCTION automation.cancel_activation(rule text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.cancel_activation(text) IS 'No further rows that were there before are looked at; the rule stays active';

CREATE FUNCTION automation._cancel_activation(caller regrole, rule text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cancelled automation.rule := automation._rule(rule);
BEGIN
	IF NOT automation._is_operator(caller) THEN
		PERFORM automation._own_rule(caller, rule);
	END IF;
	UPDATE automation.activation AS a SET state = 'cancelled', finished_at = automation._now()
	WHERE a.rule_id = cancelled.id AND a.state = 'running';
	IF NOT FOUND THEN
		PERFORM automation._fail('55000', format('rule "%s" is not being applied to rows that were there before', rule));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._cancel_activation(regrole, text) IS 'automation.cancel_activation()';
