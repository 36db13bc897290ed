/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Verify the other way round: are a domain's disks still what its newest point
 * says, but for what was tracked as changed?  If so, tracking missed nothing.
 */
#pragma once

struct err;
struct ui;
struct verify_report;

struct verify_source_request {
	const char *connect;    /* libvirt URI, NULL: default */
	const char *domain;     /* name or uuid */
	const char *repository; /* path, or ssh:// */
};

/*
 * Reads the domain's disks as they are at one instant, and compares what is
 * not known to have changed since the newest point there. -EBADMSG: something
 * differs, and is pending for every target now; or there is no sum of it.
 * -ENODATA: it is not known what has changed, so nothing can be told.
 * -EOPNOTSUPP: nor ever will be. @ret_report is freed by verify_report_free(),
 * also after a failure.
 */
int verify_source_run(const struct verify_source_request *request,
		      struct verify_report *ret_report, struct ui *ui,
		      struct err *err);
