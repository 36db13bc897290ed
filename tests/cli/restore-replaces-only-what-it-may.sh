#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A whole domain is restored to named files; a file that exists is replaced
# only when that is asked for, and what is there meanwhile is never half a disk.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
mkdir to
two=$(point 3000 vda:8388608:/dev/null vdb:1048576:/dev/null sda:-)

expect 3 "$DSYNC_VM" restore web repo --to to --output json
grep -q 'disk sda is not in this point' err || failed "$(cat err)"
cmp two.raw to/web-vda.raw
cmp /dev/zero to/web-vdb.raw -n 1048576
[ "$(find to -type f | sort | tr "\n" " ")" = "to/web-vda.raw to/web-vdb.raw " ] ||
	failed "$(find to)"
[ "$(stat -c %a to/web-vda.raw)" = 600 ] || failed "readable by others"
for word in '"point": "'"$two"'"' '"path": "'"$work/to/web-vdb.raw"'"' \
	'"ok": true' '"exit_code": 3'; do
	grep -q "$word" out || failed "no $word in $(cat out)"
done

expect 1 "$DSYNC_VM" restore web repo --to to
grep -q 'web-vda.raw exists; --force' err || failed "$(cat err)"
expect 0 "$DSYNC_VM" restore web repo "$one" --to to --force
cmp one.raw to/web-vda.raw

# A link leads to the file that is replaced, and stays.
ln -s to/web-vda.raw link
expect 0 "$DSYNC_VM" restore web repo "$one" --disk vda=link --force
[ -L link ] || failed "the link was replaced"

# Remains of a restore that was killed.
echo remains >x.raw.partial
expect 1 "$DSYNC_VM" restore web repo "$one" --disk vda=x.raw
says 'x.raw.partial exists'
expect 0 "$DSYNC_VM" restore web repo "$one" --disk vda=x.raw --force
cmp one.raw x.raw
[ ! -e x.raw.partial ] || failed "the partial file is still there"

# A disk in use by a QEMU is not replaced.
serve x.raw
expect 5 "$DSYNC_VM" restore web repo "$one" --disk vda=x.raw --force
end_server
