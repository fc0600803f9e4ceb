/* SPDX-License-Identifier: MIT */
/* Self-tests: spinlock, mutex, rwsem, and what is known of their holders (lock.*). */
#include "kernel/kernel.h"

#define ROUNDS	2000
#define THREADS 4

static struct spinlock spin = SPINLOCK_INIT("test spinlock");
static struct mutex mutex = MUTEX_INIT("test mutex");
static struct rwsem sem = RWSEM_INIT("test rwsem");
static unsigned counter, go, stage;

/* Not atomic, and slow enough to be interrupted in the middle: only a lock saves it. */
static void count_slowly(void)
{
	unsigned was = *(volatile unsigned *)&counter;

	cpu_pause();
	*(volatile unsigned *)&counter = was + 1;
}

static void count_under_spin(void *arg __attribute__((unused)))
{
	for (int i = 0; i < ROUNDS; i++) {
		spin_lock(&spin);
		count_slowly();
		spin_unlock(&spin);
	}
}

SELFTEST(lock_spin_excludes, "lock.spin-excludes", "a spinlock lets one CPU in at a time")
{
	struct gang g;

	counter = 0;
	EXPECT(gang_start(&g, THREADS, count_under_spin, NULL, true), "no memory for threads");
	gang_join(&g);
	EXPECT(counter == THREADS * ROUNDS, "%u increments of %u", counter, THREADS * ROUNDS);
}

SELFTEST(lock_spin_irqsave, "lock.spin-irqsave",
	 "irqsave keeps interrupts out, and nested ones come back only with the outer unlock")
{
	static struct spinlock inner = SPINLOCK_INIT("test inner spinlock");
	uint64_t f1 = spin_lock_irqsave(&spin), f2 = spin_lock_irqsave(&inner);
	bool on_inside = irqs_enabled(), on_between;

	spin_unlock_irqrestore(&inner, f2);
	on_between = irqs_enabled();
	spin_unlock_irqrestore(&spin, f1);
	EXPECT(!on_inside && !on_between, "interrupts on with the lock held");
	EXPECT(irqs_enabled(), "interrupts off after the outer unlock");
}

SELFTEST(lock_spin_held, "lock.spin-held",
	 "spin_held() is true for the holding CPU only while held")
{
	bool before = spin_held(&spin), inside, again;

	spin_lock(&spin);
	inside = spin_held(&spin);
	again = __atomic_load_n(&spin.locked, __ATOMIC_RELAXED) == 1 + cpu_id();
	spin_unlock(&spin);
	EXPECT(!before && inside && !spin_held(&spin), "before %d, inside %d", before, inside);
	EXPECT(again, "the word does not name the holding CPU");
}

static void try_spin(void *arg)
{
	*(bool *)arg = spin_trylock(&spin);
	if (*(bool *)arg)
		spin_unlock(&spin);
}

SELFTEST(lock_spin_trylock, "lock.spin-trylock",
	 "trylock fails on another CPU while held, then passes")
{
	bool busy, free;
	unsigned other;

	if (nr_cpus < 2)
		SKIP("needs two CPUs");
	spin_lock(&spin);
	other = 1u << (cpu_id() + 1) % nr_cpus;
	cpu_call(other, try_spin, &busy);
	spin_unlock(&spin);
	cpu_call(other, try_spin, &free);
	EXPECT(!busy, "another CPU got a lock that was held");
	EXPECT(free, "a free lock was refused");
}

static void count_under_mutex(void *arg __attribute__((unused)))
{
	for (int i = 0; i < ROUNDS / 10; i++) {
		unsigned was;

		mutex_lock(&mutex);
		was = counter;
		thread_yield();
		counter = was + 1;
		mutex_unlock(&mutex);
	}
}

SELFTEST(lock_mutex_excludes, "lock.mutex-excludes",
	 "a mutex lets one thread in at a time, even when its holder gives up the CPU")
{
	struct gang g;

	counter = 0;
	EXPECT(gang_start(&g, THREADS, count_under_mutex, NULL, false), "no memory for threads");
	gang_join(&g);
	EXPECT(counter == THREADS * (ROUNDS / 10), "%u increments of %u", counter,
	       THREADS * (ROUNDS / 10));
}

