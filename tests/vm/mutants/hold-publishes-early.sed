# file: dm-dsync-copy.c
#
# A copy is used before it is complete.
/^static void collect(/,/^}/s/i < copy->count/i < 0 * copy->count/
/^	atomic64_inc(&hold->nr_jobs);/i\
	{\
		unsigned int i;\
\
		for (i = 0; i < copy->count; i++)\
			dsync_cow_publish(hold->cow, copy->first + i,\
					  copy->place + i);\
	}
