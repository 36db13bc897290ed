#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whatever a guest writes, and whoever is killed at any system call, the tool, a
# server, the far side, QEMU or the host: of two targets with schedules of their
# own, one here and one over ssh, each point is the disks as they were, byte for
# byte, and verifies, and the next backup is right and tidies up. ROUNDS is how
# many backups are made, SEED repeats a run.
# disks: 16M 3G
# timeout: 5400
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"
. "$TOP/tests/vm/lib-meta.sh"
. "$TOP/tests/random-kill.sh"
. "$TOP/tests/vm/lib-ssh.sh"

requires strace

one_in() {
	[ $((RANDOM % $1)) = 0 ]
}

# --- two targets -------------------------------------------------------------

# A server that is killed at the Nth of its writes, if there is such a number.
make_server() {
	mkdir servers
	cat >servers/qemu-nbd <<-EOF
	#!/bin/bash
	if read -r number 2>/dev/null <$PWD/servers/kill; then
		rm $PWD/servers/kill
		exec strace -D -f -o $PWD/trace -e signal=none -e \\
			inject=pwrite64,pwritev,fdatasync,fallocate:signal=KILL:when=\$number \\
			$(command -v qemu-nbd) "\$@"
	fi
	exec $PWD/standing/qemu-nbd "\$@"
	EOF
	chmod +x servers/qemu-nbd
	PATH=$PWD/servers:$PATH
}

# target_of NAME: of the repository host/NAME.
target_of() {
	if [ "$1" = far ]; then
		echo "ssh://$far/"
	else
		echo "$PWD/host/$1"
	fi
}

# --- the model ----------------------------------------------------------------

# guest_writes COUNT
guest_writes() {
	"$TOP/tests/vm/guest-writes" "$RANDOM" "$1" \
		/dev/mapper/dsync-web1-vda:host/now/vda \
		/dev/mapper/dsync-web1-vdb:host/now/vdb
}

# points_of NAME
points_of() {
	find "host/$1/web1/points" -name '*.json' -printf '%f\n' 2>/dev/null |
		sed 's/\.json$//'
}

# keep_points NAME [DIR]: what came to be since is what is in DIR.
keep_points() {
	local point
	for point in $(points_of "$1"); do
		[ ! -e "host/was/$1/$point" ] || continue
		cp -r --sparse=always "${2:-host/now}" "host/was/$1/$point"
		echo "$point" >>"made-$1"
	done
}

# check_all NAME: its points are what they were, for stock tools and for verify.
check_all() {
	local point
	repository=$PWD/host/$1
	for point in $(points_of "$1"); do
		for disk in vda vdb; do
			qemu-img check -q -f qcow2 \
				"$repository/web1/disks/$disk/$point.qcow2" ||
				fail "$1: image of $disk of $point"
		done
		expect_point web1 "$point" "host/was/$1/$point"
	done
	[ -z "$point" ] || expect_exit 0 dsync-vm verify -q web1 "$repository" --all
}

# expect_newest NAME COUNT: so many of the points that were made are still there;
# those that went are forgotten.
expect_newest() {
	local kept point
	kept=$(points_of "$1")
	while read -r point; do
		grep -q -x "$point" <<<"$kept" || fail "$1: $point is gone"
	done < <(tail -n "$2" "made-$1")
	for point in host/was/"$1"/*; do
		grep -q -x "${point##*/}" <<<"$kept" || rm -r "$point"
	done
	grep -x -f <(echo "$kept") "made-$1" >still
	mv still "made-$1"
}

restore_one() {
	local point
	point=$(points_of "$1" | shuf -n 1 --random-source=<(yes "$RANDOM"))
	mkdir host/restored
	dsync-vm restore -q web1 "$(target_of "$1")" "$point" --to host/restored
	cmp host/restored/web1-vda.raw "host/was/$1/$point/vda"
	cmp host/restored/web1-vdb.raw "host/was/$1/$point/vdb"
	rm -r host/restored
}

# --- what goes wrong --------------------------------------------------------------

busy() {
	pgrep -x qemu-nbd || pgrep -f 'dsync-vm watchdog' || pgrep -f "$serve"
} >/dev/null

settle() {
	wait_until 90 not busy
	expect_clean web1
}

# What runs still, if the test fails.
show_processes() {
	[ "${status:-0}" = 0 ] || ps -N --ppid 2 -o pid,ppid,stat,args
}

# run_killed COMMAND...: sets $status; counts.
run_killed() {
	status=0
	"$@" >killed.out 2>&1 || status=$?
	echo "$status: $*"
	[ $status = 0 ] || nr_kills=$((nr_kills + 1))
}

# The state directory and the repository are where most can go wrong.
instant() {
	case $((RANDOM % 3)) in
	0) random_kill "$1" 1 /var/lib/dsync-vm ;;
	1) random_kill "$1" 1 "$PWD/host" ;;
	2) random_kill "$1" ;;
	esac
}

