/* SPDX-License-Identifier: MIT */
/* Self-tests: what it means when a part of 2 MiB of a file goes, or is flushed (huge.*). */
#include "tests/kernel/lib/huge.h"

/* ---- a part of it goes -------------------------------------------------------------------- */

SELFTEST(huge_truncate, "huge.truncate-through",
	 "truncate through the middle of 2 MiB cuts there; what is before is faulted in again, "
	 "unharmed")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), v;

	EXPECT_OR(out, va, "not mapped");
	number_pages(va);
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 100 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, level_at(va) == 0 && fx.inode[0]->index.nr == 0, "level %u, %lu entries",
		  level_at(va), fx.inode[0]->index.nr);
	EXPECT_OR(out, wrong_numbers(va, 0, 100) == 0, "%u pages lost", wrong_numbers(va, 0, 100));
	EXPECT_OR(out, load_checked((uint64_t *)PAGE(va, 100), &v) == -EFAULT, "the rest is there");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
out:
	fixture_end(&fx);
}

SELFTEST(
	huge_last_page_cut, "huge.last-page-cut",
	"a file that ends inside the last page of 2 MiB is still mapped by 2 MiB, and takes stores")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1);
	int err;

	EXPECT_OR(out, va && level_at(va) == 2, "not mapped by 2 MiB");
	/* The next store is a fault at an entry that is there already. */
	EXPECT_OR(out, !dax_fsync(fx.inode[0]), "%s", refusal());
	EXPECT_OR(out, !dax_truncate(fx.inode[0], N * PAGE_SIZE - 100), "%s", refusal());
	err = store_checked((uint64_t *)PAGE(va, 3), 7);
	EXPECT_OR(out, !err, "a store inside the file: error %d, %s", err, refusal());
	EXPECT_OR(out, level_at(va) == 2, "level %u", level_at(va));
	err = store_checked((uint64_t *)(va + (N - 1) * PAGE_SIZE), 7);
	EXPECT_OR(out, !err && !check_all(), "error %d in the last page, or an invariant", err);
out:
	fixture_end(&fx);
}

SELFTEST(huge_punch, "huge.punch-through",
	 "a hole in the middle of 2 MiB reads as zero, its neighbours keep their bytes")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), before;

	EXPECT_OR(out, va, "not mapped");
	number_pages(va);
	before = fx_free_blocks(&fx);
	EXPECT_OR(out, !dax_punch(fx.inode[0], 200 * PAGE_SIZE, 8 * PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, fx_free_blocks(&fx) - before == 8, "%lu blocks freed",
		  fx_free_blocks(&fx) - before);
	EXPECT_OR(out, !wrong_numbers(va, 0, 200) && !wrong_numbers(va, 208, N), "neighbours lost");
	EXPECT_OR(out, *(volatile uint64_t *)PAGE(va, 203) == 0, "the hole is not zero");
	EXPECT_OR(out, level_at(va) == 1 && !check_all(), "level %u, or an invariant is violated",
		  level_at(va));
out:
	fixture_end(&fx);
}

/* Write-backs inside one range, seen from below. */
static struct seen {
	const struct persist_observer *before;
	const char *from;
	uint64_t bytes, in_range, len; /* bytes: of 6 MiB from there on */
	uint64_t va;		       /* 0, or where the range's bytes may be mapped */
	unsigned shown;		       /* how many of its write-backs saw it mapped */
} seen;

static void see(const void *p, size_t n)
{
	if ((const char *)p - seen.from < (int64_t)seen.len && (const char *)p >= seen.from) {
		seen.in_range += n;
		seen.shown += seen.va && level_at(seen.va);
	}
	if ((const char *)p - seen.from < 3 * (int64_t)PMD_SIZE && (const char *)p >= seen.from)
		seen.bytes += n;
	if (seen.before && seen.before->wrote_back)
		seen.before->wrote_back(p, n);
}

static void see_fence(void)
{
	if (seen.before && seen.before->fenced)
		seen.before->fenced();
}

static void watch(const struct page *first, uint64_t pages)
{
	static const struct persist_observer o = {see, see_fence};

	seen = (struct seen){.before = persist_get_observer(),
			     .from = page_to_virt(first),
			     .len = pages << PAGE_SHIFT};
	persist_set_observer(&o);
}

