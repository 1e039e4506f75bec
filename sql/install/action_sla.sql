-- Service levels: clocks over a calendar. What has passed is always computed, from when the clock was started
-- and when it was stopped meanwhile; nothing is added up on the way, so nothing is counted twice.

CREATE FUNCTION automation._open_time(calendar text, zone text, "from" timestamptz, "to" timestamptz) RETURNS tstzmultirange
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known automation.calendar;
	local_zone text := zone;
BEGIN
	IF calendar IS NULL THEN
		RETURN tstzmultirange(tstzrange("from", "to"));
	END IF;
	known := automation._calendar(calendar);
	local_zone := coalesce(known.zone, zone, automation._default_zone());
	RETURN coalesce((
		SELECT range_agg(tstzrange(s.begins, s.ends)) * tstzmultirange(tstzrange("from", "to"))
		FROM generate_series(
				date_trunc('day', "from" AT TIME ZONE local_zone), date_trunc('day', "to" AT TIME ZONE local_zone), interval '1 day') AS d(midnight),
			unnest(known.week * int4multirange(int4range(86400 * (extract(isodow FROM d.midnight)::integer - 1), 86400 * extract(isodow FROM d.midnight)::integer))) AS o,
			LATERAL (
				SELECT (d.midnight + (lower(o) - 86400 * (extract(isodow FROM d.midnight)::integer - 1)) * interval '1 s') AT TIME ZONE local_zone,
					(d.midnight + (upper(o) - 86400 * (extract(isodow FROM d.midnight)::integer - 1)) * interval '1 s') AT TIME ZONE local_zone
			) AS s(begins, ends)
		WHERE s.begins < s.ends
			AND NOT EXISTS (SELECT FROM automation.holiday AS h WHERE h.calendar = known.name AND h.day = d.midnight::date)), '{}');
END
$$;
COMMENT ON FUNCTION automation._open_time(text, text, timestamptz, timestamptz) IS 'When a calendar is open between two instants; without one, always';

CREATE FUNCTION automation._length(times tstzmultirange) RETURNS interval
LANGUAGE sql IMMUTABLE
RETURN (SELECT coalesce(sum(upper(r) - lower(r)), interval '0') FROM unnest(times) AS r);
COMMENT ON FUNCTION automation._length(tstzmultirange) IS 'How long these times are together';

CREATE FUNCTION automation.sla_elapsed(
	start timestamptz,
	until timestamptz,
	pauses tstzmultirange DEFAULT '{}',
	calendar text DEFAULT NULL,
	zone text DEFAULT NULL)
RETURNS interval
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
RETURN automation._length(automation._open_time(calendar, zone, start, greatest(start, until)) - coalesce(pauses, '{}'));
COMMENT ON FUNCTION automation.sla_elapsed(timestamptz, timestamptz, tstzmultirange, text, text)
	IS 'How long the clock of a service level has run: the time between the instants in which the calendar was open, less the pauses';

CREATE FUNCTION automation._sla_due(start timestamptz, target interval, pauses tstzmultirange, calendar text, zone text) RETURNS timestamptz
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- A multiple of the time, and then of that: calendars have gaps, and pauses may be long.
	horizon interval := 4 * target + interval '8 days' + coalesce(upper(pauses) - start, interval '0');
	due timestamptz;
BEGIN
	IF target IS NULL OR start IS NULL OR upper_inf(pauses) THEN
		RETURN NULL;
	END IF;
	WHILE due IS NULL AND horizon < interval '100 years' LOOP
		SELECT r.ends - (r.passed - target) INTO due
		FROM (
			SELECT upper(o) AS ends, sum(upper(o) - lower(o)) OVER (ORDER BY lower(o)) AS passed
			FROM unnest(automation._open_time(calendar, zone, start, start + horizon) - coalesce(pauses, '{}')) AS o
		) AS r
		WHERE r.passed >= target
		ORDER BY r.passed
		LIMIT 1;
		horizon := 8 * horizon;
	END LOOP;
	RETURN due;
END
$$;
COMMENT ON FUNCTION automation._sla_due(timestamptz, interval, tstzmultirange, text, text)
	IS 'When the clock of a service level will have run for so long; null while it is paused';

CREATE FUNCTION automation._sla_share_sql(scope automation._scope, share numeric) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	part record;
	parts jsonb := '{}';
