/* SPDX-License-Identifier: MIT */
/*
 * Races: two plain accesses of one place by two actors, one of them a store, with nothing in
 * between that orders them.
 *
 * Each actor has a vector clock of its own for this, which only synchronisation moves (sync.c).
 * Behind each word of memory stand the last store and
 * the last loads, as "event n of actor a" (an epoch: Flanagan, Freund, "FastTrack", 2009), and
 * where in the code they were.
 *
 * That is kept of words alone which several actors access, one of them by a store. Which these are
 * turns out: the execution that shows it of a word is run once more, as what came before in it was
 * not kept; in all executions before it the word raced with nobody (plain.h).
 *
 * A race is no finding: the execution goes on, and what raced is listed.
 *
 * With mixed=1 a plain access races with an atomic one as well, as in C. Else it does not: where
 * others access a word atomically each access is an event, and the order of events is gone through.
 */
#include "tests/explore/internal.h"

#define WORD_SLOTS     16384u
#define LOADS	       4u
#define SEVERAL	       255u /* actors */
#define LISTED	       32u
#define PROBES	       32u
#define INTENDED_LINES 3u /* that a mark is for, its own included */

struct access {
	uint32_t pc; /* its low half: pc_of() */
	uint16_t epoch;
	uint16_t who; /* WHO(): the actor and what of the word; zero: no access */
};
#define WHO(actor, atomic, bytes) ((uint16_t)((actor) | (atomic) << 7 | (bytes) << 8))
#define ACTOR(a)		  ((a)->who & 0x7fu)
#define ATOMIC			  0x80u
#define BYTES			  0xff00u /* a bit for each byte of the word */
static struct word {
	uintptr_t at;
	uint32_t round;	    /* free, if it is another execution's */
	uint32_t stamp;	    /* x_stamp, when it was written last */
	uint32_t next_load; /* what follows is undefined, when it is free */
	uint8_t by;	    /* the actor that made all accesses; SEVERAL: there is not one */
	struct access store, load[LOADS];
} __attribute__((aligned(64))) * words;
static uint32_t round; /* the number of the execution */
uint64_t x_known[X_KNOWN_SLOTS];
static struct {
	uintptr_t a, b;
	bool a_stores, b_stores;
	bool a_atomic, b_atomic;
	bool meant; /* INTENDED_RACE() */
} listed[LISTED];
static unsigned nr_listed;
static uint64_t intended_seen; /* a bit a mark; zero: none has raced */

bool x_race_init(void)
{
	if (!words)
		words = machine_memory(WORD_SLOTS * sizeof(*words));
	nr_listed = 0;
	return words;
}

void x_race_reset(void)
{
	round++;
	x_stamp++;
}

void x_known_reset(void)
{
	memset(x_known, 0, sizeof(x_known));
}

/* x_log() of the beginning of a word in the table above: so many words of memory. */
static inline __attribute__((always_inline)) void keep(const struct word *w, unsigned n)
{
	uint64_t *to = x_log_words + x_log_used;

	if (unlikely(x_log_used + n + 2 > X_LOG_WORDS))
		x_log_is_full();
	__builtin_memcpy(to, w, n * 8);
	to[n] = (uintptr_t)w;
	to[n + 1] = n;
	x_log_used += n + 2;
}

extern const struct intended_race __start_hf_intended[], __stop_hf_intended[];

/* The mark that says of this access that it may race; NULL: there is none. */
static const struct intended_race *mark_of(uintptr_t pc)
{
	unsigned line = 0;
	const char *file = ksym_line(pc - 1, &line);

	for (const struct intended_race *r = __start_hf_intended; file && r < __stop_hf_intended;
	     r++)
		if (line - r->line < INTENDED_LINES && !strcmp(file, r->file))
			return r;
	return NULL;
}

/* Has a race of this mark been seen since boot? */
static bool was_seen(const struct intended_race *r)
{
	return intended_seen >> (r - __start_hf_intended) % 64 & 1;
}

void x_race_print_intended(void)
{
	const struct intended_race *r = __start_hf_intended;

	if (r == __stop_hf_intended)
		kprintf("no access is marked as one that may race (INTENDED_RACE)\n");
	for (; r < __stop_hf_intended; r++)
		kprintf("%s:%u  %s (%s)\n", r->file, r->line, r->reason,
			was_seen(r) ? "seen to race" : "not seen to race since boot");
}

/* A race that both, or one, of its accesses is marked for is none that is listed. */
static bool is_intended(uintptr_t a, uintptr_t b)
{
	const struct intended_race *r = mark_of(a);

	if (!r)
		r = mark_of(b);
	if (r)
		intended_seen |= 1ull << (r - __start_hf_intended) % 64;
	return r != NULL;
}

