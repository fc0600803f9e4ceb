/* SPDX-License-Identifier: MIT */
/*
 * The store buffers of x86 (Sewell et al.: "x86-TSO", 2010), under model=tso.
 *
 * A store goes to the end of its CPU's buffer, and from the front of that to memory, when the
 * buffer's actor has its turn. Its own CPU sees it at once, others when it is out. Locked
 * operations and fences wait until the buffer is empty.
 *
 * The code under test reads memory itself. So while a CPU's code runs, what is in its buffer lies
 * in memory; when another one gets its turn, what was there before is put back. A plain store's
 * hook comes before the store and without its value: the value is fetched at the next hook.
 *
 * Only stores that others could wait for are events when they come out: atomics and releases of
 * locks. Plain stores come out together with the next of those behind them.
 */
#include "tests/explore/internal.h"

#define ENTRIES 64u
#define CPUS	(X_CPUS + X_MAX_DEVICES)

struct entry {
	uintptr_t at;
	uint64_t value, before; /* before: what memory holds while the entry is laid over it */
	uint16_t clock[X_ACTORS], vc[X_ACTORS];
	uintptr_t pc;
	uint8_t bytes, how; /* how: of the event */
	bool event;
	uint64_t held, held_alone; /* by its maker */
	bool handler;		   /* that is an interrupt */
	bool own; /* made before its own CPU freed these bytes: it may come out behind that */
};
static struct buffer {
	struct entry e[ENTRIES];
	unsigned nr;
	bool over;	/* laid over memory */
	bool unfetched; /* the last entry's value is still to be read */
} buffer[CPUS];

static uint64_t get(uintptr_t at, unsigned bytes)
{
	uint64_t v = 0;

	switch (bytes) {
	case 1: return *(const volatile uint8_t *)at;
	case 2: return *(const volatile uint16_t *)at;
	case 4: return *(const volatile uint32_t *)at;
	case 8: return *(const volatile uint64_t *)at;
	default: return v;
	}
}

static void put(uintptr_t at, unsigned bytes, uint64_t v)
{
	switch (bytes) {
	case 1: *(volatile uint8_t *)at = (uint8_t)v; break;
	case 2: *(volatile uint16_t *)at = (uint16_t)v; break;
	case 4: *(volatile uint32_t *)at = (uint32_t)v; break;
	default: *(volatile uint64_t *)at = v; break;
	}
}

void x_tso_reset(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		buffer[i].nr = buffer[i].over = buffer[i].unfetched = 0;
}

static void fetch(struct buffer *b)
{
	struct entry *e = &b->e[b->nr ? b->nr - 1 : 0];

	if (b->unfetched && b->nr)
		e->value = get(e->at, e->bytes);
	b->unfetched = false;
}

bool x_tso_empty(unsigned cpu)
{
	struct buffer *b = &buffer[cpu];

	for (unsigned i = 0; i < b->nr; i++)
		if (b->e[i].event)
			return false;
	return true;
}

bool x_tso_full(unsigned cpu)
{
	return buffer[cpu].nr >= ENTRIES - 1;
}

/*
 * A store goes into the buffer: no event, since others notice it when it comes out, but for the
 * interrupts of its own CPU, which find it from now on. They come before it as well, if they may
 * come here at all; and it waits for a place.
 */
void x_tso_turn(struct x_op *op, const volatile void *at, size_t bytes, unsigned how)
{
	unsigned cpu = x.me->cpu;
	bool interrupted = x.interrupts && x.me->role == X_THREAD && x.state.irq_on[cpu];

	op->buffered = true;
	x.me->stores = x_place(at, bytes, how);
	if (interrupted)
		x_add(op, x_how(X_PLACE_IRQ(cpu), X_TAKE));
	if (interrupted || x_tso_full(cpu))
		x_wait_turn();
}

