# file: dm-dsync-hold.c
#
# What is released can still be read.
s/^	       dsync_bitmap_next(hold->released, first, end) == end;/	       true;/
