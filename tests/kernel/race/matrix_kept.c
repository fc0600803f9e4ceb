/* SPDX-License-Identifier: MIT */
/*
 * The matrix's ways that free nothing: a range is zeroed, or moves within its file.
 *
 * The late write is legal there, since the block stays F's. So a cell looks where the bytes are:
 * the block must be F's own, at its place of now, and nobody's else; F reads what it should, before
 * the late write and after it; entries, mappings and records agree. What was zeroed reads as zeroes
 * even with the late bytes in its block: it is allocated and not written. Whether a design that
 * waits has waited no byte tells: an operation that is over before the put differs
 * (matrix_must_wait()).
 */
#include "tests/kernel/race/internal.h"

static bool bad(struct stage *s, enum race_verdict v, const char *text)
{
	s->verdict = v;
	snprintf(s->why, sizeof(s->why), "%s", text);
	return false;
}

/* The page of F where the held block is now. */
static uint64_t place(const struct stage *s)
{
	return s->at + (s->cell.way == WAY_INSERT ? s->unit : 0);
}

static void count(void *arg, const char *line)
{
	(void)line;
	++*(unsigned *)arg;
}

static bool block_is_f(struct stage *s)
{
	struct dax_run run = {0};
	unsigned wrong = 0;
	int err;

	mutex_lock(&s->fs->lock);
	err = s->f->ops->lookup(s->f->fs, s->f->layer, place(s), 1, &run);
	if (s->fs->ops->check(s->fs, count, &wrong) < 0)
		wrong++;
	mutex_unlock(&s->fs->lock);
	if (err || run.pfn != page_to_pfn(s->page))
		return bad(s, RACE_BROKEN_I1, "the held block is not F's any more at its place");
	return wrong ? bad(s, RACE_BROKEN_I1, "a block has two owners, or none") : true;
}

/* Does the page in s->buf at `page` hold `c` throughout, behind `text`? */
static bool page_is(const struct stage *s, uint64_t page, const char *text, char c)
{
	const char *p = (const char *)s->buf + page * PAGE_SIZE;
	const unsigned n = strlen(text);

	for (unsigned i = 0; i < PAGE_SIZE; i++)
		if (p[i] != (i < n ? text[i] : c))
			return false;
	return true;
}

/* F's unit of pages from `first` on: zeroes, but for the held page if its bytes moved there. */
static bool unit_is(struct stage *s, uint64_t first, bool moved, const char *text)
{
	const int64_t len = s->unit * PAGE_SIZE;

	if (dax_read(s->f, first * PAGE_SIZE, s->buf, len) != len)
		return bad(s, RACE_BROKEN_I1, "F cannot be read");
	for (unsigned i = 0; i < s->unit; i++)
		if (moved && i == s->at ? !page_is(s, i, text, 'f') : !page_is(s, i, "", 0))
			return bad(s, RACE_BROKEN_I1,
				   moved ? "F does not have its bytes at their new place"
					 : "F does not read as zeroes");
	return true;
}

static bool bytes_are_f(struct stage *s, bool late)
{
	const bool insert = s->cell.way == WAY_INSERT;
	char tail = 0;

	if (!unit_is(s, 0, false, ""))
		return false;
	if (insert && !unit_is(s, s->unit, true, late && s->cell.hold != HOLD_UNDO ? F_TEXT : ""))
		return false;
	dax_read(s->f, s->unit * PAGE_SIZE * (insert ? 2 : 1), &tail, 1);
	return tail == 't' ? true : bad(s, RACE_BROKEN_I1, "the page behind the range is another");
}

bool matrix_judge_kept(struct stage *s, bool late)
{
	if (!block_is_f(s) || !bytes_are_f(s, late))
		return false;
	if (check_i3_entries())
		return bad(s, RACE_BROKEN_I3, "a mapped page of F has no entry");
	if (check_i6_association())
		return bad(s, RACE_BROKEN_I6, "F's entries and records disagree");
	return true;
}
