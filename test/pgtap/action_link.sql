-- Signed links and approvals.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.job (id integer PRIMARY KEY, status text DEFAULT 'New', amount numeric DEFAULT 900, tracking_url text, payment_link text, owner text DEFAULT 'Tom');
CREATE TABLE crm.approval (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, job_id integer REFERENCES crm.job ON DELETE CASCADE, kind text, status text, approver text,
	amount numeric, body text, link text, expires_at timestamptz, decided_at timestamptz, decided_by text, remark text, signature text);
SELECT automation.attach('crm.job', 'job', '{"status": "status", "owner": "owner"}');
SELECT automation.set_clock('2030-03-04 09:00Z');

CREATE FUNCTION crm.step(step automation.step, number integer DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	INSERT INTO crm.job (id) VALUES (number) ON CONFLICT DO NOTHING;
	PERFORM automation.create_rule('tap', 'crm.job', 'field_changed', '{"field": "amount"}', steps => ARRAY[step], activate => true);
	UPDATE crm.job SET amount = amount + 1 WHERE id = number;
	SELECT concat_ws(' ', l.status, l.sqlstate, l.reason) INTO answer
	FROM automation.step_log AS l WHERE l.rule = 'tap' ORDER BY l.run_id DESC LIMIT 1;
	PERFORM automation.drop_rule('tap');
	RETURN answer;
END
$$;
CREATE FUNCTION crm.refused(step automation.step) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT automation.create_rule(''tap'', ''crm.job'', ''created'', steps => ARRAY[%L::automation.step])', step)
$$;

-- Links

SELECT is(crm.step(automation.make_link('track', 'https://track.example/{{ id }}/', 'tracking_url', '2 days')), 'succeeded', 'make_link');
SELECT tracking_url AS link FROM crm.job WHERE id = 1 \gset
SELECT matches(:'link'::text, '^https://track\.example/1/t[0-9a-f]+\.[A-Za-z0-9_-]{24}$', 'keeps a link in the column');
SELECT results_eq(format('SELECT name, relation::text, key, expires_at, uses_left FROM automation.open_link(%L)', :'link'),
	$$VALUES ('track', 'crm.job', '1', '2030-03-06 09:00Z'::timestamptz, NULL::integer)$$, 'open_link: the record it is about');
SELECT is((automation.open_link(substr(:'link', length('https://track.example/1/') + 1))).key, '1', 'by the token alone too, as often as one likes');
SELECT results_eq('SELECT purpose, name, key, uses, state FROM automation.tokens', $$VALUES ('link', 'track', '1', 2, 'valid')$$, 'what was made is seen');
SELECT unalike((SELECT string_agg(t::text, '') FROM automation.token AS t), '%' || right(:'link', 24) || '%', 'but not the token');
SELECT throws_ok(format('SELECT automation.open_link(%L)', overlay(:'link' PLACING CASE right(:'link', 1) WHEN 'A' THEN 'B' ELSE 'A' END FROM length(:'link'))), '28000', 'token is not valid', 'a forged one');
SELECT throws_ok(format('SELECT automation.open_link(%L)', replace(:'link', '/1/t1.', '/1/t2.')), '28000', 'token is not valid', 'one for another number');
SELECT throws_ok($$SELECT automation.open_link('nonsense')$$, '28000', 'token is not valid', 'none at all');
SELECT throws_ok('SELECT automation.open_link(NULL)', '28000', 'token is not valid', 'nor null');
SELECT throws_ok(format('SELECT automation.approve(%L, ''granted'')', :'link'), '28000', 'token is not valid', 'one for another purpose');
SELECT automation.advance('2 days');
SELECT throws_ok(format('SELECT automation.open_link(%L)', :'link'), '55000', 'token has expired', 'an expired one');
SELECT crm.step(automation.make_link('once', 'https://x.example/', 'tracking_url', '1 day', 1));
SELECT tracking_url AS link FROM crm.job WHERE id = 1 \gset
SELECT is((automation.open_link(:'link')).uses_left, 0, 'good for one use');
SELECT throws_ok(format('SELECT automation.open_link(%L)', :'link'), '55000', 'token has been used already', 'not for another');
SELECT is(crm.step(automation.create_payment_link('https://pay.example/')), 'succeeded', 'create_payment_link');
SELECT is((automation.open_link((SELECT payment_link FROM crm.job WHERE id = 1))).name, 'payment', 'is one for payments');
SELECT throws_ok(crm.refused(automation.make_link('x', 'https://x.example/', 'nope', '1 day')), '42703', NULL, 'an unknown column');
SELECT throws_ok(crm.refused(automation.make_link('x', 'https://x.example/{{ nope }}', 'tracking_url', '1 day')), '42703', NULL, 'an unknown merge field');
SELECT throws_ok(crm.refused(automation.make_link('x', 'https://x.example/', 'tracking_url', 'soon')), '22007', NULL, 'no interval');
SELECT throws_ok(crm.refused(automation.make_link('x', 'https://x.example/', 'tracking_url', '0')), '22023', 'parameter "expires" of action "make_link" must be from now to 10 years', 'an end that has come');
SELECT throws_ok(crm.refused(automation.make_link('x', 'https://x.example/', 'tracking_url', '1 day', 0)), '22023', 'parameter "most_uses" of action "make_link" must be a whole number from 1 on', 'no use');

-- A link is sent by a later step of the same rule

SELECT automation.create_rule('send', 'crm.job', 'status_entered', '{"to": "Dispatched"}', activate => true, steps => ARRAY[
	automation.make_link('track', 'https://track.example/', 'tracking_url', '1 day'), automation.notify('Ann', 'See {{ tracking_url }}')]);
UPDATE crm.job SET status = 'Dispatched' WHERE id = 1;
SELECT is((SELECT body FROM automation.notification ORDER BY id DESC LIMIT 1), (SELECT 'See ' || tracking_url FROM crm.job WHERE id = 1), 'later steps send it');

-- Approvals

SELECT throws_ok(crm.refused(automation.request_approval('more', 'https://a.example/', '2 days')), '55000', 'no attached table has the object type "approval"', 'request_approval: no table');
SELECT automation.attach('crm.approval', 'approval', '{"kind": "kind", "status": "status", "expires": "expires_at", "decided": "decided_at", "decided_by": "decided_by", "comment": "remark", "signature": "signature"}');
SELECT automation.create_rule('ask', 'crm.approval', 'approval.requested', steps => ARRAY[automation.notify('{{ approver }}', 'asked {{ link }}')], activate => true);
SELECT automation.create_rule('yes', 'crm.approval', 'approval.granted', steps => ARRAY[automation.notify('Ann', 'granted {{ amount }}')], activate => true);
SELECT automation.create_rule('no', 'crm.approval', 'approval.declined', steps => ARRAY[automation.notify('Ann', 'declined')], activate => true);
SELECT automation.create_rule('soon', 'crm.approval', 'approval.expiring', '{"before": "2 hours"}', steps => ARRAY[automation.notify('Ann', 'expiring')], activate => true);
SELECT automation.create_rule('late', 'crm.approval', 'approval.expired', steps => ARRAY[automation.set_stage('Expired'), automation.notify('Ann', 'expired')], activate => true);
DELETE FROM automation.notification;
CREATE FUNCTION crm.said() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.notification RETURNING id, recipient, body) SELECT string_agg(recipient || ' ' || body, ', ' ORDER BY id) FROM gone
$$;
SELECT is(crm.step(automation.request_approval('more', 'https://a.example/', '2 days', 'owner', '{{ amount }}', 'Job {{ id }}')), 'succeeded', 'request_approval');
SELECT link FROM crm.approval \gset
SELECT results_eq('SELECT job_id, kind, status, approver, amount > 900, body, expires_at FROM crm.approval',
	$$VALUES (1, 'more', 'Requested', 'Tom', true, 'Job 1', '2030-03-08 09:00Z'::timestamptz)$$, 'is written');
