-- Folders: where rules and what they share are listed. A tree by its names: Sales/Follow up lies in Sales.

CREATE TABLE automation.folder (
	path text PRIMARY KEY,
	description text,
	created_by regrole NOT NULL,
	created_at timestamptz NOT NULL DEFAULT automation._now()
);
COMMENT ON TABLE automation.folder IS 'Folders that users made; Default is there without a row';
COMMENT ON COLUMN automation.folder.path IS 'Names of the folders that lead to it and its own, with slashes between them';
COMMENT ON COLUMN automation.folder.description IS 'What belongs there';
COMMENT ON COLUMN automation.folder.created_by IS 'Who made it';
COMMENT ON COLUMN automation.folder.created_at IS 'When';

CREATE FUNCTION automation._check_folder_path(path text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_good boolean := (
		SELECT bool_and(octet_length(n.name) BETWEEN 1 AND 63 AND n.name = btrim(n.name) AND n.name !~ '[[:cntrl:]]')
		FROM unnest(string_to_array(path, '/')) AS n(name));
BEGIN
	IF is_good IS NOT TRUE THEN
		PERFORM automation._fail('42602', format('invalid folder: "%s"', path),
			'Each of its names has 1 to 63 bytes, no control characters, and no blank at its ends.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_folder_path(text) IS 'Raises an error unless the text can be the path of a folder';

CREATE FUNCTION automation._parent_folder(path text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN nullif(regexp_replace(path, '/?[^/]*$', ''), '');
COMMENT ON FUNCTION automation._parent_folder(text) IS 'The folder that a folder lies in, or null';

CREATE FUNCTION automation._is_within(folder text, path text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN folder = path OR starts_with(folder, path || '/');
COMMENT ON FUNCTION automation._is_within(text, text) IS 'Whether a folder is the one of that path, or lies in it';

CREATE FUNCTION automation._folder(caller regrole, path text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF path IS NULL OR path = 'Default' THEN
		RETURN path;
	END IF;
	PERFORM automation._check_folder_path(path);
	PERFORM automation._folder(caller, automation._parent_folder(path));
	INSERT INTO automation.folder (path, created_by) VALUES (_folder.path, caller) ON CONFLICT DO NOTHING;
	RETURN path;
END
$$;
COMMENT ON FUNCTION automation._folder(regrole, text) IS 'The folder of that path, made if it is not there: who names a folder has it';

CREATE FUNCTION automation._own_folder(caller regrole, path text) RETURNS automation.folder
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	folder automation.folder;
BEGIN
	IF path = 'Default' THEN
		PERFORM automation._fail('0A000', 'folder "Default" is always there');
	END IF;
	SELECT f.* INTO folder FROM automation.folder AS f WHERE f.path = _own_folder.path FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM automation._no_such('folder', path, ARRAY(SELECT f.path FROM automation.folder AS f));
	ELSIF NOT pg_has_role(caller, folder.created_by, 'USAGE') THEN
		PERFORM automation._fail('42501', format('must be owner of folder "%s"', path));
	END IF;
	RETURN folder;
END
$$;
COMMENT ON FUNCTION automation._own_folder(regrole, text) IS 'A folder that the caller may change';

CREATE FUNCTION automation.create_folder(path text, description text DEFAULT NULL) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.create_folder(text, text) IS 'Makes a folder, and those it lies in: Sales/Follow up. A rule that is put into one makes it, too';

CREATE FUNCTION automation._create_folder(caller regrole, path text, description text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_folder_path(path);
	IF path = 'Default' OR EXISTS (SELECT FROM automation.folder AS f WHERE f.path = _create_folder.path) THEN
		PERFORM automation._fail('42710', format('folder "%s" already exists', path));
	END IF;
	PERFORM automation._folder(caller, path);
	UPDATE automation.folder AS f SET description = _create_folder.description WHERE f.path = _create_folder.path;
END
$$;
COMMENT ON FUNCTION automation._create_folder(regrole, text, text) IS 'automation.create_folder()';

CREATE FUNCTION automation.rename_folder(path text, new_path text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.rename_folder(text, text) IS 'Gives a folder another path, with all that lies in it: another name, or another place';

CREATE FUNCTION automation._rename_folder(caller regrole, path text, new_path text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	folder automation.folder := automation._own_folder(caller, path);
BEGIN
	PERFORM automation._check_folder_path(new_path);
	IF new_path = 'Default' OR EXISTS (SELECT FROM automation.folder AS f WHERE f.path = new_path) THEN
		PERFORM automation._fail('42710', format('folder "%s" already exists', new_path));
	ELSIF automation._is_within(new_path, path) THEN
		PERFORM automation._fail('22023', format('folder "%s" cannot be moved into itself', path));
	END IF;
	PERFORM automation._folder(caller, automation._parent_folder(new_path));
	UPDATE automation.folder AS f SET path = new_path || substr(f.path, length(folder.path) + 1)
	WHERE automation._is_within(f.path, folder.path);
	UPDATE automation.rule AS r SET folder = new_path || substr(r.folder, length(folder.path) + 1)
	WHERE automation._is_within(r.folder, folder.path);
	UPDATE automation.component AS c SET folder = new_path || substr(c.folder, length(folder.path) + 1)
	WHERE automation._is_within(c.folder, folder.path);
END
$$;
COMMENT ON FUNCTION automation._rename_folder(regrole, text, text) IS 'automation.rename_folder()';

CREATE FUNCTION automation._folder_contents(path text) RETURNS text[]
LANGUAGE plpgsql STABLE -- components come later
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN ARRAY(
		SELECT format('rule "%s"', r.name) FROM automation.rule AS r WHERE automation._is_within(r.folder, path)
		UNION ALL
		SELECT format('%s "%s"', automation._kind_name(c.kind), c.name) FROM automation.component AS c WHERE automation._is_within(c.folder, path)
		UNION ALL
		SELECT format('folder "%s"', f.path) FROM automation.folder AS f WHERE starts_with(f.path, _folder_contents.path || '/')
		ORDER BY 1);
END
$$;
COMMENT ON FUNCTION automation._folder_contents(text) IS 'What lies in a folder, or in one that does';

CREATE FUNCTION automation.drop_folder(path text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.drop_folder(text) IS 'Drops a folder in which nothing lies';

CREATE FUNCTION automation._drop_folder(caller regrole, path text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	folder automation.folder := automation._own_folder(caller, path);
	contents text[] := automation._folder_contents(path);
BEGIN
	IF contents <> '{}' THEN
		PERFORM automation._fail('2BP01', format('cannot drop folder "%s" because it is not empty', path),
			format('In it: %s.', automation._list(contents)), 'Use automation.move_to_folder() first.');
	END IF;
	DELETE FROM automation.folder AS f WHERE f.path = folder.path;
END
$$;
COMMENT ON FUNCTION automation._drop_folder(regrole, text) IS 'automation.drop_folder()';

CREATE FUNCTION automation.move_to_folder(name text, folder text, kind text DEFAULT 'rule') RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.move_to_folder(text, text, text)
	IS 'Puts a rule, or something else that lies in folders (kind: rule, template, action_template, filter), into another folder, and answers the one it lay in';

CREATE FUNCTION automation._move_to_folder(caller regrole, name text, folder text, kind text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	was text;
BEGIN
	IF folder IS NULL THEN
		PERFORM automation._fail('22004', 'folder must not be null');
	ELSIF kind = 'rule' THEN
		was := (automation._own_rule(caller, name)).folder;
		UPDATE automation.rule AS r SET folder = automation._folder(caller, _move_to_folder.folder) WHERE r.name = _move_to_folder.name;
	ELSE
		was := (automation._own_component(caller, kind, name)).folder;
		UPDATE automation.component AS c SET folder = automation._folder(caller, _move_to_folder.folder)
		WHERE c.kind = _move_to_folder.kind AND c.name = _move_to_folder.name;
	END IF;
	RETURN was;
END
$$;
COMMENT ON FUNCTION automation._move_to_folder(regrole, text, text, text) IS 'automation.move_to_folder()';
