/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many reads at a time by one thread: submissions are collected and handed
 * over once a round of the pipeline, completions wake it through the ring's
 * own file descriptor.
 */
#include <liburing.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "ship/source.h"

struct ring {
	struct io_uring uring;
	bool open;
};

static struct file_source *file_of(struct ship_source *source)
{
	return (struct file_source *)source;
}

/* Queues what is still missing of @read, in whole SHIP_ALIGN units. */
static int queue(struct file_source *file, struct ship_read *read)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&file->ring->uring);
	size_t room = (read->size_bytes + SHIP_ALIGN - 1) & -SHIP_ALIGN;

	if (!sqe)
		return -EBUSY;
	io_uring_prep_read(sqe, file->fd, read->buffer + read->done_bytes,
			   room - read->done_bytes,
			   read->offset_bytes + read->done_bytes);
	io_uring_sqe_set_data(sqe, read);
	return 0;
}

static int ring_submit(struct ship_source *source, struct ship_read *read,
		       struct err *err)
{
	int r = queue(file_of(source), read);

	if (r < 0) /* cannot be: the ring has room for SHIP_MAX_READS */
		return fail(err, -EIO, "%s: io_uring queue is full",
			    source->name);
	source->in_flight++;
	return 0;
}

static int ring_kick(struct ship_source *source, struct err *err)
{
	struct ring *ring = file_of(source)->ring;
	int r;

	if (io_uring_sq_ready(&ring->uring) == 0)
		return 0;
	r = io_uring_submit(&ring->uring);
	/* Out of resources for the moment: the next round tries again. */
	if (r == -EAGAIN || r == -EBUSY || r == -EINTR)
		return 0;
	if (r < 0)
		return fail_errno(err, foreign_errno(-r), "%s: io_uring",
				  source->name);
	return 0;
}

/* True if @read goes on: part of it came, or it has to be asked again. */
static bool continues(struct file_source *file, struct ship_read *read, int n)
{
	if (n > 0) {
		read->done_bytes += n;
		if (read->done_bytes >= read->size_bytes)
			return false;
	} else if (n == -EINVAL && !read->retried) {
		/* All reads in flight come back so, each is asked once more. */
		read->retried = true;
		if (file->direct && source_go_buffered(file) < 0)
			return false;
	} else if (n != -EINTR && n != -EAGAIN) {
		return false;
	}
	return queue(file, read) == 0;
}

static int ring_dispatch(struct ship_source *source, const struct pollfd fds[],
			 struct err *err)
{
	struct file_source *file = file_of(source);
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&file->ring->uring, &cqe) == 0) {
		struct ship_read *read = io_uring_cqe_get_data(cqe);
		int n = cqe->res;

		io_uring_cqe_seen(&file->ring->uring, cqe);
		source->answers++;
		if (continues(file, read, n))
			continue;
		source->in_flight--;
		if (read->done_bytes >= read->size_bytes)
			read->result = 0;
		else
			read->result = n < 0 ? n : -ENODATA;
	}
	return 0;
}

static unsigned int ring_poll_fds(struct ship_source *source,
				  struct pollfd fds[])
{
	fds[0] = (struct pollfd){
		.fd = file_of(source)->ring->uring.ring_fd,
		.events = POLLIN,
	};
	return 1;
}

static void ring_abandon(struct ship_source *source)
{
	struct ring *ring = file_of(source)->ring;

	if (ring->open)
		io_uring_queue_exit(&ring->uring);
	ring->open = false;
}

static void ring_close(struct ship_source *source)
{
	struct file_source *file = file_of(source);

	ring_abandon(source);
	close(file->fd);
	free(file->ring);
	free(file->base.name);
	free(file);
}

static const struct ship_source_ops ring_ops = {
	.submit = ring_submit,
	.kick = ring_kick,
	.poll_fds = ring_poll_fds,
	.dispatch = ring_dispatch,
	.abandon = ring_abandon,
	.close = ring_close,
};

int source_use_ring(struct file_source *file)
{
	_cleanup_free_ struct ring *ring = calloc(1, sizeof(*ring));
	int r;

	if (!ring)
		return -ENOMEM;
	r = io_uring_queue_init(SHIP_MAX_READS, &ring->uring, 0);
	/* Locked memory was accounted for this before 5.12. */
	if (r == -ENOMEM || r == -EACCES)
		return -EPERM;
	if (r < 0)
		return r;
	ring->open = true;
	file->ring = TAKE_PTR(ring);
	file->base.ops = &ring_ops;
	return 0;
}
