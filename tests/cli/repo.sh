# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of repositories: sourced, not run.  Each test works in a directory
# of its own, $work, which goes with it.  $DSYNC_VM is the program, $MAKE_POINT
# makes restore points from scripts of qemu-io commands.

set -eu

: "${DSYNC_VM:?path of dsync-vm}" "${MAKE_POINT:?path of make-point}"
work=$(mktemp -d "${TMPDIR:-/tmp}/dsync-cli-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' INT TERM
cd "$work"

uuid_a=aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa

failed()
{
	echo "FAILED: $*" >&2
	exit 1
}

# Skips the test unless the command succeeds.
requires()
{
	"$@" >requires.log 2>&1 || {
		echo "skipped: needs $*"
		exit 77
	}
}

# expect CODE COMMAND...: its exit status is CODE; its output goes to out, err.
expect()
{
	want=$1
	shift
	got=0
	"$@" >out 2>err || got=$?
	[ "$got" = "$want" ] ||
		failed "'$*' ended with $got, not $want: $(cat err)"
}

# says TEXT: the last command's error has it, in one line that starts as all do.
says()
{
	grep -q -e "$1" err || failed "no '$1' in: $(cat err)"
	[ "$(grep -vc '^warning: ' err)" = 1 ] ||
		failed "not one line: $(cat err)"
}

# point TIME DISK:BYTES:SCRIPT...: makes a point of the domain web in repo.
point()
{
	mkdir -p repo
	"$MAKE_POINT" repo web "$uuid_a" "$@"
}

# apply SCRIPT FILE: what a script does to a disk, done to a raw file.
apply()
{
	qemu-io -f raw "$2" <"$1" >/dev/null
}

# Two points of a disk of 8 MiB, and what they are, in one.raw and two.raw.
make_chain()
{
	printf 'write -P 1 0 1M\nwrite -P 2 3M 64k\nwrite -P 9 8384512 4k\n' >s1
	printf 'write -P 3 4k 4k\nwrite -z 64k 128k\nwrite -P 4 5M 4k\n' >s2
	truncate -s 8M one.raw
	apply s1 one.raw
	cp one.raw two.raw
	apply s2 two.raw
	one=$(point 1000 vda:8388608:s1)
	two=$(point 2000 vda:8388608:s2)
}

# What is in a directory, with sizes and checksums, to compare later.
picture()
{
	find "$1" -type f -exec sha256sum {} + | sort
}