# killed_backup NAME
killed_backup() {
	local command=(dsync-vm backup -q --no-freeze web1 "$(target_of "$1")")
	local what=$((RANDOM % 6)) prefix
	case $what in
	[0-2])
		run_killed strace -o trace -e "$(instant "calls-$1")" "${command[@]}"
		;;
	3)
		echo 'a server that is killed'
		echo $((RANDOM % 150 + 1)) >servers/kill
		run_killed "${command[@]}"
		rm -f servers/kill
		;;
	4 | 5)
		[ "$1" = far ] || return 0
		prefix="strace -o $PWD/trace -e $(random_kill calls-served)"
		[ $what = 4 ] || prefix="strace -f -o $PWD/trace -e signal=none \
			-e inject=read,write,rename,fsync:signal=KILL:when=$((RANDOM % 300 + 1))"
		echo "the far side: $prefix"
		let_in "command=\"$prefix $serve\""
		run_killed "${command[@]}"
		let_in "command=\"$serve\""
		;;
	esac
	settle
	keep_points "$1"
}

# prune NAME: by random rules, and perhaps not to its end.
prune() {
	local last=$((RANDOM % 4 + 1)) command
	command=(dsync-vm prune -q web1 "$PWD/host/$1" --keep-last "$last")
	# The first one shows what there is to be killed at.
	if [ ! -e calls-prune ]; then
		strace -y -o calls-prune "${command[@]}"
	elif one_in 2; then
		run_killed strace -o trace -e "$(random_kill calls-prune)" "${command[@]}"
		wait_until 30 not busy
	else
		"${command[@]}"
	fi
	expect_newest "$1" $last
}

cut_power() {
	lose_power
	virsh -q start web1
}

# upset_domain: what happens to it between two backups.
upset_domain() {
	case $((RANDOM % 6)) in
	0)
		stop
		virsh -q start web1
		;;
	1)
		kill -KILL "$(cat /run/libvirt/qemu/web1.pid)"
		wait_until 30 no_devices
		virsh -q start web1
		;;
	2) cut_power ;;
	esac
}

# --- a round ----------------------------------------------------------------------

# backup_beside NAME: to the other one.
backup_beside() {
	local other=near
	[ "$1" != near ] || other=far
	dsync-vm backup -q web1 "$(target_of $other)" --no-freeze --wait 10m \
		2>beside.err || [ $? = 4 ]
}

# good_backup NAME [PREFIX...]: perhaps with writes while it is sent, or with one
# to the other target that takes turns with it.
good_backup() {
	local name=$1 writer='' beside=''
	shift
	rm -rf host/before
	cp -r --sparse=always host/now host/before
	if one_in 3; then
		touch standing/next
		while_standing 'guest_writes 8' &
		writer=$!
	elif one_in 3; then
		backup_beside "$name" &
		beside=$!
	fi
	"$@" dsync-vm backup web1 "$(target_of "$name")" --no-freeze --wait 10m \
		--output json >report.json 2>report.err ||
		fail "backup to $name ended with $?: $(cat report.err)"
	[ -z "$writer" ] || wait $writer
	[ -z "$beside" ] || wait $beside || fail "beside it: $(cat beside.err)"
	keep_points "$name" host/before
	keep_points near
	keep_points far
	[ "$(tail -n 1 "made-$name")" = "$(report .point)" ] ||
		fail "$name: $(report .point) is not there"
	settle
	expect_newest "$name" 6
	[ -z "$(find "host/$name" -name '*.partial' -o -name '*.removed' \
		-o -name '*.tmp')" ] || fail "$name: something was left behind"
}

make_host
cleanup_fn show_processes
mkdir -p host/near host/now host/was/{near,far}
truncate -s 24M host/web1.raw
mkdir -p /etc/dsync-vm
echo $'[backup]\nturn = 1s' >/etc/dsync-vm/dsync-vm.conf
cleanup_fn rm /etc/dsync-vm/dsync-vm.conf
define_dummy web1 "$PWD/host/web1.raw" "$block"
dsync-vm attach -q web1
virsh -q start web1
cleanup_fn destroy_quietly web1
find_places
can_stand
make_server
start_sshd
truncate -s 24M host/now/vda
truncate -s "$(blockdev --getsize64 "$block")" host/now/vdb

# The first ones show what there is to be killed at.
guest_writes 40
good_backup near strace -y -o calls-near
let_in "command=\"strace -y -o $PWD/served.\$\$ $serve\""
good_backup far strace -y -o calls-far
let_in "command=\"$serve\""
mv "$(grep -l 'host/far/web1/points' served.* | head -n 1)" calls-served

nr_kills=0
for round in $(seq "${ROUNDS:-2}"); do
	guest_writes $((RANDOM % 40 + 1))
	name=near
	! one_in 3 || name=far
	for _ in 1 2 3; do
		one_in 3 || killed_backup $name
		! one_in 3 || guest_writes $((RANDOM % 8))
	done
	! one_in 4 || check_all $name
	! one_in 3 || upset_domain
	good_backup $name
	! one_in 3 || prune $name
	check_all $name
	! one_in 3 || restore_one $name
	echo "round $round to $name: $nr_kills killed so far"
done
for name in near far; do
	check_all $name
done
expect_clean web1
echo "$nr_kills kills in $round rounds"
