/* SPDX-License-Identifier: MIT */
/*
 * Seed tests, series s3: "dax: fix dma vs truncate and remove 'page-less' support" (2017), the
 * lifetime lease-poll. Its first nine patches are those of s0 again, here with what differs. The
 * poll comes once a second; nothing waits for that, the clock is moved on.
 */
#include "tests/kernel/seed/seed.h"

#define SECOND 1000000000ull

/* Breaks it: a line printed by dax_probe(), or records that outlive their device. */
SELFTEST(seed_s3_01, "seed.s3.01",
	 "asking a region that was unbound for DAX is answered by an error and prints nothing; "
	 "bound again, it is suitable")
{
	const char *why = NULL;
	struct pmem_region *r = scratch_region(&why);
	uint64_t pfn, nr;
	unsigned long before, after;
	int gone, back;

	if (!r)
		SKIP("%s", why);
	pfn = r->start >> PAGE_SHIFT;
	nr = r->len >> PAGE_SHIFT;
	pmem_unbind(r);
	before = console_written;
	gone = dax_probe(NULL, pfn, nr);
	after = console_written;
	pmem_bind(r);
	back = dax_probe(&r->pgmap, pfn, nr);
	EXPECT(gone == -EOPNOTSUPP && !back, "unbound %d, bound again %d", gone, back);
	EXPECT(after == before, "%lu characters were printed", after - before);
}

/* Breaks it: check_records() that lets a limited region pass for any lifetime. */
SELFTEST(seed_s3_02, "seed.s3.02",
	 "without page records a mount with DAX is refused under every design that counts, "
	 "limited or not")
{
	const char *why;
	struct pmem_region *r = scratch_region(&why);
	unsigned refused = 0, designs = 0;

	if (!r)
		SKIP("%s", why);
	pmem_unbind(r);
	EXPECT(!pmem_bind_limited(r), "%s", refusal());
	for (unsigned n = 1; lifetime_nth(n); n++) {
		int err = dax_mount(r, SCRATCH_PATH, lifetime_nth(n), NULL);

		designs++;
		refused += err == -EOPNOTSUPP && strstr(refusal(), "no page records");
		if (!err)
			scratch_umount();
	}
	pmem_unbind(r);
	pmem_bind(r);
	EXPECT(designs == 6 && refused == designs, "%u of %u designs refuse", refused, designs);
}

/* Breaks it: as seed.s0.05; here a reference by way of the slow path would stay behind. */
SELFTEST(seed_s3_03, "seed.s3.03",
	 "fork, forgetting, a change of rights and a move leave the counts as they were under "
	 "lease-poll, too")
{
	seed_walkers(t, &lifetime_lease_poll);
}

/* Breaks it: as seed.s0.06. */
SELFTEST(seed_s3_04, "seed.s3.04",
	 "2 MiB faults follow from alignment and not from advice under lease-poll, too")
{
	seed_advice(t, &lifetime_lease_poll);
}

/* Breaks it: as seed.s0.07. */
SELFTEST(seed_s3_05, "seed.s3.05",
	 "fsync of a killed device needs nobody but the page frames under lease-poll, too")
{
	seed_dead_flush(t, &lifetime_lease_poll);
}

/* Breaks it: as seed.s0.08. */
SELFTEST(seed_s3_06, "seed.s3.06", "entries hold the pfn of the block under lease-poll, too")
{
	seed_entry_values(t, &lifetime_lease_poll);
}

/* Breaks it: detach() that does not count, or counts pages that stay. */
SELFTEST(seed_s3_07, "seed.s3.07",
	 "a truncate that nobody stops counts one collision for each held page that it frees, and "
	 "none for those that are idle or stay")
{
	static const unsigned held[] = {0, 1, 3, 4}; /* page 0 stays */
	FIXTURE(fx, &lifetime_lease_poll);
	uint64_t va = fx_map(&fx, "f", 6, 'a');
	struct page *p[ARRAY_SIZE(held)];
	unsigned n = 0;
	int err;

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 6; i++)
		*at(PAGE(va, i)) = 'b';
	while (n < ARRAY_SIZE(held) && (p[n] = seed_pin(PAGE(va, held[n]))))
		n++;
	err = dax_truncate(fx.inode[0], PAGE_SIZE);
	unpin_user_pages(p, n);
	EXPECT_OR(out, n == 4 && !err && fx.inode[0]->collisions == 3,
		  "%u held, error %d, %u collision(s)", n, err, fx.inode[0]->collisions);
