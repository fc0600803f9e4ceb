/* SPDX-License-Identifier: MIT */
/*
 * What the explorer is asked about itself, of memory (see engine.c): what was freed and is touched
 * late, what a copy wrote, where what is allocated lies.
 */
#include "kernel/kernel.h"
#include "mm/mm.h"
#include "tests/explore/scenarios/engine.h"

static uint32_t a, b;

static void store_two(void)
{
	STORE(a, 2);
}

#define LARGE 8192u

static uint8_t *memory;

static void make_small(void)
{
	memory = malloc(24);
}

static void make_large(void)
{
	memory = malloc(LARGE);
}

static void frees(void)
{
	free(memory);
}

static void touches_last(void)
{
	x_point("late");
	memory[23] = 1;
}

static void touches_far(void)
{
	x_point("late");
	memory[LARGE - 1] = 1;
}

static void touches_middle(void)
{
	x_point("late");
	memory[LARGE / 2] = 1;
}

static void touches_beside(void)
{
	uint8_t *other = malloc(24);

	x_point("late");
	other[0] = 1;
}

static uint32_t told;

static void make_and_tell_nobody(void)
{
	make_small();
	told = 0;
}

/* With buffers the last store is on its way when the other thread is told, and lands too late. */
static void tells_first(void)
{
	STORE(told, 1);
	STORE(memory[8], 1);
}

static void tells_last(void)
{
	STORE(memory[8], 1);
	STORE(told, 1);
}

static void frees_when_told(void)
{
	if (LOAD(told))
		free(memory);
}

static void stores_and_frees(void)
{
	STORE(memory[8], 1);
	free(memory);
}

static void looks_on(void)
{
	x_observe(LOAD(told));
}

const struct x_scenario engine_free_told = {
	.name = "engine.free-told",
	.start = make_and_tell_nobody,
	.thread = {{"tells", tells_first}, {"frees", frees_when_told}}};
const struct x_scenario engine_free_behind = {
	.name = "engine.free-behind",
	.start = make_and_tell_nobody,
	.thread = {{"tells", tells_last}, {"frees", frees_when_told}}};
const struct x_scenario engine_free_own = {
	.name = "engine.free-own",
	.start = make_and_tell_nobody,
	.thread = {{"frees", stores_and_frees}, {"looks", looks_on}}};

const struct x_scenario engine_free_last = {
	.name = "engine.free-last",
	.start = make_small,
	.thread = {{"frees", frees}, {"touches", touches_last}}};
/* Rules are code that touches memory, too. */
static void looks_at_first(void)
{
	x_observe(memory[0]);
}

static void loads_middle(void)
{
	x_observe(__atomic_load_n((uint64_t *)(void *)(memory + 8), __ATOMIC_RELAXED));
}

const struct x_scenario engine_free_step = {.name = "engine.free-step",
					    .start = make_small,
					    .step = looks_at_first,
					    .thread = {{"frees", frees}, {"looks", looks_on}}};
const struct x_scenario engine_free_end = {.name = "engine.free-end",
					   .start = make_small,
					   .end = loads_middle,
					   .thread = {{"frees", frees}, {"looks", looks_on}}};
const struct x_scenario engine_free_far = {.name = "engine.free-far",
					   .start = make_large,
					   .thread = {{"frees", frees}, {"touches", touches_far}}};
const struct x_scenario engine_free_middle = {
	.name = "engine.free-middle",
	.start = make_large,
	.thread = {{"frees", frees}, {"touches", touches_middle}}};
const struct x_scenario engine_free_twice = {.name = "engine.free-twice",
					     .start = make_small,
					     .thread = {{"frees", frees}, {"frees too", frees}}};
const struct x_scenario engine_free_beside = {
	.name = "engine.free-beside",
	.start = make_small,
	.thread = {{"frees", frees}, {"touches", touches_beside}}};

static struct slab_cache cache = SLAB_CACHE_INIT("engine", 48);

static void takes_frame(void)
{
	uint64_t phys = frame_alloc(0);

	__atomic_store_n(&memory, phys ? phys_to_virt(phys) : NULL, __ATOMIC_RELEASE);
	frame_free(phys, 0);
}

