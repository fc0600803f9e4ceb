/* SPDX-License-Identifier: MIT */
/*
 * Actors: the threads of a scenario, and what else can make a step.
 *
 *   thread     its function, on a stack of its own and a logical CPU of its own
 *   device     the same without a CPU that could sleep or be interrupted
 *   interrupt  of a CPU, if the scenario has them: at rest until something is posted; then its
 *              first event begins the handler, and while that runs its CPU's thread stands still
 *   buffer     of a CPU, under tso: each event lets the oldest store out to memory
 *   timers     each event lets the first armed timer go off
 *
 * They are numbered in this order, so a number means the same in every execution, and in a token.
 */
#include "tests/explore/noted.h"

#define STACK_BYTES X_STACK_BYTES
#define QUEUE	    8

struct cpu x_cpu[X_CPUS + X_MAX_DEVICES];
static struct thread threads[X_CPUS + X_MAX_DEVICES];
uintptr_t x_stacks;
static void *stack_tops[X_ACTORS];

struct posted {
	void (*fn)(void *);
	void *arg;
	uint32_t *pending; /* who waits for it counts here; NULL: nobody */
	unsigned ipi;	   /* number of the call, for X_PLACE_IPI */
};
static struct queue {
	struct posted at[QUEUE];
	unsigned first, nr;
	unsigned so_far; /* posted in this execution */
} queue[X_CPUS];

bool x_actors_init(void)
{
	if (!x_stacks) {
		x_stacks = (uintptr_t)machine_memory((X_ACTORS + 1) * STACK_BYTES);
		machine_stacks(x_stacks, STACK_BYTES, x_stacks ? X_ACTORS + 1 : 0);
	}
	for (unsigned i = 0; x_stacks && i < X_ACTORS; i++)
		stack_tops[i] = (void *)(x_stacks + (i + 1) * STACK_BYTES);
	return x_stacks != 0;
}

void x_actors_forget(void)
{
	memset((void *)x_stacks, 0, (X_ACTORS + 1) * STACK_BYTES);
}

static struct x_actor *add(enum x_role role, unsigned cpu, const char *name, void (*fn)(void))
{
	struct x_actor *a = &x.actor[x.nr];

	ASSERT(x.nr < X_ACTORS, "a scenario has at most %u actors", X_ACTORS);
	*a = (struct x_actor){.role = role,
			      .id = (uint8_t)x.nr,
			      .bit = 1u << x.nr,
			      .cpu = (uint8_t)cpu,
			      .name = name,
			      .fn = fn,
			      .tag = X_ACTOR(x.nr),
			      .tick = 1ull << x.nr % 4 * 16,
			      .stack = stack_tops[x.nr]};
	a->vc[x.nr] = 1;
	x.nr++;
	return a;
}

static void add_others(void)
{
	static const char *const irqs[] = {"irq 0", "irq 1", "irq 2", "irq 3"};
	static const char *const buffers[] = {"buffer 0", "buffer 1", "buffer 2", "buffer 3"};

	for (unsigned i = 0; i < x.nr_threads && x.interrupts; i++) {
		x.irq_of[i] = (uint8_t)x.nr;
		add(X_IRQ, i, irqs[i], NULL);
	}
	for (unsigned i = 0; i < x.nr_threads && x.opt.tso; i++) {
		x.buffer_of[i] = (uint8_t)x.nr;
		add(X_BUFFER, i, buffers[i], NULL);
	}
	x.timers = X_ACTORS;
	if (x.interrupts) {
		x.timers = (uint8_t)x.nr;
		add(X_TIMERS, 0, "timer", NULL);
		x_timers_say();
	}
}

static void count_actors(void)
{
	x.nr = x.nr_threads = x.nr_devices = 0;
	memset(x.irq_of, X_ACTORS, sizeof(x.irq_of));
	memset(x.buffer_of, X_ACTORS, sizeof(x.buffer_of));
	for (unsigned i = 0; i < X_MAX_THREADS && x.sc->thread[i].name; i++, x.nr_threads++)
		add(X_THREAD, i, x.sc->thread[i].name, x.sc->thread[i].fn);
	for (unsigned i = 0; i < X_MAX_DEVICES && x.sc->device[i].name; i++, x.nr_devices++)
		add(X_DEVICE, X_CPUS + i, x.sc->device[i].name, x.sc->device[i].fn);
	add_others();
}

