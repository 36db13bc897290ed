/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt's call returns when all is over, so it has a thread; every other call
 * goes over the same connection beside it.
 *
 * VIR_MIGRATE_UNSAFE: libvirt looks for shared storage, or caches that no stale
 * block can stay in, and knows neither of our copy nor of what writes it.
 */
#include "vm/migrate.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/err.h"
#include "vm/dom.h"

#define FLAGS                                                               \
	(VIR_MIGRATE_LIVE | VIR_MIGRATE_PAUSED | VIR_MIGRATE_PERSIST_DEST | \
	 VIR_MIGRATE_UNSAFE)
/* A guest that stands still a thousandth of a second longer does not notice;
 * QEMU must not take what is left for little enough to end by itself. */
#define LEAST_DOWNTIME_MS 1
#define SLICE_MS 20
#define ENDING_MS 2000 /* from the job's end to that of the call */
/* libvirt and QEMU take this for no limit. */
#define NO_LIMIT_MIB 8192

struct vm_migration {
	virDomainPtr domain; /* references of our own */
	virConnectPtr to;
	virTypedParameterPtr params;
	int nr_params, max_params;
	pthread_t thread;
	atomic_bool ended;
	int result;
	struct err err;
};

static void *run(void *opaque)
{
	struct vm_migration *migration = opaque;
	virDomainPtr there = virDomainMigrate3(migration->domain, migration->to,
					       migration->params,
					       migration->nr_params, FLAGS);

	if (there)
		virDomainFree(there);
	else
		migration->result = vm_fail(&migration->err, -EIO, "migration");
	atomic_store(&migration->ended, true);
	return NULL;
}

static int add(struct vm_migration *migration, const char *name,
	       const char *value)
{
	if (!value)
		return 0;
	return virTypedParamsAddString(&migration->params,
				       &migration->nr_params,
				       &migration->max_params, name, value);
}

/* It must not come to its end before it is known how far it is. */
static int add_speed(struct vm_migration *migration)
{
	return virTypedParamsAddULLong(&migration->params,
				       &migration->nr_params,
				       &migration->max_params,
				       VIR_MIGRATE_PARAM_BANDWIDTH,
				       VM_MIGRATE_SLOWEST);
}

static void forget(struct vm_migration *migration)
{
	virTypedParamsFree(migration->params, migration->nr_params);
	if (migration->domain)
		virDomainFree(migration->domain);
	if (migration->to)
		virConnectClose(migration->to);
	free(migration);
}
DEFINE_CLEANUP(struct vm_migration *, forget);

int vm_migrate_start(struct vm_dom *dom,
		     const struct vm_migrate_request *request,
		     struct vm_migration **ret_migration, struct err *err)
{
	_cleanup_(cleanup_forget) struct vm_migration *migration =
		calloc(1, sizeof(*migration));
	int r;

	if (!migration)
		return fail(err, -ENOMEM, "out of memory");
	if (virDomainRef(dom->domain) == 0)
		migration->domain = dom->domain;
	if (virConnectRef(request->to->connection) == 0)
		migration->to = request->to->connection;
	if (!migration->domain || !migration->to || add_speed(migration) < 0 ||
	    add(migration, VIR_MIGRATE_PARAM_URI, request->uri) < 0 ||
	    add(migration, VIR_MIGRATE_PARAM_DEST_XML, request->xml) < 0 ||
	    add(migration, VIR_MIGRATE_PARAM_PERSIST_XML, request->next) < 0)
		return vm_fail(err, -ENOMEM, "migration");
	r = pthread_create(&migration->thread, NULL, run, migration);
	if (r)
		return fail_errno(err, -r, "migration: thread");
	*ret_migration = TAKE_PTR(migration);
	return 0;
}

bool vm_migrate_has_ended(const struct vm_migration *migration)
{
	return atomic_load(&migration->ended);
}

/* There is nothing to be asked of a migration that has just come to its end. */
static int refused(const struct vm_migration *migration, const char *what,
		   struct err *err)
{
	struct err why = {0};

