#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest's physical volumes and md members, on a dsync device, on the loop
# device below it, in a hold, are never looked at by the host's udev, let alone
# activated, whatever event comes; without our rule they are. Commands that look
# by themselves are kept off by what the manual gives for lvm.conf, mdadm.conf.
# disks: 96M 16M
# timeout: 900
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-attach.sh"
. "$TOP/tests/vm/lib-module.sh"

export LVM_SUPPRESS_FD_WARNINGS=1
udevd=/lib/systemd/systemd-udevd
requires udevadm lvm mdadm $udevd
read -r disk cow <<<"$DISKS"
cuts=0

# --- what guests made of their disks: volume groups, arrays --------------

# make_pv DEVICE VG
make_pv() {
	local inside='devices/scan_lvs=1' # for one on an LV of the host
	pvcreate -q --config $inside "$1"
	vgcreate -q --config $inside "$2" "$1"
	lvcreate -q --config $inside -an -Zn -Wn -l 100%FREE -n lv "$2"
}

# make_md DEVICE NAME
make_md() {
	mdadm -q --create --run --force --level=1 --raid-devices=1 \
		--metadata=1.2 --name="$2" /dev/md100 "$1"
	mdadm -q --stop /dev/md100
}

# in_file FILE COMMAND [ARG]...: COMMAND DEVICE ARG... on a loop device
in_file() {
	local loop file=$1 make=$2
	shift 2
	truncate -s 32M "$file"
	loop=$(losetup --find --show "$file")
	"$make" "$loop" "$@"
	losetup --detach "$loop"
}

# The host's own volume group. It is not ours to hide.
make_host() {
	vgcreate -q host "$1"
	cleanup_fn vgchange -q -an host
	lvcreate -q -Zn -Wn -L 32M -n pv host
	lvcreate -q -Zn -Wn -L 32M -n md host
}

start_udevd() {
	unset DM_DISABLE_UDEV # from now on, libdevmapper waits for it
	$udevd 2>udevd.log &
	cleanup_fn stop_udevd $!
	wait_until 30 udevadm control --ping 2>/dev/null
}

stop_udevd() {
	kill "$1"
	wait "$1"
	rm -rf /run/udev # whoever sees its socket waits for it
	export DM_DISABLE_UDEV=1
}

install_rule() {
	mkdir -p /run/udev/rules.d
	cp "$TOP/host/56-dsync-vm.rules" /run/udev/rules.d
	udevadm control --reload
}

# An event for the loop device comes while nothing is on it yet: there the hook
# stops to read its configuration, until that ends.
start_slowly() {
	local config=/etc/dsync-vm/dsync-vm.conf gate
	mkfifo $config
	exec {gate}<>$config
	udevadm control --log-level=debug
	virsh -q start web {gate}>&- &
	wait_until 40 grep -q '^loop.* locked, requeueing' udevd.log
	udevadm control --log-level=info
	expect_equal "$(activated)" '' activated
	rm $config
	exec {gate}>&-
	wait $!
}

# --- the devices --------------------------------------------------------

# A hold of the first disk, all of it.
make_held() {
	local uuid
	uuid=$(virsh -q domuuid web)
	dmsetup create --readonly --uuid "DSYNC-HOLD-$uuid-vda" \
		--table "0 $(sectors /dev/mapper/dsync-web-vda) dsync-hold \
		/dev/mapper/dsync-web-vda $cow" dsync-web-vda-hold
	cleanup_fn dm_remove dsync-web-vda-hold
	head -c 1024 /dev/zero | tr '\0' '\377' >/proc/dsync/dsync-web-vda/seed
	cut_at dsync-web-vda $((++cuts))
}

remove_held() {
	expect_equal "$(message dsync-web-vda epoch_end "$(id $cuts)")" ''
	dm_remove dsync-web-vda-hold
}

# All that a guest's data can be read from.
devices() {
	losetup -n -O NAME -j "$PWD/pv.raw"
	losetup -n -O NAME -j "$PWD/md.raw"
	printf '%s\n' /dev/mapper/dsync-web-vd{a,b,c,d}
	echo /dev/mapper/dsync-web-vda-hold
}

# --- the events ---------------------------------------------------------

