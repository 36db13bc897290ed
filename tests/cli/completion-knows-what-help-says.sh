#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Bash completes commands, options, values and operands as the help has them,
# names from files, and points from a repository of this host; and nothing that a
# name contains is run.
# shellcheck source-path=SCRIPTDIR
export LC_ALL=C.UTF-8
. "$(dirname "$0")/host.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

# shellcheck source=../../host/dsync-vm.bash
. "$tests/../../host/dsync-vm.bash"
compopt() { :; } # only there while a key is pressed

# completed WORD...: what the last word may become, sorted, on one line.
completed()
{
	COMP_WORDS=("$@")
	COMP_CWORD=$(($# - 1))
	COMPREPLY=()
	_dsync_vm "$DSYNC_VM" "${@: -1}" "${@: -2:1}"
	printf '%s\n' "${COMPREPLY[@]}" | sort | xargs -d '\n' echo
}

# becomes EXPECTED WORD...
becomes()
{
	want=$1
	shift
	got=$(completed "$@")
	[ "$got" = "$want" ] || failed "$*: '$got', not '$want'"
}

make_chain
mkdir -p /etc/libvirt/qemu 'dir'
rm -f /etc/libvirt/qemu/*.xml
# shellcheck disable=SC2016 # that is the point
touch /etc/libvirt/qemu/{web,web2,db}.xml '/etc/libvirt/qemu/$(touch run).xml'
configure <<EOT
[target nas]
location = $work/repo
[target mirror]
location = nbd://nowhere/{disk}
EOT

becomes 'restore' dsync-vm re
becomes 'status' dsync-vm stat
for command in $("$DSYNC_VM" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
	# All that has a name in the help, and nothing else.
	options=$("$DSYNC_VM" "$command" --help | grep '^ ' |
		grep -oE -- '--[a-z-]+' | sort -u | xargs)
	[ "$(completed dsync-vm "$command" -- | tr -s ' =' '\n' | sort |
		xargs)" = "$options" ] ||
		failed "$command: $(completed dsync-vm "$command" --)"
done
becomes '--freeze-timeout= --freeze=' dsync-vm backup --fr
becomes 'no require yes' dsync-vm backup --freeze = ''
becomes 'require' dsync-vm backup --freeze = r
becomes 'json' dsync-vm status --output = ''

becomes 'web web2' dsync-vm status w
becomes 'db' dsync-vm backup --freeze = no d
becomes 'db' dsync-vm backup --freeze no d
becomes 'dir mirror nas repo' dsync-vm backup web ''
becomes 'nas' dsync-vm backup --all n
becomes 'nas' dsync-vm verify web n
becomes 'dir' dsync-vm restore --to d
becomes 'db' dsync-vm restore --to dir d
becomes "$one $two" dsync-vm restore web nas ''
becomes "$one" dsync-vm export web ./repo "${one%??}"
becomes "$one $two" dsync-vm verify web nas "$one" ''
becomes "$one $two" dsync-vm prune web nas --protect ''
becomes 'dir' dsync-vm extract di
becomes 'dir' dsync-vm merge di
becomes 'nas' dsync-vm list na
becomes 'db dir' dsync-vm list d
becomes '' dsync-vm status web w
becomes '' dsync-vm restore web mirror ''
becomes '' dsync-vm nonsense ''
becomes '\$\(touch\ run\)' dsync-vm status '$'
[ ! -e run ] || failed 'a name was run'