BEGIN
	IF share <= 0 OR share >= 100 THEN
		PERFORM automation._fail('22023', 'a share of a clock must be more than 0 and less than 100 per cent');
	END IF;
	FOR part IN
		SELECT r.role, r.type, CASE WHEN r.is_needed THEN automation._role_column(scope.relation, r.role) ELSE automation._known_column(scope.relation, r.role) END AS name
		FROM (VALUES ('start', 'timestamptz', true), ('target', 'interval', true), ('pauses', 'tstzmultirange', false), ('calendar', 'text', false), ('zone', 'text', false)) AS r(role, type, is_needed)
	LOOP
		parts := parts || jsonb_build_object(part.role, format('%s::pg_catalog.%s',
			CASE WHEN part.name IS NULL THEN 'NULL' ELSE (automation._path(scope, ARRAY[part.name], 'column')).sql END, part.type));
	END LOOP;
	RETURN automation._fill('automation._sla_due({start}, {target} * ' || share / 100 || ', {pauses}, {calendar}, {zone})', parts);
END
$$;
COMMENT ON FUNCTION automation._sla_share_sql(automation._scope, numeric) IS 'SQL for when the clock of a service level will have run for so many per cent of its time';

UPDATE automation.trigger_definition
SET timing = timing || '{"share": "{pct}"}',
	params = jsonb_set(jsonb_set(params, '{required}', '[]'), '{properties,pct}', '{"type": "number", "description": "so many per cent of the time have passed, instead: a clock with pauses and a calendar"}')
WHERE name = 'sla.warning';

-- Actions

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('start_sla', 'work', 'statement', 'reversible', NULL, NULL, '_compile_start_sla', '{
	"required": ["policy", "target"],
	"properties": {
		"policy": {"type": "string", "description": "which service level; one clock for each runs for a record"},
		"target": {"type": "string", "description": "how much time there is: 4 hours"},
		"calendar": {"type": "string", "description": "the clock runs while it is open; always by default"},
		"zone": {"type": "string", "description": "time zone, that of the calendar or the database by default"},
		"fields": {"type": "object", "description": "further columns; texts are templates"}}}',
	'Starts a clock: inserts a row that leads to the record into the attached table of object type sla'),
('pause_sla', 'work', 'statement', 'reversible', NULL, NULL, '_compile_change_sla', '{
	"required": ["policy"],
	"properties": {"policy": {"type": "string", "description": "which service level"}}}',
	'Stops the clock of a service level for a while'),
('resume_sla', 'work', 'statement', 'reversible', NULL, NULL, '_compile_change_sla', '{
	"required": ["policy"],
	"properties": {"policy": {"type": "string", "description": "which service level"}}}',
	'Lets the clock of a service level run again; it is due so much later as its calendar was open meanwhile'),
('stop_sla', 'work', 'statement', 'reversible', NULL, NULL, '_compile_change_sla', '{
	"required": ["policy"],
	"properties": {"policy": {"type": "string", "description": "which service level"}}}',
	'Ends the clock of a service level: Met if in time, else Breached');

