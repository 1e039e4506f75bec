-- Documents of a record: rules generate them, applications add them, e-mails carry them.

CREATE TABLE automation.document (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	at timestamptz NOT NULL DEFAULT automation._now(),
	owner oid NOT NULL,
	run_id bigint,
	step smallint,
	entity_id integer NOT NULL,
	key text NOT NULL,
	name text NOT NULL,
	type text NOT NULL,
	content bytea NOT NULL,
	is_kept boolean NOT NULL
);
CREATE INDEX document_item ON automation.document (entity_id, key, id);
COMMENT ON TABLE automation.document IS 'Documents of the rows of attached tables';
COMMENT ON COLUMN automation.document.id IS 'Number of the document: the higher, the newer';
COMMENT ON COLUMN automation.document.at IS 'When it was made';
COMMENT ON COLUMN automation.document.owner IS 'Role whose rule made it, or who added it';
COMMENT ON COLUMN automation.document.run_id IS 'Run that made it; null: somebody added it';
COMMENT ON COLUMN automation.document.step IS 'Step of the run, counted from 1';
COMMENT ON COLUMN automation.document.entity_id IS 'Table of the row that it is about';
COMMENT ON COLUMN automation.document.key IS 'Key of the row';
COMMENT ON COLUMN automation.document.name IS 'Name as of a file: contract.html';
COMMENT ON COLUMN automation.document.type IS 'Media type';
COMMENT ON COLUMN automation.document.content IS 'The bytes; text is in UTF-8';
COMMENT ON COLUMN automation.document.is_kept IS 'Not: it is there for the sake of one message, and goes with the log of that';

CREATE FUNCTION automation._keep_document(
	owner oid,
	run_id bigint,
	step smallint,
	entity_id integer,
	key text,
	name text,
	type text,
	content bytea,
	is_kept boolean)
RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	number bigint;
BEGIN
	IF coalesce(name, '') !~ '^[^/\\[:cntrl:]]{1,200}$' THEN
		PERFORM automation._fail('22023', format('invalid name of a document: "%s"', name),
			hint => 'Name it as a file, for example contract.html.');
	ELSIF type !~ '^[a-z]+/[a-z0-9.+-]+(; charset=[a-z0-9-]+)?$' THEN
		PERFORM automation._fail('22023', format('invalid media type: "%s"', type), hint => 'For example application/pdf.');
	ELSIF content IS NULL THEN
		PERFORM automation._fail('22004', format('document "%s" has no content', name));
	ELSIF octet_length(content) > 10485760 THEN
		PERFORM automation._fail('54000', format('document "%s" is too large', name), 'The maximum is 10 MB.');
	END IF;
	INSERT INTO automation.document (owner, run_id, step, entity_id, key, name, type, content, is_kept)
	VALUES (owner, run_id, step, entity_id, key, name, type, content, is_kept)
	RETURNING id INTO number;
	RETURN number;
END
$$;
COMMENT ON FUNCTION automation._keep_document(oid, bigint, smallint, integer, text, text, text, bytea, boolean) IS 'Writes a document, and answers its number';

CREATE VIEW automation.documents WITH (security_barrier) AS
SELECT d.id, d.at, r.name AS rule, d.run_id, e.relation, d.key, d.name, d.type, octet_length(d.content) AS bytes,
	CASE WHEN starts_with(d.type, 'text/') THEN convert_from(d.content, 'UTF8') END AS text, d.content
FROM automation.document AS d
JOIN automation.entity AS e ON e.id = d.entity_id
LEFT JOIN automation.run AS u ON u.id = d.run_id
LEFT JOIN automation.rule AS r ON r.id = u.rule_id
WHERE pg_has_role(d.owner, 'USAGE') OR (SELECT automation._is_operator(quote_ident(current_user)::regrole));
COMMENT ON VIEW automation.documents IS 'Documents made by rules of your own and of roles you are a member of, or added by them; an operator sees all';
COMMENT ON COLUMN automation.documents.id IS 'Number of the document';
COMMENT ON COLUMN automation.documents.rule IS 'Rule that made it';
COMMENT ON COLUMN automation.documents.name IS 'Name of the file';
COMMENT ON COLUMN automation.documents.bytes IS 'Its size';
COMMENT ON COLUMN automation.documents.text IS 'The same as text, if it is one';

