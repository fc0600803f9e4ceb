/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of regions on files (region.*): the cooperative holder, the deaf one, and every way in
 * which a registration is refused.
 */
#include "drivers/iommu/internal.h"
#include "tests/kernel/lib/leased.h"

MUSEUM_DECLARE(iova_early);

static unsigned leases(const struct leased *l)
{
	return lease_count(&l->f->leases, LEASE_LAYOUT);
}

static uint64_t reached_by(struct edu *e)
{
	return slpt_leaves(&edu_dma(e)->domain->tables);
}

/* Starts a truncate of F to nothing, and waits until it sleeps for the leases. */
static bool truncate_sleeps(struct leased *l, struct fx_op *op)
{
	*op = (struct fx_op){.inode = l->f, .fn = fx_truncate};
	return fx_start(op) && fx_falls_asleep(op, &l->f->leases);
}

/* Breaks it: a region that is not told, or one whose lease outlives it. */
SELFTEST(region_cooperative, "region.told-deregisters",
	 "in every lifetime: a truncate waits, the region's thread is told at once, by name; it "
	 "deregisters and unmaps, and the truncate goes on long before the break time is over")
{
	STOPPABLE(e);
	for (unsigned i = 0; lifetime_nth(i) && !t->failed; i++) {
		uint64_t faults = faults_of(e), start = clock_ns();
		bool slept = false, ended = false;
		enum region_state told = 0;
		struct fx_op op = {0};
		unsigned notices = 0;

		LEASED(l, lifetime_nth(i), e, 2);
		slept = truncate_sleeps(&l, &op);
		told = region_state(l.r);
		notices = leased_notices();
		leased_deregister(&l);
		mm_unmap(current_mm(), l.va, 2 * PAGE_SIZE);
		l.va = 0;
		ended = fx_ends(&op);
		fx_join(&op);
		EXPECT_OR(out, slept && told == REGION_TOLD && notices == 2,
			  "%s: slept %d, state %d, %u notices", lifetime_nth(i)->name, slept, told,
			  notices);
		EXPECT_OR(out, ended && !op.err && faults_of(e) == faults && !leases(&l),
			  "%s: ended %d, error %d, %u leases are left", lifetime_nth(i)->name,
			  ended, op.err, leases(&l));
		EXPECT_OR(out, clock_ns() - start < lease_break_time_ns / 2, "it took %lu ns",
			  clock_ns() - start);
	out:
		leased_end(&l);
	}
}

/* Breaks it: a revoke that cuts less than all, or keeps the pages. The order of its steps:
 * region.order-of-revocation. */
SELFTEST(region_deaf, "region.deaf-is-cut",
	 "in every lifetime: a holder that does nothing is revoked behind the break time, the "
	 "truncate goes on and the blocks are another file's; no page is held, the device reaches "
	 "none, and its bus addresses stay taken until it is deregistered")
{
	STOPPABLE(e);
	for (unsigned i = 0; lifetime_nth(i) && !t->failed; i++) {
		uint64_t none = reached_by(e), reached = 0, bus = 0;
		struct dma_mapping next = {.what = "next"};
		struct page *p = NULL;
		int err = -1, receive = 0;

		LEASED(l, lifetime_nth(i), e, 2);
		p = plain_page_alloc();
		EXPECT_OR(out, p, "no memory for a page");
		bus = region_bus(l.r)->bus;
		reached = reached_by(e) - none;
		err = leased_break(&l);
		receive = region_receive(l.r, "more");
		EXPECT_OR(out, !err && l.g && region_state(l.r) == REGION_REVOKED,
			  "%s: truncate %d, G %d, state %d", lifetime_nth(i)->name, err,
			  l.g != NULL, region_state(l.r));
		EXPECT_OR(out, reached == 2 && reached_by(e) == none,
			  "%s: %lu pages were reached, %lu are", lifetime_nth(i)->name, reached,
			  reached_by(e) - none);
		EXPECT_OR(out, receive == -ENXIO, "a new transfer: %d", receive);
		err = dma_map(edu_dma(e), &next, &p, 1, DMA_BOTH);
		EXPECT_OR(out, !err && (next.bus < bus || next.bus >= bus + 2 * PAGE_SIZE),
			  "error %d, 0x%lx was given out again", err, next.bus);
		dma_unmap(&next);
		leased_deregister(&l);
		err = dma_map(edu_dma(e), &next, &p, 1, DMA_BOTH);
		EXPECT_OR(out, !err && next.bus == bus, "error %d, 0x%lx after it, not 0x%lx", err,
			  next.bus, bus);
	out:
		if (next.dev)
			dma_unmap(&next);
		leased_end(&l);
		if (p)
			plain_page_free(p);
	}
}