static uint64_t watched(void)
{
	persist_set_observer(seen.before);
	return seen.in_range;
}

SELFTEST(huge_punch_flushes, "huge.punch-writes-neighbours-back",
	 "what a broken 2 MiB entry had dirty outside the hole is written back before its mark "
	 "goes (I7)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 2), behind, before;
	int err;

	EXPECT_OR(out, va, "not mapped");
	number_pages(va);
	number_pages(PAGE(va, N));
	watch(va_to_head(va) + 210, N - 210);
	err = dax_punch(fx.inode[0], 200 * PAGE_SIZE, 10 * PAGE_SIZE);
	behind = watched();
	watch(va_to_head(PAGE(va, N)), 200);
	err = err ? err : dax_punch(fx.inode[0], (N + 200) * PAGE_SIZE, 10 * PAGE_SIZE);
	before = watched();
	EXPECT_OR(out, !err && behind == (N - 210) * PAGE_SIZE && before == 200 * PAGE_SIZE,
		  "error %d, %lu bytes behind the hole, %lu before it", err, behind, before);
out:
	fixture_end(&fx);
}

/* The hole alone unmaps 2 MiB that are mapped as such; pages mapped one by one stay. */
SELFTEST(huge_punch_order, "huge.punch-unmaps-first",
	 "when a broken 2 MiB entry's neighbours are written back, nothing maps them any more: no "
	 "store comes behind its line and loses its mark (I7)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), odd, lines;
	int err;

	EXPECT_OR(out, va && (odd = map_again(&fx, 0, N, 16 * GIB + PAGE_SIZE)), "not mapped");
	*at(PAGE(odd, 400)) = 'x';
	watch(va_to_head(va), N);
	seen.va = PAGE(odd, 400);
	err = dax_punch(fx.inode[0], 200 * PAGE_SIZE, 10 * PAGE_SIZE);
	lines = watched();
	EXPECT_OR(unmap_odd, !err && lines, "error %d, %lu bytes written back", err, lines);
	EXPECT_OR(unmap_odd, !seen.shown, "page 400 is still mapped at %u of the write-backs",
		  seen.shown);
unmap_odd:
	unmap(odd, N);
out:
	fixture_end(&fx);
}

SELFTEST(huge_punch_beyond, "huge.punch-writes-nothing-beyond",
	 "a hole from inside dirty 2 MiB to behind their end writes back what is before it, and "
	 "nothing else")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 3), before, all;
	struct page *head;
	int err;

	EXPECT_OR(out, va && level_at(va) == 2, "not mapped by 2 MiB");
	head = va_to_head(va);
	EXPECT_OR(out, !dax_fsync(fx.inode[0]), "%s", refusal());
	number_pages(va); /* the only dirty ones */
	watch(head, 100);
	err = dax_punch(fx.inode[0], 100 * PAGE_SIZE, (2 * N - 100) * PAGE_SIZE);
	before = watched();
	all = seen.bytes;
	EXPECT_OR(out, !err && before == 100 * PAGE_SIZE && all == before,
		  "error %d, %lu bytes before it, %ld bytes beyond", err, before,
		  (long)(all - before));
	EXPECT_OR(out, !wrong_numbers(va, 0, 100), "what is before it");
out:
	fixture_end(&fx);
}

SELFTEST(huge_punch_before, "huge.punch-writes-nothing-before",
	 "a hole from before dirty 2 MiB to inside of them writes back what is behind it, and "
	 "nothing else")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 3), behind, all;
	int err;

	EXPECT_OR(out, va && level_at(PAGE(va, N)) == 2, "not mapped by 2 MiB");
	EXPECT_OR(out, !dax_fsync(fx.inode[0]), "%s", refusal());
	number_pages(PAGE(va, N)); /* the only dirty ones */
	watch(va_to_head(PAGE(va, N)), N);
	err = dax_punch(fx.inode[0], 0, (N + 100) * PAGE_SIZE);
	behind = watched();
	all = seen.bytes;
	EXPECT_OR(out, !err && behind == (N - 100) * PAGE_SIZE && all == behind,
		  "error %d, of 2 MiB whose first 100 pages go %lu bytes, elsewhere %ld", err,
		  behind, (long)(all - behind));
	EXPECT_OR(out, !wrong_numbers(PAGE(va, N), 100, N), "what is behind it");
