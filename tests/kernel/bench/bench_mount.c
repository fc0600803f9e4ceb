/* SPDX-License-Identifier: MIT */
/*
 * mount.1t: dax_mount() of the ext4 of 1 TiB on pmem0, which was unmounted cleanly; lifetime and
 * options as usual. Inside is all that the call does: the superblock, every group's descriptor and
 * its checksum, the free blocks counted, the mount entered in its list. The umount before each is
 * outside, and no page record of the device exists: a mount reads no file.
 */
#include "tests/kernel/bench/bench.h"

#define REPEATS 5
#define BYTES	(1ul << 40)

struct mounting {
	struct bench_run *b;
	struct pmem_region *region;
	bool mounted;
};

static void mount_it(void *arg)
{
	struct mounting *m = arg;

	m->mounted = !dax_mount(m->region, SCRATCH_PATH, LIFETIME_DEFAULT, NULL);
	if (!m->mounted)
		bench_skip(m->b, "%s", refusal());
}

static void umount_it(void *arg)
{
	struct mounting *m = arg;

	if (m->mounted && dax_umount(SCRATCH_PATH))
		bench_skip(m->b, "%s", refusal());
	m->mounted = false;
}

static void mount_1t(struct bench_run *b)
{
	static struct mounting m; /* under bench's lock */
	const struct bench_case c = {.op = mount_it, .after = umount_it, .arg = &m};

	m = (struct mounting){.b = b, .region = pmem_find("pmem0")};
	if (!m.region || m.region->len < BYTES)
		bench_skip(b, "pmem0 has no file system of 1 TiB");
	else
		bench_measure(b, BENCH_INSNS, &c, REPEATS, 1);
}
BENCH(mount_1t, "mount.1t", mount_1t);
