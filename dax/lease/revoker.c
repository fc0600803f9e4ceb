/* SPDX-License-Identifier: MIT */
/*
 * The revoker: the thread that takes back what nobody gave back in its break time.
 *
 * One for all leases, started at boot, so that no break can fail for want of a thread. It sleeps up
 * to the first date there is, is woken for an earlier one, and revokes one lease after the other:
 * what a revoke sleeps for delays the next one, and no breaker but that of its own file.
 */
#include "dax/dax.h"

static void revoker_thread(void *unused)
{
	(void)unused;
	for (;;) {
		lease_wait_due();
		lease_revoke_due(clock_ns());
	}
}

static int leases_init(const struct boot_info *bi)
{
	struct thread *t = thread_create("lease revoker", revoker_thread, NULL, 0);

	(void)bi;
	if (!t)
		return -ENOMEM;
	thread_detach(t);
	return 0;
}
INITCALL(INIT_DAX, leases, "leases", leases_init);
