# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the t-module-* tests share; source it after lib.sh.

# data_device VAR SIZE: a loop device on a fresh file in memory. It takes
# discards and zeroes.
data_device() {
	modprobe loop
	loop_device "$1" "data-$1" "$2"
}

sectors() {
	blockdev --getsz "$1"
}

# track NAME DATA [BLOCK_SECTORS [OPTIONS]]: all of DATA, bitmap in RAM.
track() {
	dm_create "$1" "0 $(sectors "$2") dsync $2 - ${3:-8} ${4-}"
}

# track_on NAME DATA META [BLOCK_SECTORS [OPTIONS]]: all of DATA, with metadata.
track_on() {
	dm_create "$1" "0 $(sectors "$2") dsync $2 $3 ${4:-8} ${5-}"
}

# crash_copy META COPY: what a power cut now would leave on META; to be used
# while nothing is written, as it is no instant otherwise.
crash_copy() {
	dd if="$1" of="$2" bs=1M iflag=direct oflag=direct status=none
}

# word NAME N: of the status line, as DESIGN.md counts: 1 is START, 4 STATE.
word() {
	dmsetup status "$1" | cut -d ' ' -f "$2"
}
state() { word "$1" 4; }
epoch() { word "$1" 7; }
dirty() { word "$1" 8; }
frozen() { word "$1" 9; }
suspect() { word "$1" 10; }

# value NAME KEY: of the pairs in the status line.
value() {
	dmsetup status "$1" | awk -v key="$2" \
		'{ for (i = 11; i < NF; i += 2) if ($i == key) print $(i + 1) }'
}

# blocks NAME: the dirty blocks as ranges, such as "0-3 7".
blocks() {
	awk 'function out() { printf "%s%s", sep, from == to ? from : from "-" to; sep = " " }
	NR > 1 && $1 == to + 1 { to = $1; next }
	NR > 1 { out() }
	{ from = to = $1 }
	END { if (NR) out() }' "/proc/dsync/$1/dirty"
}

# bits FILE: the blocks in a binary bitmap, as ranges.
bits() {
	od -An -v -tu1 -w1 "$1" | awk 'function out() { printf "%s%s", sep, from == to ? from : from "-" to; sep = " " }
	{
		for (i = 0; i < 8; i++) {
			if (int($1 / 2 ^ i) % 2 == 0)
				continue
			n = (NR - 1) * 8 + i
			if (any && n == to + 1) { to = n; continue }
			if (any) out()
			any = 1; from = to = n
		}
	}
	END { if (any) out() }'
}

# clear NAME: nothing is dirty any more.
clear() {
	dmsetup suspend "$1"
	echo >"/proc/dsync/$1/dirty"
	dmsetup resume "$1"
}

# id N: a uuid.
id() {
	printf 'd51c0000-0000-4000-8000-%012x' "$1"
}

# message NAME WORD...: prints nothing, or why it failed.
message() {
	local name=$1
	shift
	{ dmsetup message "$name" 0 "$*" 2>&1 || :; } |
		sed -n 's/.*message ioctl on .* failed: //p'
}

# cut_at NAME N: suspends, begins epoch N, resumes.
cut_at() {
	dmsetup suspend "$1"
	expect_equal "$(message "$1" epoch_begin "$(id "$2")")" '' 'epoch_begin'
	dmsetup resume "$1"
}

# write_at DEVICE SECTOR COUNT: direct, one write if COUNT permits.
write_at() {
	dd if=/dev/urandom of="$1" bs="$((512 * $3))" count=1 \
		seek="$((512 * $2))" oflag=direct,seek_bytes iflag=fullblock \
		status=none
}

# program NAME: the path of a helper program, compiled here if need be.
program() {
	local built=$BUILD/tests/vm/$1
	if [ ! "$built" -nt "$TOP/tests/vm/$1.c" ]; then
		built=$TMPDIR/$1.bin
		[ -x "$built" ] || cc -D_GNU_SOURCE -O2 -pthread \
			"$TOP/tests/vm/$1.c" -o "$built"
	fi
	echo "$built"
}