SELECT is(crm.said(), 'Tom asked ' || :'link', 'and rules send its link');
SELECT is(crm.step(automation.request_approval('more', 'https://a.example/', '2 days')), 'succeeded no row to change', 'one of a kind at a time');
SELECT throws_ok(format('SELECT automation.approve(%L, ''perhaps'')', :'link'), '22023', 'unrecognized decision: "perhaps"', 'neither yes nor no');
SELECT throws_ok(format('SELECT automation.open_link(%L)', :'link'), '28000', 'token is not valid', 'it is no link to open');
SELECT is(automation.approve(:'link', 'granted', 'Mr. Miller', 'go on', 'M.') - 'relation'::text, '{"key": "1", "kind": "more", "status": "Granted"}', 'approve');
SELECT results_eq('SELECT status, decided_at, decided_by, remark, signature FROM crm.approval', $$VALUES ('Granted', '2030-03-06 09:00Z'::timestamptz, 'Mr. Miller', 'go on', 'M.')$$, 'writes the answer');
SELECT alike(crm.said(), 'Ann granted 9%', 'and rules go on');
SELECT throws_ok(format('SELECT automation.approve(%L, ''declined'')', :'link'), '55000', 'token has been used already', 'it cannot be taken back');
SELECT is(crm.step(automation.request_approval('more', 'https://a.example/', '2 days', 'Eve')), 'succeeded', 'another can be asked for');
SELECT crm.said();
SELECT link FROM crm.approval WHERE status = 'Requested' \gset
SELECT automation.approve(:'link', 'declined');
SELECT is(crm.said(), 'Ann declined', 'declined');
SELECT crm.step(automation.request_approval('third', 'https://a.example/', '2 days', 'Eve'));
SELECT crm.said();
SELECT link FROM crm.approval WHERE status = 'Requested' \gset
SELECT automation.advance('46 hours');
SELECT is(crm.said(), 'Ann expiring', 'two hours before the end somebody may be told');
SELECT automation.advance('2 hours');
SELECT is(crm.said(), 'Ann expired', 'and at the end');
SELECT is((SELECT status FROM crm.approval WHERE kind = 'third'), 'Expired', 'its status says so');
SELECT throws_ok(format('SELECT automation.approve(%L, ''granted'')', :'link'), '55000', 'token has expired', 'then it is too late');
SELECT crm.step(automation.request_approval('fourth', 'https://a.example/', '2 days', 'Eve'));
SELECT link FROM crm.approval WHERE status = 'Requested' \gset
UPDATE crm.approval SET status = 'Withdrawn' WHERE kind = 'fourth';
SELECT throws_ok(format('SELECT automation.approve(%L, ''granted'')', :'link'), '55000', 'approval no longer awaits an answer', 'one that was withdrawn');
SELECT is((SELECT uses FROM automation.tokens WHERE name = 'fourth'), 0, 'whose token is not used up by that');

