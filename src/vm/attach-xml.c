/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two edits that attach and detach are.
 *
 *	<disk type='file'>                  <disk type='block'>
 *	  <source file='/x.img'> ─ attach ►   <source dev='/dev/mapper/dsync-..'>
 *
 *	<metadata>
 *	  <dsync:domain xmlns:dsync="urn:dsync-vm:1">
 *	    <dsync:disk target="vda" name="dsync-.." type="file" path="/x.img">
 *	      <source file="/x.img"/>         the original, whole
 *
 * path is what the device is built on; it differs from the original source
 * only for a volume, which the hook could not resolve.  The new source keeps
 * what belongs to whoever opens it (security labels, encryption) and loses
 * what belongs to the old type.
 */
#include "vm/domain-xml.h"

#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "vm/xml.h"

static const char *const source_attributes[] = {
	"file",   "dev",  "dir",           "pool",
	"volume", "mode", "startupPolicy", "index",
};

static xmlNode *new_ours(xmlDoc *doc, const xmlNode *domain, const char *name)
{
	xmlNs *ns = domain ? domain->ns : NULL;

	return xmlNewDocNode(doc, ns, (const xmlChar *)name, NULL);
}

/* Our element in <metadata>; both are made if missing. */
static xmlNode *make_our_domain(xmlDoc *doc)
{
	xmlNode *root = xmlDocGetRootElement(doc);
	xmlNode *metadata = xml_child(root, "metadata");
	xmlNode *ours = xml_our_domain(doc);

	if (ours)
		return ours;
	if (!metadata) {
		metadata = xmlNewDocNode(doc, NULL, (const xmlChar *)"metadata",
					 NULL);
		xml_add_line(root, metadata);
	}
	ours = new_ours(doc, NULL, "domain");
	xmlSetNs(ours, xmlNewNs(ours, (const xmlChar *)XML_OURS_HREF,
				(const xmlChar *)XML_OURS_PREFIX));
	xml_add_line(metadata, ours);
	return ours;
}

/* Records a disk as it is now. What is recorded of it already is replaced. */
static void record(xmlDoc *doc, const xmlNode *node, const struct vm_disk *disk)
{
	xmlNode *ours = make_our_domain(doc);
	xmlNode *entry = new_ours(doc, ours, "disk");
	xmlNode *old;

	while ((old = xml_our_disk(doc, disk->target)))
		xml_remove_line(old);
	xml_set(entry, "target", disk->target);
	xml_set(entry, "name", disk->name);
	xml_set(entry, "type", disk->type);
	xml_set(entry, "path", disk->path);
	xml_add_line(ours, entry);
	xml_add_line(entry, xmlDocCopyNode(xml_child(node, "source"), doc, 1));
}

static void point_at_device(xmlNode *node, const char *device)
{
	xmlNode *source = xml_child(node, "source");

	for (size_t i = 0; i < sizeof(source_attributes) / sizeof(char *); i++)
		xml_set(source, source_attributes[i], NULL);
	xml_set(source, "dev", device);
	xml_set(node, "type", "block");
}

static int attach_disk(xmlDoc *doc, xmlNode *node, const struct vm_disk *disk,
		       struct err *err)
{
	char device[sizeof(PLACE_MAPPER) + DISK_NAME_SIZE];

	if (disk->reason || disk->tracked || !disk->path || !disk->name[0])
		return fail(err, -EOPNOTSUPP, "%s: %s", disk->target,
			    disk->reason ? disk->reason : "cannot be attached");
	stpcpy(stpcpy(device, PLACE_MAPPER), disk->name);
	record(doc, node, disk);
	point_at_device(node, device);
	return 0;
}

int vm_xml_attach(const char *xml, const struct vm_domain *domain,
		  char **ret_xml, struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);

	if (!doc)
		return -EINVAL;
	for (xmlNode *n = xml_first_disk(doc); n; n = xml_next(n)) {
		_cleanup_free_ char *target = xml_disk_target(n);
		const struct vm_disk *disk =
			target ? vm_domain_disk(domain, target) : NULL;
		int r = 0;

		if (disk && disk->selected)
			r = attach_disk(doc, n, disk, err);
		if (r < 0)
			return r;
	}
	return xml_print(doc, ret_xml, err);
}

