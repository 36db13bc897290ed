# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An sshd of our own, which lets in one key, in the current directory.  It is
# never installed: ci/setup unpacks it.  As root it wants a user and a directory
# that its package would make; it gets them in a mount namespace.

# shellcheck disable=SC2034 # for the user
sshd=${XDG_CACHE_HOME:-$HOME/.cache}/dsync-vm/sshd/usr/sbin/sshd

# Writes $1 as authorized_keys options: command="...", or nothing.
let_in()
{
	printf '%s %s\n' "$1" "$(cat key.pub)" >authorized_keys
}

# as_it_wants COMMAND...: becomes it, where sshd finds what it wants.
as_it_wants()
{
	if [ "$(id -u)" != 0 ]; then
		exec "$@"
	fi
	# shellcheck disable=SC2016 # for the inner shell
	exec unshare -m sh -c '
		cat /etc/passwd passwd-of-sshd >passwd
		mount --bind passwd /etc/passwd
		mount -t tmpfs none /run
		mkdir -m 755 /run/sshd
		exec "$@"' sh "$@"
}

# A port that nobody listens at.
free_port()
{
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# configure_sshd PATH: makes sshd_config, with the PATH that programs have over
# there, and ssh_config for who wants to get in. ssh://$far/... leads to this host.
configure_sshd()
{
	ssh-keygen -q -t ed25519 -N '' -f key
	ssh-keygen -q -t ed25519 -N '' -f hostkey
	let_in ''
	echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >passwd-of-sshd
	port=$(free_port)
	here=$(pwd -P)
	# What the user's shell reads at its start is not read.
	cat >sshd_config <<-END
		Port $port
		ListenAddress 127.0.0.1
		HostKey $here/hostkey
		AuthorizedKeysFile $here/authorized_keys
		PidFile none
		StrictModes no
		UsePAM no
		MaxStartups 100
		SetEnv HOME=$here PATH=$1
	END
	cat >ssh_config <<-END
		Host *
		  IdentityFile $here/key
		  IdentitiesOnly yes
		  UserKnownHostsFile $here/known_hosts
		  LogLevel ERROR
	END
	echo "[127.0.0.1]:$port $(cat hostkey.pub)" >known_hosts
	DSYNC_VM_SSH="ssh -F $here/ssh_config"
	export DSYNC_VM_SSH
	far=127.0.0.1:$port
}
