/* SPDX-License-Identifier: MIT */
/*
 * What a mapping shows at this moment, counted from its page-table entries (Linux's smaps).
 *
 * A walk over entries of every size. Whose page an entry shows follows from three things, in this
 * order: an entry without a record is zeroes, or a page of a limited region; one that shows an
 * anonymous page is RAM, in a private mapping of a file, too; any other is what the VMA is of. On
 * DAX that is a device's page and takes no RAM at all, so the question is vma_is_dax(): a walker
 * that gets no for a device counts its gigabytes as memory in use.
 */
#include "mm/tables/internal.h"
#include "mm/space/internal.h"

/* An entry that is present, of `level`. ptl held. */
static void count_entry(const struct vma *vma, uint64_t entry, unsigned level, struct vma_shown *s)
{
	const uint64_t bytes = level_bytes(level);

	if (!(entry & PTE_DEVMAP))
		s->other += bytes;
	else if (!vma_is_dax(vma) || pte_is_anon(entry))
		s->ram += bytes;
	else
		s->device[level] += bytes;
}

/* Up to the next multiple of 2 MiB, or over a larger entry; value: where the walk goes on. */
static uint64_t walk_some(const struct vma *vma, uint64_t at, struct vma_shown *s)
{
	const uint64_t stop = MIN(ALIGN_DOWN(at, PMD_SIZE) + PMD_SIZE, vma->end);

	spin_lock(&vma->mm->ptl); /* a table may be freed under it */
	while (at < stop) {
		unsigned level;
		uint64_t entry =
			__atomic_load_n(pte_lowest(vma->mm->root, at, &level), __ATOMIC_RELAXED);

		if (entry & PTE_P)
			count_entry(vma, entry, level, s);
		at = ALIGN_DOWN(at, level_bytes(level)) + level_bytes(level);
	}
	spin_unlock(&vma->mm->ptl);
	return at;
}

struct vma_shown vma_shown(const struct vma *vma)
{
	struct vma_shown s = {0};

	for (uint64_t at = vma->start; at < vma->end;)
		at = walk_some(vma, at, &s);
	return s;
}

static const char *kind_of_object(const struct vma *vma)
{
	if (!vma->mapping)
		return "memory";
	return IS_FSDAX(vma->mapping)	 ? "file on DAX"
	       : IS_DEVDAX(vma->mapping) ? "device on DAX"
					 : "not on DAX";
}

static void print_vma(const struct vma *vma)
{
	const struct vma_shown s = vma_shown(vma);
	char what[128];

	vma->ops->describe(vma, what, sizeof(what));
	kprintf("0x%lx - 0x%lx, %s, %s%s: %s\n", vma->start, vma->end, kind_of_object(vma),
		vma->flags & VM_SHARED ? "shared" : "private",
		vma->flags & VM_WRITE ? "" : ", read-only", what);
	kprintf("  device: %lu KiB by 4 KiB, %lu KiB by 2 MiB, %lu KiB by 1 GiB; RAM: %lu KiB; "
		"without a record: %lu KiB\n",
		s.device[1] / KIB, s.device[2] / KIB, s.device[3] / KIB, s.ram / KIB,
		s.other / KIB);
}

static int cmd_smaps(int argc, char **argv)
{
	struct mm *mm = current_mm();
	struct vma *vma = NULL;

	(void)argv;
	if (argc > 1)
		return shell_usage();
	down_read(&mm->mmap_lock);
	while ((vma = mm_next_vma(mm, vma)))
		print_vma(vma);
	if (!mm->nr_vmas)
		kprintf("nothing is mapped; try: map anon 4096\n");
	up_read(&mm->mmap_lock);
	return 0;
}
SHELL_COMMAND(smaps, cmd_smaps, "smaps",
	      "what each mapping shows at this moment: device pages by size, RAM");
