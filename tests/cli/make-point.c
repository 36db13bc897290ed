/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * make-point REPOSITORY DOMAIN UUID TIME DISK:BYTES:SCRIPT...
 *
 * Makes a restore point as a backup does, but from a script of qemu-io
 * commands instead of a guest: run over a raw file as well, it gives what a
 * restore must give.  TIME is in seconds since 1970; SCRIPT may be /dev/null.
 * DISK:- leaves the disk out.  With PASS set it is the pass of a mirror. Prints
 * the point's name.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/io.h"
#include "base/run.h"
#include "job/ledger.h"
#include "job/sieve.h"
#include "repo/catalog.h"
#include "repo/domain.h"
#include "repo/image.h"
#include "repo/manifest.h"
#include "repo/repo.h"
#include "repo/sums-view.h"
#include "repo/sums.h"
#include "ship/server.h"
#include "ship/ship.h"

static const char xml[] = "<domain type='test'>\n"
			  "  <name>%s</name>\n"
			  "  <uuid>%s</uuid>\n"
			  "  <memory>65536</memory>\n"
			  "  <os><type>hvm</type></os>\n"
			  "  <devices>\n%s  </devices>\n"
			  "</domain>\n";
static const char disk_xml[] = "    <disk type='file' device='disk'>\n"
			       "      <source file='/nowhere/%s'/>\n"
			       "      <target dev='%s' bus='virtio'/>\n"
			       "    </disk>\n";

static int run_script(const char *path, const char *script, struct err *err)
{
	const char *argv[] = {"sh", "-c",   "qemu-io -f qcow2 \"$0\" < \"$1\"",
			      path, script, NULL};

	return run_command(argv, err);
}

static int examine(void *opaque, uint64_t first_unit, uint64_t nr_units,
		   const uint8_t *data, bool skip[], struct err *err)
{
	return sieve_examine(opaque, first_unit, nr_units, data, skip, err);
}

/* Has @sieve look at all of the image @path. */
static int read_image(const char *path, struct sieve *sieve, struct err *err)
{
	const struct ship_image image = {
		.path = path, .format = "qcow2", .read_only = true};
	const struct ship_job job = {.block_bytes = SHIP_UNIT_BYTES,
				     .opaque = sieve,
				     .examine = examine};
	_cleanup_server_ struct ship_server *server = NULL;
	_cleanup_source_ struct ship_source *source = NULL;
	struct ship_counts counts;
	int r = ship_server_start(&image, &server, err);

	if (r == 0)
		r = ship_server_open_source(server, NULL, &source, err);
	if (r == 0)
		r = ship_run(source, NULL, &job, &counts, err);
	return r;
}

/* The sums that a backup writes down while it sends. */
static int sum_image(const struct repo_domain *domain,
		     const struct catalog *catalog,
		     const struct manifest *manifest,
		     const struct manifest_disk *disk, const char *image,
		     struct err *err)
{
	const struct sums_id id = {.repo_id = domain->repo_id,
				   .domain_uuid = manifest->domain_uuid,
				   .target = disk->target,
				   .point = manifest->point,
				   .backing = disk->backing,
				   .size_bytes = disk->size_bytes};
	_cleanup_free_ char *path =
		sums_partial_path(domain, disk->target, manifest->point);
	_cleanup_ledger_files_ struct ledger_files known = {0};
	_cleanup_sieve_ struct sieve *sieve = NULL;
	const struct manifest *below = NULL;
	struct sums_view *view = NULL;
	int r = 0;

	if (disk->backing[0])
		r = catalog_find(catalog, disk->backing, &below, err);
	if (r == 0)
		r = sums_view_open(domain, catalog, below, disk->target, &view,
				   err);
	if (r == 0)
		r = ledger_files_open(path, &id, view, NULL, &known, err);
	if (r == 0)
		r = sieve_new(domain->repo_id, !disk->backing[0],
			      disk->size_bytes, &known.ledger, &sieve, err);
	if (r == 0)
		r = read_image(image, sieve, err);
	return r < 0 ? r : sums_writer_finish(known.writer, err);
}

