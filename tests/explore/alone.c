/* SPDX-License-Identifier: MIT */
/*
 * strategy=states: where one event is all that need be tried, since nobody else can do anything
 * that competes with it as long as it has not come (a persistent set of one: Godefroid, "Partial-
 * order methods for the verification of concurrent systems", 1996).
 *
 * Let s be a state, e the next event of actor a, and w any way on from s in which e has not come
 * yet. If no event of w competes with e, then e can be moved before all of w, and leads to the same
 * state. So whatever can be reached from s is reached behind e, and e goes alone, if that also
 * takes no more preemptions.
 *
 * No event of w competes. Of each word it is noted who touches it (noted.c). Every other actor
 *
 *   does not touch e's places from now on so that it competes: he never did, or is beyond the last
 *   of his events that did; or
 *   does under a lock only that a holds too, one of them alone: he waits for it until a moves on;
 * or is held back: he can make no event at all before e (held_back.c).
 *
 * Who gives (a release that leaves the buffer, interrupts that are let in) competes with nobody who
 * takes or gives: he takes only behind it. A store is made under the locks of its maker, since the
 * release of a lock stands behind it in the buffer; and its maker's own loads see it wherever it
 * is, so a thread and its CPU's buffer never compete. An interrupt begins when the buffer is empty,
 * and its thread stands still until it ends: so neither competes with what leaves the buffer, and
 * the thread not with what the handler does.
 *
 * No more preemptions. Whether a switch away from a thread is one is settled when the thread comes
 * to its next event (point.c, could_go()). The thread that ran last: an order in which the others
 * go on first has a switch away from it before w, which is a preemption, as it could make e; with e
 * moved that switch is behind e, and costs no more. The switch back to it comes before what it does
 * next instead of before e, from the same thread, and costs the same. An interrupt that has begun,
 * and a store that leaves its buffer: they cost none. But e must not let anybody go on who, in w,
 * comes to an event that waits for it: from him a switch was free. These kinds do not (KINDS), or
 * are looked at closer:
 *
 *   a release (X_UNLOCK, or its store into the buffer, from which on who waits for it could go on)
 *   is taken to compete with all who take the lock later;
 *   an interrupt that ends lets go on who waits for its answer, but he came there already;
 *   the last event of a timer's function, or the beginning of one without any, lets go on who comes
 * to cancel the timer: while one is posted or at work no interrupt's event goes alone. When it ends
 * it is at work no more, and who waits for that came there already.
 *
 * Two that go alone with what follows.
 *
 *   A store into the buffer (of which only interrupts of its CPU can tell when it comes) with its
 *   way out of it, if that competes with nothing in w: an interrupt in w that begins before the
 *   store begins behind both as well. Who is held back until the store comes is so until it is out
 *   (held_back.c).
 *   An interrupt that begins, with all that its handler does, if that is to flush its TLB and no
 *   more, nobody touches that TLB in w but to flush it, and its end may go alone. What its thread
 * does in w is the same before and behind that: what it stored before is out, and what it stores in
 * w may stay in the buffer. Where the thread is over the beginning competes with nothing anyway.
 */
#include "tests/explore/noted.h"

/* None of these lets another one go on who comes to an event that waits for it. */
#define KINDS                                                                                      \
	(1u << X_LOAD | 1u << X_STORE | 1u << X_RMW | 1u << X_FENCE | 1u << X_LOCK |               \
	 1u << X_IRQ_OFF | 1u << X_IRQ_ON | 1u << X_FLUSH | 1u << X_DRAIN | 1u << X_MMU_LOAD |     \
	 1u << X_MMU_STORE)

/* An event that may go alone. */
struct alone {
	const struct x_actor *a;
	unsigned as;	  /* the actor that it is noted of */
	uint16_t besides; /* those that do not compete, whatever is noted of them */
	bool looked;	  /* those that are held back are among them */
};

/* A buffer's, by which stores come out, and who waits until it is empty: never both can go. */
bool x_is_buffer_itself(const struct x_place *p)
{
	return p->at - X_PLACE_BUFFER(0).at < 16 * (X_CPUS + X_MAX_DEVICES);
}

/* The actor itself, and those of its CPU that cannot come before its event, or see it anyway. */
static uint16_t of_its_cpu(const struct x_actor *a)
{
	uint16_t all = (uint16_t)(1u << a->id);

	if (a->role != X_DEVICE && x.buffer_of[a->cpu] < X_ACTORS)
		all |= (uint16_t)(1u << x.buffer_of[a->cpu]);
	if (a->role == X_BUFFER || a->role == X_IRQ) {
		all |= (uint16_t)(1u << a->cpu);
		if (x.irq_of[a->cpu] < X_ACTORS)
			all |= (uint16_t)(1u << x.irq_of[a->cpu]);
	}
	return all;
}

