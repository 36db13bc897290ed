/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Thin on purpose: each function is one call of libvirt and its error.  A
 * domain is looked up by name first, so one that is named like another's uuid
 * is found under its name, as virsh does it.
 */
#include "vm/host.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "vm/dom.h"
#include "vm/domain-xml.h"
#include "vm/record.h"

#define DEFAULT_URI "qemu:///system"

static void keep_quiet(void *data, virErrorPtr error)
{
}

int vm_last_error(void)
{
	virErrorPtr error = virGetLastError();

	return error ? error->code : VIR_ERR_OK;
}

int vm_fail(struct err *err, int code, const char *what)
{
	virErrorPtr error = virGetLastError();

	return fail(err, code, "%s: %s", what,
		    error && error->message ? error->message
					    : "libvirt gave no reason");
}

int vm_host_open(const char *uri, struct vm_host **ret_host, struct err *err)
{
	_cleanup_vm_host_ struct vm_host *host = calloc(1, sizeof(*host));

	if (!host)
		return fail(err, -ENOMEM, "libvirt: out of memory");
	virSetErrorFunc(NULL, keep_quiet);
	if (!uri)
		uri = getenv("LIBVIRT_DEFAULT_URI");
	if (!uri || !uri[0])
		uri = DEFAULT_URI;
	host->connection = virConnectOpen(uri);
	if (!host->connection)
		return vm_fail(err, -ENOTCONN, uri);
	*ret_host = TAKE_PTR(host);
	return 0;
}

void vm_host_close(struct vm_host *host)
{
	if (!host)
		return;
	if (host->connection)
		virConnectClose(host->connection);
	free(host);
}

/* Takes @domain over. */
static struct vm_dom *wrap(virDomainPtr domain)
{
	struct vm_dom *dom = calloc(1, sizeof(*dom));

	if (!dom || virDomainGetUUIDString(domain, dom->uuid) < 0) {
		virDomainFree(domain);
		free(dom);
		return NULL;
	}
	dom->domain = domain;
	return dom;
}

int vm_dom_find(struct vm_host *host, const char *name_or_uuid,
		struct vm_dom **ret_dom, struct err *err)
{
	virDomainPtr domain =
		virDomainLookupByName(host->connection, name_or_uuid);
	struct vm_dom *dom;

	if (!domain && uuid_valid(name_or_uuid))
		domain = virDomainLookupByUUIDString(host->connection,
						     name_or_uuid);
	if (!domain && vm_last_error() == VIR_ERR_NO_DOMAIN)
		return fail(err, -ENOENT,
			    "%s: no such domain; 'virsh list --all' shows "
			    "them",
			    name_or_uuid);
	if (!domain)
		return vm_fail(err, -EIO, name_or_uuid);
	dom = wrap(domain);
	if (!dom)
		return fail(err, -ENOMEM, "%s: out of memory", name_or_uuid);
	*ret_dom = dom;
	return 0;
}

void vm_dom_free(struct vm_dom *dom)
{
	if (!dom)
		return;
	virDomainFree(dom->domain);
	free(dom);
}

void vm_dom_list_free(struct vm_dom **doms)
{
	for (struct vm_dom **dom = doms; dom && *dom; dom++)
		vm_dom_free(*dom);
	free(doms);
}

int vm_dom_list(struct vm_host *host, struct vm_dom ***ret_doms,
		struct err *err)
{
	_cleanup_vm_dom_list_ struct vm_dom **doms = NULL;
	virDomainPtr *found = NULL;
	int count = virConnectListAllDomains(host->connection, &found, 0);
	int used = 0;

	if (count < 0)
		return vm_fail(err, -EIO, "list of domains");
	doms = calloc(count + 1, sizeof(*doms));
	for (int i = 0; i < count; i++) {
		if (!doms)
			virDomainFree(found[i]);
		else if ((doms[used] = wrap(found[i])))
			used++;
	}
	free(found);
	if (!doms || used < count)
		return fail(err, -ENOMEM, "list of domains: out of memory");
	*ret_doms = TAKE_PTR(doms);
	return 0;
}

