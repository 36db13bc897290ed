# file: dm-dsync-region.c
#
# A leaf that was written counts as such, though bits may still be set in it.
/^void dsync_regions_written(/,/^}/s/!marked ||/true ||/
