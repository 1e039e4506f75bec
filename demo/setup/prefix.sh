#!/bin/bash
# prefix.sh [DEST]: a private view of Debian's PostgreSQL in DEST (default .build/prefix), into which
# "make install" goes instead of into the system. Prints the path of its pg_config. Needs no root.
#
# PostgreSQL finds its files from where its programs lie. So the programs are copied, as a link would
# lead back to the system; lib/, share/ and include/ are real folders full of links, with room beside.
set -euo pipefail

top=$(realpath "$(dirname "$0")/../..")
dest=$(realpath -m "${1:-$top/.build/prefix}")
major=${PG_MAJOR:-15}
pg_config=$dest/lib/postgresql/$major/bin/pg_config

# What the view was made from: PostgreSQL's version and the list of files it brings, extensions too.
fingerprint() {
	"/usr/lib/postgresql/$major/bin/pg_config" --version
	find "/usr/lib/postgresql/$major" "/usr/share/postgresql/$major" /usr/include/postgresql | sort | cksum
}

make_view() { # PLACE
	mkdir -p "$1/lib/postgresql/$major" "$1/share/postgresql" "$1/include"
	cp -r --preserve=mode "/usr/lib/postgresql/$major/bin" "$1/lib/postgresql/$major/bin"
	cp -rs "/usr/lib/postgresql/$major/lib" "$1/lib/postgresql/$major/lib"
	cp -rs "/usr/share/postgresql/$major" "$1/share/postgresql/$major"
	cp -rs /usr/include/postgresql "$1/include/postgresql"
	fingerprint >"$1/made_from"
}

check_view() {
	local option path
	for option in bindir pkglibdir sharedir pgxs includedir-server; do
		path=$("$pg_config" "--$option")
		case $path in
		"$dest"/*) ;;
		*)
			echo "prefix.sh: pg_config --$option says $path, which is not in $dest" >&2
			exit 1
			;;
		esac
	done
}

if [ ! -x "/usr/lib/postgresql/$major/bin/postgres" ]; then
	echo "prefix.sh: no PostgreSQL $major is installed: run demo/setup/packages.sh" >&2
	exit 1
fi
if [ "$(fingerprint)" != "$(cat "$dest/made_from" 2>/dev/null)" ]; then
	rm -rf "$dest"
	make_view "$dest"
	check_view
fi
echo "$pg_config"
