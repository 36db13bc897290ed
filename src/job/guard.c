/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog's own end.  It listens for steps and, when the tool is gone or
 * late, undoes them: first the disks, because nothing else can go on while
 * one stands, then the guest, then the devices.
 *
 * It has no terminal; what it had to do goes to syslog.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "dm/device.h"
#include "dm/hold.h"
#include "dm/stack.h"
#include "dm/use.h"
#include "job/settle.h"
#include "job/ui.h"
#include "job/watchdog.h"
#include "vm/freeze.h"
#include "vm/host.h"

#define NO_DEADLINE UINT64_MAX
#define THAW_TRY_S 30
#define THAW_GIVE_UP_MS (3600 * UINT64_C(1000))
#define RESUME_TRIES 100
#define TOOL_ENDS_MS 10000
#define SETTLE_GIVE_UP_MS (3600 * UINT64_C(1000))

static const struct timespec pause_100ms = {.tv_nsec = 100 * 1000 * 1000};

struct guard {
	int tool_pidfd;
	uint64_t freeze_ms, suspend_ms, pause_ms; /* how long each may take */
	const char *connect;                      /* NULL: default */
	const char *domain_uuid;
	struct stack_disk *disks;
	size_t nr_disks;
	/* NO_DEADLINE: nothing to undo. */
	uint64_t thaw_by_ms, resume_by_ms, go_on_by_ms;
	bool tool_waits; /* it said END, and waits for us to end */
};

/*
 * Out of the caller's control group: systemd ends a unit with all that is in
 * its group.  Only root can, and a host without cgroups has nothing to leave.
 */
static void leave_cgroup(void)
{
	static const char *const roots[] = {
		"/sys/fs/cgroup/cgroup.procs",
		"/sys/fs/cgroup/systemd/cgroup.procs",
		"/sys/fs/cgroup/unified/cgroup.procs",
	};

	for (size_t i = 0; i < sizeof(roots) / sizeof(*roots); i++) {
		_cleanup_close_ int fd = open(roots[i], O_WRONLY | O_CLOEXEC);

		if (fd >= 0 && write(fd, "0", 1) == 1)
			return;
	}
}

static void stop_tool(const struct guard *guard)
{
	if (guard->tool_pidfd >= 0)
		syscall(SYS_pidfd_send_signal, guard->tool_pidfd, SIGKILL, NULL,
			0);
}

/* Waits for that no longer than @patience_ms. */
static bool tool_is_gone(const struct guard *guard, int patience_ms)
{
	struct pollfd poller = {.fd = guard->tool_pidfd, .events = POLLIN};

	return guard->tool_pidfd < 0 || poll(&poller, 1, patience_ms) == 1;
}

static void resume(const char *name)
{
	struct err err = {0};
	int tries = 0;

	while (device_resume(name, &err) < 0 && err.code != -ENXIO &&
	       ++tries < RESUME_TRIES) {
		err_clear(&err);
		nanosleep(&pause_100ms, NULL);
	}
	if (err.code)
		syslog(LOG_CRIT, "%s: cannot be resumed: %s", name, err.text);
}

/*
 * The kernel ignores a resume as long as the suspend is not over, and a
 * suspend may still succeed in a tool that was killed meanwhile: so until the
 * tool is gone, and once more.
 */
static void resume_all(const struct guard *guard)
{
	bool gone;

	do {
		gone = guard->tool_waits || tool_is_gone(guard, 0);
		for (size_t i = 0; i < guard->nr_disks; i++)
			resume(guard->disks[i].name);
		if (!gone)
			nanosleep(&pause_100ms, NULL);
	} while (!gone);
}

/* 0: thawed, or the domain is gone. */
static int thaw_once(const struct guard *guard, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	_cleanup_vm_dom_ struct vm_dom *dom = NULL;
	int r = vm_host_open(guard->connect, &host, err);

	if (r == 0)
		r = vm_dom_find(host, guard->domain_uuid, &dom, err);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = vm_thaw(dom, THAW_TRY_S, err);
	return r;
}

