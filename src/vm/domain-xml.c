/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a domain.  What decides whether a disk can be tracked is listed once,
 * in obstacle(); each answer says why and what can be done.
 */
#include "vm/domain-xml.h"

#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "vm/xml.h"

static void disk_clear(struct vm_disk *disk)
{
	free(disk->target);
	free(disk->device);
	free(disk->type);
	free(disk->format);
	free(disk->path);
	free(disk->pool);
	free(disk->volume);
	free(disk->original_type);
	free(disk->original_path);
	free(disk->reason);
}

void vm_domain_free(struct vm_domain *domain)
{
	if (!domain)
		return;
	for (size_t i = 0; i < domain->nr_disks; i++)
		disk_clear(&domain->disks[i]);
	free(domain->disks);
	free(domain->name);
	free(domain->nvram);
	free(domain);
}

struct vm_disk *vm_domain_disk(const struct vm_domain *domain,
			       const char *target)
{
	for (size_t i = 0; i < domain->nr_disks; i++)
		if (strcmp(domain->disks[i].target, target) == 0)
			return &domain->disks[i];
	return NULL;
}

static const char *type_obstacle(const char *type)
{
	static const struct {
		const char *type, *text;
	} refused[] = {
		{"network", "a network disk: only disks of this host are "
			    "tracked; back it up where it is stored"},
		{"vhostuser", "vhost-user: its data does not pass this kernel; "
			      "use a block device or a raw file"},
		{"vhostvdpa", "vDPA: its data does not pass this kernel; "
			      "use a block device or a raw file"},
		{"nvme", "an NVMe controller given to the guest: use its block "
			 "device (type='block') instead"},
		{"dir", "a directory shown as a disk: use a raw file"},
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		if (strcmp(type, refused[i].type) == 0)
			return refused[i].text;
	if (strcmp(type, "block") == 0 || strcmp(type, "file") == 0 ||
	    strcmp(type, "volume") == 0)
		return NULL;
	return "a type of disk that is not known here";
}

/* Why the disk can not be tracked, as far as its XML tells; NULL: it can. */
static const char *obstacle(const xmlNode *node, const struct vm_disk *disk)
{
	const xmlNode *source = xml_child(node, "source");

	if (strcmp(disk->device, "lun") == 0)
		return "device='lun': SCSI commands bypass the tracker; use "
		       "device='disk'";
	if (strcmp(disk->device, "disk") != 0)
		return source ? "a removable medium: not tracked"
			      : "an empty drive";
	if (!source)
		return "no source";
	if (disk->readonly)
		return "read-only: it does not change";
	if (type_obstacle(disk->type))
		return type_obstacle(disk->type);
	if (strcmp(disk->format, "raw") != 0)
		return "not raw: only raw disks are tracked; convert it with "
		       "'qemu-img convert -O raw'";
	if (xml_child(node, "shareable"))
		return "shareable: another host may write to it unseen; "
		       "remove <shareable/> if none does";
	if (xml_child(node, "transient"))
		return "transient: its changes are thrown away; remove "
		       "<transient/>";
	if (xml_child(source, "slices"))
		return "a slice of an image: give the guest the whole image, "
		       "or a device of its own";
	if (!disk->path && strcmp(disk->type, "volume") != 0)
		return "no source";
	if (disk_name_of_path(disk->path))
		return "its source is a device of dsync-vm, but what it stands "
		       "for is not recorded; 'dsync-vm detach' restores it";
	return NULL;
}

/* What our metadata says about the disk. */
static void read_record(const xmlNode *record, struct vm_disk *disk)
{
	_cleanup_free_ char *name = xml_get(record, "name");
	const char *current = disk_name_of_path(disk->path);

	disk->original_type = xml_get(record, "type");
	disk->original_path = xml_get(record, "path");
	disk->tracked = current && name && strcmp(name, current) == 0 &&
			disk->original_type && disk->original_path &&
			strcmp(disk->type, "block") == 0;
}

static int read_disk(const xmlNode *node, xmlDoc *doc, struct vm_disk *disk)
{
	const xmlNode *source = xml_child(node, "source");
	const xmlNode *record;
	const char *name, *reason;

	disk->target = xml_disk_target(node);
	disk->type = xml_get(node, "type");
	disk->device = xml_get(node, "device");
	disk->format = xml_get(xml_child(node, "driver"), "type");
	if (!disk->type)
		disk->type = strdup("file");
	if (!disk->device)
		disk->device = strdup("disk");
	if (!disk->format)
		disk->format = strdup("raw");
	if (!disk->target || !disk->type || !disk->device || !disk->format)
		return disk->target ? -ENOMEM : -EINVAL;
	disk->path = xml_source_path(source, disk->type);
	disk->pool = xml_get(source, "pool");
	disk->volume = xml_get(source, "volume");
	disk->readonly = xml_child(node, "readonly");
	disk->block_job = xml_child(node, "mirror");
	name = disk_name_of_path(disk->path);
	if (name)
		snprintf(disk->name, sizeof(disk->name), "%s", name);
	record = xml_our_disk(doc, disk->target);
	if (record)
		read_record(record, disk);
	reason = disk->tracked ? NULL : obstacle(node, disk);
	if (reason)
		disk->reason = strdup(reason);
	return reason && !disk->reason ? -ENOMEM : 0;
}

/* Of two disks with one target nobody could say which is meant. */
static int check_target(const struct vm_domain *domain,
			const struct vm_disk *disk, struct err *err)
{
	if (vm_domain_disk(domain, disk->target) == disk)
		return 0;
	return fail(err, -EINVAL, "domain XML: two disks with the target %s",
		    disk->target);
}

static int read_disks(xmlDoc *doc, struct vm_domain *domain, struct err *err)
{
	size_t count = 0;

	for (xmlNode *n = xml_first_disk(doc); n; n = xml_next(n))
		count++;
	domain->disks = calloc(count + 1, sizeof(*domain->disks));
	if (!domain->disks)
		return fail(err, -ENOMEM, "domain XML: out of memory");
	for (xmlNode *n = xml_first_disk(doc); n; n = xml_next(n)) {
		struct vm_disk *disk = &domain->disks[domain->nr_disks++];
		int r = read_disk(n, doc, disk);

		if (r == -EINVAL)
			return fail(err, r,
				    "domain XML, line %ld: a disk without "
				    "target",
				    xmlGetLineNo(n));
		if (r < 0)
			return fail(err, r, "domain XML: out of memory");
		r = check_target(domain, disk, err);
		if (r < 0)
			return r;
		domain->nr_tracked += disk->tracked;
	}
	return 0;
}

static bool has_agent_channel(xmlDoc *doc)
{
	const xmlNode *root = xmlDocGetRootElement(doc);
	const xmlNode *channel =
		xml_child(xml_child(root, "devices"), "channel");

	for (; channel; channel = xml_next(channel))
		if (xml_is(xml_child(channel, "target"), "name",
			   "org.qemu.guest_agent.0"))
			return true;
	return false;
}

static int read_identity(xmlDoc *doc, struct vm_domain *domain, struct err *err)
{
	const xmlNode *root = xmlDocGetRootElement(doc);
	_cleanup_free_ char *uuid = xml_text(xml_child(root, "uuid"));

	domain->name = xml_text(xml_child(root, "name"));
	if (!domain->name || !domain->name[0])
		return fail(err, -EINVAL, "domain XML: no <name>");
	if (!uuid || !uuid_valid(uuid))
		return fail(err, -EINVAL, "domain XML: no valid <uuid>");
	memcpy(domain->uuid, uuid, UUID_SIZE);
	domain->nvram = xml_text(xml_child(xml_child(root, "os"), "nvram"));
	domain->has_metadata = xml_our_domain(doc);
	domain->has_agent_channel = has_agent_channel(doc);
	return 0;
}

int vm_domain_parse(const char *xml, struct vm_domain **ret_domain,
		    struct err *err)
{
	_cleanup_doc_ xmlDoc *doc = xml_parse(xml, "domain", err);
	_cleanup_vm_domain_ struct vm_domain *domain =
		calloc(1, sizeof(*domain));
	int r;

	if (!doc)
		return -EINVAL;
	if (!domain)
		return fail(err, -ENOMEM, "domain XML: out of memory");
	r = read_identity(doc, domain, err);
	if (r == 0)
		r = read_disks(doc, domain, err);
	if (r < 0)
		return r;
	*ret_domain = TAKE_PTR(domain);
	return 0;
}
