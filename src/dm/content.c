/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whatever uses a device writes something to its first or its last MiB, so
 * that decides; formats that nobody here has heard of are noticed too.  The
 * table only gives the admin a word for what he is about to lose.
 */
#include "dm/content.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/io.h"

#define ENDS_BYTES (1u << 20)

static const struct signature {
	uint32_t offset;
	const char *magic;
	const char *what;
} signatures[] = {
	{0, "LUKS\xba\xbe", "a LUKS volume"},
	{0, "LABELONE", "an LVM physical volume"},
	{512, "LABELONE", "an LVM physical volume"},
	{1024, "LABELONE", "an LVM physical volume"},
	{1536, "LABELONE", "an LVM physical volume"},
	{4096, "\xfc\x4e\x2b\xa9", "a part of an md array"},
	{0, "dsyncmap", "what dsync-vm knows of a disk's changes"},
	{0, "QFI\xfb", "a qcow2 image"},
	{0, "XFSB", "an XFS"},
	{1080, "\x53\xef", "an ext2, ext3 or ext4"},
	{65600, "_BHRfS_M", "a btrfs"},
	{3, "NTFS    ", "an NTFS"},
	{4086, "SWAPSPACE2", "a swap area"},
	{32769, "CD001", "an ISO 9660"},
	{512, "EFI PART", "a GPT"},
	{4096, "EFI PART", "a GPT"},
	{510, "\x55\xaa", "a partition table or boot sector"},
};

static bool is_zero(const uint8_t *data, size_t size_bytes)
{
	return size_bytes == 0 ||
	       (data[0] == 0 && memcmp(data, data + 1, size_bytes - 1) == 0);
}

static const char *name(const uint8_t *start, size_t size_bytes)
{
	for (size_t i = 0; i < sizeof(signatures) / sizeof(*signatures); i++) {
		const struct signature *s = &signatures[i];
		size_t length = strlen(s->magic);

		if (s->offset + length <= size_bytes &&
		    memcmp(start + s->offset, s->magic, length) == 0)
			return s->what;
	}
	return "data";
}

int content_find(int fd, uint64_t size_bytes, const char **ret_what)
{
	size_t end_bytes = size_bytes < ENDS_BYTES ? size_bytes : ENDS_BYTES;
	_cleanup_free_ uint8_t *start = malloc(ENDS_BYTES);
	_cleanup_free_ uint8_t *end = malloc(ENDS_BYTES);
	int r;

	if (!start || !end)
		return -ENOMEM;
	r = io_pread_full(fd, start, end_bytes, 0);
	if (r == 0)
		r = io_pread_full(fd, end, end_bytes,
				  (off_t)(size_bytes - end_bytes));
	if (r < 0)
		return r;
	*ret_what = NULL;
	if (!is_zero(start, end_bytes) || !is_zero(end, end_bytes))
		*ret_what = name(start, end_bytes);
	return 0;
}
