#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Shipping a map to qemu-nbd on this host, against
#   fio's nbd engine with the same requests on four connections or one (it
#     reads no source: the floor; without the second that fio takes to start,
#     and with the time to bring it to disk; its clock leaves out the last
#     requests in flight, which shows with few requests),
#   nbdcopy of the whole disk, which is all it can do,
#   rsync of the file into the file, which finds the changes itself.
# Every destination begins as the old content, has reached the disk when the
# clock stops and is compared with the new content afterwards.
#
# SIZE_MIB (4096), ROUNDS (3), SLOW_ROUNDS (1: nbdcopy and rsync).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
size_mib=${SIZE_MIB:-4096} rounds=${ROUNDS:-3} slow_rounds=${SLOW_ROUNDS:-1}
dsync=$BUILD/src/dsync-vm
made=
dir=${BENCH_DIR:-}
[ -n "$dir" ] || made=$(mktemp -d "${TMPDIR:-/var/tmp}/dsync-bench.XXXXXX")
dir=${dir:-$made}
socket=$dir/socket
uri="nbd+unix:///?socket=$socket"
server=

# shellcheck source=ci/bench.d/lib/clock.sh
. "$here/lib/clock.sh"

stop_server() {
	[ -z "$server" ] || { kill "$server"; wait "$server" || true; }
	server=
	rm -f "$socket"
}

finish() {
	stop_server
	[ -z "$made" ] || rm -rf "$made"
}
trap finish EXIT

start_server() {
	qemu-nbd --persistent --shared=8 --format=raw --cache=writeback \
		--aio=threads --discard=unmap --socket="$socket" "$dir/dest" \
		2>>"$dir/server.log" &
	server=$!
	while [ ! -S "$socket" ]; do sleep 0.05; done
}

# Puts the old content back where the new one was written.
reset_dest() {
	start_server
	"$dsync" ship -q --map="$dir/map" "$dir/old" "$uri"
	stop_server
	sync "$dir/dest"
}

run_dsync() { "$dsync" ship -q --map="$dir/map" "$dir/new" "$uri"; }
run_fio() {
	fio --output="$dir/fio.json" --output-format=json --ioengine=nbd \
		--uri="$uri" "$@"
}
run_fio_4() {
	run_fio --iodepth=32 \
		--name=1 --read_iolog="$dir/fio.1" \
		--name=2 --read_iolog="$dir/fio.2" \
		--name=3 --read_iolog="$dir/fio.3" \
		--name=4 --read_iolog="$dir/fio.4"
}
run_fio_1() {
	run_fio --iodepth=64 --name=1 --read_iolog="$dir/fio.all"
}
# How long fio itself was at it.
fio_seconds() {
	python3 -c '
import json, sys
jobs = json.load(open(sys.argv[1]))["jobs"]
print(max(job["job_runtime"] for job in jobs) / 1000)
' "$dir/fio.json"
}
run_nbdcopy() { nbdcopy --flush "$dir/new" "$uri"; }
run_rsync() {
	rsync --inplace --no-whole-file "$dir/new" "$dir/dest"
	sync "$dir/dest"
}

# time_once TOOL: the seconds of one run.
time_once() {
	local spent synced
	spent=$(clock "run_$1")
	case $1 in
	fio_*) # writes content of its own, and does not flush
		synced=$(clock sync "$dir/dest")
		fio_seconds | awk -v synced="$synced" '{print $1 + synced}'
		;;
	*)
		cmp "$dir/new" "$dir/dest" >&2
		echo "$spent"
		;;
	esac
}

# measure TOOL ROUNDS: sets seconds[TOOL].
declare -A seconds
measure() {
	local all=()
	for _ in $(seq "$2"); do
		reset_dest
		[ "$1" = rsync ] || start_server
		all+=("$(time_once "$1")")
		stop_server
	done
	seconds[$1]=$(median "${all[@]}")
}

row() {
	echo "${seconds[$1]} ${seconds[dsync]} ${seconds[floor]}" |
		awk -v what="$2" '{printf "  %-34s %8.2f s %10.2f x %9.2f x\n",
			what, $1, $1 / $2, $1 / $3}'
}

# bench PERCENT RUN_KIB
bench() {
	local changed
	changed=$(python3 "$here/workload.py" "$dir" "$size_mib" "$1" "$2" 1)
	cp "$dir/old" "$dir/dest"
	measure dsync "$rounds"
	measure fio_4 "$rounds"
	measure fio_1 "$rounds"
	measure nbdcopy "$slow_rounds"
	measure rsync "$slow_rounds"
	seconds[floor]=$(printf '%s\n' "${seconds[fio_4]}" "${seconds[fio_1]}" |
		sort -n | head -n 1)
	printf '\n%s MiB, %s %% changed in runs of %s KiB: %s\n' \
		"$size_mib" "$1" "$2" "$changed"
	printf '  %-34s %10s %12s %11s\n' '' time 'of dsync' 'of floor'
	row dsync 'dsync-vm ship'
	row fio_4 'fio, same requests, 4 connections'
	row fio_1 'fio, same requests, 1 connection'
	row nbdcopy 'nbdcopy, whole disk'
	row rsync 'rsync --inplace --no-whole-file'
}

bench 5 4
bench 1 256
