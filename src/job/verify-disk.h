/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One disk at one point, read and compared; see verify.c for which. */
#pragma once

struct err;
struct manifest;
struct ui;
struct verify_disk;
struct verify_report;
struct catalog;
struct repo_domain;

struct verify_disk_args {
	const struct repo_domain *domain;
	const struct catalog *catalog;
	const struct manifest *point;
	const char *target;
};

/*
 * Reads the disk, or what only its own image has if @disk->own, counts into
 * @disk, adds what differs to @report and writes it down for the next backup.
 * Differences are no error. -EBADMSG: the image cannot be read.
 */
int verify_disk(const struct verify_disk_args *args, struct verify_disk *disk,
		struct verify_report *report, struct ui *ui, struct err *err);
