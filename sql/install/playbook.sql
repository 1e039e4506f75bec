-- Playbooks: ready rules with parameters. Installed, they are rules like any other.
--
-- In the rules of a playbook "${x}" stands for a parameter, which alone in a text keeps its type, and
-- "${job.status}" for the column of a role of the table that the parameter "job" names. A parameter is
-- written as its default, or as one of
--   {"table": "job", "roles": ["status"]}    an attached table of that object type (any: "*") with these roles
--   {"table": "line_item", "of": "deal"}     one whose rows lead to that of another parameter
--   {"channel": "sms"}                       a channel of that kind
--   {"type": "string", "description": ...}   what has no default; "optional": what names it is left out
-- Tables and channels need not be named when there is only one that can be meant. A default may refer to other parameters.

CREATE TABLE automation.playbook (
	key text PRIMARY KEY,
	version integer NOT NULL DEFAULT 1,
	category text NOT NULL,
	title text NOT NULL,
	description text NOT NULL,
	params jsonb NOT NULL,
	rules jsonb NOT NULL
);
COMMENT ON TABLE automation.playbook IS 'The library of playbooks (read only)';
COMMENT ON COLUMN automation.playbook.key IS 'As in automation.install_playbook()';
COMMENT ON COLUMN automation.playbook.version IS 'Grows when its rules or texts change';
COMMENT ON COLUMN automation.playbook.category IS 'What it is for; the folder of its rules, unless the parameter folder names another';
COMMENT ON COLUMN automation.playbook.title IS 'What its rules are called, unless the parameter name says otherwise';
COMMENT ON COLUMN automation.playbook.description IS 'What it does, and when it stops';
COMMENT ON COLUMN automation.playbook.params IS 'Parameters, as told at the head of sql/install/playbook.sql';
COMMENT ON COLUMN automation.playbook.rules IS 'Array of {name, table, trigger, params, condition, steps}';

-- No foreign key: pg_restore may load two tables at once.
CREATE TABLE automation.playbook_rule (
	rule_id integer PRIMARY KEY,
	playbook text NOT NULL,
	version integer NOT NULL,
	member text NOT NULL,
	params jsonb NOT NULL
);
COMMENT ON TABLE automation.playbook_rule IS 'Rules that playbooks made';
COMMENT ON COLUMN automation.playbook_rule.rule_id IS 'The rule; what was installed is its first version';
COMMENT ON COLUMN automation.playbook_rule.playbook IS 'Key of the playbook';
COMMENT ON COLUMN automation.playbook_rule.version IS 'The playbook''s version then';
COMMENT ON COLUMN automation.playbook_rule.member IS 'Which of its rules';
COMMENT ON COLUMN automation.playbook_rule.params IS 'Parameters that were given, and the tables and channels that were found';

CREATE FUNCTION automation._playbook(key text) RETURNS automation.playbook
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	playbook automation.playbook;
BEGIN
	SELECT p.* INTO playbook FROM automation.playbook AS p WHERE p.key = _playbook.key;
	IF NOT FOUND THEN
		PERFORM automation._no_such('playbook', key, ARRAY(SELECT p.key FROM automation.playbook AS p), 'playbooks');
	END IF;
	RETURN playbook;
END
$$;
COMMENT ON FUNCTION automation._playbook(text) IS 'A playbook by its key';

-- Parameters

