# file: dm-dsync-switch.c
#
# An aborted epoch is closed on META_DEV before its blocks are there.
/^	while ((page = dsync_bitmap_next_page(frozen, page)) <$/i\	page = frozen->nr_pages;