static void make_thread(struct x_actor *a)
{
	struct thread *t = &threads[a->cpu];
	struct cpu *c = &x_cpu[a->cpu];

	*t = (struct thread){.tid = 901 + a->cpu,
			     .state = THREAD_RUNNING,
			     .cpu = a->cpu,
			     .affinity = 1u << a->cpu,
			     .refs = 2,
			     .stack = (char *)a->stack - STACK_BYTES};
	for (unsigned i = 0; a->name[i] && i < sizeof(t->name) - 1; i++)
		t->name[i] = a->name[i];
	*c = (struct cpu){.self = c, .current = t, .id = a->cpu, .online = true};
	if (a->role == X_DEVICE)
		c->preempt = 1; /* so that a sleep is refused */
	if (x.sc->mm && a->role == X_THREAD)
		t->mm = c->mm = x.sc->mm();
	a->thread = t;
	x.state.irq_on[a->cpu] = a->role == X_THREAD;
}

static void run_actor(void) __noreturn;
static void run_actor(void)
{
	struct x_actor *me = x.me;

	if (x_buffers())
		x_tso_over(me->cpu);
	x_live = true;
	me->fn();
	x_live = false;
	if (x_buffers()) {
		x_tso_off(me->cpu);
		x_tso_flush_plain(me->cpu);
	}
	me->alive = false;
	x.state.alive &= ~(1u << x_id(me));
	x.state.waits &= ~(1u << x_id(me));
	if (x.starting) {
		x.me = NULL;
		machine_switch(&x.dead_sp, x.driver_sp);
	}
	x_check_step();
	x_next();
	panic("an actor that is over was given a turn");
}

/* Before the first event each thread runs up to it, one after the other. */
static void start_one(struct x_actor *a)
{
	a->alive = true;
	x.state.alive |= 1u << x_id(a);
	a->sp = machine_stack(a->stack, run_actor);
	x.me = a;
	machine_set_cpu(&x_cpu[a->cpu]);
	machine_switch(&x.driver_sp, a->sp);
}

void x_actors_make(void)
{
	x.me = NULL;
	count_actors();
	memset(queue, 0, sizeof(queue));
	x.state.busy = 0;
	for (unsigned i = 0; i < x.nr_threads + x.nr_devices; i++)
		make_thread(&x.actor[i]);
}

void x_actors_go(void)
{
	x.starting = true;
	for (unsigned i = 0; i < x.nr_threads + x.nr_devices; i++)
		start_one(&x.actor[i]);
	x.starting = false;
	x.me = NULL;
}

void *x_driver_stack(void)
{
	return (void *)(x_stacks + (X_ACTORS + 1) * STACK_BYTES);
}

void x_resume(struct x_actor *a)
{
	void **save = x.me ? &x.me->sp : x.driving ? &x.driver_sp : &x.dead_sp;

	if (x.me == a)
		return;
	x.driving = false;
	x.me = a;
	machine_set_cpu(&x_cpu[a->cpu]);
	machine_switch(save, a->sp);
}

/* ---- interrupts */

/*
 * Who posts competes with others who do, for the order at the end of the queue; and one that begins
 * is behind its own posting, and behind no other. So each posting has a place of its own, by
 * number, which is known when its turn has come.
 */
void x_irq_say(struct x_op *op, unsigned cpu)
{
	x_add(op, x_how(X_PLACE_QUEUE(cpu), X_WRITE));
	x_add(op, x_how(X_PLACE_QUEUE(cpu), X_WRITE | X_GIVE));
}

void x_irq_number(struct x_op *op)
{
	for (unsigned i = 0; i < op->nr; i++)
		for (unsigned cpu = 0; cpu < x.nr_threads && (op->place[i].how & X_GIVE); cpu++)
			if (op->place[i].at == X_PLACE_QUEUE(cpu).at)
				op->place[i].at = X_PLACE_POSTED(cpu, queue[cpu].so_far).at;
}

/* What an interrupt would do next, while none runs: begin the oldest of its CPU's. The stores of
 * the interrupted code are out by then, as its own are when it ends (SDM vol. 3, 11.10). */
