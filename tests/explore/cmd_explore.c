/* SPDX-License-Identifier: MIT */
/* The commands: explore, and replay of one order. */
#include "dax/dax.h"
#include "tests/explore/internal.h"

static struct x_result result; /* one exploration at a time: the shell's */

static int parse_strategy(const char *text, struct x_options *opt)
{
	const char *names[X_STRATEGIES];

	for (unsigned i = 0; i < X_STRATEGIES; i++) {
		names[i] = x_strategy_name(i);
		if (!strcmp(text, names[i])) {
			opt->strategy = i;
			return 0;
		}
	}
	return shell_unknown("strategy", text, names, X_STRATEGIES);
}

static int parse_model(const char *text, struct x_options *opt)
{
	static const char *const models[] = {"sc", "tso"};

	opt->tso = !strcmp(text, "tso");
	return opt->tso || !strcmp(text, "sc") ? 0 : shell_unknown("model", text, models, 2);
}

static int parse_order(const char *text, struct x_options *opt)
{
	static const char *const orders[] = {"forward", "reverse"};

	opt->reverse = !strcmp(text, "reverse");
	return opt->reverse || !strcmp(text, "forward") ? 0
							: shell_unknown("order", text, orders, 2);
}

static int parse_lifetime(const char *text, struct x_options *opt)
{
	opt->lifetime = lifetime_find(text);
	if (!opt->lifetime)
		return shell_fail(-EINVAL, "there is no lifetime '%s'; 'lifetime' lists them",
				  text);
	opt->lifetime_name = opt->lifetime->name;
	return 0;
}

static int parse_count(const char *what, const char *text, uint64_t most, uint64_t *v)
{
	int err = shell_number(what, text, v);

	if (!err && *v > most)
		return shell_fail(-EINVAL, "%s %s is more than %lu", what, text,
				  (unsigned long)most);
	return err;
}

static const char *value_of(const char *word, const char *name)
{
	size_t n = strlen(name);

	return !strncmp(word, name, n) && word[n] == '=' ? word + n + 1 : NULL;
}

/* "2/8": the third of eight, as they are numbered from 0. */
static int parse_shard(const char *text, struct x_options *opt)
{
	char *end;
	unsigned long k = strtoul(text, &end, 10), n = 0;

	if (end != text && *end == '/')
		n = strtoul(end + 1, &end, 10);
	if (*end || k >= n || n > 4096)
		return shell_fail(-EINVAL, "shard=%s is not k/n with k below n and n up to 4096",
				  text);
	opt->shard = (unsigned)k;
	opt->shards = (unsigned)n;
	return 0;
}

static int parse_number(const char *word, struct x_options *opt)
{
	uint64_t v = 0;
	const char *text;
	int err;

	if ((text = value_of(word, "bound"))) {
		err = parse_count("bound", text, 1000, &v);
		opt->bound = (uint32_t)v;
	} else if ((text = value_of(word, "time"))) {
		err = parse_count("time", text, 1000000, &v);
		opt->time_ns = v * 1000000000ull;
	} else if ((text = value_of(word, "runs"))) {
		err = parse_count("runs", text, UINT32_MAX, &opt->runs);
	} else if ((text = value_of(word, "seed"))) {
		err = parse_count("seed", text, UINT32_MAX, &opt->seed);
	} else if ((text = value_of(word, "check"))) {
		err = parse_count("check", text, UINT32_MAX, &v);
		opt->check = (unsigned)v;
	} else if ((text = value_of(word, "from"))) {
		err = parse_count("from", text, UINT32_MAX, &opt->from);
	} else if ((text = value_of(word, "short"))) {
		err = parse_count("short", text, 1, &v);
		opt->quick = !v;
	} else if ((text = value_of(word, "mixed"))) {
		err = parse_count("mixed", text, 1, &v);
		opt->mixed = v;
	} else if ((text = value_of(word, "shard"))) {
		err = parse_shard(text, opt);
	} else {
		return shell_fail(-EINVAL,
				  "'%s' is no word of this command: lifetime=L, strategy=S, "
				  "model=M, order=O, bound=N, runs=N, seed=N, time=T, check=N, "
				  "shard=k/n, from=N, short=0, mixed=1",
				  word);
	}
	return err;
}

