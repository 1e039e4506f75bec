#!/bin/bash
# Mails: one UPDATE of many rows, each of which is one mail, against one thread of libcurl that has nothing else to do.
set -euo pipefail
cd "$(dirname "$0")"
# shellcheck source=lib.sh
source ./lib.sh

rows=$([ "$QUICK" ] && echo 1000 || echo 5000)
port=
start_sink port smtp_sink

ask() { # VERB: of the sink; prints its answer's text
	local answer
	exec {sink}<>"/dev/tcp/127.0.0.1/$port"
	read -r _ <&"$sink"
	printf '%s\r\n' "$1" >&"$sink"
	read -r _ answer <&"$sink"
	exec {sink}>&-
	echo "${answer%$'\r'}"
}

deliver() { # ROUND
	local committed count=0 last
	ask XRESET >/dev/null
	IFS='|' read -r _ committed < <(sql -c "CALL bench.enqueue(bench.change('ours'))")
	while [ "$count" -lt "$rows" ]; do
		sleep 0.1
		read -r count last < <(ask XCOUNT)
	done
	take "$1" ours "$rows" "($last - $committed) / 1e6"
}

sql -v "port=$port" -v "rows=$rows" -f delivery/mail.psql >/dev/null
for round in $(seq 0 "$ROUNDS"); do
	take "$round" 'libcurl alone' "$rows" "$("$PROGRAMS/smtp_limit" "smtp://127.0.0.1:$port" "$rows" 32)"
	deliver "$round"
done
psql -X -q -v ON_ERROR_STOP=1 -P pager=off -P footer=off <<-'END'
	\echo 'Mails: an UPDATE of many rows, each of which is a mail; per mail, against libcurl with nothing else to do'
	SELECT * FROM bench.report('libcurl alone');
	\o /dev/null
	SELECT bench.goal('D7', 'mails a second, of what libcurl alone sends', 'at least', 0.5,
		(SELECT array_agg(1 / u) FROM unnest(bench.ratios('ours', 'libcurl alone')) AS u));
END
