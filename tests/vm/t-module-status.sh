#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The status and table lines have the words that DESIGN.md promises.
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-module.sh"
declare data # by data_device

data_device data 1M
numbers=$(losetup -n -O MAJ:MIN "$data" | tr -d ' ')

track one "$data"
expect_equal "$(dmsetup status one | cut -d ' ' -f 1-10)" \
	'0 2048 dsync clean 8 256 - 256 0 0'
expect_equal "$(value one open)" -
expect_equal "$(value one hold)" none
expect_equal "$(value one suspends)" 0
for counter in intent_commits metadata_writes hold_copies hold_used \
	hold_size coarse_marks; do
	expect_equal "$(value one $counter)" 0 $counter
done
expect_equal "$(dmsetup table one)" "0 2048 dsync $numbers - 8"

# Asking changes nothing.
expect_equal "$(dmsetup status one)" "$(dmsetup status one)"

# Suspends are counted, also those of a reload, and by suspending only.
dmsetup suspend one
expect_equal "$(value one suspends)" 1
dmsetup suspend one
expect_equal "$(value one suspends)" 1 'suspended twice'
dmsetup resume one
dmsetup resume one
expect_equal "$(value one suspends)" 1
dmsetup reload one --table "0 2048 dsync $data - 8"
dmsetup resume one
expect_equal "$(value one suspends)" 2
dm_remove one

# The last block may be short; options come back as they were given.
track two "$data" 64 '4 meta_timeout_ms 100 region_sectors 4096'
expect_equal "$(dmsetup table two)" \
	"0 2048 dsync $numbers - 64 4 region_sectors 4096 meta_timeout_ms 100"
dm_remove two
dm_create short "0 2041 dsync $data - 16"
expect_equal "$(dmsetup status short | cut -d ' ' -f 1-10)" \
	'0 2041 dsync clean 16 128 - 128 0 0'
expect_equal "$(blocks short)" 0-127
dm_remove short
dm_create tiny "0 1 dsync $data - 8"
expect_equal "$(dmsetup status tiny | cut -d ' ' -f 4-10)" 'clean 8 1 - 1 0 0'

# A table that is loaded but not yet live can be asked, too.
dmsetup create idle --notable
cleanup_fn dm_remove idle
dmsetup load idle --table "0 2048 dsync $data - 8"
expect_equal "$(dmsetup table --inactive idle)" "0 2048 dsync $numbers - 8"
dmsetup status --inactive idle >/dev/null
