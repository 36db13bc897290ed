#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# nbds: a pre-shared key gets in, a wrong one does not; and a server that dies
# under TLS is a failure like any other.
. "$(dirname "$0")/lib.sh"

mkdir keys
echo 'alice:00112233445566778899aabbccddeeff' >keys/keys.psk
echo 'alice:ffeeddccbbaa99887766554433221100' >wrong.psk
random_file new 16777216
truncate -s 16M dest
serve dest --object tls-creds-psk,id=tls0,endpoint=server,dir="$work/keys" \
	--tls-creds tls0
tls="nbds+unix://alice@/?socket=$work/socket&tls-psk-file=$work"
ship new "$tls/keys/keys.psk"
cmp new dest
[ "$(reported connections)" = 4 ] || failed "$(cat out)"
expect 1 "$DSYNC_VM" ship new "$tls/wrong.psk"
says 'nbds+unix'
expect 1 "$DSYNC_VM" ship new "$uri"
says "$uri"

random_file big 268435456
end_server
truncate -s 256M dest
serve dest --object tls-creds-psk,id=tls0,endpoint=server,dir="$work/keys" \
	--tls-creds tls0
(
	sleep 0.4
	kill -KILL "$server"
) &
expect 1 timeout 20 "$DSYNC_VM" ship big "$tls/keys/keys.psk"
says 'connection lost'
