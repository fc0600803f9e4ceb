/* SPDX-License-Identifier: MIT */
/* Self-tests: references of pages and of pgmaps, and what unbinding waits for. */
#include "mm/device/internal.h"

static unsigned idle_calls;

static void count_idle(struct page *p)
{
	(void)p;
	__atomic_fetch_add(&idle_calls, 1, __ATOMIC_RELAXED);
}
static const struct pgmap_ops idle_ops = {.page_idle = count_idle};

/* A bound pgmap that counts how often a page of it came to rest. */
static int bound(struct pgmap *p, uint32_t rest, struct page **page)
{
	int err;

	idle_calls = 0;
	err = fake_bound(p, rest, &idle_ops, page);
	pgmap_listen(p);
	return err;
}

SELFTEST(mm_put_tells_once, "mm.put-tells-once",
	 "only the put that brings a page back to rest tells its owner, single or in bulk")
{
	static struct pgmap p;
	struct page *page;
	unsigned after_one, after_two, after_bulk;
	int err = bound(&p, 1, &page);

	EXPECT(!err, "error %d", err);
	page_get(page, 2);
	page_put(page, 1);
	after_one = idle_calls;
	page_put(page, 1);
	after_two = idle_calls;
	page_get(page, 7);
	page_put(page, 7);
	after_bulk = idle_calls;
	memunmap_pages(&p);
	EXPECT(after_one == 0 && after_two == 1 && after_bulk == 2,
	       "calls: %u after the first put, %u after the last, %u after the bulk", after_one,
	       after_two, after_bulk);
}

SELFTEST(mm_no_birth_from_zero, "mm.no-birth-from-zero",
	 "a page with no reference and no mapping cannot be taken by a reader of an old entry")
{
	static struct pgmap p;
	struct page *page;
	bool from_zero, from_mapped;
	int err = bound(&p, 0, &page);

	EXPECT(!err, "error %d", err);
	from_zero = page_get(page, 1);
	page_map_get(page);
	from_mapped = page_get(page, 1);
	if (from_mapped)
		page_put(page, 1);
	page_map_put(page);
	memunmap_pages(&p);
	EXPECT(!from_zero && from_mapped, "from zero %d, from mapped %d", from_zero, from_mapped);
}

static void drain_thread(void *arg)
{
	percpu_ref_drain(arg);
}

SELFTEST(mm_ref_drain_waits, "mm.ref-drain-waits",
	 "a killed reference takes no new users, and its drain waits for the last old one")
{
	static struct percpu_ref ref;
	struct thread *waiter;
	bool late, waited;

	percpu_ref_init(&ref);
	EXPECT(percpu_ref_tryget_live(&ref), "a live reference refuses");
	percpu_ref_kill(&ref);
	late = percpu_ref_tryget_live(&ref);
	waiter = thread_create("drain", drain_thread, &ref, 0);
	EXPECT(waiter, "no memory");
	waited = gather_on(&ref, 1);
	percpu_ref_put(&ref);
	thread_join(waiter);
	EXPECT(!late, "taken after the kill");
	EXPECT(waited, "the drain did not wait for the user");
	EXPECT(percpu_ref_sum(&ref) == 0, "%ld left", (long)percpu_ref_sum(&ref));
}

SELFTEST(mm_pgmap_lookup, "mm.pgmap-lookup",
	 "a pfn finds its pgmap from the first page to the last, and none beside it")
{
	struct pgmap p = fake_pgmap(2, 2), *got[4];
	const uint64_t pfn[] = {p.range[0].start - 1, p.range[0].start, p.range[0].end - 1,
				p.range[0].end};
	int err = memremap_pages(&p);

	EXPECT(!err, "error %d", err);
	for (unsigned i = 0; i < 4; i++) {
		got[i] = pgmap_get(pfn[i]);
		if (got[i])
			pgmap_put(got[i]);
	}
	memunmap_pages(&p);
	EXPECT(!got[0] && got[1] == &p && got[2] == &p && !got[3], "%d %d %d %d", !!got[0],
	       !!got[1], !!got[2], !!got[3]);
	EXPECT(!pgmap_get(pfn[1]), "found after it was unmapped");
}

