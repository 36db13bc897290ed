/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a point says of itself: the domain, its disks, those left out. */
#include <string.h>

#include "base/io.h"
#include "job/backup-parts.h"

enum consistency backup_consistency(const struct backup *backup)
{
	if (!backup->session->state.active)
		return CONSISTENCY_OFFLINE;
	if (!session_is_tracked(backup->session))
		return CONSISTENCY_TORN;
	return backup->held.instant.frozen ? CONSISTENCY_FROZEN
					   : CONSISTENCY_CRASH;
}

int backup_describe_disk(struct backup *backup, struct manifest *manifest,
			 size_t i, const char *backing, struct err *err)
{
	const struct backup_disk *report = &backup->report->disks[i];
	struct manifest_disk *disk =
		manifest_add_disk(manifest, report->target);

	if (!disk)
		return fail(err, -ENOMEM, "out of memory");
	disk->size_bytes = report->size_bytes;
	disk->block_bytes = report->block_bytes;
	disk->full = report->full;
	disk->blocks_changed = report->blocks;
	disk->bytes_sent = report->sent_bytes;
	disk->zero_bytes = report->zero_bytes;
	memcpy(disk->backing, backing, POINT_SIZE);
	memcpy(disk->epoch, backup->held.instant.epoch, UUID_SIZE);
	return 0;
}

static int describe_left_out(struct backup *backup, struct manifest *manifest)
{
	const struct vm_domain *domain = backup->session->domain;
	int r = 0;

	for (size_t i = 0; i < domain->nr_disks && r == 0; i++) {
		const struct vm_disk *disk = &domain->disks[i];

		if (disk->tracked || disk->readonly ||
		    strcmp(disk->device, "cdrom") == 0 ||
		    strcmp(disk->device, "floppy") == 0)
			continue;
		ui_warn(backup->ui, "%s: %s is left out: %s", domain->name,
			disk->target,
			disk->reason ? disk->reason
				     : "it is not attached; run "
				       "'dsync-vm attach'");
		r = manifest_add_left_out(manifest, disk->target,
					  disk->reason ? disk->reason
						       : "not attached");
	}
	return r;
}

static int read_nvram(struct backup *backup, struct manifest *manifest,
		      struct err *err)
{
	const char *path = backup->session->domain->nvram;
	char *content;
	int r;

	if (!path || access(path, F_OK) < 0)
		return 0;
	r = io_read_file(path, MANIFEST_MAX_BYTES / 2, &content,
			 &manifest->nvram_bytes, err);
	if (r == 0)
		manifest->nvram = (uint8_t *)content;
	return r;
}

/* The domain as it was at the cut: taken before the disks are shipped. */
int backup_describe_domain(struct backup *backup, struct manifest *manifest,
			   struct err *err)
{
	int r;

	manifest->created = backup->cut_time;
	manifest->is_pass = backup->request->is_pass;
	manifest->freeze_ms = backup->held.instant.freeze_ms;
	manifest->suspend_ms = backup->held.instant.suspend_ms;
	manifest->domain_name = strdup(backup->session->domain->name);
	if (!manifest->domain_name)
		return fail(err, -ENOMEM, "out of memory");
	memcpy(manifest->domain_uuid, backup->session->uuid, UUID_SIZE);
	r = vm_dom_xml(backup->session->dom, VM_XML_NEXT, &manifest->domain_xml,
		       err);
	if (r == 0)
		r = read_nvram(backup, manifest, err);
	if (r == 0 && describe_left_out(backup, manifest) < 0)
		r = fail(err, -ENOMEM, "out of memory");
	return r;
}
