#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A move that is cut off at one of its critical instants leaves the domain to one
# host, with the right disks: while the last blocks are on their way it stays,
# and when they are there and QEMU is gone here it is the other host's.
# long
# disks: 64M 1G
# peer: 64M
# timeout: 2700
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-peer.sh"

make_host
start_peer
make_domain web1
fill_memory web1
virsh -q destroy web1
virsh -q start web1
uri=qemu+ssh://there/system
there mkdir "$PWD/host"
places=(--create --disk "vdb=$PEER_DISKS" --max-downtime 60000)
serve_ssh
cleanup_fn eval "kill \$(cat /run/sshd/pid)"

preseed() {
	dsync-vm preseed web1 "$uri" "${places[@]}" "$@"
}

force=()
# --- instants ----------------------------------------------------------------

# A hook beside ours, on each side: at the operation in ./instant it runs ./deed, once.
add_hook() {
	cat <<-EOF
	#!/bin/bash
	cd $PWD
	[ "\$1/\$2/\$3" = "web1/\$(cat instant 2>/dev/null)" ] || exit 0
	rm instant
	. ./deed
	EOF
}

add_hook >/etc/libvirt/hooks/qemu.d/zz-test
chmod +x /etc/libvirt/hooks/qemu.d/zz-test
cleanup_fn rm /etc/libvirt/hooks/qemu.d/zz-test
add_hook | ssh there 'cat >/etc/libvirt/hooks/qemu.d/zz-test
	chmod +x /etc/libvirt/hooks/qemu.d/zz-test'

# begin_move: in the background, $mover, with new blocks to bring, over a slow
# line: there is time for what is to happen. What libvirt tells of it is in ./events.
begin_move() {
	scribble web1 20
	keep web1 was
	delay_network 150
	stdbuf -oL virsh -q event --domain web1 --event lifecycle --loop >events &
	watcher=$!
	dsync-vm preseed web1 "$uri" "${places[@]}" "${force[@]}" --migrate \
		>out 2>err &
	mover=$!
	force=()
}

# end_move: its exit code, in $moved; whatever it was, it comes to its end.
end_move() {
	moved=0
	wait $mover || moved=$?
	sed 's/^/said: /' err
	kill $watcher
	wait $watcher || :
}

# in_last COMMAND...: runs it as the guest stands, and the last of its disks begins.
in_last() {
	while [ ! -s events ]; do
		kill -0 $mover || fail "it never stood: $(cat out err)"
		pause 0.01
	done
	"$@"
	cat events
}

# --- and what is to be afterwards ------------------------------------------------

runs_here() {
	[ "$(state_here web1)" = running ]
}

runs_there() {
	[ "$(state_there web1)" = running ]
}

expect_stayed() {
	local disk
	delay_network
	wait_until 120 runs_here
	wait_until 60 not pgrep -f 'dsync-vm watchdog'
	for disk in vda vdb; do
		cmp "was/$disk" "/dev/mapper/dsync-web1-$disk"
	done
	[ "$(state_there web1)" != running ] || fail 'it runs on both'
	wait_until 120 nobody_receives
	[ "$(state_there web1)" != running ] || fail 'it runs on both'
	forget_there web1
	expect_clean web1
}

# And it comes back, cold.
expect_moved() {
	local disk
	delay_network
	wait_until 120 runs_there
	wait_until 60 not pgrep -f 'dsync-vm watchdog'
	for disk in vda vdb; do
		there cat "/dev/mapper/dsync-web1-$disk" | cmp - "was/$disk"
	done
	expect_equal "$(state_here web1)" 'shut off'
	expect_exit 1 virsh -q start web1 2>refused
	grep 'handed over' refused
	forget_there web1
	dsync-vm preseed --abort web1
	virsh -q start web1
	# What it wrote over there nobody here knows.
	force=(--force)
}

