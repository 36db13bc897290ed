/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dsync-vm status --output json: all that is known, in bytes and seconds. */
#pragma once

struct json_object;
struct status_report;

struct json_object *status_json(const struct status_report *report);
