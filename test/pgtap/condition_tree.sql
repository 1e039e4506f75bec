-- JSON conditions: what each operator means, what it becomes, and what is refused. Each is compiled
-- and asked about real rows.
BEGIN;
SELECT no_plan();

CREATE EXTENSION IF NOT EXISTS citext SCHEMA public;
CREATE SCHEMA crm;
CREATE TYPE crm.stage AS ENUM ('New', 'Won', 'Lost');
CREATE DOMAIN crm.short AS text CHECK (length(VALUE) < 40);
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, tier text, spent numeric);
CREATE TABLE crm.deal (
	id integer PRIMARY KEY,
	customer_id integer REFERENCES crm.contact,
	status text,
	stage crm.stage,
	previous text,
	title crm.short,
	code char(3),
	email public.citext,
	priority integer,
	amount numeric(12,2),
	tags text[],
	labels jsonb,
	raw json,
	due_on date,
	seen_at timestamptz,
	urgent boolean,
	span int4range,
	"First Name" text,
	"a.b" text
);
CREATE TABLE crm.line_item (id integer PRIMARY KEY, deal_id integer REFERENCES crm.deal, product text, price numeric, quantity integer, added_on date);
CREATE TABLE crm.discount (id integer PRIMARY KEY, line_item_id integer REFERENCES crm.line_item, percent integer);
CREATE TABLE crm.task (id integer PRIMARY KEY, deal_id integer REFERENCES crm.deal, blocks_id integer REFERENCES crm.deal, parent_id integer REFERENCES crm.task);

INSERT INTO crm.contact VALUES (1, 'Ann', 'gold', 50), (2, 'Bob', NULL, 9000);
INSERT INTO crm.deal (id) VALUES (7), (8);
INSERT INTO crm.line_item VALUES (1, 7, 'Pump', 100, 2, '2026-01-05'), (2, 7, 'Hose 50%', 20.5, 1, '2026-02-01'), (3, 8, 'Pump', 90, 1, NULL);
INSERT INTO crm.discount VALUES (1, 2, 15);
INSERT INTO crm.task VALUES (1, 7, NULL, NULL), (2, 8, 7, 1);

CREATE FUNCTION crm.sql_of(condition text) RETURNS text LANGUAGE sql AS $$
	SELECT automation._condition_sql(automation._scope('crm.deal', current_user::regrole, '{insert,update}'), condition)