	(void)vm_fail(&why, -EIO, what);
	for (int ms = 0; ms < ENDING_MS; ms += SLICE_MS) {
		if (vm_migrate_has_ended(migration))
			return 0;
		poll(NULL, 0, SLICE_MS);
	}
	return fail(err, why.code, "%s", why.text);
}

static uint64_t find(virTypedParameterPtr params, int count, const char *name)
{
	unsigned long long value = 0;

	(void)virTypedParamsGetULLong(params, count, name, &value);
	return value;
}

int vm_migrate_progress(struct vm_migration *migration,
			struct vm_migrate_progress *ret_progress,
			struct err *err)
{
	virTypedParameterPtr params = NULL;
	int type, count = 0;

	*ret_progress = (struct vm_migrate_progress){0};
	if (vm_migrate_has_ended(migration))
		return 0;
	if (virDomainGetJobStats(migration->domain, &type, &params, &count, 0) <
	    0)
		return refused(migration, "progress of the migration", err);
	if (type != VIR_DOMAIN_JOB_NONE) {
		ret_progress->total_bytes =
			find(params, count, VIR_DOMAIN_JOB_MEMORY_TOTAL);
		ret_progress->left_bytes =
			find(params, count, VIR_DOMAIN_JOB_MEMORY_REMAINING);
		ret_progress->bytes_per_s =
			find(params, count, VIR_DOMAIN_JOB_MEMORY_BPS);
		ret_progress->iterations =
			find(params, count, VIR_DOMAIN_JOB_MEMORY_ITERATION);
	}
	virTypedParamsFree(params, count);
	return 0;
}

int vm_migrate_set_speed(struct vm_migration *migration,
			 unsigned long mib_per_s, struct err *err)
{
	virDomainPtr domain = migration->domain;

	if (vm_migrate_has_ended(migration))
		return 0;
	(void)virDomainMigrateSetMaxDowntime(domain, LEAST_DOWNTIME_MS, 0);
	if (mib_per_s == VM_MIGRATE_UNLIMITED)
		mib_per_s = NO_LIMIT_MIB;
	return virDomainMigrateSetMaxSpeed(domain, mib_per_s, 0) < 0
		       ? refused(migration, "speed of the migration", err)
		       : 0;
}

bool vm_dom_is_migrating(struct vm_dom *dom)
{
	virTypedParameterPtr params = NULL;
	int type = VIR_DOMAIN_JOB_NONE, count = 0, operation = 0;

	if (virDomainGetJobStats(dom->domain, &type, &params, &count, 0) < 0)
		return false;
	(void)virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION,
				   &operation);
	virTypedParamsFree(params, count);
	return type != VIR_DOMAIN_JOB_NONE &&
	       operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT;
}

bool vm_dom_has_migrated(struct vm_dom *dom)
{
	int state, reason;

	return virDomainGetState(dom->domain, &state, &reason, 0) == 0 &&
	       state == VIR_DOMAIN_SHUTOFF &&
	       reason == VIR_DOMAIN_SHUTOFF_MIGRATED;
}

void vm_dom_abort_migration(struct vm_dom *dom)
{
	(void)virDomainAbortJob(dom->domain);
}

void vm_migrate_abort(struct vm_migration *migration)
{
	if (!vm_migrate_has_ended(migration))
		(void)virDomainAbortJob(migration->domain);
}

void vm_migrate_leave(struct vm_migration *migration)
{
	pthread_detach(migration->thread);
}

int vm_migrate_wait(struct vm_migration *migration, unsigned int wait_ms,
		    struct err *err)
{
	_cleanup_(cleanup_forget) struct vm_migration *owned = NULL;

	for (unsigned int ms = 0; wait_ms && ms < wait_ms; ms += SLICE_MS) {
		if (vm_migrate_has_ended(migration))
			break;
		poll(NULL, 0, SLICE_MS);
	}
	if (wait_ms && !vm_migrate_has_ended(migration)) {
		vm_migrate_leave(migration);
		return fail(err, -ETIMEDOUT,
			    "migration: the other host does not answer");
	}
	owned = migration;
	pthread_join(owned->thread, NULL);
	return owned->result < 0
		       ? fail(err, owned->result, "%s", owned->err.text)
		       : 0;
}
