/* SPDX-License-Identifier: MIT */
/*
 * Seed tests, series s4, patches 12 to 18: device-dax, binding and unbinding, gup. "Fix the DAX-gup
 * mistake" v2 (2022).
 *
 * There the entry of a device's page held a reference, of the page and of the device. Here a device
 * has no index: a page-table entry counts as a mapping on the record, and a record in use holds the
 * device. What the patches wanted to see is the same: after the removal nothing is mapped, nothing
 * counted, no record left.
 */
#include "mm/device/internal.h"
#include "tests/kernel/seed/seed.h"
#include "tests/kernel/race/race.h"

#define RW (VM_READ | VM_WRITE | VM_SHARED)
#define DEVICE(r)                                                                                  \
	const char *why_;                                                                          \
	struct pmem_region *r = scratch_region(&why_);                                             \
	if (!r)                                                                                    \
	SKIP("%s", why_)

static uint64_t map_device(struct pmem_region *r, uint64_t align, uint64_t len)
{
	uint64_t va = 0;

	return devdax_mmap(current_mm(), r, align, 0, len, RW, &va) ? 0 : va;
}

/* Breaks it: devdax.c that needs a mount, an inode or valid contents for any of these steps. */
SELFTEST(seed_s4_12, "seed.s4.12",
	 "a device whose contents no file layer can mount is mapped, faulted, pinned, synced and "
	 "cut from its mappings by the same calls as a file")
{
	struct page *p = NULL;
	uint64_t va, cut;
	int mount, sync;
	char byte;

	DEVICE(r);
	memset(r->kaddr, 0x5a, 2 * PAGE_SIZE); /* what was a superblock */
	mount = dax_mount(r, SCRATCH_PATH, LIFETIME_DEFAULT, NULL);
	va = map_device(r, PAGE_SIZE, PMD_SIZE);
	EXPECT(mount < 0 && va, "mount %d; %s", mount, refusal());
	*at(va) = 'd';
	p = seed_pin(va);
	sync = mm_sync(current_mm(), va, PAGE_SIZE);
	down_read(&current_mm()->mmap_lock);
	cut = unmap_mapping_range(mm_find_vma(current_mm(), va)->mapping, 0, 1);
	up_read(&current_mm()->mmap_lock);
	byte = *at(va);
	if (p)
		unpin_user_pages(&p, 1);
	mm_unmap(current_mm(), va, PMD_SIZE);
	EXPECT(p && !sync && cut == 1 && byte == 'd', "pin %p, sync %d, %lu entries cut, 0x%x",
	       (void *)p, sync, cut, byte);
}

/* Breaks it: a loop over a compound that steps by 4 KiB: it would count each page, or walk into the
 * next one's record. */
SELFTEST(seed_s4_13, "seed.s4.13",
	 "on a device with records of 2 MiB every count changes on the one record of its page: one "
	 "mapping for the entry, one reference for each page that gup returned")
{
	struct page *p[N], *record;
	uint64_t va, first[3] = {0}, next;
	long n;

	DEVICE(r);
	va = map_device(r, PMD_SIZE, 2 * PMD_SIZE);
	EXPECT(va, "%s", refusal());
	*at(PAGE(va, 77)) = *at(PAGE(va, N)) = 'c';
	record = pgmap_pfn_to_page(&r->pgmap, r->start >> PAGE_SHIFT);
	first[0] = page_state(record);
	n = get_user_pages_fast(va, N, PIN, p);
	first[1] = page_state(record);
	next = page_state(record + 1);
	unpin_user_pages(p, MAX(n, 0));
	first[2] = page_state(record);
	mm_unmap(current_mm(), va, 2 * PMD_SIZE);
	EXPECT(n == (long)N && first[0] == PAGE_MAP && first[1] == PAGE_MAP + N * PAGE_REF,
	       "%ld pages; 0x%lx, then 0x%lx", n, first[0], first[1]);
	EXPECT(first[2] == PAGE_MAP && next == PAGE_MAP, "put 0x%lx; the next record 0x%lx",
	       first[2], next);
}

