#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# status shows what is dirty, what each target still misses and how old its
# newest point is; check says which of that is not well, and ends even if
# libvirt does not answer.
# disks: 64M 1G
# timeout: 600
. "$TOP/tests/vm/lib.sh"
. "$TOP/tests/vm/lib-backup.sh"

requires python3

# of DISK PATH: a fact of one disk of web1.
of() {
	dsync-vm status web1 --output json |
		jq -r ".disks[] | select(.disk == \"$1\") | $2"
}

# pending DISK TARGET
pending() {
	of "$1" ".targets[] | select(.name == \"$2\").pending_bytes"
}

# check EXIT TEXT [OPTION]...: says so, in its first line.
check() {
	local want=$1 text=$2 status=0
	shift 2
	dsync-vm check "$@" >check.out || status=$?
	cat check.out
	expect_equal "$status" "$want"
	head -n 1 check.out | grep -q -e "$text" || fail "not '$text'"
	# A line of a plugin: a word, text, numbers behind the only bar.
	head -n 1 check.out | grep -qE '^DSYNC [A-Z]+ - [^|]+( \|( '\''[^'\''=|]+'\''=(U|[0-9]+s;[0-9]+;[0-9]+;0|[0-9]+B;;;0))+)?$'
	expect_equal "$(grep -c '|' check.out)" \
		"$(head -n 1 check.out | grep -c '|' || :)"
}

make_host
make_domain web1
mkdir host/second
check 2 'web1 vd[ab]: was never backed up, and no default target' web1
mkdir -p /etc/dsync-vm
cleanup_fn rm -f /etc/dsync-vm/dsync-vm.conf
cat >/etc/dsync-vm/dsync-vm.conf <<-EOT
[target nas]
location = $repository
[target second]
location = $PWD/host/second
[backup]
target = nas
freeze = no
EOT
check 2 'web1 nas: was never backed up there'
expect_equal "$(of vda '.targets | map(.name) | join(" ")')" nas
expect_equal "$(pending vda nas)" $((64 << 20))

dsync-vm backup -q web1
check 0 '^DSYNC OK - 1 domains, 2 disks'
check 0 'OK' web1 --warning 1h
expect_equal "$(of vda .dirty_bytes) $(pending vda nas)" '0 0'

# What is dirty and pending is counted once.
dummy_write web1 0 0 1M 0x11
expect_equal "$(of vda .dirty_bytes) $(pending vda nas)" '1048576 1048576'
dsync-vm backup -q web1 second
expect_equal "$(of vda .dirty_bytes) $(pending vda nas)" '0 1048576'
expect_equal "$(pending vda second)" 0
dummy_write web1 0 512k 1M 0x12
expect_equal "$(of vda .dirty_bytes) $(pending vda nas)" '1048576 1572864'
expect_equal "$(pending vda second) $(pending vdb second)" '1048576 0'
dsync-vm status
dsync-vm status web1
dsync-vm status | grep -q '^web1 *vda *clean *64.0 MiB *1.0 MiB *nas *2.*Z *[0-9]* s *1.5 MiB$'

# The report of the next backup is what was promised.
backup web1 nas
expect_equal "$(report '.disks[0] | .blocks * .block_bytes')" 1572864

# A guest that has to be frozen and cannot be is not backed up, and nothing is
# forgotten.
dummy_write web1 0 0 64k 0x13
count=$(dsync-vm list web1 nas --output json | jq '.domains[0].points | length')
backup web1 nas --freeze=require
expect_equal "$status" 1
grep -q 'was not frozen, which is required' report.err
expect_equal "$(of vda .open_epoch)" null
expect_equal "$(dsync-vm list web1 nas --output json |
	jq '.domains[0].points | length')" "$count"
expect_equal "$(pending vda nas)" 65536
keep web1 was
backup web1 nas
expect_equal "$(report '.disks[0] | .blocks * .block_bytes')" 65536
expect_point web1 "$(report .point)" was

# Metrics: the same facts, in the format of the collector.
dsync-vm status --prometheus=dsync.prom
cat dsync.prom
python3 -c '
import re, sys
types, seen = {}, []
for line in open("dsync.prom"):
    if line.startswith("# "):
        word, name, rest = re.fullmatch(r"# (HELP|TYPE) (\w+) (.+)\n", line).groups()
        if word == "TYPE":
            assert rest == "gauge" and name not in types, line
            types[name] = rest
        continue
    label = r"\w+=\"(?:[^\"\\\n]|\\[\\\"n])*\""
    name, labels, number = re.fullmatch(
        r"(\w+)(\{%s(?:,%s)*\})? (\d+)\n" % (label, label), line).groups()
    assert name in types and (name, labels) not in seen, line
    assert not seen or seen[-1][0] == name or name not in [s[0] for s in seen], line
    seen.append((name, labels))
assert len(types) >= 9, types'
grep -q '^dsync_vm_pending_bytes{domain="web1",disk="vda",target="second"} 1[0-9]*$' dsync.prom
point=$(of vda '.targets[] | select(.name == "nas").point')
expect_equal "$point" "$(dsync-vm list web1 nas --output json |
	jq -r '.domains[0].points[-1].point')"
grep -q "^dsync_vm_last_point_timestamp_seconds{.*target=\"nas\"} $(date -u +%s \
	-d "${point:0:8} ${point:9:2}:${point:11:2}:${point:13:2}")\$" dsync.prom
expect_equal "$(stat -c %a dsync.prom)" 644

# What a killed backup leaves: a disk that stands still, an epoch.
dmsetup suspend --noflush --nolockfs dsync-web1-vda
check 2 'web1 vda: is suspended and no backup is running'
expect_equal "$(of vda .state)" suspended
dmsetup message dsync-web1-vda 0 epoch_begin "$(cat /proc/sys/kernel/random/uuid)"
dmsetup resume dsync-web1-vda
check 1 'left its epoch open'
# With a backup that has the domain, neither is anything to look at.
exec {lock}>"/run/dsync-vm/$(virsh -q domuuid web1)/backup.lock"
flock -x "$lock"
expect_equal "$(of vda .backup_running)" true
check 0 OK
flock -u "$lock"
backup web1 nas
check 0 OK

# Of a domain that does not run, the newest point is known.
virsh -q destroy web1
wait_until 10 not dmsetup info dsync-web1-vda &>/dev/null
check 0 OK
dsync-vm status | grep -q '^web1 *vda *stopped *- *- *nas *2'

# A point that is too old for somebody.
check 2 'newest point is .* old' --warning 1s --critical 2s

# No answer.
kill -STOP "$(cat /run/libvirtd.pid)"
check 3 'no answer in 2 s' --timeout 2
kill -CONT "$(cat /run/libvirtd.pid)"

# Without the module.
hide_module
check 2 'no module dm-dsync'
virsh -q start web1
check 2 'is not tracked: the module dm-dsync was missing' web1
dsync-vm status web1 | grep -q untracked
