# file: dm-dsync-writer.c
#
# The intents are dropped when the bits of the dirty set are durable, though
# those of an open epoch's frozen set are not.
/^		if (is_live(meta, i))$/s/is_live(meta, i)/i == meta->super.dirty_slot/
