/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a receiver is, for receiver*.c alone: its disks and who has them
 * (receiver.c), and what came for them (receiver-finish.c). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"
#include "dm/stack.h"
#include "job/place.h"
#include "job/receiver.h"

struct receiver_place {
	struct place place;
	char *target; /* vda */
	struct ship_server *server;
	uint64_t size_bytes;
	char before[UUID_SIZE];
	struct bitmap *frozen; /* NULL: not told yet */
	int lock_fd;           /* has the image lock; -1: does not */
	int *guest_fds;        /* the same, on nodes of QEMU's own */
	size_t nr_guest_fds;
};

struct receiver {
	char *name;
	char uuid[UUID_SIZE];
	char *state_dir;
	struct ui *ui;
	int user_fd, incoming_fd; /* -1: not taken */
	bool look_only, armed, finished, released;
	bool filled; /* by receivers alone, until this one */
	struct receiver_place *disks;
	struct stack_disk *stacks;
	struct stack_report *reports;
	size_t nr_disks;
};
