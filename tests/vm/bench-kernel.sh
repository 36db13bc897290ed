#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Measures dm-dsync beside dm-linear, dm-era and dm-snapshot, and prints
#
#	STAGE SUBJECT ROUND KEY VALUE
#
# for `ci/bench kernel`, which runs this with --icount: there a nanosecond is an
# instruction, the machine's only processor does one in each, and a wait costs
# what the device is said to need, on any host.
#
# All disks are null_blk: in memory, each request done LATENCY_NS after it was
# made, whatever else is under way, which is what a good SSD comes to. Those for
# metadata have a volatile cache, so that flushes are really sent. What only
# counts instructions has disks that answer at once.
#
# STAGES: which ones; ROUNDS: each with a seed of its own; SEED: the first one.
#
# timeout: 1000000
# mem: 6G
. "$TOP/tests/vm/lib.sh"
# shellcheck source=tests/vm/lib-module.sh
. "$TOP/tests/vm/lib-module.sh"

# What the host chose: this machine has no environment of its own.
# shellcheck source=/dev/null
[ ! -e /run/vm/bench ] || . /run/vm/bench
STAGES=${STAGES:-hot cold region thrash sequential hold instructions cut memory}
ROUNDS=${ROUNDS:-3} SEED=${SEED:-1} LATENCY_NS=${LATENCY_NS:-100000}

tell() {
	echo "$*"
}

# --- disks --------------------------------------------------------------

nullb=/sys/kernel/config/nullb

# disk NAME MIB [ATTRIBUTE=VALUE]...: sets disk[NAME]. The last ones win.
declare -A disk
disk() {
	local name=$1 dir=$nullb/$1 setting
	mkdir "$dir"
	for setting in size="$2" memory_backed=1 irqmode=2 blocksize=512 \
		completion_nsec="$LATENCY_NS" hw_queue_depth=256 "${@:3}"; do
		echo "${setting#*=}" >"$dir/${setting%%=*}"
	done
	echo 1 >"$dir/power"
	disk[$name]=/dev/nullb$(<"$dir/index")
	[ -b "${disk[$name]}" ] || disk[$name]=/dev/$name
}

# For metadata: most are written again and again, so what the cache does not
# hold is no matter.
cached='cache_size=8'
# As fast as its instructions
at_once=(irqmode=0 completion_nsec=0)
# Of any size, as what is written there is forgotten
void='memory_backed=0'

