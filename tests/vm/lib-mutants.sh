# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of tests: they have to notice what is wrong with a mutant of the
# module. Source it after lib.sh. MUTANTS="NAME..." tries these only.

mutant_names() {
	echo "${MUTANTS:-$(sed -n 's/^# mutants: //p' "$0" | xargs)}"
}

# use_module [MUTANT]: in place of what is loaded now
use_module() {
	modprobe -r dm-dsync
	[ $# = 0 ] || {
		modprobe dm-mod
		insmod "$BUILD/mutants/$(uname -r)/$1.ko"
	}
}

# disks_of TEST: as many of ours as its header asks for
disks_of() {
	local wanted have
	read -r -a have <<<"$DISKS"
	read -r -a wanted <<<"$(sed -n 's/^# disks: *//p' "$1")"
	echo "${have[*]:0:${#wanted[@]}}"
}

# is_noticed ATTEMPTS WORDS TEST: whether it fails, and says so in such words
is_noticed() {
	local test=$TOP/tests/vm/t-$3.sh attempt
	for attempt in $(seq "$1"); do
		mkdir "$3"
		if ! (cd "$3" && DISKS=$(disks_of "$test") TMPDIR=$PWD \
			bash "$test") >"$3.log" 2>&1; then
			grep -E "$2" "$3.log" | head -n 2 || {
				cat "$3.log"
				fail "$3 fails otherwise"
			}
			rm -r "$3"
			return 0
		fi
		rm -r "$3"
		echo "$3, attempt $attempt: not noticed"
	done
	return 1
}

# expect_noticed ATTEMPTS WORDS TEST...: each mutant, by one of the tests
expect_noticed() {
	local mutant test missed=''
	for mutant in $(mutant_names); do
		echo "== $mutant: $(sed -n '3,$s/^# //p' \
			"$TOP/tests/vm/mutants/$mutant.sed" | xargs -d '\n')"
		use_module "$mutant"
		for test in "${@:3}"; do
			! is_noticed "$1" "$2" "$test" || continue 2
		done
		missed+=" $mutant"
	done
	use_module
	[ -z "$missed" ] || fail "not noticed:$missed"
}
