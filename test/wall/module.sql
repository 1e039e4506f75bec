-- The functions of the module :library, and what the tests ask of them.

CREATE SCHEMA wall;
CREATE SCHEMA automation; -- its owner is whom statements of the wall act as

CREATE FUNCTION wall.raise(kind text, guards integer DEFAULT 0) RETURNS text LANGUAGE C AS :'library', 'wall_raise';
CREATE FUNCTION wall.execute(command text) RETURNS text LANGUAGE C AS :'library', 'wall_execute';
CREATE FUNCTION wall.attempt(VARIADIC commands text[]) RETURNS text LANGUAGE C AS :'library', 'wall_attempt';
CREATE FUNCTION wall.attempt_nested(VARIADIC commands text[]) RETURNS text LANGUAGE C AS :'library', 'wall_attempt_nested';
CREATE FUNCTION wall.attempt_raise(command text, kind text) RETURNS text LANGUAGE C AS :'library', 'wall_attempt_raise';
CREATE FUNCTION wall.keep_and_throw(command text) RETURNS text LANGUAGE C AS :'library', 'wall_keep_and_throw';
CREATE FUNCTION wall.restores_state(kind text) RETURNS boolean LANGUAGE C AS :'library', 'wall_restores_state';
CREATE FUNCTION wall.raise_in_memory(kind text) RETURNS text LANGUAGE C AS :'library', 'wall_raise_in_memory';
CREATE FUNCTION wall.divide(dividend integer, divisor integer) RETURNS text LANGUAGE C AS :'library', 'wall_divide';
CREATE FUNCTION wall.broken_statement() RETURNS text LANGUAGE C AS :'library', 'wall_broken_statement';
CREATE FUNCTION wall.spin() RETURNS text LANGUAGE C AS :'library', 'wall_spin';
CREATE FUNCTION wall.spin_in_subtransaction() RETURNS text LANGUAGE C AS :'library', 'wall_spin_in_subtransaction';
CREATE FUNCTION wall.start_worker(library text) RETURNS text LANGUAGE C AS :'library', 'wall_start_worker';
CREATE FUNCTION wall.live_objects() RETURNS integer LANGUAGE C AS :'library', 'wall_live_objects';
CREATE FUNCTION wall.heap_in_use() RETURNS bigint LANGUAGE C AS :'library', 'wall_heap_in_use';
CREATE FUNCTION wall.is_handling() RETURNS boolean LANGUAGE C AS :'library', 'wall_is_handling';
CREATE FUNCTION wall.leak() RETURNS text LANGUAGE C AS :'library', 'wall_leak';

CREATE TABLE wall.kept (number integer);
CREATE TABLE wall.worked (number integer);
CREATE TABLE wall.checked_at_commit (number integer UNIQUE DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE wall.report (answer text, live_objects integer);

-- An error raised by SQL, with every field, and one that SQL stops.
CREATE FUNCTION wall.raise_in_sql() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RAISE 'from SQL' USING ERRCODE = 'P1234', DETAIL = 'The detail.', HINT = 'The hint.', SCHEMA = 'a schema',
		TABLE = 'a table', COLUMN = 'a column', DATATYPE = 'a type', CONSTRAINT = 'a constraint';
END
$$;

CREATE FUNCTION wall.stop_in_sql(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answer text;
BEGIN
	EXECUTE command INTO answer;
	RETURN answer;
EXCEPTION WHEN OTHERS THEN
	RETURN 'stopped ' || SQLSTATE;
END
$$;

-- Calls C++ without end, through SQL.
CREATE FUNCTION wall.recurse() RETURNS text LANGUAGE sql AS $$ SELECT wall.execute('SELECT wall.recurse()') $$;

-- What a client would see of a command: its result, or every field of its error.
CREATE FUNCTION wall.outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	message text;
	detail text;
	hint text;
	schema_name text;
	table_name text;
	column_name text;
	type_name text;
	constraint_name text;
BEGIN
	EXECUTE command INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS OR query_canceled THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT,
		schema_name = SCHEMA_NAME, table_name = TABLE_NAME, column_name = COLUMN_NAME,
		type_name = PG_DATATYPE_NAME, constraint_name = CONSTRAINT_NAME;
	RETURN array_to_string(array_remove(
		ARRAY[SQLSTATE, message, detail, hint, schema_name, table_name, column_name, type_name, constraint_name], ''), '|');
END
$$;

CREATE FUNCTION wall.context_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	context text;
BEGIN
	EXECUTE command;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
	RETURN context;
END
$$;

CREATE FUNCTION wall.repeat(command text, times integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. times LOOP
		PERFORM wall.outcome(command);
	END LOOP;
END
$$;

CREATE FUNCTION wall.contexts() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'pg\_automation%'
$$;

-- An object of the tests owns 4 kB, so a thousand that are lost are 4 MB.
CREATE FUNCTION wall.what_leaks(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
	grown bigint;
BEGIN
	PERFORM wall.repeat(command, 100);
	before := wall.heap_in_use();
	PERFORM wall.repeat(command, 1000);
	grown := wall.heap_in_use() - before;
	RETURN concat_ws(', ', 'objects ' || nullif(wall.live_objects(), 0), 'contexts ' || nullif(wall.contexts(), 0),
		CASE WHEN grown > 500000 THEN 'heap ' || grown END, CASE WHEN wall.is_handling() THEN 'an exception' END);
END
$$;