/* Words that some strategies do without. */
enum {
	GIVEN_BOUND = 1u << 0,
	GIVEN_RUNS = 1u << 1,
	GIVEN_SEED = 1u << 2,
	GIVEN_TIME = 1u << 3,
	GIVEN_ORDER = 1u << 4,
	GIVEN_FROM = 1u << 5,
	GIVEN_LIFETIME = 1u << 6,
	GIVEN_STRATEGY = 1u << 7,
	GIVEN_MODEL = 1u << 8,
	GIVEN_CHECK = 1u << 9,
	GIVEN_SHARD = 1u << 10,
	GIVEN_SHORT = 1u << 11,
	GIVEN_MIXED = 1u << 12,
};

/* The bit of this word in `given`; 0: it is none of them. */
static unsigned bit_of(const char *word)
{
	static const char *const words[] = {"bound", "runs",	 "seed",     "time",  "order",
					    "from",  "lifetime", "strategy", "model", "check",
					    "shard", "short",	 "mixed"};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++)
		if (value_of(word, words[i]))
			return 1u << i;
	return 0;
}

static int parse_word(const char *word, struct x_options *opt)
{
	const char *text;

	if ((text = value_of(word, "lifetime")))
		return parse_lifetime(text, opt);
	if ((text = value_of(word, "strategy")))
		return parse_strategy(text, opt);
	if ((text = value_of(word, "model")))
		return parse_model(text, opt);
	if ((text = value_of(word, "order")))
		return parse_order(text, opt);
	return parse_number(word, opt);
}

static void default_options(struct x_options *opt)
{
	*opt = (struct x_options){.lifetime = LIFETIME_DEFAULT,
				  .lifetime_name = LIFETIME_DEFAULT->name,
				  .strategy = X_DPOR,
				  .bound = X_UNBOUND,
				  .seed = 1};
}

static bool is_random(const struct x_options *opt)
{
	return opt->strategy == X_PCT || opt->strategy == X_RANDOM;
}

/* A word that says nothing here, or something that cannot be: the sentence. NULL: there is none.
 * `given` has a bit for each word that was there. */
static const char *contradiction(const struct x_options *opt, unsigned given)
{
	if ((given & GIVEN_RUNS) && !opt->runs)
		return "runs=0 runs nothing: leave it out for as many as there are";
	if ((given & GIVEN_TIME) && !opt->time_ns)
		return "time=0 is no time: leave it out for as long as it takes";
	if ((given & GIVEN_BOUND) && opt->strategy == X_RANDOM)
		return "strategy=random has no bound: leave bound=N out, or take strategy=pct";
	if ((given & GIVEN_BOUND) && opt->strategy == X_PCT &&
	    (!opt->bound || opt->bound > X_PCT_DEPTH))
		return "the bound of strategy=pct is how many orderings a fault needs: 1 to 16";
	if (opt->strategy == X_STATES && opt->bound != X_UNBOUND && opt->bound > X_STATES_BOUND)
		return "strategy=states counts preemptions up to 14: take a smaller bound, or none";
	if (opt->strategy == X_STATES && opt->shards)
		return "strategy=states has no parts: one does not know which states another has "
		       "seen, so they would not add up";
	if ((given & GIVEN_SEED) && !is_random(opt))
		return "seed=N is for strategy=pct and strategy=random: the others throw no dice";
	if ((given & GIVEN_ORDER) && is_random(opt))
		return "order=O is for strategies that go through all orders, and this one does "
		       "not";
	if (opt->mixed && opt->tso)
		return "mixed=1 is asked of model=sc: with store buffers nothing else would be "
		       "found";
	if ((given & GIVEN_FROM) && !opt->shards)
		return "from=N is a beginning of a part: say which part by shard=k/n";
	if ((given & GIVEN_FROM) && is_random(opt))
		return "from=N is for strategies that go through all orders, and this one does not";
	return NULL;
}

/* Strategies that need a number, and got none. */
static void fill_options(struct x_options *opt)
{
	if (is_random(opt) && !opt->runs)
		opt->runs = 1000;
	if (opt->strategy == X_PCT && opt->bound == X_UNBOUND)
		opt->bound = 3;
	if (opt->strategy == X_DELAY && opt->bound == X_UNBOUND)
		opt->bound = 2;
}

/* What a merger of parts needs: which outcomes, and where one that was stopped goes on. */
static void print_part(const struct x_result *r)
{
	uint64_t outcome;

	for (unsigned i = 0; (outcome = x_outcome_nth(i)); i++)
		kprintf("outcome %016lx\n", (unsigned long)outcome);
	kprintf("beginnings %lu executions %lu\n",
		(unsigned long)(r->complete ? x.beginnings : x.beginning),
		(unsigned long)(r->complete ? r->executions : x.executions_before));
}