CREATE FUNCTION automation.start_sla(policy text, target text, calendar text DEFAULT NULL, zone text DEFAULT NULL, fields jsonb DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('start_sla',
	jsonb_build_object('policy', policy, 'target', target, 'calendar', calendar, 'zone', zone, 'fields', fields));
COMMENT ON FUNCTION automation.start_sla(text, text, text, text, jsonb) IS 'A step that starts the clock of a service level for the record, unless one of the policy runs';

CREATE FUNCTION automation.pause_sla(policy text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('pause_sla', jsonb_build_object('policy', policy));
COMMENT ON FUNCTION automation.pause_sla(text) IS 'A step that stops the clock of a service level for a while';

CREATE FUNCTION automation.resume_sla(policy text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('resume_sla', jsonb_build_object('policy', policy));
COMMENT ON FUNCTION automation.resume_sla(text) IS 'A step that lets the clock of a service level run again';

CREATE FUNCTION automation.stop_sla(policy text) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('stop_sla', jsonb_build_object('policy', policy));
COMMENT ON FUNCTION automation.stop_sla(text) IS 'A step that ends the clock of a service level: Met if in time, else Breached';

CREATE FUNCTION automation._sla_column(scope automation._scope, sla regclass, role text, type regtype) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target CONSTANT pg_attribute := automation._column(scope.owner, sla, automation._role_column(sla, role), 'UPDATE');
BEGIN
	IF target.atttypid <> type THEN
		PERFORM automation._fail('42804', format('column "%s" of table "%s" must be of type %s', target.attname, sla, format_type(type, NULL)));
	END IF;
	RETURN target.attname;
END
$$;
COMMENT ON FUNCTION automation._sla_column(automation._scope, regclass, text, regtype) IS 'Column of a role that clocks are kept in';

CREATE FUNCTION automation._compile_start_sla(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	sla CONSTANT automation._companion := automation._companion(scope, 'sla');
	of_the_policy CONSTANT jsonb := automation._role_values(sla.relation, automation._given(params, 'policy'));
	target CONSTANT interval := automation._check_delay(params ->> 'target', false, 'target');
	calendar CONSTANT text := CASE WHEN params ? 'calendar' THEN (automation._calendar(params ->> 'calendar')).name END;
	zone CONSTANT text := CASE WHEN params ? 'zone' THEN automation._check_zone(params ->> 'zone') END;
BEGIN
	IF target <= interval '0' OR target > interval '1 year' THEN
		PERFORM automation._fail('22023', 'parameter "target" of action "start_sla" must be from now to 1 year');
	END IF;
	RETURN automation._insert_sql(scope, sla.relation,
		automation._companion_fields(scope, sla, of_the_policy || automation._role_values(sla.relation,
				jsonb_build_object('status', 'Running', 'target', target) || automation._given(params, 'calendar', 'zone'))
			|| coalesce(params -> 'fields', '{}'))
		|| jsonb_build_object(
			automation._sla_column(scope, sla.relation, 'start', 'timestamptz'), 'automation._now()',
			automation._sla_column(scope, sla.relation, 'pauses', 'tstzmultirange'), '''{}''::tstzmultirange',
			automation._sla_column(scope, sla.relation, 'due', 'timestamptz'),
			format('automation._sla_due(automation._now(), %L::interval, ''{}''::tstzmultirange, %L::text, %L::text)', target, calendar, zone)),
		format('WHERE NOT EXISTS (SELECT FROM %s AND p.%I::text IN (''Running'', ''Paused''))',
			automation._its_rows_sql(scope, sla, of_the_policy), automation._role_column(sla.relation, 'status')));
END
$$;
COMMENT ON FUNCTION automation._compile_start_sla(automation._scope, automation._site, jsonb) IS 'Statement for start_sla';

CREATE FUNCTION automation._compile_change_sla(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	sla CONSTANT automation._companion := automation._companion(scope, 'sla');
	relation CONSTANT regclass := sla.relation;
	status CONSTANT pg_attribute := automation._column(scope.owner, relation, automation._role_column(relation, 'status'), 'UPDATE');
	status_type CONSTANT text := automation._type_name(status);
	optional CONSTANT jsonb := jsonb_build_object(
		'calendar', coalesce('t.' || quote_ident(automation._known_column(relation, 'calendar')), 'NULL'),
		'zone', coalesce('t.' || quote_ident(automation._known_column(relation, 'zone')), 'NULL'));
	parts CONSTANT jsonb := optional || jsonb_build_object(
		'status', quote_ident(status.attname), 'type', status_type,
		'start', 't.' || quote_ident(automation._sla_column(scope, relation, 'start', 'timestamptz')),
		'due', quote_ident(automation._sla_column(scope, relation, 'due', 'timestamptz')),
		'pauses', quote_ident(automation._sla_column(scope, relation, 'pauses', 'tstzmultirange')),
		'target', 't.' || quote_ident(automation._role_column(relation, 'target')));
	settings CONSTANT jsonb := '{
		"pause_sla": ["''Running''", "{status} = ''Paused''::{type}, {due} = NULL, {pauses} = t.{pauses} + tstzmultirange(tstzrange(automation._now(), NULL))"],
		"resume_sla": ["''Paused''", "{status} = ''Running''::{type}, {pauses} = t.{pauses} * tstzmultirange(tstzrange(NULL, automation._now())), {due} = automation._sla_due({start}, {target}::interval, t.{pauses} * tstzmultirange(tstzrange(NULL, automation._now())), {calendar}::text, {zone}::text)"],
		"stop_sla": ["''Running'', ''Paused''", "{status} = CASE WHEN coalesce(automation._now() <= t.{due}, automation.sla_elapsed({start}, automation._now(), t.{pauses}, {calendar}::text, {zone}::text) <= {target}::interval) THEN ''Met''::{type} ELSE ''Breached''::{type} END, {pauses} = t.{pauses} * tstzmultirange(tstzrange(NULL, automation._now()))"]}';
	change CONSTANT jsonb := settings -> site.action;
BEGIN
	RETURN format('UPDATE %s AS t SET %s FROM %s WHERE t.%I::text IN (%s) AND EXISTS (SELECT FROM %s AND p.ctid = t.ctid AND p.tableoid = t.tableoid) RETURNING %s',
		relation, automation._fill(change ->> 1, parts), automation._images_sql(scope.row_relation), status.attname, change ->> 0,
		automation._its_rows_sql(scope, sla, automation._role_values(relation, automation._given(params, 'policy'))),
		automation._call_sql('jsonb_build_object', ARRAY(
			SELECT format('%L::text, t.%I', k, k) FROM unnest(automation._primary_key(relation) || status.attname::text) AS k)));
END
$$;
COMMENT ON FUNCTION automation._compile_change_sla(automation._scope, automation._site, jsonb) IS 'Statement for pause_sla, resume_sla and stop_sla';
