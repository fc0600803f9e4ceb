/* SPDX-License-Identifier: MIT */
/*
 * The clock: the time-stamp counter, scaled to nanoseconds by one measurement at boot.
 *
 * The yardstick is channel 2 of the PIT, 1193182 Hz since 1981. It is read together with the TSC
 * and the local APIC's timer, twice, a millisecond apart; a reading counts only by how quickly it
 * was taken, from before the first counter to after the last, and two measurements must agree: a
 * CPU that the host steals in the middle, even for so long that the PIT wraps around, spoils one of
 * them and not both alike. The scaled clock starts
 * at zero in time_init(). All CPUs' TSCs start together and run alike (true on QEMU and on every
 * x86-64 this kernel can boot on), so no per-CPU correction is made.
 */
#include "kernel/cpu/internal.h"
#include "kernel/time/internal.h"

#define PIT_HZ	      1193182ull
#define PIT_CHANNEL2  0x42
#define PIT_COMMAND   0x43
#define PIT_GATE      0x61
#define MEASURE_TICKS 1194u /* of the PIT: one millisecond */
#define TRIES	      8

static uint64_t tsc_start, ms_tsc;
static uint64_t ns_per_tsc;   /* times 2^32 */
static uint64_t timer_per_ns; /* local APIC timer ticks, times 2^32 */
static uint64_t unix_at_boot; /* zero means the CMOS clock was not read yet */
uint64_t clock_skipped_ns;    /* zero: clock_skip() never moved the clock on */
static struct spinlock unix_lock = SPINLOCK_INIT("CMOS clock");

/* The three counters, read together. */
struct reading {
	uint64_t tsc;
	uint32_t timer;
	uint16_t pit;	/* counts down */
	uint64_t after; /* TSC when all were read */
	uint64_t took;	/* TSC ticks from the reading before this one to the end of this one */
};

static struct reading read_once(void)
{
	struct reading r = {.tsc = rdtsc(), .timer = apic_timer_count()};
	uint8_t low;

	out8(PIT_COMMAND, 0x80); /* latch channel 2 */
	low = in8(PIT_CHANNEL2);
	r.pit = (uint16_t)(in8(PIT_CHANNEL2) << 8 | low);
	r.after = rdtsc();
	return r;
}

/* The first reading after the PIT went on by one: a moment known better than the PIT's own step. */
static struct reading read_edge(void)
{
	struct reading last, r = read_once();

	do {
		last = r;
		r = read_once();
	} while (r.pit == last.pit);
	r.took = r.after - last.tsc;
	return r;
}

static struct reading read_best(void)
{
	struct reading best = read_edge();

	for (int i = 1; i < TRIES; i++) {
		struct reading r = read_edge();

		if (r.took < best.took)
			best = r;
	}
	return best;
}

struct measurement {
	uint64_t start, ms_tsc; /* TSC at the beginning; TSC ticks per millisecond */
	uint64_t timer_per_ns;	/* local APIC timer ticks, times 2^32 */
};

static struct measurement measure(void)
{
	struct reading a = read_best(), b;
	uint64_t tsc, pit, ms;

	do
		b = read_best();
	while ((uint16_t)(a.pit - b.pit) < MEASURE_TICKS);
	tsc = b.tsc - a.tsc;
	pit = (uint16_t)(a.pit - b.pit);
	ms = tsc * PIT_HZ / (pit * 1000);
	return (struct measurement){a.tsc, ms,
				    ((uint64_t)(a.timer - b.timer) << 32) / (tsc * 1000000 / ms)};
}

/* Within one part in 200 of each other. */
static bool agree(const struct measurement *a, const struct measurement *b)
{
	uint64_t low = MIN(a->ms_tsc, b->ms_tsc), high = MAX(a->ms_tsc, b->ms_tsc);

	return (high - low) * 200 <= high;
}

