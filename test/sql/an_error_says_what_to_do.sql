-- What psql shows of errors: message, detail and hint, the place in a condition, and nothing of our own functions.
CREATE SCHEMA crm;
CREATE TABLE crm.lead (id integer PRIMARY KEY, status text, score integer, code text);
SELECT automation.attach('crm.lead', 'lead', '{"status": "status"}');

SELECT automation.create_rule('won', 'crm.lead', 'created', steps => '{}');
SELECT automation.create_rule('won', 'crm.lead', 'createt', steps => ARRAY[automation.notify('1', 'x')]);
SELECT automation.create_rule('won', 'crm.lead', 'field_changed', '{"field": "score", "to": "high"}', steps => ARRAY[automation.notify('1', 'x')]);

\set condition 'SELECT automation.create_rule(''won'', ''crm.lead'', ''created'', condition => :''c'', steps => ARRAY[automation.notify(''1'', ''x'')]);'
\set c 'new.statuz = ''Won'''
:condition
\set c 'new.status = ''Won'';'
:condition
\set c 'new.status ='
:condition
\set c 'new.score = ''high'''
:condition
\set c '{"field": "statuz", "operator": "=", "value": "Won"}'
:condition

\set template 'SELECT automation.create_rule(''won'', ''crm.lead'', ''created'', steps => ARRAY[automation.notify(''1'', :''t'')]);'
\set t 'Hi {{ stats }}'
:template
\set t 'Hi {{ status'
:template
\set t 'Hi {{ status | titlecase }}'
:template

SELECT automation.link('crm.lead', 'twin', 'code', 'crm.lead');
SELECT automation.attach('pg_class');
SELECT automation.drop_rule('won');
SELECT automation.create_channel('office', 'email', '{"bogus": 1}');
SELECT automation.retry(1);
CREATE FUNCTION crm.tidy() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM automation.drop_rule('won');
END
$$;
SELECT crm.tidy();
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
