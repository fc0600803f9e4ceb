/* SPDX-License-Identifier: MIT */
/* Regions on MAP_DIRECT mappings; see leased.h. */
#include "tests/kernel/lib/leased.h"

uint64_t map_direct(struct dax_inode *f, unsigned pages)
{
	const struct dax_map rq = {
		.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = pages, .write = true};
	uint64_t va = 0;

	return dax_map(current_mm(), f, &rq, &va) ? 0 : va;
}

bool leased_begin(struct leased *l, const struct lifetime *lt, struct edu *e, unsigned pages)
{
	*l = (struct leased){.e = e, .pages = pages, .break_time = lease_break_time_ns};
	if (fixture_start(&l->fx, lt))
		return false;
	l->f = scratch_file("F", pages, 'f');
	if (!l->f || scratch_fill("fill")) {
		l->err = refuse(-ENOSPC, "no file that has the last blocks");
		return true;
	}
	l->va = map_direct(l->f, pages);
	for (unsigned i = 0; l->va && i < pages; i++)
		*at(l->va + i * PAGE_SIZE) = 'b';
	l->err = l->va ? region_register(e, l->va, pages, REGION_PINNED, "of a test", &l->r)
		       : -EFAULT;
	return true;
}

void leased_deregister(struct leased *l)
{
	if (l->r)
		region_deregister(l->r);
	l->r = NULL;
}

unsigned leased_notices(void)
{
	char text[NOTICE_TEXT];
	unsigned n = 0;

	while (notice_take(text, sizeof(text)))
		n++;
	return n;
}

void leased_end(struct leased *l)
{
	lease_break_time_ns = l->break_time;
	leased_deregister(l);
	if (l->va)
		mm_unmap(current_mm(), l->va, l->pages * PAGE_SIZE);
	if (l->g)
		dax_put(l->g);
	if (l->f)
		dax_put(l->f);
	fixture_end(&l->fx);
	leased_notices();
}

int leased_break(struct leased *l)
{
	int err;

	lease_break_time_ns = LEASED_SOON;
	err = dax_truncate(l->f, 0);
	lease_break_time_ns = l->break_time;
	if (!err)
		l->g = scratch_file("G", l->pages, 'G');
	return err;
}

int leased_late(struct leased *l)
{
	char *const buf = scratch_bytes;
	int foreign = 0;

	if (!l->g || region_late(l->r, "LATE"))
		return -1;
	for (unsigned i = 0; i < l->pages; i++) {
		if (dax_read(l->g, i * PAGE_SIZE, buf, PAGE_SIZE) != (int64_t)PAGE_SIZE)
			return -1;
		for (unsigned b = 0; b < PAGE_SIZE; b++)
			foreign += buf[b] != 'G';
	}
	return foreign;
}
