/* SPDX-License-Identifier: MIT */
/*
 * Bus addresses, handed out and given back at random against a model of one byte a page; and the
 * fault records of units with one record and with many, modelled bit by bit as the specification
 * has them: what is lost, and what is said of it.
 */
/* LINK: drivers/iommu/iova.c drivers/iommu/vtd_fault.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "drivers/iommu/internal.h"

/* ---- bus addresses ------------------------------------------------------------------------- */

#define PAGES  400u
#define RANGES 60u

static bool taken[PAGES];

static bool fits(uint64_t start, uint64_t pages)
{
	for (uint64_t p = start; p < start + pages; p++)
		if (p >= PAGES || taken[p])
			return false;
	return true;
}

/* The lowest place, or PAGES. */
static uint64_t lowest(uint64_t first, uint64_t pages, uint64_t align, uint64_t limit)
{
	uint64_t start = (first + align - 1) / align * align;

	for (; start + pages <= limit; start += align)
		if (fits(start, pages))
			return start;
	return PAGES;
}

static void fill(const struct iova_range *r, bool value)
{
	for (uint64_t p = r->start; p < r->end; p++) {
		assert_true(taken[p] != value);
		taken[p] = value;
	}
}

/* The gaps below `most` between what is registered, one after the other, are what is free. */
static void gaps_are_free(const struct iova_space *s, uint64_t most)
{
	uint64_t at = 0, end, seen = 0;

	for (; (end = iova_gap(s, &at, most)); at = end) {
		assert_true(end <= most);
		for (; seen < end; seen++)
			assert_int_equal(taken[seen], seen < at);
	}
	for (; seen < most; seen++)
		assert_true(taken[seen]);
}

static void iova_random(void **state)
{
	struct iova_range range[RANGES] = {0};
	struct iova_space s;
	unsigned given = 0, none = 0;

	(void)state;
	srand(3);
	iova_init(&s, 5, PAGES - 10);
	for (unsigned step = 0; step < 200000; step++) {
		struct iova_range *r = &range[(unsigned)rand() % RANGES];
		uint64_t pages = 1 + (unsigned)rand() % 12, align = 1ull << rand() % 5;
		uint64_t limit = rand() % 4 ? UINT64_MAX : 1 + (unsigned)rand() % PAGES;
		uint64_t want = lowest(5, pages, align, MIN(limit, (uint64_t)PAGES - 10));
		int err;

		if (step % 100 == 0)
			gaps_are_free(&s, (unsigned)rand() % PAGES);
		if (r->start != r->end) {
			fill(r, false);
			iova_deregister(&s, r);
			continue;
		}
		if (rand() % 10 == 0) {
			uint64_t at = (unsigned)rand() % (PAGES - 12);
			bool free_there = fits(at, pages);

			err = iova_register_at(&s, r, at, pages);
			assert_int_equal(err, free_there ? 0 : -EEXIST);
		} else {
			err = iova_register(&s, r, pages, align, limit);
			assert_int_equal(err, want < PAGES ? 0 : -ENOSPC);
			if (!err)
				assert_int_equal(r->start, want);
			given += !err;
			none += err != 0;
		}
		if (!err)
			fill(r, true);
	}
	assert_true(given > 10000 && none > 1000);
	for (unsigned p = 0; p < PAGES; p++)
		assert_int_equal(iova_find(&s, p) != NULL, taken[p]);
}

