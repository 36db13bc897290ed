# shellcheck shell=sh disable=SC2034
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of what goes over ssh: repo.sh, and an sshd on a port of its own.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"
. "$tests/../sshd.sh"

here=$(cd "$work" && pwd -P)
far=

# start_sshd: ssh://$far/... leads to this host, through ssh.
start_sshd()
{
	requires test -x "$sshd"
	[ "$(id -u)" != 0 ] || requires unshare -m true
	# The program's own directory comes first over there.
	configure_sshd "$(cd "$(dirname "$DSYNC_VM")" && pwd -P):$PATH"
	as_it_wants "$sshd" -D -e -f "$here/sshd_config" >>sshd.log 2>&1 &
	servers="$servers $!"
	tries=0
	until ssh -F ssh_config -p "$port" 127.0.0.1 true 2>ssh.log; do
		tries=$((tries + 1))
		[ $tries -lt 50 ] || failed "no sshd: $(cat ssh.log sshd.log)"
		sleep 0.1
	done
}
