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

#define BLOCK 16u /* words that are looked at, or filled, at once: two cache lines */

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
	uint64_t all = p[0];

#pragma GCC unroll 16
	for (unsigned i = 1; i < BLOCK; i++)
		all &= p[i];
	return all == UINT64_MAX;
}

static inline bool all_clear(const word_t *p)
{
	uint64_t any = p[0];

#pragma GCC unroll 16
	for (unsigned i = 1; i < BLOCK; i++)
		any |= p[i];
	return !any;
}

/* The first bit of [at, end) that is as `flip` has it (0: set; all ones: clear), or end. */
static inline __attribute__((always_inline)) uint32_t find(const uint8_t *map, uint32_t at,
							   uint32_t end, uint64_t flip)
{
	const word_t *w = word_of(map, at), *stop = word_of(map, end + 63);
	uint64_t found;

	if (at >= end)
		return end;
	found = (*w ^ flip) & UINT64_MAX << at % 64;
	if (!found) {
		/* Most of a long run is found by blocks, and where it ends by words. */
		for (w++; w + BLOCK <= stop && (flip ? all_set(w) : all_clear(w));)
			w += BLOCK;
		while (w < stop && *w == flip)
			w++;
		if (w == stop)
			return end;
		found = *w ^ flip;
	}
	at = (uint32_t)(w - word_of(map, 0)) * 64 + (uint32_t)__builtin_ctzll(found);
	return at < end ? at : end;
}

uint32_t bits_next_set(const uint8_t *map, uint32_t at, uint32_t end)
{
	return find(map, at, end, 0);
}

uint32_t bits_next_clear(const uint8_t *map, uint32_t at, uint32_t end)
{
	return find(map, at, end, UINT64_MAX);
}

static inline void fill(word_t *p, uint64_t value)
{
#pragma GCC unroll 16
	for (unsigned i = 0; i < BLOCK; i++)
		p[i] = value;
}

void bits_set(uint8_t *map, uint32_t at, uint32_t n)
{
	const uint32_t end = at + n;

	while (at < end) {
		word_t *w = word_of(map, at);

		*w++ |= mask_of(at, end);
		for (; w + BLOCK <= word_of(map, end); w += BLOCK)
			fill(w, UINT64_MAX);
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

/* The bits of @mask in a word: how many were set. */
static uint32_t clear_masked(word_t *w, uint64_t mask)
{
	uint64_t set = *w & mask;

	*w &= ~mask;
	return ones(set);
}

/* Whole words: by blocks as long as all bits of them are set, which is how a file leaves them. */
static inline uint32_t clear_words(word_t *w, const word_t *end)
{
	uint32_t cleared = 0;

	while (w < end) {
		const word_t *from = w, *stop;

		for (; w + BLOCK <= end && all_set(w); w += BLOCK)
			fill(w, 0);
		cleared += (uint32_t)(w - from) * 64;
		for (stop = w + BLOCK < end ? w + BLOCK : end; w < stop; w++) {
			cleared += *w == UINT64_MAX ? 64 : ones(*w);
			*w = 0;
		}
	}
	return cleared;
}

uint32_t bits_clear(uint8_t *map, uint32_t at, uint32_t n)
{
	const uint32_t end = at + n;
	const uint64_t head = UINT64_MAX << at % 64, tail = ~(UINT64_MAX << end % 64);
	word_t *w = word_of(map, at), *last = word_of(map, end);
	uint32_t cleared = 0;

	if (w == last)
		return n ? clear_masked(w, head & tail) : 0;
	if (at % 64)
		cleared += clear_masked(w++, head);
	cleared += clear_words(w, last);
	if (tail)
		cleared += clear_masked(last, tail);
	return cleared;
}