# What a pass sent to a file that was made for it is there for the next one.
scribble web1 20
expect_exit 1 preseed --max-downtime 1 --max-passes 3 >out
cat out
expect_equal "$(grep -c '^pass [23]: 0 B sent' out)" 2

# --- libvirt says no ---------------------------------------------------------------

echo '=== refused over there'
there sh -c "echo 'exit 1' >deed; echo migrate/begin >instant"
begin_move
end_move
expect_equal "$moved" 1
grep -q 'zz-test\|hook' err
expect_stayed

echo '=== cancelled'
is_leaving() {
	virsh -q domjobinfo web1 | grep -q Outgoing
}

begin_move
wait_until 100 is_leaving
virsh -q domjobabort web1
end_move
expect_equal "$moved" 1
expect_stayed

# --- while the last blocks are on their way --------------------------------------------

echo '=== told to end, in the last blocks'
begin_move
in_last kill -TERM $mover
end_move
expect_equal "$moved" 0
expect_moved

echo '=== killed in the last blocks'
begin_move
in_last kill -KILL $mover
end_move
expect_stayed

# What it had sent of a block that was sent before nobody has noted.
echo '=== killed as it sends what it had sent before'
write_one() {
	exec python3 - <<-'END'
	import mmap, os
	disk = os.open("/dev/mapper/dsync-web1-vdb", os.O_RDWR | os.O_DIRECT)
	block = mmap.mmap(-1, 4096)
	while True:
	    block[:8] = os.urandom(8)
	    os.pwrite(disk, block, 0)
	END
}

write_one &
writer=$!
cleanup_fn eval "kill $writer 2>/dev/null || :"
begin_move
in_last kill -KILL $mover
end_move
kill $writer
wait $writer || :
delay_network 1
wait_until 120 runs_here
wait_until 120 nobody_receives
forget_there web1
keep web1 was
preseed --migrate
expect_moved

echo '=== somebody else sees to it in the last blocks'
begin_move
in_last expect_exit 5 dsync-vm preseed --abort web1
end_move
expect_equal "$moved" 0
expect_moved

echo '=== its memory takes longer than it may'
force=(--max-downtime 20000)
begin_move
in_last limit_network 1mbit
end_move
expect_equal "$moved" 1
grep 'longer than it may stand' err
expect_stayed

echo '=== no network in the last blocks'
begin_move
in_last cut_network
end_move
expect_equal "$(state_here web1)" running
mend_network
expect_stayed

# --- when it has left --------------------------------------------------------------

echo '=== killed when it has left'
echo "pkill -KILL -f '^dsync-vm preseed'" >deed
echo release/end >instant
begin_move
end_move
[ ! -e instant ] || fail 'it was not killed'
expect_moved

echo '=== who received it is ended when it has left'
cat >deed <<-'END'
	ssh there 'pkill -TERM -f "[d]sync-vm target"'
END
echo release/end >instant
begin_move
end_move
[ ! -e instant ] || fail 'it was not ended'
expect_equal "$moved" 0
expect_moved

echo '=== no network when it has left'
{
	declare -f cut_network
	echo cut_network
} >deed
echo release/end >instant
begin_move
end_move
[ ! -e instant ] || fail 'the network was not cut'
expect_equal "$moved" 1
grep 'tried again' err
expect_equal "$(state_here web1)" 'shut off'
expect_exit 1 virsh -q start web1
mend_network
expect_moved

echo '=== the other host loses its power when it has left'
echo 'echo "peer kill" >/dev/ttyS1' >deed
echo release/end >instant
virsh -q autostart web1
begin_move
end_move
[ ! -e instant ] || fail 'it was not killed'
expect_equal "$moved" 1
delay_network

