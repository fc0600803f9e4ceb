/* SPDX-License-Identifier: MIT */
/*
 * The place where orders of events are made.
 *
 * A thread that is about to make an event says which (x_op(), x_add()), and asks for its turn
 * (x_wait_turn()). There the strategy chooses among all actors that can go on, by what they would
 * do next. If it is the caller, the call returns and the event is made; if it is another actor, the
 * stack is changed, and the call returns later. So an event is what follows this call up to the
 * next one: one access that others can notice, and plain accesses behind it.
 *
 *     fiber a:  … say "store f" ─ x_wait_turn() ─┐             ┌─► store f …
 *     fiber b:                                    └─► load f … say "lock l" ─ x_wait_turn()
 *
 * While a replay is on, the choice is read from the plan and the rest is skipped.
 */
#include "tests/explore/internal.h"

struct x_engine x;
uint8_t x_live;

inline struct x_op *x_op(enum x_kind kind, const void *pc)
{
	static struct x_op none; /* of what is no event: what the actor does next stays as it is */
	struct x_op *op = x.me->quiet ? &none : &x.me->next;

	x_live = false;
	op->kind = kind;
	op->nr = 0;
	op->atomic_lock = op->follows = op->buffered = false;
	op->mode = 0;
	op->pc = (uintptr_t)pc;
	op->what = NULL;
	op->arg = NULL;
	return op;
}

/* Under tso a locked operation waits until its CPU's stores are out: a thread's, or the beginning
 * of an interrupt, for the thread's, a handler's for its own. None waits for those of the other, as
 * whichever of the two comes first has emptied the buffer before the other goes on. */
void x_locked(struct x_op *op, unsigned cpu)
{
	bool handler = op->kind != X_BEGIN && x.me->role == X_IRQ;

	op->atomic_lock = true;
	if (x.opt.tso)
		x_add(op, x_how(handler ? X_PLACE_HANDLED(cpu) : X_PLACE_BUFFER(cpu), X_TAKE));
}

void x_add(struct x_op *op, struct x_place place)
{
	if (op->nr == X_PLACES)
		x_fail("an event touches more than %u places", X_PLACES);
	op->place[op->nr++] = place;
}

/* What lies there now, if that is a word. */
static uint64_t word_at(uintptr_t at, size_t bytes)
{
	switch (bytes) {
	case 1: return *(const volatile uint8_t *)at;
	case 2: return *(const volatile uint16_t *)at;
	case 4: return *(const volatile uint32_t *)at;
	case 8: return *(const volatile uint64_t *)at;
	default: return 0;
	}
}

void x_value_read(const volatile void *at, size_t bytes)
{
	if (x.replaying)
		x_value(word_at((uintptr_t)at, bytes));
}

/* A store that the code makes itself when its hook returns: what it stored is read before the next
 * event. */
static struct {
	uintptr_t at; /* 0: there is none */
	size_t bytes;
	unsigned node;
} stored;

void x_value_written(const volatile void *at, size_t bytes)
{
	if (!x.replaying || !x.state.depth || x.me->quiet)
		return;
	stored.at = (uintptr_t)at;
	stored.bytes = bytes;
	stored.node = x.state.depth - 1;
}

static void read_stored(void)
{
	if (stored.at)
		x.node[stored.node].value = word_at(stored.at, stored.bytes);
	stored.at = 0;
}

void x_leave(enum x_end how)
{
	x_live = false;
	read_stored();
	x.ended = how;
	x.me = NULL;
	machine_switch(&x.dead_sp, x.main_sp);
	for (;;)
		;
}

void x_stop(const char *rule, const char *fmt, ...)
{
	va_list ap;

	x_live = false;
	snprintf(x.rule, sizeof(x.rule), "%s", rule);
	va_start(ap, fmt);
	vsnprintf(x.text, sizeof(x.text), fmt, ap);
	va_end(ap);
	x_leave(X_BROKEN);
}

void x_fail(const char *fmt, ...)
{
	va_list ap;

	x_live = false;
	va_start(ap, fmt);
	vsnprintf(x.text, sizeof(x.text), fmt, ap);
	va_end(ap);
	x_leave(X_FAILED);
}

void x_need_interrupts(void)
{
	x.interrupts = x.learnt = true;
	x_leave(X_REDUNDANT);
}

void x_broken(const char *rule, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	x_live = false;
	if (!x.me && !x.sc)
		panic("X_EXPECT outside of an exploration, at %s:%d", file, line);
	snprintf(x.rule, sizeof(x.rule), "%s", rule);
	va_start(ap, fmt);
	vsnprintf(x.text, sizeof(x.text), fmt, ap);
	va_end(ap);
	x_leave(X_BROKEN);
}

void x_observe(uint64_t v)
{
	uint64_t *to = x.at_end ? &x.observed_end : &x.me->observed;

	*to = (*to ^ v) * 0x9e3779b97f4a7c15ull + 1;
}

