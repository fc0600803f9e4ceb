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

uintptr_t x_shared[X_SHARED_SLOTS];
uint64_t x_shared_pages[X_SHARED_PAGES / 64];
static unsigned nr;

void x_shared_reset(void)
{
	memset(x_shared, 0, sizeof(x_shared));
	memset(x_shared_pages, 0, sizeof(x_shared_pages));
	nr = 0;
}

static void add_halves(uintptr_t word, uintptr_t halves)
{
	uintptr_t *s = x_shared_slot(word);

	if ((*s & halves) == halves)
		return;
	if (!*s && ++nr > X_SHARED_SLOTS / 2)
		x_fail("more than %u places are accessed atomically: make the scenario smaller",
		       X_SHARED_SLOTS / 2);
	*s |= word | halves;
	x_shared_pages[(word >> 12) / 64 % ARRAY_SIZE(x_shared_pages)] |= 1ull << (word >> 12) % 64;
	x_known_mixed(word);
	x.learnt = true;
}

void x_shared_new(uintptr_t at, size_t bytes)
{
	if (x_on_stack(at))
		return;
	add_halves(at & ~7ul, at & 4 ? 2 : bytes > 4 ? 3 : 1);
	if ((at & 4) && bytes > 4)
		add_halves((at & ~7ul) + 8, 1);
}
