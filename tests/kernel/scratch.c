/* SPDX-License-Identifier: MIT */
/*
 * A fresh ext4 on the scratch device, without a mkfs of our own: mkfs.ext4 made it when the kernel
 * was built, and the kernel carries the blocks that such a file system has in use. All others are
 * free, so whatever they hold does not matter.
 */
#include "tests/kernel/scratch.h"

struct run {
	uint64_t first, count;
	int64_t offset; /* into the data; negative: blocks of zeroes */
};
extern const uint64_t scratch_small_bytes, scratch_small_nr_runs, scratch_large_bytes,
	scratch_large_nr_runs;
extern const struct run scratch_small_runs[], scratch_large_runs[];
extern const char scratch_small_data[], scratch_large_data[];

struct template
{
	uint64_t bytes, nr_runs;
	const struct run *runs;
	const char *data;
};

static struct template template_of(enum scratch_size size)
{
	if (size == SCRATCH_SMALL)
		return (struct template){scratch_small_bytes, scratch_small_nr_runs,
					 scratch_small_runs, scratch_small_data};
	return (struct template){scratch_large_bytes, scratch_large_nr_runs, scratch_large_runs,
				 scratch_large_data};
}

static int find_mount(struct dax_fs *fs, void *arg)
{
	const struct dax_fs **found = arg;

	if (fs->region == pmem_nth(1))
		*found = fs;
	return 0;
}

struct pmem_region *scratch_region(const char **why)
{
	struct pmem_region *r = pmem_find("pmem1");
	struct dax_fs *mounted = NULL;

	dax_fs_for_each(find_mount, &mounted);
	if (!r)
		*why = "no second DIMM (pmem1) to scratch on";
	else if (!r->bound)
		*why = "pmem1 is not bound; 'pmem bind pmem1' first";
	else if (r->dead)
		*why = "pmem1 was killed; 'pmem revive pmem1' first";
	else if (r->readonly)
		*why = "pmem1 is read-only";
	else if (r->len < scratch_small_bytes)
		*why = "pmem1 is too small for the scratch file system";
	else if (devdax_is_mapped(r))
		*why = "pmem1 is mapped as a device; 'unmap' that first";
	else if (mounted)
		*why = "pmem1 is mounted; umount it first";
	else
		return r;
	return NULL;
}

static void write_template(struct pmem_region *r, const struct template *t)
{
	for (uint64_t i = 0; i < t->nr_runs; i++) {
		const struct run *run = &t->runs[i];
		char *to = (char *)r->kaddr + run->first * PAGE_SIZE;

		if (run->offset < 0)
			memset(to, 0, run->count * PAGE_SIZE);
		else
			memcpy(to, t->data + run->offset, run->count * PAGE_SIZE);
		cache_writeback(to, run->count * PAGE_SIZE);
		store_fence();
	}
}

int scratch_mount(enum scratch_size size, const struct lifetime *lt, struct dax_fs **fs,
		  const char **why)
{
	struct pmem_region *r = scratch_region(why);
	struct template t = template_of(size);
	int err;

	if (!r)
		return -ENODEV;
	if (r->len < t.bytes) {
		*why = "pmem1 is too small for the scratch file system";
		return -ENOSPC;
	}
	write_template(r, &t);
	err = dax_mount(r, SCRATCH_PATH, lt, fs);
	*why = dax_why();
	return err;
}

int scratch_forget_records(void)
{
	const char *why = "";
	struct pmem_region *r = scratch_region(&why);
	uint64_t va = 0;
	int err = -ENODEV;

	/* A mapping as a device binds it once, the end of that mapping once more. */
	if (r)
		err = devdax_mmap(current_mm(), r, PMD_SIZE, 0, PMD_SIZE, VM_READ | VM_SHARED, &va);
	return err ? err : mm_unmap(current_mm(), va, PMD_SIZE);
}

void scratch_umount(void)
{
	int err = dax_umount(SCRATCH_PATH);

	ASSERT(!err, "the scratch file system must be free at the end: %s", dax_why());
}

int scratch_fill(const char *name)
{
	uint64_t off = 0, chunk = 64 * MIB;
	char path[80];
	struct dax_inode *inode;
	int err;

	snprintf(path, sizeof(path), SCRATCH_PATH "/%s", name);
	err = dax_open(path, true, &inode);
	if (err)
		return err;
	/* Halving the request until one block does not fit any more leaves none free. */
	while (chunk >= PAGE_SIZE && (!err || err == -ENOSPC)) {
		err = dax_fallocate(inode, off, chunk, false);
		if (err)
			chunk /= 2;
		else
			off += chunk;
	}
	dax_put(inode);
	return err == -ENOSPC ? 0 : err;
}

struct dax_inode *scratch_file(const char *name, unsigned pages, char fill)
{
	char path[80], *page = malloc(PAGE_SIZE);
	struct dax_inode *inode = NULL;

	snprintf(path, sizeof(path), SCRATCH_PATH "/%s", name);
	if (!page || dax_open(path, true, &inode)) {
		free(page);
		return NULL;
	}
	memset(page, fill, PAGE_SIZE);
	for (unsigned i = 0; i < pages; i++)
		if (dax_write(inode, i * PAGE_SIZE, page, PAGE_SIZE) != (int64_t)PAGE_SIZE) {
			dax_put(inode);
			inode = NULL;
			break;
		}
	free(page);
	return inode;
}
