/* SPDX-License-Identifier: MIT */
/*
 * Page tables: one walk for every level and every purpose.
 *
 * Kernel memory is mapped once, at boot, in the upper half of kernel_root, and every address space
 * points at the same tables there: all top-level slots that the kernel will ever use exist before
 * the first address space is made, so the upper halves never differ. Tables are installed by
 * compare-exchange and never removed but for a whole address space, with the records of a device
 * that leaves (kernel_drop_tables()), or when a large page takes an
 * empty one's place: a walker needs no lock to find an entry, only to change one.
 */
#include "mm/tables/internal.h"

#define ENTRIES 512

uint64_t kernel_root;
static uint64_t table_frames;

uint64_t virt_to_phys(const void *p)
{
	uint64_t va = (uint64_t)p;

	return va >= KERNEL_BASE ? va - KERNEL_BASE : va - DIRECT_BASE;
}

static unsigned index_of(uint64_t va, unsigned level)
{
	return (va >> (PAGE_SHIFT + 9 * (level - 1))) & (ENTRIES - 1);
}

static uint64_t level_size(unsigned level)
{
	return PAGE_SIZE << (9 * (level - 1));
}

void mm_count_table(int delta)
{
	__atomic_fetch_add(&table_frames, delta, __ATOMIC_RELAXED);
}

uint64_t page_table_frames(void)
{
	return __atomic_load_n(&table_frames, __ATOMIC_RELAXED);
}

/* LAB 03 walk: from the root to the entry of a level; tables are made on the way by two at once */
/* Makes *entry point at a table. If we lose the exchange, another CPU's table is as good as ours.
 */
