-- What a writer feels: an UPDATE of many rows in one statement, with and without us.

\echo 'Write path: UPDATE of ':rows' rows in one statement'
SELECT count(*) > 0 AS has_pg_net FROM pg_available_extensions WHERE name = 'pg_net' \gset
\if :has_pg_net
	CREATE EXTENSION pg_net;
	CREATE FUNCTION crm.to_pg_net() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		PERFORM net.http_post('http://127.0.0.1:9/', jsonb_build_object('eid', new.id, 'type', tg_op, 'record', new, 'old_record', old));
		RETURN NULL;
	END
	$$;
\endif
SELECT '{no_trigger,floor_trigger,empty_trigger,no_rules,1000_rules_no_match,1_rule_match,1000_rules_1_match,outbox_floor_trigger,by_hand_trigger,event_log_trigger}'::text[]
	|| CASE WHEN :'has_pg_net' THEN '{pg_net_trigger}'::text[] ELSE '{}' END AS variants \gset
CALL bench.make_variants(:'variants', :rows);
VACUUM ANALYZE;

-- Vacuumed as by autovacuum: else what a statement costs depends on what those before it have left.
SELECT unnest(ARRAY['TRUNCATE automation.run, automation.delivery, bench.run, bench.delivery, crm.outbox, crm.execution, crm.event_log',
	format('VACUUM crm.%I', variant), format('CALL bench.take(%s, %L, bench.change(%L))', round, variant, variant)])
FROM generate_series(0, :rounds) AS round, unnest(:'variants'::text[]) WITH ORDINALITY AS v (variant, place)
ORDER BY round, place
\gexec

SELECT * FROM bench.report('no_trigger');
\o /dev/null
SELECT bench.goal('W1', 'attached, no rules, in bulk, times no trigger', 'at most', 1.05, bench.ratios('no_rules', 'no_trigger')),
	bench.goal('W1', 'the same, times a trigger in C that does nothing', 'at most', 1.15, bench.ratios('no_rules', 'floor_trigger')),
	bench.goal('W2', '1,000 rules, none matches, in bulk, more a row', 'at most', 1.2, bench.more('1000_rules_no_match', 'no_trigger'), ' µs'),
	bench.goal('W5', 'one match, in bulk, more a row', 'at most', 16, bench.more('1_rule_match', 'no_trigger'), ' µs'),
	bench.goal('W5', 'the same, of what a hand-written trigger adds', 'at most', 0.7, bench.parts('1_rule_match', 'by_hand_trigger', 'no_trigger')),
	bench.goal('W5', 'the same, of what a trigger in C that only writes the rows adds', 'at most', 1.15, bench.parts('1_rule_match', 'outbox_floor_trigger', 'no_trigger')),
	bench.goal('W7', 'one match among 1,000 rules, times one match alone', 'at most', 1.05, bench.ratios('1000_rules_1_match', '1_rule_match')),
	bench.goal('W9', 'what a trigger that logs events adds, times ours', 'at least', 5, bench.parts('event_log_trigger', '1_rule_match', 'no_trigger'));
\if :has_pg_net
	SELECT bench.goal('W9', 'what a trigger of pg_net adds, times ours', 'at least', 4, bench.parts('pg_net_trigger', '1_rule_match', 'no_trigger'));
\endif
\o
