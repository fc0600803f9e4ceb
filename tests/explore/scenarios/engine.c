/* SPDX-License-Identifier: MIT */
/*
 * What the explorer is asked about itself (tests/explore/test_engine.c): programs of a few events
 * whose outcomes and findings can be counted by hand. No `explore` lists them.
 *
 * A fault of the engine that loses orders, or finds too many, gives one of them another number.
 * They lie here because this folder is compiled as code under test is.
 */
#include "kernel/kernel.h"
#include "kernel/sched/internal.h"
#include "mm/mm.h"
#include "tests/explore/scenarios/engine.h"

#define LOAD(v)	    __atomic_load_n(&(v), __ATOMIC_ACQUIRE)
#define STORE(v, x) __atomic_store_n(&(v), x, __ATOMIC_RELEASE)

static uint32_t a, b;
static uint64_t word[2];

/* ---- orders ---- */

static struct spinlock kept = SPINLOCK_INIT("kept");
static struct rwsem shelf = RWSEM_INIT("shelf");

static void keep(void)
{
	spin_lock(&kept);
}

static void pass(void)
{
	spin_lock(&kept);
	spin_unlock(&kept);
}

/* If the first one goes first the second one waits for ever; nothing but that wait competes. */
const struct x_scenario engine_lock_kept = {.name = "engine.lock-kept",
					    .thread = {{"keeps", keep}, {"passes", pass}}};

static void read_shelf(void)
{
	down_read(&shelf);
	up_read(&shelf);
}

static void count_readers(void)
{
	x_observe((uint64_t)LOAD(shelf.count));
}

/* The looker finds none, one, or both. */
const struct x_scenario engine_readers_seen = {
	.name = "engine.readers-seen",
	.thread = {{"reader", read_shelf}, {"looks", count_readers}, {"reader too", read_shelf}}};

static void read_together(void)
{
	down_read(&shelf);
	x_observe(__atomic_fetch_add(&a, 1, __ATOMIC_SEQ_CST));
	__atomic_fetch_sub(&a, 1, __ATOMIC_SEQ_CST);
	up_read(&shelf);
}

/* Each finds itself alone, or the other one there. */
const struct x_scenario engine_readers_meet = {
	.name = "engine.readers-meet", .thread = {{"one", read_together}, {"two", read_together}}};

static void store_one(void)
{
	STORE(a, 1);
}

static void store_two(void)
{
	STORE(a, 2);
}

static void see_last(void)
{
	x_observe(a);
}

/* One of two stores is the last. */
const struct x_scenario engine_last_store = {.name = "engine.last-store",
					     .thread = {{"one", store_one}, {"two", store_two}},
					     .end = see_last};

static void spins(void)
{
	while (!LOAD(a))
		cpu_pause();
}

static void stores_others(void)
{
	STORE(b, 1);
	STORE(b, 2);
	STORE(a, 1);
}

/* The loop has its turn again when what it looks at was changed, so it takes a look, a wait and a
 * look. */
const struct x_scenario engine_spin = {.name = "engine.spin",
				       .thread = {{"spins", spins}, {"stores", stores_others}}};

static void spins_and_writes(void)
{
	while (LOAD(a) < 2) {
		__atomic_fetch_or(&a, 0, __ATOMIC_SEQ_CST);
		cpu_pause();
	}
}

/* What it writes itself is no change to wait for. */
const struct x_scenario engine_spin_own = {
	.name = "engine.spin-own", .thread = {{"spins", spins_and_writes}, {"stores", store_two}}};

static struct waiter waiter;
static struct thread *sleeper;	   /* NULL: it has not begun */
static uint32_t saw, found_asleep; /* found_asleep: 1 no, 2 yes, 0 nobody was found */

static void sleeps_unless_told(void)
{
	STORE(sleeper, current_thread());
	saw = LOAD(a);
	if (!saw) {
		waiter.thread = current_thread();
		waiter.what = "it", waiter.waker = "tells()";
		sched_sleep(&waiter);
	}
}

