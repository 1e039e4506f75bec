-- Who may do what, verb by verb; and that nobody gets further than his own rights.
BEGIN;
SELECT no_plan();

CREATE SCHEMA crm;
CREATE TABLE crm.app_user (id integer PRIMARY KEY, name text, salary integer);
CREATE TABLE crm.job (id integer PRIMARY KEY, status text, secret text, owner_id integer REFERENCES crm.app_user);
INSERT INTO crm.app_user VALUES (1, 'Ann', 1000);
SELECT automation.attach('crm.job', 'job', '{"status": "status", "owner": "owner_id"}');

CREATE ROLE tap_nobody;
CREATE ROLE tap_viewer;
CREATE ROLE tap_author;
CREATE ROLE tap_operator;
CREATE ROLE tap_admin;
CREATE ROLE tap_writer;
SELECT automation.grant_access(('tap_' || access)::regrole, access) FROM unnest('{viewer,author,operator,admin}'::text[]) AS access;

CREATE FUNCTION crm.as_role(role name, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE command INTO answer;
	SET LOCAL ROLE NONE;
	RETURN answer;
END
$$;
CREATE FUNCTION crm.verbs_of(role name) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT DISTINCT p.proname::text FROM pg_proc AS p
	WHERE p.pronamespace = 'automation'::regnamespace AND p.proname !~ '^_'
		AND has_function_privilege(role, p.oid, 'EXECUTE') AND NOT has_function_privilege('tap_nobody', p.oid, 'EXECUTE')
$$;

-- Functions

SELECT set_eq($$SELECT crm.verbs_of('tap_viewer')$$, '{describe_action,item_status,explain,cascade,why_not,told,rule_to_text,rule_to_mermaid,report_html,export_rules,rule_schema,playbook_diff,preview_template,matches,rule_diff}'::text[], 'a viewer asks');
SELECT set_eq($$SELECT crm.verbs_of('tap_author')$$, '{describe_action,item_status,explain,check,create_rule,create_guard,create_evidence_guard,alter_rule,drop_rule,copy_rule,copy_report,move_rule_to,move_rule,rollback_rule,publish_rule,discard_draft,rule_diff,activate_rule,
	pause_rule,resume_rule,disable_rule,enable_rule,fire,action,send_sms,send_email,send_webhook,notify,create_task,update_field,assign_user,create_record,call_function,
	create_folder,rename_folder,drop_folder,move_to_folder,create_template,alter_template,drop_template,preview_template,with_template,create_action_template,alter_action_template,drop_action_template,use,create_filter,alter_filter,drop_filter,matches,
	generate_document,send_calendar_invite,add_document,remove_document,sms_segments,
	add_tag,remove_tag,set_stage,set_priority,add_note,raise_flag,clear_flag,attach_checklist,require_evidence,emit_event,
	create_invoice,create_estimate,add_line_item,wait,wait_until,branch,split,in_arm,escalate,record_consent,
	make_link,create_payment_link,request_approval,start_sla,pause_sla,resume_sla,stop_sla,
	start_rule,stop_rule,refuse,only_if,after_previous,after,at,stop_item,resume_item,cancel,undo_run,recall,set_test_mode,create_experiment,drop_experiment,promote_experiment,experiment_report,matching_rows,cancel_activation,install_playbook,playbook_diff,apply_rules,whatif,watch,test_rule,cascade,why_not,told,messages,plans,lint,rule_to_text,rule_to_mermaid,report_html,export_rules,rule_schema,
	fires_ok,fires_not_ok,sends_ok,due_ok,cancelled_ok,explains_like}'::text[], 'an author makes rules');
SELECT set_eq($$SELECT crm.verbs_of('tap_operator')$$,
	'{describe_action,item_status,explain,check,preview_template,matches,rule_diff,playbook_diff,pause_rule,resume_rule,disable_rule,enable_rule,fire,retry,replay,pause_channel,resume_channel,purge_log,acknowledge,erase_subject,erase_address,export_subject,tick,stop_item,resume_item,cancel,undo_run,recall,set_test_mode,experiment_report,housekeep,cancel_activation,release_batch,discard_batch,set_consent,consents,audit_gaps,sms_segments,record_callback,verify_twilio_signature,unsubscribe,approve,open_link,ingest,whatif,watch,test_rule,cascade,why_not,told,messages,plans,lint,rule_to_text,rule_to_mermaid,report_html,export_rules,rule_schema,
	fires_ok,fires_not_ok,sends_ok,due_ok,cancelled_ok,explains_like}'::text[], 'an operator keeps them running');
SELECT set_eq($$SELECT crm.verbs_of('tap_admin')$$, $$SELECT DISTINCT p.proname::text FROM pg_proc AS p
	WHERE p.pronamespace = 'automation'::regnamespace AND p.proname !~ '^_' AND NOT has_function_privilege('tap_nobody', p.oid, 'EXECUTE')$$, 'an admin does everything');
SELECT set_eq($$SELECT p.oid::regprocedure::text FROM pg_proc AS p WHERE p.pronamespace = 'automation'::regnamespace AND has_function_privilege('tap_nobody', p.oid, 'EXECUTE')$$,
	'{"automation.changed(anyelement,anyelement)","automation.gained(anyarray,anyarray,anyarray)","automation.gained(jsonb,jsonb,text[])","automation._same_table(oid,oid)",automation._now(),automation._base(),automation.html_escape(text),automation.one_line(text),"automation._object(\"any\")",automation.url_encode(text),automation.phone_e164(text),automation.capitalize(text),"automation.truncate(text,integer,text)",
	"automation._local_instant(timestamp without time zone,text)","automation._add(timestamp with time zone,interval,text)",automation._named_zone(text),"automation._instant_of(text,text)",
	automation._default_zone(),automation._cluster_zone(),automation._calendar_zone(text),"automation._schedule(timestamp with time zone,interval,jsonb,text)",
	"automation._cron_next(text,timestamp with time zone,text)","automation._recur_next(timestamp with time zone,interval,timestamp with time zone,text)",
	"automation._timed(automation.step,jsonb)","automation._decision(text,text)","automation.took(text,text)","automation._new_link(text,text,text,regclass,text,interval,integer,regclass,text)","automation.sla_elapsed(timestamp with time zone,timestamp with time zone,tstzmultirange,text,text)","automation._sla_due(timestamp with time zone,interval,tstzmultirange,text,text)","automation._tap(boolean,text,text)","automation._about(text,text)"}'::text[],
	'everybody may call what compiled SQL calls');