void x_point(const char *what)
{
	x_op(X_NOTE, __builtin_return_address(0))->what = what;
	x_wait_turn();
	x_live = true;
}

void x_watch(const char *what, uint64_t (*fn)(void))
{
	ASSERT(x.nr_watches < X_MAX_WATCHES, "a scenario shows at most %u numbers", X_MAX_WATCHES);
	x.watch[x.nr_watches].what = what;
	x.watch[x.nr_watches++].fn = fn;
}

void x_value(uint64_t v)
{
	if (unlikely(x.replaying) && x.state.depth && !(x.me && x.me->quiet))
		x.node[x.state.depth - 1].value = v;
}

/* Who waits for what, when nobody can go on. */
static void deadlock(void) __noreturn;
static void deadlock(void)
{
	char wait[180];
	int n = 0;

	x.text[0] = 0;
	for (unsigned i = 0; i < x.nr; i++) {
		if (!x.actor[i].alive)
			continue;
		x_describe_wait(&x.actor[i], wait, sizeof(wait));
		n += snprintf(x.text + n, sizeof(x.text) - (size_t)n, "%s%s waits %s",
			      n ? ", " : "", x.actor[i].name, wait);
		if (n >= (int)sizeof(x.text) - 1)
			break;
	}
	snprintf(x.rule, sizeof(x.rule), "I4");
	x_blocked_races();
	x_leave(X_BROKEN);
}

/* All is over: the scenario's last look, and the MMU's. */
static void finish(void) __noreturn;
static void finish(void)
{
	if (x.sc->end) {
		x.me = &x.actor[0];
		x.me->quiet++;
		x.ran |= 1u;
		machine_set_cpu(&x_cpu[0]);
		x.at_end = true;
		x_live = X_LOOKS;
		x.sc->end();
		x_live = false;
	}
	x_leave(x_mmu_check() ? X_OVER : X_BROKEN);
}

/* Only a buffer or a timer is left, or nobody: are the threads over? */
static bool threads_over(void)
{
	for (unsigned i = 0; i < x.nr; i++)
		if (x.actor[i].alive)
			return false;
	return true;
}

/* The replayed order says so. */
static unsigned planned(uint16_t mask)
{
	unsigned id = x.plan[x.state.depth];

	if (id >= x.nr || !(mask >> id & 1))
		x_fail("event %u of the token is %s's, which cannot go on there: the code, or the "
		       "scenario, is not what it was",
		       x.state.depth + 1, id < x.nr ? x.actor[id].name : "nobody");
	return id;
}

/* The same order of events must lead to the same events. */
static void compare(const struct x_node *n, unsigned id)
{
	const struct x_op *was = &n->op, *is = &x.actor[id].next;

	if (was->kind == is->kind && was->nr == is->nr && was->pc == is->pc &&
	    (!is->nr || was->place[0].at == is->place[0].at))
		return;
	x_fail("event %u differs from the same event of the execution before (%s and %s at %p): "
	       "something that is not put back decides in this scenario",
	       x.state.depth + 1, x_kind_name(was->kind), x_kind_name(is->kind), (void *)is->pc);
}

/* Whatever comes from here on was begun already. */
static void known(void) __noreturn;
static void known(void)
{
	x_owe_standing();
	x_leave(X_REDUNDANT);
}

/* What is no choice. Others are owed a turn here only if a race shows it. */
static unsigned follow(uint16_t mask, unsigned id)
{
	struct x_node *n = &x.node[x.state.depth];

	n->done = 0;
	n->asleep = x_asleep_at(n);
	n->affordable = mask;
	n->todo = (uint16_t)(1u << id);
	if (n->asleep >> id & 1)
		known();
	return id;
}

/* What the execution before has in common with this one, and the way that branches off. */
static __attribute__((noinline)) unsigned chosen_before(void)
{
	unsigned id = x.node[x.state.depth].actor;

	if (x.state.depth < x.keep)
		compare(&x.node[x.state.depth], id);
	else
		x.branching = false;
	return id;
}

static void nobody_can_go(void) __noreturn;
static __attribute__((noinline)) void nobody_can_go(void)
{
	if (!threads_over())
		deadlock();
	finish();
}

static bool follows(uint16_t mask)
{
	return x.me && x.me->next.follows && x.me->alive && x.state.depth >= x.plan_len &&
	       (x.opt.bound == X_UNBOUND || x.opt.strategy > X_STATES) &&
	       (mask >> x_id(x.me) & 1) && !x_in_beginning() && !x.opt.more;
}

/* Is a switch away from the thread that ran last a preemption? That is settled when the thread
 * comes to its next event: if it has to wait there, another one goes on in its place, however long
 * what is no thread's (interrupts, stores that leave their buffers) takes before. */
static inline bool could_go(const struct x_node *n, uint16_t mask)
{
	unsigned last = x.state.last_thread;

	if (last >= X_ACTORS)
		return false;
	if (n[-1].actor != last)
		return n[-1].could_go;
	return (mask >> last & 1) || x_could_go(last, mask);
}

