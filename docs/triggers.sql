-- Prints docs/triggers.md: psql -XAtq -f docs/triggers.sql > docs/triggers.md
SET jit = off;
WITH param AS (
	-- What every trigger with a time takes is told once.
	SELECT d.name, p.key, p.value, d.defaults -> p.key AS given, d.params -> 'required' ? p.key AS is_required, (
		SELECT string_agg(r #>> '{}', ', ') FROM jsonb_path_query(jsonb_build_array(p.value -> 'role', p.value -> 'child_role'), 'lax $[*][*] ? (@ != null)') AS r WHERE r #>> '{}' <> ALL (d.roles || d.child_roles)) AS needs
	FROM automation.trigger_definition AS d, jsonb_each(d.params -> 'properties') AS p
	WHERE NOT (d.kind = 'time' AND automation._clock_params() ? p.key AND d.timing ? 'delay' IS DISTINCT FROM NULL AND d.name NOT IN ('schedule', 'recurring'))
), listed AS (
	SELECT p.name, string_agg(format('`%s`%s%s%s', p.key, CASE WHEN p.is_required THEN ' (needed)' ELSE '' END, coalesce(' (role ' || p.needs || ')', ''),
		CASE WHEN p.given IS NOT NULL THEN format(' = %s', coalesce(
			(SELECT string_agg(v, ', ') FROM jsonb_path_query(p.given, '$[*]') AS q, LATERAL (SELECT q #>> '{}') AS t(v) WHERE v = initcap(v) OR v !~ '^[a-z_]+$'), p.given #>> '{}')) ELSE '' END),
		', ' ORDER BY p.is_required DESC, p.key) AS params
	FROM param AS p
	GROUP BY p.name
), needed AS (
	SELECT d.name, concat_ws(', ', nullif(array_to_string(d.roles, ', '), ''), (
		SELECT string_agg(concat('rows of ', t, ' (' || nullif(array_to_string(d.child_roles, ', '), '') || ')'), ', ') FROM automation._tables_of(d) AS t)) AS needs
	FROM automation.trigger_definition AS d
), line AS (
	SELECT d.object_type, d.name, format('| `%s`%s | %s | %s | %s |', d.name, CASE d.kind WHEN 'time' THEN ' ⏰' ELSE '' END, d.description, n.needs, l.params) AS text
	FROM automation.trigger_definition AS d
	JOIN needed AS n USING (name)
	LEFT JOIN listed AS l USING (name)
), role (name, meaning) AS (VALUES
	('address', 'postal address'), ('amount', 'amount of money'), ('author', 'who wrote it'), ('available', 'what there is'), ('balance', 'what is still owed'), ('body', 'text'),
	('booked', 'what is taken'), ('channel', 'way by which it came or goes'), ('clicked', 'when a link in it was followed'), ('code', 'reason that a machine gives'),
	('completed', 'when it was done'), ('cost', 'what it has cost so far, a sum that your application keeps'), ('created', 'when it was made'), ('customer', 'the customer: a foreign key, or a column with a link'),
	('direction', 'inbound or outbound'), ('due', 'by when'), ('email', 'e-mail address'), ('end', 'when it ends'), ('equipment', 'what it is about'), ('eta', 'when somebody is expected'),
	('expected', 'when it is expected'), ('expires', 'until when it is valid'), ('external_id', 'its key in another system'), ('form', 'which form'), ('hours', 'hours planned'),
	('intent', 'what the writer wants'), ('invoice', 'the invoice it belongs to'), ('job', 'the job it belongs to'), ('kind', 'what kind it is'), ('limit', 'amount not to exceed'), ('link', 'a signed link to it'), ('location', 'where'),
	('manager', 'the property manager: a foreign key, or a column with a link'), ('merged_into', 'what it was merged into'), ('moved_by', 'who moved it'), ('next_service', 'when service is due'), ('next_visit', 'when a visit is due'),
	('opted_out', 'wants no messages: yes or no, or since when'), ('owner', 'who works on it: technician, salesperson, assignee'), ('part', 'the part it is about'), ('payment_link', 'a signed link by which it can be paid'), ('phone', 'phone number'), ('policy', 'which service level'), ('price', 'price of one'),
	('priority', 'priority'), ('product', 'what is sold'), ('purpose', 'full, deposit or final'), ('quantity', 'how many'), ('rating', 'stars'), ('reason', 'why'), ('reorder', 'quantity at which to reorder'), ('risk', 'risk score'), ('shift_end', 'when the shift ends'),
	('signature', 'signed: yes or no, or when'), ('source', 'where it came from'), ('start', 'when it begins'), ('status', 'status or stage'), ('tags', 'tags: an array or jsonb'), ('target', 'how much time there is: an interval'), ('template', 'which template'),
	('title', 'what it is called'), ('type', 'type of job'), ('visibility', 'who may read it'), ('warranty', 'case of warranty: yes or no'), ('warranty_end', 'when the warranty ends')
), used AS (
	SELECT r AS name FROM automation.trigger_definition AS d, unnest(d.roles || d.child_roles) AS r
	UNION SELECT regexp_replace(m[1], '^\w+\.', '') FROM automation.trigger_definition AS d, regexp_matches(d.condition::text || d.still::text, '\{\w+\.(\w+)\??\}', 'g') AS m
	UNION SELECT r FROM automation.playbook AS p, jsonb_each(p.params) AS t, jsonb_array_elements_text(t.value -> 'roles') AS r
)
SELECT $md$<!-- Printed by docs/triggers.sql; a test compares. -->
# Triggers

What a rule can fire on. `SELECT name, detects, needs FROM automation.triggers WHERE relation = 'crm.job'::regclass` tells for one table which of them
it supports, and what it lacks to support the others: columns with a role, or attached tables whose rows lead to it.

```sql
SELECT automation.attach('crm.job', 'job', '{"status": "status", "owner": "technician_id", "cost": "cost", "limit": "not_to_exceed"}');
SELECT automation.create_rule('Costs', 'crm.job', trigger => 'job.nte_approaching', params => '{"at_ratio": 0.8}',
    steps => ARRAY[automation.notify('owner', 'Job {{ id }} has cost {{ cost }} of {{ limit }}')]);
```

* A parameter that a trigger does not need narrows it or changes its default. Statuses are found in the spellings `En Route` and `en_route`; name yours if
  they are others: `trigger => 'job.dispatched', params => '{"to": "Unterwegs"}'`.
* A parameter with a role in brackets asks for a column of that role.
* ⏰ fires when a time has come, and not when the reason for it has gone by then. These also take `time_of_day`, `weekdays`, `calendar`, `window` and
  `zone`, as in [time.md](time.md).
* Every other trigger takes `settle`: it waits until the row has been left alone for so long.

## For any table

Written by themselves or behind the object type: `created`, `job.created`.

| trigger | fires when | needs | parameters |
|---|---|---|---|$md$
	|| E'\n' || (SELECT string_agg(l.text, E'\n' ORDER BY l.name) FROM line AS l WHERE l.object_type IS NULL)
	|| (SELECT string_agg(s.text, '' ORDER BY s.object_type) FROM (
		SELECT l.object_type, format(E'\n\n## %s\n\n| trigger | fires when | needs | parameters |\n|---|---|---|---|\n%s', l.object_type, string_agg(l.text, E'\n' ORDER BY l.name)) AS text
		FROM line AS l WHERE l.object_type IS NOT NULL GROUP BY l.object_type) AS s)
	|| E'\n\n## Roles\n\nWhat the columns of a table mean, for `automation.attach()`.\n\n| role | |\n|---|---|\n'
	|| (SELECT string_agg(format('| `%s` | %s |', u.name, r.meaning), E'\n' ORDER BY u.name) FROM used AS u LEFT JOIN role AS r USING (name));
