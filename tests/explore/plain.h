/* SPDX-License-Identifier: MIT */
/*
 * What a plain access meets: places that were freed, places that others access atomically, races.
 * The part of it that is in line in the compiler's hooks stands here. Included by internal.h.
 *
 * Hundreds of plain accesses are made in an execution, and nearly all of them are of a word that
 * the same actor has accessed before and nobody else has stored to. So each word says who accessed
 * it, and such an access is noted where it is made; all others go to race.c.
 */
#ifndef TESTS_EXPLORE_PLAIN_H
#define TESTS_EXPLORE_PLAIN_H

/* ---- freed.c */
extern uint64_t x_freed_pages; /* bit n: a byte was freed in a page of 4 KiB, number n modulo 64 */
void x_freed_reset(void);
unsigned x_freed_frames(void); /* single ones */
/* By x.me, in the call that returns to pc. Of what is freed already: a finding. */
void x_freed_add(uintptr_t at, size_t bytes, const char *what, uintptr_t pc);
void x_freed_check(uintptr_t at, size_t bytes);
/* What begins here was got by x.me, in the call that returns to pc. */
void x_freed_made(uintptr_t at, uintptr_t pc);
/* Perhaps. */
static inline bool x_freed_near(uintptr_t at, size_t bytes)
{
	return x_freed_pages && ((x_freed_pages >> (at >> 12) % 64 |
				  x_freed_pages >> ((at + bytes - 1) >> 12) % 64) &
				 1);
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
static inline void x_shared_add(uintptr_t at, size_t bytes)
{
	uintptr_t halves = at & 4 ? 2 : bytes > 4 ? 3 : 1;

	if ((*x_shared_slot(at & ~7ul) & halves) != halves || unlikely((at & 4) && bytes > 4))
		x_shared_new(at, bytes);
}

/* ---- race.c */
#define X_LOADS	     4u
#define X_WORD_SLOTS 16384u
#define X_SEVERAL    255u /* actors */
struct x_access {
	uintptr_t pc;
	uint16_t epoch;
	uint8_t actor, bytes; /* a bit for each byte of the word; zero: no access */
};
struct x_word {
	uintptr_t at;
	uint32_t round;
	uint32_t next_load;
	uint8_t by; /* the actor that made all accesses; X_SEVERAL: there is not one */
	struct x_access store, load[X_LOADS];
} __attribute__((aligned(128)));
extern struct x_word *x_words;
extern uint32_t x_round; /* execution; slots of another one are free */
static inline void x_race_new(struct x_word *w)
{
	w->round = x_round;
	w->next_load = 0;
	w->store.bytes = 0;
	w->by = x.me->id;
}
static inline bool x_races(const struct x_access *before, unsigned bytes)
{
	return (before->bytes & bytes) && before->actor != x.me->id &&
	       before->epoch > x.me->vc[before->actor];
}
/*
 * Most accesses are of a word that this actor has accessed before, and race with nobody: they are
 * noted here, in few instructions. False: x_race_access() is to look.
 */
static inline __attribute__((always_inline)) bool x_race_not(uintptr_t at, unsigned bytes,
							     bool write, uintptr_t pc)
{
	struct x_word *w = &x_words[x_hash(at & ~7ul) % X_WORD_SLOTS];
	unsigned id = x.me->id, bits = (0xffu >> (8 - bytes)) << (at & 7);
	struct x_access *a = write ? &w->store : &w->load[0];

	if (w->at != (at & ~7ul) || bits > 0xff)
		return false;
	if (w->round != x_round)
		x_race_new(w);
	if (w->by != id && (write || x_races(&w->store, bits)))
		return false;
	if (w->by != id)
		w->by = X_SEVERAL;
	if (w->store.bytes == bits && w->store.epoch == x.me->vc[id] && w->store.actor == id)
		return true; /* and nobody else has had a turn since */
	if (!write && !w->next_load)
		w->next_load = 1;
	else if (!write && !(a->bytes == bits && a->actor == id) &&
		 !(w->next_load > 1 && (++a)->bytes == bits && a->actor == id))
		return false;
	*a = (struct x_access){pc, x.me->vc[id], (uint8_t)id, (uint8_t)bits};
	return true;
}
bool x_race_init(void);
void x_race_reset(void);
void x_race_access(uintptr_t at, size_t bytes, bool write, uintptr_t pc);
void x_race_sync(struct x_actor *a, const struct x_op *op);
void x_race_join(struct x_actor *to, const uint16_t *from);
void x_race_print(void);
void x_race_print_intended(void);

#endif
