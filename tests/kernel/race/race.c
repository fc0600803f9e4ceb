/* SPDX-License-Identifier: MIT */
/*
 * race: a device that is still writing, against a file that lets its block go.
 *
 *   1  F has one page; every other block of the file system belongs to "fill"
 *   2  F is mapped and touched, its page is referenced (gup), the device is told to write "F's DMA"
 *   3  another thread truncates F (or punches its page)
 *   4  when that has returned, G is created: the allocator has no block to give but F's
 *   5  the device finishes; G is read back through the file layer
 *
 * If the truncate did not wait, step 4 happens while the device is still to write, and step 5 finds
 * F's bytes in G. Nothing here depends on how fast anything is: if the device was finished before G
 * was written, though truncate did not wait, the attempt proves nothing and is made again, with
 * more for the device to do.
 */
#include <ctype.h>

#include "tests/kernel/lib/scratch.h"
#include "tests/kernel/race/race.h"

#define F_TEXT "F's DMA "
#define G_BYTE 'G'
#define ROUNDS 512u /* of the device over the page at most: two minutes of its work */

/* One attempt: what it needs, and what came out. */
struct attempt {
	bool punch;
	unsigned times; /* rounds of the device over the page */
	struct dax_inode *f;
	struct dma_job *dma;
	struct thread *truncater;
	bool returned; /* the truncate is back */
	int truncate_err;
	unsigned refused_before; /* times that the truncate had to ask again */
	bool refused;		 /* there was no block for G while the device held F's */
	bool too_late;		 /* the device had finished before G was written */
	struct race_result *result;
};

static void truncate_thread(void *arg)
{
	struct attempt *a = arg;

	for (;; a->refused_before++) {
		a->truncate_err = a->punch ? dax_punch(a->f, 0, PAGE_SIZE) : dax_truncate(a->f, 0);
		if (!race_asks_again(a->f->fs->lifetime, &a->truncate_err))
			break;
	}
	__atomic_store_n(&a->returned, true, __ATOMIC_RELEASE);
}

static int failed(struct attempt *a, const char *step)
{
	race_set(a->result, RACE_SKIP, "%s: %s", step, refusal());
	return -EIO;
}

/* Steps 1 and 2. */
static int start_dma(struct attempt *a, uint64_t addr)
{
	struct page *page;
	int err;
	long got;

	if (scratch_fill("fill"))
		return failed(a, "filling the device");
	got = get_user_pages_fast(addr, 1, FOLL_PIN | FOLL_WRITE, &page);
	if (got != 1)
		return failed(a, "get_user_pages");
	a->dma = dma_start(scratch_edu(0), &page, 1, DMA_IN, F_TEXT, a->times, &err);
	if (!a->dma) {
		unpin_user_pages(&page, 1);
		return failed(a, "starting the device");
	}
	race_say("F's page is pfn 0x%lx, mapped and held; the device was told to write into it",
		 page_to_pfn(page));
	return 0;
}

static bool truncate_back(struct attempt *a)
{
	return __atomic_load_n(&a->returned, __ATOMIC_ACQUIRE);
}

/* Step 3. -ETIMEDOUT: the truncate sleeps for a page that nobody holds any more, so for ever. */
static int wait_for_truncate(struct attempt *a)
{
	a->truncater = thread_create("race truncate", truncate_thread, a, 0);
	if (!a->truncater)
		return -ENOMEM;
	/* While the device works it is not quiet: whoever waits for its put has time until then. */
	return AWAIT_POLLS(truncate_back(a), "the truncate to come back") ? 0 : -ETIMEDOUT;
}

static void report_wait(const struct attempt *a)
{
	const struct layout_break *b = &a->f->last_break;

	if (a->refused_before)
		race_say("%s was refused %u time(s), and asked again",
			 a->punch ? "punch" : "truncate", a->refused_before);
	else if (b->busy_seen)
		race_say("%s waited %lu ms; the device was seen busy %u time(s), on pfn 0x%lx",
			 a->punch ? "punch" : "truncate", b->waited_ns / 1000000, b->busy_seen,
			 b->busy_pfn);
	else
		race_say("%s did not wait; the device has %s", a->punch ? "punch" : "truncate",
			 dma_done(a->dma) ? "finished" : "not finished");
}

