/* SPDX-License-Identifier: MIT */
/*
 * A handler that wants a spinlock which its CPU's thread holds, or waits behind one for another
 * CPU: with interrupts on, the thread stands still in the middle of what nobody sees, between the
 * lock and its release. No event lies there but the release itself.
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

static struct spinlock one = SPINLOCK_INIT("one"), two = SPINLOCK_INIT("two");
static uint32_t sum;

static void start(void)
{
	sum = 0;
}

static void add(void *unused)
{
	(void)unused;
	spin_lock(&one);
	sum++;
	spin_unlock(&one);
}

static void adds_open(void)
{
	add(NULL);
}

static void adds_closed(void)
{
	uint64_t flags = spin_lock_irqsave(&one);

	sum++;
	spin_unlock_irqrestore(&one, flags);
}

static void posts(void)
{
	x_interrupt(0, add, NULL);
}

static void both(void)
{
	x_observe(sum);
}

/* The interrupt comes in the middle: I4. Before, behind: 2. */
const struct x_scenario engine_held_open = {.name = "engine.held-open",
					    .start = start,
					    .thread = {{"adds", adds_open}, {"posts", posts}},
					    .end = both,
					    .interrupts = true};
const struct x_scenario engine_held_closed = {.name = "engine.held-closed",
					      .start = start,
					      .thread = {{"adds", adds_closed}, {"posts", posts}},
					      .end = both,
					      .interrupts = true};

/* ---- the handler waits for another CPU, which waits for what the thread holds */

static void take_two(void *unused)
{
	(void)unused;
	spin_lock(&two);
	spin_unlock(&two);
}

static void posts_two(void)
{
	x_interrupt(0, take_two, NULL);
}

static void takes_both(void)
{
	uint64_t flags = spin_lock_irqsave(&two);

	adds_closed();
	spin_unlock_irqrestore(&two, flags);
}

const struct x_scenario engine_held_across = {
	.name = "engine.held-across",
	.start = start,
	.thread = {{"adds", adds_open}, {"takes both", takes_both}},
	.device = {{"posts", posts_two}},
	.end = both,
	.interrupts = true};

/* ---- the same of a loop: it waits for a flag that is behind what the thread holds */

static uint32_t flag;

static void start_flag(void)
{
	sum = flag = 0;
}

static void await_flag(void *unused)
{
	(void)unused;
	while (!LOAD(flag))
		cpu_pause();
}

static void posts_loop(void)
{
	x_interrupt(0, await_flag, NULL);
}

static void sets_flag(void)
{
	adds_closed();
	STORE(flag, 1);
}

const struct x_scenario engine_held_loop = {.name = "engine.held-loop",
					    .start = start_flag,
					    .thread = {{"adds", adds_open}, {"sets", sets_flag}},
					    .device = {{"posts", posts_loop}},
					    .end = both,
					    .interrupts = true};

/* ---- programs by dice: what is seen of them is the end, or that there is none */

static struct spinlock locks[] = {SPINLOCK_INIT("first"), SPINLOCK_INIT("second")};
static uint32_t sums[2], seen;

static void add_to(void *sum)
{
	unsigned i = (unsigned)((uint32_t *)sum - sums);

	spin_lock(&locks[i]);
	sums[i]++;
	spin_unlock(&locks[i]);
}

static void add_to_both(unsigned i)
{
	spin_lock(&locks[i]);
	add_to(&sums[!i]);
	spin_unlock(&locks[i]);
}

static void step(struct engine_step s)
{
	unsigned i = s.variable;
	uint64_t flags;

	switch (s.kind) {
	case ENGINE_LOAD: add_to_both(i); return;
	case ENGINE_STORE: STORE(seen, 1); return;
	case ENGINE_ADD: __atomic_fetch_add(&seen, 2, __ATOMIC_SEQ_CST); return;
	case ENGINE_LOCKED: add_to(&sums[i]); return;
	case ENGINE_INTERRUPT: x_interrupt(s.value % 2, add_to, &sums[i]); return;
	case ENGINE_OFF:
	case ENGINE_FENCE:
		flags = irq_save();
		if (s.kind == ENGINE_OFF)
			add_to(&sums[i]);
		else
			add_to_both(i);
		irq_restore(flags);
		return;
	default: return;
	}
}

ENGINE_THREAD(0, step)
ENGINE_THREAD(1, step)

static void start_dice(void)
{
	sums[0] = sums[1] = seen = 0;
}

static void see_sums(void)
{
	x_observe(seen);
	x_observe(sums[0] * 16 + sums[1]);
}

const struct x_scenario engine_held_dice = {.name = "engine.held-dice",
					    .start = start_dice,
					    .thread = {{"one", run_0}, {"two", run_1}},
					    .end = see_sums,
					    .interrupts = true};