-- It is answered with the rights of the rule's owner, and of nobody else

CREATE ROLE tap_web;
CREATE ROLE tap_author;
GRANT USAGE ON SCHEMA automation, crm TO tap_web, tap_author;
SELECT automation.grant_access('tap_author', 'author');
GRANT TRIGGER, SELECT ON crm.job TO tap_author;
GRANT SELECT, INSERT, UPDATE ON crm.approval TO tap_author;
GRANT EXECUTE ON FUNCTION automation.approve TO tap_web;
DELETE FROM crm.approval;
SET ROLE tap_author;
SELECT automation.create_rule('authors', 'crm.job', 'status_entered', '{"to": "Costly"}', activate => true,
	steps => ARRAY[automation.request_approval('his', 'https://a.example/', '2 days', 'Eve')]);
RESET ROLE;
UPDATE crm.job SET status = 'Costly' WHERE id = 1;
SELECT link FROM crm.approval \gset
REVOKE UPDATE ON crm.approval FROM tap_author;
SET ROLE tap_web;
SELECT throws_ok(format('SELECT automation.approve(%L, ''granted'')', :'link'), '42501', 'permission denied for table approval', 'an owner who may no longer write');
RESET ROLE;
GRANT UPDATE ON crm.approval TO tap_author;
SET ROLE tap_web;
SELECT is(automation.approve(:'link', 'granted') ->> 'status', 'Granted', 'whoever brings the token needs no right on the table');
SELECT throws_ok('SELECT * FROM automation.token', '42501', NULL, 'and sees no other');
SELECT throws_ok('SELECT automation._use_token(''1.'', ''link'')', '42501', NULL, 'nor may he look behind');
SELECT throws_ok($$SELECT automation._new_link('link', 'x', '', 'crm.job', '1', '1 day', 1, NULL, NULL)$$, '42501', 'permission denied for table job', 'nor make links to tables that he may have no rules on');
RESET ROLE;

-- What _new_link(), which everybody may call, is given

CREATE FUNCTION crm.answer(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint text;
BEGIN
	EXECUTE command;
	RETURN 'nothing';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' | ', SQLSTATE, SQLERRM, nullif(hint, ''));
END
$$;
SELECT is(crm.answer(format('SELECT automation._new_link(%s, NULL, NULL)', arguments)), message, arguments) FROM (VALUES
	($$NULL, 'x', '', 'crm.job', '1', '1 day', 1$$, '22004 | purpose of a link must not be null | A link has a purpose, a name, a record and an end.'),
	($$'link', NULL, '', 'crm.job', '1', '1 day', 1$$, '22004 | name of a link must not be null | A link has a purpose, a name, a record and an end.'),
	($$'link', 'x', '', 'crm.job', NULL, '1 day', 1$$, '22004 | key of a link must not be null | A link has a purpose, a name, a record and an end.'),
	($$'link', 'x', '', NULL, '1', '1 day', 1$$, '22004 | relation of a link must not be null | A link has a purpose, a name, a record and an end.'),
	($$'link', 'x', '', 'crm.job', '1', NULL, 1$$, '22004 | expires of a link must not be null | A link has a purpose, a name, a record and an end.'),
	($$'key', 'x', '', 'crm.job', '1', '1 day', 1$$, '22023 | unrecognized purpose of a link: "key" | Valid values are: link, approval.'),
	($$'link', 'x', '', 'crm.job', '1', '-1 day', 1$$, '22023 | a link cannot end after -1 days | Give it from now to 10 years, for example 2 days.'),
	($$'link', 'x', '', 'crm.job', '1', '0', 1$$, '22023 | a link cannot end after 00:00:00 | Give it from now to 10 years, for example 2 days.'),
	($$'link', 'x', '', 'crm.job', '1', '11 years', 1$$, '22023 | a link cannot end after 11 years | Give it from now to 10 years, for example 2 days.'),
	($$'link', 'x', '', 'crm.job', '1', '1 day', 0$$, '22023 | a link cannot be used 0 times | Give a whole number from 1 on, or null: as often as one likes.'),
	($$'link', 'x', '', 'pg_class', '1', '1 day', 1$$, '55000 | table "pg_class" is not attached | Use automation.attach(''pg_class'').')) AS v(arguments, message);
