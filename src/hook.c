/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dsync-vm-hook: what libvirt runs at each step of a QEMU domain's life.
 *
 *	prepare    before anything looks at the disks: build their stacks
 *	release    everything is over: take them down, unless a backup reads
 *	reconnect  libvirtd was restarted under a running VM: keep them; any
 *	           failure here would make libvirtd kill that VM
 *	migrate    comes in from another host: refused if a disk is ours,
 *	           since its image here is not known to be the same, unless
 *	           dsync-vm preseed brought it (dm/handover.h)
 *
 * A domain whose disks are being restored in place, or were so only in part
 * (dm/restoring.h), does not start, and neither does one that was handed over
 * to another host.
 *
 * A domain that starts on a disk without our device in front writes past what
 * is known of it: that is then not believed any more (dm/trust.h), and if this
 * cannot be recorded, the domain does not start.
 *
 * libvirt waits for us and a VM waits for libvirt, so: no libvirt connection
 * (it would deadlock), domains without our disks are let through before
 * anything is opened, and a hanging disk ends in an alarm.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "dm/handover.h"
#include "dm/restoring.h"
#include "dm/stack.h"
#include "dm/trust.h"
#include "dm/use.h"
#include "vm/domain-xml.h"
#include "vm/record.h"

#define XML_MAX_BYTES (16 << 20)
#define DEADLINE_S 60
#define STDIN_PATH "/proc/self/fd/0" /* /dev/stdin may be missing */

static int read_xml(char **ret_xml, struct err *err)
{
	int r = io_read_file(STDIN_PATH, XML_MAX_BYTES, ret_xml, NULL, err);

	if (r < 0)
		err_prefix(err, "domain XML");
	return r;
}

/* False for a domain that is none of our business. */
static bool is_ours(const struct vm_domain *domain)
{
	for (size_t i = 0; i < domain->nr_disks; i++)
		if (domain->disks[i].name[0])
			return true;
	return domain->has_metadata;
}

/* Parses it; metadata that was dropped comes from the copy of attach. */
static int read_domain(char **xml, struct vm_domain **ret_domain,
		       struct err *err)
{
	int r = vm_record_recover(xml, err);

	return r < 0 ? r : vm_domain_parse(*xml, ret_domain, err);
}

static int list_stacks(const struct vm_domain *domain,
		       struct stack_disk **ret_disks, size_t *ret_nr_disks,
		       struct err *err)
{
	_cleanup_free_ struct stack_disk *disks =
		calloc(domain->nr_disks + 1, sizeof(*disks));
	size_t count = 0;

	if (!disks)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < domain->nr_disks; i++) {
		const struct vm_disk *disk = &domain->disks[i];
		int r;

		if (!disk->name[0])
			continue;
		if (!disk->tracked)
			return fail(err, -ENODATA, "%s: %s", disk->target,
				    disk->reason);
		memcpy(disks[count].name, disk->name, DISK_NAME_SIZE);
		disks[count].path = disk->original_path;
		disks[count].domain_name = domain->name;
		disks[count].domain_uuid = domain->uuid;
		disks[count].target = disk->target;
		r = disk_uuid(disks[count].uuid, domain->uuid, disk->target,
			      err);
		if (r < 0)
			return r;
		count++;
	}
	*ret_disks = TAKE_PTR(disks);
	*ret_nr_disks = count;
	return 0;
}

/* libvirt only shows what a hook says if it fails. */
static void say(const char *domain, const char *device, const char *note)
{
	fprintf(stderr, "dsync-vm-hook: %s: %s: %s\n", domain, device, note);
	syslog(LOG_WARNING, "%s: %s: %s", domain, device, note);
}

/*
 * A stack without a user was left behind by something, and nobody knows what
 * ran on the disk since: it must not vouch for it. No VM of this domain runs
 * when one is prepared.
 */
