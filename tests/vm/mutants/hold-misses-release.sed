# file: dm-dsync-hold-target.c
#
# What is released, or lost, while it is read is not an error.
/^	smp_rmb(); /,/^}/s/!is_covered(rd)/false/
/^static void read_work(/,/^}/s/ && !is_covered(rd)/ \&\& false/
