/* SPDX-License-Identifier: MIT */
/*
 * The matrix's races: one for each way a block can go; see internal.h.
 *
 * The line of a lifetime says the worst that happened in its cells, if all of them are as the table
 * has it. If one is not, the race showed something else than it should, and the verdict is a skip,
 * which `race all` counts as unexpected.
 */
#include "tests/kernel/race/internal.h"

#define UNIT_BYTES (FOLIO_PAGES * PAGE_SIZE)

struct tally {
	unsigned cells, cannot, differ, of[RACE_SKIP + 1];
	enum race_verdict worst;
	char names[40]; /* the weaknesses that showed */
};

static const char *const words[] = {"safe",	 "BROKEN I1", "BROKEN I2", "BROKEN I3", "BROKEN I4",
				    "BROKEN I5", "BROKEN I6", "BROKEN I7", "HUNG I4",	"skip"};

/* Bytes before records before waits. */
static bool is_worse(enum race_verdict a, enum race_verdict b)
{
	return a != RACE_SAFE && (b == RACE_SAFE || a < b);
}

static void note_name(struct tally *t, const char *name)
{
	unsigned n = strlen(t->names);

	if (!strstr(t->names, name))
		snprintf(t->names + n, sizeof(t->names) - n, "%s%s", n ? ", " : "", name);
}

static void enter(struct tally *t, const struct stage *s)
{
	const char *name = "";
	enum race_verdict want = s->in_order ? RACE_SAFE : matrix_expects(s->lt, s->cell, &name);
	char text[80];

	t->of[s->verdict]++;
	if (is_worse(s->verdict, t->worst))
		t->worst = s->verdict;
	if (s->verdict == want) {
		note_name(t, name);
		return;
	}
	t->differ++;
	matrix_name(s->cell, text, sizeof(text));
	race_say("DIFFERS: %s: %s%s%s, the table says %s%s%s", text, words[s->verdict],
		 s->why[0] ? " " : "", s->why, words[want], name[0] ? " " : "", name);
}

/* Each reason once, with how many cells it is of. */
static void tell_cannot(const struct lifetime *lt, enum way way)
{
	const char *told[8] = {NULL};
	unsigned n = 0, count[8] = {0};

	for (unsigned i = 0; i < MATRIX_PER_WAY; i++) {
		struct cell c = {way, i / 6, i % SHAPES, i / SHAPES % 2};
		const char *reason = matrix_cannot(lt, c);
		unsigned k = 0;

		if (!reason)
			continue;
		while (k < n && strcmp(told[k], reason))
			k++;
		told[k] = reason;
		n += k == n;
		count[k]++;
	}
	for (unsigned k = 0; k < n; k++)
		race_say("cannot happen, %u cell(s): %s", count[k], told[k]);
}

/* Again with whose page is held changed, until the verdict is another. */
static void play_sides(struct stage *s, const struct stage *fresh)
{
	/* The wait for H's page is followed by a second look, which finds F's entry unlocked. */
	const unsigned sides = s->cell.shape == SHAPE_LOCKED ? SIDE_BOTH : SIDES;
	const enum race_verdict first = s->verdict;

	for (unsigned side = 1; side < sides && s->verdict == first; side++) {
		*s = *fresh;
		s->side = side;
		matrix_play(s);
	}
	if (s->verdict == first)
		return;
	s->verdict = RACE_SKIP;
	snprintf(s->why, sizeof(s->why), "%s is held: another verdict than with the lower file's",
		 s->side == SIDE_BOTH ? "a page of both files" : "the higher file's page");
}

/* Pulled out, and then as a user does it, which must be safe in every design. What was not safe in
 * order is the cell's verdict, and s->in_order says whose it is. */
static void play_in_order(struct stage *s, const struct stage *fresh)
{
	const enum race_verdict pulled_out = s->verdict;

	*s = *fresh;
	s->in_order = true;
	matrix_play(s);
	if (s->verdict != RACE_SAFE)
		return; /* and s->why */
	s->verdict = pulled_out;
	s->in_order = false;
}

static void play(struct stage *s)
{
	const struct stage fresh = *s;

	matrix_play(s);
	if (s->cell.way == WAY_EXCHANGE)
		play_sides(s, &fresh);
	else if (s->cell.way == WAY_UNBIND && s->verdict != RACE_SKIP)
		play_in_order(s, &fresh);
}

