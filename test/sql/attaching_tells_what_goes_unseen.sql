-- Warnings of attach(), and notices of verbs that find nothing to do.
CREATE SCHEMA crm;
CREATE UNLOGGED TABLE crm.scratch (id integer PRIMARY KEY);
SELECT automation.attach('crm.scratch');
CREATE TABLE crm.person (id integer PRIMARY KEY);
CREATE TABLE crm.employee () INHERITS (crm.person);
CREATE TABLE crm.manager () INHERITS (crm.employee);
SELECT automation.attach('crm.person', 'person', include_children => false);
SELECT automation.attach('crm.person', 'person');
SELECT automation.attach('crm.scratch', 'scratch');
SELECT automation.create_rule('greet', 'crm.person', 'created', steps => ARRAY[automation.notify('1', 'x')], activate => true) > 0 AS made;
SELECT automation.activate_rule('greet');
SELECT automation.pause_rule('greet');
SELECT automation.pause_rule('greet');
SET client_min_messages = warning;
DROP SCHEMA crm CASCADE;
