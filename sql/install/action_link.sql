-- Links that whoever has them may follow: signed, so that none can be made up; with an end, and good for as
-- many times as was said. What a link does is done with the rights of the rule's owner who made it.

CREATE TABLE automation.token_key (
	singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
	key bytea NOT NULL
);
COMMENT ON TABLE automation.token_key IS 'Key that tokens are signed with; made with the first of them';
COMMENT ON COLUMN automation.token_key.singleton IS 'There is one row';
COMMENT ON COLUMN automation.token_key.key IS '32 random bytes';

-- No token is in it: who reads it can make none.
CREATE TABLE automation.token (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	purpose text NOT NULL CHECK (purpose IN ('link', 'approval')),
	name text NOT NULL,
	prefix text NOT NULL,
	role regrole NOT NULL,
	search_path text NOT NULL,
	entity_id integer NOT NULL,
	key text NOT NULL,
	approval_id integer,
	status text,
	made_at timestamptz NOT NULL DEFAULT automation._now(),
	expires_at timestamptz NOT NULL,
	most_uses integer,
	uses integer NOT NULL DEFAULT 0
);
CREATE INDEX token_expires ON automation.token (expires_at);
COMMENT ON TABLE automation.token IS 'Links that were made';
COMMENT ON COLUMN automation.token.id IS 'Number of the token, in it too';
COMMENT ON COLUMN automation.token.purpose IS 'link: for automation.open_link(); approval: for automation.approve()';
COMMENT ON COLUMN automation.token.name IS 'What the link is for, or the kind of approval';
COMMENT ON COLUMN automation.token.prefix IS 'What stands before the token in the link';
COMMENT ON COLUMN automation.token.role IS 'Owner of the rule that made it';
COMMENT ON COLUMN automation.token.search_path IS 'Search path of the rule';
COMMENT ON COLUMN automation.token.entity_id IS 'Attached table of the record';
COMMENT ON COLUMN automation.token.key IS 'Key of the record';
COMMENT ON COLUMN automation.token.approval_id IS 'Attached table that the approval is a row of';
COMMENT ON COLUMN automation.token.status IS 'Status of the approval as long as it awaits an answer';
COMMENT ON COLUMN automation.token.made_at IS 'When it was made';
COMMENT ON COLUMN automation.token.expires_at IS 'When it ends';
COMMENT ON COLUMN automation.token.most_uses IS 'How often it may be used; null: as often as one likes';
COMMENT ON COLUMN automation.token.uses IS 'How often it was';

CREATE FUNCTION automation._token_text(id bigint, purpose text) RETURNS text
LANGUAGE sql STABLE
-- 144 bits of the SHA-256 of the key and of the SHA-256 of the key and what is signed.
RETURN (
	-- A letter that is no digit first: so it is known where it begins behind a URL.
	SELECT format('t%s.%s', to_hex(id), translate(encode(substr(
		sha256(k.key || sha256(k.key || convert_to(format('%s:%s', purpose, id), 'UTF8'))), 1, 18), 'base64'), '+/', '-_'))
	FROM automation.token_key AS k
);
COMMENT ON FUNCTION automation._token_text(bigint, text) IS 'Number and signature, fit for a URL';

CREATE FUNCTION automation._make_token_key() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM automation.token_key) THEN
		LOCK TABLE automation.token_key IN SHARE ROW EXCLUSIVE MODE;
		INSERT INTO automation.token_key (key) SELECT sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
		WHERE NOT EXISTS (SELECT FROM automation.token_key);
	END IF;
END
$$;
COMMENT ON FUNCTION automation._make_token_key() IS 'Makes the key with which tokens are signed, if there is none yet';

CREATE FUNCTION automation._new_link(
	purpose text,
	name text,
	prefix text,
	relation regclass,
	key text,
	expires interval,
	most_uses integer,
	approval regclass,
	status text)
