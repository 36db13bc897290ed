/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hypervisor: a connection to libvirt and the domains found through it.
 *
 * libvirt prints its errors on stderr by default; here they are silenced and
 * travel in struct err like all others.  Only vm/ includes libvirt.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/uuid.h"

struct err;
struct vm_domain;
struct vm_host;
struct vm_dom;

/*
 * @uri NULL: LIBVIRT_DEFAULT_URI, else qemu:///system. The caller closes it,
 * after all domains found through it.
 */
int vm_host_open(const char *uri, struct vm_host **ret_host, struct err *err);
void vm_host_close(struct vm_host *host);

/* By name, else by uuid. -ENOENT: there is none. The caller frees it. */
int vm_dom_find(struct vm_host *host, const char *name_or_uuid,
		struct vm_dom **ret_dom, struct err *err);
void vm_dom_free(struct vm_dom *dom);

#include "base/cleanup.h"
DEFINE_CLEANUP(struct vm_host *, vm_host_close);
DEFINE_CLEANUP(struct vm_dom *, vm_dom_free);
#define _cleanup_vm_host_ _cleanup_(cleanup_vm_host_close)
#define _cleanup_vm_dom_ _cleanup_(cleanup_vm_dom_free)

/* All domains, running or not; an array that ends with NULL. */
int vm_dom_list(struct vm_host *host, struct vm_dom ***ret_doms,
		struct err *err);
void vm_dom_list_free(struct vm_dom **doms);
DEFINE_CLEANUP(struct vm_dom **, vm_dom_list_free);
#define _cleanup_vm_dom_list_ _cleanup_(cleanup_vm_dom_list_free)

/* They live as long as @dom. */
const char *vm_dom_name(const struct vm_dom *dom);
const char *vm_dom_uuid(const struct vm_dom *dom);

struct vm_dom_state {
	bool active;     /* QEMU runs, paused or not */
	bool running;    /* and its guest's processors do */
	bool persistent; /* has a definition that outlives its run */
	bool saved;      /* managed save: QEMU's state waits in a file */
};

int vm_dom_state(struct vm_dom *dom, struct vm_dom_state *ret_state,
		 struct err *err);

enum vm_xml_which {
	VM_XML_NOW,  /* live if it runs, else what the next start takes */
	VM_XML_NEXT, /* what the next start takes, with its secrets */
	VM_XML_MOVE, /* live, as another host takes it, with its secrets */
};

/* The caller frees @ret_xml. */
int vm_dom_xml(struct vm_dom *dom, enum vm_xml_which which, char **ret_xml,
	       struct err *err);

/* vm_dom_xml(), vm_record_recover(), vm_domain_parse() and vm_host_resolve(). */
int vm_dom_read(struct vm_host *host, struct vm_dom *dom,
		enum vm_xml_which which, struct vm_domain **ret_domain,
		struct err *err);

/* Whether the domain of @xml can run there at all, as far as its machine and
 * its emulator go. -EOPNOTSUPP: it cannot. */
int vm_host_check_machine(struct vm_host *host, const char *xml,
			  struct err *err);

/* Defines a domain, or replaces the definition of the one with its uuid. */
int vm_host_define(struct vm_host *host, const char *xml, struct err *err);

/*
 * Fills in ->path of disks of type volume from their pools. One that can not
 * be resolved (pool not running) gets a ->reason instead.
 */
int vm_host_resolve(struct vm_host *host, struct vm_domain *domain,
		    struct err *err);
