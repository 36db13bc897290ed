#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that stops answering is given up after the time of --stall; one
# that is only slow is not.
. "$(dirname "$0")/lib.sh"

requires nbdkit --filter=delay memory 1 --dump-plugin
random_file new 67108864
truncate -s 64M dest
serve_nbdkit --filter=delay memory 64M wdelay=1
(
	sleep 0.5
	kill -STOP "$server"
) &
expect 1 timeout 10 "$DSYNC_VM" ship --stall 2 new "$uri"
says "$uri: no answer for 2 s"
wait "$!"
kill -KILL "$server"

random_file small 4194304
serve_nbdkit --filter=delay memory 4M wdelay=800ms --threads 1
ship --stall 2 small "$uri"
end_server

# A source that stalls.
serve_nbdkit --filter=noextents --filter=delay memory 64M rdelay=1
(
	sleep 0.5
	kill -STOP "$server"
) &
expect 1 timeout 10 "$DSYNC_VM" ship --stall 2 --format raw "$uri" dest
says "$uri: no answer for 2 s"
