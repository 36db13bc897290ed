#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest writes all the time, to two disks, while it is backed up: each point
# has sound filesystems with every line that was durable before the freeze, no
# line that was begun after it, and of lines written to one disk and then to the
# other, the disks miss the same ones.
# long
# disks: 128M 2G
# mem: 2G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

requires debugfs

read -r block host_disk <<<"$DISKS"
mkfs.ext4 -q "$host_disk"
mkdir -p host
mount "$host_disk" host
cleanup_fn umount host
mkdir host/repository
file=$PWD/host/web1.raw
truncate -s 128M "$file"
for disk in "$file" "$block"; do
	mkfs.ext4 -q -E lazy_itable_init=0,lazy_journal_init=0 "$disk"
done
start_libvirtd
define_guest web1 "$file" "$block"
dsync-vm attach -q web1
virsh -q start web1
guest_wait_agent web1
can_stand

# What the guest does. A line's number is in begun before it is written, and in
# durable once it is so; what they are at the freeze and at the thaw is kept.
# shellcheck disable=SC2016 # the guest's variables
guest_sh web1 'cd /run
cat >lines <<"EOF"
i=0
while i=$((i + 1)); do
	echo $i >>begun
	echo $i | dd of=/mnt/vda/log oflag=append conv=notrunc,fsync
	echo $i | dd of=/mnt/vdb/log oflag=append conv=notrunc,fsync
	echo $i >>durable
done
EOF
cat >churn <<"EOF"
while disk=/mnt/vda; do
	[ $(($RANDOM % 2)) = 0 ] || disk=/mnt/vdb
	file=$disk/file$(($RANDOM % 12))
	case $(($RANDOM % 4)) in
	0) rm -f $file ;;
	1) dd if=/dev/urandom of=$file bs=4k count=4 seek=$(($RANDOM % 64)) \
		conv=notrunc ;;
	*) dd if=/dev/urandom of=$file bs=64k count=$(($RANDOM % 12 + 1)) ;;
	esac
done
EOF
cat >hook <<"EOF"
#!/bin/sh
tail -n 1 /run/durable >/run/durable-$1
tail -n 1 /run/begun >/run/begun-$1
EOF
chmod +x hook
for script in lines churn; do
	sh $script >/dev/null 2>&1 </dev/null &
done'

number() { # FILE IN THE GUEST
	guest_sh web1 "tail -n 1 /run/$1"
}

is_beyond() { # FILE NUMBER
	[ "$(number "$1")" -gt "$2" ]
}

# Old content of both disks was put aside.
overwritten() {
	local disk
	for disk in vda vdb; do
		dmsetup status dsync-web1-$disk | grep -q 'hold_copies [1-9]' ||
			return 1
	done
}

log_of() { # IMAGE
	debugfs -R 'cat /log' "$1" 2>/dev/null
}

expect_lines() { # IMAGE FIRST LAST: has lines 1, 2, ..., of FIRST to LAST
	local count
	count=$(log_of "$1" | wc -l)
	echo "$1: $count lines of $2 to $3"
	[ "$count" -ge "$2" ] || fail "$1 misses what was durable"
	[ "$count" -le "$3" ] || fail "$1 has what came later"
	log_of "$1" | cmp - <(seq "$count")
}

for round in full incremental; do
	wait_until 100 is_beyond durable $((${last:-0} + 10))
	touch standing/next
	while_standing 'wait_until 25 overwritten' &
	writer=$!
	dsync-vm backup web1 host/repository --output json >report.json
	wait $writer
	jq -c . report.json
	expect_equal "$(jq -r .consistency report.json)" frozen
	expect_equal "$(jq .disks[0].full report.json)" \
		"$([ $round = full ] && echo true || echo false)"
	[ "$(jq '[.disks[].held_bytes] | add' report.json)" -gt 0 ] ||
		fail 'nothing was written while it was sent'
	mkdir "host/$round"
	dsync-vm restore -q web1 host/repository "$(jq -r .point report.json)" \
		--to "host/$round"
	first=$(number durable-freeze)
	last=$(number begun-thaw)
	for disk in vda vdb; do
		image=host/$round/web1-$disk.raw
		e2fsck -fn "$image" >e2fsck.out 2>&1 ||
			fail "$disk: $(cat e2fsck.out)"
		expect_lines "$image" "$first" "$last"
	done
	between=$(($(log_of "host/$round/web1-vda.raw" | wc -l) - \
		$(log_of "host/$round/web1-vdb.raw" | wc -l)))
	[ $between = 0 ] || [ $between = 1 ] ||
		fail "the disks are $between lines apart"
	rm -r "host/$round"
done
