-- automation._object() writes what jsonb_build_object() does; in compiled steps it stands in for it.
BEGIN;
SELECT plan(9);

CREATE TABLE sample (
	id bigint, small smallint, whole integer, exact numeric, yes boolean, body text, short varchar(9), padded char(5), data jsonb,
	at timestamptz, day date, ratio double precision, tags text[]);
INSERT INTO sample VALUES
	(1, -32768, 2147483647, 1.10, true, E'a "quoted"\nline \\ ü', 'short', 'pad', '{"b": [1, {"c": null}], "a": "x"}', '2026-01-02 03:04:05+00', '2026-01-02', 0.1, '{a,b}'),
	(9223372036854775807, 32767, -2147483648, 'NaN', false, '', '', '', '[]', 'infinity', '2026-01-02', 'NaN', '{}'),
	(-9223372036854775808, 0, 0, 'Infinity', NULL, repeat('long ', 3000), NULL, NULL, '"text"', NULL, NULL, NULL, NULL),
	(NULL, NULL, NULL, 12345678901234567890.000, true, NULL, 'x', 'x', 'null', now(), now(), 1, NULL),
	(5, 5, 5, '-Infinity', true, 'x', 'x', 'x', '3.50', now(), now(), 1e300, '{NULL}');

SELECT results_eq(
	$$SELECT automation._object('id'::text, id, 'small'::text, small, 'whole'::text, whole, 'exact'::text, exact, 'yes'::text, yes, 'body'::text, body, 'short'::text, short,
		'padded'::text, padded, 'data'::text, data, 'inner'::text, automation._object('z'::text, id, 'a'::text, body))::text FROM sample$$,
	$$SELECT jsonb_build_object('id', id, 'small', small, 'whole', whole, 'exact', exact, 'yes', yes, 'body', body, 'short', short,
		'padded', padded, 'data', data, 'inner', jsonb_build_object('z'::text, id, 'a'::text, body))::text FROM sample$$,
	'the same object, value by value');
SELECT is(automation._object('a'::text, 1, 'a'::text, 2), '{"a": 2}', 'the last of two values with one key');
SELECT is(automation._object('a'::text, NULL::text, 'b'::text, NULL::jsonb), '{"a": null, "b": null}', 'null is null');
SELECT throws_ok($$SELECT automation._object('a'::text, now())$$, '42804', NULL, 'a type that it does not know');
SELECT throws_ok($$SELECT automation._object(5, 'a'::text)$$, '42804', NULL, 'a key that is no text');
SELECT throws_ok($$SELECT automation._object(NULL::text, 'a'::text)$$, '42804', NULL, 'a key that is null');
SELECT is(automation._object(VARIADIC ARRAY['a', 'b']), '{}', 'an array is nobody''s');

-- In a step: what it knows beside what it does not.
ALTER TABLE sample ADD COLUMN key integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY;
SELECT automation.attach('sample', 'lead');
SELECT automation.create_channel('hook', 'webhook', '{"base_url": "https://example.com"}');
SELECT automation.create_rule('Known', 'sample', 'created', activate => true, steps => ARRAY[automation.send_webhook('hook', '/', $$
	{"id": "{{ id }}", "exact": "{{ exact }}", "yes": "{{ yes }}", "body": "{{ body }}", "data": "{{ data }}", "nothing": null, "list": ["{{ id }}", 1]}$$)]);
SELECT automation.create_rule('Unknown', 'sample', 'created', activate => true, steps => ARRAY[automation.send_webhook('hook', '/', $$
	{"id": "{{ id }}", "at": "{{ at }}", "day": "{{ day }}", "ratio": "{{ ratio }}", "inner": {"exact": "{{ exact }}"}}$$)]);
INSERT INTO sample (id, exact, yes, body, data, at, day, ratio) VALUES (7, 1.50, true, 'text', '{"k": [1]}', '2026-01-02 03:04:05+00', '2026-01-02', 0.5);
SELECT is(d.message -> 'body', '{"id": 7, "exact": 1.50, "yes": true, "body": "text", "data": {"k": [1]}, "nothing": null, "list": [7, 1]}', 'a message of known types')
FROM automation.delivery AS d JOIN automation.run AS r ON r.id = d.run_id JOIN automation.rule AS u ON u.id = r.rule_id WHERE u.name = 'Known';
SELECT is(d.message -> 'body', '{"id": 7, "at": "2026-01-02T03:04:05.000000Z", "day": "2026-01-02", "ratio": 0.5, "inner": {"exact": 1.50}}', 'a message of others')
FROM automation.delivery AS d JOIN automation.run AS r ON r.id = d.run_id JOIN automation.rule AS u ON u.id = r.rule_id WHERE u.name = 'Unknown';

SELECT * FROM finish();
ROLLBACK;
