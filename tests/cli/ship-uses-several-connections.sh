#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Four connections to a server that says that several are one, else one; and
# at least 16 writes in flight either way.
. "$(dirname "$0")/lib.sh"

requires nbdkit --filter=stats memory 1 --dump-plugin
random_file new 67108864
truncate -s 64M dest
serve dest
ship new "$uri"
[ "$(reported connections)" = 4 ] || failed "$(cat out)"
end_server
serve dest --shared=1
ship new "$uri"
[ "$(reported connections)" = 1 ] || failed "$(cat out)"
end_server

# 64 writes that take a second each: at least 16 at a time take 4 seconds.
for filter in multi-conn nofilter; do
	case $filter in
	multi-conn) set -- --filter=delay memory 64M wdelay=1 ;;
	*) set -- --filter=multi-conn --filter=delay memory 64M wdelay=1 \
		multi-conn-mode=disable ;;
	esac
	serve_nbdkit --threads 64 "$@"
	ship new "$uri"
	end_server
	seconds=$(reported seconds)
	[ "${seconds%.*}" -lt 6 ] || failed "$filter: $seconds s"
done

# A server with fewer connections than we want, or one that is served already.
truncate -s 64M dest
serve dest --shared=2
ship new "$uri"
[ "$(reported connections)" = 2 ] || failed "$(cat out)"
cmp new dest
