#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a power cut may leave of a directory, from what was done to it.

power-cut.py TRACE DIRECTORY SEED LAST OUTPUT: TRACE is of strace, with all
calls that change files or names (see CALLS), of all processes that changed
anything below DIRECTORY, which was empty. The power is cut when line LAST of
the trace is done, counted from 1. What is on disk then is made in OUTPUT.

It is as bad as a file system may be. Until a file is synced, each of its writes
is there or not, whatever became of others; until a directory is synced, only
some first part of what was done to its names is there. Syncing a file does not
sync its name, nor does a name that is there bring the content along.
"""
import os
import random
import re
import sys

CALLS = ("openat,open,creat,write,writev,pwrite64,pwritev,pwritev2,fsync,"
         "fdatasync,sync_file_range,rename,renameat,renameat2,link,unlink,"
         "unlinkat,mkdir,mkdirat,rmdir,ftruncate,truncate,fallocate")
PAGE = 4096
PUNCH, ZERO = 0x02, 0x10
FLAGS = {"FALLOC_FL_KEEP_SIZE": 1, "FALLOC_FL_PUNCH_HOLE": PUNCH,
         "FALLOC_FL_ZERO_RANGE": ZERO}


class File:
    def __init__(self):
        self.done = []    # (name, arguments), not synced yet
        self.synced = []  # durable, in order

    def sync(self, count):
        self.synced += self.done[:count]
        del self.done[:count]


class Directory:
    def __init__(self):
        self.names = {}     # as processes see it
        self.done = []      # (name, node or None), each a list of changes
        self.on_disk = {}

    def change(self, *changes):
        for name, node in changes:
            if node is None:
                self.names.pop(name, None)
            else:
                self.names[name] = node
        self.done.append(changes)

    def sync(self, count):
        for changes in self.done[:count]:
            for name, node in changes:
                if node is None:
                    self.on_disk.pop(name, None)
                else:
                    self.on_disk[name] = node
        del self.done[:count]


def unescape(text):
    return re.sub(rb"\\x([0-9a-f]{2})",
                  lambda m: bytes([int(m.group(1), 16)]), text)


class Model:
    def __init__(self, top):
        self.top = top
        self.root = Directory()

    def find(self, path):
        """Its directory and name there; None if it is elsewhere."""
        if path == self.top:
            return self.root, None
        if not path.startswith(self.top + "/"):
            return None
        directory = self.root
        parts = path[len(self.top) + 1:].split("/")
        for part in parts[:-1]:
            directory = directory.names[part]
        return directory, parts[-1]

    def node(self, path):
        found = self.find(path)
        if not found:
            return None
        return found[0].names.get(found[1]) if found[1] else found[0]

    # --- what each call does, once it has returned

    def create(self, path, flags):
        found = self.find(path)
        if not found or not found[1]:
            return
        directory, name = found
        if name not in directory.names:
            assert "O_CREAT" in flags, path
            directory.change((name, File()))
        elif "O_TRUNC" in flags:
            directory.names[name].done.append(("truncate", 0))

    def mkdir(self, path):
        found = self.find(path)
        if found and found[1]:
            found[0].change((found[1], Directory()))

    def remove(self, path):
        found = self.find(path)
        if found:
            found[0].change((found[1], None))

    def rename(self, old, new):
        found, to = self.find(old), self.find(new)
        if not found:
            return
        assert found[0] is to[0], "between directories"
        found[0].change((found[1], None), (to[1], found[0].names[found[1]]))

    def modify(self, path, *operation):
        node = self.node(path)
        if isinstance(node, File):
            node.done.append(operation)


LINE = re.compile(rb"(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)(.*)$", re.S)
RESUMED = re.compile(rb"(\d+) +<\.\.\. (\w+) resumed>(.*)$", re.S)
UNFINISHED = re.compile(rb"(\d+) +(\w+)\((.*?),? *<unfinished \.\.\.>$", re.S)
FD = re.compile(rb"^(?:AT_FDCWD|-?\d+)<([^>]*)>")
STRING = re.compile(rb'"((?:[^"\\]|\\.)*)"')


def paths(arguments):
    """The paths among a call's arguments, each against its directory."""
    cwd, found = b"", []
    for part in re.finditer(rb'(?:AT_FDCWD|\d+)<([^>]*)>|"((?:[^"\\]|\\.)*)"',
                            arguments):
        if part.group(1) is not None:
            cwd = unescape(part.group(1))
        else:
            found.append(os.path.join(cwd, unescape(part.group(2))).decode())
    return found


def fd_path(arguments):
    match = FD.match(arguments)
    return unescape(match.group(1)).decode() if match else ""


def numbers(text):
    return [int(word, 0) for word in re.findall(rb"(?:^|[ ,])(0x[0-9a-f]+|\d+)\b",
                                                 text)]


