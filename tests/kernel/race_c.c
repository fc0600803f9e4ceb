/* SPDX-License-Identifier: MIT */
/*
 * Races C-1 … C-3, C-5, C-6: the weaknesses of idle-at-one (page-lifetime.md C), and who else has
 * them. Punch and not truncate, where either would do: under lease-poll truncate has a bug of its
 * own (B-7). Those about the device that goes, C-4, C-7 and C-8, are in race_unbind.c.
 */
#include "tests/kernel/script.h"

/* ---- C-1: held, and not mapped any more --------------------------------------------------- */

static void c1_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F: nothing maps it now"))
		return;
	script_step(t2, piece_punch, "punches the page out of F");
	script_g_after(s, t2, t3, t1);
}
/* lease-poll: a lease outlives the mapping it was made for. */
SCRIPT(c1, "C-1", c1_play, "a file that nothing maps loses a page that is still pinned",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- C-2: an entry locked while the scan passes ------------------------------------------- */

static uint64_t c2_entry; /* one race at a time */

/* Whoever handles an error of the page locks its entry, without the file's fault lock. */
static int lock_entry(struct script *s)
{
	c2_entry = entry_lock(s->f, 0);
	return c2_entry ? 0 : -ENOMEM;
}

static int unlock_entry(struct script *s)
{
	entry_unlock(s->f, 0, c2_entry);
	return 0;
}

static void c2_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0), *t4 = script_actor(s, "T4", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t3, lock_entry, "locks the entry of the page, to look at it"))
		return;
	script_stop_at(t2, "layout_broken", 0);
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_STOPPED)
		script_say(t2, "found nobody busy");
	if (!script_run(t3, unlock_entry, "unlocks it"))
		return;
	if (step_stopped(&t2->stop))
		script_go(t2, "deletes the entry, frees the block");
	else
		t2->stop.go = true; /* it sleeps, and need not stop on its way */
	script_g_after(s, t2, t4, t1);
}
SCRIPT(c2, "C-2", c2_play, "the scan for busy pages passes over an entry that is locked",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_BROKEN_I1}, {"counted-map", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- C-3: eviction and unmount ------------------------------------------------------------ */

static void c3_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F") || !script_run(t2, piece_unlink, "unlinks F"))
		return;
	script_step(t2, piece_close, "closes F: its last reference, its blocks go");
	script_g_after(s, t2, t3, t1);
}
/* lease-poll: a lease holds its file, so that the last reference goes with the last poll. */
SCRIPT(c3, "C-3", c3_play, "an unlinked file's last reference goes while its page is pinned",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

static int mount_and_punch(struct script *s)
{
	int err = piece_mount(s);

	if (!err)
		err = dax_open(SCRATCH_PATH "/F", false, &s->f);
	return err ? err : piece_punch(s);
}

/* The holder lets go before the file system does: where an unmount waits for it, or is refused. */
static void c3_umount_waits(struct script *s, struct actor *t1, struct actor *t2, struct actor *t3)
{
	bool refused = !script_at_work(t2);

	if (!script_run(t1, piece_device_unpin,
			"tells the device to write \"%s\" into the page; then puts it", F_TEXT))
		return;
	if (refused)
		script_pass_time(s, 3000000000ull);
	if (refused ? !script_run(t2, piece_umount, "unmounts it now")
		    : !script_await(t2, "wakes: the file system is unmounted"))
		return;
	if (script_run(t2, mount_and_punch, "mounts it again and punches the page out of F") &&
	    script_run(t3, piece_make_g, "creates G and writes it"))
		script_judge_g(s);
}

static void c3_umount_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F") || !script_run(t1, piece_close, "closes F"))
		return;
	if (script_step(t2, piece_umount, "unmounts the file system") != ACTOR_DONE || t2->err) {
		c3_umount_waits(s, t1, t2, t3);
		return;
	}
	script_step(t2, mount_and_punch, "mounts it again and punches the page out of F");
	script_g_after(s, t2, t3, t1);
}
SCRIPT(c3_umount, "C-3-umount", c3_umount_play,
       "unmount and mount, and nobody remembers that a page is pinned", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_BROKEN_I1},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"busy-extent", RACE_SAFE});

