/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For vm/ only: what is behind struct vm_host and struct vm_dom. */
#pragma once

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>

#include "vm/host.h"

struct vm_host {
	virConnectPtr connection;
};

struct vm_dom {
	virDomainPtr domain;
	char uuid[UUID_SIZE];
};

/* Records libvirt's last error as "@what: its message". Returns @code. */
int vm_fail(struct err *err, int code, const char *what);
/* libvirt's number of the last error, VIR_ERR_OK if there is none. */
int vm_last_error(void);
