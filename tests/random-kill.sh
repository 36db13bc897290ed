# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# random_kill TRACE [FROM [PATTERN]]: for strace, to kill at one of the system
# calls of a trace, from line FROM on, that match. Counting is per name of a
# call. Wants bash.
random_kill()
{
	awk -F '(' -v from="${2:-1}" -v pattern="${3:-.}" \
		-v random="$((RANDOM * 32768 + RANDOM))" '
		/^[a-z_0-9]+\(/ {
			name[++n] = $1
			if (NR >= from && $0 ~ pattern)
				candidates[nr++] = n
		}
		END {
			at = candidates[random % nr]
			for (i = 1; i <= at; i++)
				count += name[i] == name[at]
			printf "inject=%s:signal=KILL:when=%d\n", name[at], count
		}' "$1"
}
