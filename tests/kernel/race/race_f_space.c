/* SPDX-License-Identifier: MIT */
/*
 * Races F-5, F-7, F-10, F-13: blocks that are free and held, and who wants them
 * (docs/weaknesses.md).
 */
#include "tests/kernel/race/internal.h"

/* ---- F-5: the last put comes from an interrupt -------------------------------------------- */

static int lock_allocator(struct script *s)
{
	mutex_lock(&s->fs->lock);
	return 0;
}

static int unlock_allocator(struct script *s)
{
	mutex_unlock(&s->fs->lock);
	return 0;
}

/* The reference is the device's now; its completion interrupt gives it back. */
static int device_puts(struct script *s)
{
	struct dma_job *job;
	int err;

	holder_remove(&s->holder);
	job = dma_start(scratch_edu(0), s->held, 1, DMA_IN, F_TEXT, 1, &err);
	if (!job) {
		holder_add(&s->holder);
		return err;
	}
	s->nr_held = 0;
	dma_wait(job);
	dma_free(job);
	return 0;
}

static int make_g_patiently(struct script *s)
{
	static const char page[PAGE_SIZE] = {[0 ... PAGE_SIZE - 1] = G_BYTE};
	struct dax_inode *g;
	int err = dax_open(SCRATCH_PATH "/G", true, &g);

	if (err)
		return err;
	err = dax_fallocate_wait(g, 0, PAGE_SIZE, false);
	if (!err && dax_write(g, 0, page, PAGE_SIZE) != (int64_t)PAGE_SIZE)
		err = -EIO;
	if (err)
		dax_put(g);
	else
		s->g = g;
	return err;
}

static void f5_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0), *t4 = script_actor(s, "T4", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_DONE)
		script_step(t4, make_g_patiently, "creates G, and waits for a block if need be");
	if (!script_run(t3, lock_allocator, "holds the lock of the allocator") ||
	    !script_run(t1, device_puts,
			"tells the device to write \"%s\"; its interrupt puts the page", F_TEXT) ||
	    !script_run(t3, unlock_allocator, "unlocks it"))
		return;
	if (script_at_work(t2) && !script_await(t2, "wakes, and goes on to the end"))
		return;
	if (script_at_work(t4) && !script_await(t4, "wakes: there is a block for G"))
		return;
	if (s->g || make_g_now(s, t4))
		script_judge_g(s);
}
SCRIPT(f5, "F-5", f5_play,
       "the last put is an interrupt's, while a thread has the allocator's lock", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, /* */
       {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE},
       {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
/* No lock may be waited for in an interrupt; who only tries it tells nobody. */
RACE_EXHIBIT(f5_trylock, "F-5", "busy-extent", "release-trylock", RACE_HUNG);

/* ---- F-7: unmount and mount, with a busy block -------------------------------------------- */

static int umount_and_mount(struct script *s)
{
	int err = piece_umount(s);

	return err ? err : piece_mount(s);
}

static void f7_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F: the pin is all"))
		return;
	if (script_step(t2, piece_punch, "punches the page out of F") == ACTOR_DONE &&
	    (!script_run(t1, piece_close, "closes F") ||
	     !script_run(t2, umount_and_mount, "unmounts the file system, and mounts it again")))
		return;
	script_g_after(s, t2, t3, t1);
}
/* idle-at-one: C-1, what nothing maps counts as idle. */
SCRIPT(f7, "F-7", f7_play, "a block is freed under its holder, and the next mount finds it free",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f7_mount, "F-7", "busy-extent", "busy-per-mount", RACE_BROKEN_I1);

/* ---- F-10: freeing needs a block ---------------------------------------------------------- */

#define HOLE 1ull /* page of F in the middle of an extent */
#define TAIL 9ull /* its last page */

static struct page *tail; /* held beside held[0]; NULL: not */

/* Pages 0–2, 4, 6, 8–9: four extents, which is what an inode has room for. */
static int f10_files(struct script *s)
{
	static const uint64_t at[] = {0, 1, 2, 4, 6, 8, 9};
	char *page = malloc(PAGE_SIZE);
	int err = page ? 0 : -ENOMEM;

	s->f = page ? scratch_file("F", 0, 'f') : NULL;
	s->pages = TAIL + 1;
	for (unsigned i = 0; page && s->f && !err && i < ARRAY_SIZE(at); i++) {
		memset(page, 'f', PAGE_SIZE);
		if (dax_write(s->f, at[i] * PAGE_SIZE, page, PAGE_SIZE) != (int64_t)PAGE_SIZE)
			err = -EIO;
	}
	free(page);
	/* "fill" has many extents, and may lack a block for its own tree: then one more is free. */
	if (err || !s->f || scratch_fill("fill") || scratch_fill("rest"))
		script_verdict(s, RACE_SKIP, "creating F and \"fill\": %s", refusal());
	return s->decided;
}

static int map_f10(struct script *s)
{
	int err = dax_mmap(current_mm(), s->f, 0, s->pages, true, &s->va);

	if (!err)
		err = store_checked((uint64_t *)(s->va + HOLE * PAGE_SIZE), 'f');
	return err ? err : store_checked((uint64_t *)(s->va + TAIL * PAGE_SIZE), 'f');
}

static int pin_f10(struct script *s)
{
	const unsigned flags = FOLL_PIN | FOLL_WRITE;

	if (get_user_pages_fast(s->va + TAIL * PAGE_SIZE, 1, flags, &tail) != 1)
		return -EFAULT;
	if (get_user_pages_fast(s->va + HOLE * PAGE_SIZE, 1, flags, s->held) != 1)
		return -EFAULT;
	s->page = s->held[0];
	s->holder = (struct holder){.what = "a pin of the script", .pages = s->held, .nr = 1};
	holder_add(&s->holder);
	s->nr_held = 1;
	return 0;
}

static int put_tail(struct script *s)
{
	(void)s;
	if (tail)
		put_user_page(tail);
	tail = NULL;
	return 0;
}

static void rescue_f10(struct script *s)
{
	put_tail(s);
}

static int punch_tail(struct script *s)
{
	return dax_punch(s->f, TAIL * PAGE_SIZE, PAGE_SIZE);
}

static int punch_middle(struct script *s)
{
	return dax_punch(s->f, HOLE * PAGE_SIZE, PAGE_SIZE);
}

/* This design has waited for the holder of either page, as it looks at more than the range. */
static bool f10_let_go(struct actor *t1, struct actor *t2)
{
	return script_run(t1, piece_device_unpin,
			  "tells the device to write \"%s\" into page 1; then puts it", F_TEXT) &&
	       script_run(t1, put_tail, "puts page 9, too") &&
	       script_await(t2, "wakes, and goes on to the end");
}

/* Both are punched. What of page 1 did the device reach, and who gets the blocks? */
static void f10_end(struct script *s, struct actor *t1, struct actor *t3)
{
	if (s->nr_held &&
	    (!script_try(t3, piece_make_g, "creates G and writes it") ||
	     !script_run(t1, piece_device_unpin,
			 "tells the device to write \"%s\" into page 1; then puts it", F_TEXT)))
		return;
	if (shows_device_text(s->f, HOLE * PAGE_SIZE))
		script_verdict(s, RACE_BROKEN_I1,
			       "page 1 of F was punched out, F kept the block, and reads as \"%s\"",
			       F_TEXT);
	if (script_run(t1, put_tail, "puts page 9, if it has it still") &&
	    (s->g || make_g_now(s, t3)))
		script_judge_g(s);
}

static void f10_steps(struct script *s, struct actor *t1, struct actor *t2, struct actor *t3)
{
	if (script_step(t2, punch_tail, "punches page 9 out of F: no block is needed for that") !=
		    ACTOR_DONE &&
	    !f10_let_go(t1, t2))
		return;
	if (script_step(t2, punch_middle,
			"punches page 1: five extents, no block for their node") != ACTOR_DONE &&
	    !f10_let_go(t1, t2))
		return;
	f10_end(s, t1, t3);
}

static void f10_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	s->rescue = rescue_f10;
	if (f10_files(s))
		return;
	race_say("F has 4 extents, all that its inode holds; other blocks belong to \"fill\"");
	if (script_run(t1, map_f10, "maps F, stores to pages 1 and 9") &&
	    script_run(t1, pin_f10, "pins pages 1 and 9 for a device"))
		f10_steps(s, t1, t2, t3);
	put_tail(s);
}
/* unaware: the block of page 9, which is held, is the only free one, and becomes the node; G gets
 * the one of page 1, held as well, and its bytes. */
