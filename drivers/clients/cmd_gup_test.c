/* SPDX-License-Identifier: MIT */
/*
 * gup_test: what Linux's tool of that name does, in words of this shell.
 *
 *     gup_test -u, -a, -L, -U, -b      get-fast, pin-fast, pin-longterm, get, pin
 *     -c, with -p to pin               dump=LIST with any mode
 *     -m, -r, -n, -j, -F               size=, repeat=, pages=, threads=, flags=
 *     -w, and reading                  write is the default; ro
 *     leave pages unpopulated          untouched
 *     -f, -S, -H, -t/-T                a mapping made by `map` or `devdax`, shared, private or of
 *                                      larger pages, as the object behind it gives them
 */
#include <ctype.h>

#include "drivers/clients/internal.h"

#define OWN_BYTES  (4 * MIB)
#define MAX_REPEAT 1000000u

struct request {
	struct gup_test t;
	const char *place; /* NULL: memory of its own */
	uint64_t size;	   /* bytes; zero: all of the mapping, OWN_BYTES of memory */
	bool untouched;
};

/* Decimal numbers with commas between them. */
static int parse_dump(const char *list, struct gup_test *t)
{
	for (const char *p = list;; p++) {
		char *end;
		uint64_t n = isdigit((unsigned char)*p) ? strtoull(p, &end, 10) : 0;

		if (!n || (*end && *end != ','))
			return shell_fail(-EINVAL,
					  "dump '%s' must be page numbers counted from 1, such as "
					  "dump=1,3",
					  list);
		if (t->nr_dump == GUP_MAX_DUMP)
			return shell_fail(-EINVAL, "dump takes at most %u pages", GUP_MAX_DUMP);
		t->dump[t->nr_dump++] = n;
		p = end;
		if (!*p)
			return 0;
	}
}

static int parse_number(const char *word, struct request *rq)
{
	const struct {
		const char *name;
		uint64_t *to, max;
	} numbers[] = {{"size", &rq->size, USER_END},
		       {"pages", &rq->t.per_call, GUP_MAX_CALL},
		       {"repeat", &rq->t.repeat, MAX_REPEAT},
		       {"threads", &rq->t.threads, GUP_MAX_THREADS}};

	for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++) {
		size_t n = strlen(numbers[i].name);
		int err;

		if (strncmp(word, numbers[i].name, n) || word[n] != '=')
			continue;
		err = shell_number(numbers[i].name, word + n + 1, numbers[i].to);
		if (!err && (!*numbers[i].to || *numbers[i].to > numbers[i].max))
			err = shell_fail(-EINVAL, "%s must be 1 to %lu, not %lu", numbers[i].name,
					 numbers[i].max, *numbers[i].to);
		return err;
	}
	return shell_fail(-EINVAL, "'%s' is not understood; see 'help gup_test'", word);
}

static int parse_flags(const char *word, struct gup_test *t)
{
	uint64_t flags = 0;
	int err = shell_number("flags", word, &flags);

	if (!err && flags > FOLL_WRITE + FOLL_GET + FOLL_PIN + FOLL_LONGTERM + FOLL_FAST_ONLY)
		err = shell_fail(-EINVAL,
				 "flags 0x%lx has unknown bits; known are WRITE 1, GET 2, PIN 4, "
				 "LONGTERM 8, FAST_ONLY 0x10",
				 flags);
	t->flags |= flags;
	return err;
}

/* True: the word is a mode. */
static bool parse_mode(const char *word, struct gup_test *t)
{
	for (unsigned i = 0; i < GUP_MODES; i++)
		if (!strcmp(word, gup_mode_names[i])) {
			t->mode = i;
			return true;
		}
	return false;
}

static int parse_word(const char *word, struct request *rq)
{
	if (parse_mode(word, &rq->t))
		return 0;
	if (!strcmp(word, "ro"))
		rq->t.flags &= ~FOLL_WRITE;
	else if (!strcmp(word, "untouched"))
		rq->untouched = true;
	else if (!strncmp(word, "flags=", 6))
		return parse_flags(word + 6, &rq->t);
	else if (!strncmp(word, "dump=", 5))
		return parse_dump(word + 5, &rq->t);
	else if (strchr(word, '='))
		return parse_number(word, rq);
	else
		return shell_unknown("mode", word, gup_mode_names, GUP_MODES);
	return 0;
}

