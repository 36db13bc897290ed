#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whichever allocation fails, nothing crashes or leaks, and no change is lost.
# kernel: debug
# disks: 64M
# timeout: 900
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
. "$TOP/tests/vm/lib-fault.sh"

data=${DISKS%% *}
size=131072
dev=/dev/mapper/t
proc=/proc/dsync/t
linear="0 $size linear $data 0"
meta=- # of the form of the target that is tried

table() {
	echo "0 $size dsync $data $meta 8"
}

# target: that of the live table
target() {
	dmsetup table t | cut -d ' ' -f 3
}

# --- what is tried ------------------------------------------------------

load() {
	faulty dmsetup load t --table "$(table)"
}
# The device is what it was, and takes the same table at once.
loaded() {
	expect_equal "$(target)" linear
	dmsetup clear t
	[ "$1" = 0 ] || dmsetup load t --table "$(table)"
	dmsetup clear t
}

# A live table with something in it is replaced by another one.
reload() {
	faulty dmsetup load t --table "$(table)"
}
reloaded() {
	expect_equal "$(target)" dsync
	expect_equal "$(blocks t)" "$reload_blocks"
	dmsetup clear t
}

resume() {
	faulty dmsetup resume t
}
# Resuming may fail in device mapper, before us, which then forgets the table.
# Without its files in /proc a device works as well.
resumed() {
	[ "$1" = 0 ] || dmsetup resume t
	if [ "$(target)" = linear ]; then
		dmsetup load t --table "$(table)"
		dmsetup resume t
	fi
	expect_equal "$(target)" dsync
	expect_equal "$(dirty t)" $((size / 8))
	write_at $dev 0 8
	dmsetup load t --table "$linear"
	dmsetup resume t
	dmsetup load t --table "$(table)"
}

begin() {
	dmsetup suspend t
	faulty dmsetup message t 0 epoch_begin "$(id 1)"
}
# Whatever was answered, it can be repeated.
begun() {
	[ "$1" != 0 ] || expect_equal "$(frozen t)" 1
	expect_equal "$(message t epoch_begin "$(id 1)")" ''
	dmsetup resume t
	expect_equal "$(frozen t) $(dirty t)" '1 0'
	expect_equal "$(message t epoch_abort "$(id 1)")" ''
	expect_equal "$(blocks t)" 5
	fresh
}

abort() {
	faulty dmsetup message t 0 epoch_abort "$(id 1)"
}
aborted() {
	expect_equal "$(message t epoch_abort "$(id 1)")" ''
	expect_equal "$(blocks t)" 5
	fresh
	cut_at t 1
}

end() {
	faulty dmsetup message t 0 epoch_end "$(id 1)"
}
ended() {
	expect_equal "$(message t epoch_end "$(id 1)")" ''
	expect_equal "$(frozen t) $(dirty t)" '0 0'
	fresh
	cut_at t 1
}

ask() {
	faulty dmsetup status t >asked && grep -q ' dsync clean 8 ' asked
}
asked() {
	:
}

# read_files: the content is right, or there is an error.
read_files() {
	local file failed=0
	for file in dirty bitmap frozen; do
		faulty dd if=$proc/$file bs=4k of=$file-now status=none || {
			rm -f $file-now
			failed=1
		}
	done
	return $failed
}
files_read() {
	local file
	for file in dirty bitmap frozen; do
		[ ! -e $file-now ] || cmp $file-was $file-now
	done
}

seed() {
	head -c 2048 /dev/urandom | faulty dd of=$proc/seed bs=2048 \
		iflag=fullblock conv=notrunc status=none
}
seeded() {
	: >$proc/seed
}

# Writes of every kind; whatever became of them, their blocks are marked.
put() {
	faulty dd if=/dev/urandom of=$dev bs=4k count=1 seek=$put_at \
		oflag=direct conv=notrunc status=none
	faulty fallocate -n -p -o $((4096 * (put_at + 1))) -l 8k $dev
}
# Whether the first write of a page of bits has memory decides what becomes
# of the page, so each run has fresh ones.
was_put() {
	local bits i
	bits=$(bits $proc/bitmap)
	dd if="$data" bs=4k skip=$put_at count=3 iflag=direct status=none >is
	for i in 0 1 2; do
		cmp -s -i $((4096 * i)) -n 4096 was is ||
			in_ranges $((put_at + i)) "$bits" ||
			fail "block $((put_at + i)) changed, marked: $bits"
	done
	put_before
}

# in_ranges N RANGES
in_ranges() {
	local range
	for range in $2; do
		[ "$1" -lt "${range%-*}" ] || [ "$1" -gt "${range#*-}" ] ||
			return 0
	done
	return 1
}

put_before() {
	head -c 12288 /dev/urandom >was
	dd if=was of="$data" bs=4k seek=$put_at oflag=direct conv=notrunc \
		status=none
	anew
}

remove() {
	faulty dmsetup remove t
}
removed() {
	dm_remove t
	dmsetup create t --table "$(table)"
}

# --- between the tries --------------------------------------------------

# anew: a device without anything marked, from nothing
anew() {
	dmsetup load t --table "$linear"
	dmsetup resume t
	dmsetup load t --table "$(table)"
	dmsetup resume t
	clear t
}

# fresh: and with one block marked
fresh() {
	anew
	write_at $dev 40 8
}

# try ACT CHECK
try() {
	fail_each "$@"
	fail_from "$@"
}

faults_on
dm_create t "$linear"
try load loaded
dmsetup load t --table "$(table)"
try resume resumed
dmsetup resume t

fresh
reload_blocks=5
try reload reloaded
try begin begun
cut_at t 1
try abort aborted
try end ended
fresh
try ask asked
for file in dirty bitmap frozen; do
	cat $proc/$file >$file-was
done
try read_files files_read
try seed seeded
try remove removed

put_at=16000
put_before
try put was_put
