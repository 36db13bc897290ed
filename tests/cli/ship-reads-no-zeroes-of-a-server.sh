#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# From an NBD source, what the server says is zero is not transferred; what
# comes out is the same, with or without that knowledge.
. "$(dirname "$0")/lib.sh"

requires nbdkit --filter=noextents memory 1 --dump-plugin
qemu-img create -q -f qcow2 base.qcow2 3000M
qemu-io -f qcow2 -c 'write -P 1 0 1M' -c 'write -P 2 4096 4096' \
	-c 'write -z 8192 4096' -c 'write -P 3 1100M 64k' \
	-c 'write -P 4 2999M 1M' base.qcow2 >/dev/null
qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 top.qcow2
qemu-io -f qcow2 -c 'write -z 1100M 32k' -c 'write -P 5 2000M 4k' \
	top.qcow2 >/dev/null
qemu-img convert -f qcow2 -O raw top.qcow2 want
truncate -s 3000M dest
rm -f socket
qemu-nbd --persistent --shared=8 --read-only --format=qcow2 \
	--socket="$work/socket" top.qcow2 &
server=$!
servers="$servers $server"
await [ -S socket ]
ship --dest-is-zero --format raw "$uri" dest
qemu-img compare -q -f raw -F raw want dest
[ "$(reported read_bytes)" -le 2300000 ] || failed "$(cat out)"
[ "$(reported blocks)" = "$(reported done_blocks)" ] || failed "$(cat out)"

# Over old content: zeroes have to be written then.
qemu-io -f raw -c 'write -P 9 0 8M' -c 'write -P 9 1099M 8M' \
	-c 'write -P 9 2990M 10M' dest >/dev/null
ship --format raw "$uri" dest
qemu-img compare -q -f raw -F raw want dest
[ "$(reported read_bytes)" -le 2300000 ] || failed "$(cat out)"
end_server

truncate -s 40M want
truncate -s 40M dest
serve_nbdkit --filter=noextents file want
ship --format raw "$uri" dest
cmp want dest
[ "$(reported read_bytes)" = 41943040 ] || failed "$(cat out)"
