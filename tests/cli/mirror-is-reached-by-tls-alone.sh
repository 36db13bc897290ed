#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A mirror behind nbds:// is written with the key or the certificates that its URI
# names. Wrong ones, another server's, and one of the two ends without TLS are
# refused, in one line that names the mirror, and with nothing written.
. "$(dirname "$0")/lib.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"
requires openssl version
uuid=f6f7a1e2-6e4e-4d8f-9a43-0f4d2f7a8c11

# mirror EXIT URI [WORD]: a backup of ./disk there; a line that has all of it.
mirror()
{
	expect "$1" "$MAKE_BACKUP" "$2" web $uuid 3000 0 vda:disk:-
	if [ "$1" = 0 ]; then
		cmp disk copy
		truncate -s 0 copy
		truncate -s 8M copy
		return
	fi
	says "make-backup: $2: "
	says "$3"
	cmp -n 8388608 copy /dev/zero || failed "written to: $2"
}

# listen [ARGUMENT...]: a server of ./copy at localhost:$port.
listen()
{
	port=$(python3 -c '
import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
	qemu-nbd --persistent --shared=8 --format=raw --bind=127.0.0.1 \
		--port="$port" --fork --pid-file="$work/pid" "$@" copy \
		2>server.log || failed "$(cat server.log)"
	server=$(cat pid)
	servers="$servers $server"
}

random_file disk 8388608
truncate -s 8M copy

# A shared key.
mkdir keys
echo 'alice:00112233445566778899aabbccddeeff' >keys/keys.psk
echo 'alice:ffeeddccbbaa99887766554433221100' >wrong.psk
listen --object tls-creds-psk,id=tls,endpoint=server,dir="$work/keys" \
	--tls-creds tls
to="localhost:$port/?tls-psk-file=$work"
mirror 0 "nbds://alice@$to/keys/keys.psk"
mirror 1 "nbds://alice@$to/wrong.psk" "TLS wants the server's key"
mirror 1 "nbds://alice@$to/none.psk" none.psk
mirror 1 "nbd://localhost:$port/" "say nbds://"
kill "$server"

# Certificates, of the server and of who connects.
authority() # DIR
{
	mkdir "$1"
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$1/key.pem" -out "$1/ca-cert.pem" \
		-addext basicConstraints=critical,CA:true \
		-addext keyUsage=critical,keyCertSign
}

certificate() # AUTHORITY server|client NAME DIR
{
	mkdir -p "$4"
	cp "$1/ca-cert.pem" "$4"
	openssl req -newkey rsa:2048 -nodes -subj "/CN=$3" \
		-keyout "$4/$2-key.pem" -out request.pem
	cat >extensions <<-END
	basicConstraints=critical,CA:false
	keyUsage=critical,digitalSignature,keyEncipherment
	extendedKeyUsage=${2}Auth
	subjectAltName=DNS:$3
	END
	openssl x509 -req -in request.pem -days 2 -CA "$1/ca-cert.pem" \
		-CAkey "$1/key.pem" -CAcreateserial -extfile extensions \
		-out "$4/$2-cert.pem"
}

for name in ours theirs; do
	authority $name
	certificate $name server localhost server-$name
	certificate $name client kvm1 client-$name
done 2>openssl.log || failed "$(cat openssl.log)"
certificate ours server elsewhere server-elsewhere 2>openssl.log
# Knows us, but not by an authority that the server knows.
mkdir stranger
cp client-theirs/* stranger
cp ours/ca-cert.pem stranger

serve_certificate() # DIR
{
	listen --object \
		tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir="$work/$1" \
		--tls-creds tls
	to="nbds://localhost:$port/?tls-certificates=$work"
}

serve_certificate server-ours
mirror 0 "$to/client-ours"
mirror 1 "$to/client-theirs" certificate
mirror 1 "$to/stranger" "certificates that both ends trust"
mirror 1 "nbd://localhost:$port/" "say nbds://"
kill "$server"
serve_certificate server-elsewhere
mirror 1 "$to/client-ours" certificate
kill "$server"

# Without TLS at the other end nothing is sent at all.
listen
mirror 1 "nbds://localhost:$port/?tls-certificates=$work/client-ours" --tls-creds
mirror 1 "nbds://alice@localhost:$port/?tls-psk-file=$work/keys/keys.psk" --tls-creds
