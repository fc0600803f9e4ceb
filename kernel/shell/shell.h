/* SPDX-License-Identifier: MIT */
/*
 * Shell commands: a registry that knows nothing of what registers. A command lives beside what it
 * shows and says its usage itself.
 */
#ifndef KERNEL_SHELL_SHELL_H
#define KERNEL_SHELL_SHELL_H

#include <stdbool.h>
#include <stdint.h>

#define SHELL_LINE_MAX 1023 /* bytes of one line */

struct shell_command {
	const char *name;
	const char *usage; /* "truncate FILE SIZE" */
	const char *help;  /* one line; further lines follow a \n and are shown by `help NAME` */
	int (*run)(int argc, char **argv); /* 0 or a negative errno; argv[0] is the name */
	/* Made of pieces: Ctrl-C ends it at its next safe point (batch_stopped()), status EINTR. */
	bool batch;
	const char *file; /* where it is defined: where that lies is its group in `help`
			     (SHELL_GROUP) */
};
/* SHELL_COMMAND(name, fn, usage, help) or with a fifth argument: is it a batch? TAB completes what
 * the usage allows (kernel/shell/internal.h). */
#define SHELL_COMMAND(ident, fn_, usage_, help_, ...)                                              \
	static const struct shell_command shell_command_##ident                                    \
		__attribute__((used, section("hf_commands"), aligned(8))) = {                      \
			.file = __FILE__, .name = #ident, usage_, help_, fn_, ##__VA_ARGS__}

/* A title of `help`: commands of files whose names begin with `place`, if no longer place fits.
 * Those with one turn are listed together, by ascending turns from 1 on. */
struct shell_group {
	unsigned turn;
	const char *place, *title;
};
#define SHELL_GROUP(ident, ...)                                                                    \
	static const struct shell_group shell_group_##ident                                        \
		__attribute__((used, section("hf_groups"), aligned(8))) = {__VA_ARGS__}

/*
 * A kind of word in usage lines, by its name there, and what it can be just now: offer() calls
 * shell_offer() for each, in any order; the shell drops those that do not begin with what was
 * typed, and those that are no text. It runs in the prompt's thread, may sleep, and must not wait
 * for what takes long. `command`: only in the usage of that command; NULL: in every one.
 */
struct shell_offers;
struct shell_kind {
	const char *word; /* "FILE" */
	const char *command;
	void (*offer)(struct shell_offers *o); /* NULL: nothing is offered */
};
#define SHELL_KIND(ident, ...)                                                                     \
	static const struct shell_kind shell_kind_##ident                                          \
		__attribute__((used, section("hf_kinds"), aligned(8))) = {__VA_ARGS__}
/* `word` is copied. Sleepable (allocates). */
void shell_offer(struct shell_offers *o, const char *word);
/* What was typed of the kind's word, for an offer() that would otherwise walk too much. */
const char *shell_offer_typed(const struct shell_offers *o);

/* `ps` calls fn behind its list of threads. Boot only. */
void ps_also(void (*fn)(void));
/* Prints "NAME: text" for the running command and returns err: `return shell_fail(-EINVAL, …)`. */
int shell_fail(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Prints the usage line of the running command and returns -EINVAL. */
int shell_usage(void);

/* Parsing that explains: value into *out, or a sentence and -EINVAL. Numbers: decimal, 0x…, with an
 * optional K, M, G, T (powers of 1024); `what` names the argument in the sentence. */
int shell_number(const char *what, const char *text, uint64_t *out);
/* The registered word nearest to `text` (edit distance), or NULL when nothing is near. */
const char *shell_nearest(const char *text, const char *const *words, unsigned n);

/* Refuses `text` as a WHAT ("mode", "command"): names the nearest of `words`, or lists them when
 * none is near. Returns -EINVAL: `return shell_unknown("state", argv[2], states, 2)`. */
int shell_unknown(const char *what, const char *text, const char *const *words, unsigned n);

/* Shell pattern: '*' any text, '?' any byte, [a-z], [!a-z]; the rest stands for itself. Pure. */
bool glob_match(const char *pattern, const char *text);
/* "EBUSY" and "device or resource busy" for either sign of EBUSY; "OK" for 0; never NULL. Pure. */
const char *errno_name(int err);
const char *errno_text(int err);

/* Runs one line (commands separated by ';', trailing '&' for a thread); value: first failing status
 * or 0. */
int shell_run_line(const char *line);
/* The prompt loop on the console; with a command list from firmware (opt/holdfast/cmd) it runs that
 * and powers off instead. Never returns. */
void shell_main(void) __attribute__((noreturn));

/*
 * Something that ends by itself while the shell goes on (a device's transfer): its line comes at
 * the prompt and between commands, as a job's does. `ready`: is there a line? Never sleeps for
 * long. `report` prints them. Boot only. shell_wake() lets a waiting prompt look; any context.
 */
void shell_at_prompt(bool (*ready)(void), void (*report)(void));
void shell_wake(void);

/* ---- notices (notice.c) */
#define NOTICE_TEXT 200 /* bytes of a sentence, with its zero */
/* A sentence for thread `tid` about something that it holds; if it has ended, for the shell, which
 * prints its own between commands. Any context; never fails: of too many the oldest goes. */
void notice_post(unsigned tid, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The current thread's oldest notice, which is gone then; false: it has none. */
bool notice_take(char *buf, unsigned n);

/*
 * ---- the book (docs/book; book.c)
 *
 * A chapter is about files of the sources. Whatever a file refuses, and every panic in it, is
 * explained in its chapter: `why` and the report of a panic say which one that is. The table is
 * data in a linker section, made by the floor whose subject the book is (dax/book/places.c).
 */
struct book_chapter {
	unsigned number;
	const char *file, *title; /* "06-break-layouts", of docs/book/06-break-layouts.md */
};
#define BOOK_PAGE ".md" /* behind `file`, where it is printed */
/* The files whose names begin with `path`, if no longer path fits. */
struct book_place {
	const char *path;
	unsigned chapter;
};
#define BOOK_CHAPTERS(ident, ...)                                                                  \
	static const struct book_chapter ident[]                                                   \
		__attribute__((used, section("hf_chapters"), aligned(8))) = {__VA_ARGS__}
#define BOOK_PLACES(ident, ...)                                                                    \
	static const struct book_place ident[]                                                     \
		__attribute__((used, section("hf_places"), aligned(8))) = {__VA_ARGS__}

const struct book_chapter *book_chapter(unsigned number); /* NULL: none */
const struct book_chapter *book_chapter_nth(unsigned n);  /* NULL: past the last */
/* Of the innermost of these code addresses (a backtrace) whose file has one; *file: that file. */
const struct book_chapter *book_of_code(const uint64_t *pc, unsigned n, const char **file);

/*
 * A question at the end of a chapter, for `quiz` (quiz.c). The answer is not in the table: the
 * shell runs `run` and takes the word behind `find` in what that prints. So it is what the machine
 * does.
 */
struct book_question {
	unsigned chapter, turn; /* 1 to 3 */
	const char *ask;
	const char *words; /* "safe BROKEN HUNG": what may be answered; NULL: a number */
	const char *run;   /* one line of commands; its status does not matter */
	const char *find;  /* the answer is the word behind it */
	const char *hint;  /* said to a wrong answer */
	uint64_t (*value)(
		void); /* in place of `find`: the number; `run` says where it comes from */
};
#define BOOK_QUESTIONS(ident, ...)                                                                 \
	static const struct book_question ident[]                                                  \
		__attribute__((used, section("hf_questions"), aligned(8))) = {__VA_ARGS__}

/* Something to be done before power-off (unmount…); called in reverse order of registration.
 * Nonzero: it could not be done cleanly (a sentence was printed), which fails the run. */
void shell_at_poweroff(int (*fn)(void), const char *name);
/* A job runs in the address space of who started it. How to hold one, let it go, and run in it
 * (NULL: in none); given once by the mm floor. Without it jobs have none. */
struct shell_mm_ops {
	void (*get)(void *mm);
	void (*put)(void *mm);
	void (*use)(void *mm); /* takes a reference of its own */
};
void shell_set_mm_ops(const struct shell_mm_ops *ops);
/* Ends the machine inside a command, as if that command had succeeded, with the verdict of the
 * commands before it; nothing is unmounted (a power cut). */
void shell_stop_here(void) __attribute__((noreturn));
/* How the machine is turned off (ACPI). Set by the ACPI provider. */
void shell_set_poweroff(void (*fn)(void));

#endif
