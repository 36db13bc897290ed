#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that has no flush cannot promise anything durable: everything is
# shipped, with a warning and exit code 3.
. "$(dirname "$0")/lib.sh"

requires nbdkit eval --dump-plugin
random_file new 1048576
serve_nbdkit eval get_size='echo 1048576' can_write='exit 0' \
	can_flush='exit 3' pwrite='cat >/dev/null'
expect 3 "$DSYNC_VM" ship --output json new "$uri"
says 'warning: '
says 'cannot flush'
[ "$(reported flushed)" = false ] || failed "$(cat out)"