void time_init(void)
{
	struct measurement last, m;

	apic_early_init();
	apic_timer_start(UINT32_MAX);
	out8(PIT_GATE, (in8(PIT_GATE) & ~2u) | 1); /* gate on, speaker off */
	out8(PIT_COMMAND, 0xb0); /* channel 2, both bytes, mode 0: one count down */
	out8(PIT_CHANNEL2, 0xff);
	out8(PIT_CHANNEL2, 0xff);
	m = measure();
	tsc_start = m.start;
	for (int i = 0; i < TRIES; i++) {
		last = m;
		m = measure();
		if (agree(&m, &last))
			break;
	}
	apic_timer_start(0);
	ms_tsc = m.ms_tsc;
	timer_per_ns = m.timer_per_ns;
	ns_per_tsc = (1000000ull << 32) / ms_tsc;
	kprintf("boot: clock %lu.%03lu MHz, local APIC timer %lu kHz%s\n", ms_tsc / 1000,
		ms_tsc % 1000, timer_per_ns * 1000000 >> 32,
		agree(&m, &last) ? "" : " (measurements disagree: is the host overloaded?)");
}

uint64_t clock_ns(void)
{
	return (uint64_t)((unsigned __int128)(rdtsc() - tsc_start) * ns_per_tsc >> 32);
}

void clock_skip(uint64_t ns)
{
	uint64_t ticks = (uint64_t)(((unsigned __int128)ns << 32) / ns_per_tsc);

	/* Who reads the clock meanwhile sees it before or after: it never goes back. */
	__atomic_store_n(&tsc_start, tsc_start - ticks, __ATOMIC_RELEASE);
	__atomic_fetch_add(&clock_skipped_ns, ns, __ATOMIC_RELAXED);
	timers_skipped();
}

uint64_t tsc_per_ms(void)
{
	return ms_tsc;
}

uint32_t ns_to_timer_ticks(uint64_t ns)
{
	unsigned __int128 ticks = ((unsigned __int128)ns * timer_per_ns >> 32) + 1;

	return ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

void delay_us(unsigned us)
{
	uint64_t end = clock_ns() + us * 1000ull;

	while (clock_ns() < end)
		cpu_pause();
}

static uint8_t cmos(uint8_t reg)
{
	out8(0x70, reg);
	return in8(0x71);
}

struct cmos_time {
	uint8_t second, minute, hour, day, month, year;
};

static struct cmos_time cmos_read(void)
{
	return (struct cmos_time){cmos(0), cmos(2), cmos(4), cmos(7), cmos(8), cmos(9)};
}

static unsigned from_bcd(uint8_t v)
{
	return (unsigned)(v >> 4) * 10 + (v & 15);
}

/* Days from 1970-01-01 to the first of `month` (1…12) of `year`, Gregorian. */
static uint64_t days_before(unsigned year, unsigned month)
{
	static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	unsigned leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
	unsigned y = year - 1;

	return 365ull * (year - 1970) + (y / 4 - y / 100 + y / 400) - (1969 / 4 - 1969 / 100 + 4) +
	       before[(month - 1) % 12] + (month > 2 ? leap : 0);
}

/* The CMOS clock ticks while we read: two equal readings in a row are one moment (MC146818A data
 * sheet; register B bit 2 says binary, bit 1 says 24 hours, which every PC uses). */
static uint64_t cmos_unix(void)
{
	struct cmos_time a, b = cmos_read();
	bool binary = cmos(0xb) & 4;

	do {
		a = b;
		b = cmos_read();
	} while (memcmp(&a, &b, sizeof(a)) != 0);
#define FIELD(f) (binary ? a.f : from_bcd(a.f))
	return (days_before(2000 + FIELD(year), FIELD(month)) + FIELD(day) - 1) * 86400 +
	       FIELD(hour) * 3600u + FIELD(minute) * 60u + FIELD(second);
#undef FIELD
}

static uint64_t seconds_up(void)
{
	return (clock_ns() - clock_skipped()) / 1000000000;
}

/* The CMOS clock is read when somebody first asks, and boot's moment is computed back from it. The
 * lock is for the reading, whose registers are chosen and read in two steps. */
static uint64_t __attribute__((noinline)) read_boot_time(void)
{
	uint64_t flags = spin_lock_irqsave(&unix_lock), at_boot = unix_at_boot;

	if (!at_boot) {
		at_boot = cmos_unix() - seconds_up();
		__atomic_store_n(&unix_at_boot, at_boot, __ATOMIC_RELAXED);
	}
	spin_unlock_irqrestore(&unix_lock, flags);
	return at_boot;
}

uint32_t clock_unix(void)
{
	uint64_t at_boot = __atomic_load_n(&unix_at_boot, __ATOMIC_RELAXED);

	if (unlikely(!at_boot))
		at_boot = read_boot_time();
	return (uint32_t)(at_boot + seconds_up());
}
