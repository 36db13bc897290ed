#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# SIGINT and SIGTERM end a run soon, whatever the server is doing, with one
# line; and what was acknowledged until then is really there.
. "$(dirname "$0")/lib.sh"

requires nbdkit --filter=delay memory 1 --dump-plugin
random_file new 67108864
for signal in INT TERM; do
	for delay in 300ms 100; do
		serve_nbdkit --filter=delay --threads 1 memory 64M \
			wdelay=$delay
		setsid "$DSYNC_VM" ship --stall 0 --output json new "$uri" \
			>out 2>err &
		job=$!
		sleep 1
		kill -$signal "$job"
		sleep 5
		! kill -0 "$job" 2>/dev/null || failed "still runs"
		code=0
		wait "$job" || code=$?
		[ "$code" = 1 ] || failed "ended with $code"
		says interrupted
		kill -KILL "$server"
		wait "$server" || :
	done
done

# A server that does not even shake hands.
truncate -s 64M dest
serve dest
kill -STOP "$server"
setsid timeout 10 "$DSYNC_VM" ship new "$uri" >out 2>err &
sleep 0.7
pkill -INT -P "$!"
code=0
wait "$!" || code=$?
[ "$code" = 1 ] || failed "ended with $code"
says interrupted
