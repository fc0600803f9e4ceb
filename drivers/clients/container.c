/* SPDX-License-Identifier: MIT */
/*
 * A container: memory at bus addresses that its user chooses, as vfio gives a device to a guest.
 *
 * What the guest takes for physical addresses are bus addresses of the device's domain, so without
 * a domain there is no container. A mapping pins its pages until it is unmapped: a guest cannot be
 * asked. For that reason file-system DAX is refused ("vfio: disable filesystem-dax page pinning",
 * 2018), in two ways. The pages of the caller's own address space are pinned by the call that says
 * how long (FOLL_LONGTERM). Those of another one are pinned as for a moment, then its VMAs are
 * looked at, and what is of a file goes back. Between pin and look somebody may have mapped
 * something else there; a notifier over the range tells, and then both are done again.
 */
#include "drivers/clients/internal.h"

struct container_range {
	struct longterm held;
	LIST_ENTRY(container_range) link;
};

struct container {
	struct edu *e;
	struct mutex lock; /* ranges */
	LIST_HEAD(, container_range) ranges;
};

struct container *container_open(struct edu *e, int *err)
{
	struct container *c = NULL;

	if (!e)
		*err = refuse(-ENODEV, NO_EDU);
	else if (!edu_dma(e)->domain)
		*err = refuse(-EOPNOTSUPP,
			      "%s has no domain in which a guest could have addresses of its own: "
			      "%s; a device behind an IOMMU would do",
			      edu_name(e), edu_dma(e)->direct);
	else if (!(c = calloc(1, sizeof(*c))))
		*err = refuse(-ENOMEM, "no memory for a container");
	if (!c)
		return NULL;
	c->e = e;
	mutex_init(&c->lock, "container");
	LIST_INIT(&c->ranges);
	return c;
}

/* ---- pages of another address space --------------------------------------------------------- */

/* The range cannot change under a look without this being asked. */
static void nothing_to_cut(struct mm_notifier *n, uint64_t start, uint64_t end)
{
	(void)n;
	(void)start;
	(void)end;
}

/* Is a part of [start, end) a file's that allows no pins without an end? */
static bool of_a_file(struct mm *mm, uint64_t start, uint64_t end)
{
	bool found = false;
	struct vma *vma;

	down_read(&mm->mmap_lock);
	for (; start < end && !found && (vma = mm_find_vma(mm, start)); start = vma->end)
		found = vma_is_fsdax(vma) && !(vma->flags & VM_LONGTERM);
	up_read(&mm->mmap_lock);
	return found;
}

static int pin_remote(struct mm *mm, uint64_t addr, unsigned nr, struct page **pages)
{
	uint64_t end = addr + nr * PAGE_SIZE, state;
	struct mm_notifier n = {.invalidate = nothing_to_cut, .start = addr, .end = end};
	bool again, file;
	int err;

	mm_notifier_add(&n, mm);
	do {
		state = mm_notifier_read_begin(&n);
		again = false;
		err = pin_all(mm, addr, nr, FOLL_PIN | FOLL_WRITE, pages);
		if (err)
			break;
		file = of_a_file(mm, addr, end);
		again = mm_notifier_read_retry(&n, state);
		if (file || again)
			unpin_user_pages(pages, nr);
		if (file)
			err = refuse(-EOPNOTSUPP, LONGTERM_REFUSED);
	} while (again);
	mm_notifier_remove(&n);
	return err;
}

/* ---- mapping and unmapping ------------------------------------------------------------------ */

static int pin(struct container_range *r, struct mm *mm, uint64_t addr, unsigned nr)
{
	int err = mm == current_mm() ? longterm_pin(addr, nr, r->held.pages)
				     : pin_remote(mm, addr, nr, r->held.pages);

	if (!err)
		r->held.nr = nr;
	return err;
}

int container_map(struct container *c, struct mm *mm, uint64_t addr, unsigned nr, uint64_t bus)
{
	struct container_range *r;
	int err = longterm_range(addr, nr);

	if (!err && !bus)
		err = refuse(
			-EINVAL,
			"0 is no bus address for pages: nothing is ever there, so that a device "
			"that was told no address is caught");
	if (err)
		return err;
	r = calloc(1, sizeof(*r));
	if (!r)
		return refuse(-ENOMEM, "no memory for a range");
	err = pin(r, mm, addr, nr) ?: longterm_map(&r->held, edu_dma(c->e), "vfio container", bus);
	if (err) {
		free(r);
		return err;
	}
	mutex_lock(&c->lock);
	LIST_INSERT_HEAD(&c->ranges, r, link);
	mutex_unlock(&c->lock);
	return 0;
}

static uint64_t range_end(const struct container_range *r)
{
	return r->held.map.bus + r->held.nr * PAGE_SIZE;
}

/* Does a range reach over an end of [bus, end)? lock held. */
static bool bisects(const struct container *c, uint64_t bus, uint64_t end)
{
	const struct container_range *r;

	LIST_FOREACH (r, &c->ranges, link)
		if ((r->held.map.bus < bus && bus < range_end(r)) ||
		    (r->held.map.bus < end && end < range_end(r)))
			return true;
	return false;
}

/* A range of [bus, end), out of the list; NULL: none is left. lock held. */
static struct container_range *unlink_range(struct container *c, uint64_t bus, uint64_t end)
{
	struct container_range *r;

	LIST_FOREACH (r, &c->ranges, link)
		if (bus <= r->held.map.bus && range_end(r) <= end)
			break;
	if (r)
		LIST_REMOVE(r, link);
	return r;
}

int64_t container_unmap(struct container *c, uint64_t bus, uint64_t bytes)
{
	struct container_range *r;
	int64_t pages = 0;
	bool cut;

	if (bus + bytes < bus)
		return refuse(-EINVAL, "the range reaches over the last address");
	mutex_lock(&c->lock);
	cut = bisects(c, bus, bus + bytes);
	while (!cut && (r = unlink_range(c, bus, bus + bytes))) {
		pages += r->held.nr;
		longterm_drop(&r->held);
		free(r);
	}
	mutex_unlock(&c->lock);
	return cut ? refuse(-EINVAL,
			    "a range is unmapped as it was mapped: an end of 0x%lx + 0x%lx "
			    "lies inside of one",
			    bus, bytes)
		   : pages;
}

int container_receive(struct container *c, uint64_t bus, const char *text)
{
	const struct container_range *r;
	int err;

	mutex_lock(&c->lock); /* the range stays for the time of the transfer */
	LIST_FOREACH (r, &c->ranges, link)
		if (r->held.map.bus == bus)
			break;
	err = r ? longterm_transfer(c->e, &r->held.map, text)
		: refuse(-EINVAL, "no range of the container begins at 0x%lx; 'vfio' lists them",
			 bus);
	mutex_unlock(&c->lock);
	return err;
}

void container_for_each(struct container *c, void (*fn)(const struct dma_mapping *m, void *arg),
			void *arg)
{
	const struct container_range *r;

	mutex_lock(&c->lock);
	LIST_FOREACH (r, &c->ranges, link)
		fn(&r->held.map, arg);
	mutex_unlock(&c->lock);
}

void container_close(struct container *c)
{
	container_unmap(c, 0, UINT64_MAX);
	free(c);
}