out:
	fixture_end(&fx);
}

/* Breaks it: a poll that takes a lease whose page is held for idle. */
SELFTEST(seed_s3_08, "seed.s3.08",
	 "as long as bio_delay holds a direct read's completion, a punch of its page waits through "
	 "the polls; released, it ends with the next one")
{
	struct fx_op op = {.fn = seed_punch_first};
	struct dio_request rq = {.disk = block_nth(0), .dir = DIO_READ, .len = PAGE_SIZE};
	bool slept, still, over;
	struct dio *io = NULL;
	int err;

	if (scratch_choose_disk())
		SKIP("%s", refusal());
	FIXTURE(fx, &lifetime_lease_poll);
	rq.addr = fx_map(&fx, "f", 1, 'a');
	op.inode = fx.inode[0];
	bio_delay_off();
	bio_delay_arm(3600 * SECOND);
	io = rq.addr ? dio_start(&rq, &err) : NULL;
	EXPECT_OR(out, io && fx_start(&op), "no direct read: %s", refusal());
	slept = seed_sleeps_for_lease(&op);
	clock_skip(2 * SECOND);
	quiet_wait();
	clock_skip(2 * SECOND);
	quiet_wait();
	still = !fx_done(&op);
	bio_delay_off();
	err = dio_wait(io);
	over = seed_over_after_polls(&op);
	EXPECT_OR(out, slept && still, "slept %d, after the polls still %d", slept, still);
	EXPECT_OR(out, !err && over && !op.err, "read %d, over %d, punch %d", err, over, op.err);
out:
	bio_delay_off();
	if (io) {
		dio_wait(io);
		dio_free(io);
	}
	fixture_end(&fx);
}

/* Breaks it: an on-demand region that keeps its pages, or is refused with the pinned ones. */
SELFTEST(seed_s3_09, "seed.s3.09",
	 "under lease-poll a pinned region on a DAX file is refused; one that faults its pages in "
	 "for each transfer is allowed, gets its bytes, and holds nothing between")
{
	struct region *reg = NULL;
	uint64_t va;
	int err, first, second;

	seed_region_refused(t, &lifetime_lease_poll);
	if (t->failed || t->skipped)
		return;
	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	FIXTURE(fx, &lifetime_lease_poll);
	va = fx_map(&fx, "f", 2, 'a');
	err = va ? region_register(scratch_edu(0), va, 2, REGION_ON_DEMAND, NULL, &reg) : -EFAULT;
	EXPECT_OR(out, !err, "registering on demand: %d", err);
	first = region_receive(reg, "ODP1");
	fx_unmap(&fx, va); /* nobody is asked, nobody is held */
	second = region_receive(reg, "ODP2");
	region_deregister(reg);
	EXPECT_OR(out, !first && second == -EFAULT, "mapped %d, unmapped %d", first, second);
	va = fx_map_as_is(&fx, fx.inode[0], 2, false);
	dax_get(fx.inode[0]);
	EXPECT_OR(out,
		  va && !memcmp((char *)PAGE(va, 1), "ODP1", 4) &&
			  !seed_unrest(va + PAGE_SIZE, 1, 0),
		  "the bytes did not arrive, or a page is held");
out:
	fixture_end(&fx);
}

