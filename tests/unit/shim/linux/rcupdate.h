/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RCU without grace periods: what is replaced is freed by the test, when its
 * readers are done.
 */
#ifndef SHIM_LINUX_RCUPDATE_H
#define SHIM_LINUX_RCUPDATE_H

#define __rcu

struct rcu_head {
	struct rcu_head *next;
};

void shim_free_later(void *p);

#define RCU_INIT_POINTER(p, v) ((p) = (v))
#define rcu_assign_pointer(p, v) __atomic_store_n(&(p), v, __ATOMIC_RELEASE)
#define rcu_dereference(p) __atomic_load_n(&(p), __ATOMIC_CONSUME)
#define rcu_dereference_protected(p, c) (p)
#define kvfree_rcu(p, head) shim_free_later(p)

#endif