SELECT is((SELECT array_agg(p.oid::regprocedure::text ORDER BY 1) FROM pg_proc AS p
	WHERE p.pronamespace = 'automation'::regnamespace AND p.proname ~ '^_' AND has_function_privilege('tap_admin', p.oid, 'EXECUTE')
		AND NOT p.oid::regprocedure = ANY (automation._view_functions()) AND NOT has_function_privilege('tap_nobody', p.oid, 'EXECUTE')), NULL,
	'nobody may call a private function, but those in views');
SELECT is((SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
	WHERE p.pronamespace IN ('automation'::regnamespace, 'automation_compiled'::regnamespace)
		AND (l.lanname = 'plpgsql' OR p.prosecdef) AND p.prosqlbody IS NULL
		AND NOT coalesce(p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)), NULL,
	'no function depends on its caller''s search path');
SELECT is((SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc AS p WHERE p.pronamespace = 'automation'::regnamespace AND obj_description(p.oid, 'pg_proc') IS NULL), NULL,
	'every function has a comment');
SELECT is((SELECT array_agg(c.oid::regclass::text) FROM pg_class AS c WHERE c.relnamespace = 'automation'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL), NULL,
	'every table and view has one');
SELECT is((SELECT array_agg(format('%s.%s', c.oid::regclass, a.attname)) FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE c.relnamespace = 'automation'::regnamespace AND c.relkind = 'r' AND col_description(c.oid, a.attnum) IS NULL), NULL, 'and every column of a table');

-- Tables and views

SELECT is(role || ': ' || coalesce((SELECT string_agg(format('%s %s', p, c.oid::regclass), ', ') FROM pg_class AS c, unnest('{INSERT,UPDATE,DELETE,TRUNCATE,TRIGGER,REFERENCES}'::text[]) AS p
	WHERE c.relnamespace IN ('automation'::regnamespace, 'automation_compiled'::regnamespace) AND c.relkind IN ('r', 'v') AND has_table_privilege(role, c.oid, p)), 'nothing'),
	role || ': nothing', role || ' writes none of our tables')
