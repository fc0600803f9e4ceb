/* SPDX-License-Identifier: MIT */
/* The fixture of the benchmarks that need a file; see bench.h. */
#include "tests/kernel/bench/bench.h"

#define CHUNK (64 * KIB)

/* An empty address space, so that what the shell has mapped changes no figure. */
static bool enter_mm(struct bench_run *b, struct bench_file *f)
{
	struct mm *mm = mm_create("bench");

	f->old = current_mm();
	if (!mm) {
		bench_skip(b, "no memory for an address space");
		return false;
	}
	if (f->old)
		mm_get(f->old);
	mm_use(mm);
	mm_put(mm); /* the thread holds it now */
	return true;
}

static void leave_mm(struct bench_file *f)
{
	mm_use(f->old);
	if (f->old)
		mm_put(f->old);
}

bool bench_file_write(struct bench_file *f)
{
	char *chunk = malloc(CHUNK);
	uint64_t off = 0, len = f->pages * PAGE_SIZE;
	bool ok = chunk != NULL;

	if (ok)
		memset(chunk, 'b', CHUNK);
	for (; ok && off < len; off += CHUNK) {
		watch_touch(); /* a gigabyte may take a busy host longer than the watchdog waits */
		ok = dax_write(f->inode, off, chunk, MIN(CHUNK, len - off)) ==
		     (int64_t)MIN(CHUNK, len - off);
	}
	free(chunk);
	return ok;
}

static bool start(struct bench_run *b, struct bench_file *f, enum scratch_size size,
		  const struct lifetime *lt)
{
	const char *why = "";

	*f = (struct bench_file){0};
	if (scratch_mount(size, lt, &f->fs, &why)) {
		bench_skip(b, "%s", why);
		return false;
	}
	if (enter_mm(b, f))
		return true;
	scratch_umount();
	return false;
}

bool bench_fs_start(struct bench_run *b, struct bench_file *f, enum scratch_size size)
{
	scratch_forget_records(); /* what cannot be forgotten is found by the mount, with a word */
	return start(b, f, size, LIFETIME_DEFAULT);
}

bool bench_fs_again(struct bench_run *b, struct bench_file *f)
{
	*f = (struct bench_file){0};
	scratch_forget_records();
	if (dax_mount(scratch_device(), SCRATCH_PATH, LIFETIME_DEFAULT, &f->fs)) {
		bench_skip(b, "%s", refusal());
		return false;
	}
	if (enter_mm(b, f))
		return true;
	scratch_umount();
	return false;
}

bool bench_file_start_as(struct bench_run *b, struct bench_file *f, uint64_t pages,
			 const struct lifetime *lt)
{
	if (!start(b, f, SCRATCH_LARGE, lt))
		return false;
	f->pages = pages;
	f->inode = scratch_file("bench", 0, 0);
	if (f->inode && bench_file_write(f))
		return true;
	bench_skip(b, "a file of %lu pages could not be written: %s", pages, refusal());
	bench_file_end(f);
	return false;
}

bool bench_file_start(struct bench_run *b, struct bench_file *f, uint64_t pages)
{
	return bench_file_start_as(b, f, pages, LIFETIME_DEFAULT);
}

void bench_file_unmap(struct bench_file *f)
{
	if (f->va)
		mm_unmap(current_mm(), f->va, f->pages * PAGE_SIZE);
	f->va = 0;
}

void bench_file_end(struct bench_file *f)
{
	bench_file_unmap(f);
	leave_mm(f);
	if (f->inode)
		dax_put(f->inode);
	scratch_umount();
}

void bench_file_dirty(struct bench_file *f)
{
	for (uint64_t i = 0; f->va && i < f->pages; i++)
		*(volatile char *)(f->va + i * PAGE_SIZE) = 'd';
}

void bench_file_map(struct bench_file *f, uint64_t at)
{
	uint64_t va = at ? at : BENCH_4K;

	if (!dax_mmap(current_mm(), f->inode, 0, f->pages, true, &va))
		f->va = va;
	bench_file_dirty(f);
}
