/* SPDX-License-Identifier: MIT */
/* pgmap, memory: what there is, decoded. */
#include "mm/device/internal.h"

static const char *type_name(enum pgmap_type t)
{
	return t == PGMAP_FS_DAX ? "FS_DAX" : "GENERIC";
}

static int count_record(struct page *p, void *arg)
{
	uint64_t *n = arg;

	n[0]++;
	n[1] += page_refs(p) > p->pgmap->rest;
	n[2] += page_maps(p) > 0;
	return 0;
}

static const char *const phase_word[] = {"coming", "live", "dying", "dying"};

static int print_pgmap(struct pgmap *pgmap, void *arg)
{
	*(unsigned *)arg += 1;
	kprintf("%s: type %s, %s, node %d, references %ld, pages rest at %u\n", pgmap->name,
		type_name(pgmap->type), phase_word[percpu_ref_phase(&pgmap->ref)], pgmap->node,
		(long)percpu_ref_sum(&pgmap->ref), pgmap->rest);
	if (pgmap->vmemmap_shift)
		kprintf("  one record per %s\n", SIZE_TEXT(PAGE_SIZE << pgmap->vmemmap_shift));
	if (pgmap_has_altmap(pgmap))
		kprintf("  records on the device: pages 0x%lx - 0x%lx, %lu in use\n",
			pgmap->altmap.base_pfn + pgmap->altmap.reserve,
			altmap_first_pfn(&pgmap->altmap) - 1, pgmap->altmap.alloc);
	for (unsigned i = 0; i < pgmap->nr_range; i++) {
		const struct pgmap_range *r = &pgmap->range[i];
		uint64_t n[3] = {0};

		page_records_for_each(r->start, r->end - r->start, count_record, n);
		if (percpu_ref_is_used_up(&pgmap->ref))
			kprintf("  %s is being unbound: nobody holds it, its records are going\n",
				pgmap->name);
		kprintf("  range %u: pfn 0x%lx - 0x%lx (%s), records at %p\n"
			"    %lu records made (%s), %lu held, %lu mapped\n",
			i, r->start, r->end - 1, SIZE_TEXT((r->end - r->start) << PAGE_SHIFT),
			(void *)pgmap_pfn_to_page(pgmap, pgmap_first_pfn(pgmap, r)), n[0],
			SIZE_TEXT(n[0] * sizeof(struct page)), n[1], n[2]);
	}
	return 0;
}

static int cmd_pgmap(int argc, char **argv)
{
	unsigned n = 0;

	(void)argv;
	if (argc > 1)
		return shell_usage();
	pgmap_for_each(print_pgmap, &n);
	if (!n)
		kprintf("no device memory is bound; see 'pmem'\n");
	return 0;
}
SHELL_COMMAND(pgmap, cmd_pgmap, "pgmap",
	      "claims on device memory: ranges, references, page records made");

static int print_mm(struct mm *mm, void *arg)
{
	(void)arg;
	kprintf("address space %s: %u mapping(s), running on CPUs 0x%x\n", mm->name, mm->nr_vmas,
		mm->active);
	return 0;
}

static int cmd_memory(int argc, char **argv)
{
	struct frame_stats s = frame_stats();

	(void)argv;
	if (argc > 1)
		return shell_usage();
	kprintf("RAM: %lu KiB in all, %lu free, %lu in use (%lu of it the image, boot data and "
		"firmware's low memory)\n",
		s.total * 4, s.free * 4, (s.total - s.free) * 4, s.reserved * 4);
	/* What grows to what was once needed, and is kept for the next time. */
	kprintf("page tables %lu KiB, page records %lu KiB, heap %lu KiB, stacks %lu KiB\n",
		page_table_frames() * 4, record_frames * 4, heap_frames() * 4, stack_ram() * 4);
	kprintf("TLB flushes %lu, IPIs %lu, fast gup undone %lu, slow gup calls %lu\n", tlb_flushes,
		ipi_sent, gup_fast_retries, gup_slow_calls);
	mm_for_each(print_mm, NULL);
	return 0;
}
SHELL_COMMAND(memory, cmd_memory, "memory", "RAM in use, page tables, records, counters");

/* The shell has an address space of its own; background commands share it. */
static void use(void *mm)
{
	mm_use(mm);
}

static void get(void *mm)
{
	mm_get(mm);
}

static void put(void *mm)
{
	mm_put(mm);
}

static int shell_space_init(const struct boot_info *bi)
{
	static const struct shell_mm_ops ops = {get, put, use};
	struct mm *mm = mm_create("shell");

	(void)bi;
	if (!mm)
		return -ENOMEM;
	mm_use(mm);
	mm_put(mm); /* the shell's thread holds it now */
	shell_set_mm_ops(&ops);
	return 0;
}
SHELL_GROUP(memory, 70, "mm/", "memory");
INITCALL(INIT_LATE, shell_space, "address space of the shell", shell_space_init);
