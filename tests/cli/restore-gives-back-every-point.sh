#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every point, after growing and shrinking too, is restored byte for byte, by
# us and by stock qemu-img, also from a repository that was moved.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
cp two.raw grown.raw
truncate -s 10M grown.raw
printf 'write -P 5 0 4k\nwrite -P 6 9M 4k\n' >s3
apply s3 grown.raw
grown=$(point 3000 vda:10485760:s3)
truncate -s 1M shrunk.raw
printf 'write -P 7 8k 4k\n' >s4
apply s4 shrunk.raw
shrunk=$(point 4000 vda:1048576:s4)
mv repo moved

for pair in "$one one" "$two two" "$grown grown" "$shrunk shrunk"; do
	name=${pair% *}
	file=${pair#* }.raw
	image=moved/web/disks/vda/$name.qcow2
	expect 0 "$DSYNC_VM" restore web moved "$name" --disk vda="ours-$file"
	cmp "$file" "ours-$file"
	qemu-img convert -O raw "$image" "stock-$file"
	cmp "$file" "stock-$file"
	qemu-img compare -q -f qcow2 -F raw "$image" "$file"
	qemu-img check -q "$image"
done
[ "$(stat -c %b ours-two.raw)" -lt 4096 ] || failed "not sparse"