static void iova_arguments(void **state)
{
	struct iova_range r[3];
	struct iova_space s;

	(void)state;
	iova_init(&s, 1, 100);
	assert_int_equal(iova_register(&s, &r[0], 0, 1, UINT64_MAX), -EINVAL);
	assert_int_equal(iova_register(&s, &r[0], 1, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(iova_register(&s, &r[0], 1, 3, UINT64_MAX), -EINVAL);
	assert_int_equal(iova_register(&s, &r[0], UINT64_MAX, 1, UINT64_MAX), -ENOSPC);
	assert_int_equal(iova_register(&s, &r[0], 1, 1ull << 63, UINT64_MAX), -ENOSPC);
	assert_int_equal(iova_register_at(&s, &r[0], 5, 0), -EINVAL);
	assert_int_equal(iova_register_at(&s, &r[0], 5, UINT64_MAX), -EINVAL);
	assert_int_equal(iova_register_at(&s, &r[0], 5, 10), 0);
	assert_int_equal(iova_register_at(&s, &r[1], 14, 1), -EEXIST);
	assert_int_equal(iova_register_at(&s, &r[1], 0, 6), -EEXIST);
	assert_int_equal(iova_register_at(&s, &r[1], 15, 1), 0);
	assert_int_equal(s.nr, 2);
	assert_int_equal(s.pages, 11);
	iova_deregister(&s, &r[0]);
	iova_deregister(&s, &r[1]);
	assert_int_equal(s.nr + s.pages, 0);
}

/* ---- fault records ------------------------------------------------------------------------- */

#define MOST 8u
#define AT   0x220u

/* The unit's side: F of each record, where the next one goes, the overflow. */
static struct {
	unsigned nr, next;
	uint64_t low[MOST], high[MOST];
	uint32_t status; /* PFO, and FRI; PPF follows from the records */
	bool stuck;	 /* a unit that does not let F go */
} unit;
static struct vtd_fault_log log_of;

static void unit_faults(uint64_t address, uint16_t source, uint8_t reason, bool read)
{
	uint64_t *high = &unit.high[unit.next];

	if (unit.status & VTD_FSTS_PFO)
		return;
	if (*high >> 63) {
		unit.status |= VTD_FSTS_PFO;
		return;
	}
	if (!(unit.high[0] >> 63) && unit.nr == 1)
		unit.status &= ~0xff00u;
	unit.low[unit.next] = address;
	/* As QEMU writes it: ones above the reason, though there is no PASID. */
	*high = 1ull << 63 | (uint64_t)read << 62 | 0xffffull << 40 | (uint64_t)reason << 32 |
		source;
	unit.next = (unit.next + 1) % unit.nr;
}

static uint32_t unit_status(void)
{
	uint32_t ppf = 0, first = 0;

	for (unsigned i = unit.nr; i-- > 0;) {
		unsigned at = (unit.next + i) % unit.nr;

		if (unit.high[at] >> 63) {
			ppf = VTD_FSTS_PPF;
			first = at;
		}
	}
	return unit.status | ppf | first << 8;
}

static uint32_t unit_read(void *ctx, unsigned off)
{
	unsigned i = (off - AT) / 16;

	(void)ctx;
	if (off == VTD_FSTS)
		return unit_status();
	assert_true(off >= AT && i < unit.nr && off % 4 == 0);
	return (uint32_t)((off % 16 < 8 ? unit.low : unit.high)[i] >> (off % 8 ? 32 : 0));
}

static void unit_write(void *ctx, unsigned off, uint32_t v)
{
	unsigned i = (off - AT) / 16;

	(void)ctx;
	if (off == VTD_FSTS) {
		unit.status &= ~(v & VTD_FSTS_PFO);
		return;
	}
	assert_true(off % 16 == 12 && i < unit.nr && v == 0x80000000u);
	if (!unit.stuck)
		unit.high[i] &= ~(1ull << 63);
}

static const struct vtd_regs regs = {unit_read, unit_write, NULL};

static void begin(unsigned nr)
{
	memset(&unit, 0, sizeof(unit));
	memset(&log_of, 0, sizeof(log_of));
	unit.nr = nr;
}

static unsigned take(void)
{
	return vtd_fault_take(&regs, AT, unit.nr, 42, &log_of);
}

static void one_record(void **state)
{
	char text[120];

	(void)state;
	begin(1);
	assert_int_equal(take(), 0);
	unit_faults(0x8000000, 0x10, 5, false);
	assert_int_equal(take(), 1);
	assert_int_equal(log_of.seen, 1);
	assert_int_equal(log_of.overflows, 0);
	assert_int_equal(log_of.last[0].address, 0x8000000);
	assert_int_equal(log_of.last[0].source, 0x10);
	assert_int_equal(log_of.last[0].reason, 5);
	assert_int_equal(log_of.last[0].at_ns, 42);
	vtd_fault_text(&log_of.last[0], text, sizeof(text));
	assert_string_equal(text, "write to 0x8000000: no mapping lets it write there (reason 5)");
	unit_faults(0x9000000, 0x18, 2, true);
	unit_faults(0xa000000, 0x20, 6, true); /* no record is left for it */
	assert_int_equal(take(), 1);
	assert_int_equal(log_of.overflows, 1);
	vtd_fault_text(&log_of.last[1], text, sizeof(text));
	assert_string_equal(text, "read of 0x9000000: the device has no domain (reason 2)");
	unit_faults(0xb000000, 0x20, 6, true); /* recorded again */
	assert_int_equal(take(), 1);
	assert_int_equal(log_of.last[2].address, 0xb000000);
	assert_int_equal(log_of.overflows, 1);
}

/* The oldest record is not always the first, and all that are there are taken, in their order. */
static void many_records(void **state)
{
	uint64_t next = 1;

	(void)state;
	begin(MOST);
	for (unsigned round = 0; round < 50; round++) {
		unsigned n = round % (MOST + 3);
		uint64_t seen = log_of.seen, over = log_of.overflows;

		for (unsigned i = 0; i < n; i++)
			unit_faults((next + i) << 12, 0x10, 5, false);
		assert_int_equal(take(), MIN(n, MOST));
		for (unsigned i = 0; i < MIN(n, MOST); i++)
			assert_int_equal(log_of.last[(seen + i) % VTD_FAULT_LOG].address,
					 (next + i) << 12);
		assert_int_equal(log_of.overflows - over, n > MOST);
		next += n;
	}
	assert_true(log_of.seen > VTD_FAULT_LOG);
}

static void a_unit_that_never_ends(void **state)
{
	(void)state;
	begin(4);
	unit.stuck = true;
	for (unsigned i = 0; i < 4; i++)
		unit_faults(i << 12, 1, 5, false);
	assert_int_equal(take(), 4);
	assert_int_equal(vtd_fault_take(&regs, AT, 0, 0, &log_of), 0);
}

static void every_reason_is_a_sentence(void **state)
{
	char text[120];

	(void)state;
	for (unsigned reason = 0; reason < 256; reason++) {
		struct vtd_fault f = {.reason = (uint8_t)reason};

		vtd_fault_text(&f, text, sizeof(text));
		assert_int_equal(strstr(text, "no name") != NULL, reason == 0 || reason > 13);
	}
}

static void source_name(uint16_t source, char *buf, size_t size)
{
	snprintf(buf, size, "device %x", source);
}

/* Every fault is told once, in its order; what the log no longer has and what the unit never
 * recorded is told as well, each with its number. */
static void everything_is_told(void **state)
{
	uint64_t told = 0, overflows = 0;
	char line[200];

	(void)state;
	begin(MOST);
	assert_false(vtd_fault_next(&log_of, &told, &overflows, source_name, line, sizeof(line)));
	unit_faults(0x1000, 0x10, 5, false);
	take();
	assert_true(vtd_fault_next(&log_of, &told, &overflows, source_name, line, sizeof(line)));
	assert_string_equal(line,
			    "fault: device 10, write to 0x1000: no mapping lets it write there "
			    "(reason 5)");
	assert_false(vtd_fault_next(&log_of, &told, &overflows, source_name, line, sizeof(line)));
	for (unsigned i = 0; i < VTD_FAULT_LOG + 7; i++) {
		unit_faults((i + 2) << 12, 0x10, 5, false);
		take();
	}
	for (unsigned i = 0; i <= MOST; i++) /* one more than there are records */
		unit_faults(0x100000, 0x20, 6, true);
	take();
	assert_true(vtd_fault_next(&log_of, &told, &overflows, source_name, line, sizeof(line)));
	assert_string_equal(line, "15 fault(s) before these are not kept"); /* 7, and MOST */
	for (unsigned i = 0; i < VTD_FAULT_LOG; i++) {
		assert_true(vtd_fault_next(&log_of, &told, &overflows, source_name, line,
					   sizeof(line)));
		assert_non_null(strstr(line, i < VTD_FAULT_LOG - MOST ? "write to" : "read of"));
	}
	assert_true(vtd_fault_next(&log_of, &told, &overflows, source_name, line, sizeof(line)));
	assert_string_equal(line, "1 time(s) there was no record left: some faults left no trace");
	assert_false(vtd_fault_next(&log_of, &told, &overflows, source_name, line, sizeof(line)));
	assert_int_equal(told, log_of.seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(iova_random),
		cmocka_unit_test(iova_arguments),
		cmocka_unit_test(one_record),
		cmocka_unit_test(many_records),
		cmocka_unit_test(a_unit_that_never_ends),
		cmocka_unit_test(every_reason_is_a_sentence),
		cmocka_unit_test(everything_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
