#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# backup --all tries every attached domain though each of them fails, as no user
# can make devices, and says of each what became of it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/host.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
# shellcheck source-path=SCRIPTDIR
. "$tests/test-node.sh"

# attached NAME: a domain whose disk was attached.
attached()
{
	make_domain "$1" "<disk type='block' device='disk'>
		<driver name='qemu' type='raw'/>
		<source dev='/dev/mapper/dsync-$1-vda'/>
		<target dev='vda' bus='virtio'/></disk>" |
	sed "s|<memory>|<metadata><dsync:domain xmlns:dsync='urn:dsync-vm:1'>\
<dsync:disk target='vda' name='dsync-$1-vda' type='file' path='$work/a.raw'>\
<source file='$work/a.raw'/></dsync:disk></dsync:domain></metadata>&|"
}

truncate -s 1M a.raw
mkdir repo
make_node "$(attached web)$(attached db)$(attached -x)$(make_domain other "$(make_disk a.raw vda)")"

expect 2 "$DSYNC_VM" backup -c "$node" --all
grep -q 'no target' err || failed "$(cat err)"
expect 2 "$DSYNC_VM" backup -c "$node" --all web repo
expect 2 "$DSYNC_VM" backup -c "$node" --all --jobs 0 repo
expect 2 "$DSYNC_VM" backup -c "$node" --jobs 2 web repo
expect 2 "$DSYNC_VM" backup -c "$node" --all --freeze=maybe repo

for jobs in 1 2 8; do
	expect 1 "$DSYNC_VM" backup -c "$node" --all --jobs $jobs repo
	[ "$(awk 'NR > 1 && NR < 5 { print $1, $2 }' out)" = "-x 1
db 1
web 1" ] || failed "$(cat out err)"
	tail -n 1 out | grep -q '^0 of 3 domains backed up' || failed "$(cat out)"
	for name in -x db web; do
		[ "$(grep -c "^$name: " err)" = 1 ] || failed "$(cat err)"
	done
done
expect 1 "$DSYNC_VM" backup -c "$node" --all repo --output json
python3 -c '
import json, sys
report = json.load(open("out"))
assert report["exit_code"] == 1, report
assert [d["domain"] for d in report["domains"]] == ["-x", "db", "web"]
for domain in report["domains"]:
    assert domain["exit_code"] == 1 and domain["error"], domain
assert not report["ok"], report'

# Nothing to do is an error: somebody relies on it.
make_node "$(make_domain other "$(make_disk a.raw vda)")"
expect 1 "$DSYNC_VM" backup -c "$node" --all repo
says 'no domain is attached'
