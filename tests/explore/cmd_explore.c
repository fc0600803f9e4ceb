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
	} else if ((text = value_of(word, "shard"))) {
		err = parse_shard(text, opt);
	} else {
		return shell_fail(-EINVAL,
				  "'%s' is no word of this command: lifetime=L, strategy=S, "
				  "model=M, order=O, bound=N, runs=N, seed=N, time=T, check=N, "
				  "shard=k/n, from=N",
				  word);
	}
	return err;
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

/* Strategies that need a number, and got none. */
static void fill_options(struct x_options *opt)
{
	bool random = opt->strategy == X_PCT || opt->strategy == X_RANDOM;

	if (random && !opt->runs)
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

static void print_verdict(const struct x_scenario *sc, const struct x_options *opt,
			  const struct x_result *r)
{
	uint64_t ms = r->ns / 1000000;

	if (r->races)
		x_race_print();
	if (opt->shards)
		print_part(r);
	if (x.interrupts && opt->bound != X_UNBOUND && opt->strategy == X_DPOR)
		kprintf("  note: with a bound DPOR leaves out orders of interrupts; strategy=brute "
			"does "
			"not\n");
	if (r->executions)
		kprintf("  %lu executions/s, %lu ns and %lu events an execution; %lu more were "
			"begun "
			"and known\n",
			(unsigned long)(r->executions * 1000 / MAX(ms, 1ul)),
			(unsigned long)(r->ns / r->executions),
			(unsigned long)(r->steps / r->executions), (unsigned long)r->redundant);
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
}

/* The counterexample is run once more, for its values. */
static int print_finding(const struct x_scenario *sc, const struct x_options *opt)
{
	static uint8_t plan[X_DEPTH];
	static char token[X_DEPTH * 3];
	unsigned len = result.plan_len;
	int err;

	memcpy(plan, result.plan, len);
	err = explore_replay(sc, opt, false, plan, len, &result);
	if (err)
		return shell_fail(err, "%s", refusal());
	if (result.failed)
		return shell_fail(-EIO, "the finding does not come again: %s", result.text);
	x_trail_print(&result);
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

static int list(void)
{
	const struct x_scenario *sc;

	for (unsigned i = 0; (sc = x_scenario_nth(i)); i++)
		kprintf("%-28s %s%s\n", sc->name, sc->claim,
			sc->breaks	 ? " (known to break)"
			: sc->breaks_tso ? " (known to break under tso)"
					 : "");
	return 0;
}

static int unknown_scenario(const char *text)
{
	const char *names[128];
	const struct x_scenario *sc;
	unsigned n = 0;

	for (; n < ARRAY_SIZE(names) && (sc = x_scenario_nth(n)); n++)
		names[n] = sc->name;
	return shell_unknown("scenario", text, names, n);
}

static int cmd_explore(int argc, char **argv)
{
	const struct x_scenario *sc;
	struct x_options opt;
	unsigned matched = 0;
	int err, first = 0;

	default_options(&opt);
	if (argc < 2)
		return shell_usage();
	if (!strcmp(argv[1], "-l"))
		return argc == 2 ? list() : shell_usage();
	if (!strcmp(argv[1], "-i")) {
		x_race_print_intended();
		return argc == 2 ? 0 : shell_usage();
	}
	for (int i = 2; i < argc; i++)
		if ((err = parse_word(argv[i], &opt)))
			return err;
	fill_options(&opt);
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
	"[runs=N] [seed=N] [time=T] [check=N] [shard=k/n] [from=N]",
	"run a scenario in every order of its events, on the real code\n"
	"SCENARIO may be a pattern; -l lists them, -i what may race. strategy=dpor (orders\n"
	"that differ), sleep, brute (all of them), delay, pct, random; model=sc, or tso:\n"
	"stores wait in buffers, as on x86; bound=N: at most N preemptions (delay: delays;\n"
	"pct: depth); runs=N executions; seed=N for pct and random; time=T seconds;\n"
	"order=reverse: the other way round; check=N: compare memory with a copy after every\n"
	"N executions; shard=k/n: the k-th of n parts (0 to n-1), from=N: from its beginning\n"
	"N on, which its line 'beginnings N' says. A broken rule is shown as the shortest way\n"
	"to it, a column a thread, and a token for 'replay'.",
	true);
SHELL_COMMAND(replay, cmd_replay, "replay TOKEN [json]",
	      "run exactly the order of events that a finding of 'explore' was\n"
	      "json: one object a line, an event each, then what was broken.");
