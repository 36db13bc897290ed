#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Where one ssh connection is bound by latency and there is much to send, four
# carry the blocks; where it is not, one does. What arrives is the same.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"

# backup TIME DISK CONNECTIONS: it makes so many connections, with requests'.
backup()
{
	: >sshd.log
	point=$("$MAKE_BACKUP" "ssh://$far$here/repo" web "$uuid_a" "$1" 0 \
		"vda:$2:-" | tail -n 1)
	made=$(grep -c '^Accepted publickey' sshd.log)
	[ "$made" = "$3" ] || failed "$made connections, not $3"
	qemu-img compare -q -f raw -F qcow2 "$2" \
		"repo/web/disks/vda/$point.qcow2" || failed "$2 differs"
}

start_sshd
mkdir repo
head -c 66M /dev/urandom >large
head -c 66M /dev/urandom >new
backup 1000 large 2

chmod +x "$tests/slow-line.py"
echo "  ProxyCommand $tests/slow-line.py %h %p 0.01" >>ssh_config
backup 2000 new 5

# A small disk is not worth it.
head -c 2M /dev/urandom >small
: >sshd.log
"$MAKE_BACKUP" "ssh://$far$here/repo" db dddddddd-dddd-4ddd-8ddd-dddddddddddd \
	1000 0 vda:small:- >out
made=$(grep -c '^Accepted publickey' sshd.log)
[ "$made" = 2 ] || failed "$made connections for a small disk"
