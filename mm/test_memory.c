/* SPDX-License-Identifier: MIT */
/* Self-tests: frames, slabs, kernel mappings, page records, memremap, pgmap references (mm.*). */
#include "mm/internal.h"

SELFTEST(mm_frames_return, "mm.frames-return", "frames of every order come back to the last one")
{
	uint64_t got[FRAME_MAX_ORDER + 1], before = frame_stats().free;

	for (unsigned o = 0; o <= FRAME_MAX_ORDER; o++)
		got[o] = frame_alloc(o);
	for (unsigned o = 0; o <= FRAME_MAX_ORDER; o++)
		if (got[o])
			frame_free(got[o], o);
	for (unsigned o = 0; o <= FRAME_MAX_ORDER; o++)
		EXPECT(got[o] && IS_ALIGNED(got[o], PAGE_SIZE << o), "order %u gave 0x%lx", o, got[o]);
	EXPECT(frame_stats().free == before, "%lu frames free, %lu before", frame_stats().free,
	       before);
}

SELFTEST(mm_frames_merge, "mm.frames-merge", "two freed buddies are one larger block again")
{
	uint64_t big = frame_alloc(1), again, low, high;

	EXPECT(big, "no frames");
	frame_free(big, 1);
	low = frame_alloc(0);
	high = frame_alloc(0);
	frame_free(high, 0);
	frame_free(low, 0);
	again = frame_alloc(1);
	frame_free(again, 1);
	EXPECT(again == big, "the pair at 0x%lx did not merge: got 0x%lx", big, again);
}

SELFTEST(mm_frames_distinct, "mm.frames-distinct", "no frame is handed out twice")
{
	enum { N = 512 };
	uint64_t *got = calloc(N, sizeof(*got));
	unsigned twice = 0;

	EXPECT(got, "no memory");
	for (unsigned i = 0; i < N; i++) {
		got[i] = frame_alloc(0);
		*(uint64_t *)phys_to_virt(got[i]) = i;
	}
	for (unsigned i = 0; i < N; i++)
		twice += *(uint64_t *)phys_to_virt(got[i]) != i;
	for (unsigned i = 0; i < N; i++)
		frame_free(got[i], 0);
	free(got);
	EXPECT(!twice, "%u of %u frames were overwritten through another one", twice, N);
}

SELFTEST(mm_slab_returns, "mm.slab-returns", "a slab gives its frames back when all objects are free")
{
	static struct slab_cache cache = SLAB_CACHE_INIT("test", 200);
	uint64_t before = frame_stats().free;
	void *obj[64];
	unsigned dirty = 0;

	for (unsigned i = 0; i < 64; i++) {
		obj[i] = slab_alloc(&cache);
		for (unsigned b = 0; b < 200; b++)
			dirty += ((char *)obj[i])[b] != 0;
		memset(obj[i], 0xa5, 200);
	}
	for (unsigned i = 0; i < 64; i++)
		slab_free(&cache, obj[(i * 37) % 64]);
	EXPECT(!dirty, "%u bytes of fresh objects were not zero", dirty);
	EXPECT(cache.in_use == 0, "%u objects still counted", cache.in_use);
	EXPECT(frame_stats().free == before, "%lu frames free, %lu before", frame_stats().free,
	       before);
}

/* Rights of the entry that maps va: PTE_W and PTE_NX as they are; *level: how large the page is. */
static uint64_t rights(uint64_t va, unsigned *level)
{
	uint64_t *pte = pte_walk(kernel_root, va, 1, false, level);

	if (!pte)
		pte = pte_walk(kernel_root, va, *level, false, NULL);
	return *pte & (PTE_P | PTE_W | PTE_NX);
}

SELFTEST(mm_text_not_writable, "mm.text-not-writable",
	 "kernel text is executable and read-only, and read-only by its direct-map name too")
{
	extern char __text_start[];
	unsigned level;
	uint64_t image = rights((uint64_t)__text_start, &level);
	uint64_t alias = rights(DIRECT_BASE + virt_to_phys(__text_start), &level);

	EXPECT(image == PTE_P, "entry rights 0x%lx of the image", image);
	EXPECT(alias == (PTE_P | PTE_NX), "entry rights 0x%lx of the alias", alias);
}

