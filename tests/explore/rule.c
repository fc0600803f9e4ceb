/* SPDX-License-Identifier: MIT */
/*
 * The scenario's rule (.step): when it is asked.
 *
 * It says the same as before until a word has changed that it looked at. So these words are noted
 * while it is asked, for the whole exploration, and it is asked again behind an event that stored
 * to one of them. Which words were stored to is in the log (undo.c); what no log has, a stack, a
 * thread's state, what was freed, says so itself (x.state.wrote).
 *
 * Its loads are seen by the compiler's hooks. A rule that does more than load, or loads by way of
 * a copy, may have looked at words that were not noted, and is asked behind each event that stored
 * to anything.
 */
#include "tests/explore/internal.h"

bool x_rule_words[X_RULE_SLOTS];

void x_rule_reset(void)
{
	memset(x_rule_words, 0, sizeof(x_rule_words));
}

/* Of several words, or of what lies across two. */
static __attribute__((noinline)) void looks_at_all(uintptr_t at, size_t bytes)
{
	for (uintptr_t word = at & ~7ul; word < at + bytes; word += 8)
		x_rule_words[x_rule_slot(word)] |= x_live == X_ASKED;
	if (x_on())
		x_touched(at, bytes);
}

void x_rule_looks(uintptr_t at, size_t bytes)
{
	if (unlikely((at & 7) + bytes > 8 || x.state.freed_pages))
		looks_at_all(at, bytes);
	else
		x_rule_words[x_rule_slot(at)] |= x_live == X_ASKED;
}

/* Was one of its words stored to since it was asked? */
static bool words_changed(void)
{
	const uint64_t *at = x_log_words + x_log_used, *asked = x_log_words + x.state.asked;

	while (at > asked) {
		uint64_t n = at[-1], word = at[-2];

		for (uint64_t i = 0; i < n; i++)
			if (x_rule_words[x_rule_slot(word + 8 * i)])
				return true;
		at -= n + 2;
	}
	return false;
}

static void ask(void)
{
	struct x_actor *me = x.me;

	if (!me) /* an actor without a stack: the explorer's own, which code may borrow */
		x.me = &x.actor[0];
	x.me->quiet++;
	x.ran |= 1u << x_id(x.me); /* if it ends here */
	x_live = X_ASKED;
	x.sc->step();
	if (x_live != X_ASKED)
		memset(x_rule_words, true, sizeof(x_rule_words));
	x_live = false;
	x.me->quiet--;
	x.me = me;
}

void x_check_step(void)
{
	if (!x.sc->step)
		return;
	if (x.state.wrote || words_changed())
		ask();
	x.state.wrote = false;
	x.state.asked = x_log_used;
}
