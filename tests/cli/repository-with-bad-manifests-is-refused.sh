#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever a manifest says, each command says what is wrong, ends with the exit
# code that stands for it, and changes nothing.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/damage.sh"

cut()
{
	truncate -s 300 "repo/web/points/$1.json"
}

# vda twice
twice()
{
	jq '.disks += .disks' "pristine/web/points/$1.json" \
		>"repo/web/points/$1.json"
}

size()
{
	edit "$1" "s/\"size_bytes\": 8388608/\"size_bytes\": $2/"
}

# The second point's manifest is no manifest: it is no point any more.
wrong truncated '3 1 0 3 7 7 1' cut "$two"
no_point='3 1 0'
wrong 'use a newer one' "$no_point" edit "$two" 's/"format": 1/"format": 2/'
wrong '"file" is not' "$no_point" edit "$two" 's|disks/vda/|/etc/|'
wrong '"file" is not' "$no_point" edit "$two" 's|disks/vda/|../../|'
wrong '"target" is not' "$no_point" edit "$two" 's|"vda"|"../vda"|'
wrong '"backing" is not' "$no_point" edit "$two" 's|"backing": "|&../|'
wrong '"parent" is not' "$no_point" edit "$two" 's|"parent": "|&/|'
wrong 'listed twice' "$no_point" twice "$two"
for bytes in 0 511 -1 9223372036854775808 99999999999999999999 8e9; do
	wrong '"size_bytes" is' 3 size "$two" "$bytes"
done

# It is one, but not of these images. A disk that was larger begins anew.
wrong 'a disk of 8388608 bytes' '0 7 0 0 7 3 7' size "$two" 4503599627370496
wrong 'a disk of 8388608 bytes' '0 7 7' size "$two" 512

# Parents, and images, that go round in a circle
circle()
{
	edit "$one" "s/\"parent\": null/\"parent\": \"$two\"/"
}

image_circle()
{
	edit "$one" "s/\"backing\": null/\"backing\": \"$two\"/"
}

wrong 'its own ancestor' '3 3 0 3 7 7 3' circle
wrong 'overlays itself' '0 7 7 7 7 3 7' image_circle