SELFTEST(mm_no_write_and_execute, "mm.no-write-and-execute",
	 "no kernel page is writable and executable at once")
{
	static const uint64_t from[] = {DIRECT_BASE, KVIRT_BASE, KERNEL_BASE};
	unsigned level, bad = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(from); i++)
		for (uint64_t va = from[i], end = from[i] + 600 * MIB; va < end && va >= from[i];) {
			uint64_t r = rights(va, &level);

			bad += (r & PTE_P) && (r & PTE_W) && !(r & PTE_NX);
			va = ALIGN_DOWN(va, PAGE_SIZE << (9 * (level - 1))) +
			     (PAGE_SIZE << (9 * (level - 1)));
		}
	EXPECT(!bad, "%u entries allow both", bad);
}

SELFTEST(mm_data_not_executable, "mm.data-not-executable", "data and stacks cannot be executed")
{
	static int data;
	unsigned level;
	int local;

	EXPECT(rights((uint64_t)&data, &level) == (PTE_P | PTE_W | PTE_NX), "data is 0x%lx",
	       rights((uint64_t)&data, &level));
	EXPECT(rights((uint64_t)&local, &level) & PTE_NX, "the stack is executable");
}

SELFTEST(mm_stack_guard, "mm.stack-guard", "the page below a stack is not mapped, and has a name")
{
	char *stack = stack_alloc();
	uint64_t *pte;
	const char *name;

	EXPECT(stack, "no memory");
	pte = pte_walk(kernel_root, (uint64_t)stack - 1, 1, false, NULL);
	name = kernel_address_name((uint64_t)stack - 1);
	stack_free(stack);
	EXPECT(!pte || !(*pte & PTE_P), "the guard page is mapped");
	EXPECT(name && strstr(name, "guard"), "it is called '%s'", name);
}

static int find_whole_gib(struct pgmap *pgmap, void *arg)
{
	uint64_t start = ALIGN_UP(pgmap->range[0].start, PUD_SIZE >> PAGE_SHIFT);

	if (start + (PUD_SIZE >> PAGE_SHIFT) <= pgmap->range[0].end)
		*(uint64_t *)arg = DIRECT_BASE + (start << PAGE_SHIFT);
	return 0;
}

SELFTEST(mm_direct_map_large, "mm.direct-map-large",
	 "device memory is mapped by the largest pages that its alignment and the CPU allow")
{
	unsigned level, best = cpu_features.page1g ? 3 : 2;
	uint64_t va = 0;

	pgmap_for_each(find_whole_gib, &va);
	if (!va)
		SKIP("no device memory with a whole aligned GiB");
	rights(va, &level);
	EXPECT(level == best, "mapped at level %u, not %u", level, best);
}

/* ---- memremap ---------------------------------------------------------------------------------- */

/* A range that is neither RAM nor a device; nothing in it is ever touched. */
static struct pgmap fake(uint64_t start, uint64_t mib)
{
	struct pgmap pgmap = {.type = PGMAP_FS_DAX, .name = "fake", .nr_range = 1, .rest = 1};

	pgmap.range[0].start = start >> PAGE_SHIFT;
	pgmap.range[0].end = (start + mib * MIB) >> PAGE_SHIFT;
	return pgmap;
}
#define FAKE_PHYS (200 * GIB)

SELFTEST(mm_memremap_errors, "mm.memremap-errors",
	 "every refusal of memremap_pages has its errno and a sentence, and changes nothing")
{
	struct pgmap p[] = {fake(FAKE_PHYS, 2), fake(FAKE_PHYS, 2), fake(FAKE_PHYS + PAGE_SIZE, 2),
			    fake(FAKE_PHYS, 0), fake(16 * MIB, 2), fake(FAKE_PHYS, 2)};
	const int want[] = {-EINVAL, -EINVAL, -EINVAL, -EINVAL, -ENXIO, -EINVAL};
	uint64_t before = frame_stats().free;

	p[0].nr_range = 0;
	p[1].type = 0;
	p[5].range[0].end = 1ull << 50;
	for (unsigned i = 0; i < ARRAY_SIZE(p); i++) {
		const char *why = NULL;
		int err = memremap_pages(&p[i], &why);

		EXPECT(err == want[i], "case %u: %d, not %d", i, err, want[i]);
		EXPECT(why && strlen(why) > 20, "case %u has no sentence", i);
	}
	EXPECT(frame_stats().free == before, "%ld frames lost", (long)(before - frame_stats().free));
}

