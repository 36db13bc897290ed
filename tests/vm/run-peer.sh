# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The second machine of a test that has a peer; sourced by run. It is booted
# beside the first one, with the same kernel and root file system, and a cable
# leads from the one to the other: $log/net, which the first one makes.
#
# What it shares with the host is $log/peer, and so the first one sees it, too:
#
#	up      it serves (tests/vm/peer)
#	alive   written anew every few seconds from then on
#	died    its emulator ended, and nobody had asked for that
#	off     it lost its power, as the test wanted

# shellcheck disable=SC2154 # all that run sets
peer_job='' # that the peer runs in, while it does

# plan_peer FILE: a test's peer, its disks and the network, for the next boot.
plan_peer() {
	local drives=() disks size i=0
	read -r -a disks <<<"$(header "$1" peer)"
	for size in "${disks[@]}"; do
		add_drive "$size" "peer$((i++))"
	done
	peer_drives=("${drives[@]}")
	size=$(header "$1" peer-mem)
	peer_mem=$(megabytes "${size:-$mem}")
	rm -f "$log/net"
	mkdir "$log/peer"
	cable server=on 1
	make_keys
}

# cable END NUMBER: QEMU's options for one end of it. Its path is relative, for
# a socket's may not be long.
cable() {
	network=(
		-netdev "stream,id=net,$1,addr.type=unix,addr.path=net"
		-device "virtio-net-pci,netdev=net,mac=52:54:00:4d:00:0$2,romfile="
	)
}

# Both machines have the same keys, for this boot only.
make_keys() {
	local key
	[ -x "$cache/sshd/usr/sbin/sshd" ] || die 'no sshd; ci/setup fetches it'
	for key in id_ed25519 ssh_host_ed25519_key; do
		ssh-keygen -q -t ed25519 -N '' -C "$key" -f "$log/peer/$key"
	done
}

boot_peer() {
	rm -f "$log/peer"/{up,alive,died,off,ending,pid}
	write_config "$log/peer" there
	run_peer &
	peer_job=$!
	trap kill_peer EXIT
}

# Its end is the peer's death, if nobody is ending it.
run_peer() {
	local network
	until [ -S "$log/net" ]; do
		[ ! -e "$log/peer/ending" ] || return
		sleep 0.1
	done
	cd "$log" || return
	cable server=off 2
	machine "$log/peer" "$peer_mem" \
		-chardev "file,id=console,path=$log/peer/console.log,append=on" \
		-serial chardev:console -pidfile "$log/peer/pid" \
		"${peer_drives[@]}" "${network[@]}" \
		2>"$log/peer/qemu.log" </dev/null || :
	[ -e "$log/peer/ending" ] || touch "$log/peer/died"
}

# Whether it has power and has not said anything for long, if ever.
peer_is_silent() {
	[ -n "$peer_job" ] && kill -0 "$peer_job" 2>/dev/null &&
		[ -z "$(find "$log/peer/"{config,alive} \
			-newermt '60 seconds ago' 2>/dev/null)" ]
}

# What its disks were given before is on them; all else is lost.
kill_peer() {
	[ -n "$peer_job" ] || return 0
	touch "$log/peer/ending"
	while kill -0 "$peer_job" 2>/dev/null; do
		kill -KILL "$(cat "$log/peer/pid")" || :
		sleep 0.1
	done 2>/dev/null
	wait "$peer_job" || :
	peer_job=''
	touch "$log/peer/off"
}

# keep_peer NAME: what it said, of a test that failed.
keep_peer() {
	[ -e "$log/peer" ] || return 0
	kill_peer
	rm -rf "$log/$1.peer"
	mv "$log/peer" "$log/$1.peer"
	rm -f "$log/$1.peer"/{config,disks,pid,up,alive,off,ending,*_ed25519*}
}
