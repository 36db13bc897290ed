/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm backup --all: runs it, and sums up. */
#pragma once

#include "base/err.h"

struct all_request;
struct options;

enum exit_code backup_all(struct options *options,
			  const struct all_request *request);
