#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# preseed says in one line what is wrong with how it was called.

# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/lib.sh"

refused() {
	local code=$1 text=$2
	shift 2
	expect "$code" "$DSYNC_VM" preseed -c test:///default "$@"
	grep -qF -e "$text" err || failed "no '$text' in: $(cat err)"
}

refused 2 'Usage' test
refused 2 'too many' --abort test qemu+ssh://there/system
refused 2 '--max-downtime=soon: milliseconds' --max-downtime soon test qemu+ssh://there/system
refused 2 '--max-downtime=0' --max-downtime 0 test qemu+ssh://there/system
refused 2 '--max-passes=-1' --max-passes=-1 test qemu+ssh://there/system
refused 2 'DISK=PATH' --disk vda test qemu+ssh://there/system
refused 2 'DISK=PATH' --disk vda=relative test qemu+ssh://there/system
refused 2 'shut down' --migrate --offline test qemu+ssh://there/system
for uri in there qemu+tls://there/system ssh://there/ /backup; do
	refused 2 'qemu+ssh://' test $uri
done
refused 1 'no such domain' nobody qemu+ssh://there/system
refused 1 'was not handed over' --abort test
