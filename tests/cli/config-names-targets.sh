#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A configured name is taken wherever a repository is, and may be left out where
# it is the default one of the domain. A path is always a path.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/host.sh"
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

# listed REPOSITORY: what the last list was of.
listed()
{
	[ "$(reported repository)" = "\"$work/$1\"" ] ||
		failed "not $1 but: $(reported repository)"
}

make_chain
mkdir nas
cp -a repo other
configure <<EOT
[target repo]
location = $work/other
[target nas]
location = $work/repo
[target mirror]
location = nbd://nowhere/{disk}
[backup]
target = nas
[domain db*]
target = repo
EOT

expect 0 "$DSYNC_VM" list --output json
listed repo
expect 0 "$DSYNC_VM" list --output json nas
listed repo
expect 0 "$DSYNC_VM" list --output json web repo
listed other
expect 0 "$DSYNC_VM" list --output json web ./repo
listed repo
expect 0 "$DSYNC_VM" list --output json other
listed other
expect 1 "$DSYNC_VM" list web nsa
says 'nsa: no such directory, and no [target nsa] in /etc/dsync-vm/dsync-vm.conf'

expect 0 "$DSYNC_VM" verify web
expect 0 "$DSYNC_VM" verify web nas "$one"
expect 0 "$DSYNC_VM" prune web --dry-run
expect 0 "$DSYNC_VM" prune web nas --protect "$one"
expect 0 "$DSYNC_VM" restore --to "$work" web nas "$one"
cmp web-vda.raw one.raw
expect 0 "$DSYNC_VM" restore --to "$work" --force web
cmp web-vda.raw two.raw
expect 1 "$DSYNC_VM" export web mirror
grep -q 'nbd://nowhere' err || failed "$(cat err)"

# Of a domain whose pattern says so, another one is the default.
expect 1 "$DSYNC_VM" verify db1
grep -q "$work/other" err || failed "$(cat err)"

# What keeps its points is the domain's, too.
configure <<EOT
[target nas]
location = $work/repo
[backup]
target = nas
[keep]
last = 1
[domain web]
keep-last = 2
EOT
"$DSYNC_VM" prune web nas --unprotect "$one"
expect 0 "$DSYNC_VM" prune web --dry-run --output json
! grep -q '"keep": false' out || failed "$(cat out)"
expect 0 "$DSYNC_VM" prune web ./other --dry-run --keep-last 1 --output json
grep -q '"keep": false' out || failed "$(cat out)"

# Without a default one there is an argument too few.
configure <<EOT
[target nas]
location = $work/repo
EOT
expect 2 "$DSYNC_VM" verify web
grep -q 'no default target' err || failed "$(cat err)"
expect 2 "$DSYNC_VM" list
expect 2 "$DSYNC_VM" backup web

# A slip is an error before anything is done, but a path needs no file.
configure <<EOT
[backup]
frost = yes
EOT
expect 2 "$DSYNC_VM" backup web "$work/repo"
says "line 2: 'frost = yes' is not understood"
expect 2 "$DSYNC_VM" list nas
expect 0 "$DSYNC_VM" list "$work/repo"
