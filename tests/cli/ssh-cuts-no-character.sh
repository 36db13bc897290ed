#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What a command prints on the other host is printed here as it is, also where a
# character of several bytes lies across what is sent at a time, 4096 bytes.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"

start_sshd
let_in 'command="dsync-vm target"'
name=$(printf 'ü%.0s' {1..30})
mkdir -p a/b/repo
for n in {10..18}; do
	"$MAKE_POINT" a/b/repo "$name$n" \
		"dddddddd-dddd-4ddd-8ddd-dddddddddd$n" 3000 vda:- >/dev/null
done
"$DSYNC_VM" list --output json a/b/repo >want

# A longer path of the repository brings such a character there.
missing=$(python3 -c '
text = open("want", "rb").read()
print(next(n for n in range(700) if text[4096 - n] & 0xc0 == 0x80))')
# pad COUNT: as many characters.
pad()
{
	printf "%$1s" '' | tr ' ' x
}

third=$((missing / 3))
directory=a$(pad "$third")/b$(pad "$third")/repo$(pad $((missing - 2 * third)))
mkdir -p "$(dirname "$directory")"
[ "$directory" = a/b/repo ] || mv a/b/repo "$directory"
"$DSYNC_VM" list --output json "$directory" >want

expect 0 "$DSYNC_VM" list --output json "ssh://$far$here/$directory"
cmp want out || failed "$(diff want out)"
