#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes what ci/bench ships.

  workload.py DIR SIZE_MIB PERCENT RUN_KIB SEED

In DIR: old (random content), new (old with PERCENT of its blocks changed, in
runs of RUN_KIB), map (which), fio.1 ... fio.4 (the same requests as fio iologs,
dealt out to four connections) and fio.all. An old that is there is kept.
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
    with open(path, "wb") as file:
        for _ in range(size >> 20):
            file.write(os.urandom(1 << 20))


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


def main():
    directory, size_mib, percent, run_kib, seed = sys.argv[1:]
    size, run = int(size_mib) << 20, int(run_kib) * 1024 // BLOCK
    nr_blocks = size // BLOCK
    chance = random.Random(int(seed))
    os.chdir(directory)
    make_old("old", size)
    shutil.copyfile("old", "new")
    picks = chance.sample(range(nr_blocks // run),
                          round(nr_blocks * float(percent) / 100 / run))
    blocks = sorted(p * run + i for p in picks for i in range(run))
    bitmap = bytearray((nr_blocks + 7) // 8)
    runs = list(runs_of(blocks))
    with open("new", "r+b") as new:
        for first, count in runs:
            new.seek(first * BLOCK)
            new.write(os.urandom(count * BLOCK))
        new.flush()
        os.fsync(new.fileno())
    for block in blocks:
        bitmap[block // 8] |= 1 << block % 8
    with open("map", "wb") as file:
        file.write(bitmap)
    write_iolog("fio.all", runs)
    for i in range(4):
        write_iolog(f"fio.{i + 1}", runs[i::4])
    print(f"{len(blocks)} blocks in {len(runs)} requests")


main()
