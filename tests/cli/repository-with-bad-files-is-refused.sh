#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever images, sums and dsync-repo.json are, each command says what is wrong,
# ends with the exit code that stands for it, and changes nothing.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/damage.sh"

# image POINT ARGUMENT...: made anew by qemu-img.
image()
{
	rm -f "$vda/$1.qcow2"
	qemu-img create -q -f qcow2 "${@:2}"
}

swapped()
{
	mv "$vda/$one.qcow2" x
	mv "$vda/$two.qcow2" "$vda/$one.qcow2"
	mv x "$vda/$two.qcow2"
}

# By its header.
encrypted()
{
	printf '\0\0\0\2' |
		dd of="$vda/$one.qcow2" bs=1 seek=32 conv=notrunc status=none
}

# backed STRING: the first image is over that, whatever it is.
backed()
{
	image "$one" -u -b "$1" -F raw "$vda/$one.qcow2" 8M
}

wrong missing '0 7 7 7 7 3 7' rm "$vda/$one.qcow2"
wrong missing '0 7 7 0 7 3 7' rm "$vda/$two.qcow2" # the first one stays
no_base='0 7 7'
wrong 'does not name' "$no_base" swapped
wrong 'a disk of 4194304' "$no_base" image "$one" "$vda/$one.qcow2" 4M
wrong 'not a qcow2 image' "$no_base" cp secret "$vda/$one.qcow2"
wrong 'not a qcow2 image' "$no_base" truncate -s 50 "$vda/$one.qcow2"
wrong encrypted "$no_base" encrypted
for outside in "$work/secret" nbd://localhost:1/x \
	'json:{"driver":"file","filename":"/etc/passwd"}'; do
	wrong 'does not name' "$no_base" backed "$outside"
done
wrong 'does not name' "$no_base" image "$one" \
	-o "data_file=$work/data" "$vda/$one.qcow2" 8M

# --- damage: sums, which only those need that compare

foreign()
{
	mkdir elsewhere
	"$MAKE_POINT" elsewhere web "$uuid_a" 1000 vda:8388608:s1 >/dev/null
	cp "elsewhere/web/disks/vda/$one.sums" "$vda/$one.sums"
	rm -rf elsewhere
}

no_sums='0 0 0 0 7 3'
wrong 'damaged: checksum' "$no_sums" truncate -s 5000 "$vda/$one.sums"
wrong 'damaged: it is cut short' "$no_sums" truncate -s 100 "$vda/$one.sums"
wrong 'belongs to another image' "$no_sums" foreign

# --- damage: the repository

id=repo/dsync-repo.json
wrong 'not a repository' '1 1 1' rm "$id"
wrong 'too large' '1 1 1' truncate -s 1G "$id"
wrong 'not JSON' '7 7 7' cp secret "$id"
wrong 'use a newer one' '8 8 8' sed -i 's/"format": 1/"format": 2/' "$id"
wrong 'made in another repository' '3 3 0 3 7 3' \
	sed -i 's/"id": "[^"]*"/"id": "22222222-2222-4222-8222-222222222222"/' "$id"
