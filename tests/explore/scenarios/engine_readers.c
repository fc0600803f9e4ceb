/* SPDX-License-Identifier: MIT */
/*
 * A lock with readers, as states have to take it (noted.c): a reader's acquisition competes with a
 * writer's, and what two readers do under it with each other. Whose turn is first and who is first
 * under the lock are observed: each with each.
 */
#include "kernel/kernel.h"
#include "tests/explore/scenarios/engine.h"

static struct rwsem shelf = RWSEM_INIT("shelf");
static uint32_t came, books;

static void start(void)
{
	came = books = 0;
}

static void come(void)
{
	x_observe(__atomic_fetch_add(&came, 1, __ATOMIC_SEQ_CST));
}

static void reads(void)
{
	come();
	down_read(&shelf);
	x_observe(LOAD(books));
	up_read(&shelf);
}

static void counts(void)
{
	come();
	down_read(&shelf);
	x_observe(__atomic_fetch_add(&books, 1, __ATOMIC_SEQ_CST));
	up_read(&shelf);
}

static void writes(void)
{
	come();
	down_write(&shelf);
	STORE(books, 7);
	up_write(&shelf);
}

const struct x_scenario engine_readers_write = {.name = "engine.readers-write",
						.start = start,
						.thread = {{"reads", reads}, {"writes", writes}}};
const struct x_scenario engine_readers_count = {.name = "engine.readers-count",
						.start = start,
						.thread = {{"one", counts}, {"two", counts}}};
