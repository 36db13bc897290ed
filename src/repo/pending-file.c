/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 *	0	header, 8 KiB, little-endian, unused bytes zero
 *	8192	bitmap: bit i%8 of byte i/8 is block i
 *	...	if there is a run: bitmap of what is left to it
 *	...	tail: block number and XXH3-128, 24 bytes each
 *
 * The checksum covers the whole file with its own bytes as zeroes.  The
 * length follows from the header: a file cut short or grown is damaged.  A
 * later version may put more behind the bitmap, with another version number:
 * for us such a file is damaged, which costs a resync and loses nothing.
 */
#include "repo/pending-file.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/err.h"
#include "base/io.h"
#include "repo/pending.h"

#define MAGIC "dsyncpnd"
#define VERSION_1 1
#define HEADER_BYTES 8192
#define DISK_SIZE 64
#define LOCATION_SIZE 4096
#define MAX_NR_BLOCKS (UINT64_C(1) << 40)

struct header_disk {
	char magic[8];
	uint32_t version;
	uint32_t reason;
	uint64_t size_bytes;
	uint64_t nr_blocks;
	uint32_t block_bytes;
	uint32_t nr_tail;
	char repo_id[40];
	char domain_uuid[40];
	char tracker[40];
	char epoch[40];
	char previous[40];
	char newest[POINT_SIZE];
	char attempt[POINT_SIZE];
	char disk[DISK_SIZE];
	char location[LOCATION_SIZE];
	uint8_t checksum[16];
	char run[40];
} __attribute__((packed));

struct tail_disk {
	uint64_t block;
	uint8_t sum[16];
} __attribute__((packed));

_Static_assert(sizeof(struct header_disk) <= HEADER_BYTES, "header is larger");

/* Of the file @content; the checksum inside it counts as zeroes. */
static void checksum(uint8_t *content, size_t size_bytes, uint8_t ret_sum[16])
{
	struct header_disk *header = (struct header_disk *)content;
	XXH128_canonical_t canonical;
	uint8_t saved[16];

	memcpy(saved, header->checksum, sizeof(saved));
	memset(header->checksum, 0, sizeof(saved));
	XXH128_canonicalFromHash(&canonical, XXH3_128bits(content, size_bytes));
	memcpy(header->checksum, saved, sizeof(saved));
	memcpy(ret_sum, canonical.digest, sizeof(canonical.digest));
}

/* -------------------------------------------------------------- writing */

static void fill_header(struct header_disk *to, const struct pending *pending)
{
	memcpy(to->magic, MAGIC, sizeof(to->magic));
	to->version = htole32(VERSION_1);
	to->reason = htole32(pending->reason);
	to->size_bytes = htole64(pending->size_bytes);
	to->nr_blocks = htole64(pending->map->nr_blocks);
	to->block_bytes = htole32(pending->block_bytes);
	to->nr_tail = htole32(pending->tail.nr_entries);
	strcpy(to->repo_id, pending->repo_id);
	strcpy(to->domain_uuid, pending->domain_uuid);
	strcpy(to->tracker, pending->tracker);
	strcpy(to->epoch, pending->epoch);
	strcpy(to->previous, pending->previous);
	strcpy(to->newest, pending->newest);
	strcpy(to->attempt, pending->attempt);
	strcpy(to->run, pending->run);
	snprintf(to->disk, sizeof(to->disk), "%s", pending->disk);
	snprintf(to->location, sizeof(to->location), "%s", pending->location);
}

static size_t file_bytes(const struct header_disk *header)
{
	size_t nr_maps = header->run[0] ? 2 : 1;

	return HEADER_BYTES +
	       nr_maps * bitmap_file_bytes(le64toh(header->nr_blocks)) +
	       le32toh(header->nr_tail) * sizeof(struct tail_disk);
}

