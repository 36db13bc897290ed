# file: dm-dsync-load.c
#
# After a crash, regions that may have been written to are not dirty.
s/^	suspect(meta, sets);$/	if (false)\n		suspect(meta, sets);/
