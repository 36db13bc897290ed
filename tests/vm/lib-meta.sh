# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of metadata, with a domain web1; source after lib-backup.sh.
# shellcheck disable=SC2034,SC2154 # of lib-backup.sh, and for the test

# Where things are, once the domain is defined.
find_places() {
	uuid=$(virsh -q domuuid web1)
	state_dir=/var/lib/dsync-vm/$uuid
}

no_devices() {
	! dmsetup ls | grep -q dsync-web1 && ! losetup -l | grep -q "$uuid"
}

stop() {
	virsh -q destroy web1
	wait_until 10 no_devices
}

# lose_power: the domain stops, and of it is known what was while it ran, and no
# more.
lose_power() {
	local file files="meta/vda meta/vdb trust/vda trust/vdb"
	for file in $files; do
		mkdir -p "power/${file%/*}"
		dd if="$state_dir/$file" of="power/$file" bs=1M status=none
	done
	stop
	for file in $files; do
		dd if="power/$file" of="$state_dir/$file" bs=1M \
			conv=notrunc,fsync status=none
		truncate -r "power/$file" "$state_dir/$file"
	done
}

# status_of DISK KEY
status_of() {
	dsync-vm status web1 --output json |
		jq -r ".disks[] | select(.disk == \"$1\").$2"
}

# expect_incremental: the next backup sends changes only, and is right.
expect_incremental() {
	keep web1 was
	backup web1 "$repository" --no-freeze
	expect_equal "$status" 0
	expect_equal "$(report '.disks | map(.full) | unique | .[]')" false
	expect_point web1 "$(report .point)" was
}

# expect_full DISK...: of these disks it sends all, says so, and is right.
expect_full() {
	keep web1 was
	backup web1 "$repository" --no-freeze
	expect_equal "$status" 4
	expect_equal "$(report '.disks | map(select(.full).disk) | join(" ")')" \
		"$*"
	expect_point web1 "$(report .point)" was
}
