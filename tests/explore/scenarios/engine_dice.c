/* SPDX-License-Identifier: MIT */
/*
 * Programs by dice: what each thread does is written into engine_program by who explores it
 * (tests/explore/test_dice.c).
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

struct engine_step engine_program[X_MAX_THREADS][ENGINE_STEPS];

static uint32_t variable[ENGINE_VARIABLES];
static struct spinlock guard = SPINLOCK_INIT("guard");

static void add_and_see(uint32_t *v)
{
	x_observe(__atomic_fetch_add(v, 1, __ATOMIC_SEQ_CST));
}

static void locked_step(uint32_t *v)
{
	spin_lock(&guard);
	x_observe(LOAD(*v));
	STORE(*v, LOAD(*v) * 3 + 1);
	spin_unlock(&guard);
}

static void off_step(uint32_t *v)
{
	uint64_t flags = irq_save();

	STORE(*v, LOAD(*v) + 16);
	irq_restore(flags);
}

static void handler(void *v)
{
	add_and_see(v);
}

static void step(struct engine_step s)
{
	uint32_t *v = &variable[s.variable];

	switch (s.kind) {
	case ENGINE_NOTHING: return;
	case ENGINE_LOAD: x_observe(LOAD(*v)); return;
	case ENGINE_STORE: STORE(*v, s.value); return;
	case ENGINE_ADD: add_and_see(v); return;
	case ENGINE_FENCE: smp_mb(); return;
	case ENGINE_LOCKED: locked_step(v); return;
	case ENGINE_OFF: off_step(v); return;
	case ENGINE_INTERRUPT: x_interrupt(s.value % 2, handler, v); return;
	}
}

static void run(unsigned thread)
{
	for (unsigned i = 0; i < ENGINE_STEPS; i++)
		step(engine_program[thread][i]);
}

static void run_0(void)
{
	run(0);
}

static void run_1(void)
{
	run(1);
}

static void run_2(void)
{
	run(2);
}

static void see_variables(void)
{
	for (unsigned i = 0; i < ENGINE_VARIABLES; i++)
		x_observe(variable[i]);
}

const struct x_scenario engine_dice = {.name = "engine.dice",
				       .thread = {{"one", run_0}, {"two", run_1}, {"three", run_2}},
				       .end = see_variables};
const struct x_scenario engine_dice_irq = {.name = "engine.dice-irq",
					   .thread = {{"one", run_0}, {"two", run_1}},
					   .end = see_variables,
					   .interrupts = true};
