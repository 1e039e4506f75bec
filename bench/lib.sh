# What sections that are scripts share; bench/run has set PROGRAMS, CLUSTER, PEERS, ROUNDS and QUICK, and psql's environment.
# shellcheck shell=bash

export LC_ALL=C.UTF-8
pids=()
trap 'stop "${pids[@]}"' EXIT

stop() { # PID ...: those of them that still run
	local pid
	for pid; do
		kill "$pid" 2>/dev/null || continue
		wait "$pid" 2>/dev/null || true
	done
}

sql() { # [psql's arguments ...]: unaligned, without headings
	psql -X -q -A -t -v ON_ERROR_STOP=1 "$@"
}

take() { # ROUND VARIANT ROWS SECONDS: what came of one measurement
	sql -c "INSERT INTO bench.taken VALUES ($1, '$2', $3, $4)"
}

# The port of a sink goes to a variable, its process to the list of those that end with us.
start_sink() { # VARIABLE PROGRAM [ARGUMENT ...]
	local file
	file=$(mktemp)
	"$PROGRAMS/$2" "${@:3}" >"$file" &
	pids+=($!)
	until [ -s "$file" ]; do sleep 0.05; done
	printf -v "$1" '%s' "$(cat "$file")"
	rm "$file"
}

# Of the server's processes and of another one, with that of their children that have ended.
cpu_seconds() { # [PID]
	local postmaster pid
	postmaster=$(head -n 1 "$CLUSTER/data/postmaster.pid")
	for pid in "$postmaster" $(pgrep -P "$postmaster") "$@"; do
		sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null || true
	done | awk -v hz="$(getconf CLK_TCK)" '{ sum += $12 + $13 + $14 + $15 } END { print sum / hz }'
}

worker() { # the worker of this database
	sql -c "SELECT pid FROM pg_stat_activity WHERE backend_type = 'pg_automation worker' AND datname = current_database()"
}
