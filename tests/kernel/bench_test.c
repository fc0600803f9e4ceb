/* SPDX-License-Identifier: MIT */
/* Self-tests of the benchmarks' own instruments. */
#include "tests/kernel/bench.h"

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

SELFTEST(bench_loop_length, "bench.loop-length",
	 "twice the rounds take more time, at best of a hundred tries")
{
	uint64_t once = bench_loop(100000), twice = bench_loop(200000);

	for (unsigned i = 0; i < 99; i++) {
		once = MIN(once, bench_loop(100000));
		twice = MIN(twice, bench_loop(200000));
	}
	EXPECT(twice > once + once / 4, "100,000 rounds took %lu ticks, 200,000 took %lu", once,
	       twice);
}