static void tells(void)
{
	struct thread *t;

	STORE(a, 1);
	t = LOAD(sleeper);
	if (!t)
		return;
	x_point("looks");
	found_asleep = t->state == THREAD_SLEEPING ? 2 : 1;
	STORE(waiter.woken, true);
	sched_wake(t);
}

static void see_sleep(void)
{
	x_observe(saw * 4 + found_asleep);
}

/* Told before it looks, found or not; found between its look and its sleep; found asleep. */
const struct x_scenario engine_sleep_window = {
	.name = "engine.sleep-window",
	.thread = {{"sleeps", sleeps_unless_told}, {"tells", tells}},
	.end = see_sleep};

static void on_and_off(void)
{
	STORE(a, 1);
	STORE(a, 0);
}

static void is_off(void)
{
	X_EXPECT("step", !a, "it is on");
}

static void store_other(void)
{
	STORE(b, 1);
}

/* True before and afterwards, and not in between. */
const struct x_scenario engine_step = {.name = "engine.step",
				       .thread = {{"one", on_and_off}, {"two", store_other}},
				       .step = is_off};

/* ---- places ---- */

static void store_second_half(void)
{
	STORE(((uint32_t *)word)[1], 1);
}

static void load_both(void)
{
	x_observe(*(uint64_t *)word);
}

/* A plain load of eight bytes is an event if half of them are accessed atomically. */
const struct x_scenario engine_half = {
	.name = "engine.half", .thread = {{"half", store_second_half}, {"both", load_both}}};

/* ---- store buffers ---- */

static uint64_t plain;

static void store_then_plain(void)
{
	STORE(a, 1);
	plain = 1;
}

static void nothing_overtakes(void)
{
	X_EXPECT("order", !plain || a, "a plain store is out before the store ahead of it");
}

const struct x_scenario engine_plain_behind = {
	.name = "engine.plain-behind",
	.thread = {{"stores", store_then_plain}, {"two", spins}},
	.step = nothing_overtakes};

static void store_both(void)
{
	STORE(a, 1);
	STORE(b, 1);
}

static void see_both(void)
{
	uint32_t later = LOAD(b), earlier = LOAD(a);

	x_observe(later * 2 + earlier);
}

/* Neither, the first one, both; the second alone never. */
const struct x_scenario engine_drain_order = {
	.name = "engine.drain-order", .thread = {{"stores", store_both}, {"looks", see_both}}};

/* ---- races ---- */

static uint8_t *const bytes = (uint8_t *)word;

static void store_byte(void)
{
	bytes[3] = 1;
}

static void store_other_byte(void)
{
	bytes[4] = 1;
}

static void store_word(void)
{
	word[0] = 2;
}

static void store_crossing(void)
{
	struct {
		uint64_t v;
	} __attribute__((packed)) *at = (void *)(bytes + 4);

	at->v = 3;
}

static void store_second_word(void)
{
	word[1] = 4;
}

static void load_plain(void)
{
	x_observe(word[0]);
}

const struct x_scenario engine_race_overlap = {
	.name = "engine.race-overlap", .thread = {{"byte", store_byte}, {"word", store_word}}};
const struct x_scenario engine_race_apart = {
	.name = "engine.race-apart", .thread = {{"byte", store_byte}, {"other", store_other_byte}}};
const struct x_scenario engine_race_crossing = {
	.name = "engine.race-crossing",
	.thread = {{"crossing", store_crossing}, {"second", store_second_word}}};
const struct x_scenario engine_race_load = {
	.name = "engine.race-load", .thread = {{"load", load_plain}, {"store", store_word}}};

/* The store behind the hand-over is not covered by it. */
static void hand_over_and_store(void)
{
	STORE(a, 1);
	word[0] = 5;
}

static void take_over_and_store(void)
{
	if (LOAD(a))
		word[0] = 6;
}

const struct x_scenario engine_race_behind = {
	.name = "engine.race-behind",
	.thread = {{"gives", hand_over_and_store}, {"takes", take_over_and_store}}};

/* ---- memory ---- */

#define LARGE 8192u

static uint8_t *memory;

