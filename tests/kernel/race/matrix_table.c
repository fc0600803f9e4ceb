/* SPDX-License-Identifier: MIT */
/*
 * The matrix's table: what each lifetime is known to do. Rules, the first that fits counts; a cell
 * that no rule names is safe. Nothing here looks at how cells are run.
 */
#include "tests/kernel/race/internal.h"

#define BIT(n)	      (1u << (n))
#define ANY	      (~0u)
#define HOLDS_WRITERS (ANY & ~BIT(HOLD_UNDO)) /* an undo lets no device write */
/* The block, or what it held, goes to somebody else. After zero and insert it is still F's own. */
#define WAYS_IN_USE                                                                                \
	(BIT(WAY_TRUNCATE) | BIT(WAY_PUNCH) | BIT(WAY_COLLAPSE) | BIT(WAY_EXCHANGE) | BIT(WAY_COW))
#define WAYS_LAST_USE (BIT(WAY_EVICT) | BIT(WAY_UMOUNT))

/* Rules of the same design in eras after its first one. */
#define IN_LATER_ERA "later "

static const struct rule {
	const char *lifetime;
	unsigned ways, shapes, holds;
	enum race_verdict verdict;
	const char *name; /* of the weakness */
} rules[] = {
	/* In an era that lets the device go under references and mappings alike. */
	{IN_LATER_ERA "idle-at-one", BIT(WAY_UNBIND), BIT(SHAPE_MAPPED), ANY, RACE_BROKEN_I2,
	 "C-4"},
	{IN_LATER_ERA "idle-at-one", BIT(WAY_UNBIND), BIT(SHAPE_UNMAPPED), ANY, RACE_BROKEN_I2,
	 "C-8"},
	{IN_LATER_ERA "counted-map", BIT(WAY_UNBIND), BIT(SHAPE_MAPPED), ANY, RACE_BROKEN_I2,
	 "C-4"},
	{"unaware", WAYS_IN_USE | WAYS_LAST_USE, ANY, HOLDS_WRITERS, RACE_BROKEN_I1, "A-1"},
	{"unaware", BIT(WAY_UNBIND), BIT(SHAPE_MAPPED), ANY, RACE_BROKEN_I2, "C-4"},
	{"lease-poll", BIT(WAY_TRUNCATE), ANY, HOLDS_WRITERS, RACE_BROKEN_I1, "B-7"},
	{"lease-poll", BIT(WAY_UNBIND), BIT(SHAPE_MAPPED), ANY, RACE_BROKEN_I2, "C-4"},
	{"idle-at-one", WAYS_IN_USE, BIT(SHAPE_UNMAPPED), HOLDS_WRITERS, RACE_BROKEN_I1, "C-1"},
	{"idle-at-one", WAYS_IN_USE, BIT(SHAPE_LOCKED), HOLDS_WRITERS, RACE_BROKEN_I1, "C-2"},
	{"idle-at-one", WAYS_LAST_USE, ANY, HOLDS_WRITERS, RACE_BROKEN_I1, "C-3"},
	{"idle-at-one", BIT(WAY_UNBIND), BIT(SHAPE_MAPPED), ANY, RACE_BROKEN_I2, "C-4"},
	/* An unmount writes dirty entries back first, and that waits for locked ones. */
	{"zap-to-zero", WAYS_IN_USE | BIT(WAY_EVICT), BIT(SHAPE_LOCKED), HOLDS_WRITERS,
	 RACE_BROKEN_I1, "C-2"},
	{"counted-map", BIT(WAY_UNBIND), BIT(SHAPE_UNMAPPED), ANY, RACE_BROKEN_I2, "E-2"},
};

static bool is_of(const struct rule *r, const struct lifetime *lt)
{
	const unsigned n = sizeof(IN_LATER_ERA) - 1;

	if (!strncmp(r->lifetime, IN_LATER_ERA, n))
		return !lifetime_is_first(lt) && !strcmp(r->lifetime + n, lt->name);
	return !strcmp(r->lifetime, lt->name);
}

enum race_verdict matrix_expects(const struct lifetime *lt, struct cell c, const char **name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rules); i++) {
		const struct rule *r = &rules[i];

		*name = r->name;
		if (is_of(r, lt) && (r->ways & BIT(c.way)) && (r->shapes & BIT(c.shape)) &&
		    (r->holds & BIT(c.hold)))
			return r->verdict;
	}
	*name = "";
	return RACE_SAFE;
}

/* Designs whose answer to a held page is to wait for it, or that let their caller ask until it is
 * put. */
static const char *const waiting[] = {"lease-poll", "idle-at-one", "zap-to-zero", "counted-map",
				      "refuse-busy"};

bool matrix_must_wait(const struct lifetime *lt, struct cell c)
{
	const struct cell likewise = {WAY_COLLAPSE, HOLD_PIN, c.shape, c.huge};
	const char *name;

	for (unsigned i = 0; i < ARRAY_SIZE(waiting); i++)
		if (!strcmp(waiting[i], lt->name))
			return matrix_expects(lt, likewise, &name) == RACE_SAFE;
	return false;
}

/* Combinations that make no sense. A NULL lifetime: under all of them. */
static const struct {
	const char *lifetime;
	unsigned ways, shapes, holds, sizes; /* sizes: 1 4K, 2 2M */
	const char *reason;
} cannot[] = {
	{NULL, WAYS_LAST_USE, BIT(SHAPE_MAPPED), ANY, 3, "a mapping keeps its file open"},
	{NULL, BIT(WAY_COW), ANY, ANY, 2, "a block that is shared is mapped by single pages"},
	{NULL, BIT(WAY_UNBIND), BIT(SHAPE_LOCKED), ANY, 3, "unbinding looks at no entry"},
	{NULL, WAYS_LAST_USE | BIT(WAY_UNBIND), ANY, BIT(HOLD_INTERRUPTED), 3,
	 "no signal ends this wait"},
	{NULL, ANY, BIT(SHAPE_UNMAPPED), BIT(HOLD_UNDO), 3,
	 "a fast gup finds nothing where nothing is mapped"},
	{NULL, WAYS_LAST_USE, ANY, BIT(HOLD_UNDO), 3,
	 "a fast gup finds nothing where nothing is mapped"},
	{"lease-poll", ANY, ANY, BIT(HOLD_UNDO), 3,
	 "the fast path takes no page of a file, so it undoes none"},
};

const char *matrix_cannot(const struct lifetime *lt, struct cell c)
{
	for (unsigned i = 0; i < ARRAY_SIZE(cannot); i++)
		if ((!cannot[i].lifetime || !strcmp(cannot[i].lifetime, lt->name)) &&
		    (cannot[i].ways & BIT(c.way)) && (cannot[i].shapes & BIT(c.shape)) &&
		    (cannot[i].holds & BIT(c.hold)) && (cannot[i].sizes & BIT(c.huge)))
			return cannot[i].reason;
	return NULL;
}

void matrix_name(struct cell c, char *buf, unsigned n)
{
	static const char *const hold[HOLDS] = {"slow gup", "fast gup",		"pin",
						"bulk put", "interrupted wait", "undo"};
	static const char *const shape[SHAPES] = {"mapped", "unmapped while held",
						  "entry locked by a fault"};

	snprintf(buf, n, "%s, %s, %s", c.huge ? "2M" : "4K", hold[c.hold], shape[c.shape]);
}
