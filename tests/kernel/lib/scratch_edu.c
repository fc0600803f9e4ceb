/* SPDX-License-Identifier: MIT */
/*
 * Which edu devices a race or self-test may have: those with nothing to do. A transfer takes 100 ms
 * and the queue of a device is served in order, so behind a user's long job a race would sleep for
 * minutes, and its watchdog would take that for a hang.
 */
#include "tests/kernel/lib/scratch.h"

static struct edu *mine[EDU_MAX]; /* NULL: not chosen */

int scratch_choose_edus(unsigned n)
{
	const struct edu *busy = NULL;
	unsigned idle = 0;

	for (unsigned i = 0; i < edu_count() && idle < n; i++)
		if (edu_pending(edu_nth(i)))
			busy = busy ? busy : edu_nth(i);
		else
			mine[idle++] = edu_nth(i);
	if (idle == n)
		return 0;
	if (edu_count() < n)
		return refuse(-ENODEV, "%s",
			      edu_count() ? "needs two edu devices"
					  : "no edu device (QEMU: -device edu)");
	return refuse(-EBUSY, "%s is at work for another %u ms ('dma' lists the jobs): wait for it",
		      edu_name(busy), 100 * edu_pending(busy));
}

struct edu *scratch_edu(unsigned n)
{
	return mine[n] ? mine[n] : edu_nth(n);
}
