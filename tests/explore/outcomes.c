/* SPDX-License-Identifier: MIT */
/*
 * What executions came to: the set of their outcomes, as numbers that both homes agree on.
 */
#include "tests/explore/internal.h"

#define OUTCOMES 4096u

static uint64_t outcomes[OUTCOMES];

void x_outcomes_reset(void)
{
	memset(outcomes, 0, sizeof(outcomes));
}

static uint64_t outcome(void)
{
	uint64_t h = x.observed_end;

	for (unsigned i = 0; i < x.nr; i++) {
		const struct x_actor *a = &x.actor[i];

		/* Whether there are buffers makes no other outcome. */
		if (a->role <= X_DEVICE || a->observed)
			h = (h ^ a->observed) * 0x100000001b3ull + a->role * X_ACTORS + a->cpu;
	}
	for (const char *c = x.rule; *c; c++)
		h = (h ^ (uint8_t)*c) * 0x100000001b3ull;
	return h ? h : 1;
}

void x_outcome_count(void)
{
	uint64_t h = outcome();
	unsigned i = (unsigned)(h >> 40) % OUTCOMES;

	while (outcomes[i] && outcomes[i] != h)
		i = (i + 1) % OUTCOMES;
	if (outcomes[i] || x.result->outcomes > OUTCOMES / 2)
		return;
	outcomes[i] = h;
	x.result->outcomes++;
	x.result->outcome_sum += h;
}

uint64_t x_outcome_nth(unsigned n)
{
	for (unsigned i = 0; i < OUTCOMES; i++)
		if (outcomes[i] && n-- == 0)
			return outcomes[i];
	return 0;
}
