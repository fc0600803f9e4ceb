/* SPDX-License-Identifier: MIT */
/*
 * Whether a race or self-test may have the first disk: when no request of any disk is under way.
 * One that a user has had held back would be released by the first bio_delay_off() of a test, or
 * would keep the test's own request, and its watchdog, waiting for minutes.
 */
#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/lib/scratch.h"

int scratch_choose_disk(void)
{
	const struct block_device *d = block_nth(0);
	unsigned n = bio_in_flight();

	if (!d)
		return refuse(-ENODEV, "%s", NO_DISK);
	if (!n)
		return 0;
	if (bio_delay_armed())
		return refuse(-EBUSY,
			      "%s is in use: %u request(s) of the disks are under way, held back "
			      "for another %lu ms: wait for them, or 'bio_delay off'",
			      d->name, n, bio_delay_left_ns() / 1000000);
	return refuse(-EBUSY,
		      "%s is in use: %u request(s) of the disks are under way ('disk' lists "
		      "the transfers): wait for them",
		      d->name, n);
}
