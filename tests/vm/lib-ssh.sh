# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of repositories on another host: an sshd, which leads to this one.
# Source after lib.sh and lib-backup.sh.

. "$TOP/tests/sshd.sh"

# shellcheck disable=SC2153 # of the machine
sshd=$CACHE/sshd/usr/sbin/sshd
requires ssh
[ -x "$sshd" ] || skip 'needs sshd: ci/setup'

# start_sshd: ssh://$far/ is the repository host/far, as make_host has a host; it
# is served by $serve.
start_sshd() {
	ip link set lo up
	make_sshd_user
	mkdir -p /run/sshd
	chmod 755 /run/sshd
	configure_sshd "$PATH"
	mkdir host/far
	serve="dsync-vm target --repo $PWD/host/far"
	let_in "command=\"$serve\""
	"$sshd" -D -e -f "$PWD/sshd_config" 2>sshd.log &
	cleanup_fn kill $!
	wait_until 30 accepts
}

accepts() {
	(: <>"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}