const char *x_saw_nothing(const struct x_result *r)
{
	if (r->failed || !r->executions || r->depth)
		return NULL;
	return "no event was seen, so there is one order, and nothing was asked: the code that the "
	       "threads call is none that is compiled for the explorer (docs/explorer.md)";
}

static void print_verdict(const struct x_scenario *sc, const struct x_options *opt,
			  const struct x_result *r)
{
	uint64_t ms = r->ns / 1000000;

	if (r->races)
		x_race_print();
	if (opt->shards)
		print_part(r);
	if (opt->strategy == X_STATES)
		kprintf("  %lu states were kept%s\n", (unsigned long)r->states,
			r->forgot ? "; there was no memory for more, which were run each time"
				  : "");
	if (r->executions)
		kprintf("  %lu executions/s, %lu ns and %lu events an execution; %lu more were "
			"begun "
			"and known\n",
			(unsigned long)(r->runs * 1000 / MAX(ms, 1ul)),
			(unsigned long)(r->ns / r->runs),
			(unsigned long)(r->steps / (r->executions + r->redundant)),
			(unsigned long)r->redundant);
	kprintf("explore %s lifetime=%s model=%s strategy=%s: ", sc->name,
		sc->lifetimes ? opt->lifetime_name : "-", opt->tso ? "tso" : "sc",
		x_strategy_name(opt->strategy));
	if (r->failed) {
		kprintf("cannot: %s\n", r->text);
		return;
	}
	if (r->bounded)
		kprintf("bounded (%s)", r->bounded);
	else
		kprintf("%s", r->complete ? "complete" : "ended");
	kprintf(", %lu executions, %u outcomes, depth %u, ", (unsigned long)r->executions,
		r->outcomes, r->depth);
	if (r->broken)
		kprintf("BROKEN %s %s\n", r->rule, r->text);
	else
		kprintf("safe\n");
	if (x_saw_nothing(r))
		kprintf("  %s\n", x_saw_nothing(r));
}

/* The counterexample is run once more, for its values. */
static int print_finding(const struct x_scenario *sc, const struct x_options *opt)
{
	static uint8_t plan[X_DEPTH];
	static char token[X_DEPTH * 3];
	unsigned len = result.plan_len;
	bool unsure = result.unsure;
	int err;

	memcpy(plan, result.plan, len);
	err = explore_replay(sc, opt, false, plan, len, &result);
	if (err)
		return shell_fail(err, "%s", refusal());
	if (result.failed)
		return shell_fail(-EIO, "the finding does not come again: %s", result.text);
	x_trail_print(&result);
	if (unsure)
		kprintf("  there may be a shorter way: the search for it was stopped\n");
	x_token(sc, &result, token, sizeof(token));
	kprintf("token %s\n", token);
	return 0;
}

static int explore_one(const struct x_scenario *sc, const struct x_options *opt)
{
	int err = explore_run(sc, opt, &result);
	bool broken, expected = sc->breaks || (sc->breaks_tso && opt->tso);

	if (err)
		return shell_fail(err, "%s: %s", sc->name, refusal());
	if (result.complete && opt->from > x.beginnings)
		return shell_fail(
			-EINVAL,
			"%s: from=%lu is behind the last of %lu beginnings: nothing was run",
			sc->name, (unsigned long)opt->from, (unsigned long)x.beginnings);
	print_verdict(sc, opt, &result);
	if (result.failed)
		return -EIO;
	broken = result.broken;
	if (broken)
		err = print_finding(sc, opt);
	if (err)
		return err;
	return broken && !expected ? -EFAULT : 0;
}

static unsigned nr_named(const struct x_thread *t, unsigned most)
{
	unsigned n = 0;

	while (n < most && t[n].name)
		n++;
	return n;
}

/* Name, threads and devices, an l where lifetimes differ, the claim. */
static int list(void)
{
	const struct x_scenario *sc;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		kprintf("%-30s %u+%u %s %s%s\n", sc->name, nr_named(sc->thread, X_MAX_THREADS),
			nr_named(sc->device, X_MAX_DEVICES), sc->lifetimes ? "l" : " ", sc->claim,
			sc->breaks	 ? " (known to break)"
			: sc->breaks_tso ? " (known to break under tso)"
					 : "");
	return 0;
}

static int unknown_scenario(const char *text)
{
	const char *names[256];
	const struct x_scenario *sc;
	unsigned n = 0;

	for (; n < ARRAY_SIZE(names) && (sc = x_scenario_nth(n)); n++)
		names[n] = sc->name;
	return shell_unknown("scenario", text, names, n);
}

