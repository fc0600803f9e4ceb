/* SPDX-License-Identifier: MIT */
/*
 * Who touches what: of each word that events touch, and of each actor, in which ways he does, which
 * bytes, under which locks, and up to which of his events.
 *
 * It is what was seen so far, first in some executions by dice and by DPOR (run.c, learn()).
 * Whoever relies on it says so (x_rely()). If later somebody does what was relied on that he does
 * not, the exploration begins again with what it has learnt, as it does for places that turn out to
 * be atomic (shared.c). With no room for all of it, nothing is known.
 */
#include "tests/explore/noted.h"

#define BYTES (4 * MIB) /* as much as the machine gives at once */
#define SLOTS 4096u
#define WIDES 128u
#define LOCKS 63u
#define SLACK 4u /* what comes later than ever is taken to come a quarter later still */

/* What one actor does with a word. */
struct accesses {
	uint64_t any[X_WAYS], alone[X_WAYS]; /* the locks held each time; those of no readers */
	uint16_t last[X_WAYS];		     /* no later event of his is one */
	uint8_t bytes[X_WAYS];		     /* zero: there was none */
};
static struct x_noted {
	uintptr_t at;
	/* Whose event was relied on, in which way, not to compete with these others here. */
	uint16_t relied[X_WAYS][X_ACTORS];
	bool is_relied;
	uint16_t wakes_not; /* of X_PLACE_THREAD(): those who were relied on not to wake it */
	struct accesses of[X_ACTORS];
} * words;
static unsigned nr_words;
static uint16_t slot[SLOTS]; /* by address: number of a word, from 1 on; 0: free */
#define WORDS (BYTES / sizeof(struct x_noted))
_Static_assert(WORDS < SLOTS / 2, "the table of numbers is never full");
/* Places of several words: who touches one, competes. */
static struct wide {
	uintptr_t from, to;
	unsigned side;
} wide[WIDES];
static unsigned nr_wide;
static const void *locks[LOCKS];
static unsigned nr_locks;
/* A bit a CPU: its handlers do more than flush its TLB; that they do not was relied on. */
static unsigned does_more, relied_on_flush;
bool x_noted_full;

bool x_alone_init(void)
{
	if (!words)
		words = machine_memory(BYTES);
	return words != NULL;
}

void x_alone_forget(void)
{
	memset(slot, 0, sizeof(slot));
	memset(words, 0, nr_words * sizeof(*words));
	nr_words = nr_locks = nr_wide = 0;
	does_more = relied_on_flush = 0;
	x_noted_full = false;
}

void x_alone_again(void)
{
	relied_on_flush = 0;
	for (unsigned i = 0; i < nr_words; i++) {
		memset(words[i].relied, 0, sizeof(words[i].relied));
		words[i].wakes_not = 0;
		words[i].is_relied = false;
	}
}

/* ---- locks */

uint64_t x_lock_bit(const void *lock)
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
	uint64_t bit = x.noting ? x_lock_bit(lock) : 0;

	a->held = taken ? a->held | bit : a->held & ~bit;
	if (mode != X_RWSEM_READ)
		a->held_alone = taken ? a->held_alone | bit : a->held_alone & ~bit;
}

/* The locks of an actor's next event, or of the one that it makes now. */
static uint64_t locks_of(const struct x_actor *a, bool alone)
{
	if (a->role == X_BUFFER)
		return x_tso_held(a->cpu, alone);
	return alone ? a->held_alone : a->held;
}

/* ---- words */

static struct x_noted *find(uintptr_t at)
{
	unsigned i = x_hash(at) % SLOTS;
	struct x_noted *w;

	while (slot[i] && words[slot[i] - 1].at != at)
		i = (i + 1) % SLOTS;
	if (slot[i])
		return &words[slot[i] - 1];
	if (nr_words == WORDS) {
		x_noted_full = true;
		return NULL;
	}
	w = &words[nr_words++];
	slot[i] = (uint16_t)nr_words;
	w->at = at;
	for (unsigned k = 0; k < X_ACTORS; k++)
		for (unsigned way = 0; way < X_WAYS; way++)
			w->of[k].any[way] = w->of[k].alone[way] = ~0ull;
	return w;
}

struct x_noted *x_noted_word(const struct x_place *p)
{
	return x_is_wide(p) ? NULL : find(p->at & ~7ul);
}

unsigned x_way_of(const struct x_place *p)
{
	if (p->how & X_SHARED)
		return X_SHARES;
	if (!(p->how & X_WRITE))
		return p->how & X_TAKE ? X_READ_TAKES : X_READS;
	return p->how & X_TAKE ? X_TAKES : p->how & X_GIVE ? X_GIVES : X_WRITES;
}

struct x_access x_access_of(const struct x_actor *a, const struct x_place *p)
{
	return (struct x_access){x_way_of(p), (uint8_t)((0xffu >> (8 - p->bytes)) << (p->at & 7)),
				 locks_of(a, false), locks_of(a, true)};
}

/* Who gives has taken before, and others take behind that; none of the two is in its way. */
static bool ways_compete(unsigned mine, unsigned his)
{
	if (mine <= X_READ_TAKES && his <= X_READ_TAKES)
		return false;
	return !(mine == X_SHARES && his == X_SHARES) &&
	       !(mine == X_GIVES && (his == X_TAKES || his == X_GIVES));
}

/* One lock at least is held on both sides, and on one of them by nobody else. */
static bool excluded(const struct x_access *it, const struct accesses *his, unsigned way)
{
	return (it->any & his->alone[way]) | (it->alone & his->any[way]);
}

