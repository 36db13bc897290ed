#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A peer of `dsync-vm target` that says what it is told to.

far-peer.py "COMMAND" JSON[@FILE]...: sends requests, each with what is in FILE
behind it, to the standard input of COMMAND, and prints what is answered, a
frame a line, until each has its reply.
"""
import struct
import subprocess
import sys

REQUEST, REPLY, BLOB = 1, 2, 3


def main():
    far = subprocess.Popen(sys.argv[1], shell=True, stdin=subprocess.PIPE,
                           stdout=subprocess.PIPE)
    far.stdin.write(b"control 1\n")
    far.stdin.flush()
    print(far.stdout.readline().decode(), end="")
    for text in sys.argv[2:]:
        text, _, path = text.partition("@")
        blob = open(path, "rb").read() if path else b""
        if path:
            text = text.replace("{", '{"blob":%d,' % len(blob), 1)
        far.stdin.write(struct.pack("<II", len(text), REQUEST) + text.encode())
        if path:
            far.stdin.write(struct.pack("<II", len(blob), BLOB) + blob)
        far.stdin.flush()
        kind = None
        while kind != REPLY:
            header = far.stdout.read(8)
            if len(header) < 8:
                sys.exit("far-peer: it ended the connection")
            size, kind = struct.unpack("<II", header)
            content = far.stdout.read(size).decode(errors="replace")
            print(kind, content.replace("\n", " "))
    far.stdin.close()
    far.wait()


main()
