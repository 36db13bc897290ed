#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A hold is armed by one epoch, and may go at any time, as may its origin.
# timeout: 180
# disks: 64M 64M 64M 64M
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
. "$TOP/tests/vm/lib-hold.sh"

read -r data meta cow cow2 <<<"$DISKS"
size=$(sectors "$data")
h=/dev/mapper/h t=/dev/mapper/t
epoch=0

# state of the hold: in its own status, and in that of its origin
states() {
	echo "$(word h 4) $(value t hold)"
}
unreadable() {
	! reads_at $h "$1" "${2:-1}" || fail "block $1 can be read"
}
# what block 1 was at the cut, and is now
old_and_new() {
	expect_equal "$(od -An -tx8 -N8 -j4096 $h)" "$(od -An -tx8 -N8 old)" old
	cmp -s old <(dd if=$t bs=4096 skip=1 count=1 status=none) &&
		fail 'nothing was written'
	return 0
}
# arm: block 1 and 2 are held, then 1 is overwritten
arm() {
	write_at $t 8 16
	dd if=$t of=old bs=4096 skip=1 count=1 iflag=direct status=none
	cut_at t $((++epoch))
	write_at $t 8 8
}

# refused WHY TABLE
refused() {
	local said
	dmesg -C
	! dmsetup create x --table "$2" 2>/dev/null || fail "accepted: $2"
	said=$(dmesg | grep -o 'device-mapper: table: .* dsync.*: .*' || :)
	[[ $said = *"$1"* ]] || fail "$2: said '$said' in place of '$1'"
}

track_on t "$data" "$meta"
cut_at t $((++epoch))
end t $epoch
dm_create l "0 8 linear $cow2 0"
dm_create s "0 7 linear $cow2 0"
refused 'Needs ORIGIN_DM_DEV COW_DEV' "0 $size dsync-hold $t"
refused 'Needs ORIGIN_DM_DEV COW_DEV' "0 $size dsync-hold $t $cow 8"
refused 'no ORIGIN of this name' "0 $size dsync-hold /dev/mapper/nonesuch $cow"
refused 'not a live dsync device' "0 $size dsync-hold $data $cow"
refused 'not a live dsync device' "0 8 dsync-hold /dev/mapper/l $cow"
refused 'not a live dsync device' "0 8 dsync-hold 999:1 $cow"
refused 'LEN that of ORIGIN' "0 $((size - 8)) dsync-hold $t $cow"
refused 'LEN that of ORIGIN' "0 $((size + 8)) dsync-hold $t $cow"
refused 'START must be 0' "0 8 linear $cow2 0
8 $size dsync-hold $t $cow"
refused 'must differ' "0 $size dsync-hold $t $t"
refused 'in use by a dsync device' "0 $size dsync-hold $t $data"
refused 'in use by a dsync device' "0 $size dsync-hold $t $meta"
refused 'smaller than a block' "0 $size dsync-hold $t /dev/mapper/s"
refused 'Cannot open COW_DEV' "0 $size dsync-hold $t /dev/nonesuch"
dm_remove l
dm_remove s

# By numbers; ready, until an epoch begins
expect_equal "$(value t hold)" none
numbers=$(dmsetup info -c --noheadings -o major,minor --separator : t)
dmsetup create h --readonly --table "0 $size dsync-hold $numbers $cow"
cleanup_fn dm_remove h
expect_equal "$(states)" 'ready ready'
expect_equal "$(blockdev --getro $h) $(sectors $h)" "1 $size"
expect_equal "$(dmsetup table h | cut -d ' ' -f 4)" "$numbers"
unreadable 0
expect_equal "$(message t release 0 1)" 'No data available'
refused 'ORIGIN has a hold already' "0 $size dsync-hold $t $cow2"
dm_create data2 "0 $size linear $cow2 0"
refused 'in use as COW_DEV' "0 $size dsync $cow - 8"
refused 'in use as COW_DEV' "0 $size dsync /dev/mapper/data2 $cow 8"
track u /dev/mapper/data2
refused 'in use by a dsync device or a hold' \
	"0 $size dsync-hold /dev/mapper/u $cow"
dm_remove u
dm_remove data2

# Armed
arm
expect_equal "$(states)" 'armed armed'
old_and_new
expect_equal "$(value t hold_copies) $(value t hold_used)" '1 1'
expect_equal "$(value t hold_size)" 16384
reads_at $h 1 2
unreadable 0
unreadable 3
unreadable 1 3
# An invalid message changes nothing.
for words in '' '1' '2 1 1' '2 0' 'x 1' '16384 1' '16383 2' '0 16385' \
	'0 18446744073709551615' '2 1 16384 1'; do
	# shellcheck disable=SC2086
	expect_equal "$(message t release $words)" 'Invalid argument' "$words"