static void fill_tail(struct tail_disk *to, const struct tail *tail)
{
	for (size_t i = 0; i < tail->nr_entries; i++) {
		to[i].block = htole64(tail->entries[i].block);
		memcpy(to[i].sum, tail->entries[i].sum, sizeof(to[i].sum));
	}
}

/* Returns what is behind it. */
static uint8_t *fill_map(uint8_t *to, const struct bitmap *map)
{
	size_t size_bytes = bitmap_file_bytes(map->nr_blocks);

	memcpy(to, map->bits, size_bytes);
	return to + size_bytes;
}

int pending_file_content(const struct pending *pending, uint8_t **ret_content,
			 size_t *ret_size_bytes)
{
	struct header_disk header = {0};
	uint8_t *content, *at;
	size_t size_bytes;

	fill_header(&header, pending);
	size_bytes = file_bytes(&header);
	content = calloc(1, size_bytes);
	if (!content)
		return -ENOMEM;
	memcpy(content, &header, sizeof(header));
	at = fill_map(content + HEADER_BYTES, pending->map);
	if (header.run[0])
		at = fill_map(at, pending->to_send);
	fill_tail((struct tail_disk *)at, &pending->tail);
	checksum(content, size_bytes,
		 ((struct header_disk *)content)->checksum);
	*ret_content = content;
	*ret_size_bytes = size_bytes;
	return 0;
}

int pending_file_write(const char *path, const struct pending *pending,
		       struct err *err)
{
	_cleanup_free_ uint8_t *content = NULL;
	size_t size_bytes;

	if (pending_file_content(pending, &content, &size_bytes) < 0)
		return fail(err, -ENOMEM, "%s: out of memory", path);
	return io_replace_file(path, content, size_bytes, 0600, err);
}

/* -------------------------------------------------------------- reading */

#define terminated(text) (memchr((text), '\0', sizeof(text)) != NULL)

static bool uuid_or_empty(const char *text)
{
	return !*text || uuid_valid(text);
}

static bool point_or_empty(const char *text)
{
	return !*text || point_valid(text);
}

static bool strings_valid(const struct header_disk *header)
{
	return terminated(header->repo_id) && terminated(header->domain_uuid) &&
	       terminated(header->tracker) && terminated(header->epoch) &&
	       terminated(header->previous) && terminated(header->newest) &&
	       terminated(header->attempt) && terminated(header->disk) &&
	       terminated(header->location) && terminated(header->run) &&
	       uuid_valid(header->repo_id) && uuid_or_empty(header->run) &&
	       uuid_valid(header->domain_uuid) &&
	       uuid_or_empty(header->tracker) && uuid_or_empty(header->epoch) &&
	       uuid_or_empty(header->previous) &&
	       point_or_empty(header->newest) &&
	       point_or_empty(header->attempt) &&
	       disk_target_valid(header->disk);
}

static bool geometry_valid(const struct header_disk *header)
{
	uint64_t size_bytes = le64toh(header->size_bytes);
	uint64_t nr_blocks = le64toh(header->nr_blocks);
	uint64_t block_bytes = le32toh(header->block_bytes);

	return block_bytes >= 512 && nr_blocks <= MAX_NR_BLOCKS &&
	       nr_blocks == size_bytes / block_bytes +
				    (size_bytes % block_bytes != 0);
}

/* Everything but the checksum, so that the length is known before. */
static bool header_valid(const struct header_disk *header)
{
	return memcmp(header->magic, MAGIC, sizeof(header->magic)) == 0 &&
	       le32toh(header->version) == VERSION_1 &&
	       le32toh(header->reason) <= PENDING_TRACKER &&
	       le32toh(header->nr_tail) <= TAIL_MAX && geometry_valid(header) &&
	       strings_valid(header);
}

