#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An image that a running guest holds is not written to: exit code 5.
. "$(dirname "$0")/lib.sh"

requires qemu-system-x86_64 --version
random_file new 1048576
truncate -s 1M dest
qemu-system-x86_64 -M pc,accel=tcg -nodefaults -display none -S \
	-pidfile "$work/pid" -drive if=virtio,file=dest,format=raw &
servers="$servers $!"
await [ -s pid ]
expect 5 "$DSYNC_VM" ship --format raw new dest
says 'dest: in use by another process'
