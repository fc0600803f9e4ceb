/* SPDX-License-Identifier: MIT */
/*
 * The order of a revocation (region.order-*): whoever takes a region back is stopped between two of
 * its steps, and what has been taken by then, and what not, is looked at.
 */
#include "drivers/iommu/internal.h"
#include "tests/kernel/lib/leased.h"

#define PAGES 2u

/* Takes back what is being broken, long before its time is over, and stops on the way. */
struct taker {
	struct step_stop stop;
	bool done;
};

static void take_back(void *arg)
{
	struct taker *k = arg;
	bool armed = !step_stop(&k->stop);

	while (lease_revoke_due(UINT64_MAX))
		;
	if (armed)
		step_unstop(&k->stop);
	__atomic_store_n(&k->done, true, __ATOMIC_RELEASE);
}

/* What there is while the taker stands behind the cut. */
struct moment {
	bool stood, asleep;	/* the taker; whoever breaks the leases */
	unsigned mapped, held;	/* pages */
	unsigned leases;	/* the region's own; its mapping's has gone before */
	uint64_t reached, size; /* by the device; of F */
	int fault;		/* of a load through the mapping */
};

static uint64_t reached_by(struct edu *e)
{
	return slpt_leaves(&edu_dma(e)->domain->tables);
}

static struct moment look(struct leased *l, struct fx_op *op, struct page *const *pages)
{
	struct moment m = {.stood = true,
			   .asleep = !fx_done(op),
			   .leases = lease_count(&l->f->leases, LEASE_LAYOUT),
			   .reached = reached_by(l->e),
			   .size = l->f->size};
	uint64_t v;

	for (unsigned i = 0; i < PAGES; i++) {
		m.mapped += fx_va_to_page(l->va + i * PAGE_SIZE) != NULL;
		m.held += page_refs(pages[i]) > pages[i]->pgmap->rest;
	}
	m.fault = load_checked((uint64_t *)l->va, &v);
	return m;
}

/* Takes everything back, with a look in the middle. */
static struct moment revoke_slowly(struct leased *l, struct fx_op *op, struct page *const *pages)
{
	struct taker k = {.stop = {.name = "region_cut", .deadline = PATIENCE_END()}};
	struct thread *th = thread_create("taker", take_back, &k, 1);
	struct moment m = {0};

	if (!th)
		return m;
	AWAIT(step_stopped(&k.stop) || __atomic_load_n(&k.done, __ATOMIC_ACQUIRE),
	      "a device to be cut off");
	if (step_stopped(&k.stop))
		m = look(l, op, pages);
	step_go(&k.stop);
	thread_join(th);
	m.stood = m.stood && !k.stop.timed_out;
	return m;
}

/* Breaks it: a revoke that puts before it cuts; leases that leave before what they protect was
 * taken; the region's taken before its mapping's. */
SELFTEST(
	region_order, "region.order-of-revocation",
	"in every lifetime: when the device is cut off, no page is mapped and no access makes one; "
	"the pages are held still, the region's lease is in the list, whoever truncates waits and "
	"the file is as long as it was; then all of that goes")
{
	STOPPABLE(e);
	for (unsigned i = 0; lifetime_nth(i) && !t->failed; i++) {
		const char *name = lifetime_nth(i)->name;
		uint64_t none = reached_by(e);
		struct page *pages[PAGES];
		struct fx_op op = {.fn = fx_truncate};
		struct moment m = {0};
		bool ended = false;

		LEASED(l, lifetime_nth(i), e, PAGES);
		for (unsigned n = 0; n < PAGES; n++)
			pages[n] = fx_va_to_page(l.va + n * PAGE_SIZE);
		op.inode = l.f;
		if (fx_start(&op) && fx_falls_asleep(&op, &l.f->leases))
			m = revoke_slowly(&l, &op, pages);
		ended = fx_ends(&op);
		fx_join(&op);
		EXPECT_OR(out, m.stood && m.reached == none, "%s: stood %d, %lu pages are reached",
			  name, m.stood, m.reached - none);
		EXPECT_OR(out, !m.mapped && m.fault == -EFAULT, "%s: %u are mapped, a load: %d",
			  name, m.mapped, m.fault);
		EXPECT_OR(out, m.held == PAGES && m.leases == 1 && m.asleep,
			  "%s: %u are held, %u leases, the truncate sleeps: %d", name, m.held,
			  m.leases, m.asleep);
		EXPECT_OR(out, m.size == PAGES * PAGE_SIZE && ended && !op.err && !l.f->size,
			  "%s: %lu bytes, ended %d: %d, %lu bytes", name, m.size, ended, op.err,
			  l.f->size);
	out:
		leased_end(&l);
	}
}
