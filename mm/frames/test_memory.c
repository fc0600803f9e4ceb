/* SPDX-License-Identifier: MIT */
/* Self-tests: frames, slabs, kernel mappings (mm.*). */
#include "mm/frames/internal.h"

SELFTEST(mm_frames_return, "mm.frames-return", "frames of every order come back to the last one")
{
	uint64_t got[FRAME_MAX_ORDER + 1], before = frame_stats().free;

	for (unsigned o = 0; o <= FRAME_MAX_ORDER; o++)
		got[o] = frame_alloc(o);
	for (unsigned o = 0; o <= FRAME_MAX_ORDER; o++)
		if (got[o])
			frame_free(got[o], o);
	for (unsigned o = 0; o <= FRAME_MAX_ORDER; o++)
		EXPECT(got[o] && IS_ALIGNED(got[o], PAGE_SIZE << o), "order %u gave 0x%lx", o,
		       got[o]);
	EXPECT(frame_stats().free == before, "%lu frames free, %lu before", frame_stats().free,
	       before);
}

SELFTEST(mm_frames_merge, "mm.frames-merge", "two freed buddies are one larger block again")
{
	uint64_t big, again, low, high;

	frames_end_rest();
	big = frame_alloc(1);
	EXPECT(big, "no frames");
	frame_free(big, 1);
	frames_end_rest();
	low = frame_alloc(0);
	high = frame_alloc(0);
	frame_free(high, 0);
	frame_free(low, 0);
	frames_end_rest();
	again = frame_alloc(1);
	frame_free(again, 1);
	EXPECT(again == big, "the pair at 0x%lx did not merge: got 0x%lx", big, again);
}

/* Every order is freed with what any 8-byte mark of a free block could be in its first words. */
SELFTEST(mm_frames_bytes, "mm.frames-bytes-decide-nothing",
	 "a frame is freed whatever its user wrote into it")
{
	uint64_t before = frame_stats().free, odd = 0;

	for (unsigned o = 0; o <= FRAME_MAX_ORDER; o++)
		for (unsigned mark = 0; mark <= FRAME_MAX_ORDER; mark++) {
			uint64_t phys = frame_alloc(o), *at = phys_to_virt(phys);

			EXPECT(phys, "no frames of order %u", o);
			for (unsigned i = 0; i < 4; i++) /* "EERFEERF", as a number and above */
				at[i] = 0x4652454546524545ull + mark;
			frame_free(phys, o);
		}
	odd = frame_stats().free != before;
	EXPECT(!odd, "%lu frames free, %lu before", frame_stats().free, before);
}

SELFTEST(mm_frames_books, "mm.frames-books",
	 "the allocator's own books tell a frame that is out from one that was freed")
{
	uint64_t pair = frame_alloc(1), last = pair + PAGE_SIZE, big = frame_alloc(FRAME_MAX_ORDER);
	bool out, half, whole, gone;

	EXPECT(pair && big, "no frames");
	out = frame_is_out(pair, 1) && frame_is_out(pair, 0) && frame_is_out(last, 0);
	frame_free(last, 0);
	half = frame_is_out(pair, 0) && !frame_is_out(last, 0) && !frame_is_out(pair, 1);
	frame_free(pair, 0);
	whole = frame_is_out(big, FRAME_MAX_ORDER);
	frame_free(big, FRAME_MAX_ORDER);
	gone = !frame_is_out(pair, 0) && !frame_is_out(big, 0) &&
	       !frame_is_out(big, FRAME_MAX_ORDER);
	EXPECT(out, "two frames that were handed out are not in the books");
	EXPECT(half, "half of a block was freed, and the books do not say which");
	EXPECT(whole && gone, "in the books 4 MiB %s", whole ? "are still out" : "never were out");
}

