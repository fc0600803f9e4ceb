/* SPDX-License-Identifier: MIT */
/*
 * Races F-6, F-9, F-11: a part of something goes: of a page, of 2 MiB, of an update on the device
 * (docs/weaknesses.md).
 */
#include "dax/layer/internal.h"
#include "tests/kernel/race/internal.h"

/* ---- F-6: truncate to the middle of a held page ------------------------------------------- */

#define MIDDLE (PAGE_SIZE / 2)

static int truncate_to_middle(struct script *s)
{
	return dax_truncate(s->f, MIDDLE);
}

static int extend(struct script *s)
{
	return dax_truncate(s->f, PAGE_SIZE);
}

/* The device writes all of the page; the reference stays. */
static int device_writes_page(struct script *s)
{
	struct dma_job *job;
	int err;

	job = dma_start_borrowed(scratch_edu(0), s->held, 1, DMA_IN, F_TEXT, 1, &err);
	if (!job)
		return err;
	dma_wait(job);
	dma_free(job);
	return 0;
}

static void f6_judge(struct script *s)
{
	if (!shows_device_text(s->f, 0))
		script_verdict(s, RACE_SKIP, "the device's bytes are not in what F still has");
	else if (shows_device_text(s->f, MIDDLE))
		script_verdict(s, RACE_BROKEN_I1,
			       "F was cut at %lu and grew again: \"%s\" at offset %lu, written by "
			       "the device while that was no part of F",
			       MIDDLE, F_TEXT, MIDDLE);
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}

static void f6_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	script_step(t2, truncate_to_middle, "truncates F to half a page: the page stays, cut");
	if (!script_run(t1, device_writes_page,
			"tells the device to write \"%s\" into all of the page", F_TEXT))
		return;
	if (script_at_work(t2) && (!script_run(t1, piece_unpin, "puts the page") ||
				   !script_await(t2, "wakes: F is cut, its tail is zeroed")))
		return;
	if (script_run(t2, extend, "extends F to the whole page again"))
		f6_judge(s);
}
/*
 * In every design the tail is zeroed twice, at the cut and at the extension; where the truncate
 * waits, what the device wrote goes with the first. Which invariant would break? I1: the tail that
 * comes with the extension is not what the device pinned, that was cut off; I7 is about a cut of
 * the power. What lands after the extension is an ordinary write into the file.
 */
SCRIPT(f6, "F-6", f6_play, "a file is cut in the middle of a held page, and grows again",
       WANTS(.edus = 1), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f6_once, "F-6", "busy-extent", "zero-tail-once", RACE_BROKEN_I1);

/* ---- F-9: a huge folio, partly freed ------------------------------------------------------ */

#define PUNCHED 7ull /* page of the 2 MiB that goes */
#define REST	8ull /* one that stays */

static struct page *rest; /* what T3 got of it; NULL: nothing */

static int map_huge(struct script *s)
{
	int err = dax_mmap(current_mm(), s->f, 0, FOLIO_PAGES, true, &s->va);

	return err ? err : store_checked((uint64_t *)s->va, 'f');
}

static int pin_punched(struct script *s)
{
	if (get_user_pages_fast(s->va + PUNCHED * PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE, s->held) !=
	    1)
		return -EFAULT;
	s->page = s->held[0];
	s->holder = (struct holder){.what = "a pin of the script", .pages = s->held, .nr = 1};
	holder_add(&s->holder);
	s->nr_held = 1;
	return 0;
}

static int punch_one(struct script *s)
{
	return dax_punch(s->f, PUNCHED * PAGE_SIZE, PAGE_SIZE);
}

static int store_rest(struct script *s)
{
	return store_checked((uint64_t *)(s->va + REST * PAGE_SIZE), 'f');
}

/* Both paths of gup; -EBUSY: a short count, of nothing. */
static int pin_rest(struct script *s)
{
	long got = get_user_pages_fast(s->va + REST * PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE, &rest);

	if (got != 1)
		rest = NULL;
	return got == 1 ? 0 : got ? (int)got : -EFAULT;
}

static int put_rest(struct script *s)
{
	(void)s;
	if (rest)
		put_user_page(rest);
	rest = NULL;
	return 0;
}

static bool f9_files(struct script *s)
{
	s->pages = FOLIO_PAGES;
	s->f = scratch_file("F", 0, 'f');
	if (s->f && !dax_truncate(s->f, PMD_SIZE))
		return true;
	script_verdict(s, RACE_SKIP, "creating F: %s", refusal());
	return false;
}

