-- Who may use what. Nothing is granted to PUBLIC but the functions that compiled SQL calls, and those
-- only reach who may enter the schema: a writer needs no privilege at all.

CREATE FUNCTION automation._verbs()
RETURNS TABLE (access text, verbs text[])
LANGUAGE sql IMMUTABLE
BEGIN ATOMIC
	VALUES
		('viewer', '{describe_action,item_status,explain,cascade,why_not,told,rule_to_text,rule_to_mermaid,report_html,export_rules,rule_schema,playbook_diff,
			preview_template,matches,rule_diff}'::text[]),
		('author', '{describe_action,item_status,explain,check,
			create_rule,create_guard,create_evidence_guard,alter_rule,drop_rule,copy_rule,copy_report,move_rule_to,move_rule,rollback_rule,publish_rule,discard_draft,rule_diff,
			activate_rule,pause_rule,resume_rule,disable_rule,enable_rule,fire,
			action,send_sms,send_email,send_webhook,notify,create_task,update_field,assign_user,create_record,
			create_folder,rename_folder,drop_folder,move_to_folder,create_template,alter_template,drop_template,preview_template,with_template,
			create_action_template,alter_action_template,drop_action_template,use,create_filter,alter_filter,drop_filter,matches,
			generate_document,send_calendar_invite,add_document,remove_document,sms_segments,
			add_tag,remove_tag,set_stage,set_priority,add_note,raise_flag,clear_flag,attach_checklist,require_evidence,emit_event,
			create_invoice,create_estimate,add_line_item,wait,wait_until,branch,split,in_arm,escalate,record_consent,
			make_link,create_payment_link,request_approval,start_sla,pause_sla,resume_sla,stop_sla,
			call_function,start_rule,stop_rule,refuse,only_if,after_previous,after,at,stop_item,resume_item,cancel,undo_run,recall,set_test_mode,create_experiment,drop_experiment,promote_experiment,experiment_report,
			matching_rows,cancel_activation,install_playbook,playbook_diff,apply_rules,whatif,watch,test_rule,cascade,why_not,told,messages,plans,lint,rule_to_text,rule_to_mermaid,report_html,export_rules,rule_schema,
			fires_ok,fires_not_ok,sends_ok,due_ok,cancelled_ok,explains_like}'),
		('operator', '{describe_action,item_status,explain,check,preview_template,matches,rule_diff,playbook_diff,whatif,watch,test_rule,cascade,why_not,told,messages,plans,lint,rule_to_text,rule_to_mermaid,report_html,export_rules,rule_schema,
			fires_ok,fires_not_ok,sends_ok,due_ok,cancelled_ok,explains_like,
			pause_rule,resume_rule,disable_rule,enable_rule,fire,retry,replay,pause_channel,resume_channel,purge_log,acknowledge,erase_subject,erase_address,export_subject,
			tick,stop_item,resume_item,cancel,undo_run,recall,set_test_mode,experiment_report,housekeep,cancel_activation,release_batch,discard_batch,set_consent,consents,audit_gaps,
			sms_segments,record_callback,verify_twilio_signature,unsubscribe,approve,open_link,ingest}'),
		('admin', '{attach,detach,link,unlink,approve_function,disapprove_function,
			create_channel,alter_channel,drop_channel,create_cap,drop_cap,create_calendar,alter_calendar,drop_calendar,add_holiday,remove_holiday,
			grant_access,revoke_access,adopt,set_clock,advance,schedule_jobs,unschedule_jobs}');
END;
COMMENT ON FUNCTION automation._verbs() IS 'What each kind of access may call; an admin may call everything';

