/* SPDX-License-Identifier: MIT */
/*
 * Which sleeping locks a thread holds: a short list in its structure, written only by itself.
 *
 * It answers three questions: may this thread release that lock, does it take one a second time,
 * and, in a panic, what was it in the middle of. Beyond THREAD_MAX_HELD the count goes on but the
 * names are not kept, and the first two questions get the benefit of the doubt.
 */
#include "kernel/internal.h"

/* Index of the entry, the newest first; -1: not there. */
static int find(const struct thread *t, uintptr_t entry)
{
	int i = (int)MIN(t->nr_held, (uint32_t)THREAD_MAX_HELD) - 1;

	while (i >= 0 && t->held[i] != entry)
		i--;
	return i;
}

bool held_remove_any(uintptr_t entry)
{
	struct thread *t = current_thread();
	int i = find(t, entry);

	if (i < 0 && t->nr_held <= THREAD_MAX_HELD)
		return false;
	t->nr_held--;
	if (i < 0)
		return true;
	for (; i + 1 < (int)MIN(t->nr_held + 1, (uint32_t)THREAD_MAX_HELD); i++)
		t->held[i] = t->held[i + 1];
	if (t->nr_held >= THREAD_MAX_HELD)
		t->held[THREAD_MAX_HELD - 1] = 0;
	return true;
}

bool held_has(const void *lock, enum held_kind kind)
{
	return find(current_thread(), (uintptr_t)lock | kind) >= 0;
}

void held_print(const struct thread *t)
{
	static const char *const kinds[] = {"mutex", "rwsem (read)", "rwsem (write)"};

	kprintf("  it holds %s", t->nr_held ? "" : "no sleeping lock");
	for (uint32_t i = 0; i < MIN(t->nr_held, (uint32_t)THREAD_MAX_HELD); i++) {
		const void *lock = (const void *)(t->held[i] & ~3ull);
		unsigned kind = t->held[i] & 3;
		const char *name = kind == HELD_MUTEX ? ((const struct mutex *)lock)->name
						      : ((const struct rwsem *)lock)->name;

		kprintf("%s%s '%s'", i ? ", " : "", kinds[kind], name ? name : "?");
	}
	kprintf("\n");
}