SELFTEST(mm_memremap_conflict, "mm.memremap-conflict",
	 "a range inside, around or across another one is refused, beside it is not")
{
	static const struct {
		int64_t off;
		uint64_t mib;
		int want;
	} c[] = {{0, 8, -ENOMEM}, {2, 2, -ENOMEM}, {-2, 4, -ENOMEM}, {6, 4, -ENOMEM},
		 {-2, 16, -ENOMEM}, {8, 2, 0}, {-2, 2, 0}};
	struct pgmap base = fake(FAKE_PHYS, 8), other;
	int got[ARRAY_SIZE(c)];

	EXPECT(!memremap_pages(&base, NULL), "the first range is refused");
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++) {
		other = fake(FAKE_PHYS + c[i].off * (int64_t)MIB, c[i].mib);
		got[i] = memremap_pages(&other, NULL);
		if (!got[i])
			memunmap_pages(&other);
	}
	memunmap_pages(&base);
	for (unsigned i = 0; i < ARRAY_SIZE(c); i++)
		EXPECT(got[i] == c[i].want, "case %u: %d, not %d", i, got[i], c[i].want);
}

SELFTEST(mm_memremap_returns, "mm.memremap-returns",
	 "bind and unbind a hundred times, records included: not a frame is lost")
{
	struct pgmap p = fake(FAKE_PHYS, 64);
	uint64_t before = 0, after, records = record_frames;
	int err = 0;

	for (unsigned i = 0; i < 101 && !err; i++) {
		p = fake(FAKE_PHYS, 64);
		err = memremap_pages(&p, NULL);
		if (err)
			break;
		err = page_records_populate(p.range[0].start + i, 300);
		memunmap_pages(&p);
		if (i == 0) /* kernel page tables made on the way stay for the next time */
			before = frame_stats().free;
	}
	after = frame_stats().free;
	EXPECT(!err, "error %d", err);
	EXPECT(after == before, "%ld frames lost in 100 rounds", (long)(before - after));
	EXPECT(record_frames == records, "%ld record frames lost", (long)(record_frames - records));
}

SELFTEST(mm_bind_cost_flat, "mm.bind-populates-nothing",
	 "binding makes no page record; touching one page makes one frame of them")
{
	struct pgmap p = fake(FAKE_PHYS, 1024);
	uint64_t records = record_frames, bound, touched;
	int err = memremap_pages(&p, NULL);

	EXPECT(!err, "error %d", err);
	bound = record_frames - records;
	err = page_records_populate(p.range[0].start + 5000, 1);
	touched = record_frames - records;
	memunmap_pages(&p);
	EXPECT(!err && bound == 0 && touched == 1, "error %d, %lu frames at bind, %lu after a touch",
	       err, bound, touched);
}

SELFTEST(mm_record_at_rest, "mm.record-at-rest", "a fresh record rests, knows its pgmap and no file")
{
	struct pgmap p = fake(FAKE_PHYS, 2);
	struct page copy, *page = pfn_to_page(FAKE_PHYS >> PAGE_SHIFT);
	bool untouched;
	int err = memremap_pages(&p, NULL);

	EXPECT(!err, "error %d", err);
	untouched = !page_record_if_touched(p.range[0].start);
	err = page_records_populate(p.range[0].start, 1);
	copy = err ? (struct page){0} : *page;
	memunmap_pages(&p);
	EXPECT(untouched, "a record exists before it was populated");
	EXPECT(!err && copy.state == 1 && copy.pgmap == &p && !copy.mapping,
	       "error %d, state 0x%lx, mapping %p", err, copy.state, (void *)copy.mapping);
}

SELFTEST(mm_populate_outside, "mm.populate-outside",
	 "records are refused beyond a pgmap's range, at either end")
{
	struct pgmap p = fake(FAKE_PHYS, 2);
	uint64_t start = p.range[0].start, end = p.range[0].end;
	int before, across, behind, err = memremap_pages(&p, NULL);

	EXPECT(!err, "error %d", err);
	before = page_records_populate(start - 1, 1);
	across = page_records_populate(end - 1, 2);
	behind = page_records_populate(end, 1);
	memunmap_pages(&p);
	EXPECT(before == -ENXIO && across == -ENXIO && behind == -ENXIO, "%d, %d, %d", before, across,
	       behind);
}