/* Breaks it: dma_cut_bytes() that does not flush (museum iommu-stale): see seed.s1.14. */
SELFTEST(region_bytes, "region.late-bytes-are-faults",
	 "the device of a revoked region goes on writing: every access is a recorded fault, and "
	 "the file that has the blocks is as it was written, to the byte")
{
	uint64_t before, faults;
	int err, first, foreign;

	STOPPABLE(e);
	before = faults_of(e);
	LEASED(l, LIFETIME_DEFAULT, e, 2);
	first = region_late(l.r, "first") ?: memcmp((char *)l.va + PAGE_SIZE, "first", 5);
	err = leased_break(&l);
	foreign = leased_late(&l);
	faults = faults_of(e) - before;
	EXPECT_OR(out, !first && !err && !foreign, "at first %d, truncate %d, %d foreign bytes",
		  first, err, foreign);
	/* Two writes a page, and the unit may fold those to one page into one record. */
	EXPECT_OR(out, faults >= 2, "%lu faults", faults);
out:
	leased_end(&l);
}

/* Another driver maps a buffer behind the revocation. Value: its bytes that are not its own. */
static int buffer_after_break(struct leased *l, bool early)
{
	struct dma_mapping m = {.what = "another driver's buffer"};
	struct page *p = plain_page_alloc();
	int foreign = -1;

	if (!p)
		return -1;
	memset(page_to_virt(p), 'Y', PAGE_SIZE);
	museum_iova_early.on = early;
	if (!leased_break(l) && !dma_map(edu_dma(l->e), &m, &p, 1, DMA_FROM_DEVICE) &&
	    !region_late(l->r, "LATE")) {
		foreign = 0;
		for (unsigned i = 0; i < PAGE_SIZE; i++)
			foreign += ((char *)page_to_virt(p))[i] != 'Y';
	}
	museum_iova_early.on = false;
	if (m.dev)
		dma_unmap(&m);
	plain_page_free(p);
	return foreign;
}

/* Breaks it: museum iova-early, which is run here as well. */
SELFTEST(region_reuse, "region.address-stays-taken",
	 "behind a revocation another driver's buffer gets none of the region's bus addresses, and "
	 "none of its device's bytes; with museum iova-early it gets both")
{
	const bool early[] = {false, true};
	int foreign[2] = {-1, -1};

	STOPPABLE(e);
	for (unsigned i = 0; i < 2; i++) {
		LEASED(l, LIFETIME_DEFAULT, e, 1);
		foreign[i] = buffer_after_break(&l, early[i]);
		faults_of(e);
	out:
		leased_end(&l);
		if (t->failed)
			return;
	}
	EXPECT(!foreign[0], "%d bytes of the buffer are the region's", foreign[0]);
	EXPECT(foreign[1] == (int)PAGE_SIZE, "iova-early: %d bytes of the buffer are the region's",
	       foreign[1]);
}

/* ---- refusals -------------------------------------------------------------------------------- */

struct attempt {
	int err;
	bool said; /* the sentence has these words */
	unsigned held, leases;
};

/* One registration of [va, + pages) that is to be refused: what is left of it. */
static struct attempt try_region(struct leased *l, uint64_t va, unsigned pages, const char *words)
{
	struct region *r = NULL;
	struct attempt a = {.err = region_register(l->e, va, pages, REGION_PINNED, NULL, &r)};

	a.said = strstr(refusal(), words) != NULL;
	if (!a.err)
		region_deregister(r);
	for (unsigned i = 0; i < l->pages; i++) {
		const struct page *p = fx_va_to_page(l->va + i * PAGE_SIZE);

		a.held += p ? page_refs(p) - p->pgmap->rest : 0;
	}
	a.leases = leases(l);
	return a;
}

/* F's mapping with MAP_DIRECT, and a plain one of F directly behind it. */
static bool map_plain_behind(struct leased *l, uint64_t *plain)
{
	*plain = l->va + l->pages * PAGE_SIZE;
	return !dax_mmap(current_mm(), l->f, 0, 1, true, plain);
}

#define REFUSED(a, want, leases_)                                                                  \
	((a).err == (want) && (a).said && !(a).held && (a).leases == (leases_))

