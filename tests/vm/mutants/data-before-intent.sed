# file: dm-dsync-commit.c
#
# Writes go to the data device before their intents are durable.
/^	claim(meta, bios, &wide, &rest);/a\	dsync_meta_submit(meta, bios);
