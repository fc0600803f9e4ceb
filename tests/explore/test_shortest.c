/* SPDX-License-Identifier: MIT */
/*
 * A finding is told as the shortest way to it (shorten.c): against brute force, with a bound that
 * grows.
 */
#include "dax/dax.h"
#include "tests/explore/internal.h"
#include "tests/explore/scenarios/engine.h"

static struct x_result r;

#define PROGRAMS 2000u
#define MOST	 20000u /* executions of brute force; a program that needs more is left out */

/* The fewest switches with which brute force finds something, and then the fewest events. */
static void fewest(const struct x_scenario *sc, unsigned *switches, unsigned *events)
{
	struct x_options opt = x_all_orders(X_BRUTE, false);

	for (opt.bound = 0; opt.bound < 8; opt.bound++)
		if (!explore_run(sc, &opt, &r) && r.broken)
			break;
	*switches = opt.bound;
	*events = r.plan_len;
}

static const struct x_scenario *broken_one(unsigned n)
{
	static const char *const names[] = {"wait.woken-too-early", "litmus.locks-crossed",
					    "litmus.add-apart"};

	switch (n) {
	case 0: return &engine_breaks_alone;
	case 1: return &engine_breaks_soon;
	case 2: return &engine_breaks_between;
	case 3:
	case 4:
	case 5: return x_scenario_find(names[n - 3]);
	default: return NULL;
	}
}

SELFTEST(
	engine_shortest, "explore.shortest-is-shortest",
	"a finding is shown with as few switches, and then events, as brute force needs, whichever "
	"way it was found")
{
	const struct x_scenario *sc;
	unsigned switches, events;

	for (unsigned i = 0; (sc = broken_one(i)); i++) {
		fewest(sc, &switches, &events);
		EXPECT(i > 1 || events == 2, "%s: %u events, and two are enough", sc->name, events);
		for (int reverse = 0; reverse < 2; reverse++) {
			struct x_options opt = x_all_orders(X_RANDOM, false);

			opt.go_on = opt.quick = false;
			opt.runs = 500;
			opt.seed = 1 + (unsigned)reverse;
			EXPECT(!explore_run(sc, &opt, &r) && r.broken, "%s: %s", sc->name, r.text);
			EXPECT(r.preempts == switches, "%s: %u switches, and %u are enough",
			       sc->name, r.preempts, switches);
			EXPECT(!r.unsure, "%s: the search was not ended", sc->name);
			EXPECT(r.plan_len == events, "%s: %u events, and %u are enough", sc->name,
			       r.plan_len, events);
		}
	}
}

/* A program of two threads, or of three, and a value that its first variable may come to have. */
static void throw_never(uint64_t *dice)
{
	unsigned threads = 2 + (unsigned)(*dice >> 60) % 2;

	memset(engine_program, 0, sizeof(engine_program));
	engine_spread = 1;
	for (unsigned i = 0; i < 2 * threads; i++) {
		*dice = *dice * 6364136223846793005ull + 1442695040888963407ull;
		engine_program[i / 2][i % 2] = (struct engine_step){
			.kind = (enum engine_kind)(
				1 + (*dice >> 33) % (threads == 3 ? ENGINE_LOCKED : ENGINE_CALL)),
			.variable = (uint32_t)(*dice >> 40) % ENGINE_VARIABLES,
			.value = 1 + (uint32_t)(*dice >> 50) % 3};
	}
	engine_never = (uint32_t)(*dice >> 53) % 12;
}

/* Explored with at most `bound` switches, or as many as are wanted. Does it come to that value? */
static bool comes_to_it(struct x_options opt, unsigned bound)
{
	opt.bound = bound;
	opt.go_on = false;
	return !explore_run(&engine_dice_never, &opt, &r) && r.broken;
}

/* As many are enough for brute force; X_UNBOUND: it needs too many executions to say. */
static unsigned enough(bool tso)
{
	struct x_options opt = x_all_orders(X_BRUTE, tso);

	opt.runs = MOST;
	for (unsigned bound = 0;; bound++) {
		if (comes_to_it(opt, bound))
			return bound;
		if (r.executions + r.redundant >= MOST)
			return X_UNBOUND;
	}
}

/* Explored, and shown with as few switches as brute force needs? A sentence if not; NULL, and
 * whether it was compared: it comes to that value, with a switch, and brute force ends. */
static const char *compare_switches(bool tso, unsigned *compared)
{
	static char text[80];
	struct x_options opt = x_all_orders(X_DPOR, tso);
	unsigned switches;

	if (!comes_to_it(opt, X_UNBOUND) || (switches = enough(tso)) == X_UNBOUND)
		return NULL;
	opt.quick = false;
	*compared += switches != 0;
	snprintf(text, sizeof(text), "%u switches, and %u are enough",
		 comes_to_it(opt, X_UNBOUND) ? r.preempts : X_UNBOUND, switches);
	return r.preempts == switches ? NULL : text;
}

SELFTEST(engine_shortest_known, "explore.shortest-known",
	 "a finding that DPOR with one switch leaves out is shown with one")
{
	unsigned compared = 0;
	const char *why;

	memset(engine_program, 0, sizeof(engine_program));
	engine_spread = engine_never = 1;
	engine_program[0][0] = (struct engine_step){ENGINE_ADD, 0, 0};
	engine_program[0][1] = (struct engine_step){ENGINE_LOCKED, 0, 0};
	engine_program[1][0] = (struct engine_step){ENGINE_TRY, 0, 0};
	engine_program[1][1] = (struct engine_step){ENGINE_INTERRUPT, 0, 0};
	why = compare_switches(true, &compared);
	EXPECT(!why && compared == 1, "%s", why ? why : "it does not come to that");
}

SELFTEST(engine_shortest_dice, "explore.shortest-by-dice",
	 "what programs by dice come to in some orders is shown with as few switches as brute "
	 "force needs")
{
	uint64_t dice = 5;
	unsigned compared = 0;

	for (unsigned n = 0; n < PROGRAMS; n++) {
		const char *why;

		throw_never(&dice);
		why = compare_switches(n % 2, &compared);
		EXPECT(!why, "program %u: %s", n, why);
	}
	EXPECT(compared > PROGRAMS / 100, "only %u needed a switch", compared);
}
