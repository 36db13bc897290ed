#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A point in a repository on another host is exported here: it reads over NBD as
# the disk was, for several readers at a time, cannot be written to, is not
# pruned meanwhile, and nothing of it is left at the end, here or there. That the
# other host is gone is noticed.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"

start_sshd
make_chain
before=$(picture repo)
serve="dsync-vm target --repo $here/repo"
let_in "command=\"$serve\""

export_point()
{
	: >out # of the one before
	"$DSYNC_VM" export --output json web "ssh://$far/" "$@" >out 2>exporter.err &
	exporter=$!
	servers="$servers $exporter"
	await grep -q '^}' out
	socket=$(jq -r '.disks[0].socket' out)
	uri="nbd+unix:///?socket=$socket"
}

no_far_side()
{
	! pgrep -f "$serve" >/dev/null
}

readers=
for name in one two; do
	export_point "${!name}"
	for _ in 1 2 3; do
		qemu-img compare -q -f raw -F raw "$name.raw" "$uri" &
		readers="$readers $!"
	done
	for reader in $readers; do
		wait "$reader" || failed "$name differs"
	done
	readers=
	! qemu-io -f raw -c 'write 0 4k' "$uri" >/dev/null 2>&1 ||
		failed "it can be written to"
	expect 3 "$DSYNC_VM" prune web repo --keep-last 1
	grep -q 'being read' err || failed "$(cat err)"
	# Who is still there does not keep it, and is told.
	: >reads
	python3 -c '
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print(s.recv(8), flush=True)
s.recv(1000000, socket.MSG_WAITALL)' "$socket" >reads &
	reader=$!
	await grep -q NBDMAGIC reads
	kill -INT "$exporter"
	wait "$exporter" || failed "ended with $?: $(cat exporter.err)"
	wait "$reader"
	[ ! -e "$socket" ] || failed "the socket is still there"
	await no_far_side
done
[ "$before" = "$(picture repo)" ] || failed "the repository changed"

export_point
pkill -KILL -f "$serve"
code=0
wait "$exporter" || code=$?
[ $code = 1 ] || failed "did not notice: $code, $(cat exporter.err)"
[ ! -e "$socket" ] || failed "the socket is still there"

expect 8 "$DSYNC_VM" export --writable web "ssh://$far/"
says 'is on another host'
expect 1 "$DSYNC_VM" export web "ssh://$far/" 20000101T000000Z
expect 1 "$DSYNC_VM" export web "ssh://$far/" --disk vdz
await no_far_side
