/* SPDX-License-Identifier: MIT */
/*
 * An exploration: executions one after the other, until every order that is owed was run.
 *
 * Each execution begins from the same memory, runs the events that it shares with the one before,
 * takes another way at one of them, and ends: all threads over, a rule broken, everybody waiting,
 * or an order that is known already. Then memory is put back (undo.c). What came out is counted in
 * a set of outcomes. A broken rule ends the exploration, and a second one with few preemptions
 * looks for the shortest way to the same rule.
 */
#include "tests/explore/internal.h"
#include "dax/dax.h"

#define BREATHE	       256u /* executions between two looks at the machine around */
#define BREATHE_SLOWLY 16u  /* or so many, if they took this long: */
#define BREATHE_NS     500000000ull
#define MEMORY_DIFFERS 3u    /* checks in a row that found a difference: then it is one */
#define LEARN_RUNS     1000u /* executions by each strategy before a token from elsewhere is run */
#define LEARN_PART     200u  /* the same before a part, which says so if it learns more later */
#define LEARN_DEPTH    3u
#define PROGRESS_NS    1000000000ull

const struct lifetime *x_lifetime(void)
{
	return x.sc && x.sc->lifetimes ? x.opt.lifetime : NULL;
}

/* ---- one execution */

/* The driver gives the first turn, and the one behind each moment that it keeps. */
static void go_on(void) __noreturn;
static void go_on(void)
{
	for (;;) {
		if (x.state.depth >= x_moment_next)
			x_moment_keep();
		x.driving = true;
		x_next();
	}
}

static void drive(void) __noreturn;
static void drive(void)
{
	x_actors_make();
	x_mmu_reset();
	machine_set_cpu(&x_cpu[0]);
	if (x.sc->start) {
		x.me = &x.actor[0];
		x.me->quiet++;
		x_live = true;
		x.sc->start();
		x_live = false;
		x.me->quiet--;
	}
	x_actors_go();
	go_on();
}

static void reset(void)
{
	x.state.depth = 0;
	x.state.last_thread = X_ACTORS;
	x.state.alive = x.state.waits = 0;
	/* Buffers keep clocks, too, and a state is a hash of all of a clock. */
	x.state.far = x.opt.tso || x.opt.strategy == X_STATES;
	x_moment_next = 0;
	x.state.wrote = true;
	x.state.asked = 0;
	x_arena_reset();
	x_freed_reset();
	x_race_reset();
	x_tso_reset();
	x_timers_reset();
	x_calls_reset();
	x_sched_reset();
}

static bool is_checked(void)
{
	return x.opt.check && x.result->executions % x.opt.check == 0;
}

/* Another CPU may write meanwhile, to words of its own, but not in each of several executions. */
static void compare_memory(void)
{
	static unsigned in_a_row;
	char text[X_TEXT];

	if (x_check_compare(text, sizeof(text))) {
		in_a_row = 0;
	} else if (++in_a_row >= MEMORY_DIFFERS) {
		strcpy(x.text, text);
		x.ended = X_FAILED;
	}
}

static void begin_state(void)
{
	x.ended = X_GOES_ON;
	x.observed_end = 0;
	x.at_end = x.starting = false;
	x.rule[0] = x.text[0] = 0;
}

static void run_once(void)
{
	unsigned cpus_outside = nr_cpus;
	void (*way)(void) = go_on;

	x.outside = machine_cpu();
	begin_state();
	if (is_checked())
		x_moment_forget();
	if (is_checked() && !x_check_copy())
		x.opt.check = 0;
	if (!x_moment_return(x.keep)) {
		reset();
		way = drive;
	}
	nr_cpus = 0;
	while (nr_cpus < X_MAX_THREADS && x.sc->thread[nr_cpus].name)
		nr_cpus++;
	machine_switch(&x.main_sp, machine_stack(x_driver_stack(), way));
	machine_set_cpu(x.outside);
	nr_cpus = cpus_outside;
	x.me = NULL;
	if (is_checked()) {
		x_moment_forget();
		compare_memory();
	}
}

/* The same order from its first event on, for races that were not looked for (race.c). One that is
 * known already ends where it does for a reason that is not in it. */
static void run_again(void)
{
	x.again = false;
	if (x.learnt || (x.ended != X_OVER && x.ended != X_BROKEN))
		return;
	x_moment_forget();
	x.keep = x.state.depth;
	x.branching = false;
	run_once();
}

static void execute(void)
{
	x.again = false;
	run_once();
	if (x.again)
		run_again();
	x.result->executions++;
	x.result->runs++;
	x.result->steps += x.state.depth;
	x.result->depth = MAX(x.result->depth, x.state.depth);
}