/* Where the pages are: in a mapping that has a name, or in memory made for this. */
static int find_range(struct request *rq)
{
	uint64_t left, free = frame_stats().free * PAGE_SIZE;
	int err;

	if (rq->place) {
		err = dax_parse_place(rq->place, &rq->t.addr, &left);
		if (err)
			return err;
		left += rq->t.addr & (PAGE_SIZE - 1);
		rq->t.addr = ALIGN_DOWN(rq->t.addr, PAGE_SIZE);
		rq->size = rq->size ? ALIGN_UP(rq->size, PAGE_SIZE) : left;
		if (rq->size > left)
			err = shell_fail(-EINVAL,
					 "size 0x%lx reaches beyond the mapping's end; "
					 "0x%lx is left there",
					 rq->size, left);
	} else {
		rq->size = ALIGN_UP(rq->size ? rq->size : OWN_BYTES, PAGE_SIZE);
		if (rq->size > free / 2)
			return shell_fail(-ENOMEM,
					  "size must be at most half of the free memory, %s",
					  SIZE_TEXT(free / 2));
		err = mm_map_anon(current_mm(), &rq->t.addr, rq->size, true);
		if (err)
			err = shell_fail(err, "no room for 0x%lx bytes in the address space",
					 rq->size);
	}
	rq->t.pages = rq->size / PAGE_SIZE;
	return err;
}

static int explain(const struct gup_test *t, int err)
{
	static const struct {
		int err;
		const char *text;
	} why[] = {{-EOPNOTSUPP, "a long-term pin is refused on a file's pages: it could block "
				 "truncate for ever; a device's or an anonymous mapping would do, "
				 "or a mount with longterm=allow (busy-extent)"},
		   {-EINVAL, "the flags contradict each other: one of GET and PIN, LONGTERM with "
			     "PIN only"},
		   {-ENOMEM, "no memory"},
		   {-EFAULT, "the next page is beyond the file's end, not writable, not mapped, or "
			     "needs the slow path"}};
	uint64_t want = t->pages * t->repeat * t->threads;

	for (unsigned i = 0; i < ARRAY_SIZE(why); i++)
		if (why[i].err == err)
			return shell_fail(err, "only %lu of %lu page(s) could be had: %s",
					  t->covered, want, why[i].text);
	return shell_fail(err, "only %lu of %lu page(s) could be had: %s", t->covered, want,
			  errno_text(err));
}

static int report(const struct gup_test *t, int err)
{
	uint64_t n = MAX(t->covered, 1ul);

	for (unsigned i = 0; i < t->nr_dump; i++)
		if (t->dump[i] > MIN(t->covered, t->pages))
			kprintf("page %lu: not among the %lu that were got, ignored\n", t->dump[i],
				MIN(t->covered, t->pages));
	if (err)
		return explain(t, err);
	kprintf("%s %s: %lu page(s) in %lu call(s); get %lu ns, give back %lu ns a page\n",
		gup_mode_names[t->mode], t->flags & FOLL_WRITE ? "write" : "ro", t->covered,
		t->calls, t->get_ns / n, t->put_ns / n);
	if (t->unpinned || t->unfit)
		return shell_fail(-EIO,
				  "%lu pinned page(s) show no reference of the pin, %lu may not be "
				  "pinned for long (rule broken: I2)",
				  t->unpinned, t->unfit);
	return 0;
}

static int cmd_gup_test(int argc, char **argv)
{
	struct request rq = {
		.t = {.flags = FOLL_WRITE, .per_call = 512, .repeat = 1, .threads = 1}};
	int err = 0, i = 1;

	if (argc > 1 && argv[1][0] == 'm' && isdigit((unsigned char)argv[1][1]))
		rq.place = argv[i++];
	for (; i < argc && !err; i++)
		err = parse_word(argv[i], &rq);
	if (!err)
		err = find_range(&rq);
	if (err)
		return err;
	if (!rq.untouched)
		gup_test_touch(&rq.t);
	err = report(&rq.t, gup_test_run(&rq.t));
	if (!rq.place)
		mm_unmap(current_mm(), rq.t.addr, rq.size);
	return err;
}

static void offer_options(struct shell_offers *o)
{
	static const char *const options[] = {
		"ro", "size=", "pages=", "repeat=", "threads=", "flags=", "untouched", "dump="};

	for (unsigned i = 0; i < ARRAY_SIZE(options); i++)
		shell_offer(o, options[i]);
}
SHELL_KIND(gup_option, "OPTION", "gup_test", offer_options);
SHELL_COMMAND(
	gup_test, cmd_gup_test,
	"gup_test [MAPPING[+OFF]] [get-fast|pin-fast|pin-longterm|get|pin] [OPTION ...]",
	"get_user_pages over a mapping (without one: over fresh memory), every answer checked\n"
	"fast: without a lock; get, pin: under mmap_lock. Options: ro (default: for writing);\n"
	"size=BYTES; pages=N for each call (512); repeat=N; threads=N; flags=HEX, more FOLL_\n"
	"flags; untouched: no page is made present first; dump=1,3: show these pages.");
