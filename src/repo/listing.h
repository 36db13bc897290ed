/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is in a directory, as a sorted list of strings: of a repository that
 * may be changed by another run meanwhile, so nothing is done while reading.
 */
#pragma once

#include <stddef.h>

#include "base/cleanup.h"

struct err;
struct repo_domain;

void strings_free(char **strings); /* NULL-terminated */
DEFINE_CLEANUP(char **, strings_free);
#define _cleanup_strings_ _cleanup_(cleanup_strings_free)

/* Appends a copy of @text. */
int strings_append(char ***strings, size_t *count, const char *text);

/*
 * The names in @path that end in @suffix, which is cut off. A
 * directory that is not there has none. @ret_names is NULL-terminated and
 * freed by strings_free().
 */
int listing_read(const char *path, const char *suffix, char ***ret_names,
		 size_t *ret_count, struct err *err);

/* The points of a domain that have a file which ends in @suffix beside the
 * manifests: ".json" for the manifests themselves. */
int listing_points(const struct repo_domain *domain, const char *suffix,
		   char ***ret_points, size_t *ret_count, struct err *err);
