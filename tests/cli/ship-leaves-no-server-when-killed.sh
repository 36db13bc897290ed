#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A run over an image of this host that is killed leaves no qemu-nbd, which
# would keep the image locked, and no socket; nor does one that ends by itself.
. "$(dirname "$0")/lib.sh"

# Where a socket could be left.
places()
{
	find "${XDG_RUNTIME_DIR:-/tmp}" /tmp /run/dsync-vm -maxdepth 1 \
		-name 'dsync-vm*' 2>/dev/null || :
}

# Process ids of the children of $1.
children()
{
	cat /proc/"$1"/task/*/children 2>/dev/null
}

# gone PID...
gone()
{
	for pid in "$@"; do
		[ -n "$pid" ] || continue
		state=$(sed -n 's/^State:\t\(.\).*/\1/p' "/proc/$pid/status" \
			2>/dev/null || echo Z)
		[ "${state:-Z}" = Z ] || return 1
	done
}

places >before
random_file new 1048576
truncate -s 1M dest
ship --format raw new dest
cmp new dest

# A source that takes its time keeps a run in the middle.
requires nbdkit --filter=delay memory 1 --dump-plugin
serve_nbdkit --filter=noextents --filter=delay memory 1M rdelay=60
for signal in KILL INT; do
	setsid "$DSYNC_VM" ship --format raw "$uri" dest 2>err &
	job=$!
	servers="$servers $job"
	sleep 1
	nbd=$(children "$job")
	[ -n "$nbd" ] || failed "no server was started: $(cat err)"
	places | diff before - || failed "a socket has a name"
	kill -$signal "$job"
	wait "$job" || :
	# shellcheck disable=SC2086 # a list
	await gone $nbd
done
places | diff before - || failed "something was left"
