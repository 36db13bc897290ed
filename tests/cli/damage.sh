# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of damaged repositories: repo.sh, make_chain, and what each command
# makes of the damage that a function of the test does.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
chmod -R u+w repo
cp -a repo pristine
head -c 8M /dev/zero | tr '\0' x >source.raw
make_map 2048 0-15 >map
echo secret >secret
# shellcheck disable=SC2034 # for the tests
vda=repo/web/disks/vda

# Puts back what was there, and does the damage again.
restart()
{
	rm -rf repo
	cp -a pristine repo
	"${damage[@]}"
	before=$(picture repo)
}

# run COMMAND...: adds its exit code to $codes. What failed changed nothing.
run()
{
	local got=0
	timeout 60 "$@" >out 2>err </dev/null || got=$?
	cat err >>all
	codes+=" $got"
	! grep 'Sanitizer\|runtime error' err || failed "$what: '$*'"
	[ $got = 0 ] || [ $got = 3 ] || [ "$(picture repo)" = "$before" ] ||
		failed "$what: '$*' changed something"
	[ $got = 0 ] || [ -s err ] || failed "$what: '$*' says nothing"
	[ $got = 0 ] || [ $got = 3 ] || ! [ -e x.raw ] ||
		failed "$what: '$*' made a file"
	rm -f x.raw
}

# Ends as soon as it serves, or by itself.
run_export()
{
	: >serving
	"$DSYNC_VM" export --output json web repo "$two" >serving 2>/dev/null &
	until grep -q '^}' serving; do
		sleep 0.05
		kill -0 $! 2>/dev/null || break
	done
	kill -INT $! 2>/dev/null || :
	wait $! && codes+=' 0' || codes+=" $?"
}

# wrong TEXT CODES COMMAND...: after the damage that COMMAND does the exit codes
# are these, of as many as there are of: list, restore of the second point,
# backup, restore of the first one, verify, prune, export. TEXT is what is said
# of it.
wrong()
{
	local text=$1 wanted=$2
	what=${*:3}
	damage=("${@:3}")
	codes='' && : >all
	for _ in $wanted; do
		restart
		case $(wc -w <<<"$codes") in
		0) run "$DSYNC_VM" list web repo ;;
		1) run "$DSYNC_VM" restore web repo "$two" --disk vda=x.raw ;;
		2) run "$MAKE_BACKUP" repo web "$uuid_a" 3000 1048576 \
			vda:source.raw:map ;;
		3) run "$DSYNC_VM" restore web repo "$one" --disk vda=x.raw ;;
		4) run "$DSYNC_VM" verify web repo --all ;;
		5) run "$DSYNC_VM" prune --keep-last 1 web repo ;;
		6) run_export ;;
		esac
	done
	[ "$codes" = " $wanted" ] ||
		failed "$what: exit codes$codes, not $wanted: $(cat all)"
	grep -q -F -e "$text" all || failed "no '$text' in: $(cat all)"
}

# edit POINT SCRIPT: its manifest, by sed.
edit()
{
	sed -i "$2" "repo/web/points/$1.json"
}
