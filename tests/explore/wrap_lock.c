/* SPDX-License-Identifier: MIT */
/*
 * Locks under the explorer: one event to take one, enabled while it can be had, and one to let go.
 *
 * The words of the locks are kept as the kernel's own code keeps them, so mutex_held(), the list of
 * held locks and every assertion say what they always say. What is not modelled is how the code
 * waits; that is explored by scenarios that say .real_locks, where these functions step aside.
 *
 * To let go is no choice, without a bound: who only takes the lock can do nothing between the event
 * before the release and the release that could not be done before that event or behind it. So it
 * follows at once. A lock that is tried, or whose word is looked at, is found taken there: its
 * release is a choice, as soon as somebody did that (shared.c); and where an interrupt that comes
 * before it may wait for ever (halts.c). With a bound it counts who waits meanwhile (strategy.c).
 */
#include "tests/explore/internal.h"

#define HERE __builtin_return_address(0)

static bool read_free(const struct rwsem *s)
{
	return s->count >= 0;
}

bool x_lock_free(const struct x_op *op)
{
	switch (op->mode) {
	case X_SPIN: return ((const struct spinlock *)op->arg)->locked == 0;
	case X_MUTEX: return ((const struct mutex *)op->arg)->owner == NULL;
	case X_RWSEM_READ: return read_free(op->arg);
	default: return ((const struct rwsem *)op->arg)->count == 0;
	}
}

static struct x_place place_of(const void *lock, enum x_lock_mode mode, unsigned how)
{
	size_t bytes = mode == X_SPIN ? 4 : 8;

	return x_place(lock, bytes, (mode == X_RWSEM_READ ? X_SHARED : X_WRITE) | how);
}

static const char *name_of(const void *lock, enum x_lock_mode mode)
{
	switch (mode) {
	case X_SPIN: return ((const struct spinlock *)lock)->name;
	case X_MUTEX: return ((const struct mutex *)lock)->name;
	default: return ((const struct rwsem *)lock)->name;
	}
}

/* A lock of one word, by no call; all of an rwsem. */
static inline void log_lock(const void *lock, enum x_lock_mode mode)
{
	if (mode == X_SPIN || mode == X_MUTEX)
		x_log_word((uintptr_t)lock & ~7ul);
	else
		x_log(lock, sizeof(struct rwsem));
}

static void set_taken(void *lock, enum x_lock_mode mode)
{
	struct rwsem *s = lock;

	x_held(lock, mode, true);
	x.state.wrote |= mode != X_SPIN; /* to the thread, which no log has */
	if (mode == X_SPIN)
		x_halts_has(lock, true);
	log_lock(lock, mode);
	switch (mode) {
	case X_SPIN: ((struct spinlock *)lock)->locked = 1 + cpu_id(); return;
	case X_MUTEX:
		((struct mutex *)lock)->owner = current_thread();
		held_add(lock, HELD_MUTEX);
		return;
	case X_RWSEM_READ:
		s->count++;
		held_add(lock, HELD_READ);
		return;
	case X_RWSEM_WRITE:
		s->count = -1;
		s->writer = current_thread();
		held_add(lock, HELD_WRITE);
	}
}

static bool have_it(const void *lock, enum x_lock_mode mode)
{
	switch (mode) {
	case X_SPIN: return ((const struct spinlock *)lock)->locked == 1 + cpu_id();
	case X_MUTEX: return ((const struct mutex *)lock)->owner == current_thread();
	case X_RWSEM_READ: return held_has(lock, HELD_READ);
	default: return ((const struct rwsem *)lock)->writer == current_thread();
	}
}

static struct x_op *say(enum x_kind kind, const void *lock, enum x_lock_mode mode, unsigned how,
			const void *pc)
{
	struct x_op *op = x_op(kind, pc);

	x_add(op, place_of(lock, mode, how));
	op->what = name_of(lock, mode);
	op->arg = lock;
	op->mode = (uint8_t)mode;
	return op;
}

