/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A point's image is read by qemu-nbd, which follows its backing files, and
 * another one writes the raw destination: the engine and the formats are
 * those of a backup, in the other direction.
 */
#include "job/restore-ship.h"

#include <inttypes.h>

#include "base/err.h"
#include "base/io.h"
#include "base/run.h"
#include "job/interrupt.h"
#include "job/restore-dest.h"
#include "job/restore.h"
#include "job/ui.h"
#include "ship/server.h"
#include "ship/ship.h"

#define STALL_MS 120000
#define BLOCK_BYTES 4096

struct shipment {
	const struct restore_dest *dest;
	struct restore_disk *disk;
	struct ui *ui;
	ship_cancel cancelled;
};

static void show_progress(void *opaque, const struct ship_counts *counts)
{
	const struct shipment *shipment = opaque;

	ui_progress(shipment->ui, counts->done_blocks * BLOCK_BYTES,
		    counts->blocks * BLOCK_BYTES);
}

static int ship(struct shipment *shipment, struct ship_server *from,
		struct ship_server *to, struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_dest_ struct ship_dest *dest = NULL;
	struct restore_disk *disk = shipment->disk;
	const struct ship_job job = {
		.block_bytes = BLOCK_BYTES,
		.nr_blocks = (disk->size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES,
		.dest_is_zero = !disk->device,
		.stall_ms = STALL_MS,
		.cancelled = shipment->cancelled,
		.opaque = shipment,
		.progress = show_progress,
	};
	struct ship_counts counts = {0};
	int r = ship_server_open_source(from, shipment->cancelled, &source,
					err);

	if (r == 0)
		r = ship_server_open_dest(to, shipment->cancelled, &dest, err);
	if (r == 0)
		r = ship_run(source, dest, &job, &counts, err);
	disk->sent_bytes = counts.sent_bytes;
	disk->zero_bytes = counts.zero_bytes;
	return r;
}

static int serve_and_ship(struct shipment *shipment, const char *image,
			  struct err *err)
{
	_cleanup_server_ struct ship_server *from = NULL, *to = NULL;
	const struct ship_image qcow2 = {
		.path = image, .format = "qcow2", .read_only = true};
	const struct ship_image raw = {
		.path = restore_dest_writable(shipment->dest), .format = "raw"};
	int r = ship_server_start(&qcow2, &from, err);

	if (r == 0)
		r = ship_server_start(&raw, &to, err);
	if (r == 0)
		r = ship(shipment, from, to, err);
	if (r == 0)
		r = ship_server_stop(TAKE_PTR(to), err);
	return r;
}

/* An empty overlay of @size_bytes on @image, in the place of @path. */
static int make_overlay(const char *image, uint64_t size_bytes,
			const char *path, struct err *err)
{
	_cleanup_free_ char *size = io_format("%" PRIu64, size_bytes);
	const char *argv[] = {"qemu-img", "create", "-q",  "-f", "qcow2", "-F",
			      "qcow2",    "-b",     image, path, size,    NULL};

	if (!size)
		return fail(err, -ENOMEM, "out of memory");
	return run_command(argv, err);
}

/*
 * A device may be larger than the disk, but shipping is between two of one
 * size: a passing overlay makes the source as large.
 */
static int ship_enlarged(struct shipment *shipment, const char *image,
			 struct err *err)
{
	_cleanup_free_ char *overlay = io_format(P_tmpdir "/dsync-vm-XXXXXX");
	int fd, r;

	if (!overlay)
		return fail(err, -ENOMEM, "out of memory");
	fd = mkstemp(overlay);
	if (fd < 0)
		return fail_errno(err, -errno, "%s", overlay);
	close(fd);
	r = make_overlay(image, shipment->dest->size_bytes, overlay, err);
	if (r == 0)
		r = serve_and_ship(shipment, overlay, err);
	unlink(overlay);
	return r;
}

int restore_ship(const char *image, const struct restore_dest *dest,
		 struct restore_disk *disk, struct ui *ui, struct err *err)
{
	struct shipment shipment = {.dest = dest,
				    .disk = disk,
				    .ui = ui,
				    .cancelled = interrupt_catch()};

	if (dest->size_bytes == disk->size_bytes)
		return serve_and_ship(&shipment, image, err);
	return ship_enlarged(&shipment, image, err);
}
