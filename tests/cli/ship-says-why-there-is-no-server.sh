#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A server that is not there, says nothing or offers no writing fails at once
# with one line that names it and the cause.
. "$(dirname "$0")/lib.sh"

requires python3 -c ''
random_file new 1048576
expect 1 "$DSYNC_VM" ship new "$uri"
says "$uri: cannot connect: "
says 'No such file or directory'

truncate -s 1M dest
serve dest
kill -KILL "$server"
wait "$server" || :
expect 1 "$DSYNC_VM" ship new "$uri"
says 'Connection refused'

rm -f socket
serve dest --read-only
expect 1 "$DSYNC_VM" ship new "$uri"
says 'read-only'
end_server

serve dest --export-name=right
expect 1 "$DSYNC_VM" ship new "nbd+unix:///wrong?socket=$work/socket"
says 'wrong'
end_server

# Not an NBD server at all.
python3 -c '
import socket
listener = socket.socket(socket.AF_UNIX)
listener.bind("liar")
listener.listen()
while True:
    listener.accept()[0].sendall(b"220 smtp.example.org ESMTP ready\r\n" * 9)
' &
servers="$servers $!"
await [ -S liar ]
expect 1 "$DSYNC_VM" ship new "nbd+unix:///?socket=$work/liar"
says 'liar'

# qemu-nbd's own words about an image that it cannot take.
expect 1 "$DSYNC_VM" ship --format qcow2 new dest
says 'Image is not in qcow2 format'
expect 1 "$DSYNC_VM" ship --format nonsense new dest
says 'nonsense'
