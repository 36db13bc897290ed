#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A stream that ends early, is damaged, repeats, swaps or lacks a part, is for
# another disk or none at all is refused in one line and without an id; what was
# written before is what was sent.
# shellcheck disable=SC2016 # it is for sh
. "$(dirname "$0")/lib.sh"

requires python3 -c ''
export DSYNC_VM
new_seed
random_file old 3000320
random_file new 3000320
truncate -s 1000000 hole
dd if=hole of=new bs=4096 seek=300 conv=notrunc status=none
make_map 733 0-100 200-202 300-420 600 732 >map
"$DSYNC_VM" extract -q --map map ./new >stream

# merge_of EXIT TEXT: merge of ./bad ends so, in one line, without an id.
merge_of()
{
	cp old copy
	got=0
	"$DSYNC_VM" merge -q copy <bad >out 2>err || got=$?
	[ "$got" = "$1" ] || failed "seed $seed: exit $got, not $1: $(cat err)"
	[ ! -s out ] || failed "seed $seed: says $(cat out)"
	says "$2"
	python3 - <<-'END' || failed "seed $seed: neither old nor new"
	old, new, copy = (open(n, "rb").read() for n in ("old", "new", "copy"))
	assert len(copy) == len(old)
	for at in range(0, len(old), 4096):
	    assert copy[at:at + 4096] in (old[at:at + 4096], new[at:at + 4096])
	END
}

# alter EXPRESSION: ./bad is the stream s, with its records r and what
# re-makes a checksum.
cat >alter.py <<'END'
import random
import struct
import sys

s = open("stream", "rb").read()
head, at, r = s[:88], 88, []
while at < len(s):
    kind, _, _, size = struct.unpack_from("<IIQQ", s, at + 16)
    end = at + 40 + (size if kind == 1 else 0)
    r.append(s[at:end])
    at = end
chance = random.Random(int(sys.argv[2]))
open("bad", "wb").write(eval(sys.argv[1]))
END
alter()
{
	python3 alter.py "$1" "$seed"
}

: >bad
merge_of 1 'not whole'
for _ in 1 2 3 4 5 6; do
	alter 's[:chance.randrange(len(s))]'
	merge_of 1 'not whole'
	alter 'head + b"".join(r[:chance.randrange(len(r))])'
	merge_of 1 'not whole'
	seed=$((seed + 1))
done
for _ in 1 2 3 4 5 6; do
	# A length that was altered may be more than what there is.
	alter '(lambda i: s[:i] + bytes([s[i] ^ 1 << chance.randrange(8)]) +
		s[i + 1:])(chance.randrange(128, len(s)))'
	merge_of 7 'damaged'
	seed=$((seed + 1))
done
alter '(lambda i: s[:i] + bytes([s[i] ^ 1]) + s[i + 1:])(60)'
merge_of 7 'damaged'
alter 'head + b"".join(r[:1] + r[2:])'
merge_of 7 'a part of it is missing'
alter 'head + b"".join(r[:2] + r[1:])'
merge_of 7 'out of place'
alter 'head + b"".join([r[1], r[0]] + r[2:])'
merge_of 7 'out of place'
alter 's + s'
merge_of 7 'behind its end'
alter 'head + r[0][:24] + struct.pack("<QQ", 0, 1 << 63) + r[0][40:]'
merge_of 7 'out of place'
alter 'head + r[0][:24] + struct.pack("<QQ", 0, 2 << 20) + r[0][40:]'
merge_of 7 'too long'
alter 'head + r[0][:24] + struct.pack("<QQ", 1 << 40, 4096) + r[0][40:]'
merge_of 7 'out of place'
alter 'b"\0" * 100'
merge_of 7 'not what'
alter 's[:24] + struct.pack("<I", 2) + s[28:]'
merge_of 8 'version 2'

# Another disk's copy, one in use, none, and one that would be lost.
truncate -s 3M other
cp other before
expect 6 sh -c '"$DSYNC_VM" merge -q other <stream'
says 'other: has 3145728 bytes'
cmp other before
expect 1 sh -c '"$DSYNC_VM" merge -q nowhere <stream'
says 'does not exist'
[ ! -e nowhere ] || failed 'made a file of a part of a disk'
"$DSYNC_VM" extract -q ./new >whole
cp old copy
expect 1 sh -c '"$DSYNC_VM" merge -q copy <whole'
says 'is not empty'
cmp old copy
serve copy
for stream in stream whole; do
	expect 5 sh -c '"$DSYNC_VM" merge -q --force copy <'$stream
	says 'copy'
done
end_server
cmp old copy
expect 0 sh -c '"$DSYNC_VM" merge -q --force copy <whole'
cmp new copy
mkdir dir
expect 1 sh -c '"$DSYNC_VM" merge -q dir <stream'
says 'dir'

# What is no pipe, or no disk.
expect 2 "$DSYNC_VM" extract --output json ./new
expect 2 "$DSYNC_VM" extract --done nonsense dsync-web1-vda
expect 2 "$DSYNC_VM" extract --block-bytes 4096 ./new
expect 2 "$DSYNC_VM" extract --map map --block-bytes 5000 ./new
expect 2 "$DSYNC_VM" extract --map map --block-bytes 8192 ./new
says 'not a map'
expect 2 "$DSYNC_VM" extract web1
says 'dsync-web1-vda'
expect 1 sh -c '"$DSYNC_VM" extract -q ./new | head -c 5000 >part; exit 1'
mkfifo pipe
head -c 5000 pipe >part &
expect 1 sh -c '"$DSYNC_VM" extract -q ./new >pipe'
says 'has ended before'
