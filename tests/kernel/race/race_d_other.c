/* SPDX-License-Identifier: MIT */
/*
 * Races D-2 and D-4: what zap-to-zero's posted versions did to entries of 2 MiB and to shared ones.
 * Neither is the design's fault: both rules stand, and a museum switch breaks them.
 */
#include "tests/kernel/lib/huge.h"
#include "tests/kernel/race/internal.h"
#include "tests/kernel/lib/tinyfs.h"

/* ---- D-2: a fault in the middle of 2 MiB -------------------------------------------------- */

/* Maps a sparse F of 2 MiB; the first store is to its page 100. */
static int store_in_the_middle(struct script *s)
{
	int err = dax_mmap(current_mm(), s->f, 0, N, true, &s->va);

	return err ? err : store_checked((uint64_t *)PAGE(s->va, 100), 'f');
}

static void d2_judge(struct script *s, struct page *head)
{
	if (!s->lt->associates || (head->mapping == &s->f->mapping && head->index == 0)) {
		script_verdict(s, RACE_SAFE, "%s", "");
		return;
	}
	script_verdict(s, RACE_BROKEN_I6,
		       "the entry of pages 0 to 511 has pfn 0x%lx, whose record says page %lu",
		       page_to_pfn(head), head->index);
	head->index = 0; /* so that the file can go */
}

static void d2_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0);

	s->f = sparse("F", N);
	s->pages = N;
	if (!s->f) {
		script_verdict(s, RACE_SKIP, "creating F: %s", refusal());
		return;
	}
	if (!script_run(t1, store_in_the_middle, "maps F, 2 MiB; its first store is to page 100"))
		return;
	if (level_at(s->va) != 2)
		script_verdict(s, RACE_SKIP, "the fault was not served by 2 MiB");
	else
		d2_judge(s, va_to_head(s->va));
}
SCRIPT(d2, "D-2", d2_play, "a fault in the middle of 2 MiB: which page does the record name?",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(d2_up, "D-2", "zap-to-zero", "round-up", RACE_BROKEN_I6);

/* ---- D-4: shared entries ------------------------------------------------------------------ */

static uint64_t g_va; /* one race at a time */

static int reflink_and_map(struct script *s)
{
	uint64_t v;
	int err = dax_reflink(s->f, 0, s->g, 0, PAGE_SIZE);

	g_va = 0;
	if (!err)
		err = dax_mmap(current_mm(), s->g, 0, 2, true, &g_va);
	return err ? err : load_checked((uint64_t *)g_va, &v);
}

static int unmap_g(struct script *s)
{
	(void)s;
	return g_va ? mm_unmap(current_mm(), g_va, 2 * PAGE_SIZE) : 0;
}

/* For reading: a pin for writing would get a copy of its own. */
static int pin_shared(struct script *s)
{
	struct page *p;
	long got = get_user_pages_fast(s->va, 1, FOLL_PIN, &p);

	if (got != 1)
		return got ? (int)got : -EFAULT;
	race_hold(s, p);
	return 0;
}

static int punch_hole_of_g(struct script *s)
{
	return dax_punch(s->g, PAGE_SIZE, PAGE_SIZE);
}

static void close_g(struct script *s, struct actor *t2)
{
	if (s->g && script_run(t2, unmap_g, "unmaps G")) {
		dax_put(s->g);
		s->g = NULL;
	}
}

/* T1's pin was given back by G's entry, F's would give back another one: G's goes first, then the
 * page is taken for F's. */
static void d4_broken(struct script *s, struct actor *t2)
{
	script_verdict(s, RACE_BROKEN_I5,
		       "pfn 0x%lx is pinned and counts 0 references: G's entry gave one back that "
		       "it never took",
		       page_to_pfn(s->page));
	holder_remove(&s->holder);
	s->nr_held = 0;
	close_g(s, t2);
	page_get_first(s->page, 1);
}

static void d4_shared(struct script *s, struct actor *t1, struct actor *t2)
{
	if (!script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t2, reflink_and_map, "G gets F's block as well; maps G, reads it") ||
	    !script_run(t1, pin_shared, "pins the page, for reading"))
		return;
	script_step(t2, punch_hole_of_g, "punches a hole into G elsewhere");
	if (page_refs(s->page) == s->lt->rest) {
		d4_broken(s, t2);
		return;
	}
	if (script_run(t1, piece_unpin, "puts the page") &&
	    (!script_at_work(t2) || script_await(t2, "wakes, and goes on to the end")))
		script_verdict(s, RACE_SAFE, "%s", "");
}

static void d4_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0);
	const char *why = "";
	struct dax_fs *fs;

	if (piece_umount(s) || tiny_mount(s->lt, &fs, &why)) {
		script_verdict(s, RACE_SKIP, "the file system with shared blocks: %s", why);
		return;
	}
	s->f = tiny_file(fs, "F", 1);
	s->g = tiny_file(fs, "G", 2);
	s->pages = 1;
	if (s->f && s->g)
		d4_shared(s, t1, t2);
	script_free_actors(s);
	script_put_held(s);
	close_g(s, t2);
	if (s->f && (!s->va || script_run(t1, piece_unmap, "unmaps F"))) {
		dax_put(s->f);
		s->f = NULL;
	}
	tiny_umount();
}
SCRIPT(d4, "D-4", d4_play, "a page that two files share is pinned, and one of them is zapped",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(d4_zapped, "D-4", "zap-to-zero", "zap-shared", RACE_BROKEN_I5);
