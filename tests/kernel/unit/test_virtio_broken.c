/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: what becomes of requests when their virtio disk lies (virtio.broken-*).
 *
 * The device is a model in memory: its registers are bytes, and it says what the test wants it to.
 * Its ring has room for two reads of a page, so the third one waits for them. All are direct I/O,
 * and hold pages of a file.
 */
#include "tests/kernel/lib/fake_disk.h"
#include "tests/kernel/lib/fixture.h"
#include "tests/kernel/lib/model_disk.h"

#define READS	 3
#define STARTED	 2 /* of them, those that the ring has room for */
#define WORKS	 0xf
#define REGISTER ((uint8_t *)model.of.registers)[MODEL_STATUS]

static struct {
	struct model_disk of;
	struct dio *read[READS];
} model;

static int model_begin(void)
{
	int err;

	memset(model.read, 0, sizeof(model.read));
	err = model_disk_init(&model.of, 1 << 20, 4, 8);
	REGISTER = WORKS;
	return err;
}

/* Reads into the pages of a mapping, one each. */
static int start_reads(uint64_t va)
{
	int err = 0;

	for (unsigned i = 0; i < READS && !err; i++)
		model.read[i] = dio_start(&(struct dio_request){.disk = &model.of.disk.dev,
								.dir = DIO_READ,
								.addr = va + i * PAGE_SIZE,
								.len = PAGE_SIZE},
					  &err);
	return err;
}

/* The device says that more requests are done than it has, and its reset does not end at once.
 * True: the driver does not believe it, and began one. */
static bool lies(void)
{
	uint64_t flags = irq_save();
	const char *why;
	bool reset;

	model.of.disk.ring.used->idx = READS;
	why = vblk_collect(&model.of.disk);
	reset = !REGISTER;
	REGISTER = MODEL_NOT_YET; /* before the timer, which is this CPU's */
	irq_restore(flags);
	return reset && why && strstr(why, "more requests");
}

static void nothing(void *unused)
{
	(void)unused;
}

/* The driver's timer has looked at the reset so often, and is past what it does about it. */
static bool looked(unsigned looks)
{
	bool came = AWAIT(__atomic_load_n(&model.of.disk.looks, __ATOMIC_ACQUIRE) >= looks,
			  "a look at the reset");

	cpu_call((1u << nr_cpus) - 1, nothing,
		 NULL); /* each answers behind the interrupt it is in */
	return came;
}

/* The reset ends. True: the driver has seen it, and done what it does then. */
static bool reset_ends(void)
{
	bool came;

	REGISTER = 0;
	came = AWAIT(__atomic_load_n(&model.of.disk.stopped, __ATOMIC_ACQUIRE),
		     "a look at the reset");
	return looked(0) && came;
}

/* Whatever the driver did: every request ends, and the model goes. */
static void model_end(void)
{
	timer_cancel_wait(&model.of.disk.look);
	vblk_end_all(&model.of.disk);
	for (unsigned i = 0; i < READS && model.read[i]; i++)
		dio_free(model.read[i]);
	model_disk_free(&model.of);
}

static unsigned reads_done(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < READS; i++)
		n += dio_done(model.read[i]);
	return n;
}

/* How many of the pages are held. */
static unsigned held(uint64_t va)
{
	unsigned n = 0;

	for (unsigned i = 0; i < READS; i++)
		n += LIFETIME_DEFAULT->busy(fx_va_to_page(va + i * PAGE_SIZE)) != 0;
	return n;
}

/* The device stores one byte where it was told to write the data of a request: the second
 * descriptor of its chain. */
static void device_writes(unsigned request, char c)
{
	*(char *)phys_to_virt(model.of.disk.ring.desc[3 * request + 1].addr) = c;
}

