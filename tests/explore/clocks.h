/* SPDX-License-Identifier: MIT */
/*
 * Vector clocks, four actors at a time. Included by internal.h.
 *
 * The first four are the threads and the interrupts of a scenario of two threads: as long as nobody
 * else has made an event, what a clock says of others is neither read nor kept (x.state.far,
 * commit.c).
 */
#ifndef TESTS_EXPLORE_CLOCKS_H
#define TESTS_EXPLORE_CLOCKS_H

typedef uint64_t x_four __attribute__((may_alias, aligned(2)));
static inline void x_clock_copy(uint16_t *to, const uint16_t *from)
{
	*(x_four *)to = *(const x_four *)from;
	for (unsigned i = 4; unlikely(x.state.far) && i < x.nr; i += 4)
		*(x_four *)(to + i) = *(const x_four *)(from + i);
}
/* Two at once: nearly always that is two words. */
static inline void x_clocks_copy(uint16_t *to, const uint16_t *from, uint16_t *to2,
				 const uint16_t *from2)
{
	*(x_four *)to = *(const x_four *)from;
	*(x_four *)to2 = *(const x_four *)from2;
	if (likely(!x.state.far))
		return;
	x_clock_copy(to, from);
	x_clock_copy(to2, from2);
}
/* To what both have seen: the larger of each. No clock comes to the top bit, which here says of
 * each of the four, after the subtraction, whether `a` is the larger one. */
static inline uint64_t x_larger(uint64_t a, uint64_t b)
{
	const uint64_t top = 0x8000800080008000ull;
	uint64_t larger = (((a | top) - b) & top) >> 15;

	return ((a ^ b) & ((larger << 16) - larger)) ^ b;
}
static inline void x_clock_join(uint16_t *to, const uint16_t *from)
{
	*(x_four *)to = x_larger(*(x_four *)to, *(const x_four *)from);
	for (unsigned i = 4; unlikely(x.state.far) && i < x.nr; i += 4)
		*(x_four *)(to + i) = x_larger(*(x_four *)(to + i), *(const x_four *)(from + i));
}

#endif
