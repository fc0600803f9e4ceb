/* SPDX-License-Identifier: MIT */
/*
 * Races D-1, D-3, D-5 … D-10: the weaknesses of zap-to-zero (docs/weaknesses.md D). D-2 and D-4,
 * which need 2 MiB and shared blocks, are in race_d_other.c.
 *
 * Most of them are slips of a posted version, not of the design: a museum switch brings them back.
 * Two are the design's own: D-1, ZAP for ever; D-6, an eviction that waits for its own holder.
 *
 * D-1 as it was deduced is half wrong here: our records count mappings apart from references even
 * where the design does not use it, and whatever is mapped holds its device and may be referenced.
 * What is left of it is that a page counts as idle while it is mapped and can be pinned.
 * D-7 was a question ("who stops new references after the zap?"). Its answer is the fault lock and
 * a second look after each sleep: without the second look (museum scan-once) it is a weakness.
 * D-10 is the slip of v3 that has no number in the catalogue.
 */
#include "tests/kernel/race/internal.h"

int piece_invalidate(struct script *s)
{
	down_write(&s->f->fault_lock);
	unmap_mapping_range(&s->f->mapping, 0, 1);
	entries_delete(s->f, 0, 1);
	up_write(&s->f->fault_lock);
	return 0;
}

int piece_touch_first(struct script *s)
{
	return store_checked((uint64_t *)s->va, 'f');
}

static int punch_second(struct script *s)
{
	return dax_punch(s->f, PAGE_SIZE, PAGE_SIZE);
}

static int punch_first(struct script *s)
{
	return dax_punch(s->f, 0, PAGE_SIZE);
}

/* Pins page n of F and holds it alone. */
static int pin_page(struct script *s, unsigned n)
{
	struct page *p;
	long got = get_user_pages_fast(s->va + n * PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE, &p);

	if (got != 1)
		return got ? (int)got : -EFAULT;
	race_hold(s, p);
	return 0;
}

static int pin_first(struct script *s)
{
	return pin_page(s, 0);
}

static int pin_second(struct script *s)
{
	return pin_page(s, 1);
}

/* ---- D-1: ZAP is never cleared ------------------------------------------------------------ */

static void d1_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	uint32_t refs;

	if (script_f(s, 2) || !script_run(t1, piece_map, "maps F and stores to both pages") ||
	    !script_run(t2, punch_second, "punches page 1 out of F") ||
	    !script_run(t1, piece_touch_first, "stores to page 0 again") ||
	    !script_run(t1, piece_look_up, "(page 0 is mapped, nobody pins it)"))
		return;
	refs = page_refs(s->page);
	script_say(t1, "page 0 has %u reference(s), %u mapping(s)", refs, page_maps(s->page));
	if (!script_run(t1, pin_first, "pins page 0"))
		return;
	if (s->lt->entry_holds && !refs)
		script_verdict(s, RACE_BROKEN_I5,
			       "pfn 0x%lx has an entry and is mapped, and counted 0, which is "
			       "idle: the pin was born from zero",
			       page_to_pfn(s->page));
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}
SCRIPT(d1, "D-1", d1_play, "a page is mapped again after a punch elsewhere in its file", WANTS(0),
       {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_BROKEN_I5}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});

/* ---- D-3: a page of a device that is going ------------------------------------------------ */

static int map_and_touch_second(struct script *s)
{
	int err = dax_mmap(current_mm(), s->f, 0, s->pages, true, &s->va);

	return err ? err : store_checked((uint64_t *)(s->va + PAGE_SIZE), 'f');
}