/* Step 5: what does G read as? */
static void judge(struct attempt *a, struct dax_inode *g)
{
	char *const buf = scratch_bytes;
	unsigned foreign = 0, first = 0;
	char text[17] = "";

	dma_wait(a->dma);
	if (dax_read(g, 0, buf, PAGE_SIZE) != (int64_t)PAGE_SIZE) {
		failed(a, "reading G");
		return;
	}
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		if (buf[i] != G_BYTE && foreign++ == 0)
			first = i;
	if (!foreign) {
		race_set(a->result, RACE_SAFE, "%s", "");
		return;
	}
	for (unsigned i = 0; i < 16; i++)
		text[i] = first + i >= PAGE_SIZE		   ? '\0'
			  : isprint((unsigned char)buf[first + i]) ? buf[first + i]
								   : '.';
	race_set(a->result, RACE_BROKEN_I1,
		 "%u of 4096 bytes of G are F's: \"%s\" at offset %u, where \"GGGG\" was written",
		 foreign, text, first);
}

/* Step 4. Where F's block is out of reach until the last put, the allocator says so: then after it.
 */
static struct dax_inode *make_g(struct attempt *a)
{
	struct dax_inode *g = scratch_file("G", 1, G_BYTE);

	a->refused = !g && !dma_done(a->dma);
	if (!a->refused)
		return g;
	race_say("no block for G while the device has F's (%s)", refusal());
	dma_wait(a->dma);
	return scratch_file("G", 1, G_BYTE);
}

/* Steps 3 to 5. */
static void run_steps(struct attempt *a)
{
	struct dax_inode *g = NULL;

	int err = wait_for_truncate(a);

	if (err == -ENOMEM) {
		race_set(a->result, RACE_SKIP, "no memory for a thread");
		return;
	}
	if (err) {
		race_set(a->result, RACE_HUNG,
			 "the device is done and gave the page back, and the %s still sleeps",
			 a->punch ? "punch" : "truncate");
		thread_signal(a->truncater);
		return;
	}
	if (a->truncate_err) {
		failed(a, a->punch ? "punch" : "truncate");
		return;
	}
	report_wait(a);
	g = make_g(a);
	if (!g) {
		failed(a, "creating G");
		return;
	}
	race_say("G was written while the device had %s",
		 dma_done(a->dma) ? "finished" : "not finished");
	a->too_late = dma_done(a->dma) && !a->f->last_break.busy_seen && !a->refused_before &&
		      !a->refused;
	judge(a, g);
	dax_put(g);
}

static void attempt(struct attempt *a)
{
	uint64_t addr = 0;

	a->f = scratch_file("F", 1, 'f');
	if (!a->f || dax_mmap(current_mm(), a->f, 0, 1, true, &addr)) {
		failed(a, "creating and mapping F");
	} else if (store_checked((uint64_t *)addr, 0)) {
		failed(a, "touching F");
	} else if (!start_dma(a, addr)) {
		run_steps(a);
		dma_wait(a->dma);
		if (a->truncater)
			thread_join(a->truncater);
		dma_free(a->dma);
	}
	if (addr)
		mm_unmap(current_mm(), addr, PAGE_SIZE);
	if (a->f)
		dax_put(a->f);
}

static void run(const struct lifetime *lt, bool punch, struct race_result *r)
{
	struct attempt a;
	struct dax_fs *fs;
	struct pmem_region *device;
	const char *why;
	int err;

	err = scratch_choose_edus(1);
	if (!err)
		err = scratch_choose(&device);
	if (err) {
		race_refused(r, err);
		return;
	}
	for (unsigned times = 2; times <= ROUNDS; times *= 4) {
		a = (struct attempt){.punch = punch, .times = times, .result = r};
		err = scratch_mount(SCRATCH_SMALL, lt, &fs, &why);
		if (err) {
			race_set(r, RACE_SKIP, "%s", why);
			r->absent = err == -ENOSPC; /* the device is too small */
			return;
		}
		attempt(&a);
		scratch_umount();
		if (!a.too_late)
			return;
		race_say("too late: the device had finished; once more, with more for it to do");
	}
	race_set(r, RACE_SKIP, "the device was always faster than the file layer; use ICOUNT=1");
}

static void dma_truncate(const struct lifetime *lt, struct race_result *r)
{
	run(lt, false, r);
}
RACE(dma_truncate, "dma-truncate", dma_truncate,
     "a device writes into a file's page while the file is truncated", {"unaware", RACE_BROKEN_I1},
     {"lease-poll", RACE_BROKEN_I1}, /* B-7 */
     {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
     {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});

static void dma_punch(const struct lifetime *lt, struct race_result *r)
{
	run(lt, true, r);
}
RACE(dma_punch, "dma-punch", dma_punch,
     "a device writes into a file's page while a hole is punched there",
     {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
     {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
     {"busy-extent", RACE_SAFE});