-- Verbs

CREATE FUNCTION automation.add_document(relation regclass, key text, name text, content bytea, type text DEFAULT 'application/octet-stream')
RETURNS bigint
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.add_document(regclass, text, text, bytea, text)
	IS 'Gives a row a document (a PDF, say) that e-mails of the caller''s rules about it can carry; the newest of a name counts';

CREATE FUNCTION automation._add_document(caller regrole, relation regclass, key text, name text, content bytea, type text) RETURNS bigint
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._check_reader(caller, relation);
	SELECT automation._keep_document(caller, NULL, NULL, (automation._entity(relation)).id, automation._key_text(relation, key), name, type, content, true);
END;
COMMENT ON FUNCTION automation._add_document(regrole, regclass, text, text, bytea, text) IS 'automation.add_document()';

CREATE FUNCTION automation.remove_document(document bigint) RETURNS void
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.remove_document(bigint) IS 'Forgets a document; a message that should carry it and has not left yet ends dead';

CREATE FUNCTION automation._remove_document(caller regrole, document bigint) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	DELETE FROM automation.document AS d WHERE d.id = document AND automation._may_read_messages(caller, d.owner);
	IF NOT FOUND THEN
		PERFORM automation._fail('42704', format('document %s does not exist', document));
	END IF;
END
$$;
COMMENT ON FUNCTION automation._remove_document(regrole, bigint) IS 'automation.remove_document()';

-- What e-mails enclose. The finished message names documents by number and has the invitation as the
-- worker will write it.

CREATE FUNCTION automation._bytes(text text) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF text ~ '^\\x([0-9a-f]{2})*$' THEN
		RETURN text::bytea;
	ELSIF text ~ '[^A-Za-z0-9+/=\s]' OR length(regexp_replace(text, '\s', '', 'g')) % 4 <> 0 THEN
		PERFORM automation._fail('22023', 'content of an attachment is neither base64 nor a bytea',
			hint => 'A bytea is written as bytea_output = hex has it.');
	END IF;
	RETURN decode(text, 'base64');
END
$$;
COMMENT ON FUNCTION automation._bytes(text) IS 'Bytes from base64, or from what a merge tag makes of a bytea';

CREATE FUNCTION automation._newest_document(owner oid, entity_id integer, key text, name text) RETURNS bigint
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	number bigint := (
		SELECT d.id
		FROM automation.document AS d
		WHERE d.entity_id = _newest_document.entity_id AND d.key = _newest_document.key AND d.name = _newest_document.name
			AND d.is_kept AND pg_has_role(_newest_document.owner, d.owner, 'USAGE')
		ORDER BY d.id DESC
		LIMIT 1);
BEGIN
	IF number IS NULL THEN
		PERFORM automation._fail('42704', format('document "%s" does not exist', name),
			hint => 'Use automation.generate_document() in a step before, or automation.add_document().');
	END IF;
	RETURN number;
END
$$;
COMMENT ON FUNCTION automation._newest_document(oid, integer, text, text) IS 'The newest document of a row by its name, of those that the role may read';

