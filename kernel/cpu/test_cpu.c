/* SPDX-License-Identifier: MIT */
/* Self-tests: per-CPU data, features, calls between CPUs (cpu.*, ipi.*). */
#include "kernel/cpu/internal.h"

SELFTEST(cpu_self, "cpu.self", "the running CPU finds its own structure, and ids lead back to it")
{
	unsigned id;
	bool same;

	preempt_disable();
	id = cpu_id();
	same = this_cpu() == cpu_by_id(id) && this_cpu()->self == this_cpu();
	preempt_enable();
	EXPECT(same, "CPU %u does not find itself by gs", id);
	EXPECT(id < nr_cpus, "CPU id %u of %u CPUs", id, nr_cpus);
	EXPECT(!cpu_by_id(nr_cpus) && !cpu_by_id(MAX_CPUS), "an absent CPU has a structure");
}

static struct {
	unsigned wrong_self, wrong_apic, differ, unprotected, interrupts_on;
} seen;

static void look_at_cpu(void *arg __attribute__((unused)))
{
	const struct cpu *c = this_cpu();
	const struct cpu_features *f = &cpu_features;
	uint64_t cr4 = read_cr4();

	if (c != &cpus[c->id] || c->current->cpu != c->id)
		__atomic_add_fetch(&seen.wrong_self, 1, __ATOMIC_RELAXED);
	if (c->apic_id != apic_id())
		__atomic_add_fetch(&seen.wrong_apic, 1, __ATOMIC_RELAXED);
	if (cpu_features_differ())
		__atomic_add_fetch(&seen.differ, 1, __ATOMIC_RELAXED);
	if (!(read_cr0() >> 16 & 1) || !(rdmsr(0xc0000080u) >> 11 & 1) ||
	    (cr4 >> 20 & 1) != f->smep || (cr4 >> 21 & 1) != f->smap || (cr4 >> 11 & 1) != f->umip)
		__atomic_add_fetch(&seen.unprotected, 1, __ATOMIC_RELAXED);
	if (irqs_enabled())
		__atomic_add_fetch(&seen.interrupts_on, 1, __ATOMIC_RELAXED);
}

static void look_everywhere(void)
{
	memset(&seen, 0, sizeof(seen));
	cpu_call(cpus_online(), look_at_cpu, NULL);
}

SELFTEST(cpu_identity, "cpu.identity", "every CPU has its own GS base and local APIC id")
{
	look_everywhere();
	EXPECT(seen.wrong_self == 0, "%u CPUs see another CPU's data", seen.wrong_self);
	EXPECT(seen.wrong_apic == 0, "%u CPUs have another APIC id than noted", seen.wrong_apic);
}

SELFTEST(cpu_alike, "cpu.alike", "every CPU offers what the first one offers")
{
	look_everywhere();
	EXPECT(seen.differ == 0, "%u CPUs differ", seen.differ);
}

SELFTEST(cpu_protected, "cpu.protected",
	 "on every CPU WP and NX are on, and SMEP, SMAP, UMIP where offered")
{
	look_everywhere();
	EXPECT(seen.unprotected == 0, "%u CPUs lack a protection", seen.unprotected);
}

SELFTEST(cpu_preempt_nests, "cpu.preempt-nests", "preemption stays off until the last enable")
{
	uint32_t inside;
	bool slept_inside;

	preempt_disable();
	preempt_disable();
	preempt_enable();
	inside = this_cpu()->preempt;
	slept_inside = may_sleep();
	preempt_enable();
	EXPECT(inside == 1, "depth 1 after two off and one on, found %u", inside);
	EXPECT(!slept_inside, "sleeping is allowed with preemption off");
	EXPECT(may_sleep(), "sleeping is still forbidden after the last enable");
}

static struct {
	const void *p;
	size_t n;
	unsigned backs, fences;
} observed;

static void saw_writeback(const void *p, size_t n)
{
	observed.p = p;
	observed.n = n;
	observed.backs++;
}

static void saw_fence(void)
{
	observed.fences++;
}

SELFTEST(cpu_writeback, "cpu.writeback",
	 "write-back takes any address and length, keeps the bytes, and reports to the observer")
{
	static const struct persist_observer watch = {saw_writeback, saw_fence};
	static uint8_t area[4096];

	if (persist_get_observer())
		SKIP("another observer of persistence is installed");
	memset(area, 0xa5, sizeof(area));
	memset(&observed, 0, sizeof(observed));
	persist_set_observer(&watch);
	cache_writeback(area, 0);
	cache_writeback(area + 61, 2000);
	store_fence();
	persist_set_observer(NULL);
	cache_writeback(area, sizeof(area));
	EXPECT(observed.backs == 1 && observed.fences == 1, "%u write-backs, %u fences seen",
	       observed.backs, observed.fences);
	EXPECT(observed.p == area + 61 && observed.n == 2000, "another range was reported");
	for (unsigned i = 0; i < sizeof(area); i++)
		EXPECT(area[i] == 0xa5, "byte %u changed to 0x%x", i, area[i]);
}

