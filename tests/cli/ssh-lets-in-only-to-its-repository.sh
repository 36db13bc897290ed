#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whoever has a key whose forced command names a repository can use that one,
# and nothing else on that host: no other directory, no other command, no
# option that is not harmless, no other's image.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"

# asks TEXT JSON...: the answer to one of the requests has TEXT.
asks()
{
	wanted=$1
	shift
	"$tests/far-peer.py" "ssh -F ssh_config -p $port 127.0.0.1" "$@" \
		>answer || failed 'no answer'
	grep -q -F -e "$wanted" answer ||
		failed "no '$wanted' in: $(cat answer)"
}

start_sshd
mkdir repo
make_chain
cp -r repo other
before=$(picture other)
let_in "command=\"dsync-vm target --repo $here/repo\""

# What it is for works: by its name, and as "/".
truncate -s 1M disk
for directory in "$here/repo" /; do
	expect 0 "$MAKE_BACKUP" "ssh://$far$directory" db \
		dddddddd-dddd-4ddd-8ddd-dddddddddddd 3000 0 vda:disk:-
done
expect 0 "$DSYNC_VM" list web "ssh://$far/"
grep -q "$two" out || failed "not listed: $(cat out)"
expect 0 "$DSYNC_VM" verify web "ssh://$far/" "$one"
expect 0 "$DSYNC_VM" verify --all --output json web "ssh://$far$here/repo"
[ "$(jq -r .ok out)" = true ] || failed "no JSON: $(cat out)"
expect 0 "$DSYNC_VM" prune --dry-run --keep-last=1 web "ssh://$far/"
grep -q '1 of 2 points would go' out || failed "not pruned: $(cat out)"

# All else does not.
for directory in "$here/other" "$here" "$here/repo/web"; do
	expect 1 "$MAKE_BACKUP" "ssh://$far$directory" web "$uuid_a" 4000 0 \
		vda:disk:-
	says 'may not be used'
	expect 1 "$DSYNC_VM" list web "ssh://$far$directory"
	says 'may not be used'
done
run='"do":"run","directory":"/"'
asks 'not over ssh' "{$run,\"command\":\"restore\",\"options\":[],\"operands\":[\"web\"]}"
asks 'not over ssh' "{$run,\"command\":\"list\",\"options\":[\"--connect=x\"],\"operands\":[\"web\"]}"
asks 'not over ssh' "{$run,\"command\":\"list\",\"options\":[\"web\",\"$here/other\"],\"operands\":[]}"
asks 'no such request' '{"do":"rm"}'
disk="{\"disk\":\"vda\",\"name\":\"dsync-x-vda\",\"path\":\"$here/disk\",\"size_bytes\":1048576,\"create\":true,\"overwrite\":true}"
asks 'a repository only' "{\"do\":\"seed\",\"domain\":\"x\",\"uuid\":\"$uuid_a\",\"look_only\":false,\"disks\":[$disk]}"
asks 'a repository only' "{\"do\":\"seed-release\",\"uuid\":\"$uuid_a\"}"
asks 'out of turn' '{"do":"seed-finish"}' '{"do":"seed-arm"}'
asks 'out of turn' '{"do":"commit"}' '{"do":"begin-disk"}'
asks 'which directory' '{"do":"run","directory":"repo","command":"list","options":[],"operands":[]}'
expect 1 ssh -F ssh_config -p "$port" 127.0.0.1 cat /etc/passwd
[ ! -s out ] || failed "something came: $(cat out)"

# A second operand is never taken for a repository.
run="$run,\"command\":\"list\",\"options\":[\"--output=json\"]"
asks "$here/repo" "{$run,\"operands\":[\"web\"]}"
asks 'one argument too many' "{$run,\"operands\":[\"web\",\"$here/other\"]}"

asks 'an operand is missing' '{"do":"run","directory":"/","command":"prune","options":[],"operands":[]}'

# A point is what was sent for it, once: not what was given up, or sent twice,
# or not at all, or committed already.
python3 -c 'open("map", "wb").write(bytes((0, 2, 0, 2)))'
python3 -c 'open("all", "wb").write(bytes((0, 2)))'
uuid_c=cccccccc-cccc-4ccc-8ccc-cccccccccccc
open="{\"do\":\"open\",\"directory\":\"/\",\"domain\":\"c\",\"uuid\":\"$uuid_c\",\"state\":\"\",\"known_id\":\"\"}"
begin='{"do":"begin","now":5000}'
disk='{"do":"begin-disk","disk":"vda","size_bytes":8192,"block_bytes":4096,"map_bytes":2}@map'
end='{"do":"end-disk"}'
# Looks for a second whether the server ends by itself: then it has begun, and
# can be told to end.
wait='{"do":"why"}'
python3 - "$uuid_c" "$(jq -r .id repo/dsync-repo.json)" >manifest <<'END'
import json
import sys
disk = {"target": "vda", "size_bytes": 8192, "block_bytes": 4096,
        "file": "disks/vda/19700101T012320Z.qcow2", "backing": None,
        "epoch": None, "full": True, "blocks_changed": 2, "bytes_sent": 0,
        "zero_bytes": 8192}
print(json.dumps({
    "format": 1, "point": "19700101T012320Z", "parent": "20200101T000000Z",
    "repository": sys.argv[2], "created": "1970-01-01T01:23:20Z",
    "domain": {"name": "c", "uuid": sys.argv[1], "xml": "<domain/>"},
    "consistency": "offline", "freeze_ms": 0, "suspend_ms": 0, "disks": [disk],
    "left_out": []}))
END
commit='{"do":"commit"}@manifest'
asks 'out of turn' "$open" "$begin" "$disk" "$begin"
asks 'sends what is not pending' "$open" "$begin" "${disk/2\}@map/0\}@all}"
asks 'out of turn' "$open" "$begin" "$disk" "$wait" "$end" '{"do":"abandon"}' \
	"$commit"
asks 'was not sent so' "$open" "$begin" "$commit"
asks 'out of turn' "$open" "$begin" "$disk" "$wait" "$commit" "$end" "$end"
asks 'out of turn' "$open" "$begin" "$disk" "$wait" "$end" "$disk" "$wait" "$end" \
	"$end"
asks 'was not sent so' "$open" "$begin" "$disk" "$commit"
expect 0 "$DSYNC_VM" list --output=json c repo
[ "$(jq '.domains[0].points | length' out)" = 0 ] || failed "a point: $(cat out)"
asks 'out of turn' "$open" "$begin" "$disk" "$wait" "$end" "$commit" "$begin"
expect 0 "$DSYNC_VM" list --output=json c repo
[ "$(jq -r '.domains[0].points[0].parent' out)" = null ] ||
	failed "a parent that is none: $(cat out)"

[ "$(picture other)" = "$before" ] || failed 'the other repository changed'

# A token that is none lets nobody in.
for token in x "$(printf '%032d.%032d' 0 0)"; do
	printf 'data %s\n' "$token" |
		ssh -F ssh_config -p "$port" 127.0.0.1 >out 2>err && failed "in with $token"
	[ ! -s out ] || failed "something came: $(cat out)"
done