static struct entry *add(unsigned cpu, uintptr_t at, unsigned bytes)
{
	struct buffer *b = &buffer[cpu];
	struct entry *e = &b->e[b->nr];

	fetch(b);
	if (b->nr == ENTRIES)
		x_fail("a CPU has more than %u stores in its buffer", ENTRIES);
	b->nr++;
	e->at = at;
	e->bytes = (uint8_t)bytes;
	e->how = 0;
	e->own = false;
	e->handler = x.me->role == X_IRQ;
	e->held = x.me->held;
	e->held_alone = x.me->held_alone;
	e->before = get(at, bytes);
	e->pc = x.me->next.pc;
	x_clock_copy(e->clock, x.me->clock);
	x_clock_copy(e->vc, x.me->vc);
	return e;
}

/* The entry is one that others can wait for: the buffer's actor has something to do. */
static void becomes_event(unsigned cpu, struct entry *e, unsigned how)
{
	e->event = true;
	e->how = (uint8_t)how;
	x.me->vc[x_id(x.me)]++;
	x_tso_next(cpu, &x.actor[x.buffer_of[cpu]].next);
}

void x_tso_push(const volatile void *at, unsigned bytes, uint64_t v, unsigned how)
{
	struct entry *e;

	x_log(at, bytes);
	e = add(x.me->cpu, (uintptr_t)at, bytes);
	e->value = v;
	put((uintptr_t)at, bytes, v);
	becomes_event(x.me->cpu, e, how);
}

/* A store is about to be made by the code itself. Only single words are kept back: a longer one, a
 * copy or a structure, is visible at once; so is one with nothing before it that others could
 * miss, unless it is one that they wait for. */
void x_tso_plain(const volatile void *at, size_t bytes, bool event)
{
	struct buffer *b = &buffer[x.me->cpu];
	struct entry *e;

	fetch(b);
	if (x.me->quiet || (!event && (x_on_stack((uintptr_t)at) || x_tso_empty(x.me->cpu))))
		return;
	if (bytes > 8 || (bytes & (bytes - 1)) || b->nr >= ENTRIES - 2)
		return;
	e = add(x.me->cpu, (uintptr_t)at, (unsigned)bytes);
	e->event = false;
	if (event)
		becomes_event(x.me->cpu, e, X_WRITE);
	b->unfetched = true;
}

void x_tso_off(unsigned cpu)
{
	struct buffer *b = &buffer[cpu];

	fetch(b);
	for (unsigned i = b->over ? b->nr : 0; i-- > 0;)
		put(b->e[i].at, b->e[i].bytes, b->e[i].before);
	b->over = false;
}

void x_tso_all_off(void)
{
	for (unsigned i = 0; i < CPUS; i++)
		x_tso_off(i);
}

/*
 * A copy: of each buffer how many stores, and these, with what memory holds there now. The log does
 * not know that: when a place is stored to twice, it has of the second store what the first one
 * laid over memory.
 */
size_t x_tso_bytes(void)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < CPUS; i++)
		bytes += sizeof(uint64_t) + buffer[i].nr * sizeof(struct entry);
	return bytes;
}

void x_tso_copy(void *to)
{
	char *at = to;

	for (unsigned i = 0; i < CPUS; i++) {
		size_t bytes = buffer[i].nr * sizeof(struct entry);

		for (unsigned k = 0; k < buffer[i].nr; k++)
			buffer[i].e[k].before = get(buffer[i].e[k].at, buffer[i].e[k].bytes);
		*(uint64_t *)at = buffer[i].nr;
		memcpy(at + sizeof(uint64_t), buffer[i].e, bytes);
		at += sizeof(uint64_t) + bytes;
	}
}

