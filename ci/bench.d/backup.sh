#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A backup of what changed of a disk, beside what else brings it to another place:
#   dsync-vm to a directory, and over ssh,
#   rsync --inplace over ssh,
#   blockmd5sync over ssh: an MD5 for each block, on both sides,
#   nbdcopy of the whole disk to qemu-nbd, through ssh,
#   virtnbdbackup of a guest with an equal disk on qcow2, to a directory (if it is
#     installed; Debian has it),
# and what a point takes up of few blocks, scattered over a large disk.
#
# SIZE_MIB (2048: minutes; 8192: the better part of an hour, of which rsync takes
# most), PERCENTS (1 5), RUNS_KIB (4 256), ROUNDS (3), SLOW_ROUNDS (1: of who
# reads all of the disk), SPARSE_GIB (1024), SCATTERED (5000). Takes up eight times
# the size of the disk.
set -euo pipefail

bench=$(cd "$(dirname "$0")" && pwd)
top=${bench%/ci/bench.d}
size_mib=${SIZE_MIB:-2048} rounds=${ROUNDS:-3} slow_rounds=${SLOW_ROUNDS:-1}
percents=${PERCENTS:-1 5} runs_kib=${RUNS_KIB:-4 256}
sparse_gib=${SPARSE_GIB:-1024} scattered=${SCATTERED:-5000}
DSYNC_VM=$BUILD/src/dsync-vm make_backup=$BUILD/tests/cli/make-backup
made=
dir=${BENCH_DIR:-}
[ -n "$dir" ] || made=$(mktemp -d "${TMPDIR:-/var/tmp}/dsync-bench.XXXXXX")
dir=$(cd "${dir:-$made}" && pwd -P) # of the disk: old, new, map, dest, base, repo
whole=$dir
ssh=$dir/ssh log=$dir/log
python=$(python3 -c 'import sys; print(sys.executable)') # not what looks for it
server=

# shellcheck source=ci/bench.d/lib/virtnbd.sh
. "$bench/lib/virtnbd.sh"
# shellcheck source=tests/sshd.sh
. "$top/tests/sshd.sh"

finish() {
	[ -z "$server" ] || kill "$server" || true
	stop_guest
	rm -rf "$whole"/{ssh,base,repo,sparse}
	[ -z "$made" ] || rm -rf "$made"
}
trap finish EXIT

# measure COMMAND...: prints its costs; $port leads to the far side.
measure() {
	(as_it_wants "$python" "$bench/measure.py" "$port" "$sshd" \
		"$ssh/sshd_config" "$ssh/log" "$@")
}

# ------------------------------------------------------------------ the peers

domain=(web aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa)

# begin_repo MAP: a first point, of what is in the map
begin_repo() {
	mkdir "$dir/base"
	"$make_backup" "$dir/base" "${domain[@]}" 1000 0 "vda:$dir/old:$1" \
		>"$ssh/log"
}

measure_backup() {
	measure "$make_backup" "$1" "${domain[@]}" 2000 0 "vda:$dir/new:$dir/map"
}
run_dsync_directory() { measure_backup "$dir/repo"; }
run_dsync_ssh() { measure_backup "ssh://127.0.0.1:$port$dir/repo"; }

run_rsync() {
	measure rsync --inplace --ignore-times --fsync \
		-e "$DSYNC_VM_SSH -p $port" "$dir/new" "127.0.0.1:$dir/dest"
}

run_md5() {
	# shellcheck disable=SC2086 # a command
	measure "$python" "$bench/blockmd5sync.py" "$dir/new" \
		$DSYNC_VM_SSH -p "$port" 127.0.0.1 \
		"$python" "$bench/blockmd5sync.py" --far "$dir/dest"
}

# copy_all FROM TO PORT DIR: the far qemu-nbd ends with its last client.
copy_all() {
	set -e
	local near=$4/near.socket far=$4/far.socket
	rm -f "$near" "$far"
	$DSYNC_VM_SSH -p "$3" -L "$near:$far" 127.0.0.1 qemu-nbd --shared=8 \
		--format=raw --cache=writeback --discard=unmap \
		--socket="$far" "$2" &
	while [ ! -S "$far" ]; do
		kill -0 "$!"
		sleep 0.02
	done
	nbdcopy --flush "$1" "nbd+unix:///?socket=$near"
	wait "$!"
}

run_nbdcopy() {
	measure bash -c "$(declare -f copy_all); copy_all \"\$@\"" sh \
		"$dir/new" "$dir/dest" "$port" "$ssh"
}

# ----------------------------------------------------------------- the rounds

used_bytes() { du -s --block-size=1 "$1" | cut -f 1; }