/* Breaks it: VM_SLOWGUP not set, or gup that leaves the fast path for a device, too. */
SELFTEST(seed_s3_10, "seed.s3.10",
	 "under lease-poll fast gup gets nothing of a file, and the slow path is taken; a device "
	 "mapped by 1 GiB is served by fast gup alone")
{
	struct pmem_region *r = scratch_region(&(const char *){0});
	unsigned long slow, slow_dev;
	struct page *p[2];
	long fast, any, dev = 0;
	uint64_t va = 0;

	if (!r || !cpu_features.page1g || r->len < 2 * GIB)
		SKIP("needs a CPU with 1 GiB pages and a second DIMM of 2 GiB");
	FIXTURE(fx, &lifetime_lease_poll);
	va = fx_map(&fx, "f", 2, 'a');
	*at(va) = *at(PAGE(va, 1)) = 'b';
	slow = gup_slow_calls;
	fast = get_user_pages_fast(va, 2, PIN | FOLL_FAST_ONLY, p);
	any = get_user_pages_fast(va, 2, PIN, p);
	slow = gup_slow_calls - slow;
	unpin_user_pages(p, MAX(any, 0));
	fixture_end(&fx);
	EXPECT(!fast && any == 2 && slow == 1, "fast %ld, then %ld in %lu slow call(s)", fast, any,
	       slow);
	va = 0;
	EXPECT(!devdax_mmap(current_mm(), r, PUD_SIZE, 0, PUD_SIZE, VM_READ | VM_WRITE | VM_SHARED,
			    &va),
	       "%s", refusal());
	*at(va) = 'b';
	slow_dev = gup_slow_calls;
	dev = get_user_pages_fast(PAGE(va, 1000), 2, PIN | FOLL_FAST_ONLY, p);
	slow_dev = gup_slow_calls - slow_dev;
	unpin_user_pages(p, MAX(dev, 0));
	mm_unmap(current_mm(), va, PUD_SIZE);
	EXPECT(dev == 2 && !slow_dev, "a device: %ld pages, %lu slow call(s)", dev, slow_dev);
}

/* ---- 11: who publishes first -------------------------------------------------------------- */

#define ROUNDS 400u

static struct litmus {
	struct lease_list list;
	struct lease lease;
	bool writer_active;
	unsigned ready[2]; /* rounds that each side has reached, asleep until the other has */
	unsigned awake[2]; /* rounds that each side is about to start */
	bool saw_writer[ROUNDS], broke[ROUNDS];
} litmus;

static const struct lease_ops litmus_ops = {.what = "litmus"};

/* Both sides start a round together; the last round's traces are gone by then. */
static void meet(unsigned side, unsigned round)
{
	__atomic_store_n(&litmus.ready[side], round + 1, __ATOMIC_SEQ_CST);
	comes_true(&litmus.ready[!side], round + 1); /* a busy host may take its time for it */
	__atomic_store_n(&litmus.awake[side], round + 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&litmus.awake[!side], __ATOMIC_SEQ_CST) < round + 1)
		if (nr_cpus == 1)
			thread_yield();
		else
			cpu_pause();
}

static void lessor(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		meet(0, 2 * i);
		lease_set(&litmus.list, &litmus.lease, true);
		/* The lease before the look at the writer, else neither sees the other. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		litmus.saw_writer[i] = __atomic_load_n(&litmus.writer_active, __ATOMIC_RELAXED);
		meet(0, 2 * i + 1);
		lease_unlock(&litmus.lease);
		__atomic_store_n(&litmus.writer_active, false, __ATOMIC_SEQ_CST);
	}
}

static void breaker(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		meet(1, 2 * i);
		__atomic_store_n(&litmus.writer_active, true, __ATOMIC_RELAXED);
		/* The mark before lease_break()'s look without a lock. */
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		litmus.broke[i] = lease_break(&litmus.list, LEASE_ALL, false) == -EWOULDBLOCK;
		meet(1, 2 * i + 1);
	}
}

/* Breaks it: a side that looks before it has marked itself, or a lease_break() that looks at
 * anything older than the list. */
SELFTEST(seed_s3_11, "seed.s3.11",
	 "of one who sets a lease and then looks for a writer, and a writer who marks himself and "
	 "then breaks leases, at least one sees the other, in every round")
{
	unsigned both_missed = 0, broken = 0, seen = 0;
	struct thread *a, *b;

	memset(&litmus, 0, sizeof(litmus));
	lease_list_init(&litmus.list, true);
	litmus.lease = (struct lease){.class = LEASE_LAYOUT, .ops = &litmus_ops};
	a = thread_create("lessor", lessor, NULL, 1);
	b = a ? thread_create("breaker", breaker, NULL, nr_cpus > 1 ? 2 : 1) : NULL;
	EXPECT(a && b, "no memory for threads");
	thread_join(a);
	thread_join(b);
	for (unsigned i = 0; i < ROUNDS; i++) {
		both_missed += !litmus.saw_writer[i] && !litmus.broke[i];
		broken += litmus.broke[i];
		seen += litmus.saw_writer[i];
	}
	EXPECT(!both_missed, "in %u of %u rounds both missed the other (%u broke, %u saw)",
	       both_missed, ROUNDS, broken, seen);
	EXPECT(!lease_count(&litmus.list, LEASE_ALL), "a lease is left");
}

