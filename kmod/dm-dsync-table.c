// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table line: DATA_DEV META_DEV|- BLOCK_SECTORS [N_OPTS OPTION VALUE ...]
 *
 * Everything that can be said against a table line is said here, before any
 * device is opened, as one text for the kernel log: dmsetup itself only
 * reports "Invalid argument". All options are checked even where a bitmap in
 * RAM does not use them.
 */
#include <linux/device-mapper.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/string.h>

#include "dm-dsync-table.h"
#include "uapi/dsync-format.h"
#include "uapi/dsync.h"

/* What an option may be. */
struct rule {
	const char *name;
	unsigned int initial, min, max;
	char *error;
};

static const struct rule rules[DSYNC_NR_OPTIONS] = {
	{"region_sectors", 2048, 8, 1U << 21,
	 "region_sectors must be a power of two from 8 to 2097152"},
	{"active_regions", DSYNC_DEFAULT_ACTIVE_REGIONS, 4,
	 DSYNC_MAX_ACTIVE_REGIONS, "active_regions must be from 4 to 65536"},
	{"meta_timeout_ms", 5000, 1, 600000,
	 "meta_timeout_ms must be from 1 to 600000"},
	{"hold_timeout_ms", 10000, 1, 600000,
	 "hold_timeout_ms must be from 1 to 600000"},
};

/**
 * dsync_option_name() - the word for an option in the table line
 * @option: which
 */
const char *dsync_option_name(enum dsync_option option)
{
	return rules[option].name;
}

static int parse_block_sectors(struct dm_target *ti, const char *arg,
			       struct dsync_table *table)
{
	unsigned int sectors;

	if (kstrtouint(arg, 10, &sectors) || !is_power_of_2(sectors) ||
	    sectors < DSYNC_MIN_BLOCK_SECTORS) {
		ti->error = "BLOCK_SECTORS must be a power of two from 8";
		return -EINVAL;
	}
	table->block_shift = ilog2(sectors);
	return 0;
}

static int parse_devices(struct dm_target *ti, struct dm_arg_set *as,
			 struct dsync_table *table)
{
	const char *meta;

	table->data_dev = dm_shift_arg(as);
	meta = dm_shift_arg(as);
	table->meta_dev = strcmp(meta, "-") ? meta : NULL;
	if (strcmp(meta, table->data_dev))
		return 0;
	ti->error = "META_DEV and DATA_DEV must differ";
	return -EINVAL;
}

static int parse_option(struct dm_target *ti, const char *name,
			const char *value, struct dsync_options *opts)
{
	unsigned int i, n;

	for (i = 0; i < DSYNC_NR_OPTIONS; i++)
		if (!strcmp(name, rules[i].name))
			break;
	if (i == DSYNC_NR_OPTIONS) {
		ti->error =
			"Unknown option (known: region_sectors, active_regions, meta_timeout_ms, hold_timeout_ms)";
		return -EINVAL;
	}
	if (opts->given & BIT(i)) {
		ti->error = "An option is given twice";
		return -EINVAL;
	}
	if (kstrtouint(value, 10, &n) || n < rules[i].min || n > rules[i].max ||
	    (i == DSYNC_REGION_SECTORS && !is_power_of_2(n))) {
		ti->error = rules[i].error;
		return -EINVAL;
	}
	opts->value[i] = n;
	opts->given |= BIT(i);
	return 0;
}

static int parse_options(struct dm_target *ti, struct dm_arg_set *as,
			 struct dsync_options *opts)
{
	static const struct dm_arg group[] = {
		{0, 2 * DSYNC_NR_OPTIONS,
		 "N_OPTS must be the number of words that follow, at most 8"},
	};
	unsigned int i, words;
	int r;

	for (i = 0; i < DSYNC_NR_OPTIONS; i++)
		opts->value[i] = rules[i].initial;
	if (!as->argc)
		return 0;

	r = dm_read_arg_group(group, as, &words, &ti->error);
	if (r)
		return r;
	if (words != as->argc || words % 2) {
		ti->error = group[0].error;
		return -EINVAL;
	}
	while (as->argc) {
		const char *name = dm_shift_arg(as);

		r = parse_option(ti, name, dm_shift_arg(as), opts);
		if (r)
			return r;
	}
	return 0;
}

/* A region is at least a block; only a given one can be wrong. */
static int check_region(struct dm_target *ti, struct dsync_table *table)
{
	unsigned int *region = &table->options.value[DSYNC_REGION_SECTORS];

	if (*region >> table->block_shift)
		return 0;
	if (table->options.given & BIT(DSYNC_REGION_SECTORS)) {
		ti->error =
			"region_sectors must not be less than BLOCK_SECTORS";
		return -EINVAL;
	}
	*region = 1U << table->block_shift;
	return 0;
}

/**
 * dsync_table_parse() - takes a table line apart
 * @ti: gets the text of an error
 * @argc: number of arguments
 * @argv: the arguments
 * @table: becomes the result; points into @argv
 *
 * Return: 0 or -EINVAL.
 *
 * Context: constructor.
 */
int dsync_table_parse(struct dm_target *ti, unsigned int argc, char **argv,
		      struct dsync_table *table)
{
	struct dm_arg_set as = {.argc = argc, .argv = argv};
	int r;

	memset(table, 0, sizeof(*table));
	if (argc < 3) {
		ti->error = "Needs DATA_DEV META_DEV|- BLOCK_SECTORS";
		return -EINVAL;
	}
	r = parse_devices(ti, &as, table);
	if (r)
		return r;
	r = parse_block_sectors(ti, dm_shift_arg(&as), table);
	if (r)
		return r;
	r = parse_options(ti, &as, &table->options);
	if (r)
		return r;
	return check_region(ti, table);
}
