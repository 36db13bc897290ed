# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the t-module-hold-* tests share; source it after lib-module.sh.

# shellcheck disable=SC2034 # for the tests
stomp=$(program stomp) hold=$(program hold)

# make_hold NAME ORIGIN COW
make_hold() {
	local origin=/dev/mapper/$2
	dmsetup create "$1" --readonly \
		--table "0 $(sectors "$origin") dsync-hold $origin $3"
	cleanup_fn dm_remove "$1"
}

# end_process PID: if it is still there
end_process() {
	kill -9 "$1" 2>/dev/null || :
}

# unhang NAME: of a store that is suspended, else all would wait for it
unhang() {
	dmsetup resume "$1" 2>/dev/null || :
}

# begin NAME N: epoch_begin on a suspended device
begin() {
	expect_equal "$(message "$1" epoch_begin "$(id "$2")")" '' epoch_begin
}

# cut_with_image NAME N DATA IMAGE: the cut, with a copy of the disk
cut_with_image() {
	timeout 60 dmsetup suspend "$1"
	begin "$1" "$2"
	dd if="$3" of="$4" bs=1M iflag=direct status=none
	truncate -s $(($(sectors "/dev/mapper/$1") * 512)) "$4"
	timeout 60 dmsetup resume "$1"
}

# end NAME N
end() {
	expect_equal "$(message "$1" epoch_end "$(id "$2")")" '' epoch_end
}

# reads_at DEVICE BLOCK [COUNT]: whether blocks of 4 KiB can be read
reads_at() {
	dd if="$1" of=/dev/null bs=4096 skip="$2" count="${3:-1}" \
		iflag=direct status=none 2>/dev/null
}

# milliseconds COMMAND...: how long it takes
milliseconds() {
	local before after
	before=$(date +%s%N)
	"$@"
	after=$(date +%s%N)
	echo $(((after - before) / 1000000))
}