void x_tso_put_back(const void *from)
{
	const char *at = from;

	for (unsigned i = 0; i < CPUS; i++) {
		size_t bytes;

		buffer[i].nr = (unsigned)*(const uint64_t *)at;
		bytes = buffer[i].nr * sizeof(struct entry);
		memcpy(buffer[i].e, at + sizeof(uint64_t), bytes);
		at += sizeof(uint64_t) + bytes;
		buffer[i].over = buffer[i].unfetched = false;
		for (unsigned k = 0; k < buffer[i].nr; k++)
			put(buffer[i].e[k].at, buffer[i].e[k].bytes, buffer[i].e[k].before);
	}
}

void x_tso_over(unsigned cpu)
{
	struct buffer *b = &buffer[cpu];

	for (unsigned i = 0; i < b->nr; i++) {
		b->e[i].before = get(b->e[i].at, b->e[i].bytes);
		put(b->e[i].at, b->e[i].bytes, b->e[i].value);
	}
	b->over = true;
}

/* The oldest event, with the plain stores before it; all, if there is none. Not laid over. */
static unsigned front(const struct buffer *b)
{
	unsigned n = 0;

	while (n < b->nr && !b->e[n].event)
		n++;
	return n < b->nr ? n + 1 : b->nr;
}

static void out(struct buffer *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (!b->e[i].own)
			x_touched(b->e[i].at, b->e[i].bytes);
		x_log((void *)b->e[i].at, b->e[i].bytes);
		put(b->e[i].at, b->e[i].bytes, b->e[i].value);
	}
	b->nr -= n;
	memmove(b->e, b->e + n, b->nr * sizeof(*b->e));
}

void x_tso_freed(uintptr_t at, size_t bytes)
{
	struct buffer *b = &buffer[x.me->cpu];

	for (unsigned i = 0; i < b->nr; i++)
		if (b->e[i].at < at + bytes && at < b->e[i].at + b->e[i].bytes)
			b->e[i].own = true;
}

void x_tso_drain(unsigned cpu)
{
	struct buffer *b = &buffer[cpu];
	unsigned n = front(b);

	x_value(b->e[n - 1].value);
	out(b, n);
	x_tso_flush_plain(cpu); /* nothing before them is waited for any more */
	/* A thread is not laid over while it waits for its turn. */
	if (x.buffer_of[cpu] < X_ACTORS && b->nr)
		x_tso_next(cpu, &x.actor[x.buffer_of[cpu]].next);
}

void x_tso_flush_plain(unsigned cpu)
{
	struct buffer *b = &buffer[cpu];

	fetch(b);
	if (x_tso_empty(cpu))
		out(b, b->nr);
}

void x_tso_next(unsigned cpu, struct x_op *op)
{
	struct buffer *b = &buffer[cpu];
	unsigned n = front(b);
	struct entry *e = &b->e[n - 1];

	*op = (struct x_op){.kind = X_DRAIN, .nr = 2, .pc = e->pc};
	x.ran |= 1u << x.buffer_of[cpu];
	op->place[0] = x_place((void *)e->at, e->bytes, e->how);
	op->place[1] =
		x_how(e->handler ? X_PLACE_HANDLED(cpu) : X_PLACE_BUFFER(cpu), X_WRITE | X_GIVE);
}

bool x_tso_releases(const struct spinlock *lock)
{
	for (unsigned i = 0; i < CPUS; i++)
		for (unsigned k = 0; k < buffer[i].nr; k++)
			if (buffer[i].e[k].at == (uintptr_t)&lock->locked &&
			    (buffer[i].e[k].how & X_GIVE))
				return true;
	return false;
}

uint64_t x_tso_held(unsigned cpu, bool alone)
{
	const struct buffer *b = &buffer[cpu];
	const struct entry *e = &b->e[front(b) - 1];

	return alone ? e->held_alone : e->held;
}

/* When the store that is next was made, in events and for races. */
const uint16_t *x_tso_clock(unsigned cpu, bool races)
{
	struct buffer *b = &buffer[cpu];
	const struct entry *e = &b->e[front(b) - 1];

	return races ? e->vc : e->clock;
}
