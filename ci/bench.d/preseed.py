# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of what tests/vm/bench-preseed.sh measured.

usage: preseed.py LOG
"""
import statistics
import sys

METHODS = {
    'preseed': 'dsync-vm preseed --migrate, seeded before',
    'copy': 'virsh migrate --copy-storage-all',
    'shared': 'virsh migrate, no disk',
}
MIB = 1 << 20


def load(path):
    """{method: [median of each cost]}"""
    rounds = {}
    with open(path) as lines:
        for line in lines:
            words = line.split()
            if len(words) == 8 and words[0] in METHODS:
                rounds.setdefault(words[0], []).append(
                    [float(word) for word in words[2:]])
    return {method: [statistics.median(costs) for costs in zip(*all_)]
            for method, all_ in rounds.items()}


def main():
    costs = load(sys.argv[1])
    base = costs['shared'][2]
    print('  %-44s%10s%14s%14s%10s' % (
        '', 'seconds', 'MiB sent', 'downtime ms', 'of shared'))
    for method, name in METHODS.items():
        milliseconds, wire, downtime = costs[method][:3]
        print('  %-44s%10.1f%14.1f%14.0f%9.2fx' % (
            name, milliseconds / 1000, wire / MIB, downtime, downtime / base))
    last, disks, memory = costs['preseed'][3:]
    print('  of the downtime %.0f ms for %.1f MiB of its disk, %.0f ms for its '
          'memory' % (disks, last / MIB, memory))


main()
