/* SPDX-License-Identifier: MIT */
/*
 * What an exploration finds where nobody of it has written: in the heap, in a frame, on a thread's
 * stack. Each writes there for the next one, which is to find zeroes (alike.c, arena.c).
 */
#include "mm/mm.h"
#include "tests/explore/scenarios/engine.h"

#define WORDS 64u

static volatile uint64_t *block;
static uint64_t frame;
uint64_t engine_left[2]; /* in the heap, in a frame */

static uint64_t all_of(const volatile uint64_t *at)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < WORDS; i++)
		any |= at[i];
	return any;
}

static void fill(volatile uint64_t *at)
{
	for (unsigned i = 0; i < WORDS; i++)
		at[i] = ~0ull;
}

/* The heap behind its block is what executions will have. */
static int takes(void)
{
	block = malloc(sizeof(*block));
	frame = frame_alloc(0);
	if (!block || !frame)
		return refuse(-ENOMEM, "no memory to look at");
	engine_left[0] = all_of(block);
	engine_left[1] = all_of(phys_to_virt(frame));
	fill(phys_to_virt(frame)); /* what an execution stores there is undone */
	return 0;
}

static void gives_back(void)
{
	free((void *)block);
	frame_free(frame, 0);
}

static void fills_heap(void)
{
	void *p = malloc(WORDS * sizeof(uint64_t));

	fill(p);
	free(p);
}

/* Far below what it has called so far. */
static void fills_stack(void)
{
	volatile uint64_t *below = (uint64_t *)__builtin_frame_address(0) - 2048;

	X_EXPECT("stack", !all_of(below), "0x%lx is left on a stack", all_of(below));
	fill(below);
}

const struct x_scenario engine_alike = {.name = "engine.alike",
					.setup = takes,
					.teardown = gives_back,
					.thread = {{"heap", fills_heap}, {"stack", fills_stack}}};
