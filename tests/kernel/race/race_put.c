/* SPDX-License-Identifier: MIT */
/*
 * Race C-5: a put that brings a page to rest has to wake whoever sleeps for it, by whatever way the
 * put comes; and the one way that needs a race of its own, the undo of a fast gup.
 */
#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/race/internal.h"

/* ---- C-5: every way to put a page wakes --------------------------------------------------- */

MUSEUM(plain_put, "plain-put",
       "a holder gives its reference back by decrementing and testing for zero, as some put paths "
       "did before mid-2022, and nobody is told that the page is idle (C-5); shown by race C-5 "
       "lifetime=idle-at-one (HUNG I4); era 5.18 has it by itself, for unpin_user_pages()");

static int put_single(struct script *s)
{
	put_user_page(s->held[0]);
	return 0;
}

static int put_bulk(struct script *s)
{
	put_user_pages(s->held, s->nr_held);
	return 0;
}

static int put_range(struct script *s)
{
	put_user_page_range(s->held[0], s->nr_held);
	return 0;
}

/* In an era that is deaf to it, as it was there: a look for that in every unpinning would cost the
 * other eras. */
static int put_unpin(struct script *s)
{
	if (s->lt->pgmap_ops.deaf & PUT_BY_UNPIN)
		page_put_each_by(s->held, s->nr_held, PUT_BY_UNPIN);
	else
		unpin_user_pages(s->held, s->nr_held);
	return 0;
}

/* n references at once. */
static int put_many(struct script *s)
{
	if (!page_get(page_to_record(s->held[0]), 4))
		return -EFAULT;
	page_put(s->held[0], 5);
	return 0;
}

/* From the interrupt that says the device is done. */
static int put_interrupt(struct script *s)
{
	struct dma_job *job;
	int err;

	job = dma_start(scratch_edu(0), s->held, 1, DMA_OUT, NULL, 1, &err);
	if (!job)
		return err;
	dma_wait(job);
	dma_free(job);
	return 0;
}

/* The mistake. At rest 1 the count of a live page never comes to zero here. */
static int put_plainly(struct script *s)
{
	struct page *p = page_to_record(s->held[0]);

	if (state_refs(__atomic_fetch_sub(&p->state, PAGE_REF, __ATOMIC_ACQ_REL)) == 1)
		panic("a plain put of pfn 0x%lx came to zero", page_to_pfn(p));
	return 0;
}

/* A block request holds the page by itself: the disk has done its part, the completion waits. */
static struct dio *request;	  /* one race at a time; NULL: none */
static struct fake_disk stand_in; /* for machines without a disk; no data: not made */

/* The disk that is read from; NULL: there is none, and no memory for one. */
static struct block_device *disk_to_read(void)
{
	if (block_nth(0))
		return block_nth(0);
	return stand_in.data || !fake_disk_init(&stand_in) ? &stand_in.dev : NULL;
}

static int hold_by_request(struct script *s)
{
	struct dio_request rq = {.disk = disk_to_read(),
				 .dir = DIO_READ,
				 .addr = s->va,
				 .len = PAGE_SIZE,
				 .place = "F"};
	int err;

	bio_delay_off();
	bio_delay_arm(60ull * 1000 * 1000 * 1000);
	request = dio_start(&rq, &err);
	if (!request) {
		bio_delay_off();
		return err;
	}
	while (!bio_delay_held() && bio_delay_armed())
		disk_moment();
	return piece_look_up(s);
}

static int put_by_request(struct script *s)
{
	(void)s;
	bio_delay_off();
	return dio_wait(request);
}

static void forget_request(void)
{
	if (request) {
		bio_delay_off();
		dio_wait(request);
		dio_free(request);
		request = NULL;
	}
	if (stand_in.data)
		fake_disk_free(&stand_in);
	stand_in.data = NULL;
}

static const struct put_way {
	const char *text;
	piece_fn put;
} ways[] = {
	{"puts the page: put_user_page", put_single},
	{"puts the page: put_user_pages, in bulk", put_bulk},
	{"puts the page: put_user_page_range", put_range},
	{"puts the page: unpin_user_pages", put_unpin},
	{"takes 4 references more, puts all 5 at once", put_many},
	{"has a device read the page; its interrupt puts it", put_interrupt},
};

/* The put of one way; the framework's own book is kept. */
static int put_one_way(struct script *s)
{
	piece_fn put = s->data;
	int err;

	holder_remove(&s->holder);
	err = (museum_on(plain_put) ? put_plainly : put)(s);
	if (err)
		holder_add(&s->holder);
	else
		s->nr_held = 0;
	return err;
}

