/* SPDX-License-Identifier: MIT */
/*
 * race bio-truncate: a disk's bytes that are not there yet, against a file that lets its block go.
 *
 *   1  F has one page; every other block of the file system belongs to "fill"
 *   2  bio_delay is armed; a direct read from the disk into F's mapping is started, by way of a
 *      bounce buffer; the disk has done its part, and the completion is held
 *   3  another thread truncates F
 *   4  when that has returned, G is created: the allocator has no block to give but F's
 *   5  the completion is let go: the bytes are copied to the page that was F's; G is read back
 *      through the file layer
 *
 * In `dma-truncate` a device is late; here the disk is in time and its answer is late, which is how
 * Linux made the window wide enough to be looked at. Nothing depends on speed: bio_delay's own
 * timer is an hour away. The completion is let go when the truncate sleeps for it, or G gets no
 * block, or G was written.
 *
 * lease-poll is broken here as unaware is: truncate(2) was never wired to its leases (B-7).
 */
#include <ctype.h>

#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/lib/scratch.h"
#include "tests/kernel/race/race.h"

#define F_TEXT "F's DISK"
#define SECTOR 67584u /* where F_TEXT lies on the disk */
#define G_BYTE 'G'
#define HOUR   (3600ull * 1000 * 1000 * 1000)

struct attempt {
	struct block_device *disk;
	struct dax_inode *f;
	struct dio *io;
	struct thread *truncater;
	bool returned; /* the truncate is back */
	int truncate_err;
	unsigned refused_before; /* times that the truncate had to ask again */
	struct race_result *result;
};

static void truncate_thread(void *arg)
{
	struct attempt *a = arg;

	for (;; a->refused_before++) {
		a->truncate_err = dax_truncate(a->f, 0);
		if (!race_asks_again(a->f->fs->lifetime, &a->truncate_err))
			break;
	}
	__atomic_store_n(&a->returned, true, __ATOMIC_RELEASE);
}

static bool truncate_back(struct attempt *a)
{
	return __atomic_load_n(&a->returned, __ATOMIC_ACQUIRE);
}

static void failed(struct attempt *a, const char *step, const char *why)
{
	race_set(a->result, RACE_SKIP, "%s: %s", step, why);
}

/* Step 2. True: the completion is held. */
static bool start_read(struct attempt *a, uint64_t addr)
{
	struct dio_request rq = {.disk = a->disk,
				 .dir = DIO_READ,
				 .sector = SECTOR,
				 .addr = addr,
				 .len = PAGE_SIZE,
				 .bounce = true,
				 .place = "F"};
	int err;

	bio_delay_off();
	bio_delay_arm(HOUR);
	a->io = dio_start(&rq, &err);
	if (!a->io) {
		bio_delay_off();
		failed(a, "starting the disk", refusal());
		return false;
	}
	while (!bio_delay_held())
		disk_moment();
	race_say("F's page is mapped and held; the disk has its bytes ready, and the completion is "
		 "held back");
	return true;
}

/* Step 3. False: the truncate sleeps for a page that nobody holds any more, so for ever. */
static bool wait_for_truncate(struct attempt *a)
{
	quiet_wait(); /* until it is back, or sleeps for the page */
	if (truncate_back(a))
		return true;
	race_say("truncate sleeps; now the completion is let go");
	bio_delay_off();
	return AWAIT_POLLS(truncate_back(a), "the truncate to come back");
}

/* Step 4. A lifetime may keep the block from everybody while it is held: G then gets it later. */
static struct dax_inode *make_g(struct attempt *a)
{
	struct dax_inode *g = scratch_file("G", 1, G_BYTE);

	if (g || dio_done(a->io))
		return g;
	race_say("G gets no block while the disk holds F's (%s); once more when it does not",
		 refusal());
	bio_delay_off();
	dio_wait(a->io);
	return scratch_file("G", 1, G_BYTE);
}

