# file: dm-dsync-copy.c
#
# A copy that failed is taken for one that did not.
s/^		if (copy->failed)$/		if (false)/
