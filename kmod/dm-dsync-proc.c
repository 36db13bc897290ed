// SPDX-License-Identifier: GPL-2.0-only
/*
 * The files in /proc/dsync/NAME/: the sets, for user space.
 *
 *	dirty	text, a block number a line; a write clears it (if harmless)
 *	bitmap	the dirty set as bits
 *	frozen	the frozen set as bits
 *	seed	write only: further blocks to hold from the next epoch on
 *
 * All copy one page of bits under the epochs lock into a buffer of their own
 * and talk to user space without it: a page fault may need a device that
 * waits to be resumed, and a resume needs the lock. So what a reader gets is
 * consistent within 4 KiB; across a cut it has to look at the status line.
 *
 * procfs waits in proc_remove() for calls under way and fails later ones, so
 * a file that somebody keeps open holds neither the device nor the module.
 */
#include <linux/bitops.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/proc_fs.h>
#include <linux/sched/signal.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "dm-dsync-bitmap.h"
#include "dm-dsync-epoch.h"
#include "dm-dsync-proc.h"
#include "uapi/dsync.h"

/**
 * struct dsync_proc - the directory of one device
 * @node: in the list of names that are taken, guarded by the registry lock
 * @dir: the directory
 * @name: its name
 */
struct dsync_proc {
	struct list_head node;
	struct proc_dir_entry *dir;
	char name[];
};

static struct proc_dir_entry *root;
static LIST_HEAD(names);

/*-----------------------------------------------------------------*/

/* bitmap, frozen */

/* Copies page @page of a set; returns the bytes that exist in it. */
static size_t copy_bits(struct dsync_epochs *ep, enum dsync_set set, u64 page,
			unsigned long *buf)
{
	const struct dsync_bitmap *bm;
	size_t bytes = 0;

	mutex_lock(&ep->lock);
	bm = ep->sets->map[set];
	if (page < bm->nr_pages) {
		bytes = min_t(u64, DSYNC_PAGE_BYTES,
			      dsync_bitmap_bytes(bm) - page * DSYNC_PAGE_BYTES);
		dsync_bitmap_read(bm, page, buf);
	}
	mutex_unlock(&ep->lock);
	return bytes;
}

static ssize_t read_set(struct file *file, enum dsync_set set,
			char __user *ubuf, size_t count, loff_t *ppos)
{
	struct dsync_epochs *ep = pde_data(file_inode(file));
	unsigned long *buf = kmalloc(DSYNC_PAGE_BYTES, GFP_KERNEL);
	ssize_t done = 0;

	if (!buf)
		return -ENOMEM;
	while (count && !(done && signal_pending(current))) {
		size_t from = (u64)*ppos % DSYNC_PAGE_BYTES;
		size_t end =
			copy_bits(ep, set, (u64)*ppos / DSYNC_PAGE_BYTES, buf);
		size_t n;

		if (end <= from)
			break;
		n = min(count, end - from);
		if (copy_to_user(ubuf + done, (u8 *)buf + from, n)) {
			done = done ? done : -EFAULT;
			break;
		}
		done += n;
		count -= n;
		*ppos += n;
	}
	kfree(buf);
	return done;
}

static ssize_t dirty_bits_read(struct file *file, char __user *ubuf,
			       size_t count, loff_t *ppos)
{
	return read_set(file, DSYNC_DIRTY, ubuf, count, ppos);
}

static ssize_t frozen_bits_read(struct file *file, char __user *ubuf,
				size_t count, loff_t *ppos)
{
	return read_set(file, DSYNC_FROZEN, ubuf, count, ppos);
}

static loff_t set_lseek(struct file *file, loff_t offset, int whence)
{
	struct dsync_epochs *ep = pde_data(file_inode(file));
	u64 bytes;

	mutex_lock(&ep->lock);
	bytes = dsync_bitmap_bytes(ep->sets->map[DSYNC_DIRTY]);
	mutex_unlock(&ep->lock);
	return fixed_size_llseek(file, offset, whence, bytes);
}

static const struct proc_ops bitmap_ops = {
	.proc_read = dirty_bits_read,
	.proc_lseek = set_lseek,
};

static const struct proc_ops frozen_ops = {
	.proc_read = frozen_bits_read,
	.proc_lseek = set_lseek,
};

/*-----------------------------------------------------------------*/

/* seed */

