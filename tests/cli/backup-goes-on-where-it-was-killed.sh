#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A backup that was killed at any system call, it or its qemu-nbd, leaves the
# earlier points as they were; the next one goes on with what it had sent,
# whatever was written meanwhile, and makes a point that is the disks byte for
# byte. ROUNDS is how many points are made, SEED repeats a run.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"
# shellcheck source-path=SCRIPTDIR
. "$tests/kill-rounds.sh"

to=repo

settle() { :; }

killed_backup()
{
	if [ $((RANDOM % 4)) = 0 ]; then # the server, at any of its writes
		backup strace -f -o trace -e signal=none \
			-e "inject=pwrite64,pwritev:signal=KILL:when=$((RANDOM % 300 + 1))" \
			>out 2>&1 || status=$?
		return
	fi
	backup strace -o trace -e "$(random_instant)" >out 2>&1 || status=$?
	[ $status = 0 ] || [ $status = 137 ] ||
		failed "ended with $status: $(cat out)"
}

kill_rounds