static int restore_f(struct script *s)
{
	static char byte = 'f';

	return dax_write(s->f, PAGE_SIZE - 1, &byte, 1) == 1 ? 0 : -EIO;
}

/* The last way. False: the verdict is set. */
static bool c5_by_request(struct actor *t1, struct actor *t2)
{
	bool ok;

	if (!disk_to_read()) {
		script_verdict(t1->script, RACE_SKIP, "no memory for a disk");
		return false;
	}
	ok = script_run(t1, hold_by_request, "reads from a disk into the page; the disk is done") &&
	     script_step(t2, piece_punch, "punches the page out of F") != ACTOR_DONE &&
	     script_run(t1, put_by_request, "is told that it is: the completion puts the page") &&
	     script_await(t2, "was woken; the page is gone from F");
	forget_request();
	return ok;
}

/* False: the verdict is set, or this lifetime does not wait. */
static bool c5_one_way(struct script *s, struct actor *t1, struct actor *t2, unsigned way)
{
	if (!script_run(t1, way ? piece_pin : piece_map,
			way ? "pins the page" : "maps F and stores to it") ||
	    (!way && !script_run(t1, piece_pin, "pins the page")))
		return false;
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_DONE)
		return false;
	s->data = ways[way].put;
	return script_run(t1, put_one_way, "%s", ways[way].text) &&
	       script_await(t2, "was woken; the page is gone from F") &&
	       script_run(t2, restore_f, "writes F again: a page like before");
}

static void c5_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);
	unsigned way = 0;

	if (script_f(s, 1))
		return;
	while (way < ARRAY_SIZE(ways) && c5_one_way(s, t1, t2, way))
		way++;
	if (way == ARRAY_SIZE(ways) && c5_by_request(t1, t2))
		script_verdict(s, RACE_SAFE, "%s", "");
	else if (way == 0 && !script_at_work(t2) && !s->decided)
		script_g_after(s, t2, t3, t1); /* it does not wait: what does G read as? */
}
SCRIPT(c5, "C-5", c5_play, "a truncate sleeps for a page that is put in every possible way",
       WANTS(.edus = 1, .disk = true), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(c5_plain, "C-5", "idle-at-one", "plain-put", RACE_HUNG);

/* ---- C-5, the last way: a fast gup that has to undo its reference ------------------------- */

static int gup_fast_only(struct script *s)
{
	long got = get_user_pages_fast(s->va, 1, FOLL_PIN | FOLL_WRITE | FOLL_FAST_ONLY, s->held);

	s->page = s->held[0];
	__atomic_store_n(&s->nr_held, got == 1, __ATOMIC_RELEASE);
	if (got == 1) {
		s->holder = (struct holder){.what = "fast gup", .pages = s->held, .nr = 1};
		holder_add(&s->holder);
	}
	return 0;
}

/* T1 is between its look at the entry and its reference. False: the page went under it. */
static bool c5_undo_stopped(struct script *s, struct actor *t1, struct actor *t2)
{
	if (!script_run(t2, piece_punch, "punches the page out of F: clears the entry, flushes"))
		return false;
	script_say(t1, t1->stop.acknowledges ? "goes on: T2 waits for this CPU to acknowledge"
					     : "was never asked to acknowledge");
	if (script_look(t1) == ACTOR_STOPPED)
		script_verdict(s, RACE_BROKEN_I5, "the page was freed while a gup was at it");
	else
		script_say(t1, s->nr_held ? "has the page"
					  : "saw the entry change: gave the page back");
	return !s->decided;
}

static void c5_undo_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", ACTOR_OWN_CPU), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it"))
		return;
	script_stop_at(t1, "gup_fast_before_ref", 0);
	if (script_step(t1, gup_fast_only, "pins the page by the fast path: has read the entry") ==
	    ACTOR_STOPPED) {
		if (!c5_undo_stopped(s, t1, t2))
			return;
	} else { /* lease-poll: the fast path knows no VMA, and so asks for no lease */
		script_say(t1, "the fast path takes no page of a file here");
		if (!script_run(t2, piece_punch, "punches the page out of F"))
			return;
	}
	if (s->nr_held)
		script_g_after(s, t2, t3, t1);
	else if (script_run(t3, piece_make_g, "creates G and writes it"))
		script_judge_g(s);
}
SCRIPT(c5_undo, "C-5-undo", c5_undo_play,
       "fast gup is stopped before its reference, the page is punched, gup has to undo",
       WANTS(.edus = 1, .cpus = 2), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
/* The page is taken through an entry that has gone, and nobody looks for holders afterwards. */
RACE_EXHIBIT(c5_no_recheck, "C-5-undo", "unaware", "fast-gup-no-recheck", RACE_BROKEN_I1);