static void lock_and_note(void *arg __attribute__((unused)))
{
	mutex_lock(&mutex);
	__atomic_store_n(&stage, 1, __ATOMIC_RELEASE);
	mutex_unlock(&mutex);
}

static char text_what[80], text_waker[96];

static void copy_wait_text(struct thread *t, void *arg)
{
	if (t != arg || t->state != THREAD_SLEEPING || !t->waiting)
		return;
	strncpy(text_what, t->waiting->what, sizeof(text_what) - 1);
	strncpy(text_waker, t->waiting->waker, sizeof(text_waker) - 1);
}

SELFTEST(lock_mutex_tells, "lock.mutex-tells",
	 "who waits for a mutex sleeps, and its wait names the mutex and the holder")
{
	struct gang g;
	bool asleep;
	unsigned early;

	stage = 0;
	memset(text_what, 0, sizeof(text_what));
	memset(text_waker, 0, sizeof(text_waker));
	mutex_lock(&mutex);
	if (!gang_start(&g, 1, lock_and_note, NULL, false)) {
		mutex_unlock(&mutex);
		SKIP("no memory for a thread");
	}
	asleep = gather_on(&mutex, 1) && falls_asleep(g.thread[0]);
	thread_for_each(copy_wait_text, g.thread[0]);
	early = stage;
	mutex_unlock(&mutex);
	gang_join(&g);
	EXPECT(asleep && early == 0, "the second one did not wait");
	EXPECT(stage == 1, "the waiter was not woken by the unlock");
	EXPECT(strstr(text_what, "test mutex"), "it waits for '%s'", text_what);
	EXPECT(strstr(text_waker, current_thread()->name), "woken by '%s'", text_waker);
}

static void try_mutex(void *arg)
{
	*(bool *)arg = mutex_trylock(&mutex);
	if (*(bool *)arg)
		mutex_unlock(&mutex);
}

SELFTEST(lock_mutex_trylock, "lock.mutex-trylock",
	 "trylock never waits: false for another thread while held, true afterwards")
{
	bool busy = true, free = false, mine;
	struct gang g;

	mutex_lock(&mutex);
	mine = mutex_held(&mutex);
	if (gang_start(&g, 1, try_mutex, &busy, false))
		gang_join(&g);
	mutex_unlock(&mutex);
	if (gang_start(&g, 1, try_mutex, &free, false))
		gang_join(&g);
	EXPECT(mine && !mutex_held(&mutex), "mutex_held() is wrong for the holder");
	EXPECT(!busy && free, "while held %d, when free %d", busy, free);
}

/* Readers stay inside until `go`. */
static void read_and_stay(void *arg __attribute__((unused)))
{
	down_read(&sem);
	__atomic_add_fetch(&stage, 1, __ATOMIC_RELEASE);
	wait_event(&go, __atomic_load_n(&go, __ATOMIC_ACQUIRE), "the test", "the test");
	up_read(&sem);
}

static void write_and_count(void *arg __attribute__((unused)))
{
	down_write(&sem);
	counter = (unsigned)sem.count;
	__atomic_add_fetch(&stage, 100, __ATOMIC_RELEASE);
	up_write(&sem);
}

static void open_gate(void)
{
	__atomic_store_n(&go, 1, __ATOMIC_RELEASE);
	wake_up(&go);
}

SELFTEST(lock_rwsem_shares, "lock.rwsem-shares", "several readers are inside at the same time")
{
	struct gang g;
	bool both;
	int32_t count;

	stage = go = 0;
	EXPECT(gang_start(&g, 3, read_and_stay, NULL, false), "no memory for threads");
	both = comes_true(&stage, 3);
	count = sem.count;
	open_gate();
	gang_join(&g);
	EXPECT(both, "%u of 3 readers came in", stage);
	EXPECT(count == 3 && sem.count == 0, "count %d with readers, %d without", count, sem.count);
}