static void d3_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	enum actor_state st;

	if (script_f(s, 2) ||
	    !script_run(t1, map_and_touch_second, "maps F and stores to page 1 only") ||
	    !script_run(t1, pin_second, "pins page 1"))
		return;
	st = script_step(t2, piece_remove_device, "removes the device");
	race_unbind_refused(s);
	if (st == ACTOR_DONE) {
		script_verdict(s, t2->err ? RACE_SAFE : RACE_BROKEN_I2,
			       "the device is gone while page 1 is pinned");
		return; /* refused: its file system is mounted */
	}
	race_device_guard();
	if (!script_try(t1, piece_touch_first, "stores to page 0 for the first time"))
		return;
	if (t1->err)
		script_verdict(s, RACE_SAFE, "%s", "");
	else
		script_verdict(s, RACE_BROKEN_I2,
			       "page 0 came into use at 0x%lx after its device began to go", s->va);
	if (script_run(t1, piece_unmap, "unmaps F"))
		race_device_leave(s, t1, t2);
}
/* At rest 1 nobody is asked, and counted-map asks nobody either: E-1. */
SCRIPT(d3, "D-3", d3_play, "a page of a device that is going is touched for the first time",
       WANTS(0), {"unaware", RACE_BROKEN_I2}, {"lease-poll", RACE_BROKEN_I2},
       {"idle-at-one", RACE_BROKEN_I2}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_BROKEN_I2},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(d3_ignored, "D-3", "zap-to-zero", "zap-ignores-dying", RACE_BROKEN_I2);

/* ---- D-5: an entry goes and its block stays ----------------------------------------------- */

/* One entry, nobody else: what is more was left by the entry that went. Gives it back, so that the
 * file can go. */
static void d5_judge(struct script *s)
{
	const uint32_t want = s->lt->rest + (s->lt->entry_holds ? 1 : 0), refs = page_refs(s->page);

	if (refs == want)
		return;
	script_verdict(s, RACE_BROKEN_I4,
		       "pfn 0x%lx counts %u reference(s), and %u would be right: nobody pins it, "
		       "and a truncate would wait for ever",
		       page_to_pfn(s->page), refs, want);
	if (refs > want)
		page_put(s->page, refs - want);
}

static void d5_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_look_up, "(nobody pins the page)") ||
	    !script_run(t2, piece_invalidate, "drops the entry; the block stays F's") ||
	    !script_run(t1, piece_touch_first, "stores to it again: a new entry"))
		return;
	d5_judge(s);
	if (script_run(t2, piece_punch, "punches the page out of F: nobody holds it"))
		script_verdict(s, RACE_SAFE, "%s", "");
}
SCRIPT(d5, "D-5", d5_play, "an entry is dropped without its block, and made again", WANTS(0),
       {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(d5_kept, "D-5", "zap-to-zero", "invalidate-keeps", RACE_BROKEN_I4);

/* ---- D-6: an eviction waits for him who does it ------------------------------------------- */

static void d6_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F") || !script_run(t2, piece_unlink, "unlinks F"))
		return;
	if (script_step(t1, piece_close,
			"needs memory: reclaim drops F's last reference, its blocks go") ==
	    ACTOR_DONE)
		script_g_after(s, t1, t2, t1);
	else
		script_await(t1, "goes on, to put the page");
}
/* lease-poll: the lease holds the file, so reclaim does not find it. */
SCRIPT(d6, "D-6", d6_play, "a holder's own need for memory evicts the file whose page it holds",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_HUNG}, {"counted-map", RACE_HUNG},
       {"refuse-busy", RACE_HUNG}, {"busy-extent", RACE_SAFE});

/* ---- D-7: new references after the zap ---------------------------------------------------- */

static long gup_first(struct script *s, struct page **page)
{
	int err = piece_touch_first(s);

	return err ? err : get_user_pages_fast(s->va, 1, FOLL_PIN | FOLL_WRITE, page);
}

