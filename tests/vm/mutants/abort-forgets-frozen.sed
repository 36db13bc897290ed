# file: dm-dsync-epoch.c
#
# The blocks of an aborted epoch are dropped.
/^static int undo(/,/^}/s/^	dsync_bitmap_merge(.*/	dsync_bitmap_clear(sets->map[DSYNC_FROZEN]);/
