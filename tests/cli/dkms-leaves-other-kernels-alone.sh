#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# dkms builds the module for a kernel it is written for. For others it does not
# try, and installing such a kernel is no error: apt calls autoinstall, too.
. "$(dirname "$0")/lib.sh"

top=$tests/../..
PATH=$PATH:/usr/sbin
requires dkms --version
requires "$top/tests/vm/kernel" 6.1 KDIR
kdir=$("$top/tests/vm/kernel" 6.1 KDIR)
PATH=$("$top/tests/vm/kernel" 6.1 TOOLS):$PATH

# Everything in places of its own. No kernel has these names, so that dkms does
# not come upon what the machine has installed for one.
ours=6.1.0-test-amd64
mkdir -p dkms src "modules/$ours"
options="--dkmstree $work/dkms --sourcetree $work/src --no-depmod
	--installtree $work/modules --kernelsourcedir $kdir"

# as_root COMMAND...: autoinstall wants to be root, wherever it writes.
as_root()
{
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		unshare --map-root-user "$@"
	fi
}

# shellcheck disable=SC2086 # a list of options
dkms_for() # CODE KERNEL ACTION...
{
	code=$1 kernel=$2
	shift 2
	expect "$code" dkms $options -k "$kernel" "$@"
}

version=$(sed -n "s/^  version: '\(.*\)',/\1/p" "$top/meson.build")
cp -r "$top/kmod" .
rm -rf kmod/build
# shellcheck disable=SC2086
expect 0 dkms $options add "$work/kmod"
dkms_for 0 $ours build "dm-dsync/$version"
built=$(find dkms -path "*/$ours/*" -name dm-dsync.ko)
modinfo -F vermagic "$work/$built" | grep -q '^6\.1\.' ||
	failed "not a module for 6.1: '$built'"

# The edges of what it is written for; 77 is dkms's word for "left out".
for kernel in 4.19.0-27-amd64 5.4.300 5.9.16-amd64 7.3.4+deb13-amd64 7.20.1 \
	8.0.0-1 61.2.3 10.1.0; do
	dkms_for 77 $kernel build "dm-dsync/$version"
done

requires as_root true
for kernel in 5.9.16-amd64 7.3.4+deb13-amd64; do
	mkdir modules/$kernel
	# shellcheck disable=SC2086
	expect 0 as_root dkms $options -k $kernel autoinstall
	[ -z "$(ls modules/$kernel)" ] || failed "installed for $kernel"
done
# shellcheck disable=SC2086
expect 0 as_root dkms $options -k $ours autoinstall
[ -e modules/$ours/updates/dkms/dm-dsync.ko ] || failed "nothing for $ours"
