#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A point that is exported reads over NBD as the disk was, keeps its images
# from being pruned, and stays as it is when it is written to; at the end
# nothing of it is left.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
before=$(picture repo)

# export_point ARGUMENT...: in the background, as $exporter; waits for sockets.
export_point()
{
	: >out # of the one before
	"$DSYNC_VM" export --output json web repo "$@" >out 2>err &
	exporter=$!
	servers="$servers $exporter"
	await grep -q '^}' out
}

end_export()
{
	kill -INT "$exporter"
	wait "$exporter" || failed "ended with $?: $(cat err)"
	! [ -e "$socket" ] || failed "the socket is still there"
}

socket_of()
{
	socket=$(jq -r '.disks[0].socket' out)
	uri="nbd+unix:///?socket=$socket"
}

for name in one two; do
	export_point "${!name}"
	socket_of
	qemu-img compare -q -f raw -F raw "$name.raw" "$uri" ||
		failed "$name differs"
	! qemu-io -f raw -c 'write 0 4k' "$uri" >/dev/null 2>&1 ||
		failed "it can be written to"
	end_export
done

# Nothing is removed under it.
export_point "$one"
expect 3 "$DSYNC_VM" prune web repo --keep-last 1
grep -q 'being read' err || failed "$(cat err)"
kill -INT "$exporter"
wait "$exporter" || failed "ended with $?"

# For a try: what is written is there, and then it is not.
export_point --writable "$two"
socket_of
qemu-io -f raw -c 'write -P 0x5a 0 64k' "$uri" >/dev/null
qemu-io -f raw -c 'read -P 0x5a 0 64k' "$uri" | grep -q 'read 65536' ||
	failed "it does not stay while it lasts"
end_export
[ "$before" = "$(picture repo)" ] || failed "the repository changed"

# A server that dies is not kept quiet about; a name that is taken, neither.
export_point
socket_of
pkill -KILL -P "$exporter" qemu-nbd
! wait "$exporter" || failed "it did not notice"
says 'its server has ended'
mkdir taken
: >taken/vda
expect 1 "$DSYNC_VM" export web repo --dir "$work/taken"
expect 1 "$DSYNC_VM" export web repo 20000101T000000Z
expect 1 "$DSYNC_VM" export web repo --disk vdz
