/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pipeline reads and shows what it read, in ascending order; there is no
 * destination but the pipe.
 */
#include "job/extract.h"

#include <string.h>

#include "base/bitmap.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/uuid.h"
#include "job/interrupt.h"
#include "job/stream.h"
#include "job/ui.h"
#include "repo/mirror.h"

_Static_assert(STREAM_BLOCK_BYTES == SHIP_UNIT_BYTES, "units differ");

struct sending {
	const struct extraction *extraction;
	struct stream_writer writer;
	uint64_t size_bytes;
	struct ui *ui;
};

static int send(void *opaque, uint64_t first_unit, uint64_t nr_units,
		const uint8_t *data, bool skip[], struct err *err)
{
	struct sending *sending = opaque;
	uint64_t offset_bytes = first_unit * SHIP_UNIT_BYTES;
	uint64_t size_bytes = nr_units * SHIP_UNIT_BYTES;

	if (size_bytes > sending->size_bytes - offset_bytes)
		size_bytes = sending->size_bytes - offset_bytes;
	return stream_writer_add(&sending->writer, offset_bytes, size_bytes,
				 data, err);
}

static void sent(void *opaque, uint64_t first_block, uint64_t count)
{
	const struct extraction *extraction =
		((struct sending *)opaque)->extraction;

	if (extraction->sent)
		extraction->sent(extraction->opaque, first_block, count);
}

static void show_progress(void *opaque, const struct ship_counts *counts)
{
	const struct sending *sending = opaque;
	uint64_t block_bytes = sending->extraction->block_bytes;

	ui_progress(sending->ui, counts->done_blocks * block_bytes,
		    counts->blocks * block_bytes);
	if (sending->extraction->progress)
		sending->extraction->progress(sending->extraction->opaque);
}

static int run(struct sending *sending, struct ship_source *source,
	       struct err *err)
{
	const struct extraction *extraction = sending->extraction;
	struct ship_counts counts;
	const struct ship_job job = {
		.map = extraction->map,
		.block_bytes = extraction->block_bytes,
		.cancelled = extraction->cancelled,
		.opaque = sending,
		.examine = send,
		.acked = sent,
		.progress = show_progress,
	};
	int r;

	ui_progress_start(sending->ui, extraction->label);
	r = ship_run(source, NULL, &job, &counts, err);
	ui_progress_end(sending->ui);
	return r < 0 ? r : stream_writer_end(&sending->writer, err);
}

int extract_stream(const struct extraction *extraction,
		   struct ship_source *source,
		   struct extract_report *ret_report, struct ui *ui,
		   struct err *err)
{
	struct sending sending = {
		.extraction = extraction,
		.writer = {.cancelled = extraction->cancelled},
		.size_bytes = ship_source_size_bytes(source),
		.ui = ui,
	};
	struct stream_about about = {.size_bytes = sending.size_bytes,
				     .whole = extraction->whole};
	int r;

	memcpy(about.id, extraction->id, UUID_SIZE);
	r = stream_writer_begin(&sending.writer, extraction->fd, &about, err);
	if (r == 0)
		r = run(&sending, source, err);
	ret_report->data_bytes = sending.writer.data_bytes;
	ret_report->zero_bytes = sending.writer.zero_bytes;
	stream_writer_free(&sending.writer);
	return r;
}

static int open_source(const char *name, ship_cancel cancelled,
		       struct ship_source **ret_source, struct err *err)
{
	if (mirror_is_uri(name))
		return ship_source_open_nbd(name, cancelled, ret_source, err);
	return ship_source_open_file(name, ret_source, err);
}

int extract_source(const struct extract_source_request *request,
		   struct extract_report *ret_report, struct ui *ui,
		   struct err *err)
{
	_cleanup_source_ struct ship_source *source = NULL;
	_cleanup_bitmap_ struct bitmap *map = NULL;
	struct extraction extraction = {
		.fd = request->fd,
		.label = "extract",
		.block_bytes = request->block_bytes,
		.whole = !request->make_map,
		.cancelled = interrupt_catch(),
	};
	uint64_t began_ms = ui_now_ms();
	char id[UUID_SIZE];
	int r = uuid_new(id, err);

	*ret_report = (struct extract_report){0};
	if (r == 0)
		r = open_source(request->source, extraction.cancelled, &source,
				err);
	if (r == 0 && request->make_map)
		r = request->make_map(request->opaque,
				      ship_source_size_bytes(source), &map,
				      err);
	extraction.id = id;
	extraction.map = map;
	if (r == 0)
		r = extract_stream(&extraction, source, ret_report, ui, err);
	ret_report->spent_ms = ui_now_ms() - began_ms;
	return r;
}
