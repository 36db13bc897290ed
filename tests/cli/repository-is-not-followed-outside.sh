#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# In the place of any file or directory of a repository there may be a FIFO, a
# directory, or a symbolic link that leads out of it: no command waits for it,
# follows it, or changes anything, and the ones that need it say what it is.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
rm repo/.lock # only for making a repository
cp -a repo pristine
head -c 8M /dev/zero | tr '\0' x >source.raw
make_map 2048 0-15 >map

# state DIRECTORY: picture(), and what is no file.
state()
{
	picture "$1"
	(cd "$1" && find . -printf '%y %p\n' | sort)
}

# Puts $kind in the place of $file, which goes outside.
replace()
{
	rm -rf repo outside
	cp -a pristine repo
	mkdir outside
	mv "repo/$file" outside/it
	case $kind in
	FIFO) mkfifo "repo/$file" ;;
	directory) mkdir "repo/$file" ;;
	link) ln -s "$work/outside/it" "repo/$file" ;;
	esac
	state repo >before
	state outside >outside-before
}

# try ARGUMENT...: fails in a sound way, or is not impeded.
try()
{
	replace
	what="$file as $kind: '$*'"
	got=0
	timeout 60 "$@" >out 2>err </dev/null || got=$?
	! grep 'Sanitizer\|runtime error' err || failed "$what"
	state outside | diff outside-before - || failed "$what went outside"
	case $got in
	0 | 3) ;;
	1 | 7)
		grep -q 'a symbolic link\|not a regular file\|not a directory' \
			err || failed "$what: $(cat err)"
		state repo | diff before - || failed "$what changed that"
		[ ! -e x.raw ] || failed "$what made a file"
		;;
	*) failed "$what ended with $got: $(cat err)" ;;
	esac
	rm -f x.raw
}

try_restore()
{
	try "$DSYNC_VM" restore web repo "$two" --disk vda=x.raw
	case $file in
	*.sums | *.reading) [ $got -lt 8 ] ;;
	*.lock) [ $got = 0 ] ;;
	*/"$one.json") [ $got = 7 ] || [ $got = 3 ] ;;
	*/"$two.json") [ $got = 1 ] ;; # no such point
	*) [ $got = 7 ] ;;
	esac || failed "$file as $kind: restore ended with $got"
}

try_backup()
{
	try "$MAKE_BACKUP" repo web "$uuid_a" 3000 1048576 vda:source.raw:map
	case $file in
	*.sums | */"$two.json") [ $got = 0 ] ;;
	*) [ $got = 7 ] ;;
	esac || failed "$file as $kind: backup ended with $got"
}

for file in $(cd pristine && find . -mindepth 1 | sort); do
	kind='link'
	try "$DSYNC_VM" list repo
	try "$DSYNC_VM" verify web repo --all
	try "$DSYNC_VM" prune --keep-last 1 web repo
	try_restore
	try_backup
	kind='FIFO'
	try_restore
	try_backup
	[ ! -d "pristine/$file" ] || continue
	kind='directory'
	try_restore
	try "$DSYNC_VM" prune --keep-last 1 web repo
done

# And so may be what is yet to be made.
kind=FIFO
for file in "web/points/$two.json.tmp" "web/points/$two.protected" \
	"web/disks/vda/$two.sums.partial" "web/disks/vda/$two.damaged.tmp"; do
	for command in "prune --keep-last 1 web" "prune --protect $two web" \
		'verify web'; do
		rm -rf repo
		cp -a pristine repo
		chmod -R u+w repo
		mkfifo "repo/$file"
		case $command in # something to write down
		verify*) dd if=/dev/urandom of="repo/web/disks/vda/$two.qcow2" \
			bs=1 count=512 seek=786432 conv=notrunc status=none ;;
		esac
		got=0
		# shellcheck disable=SC2086 # words
		timeout 60 "$DSYNC_VM" $command repo >out 2>err </dev/null ||
			got=$?
		[ $got -lt 8 ] || failed "$file: $command: $got: $(cat err)"
	done
done

# A whole repository that is a link is what its user says that it is.
ln -s pristine link
expect 0 "$DSYNC_VM" list web link
