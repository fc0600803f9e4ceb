/* SPDX-License-Identifier: MIT */
/*
 * What a usage line allows at the next word: TAB reads the same text that `help` prints, so the two
 * cannot differ. Pure code, tested on the host.
 *
 *	mount [DEV PATH [lifetime=L] [era=E]]	in brackets: may be left out
 *	dma PIN|MAPPING[+OFF] in|out		one of these words
 *	museum NAME [on|off] | all off		one of these rows of words
 *	help [COMMAND ...]			once more
 *
 * A word in capitals is a kind of word (what it can be, shell_offer.c knows); behind KEY= or '%' it
 * is a part of one. Anything else stands for itself. Adjacent brackets that begin with a word which
 * stands for itself are options: any order.
 */
#ifndef KERNEL_SHELL_SHELL_USAGE_H
#define KERNEL_SHELL_SHELL_USAGE_H

#include <stdbool.h>
#include <stddef.h>

/* One possibility: key[0, key_len) and behind it text[0, len), all inside the usage line. */
struct shell_usage_word {
	const char *key; /* "lifetime=", "%"; key_len 0: none */
	size_t key_len;
	const char *text; /* "unbind"; of a kind its name alone: "FILE" for FILE2, "MAPPING" */
	size_t len;
	bool kind;
};

/*
 * Hands each possibility for the word behind argv[0, argc) to found(), in the usage's order; the
 * same one may come twice. argv[0] is the command's name. Words that the usage does not allow are
 * followed by nothing.
 */
void shell_usage_next(const char *usage, int argc, const char *const *argv,
		      void (*found)(void *arg, const struct shell_usage_word *w), void *arg);

#endif
