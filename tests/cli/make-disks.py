# SPDX-License-Identifier: GPL-2.0-or-later
# make-disks.py SEED BLOCK_BYTES MIB: a disk of MIB or up to twice as much before
# (old) and after (new) all of it changed, a map of some blocks, and the old one
# with those of the new (want).
import random
import sys

chance = random.Random(int(sys.argv[1]))
block = int(sys.argv[2])
least = int(sys.argv[3]) << 11
size = 512 * chance.randrange(least, 2 * least)
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
