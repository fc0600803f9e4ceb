/* SPDX-License-Identifier: MIT */
/*
 * page: one page record decoded, all of them as a picture of letters, or live (show.c).
 */
#include "drivers/show/internal.h"

#define LETTERS 64u /* of a row on one line */

/* What a record's link says; it was read before, so the file may be gone by now. */
static void print_file(const struct mapping *mapping, uint64_t index)
{
	char name[128];

	if (!mapping)
		kprintf("  no file's entry names it\n");
	else if (page_file_name(mapping, true, name, sizeof(name)))
		kprintf("  belongs to page %lu of %s\n", index, name);
	else
		kprintf("  belonged to page %lu of a file that just went\n", index);
}

static void print_page(uint64_t pfn, const struct page *p)
{
	uint64_t s = page_state(p);
	char who[256];

	kprintf("pfn 0x%lx (address 0x%lx) of %s, record at %p%s\n", pfn, pfn << PAGE_SHIFT,
		p->pgmap->name, (const void *)p,
		s & PAGE_FOLIO ? ", which counts for all pages of its 2 MiB" : "");
	kprintf("  state 0x%016lx: %u reference(s), %u mapping(s)%s; rests at %u: %s\n", s,
		state_refs(s), state_maps(s), s & PAGE_BUSY ? ", busy" : "", p->pgmap->rest,
		state_refs(s) > p->pgmap->rest ? "held" : "not held");
	holders_describe(p, who, sizeof(who));
	kprintf("  held by: %s\n", who);
}

static int decode_page(const char *text)
{
	struct pgmap_walk walk;
	struct mapping *mapping = NULL;
	uint64_t pfn, index = 0;
	struct page *p;
	int err;

	err = shell_number("pfn", text, &pfn);
	if (err)
		return err;
	if (pfn >> (MAX_PHYS_BITS - PAGE_SHIFT) || !pfn_valid(pfn))
		return shell_fail(-ENXIO,
				  "pfn 0x%lx is not device memory; 'pgmap' lists the ranges", pfn);
	if (!pgmap_walk_begin(&walk, pfn))
		return shell_fail(-EBUSY,
				  "the device of pfn 0x%lx is being bound or unbound, and its "
				  "records with it; ask again when that is done ('pgmap', 'ps')",
				  pfn);
	p = pfn_to_record(ALIGN_DOWN(pfn, FOLIO_PAGES));
	if (!p || !(page_state(p) & PAGE_FOLIO))
		p = pfn_to_record(pfn);
	if (p) {
		print_page(pfn, p);
		mapping = __atomic_load_n(&p->mapping, __ATOMIC_RELAXED);
		index = p->index;
	} else {
		kprintf("pfn 0x%lx of %s: never touched, so at rest; its record does not exist "
			"yet\n",
			pfn, walk.pgmap->name);
	}
	pgmap_walk_end(&walk);
	if (p)
		print_file(mapping, index);
	return 0;
}

/* ---- all of them */

static void print_picture_row(const struct picture_row *row)
{
	for (unsigned at = 0; at < row->nr; at += LETTERS) {
		char label[40] = "";

		snprintf(label, sizeof(label), "%s 0x%lx", row->device,
			 row->pfn + (uint64_t)at * row->unit);
		kprintf("%-20s %.*s%s\n", label, (int)LETTERS, row->cell + at,
			row->unit > 1 ? "  (2 MiB and more each)" : "");
	}
}

static void print_used(const struct picture_page *page)
{
	kprintf("%c 0x%lx: %u reference(s), %u mapping(s)", page->cell, page->pfn, page->refs,
		page->maps);
	if (page->file[0])
		kprintf(", page %lu of %s", page->index, page->file);
	kprintf("%s%s\n", page->holders[0] ? "; held by: " : "", page->holders);
}

static int print_picture(void)
{
	struct picture *p = malloc(sizeof(*p));

	if (!p)
		return shell_fail(-ENOMEM, "no memory for a picture");
	picture_take(p);
	for (unsigned i = 0; i < p->nr_rows; i++)
		print_picture_row(&p->row[i]);
	if (p->rows_left)
		kprintf("and %u more rows\n", p->rows_left);
	kprintf("m mapped %lu, H held %lu, B busy %lu, . at rest\n", p->mapped, p->held, p->busy);
	for (unsigned i = 0; i < p->nr_pages; i++)
		print_used(&p->page[i]);
	if (p->pages_left)
		kprintf("and %u more pages\n", p->pages_left);
	for (unsigned i = 0; i < p->nr_sleepers; i++)
		kprintf("%s waits for %s; woken by %s\n", p->sleeper[i].name, p->sleeper[i].what,
			p->sleeper[i].waker);
	free(p);
	return 0;
}

static int watch_pages(int argc, char **argv)
{
	uint64_t ms = 0;
	int err = 0;

	if (argc == 3 && strncmp(argv[2], "slow=", 5))
		return shell_usage();
	if (argc == 3)
		err = shell_number("slow", argv[2] + 5, &ms);
	if (!err && ms > 60000)
		err = shell_fail(-EINVAL, "slow=%lu is more than a minute (60000)", ms);
	return err ? err : show_watch(ms * 1000000);
}

static int cmd_page(int argc, char **argv)
{
	if (argc == 1)
		return print_picture();
	if (argc <= 3 && !strcmp(argv[1], "-w"))
		return watch_pages(argc, argv);
	return argc == 2 ? decode_page(argv[1]) : shell_usage();
}
SHELL_COMMAND(page, cmd_page, "page [PFN | -w [slow=MS]]",
	      "decode one page record: counts, file, holders; or a picture of all of them\n"
	      "Without a PFN: a letter for each page whose record was made. -w draws them on the "
	      "screen\n"
	      "(BOOT=grub) and for `make show`, live, until Ctrl-C; slow: it shows each step of a "
	      "race\n"
	      "for so many milliseconds. `page -w &` goes on beside other commands.");
SHELL_GROUP(show, 70, "drivers/show/", "memory");
