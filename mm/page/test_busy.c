/* SPDX-License-Identifier: MIT */
/* Self-tests: pages that their file frees while somebody holds them, and who is told of a put. */
#include "mm/device/internal.h"

static struct pgmap pgmap; /* of the running test; fake memory at rest 0 */
static struct {
	unsigned n; /* releases */
	bool busy;  /* the bit was still set in one of them */
	bool irq;   /* the last one was in an interrupt */
	int64_t sum;
} released;
static unsigned idle_calls;

static void count_release(struct page *p)
{
	released.n++;
	released.busy |= page_is_busy(p);
	released.irq = in_interrupt();
	released.sum = percpu_ref_sum(&p->pgmap->ref);
}

static void count_idle(struct page *p)
{
	(void)p;
	idle_calls++;
}
static const struct pgmap_ops ops = {.page_idle = count_idle, .page_release = count_release};

static int bound(struct page **page)
{
	memset(&released, 0, sizeof(released));
	idle_calls = 0;
	return fake_bound(&pgmap, 0, &ops, page);
}

/* Unbinds; true: every page was at rest. */
static bool unbound(void)
{
	bool rest = percpu_ref_sum(&pgmap.ref) == 1;

	memunmap_pages(&pgmap);
	return rest;
}

SELFTEST(mm_busy_put_last, "mm.busy-put-releases",
	 "a page marked busy while it is held is released once, by its last put or unmapping, and "
	 "keeps the device until then (F-14)")
{
	unsigned before, mid, after, unmapped;
	bool held, mapped, rest;
	struct page *page;
	int64_t sum;
	int err = bound(&page);

	EXPECT(!err, "error %d", err);
	page_get_first(page, 2);
	held = page_mark_busy(page);
	before = released.n;
	page_put(page, 1);
	mid = released.n;
	page_put_each(&page, 1);
	after = released.n;
	sum = released.sum;
	page_get_first(page, 1);
	page_map_get(page);
	mapped = page_mark_busy(page);
	page_put(page, 1);
	unmapped = released.n;
	page_map_put(page);
	rest = unbound();
	EXPECT(held && mapped && !released.busy, "held %d, mapped %d, busy in release %d", held,
	       mapped, released.busy);
	EXPECT(before == 0 && mid == 0 && after == 1, "releases: %u, %u, %u", before, mid, after);
	EXPECT(unmapped == 1 && released.n == 2, "with a mapping: %u, then %u", unmapped,
	       released.n);
	EXPECT(sum == 2 && rest, "the device had %ld references in the release, at rest %d",
	       (long)sum, rest);
}

SELFTEST(mm_busy_mark_last, "mm.busy-mark-releases",
	 "a page that nobody holds is released by the one who marks it, before that returns")
{
	struct page *page;
	unsigned first;
	bool held;
	int err = bound(&page);

	EXPECT(!err, "error %d", err);
	page_get_first(page, 1);
	page_put(page, 1);
	held = page_mark_busy(page);
	first = released.n;
	held |= page_mark_busy(page); /* another life of it */
	EXPECT(unbound(), "a page is not at rest");
	EXPECT(!held && first == 1 && released.n == 2, "held %d, %u releases, then %u", held, first,
	       released.n);
}

/* Between the put's change and what it makes of it: the page's second life (F-1). */
static void second_life(void *arg)
{
	struct page *page = arg;

	page_mark_busy(page); /* at rest: released here */
	page_get_first(page, 1);
	page_mark_busy(page);
}

SELFTEST(mm_busy_second_life, "mm.busy-second-life",
	 "a put that was slow to look does not release the page's next life (F-1)")
{
	unsigned fired, during;
	struct page *page;
	bool busy, rest;
	int err = bound(&page);

	EXPECT(!err, "error %d", err);
	page_get_first(page, 1);
	preempt_disable();
	err = step_arm("page_put_changed", second_life, page);
	page_put(page, 1);
	fired = step_disarm();
	preempt_enable();
	during = released.n;
	busy = page_is_busy(page);
	page_put(page, 1);
	rest = unbound();
	EXPECT(!err && fired == 1, "the step point: error %d, fired %u times", err, fired);
	EXPECT(during == 1 && busy, "%u releases, and the held page is busy: %d", during, busy);
	EXPECT(released.n == 2 && rest, "%u releases in all, at rest %d", released.n, rest);
}