# triggered ACTION: as at boot, or by any package that is installed
triggered() {
	local device
	for device in $(devices); do
		udevadm trigger --settle --action="$1" \
			--name-match="$(realpath "$device")"
	done
}

# The kernel tells udev where it watches for that.
closed_after_write() {
	local device
	for device in $(devices); do
		[ "$(blockdev --getro "$device")" = 1 ] || : <>"$device"
	done
	udevadm settle
}

# With none of the flags that dsync-vm gives.
resumed_by_hand() {
	local device
	for device in $(devices | grep mapper); do
		dmsetup suspend "$device"
		dmsetup resume "$device"
	done
	udevadm settle
}

# The flags were in there. ("add" alone would not do: then dm's own rules do
# not take a device for theirs.)
database_lost() {
	udevadm info --cleanup-db
	triggered change
}

# after_each_event COMMAND [ARG]...
after_each_event() {
	local event
	for event in 'triggered change' 'triggered add' closed_after_write \
		resumed_by_hand database_lost; do
		echo "event: $event"
		$event
		"$@"
	done
}

# --- the host -----------------------------------------------------------

# probed DEVICE: udev has looked what is on it
probed() {
	udevadm info --query=property "$1" | grep -E '^ID_(FS|PART)'
}

# watched DEVICE: udev will, when somebody closes it
watched() {
	readlink /run/udev/watch/* | grep -x "b$(stat -Lc %Hr:%Lr "$1")"
}

# activated: names of what has been
activated() {
	dmsetup ls | grep -o '^guest[^ ]*' || :
	grep -o '^md[0-9]*' /proc/mdstat || :
	[ ! -d /run/lvm/pvs_online ] || ls /run/lvm/pvs_online
}

deactivate() {
	vgchange -q -an guest1 guest2 # which are there while the domain runs
	mdadm -q --stop --scan
	rm -rf /run/lvm/{pvs,vgs}_online
	udevadm settle
}

# commands_by_hand LVM-DEVICES-CONFIG MDADM-CONFIG
commands_by_hand() {
	vgchange -q -aay --config "devices { $1 }" || :
	echo "$2" >mdadm.conf
	mdadm -q --assemble --scan --config=mdadm.conf || :
	udevadm settle
}

# manual FIRST-WORD: a line that dsync-vm(8) gives as an example
manual() {
	grep "^$1 " "$TOP/man/dsync-vm.8.scd"
}

expect_nothing() {
	local device
	expect_equal "$(activated)" '' activated
	expect_equal "$(devices | wc -l)" 7 devices
	for device in $(devices); do
		[ -b "$device" ] || fail "no $device"
		! probed "$device" || fail "$device was probed"
		! watched "$device" || fail "$device is watched"
	done
}

modprobe -a loop raid1
in_file pv.raw make_pv guest1
in_file md.raw make_md guest1
make_host "$disk"
make_pv /dev/host/pv guest2
make_md /dev/host/md guest2
start_udevd
start_libvirtd
define_dummy web "$PWD/pv.raw" "$PWD/md.raw" /dev/host/pv /dev/host/md
dsync-vm attach web

echo '--- without the rule'
cleanup_fn deactivate
virsh -q start web
make_held
after_each_event activated | tee seen
for device in $(devices); do
	probed "$device" >/dev/null || fail "nothing looked at $device"
done
for what in guest1 guest2 md; do
	grep -q $what seen || fail "$what was not activated"
done

echo '--- with it'
install_rule
triggered change # else what is stopped is found again at once
deactivate
remove_held
virsh -q destroy web
expect_no_devices
! grep dsync-vm udevd.log || fail 'udevd does not understand a rule'
start_slowly
udevadm settle
make_held
expect_equal "$(losetup -n -O PARTSCAN -j "$PWD/pv.raw" | xargs)" 0 partscan
expect_nothing
after_each_event expect_nothing
remove_held

echo '--- commands by hand'
commands_by_hand '' ''
activated | tee seen
for what in guest2 md; do # guest1 is seen twice, so LVM refuses
	grep -q $what seen || fail "$what was not activated by hand"
done
deactivate
commands_by_hand "$(manual global_filter)" "$(manual AUTO)"
expect_equal "$(activated)" '' activated
virsh -q destroy web
udevadm settle
expect_equal "$(activated)" '' activated
expect_no_devices
