/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libvirt's agent commands wait for ever unless the domain has a response
 * timeout.  That timeout is one setting for all users of the domain and there
 * is no call that reads it.  libvirtd's own status file has it, readable by
 * root on the same host; where it cannot be read, libvirt's default is put
 * back.
 *
 * libvirt sends guest-sync before each command, so the answer to a thaw is
 * never the late answer to an earlier command, and the agent executes in
 * order: an answered thaw has undone every freeze sent before it.
 */
#include "vm/freeze.h"

#include <libvirt/libvirt-qemu.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/io.h"
#include "vm/dom.h"

#define STATUS_FILE "/run/libvirt/qemu/%s.xml"
#define STATUS_MAX_BYTES (4 << 20)
#define STATUS_QUESTION_S 5
#define THAW_ANSWER_S 5
#define THAW_PAUSE_MS 500

/* The timeout that is set now, in seconds or VIR_DOMAIN_AGENT_RESPONSE_... */
static int agent_timeout(struct vm_dom *dom)
{
	static const char tag[] = "<agentTimeout>";
	_cleanup_free_ char *path = io_format(STATUS_FILE, vm_dom_name(dom));
	_cleanup_free_ char *status = NULL;
	const char *found = NULL;
	long value;

	if (path &&
	    io_read_file(path, STATUS_MAX_BYTES, &status, NULL, NULL) == 0)
		found = strstr(status, tag);
	if (!found)
		return VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK;
	value = strtol(found + strlen(tag), NULL, 10);
	if (value < VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK || value > INT_MAX)
		return VIR_DOMAIN_AGENT_RESPONSE_TIMEOUT_BLOCK;
	return value;
}

static bool has_ended(struct vm_dom *dom)
{
	return virDomainIsActive(dom->domain) == 0;
}

/*
 * Asks the agent itself whether filesystems are frozen. Only after a refused
 * freeze, because libvirt marks a domain that got such a raw command.
 */
static bool is_frozen(struct vm_dom *dom)
{
	static const char question[] =
		"{\"execute\":\"guest-fsfreeze-status\"}";
	_cleanup_free_ char *answer = virDomainQemuAgentCommand(
		dom->domain, question, STATUS_QUESTION_S, 0);

	return answer && strstr(answer, "\"frozen\"");
}

/*
 * Only these say for sure that the guest is not frozen (the agent undoes a
 * freeze that failed half-way itself).  No answer in time, and whatever later
 * versions of libvirt call it, says nothing.
 */
static bool is_refusal(int code)
{
	switch (code) {
	case VIR_ERR_NO_SUPPORT:
	case VIR_ERR_OPERATION_UNSUPPORTED:
	case VIR_ERR_ARGUMENT_UNSUPPORTED:
	case VIR_ERR_CONFIG_UNSUPPORTED:
	case VIR_ERR_OPERATION_INVALID:
	case VIR_ERR_INTERNAL_ERROR: /* the agent answered with an error */
		return true;
	default:
		return false;
	}
}

static void explain(struct vm_dom *dom, struct vm_freeze *freeze)
{
	struct err why = {0};
	int code = vm_last_error();

	freeze->result = is_refusal(code) ? VM_FREEZE_NONE : VM_FREEZE_LATE;
	vm_fail(&why, -EIO, "guest agent");
	memcpy(freeze->reason, why.text, sizeof(freeze->reason));
	freeze->reason[sizeof(freeze->reason) - 1] = '\0';
	if (code == VIR_ERR_INTERNAL_ERROR && is_frozen(dom)) {
		freeze->result = VM_FREEZE_OTHER;
		stpcpy(freeze->reason, "already frozen by somebody else");
	}
}

/* VIR_ERR_AGENT_UNRESPONSIVE also means: nobody has the channel open. */
static bool is_agent_connected(struct vm_dom *dom)
{
	_cleanup_free_ char *xml = virDomainGetXMLDesc(dom->domain, 0);
	const char *name = xml ? strstr(xml, "'org.qemu.guest_agent.0'") : NULL;
	const char *end = name ? strstr(name, "/>") : NULL;
	const char *state = name ? strstr(name, "state='disconnected'") : NULL;

	return name && !(state && end && state < end);
}

int vm_freeze(struct vm_dom *dom, unsigned int timeout_s,
	      struct vm_freeze *ret_freeze, struct err *err)
{
	struct vm_freeze freeze = {.result = VM_FREEZE_NONE};
	int old_timeout, count;

	if (!is_agent_connected(dom)) {
		stpcpy(freeze.reason,
		       "guest agent: not installed or not running");
		*ret_freeze = freeze;
		return 0;
	}
	old_timeout = agent_timeout(dom);
	if (virDomainAgentSetResponseTimeout(dom->domain, timeout_s, 0) < 0)
		return vm_fail(err, -EIO, "guest agent's timeout");
	count = virDomainFSFreeze(dom->domain, NULL, 0, 0);
	if (count < 0)
		explain(dom, &freeze);
	else
		freeze.result = VM_FROZEN;
	freeze.nr_filesystems = count < 0 ? 0 : count;
	(void)virDomainAgentSetResponseTimeout(dom->domain, old_timeout, 0);
	*ret_freeze = freeze;
	return 0;
}

static long elapsed_ms(const struct timespec *since)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - since->tv_sec) * 1000 +
	       (now.tv_nsec - since->tv_nsec) / 1000000;
}

static int thaw_until(struct vm_dom *dom, long deadline_ms, struct err *err)
{
	const struct timespec pause = {.tv_nsec = THAW_PAUSE_MS * 1000000L};
	struct timespec start;
	struct err why = {0};

	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		int count = virDomainFSThaw(dom->domain, NULL, 0, 0);

		if (count >= 0)
			return count;
		err_clear(&why);
		vm_fail(&why, -ETIMEDOUT, "thaw");
		if (has_ended(dom))
			return 0;
		nanosleep(&pause, NULL);
	} while (elapsed_ms(&start) < deadline_ms);
	return fail(err, -ETIMEDOUT,
		    "%s: the guest may still be frozen (%s); try 'virsh "
		    "domfsthaw'",
		    vm_dom_name(dom), why.text);
}

int vm_thaw(struct vm_dom *dom, unsigned int deadline_s, struct err *err)
{
	int old_timeout = agent_timeout(dom), r;

	(void)virDomainAgentSetResponseTimeout(dom->domain, THAW_ANSWER_S, 0);
	r = thaw_until(dom, deadline_s * 1000L, err);
	(void)virDomainAgentSetResponseTimeout(dom->domain, old_timeout, 0);
	return r;
}
