/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A domain that ends while it is being looked at is shown as far as it got. */
#include "job/status.h"

#include <string.h>

#include "base/io.h"
#include "dm/device.h"
#include "dm/meta-file.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

static int add_target(struct status_disk *disk, const char *state_dir,
		      const struct pending_target *known,
		      const char *domain_uuid, struct err *err)
{
	struct status_target *target = &disk->targets[disk->nr_targets];
	const struct pending_disk where = {
		.state_dir = state_dir,
		.domain_uuid = domain_uuid,
		.disk = disk->disk,
		.size_bytes = disk->tracker.size_sectors * 512,
		.block_bytes = disk->tracker.block_sectors * 512,
	};
	_cleanup_pending_ struct pending *pending = NULL;
	int r = disk->up ? pending_load(&where, known->repo_id, &pending, err)
			 : 0;

	if (r < 0)
		return r;
	target->location =
		strdup(known->location[0] ? known->location : known->repo_id);
	if (!target->location)
		return fail(err, -ENOMEM, "out of memory");
	if (pending) {
		memcpy(target->newest, pending->newest, sizeof(target->newest));
		target->pending_bytes =
			bitmap_count(pending->map) * pending->block_bytes;
	}
	disk->nr_targets++;
	return 0;
}

static int read_targets(struct status_disk *disk, const char *domain_uuid,
			struct err *err)
{
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", domain_uuid);
	_cleanup_pending_targets_ struct pending_targets *known = NULL;
	int r;

	if (!state_dir)
		return fail(err, -ENOMEM, "out of memory");
	r = pending_targets(state_dir, &known, err);
	if (r < 0)
		return r;
	disk->targets = calloc(known->nr_targets + 1, sizeof(*disk->targets));
	if (!disk->targets)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < known->nr_targets && r == 0; i++)
		r = add_target(disk, state_dir, &known->targets[i], domain_uuid,
			       err);
	return r;
}

/* A broken configuration has been said where the device was built. */
static int find_metadata(struct status_disk *disk,
			 const struct vm_domain *domain)
{
	struct meta_place place = {0};

	if (disk->up && !disk->tracker.uuid[0])
		return 0;
	if (meta_place_find(domain->name, domain->uuid, disk->disk, &place,
			    NULL) == -ENOMEM)
		return -ENOMEM;
	disk->metadata = place.path;
	return 0;
}

static int read_disk(struct status_disk *disk, const struct vm_disk *vm_disk,
		     const struct vm_domain *domain, struct err *err)
{
	struct device_info info;
	int r;

	disk->domain = strdup(domain->name);
	disk->disk = strdup(vm_disk->target);
	if (!disk->domain || !disk->disk)
		return fail(err, -ENOMEM, "out of memory");
	r = device_info(vm_disk->name, &info, err);
	if (r < 0)
		return r;
	if (info.exists) {
		r = tracker_status(vm_disk->name, &disk->tracker, err);
		disk->suspended = info.suspended;
		disk->up = r == 0;
	}
	if (r == 0 && find_metadata(disk, domain) < 0)
		r = fail(err, -ENOMEM, "out of memory");
	return r < 0 ? r : read_targets(disk, domain->uuid, err);
}

static int read_domain(struct vm_host *host, struct vm_dom *dom,
		       struct status_report *report, struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	struct vm_dom_state state;
	struct status_disk *disks;
	int r = vm_dom_state(dom, &state, err);

	if (r == 0)
		r = vm_dom_read(host, dom, VM_XML_NOW, &domain, err);
	if (r < 0)
		return r;
	disks = reallocarray(report->disks,
			     report->nr_disks + domain->nr_tracked + 1,
			     sizeof(*disks));
	if (!disks)
		return fail(err, -ENOMEM, "out of memory");
	report->disks = disks;
	for (size_t i = 0; i < domain->nr_disks && r == 0; i++) {
		struct status_disk *disk = &report->disks[report->nr_disks];

		if (!domain->disks[i].tracked)
			continue;
		*disk = (struct status_disk){.active = state.active};
		report->nr_disks++;
		r = read_disk(disk, &domain->disks[i], domain, err);
	}
	return r;
}

static int read_all(struct vm_host *host, struct status_report *report,
		    struct err *err)
{
	_cleanup_vm_dom_list_ struct vm_dom **doms = NULL;
	int r = vm_dom_list(host, &doms, err);

	for (size_t i = 0; r == 0 && doms[i]; i++)
		r = read_domain(host, doms[i], report, err);
	return r;
}

int status_run(const char *connect, const char *name,
	       struct status_report *ret_report, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	_cleanup_vm_dom_ struct vm_dom *dom = NULL;
	int r;

	*ret_report = (struct status_report){0};
	r = vm_host_open(connect, &host, err);
	if (r < 0)
		return r;
	if (!name)
		return read_all(host, ret_report, err);
	r = vm_dom_find(host, name, &dom, err);
	if (r == 0)
		r = read_domain(host, dom, ret_report, err);
	return r;
}

void status_report_free(struct status_report *report)
{
	for (size_t i = 0; i < report->nr_disks; i++) {
		struct status_disk *disk = &report->disks[i];

		for (size_t j = 0; j < disk->nr_targets; j++)
			free(disk->targets[j].location);
		free(disk->targets);
		free(disk->metadata);
		free(disk->domain);
		free(disk->disk);
	}
	free(report->disks);
}