static bool table_install(uint64_t *entry)
{
	uint64_t none = 0, phys = frame_alloc_zero();

	if (!phys)
		return false;
	/* Zeroes before the pointer (release), else a walker on another CPU reads old bytes. */
	if (__atomic_compare_exchange_n(entry, &none, phys | PTE_P | PTE_W, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		mm_count_table(1);
	else
		frame_free(phys, 0);
	return true;
}

uint64_t *pte_walk(uint64_t root, uint64_t va, unsigned level, bool make, unsigned *at)
{
	uint64_t *table = phys_to_virt(root), *leaf;

	if (at)
		*at = level;
	if (level == 1 && (leaf = pte_leaf(root, va))) /* nearly always, and quickly */
		return leaf;
	for (unsigned l = 4; l > level; l--) {
		uint64_t *entry = &table[index_of(va, l)];
		uint64_t e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);

		if (!(e & PTE_P) && make && table_install(entry))
			e = __atomic_load_n(entry, __ATOMIC_ACQUIRE);
		if (!(e & PTE_P) || (e & PTE_PS)) {
			if (at)
				*at = l;
			return NULL;
		}
		table = phys_to_virt(e & PTE_PHYS);
	}
	return &table[index_of(va, level)];
}
/* END */

/* The largest level whose pages fit: both addresses aligned, enough left, offered by the CPU. */
static unsigned best_level(uint64_t va, uint64_t phys, uint64_t len, unsigned max_level)
{
	unsigned level = MIN(max_level, cpu_features.page1g ? 3u : 2u);

	while (level > 1 && ((va | phys) & (level_size(level) - 1) || len < level_size(level)))
		level--;
	return level;
}

/* Kernel entries are global: only toggling CR4.PGE drops them (SDM vol. 3, 4.10.4.1). */
static void flush_everything(void *unused)
{
	const uint64_t pge = 1ull << 7, cr4 = read_cr4();

	(void)unused;
	if (!(cr4 & pge)) {
		tlb_flush_all_local();
		return;
	}
	write_cr4(cr4 & ~pge);
	write_cr4(cr4);
}

/*
 * The entry that covers va, at the level where the walk ends; *level says which. Above level 1 it
 * is a large page, or absent: a neighbour may be installing a table there right now.
 */
static uint64_t *lowest_entry(uint64_t va, unsigned *level)
{
	uint64_t *pte = pte_walk(kernel_root, va, 1, false, level);

	return pte ? pte : pte_walk(kernel_root, va, *level, false, NULL);
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return (entry & PTE_P) && (level == 1 || (entry & PTE_PS));
}

struct unmapping {
	bool free_frames;
	uint64_t chain;	 /* frames to free, linked through their first word; 0: none */
	uint64_t frames; /* 4K frames that were mapped */
	bool any;	 /* something was mapped, so a TLB may know it */
};

static void clear_leaf(struct unmapping *u, uint64_t *pte, unsigned level)
{
	uint64_t old = __atomic_exchange_n(pte, 0, __ATOMIC_ACQ_REL);

	u->any = true;
	if (level > 1)
		return;
	u->frames++;
	if (u->free_frames) {
		*(uint64_t *)phys_to_virt(old & PTE_PHYS) = u->chain;
		u->chain = old & PTE_PHYS;
	}
}

/* Clears from va to `end`, or to the end of the table that the walk ends in; value: how far. What
 * is absent is stepped over whole: an empty GiB costs one step. */
static uint64_t clear_table(struct unmapping *u, uint64_t va, uint64_t end)
{
	unsigned level;
	uint64_t *pte = lowest_entry(va, &level);
	uint64_t size = level_size(level);
	uint64_t n = ENTRIES - index_of(va, level);

	va = ALIGN_DOWN(va, size);
	for (; n && va < end; n--, pte++, va += size) {
		uint64_t e = __atomic_load_n(pte, __ATOMIC_ACQUIRE);

		if (is_leaf(e, level))
			clear_leaf(u, pte, level);
		else if (e & PTE_P)
			break; /* a table below: the next walk goes there */
	}
	return va;
}

/*
 * Clears, flushes, and only then frees, else another CPU could still write through its TLB into a
 * frame that has a new owner.
 */
uint64_t kernel_unmap(uint64_t va, uint64_t len, bool free_frames)
{
	struct unmapping u = {.free_frames = free_frames};

	for (uint64_t end = va + len; va < end;)
		va = clear_table(&u, va, end);
	if (u.any)
		cpu_call((1u << nr_cpus) - 1, flush_everything, NULL);
	while (u.chain) {
		uint64_t phys = u.chain;

		u.chain = *(uint64_t *)phys_to_virt(phys);
		frame_free(phys, 0);
	}
	return u.frames;
}

bool kernel_is_mapped(uint64_t va, uint64_t len)
{
	for (uint64_t end = va + len; va < end;) {
		unsigned level;
		const uint64_t *pte = lowest_entry(va, &level);
		uint64_t size = level_size(level), n = ENTRIES - index_of(va, level), e = 0;

		va = ALIGN_DOWN(va, size);
		for (; n && va < end && !(e & PTE_P); n--, va += size)
			e = __atomic_load_n(pte++, __ATOMIC_ACQUIRE);
		if (is_leaf(e, level))
			return true;
		if (e & PTE_P) /* a table below: look there */
			va -= size;
	}
	return false;
}

static void free_tables(uint64_t table_phys, unsigned level, unsigned entries)
{
	uint64_t *table = phys_to_virt(table_phys);

	for (unsigned i = 0; i < entries; i++) {
		if (!(table[i] & PTE_P))
			continue;
		ASSERT(level > 1 && !(table[i] & PTE_PS),
		       "tables are freed with a page still mapped (entry 0x%lx)", table[i]);
		free_tables(table[i] & PTE_PHYS, level - 1, ENTRIES);
	}
	mm_count_table(-1);
	frame_free(table_phys, 0);
}

void pte_free_table(uint64_t phys, unsigned level)
{
	free_tables(phys, level, ENTRIES);
}

void pte_free_low_half(uint64_t root)
{
	free_tables(root, 4, USER_SLOTS);
}

/* For how many tables of 4K entries, of those that lie whole in [va, end), `fn` returned true; it
 * gets the entry that names the table, or could. */
static unsigned for_each_table(uint64_t va, uint64_t end, bool (*fn)(uint64_t *entry))
{
	const uint64_t span = level_size(2);
	unsigned n = 0, level;

	for (va = ALIGN_UP(va, span); va + span <= end;) {
		uint64_t *entry = pte_walk(kernel_root, va, 2, false, &level);
		uint64_t next = ALIGN_DOWN(va, level_size(3)) + level_size(3);

		for (; entry && va < next && va + span <= end; va += span)
			n += fn(entry++);
		if (!entry)
			va = ALIGN_DOWN(va, level_size(level)) + level_size(level);
	}
	return n;
}

/* Out of every walk, but not forgotten: the entry keeps the address until the flush. */
static bool hide_table(uint64_t *entry)
{
	bool table = (*entry & (PTE_P | PTE_PS)) == PTE_P;

	if (table)
		__atomic_store_n(entry, *entry & ~PTE_P, __ATOMIC_RELEASE);
	return table;
}

static bool free_hidden_table(uint64_t *entry)
{
	uint64_t old = *entry;

	if (!old || (old & PTE_P))
		return false;
	__atomic_store_n(entry, 0, __ATOMIC_RELEASE);
	free_tables(old & PTE_PHYS, 1, ENTRIES);
	return true;
}

/* What a CPU has cached of the tables (SDM vol. 3, 4.10.3) is flushed before they are freed, as in
 * entry_to_fill(). */
void kernel_drop_tables(uint64_t va, uint64_t len)
{
	if (!for_each_table(va, va + len, hide_table))
		return;
	cpu_call((1u << nr_cpus) - 1, flush_everything, NULL);
	for_each_table(va, va + len, free_hidden_table);
}

/*
 * The entry to fill for va at this level. Where smaller pages were mapped before, their table is
 * still there, empty: the large page takes its place. All of its span is the caller's, so no other
 * CPU walks it in software; what a CPU has cached of it (SDM vol. 3, 4.10.3) is flushed before the
 * table is freed, else a speculative walk would read a frame that has a new owner.
 */
static uint64_t *entry_to_fill(uint64_t va, unsigned level)
{
	uint64_t *pte = pte_walk(kernel_root, va, level, true, NULL);
	uint64_t old = pte && level > 1 ? *pte : 0;

	if ((old & PTE_P) && !(old & PTE_PS)) {
		__atomic_store_n(pte, 0, __ATOMIC_RELEASE);
		cpu_call((1u << nr_cpus) - 1, flush_everything, NULL);
		free_tables(old & PTE_PHYS, level - 1, ENTRIES);
	}
	return pte;
}

int kernel_map(uint64_t va, uint64_t phys, uint64_t len, uint64_t prot, unsigned max_level)
{
	while (len) {
		unsigned level = best_level(va, phys, len, max_level);
		uint64_t *pte = entry_to_fill(va, level), *from = pte;
		uint64_t size = level_size(level);
		uint64_t entry = phys | prot | PTE_P | (level > 1 ? PTE_PS : 0);
		/* On to the end of this table: a larger page can only begin at the next one. */
		const uint64_t *stop = pte + MIN(len / size, ENTRIES - index_of(va, level));

		if (!pte)
			return -ENOMEM;
		ASSERT(!(*pte & PTE_P), "kernel address 0x%lx is mapped already (entry 0x%lx)", va,
		       *pte);
		/* Something present may be a table of smaller pages, left from before: the next
		 * round asks entry_to_fill(). */
		for (; pte < stop && !(*pte & PTE_P); entry += size)
			__atomic_store_n(pte++, entry, __ATOMIC_RELEASE);
		va += (pte - from) * size;
		phys += (pte - from) * size;
		len -= (pte - from) * size;
	}
	return 0;
}

/* The direct map of [start, end): all of it writable and not executable, but the kernel's text and
 * read-only data stay read-only under this name too (W^X has no back door). */
static int map_direct(uint64_t start, uint64_t end)
{
	extern char __text_start[], __rodata_end[];
	uint64_t ro = virt_to_phys(__text_start), ro_end = virt_to_phys(__rodata_end);
	const uint64_t rw = PTE_W | PTE_NX | PTE_G;
	int err = 0;

	if (end <= ro || start >= ro_end)
		return kernel_map(DIRECT_BASE + start, start, end - start, rw, 3);
	if (start < ro)
		err = kernel_map(DIRECT_BASE + start, start, ro - start, rw, 3);
	if (!err)
		err = kernel_map(DIRECT_BASE + ro, ro, ro_end - ro, PTE_NX | PTE_G, 3);
	if (!err && end > ro_end)
		err = kernel_map(DIRECT_BASE + ro_end, ro_end, end - ro_end, rw, 3);
	return err;
}

static void map_image(void)
{
	extern char __text_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[],
		__image_end[];
	const struct {
		char *start, *end;
		uint64_t prot;
	} part[] = {
		{__text_start, __text_end, PTE_G},
		{__rodata_start, __rodata_end, PTE_NX | PTE_G},
		{__data_start, __image_end, PTE_W | PTE_NX | PTE_G},
	};
	int err = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(part) && !err; i++) {
		uint64_t start = ALIGN_DOWN((uint64_t)part[i].start, PAGE_SIZE);
		uint64_t end = ALIGN_UP((uint64_t)part[i].end, PAGE_SIZE);

		err = kernel_map(start, start - KERNEL_BASE, end - start, part[i].prot, 1);
	}
	ASSERT(!err, "the kernel image must be mappable at boot; error %d", err);
}