SELECT matches(automation._new_link('link', 'x', NULL, 'crm.job', '1', '1 day', NULL, NULL, NULL), '^t[0-9a-f]+\.', 'a link without a URL before it, and as often as one likes');

-- What is said of a token that may not be used

SELECT is(crm.answer($$SELECT automation.open_link('t1.AAAAAAAAAAAAAAAAAAAAAAAA')$$), '28000 | token is not valid | Use the link as it was sent, to its last character.', 'forged');
SELECT is(crm.answer(format('SELECT automation.approve(%L, ''granted'')', :'link')), '55000 | token has been used already | Have another one made.', 'used');

-- Undone, a link is valid no more

SELECT automation.create_rule('undone', 'crm.job', 'status_entered', '{"to": "Undo"}', activate => true, steps => ARRAY[
	automation.make_link('track', 'https://track.example/', 'tracking_url', '1 day'), automation.create_payment_link('https://pay.example/'), automation.request_approval('undone', 'https://a.example/', '2 days', 'Eve')]);
UPDATE crm.job SET status = 'Undo' WHERE id = 1;
SELECT tracking_url AS track, payment_link AS pay, a.link AS ask FROM crm.job, crm.approval AS a WHERE a.kind = 'undone' AND crm.job.id = 1 \gset
SELECT is(crm.answer(format('SELECT automation.open_link(%L)', l)), 'nothing', 'a link is open') FROM unnest(ARRAY[:'track', :'pay']) AS l;
UPDATE crm.job SET payment_link = 'another' WHERE id = 1;
SELECT results_eq($$SELECT step::integer, effect, reason FROM automation.undo_run((SELECT max(id) FROM automation.execution_log WHERE rule = 'undone'))$$,
	$$VALUES (3, 'undone', NULL), (2, 'conflict', 'payment_link has another value now'), (1, 'undone', NULL)$$, 'until its run is undone');
SELECT is(crm.answer(format('SELECT automation.open_link(%L)', l)), '55000 | token has expired | Have another one made.', 'then it is valid no more, though its column may have changed') FROM unnest(ARRAY[:'track', :'pay']) AS l;
SELECT is(crm.answer(format('SELECT automation.approve(%L, ''granted'')', :'ask')), '55000 | token has expired | Have another one made.', 'nor that of an approval that is gone');
SELECT is((SELECT state FROM automation.tokens WHERE name = 'undone'), 'expired', 'as the list of links says');

-- An approval is answered where it was asked for

SELECT crm.step(automation.request_approval('fifth', 'https://a.example/', '2 days', 'Eve'));
SELECT link FROM crm.approval WHERE kind = 'fifth' \gset
CREATE TABLE crm.approval_2 (id integer PRIMARY KEY, job_id integer, kind text, status text, link text, expires_at timestamptz);
SELECT automation.attach('crm.approval_2', 'approval', '{"kind": "kind", "status": "status", "expires": "expires_at"}');
SELECT is(automation.approve(:'link', 'granted') ->> 'status', 'Granted', 'whatever else is attached for approvals since');
SELECT automation.detach('crm.approval_2');
SELECT crm.step(automation.request_approval('sixth', 'https://a.example/', '2 days', 'Eve'));
SELECT link FROM crm.approval WHERE kind = 'sixth' \gset
SELECT automation.drop_rule(name) FROM automation.rules;
SELECT automation.detach('crm.approval');
SELECT is(crm.answer(format('SELECT automation.approve(%L, ''granted'')', :'link')), '55000 | the table of the approval is attached no more | Answer it in the application, or ask for it again.', 'but its table has to be');
SELECT is((SELECT uses FROM automation.tokens WHERE name = 'sixth'), 0, 'the token is not used up by that');

SELECT * FROM finish();
ROLLBACK;