SELFTEST(cpu_copy, "cpu.copy-cached",
	 "a copy takes any addresses and length, and touches no byte beside them")
{
	static uint8_t from[80], to[80];

	for (unsigned i = 0; i < sizeof(from); i++)
		from[i] = 100 + i;
	for (unsigned n = 0; n <= 40; n++)
		for (unsigned at = 0; at < 64; at++) {
			unsigned in = 8 + at % 8, out = 8 + at / 8, wrong = 0;

			memset(to, 0xee, sizeof(to));
			copy_cached(to + out, from + in, n);
			for (unsigned i = 0; i < sizeof(to); i++)
				wrong += to[i] != (i - out < n ? from[in + i - out] : 0xee);
			EXPECT(!wrong, "%u bytes from %u to %u: %u are wrong", n, in, out, wrong);
		}
}

static unsigned ran_on[MAX_CPUS], ran_in_thread;

static void note_cpu(void *arg __attribute__((unused)))
{
	__atomic_add_fetch(&ran_on[cpu_id()], 1, __ATOMIC_RELAXED);
	if (irqs_enabled())
		__atomic_add_fetch(&ran_in_thread, 1, __ATOMIC_RELAXED);
}

SELFTEST(ipi_call_all, "ipi.call-all",
	 "a call to all CPUs runs once on each, interrupts off, before the caller goes on")
{
	memset(ran_on, 0, sizeof(ran_on));
	ran_in_thread = 0;
	cpu_call(cpus_online(), note_cpu, NULL);
	for (unsigned i = 0; i < nr_cpus; i++)
		EXPECT(ran_on[i] == 1, "CPU %u ran it %u times", i, ran_on[i]);
	EXPECT(ran_in_thread == 0, "%u CPUs had interrupts on", ran_in_thread);
}

SELFTEST(ipi_call_mask, "ipi.call-mask", "a call runs on no CPU outside its mask")
{
	for (unsigned id = 0; id < nr_cpus; id++) {
		memset(ran_on, 0, sizeof(ran_on));
		cpu_call(1u << id, note_cpu, NULL);
		for (unsigned i = 0; i < nr_cpus; i++)
			EXPECT(ran_on[i] == (i == id), "call to CPU %u ran %u times on CPU %u", id,
			       ran_on[i], i);
	}
	memset(ran_on, 0, sizeof(ran_on));
	cpu_call(0, note_cpu, NULL);
	EXPECT(ran_on[0] == 0, "a call to nobody ran");
}

SELFTEST(ipi_counted, "ipi.counted", "a call to oneself sends no IPI, a call to others one each")
{
	unsigned long before = __atomic_load_n(&ipi_sent, __ATOMIC_RELAXED), self, all;

	preempt_disable();
	cpu_call(1u << cpu_id(), note_cpu, NULL);
	preempt_enable();
	self = __atomic_load_n(&ipi_sent, __ATOMIC_RELAXED);
	cpu_call(cpus_online(), note_cpu, NULL);
	all = __atomic_load_n(&ipi_sent, __ATOMIC_RELAXED);
	EXPECT(self == before, "%lu IPIs for a call to oneself", self - before);
	EXPECT(all == self + nr_cpus - 1, "%lu IPIs for %u other CPUs", all - self, nr_cpus - 1);
}

#define CALLS 40
static unsigned calls_answered;

static void answer(void *arg __attribute__((unused)))
{
	__atomic_add_fetch(&calls_answered, 1, __ATOMIC_RELAXED);
}

static void call_everybody(void *arg __attribute__((unused)))
{
	for (int i = 0; i < CALLS; i++)
		cpu_call(cpus_online(), answer, NULL);
}

SELFTEST(ipi_concurrent, "ipi.concurrent",
	 "CPUs that all call each other at the same time all get every answer")
{
	unsigned want = nr_cpus * CALLS * nr_cpus;
	struct gang g;

	if (nr_cpus < 2)
		SKIP("needs two CPUs");
	calls_answered = 0;
	EXPECT(gang_start(&g, nr_cpus, call_everybody, NULL, true), "no memory for threads");
	gang_join(&g);
	EXPECT(calls_answered == want, "%u answers of %u", calls_answered, want);
}
