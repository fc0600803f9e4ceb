/* SPDX-License-Identifier: MIT */
/*
 * Moments: an execution begins where it leaves the one before, and not at the first event.
 *
 * Most executions differ from the one before in their last events only. So every few events the
 * state of all is kept, and the next execution goes back to the newest state that both share. How
 * far from the first event the executions before branched off is remembered, and behind that none
 * is kept: nobody would go back to it.
 *
 *   memory         the log (undo.c) is undone down to where it was then
 *   actors         stack, registers, CPU, and what the engine keeps in a thread behind the log's
 *                  back: copied; of those that had a turn since the moment before, or on whose
 *                  stack another one wrote, and the others' older copy is still right
 *   races          words and clocks go to the log when they are first written behind a moment
 *   the engine     struct x_state, copied; store buffers, copied; other tables are in the log
 *
 * A moment is kept on a stack that is none of theirs, when everybody waits for a turn: who was
 * about to choose the next one switches to the driver, which keeps all and goes on in its place.
 */
#include "tests/explore/internal.h"

#define MOMENTS	   1024u
#define POOL_BYTES (4 * MIB)
#define FORGETS	   4u  /* of what it was, reach comes nearer by this part in each execution */
#define EVENTS	   5u  /* from one moment to the next, and in long executions: */
#define PER_EVENTS 64u /* one more for each so many */

/* In the pool, with the bytes of its stack behind it. */
struct copy {
	struct x_actor actor;
	struct cpu cpu;
	char thread[offsetof(struct thread, mm) - offsetof(struct thread, state)];
	size_t stack_bytes;
};

struct moment {
	struct x_state state;
	unsigned log;		 /* how much of it there was */
	unsigned ran;		 /* the actors that are not as at the moment before */
	bool tables_changed;	 /* since the moment before */
	unsigned pool;		 /* so much of it was used before */
	unsigned copy[X_ACTORS]; /* of each actor, where in the pool; */
	unsigned buffers;	 /* and of the store buffers */
};
static struct moment *moments;
static unsigned nr;
static char *pool;
static unsigned pool_used;
static unsigned reach; /* executions branch off at this event at the latest, as a rule */
unsigned x_moment_next;
uint32_t x_stamp;

bool x_moment_init(void)
{
	if (!moments)
		moments = machine_memory(MOMENTS * sizeof(*moments));
	if (!pool)
		pool = machine_memory(POOL_BYTES);
	return moments && pool;
}

/* So many bytes of the pool, or NULL. */
static void *take(size_t bytes)
{
	void *p = pool + pool_used;

	bytes = ALIGN_UP(bytes, 16);
	if (bytes > POOL_BYTES - pool_used)
		return NULL;
	pool_used += (unsigned)bytes;
	return p;
}

static bool has_code(const struct x_actor *a)
{
	return a->alive && a->role <= X_IRQ;
}

/* False: there is no room. */
static bool copy_actor(const struct x_actor *a, unsigned *where)
{
	size_t bytes = has_code(a) ? (size_t)((char *)a->stack - (char *)a->sp) : 0;
	struct copy *c;

	*where = pool_used;
	c = take(sizeof(*c) + bytes);
	if (!c)
		return false;
	x_copy_words(&c->actor, a, sizeof(*a));
	c->stack_bytes = bytes;
	if (a->thread) {
		x_copy_words(&c->cpu, &x_cpu[a->cpu], sizeof(c->cpu));
		x_copy_words(c->thread, &a->thread->state, sizeof(c->thread));
	}
	x_copy_words(c + 1, a->sp, bytes);
	return true;
}

static void put_back_actor(struct x_actor *a, unsigned where)
{
	const struct copy *c = (const struct copy *)(pool + where);

	x_copy_words(a, &c->actor, sizeof(*a));
	if (a->thread) {
		x_copy_words(&x_cpu[a->cpu], &c->cpu, sizeof(c->cpu));
		x_copy_words(&a->thread->state, c->thread, sizeof(c->thread));
	}
	x_copy_words(a->sp, c + 1, c->stack_bytes);
}

static bool copy_all(struct moment *m)
{
	size_t bytes = x.opt.tso ? x_tso_bytes() : 0;
	void *buffers;

	for (unsigned i = 0; i < x.nr; i++)
		if (nr && !(x.ran >> i & 1))
			m->copy[i] = m[-1].copy[i];
		else if (!copy_actor(&x.actor[i], &m->copy[i]))
			return false;
	m->buffers = pool_used;
	buffers = take(bytes);
	if (buffers && bytes)
		x_tso_copy(buffers);
	return buffers;
}

/* From which event on the next moment is; X_NEVER: none is worth it. */
static unsigned next_due(void)
{
	unsigned next = x.state.depth + EVENTS + x.state.depth / PER_EVENTS;

	return next <= reach ? next : X_NEVER;
}

void x_moment_keep(void)
{
	struct moment *m = &moments[nr];
	unsigned used = pool_used;

	x_moment_next = X_NEVER;
	if (x.replaying || x.opt.afresh || nr == MOMENTS || x_log_is_half_full())
		return;
	if (!copy_all(m)) {
		pool_used = used;
		return;
	}
	m->pool = used;
	m->state = x.state;
	m->log = x_log_used;
	m->ran = x.ran;
	m->tables_changed = x.tables_changed;
	x.ran = 0;
	x.tables_changed = false;
	x_stamp++;
	nr++;
	if (x.opt.strategy < X_PCT) /* dice are thrown from the first event on */
		x_moment_next = next_due();
}

/* Behind an execution: memory as it was at some moment, or before all. */
static void undo(unsigned log, bool to_the_start)
{
	if (x.opt.tso)
		x_tso_all_off();
	x_undo(log);
	if (x.tables_changed)
		machine_flush(to_the_start);
	x.tables_changed = false;
	x_stamp++;
}

static void drop_newest(void)
{
	struct moment *m = &moments[--nr];

	x.ran |= m->ran;
	x.tables_changed |= m->tables_changed;
	pool_used = m->pool;
}

/* The next execution branches off here. The first one does nowhere, nor does one that is run again.
 */
static void note_reach(unsigned depth)
{
	if (!depth)
		reach = X_DEPTH;
	else if (!nr)
		return;
	else if (depth > reach || reach == X_DEPTH)
		reach = depth;
	else
		reach -= (reach - depth) / FORGETS;
}

bool x_moment_return(unsigned depth)
{
	struct moment *m;

	note_reach(depth);
	while (nr && moments[nr - 1].state.depth > depth)
		drop_newest();
	if (!nr) {
		x_moment_forget();
		return false;
	}
	m = &moments[nr - 1];
	undo(m->log, false);
	for (unsigned i = 0; i < x.nr; i++)
		if (x.ran >> i & 1)
			put_back_actor(&x.actor[i], m->copy[i]);
	if (x.opt.tso)
		x_tso_put_back(pool + m->buffers);
	x.state = m->state;
	x.ran = 0;
	x_moment_next = next_due();
	return true;
}

void x_moment_forget(void)
{
	while (nr)
		drop_newest();
	undo(0, true);
	x_frames_undo();
	x.ran = 0;
	x_moment_next = X_NEVER;
}
