/* SPDX-License-Identifier: MIT */
/*
 * The explorer against brute force: programs of a few events that dice make (scenarios/engine.c),
 * with locks, interrupts and store buffers.
 *
 * Nobody counts what these come to by hand. DPOR and states have to have the outcomes that brute
 * force has; a program that once had others is kept.
 */
#include "dax/dax.h"
#include "tests/explore/internal.h"
#include "tests/explore/scenarios/engine.h"

static struct x_result r;

#define PROGRAMS 300u
#define MOST	 20000u /* executions of brute force; a program that needs more is left out */

/* Steps of the first `kinds` kinds. */
static void throw_program(uint64_t *dice, unsigned threads, unsigned steps, unsigned kinds)
{
	memset(engine_program, 0, sizeof(engine_program));
	engine_spread = *dice >> 60 & 1;
	for (unsigned t = 0; t < threads; t++)
		for (unsigned i = 0; i < steps; i++) {
			*dice = *dice * 6364136223846793005ull + 1442695040888963407ull;
			engine_program[t][i] = (struct engine_step){
				.kind = (enum engine_kind)(1 + (*dice >> 33) % kinds),
				.variable = (uint32_t)(*dice >> 40) % ENGINE_VARIABLES,
				.value = 1 + (uint32_t)(*dice >> 50) % 3};
		}
}

/* DPOR, in both directions, has the outcomes of brute force. A sentence if not; NULL. */
static const char *compare(const struct x_scenario *sc, bool tso, unsigned *compared)
{
	static char text[120];
	struct x_options opt = x_all_orders(X_BRUTE, tso);
	uint64_t sum;
	unsigned n;

	opt.runs = MOST;
	if (explore_run(sc, &opt, &r) || r.failed)
		return r.failed ? r.text : refusal();
	if (!r.complete)
		return NULL;
	++*compared;
	sum = r.outcome_sum;
	n = r.outcomes;
	for (unsigned i = 0; i < 4; i++) {
		opt = x_all_orders(i < 2 ? X_DPOR : i == 2 ? X_SLEEP_SETS : X_STATES, tso);
		opt.reverse = i == 1;
		if (explore_run(sc, &opt, &r) || r.failed)
			return r.failed ? r.text : refusal();
		snprintf(text, sizeof(text), "%s model=%s: %u outcomes, %s%s finds %u", sc->name,
			 tso ? "tso" : "sc", n, x_strategy_name(opt.strategy),
			 i == 1 ? " order=reverse" : "", r.outcomes);
		if (r.outcome_sum != sum || r.outcomes != n)
			return text;
	}
	return NULL;
}

/* A strategy with this bound has the outcomes whose sum this is. A sentence if not; NULL. */
static const char *compare_one(const struct x_scenario *sc, enum x_strategy strategy, bool tso,
			       unsigned bound, uint64_t sum)
{
	static char text[160];
	struct x_options opt = x_all_orders(strategy, tso);

	opt.bound = bound;
	opt.untaught = bound % 2; /* then states learn meanwhile, and begin again */
	if (explore_run(sc, &opt, &r) || r.failed)
		return r.failed ? r.text : refusal();
	snprintf(text, sizeof(text), "%s model=%s bound=%u: %s finds %u outcomes", sc->name,
		 tso ? "tso" : "sc", bound, x_strategy_name(strategy), r.outcomes);
	return r.outcome_sum == sum ? NULL : text;
}

/* With each bound states and DPOR have the outcomes of brute force. A sentence if not; NULL. */
static const char *compare_bounded(const struct x_scenario *sc, bool tso, unsigned *compared)
{
	for (unsigned bound = 0; bound <= 3; bound++) {
		struct x_options opt = x_all_orders(X_BRUTE, tso);
		const char *why;
		uint64_t sum;

		opt.runs = MOST;
		opt.bound = bound;
		if (explore_run(sc, &opt, &r) || r.failed)
			return r.failed ? r.text : refusal();
		if (r.executions + r.redundant >= MOST)
			return NULL;
		++*compared;
		sum = r.outcome_sum;
		why = compare_one(sc, X_STATES, tso, bound, sum);
		if (!why)
			why = compare_one(sc, X_DPOR, tso, bound, sum);
		if (why)
			return why;
	}
	return NULL;
}

