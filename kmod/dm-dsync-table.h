/* SPDX-License-Identifier: GPL-2.0-only */
/* The table line: DATA_DEV META_DEV|- BLOCK_SECTORS [N_OPTS OPTION VALUE ...] */
#ifndef DM_DSYNC_TABLE_H
#define DM_DSYNC_TABLE_H

#include <linux/types.h>

struct dm_target;

/* In the order of the rules in dm-dsync-table.c */
enum dsync_option {
	DSYNC_REGION_SECTORS,
	DSYNC_ACTIVE_REGIONS,
	DSYNC_META_TIMEOUT_MS,
	DSYNC_HOLD_TIMEOUT_MS,
	DSYNC_NR_OPTIONS,
};

/**
 * struct dsync_options - the optional arguments
 * @value: one of each, the default unless given
 * @given: bit mask of those that were in the table line
 */
struct dsync_options {
	unsigned int value[DSYNC_NR_OPTIONS];
	unsigned int given;
};

/**
 * struct dsync_table - a table line, taken apart
 * @data_dev: path or numbers of the data device
 * @meta_dev: likewise of the metadata device, or NULL
 * @block_shift: log2 of BLOCK_SECTORS
 * @options: the optional arguments
 */
struct dsync_table {
	const char *data_dev;
	const char *meta_dev;
	unsigned int block_shift;
	struct dsync_options options;
};

int dsync_table_parse(struct dm_target *ti, unsigned int argc, char **argv,
		      struct dsync_table *table);
const char *dsync_option_name(enum dsync_option option);

#endif
