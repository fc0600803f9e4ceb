// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The Linux column, kernel side: times the functions that a program cannot call, /dev/hfpeer.
 *
 * Nothing here changes how Linux does its work. References are taken and given back through the
 * functions that drivers use; functions that are not exported are timed by kretprobes, whose own
 * cost (HFP_DELAY) is measured on a function of this file.
 */
#include <linux/fs.h>
#include <linux/kprobes.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "hfmodule.h"

#define MAX_PROBES 4

static DEFINE_MUTEX(one_at_a_time);
/* Under one_at_a_time. */
struct page *hfp_pages[HFP_MAX_PAGES];
u64 hfp_there[HFP_MAX_REPEATS], hfp_back[HFP_MAX_REPEATS];
static struct page *held; /* NULL: none */

/* ---- probes ---- */

struct probe {
	struct kretprobe krp;
	char name[64];
	u64 calls, ticks, returned;
};
static struct probe *probes[MAX_PROBES];

static int probe_entry(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	*(u64 *)ri->data = hfp_ticks();
	return 0;
}

static int probe_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct probe *p = container_of(get_kretprobe(ri), struct probe, krp);
	u64 now = hfp_ticks();

	p->calls++;
	p->ticks += now - *(u64 *)ri->data;
	p->returned = now;
	return 0;
}

static int probe_start(const char *name)
{
	struct probe *p;
	int i, err;

	for (i = 0; i < MAX_PROBES && probes[i]; i++)
		;
	if (i == MAX_PROBES)
		return -ENOSPC;
	p = kzalloc(sizeof(*p), GFP_KERNEL);
	if (!p)
		return -ENOMEM;
	strscpy(p->name, name, sizeof(p->name));
	p->krp.kp.symbol_name = p->name;
	p->krp.handler = probe_return;
	p->krp.entry_handler = probe_entry;
	p->krp.data_size = sizeof(u64);
	p->krp.maxactive = 4;
	err = register_kretprobe(&p->krp);
	if (err)
		kfree(p);
	else
		probes[i] = p;
	return err;
}

static struct probe *probe_find(const char *name)
{
	int i;

	for (i = 0; i < MAX_PROBES; i++)
		if (probes[i] && !strncmp(probes[i]->name, name, sizeof(probes[i]->name)))
			return probes[i];
	return NULL;
}

static void probes_end(void)
{
	int i;

	for (i = 0; i < MAX_PROBES; i++) {
		if (!probes[i])
			continue;
		unregister_kretprobe(&probes[i]->krp);
		kfree(probes[i]);
		probes[i] = NULL;
	}
}

/* Reads the clock as the last thing that it does. */
noinline u64 hfpeer_returns(void);
noinline u64 hfpeer_returns(void)
{
	return hfp_ticks();
}

static int measure_delay(u64 *delay)
{
	struct probe *p;
	u64 returns;
	int err = probe_start("hfpeer_returns");

	if (err)
		return err;
	hfpeer_returns();
	returns = hfpeer_returns();
	p = probe_find("hfpeer_returns");
	*delay = p->returned - returns;
	return 0;
}

/* ---- what every measurement begins and ends with ---- */

bool hfp_bad_sizes(u32 pages, u32 repeats)
{
	return !pages || pages > HFP_MAX_PAGES || !repeats || repeats > HFP_MAX_REPEATS;
}

int hfp_give_ticks(u64 there, u64 back, u32 repeats)
{
	size_t size = repeats * sizeof(u64);

	return copy_to_user(u64_to_user_ptr(there), hfp_there, size) ||
			       copy_to_user(u64_to_user_ptr(back), hfp_back, size)
		       ? -EFAULT
		       : 0;
}

/* ---- get_user_pages_fast and its reverse ---- */

static int get(const struct hfp_gup *g)
{
	return g->pin ? pin_user_pages_fast(g->addr, g->pages, FOLL_WRITE, hfp_pages)
		      : get_user_pages_fast(g->addr, g->pages, FOLL_WRITE, hfp_pages);
}

/* One by one: unpin_user_pages() takes 135 instructions a page where unpin_user_page() takes 124.
 */
static void put(const struct hfp_gup *g, int nr)
{
	int i;

	if (g->pin)
		for (i = 0; i < nr; i++)
			unpin_user_page(hfp_pages[i]);
	else
		for (i = 0; i < nr; i++)
			put_page(hfp_pages[i]);
}

