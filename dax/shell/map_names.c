/* SPDX-License-Identifier: MIT */
/*
 * The shell's names of mappings: m1, m2, …
 *
 * A name stands for one range that is mapped from end to end: where a piece is taken out of the
 * middle, what is left behind it gets a name of its own.
 *
 * The lock protects the names and is not held while a mapping comes or goes: with it may go the
 * last user of a file, which in some lifetimes waits for whoever holds a page, and every command
 * that takes a place in a mapping needs the lock. So a change has two halves: names_begin() marks
 * the names of the range, which nobody can use from then on, and sets new ones aside; names_end()
 * cuts or leaves them.
 */
#include <ctype.h>

#include "dax/shell/internal.h"

#define MAX_MAPS 32

static struct name {
	bool used;
	const struct thread *going; /* its unmap or remap is on its way; NULL: none */
	uint64_t start, pages;
	char what[MAP_NAME_WHAT];
} maps[MAX_MAPS];
static unsigned reserved; /* free names that are set aside; zero: none */
static struct mutex maps_lock = MUTEX_INIT_GLOBAL("shell mappings");

static uint64_t end_of(const struct name *m)
{
	return m->start + (m->pages << PAGE_SHIFT);
}

static bool overlaps(const struct name *m, uint64_t start, uint64_t end)
{
	return m->used && m->start < end && end_of(m) > start;
}

/* maps_lock held. */
static int find_place(uint64_t n, uint64_t off, uint64_t *addr, uint64_t *left)
{
	const struct name *m = n && n <= MAX_MAPS ? &maps[n - 1] : NULL;

	if (!m || !m->used)
		return shell_fail(-ENOENT, "there is no mapping m%lu; 'map' lists them", n);
	if (m->going)
		return shell_fail(-EBUSY, "m%lu is being unmapped or moved; see 'ps'", n);
	if (off >= m->pages << PAGE_SHIFT)
		return shell_fail(-EINVAL, "offset 0x%lx is beyond m%lu, which has %lu page(s)",
				  off, n, m->pages);
	*addr = m->start + off;
	*left = (m->pages << PAGE_SHIFT) - off;
	return 0;
}

int dax_parse_place(const char *word, uint64_t *addr, uint64_t *left)
{
	uint64_t n = 0, off = 0;
	const char *p = word + 1;
	int err;

	while (word[0] == 'm' && isdigit((unsigned char)*p) && n < MAX_MAPS)
		n = n * 10 + (*p++ - '0');
	if (word[0] != 'm' || p == word + 1 || (*p && *p != '+'))
		return shell_fail(-EINVAL,
				  "'%s' is no place in a mapping; write m1 or m1+OFFSET "
				  "('map' lists them)",
				  word);
	if (*p == '+') {
		err = shell_number("offset", p + 1, &off);
		if (err)
			return err;
	}
	mutex_lock(&maps_lock);
	err = find_place(n, off, addr, left);
	mutex_unlock(&maps_lock);
	return err;
}

static void print_name(const struct name *m)
{
	char name[8];
	const char *state;

	snprintf(name, sizeof(name), "m%u", (unsigned)(m - maps) + 1);
	state = m->going || !current_mm() ? NULL : dax_direct_state(current_mm(), m->start, name);
	kprintf("%s: %s at 0x%lx, %lu page(s)%s%s%s\n", name, m->what, m->start, m->pages,
		m->going ? ", being unmapped or moved" : "", state ? ", " : "", state ? state : "");
}

int names_list(void)
{
	bool any = false;

	for (const struct name *m = maps; m < maps + MAX_MAPS; m++) {
		if (!m->used)
			continue;
		any = true;
		print_name(m);
	}
	if (!any)
		kprintf("nothing is mapped; try: map /t/f\n");
	return 0;
}

/* maps_lock held. */
static int reserve(unsigned nr)
{
	unsigned free = 0;

	for (unsigned i = 0; i < MAX_MAPS; i++)
		free += !maps[i].used;
	if (free < reserved + nr)
		return nr == 1 ? refuse(-ENOSPC, "all %u names are in use; 'unmap' one", MAX_MAPS)
			       : refuse(-ENOSPC,
					"up to %u of the %u names are needed; 'unmap' some", nr,
					MAX_MAPS);
	reserved += nr;
	return 0;
}

int names_reserve(unsigned nr)
{
	int err;

	mutex_lock(&maps_lock);
	err = reserve(nr);
	mutex_unlock(&maps_lock);
	return err;
}

/* One was set aside. maps_lock held. */
static void new_name(uint64_t start, uint64_t pages, const char *what, const struct thread *going)
{
	struct name *m = maps;

	while (m->used)
		m++;
	*m = (struct name){.used = true, .start = start, .pages = pages};
	snprintf(m->what, sizeof(m->what), "%s", what);
	print_name(m);
	m->going = going;
}

void names_add(uint64_t start, uint64_t pages, const char *what)
{
	mutex_lock(&maps_lock);
	if (what)
		new_name(start, pages, what, NULL);
	reserved--;
	mutex_unlock(&maps_lock);
}

