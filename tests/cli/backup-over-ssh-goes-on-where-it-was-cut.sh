#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The same over ssh: whoever is killed at any system call, the near side, the
# far side, a connection or the far qemu-nbd, leaves the earlier points as they
# were, lets go of the repository, and the next backup goes on.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"
# shellcheck source-path=SCRIPTDIR
. "$tests/kill-rounds.sh"

start_sshd
to=ssh://$far/
serve="dsync-vm target --repo $here/repo"
let_in "command=\"$serve\""

# Who is cut off notices, and goes.
settle()
{
	while pgrep -f "$serve" >/dev/null; do
		sleep 0.05
	done
}

# far_run PREFIX: a backup whose far side runs so.
far_run()
{
	let_in "command=\"env ASAN_OPTIONS=detect_leaks=0 $1 $serve\""
	backup >out 2>&1 || status=$?
	let_in "command=\"$serve\""
	[ $status = 0 ] || [ $status = 1 ] ||
		failed "ended with $status: $(cat out)"
}

# What a whole run calls over there, where each connection is a process.
trace_far()
{
	change vda 300
	# shellcheck disable=SC2016 # for the shell over there
	far_run "strace -o $here/far-calls.\$\$"
	grep -l qemu-nbd far-calls.* | xargs -I {} mv {} far-calls
	rm -rf repo/*
}

killed_backup()
{
	case $((RANDOM % 6)) in
	0 | 1) # the near side
		backup strace -o trace -e "$(random_instant)" >out 2>&1 || status=$?
		[ $status = 0 ] || [ $status = 137 ] ||
			failed "ended with $status: $(cat out)"
		;;
	2) # the far side
		far_run "strace -o $here/trace -e $(random_kill far-calls)"
		;;
	3) # what it renames is what it commits
		far_run "strace -o $here/trace -e inject=rename,fsync:signal=KILL:when=$((RANDOM % 20 + 1))"
		;;
	4) # its qemu-nbd, or a connection
		far_run "strace -f -o $here/trace -e signal=none -e inject=pwrite64,pwritev:signal=KILL:when=$((RANDOM % 300 + 1))"
		;;
	5)
		far_run "strace -f -o $here/trace -e signal=none -e inject=write,read,recvfrom,sendto:signal=KILL:when=$((RANDOM % 500 + 1))"
		;;
	esac
}

status=0
trace_far
kill_rounds
