/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: walkers of page records against unbinding. The walker is stopped where it has seen
 * that a record exists and has not read it yet; what it finds there afterwards is what is judged.
 */
#include "mm/device/internal.h"

static struct walker {
	struct pgmap pgmap;
	struct page *page;
	struct step_stop stop;
	unsigned seen, gone; /* records that the walker was shown; of them not there any more */
	unsigned unbound;    /* unbinding is over */
	int err;
} w; /* outlives a test that fails */

/* What any walker does with a record, but for the panic if there is none. */
static int read_record(struct page *p, void *unused)
{
	(void)unused;
	w.seen++;
	w.gone += !page_record_exists(p) || p->pgmap != &w.pgmap;
	return w.gone != 0;
}

static void walk_thread(void *unused)
{
	const struct pgmap_range *r = &w.pgmap.range[0];

	(void)unused;
	w.err = step_stop(&w.stop);
	page_records_for_each(r->start, r->end - r->start, read_record, NULL);
	step_unstop(&w.stop);
}

static void unbind_thread(void *unused)
{
	(void)unused;
	memunmap_pages(&w.pgmap);
	__atomic_store_n(&w.unbound, 1, __ATOMIC_RELEASE);
}

static int start_bound(void)
{
	w = (struct walker){.stop = {.name = "record_walk"}};
	w.stop.deadline = PATIENCE_END();
	return fake_bound(&w.pgmap, 1, NULL, &w.page);
}

SELFTEST(mm_walk_unbind, "pgmap.walk-against-unbind",
	 "a walker of records stopped between \"it exists\" and the load: unbinding waits for it")
{
	struct thread *walker, *unbind;
	bool stopped, waits;
	uint64_t records;

	EXPECT(!start_bound(), "binding two MiB failed");
	records = record_frames;
	walker = thread_create("walker", walk_thread, NULL, 1u << (nr_cpus - 1));
	stopped = walker && comes_true((unsigned *)&w.stop.state, STEP_SLEEPS);
	unbind = thread_create("unbind", unbind_thread, NULL, 1u << 0);
	ASSERT(walker && unbind, "no memory for threads");
	waits = falls_asleep(unbind) && !w.unbound;
	step_go(&w.stop);
	thread_join(walker);
	thread_join(unbind);
	EXPECT(stopped && !w.err && !w.stop.timed_out, "the walker was not stopped: error %d",
	       w.err);
	EXPECT(waits && !w.gone && w.seen >= 8,
	       "unbinding waited: %d; %u of %u records were gone when they were read", waits,
	       w.gone, w.seen);
	EXPECT(record_frames < records, "the records are still there");
}

/* A dying device, held by one reference of the test's, as a listing comes. */
SELFTEST(mm_walk_dying, "pgmap.walk-of-a-dying-one",
	 "a device for whose last user an unbinding waits is walked, one that nobody holds is not")
{
	struct pgmap_walk walk;
	struct thread *unbind;
	bool waits, walked, found = false;
	uint64_t pfn;

	EXPECT(!start_bound(), "binding two MiB failed");
	pfn = w.pgmap.range[0].start;
	ASSERT(pgmap_get(pfn), "a live pgmap must be found");
	unbind = thread_create("unbind", unbind_thread, NULL, 0);
	ASSERT(unbind, "no memory for a thread");
	waits = falls_asleep(unbind);
	walked = pgmap_walk_begin(&walk, pfn);
	if (walked) {
		page_records_for_each(pfn, 8, read_record, NULL);
		found = pfn_to_record(pfn) == w.page;
		pgmap_walk_end(&walk);
	}
	pgmap_put(&w.pgmap);
	thread_join(unbind);
	EXPECT(waits && walked && found && w.seen == 8 && !w.gone,
	       "asleep %d, walked %d, found %d, %u records", waits, walked, found, w.seen);
	EXPECT(!pgmap_walk_begin(&walk, pfn), "an unbound device is walked");
}

static struct percpu_ref ref;

SELFTEST(mm_ref_tryget, "pgmap.ref-tryget-of-a-dying-one",
	 "a dying reference is taken while somebody holds it, and never again once it was zero")
{
	bool live, dying, used_up, zero;

	percpu_ref_init(&ref);
	live = percpu_ref_tryget(&ref);
	percpu_ref_kill(&ref);
	dying = percpu_ref_tryget(&ref) && !percpu_ref_tryget_live(&ref);
	used_up = percpu_ref_is_used_up(&ref);
	percpu_ref_put_many(&ref, 1 + dying);
	zero = percpu_ref_is_used_up(&ref) && !percpu_ref_tryget(&ref);
	percpu_ref_drain(&ref);
	EXPECT(live && dying && !used_up && zero, "live %d, dying %d, used up %d, zero %d", live,
	       dying, used_up, zero);
}

