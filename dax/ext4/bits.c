/* SPDX-License-Identifier: MIT */
/*
 * Runs of bits in a bitmap block, by words of 64.
 *
 * A run of blocks is found, set and cleared as one thing: what a file of gigabytes costs is a
 * word's work for 64 blocks.  A store is of 8 aligned bytes or less, so it reaches the device
 * whole.
 */
#include "dax/ext4/internal.h"

typedef uint64_t __attribute__((may_alias)) word_t;

#define LINE 8u /* words */

static word_t *word_of(const uint8_t *map, uint32_t bit)
{
	return (word_t *)(uintptr_t)map + bit / 64;
}

/* The bits [at, end) of the word that `at` lies in. */
static uint64_t mask_of(uint32_t at, uint32_t end)
{
	uint64_t mask = UINT64_MAX << (at % 64);

	return end - at / 64 * 64 < 64 ? mask & ~(UINT64_MAX << (end % 64)) : mask;
}

static inline bool all_set(const word_t *p)
{
	return (p[0] & p[1] & p[2] & p[3] & p[4] & p[5] & p[6] & p[7]) == UINT64_MAX;
}

static inline bool all_clear(const word_t *p)
{
	return !(p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]);
}

/* The first bit of [at, end) that is as `flip` has it (0: set; all ones: clear), or end. */
static inline __attribute__((always_inline)) uint32_t find(const uint8_t *map, uint32_t at,
							   uint32_t end, uint64_t flip)
{
	while (at < end) {
		const word_t *w = word_of(map, at);
		uint64_t found = (*w ^ flip) & mask_of(at, end);

		if (found)
			return at / 64 * 64 + (uint32_t)__builtin_ctzll(found);
		at = (at / 64 + 1) * 64;
		/* Most of a long run is found by lines. */
		for (w = word_of(map, at);
		     at + 64 * LINE <= end && (flip ? all_set(w) : all_clear(w)); w += LINE)
			at += 64 * LINE;
	}
	return end;
}

uint32_t bits_next_set(const uint8_t *map, uint32_t at, uint32_t end)
{
	return find(map, at, end, 0);
}

uint32_t bits_next_clear(const uint8_t *map, uint32_t at, uint32_t end)
{
	return find(map, at, end, UINT64_MAX);
}

static inline void fill_line(word_t *p, uint64_t value)
{
	p[0] = value;
	p[1] = value;
	p[2] = value;
	p[3] = value;
	p[4] = value;
	p[5] = value;
	p[6] = value;
	p[7] = value;
}

void bits_set(uint8_t *map, uint32_t at, uint32_t n)
{
	const uint32_t end = at + n;

	while (at < end) {
		word_t *w = word_of(map, at);

		*w++ |= mask_of(at, end);
		for (; w + LINE <= word_of(map, end); w += LINE)
			fill_line(w, UINT64_MAX);
		at = (uint32_t)(w - word_of(map, 0)) * 64;
	}
}

/* How many bits are set: sums of 2, then of 4, of 8, and of all 8 bytes at once. */
static uint32_t ones(uint64_t v)
{
	v -= v >> 1 & 0x5555555555555555;
	v = (v & 0x3333333333333333) + (v >> 2 & 0x3333333333333333);
	v = (v + (v >> 4)) & 0x0F0F0F0F0F0F0F0F;
	return (uint32_t)(v * 0x0101010101010101 >> 56);
}

uint32_t bits_clear(uint8_t *map, uint32_t at, uint32_t n)
{
	const uint32_t end = at + n;
	const word_t *last =
		word_of(map, end) - LINE; /* where the last whole line begins at most */
	uint32_t cleared = 0;

	while (at < end) {
		uint64_t mask = mask_of(at, end);
		word_t *w = word_of(map, at);

		cleared += ones(*w & mask);
		*w++ &= ~mask;
		for (; w <= last && all_set(w); w += LINE)
			fill_line(w, 0);
		cleared += (uint32_t)(w - word_of(map, at) - 1) * 64;
		at = (uint32_t)(w - word_of(map, 0)) * 64;
	}
	return cleared;
}
