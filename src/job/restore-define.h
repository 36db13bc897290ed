/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The last step of a restore that was asked for a domain, not just disks. */
#pragma once

struct err;
struct manifest;
struct restore_report;
struct restore_request;

/* Before anything is written: that the name is free. */
int restore_define_check(const struct restore_request *request,
			 struct err *err);

/* Defines the new domain on the disks of @report. */
int restore_define(const struct restore_request *request,
		   const struct manifest *manifest,
		   struct restore_report *report, struct err *err);