/* Top-level slots for [start, end), so that every address space shares the tables below them. */
static void make_root_slots(uint64_t start, uint64_t end)
{
	for (uint64_t va = start; va < end && va >= start; va += level_size(4))
		ASSERT(pte_walk(kernel_root, va, 3, true, NULL), "no memory for kernel tables");
}

/* Builds the final tables and leaves the boot ones. Frames below 4 GiB are in the allocator. */
void page_tables_init(const struct boot_info *bi)
{
	uint64_t low_end = 0;
	int err = 0;

	kernel_root = frame_alloc_zero();
	ASSERT(kernel_root, "no frame for the first page table");
	mm_count_table(1);
	make_root_slots(DIRECT_BASE,
			DIRECT_BASE + (1ull << MIN(cpu_features.phys_bits, MAX_PHYS_BITS)));
	make_root_slots(RECORD_BASE, COMPOUND_END);
	make_root_slots(KVIRT_BASE, KVIRT_BASE + (1ull << 39));
	map_image();
	for (unsigned i = 0; i < bi->nr_ranges; i++) {
		const struct boot_range *r = &bi->ranges[i];

		if (r->type == BOOT_RAM && r->base < 4 * GIB)
			low_end = ALIGN_UP(r->base + r->len, PMD_SIZE);
	}
	err = map_direct(0, low_end);
	for (unsigned i = 0; i < bi->nr_ranges && !err; i++) {
		const struct boot_range *r = &bi->ranges[i];
		uint64_t start = ALIGN_DOWN(r->base, PAGE_SIZE);

		/* Above the low piece: RAM, and firmware tables that lie outside it. */
		if (start >= low_end && r->type != BOOT_RESERVED && r->type != BOOT_BAD)
			err = map_direct(start, ALIGN_UP(r->base + r->len, PAGE_SIZE));
	}
	ASSERT(!err, "the direct map of RAM must be buildable at boot; error %d", err);
	write_cr3(kernel_root);
}
