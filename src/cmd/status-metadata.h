/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm status --metadata: the metadata of a device that is not up. */
#pragma once

#include "base/err.h"

struct options;

enum exit_code status_metadata(const struct options *options,
			       const char *meta_dev);
