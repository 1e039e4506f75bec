-- Steps one after the other: what each sees of the row, and what is left of one that fails.
BEGIN;
SELECT no_plan();

CREATE SCHEMA tap;
SET search_path = tap, public;
CREATE FUNCTION tap.logged() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.run RETURNING *)
	SELECT coalesce(string_agg(concat_ws(' ', (SELECT name FROM automation.rule AS r WHERE r.id = rule_id), key, status, sqlstate, reason), E'\n' ORDER BY id), 'nothing')
	FROM gone
$$;
CREATE FUNCTION tap.rule(name text, relation regclass, trigger text, params jsonb, VARIADIC steps automation.step[]) RETURNS void LANGUAGE sql AS $$
	SELECT automation.create_rule(name, relation, trigger, params, steps => steps, activate => true)
$$;
CREATE FUNCTION tap.told() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM automation.notification RETURNING *)
	SELECT coalesce(string_agg(body, ', ' ORDER BY id), 'nothing') FROM gone
$$;

CREATE TABLE job (id integer PRIMARY KEY, status text, note text);
SELECT automation.attach('job', columns => '{"status": "status"}');

-- What was rolled back has not fired: neither with a step nor within a function that catches its error.
CREATE FUNCTION tap.refuse_bad() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.status = 'bad' THEN
		RAISE 'bad';
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER zz AFTER UPDATE ON job FOR EACH ROW EXECUTE FUNCTION tap.refuse_bad();
CREATE FUNCTION tap.try_bad(event jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE tap.job SET status = 'bad' WHERE id = (event -> 'new' ->> 'id')::integer;
EXCEPTION WHEN OTHERS THEN
END
$$;
SELECT tap.rule('tries', 'job', 'created', '{}', automation.update_field('status', 'bad'),
	automation.call_function('tap.try_bad'), automation.update_field('status', 'good'));
SELECT tap.rule('set off', 'job', 'status_changed', '{}', automation.notify('log', '{{ status }}'));
INSERT INTO job VALUES (1, 'New');
SELECT is(tap.logged(), E'tries 1 failed step 1: bad\nset off 1 succeeded', 'a rule whose first firing was rolled back fires again');
SELECT is(tap.told(), 'good', 'and only the last one told');
DROP TRIGGER zz ON job;
SELECT automation.drop_rule(name) FROM unnest('{tries,set off}'::text[]) AS name;

SELECT * FROM finish();
ROLLBACK;
