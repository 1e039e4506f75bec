-- What rules share: message templates and action templates, from making them to dropping them.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.contact (id integer PRIMARY KEY, name text, phone text);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, amount numeric, contact_id integer REFERENCES crm.contact);
CREATE TABLE crm.deal (id integer PRIMARY KEY, stage text);
CREATE TABLE crm.task (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, title text, due timestamptz);
SELECT automation.attach('crm.job', 'job', '{"status": "status"}'), automation.attach('crm.deal', 'deal'),
	automation.attach('crm.task', 'task', '{"title": "title", "due_date": "due"}');
CREATE SERVER tap_sms FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'sms', sender '+15005550006');
CREATE SERVER tap_email FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'email', base_url 'smtps://mail.example.com', sender 'a@example.com');
INSERT INTO crm.contact VALUES (1, 'Ada <3', '+12025550199'), (2, NULL, '+12025550198');
INSERT INTO crm.job VALUES (1, 'New', 12.5, 1), (2, 'New', 3, 2);

CREATE FUNCTION crm.steps(rule text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', action, params ->> 'subject', params ->> 'body', params ->> 'html', params ->> 'title', uses), E'\n' ORDER BY step) FROM automation.rule_steps AS s WHERE s.rule = steps.rule
$$;
CREATE FUNCTION crm.version(rule text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', version, author, reason) FROM automation.rule_history AS h WHERE h.rule = version.rule AND present
$$;

-- Message templates: create, read

SELECT is(automation.create_template('reminder', 'Hi {{ contact.name | default: "there" }}, {{ amount }} is open', 'Job {{ id }}', '<p>{{ contact.name | default: "x" }}</p>', 'crm.job', 'Texts/Dunning', 'For invoices'), 1, 'a template begins with version 1');
SELECT results_eq($$SELECT name, folder, relation::text, subject, body, html, version, rules, description FROM automation.templates$$,
	$$VALUES ('reminder', 'Texts/Dunning', 'crm.job', 'Job {{ id }}', 'Hi {{ contact.name | default: "there" }}, {{ amount }} is open', '<p>{{ contact.name | default: "x" }}</p>', 1, '{}'::text[], 'For invoices')$$, 'it is listed');
SELECT results_eq($$SELECT * FROM automation.preview_template('reminder', 'crm.job', '1')$$,
	$$VALUES ('Job 1', 'Hi Ada <3, 12.5 is open', '<p>Ada &lt;3</p>')$$, 'a preview takes a real record, each text as it is escaped where it goes');
SELECT results_eq($$SELECT body FROM automation.preview_template('reminder', 'crm.job', '2')$$, $$VALUES ('Hi there, 3 is open')$$, 'another record, another text');
SELECT is(automation.create_template('any', 'Row {{ id }}'), 1, 'one that is about no table');
SELECT throws_ok($$SELECT * FROM automation.preview_template('any', 'crm.job', '9')$$, 'P0002', 'table "crm.job" has no row with the key 9', 'a preview needs a row');
SELECT throws_ok($$SELECT * FROM automation.preview_template('remainder', 'crm.job', '1')$$, '42704', 'template "remainder" does not exist', 'and a template');

-- In rules

SELECT automation.create_rule('remind', 'crm.job', 'status_entered', '{"to": "Late"}', steps => ARRAY[
	automation.with_template('reminder', automation.send_sms('tap_sms', '{{ contact.phone }}', NULL)),
	automation.after('1 day', automation.with_template('reminder', automation.send_email('tap_email', 'b@example.com', 'Own subject', NULL)), cancel_if_changed => '{status}')], activate => true);
SELECT is(crm.steps('remind'), $$send_sms Hi {{ contact.name | default: "there" }}, {{ amount }} is open {"template": {"name": "reminder", "version": 1}}
send_email Own subject Hi {{ contact.name | default: "there" }}, {{ amount }} is open <p>{{ contact.name | default: "x" }}</p> {"template": {"name": "reminder", "version": 1}}$$,
	'a step says the texts that it can and does not say itself');
SELECT is((SELECT rules FROM automation.templates WHERE name = 'reminder'), '{remind}', 'the template knows its rules');
UPDATE crm.job SET status = 'Late' WHERE id = 1;
SELECT is((SELECT body FROM automation.messages('remind')), 'Hi Ada <3, 12.5 is open', 'what is sent is the template''s');

-- Update: every rule with it, or none

SELECT is(automation.alter_template('reminder', 'Dear {{ contact.name | default: "you" }}', reason => 'kinder'), 2, 'another text is another version');
SELECT is(crm.version('remind'), format('2 %s template "reminder" version 2', current_user), 'and another version of the rule');
SELECT is(automation.alter_template('reminder', folder => 'Texts'), 2, 'another folder is not');
SELECT is(automation.alter_template('reminder', body => 'Dear {{ contact.name | default: "you" }}'), 2, 'nor is the same text');
SELECT is((SELECT version FROM automation.rules WHERE name = 'remind'), 2, 'the rule is left alone');
UPDATE crm.job SET status = 'Late' WHERE id = 2;
SELECT set_eq($$SELECT body FROM automation.messages('remind')$$, ARRAY['Hi Ada <3, 12.5 is open', 'Dear you'], 'new runs say the new text');
SELECT throws_ok($$SELECT automation.alter_template('reminder', 'Dear {{ contact.nmae }}')$$, '42703', NULL, 'a field that is not there');
SELECT automation.alter_template('any', 'Row {{ id }} {{ stage | default: "-" }}');
SELECT throws_ok($$SELECT automation.alter_rule('remind', steps => ARRAY[automation.with_template('any', automation.notify('a', NULL))])$$, '42703', NULL, 'a rule on a table that has it not');
SELECT automation.alter_template('any', 'Row {{ id }}'), automation.alter_rule('remind', steps => ARRAY[automation.with_template('any', automation.notify('a', NULL))]);
SELECT throws_matching($$SELECT automation.alter_template('any', 'Row {{ stage }}')$$, 'stage', 'a change that a rule cannot follow is refused');
SELECT is((SELECT body || version FROM automation.templates WHERE name = 'any'), 'Row {{ id }}3', 'and nothing has changed');
CREATE FUNCTION crm.detail(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END
$$;
SELECT is(crm.detail($$SELECT automation.alter_template('any', 'Row {{ stage }}')$$), 'This is step 1 (notify) of rule "remind". Rule "remind" has template "any".', 'the error names the rule');
SELECT is(automation.rollback_rule('remind', 1), 4, 'an earlier version of the rule');
SELECT matches(crm.steps('remind'), '^send_sms Hi .*"version": 1', 'says what it said then, whatever the template says now');

-- Delete: refused while it is in use, or the rules keep the text

SELECT throws_ok($$SELECT automation.drop_template('reminder')$$, '2BP01', 'cannot drop template "reminder" because rules have it', 'one in use is not dropped');
SELECT is(crm.detail($$SELECT automation.drop_template('reminder')$$), 'Rules with it: remind.', 'the error names the rules');
SELECT automation.drop_template('reminder', detach => true);
SELECT is(crm.version('remind'), format('5 %s template "reminder" dropped', current_user), 'detached, the rule has another version');
SELECT is(crm.steps('remind'), $$send_sms Hi {{ contact.name | default: "there" }}, {{ amount }} is open
send_email Own subject Hi {{ contact.name | default: "there" }}, {{ amount }} is open <p>{{ contact.name | default: "x" }}</p>$$, 'that says the same in its own words');
SELECT is_empty($$SELECT FROM automation.templates WHERE name = 'reminder'$$, 'the template is gone');
SELECT lives_ok($$SELECT automation.drop_template('any')$$, 'one that nothing uses is dropped');

-- Bad templates

SELECT throws_ok(command, state, message, message) FROM (VALUES
	($$SELECT automation.create_template('', 'x')$$, '42602', 'invalid template name: ""'),
	($$SELECT automation.create_template('x', NULL)$$, '22023', 'template "x" says nothing'),
	($$SELECT automation.create_template('x', '{{ nope }}', relation => 'crm.job')$$, '42703', NULL),
	($$SELECT automation.create_template('x', '{{ status', relation => 'crm.job')$$, '42601', NULL),
	($$SELECT automation.create_template('x', 'y', relation => 'crm.contact')$$, '55000', 'table "crm.contact" is not attached'),
	($$SELECT automation.create_template('x', 'y', folder => 'a//b')$$, '42602', 'invalid folder: "a//b"'),
	($$SELECT automation.alter_template('nope', 'y')$$, '42704', 'template "nope" does not exist'),
	($$SELECT automation.drop_template('nope')$$, '42704', 'template "nope" does not exist'),
	($$SELECT automation.create_rule('r', 'crm.job', 'created', steps => ARRAY[automation.with_template('nope', automation.notify('a', NULL))])$$, '42704', 'template "nope" does not exist'),
	($$SELECT automation.create_rule('r', 'crm.job', 'created', steps => ARRAY[automation.action('notify', '{"template": 7}')])$$, '22023', 'parameter "template" of action "notify" must be the name of a template')) AS v(command, state, message);
SELECT automation.create_template('plain', 'text');
SELECT throws_ok($$SELECT automation.create_template('plain', 'x')$$, '42710', 'template "plain" already exists', 'a name that is taken');
SELECT throws_ok($$SELECT automation.create_rule('r', 'crm.job', 'created', steps => ARRAY[automation.with_template('plain', automation.update_field('status', 'x'))])$$,
	'22023', 'action "update_field" has no text that template "plain" could be', 'a step that has no text');
SELECT throws_ok($$SELECT automation.create_rule('r', 'crm.job', 'created', steps => ARRAY[automation.with_template('plain', automation.send_email('tap_email', 'b@example.com', NULL, NULL))])$$,
	'22023', NULL, 'a part that the template has not either');

-- Action templates

SELECT is(automation.create_action_template('call back', automation.after('${when}', automation.create_task('Call ${who}: {{ status }}')),
	'{"when": "2 days", "who": {"type": "string", "description": "whom"}}', 'Steps', 'A call'), 1, 'an action template begins with version 1');
SELECT results_eq($$SELECT name, folder, action, params, version, rules, description FROM automation.action_templates$$,
	$$VALUES ('call back', 'Steps', 'create_task', '{"when": "2 days", "who": {"type": "string", "description": "whom"}}'::jsonb, 1, '{}'::text[], 'A call')$$, 'it is listed');
SELECT automation.create_rule('caller', 'crm.job', 'created', steps => ARRAY[
	automation.use('call back', '{"who": "Ada"}'),
	automation.only_if('new.amount > 10', automation.after('5 days', automation.use('call back', '{"who": "Bob", "when": "1 day"}'), cancel_if_changed => '{status}'))], activate => true);
SELECT results_eq($$SELECT action, params ->> 'title', timing ->> 'delay', condition, timing ? 'cancel_if_changed' FROM automation.rule_steps WHERE rule = 'caller'$$,
	$$VALUES ('create_task', 'Call Ada: {{ status }}', '2 days', NULL, false), ('create_task', 'Call Bob: {{ status }}', '5 days', 'new.amount > 10', true)$$, 'parameters are filled in, and what the rule adds counts');
INSERT INTO crm.job VALUES (3, 'New', 20, 1);
SELECT automation.advance('2 days');
SELECT is((SELECT string_agg(title, ', ') FROM crm.task), 'Call Ada: New', 'it does what it says');
SELECT is(automation.alter_action_template('call back', automation.create_task('Phone ${who}')), 2, 'another step is another version');
SELECT is((SELECT string_agg(params ->> 'title' || coalesce(timing ->> 'delay', ' now'), ', ') FROM automation.rule_steps WHERE rule = 'caller'), 'Phone Ada now, Phone Bob5 days', 'in the rules, too');
SELECT is(crm.version('caller'), format('2 %s action template "call back" version 2', current_user), 'which have another version');
SELECT throws_ok($$SELECT automation.alter_action_template('call back', params => '{"who": "x", "other": {"type": "string"}}')$$, '22023', 'action template "call back" needs the parameter "other"', 'what a rule does not give is refused');
SELECT is((SELECT version FROM automation.action_templates), 2, 'and nothing has changed');
SELECT throws_ok($$SELECT automation.drop_action_template('call back')$$, '2BP01', 'cannot drop action template "call back" because rules have it', 'one in use is not dropped');
SELECT automation.drop_action_template('call back', detach => true);
SELECT is(crm.steps('caller'), E'create_task Phone Ada\ncreate_task Phone Bob', 'detached, the rule has the steps as its own');
SELECT throws_ok(command, state, message, message) FROM (VALUES
	($$SELECT automation.create_action_template('x', automation.notify('${who}', 'b'))$$, '22023', 'action template "x" has no parameter "who"'),
	($$SELECT automation.create_action_template('x', automation.action('notifi', '{}'))$$, '42704', 'action "notifi" does not exist'),
	($$SELECT automation.create_action_template('x', automation.use('y'))$$, '0A000', 'an action template cannot use another one'),
	($$SELECT automation.create_action_template('x', automation.action('wait', '{}'))$$, '0A000', 'an action template cannot decide how the steps behind it go on'),
	($$SELECT automation.create_action_template('x', NULL)$$, '22023', 'action template "x" has no step'),
	($$SELECT automation.create_action_template('x', automation.with_template('nope', automation.notify('a', NULL)))$$, '42704', 'template "nope" does not exist'),
	($$SELECT automation.create_rule('r', 'crm.job', 'created', steps => ARRAY[automation.use('nope')])$$, '42704', 'action template "nope" does not exist')) AS v(command, state, message);
SELECT automation.create_action_template('say', automation.with_template('plain', automation.notify('${who}', NULL)), '{"who": {"type": "string"}}');
SELECT throws_ok($$SELECT automation.create_rule('r', 'crm.job', 'created', steps => ARRAY[automation.use('say')])$$, '22023', 'action template "say" needs the parameter "who"', 'a parameter that is needed');
SELECT throws_ok($$SELECT automation.create_rule('r', 'crm.job', 'created', steps => ARRAY[automation.use('say', '{"who": "a", "x": 1}')])$$, '22023', 'unrecognized parameter "x" of action template "say"', 'one that is not there');
SELECT automation.create_rule('sayer', 'crm.job', 'created', steps => ARRAY[automation.use('say', '{"who": "a"}')]);
SELECT is(crm.steps('sayer'), 'notify text {"template": {"name": "plain", "version": 1}, "action_template": {"name": "say", "version": 1}}', 'an action template may have a message template');
SELECT automation.alter_template('plain', 'other');
SELECT matches(crm.steps('sayer'), '^notify other ', 'whose change reaches the rule through it');
SELECT throws_ok($$SELECT automation.drop_template('plain', detach => true)$$, '2BP01', 'cannot drop template "plain" because action templates have it', 'and which is not dropped');

-- Whose they are

CREATE ROLE tap_author;
CREATE ROLE tap_other;
GRANT USAGE ON SCHEMA crm TO tap_author, tap_other;
GRANT TRIGGER, SELECT ON ALL TABLES IN SCHEMA crm TO tap_author;
GRANT TRIGGER ON ALL TABLES IN SCHEMA crm TO tap_other;
SELECT automation.grant_access('tap_author', 'author'), automation.grant_access('tap_other', 'author');
SET LOCAL ROLE tap_author;
SELECT automation.create_template('theirs', 'Hello {{ id }}'), automation.create_rule('theirs', 'crm.job', 'created', steps => ARRAY[automation.with_template('theirs', automation.notify('a', NULL))]);
SELECT throws_ok($$SELECT automation.alter_template('plain', 'x')$$, '42501', 'must be owner of template "plain"', 'a template is changed by its owner');
SELECT throws_ok($$SELECT automation.drop_template('plain')$$, '42501', 'must be owner of template "plain"', 'and dropped by him');
SELECT is((SELECT rules FROM automation.templates WHERE name = 'theirs'), '{theirs}', 'the views are for authors');
SET LOCAL ROLE tap_other;
SELECT throws_ok($$SELECT * FROM automation.preview_template('theirs', 'crm.job', '1')$$, '42501', 'permission denied for table job', 'a preview is for who may read the row');
SELECT automation.create_template('mine', 'x');
RESET ROLE;
GRANT SELECT ON crm.job TO tap_other;
SET LOCAL ROLE tap_author;
SELECT automation.alter_rule('theirs', steps => ARRAY[automation.with_template('mine', automation.notify('a', NULL))]);
SET LOCAL ROLE tap_other;
SELECT throws_ok($$SELECT automation.alter_template('mine', '{{ status }}')$$, '42501', 'must be owner of rule "theirs"', 'nobody changes through a template what others send');
RESET ROLE;

CREATE FUNCTION crm.hint_for(action text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	hint text;
BEGIN
	PERFORM automation.create_action_template('x', automation.action(action, '{}'));
	RETURN NULL;
EXCEPTION WHEN feature_not_supported THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(' ', detail, hint);
END
$$;
SELECT matches(crm.hint_for(action), format('^What stands behind "%s" in a rule is planned by it.*automation\.after\(\)', action), action || ': it is said why not') FROM unnest('{wait,wait_until,branch,split}'::text[]) AS action;

-- Drafts with them

SELECT automation.create_template('drafted', 'old text'), automation.create_rule('draft of it', 'crm.job', 'created', steps => ARRAY[automation.notify('a', 'own')]);
SELECT automation.alter_rule('draft of it', steps => ARRAY[automation.with_template('drafted', automation.notify('a', NULL))], publish => false);
SELECT automation.alter_template('drafted', 'new text');
SELECT throws_ok($$SELECT automation.drop_template('drafted')$$, '2BP01', 'cannot drop template "drafted" because rules have it', 'a draft needs its template');
SELECT automation.publish_rule('draft of it');
SELECT is(crm.steps('draft of it'), 'notify new text {"template": {"name": "drafted", "version": 2}}', 'and says what that says when it is published');
SELECT automation.alter_rule('draft of it', steps => ARRAY[automation.notify('a', 'own')]);
SELECT automation.alter_rule('draft of it', steps => ARRAY[automation.with_template('drafted', automation.notify('a', NULL))], publish => false);
SELECT automation.alter_template('drafted', 'last text'), automation.drop_template('drafted', detach => true);
SELECT automation.publish_rule('draft of it');
SELECT is(crm.steps('draft of it'), 'notify last text', 'one that is detached says in its own words what the template said last');

SELECT * FROM finish();
ROLLBACK;
