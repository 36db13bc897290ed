#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The power cut test notices every fault that is put into the module.
# timeout: 1500
# mem: 3G
# disks: 64M 8G 64M 64M
# mutants: data-before-intent retire-without-leaves retire-without-flush
# mutants: retire-without-frozen switch-forgets-active abort-closes-early
. "$TOP/tests/vm/lib.sh"

missed=()
read -r -a mutants <<<"$(sed -n 's/^# mutants: //p' "$0" | xargs)"
for mutant in "${mutants[@]}"; do
	echo "== $mutant: $(sed -n '3,$s/^# //p' "$TOP/tests/vm/mutants/$mutant.sed" | xargs)"
	modprobe -r dm-dsync
	modprobe dm-mod
	insmod "$BUILD/mutants/$(uname -r)/$mutant.ko"
	for attempt in 1 2 3; do
		if ! POINTS=400 bash "$TOP/tests/vm/t-module-powercut.sh" >log 2>&1; then
			grep -E 'is lost|in excess' log | head -n 2 || {
				cat log
				fail "$mutant fails otherwise"
			}
			continue 2
		fi
		echo "attempt $attempt: not noticed"
	done
	missed+=("$mutant")
done
modprobe -r dm-dsync
[ ${#missed[@]} = 0 ] || fail "not noticed: ${missed[*]}"
