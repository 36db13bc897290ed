# file: dm-dsync-switch.c
#
# A new epoch does not know that regions are active in it from the start.
/^	dsync_regions_switch(meta->rg, slot);$/d
