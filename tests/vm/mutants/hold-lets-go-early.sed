# file: dm-dsync-copy.c
#
# A write goes on when the copies for it are begun.
/^static bool must_wait(/,/^}/s/^	return .*/	return !copy \&\& wait->next < end;/
/^static bool must_wait(/,/^}/s/^	struct dsync_copy \*copy;/	struct dsync_copy *copy = NULL;/