out:
	fixture_end(&fx);
}

SELFTEST(huge_punch_clean, "huge.punch-writes-clean-nothing",
	 "a hole in 2 MiB that fsync has cleaned writes nothing of them back")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), bytes;
	int err;

	EXPECT_OR(out, va && level_at(va) == 2, "not mapped by 2 MiB");
	EXPECT_OR(out, !dax_fsync(fx.inode[0]), "%s", refusal());
	watch(va_to_head(va), N);
	err = dax_punch(fx.inode[0], 200 * PAGE_SIZE, 10 * PAGE_SIZE);
	bytes = watched();
	EXPECT_OR(out, !err && !bytes, "error %d, %lu bytes of clean pages", err, bytes);
out:
	fixture_end(&fx);
}

SELFTEST(huge_fsync, "huge.fsync",
	 "fsync of a dirty 2 MiB entry writes all of it back once, and again only after a store")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1), bytes[3];

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 3; i++) {
		watch(va_to_head(va), N);
		dax_fsync(fx.inode[0]);
		bytes[i] = watched();
		if (i == 1)
			at(PAGE(va, 17))[0] = 's';
	}
	EXPECT_OR(out, bytes[0] == PMD_SIZE && bytes[1] == 0 && bytes[2] == PMD_SIZE,
		  "%lu, %lu, %lu bytes", bytes[0], bytes[1], bytes[2]);
	EXPECT_OR(out, level_at(va) == 2, "level %u", level_at(va));
out:
	fixture_end(&fx);
}

SELFTEST(
	huge_deleted, "huge.deleted-is-split",
	"a deleted 2 MiB entry leaves records that count one page each, and they are used so (E-6)")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = map_huge(&fx, "f", 1);
	struct page *head, *p;

	EXPECT_OR(out, va, "not mapped");
	head = va_to_head(va);
	EXPECT_OR(out, !dax_punch(fx.inode[0], 0, PAGE_SIZE), "%s", refusal());
	EXPECT_OR(out, page_state(head) == head->pgmap->rest && !head->mapping, "state 0x%lx",
		  page_state(head));
	at(PAGE(va, 9))[0] = 'p';
	p = fx_va_to_page(PAGE(va, 9));
	EXPECT_OR(out,
		  p == head + 9 && page_to_record(p) == p && page_maps(p) == 1 && !page_maps(head),
		  "page 9 has %u mapping(s), the head %u", p ? page_maps(p) : 0, page_maps(head));
	EXPECT_OR(out, p->index == 9, "index %lu", p->index);
out:
	fixture_end(&fx);
}

SELFTEST(huge_waits, "huge.truncate-waits-for-tail",
	 "truncate of one page waits for who holds another page of the 2 MiB, until its last put")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t va = map_huge(&fx, "f", 1);
	struct fx_op op = {.fn = fx_truncate, .arg = 0};
	bool asleep, early;
	struct page *p;

	EXPECT_OR(out, va && get_user_pages_fast(PAGE(va, 333), 1, PIN, &p) == 1, "no page");
	op.inode = fx.inode[0];
	EXPECT_OR(put, fx_start(&op), "no memory");
	asleep = fx_asleep(&op, page_to_record(p));
	early = fx_done(&op);
	unpin_user_pages(&p, 1);
	fx_join(&op);
	EXPECT_OR(out, asleep && !early && !op.err, "asleep %d, done early %d, error %d", asleep,
		  early, op.err);
	EXPECT_OR(out, fx.inode[0]->collisions == 0, "%u collisions", fx.inode[0]->collisions);
	goto out;
put:
	unpin_user_pages(&p, 1);
out:
	fixture_end(&fx);
}

