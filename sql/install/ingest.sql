-- Events from outside: rows of the attached table of object type external, which rules with the trigger
-- external.event wait for.

CREATE FUNCTION automation.ingest(kind text, payload jsonb DEFAULT NULL, dedupe_key text DEFAULT NULL) RETURNS jsonb
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.ingest(text, jsonb, text)
	IS 'Records an event from outside, with the rights of the caller, and answers its key; null when one has come under this dedupe_key before';

CREATE FUNCTION automation._ingest_sql(kind text, payload jsonb, dedupe_key text) RETURNS text
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	event CONSTANT regclass := automation._table_of('external', 'create_record');
	given CONSTANT jsonb := jsonb_strip_nulls(jsonb_build_object(
		'kind', kind, 'payload', CASE WHEN payload IS NOT NULL THEN 'payload' END, 'external_id', dedupe_key));
BEGIN
	IF coalesce(kind, '') = '' THEN
		PERFORM automation._fail('22023', 'kind of the event must not be empty');
	END IF;
	PERFORM automation._check_dedupe_key(event, dedupe_key);
	RETURN (
		SELECT format('INSERT INTO %s AS t (%s) SELECT %s ON CONFLICT DO NOTHING RETURNING %s', event,
			string_agg(quote_ident(a.attname), ', ' ORDER BY g.key),
			string_agg(format(CASE WHEN a.atttypid IN ('jsonb'::regtype, 'json'::regtype) THEN '($1 -> %L)::%s' ELSE '($1 ->> %L)::%s' END,
				g.key, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY g.key),
			automation._call_sql('jsonb_build_object', ARRAY(SELECT format('%L::text, t.%I', k, k) FROM unnest(automation._key(event)) AS k)))
		FROM jsonb_object_keys(given) AS g(key)
		JOIN pg_attribute AS a ON a.attrelid = event AND a.attname = automation._role_column(event, g.key));
END
$$;
COMMENT ON FUNCTION automation._ingest_sql(text, jsonb, text) IS 'Statement that inserts an event, whose parts $1 has, and answers its key';

CREATE FUNCTION automation._ingest(caller regrole, kind text, payload jsonb, dedupe_key text) RETURNS jsonb
LANGUAGE sql
-- No search path of its own: triggers of the table find what they would if the caller inserted.
RETURN automation._act(caller, current_setting('search_path'), automation._ingest_sql(kind, payload, dedupe_key),
	jsonb_build_object('kind', kind, 'payload', payload, 'external_id', dedupe_key));
COMMENT ON FUNCTION automation._ingest(regrole, text, jsonb, text) IS 'automation.ingest()';