static void takes_three_frees_two(void)
{
	uint64_t first = frame_alloc(0), second = frame_alloc(0);

	frame_alloc(0);
	frame_free(first, 0);
	free(malloc(PAGE_SIZE)); /* as many bytes, and no frame */
	frame_free(second, 0);
}

static void has_one(void)
{
	X_EXPECT("frames", x_frames_taken() == 1, "%ld frames are taken", x_frames_taken());
}

const struct x_scenario engine_frames = {
	.name = "engine.frames",
	.thread = {{"takes", takes_three_frees_two}, {"looks", looks_on}},
	.end = has_one};

static void takes_slab(void)
{
	void *p = slab_alloc(&cache);

	__atomic_store_n(&memory, p, __ATOMIC_RELEASE);
	slab_free(&cache, p);
}

static void touch_late(unsigned at)
{
	uint8_t *p = __atomic_load_n(&memory, __ATOMIC_ACQUIRE);

	x_point("late");
	if (p)
		p[at] = 1;
}

static void touches_frame(void)
{
	touch_late(PAGE_SIZE - 1);
}

static void touches_slab(void)
{
	touch_late(47);
}

const struct x_scenario engine_free_frame = {
	.name = "engine.free-frame",
	.thread = {{"first", takes_frame}, {"touches", touches_frame}}};
const struct x_scenario engine_free_slab = {
	.name = "engine.free-slab", .thread = {{"first", takes_slab}, {"touches", touches_slab}}};

static uint8_t from[64], to[64];

static volatile size_t length = sizeof(from); /* so that it is a call */

/* Other bytes than those of before, in each execution. */
static void copies(void)
{
	size_t n = length;

	memset(from, to[63] + 1, n);
	memcpy(to, from, n);
	for (unsigned i = 0; i < 4; i++)
		STORE(b, i);
}

/* What a copy wrote is put back, to its last byte. */
const struct x_scenario engine_copies = {.name = "engine.copies",
					 .thread = {{"copies", copies}, {"two", store_two}}};

static void observe_address(void)
{
	void *p = malloc(16);

	STORE(a, 1);
	x_observe((uintptr_t)p);
}

/* What is allocated lies where it lay in the execution before. */
const struct x_scenario engine_address = {
	.name = "engine.address", .thread = {{"allocates", observe_address}, {"two", store_two}}};

/* ---- several words at once */

static struct three {
	uint64_t first, second, third;
} three;

static void start_three(void)
{
	three = (struct three){0, 0, 0};
}

static volatile size_t three_bytes = sizeof(three); /* so that it is a call */

static void set_three(void)
{
	memset(&three, 1, three_bytes);
}

static void assign_three(void)
{
	static const struct three other = {1, 1, 1};

	three = other;
}

static void look_from_behind(void)
{
	uint64_t third = LOAD(three.third);

	x_observe(!!third * 2u + !!LOAD(three.first));
}

/* It comes before both looks, between them, or behind them; never in the middle of it. */
const struct x_scenario engine_wide_set = {
	.name = "engine.wide-set",
	.start = start_three,
	.thread = {{"sets", set_three}, {"looks", look_from_behind}}};
const struct x_scenario engine_wide_assigned = {
	.name = "engine.wide-assigned",
	.start = start_three,
	.thread = {{"assigns", assign_three}, {"looks", look_from_behind}}};
/* The same, and the looks are the first thread's: what goes alone is known before the store is. */
const struct x_scenario engine_wide_late = {
	.name = "engine.wide-late",
	.start = start_three,
	.thread = {{"looks", look_from_behind}, {"sets", set_three}}};
static uint32_t passed_on;

static void tell_and_look(void)
{
	STORE(told, 1);
	look_from_behind();
}

static void set_if_passed_on(void)
{
	if (LOAD(passed_on))
		set_three();
}

static void pass_on(void)
{
	if (LOAD(told))
		STORE(passed_on, 1);
}

static void start_untold(void)
{
	start_three();
	told = passed_on = 0;
}

/* The same, and no store is seen before the looks went alone in some order. */
const struct x_scenario engine_wide_unseen = {
	.name = "engine.wide-unseen",
	.start = start_untold,
	.thread = {{"looks", tell_and_look}, {"sets", set_if_passed_on}, {"passes on", pass_on}}};
