/* SPDX-License-Identifier: MIT */
/*
 * What the compiler calls before every access of an instrumented file (-fsanitize=thread).
 *
 * A plain load or store: logged (undo.c), watched for races, never an event. A volatile one: an
 * event that is made by the code itself when the hook returns. An atomic: the hook makes it, and
 * outside of an exploration that is all it does. The hook's return address is where the access
 * stands in the source. Offsets in struct cpu (GS-relative) come here as small addresses: they are
 * the CPU's own, and no event.
 */
#include "tests/explore/internal.h"

#define HERE ((uintptr_t)__builtin_return_address(0))

static inline bool is_cpu_offset(const volatile void *at)
{
	return (uintptr_t)at < X_SMALLEST_ADDRESS;
}

/* Remembers what a thread that may be about to spin has looked at. */
static void looked(struct x_actor *a, struct x_place p)
{
	if (a->quiet)
		return;
	if (!a->nr_looked) {
		a->looked_from = (uint16_t)x.state.depth;
		a->oldest_looked = 0;
	}
	for (unsigned i = 0; i < a->nr_looked; i++)
		if (a->looked[i].at == p.at)
			return;
	if (a->nr_looked < X_PLACES)
		a->looked[a->nr_looked++] = p;
	else
		a->looked[a->oldest_looked++ % X_PLACES] = p;
}

/* The event is made: was it in an order with those of others? */
static inline void note_mixed(const volatile void *at, size_t bytes, bool write, bool atomic,
			      uintptr_t pc)
{
	if (unlikely(x.opt.mixed) && !x.me->quiet)
		x_race_mixed((uintptr_t)at, bytes, write, atomic, pc);
}

/* An event before a volatile access; what it reads or writes is not known here. */
static void volatile_access(const volatile void *at, size_t bytes, bool write, bool marked,
			    uintptr_t pc)
{
	struct x_op *op;

	if (is_cpu_offset(at))
		return;
	if (!write && unlikely(x_live >= X_LOOKS)) {
		x_rule_looks((uintptr_t)at, bytes);
		return;
	}
	op = x_op(write ? X_STORE : X_LOAD, (void *)pc);
	if (write && x_buffers()) {
		x_tso_turn(op, at, bytes, X_WRITE);
	} else {
		x_add(op, x_place(at, bytes, write ? X_WRITE : X_READ));
		x_wait_turn();
	}
	note_mixed(at, bytes, write, marked, pc);
	x_touched((uintptr_t)at, bytes);
	if (write) {
		x_log_atomic(at, bytes);
		if (x_buffers())
			x_tso_plain(at, bytes, true);
		else
			x_value_written(at, bytes);
	} else {
		x_value_read(at, bytes);
		looked(x.me, x_place(at, bytes, X_READ));
	}
	x_live = true;
}

/* Several words, one of which others access atomically? */
static bool is_shared_somewhere(uintptr_t at, size_t bytes)
{
	uintptr_t end = at + bytes;

	for (uintptr_t word = at & ~7ul; word < end; word += 8)
		if (!x_shared_in_page(word))
			word |= 0xff8; /* the next one lies in the next page */
		else if (*x_shared_slot(word))
			return true;
	return false;
}

/* What memset() or the assignment of a struct stores at once, shared words among it: one event of
 * all of it, before which others may come in. It goes into no buffer: what is in there goes first.
 */
static void wide_store(const volatile void *at, size_t bytes, uintptr_t pc)
{
	struct x_op *op;

	if (x_buffers())
		x_fence();
	op = x_op(X_STORE, (void *)pc);
	x_add(op, x_place(at, MIN(bytes, (size_t)UINT16_MAX), X_WRITE));
	x_wait_turn();
}

void x_plain(const volatile void *at, size_t bytes, bool write, uintptr_t pc)
{
	if (is_cpu_offset(at))
		return;
	if (!write && x_live >= X_LOOKS) {
		x_rule_looks((uintptr_t)at, bytes);
		return;
	}
	if (unlikely(x.opt.more == X_MORE_ACCESSES) && bytes <= 8 && !x.me->quiet)
		x_shared_add((uintptr_t)at, bytes);
	if (bytes > 8 && write && !x.me->quiet && is_shared_somewhere((uintptr_t)at, bytes))
		wide_store(at, bytes, pc);
	if (bytes <= 8 && !x.me->quiet && x_shared_is((uintptr_t)at, bytes)) {
		volatile_access(at, bytes, write, false, pc);
		return;
	}
	x_live = false;
	x_touched((uintptr_t)at, bytes);
	if (write)
		x_log(at, bytes);
	if (!x.me->quiet)
		x_race_access((uintptr_t)at, bytes, write, pc);
	if (write && x_buffers())
		x_tso_plain(at, bytes, false);
	x_live = true;
}

/* The same for one of 1 to 8 bytes, where nearly all is as it mostly is: a few instructions, no
 * call. */
