/* SPDX-License-Identifier: MIT */
/*
 * The matrix's way that leaves no record behind: F's device goes, and has to come again.
 *
 * Each cell is played twice. First the device is pulled out under the mount, which no design can
 * refuse: the verdict is the design's own (docs/weaknesses.md C-4, C-8, E-2). Then as a user does
 * it, with dax_unbind(): under the mount it is refused; behind the unmount, with the page still
 * held, it is refused or sleeps, by the design; behind the put it is done, and the record is gone.
 * That is safe in every design.
 */
#include "tests/kernel/race/internal.h"

static uint64_t length(const struct stage *s)
{
	return s->unit * PAGE_SIZE;
}

/* Under the mount it is refused for that, held page or not. */
static int refused_mounted(void)
{
	int err = dax_unbind(scratch_device(), false);

	return err == -EBUSY && strstr(refusal(), "mounted") ? 0 : -EPROTO;
}

/* An unmount may sleep for the page as well: it is done once. */
static int leave_and_unbind(struct stage *s)
{
	int err = s->fs ? refused_mounted() : 0;

	if (s->fs && !err)
		err = dax_umount(SCRATCH_PATH);
	if (err)
		return err;
	s->fs = NULL;
	return dax_unbind(scratch_device(), false);
}

int matrix_way_unbind(struct stage *s)
{
	if (s->in_order)
		return leave_and_unbind(s);
	dax_remove_device(scratch_device());
	return 0;
}

/* F's records, as they were while its page was held: one cell at a time. */
static struct page records[FOLIO_PAGES];
static struct page *counting; /* the record that counts for the page */

static struct pgmap *the_pgmap(void)
{
	return &scratch_device()->pgmap;
}

static struct page *first_record(const struct stage *s)
{
	return s->page - s->at;
}

/* Of the tails of a folio not all have one. */
static void take_down(const struct stage *s)
{
	counting = page_to_record(s->page);
	for (unsigned i = 0; i < s->unit; i++)
		records[i] = page_record_exists(first_record(s) + i) ? first_record(s)[i]
								     : (struct page){0};
}

/* The device is bound again. Whoever is in use at rest 0 holds it. */
static void put_records_back(const struct stage *s)
{
	for (unsigned i = 0; i < s->unit; i++) {
		const struct page *was = &records[i];

		if (!was->pgmap)
			continue;
		if (page_records_populate(page_to_pfn(first_record(s)) + i, 1))
			panic("no memory for the records that the matrix has to put back");
		first_record(s)[i] = *was;
		if (!the_pgmap()->rest && (page_refs(was) || page_maps(was)))
			percpu_ref_get(&the_pgmap()->ref);
	}
}

static void unmap_f(struct stage *s)
{
	if (s->va)
		mm_unmap(s->mm, s->va, length(s));
	s->va = 0;
}

/* ---- in order ------------------------------------------------------------------------------- */

#define SLEEPS 1 /* instead of an errno */

static bool wrong(struct stage *s, enum race_verdict v, const char *what, int err)
{
	s->verdict = v;
	snprintf(s->why, sizeof(s->why), "unbound in order: %s: %s", what,
		 err == SLEEPS ? "sleeps"
		 : err	       ? errno_name(err)
			       : "done");
	return false;
}

static void bind_again(void)
{
	if (pmem_bind(scratch_device()))
		panic("the matrix cannot bind its device again");
}

/* The records have gone with the device: it comes again, with F's held as they were, for the put.
 * They are no file's: F went with the unmount. */
static void rebind(struct stage *s)
{
	const struct pgmap before = *the_pgmap();

	bind_again();
	the_pgmap()->rest = before.rest; /* as the lifetime had it */
	the_pgmap()->ops = before.ops;
	the_pgmap()->mapped_holds = before.mapped_holds;
	for (unsigned i = 0; i < s->unit; i++)
		records[i].mapping = NULL;
	put_records_back(s);
}

/* Nobody holds the page any more. */
static bool comes_to_its_end(struct stage *s)
{
	if (!s->thread)
		matrix_start(s); /* it was refused */
	if (!matrix_settle(s, true))
		return wrong(s, RACE_HUNG, "nobody holds a page any more", SLEEPS);
	if (s->err)
		return wrong(s, RACE_BROKEN_I4, "nobody holds a page any more", s->err);
	return true;
}

/* A refusal, or a sleep: what the design says. Anything else has taken the records away. */
static bool waits_or_refuses(struct stage *s)
{
	bool done;

	take_down(s);
	matrix_start(s);
	done = matrix_settle(s, false);
	if (done && !s->err) {
		rebind(s);
		return wrong(s, RACE_BROKEN_I2, "a page is held", 0);
	}
	if (done && s->err == -EPROTO)
		return wrong(s, RACE_BROKEN_I2, "mounted, and not refused for that", s->err);
	if (done && s->err != -EBUSY)
		return wrong(s, RACE_BROKEN_I4, "a page is held", s->err);
	/* Where it is the unmount that sleeps, nobody has come to unbind yet. */
	if (done || s->fs || s->lt->unbind != UNBIND_REFUSES)
		return true;
	matrix_put(s);
	if (comes_to_its_end(s))
		bind_again();
	return wrong(s, RACE_BROKEN_I4, "a page is held", SLEEPS);
}

static void unbind_in_order(struct stage *s)
{
	bool there;

	unmap_f(s);
	dax_put(s->f);
	s->f = NULL;
	if (!waits_or_refuses(s))
		return;
	matrix_put(s);
	if (!comes_to_its_end(s))
		return;
	there = page_record_exists(s->page);
	bind_again();
	if (there)
		wrong(s, RACE_BROKEN_I2, "the record is still there", 0);
	else
		s->verdict = RACE_SAFE;
}

/* ---- pulled out ----------------------------------------------------------------------------- */

/* The device is bound again, with F's records as they were, with `put` references less of the one
 * that was held. */
static void mend(struct stage *s, unsigned put)
{
	if (memremap_pages(the_pgmap()))
		panic("the matrix cannot bind its device again: %s", refusal());
	records[counting - first_record(s)].state -= put * PAGE_REF;
	put_records_back(s);
}

/* The put was not enough, rightly: what else holds the device goes in order. False: its teardown
 * sleeps on. */
static bool leave(struct stage *s)
{
	percpu_ref_get(&the_pgmap()->ref); /* else the device goes under the mount */
	unmap_f(s);
	dax_put(s->f);
	s->f = NULL;
	if (dax_umount(SCRATCH_PATH))
		panic("the matrix's file system is busy: %s", refusal());
	s->fs = NULL;
	percpu_ref_put(&the_pgmap()->ref);
	if (!matrix_settle(s, true))
		return false;
	if (memremap_pages(the_pgmap()))
		panic("the matrix cannot bind its device again");
	return true;
}

void matrix_unbind(struct stage *s)
{
	const unsigned held = s->nr_held;

	if (s->in_order) {
		unbind_in_order(s);
		return;
	}
	take_down(s);
	matrix_start(s);
	if (matrix_settle(s, false)) {
		s->verdict = RACE_BROKEN_I2;
		mend(s, 0); /* for the put */
		return;
	}
	matrix_put(s);
	if (!matrix_settle(s, false)) {
		s->verdict = leave(s) ? RACE_SAFE : RACE_HUNG;
		return;
	}
	/* Nobody holds a page: is one mapped, though its record is gone? */
	s->verdict = s->va && !page_record_exists(first_record(s)) ? RACE_BROKEN_I2 : RACE_SAFE;
	mend(s, held);
}
