#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Moving a guest with a disk of 256 MiB from one emulated machine to another,
# against virsh migrate --copy-storage-all, and against one without a disk, which
# is what a migration with shared storage costs. What is done is in
# tests/vm/bench-preseed.sh. Both machines share the processors of this one: times
# are good for comparing them with one another, and for nothing else.
#
# ROUNDS (3), KERNEL (6.1).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=${here%/ci/bench.d}
log=$BUILD/log/bench-preseed

ninja -C "$BUILD" >/dev/null
rm -rf "$log"
mkdir -p "$log"
export ROUNDS=${ROUNDS:-3}
timeout --foreground 3600 "$top/tests/vm/run" --kernel "${KERNEL:-6.1}" \
	--log "$log" bench-preseed >"$log/run" || {
	cat "$log/run" >&2
	exit 1
}
python3 "$here/preseed.py" "$log/bench-preseed.log"
