#!/bin/bash
# From the commit to the receiver: one UPDATE of many rows, each of which is one webhook, against one thread of libcurl that has
# nothing else to do and against job queues at their best settings. Then one event at a time, receivers that are slow, and a
# transaction that holds a snapshot.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=lib.sh
source ./lib.sh

rows=$([ "$QUICK" ] && echo 5000 || echo 20000)
port='' slow_port='' arrived=''
start_sink port http_sink
start_sink slow_port http_sink 127.0.0.2
hook=127.0.0.1:$port slow=127.0.0.2:$slow_port

# How many have arrived: into `arrived`. A program that asks would take from the processors that are measured.
count() { # SINK
	local peer
	exec {peer}<>"/dev/tcp/${1/://}"
	printf 'GET /count HTTP/1.1\r\n\r\n' >&"$peer"
	until [ "$arrived" = $'\r' ]; do read -r arrived || return; done <&"$peer"
	read -r arrived <&"$peer" || return
	exec {peer}>&-
}

# Until so many have arrived; fails when they stop coming.
wait_for() { # SINK EVENTS
	local tries=0 before=-1
	while count "$1" || return; [ "$arrived" -lt "$2" ]; do
		if [ "$arrived" != "$before" ]; then
			tries=0
		elif [ $((++tries)) = 200 ]; then
			echo "$arrived of $2 events have arrived, and no more come" >&2
			return 1
		fi
		before=$arrived
		sleep 0.1
	done
}

arrivals() { # SINK: into bench.arrival
	sql -c 'TRUNCATE bench.arrival' -c "\\copy bench.arrival FROM PROGRAM 'curl -s $1/events'"
}

# One UPDATE, and all that it sets off: how long it takes from the commit, and from the statement, to the last arrival.
deliver() { # ROUND VARIANT TABLE [WORKER]
	local since committed last before after
	curl -s "$hook/reset"
	before=$(cpu_seconds ${4:+"$4"})
	IFS='|' read -r since committed < <(sql -c "CALL bench.enqueue(bench.change('$3'))")
	wait_for "$hook" "$rows"
	sleep 0.3 # the last outcomes
	after=$(cpu_seconds ${4:+"$4"})
	arrivals "$hook"
	last=$(sql -c 'SELECT max(at) FROM bench.arrival')
	take "$1" "$2" "$rows" "($last - $committed) / 1e6"
	take "$1" "$2, from the statement" "$rows" "($last - $since) / 1e6"
	take "$1" "$2, processor time" "$rows" "$after - $before"
}

deliver_ours() { # ROUND VARIANT
	sql -c 'TRUNCATE automation.run, automation.delivery, automation.attempt'
	deliver "$1" "$2" ours
	take "$1" "$2, memory in MB" 1 "$(awk '/RssAnon/ { print $2 / 1024 }' "/proc/$(worker)/status")"
}

# A worker of Node's; NAME is that of its program and of its table.
deliver_by() { # ROUND VARIANT NAME
	local pid
	mkfifo "$CLUSTER/ready"
	"$PEERS/node_modules/.bin/node" "$PEERS/$3.mjs" "http://$hook/hook" >"$CLUSTER/ready" 2>"$CLUSTER/$3.log" &
	pid=$!
	pids+=("$pid")
	read -r <"$CLUSTER/ready" || cat "$CLUSTER/$3.log" >&2
	rm "$CLUSTER/ready"
	sql -f "$PEERS/$3.sql"
	deliver "$1" "$2" "$3" "$pid"
	stop "$pid"
}

limit() { # ROUND
	take "$1" 'libcurl alone' "$rows" "$("$PROGRAMS/http_limit" "http://$hook/hook" "$rows" 64)"
}

# The same work, done by the least that does it.
write_for_floor() { # ROWS
	sql -c 'TRUNCATE crm.outbox, crm.execution, bench.attempt' -c "CALL bench.enqueue(bench.change_and_enqueue('floor', $1))" >/dev/null
}

