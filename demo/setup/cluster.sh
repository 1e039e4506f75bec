#!/bin/bash
# cluster.sh start DIR [SETTING=VALUE ...]   make a private cluster in DIR (if it is not there) and start it
# cluster.sh stop DIR                        stop it; its data stay
# cluster.sh drop DIR                        stop and remove it
# cluster.sh psql DIR [ARGUMENT ...]         psql in it, as its superuser postgres
# cluster.sh env DIR                         the same for a script: eval "$(cluster.sh env DIR)"
#
# Reached through a socket in a folder of its own and through nothing else: any number of them run
# beside each other, and none meets a cluster of the system. DIR/secrets is pg_automation.secrets_dir.
set -euo pipefail

fail() {
	echo "cluster.sh: $*" >&2
	exit 1
}

running() {
	"$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1
}

create() { # SETTING=VALUE ...
	mkdir -p "$dir"
	mkdir -m 700 "$dir/secrets"
	"$bin/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log" 2>&1 ||
		fail "initdb failed: $(cat "$dir/initdb.log")"
	create_database_of_cron "$@"
	cat >>"$dir/data/postgresql.conf" <<-END
		listen_addresses = ''
		shared_preload_libraries = 'pg_cron,pg_automation'
		cron.database_name = 'postgres'
		cron.use_background_workers = on
		pg_automation.secrets_dir = '$dir/secrets'
		max_worker_processes = 32
		max_prepared_transactions = 10
		fsync = on
		timezone = 'UTC'
		log_timezone = 'UTC'
		log_line_prefix = '%m [%p] %b %d '
	END
}

set_settings() { # SETTING=VALUE ...
	local setting
	for setting; do
		echo "${setting%%=*} = '${setting#*=}'" >>"$dir/data/postgresql.conf"
	done
}

# pg_cron gives up on a database that is not there when the server starts: make it before.
create_database_of_cron() { # SETTING=VALUE ...
	local setting
	for setting; do
		[[ $setting == cron.database_name=* ]] || continue
		echo "CREATE DATABASE ${setting#*=}" | "$bin/postgres" --single -D "$dir/data" postgres >/dev/null
	done
}

# The name of a socket is limited to 107 bytes, the depth of a checkout is not: sockets live in /tmp.
new_socket_folder() {
	rm -f "$dir/socket"
	ln -s "$(mktemp -d /tmp/pg_automation.XXXXXX)" "$dir/socket"
	set_settings "unix_socket_directories=$(readlink "$dir/socket")"
}

remove_socket_folder() {
	[ ! -L "$dir/socket" ] || rm -rf "$(readlink "$dir/socket")" "$dir/socket"
}

start() {
	[ "$(id -u)" != 0 ] || fail "PostgreSQL does not run as root: use demo/setup/unprivileged.sh"
	[ -d "$dir/data" ] || create "$@"
	! running || fail "the cluster in $dir is running already"
	set_settings "$@"
	new_socket_folder
	if ! "$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w start >/dev/null 2>&1 </dev/null; then
		echo "cluster.sh: the server did not start; the end of its log says:" >&2
		tail -n 40 "$dir/log" >&2
		remove_socket_folder
		exit 1
	fi
}

stop() {
	! running || "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null ||
		"$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null
	remove_socket_folder
}

environment() {
	[ -L "$dir/socket" ] || fail "no cluster is running in $dir"
	# shellcheck disable=SC2016 # expanded by who evaluates it
	printf 'export PGHOST=%q PGPORT=5432 PGUSER=postgres PATH=%q:"$PATH"\n' "$(readlink "$dir/socket")" "$bin"
	printf 'unset PGHOSTADDR PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS PGSSLMODE\n'
}

[ $# -ge 2 ] || fail "usage: cluster.sh start|stop|drop|psql|env DIR …"
verb=$1
dir=$(realpath -m "$2")
shift 2
bin=$(dirname "$("$(dirname "$0")/prefix.sh")")

case $verb in
start) start "$@" ;;
stop) stop ;;
drop)
	stop
	rm -rf "$dir"/{data,secrets,log,initdb.log}
	rmdir --ignore-fail-on-non-empty "$dir"
	;;
psql)
	eval "$(environment)"
	exec psql -X -d postgres "$@"
	;;
env) environment ;;
*) fail "no verb '$verb'" ;;
esac
