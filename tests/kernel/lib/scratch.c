/* SPDX-License-Identifier: MIT */
/*
 * A fresh ext4 on the scratch device, without a mkfs of our own: mkfs.ext4 made it when the kernel
 * was built, and the kernel carries the blocks that such a file system has in use. All others are
 * free, so whatever they hold does not matter.
 */
#include "tests/kernel/lib/scratch.h"

struct run {
	uint64_t first, count;
	int64_t at; /* of one block, its first word in the template; negative: blocks of zeroes */
};
struct template
{
	uint64_t bytes, nr_runs;
	const struct run *runs;
	const uint64_t *words;
	const uint16_t *times; /* how often each word stands there */
};

#define TEMPLATE(name)                                                                             \
	extern const uint64_t scratch_##name##_bytes, scratch_##name##_nr_runs;                    \
	extern const struct run scratch_##name##_runs[];                                           \
	extern const uint64_t scratch_##name##_words[];                                            \
	extern const uint16_t scratch_##name##_times[]
#define TEMPLATE_OF(name)                                                                          \
	((struct template){scratch_##name##_bytes, scratch_##name##_nr_runs,                       \
			   scratch_##name##_runs, scratch_##name##_words, scratch_##name##_times})
TEMPLATE(tiny);
TEMPLATE(small);
TEMPLATE(large);
TEMPLATE(huge);

static struct template template_of(enum scratch_size size)
{
	switch (size) {
	case SCRATCH_SMALL: return TEMPLATE_OF(small);
	case SCRATCH_LARGE: return TEMPLATE_OF(large);
	default: return TEMPLATE_OF(huge);
	}
}

/* ---- which device ------------------------------------------------------------------------- */

static struct pmem_region *chosen; /* the last one given out; NULL: none yet */

struct mount_search {
	const struct pmem_region *region; /* NULL: any, and then the path counts */
	char path[80];			  /* of what was found; empty: nothing */
	const struct pmem_region *on;
};

static int find_mount(struct dax_fs *fs, void *arg)
{
	struct mount_search *m = arg;

	if (m->region ? fs->region != m->region : strcmp(fs->path, SCRATCH_PATH) != 0)
		return 0;
	snprintf(m->path, sizeof(m->path), "%s", fs->path);
	m->on = fs->region;
	return 1;
}

static int refuse_mounted(const struct pmem_region *region)
{
	struct mount_search m = {.region = region};

	dax_fs_for_each(find_mount, &m);
	return m.on ? refuse(-EBUSY, "%s is mounted on %s: umount %s", m.on->name, m.path, m.path)
		    : 0;
}

/* 0, or what keeps the device from being scratched on now, with a sentence. */
static int check_usable(struct pmem_region *r)
{
	int err = pmem_check_present(r);

	if (err)
		return err;
	if (r->readonly)
		return refuse(-EROFS, "%s is read-only", r->name);
	if (r->len < scratch_small_bytes)
		return refuse(-ENOSPC, "%s is too small for the scratch file system", r->name);
	if (devdax_is_mapped(r))
		return refuse(-EBUSY, "%s is mapped as a device: unmap it", r->name);
	if (refuse_mounted(r) || pmem_check_raw(r))
		return -EBUSY;
	return pmem_may_overwrite(r);
}

/* The n-th region that was given as scratch, or without any pmem1; NULL: no more. */
static struct pmem_region *candidate(unsigned n)
{
	bool given = false;

	for (unsigned i = 0; i < pmem_count(); i++) {
		given |= pmem_nth(i)->scratch;
		if (pmem_nth(i)->scratch && !n--)
			return pmem_nth(i);
	}
	return given || n ? NULL : pmem_find("pmem1");
}

int scratch_choose(struct pmem_region **out)
{
	struct pmem_region *r = candidate(0);
	int err = refuse_mounted(NULL);

	if (err)
		return err;
	if (!r)
		return refuse(-ENODEV, "no second DIMM (pmem1) to scratch on, and none that was "
				       "given for it (PMEM=\"FILE,size=1G,scratch\")");
	for (unsigned n = 1; r && check_usable(r); n++)
		r = candidate(n);
	if (!r)
		return check_usable(candidate(0)); /* of several reasons the first one's */
	*out = chosen = r;
	return 0;
}

struct pmem_region *scratch_region(const char **why)
{
	struct pmem_region *r = NULL;

	if (scratch_choose(&r))
		*why = refusal();
	return r;
}

struct pmem_region *scratch_for_modes(const char **why)
{
	struct pmem_region *r = scratch_region(why);

	if (!r || !r->spa->lost_start)
		return r;
	*why = "the scratch region's start was cut, so it can have no mode (align=2M)";
	return NULL;
}

struct pmem_region *scratch_device(void)
{
	return chosen;
}

char scratch_bytes[2 * PAGE_SIZE];

/* ---- a file system on it ------------------------------------------------------------------ */

/* What an earlier use left and the template would not cover: a superblock at the device's end, or
 * behind the file system's blocks in use. */
static void wipe_signatures(struct pmem_region *r)
{
	struct signature s[SIGNATURES_MAX];
	unsigned nr = pmem_signatures(r, s, SIGNATURES_MAX);

	for (unsigned i = 0; i < nr; i++) {
		char *at = (char *)r->kaddr + s[i].offset;

		memset(at, 0, MIN(32ul, r->len - s[i].offset));
		cache_writeback(at, 32);
	}
	store_fence();
}

static void write_block(uint64_t *to, const struct template *t, int64_t at)
{
	const uint64_t *const end = to + PAGE_SIZE / sizeof(*to);

	for (; to < end; at++)
		for (unsigned n = t->times[at]; n; n--)
			*to++ = t->words[at];
}

static void write_template(void *base, const struct template *t)
{
	for (uint64_t i = 0; i < t->nr_runs; i++) {
		const struct run *run = &t->runs[i];
		char *to = (char *)base + run->first * PAGE_SIZE;

		if (run->at < 0)
			memset(to, 0, run->count * PAGE_SIZE);
		else
			write_block((uint64_t *)to, t, run->at);
		cache_writeback(to, run->count * PAGE_SIZE);
		store_fence();
	}
}

int scratch_mount(enum scratch_size size, const struct lifetime *lt, struct dax_fs **fs,
		  const char **why)
{
	struct pmem_region *r = NULL;
	struct template t = template_of(size);
	int err = scratch_choose(&r);

	if (!err && r->len < t.bytes)
		err = refuse(
			-ENOSPC,
			"%s is too small: it has %lu MiB, the scratch file system wanted here %lu",
			r->name, r->len / MIB, t.bytes / MIB);
	if (!err) {
		wipe_signatures(r);
		write_template(r->kaddr, &t);
		err = dax_mount(r, SCRATCH_PATH, lt, fs);
	}
	*why = refusal();
	return err;
}

void scratch_image(void *base)
{
	const struct template t = TEMPLATE_OF(tiny);

	ASSERT(t.bytes == SCRATCH_IMAGE, "the tiny file system has %lu bytes", t.bytes);
	memset(base, 0, t.bytes);
	write_template(base, &t);
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

	ASSERT(!err, "the scratch file system must be free at the end: %s", refusal());
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