/* Does it compete with what he does behind event `nth`? */
static bool competes(const struct x_access *it, const struct accesses *his, unsigned nth)
{
	for (unsigned k = 0; k < X_WAYS; k++)
		if (ways_compete(it->way, k) && (his->bytes[k] & it->bytes) && his->last[k] > nth &&
		    !excluded(it, his, k))
			return true;
	return false;
}

uint16_t x_competitors(const struct x_noted *w, const struct x_access *it)
{
	uint16_t all = 0;

	for (unsigned i = 0; i < x.nr; i++)
		if (competes(it, &w->of[i], x.actor[i].nth))
			all |= (uint16_t)(1u << i);
	return all;
}

uint16_t x_wakers(unsigned id)
{
	struct x_place p = X_PLACE_THREAD(id);
	const struct x_noted *w = find(p.at);
	uint16_t all = 0;

	for (unsigned i = 0; i < x.nr && w; i++)
		if (w->of[i].bytes[X_GIVES] && w->of[i].last[X_GIVES] > x.actor[i].nth)
			all |= (uint16_t)(1u << i);
	return w ? all : UINT16_MAX;
}

uint8_t x_noted_bytes(const struct x_noted *w, unsigned id, unsigned way)
{
	return w->of[id].bytes[way];
}

bool x_flushes_only(unsigned cpu)
{
	return !(does_more >> cpu & 1);
}

/* ---- what is relied on */

void x_rely(struct x_noted *w, unsigned way, unsigned id, uint16_t others)
{
	w->relied[way][id] |= others;
	w->is_relied = true;
}

void x_rely_asleep(unsigned thread, uint16_t others)
{
	struct x_place p = X_PLACE_THREAD(thread);
	struct x_noted *w = find(p.at);

	if (w)
		w->wakes_not |= others;
}

void x_rely_flush(unsigned cpu)
{
	relied_on_flush |= 1u << cpu;
}

/* Somebody relied on it that `id` does not do what he is noted for here. Of what that one does, the
 * bytes and locks of all times are taken; of what he never did so far, any. */
static bool was_relied_on(const struct x_noted *w, unsigned id)
{
	for (unsigned way = 0; way < X_WAYS && w->is_relied; way++)
		for (unsigned i = 0; i < x.nr; i++) {
			const struct accesses *his = &w->of[i];
			struct x_access it = {way, 0xff, 0, 0};

			if (!(w->relied[way][i] >> id & 1))
				continue;
			if (his->bytes[way])
				it = (struct x_access){way, his->bytes[way], his->any[way],
						       his->alone[way]};
			if (competes(&it, &w->of[id], 0))
				return true;
		}
	return false;
}

/* ---- notes */

static bool is_noted(const struct accesses *his, const struct x_access *it, unsigned nth)
{
	return !(his->any[it->way] & ~it->any) && !(his->alone[it->way] & ~it->alone) &&
	       nth <= his->last[it->way] && !(it->bytes & ~his->bytes[it->way]);
}

void x_note_place(const struct x_place *p, const struct x_actor *a, unsigned id, unsigned nth)
{
	struct x_access it = x_access_of(a, p);
	struct x_noted *w = find(p->at & ~7ul);
	struct accesses *his = w ? &w->of[id] : NULL;

	if (!w || is_noted(his, &it, nth))
		return;
	his->any[it.way] &= it.any;
	his->alone[it.way] &= it.alone;
	his->bytes[it.way] |= it.bytes;
	if (nth > his->last[it.way])
		his->last[it.way] = (uint16_t)(x.learning ? nth : nth + nth / SLACK);
	if (was_relied_on(w, id) || (it.way == X_GIVES && (w->wakes_not >> id & 1)))
		x.learnt = true;
}

/* A thread and its CPU's buffer do not compete. */
static unsigned side_of(unsigned id)
{
	const struct x_actor *a = &x.actor[id];

	return a->role == X_BUFFER ? a->cpu : id;
}

bool x_meets_wider(const struct x_noted *w, unsigned id)
{
	for (unsigned i = 0; i < nr_wide; i++)
		if (wide[i].side != side_of(id) && wide[i].from < w->at + 8 && wide[i].to > w->at)
			return true;
	return false;
}

static void note_wide(const struct x_place *p, unsigned side)
{
	uintptr_t from = p->at, to = p->at + p->bytes;

	for (unsigned i = 0; i < nr_wide; i++)
		if (wide[i].side == side && wide[i].from <= from && wide[i].to >= to)
			return;
	for (unsigned i = 0; i < nr_words; i++)
		if (words[i].at < to && words[i].at + 8 > from && words[i].is_relied)
			x.learnt = true;
	if (nr_wide < WIDES)
		wide[nr_wide++] = (struct wide){from, to, side};
	else
		x_noted_full = true;
}

/* It is a handler's, and no flush: or a store of a handler's, which comes out of the buffer. */
static bool is_more(const struct x_node *n, const struct x_place *p)
{
	const struct x_actor *a = &x.actor[n->actor];

	if (a->role == X_BUFFER)
		return p->at == X_PLACE_HANDLED(a->cpu).at;
	return a->role == X_IRQ && n->op.kind != X_BEGIN && n->op.kind != X_END &&
	       n->op.kind != X_FLUSH;
}

void x_alone_note(const struct x_node *n)
{
	const struct x_actor *a = &x.actor[n->actor];

	for (unsigned i = 0; i < n->op.nr; i++) {
		const struct x_place *p = &n->op.place[i];

		if (is_more(n, p)) {
			x.learnt |= (relied_on_flush & ~does_more) >> a->cpu & 1;
			does_more |= 1u << a->cpu;
		}
		if (x_is_wide(p))
			note_wide(p, side_of(a->id));
		else if (!x_is_buffer_itself(p))
			x_note_place(p, a, a->id, n->nth);
	}
}