static bool is_contested(struct alone *e, const struct x_noted *w, const struct x_access *it)
{
	uint16_t others = x_competitors(w, it);

	if ((others & ~e->besides) && !e->looked) {
		e->besides = x_held_back(e->a, e->besides);
		e->looked = true;
	}
	return others & ~e->besides;
}

/* NULL: somebody competes there, or may. */
static struct x_noted *uncontested(struct alone *e, const struct x_place *p)
{
	struct x_noted *w = x_noted_word(p);
	struct x_access it;

	if (!w || x_meets_wider(w, e->a->id))
		return NULL;
	it = x_access_of(e->a, p);
	return is_contested(e, w, &it) ? NULL : w;
}

static uint16_t others(const struct alone *e)
{
	return (uint16_t)(((1u << x.nr) - 1) & ~e->besides);
}

/* That nobody else wakes those that sleep and are held back. */
static void rely_on_sleep(const struct alone *e)
{
	for (unsigned i = 0; i < x.nr_threads && e->looked; i++)
		if ((e->besides >> i & 1) && x.actor[i].next.kind == X_WOKEN)
			x_rely_asleep(i, others(e));
}

static bool goes_to(struct alone *e, const struct x_place *place, unsigned nr)
{
	struct x_noted *w[X_PLACES] = {NULL};

	for (unsigned i = 0; i < nr; i++) {
		if (x_is_buffer_itself(&place[i]))
			continue;
		w[i] = uncontested(e, &place[i]);
		if (!w[i])
			return false;
	}
	for (unsigned i = 0; i < nr; i++)
		if (w[i])
			x_rely(w[i], x_way_of(&place[i]), e->as, others(e));
	rely_on_sleep(e);
	return true;
}

/* ---- releases, and stores into the buffer */

static bool release_goes_alone(struct alone *e)
{
	struct x_place p = x_how(e->a->next.place[0], X_WRITE);

	return goes_to(e, &p, 1);
}

static bool buffered_goes_alone(struct alone *e)
{
	struct x_place p = e->a->stores;

	e->as = x.buffer_of[e->a->cpu];
	if (x_is_wide(&p))
		return false;
	x_note_place(&p, e->a, e->as, x.actor[e->as].nth + 1u);
	p.how = X_WRITE; /* a release, too */
	return goes_to(e, &p, 1);
}

/* ---- interrupts */

/* One ends whose answer somebody waits for who counts it here; NULL: nobody does. */
static bool end_goes_alone(const uint32_t *pending)
{
	for (unsigned i = 0; i < x.nr_threads && pending; i++)
		if (x.actor[i].next.kind == X_IPI_WAIT && x.actor[i].next.arg == pending)
			return true;
	return !pending;
}

/* The handler flushes its TLB and no more, and that competes with nothing. */
static bool flush_goes_alone(struct alone *e)
{
	struct x_place tlb = X_PLACE_TLB(e->a->cpu);
	struct x_noted *w = x_noted_word(&tlb);

	if (!w || !x_flushes_only(e->a->cpu))
		return false;
	for (unsigned way = 0; way < X_WAYS; way++) {
		struct x_access it = {way, x_noted_bytes(w, e->as, way), 0, 0};

		if (it.bytes && is_contested(e, w, &it))
			return false;
	}
	x_rely_flush(e->a->cpu);
	for (unsigned way = 0; way < X_WAYS; way++)
		if (x_noted_bytes(w, e->as, way))
			x_rely(w, way, e->as, others(e));
	rely_on_sleep(e);
	return true;
}

static bool begin_goes_alone(struct alone *e)
{
	if (!x.actor[e->a->cpu].alive)
		return true;
	e->besides = (uint16_t)(1u << e->a->id); /* its thread may go on in w */
	return end_goes_alone(x_irq_first(e->a->cpu)) && flush_goes_alone(e);
}

/* ---- */

static bool goes_alone(const struct x_actor *a)
{
	struct alone e = {.a = a, .as = a->id, .besides = of_its_cpu(a)};

	if (a->role == X_IRQ && x.state.going)
		return false;
	switch (a->next.kind) {
	case X_BEGIN: return begin_goes_alone(&e);
	case X_END: return end_goes_alone(a->answers);
	case X_UNLOCK: return release_goes_alone(&e);
	default: break;
	}
	if (a->next.buffered)
		return buffered_goes_alone(&e);
	return (KINDS >> a->next.kind & 1) && goes_to(&e, a->next.place, a->next.nr);
}

unsigned x_goes_alone(uint16_t mask)
{
	unsigned last = x.state.last_thread;

	if (x_noted_full)
		return X_ACTORS;
	for (unsigned i = x.nr_threads + x.nr_devices; i < x.nr; i++)
		if ((mask >> i & 1) && goes_alone(&x.actor[i]))
			return i;
	return last < X_ACTORS && (mask >> last & 1) && goes_alone(&x.actor[last]) ? last
										   : X_ACTORS;
}
