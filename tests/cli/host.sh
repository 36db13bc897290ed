# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of what a host is told and keeps: source it before all else. From
# then on the test is root of a user namespace, where /etc is a copy, and
# /var/lib and /run are empty.

if [ -z "${OWN_HOST:-}" ]; then
	unshare --map-root-user --mount true 2>/dev/null || {
		echo 'skipped: needs user namespaces'
		exit 77
	}
	OWN_HOST=yes exec unshare --map-root-user --mount "$0" "$@"
fi
mount -t tmpfs none /var/lib
mount -t tmpfs none /run
mkdir /run/etc
# What an ordinary user may not read it can do without.
cp -a /etc/. /run/etc 2>/dev/null || :
mount --bind /run/etc /etc
mkdir -p /etc/dsync-vm

# configure: sets the configuration to what is on standard input.
configure()
{
	cat >/etc/dsync-vm/dsync-vm.conf
}
