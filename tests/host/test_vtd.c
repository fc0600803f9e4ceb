/* SPDX-License-Identifier: MIT */
/*
 * The VT-d driver before units that do not do what their registers promise.
 *
 * A unit is modelled register by register, as the specification has it, with one thing that it does
 * not do. Whatever that is, the driver says so within a bound, or does without; it never panics,
 * and a unit that it refuses is told to do nothing and interrupts nobody. Then each access in turn
 * is the one that is lost, and the one from which on nobody answers any more. Time goes by only
 * when the driver looks at the clock.
 *
 * drivers/iommu/vtd.c and vtd_invalidate.c are compiled in here as they are.
 */
/* LINK: drivers/iommu/vtd_fault.c */
static void *unit_memory(unsigned long n);
#define malloc unit_memory
/* The running thread is read through GS, at "address" 0: no null pointer, whatever UBSan thinks. */
#define inline inline __attribute__((no_sanitize_undefined))
#include "drivers/iommu/vtd.c"
#undef SECOND_NS
#include "drivers/iommu/vtd_invalidate.c"
#undef inline
#undef malloc

#include <asm/prctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

long syscall(long number, ...);

#include "tests/host/vtd_unit.h"

static void begin(enum quirk quirk)
{
	memset(&m, 0, sizeof(m));
	m.quirk = quirk;
	m.cap = QEMU_CAP | (quirk == HOLDS_BACK ? 1 << 4 : 0);
	m.ecap = QEMU_ECAP;
	m.fectl = FECTL_MASKED;
	m.gsts = quirk == TE_STAYS ? VTD_TE : quirk == QIE_STAYS ? VTD_QIE : 0;
	m.fsts = quirk == ALL_FAULTS ? 0xffff : 0;
	free(units[0]);
	units[0] = u = NULL;
	nr_units = 0;
}

static bool no_memory; /* for the record of a unit */

static void *unit_memory(unsigned long n)
{
	return no_memory ? NULL : calloc(1, n);
}

static void turn_it_on(bool queue)
{
	start(&place, queue);
	u = units[0];
}

/* Frames that a unit was told of stay its own, also when it was refused: not so in a test. */
static void give_frames_back(void)
{
	for (unsigned i = 0; i < MOST_FRAMES; i++) {
		free(m.frame[i]);
		free(m.seen[i]);
	}
}

/* What holds behind every start, whatever the unit does. */
static void is_sound(void)
{
	assert_true(m.clock <= BOUND);
	assert_non_null(strstr(m.said, u->refused ? u->refused : "translates"));
	assert_int_equal(m.vectors, u->refused ? 0 : 1);
	if (!u->refused) {
		assert_true(m.gsts & VTD_TE);
		assert_ptr_equal(phys_to_virt(m.root), u->root);
		assert_memory_equal(unit_sees(u->root), u->root, PAGE_SIZE);
		assert_true(!u->queued || phys_to_virt(m.iqa) == (void *)u->queue);
		assert_true(!(m.fectl & FECTL_MASKED) && m.fedata == 0x40);
	} else if (!m.gone && !m.lost) {
		assert_int_equal(m.command, 0);
		assert_true(m.fectl & FECTL_MASKED);
		assert_true(!(m.gsts & VTD_TE) || m.quirk == TE_STAYS);
	}
}

static const struct {
	enum quirk quirk;
	const char *by_queue, *by_registers; /* a word of the refusal; NULL: it is used */
	bool queued;			     /* by its queue, if it is used and could be */
} cases[] = {
	{NONE, NULL, NULL, true},
	{TE_STAYS, "translation of an earlier", "translation of an earlier", false},
	{QIE_STAYS, "queue of an earlier", "queue of an earlier", false},
	{NO_ROOT, "root table", "root table", false},
	{OTHER_ROOT, "root table", "root table", false},
	{NO_QUEUE, NULL, NULL, false},
	{OTHER_QUEUE, "did not forget", NULL, false},  /* nor off again: what it reads is no wait */
	{QUEUE_STANDS, "did not forget", NULL, false}, /* its registers are dead, too */
	{NO_CONTEXT, NULL, "did not forget", true},
	{NO_IOTLB, NULL, "did not forget", true},
	{NO_TE, "cannot be turned on", "cannot be turned on", false},
	{NO_VECTOR, "no interrupt vector", "no interrupt vector", false},
	{OTHER_VECTOR, "fault interrupt", "fault interrupt", false},
	{ALL_FAULTS, NULL, NULL, true},
	{HOLDS_BACK, "did not forget", "did not forget", false},
};