/* Of programs by dice, those that once had another number of outcomes by DPOR. */
static const struct engine_step known_programs[][2][2] = {
	{{{ENGINE_INTERRUPT, 1, 1}, {ENGINE_LOCKED, 0, 0}},
	 {{ENGINE_STORE, 1, 2}, {ENGINE_INTERRUPT, 1, 1}}},
	{{{ENGINE_OFF, 0, 0}, {ENGINE_LOAD, 1, 0}},
	 {{ENGINE_INTERRUPT, 0, 1}, {ENGINE_LOCKED, 1, 0}}},
	{{{ENGINE_INTERRUPT, 0, 1}, {ENGINE_LOCKED, 1, 0}},
	 {{ENGINE_LOCKED, 1, 0}, {ENGINE_INTERRUPT, 0, 0}}},
	{{{ENGINE_INTERRUPT, 0, 1}, {ENGINE_ADD, 0, 0}},
	 {{ENGINE_FENCE, 0, 0}, {ENGINE_STORE, 0, 1}}},
	{{{ENGINE_INTERRUPT, 0, 0}, {ENGINE_LOAD, 0, 0}},
	 {{ENGINE_INTERRUPT, 0, 0}, {ENGINE_LOCKED, 0, 0}}},
	{{{ENGINE_ADD, 1, 0}, {ENGINE_LOCKED, 0, 0}},
	 {{ENGINE_INTERRUPT, 0, 1}, {ENGINE_INTERRUPT, 0, 0}}},
	{{{ENGINE_STORE, 1, 1}, {ENGINE_INTERRUPT, 0, 1}},
	 {{ENGINE_INTERRUPT, 1, 0}, {ENGINE_INTERRUPT, 1, 1}}},
};

/* The same of engine_held_dice, where an order may end as nobody goes on. */
static const struct engine_step known_held[][2][2] = {
	{{{ENGINE_INTERRUPT, 0, 2}, {ENGINE_LOCKED, 1, 2}},
	 {{ENGINE_FENCE, 1, 1}, {ENGINE_FENCE, 0, 2}}},
	{{{ENGINE_ADD, 1, 3}, {ENGINE_LOCKED, 1, 2}},
	 {{ENGINE_INTERRUPT, 0, 1}, {ENGINE_LOAD, 0, 2}}},
	{{{ENGINE_LOAD, 0, 3}, {ENGINE_STORE, 1, 2}},
	 {{ENGINE_ADD, 0, 1}, {ENGINE_INTERRUPT, 0, 2}}},
};

static const char *compare_known(const struct x_scenario *sc,
				 const struct engine_step program[2][2], unsigned *compared)
{
	const char *why;

	memset(engine_program, 0, sizeof(engine_program));
	for (unsigned t = 0; t < 2; t++)
		memcpy(engine_program[t], program[t], sizeof(program[t]));
	why = compare(sc, false, compared);
	return why ? why : compare(sc, true, compared);
}

/* Of three threads with interrupts: the fifth actor is CPU 1's. By DPOR, in reverse, it makes its
 * first event sooner in one execution and later in the next, where no clock may know of the former
 * (commit.c, go_far()). */
static const struct engine_step known_far[][3][2] = {
	{{{ENGINE_MUTEX, 1, 2}},
	 {{ENGINE_OFF, 1, 3}, {ENGINE_INTERRUPT, 1, 1}},
	 {{ENGINE_FENCE, 0, 0}}},
	{{{ENGINE_INTERRUPT, 0, 3}, {ENGINE_TRY, 0, 3}},
	 {{ENGINE_LOCKED, 0, 1}},
	 {{ENGINE_FENCE, 0, 0}}},
};

static const char *compare_far(unsigned *compared)
{
	const char *why = NULL;

	engine_spread = 1;
	for (unsigned n = 0; n < ARRAY_SIZE(known_far) && !why; n++) {
		memset(engine_program, 0, sizeof(engine_program));
		for (unsigned t = 0; t < 3; t++)
			memcpy(engine_program[t], known_far[n][t], sizeof(known_far[n][t]));
		why = compare(&engine_dice_three, false, compared);
	}
	return why;
}

SELFTEST(engine_known, "explore.programs-known",
	 "programs with interrupts of which DPOR once lost outcomes have those of brute force")
{
	unsigned all = ARRAY_SIZE(known_programs) + ARRAY_SIZE(known_held) + ARRAY_SIZE(known_far);
	unsigned compared = 0;
	const char *far = compare_far(&compared);

	EXPECT(!far, "of three threads: %s", far);

	for (unsigned n = 0; n < ARRAY_SIZE(known_programs); n++) {
		const char *why = compare_known(&engine_dice_irq, known_programs[n], &compared);

		EXPECT(!why, "program %u: %s", n, why);
	}
	for (unsigned n = 0; n < ARRAY_SIZE(known_held); n++) {
		const char *why = compare_known(&engine_held_dice, known_held[n], &compared);

		EXPECT(!why, "program %u with handlers that wait: %s", n, why);
	}
	EXPECT(compared >= all, "only %u were small enough", compared);
}

SELFTEST(
	engine_programs, "explore.programs-by-dice",
	"of programs that dice make, with locks, interrupts and store buffers, DPOR and sleep sets "
	"find the outcomes of brute force")
{
	uint64_t dice = 1;
	unsigned compared = 0;

	for (unsigned n = 0; n < PROGRAMS; n++) {
		bool irq = n % 3 == 2, tso = n % 2;
		const char *why;

		throw_program(&dice, irq ? 2 : 3, irq || tso ? 2 : 3,
			      irq ? ENGINE_INTERRUPT : ENGINE_LOCKED);
		why = compare(irq ? &engine_dice_irq : &engine_dice, tso, &compared);
		EXPECT(!why, "program %u: %s", n, why);
	}
	EXPECT(compared > PROGRAMS / 2, "only %u programs were small enough", compared);
}