/* Step 5. */
static void judge(struct attempt *a, struct dax_inode *g)
{
	char *const buf = scratch_bytes;
	unsigned foreign = 0, first = 0;
	char text[17] = "";

	bio_delay_off();
	if (dio_wait(a->io)) {
		failed(a, "reading the disk", "an I/O error");
		return;
	}
	if (dax_read(g, 0, buf, PAGE_SIZE) != (int64_t)PAGE_SIZE) {
		failed(a, "reading G", refusal());
		return;
	}
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		if (buf[i] != G_BYTE && foreign++ == 0)
			first = i;
	for (unsigned i = 0; foreign && i < 16 && first + i < PAGE_SIZE; i++)
		text[i] = isprint((unsigned char)buf[first + i]) ? buf[first + i] : '.';
	if (foreign)
		race_set(a->result, RACE_BROKEN_I1,
			 "%u of 4096 bytes of G are F's: \"%s\" at offset %u, where \"GGGG\" was "
			 "written",
			 foreign, text, first);
	else
		race_set(a->result, RACE_SAFE, "%s", "");
}

static void report_wait(const struct attempt *a)
{
	const struct layout_break *b = &a->f->last_break;

	if (a->refused_before)
		race_say("truncate was refused %u time(s), and asked again", a->refused_before);
	else if (b->busy_seen)
		race_say("truncate waited %lu ms; the page was seen busy %u time(s), pfn 0x%lx",
			 b->waited_ns / 1000000, b->busy_seen, b->busy_pfn);
	else
		race_say("truncate did not wait; the completion is %s",
			 dio_done(a->io) ? "told" : "still held");
}

/* Steps 3 to 5. */
static void run_steps(struct attempt *a)
{
	struct dax_inode *g;

	a->truncater = thread_create("race truncate", truncate_thread, a, 0);
	if (!a->truncater) {
		failed(a, "truncate", "no memory for a thread");
		return;
	}
	if (!wait_for_truncate(a)) {
		race_set(a->result, RACE_HUNG,
			 "the disk gave the page back, and the truncate still sleeps");
		thread_signal(a->truncater);
		return;
	}
	if (a->truncate_err) {
		failed(a, "truncate", refusal());
		return;
	}
	report_wait(a);
	g = make_g(a);
	if (!g) {
		failed(a, "creating G", refusal());
		return;
	}
	race_say("G was written while the completion was %s",
		 dio_done(a->io) ? "told" : "still held");
	judge(a, g);
	dax_put(g);
}

static void attempt(struct attempt *a)
{
	uint64_t addr = 0;

	a->f = scratch_file("F", 1, 'f');
	if (!a->f || dax_mmap(current_mm(), a->f, 0, 1, true, &addr)) {
		failed(a, "creating and mapping F", refusal());
	} else if (store_checked((uint64_t *)addr, 0)) {
		failed(a, "touching F", refusal());
	} else if (scratch_fill("fill")) {
		failed(a, "filling the device", refusal());
	} else if (start_read(a, addr)) {
		run_steps(a);
		bio_delay_off();
		dio_wait(a->io);
		if (a->truncater)
			thread_join(a->truncater);
		dio_free(a->io);
	}
	if (addr)
		mm_unmap(current_mm(), addr, PAGE_SIZE);
	if (a->f)
		dax_put(a->f);
}

static void bio_truncate(const struct lifetime *lt, struct race_result *r)
{
	struct block_device *disk = block_nth(0);
	struct attempt a = {.disk = disk, .result = r};
	struct dax_fs *fs;
	struct pmem_region *device;
	const char *why;
	int err = scratch_choose_disk();

	if (!err)
		err = scratch_choose(&device);
	if (!disk)
		race_absent(r, "%s", NO_DISK);
	else if (err)
		race_refused(r, err);
	if (!disk || err)
		return;
	if (disk_fill(disk, SECTOR, F_TEXT, 1)) {
		race_set(r, RACE_SKIP, "the disk %s cannot be written", disk->name);
		return;
	}
	if (scratch_mount(SCRATCH_SMALL, lt, &fs, &why)) {
		race_set(r, RACE_SKIP, "%s", why);
		return;
	}
	attempt(&a);
	scratch_umount();
}
RACE(bio_truncate, "bio-truncate", bio_truncate,
     "a disk's completion into a file's page is held back while the file is truncated",
     {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_BROKEN_I1}, {"idle-at-one", RACE_SAFE},
     {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
     {"busy-extent", RACE_SAFE});
