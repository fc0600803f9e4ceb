/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of the debug build: the lock-order checker (lock-order.*). Each makes a mistake on
 * purpose, with locks of its own, and takes the warning. In the plain build there is no checker,
 * and so no test.
 */
#include "kernel/kernel.h"

#if DEBUG_BUILD

#define HERE "kernel/sync/test_lock_order.c:"

static char said[1400]; /* the last warning; empty: none */
static unsigned times;

static void take_note(const char *text)
{
	snprintf(said, sizeof(said), "%s", text);
	times++;
}

static void listen(void)
{
	lock_order_forget("order test");
	said[0] = '\0';
	times = 0;
	lock_order_divert(take_note);
}

static void deafen(void)
{
	lock_order_divert(NULL);
	lock_order_forget("order test");
}

/* How often `word` is in the last warning. */
static unsigned count(const char *word)
{
	unsigned n = 0;

	for (const char *at = said; (at = strstr(at, word)); at += strlen(word))
		n++;
	return n;
}

SELFTEST(lock_order_mutex, "lock-order.two-mutexes",
	 "A then B, later B then A: said at the second order, with all four places")
{
	static struct mutex a = MUTEX_INIT("order test A"), b = MUTEX_INIT("order test B");

	listen();
	mutex_lock(&a);
	mutex_lock(&b);
	mutex_unlock(&b);
	mutex_unlock(&a);
	EXPECT(!times, "one order alone: %s", said);
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
	EXPECT(times == 1, "%u warnings: %s", times, said);
	EXPECT(count("order test A") >= 3 && count("order test B") >= 3, "names: %s", said);
	EXPECT(count(HERE) >= 4, "places: %s", said);
	mutex_lock(&b);
	mutex_lock(&a);
	mutex_unlock(&a);
	mutex_unlock(&b);
	EXPECT(times == 1, "said again: %s", said);
	deafen();
}

SELFTEST(lock_order_three, "lock-order.circle-of-three",
	 "a circle over three classes, of rwsems for reading and writing and a mutex, is said")
{
	static struct mutex a = MUTEX_INIT("order test mutex");
	static struct rwsem b = RWSEM_INIT("order test read"), c = RWSEM_INIT("order test write");

	listen();
	mutex_lock(&a);
	down_read(&b);
	up_read(&b);
	mutex_unlock(&a);
	down_read(&b);
	down_write(&c);
	up_write(&c);
	up_read(&b);
	EXPECT(!times, "too early: %s", said);
	down_write(&c);
	mutex_lock(&a);
	mutex_unlock(&a);
	up_write(&c);
	EXPECT(times == 1, "%u warnings", times);
	EXPECT(count("order test read") && count(HERE) >= 6, "places: %s", said);
	deafen();
}

SELFTEST(lock_order_spin, "lock-order.spinlocks-and-tries",
	 "spinlocks have an order as well; a try in the other order is none")
{
	static struct spinlock a = SPINLOCK_INIT("order test spin A"),
			       b = SPINLOCK_INIT("order test spin B");

	listen();
	spin_lock(&a);
	spin_lock(&b);
	spin_unlock(&a); /* not in reverse: b is the one that stays */
	spin_unlock(&b);
	spin_lock(&b);
	if (spin_trylock(&a))
		spin_unlock(&a);
	spin_unlock(&b);
	EXPECT(!times, "a try: %s", said);
	spin_lock(&b);
	spin_lock(&a);
	spin_unlock(&a);
	spin_unlock(&b);
	EXPECT(times == 1, "%u warnings", times);
	deafen();
}

SELFTEST(lock_order_twice, "lock-order.two-of-a-class",
	 "two locks of one class: said, unless the caller says that their order is kept")
{
	static struct mutex one = MUTEX_INIT("order test twin"),
			    two = MUTEX_INIT("order test twin");

	listen();
	mutex_lock(&one);
	lock_order_nested("a test: one before two");
	mutex_lock(&two);
	mutex_unlock(&two);
	EXPECT(!times, "though it was told: %s", said);
	mutex_lock(&two);
	mutex_unlock(&two);
	mutex_unlock(&one);
	EXPECT(times == 1 && count("a second 'order test twin'") == 1, "%u warnings: %s", times,
	       said);
	deafen();
}

static struct spinlock irq_lock = SPINLOCK_INIT("order test irq");
static bool rang;

static void ring(struct timer *timer)
{
	(void)timer;
	spin_lock(&irq_lock);
	spin_unlock(&irq_lock);
	__atomic_store_n(&rang, true, __ATOMIC_RELEASE);
}

SELFTEST(lock_order_irq, "lock-order.interrupts",
	 "a spinlock of an interrupt handler that is taken elsewhere with interrupts on is said")
{
	static struct timer timer;
	uint64_t flags;

	listen();
	rang = false;
	timer_arm(&timer, clock_ns(), ring);
	while (!__atomic_load_n(&rang, __ATOMIC_ACQUIRE))
		thread_sleep_ns(1000000);
	timer_cancel_wait(&timer);
	flags = spin_lock_irqsave(&irq_lock);
	spin_unlock_irqrestore(&irq_lock, flags);
	EXPECT(!times, "interrupts were off: %s", said);
	spin_lock(&irq_lock);
	spin_unlock(&irq_lock);
	EXPECT(times == 1 && count("interrupt handler") == 1 && count(HERE) >= 2, "%u warnings: %s",
	       times, said);
	deafen();
}

#endif
