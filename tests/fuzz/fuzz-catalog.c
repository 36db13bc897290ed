/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain's directory in any state, which may be no state that a run of ours
 * leaves: points that are each other's ancestors, on their way out, missing;
 * images that are over others than their manifests say.
 *
 * All of it loads, in a time that its size bounds, and what is done without
 * being asked, sorting out leftovers and ending removals, spoils no point that
 * could be read.
 *
 *	for each of up to NR_POINTS points, until a first byte of 0:
 *	1	flags: FLAG_...
 *	1	its parent: 0 none, then the points from the oldest, then names
 *		of no point; so with all that follows
 *	1	when it was made
 *	for each disk:
 *	1	DISK_...
 *	1	what its image is over, as the manifest has it
 *	1	the same, as the image has it
 *
 *	...	the rest is the manifest of one point more
 */
#include <endian.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/io.h"
#include "fuzz.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/leftovers.h"
#include "repo/manifest.h"
#include "repo/removal.h"
#include "repo/sums-view.h"
#include "repo/sums.h"

#define REPO "11111111-1111-4111-8111-111111111111"
#define UUID "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define NR_POINTS 12
#define NR_DISKS 2

#define FLAG_THERE 1
#define FLAG_HIDDEN 2
#define FLAG_FOREIGN 4 /* another domain's */
#define DISK_THERE 1
#define DISK_IMAGE 2
#define DISK_SUMS 4
#define DISK_LARGER 8
#define DISK_EXTERNAL 16 /* its image has a data file */
#define DISK_PARTIAL 32

static const char *const targets[NR_DISKS] = {"vda", "vdb"};
static char domain_path[256];
static const struct repo_domain domain = {
	.path = domain_path, .repo_id = REPO, .lock_fd = -1, .reader_fd = -1};

static void make_directories(void)
{
	static const char *const names[] = {"", "/points", "/disks",
					    "/disks/vda", "/disks/vdb"};
	char path[512];

	if (domain_path[0])
		return;
	snprintf(domain_path, sizeof(domain_path), "%s/web", fuzz_dir());
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s%s", domain_path, names[i]);
		promise(mkdir(path, 0700) == 0);
	}
}

/* ------------------------------------------------------------ the files */

static void name_of(unsigned int number, char ret_point[POINT_SIZE])
{
	number %= NR_POINTS + 3;
	ret_point[0] = '\0';
	if (number)
		snprintf(ret_point, POINT_SIZE, "202601%02uT000000Z", number);
}

/* The first bytes of an image, which are all that anybody looks at. */
static void write_image(const char *file, const char *over, uint64_t size_bytes,
			bool external)
{
	struct {
		uint32_t magic, version;
		uint64_t backing_offset;
		uint32_t backing_size, cluster_bits;
		uint64_t size;
		uint8_t rest[40];
		uint64_t incompatible;
		uint8_t more[24];
		char backing[POINT_SIZE + 8];
	} __attribute__((packed)) header = {
		.magic = htobe32(0x514649fb),
		.version = htobe32(3),
		.cluster_bits = htobe32(16),
		.size = htobe64(size_bytes),
		.incompatible = htobe64(external ? 4 : 0),
	};

	if (*over) {
		header.backing_offset = htobe64(104);
		header.backing_size =
			htobe32(sprintf(header.backing, "%s.qcow2", over));
	}
	fuzz_file(file, &header, sizeof(header));
}

static void write_sums(const struct manifest *manifest,
		       const struct manifest_disk *disk)
{
	const struct sums_id id = {.repo_id = REPO,
				   .domain_uuid = UUID,
				   .target = disk->target,
				   .point = manifest->point,
				   .backing = disk->backing,
				   .size_bytes = disk->size_bytes};
	_cleanup_free_ char *path =
		sums_path(&domain, disk->target, manifest->point);
	_cleanup_sums_writer_ struct sums_writer *writer = NULL;
	const struct sum sum = {.kind = SUM_ZERO};
	struct err err = {0};

	promise(sums_writer_open(path, &id, &writer, &err) == 0);
	promise(sums_writer_add(writer, 3, &sum, 1, &err) == 0);
	promise(sums_writer_finish(writer, &err) == 0);
}

