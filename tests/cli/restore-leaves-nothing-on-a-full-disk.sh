#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# When the file system is full the restore fails with one line that says so,
# and takes no space any more.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

requires unshare -rm mount -t tmpfs none /mnt
printf 'write -P 8 0 8M\n' >big
point 1000 vda:8388608:big vdb:1048576:/dev/null >/dev/null

cat >inside <<'EOF'
mount -t tmpfs -o size=4M none /mnt
mount -t tmpfs none /run # root of this namespace cannot write to the real one
code=0
"$DSYNC_VM" restore web repo --to /mnt || code=$?
[ -z "$(ls /mnt)" ] || { ls /mnt >&2; exit 99; }
exit $code
EOF
export DSYNC_VM
expect 1 unshare -rm sh inside
says 'No space left'