/* ---- what came out */

static unsigned preemptions(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < x.state.depth; i++)
		n += x_preempted(&x.node[i]);
	return n;
}

/* The finding of this execution, if it is the first, or a shorter way to the same rule. */
static void keep_finding(void)
{
	struct x_result *r = x.result;
	unsigned p = preemptions();

	if (r->broken && (strcmp(r->rule, x.rule) || p > r->preempts ||
			  (p == r->preempts && x.state.depth >= r->plan_len)))
		return;
	r->broken = true;
	strcpy(r->rule, x.rule);
	strcpy(r->text, x.text);
	r->plan_len = x.state.depth;
	r->preempts = p;
	for (unsigned i = 0; i < x.state.depth; i++)
		r->plan[i] = x.node[i].actor;
}

/* False: the exploration ends here. */
static bool judge(void)
{
	struct x_result *r = x.result;

	if (!x_end_is_ours())
		x.ended = X_REDUNDANT; /* another shard's */
	if (x.ended == X_REDUNDANT) {
		r->redundant++;
		r->executions--;
		return true;
	}
	if (x.ended == X_FAILED) {
		r->failed = true;
		strcpy(r->text, x.text);
		return false;
	}
	x_outcome_count();
	if (x.ended == X_BROKEN)
		keep_finding();
	return x.ended != X_BROKEN || x.opt.go_on;
}

/* ---- all of them */

/* A line now and then, with an estimate of the whole. */
static void tell_progress(uint64_t began)
{
	const struct x_result *r = x.result;
	uint64_t now = machine_clock();
	unsigned part = x_done_part();

	if (x.opt.quick || now - x.told < PROGRESS_NS)
		return;
	x.told = now;
	kprintf("  %lu executions, %lu/s, depth %u, %u outcomes; done: about %u.%u %%\n",
		(unsigned long)r->executions,
		(unsigned long)(r->executions * 1000000 / ((now - began) / 1000 + 1)), r->depth,
		r->outcomes, part / 10, part % 10);
}

static bool out_of_time(uint64_t began)
{
	struct x_result *r = x.result;
	uint64_t begun = r->executions + r->redundant;
	bool look = begun % BREATHE == 0 ||
		    (begun % BREATHE_SLOWLY == 0 && machine_clock() - x.breathed > BREATHE_NS);

	if (look) {
		x_moment_forget();
		tell_progress(began);
		x.breathed = machine_clock();
	}
	if (look && machine_breathe()) {
		r->bounded = "Ctrl-C";
		return true;
	}
	if (x.opt.time_ns && machine_clock() - began > x.opt.time_ns) {
		r->bounded = "time";
		return true;
	}
	if (x.opt.strategy < X_PCT && x.opt.runs && r->executions + r->redundant >= x.opt.runs) {
		r->bounded = "runs";
		return true;
	}
	return false;
}

/* What was counted so far is forgotten; the first execution is to come once more. */
static void begin_again(void)
{
	struct x_result *r = x.result;

	x_moment_forget();
	x.learnt = false;
	x.stale = true;
	if (x.shortening) /* an order of before means another one now */
		r->preempts = r->plan_len = UINT32_MAX;
	else
		r->broken = false;
	x_outcomes_reset();
	r->executions = r->redundant = r->steps = r->outcome_sum = 0;
	r->outcomes = r->depth = 0;
	x.keep = x.state.depth = x.half_count = 0;
	x.branching = false;
	x_first_beginning();
	x_chains_reset();
	x_states_reset();
	x_alone_again();
	x_strategy_start();
}

void x_search(void)
{
	uint64_t began = machine_clock();

	x.keep = 0;
	x.branching = x.stopped = false;
	x_first_beginning();
	x_chains_reset();
	x_states_reset();
	x_alone_again();
	x.told = x.breathed = began;
	x_strategy_start();
	for (;;) {
		execute();
		if (x.learnt) {
			if (x.opt.shards)
				x.result->bounded = "learnt late, so the parts do not add up";
			begin_again();
			continue;
		}
		if (!judge() || (x.stopped = out_of_time(began)))
			break;
		if (!x_backtrack()) {
			x.result->complete = !x.result->bounded;
			break;
		}
	}
	if (!x.result->complete && x.has_beginning)
		machine_gives_back(x.beginning); /* who goes on begins with it */
	x.result->states = x_states_kept();
	x_moment_forget();
	x.result->ns += machine_clock() - began;
}

