#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A start that cannot have all its devices fails with the reason and leaves
# nothing; the hook answers nonsense with one line, and reconnect with success.
# disks: 32M
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-attach.sh"

hook=/usr/sbin/dsync-vm-hook

start_libvirtd
truncate -s 16M a.raw b.raw
define_dummy web "$PWD/a.raw" "$PWD/b.raw"
dsync-vm attach web
next_xml web >web.next
mv b.raw away.raw

# libvirt reports what the hook said.
expect_exit 1 virsh start web 2>err
cat err
grep -q 'b.raw: No such file' err
expect_no_devices
[ ! -e "/run/dsync-vm/$(virsh -q domuuid web)/running" ]

# Directly, as libvirt calls it.
expect_error 1 'b.raw' $hook web prepare begin - <web.next
expect_exit 0 $hook web reconnect begin - <web.next 2>err
expect_equal "$(wc -l <err)" 1
expect_no_devices
mv away.raw b.raw
$hook web prepare begin - <web.next
$hook web prepare begin - <web.next
expect_equal "$(target_of dsync-web-vdb)" dsync
$hook web release end - <web.next
$hook web release end - <web.next
expect_no_devices

# Nonsense.
head -c 300 web.next >cut.next
expect_error 1 'domain XML' $hook web prepare begin - <cut.next
expect_error 1 'domain XML' $hook web prepare begin - </dev/null
truncate -s 20M endless
expect_error 1 'large' $hook web prepare begin - <endless
expect_exit 0 $hook web reconnect begin - <cut.next
expect_exit 2 $hook
expect_no_devices

# From another host: only without disks of ours.
expect_error 1 'tracked by dsync-vm' $hook web migrate begin - <web.next
define_dummy plain "$DISKS"
next_xml plain >plain.next
{
	$hook plain migrate begin - <plain.next
	$hook plain prepare begin - <plain.next
	$hook plain release end - <plain.next
	$hook web restore begin - <web.next
	$hook web started begin - <web.next
} >out
[ ! -s out ]
expect_no_devices

# The name is taken by somebody else's device, which stays.
dm_create dsync-web-vda '0 64 zero'
expect_error 1 'another device has this name' $hook web prepare begin - \
	<web.next
expect_equal "$(target_of dsync-web-vda)" zero
$hook web release end - <web.next
expect_equal "$(target_of dsync-web-vda)" zero
