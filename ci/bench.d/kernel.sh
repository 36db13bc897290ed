#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dm-dsync beside dm-linear, dm-era and dm-snapshot, in a virtual machine
# whose clock counts instructions: the figures are the same on any host. What is
# measured, and on what disks, is in tests/vm/bench-kernel.sh.
#
# STAGES (all), ROUNDS (3), SEED (1), LATENCY_NS (100000: of each disk),
# KERNEL (6.1).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/ci/bench.d}
log=$BUILD/log/bench-kernel

ninja -C "$BUILD" tests/vm/cut >/dev/null
rm -rf "$log"
mkdir -p "$log"
for setting in STAGES ROUNDS SEED LATENCY_NS; do
	[ -z "${!setting-}" ] || printf '%s=%q\n' "$setting" "${!setting}"
done >"$log/bench"

timeout --foreground 3600 "$top/tests/vm/run" --kernel "${KERNEL:-6.1}" --icount --log "$log" \
	bench-kernel >"$log/run" || {
	cat "$log/run" >&2
	exit 1
}
python3 "$here/kernel.py" "$log/bench-kernel.log"