static inline __attribute__((always_inline)) void plain(const volatile void *p, unsigned bytes,
							bool write, uintptr_t pc)
{
	uintptr_t at = (uintptr_t)p, word = at & ~7ul;
	uint64_t known;

	if (!write && unlikely(x_live != true)) {
		if (x_live)
			x_rule_looks(at, bytes);
		return;
	}
	if (!x_on() || (x.me->quiet && !write && !x_freed_near(at, bytes)))
		return;
	known = x_known_of(word);
	if (bytes > 8 || x.me->quiet || (write && x.opt.tso) || x_freed_in_page(at) ||
	    (bytes > 1 && unlikely((at & 7) + bytes > 8)))
		known = 0; /* of no use */
	if (x_races_with_nobody(word, known, write)) {
		if (write)
			x_log_word(word);
	} else if (known == (word ^ X_WATCHED)) {
		if (write)
			x_log_word(word);
		x_race_watched(word, (0xffu >> (8 - bytes)) << (at & 7), write, pc);
	} else if (!is_cpu_offset(p)) {
		x_plain(p, bytes, write, pc);
	}
}

#define PLAIN(name, bytes, write)                                                                  \
	void __tsan_##name(void *at);                                                              \
	void __tsan_##name(void *at)                                                               \
	{                                                                                          \
		plain(at, bytes, write, HERE);                                                     \
	}
