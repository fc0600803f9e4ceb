/* SPDX-License-Identifier: MIT */
/*
 * What noted.c knows of each word, for who asks whether an event can go alone (alone.c).
 */
#ifndef TESTS_EXPLORE_NOTED_H
#define TESTS_EXPLORE_NOTED_H

#include "tests/explore/internal.h"

/* In which way a word is touched. READ_TAKES: by who waits until it has changed. */
enum { X_READS, X_READ_TAKES, X_WRITES, X_TAKES, X_GIVES, X_SHARES, X_WAYS };

/* Once: in which way, which bytes of the word (a bit each), under which locks, and under which of
 * them without readers. */
struct x_access {
	unsigned way;
	uint8_t bytes;
	uint64_t any, alone;
};

struct x_noted; /* a word */

/* The word of this place; NULL: it is none, or there is no room. */
struct x_noted *x_noted_word(const struct x_place *p);
/* In which way an event with this place touches the word: X_READS … X_SHARES. */
unsigned x_way_of(const struct x_place *p);
/* What `a` does there with his next event, or with the one that he makes now. */
struct x_access x_access_of(const struct x_actor *a, const struct x_place *p);
/* Event `nth` of actor `id` will touch this place as the next one of `a` would. */
void x_note_place(const struct x_place *p, const struct x_actor *a, unsigned id, unsigned nth);
/* Is another one than `id` known to touch a place of several words that meets this one? */
bool x_meets_wider(const struct x_noted *w, unsigned id);
/* Those who are known to compete with this access from now on. */
uint16_t x_competitors(const struct x_noted *w, const struct x_access *it);
/* Those who are known to touch thread `id` from now on so that it wakes. */
uint16_t x_wakers(unsigned id);
/* The bytes that actor `id` is known to touch in this way. */
uint8_t x_noted_bytes(const struct x_noted *w, unsigned id, unsigned way);
/* The handlers of this CPU are known to do nothing but flush its TLB. */
bool x_flushes_only(unsigned cpu);

/* From now on it is relied on: if it turns out that one of `others` does compete with what actor
 * `id` does there in this way, or wakes the thread, or that a handler of the CPU does more than
 * flush, the exploration begins again. */
void x_rely(struct x_noted *w, unsigned way, unsigned id, uint16_t others);
void x_rely_asleep(unsigned thread, uint16_t others);
void x_rely_flush(unsigned cpu);

/* ---- actors.c */
/* Where the interrupt that begins next counts that it is over; NULL: nobody waits for it. */
const uint32_t *x_irq_first(unsigned cpu);
/* One that has not begun on this CPU will be counted there. */
bool x_irq_to_answer(unsigned cpu, const uint32_t *pending);

#endif