/* Of two that overlap either is the last. */
static void set_to_two(void)
{
	memset(&three, 2, three_bytes);
}

static void see_three(void)
{
	x_observe(LOAD(three.second) & 3);
}

const struct x_scenario engine_wide_twice = {
	.name = "engine.wide-twice",
	.start = start_three,
	.thread = {{"sets", set_three}, {"sets too", set_to_two}},
	.end = see_three};

/* ---- calls that read or write memory: they see what was freed, and race */

static char text[24];
static volatile size_t some = 8;

static void makes_text(void)
{
	make_small();
	memset(text, 0, sizeof(text));
}

static void copies_from(void)
{
	x_point("late");
	memcpy(text, memory, some);
}

static void moves_from(void)
{
	x_point("late");
	memmove(text, memory, some);
}

static void prints_to(void)
{
	x_point("late");
	snprintf((char *)memory, some, "%u", 1u);
}

static void copies_name_to(void)
{
	x_point("late");
	strncpy((char *)memory, "name", some);
}

static void sets_to(void)
{
	x_point("late");
	memset(memory, 1, some);
}

static void copies_to(void)
{
	x_point("late");
	memcpy(memory, text, some);
}

static void adds_to(void)
{
	x_point("late");
	__atomic_fetch_add((uint64_t *)(void *)memory, 1, __ATOMIC_SEQ_CST);
}

static void loads_from(void)
{
	x_point("late");
	x_observe(__atomic_load_n((uint64_t *)(void *)memory, __ATOMIC_ACQUIRE));
}

static void knows_it_is_shared(void)
{
	makes_text();
	x_observe(__atomic_load_n((uint64_t *)(void *)memory, __ATOMIC_ACQUIRE));
}

static void loads_plainly(void)
{
	x_point("late");
	x_observe(*(uint64_t *)(void *)memory);
}

static void grows(void)
{
	uint8_t *larger = realloc(memory, 48);

	x_observe(larger != NULL);
}

#define TOUCHED_BY(what, how)                                                                      \
	{                                                                                          \
		.name = "engine.freed-" what, .start = makes_text,                                 \
		.thread = {{"frees", frees}, {what, how}},                                         \
	}
/* Each touches what was freed, if it comes late. */
const struct x_scenario engine_freed_by[] = {
	TOUCHED_BY("memcpy-from", copies_from),
	TOUCHED_BY("memmove-from", moves_from),
	TOUCHED_BY("snprintf", prints_to),
	TOUCHED_BY("strncpy", copies_name_to),
	TOUCHED_BY("memset", sets_to),
	TOUCHED_BY("memcpy-to", copies_to),
	TOUCHED_BY("add", adds_to),
	TOUCHED_BY("load", loads_from),
	{
		.name = "engine.freed-event",
		.start = knows_it_is_shared,
		.thread = {{"frees", frees}, {"loads", loads_plainly}},
	},
	{
		.name = "engine.freed-realloc",
		.start = makes_text,
		.thread = {{"frees", grows}, {"touches", touches_last}},
	},
	{NULL}};

/* A plain store races with a free that nothing orders behind it, and is no late one. */
static void touches_first(void)
{
	memory[0] = 1;
}

const struct x_scenario engine_free_raced = {
	.name = "engine.free-raced",
	.start = make_small,
	.thread = {{"touches", touches_first}, {"frees", frees}}};

/* The allocator's lock empties the buffer: who allocates between store and look is fenced. */
static uint32_t here, there;

static void start_fenced(void)
{
	here = there = 0;
}

static void stores_here(void)
{
	STORE(here, 1);
	slab_free(&cache, slab_alloc(&cache));
	x_observe(LOAD(there));
}

static void stores_there(void)
{
	STORE(there, 1);
	slab_free(&cache, slab_alloc(&cache));
	x_observe(LOAD(here));
}

const struct x_scenario engine_fenced_by_slab = {
	.name = "engine.fenced-by-slab",
	.start = start_fenced,
	.thread = {{"here", stores_here}, {"there", stores_there}}};
