/* SPDX-License-Identifier: MIT */
/* Cases of every mapping of device memory; see daxcases.h. */
#include "tests/kernel/lib/daxcases.h"

#define SECTOR 66560u /* the first one used here */
#define TEXT   "the quick brown fox "
#define LEN    (sizeof(TEXT) - 1)

static int move(struct block_device *d, enum dio_dir dir, uint64_t va)
{
	return dio_run(&(struct dio_request){
		.disk = d, .dir = dir, .sector = SECTOR, .addr = va, .len = PAGE_SIZE});
}

static void fill(uint64_t va)
{
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		at(va)[i] = TEXT[i % LEN];
}

static bool filled(uint64_t va)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < PAGE_SIZE; i++)
		wrong += at(va)[i] != TEXT[i % LEN];
	return !wrong;
}

/* An address that was never touched is written to the disk; what comes back goes to one that was
 * only read. */
static const char *case_0(const struct dax_case *c, struct block_device *d, uint64_t va)
{
	volatile char was = at(va + c->align)[7];

	if (move(d, DIO_WRITE, va))
		return "direct write from an untouched address";
	if (move(d, DIO_READ, va + c->align))
		return "direct read into a page that was only read";
	for (unsigned i = 0; i < PAGE_SIZE; i++)
		if (at(va + c->align)[i] != at(va)[i])
			return "a page that was only read does not get what was written";
	return was == at(va)[7] ? NULL : "the two pages were alike before";
}

static const char *case_1(const struct dax_case *c, struct block_device *d, uint64_t va)
{
	uint64_t memory = 0;
	const char *wrong = NULL;

	(void)c;
	if (mm_map_anon(current_mm(), &memory, PAGE_SIZE, true))
		return "no memory";
	fill(va);
	if (move(d, DIO_WRITE, va) || move(d, DIO_READ, memory))
		wrong = "text to the disk and back into memory";
	else if (!filled(memory))
		wrong = "memory does not hold the text";
	mm_unmap(current_mm(), memory, PAGE_SIZE);
	return wrong;
}

/* The child's view, as if by a thread of it. */
static bool child_sees(uint64_t va)
{
	struct mm *self = current_mm(), *child = mm_fork(self, "child");
	bool sees;

	if (!child)
		return false;
	mm_get(self);
	mm_use(child);
	sees = filled(va);
	mm_use(self);
	mm_put(self);
	mm_put(child);
	return sees;
}

static const char *case_2(const struct dax_case *c, struct block_device *d, uint64_t va)
{
	(void)c, (void)d;
	fill(va);
	return child_sees(va) && filled(va) ? NULL : "a child does not see the text";
}

static const char *case_3(const struct dax_case *c, struct block_device *d, uint64_t va)
{
	volatile char was = at(va)[0];

	(void)c, (void)d;
	at(va)[1] = 'w';
	return at(va)[0] == was && at(va)[1] == 'w' ? NULL : "a page that was read, then stored to";
}

static const char *case_4(const struct dax_case *c, struct block_device *d, uint64_t va)
{
	(void)c;
	if (move(d, DIO_READ, va))
		return "direct read into an untouched address";
	return filled(va) ? NULL : "an untouched page does not get what the disk has";
}

const char *dax_direct_io(const struct dax_case *c, struct block_device *disk)
{
	static const char *(*const cases[])(const struct dax_case *, struct block_device *,
					    uint64_t) = {case_1, case_0, case_2, case_3, case_4};
	const char *wrong = NULL;

	/* Case 1 first: it leaves the text on the disk and in the first page, for the others. */
	for (unsigned i = 0; i < ARRAY_SIZE(cases) && !wrong; i++) {
		uint64_t va = c->map(c->arg, 2 * c->align);

		if (!va)
			return refusal();
		if (i == 1)
			at(va + c->align)[7] = TEXT[7];
		mm_unmap(current_mm(), va, 2 * c->align);
		va = c->map(c->arg, 2 * c->align);
		if (!va)
			return refusal();
		wrong = cases[i](c, disk, va);
		mm_unmap(current_mm(), va, 2 * c->align);
		if (!wrong && !c->at_rest(c->arg))
			wrong = "references are left";
	}
	return wrong;
}

const char *dax_moved(const struct dax_case *c)
{
	uint64_t va = c->map(c->arg, 2 * c->align), memory = 0, to, v = 0;
	const bool works = c->align == PAGE_SIZE || c->pieces;
	const char *wrong = NULL;
	int err, load;

	if (!va)
		return refusal();
	if (mm_map_anon(current_mm(), &memory, 4 * PAGE_SIZE, true))
		return "no memory";
	memset((void *)memory, 'a', 4 * PAGE_SIZE);
	fill(va);
	to = memory;
	err = mm_remap(current_mm(), va, PAGE_SIZE, &to);
	if (!err) {
		load = load_checked((uint64_t *)to, &v);
		if (to != memory)
			wrong = "moved to another place than asked for";
		else if (!works && load != -EFAULT)
			wrong = "a piece of a large page is accessible";
		else if (works && (load || !filled(to)))
			wrong = "the moved page shows other bytes";
		else if (works && store_checked((uint64_t *)to, 5))
			wrong = "the moved page takes no store";
	} else if (works || *at(memory) != 'a') {
		wrong = "refused, or refused with a change";
	}
	mm_unmap(current_mm(), memory, 4 * PAGE_SIZE);
	mm_unmap(current_mm(), va, 2 * c->align);
	return wrong ?: c->at_rest(c->arg) ? wrong : "references are left";
}

static uint64_t next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* One pass over the same places in the order of a seed: stores, or words that are not what was
 * stored last. */
static unsigned pass(uint64_t va, uint64_t bytes, unsigned stores, uint64_t round, bool verify)
{
	uint64_t seed = 2026;
	unsigned wrong = 0;

	for (unsigned i = 0; i < stores; i++) {
		uint64_t off = next(&seed) % (bytes / 8) * 8,
			 want = off * 0x9e3779b97f4a7c15 + round;
		volatile uint64_t *p = (uint64_t *)(va + off);

		if (verify)
			wrong += *p != want;
		else
			*p = want;
	}
	return wrong;
}

const char *dax_verified(const struct dax_case *c, unsigned stores)
{
	const char *wrong = NULL;

	for (uint64_t round = 1; round <= 2 && !wrong; round++) {
		uint64_t va = c->map(c->arg, 2 * c->align);

		if (!va)
			return refusal();
		pass(va, 2 * c->align, stores, round, false);
		if (pass(va, 2 * c->align, stores, round, true))
			wrong = "a word is not what was stored";
		mm_unmap(current_mm(), va, 2 * c->align);
		va = c->map(c->arg, 2 * c->align);
		if (!wrong && (!va || pass(va, 2 * c->align, stores, round, true)))
			wrong = "mapped again, a word is not what was stored";
		if (va)
			mm_unmap(current_mm(), va, 2 * c->align);
	}
	return wrong;
}