RETURNS text
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation._new_link(text, text, text, regclass, text, interval, integer, regclass, text)
	IS 'What compiled SQL calls for a link; what it does it will do in the name of whoever calls this';

CREATE FUNCTION automation._check_link(role regrole, purpose text, name text, relation regclass, key text, expires interval, most_uses integer) RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	missing CONSTANT text := (
		SELECT a.name FROM (VALUES (1, 'purpose', purpose), (2, 'name', name), (3, 'relation', relation::text), (4, 'key', key), (5, 'expires', expires::text)) AS a(place, name, value)
		WHERE a.value IS NULL ORDER BY a.place LIMIT 1);
BEGIN
	IF missing IS NOT NULL THEN
		PERFORM automation._fail('22004', format('%s of a link must not be null', missing), hint => 'A link has a purpose, a name, a record and an end.');
	ELSIF purpose NOT IN ('link', 'approval') THEN
		PERFORM automation._fail('22023', format('unrecognized purpose of a link: "%s"', purpose), hint => 'Valid values are: link, approval.');
	ELSIF NOT expires BETWEEN interval '1 microsecond' AND interval '10 years' THEN
		PERFORM automation._fail('22023', format('a link cannot end after %s', expires), hint => 'Give it from now to 10 years, for example 2 days.');
	ELSIF most_uses < 1 THEN
		PERFORM automation._fail('22023', format('a link cannot be used %s times', most_uses), hint => 'Give a whole number from 1 on, or null: as often as one likes.');
	END IF;
	PERFORM automation._entity(relation);
	-- As who may have rules on the table may.
	IF NOT has_table_privilege(role, relation, 'TRIGGER') THEN
		PERFORM automation._fail('42501', format('permission denied for table %s', automation._relation_name(relation)),
			'Who makes a link to its rows has to have the privilege TRIGGER, as for rules on it.');
	END IF;
END
$$;
COMMENT ON FUNCTION automation._check_link(regrole, text, text, regclass, text, interval, integer) IS 'Raises an error for a link that cannot be, or that the role may not make';

CREATE FUNCTION automation.__new_link(
	caller regrole,
	purpose text,
	name text,
	prefix text,
	relation regclass,
	key text,
	expires interval,
	most_uses integer,
	approval regclass,
	status text)
RETURNS text
LANGUAGE sql
-- No search path of its own: it keeps the one there is.
BEGIN ATOMIC
	SELECT automation._check_link(caller, __new_link.purpose, __new_link.name, __new_link.relation, __new_link.key, __new_link.expires, __new_link.most_uses);
	SELECT automation._make_token_key();
	WITH made AS (
		INSERT INTO automation.token AS t (purpose, name, prefix, role, search_path, entity_id, key, approval_id, status, expires_at, most_uses)
		SELECT __new_link.purpose, __new_link.name, coalesce(__new_link.prefix, ''), caller, pg_catalog.current_setting('search_path'),
			(automation._entity(__new_link.relation)).id, __new_link.key, (SELECT a.id FROM automation.entity AS a WHERE a.relation = __new_link.approval),
			__new_link.status, automation._now() + __new_link.expires, __new_link.most_uses
		RETURNING t.id, t.prefix
	)
	SELECT m.prefix || automation._token_text(m.id, __new_link.purpose) FROM made AS m;
END;
COMMENT ON FUNCTION automation.__new_link(regrole, text, text, text, regclass, text, interval, integer, regclass, text) IS 'automation._new_link()';

CREATE FUNCTION automation._known_token(token text) RETURNS automation.token
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	signed CONSTANT text := substring(token FROM 't[0-9a-f]{1,16}\.[A-Za-z0-9_-]{24}$');
	number CONSTANT bigint := ('x' || lpad(split_part(substr(signed, 2), '.', 1), 16, '0'))::bit(64)::bigint;
	known automation.token;