static void make_small(void)
{
	memory = malloc(24);
}

static void make_large(void)
{
	memory = malloc(LARGE);
}

static void frees(void)
{
	free(memory);
}

static void touches_last(void)
{
	x_point("late");
	memory[23] = 1;
}

static void touches_far(void)
{
	x_point("late");
	memory[LARGE - 1] = 1;
}

static void touches_beside(void)
{
	uint8_t *other = malloc(24);

	x_point("late");
	other[0] = 1;
}

const struct x_scenario engine_free_last = {
	.name = "engine.free-last",
	.start = make_small,
	.thread = {{"frees", frees}, {"touches", touches_last}}};
const struct x_scenario engine_free_far = {.name = "engine.free-far",
					   .start = make_large,
					   .thread = {{"frees", frees}, {"touches", touches_far}}};
const struct x_scenario engine_free_twice = {.name = "engine.free-twice",
					     .start = make_small,
					     .thread = {{"frees", frees}, {"frees too", frees}}};
const struct x_scenario engine_free_beside = {
	.name = "engine.free-beside",
	.start = make_small,
	.thread = {{"frees", frees}, {"touches", touches_beside}}};

static struct slab_cache cache = SLAB_CACHE_INIT("engine", 48);

static void takes_frame(void)
{
	uint64_t phys = frame_alloc(0);

	__atomic_store_n(&memory, phys ? phys_to_virt(phys) : NULL, __ATOMIC_RELEASE);
	frame_free(phys, 0);
}

static void takes_slab(void)
{
	void *p = slab_alloc(&cache);

	__atomic_store_n(&memory, p, __ATOMIC_RELEASE);
	slab_free(&cache, p);
}

static void touch_late(unsigned at)
{
	uint8_t *p = __atomic_load_n(&memory, __ATOMIC_ACQUIRE);

	x_point("late");
	if (p)
		p[at] = 1;
}

static void touches_frame(void)
{
	touch_late(PAGE_SIZE - 1);
}

static void touches_slab(void)
{
	touch_late(47);
}

const struct x_scenario engine_free_frame = {
	.name = "engine.free-frame",
	.thread = {{"first", takes_frame}, {"touches", touches_frame}}};
const struct x_scenario engine_free_slab = {
	.name = "engine.free-slab", .thread = {{"first", takes_slab}, {"touches", touches_slab}}};

static uint8_t from[64], to[64];

static volatile size_t length = sizeof(from); /* so that it is a call */

/* Other bytes than those of before, in each execution. */
static void copies(void)
{
	size_t n = length;

	memset(from, to[63] + 1, n);
	memcpy(to, from, n);
	for (unsigned i = 0; i < 4; i++)
		STORE(b, i);
}

/* What a copy wrote is put back, to its last byte. */
const struct x_scenario engine_copies = {.name = "engine.copies",
					 .thread = {{"copies", copies}, {"two", store_two}}};

static void observe_address(void)
{
	void *p = malloc(16);

	STORE(a, 1);
	x_observe((uintptr_t)p);
}

/* What is allocated lies where it lay in the execution before. */
const struct x_scenario engine_address = {
	.name = "engine.address", .thread = {{"allocates", observe_address}, {"two", store_two}}};

/* ---- timers ---- */

static struct timer early, late;
static uint32_t went; /* timers so far; zero at the start */

static void goes_early(struct timer *t)
{
	(void)t;
	X_EXPECT("timers", !LOAD(went), "the later timer was first");
	STORE(went, 1);
}

static void goes_late(struct timer *t)
{
	(void)t;
	STORE(went, LOAD(went) + 1);
}

static void arms_two(void)
{
	x_quiet_begin();
	timer_arm(&late, clock_ns() + 200, goes_late);
	timer_arm(&early, clock_ns() + 100, goes_early);
	x_quiet_end();
}

const struct x_scenario engine_timers = {.name = "engine.timers",
					 .thread = {{"arms", arms_two}, {"two", store_two}},
					 .interrupts = true};

/* ---- programs by dice ---- */

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
