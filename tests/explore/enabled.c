/* SPDX-License-Identifier: MIT */
/*
 * Which actors can go on, and what the others wait for.
 *
 * An event that waits (a lock, a sleep, the end of an IPI, a turn in a spin loop) is not made until
 * it can be: so a waiting thread costs one event and not a loop of looks, and when nobody can go on
 * the execution is over, or hangs.
 */
#include "tests/explore/internal.h"

/* The kinds of events that are not always possible. */
#define MAY_WAIT (1u << X_LOCK | 1u << X_WOKEN | 1u << X_PAUSE | 1u << X_IPI_WAIT)

/* Has an event of another actor changed what this one looked at? */
static bool changed_since(const struct x_actor *a)
{
	for (unsigned n = a->looked_from; n < x.state.depth; n++) {
		const struct x_node *node = &x.node[n];

		for (unsigned i = 0; i < node->op.nr && node->actor != x_id(a); i++)
			for (unsigned k = 0; k < a->nr_looked; k++)
				if (x_conflict(&node->op.place[i], &a->looked[k]))
					return true;
	}
	return !a->nr_looked && x.state.depth > a->looked_from;
}

inline void x_said(const struct x_actor *a)
{
	const struct x_op *op = &a->next;

	if (unlikely(MAY_WAIT >> op->kind & 1) || unlikely(op->atomic_lock & x.opt.tso))
		x.state.waits |= a->bit;
	else if (unlikely(x.state.waits & a->bit))
		x.state.waits &= ~a->bit;
}

/* Its CPU's stores keep it waiting, which come out by themselves. */
static inline bool waits_for_stores(const struct x_actor *a, const struct x_op *op)
{
	if (!x.opt.tso)
		return false;
	return op->atomic_lock ? !x_tso_empty(a->cpu) : op->kind == X_STORE && x_tso_full(a->cpu);
}

static inline bool op_can_go_then(const struct x_actor *a, const struct x_op *op)
{
	switch (op->kind) {
	case X_LOCK: return x_lock_free(op);
	case X_WOKEN: return !x_asleep(op->arg);
	case X_PAUSE: return changed_since(a);
	case X_IPI_WAIT: return *(const uint32_t *)op->arg == 0;
	default: return true;
	}
}

static inline bool op_can_go(const struct x_actor *a, const struct x_op *op)
{
	return !waits_for_stores(a, op) && op_can_go_then(a, op);
}

/* Its CPU takes interrupts now: none runs there, and its thread allows them, or sleeps. */
static bool takes_interrupts(unsigned cpu)
{
	const struct x_actor *t = &x.actor[cpu];

	return x.state.irq_on[cpu] || !t->alive || t->next.kind == X_WOKEN;
}

static bool irq_is_enabled(const struct x_actor *a)
{
	if (!a->alive && !(x_irq_waits(a->cpu) && takes_interrupts(a->cpu)))
		return false;
	return op_can_go(a, &a->next);
}

/* An interrupt that has begun on a thread's CPU comes first. */
static bool is_interrupted(const struct x_actor *a)
{
	return a->role == X_THREAD && (x.state.busy >> a->cpu & 1) &&
	       x.actor[x.irq_of[a->cpu]].alive;
}

/* Of the threads and devices in `mask` those that can go, and who else can. */
static __attribute__((noinline)) unsigned look_closer(unsigned mask)
{
	for (unsigned left = mask; left; left &= left - 1) {
		const struct x_actor *a = &x.actor[__builtin_ctz(left)];

		if (!op_can_go(a, &a->next) || is_interrupted(a))
			mask &= ~(left & -left);
	}
	for (unsigned busy = x.state.busy; busy; busy &= busy - 1) {
		unsigned id = x.irq_of[__builtin_ctz(busy)];

		mask |= (unsigned)irq_is_enabled(&x.actor[id]) << id;
	}
	for (unsigned i = 0; x.opt.tso && i < x.nr_threads; i++)
		mask |= (unsigned)!x_tso_empty(i) << x.buffer_of[i];
	if (x_timers_armed())
		mask |= 1u << x.timers;
	return mask;
}

/* Stores that wait in buffers are all that this event waits for. */
static bool stores_let_go(const struct x_actor *a)
{
	const struct x_op *op = &a->next;

	if (!x.opt.tso)
		return false;
	return op_can_go_then(a, op) ||
	       (op->kind == X_LOCK && op->mode == X_SPIN && x_tso_releases(op->arg));
}

bool x_could_go(unsigned id, uint16_t enabled)
{
	const struct x_actor *a = &x.actor[id];

	if (enabled >> id & 1)
		return true;
	if (!a->alive || a->role > X_IRQ)
		return false;
	if (is_interrupted(a))
		return x_could_go(x.irq_of[a->cpu], enabled);
	return stores_let_go(a);
}

/* A bit an actor. Mostly no event waits, no interrupt is there, and no timer. */
inline uint16_t x_enabled_actors(void)
{
	bool closer = (x.state.waits | x.state.busy | x.state.armed | x.opt.tso) != 0;

	return (uint16_t)(closer ? look_closer(x.state.alive) : x.state.alive);
}

void x_describe_wait(const struct x_actor *a, char *buf, unsigned n)
{
	const struct x_op *op = &a->next;
	const struct thread *t = a->thread;
	char object[64];

	x_object(op, object, sizeof(object));
	switch (op->kind) {
	case X_WOKEN:
		snprintf(buf, n, "asleep for %s, to be woken by %s",
			 t && t->waiting ? t->waiting->what : "?",
			 t && t->waiting ? t->waiting->waker : "?");
		break;
	case X_LOCK: snprintf(buf, n, "for the lock '%s'", object); break;
	case X_PAUSE:
		snprintf(buf, n, "in a loop for a change of %s%s", object,
			 a->oldest_looked ? ", or of what it looked at before these 4 places, "
					    "which the explorer would not notice"
					  : "");
		break;
	case X_IPI_WAIT: snprintf(buf, n, "for the answer to an IPI"); break;
	default: snprintf(buf, n, "for its turn (%s)", x_kind_name(op->kind)); break;
	}
}
