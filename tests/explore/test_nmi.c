/* SPDX-License-Identifier: MIT */
/*
 * An NMI in the middle of an exploration: the code under test is on a CPU that the machine does not
 * have, and the answer must be that of the one which it does have.
 */
#include "kernel/trap/internal.h"
#include "tests/explore/internal.h"

#define ROUNDS	 4000u /* explorations at most */
#define ANSWERED 20u   /* NMIs are enough */

static struct {
	unsigned asked, answered; /* atomic */
	bool over;		  /* atomic */
	uint64_t executions; /* of every exploration; 0: two differed, or one found something */
} nmi;

/* On CPU 0. */
static void explore_again(void *unused)
{
	const struct x_scenario *sc = x_scenario_find("peer.wait-two");
	const struct x_options opt = {
		.strategy = X_DPOR, .bound = X_UNBOUND, .seed = 1, .tso = true, .quick = true};
	static struct x_result r;

	(void)unused;
	for (unsigned i = 0; i < ROUNDS; i++) {
		if (__atomic_load_n(&nmi.answered, __ATOMIC_RELAXED) >= ANSWERED)
			break;
		if (explore_run(sc, &opt, &r) || r.broken || !r.complete ||
		    (i && r.executions != nmi.executions)) {
			nmi.executions = 0;
			break;
		}
		nmi.executions = r.executions;
	}
	__atomic_store_n(&nmi.over, true, __ATOMIC_RELEASE);
}

/* On another CPU. */
static void ask_again(void *unused)
{
	struct cpu_snapshot s;

	(void)unused;
	while (!__atomic_load_n(&nmi.over, __ATOMIC_ACQUIRE)) {
		__atomic_fetch_add(&nmi.asked, 1, __ATOMIC_RELAXED);
		if (cpu_capture(0, &s))
			__atomic_fetch_add(&nmi.answered, 1, __ATOMIC_RELAXED);
	}
}

SELFTEST(explore_nmi, "explore.nmi-goes-by",
	 "another CPU may ask by NMI what this one does: it is answered, and the exploration goes "
	 "on, none the wiser")
{
	struct thread *explores, *asks;

	if (nr_cpus < 2)
		SKIP("the machine has one CPU");
	memset(&nmi, 0, sizeof(nmi));
	explores = thread_create("explores", explore_again, NULL, 1);
	asks = thread_create("asks", ask_again, NULL, 2);
	EXPECT(explores && asks, "no memory for a thread");
	thread_join(explores);
	thread_join(asks);
	EXPECT(nmi.executions, "what was asked has changed what is explored");
	EXPECT(nmi.answered >= ANSWERED, "%u of %u NMIs are answered", nmi.answered, nmi.asked);
}
