#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Restored disks are defined as a new domain; a name that is taken is refused
# before anything is written.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
mkdir to
connect=test:///default # libvirt's test driver: one domain, called test
expect 1 "$DSYNC_VM" restore web repo --to to --define test -c "$connect"
says 'there is a domain test already'
[ -z "$(ls to)" ] || failed "something was written"
expect 0 "$DSYNC_VM" restore web repo --to to --define web2 -c "$connect" \
	--output json
grep -q '"defined": true' out || failed "$(cat out)"
cmp two.raw to/web-vda.raw
