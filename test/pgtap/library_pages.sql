-- docs/triggers.md, actions.md, playbooks.md and reference.md say what the catalog says, and their examples run.
BEGIN;
SELECT no_plan();
\setenv PGDATABASE :DBNAME
\set triggers `cat docs/triggers.md`
\set triggers_now `psql -XAtq -f docs/triggers.sql`
\set actions `cat docs/actions.md`
\set actions_now `psql -XAtq -f docs/actions.sql`
\set playbooks `cat docs/playbooks.md`
\set playbooks_now `psql -XAtq -f docs/playbooks.sql`
\set reference `cat docs/reference.md`
\set reference_now `psql -XAtq -f docs/reference.sql`
SELECT is(:'triggers'::text, :'triggers_now'::text, 'docs/triggers.md is what docs/triggers.sql prints');
SELECT is(:'actions'::text, :'actions_now'::text, 'docs/actions.md is what docs/actions.sql prints');
SELECT is(:'playbooks'::text, :'playbooks_now'::text, 'docs/playbooks.md is what docs/playbooks.sql prints');
SELECT is(:'reference'::text, :'reference_now'::text, 'docs/reference.md is what docs/reference.sql prints');
SELECT is((SELECT string_agg(m[1], ', ') FROM regexp_matches(:'reference', '\n(\| `[^\n]* \|  \|)(?=\n)', 'g') AS m), NULL, 'every column of a view has a meaning');
\set readme `cat README.md`
SELECT is((SELECT string_agg(s.name, ', ') FROM pg_settings AS s WHERE s.name LIKE 'pg\_automation.%' AND position('`' || s.name || '`' IN :'readme') = 0
	AND position('`' || substr(s.name, 15) || '`' IN :'readme') = 0), NULL, 'README.md has every setting');
SELECT is(position(E'` |  |\n' IN substring(:'triggers' FROM '## Roles.*')), 0, 'every role has a meaning');

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, technician_id text, cost numeric, not_to_exceed numeric);
CREATE TABLE crm.estimate (id integer PRIMARY KEY, status text);
CREATE TABLE crm.task (id integer PRIMARY KEY, title text, assignee text, due_at timestamptz);
SELECT automation.attach('crm.estimate', 'estimate', '{"status": "status"}'), automation.attach('crm.task', 'task', '{"title": "title", "owner": "assignee", "due": "due_at"}');
SELECT match[1] AS example FROM regexp_matches(:'triggers', '```sql\n(.*?)```', 'g') AS match \gset
SELECT lives_ok(:'example', 'the example of triggers.md runs');
SAVEPOINT actions;
ALTER TABLE crm.job ADD tags text[], ADD amount numeric;
CREATE TABLE crm.note (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES crm.job, body text);
SELECT automation.attach('crm.job', 'job', '{"status": "status", "tags": "tags", "owner": "technician_id"}'), automation.attach('crm.note', 'note');
SELECT match[1] AS example FROM regexp_matches(:'actions', '```sql\n(.*?)```', 'g') AS match \gset
SELECT lives_ok(:'example', 'the example of actions.md runs');
ROLLBACK TO actions;
SELECT match[1] AS example FROM regexp_matches(:'playbooks', '```sql\n(.*?)```', 'g') AS match \gset
SELECT lives_ok(:'example', 'the example of playbooks.md runs');
SELECT results_eq('SELECT name, state FROM automation.rules ORDER BY id', $$VALUES ('Costs', 'draft'), ('Schedule the approved job', 'active')$$, 'and makes rules');

SELECT * FROM finish();
ROLLBACK;
