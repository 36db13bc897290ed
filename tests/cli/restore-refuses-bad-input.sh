#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What cannot be restored is refused with one line and its exit status, and
# neither the repository nor any other file is changed.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
mkdir empty full to
echo x >full/thesis.txt
echo precious >exists.raw
picture . | grep -v ' ./[a-z]*$' >before

refused()
{
	code=$1 text=$2
	shift 2
	expect "$code" "$DSYNC_VM" restore "$@"
	says "$text"
}

refused 1 'is it mounted' web missing --to to
refused 1 'is it mounted' web empty --to to
refused 1 'not a repository' web full --to to
refused 1 'is a directory' web exists.raw --to to
refused 1 'no points of a domain db' db repo --to to
refused 2 'cannot be the name' .. repo --to to
refused 1 'no point 2027' web repo 2027 --to to
refused 1 "dsync-vm list web repo" web repo nonsense --to to
refused 2 'could be' web repo 19 --to to
refused 1 'no disk vdz' web repo --disk vdz=x.raw
refused 1 'force replaces it' web repo --disk vda=exists.raw
refused 1 'neither a file' web repo --disk vda=to
refused 1 'neither a file' web repo --disk vda=/dev/null
refused 1 'No such file' web repo --disk vda=nowhere/x.raw
refused 1 'No such file' web repo --to nowhere

expect 2 "$DSYNC_VM" restore web repo
expect 2 "$DSYNC_VM" restore web repo --disk vda
expect 2 "$DSYNC_VM" restore web repo --disk ''
expect 2 "$DSYNC_VM" restore web repo --disk vda= --to to
expect 2 "$DSYNC_VM" restore web repo --disk vda --disk vda --to to
expect 2 "$DSYNC_VM" restore web repo latest more --to to
expect 2 "$DSYNC_VM" restore web
for with in --to=to --define=x --force --format=raw --disk=vda=x.raw; do
	expect 2 "$DSYNC_VM" restore web repo --in-place "$with"
done

picture . | grep -v ' ./[a-z]*$' >after
diff before after
