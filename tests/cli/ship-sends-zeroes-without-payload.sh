#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Zeroes cost no payload: they go as few long WRITE_ZEROES, never as TRIM, and
# not at all into a destination that is known to be zero.
. "$(dirname "$0")/lib.sh"

requires nbdkit --dump-plugin memory
requires nbdkit --filter=log memory 1 --dump-plugin

truncate -s 64M new
printf 'x' | dd of=new bs=1 seek=20000000 conv=notrunc status=none
serve_nbdkit --filter=log memory 64M logfile=log
ship new "$uri"
[ "$(reported sent_bytes)" = 4096 ] || failed "$(cat out)"
[ "$(reported zero_bytes)" = $((67108864 - 4096)) ] || failed "$(cat out)"
asked log >requests
[ "$(grep -c Write requests)" = 1 ] || failed "$(cat requests)"
[ "$(grep -c Zero requests)" -le 10 ] || failed "$(cat requests)"
! grep -q Trim requests || failed "$(cat requests)"
grep -q '^Write 19996672 4096$' requests || failed "$(cat requests)"
end_server

rm -f log
serve_nbdkit --filter=log memory 64M logfile=log
ship --dest-is-zero new "$uri"
asked log >requests
! grep -q Zero requests || failed "zeroes were sent: $(cat requests)"
[ "$(reported zero_bytes)" = $((67108864 - 4096)) ] || failed "$(cat out)"
nbdcopy "$uri" dest
cmp new dest
end_server

# A server that cannot zero gets them as data.
serve_nbdkit --filter=nozero memory 64M
random_file dest 67108864
nbdcopy dest "$uri"
ship new "$uri"
nbdcopy "$uri" dest
cmp new dest
