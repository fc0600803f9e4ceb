/* SPDX-License-Identifier: MIT */
/*
 * Which order comes next: what an event makes of those before it (dpor.c, chains.c), whose turn is
 * chosen (strategy.c), and what need not be tried (alone.c, states.c). Included by internal.h.
 */
#ifndef TESTS_EXPLORE_SEARCH_H
#define TESTS_EXPLORE_SEARCH_H

/* Choice points that there are no reasons for, so that a test can ask whether there are none. */
enum x_more {
	X_MORE_TURNS = 1, /* at what else follows at once; interrupts on and off */
	X_MORE_ACCESSES,  /* and every plain access of a word that lies on no stack is an event */
};

/* ---- commit.c */
void x_commit(struct x_actor *a); /* this actor makes its event: a node of it */
/* Is this actor's turn now a switch away from a thread that could go on? Interrupts, buffers and
 * timers come for free. */
bool x_preempts(unsigned id);
bool x_preempted(const struct x_node *n); /* was this one? */

/* ---- dpor.c */
/* The clock of op, the next event of actor `id`, from the events before it; and, with `races`, what
 * is owed for it. `word`: of its places, in the chains. */
void x_look_back(unsigned id, const struct x_op *op, struct x_word *const *word, uint16_t *clock,
		 bool races);
/* The later one waits for the earlier, at every place that they share. */
bool x_only_waits(const struct x_op *earlier, const struct x_op *later);
/* Event n competes with op, the next event of actor `id`, whose clock is `before`. */
void x_owe_before(unsigned n, unsigned id, const struct x_op *op, const uint16_t *before);
void x_blocked_races(void);
/* The event just made takes away what this actor would have done next: it could have come first. */
void x_cancelled(unsigned id);
/* These are owed a turn at event n. */
static inline void x_owe_turns(unsigned n, unsigned who)
{
	x.node[n].todo |= (uint16_t)who;
	x.last_owed = MAX(x.last_owed, n);
}
void x_owe_standing(void); /* owed.c: the execution ends as one that is known, or hangs */
/* The actors whose turn here need not be explored again. */
uint16_t x_still_asleep(const struct x_node *last);
static inline uint16_t x_asleep_at(const struct x_node *n)
{
	const struct x_node *last = n - 1;

	return likely(!last->settled) ? 0 : x_still_asleep(last);
}

/* ---- chains.c */
#define X_WORDS 16384u
/* A word that is touched by events, and the newest of them, and of those that changed something. */
struct x_word {
	uintptr_t at; /* 0: free */
	struct x_link *newest, *changed;
} __attribute__((aligned(32)));
extern struct x_word *x_words;
bool x_chains_init(void);
void x_chains_reset(void);
void x_chains_cut(unsigned depth); /* nodes from this one on are none any more */
extern unsigned x_linked;	   /* so many nodes are in chains */
struct x_word *x_chain_claim(struct x_word *w, uintptr_t at);
/* Places that are no part of one word have a chain of their own, which this one stands for. */
static inline bool x_is_wide(const struct x_place *p)
{
	return (p->at & 7) + p->bytes > 8;
}
extern const struct x_place x_wide;
extern struct x_link *x_wide_newest; /* of its chain */
/* The word that this place is a part of: what the next ones take. */
static inline struct x_word *x_chain_word(const struct x_place *p)
{
	uintptr_t at = x_is_wide(p) ? x_wide.at : p->at & ~7ul;
	struct x_word *w = &x_words[x_hash(at) % X_WORDS];

	return likely(w->at == at) ? w : x_chain_claim(w, at);
}
static inline bool x_changes(const struct x_place *p)
{
	return p->how & (X_WRITE | X_SHARED);
}
/* The newest event that this place could compete with; x_chain_next(): the next older one. */
static inline struct x_link *x_chain_head(const struct x_place *p, const struct x_word *w)
{
	return x_changes(p) ? w->newest : w->changed;
}
static inline struct x_link *x_chain_next(const struct x_link *l, const struct x_place *p)
{
	return x_changes(p) ? l->older : l->changed;
}
/* From this link on the first of exactly this place, of those that changed something. */
static inline const struct x_link *x_same_place(const struct x_link *l, uintptr_t at)
{
	while (l && l->place.at != at)
		l = l->changed;
	return l;
}
/* The newest event that stored to exactly this place; NULL: none has. */
const struct x_link *x_chain_giver(const struct x_place *p, const struct x_word *w);
/* A place of the newest node: it is the newest of this word. */
static inline void x_chain_add(struct x_link *l, const struct x_place *p, struct x_word *w)
{
	l->place = *p;
	l->word = w;
	l->older = w->newest;
	l->changed = w->changed;
	w->newest = l;
	if (x_changes(p))
		w->changed = l;
	if (unlikely(w->at == x_wide.at))
		x_wide_newest = l;
}

