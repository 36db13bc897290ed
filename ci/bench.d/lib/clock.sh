# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Seconds, and what stands for many of them. For the benches.

# Prints the median of its arguments.
median() { printf '%s\n' "$@" | sort -n | sed -n "$((($# + 1) / 2))p"; }

# The seconds that a command takes.
clock() {
	local from to
	from=$(date +%s%N)
	"$@" >&2
	to=$(date +%s%N)
	echo "$from $to" | awk '{print ($2 - $1) / 1e9}'
}