SELFTEST(
	virtio_broken_keeps, "virtio.broken-keeps-pages",
	"a disk that lied keeps the pages of its requests until its reset was seen to end, however "
	"often that is asked; what it never got fails at once (R10)")
{
	unsigned early, pages, late;
	uint64_t va;

	FIXTURE(fx, LIFETIME_DEFAULT);
	va = fx_map(&fx, "f", READS, 'f');
	EXPECT_OR(out, va && !model_begin(), "no mapping, or no memory");
	EXPECT_OR(end, !start_reads(va), "%s", refusal());
	EXPECT_OR(end, model.of.disk.stats.running == STARTED && held(va) == READS,
		  "%u run, %u page(s) held", model.of.disk.stats.running, held(va));
	EXPECT_OR(end, lies(), "it is believed, or no reset was begun");
	early = reads_done();
	pages = held(va);
	EXPECT_OR(end,
		  early == READS - STARTED && dio_done(model.read[STARTED]) && pages == STARTED,
		  "%u ended, %u page(s) are held", early, pages);
	EXPECT_OR(end, looked(3) && reads_done() == early && held(va) == pages,
		  "after three looks %u ended, %u page(s) are held", reads_done(), held(va));
	for (unsigned i = 0; i < STARTED; i++)
		device_writes(i, 'D');
	late = (at(va)[0] == 'D') + (at(va)[PAGE_SIZE] == 'D');
	EXPECT_OR(end, reset_ends(), "nobody looks at the reset");
	EXPECT_OR(end, late == STARTED && reads_done() == READS && !held(va),
		  "%u late bytes, %u ended, %u page(s) are held", late, reads_done(), held(va));
end:
	model_end();
out:
	fixture_end(&fx);
}

static int wait_for_read(struct dax_inode *unused, uint64_t n)
{
	(void)unused;
	return dio_wait(model.read[n]);
}

/* Each in a thread of its own; how many wait. */
static unsigned waiters_begin(struct fx_op *op)
{
	unsigned n = 0;

	for (unsigned i = 0; i < READS; i++) {
		op[i] = (struct fx_op){.fn = wait_for_read, .arg = i};
		n += fx_start(&op[i]) && fx_falls_asleep(&op[i], model.read[i]);
	}
	return n;
}

static void waiters_end(struct fx_op *op)
{
	vblk_end_all(&model.of.disk);
	for (unsigned i = 0; i < READS; i++)
		if (op[i].thread)
			fx_join(&op[i]);
}

SELFTEST(virtio_broken_wakes, "virtio.broken-wakes-all",
	 "who waits for a request of a disk that lied is woken with -EIO, whether the disk had it "
	 "or "
	 "not, and it takes no more (R10)")
{
	struct fx_op op[READS] = {{0}};
	unsigned woken = 0, errors = 0, asleep;
	uint64_t va;
	int err;

	FIXTURE(fx, LIFETIME_DEFAULT);
	va = fx_map(&fx, "f", READS, 'f');
	EXPECT_OR(out, va && !model_begin(), "no mapping, or no memory");
	EXPECT_OR(end, !start_reads(va), "%s", refusal());
	asleep = waiters_begin(op);
	EXPECT_OR(wake, asleep == READS, "%u wait", asleep);
	EXPECT_OR(wake, lies(), "it is believed, or no reset was begun");
	EXPECT_OR(wake, reset_ends(), "nobody looks at the reset");
	EXPECT_OR(wake, reads_done() == READS, "%u of %u ended", reads_done(), READS);
	for (unsigned i = 0; i < READS; i++) {
		woken += fx_ends(&op[i]);
		errors += op[i].err == -EIO;
	}
	EXPECT_OR(wake, woken == READS && errors == READS, "%u woken, %u with -EIO", woken, errors);
	EXPECT_OR(wake, !bio_in_flight() && !held(va), "%u in flight, %u page(s) held",
		  bio_in_flight(), held(va));
	err = 0;
	EXPECT_OR(wake,
		  !dio_start(&(struct dio_request){.disk = &model.of.disk.dev,
						   .dir = DIO_READ,
						   .addr = va,
						   .len = PAGE_SIZE},
			     &err) &&
			  err == -EIO,
		  "it took one more, or error %d", err);
wake:
	waiters_end(op);
end:
	model_end();
out:
	fixture_end(&fx);
}
