#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Without the module a domain starts all the same, on dm-linear; as soon as
# the module is there, its next start is tracked.
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-attach.sh"

start_libvirtd
truncate -s 16M a.raw
define_dummy web "$PWD/a.raw"
dsync-vm attach web
hide_module
[ ! -e /sys/module/dm_dsync ] || skip 'the module is built in'

virsh -q start web
expect_equal "$(virsh -q domstate web)" running
expect_equal "$(target_of dsync-web-vda)" linear
dummy_write web 0 0 4k 0x5a
dsync-vm status web | tee status
grep -q untracked status
virsh -q destroy web
expect_no_devices

# A linear device that stayed behind is replaced.
uuid=$(virsh -q domuuid web)
exec {user}>"/run/dsync-vm/$uuid/users.lock"
flock -s "$user"
virsh -q start web
virsh -q destroy web
expect_equal "$(target_of dsync-web-vda)" linear
show_module
virsh -q start web
expect_equal "$(target_of dsync-web-vda)" dsync
exec {user}>&-
virsh -q destroy web
expect_no_devices