SELFTEST(engine_held, "explore.held-by-dice",
	 "of programs by dice whose handlers take the locks that threads hold with interrupts on, "
	 "or one in another, all strategies find the same: an end, or none")
{
	uint64_t dice = 3;
	unsigned compared = 0, hang = 0;

	for (unsigned n = 0; n < PROGRAMS; n++) {
		const char *why;

		throw_program(&dice, 2, 2, ENGINE_INTERRUPT);
		why = compare(&engine_held_dice, n % 2, &compared);
		EXPECT(!why, "program %u: %s", n, why);
		hang += r.broken;
	}
	EXPECT(compared > PROGRAMS / 2, "only %u programs were small enough", compared);
	EXPECT(hang > PROGRAMS / 5 && hang < PROGRAMS, "%u of %u programs hang", hang, PROGRAMS);
}

SELFTEST(engine_states, "explore.states-by-dice",
	 "of programs that dice make, each state once, and DPOR, have the outcomes of brute force "
	 "with as many preemptions")
{
	uint64_t dice = 2;
	unsigned compared = 0;

	for (unsigned n = 0; n < PROGRAMS; n++) {
		bool irq = n % 3 == 2, tso = n % 2;
		const char *why;

		throw_program(&dice, irq ? 2 : 3, irq || tso ? 2 : 3,
			      irq ? ENGINE_INTERRUPT : ENGINE_LOCKED);
		why = compare_bounded(irq ? &engine_dice_irq : &engine_dice, tso, &compared);
		EXPECT(!why, "program %u: %s", n, why);
	}
	EXPECT(compared > PROGRAMS * 2, "only %u explorations were small enough", compared);
}

/* Programs of three threads that dice seldom throw: between two events of the first one the third
 * wakes the second, which has gone to sleep before both, and asks for them behind. */
static const struct engine_step known_waits[][3][2] = {
	{{{ENGINE_ADD, 0, 0}, {ENGINE_ADD, 1, 0}},
	 {{ENGINE_LOAD, 0, 0}, {ENGINE_WAIT, 1, 0}},
	 {{ENGINE_WAKE, 0, 0}}},
};

static const char *compare_waits(const struct engine_step program[3][2], unsigned *compared)
{
	const char *why;

	memset(engine_program, 0, sizeof(engine_program));
	for (unsigned t = 0; t < 3; t++)
		memcpy(engine_program[t], program[t], sizeof(program[t]));
	why = compare_bounded(&engine_dice_three, false, compared);
	return why ? why : compare_bounded(&engine_dice_three, true, compared);
}

/* Scenarios in which somebody waits. A sentence, or NULL. */
static const char *compare_waiting(unsigned *compared)
{
	static const struct x_scenario *const known[] = {
		&engine_answer_within, &engine_answer_behind, &engine_pause_over,
		&engine_sleep_over,    &engine_timer_over,    &engine_timer_within,
		&engine_answer_other,  &engine_answer_late};
	const char *why = NULL;

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(known) && !why; i++)
		why = compare_bounded(known[i / 2], i % 2, compared);
	return why;
}

SELFTEST(engine_answers, "explore.waits-end-at-once",
	 "who waits for an answer, a wake or in a loop can go on as soon as that comes, with any "
	 "number of preemptions")
{
	unsigned compared = 0;
	const char *why = compare_waiting(&compared);

	EXPECT(!why, "%s", why);
	EXPECT(compared >= 24, "only %u were small enough", compared);
}

SELFTEST(engine_waits_dice, "explore.waits-by-dice",
	 "the same of programs that wait: for answers of other CPUs, for wakes, for locks that "
	 "sleep, "
	 "and that try a lock")
{
	static const struct {
		const struct x_scenario *sc;
		unsigned threads, steps;
		enum engine_kind last; /* kind of a step */
	} programs[] = {{&engine_dice_irq, 2, 2, ENGINE_WAIT},
			{&engine_dice_three, 3, 1, ENGINE_WAIT},
			{&engine_dice_mmu, 2, 2, ENGINE_CALL},
			{&engine_dice_mmu_three, 3, 1, ENGINE_CALL}};
	uint64_t dice = 4;
	unsigned compared = 0;

	for (unsigned n = 0; n < ARRAY_SIZE(known_waits); n++) {
		const char *why = compare_waits(known_waits[n], &compared);

		EXPECT(!why, "known program %u: %s", n, why);
	}
	EXPECT(compared >= 2 * ARRAY_SIZE(known_waits), "only %u were small enough", compared);
	for (unsigned n = 0; n < PROGRAMS; n++) {
		unsigned i = n % ARRAY_SIZE(programs);
		const char *why;

		throw_program(&dice, programs[i].threads, programs[i].steps, programs[i].last);
		why = compare_bounded(programs[i].sc, n % 16 > 3, &compared);
		EXPECT(!why, "program %u: %s", n, why);
	}
	EXPECT(compared > PROGRAMS, "only %u explorations were small enough", compared);
}
