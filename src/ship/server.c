/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * We make the listening socket and hand it over by socket activation, so there
 * is nothing to wait for: connections queue up in it until qemu-nbd is ready.
 *
 * The socket needs a name only to be opened as an O_PATH descriptor; it is
 * unlinked before the server even starts, and connected to through
 * /proc/self/fd.  So nobody else can connect, and a tool that is killed leaves
 * neither a server (PR_SET_PDEATHSIG) nor a socket.
 *
 * --aio=threads: with 50,000 scattered writes of 4 KiB it was as fast as
 * io_uring on raw files, a third faster on qcow2 and needs nothing of the
 * host.  --cache=writeback: the flush at the end of a run makes it durable.
 */
#include "ship/server.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "base/run.h"
#include "ship/dest.h"
#include "ship/source.h"

#define RUN_DIR "/run/dsync-vm"
#define BACKLOG 16
#define STOP_MS 120000 /* qemu-nbd writes its caches out first */
#define GIVE_UP_MS 1000

struct ship_server {
	struct run run;
	char *path;  /* of the image */
	int socket;  /* O_PATH; -1: the socket has a name */
	char *named; /* which; NULL: it has none any more */
	char uri[160];
};

static const char *socket_parent(struct err *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");

	if (geteuid() == 0 && io_make_dirs(RUN_DIR, NULL) == 0)
		return RUN_DIR;
	if (runtime && runtime[0] == '/' && strlen(runtime) < 64 &&
	    access(runtime, W_OK) == 0)
		return runtime;
	return "/tmp";
}

