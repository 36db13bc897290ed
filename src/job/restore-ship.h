/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transfer of one disk; see restore.c for what comes before and after. */
#pragma once

struct err;
struct restore_dest;
struct restore_disk;
struct ui;

/*
 * Brings what the qcow2 file @image and its backing files contain to @dest,
 * flushed. Counts into @disk, draws progress, and ends early with -EINTR when
 * the process was told to.
 */
int restore_ship(const char *image, const struct restore_dest *dest,
		 struct restore_disk *disk, struct ui *ui, struct err *err);