/* All code lies in the same 4 GiB. */
static uintptr_t pc_of(const struct access *a)
{
	return ((uintptr_t)x_race_access & ~(uintptr_t)UINT32_MAX) | a->pc;
}

static void list_race(const struct access *before, bool before_stores, const struct access *now,
		      bool stores)
{
	uintptr_t pc = pc_of(now);
	uint8_t live = x_live; /* what looks lines up is not to be seen */

	for (unsigned i = 0; i < nr_listed; i++)
		if ((listed[i].a == pc_of(before) && listed[i].b == pc) ||
		    (x.opt.mixed && listed[i].a == pc && listed[i].b == pc_of(before)))
			return;
	if (nr_listed == LISTED)
		return;
	listed[nr_listed].a = pc_of(before);
	listed[nr_listed].a_stores = before_stores;
	listed[nr_listed].a_atomic = before->who & ATOMIC;
	listed[nr_listed].b = pc;
	listed[nr_listed].b_stores = stores;
	listed[nr_listed].b_atomic = now->who & ATOMIC;
	x_live = false;
	listed[nr_listed].meant = is_intended(pc_of(before), pc);
	x_live = live;
	x.result->races += !listed[nr_listed++].meant;
}

/* A word is written for the first time behind a moment, */
static inline void keep_again(struct word *w)
{
	keep(w, sizeof(*w) / 8);
	w->stamp = x_stamp;
}

/* or in an execution. */
static void keep_new(struct word *w)
{
	keep(w, offsetof(struct word, next_load) / 8);
	w->stamp = x_stamp;
	w->round = round;
	w->next_load = 0;
	w->store.who = 0;
	w->by = x.me->id;
}

static struct word *find_further(uintptr_t at, unsigned i)
{
	for (unsigned n = 0; n < PROBES; n++, i = (i + 1) & (WORD_SLOTS - 1)) {
		struct word *w = &words[i];

		if (w->round == round && w->at == at)
			return w;
		if (w->round == round)
			continue;
		keep_new(w);
		w->at = at;
		return w;
	}
	return NULL;
}

static inline struct word *find_word(uintptr_t at)
{
	unsigned i = x_hash(at) % WORD_SLOTS;
	struct word *w = &words[i];

	if (w->at != at || w->round != round)
		w = find_further(at, i);
	if (w && w->stamp != x_stamp)
		keep_again(w);
	return w;
}

/* Where a load by this actor is kept: in place of one of the same bytes, else of the oldest. */
static inline struct access *place_of_load(struct word *w, const struct access *now)
{
	for (unsigned i = 0; i < LOADS && i < w->next_load; i++)
		if (w->load[i].who == now->who)
			return &w->load[i];
	return &w->load[w->next_load++ % LOADS];
}

static inline bool races(const struct access *before, const struct access *now)
{
	return (before->who & now->who & BYTES) && ACTOR(before) != x.me->id &&
	       before->epoch > x.me->vc[ACTOR(before)] && !(before->who & now->who & ATOMIC);
}

/* The access competes with those that other actors made before: is there one in no order? */
static inline bool races_there(const struct word *w, const struct access *now, bool write)
{
	if (races(&w->store, now))
		return true;
	for (unsigned i = 0; write && i < LOADS && i < w->next_load; i++)
		if (races(&w->load[i], now))
			return true;
	return false;
}

static __attribute__((noinline)) void list_races(const struct word *w, const struct access *now,
						 bool write)
{
	if (races(&w->store, now))
		list_race(&w->store, true, now, write);
	for (unsigned i = 0; write && i < LOADS && i < w->next_load; i++)
		if (races(&w->load[i], now))
			list_race(&w->load[i], false, now, true);
}

/* What is known of this word, or where it will be; NULL: there is no room. */
static inline uint64_t *find_known(uintptr_t at)
{
	unsigned i = x_hash(at) % X_KNOWN_SLOTS;

	for (unsigned n = 0; n < PROBES; n++, i = (i + 1) % X_KNOWN_SLOTS)
		if (!x_known[i] || ((x_known[i] ^ at) & (X_TAG(1) - 8)) == 0)
			return &x_known[i];
	return NULL;
}

void x_known_mixed(uintptr_t word)
{
	uint64_t *known = find_known(word);

	if (known)
		*known = word ^ X_MIXED;
}

/*
 * This access is noted in what is known of its word. True: the word is to be watched. If it was not
 * up to now, what came before in this execution was not noted, and the same order is run again.
 */
