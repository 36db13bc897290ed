#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What cannot be attached or detached is refused in one line with the reason,
# and nothing is changed.
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-attach.sh"

start_libvirtd
truncate -s 16M a.raw b.raw
truncate -s 1000001 odd.raw
qemu-img create -q -f qcow2 c.qcow2 16M

expect_error 1 'no such domain' dsync-vm attach nobody
expect_error 1 'no such domain' dsync-vm detach nobody
expect_exit 2 dsync-vm attach

# Only qcow2.
define_dummy cow "$PWD/c.qcow2"
next_xml cow | sed "s/type='raw'/type='qcow2'/" >cow.next
virsh -q define cow.next
next_xml cow >before.xml
expect_error 8 'not raw' dsync-vm attach cow
expect_error 8 'not raw' dsync-vm attach --disk vda cow
expect_error 1 "no disk 'vdz'" dsync-vm attach --disk vdz cow
next_xml cow | cmp - before.xml
expect_error 1 'not attached' dsync-vm detach cow

# A size that no block device has; a file that is not there.
define_dummy odd "$PWD/odd.raw"
expect_error 8 'multiple of 512' dsync-vm attach odd
rm odd.raw
expect_error 8 'No such file' dsync-vm attach odd

# Two domains on one disk, by two paths.
define_dummy one "$PWD/a.raw"
ln -s a.raw same.raw
define_dummy two "$PWD/same.raw"
expect_error 8 'domain one, too' dsync-vm attach two
undefine two && define_dummy two "$PWD/b.raw"

# Twice: says so, and changes nothing.
dsync-vm attach one
next_xml one >before.xml
dsync-vm attach one 2>err
grep -q 'one: attached already, nothing to do' err
next_xml one | cmp - before.xml
ln -sf /dev/mapper/dsync-one-vda through

# Running: detach is refused, attach waits for the next start.
virsh -q start one
expect_error 5 'running on dsync-one-vda' dsync-vm detach one
next_xml one | cmp - before.xml
virsh -q start two
dsync-vm attach two 2>err
grep -q 'takes effect when' err
expect_equal "$(source_of two vda)" "$PWD/b.raw"
dsync-vm detach two
virsh -q destroy one
virsh -q destroy two

# Its state waits in a file that names the disks.
virsh -q start two
virsh -q managedsave two
expect_error 8 'managed save' dsync-vm attach two
virsh -q managedsave-remove two

# Transient.
sed 's/<name>two</<name>brief</' two.xml >brief.xml
virsh -q create brief.xml
expect_error 8 'transient' dsync-vm attach brief
virsh -q destroy brief
dsync-vm detach one
expect_no_devices