done
reads_at $h 2
expect_equal "$(message t release 2 1 100 16284)" ''
unreadable 2
unreadable 1 2
old_and_new
write_at $t 16 8
expect_equal "$(value t hold_copies)" 1

# Either may be suspended.
dmsetup suspend h
write_at $t 8 8
dmsetup resume h
dmsetup suspend t
old_and_new_while_suspended=$(od -An -tx8 -N8 -j4096 $h)
expect_equal "$old_and_new_while_suspended" "$(od -An -tx8 -N8 old)"
dmsetup resume t

# The table of the origin is replaced.
dmsetup reload t --table "0 $size dsync $data $meta 8 2 hold_timeout_ms 60000"
dmsetup resume t
expect_equal "$(states)" 'armed armed'
old_and_new

# The epoch ends; a new hold can be made while the old one is still there.
end t $epoch
expect_equal "$(states)" 'ended none'
unreadable 1
cleanup_fn dm_remove h2
dmsetup create h2 --readonly --table "0 $size dsync-hold $t $cow2"
expect_equal "$(states)" 'ended ready'
dm_remove h
expect_equal "$(value t hold)" ready

# It stays ready if the epoch in which it was made ends.
dm_remove h2
arm
make_hold h t "$cow"
dmsetup message t 0 epoch_abort "$(id $epoch)"
expect_equal "$(states)" 'ready ready'

# Aborted
arm
expect_equal "$(states)" 'armed armed'
dmsetup message t 0 epoch_abort "$(id $epoch)"
expect_equal "$(states)" 'ended none'
unreadable 1
arm
expect_equal "$(states)" 'ended none'
dm_remove h
end t $epoch

# A discard of what is held is not done, but counts as a change.
make_hold h t "$cow"
arm
expect_equal "$(dirty t)" 1
blkdiscard -o 4096 -l 12288 $t
expect_equal "$(blocks t)" 1-3
expect_equal "$(value t hold_copies)" 1
cmp <(dd if=$h bs=4096 skip=2 count=1 iflag=direct status=none) \
	<(dd if="$data" bs=4096 skip=2 count=1 iflag=direct status=none)

# Who must not wait is told so.
cat >nowait.py <<-'END'
	import mmap, os, sys
	fd = os.open(sys.argv[1], os.O_WRONLY | os.O_DIRECT)
	buf = mmap.mmap(-1, 4096)
	try:
	    os.pwritev(fd, [buf], int(sys.argv[2]) * 4096, os.RWF_NOWAIT)
	    print("written")
	except BlockingIOError:
	    print("not now")
END
expect_equal "$(python3 nowait.py $t 2) $(value t hold_copies)" 'not now 1'
write_at $t 16 8
expect_equal "$(value t hold_copies)" 2
expect_equal "$(python3 nowait.py $t 2)" written

# Removed while armed
dm_remove h
expect_equal "$(value t hold)" none
write_at $t 24 8
end t $epoch

# Removed while writes wait: they go on.
dm_create c "0 100000 linear $cow 0"
make_hold h t /dev/mapper/c
cleanup_fn unhang c
arm
dmsetup suspend c
write_at $t 16 8 &
writer=$!
waiting() {
	[ "$(awk '{ print $13 }' <<<"$(dmsetup status h)")" -ge 2 ]
}
wait_until 20 waiting
dmsetup remove --retry h &
remover=$!
wait $writer
dmsetup resume c
wait $remover
end t $epoch

# Ended while writes wait
make_hold h t /dev/mapper/c
cleanup_fn unhang c
arm
dmsetup suspend c
write_at $t 16 8 &
writer=$!
wait_until 20 waiting
end t $epoch
wait $writer
# Released while writes wait
dmsetup resume c
dm_remove h
make_hold h t /dev/mapper/c
cleanup_fn unhang c
arm
dmsetup suspend c
write_at $t 16 8 &
writer=$!
wait_until 20 waiting
expect_equal "$(message t release 2 1)" ''
wait $writer
expect_equal "$(states)" 'armed armed'
dmsetup resume c
old_and_new
dm_remove h
dm_remove c
end t $epoch

# The origin leaves, or becomes another one.
make_hold h t "$cow"
arm
dmsetup reload t --table "0 $size linear $data 0"
dmsetup resume t
expect_equal "$(word h 4)" gone
unreadable 1
dmsetup reload t --table "0 $size dsync $data - 8"
dmsetup resume t
expect_equal "$(states)" 'gone none'
dm_remove h
make_hold h t "$cow"
dmsetup reload t --table "0 $((size - 8)) dsync $data - 8"
dmsetup resume t
expect_equal "$(states)" 'gone none'
dm_remove h
make_hold h t "$cow"
cut_at t $((++epoch))
reads_at $h 1
dm_remove t
expect_equal "$(word h 4)" gone
unreadable 1
dm_remove h

# So does the origin of a hold that waits.
track t "$data"
make_hold h t "$cow"
dm_remove t
expect_equal "$(word h 4)" gone
