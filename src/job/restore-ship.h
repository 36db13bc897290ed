/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The transfer of one disk; see restore.c for what comes before and after. */
#pragma once

struct comparison;
struct err;
struct manifest;
struct reading;
struct restore_dest;
struct restore_disk;
struct ship_dest;
struct ui;

/*
 * Brings what @disk was at @point to @dest, flushed. Counts into @disk, draws
 * progress, and ends early with -EINTR when the process was told to.
 */
int restore_ship(const struct reading *from, const struct manifest *point,
		 const struct restore_dest *dest, struct restore_disk *disk,
		 struct ui *ui, struct err *err);

/*
 * The same for the blocks that @comparison has marked, to @dest, which is as
 * large as the disk.
 */
int restore_ship_marked(const struct reading *from,
			const struct manifest *point, struct ship_dest *dest,
			struct comparison *comparison,
			struct restore_disk *disk, struct ui *ui,
			struct err *err);
