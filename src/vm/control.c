/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Thin on purpose: what a failure means is for the caller to say. */
#include "vm/control.h"

#include "base/err.h"
#include "vm/dom.h"

int vm_dom_suspend(struct vm_dom *dom, struct err *err)
{
	return virDomainSuspend(dom->domain) < 0
		       ? vm_fail(err, -EIO, "suspend the domain")
		       : 0;
}

int vm_dom_go_on(struct vm_dom *dom, struct err *err)
{
	struct vm_dom_state state;
	struct err why = {0};

	if (virDomainResume(dom->domain) == 0)
		return 0;
	(void)vm_fail(&why, -EIO, "resume the domain");
	if (vm_dom_state(dom, &state, NULL) == 0 && state.running)
		return 0;
	return fail(err, why.code, "%s", why.text);
}

int vm_dom_start(struct vm_dom *dom, struct err *err)
{
	return virDomainCreate(dom->domain) < 0
		       ? vm_fail(err, -EIO, "start the domain")
		       : 0;
}

int vm_dom_shutdown(struct vm_dom *dom, struct err *err)
{
	return virDomainShutdown(dom->domain) < 0
		       ? vm_fail(err, -EIO, "shut the domain down")
		       : 0;
}

int vm_dom_destroy(struct vm_dom *dom, struct err *err)
{
	return virDomainDestroy(dom->domain) < 0
		       ? vm_fail(err, -EIO, "end the domain")
		       : 0;
}

int vm_dom_undefine(struct vm_dom *dom, struct err *err)
{
	return virDomainUndefineFlags(
		       dom->domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
					    VIR_DOMAIN_UNDEFINE_KEEP_NVRAM) < 0
		       ? vm_fail(err, -EIO, "undefine the domain")
		       : 0;
}
