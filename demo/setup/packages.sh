#!/bin/bash
# packages.sh [SET ...]: install the Debian packages that a SET (demo, when none is named) still lacks.
# Says what it installs. When nothing is missing it does nothing and needs no root.
set -euo pipefail

major=${PG_MAJOR:-15}

packages_of() { # SET
	case $1 in
	run) echo "postgresql-$major postgresql-$major-cron libcurl4 libfmt9" ;;
	build) echo "g++ make postgresql-server-dev-$major libcurl4-openssl-dev libfmt-dev" ;;
	node) for package in node npm; do command -v "$package" >/dev/null || echo "${package/%node/nodejs}"; done ;;
	servers) echo "python3 python3-aiosmtpd openssl" ;;
	check) echo "cmake libgtest-dev libssl-dev clang-14 libclang-rt-14-dev clang-format-14 clang-tidy-14 shellcheck
		postgresql-$major-pgtap libtap-parser-sourcehandler-pgtap-perl libipc-run-perl perl prometheus-postgres-exporter
		chromium" ;;
	demo) packages_of run && packages_of build && packages_of servers ;;
	test) packages_of demo && packages_of check && packages_of node ;;
	*)
		echo "packages.sh: no set '$1'; there are run, build, servers, check, node, demo, test" >&2
		return 1
		;;
	esac
}

is_installed() { # PACKAGE
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing_of() { # PACKAGE ...
	local package
	for package; do
		is_installed "$package" || echo "$package"
	done
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		echo "packages.sh: this takes root, and there is no sudo. As root: apt-get install ${missing[*]}" >&2
		exit 1
	fi
}

# Debian makes and starts a cluster "main" with a new server. We bring our own: tell it not to, for
# as long as this installation lasts. What is there already stays as it is.
no_main_cluster() {
	local folder=/etc/postgresql-common/createcluster.d
	as_root mkdir -p "$folder"
	echo "create_main_cluster = false" | as_root tee "$folder/pg_automation.conf" >/dev/null
	trap 'as_root rm -f /etc/postgresql-common/createcluster.d/pg_automation.conf' EXIT
}

install() { # PACKAGE ...
	echo "packages.sh: installing with apt-get: $*"
	no_main_cluster
	as_root apt-get -qq -o DPkg::Lock::Timeout=120 update
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120 \
		-o Dpkg::Use-Pty=0 install --no-install-recommends --no-remove "$@"
}

wanted=$(for set in "${@:-demo}"; do packages_of "$set"; done)
# shellcheck disable=SC2086 # a list of words
mapfile -t missing < <(missing_of $wanted)
[ ${#missing[@]} = 0 ] || install "${missing[@]}"
