-- What the engine watches: tables with an object type, column roles and a key, and the links from
-- a row to the rows it names.

CREATE TABLE automation.entity (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	relation regclass NOT NULL UNIQUE,
	object_type text NOT NULL,
	include_children boolean NOT NULL,
	attached_at timestamptz NOT NULL DEFAULT automation._now()
);
COMMENT ON TABLE automation.entity IS 'Attached tables. Their column roles and key are compiled: automation_compiled.entity_<id>_roles, entity_<id>_key';
COMMENT ON COLUMN automation.entity.id IS 'What the triggers on the table know it by, whatever it is called';
COMMENT ON COLUMN automation.entity.relation IS 'The table; the root of partitions, the parent of inheritance children';
COMMENT ON COLUMN automation.entity.object_type IS 'What a row is: job, deal, invoice, ...';
COMMENT ON COLUMN automation.entity.include_children IS 'Whether rows of inheritance children are rows of it';
COMMENT ON COLUMN automation.entity.attached_at IS 'When it was attached first';

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.entity
FOR EACH STATEMENT EXECUTE FUNCTION automation._rules_changed();
ALTER TABLE automation.entity ENABLE ALWAYS TRIGGER pg_automation_changed;

CREATE TABLE automation.link (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	relation regclass NOT NULL,
	name text NOT NULL,
	target regclass NOT NULL,
	UNIQUE (relation, name)
);
COMMENT ON TABLE automation.link IS 'Links that were named. Their columns are compiled: automation_compiled.link_<id>; declared foreign keys are found without a row here';
COMMENT ON COLUMN automation.link.id IS 'Number in the name of the compiled function';
COMMENT ON COLUMN automation.link.relation IS 'Table whose rows name another row';
COMMENT ON COLUMN automation.link.name IS 'First part of a path: customer in customer.phone';
COMMENT ON COLUMN automation.link.target IS 'Table of the row that is named';

CREATE TRIGGER pg_automation_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON automation.link
FOR EACH STATEMENT EXECUTE FUNCTION automation._rules_changed();
ALTER TABLE automation.link ENABLE ALWAYS TRIGGER pg_automation_changed;

-- Tables and their columns

CREATE FUNCTION automation._relation_name(relation regclass) RETURNS text
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT c.relname FROM pg_catalog.pg_class AS c WHERE c.oid = relation;
END;
COMMENT ON FUNCTION automation._relation_name(regclass) IS 'Name of a table without its schema';

CREATE FUNCTION automation._columns(relation regclass) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(a.attname::text ORDER BY a.attnum)
	FROM pg_catalog.pg_attribute AS a
	WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped;
END;
COMMENT ON FUNCTION automation._columns(regclass) IS 'Columns of a table, in order';

CREATE FUNCTION automation._check_columns(relation regclass, columns text[]) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	existing text[] := automation._columns(relation);
	name text;
BEGIN
	FOREACH name IN ARRAY columns LOOP
		IF name = ANY (existing) THEN
			CONTINUE;
		END IF;
		PERFORM automation._fail('42703',
			format('column "%s" of table "%s" does not exist', name, relation),
			hint => automation._perhaps(name, existing));
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._check_columns(regclass, text[]) IS 'Raises an error unless the table has all these columns';

CREATE FUNCTION automation._check_ownership(caller regrole, relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	owner oid := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = relation);
BEGIN
	IF relation IS NULL THEN
		PERFORM automation._fail('22004', 'relation must not be null');
	ELSIF pg_has_role(caller, owner, 'USAGE') IS NOT TRUE THEN
		PERFORM automation._fail('42501', 'must be owner of table ' || automation._relation_name(relation));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_ownership(regrole, regclass) IS 'Raises an error unless the caller owns the table';

CREATE FUNCTION automation._unique_keys(relation regclass)
RETURNS TABLE (columns text[], "primary" boolean)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT k.columns, i.indisprimary
	FROM pg_catalog.pg_index AS i,
		LATERAL (
			SELECT array_agg(a.attname::text ORDER BY c.place)
			FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS c(number, place)
			JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = c.number
			WHERE c.place <= i.indnkeyatts
		) AS k(columns)
	WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL;
END;
COMMENT ON FUNCTION automation._unique_keys(regclass) IS 'Lists of columns that an index keeps unique in the whole table';

CREATE FUNCTION automation._primary_key(relation regclass) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT k.columns FROM automation._unique_keys(relation) AS k WHERE k."primary";
END;
COMMENT ON FUNCTION automation._primary_key(regclass) IS 'Columns of the primary key, or null';

CREATE FUNCTION automation._is_unique(relation regclass, columns text[]) RETURNS boolean
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT EXISTS (
		SELECT FROM automation._unique_keys(relation) AS k
		WHERE k.columns @> _is_unique.columns AND k.columns <@ _is_unique.columns);
END;
COMMENT ON FUNCTION automation._is_unique(regclass, text[]) IS 'Whether an index keeps these columns, in any order, unique';

