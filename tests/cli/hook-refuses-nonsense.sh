#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The hook refuses cut-off, empty and endless XML in one line at prepare, lets
# it pass at reconnect (libvirtd would kill the VM), and does not mind domains
# and operations that are none of its business.
. "$(dirname "$0")/lib.sh"

hook=$(dirname "$DSYNC_VM")/dsync-vm-hook
cat >plain.xml <<-EOF
<domain type='qemu'>
  <name>plain</name>
  <uuid>2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e01</uuid>
  <devices><disk type='block'><source dev='/dev/vg/plain'/>
  <target dev='vda'/></disk></devices>
</domain>
EOF
sed 's|/dev/vg/plain|/dev/mapper/dsync-plain-vda|' plain.xml >ours.xml
head -c 150 ours.xml >cut.xml
: >empty.xml
head -c 20M /dev/zero | tr '\0' x >endless.xml

# hooked CODE OPERATION FILE
hooked()
{
	got=0
	"$hook" plain "$2" begin - <"$3" >out 2>err || got=$?
	[ $got = "$1" ] || failed "$2 <$3: $got, not $1: $(cat err)"
	[ ! -s out ] || failed "libvirt would take this for XML: $(cat out)"
}

for file in cut empty endless; do
	for operation in prepare release migrate; do
		hooked 1 $operation $file.xml
		says "dsync-vm-hook: plain: $operation: "
	done
	hooked 0 reconnect $file.xml
	says 'dsync-vm-hook: plain: reconnect: '
	hooked 0 started $file.xml
done
for operation in prepare start started stopped release reconnect migrate \
	restore attach; do
	hooked 0 $operation plain.xml
	[ ! -s err ] || failed "$(cat err)"
done

# A disk of ours from another host; one that nothing is recorded about.
hooked 1 migrate ours.xml
says 'is tracked by dsync-vm'
hooked 1 prepare ours.xml
says 'not recorded'
hooked 0 reconnect ours.xml
# However its path is spelt in XML.
sed 's|/dsync-plain|/\&#x64;sync-plain|' ours.xml >spelt.xml
hooked 1 migrate spelt.xml
says 'is tracked by dsync-vm'
expect 2 "$hook"

# libvirt's pipe has the XML bit by bit.
{
	echo '<!--'
	head -c 8M /dev/zero | tr '\0' x
	echo '-->'
	cat plain.xml
} | "$hook" plain prepare begin - 2>err || failed "by a pipe: $(cat err)"
