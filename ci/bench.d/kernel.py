# SPDX-License-Identifier: GPL-2.0-or-later
"""Tables from what tests/vm/bench-kernel.sh prints.

usage: kernel.py LOG

Each line there is STAGE SUBJECT ROUND KEY VALUE. Rates are given as ratios to
dm-linear in the same round: the median, and the least and the largest.
"""
import collections
import statistics
import sys


def load(path):
    """{stage: {subject: {key: {round: value}}}}, in the order of the file"""
    data = collections.defaultdict(
        lambda: collections.defaultdict(
            lambda: collections.defaultdict(dict)))
    with open(path) as lines:
        for line in lines:
            words = line.split()
            if len(words) == 5 and words[0] != '#' and words[4] != 'null':
                stage, subject, number, key, value = words
                data[stage][subject][key][number] = float(value)
    return data


def median(values):
    return statistics.median(values.values()) if values else None


def spread(values, form):
    if not values:
        return ''
    return (form + ' (' + form + '–' + form + ')') % (
        statistics.median(values), min(values), max(values))


def ratios(stage, subject, key, base):
    other = stage[base][key]
    return [value / other[number]
            for number, value in stage[subject][key].items()
            if other.get(number)]


def cell(value, form):
    return '-' if value is None else form % value


def print_rates(title, stage):
    print('\n%s' % title)
    print('  %-12s %10s %24s %12s %12s %9s' % (
        '', 'writes/s', 'of linear', 'meta writes', 'meta bytes',
        'flushes'))
    for subject, keys in stage.items():
        print('  %-12s %10.0f %24s %12s %12s %9s' % (
            subject, median(keys['iops']),
            spread(ratios(stage, subject, 'iops', 'linear'), '%.3f'),
            cell(median(keys['meta_writes']), '%.3f'),
            cell(median(keys['meta_bytes']), '%.0f'),
            cell(median(keys['flushes']), '%.3f')))


def print_latencies(title, stage):
    print('\n%s' % title)
    print('  %-12s %12s %24s %12s %24s' % (
        '', 'median us', 'of none', 'p99 us', 'of none'))
    for subject, keys in stage.items():
        print('  %-12s %12.0f %24s %12.0f %24s' % (
            subject, median(keys['p50']) / 1000,
            spread(ratios(stage, subject, 'p50', 'none'), '%.2f'),
            median(keys['p99']) / 1000,
            spread(ratios(stage, subject, 'p99', 'none'), '%.2f')))


def print_instructions(title, stage):
    print('\n%s' % title)
    print('  %-18s %10s %18s' % ('', 'a write', 'beyond linear'))
    for subject, keys in stage.items():
        base = 'linear-first' if subject.endswith('-first') else 'linear'
        print('  %-18s %10.0f %18.0f' % (
            subject, median(keys['mean']),
            median(keys['mean']) - median(stage[base]['mean'])))


def print_cut(title, stage):
    print('\nSuspended, us, with %s' % title)
    for subject, keys in stage.items():
        print('  %-12s %24s' % (
            subject, spread(keys['us'].values(), '%.0f')))


def print_memory(title, stage):
    print('\n%s' % title)
    for subject, keys in stage.items():
        for key, values in keys.items():
            print('  %-12s %-8s %10.1f' % (
                subject, key, median(values) / 1024))


TABLES = [
    ('hot-1', 'Random 4 KiB writes to hot blocks, depth 1', print_rates),
    ('hot-32', 'The same, depth 32', print_rates),
    ('cold-1', 'First write to each block, depth 1 '
               '(metadata: for each write, and the second '
               'time)', print_rates),
    ('again-1', 'The same once more', print_rates),
    ('cold-32', 'First write to each block, depth 32', print_rates),
    ('again-32', 'The same once more', print_rates),
    ('region-1', 'Each write into another region, depth 1', print_rates),
    ('region-32', 'The same, depth 32', print_rates),
    ('thrash-16-1', 'Random writes over 16 GiB, depth 1; dsync with '
                    'active_regions', print_rates),
    ('thrash-16-32', 'The same, depth 32', print_rates),
    ('thrash-1024-1', 'Random writes over 1 TiB, depth 1', print_rates),
    ('thrash-1024-32', 'The same, depth 32', print_rates),
    ('sequential-new', '1 MiB writes in sequence, depth 4', print_rates),
    ('sequential-again', 'The same once more', print_rates),
    ('hold-1024', 'Latency of random writes over 1 GiB while 64 MiB of it '
                  'are held and read', print_latencies),
    ('hold-64', 'The same, all into these 64 MiB', print_latencies),
    ('instructions', 'Instructions, first write to a block and later',
     print_instructions),
    ('memory', 'Memory for 1 TiB, MiB', print_memory),
    ('cut-1', '1 TiB', print_cut),
    ('cut-16', '16 TiB', print_cut),
    ('cut-64', '64 TiB', print_cut),
]


def main():
    data = load(sys.argv[1])
    for name, title, show in TABLES:
        if name in data:
            show(title, data[name])


main()