CREATE FUNCTION automation._playbook_param(param jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE
RETURN CASE
	WHEN jsonb_typeof(param) <> 'object' THEN jsonb_build_object('type', jsonb_typeof(param), 'default', param)
	WHEN param ? 'table' THEN '{"type": "string"}' || param || jsonb_build_object('description', format('an attached table%s%s%s',
		' of the object type ' || nullif(param ->> 'table', '*'),
		(SELECT ' with the roles ' || string_agg(r, ', ') FROM jsonb_array_elements_text(param -> 'roles') AS r),
		', whose rows lead to the table ' || (param ->> 'of')))
	WHEN param ? 'channel' THEN '{"type": "string"}' || param
		|| jsonb_build_object('description', format('a channel of the kind %s', param ->> 'channel'))
	WHEN param ? 'default' AND NOT param ? 'type' THEN param || jsonb_build_object('type', jsonb_typeof(param -> 'default'))
	ELSE param
END;
COMMENT ON FUNCTION automation._playbook_param(jsonb) IS 'JSON schema of a parameter of a playbook';

CREATE FUNCTION automation._playbook_schema(playbook automation.playbook) RETURNS jsonb
LANGUAGE sql STABLE
RETURN (
	SELECT jsonb_build_object(
		'properties', jsonb_object_agg(p.key, automation._playbook_param(p.value)),
		'required', coalesce(jsonb_agg(p.key) FILTER (
			WHERE jsonb_typeof(p.value) = 'object' AND NOT p.value ?| '{default,table,channel,optional}'), '[]'))
	FROM jsonb_each((playbook).params || jsonb_build_object(
		'name', jsonb_build_object('default', (playbook).title, 'description', 'what its rules are called'),
		'folder', jsonb_build_object('default', (playbook).category, 'description', 'where they are listed'))) AS p
);
COMMENT ON FUNCTION automation._playbook_schema(automation.playbook) IS 'JSON schema of the parameters of a playbook';

CREATE FUNCTION automation._playbook_tables(param jsonb, "values" jsonb) RETURNS text[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT coalesce(array_agg(e.relation::text ORDER BY e.id), '{}')
	FROM automation.entity AS e
	WHERE (param ->> 'table' = '*' OR e.object_type = param ->> 'table')
		AND (NOT param ? 'of' OR EXISTS (
			SELECT FROM automation._leads(e.relation) AS l WHERE l.target::text = "values" ->> (param ->> 'of')));
END;
COMMENT ON FUNCTION automation._playbook_tables(jsonb, jsonb) IS 'Tables that a parameter of a playbook can mean';

CREATE FUNCTION automation._playbook_table(key text, name text, param jsonb, "values" jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given CONSTANT text := "values" ->> name;
	tables text[] := automation._playbook_tables(param, "values");
	kind CONSTANT text := CASE param ->> 'table' WHEN '*' THEN 'an attached table'
		ELSE format('an attached table of the object type "%s"', param ->> 'table') END
		|| coalesce(' that leads to table "' || ("values" ->> (param ->> 'of')) || '"', '');
BEGIN
	IF given IS NOT NULL THEN
		tables := ARRAY(SELECT t FROM unnest(tables) AS t WHERE given IN (t, automation._relation_name(t::regclass)));
	END IF;
	IF cardinality(tables) = 0 AND given IS NOT NULL THEN
		PERFORM automation._fail('55000', format('parameter "%s" of playbook "%s" must be %s, not "%s"', name, key, kind, given),
			hint => 'The view automation.entities lists what is attached.');
	ELSIF cardinality(tables) = 0 THEN
		PERFORM automation._fail('55000', format('playbook "%s" needs %s', key, kind),
			hint => format('Use automation.attach() with object_type => %L.', param ->> 'table'));
	ELSIF cardinality(tables) > 1 OR given IS NULL AND param ->> 'table' = '*' THEN
		PERFORM automation._fail('55000', format('playbook "%s" must be told which table it is about', key),
			format('There are: %s.', automation._list(tables)),
			format('Name one of them: params => %L.', jsonb_build_object(name, tables[1])));
	END IF;
	PERFORM automation._check_has_roles(automation._entity(tables[1]::regclass), format('playbook "%s"', key),
		ARRAY(SELECT jsonb_array_elements_text(param -> 'roles')));
	RETURN tables[1];
END
$$;
COMMENT ON FUNCTION automation._playbook_table(text, text, jsonb, jsonb) IS 'The table that a parameter of a playbook means; raises an error when there is none, or one that lacks a role';

CREATE FUNCTION automation._playbook_channel(caller regrole, key text, name text, param jsonb, "values" jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	kind CONSTANT text := param ->> 'channel';
	channels CONSTANT text[] := ARRAY(
		SELECT s.srvname FROM pg_foreign_server AS s
		WHERE s.srvname = ANY (automation._channel_names()) AND automation._channel_kind(s.oid) = kind
		ORDER BY 1);
BEGIN
	IF NOT "values" ? name AND cardinality(channels) = 0 THEN
		PERFORM automation._fail('55000', format('playbook "%s" needs a channel of the kind "%s"', key, kind),
			hint => 'Use automation.create_channel() or CREATE SERVER.');
	ELSIF NOT "values" ? name AND cardinality(channels) > 1 THEN
		PERFORM automation._fail('55000', format('playbook "%s" must be told which channel to use', key),
			format('There are: %s.', automation._list(channels)),
			format('Name one of them: params => %L.', jsonb_build_object(name, channels[1])));
	END IF;
	PERFORM automation._check_channel(caller, coalesce("values" ->> name, channels[1]), kind);
	RETURN coalesce("values" ->> name, channels[1]);
END
$$;
COMMENT ON FUNCTION automation._playbook_channel(regrole, text, text, jsonb, jsonb) IS 'The channel that a parameter of a playbook means; raises an error when there is none';

CREATE FUNCTION automation._playbook_found(caller regrole, playbook automation.playbook, params jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found jsonb := coalesce(nullif(params, 'null'), '{}');
	param record;
BEGIN
	PERFORM automation._check_params(format('playbook "%s"', playbook.key), automation._playbook_schema(playbook), found);
	FOR param IN
		SELECT p.key, p.value FROM jsonb_each(playbook.params) AS p
		WHERE jsonb_typeof(p.value) = 'object' AND p.value ?| '{table,channel}'
		ORDER BY p.value ? 'of', p.key
	LOOP
		found := found || jsonb_build_object(param.key, CASE
			WHEN param.value ? 'table' THEN automation._playbook_table(playbook.key, param.key, param.value, found)
			ELSE automation._playbook_channel(caller, playbook.key, param.key, param.value, found) END);
	END LOOP;
	RETURN found;
END
$$;
COMMENT ON FUNCTION automation._playbook_found(regrole, automation.playbook, jsonb) IS 'Parameters of a playbook, checked, with the tables and channels they mean';

CREATE FUNCTION automation._playbook_filled(node jsonb, "values" jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	CASE jsonb_typeof(node)
	WHEN 'string' THEN
		IF node #>> '{}' ~ '^\$\{[\w.]+\}$' THEN
			RETURN "values" -> trim(BOTH '${}' FROM node #>> '{}');
		END IF;
		RETURN (
			SELECT to_jsonb(string_agg(CASE WHEN t.token[1] ~ '^\$\{[\w.]+\}$' THEN "values" ->> trim(BOTH '${}' FROM t.token[1])
				ELSE t.token[1] END, '' ORDER BY t.place))
			FROM regexp_matches(node #>> '{}', '\$\{[\w.]+\}|[^$]+|\$', 'g') WITH ORDINALITY AS t(token, place));
	WHEN 'object' THEN
		RETURN (
			SELECT coalesce(jsonb_object_agg(n.key, f.filled) FILTER (WHERE f.filled IS NOT NULL), '{}')
			FROM jsonb_each(node) AS n, LATERAL automation._playbook_filled(n.value, "values") AS f(filled));
	WHEN 'array' THEN
		RETURN (SELECT coalesce(jsonb_agg(automation._playbook_filled(n.value, "values") ORDER BY n.place), '[]')
			FROM jsonb_array_elements(node) WITH ORDINALITY AS n(value, place));
	ELSE
		RETURN node;
	END CASE;
END
$$;
COMMENT ON FUNCTION automation._playbook_filled(jsonb, jsonb) IS 'Part of a playbook in which parameters have been filled in; members that are one that is not given are left out';

CREATE FUNCTION automation._playbook_values(playbook automation.playbook, params jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	defaults CONSTANT jsonb := (
		SELECT jsonb_object_agg(p.key, p.value -> 'default')
		FROM jsonb_each(automation._playbook_schema(playbook) -> 'properties') AS p
		WHERE p.value ? 'default');
	columns CONSTANT jsonb := (
		SELECT coalesce(jsonb_object_agg(format('%s.%s', p.key, r.key), r.value), '{}')
		FROM jsonb_each(playbook.params) AS p
		JOIN automation.entity AS e ON e.relation::text = params ->> p.key,
			LATERAL jsonb_each(automation._roles(e.relation)) AS r
		WHERE p.value ? 'table');
BEGIN
	RETURN automation._playbook_filled(defaults, defaults || params || columns) || params || columns;
END
$$;
COMMENT ON FUNCTION automation._playbook_values(automation.playbook, jsonb) IS 'What stands for each "${name}" of a playbook';

-- Its rules

CREATE FUNCTION automation._playbook_versions(playbook automation.playbook, params jsonb)
RETURNS TABLE (member text, relation text, folder text, said automation.rule_version)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	"values" CONSTANT jsonb := automation._playbook_values(playbook, params);
	rule jsonb;
	filled jsonb;
BEGIN
	FOR rule IN SELECT r.value FROM jsonb_array_elements(playbook.rules) AS r LOOP
		filled := automation._playbook_filled(rule, "values");
		member := rule ->> 'name';
		relation := "values" ->> (rule ->> 'table');
		folder := "values" ->> 'folder';
		said.name := filled ->> 'name';
		said.trigger := filled ->> 'trigger';
		said.params := coalesce(filled -> 'params', '{}');
		said.condition := filled ->> 'condition';
		said.steps := automation._flowing((
			SELECT jsonb_agg(jsonb_build_object('action', s.value -> 'action', 'params', s.value -> 'params',
				'timing', coalesce(s.value -> 'timing', '{}'), 'condition', s.value ->> 'condition') ORDER BY s.place)
			FROM jsonb_array_elements(filled -> 'steps') WITH ORDINALITY AS s(value, place)));
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION automation._playbook_versions(automation.playbook, jsonb) IS 'What the rules of a playbook say, with these parameters';

CREATE FUNCTION automation._params_with(playbook automation.playbook, error text) RETURNS text
LANGUAGE sql STABLE
RETURN (
	SELECT string_agg(p.key, ', ' ORDER BY p.key)
	FROM jsonb_each(automation._playbook_schema(playbook) -> 'properties') AS p
	WHERE strpos(p.value ->> 'default', substring(error FROM '"([^"]+)"')) > 0
);
COMMENT ON FUNCTION automation._params_with(automation.playbook, text) IS 'Parameters of a playbook whose default has what an error complains of, or null';

CREATE FUNCTION automation._install_rule(
	callers_path text,
	playbook automation.playbook,
	relation regclass,
	folder text,
	activate boolean,
	version automation.rule_version)
RETURNS integer
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	RETURN automation._new_rule(callers_path, relation, folder, playbook.description, activate, 'log', NULL, version);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	PERFORM automation._fail(SQLSTATE, SQLERRM,
		concat_ws(' ', nullif(detail, ''), format('This is rule "%s" of playbook "%s", on table "%s".', version.name, playbook.key, relation)),
		nullif(concat_ws(' ', nullif(hint, ''),
			'It can be given otherwise in these parameters: ' || automation._params_with(playbook, SQLERRM) || '.'), ''));
END
$$;
COMMENT ON FUNCTION automation._install_rule(text, automation.playbook, regclass, text, boolean, automation.rule_version) IS 'Makes a rule of a playbook; an error tells which one it is, and which parameters would help';

CREATE FUNCTION automation._install(
	caller regrole,
	callers_path text,
	playbook automation.playbook,
	params jsonb,
	activate boolean)
RETURNS text[]
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found CONSTANT jsonb := automation._playbook_found(caller, playbook, params);
	rule record;
	names text[] := '{}';
	made integer;
BEGIN
	FOR rule IN SELECT v.* FROM automation._playbook_versions(playbook, found) AS v LOOP
		IF EXISTS (
			SELECT FROM automation.rule AS r JOIN automation.playbook_rule AS p ON p.rule_id = r.id
			WHERE r.name = (rule.said).name AND p.playbook = _install.playbook.key)
		THEN
			PERFORM automation._fail('42710', format('playbook "%s" is already installed as "%s"', playbook.key, (rule.said).name),
				hint => 'Give it another name, params => ''{"name": ...}'', or see automation.playbook_diff().');
		END IF;
		rule.said.author := caller;
		rule.said.reason := format('playbook %s, version %s', playbook.key, playbook.version);
		made := automation._install_rule(callers_path, playbook, rule.relation::regclass, rule.folder, activate, rule.said);
		INSERT INTO automation.playbook_rule (rule_id, playbook, version, member, params)
		VALUES (made, playbook.key, playbook.version, rule.member, found);
		names := names || (rule.said).name;
	END LOOP;
	RETURN names;
END
$$;
COMMENT ON FUNCTION automation._install(regrole, text, automation.playbook, jsonb, boolean) IS 'Makes the rules of a playbook';

CREATE FUNCTION automation.install_playbook(key text, params jsonb DEFAULT '{}', activate boolean DEFAULT false) RETURNS text[]
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.install_playbook(text, jsonb, boolean)
	IS 'Makes the rules of a playbook and answers their names. They are drafts unless activated, belong to the caller and can be changed like any others';

CREATE FUNCTION automation._install_playbook(caller regrole, key text, params jsonb, activate boolean) RETURNS text[]
LANGUAGE sql
RETURN automation._install(caller, automation._callers_search_path(caller), automation._playbook(key), params, activate);
COMMENT ON FUNCTION automation._install_playbook(regrole, text, jsonb, boolean) IS 'automation.install_playbook()';

-- What users read

CREATE FUNCTION automation._playbook_needs(playbook automation.playbook) RETURNS text[]
LANGUAGE sql STABLE
RETURN ARRAY(
	SELECT n.needed
	FROM jsonb_each((playbook).params) AS p,
		LATERAL (
			SELECT array_agg(t.relation) FROM unnest(automation._playbook_tables(p.value - 'of', '{}')) AS t(relation)
		) AS t(relations),
		LATERAL (
			SELECT 'channel ' || (p.value ->> 'channel')
			WHERE p.value ? 'channel' AND NOT EXISTS (
				SELECT FROM pg_catalog.pg_foreign_server AS s
				WHERE s.srvname = ANY (automation._channel_names()) AND automation._channel_kind(s.oid) = p.value ->> 'channel')
			UNION ALL
			SELECT 'table ' || (p.value ->> 'table')
			WHERE p.value ->> 'table' <> '*' AND t.relations IS NULL
			UNION ALL
			SELECT 'role ' || r.role
			FROM jsonb_array_elements_text(p.value -> 'roles') AS r(role)
			WHERE p.value ->> 'table' <> '*' AND NOT EXISTS (
				SELECT FROM unnest(t.relations) AS e(relation) WHERE automation._roles(e.relation::regclass) ? r.role)
				AND t.relations IS NOT NULL
		) AS n(needed)
	WHERE jsonb_typeof(p.value) = 'object'
	ORDER BY 1
);
COMMENT ON FUNCTION automation._playbook_needs(automation.playbook) IS 'What is missing before a playbook can be installed: channels, tables, roles of columns';

CREATE FUNCTION automation._playbook_card(key text, OUT schema jsonb, OUT needs text[])
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT automation._playbook_schema(p), automation._playbook_needs(p) FROM automation.playbook AS p WHERE p.key = _playbook_card.key;
END;
COMMENT ON FUNCTION automation._playbook_card(text) IS 'What a playbook takes, and what it lacks here';

CREATE VIEW automation.playbooks AS
SELECT
	p.key,
	p.version,
	p.category,
	p.title,
	p.description,
	c.schema -> 'properties' AS params,
	c.schema -> 'required' AS required,
	c.needs,
	ARRAY(
		SELECT r.name
		FROM automation.playbook_rule AS i
		JOIN automation.rule AS r ON r.id = i.rule_id
		WHERE i.playbook = p.key
		ORDER BY r.position, r.id) AS installed,
	p.rules
FROM automation.playbook AS p
CROSS JOIN LATERAL automation._playbook_card(p.key) AS c
ORDER BY p.category, p.key;
COMMENT ON VIEW automation.playbooks IS 'Ready rules for automation.install_playbook()';
COMMENT ON COLUMN automation.playbooks.needs IS 'What is missing before it can be installed; empty: nothing';
COMMENT ON COLUMN automation.playbooks.installed IS 'Rules that were made of it';
COMMENT ON COLUMN automation.playbooks.params IS 'JSON schema of the parameters';
COMMENT ON COLUMN automation.playbooks.required IS 'Parameters that must be given';

CREATE FUNCTION automation._parts(version automation.rule_version) RETURNS TABLE (part text, text text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	VALUES ('trigger', (version).trigger), ('params', (version).params::text), ('condition', (version).condition)
	UNION ALL
	SELECT format('step %s', s.place), s.step::text
	FROM jsonb_array_elements((version).steps) WITH ORDINALITY AS s(step, place);
END;
COMMENT ON FUNCTION automation._parts(automation.rule_version) IS 'What a version of a rule says, part by part';

CREATE FUNCTION automation.playbook_diff(key text)
RETURNS TABLE (rule text, part text, installed text, present text, offered text)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.playbook_diff(text)
	IS 'Where the rules of a playbook differ: from what was installed to what they say at present, and to what the playbook would say now';

CREATE FUNCTION automation._playbook_diff(caller regrole, key text)
RETURNS TABLE (rule text, part text, installed text, present text, offered text)
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT r.name, d.part, d.installed, d.present, d.offered
	FROM automation._playbook(_playbook_diff.key) AS p
	JOIN automation.playbook_rule AS i ON i.playbook = p.key
	JOIN automation.rule AS r ON r.id = i.rule_id
	LEFT JOIN LATERAL automation._playbook_versions(p, i.params) AS o ON o.member = i.member
	CROSS JOIN LATERAL (
		SELECT coalesce(a.part, b.part, c.part), a.text, b.text, c.text
		FROM automation._parts(automation._version(r.id, 1)) AS a
		FULL JOIN automation._parts(automation._version(r.id, r.version)) AS b ON b.part = a.part
		FULL JOIN automation._parts(o.said) AS c ON c.part = coalesce(a.part, b.part)
	) AS d(part, installed, present, offered)
	WHERE d.present IS DISTINCT FROM d.installed OR d.offered IS DISTINCT FROM d.installed
	UNION ALL
	SELECT (o.said).name, 'rule', NULL, NULL, 'new'
	FROM automation._playbook(_playbook_diff.key) AS p,
		LATERAL (SELECT DISTINCT i.params FROM automation.playbook_rule AS i WHERE i.playbook = p.key) AS n,
		LATERAL automation._playbook_versions(p, n.params) AS o
	WHERE NOT EXISTS (
		SELECT FROM automation.playbook_rule AS i WHERE i.playbook = p.key AND i.params = n.params AND i.member = o.member)
	ORDER BY 1, 2;
END;
COMMENT ON FUNCTION automation._playbook_diff(regrole, text) IS 'automation.playbook_diff()';
