/* SPDX-License-Identifier: MIT */
/*
 * From what was refused to the chapter of the book that explains it.
 *
 * A refusal keeps the address of the code that made its sentence (kernel/sched/refuse.c). When a
 * command prints it, address and sentence are noted here; `why` turns the address into a file, and
 * the file into a chapter. No message has to name its chapter, so none can name a wrong one, and
 * the code of the subject knows nothing of the book.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

extern const struct book_chapter __start_hf_chapters[], __stop_hf_chapters[];
extern const struct book_place __start_hf_places[], __stop_hf_places[];

static struct spinlock last_lock = SPINLOCK_INIT("last refusal");
static struct refused {
	char command[32], text[REFUSAL_TEXT];
	uintptr_t at; /* a return address; zero: nothing was refused since boot */
	bool fresh;   /* the prompt has not asked about it */
} last;		      /* last_lock */

const struct book_chapter *book_chapter_nth(unsigned n)
{
	unsigned all = (unsigned)(__stop_hf_chapters - __start_hf_chapters);

	return n < all ? &__start_hf_chapters[n] : NULL;
}

const struct book_chapter *book_chapter(unsigned number)
{
	const struct book_chapter *c;

	for (unsigned n = 0; (c = book_chapter_nth(n)); n++)
		if (c->number == number)
			return c;
	return NULL;
}

/* The chapter about a file of the sources ("mm/gup/gup.c"), or NULL. Any context; no lock. */
static const struct book_chapter *book_of_file(const char *file)
{
	const struct book_place *best = NULL;

	for (const struct book_place *p = __start_hf_places; p < __stop_hf_places; p++)
		if (!strncmp(file, p->path, strlen(p->path)) &&
		    (!best || strlen(p->path) > strlen(best->path)))
			best = p;
	return best ? book_chapter(best->chapter) : NULL;
}

const struct book_chapter *book_of_code(const uint64_t *pc, unsigned n, const char **file)
{
	const struct book_chapter *found = NULL;
	unsigned line;

	for (unsigned i = 0; i < n && !found; i++) {
		*file = ksym_line(pc[i] - 1, &line);
		found = *file ? book_of_file(*file) : NULL;
	}
	return found;
}

/* A command may print a refusal from below, within words of its own: then the place below counts.
 */
void book_note(const char *command, const char *text, uintptr_t from)
{
	const char *inner = refusal();
	uint64_t flags = spin_lock_irqsave(&last_lock);

	snprintf(last.command, sizeof(last.command), "%s", command);
	snprintf(last.text, sizeof(last.text), "%s", text);
	last.at = inner[0] && refused_at() && strstr(text, inner) ? refused_at() : from;
	last.fresh = true;
	spin_unlock_irqrestore(&last_lock, flags);
}

static struct refused last_refused(bool asked)
{
	uint64_t flags = spin_lock_irqsave(&last_lock);
	struct refused copy = last;

	if (asked)
		last.fresh = false;
	spin_unlock_irqrestore(&last_lock, flags);
	return copy;
}

bool book_has_more(void)
{
	struct refused r = last_refused(true);
	uint64_t pc = r.at;
	const char *file;

	return r.fresh && book_of_code(&pc, 1, &file);
}

static void print_chapter(const struct book_chapter *c)
{
	kprintf("  chapter %u, %s: docs/book/%s" BOOK_PAGE ", `quiz %u`\n", c->number, c->title,
		c->file, c->number);
}

static int why_file(const char *file)
{
	const struct book_chapter *c = book_of_file(file);

	if (!c)
		return shell_fail(-ENOENT,
				  "no chapter is about '%.80s': name a file as a backtrace does, "
				  "\"mm/gup/gup.c\"",
				  file);
	kprintf("%s\n", file);
	print_chapter(c);
	return 0;
}

static int cmd_why(int argc, char **argv)
{
	struct refused r = last_refused(false);
	const struct book_chapter *c;
	const char *file;
	uint64_t pc = r.at;
	char where[160];

	if (argc > 2)
		return shell_usage();
	if (argc == 2)
		return why_file(argv[1]);
	if (!r.at) {
		kprintf("nothing was refused since boot\n");
		return 0;
	}
	kprintf("%s: %s\n  said by %s\n", r.command, r.text,
		ksym_describe(pc, true, where, sizeof(where)));
	c = book_of_code(&pc, 1, &file);
	if (c)
		print_chapter(c);
	else
		kprintf("  no chapter of the book: it is about the command, not about memory\n");
	return 0;
}
SHELL_COMMAND(why, cmd_why, "why [SOURCE]",
	      "the last refusal that a command printed: the code that said it, and its chapter\n"
	      "The chapter explains what the code around it is for, and lists what it refuses.\n"
	      "With SOURCE, a file as backtraces name it (mm/gup/gup.c): the chapter about that.");
