/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers that mean nothing, as everything is dirty anyway, are left out of
 * the text, and null in JSON.
 */
#include "cmd/status-metadata.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/options.h"
#include "dm/metadata.h"
#include "repo/json.h"

/* ------------------------------------------------------------------- JSON */

static void add_count(struct json_object *object, const char *key,
		      uint64_t value, bool known)
{
	if (known)
		json_add_uint(object, key, value);
	else
		json_add_string(object, key, NULL);
}

static void describe_copies(struct json_object *object,
			    const struct metadata *metadata)
{
	struct json_object *copies = json_add_array(object, "superblocks");

	for (int i = 0; i < METADATA_COPIES && metadata->found; i++) {
		const struct metadata_copy *copy = &metadata->copies[i];
		struct json_object *item = json_append_object(copies);

		json_add_string(item, "found", copy->found);
		json_add_bool(item, "counts",
			      metadata->why && metadata->copy == i);
		if (copy->sequence)
			json_add_uint(item, "sequence", copy->sequence);
	}
}

static void describe_super(struct json_object *object,
			   const struct metadata *metadata)
{
	json_add_uint(object, "version", metadata->version);
	json_add_string(object, "uuid", metadata->uuid);
	json_add_uint(object, "size_bytes", metadata->size_sectors * 512);
	json_add_uint(object, "block_bytes",
		      (uint64_t)metadata->block_sectors * 512);
	json_add_uint(object, "blocks", metadata->nr_blocks);
	json_add_uint(object, "region_bytes",
		      (uint64_t)metadata->region_sectors * 512);
	json_add_uint(object, "active_regions", metadata->active_regions);
	json_add_bool(object, "clean_shutdown", metadata->clean_shutdown);
	json_add_text(object, "epoch", metadata->epoch);
	json_add_text(object, "previous_epoch", metadata->previous);
	json_add_text(object, "open_epoch", metadata->open);
}

static void describe_outcome(struct json_object *object,
			     const struct metadata *metadata)
{
	bool known = metadata->counted;

	json_add_string(object, "state", tracker_state_name(metadata->state));
	json_add_string(object, "reason", metadata->why);
	json_add_uint(object, "dirty_blocks_at_load", metadata->dirty_at_load);
	add_count(object, "dirty_blocks", metadata->dirty, known);
	add_count(object, "frozen_blocks", metadata->frozen, known);
	add_count(object, "intent_regions", metadata->nr_regions, known);
	add_count(object, "suspect_blocks", metadata->suspect, known);
	json_add_uint(object, "damaged_sectors", metadata->nr_damaged);
}

static struct json_object *describe(const char *meta_dev,
				    const struct metadata *metadata)
{
	struct json_object *object = json_new();

	json_add_string(object, "metadata", meta_dev);
	json_add_string(object, "found", metadata->found);
	describe_copies(object, metadata);
	if (metadata->why) {
		describe_super(object, metadata);
		describe_outcome(object, metadata);
	}
	return object;
}

/* ------------------------------------------------------------------- text */

static const char *or_dash(const char *text)
{
	return *text ? text : "-";
}

static void print_super(const struct metadata *metadata)
{
	char size[16], block[16], region[16];

	printf("tracker     %s, format %u\n", or_dash(metadata->uuid),
	       metadata->version);
	printf("superblock  copy %d, sequence %" PRIu64, metadata->copy,
	       metadata->copies[metadata->copy].sequence);
	printf(" (copy %d: %s)\n", !metadata->copy,
	       metadata->copies[!metadata->copy].found);
	printf("disk        %s, %" PRIu64 " blocks of %s\n",
	       ui_size(size, metadata->size_sectors * 512), metadata->nr_blocks,
	       ui_size(block, (uint64_t)metadata->block_sectors * 512));
	printf("intents     room for %u regions of %s\n",
	       metadata->active_regions,
	       ui_size(region, (uint64_t)metadata->region_sectors * 512));
	printf("epoch       %s", or_dash(metadata->epoch));
	if (metadata->open[0])
		printf(", unfinished; before it %s",
		       or_dash(metadata->previous));
	putchar('\n');
}

static void print_outcome(const struct metadata *metadata)
{
	if (metadata->counted) {
		printf("dirty       %" PRIu64 " blocks\n", metadata->dirty);
		if (metadata->open[0])
			printf("frozen      %" PRIu64
			       " blocks, to be added back\n",
			       metadata->frozen);
		printf("suspect     %" PRIu64 " blocks", metadata->suspect);
		if (metadata->nr_regions)
			printf(", in %u regions", metadata->nr_regions);
		putchar('\n');
	}
	if (metadata->nr_damaged)
		printf("damaged     %u sectors\n", metadata->nr_damaged);
	printf("comes up    %s, %" PRIu64 " blocks dirty: %s\n",
	       tracker_state_name(metadata->state), metadata->dirty_at_load,
	       metadata->why);
}

enum exit_code status_metadata(const struct options *options,
			       const char *meta_dev)
{
	struct metadata metadata;
	struct err err = {0};

	if (metadata_read(meta_dev, &metadata, &err) == 0 && !options->json) {
		print_super(&metadata);
		print_outcome(&metadata);
	}
	return options_finish(options, &err, EXIT_OK,
			      options->json ? describe(meta_dev, &metadata)
					    : NULL);
}
