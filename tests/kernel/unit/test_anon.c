/* SPDX-License-Identifier: MIT */
/* Self-tests: anonymous memory and the fork of an address space (anon.*, fork.*). */
#include "tests/kernel/lib/fixture.h"

#define PIN (FOLL_PIN | FOLL_WRITE)

/* An access as if by a thread of the address space `mm`. */
static int in_space(struct mm *mm, uint64_t va, bool write, uint64_t *v)
{
	struct mm *self = current_mm();
	int err;

	mm_get(self); /* else leaving it for a moment could be its end */
	mm_use(mm);
	err = write ? store_checked((uint64_t *)va, *v) : load_checked((uint64_t *)va, v);
	mm_use(self);
	mm_put(self);
	return err;
}

static uint64_t peek(struct mm *mm, uint64_t va)
{
	uint64_t v = ~0ull;

	in_space(mm, va, false, &v);
	return v;
}

static int poke(struct mm *mm, uint64_t va, uint64_t v)
{
	return in_space(mm, va, true, &v);
}

SELFTEST(anon_zeroes, "anon.zeroes",
	 "fresh memory is zero, wherever it was used before, and one's own")
{
	struct mm *mm = current_mm();
	uint64_t a = 0, b = 0, wrong = 0;

	for (unsigned round = 0; round < 3; round++) {
		a = b = 0;
		EXPECT(!mm_map_anon(mm, &a, 4 * PAGE_SIZE, true), "no room");
		EXPECT(!mm_map_anon(mm, &b, 4 * PAGE_SIZE, true), "no room");
		for (uint64_t off = 0; off < 4 * PAGE_SIZE; off += 8)
			wrong += *(volatile uint64_t *)(a + off) != 0;
		memset((void *)a, 0x55, 4 * PAGE_SIZE);
		wrong += at(b)[5] != 0;
		mm_unmap(mm, a, 4 * PAGE_SIZE);
		mm_unmap(mm, b, 4 * PAGE_SIZE);
	}
	EXPECT(!wrong, "%lu words were not zero", wrong);
}

SELFTEST(anon_read_only, "anon.read-only",
	 "memory mapped read-only reads as zero and refuses a store")
{
	struct mm *mm = current_mm();
	uint64_t a = 0, v = 1;
	int load, store, later;

	EXPECT(!mm_map_anon(mm, &a, PAGE_SIZE, false), "no room");
	load = load_checked((uint64_t *)a, &v);
	store = store_checked((uint64_t *)a, 1);
	mm_protect(mm, a, PAGE_SIZE, VM_READ | VM_WRITE);
	later = store_checked((uint64_t *)a, 1);
	mm_unmap(mm, a, PAGE_SIZE);
	EXPECT(!load && !v && store == -EFAULT && !later, "load %d, store %d, with the right %d",
	       load, store, later);
}

/* Frames that are free, or hold records and tables, which stay for the next time. */
static uint64_t frames_left(void)
{
	return frame_stats().free + record_frames + page_table_frames();
}

SELFTEST(anon_frames_return, "anon.frames-return",
	 "unmapping gives every frame back; only frames of page records stay")
{
	uint64_t before = 0, after = 0;
	int64_t pages = anon_pages(), used = 0;

	for (unsigned round = 0; round < 3; round++) {
		struct mm *mm = mm_create("test");
		uint64_t a = 0;

		EXPECT(mm && !mm_map_anon(mm, &a, 300 * PAGE_SIZE, true), "no memory");
		for (unsigned i = 0; i < 300; i++)
			poke(mm, a + i * PAGE_SIZE, i);
		used = anon_pages() - pages;
		mm_put(mm);
		after = frames_left();
		before = round ? before : after; /* the first round filled caches */
	}
	EXPECT(used == 300 && anon_pages() == pages, "%ld used, %ld left", (long)used,
	       (long)(anon_pages() - pages));
	EXPECT(before == after, "%ld frames lost", (long)(before - after));
}