/* Nobody else goes on here, but others could have before. */
static void hang_oneself(struct x_op *op)
{
	x_halts_say(x.me, op);
	x_blocked_races();
	x_stop("I4", "the lock '%s' is taken twice by %s", op->what, x.me->name);
}

static void take(void *lock, enum x_lock_mode mode, const void *pc)
{
	struct x_op *op = say(X_LOCK, lock, mode, X_TAKE, pc);

	x_halts_take(lock, mode == X_SPIN);
	x_locked(op, x.me->cpu);
	if (have_it(lock, mode))
		hang_oneself(op);
	if (!x_wait_turn() && !x_lock_free(op))
		x_fail("the lock '%s' is held while it is wanted inside of what must not be "
		       "interrupted",
		       op->what);
	set_taken(lock, mode);
	x_live = true;
}

static bool try_take(void *lock, enum x_lock_mode mode, const void *pc)
{
	struct x_op *op = say(X_RMW, lock, mode, 0, pc);
	bool ok;

	op->place[0].how = X_WRITE;
	x_shared_add(op->place[0].at, op->place[0].bytes);
	x_locked(op, x.me->cpu);
	x_wait_turn();
	ok = x_lock_free(op);
	if (ok)
		set_taken(lock, mode);
	x_value(ok);
	x_live = true;
	return ok;
}

static void set_free(void *lock, enum x_lock_mode mode)
{
	struct rwsem *s = lock;

	x_held(lock, mode, false);
	x.state.wrote |= mode != X_SPIN;
	log_lock(lock, mode);
	switch (mode) {
	case X_SPIN: ((struct spinlock *)lock)->locked = 0; return;
	case X_MUTEX:
		held_remove(lock, HELD_MUTEX);
		((struct mutex *)lock)->owner = NULL;
		return;
	case X_RWSEM_READ:
		held_remove(lock, HELD_READ);
		s->count--;
		return;
	case X_RWSEM_WRITE:
		held_remove(lock, HELD_WRITE);
		s->writer = NULL;
		s->writes++;
		s->count = 0;
	}
}

/* A spinlock is released by a plain store, which waits in the buffer like any other; the others by
 * a locked operation. */
static void let_go(void *lock, enum x_lock_mode mode, const void *pc)
{
	struct x_op *op = say(X_UNLOCK, lock, mode, X_GIVE, pc);

	if (mode == X_SPIN)
		x_halts_has(lock, false);
	if (!have_it(lock, mode))
		x_stop("I4", "the lock '%s' is released by %s, which does not hold it", op->what,
		       x.me->name);
	if (x_buffers() && mode == X_SPIN && !x.me->quiet) {
		op->kind = X_STORE;
		op->nr = 0;
		x_tso_turn(op, &((struct spinlock *)lock)->locked, 4, X_WRITE | X_GIVE);
		x_held(lock, mode, false);
		x_tso_push(&((struct spinlock *)lock)->locked, 4, 0, X_WRITE | X_GIVE);
		x_live = true;
		return;
	}
	op->follows = !x_shared_is(op->place[0].at, op->place[0].bytes) && !x_halts_here(x.me);
	if (mode != X_SPIN)
		x_locked(op, x.me->cpu);
	x_wait_turn();
	set_free(lock, mode);
	x_live = true;
}

static bool steps_aside(enum x_lock_mode mode)
{
	return !x_on() || (x.sc->real_locks & (mode == X_SPIN ? X_REAL_SPINS : X_REAL_SLEEPERS));
}

static enum x_lock_mode mode_of(enum explore_lock how)
{
	return how == EXPLORE_SPIN ? X_SPIN : X_RWSEM_READ;
}

bool explore_takes(void *lock, enum explore_lock how)
{
	if (steps_aside(mode_of(how)))
		return false;
	take(lock, mode_of(how), HERE);
	return true;
}

bool explore_gives(void *lock, enum explore_lock how)
{
	if (steps_aside(mode_of(how)))
		return false;
	let_go(lock, mode_of(how), HERE);
	return true;
}