/* Breaks it: a flag of entries that lies in the pfn, or two that are the same bit. */
SELFTEST(seed_s4_14, "seed.s4.14",
	 "a gigabyte of a device is one page-table entry and one record of order 18, whose pages "
	 "have names; an index entry gives back its pfn whatever flags it has, which are distinct")
{
	static const uint64_t flags[] = {ENTRY_LOCKED, ENTRY_PMD, ENTRY_ZERO,	ENTRY_EMPTY,
					 ENTRY_DIRTY,  ENTRY_ZAP, ENTRY_SHARED, ENTRY_SECTOR};
	unsigned level, shift, bits = 0;
	struct page *p = NULL, *head;
	uint64_t va, pfn, named = 0;

	DEVICE(r);
	if (!cpu_features.page1g || r->len < 2 * GIB)
		SKIP("needs a CPU with 1 GiB pages and a second DIMM of 2 GiB");
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++) {
		bits += __builtin_popcountll(flags[i]);
		for (unsigned j = 0; j < i; j++)
			EXPECT(!(flags[i] & flags[j]), "flags %u and %u are one bit", i, j);
		if (flags[i] != ENTRY_SECTOR) /* that one says that no pfn is there */
			EXPECT(entry_to_pfn(0x123456ul << PAGE_SHIFT | flags[i]) == 0x123456,
			       "flag %u changes the pfn", i);
	}
	EXPECT(bits == ARRAY_SIZE(flags), "%u bits of flags", bits);
	va = map_device(r, PUD_SIZE, PUD_SIZE);
	EXPECT(va, "%s", refusal());
	*at(va + 12345) = 'g';
	pfn = ALIGN_UP(r->start, PUD_SIZE) >> PAGE_SHIFT;
	level = level_at(va);
	shift = r->pgmap.vmemmap_shift;
	p = seed_pin(PAGE(va, 200000));
	head = p ? page_to_record(p) : NULL;
	named = p ? page_to_pfn(p) : 0;
	if (p)
		unpin_user_pages(&p, 1);
	EXPECT_OR(out, level == 3 && shift == 18, "level %u, order %u", level, shift);
	EXPECT_OR(out, named == pfn + 200000 && head == pgmap_pfn_to_page(&r->pgmap, pfn),
		  "pfn 0x%lx of 0x%lx", named, pfn);
out:
	mm_unmap(current_mm(), va, PUD_SIZE);
}

static int unbind_and_wait(struct dax_inode *region, uint64_t unused)
{
	(void)unused;
	return dax_unbind((struct pmem_region *)region, true);
}

/* Breaks it: devdax_remove() that does not unmap (it would wait for ever for the mapping), or
 * serves faults meanwhile; memunmap_pages() that does not wait for the pin. */
SELFTEST(seed_s4_15, "seed.s4.15",
	 "removing a device that is mapped and pinned unmaps it, serves no fault any more and "
	 "sleeps until the unpin; then no record and no reference of it is left, and it can come "
	 "again")
{
	struct fx_op op = {.fn = unbind_and_wait};
	uint64_t frames = __atomic_load_n(&record_frames, __ATOMIC_RELAXED), va, v;
	bool slept, still, bound;
	int fault, after;
	struct page *p;

	DEVICE(r);
	va = map_device(r, PMD_SIZE, PMD_SIZE);
	EXPECT(va && (p = seed_pin(PAGE(va, 9))), "no pinned page: %s", refusal());
	op.inode = (struct dax_inode *)r;
	EXPECT(fx_start(&op), "no memory for a thread");
	slept = falls_asleep(op.thread);
	for (unsigned i = 0; i < 4000 && level_at(va); i++)
		thread_sleep_ns(50000); /* the unmapping comes before the sleep for the pin */
	fault = load_checked((uint64_t *)va, &v);
	still = !fx_done(&op);
	unpin_user_pages(&p, 1);
	if (level_at(va)) /* then it waits for us, for ever */
		mm_unmap(current_mm(), va, PMD_SIZE);
	fx_join(&op);
	bound = pmem_is_there(r);
	after = load_checked((uint64_t *)va, &v);
	mm_unmap(current_mm(), va, PMD_SIZE); /* refused if that was done before */
	EXPECT(slept && still && fault == -EFAULT, "slept %d, still %d, a fault meanwhile: %d",
	       slept, still, fault);
	EXPECT(!op.err && !bound && after == -EFAULT, "error %d, bound %d, a fault: %d", op.err,
	       bound, after);
	EXPECT(!percpu_ref_sum(&r->pgmap.ref), "%ld references of the device",
	       (long)percpu_ref_sum(&r->pgmap.ref));
	EXPECT(__atomic_load_n(&record_frames, __ATOMIC_RELAXED) <= frames, "records are left");
	EXPECT(!pmem_bind(r) && (va = map_device(r, PMD_SIZE, PMD_SIZE)), "%s", refusal());
	*at(va) = 'b';
	mm_unmap(current_mm(), va, PMD_SIZE);
}

/* ---- 16 to 18: counts and gup ------------------------------------------------------------- */

static unsigned idles;

static void count_idle(struct page *page)
{
	(void)page;
	idles++;
}
static const struct pgmap_ops counting = {.page_idle = count_idle};

