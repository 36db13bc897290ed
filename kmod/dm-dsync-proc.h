/* SPDX-License-Identifier: GPL-2.0-only */
/* The files in /proc/dsync/NAME/: the sets, for user space. */
#ifndef DM_DSYNC_PROC_H
#define DM_DSYNC_PROC_H

struct dsync_epochs;
struct dsync_proc;

int dsync_proc_init(void);
void dsync_proc_exit(void);

struct dsync_proc *dsync_proc_create(const char *name, const char *numbers,
				     struct dsync_epochs *ep);
void dsync_proc_remove(struct dsync_proc *proc);
void dsync_proc_free(struct dsync_proc *proc);

#endif