/* Breaks it: an error behind the first VMA that keeps its lease or its pages. */
SELFTEST(
	region_refused, "region.refused-leaves-nothing",
	"a plain mapping, alone or behind one with MAP_DIRECT, a device without a translation, and "
	"a mapping that is being broken: each is refused with its reason, no page is held and no "
	"lease but the mapping's own is left")
{
	struct attempt plain = {0}, mixed = {0}, direct = {0}, broken = {0};
	struct iommu_domain *domain;
	uint64_t behind = 0;
	struct fx_op op = {0};
	bool slept = false;

	STOPPABLE(e);
	LEASED(l, LIFETIME_DEFAULT, e, 2);
	leased_deregister(&l);
	EXPECT_OR(out, map_plain_behind(&l, &behind), "%s", refusal());
	plain = try_region(&l, behind, 1, "MAP_DIRECT");
	mixed = try_region(&l, l.va, 3, "MAP_DIRECT");
	mm_unmap(current_mm(), behind, PAGE_SIZE);
	domain = edu_dma(e)->domain;
	edu_dma(e)->domain = NULL;
	edu_dma(e)->direct = "a test took it";
	direct = try_region(&l, l.va, 2, "could not be stopped: a test took it");
	edu_dma(e)->domain = domain;
	edu_dma(e)->direct = NULL;
	slept = truncate_sleeps(&l, &op);
	broken = try_region(&l, l.va, 2, "broken");
	mm_unmap(current_mm(), l.va, 2 * PAGE_SIZE);
	l.va = 0;
	fx_ends(&op);
	fx_join(&op);
	EXPECT_OR(out, REFUSED(plain, -EOPNOTSUPP, 1), "plain: %d, %u held", plain.err, plain.held);
	EXPECT_OR(out, REFUSED(mixed, -EOPNOTSUPP, 1), "behind another: %d, %u held, %u leases",
		  mixed.err, mixed.held, mixed.leases);
	EXPECT_OR(out, REFUSED(direct, -EOPNOTSUPP, 1), "without translation: %d, %u held",
		  direct.err, direct.held);
	EXPECT_OR(out, slept && REFUSED(broken, -ENXIO, 1), "being broken: %d, %u held, %u leases",
		  broken.err, broken.held, broken.leases);
out:
	leased_end(&l);
}

/* A registration in a thread of its own, which stops when it has its lease and no page yet. */
struct registrar {
	struct leased *l;
	struct mm *mm;
	struct step_stop stop;
	struct region *r;
	int err;
	bool done;
};

static void register_and_stop(void *arg)
{
	struct registrar *g = arg;
	bool armed;

	mm_use(g->mm);
	armed = !step_stop(&g->stop);
	g->err = region_register(g->l->e, g->l->va, g->l->pages, REGION_PINNED, NULL, &g->r);
	if (armed)
		step_unstop(&g->stop);
	leased_notices();
	mm_use(NULL);
	__atomic_store_n(&g->done, true, __ATOMIC_RELEASE);
}

/* F is truncated, the leases revoked, while the registrar stands there. */
static bool break_between(struct registrar *g, int *err)
{
	struct thread *th = thread_create("registrar", register_and_stop, g, 1);
	bool stopped;

	if (!th)
		return false;
	AWAIT(step_stopped(&g->stop) || __atomic_load_n(&g->done, __ATOMIC_ACQUIRE),
	      "a registration to have its lease");
	stopped = step_stopped(&g->stop);
	if (stopped)
		*err = leased_break(g->l);
	step_go(&g->stop);
	thread_join(th);
	return stopped && !g->stop.timed_out;
}

/* Registers with a break at `point`: what the registration said, or 0 if it never came there. */
static int break_at(struct selftest_run *t, struct edu *e, const char *point)
{
	struct registrar g = {.mm = current_mm(),
			      .stop = {.name = point, .deadline = PATIENCE_END()}};
	uint64_t mappings = edu_dma(e)->mappings;
	int truncated = -1, err = 0;
	bool stood;

	struct leased l;
	if (!leased_begin(&l, LIFETIME_DEFAULT, e, 2) || l.err)
		goto out;
	leased_deregister(&l);
	g.l = &l;
	stood = break_between(&g, &truncated);
	if (!g.err)
		region_deregister(g.r);
	EXPECT_OR(out, stood && !truncated && !leases(&l) && edu_dma(e)->mappings == mappings,
		  "%s: stood there %d, truncate %d, %u leases, %lu mappings", point, stood,
		  truncated, leases(&l), edu_dma(e)->mappings - mappings);
	err = g.err;
out:
	if (l.fx.fs)
		leased_end(&l);
	return err;
}

/* Breaks it: a revoke that forgets what it could not take yet. */
SELFTEST(region_between, "region.revoked-while-registering",
	 "a region is revoked that has its lease and no page yet, or its pages and no bus "
	 "addresses: the truncate goes on, and the registration fails and holds nothing")
{
	int leased, pinned;

	STOPPABLE(e);
	if (!scratch_region(&(const char *){0}))
		SKIP("%s", refusal());
	leased = break_at(t, e, "region_leased");
	pinned = t->failed ? 0 : break_at(t, e, "region_pinned");
	EXPECT(t->failed || (leased == -EFAULT && pinned == -ENXIO),
	       "without a page %d, with its pages %d", leased, pinned);
}

