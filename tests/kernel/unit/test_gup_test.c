/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: the modes of gup_test, by the same function that the command calls, and what it must
 * find out by itself: short counts, refusals, pages left at rest (gup-test.*).
 */
#include "drivers/clients/internal.h"
#include "tests/kernel/lib/fixture.h"

#define PAGES 8u

static struct gup_test request(uint64_t va, enum gup_mode mode)
{
	return (struct gup_test){.addr = va,
				 .pages = PAGES,
				 .mode = mode,
				 .flags = FOLL_WRITE,
				 .per_call = 3,
				 .repeat = 1,
				 .threads = 1};
}

/* Pages of the mapping that somebody still holds. */
static unsigned held(uint64_t va, unsigned pages)
{
	unsigned n = 0;

	for (unsigned i = 0; i < pages; i++) {
		const struct page *p = fx_va_to_page(va + i * PAGE_SIZE);

		n += p && page_refs(p) != p->pgmap->rest;
	}
	return n;
}

SELFTEST(gup_test_modes, "gup-test.modes",
	 "every mode covers a mapped file in chunks and leaves it at rest; long-term gets nothing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", PAGES, 'a');

	EXPECT_OR(out, va, "not mapped");
	for (enum gup_mode mode = 0; mode < GUP_MODES; mode++) {
		struct gup_test t_ = request(va, mode);
		bool refused = mode == GUP_PIN_LONGTERM;
		int err = gup_test_run(&t_);

		EXPECT_OR(out, err == (refused ? -EOPNOTSUPP : 0), "%s: %d", gup_mode_names[mode],
			  err);
		EXPECT_OR(out, t_.covered == (refused ? 0 : PAGES) && t_.calls == (refused ? 0 : 3),
			  "%s: %lu pages in %lu calls", gup_mode_names[mode], t_.covered, t_.calls);
		EXPECT_OR(out, !t_.unpinned && !t_.unfit, "%s: %lu pages show no pin, %lu unfit",
			  gup_mode_names[mode], t_.unpinned, t_.unfit);
		EXPECT_OR(out, !held(va, PAGES), "%s: %u pages are still held",
			  gup_mode_names[mode], held(va, PAGES));
	}
out:
	fixture_end(&fx);
}

SELFTEST(gup_test_memory, "gup-test.memory",
	 "fresh memory that nobody touched is had in every mode, by four threads three times over")
{
	int64_t before = anon_pages();
	uint64_t va = 0;

	for (enum gup_mode mode = 0; mode < GUP_MODES; mode++) {
		struct gup_test t_;
		unsigned left;
		int err;

		EXPECT(!mm_map_anon(current_mm(), &va, PAGES * PAGE_SIZE, true), "no memory");
		t_ = request(va, mode);
		t_.threads = 4;
		t_.repeat = 3;
		err = gup_test_run(&t_);
		left = held(va, PAGES);
		mm_unmap(current_mm(), va, PAGES * PAGE_SIZE);
		va = 0;
		EXPECT(!err && t_.covered == 12 * PAGES && t_.calls == 36,
		       "%s: %d, %lu pages in %lu calls", gup_mode_names[mode], err, t_.covered,
		       t_.calls);
		EXPECT(!t_.unpinned && !t_.unfit && !left,
		       "%s: %lu without pin, %lu unfit, %u held", gup_mode_names[mode], t_.unpinned,
		       t_.unfit, left);
	}
	EXPECT(anon_pages() == before, "%ld pages lost", (long)(anon_pages() - before));
}

SELFTEST(gup_test_short, "gup-test.short-count",
	 "where the file ends the pass ends, with what was got and an error")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 4, 'a');
	uint64_t va;

	EXPECT_OR(out, f, "no file");
	va = fx_map_as_is(&fx, f, PAGES, true);
	for (enum gup_mode mode = 0; mode < GUP_MODES && va; mode++) {
		struct gup_test t_ = request(va, mode);
		int err;

		if (mode == GUP_PIN_LONGTERM)
			continue;
		t_.repeat = 2; /* the second pass is not begun */
		err = gup_test_run(&t_);
		EXPECT_OR(out, err == -EFAULT && t_.covered == 4 && t_.calls == 2,
			  "%s: %d, %lu pages in %lu calls", gup_mode_names[mode], err, t_.covered,
			  t_.calls);
		EXPECT_OR(out, !held(va, 4), "%s: %u pages are still held", gup_mode_names[mode],
			  held(va, 4));
	}
out:
	fixture_end(&fx);
}

SELFTEST(gup_test_untouched, "gup-test.untouched",
	 "without the slow path nothing untouched is had; with it, or touched before, all is")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", PAGES, 'a'), present;
	struct gup_test only = request(va, GUP_PIN_FAST), all = only;
	int err;

	EXPECT_OR(out, va, "not mapped");
	only.flags |= FOLL_FAST_ONLY;
	err = gup_test_run(&only);
	EXPECT_OR(out, err == -EFAULT && !only.covered, "%d, %lu pages", err, only.covered);
	err = gup_test_run(&all);
	EXPECT_OR(out, !err && all.covered == PAGES, "%d, %lu pages", err, all.covered);
	EXPECT_OR(out, !mm_advise(current_mm(), va, PAGES * PAGE_SIZE, MM_DONT_NEED),
		  "not cleared");
	present = gup_test_touch(&only);
	err = gup_test_run(&only);
	EXPECT_OR(out, !err && present == PAGES && only.covered == PAGES,
		  "%d, %lu of %lu present pages", err, only.covered, present);
	EXPECT_OR(out, !held(va, PAGES), "%u pages are still held", held(va, PAGES));
out:
	fixture_end(&fx);
}

struct slow {
	struct mm *mm;
	struct gup_test t;
	int err;
};

static void run_slow(void *arg)
{
	struct slow *s = arg;

	mm_use(s->mm);
	s->err = gup_test_run(&s->t);
	mm_use(NULL);
}

SELFTEST(gup_test_lock, "gup-test.lock",
	 "while mmap_lock is held for writing the fast modes go on and the slow ones wait for it")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct mm *mm = current_mm();
	uint64_t va = fx_map(&fx, "f", PAGES, 'a');
	struct gup_test fast = request(va, GUP_GET_FAST);
	struct slow slow[] = {{.mm = mm, .t = request(va, GUP_GET)},
			      {.mm = mm, .t = request(va, GUP_PIN)}};
	struct thread *th[2] = {NULL, NULL};
	bool asleep[2] = {false, false};
	int err;

	EXPECT_OR(out, va && gup_test_touch(&fast) == PAGES, "not mapped");
	down_write(&mm->mmap_lock);
	err = gup_test_run(&fast);
	for (unsigned i = 0; i < 2; i++) {
		th[i] = thread_create("slow gup", run_slow, &slow[i], 0);
		asleep[i] = th[i] && falls_asleep(th[i]);
	}
	up_write(&mm->mmap_lock);
	for (unsigned i = 0; i < 2; i++)
		if (th[i])
			thread_join(th[i]);
	EXPECT_OR(out, !err && fast.covered == PAGES, "fast: %d, %lu pages", err, fast.covered);
	for (unsigned i = 0; i < 2; i++)
		EXPECT_OR(out, asleep[i] && !slow[i].err && slow[i].t.covered == PAGES,
			  "%s: slept %d, %d, %lu pages", gup_mode_names[slow[i].t.mode], asleep[i],
			  slow[i].err, slow[i].t.covered);
out:
	fixture_end(&fx);
}
