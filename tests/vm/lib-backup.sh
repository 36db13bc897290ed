# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of backups: a host with a repository on a real filesystem, a
# domain that a test writes through, and comparisons of whole disks. Source
# after lib.sh; wants "# disks: 64M 1G" or more in the test's header: the
# domain's second disk, and what the host's filesystem is made on.

requires jq qemu-nbd qemu-img

SEED=${SEED:-$((RANDOM * 32768 + RANDOM))}
echo "seed $SEED"
RANDOM=$SEED

# make_host: a filesystem at ./host with ./host/repository, and libvirtd.
make_host() {
	read -r block host_disk <<<"$DISKS"
	mkfs.ext4 -q "$host_disk"
	mkdir host
	mount "$host_disk" host
	cleanup_fn umount host
	mkdir host/repository
	repository=$PWD/host/repository
	start_libvirtd
}

# make_domain NAME: a running dummy on a file (vda) and a block device (vdb).
make_domain() {
	truncate -s 64M "$PWD/host/$1.raw"
	define_dummy "$1" "$PWD/host/$1.raw" "$block"
	dsync-vm attach -q "$1"
	virsh -q start "$1"
	cleanup_fn destroy_quietly "$1"
}

destroy_quietly() {
	virsh -q destroy "$1" &>/dev/null || :
}

# scribble NAME [COUNT]: random writes and zeroes on both disks, in one call of
# virsh: starting it takes longer than all of them.
scribble() {
	local name=$1 count=${2:-20} script='' verb offset length out
	while [ $((count--)) -gt 0 ]; do
		offset=$((RANDOM % (60 * 256) * 4))k
		length=$(((RANDOM % 64 + 1) * 4))k
		verb="-P $((RANDOM % 255 + 1))"
		[ $((RANDOM % 4)) != 0 ] || verb=-z
		script+="qemu-monitor-command --hmp $name 'qemu-io -d \
$(dummy_disk $((RANDOM % 2))) \"write $verb $offset $length\"';"
	done
	out=$(virsh -q "$script")
	[[ $out != *[Ee]rror* && $out != *failed* ]] || fail "scribble: $out"
}

# backup NAME TARGET [OPTION]...: its report is in report.json, its exit code
# in $status.
backup() {
	local name=$1 target=$2
	shift 2
	# shellcheck disable=SC2034 # for the test
	dsync-vm backup "$@" "$name" "$target" --output json \
		>report.json 2>report.err && status=0 || status=$?
	cat report.err
}

report() {
	jq -r "$1" report.json
}

# keep NAME DIR: copies of both disks as they are now.
keep() {
	mkdir -p "$2"
	dd if="/dev/mapper/dsync-$1-vda" of="$2/vda" bs=1M iflag=direct \
		conv=sparse status=none
	dd if="/dev/mapper/dsync-$1-vdb" of="$2/vdb" bs=1M iflag=direct \
		conv=sparse status=none
}

# expect_point NAME POINT DIR: the point's images, read by stock tools, are
# the disks kept in DIR.
expect_point() {
	local disk
	for disk in vda vdb; do
		qemu-img compare -q -U -f qcow2 -F raw \
			"$repository/$1/disks/$disk/$2.qcow2" "$3/$disk" ||
			fail "$disk of point $2 is not what it was"
		expect_equal "$(qemu-img info -U --output=json \
			"$repository/$1/disks/$disk/$2.qcow2" |
			jq '."virtual-size"')" "$(stat -c %s "$3/$disk")"
	done
}

# --- at a given moment -----------------------------------------------------

# catch_cut SIGNAL PID DISK: signals that run while DISK of web1 is
# suspended; fails if it never was.
catch_cut() {
	local number
	number=$(dmsetup info -c --noheadings -o minor "dsync-web1-$3")
	"$BUILD/tests/vm/catch" "$1" "$2" "$number"
}

# catch_run SIGNAL DISK COMMAND...: runs it until a run, $pid, got that signal
# while DISK of web1 was suspended: those milliseconds may pass while nobody looks.
catch_run() {
	local signal=$1 disk=$2 tries=5
	shift 2
	while [ $((tries--)) -gt 0 ]; do
		"$@" &
		pid=$!
		! catch_cut "$signal" $pid "$disk" || return 0
		wait $pid || :
	done
	fail "no run was seen while $disk was suspended: $*"
}

# can_stand: from now on servers can be made to stand before they answer.
can_stand() {
	mkdir standing
	cat >standing/qemu-nbd <<-EOF
	#!/bin/bash
	if [ -e $PWD/standing/next ]; then
		rm $PWD/standing/next
		echo \$\$ >$PWD/standing/server
		kill -STOP \$\$
	fi
	exec $(command -v qemu-nbd) "\$@"
	EOF
	chmod +x standing/qemu-nbd
	PATH=$PWD/standing:$PATH
}

# while_standing COMMAND...: each is run while a server stands, one after the
# other; that is, after the cut and before a disk is sent. Begin it with
# "touch standing/next", put it in the background, and wait for it after the
# backup.
while_standing() {
	local command server
	for command; do
		wait_until 100 stands
		read -r server <standing/server
		rm standing/server
		eval "$command"
		[ "$command" = "${*: -1}" ] || touch standing/next
		kill -CONT "$server"
	done
}

stands() {
	local server state _
	[ -s standing/server ] && read -r server <standing/server &&
		read -r _ _ state _ <"/proc/$server/stat" && [ "$state" = T ]
}

# expect_clean NAME: nothing of a backup is left but the domain's own devices.
expect_clean() {
	local disk
	! pgrep -x qemu-nbd >/dev/null || fail 'a qemu-nbd was left behind'
	! pgrep -f 'dsync-vm watchdog' >/dev/null ||
		fail 'a watchdog was left behind'
	! dmsetup ls | grep -q -e '-hold\s' || fail 'a hold was left behind'
	! losetup -l | grep -q '\.store' || fail 'a store was left behind'
	for disk in vda vdb; do
		expect_equal "$(dmsetup info -c --noheadings -o suspended \
			"dsync-$1-$disk")" Active
	done
}
