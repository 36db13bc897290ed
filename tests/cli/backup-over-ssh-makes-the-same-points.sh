#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A backup to a repository on another host makes the points that one here
# makes: each reads as the disk was, byte for byte, and is checked by the same
# sums; what is there already is not sent again.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"

# backup TIME WINDOW DISK:SOURCE:MAP...: to the far side's repository.
backup()
{
	"$MAKE_BACKUP" "ssh://$far$here/repo" web "$uuid_a" "$@" >report ||
		failed "backup failed"
}

# Bytes sent and bytes that were there already, of the last backup.
sent() { sed -n 's/^vda.* sent \([0-9]*\) .*/\1/p' report; }

start_sshd
mkdir repo
truncate -s 80M disk
printf 'write -P 1 0 3M\nwrite -P 2 30M 5M\nwrite -P 3 83882000 512\n' >s1
apply s1 disk
cp disk one.raw
backup 1000 1048576 vda:disk:-
one=$(tail -n 1 report)
[ "$(sent)" = $((8 * 1024 * 1024 + 4096)) ] || failed "first: $(cat report)"

# Of what is named as changed, half is not.
printf 'write -P 9 1M 64k\nwrite -z 31M 1M\nwrite -P 4 70M 4k\n' >s2
apply s2 disk
cp disk two.raw
backup 2000 0 vda:disk:-
two=$(tail -n 1 report)
[ "$(sent)" = $((65536 + 4096)) ] || failed "second: $(cat report)"

# And come back the same, from here and by ssh.
for from in repo "ssh://$far$here/repo"; do
	expect 0 "$DSYNC_VM" verify web "$from" "$one" "$two"
	expect 0 "$DSYNC_VM" restore web "$from" "$one" --to . --force
	cmp web-vda.raw one.raw
	expect 0 "$DSYNC_VM" restore web "$from" --format=qcow2 --to . --force
	qemu-img compare -q -f raw -F qcow2 two.raw web-vda.qcow2 ||
		failed "from $from it is another"
done
expect 0 "$DSYNC_VM" restore web "ssh://$far$here/repo" --disk vda=new.raw
cmp new.raw two.raw
expect 1 "$DSYNC_VM" restore web "ssh://$far$here/repo" 2025 --to .
says 'has no point 2025 of web'
expect 1 "$DSYNC_VM" restore nobody "ssh://$far$here/repo" --to .
says nobody
# Afterwards old points go, by the rules of this host.
printf 'write -P 5 2M 64k\n' >s3
apply s3 disk
KEEP_LAST=2 backup 3000 0 vda:disk:-
[ ! -e "repo/web/points/$one.json" ] || failed 'the oldest point is still there'
expect 0 "$DSYNC_VM" verify --all web repo
expect 0 "$DSYNC_VM" restore web repo "$two" --to . --force
cmp web-vda.raw two.raw
[ -z "$(find repo -name '*partial*')" ] || failed 'partial files are left'
