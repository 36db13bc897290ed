#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Points are listed in the order they were made, domains by their names; a
# repository that cannot be written to is listed too.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

first=$(point 2000 vda:1048576:/dev/null)
second=$(point 1000 vda:1048576:/dev/null vdb:-)
third=$(point 1000 vda:1048576:/dev/null)
"$MAKE_POINT" repo 'db 1/ü' bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb 1 \
	vda:1048576:/dev/null >/dev/null
chmod -R a-w repo

expect 0 "$DSYNC_VM" list web repo
[ "$(awk 'NR > 1 { print $1 }' out)" = "$first
$second
$third" ] || failed "$(cat out)"
[ "$third" = "$second-2" ] || failed "$third"
grep -q "$second.*vda (not vdb)" out || failed "$(cat out)"
expect 0 "$DSYNC_VM" list "$uuid_a" repo
expect 0 "$DSYNC_VM" list repo
grep -q '^db 1/ü .* 1 ' out || failed "$(cat out)"
grep -q "^web .* 3  $third" out || failed "$(cat out)"
expect 0 "$DSYNC_VM" list web repo --output json
for word in '"parent": "'"$first"'"' '"reason": "no raw disk"' '"ok": true' \
	'"created": "1970-01-01T00:16:40Z"' '"kind": "incremental"'; do
	grep -q "$word" out || failed "no $word in $(cat out)"
done
expect 1 "$DSYNC_VM" list web missing
says 'is it mounted'
expect 1 "$DSYNC_VM" list nobody repo
says 'no points of a domain nobody'
expect 2 "$DSYNC_VM" list
chmod -R u+w repo