static void make_disk(struct input *input, struct manifest *manifest,
		      const char *target)
{
	uint8_t flags = input_byte(input);
	uint8_t backing = input_byte(input), over = input_byte(input);
	char name[POINT_SIZE], file[128];
	struct manifest_disk *disk;

	if (!(flags & DISK_THERE))
		return;
	disk = manifest_add_disk(manifest, target);
	disk->size_bytes = flags & DISK_LARGER ? 2 << 20 : 1 << 20;
	disk->block_bytes = 4096;
	name_of(backing, disk->backing);
	if (strcmp(disk->backing, manifest->point) == 0)
		disk->backing[0] = '\0';
	name_of(over ? over - 1 : backing, name);
	snprintf(file, sizeof(file), "web/disks/%s/%s.qcow2%s", target,
		 manifest->point, flags & DISK_PARTIAL ? ".partial" : "");
	if (flags & DISK_IMAGE)
		write_image(file, name, disk->size_bytes,
			    flags & DISK_EXTERNAL);
	if (flags & DISK_SUMS)
		write_sums(manifest, disk);
}

static void make_point(struct input *input, unsigned int number, uint8_t flags)
{
	_cleanup_manifest_ struct manifest *manifest = manifest_new();
	_cleanup_free_ char *text = NULL;
	char file[128];

	name_of(number, manifest->point);
	name_of(input_byte(input), manifest->parent);
	if (strcmp(manifest->parent, manifest->point) == 0)
		manifest->parent[0] = '\0';
	manifest->created = input_byte(input);
	strcpy(manifest->repo_id, REPO);
	strcpy(manifest->domain_uuid, UUID);
	if (flags & FLAG_FOREIGN)
		manifest->domain_uuid[0] = 'b';
	manifest->domain_name = strdup("web");
	manifest->domain_xml = strdup("<domain/>");
	for (int i = 0; i < NR_DISKS; i++)
		make_disk(input, manifest, targets[i]);
	text = manifest_text(manifest);
	promise(text);
	snprintf(file, sizeof(file), "web/points/%s.json%s", manifest->point,
		 flags & FLAG_HIDDEN ? ".removed" : "");
	fuzz_file(file, text, strlen(text));
}

/* Returns the number of points that are there and not on their way out. */
static size_t make_points(struct input *input)
{
	size_t nr = 0;
	uint8_t flags;

	for (unsigned int i = 1; i <= NR_POINTS; i++) {
		flags = input_byte(input);
		if (!flags)
			break;
		if (flags & FLAG_THERE)
			make_point(input, i, flags);
		nr += (flags & (FLAG_THERE | FLAG_HIDDEN)) == FLAG_THERE;
	}
	if (input->left) {
		fuzz_file("web/points/20260131T235959Z.json", input->at,
			  input->left);
		nr++;
	}
	return nr;
}

/* ------------------------------------------------------------- checking */

static bool reads(const struct catalog *catalog, const struct manifest *point,
		  const char *target)
{
	struct err err = {0};
	int r = image_check_chain(&domain, catalog, point, target, &err);

	promise(r == 0 || r == -EBADMSG);
	promise(r == 0 || (err.text[0] && !strchr(err.text, '\n')));
	return r == 0;
}

static void check_disk(const struct catalog *catalog,
		       const struct manifest *point, const char *target)
{
	_cleanup_sums_view_ struct sums_view *view = NULL;
	struct err err = {0};
	size_t depth;
	int r = catalog_chain_depth(catalog, point, target, &depth, &err);

	if (r < 0) {
		promise(r == -EBADMSG && !reads(catalog, point, target));
		return;
	}
	promise(depth >= 1);
	promise(depth <= catalog->nr_points + catalog->nr_hidden);
	promise(sums_view_open(&domain, catalog, point, target, &view, &err) ==
		0);
	promise(sums_view_nr_layers(view) == depth);
}

/* In order: nothing before its parent, unless they say that it goes round. */
static void check_order(const struct catalog *catalog)
{
	for (size_t i = 0; i < catalog->nr_points && !catalog->is_broken; i++) {
		const char *parent = catalog->points[i]->parent;

		promise(i ? strcmp(parent, catalog->points[i - 1]->point) == 0
			  : !*parent);
	}
}