SELFTEST(mm_pgmap_cached, "mm.pgmap-lookup-series",
	 "a series of look-ups takes one reference per device and gives each back")
{
	static struct pgmap a, b;
	struct pgmap *cached = NULL;
	int64_t sum_a, sum_b;
	bool same, other;
	int err;

	a = fake_pgmap(0, 2);
	b = fake_pgmap(2, 2);
	err = memremap_pages(&a) | memremap_pages(&b);
	EXPECT(!err, "error %d", err);
	for (uint64_t pfn = a.range[0].start; pfn < a.range[0].end; pfn++)
		cached = pgmap_get_next(pfn, cached);
	same = cached == &a;
	sum_a = percpu_ref_sum(&a.ref);
	cached = pgmap_get_next(b.range[0].start, cached);
	other = cached == &b && percpu_ref_sum(&a.ref) == 1;
	cached = pgmap_get_next(b.range[0].end, cached); /* nobody's */
	sum_b = percpu_ref_sum(&b.ref);
	if (cached)
		pgmap_put(cached);
	memunmap_pages(&a);
	memunmap_pages(&b);
	EXPECT(same && other && !cached, "same %d, other %d", same, other);
	EXPECT(sum_a == 2 && sum_b == 1, "%ld while cached, %ld after", (long)sum_a, (long)sum_b);
}

/* ---- births ---------------------------------------------------------------------------------- */

SELFTEST(mm_birth, "mm.memremap-birth",
	 "at rest 0 a page holds its pgmap from its first reference or mapping to the last of "
	 "either")
{
	static struct pgmap p;
	struct page *page;
	int64_t n[6];
	bool taken;
	int err = bound(&p, 0, &page);

	EXPECT(!err, "error %d", err);
	n[0] = percpu_ref_sum(&p.ref);
	taken = page_get_first(page, 3) && page_get_first(page, 1);
	n[1] = percpu_ref_sum(&p.ref);
	page_map_get(page);
	page_put(page, 4);
	n[2] = percpu_ref_sum(&p.ref);
	page_map_put(page);
	n[3] = percpu_ref_sum(&p.ref);
	page_map_get(page);
	page_get(page, 1);
	page_map_put_run(page, 1);
	n[4] = percpu_ref_sum(&p.ref);
	page_put_each(&page, 1);
	n[5] = percpu_ref_sum(&p.ref);
	memunmap_pages(&p);
	EXPECT(taken, "a first reference was refused");
	EXPECT(n[0] == 1 && n[1] == 2 && n[2] == 2 && n[3] == 1 && n[4] == 2 && n[5] == 1,
	       "sums %ld %ld %ld %ld %ld %ld, expected 1 2 2 1 2 1", (long)n[0], (long)n[1],
	       (long)n[2], (long)n[3], (long)n[4], (long)n[5]);
	EXPECT(idle_calls == 2, "%u times idle, not 2", idle_calls);
}

/* ---- what unbinding waits for ---------------------------------------------------------------- */

SELFTEST(mm_unmap_waits_lookup, "mm.memremap-unmap-waits-for-lookup",
	 "memunmap_pages waits for who looked the pgmap up; meanwhile nobody else finds it")
{
	static struct pgmap p;
	struct page *page;
	struct thread *unmap;
	struct pgmap *held, *late;
	bool slept;
	int populate, err = bound(&p, 1, &page);

	EXPECT(!err, "error %d", err);
	held = pgmap_get(p.range[0].end - 1);
	unmap = start_unmap(&p);
	EXPECT(held && unmap, "no memory");
	slept = falls_asleep(unmap);
	late = pgmap_get(p.range[0].start);
	populate = page_records_populate(p.range[0].start + 300, 1);
	pgmap_put(held);
	thread_join(unmap);
	EXPECT(slept, "it did not wait");
	EXPECT(!late && populate == -ENXIO, "found while dying: %d, populate %d", !!late, populate);
}

/* Unbinds in a thread while `hold` is on; true: it waited until `release`. */
static bool unmap_waits(struct pgmap *p, void (*release)(struct page *), struct page *page)
{
	struct thread *unmap = start_unmap(p);
	bool slept = unmap && falls_asleep(unmap);

	if (slept)
		release(page);
	if (unmap)
		thread_join(unmap);
	return slept;
}

static void release_ref(struct page *p)
{
	page_put(p, 1);
}

