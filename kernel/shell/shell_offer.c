/* SPDX-License-Identifier: MIT */
/*
 * What TAB offers: the words that a usage line allows at the cursor (shell_usage.c), and for each
 * kind of word in it whatever exists right now.
 *
 * Who knows what a FILE or a PIN can be lives on another floor and registers the kind
 * (SHELL_KIND), as commands are registered. All candidates of one TAB are collected in one go,
 * sorted, each once; the line editor then walks the list as often as it likes. Only the prompt's
 * thread comes here, in its address space: a mapping's names are those of the prompt.
 */
#include "kernel/kernel.h"
#include "kernel/shell/internal.h"

extern const struct shell_kind __start_hf_kinds[], __stop_hf_kinds[];

struct shell_offers {
	char typed[SHELL_LINE_MAX + 1]; /* the word at the cursor so far, unquoted */
	const struct shell_command *command;
	const char *key; /* what stands before the kind's words, "lifetime=" */
	size_t key_len;
	unsigned nr;
	bool too_many; /* … or no memory: a part of them would mislead */
	char *list[SHELL_MAX_OFFER];
};
static struct shell_offers offers; /* the prompt's */

/* Could it be typed, and be shown? */
static bool is_text(const char *s)
{
	size_t left = strlen(s), n;

	for (; left; s += n, left -= n) {
		n = text_plain(s, left);
		if (!n || (unsigned char)*s < 0x20 || *s == 0x7f)
			return false;
	}
	return true;
}

static void add(struct shell_offers *o, const char *key, size_t key_len, const char *text,
		size_t len)
{
	size_t all = key_len + len;
	char *word;

	if (all > SHELL_WORD_MAX)
		return;
	word = malloc(all + 1);
	if (!word || o->nr == SHELL_MAX_OFFER) {
		free(word);
		o->too_many = true;
		return;
	}
	memcpy(word, key, key_len);
	memcpy(word + key_len, text, len);
	word[all] = '\0';
	if (!strncmp(word, o->typed, strlen(o->typed)) && is_text(word))
		o->list[o->nr++] = word;
	else
		free(word);
}

void shell_offer(struct shell_offers *o, const char *word)
{
	add(o, o->key, o->key_len, word, strlen(word));
}

const char *shell_offer_typed(const struct shell_offers *o)
{
	return strncmp(o->typed, o->key, o->key_len) ? "" : o->typed + o->key_len;
}

/* A kind that a command has for itself goes before the one of all commands. NULL: unknown. */
static const struct shell_kind *find_kind(const char *command, const char *word, size_t len)
{
	const struct shell_kind *found = NULL;

	for (const struct shell_kind *k = __start_hf_kinds; k < __stop_hf_kinds; k++) {
		if (strlen(k->word) != len || strncmp(k->word, word, len))
			continue;
		if (k->command && !strcmp(k->command, command))
			return k;
		if (!k->command)
			found = k;
	}
	return found;
}

static void found_word(void *arg, const struct shell_usage_word *w)
{
	struct shell_offers *o = arg;
	const struct shell_kind *k;

	if (!w->kind) {
		add(o, w->key, w->key_len, w->text, w->len);
		return;
	}
	k = find_kind(o->command->name, w->text, w->len);
	o->key = w->key;
	o->key_len = w->key_len;
	if (k && k->offer)
		k->offer(o);
	else if (w->key_len && w->key[w->key_len - 1] == '=')
		add(o, w->key, w->key_len, "", 0);
}

static void offer_commands(struct shell_offers *o)
{
	unsigned n;
	const char *const *names = shell_command_names(&n);

	for (unsigned i = 0; i < n; i++)
		shell_offer(o, names[i]);
}
SHELL_KIND(command, "COMMAND", NULL, offer_commands);

/* The words before the cursor; what follows `time` is a command again. */
static void gather(struct shell_offers *o, int argc, char **argv)
{
	for (; argc && !strcmp(argv[0], "time"); argc--)
		argv++;
	if (!argc) {
		offer_commands(o);
		return;
	}
	o->command = shell_find(argv[0]);
	if (o->command)
		shell_usage_next(o->command->usage, argc, (const char *const *)argv, found_word, o);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_once_each(struct shell_offers *o)
{
	unsigned kept = 0;

	qsort(o->list, o->nr, sizeof(o->list[0]), by_text);
	for (unsigned i = 0; i < o->nr; i++) {
		if (kept && !strcmp(o->list[kept - 1], o->list[i]))
			free(o->list[i]);
		else
			o->list[kept++] = o->list[i];
	}
	o->nr = kept;
}

static void forget(struct shell_offers *o)
{
	while (o->nr)
		free(o->list[--o->nr]);
	o->too_many = false;
	o->key = "";
	o->key_len = 0;
}

static void collect(struct shell_offers *o, const char *line, size_t pos)
{
	struct shell_context at = shell_context_at(line, pos);
	char *buf = malloc(pos + 1), why[160];
	struct shell_words w = {.argc = 0};
	size_t from = 0;

	forget(o);
	if (buf && shell_word_typed(line, at.word, pos, o->typed) &&
	    shell_parse_next(line + at.command, at.word - at.command, &from, buf, &w, why,
			     sizeof(why)) >= 0)
		gather(o, w.argc, w.argv);
	free(buf);
	if (o->too_many)
		forget(o);
	sort_once_each(o);
}

const char *shell_candidate(void *arg, const char *line, size_t pos, size_t *typed, unsigned n)
{
	(void)arg;
	if (!n)
		collect(&offers, line, pos);
	*typed = strlen(offers.typed);
	return n < offers.nr ? offers.list[n] : NULL;
}

SELFTEST(shell_kinds, "shell.kinds",
	 "each kind of word that TAB can complete stands in a usage line")
{
	for (const struct shell_kind *k = __start_hf_kinds; k < __stop_hf_kinds; k++) {
		unsigned n, seen = 0;
		const struct shell_command *const *all = shell_commands(&n);

		for (unsigned i = 0; i < n; i++)
			seen += strstr(all[i]->usage, k->word) &&
				(!k->command || !strcmp(k->command, all[i]->name));
		EXPECT(seen > 0, "no usage has the kind %s", k->word);
	}
}

SELFTEST(shell_offers_once, "shell.offers-once", "no kind of word offers the same word twice")
{
	struct shell_offers *mine = calloc(1, sizeof(*mine));

	if (!mine)
		SKIP("no memory");
	for (const struct shell_kind *k = __start_hf_kinds; k < __stop_hf_kinds; k++) {
		unsigned twice = 0;

		forget(mine);
		if (k->offer)
			k->offer(mine);
		qsort(mine->list, mine->nr, sizeof(mine->list[0]), by_text);
		for (unsigned i = 1; i < mine->nr; i++)
			twice += !strcmp(mine->list[i - 1], mine->list[i]);
		EXPECT_OR(out, !twice, "%s: %u of %u words are there twice", k->word, twice,
			  mine->nr);
	}
out:
	forget(mine);
	free(mine);
}