/* Binds, opens and unlinks in @dir: the name lives for microseconds. */
static int bind_in(const char *dir, int listener, int *ret_socket)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int r = 0;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/nbd", dir);
	if (bind(listener, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_socket = open(address.sun_path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (*ret_socket < 0)
		r = -errno;
	if (unlink(address.sun_path) < 0 && r == 0)
		r = -errno;
	return r;
}

/* Returns the listening descriptor; @ret_socket is what to connect to. */
static int listen_privately(int *ret_socket, struct err *err)
{
	_cleanup_close_ int listener =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int path_fd = -1;
	char dir[96];
	int r;

	if (listener < 0)
		return fail_errno(err, -errno, "socket");
	snprintf(dir, sizeof(dir), "%s/dsync-vm.XXXXXX", socket_parent(err));
	if (!mkdtemp(dir))
		return fail_errno(err, -errno, "%s", dir);
	r = bind_in(dir, listener, &path_fd);
	rmdir(dir);
	if (r == 0 && listen(listener, BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return fail_errno(err, r, "%s: socket", dir);
	*ret_socket = TAKE_FD(path_fd);
	return TAKE_FD(listener);
}

/* The socket, private if it has no name. */
static int make_socket(struct ship_server *server, const char *socket_path,
		       struct err *err)
{
	int listener;

	if (!socket_path) {
		listener = listen_privately(&server->socket, err);
		snprintf(server->uri, sizeof(server->uri),
			 "nbd+unix:///?socket=/proc/self/fd/%d",
			 server->socket);
		return listener;
	}
	listener = io_listen(socket_path, err);
	if (listener < 0)
		return listener;
	server->named = strdup(socket_path);
	snprintf(server->uri, sizeof(server->uri), "nbd+unix:///?socket=%s",
		 socket_path);
	return server->named ? listener : fail(err, -ENOMEM, "out of memory");
}

/* A path that QEMU cannot take for a protocol ("json:", "nbd:"). */
static char *plain_path(const char *path)
{
	return io_format("%s%s", path[0] == '/' ? "" : "./", path);
}

static int start(struct ship_server *server, const struct ship_image *image,
		 const char *socket_path, struct err *err)
{
	_cleanup_free_ char *path = plain_path(image->path);
	_cleanup_close_ int listener = -1;
	const char *const argv[] = {
		"qemu-nbd",
		"--persistent",
		"--shared=8",
		image->direct ? "--cache=none" : "--cache=writeback",
		"--aio=threads",
		"--detect-zeroes=off",
		image->read_only ? "--read-only" : "--discard=unmap",
		"--format",
		image->format,
		image->options ? image->options : path,
		NULL,
	};

	server->path = strdup(image->path);
	if (!path || !server->path)
		return fail(err, -ENOMEM, "%s: out of memory", image->path);
	listener = make_socket(server, socket_path, err);
	if (listener < 0)
		return listener;
	return run_start(argv, listener, &server->run, err);
}

int ship_server_start_at(const struct ship_image *image,
			 const char *socket_path,
			 struct ship_server **ret_server, struct err *err)
{
	_cleanup_server_ struct ship_server *server =
		calloc(1, sizeof(*server));
	int r;

	if (!server)
		return fail(err, -ENOMEM, "%s: out of memory", image->path);
	server->socket = -1;
	server->run.stderr_fd = -1;
	/* qemu-nbd's own message for this one is of no help. */
	if (access(image->path, image->read_only ? R_OK : R_OK | W_OK) < 0)
		return fail_errno(err, foreign_errno(errno), "%s", image->path);
	r = start(server, image, socket_path, err);
	if (r < 0)
		return r;
	*ret_server = TAKE_PTR(server);
	return 0;
}

int ship_server_start(const struct ship_image *image,
		      struct ship_server **ret_server, struct err *err)
{
	return ship_server_start_at(image, NULL, ret_server, err);
}

const char *ship_server_uri(const struct ship_server *server)
{
	return server->uri;
}

bool ship_server_is_running(const struct ship_server *server)
{
	return server->run.pid && !run_has_ended(&server->run, 0);
}

/* What the server that has ended said last, with which it failed. */
static int last_words(struct ship_server *server, struct err *err)
{
	struct err words = {0};

	if (run_wait(&server->run, &words) == 0)
		return 0;
	/* The second line of a message about image locks, the last we have. */
	if (strstr(words.text, "Is another process using the image"))
		return fail(err, -EBUSY, "%s: in use by another process",
			    server->path);
	return fail(err, words.code, "%s: %s", server->path, words.text);
}

int ship_server_check(struct ship_server *server, struct err *err)
{
	if (!server->run.pid || !run_has_ended(&server->run, GIVE_UP_MS))
		return 0;
	return last_words(server, err);
}

/* Puts the server's own words in place of "connection lost" in @err. */
static int explain(struct ship_server *server, int r, struct err *err)
{
	struct err words = {0};
	int why;

	if (r == -EINTR || r == -ETIMEDOUT)
		return r;
	why = ship_server_check(server, &words);
	if (why == 0)
		return r;
	if (err)
		err_clear(err);
	return fail(err, why, "%s", words.text);
}

int ship_server_open_dest(struct ship_server *server, ship_cancel cancelled,
			  struct ship_dest **ret_dest, struct err *err)
{
	const struct ship_address address = {.name = server->path,
					     .uri = server->uri};
	int r = ship_dest_open_at(&address, cancelled, ret_dest, err);

	return r < 0 ? explain(server, r, err) : 0;
}

int ship_server_open_source(struct ship_server *server, ship_cancel cancelled,
			    struct ship_source **ret_source, struct err *err)
{
	const struct ship_address address = {.name = server->path,
					     .uri = server->uri};
	int r = ship_source_open_at(&address, cancelled, ret_source, err);

	return r < 0 ? explain(server, r, err) : 0;
}

int ship_server_connect(const struct ship_server *server, struct err *err)
{
	_cleanup_close_ int fd =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (server->named)
		snprintf(address.sun_path, sizeof(address.sun_path), "%s",
			 server->named);
	else
		snprintf(address.sun_path, sizeof(address.sun_path),
			 "/proc/self/fd/%d", server->socket);
	if (fd < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return fail_errno(err, -errno, "%s", server->path);
	return TAKE_FD(fd);
}

int ship_server_stop(struct ship_server *server, struct err *err)
{
	_cleanup_server_ struct ship_server *owned = server;

	if (!owned->run.pid)
		return 0;
	kill(owned->run.pid, SIGTERM);
	if (!run_has_ended(&owned->run, STOP_MS))
		return fail(err, -ETIMEDOUT, "%s: qemu-nbd does not end",
			    owned->path);
	return run_wait(&owned->run, err);
}

void ship_server_kill(struct ship_server *server)
{
	if (!server)
		return;
	run_kill(&server->run);
	if (server->socket >= 0)
		close(server->socket);
	if (server->named)
		(void)unlink(server->named);
	free(server->named);
	free(server->path);
	free(server);
}