static int drop_leftovers(const struct vm_domain *domain, struct err *err)
{
	int r = use_set_running(domain->uuid, false, err);

	if (r == 0)
		r = use_leave(domain->uuid, -1, err);
	if (r != 1)
		return r;
	r = stack_distrust_domain(domain->uuid, err);
	return r < 0 ? r : stack_remove_domain(domain->uuid, err);
}

/* With stack.lock held. One that comes back is not one that is started here. */
static int check_here(const struct vm_domain *domain, const char *state_dir,
		      struct err *err)
{
	int r;

	if (handover_has_come(domain->uuid))
		return 0;
	r = handover_check(state_dir, err);
	return r < 0 ? r : handover_spoil(state_dir, err);
}

/* With stack.lock held. */
static int check_whole(const struct vm_domain *domain, struct err *err)
{
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", domain->uuid);
	int r = use_claimed(domain->uuid, err);

	if (!state_dir)
		return fail(err, -ENOMEM, "out of memory");
	if (r == 1)
		return fail(err, -EBUSY,
			    "its disks are being restored in place, or filled "
			    "from another host; wait for that");
	if (r == 0)
		r = restoring_check(state_dir, err);
	return r < 0 ? r : check_here(domain, state_dir, err);
}

/* With stack.lock held. What is known of all disks but @disks is forgotten. */
static int distrust_others(const struct vm_domain *domain,
			   const struct stack_disk *disks, size_t nr_disks,
			   struct err *err)
{
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", domain->uuid);
	_cleanup_free_ const char **targets =
		calloc(nr_disks + 1, sizeof(*targets));
	unsigned int count;
	int r;

	if (!state_dir || !targets)
		return fail(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < nr_disks; i++)
		targets[i] = disks[i].target;
	r = trust_forget_others(state_dir, targets, nr_disks, &count, err);
	if (r == 0 && count)
		say(domain->name, "disks",
		    "starts without the device of a disk that was tracked: "
		    "what is known of its changes is not believed any more");
	return r;
}

/* A domain with none of our devices, which may have had them. */
static int start_untracked(const struct vm_domain *domain, struct err *err)
{
	_cleanup_free_ char *state_dir =
		io_format(PLACE_STATE "/%s", domain->uuid);
	_cleanup_close_ int lock = -1;
	int r;

	if (!state_dir)
		return fail(err, -ENOMEM, "out of memory");
	if (access(state_dir, F_OK) < 0 && errno == ENOENT)
		return 0;
	lock = use_lock(domain->uuid, USE_LOCK_WAIT_MS, err);
	if (lock < 0)
		return lock;
	r = check_whole(domain, err);
	return r < 0 ? r : distrust_others(domain, NULL, 0, err);
}

static int build(const struct vm_domain *domain, bool starts, struct err *err)
{
	_cleanup_free_ struct stack_disk *disks = NULL;
	_cleanup_free_ struct stack_report *reports = NULL;
	_cleanup_close_ int lock = -1;
	size_t nr_disks = 0;
	int r = list_stacks(domain, &disks, &nr_disks, err);

	if (r < 0)
		return r;
	if (nr_disks == 0)
		return starts ? start_untracked(domain, err) : 0;
	reports = calloc(nr_disks, sizeof(*reports));
	if (!reports)
		return fail(err, -ENOMEM, "out of memory");
	lock = use_lock(domain->uuid, USE_LOCK_WAIT_MS, err);
	if (lock < 0)
		return lock;
	r = starts ? check_whole(domain, err) : 0;
	if (r == 0 && starts)
		r = drop_leftovers(domain, err);
	if (r == 0 && starts)
		r = distrust_others(domain, disks, nr_disks, err);
	if (r == 0)
		r = stack_build_all(disks, nr_disks, reports, err);
	if (r == 0)
		r = use_set_running(domain->uuid, true, err);
	for (size_t i = 0; i < nr_disks && r == 0; i++)
		if (reports[i].note[0])
			say(domain->name, disks[i].name, reports[i].note);
	return r;
}