CREATE FUNCTION automation._children(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH RECURSIVE child (relation) AS (
		SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i WHERE i.inhparent = _children.relation
		UNION
		SELECT i.inhrelid FROM pg_catalog.pg_inherits AS i JOIN child ON child.relation = i.inhparent
	)
	SELECT child.relation::regclass
	FROM child
	JOIN pg_catalog.pg_class AS c ON c.oid = child.relation
	WHERE c.relkind = 'r' AND NOT c.relispartition
	ORDER BY child.relation;
END;
COMMENT ON FUNCTION automation._children(regclass) IS 'Inheritance children of a table, at any depth; partitions are none';

-- What can be attached

CREATE FUNCTION automation._check_kind(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	class pg_class;
	kinds CONSTANT jsonb := '{"v": "a view", "m": "a materialized view", "f": "a foreign table", "S": "a sequence",
		"i": "an index", "I": "a partitioned index", "c": "a composite type", "t": "a TOAST table"}';
BEGIN
	SELECT c.* INTO class FROM pg_class AS c WHERE c.oid = relation;
	IF relation IS NULL THEN
		PERFORM automation._fail('22004', 'relation must not be null');
	ELSIF NOT FOUND THEN
		PERFORM automation._fail('42P01', format('relation with OID %s does not exist', relation::oid));
	ELSIF class.relnamespace::regnamespace::text IN ('pg_catalog', 'pg_toast', 'information_schema') THEN
		PERFORM automation._fail('42501', format('permission denied: "%s" is a system catalog', class.relname));
	ELSIF class.relnamespace::regnamespace::text IN ('automation', 'automation_compiled') THEN
		PERFORM automation._fail('42P17', format('cannot attach rules to table "%s"', relation));
	ELSIF kinds ? class.relkind THEN
		PERFORM automation._fail('42809', format('"%s" is %s', class.relname, kinds ->> class.relkind),
			'Rules can only be attached to tables and partitioned tables.');
	ELSIF class.relpersistence = 't' THEN
		PERFORM automation._fail('0A000', format('cannot attach rules to temporary table "%s"', class.relname));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_kind(regclass) IS 'Raises an error for a relation that is not a lasting table of a user';

CREATE FUNCTION automation._check_attachable(relation regclass) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	class pg_class;
BEGIN
	PERFORM automation._check_kind(relation);
	SELECT c.* INTO class FROM pg_class AS c WHERE c.oid = relation;
	IF class.relispartition THEN
		PERFORM automation._fail('42809', format('"%s" is a partition', class.relname),
			hint => format('Attach the rule to the partitioned table "%s".',
				automation._relation_name(pg_partition_root(relation))));
	END IF;
	IF class.relpersistence = 'u' THEN
		RAISE WARNING 'table "%" is unlogged', relation
			USING DETAIL = 'A crash empties the table, but not the log of its runs and not what they sent.';
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_attachable(regclass) IS 'Raises an error for a relation that cannot be attached';

CREATE FUNCTION automation._checked_key(relation regclass, key_columns text[]) RETURNS text[]
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	primary_key text[] := automation._primary_key(relation);
BEGIN
	IF key_columns IS NULL AND primary_key IS NULL THEN
		PERFORM automation._fail('55000', format('table "%s" has no primary key', relation),
			hint => 'Specify key_columns.');
	ELSIF key_columns IS NULL THEN
		RETURN primary_key;
	END IF;
	PERFORM automation._check_columns(relation, key_columns);
	IF NOT automation._is_unique(relation, key_columns) OR EXISTS (
		SELECT FROM pg_attribute AS a
		WHERE a.attrelid = relation AND a.attname = ANY (key_columns) AND NOT a.attnotnull)
	THEN
		PERFORM automation._fail('42P17', format('columns (%s) do not form a unique key of table "%s"',
			automation._list(key_columns), relation),
			hint => 'A key needs a unique index, without WHERE, on columns that are all NOT NULL.');
	END IF;
	RETURN key_columns;
END
$$;
COMMENT ON FUNCTION automation._checked_key(regclass, text[]) IS 'Columns of the key: the given ones when they are a key, else the primary key';

CREATE FUNCTION automation._check_object_type(object_type text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Triggers are called <object type>.<event>.
	IF object_type ~ '^[[:alpha:]_][[:alnum:]_]{0,62}$' IS NOT TRUE THEN
		PERFORM automation._fail('22023', format('invalid object type: "%s"', object_type),
			hint => 'Use a plain name such as job, deal or invoice.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_object_type(text) IS 'Raises an error unless the text can be the first part of a trigger''s name';

CREATE FUNCTION automation._check_roles(relation regclass, roles jsonb) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF jsonb_typeof(roles) <> 'object' OR jsonb_path_exists(roles, '$.* ? (@.type() <> "string")') THEN
		PERFORM automation._fail('22023', 'columns must be a JSON object of role and column',
			hint => 'For example: {"status": "state", "owner": "technician_id"}.');
	END IF;
	PERFORM automation._check_columns(relation, ARRAY(SELECT value FROM jsonb_each_text(roles) ORDER BY key));
END
$$;
COMMENT ON FUNCTION automation._check_roles(regclass, jsonb) IS 'Raises an error unless every role names a column';

-- The triggers

CREATE FUNCTION automation._watchers()
RETURNS TABLE (relation regclass, entity integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT t.tgrelid::regclass, split_part(encode(t.tgargs, 'escape'), '\000', 1)::integer
	FROM pg_catalog.pg_trigger AS t
	WHERE t.tgfoid = 'automation._capture()'::regprocedure AND t.tgparentid = 0;
END;
COMMENT ON FUNCTION automation._watchers() IS 'Tables that have our row trigger, with the entity it reports to; partitions, which have clones of it, are left out';

CREATE FUNCTION automation._watch(entity automation.entity, relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	watching integer := (SELECT w.entity FROM automation._watchers() AS w WHERE w.relation = _watch.relation);
BEGIN
	IF watching = entity.id THEN
		RETURN;
	ELSIF watching IS NOT NULL THEN
		PERFORM automation._fail('55000', format('table "%s" is already attached', relation),
			format('Its rows are those of entity "%s".',
				(SELECT e.relation FROM automation.entity AS e WHERE e.id = watching)),
			'Use automation.detach() first, or include_children => false.');
	END IF;
	EXECUTE format('CREATE TRIGGER pg_automation AFTER INSERT OR UPDATE OR DELETE ON %s '
		'FOR EACH ROW EXECUTE FUNCTION automation._capture(%L)', relation, entity.id);
	EXECUTE format('CREATE TRIGGER pg_automation_truncate AFTER TRUNCATE ON %s '
		'FOR EACH STATEMENT EXECUTE FUNCTION automation._truncated(%L)', relation, entity.id);
END
$$;
COMMENT ON FUNCTION automation._watch(automation.entity, regclass) IS 'Puts our triggers on a table: the entity''s own, or a child of it';

CREATE FUNCTION automation._watch_children(entity automation.entity) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	children regclass[] := ARRAY(SELECT automation._children(entity.relation));
	child regclass;
BEGIN
	IF children = '{}' THEN
		RETURN;
	ELSIF NOT entity.include_children THEN
		PERFORM automation._unwatch(entity.id, kept => entity.relation);
		RAISE WARNING 'rows of the child tables of "%" fire no rules', entity.relation
			USING DETAIL = format('Child tables: %s.', automation._list(children::text[]));
		RETURN;
	END IF;
	FOREACH child IN ARRAY children LOOP
		PERFORM automation._watch(entity, child);
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._watch_children(automation.entity) IS 'The triggers of inheritance children, which PostgreSQL does not clone';

CREATE FUNCTION automation._unwatch(entity integer, kept regclass DEFAULT NULL) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation regclass;
BEGIN
	FOR relation IN
		SELECT w.relation FROM automation._watchers() AS w
		WHERE w.entity = _unwatch.entity AND w.relation IS DISTINCT FROM kept
	LOOP
		EXECUTE format('DROP TRIGGER pg_automation ON %s', relation);
		EXECUTE format('DROP TRIGGER IF EXISTS pg_automation_truncate ON %s', relation);
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._unwatch(integer, regclass) IS 'Removes the triggers of an entity, but for those on one table';

-- Roles and key

CREATE FUNCTION automation._compile_entity(entity automation.entity, part text, fields jsonb) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._compile(
		format('entity_%s_%s', entity.id, part), 'jsonb', (
		SELECT automation._select_sql(
			entity.relation, automation._object_sql(jsonb_object_agg(f.key, format('new.%I', f.value))))
		FROM jsonb_each_text(fields) AS f));
END
$$;
COMMENT ON FUNCTION automation._compile_entity(automation.entity, text, jsonb) IS 'Compiles the roles or the key of an entity: a name and a column each';

CREATE FUNCTION automation._entity(relation regclass) RETURNS automation.entity
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entity automation.entity;
BEGIN
	SELECT e.* INTO entity FROM automation.entity AS e WHERE e.relation = _entity.relation;
	IF relation IS NULL THEN
		PERFORM automation._fail('22004', 'table must not be null');
	ELSIF NOT FOUND THEN
		PERFORM automation._fail('55000', format('table "%s" is not attached', relation),
			hint => format('Use automation.attach(%L).', relation));
	END IF;
	RETURN entity;
END
$$;
COMMENT ON FUNCTION automation._entity(regclass) IS 'The entity of an attached table';

CREATE FUNCTION automation._roles(relation regclass) RETURNS jsonb
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce((
		SELECT automation._fields(automation._compiled(format('entity_%s_roles', e.id)))
		FROM automation.entity AS e
		WHERE e.relation = _roles.relation), '{}');
END;
COMMENT ON FUNCTION automation._roles(regclass) IS 'Roles of a table and their present columns';

CREATE FUNCTION automation._key(relation regclass) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(f.value ORDER BY f.key)
	FROM automation.entity AS e,
		jsonb_each_text(automation._fields(automation._compiled(format('entity_%s_key', e.id)))) AS f
	WHERE e.relation = _key.relation;
END;
COMMENT ON FUNCTION automation._key(regclass) IS 'Present columns of the key of an attached table';

-- attach and detach

CREATE FUNCTION automation.attach(
	relation regclass,
	object_type text DEFAULT 'record',
	columns jsonb DEFAULT '{}',
	key_columns text[] DEFAULT NULL,
	include_children boolean DEFAULT true)
RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.attach(regclass, text, jsonb, text[], boolean)
	IS 'Lets rules watch a table of yours. columns gives roles to columns: status, owner, due, amount, customer, title, name, start, created, phone, email, ... Calling it again replaces object type and roles, and the key as long as nothing knows rows by it';

CREATE FUNCTION automation._check_key_is_free(relation regclass, key text[]) RETURNS void
LANGUAGE plpgsql STABLE -- what knows keys comes later
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	attached automation.entity;
	old_key text[] := automation._key(relation);
BEGIN
	SELECT e.* INTO attached FROM automation.entity AS e WHERE e.relation = _check_key_is_free.relation;
	IF NOT FOUND OR (old_key @> key AND old_key <@ key) THEN
		RETURN;
	ELSIF EXISTS (SELECT FROM automation.rule AS r WHERE attached.relation IN (r.relation, r.event_relation))
		OR EXISTS (SELECT FROM automation.run AS u WHERE u.entity_id = attached.id)
		OR EXISTS (SELECT FROM automation.hold AS h WHERE h.entity_id = attached.id)
	THEN
		PERFORM automation._fail('55000', format('cannot change the key of table "%s"', relation),
			format('Rules on the table or the log know its rows by (%s).', automation._list(old_key)),
			'Use automation.detach() first.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_key_is_free(regclass, text[]) IS 'Raises an error when rows of the table are known by another key';

CREATE FUNCTION automation._attach(
	caller regrole,
	relation regclass,
	object_type text,
	columns jsonb,
	key_columns text[],
	include_children boolean)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entity automation.entity;
	key text[];
BEGIN
	PERFORM automation._check_attachable(relation);
	PERFORM automation._check_ownership(caller, relation);
	PERFORM automation._check_ownership(caller, child)
	FROM automation._children(relation) AS child WHERE include_children;
	PERFORM automation._check_object_type(object_type);
	PERFORM automation._check_roles(relation, columns);
	key := automation._checked_key(relation, key_columns);
	PERFORM automation._check_key_is_free(relation, key);

	INSERT INTO automation.entity AS e (relation, object_type, include_children)
	VALUES (_attach.relation, _attach.object_type, coalesce(_attach.include_children, false))
	ON CONFLICT ON CONSTRAINT entity_relation_key
	DO UPDATE SET object_type = excluded.object_type, include_children = excluded.include_children
	RETURNING e.* INTO entity;
	PERFORM automation._compile_entity(entity, 'roles', columns);
	PERFORM automation._compile_entity(entity, 'key', (SELECT jsonb_object_agg(k, k) FROM unnest(key) AS k));
	PERFORM automation._watch(entity, relation);
	PERFORM automation._watch_children(entity);
END
$$;
COMMENT ON FUNCTION automation._attach(regrole, regclass, text, jsonb, text[], boolean) IS 'automation.attach()';

CREATE FUNCTION automation.detach(relation regclass, cascade boolean DEFAULT false) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.detach(regclass, boolean) IS 'Ends what attach() began; cascade drops the rules on the table too';

CREATE FUNCTION automation._detach(caller regrole, relation regclass, cascade boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	entity automation.entity;
BEGIN
	-- A table that was dropped unnoticed has no owner any more.
	IF relation IS NULL OR automation._relation_name(relation) IS NOT NULL THEN
		PERFORM automation._check_ownership(caller, relation);
	END IF;
	entity := automation._entity(relation);
	PERFORM automation._release_rules(relation, cascade);
	PERFORM automation._unwatch(entity.id);
	PERFORM automation._drop_compiled(format('entity_%s_roles', entity.id));
	PERFORM automation._drop_compiled(format('entity_%s_key', entity.id));
	DELETE FROM automation.entity AS e WHERE e.id = entity.id;
END
$$;
COMMENT ON FUNCTION automation._detach(regrole, regclass, boolean) IS 'automation.detach()';

CREATE FUNCTION automation._release_rules(relation regclass, cascade boolean) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rules text[];
BEGIN
	SELECT array_agg(format('"%s"', r.name) ORDER BY r.id) INTO rules
	FROM automation.rule AS r
	WHERE _release_rules.relation IN (r.relation, r.event_relation);
	IF rules IS NOT NULL AND cascade IS NOT TRUE THEN
		PERFORM automation._fail('2BP01', format('cannot detach table "%s" because rules depend on it', relation),
			format('Rules on the table: %s.', automation._list(rules)),
			'Use cascade => true to drop the rules too.');
	END IF;
	-- In their owners' names: whoever owns the table may drop what depends on it.
	PERFORM automation._drop_rule(r.owner, r.name)
	FROM automation.rule AS r
	WHERE _release_rules.relation IN (r.relation, r.event_relation);
END
$$;
COMMENT ON FUNCTION automation._release_rules(regclass, boolean) IS 'Drops the rules on a table, or refuses to';

CREATE VIEW automation.entities AS
SELECT
	e.relation,
	e.object_type,
	automation._key(e.relation) AS key_columns,
	automation._roles(e.relation) AS columns,
	e.attached_at
FROM automation.entity AS e;
COMMENT ON VIEW automation.entities IS 'Attached tables with their key and the columns of their roles';
COMMENT ON COLUMN automation.entities.key_columns IS 'Columns of the key';
COMMENT ON COLUMN automation.entities.columns IS 'The column of each role';

-- Links: from a row to the one row that a column of it names

CREATE FUNCTION automation._foreign_keys(relation regclass)
RETURNS TABLE (source_column text, target regclass, target_column text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	-- A key that references a partitioned table has children, one for each partition.
	SELECT DISTINCT s.attname::text, c.confrelid::regclass, t.attname::text
	FROM pg_catalog.pg_constraint AS c
	JOIN pg_catalog.pg_attribute AS s ON s.attrelid = c.conrelid AND s.attnum = c.conkey[1]
	JOIN pg_catalog.pg_attribute AS t ON t.attrelid = c.confrelid AND t.attnum = c.confkey[1]
	WHERE c.conrelid = relation AND c.contype = 'f' AND c.conparentid = 0 AND cardinality(c.conkey) = 1;
END;
COMMENT ON FUNCTION automation._foreign_keys(regclass) IS 'Foreign keys of one column';

CREATE FUNCTION automation._named_links(relation regclass)
RETURNS TABLE (name text, source_column text, target regclass, target_column text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT l.name, f.fields ->> 'source', l.target, f.fields ->> 'target'
	FROM automation.link AS l,
		LATERAL (SELECT automation._fields(automation._compiled(format('link_%s', l.id)))) AS f(fields)
	WHERE l.relation = _named_links.relation;
END;
COMMENT ON FUNCTION automation._named_links(regclass) IS 'Links made by automation.link(), with their present columns';

CREATE FUNCTION automation._leads(relation regclass)
RETURNS TABLE (source_column text, target regclass, target_column text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT l.source_column, l.target, l.target_column FROM automation._named_links(relation) AS l
	UNION
	SELECT f.source_column, f.target, f.target_column FROM automation._foreign_keys(relation) AS f;
END;
COMMENT ON FUNCTION automation._leads(regclass) IS 'Columns that lead to another row';

CREATE FUNCTION automation._links(relation regclass)
RETURNS TABLE (name text, source_column text, target regclass, target_column text, rank integer)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT l.name, l.source_column, l.target, l.target_column, 1
	FROM automation._named_links(relation) AS l
	UNION
	SELECT r.key, l.source_column, l.target, l.target_column, 2
	FROM jsonb_each_text(automation._roles(relation)) AS r
	JOIN automation._leads(relation) AS l ON l.source_column = r.value
	UNION
	SELECT s.spelling, f.source_column, f.target, f.target_column, 3
	FROM automation._foreign_keys(relation) AS f,
		LATERAL (VALUES (f.source_column), (regexp_replace(f.source_column, '(_id|Id)$', ''))) AS s(spelling)
	UNION
	SELECT automation._relation_name(f.target), f.source_column, f.target, f.target_column, 4
	FROM automation._foreign_keys(relation) AS f;
END;
COMMENT ON FUNCTION automation._links(regclass) IS 'Every name by which a path may follow a link; the lowest rank decides: 1 automation.link(), 2 role, 3 column of a foreign key (with or without _id), 4 its target';

CREATE FUNCTION automation._links_called(relation regclass, name text)
RETURNS TABLE (source_column text, target regclass, target_column text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT l.source_column, l.target, l.target_column
	FROM (
		SELECT k.*, min(k.rank) OVER () AS best
		FROM automation._links(_links_called.relation) AS k
		WHERE k.name = _links_called.name
	) AS l
	WHERE l.rank = l.best
	ORDER BY l.source_column;
END;
COMMENT ON FUNCTION automation._links_called(regclass, text) IS 'The link of this name; several when the name is ambiguous';

CREATE FUNCTION automation.link(
	relation regclass,
	name text,
	source_column text,
	target regclass,
	target_column text DEFAULT NULL)
RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.link(regclass, text, text, regclass, text) IS 'Names the row that a column leads to, as in {{ name.phone }}; declared foreign keys have names without it';

CREATE FUNCTION automation._link(
	caller regrole,
	relation regclass,
	name text,
	source_column text,
	target regclass,
	target_column text)
RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link integer;
BEGIN
	PERFORM automation._check_kind(relation), automation._check_kind(target);
	PERFORM automation._check_ownership(caller, relation);
	PERFORM automation._check_link_name(relation, name);
	PERFORM automation._check_columns(relation, ARRAY[source_column]);
	target_column := automation._checked_target(target, target_column);

	INSERT INTO automation.link AS l (relation, name, target) VALUES (_link.relation, _link.name, _link.target)
	RETURNING l.id INTO link;
	-- The condition is the link itself; here it only makes PostgreSQL compare the types.
	PERFORM automation._compile('link_' || link, 'jsonb',
		format('SELECT %s FROM %s AS old, %s AS new WHERE old.%I = new.%I',
			automation._object_sql(jsonb_build_object(
				'source', format('old.%I', source_column), 'target', format('new.%I', target_column))),
			relation, target, source_column, target_column));
END
$$;
COMMENT ON FUNCTION automation._link(regrole, regclass, text, text, regclass, text) IS 'automation.link()';

CREATE FUNCTION automation._check_link_name(relation regclass, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF name IN ('new', 'old', 'now', 'rule') THEN
		PERFORM automation._fail('42939', format('link name "%s" is reserved', name));
	ELSIF name <> '' IS NOT TRUE OR octet_length(name) > 63 THEN
		PERFORM automation._fail('42602', format('invalid link name: "%s"', name));
	ELSIF EXISTS (
		SELECT FROM automation.link AS l
		WHERE l.relation = _check_link_name.relation AND l.name = _check_link_name.name)
	THEN
		PERFORM automation._fail('42710', format('link "%s" of table "%s" already exists', name, relation),
			hint => 'Use automation.unlink() first.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_link_name(regclass, text) IS 'Raises an error for a name that no new link of the table can have';

CREATE FUNCTION automation._checked_target(target regclass, target_column text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	primary_key text[] := automation._primary_key(target);
BEGIN
	IF target_column IS NULL AND cardinality(primary_key) = 1 THEN
		RETURN primary_key[1];
	ELSIF target_column IS NULL THEN
		PERFORM automation._fail('55000', format('table "%s" has no primary key of one column', target),
			hint => 'Specify target_column.');
	END IF;
	PERFORM automation._check_columns(target, ARRAY[target_column]);
	IF NOT automation._is_unique(target, ARRAY[target_column]) THEN
		PERFORM automation._fail('42P17', format('column "%s" of table "%s" is not unique', target_column, target),
			hint => 'A link leads to one row at most, so it needs a unique index without WHERE.');
	END IF;
	RETURN target_column;
END
$$;
COMMENT ON FUNCTION automation._checked_target(regclass, text) IS 'Column of the target that a link compares: the given one when it is unique, else the primary key';

CREATE FUNCTION automation.unlink(relation regclass, name text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.unlink(regclass, text) IS 'Forgets a link made by automation.link(); rules that were made with it keep what they read';

CREATE FUNCTION automation._unlink(caller regrole, relation regclass, name text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link integer;
BEGIN
	PERFORM automation._check_ownership(caller, relation);
	DELETE FROM automation.link AS l WHERE l.relation = _unlink.relation AND l.name = _unlink.name
	RETURNING l.id INTO link;
	IF NOT FOUND THEN
		PERFORM automation._fail('42704', format('link "%s" of table "%s" does not exist', name, relation),
			hint => automation._perhaps(name,
				ARRAY(SELECT l.name FROM automation.link AS l WHERE l.relation = _unlink.relation)));
	END IF;
	PERFORM automation._drop_compiled('link_' || link);
END
$$;
COMMENT ON FUNCTION automation._unlink(regrole, regclass, text) IS 'automation.unlink()';

CREATE VIEW automation.links AS
SELECT
	r.relation,
	l.name,
	l.source_column,
	l.target,
	l.target_column,
	(ARRAY['link', 'role', 'foreign key', 'foreign key'])[l.rank] AS origin
FROM (SELECT relation FROM automation.entity UNION SELECT relation FROM automation.link) AS r,
	LATERAL automation._links(r.relation) AS l
WHERE l.rank = (SELECT min(k.rank) FROM automation._links(r.relation) AS k WHERE k.name = l.name);
COMMENT ON VIEW automation.links IS 'Names by which rules on a table can follow a column to another row';
COMMENT ON COLUMN automation.links.relation IS 'Table that the link starts from';
COMMENT ON COLUMN automation.links.name IS 'What conditions and templates call the other row: customer.phone';
COMMENT ON COLUMN automation.links.source_column IS 'Column that is followed';
COMMENT ON COLUMN automation.links.target IS 'Table that it leads to';
COMMENT ON COLUMN automation.links.target_column IS 'Column of that table that has the same value';
COMMENT ON COLUMN automation.links.origin IS 'link: made by automation.link(); role: a role with a foreign key; foreign key';

-- What is dropped is forgotten: an oid that is left behind may come to mean another table.

CREATE FUNCTION automation._forget_dropped() RETURNS event_trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tables regclass[] := ARRAY(
		SELECT d.objid FROM pg_event_trigger_dropped_objects() AS d
		WHERE d.classid = 'pg_class'::regclass AND d.objsubid = 0);
	compiled text[] := ARRAY(
		SELECT DISTINCT substring(d.object_identity FROM '^automation_compiled\.rule_(\d+_\d+)_')
		FROM pg_event_trigger_dropped_objects() AS d
		WHERE d.classid = 'pg_proc'::regclass AND d.schema_name = 'automation_compiled');
BEGIN
	-- Only when there is something to forget: each DELETE makes all sessions read the rules again.
	IF EXISTS (SELECT FROM automation.link AS l WHERE l.relation = ANY (tables) OR l.target = ANY (tables)) THEN
		DELETE FROM automation.link AS l WHERE l.relation = ANY (tables) OR l.target = ANY (tables);
	END IF;
	IF EXISTS (SELECT FROM automation.rule AS r WHERE r.relation = ANY (tables) OR r.event_relation = ANY (tables)) THEN
		DELETE FROM automation.rule AS r WHERE r.relation = ANY (tables) OR r.event_relation = ANY (tables);
		DELETE FROM automation.rule_index AS i WHERE NOT EXISTS (SELECT FROM automation.rule AS r WHERE r.id = i.rule_id);
		DELETE FROM automation.playbook_rule AS p WHERE NOT EXISTS (SELECT FROM automation.rule AS r WHERE r.id = p.rule_id);
	END IF;
	-- A rule of which part was dropped by force is met by every change, so that the log tells.
	IF EXISTS (SELECT FROM automation._indexed(compiled)) THEN
		UPDATE automation.rule_index AS i SET watched = '{}', columns = '{}', functions = '{}', collations = '{}', hashes = '{}'
		FROM automation._indexed(compiled) AS b
		WHERE i.rule_id = b.rule_id AND i.version = b.version;
	END IF;
	IF EXISTS (SELECT FROM automation.entity AS e WHERE e.relation = ANY (tables)) THEN
		DELETE FROM automation.entity AS e WHERE e.relation = ANY (tables);
	END IF;
	DELETE FROM automation.approved_function AS f
	USING pg_event_trigger_dropped_objects() AS d
	WHERE f.relation = ANY (tables) OR (d.classid = 'pg_proc'::regclass AND d.object_identity = f.function);
END
$$;
COMMENT ON FUNCTION automation._forget_dropped() IS 'Forgets entities, links, rules and approvals of what was dropped';

CREATE EVENT TRIGGER pg_automation_dropped ON sql_drop EXECUTE FUNCTION automation._forget_dropped();
ALTER EVENT TRIGGER pg_automation_dropped ENABLE ALWAYS; -- whatever session_replication_role says
COMMENT ON EVENT TRIGGER pg_automation_dropped IS 'Forgets entities, links, rules and approvals of what was dropped';

-- Paths: new.status, customer.phone, owner.team.name

CREATE FUNCTION automation._scope(
	relation regclass,
	owner regrole,
	events text[] DEFAULT '{insert,update}',
	row_relation regclass DEFAULT NULL,
	via text DEFAULT NULL,
	rule text DEFAULT NULL)
RETURNS automation._scope
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	row_relation := coalesce(row_relation, relation);
	PERFORM automation._check_row_security(row_relation, owner);
	RETURN ROW(
		relation, row_relation, CASE WHEN events = '{delete}' THEN 'old' ELSE 'new' END, via, owner, events, rule);
END
$$;
COMMENT ON FUNCTION automation._scope(regclass, regrole, text[], regclass, text, text) IS 'The scope of a rule about relation that fires on row_relation';

CREATE FUNCTION automation._hides_rows(relation regclass, reader regrole) RETURNS boolean
LANGUAGE plpgsql STABLE -- which keeps its plan: it is asked for each run of a log
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT c.relrowsecurity AND NOT r.rolsuper AND NOT r.rolbypassrls
			AND (c.relforcerowsecurity OR NOT pg_has_role(reader, c.relowner, 'USAGE'))
		FROM pg_class AS c, pg_roles AS r
		WHERE c.oid = relation AND r.oid = reader);
END
$$;
COMMENT ON FUNCTION automation._hides_rows(regclass, regrole) IS 'Whether policies may hide rows of a table from a role: row_security_active() for any role';

CREATE FUNCTION automation._check_row_security(relation regclass, owner regrole) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Policies guard queries; the two images of a change are no query.
	IF automation._hides_rows(relation, owner) THEN
		PERFORM automation._fail('42501',
			format('row-level security of table "%s" hides rows from role %s', relation, owner),
			hint => 'The owner of a rule on such a table must own the table, without FORCE ROW LEVEL SECURITY, or have BYPASSRLS.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_row_security(regclass, regrole) IS 'Raises an error when rules of this owner would see rows that policies hide from him';

CREATE FUNCTION automation._path_text(path text[]) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN (
	SELECT string_agg(
		CASE WHEN p.name ~ '^[[:alpha:]_][[:alnum:]_$]*$' THEN CASE WHEN p.place > 1 THEN '.' ELSE '' END || p.name
			ELSE format('["%s"]', p.name) END, '' ORDER BY p.place)
	FROM unnest(path) WITH ORDINALITY AS p(name, place)
);
COMMENT ON FUNCTION automation._path_text(text[]) IS 'A path as users write it: customer.phone, customer["First Name"]';

CREATE FUNCTION automation._no_field(path text[], place integer, candidates text[], kind text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	near text := automation._suggest(path[place], candidates);
	meant text := automation._path_text(path[:place - 1] || near || path[place + 1:]);
BEGIN
	PERFORM automation._fail('42703',
		format('%s "%s" does not exist', kind,
			CASE cardinality(path) WHEN 1 THEN path[1] ELSE automation._path_text(path) END),
		hint => CASE
			WHEN near IS NOT NULL AND kind = 'column'
				THEN format('Perhaps you meant to reference the column "%s".', meant)
			WHEN near IS NOT NULL THEN format('Perhaps you meant "%s".', meant)
			WHEN place < cardinality(path) THEN 'A link is a foreign key of one column, or made by automation.link().'
			WHEN cardinality(candidates) > 0 THEN format('There are: %s.', automation._list(ARRAY(SELECT DISTINCT c FROM unnest(candidates) AS c ORDER BY 1 LIMIT 20)))
		END);
END
$$;
COMMENT ON FUNCTION automation._no_field(text[], integer, text[], text) IS 'Raises the error for a path whose part at this place means nothing';

CREATE FUNCTION automation._column_sql(here automation._row, column_name text, owner regrole) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF has_column_privilege(owner, here.relation, column_name, 'SELECT') IS NOT TRUE THEN
		PERFORM automation._fail('42501',
			format('permission denied for column "%s" of table "%s"', column_name, here.relation),
			format('Role %s, which owns the rule, has no SELECT privilege on it.', owner));
	END IF;
	RETURN format(here.access, column_name);
END
$$;
COMMENT ON FUNCTION automation._column_sql(automation._row, text, regrole) IS 'SQL for a column of a row that the owner of the rule may read';

CREATE FUNCTION automation._linked_row(
	here automation._row,
	source_column text,
	target regclass,
	target_column text,
	owner regrole)
RETURNS automation._row
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	source text := automation._column_sql(here, source_column, owner);
	there automation._row := ROW(target, 't.%I');
BEGIN
	-- What is put into a format string is text to it: its percent signs are doubled.
	there.access := format('(SELECT t.%%I FROM %s AS t WHERE %s = %s)',
		replace(target::text, '%', '%%'),
		replace(automation._column_sql(there, target_column, owner), '%', '%%'),
		replace(source, '%', '%%'));
	RETURN there;
END
$$;
COMMENT ON FUNCTION automation._linked_row(automation._row, text, regclass, text, regrole) IS 'The row that a column leads to';

CREATE FUNCTION automation._subject_row(scope automation._scope) RETURNS automation._row
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target_column text;
BEGIN
	IF scope.via IS NULL THEN
		RETURN ROW(scope.relation, scope.base || '.%I');
	END IF;
	SELECT l.target_column INTO target_column
	FROM automation._leads(scope.row_relation) AS l
	WHERE l.source_column = scope.via AND l.target = scope.relation;
	RETURN automation._linked_row(
		ROW(scope.row_relation, scope.base || '.%I'), scope.via, scope.relation, target_column, scope.owner);
END
$$;
COMMENT ON FUNCTION automation._subject_row(automation._scope) IS 'The row that the rule is about';

CREATE FUNCTION automation._image(scope automation._scope, image text, kind text) RETURNS automation._row
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	noun CONSTANT text := CASE kind WHEN 'column' THEN 'rule condition' ELSE 'rule template' END;
BEGIN
	IF image = 'old' AND scope.events = '{insert}' THEN
		PERFORM automation._fail('42P17', noun || ' for INSERT cannot reference OLD values');
	ELSIF image = 'new' AND scope.events = '{delete}' THEN
		PERFORM automation._fail('42P17', noun || ' for DELETE cannot reference NEW values');
	END IF;
	RETURN ROW(scope.row_relation, image || '.%I');
END
$$;
COMMENT ON FUNCTION automation._image(automation._scope, text, text) IS 'The changed row, as it was (old) or is (new)';

CREATE FUNCTION automation._follow(
	here automation._row,
	path text[],
	place integer,
	owner regrole,
	kind text)
RETURNS automation._row
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link record;
BEGIN
	SELECT l.*, array_agg(l.source_column) OVER () AS columns INTO link
	FROM automation._links_called(here.relation, path[place]) AS l;
	IF NOT FOUND THEN
		PERFORM automation._no_field(path, place,
			ARRAY(SELECT l.name FROM automation._links(here.relation) AS l ORDER BY l.rank), kind);
	ELSIF cardinality(link.columns) > 1 THEN
		PERFORM automation._fail('42702', format('%s "%s" is ambiguous', kind, automation._path_text(path)),
			format('Several columns of table "%s" lead to "%s": %s.',
				here.relation, path[place], automation._list(link.columns)),
			'Name the column, or make a name for it with automation.link().');
	END IF;
	RETURN automation._linked_row(here, link.source_column, link.target, link.target_column, owner);
END
$$;
COMMENT ON FUNCTION automation._follow(automation._row, text[], integer, regrole, text) IS 'The row that the link at this place of the path leads to';

CREATE FUNCTION automation._role_or_column(relation regclass, name text) RETURNS text
LANGUAGE sql STABLE
RETURN CASE
	WHEN name = ANY (automation._columns(relation)) THEN name
	ELSE automation._roles(relation) ->> name
END;
COMMENT ON FUNCTION automation._role_or_column(regclass, text) IS 'The column of this name, or of the role of this name; null when there is neither';

CREATE FUNCTION automation._path(
	scope automation._scope,
	path text[],
	kind text DEFAULT 'merge field',
	OUT sql text,
	OUT type regtype)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	here automation._row;
	place integer := 1;
	column_name text;
BEGIN
	IF path = '{now}' THEN
		sql := 'automation._now()';
		type := 'timestamptz'::regtype;
		RETURN;
	ELSIF path = '{rule,name}' THEN
		sql := format('%L::text', scope.rule);
		type := 'text'::regtype;
		RETURN;
	ELSIF cardinality(path) > 1 AND path[1] IN ('new', 'old') THEN
		here := automation._image(scope, path[1], kind);
		place := 2;
	ELSE
		here := automation._subject_row(scope);
	END IF;
	WHILE place < cardinality(path) LOOP
		here := automation._follow(here, path, place, scope.owner, kind);
		place := place + 1;
	END LOOP;

	column_name := automation._role_or_column(here.relation, path[place]);
	IF column_name IS NULL THEN
		PERFORM automation._no_field(path, place,
			automation._columns(here.relation) || ARRAY(SELECT jsonb_object_keys(automation._roles(here.relation))), kind);
	END IF;
	sql := automation._column_sql(here, column_name, scope.owner);
	SELECT a.atttypid INTO type FROM pg_attribute AS a
	WHERE a.attrelid = here.relation AND a.attname = column_name;
END
$$;
COMMENT ON FUNCTION automation._path(automation._scope, text[], text)
	IS 'SQL and type of a path: new.x and old.x of the changed row, x of the row the rule is about, link.x of a linked row, now, rule.name; kind is the word for it in errors';
