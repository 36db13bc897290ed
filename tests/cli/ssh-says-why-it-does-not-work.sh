#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A far side that is not there, cannot be understood, or says what nobody may
# say is one clear line, and never obeyed.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/ssh.sh"

: "${MAKE_BACKUP:=$BUILD/tests/cli/make-backup}"
truncate -s 1M disk

# backup CODE TEXT: it fails so, and says so.
backup()
{
	expect "$1" timeout 100 "$MAKE_BACKUP" "ssh://${2:-$far}/repo" web \
		"$uuid_a" 1000 0 vda:disk:-
	says "$3"
}

# speaks SCRIPT: what answers in place of a far side.
speaks()
{
	printf '#!/bin/sh\n%s\n' "$1" >fake
	chmod +x fake
	export DSYNC_VM_SSH="$here/fake"
}

start_sshd
real=$DSYNC_VM_SSH

# Nobody there; no key; no dsync-vm; one from before.
backup 1 "127.0.0.1:$(free_port)" 'Connection refused'
let_in 'command="true"'
backup 1 '' 'ended the connection'
let_in 'command="nonesuch target"'
backup 1 '' 'nonesuch'
let_in "command=\"dsync-vm-that-is-too-old\""
backup 1 '' 'dsync-vm-that-is-too-old'
let_in 'command="echo Welcome to this host; dsync-vm target"'
backup 1 '' "not answered by dsync-vm, but by 'Welcome to this host'"
: >authorized_keys
backup 1 '' 'Permission denied'
let_in ''
mkdir full
date >full/file
DSYNC_VM_SSH=$real expect 1 "$MAKE_BACKUP" "ssh://$far$here/full" web \
	"$uuid_a" 1000 0 vda:disk:-
says 'and not empty'

for protocol in 0 2 999; do
	speaks "echo 'dsync-vm target $protocol 9.9'; cat >/dev/null"
	backup 8 '' "speaks protocol $protocol, and this host 1; update dsync-vm"
done

# What is no answer.
greeting='echo "dsync-vm target 1 9.9"'
speaks "$greeting; head -c 100000 /dev/zero | tr '\\0' 'x'; cat >/dev/null"
backup 1 '' 'does not speak our protocol'
speaks "$greeting; printf '\\002\\0\\0\\0\\002\\0\\0\\0{]'; cat >/dev/null"
backup 1 '' 'a message is nonsense'
speaks "$greeting; printf '\\0\\0\\0\\0\\003\\0\\0\\0'; cat >/dev/null"
backup 1 '' 'what nobody asked for'
speaks "$greeting; exit 3"
backup 1 '' 'exit code 3'

# Text of the other side gives no orders to a terminal.
speaks "printf '\\033[2J\\033]0;hello\\007gone\\n'; cat >/dev/null"
backup 1 '' '?[2J?]0;hello?gone'
# shellcheck disable=SC2016 # for the other shell
speaks "$greeting"'
	say() { printf "\\$(printf %o ${#2})\\0\\0\\0\\$1\\0\\0\\0%s" "$2"; }
	say 4 "a note with $(printf "\\033")[31m in it"
	say 2 "{\"error\":{\"errno\":11,\"text\":\"bad$(printf "\\033")thing\"}}"
	cat >/dev/null'
expect 1 timeout 100 "$MAKE_BACKUP" "ssh://$far/repo" web "$uuid_a" 1000 0 \
	vda:disk:-
grep -q -F 'a note with ?[31m in it' err || failed "no note: $(cat err)"
grep -q -F 'bad?thing' err || failed "no error: $(cat err)"

# Nonsense in a URI never gets as far as ssh.
speaks 'echo run >>ran'
for uri in ssh://host ssh:///dir ssh://-oProxyCommand=x/dir ssh://a@-b/dir \
	ssh://u:p@host/dir ssh://host:x/dir ssh://host:123456/dir \
	'ssh://ho st/dir' 'ssh://[::1/dir' 'ssh://;id/dir'; do
	expect 2 "$MAKE_BACKUP" "$uri" web "$uuid_a" 1000 0 vda:disk:-
	says 'a repository on another host is ssh://'
done
[ ! -e ran ] || failed 'ssh was run'
