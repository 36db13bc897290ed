/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A point that the admin wants to stay, whatever the rules say:
 * REPO/DOMAIN/points/<point>.protected, which is empty.
 */
#pragma once

#include <stdbool.h>

struct err;
struct repo_domain;

/* In doubt it is. */
bool protect_is_set(const struct repo_domain *domain, const char *point);

/* Durable on return. The domain is locked. */
int protect_set(const struct repo_domain *domain, const char *point,
		bool protect, struct err *err);
