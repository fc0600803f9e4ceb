/* SPDX-License-Identifier: MIT */
/*
 * Races F-1 … F-4: the state word of a busy page, and fast gup (docs/weaknesses.md).
 *
 * Where a hazard is about a block that its holder keeps, unaware shows A-1, whatever the script,
 * and the designs that wait show nothing. The exhibits switch the rule of busy-extent off that the
 * hazard is about.
 */
#include "tests/kernel/race/internal.h"

/* ---- pieces that the scripts F share ------------------------------------------------------ */

int piece_put_one(struct script *s)
{
	struct page *page = s->held[0];

	holder_remove(&s->holder);
	s->nr_held = 0; /* before the put, in the middle of which this thread may be stopped */
	put_user_page(page);
	return 0;
}

/* Pins F's page by the fast path alone; no page is no error (nr_held stays zero). */
static int piece_pin_fast(struct script *s)
{
	struct page *page = NULL;
	long got = get_user_pages_fast(s->va, 1, FOLL_PIN | FOLL_WRITE | FOLL_FAST_ONLY, &page);

	if (got != 1)
		return 0;
	s->page = s->held[0] = page;
	s->holder = (struct holder){.what = "fast gup", .pages = s->held, .nr = 1};
	holder_add(&s->holder);
	__atomic_store_n(&s->nr_held, 1, __ATOMIC_RELEASE);
	return 0;
}

int spare_block(struct script *s)
{
	struct dax_inode *spare = scratch_file("spare", 1, 's');

	if (!spare) {
		script_verdict(s, RACE_SKIP, "creating \"spare\": %s", refusal());
		return -EIO;
	}
	dax_put(spare);
	return 0;
}

int piece_free_spare(struct script *s)
{
	(void)s;
	return dax_unlink(SCRATCH_PATH "/spare");
}

int piece_store(struct script *s)
{
	uint64_t text;

	memcpy(&text, F_TEXT, sizeof(text));
	return store_checked((uint64_t *)s->va, text);
}

bool make_g_now(struct script *s, struct actor *maker)
{
	if (!script_try(maker, piece_make_g, "creates G and writes it"))
		return false;
	if (!s->g)
		script_verdict(s, RACE_BROKEN_I4, "the last put gave the block back to nobody: %s",
			       maker->why);
	return s->g != NULL;
}

bool shows_device_text(struct dax_inode *inode, uint64_t off)
{
	char buf[sizeof(F_TEXT)] = "";

	return dax_read(inode, off, buf, strlen(F_TEXT)) == (int64_t)strlen(F_TEXT) &&
	       !strcmp(buf, F_TEXT);
}

/* ---- F-1: mark against last put, and the page's second life ------------------------------- */

static struct dax_inode *e; /* the block's first owner; one race at a time */

static int close_e_make_f(struct script *s)
{
	s->f = NULL;
	dax_put(e);
	s->f = scratch_file("F", 1, 'f');
	return s->f ? 0 : -ENOSPC;
}

/* The first life is over but for the end of T2's put. False: the verdict is set. */
static bool f1_first_life(struct actor *t1, struct actor *t2)
{
	if (!script_run(t2, piece_map, "maps E and stores to it") ||
	    !script_run(t2, piece_pin, "pins E's page") || !script_run(t2, piece_unmap, "unmaps E"))
		return false;
	/* lease-poll: a put looks at nothing afterwards, and the poll may need that CPU's timer. */
	if (!t2->script->lt->no_fast_gup)
		script_stop_at(t2, "page_put_changed", 0);
	script_step(t2, piece_put_one, "puts the page: takes 1 off the word");
	return script_run(t1, piece_punch, "punches the page out of E: nobody holds it") &&
	       script_run(t1, close_e_make_f, "creates F and writes it: the block is F's now");
}

