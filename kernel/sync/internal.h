/* SPDX-License-Identifier: MIT */
/*
 * The uncontended case of the locks on measured paths, in line. Included by sync.h alone.
 *
 * A page fault takes two rwsems for reading and three spinlocks, and nearly always nobody is in its
 * way. So what happens then stands here: one locked instruction to get in, and the same proofs as
 * ever (may the caller sleep, does it hold the lock already, is it his to release), each by a
 * compare or two. Everything else, waiting and the sentences, is in lock_spin.c and lock_rwsem.c.
 */
#ifndef KERNEL_SYNC_INTERNAL_H
#define KERNEL_SYNC_INTERNAL_H

#if EXPLORE_BUILD
/* There the names are those of the functions at the end of this file. */
#define spin_lock	    spin_lock_words
#define spin_unlock	    spin_unlock_words
#define down_read	    down_read_words
#define down_read_may_sleep down_read_words_may_sleep
#define up_read		    up_read_words
#define rwsem_held_write    rwsem_held_write_words
#endif

/* ---- spinlocks */
void spin_lock_slowly(struct spinlock *l); /* waits, or tells why nobody will let go */
void spin_unlock_wrongly(const struct spinlock *l) __attribute__((noreturn)); /* not ours: panic */

static inline void spin_lock(struct spinlock *l)
{
	uint32_t free = 0, me;

	preempt_disable();
	lock_order_take(l, l->name, LOCK_SPIN, false);
	me = 1 + cpu_id();
	if (unlikely(!__atomic_compare_exchange_n(&l->locked, &free, me, false, __ATOMIC_ACQUIRE,
						  __ATOMIC_RELAXED)))
		spin_lock_slowly(l);
}

static inline void spin_unlock(struct spinlock *l)
{
	if (unlikely(l->locked != 1 + cpu_id()))
		spin_unlock_wrongly(l);
	lock_order_drop(l, LOCK_SPIN);
	__atomic_store_n(&l->locked, 0, __ATOMIC_RELEASE);
	preempt_enable();
}

/* ---- may the caller sleep? */
void might_sleep_slowly(void); /* a panic, unless threads do not run yet */

/* One compare for the two depths, one look at RFLAGS.IF: after it nothing changes the answer but
 * the caller itself. */
static inline void might_sleep(void)
{
	if (unlikely(CPU_GET(not_preemptible) || !irqs_enabled()))
		might_sleep_slowly();
}

/* ---- the list of sleeping locks that a thread holds (lock_held.c) */
enum held_kind { HELD_MUTEX, HELD_READ, HELD_WRITE };
bool held_remove_any(uintptr_t entry); /* false: this thread does not hold it */

/* From the newest on; held[0] is kept free, and holds what is looked for, so that it is found. Of a
 * thread whose locks are all on the list. */
static inline bool held_has_of(struct thread *t, uintptr_t entry)
{
	const uintptr_t *at = &t->held[t->nr_held];

	t->held[0] = entry;
	while (*at != entry)
		at--;
	return at != t->held;
}
static inline bool held_has(const void *lock, enum held_kind kind)
{
	struct thread *t = current_thread();

	return t->nr_held <= THREAD_MAX_HELD && held_has_of(t, (uintptr_t)lock | kind);
}
static inline void held_add(const void *lock, enum held_kind kind)
{
	struct thread *t = current_thread();
	uint32_t n = ++t->nr_held;

	if (likely(n <= THREAD_MAX_HELD))
		t->held[n] = (uintptr_t)lock | kind;
}
/* Locks are mostly released in reverse order: then it is the newest. */
static inline bool held_remove(const void *lock, enum held_kind kind)
{
	struct thread *t = current_thread();
	uintptr_t entry = (uintptr_t)lock | kind;
	uint32_t n = t->nr_held;

	if (unlikely(n - 1 >= THREAD_MAX_HELD || t->held[n] != entry))
		return held_remove_any(entry);
	t->nr_held = n - 1;
	return true;
}

/* ---- rwsems, for reading */
void down_read_slowly(struct rwsem *s);	     /* all of it: waits, or panics as it is held already */
void up_read_wrongly(const struct rwsem *s); /* panics: this thread, or nobody, reads */
void up_read_wake(struct rwsem *s);	     /* if that was the last reader, and a writer waits */

/* By who has just found out that it may sleep. */
static inline void down_read_may_sleep(struct rwsem *s)
{
	struct thread *t = current_thread();
	uint64_t both = __atomic_load_n(&s->both, __ATOMIC_RELAXED);
	const uintptr_t entry = (uintptr_t)s | HELD_READ;
	const uint32_t n = t->nr_held + 1;

	lock_order_take(s, s->name, LOCK_SLEEP, false);
	if (unlikely(n > THREAD_MAX_HELD || held_has_of(t, entry) || both > INT32_MAX ||
		     !__atomic_compare_exchange_n(&s->both, &both, both + 1, false,
						  __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))) {
		down_read_slowly(s);
		return;
	}
	t->held[n] = entry;
	t->nr_held = n;
}

static inline void down_read(struct rwsem *s)
{
	might_sleep();
	down_read_may_sleep(s);
}

/*
 * Who may be waiting when the last reader leaves is a writer, which has said so in writers_waiting,
 * and readers behind it. The locked subtraction and the look in one, else a writer that announced
 * itself in between and then saw our count is missed.
 */
static inline void up_read(struct rwsem *s)
{
	if (unlikely(!held_remove(s, HELD_READ) ||
		     __atomic_load_n(&s->count, __ATOMIC_RELAXED) <= 0))
		up_read_wrongly(s);
	lock_order_drop(s, LOCK_SLEEP);
	if (unlikely(__atomic_sub_fetch(&s->both, 1, __ATOMIC_SEQ_CST) != 0))
		up_read_wake(s);
}

static inline bool rwsem_held_write(const struct rwsem *s)
{
	return __atomic_load_n(&s->writer, __ATOMIC_RELAXED) == current_thread();
}

/*
 * The explorer (make run EXPLORE=1, tests/explore) makes one event of a lock that is taken, and one
 * of its release, in place of the words that the code above changes. True: it has done so, and
 * nothing is left to do.
 */
#if EXPLORE_BUILD
#undef spin_lock
#undef spin_unlock
#undef down_read
#undef down_read_may_sleep
#undef up_read
#undef rwsem_held_write

enum explore_lock { EXPLORE_SPIN, EXPLORE_READ };
bool explore_takes(void *lock, enum explore_lock how);
bool explore_gives(void *lock, enum explore_lock how);
void explore_hush(bool on); /* what comes is no event */

static inline void spin_lock(struct spinlock *l)
{
	preempt_disable();
	if (explore_takes(l, EXPLORE_SPIN))
		return;
	preempt_enable();
	spin_lock_words(l);
}

static inline void spin_unlock(struct spinlock *l)
{
	if (explore_gives(l, EXPLORE_SPIN))
		preempt_enable();
	else
		spin_unlock_words(l);
}

static inline void down_read_may_sleep(struct rwsem *s)
{
	if (!explore_takes(s, EXPLORE_READ))
		down_read_words_may_sleep(s);
}

static inline void down_read(struct rwsem *s)
{
	might_sleep();
	down_read_may_sleep(s);
}

static inline void up_read(struct rwsem *s)
{
	if (!explore_gives(s, EXPLORE_READ))
		up_read_words(s);
}

/* The answer is the holder's own, so it is no event. */
static inline bool rwsem_held_write(const struct rwsem *s)
{
	bool mine;

	explore_hush(true);
	mine = rwsem_held_write_words(s);
	explore_hush(false);
	return mine;
}
#endif

#endif