static void say_begin(unsigned cpu)
{
	struct x_actor *irq = &x.actor[x.irq_of[cpu]];
	struct x_op *op = &irq->next;

	*op = (struct x_op){.kind = X_BEGIN, .nr = 2, .what = "interrupt"};
	op->place[0] = x_how(X_PLACE_IRQ(cpu), X_WRITE | X_TAKE);
	op->place[1] =
		x_how(X_PLACE_POSTED(cpu, queue[cpu].so_far - queue[cpu].nr), X_WRITE | X_TAKE);
	op->pc = (uintptr_t)queue[cpu].at[queue[cpu].first].fn + 1; /* as if it had called */
	x_locked(op, cpu);
	x.ran |= 1u << x_id(irq);
}

static void log_counts(unsigned cpu)
{
	x_log(&queue[cpu].first, sizeof(queue[cpu]) - offsetof(struct queue, first));
}

void x_irq_post(unsigned cpu, void (*fn)(void *), void *arg, uint32_t *pending, unsigned ipi)
{
	unsigned at;

	if (cpu >= x.nr_threads)
		x_fail("an interrupt goes to CPU %u, where no thread is", cpu);
	if (!x.interrupts)
		x_need_interrupts();
	if (queue[cpu].nr == QUEUE)
		x_fail("more than %u interrupts wait for CPU %u", QUEUE, cpu);
	at = (queue[cpu].first + queue[cpu].nr) % QUEUE;
	x_log(&queue[cpu].at[at], sizeof(queue[cpu].at[at]));
	log_counts(cpu);
	queue[cpu].nr++;
	queue[cpu].at[at] = (struct posted){fn, arg, pending, ipi};
	queue[cpu].so_far++;
	x.state.busy |= 1u << cpu;
	if (!x.actor[x.irq_of[cpu]].alive)
		say_begin(cpu);
}

const uint32_t *x_irq_first(unsigned cpu)
{
	return queue[cpu].at[queue[cpu].first].pending;
}

bool x_irq_to_answer(unsigned cpu, const uint32_t *pending)
{
	const struct queue *q = &queue[cpu];

	for (unsigned i = 0; i < q->nr; i++)
		if (q->at[(q->first + i) % QUEUE].pending == pending)
			return true;
	return false;
}

bool x_irq_waits(unsigned cpu)
{
	return queue[cpu].nr != 0;
}

static void run_irq(void) __noreturn;
static void run_irq(void)
{
	struct x_actor *me = x.me;
	unsigned cpu = me->cpu;
	struct posted p = queue[cpu].at[queue[cpu].first];
	bool on = x.state.irq_on[cpu]; /* off: its thread sleeps, or is over */
	struct x_op *op;

	log_counts(cpu);
	queue[cpu].first = (queue[cpu].first + 1) % QUEUE;
	queue[cpu].nr--;
	me->answers = p.pending;
	x_cpu[cpu].irq_depth++;
	x.state.irq_on[cpu] = false;
	if (x.opt.tso)
		x_tso_over(cpu);
	x_live = true;
	p.fn(p.arg);
	op = x_op(X_END, (char *)p.fn + 1);
	x_add(op, x_how(X_PLACE_IRQ(cpu), X_WRITE | X_GIVE));
	op->what = "interrupt";
	if (p.pending)
		x_add(op, x_how(X_PLACE_IPI(p.ipi), X_SHARED | X_GIVE));
	x_locked(op, cpu);
	x_wait_turn();
	if (p.pending) {
		x_log(p.pending, sizeof(*p.pending));
		--*p.pending;
	}
	x_timers_ended(p.fn);
	x_cpu[cpu].irq_depth--;
	x.state.irq_on[cpu] = on;
	me->alive = false;
	if (queue[cpu].nr)
		say_begin(cpu);
	else
		x.state.busy &= ~(1u << cpu);
	if (x.opt.tso)
		x_tso_off(cpu);
	x_check_step();
	x.me = NULL; /* the next one may begin at once, on this stack */
	x_next();
	panic("an interrupt that is over was given a turn");
}

void x_irq_prepare(struct x_actor *irq)
{
	irq->alive = true;
	irq->sp = machine_stack(irq->stack, run_irq);
}

void x_interrupt(unsigned cpu, void (*fn)(void *), void *arg)
{
	struct x_op *op = x_op(X_IPI, __builtin_return_address(0));

	x_irq_say(op, cpu);
	op->what = "interrupt";
	x_locked(op, x.me->cpu);
	x_wait_turn();
	x_irq_post(cpu, fn, arg, NULL, 0);
	x_live = true;
}
