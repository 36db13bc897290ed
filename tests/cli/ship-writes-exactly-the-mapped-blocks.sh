#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Shipping writes the blocks of the map, whole, and not one byte beside them:
# random maps, block sizes, content and disk sizes, checked over the whole disk.
. "$(dirname "$0")/lib.sh"

requires python3 -c ''
new_seed
cat >make.py <<'END'
import random
import sys

chance = random.Random(int(sys.argv[1]))
block = int(sys.argv[2])
size = 512 * chance.randrange(20 << 11, 40 << 11)
count = (size + block - 1) // block
old = bytearray(chance.randbytes(size))
new = bytearray(chance.randbytes(size))
# Zeroes of the source: long ones, short ones and unaligned ones.
for _ in range(60):
    length = chance.choice([512, 4096, 5000, 65536, 1 << 20])
    at = chance.randrange(size)
    new[at:at + length] = bytes(len(new[at:at + length]))
bits = bytearray((count + 7) // 8)
want = bytearray(old)
at = 0
while at < count:
    run = chance.choice([1, 1, 1, 2, 7, 300, 1000])
    if chance.random() < 0.4:
        for i in range(at, min(at + run, count)):
            bits[i // 8] |= 1 << i % 8
            want[i * block:(i + 1) * block] = new[i * block:(i + 1) * block]
    at += run
for name, content in [("old", old), ("new", new), ("want", want), ("map", bits)]:
    with open(name, "wb") as file:
        file.write(content)
END

for block in 4096 8192 65536 1048576 4096; do
	python3 make.py "$seed" "$block"
	cp old dest
	serve dest
	ship --map map --block-bytes "$block" new "$uri"
	end_server
	cmp want dest || failed "block $block, seed $seed"
	[ "$(reported flushed)" = true ] || failed "not flushed"

	# The same by stdin, and into an image that it serves itself.
	cp old dest
	"$DSYNC_VM" ship -q --map - --block-bytes "$block" --format raw \
		new dest <map
	cmp want dest || failed "block $block, stdin, seed $seed"

	# The same with an NBD server as the source.
	cp old dest
	serve new --read-only
	ship --map map --block-bytes "$block" --format raw "$uri" dest
	end_server
	cmp want dest || failed "block $block, NBD source, seed $seed"
	seed=$((seed + 1))
done