static int prepare(char **xml, bool starts, struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	int r = read_domain(xml, &domain, err);

	return r < 0 ? r : build(domain, starts, err);
}

static int on_prepare(char **xml, struct err *err)
{
	return prepare(xml, true, err);
}

static int on_reconnect(char **xml, struct err *err)
{
	return prepare(xml, false, err);
}

/* Also what a disk that was unplugged meanwhile left: by the domain's uuid. */
static int on_release(char **xml, struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	_cleanup_close_ int lock = -1;
	int r = vm_domain_parse(*xml, &domain, err);

	if (r < 0)
		return r;
	lock = use_lock(domain->uuid, USE_LOCK_WAIT_MS, err);
	if (lock < 0) {
		/* Whoever has it must see that the VM is not a user any more. */
		(void)use_set_running(domain->uuid, false, NULL);
		return lock;
	}
	r = use_set_running(domain->uuid, false, err);
	if (r == 0)
		r = use_leave(domain->uuid, -1, err);
	if (r == 1)
		r = stack_remove_domain(domain->uuid, err);
	return r;
}

static int on_migrate(char **xml, struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	int r = vm_domain_parse(*xml, &domain, err);

	if (r == 0 && handover_is_let_in(domain->uuid))
		return handover_comes(domain->uuid, err);
	for (size_t i = 0; r == 0 && i < domain->nr_disks; i++)
		if (domain->disks[i].name[0])
			return fail(err, -EOPNOTSUPP,
				    "its disk %s is tracked by dsync-vm, and "
				    "nothing says that the image here is the "
				    "same; 'dsync-vm preseed --migrate' on the "
				    "host where it runs brings it",
				    domain->disks[i].target);
	return r;
}

static const struct operation {
	const char *name;
	int (*run)(char **xml, struct err *err);
	bool must_succeed;
} operations[] = {
	{"prepare", on_prepare, false},
	{"release", on_release, false},
	{"reconnect", on_reconnect, true},
	{"migrate", on_migrate, false},
};

static const struct operation *find_operation(const char *name)
{
	for (size_t i = 0; i < sizeof(operations) / sizeof(*operations); i++)
		if (strcmp(operations[i].name, name) == 0)
			return &operations[i];
	return NULL;
}

/* Asked of what the XML says, never of how it is written. */
static int run(const struct operation *operation, char **xml, struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	int r = read_xml(xml, err);

	if (r == 0)
		r = vm_domain_parse(*xml, &domain, err);
	if (r < 0)
		return r;
	if (is_ours(domain))
		return operation->run(xml, err);
	return operation->run == on_prepare ? start_untracked(domain, err) : 0;
}

static void give_up(int signal_number)
{
	static const char text[] =
		"dsync-vm-hook: gave up after a minute: a disk hangs\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(EXIT_FAILED);
}

static void let_go(int signal_number)
{
	_exit(EXIT_OK);
}

int main(int argc, char **argv)
{
	const struct operation *operation;
	_cleanup_free_ char *xml = NULL;
	struct err err = {0};

	if (argc < 3) {
		fprintf(stderr, "dsync-vm-hook: libvirt runs this, as a hook: "
				"DOMAIN OPERATION SUB-OPERATION EXTRA\n");
		return EXIT_USAGE;
	}
	operation = find_operation(argv[2]);
	if (!operation)
		return EXIT_OK;
	openlog("dsync-vm-hook", LOG_PID, LOG_DAEMON);
	signal(SIGALRM, operation->must_succeed ? let_go : give_up);
	alarm(DEADLINE_S);
	if (run(operation, &xml, &err) == 0)
		return EXIT_OK;
	fprintf(stderr, "dsync-vm-hook: %s: %s: %s\n", argv[1], operation->name,
		err.text);
	return operation->must_succeed ? EXIT_OK : EXIT_FAILED;
}