/* Records in their first state, a reference, and back. */
static const char *init_mode(uint32_t rest)
{
	const char *wrong = NULL;
	struct pgmap fake;
	struct page *p;

	idles = 0;
	if (fake_bound(&fake, rest, &counting, &p))
		return "not bound";
	for (unsigned i = 0; i < 8; i++)
		if (page_refs(p + i) != rest || page_maps(p + i))
			wrong = "a fresh record is not at rest";
	pgmap_listen(&fake);
	if (!page_get_first(p, 1) || page_refs(p) != rest + 1)
		wrong = "the first reference";
	page_put(p, 1);
	pgmap_unlisten(&fake);
	if (page_refs(p) != rest || idles != 1)
		wrong = "after the last put";
	memunmap_pages(&fake);
	return wrong;
}

/* Breaks it: records that are made with a count of their own, or a last put that tells nobody. */
SELFTEST(seed_s4_16, "seed.s4.16",
	 "every fresh record has the count that its pgmap was bound with, 0 or 1; the put that "
	 "comes back to it wakes, once, and the count stays there")
{
	const char *idle = init_mode(0), *busy = init_mode(1);

	EXPECT(!idle, "rest 0: %s", idle);
	EXPECT(!busy, "rest 1: %s", busy);
}

/* Breaks it: museum plain-put. */
SELFTEST(seed_s4_17, "seed.s4.17",
	 "no put of device pages is special: by each way to put, a sleeping truncate is woken "
	 "(C-5), with the count resting at 0 as with it resting at 1")
{
	const struct lifetime *const designs[] = {&lifetime_idle_at_one, &lifetime_zap_to_zero,
						  &lifetime_counted_map};
	struct race_result r;

	for (unsigned i = 0; i < ARRAY_SIZE(designs); i++) {
		int verdict = seed_race("C-5", designs[i], &r);

		if (verdict == RACE_SKIP && r.absent)
			SKIP("%s", r.text);
		EXPECT(verdict == RACE_SAFE, "%s: %s", designs[i]->name, r.text);
	}
}

/* Pins and unpins a device's page until that fails. */
struct pinner {
	struct mm *mm;
	uint64_t va;
	unsigned got; /* atomic */
	long err;
};

static void pin_and_unpin(void *arg)
{
	struct pinner *w = arg;
	struct page *p;

	mm_use(w->mm);
	while ((w->err = get_user_pages_fast(w->va, 1, PIN, &p)) == 1) {
		unpin_user_pages(&p, 1);
		__atomic_add_fetch(&w->got, 1, __ATOMIC_RELEASE);
	}
	mm_use(NULL);
}

/* The device goes while another thread pins its page again and again. */
static const char *removed_under_gup(struct pmem_region *r)
{
	struct pinner w = {.mm = current_mm(), .va = map_device(r, PMD_SIZE, PMD_SIZE)};
	struct thread *thread = w.va ? thread_create("pinner", pin_and_unpin, &w, 0) : NULL;
	bool ran;
	int err;

	if (!thread)
		return "no mapping or no thread";
	ran = comes_true(&w.got, 3);
	err = dax_unbind(r, true);
	thread_join(thread);
	mm_unmap(current_mm(), w.va, PMD_SIZE);
	if (!pmem_is_there(r) && pmem_bind(r))
		return "it cannot be bound again";
	return !ran ? "nothing was pinned" : err ? "unbinding" : w.err != -EFAULT ? "gup" : NULL;
}

/* Breaks it: gup that looks the device up (pgmap_get() says no to a dying one), or a removal that
 * lets records go while a reference is being taken: that is a fault at the record, a panic. */
SELFTEST(seed_s4_18, "seed.s4.18",
	 "gup needs no look at the device: of a dying one, which no lookup finds, it still gets a "
	 "mapped page, fast and slow; and a removal against it never takes a record from under it")
{
	struct page *p = NULL;
	struct pgmap *found;
	const char *wrong = NULL;
	long fast, slow;
	uint64_t va;

	FIXTURE(fx, &lifetime_zap_to_zero);
	struct pmem_region *r = fx.fs->region;

	va = fx_map(&fx, "f", 1, 'a');
	*at(va) = 'b';
	__atomic_store_n(&r->pgmap.ref.phase, REF_DYING, __ATOMIC_RELEASE);
	found = pgmap_get(page_to_pfn(fx_va_to_page(va)));
	fast = get_user_pages_fast(va, 1, PIN | FOLL_FAST_ONLY, &p);
	unpin_user_pages(&p, MAX(fast, 0));
	slow = get_user_pages(current_mm(), va, 1, PIN, &p);
	unpin_user_pages(&p, MAX(slow, 0));
	__atomic_store_n(&r->pgmap.ref.phase, REF_LIVE, __ATOMIC_RELEASE);
	fixture_end(&fx);
	EXPECT(!found && fast == 1 && slow == 1, "lookup %p, fast %ld, slow %ld", (void *)found,
	       fast, slow);
	for (unsigned i = 0; i < 10 && !wrong; i++)
		wrong = removed_under_gup(r);
	EXPECT(!wrong, "the removal: %s", wrong);
}
