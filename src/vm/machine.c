/* SPDX-License-Identifier: GPL-2.0-or-later */
/* libvirt knows what QEMU offers: asking for its capabilities with a machine
 * that it does not have fails, and says so. */
#include "base/err.h"
#include "vm/dom.h"
#include "vm/xml.h"

int vm_host_check_machine(struct vm_host *host, const char *xml,
			  struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
	xmlNode *os_type = xml_child(xml_child(root, "os"), "type");
	xmlNode *program = xml_child(xml_child(root, "devices"), "emulator");
	_cleanup_free_ char *machine = xml_get(os_type, "machine");
	_cleanup_free_ char *arch = xml_get(os_type, "arch");
	_cleanup_free_ char *type = doc ? xml_get(root, "type") : NULL;
	_cleanup_free_ char *emulator = program ? xml_text(program) : NULL;
	_cleanup_free_ char *found = NULL;

	if (!doc)
		return -EINVAL;
	found = virConnectGetDomainCapabilities(host->connection, emulator,
						arch, machine, type, 0);
	return found ? 0
		     : vm_fail(err, -EOPNOTSUPP,
			       "the domain cannot run over there");
}