void explore_hush(bool on)
{
	if (x_on())
		x.me->quiet += on ? 1 : -1;
}

/* ---- those that are functions */

#define DECLARE(type, name, lock_type) type __real_##name(lock_type *l), __wrap_##name(lock_type *l)
#define TAKES(name, lock_type, mode)                                                               \
	DECLARE(void, name, lock_type);                                                            \
	void __wrap_##name(lock_type *l)                                                           \
	{                                                                                          \
		if (steps_aside(mode)) {                                                           \
			__real_##name(l);                                                          \
			return;                                                                    \
		}                                                                                  \
		might_sleep();                                                                     \
		take(l, mode, HERE);                                                               \
	}
#define TRIES(name, lock_type, mode, before, after)                                                \
	DECLARE(bool, name, lock_type);                                                            \
	bool __wrap_##name(lock_type *l)                                                           \
	{                                                                                          \
		bool ok;                                                                           \
                                                                                                   \
		if (steps_aside(mode))                                                             \
			return __real_##name(l);                                                   \
		before;                                                                            \
		ok = try_take(l, mode, HERE);                                                      \
		if (!ok)                                                                           \
			after;                                                                     \
		return ok;                                                                         \
	}
#define GIVES(name, lock_type, mode)                                                               \
	DECLARE(void, name, lock_type);                                                            \
	void __wrap_##name(lock_type *l)                                                           \
	{                                                                                          \
		if (steps_aside(mode))                                                             \
			__real_##name(l);                                                          \
		else                                                                               \
			let_go(l, mode, HERE);                                                     \
	}
/* A look at one's own lock is no event: only its holder changes the answer. */
#define ASKS(name, lock_type)                                                                      \
	bool __real_##name(const lock_type *l), __wrap_##name(const lock_type *l);                 \
	bool __wrap_##name(const lock_type *l)                                                     \
	{                                                                                          \
		bool held;                                                                         \
                                                                                                   \
		explore_hush(true);                                                                \
		held = __real_##name(l);                                                           \
		explore_hush(false);                                                               \
		return held;                                                                       \
	}

TAKES(mutex_lock, struct mutex, X_MUTEX)
TAKES(down_write, struct rwsem, X_RWSEM_WRITE)
TRIES(spin_trylock, struct spinlock, X_SPIN, preempt_disable(), preempt_enable())
TRIES(mutex_trylock, struct mutex, X_MUTEX, (void)0, (void)0)
TRIES(down_read_trylock, struct rwsem, X_RWSEM_READ, (void)0, (void)0)
TRIES(down_write_trylock, struct rwsem, X_RWSEM_WRITE, (void)0, (void)0)
GIVES(mutex_unlock, struct mutex, X_MUTEX)
GIVES(up_write, struct rwsem, X_RWSEM_WRITE)
ASKS(spin_held, struct spinlock)
ASKS(mutex_held, struct mutex)
ASKS(rwsem_held, struct rwsem)

uint64_t __real_spin_lock_irqsave(struct spinlock *l), __wrap_spin_lock_irqsave(struct spinlock *l);
void __real_spin_unlock_irqrestore(struct spinlock *l, uint64_t flags);
void __wrap_spin_unlock_irqrestore(struct spinlock *l, uint64_t flags);

uint64_t __wrap_spin_lock_irqsave(struct spinlock *l)
{
	uint64_t flags;

	if (steps_aside(X_SPIN))
		return __real_spin_lock_irqsave(l);
	flags = irq_save();
	preempt_disable();
	take(l, X_SPIN, HERE);
	return flags;
}

void __wrap_spin_unlock_irqrestore(struct spinlock *l, uint64_t flags)
{
	if (steps_aside(X_SPIN)) {
		__real_spin_unlock_irqrestore(l, flags);
		return;
	}
	let_go(l, X_SPIN, HERE);
	irq_restore(flags);
	preempt_enable();
}
