// SPDX-License-Identifier: MIT
/*
 * Rows about get_user_pages_fast and about giving the pages back; and the proof that a tick is an
 * instruction, in the program and in the kernel.
 *
 * All pages are mapped, present and writable: the slow path never runs.
 */
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "hfwork.h"

#define LOOP_ROUNDS 1000000ull
#define LOOP_TRIES  9u
#define LOOP_PAUSE  123456u
#define STRIDE	    257 /* coprime to 512: neighbours in the mapping are not neighbours in memory */

static uint64_t get_ticks[MAX_REPEATS], put_ticks[MAX_REPEATS];

/*
 * calibrate: a loop of 2,000,000 instructions, in the program and in the kernel. The least of
 * several tries: half of them meet the timer's interrupt, which comes every 4 million. A pause of
 * another length each time keeps the tries from meeting it always. The marked loop is counted by
 * the plugin, which knows nothing of clocks.
 */
void rows_calibrate(void)
{
	uint64_t ticks, user = ~0ul, kernel = ~0ul;

	for (unsigned i = 0; i < LOOP_TRIES; i++) {
		hfp_loop((i + 1) * LOOP_PAUSE);
		ticks = hfp_loop(LOOP_ROUNDS);
		user = ticks < user ? ticks : user;
		ticks = LOOP_ROUNDS;
		need(!ioctl(device, HFP_LOOP, &ticks), "HFP_LOOP");
		kernel = ticks < kernel ? ticks : kernel;
	}
	HFP_MARK(HFP_MARK_BEGIN);
	hfp_loop(LOOP_ROUNDS);
	HFP_MARK(HFP_MARK_END);
	report("calibrate", "insns", &user, 1, 0, 1, true);
	report("calibrate.kernel", "insns", &kernel, 1, 0, 1, false);
}

/* Both directions of one kind of call. A NULL name: measured, not reported. */
static void gup(const char *get_name, const char *put_name, void *at, unsigned pages, bool pin,
		unsigned breaks)
{
	struct hfp_gup g = {.addr = (uintptr_t)at,
			    .pages = pages,
			    .pin = pin,
			    .repeats = pages == 1 ? 1000 : 200,
			    .get = (uintptr_t)get_ticks,
			    .put = (uintptr_t)put_ticks};
	const char *unit = pages == 1 ? "insns" : "insns/page";

	need(!ioctl(device, HFP_GUP, &g), "get_user_pages_fast for %s", get_name);
	need(g.breaks == breaks, "%s: %u breaks in memory, not %u", get_name, g.breaks, breaks);
	report(get_name, unit, get_ticks, g.repeats, kernel_gap, pages, true);
	report(put_name, unit, put_ticks, g.repeats, kernel_gap, pages, true);
}

/* One mapping a page, each of another page of the file. */
static char *map_scattered(struct file *f)
{
	char *at = map_at(f->fd, f->pages, false);

	for (uint64_t i = 0; i < f->pages; i++) {
		char *page = mmap(at + i * PAGE, PAGE, PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_FIXED, f->fd, i * STRIDE % f->pages * PAGE);

		need(page != MAP_FAILED, "mmap of a page");
		*(volatile char *)page = 's';
	}
	return at;
}

/* One fault must have mapped all of it. */
static void touch_huge(struct file *f)
{
	long before;

	file_map(f, true);
	before = faults();
	file_dirty(f);
	need(faults() - before == (long)(f->pages / HUGE_PAGES),
	     "%ld faults for %lu MiB: no 2 MiB mapping", faults() - before, f->pages * PAGE >> 20);
}

void rows_gup(void)
{
	struct file f;

	file_start(&f, "gup", HUGE_PAGES);
	file_map(&f, false);
	file_dirty(&f);
	gup("gup.get.4k.b1", "gup.put.4k.b1", f.map, 1, false, 0);
	gup("gup.get.4k.b512", "gup.put.4k.b512", f.map, HUGE_PAGES, false, 0);
	gup("gup.pin.4k.b512", "gup.unpin.4k.b512", f.map, HUGE_PAGES, true, 0);
	gup("gup.get.4k.scattered", "gup.put.4k.scattered", map_scattered(&f), HUGE_PAGES, false,
	    HUGE_PAGES - 1);
	file_end(&f);
	file_start(&f, "gup2m", HUGE_PAGES);
	touch_huge(&f);
	gup("gup.get.2m.b512", "gup.put.2m.b512", f.map, HUGE_PAGES, false, 0);
	gup("gup.pin.2m.b512", "gup.unpin.2m.b512", f.map, HUGE_PAGES, true, 0);
	file_end(&f);
}
