/* SPDX-License-Identifier: MIT */
/*
 * Who waits, for an answer, a wake or in a loop, waits no longer than until that comes: then he can
 * be the first to add, although another thread is about to. How he came there is observed, so that
 * he has no other way to that.
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t within, behind, gone;

static void start(void)
{
	within = behind = gone = 0;
}

static void add(uint32_t *v)
{
	__atomic_fetch_add(v, 1, __ATOMIC_SEQ_CST);
}

static void add_twice(void *unused)
{
	(void)unused;
	add(&within);
	add(&within);
}

static void does_nothing(void *unused)
{
	(void)unused;
}

static void calls_and_adds(void)
{
	cpu_call(1u << 1, add_twice, NULL);
	add(&behind);
}

static void posts_calls_and_adds(void)
{
	x_interrupt(1, add_twice, NULL);
	cpu_call(1u << 1, does_nothing, NULL);
	add(&behind);
}

static void rests(void)
{
	x_point("nothing");
}

static void adds_and_looks(void)
{
	x_observe(__atomic_fetch_add(&within, 1, __ATOMIC_SEQ_CST));
	x_observe(__atomic_fetch_add(&behind, 1, __ATOMIC_SEQ_CST));
	x_observe(LOAD(within));
}

/* The last one's first look finds 0, 1 or 2. It is the first to add behind that, and its last look
 * finds 1 to 3, or what is more than the first one found; or it is the second, and finds 3. */
const struct x_scenario engine_answer_within = {
	.name = "engine.answer-within",
	.start = start,
	.thread = {{"calls", calls_and_adds}, {"rests", rests}, {"adds", adds_and_looks}},
	.interrupts = true};

/* The same, where the handler that counts is not the one that is waited for. */
const struct x_scenario engine_answer_behind = {
	.name = "engine.answer-behind",
	.start = start,
	.thread = {{"calls", posts_calls_and_adds}, {"rests", rests}, {"adds", adds_and_looks}},
	.interrupts = true};

/* ---- loops and sleeps */

static void see_behind(void)
{
	x_observe(__atomic_fetch_add(&behind, 1, __ATOMIC_SEQ_CST));
}

static void loops_and_adds(void)
{
	uint32_t looks = 1;

	for (; !LOAD(gone); looks++)
		cpu_pause();
	x_observe(looks);
	see_behind();
}

static void lets_go_and_adds(void)
{
	STORE(gone, 1);
	see_behind();
}

/* It looks once or twice, and is the first to add, or not. */
const struct x_scenario engine_pause_over = {
	.name = "engine.pause-over",
	.start = start,
	.thread = {{"loops", loops_and_adds}, {"lets go", lets_go_and_adds}}};

static void sleeps_and_adds(void)
{
	uint32_t looks = 0;

	wait_event(&gone, (looks++, LOAD(gone)), "it to go", "wakes_and_adds()");
	x_observe(looks);
	see_behind();
}

static void wakes_and_adds(void)
{
	STORE(gone, 1);
	wake_up(&gone);
	see_behind();
}

/* It has slept, and is the first: with one preemption. */
const struct x_scenario engine_sleep_over = {
	.name = "engine.sleep-over",
	.start = start,
	.thread = {{"sleeps", sleeps_and_adds}, {"wakes", wakes_and_adds}}};

/* ---- a call that is made on the caller's own CPU, too, and so waits later than it is answered */

static void tell(void *unused)
{
	(void)unused;
	if (cpu_id() == 0)
		STORE(gone, 1);
}

static void nothing(void)
{
}

static void calls_when_told(void)
{
	x_observe(LOAD(within));
	cpu_call(1u << 0 | 1u << 2, tell, NULL);
	see_behind();
}

static void tells_and_calls(void)
{
	STORE(within, 1);
	cpu_call(1u << 3, does_nothing, NULL);
	see_behind();
}

static void is_told_and_adds(void)
{
	x_observe(LOAD(gone));
	see_behind();
}

/* The last one is told and adds first, without a preemption: the first waits for an answer, as the
 * second has done all the time, for another. */
const struct x_scenario engine_answer_other = {.name = "engine.answer-other",
					       .start = start,
					       .thread = {{"calls", calls_when_told},
							  {"calls too", tells_and_calls},
							  {"nothing", nothing},
							  {"adds", is_told_and_adds}},
					       .interrupts = true};

static void tell_and_look(void *unused)
{
	(void)unused;
	if (cpu_id())
		return;
	STORE(gone, 1);
	x_observe(LOAD(within));
	STORE(gone, 2);
}

static void calls_both(void)
{
	cpu_call(1u << 0 | 1u << 1, tell_and_look, NULL);
	see_behind();
}

static void is_told_and_tells(void)
{
	x_observe(LOAD(gone));
	STORE(within, 1);
}

/* The second is told and tells before the first waits, and the third adds first: with one
 * preemption, as it is not interrupted before that. */
const struct x_scenario engine_answer_late = {
	.name = "engine.answer-late",
	.start = start,
	.thread = {{"calls", calls_both}, {"tells", is_told_and_tells}, {"adds", is_told_and_adds}},
	.interrupts = true};

/* ---- timers: who cancels one waits while its function is at work, and then from him a switch is
 * free */

static struct timer timer;
static uint32_t own;

static void goes_off(struct timer *t)
{
	(void)t;
}

static void arms(void)
{
	timer_arm(&timer, clock_ns() + 100, goes_off);
}

static void tells_and_cancels(void)
{
	STORE(gone, 1);
	timer_cancel_wait(&timer);
	see_behind();
}

/* The third is told and adds first, without a preemption: the function has not begun. */
const struct x_scenario engine_timer_over = {
	.name = "engine.timer-over",
	.start = start,
	.thread = {{"arms", arms}, {"cancels", tells_and_cancels}, {"adds", is_told_and_adds}},
	.interrupts = true};

static void goes_off_in_two(struct timer *t)
{
	(void)t;
	STORE(within, 1);
	add(&own);
}

static void arms_long(void)
{
	timer_arm(&timer, clock_ns() + 100, goes_off_in_two);
}

static void looks_and_cancels(void)
{
	x_observe(LOAD(within));
	tells_and_cancels();
}

/* The same, and the second found that it had begun: its last event has not come. */
const struct x_scenario engine_timer_within = {
	.name = "engine.timer-within",
	.start = start,
	.thread = {{"arms", arms_long}, {"cancels", looks_and_cancels}, {"adds", is_told_and_adds}},
	.interrupts = true};