SELFTEST(
	huge_dma, "huge.dma-into-tail",
	"a device writes into a tail page while truncate waits; its bytes reach no other file (I1)")
{
	struct fx_op op = {.fn = fx_truncate, .arg = 0};
	struct dax_inode *g = NULL;
	struct dma_job *job;
	unsigned foreign = 0;
	struct page *p;
	uint64_t va, gva;
	int err;

	if (scratch_choose_edus(1))
		SKIP("%s", refusal());
	FIXTURE(fx, &lifetime_idle_at_one);
	va = map_huge(&fx, "f", 1);
	EXPECT_OR(out, va && get_user_pages_fast(PAGE(va, 77), 1, PIN, &p) == 1, "no page");
	job = dma_start(scratch_edu(0), &p, 1, DMA_IN, "from the device ", 1, &err);
	EXPECT_OR(out, job, "error %d", err);
	op.inode = fx.inode[0];
	EXPECT_OR(out, fx_start(&op), "no memory");
	fx_join(&op);
	EXPECT_OR(wait, dma_done(job), "truncate was done before the device");
	/* Whoever gets the blocks next sees zeroes and its own bytes. */
	g = sparse("g", N);
	EXPECT_OR(wait, g, "no second file");
	gva = fx_map_as_is(&fx, g, N, true);
	at(gva)[0] = 'g';
	for (unsigned i = 1; i < N; i++)
		foreign += at(PAGE(gva, i))[0] != 0;
	EXPECT_OR(wait, level_at(gva) == 2 && !foreign, "level %u, %u foreign pages", level_at(gva),
		  foreign);
wait:
	dma_wait(job);
	dma_free(job);
out:
	fixture_end(&fx);
}

SELFTEST(huge_held_on, "huge.held-after-deletion",
	 "who holds a page of 2 MiB that was freed under it (unaware) gives it back to the same "
	 "record")
{
	FIXTURE(fx, &lifetime_unaware);
	uint64_t va = map_huge(&fx, "f", 1), gva, held = huge_count(HUGE_HELD);
	struct dax_inode *g = sparse("g", 8 * N);
	struct page *p[2], *head;

	EXPECT_OR(out, va && get_user_pages_fast(PAGE(va, 400), 2, PIN, p) == 2, "no pages");
	head = va_to_head(va);
	EXPECT_OR(put, g && !dax_truncate(fx.inode[0], 0), "%s", refusal());
	gva = fx_map_as_is(&fx, g, 8 * N, true);
	for (unsigned i = 0; i < 8; i++) /* more than there is: the freed blocks are among them */
		store_checked((uint64_t *)PAGE(gva, i * N + 3), 1);
	EXPECT_OR(put, huge_count(HUGE_HELD) == held + 1, "nobody noticed the holder");
	EXPECT_OR(put, page_refs(head) == head->pgmap->rest + 2, "%u references", page_refs(head));
	unpin_user_pages(p, 2);
	EXPECT_OR(out, page_refs(head) == head->pgmap->rest, "%u references left", page_refs(head));
	fx_unmap(&fx, gva);
	EXPECT_OR(out, page_maps(head) == 0, "%u mapping(s) left", page_maps(head));
	goto out;
put:
	unpin_user_pages(p, 2);
out:
	fixture_end(&fx);
}

/* ---- all of it at once -------------------------------------------------------------------- */

#define STRESS_PAGES (4 * N)
#define STRESS_TURNS 300u

struct stress {
	struct mm *mm;
	struct dax_inode *inode;
	uint64_t va, seed;
	unsigned role;
};

static uint64_t random_page(struct stress *s)
{
	s->seed = s->seed * 6364136223846793005ull + 1442695040888963407ull;
	return (s->seed >> 33) % STRESS_PAGES;
}

static void stress_thread(void *arg)
{
	struct stress *s = arg;
	struct page *p[8];
	long n;

	mm_use(s->mm);
	for (unsigned i = 0; i < STRESS_TURNS; i++) {
		uint64_t page = random_page(s);

		if (s->role == 0) {
			store_checked((uint64_t *)PAGE(s->va, page),
				      i); /* refused beyond the end */
		} else if (s->role == 1) {
			n = get_user_pages_fast(PAGE(s->va, page), MIN(8, STRESS_PAGES - page), PIN,
						p);
			if (n > 0)
				unpin_user_pages(p, n);
		} else if (i % 8 == 0) { /* whole again, or nothing would be huge for long */
			dax_truncate(s->inode, 0);
			dax_truncate(s->inode, STRESS_PAGES * PAGE_SIZE);
		} else if (i % 2) {
			dax_punch(s->inode, page * PAGE_SIZE, PAGE_SIZE);
		} else {
			dax_fsync(s->inode);
		}
	}
	mm_use(NULL);
}

