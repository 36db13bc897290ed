# shellcheck shell=sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Domains for libvirt's test driver, which lives in the calling process: each
# command sees them fresh, as the file says. Source after lib.sh.

# shellcheck disable=SC2154 # work is of lib.sh
requires virsh -c test:///default list

# make_disk FILE TARGET [FORMAT]
make_disk()
{
	cat <<-EOF
	<disk type='file' device='disk'>
	  <driver name='qemu' type='${3:-raw}'/>
	  <source file='$work/$1'/>
	  <target dev='$2' bus='virtio'/>
	</disk>
	EOF
}

# make_domain NAME DISKS: running, as all domains of that driver.
make_domain()
{
	cat <<-EOF
	<domain type='test'>
	  <name>$1</name>
	  <uuid>$(cat /proc/sys/kernel/random/uuid)</uuid>
	  <memory>8192</memory>
	  <os><type>hvm</type></os>
	  <devices>$2</devices>
	</domain>
	EOF
}

# make_node DOMAIN...: sets $node, their URI.
make_node()
{
	printf '<node>%s</node>\n' "$*" >node.xml
	# shellcheck disable=SC2034 # for the tests
	node=test://$work/node.xml
}