/* As it mostly is: DPOR, without a bound, shards or a plan. Who runs goes on, if he can. */
static inline unsigned choose_usually(struct x_node *n)
{
	const struct x_actor *me = x.me;
	unsigned id = x.state.last_thread, can;

	n->affordable = n->enabled;
	n->settled = 0;
	can = n->enabled;
	if (unlikely(n[-1].settled)) {
		n->asleep = x_still_asleep(n - 1);
		can &= ~(unsigned)n->asleep;
	}
	if (unlikely(me && me->next.follows) && me->alive && (n->enabled >> x_id(me) & 1)) {
		id = x_id(me);
		can &= 1u << id;
	}
	if (!can)
		known();
	if (!(can >> id & 1)) /* nor is there a number X_ACTORS */
		id = (unsigned)__builtin_ctz(can);
	n->todo = (uint16_t)(1u << id);
	return id;
}

static inline unsigned choose(void)
{
	struct x_node *n = &x.node[x.state.depth];
	uint16_t mask;
	unsigned id;

	if (x.state.depth < x.keep + x.branching)
		return chosen_before();
	n->enabled = mask = x_enabled_actors();
	if (!mask)
		nobody_can_go();
	if (x.state.depth == X_DEPTH)
		x_fail("an execution has more than %u events: make the scenario smaller", X_DEPTH);
	n->could_go = could_go(n, mask);
	if (likely(x.simple))
		return choose_usually(n);
	if (!x_beginning_is_ours())
		x_leave(X_REDUNDANT);
	if (follows(mask))
		return follow(mask, x_id(x.me));
	id = x.state.depth < x.plan_len ? planned(mask) : x_choose(mask, n);
	if (id == X_ACTORS)
		known();
	return id;
}

/* `make debug TOKEN=…` stops here: the last event that the token names comes when this returns. It
 * is one of the code whose stack this is, unless that is no code's: a buffer, a timer. */
void __attribute__((noinline))
explore_last_step(const char *actor, const char *event, uintptr_t pc, bool on_its_stack)
{
	__asm__ volatile("" : : "r"(actor), "r"(event), "r"(pc), "r"(on_its_stack));
}

static void stop_at_last(const struct x_actor *a, bool on_its_stack)
{
	const struct x_node *n = &x.node[x.state.depth - 1];

	if (x.replaying && x.state.depth == x.plan_len)
		explore_last_step(a->name, x_kind_name(n->op.kind), n->op.pc, on_its_stack);
}

/* The event of an actor that is no thread. True: that was all of it, as no code makes it. */
static __attribute__((noinline)) bool needs_no_stack(struct x_actor *a)
{
	bool begins = a->next.kind == X_BEGIN;

	if (a->role > X_IRQ || begins) /* no stack of its own yet */
		stop_at_last(a, false);
	if (a->role == X_BUFFER) {
		x_tso_drain(a->cpu);
		return true;
	}
	if (a->role == X_TIMERS) {
		x_timers_fire();
		return true;
	}
	if (begins) {
		x_irq_prepare(a);
		if (x.me == a) /* the one that is over goes nowhere */
			x.me = NULL;
	}
	return false;
}

static inline __attribute__((always_inline)) void next(void)
{
	for (;;) {
		unsigned id = choose();
		struct x_actor *a = &x.actor[id];

		X_STAYS(a);
		x_commit(a);
		if (unlikely(x.replaying)) {
			read_stored();
			x_trail_keep(x.state.depth - 1);
		}
		if (likely(a->role <= X_DEVICE) || !needs_no_stack(a)) {
			x_resume(a);
			return;
		}
		x_check_step();
	}
}

/* Chooses, and goes there. Returns on the caller's stack when it is its turn. */
void x_next(void)
{
	next();
}

static void go_to_driver(struct x_actor *me)
{
	x.me = NULL;
	machine_switch(&me->sp, x.driver_sp);
}

static inline __attribute__((always_inline)) void give_turn(struct x_actor *me)
{
	if (x.sc->step)
		x_check_step();
	if (x.state.depth >= x_moment_next && !me->next.follows)
		go_to_driver(me);
	else
		next();
}

/* The same where one of these has to be asked: is there a buffer, does a handler wait for ever, is
 * this the way to the first event, does somebody look on? */
static __attribute__((noinline)) void wait_turn_asking(struct x_actor *me)
{
	if (unlikely(x_halts))
		x_halts_say(me, &me->next);
	x_said(me);
	if (x_buffers())
		x_tso_off(me->cpu);
	if (x.starting)
		go_to_driver(me);
	else
		give_turn(me);
	if (x_buffers())
		x_tso_over(me->cpu);
	stop_at_last(me, true);
}

bool x_wait_turn(void)
{
	struct x_actor *me = x.me;

	if (me->quiet)
		return false;
	if (unlikely(x_halts | x.opt.tso | x.starting | x.replaying)) {
		wait_turn_asking(me);
	} else {
		x_said(me);
		give_turn(me);
	}
	return true;
}
