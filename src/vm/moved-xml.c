/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain that moves keeps its devices, whose names are ours; what they stand
 * for over there is in our metadata, which the hook there builds them from.
 */
#include "vm/domain-xml.h"

#include <string.h>

#include "base/err.h"
#include "vm/xml.h"

static int move_disk(xmlDoc *doc, const struct vm_moved_disk *disk,
		     struct err *err)
{
	xmlNode *entry = xml_our_disk(doc, disk->target);
	xmlNode *old = xml_child(entry, "source");
	xmlNode *fresh;

	if (!entry || !old)
		return fail(err, -ENODATA,
			    "%s: its original source is not recorded",
			    disk->target);
	fresh = xmlNewDocNode(doc, NULL, (const xmlChar *)"source", NULL);
	if (!fresh)
		return fail(err, -ENOMEM, "out of memory");
	xml_set(fresh, disk->block ? "dev" : "file", disk->path);
	xmlReplaceNode(old, fresh);
	xmlFreeNode(old);
	xml_set(entry, "type", disk->block ? "block" : "file");
	xml_set(entry, "path", disk->path);
	return 0;
}

int vm_xml_moved(const char *xml, const struct vm_moved_disk disks[],
		 size_t nr_disks, char **ret_xml, struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);
	int r = doc ? 0 : -EINVAL;

	for (size_t i = 0; i < nr_disks && r == 0; i++)
		r = move_disk(doc, &disks[i], err);
	return r < 0 ? r : xml_print(doc, ret_xml, err);
}
