/* SPDX-License-Identifier: MIT */
/*
 * Who cannot go on before an actor's next event has come: what he would do behind that does not
 * compete with it (alone.c).
 *
 *   who waits for a lock that the actor holds, or one who is held back himself;
 *   who sleeps, and nobody wakes him but the actor, or one who is held back;
 *   who waits for the answer to an IPI, and the CPU that owes it has the actor's event before its
 *   handler begins, or in it, or its handler is held back;
 *   the thread whose interrupt is held back.
 *
 * A thread that is held back may have stores in its buffer, and its CPU may be interrupted: its
 * buffer and its interrupts are actors of their own, and are asked for themselves. The actor is a
 * thread, an interrupt that has begun, or a buffer. A buffer's event comes before all that its
 * CPU's thread, or handler, does to let somebody go on: the release of a spinlock is behind it in
 * the buffer, and what else lets go, wakes or answers waits until the buffer is empty. So what that
 * thread holds now counts as its own.
 */
#include "tests/explore/noted.h"

static bool is_in(unsigned id, uint16_t set)
{
	return id < X_ACTORS && (set >> id & 1);
}

/* `kept`: those who make no event before. They hold this lock, so that it cannot be had this way.
 */
static bool lock_is_kept(const struct x_op *op, const struct x_actor *a, uint16_t kept)
{
	bool alone = op->mode == X_RWSEM_READ;
	uint64_t bit = x_lock_bit(op->arg), held = 0;

	if (a->role == X_BUFFER)
		held = x_tso_held(a->cpu, alone);
	for (unsigned i = 0; i < x.nr; i++)
		if (is_in(i, kept))
			held |= alone ? x.actor[i].held_alone : x.actor[i].held;
	return held & bit;
}

/* Of the interrupts of this CPU none begins before. */
static bool takes_none(unsigned cpu, const struct x_actor *a, uint16_t kept)
{
	const struct x_actor *t = &x.actor[cpu];

	if (a->role == X_BUFFER && a->cpu == cpu)
		return true;
	return is_in(cpu, kept) && t->alive && t->next.kind != X_WOKEN && !x.state.irq_on[cpu];
}

/* One of the answers that this one waits for comes later. */
static bool answer_is_kept(const uint32_t *pending, const struct x_actor *a, uint16_t kept)
{
	for (unsigned cpu = 0; cpu < x.nr_threads; cpu++) {
		const struct x_actor *irq = &x.actor[x.irq_of[cpu]];
		bool runs = x.irq_of[cpu] < X_ACTORS && irq->alive;
		bool stays = is_in(x.irq_of[cpu], kept);

		if (runs && irq->answers == pending && stays)
			return true;
		if (x_irq_to_answer(cpu, pending) && (runs ? stays : takes_none(cpu, a, kept)))
			return true;
	}
	return false;
}

static bool is_kept(unsigned id, const struct x_actor *a, uint16_t kept)
{
	const struct x_actor *t = &x.actor[id];
	const struct x_op *op = &t->next;

	if (!t->alive || t->role > X_IRQ)
		return false;
	if (t->role == X_THREAD && is_in(x.irq_of[t->cpu], kept) && x.actor[x.irq_of[t->cpu]].alive)
		return true;
	switch (op->kind) {
	case X_LOCK: return lock_is_kept(op, a, kept);
	case X_WOKEN: return x_asleep(op->arg) && !(x_wakers(id) & ~(kept | 1u << id));
	case X_IPI_WAIT: return answer_is_kept(op->arg, a, kept);
	default: return false;
	}
}

uint16_t x_held_back(const struct x_actor *a, uint16_t besides)
{
	uint16_t kept = besides, before;

	do {
		before = kept;
		for (unsigned i = 0; i < x.nr; i++)
			if (!is_in(i, kept) && is_kept(i, a, kept))
				kept |= (uint16_t)(1u << i);
	} while (kept != before);
	return kept;
}
