#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# status --metadata tells what is on a metadata device and what the module will
# make of it, however the device was left; it changes nothing.
. "$(dirname "$0")/lib.sh"

: "${MAKE_METADATA:=$BUILD/tests/cli/make-metadata}"

# make NAME=VALUE...: the image m, and where its parts are
make()
{
	"$MAKE_METADATA" m "$@" >places
	read -r intents slot0 slot1 <places
}

# damage OFFSET: flips the byte there
damage()
{
	python3 -c '
import sys
with open("m", "r+b") as file:
    file.seek(int(sys.argv[1]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[1]))
    file.write(bytes([byte ^ 1]))
' "$1"
}

# status CODE: reads the image, which stays as it is
status()
{
	sha256sum m >sum
	chmod a-w m
	expect "$1" "$DSYNC_VM" status --metadata m --output json
	cp err err.json
	expect "$1" "$DSYNC_VM" status --metadata=m
	cp out text
	cp err.json err
	expect "$1" "$DSYNC_VM" status --metadata m --output json
	chmod u+w m
	sha256sum -c --quiet sum
}

# has NAME: a value of the last report, of its outermost object
has()
{
	sed -n 's/^  "'"$1"'": \(.*[^,]\),\{0,1\}$/\1/p' out
}

# is NAME VALUE [NAME VALUE]...: of the last report
is()
{
	while [ $# -gt 0 ]; do
		[ "$(has "$1")" = "$2" ] ||
			failed "$1 is not $2: $(cat out)"
		shift 2
	done
}

uuid_1='"11111111-1111-1111-1111-111111111111"'
uuid_2='"22222222-2222-2222-2222-222222222222"'

# --- clean: the intents are void, the frozen slot is history ---------------
make flags=1 uuid=1 epoch=2 dirty=0-9,40000,131071-131999 frozen=100-199 \
	intents=3,4
status 0
is found '"sound"' version 1 uuid "$uuid_1" size_bytes 536870912 \
	block_bytes 4096 blocks 131072 region_bytes 1048576 \
	active_regions 1024 clean_shutdown true epoch "$uuid_2" \
	previous_epoch null open_epoch null state '"clean"' \
	reason '"shut down cleanly"' dirty_blocks 12 frozen_blocks 0 \
	intent_regions 0 suspect_blocks 0 damaged_sectors 0 \
	dirty_blocks_at_load 12 ok true
grep -q 'comes up  *clean, 12 blocks dirty: shut down cleanly' text ||
	failed "$(cat text)"

# Damaged intents do no harm then; nor does a stop while not clean.
damage "$intents"
status 0
is state '"clean"' dirty_blocks_at_load 12
make flags=1 state=1 suspect_blocks=77
status 0
is state '"recovered"' suspect_blocks 77 dirty_blocks_at_load 0
make flags=1 state=3 dirty=0-131071
status 0
is state '"lost"' clean_shutdown true dirty_blocks_at_load 131072

# --- unclean: regions of 256 blocks, twice the same, one beyond the disk ----
make dirty=0-9,5000 dirty_slot=1 intents=0,7,7,124,511,512,7
status 0
is state '"recovered"' reason '"not shut down cleanly"' clean_shutdown false \
	dirty_blocks 11 intent_regions 4 suspect_blocks 1024 \
	dirty_blocks_at_load 1025
grep -q 'suspect  *1024 blocks, in 4 regions' text || failed "$(cat text)"

# A region of several leaves, and a disk with a short end: 262145 blocks.
make data_sectors=2097153 region_sectors=1048576 intents=0,2 dirty=262144
status 0
is blocks 262145 suspect_blocks 131073 dirty_blocks_at_load 131073

# More intents than fit a block; the last is in the last sector.
make active_regions=2000 intents=0-9,0-1988,511
status 0
is intent_regions 512 dirty_blocks_at_load 131072

# --- an open epoch: what is frozen comes back, clean or not -----------------
for flags in 0 1; do
	make flags=$flags epoch=2 open=2 previous=1 dirty=0-9 frozen=5-19 \
		intents=1
	status 0
	is open_epoch "$uuid_2" previous_epoch "$uuid_1" dirty_blocks 10 \
		frozen_blocks 15 \
		dirty_blocks_at_load $((flags ? 20 : 20 + 256))
	grep -q "epoch .*, unfinished; before it 1111" text ||
		failed "$(cat text)"
done

# --- lost ------------------------------------------------------------------
make flags=2 dirty=1
status 0
is state '"lost"' reason '"marked as lost"' dirty_blocks null \
	dirty_blocks_at_load 131072
make flags=3
status 0
is state '"lost"'

# --- one superblock is enough, the later one counts ------------------------
for copy in 0 1; do
	make flags=1 dirty=1
	damage $((copy * 4096 + 50))
	status 0
	is state '"clean"' dirty_blocks_at_load 1
	grep -q "copy $((1 - copy)), sequence 10 (copy $copy: damaged)" text ||
		failed "$(cat text)"
done
make behind=1
status 0
grep -q "copy 0, sequence 10 (copy 1: sound)" text || failed "$(cat text)"
damage 8
status 0
grep -q "copy 1, sequence 9 (copy 0: damaged)" text || failed "$(cat text)"
damage 4104
status 1
says 'm: no superblock to go by: damaged (copy 0: damaged, copy 1: damaged)'

# Two that are not alike under one sequence
make flags=1
"$MAKE_METADATA" other flags=0 >/dev/null
dd if=other of=m bs=4096 count=1 conv=notrunc status=none
status 1
says 'contradictory (copy 0: sound, copy 1: sound)'

# --- a damaged sector of a leaf: 3968 blocks -------------------------------
make flags=1 dirty=0-9
damage $((slot0 + 4096 + 600))
damage $((slot1 + 600)) # not in use
status 0
is state '"recovered"' damaged_sectors 1 dirty_blocks_at_load $((3968 + 10))
grep -q 'damaged  *1 sectors' text || failed "$(cat text)"
make open=1 frozen=0-9
damage $((slot1 + 4095))
status 0
is state '"recovered"' damaged_sectors 1 frozen_blocks $((3968 + 10)) \
	dirty_blocks_at_load $((3968 + 10))

# The last one: only those that the disk has
make flags=1
damage $((slot0 + 4 * 4096 + 512))
status 0
is dirty_blocks_at_load $((131072 - 4 * 31744 - 3968))

# Leaves of an older generation are empty; newer ones say that the superblock
# is a stale one.
make flags=1 generation=9 dirty=0-9
"$MAKE_METADATA" other flags=1 generation=10 >/dev/null
dd if=other of=m bs=4096 count=2 conv=notrunc status=none
status 0
is state '"clean"' dirty_blocks_at_load 0
"$MAKE_METADATA" other flags=1 generation=8 >/dev/null
dd if=other of=m bs=4096 count=2 conv=notrunc status=none
status 0
is state '"recovered"' damaged_sectors 40 dirty_blocks_at_load 131072

# --- damaged intents -------------------------------------------------------
make intents=1 dirty=1
damage $((intents + 8 * 512 + 3)) # the ninth sector, of which 32 count
status 0
is state '"lost"' damaged_sectors 1 dirty_blocks_at_load 131072 \
	intent_regions null
has reason | grep -q intents || failed "$(cat out)"
make intents=1 dirty=1
damage $((intents + 9 * 512)) # not in use
status 0
is state '"recovered"' damaged_sectors 0

# --- truncated -------------------------------------------------------------
make flags=1 dirty=1
truncate -s -1 m
status 0
is state '"lost"' dirty_blocks_at_load 131072
has reason | grep -q 'too small' || failed "$(cat out)"
truncate -s 8192 m
status 0
is state '"lost"'
truncate -s 4096 m
status 0
grep -q 'copy 1: unreadable' text || failed "$(cat text)"
truncate -s 100 m
status 1
says 'copy 0: unreadable, copy 1: unreadable'

# --- none of ours ----------------------------------------------------------
make version=2
status 1
says 'a later version'
"$MAKE_METADATA" other >/dev/null
dd if=other of=m bs=4096 count=1 conv=notrunc status=none
status 1
says 'copy 0: sound, copy 1: a later version'
is found '"a later version"' ok false exit_code 1

for size in 2M 64K; do
	rm -f m
	truncate -s $size m
	status 1
	says 'm: blank: it will be formatted'
	is found '"blank"'
done
truncate -s 2M m
printf x | dd of=m bs=1 seek=1048575 conv=notrunc status=none
status 1
says 'm: no superblock to go by: unknown content'
rm m && truncate -s 2M m
printf x | dd of=m bs=1 seek=1048576 conv=notrunc status=none
status 1
says 'blank'
random_file m 2000000
status 1
says 'unknown content'
is found '"unknown content"'
: >m
status 1
says 'unreadable'

# --- misuse ----------------------------------------------------------------
expect 1 "$DSYNC_VM" status --metadata missing
says 'dsync-vm status: missing: No such file'
mkdir directory && mkfifo fifo
for wrong in directory fifo /dev/null; do
	expect 1 timeout 10 "$DSYNC_VM" status --metadata $wrong
	says "$wrong: neither a device nor a file"
done
expect 2 "$DSYNC_VM" status --metadata
expect 2 "$DSYNC_VM" status --metadata m domain
