#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Epochs begin, end and are aborted once each, whatever is repeated or stale.
# timeout: 240
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
declare data # by data_device

busy='Device or resource busy'
stale='Stale file handle'
invalid='Invalid argument'

data_device data 1M
track t "$data"
dev=/dev/mapper/t

# epochs EPOCH DIRTY FROZEN OPEN
epochs() {
	expect_equal "$(epoch t) $(dirty t) $(frozen t) $(value t open)" "$*"
}
says() {
	local want=$1
	shift
	expect_equal "$(message t "$@")" "$want" "$*"
}

# A cut needs our own suspend, and after it none works.
epochs - 256 0 -
says "$busy" epoch_begin "$(id 1)"
dmsetup suspend t
dmsetup resume t
says "$busy" epoch_begin "$(id 1)"
says "$stale" epoch_end "$(id 1)"
says "$stale" epoch_abort "$(id 1)"
epochs - 256 0 -

# The first epoch takes everything.
cut_at t 1
epochs "$(id 1)" 0 256 "$(id 1)"
says '' epoch_begin "$(id 1)"
write_at $dev 0 8
says '' epoch_begin "$(id 1)"
epochs "$(id 1)" 1 256 "$(id 1)"
says "$busy" epoch_begin "$(id 2)"
dmsetup suspend t
says '' epoch_begin "$(id 1)"
says "$stale" epoch_begin "$(id 2)"
dmsetup resume t
says "$stale" epoch_end "$(id 2)"
says "$stale" epoch_abort "$(id 2)"
epochs "$(id 1)" 1 256 "$(id 1)"

# Its end drops frozen, leaves dirty, and can be repeated.
says '' epoch_end "$(id 1)"
says '' epoch_end "$(id 1)"
says "$stale" epoch_abort "$(id 1)"
epochs "$(id 1)" 1 0 -
dmsetup suspend t
says "$stale" epoch_begin "$(id 1)"
dmsetup resume t
epochs "$(id 1)" 1 0 -

# An abort gives back what was frozen, and the epoch before.
write_at $dev 16 8
cut_at t 2
write_at $dev 32 8
write_at $dev 16 8
epochs "$(id 2)" 2 2 "$(id 2)"
says '' epoch_abort "$(id 2)"
says '' epoch_abort "$(id 2)"
says '' epoch_end "$(id 1)"
says "$stale" epoch_end "$(id 2)"
epochs "$(id 1)" 3 0 -
expect_equal "$(blocks t)" '0 2 4'
dmsetup suspend t
says "$stale" epoch_begin "$(id 2)"
says '' epoch_begin "$(id 3)"
says '' epoch_end "$(id 1)"
says '' epoch_abort "$(id 2)"
says '' epoch_begin "$(id 3)"
epochs "$(id 3)" 0 3 "$(id 3)"
says '' epoch_end "$(id 3)"
says "$stale" epoch_end "$(id 1)"
dmsetup resume t
epochs "$(id 3)" 0 0 -

# Two cuts in one suspension
dmsetup suspend t
says '' epoch_begin "$(id 4)"
says '' epoch_abort "$(id 4)"
says '' epoch_begin "$(id 5)"
says '' epoch_end "$(id 5)"
says '' epoch_begin "$(id 6)"
dmsetup resume t
says '' epoch_end "$(id 6)"

# Ids are strict.
dmsetup suspend t
for bad in x "$(id 7)0" "$(id 7 | cut -c 2-)" "$(id 7 | tr - _)" \
	"$(id 7 | tr d g)" 00000000-0000-0000-0000-000000000000 \
	d51c00000000-4000-8000-000000000007---; do
	for verb in begin end abort; do
		says "$invalid" epoch_$verb "$bad"
	done
done
says "$invalid" epoch_begin
says "$invalid" epoch_begin "$(id 7)" "$(id 8)"
says "$invalid" epoch_end
says "$invalid" epoch_abort
says "$invalid" nonesuch
says "$invalid" flush now
says '' flush
dmsetup resume t
says '' flush
says 'No data available' release 0 1
says "$invalid" release 0
epochs "$(id 6)" 0 0 -

# Case does not matter in an id.
cut_at t 10
says '' epoch_end "$(id 10 | tr a-f A-F)"