static bool memory_for_all(void)
{
	static struct x_node *nodes;

	if (!nodes)
		nodes = machine_memory((X_DEPTH + 2) * sizeof(*nodes));
	x.node = nodes + 1; /* what comes before the first event is nobody's, and costs nothing */
	return nodes && x_actors_init() && x_undo_init() && x_race_init() && x_arena_init() &&
	       x_chains_init() && x_moment_init() && x_trail_init() && x_alike_init() &&
	       x_states_init() && x_alone_init();
}

static int begin(const struct x_scenario *sc, const struct x_options *opt, struct x_result *r)
{
	int err;

	if (!memory_for_all())
		return refuse(-ENOMEM,
			      "the explorer wants some MiB of memory: give the machine more");
	memset(r, 0, sizeof(*r));
	x_outcomes_reset();
	x.sc = sc;
	x.opt = *opt;
	x.result = r;
	x.plan = NULL;
	x.plan_len = 0;
	x.nr_watches = 0;
	x.half_count = 0;
	x.learnt = false;
	x_rule_reset();
	if (!x_alike_begin())
		return refuse(-ENOMEM, "no memory for an address space of the scenario's own");
	err = sc->setup ? sc->setup() : 0;
	x_frames_keep();
	x_arena_keep();
	if (!err)
		return 0;
	x_alike_end();
	x.sc = NULL;
	return err;
}

static void end(void)
{
	if (x.sc->teardown)
		x.sc->teardown();
	x_alike_end();
	x.sc = NULL;
}

/* What another exploration learnt of its scenario. */
static void forget(const struct x_scenario *sc)
{
	x_shared_reset();
	x_halts_reset();
	x_known_reset();
	x_alone_forget();
	x.interrupts = sc->interrupts;
}

/* What is listed as a race is a race. */
static void learn_by(enum x_strategy strategy)
{
	unsigned races;

	x.opt.strategy = strategy;
	x.opt.bound = strategy == X_PCT ? LEARN_DEPTH : X_UNBOUND;
	x_search();
	races = x.result->races;
	memset(x.result, 0, sizeof(*x.result));
	x.result->races = races;
}

/* Which places are accessed atomically is part of what an order means, and of what a shard's
 * beginnings are: some executions tell. DPOR comes last to what is seen only if another thread goes
 * first, dice soon; priorities to what is seen only if one is over before another begins. */
static void learn(unsigned runs)
{
	struct x_options opt = x.opt;

	forget(x.sc);
	x.learning = true;
	x.opt.runs = runs; /* behind the last one that told something */
	x.opt.shards = x.opt.shard = 0;
	x.opt.seed = 1;
	x.opt.go_on = x.opt.quick = true;
	learn_by(X_RANDOM);
	learn_by(X_PCT);
	learn_by(X_DPOR);
	x.learning = false;
	x.opt = opt;
	x_outcomes_reset();
}

int explore_run(const struct x_scenario *sc, const struct x_options *opt, struct x_result *r)
{
	int err;

	forget(sc);
	err = begin(sc, opt, r);
	if (err)
		return err;
	machine_enter();
	x.interrupts |= opt->more != 0;
	x.noting = opt->strategy == X_STATES;
	if (opt->shards || (x.noting && !opt->untaught))
		learn(x.noting ? LEARN_RUNS : LEARN_PART);
	x_search();
	x.noting = false;
	x.stale = false;
	if (r->broken && !r->failed && !opt->quick)
		x_shorten();
	if (x.stale) { /* the first way is none any more, and no shorter one was found */
		x.stale = false;
		r->broken = false;
		x.opt.shards = x.opt.shard = 0; /* ours are taken, and are others now */
		x_search();
	}
	machine_leave();
	end();
	return 0;
}

/* The order once, with what is known of atomic places; again, if that was not all. */
static void replay(void)
{
	x.replaying = true;
	x.keep = 0;
	x_chains_reset();
	x_states_reset();
	x_alone_again();
	x.branching = false;
	x_strategy_start();
	do {
		x.learnt = false;
		execute();
		x_trail_keep(x.state.depth);
		x_moment_forget();
	} while (x.learnt);
	judge();
	x.replaying = false;
}

int explore_replay(const struct x_scenario *sc, const struct x_options *opt, bool fresh,
		   const uint8_t *plan, unsigned len, struct x_result *r)
{
	int err = begin(sc, opt, r);

	if (err)
		return err;
	machine_enter();
	if (fresh)
		learn(LEARN_RUNS);
	x.opt.shards = x.opt.shard = 0; /* whoever's it is */
	x.plan = plan;
	x.plan_len = len;
	replay();
	machine_leave();
	end();
	return 0;
}
