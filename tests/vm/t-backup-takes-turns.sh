#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A long backup lets another one of the same domain that waits go first, between
# two disks and between two windows of a disk, and goes on with a new cut where
# it was: what it had sent is not sent again, each point is the disks as they
# were at its own last cut, byte for byte, and the next backup of either is
# incremental.
# disks: 640M 2G
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

conf=/etc/dsync-vm/dsync-vm.conf
mkdir -p "${conf%/*}"
cleanup_fn rm -f $conf

# start_other TARGET: a backup there, which waits for its turn, and keeps it when
# it has it.
start_other() {
	echo $'[backup]\nturn = 1h' >$conf
	: >other.err
	{
		dsync-vm backup web1 "$1" --no-freeze --wait 5m \
			--output json >other.json 2>other.err && code=0 || code=$?
		echo "$code" >other.status
		echo other >>ended
	} &
	wait_until 30 grep -q 'waiting for it' other.err
}

# end_other TARGET DIR: it came to its end, and its point is what is kept there.
end_other() {
	wait_until 60 test -s other.status
	cat other.err
	expect_equal "$(cat other.status)" 0
	rm other.status
	repository=$1 \
		expect_point web1 "$(jq -r .point other.json)" "$2"
}

make_host
other=$PWD/host/other
mkdir "$other"
make_domain web1
can_stand
echo $'[backup]\nturn = 1s' >$conf
scribble web1 40

# In their order: one server each that stands, of the first cut, of the other
# backup, of the second cut.
touch standing/next
while_standing \
	"start_other $other; scribble web1 20; keep web1 first" \
	'scribble web1 20; keep web1 second' \
	: \
	"end_other $other first" \
	"start_other $other; scribble web1 20; keep web1 third" &
writer=$!
backup web1 "$repository" --no-freeze
echo main >>ended
wait $writer
end_other "$other" third
expect_equal "$status" 0
expect_equal "$(xargs <ended)" 'other other main'
expect_equal "$(sed -n 's/.*goes first; \(.*\) are left/\1/p' report.err | xargs)" \
	'640 MiB 384 MiB'
expect_point web1 "$(report .point)" third
expect_clean web1

# What was written at first went once, what was written meanwhile once more.
sent=$(report '.disks | map(.sent_bytes) | add')
content=$(du -cB1 third/vda third/vdb | tail -n 1 | cut -f1)
[ "$sent" -le $((content + 40 * 64 * 4096)) ] ||
	fail "$sent bytes were sent, of $content"

for target in "$repository" "$other"; do
	scribble web1 5
	keep web1 was
	backup web1 "$target" --no-freeze
	expect_equal "$status" 0
	expect_equal "$(report '.disks | map(.full) | unique | .[]')" false
	repository=$target expect_point web1 "$(report .point)" was
	dsync-vm verify -q web1 "$target" --all
done

# It does not give way to one that could not begin before it has ended.
echo $'[backup]\nturn = 1s' >$conf
scribble web1 20
keep web1 was
touch standing/next
while_standing "start_other $repository" &
writer=$!
backup web1 "$repository" --no-freeze
wait $writer
expect_equal "$status" 0
! grep -q 'goes first' report.err || fail 'it gave way'
expect_point web1 "$(report .point)" was
end_other "$repository" was
