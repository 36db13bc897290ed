# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# For tests of the program: sourced, not run.  Each test works in a directory
# of its own, $work, which goes with it, as do the servers it started.  The
# program is $DSYNC_VM, or that of the build directory $BUILD (default: build).

set -eu

tests=$(cd "$(dirname "$0")" && pwd)
: "${BUILD:=$tests/../../build}"
: "${DSYNC_VM:=$BUILD/src/dsync-vm}"
work=$(mktemp -d "${TMPDIR:-/tmp}/dsync-cli-XXXXXX")
servers=
# shellcheck disable=SC2034 # for the tests
uri="nbd+unix:///?socket=$work/socket"

clean_up()
{
	for pid in $servers; do
		kill -CONT "$pid" 2>/dev/null || :
		kill -KILL "$pid" 2>/dev/null || :
	done
	rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' INT TERM
cd "$work"

failed()
{
	echo "FAILED: $*" >&2
	exit 1
}

# Skips the test unless the command succeeds.
requires()
{
	"$@" >requires.log 2>&1 || {
		echo "skipped: needs $*"
		exit 77
	}
}

# expect CODE COMMAND...: its exit status is CODE; its output goes to out, err.
expect()
{
	want=$1
	shift
	got=0
	"$@" >out 2>err </dev/null || got=$?
	[ "$got" = "$want" ] ||
		failed "'$*' ended with $got, not $want: $(cat err)"
}

# says TEXT: the last command's error has it, in one line.
says()
{
	grep -q -F -e "$1" err || failed "no '$1' in: $(cat err)"
	[ "$(wc -l <err)" = 1 ] || failed "not one line: $(cat err)"
}

# ship ARGUMENT...: ships with a report for reported; must succeed.
ship()
{
	expect 0 "$DSYNC_VM" ship --output json "$@"
}

# reported NAME: a number or word of the last report.
reported()
{
	sed -n 's/^ *"'"$1"'": \([^,]*\),\{0,1\}$/\1/p' out
}

# A seed to print, so that a failure can be had again: SEED=... TEST
new_seed()
{
	seed=${SEED:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}
	echo "seed $seed"
}

# await COMMAND...: waits until it succeeds, at most 20 s.
await()
{
	tries=200
	until "$@"; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || failed "not in 20 s: $*"
		sleep 0.1
	done
}

# serve IMAGE [ARGUMENT...]: qemu-nbd over a raw image at $uri, as $server.
serve()
{
	image=$1
	shift
	rm -f socket
	qemu-nbd --persistent --shared=8 --format=raw --discard=unmap \
		--socket="$work/socket" "$@" "$image" 2>server.log &
	server=$!
	servers="$servers $server"
	await [ -S socket ]
}

# serve_nbdkit ARGUMENT...: the same by nbdkit.
serve_nbdkit()
{
	rm -f socket
	nbdkit --foreground --unix "$work/socket" "$@" 2>server.log &
	server=$!
	servers="$servers $server"
	await [ -S socket ]
}

# Ends the server and waits for it.
end_server()
{
	kill "$server"
	wait "$server" || :
}

# make_map N RANGE...: a map of N blocks with the bits of the ranges A[-B].
make_map()
{
	python3 -c '
import sys
count = int(sys.argv[1])
bits = bytearray((count + 7) // 8)
for word in sys.argv[2:]:
    first, _, last = word.partition("-")
    for i in range(int(first), int(last or first) + 1):
        bits[i // 8] |= 1 << i % 8
sys.stdout.buffer.write(bits)
' "$@"
}

# What nbdkit was asked: lines "Write 4096 8192" (offset and size, decimal)
# from its log filter's file, in order.
asked()
{
	sed -n 's/.* \([A-Z][a-z]*\) id=[0-9]* offset=\(0x[0-9a-f]*\) count=\(0x[0-9a-f]*\) .*/\1 \2 \3/p
		s/.* \(Flush\) id=[0-9]* .*/\1 0 0/p' "$1" |
		while read -r verb offset count; do
			echo "$verb $((offset)) $((count))"
		done
}

random_file() # NAME BYTES
{
	head -c "$2" /dev/urandom >"$1"
}
