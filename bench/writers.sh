#!/bin/bash
# What writers feel who change one row at a time: eight clients of pgbench, with and without us.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=lib.sh
source ./lib.sh

variants=(no_trigger floor_trigger empty_trigger no_rules 1000_rules_no_match 1_rule_match outbox_floor_trigger by_hand_trigger)
rows=$([ "$QUICK" ] && echo 20000 || echo 100000)
seconds=$([ "$QUICK" ] && echo 1 || echo 4)

script() { # TABLE SET
	printf '\\set id random(1, %s)\nUPDATE crm."%s" SET %s WHERE id = :id;\n' "$rows" "$1" "$2"
}

measure() { # ROUND VARIANT TABLE SET
	local rate
	rate=$(PGOPTIONS='-c synchronous_commit=off' pgbench -n -M prepared -c 8 -j 2 -T "$seconds" -f <(script "$3" "$4") 2>/dev/null |
		awk '/^tps/ { print $3 }')
	take "$1" "$2" 1 "1.0 / $rate"
}

sql -c "CALL bench.make_variants('{$(IFS=, && echo "${variants[*]}")}', $rows)" -c 'VACUUM ANALYZE' >/dev/null
for round in $(seq 0 "$ROUNDS"); do
	for variant in "${variants[@]}"; do
		measure "$round" "$variant" "$variant" "status = CASE status WHEN 'done' THEN 'completed' ELSE 'done' END"
	done
	for variant in no_trigger floor_trigger 1000_rules_no_match; do
		measure "$round" "$variant, a column that nobody watches" "$variant" "notes = 'note ' || :id"
	done
	sql -c 'TRUNCATE automation.run, automation.delivery, bench.run, bench.delivery, crm.outbox, crm.execution'
done
psql -X -q -v ON_ERROR_STOP=1 -P pager=off -P footer=off <<-'END'
	\echo 'Writers: 8 clients, one row in each transaction, synchronous_commit off'
	SELECT * FROM bench.report('no_trigger');
	\o /dev/null
	SELECT bench.goal('W1', 'attached, no rules, 8 clients, times no trigger', 'at most', 1.05, bench.ratios('no_rules', 'no_trigger')),
		bench.goal('W1', 'the same, times a trigger in C that does nothing', 'at most', 1.15, bench.ratios('no_rules', 'floor_trigger')),
		bench.goal('W2', '1,000 rules, none matches, 8 clients, times no trigger', 'at most', 1.05, bench.ratios('1000_rules_no_match', 'no_trigger')),
		bench.goal('W2', 'the same, times a trigger in C that does nothing', 'at most', 1.15, bench.ratios('1000_rules_no_match', 'floor_trigger')),
		bench.goal('W4', 'the same, a column that nobody watches', 'at most', 1.05,
			bench.ratios('1000_rules_no_match, a column that nobody watches', 'no_trigger, a column that nobody watches')),
		bench.goal('W4', 'the same, times a trigger in C that does nothing', 'at most', 1.15,
			bench.ratios('1000_rules_no_match, a column that nobody watches', 'floor_trigger, a column that nobody watches')),
		bench.goal('W6', 'one match, 8 clients, times no trigger', 'at most', 1.4, bench.ratios('1_rule_match', 'no_trigger')),
		bench.goal('W6', 'the same, times a trigger in C that only writes the rows', 'at most', 1.15, bench.ratios('1_rule_match', 'outbox_floor_trigger')),
		bench.goal('W6', 'the same, times a hand-written trigger', 'at most', 0.8, bench.ratios('1_rule_match', 'by_hand_trigger'));
END
