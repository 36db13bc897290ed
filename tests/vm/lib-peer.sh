# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests with a second machine: "# peer: SIZE..." in the header, the sizes
# of its disks. It is called "there" and this one "here", root of each may log in
# to the other, and libvirt runs in both. Source after lib.sh.
#
# The peer shares a folder with the host, which this machine sees; the host does
# what only someone beside the machines can do.

# --- what both machines do ------------------------------------------------

_shared=/run/vm/peer
[ "$ROLE" = here ] || _shared=/run/vm

# trust_peer: root's ssh knows the other machine and is known there.
trust_peer() {
	mkdir -m 700 ~/.ssh
	install -m 600 "$_shared/id_ed25519" ~/.ssh/
	echo "here,there,10.77.0.1,10.77.0.2 $(<"$_shared/ssh_host_ed25519_key.pub")" \
		>~/.ssh/known_hosts
}

# serve_ssh: root of the other machine may do anything here. ci/setup unpacks
# sshd; its package would make its user and directory. What init gives to a
# program here, programs that come by ssh get, too. OpenSSH's usual key exchange
# takes an emulated machine over a second.
serve_ssh() {
	local config=/run/sshd/config
	mkdir -m 755 /run/sshd
	make_sshd_user
	install -m 600 "$_shared/ssh_host_ed25519_key" /run/sshd/
	install -m 600 "$_shared/id_ed25519.pub" /run/sshd/authorized_keys
	cat >$config <<-EOF
	HostKey /run/sshd/ssh_host_ed25519_key
	AuthorizedKeysFile /run/sshd/authorized_keys
	PidFile /run/sshd/pid
	PermitRootLogin yes
	StrictModes no
	UsePAM no
	MaxStartups 100
	MaxSessions 100
	KexAlgorithms curve25519-sha256
	SetEnv PATH=$PATH LC_ALL=$LC_ALL DM_DISABLE_UDEV=1
	EOF
	"$CACHE/sshd/usr/sbin/sshd" -f $config -E "$_shared/sshd.log"
}

# --- for tests ------------------------------------------------------------

# start_peer: a peer that serves, with its disks in $PEER_DISKS as /dev/vdX over
# there, and libvirt here. It is booted again if it was killed: its disks are
# what they were, all else is new.
start_peer() {
	[ ! -e "$_shared/off" ] || ask_host boot
	[ -e ~/.ssh ] || trust_peer
	[ -e /run/libvirtd.pid ] || start_libvirtd
	wait_until 120 peer_serves
	# shellcheck disable=SC2034 # for the test
	PEER_DISKS=$(<"$_shared/disks")
	_there=/
	there mkdir -p "$PWD"
	_there=$PWD
	there virsh -q list >/dev/null
}

peer_serves() {
	[ ! -e "$_shared/died" ] || fail 'the peer died'
	# The last word of an earlier boot is removed with "off".
	[ ! -e "$_shared/off" ] && [ -e "$_shared/up" ]
}

# there COMMAND [ARG]...: runs it on the peer, in a directory of this name.
there() {
	# shellcheck disable=SC2029 # quoted for the shell over there
	ssh there "cd $_there && $(printf '%q ' "$@")"
}

# at_peer COMMAND [ARG]...: runs it here, with the peer's libvirt: so what lib.sh
# does with a domain is done with one over there.
at_peer() {
	LIBVIRT_DEFAULT_URI=qemu+ssh://there/system "$@"
}

# state_here NAME, state_there NAME: of a domain; nothing if there is none.
state_here() {
	virsh -q domstate "$1" | xargs
}

state_there() {
	at_peer virsh -q domstate "$1" 2>/dev/null | xargs || :
}

nobody_receives() {
	there sh -c '! pgrep -f "[d]sync-vm target"'
}

# forget_there NAME: one that stands there, since it went on here, is of no use.
forget_there() {
	[ -n "$(state_there "$1")" ] || return 0
	at_peer virsh -q destroy "$1" || :
	at_peer virsh -q undefine "$1" || :
	wait_until 60 nobody_receives
}

# fill_memory NAME: a dummy's memory is zeroes, which a migration is through with
# in an instant. From its next start on 32 MiB of it are noise.
fill_memory() {
	local ns='http://libvirt.org/schemas/domain/qemu/1.0'
	local device="loader,file=$PWD/memory,addr=0x200000,force-raw=on"
	head -c 32M /dev/urandom | tee memory | there dd of=memory status=none
	virsh -q dumpxml --inactive "$1" | sed -e 's|>16384</|>49152</|' \
		-e "s|^<domain |&xmlns:qemu='$ns' |" \
		-e "s|^</domain>|<qemu:commandline><qemu:arg value='-device'/>\
<qemu:arg value='$device'/></qemu:commandline>&|" >filled.xml
	virsh -q define filled.xml
}

# ask_host kill|boot: what the host is to do to the peer.
ask_host() {
	echo "peer $1" >/dev/ttyS1
}

# kill_peer: it loses its power at this instant.
kill_peer() {
	ask_host kill
	wait_until 30 [ -e "$_shared/off" ]
}

# cut_network: whatever is sent, from here or there, is lost, and nobody is
# told; mend_network is the end of it.
cut_network() {
	tc qdisc add dev eth0 clsact
	tc filter add dev eth0 ingress matchall action drop
	# Where it is dropped TCP notices, and where it is stolen it does not.
	tc filter add dev eth0 egress matchall action trap
}

mend_network() {
	tc qdisc del dev eth0 clsact
}

# limit_network RATE: what is sent from here goes no faster, e.g. 20mbit; without
# one, as fast as it can.
limit_network() {
	if [ $# -gt 0 ]; then
		tc qdisc replace dev eth0 root tbf rate "$1" burst 64k latency 200ms
	else
		tc qdisc del dev eth0 root
	fi
}

# delay_network MS: what is sent from here arrives so much later; without one, as
# soon as it can.
delay_network() {
	if [ $# -gt 0 ]; then
		tc qdisc replace dev eth0 root netem delay "$1ms"
	else
		tc qdisc del dev eth0 root
	fi
}
