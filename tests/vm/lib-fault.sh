# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Makes the kernel fail, for t-debug-* tests: memory that is not to be had,
# I/O that ends in errors. Source it after lib-module.sh. Kernels of series
# debug can do this; see Documentation/fault-injection of their sources.
#
# Allocations fail in one of three ways:
#
#	fail_each	one after the other, in a program's own calls
#	fail_from	all of them from some point on, in a program's own calls
#	starve_module	at random, wherever the module is at work, which is the
#			way to reach its workers and what runs in others' tasks

debugfs=/sys/kernel/debug

# fault_settings NAME [KEY VALUE]...: all of a kind of fault, most of which
# keep still if not told otherwise.
fault_settings() {
	local dir=$debugfs/$1
	[ -d "$dir" ] || skip "needs $dir"
	shift
	set -- probability 0 interval 1 times -1 space 0 verbose 0 \
		task-filter 0 "$@"
	while [ $# -gt 0 ]; do
		echo "$2" >"$dir/$1"
		shift 2
	done
}

faults_off() {
	echo 'vm: faults end' >/dev/kmsg
	fault_settings failslab
	fault_settings fail_page_alloc
	fault_settings fail_make_request
}

# faults_on: what the kernel's log says from now on of failed allocations is
# no failure of the test.
faults_on() {
	fault_settings failslab ignore-gfp-wait 0 stacktrace-depth 0
	fault_settings fail_page_alloc ignore-gfp-wait 0 min-order 0
	echo 'vm: faults begin' >/dev/kmsg
	cleanup_fn faults_off
	cleanup_fn last_attempt
}

fault='' fault_so=''
# faulty PROGRAM [ARG]...: with the fault that is under way.
faulty() {
	if [ -z "$fault_so" ]; then
		fault_so=$TMPDIR/fault.so
		cc -D_GNU_SOURCE -O2 -shared -fPIC "$TOP/tests/vm/fault.c" \
			-o "$fault_so"
	fi
	FAULT=$fault FAULT_HIT=$TMPDIR/fault-hit LD_PRELOAD=$fault_so "$@"
}

# attempt ACT CHECK: ACT under the fault, then CHECK STATUS.
attempt() {
	local result=0
	attempted="$1 with fault $fault"
	"$1" >"$TMPDIR/fault-output" 2>&1 || result=$?
	attempted+=": exit $result"
	[ $result = 0 ] || errors=$((errors + 1))
	"$2" $result
}

# What a failed test was at.
attempted=''
last_attempt() {
	[ "${status:-0}" = 0 ] || [ -z "$attempted" ] ||
		echo "$attempted: $(<"$TMPDIR/fault-output")"
}

# fail_each ACT CHECK: runs the function ACT, which calls faulty, with the
# first allocation of its calls failing, then with the second, until there
# are no more. CHECK STATUS sees after each what came of it, and brings back
# what was before.
fail_each() {
	local fault=0 errors=0
	while :; do
		fault=$((fault + 1))
		rm -f "$TMPDIR/fault-hit"
		attempt "$@"
		[ -e "$TMPDIR/fault-hit" ] || break
	done
	echo "$1: each of $((fault - 1)) allocations failed, $errors errors"
	[ $errors -lt $fault ] || fail "$1 fails without any fault"
}

# fail_from ACT CHECK [STEP]: likewise, but from an allocation on all do that
# need more than is left of a budget, which is STEP bytes more each time.
fail_from() {
	local fault=all errors=0 space=0 runs=0 many=1000000
	while :; do
		fault_settings failslab task-filter 1 times $many \
			space $space probability 100
		attempt "$@"
		runs=$((runs + 1)) space=$((space + ${3:-2048}))
		[ "$(<$debugfs/failslab/times)" != $many ] || break
	done
	fault_settings failslab
	echo "$1: failed from one of $runs points on, $errors errors"
	[ $errors -lt $runs ] || fail "$1 fails without any fault"
}

# starve_module PERCENT: so many of the allocations fail that have our code
# on their stack, in whatever task. feed_module ends it.
starve_module() {
	local size _ base end kind
	read -r _ size _ _ _ base _ < <(grep '^dm_dsync ' /proc/modules) ||
		fail 'no module to starve'
	end=$(printf '%#x' $((base + size)))
	for kind in failslab fail_page_alloc; do
		fault_settings $kind stacktrace-depth 16 require-start "$base" \
			require-end "$end" probability "$1"
	done
}

feed_module() {
	local kind
	for kind in failslab fail_page_alloc; do
		fault_settings $kind stacktrace-depth 0 require-start 0 \
			require-end 0xffffffffffffffff
	done
}

# fail_requests PERCENT DEVICE...: so much of their I/O ends in errors.
fail_requests() {
	local percent=$1 device
	shift
	fault_settings fail_make_request probability "$percent"
	for device; do
		echo 1 >"/sys/block/${device##*/}/make-it-fail"
		cleanup_fn mend_requests "$device"
	done
}

# mend_requests DEVICE...
mend_requests() {
	local device
	for device; do
		echo 0 >"/sys/block/${device##*/}/make-it-fail"
	done
}
