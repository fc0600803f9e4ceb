/* SPDX-License-Identifier: MIT */
/* Which devices are at work: for whoever waits until nothing goes on any more
 * (kernel/sched/sched.h). */
#include "drivers/drivers.h"

static bool at_work(void)
{
	for (unsigned i = 0; i < edu_count(); i++)
		if (edu_pending(edu_nth(i)))
			return true;
	/* A completion that is held back is the business of its timer. */
	return bio_in_flight() > bio_delay_held();
}

static int at_work_init(const struct boot_info *bi)
{
	(void)bi;
	quiet_asks(at_work);
	return 0;
}
INITCALL(INIT_LATE, at_work, "who knows what devices do", at_work_init);
