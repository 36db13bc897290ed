# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# virtnbdbackup wants a running domain on qcow2.  This is one, of a libvirtd of
# the user's own (root becomes another user for it): it stands still at its first
# instruction, and its disk changes through an NBD export of its QEMU, which sets
# the bits of QEMU's bitmaps as a guest's writes do.  For backup.sh.

guest= # the directory that has all of it

# as_guest COMMAND...: as the user of that libvirtd.
as_guest() {
	local as=()
	[ "$(id -u)" != 0 ] ||
		as=(unshare --user --map-user=1000 --map-group=1000)
	"${as[@]}" env HOME="$guest/home" XDG_RUNTIME_DIR="$guest/run" \
		LIBVIRT_DEFAULT_URI=qemu:///session "$@"
}

monitor() { as_guest virsh --quiet qemu-monitor-command peer "$@" >/dev/null; }

# start_guest DIRECTORY RAW: a guest whose disk has RAW's content.
start_guest() {
	guest=$1
	mkdir -p "$guest/home" "$guest/run"
	qemu-img convert -O qcow2 "$2" "$guest/disk.qcow2"
	cat >"$guest/peer.xml" <<-END
		<domain type='qemu'
		    xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
		  <name>peer</name>
		  <memory unit='MiB'>64</memory>
		  <os><type arch='x86_64' machine='pc'>hvm</type></os>
		  <devices>
		    <disk type='file' device='disk'>
		      <driver name='qemu' type='qcow2' cache='writeback'/>
		      <source file='$guest/disk.qcow2'/>
		      <target dev='vda' bus='virtio'/>
		    </disk>
		  </devices>
		  <qemu:override>
		    <qemu:device alias='virtio-disk0'>
		      <qemu:frontend>
		        <qemu:property name='share-rw' type='bool' value='true'/>
		      </qemu:frontend>
		    </qemu:device>
		  </qemu:override>
		</domain>
	END
	as_guest libvirtd --daemon --pid-file "$guest/libvirtd.pid"
	as_guest virsh --quiet define "$guest/peer.xml"
	as_guest virsh --quiet start peer --paused
	backup_guest full >/dev/null
}

# backup_guest LEVEL: what is measured.  Its points are kept.
backup_guest() {
	as_guest virtnbdbackup --uri qemu:///session --domain peer --level "$1" \
		--output "$guest/points" --scratchdir "$guest" \
		--socketfile "$guest/run/backup" --noprogress 2>&1
	sync -f "$guest/points"
}

# write_guest SOURCE MAP: brings what the map names into the guest's disk.
write_guest() {
	monitor '{"execute": "nbd-server-start", "arguments": {"addr":
		{"type": "unix", "data": {"path": "'"$guest"'/socket"}}}}'
	monitor '{"execute": "block-export-add", "arguments":
		{"type": "nbd", "id": "disk", "name": "disk", "writable": true,
		"node-name": "libvirt-1-format"}}'
	"$DSYNC_VM" ship -q --map="$2" "$1" \
		"nbd+unix:///disk?socket=$guest/socket"
	monitor '{"execute": "nbd-server-stop"}'
}

# What its QEMU and libvirtd have cost so far: CPU seconds, bytes read.
guest_costs() {
	local pid
	for pid in "$guest/libvirtd.pid" "$guest/run/libvirt/qemu/run/peer.pid"; do
		pid=$(cat "$pid")
		sed 's/.*) /ticks /' "/proc/$pid/stat"
		cat "/proc/$pid/io"
	done | awk -v hz="$(getconf CLK_TCK)" '
		/^ticks/ {cpu += ($13 + $14) / hz}
		/^read_bytes/ {bytes += $2}
		END {print cpu, bytes}'
}

stop_guest() {
	[ -n "$guest" ] || return 0
	as_guest virsh --quiet destroy peer || true
	kill "$(cat "$guest/libvirtd.pid")" || true
	rm -rf "$guest"
	guest=
}
