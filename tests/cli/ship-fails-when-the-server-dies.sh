#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that is killed in the middle makes a failure at once: no hang, no
# death by SIGPIPE, and one line that says what happened.
. "$(dirname "$0")/lib.sh"

requires nbdkit --filter=delay memory 1 --dump-plugin
random_file new 67108864
for at in 0.3 0.8 1.3; do
	serve_nbdkit --filter=delay --threads 1 memory 64M wdelay=150ms
	(
		sleep $at
		kill -KILL "$server"
	) &
	expect 1 timeout 20 "$DSYNC_VM" ship --stall 0 new "$uri"
	says 'connection lost'
	says "$uri"
	wait || :
done

# The same for a source.
serve_nbdkit --filter=noextents --filter=delay --threads 1 memory 64M \
	rdelay=150ms
truncate -s 64M dest
(
	sleep 0.5
	kill -KILL "$server"
) &
expect 1 timeout 20 "$DSYNC_VM" ship --format raw "$uri" dest
says "$uri"
