/* SPDX-License-Identifier: MIT */
/*
 * Race A-1: the weakness of unaware (docs/weaknesses.md A), and how the later designs end.
 *
 * It is the reason for all of them: a block goes back to the allocator while a device still holds
 * its page. By punch and by truncate, because lease-poll was wired to one and not to the other
 * (B-7).
 */
#include "tests/kernel/race/internal.h"

static void held_and_mapped(struct script *s, piece_fn shrink, const char *what)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device"))
		return;
	script_step(t2, shrink, "%s", what);
	script_g_after(s, t2, t3, t1);
}

static void punch_play(struct script *s)
{
	held_and_mapped(s, piece_punch, "punches the page out of F");
}
SCRIPT(a1, "A-1", punch_play, "a page is punched out of a file while a device holds it",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

static void truncate_play(struct script *s)
{
	held_and_mapped(s, piece_truncate, "truncates F");
}
SCRIPT(a1_truncate, "A-1-truncate", truncate_play,
       "a file is truncated while a device holds its page", WANTS(.edus = 1),
       {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I1}, /* B-7 */
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
/* The put that would have woken it says nothing: not even the first of all races ends well. */
RACE_EXHIBIT(a1_skip_wake, "A-1", "idle-at-one", "skip-wake", RACE_HUNG);
