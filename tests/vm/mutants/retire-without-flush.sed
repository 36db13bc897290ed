# file: dm-dsync-writer.c
#
# Leaves are written before intents are dropped, but not flushed.
/^	if (!r && nr_used)$/s/nr_used/0 \&\& nr_used/