$$;
-- Whether a condition holds for a deal that was one thing and is another.
CREATE FUNCTION crm.holds(condition text, before jsonb, after jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	answer boolean;
BEGIN
	EXECUTE format('SELECT %s FROM jsonb_populate_record(NULL::crm.deal, $1) AS old, jsonb_populate_record(NULL::crm.deal, $2) AS new',
		crm.sql_of(condition)) INTO answer USING before, after;
	RETURN answer;
END
$$;
-- The same of one comparison and a deal as it is.
CREATE FUNCTION crm.compares(field text, operator text, value jsonb, after jsonb) RETURNS boolean LANGUAGE sql AS $$
	SELECT crm.holds(jsonb_build_object('field', field, 'operator', operator, 'value', value)::text, NULL, after)
$$;
CREATE FUNCTION crm.check_all(cases jsonb) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT is(
		crm.holds(jsonb_strip_nulls(jsonb_build_object('field', c ->> 0, 'operator', c ->> 1, 'value', c -> 2))::text, c -> 5, c -> 3),
		(c ->> 4)::boolean, format('%s %s %s of %s%s', c ->> 0, c ->> 1, c ->> 2, c ->> 3, ', before ' || (c ->> 5)))
	FROM jsonb_array_elements(cases) AS c
$$;

-- Each line: field, operator, value, the row, whether it holds, and the row before.

SELECT crm.check_all('[
["status", "=", "Won", {"status": "Won"}, true],
["status", "=", "Won", {"status": "won"}, false],
["status", "=", "Won", {}, null],
["status", "is", "O''Brien \\ \"x\" {1} %s", {"status": "O''Brien \\ \"x\" {1} %s"}, true],
["priority", "=", 3, {"priority": 3}, true],
["priority", "=", "3", {"priority": 3}, true],
["amount", "=", 2, {"amount": 2.00}, true],
["urgent", "=", true, {"urgent": true}, true],
["stage", "=", "Won", {"stage": "Won"}, true],
["title", "=", "A", {"title": "A"}, true],
["code", "=", "AB", {"code": "AB"}, true],
["code", "=", "ABC", {"code": "ABC"}, true],
["email", "=", "ANN@X.example", {"email": "ann@x.EXAMPLE"}, true],
["labels", "=", {"a": [1, 2]}, {"labels": {"a": [1, 2]}}, true],
["labels", "=", "x", {"labels": "x"}, true],
["due_on", "=", "2026-02-28", {"due_on": "2026-02-28"}, true],
["span", "=", "[1,5)", {"span": "[1,4]"}, true],
["First Name", "=", "Ann", {"First Name": "Ann"}, true],
["[\"First Name\"]", "=", "Ann", {"First Name": "Ann"}, true],
["new[\"First Name\"]", "=", "Ann", {"First Name": "Ann"}, true],
["[\"a.b\"]", "=", "x", {"a.b": "x"}, true],
["new.status", "=", "Won", {"status": "Won"}, true],
["status", "!=", "Won", {"status": "Lost"}, true],
["status", "!=", "Won", {"status": "Won"}, false],
["status", "!=", "Won", {}, true],
["status", "is not", "Won", {}, true],
["email", "!=", "ANN@x.example", {"email": "ann@x.example"}, false],
["email", "!=", "ANN@x.example", {}, true],
["amount", "<", 10, {"amount": 9.99}, true],
["amount", "<", 10, {"amount": 10}, false],
["amount", "<=", 10, {"amount": 10}, true],
["amount", ">", 10, {"amount": 10}, false],
["amount", ">=", 10, {"amount": 10}, true],
["priority", "gte", 10, {"priority": 9}, false],
["priority", "lt", 10, {"priority": 9}, true],
["email", "<", "B", {"email": "a"}, true],
["status", "in", ["Won", "Lost"], {"status": "Lost"}, true],
["status", "in", "Won, Lost", {"status": "Lost"}, true],
["status", "in", ["Won"], {"status": "Lost"}, false],
["email", "in", ["A", "B"], {"email": "b"}, true],
["stage", "in", ["Won", "Lost"], {"stage": "New"}, false],
["status", "isOneOf", "Won, Lost", {"status": "Won, Lost"}, true],
["status", "isNoneOf", "Won, Lost", {"status": "Won"}, true],
["status", "notIn", ["Won", "Lost"], {"status": "New"}, true],
["status", "not_in", ["Won", "Lost"], {"status": "Won"}, false],
["status", "notIn", ["Won", "Lost"], {}, true],
["priority", "between", [2, 4], {"priority": 2}, true],
["priority", "between", "2,4", {"priority": 4}, true],
["priority", "between", [2, 4], {"priority": 5}, false],
["priority", "notBetween", [2, 4], {"priority": 5}, true],
["priority", "notBetween", [2, 4], {"priority": 3}, false],
["priority", "notBetween", [2, 4], {}, true]
]');

SELECT crm.check_all('[
["status", "null", null, {}, true],
["status", "null", null, {"status": ""}, false],
["status", "notNull", null, {"status": ""}, true],
["status", "is_null", null, {}, true],
["status", "filled", null, {"status": " "}, false],
["status", "filled", null, {"status": "x"}, true],
["status", "filled", null, {}, null],
["status", "empty", null, {"status": " "}, true],
["status", "empty", null, {}, true],
["status", "empty", null, {"status": "x"}, false],
["email", "empty", null, {"email": " "}, true],
["priority", "filled", null, {"priority": 0}, true],
["priority", "empty", null, {}, true],
["tags", "filled", null, {"tags": []}, false],
["tags", "empty", null, {}, true],
["labels", "filled", null, {"labels": []}, false],
["labels", "filled", null, {"labels": {}}, false],
["labels", "filled", null, {"labels": [0]}, true],
["labels", "filled", null, {"labels": 5}, true],
["raw", "filled", null, {"raw": {}}, true],
["urgent", "isTrue", null, {"urgent": true}, true],
["urgent", "isTrue", null, {}, false],
["urgent", "isFalse", null, {"urgent": false}, true],
["urgent", "isFalse", null, {}, false],
["status", "contains", "50%", {"status": "about 50% off"}, true],
["status", "contains", "5_%", {"status": "about 50% off"}, false],
["status", "contains", "ABOUT", {"status": "about"}, false],
["priority", "contains", "5", {"priority": 152}, true],
["status", "doesNotContain", "%", {"status": "50"}, true],
["status", "doesNotContain", "%", {}, true],
["status", "doesNotContain", "{field}", {"status": "a {field}"}, false],
["status", "beginsWith", "a_", {"status": "a_b"}, true],
["status", "starts with", "a_", {"status": "axb"}, false],
["status", "doesNotBeginWith", "a", {"status": "b"}, true],
["status", "endsWith", "_b", {"status": "a_b"}, true],
["status", "endsWith", "_b", {"status": "aab"}, false],
["status", "endsWith", "", {"status": "aab"}, true],
["status", "doesNotEndWith", "b", {"status": "ab"}, false],
["stage", "beginsWith", "W", {"stage": "Won"}, true],
["tags", "contains", "vip", {"tags": ["new", "vip"]}, true],
["tags", "doesNotContain", "vip", {"tags": ["new"]}, true],
["labels", "contains", "vip", {"labels": ["vip"]}, true],
["tags", "hasTag", "vip", {"tags": ["new", "vip"]}, true],
["tags", "hasTag", "vip", {"tags": ["new"]}, false],
["tags", "lacksTag", "vip", {}, true],
["tags", "hasAny", ["vip", "gold"], {"tags": ["gold"]}, true],
["tags", "has_any", "vip, gold", {"tags": ["new"]}, false],
["tags", "hasAll", ["vip", "gold"], {"tags": ["gold", "new", "vip"]}, true],
["tags", "hasAll", ["vip", "gold"], {"tags": ["gold"]}, false],
["labels", "hasTag", "vip", {"labels": ["vip"]}, true],
["labels", "hasAny", ["vip", "gold"], {"labels": ["gold"]}, true],
["labels", "hasAll", ["vip", "gold"], {"labels": ["gold"]}, false]
]');

SELECT crm.check_all('[
["status", "changed", null, {"status": "B"}, true, {"status": "A"}],
["status", "changed", null, {"status": "A"}, false, {"status": "A"}],
["status", "changed", null, {}, false, {}],
["status", "changed", null, {}, true, {"status": "A"}],
["amount", "changed", null, {"amount": 2.00}, false, {"amount": 2}],
["new.status", "changed", null, {"status": "B"}, true, {"status": "A"}],
["status", "notChanged", null, {"status": "B"}, true, {"status": "B"}],
["status", "changedFrom", "A", {"status": "B"}, true, {"status": "A"}],
["status", "changedFrom", "A", {"status": "A"}, false, {"status": "A"}],
["status", "changedFrom", ["A", "C"], {"status": "B"}, true, {"status": "C"}],
["status", "changedTo", "B", {"status": "B"}, true, {"status": "A"}],
["status", "changedTo", "B", {"status": "B"}, true, {}],
["status", "changed_to", "B", {"status": "B"}, false, {"status": "B"}],
["status", "changedTo", ["B", "C"], {"status": "C"}, true, {"status": "B"}],
["status", "changedTo", "B, C", {"status": "B, C"}, true, {"status": "B"}],
["email", "changedTo", "B", {"email": "b"}, true, {"email": "a"}],
["status", "changedFromTo", ["A", "B"], {"status": "B"}, true, {"status": "A"}],
["status", "changedFromTo", ["A", "B"], {"status": "B"}, false, {"status": "C"}],
["status", "changedFromTo", [["A", "C"], "B"], {"status": "B"}, true, {"status": "C"}],
["status", "was", "A", {"status": "A"}, true, {"status": "A"}],
["status", "was", ["A", "B"], {"status": "C"}, true, {"status": "B"}],
["status", "was", "A", {"status": "A"}, false, {"status": "B"}],
["old.status", "=", "A", {"status": "B"}, true, {"status": "A"}],
["amount", "increased", null, {"amount": 2}, true, {"amount": 1}],
["amount", "decreased", null, {"amount": 2}, false, {"amount": 1}],
["amount", "increasedBy", 5, {"amount": 15}, true, {"amount": 10}],
["amount", "increasedBy", 5, {"amount": 14.99}, false, {"amount": 10}],
["priority", "decreasedBy", 5, {"priority": 5}, true, {"priority": 10}],
["amount", "crossed", 100, {"amount": 100}, true, {"amount": 99}],
["amount", "crossed", 100, {"amount": 100}, true, {"amount": 101}],
["amount", "crossed", 100, {"amount": 102}, false, {"amount": 101}],
["amount", "crossedUp", 100, {"amount": 100}, true, {}],
["amount", "crossedUp", 100, {"amount": 120}, false, {"amount": 110}],
["amount", "crossedDown", 100, {"amount": 100}, true, {"amount": 101}],
["amount", "crossedDown", 100, {"amount": 90}, null, {}]
]');

-- Instants are asked of the engine's clock when the rule runs, not of the day it was made.

SELECT is(crm.sql_of('{"field": "due_on", "operator": "<", "value": "today"}'),
	$$new.due_on < (date_trunc('day', automation._now()))::date$$, 'today is not frozen');
SELECT is(crm.sql_of('{"field": "status", "operator": "=", "value": "today"}'), $$new.status = 'today'::text$$,
	'where it is an instant');
SELECT is(crm.compares('seen_at', operator, value, jsonb_build_object('seen_at', automation._now() + age)), wanted,
	format('%s %s of an instant %s from now', operator, value, age))
FROM (VALUES
	('olderThan', '"3 days"'::jsonb, interval '-4 days', true),
	('olderThan', '"3 days"', '-2 days', false),
	('newerThan', '"3 days"', '-2 days', true),
	('newerThan', '"3 days"', '2 days', true),
	('withinLast', '"3 days"', '-2 days', true),
	('withinLast', '"3 days"', '2 days', false),
	('withinNext', '"3 days"', '2 days', true),
	('withinNext', '"3 days"', '4 days', false),
	('<', '"now"', '-1 second', true),
	('>=', '"tomorrow"', '48 hours', true),
	('<', '"yesterday"', '-1 hour', false)
) AS c(operator, value, age, wanted);
SELECT is(crm.compares('due_on', 'olderThan', '"10 days"', '{"due_on": "2020-01-01"}'), true, 'a date may be old too');

-- Fields on both sides, and fields of linked rows

SELECT is(crm.holds('{"field": "status", "operator": "=", "value": "previous", "valueSource": "field"}', NULL,
	'{"status": "x", "previous": "x"}'), true, 'a value may be a field');
SELECT is(crm.holds('{"field": "status", "operator": "!=", "value": "previous", "valueSource": "field"}', NULL, '{}'), false,
	'two nulls do not differ');
SELECT is(crm.holds('{"field": "status", "operator": "in", "value": ["previous", "title"], "valueSource": "field"}', NULL,
	'{"status": "x", "title": "x"}'), true, 'several values may be');
SELECT is(crm.holds('{"field": "status", "operator": "contains", "value": "priority", "valueSource": "field"}', NULL,
	'{"status": "P3", "priority": 3}'), true, 'a number is text where a text is wanted');
SELECT is(crm.holds('{"field": "customer.tier", "operator": "=", "value": "gold"}', NULL, '{"customer_id": 1}'), true,
	'a field may be of a linked row');
SELECT is(crm.holds('{"field": "customer.tier", "operator": "=", "value": "gold"}', NULL, '{"customer_id": 2}'), NULL,
	'where it is null nothing is known');
SELECT is(crm.holds('{"field": "customer.tier", "operator": "!=", "value": "gold"}', NULL, '{}'), true,
	'and everything differs from it');
SELECT is(crm.holds('{"field": "amount", "operator": ">", "value": "customer.spent", "valueSource": "field"}', NULL,
	'{"amount": 60, "customer_id": 1}'), true, 'a value may be of a linked row');
SELECT is(crm.holds('{"field": "old.customer.tier", "operator": "=", "value": "gold"}', '{"customer_id": 1}', '{"customer_id": 2}'),
	true, 'a linked row may be the one that was linked before');

-- Groups

SELECT is(crm.holds(condition, NULL, '{"status": "Won", "priority": 3}'), wanted, condition)
FROM (VALUES
	('{"combinator": "and", "rules": [{"field": "status", "operator": "=", "value": "Won"}, {"field": "priority", "operator": ">", "value": 5}]}', false),
	('{"combinator": "or", "rules": [{"field": "status", "operator": "=", "value": "Won"}, {"field": "priority", "operator": ">", "value": 5}]}', true),
	('{"combinator": "OR", "not": true, "rules": [{"field": "status", "operator": "=", "value": "Won"}]}', false),
	('{"combinator": "and", "not": false, "rules": [{"field": "status", "operator": "=", "value": "Won"}]}', true),
	('{"not": true, "rules": [{"field": "amount", "operator": ">", "value": 5}]}', true),
	('{"field": "amount", "operator": ">", "value": 5, "not": true}', true),
	('{"all": [{"field": "status", "operator": "=", "value": "Won"}, {"any": [{"field": "priority", "operator": "=", "value": 1}, {"field": "priority", "operator": "=", "value": 3}]}]}', true),
	('{"none": [{"field": "status", "operator": "=", "value": "Lost"}, {"field": "amount", "operator": ">", "value": 5}]}', true),
	('{"none": [{"field": "status", "operator": "=", "value": "Won"}, {"field": "amount", "operator": ">", "value": 5}]}', false),
	('{"combinator": "and", "rules": []}', true),
	('{"combinator": "or", "rules": []}', true),
	('{"all": []}', true),
	('{"any": []}', false),
	('{"none": []}', true),
	('{"id": "r1", "path": [0], "disabled": true, "field": "status", "operator": "=", "value": "Won", "valueSource": "value"}', true),
	(NULL, true),
	(E' \n', true)
) AS c(condition, wanted);
SELECT is(crm.sql_of('{"rules": [{"field": "status", "operator": "changedTo", "value": ["Won"]}, {"field": "priority", "operator": "=", "value": 3}]}'),
	$$(automation.changed(old.status, new.status) AND new.status = 'Won'::text) AND (new.priority = '3'::integer)$$,
	'the index of rules finds plain equalities');
SELECT is(crm.sql_of('{"field": "email", "operator": "=", "value": "x"}'), $$new.email OPERATOR(public.=) 'x'::public.citext$$,
	'a type of an extension is compared by its own operator');

-- Child rows

SELECT is(crm.holds(condition, NULL, '{"id": 7, "amount": 100, "status": "Pump"}'), wanted, condition)
FROM (VALUES
	('{"exists": "crm.line_item"}', true),
	('{"exists": "line_item", "where": {"field": "product", "operator": "=", "value": "Valve"}}', false),
	('{"exists": "line_item", "where": {"field": "product", "operator": "contains", "value": "50%"}}', true),
	('{"exists": "line_item", "where": {"field": "product", "operator": "=", "value": "Valve"}, "not": true}', true),
	('{"exists": "line_item", "where": {"field": "price", "operator": ">=", "value": "new.amount", "valueSource": "field"}}', true),
	('{"exists": "line_item", "where": {"field": "price", "operator": ">", "value": "new.amount", "valueSource": "field"}}', false),
	('{"exists": "line_item", "where": {"field": "product", "operator": "=", "value": "new.status", "valueSource": "field"}}', true),
	('{"exists": "line_item", "where": {"field": "deal.id", "operator": "=", "value": 7}}', true),
	('{"exists": "line_item", "where": {"exists": "discount", "where": {"field": "percent", "operator": ">", "value": 10}}}', true),
	('{"exists": "line_item", "where": {"all": [{"field": "product", "operator": "=", "value": "Pump"}, {"exists": "discount"}]}}', false),
	('{"count": "line_item", "operator": "=", "value": 2}', true),
	('{"count": "line_item", "operator": "in", "value": [1, 3]}', false),
	('{"count": "line_item", "where": {"field": "quantity", "operator": ">", "value": 1}, "operator": "=", "value": 1}', true),
	('{"sum": "line_item", "field": "price", "operator": "=", "value": 120.5}', true),
	('{"sum": "line_item", "field": "quantity", "operator": "between", "value": [3, 3]}', true),
	('{"sum": "line_item", "field": "price", "where": {"any": []}, "operator": "=", "value": 0}', true),
	('{"sum": "line_item", "field": "price", "operator": ">", "value": "amount", "valueSource": "field"}', true),
	('{"max": "line_item", "field": "price", "operator": ">", "value": 100}', false),
	('{"min": "line_item", "field": "added_on", "operator": "<", "value": "2026-01-31"}', true),
	('{"min": "line_item", "field": "added_on", "where": {"any": []}, "operator": "null"}', true),
	('{"max": "line_item", "field": "product", "operator": "beginsWith", "value": "P"}', true),
	('{"count": "task", "link": "deal_id", "operator": "=", "value": 1}', true),
	('{"count": "task", "link": "blocks_id", "operator": "=", "value": 1}', true),
	('{"exists": "task", "link": "deal_id", "where": {"exists": "crm.task"}}', true)
) AS c(condition, wanted);
SELECT lives_ok($$SELECT automation.link('crm.task', 'contact', 'id', 'crm.contact')$$, 'a link that is no foreign key');
SELECT is(automation._condition_sql(automation._scope('crm.contact', current_user::regrole), '{"exists": "crm.task"}'),
	'EXISTS (SELECT 1 FROM crm.task AS c1 WHERE c1.id = new.id AND (true))', 'leads to child rows too');
SELECT is(
	automation._condition_sql(automation._scope('crm.deal', current_user::regrole, '{insert}', 'crm.line_item', 'deal_id'),
		'{"all": [{"field": "status", "operator": "=", "value": "Won"}, {"field": "new.quantity", "operator": ">", "value": 1}, {"exists": "task", "link": "deal_id"}]}'),
	'((SELECT t.status FROM crm.deal AS t WHERE t.id = new.deal_id) = ''Won''::text) AND (new.quantity > ''1''::integer)'
	' AND (EXISTS (SELECT 1 FROM crm.task AS c1 WHERE c1.deal_id = (SELECT t.id FROM crm.deal AS t WHERE t.id = new.deal_id) AND (true)))',
	'a rule that fires on a child asks about its parent');

-- Renamed and dropped columns

SELECT lives_ok($$SELECT automation._compile('tap_condition', 'boolean', automation._select_sql('crm.deal', crm.sql_of(
	'{"all": [{"field": "previous", "operator": "=", "value": "x"}, {"count": "line_item", "where": {"field": "product", "operator": "=", "value": "Pump"}, "operator": "=", "value": 1}]}')))$$,
	'a compiled condition');
SELECT throws_ok($$ALTER TABLE crm.deal DROP COLUMN previous$$, '2BP01', NULL, 'keeps its columns from being dropped');
SELECT throws_ok($$ALTER TABLE crm.line_item DROP COLUMN product$$, '2BP01', NULL, 'those of child rows too');
ALTER TABLE crm.deal RENAME COLUMN previous TO earlier;
ALTER TABLE crm.line_item RENAME COLUMN product TO article;
SELECT matches(pg_get_functiondef('automation_compiled.tap_condition'::regproc), 'new\.earlier = .*\.article =', 'and follows them when they are renamed');
ALTER TABLE crm.deal RENAME COLUMN earlier TO previous;
ALTER TABLE crm.line_item RENAME COLUMN article TO product;

-- Mistakes

SELECT throws_ok(format('SELECT crm.sql_of(%L)', condition), code, message, condition)
FROM (VALUES
	('{"field": "statuz", "operator": "=", "value": 1}', '42703', 'column "statuz" does not exist'),
	('{"field": "customer.teir", "operator": "=", "value": 1}', '42703', 'column "customer.teir" does not exist'),
	('{"field": 5, "operator": "=", "value": 1}', '22023', 'field of a condition must be a text, not 5'),
	('{"field": "status", "operator": "equls", "value": 1}', '22023', 'unrecognized operator: "equls"'),
	('{"field": "status", "value": 1}', '22023', 'unrecognized operator: ""'),
	('{"field": "status", "operator": "="}', '22023', 'operator "=" needs a value'),
	('{"field": "status", "operator": "=", "value": null}', '22004', 'a condition cannot compare with null'),
	('{"field": "status", "operator": "in", "value": ["a", null]}', '22004', 'a condition cannot compare with null'),
	('{"field": "status", "operator": "in", "value": []}', '22023', 'operator "in" needs at least one value'),
	('{"field": "status", "operator": "changedFromTo", "value": [[], "a"]}', '22023', 'operator "changedFromTo" needs at least one value'),
	('{"field": "status", "operator": "changedFromTo", "value": "a"}', '22023', 'operator "changedFromTo" needs two values'),
	('{"field": "priority", "operator": "between", "value": [1]}', '22023', 'operator "between" needs two values'),
	('{"field": "priority", "operator": "between", "value": [[1, 2], 3]}', '22023', 'a single value is expected, not [1, 2]'),
	('{"field": "status", "operator": "=", "value": ["a"]}', '22023', 'a single value is expected, not ["a"]'),
	('{"field": "status", "operator": "contains", "value": {"a": 1}}', '22023', 'a single value is expected, not {"a": 1}'),
	('{"field": "priority", "operator": "=", "value": "many"}', '22P02', 'invalid input syntax for type integer: "many"'),
	('{"field": "stage", "operator": "=", "value": "won"}', '22P02', 'invalid input value for enum crm.stage: "won"'),
	('{"field": "due_on", "operator": "<", "value": "2026-02-30"}', '22008', 'date/time field value out of range: "2026-02-30"'),
	('{"field": "seen_at", "operator": "olderThan", "value": "soon"}', '22007', 'invalid input syntax for type interval: "soon"'),
	('{"field": "status", "operator": "isTrue"}', '42804', 'operator "isTrue" does not apply to type text'),
	('{"field": "status", "operator": "hasTag", "value": "x"}', '42804', 'operator "hasTag" does not apply to type text'),
	('{"field": "status", "operator": "increasedBy", "value": 1}', '42804', 'operator "increasedBy" does not apply to type text'),
	('{"field": "raw", "operator": "=", "value": "{}"}', '42883', 'operator does not exist: json = unknown'),
	('{"field": "customer.tier", "operator": "changed"}', '22023', 'operator "changed" needs a column of the changed row'),
	('{"field": "status", "operator": "=", "value": "x", "valueSource": "fields"}', '22023', 'unrecognized valueSource: "fields"'),
	('{"field": "status", "operator": "=", "value": 5, "valueSource": "field"}', '22023', 'field of a condition must be a text, not 5'),
	('{"field": "status", "operator": "=", "valu": "x"}', '22023', 'unrecognized key "valu" in condition'),
	('{"rules": [], "combinator": "xor"}', '22023', 'unrecognized combinator: "xor"'),
	('{"rules": [{"field": "status", "operator": "null"}, "or", {"field": "status", "operator": "null"}]}', '22023', 'a condition must be a JSON object, not "or"'),
	('{"rules": {}}', '22023', 'rules of a condition must be an array, not {}'),
	('{"all": [], "not": "yes"}', '22023', '"not" of a condition must be true or false, not "yes"'),
	('{}', '22023', 'unrecognized condition: {}'),
	('{"fields": "status"}', '22023', 'unrecognized condition: {"fields": "status"}'),
	('{"field": ', '22P02', 'invalid input syntax for type json'),
	('{"exists": "crm.lineitem"}', '42P01', 'relation "crm.lineitem" does not exist'),
	('{"exists": "crm.contact"}', '42704', 'table "crm.contact" has no link to table "crm.deal"'),
	('{"exists": "task"}', '42702', 'table "crm.task" has several links to table "crm.deal"'),
	('{"exists": "task", "link": "id"}', '42704', 'table "crm.task" has no link to table "crm.deal" by column "id"'),
	('{"exists": "line_item", "where": {"field": "produkt", "operator": "null"}}', '42703', 'column "produkt" does not exist'),
	('{"exists": "line_item", "where": {"field": "product", "operator": "changed"}}', '22023', 'operator "changed" needs a column of the changed row'),
	('{"exists": "line_item", "field": "product"}', '22023', 'unrecognized key "field" in condition'),
	('{"count": "line_item", "operator": "changedTo", "value": 1}', '22023', 'operator "changedTo" needs a column of the changed row'),
	('{"count": "line_item", "operator": ">", "value": "x"}', '22P02', 'invalid input syntax for type bigint: "x"'),
	('{"sum": "line_item", "field": "product", "operator": ">", "value": 1}', '42883', 'cannot sum column of type text'),
	('{"sum": "line_item", "operator": ">", "value": 1}', '22023', 'field of a condition must be a text, not missing')
) AS c(condition, code, message);
SELECT throws_ok(format('SELECT crm.sql_of(%L)', repeat('{"all": [', 100) || '{"all": []}' || repeat(']}', 100)), '54001',
	'rule condition is too complex', 'a tree deeper than 100');
SELECT is(crm.sql_of(repeat('{"all": [', 99) || '{"all": []}' || repeat(']}', 99)), repeat('(', 99) || 'true' || repeat(')', 99),
	'a tree of depth 100');
SELECT throws_ok(format('SELECT crm.sql_of(%L)', jsonb_build_object('field', 'status', 'operator', '=', 'value', repeat('x', 8192))),
	'54001', 'rule condition is too complex', 'a tree of more than 8 kB');

SELECT throws_ok(
	$$SELECT automation._condition_sql(automation._scope('crm.deal', current_user::regrole, '{insert}'), '{"field": "status", "operator": "was", "value": "x"}')$$,
	'42P17', 'rule condition for INSERT cannot reference OLD values');
SELECT throws_ok(
	$$SELECT automation._condition_sql(automation._scope('crm.deal', current_user::regrole, '{delete}'), '{"field": "new.status", "operator": "null"}')$$,
	'42P17', 'rule condition for DELETE cannot reference NEW values');
SELECT is(
	automation._condition_sql(automation._scope('crm.deal', current_user::regrole, '{delete}'), '{"field": "status", "operator": "null"}'),
	'old.status IS NULL', 'a deleted row is asked as it was');

-- Every operator is told about, and compiles for the types it is for.

SELECT is((SELECT count(*) FROM automation.condition_operator AS o WHERE complement_of IS NOT NULL
	AND NOT EXISTS (SELECT FROM automation.condition_operator AS p WHERE p.name = o.complement_of)), 0::bigint, 'complements have a counterpart');
SELECT is(
	(SELECT count(DISTINCT lower(spelling)) FROM (SELECT DISTINCT name, unnest(aliases || lower(name)) AS spelling FROM automation.condition_operator) AS s),
	(SELECT count(*) FROM (SELECT DISTINCT name, unnest(aliases || lower(name)) AS spelling FROM automation.condition_operator) AS s),
	'no two operators have a name in common');

-- What the author may not read, and what must not run with our rights

CREATE ROLE tap_author;
GRANT SELECT (id, status) ON crm.deal TO tap_author;
CREATE FUNCTION crm.author_sql(condition text) RETURNS text LANGUAGE sql AS $$
	SELECT automation._condition_sql(automation._scope('crm.deal', 'tap_author'), condition)
$$;
SELECT lives_ok($$SELECT crm.author_sql('{"field": "status", "operator": "changed"}')$$, 'a granted column is compared');
SELECT throws_ok($$SELECT crm.author_sql('{"field": "amount", "operator": ">", "value": 1}')$$, '42501',
	'permission denied for column "amount" of table "crm.deal"');
SELECT throws_ok($$SELECT crm.author_sql('{"field": "status", "operator": "=", "value": "title", "valueSource": "field"}')$$, '42501',
	'permission denied for column "title" of table "crm.deal"');
SELECT throws_ok($$SELECT crm.author_sql('{"exists": "line_item"}')$$, '42501',
	'permission denied for column "deal_id" of table "crm.line_item"');

CREATE FUNCTION crm.trap(value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'the trap has run';
END
$$;
CREATE DOMAIN crm.trapped AS text CHECK (crm.trap(VALUE));
CREATE TYPE crm.pair AS (a crm.trapped);
CREATE TABLE crm.bait (id integer PRIMARY KEY, one crm.trapped, many crm.trapped[], couple crm.pair, couples crm.pair[]);
CREATE FUNCTION crm.bait_sql(condition text) RETURNS text LANGUAGE sql AS $$
	SELECT automation._condition_sql(automation._scope('crm.bait', current_user::regrole), condition)
$$;
SELECT is(crm.bait_sql('{"field": "one", "operator": "=", "value": "x"}'), 'new.one = ''x''::text', 'a domain''s CHECK is not run');
SELECT is(crm.bait_sql('{"field": "many", "operator": "hasTag", "value": "x"}'), '''x''::text = ANY (new.many)', 'nor that of an array''s elements');
SELECT throws_ok($$SELECT crm.bait_sql('{"field": "couple", "operator": "=", "value": "(x)"}')$$, '0A000',
	'a condition cannot compare a value of type crm.pair');
SELECT throws_ok($$SELECT crm.bait_sql('{"field": "couples", "operator": "hasTag", "value": "(x)"}')$$, '0A000',
	'a condition cannot compare a value of type crm.pair');

-- Approved functions

CREATE FUNCTION crm.score(value text) RETURNS integer LANGUAGE sql IMMUTABLE RETURN length(value);
SELECT is(automation._is_approved('crm.deal', 'crm.score(text)'::regprocedure), false, 'a function is not approved by itself');
SELECT lives_ok($$SELECT automation.approve_function('crm.deal', 'crm.score(text)')$$, 'the owner of the table approves it');
SELECT lives_ok($$SELECT automation.approve_function('crm.deal', 'crm.score(text)')$$, 'once or twice');
SELECT is(automation._is_approved('crm.deal', 'crm.score(text)'::regprocedure), true, 'and then it is');
SELECT is(automation._is_approved('crm.contact', 'crm.score(text)'::regprocedure), false, 'for that table only');
SELECT lives_ok($$SELECT automation.disapprove_function('crm.deal', 'crm.score(text)')$$, 'it is taken back');
SELECT is(automation._is_approved('crm.deal', 'crm.score(text)'::regprocedure), false, 'and then it is not');
SELECT throws_ok($$SELECT automation.disapprove_function('crm.deal', 'crm.score(text)')$$, '42704',
	'function crm.score(text) is not approved for rules on table "crm.deal"');
SELECT lives_ok($$SELECT automation.approve_function('crm.deal', 'crm.score(text)'); DROP FUNCTION crm.score(text)$$, 'a dropped function');
CREATE FUNCTION crm.score(value text) RETURNS integer LANGUAGE sql IMMUTABLE RETURN 1;
SELECT is(automation._is_approved('crm.deal', 'crm.score(text)'::regprocedure), false, 'leaves no approval to its successor');
CREATE FUNCTION crm.approve_as_author() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	SET LOCAL ROLE tap_author;
	PERFORM automation.approve_function('crm.deal', 'crm.score(text)');
END
$$;
GRANT USAGE ON SCHEMA automation, crm TO tap_author;
GRANT EXECUTE ON FUNCTION automation.approve_function(regclass, regprocedure) TO tap_author;
SELECT throws_ok($$SELECT crm.approve_as_author()$$, '42501', 'must be owner of table deal', 'nobody else approves one');

-- What became of a row, and what it is measured against

SELECT crm.check_all('[
["urgent", "isSet", null, {"urgent": true}, true],
["urgent", "isSet", null, {"urgent": false}, false],
["urgent", "isNotSet", null, {"urgent": false}, true],
["urgent", "isNotSet", null, {}, true],
["seen_at", "isSet", null, {"seen_at": "2026-01-01"}, true],
["status", "isSet", null, {"status": " "}, false],
["due_on", "movedBy", "2 days", {"due_on": "2026-01-01"}, true, {"due_on": "2026-01-03"}],
["due_on", "movedBy", "2 days", {"due_on": "2026-01-02"}, false, {"due_on": "2026-01-03"}],
["due_on", "movedBy", "2 days", {"due_on": "2026-01-02"}, null, {}],
["seen_at", "movedBy", "15 minutes", {"seen_at": "2026-01-01 10:15+00"}, true, {"seen_at": "2026-01-01 10:00+00"}],
["tags", "gained", null, {"tags": ["a", "b"]}, true, {"tags": ["b"]}],
["tags", "gained", null, {"tags": ["b"]}, false, {"tags": ["a", "b"]}],
["tags", "gained", null, {"tags": ["b"]}, true, {}],
["tags", "gainedAny", ["a", "c"], {"tags": ["a", "b"]}, true, {"tags": ["b"]}],
["tags", "gainedAny", "c", {"tags": ["a", "b"]}, false, {"tags": ["b"]}],
["tags", "gainedAny", ["a", "c"], {"tags": ["c", "a"]}, true, {"tags": ["a"]}],
["tags", "lost", null, {}, true, {"tags": ["a"]}],
["tags", "lost", null, {"tags": ["a", "b"]}, false, {"tags": ["a"]}],
["tags", "lostAny", "a", {"tags": ["b"]}, true, {"tags": ["a", "b"]}],
["tags", "lostAny", "b", {"tags": ["b"]}, false, {"tags": ["a", "b"]}],
["labels", "gained", null, {"labels": ["a"]}, true, {"labels": []}],
["labels", "gainedAny", "b", {"labels": ["a", "b"]}, true, {"labels": ["a"]}],
["labels", "lostAny", "a", {"labels": ["b"]}, true, {"labels": ["a", "b"]}],
["labels", "lost", null, {"labels": ["b"]}, false, {"labels": ["b"]}]
]');
SELECT lives_ok($$SELECT automation.attach('crm.deal', 'deal')$$, 'what became of a row needs its key');
SELECT is(crm.holds(condition, before::jsonb, after::jsonb), expected, concat_ws(' ', condition, 'from', before, 'to', after))
FROM (VALUES
	('{"became": {"all": [{"field": "amount", "operator": ">", "value": 10}, {"field": "status", "operator": "=", "value": "Won"}]}}', '{"id": 7, "amount": 20, "status": "New"}', '{"id": 7, "amount": 20, "status": "Won"}', true),
	('{"became": {"all": [{"field": "amount", "operator": ">", "value": 10}, {"field": "status", "operator": "=", "value": "Won"}]}}', '{"id": 7, "amount": 20, "status": "Won"}', '{"id": 7, "amount": 30, "status": "Won"}', false),
	('{"became": {"field": "status", "operator": "empty"}}', NULL, '{"id": 7}', true),
	('{"became": {"field": "status", "operator": "empty"}}', '{"id": 7}', '{"id": 7, "amount": 1}', false),
	('{"became": {"field": "customer.tier", "operator": "=", "value": "gold"}}', '{"id": 7, "customer_id": 2}', '{"id": 7, "customer_id": 1}', true),
	('{"not": true, "became": {"field": "status", "operator": "=", "value": "Won"}}', '{"id": 7}', '{"id": 7, "status": "Won"}', false),
	('{"field": "amount", "operator": ">=", "value": "priority", "valueSource": "field", "times": 0.5}', NULL, '{"amount": 5, "priority": 10}', true),
	('{"field": "amount", "operator": ">=", "value": "priority", "valueSource": "field", "times": 0.5}', NULL, '{"amount": 4.99, "priority": 10}', false),
	('{"field": "seen_at", "operator": ">", "value": "due_on", "valueSource": "field", "plus": "1 day"}', NULL, '{"seen_at": "2026-01-03", "due_on": "2026-01-01"}', true),
	('{"field": "seen_at", "operator": ">", "value": "due_on", "valueSource": "field", "plus": "2 days"}', NULL, '{"seen_at": "2026-01-03", "due_on": "2026-01-01"}', false),
	('{"count": "crm.line_item", "by": "id", "operator": "=", "value": 1}', NULL, '{"id": 1}', true),
	('{"exists": "crm.line_item", "by": ["id"], "where": {"field": "product", "operator": "=", "value": "Pump"}}', NULL, '{"id": 2}', false),
	('{"exists": "crm.deal", "by": ["id"]}', NULL, '{"id": 7}', false),
	('{"count": "crm.deal", "by": ["id"], "operator": "=", "value": 1}', NULL, '{"id": 7}', true)
) AS c(condition, before, after, expected);
SELECT throws_ok(format('SELECT crm.sql_of(%L)', condition), code, message, condition)
FROM (VALUES
	('{"became": {"field": "new.status", "operator": "filled"}}', '22023', '"became" needs plain columns of the changed row'),
	('{"exists": "crm.line_item", "where": {"became": {"field": "product", "operator": "filled"}}}', '22023', '"became" needs plain columns of the changed row'),
	('{"became": {"field": "statuz", "operator": "filled"}}', '42703', 'column "statuz" does not exist'),
	('{"field": "amount", "operator": ">", "value": 1, "times": 2}', '22023', '"times" and "plus" of a condition need "valueSource": "field"'),
	('{"field": "amount", "operator": ">", "value": "priority", "valueSource": "field", "times": "much"}', '22P02', 'invalid input syntax for type numeric: "much"'),
	('{"exists": "crm.line_item", "by": []}', '22023', '"by" of a condition must name columns, in place of a link'),
	('{"exists": "crm.line_item", "by": "id", "link": "deal_id"}', '22023', '"by" of a condition must name columns, in place of a link'),
	('{"exists": "crm.line_item", "by": "status"}', '42703', 'column "status" does not exist'),
	('{"field": "priority", "operator": "gained"}', '42804', 'operator "gained" does not apply to type integer'),
	('{"field": "priority", "operator": "movedBy", "value": "1 day"}', '42804', 'operator "movedBy" does not apply to type integer')
) AS c(condition, code, message);

SELECT * FROM finish();
ROLLBACK;
