/* SPDX-License-Identifier: MIT */
/*
 * Races: two plain accesses of one place by two actors, one of them a store, with nothing in
 * between that orders them.
 *
 * Each actor has a vector clock of its own for this, which only synchronisation moves: a store of
 * an atomic or a release of a lock leaves the clock of its maker at that place, a load or an
 * acquisition takes it up. (The clocks of dpor.c order more: there two stores of one atomic are
 * ordered as well, which synchronises nothing.) Behind each word of memory stand the last store and
 * the last loads, as "event n of actor a" (an epoch: Flanagan, Freund, "FastTrack", 2009), and
 * where in the code they were.
 *
 * A race is no finding: the execution goes on, and what raced is listed.
 */
#include "tests/explore/internal.h"

#define SYNC_SLOTS     2048u
#define WORD_SLOTS     16384u
#define LISTED	       32u
#define LOADS	       4u
#define PROBES	       32u
#define INTENDED_LINES 3u /* that a mark is for, its own included */

struct sync {
	uintptr_t at;
	uint32_t round;
	uint16_t vc[X_ACTORS];
};
struct access {
	uintptr_t pc;
	uint16_t epoch;
	uint8_t actor, bytes; /* a bit for each byte of the word; zero: no access */
};
struct word {
	uintptr_t at;
	uint32_t round;
	uint32_t next_load;
	struct access store, load[LOADS];
};

static struct sync *syncs;
static struct word *words_seen;
static uint32_t round_now; /* execution; slots of another one are free */
static struct {
	uintptr_t a, b;
	bool a_stores, b_stores;
	bool meant; /* INTENDED_RACE() */
} listed[LISTED];
static unsigned nr_listed;
static uint64_t intended_seen; /* a bit a mark; zero: none has raced */

bool x_race_init(void)
{
	if (!syncs)
		syncs = machine_memory(SYNC_SLOTS * sizeof(*syncs));
	if (!words_seen)
		words_seen = machine_memory(WORD_SLOTS * sizeof(*words_seen));
	nr_listed = 0;
	return syncs && words_seen;
}

void x_race_reset(void)
{
	round_now++;
}

static struct sync *find_sync(uintptr_t at, bool make)
{
	unsigned i = x_hash(at) % SYNC_SLOTS;

	for (unsigned n = 0; n < PROBES; n++, i = (i + 1) & (SYNC_SLOTS - 1)) {
		struct sync *s = &syncs[i];

		if (s->round == round_now && s->at == at)
			return s;
		if (s->round == round_now)
			continue;
		if (!make)
			return NULL;
		s->at = at;
		s->round = round_now;
		memset(s->vc, 0, sizeof(s->vc));
		return s;
	}
	return NULL;
}

void x_race_sync(struct x_actor *a, const struct x_op *op)
{
	for (unsigned i = 0; i < op->nr; i++) {
		const struct x_place *p = &op->place[i];
		bool stores = p->how & (X_WRITE | X_GIVE | X_SHARED);
		bool loads = !(p->how & X_WRITE) || op->kind != X_STORE;
		struct sync *s = find_sync(p->at, stores);

		if (s && loads)
			x_clock_join(a->vc, s->vc);
		if (s && stores)
			x_clock_join(s->vc, a->vc);
	}
	a->vc[x_id(a)]++;
}

void x_race_join(struct x_actor *to, const uint16_t *from)
{
	x_clock_join(to->vc, from);
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

static void list_race(const struct access *before, bool before_stores, uintptr_t pc, bool stores)
{
	for (unsigned i = 0; i < nr_listed; i++)
		if (listed[i].a == before->pc && listed[i].b == pc)
			return;
	if (nr_listed == LISTED)
		return;
	listed[nr_listed].a = before->pc;
	listed[nr_listed].a_stores = before_stores;
	listed[nr_listed].b = pc;
	listed[nr_listed].b_stores = stores;
	listed[nr_listed].meant = is_intended(before->pc, pc);
	x.result->races += !listed[nr_listed++].meant;
}

static struct word *find_further(uintptr_t at, unsigned i)
{
	for (unsigned n = 0; n < PROBES; n++, i = (i + 1) & (WORD_SLOTS - 1)) {
		struct word *w = &words_seen[i];

		if (w->round == round_now && w->at == at)
			return w;
		if (w->round == round_now)
			continue;
		w->at = at;
		w->round = round_now;
		w->next_load = 0;
		w->store.bytes = 0;
		for (unsigned k = 0; k < LOADS; k++)
			w->load[k].bytes = 0;
		return w;
	}
	return NULL;
}

static inline struct word *find_word(uintptr_t at)
{
	unsigned i = x_hash(at) % WORD_SLOTS;
	struct word *w = &words_seen[i];

	return w->at == at && w->round == round_now ? w : find_further(at, i);
}

static inline bool races(const struct access *before, unsigned bytes, unsigned id)
{
	return (before->bytes & bytes) && before->actor != id &&
	       before->epoch > x.me->vc[before->actor];
}

/* Where a load by this actor is kept: in place of one of the same bytes, else of the oldest. */
static inline struct access *place_of_load(struct word *w, unsigned bytes, unsigned id)
{
	for (unsigned i = 0; i < LOADS && i < w->next_load; i++)
		if (w->load[i].actor == id && w->load[i].bytes == bytes)
			return &w->load[i];
	return &w->load[w->next_load++ % LOADS];
}

static inline __attribute__((always_inline)) void access_word(uintptr_t at, unsigned bytes,
							      bool write, uintptr_t pc)
{
	struct word *w = find_word(at);
	unsigned id = x_id(x.me);
	struct access now = {pc, x.me->vc[id], (uint8_t)id, (uint8_t)bytes};

	if (!w)
		return;
	/* Nobody else has had a turn since the last look at this store: nothing can have raced. */
	if (w->store.actor == id && w->store.epoch == now.epoch && w->store.bytes == bytes)
		return;
	if (races(&w->store, bytes, id))
		list_race(&w->store, true, pc, write);
	if (!write) {
		*place_of_load(w, bytes, id) = now;
		return;
	}
	for (unsigned i = 0; i < LOADS && i < w->next_load; i++)
		if (races(&w->load[i], bytes, id))
			list_race(&w->load[i], false, pc, true);
	w->store = now;
}

void x_race_access(uintptr_t at, size_t bytes, bool write, uintptr_t pc)
{
	uintptr_t end = at + bytes;

	if ((at & 7) + bytes <= 8) {
		access_word(at & ~7ul, (0xffu >> (8 - bytes)) << (at & 7), write, pc);
		return;
	}
	if (bytes > 256) /* a page that is cleared or copied: nobody shares it yet */
		return;
	for (uintptr_t word = ALIGN_DOWN(at, 8); word < end; word += 8) {
		unsigned from = word < at ? (unsigned)(at - word) : 0;
		unsigned to = end - word < 8 ? (unsigned)(end - word) : 8;

		access_word(word, (0xffu >> (8 - (to - from))) << from, write, pc);
	}
}

void x_race_print(void)
{
	char a[120], b[120];

	for (unsigned i = 0; i < nr_listed; i++)
		if (!listed[i].meant)
			kprintf("  race: a %s in %s\n        and a %s in %s, in no order\n",
				listed[i].a_stores ? "store" : "load",
				ksym_describe(listed[i].a, true, a, sizeof(a)),
				listed[i].b_stores ? "store" : "load",
				ksym_describe(listed[i].b, true, b, sizeof(b)));
}
