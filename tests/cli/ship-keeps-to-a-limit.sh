#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# With --bwlimit a run sends no faster than that, in requests that are no longer
# than it allows at once, and an interrupt ends it while it waits.
. "$(dirname "$0")/lib.sh"

requires nbdkit --filter=log memory 1 --dump-plugin

# has_written: the server was asked to write.
has_written()
{
	asked log | grep -q Write
}

# At 1 KiB/s a block takes 4 s, and all of it 17 minutes.
random_file new 1048576
serve_nbdkit --filter=log memory 1M logfile=log
setsid "$DSYNC_VM" ship --bwlimit=1K --output json new "$uri" >out 2>err &
job=$!
await has_written
kill -INT "$job"
code=0
wait "$job" || code=$?
[ "$code" = 1 ] || failed "ended with $code"
says interrupted
[ "$(reported sent_bytes)" -lt 1048576 ] || failed "$(cat out)"
asked log | while read -r verb _ count; do
	[ "$verb" != Write ] || [ "$count" = 4096 ] || failed "$verb $count"
done
end_server

# A limit that is no hindrance changes nothing.
serve_nbdkit --filter=log memory 1M logfile=log
for rate in 16M 1T 9223372036854775807; do
	ship --bwlimit=$rate new "$uri"
	[ "$(reported writes)" = 1 ] || failed "$rate: $(cat out)"
	[ "$(reported sent_bytes)" = 1048576 ] || failed "$rate: $(cat out)"
done
for rate in 0 -1 1KB 1k fast 9223372036854775809 ''; do
	expect 2 "$DSYNC_VM" ship --bwlimit="$rate" new "$uri"
	grep -q 'bytes a second' err || failed "$(cat err)"
	expect 2 "$DSYNC_VM" backup --bwlimit="$rate" web repo
	grep -q 'bytes a second' err || failed "$(cat err)"
	expect 2 "$DSYNC_VM" backup --all --bwlimit="$rate" repo
	grep -q 'bytes a second' err || failed "$(cat err)"
done
