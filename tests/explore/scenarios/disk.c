/* SPDX-License-Identifier: MIT */
/*
 * A virtio disk that lied while it had a request. Whose is the memory? The disk's, which writes
 * when it likes, until its reset has ended; then that of who waited, who uses it for something
 * else.
 *
 * The disk is a model: its registers are bytes. Its reset has ended when it has written.
 */
#include "tests/explore/explore.h"
#include "tests/kernel/lib/model_disk.h"

/* The word with the register, and what stands in it. */
#define STATUS	(MODEL_STATUS / sizeof(uint64_t))
#define NOT_YET ((uint64_t)MODEL_NOT_YET << MODEL_STATUS % sizeof(uint64_t) * 8)
#define LATE	0x4554414c4554414cull
#define OURS	0x5352554f5352554full

static struct {
	struct model_disk of;
	struct bio bio;
	struct bio_seg seg;
	uint64_t *bytes; /* where the request wants the sector */
	int err;
	uint32_t done, quiet; /* atomic: the request has ended; the disk writes no more */
} model;

static void teardown(void)
{
	model_disk_free(&model.of);
	if (model.seg.page)
		plain_page_free(model.seg.page);
}

static int setup(void)
{
	int err;

	memset(&model, 0, sizeof(model));
	err = model_disk_init(&model.of, PAGE_SIZE / SECTOR_SIZE, 1, 4);
	model.seg = (struct bio_seg){.page = plain_page_alloc(), .len = SECTOR_SIZE};
	err = model.seg.page ? err : -ENOMEM;
	if (err) {
		teardown();
		return refuse(err, "no memory for a disk");
	}
	model.bytes = page_to_virt(model.seg.page);
	return 0;
}

static void ended(struct bio *bio, int err)
{
	(void)bio;
	model.err = err;
	__atomic_store_n(&model.done, 1, __ATOMIC_RELEASE);
	wake_up(&model.done);
}

/* The disk has a request, and says that it is done with two. */
static void start(void)
{
	model.bio = (struct bio){.op = BIO_READ, .seg = &model.seg, .nr = 1, .end_io = ended};
	X_EXPECT("set-up", !bio_submit_unchecked(&model.of.disk.dev, &model.bio), "it is refused");
	model.of.disk.ring.used->idx = 2;
}

/* The timer that looks at the reset is this CPU's, so it comes when that has ended: before, it
 * would look again and again, and no execution would have an end. */
static void interrupted(void)
{
	uint64_t flags = irq_save();

	X_EXPECT("set-up", vblk_collect(&model.of.disk), "the disk is believed");
	__atomic_store_n(&model.of.registers[STATUS], NOT_YET, __ATOMIC_RELAXED);
	while (!__atomic_load_n(&model.quiet, __ATOMIC_ACQUIRE))
		cpu_pause();
	__atomic_store_n(&model.of.registers[STATUS], 0, __ATOMIC_RELAXED);
	irq_restore(flags);
}

static void wait(void)
{
	wait_event(&model.done, __atomic_load_n(&model.done, __ATOMIC_ACQUIRE), "a read",
		   "the end of the disk's reset");
	X_EXPECT("error", model.err == -EIO, "the read ended with %d", model.err);
	__atomic_store_n(model.bytes, OURS, __ATOMIC_RELAXED);
}

static void write_late(void)
{
	__atomic_store_n(model.bytes, LATE, __ATOMIC_RELAXED);
	__atomic_store_n(&model.quiet, 1, __ATOMIC_RELEASE);
}

static void end(void)
{
	X_EXPECT("I1", *model.bytes == OURS, "the disk wrote to memory that was given back");
}

EXPLORE_SCENARIO(disk_lied, "disk.lied",
		 "what a disk that lied writes late is in no memory that was given back, and who "
		 "waits for it is woken",
		 .setup = setup, .teardown = teardown, .start = start,
		 .thread = {{"interrupt", interrupted}, {"waiter", wait}},
		 .device = {{"disk", write_late}}, .end = end, .interrupts = true, .large = true);
