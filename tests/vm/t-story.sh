#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest's two disks, a file and a block device, are backed up in full and
# then incrementally while it runs; each point restores to exactly what the
# disks held at its freeze, and the restored domain boots.
#
# This is the story that ci/demo tells: what is told is for the reader.
# disks: 128M 2G
# mem: 2G
# timeout: 600
. "$TOP/tests/vm/lib.sh"

requires jq rsync

tell() {
	# shellcheck disable=SC2059 # the format is ours
	printf "story: $1\n" "${@:2}"
}

seconds() {
	date +%s.%N
}

since() {
	awk -v began="$1" -v now="$(seconds)" 'BEGIN { printf "%.1f", now - began }'
}

# --- a host with a repository and a guest ---------------------------------

read -r block host_disk <<<"$DISKS"
mkfs.ext4 -q "$host_disk"
mkdir -p host
mount "$host_disk" host
cleanup_fn umount host
mkdir host/repository host/restored host/was
file=$PWD/host/web1.raw
truncate -s 128M "$file"
for disk in "$file" "$block"; do
	mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$disk"
done
start_libvirtd
define_guest web1 "$file" "$block"
virsh -q dumpxml --inactive web1 >before.xml

dsync-vm attach web1
virsh -q dumpxml --inactive web1 | grep -q /dev/mapper/dsync-web1-vda ||
	fail 'the domain does not use our device'
virsh -q start web1
guest_wait_agent web1
tell 'guest web1 runs on two raw disks of 128 MiB: a file and a block device'

# To be compared with the instant of the freeze, the disks must not change until
# they were copied here: so long the guest has its filesystems read-only.
guest_quiet() {
	guest_sh web1 'sync; mount -o remount,ro /mnt/vda &&
		mount -o remount,ro /mnt/vdb'
}

guest_busy() {
	guest_sh web1 'mount -o remount,rw /mnt/vda &&
		mount -o remount,rw /mnt/vdb'
}

changed_kib() { # REPORT
	jq '[.disks[] | .blocks * .block_bytes] | add / 1024' "$1"
}

backup_point() { # NAME
	guest_quiet
	dsync-vm backup web1 host/repository --output json >"$1.json"
	cp --sparse=always /dev/mapper/dsync-web1-vda "host/was/$1-vda"
	cp --sparse=always /dev/mapper/dsync-web1-vdb "host/was/$1-vdb"
	guest_busy
	tell '%s backup: %s KiB changed, %s KiB sent, frozen %s ms, suspended %s ms, %s s' \
		"$1" "$(changed_kib "$1.json")" \
		"$(jq '[.disks[].sent_bytes] | add / 1024' "$1.json")" \
		"$(jq .freeze_ms "$1.json")" "$(jq .suspend_ms "$1.json")" \
		"$(jq .seconds "$1.json")"
}

# --- a full backup, some changes, an incremental one ------------------------

# shellcheck disable=SC2016 # the guest's variables
guest_sh web1 'for i in 1 2 3 4 5 6 7 8; do
	dd if=/dev/urandom of=/mnt/vda/data$i bs=1M count=2
	dd if=/dev/urandom of=/mnt/vdb/data$i bs=1M count=2
done 2>/dev/null'
backup_point full
expect_equal "$(jq -r .consistency full.json)" frozen

guest_sh web1 'dd if=/dev/urandom of=/mnt/vda/data3 bs=64k count=8 seek=4 conv=notrunc
	dd if=/dev/urandom of=/mnt/vdb/new bs=1M count=1
	rm /mnt/vdb/data5
	echo changed >/mnt/vda/note; sync' 2>/dev/null
want=$(guest_sh web1 'cat /mnt/vda/* /mnt/vdb/* 2>/dev/null | sha256sum')
backup_point incremental
expect_equal "$(jq -r .consistency incremental.json)" frozen
expect_equal "$(jq .disks[0].full incremental.json)" false
changed=$(changed_kib incremental.json)
[ "$changed" -lt 20480 ] || fail "$changed KiB are not the changes alone"
dsync-vm list web1 host/repository
dsync-vm status web1

# --- the same change, by rsync ----------------------------------------------

began=$(seconds)
for disk in vda vdb; do
	cp "host/was/full-$disk" rsynced
	began=$(seconds)
	rsync --inplace --no-whole-file "host/was/incremental-$disk" rsynced
	tell '  rsync of the same change of %s beside it: %s s' \
		$disk "$(since "$began")"
	rm rsynced
done

# --- both points come back ----------------------------------------------------

for point in full incremental; do
	mkdir "host/restored/$point"
	dsync-vm restore web1 host/repository "$(jq -r .point $point.json)" \
		--to "host/restored/$point"
	for disk in vda vdb; do
		cmp "host/restored/$point/web1-$disk.raw" \
			"host/was/$point-$disk"
		qemu-img compare -q -f qcow2 -F raw \
			"host/repository/web1/disks/$disk/$(jq -r .point $point.json).qcow2" \
			"host/was/$point-$disk"
	done
	rm -r "host/restored/$point"
	tell '%s point restored: equal to the disks at its freeze, byte for byte' \
		$point
done

# --- and boots ----------------------------------------------------------------

virsh -q destroy web1
dsync-vm restore web1 host/repository --to host/restored --define web2
cleanup_fn undefine web2
virsh -q start web2
guest_wait_agent web2
expect_equal "$(guest_sh web2 'cat /mnt/vda/* /mnt/vdb/* 2>/dev/null | sha256sum')" \
	"$want" 'what the restored guest reads'
tell 'restored as web2: boots, and reads the same files'
virsh -q destroy web2

dsync-vm detach web1
virsh -q dumpxml --inactive web1 | diff before.xml - ||
	fail 'detach did not restore the XML'
tell 'detached: the definition is what it was before'
