-- Test mode: a rule does all that it does, and its messages go no further than the outbox.

CREATE FUNCTION automation.set_test_mode(rule text, is_on boolean DEFAULT true) RETURNS boolean
LANGUAGE C AS 'MODULE_PATHNAME', 'automation_call';
COMMENT ON FUNCTION automation.set_test_mode(text, boolean)
	IS 'Puts a rule into test mode, or out of it: it runs and writes as ever, but its messages end as simulated and it notifies nobody';

CREATE FUNCTION automation._set_test_mode(caller regrole, rule text, is_on boolean) RETURNS boolean
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	tested automation.rule := automation._rule(rule);
BEGIN
	IF is_on IS NULL THEN
		PERFORM automation._fail('22004', 'is_on of set_test_mode() must not be null');
	ELSIF NOT automation._is_operator(caller) THEN
		tested := automation._own_rule(caller, rule);
	END IF;
	UPDATE automation.rule AS r SET in_test = is_on WHERE r.id = tested.id AND r.in_test <> is_on;
	RETURN is_on;
END
$$;
COMMENT ON FUNCTION automation._set_test_mode(regrole, text, boolean) IS 'automation.set_test_mode()';
