/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name has no slash, a path that is not to be taken for one has: ./nas.  An
 * operand that is neither a name nor there is more likely a slip of the former
 * kind, and the error says so.
 */
#include "cmd/configured.h"

#include <string.h>
#include <unistd.h>

#include "base/uuid.h"
#include "cmd/options.h"
#include "vm/host.h"

/* The name of the domain with that uuid; libvirt knows. */
static int read_by_uuid(const struct options *options, const char *uuid,
			struct config *ret_config, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = NULL;
	_cleanup_vm_dom_ struct vm_dom *dom = NULL;
	int r = vm_host_open(options->connect, &host, err);

	if (r == 0)
		r = vm_dom_find(host, uuid, &dom, err);
	if (r == 0)
		return config_read(PLACE_CONFIG, vm_dom_name(dom), uuid, NULL,
				   ret_config, err);
	err_prefix(err, "which [domain] of " PLACE_CONFIG " is about it, its "
			"name would say");
	return r;
}

int configured(const struct options *options, const char *domain,
	       struct config *ret_config, struct err *err)
{
	int r = config_read(PLACE_CONFIG, domain, NULL, NULL, ret_config, err);

	if (r < 0 || !domain || !ret_config->by_name || !uuid_valid(domain))
		return r;
	config_clear(ret_config);
	return read_by_uuid(options, domain, ret_config, err);
}

static int locate(const struct config *config, const char *spec,
		  const char **ret_location, struct err *err)
{
	const struct config_target *target = config_target(config, spec);

	*ret_location = target ? target->location : spec;
	if (target || !config->nr_targets || strchr(spec, '/') ||
	    access(spec, F_OK) == 0)
		return 0;
	return fail(
		err, -ENOENT,
		"%s: no such directory, and no [target %s] in " PLACE_CONFIG,
		spec, spec);
}

int configured_location(const struct options *options,
			const struct config *config, const char *spec,
			char **ret_location, struct err *err)
{
	const char *location;
	int r;

	if (!spec && !config->target)
		exit(options_usage(options,
				   "an argument is missing: " PLACE_CONFIG
				   " has no default target"));
	r = locate(config, spec ? spec : config->target, &location, err);
	if (r < 0)
		return r;
	*ret_location = strdup(location);
	return *ret_location ? 0 : fail(err, -ENOMEM, "out of memory");
}

uint64_t configured_bwlimit(const struct config *config, const char *spec,
			    const char *location)
{
	const struct config_target *target =
		config_target(config, spec ? spec : config->target);

	if (!target)
		target = config_target_at(config, location);
	return target ? target->bwlimit_bytes : 0;
}

int configured_target(const struct options *options, const char *domain,
		      const char *spec, char **ret_location, struct err *err)
{
	_cleanup_config_ struct config config = {0};
	int r = 0;

	/* Who restores with a path can do without a file that is broken. */
	if (!spec || !strchr(spec, '/'))
		r = configured(options, spec ? NULL : domain, &config, err);
	return r < 0 ? r
		     : configured_location(options, &config, spec, ret_location,
					   err);
}
