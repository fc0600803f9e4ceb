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
#include "tests/explore/scenarios/engine.h"

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

static void load_first_then_both(void)
{
	x_observe(LOAD(((uint32_t *)word)[0]));
	x_observe(LOAD(word[0]));
}

static void store_second_plainly(void)
{
	((uint32_t *)word)[1] = 1;
}

/* That one half is accessed atomically does not say so of the other; the load of both does. */
const struct x_scenario engine_half_known = {
	.name = "engine.half-known",
	.thread = {{"loads", load_first_then_both}, {"stores", store_second_plainly}}};

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

static void load_two_bytes(void)
{
	x_observe(bytes[3]);
	x_observe(bytes[4]);
}

const struct x_scenario engine_race_bytes = {
	.name = "engine.race-bytes", .thread = {{"loads", load_two_bytes}, {"byte", store_byte}}};

static void read_plainly(void)
{
	down_read(&shelf);
	x_observe(word[0]);
	up_read(&shelf);
}

static void write_plainly(void)
{
	down_write(&shelf);
	word[0] = 7;
	up_write(&shelf);
}

/* What a reader did is before the writer's turn, as what the writer did is before the reader's. */
const struct x_scenario engine_race_read = {
	.name = "engine.race-read",
	.thread = {{"reads", read_plainly}, {"too", read_plainly}, {"writes", write_plainly}}};

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

/* The same before the hand-over: it is covered, by way of a buffer as well. */
static void store_and_give(void)
{
	word[0] = 5;
	STORE(a, 1);
}

const struct x_scenario engine_race_handed = {
	.name = "engine.race-handed",
	.thread = {{"gives", store_and_give}, {"takes", take_over_and_store}}};

static void load_and_give(void)
{
	x_observe(word[0]);
	STORE(a, 1);
}

/* Two load in the beginning; the store is behind the later one only. */
const struct x_scenario engine_race_earlier = {.name = "engine.race-earlier",
					       .thread = {{"loads", load_plain},
							  {"gives", load_and_give},
							  {"takes", take_over_and_store}}};

/* Plain accesses of a word that others access atomically are events. Whether they are in an order
 * with those of others is asked by mixed=1. */
static void add_atomically(void)
{
	__atomic_fetch_add(&word[0], 1, __ATOMIC_RELAXED);
}

static void look_atomically(void)
{
	x_observe(__atomic_load_n(&word[0], __ATOMIC_ACQUIRE));
}

static void take_over_and_look(void)
{
	if (LOAD(a))
		look_atomically();
}

const struct x_scenario engine_mixed_store = {
	.name = "engine.mixed-store", .thread = {{"store", store_word}, {"look", look_atomically}}};
const struct x_scenario engine_mixed_load = {
	.name = "engine.mixed-load", .thread = {{"load", load_plain}, {"add", add_atomically}}};
const struct x_scenario engine_mixed_ordered = {
	.name = "engine.mixed-ordered",
	.thread = {{"gives", store_and_give}, {"takes", take_over_and_look}}};
const struct x_scenario engine_mixed_atomic = {
	.name = "engine.mixed-atomic",
	.thread = {{"add", add_atomically}, {"look", look_atomically}}};

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