static void d7_play(struct script *s)
{
	race_born_meanwhile(s, gup_first,
			    "stores to page 0 and pins it: nobody asks the zapped entry");
}
SCRIPT(d7, "D-7", d7_play, "a page is pinned after the zap, while another one is waited for",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(d7_once, "D-7", "zap-to-zero", "scan-once", RACE_BROKEN_I1);

/* ---- D-8: the device's count goes with the entry ------------------------------------------ */

static void d8_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (!script_f(s, 1) && script_run(t1, piece_map, "maps F and stores to it") &&
	    script_run(t1, piece_pin, "pins the page") &&
	    script_run(t2, piece_invalidate, "drops the entry; the block stays F's") &&
	    script_run(t1, piece_unmap, "unmaps F: the pin is all"))
		race_device_goes_pinned(s, t1, t3);
}
SCRIPT(d8, "D-8", d8_play, "the device goes while a page is pinned whose entry was dropped",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_BROKEN_I2}, /* E-2 */
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(d8_early, "D-8", "zap-to-zero", "count-at-delete", RACE_BROKEN_I2);

/* ---- D-9: the last put forgets the file --------------------------------------------------- */

static int put_second(struct script *s)
{
	s->nr_held = 1;
	s->holder.nr = 1;
	put_user_page(s->held[1]);
	return 0;
}

/* Page 1 has its entry still: does its record name F? Repairs it, for the way out. */
static void d9_judge(struct script *s)
{
	struct page *p = s->held[1];
	uint64_t at = 1;

	if (!s->lt->associates || !entry_next(s->f, &at, 2) || p->mapping == &s->f->mapping)
		return;
	p->mapping = &s->f->mapping;
	script_verdict(s, RACE_BROKEN_I6,
		       "page 1 of F has an entry, and pfn 0x%lx names no file: an error there "
		       "would be nobody's",
		       page_to_pfn(p));
}

static void d9_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 2) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins both pages"))
		return;
	script_step(t2, punch_first, "punches page 0 out of F");
	if (!script_run(t1, put_second, "puts page 1, which stays in F"))
		return;
	d9_judge(s);
	if (script_run(t1, piece_unpin, "puts page 0") &&
	    (!script_at_work(t2) || script_await(t2, "wakes, and goes on to the end")))
		script_verdict(s, RACE_SAFE, "%s", "");
}
SCRIPT(d9, "D-9", d9_play, "the last put of a page that stays in its file: whose is it afterwards?",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(d9_cleared, "D-9", "zap-to-zero", "put-clears-link", RACE_BROKEN_I6);

/* ---- D-10: the loop that gives back what a run of entries holds --------------------------- */

/* The entries have given back what they held: page 1 has its pin, its neighbours nothing. What is
 * missing or too much is put right, else the file could not go. */
static void d10_judge(struct script *s, struct page *first)
{
	for (unsigned i = 0; i < 3; i++) {
		const uint32_t want = s->lt->rest + (i == 1), refs = page_refs(first + i);

		if (refs == want)
			continue;
		script_verdict(s, RACE_BROKEN_I5,
			       "page %u of F, pfn 0x%lx, counts %u reference(s), and %u would be "
			       "right",
			       i, page_to_pfn(first + i), refs, want);
		if (refs > want)
			page_put(first + i, refs - want);
		else if (!s->lt->rest)
			page_get_first(first + i, want - refs);
	}
}

static void d10_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);

	if (script_f(s, 3) || !script_run(t1, piece_map, "maps F and stores to its three pages") ||
	    !script_run(t1, pin_second, "pins page 1"))
		return;
	script_step(t2, piece_punch, "punches all three out of F");
	d10_judge(s, s->page - 1);
	if (script_run(t1, piece_unpin, "puts page 1") &&
	    (!script_at_work(t2) || script_await(t2, "wakes, and goes on to the end")))
		script_verdict(s, RACE_SAFE, "%s", "");
}
/* Where no entry holds a reference it cannot arise; what unaware does to a held page is A-1. */
SCRIPT(d10, "D-10", d10_play, "three entries give back what they hold, one of them is pinned",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(d10_first, "D-10", "zap-to-zero", "release-from-first", RACE_BROKEN_I5);
