/* SPDX-License-Identifier: MIT */
/*
 * The moves that most scripts are made of, each an actor's piece: F is mapped, pinned, let go of,
 * shrunk; a device writes late; G gets the block, and is read back.
 */
#include <ctype.h>

#include "tests/kernel/race/internal.h"

#define G_PATH SCRATCH_PATH "/G"
#define F_PATH SCRATCH_PATH "/F"

int script_f(struct script *s, unsigned pages)
{
	s->pages = pages;
	s->f = scratch_file("F", pages, 'f');
	if (!s->f || scratch_fill("fill")) {
		script_verdict(s, RACE_SKIP, "creating F and \"fill\": %s", refusal());
		return -EIO;
	}
	race_say("F has %u page(s) of 'f'; every other block belongs to \"fill\"", pages);
	return 0;
}

int piece_map(struct script *s)
{
	int err = dax_mmap(current_mm(), s->f, 0, s->pages, true, &s->va);

	for (unsigned i = 0; !err && i < s->pages; i++)
		err = store_checked((uint64_t *)(s->va + i * PAGE_SIZE), 'f');
	return err;
}

int script_hold(struct script *s, long got)
{
	if (got <= 0)
		return got ? (int)got : -EFAULT;
	s->page = s->held[0];
	s->holder = (struct holder){.what = "a pin of the script", .pages = s->held, .nr = got};
	holder_add(&s->holder);
	__atomic_store_n(&s->nr_held, (unsigned)got, __ATOMIC_RELEASE);
	return 0;
}

int piece_pin(struct script *s)
{
	return script_hold(s, get_user_pages_fast(s->va, s->pages, FOLL_PIN | FOLL_WRITE, s->held));
}

int piece_pin_slow(struct script *s)
{
	return script_hold(
		s, get_user_pages(current_mm(), s->va, s->pages, FOLL_PIN | FOLL_WRITE, s->held));
}

int piece_unpin(struct script *s)
{
	script_put_held(s);
	return 0;
}

int piece_unmap(struct script *s)
{
	return mm_unmap(current_mm(), s->va, s->pages * PAGE_SIZE);
}

int piece_close(struct script *s)
{
	struct dax_inode *f = s->f;

	s->f = NULL;
	dax_put(f);
	return 0;
}

int piece_unlink(struct script *s)
{
	(void)s;
	return dax_unlink(F_PATH);
}

int piece_truncate(struct script *s)
{
	return dax_truncate(s->f, 0);
}

int piece_punch(struct script *s)
{
	return dax_punch(s->f, 0, s->pages * PAGE_SIZE);
}

int piece_umount(struct script *s)
{
	int err = dax_umount(SCRATCH_PATH);

	if (!err)
		s->fs = NULL;
	return err;
}

int piece_mount(struct script *s)
{
	return dax_mount(scratch_region(&(const char *){NULL}), SCRATCH_PATH, s->lt, &s->fs);
}

int piece_make_g(struct script *s)
{
	s->g = scratch_file("G", 1, G_BYTE);
	return s->g ? 0 : -ENOSPC;
}

int piece_rewrite(struct script *s)
{
	static char byte = 'f';

	return dax_write(s->f, 0, &byte, 1) == 1 ? piece_touch_first(s) : -EIO;
}

/* ---- the device ----------------------------------------------------------------------------- */

/* Two transfers of 100 ms each: the text into the device, then out of it into half the page. */
struct late_write {
	struct edu_request rq[2];
	struct dma_memory text;
	struct dma_mapping map;
	bool done;
};

static void transfer_done(struct edu_request *rq)
{
	struct late_write *w = rq->arg;

	if (rq != &w->rq[1])
		return;
	__atomic_store_n(&w->done, true, __ATOMIC_RELEASE);
	wake_up(w);
}

static void fill_text(char *buf)
{
	for (unsigned i = 0; i < EDU_CHUNK; i++)
		buf[i] = F_TEXT[i % strlen(F_TEXT)];
}

/* No reference is taken for the device: the script's own is there until it has finished. A busy
 * page would not give one. */
int piece_device(struct script *s)
{
	static struct late_write w; /* one race at a time */
	struct edu *e = scratch_edu(0);
	int err;

	if (!s->nr_held)
		return -EFAULT;
	w = (struct late_write){.map.what = "the late write"};
	err = dma_alloc(edu_dma(e), &w.text, 0, DMA_TO_DEVICE);
	if (err)
		return err;
	fill_text(w.text.at);
	err = dma_map(edu_dma(e), &w.map, &s->held[0], 1, DMA_FROM_DEVICE);
	if (err) {
		dma_free_memory(&w.text);
		return err;
	}
	for (unsigned i = 0; i < 2; i++)
		w.rq[i] = (struct edu_request){.dir = i ? EDU_TO_MEMORY : EDU_FROM_MEMORY,
					       .map = i ? &w.map : &w.text.map,
					       .len = EDU_CHUNK,
					       .done = transfer_done,
					       .arg = &w};
	err = edu_submit(e, w.rq, 2);
	if (!err)
		wait_event(&w, __atomic_load_n(&w.done, __ATOMIC_ACQUIRE), "the late write",
			   "the device's completion interrupt");
	dma_unmap(&w.map);
	dma_free_memory(&w.text);
	return err;
}

int piece_device_unpin(struct script *s)
{
	int err = piece_device(s);

	return err ? err : piece_unpin(s);
}

/* ---- what G reads as ------------------------------------------------------------------------ */

static void printable(char *text, const char *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		text[i] = isprint((unsigned char)from[i]) ? from[i] : '.';
	text[n] = '\0';
}

void script_judge_g(struct script *s)
{
	char *const buf = scratch_bytes;
	unsigned foreign = 0, first = 0;
	char text[17];

	if (!s->g || dax_read(s->g, 0, buf, PAGE_SIZE) != (int64_t)PAGE_SIZE) {
		script_verdict(s, RACE_SKIP, "reading G: %s", refusal());
		return;
	}
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		if (buf[i] != G_BYTE && foreign++ == 0)
			first = i;
	if (!foreign) {
		script_verdict(s, RACE_SAFE, "%s", "");
		return;
	}
	printable(text, buf + first, MIN(16u, (unsigned)PAGE_SIZE - first));
	script_verdict(s, RACE_BROKEN_I1,
		       "%u of 4096 bytes of G are F's: \"%s\" at offset %u, where \"GGGG\" was "
		       "written",
		       foreign, text, first);
}

/* ---- the usual end -------------------------------------------------------------------------- */

/* The block comes back with the last put, or when somebody has looked; if not then, never. */
static void make_g_at_last(struct script *s, struct actor *maker)
{
	script_pass_time(s, 3000000000ull);
	if (!script_try(maker, piece_make_g, "creates G and writes it"))
		return;
	if (maker->err)
		script_verdict(s, RACE_BROKEN_I4, "the last put gave the block back to nobody: %s",
			       maker->why);
}

void script_g_after(struct script *s, struct actor *freer, struct actor *maker,
		    struct actor *holder)
{
	bool freed = !script_at_work(freer);

	if (freed && freer->err) {
		script_verdict(s, RACE_SKIP, "%s was refused: %s", freer->name, freer->why);
		return;
	}
	if (freed && !script_try(maker, piece_make_g, "creates G and writes it"))
		return;
	if (!script_run(holder, piece_device_unpin,
			"tells the device to write \"%s\" into the page; then puts it", F_TEXT))
		return;
	if (!freed && !script_await(freer, "wakes, and goes on to the end"))
		return;
	if (!s->g)
		make_g_at_last(s, maker);
	if (s->g)
		script_judge_g(s);
}
