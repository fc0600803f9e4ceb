/* SPDX-License-Identifier: MIT */
/*
 * Reader-writer semaphores: many readers, or one writer.
 *
 * One counter says it all: 0 free, n > 0 that many readers, -1 a writer. A writer that has to wait
 * announces itself in writers_waiting, and readers that come later stay out until it was served:
 * writers do not starve. The last reader and the leaving writer wake everybody at the semaphore's
 * address; each tries again. A reader that slips in between the announcement and the writer's first
 * look delays it by one critical section, no more. Entering and leaving as a reader while no writer
 * is about is in internal.h.
 */
#include "kernel/sched/internal.h"

MUSEUM(readers_pass, "readers-pass",
       "readers enter past a writer that waits, which never gets in while they follow one another; "
       "shown by selftest lock.rwsem-writer-waits");
MUSEUM(last_reader_silent, "last-reader-silent",
       "the last reader wakes no writer; found by explore rwsem.read-write");
MUSEUM_EXPLORED(writes_late, "writes-counted-late",
		"a write is counted when the lock is free already: who reads next believes what it "
		"saw before; found by explore rwsem.writes");

void rwsem_init(struct rwsem *s, const char *name)
{
	s->both = 0;
	s->writer = NULL;
	s->writes = 0;
	s->name = name;
}

bool rwsem_held(const struct rwsem *s)
{
	return __atomic_load_n(&s->count, __ATOMIC_RELAXED) != 0;
}

static bool enter_read(struct rwsem *s)
{
	int32_t c = __atomic_load_n(&s->count, __ATOMIC_RELAXED);

	if (__atomic_load_n(&s->writers_waiting, __ATOMIC_RELAXED) != 0 && !museum_on(readers_pass))
		return false;
	while (c >= 0) {
		if (__atomic_compare_exchange_n(&s->count, &c, c + 1, false, __ATOMIC_ACQUIRE,
						__ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static bool enter_write(struct rwsem *s)
{
	int32_t free = 0;

	if (!__atomic_compare_exchange_n(&s->count, &free, -1, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	__atomic_store_n(&s->writer, current_thread(), __ATOMIC_RELAXED);
	return true;
}

static void refuse_twice(const struct rwsem *s)
{
	bool write = rwsem_held_write(s);

	if (write || held_has(s, HELD_READ))
		panic("rwsem '%s' taken twice by thread %u '%s', which holds it for %s", s->name,
		      current_thread()->tid, current_thread()->name, write ? "writing" : "reading");
}

/* Sleeps until `enter` succeeds. Readers have no names: only a writing holder can be told. */
static void __attribute__((noinline))
wait_for(struct rwsem *s, bool (*enter)(struct rwsem *), const char *how)
{
	struct waiter w = {0};
	char what[64], holder[64], waker[96];

	refuse_twice(s);
	snprintf(what, sizeof(what), "rwsem '%s' for %s", s->name, how);
	for (;;) {
		const struct thread *writer = __atomic_load_n(&s->writer, __ATOMIC_RELAXED);
		int32_t count = __atomic_load_n(&s->count, __ATOMIC_RELAXED);

		thread_describe(writer, holder, sizeof(holder));
		if (writer)
			snprintf(waker, sizeof(waker), "up_write() by %s", holder);
		else
			snprintf(waker, sizeof(waker), "up_read() of %d reader(s)", count);
		wait_prepare(&w, s, what, waker);
		if (enter(s))
			break;
		wait_sleep(&w);
	}
	wait_finish(&w);
}

bool down_read_trylock(struct rwsem *s)
{
	if (!enter_read(s))
		return false;
	lock_order_take(s, s->name, LOCK_SLEEP, true);
	held_add(s, HELD_READ);
	return true;
}

void down_read_slowly(struct rwsem *s)
{
	refuse_twice(s);
	if (!enter_read(s))
		wait_for(s, enter_read, "reading");
	held_add(s, HELD_READ);
}

void up_read_wrongly(const struct rwsem *s)
{
	panic("rwsem '%s' released for reading by thread %u '%s', which does not hold it (count "
	      "%d)",
	      s->name, current_thread()->tid, current_thread()->name, s->count);
}

/* If the count is not zero by now, other readers are inside, or a writer came in: no wake is due.
 */
void up_read_wake(struct rwsem *s)
{
	if (__atomic_load_n(&s->count, __ATOMIC_RELAXED) == 0 && !museum_on(last_reader_silent))
		wake_up(s);
}

bool down_write_trylock(struct rwsem *s)
{
	if (!enter_write(s))
		return false;
	lock_order_take(s, s->name, LOCK_SLEEP, true);
	held_add(s, HELD_WRITE);
	return true;
}

void down_write(struct rwsem *s)
{
	might_sleep();
	lock_order_take(s, s->name, LOCK_SLEEP, false);
	if (!enter_write(s)) {
		__atomic_add_fetch(&s->writers_waiting, 1, __ATOMIC_RELAXED);
		wait_for(s, enter_write, "writing");
		__atomic_sub_fetch(&s->writers_waiting, 1, __ATOMIC_RELAXED);
	}
	held_add(s, HELD_WRITE);
}

void up_write(struct rwsem *s)
{
	char holder[64];

	if (unlikely(!rwsem_held_write(s))) {
		thread_describe(s->writer, holder, sizeof(holder));
		panic("rwsem '%s' released for writing by thread %u '%s', but its writer is %s",
		      s->name, current_thread()->tid, current_thread()->name, holder);
	}
	held_remove(s, HELD_WRITE);
	lock_order_drop(s, LOCK_SLEEP);
	__atomic_store_n(&s->writer, NULL, __ATOMIC_RELAXED);
	/* Before the lock is free: who reads next must see that something may have changed. */
	if (!museum_explored(writes_late))
		__atomic_store_n(&s->writes, s->writes + 1, __ATOMIC_RELAXED);
	/* A locked exchange, not a plain store: see wait_maybe(). */
	__atomic_exchange_n(&s->count, 0, __ATOMIC_SEQ_CST);
	if (museum_explored(writes_late))
		__atomic_store_n(&s->writes, s->writes + 1, __ATOMIC_RELAXED);
	if (wait_maybe(s))
		wake_up(s);
}
