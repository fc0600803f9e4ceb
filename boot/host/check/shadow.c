/* SPDX-License-Identifier: MIT */
/* The shadow memory itself: see shadow.h. Nothing here is instrumented. */
#include "boot/host/check/shadow.h"

#include <string.h>

#define GRANULE 8u

static uint8_t *shadow_of(uintptr_t addr)
{
	return (uint8_t *)(addr / GRANULE + SHADOW_OFFSET);
}

void shadow_close(uintptr_t addr, size_t n, uint8_t why)
{
	uintptr_t end = (addr + n + GRANULE - 1) / GRANULE * GRANULE;
	uint8_t *s = shadow_of(addr), before = (uint8_t)(addr % GRANULE);

	if (!n)
		return;
	if (before) {
		/* Fewer may be open already. */
		if (*s == 0 || (*s<GRANULE && * s> before))
			*s = before;
		s++;
	}
	memset(s, why, (size_t)(shadow_of(end) - s));
}

void shadow_open(uintptr_t addr, size_t n)
{
	uint8_t *s = shadow_of(addr);

	memset(s, 0, n / GRANULE);
	if (n % GRANULE)
		s[n / GRANULE] = (uint8_t)(n % GRANULE);
}

/* May the first `n` bytes, at most 8, of this granule be touched? */
static bool open(uint8_t s, unsigned n)
{
	return s == 0 || (s < GRANULE && n <= s);
}

uintptr_t shadow_bad(uintptr_t addr, size_t n)
{
	uintptr_t end = addr + n, at = addr;

	if (end > SHADOW_LIMIT || end < addr)
		return 0;
	while (at < end) {
		uintptr_t next = (at / GRANULE + 1) * GRANULE;
		uint8_t s = *shadow_of(at);
		unsigned upto = (unsigned)((next < end ? next : end) - (next - GRANULE));

		if (!open(s, upto)) {
			uintptr_t first = next - GRANULE + (s < GRANULE ? s : 0);

			return first > at ? first : at;
		}
		at = next;
	}
	return 0;
}

uint8_t shadow_why(uintptr_t addr)
{
	const uint8_t *s = shadow_of(addr);

	/* The rest of a granule that is open in part belongs to what follows. */
	return *s && *s < GRANULE ? s[1] : *s;
}

const char *shadow_text(uint8_t why)
{
	switch (why) {
	case SHADOW_STACK_LEFT: return "before the first variable of a stack frame";
	case SHADOW_STACK_MIDDLE: return "between two variables of a stack frame";
	case SHADOW_STACK_RIGHT: return "behind the last variable of a stack frame";
	case SHADOW_SCOPE: return "a variable whose block was left";
	case SHADOW_GLOBAL: return "beside a variable of the kernel's";
	case SHADOW_RED: return "outside of the block it is next to";
	case SHADOW_FREED: return "memory that was freed";
	default: return "where nothing lies";
	}
}