/* ---- sync.c */
void x_sync(struct x_node *n, struct x_word *const *word);

/* ---- run.c */
void x_search(void); /* all executions of x.opt, whose result is x.result */
/* ---- cmd_explore.c */
const char *
x_saw_nothing(const struct x_result *r); /* why "safe" says nothing here; NULL: it does */
/* ---- shorten.c */
void x_shorten(void);  /* the finding of x.result becomes the shortest way to its rule */
bool x_too_long(void); /* while it does: what comes is no shorter way any more */

/* ---- strategy.c */
/* The strategy's choice among `mask`, at a new node; X_ACTORS: none, all are asleep. */
unsigned x_choose(uint16_t mask, struct x_node *n);
bool x_backtrack(void); /* to the next execution; false: that was all */
/* Shards: is the next event one of a beginning? Is the beginning that is complete now, at a new
 * node, ours? And the execution that is over, if it ended in one? */
bool x_in_beginning(void);
bool x_beginning_is_ours(void);
bool x_end_is_ours(void);
void x_first_beginning(void); /* before the first execution */
void x_strategy_start(void);
unsigned x_done_part(void);
/* What the bound counts when this actor goes. */
unsigned x_cost(uint16_t mask, unsigned id);
const char *x_strategy_name(enum x_strategy s);

/* ---- noted.c: who touches what */
bool x_alone_init(void);
void x_alone_forget(void);
void x_alone_again(void);		      /* the exploration begins again */
void x_alone_note(const struct x_node *node); /* made now: who touches what, under which locks */
extern bool x_noted_full;		      /* there was no room for all of it */
/* x.me takes this lock, or lets it go. */
void x_held(const void *lock, enum x_lock_mode mode, bool taken);
uint64_t x_lock_bit(const void *lock); /* of x_actor.held; 0: none, and it protects nothing */

/* ---- alone.c */
/* Of those that can go one whose event is all that need be tried here; X_ACTORS: there is none. */
unsigned x_goes_alone(uint16_t mask);
bool x_is_buffer_itself(const struct x_place *p);

/* ---- held_back.c */
/* Of all actors those that cannot make another event before `a` has made his next one, and those
 * in `besides`. */
uint16_t x_held_back(const struct x_actor *a, uint16_t besides);

/* ---- halts.c */
/* Learnt: some handler may wait for ever, so it matters where its thread stands. */
extern bool x_halts;
void x_halts_reset(void);
void x_halts_wait(void); /* x.me may not move on, whatever it holds */
/* x.me is about to take this lock; has it, or has it no more (a spinlock). */
void x_halts_take(const void *lock, bool spins);
void x_halts_has(const void *lock, bool taken);
/* What this thread does is kept back by a handler that waits. */
bool x_halts_here(const struct x_actor *a);
void x_halts_say(const struct x_actor *a, struct x_op *op);

/* ---- states.c */
bool x_states_init(void);
void x_states_reset(void);
uint64_t x_states_kept(void);
void x_trace_add(struct x_node *node); /* the newest: what it adds to the hash of all */
/* Is all that can be done from here done already? If not, it is from now on. `choice`: there is
 * more than one way from here. */
bool x_state_is_known(uint16_t enabled, bool choice);

#endif
