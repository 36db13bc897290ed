/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A configuration is understood, or the error says what of it is not: the line,
 * or the target that lacks something. */
#include <string.h>

#include "base/config.h"
#include "base/err.h"
#include "fuzz.h"

#define UUID "2f9b0a4e-7d0b-4a55-9f5e-0c6b5a1d8e01"

void fuzz_one(const uint8_t *data, size_t size)
{
	_cleanup_config_ struct config config = {0};
	const char *path = fuzz_file("conf", data, size);
	struct err err = {0};
	int r = config_read(path, "web", UUID, "vda", &config, &err);

	if (r < 0) {
		promise(r == -EINVAL && (strstr(err.text, ", line ") ||
					 strstr(err.text, "[target ")));
		promise(!config.metadata && !config.hold);
		return;
	}
	promise(!config.metadata || config.metadata[0] == '/');
	promise(!config.hold || config.hold[0] == '/');
	promise(config.hold_limit_bytes >= CONFIG_HOLD_MIN_BYTES);
}
