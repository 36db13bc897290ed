# file: dm-dsync-writer.c
#
# The intents of idle regions are dropped without their bits being written.
/^		if (write_todo(meta))$/s/write_todo(meta)/0/