SELFTEST(mm_frames_all_given, "mm.frames-all-given",
	 "all RAM is the allocator's but for the lowest 64 KiB, the image and the allocator's maps")
{
	const struct boot_info *bi = boot_info();
	uint64_t kept = BOOT_LOW_KEPT + boot_image_end() - boot_image_start(), pfns = 0, cut = 0;

	for (unsigned i = 0; i < bi->nr_ranges; i++)
		if (bi->ranges[i].type == BOOT_RAM) {
			pfns = (bi->ranges[i].base + bi->ranges[i].len) / PAGE_SIZE;
			cut += 2; /* a frame at either end that is RAM in part */
		}
	kept = kept / PAGE_SIZE + cut + frames_maps_size(pfns) / PAGE_SIZE;
	EXPECT(frame_stats().reserved <= kept,
	       "%lu frames are kept from the allocator, expected %lu", frame_stats().reserved,
	       kept);
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

SELFTEST(mm_slab_returns, "mm.slab-returns",
	 "a slab gives its frames back when all objects are free")
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

/* Entries below `table` that point at a table and hold more than its address and rights. */
static unsigned loaded_entries(uint64_t table, unsigned level)
{
	const uint64_t *entry = phys_to_virt(table);
	unsigned n = 0;

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*entry) && level > 1; i++) {
		uint64_t e = __atomic_load_n(&entry[i], __ATOMIC_ACQUIRE);

		if ((e & (PTE_P | PTE_PS)) == PTE_P)
			n += (e & ~(PTE_PHYS | (PAGE_SIZE - 1))) != 0 ||
			     loaded_entries(e & PTE_PHYS, level - 1);
	}
	return n;
}

SELFTEST(
	mm_table_entries_bare, "mm.table-entries-bare",
	"an entry that points at a table has nothing above the address: the fast walks count on it")
{
	unsigned n = loaded_entries(kernel_root, 4);

	EXPECT(!n, "%u tables with such an entry below them", n);
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

/* Frames that are in use, but for page tables, which stay. */
static uint64_t frames_used(void)
{
	struct frame_stats s = frame_stats();

	return s.total - s.free - page_table_frames();
}

/* The failures of the first run, up to its first success. A stack that was made stays a spare one,
 * so later runs end behind the last failure. */
SELFTEST(mm_stack_fails, "mm.stack-fails-whole",
	 "a stack that fails at any of its allocations gives back frames and slot")
{
	static unsigned known; /* zero: in the first run */
	unsigned lost = 0, slots = 0, failures = 0;
	void *stack = NULL;

	while (!stack && failures < 100 && (!known || failures < known)) {
		uint64_t made = stacks_made(), used = frames_used();
		bool failed;

		alloc_fail_nth(failures + 1);
		stack = stack_make();
		alloc_fail_count(&failed);
		alloc_fail_nth(0);
		failures += failed;
		lost += !stack && frames_used() != used;
		slots += !stack && stacks_made() != made;
	}
	if (stack)
		stack_free(stack);
	if (stack && !known)
		known = THREAD_STACK_SIZE / PAGE_SIZE;
	EXPECT(failures >= 4 && (stack || known), "%u allocations failed, at least 4 are known",
	       failures);
	EXPECT(!lost && !slots, "of %u failures %u lost frames and %u a slot", failures, lost,
	       slots);
}

/* What was mapped stays: the first run ends with that, later runs behind the first failure. */
SELFTEST(
	mm_mmio_fails, "mm.mmio-fails-whole",
	"device registers that cannot be mapped take no address and are not kept from being memory")
{
	static bool mapped;
	/* Nobody's: nothing is read there. Beyond what is mapped there a table is missing. */
	const uint64_t start = (1ull << 45) + (mapped ? 4 * MIB : 0), len = 4 * MIB;
	unsigned failures = 0, noted = 0, moved = 0;
	void *at = NULL;

	while (!at && failures < 10 && !(mapped && failures)) {
		const uint64_t next = mmio_next();
		bool failed;

		alloc_fail_nth(failures ? 2 : 1);
		at = map_mmio(start, len);
		alloc_fail_count(&failed);
		alloc_fail_nth(0);
		failures += failed;
		noted += !at && mmio_overlaps(start, start + len);
		moved += !at && mmio_next() != next;
	}
	mapped |= at != NULL;
	EXPECT(failures, "no allocation was needed");
	EXPECT(!noted, "%u failed mapping(s) left a note", noted);
	EXPECT(!moved, "%u failed mapping(s) took addresses", moved);
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
