-- Prints docs/reference.md: psql -XAtq -f docs/reference.sql > docs/reference.md
SET jit = off;
SET search_path = pg_catalog;
WITH verb AS (
	SELECT p.oid, p.proname AS name, obj_description(p.oid, 'pg_proc') AS comment,
		regexp_replace(pg_get_function_arguments(p.oid), '(DEFAULT (''[^'']*''|NULL))::[a-z ]+(\[\])?', '\1', 'g') AS arguments,
		replace(pg_get_function_result(p.oid), 'timestamp with time zone', 'timestamptz') AS result,
		coalesce((SELECT array_agg(v.access ORDER BY array_position('{viewer,author,operator,admin}', v.access)) FROM automation._verbs() AS v WHERE p.proname = ANY (v.verbs)), '{}') AS access,
		EXISTS (SELECT FROM aclexplode(p.proacl) AS a WHERE a.grantee = 0) AS is_public
	FROM pg_proc AS p
	WHERE p.pronamespace = 'automation'::regnamespace AND NOT starts_with(p.proname, '_')
), placed AS (
	SELECT v.name, format(E'* `%s(%s)` → `%s`  \n  %s', v.name, replace(v.arguments, 'timestamp with time zone', 'timestamptz'), v.result, replace(v.comment, '<', '&lt;')) AS text,
		CASE
			WHEN v.is_public THEN 7
			WHEN v.name ~ '_ok$|^explains_like$' THEN 6
			WHEN v.result ~ '^automation\.step' THEN 5
			WHEN v.access @> '{viewer}' THEN 1
			WHEN v.access @> '{author}' THEN 2
			WHEN v.access @> '{operator}' THEN 3
			ELSE 4 END AS place,
		CASE WHEN v.access @> '{author,operator}' AND NOT v.access @> '{viewer}' AND v.name !~ '_ok$|^explains_like$' THEN '. For operators, too.' ELSE '' END AS too
	FROM verb AS v
), heading (place, title, said) AS (VALUES
	(1, 'Asking', 'For whoever has access: viewers, authors, operators and admins.'),
	(2, 'Making rules', 'For authors and admins, and for operators where it says so.'),
	(3, 'Keeping them running', 'For operators and admins.'),
	(4, 'Setting up', 'For admins.'),
	(5, 'Steps', 'Builders of steps, for authors and admins. What can stand in each parameter is told in [actions.md](actions.md).'),
	(6, 'Assertions', 'For pgTAP suites of authors, operators and admins: [trying.md](trying.md#test-suites).'),
	(7, 'In conditions and templates', 'What everybody may call, as compiled rules do.')
), shown AS (
	SELECT c.oid, c.relname AS name, obj_description(c.oid, 'pg_class') AS comment
	FROM pg_class AS c
	WHERE c.oid = ANY (automation._views()) OR c.oid = 'automation.notification'::regclass
), field AS (
	SELECT s.name, a.attnum, format('| `%s` | %s | %s |', a.attname, replace(format_type(a.atttypid, NULL), 'timestamp with time zone', 'timestamptz'), replace(coalesce(col_description(s.oid, a.attnum), (
		-- A column of a view is often that of a table.
		SELECT min(col_description(t.attrelid, t.attnum))
		FROM pg_rewrite AS r
		JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
		JOIN pg_attribute AS t ON t.attrelid = d.refobjid AND t.attnum = d.refobjsubid
		WHERE r.ev_class = s.oid AND t.attname = a.attname
		HAVING count(DISTINCT col_description(t.attrelid, t.attnum)) = 1), ''), '|', '\|')) AS text
	FROM shown AS s
	JOIN pg_attribute AS a ON a.attrelid = s.oid AND a.attnum > 0 AND NOT a.attisdropped
)
SELECT $md$<!-- Printed by docs/reference.sql; a test compares. -->
# Reference

Everything with a name in the schema `automation` that is meant for you, as the catalog has it: `\df+ automation.*` and `\dv+ automation.*` say the same.
Triggers, actions and playbooks have pages of their own: [triggers.md](triggers.md), [actions.md](actions.md), [playbooks.md](playbooks.md). Who has which access is a matter
of `automation.grant_access(role, access)`; functions need no other privilege than what the caller does through them.

## Functions$md$
	|| (SELECT string_agg(t.text, '' ORDER BY t.place) FROM (
		SELECT h.place, format(E'\n\n### %s\n\n%s\n\n%s', h.title, h.said, string_agg(p.text || p.too, E'\n' ORDER BY p.name, p.text)) AS text
		FROM heading AS h JOIN placed AS p USING (place) GROUP BY h.place, h.title, h.said) AS t)
	|| E'\n\n## Views\n\nFor whoever has access; `notification` for operators, and for the application that shows them.'
	|| (SELECT string_agg(t.text, '' ORDER BY t.name) FROM (
		SELECT s.name, format(E'\n\n### %s\n\n%s\n\n| column | type | |\n|---|---|---|\n%s', s.name, replace(s.comment, '<', '&lt;'), string_agg(f.text, E'\n' ORDER BY f.attnum)) AS text
		FROM shown AS s JOIN field AS f USING (name) GROUP BY s.name, s.comment) AS t)
	|| E'\n\n## Types\n'
	|| (SELECT string_agg(format(E'\n* `%s` (%s)  \n  %s', t.typname,
			(SELECT string_agg(format('%s %s', a.attname, format_type(a.atttypid, NULL)), ', ' ORDER BY a.attnum) FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND a.attnum > 0),
			obj_description(t.oid, 'pg_type')), '' ORDER BY t.typname)
		FROM pg_type AS t JOIN pg_class AS c ON c.oid = t.typrelid AND c.relkind = 'c' WHERE t.typnamespace = 'automation'::regnamespace AND NOT starts_with(t.typname, '_'))
	|| E'\n\n## Settings\n\n| setting | default | set by | |\n|---|---|---|---|\n'
	|| (SELECT string_agg(format('| `%s` | %s | %s | %s |', s.name, concat_ws(' ', nullif(s.boot_val, ''), s.unit),
			CASE s.context WHEN 'user' THEN 'anybody' WHEN 'superuser' THEN 'superusers' WHEN 'sighup' THEN 'the configuration' WHEN 'postmaster' THEN 'the configuration, at the start' ELSE s.context END,
			concat_ws(' ', s.short_desc, s.extra_desc, 'One of: ' || array_to_string(s.enumvals, ', ') || '.')), E'\n' ORDER BY s.name)
		FROM pg_settings AS s WHERE s.name LIKE 'pg\_automation.%');
