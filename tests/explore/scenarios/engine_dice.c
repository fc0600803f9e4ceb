/* SPDX-License-Identifier: MIT */
/*
 * Programs by dice: what each thread does is written into engine_program by who explores it
 * (tests/explore/test_dice.c).
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

struct engine_step engine_program[X_MAX_THREADS][ENGINE_STEPS];

unsigned engine_spread;

static uint32_t variable[2 * ENGINE_VARIABLES] __aligned(8);
static struct spinlock guard = SPINLOCK_INIT("guard");
static struct mutex sleepy = MUTEX_INIT("sleepy");
static uint32_t woken;

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

static void try_step(uint32_t *v)
{
	bool ok = spin_trylock(&guard);

	x_observe(ok);
	if (!ok)
		return;
	STORE(*v, LOAD(*v) * 5);
	spin_unlock(&guard);
}

static void mutex_step(uint32_t *v)
{
	mutex_lock(&sleepy);
	STORE(*v, LOAD(*v) * 7 + 1);
	x_observe(LOAD(variable[v == variable ? 1 << engine_spread : 0]));
	mutex_unlock(&sleepy);
}

static void wake_step(uint32_t *v)
{
	STORE(*v, LOAD(*v) + 64);
	STORE(woken, 1);
	wake_up(&woken);
}

static void wait_step(uint32_t *v)
{
	wait_event(&woken, LOAD(woken), "a step", "wake_step()");
	x_observe(LOAD(*v));
}

static void handler(void *v)
{
	add_and_see(v);
}

static void step(struct engine_step s)
{
	uint32_t *v = &variable[s.variable << engine_spread];

	switch (s.kind) {
	case ENGINE_NOTHING: return;
	case ENGINE_LOAD: x_observe(LOAD(*v)); return;
	case ENGINE_STORE: STORE(*v, s.value); return;
	case ENGINE_ADD: add_and_see(v); return;
	case ENGINE_FENCE: smp_mb(); return;
	case ENGINE_LOCKED: locked_step(v); return;
	case ENGINE_OFF: off_step(v); return;
	case ENGINE_INTERRUPT: x_interrupt(s.value % 2, handler, v); return;
	case ENGINE_CALL: cpu_call(s.value == 1 ? ~0u : ~(1u << cpu_id()), handler, v); return;
	case ENGINE_TRY: try_step(v); return;
	case ENGINE_MUTEX: mutex_step(v); return;
	case ENGINE_WAKE: wake_step(v); return;
	case ENGINE_WAIT: wait_step(v); return;
	}
}

ENGINE_THREAD(0, step)
ENGINE_THREAD(1, step)
ENGINE_THREAD(2, step)

static void see_variables(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(variable); i++)
		x_observe(variable[i]);
}

const struct x_scenario engine_dice = {.name = "engine.dice",
				       .thread = {{"one", run_0}, {"two", run_1}, {"three", run_2}},
				       .end = see_variables};
const struct x_scenario engine_dice_irq = {.name = "engine.dice-irq",
					   .thread = {{"one", run_0}, {"two", run_1}},
					   .end = see_variables,
					   .interrupts = true};
const struct x_scenario engine_dice_three = {
	.name = "engine.dice-three",
	.thread = {{"one", run_0}, {"two", run_1}, {"three", run_2}},
	.end = see_variables,
	.interrupts = true};

uint32_t engine_never;

static void never_that(void)
{
	X_EXPECT("dice", variable[0] != engine_never, "the variable is %u", engine_never);
}

const struct x_scenario engine_dice_never = {
	.name = "engine.dice-never",
	.thread = {{"one", run_0}, {"two", run_1}, {"three", run_2}},
	.end = never_that,
	.interrupts = true};
