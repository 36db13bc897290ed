#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A restore that is interrupted in the middle ends soon, leaves no file and no
# server behind, and says that it failed.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/repo.sh"

make_chain
# Servers that stop answering soon after their start.
mkdir bin
cat >bin/qemu-nbd <<EOF
#!/bin/sh
echo \$\$ >>$work/pids
(sleep 0.3; kill -STOP \$\$) &
PATH=$PATH
exec qemu-nbd "\$@"
EOF
chmod +x bin/qemu-nbd
printf 'write -P 8 0 256M\n' >big
big=$(point 3000 vda:268435456:big)

for signal in INT TERM; do
	rm -f pids
	PATH=$work/bin:$PATH "$DSYNC_VM" restore web repo "$big" \
		--disk vda=x.raw 2>err &
	job=$!
	while [ ! -e pids ]; do sleep 0.05; done
	sleep 0.5
	[ -e x.raw.partial ] || failed "it was not in the middle"
	kill -"$signal" "$job"
	code=0
	wait "$job" || code=$?
	[ "$code" = 1 ] || failed "ended with $code: $(cat err)"
	[ "$(wc -l <err)" = 1 ] || failed "not one line: $(cat err)"
	[ ! -e x.raw.partial ] || failed "the partial file is still there"
	[ ! -e x.raw ] || failed "half a disk has the disk's name"
	while read -r pid; do
		[ ! -e "/proc/$pid" ] || failed "server $pid still runs"
	done <pids
done