# Nothing of a disk is in the page cache, on either side.
chill() {
	sync -f "$dir"
	find "$dir/new" "$dir/dest" "$dir/repo" ${guest:+"$guest/disk.qcow2"} -type f |
		while read -r file; do
			dd if="$file" iflag=nocache count=0 status=none
		done
}

# What the point says is copied to where the others put it.
land_point() {
	local socket=$ssh/point.socket
	rm -f "$socket"
	qemu-nbd --read-only --shared=8 --format=qcow2 --socket="$socket" \
		"$dir"/repo/web/disks/vda/*3320Z.qcow2 &
	server=$!
	while [ ! -S "$socket" ]; do sleep 0.02; done
	"$DSYNC_VM" ship -q --map="$dir/map" --format=raw \
		"nbd+unix:///?socket=$socket" "$dir/dest"
	wait "$server" || true
	server=
}

# measure_peer WORKLOAD PEER ROUND: all begin with the same, and end with it.
measure_peer() {
	local place=$dir/dest before costs
	[[ $2 != dsync* ]] || place=$dir/repo
	rm -rf "$dir/repo"
	cp -al "$dir/base" "$dir/repo"
	chill
	before=$(used_bytes "$place")
	costs=$("run_$2")
	echo "$1 $2 $3 $costs $(($(used_bytes "$place") - before))" >>"$log"
	[[ $2 != dsync* ]] || land_point
	python3 "$bench/workload.py" compare "$dir"
	"$DSYNC_VM" ship -q --map="$dir/map" --format=raw "$dir/old" "$dir/dest"
}

# Its own processes, and those that were there.
run_virtnbd() {
	local before after
	before=$(guest_costs)
	after=$(measure bash -c "$(declare -f as_guest backup_guest)
		guest=\$1; backup_guest inc" sh "$guest")
	echo "$before $after $(guest_costs)" |
		awk '{print $3, $4 + $7 - $1, $5 + $8 - $2, $6}'
}

# measure_guest WORKLOAD ROUNDS: as the others, but its points stay, as they must.
measure_guest() {
	local before costs i
	for i in $(seq "$2"); do
		write_guest "$dir/new" "$dir/map"
		chill
		before=$(used_bytes "$guest/points")
		costs=$(run_virtnbd)
		echo "$1 virtnbd $i $costs $(($(used_bytes "$guest/points") - before))" \
			>>"$log"
		write_guest "$dir/old" "$dir/map"
		backup_guest inc >/dev/null
	done
}

# measure_peers WORKLOAD ROUNDS PEER...
measure_peers() {
	local workload=$1 count=$2 peer i
	shift 2
	for peer; do
		for i in $(seq "$count"); do
			measure_peer "$workload" "$peer" "$i"
		done
	done
}

# make_workload PERCENT RUN_KIB
make_workload() {
	python3 "$bench/workload.py" "$dir" "$size_mib" "$1" "$2" 1
}

# begin WORKLOAD TITLE: a table
begin() { echo "# $1 $2" >>"$log"; }

bench_changed() {
	local percent run workload
	make_workload 1 4 >/dev/null
	cp "$dir/old" "$dir/dest"
	begin_repo -
	! command -v virtnbdbackup >/dev/null || start_guest "$dir/guest" "$dir/old"
	for percent in $percents; do
		for run in $runs_kib; do
			workload=$percent-$run
			begin "$workload" "$size_mib MiB, $percent % changed in runs of $run KiB: $(make_workload "$percent" "$run")"
			measure_peers "$workload" "$rounds" dsync_directory dsync_ssh
			[ -z "$guest" ] || measure_guest "$workload" "$rounds"
			measure_peers "$workload" "$slow_rounds" rsync md5
		done
	done
	# It does not care for what changed.
	measure_peers "$workload" "$slow_rounds" nbdcopy
}

bench_scattered() {
	dir=$whole/sparse
	mkdir "$dir"
	begin scattered "$sparse_gib GiB, all holes, changed at random: $(
		python3 "$bench/workload.py" scatter "$dir" "$sparse_gib" "$scattered" 1)"
	# For a first point of all of it, all the holes would be read.
	printf '\001' >"$dir/first"
	truncate -s $((sparse_gib << 15)) "$dir/first"
	begin_repo "$dir/first"
	measure_peers scattered "$rounds" dsync_directory dsync_ssh
}

[ -x "$sshd" ] || {
	echo "bench: no $sshd; ci/setup fetches it" >&2
	exit 1
}
ninja -C "$BUILD" tests/cli/make-backup >/dev/null
mkdir "$ssh"
cd "$ssh"
configure_sshd "$(cd "$(dirname "$DSYNC_VM")" && pwd -P):$PATH"
: >"$log"
bench_changed
bench_scattered
python3 "$bench/backup.py" "$log"