CREATE FUNCTION automation._attached(attachments jsonb, owner oid, run_id bigint, step smallint, entity_id integer, key text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	numbers bigint[] := ARRAY(
		SELECT CASE
			WHEN a.value ? 'content' THEN automation._keep_document(owner, run_id, step, entity_id, key, a.value ->> 'name',
				coalesce(a.value ->> 'type', 'application/octet-stream'), automation._bytes(nullif(a.value ->> 'content', '')), false)
			ELSE automation._newest_document(owner, entity_id, key, coalesce(a.value ->> 'document', a.value #>> '{}'))
		END
		FROM jsonb_array_elements(attachments) WITH ORDINALITY AS a(value, place)
		ORDER BY a.place);
BEGIN
	IF (SELECT sum(octet_length(d.content)) FROM automation.document AS d WHERE d.id = ANY (numbers)) > 10485760 THEN
		PERFORM automation._fail('54000', 'attachments are too large', 'The maximum is 10 MB for all of a message.');
	END IF;
	RETURN to_jsonb(numbers);
END
$$;
COMMENT ON FUNCTION automation._attached(jsonb, oid, bigint, smallint, integer, text) IS 'Numbers of the documents that are attached; what has its content with it becomes one';

CREATE SEQUENCE automation.invite_sequence AS integer MINVALUE 0 START 0;
COMMENT ON SEQUENCE automation.invite_sequence IS 'SEQUENCE of invitations: of two for the same appointment the later has the higher';

CREATE FUNCTION automation._invited(invite jsonb, entity_id integer, key text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	start timestamptz := invite ->> 'start';
	"end" timestamptz := invite ->> 'end';
	form CONSTANT text := 'YYYYMMDD"T"HH24MISS"Z"';
BEGIN
	IF start IS NULL THEN
		PERFORM automation._fail('22004', 'start of the invitation is null');
	ELSIF coalesce("end", start) < start THEN
		PERFORM automation._fail('22023', 'invitation ends before it starts');
	END IF;
	RETURN invite || jsonb_build_object(
		'uid', encode(substr(sha256(automation._make_hash_key() || convert_to(
			jsonb_build_array('invitation', entity_id, key, invite ->> 'name')::text, 'UTF8')), 1, 16), 'hex'),
		'sequence', nextval('automation.invite_sequence'),
		'made', to_char(automation._now() AT TIME ZONE 'UTC', form),
		'start', to_char(start AT TIME ZONE 'UTC', form),
		'end', to_char(coalesce("end", start + interval '1 hour') AT TIME ZONE 'UTC', form));
END
$$;
COMMENT ON FUNCTION automation._invited(jsonb, integer, text) IS 'An invitation with its UID, which is that of the row''s appointment for good, and its place in the sequence';

CREATE FUNCTION automation._with_enclosures(message jsonb, owner oid, run_id bigint, step smallint, entity_id integer, key text) RETURNS jsonb
LANGUAGE sql
RETURN message
	|| CASE WHEN message ? 'attachments' THEN jsonb_build_object('attachments',
		automation._attached(message -> 'attachments', owner, run_id, step, entity_id, key)) ELSE '{}' END
	|| CASE WHEN message ? 'invite' THEN jsonb_build_object('invite', automation._invited(message -> 'invite', entity_id, key)) ELSE '{}' END;
COMMENT ON FUNCTION automation._with_enclosures(jsonb, oid, bigint, smallint, integer, text) IS 'The e-mail as the worker takes it';

-- The actions

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('generate_document', 'communication', 'engine', 'reversible', NULL, NULL, '_compile_document', '{
	"required": ["name"],
	"properties": {
		"name": {"type": "string", "template": "line", "description": "as of a file: contract.html"},
		"text": {"type": "string", "template": "text", "description": "what it says, as plain text"},
		"html": {"type": "string", "template": "html", "description": "or as HTML"}}}',
	'Makes a document of the record, which later e-mails can carry'),
('send_calendar_invite', 'communication', 'message', 'recallable', 'email', 'transactional', '_compile_invite', '{
	"required": ["channel", "attendees", "summary", "start"],
	"properties": {
		"channel": {"type": "string", "description": "foreign server of kind email"},
		"attendees": {"type": ["string", "array"], "description": "e-mail address, or a list of them"},
		"summary": {"type": "string", "description": "what it is about; the subject of the e-mail too"},
		"start": {"type": "string", "description": "column or role of the record, a template, or an instant"},
		"end": {"type": "string", "description": "the same; an hour after the start when it is not given"},
		"duration": {"type": "string", "description": "instead of the end: 90 minutes"},
		"location": {"type": "string"},
		"description": {"type": "string"},
		"method": {"type": "string", "enum": ["request", "cancel"]},
		"name": {"type": "string", "description": "which appointment, when a record has several"},
		"body": {"type": "string", "template": "text", "description": "text of the e-mail"},
		"html": {"type": "string", "template": "html"}}}',
	'Sends an invitation to an appointment, moves or cancels it'),
('send_email', 'communication', 'message', 'recallable', 'email', 'transactional', '_compile_email', '{}', '')
ON CONFLICT ON CONSTRAINT action_definition_pkey DO UPDATE
SET compiler = excluded.compiler, params = jsonb_set(action_definition.params, '{properties}', action_definition.params -> 'properties' || '{
	"attachments": {"type": "array", "template": "line",
		"description": "names of documents of the record, or objects with name, type and content (base64 or a bytea column)"}}');

UPDATE automation.action_definition AS a
SET params = jsonb_set(a.params, '{properties}', a.params -> 'properties' || '{
	"reply_to": {"type": "string", "template": "address", "description": "where answers go, instead of the channel''s"}}'
	|| (SELECT jsonb_object_agg(p.key, p.value)
		FROM automation.action_definition AS e, jsonb_each(e.params -> 'properties') AS p
		WHERE e.name = 'send_email' AND (p.value ? 'delivery' OR p.key = 'class')))
WHERE a.channel_kind = 'email';

CREATE FUNCTION automation.generate_document(name text, text text DEFAULT NULL, html text DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('generate_document', jsonb_build_object('name', name, 'text', text, 'html', html));
COMMENT ON FUNCTION automation.generate_document(text, text, text)
	IS 'A step that makes a document of the record from a template, text or HTML; automation.documents shows it, and e-mails can carry it by its name';

CREATE FUNCTION automation.send_calendar_invite(
	channel text,
	attendees text,
	summary text,
	start text,
	"end" text DEFAULT NULL,
	location text DEFAULT NULL,
	description text DEFAULT NULL,
	method text DEFAULT NULL,
	options jsonb DEFAULT '{}')
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('send_calendar_invite',
	jsonb_build_object('channel', channel, 'attendees', attendees, 'summary', summary, 'start', start, 'end', "end",
		'location', location, 'description', description, 'method', method)
	|| options);
COMMENT ON FUNCTION automation.send_calendar_invite(text, text, text, text, text, text, text, text, jsonb)
	IS 'A step that invites to the record''s appointment by e-mail, or (method cancel) calls it off; a later invitation for the same record moves it. start and end: columns, roles, templates or instants';

-- Compilers

CREATE FUNCTION automation._compile_document(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_html CONSTANT boolean := params ? 'html';
BEGIN
	IF is_html = (params ? 'text') THEN
		PERFORM automation._fail('22023', 'action "generate_document" needs either "text" or "html"');
	END IF;
	RETURN automation._message_sql(scope,
		jsonb_build_object('name', '{"template": "line"}'::jsonb, 'type', '{"template": "line"}'::jsonb,
			'text', jsonb_build_object('template', CASE WHEN is_html THEN 'html' ELSE 'text' END)),
		jsonb_build_object('name', params -> 'name', 'text', coalesce(params -> 'html', params -> 'text'),
			'type', CASE WHEN is_html THEN 'text/html; charset=utf-8' ELSE 'text/plain; charset=utf-8' END));
END
$$;
COMMENT ON FUNCTION automation._compile_document(automation._scope, automation._site, jsonb) IS 'Query for generate_document';

CREATE FUNCTION automation._compile_email(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	attachment jsonb;
BEGIN
	FOR attachment IN SELECT jsonb_array_elements(params -> 'attachments') LOOP
		IF jsonb_typeof(attachment) = 'string' THEN
			CONTINUE;
		ELSIF jsonb_typeof(attachment) <> 'object' OR (attachment ? 'content') <> (attachment ? 'name') OR (attachment ? 'content') = (attachment ? 'document') THEN
			PERFORM automation._fail('22023', 'invalid attachment',
				hint => 'Give the name of a document, or an object with name, type and content.');
		END IF;
		PERFORM automation._check_params('the attachment', '{"properties": {"document": {"type": "string"},
			"name": {"type": "string"}, "type": {"type": "string"}, "content": {"type": "string"}}}', attachment);
		IF automation._is_constant(attachment ->> 'content') THEN
			PERFORM automation._bytes(attachment ->> 'content');
		END IF;
	END LOOP;
	RETURN automation._compile_message(scope, site, params);
END
$$;
COMMENT ON FUNCTION automation._compile_email(automation._scope, automation._site, jsonb) IS 'Query for send_email';

CREATE FUNCTION automation._instant_of(value text, zone text) RETURNS timestamptz
LANGUAGE sql STABLE
-- Text that PostgreSQL itself made of a value, or that a user wrote in the same way.
RETURN CASE
	WHEN value ~ ':\d\d(\.\d+)?(Z|[+-]\d\d(:?\d\d)*)$' THEN value::timestamptz
	ELSE automation._local_instant(value::timestamp, zone)
END;
COMMENT ON FUNCTION automation._instant_of(text, text) IS 'An instant; one without a time zone of its own is meant by the wall clock of the zone';

CREATE FUNCTION automation._invite_time_sql(scope automation._scope, value text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	field CONSTANT text := automation._role_or_column(scope.relation, value);
	template CONSTANT text := CASE WHEN field IS NULL THEN value ELSE format('{{ %s }}', automation._path_text(ARRAY[field])) END;
	zone CONSTANT text := automation._zone_sql(scope, '{}');
BEGIN
	IF automation._is_constant(template) THEN
		RETURN automation._instant_sql(template, zone);
	END IF;
	RETURN format('automation._instant_of((%s) #>> ''{}'', %s)', automation._value_sql(scope, to_jsonb(template), 'json'), zone);
END
$$;
COMMENT ON FUNCTION automation._invite_time_sql(automation._scope, text) IS 'SQL for the time of an appointment: a column, a role, a template, or an instant';

CREATE FUNCTION automation._compile_invite(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	is_cancel CONSTANT boolean := coalesce(params ->> 'method' = 'cancel', false);
	summary CONSTANT text := CASE WHEN is_cancel THEN 'Cancelled: ' ELSE '' END || (params ->> 'summary');
	start CONSTANT text := automation._invite_time_sql(scope, params ->> 'start');
	"end" text := 'NULL::pg_catalog.timestamptz';
	properties CONSTANT jsonb := (SELECT d.params -> 'properties' FROM automation.action_definition AS d WHERE d.name = site.action);
BEGIN
	IF params ?& '{end,duration}' THEN
		PERFORM automation._fail('22023', 'an invitation has either "end" or "duration"');
	ELSIF params ? 'end' THEN
		"end" := automation._invite_time_sql(scope, params ->> 'end');
	ELSIF params ? 'duration' THEN
		"end" := format('%s + %L::pg_catalog.interval', start, (params ->> 'duration')::interval);
	END IF;
	RETURN automation._select_sql(scope.row_relation, automation._call_sql('jsonb_build_object', ARRAY[
		format('''recipient''::text, %s', automation._value_sql(scope, params -> 'attendees', 'address')),
		format('''subject''::text, %s', automation._value_sql(scope, to_jsonb(summary), 'line')),
		format('''body''::text, %s', automation._value_sql(scope,
			coalesce(params -> 'body', params -> 'description', to_jsonb(summary)), 'text')),
		format('''invite''::text, %s', automation._call_sql('jsonb_build_object', ARRAY[
			format('''name''::text, %L::text', coalesce(params ->> 'name', '')),
			format('''method''::text, %L::text', CASE WHEN is_cancel THEN 'cancel' ELSE 'request' END),
			format('''summary''::text, %s', automation._value_sql(scope, params -> 'summary', 'line')),
			format('''location''::text, %s', automation._value_sql(scope, coalesce(params -> 'location', '""'), 'line')),
			format('''description''::text, %s', automation._value_sql(scope, coalesce(params -> 'description', '""'), 'text')),
			format('''start''::text, %s', start),
			format('''end''::text, %s', "end")]))]
		|| ARRAY(
			SELECT format('%L::text, %s', p.key, automation._value_sql(scope, p.value, properties -> p.key ->> 'template'))
			FROM jsonb_each(params) AS p
			WHERE p.key IN ('html', 'class', 'reply_to')
			ORDER BY p.key)
		|| automation._delivery_sql(properties, params)));
END
$$;
COMMENT ON FUNCTION automation._compile_invite(automation._scope, automation._site, jsonb) IS 'Query for send_calendar_invite';