/* ---- a device that goes ---------------------------------------------------------------------- */

static int remove_device(struct dax_inode *unused, uint64_t arg)
{
	(void)unused, (void)arg;
	return dax_unbind(scratch_device(), true);
}

/* Breaks it: a region on a device that takes no lease: its removal would wait for ever. */
SELFTEST(region_device, "region.of-removed-device",
	 "a region on a device is revoked when the device is removed past a deaf holder: the "
	 "removal does not wait for its pages, what its device writes later are faults, and the "
	 "range is as it was")
{
	uint64_t before = lease_break_time_ns, faults = 0;
	struct fx_op op = {.fn = remove_device};
	struct region *r = NULL;
	bool ended = false;
	struct place p;
	int err, removed = -1;
	enum region_state state = 0;

	STOPPABLE(e);
	PLACE(&p, PLACE_DEVICE, 2);
	err = region_register(e, p.va, 2, REGION_PINNED, NULL, &r);
	EXPECT_OR(out, !err, "%s", refusal());
	err = region_receive(r, "RDMA") ?: place_shows(&p, "RDMA") ? 0 : -EIO;
	faults = faults_of(e);
	lease_break_time_ns = LEASED_SOON;
	ended = fx_start(&op) && fx_ends(&op);
	lease_break_time_ns = before;
	state = region_state(r);
	err = err ?: ended ? region_late(r, "LATE") : -EBUSY;
	faults = faults_of(e) - faults;
	region_deregister(r); /* at the latest now its pages are put */
	fx_join(&op);
	removed = op.err;
	leased_notices();
out:
	place_end(&p);
	if (!removed)
		EXPECT(!pmem_bind(scratch_device()), "%s", refusal());
	EXPECT(t->failed || (!err && !removed && state == REGION_REVOKED),
	       "error %d, removal %d, state %d", err, removed, state);
	/* Read when it is bound again: nobody can before. */
	EXPECT(t->failed || (faults && !memcmp(scratch_device()->kaddr, "RDMA", 4)),
	       "%lu faults, \"%.4s\"", faults, (char *)scratch_device()->kaddr);
}

/* A MAP_DIRECT mapping of another file of the same mount. */
static int map_second_file(void)
{
	const struct dax_map rq = {.flags = MAP_SHARED_VALIDATE | MAP_DIRECT, .pages = 1};
	struct dax_inode *f = NULL;
	uint64_t va = 0;
	int err = dax_open(SCRATCH_PATH "/fill", false, &f) ?: dax_map(current_mm(), f, &rq, &va);

	if (va && !err)
		mm_unmap(current_mm(), va, PAGE_SIZE);
	if (f)
		dax_put(f);
	return err;
}

/* Breaks it: killed() without break_file_leases(); layout_lease_set() without the look at the
 * device. */
SELFTEST(region_killed, "region.killed-device",
	 "killing a mounted device begins to break the leases of its files: a deaf region is told "
	 "at once and revoked behind the break time, what it writes then is a fault; no new lease "
	 "is given (-ENXIO) until the device is revived")
{
	int late = 0, kill = -1, after = -1, revived = -1;
	enum region_state told = 0, then = 0;
	struct region *second = NULL;
	uint64_t faults;
	unsigned left;

	STOPPABLE(e);
	LEASED(l, LIFETIME_DEFAULT, e, 2);
	lease_break_time_ns = LEASED_SOON;
	kill = pmem_kill(l.fx.fs->region);
	told = region_state(l.r);
	late = map_second_file();
	AWAIT_POLLS(region_state(l.r) == REGION_REVOKED && !leases(&l), "the revocation");
	then = region_state(l.r);
	left = leases(&l);
	faults = faults_of(e);
	region_late(l.r, "late");
	faults = faults_of(e) - faults;
	leased_deregister(&l);
	after = region_register(e, l.va, 2, REGION_PINNED, "second", &second);
	if (!after)
		region_deregister(second);
	revived = pmem_revive(l.fx.fs->region) ?: map_second_file();
	EXPECT_OR(out, !kill && told != REGION_LIVE && then == REGION_REVOKED && !left,
		  "kill %d, state %d, then %d, %u leases are left", kill, told, then, left);
	EXPECT_OR(out, faults, "what it wrote afterwards is no fault");
	EXPECT_OR(out, late == -ENXIO && after == -ENXIO && !revived,
		  "a new mapping %d, a new region %d, when it is revived %d", late, after, revived);
out:
	leased_end(&l);
}
