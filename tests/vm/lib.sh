# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the tests in the machine share; source it first:
#
#	. "$TOP/tests/vm/lib.sh"
#
# A test starts in an empty directory of its own, as root, with $TOP (the
# sources), $BUILD (the programs), $DISKS (those its header asked for). It
# passes with exit 0, skips with 77 and a reason, and fails with anything
# else; whatever it made must be gone by then, so undo it with cleanup_fn at
# the moment of making it.
set -Eeuo pipefail

# --- ending -------------------------------------------------------------

exec {_stderr}>&2 # fail's words are not to vanish with a silenced command's
fail() {
	echo "FAIL: $*" >&$_stderr
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

# requires COMMAND...: or the test is skipped.
requires() {
	local command
	for command; do
		command -v "$command" >/dev/null || skip "needs $command"
	done
}

# cleanup_fn COMMAND [ARG]...: run at exit, the last one first, whatever fails.
_cleanups=()
cleanup_fn() {
	_cleanups+=("$(printf '%q ' "$@")")
}

_cleanup() {
	local status=$? i
	set +e
	for ((i = ${#_cleanups[@]} - 1; i >= 0; i--)); do
		eval "${_cleanups[i]}"
	done
	exit $status
}
trap _cleanup EXIT
trap 'echo "FAIL: line $LINENO: $BASH_COMMAND" >&2' ERR

# --- asking -------------------------------------------------------------

# Nothing ever comes from here: to wait for that takes no process.
exec {_nothing}<> <(:)
pause() {
	read -r -t "$1" -u $_nothing || :
}

# wait_until SECONDS COMMAND [ARG]...: polls; nothing here sleeps and hopes.
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $deadline ] || fail "gave up waiting for: $*"
		pause 0.1
	done
}

# expect_exit STATUS COMMAND [ARG]...
expect_exit() {
	local want=$1 status=0
	shift
	"$@" || status=$?
	[ $status = "$want" ] || fail "exit $status instead of $want: $*"
}

# expect_equal ACTUAL EXPECTED [WHAT]
expect_equal() {
	[ "$1" = "$2" ] || fail "${3:+$3: }got '$1', expected '$2'"
}

# --- devices ------------------------------------------------------------

# loop_device VAR FILE [SIZE]: a loop device on FILE, made if SIZE is given.
loop_device() {
	local -n _loop=$1
	[ $# -lt 3 ] || truncate -s "$3" "$2"
	_loop=$(losetup --find --show "$2")
	cleanup_fn losetup --detach "$_loop"
}

# dm_create NAME TABLE: a device-mapper device, removed at the end.
dm_create() {
	dmsetup create "$1" --table "$2"
	cleanup_fn dm_remove "$1"
}

# A device is busy for a moment after its last close.
dm_remove() {
	! dmsetup info "$1" &>/dev/null || dmsetup remove --retry "$1"
}

# hide_module, show_module: a kernel that does not have it, and has it again.
hide_module() {
	modprobe -qr dm-dsync || :
	[ ! -e /sys/module/dm_dsync ] || fail 'the module is in use'
	mkdir -p /etc/modprobe.d
	echo 'install dm-dsync /bin/false' >/etc/modprobe.d/hidden.conf
	cleanup_fn show_module
}

show_module() {
	rm -f /etc/modprobe.d/hidden.conf
}

# --- ssh ----------------------------------------------------------------

# make_sshd_user: as sshd's package would, and root can be let in.
make_sshd_user() {
	grep -q ^sshd: /etc/passwd ||
		echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >>/etc/passwd
	# The builder's user may not read it, and without one root is locked out.
	echo 'root:*:1::::::' >/etc/shadow.new
	mv -f /etc/shadow.new /etc/shadow
}

# --- libvirt ------------------------------------------------------------

# What a host would have installed.
install_programs() {
	local program
	for program in dsync-vm dsync-vm-hook; do
		[ ! -x "$BUILD/src/$program" ] || cp "$BUILD/src/$program" /usr/sbin/
	done
	if [ -e "$TOP/hooks/qemu" ]; then
		mkdir -p /etc/libvirt/hooks/qemu.d
		install -m 755 "$TOP/hooks/qemu" /etc/libvirt/hooks/qemu.d/dsync-vm
	fi
}

# The kernel patches its scheduler when the first KVM guest comes and when the
# last one goes, and QEMU before 8.1 may go on running the breakpoint that it
# sets meanwhile: the processor takes it for ever, and the machine falls silent.
# So there is a guest, an empty one, from the first test's to the machine's end.
keep_kvm() {
	[ ! -e /run/kept-kvm ] || return 0
	setsid python3 -c '
import fcntl, os, signal
KVM_CREATE_VM = 0xae01
guest = fcntl.ioctl(os.open("/dev/kvm", os.O_RDWR), KVM_CREATE_VM, 0)
open("/run/kept-kvm", "w").close()
signal.pause()' </dev/null >/dev/null 2>&1 &
	# Not one of the test's processes, which are killed at its end.
	echo $! >/sys/fs/cgroup/cgroup.procs
	wait_until 60 [ -e /run/kept-kvm ]
}

# Guests run by KVM wherever it works. It does so in an emulated machine:
# QEMU emulates AMD's SVM too, and a guest below that is emulated once, not
# twice, which makes it ten times as fast.
domain_type() {
	modprobe -q kvm-amd 2>/dev/null || modprobe -q kvm-intel 2>/dev/null || :
	if [ -w /dev/kvm ]; then
		echo kvm
	else
		echo qemu
	fi
}

# $NAMESPACES: of QEMU, as in qemu.conf. libvirt's default is a /dev of its own,
# which costs an emulated machine some seconds.
start_libvirtd() {
	requires libvirtd virsh
	mkdir -p /etc/libvirt /var/log/libvirt/qemu
	cat >/etc/libvirt/qemu.conf <<-EOF
	user = "root"
	group = "root"
	security_driver = "none"
	stdio_handler = "file"
	namespaces = ${NAMESPACES-[]}
	cgroup_controllers = []
	EOF
	echo "log_outputs = \"3:file:/run/libvirtd.log\"" \
		>/etc/libvirt/libvirtd.conf
	# libvirt looks its usual user up even where another one is configured.
	getent passwd libvirt-qemu >/dev/null ||
		echo libvirt-qemu:x:64055:0::/:/bin/false >>/etc/passwd
	getent group libvirt-qemu >/dev/null ||
		echo libvirt-qemu:x:64055: >>/etc/group
	install_programs
	domain_type >/run/domain-type
	[ "$(cat /run/domain-type)" != kvm ] || keep_kvm
	libvirtd --daemon --pid-file /run/libvirtd.pid
	cleanup_fn stop_libvirtd
	wait_until 60 virsh -q list >/dev/null 2>&1
}

# What it says at any rate, on a host as bare as this
libvirtd_noise='tainted|version:|hostname:|virCgroupDetect|virGDBus|dnsmasq|DBus'
libvirtd_noise+='|virSecurityManagerNew|agent is not connected'

# What it had to say is of use only if the test fails.
stop_libvirtd() {
	local domain pid
	[ "${status:-0}" = 0 ] || grep -vE "$libvirtd_noise" /run/libvirtd.log |
		sed 's/^/libvirtd: /'
	rm /run/libvirtd.log
	for domain in $(virsh -q list --name); do
		virsh -q destroy "$domain"
	done
	pid=$(cat /run/libvirtd.pid)
	kill "$pid"
	wait_until 30 not kill -0 "$pid" 2>/dev/null
}

not() {
	! "$@"
}

# disk_xml PATH TARGET
disk_xml() {
	local type=file attribute=file cache="cache='none' io='native'"
	if [ -b "$1" ]; then
		type=block attribute=dev
	elif [ "$(stat -Lf -c %T "$1")" = tmpfs ]; then
		cache='' # direct I/O is beyond the tmpfs of older kernels
	fi
	cat <<-EOF
	<disk type='$type' device='disk'>
	  <driver name='qemu' type='raw' $cache discard='unmap'/>
	  <source $attribute='$1'/>
	  <target dev='$2' bus='virtio'/>
	</disk>
	EOF
}

# domain_xml NAME MEMORY-MB OS-XML DISK...
domain_xml() {
	local name=$1 memory=$2 os=$3 disk letters=abcdefgh i=0
	shift 3
	cat <<-EOF
	<domain type='$(cat /run/domain-type)'>
	  <name>$name</name>
	  <memory unit='MiB'>$memory</memory>
	  <vcpu>1</vcpu>
	  <os><type arch='x86_64' machine='pc'>hvm</type>$os</os>
	  <features><acpi/><apic/></features>
	  $([ "$(cat /run/domain-type)" != kvm ] || echo "<cpu mode='host-passthrough'/>")
	  <clock offset='utc'><timer name='hpet' present='no'/></clock>
	  <on_reboot>destroy</on_reboot>
	  <devices>
	    $(for disk; do disk_xml "$disk" "vd${letters:i++:1}"; done)
	    <controller type='usb' model='none'/>
	    <memballoon model='none'/>
	    <serial type='file'><source path='$PWD/$name.console'/></serial>
	    <channel type='unix'>
	      <target type='virtio' name='org.qemu.guest_agent.0'/>
	    </channel>
	  </devices>
	</domain>
	EOF
}

# define_guest NAME DISK...: a domain that boots and answers by its agent.
# It mounts an ext4 found on its Nth disk at /mnt/vdX.
define_guest() {
	local args name=$1
	shift
	args='console=ttyS0 quiet panic=-1 nokaslr norandmaps mitigations=off'
	args+=' tsc=reliable no_timer_check random.trust_cpu=on i8042.noaux'
	args+=' i8042.nokbd 8250.nr_uarts=1 audit=0 apparmor=0 acpiphp.disable=1'
	domain_xml "$name" 128 "<kernel>$GUEST_KERNEL</kernel>
		<initrd>$GUEST_INITRD</initrd><cmdline>$args</cmdline>" "$@" \
		>"$name.xml"
	virsh -q define "$name.xml"
	cleanup_fn undefine "$name"
	cleanup_fn show_console "$name"
}

# show_console NAME: how far a guest came, if the test fails
show_console() {
	[ "${status:-0}" = 0 ] || tail -n 20 "$1.console" | sed "s/^/$1: /"
}

# define_dummy NAME DISK...: a domain without any system in it, for tests
# that need a QEMU process only. It starts at once.
define_dummy() {
	local name=$1
	shift
	domain_xml "$name" 16 "<boot dev='network'/>" "$@" >"$name.xml"
	virsh -q define "$name.xml"
	cleanup_fn undefine "$name"
}

undefine() {
	! virsh -q domstate "$1" 2>/dev/null | grep -qE 'running|paused' ||
		virsh -q destroy "$1"
	virsh -q undefine "$1" --nvram --managed-save
}

# dummy_disk INDEX: what QEMU calls it.
dummy_disk() {
	echo "/machine/peripheral/virtio-disk$1/virtio-backend"
}

# dummy_io DOMAIN INDEX COMMAND: a qemu-io command on its INDEXth disk (from
# 0), through QEMU's own block layer as a guest's requests would go.
dummy_io() {
	local out
	out=$(virsh -q qemu-monitor-command --hmp "$1" \
		"qemu-io -d $(dummy_disk "$2") \"$3\"")
	# qemu-io fails with a message and exit 0.
	[[ $out != *[Ee]rror* && $out != *failed* ]] || fail "$3: $out"
	echo "$out"
}

# dummy_write DOMAIN INDEX OFFSET LENGTH PATTERN
dummy_write() {
	dummy_io "$1" "$2" "write -P $5 $3 $4" >/dev/null
}

agent() {
	virsh -q qemu-agent-command "$1" "$2"
}

guest_wait_agent() {
	wait_until "${2:-180}" agent "$1" '{"execute":"guest-ping"}' \
		>/dev/null 2>&1
}

# guest_sh DOMAIN COMMAND: prints its output, returns its exit.
guest_sh() {
	local request pid reply
	request=$(jq -nc --arg c "$2" '{execute: "guest-exec", arguments:
		{path: "/bin/sh", arg: ["-c", $c], "capture-output": true}}')
	pid=$(agent "$1" "$request" | jq .return.pid)
	request="{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":$pid}}"
	until reply=$(agent "$1" "$request") && jq -e .return.exited \
		<<<"$reply" >/dev/null; do
		pause 0.1
	done
	jq -r '.return["out-data"] // ""' <<<"$reply" | base64 -d
	jq -r '.return["err-data"] // ""' <<<"$reply" | base64 -d >&2
	return "$(jq '.return.exitcode // 1' <<<"$reply")"
}
