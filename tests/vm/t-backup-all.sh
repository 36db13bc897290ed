#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# backup --all makes a point of every domain that it can, goes on past one that
# it cannot, and exits with the worst; interrupted, it ends those under way
# cleanly and begins no other.
# disks: 64M 1G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

# make_stopped NAME: an attached domain with one disk of 16 MiB.
make_stopped() {
	truncate -s 16M "host/$1.raw"
	head -c 8M /dev/urandom | dd of="host/$1.raw" conv=notrunc status=none
	define_dummy "$1" "$PWD/host/$1.raw"
	dsync-vm attach -q "$1"
}

# all OPTION...: its report is in report.json, its exit code in $status.
all() {
	dsync-vm backup --all --output json "$@" >report.json 2>report.err &&
		status=0 || status=$?
	cat report.err
}

points() {
	dsync-vm list "$1" nas --output json 2>/dev/null |
		jq '.domains[0].points | length'
}

make_host
make_domain web1
make_stopped db1
make_stopped db2
make_stopped db3
truncate -s 1M host/other.raw
define_dummy other "$PWD/host/other.raw"
mkdir -p /etc/dsync-vm
cleanup_fn rm -f /etc/dsync-vm/dsync-vm.conf
cat >/etc/dsync-vm/dsync-vm.conf <<-EOT
[target nas]
location = $repository
[backup]
target = nas
freeze = no
[domain db1]
freeze = require
EOT

all --jobs 3
expect_equal "$status" 0
expect_equal "$(report '.domains | map(.domain) | join(" ")')" 'db1 db2 db3 web1'
expect_equal "$(report '.domains | map(.exit_code) | add')" 0
for name in db1 db2 db3; do
	qemu-img compare -q -U -f raw -F qcow2 host/$name.raw \
		"$repository/$name/disks/vda/$(report ".domains[] |
			select(.domain == \"$name\").point").qcow2"
done
keep web1 was
expect_point web1 "$(report '.domains[3].point')" was
dsync-vm list nas

# One whose disk is gone, and one that another backup has: the others go on.
mv host/db2.raw host/gone.raw
exec {lock}>"/run/dsync-vm/$(virsh -q domuuid db1)/backup.lock"
flock -x "$lock"
all
expect_equal "$status" 1
expect_equal "$(report '.domains | map(.exit_code) | join(" ")')" '5 1 0 0'
expect_equal "$(report .ok)" false
[ "$(report '.domains[1].error')" != null ]
expect_equal "$(points db1) $(points db2) $(points db3) $(points web1)" '1 1 2 2'
dsync-vm backup --all | tee out && status=0 || status=$?
expect_equal "$status" 1
grep -q '^db1  *5 .*another backup' out
grep -q '^2 of 4 domains backed up' out
mv host/gone.raw host/db2.raw
all
expect_equal "$status" 5
flock -u "$lock"

# Interrupted while one has sent nothing yet.
can_stand
touch standing/next
dsync-vm backup --all --output json >report.json 2>report.err &
pid=$!
wait_until 60 stands
kill -TERM $pid
# Whether it is still there: a backup that ends takes it along.
kill -CONT "$(cat standing/server)" 2>/dev/null || :
wait $pid && status=0 || status=$?
rm -f standing/server
expect_equal "$status" 1
expect_equal "$(report '.domains | map(.begun) | join(" ")')" 'true false false false'
grep -q interrupted report.err
expect_clean web1
all
expect_equal "$status" 0

# What attach did to a running domain, its next start brings: it is left out.
truncate -s 1M host/web2.raw
define_dummy web2 "$PWD/host/web2.raw"
virsh -q start web2
dsync-vm attach -q web2
all
expect_equal "$status" 3
grep -q 'web2: is attached, which takes effect at its next start' report.err
virsh -q destroy web2
