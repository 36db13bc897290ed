/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whatever is in a file of damage gives a set of blocks, which is stored and
 * read the same again. */
#include <string.h>
#include <sys/stat.h>

#include "base/err.h"
#include "fuzz.h"
#include "repo/damage.h"
#include "repo/domain.h"

#define POINT "20260101T000000Z"
#define OTHER "20260102T000000Z"

static void check(const struct damage *damage)
{
	uint64_t end = 0;

	for (size_t i = 0; i < damage->nr_ranges; i++) {
		const struct damage_range *range = &damage->ranges[i];

		promise(range->count && range->first >= end);
		end = range->first + range->count;
		promise(end > range->first && end <= UINT64_C(1) << 52);
		promise(damage_has(damage, range->first));
		promise(damage_has(damage, end - 1));
	}
	promise(!damage_has(damage, end));
}

static void store_and_load(const struct repo_domain *domain,
			   const struct damage *damage)
{
	_cleanup_damage_ struct damage again = {0};
	struct err err = {0};

	promise(damage_store(domain, "vda", OTHER, damage, &err) == 0);
	promise(damage_load(domain, "vda", OTHER, &again, &err) == 0);
	check(&again);
	promise(again.nr_ranges == damage->nr_ranges);
	promise(again.nr_ranges == 0 ||
		memcmp(again.ranges, damage->ranges,
		       again.nr_ranges * sizeof(*again.ranges)) == 0);
}

/* One block more and one less, at each end of each range. */
static void change(struct damage *damage)
{
	for (size_t i = 0; i < damage->nr_ranges && i < 16; i++) {
		uint64_t first = damage->ranges[i].first;
		uint64_t end = first + damage->ranges[i].count;

		if (end == UINT64_C(1) << 52)
			end--;
		promise(damage_add(damage, end, 1) == 0);
		promise(damage_has(damage, end) && damage_has(damage, first));
		promise(damage_remove(damage, first) == 0);
		promise(!damage_has(damage, first));
	}
	check(damage);
}

void fuzz_one(const uint8_t *data, size_t size)
{
	_cleanup_damage_ struct damage damage = {0};
	struct repo_domain domain = {.lock_fd = -1, .reader_fd = -1};
	struct err err = {0};
	char directory[256];

	for (const char *const *p =
		     (const char *const[]){"/web", "/web/disks",
					   "/web/disks/vda", NULL};
	     *p; p++) {
		strcpy(stpcpy(directory, fuzz_dir()), *p);
		mkdir(directory, 0700);
	}
	strcpy(stpcpy(directory, fuzz_dir()), "/web");
	domain.path = directory;
	fuzz_file("web/disks/vda/" POINT ".damaged", data, size);
	promise(damage_load(&domain, "vda", POINT, &damage, &err) == 0);
	check(&damage);
	store_and_load(&domain, &damage);
	promise(damage_inherit(&domain, "vda", POINT, OTHER, &err) == 0);
	change(&damage);
	store_and_load(&domain, &damage);
	fuzz_forget_files();
}
