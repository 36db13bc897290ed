#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a command and prints what it cost, here and at the far side of its ssh.

  measure.py PORT SSHD CONFIG LOG COMMAND...

It is the far side's listener itself, as inetd would be, and the reaper of
orphans. So each process of either side is a descendant that is waited for, and
none of them is slowed down by being counted. What COMMAND and sshd say goes to LOG.
Prints
  SECONDS        until COMMAND ended
  CPU_SECONDS    of all processes, until the last of both sides has ended
  READ_BYTES     that COMMAND and its children made the kernel fetch from disks
  WIRE_BYTES     payload of the TCP connections, both ways
and ends as COMMAND did.
"""
import ctypes
import os
import selectors
import signal
import socket
import struct
import sys
import time

PR_SET_CHILD_SUBREAPER = 36
TCP_INFO_BYTES = 120  # tcpi_bytes_acked, tcpi_bytes_received
LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND
PATIENCE_S = 60       # after COMMAND, for what it leaves behind


def wire_bytes(connection):
    """It is ours too, so it knows its bytes when both ends are done."""
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO,
                                 TCP_INFO_BYTES + 16)
    return sum(struct.unpack_from('QQ', info, TCP_INFO_BYTES))


class Watch:
    def __init__(self, sshd, config, log):
        self.sshd = [sshd, '-i', '-e', '-f', config]
        self.log = log
        self.connections = {}  # by their sshd's pid
        self.cpu = self.wire = 0

    def answer(self, connection):
        pid = os.fork()
        if pid == 0:
            os.dup2(connection.fileno(), 0)
            os.dup2(connection.fileno(), 1)
            os.dup2(os.open(self.log, LOG_FLAGS, 0o600), 2)
            os.execv(self.sshd[0], self.sshd)
        self.connections[pid] = connection

    def reap(self, flags):
        """The next child that has ended: pid, status, usage; pid 0: none."""
        try:
            pid, status, usage = os.wait4(-1, flags)
        except ChildProcessError:
            return None, 0, None
        if pid:
            self.cpu += usage.ru_utime + usage.ru_stime
        connection = self.connections.pop(pid, None)
        if connection:
            self.wire += wire_bytes(connection)
            connection.close()
        return pid, status, usage


def listen(port):
    """A listener, and a descriptor that tells of ended children."""
    listener = socket.create_server(('127.0.0.1', port))
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as children want it
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(tell)
    return listener, told


def run(watch, command, listener, told):
    """Until nobody is left. Gives what the command itself was."""
    events = selectors.DefaultSelector()
    events.register(listener, selectors.EVENT_READ)
    events.register(told, selectors.EVENT_READ)
    started = time.monotonic()
    main = os.posix_spawnp(command[0], command, os.environ,
                           file_actions=[(os.POSIX_SPAWN_OPEN, 1, watch.log,
                                          LOG_FLAGS, 0o600)])
    result = None
    while True:
        ready = events.select(PATIENCE_S if result else None)
        if not ready:
            sys.exit('measure: %s left processes behind' % command[0])
        for key, _ in ready:
            if key.fileobj is listener:
                watch.answer(listener.accept()[0])
            else:
                os.read(told, 4096)
        while True:
            pid, status, usage = watch.reap(os.WNOHANG)
            if pid is None:
                return result
            if pid == 0:
                break
            if pid == main:
                result = time.monotonic() - started, status, usage


def main():
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    watch = Watch(*sys.argv[2:5])
    seconds, status, usage = run(watch, sys.argv[5:],
                                 *listen(int(sys.argv[1])))
    print('%.3f %.3f %d %d' % (seconds, watch.cpu, usage.ru_inblock * 512,
                               watch.wire))
    sys.exit(os.waitstatus_to_exitcode(status) != 0)


main()