static void play_all(const struct lifetime *lt, enum way way, struct stage *s, struct tally *t)
{
	struct mm *mm = s->mm;
	uint64_t *buf = s->buf;

	for (unsigned i = 0; i < MATRIX_PER_WAY; i++) {
		struct cell c = {way, i / 6, i % SHAPES, i / SHAPES % 2};

		t->cells++;
		if (matrix_cannot(lt, c)) {
			t->cannot++;
			continue;
		}
		*s = (struct stage){.cell = c, .lt = lt, .mm = mm, .buf = buf};
		play(s);
		enter(t, s);
	}
}

static void conclude(const struct tally *t, struct race_result *r)
{
	unsigned broken = t->cells - t->cannot - t->of[RACE_SAFE] - t->of[RACE_SKIP];

	race_say("%u cells: %u safe, %u not, %u cannot happen", t->cells, t->of[RACE_SAFE], broken,
		 t->cannot);
	if (t->differ)
		race_set(r, RACE_SKIP, "%u of %u cells differ from the table, see above", t->differ,
			 t->cells);
	else if (t->worst == RACE_SAFE)
		race_set(r, RACE_SAFE, "%s", "");
	else
		race_set(r, t->worst,
			 "%u cells: %u safe, %u broken as the table says (%s), %u cannot happen",
			 t->cells, t->of[RACE_SAFE], broken, t->names, t->cannot);
}

/* ---- the director's thread ------------------------------------------------------------------ */

struct job {
	const struct lifetime *lt;
	enum way way;
	struct race_result *result;
};

static void direct(void *arg)
{
	static struct stage s; /* one race at a time */
	struct job *job = arg;
	struct tally t = {.worst = RACE_SAFE};

	s.mm = mm_create("matrix");
	s.buf = malloc(UNIT_BYTES);
	if (!s.mm || !s.buf) {
		race_set(job->result, RACE_SKIP, "no memory");
	} else {
		mm_use(s.mm);
		tell_cannot(job->lt, job->way);
		play_all(job->lt, job->way, &s, &t);
		conclude(&t, job->result);
		mm_use(NULL);
	}
	free(s.buf);
	if (s.mm)
		mm_put(s.mm);
}

static void run(const struct lifetime *lt, enum way way, struct race_result *r)
{
	struct job job = {lt, way, r};
	struct pmem_region *device;
	struct thread *t;
	int err = scratch_choose(&device);

	if (err) {
		race_refused(r, err);
		return;
	}
	/* CPU 0, with the operations: its timers are those that are looked at. */
	t = thread_create("matrix", direct, &job, 1);
	if (t)
		thread_join(t);
	else
		race_set(r, RACE_SKIP, "no memory for a thread");
}

#define MATRIX(ident, way_, text, unaware, lease_poll, idle_at_one, zap_to_zero, counted_map)      \
	static void ident(const struct lifetime *lt, struct race_result *r)                        \
	{                                                                                          \
		run(lt, way_, r);                                                                  \
	}                                                                                          \
	RACE(matrix_##ident, "matrix-" #ident, ident, text, {"unaware", unaware},                  \
	     {"lease-poll", lease_poll}, {"idle-at-one", idle_at_one},                             \
	     {"zap-to-zero", zap_to_zero}, {"counted-map", counted_map},                           \
	     {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE})

#define SAFE RACE_SAFE
#define I1   RACE_BROKEN_I1
#define I2   RACE_BROKEN_I2
MATRIX(truncate, WAY_TRUNCATE, "36 cells: a held page's file is truncated", I1, I1, I1, I1, SAFE);
MATRIX(punch, WAY_PUNCH, "36 cells: a held page is punched out", I1, SAFE, I1, I1, SAFE);
MATRIX(zero, WAY_ZERO, "36 cells: a held page is zeroed, and keeps its file", SAFE, SAFE, SAFE,
       SAFE, SAFE);
MATRIX(collapse, WAY_COLLAPSE, "36 cells: a held page's range is taken out", I1, SAFE, I1, I1,
       SAFE);
MATRIX(insert, WAY_INSERT, "36 cells: a held page moves within its file", SAFE, SAFE, SAFE, SAFE,
       SAFE);
MATRIX(evict, WAY_EVICT, "36 cells: the last reference of an unlinked file goes", I1, SAFE, I1, I1,
       SAFE);
MATRIX(umount, WAY_UMOUNT, "36 cells: unmounted, mounted again, punched", I1, SAFE, I1, SAFE, SAFE);
MATRIX(unbind, WAY_UNBIND, "36 cells: a held page's device goes", I2, I2, I2, SAFE, I2);
MATRIX(exchange, WAY_EXCHANGE, "36 cells: a held page goes to another file", I1, SAFE, I1, I1,
       SAFE);
MATRIX(cow, WAY_COW, "36 cells: a held page is shared, and its file gets a copy", I1, SAFE, I1, I1,
       SAFE);
