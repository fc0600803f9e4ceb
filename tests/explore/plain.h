/* SPDX-License-Identifier: MIT */
/*
 * What a plain access meets: places that were freed, places that others access atomically, races.
 * The part of it that is in line in the compiler's hooks stands here. Included by internal.h.
 *
 * Hundreds of plain accesses are made in an execution, and nearly all of them are of a word that
 * nobody else accesses, or that nobody stores to. So it is known of each word who does (race.c),
 * and such an access is over in some twenty instructions, without a call.
 */
#ifndef TESTS_EXPLORE_PLAIN_H
#define TESTS_EXPLORE_PLAIN_H

/* ---- rule.c */
#define X_RULE_SLOTS 16384u
/* Of each word by its number modulo so many: the rule may have looked at it. */
extern bool x_rule_words[X_RULE_SLOTS];
static inline unsigned x_rule_slot(uintptr_t word)
{
	return (unsigned)(word >> 3) % X_RULE_SLOTS;
}
/* A load by a rule, while x_live is X_LOOKS or X_ASKED. */
void x_rule_looks(uintptr_t at, size_t bytes);
/* Memory is written that no log has. */
static inline void x_rule_meets(uintptr_t at)
{
	x.state.wrote |= x_rule_words[x_rule_slot(at)];
}

/* ---- undo.c */
bool x_undo_init(void);
void x_log(const volatile void *at, size_t bytes);
/* Words as they were, then their address and how many they are. */
#define X_LOG_WORDS (512 * KIB)
extern uint64_t *x_log_words;
extern unsigned x_log_used;
void x_log_is_full(void) __noreturn;
static inline __attribute__((always_inline)) void x_log_word(uintptr_t at)
{
	uint64_t *w = x_log_words + x_log_used;

	if (x_on_stack(at)) {
		x.ran |= 1u << (at - x_stacks) / X_STACK_BYTES;
		x_rule_meets(at);
		return;
	}
	if (unlikely(x_log_used > X_LOG_WORDS - 3))
		x_log_is_full();
	w[0] = *(const uint64_t *)at;
	w[1] = at;
	w[2] = 1;
	x_log_used += 3;
}
/* x_log() of what an atomic access stores: mostly it lies in one word. */
static inline void x_log_atomic(const volatile void *at, size_t bytes)
{
	if (likely(((uintptr_t)at & 7) + bytes <= 8 && (uintptr_t)at >= X_SMALLEST_ADDRESS))
		x_log_word((uintptr_t)at & ~7ul);
	else
		x_log(at, bytes);
}
void x_undo(unsigned log); /* down to what x_log_used was */
bool x_log_is_half_full(void);
bool x_check_copy(void);		     /* takes the copy */
bool x_check_compare(char *buf, unsigned n); /* false: something was not put back */

/* ---- freed.c */
void x_freed_reset(void);
unsigned x_freed_frames(void); /* single ones */
/* By x.me, in the call that returns to pc. Of what is freed already: a finding. */
void x_freed_add(uintptr_t at, size_t bytes, const char *what, uintptr_t pc);
void x_freed_check(uintptr_t at, size_t bytes);
/* What begins here was got by x.me, in the call that returns to pc. */
void x_freed_made(uintptr_t at, uintptr_t pc);
/* Perhaps a byte was freed in its page; perhaps one of these. */
static inline bool x_freed_in_page(uintptr_t at)
{
	return unlikely(x.state.freed_pages) && (x.state.freed_pages >> (at >> 12) % 64 & 1);
}
static inline bool x_freed_near(uintptr_t at, size_t bytes)
{
	return x.state.freed_pages && (x_freed_in_page(at) || x_freed_in_page(at + bytes - 1));
}
/* These bytes are accessed: a finding if one of them was freed. */
static inline void x_touched(uintptr_t at, size_t bytes)
{
	if (unlikely(x_freed_near(at, bytes)))
		x_freed_check(at, bytes);
}

