/* SPDX-License-Identifier: MIT */
/*
 * strategy=states: where one event is all that need be tried, since nobody else can do anything
 * that competes with it as long as it has not come (a persistent set of one: Godefroid, "Partial-
 * order methods for the verification of concurrent systems", 1996).
 *
 * Of each word it is noted who accesses it, how, under which locks, and up to which of his events.
 * An event competes with nothing that is still to come if of every other actor, at every place,
 *
 *   he does not access it from now on in a way that conflicts: he never did, or is beyond the last
 *   of his events that did; or
 *   he does under a lock only that the one who makes the event holds too, one of them alone: then
 *   he waits for that lock until this one moves on.
 *
 * Who moves anyway. The thread that ran last: an order in which the others go on first is, with
 * its event moved before them, the same order and takes no more preemptions. An interrupt that has
 * begun, and a store that leaves its buffer: they cost none. A store is made under the locks of its
 * maker, since the release of a lock stands behind it in the buffer; and its maker's own loads see
 * it wherever it is, so a thread and its CPU's buffer never compete.
 *
 * What is noted is what was seen so far, first in some executions by dice and by DPOR (run.c,
 * learn()). If later somebody does what was relied on that he does not, the exploration begins
 * again with what it has learnt, as it does for places that turn out to be atomic (shared.c).
 */
#include "tests/explore/internal.h"

#define WORDS 4096u
#define WIDES 128u
#define LOCKS 63u
#define NONE  (1ull << 63) /* of sets: there was no such access */
#define SLACK 4u	   /* what comes later than ever is taken to come a quarter later still */

enum { READS, WRITES, SHARES, WAYS };

/* What one actor does with a word. */
struct accesses {
	uint64_t any[WAYS], alone[WAYS]; /* the locks held at each of them; those of no readers */
	uint16_t last[WAYS];		 /* no later event of his is one */
};
static struct word {
	uintptr_t at;	 /* 0: free */
	uint16_t relied; /* actors whose event went alone, as nobody competes here */
	struct accesses of[X_ACTORS];
} * words;
static unsigned nr_words;
/* Places of several words: who touches one, competes. */
static struct wide {
	uintptr_t from, to;
	unsigned side;
} wide[WIDES];
static unsigned nr_wide;
static const void *locks[LOCKS];
static unsigned nr_locks;
static bool full; /* not all is noted: nobody goes alone */

bool x_alone_init(void)
{
	if (!words)
		words = machine_memory(WORDS * sizeof(*words));
	return words != NULL;
}

void x_alone_forget(void)
{
	if (nr_words)
		memset(words, 0, WORDS * sizeof(*words));
	nr_words = nr_locks = nr_wide = 0;
	full = false;
}

void x_alone_again(void)
{
	for (unsigned i = 0; i < WORDS && nr_words; i++)
		words[i].relied = 0;
}

/* A bit for this lock; 0: it is one too many, and protects nothing. */
static uint64_t bit_of(const void *lock)
{
	unsigned i = 0;

	while (i < nr_locks && locks[i] != lock)
		i++;
	if (i == LOCKS)
		return 0;
	if (i == nr_locks)
		locks[nr_locks++] = lock;
	return 1ull << i;
}

void x_held(const void *lock, enum x_lock_mode mode, bool taken)
{
	struct x_actor *a = x.me;
	uint64_t bit = x.noting ? bit_of(lock) : 0;

	a->held = taken ? a->held | bit : a->held & ~bit;
	if (mode != X_RWSEM_READ)
		a->held_alone = taken ? a->held_alone | bit : a->held_alone & ~bit;
}

/* A thread and its CPU's buffer do not compete. */
static unsigned side_of(unsigned id)
{
	const struct x_actor *a = &x.actor[id];

	return a->role == X_BUFFER ? a->cpu : id;
}

/* A buffer's, by which stores come out, and who waits until it is empty: never both can go. */
static bool is_buffer_itself(const struct x_place *p)
{
	return p->at - X_PLACE_BUFFER(0).at < 16 * (X_CPUS + X_MAX_DEVICES);
}

/* NULL: there is no room. */
static struct word *find(uintptr_t at)
{
	unsigned i = x_hash(at) % WORDS;

	while (words[i].at && words[i].at != at)
		i = (i + 1) % WORDS;
	if (words[i].at)
		return &words[i];
	if (nr_words == WORDS / 2) {
		full = true;
		return NULL;
	}
	nr_words++;
	words[i].at = at;
	for (unsigned k = 0; k < X_ACTORS; k++)
		for (unsigned way = 0; way < WAYS; way++)
			words[i].of[k].any[way] = words[i].of[k].alone[way] = ~0ull;
	return &words[i];
}

static unsigned way_of(const struct x_place *p)
{
	return p->how & X_WRITE ? WRITES : p->how & X_SHARED ? SHARES : READS;
}

/* One lock at least is held on both sides, and on one of them by nobody else. */
static bool excluded(uint64_t any, uint64_t alone, const struct accesses *his, unsigned way)
{
	return ((any & his->alone[way]) | (alone & his->any[way])) & ~NONE;
}

