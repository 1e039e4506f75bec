#!/bin/bash
# unprivileged.sh COMMAND [ARGUMENT ...]: run COMMAND at the top of the project, as somebody as whom
# PostgreSQL agrees to run.
#
# An ordinary user is that already. For root, the user postgres does it in a copy of the tree, as
# root's own files may be closed to everybody else: under .build/ when postgres can reach that (what
# was compiled there is found again), else in /var/tmp, and then the copy is removed at the end.
set -euo pipefail

top=$(realpath "$(dirname "$0")/../..")
account=postgres

as_account=(setpriv --reuid="$account" --regid="$account" --init-groups)

copy_place() {
	local place=$top/.build/unprivileged
	mkdir -p "$place"
	chown "$account:" "$place"
	if ! "${as_account[@]}" test -w "$place"; then
		rmdir --ignore-fail-on-non-empty "$place"
		place=$(mktemp -d /var/tmp/pg_automation.XXXXXX)
		chown "$account:" "$place"
	fi
	echo "$place"
}

# The sources as they are now; what was compiled from them earlier stays.
copy_sources() { # PLACE
	find "$1" -type f ! -path "$1/.build/*" ! -name '*.o' ! -name '*.d' ! -name '*.so' -delete
	tar -C "$top" -cf - --exclude=./.git --exclude=./.build --exclude='*.o' --exclude='*.d' \
		--exclude='*.so' --exclude='./sql/pg_automation--*.sql' . |
		"${as_account[@]}" tar -C "$1" -xf -
}

# Neither a make above us nor settings meant for another cluster are to reach what runs.
forget_surroundings() {
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES MAKE_TERMOUT MAKE_TERMERR
	unset PGHOST PGHOSTADDR PGPORT PGUSER PGDATABASE PGPASSWORD PGPASSFILE PGSERVICE \
		PGSERVICEFILE PGOPTIONS PGDATA PGSSLMODE PGREQUIRESSL PGCLIENTENCODING PGTZ PGDATESTYLE
	export LC_ALL=C.UTF-8
}

run_as_account() {
	local place
	place=$(copy_place)
	copy_sources "$place"
	cd "$place"
	export HOME=$place
	if [[ $place != "$top"/* ]]; then
		# shellcheck disable=SC2016 # expanded by the inner shell
		exec "${as_account[@]}" bash -c 'trap "cd /; rm -rf \"$0\"" EXIT; "$@"' "$place" "$@"
	fi
	exec "${as_account[@]}" "$@"
}

forget_surroundings
if [ "$(id -u)" = 0 ]; then
	run_as_account "$@"
fi
cd "$top"
exec "$@"
