-- Invoices and estimates from lines, and line items.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY);
CREATE TABLE crm.job (id integer PRIMARY KEY, contact_id integer REFERENCES crm.contact, title text, status text, amount numeric(12, 2));
CREATE TABLE crm.hours (job_id integer REFERENCES crm.job, what text, hours numeric, rate numeric, billable boolean);
CREATE TABLE crm.part (job_id integer REFERENCES crm.job, title text, quantity integer, price numeric);
CREATE TABLE crm.invoice (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES crm.job, contact_id integer NOT NULL REFERENCES crm.contact,
	number text UNIQUE, purpose text, amount numeric(12, 2) NOT NULL, balance numeric(12, 2) NOT NULL, status text, due_on date);
CREATE TABLE crm.line (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, invoice_id integer REFERENCES crm.invoice, job_id integer REFERENCES crm.job,
	title text, quantity numeric, price numeric(12, 2));
INSERT INTO crm.contact VALUES (7);
SELECT automation.attach('crm.job', 'job', '{"status": "status", "amount": "amount", "customer": "contact_id"}');
SELECT automation.set_clock('2030-03-04 09:00Z');

CREATE FUNCTION crm.step(step automation.step, number integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	PERFORM automation.create_rule('tap', 'crm.job', 'field_changed', '{"field": "status"}', steps => ARRAY[step], activate => true);
	UPDATE crm.job SET status = concat(status, '.') WHERE id = number;
	SELECT concat_ws(' ', l.status, l.result, l.sqlstate, l.reason) INTO answer
	FROM automation.step_log AS l WHERE l.rule = 'tap' ORDER BY l.run_id DESC LIMIT 1;
	PERFORM automation.drop_rule('tap');
	RETURN answer;
END
$$;
CREATE FUNCTION crm.refused(step automation.step) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT automation.create_rule(''tap'', ''crm.job'', ''created'', steps => ARRAY[%L::automation.step])', step)
$$;

SELECT throws_ok(crm.refused(automation.create_invoice()), '55000', 'no attached table has the object type "invoice"', 'no table for invoices');
SELECT automation.attach('crm.invoice', 'invoice', '{"amount": "amount", "due": "due_on", "customer": "contact_id"}');
INSERT INTO crm.job VALUES (1, 7, 'Roof', 'New', 480), (2, 7, NULL, 'New', 1000), (3, 7, 'Yard', 'New', NULL);

-- Without lines

SELECT is(crm.step(automation.create_invoice(due => '14 days', status => 'Sent', fields => '{"number": "J{{ id }}"}'), 1), 'succeeded {"id": 1, "amount": 480.00}', 'the amount of the record');
SELECT results_eq('SELECT job_id, contact_id, number, purpose, amount, balance, status, due_on FROM crm.invoice',
	$$VALUES (1, 7, 'J1', 'full', 480::numeric, 480::numeric, 'Sent', '2030-03-18'::date)$$, 'its customer, its sum, when it is due');
SELECT is(crm.step(automation.create_invoice(), 1), 'succeeded no row to change', 'once for the record and purpose');
SELECT is(crm.step(automation.create_invoice('deposit', 40), 2), 'succeeded {"id": 2, "amount": 400.00}', 'a deposit is a part of it');
SELECT is(crm.step(automation.create_invoice('deposit', 50), 2), 'succeeded no row to change', 'once');
SELECT is(crm.step(automation.create_invoice('final'), 2), 'succeeded {"id": 3, "amount": 600.00}', 'the final one has what is left');
SELECT is(crm.step(automation.create_invoice('final'), 2), 'succeeded no row to change', 'once');
SELECT is(crm.step(automation.create_invoice('final'), 1), 'succeeded {"id": 4, "amount": 480.00}', 'without a deposit that is all');
SELECT throws_ok(crm.refused(automation.create_invoice('deposit')), '22023', 'parameter "percent" of action "create_invoice" goes with the purpose "deposit"', 'a part without a number');
SELECT throws_ok(crm.refused(automation.create_invoice(percent => 40)), '22023', 'parameter "percent" of action "create_invoice" goes with the purpose "deposit"', 'a number without a part');
SELECT throws_ok(crm.refused(automation.create_invoice('deposit', 140)), '22023', 'parameter "percent" of action "create_invoice" must be from 0.01 to 100', 'more than all');
SELECT throws_ok(crm.refused(automation.create_invoice('half')), '22023', NULL, 'an unknown purpose');

-- With lines

SELECT throws_ok(crm.refused(automation.create_invoice(lines => '[{"price": 1}]')), '55000', 'no attached table has the object type "line_item"', 'lines need a table');
SELECT automation.attach('crm.line', 'line_item');
INSERT INTO crm.hours VALUES (3, 'Dig', 2.5, 80, true), (3, 'Chat', 1, 80, false), (1, 'Other', 9, 9, true);
INSERT INTO crm.part VALUES (3, 'Pipe', 4, 12.50);
SELECT is(crm.step(automation.create_invoice('final', lines => '[
	{"from": "crm.hours", "title": "what", "quantity": "hours", "price": "rate", "where": {"billable": true}},
	{"from": "crm.part"},
	{"title": "Way to {{ title }}", "price": 35}]'), 3), 'succeeded {"id": 5, "amount": 285.00}', 'from time, parts and a flat rate');
SELECT results_eq('SELECT title, quantity, price FROM crm.line WHERE invoice_id = 5 ORDER BY title',
	$$VALUES ('Dig', 2.5, 80.00), ('Pipe', 4, 12.50), ('Way to Yard', 1, 35.00)$$, 'which become its lines');
SELECT is((SELECT count(*) FROM crm.line), 3::bigint, 'and no others');
SELECT is(crm.step(automation.create_invoice('deposit', 10, '[{"from": "crm.part"}]'), 3), 'succeeded {"id": 6, "amount": 5.00}', 'a deposit on lines');
SELECT results_eq('SELECT title, quantity, price FROM crm.line WHERE invoice_id = 6', $$VALUES ('Deposit, 10 %', 1::numeric, 5.00)$$, 'has one');
DELETE FROM crm.line WHERE invoice_id = 5;
DELETE FROM crm.invoice WHERE id = 5;
SELECT is(crm.step(automation.create_invoice('final', lines => '[{"from": "crm.part"}]'), 3), 'succeeded {"id": 7, "amount": 45.00}', 'the final one after it');
SELECT results_eq('SELECT title, price FROM crm.line WHERE invoice_id = 7 ORDER BY price', $$VALUES ('Less deposit', -5.00), ('Pipe', 12.50)$$, 'says so');
SELECT throws_ok(crm.refused(automation.create_invoice(lines => '[]')), '22023', 'parameter "lines" of action "create_invoice" is empty', 'no lines');
SELECT throws_ok(crm.refused(automation.create_invoice(lines => '[{"title": "x"}]')), '22023', 'a line of action "create_invoice" needs the parameter "price"', 'a line without a price');
SELECT throws_ok(crm.refused(automation.create_invoice(lines => '[{"price": "much"}]')), '22P02', 'invalid input syntax for type numeric: "much"', 'or with none that is a number');
SELECT throws_ok(crm.refused(automation.create_invoice(lines => '[{"from": "crm.nope"}]')), '42P01', 'relation "crm.nope" does not exist', 'from no table');
SELECT throws_ok(crm.refused(automation.create_invoice(lines => '[{"from": "crm.contact"}]')), '55000', 'table "crm.contact" has no column that leads to table "crm.job"', 'from one of others');
SELECT throws_ok(crm.refused(automation.create_invoice(lines => '[{"from": "crm.hours", "price": "rat"}]')), '42703', NULL, 'an unknown column');

-- Estimates

CREATE TABLE crm.estimate (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES crm.job, amount numeric);
SELECT automation.attach('crm.estimate', 'estimate', '{"amount": "amount"}');
SELECT throws_ok(crm.refused(automation.create_estimate()), '55000', 'table "crm.estimate" has no column for the role "purpose"', 'by their purpose they are known');
ALTER TABLE crm.estimate ADD purpose text;
SELECT is(crm.step(automation.create_estimate(), 2), 'succeeded {"id": 1, "amount": 1000.00}', 'an estimate');
SELECT is(crm.step(automation.create_estimate(), 2), 'succeeded no row to change', 'once');

-- Line items of the record itself

SELECT is(crm.step(automation.add_line_item('Filter for {{ title }}', '19.90', '2'), 1) ~ '^succeeded {"id": \d+}$', true, 'add_line_item');
SELECT results_eq('SELECT title, quantity, price FROM crm.line WHERE job_id = 1', $$VALUES ('Filter for Roof', 2::numeric, 19.90)$$, 'is written');
SELECT throws_ok(crm.refused(automation.add_line_item('x')), '22023', 'action "add_line_item" needs the parameter "price"', 'no price');
SELECT throws_ok(crm.refused(automation.add_line_item('x', 'dear')), '22P02', NULL, 'a price that is none');

SELECT * FROM finish();
ROLLBACK;
