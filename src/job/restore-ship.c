/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A point's image is read by a qemu-nbd where the repository is, and another
 * one writes the destination: the engine and the formats are those of a backup,
 * in the other direction.  A device may be larger than the disk, but shipping
 * is between two of one size: the image is read as if it were as large.
 */
#include "job/restore-ship.h"

#include "base/err.h"
#include "job/comparison.h"
#include "job/interrupt.h"
#include "job/reading.h"
#include "job/restore-dest.h"
#include "job/restore.h"
#include "job/ui.h"
#include "ship/server.h"
#include "ship/ship.h"

#define STALL_MS 120000
#define BLOCK_BYTES 4096

struct shipment {
	const struct reading *from;
	const struct manifest *point;
	const struct restore_dest *place; /* NULL: in place */
	struct comparison *comparison;    /* NULL: all of the disk */
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

static int examine(void *opaque, uint64_t first_unit, uint64_t nr_units,
		   const uint8_t *data, bool skip[], struct err *err)
{
	const struct shipment *shipment = opaque;

	return shipment->comparison
		       ? comparison_check(shipment->comparison, first_unit,
					  nr_units, data, skip, err)
		       : 0;
}

static int ship(struct shipment *shipment, struct ship_source *source,
		struct ship_dest *dest, struct err *err)
{
	struct restore_disk *disk = shipment->disk;
	const struct ship_job job = {
		.map = shipment->comparison
			       ? comparison_map(shipment->comparison)
			       : NULL,
		.block_bytes = BLOCK_BYTES,
		.nr_blocks = (disk->size_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES,
		.dest_is_zero = shipment->place && !disk->device,
		.stall_ms = STALL_MS,
		.cancelled = shipment->cancelled,
		.opaque = shipment,
		.examine = examine,
		.progress = show_progress,
	};
	struct ship_counts counts = {0};
	int r = ship_run(source, dest, &job, &counts, err);

	disk->sent_bytes = counts.sent_bytes;
	disk->zero_bytes = counts.zero_bytes;
	return r;
}

static int open_and_ship(struct shipment *shipment, uint64_t size_bytes,
			 struct ship_dest *dest, struct err *err)
{
	_cleanup_reading_image_ struct reading_image image;
	int r = reading_image_open(shipment->from, shipment->point,
				   shipment->disk->target, size_bytes,
				   shipment->cancelled, &image, err);

	if (r < 0)
		return r;
	if (shipment->comparison)
		comparison_expect(shipment->comparison, image.known);
	return ship(shipment, image.source, dest, err);
}

static int ship_to_place(struct shipment *shipment, struct err *err)
{
	_cleanup_server_ struct ship_server *to = NULL;
	_cleanup_dest_ struct ship_dest *dest = NULL;
	const struct ship_image place = {
		.path = restore_dest_writable(shipment->place),
		.format = shipment->place->format};
	int r = ship_server_start(&place, &to, err);

	if (r == 0)
		r = ship_server_open_dest(to, shipment->cancelled, &dest, err);
	if (r == 0)
		r = open_and_ship(shipment, shipment->place->size_bytes, dest,
				  err);
	if (r == 0)
		ship_dest_close(TAKE_PTR(dest));
	if (r == 0)
		r = ship_server_stop(TAKE_PTR(to), err);
	return r;
}

int restore_ship(const struct reading *from, const struct manifest *point,
		 const struct restore_dest *dest, struct restore_disk *disk,
		 struct ui *ui, struct err *err)
{
	struct shipment shipment = {.from = from,
				    .point = point,
				    .place = dest,
				    .disk = disk,
				    .ui = ui,
				    .cancelled = interrupt_catch()};

	return ship_to_place(&shipment, err);
}

int restore_ship_marked(const struct reading *from,
			const struct manifest *point, struct ship_dest *dest,
			struct comparison *comparison,
			struct restore_disk *disk, struct ui *ui,
			struct err *err)
{
	struct shipment shipment = {.from = from,
				    .point = point,
				    .comparison = comparison,
				    .disk = disk,
				    .ui = ui,
				    .cancelled = interrupt_catch()};

	return open_and_ship(&shipment, disk->size_bytes, dest, err);
}
