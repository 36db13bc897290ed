/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain that ends while it is being looked at is shown as far as it got.
 * What attach did to a running domain is only in the definition that the next
 * start takes: so both are read.
 */
#include "job/status.h"

#include <string.h>
#include <sys/statvfs.h>

#include "base/config.h"
#include "base/io.h"
#include "base/lock.h"
#include "dm/device.h"
#include "dm/meta-file.h"
#include "dm/handover.h"
#include "dm/restoring.h"
#include "vm/domain-xml.h"
#include "vm/host.h"

/* One domain while it is read. */
struct reader {
	struct vm_host *host;
	struct vm_dom *dom;
	bool all; /* its disks, also those that are not attached */
	bool active, busy;
	struct config config;
	struct status_report *report;
};

const char *status_word(const struct status_disk *disk)
{
	static const char *const words[] = {
		[STATUS_NOT_ATTACHED] = "not-attached",
		[STATUS_NEXT_START] = "next-start",
		[STATUS_STOPPED] = "stopped",
		[STATUS_MISSING] = "missing",
		[STATUS_SUSPENDED] = "suspended",
	};

	if (disk->restoring)
		return disk->busy ? "restoring" : "half-restored";
	if (disk->handed_over)
		return "handed-over";
	return disk->state == STATUS_UP
		       ? tracker_state_name(disk->tracker.state)
		       : words[disk->state];
}

uint64_t status_size_bytes(const struct status_disk *disk)
{
	return disk->tracker.size_sectors * 512;
}

uint64_t status_dirty_bytes(const struct status_disk *disk)
{
	return disk->tracker.dirty * disk->tracker.block_sectors * 512;
}

uint64_t status_suspect_bytes(const struct status_disk *disk)
{
	return disk->tracker.suspect * disk->tracker.block_sectors * 512;
}

/* -------------------------------------------------------------- a disk */

static int read_device(struct status_disk *disk, struct err *err)
{
	struct device_info info;
	int r = device_info(disk->device, &info, err);

	if (r < 0)
		return r;
	disk->state = disk->active ? STATUS_MISSING : STATUS_STOPPED;
	if (!info.exists)
		return 0;
	r = tracker_status(disk->device, &disk->tracker, err);
	if (r == 0)
		disk->state = info.suspended ? STATUS_SUSPENDED : STATUS_UP;
	return r;
}

/* A broken configuration has been said before. */
static int find_places(struct status_disk *disk, const struct vm_domain *domain)
{
	_cleanup_config_ struct config config = {0};
	struct meta_place place = {0};
	int r = config_read(PLACE_CONFIG, domain->name, domain->uuid,
			    disk->disk, &config, NULL);

	disk->hold_is_file = r == 0 && !config.hold;
	if (status_is_up(disk) && !disk->tracker.uuid[0])
		return 0;
	r = meta_place_find(domain->name, domain->uuid, disk->disk, &place,
			    NULL);
	disk->metadata = place.path;
	return r == -ENOMEM ? r : 0;
}

/* What cannot be read counts as a mark, as it does for the hook. */
static int read_marks(struct status_disk *disk, const char *domain_uuid)
{
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", domain_uuid);
	struct handover handover;
	struct err err = {0};

	if (!state_dir)
		return -ENOMEM;
	if (!disk->active && handover_read(state_dir, &handover, NULL) == 0)
		disk->handed_over = handover.uri;
	if (restoring_check_disk(state_dir, disk->disk, &err) == 0)
		return 0;
	disk->restoring = strdup(err.text);
	return disk->restoring ? 0 : -ENOMEM;
}

static int read_disk(struct status_disk *disk, const struct vm_disk *vm_disk,
		     const struct vm_domain *domain,
		     const struct config *config, struct err *err)
{
	int r = 0;

	disk->domain = strdup(domain->name);
	disk->disk = strdup(vm_disk->target);
	disk->reason = vm_disk->reason ? strdup(vm_disk->reason) : NULL;
	if (!disk->domain || !disk->disk || (vm_disk->reason && !disk->reason))
		return fail(err, -ENOMEM, "out of memory");
	memcpy(disk->device, vm_disk->name, sizeof(disk->device));
	if (read_marks(disk, domain->uuid) < 0)
		return fail(err, -ENOMEM, "out of memory");
	if (disk->state == STATUS_NOT_ATTACHED)
		return 0;
	/* What it has of targets is old, and nobody's business here. */
	if (disk->handed_over) {
		disk->state = STATUS_STOPPED;
		return 0;
	}
	if (disk->state != STATUS_NEXT_START)
		r = read_device(disk, err);
	if (r == 0 && find_places(disk, domain) < 0)
		r = fail(err, -ENOMEM, "out of memory");
	return r < 0 ? r : status_read_targets(disk, domain->uuid, config, err);
}