SELFTEST(mm_unmap_waits_gup, "mm.memremap-unmap-waits-for-page",
	 "I2: memunmap_pages waits for a page that is referenced, at rest 0 and at rest 1")
{
	static struct pgmap p;
	struct page *page;
	bool waited[2];

	for (unsigned rest = 0; rest < 2; rest++) {
		int err = bound(&p, rest, &page);

		EXPECT(!err, "error %d", err);
		if (rest)
			page_get(page + 3, 1);
		else
			page_get_first(page + 3, 1);
		waited[rest] = unmap_waits(&p, release_ref, page + 3);
	}
	EXPECT(waited[0] && waited[1], "waited at rest 0: %d, at rest 1: %d", waited[0], waited[1]);
}

static void noted_release(struct page *p)
{
	unsigned before = idle_calls;

	page_put(p, 1);
	idle_calls = before * 10 + (idle_calls - before);
}

SELFTEST(mm_unmap_c7, "mm.memremap-premature-idle",
	 "at rest 1 unbinding tells of an idle page while somebody holds it, as Linux 4.17 to 5.17 "
	 "did (C-7); at rest 0 the last put tells")
{
	static struct pgmap p;
	struct page *page;
	unsigned told[2]; /* ten times before the last put, plus by it */

	for (unsigned rest = 0; rest < 2; rest++) {
		int err = bound(&p, rest, &page);

		EXPECT(!err, "error %d", err);
		if (rest)
			page_get(page, 1);
		else
			page_get_first(page, 1);
		EXPECT(unmap_waits(&p, noted_release, page), "rest %u: it did not wait", rest);
		told[rest] = idle_calls;
	}
	EXPECT(told[0] == 1 && told[1] == 10, "told %u at rest 0, %u at rest 1", told[0], told[1]);
}

SELFTEST(mm_unmap_mapped_0, "mm.memremap-unmap-waits-for-mapping",
	 "at rest 0 memunmap_pages waits for a page that is only mapped")
{
	static struct pgmap p;
	struct page *page;
	int err = bound(&p, 0, &page);

	EXPECT(!err, "error %d", err);
	page_map_get(page);
	EXPECT(unmap_waits(&p, page_map_put, page), "it did not wait");
}

SELFTEST(mm_unmap_mapped_1, "mm.memremap-unmap-leaves-mapping",
	 "at rest 1 a page that is only mapped does not hold up unbinding, as in Linux 4.17 to "
	 "6.14 (C-4)")
{
	static struct pgmap p;
	struct page *page;
	int err = bound(&p, 1, &page);

	EXPECT(!err, "error %d", err);
	page_map_get(page);
	memunmap_pages(&p); /* would sleep for ever */
	EXPECT(!pfn_valid(p.range[0].start), "the range stayed");
}

/* A held page in the middle of a 2 MiB folio, put by its own name. */
static void release_tail(struct page *p)
{
	page_put(p + 77, 1);
}

SELFTEST(mm_unmap_folio, "mm.memremap-unmap-waits-for-folio",
	 "memunmap_pages waits for a folio of which any page is held, at rest 0 and at rest 1")
{
	static struct pgmap p;
	struct page *head;
	bool waited[2];

	for (unsigned rest = 0; rest < 2; rest++) {
		int err = bound(&p, rest, &head);

		err = err ? err : page_records_populate(p.range[0].start, FOLIO_PAGES);
		EXPECT(!err && !page_folio_make(head), "error %d, or no folio", err);
		if (rest)
			page_get(page_to_record(head + 77), 1);
		else
			page_get_first(page_to_record(head + 77), 1);
		waited[rest] = unmap_waits(&p, release_tail, head);
	}
	EXPECT(waited[0] && waited[1], "waited at rest 0: %d, at rest 1: %d", waited[0], waited[1]);
}

SELFTEST(mm_first_dying, "mm.memremap-no-birth-dying",
	 "no page of a dying pgmap gets a first reference; one that is held gets more")
{
	static struct pgmap p;
	struct page *page;
	struct thread *unmap;
	bool fresh, more;
	int err = bound(&p, 0, &page);

	EXPECT(!err && page_get_first(page, 1), "error %d", err);
	unmap = start_unmap(&p);
	EXPECT(unmap && falls_asleep(unmap), "it did not wait");
	fresh = page_get_first(page + 1, 1);
	more = page_get_first(page, 1);
	page_put(page, 1 + more);
	thread_join(unmap);
	EXPECT(!fresh && more, "fresh %d, more %d", fresh, more);
}