FROM unnest('{tap_nobody,tap_viewer,tap_author,tap_operator,tap_admin}'::text[]) AS role;
SELECT is(crm.as_role(role, 'SELECT count(*) FROM automation.' || view) IS NOT NULL, true, format('%s reads automation.%s', role, view))
FROM unnest('{tap_viewer,tap_author,tap_operator,tap_admin}'::text[]) AS role,
	unnest('{rules,rule_steps,rule_history,triggers,actions,entities,links,channels,calendars,execution_log,step_log,deliveries,attempts}'::text[]) AS view;
SELECT is(has_table_privilege(role, 'automation.notification', 'SELECT'), reads, format('%s %s what is said to others', role, CASE WHEN reads THEN 'reads' ELSE 'does not read' END))
FROM (VALUES ('tap_viewer', false), ('tap_author', false), ('tap_operator', true), ('tap_admin', true)) AS v(role, reads);
SELECT throws_ok(format('SELECT crm.as_role(%L, ''SELECT * FROM automation.%s'')', role, relation), '42501', 'permission denied for ' || kind || ' ' || relation, format('%s does not read automation.%s', role, relation))
FROM unnest('{tap_viewer,tap_author,tap_operator,tap_admin}'::text[]) AS role,
	(VALUES ('run', 'table'), ('delivery', 'table'), ('attempt', 'table'), ('rule_version', 'table'), ('trigger_definition', 'table'), ('action_definition', 'table')) AS v(relation, kind);
SELECT throws_ok($$SELECT crm.as_role('tap_nobody', 'SELECT * FROM automation.rules')$$, '42501', 'permission denied for schema automation', 'nobody else gets into the schema');
SELECT throws_ok(format('SELECT crm.as_role(''tap_admin'', %L)', command), '42501', NULL, command)
FROM unnest(ARRAY[
	$$INSERT INTO automation.trigger_definition (name) VALUES ('x')$$, $$UPDATE automation.trigger_definition SET name = 'x'$$, 'DELETE FROM automation.trigger_definition',
	$$INSERT INTO automation.action_definition (name) VALUES ('x')$$, $$UPDATE automation.actions SET name = 'x'$$, 'DELETE FROM automation.action_definition',
	$$INSERT INTO automation.run (status) VALUES ('x')$$, $$UPDATE automation.run SET status = 'x'$$, 'DELETE FROM automation.run', 'TRUNCATE automation.run',
	$$INSERT INTO automation.delivery (kind) VALUES ('x')$$, $$UPDATE automation.delivery SET kind = 'x'$$, 'DELETE FROM automation.delivery',
	$$INSERT INTO automation.rule (name) VALUES ('x')$$, $$UPDATE automation.rule SET owner = 'tap_admin'$$, 'DELETE FROM automation.rule',
	$$CREATE FUNCTION automation.x() RETURNS void LANGUAGE sql AS ''$$, $$CREATE FUNCTION automation_compiled.x() RETURNS void LANGUAGE sql AS ''$$,
	$$SELECT automation._create_rule('tap_admin', 'x', 'crm.job', 'created', '{}', NULL, NULL, NULL, NULL, false, 'log', NULL, 'row', NULL)$$,
	$$SELECT automation._fire_rule(1, '{}')$$, $$SELECT automation._ask('tap_admin', 'SELECT', '{}')$$]) AS command;

-- The writer needs nothing

GRANT USAGE ON SCHEMA crm TO tap_writer, tap_author, tap_viewer;
GRANT SELECT, INSERT, UPDATE, DELETE ON crm.job TO tap_writer;
GRANT TRIGGER, SELECT (id, status, owner_id), UPDATE (status) ON crm.job TO tap_author;
GRANT SELECT (id, name) ON crm.app_user TO tap_author;
SELECT crm.as_role('tap_author', $$SELECT automation.create_rule('note', 'crm.job', 'created',
	steps => ARRAY[automation.notify('1', '{{ owner.name }}'), automation.update_field('status', expression => 'new.status || session_user || current_user')], activate => true)$$);