int dax_name_mapping(const char *what, uint64_t addr)
{
	struct mm *mm = current_mm();
	uint64_t pages;
	int err;

	down_read(&mm->mmap_lock);
	pages = (mm_find_vma(mm, addr)->end - addr) >> PAGE_SHIFT;
	up_read(&mm->mmap_lock);
	err = names_reserve(1);
	if (err)
		mm_unmap(mm, addr, pages << PAGE_SHIFT);
	else
		names_add(addr, pages, what);
	return err;
}

/* ---- a range goes, or moves ----------------------------------------------------------------- */

/* -EBUSY: a name of the range is going already. maps_lock held. */
static int check_cut(const struct names_cut *c)
{
	for (unsigned i = 0; i < MAX_MAPS; i++)
		for (unsigned r = 0; r < c->nr; r++)
			if (maps[i].going && overlaps(&maps[i], c->start[r], c->start[r] + c->len))
				return refuse(-EBUSY, "m%u is being unmapped or moved; see 'ps'",
					      i + 1);
	return 0;
}

/* The name around the first page of the range, in c->what. maps_lock held. */
static int note_what(struct names_cut *c)
{
	for (unsigned i = 0; i < MAX_MAPS; i++)
		if (overlaps(&maps[i], c->start[0], c->start[0] + PAGE_SIZE)) {
			snprintf(c->what, sizeof(c->what), "%s", maps[i].what);
			return 0;
		}
	return refuse(-ENOENT, "the mapping is gone");
}

/* Is the range inside one name, with something left on both sides? That something needs a name. */
static bool needs_name(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < MAX_MAPS; i++)
		if (maps[i].used && maps[i].start < start && end_of(&maps[i]) > end)
			return true;
	return false;
}

int names_begin(struct names_cut *c)
{
	int err;

	mutex_lock(&maps_lock);
	err = check_cut(c);
	if (!err)
		err = note_what(c);
	/* Moving: behind either cut, and for the piece. */
	c->reserved = c->moves ? 3 : needs_name(c->start[0], c->start[0] + c->len);
	if (!err)
		err = reserve(c->reserved);
	for (unsigned i = 0; i < MAX_MAPS && !err; i++)
		for (unsigned r = 0; r < c->nr; r++)
			if (overlaps(&maps[i], c->start[r], c->start[r] + c->len))
				maps[i].going = current_thread();
	mutex_unlock(&maps_lock);
	return err;
}

/* [start, end) does not belong to `m` any more. maps_lock held. */
static void cut_name(struct name *m, uint64_t start, uint64_t end)
{
	uint64_t first = m->start, last = end_of(m);

	if (first < start) {
		m->pages = (start - first) >> PAGE_SHIFT;
		if (end < last)
			new_name(end, (last - end) >> PAGE_SHIFT, m->what, m->going);
	} else if (end < last) {
		m->start = end;
		m->pages = (last - end) >> PAGE_SHIFT;
		m->going = NULL;
		print_name(m);
		m->going = current_thread();
	} else {
		m->used = false;
	}
}

void names_end(const struct names_cut *c, bool gone, uint64_t moved_to)
{
	const struct thread *me = current_thread();

	mutex_lock(&maps_lock);
	for (unsigned r = 0; r < c->nr && gone; r++)
		for (unsigned i = 0; i < MAX_MAPS; i++)
			if (maps[i].going == me &&
			    overlaps(&maps[i], c->start[r], c->start[r] + c->len))
				cut_name(&maps[i], c->start[r], c->start[r] + c->len);
	for (unsigned i = 0; i < MAX_MAPS; i++)
		if (maps[i].going == me)
			maps[i].going = NULL;
	if (gone && c->moves)
		new_name(moved_to, c->len >> PAGE_SHIFT, c->what, NULL);
	reserved -= c->reserved;
	mutex_unlock(&maps_lock);
}

/* ---- what a self-test can leave behind (kernel/selftest/selftest_leaks.c) */

static int64_t count_names(void)
{
	int64_t n = 0;

	mutex_lock(&maps_lock);
	for (unsigned i = 0; i < MAX_MAPS; i++)
		n += maps[i].used;
	mutex_unlock(&maps_lock);
	return n;
}

/* Behind the mappings themselves: nothing is mapped any more. */
static void forget_mappings(int64_t before)
{
	mutex_lock(&maps_lock);
	for (unsigned i = 0; i < MAX_MAPS && !before; i++)
		maps[i].used = maps[i].used && maps[i].going;
	mutex_unlock(&maps_lock);
}
SELFTEST_LEAVES(names, "name(s) of mappings", LEAVES_FILES, count_names, forget_mappings);

static void offer_names(struct shell_offers *o)
{
	char name[12];

	mutex_lock(&maps_lock);
	for (unsigned i = 0; i < MAX_MAPS; i++) {
		snprintf(name, sizeof(name), "m%u", i + 1);
		if (maps[i].used && !maps[i].going)
			shell_offer(o, name);
	}
	mutex_unlock(&maps_lock);
}
SHELL_KIND(mapping, "MAPPING", NULL, offer_names);
SHELL_KIND(place, "PLACE", NULL, offer_names);
