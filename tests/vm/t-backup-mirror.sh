#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mirror becomes equal to the disks, changes by what they changed, and is
# right again after its server had failed; one of another size is refused.
# long
# disks: 64M 1G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

serve() { # DISK IMAGE
	qemu-nbd -t -e 8 -f raw -k "$PWD/$1.sock" --fork \
		--pid-file "$PWD/$1.pid" "$2"
}

stop_servers() {
	local pid disk
	for disk in vda vdb; do
		[ -e $disk.pid ] || continue
		pid=$(cat $disk.pid)
		kill "$pid" 2>/dev/null || :
		wait_until 10 not kill -0 "$pid" 2>/dev/null
		rm -f $disk.pid
	done
}

expect_mirror() {
	keep web1 now
	cmp host/mirror-vda now/vda
	cmp host/mirror-vdb now/vdb
}

make_host
make_domain web1
cleanup_fn stop_servers
truncate -s 64M host/mirror-vda host/mirror-vdb
serve vda host/mirror-vda
serve vdb host/mirror-vdb
mirror="nbd+unix:///?socket=$PWD/{disk}.sock"

scribble web1 40
backup web1 "$mirror" --no-freeze
expect_equal "$status" 0
expect_mirror
dummy_write web1 1 8M 8k 0x33
backup web1 "$mirror" --no-freeze
expect_equal "$status" 0
expect_equal "$(report '.disks | map(.sent_bytes) | add')" 8192
expect_mirror

# One URI cannot be two disks.
backup web1 "nbd+unix:///?socket=$PWD/vda.sock" --no-freeze
expect_equal "$status" 2
grep -q '{disk}' report.err

# Gone before: nothing is forgotten.
stop_servers
scribble web1
backup web1 "$mirror" --no-freeze
expect_equal "$status" 1
serve vda host/mirror-vda
serve vdb host/mirror-vdb
backup web1 "$mirror" --no-freeze
expect_equal "$status" 0
expect_mirror

# Gone in the middle: the first write kills it.
dying() { # DISK
	# shellcheck disable=SC2016 # the plugin's variables
	nbdkit -U "$PWD/$1.sock" -P "$PWD/$1.pid" eval get_size='echo 64M' \
		pread="dd if=$PWD/host/mirror-$1 skip=\$4 count=\$3 status=none \
			iflag=skip_bytes,count_bytes" \
		can_write='exit 0' can_flush='exit 0' flush='exit 0' \
		pwrite='kill -KILL $PPID'
}
requires nbdkit
stop_servers
dying vda
dying vdb
scribble web1
backup web1 "$mirror" --no-freeze
expect_equal "$status" 1
expect_clean web1
stop_servers
serve vda host/mirror-vda
serve vdb host/mirror-vdb
backup web1 "$mirror" --no-freeze
expect_equal "$status" 0
expect_mirror

# Another size.
stop_servers
truncate -s 32M host/small
serve vda host/small
serve vdb host/mirror-vdb
backup web1 "$mirror" --no-freeze
expect_equal "$status" 6
grep -q size report.err
stop_servers

# Another content behind the same URI.
truncate -s 64M host/other
serve vda host/other
serve vdb host/mirror-vdb
scribble web1 2
backup web1 "$mirror" --no-freeze
expect_equal "$status" 4
keep web1 now
cmp host/other now/vda
stop_servers

# A server that cannot flush confirms nothing, so nothing is settled.
zeroes() { # DISK: reads as zeroes, forgets what is written
	# shellcheck disable=SC2016 # the plugin's variables
	nbdkit -U "$PWD/$1.sock" -P "$PWD/$1.pid" eval get_size='echo 64M' \
		pread='head -c $3 /dev/zero' can_write='exit 0' \
		pwrite='cat >/dev/null' can_flush='exit 3' can_zero='exit 0' \
		zero='exit 0'
}
mkdir none
mirror="nbd+unix:///?socket=$PWD/none/{disk}.sock"
(cd none && zeroes vda && zeroes vdb)
cleanup_fn eval '(cd none && stop_servers)'
for try in 1 2; do
	backup web1 "$mirror" --no-freeze
	expect_equal "$status" 8 "try $try"
	grep -q flush report.err
done
