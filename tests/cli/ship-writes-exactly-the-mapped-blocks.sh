#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Shipping writes the blocks of the map, whole, and not one byte beside them:
# random maps, block sizes, content and disk sizes, checked over the whole disk.
. "$(dirname "$0")/lib.sh"

requires python3 -c ''
new_seed
for block in 4096 8192 65536 1048576 4096; do
	python3 "$tests/make-disks.py" "$seed" "$block" 20
	cp old dest
	serve dest
	ship --map map --block-bytes "$block" new "$uri"
	end_server
	cmp want dest || failed "block $block, seed $seed"
	[ "$(reported flushed)" = true ] || failed "not flushed"

	# The same by stdin, and into an image that it serves itself.
	cp old dest
	"$DSYNC_VM" ship -q --map - --block-bytes "$block" --format raw \
		new dest <map
	cmp want dest || failed "block $block, stdin, seed $seed"

	# The same with an NBD server as the source.
	cp old dest
	serve new --read-only
	ship --map map --block-bytes "$block" --format raw "$uri" dest
	end_server
	cmp want dest || failed "block $block, NBD source, seed $seed"
	seed=$((seed + 1))
done