/* ---- C-5: every way to put a page wakes --------------------------------------------------- */

MUSEUM(plain_put, "plain-put",
       "a holder gives its reference back by decrementing and testing for zero, as some put paths "
       "did before mid-2022, and nobody is told that the page is idle (C-5); shown by race C-5 "
       "lifetime=idle-at-one (HUNG I4)");

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

static int put_unpin(struct script *s)
{
	unpin_user_pages(s->held, s->nr_held);
	return 0;
}

/* n references at once. */
static int put_many(struct script *s)
{
	if (!page_get(page_head(s->held[0]), 4))
		return -EFAULT;
	page_put(s->held[0], 5);
	return 0;
}

/* From the interrupt that says the device is done. */
static int put_interrupt(struct script *s)
{
	struct dma_job *job;
	int err;

	job = dma_start(edu_nth(0), s->held, 1, DMA_OUT, NULL, 1, &err);
	if (!job)
		return err;
	dma_wait(job);
	dma_free(job);
	return 0;
}

/* The mistake. At rest 1 the count of a live page never comes to zero here. */
static int put_plainly(struct script *s)
{
	struct page *p = page_head(s->held[0]);

	if (state_refs(__atomic_fetch_sub(&p->state, PAGE_REF, __ATOMIC_ACQ_REL)) == 1)
		panic("a plain put of pfn 0x%lx came to zero", page_to_pfn(p));
	return 0;
}

static const struct {
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
	if (way == ARRAY_SIZE(ways))
		script_verdict(s, RACE_SAFE, "%s", "");
	else if (way == 0 && !script_at_work(t2))
		script_g_after(s, t2, t3, t1); /* it does not wait: what does G read as? */
}
SCRIPT(c5, "C-5", c5_play, "a truncate sleeps for a page that is put in every possible way",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
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
       {"busy-extent", RACE_SAFE});
/* The page is taken through an entry that has gone, and nobody looks for holders afterwards. */
RACE_EXHIBIT(c5_no_recheck, "C-5-undo", "unaware", "fast-gup-no-recheck", RACE_BROKEN_I1);

/* ---- C-6: who comes back in time starves the waiter --------------------------------------- */

#define ROUNDS 4u

static int touch_and_pin(struct script *s)
{
	int err = store_checked((uint64_t *)s->va, 'f');

	return err ? err : piece_pin(s);
}

/* One round: the page is idle for a moment, and held again before the waiter has its locks. */
static bool c6_round(struct script *s, struct actor *t1, struct actor *t2)
{
	if (!script_run(t1, piece_unpin, "puts the page: it is idle"))
		return false;
	if (script_look(t2) == ACTOR_STOPPED)
		script_say(t2, "is woken, and about to take the fault lock");
	if (!script_run(t1, touch_and_pin, "touches F again and pins the page"))
		return false;
	if (step_stopped(&t2->stop))
		script_go(t2, "has the lock: looks at the page once more");
	script_pass_time(s, SCRIPT_PATIENCE / ROUNDS + 1000000000);
	return true;
}

static void c6_starve(struct script *s, struct actor *t1, struct actor *t2)
{
	unsigned n = 0;

	while (n < ROUNDS && script_at_work(t2) && c6_round(s, t1, t2))
		n++;
	t2->stop.again = false;
	if (n == ROUNDS && script_at_work(t2))
		script_hung(t2, "more than 60 s, the page was put 4 times, and each time T1 had it "
				"again first");
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}

static void c6_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	script_stop_at(t2, "layout_woken", 0);
	t2->stop.again = true;
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_DONE)
		script_g_after(s, t2, t3, t1);
	else
		c6_starve(s, t1, t2);
}
SCRIPT(c6, "C-6", c6_play, "a holder that always comes back in time starves who waits for it",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_HUNG}, /* B-6 */
       {"idle-at-one", RACE_HUNG}, {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_HUNG},
       {"busy-extent", RACE_SAFE});