SELFTEST(mm_busy_refuses, "mm.busy-refuses",
	 "no reference is taken of a busy page, by whatever way (F-2)")
{
	bool get, first, quick, after, rest;
	struct page *page;
	uint64_t seen = 0;
	int err = bound(&page);

	EXPECT(!err, "error %d", err);
	page_get_first(page, 1);
	page_mark_busy(page);
	get = page_get(page, 1);
	if (get)
		page_put(page, 1);
	first = page_get_first(page, 1);
	quick = page_get_quick(page, &seen);
	page_put(page, 1);
	after = page_get_first(page, 1);
	page_put(page, 1);
	rest = unbound();
	EXPECT(!get && !first && !quick, "get %d, first %d, quick %d", get, first, quick);
	EXPECT(after && rest && released.n == 1, "after the release %d, at rest %d, %u releases",
	       after, rest, released.n);
}

struct late_put {
	struct timer timer;
	struct page *page;
	bool done;
};

static void put_in_interrupt(struct timer *t)
{
	struct late_put *late = container_of(t, struct late_put, timer);

	page_put(late->page, 1);
	__atomic_store_n(&late->done, true, __ATOMIC_RELEASE);
}

SELFTEST(mm_busy_interrupt, "mm.busy-release-in-interrupt",
	 "the last put of a busy page may come from an interrupt, and releases there (F-5)")
{
	struct late_put late = {0};
	int err = bound(&late.page);

	EXPECT(!err, "error %d", err);
	page_get_first(late.page, 1);
	page_mark_busy(late.page);
	timer_arm(&late.timer, clock_ns() + 100000, put_in_interrupt);
	while (!__atomic_load_n(&late.done, __ATOMIC_ACQUIRE))
		thread_yield();
	timer_cancel_wait(&late.timer);
	EXPECT(unbound(), "the page is not at rest");
	EXPECT(released.n == 1 && released.irq, "%u releases, in an interrupt %d", released.n,
	       released.irq);
}

/* A folio of the fake pgmap. NULL: no memory. */
static struct page *folio(void)
{
	struct page *head;

	if (bound(&head))
		return NULL;
	if (!page_records_populate(page_to_pfn(head), FOLIO_PAGES) && !page_folio_make(head))
		return head;
	memunmap_pages(&pgmap);
	return NULL;
}

SELFTEST(mm_busy_folio, "mm.busy-folio",
	 "a partly freed folio is released by its last reference whatever maps the rest, "
	 "and is split if nothing does (F-9)")
{
	struct page *head = folio();
	uint64_t mapped, split;
	bool held[4], before, rest;
	unsigned n[3];

	EXPECT(head, "no folio");
	page_map_get_head(head + 7);
	held[0] = page_mark_busy(head); /* mapped only: that does not hold it */
	page_get_folio(head, 3);
	held[1] = page_mark_busy(head);
	held[2] = page_mark_busy(head); /* another part of it is freed */
	before = page_mark_busy(head) == PAGE_MARKED_BEFORE;
	n[0] = released.n;
	page_put(head + 7, 1);
	page_put_range(head + 8, 2);
	n[1] = released.n;
	mapped = page_state(head);
	page_get_folio(head, 1);
	held[3] = page_mark_busy(head);
	page_map_put(head);
	n[2] = released.n;
	page_put(head + 9, 1);
	split = page_state(head);
	rest = unbound();
	EXPECT(!held[0] && held[1] && held[2] && held[3] && before, "held: %d %d %d %d, before: %d",
	       held[0], held[1], held[2], held[3], before);
	EXPECT(n[0] == 1 && n[1] == 2 && n[2] == 2 && released.n == 3 && !released.busy,
	       "releases: %u, %u, %u, %u", n[0], n[1], n[2], released.n);
	EXPECT(mapped == (PAGE_FOLIO | PAGE_MAP), "still mapped, it is 0x%lx", mapped);
	EXPECT(split == 0 && rest, "at the end it is 0x%lx, at rest %d", split, rest);
}

