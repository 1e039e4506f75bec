-- Assertions for the test suites of users, in the manner of pgTAP, which has to be there when one is called.

CREATE FUNCTION automation._tap(passed boolean, description text, diagnosis text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	schema text := (
		SELECT quote_ident(n.nspname) FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace
		WHERE e.extname = 'pgtap');
	line text;
	explanation text;
BEGIN
	IF schema IS NULL THEN
		PERFORM automation._fail('55000', 'extension "pgtap" is not installed', hint => 'Use CREATE EXTENSION pgtap.');
	END IF;
	PERFORM set_config('search_path', schema || ', pg_catalog, pg_temp', true);
	EXECUTE format('SELECT %s.ok($1, $2)', schema) INTO line USING coalesce(passed, false), description;
	IF passed IS NOT TRUE THEN
		EXECUTE format('SELECT %s.diag($1)', schema) INTO explanation USING diagnosis;
	END IF;
	RETURN concat_ws(E'\n', line, explanation);
END
$$;
COMMENT ON FUNCTION automation._tap(boolean, text, text) IS 'A line of a pgTAP test, with a diagnosis if it has not passed';

CREATE FUNCTION automation._about(commands text, rule text) RETURNS text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Raises an error unless there is a rule of that name.
	PERFORM automation.messages(coalesce(rule, ''));
	RETURN commands;
END
$$;
COMMENT ON FUNCTION automation._about(text, text) IS 'SQL that is to fire a rule, or not to: there has to be one of that name';

-- These are bound to what they name, and so leave the statements of users the search path of users.

CREATE FUNCTION automation.fires_ok(commands text, rule text, description text DEFAULT NULL) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._tap(
		bool_or(w.part = 'run' AND w.rule = fires_ok.rule AND w.status <> 'suppressed'),
		coalesce(fires_ok.description, format('rule "%s" fires', fires_ok.rule)), string_agg(w.tree, E'\n'))
	FROM automation.watch(automation._about(commands, rule)) AS w;
END;
COMMENT ON FUNCTION automation.fires_ok(text, text, text) IS 'A pgTAP test: executes SQL, and passes if it fires the rule. If not, it shows why';

CREATE FUNCTION automation.fires_not_ok(commands text, rule text, description text DEFAULT NULL) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._tap(
		NOT bool_or(coalesce(w.part = 'run' AND w.rule = fires_not_ok.rule AND w.status <> 'suppressed', false)),
		coalesce(fires_not_ok.description, format('rule "%s" does not fire', fires_not_ok.rule)), string_agg(w.tree, E'\n'))
	FROM automation.watch(automation._about(commands, rule)) AS w;
END;
COMMENT ON FUNCTION automation.fires_not_ok(text, text, text) IS 'A pgTAP test: executes SQL, and passes if it does not fire the rule';

CREATE FUNCTION automation.sends_ok(rule text, pattern text, recipient text DEFAULT NULL, description text DEFAULT NULL) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._tap(
		bool_or(concat_ws(': ', m.subject, m.body) LIKE pattern AND m.recipient = coalesce(sends_ok.recipient, m.recipient)),
		coalesce(sends_ok.description, format('rule "%s" sends "%s"', sends_ok.rule, sends_ok.pattern)),
		coalesce('It has sent: ' || string_agg(format('to %s: %s', m.recipient, concat_ws(': ', m.subject, m.body)), E'\n'), 'It has sent nothing.'))
	FROM automation.messages(rule) AS m;
END;
COMMENT ON FUNCTION automation.sends_ok(text, text, text, text) IS 'A pgTAP test: passes if the rule has sent a message LIKE the pattern in this transaction, to that recipient if one is given';

CREATE FUNCTION automation.due_ok(rule text, key text, at timestamptz, description text DEFAULT NULL) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._tap(
		bool_or(p.status = 'waiting' AND p.due_at = due_ok.at),
		coalesce(due_ok.description, format('rule "%s" is due for %s at %s', due_ok.rule, due_ok.key, due_ok.at)),
		coalesce('It has planned: ' || string_agg(format('step %s %s %s %s', p.step, p.status, p.due_at, p.reason), E'\n'), 'It has planned nothing.'))
	FROM automation.plans(rule, key) AS p;
END;
COMMENT ON FUNCTION automation.due_ok(text, text, timestamptz, text) IS 'A pgTAP test: passes if a step of the rule, or its run, is due for the row at that time';

CREATE FUNCTION automation.cancelled_ok(rule text, key text, description text DEFAULT NULL) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._tap(
		bool_or(p.status = 'cancelled') AND NOT bool_or(p.status = 'waiting'),
		coalesce(cancelled_ok.description, format('rule "%s" is cancelled for %s', cancelled_ok.rule, cancelled_ok.key)),
		coalesce('It has planned: ' || string_agg(format('step %s %s %s %s', p.step, p.status, p.due_at, p.reason), E'\n'), 'It has planned nothing.'))
	FROM automation.plans(rule, key) AS p;
END;
COMMENT ON FUNCTION automation.cancelled_ok(text, text, text) IS 'A pgTAP test: passes if what the rule had planned for the row is cancelled';

CREATE FUNCTION automation.explains_like(rule text, relation regclass, key text, pattern text, description text DEFAULT NULL) RETURNS text
LANGUAGE sql
BEGIN ATOMIC
	SELECT automation._tap(
		bool_or(w.line LIKE pattern),
		coalesce(explains_like.description, format('why_not() says "%s" of rule "%s"', explains_like.pattern, explains_like.rule)),
		string_agg(w.line, E'\n'))
	FROM (
		SELECT concat_ws(' ', y.part, y.conjunct, y.holds, y.row_values, y.note)
		FROM automation.why_not(rule, relation, key) AS y
	) AS w(line);
END;
COMMENT ON FUNCTION automation.explains_like(text, regclass, text, text, text)
	IS 'A pgTAP test: passes if a line of why_not() (part, conjunct, holds, values, note) is LIKE the pattern';