const char *vm_dom_name(const struct vm_dom *dom)
{
	return virDomainGetName(dom->domain);
}

const char *vm_dom_uuid(const struct vm_dom *dom)
{
	return dom->uuid;
}

int vm_dom_state(struct vm_dom *dom, struct vm_dom_state *ret_state,
		 struct err *err)
{
	int active = virDomainIsActive(dom->domain);
	int persistent = virDomainIsPersistent(dom->domain);
	int state = VIR_DOMAIN_NOSTATE, saved;

	if (active < 0 || persistent < 0 ||
	    virDomainGetState(dom->domain, &state, NULL, 0) < 0)
		return vm_fail(err, -EIO, vm_dom_name(dom));
	/* The test driver, and others, have no managed save. */
	saved = virDomainHasManagedSaveImage(dom->domain, 0);
	*ret_state = (struct vm_dom_state){
		.active = active,
		.running = state == VIR_DOMAIN_RUNNING,
		.persistent = persistent,
		.saved = saved > 0,
	};
	return 0;
}

int vm_dom_xml(struct vm_dom *dom, enum vm_xml_which which, char **ret_xml,
	       struct err *err)
{
	unsigned int flags = 0;
	char *xml;

	if (which == VM_XML_NEXT)
		flags = VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE;
	if (which == VM_XML_MOVE)
		flags = VIR_DOMAIN_XML_MIGRATABLE | VIR_DOMAIN_XML_SECURE;
	xml = virDomainGetXMLDesc(dom->domain, flags);
	if (!xml)
		return vm_fail(err, -EIO, vm_dom_name(dom));
	*ret_xml = xml;
	return 0;
}

int vm_dom_read(struct vm_host *host, struct vm_dom *dom,
		enum vm_xml_which which, struct vm_domain **ret_domain,
		struct err *err)
{
	_cleanup_vm_domain_ struct vm_domain *domain = NULL;
	_cleanup_free_ char *xml = NULL;
	int r = vm_dom_xml(dom, which, &xml, err);

	if (r == 0)
		r = vm_record_recover(&xml, err);
	if (r == 0)
		r = vm_domain_parse(xml, &domain, err);
	if (r == 0)
		r = vm_host_resolve(host, domain, err);
	if (r < 0)
		return r;
	*ret_domain = TAKE_PTR(domain);
	return 0;
}

int vm_host_define(struct vm_host *host, const char *xml, struct err *err)
{
	virDomainPtr domain = virDomainDefineXML(host->connection, xml);

	if (!domain)
		return vm_fail(err, -EIO, "define the domain");
	virDomainFree(domain);
	return 0;
}

/* The path of a volume; NULL: libvirt does not know it now. */
static char *volume_path(struct vm_host *host, const struct vm_disk *disk)
{
	virStoragePoolPtr pool =
		virStoragePoolLookupByName(host->connection, disk->pool);
	virStorageVolPtr volume =
		pool ? virStorageVolLookupByName(pool, disk->volume) : NULL;
	char *path = volume ? virStorageVolGetPath(volume) : NULL;

	if (volume)
		virStorageVolFree(volume);
	if (pool)
		virStoragePoolFree(pool);
	return path;
}

int vm_host_resolve(struct vm_host *host, struct vm_domain *domain,
		    struct err *err)
{
	for (size_t i = 0; i < domain->nr_disks; i++) {
		struct vm_disk *disk = &domain->disks[i];
		struct err why = {0};

		if (!disk->pool || !disk->volume || disk->path)
			continue;
		disk->path = volume_path(host, disk);
		if (disk->path || disk->reason)
			continue;
		vm_fail(&why, -ENOENT, "its volume cannot be found");
		disk->reason = strdup(why.text);
		if (!disk->reason)
			return fail(err, -ENOMEM, "out of memory");
	}
	return 0;
}