/* ------------------------------------------------------------ a domain */

static int add_disk(struct reader *reader, const struct vm_domain *domain,
		    const struct vm_disk *vm_disk, enum status_state state,
		    struct err *err)
{
	struct status_report *report = reader->report;
	struct status_disk *disks = reallocarray(
		report->disks, report->nr_disks + 1, sizeof(*disks));
	struct status_disk *disk;

	if (!disks)
		return fail(err, -ENOMEM, "out of memory");
	report->disks = disks;
	disk = &disks[report->nr_disks++];
	*disk = (struct status_disk){
		.active = reader->active, .busy = reader->busy, .state = state};
	return read_disk(disk, vm_disk, domain, &reader->config, err);
}

/* Whether the definition that counts next has it. */
static bool is_next(const struct vm_domain *next, const struct vm_disk *disk)
{
	const struct vm_disk *same = next ? vm_domain_disk(next, disk->target)
					  : NULL;

	return same && same->tracked;
}

static int add_disks(struct reader *reader, const struct vm_domain *now,
		     const struct vm_domain *next, struct err *err)
{
	int r = 0;

	for (size_t i = 0; i < now->nr_disks && r == 0; i++) {
		const struct vm_disk *disk = &now->disks[i];

		if (disk->tracked)
			r = add_disk(reader, now, disk, STATUS_UP, err);
		else if (is_next(next, disk))
			r = add_disk(reader, now, disk, STATUS_NEXT_START, err);
		else if (reader->all && strcmp(disk->device, "disk") == 0)
			r = add_disk(reader, now, disk, STATUS_NOT_ATTACHED,
				     err);
	}
	return r;
}

static int read_busy(struct reader *reader, struct err *err)
{
	_cleanup_free_ char *path = io_format(PLACE_RUN "/%s/backup.lock",
					      vm_dom_uuid(reader->dom));

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	reader->busy = lock_is_held(path);
	return 0;
}

static int read_domain(struct reader *reader, struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *now = NULL, *next = NULL;
	size_t nr_before = reader->report->nr_disks;
	struct vm_dom_state state;
	int r = vm_dom_state(reader->dom, &state, err);

	if (r == 0)
		r = vm_dom_read(reader->host, reader->dom, VM_XML_NOW, &now,
				err);
	if (r == 0 && state.active && state.persistent)
		r = vm_dom_read(reader->host, reader->dom, VM_XML_NEXT, &next,
				err);
	if (r == 0)
		r = read_busy(reader, err);
	if (r < 0)
		return r;
	reader->active = state.active;
	/* What is configured matters less here than what is. */
	(void)config_read(PLACE_CONFIG, now->name, now->uuid, NULL,
			  &reader->config, &reader->report->misconfigured);
	r = add_disks(reader, now, next, err);
	config_clear(&reader->config);
	reader->report->nr_domains += reader->report->nr_disks > nr_before;
	return r;
}

static int read_all(struct reader *reader, struct err *err)
{
	_cleanup_vm_dom_list_ struct vm_dom **doms = NULL;
	int r = vm_dom_list(reader->host, &doms, err);

	for (size_t i = 0; r == 0 && doms[i]; i++) {
		reader->dom = doms[i];
		r = read_domain(reader, err);
	}
	return r;
}

static int read_one(struct reader *reader, const char *name, struct err *err)
{
	_cleanup_vm_dom_ struct vm_dom *dom = NULL;
	int r = vm_dom_find(reader->host, name, &dom, err);

	if (r < 0)
		return r;
	reader->dom = dom;
	reader->all = true;
	return read_domain(reader, err);
}

/* As dm/hold-store.c takes it. */
static uint64_t hold_room_bytes(void)
{
	struct statvfs fs;

	return statvfs(PLACE_STATE, &fs) < 0
		       ? 0
		       : (uint64_t)fs.f_bavail * fs.f_frsize / 2;
}

int status_run(const char *connect, const char *name,
	       struct status_report *ret_report, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	struct reader reader = {.report = ret_report};
	int r;

	*ret_report = (struct status_report){
		.now = time(NULL), .hold_room_bytes = hold_room_bytes()};
	r = vm_host_open(connect, &host, err);
	if (r < 0)
		return r;
	reader.host = host;
	return name ? read_one(&reader, name, err) : read_all(&reader, err);
}

void status_report_free(struct status_report *report)
{
	for (size_t i = 0; i < report->nr_disks; i++) {
		struct status_disk *disk = &report->disks[i];

		for (size_t j = 0; j < disk->nr_targets; j++) {
			free(disk->targets[j].name);
			free(disk->targets[j].location);
		}
		free(disk->targets);
		free(disk->metadata);
		free(disk->reason);
		free(disk->restoring);
		free(disk->handed_over);
		free(disk->domain);
		free(disk->disk);
	}
	free(report->disks);
}
