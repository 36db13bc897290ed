#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# systemd understands every line of the units, for a domain of any name.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

requires systemd-analyze --version
requires systemd-escape --version

cp "$BUILD"/host/*.service "$tests"/../../host/*.timer .
[ "$(find . -name '*.service' | wc -l)" = 4 ] || failed "$(ls)"
# It looks whether the program is there, which is not installed yet.
grep -q '^ExecStart=/[^ ]*/dsync-vm backup --wait 1h -- %I$' dsync-vm-backup@.service
sed -i 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' ./*.service
for name in web1 "$(systemd-escape -- '-a b/ü%h')"; do
	for kind in service timer; do
		cp dsync-vm-backup@.$kind "dsync-vm-backup@$name.$kind"
	done
	cp dsync-vm-mirror@.service "dsync-vm-mirror@$name.service"
done
rm dsync-vm-backup@.service dsync-vm-backup@.timer dsync-vm-mirror@.service
# libvirt's own units may be missing here, and the pages are not installed.
systemd-analyze verify --man=no --recursive-errors=no \
	"$work"/*.service "$work"/*.timer >out 2>&1 || failed "$(cat out)"
[ ! -s out ] || failed "$(cat out)"
