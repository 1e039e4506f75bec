-- What a writer feels: an UPDATE of 100,000 rows in one statement, with and without us.

\echo 'Write path: UPDATE of 100,000 rows in one statement'
CREATE SCHEMA crm;
CREATE FUNCTION crm.empty() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TABLE crm.audit (job integer, old_status text, new_status text, at timestamptz DEFAULT now());
CREATE TABLE crm.outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz DEFAULT now(), message jsonb);
CREATE FUNCTION crm.by_hand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.status = 'Dispatched' AND old.status IS DISTINCT FROM new.status THEN
		INSERT INTO crm.audit (job, old_status, new_status) VALUES (new.id, old.status, new.status);
		INSERT INTO crm.outbox (message) VALUES (jsonb_build_object('recipient', 'x', 'body', 'Job ' || new.id || ' is ' || new.status));
	END IF;
	RETURN NULL;
END
$$;

SELECT format('CREATE TABLE crm.%1$s (id integer PRIMARY KEY, status text NOT NULL, priority integer, title text, amount numeric);
	INSERT INTO crm.%1$s SELECT i, ''New'', i %% 5, ''Job '' || i, i FROM generate_series(1, 100000) AS i', name)
FROM unnest('{no_trigger,empty_trigger,no_rules,rules_none_matches,one_rule_matches,trigger_by_hand}'::text[]) AS name
\gexec
CREATE TRIGGER empty AFTER INSERT OR UPDATE OR DELETE ON crm.empty_trigger FOR EACH ROW EXECUTE FUNCTION crm.empty();
CREATE TRIGGER by_hand AFTER INSERT OR UPDATE OR DELETE ON crm.trigger_by_hand FOR EACH ROW EXECUTE FUNCTION crm.by_hand();
\o /dev/null
SELECT automation.attach('crm.no_rules', 'job', '{"status": "status"}');
SELECT automation.attach('crm.rules_none_matches', 'job', '{"status": "status"}');
SELECT automation.attach('crm.one_rule_matches', 'job', '{"status": "status"}');
SELECT automation.create_rule('none ' || i, 'crm.rules_none_matches', 'status_entered', jsonb_build_object('to', 'Status ' || i),
	steps => ARRAY[automation.notify('x', 'Job {{ id }} is {{ status }}')], activate => true)
FROM generate_series(1, 100) AS i;
SELECT automation.create_rule('one', 'crm.one_rule_matches', 'status_entered', '{"to": "Dispatched"}',
	steps => ARRAY[automation.notify('x', 'Job {{ id }} is {{ status }}')], activate => true);
\o
VACUUM ANALYZE;

CREATE PROCEDURE bench.rounds(rounds integer) LANGUAGE plpgsql AS $$
DECLARE
	variant text;
BEGIN
	FOR round IN 0..rounds LOOP
		FOREACH variant IN ARRAY '{no_trigger,empty_trigger,no_rules,rules_none_matches,one_rule_matches,trigger_by_hand}'::text[] LOOP
			EXECUTE format('UPDATE crm.%I SET status = ''New''', variant);
			EXECUTE 'TRUNCATE automation.run, automation.notification, crm.audit, crm.outbox';
			COMMIT;
			CALL bench.take(round, variant, format('UPDATE crm.%I SET status = ''Dispatched''', variant));
		END LOOP;
	END LOOP;
	DELETE FROM bench.taken AS t WHERE t.round = 0; -- warms up
END
$$;
CALL bench.rounds(:rounds);
SELECT * FROM bench.report('no_trigger');
