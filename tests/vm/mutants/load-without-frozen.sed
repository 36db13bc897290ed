# file: dm-dsync-load.c
#
# After a crash, the blocks of an epoch that was open do not come back.
/^static bool take_leaves(/,/^}/s/!uuid_is_null(&meta->super.open)/false/