SELFTEST(huge_stress, "huge.stress",
	 "stores, pins, holes, truncates and fsyncs of 2 MiB mappings at once leave every rule "
	 "intact")
{
	FIXTURE(fx, &lifetime_idle_at_one);
	uint64_t huge = huge_count(HUGE_INSTALLED), va = map_huge(&fx, "f", 4);
	struct thread *th[5] = {0};
	struct stress s[5];

	EXPECT_OR(out, va, "not mapped");
	for (unsigned i = 0; i < 5; i++) {
		s[i] = (struct stress){current_mm(), fx.inode[0], va, i + 1, i % 3};
		th[i] = thread_create("stress", stress_thread, &s[i], 0);
	}
	for (unsigned i = 0; i < 5; i++)
		if (th[i])
			thread_join(th[i]);
	/* How often it was huge again, and how many pins came through, is the scheduler's affair.
	 */
	EXPECT_OR(out, huge_count(HUGE_INSTALLED) > huge, "nothing was huge");
	EXPECT_OR(out, fx.inode[0]->collisions == 0, "%u collisions", fx.inode[0]->collisions);
	EXPECT_OR(out, !check_all(), "an invariant is violated");
	fx_unmap(&fx, va);
	EXPECT_OR(out, !dax_truncate(fx.inode[0], 0) && !check_all(), "something is left: %s",
		  refusal());
out:
	fixture_end(&fx);
}

SELFTEST(
	huge_single_held, "huge.single-page-is-asked",
	"2 MiB of which a single page is mapped or held are not counted as one, though the head is "
	"at rest")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 0, 0);
	struct page *page = NULL, *head;
	uint64_t odd = 0;
	int err = 0;

	EXPECT_OR(out, f && !dax_fallocate(f, 0, PMD_SIZE, false), "%s", refusal());
	fx_map_as_is(&fx, f, N, true);
	odd = map_again(&fx, 0, N, 16 * GIB + PAGE_SIZE);
	EXPECT_OR(out, odd && get_user_pages_fast(PAGE(odd, 3), 1, PIN, &page) == 1, "no page");
	head = page_to_first(page);
	if (head != page) {
		err = page_folio_make(head);
		if (!err)
			page_folio_split(head);
	}
	unpin_user_pages(&page, 1);
	EXPECT_OR(out, head != page && err == -EBUSY, "error %d", err);
out:
	unmap(odd, N);
	fixture_end(&fx);
}

SELFTEST(huge_exchange_held, "huge.part-of-held-is-not-exchanged",
	 "busy-extent: while one page of a 2 MiB is held, no other of it changes its file: the one "
	 "record counts for all, and nobody knows which it is")
{
	FIXTURE(fx, &lifetime_busy_extent);
	uint64_t va = map_huge(&fx, "f", 1);
	uint64_t other = fx_map(&fx, "g", 1, 'g');
	struct page *p = NULL;
	int err = 0;

	EXPECT_OR(out, va && other && level_at(va) == 2, "not mapped by 2 MiB");
	EXPECT_OR(out, get_user_pages_fast(PAGE(va, 300), 1, PIN, &p) == 1, "no pin");
	/* Page 300 itself, one whose record exists with its head's, one that has none. */
	for (unsigned i = 0; i < 3 && (i == 0 || err == -EBUSY); i++)
		err = dax_exchange(fx.inode[0], (i ? 512 - 256 * i + 1 : 300) * PAGE_SIZE,
				   fx.inode[1], 0, PAGE_SIZE);
	unpin_user_pages(&p, 1);
	EXPECT_OR(out, err == -EBUSY && strstr(refusal(), "is held"), "%d: %s", err, refusal());
	err = dax_exchange(fx.inode[0], 300 * PAGE_SIZE, fx.inode[1], 0, PAGE_SIZE);
	EXPECT(!err && *at(PAGE(va, 300)) == 'g' && !check_all(), "%d: %s", err, refusal());
out:
	fixture_end(&fx);
}
