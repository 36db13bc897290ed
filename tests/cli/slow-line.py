#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A line to somewhere far: slow-line.py HOST PORT SECONDS, as ssh's
ProxyCommand. Everything arrives SECONDS later than it was sent.
"""
import collections
import os
import select
import socket
import sys
import time

CHUNK = 1 << 18
IN_FLIGHT = 64


def main():
    peer = socket.create_connection((sys.argv[1], int(sys.argv[2])))
    delay = float(sys.argv[3])
    ends = {0: peer.fileno(), peer.fileno(): 1}
    late = {source: collections.deque() for source in ends}
    while True:
        now = time.monotonic()
        for source, queue in late.items():
            while queue and queue[0][0] <= now:
                chunk = queue.popleft()[1]
                if not chunk:
                    return
                while chunk:
                    chunk = chunk[os.write(ends[source], chunk):]
        due = [queue[0][0] - now for queue in late.values() if queue]
        ready = [s for s in ends if len(late[s]) < IN_FLIGHT]
        for source in select.select(ready, [], [],
                                    max(0, min(due)) if due else None)[0]:
            late[source].append((time.monotonic() + delay,
                                 os.read(source, CHUNK)))


try:
    main()
except (BrokenPipeError, ConnectionResetError):
    pass