#define PLAINS(n)                                                                                  \
	PLAIN(read##n, n, false)                                                                   \
	PLAIN(write##n, n, true)                                                                   \
	PLAIN(unaligned_read##n, n, false) PLAIN(unaligned_write##n, n, true)
PLAINS(1)
PLAINS(2)
PLAINS(4)
PLAINS(8)
PLAINS(16)

#define VOLATILE(name, bytes, write)                                                               \
	void __tsan_##name(void *at);                                                              \
	void __tsan_##name(void *at)                                                               \
	{                                                                                          \
		if (x_on())                                                                        \
			volatile_access(at, bytes, write, true, HERE);                             \
	}
#define VOLATILES(n) VOLATILE(volatile_read##n, n, false) VOLATILE(volatile_write##n, n, true)
VOLATILES(1)
VOLATILES(2)
VOLATILES(4)
VOLATILES(8)

void __tsan_init(void);
void __tsan_read_range(void *at, size_t n);
void __tsan_write_range(void *at, size_t n);
void __tsan_init(void)
{
}
void __tsan_read_range(void *at, size_t n)
{
	if (x_on())
		x_plain(at, n, false, HERE);
}
void __tsan_write_range(void *at, size_t n)
{
	if (x_on())
		x_plain(at, n, true, HERE);
}

/* ---- atomics */

/* A load that is no event. */
static inline void look_quietly(const volatile void *at, size_t bytes)
{
	x_shared_add((uintptr_t)at, bytes);
	if (x_live >= X_LOOKS)
		x_rule_looks((uintptr_t)at, bytes);
	else
		x_touched((uintptr_t)at, bytes);
}

/* No event is made: what is left of one. */
static inline void quietly(const volatile void *at, size_t bytes, bool write)
{
	x_live = false;
	x_shared_add((uintptr_t)at, bytes);
	x_touched((uintptr_t)at, bytes);
	if (write)
		x_log(at, bytes);
}

void x_atomic_load(const volatile void *at, size_t bytes, uintptr_t pc)
{
	struct x_op *op;

	if (x.me->quiet) {
		quietly(at, bytes, false);
		return;
	}
	op = x_op(X_LOAD, (void *)pc);
	x_shared_add((uintptr_t)at, bytes);
	x_add(op, x_place(at, bytes, X_READ));
	x_wait_turn();
	note_mixed(at, bytes, false, true, pc);
	x_touched((uintptr_t)at, bytes);
	looked(x.me, x_place(at, bytes, X_READ));
}

/* False: the store went into the CPU's buffer, and memory stays as it is. */
bool x_atomic_store(volatile void *at, size_t bytes, uint64_t v, bool fence, uintptr_t pc)
{
	struct x_op *op;
	bool buffered;

	/* Plain stores to a stack are not kept back, so none may come out behind them. */
	fence |= x.opt.tso && x_on_stack((uintptr_t)at);
	op = x_op(fence ? X_RMW : X_STORE, (void *)pc);
	buffered = x_buffers() && !fence && !x.me->quiet;

	x_shared_add((uintptr_t)at, bytes);
	if (buffered) {
		x_tso_turn(op, at, bytes, X_WRITE);
		x_touched((uintptr_t)at, bytes);
		x_tso_push(at, (unsigned)bytes, v, X_WRITE);
		return false;
	}
	x_add(op, x_place(at, bytes, X_WRITE));
	if (fence)
		x_locked(op, x.me->cpu);
	x_wait_turn();
	note_mixed(at, bytes, true, true, pc);
	x_touched((uintptr_t)at, bytes);
	x_log_atomic(at, bytes);
	x_value(v);
	return true;
}

void x_atomic_rmw(volatile void *at, size_t bytes, uintptr_t pc)
{
	struct x_op *op;

	if (x.me->quiet) {
		quietly(at, bytes, true);
		return;
	}
	op = x_op(X_RMW, (void *)pc);
	x_shared_add((uintptr_t)at, bytes);
	x_add(op, x_place(at, bytes, X_WRITE));
	x_locked(op, x.me->cpu);
	x_wait_turn();
	note_mixed(at, bytes, true, true, pc);
	x_touched((uintptr_t)at, bytes);
	x_log_atomic(at, bytes);
}

static void done(uint64_t v)
{
	x_value(v);
	x_live = true;
}

#define SEQ __ATOMIC_SEQ_CST
#define RMW(bits, type, op, builtin)                                                               \
	type __tsan_atomic##bits##_##op(volatile type *at, type v, int order);                     \
	type __tsan_atomic##bits##_##op(volatile type *at, type v, int order)                      \
	{                                                                                          \
		type old;                                                                          \
                                                                                                   \
		(void)order;                                                                       \
		if (!x_on() || is_cpu_offset(at))                                                  \
			return builtin(at, v, SEQ);                                                \
		x_atomic_rmw(at, sizeof(v), HERE);                                                 \
		old = builtin(at, v, SEQ);                                                         \
		done(*at);                                                                         \
		return old;                                                                        \
	}
#define CAS(bits, type, op)                                                                        \
	int __tsan_atomic##bits##_compare_exchange_##op(volatile type *at, type *expected, type v, \
							int order, int fail);                      \
	int __tsan_atomic##bits##_compare_exchange_##op(volatile type *at, type *expected, type v, \
							int order, int fail)                       \
	{                                                                                          \
		bool ok;                                                                           \
                                                                                                   \
		(void)order, (void)fail;                                                           \
		if (!x_on() || is_cpu_offset(at))                                                  \
			return __atomic_compare_exchange_n(at, expected, v, false, SEQ, SEQ);      \
		x_atomic_rmw(at, sizeof(v), HERE);                                                 \
		x_log(expected, sizeof(*expected));                                                \
		ok = __atomic_compare_exchange_n(at, expected, v, false, SEQ, SEQ);                \
		if (!ok)                                                                           \
			looked(x.me, x_place(at, sizeof(v), X_READ));                              \
		done(*at);                                                                         \
		return ok;                                                                         \
	}
#define ATOMICS(bits, type)                                                                        \
	type __tsan_atomic##bits##_load(const volatile type *at, int order);                       \
	type __tsan_atomic##bits##_load(const volatile type *at, int order)                        \
	{                                                                                          \
		type v;                                                                            \
                                                                                                   \
		(void)order;                                                                       \
		if (!x_on() || is_cpu_offset(at))                                                  \
			return __atomic_load_n(at, SEQ);                                           \
		if (x.me->quiet) {                                                                 \
			look_quietly(at, sizeof(v));                                               \
			return *at;                                                                \
		}                                                                                  \
		x_atomic_load(at, sizeof(v), HERE);                                                \
		v = *at;                                                                           \
		done(v);                                                                           \
		return v;                                                                          \
	}                                                                                          \
	void __tsan_atomic##bits##_store(volatile type *at, type v, int order);                    \
	void __tsan_atomic##bits##_store(volatile type *at, type v, int order)                     \
	{                                                                                          \
		if (!x_on() || is_cpu_offset(at)) {                                                \
			__atomic_store_n(at, v, SEQ);                                              \
			return;                                                                    \
		}                                                                                  \
		if (x_atomic_store(at, sizeof(v), v, order == SEQ, HERE))                          \
			*at = v;                                                                   \
		x_live = true;                                                                     \
	}                                                                                          \
	RMW(bits, type, exchange, __atomic_exchange_n)                                             \
	RMW(bits, type, fetch_add, __atomic_fetch_add)                                             \
	RMW(bits, type, fetch_sub, __atomic_fetch_sub)                                             \
	RMW(bits, type, fetch_and, __atomic_fetch_and)                                             \
	RMW(bits, type, fetch_or, __atomic_fetch_or)                                               \
	RMW(bits, type, fetch_xor, __atomic_fetch_xor)                                             \
	RMW(bits, type, fetch_nand, __atomic_fetch_nand)                                           \
	CAS(bits, type, strong)                                                                    \
	CAS(bits, type, weak)
ATOMICS(8, uint8_t)
ATOMICS(16, uint16_t)
ATOMICS(32, uint32_t)
ATOMICS(64, uint64_t)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
	if (order == SEQ)
		smp_mb();
}
void __tsan_atomic_signal_fence(int order)
{
	(void)order;
}