SELECT lives_ok($$SELECT crm.as_role('tap_writer', 'INSERT INTO crm.job VALUES (1, ''New'', ''x'', 1) RETURNING id')$$, 'a writer without any right of ours writes');
SELECT is((SELECT status FROM crm.job), 'New' || session_user || 'tap_author', 'and the rule acts in its owner''s name');
SELECT is((SELECT string_agg(status, ' ') FROM automation.execution_log), 'succeeded', 'successfully');
SELECT is((SELECT body FROM automation.notification), 'Ann', 'with what its owner may read');

-- What an author may not read, he cannot have read

SELECT throws_ok(format('SELECT crm.as_role(''tap_author'', %L)', format($$SELECT automation.create_rule('spy', 'crm.job', 'created', condition => %L, steps => ARRAY[%s])$$, condition, step)),
	'42501', NULL, format('not through %s', what))
FROM (VALUES
	('a condition', $$new.secret = 'x'$$, $$automation.notify('1', 'x')$$),
	('a condition on a linked row', $$owner.salary > 1$$, $$automation.notify('1', 'x')$$),
	('a JSON condition', $${"field": "secret", "operator": "=", "value": "x"}$$, $$automation.notify('1', 'x')$$),
	('a template', NULL, $$automation.notify('1', '{{ secret }}')$$),
	('a template on a linked row', NULL, $$automation.notify('1', '{{ owner.salary }}')$$),
	('a step''s condition', NULL, $$automation.only_if($c$new.secret = 'x'$c$, automation.notify('1', 'x'))$$),
	('an expression', NULL, $$automation.update_field('status', expression => 'new.secret')$$),
	('a whole row', NULL, $$automation.update_field('status', expression => 'new::text')$$)) AS v(what, condition, step);
SELECT throws_ok($$SELECT crm.as_role('tap_viewer', $c$SELECT automation.item_status('crm.job', '1')$c$)$$, '42501', 'permission denied for table job', 'nor through item_status()');
SELECT throws_ok($$SELECT crm.as_role('tap_viewer', $c$SELECT automation.explain('note', 'crm.job', '1')$c$)$$, '42501', 'permission denied for table job', 'nor through explain()');
GRANT SELECT ON crm.job TO tap_viewer;
SELECT is(crm.as_role('tap_viewer', $$SELECT count(*) FROM automation.item_status('crm.job', '1')$$), '1', 'who may read the table may ask');
ALTER TABLE crm.job ENABLE ROW LEVEL SECURITY;
SELECT throws_ok($$SELECT crm.as_role('tap_viewer', $c$SELECT automation.item_status('crm.job', '1')$c$)$$, '42501', 'row-level security of table "crm.job" hides rows from role tap_viewer', 'unless policies hide rows from him');
ALTER TABLE crm.job DISABLE ROW LEVEL SECURITY;
UPDATE automation.run SET changes = '{"status": ["a", "b"]}', steps = '[{"step": 1, "action": "update_field", "status": "succeeded", "result": {"status": "b"}}]';
SELECT isnt(crm.as_role('tap_viewer', 'SELECT changes FROM automation.execution_log'), NULL, 'old and new values are for who may read the table');
SELECT isnt(crm.as_role('tap_viewer', 'SELECT result FROM automation.step_log'), NULL, 'as is what a step wrote');
ALTER TABLE crm.job ENABLE ROW LEVEL SECURITY;
CREATE POLICY others ON crm.job TO tap_viewer USING (id <> 1);
SELECT is(crm.as_role('tap_viewer', 'SELECT changes FROM automation.execution_log'), NULL, 'but not for whom policies may hide the row from');
SELECT is(crm.as_role('tap_viewer', 'SELECT result FROM automation.step_log'), NULL, 'nor is that');
ALTER ROLE tap_viewer BYPASSRLS;
SELECT isnt(crm.as_role('tap_viewer', 'SELECT changes FROM automation.execution_log'), NULL, 'who is above policies sees what changed');
SELECT isnt(crm.as_role('tap_viewer', 'SELECT result FROM automation.step_log'), NULL, 'and what was written');
ALTER ROLE tap_viewer NOBYPASSRLS;
SAVEPOINT failing;
UPDATE automation.run SET status = 'failed', reason = 'step 1: value too long: secret', steps = '[{"step": 1, "action": "update_field", "status": "failed", "reason": "value too long: secret", "sqlstate": "22001"}]';
SELECT is(crm.as_role('tap_viewer', 'SELECT reason FROM automation.execution_log'), 'step 1: error, not shown without SELECT on the table', 'nor the text of an error');
SELECT is(crm.as_role('tap_viewer', 'SELECT reason FROM automation.step_log'), 'error, not shown without SELECT on the table', 'of a run or of a step');
ROLLBACK TO failing;
-- The owner of the table, one above its policies and one below, and whether they are forced
CREATE FUNCTION crm.seen(OUT told text, OUT asked text) LANGUAGE sql AS $$
	SELECT string_agg(automation._may_see(r::regrole, 'crm.job')::text, ' ' ORDER BY r),
		string_agg(crm.as_role(r, format('SELECT automation._may_see(%s::regclass)', 'crm.job'::regclass::oid)), ' ' ORDER BY r)
	FROM unnest('{tap_admin,tap_operator,tap_viewer}'::text[]) AS r