SELFTEST(lock_rwsem_writer_waits, "lock.rwsem-writer-waits",
	 "a writer sleeps until the last reader left, and keeps new readers out meanwhile")
{
	struct gang readers, writer;
	bool slept, reader_in = true;
	unsigned early;

	stage = go = counter = 0;
	EXPECT(gang_start(&readers, 2, read_and_stay, NULL, false), "no memory for threads");
	if (comes_true(&stage, 2) && gang_start(&writer, 1, write_and_count, NULL, false)) {
		slept = gather_on(&sem, 1);
		early = stage;
		reader_in = down_read_trylock(&sem);
		if (reader_in)
			up_read(&sem);
		open_gate();
		gang_join(&writer);
	} else {
		slept = false;
		early = 0;
		open_gate();
	}
	gang_join(&readers);
	EXPECT(slept && early == 2, "the writer did not wait for both readers");
	EXPECT(!reader_in, "a reader overtook the waiting writer");
	EXPECT(stage == 102 && counter == (unsigned)-1, "the writer never came in");
	EXPECT(sem.count == 0 && sem.writers_waiting == 0, "left behind: count %d, waiting %u",
	       sem.count, sem.writers_waiting);
}

static void write_slowly(void *arg __attribute__((unused)))
{
	for (int i = 0; i < ROUNDS / 20; i++) {
		unsigned was;

		down_write(&sem);
		was = counter;
		thread_yield();
		counter = was + 1;
		up_write(&sem);
		down_read(&sem);
		thread_yield();
		up_read(&sem);
	}
}

SELFTEST(lock_rwsem_excludes, "lock.rwsem-excludes",
	 "one writer at a time, among readers and writers that come and go")
{
	struct gang g;

	counter = 0;
	EXPECT(gang_start(&g, THREADS, write_slowly, NULL, false), "no memory for threads");
	gang_join(&g);
	EXPECT(counter == THREADS * (ROUNDS / 20), "%u writes of %u", counter,
	       THREADS * (ROUNDS / 20));
}

SELFTEST(lock_rwsem_held, "lock.rwsem-held", "the held-assertions tell reading from writing")
{
	bool write_seen, read_seen, any;

	down_write(&sem);
	write_seen = rwsem_held(&sem) && rwsem_held_write(&sem);
	up_write(&sem);
	down_read(&sem);
	read_seen = rwsem_held(&sem) && !rwsem_held_write(&sem);
	up_read(&sem);
	any = rwsem_held(&sem) || rwsem_held_write(&sem);
	EXPECT(write_seen, "not seen as held for writing");
	EXPECT(read_seen, "not seen as held for reading only");
	EXPECT(!any, "still seen as held");
}

SELFTEST(lock_held_list, "lock.held-list",
	 "a thread's list of held locks survives release in any order")
{
	static struct mutex m[3] = {MUTEX_INIT("a"), MUTEX_INIT("b"), MUTEX_INIT("c")};
	uint32_t before = current_thread()->nr_held, inside;
	bool kept;

	for (int i = 0; i < 3; i++)
		mutex_lock(&m[i]);
	inside = current_thread()->nr_held;
	mutex_unlock(&m[1]);
	kept = held_has(&m[0], HELD_MUTEX) && held_has(&m[2], HELD_MUTEX) &&
	       !held_has(&m[1], HELD_MUTEX);
	mutex_unlock(&m[0]);
	mutex_unlock(&m[2]);
	EXPECT(inside == before + 3, "%u locks noted of 3", inside - before);
	EXPECT(kept, "releasing the middle one lost another");
	EXPECT(current_thread()->nr_held == before, "%u locks left in the list",
	       current_thread()->nr_held - before);
}

SELFTEST(lock_may_sleep, "lock.may-sleep",
	 "sleeping is forbidden with a spinlock held and with interrupts off, else allowed")
{
	bool with_spin, with_irqs_off;
	uint64_t flags;

	spin_lock(&spin);
	with_spin = may_sleep();
	spin_unlock(&spin);
	flags = irq_save();
	with_irqs_off = may_sleep();
	irq_restore(flags);
	EXPECT(!with_spin, "allowed with a spinlock held");
	EXPECT(!with_irqs_off, "allowed with interrupts off");
	EXPECT(may_sleep(), "forbidden in plain thread context");
}
