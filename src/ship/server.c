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
#include <sys/wait.h>
#include <time.h>
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
#define POLL_MS 5

struct ship_server {
	struct run run;
	char *path; /* of the image */
	int socket; /* O_PATH */
	char uri[64];
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

/* A path that QEMU cannot take for a protocol ("json:", "nbd:"). */
static char *plain_path(const char *path)
{
	return io_format("%s%s", path[0] == '/' ? "" : "./", path);
}

static int start(struct ship_server *server, const struct ship_image *image,
		 struct err *err)
{
	_cleanup_free_ char *path = plain_path(image->path);
	_cleanup_close_ int listener = -1;
	const char *const argv[] = {
		"qemu-nbd",
		"--persistent",
		"--shared=8",
		"--cache=writeback",
		"--aio=threads",
		"--discard=unmap",
		"--detect-zeroes=off",
		"--format",
		image->format,
		path,
		image->read_only ? "--read-only" : NULL,
		NULL,
	};

	server->path = strdup(image->path);
	if (!path || !server->path)
		return fail(err, -ENOMEM, "%s: out of memory", image->path);
	listener = listen_privately(&server->socket, err);
	if (listener < 0)
		return listener;
	snprintf(server->uri, sizeof(server->uri),
		 "nbd+unix:///?socket=/proc/self/fd/%d", server->socket);
	return run_start(argv, listener, &server->run, err);
}

int ship_server_start(const struct ship_image *image,
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
	r = start(server, image, err);
	if (r < 0)
		return r;
	*ret_server = TAKE_PTR(server);
	return 0;
}

const char *ship_server_uri(const struct ship_server *server)
{
	return server->uri;
}

/* True if the server ends within @wait_ms; it stays to be waited for. */
static bool has_ended(const struct ship_server *server, int wait_ms)
{
	const struct timespec pause = {.tv_nsec = POLL_MS * 1000000L};
	siginfo_t info;

	for (;; wait_ms -= POLL_MS) {
		info.si_pid = 0;
		if (waitid(P_PID, server->run.pid, &info,
			   WEXITED | WNOHANG | WNOWAIT) == 0 &&
		    info.si_pid)
			return true;
		if (wait_ms <= 0)
			return false;
		nanosleep(&pause, NULL);
	}
}

/* Puts the server's own words in place of "connection lost" in @err. */
static int explain(struct ship_server *server, int r, struct err *err)
{
	struct err words = {0};

	if (r == -EINTR || r == -ETIMEDOUT || !server->run.pid ||
	    !has_ended(server, GIVE_UP_MS) ||
	    run_wait(&server->run, &words) == 0)
		return r;
	if (err)
		err_clear(err);
	/* The second line of a message about image locks, the last we have. */
	if (strstr(words.text, "Is another process using the image"))
		return fail(err, -EBUSY, "%s: in use by another process",
			    server->path);
	return fail(err, words.code, "%s: %s", server->path, words.text);
}

int ship_server_open_dest(struct ship_server *server, ship_cancel cancelled,
			  struct ship_dest **ret_dest, struct err *err)
{
	int r = dest_open_named(server->uri, server->path, cancelled, ret_dest,
				err);

	return r < 0 ? explain(server, r, err) : 0;
}

int ship_server_open_source(struct ship_server *server, ship_cancel cancelled,
			    struct ship_source **ret_source, struct err *err)
{
	int r = source_open_nbd_named(server->uri, server->path, cancelled,
				      ret_source, err);

	return r < 0 ? explain(server, r, err) : 0;
}

int ship_server_stop(struct ship_server *server, struct err *err)
{
	_cleanup_server_ struct ship_server *owned = server;

	if (!owned->run.pid)
		return 0;
	kill(owned->run.pid, SIGTERM);
	if (!has_ended(owned, STOP_MS))
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
	free(server->path);
	free(server);
}