$$;
GRANT SELECT ON crm.job TO tap_operator;
ALTER ROLE tap_operator BYPASSRLS;
SELECT relowner::regrole AS owner FROM pg_class WHERE oid = 'crm.job'::regclass \gset
ALTER TABLE crm.job OWNER TO tap_admin;
SELECT is(crm.seen()::text, '("true true false","true true false")', 'who asks for himself is told what is told of him');
SELECT lives_ok($$SELECT automation._check_row_security('crm.job', 'tap_admin')$$, 'the owner of a table may have rules on it');
ALTER TABLE crm.job FORCE ROW LEVEL SECURITY;
SELECT is(crm.seen()::text, '("false true false","false true false")', 'also where policies are for the owner too');
SELECT throws_ok($$SELECT automation._check_row_security('crm.job', 'tap_admin')$$, '42501',
	'row-level security of table "crm.job" hides rows from role tap_admin', 'who then may not');
DROP POLICY others ON crm.job;
ALTER TABLE crm.job NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
ALTER TABLE crm.job OWNER TO :owner;
ALTER ROLE tap_operator NOBYPASSRLS;
REVOKE SELECT ON crm.job FROM tap_operator;
REVOKE SELECT ON crm.job FROM tap_viewer;
SELECT is(crm.as_role('tap_viewer', 'SELECT changes FROM automation.execution_log'), NULL, 'not for others');
SELECT is(crm.as_role('tap_viewer', 'SELECT result FROM automation.step_log'), NULL, 'nor that');

-- Nor by what the views call for their readers, whatever it is given

SELECT id AS run FROM automation.run WHERE steps <> '[]' \gset
SELECT is((SELECT result FROM automation._steps_now(:run)), '{"status": "b"}', 'steps of a run, with what they wrote');
SELECT is(crm.as_role('tap_viewer', 'SELECT result FROM automation._steps_now(' || :run || ')'), NULL, 'which a viewer is not told by them either');
SELECT throws_ok($$SELECT crm.as_role('tap_viewer', 'SELECT automation.__steps_now(''tap_admin'', 1)')$$, '42501', NULL, 'in nobody''s name but his own');
UPDATE automation.run SET steps = '[{"step": 1, "action": "update_field", "status": "failed", "reason": "value too long: secret", "sqlstate": "22001"}]';
SELECT is(crm.as_role('tap_viewer', 'SELECT reason FROM automation._steps_now(' || :run || ')'), 'error, not shown without SELECT on the table', 'nor the text of an error');
-- Whoever adds to this list has to see to it that the function, called with anything, answers nothing that its
-- caller may not know: it takes what names a row and no row, and looks at who asks where that matters.
SELECT set_eq($$SELECT p.oid::regprocedure::text FROM pg_proc AS p
	WHERE p.pronamespace = 'automation'::regnamespace AND (p.prosecdef OR p.prosrc = 'automation_call' AND p.proname ~ '^_')
		AND (has_function_privilege('tap_viewer', p.oid, 'EXECUTE') OR has_function_privilege('tap_nobody', p.oid, 'EXECUTE')) AND p.prorettype <> 'event_trigger'::regtype$$, ARRAY[
	-- names of columns and tables that are attached, as in the view entities
	'automation._key(regclass)', 'automation._roles(regclass)', 'automation._links(regclass)',
	-- what is missing for a trigger or a playbook that everybody may read
	'automation._needs(regclass,text)', 'automation._playbook_card(text)',
	-- names of rules, as in the view rules
	'automation._with_names(text)', 'automation._rule_names_with(text,text)',
	-- numbers of messages, and how many there are, as in the view stats
	'automation._delivery_called(oid,text)', 'automation._unclaimed(oid)', 'automation._awaiting_retry(oid)', 'automation._is_copy()',
	-- the caller is looked at
	'automation._steps_now(bigint)', 'automation._new_link(text,text,text,regclass,text,interval,integer,regclass,text)',
	-- an instant or a span by a calendar, as in the view calendars
	'automation._calendar_zone(text)', 'automation._schedule(timestamp with time zone,interval,jsonb,text)',
	'automation.sla_elapsed(timestamp with time zone,timestamp with time zone,tstzmultirange,text,text)',
	'automation._sla_due(timestamp with time zone,interval,tstzmultirange,text,text)'], 'functions that do with our rights what anybody asks');