class Replay:
    """Reads a trace: a sync covers what was done before it began."""

    def __init__(self, top):
        self.model = Model(top)
        self.begun = {}     # pid: name, arguments, how much a sync covers
        self.offsets = {}   # path: of write()

    def covered(self, name, arguments):
        if name not in ("fsync", "fdatasync"):
            return None
        node = self.model.node(fd_path(arguments))
        return node and (node, len(node.done))

    def line(self, line):
        match = UNFINISHED.match(line)
        if match:
            pid, name, arguments = match.groups()
            name = name.decode()
            self.begun[pid] = (name, arguments, self.covered(name, arguments))
            return
        match = RESUMED.match(line)
        if match:
            pid, _, rest = match.groups()
            if pid not in self.begun:
                return
            name, arguments, covered = self.begun.pop(pid)
            whole = LINE.match(b"x(" + arguments + rest)
            if whole:
                self.call(name, whole.group(2), int(whole.group(3)),
                          whole.group(4), covered)
            return
        match = LINE.match(line)
        if match:
            name = match.group(1).decode()
            self.call(name, match.group(2), int(match.group(3)),
                      match.group(4), self.covered(name, match.group(2)))

    def call(self, name, arguments, result, behind, covered):
        model = self.model
        if result < 0:
            return
        if name in ("openat", "open", "creat"):
            path = re.search(rb"<([^>]*)>", behind)
            if path:
                path = unescape(path.group(1)).decode()
                model.create(path, arguments.decode(errors="replace"))
                self.offsets[path] = 0
        elif name in ("fsync", "fdatasync"):
            if covered:
                covered[0].sync(covered[1])
        elif name in ("rename", "renameat", "renameat2"):
            model.rename(*paths(arguments))
        elif name in ("unlink", "unlinkat", "rmdir"):
            model.remove(paths(arguments)[0])
        elif name in ("mkdir", "mkdirat"):
            model.mkdir(paths(arguments)[0])
        else:
            self.content(name, arguments, result)

    def content(self, name, arguments, result):
        path = fd_path(arguments)
        if not self.model.node(path):
            return
        data = b"".join(unescape(s) for s in STRING.findall(arguments))
        tail = numbers(STRING.sub(b"", arguments[FD.match(arguments).end():]))
        if name in ("write", "writev"):
            offset = self.offsets.get(path, 0)
            self.offsets[path] = offset + result
            self.model.modify(path, "write", offset, data[:result])
        elif name == "pwrite64":
            self.model.modify(path, "write", tail[-1], data[:result])
        elif name in ("pwritev", "pwritev2"):
            offset = tail[-1] if name == "pwritev" else tail[-2]
            self.model.modify(path, "write", offset, data[:result])
        elif name == "ftruncate":
            self.model.modify(path, "truncate", tail[-1])
        elif name == "fallocate":
            mode = sum(value for flag, value in FLAGS.items()
                       if flag.encode() in arguments)
            self.model.modify(path, "allocate", mode, tail[-2], tail[-1])
        else:
            raise ValueError(name)


# --- what is left ---------------------------------------------------------------

def surviving(file, rng):
    """Of a file's content: all that was synced, and some of the rest."""
    yield from file.synced
    share = rng.choice([0, 0.5, 1])
    for operation in file.done:
        if operation[0] != "write":
            if rng.random() < share:
                yield operation
            continue
        _, offset, data = operation
        while data:
            part = PAGE - offset % PAGE
            if rng.random() < share:
                yield "write", offset, data[:part]
            offset, data = offset + part, data[part:]


def write_file(file, path, rng):
    with open(path, "w+b") as out:
        for name, *values in surviving(file, rng):
            size = os.fstat(out.fileno()).st_size
            if name == "write":
                os.pwrite(out.fileno(), values[1], values[0])
            elif name == "truncate":
                os.ftruncate(out.fileno(), values[0])
            else:
                mode, offset, length = values
                if mode & (PUNCH | ZERO):
                    end = min(offset + length, size)
                    os.pwrite(out.fileno(), bytes(max(0, end - offset)), offset)
                if not mode & 1 and offset + length > size:
                    os.ftruncate(out.fileno(), offset + length)


def write_directory(directory, path, rng):
    os.makedirs(path, exist_ok=True)
    share = rng.choice([0, 1, rng.random()])
    directory.sync(round(len(directory.done) * share))
    for name, node in directory.on_disk.items():
        write = write_file if isinstance(node, File) else write_directory
        write(node, os.path.join(path, name), rng)


def main():
    if sys.argv[1:] == ["--calls"]:
        print(CALLS)
        return
    trace, top, seed, last, output = sys.argv[1:]
    replay = Replay(top)
    with open(trace, "rb") as lines:
        for number, line in enumerate(lines, 1):
            replay.line(line.rstrip(b"\n"))
            if number == int(last):
                break
    write_directory(replay.model.root, output, random.Random(int(seed)))


main()