/* ---- who is told ----------------------------------------------------------------------------- */

SELFTEST(mm_put_listeners, "mm.put-tells-listeners",
	 "a put tells the owner only while somebody listens, a run of pages as well as one")
{
	struct page *page, *run[8];
	unsigned deaf, one, mapped, unmapped, many;
	int err = bound(&page);

	EXPECT(!err, "error %d", err);
	page_get_first(page, 1);
	page_put(page, 1);
	deaf = idle_calls;
	pgmap_listen(&pgmap);
	page_get_first(page, 1);
	page_put(page, 1);
	one = idle_calls;
	pgmap.mapped_holds = true;
	page_map_get(page);
	page_get(page, 1);
	page_put(page, 1);
	mapped = idle_calls;
	page_map_put(page);
	unmapped = idle_calls;
	for (unsigned i = 0; i < 8; i++) {
		run[i] = page + i;
		page_get_first(run[i], 1 + (i == 5)); /* one of them is held twice */
	}
	page_put_each(run, 8);
	many = idle_calls;
	page_put(run[5], 1);
	pgmap_unlisten(&pgmap);
	EXPECT(unbound(), "a page is not at rest");
	EXPECT(deaf == 0 && one == 1 && mapped == 1 && unmapped == 2,
	       "without listener %u, with %u, still mapped %u, unmapped %u", deaf, one, mapped,
	       unmapped);
	EXPECT(many == 9 && idle_calls == 10, "%u after the run, %u after the last", many,
	       idle_calls);
}

/* ---- get_user_pages inside a folio that is mapped by single pages ---------------------------- */

static int fault_in_folio(struct vm_fault *vmf)
{
	return vmf_insert_pfn(vmf, page_to_pfn(vmf->vma->private) + vmf->pgoff, true);
}
static const struct vma_ops folio_vma_ops = {.fault = fault_in_folio};

/* Eight pages of the folio, from its page 4 on, in an address space of their own, touched by gup
 * (their bytes do not exist). 0: failed. */
static uint64_t map_part(struct page *head, struct mm **old)
{
	struct mm *mm = mm_create("part");
	struct page *p[8];
	uint64_t va = 0;

	*old = current_mm();
	if (!mm)
		return 0;
	if (*old)
		mm_get(*old);
	mm_use(mm);
	mm_put(mm);
	if (mm_map(mm, &va, 8 * PAGE_SIZE, VM_READ | VM_WRITE | VM_SHARED, &folio_vma_ops, head,
		   NULL, 4))
		return 0;
	if (get_user_pages(mm, va, 8, FOLL_GET | FOLL_WRITE, p) != 8)
		return 0;
	put_user_pages(p, 8);
	return va;
}

static void unmap_part(struct mm *old)
{
	if (current_mm() == old)
		return;
	mm_use(old);
	if (old)
		mm_put(old);
}

SELFTEST(mm_gup_part, "mm.gup-part-of-folio",
	 "fast gup through single pages of a folio takes its references on the head")
{
	struct page *head = folio(), *p[8];
	uint64_t state = 0, va;
	struct mm *old;
	long n = 0;
	bool rest;

	EXPECT(head, "no folio");
	va = map_part(head, &old);
	if (va)
		n = get_user_pages_fast(va + PAGE_SIZE, 6, FOLL_PIN | FOLL_WRITE | FOLL_FAST_ONLY,
					p);
	if (n > 0) {
		state = page_state(head);
		unpin_user_pages(p, n);
	}
	unmap_part(old);
	rest = page_folio_split(head) && unbound();
	EXPECT(va && n == 6 && p[0] == head + 5 && p[5] == head + 10, "%ld pages", n);
	EXPECT(state == (PAGE_FOLIO | 8 * PAGE_MAP | 6) && rest, "state 0x%lx, at rest %d", state,
	       rest);
}

