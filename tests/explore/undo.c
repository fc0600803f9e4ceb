/* SPDX-License-Identifier: MIT */
/*
 * Memory is put back after each execution: a log of what every byte was before it was written.
 *
 * The hooks come before a store and log whole words, newest at the end; going through the log
 * backwards brings everything back. A stack of an actor needs none of it: the next execution begins
 * on it anew, or on a copy of it (moment.c), which is not good any more when others write there.
 *
 * The check takes a copy of all memory that the code under test may write, and compares it after
 * the log was undone: what is different was written behind the hooks' back.
 */
#include "tests/explore/internal.h"

uint64_t *x_log_words;
unsigned x_log_used;

bool x_undo_init(void)
{
	if (!x_log_words)
		x_log_words = machine_memory(X_LOG_WORDS * 8);
	x_log_used = 0;
	return x_log_words != NULL;
}

void x_log_is_full(void)
{
	x_fail("an execution writes more than %lu bytes", X_LOG_WORDS * 8);
}

void x_log(const volatile void *at, size_t bytes)
{
	uintptr_t first = ALIGN_DOWN((uintptr_t)at, 8), end = ALIGN_UP((uintptr_t)at + bytes, 8);
	unsigned n = (unsigned)((end - first) / 8);
	uint64_t *to;

	if (first < X_SMALLEST_ADDRESS || !n)
		return;
	if (x_on_stack(first)) {
		x.ran |= 1u << (first - x_stacks) / X_STACK_BYTES;
		for (uintptr_t word = first; x.sc->step && word < end; word += 8)
			x_rule_meets(word);
		return;
	}
	if (x_log_used + n + 2 > X_LOG_WORDS)
		x_log_is_full();
	to = x_log_words + x_log_used;
	x_copy_words(to, (const void *)first, n * 8);
	to += n;
	*to++ = first;
	*to++ = (end - first) / 8;
	x_log_used = (unsigned)(to - x_log_words);
}

bool x_log_is_half_full(void)
{
	return x_log_used > X_LOG_WORDS / 2;
}

void x_undo(unsigned log)
{
	const uint64_t *at = x_log_words + x_log_used, *end = x_log_words + log;

	while (at > end) {
		uint64_t n = at[-1], *to = (uint64_t *)at[-2];

		if (likely(n == 1)) {
			at -= 3;
			*to = *at;
		} else {
			at -= n + 2;
			x_copy_words(to, at, n * 8);
		}
	}
	x_log_used = log;
}

/* ---- the check */

#define COPY_WORDS (512 * KIB)

static uint64_t *copy;

/* Calls fn for each word of each piece; false: fn said so. */
static bool each_word(bool (*fn)(unsigned nth, const uint64_t *word))
{
	unsigned nth = 0;
	size_t bytes;
	void *start;

	for (unsigned i = 0; machine_piece(i, &start, &bytes); i++)
		for (const uint64_t *w = start; w < (uint64_t *)((char *)start + bytes); w++)
			if (nth < COPY_WORDS && !fn(nth++, w))
				return false;
	return true;
}

static bool keep_word(unsigned nth, const uint64_t *word)
{
	copy[nth] = *word;
	return true;
}

static const uint64_t *different;
static bool same_word(unsigned nth, const uint64_t *word)
{
	different = word;
	return copy[nth] == *word;
}

bool x_check_copy(void)
{
	if (!copy)
		copy = machine_memory(COPY_WORDS * 8);
	return copy && each_word(keep_word);
}

bool x_check_compare(char *buf, unsigned n)
{
	char name[64];

	if (each_word(same_word))
		return true;
	x_name_address((uintptr_t)different, name, sizeof(name));
	snprintf(buf, n, "%s is not as it was before the execution: it was written unseen", name);
	return false;
}
