/* SPDX-License-Identifier: MIT */
/* Self-tests of the benchmarks' own instruments. */
#include "tests/kernel/bench/bench.h"

static bool prints(const struct bench_run *b, const char *want)
{
	char line[600];

	bench_format(line, sizeof(line), b);
	return !strcmp(line, want);
}

SELFTEST(bench_json_format, "bench.json-format",
	 "a row is one JSON object: decimals only where there are any, counts only if counted")
{
	struct bench_run b = {.name = "a.b",
			      .insns = true,
			      .unit = BENCH_INSNS_PAGE,
			      .value = 1420,
			      .n = 100000,
			      .counted = true,
			      .counts = {100, 6400, 2, 0, 300, 150}};

	EXPECT(prints(&b, "{\"bench\":\"a.b\",\"value\":14.2,\"unit\":\"insns/page\",\"n\":100000,"
			  "\"atomics\":1,\"clwb\":64,\"tlb\":0.02,\"ipi\":0,"
			  "\"fences\":3,\"cr3\":1.5}"),
	       "counted row");
	b.counted = b.insns = false;
	b.value = 10000;
	EXPECT(prints(&b, "{\"bench\":\"a.b\",\"value\":100,\"unit\":\"ns/page\",\"n\":100000}"),
	       "row without counts, in nanoseconds");
	bench_bytes(&b, 8388608, 1);
	EXPECT(prints(&b, "{\"bench\":\"a.b\",\"value\":8388608,\"unit\":\"bytes\",\"n\":1}"),
	       "row in bytes");
	bench_rate(&b, 303, 3000000000);
	EXPECT(prints(&b, "{\"bench\":\"a.b\",\"value\":101,\"unit\":\"wakeups/s\",\"n\":303}"),
	       "row of wake-ups");
}

SELFTEST(bench_json_skip, "bench.json-skip",
	 "a row that cannot run gives its first reason, quotes and line ends made harmless")
{
	struct bench_run b = {.name = "a.b"};

	bench_skip(&b, "no \"%s\"\n", "pmem1");
	bench_skip(&b, "another reason");
	EXPECT(prints(&b, "{\"bench\":\"a.b\",\"skip\":\"no \\\"pmem1\\\" \"}"), "why: %s", b.why);
}

static void known_work(void *arg)
{
	uint64_t *word = arg;

	__atomic_fetch_add(word, 1, __ATOMIC_RELAXED);
	__atomic_exchange_n(word + 1, 5, __ATOMIC_RELAXED);
	*(volatile uint64_t *)word = 3; /* a plain store counts as nothing */
	cache_writeback(word, 5 * 64);
	tlb_flush_page_local(USER_MMAP);
	tlb_flush_all_local();
	store_fence();
}

SELFTEST(bench_counts, "bench.counts-what-runs",
	 "single-stepping counts locked operations, lines written back, TLB invalidations, fences")
{
	static uint64_t words[5 * 8] __attribute__((aligned(64)));
	struct bench_run b = {.name = "known work"};

	if (CPU_IS_MODELLED)
		SKIP("write-back and fences are calls in this home, not instructions");
	mutex_lock(&bench_lock);
	bench_by_function = false;
	bench_count(&b, known_work, words, 1);
	mutex_unlock(&bench_lock);
	EXPECT(b.counts.atomics == 200, "%lu hundredths of an atomic, 2 were done",
	       b.counts.atomics);
	EXPECT(b.counts.clwb == 500, "%lu hundredths of a line, 5 were done", b.counts.clwb);
	EXPECT(b.counts.tlb == 200, "%lu hundredths of a flush, 2 were done", b.counts.tlb);
	EXPECT(b.counts.fences == 100, "%lu hundredths of a fence, 1 was done", b.counts.fences);
	EXPECT(b.counts.cr3 == 100, "%lu hundredths of a load of CR3, 1 was done", b.counts.cr3);
	EXPECT(!b.counts.ipi, "%lu hundredths of an IPI, none was sent", b.counts.ipi);
}

SELFTEST(bench_median, "bench.median",
	 "a row's value is the median, whatever the order and the outliers")
{
	uint64_t ticks[] = {9000, 1, 2048, 2, 3000000}, same[] = {2048, 2048, 2048};
	struct bench_run b = {.name = "median"}, half = {.name = "half"};

	mutex_lock(&bench_lock);
	bench_samples(&b, BENCH_INSNS, ticks, 5, 1);
	bench_samples(&half, BENCH_INSNS, same, 3, 1);
	mutex_unlock(&bench_lock);
	EXPECT(b.value && b.value == half.value,
	       "median of 1, 2, 2048, 9000, 3000000 gives %lu, of three times 2048 %lu", b.value,
	       half.value);
	EXPECT(b.n == 5, "%lu operations", b.n);
}

static uint64_t in_loop; /* stepped instructions of bench_loop() */

static void count_in_loop(const struct trap_frame *tf)
{
	in_loop += tf->rip >= (uintptr_t)bench_loop && tf->rip < (uintptr_t)bench_step;
}

static void loop_of(void *arg)
{
	bench_loop(*(uint64_t *)arg);
}

/* How many instructions bench_loop() is: counted one by one, whatever time they take. */
static uint64_t length_of_loop(uint64_t rounds)
{
	mutex_lock(&bench_lock);
	in_loop = 0;
	trap_set_single_step(count_in_loop);
	bench_step(loop_of, &rounds);
	trap_set_single_step(NULL);
	mutex_unlock(&bench_lock);
	return in_loop;
}

SELFTEST(bench_loop_length, "bench.loop-length",
	 "the loop that proves a tick an instruction has two a round, and the ticks it tells are "
	 "those between its beginning and its end")
{
	uint64_t once, twice, from, ticks, to;

	if (CPU_IS_MODELLED)
		SKIP("the loop reads the CPU's counter, and this home has another clock");
	once = length_of_loop(1000);
	twice = length_of_loop(2000);
	EXPECT(once == 2 * 1000 + 9, "1,000 rounds are %lu instructions", once);
	EXPECT(twice == 2 * 2000 + 9, "2,000 rounds are %lu instructions", twice);
	from = rdtsc();
	ticks = bench_loop(1000);
	to = rdtsc();
	EXPECT(ticks && ticks <= to - from, "%lu ticks of the %lu around it", ticks, to - from);
}