static int seed_open(struct inode *inode, struct file *file)
{
	struct dsync_epochs *ep = pde_data(inode);

	if (!(file->f_flags & O_TRUNC))
		return 0;
	mutex_lock(&ep->lock);
	dsync_bitmap_clear(ep->sets->map[DSYNC_SEED]);
	mutex_unlock(&ep->lock);
	return 0;
}

/*
 * Overwrites part of one page of the seed. @page is used up. Returns the
 * bytes taken, none beyond the end.
 */
static size_t put_page_part(struct dsync_epochs *ep, loff_t pos, const u8 *in,
			    size_t count, unsigned long *page)
{
	size_t from = (u64)pos % DSYNC_PAGE_BYTES;
	u64 n = (u64)pos / DSYNC_PAGE_BYTES, bytes;
	struct dsync_bitmap *bm;

	mutex_lock(&ep->lock);
	bm = ep->sets->map[DSYNC_SEED];
	bytes = dsync_bitmap_bytes(bm);
	count = (u64)pos < bytes ? min_t(u64, count, bytes - pos) : 0;
	if (count) {
		dsync_bitmap_read(bm, n, page);
		memcpy((u8 *)page + from, in, count);
		page = dsync_bitmap_write(bm, n, page);
	}
	mutex_unlock(&ep->lock);
	kfree(page);
	return count;
}

static ssize_t seed_write(struct file *file, const char __user *ubuf,
			  size_t count, loff_t *ppos)
{
	struct dsync_epochs *ep = pde_data(file_inode(file));
	size_t n = min_t(size_t, count,
			 DSYNC_PAGE_BYTES - (u64)*ppos % DSYNC_PAGE_BYTES);
	unsigned long *page;
	u8 *in;

	if (!count)
		return 0;
	in = memdup_user(ubuf, n);
	if (IS_ERR(in))
		return PTR_ERR(in);
	page = kmalloc(DSYNC_PAGE_BYTES, GFP_KERNEL);
	n = page ? put_page_part(ep, *ppos, in, n, page) : 0;
	kfree(in);
	*ppos += n;
	if (!n)
		return page ? -ENOSPC : -ENOMEM;
	return n;
}

static const struct proc_ops seed_ops = {
	.proc_open = seed_open,
	.proc_write = seed_write,
	.proc_lseek = set_lseek,
};

/*-----------------------------------------------------------------*/

/* dirty */

/**
 * struct dirty_iter - walks over the dirty blocks
 * @ep: whose
 * @page: which page of bits is in @bits
 * @block: the block to show
 * @bits: the copy
 */
struct dirty_iter {
	struct dsync_epochs *ep;
	u64 page;
	u64 block;
	unsigned long bits[DSYNC_PAGE_BYTES / sizeof(long)];
};

/* Loads the next page from @page on that has blocks; false at the end. */
static bool load_page(struct dirty_iter *it, u64 page)
{
	const struct dsync_bitmap *bm;
	bool found = false;

	mutex_lock(&it->ep->lock);
	bm = it->ep->sets->map[DSYNC_DIRTY];
	if (page < bm->nr_pages)
		it->page = dsync_bitmap_next_page(bm, page);
	if (page < bm->nr_pages && it->page < bm->nr_pages) {
		dsync_bitmap_read(bm, it->page, it->bits);
		found = true;
	}
	mutex_unlock(&it->ep->lock);
	return found;
}

/* Finds the next dirty block from *@pos on in the copy or after it. */
static void *find_block(struct dirty_iter *it, loff_t *pos)
{
	u64 bit = (u64)*pos % DSYNC_PAGE_BITS;

	while ((bit = find_next_bit_le(it->bits, DSYNC_PAGE_BITS, bit)) ==
	       DSYNC_PAGE_BITS) {
		if (!load_page(it, it->page + 1))
			return NULL;
		bit = 0;
		cond_resched();
	}
	it->block = (it->page << DSYNC_PAGE_SHIFT) + bit;
	*pos = it->block;
	return it;
}

static void *dirty_start(struct seq_file *m, loff_t *pos)
{
	struct dirty_iter *it = m->private;
	u64 page = (u64)*pos >> DSYNC_PAGE_SHIFT;

	if (!load_page(it, page))
		return NULL;
	if (it->page != page)
		*pos = it->page << DSYNC_PAGE_SHIFT;
	return find_block(it, pos);
}

