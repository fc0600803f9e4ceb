/* SPDX-License-Identifier: MIT */
/*
 * The command `bench`: is a tick an instruction, what does a timed section cost when it is empty,
 * and then each row that was asked for.
 *
 * Values are medians: an interrupt in one section does not show. Instruction counts repeat to the
 * digit under -icount; nanoseconds do not, and are there to see orders of magnitude.
 */
#include <stdarg.h>

#include "kernel/shell/internal.h"
#include "tests/kernel/bench/bench.h"

#define LOOP_ROUNDS 1000000ull
#define LOOP_INSNS  (2 * LOOP_ROUNDS)
#define LOOP_TRIES  5u
#define MAX_ROWS    256
#define LOOP_EXTRA  64u /* what may lie around the loop: the reads, a few moves */

extern const struct bench __start_hf_benches[], __stop_hf_benches[];

struct mutex bench_lock = MUTEX_INIT("bench");
/* Under bench_lock. */
static uint64_t samples[BENCH_MAX_REPEATS];
static bool tick_is_insn;
static uint64_t empty_ticks; /* of a timed section without contents */

void bench_skip(struct bench_run *b, const char *fmt, ...)
{
	va_list ap;

	if (b->skipped)
		return;
	b->skipped = true;
	va_start(ap, fmt);
	vsnprintf(b->why, sizeof(b->why), fmt, ap);
	va_end(ap);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Hundredths of an instruction, or of a nanosecond. */
static uint64_t ticks_to_value(uint64_t ticks, uint64_t per)
{
	if (!tick_is_insn)
		ticks = (uint64_t)((unsigned __int128)ticks * 1000000 / tsc_per_ms());
	return (ticks * 100 + per / 2) / per;
}

void bench_samples(struct bench_run *b, enum bench_unit unit, uint64_t *ticks, unsigned nr,
		   uint64_t per)
{
	qsort(ticks, nr, sizeof(*ticks), by_value);
	b->unit = unit;
	b->insns = tick_is_insn;
	b->n = nr * per;
	b->value = ticks_to_value(ticks[nr / 2] - MIN(ticks[nr / 2], empty_ticks), per);
}

static void run_one(const struct bench_case *c, uint64_t *ticks)
{
	uint64_t start;

	if (c->before)
		c->before(c->arg);
	start = rdtsc();
	c->op(c->arg);
	*ticks = rdtsc() - start;
	if (c->after)
		c->after(c->arg);
}

void bench_measure(struct bench_run *b, enum bench_unit unit, const struct bench_case *c,
		   unsigned repeats, uint64_t per)
{
	ASSERT(repeats && repeats <= BENCH_MAX_REPEATS && per, "%s: %u repeats of %lu operations",
	       b->name, repeats, per);
	for (unsigned i = 0; i < repeats && !b->skipped; i++)
		run_one(c, &samples[i]);
	if (b->skipped)
		return;
	bench_samples(b, unit, samples, repeats, per);
	if (c->before)
		c->before(c->arg);
	bench_count(b, c->stepped ? c->stepped : c->op, c->arg, per);
	if (c->after)
		c->after(c->arg);
}

void bench_bytes(struct bench_run *b, uint64_t bytes, uint64_t n)
{
	b->unit = BENCH_BYTES;
	b->value = bytes * 100;
	b->n = n;
}

void bench_rate(struct bench_run *b, uint64_t wakeups, uint64_t ns)
{
	b->unit = BENCH_WAKEUPS;
	b->value = ns ? (wakeups * 100 * 1000000000 + ns / 2) / ns : 0;
	b->n = wakeups;
}

void bench_waits(struct bench_run *b, uint64_t waits, uint64_t n)
{
	b->unit = BENCH_WAITS;
	b->value = waits * 100 / n;
	b->n = n;
}

/* ---- JSON ---- */

static const char *unit_name(const struct bench_run *b)
{
	static const char *const names[][2] = {
		{"ns", "insns"},    {"ns/page", "insns/page"},	{"ns/record", "insns/record"},
		{"bytes", "bytes"}, {"wakeups/s", "wakeups/s"}, {"waits", "waits"}};

	return names[b->unit][b->insns];
}

/* 1420 is 14.2, 1400 is 14, 1425 is 14.25. */
static const char *decimal(char buf[24], uint64_t h)
{
	int n = snprintf(buf, 24, "%lu.%02lu", h / 100, h % 100);

	while (buf[n - 1] == '0')
		buf[--n] = '\0';
	if (buf[n - 1] == '.')
		buf[n - 1] = '\0';
	return buf;
}

/* The text of a JSON string: a quote or a backslash gets a backslash, control characters a blank.
 */
static const char *escape(char *buf, size_t n, const char *s)
{
	size_t at = 0;

	for (; *s && at + 3 <= n; s++) {
		if (*s == '"' || *s == '\\')
			buf[at++] = '\\';
		buf[at++] = (unsigned char)*s < ' ' ? ' ' : *s;
	}
	buf[at] = '\0';
	return buf;
}

int bench_format(char *buf, size_t n, const struct bench_run *b)
{
	char why[2 * sizeof(b->why)], v[7][24];
	const struct bench_counts *c = &b->counts;
	int len;

	if (b->skipped)
		return snprintf(buf, n, "{\"bench\":\"%s\",\"skip\":\"%s\"}", b->name,
				escape(why, sizeof(why), b->why));
	len = snprintf(buf, n, "{\"bench\":\"%s\",\"value\":%s,\"unit\":\"%s\",\"n\":%lu", b->name,
		       decimal(v[0], b->value), unit_name(b), b->n);
	if (b->counted && (size_t)len < n)
		len += snprintf(buf + len, n - (size_t)len,
				",\"atomics\":%s,\"clwb\":%s,\"tlb\":%s,\"ipi\":%s"
				",\"fences\":%s,\"cr3\":%s",
				decimal(v[1], c->atomics), decimal(v[2], c->clwb),
				decimal(v[3], c->tlb), decimal(v[4], c->ipi),
				decimal(v[5], c->fences), decimal(v[6], c->cr3));
	if ((size_t)len < n)
		len += snprintf(buf + len, n - (size_t)len, "}");
	return len;
}

/* ---- the command ---- */

static void nothing(void *arg)
{
	(void)arg;
}

/* A tick is an instruction if the loop takes its own length; a timer's interrupt may spoil a try.
 */
static void calibrate(struct bench_run *b)
{
	const struct bench_case empty = {.op = nothing};
	unsigned exact = 0;

	for (unsigned i = 0; i < LOOP_TRIES; i++) {
		samples[i] = bench_loop(LOOP_ROUNDS);
		exact += samples[i] - LOOP_INSNS <= LOOP_EXTRA;
	}
	tick_is_insn = exact > LOOP_TRIES / 2;
	empty_ticks = 0;
	bench_samples(b, BENCH_INSNS, samples, LOOP_TRIES, 1);
	b->n = LOOP_INSNS;
	for (unsigned i = 0; i < 101; i++)
		run_one(&empty, &samples[i]);
	qsort(samples, 101, sizeof(samples[0]), by_value);
	empty_ticks = samples[50];
}

static void print_row(const struct bench_run *b)
{
	char line[600];

	bench_format(line, sizeof(line), b);
	kprintf("%s\n", line);
}

static int by_name(const void *a, const void *b)
{
	return strcmp((*(const struct bench *const *)a)->name,
		      (*(const struct bench *const *)b)->name);
}

/* All rows, in order of their names; how many. */
static unsigned sorted(const struct bench **rows)
{
	unsigned n = 0;

	for (const struct bench *b = __start_hf_benches; b < __stop_hf_benches; b++)
		if (n < MAX_ROWS)
			rows[n++] = b;
	qsort(rows, n, sizeof(*rows), by_name);
	return n;
}

/* Rows that match; how many. */
static unsigned run_rows(const char *glob)
{
	struct bench_run first = {.name = "calibrate"};
	const struct bench *all[MAX_ROWS];
	unsigned n = sorted(all), rows = 0, done = 0, of = 0;

	for (unsigned i = 0; i < n; i++)
		of += glob_match(glob, all[i]->name);
	calibrate(&first);
	if (glob_match(glob, first.name)) {
		print_row(&first);
		rows++;
	}
	for (unsigned i = 0; i < n && !batch_stopped(); i++) {
		struct bench_run b = {.name = all[i]->name, .insns = tick_is_insn};

		if (!glob_match(glob, b.name))
			continue;
		watch_touch();
		all[i]->run(&b);
		print_row(&b);
		pieces_done(++done, of);
	}
	return rows + done;
}

static int no_such_row(const char *glob)
{
	const struct bench *all[MAX_ROWS];
	const char *names[MAX_ROWS + 1] = {"calibrate"};
	unsigned n = sorted(all);

	for (unsigned i = 0; i < n; i++)
		names[i + 1] = all[i]->name;
	return shell_unknown("benchmark", glob, names, n + 1);
}

static int cmd_bench(int argc, char **argv)
{
	const char *glob = argc > 1 ? argv[1] : "*";
	unsigned rows;

	if (argc > 3)
		return shell_usage();
	if (argc == 3 && strcmp(argv[2], "functions"))
		return shell_fail(-EINVAL, "'%s' must be 'functions', or be left out", argv[2]);
	mutex_lock(&bench_lock);
	bench_by_function = argc == 3;
	rows = run_rows(glob);
	mutex_unlock(&bench_lock);
	return rows ? 0 : no_such_row(glob);
}

static void offer_rows(struct shell_offers *o)
{
	for (const struct bench *b = __start_hf_benches; b < __stop_hf_benches; b++)
		shell_offer(o, b->name);
}
SHELL_KIND(bench_row, "GLOB", "bench", offer_rows);
SHELL_COMMAND(
	bench, cmd_bench, "bench [GLOB] [functions]",
	"what operations cost: one JSON object a line\n"
	"In guest instructions under -icount (make run ICOUNT=1), else in nanoseconds. Runs on\n"
	"the scratch device (see 'help race'), which loses its contents. functions: also where the "
	"instructions go.",
	true);
