# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of attach, detach and the hook; source after lib.sh.

# next_xml DOMAIN: what the next start takes.
next_xml() {
	virsh -q dumpxml --inactive --security-info "$1"
}

# source_of DOMAIN TARGET: as it runs, or as it will.
source_of() {
	virsh -q domblklist "$1" | awk -v target="$2" '$1 == target { print $2 }'
}

# target_of DEVICE: the device-mapper target it has, nothing if it is absent.
target_of() {
	dmsetup table "$1" 2>/dev/null | awk '{ print $3 }'
}

# expect_no_devices: no device of ours, no loop device on a file in here.
expect_no_devices() {
	local found
	found=$(dmsetup ls 2>/dev/null | grep '^dsync-' || :)
	[ -z "$found" ] || fail "left behind: $found"
	found=$(losetup -n -O NAME,BACK-FILE | grep -F "$PWD" || :)
	[ -z "$found" ] || fail "left behind: $found"
}

# expect_error EXIT TEXT COMMAND...: it fails so, with one line that has TEXT.
expect_error() {
	local want=$1 text=$2 status=0
	shift 2
	"$@" >out 2>err || status=$?
	cat err
	[ $status = "$want" ] || fail "exit $status instead of $want: $*"
	grep -qF -e "$text" err || fail "no '$text' in: $(<err)"
	expect_equal "$(wc -l <err)" 1 'lines of error'
}
