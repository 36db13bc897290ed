/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket's name is abstract: it leaves nothing in the file system, and is
 * gone with us.  The connection to the server is passed as a descriptor.
 */
#include "job/serve-door.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/err.h"
#include "base/io.h"
#include "ship/server.h"

#define PREFIX "dsync-vm-"
#define BACKLOG 8
#define PATIENCE_S 5
#define SECRET_LENGTH (DOOR_NAME_SIZE - 1)

static int make_name(char name[DOOR_NAME_SIZE], struct err *err)
{
	uint8_t bytes[SECRET_LENGTH / 2];

	if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
		return fail_errno(err, -errno, "getrandom");
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(name + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

static socklen_t make_address(const char *name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	return offsetof(struct sockaddr_un, sun_path) + 1 +
	       snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
			PREFIX "%s", name);
}

int door_open(struct door *ret_door, char ret_token[DOOR_TOKEN_SIZE],
	      struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	socklen_t size;
	int r = make_name(ret_door->name, err);

	ret_door->fd = -1;
	if (r == 0)
		r = make_name(ret_door->secret, err);
	if (r < 0)
		return r;
	size = make_address(ret_door->name, &address);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return fail_errno(err, -errno, "socket");
	snprintf(ret_token, DOOR_TOKEN_SIZE, "%s.%s", ret_door->name,
		 ret_door->secret);
	ret_door->fd = TAKE_FD(fd);
	return 0;
}

void door_close(struct door *door)
{
	if (door->fd >= 0)
		close(TAKE_FD(door->fd));
}

/* ------------------------------------------------------------- at home */

static bool is_ours(int fd)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       peer.uid == geteuid();
}

/* In a time that does not depend on where it differs. */
static bool knows_secret(int fd, const char *secret)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	char said[SECRET_LENGTH];
	unsigned char differs = 0;

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
			 sizeof(patience));
	if (io_read_full(fd, said, sizeof(said)) < 0)
		return false;
	for (size_t i = 0; i < sizeof(said); i++)
		differs |= said[i] ^ secret[i];
	return !differs;
}

static void pass(int to, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(fd))] = {0};
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	(void)sendmsg(to, &message, MSG_NOSIGNAL);
}

void door_answer(const struct door *door, const struct ship_server *server)
{
	_cleanup_close_ int guest = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC);
	_cleanup_close_ int fd = -1;

	if (guest < 0 || !is_ours(guest) || !knows_secret(guest, door->secret))
		return;
	fd = ship_server_connect(server, NULL);
	if (fd >= 0)
		pass(guest, fd);
}

/* ------------------------------------------------------------- outside */

static int take(int from, struct err *err)
{
	char byte, control[CMSG_SPACE(sizeof(int))];
	struct iovec data = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &data,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof(control)};
	struct cmsghdr *header;
	int fd;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1)
		return fail(err, -EACCES, "the token is of no use");
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(fd)))
		return fail(err, -EPROTO, "no descriptor came");
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

int door_enter(const char *token, struct err *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char name[DOOR_NAME_SIZE];
	struct sockaddr_un address;
	socklen_t size;
	int r;

	if (strlen(token) != DOOR_TOKEN_SIZE - 1 || token[SECRET_LENGTH] != '.')
		return fail(err, -EINVAL, "no token");
	snprintf(name, sizeof(name), "%s", token);
	size = make_address(name, &address);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0)
		return fail_errno(err, -errno, "the token is of no use");
	r = io_write_full(fd, token + SECRET_LENGTH + 1, SECRET_LENGTH);
	return r < 0 ? fail_errno(err, r, "socket") : take(fd, err);
}