/* ---- references --------------------------------------------------------------------------------- */

static unsigned idle_calls;

static void count_idle(struct page *p)
{
	(void)p;
	idle_calls++;
}

SELFTEST(mm_put_tells_once, "mm.put-tells-once",
	 "only the put that brings a page back to rest tells its owner, single or in bulk")
{
	static const struct pgmap_ops ops = {count_idle};
	struct pgmap p = fake(FAKE_PHYS, 2);
	struct page *page = pfn_to_page(p.range[0].start);
	unsigned after_one = 0, after_two = 0, after_bulk = 0;
	int err = memremap_pages(&p, NULL);

	EXPECT(!err, "error %d", err);
	p.ops = &ops;
	err = page_records_populate(p.range[0].start, 1);
	idle_calls = 0;
	if (!err) {
		page_get(page, 2);
		page_put(page, 1);
		after_one = idle_calls;
		page_put(page, 1);
		after_two = idle_calls;
		page_get(page, 7);
		page_put(page, 7);
		after_bulk = idle_calls;
	}
	memunmap_pages(&p);
	EXPECT(!err && after_one == 0 && after_two == 1 && after_bulk == 2,
	       "error %d; calls: %u after the first put, %u after the last, %u after the bulk", err,
	       after_one, after_two, after_bulk);
}

SELFTEST(mm_no_birth_from_zero, "mm.no-birth-from-zero",
	 "a page with no reference and no mapping cannot be taken by a reader of an old entry")
{
	struct pgmap p = fake(FAKE_PHYS, 2);
	struct page *page = pfn_to_page(p.range[0].start);
	bool from_zero = true, from_mapped = false;
	int err;

	p.rest = 0;
	err = memremap_pages(&p, NULL);
	EXPECT(!err, "error %d", err);
	err = page_records_populate(p.range[0].start, 1);
	if (!err) {
		from_zero = page_get(page, 1);
		page_map_get(page);
		from_mapped = page_get(page, 1);
		if (from_mapped)
			page_put(page, 1);
		page_map_put(page);
	}
	memunmap_pages(&p);
	EXPECT(!err && !from_zero && from_mapped, "error %d, from zero %d, from mapped %d", err,
	       from_zero, from_mapped);
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
	bool late, waited = false;

	percpu_ref_init(&ref);
	EXPECT(percpu_ref_tryget_live(&ref), "a live reference refuses");
	percpu_ref_kill(&ref);
	late = percpu_ref_tryget_live(&ref);
	waiter = thread_create("drain", drain_thread, &ref, 0);
	EXPECT(waiter, "no memory");
	for (unsigned i = 0; i < 1000 && !waited; i++) {
		thread_sleep_ns(100000);
		waited = waiters_on(&ref) == 1;
	}
	percpu_ref_put(&ref);
	thread_join(waiter);
	EXPECT(!late, "taken after the kill");
	EXPECT(waited, "the drain did not wait for the user");
	EXPECT(percpu_ref_sum(&ref) == 0, "%ld left", (long)percpu_ref_sum(&ref));
}

SELFTEST(mm_pgmap_lookup, "mm.pgmap-lookup",
	 "a pfn finds its pgmap from the first page to the last, and none beside it")
{
	struct pgmap p = fake(FAKE_PHYS, 2), *got[4];
	const uint64_t pfn[] = {p.range[0].start - 1, p.range[0].start, p.range[0].end - 1,
				p.range[0].end};
	int err = memremap_pages(&p, NULL);

	EXPECT(!err, "error %d", err);
	for (unsigned i = 0; i < 4; i++) {
		got[i] = pgmap_get(pfn[i]);
		if (got[i])
			pgmap_put(got[i]);
	}
	memunmap_pages(&p);
	EXPECT(!got[0] && got[1] == &p && got[2] == &p && !got[3], "%d %d %d %d", !!got[0], !!got[1],
	       !!got[2], !!got[3]);
	EXPECT(!pgmap_get(pfn[1]), "found after it was unmapped");
}