static void what_it_does_not_do(void **state __unused)
{
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(cases); i++) {
		bool queue = i & 1;
		const char *word = queue ? cases[i / 2].by_queue : cases[i / 2].by_registers;

		begin(cases[i / 2].quirk);
		turn_it_on(queue);
		if (!u->refused != !word || (word && !strstr(u->refused, word)))
			fail_msg("quirk %u, %s: %s", m.quirk, queue ? "queue" : "registers",
				 m.said);
		assert_int_equal(u->queued && !word, queue && cases[i / 2].queued);
		is_sound();
		give_frames_back();
	}
}

/* Capabilities that nobody could use, or that reach beyond the registers. */
static void what_it_says_of_itself(void **state __unused)
{
	static const struct {
		uint64_t cap, ecap;
		const char *word;
	} lies[] = {
		{UINT64_MAX, UINT64_MAX, "outside"},
		{QEMU_CAP | 0x3ffull << 24, QEMU_ECAP, "outside"},
		{QEMU_CAP, QEMU_ECAP | 0x3ff00, "outside"},
		{QEMU_CAP & ~0x1f00ull, QEMU_ECAP, "levels"},
		{QEMU_CAP & ~(0x3full << 16), QEMU_ECAP, "32 bits"},
		{(QEMU_CAP & ~(0x3full << 16)) | 30 << 16, QEMU_ECAP, "32 bits"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
		begin(NONE);
		m.cap = lies[i].cap;
		m.ecap = lies[i].ecap;
		turn_it_on(true);
		if (!u->refused || !strstr(u->refused, lies[i].word))
			fail_msg("%u: %s", i, m.said);
		assert_int_equal(m.writes, 0); /* what is there may be something else */
	}
}

#define WIDTHS(cap, sagaw, mgaw)                                                                   \
	(((cap) & ~0x3f1f00ull) | (uint64_t)(sagaw) << 8 | ((uint64_t)(mgaw)-1) << 16)

/* What it offers is what is used of it: levels by SAGAW, large pages by SLLPS, blocks by MAMV. */
static void what_it_offers(void **state __unused)
{
	static const struct {
		uint64_t cap;
		unsigned levels, width, large;
		int most_order;
		bool caching, drains;
	} units_like[] = {
		{QEMU_CAP, 3, 39, 3, 18, false, true},		/* QEMU's */
		{0x00d2008c222f0686, 4, 48, 3, 18, true, true}, /* with aw-bits=48, caching-mode */
		{WIDTHS(QEMU_CAP, 4, 48), 4, 48, 3, 18, false, true},
		{WIDTHS(QEMU_CAP, 6, 39), 4, 39, 3, 18, false, true},
		{WIDTHS(QEMU_CAP, 2, 48), 3, 39, 3, 18, false, true},
		{WIDTHS(QEMU_CAP, 8, 57), 5, 57, 3, 18, false, true},
		{WIDTHS(QEMU_CAP, 0xa, 57), 3, 39, 3, 18, false, true},
		{QEMU_CAP & ~(3ull << 34), 3, 39, 0, 18, false, true},
		{QEMU_CAP & ~(2ull << 34), 3, 39, 1, 18, false, true},
		{QEMU_CAP & ~(1ull << 39), 3, 39, 3, -1, false, true},
		{QEMU_CAP & ~(0x3full << 48), 3, 39, 3, 0, false, true},
		{QEMU_CAP & ~(1ull << 54), 3, 39, 3, 18, false, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(units_like); i++) {
		begin(NONE);
		m.cap = units_like[i].cap;
		turn_it_on(true);
		is_sound();
		if (u->refused || u->levels != units_like[i].levels ||
		    u->width != units_like[i].width || u->large != units_like[i].large ||
		    u->most_order != units_like[i].most_order ||
		    u->caching != units_like[i].caching || u->drains != units_like[i].drains)
			fail_msg("%u: %u levels, %u bits, large %u, order %d: %s", i, u->levels,
				 u->width, u->large, u->most_order, m.said);
		give_frames_back();
	}
}

/* The entries that lead to a domain, and all beside them, as the unit reads them. */
static void sees_context(uint16_t requester, uint64_t low, uint64_t high)
{
	const uint64_t *root = &u->root[(requester >> 8) * 2], *table;

	assert_memory_equal(unit_sees(u->root), u->root, PAGE_SIZE);
	table = phys_to_virt(*root & ~4095ull);
	assert_memory_equal(unit_sees(table), table, PAGE_SIZE);
	assert_int_equal(table[(requester & 0xff) * 2], low);
	assert_int_equal(table[(requester & 0xff) * 2 + 1], high);
}

/* Of a unit that does not look into caches everything that it reads was written back, before it is
 * told; of one that does, nothing is. */
static void what_it_reads(void **state __unused)
{
	const struct slpt tables[] = {{.root = 0x5000, .levels = 3}, {.root = 0x7000, .levels = 4}};

	for (unsigned i = 0; i < 4; i++) {
		begin(NONE);
		m.ecap |= i & 1;
		turn_it_on(i & 2);
		is_sound();
		assert_int_equal(vtd_set_context(u, 0x0110, 7, &tables[0]), 0);
		sees_context(0x0110, 0x5001, 0x701);
		assert_int_equal(vtd_set_context(u, 0x01f9, 8, &tables[1]), 0);
		sees_context(0x01f9, 0x7001, 0x802);
		assert_int_equal(vtd_set_context(u, 0x0110, 0, NULL), 0);
		sees_context(0x0110, 0, 0x701);
		sees_context(0x01f9, 0x7001, 0x802);
		for (unsigned n = 0; n < 300; n++) /* the queue goes around */
			vtd_forget(u, 7, n * PAGE_SIZE, PAGE_SIZE);
		assert_null(u->dead);
		assert_int_equal(m.written_back == 0, m.ecap & 1);
		give_frames_back();
	}
}

/* Each access in turn is the first that nobody answers; each write in turn is the one that is lost;
 * each allocation in turn fails. */
static void each_in_turn(void **state __unused)
{
	unsigned refused = 0, *const which[] = {&m.gone, &m.lost, &m.failing};

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(which); i++) {
		unsigned n = 1, all;

		do {
			begin(NONE);
			*which[i / 2] = n++;
			turn_it_on(i & 1);
			is_sound();
			refused += u->refused != NULL;
			all = i / 2 == 0 ? m.accesses : i / 2 == 1 ? m.writes : m.allocations;
			give_frames_back();
		} while (n <= all + 1);
		assert_true(!u->refused && n > 2);
	}
	assert_true(refused > 30);
}

/* A unit that the kernel has no record for is none, and is not touched; the next one is the first.
 */
static void no_memory_for_it(void **state __unused)
{
	begin(NONE);
	no_memory = true;
	turn_it_on(true);
	no_memory = false;
	assert_true(!u && !nr_units && !m.accesses && !m.allocations && !m.vectors);
	assert_non_null(strstr(m.said, "is not used: no memory"));
	turn_it_on(true);
	assert_true(nr_units == 1 && !u->refused && !strcmp(u->name, "iommu0"));
	is_sound();
	give_frames_back();
}

/* A unit that worked, and then does not answer: its devices are stopped, once, and nobody waits for
 * it again. */
static void it_ends_at_work(void **state __unused)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t before;
		bool queue = i & 1;

		begin(NONE);
		turn_it_on(queue);
		assert_null(u->refused);
		vtd_forget(u, 3, 0x100000, PAGE_SIZE);
		assert_true(!u->dead && !m.stopped && u->invalidations == 2);
		if (i & 2)
			m.gone = 1;
		else
			m.quirk = queue ? QUEUE_STANDS : NO_IOTLB;
		before = m.clock;
		vtd_forget(u, 3, 0x100000, PAGE_SIZE);
		assert_true(m.clock - before <= BOUND && m.stopped == 1);
		assert_non_null(u->dead);
		before = m.clock;
		vtd_forget(u, 3, 0x200000, PAGE_SIZE);
		vtd_forget_all(u);
		vtd_take_faults(u);
		assert_true(m.clock - before < 10 * STEP_NS && m.stopped == 1);
		assert_int_equal(u->log.seen, 0);
		m.said[0] = '\0';
		assert_true(something_to_tell());
		tell();
		assert_non_null(strstr(m.said, "did not forget old translations"));
		assert_false(something_to_tell());
		give_frames_back();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_does_not_do), cmocka_unit_test(what_it_says_of_itself),
		cmocka_unit_test(each_in_turn),	       cmocka_unit_test(no_memory_for_it),
		cmocka_unit_test(it_ends_at_work),     cmocka_unit_test(what_it_offers),
		cmocka_unit_test(what_it_reads),
	};

	syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
