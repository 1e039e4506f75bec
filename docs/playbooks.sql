-- Prints docs/playbooks.md: psql -XAtq -f docs/playbooks.sql > docs/playbooks.md
SET jit = off;
WITH param AS (
	SELECT p.key, string_agg(format('| `%s` | %s | %s |', s.key, coalesce(s.value ->> 'description', ''), CASE
			WHEN s.value ? 'default' AND jsonb_typeof(s.value -> 'default') = 'string' THEN nullif(format('`%s`', replace(replace(s.value ->> 'default', E'\n', '⏎'), '|', '\|')), '``')
			WHEN s.value ? 'default' THEN format('`%s`', replace(s.value ->> 'default', '|', '\|'))
			WHEN s.value ?| '{table,channel}' AND s.value ->> 'table' IS DISTINCT FROM '*' THEN 'the only one'
			WHEN s.value ? 'optional' THEN ''
			ELSE '**needed**' END), E'\n' ORDER BY s.value ? 'default', s.value ? 'optional', s.value ?| '{table,channel}', s.key) AS lines
	FROM automation.playbooks AS p, jsonb_each(p.params) AS s
	WHERE s.key NOT IN ('name', 'folder')
	GROUP BY p.key
), step AS (
	SELECT p.key, r.place, r.rule ->> 'trigger' AS trigger,
		string_agg(concat_ws(' ', s.step ->> 'action', coalesce('after ' || (s.step -> 'timing' ->> 'delay'), 'after ' || (s.step -> 'timing' ->> 'workdays') || ' workdays')), ', ' ORDER BY s.number) AS steps
	FROM automation.playbook AS p, jsonb_array_elements(p.rules) WITH ORDINALITY AS r(rule, place), jsonb_array_elements(r.rule -> 'steps') WITH ORDINALITY AS s(step, number)
	GROUP BY p.key, r.place, r.rule
), book AS (
	SELECT p.category, p.key, format(E'### %s\n\n%s\n\n%s\n\n| parameter | | default |\n|---|---|---|\n%s', p.key, p.description,
		(SELECT string_agg(format('* `%s`: %s', s.trigger, s.steps), E'\n' ORDER BY s.place) FROM step AS s WHERE s.key = p.key), m.lines) AS text
	FROM automation.playbooks AS p JOIN param AS m USING (key)
)
SELECT $md$<!-- Printed by docs/playbooks.sql; a test compares. -->
# Playbooks

Ready rules. Installed, they are rules like any others: listed in `automation.rules`, to be changed with `automation.alter_rule()` and dropped with
`automation.drop_rule()`.

```sql
SELECT key, description, needs FROM automation.playbooks;          -- what there is, and what is missing before it can be installed
SELECT automation.install_playbook('estimate_approved_schedule', '{"assignee": "dora"}');   -- a draft
SELECT automation.activate_rule('Schedule the approved job');      -- or install_playbook(…, activate => true)
SELECT * FROM automation.playbook_diff('estimate_approved_schedule');   -- what you have changed since, and what a new version would change
```

* Tables and channels need not be named when there is only one that can be meant. Where a table lacks a role ([triggers.md](triggers.md)), or
  there is no channel, nothing is installed and the error tells what is missing.
* Every playbook also takes `name`, what its rules are called, and `folder`, where they are listed. To install one twice, give it two names.
* Texts are templates; `{{ customer.phone }}` follows the link `customer` of the table: a role with a foreign key, or one made by `automation.link()`.
  In a default, `${…}` stands for another parameter.
$md$
	|| (SELECT string_agg(c.text, E'\n' ORDER BY c.category) FROM (
		SELECT b.category, format(E'\n## %s\n\n%s\n', upper(left(b.category, 1)) || substr(b.category, 2), string_agg(b.text, E'\n\n' ORDER BY b.key)) AS text FROM book AS b GROUP BY b.category) AS c);