SELECT is((SELECT array_agg(p.oid::regprocedure::text) FROM pg_proc AS p, unnest(p.proargtypes) AS a JOIN pg_type AS t ON t.oid = a
	WHERE p.pronamespace = 'automation'::regnamespace AND p.prosecdef AND t.typtype = 'c'), NULL, 'none of them takes a row, which anybody can make up');

-- Whose links and drafts one sees; what was undone is seen like the log that it belongs to

SELECT automation.create_rule('roots', 'crm.job', 'manual', steps => ARRAY[automation.notify('1', 'x')]);
SELECT crm.as_role(owner, format('SELECT automation.alter_rule(%L, condition => ''new.id > 0'', publish => false)', rule))
FROM (VALUES ('tap_author', 'note'), (current_user, 'roots')) AS v(owner, rule);
INSERT INTO automation.token (purpose, name, prefix, role, search_path, entity_id, key, expires_at)
SELECT 'link', owner, '', owner::regrole, '', e.id, '1', now() + interval '1 day' FROM automation.entity AS e, unnest(ARRAY['tap_author', current_user]) AS owner WHERE e.relation = 'crm.job'::regclass;
SELECT is(crm.as_role(role, format('SELECT concat_ws('' '', (SELECT string_agg(replace(name, %L, ''root''), '','' ORDER BY id) FROM automation.tokens), (SELECT string_agg(rule, '','' ORDER BY rule) FROM automation.drafts))', current_user)),
	shown, format('%s sees "%s"', role, shown))
FROM (VALUES ('tap_viewer', ''), ('tap_author', 'tap_author note'), ('tap_operator', 'tap_author,root note,roots'), ('tap_admin', 'tap_author,root note,roots')) AS v(role, shown);
SELECT automation.drop_rule('roots');

-- What became of messages is for the owner of the rule, and for operators