static void thaw(const struct guard *guard)
{
	const struct timespec pause = {.tv_sec = 1};
	uint64_t give_up_ms = ui_now_ms() + THAW_GIVE_UP_MS;
	struct err err = {0};

	while (thaw_once(guard, &err) < 0) {
		if (ui_now_ms() > give_up_ms) {
			syslog(LOG_CRIT, "domain %s: not thawed: %s",
			       guard->domain_uuid, err.text);
			return;
		}
		err_clear(&err);
		nanosleep(&pause, NULL);
	}
	syslog(LOG_NOTICE, "domain %s: thawed", guard->domain_uuid);
}

/*
 * As a backup that ends: no hold is left, and the last user takes the devices
 * down.  But a thaw may have taken an hour, and the next backup may be under
 * way: then the holds are its own, and what was left behind it has removed.
 */
static void tear_down_locked(const struct guard *guard, struct err *err)
{
	_cleanup_close_ int user = use_join(guard->domain_uuid, err);

	if (user < 0 || use_alone(guard->domain_uuid, user, err) != 1)
		return;
	for (size_t i = 0; i < guard->nr_disks; i++)
		(void)hold_remove(guard->disks[i].name, guard->disks[i].uuid,
				  err);
	if (use_leave(guard->domain_uuid, user, err) == 1)
		stack_remove_domain(guard->domain_uuid, err);
}

static void tear_down(const struct guard *guard)
{
	_cleanup_close_ int lock = -1;
	struct err err = {0};

	/* What it reads is open until it is gone. */
	(void)tool_is_gone(guard, TOOL_ENDS_MS);
	lock = use_lock(guard->domain_uuid, USE_LOCK_WAIT_MS, &err);
	if (lock >= 0)
		tear_down_locked(guard, &err);
	if (err.code)
		syslog(LOG_WARNING, "domain %s: %s", guard->domain_uuid,
		       err.text);
}

static void say_to_syslog(void *opaque, bool is_warning, const char *text)
{
	syslog(is_warning ? LOG_WARNING : LOG_NOTICE, "%s", text);
}

/* It was moved to another host: whoever has it, there it goes on. */
static void settle(const struct guard *guard)
{
	const struct timespec pause = {.tv_sec = 1};
	uint64_t give_up_ms = ui_now_ms() + SETTLE_GIVE_UP_MS;
	enum settle_result result = SETTLE_UNKNOWN;
	struct ui ui = {.say = say_to_syslog};
	_cleanup_free_ char *uri = NULL;
	struct err err = {0};

	(void)tool_is_gone(guard, TOOL_ENDS_MS);
	while (settle_run(guard->connect, guard->domain_uuid, &result, &uri,
			  &ui, &err) < 0 ||
	       result == SETTLE_UNKNOWN) {
		if (ui_now_ms() > give_up_ms)
			break;
		free(TAKE_PTR(uri));
		err_clear(&err);
		nanosleep(&pause, NULL);
	}
	syslog(result == SETTLE_UNKNOWN ? LOG_CRIT : LOG_NOTICE,
	       "domain %s: its move to %s was cut off: %s", guard->domain_uuid,
	       uri ? uri : "another host",
	       err.code                ? err.text
	       : result == SETTLE_HERE ? "it goes on here"
	       : result == SETTLE_THERE
		       ? "it goes on there"
		       : "that host does not answer, and nothing is known");
}

static void undo(const struct guard *guard)
{
	syslog(LOG_NOTICE, "domain %s: the tool is gone or late, cleaning up",
	       guard->domain_uuid);
	if (guard->resume_by_ms != NO_DEADLINE)
		resume_all(guard);
	if (guard->thaw_by_ms != NO_DEADLINE)
		thaw(guard);
	tear_down(guard);
	/* It may start the domain anew, on devices of its own. */
	if (guard->go_on_by_ms != NO_DEADLINE)
		settle(guard);
}