static void *dirty_next(struct seq_file *m, void *v, loff_t *pos)
{
	struct dirty_iter *it = v;

	*pos = it->block + 1;
	if ((u64)*pos % DSYNC_PAGE_BITS == 0)
		return dirty_start(m, pos);
	return find_block(it, pos);
}

static void dirty_stop(struct seq_file *m, void *v)
{
}

static int dirty_show(struct seq_file *m, void *v)
{
	const struct dirty_iter *it = v;

	seq_printf(m, "%llu\n", it->block);
	return 0;
}

static const struct seq_operations dirty_seq_ops = {
	.start = dirty_start,
	.next = dirty_next,
	.stop = dirty_stop,
	.show = dirty_show,
};

static int dirty_open(struct inode *inode, struct file *file)
{
	struct dirty_iter *it;

	it = __seq_open_private(file, &dirty_seq_ops, sizeof(*it));
	if (!it)
		return -ENOMEM;
	it->ep = pde_data(inode);
	return 0;
}

static ssize_t dirty_write(struct file *file, const char __user *ubuf,
			   size_t count, loff_t *ppos)
{
	int r = dsync_epochs_clear(pde_data(file_inode(file)));

	return r ? r : count;
}

static const struct proc_ops dirty_ops = {
	.proc_open = dirty_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_write = dirty_write,
	.proc_release = seq_release_private,
};

/*-----------------------------------------------------------------*/

/* Directories */

/* procfs warns about such names instead of just failing. */
static bool is_name_usable(const char *name)
{
	const struct dsync_proc *proc;

	if (!*name || !strcmp(name, ".") || !strcmp(name, "..") ||
	    strchr(name, '/'))
		return false;
	list_for_each_entry(proc, &names, node)
		if (!strcmp(proc->name, name))
			return false;
	return true;
}

static bool create_files(struct proc_dir_entry *dir, struct dsync_epochs *ep)
{
	return proc_create_data(DSYNC_PROC_DIRTY, 0600, dir, &dirty_ops, ep) &&
	       proc_create_data(DSYNC_PROC_BITMAP, 0600, dir, &bitmap_ops,
				ep) &&
	       proc_create_data(DSYNC_PROC_FROZEN, 0600, dir, &frozen_ops,
				ep) &&
	       proc_create_data(DSYNC_PROC_SEED, 0600, dir, &seed_ops, ep);
}

/**
 * dsync_proc_create() - makes the files of a device
 * @name: the device's name
 * @numbers: MAJ:MIN, used if that name is taken
 * @ep: what they show; must have sets and live until dsync_proc_remove()
 *
 * Return: the files, or NULL if that failed.
 *
 * Context: may sleep; under the registry lock.
 */
struct dsync_proc *dsync_proc_create(const char *name, const char *numbers,
				     struct dsync_epochs *ep)
{
	struct dsync_proc *proc;
	size_t length;

	if (!is_name_usable(name))
		name = numbers;
	if (!is_name_usable(name))
		return NULL;

	length = strlen(name) + 1;
	proc = kzalloc(sizeof(*proc) + length, GFP_KERNEL);
	if (!proc)
		return NULL;
	memcpy(proc->name, name, length);
	proc->dir = proc_mkdir_mode(name, 0700, root);
	if (!proc->dir)
		goto err_free_proc;
	if (!create_files(proc->dir, ep))
		goto err_remove_dir;
	list_add(&proc->node, &names);
	return proc;

err_remove_dir:
	proc_remove(proc->dir);
err_free_proc:
	kfree(proc);
	return NULL;
}

/**
 * dsync_proc_remove() - takes the files away; the name stays taken
 * @proc: the files or NULL
 *
 * Context: waits for readers and writers, so not under any lock.
 */
void dsync_proc_remove(struct dsync_proc *proc)
{
	if (proc)
		proc_remove(proc->dir);
}

/**
 * dsync_proc_free() - lets the name go
 * @proc: files that were removed, or NULL
 *
 * Context: under the registry lock.
 */
void dsync_proc_free(struct dsync_proc *proc)
{
	if (!proc)
		return;
	list_del(&proc->node);
	kfree(proc);
}

/**
 * dsync_proc_init() - makes /proc/dsync
 *
 * Return: 0 or -ENOMEM.
 */
int __init dsync_proc_init(void)
{
	root = proc_mkdir(DSYNC_PROC_DIR, NULL);
	return root ? 0 : -ENOMEM;
}

/**
 * dsync_proc_exit() - removes it
 */
void dsync_proc_exit(void)
{
	proc_remove(root);
}