remove_all() {
	local name dir
	for name in view snapshot era dsync dsync-{ram,992,3968,15872} linear \
		hold; do
		dm_remove "$name"
	done
	for dir in "$nullb"/*/; do
		[ ! -d "$dir" ] || rmdir "$dir"
	done
	disk=()
}

# --- subjects -----------------------------------------------------------
# Each has a data disk of MIB, and its own disk for anything else.

make_linear() {
	disk linear-data "$@"
	dm_create linear "0 $(sectors "${disk[linear-data]}") linear \
		${disk[linear-data]} 0"
}

# begin_epoch NAME: and sets suspended_us.
epochs=0
begin_epoch() {
	epochs=$((epochs + 1))
	suspended_us=$("$cut" "$1" "$(id $epochs)")
}

# next_epoch NAME: nothing is dirty, no region active.
next_epoch() {
	begin_epoch "$1"
	expect_equal "$(message "$1" epoch_end "$(id $epochs)")" ''
	flush "$1"
}

flush() {
	expect_equal "$(message "$1" flush)" ''
}

# make_dsync NAME OPTIONS MIB [ATTRIBUTE]...
make_dsync() {
	local name=$1 options=$2
	shift 2
	disk "$name-data" "$@"
	[ -n "${disk[$name-meta]-}" ] ||
		disk "$name-meta" "$(($1 / 15360 + 16))" "${@:2}" \
			memory_backed=1 $cached
	track_on "$name" "${disk[$name-data]}" "${disk[$name-meta]}" 8 \
		"$options"
	next_epoch "$name"
}

make_dsync_ram() {
	disk dsync-ram-data "$@"
	track dsync-ram "${disk[dsync-ram-data]}"
	next_epoch dsync-ram
}

make_era() {
	disk era-data "$@"
	disk era-meta 256 "${@:2}" memory_backed=1 $cached
	dm_create era "0 $(sectors "${disk[era-data]}") era ${disk[era-meta]} \
		${disk[era-data]} 8"
}

# A persistent one, with chunks of 4 KiB, as LVM makes them.
make_snapshot() {
	disk snapshot-data "$@"
	disk snapshot-meta 2048 "${@:2}" memory_backed=1 $cached
	dm_create snapshot "0 $(sectors "${disk[snapshot-data]}") \
		snapshot-origin ${disk[snapshot-data]}"
	dm_create view "0 $(sectors "${disk[snapshot-data]}") snapshot \
		${disk[snapshot-data]} ${disk[snapshot-meta]} P 8"
}

make_all() {
	make_linear "$@"
	make_dsync dsync '' "$@"
	make_era "$@"
	make_snapshot "$@"
}
subjects='linear dsync era snapshot'

# What is hot is cold again, for those that can have that.
cool() {
	next_epoch dsync
	[ ! -e /dev/mapper/era ] || dmsetup message era 0 checkpoint
}

# --- load ---------------------------------------------------------------

jobs=
# job NAME DEVICE OPTION...: after those before it
job() {
	job_beside "$@" stonewall
}

job_beside() {
	local option
	jobs+="[$1]"$'\n'"filename=/dev/mapper/$2"$'\n'
	for option in "${@:3}"; do
		jobs+=$option$'\n'
	done
}

# run_jobs STAGE KEY...: tells what the jobs did whose names are SUBJECT/ROUND,
# or SUBJECT/ROUND/STAGE if they belong to another one. The others are only run.
run_jobs() {
	local stage=$1 name key value subject round own
	shift
	fio --output=fio.json --output-format=json --lat_percentiles=1 - <<-EOF
	[global]
	direct=1
	thread
	ioengine=libaio
	bs=4k
	rw=randwrite
	randseed=$SEED
	clocksource=clock_gettime
	$jobs
	EOF
	jobs=
	jq -r --arg keys "$*" '.jobs[] |
		select(.jobname | contains("/")) |
		.write as $w |
		{iops: $w.iops, mean: $w.lat_ns.mean,
		 p50: $w.lat_ns.percentile."50.000000",
		 p99: $w.lat_ns.percentile."99.000000"} as $all |
		.jobname as $name | $keys | split(" ")[] |
		"\($name) \(.) \($all[.])"' fio.json |
		while read -r name key value; do
			IFS=/ read -r subject round own <<<"$name"
			tell "${own:-$stage}" "$subject" "$round" "$key" "$value"
		done
}

# count_meta STAGE ROUND WRITES SUBJECT... -- COMMAND...: what it does to the
# disks for metadata, for each of the writes that each subject gets
count_meta() {
	local stage=$1 round=$2 writes=$3 subject names=() before=() i=0
	shift 3
	while [ "$1" != -- ]; do
		names+=("$1")
		before+=("$(meta_io "$1")")
		shift
	done
	"${@:2}"
	for subject in "${names[@]}"; do
		read -r -a was <<<"${before[i++]}"
		read -r -a is <<<"$(meta_io "$subject")"
		tell "$stage" "$subject" "$round" meta_writes \
			"$(per $((is[0] - was[0])) "$writes")"
		tell "$stage" "$subject" "$round" meta_bytes \
			"$(per $(((is[1] - was[1]) * 512)) "$writes")"
		tell "$stage" "$subject" "$round" flushes \
			"$(per $((is[2] - was[2])) "$writes")"
	done
}

# meta_io SUBJECT: writes, sectors, flushes
meta_io() {
	awk '{ print $5, $7, $16 }' \
		"/sys/block/${disk[$1-meta]#/dev/}/stat"
}

per() {
	echo "$1 $2" | awk '{ printf "%.4f\n", $1 / $2 }'
}

rounds() {
	seq "$ROUNDS"
}

# --- stages -------------------------------------------------------------

# Random writes over 32 MiB that were written to before
stage_hot() {
	local subject round
	make_all 1024
	for subject in $subjects; do
		job warm "$subject" rw=write bs=1m size=32m
	done
	run_jobs hot
	for depth in 1 32; do
		for round in $(rounds); do
			for subject in $subjects; do
				job warm "$subject" rw=write:1020k size=32m
				job "$subject/$round" "$subject" size=32m \
					norandommap iodepth=$depth \
					io_size=$((depth == 1 ? 16 : 48))m
			done
		done
		run_jobs hot-$depth iops
	done
}

# cold_pass STAGE AGAIN OPTION...: all subjects in turn; twice, if there is a
# stage for the second time. That follows at once: the clock may leap from one
# fio to the next, and what was active is not for long.
cold_pass() {
	local subject pass stage=$1 again=$2
	shift 2
	for subject in $subjects; do
		for pass in '' ${again:+"/$again"}; do
			job "$subject/$round$pass" "$subject" "$@" \
				"replay_redirect=/dev/mapper/$subject"
		done
	done
	run_jobs "$stage" iops
}

# The first write to each block, and then the same once more
stage_cold() {
	local round depth area=0 writes
	make_all 4096
	for depth in 1 32; do
		writes=$((depth == 1 ? 1024 : 4096))
		for round in $(rounds); do
			cool
			random_order $area $writes >order
			count_meta cold-$depth "$round" $writes \
				dsync era snapshot -- \
				cold_pass cold-$depth again-$depth \
				iodepth=$depth read_iolog="$PWD/order"
			area=$((area + 256))
		done
	done
}

# random_order MIB WRITES: for fio, in the 256 MiB from there on, each block
# once. Two jobs would not choose the same.
random_order() {
	printf '%s\n' 'fio version 2 iolog' 'disk add' 'disk open'
	awk -v seed="$((SEED + $1))" -v from="$1" -v left="$2" 'BEGIN {
		for (srand(seed); left; ) {
			block = int(rand() * 65536)
			if (!seen[block]++ && left--)
				print "disk write", from * 1048576 + block * 4096, 4096
		}
	}'
	echo 'disk close'
}

# One write into each region: what there is at worst as long as the intents
# have room
stage_region() {
	local round depth area=0
	make_all 8192
	for depth in 1 32; do
		for round in $(rounds); do
			cool
			count_meta region-$depth "$round" 700 \
				dsync era snapshot -- \
				cold_pass region-$depth '' iodepth=$depth \
				rw=write:1020k offset=${area}m io_size=2800k
			area=$((area + 768))
		done
	done
}

# Random writes over more than the intents have room for
stage_thrash() {
	local gib
	for gib in 16 1024; do
		thrash_over $gib
		remove_all
	done
}

thrash_over() {
	local sizes='992 3968 15872' size depth round subject subjects=linear
	make_linear $(($1 * 1024))
	for size in $sizes; do
		make_dsync "dsync-$size" "2 active_regions $size" $(($1 * 1024))
		subjects+=" dsync-$size"
	done
	for size in $sizes; do # with the intents full
		job fill "dsync-$size" norandommap iodepth=32 \
			io_size=$((size * 4))k
	done
	run_jobs thrash
	for depth in 1 32; do
		for round in $(rounds); do
			for subject in $subjects; do
				job "$subject/$round" "$subject" norandommap \
					iodepth=$depth \
					io_size=$((depth == 1 ? 4 : 16))m
			done
		done
		# shellcheck disable=SC2086 # a list of names
		count_meta thrash-$1-$depth all \
			$((ROUNDS * (depth == 1 ? 1024 : 4096))) \
			${subjects#linear } -- run_jobs thrash-$1-$depth iops
	done
}

# 1 MiB each, over what was never written to, and then once more
stage_sequential() {
	local round subject pass
	make_all 1024
	for round in $(rounds); do
		cool
		for subject in $subjects; do
			for pass in new again; do
				job "$subject/$round/sequential-$pass" \
					"$subject" rw=write bs=1m iodepth=4 \
					size=48m offset=$((round * 48))m
			done
		done
		run_jobs sequential iops
	done
}

# Writes of a guest, while 64 of 1024 MiB are read for a backup: the whole of
# it is written to, or only what is held
stage_hold() {
	local round subject
	for round in $(rounds); do
		for subject in none dsync snapshot; do
			under_hold "$subject" 1024
			under_hold "$subject" 64
		done
	done
}

# under_hold SUBJECT MIB: writes to the first MIB
under_hold() {
	local writer=$1 reader=hold
	make_dsync dsync '' 1024
	case $1 in
	none)
		writer=dsync reader=dsync
		job fill dsync rw=write bs=1m size=64m
		run_jobs hold
		;;
	dsync)
		job fill dsync rw=write bs=1m size=64m
		run_jobs hold
		arm_hold
		;;
	snapshot)
		make_snapshot 1024
		reader=view
		;;
	esac
	job "$1/$round" "$writer" size="$2m" io_size=6m exitall
	job_beside reader $reader rw=read bs=1m size=64m time_based \
		runtime=1000
	run_jobs "hold-$2" p50 p99 iops
	remove_all
}

arm_hold() {
	disk hold-store 256
	dmsetup create hold --readonly --table "0 $(sectors /dev/mapper/dsync) \
		dsync-hold /dev/mapper/dsync ${disk[hold-store]}"
	cleanup_fn dm_remove hold
	begin_epoch dsync
}

# What a write costs the processor, its own time and its workers'
stage_instructions() {
	local subject round pass
	make_linear 1024 "${at_once[@]}"
	make_dsync_ram 1024 "${at_once[@]}"
	make_dsync dsync '' 1024 "${at_once[@]}"
	make_era 1024 "${at_once[@]}"
	make_snapshot 1024 "${at_once[@]}"
	for round in $(rounds); do
		cool
		for subject in linear dsync-ram dsync era snapshot; do
			for pass in -first ''; do
				job "$subject$pass/$round" "$subject" \
					ioengine=psync rw=write:28k \
					offset=$((round * 32))m size=32m io_size=4m
			done
		done
	done
	run_jobs instructions mean
}

# How long a device stands still as an epoch begins, with 2000 pages of the
# bitmap that are neither empty nor full; and dm-linear, if only suspended
stage_cut() {
	local tib round
	for tib in 1 16 64; do
		make_linear $((tib * 1048576)) $void
		for round in $(rounds); do
			tell "cut-$tib" linear "$round" us "$("$cut" linear)"
		done
		make_dsync dsync '' $((tib * 1048576)) $void
		for round in $(rounds); do
			job scatter dsync norandommap iodepth=32 io_size=8000k \
				random_generator=tausworthe64
			run_jobs cut
			flush dsync
			next_epoch dsync
			tell "cut-$tib" dsync "$round" us "$suspended_us"
		done
		remove_all
	done
}

# KiB that are gone
used() {
	sync
	echo 3 >/proc/sys/vm/drop_caches
	awk '$1 == "MemTotal:" { all = $2 } $1 == "MemFree:" { print all - $2 }' \
		/proc/meminfo
}

# For a disk of 1 TiB: idle, with a block written in each page of the bitmap,
# and after a cut, with the same once more
stage_memory() {
	local before kib
	job scatter dsync rw=write:134213632 bs=4k iodepth=32 io_size=32m
	local scatter=$jobs
	jobs=
	modprobe dm-dsync
	fio --version >/dev/null
	# Metadata is in memory, too: all of it before it is counted.
	disk dsync-meta 80 $cached
	dd if=/dev/zero of="${disk[dsync-meta]}" bs=1M status=none 2>/dev/null || :
	before=$(used)
	make_dsync dsync '' 1048576 $void
	kib=$(($(used) - before))
	tell memory dsync 1 idle $kib
	jobs=$scatter
	run_jobs memory
	flush dsync
	tell memory dsync 1 dirty $(($(used) - before))
	begin_epoch dsync
	jobs=$scatter
	run_jobs memory
	flush dsync
	tell memory dsync 1 epoch $(($(used) - before))
}

requires fio jq
cut=$(program cut)
modprobe configfs
mount -t configfs configfs /sys/kernel/config
cleanup_fn umount /sys/kernel/config
modprobe null_blk nr_devices=0
cleanup_fn remove_all
for stage in $STAGES; do
	start=$EPOCHREALTIME
	"stage_$stage"
	remove_all
	tell "# $stage took $(per "$((${EPOCHREALTIME/./} - ${start/./}))" \
		1000000) s of the machine's clock"
done