static void check(const struct catalog *catalog, size_t nr_there)
{
	char fresh[POINT_SIZE];
	struct err err = {0};

	promise(catalog->nr_points <= nr_there);
	promise(catalog->nr_points + catalog->nr_damaged >= nr_there);
	promise(!catalog->is_broken || catalog->nr_problems);
	check_order(catalog);
	for (size_t i = 0; i < catalog->nr_points; i++) {
		const struct manifest *point = catalog->points[i], *found;

		promise(catalog_find(catalog, point->point, &found, &err) ==
				0 &&
			found == point);
		for (size_t j = 0; j < point->nr_disks; j++)
			check_disk(catalog, point, point->disks[j].target);
	}
	(void)catalog_newest(catalog);
	for (int i = 0; i < NR_DISKS; i++)
		(void)catalog_newest_with_disk(catalog, targets[i]);
	promise(catalog_new_point(catalog, 1767225600, "", fresh, &err) == 0);
	promise(catalog_find(catalog, fresh, &(const struct manifest *){NULL},
			     &err) == -ENOENT);
}

/* --------------------------------------------------------------- acting */

/* True if nothing of the point's images is left. */
static bool is_done(const struct catalog *catalog, const struct manifest *point)
{
	bool done = true;

	for (size_t i = 0; i < point->nr_disks; i++) {
		const char *target = point->disks[i].target;
		enum removal_state state = REMOVAL_COVERED;
		const struct manifest *child = NULL;
		char over[POINT_SIZE];
		unsigned int count;
		struct err err = {0};
		int r = image_find_over(&domain, target, point->point, &count,
					over, &err);

		if (r == 0 && count == 1 &&
		    catalog_find(catalog, over, &child, &err) == 0 &&
		    !manifest_find_disk(child, target))
			child = NULL;
		if (r == 0)
			r = removal_state(&domain, point, target, child, &state,
					  &err);
		done &= r == 0 && state == REMOVAL_DONE;
	}
	return done;
}

/* What a backup or a prune does first. */
static void tidy(const struct catalog *catalog)
{
	struct err err = {0};
	unsigned int removed;

	for (size_t i = 0; !catalog->nr_damaged && !catalog->is_broken &&
			   i < catalog->nr_hidden;
	     i++)
		if (is_done(catalog, catalog->hidden[i]))
			(void)removal_end(&domain, catalog, catalog->hidden[i],
					  &err);
	(void)leftovers_discard(&domain, catalog, &removed, &err);
}

/* Which disks of the points could be read, by target. */
struct readable {
	bool disk[NR_POINTS + 1][NR_DISKS];
};

static void note(const struct catalog *catalog, struct readable *readable)
{
	for (size_t i = 0; i < catalog->nr_points; i++)
		for (int j = 0; j < NR_DISKS; j++)
			readable->disk[i][j] =
				manifest_find_disk(catalog->points[i],
						   targets[j]) &&
				reads(catalog, catalog->points[i], targets[j]);
}

static void check_still(const struct catalog *before,
			const struct readable *readable,
			const struct catalog *after)
{
	for (size_t i = 0; i < before->nr_points; i++) {
		const struct manifest *now;

		promise(catalog_find(after, before->points[i]->point, &now,
				     NULL) == 0);
		for (int j = 0; j < NR_DISKS; j++)
			promise(!readable->disk[i][j] ||
				reads(after, now, targets[j]));
	}
}

void fuzz_one(const uint8_t *data, size_t size)
{
	_cleanup_catalog_ struct catalog *before = NULL, *after = NULL;
	struct input input = {data, size};
	struct readable readable = {0};
	struct err err = {0};
	size_t nr_there;

	make_directories();
	fuzz_forget_files();
	nr_there = make_points(&input);
	promise(catalog_load(&domain, &before, &err) == 0);
	check(before, nr_there);
	note(before, &readable);
	tidy(before);
	promise(catalog_load(&domain, &after, &err) == 0);
	check_still(before, &readable, after);
}