/* ---- 12, 13: the lease of a call ---------------------------------------------------------- */

/* Breaks it: a lease for each page, or a put that ends the wait before the poll. */
SELFTEST(seed_s3_12, "seed.s3.12",
	 "each get_user_pages call has a lease of its own (B-3), and only on its first mapping's "
	 "file (B-1); a punch after the put still waits for the next poll")
{
	FIXTURE(fx, &lifetime_lease_poll);
	uint64_t va = fx_map(&fx, "f", 2, 'a'), next = va ? PAGE(va, 2) : 0;
	struct dax_inode *f = fx.inode[0], *g = scratch_file("g", 1, 'g');
	struct fx_op op = {.inode = f, .fn = seed_punch_first};
	struct page *p[4][3];
	unsigned leases = 0, others = 0;
	bool slept, early, over = false;
	long got = 0;

	EXPECT_OR(out, va && g && !dax_mmap(current_mm(), g, 0, 1, true, &next), "not mapped");
	for (unsigned i = 0; i < 4; i++)
		got += get_user_pages_fast(va, 3, PIN, p[i]);
	leases = lease_count(&f->leases, LEASE_ALLOCATED);
	others = lease_count(&g->leases, LEASE_ALLOCATED);
	EXPECT_OR(out, fx_start(&op), "no memory for a thread");
	slept = seed_sleeps_for_lease(&op);
	for (unsigned i = 0; i < 4; i++)
		unpin_user_pages(p[i], 3);
	/* The poll comes a second after the break, so a punch that is over before slept less. */
	early = fx_done(&op) && f->last_break.waited_ns < SECOND;
	over = seed_over_after_polls(&op);
	EXPECT_OR(out, got == 12 && leases == 4 && !others, "%ld pages, %u and %u leases", got,
		  leases, others);
	EXPECT_OR(out, slept && !early && over && f->last_break.waited_ns >= SECOND,
		  "slept %d, waited %lu ms", slept, f->last_break.waited_ns / 1000000);
out:
	unmap(next, 1);
	if (g)
		dax_put(g);
	fixture_end(&fx);
}

/* Breaks it: truncate wired to the leases, or a lease that nobody reaps. */
SELFTEST(
	seed_s3_13, "seed.s3.13",
	"punch waits for a call's lease and truncate does not (B-7); a lease that nobody breaks is "
	"gone a few polls after its put")
{
	FIXTURE(fx, &lifetime_lease_poll);
	struct page *p = seed_pin(fx_map(&fx, "f", 1, 'a')), *q;
	struct fx_op op = {.inode = fx.inode[0], .fn = seed_punch_first}, cut = {.fn = fx_truncate};
	unsigned before, left = 1, polls = 0;
	bool slept, over, at_once;

	EXPECT_OR(out, p && fx_start(&op), "no pinned page");
	slept = seed_sleeps_for_lease(&op);
	unpin_user_pages(&p, 1);
	over = seed_over_after_polls(&op);
	EXPECT_OR(out, slept && over && !op.err, "punch: slept %d, over %d, error %d", slept, over,
		  op.err);
	q = seed_pin(fx_map(&fx, "g", 1, 'g'));
	cut.inode = fx.inode[1];
	EXPECT_OR(out, q && fx_start(&cut), "no second page");
	before = lease_count(&cut.inode->leases, LEASE_ALLOCATED);
	at_once = fx_ends(&cut);
	unpin_user_pages(&q, 1);
	seed_over_after_polls(&cut);
	EXPECT_OR(out, at_once && !cut.err && before == 1 && cut.inode->collisions == 1,
		  "truncate: at once %d, %d, %u lease(s), %u collision(s)", at_once, cut.err,
		  before, cut.inode->collisions);
	for (; left && polls < 6; polls++) {
		clock_skip(SECOND);
		quiet_wait();
		left = lease_count(&fx.inode[1]->leases, LEASE_ALLOCATED);
	}
	EXPECT_OR(out, !left, "%u lease(s) after %u polls", left, polls);
out:
	fixture_end(&fx);
}