SCRIPT(f10, "F-10", f10_play, "all free blocks are busy, and a punch needs one for the extent tree",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
/* The punch says 0, and F keeps the block, zeroed; but its holder's device writes later. The range
 * that F then has there is not what was pinned, that was punched out: I1, as in F-6. */
RACE_EXHIBIT(f10_reserve, "F-10", "busy-extent", "no-reserve", RACE_BROKEN_I1);

/* ---- F-13: a holder who never lets go ----------------------------------------------------- */

/* Nobody waits, the refusal says why, and the holder has a name. */
static void f13_judge(struct script *s, struct actor *t3)
{
	uint64_t busy, held = pmem_held(scratch_device(), &busy);
	char who[160] = "";

	script_pass_time(s, SCRIPT_PATIENCE);
	if (s->page)
		holders_describe(s->page, who, sizeof(who));
	race_say("60 s later: %lu page(s) held, %lu of them freed by their file; %s", held, busy,
		 who);
	if (held != 1 || busy != 1 || !strstr(who, "a pin of the script"))
		script_verdict(s, RACE_BROKEN_I4, "the holder cannot be found: %lu held, %lu busy",
			       held, busy);
	else if (t3->err != -ENOSPC || !strstr(t3->why, "busy"))
		script_verdict(s, RACE_BROKEN_I4,
			       "the refusal does not say that blocks are busy: %s", t3->why);
	script_verdict(s, RACE_SAFE, "%s", "");
}

static void f13_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page, and will never put it"))
		return;
	if (script_step(t2, piece_punch, "punches the page out of F") != ACTOR_DONE) {
		script_await(t2, "wakes");
		return;
	}
	if (!script_try(t3, piece_make_g, "creates G and writes it"))
		return;
	if (!s->g)
		f13_judge(s, t3);
	else if (script_run(t1, piece_device, "tells the device to write \"%s\" into the page",
			    F_TEXT))
		script_judge_g(s);
}
/* Who waits for a page's holder waits as long as that lives: for those designs FOLL_LONGTERM had to
 * be forbidden. Here the blocks are out of reach as long, and nobody hangs: a price, no hang. */
SCRIPT(f13, "F-13", f13_play, "a holder sits on a page for ever", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_HUNG}, {"idle-at-one", RACE_HUNG},
       {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_HUNG}, {"refuse-busy", RACE_HUNG},
       {"busy-extent", RACE_SAFE});
