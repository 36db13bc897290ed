#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The devices of an attached domain exist exactly while it runs, or while a
# backup uses them; a libvirtd that restarts finds them and the domain alive.
# disks: 32M
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-attach.sh"

start_libvirtd
truncate -s 16M a.raw
define_dummy web "$PWD/a.raw" "$DISKS"
dsync-vm attach web
uuid=$(virsh -q domuuid web)
run=/run/dsync-vm/$uuid
expect_no_devices

# What a guest writes arrives, and is tracked.
virsh -q start web
dmsetup table
expect_equal "$(target_of dsync-web-vda)" dsync
expect_equal "$(dmsetup info -c --noheadings -o uuid dsync-web-vdb)" \
	"DSYNC-$uuid-vdb"
[ -e "$run/running" ]
dummy_write web 0 1M 64k 0xab
dummy_io web 0 flush >/dev/null
expect_equal "$(od -An -tx1 -j 1048576 -N 2 a.raw)" ' ab ab'

# libvirtd restarts under it.
devices=$(dmsetup info -c --noheadings -o name,minor,open)
pid=$(cat /run/libvirt/qemu/web.pid)
kill "$(cat /run/libvirtd.pid)"
wait_until 30 not test -e /run/libvirtd.pid
libvirtd --daemon --pid-file /run/libvirtd.pid
wait_until 30 virsh -q list >/dev/null 2>&1
expect_equal "$(virsh -q domstate web)" running
expect_equal "$(cat /run/libvirt/qemu/web.pid)" "$pid"
expect_equal "$(dmsetup info -c --noheadings -o name,minor,open)" "$devices"

# Stopped while a backup reads: it is the backup that takes them down.
exec {user}>"$run/users.lock"
flock -s "$user"
virsh -q destroy web
expect_equal "$(target_of dsync-web-vda)" dsync
[ ! -e "$run/running" ]
expect_error 5 'backup' dsync-vm detach web

# Started again meanwhile: adopted as they are.
minor=$(dmsetup info -c --noheadings -o minor dsync-web-vda)
virsh -q start web
expect_equal "$(dmsetup info -c --noheadings -o minor dsync-web-vda)" "$minor"
exec {user}>&-
virsh -q destroy web
expect_no_devices

# A disk that was unplugged while it ran leaves nothing either.
virsh -q start web
virsh -q detach-disk web vdb --live
virsh -q destroy web
expect_no_devices