static int gup_once(const struct hfp_gup *g, u64 *get_ticks, u64 *put_ticks)
{
	u64 a, b, c, d;
	int nr;

	a = hfp_ticks();
	nr = get(g);
	b = hfp_ticks();
	if (nr <= 0)
		return nr ? nr : -EFAULT;
	c = hfp_ticks();
	put(g, nr);
	d = hfp_ticks();
	*get_ticks = b - a;
	*put_ticks = d - c;
	return nr == g->pages ? 0 : -EFAULT;
}

/* Two pairs of marks: the get, the put. */
static void gup_marked(struct hfp_gup *g)
{
	int nr, i;

	HFP_MARK(HFP_MARK_BEGIN);
	nr = get(g);
	HFP_MARK(HFP_MARK_END);
	g->breaks = 0;
	for (i = 1; i < nr; i++)
		g->breaks += page_to_pfn(hfp_pages[i]) != page_to_pfn(hfp_pages[i - 1]) + 1;
	HFP_MARK(HFP_MARK_BEGIN);
	put(g, max(nr, 0));
	HFP_MARK(HFP_MARK_END);
}

static int gup(struct hfp_gup *g)
{
	u32 i;
	int err = 0;

	if (hfp_bad_sizes(g->pages, g->repeats))
		return -EINVAL;
	for (i = 0; i < g->repeats && !err; i++)
		err = gup_once(g, &hfp_there[i], &hfp_back[i]);
	if (err)
		return err;
	gup_marked(g);
	return hfp_give_ticks(g->get, g->put, g->repeats);
}

static int hold(u64 addr)
{
	if (held)
		return -EBUSY;
	return get_user_pages_fast(addr, 1, FOLL_WRITE, &held) == 1 ? 0 : -EFAULT;
}

static int drop(struct hfp_drop *d)
{
	if (!held)
		return -ENOENT;
	if (d->marked)
		HFP_MARK(HFP_MARK_BEGIN);
	d->start = hfp_ticks();
	put_page(held);
	d->end = hfp_ticks();
	if (d->marked)
		HFP_MARK(HFP_MARK_END);
	held = NULL;
	return 0;
}

/* ---- /dev/hfpeer ---- */

union args {
	u64 number;
	struct hfp_gup gup;
	struct hfp_dma dma;
	struct hfp_region region;
	struct hfp_drop drop;
	struct hfp_probe probe;
};

static int read_probe(struct hfp_probe *out)
{
	struct probe *p = probe_find(out->name);

	if (!p)
		return -ENOENT;
	out->calls = p->calls;
	out->ticks = p->ticks;
	out->returned = p->returned;
	return 0;
}

static int dispatch(unsigned int cmd, union args *a)
{
	switch (cmd) {
	case HFP_EMPTY:
		a->number = hfp_ticks();
		a->number = hfp_ticks() - a->number;
		return 0;
	case HFP_LOOP: a->number = hfp_loop(a->number); return 0;
	case HFP_GUP: return gup(&a->gup);
	case HFP_HOLD: return hold(a->number);
	case HFP_DROP: return drop(&a->drop);
	case HFP_PROBE:
		a->probe.name[sizeof(a->probe.name) - 1] = '\0';
		return probe_start(a->probe.name);
	case HFP_PROBED:
		a->probe.name[sizeof(a->probe.name) - 1] = '\0';
		return read_probe(&a->probe);
	case HFP_PROBES_GO: probes_end(); return 0;
	case HFP_DMA: return hfp_dma(&a->dma);
	case HFP_REGION: return hfp_region(&a->region);
	case HFP_DELAY: return measure_delay(&a->number);
	}
	return -ENOTTY;
}

static long hfpeer_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	union args a;
	int err;

	if (_IOC_SIZE(cmd) > sizeof(a))
		return -ENOTTY;
	memset(&a, 0, sizeof(a));
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&a, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	mutex_lock(&one_at_a_time);
	err = dispatch(cmd, &a);
	mutex_unlock(&one_at_a_time);
	if (!err && _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, &a, _IOC_SIZE(cmd)))
		err = -EFAULT;
	return err;
}

static const struct file_operations hfpeer_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = hfpeer_ioctl,
};
static struct miscdevice hfpeer_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "hfpeer",
	.fops = &hfpeer_fops,
};

static int __init hfpeer_init(void)
{
	return misc_register(&hfpeer_device);
}

static void __exit hfpeer_exit(void)
{
	misc_deregister(&hfpeer_device);
	probes_end();
	if (held)
		put_page(held);
}

module_init(hfpeer_init);
module_exit(hfpeer_exit);
MODULE_DESCRIPTION("Times DAX page handling for a comparison of kernels");
MODULE_LICENSE("Dual MIT/GPL");