floor() { # ROUND
	local before after seconds processor
	curl -s "$hook/reset"
	before=$(cpu_seconds)
	write_for_floor "$rows"
	IFS='|' read -r seconds processor < <("$PROGRAMS/outbox_floor" "http://$hook/hook" "$rows" 64)
	after=$(cpu_seconds)
	take "$1" floor "$rows" "$seconds"
	take "$1" 'floor, processor time' "$rows" "$after - $before + $processor"
}

throughput() {
	local round
	for round in $(seq 0 "$ROUNDS"); do
		limit "$round"
		floor "$round"
		deliver_ours "$round" ours
		if [ -x "$PEERS/node_modules/.bin/node" ]; then
			deliver_by "$round" graphile-worker graphile
			deliver_by "$round" pg-boss boss
		fi
	done
}

latency() { # VARIANT EVENTS GAP
	curl -s "$hook/reset"
	sql -c "CALL bench.trickle('$1', $2, $3)"
	note_latency "$1" "$2"
	write_for_floor "$2"
	curl -s "$hook/reset"
	"$PROGRAMS/outbox_floor" "http://$hook/hook" "$2" one "$3" | sed "s/^/floor, $1\t/" | sql -c '\copy bench.event FROM STDIN'
	note_latency "floor, $1" "$2"
}

note_latency() { # VARIANT EVENTS
	wait_for "$hook" "$2"
	arrivals "$hook"
	sql -c "INSERT INTO bench.latency SELECT '$1', (a.at - e.at) / 1000.0
		FROM bench.event AS e JOIN bench.arrival AS a ON a.event = e.id WHERE e.variant = '$1'"
}

allow_in_flight() { # REQUESTS
	sql -c "ALTER SYSTEM SET pg_automation.max_in_flight = $1" -c "ALTER SYSTEM SET pg_automation.max_in_flight_per_host = $1" \
		-c 'SELECT pg_reload_conf()' >/dev/null
}

# Receivers that take a second, 256 at once; meanwhile what others get. Each channel may have as many places as are free: with 1,000
# of them those others leave it its 256.
beside_slow_ones() {
	local events committed last
	events=$([ "$QUICK" ] && echo 1024 || echo 2048)
	allow_in_flight 1000
	curl -s "$slow/reset"
	sql -c "ALTER SERVER slow OPTIONS (ADD max_in_flight '256')"
	IFS='|' read -r _ committed < <(sql -c "CALL bench.enqueue(bench.change('slow') || ' WHERE id <= $events')")
	sleep 1
	deliver 1 'ours, beside a slow host' ours
	wait_for "$slow" "$events"
	last=$(curl -s "$slow/events" | awk '{ print $3 }' | sort -n | tail -n 1)
	take 1 'slow host' "$events" "($last + 1000000 - $committed) / 1e6"
	take 1 'slow host, ideal' "$events" "$events / 256.0"
	allow_in_flight 128
}

# What was delivered while a transaction held a snapshot, and so much was left behind meanwhile.
with_a_snapshot() { # EVENTS
	local round
	exec {hold}> >(sql >/dev/null)
	echo 'BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1;' >&"$hold"
	sql -v "churn=$1" -f delivery/churn.psql
	for round in $(seq 1 "$ROUNDS"); do
		deliver "$round" 'ours, with a snapshot held' ours
	done
	exec {hold}>&-
}

sql -v "port=$port" -v "slow_port=$slow_port" -v "rows=$rows" -f delivery/setup.psql >/dev/null
throughput
latency 'each 40 ms' "$([ "$QUICK" ] && echo 50 || echo 400)" 40
latency 'each 200 ms' "$([ "$QUICK" ] && echo 20 || echo 100)" 200
beside_slow_ones
with_a_snapshot "$([ "$QUICK" ] && echo 100000 || echo 1000000)"
psql -X -q -v ON_ERROR_STOP=1 -P pager=off -P footer=off -f delivery/report.psql
