/* SPDX-License-Identifier: MIT */
/*
 * `quiz`: the three questions at the end of a chapter.
 *
 * A question has no answer in the source. It has a line of commands, and the words that stand
 * before the answer in what these print; they are run, with their output taken off the console,
 * when somebody has answered. So a question that the machine has another answer for by now cannot
 * go on asking for the old one.
 *
 * The museum is closed while the machine is asked, but for what the line itself switches on, and
 * is as it was afterwards.
 *
 * All answers are looked at before the first command runs: a number where a word is asked for is a
 * mistake of the hand and no wrong answer.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

#define TURNS	    3u
#define ANSWER_SIZE 48u
#define OUTPUT_SIZE (64 * KIB)
#define UNCHECKED   2 /* of judge() */

extern const struct book_question __start_hf_questions[], __stop_hf_questions[];

/* What the machine says to a question. */
struct said {
	char word[ANSWER_SIZE];
	char line[200]; /* where it stands */
};

static const struct book_question *find_question(unsigned chapter, unsigned turn)
{
	const struct book_question *q;

	for (q = __start_hf_questions; q < __stop_hf_questions; q++)
		if (q->chapter == chapter && q->turn == turn)
			return q;
	return NULL;
}

static void print_question(const struct book_question *q)
{
	kprintf("%u. %s (%s)\n", q->turn, q->ask, q->words ? q->words : "a number");
}

/* Is `word` one of the words that stand in `list`, between blanks? Letter case does not count. */
static bool is_listed(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = list; *at; at += strcspn(at, " "), at += *at == ' ')
		if (n && strcspn(at, " ") == n && !strncasecmp(at, word, n))
			return true;
	return false;
}

static bool passed_by(const char *answer)
{
	return !strcmp(answer, "-");
}

/* Could this be an answer? A sentence and -EINVAL if not. */
static int check_answer(const struct book_question *q, const char *answer)
{
	char why[200], what[24];
	uint64_t number;

	if (passed_by(answer))
		return 0;
	if (q->words && !is_listed(q->words, answer))
		return shell_fail(-EINVAL, "answer %u is '%.40s', and may be one of: %s", q->turn,
				  answer, q->words);
	snprintf(what, sizeof(what), "answer %u", q->turn);
	if (!q->words && number_parse(what, answer, &number, why, sizeof(why)))
		return shell_fail(-EINVAL, "%s", why);
	return 0;
}

/* Takes the word behind `find` out of `text`, and the line that it stands in. */
static int take_word(const char *text, const char *find, struct said *s)
{
	const char *at = strstr(text, find), *line = at;

	if (!at)
		return -ENOENT;
	while (line > text && line[-1] != '\n')
		line--;
	at += strlen(find);
	snprintf(s->word, sizeof(s->word), "%.*s", (int)strcspn(at, " ,;:)\n"), at);
	snprintf(s->line, sizeof(s->line), "%.*s", (int)strcspn(line, "\n"), line);
	return 0;
}

/* Runs the question's line, with what it prints in `text`. 0, or -EBUSY: somebody else asks. */
static int run_line(const struct book_question *q, char *text)
{
	struct museum_set was;
	int err;

	waiting_end(); /* else its line is taken for the machine's */
	err = console_capture(text, OUTPUT_SIZE);
	if (err)
		return err;
	museum_save(&was);
	museum_restore(&(struct museum_set){{0}});
	(void)shell_run_line(q->run);
	museum_restore(&was);
	console_capture(NULL, 0);
	return 0;
}

/* A machine without a device skips what needs it, by name. */
static bool is_skipped(const struct said *s)
{
	return !strcmp(s->word, "skip");
}

/* Asks the machine. A sentence and an errno: it cannot answer here. */
static int ask_machine(const struct book_question *q, struct said *s)
{
	char *text = malloc(OUTPUT_SIZE);
	int err = text ? run_line(q, text) : -ENOMEM;

	if (!err)
		err = take_word(text, q->find, s);
	if (err == -ENOENT)
		kprintf("%u. cannot be checked here: `%s` says: %.*s\n", q->turn, q->run,
			(int)MIN(strcspn(text, "\n"), (size_t)200), text);
	else if (err)
		kprintf("%u. cannot be checked now: %s\n", q->turn, errno_text(err));
	else if (is_skipped(s))
		kprintf("%u. cannot be checked here: %s\n", q->turn, s->line);
	free(text);
	return err ? err : is_skipped(s) ? -ENODEV : 0;
}

static void ask_value(const struct book_question *q, struct said *s)
{
	snprintf(s->word, sizeof(s->word), "%llu", (unsigned long long)q->value());
	snprintf(s->line, sizeof(s->line), "%s", s->word);
}

static bool is_right(const struct book_question *q, const char *answer, const char *word)
{
	uint64_t theirs, ours;
	char why[200];

	if (q->words)
		return !strcasecmp(answer, word);
	return !number_parse("answer", answer, &theirs, why, sizeof(why)) &&
	       !number_parse("answer", word, &ours, why, sizeof(why)) && theirs == ours;
}

