# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of repositories: lib.sh, and restore points to work on, which
# $MAKE_POINT makes from scripts of qemu-io commands.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"
. "$tests/../random-kill.sh"

: "${MAKE_POINT:=$BUILD/tests/cli/make-point}"
uuid_a=aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa

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
