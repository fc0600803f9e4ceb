/* SPDX-License-Identifier: MIT */
/*
 * Places that some code accesses atomically: there plain accesses of other code are events, too.
 *
 * A list is changed under its lock by plain stores, and looked at without the lock by an atomic
 * load: that store is what the look competes with. The compiler's hook cannot know, so the explorer
 * remembers every place that was ever accessed atomically. When a new one turns up, plain accesses
 * before may have passed as no events, and the exploration begins again, with what it has learnt.
 * That ends soon: nearly all places turn up in the first execution.
 *
 * Stacks are left out: what lies there depends on the compiler, and two homes must agree.
 */
#include "tests/explore/internal.h"

#define SLOTS 4096u

static uintptr_t places[SLOTS]; /* 4 bytes each; zero: free */
static unsigned nr;

void x_shared_reset(void)
{
	memset(places, 0, sizeof(places));
	nr = 0;
}

static uintptr_t *slot(uintptr_t place)
{
	unsigned i = (unsigned)(place * 0x9e3779b97f4a7c15ull >> 40) % SLOTS;

	while (places[i] && places[i] != place)
		i = (i + 1) % SLOTS;
	return &places[i];
}

bool x_shared_is(uintptr_t at, size_t bytes)
{
	return *slot(at & ~3ul) || (bytes > 4 && *slot((at & ~3ul) + 4));
}

static void add_place(uintptr_t place)
{
	uintptr_t *s = slot(place);

	if (*s)
		return;
	if (nr == SLOTS / 2)
		x_fail("more than %u places are accessed atomically: make the scenario smaller",
		       nr);
	*s = place;
	nr++;
	x.learnt = true;
}

void x_shared_add(uintptr_t at, size_t bytes)
{
	if (x_on_stack(at))
		return;
	add_place(at & ~3ul);
	if (bytes > 4)
		add_place((at & ~3ul) + 4);
}