/* 1: right, 0: wrong, UNCHECKED: the machine cannot tell. */
static int judge(const struct book_question *q, const char *answer)
{
	struct said s;

	if (passed_by(answer)) {
		kprintf("%u. passed by\n", q->turn);
		return 0;
	}
	if (q->value)
		ask_value(q, &s);
	else if (ask_machine(q, &s))
		return UNCHECKED;
	if (!is_right(q, answer, s.word)) {
		kprintf("%u. %s is wrong: %s\n", q->turn, answer, q->hint);
		return 0;
	}
	kprintf("%u. %s is right: `%s` says\n     %s\n", q->turn, answer, q->run, s.line);
	return 1;
}

struct marks {
	unsigned of[UNCHECKED + 1]; /* wrong, right, not checked */
};

/* 0: all are right; -EIO: one is not; -ENODEV: those that could be checked are. */
static int report(const struct marks *m, unsigned chapter)
{
	kprintf("%u of %u are right", m->of[1], TURNS);
	if (m->of[UNCHECKED])
		kprintf(", %u could not be checked", m->of[UNCHECKED]);
	kprintf("\n");
	if (m->of[0])
		kprintf("docs/book/%s" BOOK_PAGE " has what is missing\n",
			book_chapter(chapter)->file);
	return m->of[0] ? -EIO : m->of[UNCHECKED] ? -ENODEV : 0;
}

static int judge_all(unsigned chapter, char **answers)
{
	struct marks m = {{0}};

	for (unsigned turn = 1; turn <= TURNS; turn++) {
		int err = check_answer(find_question(chapter, turn), answers[turn - 1]);

		if (err)
			return err;
	}
	for (unsigned turn = 1; turn <= TURNS; turn++)
		m.of[judge(find_question(chapter, turn), answers[turn - 1])]++;
	return report(&m, chapter);
}

/* One question of a person; again until the answer could be one. As judge(), or -EINTR. */
static int ask_person(const struct book_question *q)
{
	char answer[ANSWER_SIZE];
	int err;

	print_question(q);
	do {
		err = shell_ask("answer> ", answer, sizeof(answer));
		if (err)
			return err;
	} while (check_answer(q, answer));
	return judge(q, answer);
}

static int ask_all(unsigned chapter)
{
	struct marks m = {{0}};

	kprintf("'-' passes a question by, Ctrl-C ends.\n");
	for (unsigned turn = 1; turn <= TURNS; turn++) {
		int got = ask_person(find_question(chapter, turn));

		if (got < 0)
			return got;
		m.of[got]++;
	}
	return report(&m, chapter);
}

static int show_all(unsigned chapter)
{
	for (unsigned turn = 1; turn <= TURNS; turn++)
		print_question(find_question(chapter, turn));
	kprintf("`quiz %u ANSWER ANSWER ANSWER` checks them; '-' passes one by\n", chapter);
	return 0;
}

static int list_chapters(void)
{
	const struct book_chapter *c;

	for (unsigned n = 0; (c = book_chapter_nth(n)); n++)
		kprintf("%3u  %-52s docs/book/%s" BOOK_PAGE "\n", c->number, c->title, c->file);
	return 0;
}

/* The chapter that was named, if it has its questions. */
static int parse_chapter(const char *text, unsigned *chapter)
{
	unsigned n = 0;
	uint64_t number;
	int err = shell_number("CHAPTER", text, &number);

	if (err)
		return err;
	while (book_chapter_nth(n))
		n++;
	if (number > n || !book_chapter((unsigned)number))
		return shell_fail(-EINVAL, "there is no chapter %.20s: the book has 1 to %u", text,
				  n);
	*chapter = (unsigned)number;
	for (unsigned turn = 1; turn <= TURNS; turn++)
		if (!find_question(*chapter, turn))
			return shell_fail(-ENOENT, "chapter %u has no question %u in this kernel",
					  *chapter, turn);
	return 0;
}

static int cmd_quiz(int argc, char **argv)
{
	unsigned chapter = 0;
	int err;

	if (argc == 1)
		return list_chapters();
	err = parse_chapter(argv[1], &chapter);
	if (err)
		return err;
	if (argc == 2 && !shell_in_script && !in_job())
		return ask_all(chapter);
	if (argc == 2)
		return show_all(chapter);
	if (argc != 2 + (int)TURNS)
		return shell_fail(-EINVAL,
				  "a chapter has %u questions, and %d answer%s given; '-' "
				  "passes one by",
				  TURNS, argc - 2, argc == 3 ? " was" : "s were");
	return judge_all(chapter, argv + 2);
}

static void offer_chapters(struct shell_offers *o)
{
	const struct book_chapter *c;
	char word[12];

	for (unsigned n = 0; (c = book_chapter_nth(n)); n++) {
		snprintf(word, sizeof(word), "%u", c->number);
		shell_offer(o, word);
	}
}
SHELL_KIND(quiz_chapter, "CHAPTER", "quiz", offer_chapters);
SHELL_COMMAND(
	quiz, cmd_quiz, "quiz [CHAPTER] [ANSWER] [ANSWER] [ANSWER]",
	"the chapters of the book, or the three questions of one, asked and checked\n"
	"Each answer is compared with what the machine does: the shell runs the command that\n"
	"shows it. Without answers you are asked, one question after the other; with three the\n"
	"line is the whole quiz. '-' passes a question by. The status is 0 if all are right.");
