-- docs/triggers.md and docs/playbooks.md say what the libraries say, and their examples run.
BEGIN;
SELECT no_plan();
\setenv PGDATABASE :DBNAME
\set triggers `cat docs/triggers.md`
\set triggers_now `psql -XAtq -f docs/triggers.sql`
\set playbooks `cat docs/playbooks.md`
\set playbooks_now `psql -XAtq -f docs/playbooks.sql`
SELECT is(:'triggers'::text, :'triggers_now'::text, 'docs/triggers.md is what docs/triggers.sql prints');
SELECT is(:'playbooks'::text, :'playbooks_now'::text, 'docs/playbooks.md is what docs/playbooks.sql prints');
SELECT is(position(E'` |  |\n' IN substring(:'triggers' FROM '## Roles.*')), 0, 'every role has a meaning');

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, technician_id text, cost numeric, not_to_exceed numeric);
CREATE TABLE crm.estimate (id integer PRIMARY KEY, status text);
CREATE TABLE crm.task (id integer PRIMARY KEY, title text, assignee text, due_at timestamptz);
SELECT automation.attach('crm.estimate', 'estimate', '{"status": "status"}'), automation.attach('crm.task', 'task', '{"title": "title", "owner": "assignee", "due": "due_at"}');
SELECT match[1] AS example FROM regexp_matches(:'triggers', '```sql\n(.*?)```', 'g') AS match \gset
SELECT lives_ok(:'example', 'the example of triggers.md runs');
SELECT match[1] AS example FROM regexp_matches(:'playbooks', '```sql\n(.*?)```', 'g') AS match \gset
SELECT lives_ok(:'example', 'the example of playbooks.md runs');
SELECT results_eq('SELECT name, state FROM automation.rules ORDER BY id', $$VALUES ('Costs', 'draft'), ('Schedule the approved job', 'active')$$, 'and makes rules');

SELECT * FROM finish();
ROLLBACK;
