/* SPDX-License-Identifier: MIT */
/*
 * A reference that is born while somebody waits for another one: B-4 and D-7.
 *
 *   1  T1 pins page 1 of F; T2 punches both pages out of F, and sleeps for it
 *   2  the fault lock is given up meanwhile: T3 gets hold of page 0
 *   3  T1 puts page 1, T2 is woken
 *   4  T2 must look at page 0 once more; if it does not, page 0 is freed under T3
 *
 * Both blocks go to G, so that either holder's late write would show.
 */
#include <ctype.h>

#include "tests/kernel/race/internal.h"

#define PAGES 2u

int piece_map_behind_anon(struct script *s)
{
	uint64_t anon = BORN_BASE;
	int err = mm_map_anon(current_mm(), &anon, PAGE_SIZE, true);

	s->va = BORN_BASE + PAGE_SIZE;
	return err ? err : piece_map(s);
}

void race_hold(struct script *s, struct page *page)
{
	s->held[0] = page;
	s->page = page;
	s->holder = (struct holder){.what = "a pin of the script", .pages = s->held, .nr = 1};
	holder_add(&s->holder);
	__atomic_store_n(&s->nr_held, 1, __ATOMIC_RELEASE);
}

static int pin_second(struct script *s)
{
	struct page *p;
	long got = get_user_pages_fast(s->va + PAGE_SIZE, 1, FOLL_PIN | FOLL_WRITE, &p);

	if (got != 1)
		return got ? (int)got : -EFAULT;
	race_hold(s, p);
	return 0;
}

static struct page *born; /* T3's, one race at a time */

struct birth {
	long (*gup)(struct script *s, struct page **page);
};

static int give_birth(struct script *s)
{
	const struct birth *b = s->data;
	long got = b->gup(s, &born);

	return got == 1 ? 0 : got ? (int)got : -EFAULT;
}

/* T3's page is what the script holds from now on: T1 has put his. */
static void take_over(struct script *s)
{
	struct page *p = born;

	born = NULL;
	if (p)
		race_hold(s, p);
}

/* The cell goes wrong while both are held. */
static void rescue(struct script *s)
{
	(void)s;
	if (born)
		put_user_page(born);
	born = NULL;
}

/* ---- G, two pages large ------------------------------------------------------------------- */

static int make_g2(struct script *s)
{
	s->g = scratch_file("G", PAGES, G_BYTE);
	return s->g ? 0 : -ENOSPC;
}

static void judge_g2(struct script *s)
{
	const unsigned len = PAGES * PAGE_SIZE;
	char *const buf = scratch_bytes;
	unsigned foreign = 0, first = 0;
	char text[17] = "";

	if (dax_read(s->g, 0, buf, len) != (int64_t)len) {
		script_verdict(s, RACE_SKIP, "reading G: %s", refusal());
		return;
	}
	for (unsigned i = 0; i < len; i++)
		if (buf[i] != G_BYTE && foreign++ == 0)
			first = i;
	for (unsigned i = 0; foreign && i < 16 && first + i < len; i++)
		text[i] = isprint((unsigned char)buf[first + i]) ? buf[first + i] : '.';
	if (foreign)
		script_verdict(s, RACE_BROKEN_I1,
			       "%u of 8192 bytes of G are F's: \"%s\" at offset %u, where \"GGGG\" "
			       "was written",
			       foreign, text, first);
	else
		script_verdict(s, RACE_SAFE, "%s", "");
}

/* As script_g_after(), with the larger G. */
static void g2_after(struct script *s, struct actor *freer, struct actor *maker,
		     struct actor *holder)
{
	bool freed = !script_at_work(freer);

	if (freed && !script_try(maker, make_g2, "creates G, two pages, and writes it"))
		return;
	if (!script_run(holder, piece_device_unpin,
			"tells the device to write \"%s\" into the page; then puts it", F_TEXT))
		return;
	if (!freed && !script_await(freer, "wakes, and goes on to the end"))
		return;
	script_pass_time(s, 3000000000ull);
	if (s->g || script_run(maker, make_g2, "creates G, two pages, and writes it"))
		judge_g2(s);
}

/* ---- the play ----------------------------------------------------------------------------- */

void race_born_meanwhile(struct script *s, long (*gup)(struct script *s, struct page **page),
			 const char *how)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0), *t4 = script_actor(s, "T4", 0);
	struct birth b = {gup};

	s->data = &b;
	s->rescue = rescue;
	if (script_f(s, PAGES) ||
	    !script_run(t1, piece_map_behind_anon,
			"maps F behind anonymous memory, stores to both pages") ||
	    !script_run(t1, pin_second, "pins page 1 for a device"))
		return;
	if (script_step(t2, piece_punch, "punches both pages out of F") == ACTOR_DONE) {
		g2_after(s, t2, t4, t1);
		return;
	}
	if (!script_run(t3, give_birth, "%s", how) ||
	    !script_run(t1, piece_unpin, "puts page 1: the one that T2 waits for"))
		return;
	take_over(s);
	script_pass_time(s, 3000000000ull);
	if (script_look(t2) == ACTOR_DONE)
		script_say(t2, "goes on: for it, nobody is left");
	g2_after(s, t2, t4, t3);
}
