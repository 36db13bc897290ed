# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of what ci/bench.d/backup.sh measured.

usage: backup.py LOG

Lines there are WORKLOAD PEER ROUND SECONDS CPU_SECONDS READ_BYTES WIRE_BYTES
STORED_BYTES, under "# WORKLOAD TITLE" and its number of blocks. Costs are the
median, and in parentheses how often those of dsync-vm on the same way.
"""
import re
import statistics
import sys

MIB = 1 << 20
BLOCK = 4096
PEERS = {
    'dsync_directory': 'dsync-vm, directory',
    'virtnbd': 'virtnbdbackup, directory',
    'dsync_ssh': 'dsync-vm, ssh',
    'rsync': 'rsync --inplace, ssh',
    'md5': 'blockmd5sync, ssh',
    'nbdcopy': 'nbdcopy, all, ssh',
}
IN_PLACE = 'rsync', 'md5', 'nbdcopy'
HEAD = """\
What a backup of the changes to a disk costs, on this host alone.

For all: the disk is a raw file, and what changed is known to dsync-vm, as its
tracker would tell; there is no guest, hence no freeze and no hold, and what the
host keeps for the next backup is not written. ssh leads to this host, so that
both sides share its processors. Nothing of the disk or of what it is sent to is
in the page cache. It ends when what was sent is on disk there.
  CPU     seconds of all processes on both sides, ssh and its server too
  read    MiB that the near side made the kernel fetch from disks; with a
          directory as target that is what is read there, too
  wire    MiB of TCP payload, both ways
  stored  MiB more that the target takes up, and how often the changed bytes that
          is; "in place": the earlier content is lost
In parentheses: how often that of dsync-vm on the same way. nbdcopy costs the same
whatever changed, and is measured once. virtnbdbackup has a guest of its own, which
stands still, with the same disk as qcow2; the costs of its QEMU and libvirtd are
among its own. It is not here if it is not installed."""


def load(path):
    """[(workload, title)], {workload: {peer: [median of each cost]}}"""
    titles, rounds = [], {}
    with open(path) as lines:
        for line in lines:
            words = line.split()
            if words[0] == '#':
                titles.append((words[1], ' '.join(words[2:])))
            else:
                rounds.setdefault(words[0], {}).setdefault(
                    words[1], []).append([float(w) for w in words[3:]])
    return titles, {
        workload: {peer: [statistics.median(costs) for costs in zip(*all_)]
                   for peer, all_ in peers.items()}
        for workload, peers in rounds.items()}


def cell(value, base, form):
    if not value:
        return '-'
    times = '(%.3gx)' % (value / base) if base else ''
    return (form % value) + ' ' + times.rjust(8)


def stored(peer, value, changed):
    if peer in IN_PLACE:
        return 'in place'
    return '%.1f (%.3f)' % (value / MIB, value / changed)


def print_row(peer, costs, base, changed):
    seconds, cpu, read, wire, kept = costs
    print('  %-26s%17s%17s%18s%18s%17s' % (
        PEERS[peer], cell(seconds, base[0], '%.2f'),
        cell(cpu, base[1], '%.2f'), cell(read / MIB, base[2] / MIB, '%.1f'),
        cell(wire / MIB, base[3] / MIB, '%.1f'), stored(peer, kept, changed)))


def print_table(title, peers):
    changed = int(re.search(r'(\d+) blocks', title)[1]) * BLOCK
    print('\n%s: %.1f MiB' % (title, changed / MIB))
    print('  %-26s%17s%17s%18s%18s%17s' % (
        '', 'seconds         ', 'CPU         ', 'read         ',
        'wire         ', 'stored'))
    for peer in PEERS:
        if peer in peers:
            local = PEERS[peer].endswith('directory')
            print_row(peer, peers[peer], peers[
                'dsync_directory' if local else 'dsync_ssh'], changed)


def main():
    titles, costs = load(sys.argv[1])
    print(HEAD)
    for workload, title in titles:
        print_table(title, costs[workload])


main()