BEGIN
	SELECT t.* INTO known FROM automation.token AS t
	WHERE t.id = number AND sha256(convert_to(signed, 'UTF8')) = sha256(convert_to(automation._token_text(t.id, t.purpose), 'UTF8'))
	FOR UPDATE;
	RETURN known;
END
$$;
COMMENT ON FUNCTION automation._known_token(text) IS 'What a token, or a link that ends with it, stands for, if we made it; locks it, so that two who use it take turns';

CREATE FUNCTION automation._use_token(token text, purpose text) RETURNS automation.token
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known automation.token := automation._known_token(token);
BEGIN
	-- Whatever is wrong with one that we did not make, the answer is the same.
	IF (known.purpose = _use_token.purpose) IS NOT TRUE THEN
		PERFORM automation._fail('28000', 'token is not valid', hint => 'Use the link as it was sent, to its last character.');
	ELSIF known.uses >= known.most_uses THEN
		PERFORM automation._fail('55000', 'token has been used already', format('It was good for %s.', CASE known.most_uses WHEN 1 THEN 'one use' ELSE format('%s uses', known.most_uses) END),
			'Have another one made.');
	ELSIF known.expires_at <= automation._now() THEN
		PERFORM automation._fail('55000', 'token has expired', format('It was valid until %s.', date_trunc('second', known.expires_at)), 'Have another one made.');
	END IF;
	UPDATE automation.token AS t SET uses = t.uses + 1 WHERE t.id = known.id RETURNING t.* INTO known;
	RETURN known;
END
$$;
COMMENT ON FUNCTION automation._use_token(text, text) IS 'What a token, or a link that ends with it, stands for; counts that it was used, and raises an error when it may not be';

CREATE FUNCTION automation.open_link(token text, OUT name text, OUT relation regclass, OUT key text, OUT expires_at timestamptz, OUT uses_left integer)
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.open_link(text)
	IS 'The record that a link of make_link() is about, for the application that the link leads to; counts as a use. An error tells of a token that is forged, used up or expired';

CREATE FUNCTION automation._open_link(caller regrole, token text, OUT name text, OUT relation regclass, OUT key text, OUT expires_at timestamptz, OUT uses_left integer)
LANGUAGE sql
BEGIN ATOMIC
	SELECT t.name, e.relation, t.key, t.expires_at, t.most_uses - t.uses
	FROM automation._use_token(_open_link.token, 'link') AS t
	LEFT JOIN automation.entity AS e ON e.id = t.entity_id;
END;
COMMENT ON FUNCTION automation._open_link(regrole, text) IS 'automation.open_link()';

-- Actions

INSERT INTO automation.action_definition (name, category, kind, undo, channel_kind, message_class, compiler, params, description) VALUES
('make_link', 'communication', 'statement', 'reversible', NULL, NULL, '_compile_link', '{
	"required": ["name", "url", "field", "expires"],
	"properties": {
		"name": {"type": "string", "description": "what it is for; automation.open_link() tells it"},
		"url": {"type": "string", "description": "what stands before the token; template"},
		"field": {"type": "string", "description": "column or role of the record that keeps the link"},
		"expires": {"type": "string", "description": "how long it is valid: 2 days"},
		"most_uses": {"type": "number", "description": "how often it may be used; as often as one likes by default"}}}',
	'Makes a signed link to the record and keeps it in a column, for later steps to send'),
('create_payment_link', 'money', 'statement', 'reversible', NULL, NULL, '_compile_link', '{
	"required": ["url"],
	"properties": {
		"url": {"type": "string", "description": "what stands before the token; template"},
		"field": {"type": "string", "description": "column or role that keeps the link, payment_link by default"},
		"expires": {"type": "string", "description": "how long it is valid, 30 days by default"},
		"most_uses": {"type": "number", "description": "how often it may be used; as often as one likes by default"}}}',
	'Makes a signed link by which the record, an invoice, can be paid, and keeps it in a column: what a QR code shows'),
