/* SPDX-License-Identifier: MIT */
/*
 * What was freed in an execution: nobody may touch it any more before the execution is over.
 *
 * It holds for the heap, for frames and for slab objects, whoever allocated them and when. None of
 * them is really given back while the explorer is on, so that nobody gets the same bytes again and
 * hides a late access; the undo log takes back what the execution did otherwise. An access is that
 * of the code under test, of a device, or of the modelled MMU, by way of a TLB or of the page
 * tables. It is a finding, "memory", which says who freed what, and where, and who had got it, if
 * that was in this execution and not long ago.
 */
#include "tests/explore/internal.h"

#define FREED 512u
#define MADE  256u /* the last ones that were got */

static struct freed {
	uintptr_t at, pc;
	size_t bytes;
	const char *what, *by;
} freed[FREED];
static struct {
	uintptr_t at, pc;
	const char *by;
} made[MADE];

void x_freed_reset(void)
{
	x.state.freed = x.state.made = 0;
	x.state.freed_pages = 0;
}

unsigned x_freed_frames(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < x.state.freed; i++)
		n += !strcmp(freed[i].what, "a frame") && freed[i].bytes >> 12 == 1;
	return n;
}

void x_freed_made(uintptr_t at, uintptr_t pc)
{
	unsigned i = x.state.made++ % MADE;

	x_log(&made[i], sizeof(made[i]));
	made[i].at = at;
	made[i].pc = pc;
	made[i].by = x.state.depth || x.starting ? x.me->name : "the set-up";
}

static const struct freed *find(uintptr_t at, size_t bytes)
{
	for (unsigned i = 0; i < x.state.freed; i++)
		if (at < freed[i].at + freed[i].bytes && freed[i].at < at + bytes)
			return &freed[i];
	return NULL;
}

/* Who got it, with a semicolon before; nothing, if that is not known. */
static void describe_made(uintptr_t at, char *buf, unsigned n)
{
	char where[60];

	buf[0] = 0;
	for (unsigned i = x.state.made; i-- > 0 && x.state.made - i <= MADE;)
		if (made[i % MADE].at == at) {
			snprintf(buf, n, "; %s got it in %s", made[i % MADE].by,
				 ksym_describe(made[i % MADE].pc, true, where, sizeof(where)));
			return;
		}
}

static void found(const struct freed *f, uintptr_t at, const char *how) __noreturn;
static void found(const struct freed *f, uintptr_t at, const char *how)
{
	char where[60], got[100];

	describe_made(f->at, got, sizeof(got));
	x_stop("memory", "use after free: byte %lu of %lu of %s is %s; %s freed it in %s%s",
	       at > f->at ? (unsigned long)(at - f->at) : 0, (unsigned long)f->bytes, f->what, how,
	       f->by, ksym_describe(f->pc, true, where, sizeof(where)), got);
}

/* An event, as late accesses may come before or behind it; and a store that the plain accesses of
 * others race with, as far as race.c looks at one of so many bytes. */
static void say_free(uintptr_t at, size_t bytes, uintptr_t pc)
{
	struct x_op *op = x_op(X_STORE, (void *)pc);

	x_add(op, x_place((void *)at, MIN(bytes, (size_t)UINT16_MAX), X_WRITE));
	op->what = "what is freed";
	if (x_wait_turn())
		x_race_access(at, bytes, true, pc);
}

void x_freed_add(uintptr_t at, size_t bytes, const char *what, uintptr_t pc)
{
	const struct freed *f;

	say_free(at, bytes, pc);
	f = find(at, 1);
	if (f)
		found(f, at, "freed once more");
	if (x.state.freed == FREED)
		x_fail("an execution frees more than %u times", FREED);
	x_tso_freed(at, bytes);
	x.state.wrote = true; /* a rule that touches it is at fault now */
	freed[x.state.freed++] = (struct freed){at, pc, bytes, what, x.me->name};
	for (uintptr_t page = at >> 12; page <= (at + bytes - 1) >> 12; page++)
		x.state.freed_pages |= 1ull << page % 64;
}

void x_freed_check(uintptr_t at, size_t bytes)
{
	const struct freed *f = find(at, bytes);

	if (f)
		found(f, at, "touched");
}
