#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A table is aligned whatever the names in it, and coloured on a terminal only.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

requires script --version
export LC_ALL=C.UTF-8 TERM=xterm
escape=$(printf '\033')
unset NO_COLOR

# on_terminal [VARIABLE=VALUE]: what list prints on one.
on_terminal()
{
	script -qec "env $* '$DSYNC_VM' list repo" /dev/null >out </dev/null
}

point 1000 vda:1048576:/dev/null >/dev/null
"$MAKE_POINT" repo 'a rather long name, ü' bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb \
	1000 vda:1048576:/dev/null >/dev/null

expect 0 "$DSYNC_VM" list repo
! grep -q "$escape" out || failed "$(cat -v out)"
python3 -c '
titles, *lines = open("out").read().splitlines()
newest = titles.index("NEWEST")
for line in lines:
    assert line[newest - 4:].startswith(" 1  1970"), line' || failed "$(cat out)"
! grep -q ' $' out || failed 'spaces at the end of a line'

on_terminal
grep -q "^${escape}\[1mDOMAIN" out || failed "$(cat -v out)"
for setting in NO_COLOR=1 TERM=dumb; do
	on_terminal $setting
	! grep -q "$escape" out || failed "$setting: $(cat -v out)"
done
