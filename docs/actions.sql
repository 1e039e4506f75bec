-- Prints docs/actions.md: psql -XAtq -f docs/actions.sql > docs/actions.md
SET jit = off;
WITH param AS (
	-- What every message says of its delivery is told in channels.md.
	SELECT d.name, p.key, p.value, d.params -> 'required' ? p.key AS is_required
	FROM automation.action_definition AS d, jsonb_each(d.params -> 'properties') AS p
	WHERE NOT p.value ? 'delivery'
), listed AS (
	SELECT p.name, string_agg(format('`%s`%s%s', p.key, CASE WHEN p.is_required THEN ' (needed)' ELSE '' END, ': ' || replace(coalesce(p.value ->> 'description',
		(SELECT string_agg(e, ', ') FROM jsonb_array_elements_text(p.value -> 'enum') AS e)), '|', '\|')), '; ' ORDER BY p.is_required DESC, p.key) AS params
	FROM param AS p
	GROUP BY p.name
), line AS (
	SELECT d.category, d.name, format('| `%s` | %s | %s | %s |', d.name, d.description, concat_ws(', ', d.undo, d.message_class), l.params) AS text
	FROM automation.action_definition AS d
	LEFT JOIN listed AS l USING (name)
), page (object_type, needed, wanted) AS (VALUES
	('task', 'title', 'owner, due'), ('note', 'body', 'author, visibility'), ('flag', 'kind, status', 'severity, body, suggestion'),
	('checklist_item', 'title, kind', 'status, position'), ('external', 'kind', 'payload, external_id (unique)'), ('invoice', 'amount, purpose', 'balance, customer, status, due'),
	('estimate', 'amount, purpose', 'balance, customer, status, due'), ('line_item', 'price', 'title, quantity, product'),
	('approval', 'kind, status, link, expires', 'approver, amount, body, decided, decided_by, comment, signature'),
	('sla', 'policy, status, start, due, target, pauses (a tstzmultirange)', 'calendar, zone')
)
SELECT $md$<!-- Printed by docs/actions.sql; a test compares. -->
# Actions

What a step of a rule can do. Each has a builder of its name (`automation.add_tag('VIP')`), and `automation.action('add_tag', '{"tag": "VIP"}')` is the same;
rules as JSON write `{"action": "add_tag", "params": {"tag": "VIP"}}`. `automation.describe_action('add_tag')` answers the JSON schema, for who draws a form.
What does not fit it is an error when the rule is made.

* **reversible**: what was written can be set back; **recallable**: until it is sent; **final**: neither. Messages also have a class, which decides whose consent they need.
* Text parameters are templates, unless they only name something.
* A write is done in the transaction that fired the rule, with the rights of the rule's owner.

## Waiting, and deciding

```sql
SELECT automation.create_rule('Offer', 'crm.job', 'status_entered', '{"to": "Offered"}', steps =>
    ARRAY[automation.add_tag('offered')]
    || automation.wait_until($$ new.status = 'Accepted' $$, '5 days',
        met       => ARRAY[automation.add_note('Accepted')],
        timed_out => automation.branch('new.amount > 1000',
            "then" => ARRAY[automation.notify('owner', 'Call them about job {{ id }}')],
            "else" => ARRAY[automation.add_note('Not accepted in time')]))
    || automation.wait('1 month')
    || automation.remove_tag('offered'));
SELECT automation.create_rule('Try two texts', 'crm.job', 'created', steps =>
    ARRAY[automation.split('text', '{"short": 50, "long": 50}')]
    || automation.in_arm('text', 'short', ARRAY[automation.add_note('Hi')])
    || automation.in_arm('text', 'long',  ARRAY[automation.add_note('Good morning')]));
```

Steps are one flat list: `branch` and `wait_until` answer several, to be joined with `||`. A step that decides leaves its choice in the log of the run, and
the steps of a way have the condition `automation.took(decision, way)`, `{"took": [decision, way]}` in JSON. So all of them go the same way, whatever the row has
become when a later one is due, and a run goes on by the version of the rule it began with.

* What stands behind a `wait`, a `wait_until`, or a `branch` or `split` with a time of its own comes after it, one step after the other; what fails there ends the rest.
* A decision that no step before has made, or a way that it has not, is an error when the rule is made. `automation.took()` takes two plain texts, and has its place in
  steps: neither the condition of a rule nor `cancel_when` can ask for what a run decides.
* `wait_until` is judged when a column of the record that is in its condition changes, and when its time is up; of related rows it only looks at that time.
* `split` goes the same way for the same record each time, by a hash of its key (or of `by`): nothing is stored for it.
* `escalate('[{"to": "owner"}, {"after": "30 minutes", "to": "+12025550100", "sms": "twilio"}]', text, cancel_if_changed)` answers the steps that tell one
  after the other, until somebody acts.

## Links and approvals

`make_link` keeps a link in a column of the record, for a later step to send; the application behind it asks `automation.open_link(token)` which record it is about.
`request_approval` inserts an approval with a link of its own; a rule on `approval.requested` sends it, rules on `approval.expiring` and `approval.expired` remind, and
`automation.approve(token, 'granted' or 'declined')` answers it, with the rights of the owner of the rule that asked: the role of the application needs nothing but
`GRANT USAGE ON SCHEMA automation` and `GRANT EXECUTE ON FUNCTION automation.approve`. Tokens are signed, end in time, and are not stored; one that is forged is an
error 28000, one that was used or has expired 55000. `undo_run()` ends the links that the run made.

## Service levels

`start_sla` starts a clock that runs while a calendar is open, `pause_sla`, `resume_sla` and `stop_sla` do as they say. The row has when it is due as a date, which
`sla.warning` and `sla.breached` wait for. What has passed is computed from the start, the pauses and the calendar, never added up:
`automation.sla_elapsed(start, now(), pauses, calendar)`.

## Rows of other tables

These actions insert into the attached table of an object type, into the columns of roles (or so called). Its rows lead to the record by a foreign key, or by a
column with the record's object type, or `about`, as its role. What `emit_event` does as a step, `automation.ingest(kind, payload, dedupe_key)` does from outside.

| object type | needs | fills too |
|---|---|---|
$md$
	|| (SELECT string_agg(format('| %s | %s | %s |', p.object_type, p.needed, p.wanted), E'\n' ORDER BY p.object_type) FROM page AS p)
	|| (SELECT string_agg(s.text, '' ORDER BY s.category) FROM (
		SELECT l.category, format(E'\n\n## %s\n\n| action | what it does | undo, class | parameters |\n|---|---|---|---|\n%s', initcap(l.category), string_agg(l.text, E'\n' ORDER BY l.name)) AS text
		FROM line AS l GROUP BY l.category) AS s);
