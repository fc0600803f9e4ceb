// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A driver that holds pages, for asking Linux who waits for whom: /dev/hfhold.
 *
 * It does what drivers do and nothing else: pin_user_pages or get_user_pages, later unpin_user_page
 * or put_page. What it holds when the machine is powered off it holds for ever, on purpose: after
 * its device has gone, a put would write to memory that is no record any more.
 */
#include <linux/fs.h>
#include <linux/memremap.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/uaccess.h>

#include "hfhold.h"

static DEFINE_MUTEX(one_at_a_time);
/* Under one_at_a_time. */
static struct holder {
	struct page *page; /* NULL: holds nothing */
	bool pin;
	unsigned long pfn; /* of the last page; zero: none yet */
} holders[HFH_HOLDERS];

static int take(u64 addr, u32 how, struct page **page)
{
	unsigned int flags =
		(how & HFH_READ ? 0 : FOLL_WRITE) | (how & HFH_LONGTERM ? FOLL_LONGTERM : 0);
	int got;

	if (!(how & HFH_SLOW))
		return how & HFH_PIN ? pin_user_pages_fast(addr, 1, flags, page)
				     : get_user_pages_fast(addr, 1, flags, page);
	mmap_read_lock(current->mm);
	got = how & HFH_PIN ? pin_user_pages(addr, 1, flags, page, NULL)
			    : get_user_pages(addr, 1, flags, page, NULL);
	mmap_read_unlock(current->mm);
	return got;
}

/* Without the mutex: a call that does not come to its end must not stop the others. */
static int hold(const struct hfh_hold *h)
{
	struct page *page;
	int got;

	if (h->holder >= HFH_HOLDERS || holders[h->holder].page)
		return -EBUSY;
	got = take(h->addr, h->how, &page);
	if (got != 1)
		return got ? got : -EFAULT;
	mutex_lock(&one_at_a_time);
	holders[h->holder].pin = h->how & HFH_PIN;
	holders[h->holder].pfn = page_to_pfn(page);
	holders[h->holder].page = page;
	mutex_unlock(&one_at_a_time);
	return 0;
}

static int put(struct holder *h)
{
	if (!h->page)
		return -ENOENT;
	if (h->pin)
		unpin_user_page(h->page);
	else
		put_page(h->page);
	h->page = NULL;
	return 0;
}

static int write_late(struct holder *h)
{
	char *at;
	int i;

	if (!h->page)
		return -ENOENT;
	at = page_address(h->page);
	for (i = 0; i < PAGE_SIZE; i++)
		at[i] = HFH_TEXT[i % (sizeof(HFH_TEXT) - 1)];
	return 0;
}

/* The record is looked into only while the device is there. */
static int look(struct hfh_look *l)
{
	unsigned long pfn = holders[l->holder].pfn;
	struct dev_pagemap *pgmap = pfn ? get_dev_pagemap(pfn, NULL) : NULL;
	struct page *page;

	if (!pfn)
		return -ENOENT;
	*l = (struct hfh_look){.holder = l->holder, .record = pgmap != NULL, .pfn = pfn};
	if (!pgmap)
		return 0;
	page = pfn_to_page(pfn);
	l->refs = page_ref_count(page);
	l->maps = page_mapcount(page);
	l->order = compound_order(compound_head(page));
	put_dev_pagemap(pgmap);
	return 0;
}

union args {
	u64 number;
	struct hfh_hold hold;
	struct hfh_look look;
};

static int dispatch(unsigned int cmd, union args *a)
{
	u64 n = cmd == HFH_LOOK ? a->look.holder : a->number;

	if (n >= HFH_HOLDERS)
		return -EINVAL;
	switch (cmd) {
	case HFH_PUT: return put(&holders[n]);
	case HFH_WRITE: return write_late(&holders[n]);
	case HFH_LOOK: return look(&a->look);
	}
	return -ENOTTY;
}

static long hfhold_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	union args a;
	int err;

	if (_IOC_SIZE(cmd) > sizeof(a))
		return -ENOTTY;
	memset(&a, 0, sizeof(a));
	if (copy_from_user(&a, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	if (cmd == HFH_HOLD)
		return hold(&a.hold);
	mutex_lock(&one_at_a_time);
	err = dispatch(cmd, &a);
	mutex_unlock(&one_at_a_time);
	if (!err && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, &a, _IOC_SIZE(cmd)))
		err = -EFAULT;
	return err;
}

static const struct file_operations hfhold_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = hfhold_ioctl,
};
static struct miscdevice hfhold_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hfhold",
	.fops = &hfhold_fops,
};
/* It cannot be unloaded: what it holds would be forgotten. */
static int __init hfhold_init(void)
{
	return misc_register(&hfhold_device);
}

module_init(hfhold_init);
MODULE_DESCRIPTION("Holds pages, for asking who waits for them");
MODULE_LICENSE("Dual MIT/GPL");