/* Does an access in this way, under these locks, compete with what he does behind event `nth`? */
static bool competes(unsigned way, uint64_t any, uint64_t alone, const struct accesses *his,
		     unsigned nth)
{
	for (unsigned k = 0; k < WAYS; k++)
		if ((k != way || k == WRITES) && !(his->any[k] & NONE) && his->last[k] > nth &&
		    !excluded(any, alone, his, k))
			return true;
	return false;
}

static bool sides_compete(const struct accesses *a, const struct accesses *b)
{
	for (unsigned way = 0; way < WAYS; way++)
		if (!(a->any[way] & NONE) && competes(way, a->any[way], a->alone[way], b, 0))
			return true;
	return false;
}

static bool is_noted(const struct accesses *a, unsigned way, unsigned nth, uint64_t any,
		     uint64_t alone)
{
	return !(a->any[way] & ~any) && !(a->alone[way] & ~alone) && nth <= a->last[way];
}

static void note_word(const struct x_place *p, unsigned id, unsigned nth, uint64_t any,
		      uint64_t alone)
{
	struct word *w = find(p->at & ~7ul);
	struct accesses *a = w ? &w->of[id] : NULL;
	unsigned way = way_of(p);

	if (!w || is_noted(a, way, nth, any, alone))
		return;
	a->any[way] &= any;
	a->alone[way] &= alone;
	if (nth > a->last[way])
		a->last[way] = (uint16_t)(x.learning ? nth : nth + nth / SLACK);
	for (unsigned i = 0; i < x.nr; i++)
		if ((w->relied >> i & 1) && side_of(i) != side_of(id) &&
		    sides_compete(&w->of[i], a))
			x.learnt = true;
}

static void note_wide(const struct x_place *p, unsigned side)
{
	uintptr_t from = p->at, to = p->at + p->bytes;

	for (unsigned i = 0; i < nr_wide; i++)
		if (wide[i].side == side && wide[i].from <= from && wide[i].to >= to)
			return;
	for (unsigned i = 0; i < WORDS; i++)
		if (words[i].at < to && words[i].at + 8 > from && words[i].relied)
			x.learnt = true;
	if (nr_wide < WIDES)
		wide[nr_wide++] = (struct wide){from, to, side};
	else
		full = true;
}

/* The locks of an actor's next event, or of the one that it makes now. */
static uint64_t locks_of(const struct x_actor *a, bool alone)
{
	if (a->role == X_BUFFER)
		return x_tso_held(a->cpu, alone);
	return alone ? a->held_alone : a->held;
}

void x_alone_note(const struct x_node *n)
{
	const struct x_actor *a = &x.actor[n->actor];

	for (unsigned i = 0; i < n->op.nr; i++) {
		const struct x_place *p = &n->op.place[i];

		if (x_is_wide(p))
			note_wide(p, side_of(a->id));
		else if (!is_buffer_itself(p))
			note_word(p, a->id, n->nth, locks_of(a, false), locks_of(a, true));
	}
}

/* What others do in between makes no difference to these, and none of them lets another one go on
 * who waits: then a switch to him, which was free, would be a preemption. */
#define KINDS                                                                                      \
	(1u << X_LOAD | 1u << X_STORE | 1u << X_RMW | 1u << X_FENCE | 1u << X_LOCK |               \
	 1u << X_IRQ_OFF | 1u << X_IRQ_ON | 1u << X_FLUSH | 1u << X_DRAIN | 1u << X_MMU_LOAD |     \
	 1u << X_MMU_STORE)

static bool is_of_these(const struct x_op *op)
{
	bool releases = op->kind == X_STORE && op->arg; /* into the buffer */

	return (KINDS >> op->kind & 1) && !releases;
}

/* NULL: somebody competes there, or may. */
static struct word *uncontested(const struct x_place *p, const struct x_actor *a)
{
	struct word *w = x_is_wide(p) ? NULL : find(p->at & ~7ul);

	for (unsigned i = 0; i < nr_wide && w; i++)
		if (wide[i].side != side_of(a->id) && wide[i].from < w->at + 8 &&
		    wide[i].to > w->at)
			return NULL;
	for (unsigned i = 0; i < x.nr && w; i++)
		if (side_of(i) != side_of(a->id) &&
		    competes(way_of(p), locks_of(a, false), locks_of(a, true), &w->of[i],
			     x.actor[i].nth))
			return NULL;
	return w;
}

static bool goes_alone(const struct x_actor *a)
{
	struct word *w[X_PLACES];

	if (full || !is_of_these(&a->next))
		return false;
	for (unsigned i = 0; i < a->next.nr; i++) {
		const struct x_place *p = &a->next.place[i];

		w[i] = is_buffer_itself(p) ? NULL : uncontested(p, a);
		if (!w[i] && !is_buffer_itself(p))
			return false;
	}
	for (unsigned i = 0; i < a->next.nr; i++)
		if (w[i])
			w[i]->relied |= (uint16_t)(1u << a->id);
	return true;
}

unsigned x_goes_alone(uint16_t mask)
{
	unsigned last = x.state.last_thread;

	for (unsigned i = x.nr_threads + x.nr_devices; i < x.nr; i++)
		if ((mask >> i & 1) && x.actor[i].role != X_TIMERS && goes_alone(&x.actor[i]))
			return i;
	return last < X_ACTORS && (mask >> last & 1) && goes_alone(&x.actor[last]) ? last
										   : X_ACTORS;
}
