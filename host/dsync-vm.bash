# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Completion for bash. Commands, options, their values and the order of operands
# are what --help says, so that there is no second list of them. Domains and
# targets are read from files: libvirt might not answer. Points are asked for
# only where they are files of this host, and not for long.

# Of the standard input, the lines that begin as the word does.
_dsync_vm_offer() {
	local line
	while IFS= read -r line; do
		[[ $line != "$_dsync_vm_word"* ]] ||
			COMPREPLY+=("$(printf %q "$line")")
	done
}

_dsync_vm_files() {
	compopt -o filenames
	mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen "$1" -- "$_dsync_vm_word")
}

_dsync_vm_domains() {
	local file
	for file in /etc/libvirt/qemu/*.xml; do
		[ ! -e "$file" ] || basename "$file" .xml
	done
}

_dsync_vm_targets() {
	sed -nE 's/^\[target +([^] ]+) *\].*/\1/p' \
		/etc/dsync-vm/dsync-vm.conf 2>/dev/null
}

# Where the target of that name is, or else the word itself.
_dsync_vm_location() {
	local location
	location=$(sed -nE "/^\[target +$1 *\]/,/^\[/s/^location *= *//p" \
		/etc/dsync-vm/dsync-vm.conf 2>/dev/null)
	printf '%s' "${location:-$1}"
}

# _dsync_vm_points PROGRAM DOMAIN REPOSITORY
_dsync_vm_points() {
	local where
	[[ $3 != *[!A-Za-z0-9._-]* ]] && where=$(_dsync_vm_location "$3") ||
		where=$3
	[[ $where != *://* ]] || return
	timeout 2 "$1" list -q -- "$2" "$where" </dev/null 2>/dev/null |
		awk 'NR > 1 { print $1 }'
}

# Devices of tracked disks, without their holds.
_dsync_vm_devices() {
	local path
	for path in /dev/mapper/dsync-*; do
		[[ ! -e $path || $path = *-hold ]] || basename "$path"
	done
}

# What an operand or a value is called in the help says what it is.
_dsync_vm_complete() {
	case $1 in
	*DOMAIN*) _dsync_vm_offer < <(_dsync_vm_domains) ;;&
	*DEVICE*) _dsync_vm_offer < <(_dsync_vm_devices) ;;&
	*REPOSITORY* | *TARGET*)
		_dsync_vm_offer < <(_dsync_vm_targets)
		_dsync_vm_files -d
		;;
	*POINT*)
		_dsync_vm_offer < <(_dsync_vm_points "$program" \
			"${operands[0]-}" "${operands[1]-}")
		;;
	*DIR*) _dsync_vm_files -d ;;
	*FILE* | *PATH* | *DEV*) _dsync_vm_files -f ;;
	[a-z]*) _dsync_vm_offer <<<"${1//|/$'\n'}" ;;
	esac
}

# What the option takes: FILE, yes|no, or nothing.
_dsync_vm_value() {
	sed -nE "s/^ .*$1=([^] ,]+).*/\1/p" <<<"$help" | head -n 1
}

# The operands before the word; and the value that the word is to be, if any.
_dsync_vm_parse() {
	local i word
	for ((i = 2; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		-c) word=--connect ;;&
		-c | --*)
			value=$(_dsync_vm_value "$word")
			given+=" $word"
			[ -n "$value" ] || continue
			i=$((i + 1))
			[ "${COMP_WORDS[i]}" != = ] || i=$((i + 1))
			[ $i -ge "$COMP_CWORD" ] || value=
			;;
		-*) ;;
		*) operands+=("$word") ;;
		esac
	done
}

# Usage: dsync-vm restore [OPTION]... DOMAIN [REPOSITORY [POINT]]
_dsync_vm_operand() {
	local -a kinds
	read -r -a kinds < <(sed -nE '1s/.*\[OPTION\]\.\.\. *//p' <<<"$help" |
		tr -d '[]')
	[[ $given != *\ --all* || ${kinds[0]-} != *--all* ]] ||
		kinds=("${kinds[@]:1}")
	# Whether a lone operand is the first or the second is not known yet.
	if [[ ${#operands[@]} = 0 && $help == *'[[DOMAIN]'* ]]; then
		echo DOMAIN,REPOSITORY
	elif [ ${#operands[@]} -lt ${#kinds[@]} ]; then
		echo "${kinds[${#operands[@]}]}"
	elif [[ ${kinds[*]: -1} == *... ]]; then
		echo "${kinds[*]: -1}"
	fi
}

_dsync_vm() {
	local program=$1 _dsync_vm_word=${COMP_WORDS[COMP_CWORD]}
	local help value='' given='' operands=()
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		_dsync_vm_offer < <("$program" --help 2>/dev/null |
			sed -nE 's/^  ([a-z]+) .*/\1/p')
		return
	fi
	help=$("$program" "${COMP_WORDS[1]}" --help 2>/dev/null) || return
	[ "$_dsync_vm_word" != = ] || _dsync_vm_word=
	_dsync_vm_parse
	if [ -n "$value" ]; then
		_dsync_vm_complete "$value"
	elif [[ $_dsync_vm_word == -* ]]; then
		compopt -o nospace
		_dsync_vm_offer < <(grep -E '^ +(-., )?--' <<<"$help" |
			grep -oE -- '--[a-z-]+=?' | sort -u |
			sed 's/[^=]$/& /')
		COMPREPLY=("${COMPREPLY[@]//\\ / }")
	else
		_dsync_vm_complete "$(_dsync_vm_operand)"
	fi
}

complete -F _dsync_vm dsync-vm