/* The words behind the scenario's name. */
static int parse_words(int argc, char **argv, struct x_options *opt)
{
	const struct x_scenario *sc = x_scenario_find(argv[1]);
	unsigned given = 0;
	const char *why;
	int err;

	default_options(opt);
	for (int i = 2; i < argc; i++) {
		if ((err = parse_word(argv[i], opt)))
			return err;
		if (given & bit_of(argv[i]))
			return shell_fail(-EINVAL, "'%s' says again what an earlier word said",
					  argv[i]);
		given |= bit_of(argv[i]);
	}
	why = contradiction(opt, given);
	if (why)
		return shell_fail(-EINVAL, "%s", why);
	if ((given & GIVEN_LIFETIME) && sc && !sc->lifetimes)
		return shell_fail(-EINVAL,
				  "%s is the same under every lifetime: leave lifetime=L out",
				  sc->name);
	fill_options(opt);
	return 0;
}

static int print_intended(void)
{
	x_race_print_intended();
	return 0;
}

static int cmd_explore(int argc, char **argv)
{
	const struct x_scenario *sc;
	struct x_options opt;
	unsigned matched = 0;
	int err, first = 0;

	if (argc < 2)
		return shell_usage();
	if (!strcmp(argv[1], "-l"))
		return argc == 2 ? list() : shell_usage();
	if (!strcmp(argv[1], "-i"))
		return argc == 2 ? print_intended() : shell_usage();
	err = parse_words(argc, argv, &opt);
	if (err)
		return err;
	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++) {
		if (!glob_match(argv[1], sc->name))
			continue;
		matched++;
		err = explore_one(sc, &opt);
		first = first ? first : err;
	}
	return matched ? first : unknown_scenario(argv[1]);
}

static int cmd_replay(int argc, char **argv)
{
	static uint8_t plan[X_DEPTH];
	const struct x_scenario *sc;
	struct x_options opt;
	unsigned len;
	int err;

	if (argc < 2 || argc > 3 || (argc == 3 && strcmp(argv[2], "json")))
		return shell_usage();
	default_options(&opt);
	err = x_token_parse(argv[1], &sc, &opt, plan, &len);
	if (!err)
		err = explore_replay(sc, &opt, true, plan, len, &result);
	if (err)
		return shell_fail(err, "%s", refusal());
	if (result.failed)
		return shell_fail(-EIO, "%s", result.text);
	if (x.state.depth < len)
		return shell_fail(-EIO,
				  "the order is over behind event %u, and the token has %u: the "
				  "code, or the scenario, is not what it was",
				  x.state.depth, len);
	if (argc == 3)
		x_trail_json(sc, &result);
	else
		x_trail_print(&result);
	return 0;
}

static void offer_scenarios(struct shell_offers *o)
{
	const struct x_scenario *sc;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		shell_offer(o, sc->name);
}
SHELL_KIND(scenario, "SCENARIO", "explore", offer_scenarios);
SHELL_COMMAND(
	explore, cmd_explore,
	"explore -l|-i|SCENARIO [lifetime=L] [strategy=S] [model=M] [order=O] [bound=N] "
	"[runs=N] [seed=N] [time=T] [check=N] [shard=k/n] [from=N] [short=0] [mixed=1]",
	"run a scenario in every order of its events, on the real code\n"
	"SCENARIO may be a pattern; -l lists them, -i what may race. strategy=dpor (orders\n"
	"that differ), sleep, brute (all of them), states (each state once: the one for\n"
	"three threads and a bound), delay, pct, random; model=sc, or tso:\n"
	"stores wait in buffers, as on x86; bound=N: at most N preemptions (delay: delays;\n"
	"pct: depth); runs=N executions; seed=N for pct and random; time=T seconds;\n"
	"order=reverse: the other way round; check=N: compare memory with a copy after every\n"
	"N executions; shard=k/n: the k-th of n parts (0 to n-1), from=N: from its beginning\n"
	"N on, which its line 'beginnings N' says. A broken rule is shown as the shortest way\n"
	"to it, a column a thread, and a token for 'replay'; short=0: by the first way.\n"
	"mixed=1: plain accesses of words that others access atomically are listed as races.",
	true);
SHELL_COMMAND(replay, cmd_replay, "replay TOKEN [json]",
	      "run exactly the order of events that a finding of 'explore' was\n"
	      "json: one object a line, an event each, then what was broken.");