/* ---- shared.c */
void x_shared_reset(void);
/* Words, and in their low bits which half: 1 the first, 2 the second. Zero: free. */
extern uintptr_t x_shared[X_SHARED_SLOTS];
/* A bit a page, by its number modulo so many: perhaps there is such a word in it. */
#define X_SHARED_PAGES 4096u
extern uint64_t x_shared_pages[X_SHARED_PAGES / 64];
static inline bool x_shared_in_page(uintptr_t at)
{
	return x_shared_pages[(at >> 12) / 64 % ARRAY_SIZE(x_shared_pages)] >> (at >> 12) % 64 & 1;
}
static inline uintptr_t *x_shared_slot(uintptr_t word)
{
	unsigned i = x_hash(word) % X_SHARED_SLOTS;

	while (x_shared[i] && (x_shared[i] & ~7ul) != word)
		i = (i + 1) % X_SHARED_SLOTS;
	return &x_shared[i];
}
static inline bool x_shared_is(uintptr_t at, size_t bytes)
{
	uintptr_t halves = *x_shared_slot(at & ~7ul) & (at & 4 ? 2 : bytes > 4 ? 3 : 1);

	if (unlikely((at & 4) && bytes > 4))
		halves |= *x_shared_slot((at & ~7ul) + 8) & 1;
	return halves;
}
void x_shared_new(uintptr_t at, size_t bytes);
/* Both halves of the word that begins here are known, and found at once. */
static inline bool x_shared_whole(uintptr_t at)
{
	return x_shared[x_hash(at) % X_SHARED_SLOTS] == at + 3;
}
static inline void x_shared_add(uintptr_t at, size_t bytes)
{
	uintptr_t halves;

	if (likely(x_shared_whole(at)))
		return;
	halves = at & 4 ? 2 : bytes > 4 ? 3 : 1;
	if ((*x_shared_slot(at & ~7ul) & halves) != halves || unlikely((at & 4) && bytes > 4))
		x_shared_new(at, bytes);
}

/* ---- race.c */
#define X_KNOWN_SLOTS 16384u
/*
 * What is known of each word of memory since the exploration began: nobody but one actor has
 * accessed it plainly, or nobody has stored to it. No such access can race. An entry is the word's
 * address; over its upper bits, which say nothing, lies who: an actor's tag, or one of these; its
 * lowest bit says that there was a store. Zero: free. Words of which more is to be looked at each
 * time are X_WATCHED; X_MIXED, if some access them atomically.
 */
extern uint64_t x_known[X_KNOWN_SLOTS];
#define X_TAG(n)   ((uint64_t)(n) << 48)
#define X_ACTOR(n) X_TAG((n) + 1u)
#define X_LOADED   X_TAG(X_ACTORS + 1)
#define X_WATCHED  X_TAG(X_ACTORS + 2)
#define X_MIXED	   X_TAG(X_ACTORS + 3)
/* What is known of this word, if that is easily found: an entry; zero. */
static inline uint64_t x_known_of(uintptr_t word)
{
	return x_known[x_hash(word) % X_KNOWN_SLOTS];
}
static inline bool x_races_with_nobody(uintptr_t word, uint64_t known, bool write)
{
	uint64_t who = known ^ word;

	if (write)
		return (who ^ 1) == x.me->tag;
	return (who & ~1ull) == x.me->tag || who == X_LOADED;
}
void x_known_reset(void);
void x_known_mixed(uintptr_t word);
/* Of a word that is X_WATCHED: `bytes` has a bit for each byte of it. */
void x_race_watched(uintptr_t word, unsigned bytes, bool write, uintptr_t pc);
bool x_race_init(void);
void x_race_reset(void);
void x_race_access(uintptr_t at, size_t bytes, bool write, uintptr_t pc);
/* mixed=1: the event at a word that somebody accesses atomically is made. */
void x_race_mixed(uintptr_t at, size_t bytes, bool write, bool atomic, uintptr_t pc);
void x_race_print(void);
void x_race_print_intended(void);

#endif