('request_approval', 'work', 'statement', 'reversible', NULL, NULL, '_compile_request_approval', '{
	"required": ["kind", "url", "expires"],
	"properties": {
		"kind": {"type": "string", "description": "what is to be approved; one of a kind is asked for at a time"},
		"url": {"type": "string", "description": "what stands before the token; template"},
		"expires": {"type": "string", "description": "how long there is to answer: 2 days"},
		"approver": {"type": "string", "description": "who is asked: a user, or a role of the record; template"},
		"amount": {"type": ["string", "number"], "description": "how much; template"},
		"body": {"type": "string", "description": "what is to be approved, for a reader; template"},
		"status": {"type": "string", "description": "status of one that awaits an answer, Requested by default"},
		"fields": {"type": "object", "description": "further columns; texts are templates"}}}',
	'Inserts a row that leads to the record, with a link that answers it once, into the attached table of object type approval');

CREATE FUNCTION automation.make_link(name text, url text, field text, expires text, most_uses integer DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('make_link',
	jsonb_build_object('name', name, 'url', url, 'field', field, 'expires', expires, 'most_uses', most_uses));
COMMENT ON FUNCTION automation.make_link(text, text, text, text, integer) IS 'A step that makes a signed link to the record and keeps it in a column or role; url, which goes before the token, is a template';

CREATE FUNCTION automation.create_payment_link(url text, field text DEFAULT NULL, expires text DEFAULT NULL, most_uses integer DEFAULT NULL) RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('create_payment_link',
	jsonb_build_object('url', url, 'field', field, 'expires', expires, 'most_uses', most_uses));
COMMENT ON FUNCTION automation.create_payment_link(text, text, text, integer) IS 'A step that makes a signed link by which an invoice can be paid; as make_link()';

CREATE FUNCTION automation.request_approval(
	kind text,
	url text,
	expires text,
	approver text DEFAULT NULL,
	amount text DEFAULT NULL,
	body text DEFAULT NULL,
	options jsonb DEFAULT '{}')
RETURNS automation.step
LANGUAGE sql IMMUTABLE
RETURN automation.action('request_approval', jsonb_build_object(
	'kind', kind, 'url', url, 'expires', expires, 'approver', approver, 'amount', amount, 'body', body) || options);
COMMENT ON FUNCTION automation.request_approval(text, text, text, text, text, text, jsonb)
	IS 'A step that asks for an approval: rules on approval.requested send its link, and automation.approve() answers it; options: status, fields';

CREATE FUNCTION automation._lifetime(action text, expires text) RETURNS interval
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	lifetime CONSTANT interval := automation._check_delay(expires, false, 'expires');
BEGIN
	IF lifetime <= interval '0' OR lifetime > interval '10 years' THEN
		PERFORM automation._fail('22023', format('parameter "expires" of action "%s" must be from now to 10 years', action));
	END IF;
	RETURN lifetime;
END
$$;
COMMENT ON FUNCTION automation._lifetime(text, text) IS 'How long a link is valid';

CREATE FUNCTION automation._link_sql(scope automation._scope, purpose text, name text, params jsonb, expires interval, approval regclass DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE
RETURN format('automation._new_link(%L::text, %L::text, %s, %L::pg_catalog.regclass, (%s)::pg_catalog.text, %L::interval, %s::integer, %L::pg_catalog.regclass, %L::text)',
	purpose, name, automation._template_sql(scope, params ->> 'url', 'text'), (scope).relation, automation._key_of_record(scope),
	expires, coalesce(params ->> 'most_uses', 'NULL'), approval, CASE purpose WHEN 'approval' THEN coalesce(params ->> 'status', 'Requested') END);
COMMENT ON FUNCTION automation._link_sql(automation._scope, text, text, jsonb, interval, regclass) IS 'SQL that makes a link';

CREATE FUNCTION automation._compile_link(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	target CONSTANT pg_attribute := automation._column(scope.owner, scope.relation, coalesce(params ->> 'field', 'payment_link'), 'UPDATE');
	most numeric := params -> 'most_uses';
BEGIN
	IF most NOT BETWEEN 1 AND 1000000 OR most <> trunc(most) THEN
		PERFORM automation._fail('22023', format('parameter "most_uses" of action "%s" must be a whole number from 1 on', site.action));
	END IF;
	RETURN automation._update_sql(scope, target, format('SELECT %s::%s', automation._link_sql(scope, 'link',
		coalesce(params ->> 'name', 'payment'), params,
		automation._lifetime(site.action, coalesce(params ->> 'expires', '30 days'))), automation._type_name(target)));
END
$$;
COMMENT ON FUNCTION automation._compile_link(automation._scope, automation._site, jsonb) IS 'Statement for make_link and create_payment_link';

-- Approvals

CREATE FUNCTION automation._compile_request_approval(scope automation._scope, site automation._site, params jsonb) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	approval CONSTANT automation._companion := automation._companion(scope, 'approval');
	lifetime CONSTANT interval := automation._lifetime(site.action, params ->> 'expires');
	expires CONSTANT pg_attribute := automation._column(scope.owner, approval.relation, automation._role_column(approval.relation, 'expires'), 'INSERT');
	link CONSTANT pg_attribute := automation._column(scope.owner, approval.relation, automation._role_column(approval.relation, 'link'), 'INSERT');
	is_open CONSTANT jsonb := automation._role_values(approval.relation,
		jsonb_build_object('kind', params -> 'kind', 'status', coalesce(params ->> 'status', 'Requested')));
BEGIN
	-- automation.approve() will.
	PERFORM automation._column(scope.owner, approval.relation, automation._role_column(approval.relation, 'status'), 'UPDATE');
	RETURN automation._insert_sql(scope, approval.relation,
		automation._companion_fields(scope, approval, is_open
			|| automation._role_values(approval.relation, automation._given(params, 'amount', 'body')
				|| CASE WHEN params ? 'approver' THEN jsonb_build_object('approver', automation._person(scope, params ->> 'approver')) ELSE '{}' END)
			|| coalesce(params -> 'fields', '{}'))
		|| jsonb_build_object(
			expires.attname, format('(automation._now() + %L::interval)::%s', lifetime, automation._type_name(expires)),
			link.attname, format('%s::%s', automation._link_sql(scope, 'approval', params ->> 'kind', params || '{"most_uses": 1}', lifetime, approval.relation),
				automation._type_name(link))),
		format('WHERE NOT EXISTS (SELECT FROM %s)', automation._its_rows_sql(scope, approval, is_open)));
END
$$;
COMMENT ON FUNCTION automation._compile_request_approval(automation._scope, automation._site, jsonb) IS 'Statement for request_approval';

CREATE FUNCTION automation._act(role regrole, search_path text, command text, argument jsonb) RETURNS jsonb
LANGUAGE C STRICT AS 'MODULE_PATHNAME', 'automation_act';
COMMENT ON FUNCTION automation._act(regrole, text, text, jsonb) IS 'The one jsonb value that a statement about $1 answers, executed as a step of a rule of the role would be';

CREATE FUNCTION automation.approve(
	token text,
	decision text,
	"by" text DEFAULT NULL,
	comment text DEFAULT NULL,
	signature text DEFAULT NULL)
RETURNS jsonb
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.approve(text, text, text, text, text)
	IS 'Answers a request_approval(), granted or declined, by its link or the token at the end of it. An error tells of a token that is forged, used or expired; rules on approval.granted and approval.declined go on';

CREATE FUNCTION automation._answer_sql(relation regclass, decision text, OUT status text, OUT command text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	status_column CONSTANT text := automation._role_column(relation, 'status');
	given CONSTANT jsonb := '{"decided": "when", "decided_by": "by", "comment": "comment", "signature": "signature"}';
	settings text;
BEGIN
	-- As the enum spells it, if it is one.
	status := coalesce(
		(SELECT l FROM jsonb_array_elements_text(automation._labels(relation, 'status')) AS l WHERE lower(l) = decision),
		initcap(decision));
	SELECT string_agg(format(', %I = coalesce(($1 ->> %L)::%s, t.%1$I)', a.attname, g.value, format_type(a.atttypid, a.atttypmod)), '' ORDER BY g.key)
	INTO settings
	FROM jsonb_each_text(given) AS g
	JOIN pg_attribute AS a ON a.attrelid = relation AND a.attname = automation._roles(relation) ->> g.key;
	command := format('UPDATE %s AS t SET %I = ($1 ->> ''status'')::%s%s WHERE t.%I = $1 ->> ''link'' AND t.%2$I::text = $1 ->> ''open'' RETURNING pg_catalog.to_jsonb(t)',
		relation, status_column, (SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a WHERE a.attrelid = relation AND a.attname = status_column),
		settings, automation._role_column(relation, 'link'));
END
$$;
COMMENT ON FUNCTION automation._answer_sql(regclass, text) IS 'Statement that answers an approval, and the status that it gets';

CREATE FUNCTION automation._approve(caller regrole, token text, decision text, "by" text, comment text, signature text) RETURNS jsonb
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	used automation.token;
	approvals regclass;
	answer record;
BEGIN
	IF decision IS NULL THEN
		PERFORM automation._fail('22004', 'decision must not be null', hint => 'Answer granted or declined.');
	END IF;
	PERFORM automation._check_choice('unrecognized decision', decision, 'granted', 'declined');
	used := automation._use_token(token, 'approval');
	-- The table that it was written to, whichever is attached for approvals by now.
	approvals := (SELECT e.relation FROM automation.entity AS e WHERE e.id = used.approval_id);
	IF approvals IS NULL THEN
		PERFORM automation._fail('55000', 'the table of the approval is attached no more', hint => 'Answer it in the application, or ask for it again.');
	END IF;
	SELECT a.* INTO answer FROM automation._answer_sql(approvals, decision) AS a;
	IF automation._act(used.role, used.search_path, answer.command, jsonb_build_object(
		'status', answer.status, 'link', used.prefix || automation._token_text(used.id, used.purpose), 'open', used.status,
		'when', automation._now(), 'by', "by", 'comment', comment, 'signature', signature)) IS NULL
	THEN
		PERFORM automation._fail('55000', 'approval no longer awaits an answer',
			format('Its status is "%s" no more, or it is gone.', used.status));
	END IF;
	RETURN jsonb_build_object('kind', used.name, 'status', answer.status, 'key', used.key,
		'relation', (SELECT e.relation::text FROM automation.entity AS e WHERE e.id = used.entity_id));
END
$$;
COMMENT ON FUNCTION automation._approve(regrole, text, text, text, text, text) IS 'automation.approve()';

CREATE VIEW automation.tokens WITH (security_barrier) AS
SELECT
	t.id,
	t.purpose,
	t.name,
	e.relation,
	t.key,
	t.made_at,
	t.expires_at,
	t.uses,
	t.most_uses,
	CASE WHEN t.uses >= t.most_uses THEN 'used' WHEN t.expires_at <= automation._now() THEN 'expired' ELSE 'valid' END AS state
FROM automation.token AS t
LEFT JOIN automation.entity AS e ON e.id = t.entity_id
WHERE pg_has_role(t.role, 'USAGE') OR (SELECT automation._is_operator(quote_ident(current_user)::regrole));
COMMENT ON VIEW automation.tokens IS 'Links that rules of yours and of roles you are a member of have made, or those of all rules for an operator, and whether they are valid; the tokens themselves are not kept';
COMMENT ON COLUMN automation.tokens.relation IS 'Attached table of the record';
COMMENT ON COLUMN automation.tokens.state IS 'valid, used or expired';
COMMENT ON COLUMN automation.tokens.id IS 'Number of the link';
