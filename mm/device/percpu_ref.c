/* SPDX-License-Identifier: MIT */
/*
 * A reference count that costs nothing shared while it lives, and can be killed.
 *
 * Alive, every CPU counts for itself. Killing: mark dying, let every CPU pass once through an
 * interrupt (so that nobody is between "not dying" and "counted"), fold the counters into one, give
 * back the owner's reference. From then on the one counter tells when the last user is gone. While
 * it is folded a large bias keeps early puts from seeing zero.
 */
#include "mm/mm.h"

#define BIAS (1ll << 40)

MUSEUM(kill_asks_nobody, "kill-asks-nobody",
       "a reference is folded without asking the CPUs: who found it live counts afterwards, and is "
       "forgotten; shown by selftest mm.ref-kill-acknowledged");
MUSEUM(kill_without_bias, "kill-without-bias",
       "the bias goes before the counters are folded, so that an early put sees zero; found by "
       "explore ref.kill-put");
MUSEUM_EXPLORED(
	tryget_unmasked, "tryget-unmasked",
	"a reference is looked at and counted with interrupts on: the killer's call comes in "
	"between; found by explore ref.kill-get");
STEP_POINT_DECLARE(ref_found_live);

void percpu_ref_init(struct percpu_ref *r)
{
	memset(r, 0, sizeof(*r));
	__atomic_store_n(&r->shared, BIAS + 1, __ATOMIC_RELAXED);
	/* The counters before the phase, else a first user is counted and forgotten. */
	__atomic_store_n(&r->phase, REF_LIVE, __ATOMIC_RELEASE);
}

bool percpu_ref_tryget_live(struct percpu_ref *r)
{
	/* Interrupts off: the killer's interrupt cannot come between test and count. */
	uint64_t flags = irq_save();
	bool live = percpu_ref_phase(r) == REF_LIVE;

	STEP_POINT(ref_found_live);
	if (museum_explored(tryget_unmasked)) { /* here is where it would come */
		irq_restore(flags);
		flags = irq_save();
	}
	if (live)
		__atomic_fetch_add(&r->cpu[cpu_id()].n, 1, __ATOMIC_RELAXED);
	irq_restore(flags);
	return live;
}

bool percpu_ref_tryget(struct percpu_ref *r)
{
	uint64_t flags = irq_save();
	bool live = percpu_ref_phase(r) == REF_LIVE;
	int64_t n = live ? 0 : __atomic_load_n(&r->shared, __ATOMIC_RELAXED);

	if (live)
		__atomic_fetch_add(&r->cpu[cpu_id()].n, 1, __ATOMIC_RELAXED);
	/* Zero is for ever: the drain may have seen it, or nothing has begun. */
	while (n && !__atomic_compare_exchange_n(&r->shared, &n, n + 1, true, __ATOMIC_ACQUIRE,
						 __ATOMIC_RELAXED))
		;
	irq_restore(flags);
	return live || n;
}

bool percpu_ref_is_used_up(const struct percpu_ref *r)
{
	return percpu_ref_phase(r) > REF_LIVE && !__atomic_load_n(&r->shared, __ATOMIC_ACQUIRE);
}

static void shared_put(struct percpu_ref *r, int64_t n)
{
	/* Reads of the object before the put (release), else it is freed under them. */
	if (__atomic_sub_fetch(&r->shared, n, __ATOMIC_ACQ_REL) == 0)
		wake_up(r);
}

void percpu_ref_get(struct percpu_ref *r)
{
	uint64_t flags = irq_save();

	/* Legal while dying: the caller's own reference keeps the sum above zero. */
	if (percpu_ref_phase(r) != REF_LIVE)
		__atomic_fetch_add(&r->shared, 1, __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&r->cpu[cpu_id()].n, 1, __ATOMIC_RELAXED);
	irq_restore(flags);
}

void percpu_ref_put_many(struct percpu_ref *r, int64_t n)
{
	uint64_t flags = irq_save();

	if (percpu_ref_phase(r) != REF_LIVE)
		shared_put(r, n);
	else
		__atomic_fetch_sub(&r->cpu[cpu_id()].n, n, __ATOMIC_RELEASE);
	irq_restore(flags);
}

void percpu_ref_put(struct percpu_ref *r)
{
	percpu_ref_put_many(r, 1);
}

static void pass_through(void *unused)
{
	(void)unused;
}

int64_t percpu_ref_sum(struct percpu_ref *r)
{
	int64_t sum = __atomic_load_n(&r->shared, __ATOMIC_ACQUIRE);

	if (percpu_ref_phase(r) == REF_NONE)
		return 0;
	if (percpu_ref_phase(r) != REF_FOLDED)
		sum -= BIAS;
	for (unsigned i = 0; i < MAX_CPUS; i++)
		sum += __atomic_load_n(&r->cpu[i].n, __ATOMIC_ACQUIRE);
	return sum;
}

void percpu_ref_kill(struct percpu_ref *r)
{
	int64_t sum = 0;

	ASSERT(percpu_ref_phase(r) == REF_LIVE, "a reference is killed once");
	__atomic_store_n(&r->phase, REF_DYING, __ATOMIC_RELEASE);
	if (museum_on(kill_without_bias))
		shared_put(r, BIAS);
	if (!museum_on(kill_asks_nobody))
		cpu_call((1u << nr_cpus) - 1, pass_through, NULL);
	for (unsigned i = 0; i < MAX_CPUS; i++)
		sum += __atomic_exchange_n(&r->cpu[i].n, 0, __ATOMIC_ACQUIRE);
	__atomic_store_n(&r->phase, REF_FOLDED, __ATOMIC_RELEASE);
	__atomic_fetch_add(&r->shared, sum, __ATOMIC_ACQ_REL);
	shared_put(r, museum_on(kill_without_bias) ? 1 : BIAS + 1);
}

void percpu_ref_drain(struct percpu_ref *r)
{
	wait_event(r, __atomic_load_n(&r->shared, __ATOMIC_ACQUIRE) == 0,
		   "the last user of a dying pgmap", "percpu_ref_put()");
}
