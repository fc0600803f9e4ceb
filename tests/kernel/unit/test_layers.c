/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of the file layer interface (layer.*): the tiny file layer, by the shell's own
 * commands, as ext4 is used.
 */
#include "tests/kernel/lib/fixture.h"
#include "tests/kernel/lib/tinyfs.h"

static int __printf(1, 2) run(const char *fmt, ...)
{
	char line[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return shell_run_line(line);
}

/* The first byte of page 1, and the file's size; zero bytes: it cannot be opened. */
static char second_page(const char *path, uint64_t *size)
{
	struct dax_inode *f;
	char c = 0;

	*size = 0;
	if (dax_open(path, false, &f))
		return 0;
	*size = f->size;
	if (dax_read(f, PAGE_SIZE, &c, 1) != 1)
		c = 0;
	dax_put(f);
	return c;
}

SELFTEST(layer_by_command, "layer.by-command",
	 "a second file layer is mounted, listed, written, cut and emptied by the same commands")
{
	const char *why;
	struct pmem_region *r = scratch_region(&why);
	uint64_t size;
	char c;

	if (!r)
		SKIP("%s", why);
	EXPECT(!run("mount %s " TINY_PATH " layer=tinyfs", r->name), "not mounted");
	EXPECT_OR(out, !run("write " TINY_PATH "/a 4096 hello"), "not written");
	c = second_page(TINY_PATH "/a", &size);
	EXPECT_OR(out, c == 'h' && size == 2 * PAGE_SIZE, "'%c' in %lu bytes", c, size);
	EXPECT_OR(out, !run("ls " TINY_PATH) && !run("stat " TINY_PATH "/a"), "not listed");
	EXPECT_OR(out, run("mkdir " TINY_PATH "/d") == -EOPNOTSUPP, "it has directories");
	EXPECT_OR(out, run("collapse " TINY_PATH "/a 0 4096") == -EOPNOTSUPP, "it moves blocks");
	EXPECT_OR(out, run("fallocate " TINY_PATH "/a 0 4096") == -EOPNOTSUPP, "it allocates");
	EXPECT_OR(out, !check_all(), "an invariant is violated");
	EXPECT_OR(out, !run("truncate " TINY_PATH "/a 4096"), "not cut");
	second_page(TINY_PATH "/a", &size);
	EXPECT_OR(out, size == PAGE_SIZE, "%lu bytes", size);
	EXPECT_OR(out, !run("rm " TINY_PATH "/a"), "not removed");
	EXPECT_OR(out, run("stat " TINY_PATH "/a") == -ENOENT, "it is still there");
	EXPECT_OR(out, !run("write " TINY_PATH "/b 0 x"), "the next one is not written");
out:
	EXPECT(!run("umount " TINY_PATH), "not unmounted");
}

SELFTEST(layer_open_and_removed, "layer.open-and-removed",
	 "a file that is removed while it is mapped lives until its mapping goes, in any layer")
{
	struct dax_fs *fs;
	struct dax_inode *f = NULL;
	uint64_t va = 0;
	const char *why;
	unsigned free_before;

	if (tiny_mount(LIFETIME_DEFAULT, &fs, &why))
		SKIP("%s", why);
	free_before = tiny_free_blocks(fs);
	EXPECT_OR(out, !run("write " TINY_PATH "/a 0 text") && !dax_open(TINY_PATH "/a", false, &f),
		  "no file: %s", refusal());
	EXPECT_OR(out, !dax_mmap(current_mm(), f, 0, 1, true, &va), "not mapped: %s", refusal());
	EXPECT_OR(out, !run("rm " TINY_PATH "/a"), "not removed");
	EXPECT_OR(out, *(volatile char *)va == 't' && tiny_free_blocks(fs) == free_before - 1,
		  "its block went with its name");
out:
	if (va)
		mm_unmap(current_mm(), va, PAGE_SIZE);
	if (f)
		dax_put(f);
	EXPECT(tiny_free_blocks(fs) == free_before, "%u of %u blocks are free again",
	       tiny_free_blocks(fs), free_before);
	tiny_umount();
}

SELFTEST(layer_refusals, "layer.refusals",
	 "an unknown layer is refused, and one that overwrites is kept from a device with data")
{
	struct pmem_region *r = pmem_find("pmem0");

	if (!r || !pmem_is_present(r) || !pmem_may_overwrite(r))
		SKIP("pmem0 holds nothing that could be lost");
	EXPECT(run("mount pmem0 " TINY_PATH " layer=ext5") == -EINVAL, "it knows ext5");
	EXPECT(run("mount pmem0 " TINY_PATH " layer=tinyfs") == -EINVAL, "it overwrote pmem0");
}
