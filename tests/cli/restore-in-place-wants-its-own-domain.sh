#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# In place, a point goes back to the stopped domain that it is of, and no other.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"
. "$tests/test-node.sh"

truncate -s 8M a.raw
make_chain

in_place()
{
	code=$1
	make_node "$(make_domain "$2" "$(make_disk a.raw vda)" |
		sed "s|<uuid>.*</uuid>|<uuid>$3</uuid>|")"
	expect "$code" "$DSYNC_VM" restore web repo --in-place -c "$node"
}

in_place 5 web "$uuid_a" # the test driver's domains run
says 'web: is running; shut it down first'
in_place 5 renamed "$uuid_a"
says 'renamed: is running; shut it down first'
in_place 6 web bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb
says 'web: is another domain than the one of that point'
in_place 1 other bbbbbbbb-bbbb-4bbb-8bbb-bbbbbbbbbbbb
says 'web: no such domain here; --define makes a new one of it'
cmp -n 8388608 /dev/zero a.raw
