#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A network that drops everything closes no connection. Each side notices in 30
# seconds that it is alone: the near one fails, the far one lets go of the
# repository and keeps what was sent.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"

# begin NAME: a backup that is on its way when this returns, as $near.
begin()
{
	mkdir -p "$1"
	let_in "command=\"dsync-vm target --repo $here/$1\""
	"$MAKE_BACKUP" "ssh://$far/" web "$uuid_a" 1000 65536 vda:disk:- \
		>"out-$1" 2>"err-$1" &
	near=$!
	servers="$servers $near"
	until ls "$1"/web/disks/vda/*.window.partial >ls.log 2>&1; do
		kill -0 $near || failed "it ended: $(cat "err-$1")"
		sleep 0.01
	done
}

# ends PID...: waits until they have, whoever's children they are.
ends()
{
	for pid; do
		while kill -0 "$pid" 2>kill.log; do
			sleep 0.1
		done
	done
}

start_sshd
chmod +x "$tests/slow-line.py"
echo "  ProxyCommand $tests/slow-line.py %h %p 0.01" >>ssh_config
head -c 60M /dev/urandom >disk

# The far side is frozen, though its qemu-nbd is not: the near one fails.
begin one
for frozen in $(pgrep -f "target --repo $here/one"); do
	! pgrep -P "$frozen" qemu-nbd >ls.log || break
done
kill -STOP "$frozen"
one=$near

# The near side is frozen: the far one goes.
begin two
kill -STOP "$near"
# shellcheck disable=SC2046 # a list
ends $(pgrep -f "target --repo $here/two")
"$MAKE_BACKUP" two web "$uuid_a" 2000 0 vda:disk:- >out 2>err ||
	failed "the repository is not free: $(cat err)"
grep -q '^vda resumed' out || failed "what was sent is not kept: $(cat out)"
qemu-img compare -q -f raw -F qcow2 disk "$(ls two/web/disks/vda/*.qcow2)"
kill -CONT "$near"
status=0
wait "$near" || status=$?
[ $status = 1 ] || failed "the one that was frozen ended with $status"

status=0
wait "$one" || status=$?
[ $status = 1 ] || failed "alone, it ended with $status: $(cat err-one)"
grep -q 'no sign of life for 30 s' err-one ||
	failed "it says: $(cat err-one)"
kill -CONT "$frozen"
ends "$frozen"
[ ! -e "$(ls one/web/points/*.json 2>ls.log)" ] || failed 'a point is there'