static inline bool is_watched(uintptr_t at, bool write)
{
	uint64_t *known = find_known(at), mine = at ^ x.me->tag;

	if (!known || *known == (at ^ X_WATCHED) || *known == (at ^ X_MIXED))
		return true;
	if (!*known || (*known | 1) == (mine | 1)) {
		*known = mine | (*known & 1) | write;
		return false;
	}
	if (!write && !(*known & 1)) {
		*known = at ^ X_LOADED;
		return false;
	}
	*known = at ^ X_WATCHED;
	x.again = true;
	return true;
}

/* Nobody else has had a turn since the last look at this store: nothing can have raced. */
static inline bool was_noted(const struct word *w, const struct access *now)
{
	return !((w->store.who ^ now->who) & ~ATOMIC) && w->store.epoch == now->epoch;
}

static inline void put(struct word *w, struct access now, bool write)
{
	if (write)
		w->store = now;
	else
		*place_of_load(w, &now) = now;
}

static __attribute__((noinline)) void note(uintptr_t at, struct access now, bool write)
{
	struct word *w = find_word(at);

	if (unlikely(!w) || was_noted(w, &now))
		return;
	if (w->by != ACTOR(&now)) {
		w->by = SEVERAL;
		list_races(w, &now, write);
	}
	put(w, now, write);
}

static inline struct access access_now(unsigned bytes, bool atomic, uintptr_t pc)
{
	unsigned id = x.me->id;

	return (struct access){(uint32_t)pc, x.me->vc[id], WHO(id, atomic, bytes)};
}

/* Mostly the word is found at once, and nothing races: then without a call. */
void x_race_watched(uintptr_t at, unsigned bytes, bool write, uintptr_t pc)
{
	struct access now = access_now(bytes, false, pc);
	struct word *w = &words[x_hash(at) % WORD_SLOTS];

	if (unlikely(w->at != at || w->round != round)) {
		note(at, now, write);
		return;
	}
	if (unlikely(w->stamp != x_stamp))
		keep_again(w);
	if (was_noted(w, &now))
		return;
	if (w->by != ACTOR(&now)) {
		if (unlikely(races_there(w, &now, write))) {
			note(at, now, write);
			return;
		}
		w->by = SEVERAL;
	}
	put(w, now, write);
}

/* One word, or a part of it: `bytes` has a bit for each. */
static inline void access_word(uintptr_t at, unsigned bytes, bool write, bool atomic, uintptr_t pc)
{
	if (is_watched(at, write))
		note(at, access_now(bytes, atomic, pc), write);
}

/* Of the bytes from `at` up to `end` those that lie in this word, a bit each. */
static unsigned bytes_in(uintptr_t word, uintptr_t at, uintptr_t end)
{
	unsigned from = word < at ? (unsigned)(at - word) : 0;
	unsigned to = end - word < 8 ? (unsigned)(end - word) : 8;

	return (0xffu >> (8 - (to - from))) << from;
}

static __attribute__((noinline)) void access_words(uintptr_t at, size_t bytes, bool write,
						   uintptr_t pc)
{
	uintptr_t end = at + bytes;

	for (uintptr_t word = ALIGN_DOWN(at, 8); word < end; word += 8)
		if (!x_races_with_nobody(word, x_known_of(word), write))
			access_word(word, bytes_in(word, at, end), write, false, pc);
}

void x_race_access(uintptr_t at, size_t bytes, bool write, uintptr_t pc)
{
	if (likely((at & 7) + bytes <= 8))
		access_word(at & ~7ul, (0xffu >> (8 - bytes)) << (at & 7), write, false, pc);
	else if (bytes <= 256) /* not a page that is cleared or copied: nobody shares it yet */
		access_words(at, bytes, write, pc);
}

void x_race_mixed(uintptr_t at, size_t bytes, bool write, bool atomic, uintptr_t pc)
{
	if ((at & 7) + bytes <= 8)
		access_word(at & ~7ul, (0xffu >> (8 - bytes)) << (at & 7), write, atomic, pc);
}

static const char *article(bool atomic)
{
	return atomic ? "an atomic" : "a";
}

void x_race_print(void)
{
	char a[120], b[120];

	for (unsigned i = 0; i < nr_listed; i++)
		if (!listed[i].meant)
			kprintf("  race: %s %s in %s\n        and %s %s in %s, in no order\n",
				article(listed[i].a_atomic), listed[i].a_stores ? "store" : "load",
				ksym_describe(listed[i].a, true, a, sizeof(a)),
				article(listed[i].b_atomic), listed[i].b_stores ? "store" : "load",
				ksym_describe(listed[i].b, true, b, sizeof(b)));
}