CREATE FUNCTION automation._views() RETURNS regclass[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT array_agg(c.oid::regclass ORDER BY c.relname)
	FROM pg_catalog.pg_class AS c
	WHERE c.relnamespace = 'automation'::regnamespace
		AND (c.relkind = 'v' AND NOT starts_with(c.relname, '_') OR c.relname = 'condition_operator');
END;
COMMENT ON FUNCTION automation._views() IS 'What every kind of access may read';

CREATE FUNCTION automation._view_functions() RETURNS regprocedure[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	WITH RECURSIVE called AS (
		SELECT d.refobjid AS function
		FROM pg_catalog.pg_rewrite AS r
		JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
		WHERE d.refclassid = 'pg_proc'::regclass
			AND r.ev_class IN (SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relnamespace = 'automation'::regnamespace)
		UNION
		-- What these call in their turn, unless they do it with our rights.
		SELECT d.refobjid
		FROM called AS f
		JOIN pg_catalog.pg_proc AS p ON p.oid = f.function AND NOT p.prosecdef
		JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = f.function AND d.refclassid = 'pg_proc'::regclass
	)
	SELECT array_agg(p.oid::regprocedure ORDER BY p.oid)
	FROM called AS f
	JOIN pg_catalog.pg_proc AS p ON p.oid = f.function AND p.pronamespace = 'automation'::regnamespace;
END;
COMMENT ON FUNCTION automation._view_functions() IS 'Functions that readers of the views call without knowing';

CREATE FUNCTION automation._callable(access text) RETURNS regprocedure[]
LANGUAGE sql STABLE
BEGIN ATOMIC
	SELECT automation._view_functions() || array_agg(p.oid::regprocedure ORDER BY p.proname)
	FROM pg_catalog.pg_proc AS p
	WHERE p.pronamespace = 'automation'::regnamespace AND EXISTS (
		SELECT FROM automation._verbs() AS v
		WHERE p.proname = ANY (v.verbs) AND _callable.access IN (v.access, 'admin'));
END;
COMMENT ON FUNCTION automation._callable(text) IS 'Functions that a kind of access may call';

CREATE FUNCTION automation._check_access(access text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM automation._verbs() AS v WHERE v.access = _check_access.access) THEN
		PERFORM automation._fail('22023', format('unrecognized access: "%s"', access),
			hint => 'Valid values are: viewer, author, operator, admin.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_access(text) IS 'Raises an error unless the text is a kind of access';

CREATE FUNCTION automation.grant_access(role regrole, access text) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.grant_access(regrole, text)
	IS 'Plain GRANTs for a viewer (reads the log), an author (and makes rules), an operator (and retries, pauses and purges) or an admin (everything)';

CREATE FUNCTION automation._grant_access(caller regrole, role regrole, access text) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM automation._check_access(access);
	EXECUTE format('GRANT USAGE ON SCHEMA automation TO %s', role);
	EXECUTE format('GRANT SELECT ON %s TO %s', automation._list(automation._views()::text[]), role);
	EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', automation._list(automation._callable(access)::text[]), role);
	-- What is said to others, whichever tables it tells of.
	IF access IN ('operator', 'admin') THEN
		EXECUTE format('GRANT SELECT ON automation.notification TO %s', role);
	END IF;
	IF access = 'admin' THEN
		EXECUTE format('GRANT USAGE ON FOREIGN DATA WRAPPER pg_automation TO %s', role);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._grant_access(regrole, regrole, text) IS 'automation.grant_access()';

CREATE FUNCTION automation.revoke_access(role regrole) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.revoke_access(regrole) IS 'Takes back all that grant_access() gave; rules of the role go on running';

CREATE FUNCTION automation._revoke_access(caller regrole, role regrole) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	EXECUTE format('REVOKE ALL ON ALL FUNCTIONS IN SCHEMA automation FROM %s', role);
	EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA automation FROM %s', role);
	EXECUTE format('REVOKE USAGE ON FOREIGN DATA WRAPPER pg_automation FROM %s', role);
	IF NOT EXISTS (SELECT FROM automation.rule AS r WHERE r.owner = role) THEN
		EXECUTE format('REVOKE USAGE ON SCHEMA automation, automation_compiled FROM %s', role);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._revoke_access(regrole, regrole) IS 'automation.revoke_access()';

-- Views call these for their readers, who may not read what the functions read. Their bodies are bound to
-- what they name when they are made: no search path can change that. Whoever reads the views may call them
-- with anything, so they take what names a row and never the row, and answer what the views show to all.
ALTER FUNCTION automation._key(regclass) SECURITY DEFINER;
ALTER FUNCTION automation._roles(regclass) SECURITY DEFINER;
ALTER FUNCTION automation._links(regclass) SECURITY DEFINER;
ALTER FUNCTION automation._needs(regclass, text) SECURITY DEFINER;
ALTER FUNCTION automation._playbook_card(text) SECURITY DEFINER;
ALTER FUNCTION automation._delivery_called(oid, text) SECURITY DEFINER;
ALTER FUNCTION automation._is_copy() SECURITY DEFINER;
ALTER FUNCTION automation._unclaimed(oid) SECURITY DEFINER;
ALTER FUNCTION automation._awaiting_retry(oid) SECURITY DEFINER;
ALTER FUNCTION automation._rule_names_with(text, text) SECURITY DEFINER;

REVOKE ALL ON SCHEMA automation, automation_compiled FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA automation FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA automation FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA automation FROM PUBLIC;
REVOKE ALL ON FOREIGN DATA WRAPPER pg_automation FROM PUBLIC;

-- What compiled SQL calls in the name of a rule's owner.
GRANT EXECUTE ON FUNCTION
	automation.changed(anyelement, anyelement),
	automation.took(text, text),
	automation._new_link(text, text, text, regclass, text, interval, integer, regclass, text),
	automation.sla_elapsed(timestamptz, timestamptz, tstzmultirange, text, text),
	automation._sla_due(timestamptz, interval, tstzmultirange, text, text),
	automation.gained(anyarray, anyarray, anyarray),
	automation.gained(jsonb, jsonb, text[]),
	automation._same_table(oid, oid),
	automation._now(),
	automation._base(),
	automation.html_escape(text),
	automation.one_line(text),
	automation._object("any"),
	automation.url_encode(text),
	automation.phone_e164(text),
	automation.capitalize(text),
	automation.truncate(text, integer, text),
	automation._local_instant(timestamp, text),
	automation._add(timestamptz, interval, text),
	automation._named_zone(text),
	automation._instant_of(text, text),
	automation._default_zone(),
	automation._cluster_zone(),
	automation._calendar_zone(text),
	automation._schedule(timestamptz, interval, jsonb, text),
	automation._cron_next(text, timestamptz, text),
	automation._recur_next(timestamptz, interval, timestamptz, text)
TO PUBLIC;
-- What assertions call in the name of whoever tests.
GRANT EXECUTE ON FUNCTION automation._tap(boolean, text, text), automation._about(text, text) TO PUBLIC;
-- What the builders of steps call in the name of an author.
GRANT EXECUTE ON FUNCTION automation._timed(automation.step, jsonb), automation._decision(text, text) TO PUBLIC;

-- A dump carries what users defined and what is planned, not what happened. What was compiled is no member of the extension
-- and is dumped like any function.
SELECT pg_catalog.pg_extension_config_dump('automation.home', '');
SELECT pg_catalog.pg_extension_config_dump('automation.entity', '');
SELECT pg_catalog.pg_extension_config_dump('automation.entity_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.link', '');
SELECT pg_catalog.pg_extension_config_dump('automation.link_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.calendar', '');
SELECT pg_catalog.pg_extension_config_dump('automation.holiday', '');
SELECT pg_catalog.pg_extension_config_dump('automation.approved_function', '');
SELECT pg_catalog.pg_extension_config_dump('automation.hash_key', '');
SELECT pg_catalog.pg_extension_config_dump('automation.token_key', '');
SELECT pg_catalog.pg_extension_config_dump('automation.token', '');
SELECT pg_catalog.pg_extension_config_dump('automation.token_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.consent', '');
SELECT pg_catalog.pg_extension_config_dump('automation.consent_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.cap', '');
SELECT pg_catalog.pg_extension_config_dump('automation.rule', '');
SELECT pg_catalog.pg_extension_config_dump('automation.rule_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.rule_version', '');
SELECT pg_catalog.pg_extension_config_dump('automation.rule_draft', '');
SELECT pg_catalog.pg_extension_config_dump('automation.experiment', '');
SELECT pg_catalog.pg_extension_config_dump('automation.playbook_rule', '');
SELECT pg_catalog.pg_extension_config_dump('automation.folder', '');
SELECT pg_catalog.pg_extension_config_dump('automation.component', '');
SELECT pg_catalog.pg_extension_config_dump('automation.component_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.component_version', '');
-- What is planned, with the runs that it belongs to; and the numbers of runs and messages go on, as by them a
-- later touch is told from an earlier one, and the messages of a run from those of another database.
SELECT pg_catalog.pg_extension_config_dump('automation.pending', '');
SELECT pg_catalog.pg_extension_config_dump('automation.hold', '');
SELECT pg_catalog.pg_extension_config_dump('automation.batch', 'WHERE state IN (''held'', ''releasing'')');
SELECT pg_catalog.pg_extension_config_dump('automation.held', '');
-- Each volume by itself: with --inserts, pg_dump reads a table without its children, else with them.
DO $$
DECLARE
	volume record;
BEGIN
	-- And what their later steps have come to, as by it they know which way they went.
	FOR volume IN
		SELECT automation._volume_table(t.name, v.number)::regclass AS relation, t.id
		FROM automation.volume AS v, (VALUES ('run', 'id'), ('step_run', 'run_id')) AS t(name, id)
		ORDER BY t.name, v.number
	LOOP
		PERFORM pg_catalog.pg_extension_config_dump(volume.relation,
			format('WHERE tableoid = %L::regclass AND %I IN (SELECT p.run_id FROM automation.pending AS p)', volume.relation, volume.id));
	END LOOP;
END
$$;
SELECT pg_catalog.pg_extension_config_dump('automation.moved', 'WHERE run_id IN (SELECT p.run_id FROM automation.pending AS p)');
SELECT pg_catalog.pg_extension_config_dump('automation.run_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.delivery_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.document', 'WHERE is_kept');
SELECT pg_catalog.pg_extension_config_dump('automation.document_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('automation.invite_sequence', '');

-- Few rows, and rarely analyzed. Taken for the thousands that PostgreSQL expects of a table it does not know,
-- they would have it compile (jit) each query of a view.
ANALYZE automation.entity, automation.link, automation.rule, automation.rule_version, automation.trigger_definition,
	automation.action_definition, automation.calendar, automation.holiday, automation.activation, automation.hold, automation.batch;