static int make_image(const struct repo_domain *domain,
		      const struct catalog *catalog,
		      const struct manifest *manifest,
		      const struct manifest_disk *disk, const char *script,
		      struct err *err)
{
	_cleanup_free_ char *path = NULL;
	int r = image_create_partial(domain, disk->target, manifest->point,
				     disk->size_bytes, disk->backing, &path,
				     err);

	if (r == 0)
		r = run_script(path, script, err);
	if (r == 0)
		r = sum_image(domain, catalog, manifest, disk, path, err);
	if (r == 0)
		r = image_finish(domain, disk->target, manifest->point, err);
	return r;
}

/* @text is DISK:BYTES:SCRIPT or DISK:-, and is taken apart. */
static int add_disk(const struct repo_domain *domain,
		    const struct catalog *catalog, struct manifest *manifest,
		    char *text, struct err *err)
{
	const char *target = strtok(text, ":"), *size = strtok(NULL, ":");
	const char *script = strtok(NULL, ":");
	const struct manifest *below;
	struct manifest_disk *disk;

	if (size && strcmp(size, "-") == 0)
		return manifest_add_left_out(manifest, target, "no raw disk");
	if (!script)
		return fail(err, -EINVAL, "%s: DISK:BYTES:SCRIPT", text);
	below = catalog_newest_with_disk(catalog, target);
	disk = manifest_add_disk(manifest, target);
	disk->size_bytes = strtoull(size, NULL, 10);
	disk->block_bytes = 4096;
	disk->full = !below;
	if (below &&
	    manifest_find_disk(below, target)->size_bytes <= disk->size_bytes)
		strcpy(disk->backing, below->point);
	return make_image(domain, catalog, manifest, disk, script, err);
}

static char *describe(const struct manifest *manifest)
{
	_cleanup_free_ char *disks = strdup("");

	for (size_t i = 0; i < manifest->nr_disks; i++) {
		const char *target = manifest->disks[i].target;
		_cleanup_free_ char *one = io_format(disk_xml, target, target);
		char *more = io_format("%s%s", disks, one);

		free(disks);
		disks = more;
	}
	return io_format(xml, manifest->domain_name, manifest->domain_uuid,
			 disks);
}

static int make_point(char **argv, struct err *err)
{
	_cleanup_repo_ struct repo *repo = NULL;
	_cleanup_repo_domain_ struct repo_domain *domain = NULL;
	_cleanup_catalog_ struct catalog *catalog = NULL;
	_cleanup_manifest_ struct manifest *manifest = manifest_new();
	const struct manifest *newest;
	bool created;
	int r = repo_open_or_create(argv[1], &repo, &created, err);

	if (r == 0)
		r = repo_domain_lock(repo, argv[2], argv[3], &domain, err);
	if (r == 0)
		r = catalog_load(domain, &catalog, err);
	if (r == 0)
		r = catalog_new_point(catalog, atol(argv[4]), "",
				      manifest->point, err);
	if (r < 0)
		return r;
	newest = catalog_newest(catalog);
	strcpy(manifest->parent, newest ? newest->point : "");
	strcpy(manifest->repo_id, repo->id);
	strcpy(manifest->domain_uuid, argv[3]);
	manifest->domain_name = strdup(argv[2]);
	manifest->created = atol(argv[4]);
	manifest->is_pass = getenv("PASS");
	manifest->consistency = CONSISTENCY_OFFLINE;
	for (int i = 5; r == 0 && argv[i]; i++)
		r = add_disk(domain, catalog, manifest, argv[i], err);
	if (r < 0)
		return r;
	manifest->domain_xml = describe(manifest);
	r = manifest_commit(domain, manifest, err);
	if (r == 0)
		puts(manifest->point);
	return r;
}

int main(int argc, char **argv)
{
	struct err err = {0};

	if (argc < 5) {
		fprintf(stderr, "see the head of make-point.c\n");
		return EXIT_USAGE;
	}
	if (make_point(argv, &err) < 0)
		fprintf(stderr, "make-point: %s\n", err.text);
	return err_exit_code(err.code);
}