/* Takes our element out, and <metadata> if that was all in it. */
static void remove_record(xmlDoc *doc)
{
	xmlNode *ours = xml_our_domain(doc);
	xmlNode *metadata = ours ? ours->parent : NULL;

	if (!ours)
		return;
	xml_remove_line(ours);
	for (xmlNode *n = metadata->children; n; n = n->next)
		if (n->type != XML_TEXT_NODE || !xmlIsBlankNode(n))
			return;
	xml_remove_line(metadata);
}

static int detach_disk(xmlDoc *doc, xmlNode *node, const struct vm_disk *disk,
		       struct err *err)
{
	xmlNode *now = xml_child(node, "source");
	xmlNode *entry = xml_our_disk(doc, disk->target);
	xmlNode *original = xml_child(entry, "source");

	if (!original)
		return fail(err, -ENODATA,
			    "%s: its original source is not recorded",
			    disk->target);
	xmlReplaceNode(now, xmlDocCopyNode(original, doc, 1));
	xmlFreeNode(now);
	xml_set(node, "type", disk->original_type);
	return 0;
}

static int detach_disks(xmlDoc *doc, const struct vm_domain *domain,
			struct err *err)
{
	for (xmlNode *n = xml_first_disk(doc); n; n = xml_next(n)) {
		_cleanup_free_ char *target = xml_disk_target(n);
		const struct vm_disk *disk = vm_domain_disk(domain, target);
		int r = 0;

		if (disk->tracked)
			r = detach_disk(doc, n, disk, err);
		else if (disk->name[0])
			r = fail(err, -ENODATA,
				 "%s: nothing records what %s stands for; set "
				 "its source by 'virsh edit'",
				 disk->target, disk->name);
		if (r < 0)
			return r;
	}
	return 0;
}

int vm_xml_detach(const char *xml, char **ret_xml, struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	int r = doc ? vm_domain_parse(xml, &domain, err) : -EINVAL;

	if (r < 0)
		return r;
	r = detach_disks(doc, domain, err);
	if (r < 0)
		return r;
	if (!domain->has_metadata)
		return fail(err, -ENOENT, "%s: not attached", domain->name);
	remove_record(doc);
	return xml_print(doc, ret_xml, err);
}

int vm_xml_record(const char *xml, char **ret_record, struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);
	_cleanup_doc_ xmlDoc *alone = xmlNewDoc(NULL);
	const xmlNode *ours = doc ? xml_our_domain(doc) : NULL;
	xmlNode *copy;

	if (!doc)
		return -EINVAL;
	if (!ours)
		return fail(err, -ENOENT, "domain XML: no metadata of ours");
	copy = alone ? xmlDocCopyNode((xmlNode *)ours, alone, 1) : NULL;
	if (!copy)
		return fail(err, -ENOMEM, "domain XML: out of memory");
	xmlDocSetRootElement(alone, copy);
	return xml_print(alone, ret_record, err);
}

int vm_xml_recover(const char *xml, const char *record_text, char **ret_xml,
		   struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);
	_cleanup_doc_ xmlDoc *saved = xml_parse(record_text, "domain", err);
	xmlNode *ours, *replaced;

	if (!doc || !saved)
		return -EINVAL;
	if (!xml_our_domain(doc)) {
		replaced = make_our_domain(doc);
		ours = xmlDocCopyNode(xmlDocGetRootElement(saved), doc, 1);
		xmlReplaceNode(replaced, ours);
		xmlFreeNode(replaced);
	}
	return xml_print(doc, ret_xml, err);
}

int vm_xml_normal(const char *xml, char **ret_xml, struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);

	if (!doc)
		return -EINVAL;
	return xml_print(doc, ret_xml, err);
}