struct clear {
	uint64_t *pte;
	uint64_t old;
};

static void clear_entry(void *arg)
{
	struct clear *c = arg;

	c->old = __atomic_exchange_n(c->pte, 0, __ATOMIC_ACQ_REL);
}

SELFTEST(mm_gup_part_rechecks, "mm.gup-part-rechecks",
	 "fast gup gives the head's reference back for a page whose entry went meanwhile")
{
	struct page *head = folio(), *p[8];
	unsigned fired = 0;
	uint64_t state = 0, va;
	struct clear c = {0};
	struct mm *old;
	long n = 0;

	EXPECT(head, "no folio");
	va = map_part(head, &old);
	if (va) {
		c.pte = pte_walk(current_mm()->root, va + 2 * PAGE_SIZE, 1, false, NULL);
		preempt_disable();
		step_arm("gup_fast_before_part_ref", clear_entry, &c);
		n = get_user_pages_fast(va, 8, FOLL_PIN | FOLL_WRITE | FOLL_FAST_ONLY, p);
		fired = step_disarm();
		preempt_enable();
		state = page_state(head);
		if (fired)
			__atomic_store_n(c.pte, c.old, __ATOMIC_RELEASE);
		if (n > 0)
			unpin_user_pages(p, n);
	}
	unmap_part(old);
	EXPECT(page_folio_split(head) && unbound(), "not at rest");
	EXPECT(fired == 1 && n == 2 && p[1] == head + 5, "fired %u times, %ld pages", fired, n);
	EXPECT(state == (PAGE_FOLIO | 8 * PAGE_MAP | 2), "state 0x%lx", state);
}

SELFTEST(mm_gup_busy_folio, "mm.gup-busy-folio",
	 "gup of what is left of a busy folio is refused, and works after its release (F-9)")
{
	long fast = 0, slow = 0, after = 0;
	struct page *head = folio(), *p;
	struct mm *old;
	uint64_t va;
	bool rest;

	EXPECT(head, "no folio");
	va = map_part(head, &old);
	if (va) {
		page_get_folio(head, 1); /* a device holds another page of it */
		page_mark_busy(head);
		fast = get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE | FOLL_FAST_ONLY, &p);
		slow = get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE, &p);
		page_put(head + 100, 1);
		after = get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE, &p);
		if (after == 1)
			unpin_user_pages(&p, 1);
	}
	unmap_part(old);
	rest = page_folio_split(head) && unbound();
	EXPECT(fast == 0 && slow == -EBUSY, "fast %ld, slow %ld", fast, slow);
	EXPECT(after == 1 && released.n == 1 && rest, "after it %ld, %u releases, at rest %d",
	       after, released.n, rest);
}

SELFTEST(mm_gup_freed, "mm.gup-freed-meanwhile",
	 "fast gup takes nothing of a page that was unmapped and freed after it read the entry "
	 "(F-2)")
{
	struct page *head, *p;
	unsigned fired = 0;
	struct clear c = {0};
	struct mm *old;
	uint64_t va;
	int64_t sum = 0;
	long n = 1;
	int err = bound(&head);

	EXPECT(!err, "error %d", err);
	va = map_part(head, &old);
	if (va) {
		c.pte = pte_walk(current_mm()->root, va, 1, false, NULL);
		c.old = *c.pte;
		preempt_disable();
		step_arm("gup_fast_before_ref", clear_entry, &c);
		page_map_put(head + 4); /* as the unmapping would, behind our first look */
		n = get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE | FOLL_FAST_ONLY, &p);
		fired = step_disarm();
		preempt_enable();
		sum = percpu_ref_sum(&pgmap.ref);
	}
	unmap_part(old);
	EXPECT(unbound(), "a page is not at rest");
	EXPECT(fired && n == 0 && sum == 8,
	       "fired %u times, %ld pages, %ld references of the device", fired, n, (long)sum);
}
