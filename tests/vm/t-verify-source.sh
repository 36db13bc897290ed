#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever a guest writes meanwhile, verify --source finds that its disks are what
# the newest point and the tracker say; it finds each block that was changed behind
# the tracker's back, names it, and the next backup to any target sends it. Ended
# or killed at any instant, it leaves the tracker and all pending sets as they were.
# disks: 64M 1G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-attach.sh"
. "$TOP/tests/vm/lib-backup.sh"

# verify [REPOSITORY]: as lib-backup.sh's backup does it.
verify() {
	dsync-vm verify --source web1 "${1:-$repository}" --output json \
		>report.json 2>report.err && status=0 || status=$?
	cat report.err
}

# verify_beside COMMAND...: see while_standing.
verify_beside() {
	touch standing/next
	while_standing "$@" &
	local writer=$!
	verify
	wait $writer
	expect_clean web1
}

# incremental [REPOSITORY]: a backup that takes what is pending to be all there is.
incremental() {
	keep web1 was
	backup web1 "${1:-$repository}" --no-freeze
	expect_equal "$status" 0
	expect_equal "$(report '.disks | map(.full) | unique | .[]')" false
}

expect_whole() {
	expect_point web1 "$(report .point)" was
}

# Behind the tracker's back, without the host's caches.
sneak() { # FILE BLOCK COUNT
	dd if=/dev/urandom of="$1" bs=4k seek="$2" count="$3" oflag=direct \
		conv=notrunc,nocreat status=none
}

busy() {
	pgrep -x qemu-nbd >/dev/null || pgrep -f 'dsync-vm watchdog' >/dev/null
}

conf=/etc/dsync-vm/dsync-vm.conf
mkdir -p /etc/dsync-vm
cleanup_fn rm -f $conf
make_host
make_domain web1
can_stand
mkdir host/other
other=$PWD/host/other
uuid=$(virsh -q domuuid web1)
blocks=$(($(blockdev --getsize64 "$block") / 4096))

# Nothing that could be compared yet.
scribble web1 40
backup web1 "$repository" --no-freeze
backup web1 "$other" --no-freeze
mv "/var/lib/dsync-vm/$uuid/pending" kept
expect_error 1 'there is nothing to prove' \
	dsync-vm verify --source web1 "$repository"
mv kept "/var/lib/dsync-vm/$uuid/pending"
expect_error 8 'has no sums' dsync-vm verify --source web1 'nbd://nowhere/{disk}'
expect_exit 2 dsync-vm verify --source web1 "$repository" latest

# All of it is compared, here by way of ssh.
cat >ssh <<'END'
#!/bin/bash
exec sh -c "${@: -1}"
END
chmod +x ssh
DSYNC_VM_SSH=$PWD/ssh verify "ssh://nowhere$repository"
expect_equal "$status" 0
expect_equal "$(report '.disks | map(.blocks) | add')" $((blocks + 64 * 256))
expect_equal "$(report '.disks | map(.changed) | add')" 0

# What was written before the cut is not, and what is written after it is as it
# was at the cut.
scribble web1 20
verify_beside 'scribble web1 60' 'scribble web1 50'
expect_equal "$status" 0
changed=$(report '.disks | map(.changed) | add')
[ "$changed" -gt 0 ] || fail 'it takes nothing for changed'
[ "$(report '.disks | map(.blocks) | add')" = \
	$((blocks + 64 * 256 - changed)) ] || fail 'it leaves something out'

# Nothing of that is forgotten.
incremental
expect_whole

# Three blocks that had something or nothing, next to one that was seen.
sneak "$block" 300 2
sneak host/web1.raw 4097 1
dummy_write web1 1 4k 4k 0x77
verify
expect_equal "$status" 7
cat report.json
point=$(dsync-vm list web1 "$repository" --output json |
	jq -r '.domains[0].points[-1].point')
expect_equal "$(report '.mismatches[] |
	"\(.disk) \(.first_block) \(.blocks) \(.point)"' | xargs)" \
	"vda 4097 1 $point vdb 300 2 $point"
expect_equal "$(report .mismatched)" 3
expect_equal "$(wc -l <report.err)" 1
for repo in "$repository" "$other"; do
	incremental "$repo"
	repository=$repo expect_whole
done
verify
expect_equal "$status" 0

# Killed in the cut; while it reads, before the domain is stopped; some time.
for round in $(seq 0 "${ROUNDS:-2}"); do
	scribble web1 10
	[ "$round" != 1 ] || touch standing/next
	if [ "$round" = 0 ]; then
		catch_run KILL vdb dsync-vm verify --source -q web1 "$repository"
	else
		dsync-vm verify --source -q web1 "$repository" >/dev/null 2>&1 &
		pid=$!
	fi
	case $round in
	0) ;;
	1)
		wait_until 100 stands
		scribble web1 10
		kill -KILL $pid
		kill -KILL "$(<standing/server)" 2>/dev/null || : # by itself
		rm standing/server
		wait_until 60 not busy
		virsh -q destroy web1
		virsh -q start web1
		;;
	*)
		pause "0.$((RANDOM % 900 + 100))"
		kill -$((RANDOM % 2 ? 9 : 2)) $pid 2>/dev/null || :
		;;
	esac
	wait $pid || :
	wait_until 60 not busy
	expect_clean web1
done
incremental
expect_whole

# Too little room.
printf '[hold]\nlimit = 64K\n' >$conf
verify_beside 'dummy_write web1 0 0 32M 0x31'
expect_equal "$status" 1
grep -q '64.0 KiB that its hold has room for, before that was compared' report.err
rm $conf
incremental
expect_whole

# A domain that is stopped; unless its disks were written to without the tracker.
virsh -q destroy web1
verify
expect_equal "$status" 0
sneak "$block" 77 1
expect_error 1 'there is nothing to prove' \
	dsync-vm verify --source web1 "$repository"
expect_no_devices