SELFTEST(anon_pinned_outlives, "anon.pinned-outlives-unmap",
	 "a pinned page stays what it is after unmap, and is free after the last unpin")
{
	struct mm *mm = current_mm();
	int64_t before = anon_pages(), held;
	struct page *p;
	uint64_t a = 0;
	long n;
	char c;

	EXPECT(!mm_map_anon(mm, &a, PAGE_SIZE, true), "no room");
	at(a)[0] = 'k';
	n = get_user_pages_fast(a, 1, PIN | FOLL_FAST_ONLY, &p);
	mm_unmap(mm, a, PAGE_SIZE);
	EXPECT(n == 1, "the fast path got %ld pages", n);
	held = anon_pages() - before;
	a = 0;
	mm_map_anon(mm, &a, 16 * PAGE_SIZE, true); /* somebody wants frames */
	memset((void *)a, 'z', 16 * PAGE_SIZE);
	mm_unmap(mm, a, 16 * PAGE_SIZE);
	c = *(char *)page_to_virt(p);
	unpin_user_pages(&p, 1);
	EXPECT(held == 1 && c == 'k', "%ld held, shows '%c'", (long)held, c);
	EXPECT(anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
}

SELFTEST(anon_long_term, "anon.long-term",
	 "a long-term pin is allowed on memory; of memory and a file it fails and holds nothing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct mm *mm = current_mm();
	int64_t before = anon_pages();
	uint64_t va = fx_map(&fx, "f", 2, 'a'), buf = 0x40000000, to;
	struct page *p[4];
	long alone, mixed;

	EXPECT_OR(out, va && !mm_map_anon(mm, &buf, 4 * PAGE_SIZE, true), "not mapped");
	alone = get_user_pages_fast(buf, 4, PIN | FOLL_LONGTERM, p);
	if (alone > 0)
		unpin_user_pages(p, alone);
	to = buf + 2 * PAGE_SIZE;
	EXPECT_OR(unmap, !mm_remap(mm, va, 2 * PAGE_SIZE, &to), "not moved");
	mixed = get_user_pages_fast(buf, 4, PIN | FOLL_LONGTERM, p);
	EXPECT_OR(unmap, alone == 4 && mixed == -EOPNOTSUPP, "alone %ld, with a file %ld", alone,
		  mixed);
	EXPECT_OR(unmap,
		  page_refs(fx_va_to_page(buf)) == 0 &&
			  page_refs(fx_va_to_page(buf + PAGE_SIZE)) == 0,
		  "references are left on the memory");
unmap:
	mm_unmap(mm, buf, 4 * PAGE_SIZE);
	EXPECT_OR(out, anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
out:
	fixture_end(&fx);
}

SELFTEST(anon_protect_pinned, "anon.protect-pinned",
	 "a pinned page that was read-only for a while is not copied by the next store")
{
	struct mm *mm = current_mm();
	struct page *p, *after;
	uint64_t a = 0;
	long n;

	EXPECT(!mm_map_anon(mm, &a, PAGE_SIZE, true), "no room");
	n = get_user_pages_fast(a, 1, PIN, &p);
	mm_protect(mm, a, PAGE_SIZE, VM_READ);
	mm_protect(mm, a, PAGE_SIZE, VM_READ | VM_WRITE);
	at(a)[0] = 's';
	after = fx_va_to_page(a);
	if (n == 1)
		unpin_user_pages(&p, 1);
	mm_unmap(mm, a, PAGE_SIZE);
	EXPECT(n == 1 && after == p, "the device would write to a page nobody sees");
}

/* ---- fork ------------------------------------------------------------------------------------ */

SELFTEST(fork_both_write, "fork.both-write",
	 "after fork both see what was there, and neither sees what the other stores")
{
	struct mm *mm = current_mm(), *child;
	int64_t before = anon_pages(), shared, split;
	uint64_t a = 0, c[2], p[2];

	EXPECT(!mm_map_anon(mm, &a, 3 * PAGE_SIZE, true), "no room");
	poke(mm, a, 1);
	poke(mm, a + PAGE_SIZE, 2);
	child = mm_fork(mm, "child");
	shared = anon_pages() - before;
	EXPECT(child, "no memory");
	poke(child, a, 10);	     /* the child stores first */
	poke(mm, a + PAGE_SIZE, 20); /* the parent stores first */
	split = anon_pages() - before;
	c[0] = peek(child, a), c[1] = peek(child, a + PAGE_SIZE);
	p[0] = peek(mm, a), p[1] = peek(mm, a + PAGE_SIZE);
	mm_put(child);
	mm_unmap(mm, a, 3 * PAGE_SIZE);
	EXPECT(shared == 2 && split == 4, "%ld pages after fork, %ld after two stores",
	       (long)shared, (long)split);
	EXPECT(c[0] == 10 && c[1] == 2 && p[0] == 1 && p[1] == 20, "child %lu %lu, parent %lu %lu",
	       c[0], c[1], p[0], p[1]);
	EXPECT(anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
}

SELFTEST(fork_twice, "fork.twice",
	 "a page that was shared by a fork is still shared after another one: both children keep "
	 "what was there, and so does the parent when a child stores")
{
	struct mm *mm = current_mm(), *child[2];
	uint64_t a = 0, seen[4];

	EXPECT(!mm_map_anon(mm, &a, 2 * PAGE_SIZE, true), "no room");
	poke(mm, a, 1);
	poke(mm, a + PAGE_SIZE, 2);
	child[0] = mm_fork(mm, "child");
	child[1] = mm_fork(mm, "child");
	EXPECT(child[0] && child[1], "no memory");
	poke(mm, a, 10);
	poke(child[1], a + PAGE_SIZE, 20);
	seen[0] = peek(child[0], a), seen[1] = peek(child[1], a);
	seen[2] = peek(child[0], a + PAGE_SIZE), seen[3] = peek(mm, a + PAGE_SIZE);
	mm_put(child[0]);
	mm_put(child[1]);
	mm_unmap(mm, a, 2 * PAGE_SIZE);
	EXPECT(seen[0] == 1 && seen[1] == 1, "the parent stored: the children see %lu and %lu",
	       seen[0], seen[1]);
	EXPECT(seen[2] == 2 && seen[3] == 2,
	       "a child stored: the other one and the parent see %lu "
	       "and %lu",
	       seen[2], seen[3]);
}

SELFTEST(fork_last_reuses, "fork.last-reuses",
	 "when the other side is gone, a store copies nothing")
{
	struct mm *mm = current_mm(), *child;
	struct page *first, *then;
	uint64_t a = 0;

	EXPECT(!mm_map_anon(mm, &a, PAGE_SIZE, true), "no room");
	poke(mm, a, 1);
	first = fx_va_to_page(a);
	child = mm_fork(mm, "child");
	EXPECT(child, "no memory");
	mm_put(child);
	poke(mm, a, 2);
	then = fx_va_to_page(a);
	mm_unmap(mm, a, PAGE_SIZE);
	EXPECT(first == then, "the page was copied");
}

SELFTEST(fork_referenced_copied, "fork.referenced-is-copied",
	 "a page that somebody still reads after its child has gone is copied by a store")
{
	struct mm *mm = current_mm(), *child;
	struct page *p;
	uint64_t a = 0, seen;
	long n;

	EXPECT(!mm_map_anon(mm, &a, PAGE_SIZE, true), "no room");
	poke(mm, a, 1);
	child = mm_fork(mm, "child");
	EXPECT(child, "no memory");
	n = get_user_pages(child, a, 1, FOLL_GET, &p);
	mm_put(child);
	poke(mm, a, 2);
	seen = n == 1 ? *(uint64_t *)page_to_virt(p) : 0;
	if (n == 1)
		put_user_page(p);
	mm_unmap(mm, a, PAGE_SIZE);
	EXPECT(n == 1 && seen == 1, "%ld page(s); the reader sees %lu", n, seen);
}

SELFTEST(fork_pinned, "fork.pinned-stays",
	 "a page that a device writes stays the parent's over a fork; the child has its own")
{
	struct mm *mm = current_mm(), *child;
	uint64_t a = 0, parent, kid;
	int64_t before = anon_pages();
	struct page *p;
	long n;

	EXPECT(!mm_map_anon(mm, &a, PAGE_SIZE, true), "no room");
	poke(mm, a, 1);
	n = get_user_pages_fast(a, 1, PIN, &p);
	child = mm_fork(mm, "child");
	EXPECT(child && n == 1, "no memory");
	poke(mm, a + 8, 5);		   /* must not move the parent to another page */
	*(uint64_t *)page_to_virt(p) = 99; /* the device */
	parent = peek(mm, a);
	kid = peek(child, a);
	unpin_user_pages(&p, 1);
	mm_put(child);
	mm_unmap(mm, a, PAGE_SIZE);
	EXPECT(parent == 99 && kid == 1, "parent %lu, child %lu", parent, kid);
	EXPECT(anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
}

/* A fork in a thread of its own, which stops at a step point. */
struct forker {
	struct mm *mm, *child;
	struct step_stop stop;
	bool armed, done;
};

static void fork_and_stop(void *arg)
{
	struct forker *f = arg;

	mm_use(f->mm);
	__atomic_store_n(&f->armed, !step_stop(&f->stop), __ATOMIC_RELEASE);
	f->child = mm_fork(f->mm, "child");
	if (f->armed)
		step_unstop(&f->stop);
	mm_use(NULL);
	__atomic_store_n(&f->done, true, __ATOMIC_RELEASE);
}

/* Pins `va` by the fast path while a fork stands at `point`. Value: was the fork stopped there?
 * In *n: pages got. */
static bool pin_at(const char *point, uint64_t va, struct forker *f, struct page **page, long *n)
{
	struct thread *th;
	bool stopped;

	*f = (struct forker){.mm = current_mm(),
			     .stop = {.name = point, .deadline = PATIENCE_END()}};
	*n = 0;
	th = thread_create("forker", fork_and_stop, f, 1);
	if (!th)
		return false;
	while (!step_stopped(&f->stop) && !__atomic_load_n(&f->done, __ATOMIC_ACQUIRE))
		thread_sleep_ns(20000);
	stopped = step_stopped(&f->stop);
	if (stopped)
		*n = get_user_pages_fast(va, 1, FOLL_PIN | FOLL_FAST_ONLY, page);
	step_go(&f->stop);
	thread_join(th);
	return stopped && f->child && !f->stop.timed_out;
}

/* What the device that reads `page` sees of the parent's next store. */
static bool reader_parts(struct page *page, uint64_t va)
{
	poke(current_mm(), va, 77);
	return *(uint64_t *)page_to_virt(page) != 77;
}

SELFTEST(fork_meets_pin, "fork.meets-fast-pin",
	 "a page that is pinned for reading at any moment of a fork is the one that the parent's "
	 "next store goes to")
{
	static const char *const point[] = {"fork_before_share", "fork_before_look", "fork_looked"};
	struct mm *mm = current_mm();
	int64_t before = anon_pages();

	for (unsigned i = 0; i < ARRAY_SIZE(point); i++) {
		struct page *page = NULL;
		bool stopped, parts = false;
		struct forker f;
		uint64_t a = 0;
		long n;

		EXPECT(!mm_map_anon(mm, &a, PAGE_SIZE, true), "no room");
		poke(mm, a, 1);
		stopped = pin_at(point[i], a, &f, &page, &n);
		if (n == 1) {
			parts = reader_parts(page, a);
			unpin_user_pages(&page, 1);
		}
		if (f.child)
			mm_put(f.child);
		mm_unmap(mm, a, PAGE_SIZE);
		EXPECT(stopped, "the fork did not stop at %s", point[i]);
		EXPECT(!parts, "pinned at %s, the parent stores elsewhere", point[i]);
	}
	EXPECT(anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
}

SELFTEST(fork_pin_unshares, "fork.pin-unshares",
	 "pinning a page that both sides of a fork show makes it the pinner's own first, for "
	 "reading too; a plain reference does not")
{
	struct mm *mm = current_mm(), *child;
	struct page *pinned = NULL, *got = NULL;
	bool parts = true;
	uint64_t a = 0, kid;
	long n, m;

	EXPECT(!mm_map_anon(mm, &a, 2 * PAGE_SIZE, true), "no room");
	poke(mm, a, 1);
	poke(mm, a + PAGE_SIZE, 2);
	child = mm_fork(mm, "child");
	EXPECT(child, "no memory");
	n = get_user_pages_fast(a, 1, FOLL_PIN, &pinned);
	m = get_user_pages_fast(a + PAGE_SIZE, 1, FOLL_GET, &got);
	if (n == 1)
		parts = reader_parts(pinned, a);
	kid = peek(child, a);
	unpin_user_pages(&pinned, MAX(n, 0));
	put_user_pages(&got, MAX(m, 0));
	mm_put(child);
	mm_unmap(mm, a, 2 * PAGE_SIZE);
	EXPECT(n == 1 && !parts && kid == 1, "%ld page(s); the child sees %lu; the pin is %s", n,
	       kid, parts ? "of a page that the parent left" : "kept");
	EXPECT(m == 1, "a plain reference got %ld pages", m);
}

SELFTEST(fork_shared, "fork.shared-stays-shared",
	 "a shared mapping shows the same file page in the child, and its stores reach the parent")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'a'), seen, refs;
	struct mm *child;

	EXPECT_OR(out, va, "not mapped");
	at(va)[0] = 'b';
	child = mm_fork(current_mm(), "child");
	EXPECT_OR(out, child, "no memory");
	seen = peek(child, va);
	poke(child, va, 7);
	refs = fx.inode[0]->refs;
	mm_put(child);
	EXPECT_OR(out, (seen & 0xff) == 'b' && *(volatile uint64_t *)va == 7,
		  "child 0x%lx, then 0x%lx", seen, *(volatile uint64_t *)va);
	EXPECT_OR(out, refs == 3 && fx.inode[0]->refs == 2, "%lu users of the file, then %u", refs,
		  fx.inode[0]->refs);
out:
	fixture_end(&fx);
}

/* ---- every allocation fails once ---------------------------------------------------------- */

/* Maps, touches, cuts, moves and forks in an address space of its own; every part may fail. */
static void use_memory(struct mm *mm)
{
	uint64_t a = 0, b = 0, far = 0x50000000;

	if (mm_map_anon(mm, &a, 8 * PAGE_SIZE, true))
		return;
	for (unsigned i = 0; i < 8; i++)
		mm_fault(mm, a + i * PAGE_SIZE, true);
	mm_protect(mm, a + 2 * PAGE_SIZE, PAGE_SIZE, VM_READ);
	mm_remap(mm, a + 5 * PAGE_SIZE, PAGE_SIZE, &b);
	mm_remap(mm, a + 6 * PAGE_SIZE, 2 * PAGE_SIZE, &far);
	mm_unmap(mm, a + PAGE_SIZE, PAGE_SIZE);
}

static bool round_with_failure(uint64_t nth)
{
	struct mm *mm = mm_create("test"), *child = NULL;
	bool failed = true;

	if (!mm)
		return false;
	alloc_fail_nth(nth);
	use_memory(mm);
	child = mm_fork(mm, "child");
	if (child)
		mm_fault(child, USER_MMAP, true);
	alloc_fail_count(&failed);
	alloc_fail_nth(0);
	if (child)
		mm_put(child);
	mm_put(mm);
	return failed;
}

SELFTEST(anon_no_memory, "anon.no-memory",
	 "each allocation of map, touch, cut, move and fork fails once, and nothing is lost")
{
	int64_t pages = anon_pages();
	uint64_t frames, n = 1;

	round_with_failure(100000); /* fills the caches; none fails */
	frames = frames_left();
	while (n < 1000 && round_with_failure(n))
		n++;
	EXPECT(n > 12 && n < 1000, "%lu allocations failed", n - 1);
	EXPECT(anon_pages() == pages, "%ld pages lost", (long)(anon_pages() - pages));
	EXPECT(frames_left() == frames, "%ld frames lost", (long)(frames - frames_left()));
}
