#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The files in /proc/dsync show and take what DESIGN.md promises.
# timeout: 240
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
declare data other # by data_device

# 300 MiB and a bit: three pages of bits, the last short, its last byte too
data_device data 300M
dm_create t "0 $((300 * 2048 - 35)) dsync $data - 8"
blocks=$((300 * 256 - 4))
bytes=$(((blocks + 7) / 8))
proc=/proc/dsync/t

[ -e $proc ] || fail 'no directory'
expect_equal "$(stat -c %a $proc/{dirty,bitmap,frozen,seed} | uniq)" 600
expect_equal "$(cd $proc && echo *)" 'bitmap dirty frozen seed'

# All dirty, in each form
expect_equal "$(blocks t)" "0-$((blocks - 1))"
expect_equal "$(bits $proc/bitmap)" "0-$((blocks - 1))"
expect_equal "$(wc -c <$proc/bitmap)" $bytes
expect_equal "$(bits $proc/frozen)" ''
expect_equal "$(wc -c <$proc/frozen)" $bytes

# Clearing: only while suspended and before any epoch
! { echo >$proc/dirty; } 2>/dev/null || fail 'cleared a live device'
expect_equal "$(dirty t)" $blocks
clear t
expect_equal "$(dirty t)" 0
expect_equal "$(wc -c <$proc/dirty)" 0

# Seeking, in the middle of pages and across them
for sector in 0 262136 262144 600000; do
	write_at /dev/mapper/t $sector 8
done
expect_equal "$(blocks t)" '0 32767-32768 75000'
expect_equal "$(bits $proc/bitmap)" '0 32767-32768 75000'
cat $proc/bitmap >whole
for at in 0 1 4095 4096 4100 9374 $((bytes - 1)) $bytes; do
	dd if=$proc/bitmap of=part bs=1 skip="$at" count=9 status=none
	dd if=whole of=want bs=1 skip="$at" count=9 status=none
	cmp want part
done
dd if=$proc/bitmap of=part bs=7000 status=none
cmp whole part
perl -e 'open F, "<", shift; print sysseek F, 0, 2' $proc/bitmap >end
expect_equal "$(cat end)" $bytes
expect_equal "$(dd if=$proc/dirty bs=4 status=none)" "$(cat $proc/dirty)"

# The seed: taken at any place but beyond the end, and never in frozen
head -c $bytes /dev/zero | tr '\0' '\377' >$proc/seed
! { printf x | dd of=$proc/seed bs=1 seek=$bytes conv=notrunc; } \
	2>/dev/null || fail 'wrote beyond the end'
! cat $proc/seed 2>/dev/null || fail 'the seed can be read'
printf '\1' | dd of=$proc/seed bs=1 seek=4097 conv=notrunc status=none
: >$proc/seed
head -c 5000 /dev/zero | tr '\0' '\377' >$proc/seed
cut_at t 1
expect_equal "$(bits $proc/frozen)" '0 32767-32768 75000'
expect_equal "$(bits $proc/bitmap)" ''
expect_equal "$(frozen t)" 4

# No clearing once epochs are in use, not even after an abort
dmsetup suspend t
! { echo >$proc/dirty; } 2>/dev/null || fail 'cleared during an epoch'
dmsetup message t 0 epoch_abort "$(id 1)"
! { echo >$proc/dirty; } 2>/dev/null || fail 'cleared after an epoch'
dmsetup resume t
expect_equal "$(dirty t)" 4

# Names: a rename is not followed, a taken name gives numbers.
data_device other 1M
dmsetup rename t moved
cleanup_fn dm_remove moved
[ -e /proc/dsync/t ] || fail 'the directory followed a rename'
track t "$other"
numbers=$(dmsetup info -c --noheadings -o major,minor t)
expect_equal "$(wc -c <"/proc/dsync/$numbers/bitmap")" 32
expect_equal "$(wc -c <$proc/bitmap)" $bytes
dm_remove moved
[ ! -e $proc ] || fail 'the directory is left'
dm_remove t
[ ! -e "/proc/dsync/$numbers" ] || fail 'the directory is left'
expect_equal "$(cd /proc/dsync && echo *)" '*'
track t "$other"
expect_equal "$(wc -c <$proc/bitmap)" 32
dm_remove t

# No directory before the first resume
dmsetup create idle --notable
cleanup_fn dm_remove idle
dmsetup load idle --table "0 2048 dsync $other - 8"
expect_equal "$(cd /proc/dsync && echo *)" '*'
dmsetup resume idle
expect_equal "$(cd /proc/dsync && echo *)" idle
