#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Of a repository that one may not write to everything can be read, and a
# backup and a prune end in one line.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

# Permissions mean nothing to root.
as_user()
{
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

requires as_user true
make_chain
head -c 8M /dev/zero | tr '\0' x >source.raw
mkdir mine
[ "$(id -u)" != 0 ] || chown -R 65534:65534 .
chmod -R a-w repo
before=$(picture repo)

expect 0 as_user "$DSYNC_VM" list web repo
expect 0 as_user "$DSYNC_VM" restore web repo --disk vda=mine/x.raw
cmp two.raw mine/x.raw
expect 0 as_user "$DSYNC_VM" verify web repo --all
expect 1 as_user "$DSYNC_VM" prune --keep-last 1 web repo
says 'ermission denied'
expect 1 as_user "$MAKE_BACKUP" repo web "$uuid_a" 3000 1048576 vda:source.raw:-
says 'ermission denied'
[ "$(picture repo)" = "$before" ] || failed "it was changed"
chmod -R u+w repo