# Nobody starts it here, but who knows.
kill "$(cat /run/libvirtd.pid)"
wait_until 30 not pgrep -x libvirtd
rm -rf /run/libvirt/qemu/autostarted
libvirtd --daemon --pid-file /run/libvirtd.pid
wait_until 60 virsh -q list
expect_equal "$(state_here web1)" 'shut off'
expect_exit 1 virsh -q start web1
pkill -f 'dsync-vm watchdog' || :
# libvirt's own, which says goodbye to a host that does not answer.
pkill -f virt-ssh-helper || :
expect_exit 3 dsync-vm preseed --abort web1 2>err
cat err
grep 'does not answer' err
virsh -q start web1
for disk in vda vdb; do
	cmp "was/$disk" "/dev/mapper/dsync-web1-$disk"
done
virsh -q autostart --disable web1

# --- and the other host's disk changes ---------------------------------------------

echo '=== written to over there'
start_peer
there mkdir "$PWD/host"
there dd of=memory status=none <memory
preseed --force
there dd if=/dev/urandom of="$PEER_DISKS" bs=4k count=1 seek=777 oflag=direct \
	conv=notrunc status=none
keep web1 was
status=0
preseed --migrate 2>err || status=$?
cat err
expect_equal "$status" 3
grep 'vdb: .*sending all of it' err
delay_network 1
expect_moved

# --- and there is a way back --------------------------------------------------------

echo '=== there, and back again'
keep web1 was
preseed --force --migrate
wait_until 60 runs_there
at_peer scribble web1 20
for disk in vda vdb; do
	there cat "/dev/mapper/dsync-web1-$disk" >"was/$disk"
done
there dsync-vm preseed web1 qemu+ssh://here/system --force \
	--disk "vdb=$block" --max-downtime 60000 --migrate
expect_equal "$(state_here web1)" running
expect_equal "$(state_there web1)" 'shut off'
for disk in vda vdb; do
	cmp "was/$disk" "/dev/mapper/dsync-web1-$disk"
done
expect_exit 1 at_peer virsh -q start web1

# --- which is no way at all before its end -----------------------------------------

echo '=== the way back is cut off'
# What was brought back here is new to what it had brought there.
expect_exit 3 preseed --force --migrate
at_peer scribble web1 20
expect_exit 3 there dsync-vm preseed web1 qemu+ssh://here/system --force \
	--disk "vdb=$block" --max-downtime 60000
expect_exit 5 dsync-vm preseed --abort web1
kill_peer
expect_exit 1 virsh -q start web1
expect_exit 3 dsync-vm preseed --abort web1 2>err
cat err
grep 'not complete' err
virsh -q start web1

# --- which may be to another place ---------------------------------------------------

echo '=== the other host loses its power when all is back, elsewhere'
# If libvirt had done with the migration it stands here; if not, it is ended.
goes_on() {
	virsh -q resume web1 || virsh -q start web1
}

start_peer
there mkdir "$PWD/host"
there dd of=memory status=none <memory
preseed --force --migrate
wait_until 60 runs_there
at_peer scribble web1 20
for disk in vda vdb; do
	there cat "/dev/mapper/dsync-web1-$disk" >"was/$disk"
done
uuid=$(virsh -q domuuid web1)
delay_network 150
there dsync-vm preseed web1 qemu+ssh://here/system --force --create \
	--disk "vda=$PWD/host/elsewhere" --disk "vdb=$block" \
	--max-downtime 60000 --migrate &
mover=$!
until [ -s "/var/lib/dsync-vm/$uuid/arriving" ]; do
	kill -0 $mover || fail 'it did not come'
	pause 0.005
done
kill_peer
pkill -P $mover
wait $mover || :
delay_network
expect_exit 1 virsh -q start web1
expect_exit 1 virsh -q resume web1
# What tells a host in the end that nobody is at the other end.
pkill -f 'sshd: root@'
expect_exit 3 dsync-vm preseed --abort web1 2>err
cat err
grep 'all of it is here' err
wait_until 60 goes_on
for disk in vda vdb; do
	cmp "was/$disk" "/dev/mapper/dsync-web1-$disk"
done
