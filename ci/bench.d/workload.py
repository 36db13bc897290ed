#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes what ci/bench ships.

  workload.py DIR SIZE_MIB PERCENT RUN_KIB SEED
  workload.py scatter DIR SIZE_GIB BLOCKS SEED
  workload.py compare DIR

In DIR: old (random content), new (old with PERCENT of its blocks changed, in
runs of RUN_KIB), map (which), fio.1 ... fio.4 (the same requests as fio iologs,
dealt out to four connections) and fio.all. An old that is there is kept, and so
is a new, but for what its map says that differs.

scatter: the same of a disk that is all holes but for the changed blocks; without
fio's part. compare: whether dest is new where the map says that it changed.
"""
import os
import random
import shutil
import sys

BLOCK = 4096
LONGEST = 1 << 20  # a request, as dsync-vm ship coalesces them


def make_old(path, size):
    if os.path.exists(path) and os.path.getsize(path) == size:
        return
    if os.path.exists("map"):
        os.unlink("map")
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))


def read_map():
    """The blocks it names."""
    with open("map", "rb") as file:
        bitmap = file.read()
    return [at * 8 + bit for at, byte in enumerate(bitmap) if byte
            for bit in range(8) if byte >> bit & 1]


def write_map(blocks, nr_blocks):
    bitmap = bytearray((nr_blocks + 7) // 8)
    for block in blocks:
        bitmap[block // 8] |= 1 << block % 8
    with open("map", "wb") as file:
        file.write(bitmap)


def make_new():
    """Makes new what old is."""
    if not os.path.exists("map"):
        shutil.copyfile("old", "new")
        return
    blocks = read_map()
    os.unlink("map")
    with open("old", "rb") as old, open("new", "r+b") as new:
        for block in blocks:
            os.pwrite(new.fileno(), os.pread(
                old.fileno(), BLOCK, block * BLOCK), block * BLOCK)


def runs_of(blocks):
    """Neighbouring blocks as (first, count), none longer than a request."""
    first = previous = None
    for block in blocks:
        if first is not None and block == previous + 1 and (
                block - first < LONGEST // BLOCK):
            previous = block
            continue
        if first is not None:
            yield first, previous - first + 1
        first = previous = block
    if first is not None:
        yield first, previous - first + 1


def write_iolog(path, runs):
    with open(path, "w") as log:
        log.write("fio version 2 iolog\nd add\nd open\n")
        for first, count in runs:
            log.write(f"d write {first * BLOCK} {count * BLOCK}\n")
        log.write("d close\n")


def change(runs):
    """Writes what is random to these runs of new."""
    with open("new", "r+b") as new:
        for first, count in runs:
            new.seek(first * BLOCK)
            new.write(os.urandom(count * BLOCK))
        new.flush()
        os.fsync(new.fileno())


def make_workload(directory, size_mib, percent, run_kib, seed):
    size, run = int(size_mib) << 20, int(run_kib) * 1024 // BLOCK
    nr_blocks = size // BLOCK
    chance = random.Random(int(seed))
    os.chdir(directory)
    make_old("old", size)
    make_new()
    picks = chance.sample(range(nr_blocks // run),
                          round(nr_blocks * float(percent) / 100 / run))
    blocks = sorted(p * run + i for p in picks for i in range(run))
    runs = list(runs_of(blocks))
    change(runs)
    write_map(blocks, nr_blocks)  # now it vouches for new
    write_iolog("fio.all", runs)
    for i in range(4):
        write_iolog(f"fio.{i + 1}", runs[i::4])
    print(f"{len(blocks)} blocks in {len(runs)} requests")


def scatter(directory, size_gib, count, seed):
    size = int(size_gib) << 30
    os.chdir(directory)
    for name in "old", "new", "dest":
        with open(name, "wb") as file:
            file.truncate(size)
    blocks = sorted(random.Random(int(seed)).sample(range(size // BLOCK),
                                                    int(count)))
    runs = list(runs_of(blocks))
    change(runs)
    write_map(blocks, size // BLOCK)
    print(f"{len(blocks)} blocks in {len(runs)} requests")


def compare(directory):
    os.chdir(directory)
    with open("new", "rb") as new, open("dest", "rb") as dest:
        for block in read_map():
            if (os.pread(new.fileno(), BLOCK, block * BLOCK) !=
                    os.pread(dest.fileno(), BLOCK, block * BLOCK)):
                sys.exit(f"{directory}: block {block} did not arrive")


def main():
    actions = {"scatter": scatter, "compare": compare}
    if sys.argv[1] in actions:
        actions[sys.argv[1]](*sys.argv[2:])
    else:
        make_workload(*sys.argv[1:])


main()
