#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# libvirtd's status file has the agent's timeout, which no call of libvirt
# gives: it is what the freeze of a backup puts back.
# timeout: 600
. "$TOP/tests/vm/lib.sh"

start_libvirtd
truncate -s 1M a.raw
define_dummy web "$PWD/a.raw"
virsh -q start web
status=/run/libvirt/qemu/web.xml
grep '<agentTimeout>-2<' "$status"
virsh -q guest-agent-timeout web --timeout 7
grep '<agentTimeout>7<' "$status"
