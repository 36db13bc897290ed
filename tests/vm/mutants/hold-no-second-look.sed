# file: dm-dsync-hold-target.c
#
# A read of a hold does not look at what became of its blocks meanwhile.
/^	smp_rmb(); /i\	return DM_ENDIO_DONE;
