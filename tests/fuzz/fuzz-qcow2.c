/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A header is read as far as it can be true, and digging holes changes no byte
 * of the file, whatever the header says. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "fuzz.h"
#include "repo/qcow2.h"

void fuzz_one(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file("image", data, size);
	_cleanup_close_ int fd = open(path, O_RDWR | O_CLOEXEC);
	_cleanup_free_ char *after = NULL;
	struct qcow2_header header;
	size_t size_after;

	promise(fd >= 0);
	if (qcow2_read_header(fd, &header) < 0)
		return;
	promise(strnlen(header.backing, sizeof(header.backing)) <
		sizeof(header.backing));
	promise(header.cluster_bytes >= 512 && header.cluster_bytes <= 2 << 20);
	(void)qcow2_dig_holes(fd, &header);
	promise(io_read_file(path, size, &after, &size_after, NULL) == 0);
	promise(size_after == size && memcmp(after, data, size) == 0);
}
