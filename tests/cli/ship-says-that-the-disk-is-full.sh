#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Whatever the destination refuses ends in failure and its own words: a full
# disk, a write or a zeroing that fails, a flush that fails.
. "$(dirname "$0")/lib.sh"

requires nbdkit --filter=error memory 1 --dump-plugin
random_file new 4194304
truncate -s 4M zero
# what: the argument of the error filter; words: how it is told
while IFS=: read -r source what words; do
	# shellcheck disable=SC2086 # two arguments
	serve_nbdkit --filter=error memory 4M error-rate=0% $what
	expect 1 timeout 20 "$DSYNC_VM" ship "$source" "$uri"
	says "$words"
	says "$uri"
	end_server
done <<'END'
new:error-pwrite=ENOSPC error-pwrite-rate=100%:No space left on device
new:error-pwrite=EIO error-pwrite-rate=80%:write of
zero:error-zero=ENOSPC error-zero-rate=100%:No space left on device
zero:error-zero=EPERM error-zero-rate=100%:zeroing of
new:error-pwrite=EINVAL error-pwrite-rate=100%:Invalid argument
END

requires nbdkit eval --dump-plugin
serve_nbdkit eval get_size='echo 4194304' pwrite='cat >/dev/null' \
	can_write='exit 0' can_flush='exit 0' \
	flush='echo "EIO disk on fire" >&2; exit 1'
expect 1 timeout 20 "$DSYNC_VM" ship new "$uri"
says 'flush: Input/output error'
end_server

# A read of the source that fails names the source.
serve_nbdkit --filter=noextents --filter=error memory 4M error-rate=0% \
	error-pread=EIO error-pread-rate=100%
truncate -s 4M dest
expect 1 timeout 20 "$DSYNC_VM" ship --format raw "$uri" dest
says "$uri: read of"
