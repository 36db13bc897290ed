#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two backups to one repository at the same time both make their points if they
# are of two domains, also where each is the first to an empty directory; of one
# domain, the second is told that it is locked.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"
requires strace -V
# The leak checker traces too, and two cannot.
export ASAN_OPTIONS=detect_leaks=0
uuid_b=bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb

web=("$MAKE_BACKUP" repo web "$uuid_a" 1000 0 vda:disk:-)
db=("$MAKE_BACKUP" repo db "$uuid_b" 1000 0 vda:disk:-)

# begin CALL PATH: a backup of web that stands behind the first such call about
# the path.
begin()
{
	rm -f trace
	strace -o trace -P "$2" -e "inject=$1:signal=STOP:when=1" \
		"${web[@]}" >out-web 2>err-web &
	tracer=$!
	servers="$servers $tracer"
	await grep -q -s 'stopped by SIGSTOP' trace
}

# ends: lets it go on; it makes its point.
ends()
{
	pkill -CONT -P "$tracer"
	wait "$tracer" || failed "web: $(cat err-web)"
}

check()
{
	local domain
	for domain; do
		qemu-img compare -q -f raw -F qcow2 disk \
			"repo/$domain/disks/vda/19700101T001640Z.qcow2"
		expect 0 "$DSYNC_VM" verify --all "$domain" repo
	done
}

random_file disk 1048576

# One saw that there is no repository yet, and the other made it.
mkdir repo
begin access "$work/repo/dsync-repo.json"
expect 0 "${db[@]}"
ends
check web db
rm -rf repo

# Both are on their way.
mkdir repo
begin access "$work/repo/web/points/19700101T001640Z.json"
expect 0 "${db[@]}"
expect 5 "${web[@]}"
says 'locked by another run'
ends
check web db