/* True: that was the end. */
static bool take_step(struct guard *guard, enum watchdog_step step)
{
	switch (step) {
	case WATCHDOG_FREEZE:
		guard->thaw_by_ms = ui_now_ms() + guard->freeze_ms;
		return false;
	case WATCHDOG_SUSPEND:
		guard->resume_by_ms = ui_now_ms() + guard->suspend_ms;
		return false;
	case WATCHDOG_RESUMED:
		guard->resume_by_ms = NO_DEADLINE;
		return false;
	case WATCHDOG_HAND_OVER:
		thaw(guard);
		/* fall through */
	case WATCHDOG_THAWED:
		guard->thaw_by_ms = NO_DEADLINE;
		return false;
	case WATCHDOG_PAUSE:
		guard->go_on_by_ms = ui_now_ms() + guard->pause_ms;
		return false;
	case WATCHDOG_WENT_ON:
		guard->go_on_by_ms = NO_DEADLINE;
		return false;
	case WATCHDOG_END:
		guard->tool_waits = true;
		return guard->thaw_by_ms == NO_DEADLINE &&
		       guard->resume_by_ms == NO_DEADLINE &&
		       guard->go_on_by_ms == NO_DEADLINE;
	}
	return false;
}

static int milliseconds_left(const struct guard *guard)
{
	uint64_t by_ms = guard->thaw_by_ms < guard->resume_by_ms
				 ? guard->thaw_by_ms
				 : guard->resume_by_ms;
	uint64_t now_ms = ui_now_ms();

	if (guard->go_on_by_ms < by_ms)
		by_ms = guard->go_on_by_ms;
	if (by_ms == NO_DEADLINE)
		return -1;
	return by_ms > now_ms ? (int)(by_ms - now_ms) : 0;
}

static void watch(struct guard *guard)
{
	struct pollfd poller = {.fd = STDIN_FILENO, .events = POLLIN};

	for (;;) {
		int r = poll(&poller, 1, milliseconds_left(guard));
		char step;

		if (r < 0 && errno == EINTR)
			continue;
		if (r == 0)
			stop_tool(guard);
		if (r <= 0 || read(STDIN_FILENO, &step, 1) != 1)
			break;
		if (take_step(guard, step))
			return;
	}
	undo(guard);
}

static int read_arguments(struct guard *guard, int argc, char **argv)
{
	if (argc < 7 || argc % 2 == 0)
		return -EINVAL;
	guard->tool_pidfd = syscall(SYS_pidfd_open, atoi(argv[1]), 0);
	guard->freeze_ms = strtoul(argv[2], NULL, 10);
	guard->suspend_ms = strtoul(argv[3], NULL, 10);
	guard->pause_ms = strtoul(argv[4], NULL, 10);
	guard->connect = *argv[5] ? argv[5] : NULL;
	guard->domain_uuid = argv[6];
	guard->nr_disks = (argc - 7) / 2;
	guard->disks = calloc(guard->nr_disks + 1, sizeof(*guard->disks));
	if (!guard->disks)
		return -ENOMEM;
	for (size_t i = 0; i < guard->nr_disks; i++) {
		snprintf(guard->disks[i].name, sizeof(guard->disks[i].name),
			 "%s", argv[7 + 2 * i]);
		snprintf(guard->disks[i].uuid, sizeof(guard->disks[i].uuid),
			 "%s", argv[8 + 2 * i]);
	}
	return 0;
}

int watchdog_main(int argc, char **argv)
{
	struct guard guard = {
		.tool_pidfd = -1,
		.thaw_by_ms = NO_DEADLINE,
		.resume_by_ms = NO_DEADLINE,
		.go_on_by_ms = NO_DEADLINE,
	};
	int r = read_arguments(&guard, argc, argv);

	if (r < 0)
		return r;
	openlog("dsync-vm-watchdog", LOG_PID, LOG_DAEMON);
	leave_cgroup();
	(void)mlockall(MCL_CURRENT | MCL_FUTURE);
	if (write(STDIN_FILENO, "r", 1) == 1)
		watch(&guard);
	free(guard.disks);
	return 0;
}
