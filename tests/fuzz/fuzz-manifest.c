/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A manifest that parses can be written, and reads the same again; and what
 * becomes part of a path or of a line on a terminal is fit for it. */
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "fuzz.h"
#include "repo/manifest.h"

#define POINT "20260131T235959Z"

static void check_disk(const struct manifest *manifest,
		       const struct manifest_disk *disk)
{
	promise(disk_target_valid(disk->target));
	promise(manifest_find_disk(manifest, disk->target) == disk);
	promise(!disk->backing[0] || point_valid(disk->backing));
	promise(strcmp(disk->backing, manifest->point) != 0);
	promise(disk->size_bytes && disk->size_bytes % 512 == 0);
	promise(disk->size_bytes <= MANIFEST_MAX_DISK_BYTES);
	promise(disk->block_bytes >= 4096);
}

static void check_line(const char *line)
{
	promise(*line);
	for (; *line; line++)
		promise((unsigned char)*line >= ' ' && *line != 0x7f);
}

static void check(const struct manifest *manifest)
{
	promise(strcmp(manifest->point, POINT) == 0);
	promise(!manifest->parent[0] || point_valid(manifest->parent));
	promise(manifest->nr_disks <= MANIFEST_MAX_DISKS);
	check_line(manifest->domain_name);
	for (size_t i = 0; i < manifest->nr_disks; i++)
		check_disk(manifest, &manifest->disks[i]);
	for (size_t i = 0; i < manifest->nr_left_out; i++) {
		check_line(manifest->left_out[i].target);
		check_line(manifest->left_out[i].reason);
	}
}

/* What is written over it says the same of all that is known. */
static void check_rewritten(const uint8_t *data, size_t size,
			    const struct manifest *manifest, const char *text)
{
	_cleanup_free_ char *over =
		manifest_text_over((const char *)data, size, manifest);
	_cleanup_manifest_ struct manifest *again = NULL;
	_cleanup_free_ char *same = NULL;

	promise(over);
	promise(manifest_parse(over, strlen(over), POINT, &again, NULL) == 0);
	same = manifest_text(again);
	promise(same && strcmp(text, same) == 0);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	_cleanup_manifest_ struct manifest *manifest = NULL, *again = NULL;
	_cleanup_free_ char *text = NULL, *same = NULL;
	struct err err = {0};

	if (manifest_parse((const char *)data, size, POINT, &manifest, &err) <
	    0) {
		promise(err.text[0] && !strchr(err.text, '\n'));
		return;
	}
	check(manifest);
	text = manifest_text(manifest);
	promise(text);
	promise(manifest_parse(text, strlen(text), POINT, &again, NULL) == 0);
	same = manifest_text(again);
	promise(same && strcmp(text, same) == 0);
	check_rewritten(data, size, manifest, text);
}
