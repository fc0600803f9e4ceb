/* SPDX-License-Identifier: MIT */
/*
 * The kernel's own locks, word by word: one holder at a time, and nobody sleeps on.
 *
 * In every other scenario a lock is one event. Here .real_locks makes the accesses to its word the
 * events, so that what is explored is the lock. Of those that are waited for asleep, with the
 * spinlocks of the wait queues as one event each: these have scenarios of their own.
 */
#include "kernel/kernel.h"
#include "tests/explore/explore.h"

static struct spinlock spin;
static struct mutex mutex;
static struct rwsem rwsem;
static unsigned readers, writers; /* inside, by the scenario's own count */
static uint64_t value;

static void init(void)
{
	spin_init(&spin, "explored");
	mutex_init(&mutex, "explored");
	rwsem_init(&rwsem, "explored");
	readers = writers = 0;
	value = 0;
}

/* Nobody else is inside: the count is its own proof, since it is changed without a lock. */
static void be_alone(void)
{
	X_EXPECT("lock",
		 !__atomic_fetch_add(&writers, 1, __ATOMIC_RELAXED) &&
			 !__atomic_load_n(&readers, __ATOMIC_RELAXED),
		 "two are inside");
	value++; /* a race, if the lock does not order it */
	__atomic_fetch_sub(&writers, 1, __ATOMIC_RELAXED);
}

static void in_spin(void)
{
	spin_lock(&spin);
	be_alone();
	spin_unlock(&spin);
}

static void in_mutex(void)
{
	mutex_lock(&mutex);
	be_alone();
	mutex_unlock(&mutex);
}

static void write_once(void)
{
	down_write(&rwsem);
	be_alone();
	up_write(&rwsem);
}

static void read_once(void)
{
	down_read(&rwsem);
	__atomic_fetch_add(&readers, 1, __ATOMIC_RELAXED);
	X_EXPECT("lock", !__atomic_load_n(&writers, __ATOMIC_RELAXED),
		 "a writer is inside as well");
	x_observe(value);
	__atomic_fetch_sub(&readers, 1, __ATOMIC_RELAXED);
	up_read(&rwsem);
}

static void twice(void)
{
	X_EXPECT("lock", value == 2, "one of two additions is lost: %lu", value);
}

static void thrice(void)
{
	X_EXPECT("lock", value == 3, "one of three additions is lost: %lu", value);
}

EXPLORE_SCENARIO(spin_two, "spin.two", "a spinlock lets one CPU in at a time", .start = init,
		 .thread = {{"first", in_spin}, {"second", in_spin}}, .end = twice,
		 .real_locks = X_REAL_SPINS);
EXPLORE_SCENARIO(spin_three, "spin.three", "a spinlock lets one CPU of three in at a time",
		 .start = init,
		 .thread = {{"first", in_spin}, {"second", in_spin}, {"third", in_spin}},
		 .end = thrice, .real_locks = X_REAL_SPINS, .large = true);
EXPLORE_SCENARIO(mutex_two, "mutex.two",
		 "a mutex lets one thread in at a time, and its waiter is woken", .start = init,
		 .thread = {{"first", in_mutex}, {"second", in_mutex}}, .end = twice,
		 .real_locks = X_REAL_SLEEPERS);
EXPLORE_SCENARIO(mutex_three, "mutex.three",
		 "of two that are woken for a mutex one has it, and the other one sleeps again",
		 .start = init,
		 .thread = {{"first", in_mutex}, {"second", in_mutex}, {"third", in_mutex}},
		 .end = thrice, .real_locks = X_REAL_SLEEPERS, .large = true);
EXPLORE_SCENARIO(rwsem_write_write, "rwsem.write-write",
		 "an rwsem lets one writer in at a time, and the other one is woken", .start = init,
		 .thread = {{"first", write_once}, {"second", write_once}}, .end = twice,
		 .real_locks = X_REAL_SLEEPERS);
EXPLORE_SCENARIO(rwsem_read_write, "rwsem.read-write",
		 "a writer and a reader are never inside together, and each is woken by the other",
		 .start = init, .thread = {{"reader", read_once}, {"writer", write_once}},
		 .real_locks = X_REAL_SLEEPERS);
EXPLORE_SCENARIO(rwsem_two_readers, "rwsem.two-readers", "the last of two readers wakes the writer",
		 .start = init,
		 .thread = {{"first", read_once}, {"second", read_once}, {"writer", write_once}},
		 .real_locks = X_REAL_SLEEPERS, .large = true);

/* ---- what a reader saw before --------------------------------------------------------------- */

static void write_value(void)
{
	down_write(&rwsem);
	value = 1;
	up_write(&rwsem);
}

static uint64_t look(uint32_t *writes)
{
	uint64_t v;

	down_read(&rwsem);
	*writes = rwsem.writes;
	v = value;
	up_read(&rwsem);
	return v;
}

static void look_twice(void)
{
	uint32_t before, after;
	uint64_t was = look(&before), is = look(&after);

	X_EXPECT("lock", was == is || before != after,
		 "what was read under the lock has changed, and the count of writes has not");
}

EXPLORE_SCENARIO(rwsem_writes, "rwsem.writes",
		 "what a reader saw is as it was while the count of writes is the same",
		 .start = init, .thread = {{"reader", look_twice}, {"writer", write_value}},
		 .real_locks = X_REAL_SLEEPERS);

/* ---- a lock that an interrupt takes as well ------------------------------------------------- */

static void interrupted_add(void *unused)
{
	(void)unused;
	spin_lock(&spin);
	be_alone();
	spin_unlock(&spin);
}

static void interrupt_first(void)
{
	x_interrupt(1, interrupted_add, NULL);
}

static void in_spin_masked(void)
{
	uint64_t flags = spin_lock_irqsave(&spin);

	be_alone();
	spin_unlock_irqrestore(&spin, flags);
}

EXPLORE_SCENARIO(spin_interrupt, "spin.interrupt",
		 "a lock that an interrupt takes is held with interrupts off: the handler never "
		 "waits for what it interrupted",
		 .start = init, .thread = {{"device", interrupt_first}, {"thread", in_spin_masked}},
		 .end = twice, .real_locks = X_REAL_SPINS, .interrupts = true);