/* Page 7 is busy by its head, page 8 is mapped by a 4K entry that counts on the same head. */
static void f9_busy(struct script *s, struct actor *t1, struct actor *t3)
{
	if (!script_run(t1, store_rest, "stores to page 8: a 4K entry, counted on the head") ||
	    !script_try(t3, pin_rest, "tries to pin page 8 of F") ||
	    !script_try(t3, piece_make_g, "creates G and writes it"))
		return;
	if (rest && page_is_busy(rest))
		script_verdict(s, RACE_BROKEN_I5, "page 8 was pinned, by a folio that is busy");
	if (!script_run(t1, piece_device_unpin,
			"tells the device to write \"%s\" into page 7; then puts it", F_TEXT))
		return;
	script_say(t1, "page 8 is still mapped, and no reference is left");
	if (!rest && !s->g && !script_try(t3, pin_rest, "tries to pin page 8 of F again"))
		return;
	if (!rest && !s->g)
		script_verdict(s, RACE_BROKEN_I4,
			       "the last put did not release the folio: page 8 of F, mapped, "
			       "cannot be pinned (%s)",
			       t3->why);
	if (script_run(t3, put_rest, "puts it") && (s->g || make_g_now(s, t3)))
		script_judge_g(s);
}

static void f9_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (!f9_files(s) || !script_run(t1, map_huge, "maps F and stores to it"))
		return;
	if (scratch_fill("fill") || !script_run(t1, pin_punched, "pins page 7 for a device"))
		return;
	if (page_to_record(s->page) == s->page) {
		script_verdict(s, RACE_SKIP, "F is not mapped by 2 MiB");
		return;
	}
	race_say("F is one folio of 2 MiB; every other block belongs to \"fill\"");
	if (script_step(t2, punch_one, "punches page 7 out of F") == ACTOR_DONE && s->lt->idle_run)
		f9_busy(s, t1, t3);
	else
		script_g_after(s, t2, t3, t1);
}
SCRIPT(f9, "F-9", f9_play, "a page of 2 MiB is held and punched, the rest stays mapped",
       WANTS(.edus = 1, .large = true), {"unaware", RACE_BROKEN_I1}, /* */
       {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE},
       {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
/* The reference is on the head: page 7's own record shows no holder. */
RACE_EXHIBIT(f9_own, "F-9", "busy-extent", "part-by-own-record", RACE_BROKEN_I1);
/* As for a single page; but these mappings are of what F still has. */
RACE_EXHIBIT(f9_maps, "F-9", "busy-extent", "folio-waits-for-maps", RACE_BROKEN_I4);

/* ---- F-11: a cut between two updates ------------------------------------------------------ */

/* The first thing that ext4_check() finds and no cut may leave: a block reachable and free, or with
 * two owners. Leaks and counters are repaired by the next mount. */
static void find_i7(void *ctx, const char *line)
{
	char *found = ctx;

	if (!*found && !strncmp(line, "I7", 2))
		snprintf(found, 160, "%s", line);
}

/* What may be durable now: T2 has the file layer's lock and stands still, before it writes
 * something back. Here all that was stored so far counts as durable, which caches are free to make
 * it; that any other part may be, the host's test of cuts goes through. */
static void f11_look(struct script *s, struct actor *t2)
{
	char found[160] = "";

	ext4_check(ext4_of(s->fs), find_i7, found);
	if (*found) {
		script_say(t2, "cut here: %s", found);
		script_verdict(s, RACE_BROKEN_I7, "a power cut here leaves: %s", found);
	}
}

static void f11_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	unsigned seen = 0;

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_unmap, "unmaps it"))
		return;
	script_stop_at(t2, "ext4_writes_back", 0);
	t2->stop.again = true;
	script_step(t2, piece_truncate, "truncates F, up to a write-back");
	for (; script_look(t2) == ACTOR_STOPPED && seen < 100; seen++) {
		f11_look(s, t2);
		script_go(t2, "goes on to the next one, or to the end");
	}
	t2->stop.again = false;
	if (seen < 2)
		script_verdict(s, RACE_SKIP, "no two write-backs were seen");
	f11_look(s, t2);
	script_verdict(s, RACE_SAFE, "%s", "");
}
/* The order on the device is the file layer's, the same for every design. */
SCRIPT(f11, "F-11", f11_play, "the power is cut between the updates of a truncate", WANTS(0),
       {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f11_bitmap, "F-11", "busy-extent", "bitmap-before-tree", RACE_BROKEN_I7);