CREATE SERVER tap_hook FOREIGN DATA WRAPPER pg_automation OPTIONS (channel 'webhook', base_url 'https://hook.example');
CREATE ROLE tap_colleague IN ROLE tap_author;
SELECT automation.grant_access('tap_colleague', 'viewer');
GRANT USAGE ON FOREIGN SERVER tap_hook TO tap_author;
SELECT crm.as_role('tap_author', $$SELECT automation.create_rule('hook', 'crm.job', 'manual', steps => ARRAY[automation.send_webhook('tap_hook')], activate => true)$$);
SELECT automation.fire('hook', 'crm.job', '1');
SELECT automation.create_rule('root', 'crm.job', 'manual', steps => ARRAY[automation.send_webhook('tap_hook')], activate => true);
SELECT automation.fire('root', 'crm.job', '1');
INSERT INTO automation.attempt (delivery_id, number, epoch, finished_at, outcome) SELECT d.id, 1, 1, now(), 'delivered' FROM automation.delivery AS d;
SELECT is(crm.as_role(role, 'SELECT string_agg(rule, '' '' ORDER BY id) FROM automation.deliveries'), rules, format('%s sees the messages of %s', role, coalesce(rules, 'no rule')))
FROM (VALUES ('tap_viewer', NULL), ('tap_author', 'hook'), ('tap_colleague', 'hook'), ('tap_operator', 'hook root'), ('tap_admin', 'hook root')) AS v(role, rules);
SELECT is(crm.as_role(role, 'SELECT count(*) FROM automation.attempts'), attempts, format('%s sees %s attempts', role, attempts))
FROM (VALUES ('tap_viewer', '0'), ('tap_author', '1'), ('tap_colleague', '1'), ('tap_operator', '2'), ('tap_admin', '2')) AS v(role, attempts);
SELECT is(crm.as_role('tap_viewer', 'SELECT string_agg(status, '' '') FROM automation.execution_log WHERE rule IN (''hook'', ''root'')'), 'succeeded succeeded', 'the log tells everybody how a run stands');
CREATE FUNCTION crm.peep(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN PERFORM set_config('tap.peeped', concat(current_setting('tap.peeped'), $1), false); RETURN true; END $$;
SET tap.peeped = '';
SELECT crm.as_role('tap_author', 'SELECT count(*) FROM automation.deliveries WHERE crm.peep(channel)');
SELECT is(current_setting('tap.peeped'), 'tap_hook', 'no function in a query gets to see the others');

-- Code that comes along with somebody's types runs with no more than his rights

CREATE FUNCTION crm.whoami() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('tap.who', current_setting('tap.who', true) || ' ' || current_user, false); RETURN true; END $$;
SET tap.who = '';
CREATE ROLE tap_owner;
GRANT CREATE, USAGE ON SCHEMA crm TO tap_owner;
GRANT EXECUTE ON FUNCTION crm.whoami() TO tap_owner;
SELECT automation.grant_access('tap_owner', 'admin');
SET LOCAL ROLE tap_owner;
CREATE TYPE crm.trap AS ENUM ('a', 'b');
CREATE FUNCTION crm.trap_json(crm.trap) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM crm.whoami(); RETURN '"a"'; END $$;
CREATE CAST (crm.trap AS json) WITH FUNCTION crm.trap_json(crm.trap);
CREATE DOMAIN crm.checked AS integer CHECK (crm.whoami());
CREATE TABLE crm.trapped (id crm.checked PRIMARY KEY, trap crm.trap, size crm.checked, sizes crm.checked[]);
SELECT automation.attach('crm.trapped', 'trapped');
SELECT automation.create_rule('trap', 'crm.trapped', 'manual', condition => 'new.size > 1', steps => ARRAY[
	automation.update_field('size', '3'), automation.update_field('trap', 'b'), automation.update_field('sizes', '{1,2}'),
	automation.notify('1', '{{ trap }} {{ size }}')], activate => true);
INSERT INTO crm.trapped VALUES (1, 'a', 2);
RESET ROLE;
SELECT isnt(automation.fire('trap', 'crm.trapped', '1'), NULL, 'a rule with trapped types fires');
SELECT count(*) FROM automation.explain('trap', 'crm.trapped', '1'), automation.item_status('crm.trapped', '1');
SELECT matches(current_setting('tap.who'), 'tap_owner', 'the traps have sprung');
SELECT unalike(current_setting('tap.who'), '%' || current_user || '%', 'but not with our rights');

-- revoke_access()

SELECT lives_ok($$SELECT automation.revoke_access(role::regrole) FROM unnest('{tap_viewer,tap_author,tap_operator,tap_admin}'::text[]) AS role$$, 'what was granted is taken back');
SELECT is_empty(format('SELECT crm.verbs_of(%L)', role), role || ' calls nothing any more') FROM unnest('{tap_viewer,tap_author,tap_operator,tap_admin}'::text[]) AS role;
SELECT ok(NOT has_schema_privilege('tap_viewer', 'automation', 'USAGE'), 'nor gets into the schema');
INSERT INTO crm.job VALUES (2, 'New', 'x', 1);
SELECT is((SELECT status FROM automation.execution_log WHERE key = '2'), 'succeeded', 'rules of an author go on running');
REVOKE USAGE ON SCHEMA crm FROM tap_viewer;
SELECT lives_ok('DROP ROLE tap_viewer', 'no grant of ours keeps a role from being dropped');

SELECT * FROM finish();
ROLLBACK;
