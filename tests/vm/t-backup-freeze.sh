#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest that does not answer is backed up unquiesced, with a warning, and is
# never left frozen; one that somebody else froze stays frozen.
# disks: 128M 1G
# mem: 2G
# timeout: 500
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

freeze_state() {
	agent web1 '{"execute":"guest-fsfreeze-status"}' | jq -r .return
}

is_thawed() {
	[ "$(freeze_state)" = thawed ]
}

runs() {
	! dmsetup info -c --noheadings -o suspended dsync-web1-vda \
		dsync-web1-vdb | grep -q Suspended
}

expect_running() {
	runs || fail 'a disk is suspended'
}

make_host
file=$PWD/host/web1.raw
truncate -s 64M "$file"
mkfs.ext4 -q "$block"
define_guest web1 "$file" "$block"
dsync-vm attach -q web1
virsh -q start web1

# The guest has not come up yet: no agent.
backup web1 "$repository" --freeze-timeout 2
expect_equal "$status" 3
expect_equal "$(report .consistency)" crash
expect_equal "$(report .freeze_ms)" 0

guest_wait_agent web1
backup web1 "$repository"
expect_equal "$status" 0
expect_equal "$(report .consistency)" frozen
expect_equal "$(freeze_state)" thawed
[ "$(report .freeze_ms)" -gt 0 ]

# Frozen by somebody else.
virsh -q domfsfreeze web1
backup web1 "$repository"
expect_equal "$(report .consistency)" frozen
expect_equal "$(freeze_state)" frozen
virsh -q domfsthaw web1

# The tool is killed or stops, whenever that is.
for signal in KILL STOP; do
	dsync-vm backup web1 "$repository" -q &
	pid=$!
	wait_until 60 pgrep -f 'dsync-vm watchdog' >/dev/null
	kill -$signal $pid
	wait_until 120 is_thawed
	expect_running
	kill -KILL $pid 2>/dev/null || :
	wait $pid || :
	wait_until 120 not pgrep -f 'dsync-vm watchdog' >/dev/null
	expect_equal "$(freeze_state)" thawed
	wait_until 30 not pgrep -x qemu-nbd >/dev/null
done

# It is killed between suspend and resume.
for disk in vda vdb; do
	catch_run KILL $disk dsync-vm backup web1 "$repository" -q
	wait_until 30 runs
	wait $pid || :
	wait_until 120 not pgrep -f 'dsync-vm watchdog' >/dev/null
	expect_equal "$(freeze_state)" thawed
done

# It stands there, and so does the frozen guest, with its agent: the disks are
# resumed without it, and the guest is thawed as soon as it goes on.
catch_run STOP vda dsync-vm backup web1 "$repository" -q
guest_pid=$(</run/libvirt/qemu/web1.pid)
kill -STOP "$guest_pid"
wait_until 30 runs
kill -0 "$(pgrep -f 'dsync-vm watchdog')"
kill -CONT "$guest_pid"
wait_until 120 is_thawed
wait $pid || :
wait_until 120 not pgrep -f 'dsync-vm watchdog' >/dev/null
backup web1 "$repository"
expect_equal "$status" 0

# The agent is there, and does not answer: it stops itself, once it has said
# that it will.
# shellcheck disable=SC2016 # the guest's variables
agent web1 '{"execute": "guest-exec", "arguments": {"path": "/bin/sh",
	"arg": ["-c", "sleep 1; kill -STOP $(pidof qemu-ga)"]}}'
wait_until 60 not virsh -q qemu-agent-command --timeout 2 web1 \
	'{"execute": "guest-ping"}' &>/dev/null
backup web1 "$repository" --freeze-timeout 2
expect_equal "$status" 3
expect_equal "$(report .consistency)" crash
expect_running
virsh -q destroy web1
wait_until 60 not pgrep -f 'dsync-vm watchdog' >/dev/null
