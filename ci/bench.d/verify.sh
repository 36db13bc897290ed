#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Verifying a point, against reading the same image: nbdcopy to nowhere, from a
# qemu-nbd that was started as dsync-vm starts its own. In turns, so that both
# see the same machine; with the image in the page cache and, for root, without.
# The point is the newest of a chain.
#
# SIZE_MIB (4096), POINTS (8: overlays, of 1 % in blocks of 4 KiB), ROUNDS (5).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
size_mib=${SIZE_MIB:-4096} points=${POINTS:-8} rounds=${ROUNDS:-5}
dsync=$BUILD/src/dsync-vm make_backup=$BUILD/tests/cli/make-backup
made=
dir=${BENCH_DIR:-}
[ -n "$dir" ] || made=$(mktemp -d "${TMPDIR:-/var/tmp}/dsync-bench.XXXXXX")
dir=${dir:-$made}
socket=$dir/socket

# shellcheck source=ci/bench.d/lib/clock.sh
. "$here/lib/clock.sh"

finish() {
	rm -rf "$dir/repo" "$socket"
	[ -z "$made" ] || rm -rf "$made"
}
trap finish EXIT

# make_point NUMBER MAP
make_point() {
	"$make_backup" "$dir/repo" web aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa \
		"$((1000 + $1))" 0 "vda:$dir/new:$2" >/dev/null
}

make_chain() {
	local changed
	for i in $(seq "$points"); do
		changed=$(python3 "$here/workload.py" "$dir" "$size_mib" 1 4 "$i")
		[ "$i" -gt 1 ] || make_point 0 -
		make_point "$i" "$dir/map"
	done
	echo "$size_mib MiB, a full and $points points more, each with $changed"
}

# The newest, which names the others.
newest() { find "$dir/repo" -name '*.qcow2' | sort | tail -n 1; }

# The server starts and ends within the time, as verify's own does.
run_nbdcopy() {
	nbdcopy -- [ qemu-nbd --persistent --shared=8 --cache=writeback \
		--aio=threads --detect-zeroes=off --read-only --format=qcow2 \
		"$(newest)" ] null:
}
run_verify() { "$dsync" verify -q web "$dir/repo"; }

chill() {
	sync -f "$dir"
	echo 3 >/proc/sys/vm/drop_caches
}

# compare WHAT PREPARE...: a line of the table.
compare() {
	local what=$1 reads=() verifies=()
	shift
	for _ in $(seq "$rounds"); do
		"$@"
		reads+=("$(clock run_nbdcopy)")
		"$@"
		verifies+=("$(clock run_verify)")
	done
	echo "$(median "${reads[@]}") $(median "${verifies[@]}")" |
		awk -v what="$what" '{printf "  %-24s %8.2f s %8.2f s %8.2f x\n",
			what, $1, $2, $2 / $1}'
}

ninja -C "$BUILD" tests/cli/make-backup >/dev/null
mkdir "$dir/repo"
make_chain
printf '  %-24s %10s %10s %10s\n' '' nbdcopy verify ratio
run_nbdcopy
compare 'in the page cache' true
if [ -w /proc/sys/vm/drop_caches ]; then
	compare 'from the disk' chill
fi
