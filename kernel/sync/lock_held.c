/* SPDX-License-Identifier: MIT */
/*
 * Which sleeping locks a thread holds: a short list in its structure, written only by itself.
 *
 * It answers three questions: may this thread release that lock, does it take one a second time,
 * and, in a panic, what was it in the middle of. Beyond THREAD_MAX_HELD the count goes on but the
 * names are not kept, and the first two questions get the benefit of the doubt.
 */
#include "kernel/kernel.h"

/* Place of the entry, the newest first; 0: not there. */
static uint32_t find(const struct thread *t, uintptr_t entry)
{
	uint32_t i = MIN(t->nr_held, (uint32_t)THREAD_MAX_HELD);

	while (i && t->held[i] != entry)
		i--;
	return i;
}

bool held_remove_any(uintptr_t entry)
{
	struct thread *t = current_thread();
	uint32_t i = find(t, entry), kept = MIN(t->nr_held, (uint32_t)THREAD_MAX_HELD);

	if (!i && t->nr_held <= THREAD_MAX_HELD)
		return false;
	t->nr_held--;
	if (!i)
		return true;
	for (; i < kept; i++)
		t->held[i] = t->held[i + 1];
	if (t->nr_held >= THREAD_MAX_HELD)
		t->held[THREAD_MAX_HELD] = 0; /* it has a name that was not kept */
	return true;
}

void held_print(const struct thread *t)
{
	static const char *const kinds[] = {"mutex", "rwsem (read)", "rwsem (write)"};

	kprintf("  it holds %s", t->nr_held ? "" : "no sleeping lock");
	for (uint32_t i = 1; i <= MIN(t->nr_held, (uint32_t)THREAD_MAX_HELD); i++) {
		const void *lock = (const void *)(t->held[i] & ~3ull);
		unsigned kind = t->held[i] & 3;
		const char *name = kind == HELD_MUTEX ? ((const struct mutex *)lock)->name
						      : ((const struct rwsem *)lock)->name;

		kprintf("%s%s '%s'", i > 1 ? ", " : "", kinds[kind], name ? name : "?");
	}
	kprintf("\n");
}