SELFTEST(mm_ref_phases, "pgmap.ref-phases",
	 "of a reference that has not begun none is had, whatever was there before; it is live, "
	 "dying, folded, and then for ever used up")
{
	enum ref_phase phase[3];
	bool none, has_none;

	memset(&ref, 0, sizeof(ref));
	none = !percpu_ref_tryget_live(&ref) && !percpu_ref_tryget(&ref);
	has_none = !percpu_ref_is_used_up(&ref) && !percpu_ref_sum(&ref);
	phase[0] = percpu_ref_phase(&ref);
	percpu_ref_init(&ref);
	phase[1] = percpu_ref_phase(&ref);
	percpu_ref_kill(&ref);
	phase[2] = percpu_ref_phase(&ref);
	EXPECT(none && has_none, "had %d, a sum of %ld", !none, (long)percpu_ref_sum(&ref));
	EXPECT(phase[0] == REF_NONE && phase[1] == REF_LIVE && phase[2] == REF_FOLDED &&
		       percpu_ref_is_used_up(&ref) && !percpu_ref_tryget(&ref),
	       "phases %d, %d, %d", phase[0], phase[1], phase[2]);
}

SELFTEST(mm_holder_forgotten, "pgmap.holder-of-what-is-gone",
	 "a holder whose device a design let go is passed over by who lists holders")
{
	struct page *pages[1];
	struct holder h = {.what = "forgotten", .pages = pages, .nr = 1};
	char who[100];
	unsigned before, after;

	EXPECT(!start_bound(), "binding two MiB failed");
	pages[0] = w.page;
	holder_add(&h);
	before = holders_describe(w.page, who, sizeof(who));
	memunmap_pages(&w.pgmap); /* waits for references; this holder has none */
	after = holders_describe(w.page, who, sizeof(who));
	holder_remove(&h);
	EXPECT(before == 1 && !after, "%u holders before, %u after: %s", before, after, who);
}

/* ---- the rule itself is asserted ------------------------------------------------------------- */

static char said[200]; /* by the assertion; empty: none failed */
static struct pgmap_walk walks[2];

static void look_without_a_walk(void *unused)
{
	(void)unused;
	assert_expect(said, sizeof(said));
	pfn_to_record(w.pgmap.range[0].start);
	assert_expect(NULL, 0);
}

static void end_the_outer(void *unused)
{
	(void)unused;
	for (unsigned i = 0; i < 2; i++)
		if (!pgmap_walk_begin(&walks[i], w.pgmap.range[0].start))
			return;
	assert_expect(said, sizeof(said));
	pgmap_walk_end(&walks[0]);
	percpu_ref_get(&w.pgmap.ref); /* not refused: what it gave back */
	assert_expect(NULL, 0);
}

/* Its reference is given back by the test, for which it would wait for ever. */
static void unbind_while_walking(void *unused)
{
	(void)unused;
	if (!pgmap_walk_begin(&walks[0], w.pgmap.range[0].start))
		return;
	assert_expect(said, sizeof(said));
	memunmap_pages(&w.pgmap);
	assert_expect(NULL, 0);
}

/* What `fn` is told; `refs` references that it leaves are given back. */
static bool is_told(void (*fn)(void *), unsigned refs, const char *words)
{
	struct thread *t;

	said[0] = '\0';
	t = thread_create("careless", fn, NULL, 0);
	ASSERT(t, "no memory for a thread");
	while (t->state != THREAD_DEAD && !falls_asleep(t))
		;
	if (refs)
		percpu_ref_put_many(&w.pgmap.ref, refs);
	thread_join(t);
	return strstr(said, words);
}

SELFTEST(mm_walk_asserted, "pgmap.walk-is-asserted",
	 "a look at a record by nobody's leave, a walk ended before the one inside it, and an "
	 "unbinding by a walker are told so")
{
	bool look, order, unbind;

	EXPECT(!start_bound(), "binding two MiB failed");
	look = is_told(look_without_a_walk, 0, "pgmap_walk_begin() first");
	order = is_told(end_the_outer, 2, "innermost");
	unbind = is_told(unbind_while_walking, 1, "must not unbind");
	if (pgmap_is_live(&w.pgmap))
		memunmap_pages(&w.pgmap);
	EXPECT(look && order && unbind, "look %d, order %d, unbind %d", look, order, unbind);
}
