/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A restored domain must be able to run beside the one it came from, so all
 * that may exist only once goes: uuid, MAC addresses, the path of the
 * UEFI variables.  libvirt makes new ones.
 */
#include "vm/domain-xml.h"

#include <string.h>

#include "base/err.h"
#include "vm/xml.h"

static const struct vm_restored_disk *
find_restored(const struct vm_restored *restored, const char *target)
{
	for (size_t i = 0; target && i < restored->nr_disks; i++)
		if (strcmp(restored->disks[i].target, target) == 0)
			return &restored->disks[i];
	return NULL;
}

static xmlNode *make_child(xmlNode *parent, const char *name)
{
	xmlNode *child = xml_child(parent, name);

	if (!child) {
		child = xmlNewDocNode(parent->doc, NULL, (const xmlChar *)name,
				      NULL);
		xml_add_line(parent, child);
	}
	return child;
}

/* A <source> in the place of the old one; only encryption is the content's. */
static xmlNode *renew_source(xmlNode *node)
{
	xmlNode *old = xml_child(node, "source");
	xmlNode *encryption = xml_child(old, "encryption");
	xmlNode *fresh;

	if (!old)
		return make_child(node, "source");
	fresh = xmlNewDocNode(node->doc, NULL, (const xmlChar *)"source", NULL);
	xmlReplaceNode(old, fresh);
	if (encryption) {
		xmlUnlinkNode(encryption);
		xml_add_line(fresh, encryption);
	}
	xmlFreeNode(old);
	return fresh;
}

static void point_at(xmlNode *node, const struct vm_restored_disk *disk)
{
	xmlNode *source = renew_source(node);
	xmlNode *chain = xml_child(node, "backingStore");

	if (chain)
		xml_remove_line(chain);
	xml_set(source, disk->block ? "dev" : "file", disk->path);
	xml_set(node, "type", disk->block ? "block" : "file");
	xml_set(make_child(node, "driver"), "type", disk->format);
}

static bool keeps_its_source(const xmlNode *node)
{
	return xml_is(node, "device", "cdrom") ||
	       xml_is(node, "device", "floppy") || xml_child(node, "readonly");
}

static void edit_disks(xmlDoc *doc, const struct vm_restored *restored)
{
	xmlNode *next;

	for (xmlNode *n = xml_first_disk(doc); n; n = next) {
		_cleanup_free_ char *target = xml_disk_target(n);
		const struct vm_restored_disk *disk =
			find_restored(restored, target);

		next = xml_next(n);
		if (disk)
			point_at(n, disk);
		else if (!keeps_its_source(n))
			xml_remove_line(n);
	}
}

static void strip_macs(xmlNode *root)
{
	xmlNode *n = xml_child(xml_child(root, "devices"), "interface");

	for (; n; n = xml_next(n)) {
		xmlNode *mac = xml_child(n, "mac");

		if (mac)
			xml_remove_line(mac);
	}
}

static void edit_nvram(xmlNode *root, const char *path)
{
	xmlNode *nvram = xml_child(xml_child(root, "os"), "nvram");

	if (!nvram)
		return;
	if (path)
		xml_set_text(nvram, path);
	else if (xml_child(nvram, "source"))
		xml_remove_line(nvram);
	else
		xml_set_text(nvram, "");
}

int vm_xml_restored(const char *xml, const struct vm_restored *restored,
		    char **ret_xml, struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);
	xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
	xmlNode *uuid = xml_child(root, "uuid");
	xmlNode *ours = doc ? xml_our_domain(doc) : NULL;

	if (!doc)
		return -EINVAL;
	xml_set(root, "id", NULL);
	if (uuid)
		xml_remove_line(uuid);
	if (ours)
		xml_remove_line(ours);
	if (restored->name)
		xml_set_text(make_child(root, "name"), restored->name);
	edit_nvram(root, restored->nvram);
	edit_disks(doc, restored);
	strip_macs(root);
	return xml_print(doc, ret_xml, err);
}
