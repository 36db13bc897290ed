/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The domain's XML decides; the copy is read only where the XML says nothing. */
#include "vm/record.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/io.h"
#include "vm/domain-xml.h"

#define MAX_BYTES (1 << 20)
#define DIRECTORY PLACE_STATE "/%s"
#define RECORD DIRECTORY "/original.xml"

int vm_record_save(const char *uuid, const char *xml, struct err *err)
{
	_cleanup_free_ char *directory = io_format(DIRECTORY, uuid);
	_cleanup_free_ char *path = io_format(RECORD, uuid);
	_cleanup_free_ char *record = NULL;
	int r = vm_xml_record(xml, &record, err);

	if (r < 0)
		return r;
	if (!directory || !path)
		return fail(err, -ENOMEM, "out of memory");
	r = io_make_dirs(directory, err);
	if (r < 0)
		return r;
	return io_replace_file(path, record, strlen(record), 0600, err);
}

/* Not for a domain that merely has not been started since attach. */
static bool has_lost_it(const struct vm_domain *domain)
{
	for (size_t i = 0; i < domain->nr_disks; i++)
		if (domain->disks[i].name[0] && !domain->has_metadata)
			return true;
	return false;
}

int vm_record_recover(char **xml, struct err *err)
{
	_cleanup_free_ char *path = NULL, *record = NULL, *whole = NULL;
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	int r = vm_domain_parse(*xml, &domain, err);

	if (r < 0 || !has_lost_it(domain))
		return r;
	path = io_format(RECORD, domain->uuid);
	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (access(path, R_OK) < 0)
		return 0;
	r = io_read_file(path, MAX_BYTES, &record, NULL, err);
	if (r == 0)
		r = vm_xml_recover(*xml, record, &whole, err);
	if (r < 0) {
		err_prefix(err, "%s", path);
		return r;
	}
	free(*xml);
	*xml = TAKE_PTR(whole);
	return 0;
}

int vm_record_forget(const char *uuid, struct err *err)
{
	_cleanup_free_ char *path = io_format(RECORD, uuid);

	if (!path)
		return fail(err, -ENOMEM, "out of memory");
	if (unlink(path) < 0 && errno != ENOENT)
		return fail_errno(err, -errno, "%s", path);
	return 0;
}