static int take_tail(const struct tail_disk *from, uint32_t nr_tail,
		     struct tail *tail)
{
	if (!nr_tail)
		return 0;
	tail->entries = calloc(TAIL_MAX, sizeof(*tail->entries));
	if (!tail->entries)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr_tail; i++) {
		tail->entries[i].block = le64toh(from[i].block);
		memcpy(tail->entries[i].sum, from[i].sum, sizeof(from[i].sum));
	}
	tail->nr_entries = nr_tail;
	return 0;
}

static int take_map(const uint8_t **at, uint64_t nr_blocks,
		    struct bitmap **ret_map)
{
	size_t size_bytes = bitmap_file_bytes(nr_blocks);
	struct bitmap *map = bitmap_new(nr_blocks);

	if (!map)
		return -ENOMEM;
	memcpy(map->bits, *at, size_bytes);
	bitmap_mask_tail(map);
	*at += size_bytes;
	*ret_map = map;
	return 0;
}

static int from_content(const struct header_disk *header, const uint8_t *at,
			struct pending **ret_pending)
{
	_cleanup_pending_ struct pending *pending = calloc(1, sizeof(*pending));
	uint64_t nr_blocks = le64toh(header->nr_blocks);

	if (!pending)
		return -ENOMEM;
	pending->reason = le32toh(header->reason);
	pending->size_bytes = le64toh(header->size_bytes);
	pending->block_bytes = le32toh(header->block_bytes);
	strcpy(pending->repo_id, header->repo_id);
	strcpy(pending->domain_uuid, header->domain_uuid);
	strcpy(pending->tracker, header->tracker);
	strcpy(pending->epoch, header->epoch);
	strcpy(pending->previous, header->previous);
	strcpy(pending->newest, header->newest);
	strcpy(pending->attempt, header->attempt);
	strcpy(pending->run, header->run);
	pending->disk = strdup(header->disk);
	pending->location = strdup(header->location);
	if (!pending->disk || !pending->location)
		return -ENOMEM;
	if (take_map(&at, nr_blocks, &pending->map) < 0 ||
	    (header->run[0] &&
	     take_map(&at, nr_blocks, &pending->to_send) < 0) ||
	    take_tail((const struct tail_disk *)at, le32toh(header->nr_tail),
		      &pending->tail) < 0)
		return -ENOMEM;
	*ret_pending = TAKE_PTR(pending);
	return 0;
}

/* Reads the file into memory, once its header says how long it must be. */
static int read_content(const char *path, uint8_t **ret_content,
			size_t *ret_size_bytes)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ uint8_t *content = NULL;
	struct header_disk header;
	struct stat st;
	size_t size_bytes;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	r = io_pread_full(fd, &header, sizeof(header), 0);
	if (r < 0 || !header_valid(&header))
		return -EBADMSG;
	size_bytes = file_bytes(&header);
	if ((uint64_t)st.st_size != size_bytes)
		return -EBADMSG;
	content = malloc(size_bytes);
	if (!content)
		return -ENOMEM;
	if (io_pread_full(fd, content, size_bytes, 0) < 0)
		return -EBADMSG;
	*ret_content = TAKE_PTR(content);
	*ret_size_bytes = size_bytes;
	return 0;
}

int pending_file_parse(void *content, size_t size_bytes,
		       struct pending **ret_pending)
{
	const struct header_disk *header = content;
	uint8_t sum[16];

	if (size_bytes < HEADER_BYTES || !header_valid(header) ||
	    size_bytes != file_bytes(header))
		return -EBADMSG;
	checksum(content, size_bytes, sum);
	if (memcmp(sum, header->checksum, sizeof(sum)) != 0)
		return -EBADMSG;
	return from_content(header, (uint8_t *)content + HEADER_BYTES,
			    ret_pending);
}

int pending_file_read(const char *path, struct pending **ret_pending)
{
	_cleanup_free_ uint8_t *content = NULL;
	size_t size_bytes;
	int r = read_content(path, &content, &size_bytes);

	return r < 0 ? r : pending_file_parse(content, size_bytes, ret_pending);
}