static void f1_play(struct script *s)
{
	/* T2 runs nothing that anybody unmaps: no flush has to wait for it while it is stopped. */
	struct actor *t1 = script_actor(s, "T1", 0),
		     *t2 = script_actor(s, "T2", ACTOR_OWN_CPU | ACTOR_OWN_MM),
		     *t3 = script_actor(s, "T3", 0), *t4 = script_actor(s, "T4", 0);

	s->pages = 1;
	s->f = e = scratch_file("E", 1, 'e');
	if (!e || scratch_fill("fill")) {
		script_verdict(s, RACE_SKIP, "creating E and \"fill\": %s", refusal());
		return;
	}
	race_say("E has 1 page; every other block belongs to \"fill\"");
	if (!f1_first_life(t1, t2) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	script_step(t3, piece_punch, "punches the page out of F");
	if (step_stopped(&t2->stop))
		script_go(t2, "goes on with its put, which found 1 reference and no mark");
	script_g_after(s, t3, t4, t1);
}
/* The designs that wait: T2's late look at the page at most wakes a waiter, who looks again. */
SCRIPT(f1, "F-1", f1_play, "a put is slow to look at what it did, and the page is in its next life",
       WANTS(.edus = 1, .cpus = 2), {"unaware", RACE_BROKEN_I1}, /* */
       {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE},
       {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
/* T2 sees the mark of the second life, takes it for its own, and releases under T1. */
RACE_EXHIBIT(f1_reread, "F-1", "busy-extent", "reread-state", RACE_BROKEN_I1);
RACE_EXHIBIT(f1_marker, "F-1", "busy-extent", "marker-releases-anyway", RACE_BROKEN_I1);

/* ---- F-2: the transient reference of a fast gup ------------------------------------------- */

/*
 * A CPU that acknowledges a flush with interrupts off does not exist here, and for that reason
 * alone no page is freed under a fast gup (C-5-undo). It does exist where hardware broadcasts the
 * flush. The rule of F-2 must hold there, too, so the stopped CPU answers.
 */
static void stop_answering(struct actor *a, const char *point)
{
	script_stop_at(a, point, 0);
	a->stop.wanted = NULL; /* answers, and does not go on */
}

static int64_t device_references(void)
{
	return percpu_ref_sum(&scratch_device()->pgmap.ref);
}

/* The device's count was right `before`. */
static void f2_judge(struct script *s, int64_t before)
{
	int64_t missing = before - device_references();

	if (missing)
		script_verdict(s, RACE_BROKEN_I2,
			       "the undo gave back what nobody had taken: the device has %ld "
			       "reference(s) too few, and could go while a page is held",
			       (long)missing);
	for (; missing > 0; missing--) /* mended: the next cell starts clean */
		percpu_ref_get(&scratch_device()->pgmap.ref);
	script_judge_g(s);
}

static void f2_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", ACTOR_OWN_CPU),
		     *t3 = script_actor(s, "T3", 0);
	int64_t before;

	if (script_f(s, 1) || !script_run(t2, piece_map, "maps F and stores to it"))
		return;
	stop_answering(t2, "gup_fast_before_ref");
	if (script_step(t2, piece_pin_fast, "pins by the fast path: has read the entry") !=
	    ACTOR_STOPPED)
		script_say(t2, "the fast path takes no page of a file here");
	if (!script_run(t1, piece_punch, "punches the page out of F; every CPU has flushed") ||
	    !script_run(t3, piece_make_g, "creates G and writes it: the block is G's now"))
		return;
	before = device_references();
	if (step_stopped(&t2->stop))
		script_go(t2, "goes on: takes a reference if it may, and reads the entry again");
	script_say(t2, s->nr_held ? "has the page" : "has no page");
	if (s->nr_held)
		script_verdict(s, RACE_BROKEN_I5, "gup took a page through an entry that has gone");
	f2_judge(s, before);
}
/* Rest 1: the reference is taken of G's page, and put again: it released nothing. Rest 0: G's page
 * is at zero, so none is taken. lease-poll: no fast path for files. */
SCRIPT(f2, "F-2", f2_play, "a fast gup has to undo, and the page belongs to another file by then",
       WANTS(.cpus = 2), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f2_zero, "F-2", "busy-extent", "get-from-zero", RACE_BROKEN_I2);

/* ---- F-3: the same block back at the same offset ------------------------------------------ */

/* T2 was let go: what has it got, and is that F's? False: the verdict is set. */
static bool f3_is_legal(struct script *s, struct actor *t2)
{
	if (!s->nr_held) {
		script_say(t2, "has no page: it has to ask the slow path");
		return true;
	}
	script_say(t2, "the entry is what it was: has the page, which is F's again");
	if (s->lt->associates && s->page->mapping != &s->f->mapping)
		script_verdict(s, RACE_BROKEN_I6, "pfn 0x%lx was taken for F, and is not F's",
			       page_to_pfn(s->page));
	return !s->decided;
}

static void f3_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", ACTOR_OWN_CPU),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t2, piece_map, "maps F and stores to it"))
		return;
	stop_answering(t2, "gup_fast_before_ref");
	if (script_step(t2, piece_pin_fast, "pins by the fast path: has read the entry") !=
	    ACTOR_STOPPED)
		script_say(t2, "the fast path takes no page of a file here");
	if (!script_run(t1, piece_punch, "punches the page out of F; every CPU has flushed") ||
	    !script_run(t1, piece_store, "stores to F again: the only free block comes back"))
		return;
	if (step_stopped(&t2->stop))
		script_go(t2, "goes on: takes a reference, and reads the entry again");
	if (!f3_is_legal(s, t2))
		return;
	script_step(t1, piece_punch, "punches the page out of F once more");
	if (s->nr_held)
		script_g_after(s, t1, t3, t2);
	else if (make_g_now(s, t3))
		script_judge_g(s);
}
/* Legal: T2's reference is of the page's new life, and counts in it like any other. So there is no
 * rule to switch off, and no exhibit. unaware: A-1, with a pin as good as any. */
SCRIPT(f3, "F-3", f3_play, "under a fast gup the block goes, and comes back at the same offset",
       WANTS(.edus = 1, .cpus = 2), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

/* ---- F-4: the offset gets a new block while the old one is held --------------------------- */

/* The old block is busy, F has a new one. */
static void f4_two_blocks(struct script *s, struct actor *t1, struct actor *t2, struct actor *t3)
{
	if (!script_run(t3, piece_free_spare, "removes \"spare\": there is one free block") ||
	    !script_run(t2, piece_store, "stores to F: the same offset gets that block"))
		return;
	if (s->page->mapping)
		script_verdict(s, RACE_BROKEN_I6,
			       "pfn 0x%lx was freed, and its record still names page %lu of F, "
			       "which is elsewhere by now",
			       page_to_pfn(s->page), s->page->index);
	s->page->mapping = NULL; /* mended, if the museum kept it */
	if (script_run(t2, piece_punch, "punches that out again: F is a hole, T1 has its page") &&
	    script_run(t2, piece_make_g, "creates G and writes it: the new block is G's") &&
	    script_run(t1, piece_device_unpin,
		       "tells the device to write \"%s\" into the page; then puts it", F_TEXT))
		script_judge_g(s);
}

static void f4_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (spare_block(s) || script_f(s, 1) ||
	    !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	script_step(t2, piece_punch, "punches the page out of F");
	if (!script_at_work(t2) && !script_try(t3, piece_make_g, "creates G and writes it"))
		return;
	if (!script_at_work(t2) && !s->g)
		f4_two_blocks(s, t1, t2, t3);
	else if (s->g &&
		 script_run(t1, piece_device_unpin,
			    "tells the device to write \"%s\" into the page; then puts it", F_TEXT))
		script_judge_g(s);
	else if (!s->g)
		script_g_after(s, t2, t3, t1);
}
/* The designs that wait never have two blocks for one offset. */
SCRIPT(f4, "F-4", f4_play, "an offset of F gets a new block while the old one is held",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f4_link, "F-4", "busy-extent", "keep-link-of-held", RACE_BROKEN_I6);
RACE_EXHIBIT(f4_ignored, "F-4", "busy-extent", "alloc-ignores-busy", RACE_BROKEN_I1);
