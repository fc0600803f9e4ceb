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

/* ---- who adds under the lock in one order, and in another with less of it. The other one holds
 * it, looks and adds; what comes between is seen. */

static uint32_t flag;

static void start_flag(void)
{
	flag = books = 0;
}

static void sets_flag(void)
{
	STORE(flag, 1);
}

static void add_book(void)
{
	x_observe(__atomic_fetch_add(&books, 1, __ATOMIC_SEQ_CST));
}

static void look_and_add(void)
{
	x_observe(LOAD(books));
	add_book();
}

static void writes_alone(void)
{
	down_write(&shelf);
	look_and_add();
	up_write(&shelf);
}

static void adds_reading(void)
{
	bool locks = LOAD(flag);

	x_observe(locks);
	if (locks)
		down_read(&shelf);
	add_book();
	if (locks)
		up_read(&shelf);
}

static void reads_and_adds(void)
{
	down_read(&shelf);
	look_and_add();
	up_read(&shelf);
}

static void adds_writing(void)
{
	bool writes = LOAD(flag);

	x_observe(writes);
	if (writes)
		down_write(&shelf);
	else
		down_read(&shelf);
	add_book();
	if (writes)
		up_write(&shelf);
	else
		up_read(&shelf);
}

/* Under the lock it comes before both or behind; without, or with a reader's, between them, too. */
const struct x_scenario engine_lock_left = {
	.name = "engine.lock-left",
	.start = start_flag,
	.thread = {{"sets", sets_flag}, {"writes", writes_alone}, {"adds", adds_reading}}};
const struct x_scenario engine_lock_shared = {
	.name = "engine.lock-shared",
	.start = start_flag,
	.thread = {{"sets", sets_flag}, {"reads", reads_and_adds}, {"adds", adds_writing}}};
