/* SPDX-License-Identifier: MIT */
/*
 * From an address to the function around it and to its line of source. The format of the tables
 * is in trap.h; linker.ld marks where each starts and stops.
 *
 * A lookup finds the block by binary search and then walks: past at most KSYM_BLOCK - 1 names, or
 * the rows of as many functions.
 */
#include "kernel/kernel.h"

struct block {
	uint32_t addr; /* less KERNEL_BASE */
	uint32_t names, lines;
};

extern const char __text_start[], __text_end[];
extern const struct block __start_ksyms[], __stop_ksyms[];
extern const uint8_t ksym_names[], ksym_lines[];
extern const char ksym_files[];

/* A function, found. */
struct found {
	const struct block *block;
	unsigned nth; /* in the block */
	uint64_t start;
	const char *name;
};

/* The last block that begins at or below addr; NULL: none. */
static const struct block *block_of(uint64_t addr)
{
	uint64_t low = 0, high = (uint64_t)(__stop_ksyms - __start_ksyms);

	while (low < high) { /* all before `low` start at or below addr, all from `high` above */
		uint64_t mid = low + (high - low) / 2;

		if (KERNEL_BASE + __start_ksyms[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? &__start_ksyms[low - 1] : NULL;
}

static bool find(uint64_t addr, struct found *f)
{
	const uint8_t *at;

	if (addr < (uintptr_t)__text_start || addr >= (uintptr_t)__text_end)
		return false;
	f->block = block_of(addr);
	if (!f->block)
		return false;
	f->start = KERNEL_BASE + f->block->addr;
	at = ksym_names + f->block->names;
	for (f->nth = 0;; f->nth++) {
		unsigned size = at[0] | at[1] << 8;

		f->name = (const char *)at + 2;
		if (addr - f->start < size || f->nth == KSYM_BLOCK - 1)
			return true;
		f->start += size;
		at += 2 + strlen(f->name) + 1;
	}
}

const char *ksym_lookup(uint64_t addr, uint64_t *offset)
{
	struct found f;

	if (!find(addr, &f))
		return NULL;
	if (offset)
		*offset = addr - f.start;
	return f.name;
}

/* ---- lines */

static unsigned nibble(uint32_t *at)
{
	unsigned n = ksym_lines[*at / 2] >> (*at & 1) * 4 & 15;

	(*at)++;
	return n;
}

/* One nibble below 12; two below 60; else a 15 and the rest in groups of three bits. */
static unsigned number(uint32_t *at)
{
	unsigned n = nibble(at), shift = 0, group;

	if (n < 12)
		return n;
	if (n < 15)
		return 12 + (n - 12) * 16 + nibble(at);
	n = 60;
	do {
		group = nibble(at);
		n += (group & 7) << shift;
		shift += 3;
	} while (group & 8);
	return n;
}

static int signed_number(uint32_t *at)
{
	unsigned n = number(at);

	return n & 1 ? -(int)(n / 2) - 1 : (int)(n / 2);
}

/* Where a walk over the rows has come to. */
struct walk {
	uint32_t at;
	unsigned file, line; /* of the function before, at its last row */
};

/* Walks the rows of one function; value: the line of the byte `offset` behind its start. 0: it has
 * no rows. */
static unsigned walk_function(struct walk *w, uint64_t offset)
{
	unsigned rows = number(&w->at), file, line = 0;
	uint64_t byte = 0;

	if (!rows)
		return 0;
	file = number(&w->at);
	if (file)
		w->file = file - 1;
	w->line += (unsigned)signed_number(&w->at);
	line = w->line;
	while (--rows) {
		int step;

		byte += number(&w->at) + 1;
		step = signed_number(&w->at);
		w->line += (unsigned)(step + (step >= 0)); /* no row repeats its line */
		if (byte <= offset)
			line = w->line;
	}
	return line;
}

const char *ksym_line(uint64_t addr, unsigned *line)
{
	const char *file = ksym_files;
	struct found f;
	struct walk w;

	if (!find(addr, &f))
		return NULL;
	w = (struct walk){.at = f.block->lines};
	for (unsigned i = 0; i < f.nth; i++)
		walk_function(&w, 0);
	*line = walk_function(&w, addr - f.start);
	if (!*line)
		return NULL;
	while (w.file--)
		file += strlen(file) + 1;
	return file;
}

const char *ksym_describe(uint64_t addr, bool is_return, char *buf, unsigned n)
{
	uint64_t offset;
	const char *name = ksym_lookup(addr - is_return, &offset), *file;
	unsigned line;

	if (!name) {
		snprintf(buf, n, "?");
		return buf;
	}
	file = ksym_line(addr - is_return, &line);
	if (file)
		snprintf(buf, n, "%s+0x%lx %s:%u", name, offset + is_return, file, line);
	else
		snprintf(buf, n, "%s+0x%lx", name, offset + is_return);
	return buf;
}
