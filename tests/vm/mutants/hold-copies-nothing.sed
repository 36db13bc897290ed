# file: dm-dsync-copy.c
#
# A copy is published, but was never made.
s/^	dm_kcopyd_copy(.*/	copied(0, 0, copy);/
