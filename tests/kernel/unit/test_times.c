/* SPDX-License-Identifier: MIT */
/* Self-tests: mtime and ctime follow what changes a file, stores through mappings too (times.*). */
#include "dax/layer/internal.h"
#include "dax/ext4/internal.h"
#include "dax/file/internal.h"
#include "tests/kernel/lib/huge.h"

#define OLD 1000u /* seconds: long ago */

static void make_old(struct dax_inode *f)
{
	ext4_inode_of(f)->raw->i_mtime = ext4_inode_of(f)->raw->i_ctime = OLD;
}

static bool is_new(const struct dax_inode *f)
{
	return ext4_inode_of(f)->raw->i_mtime > OLD && ext4_inode_of(f)->raw->i_ctime > OLD;
}

static bool is_old(const struct dax_inode *f)
{
	return ext4_inode_of(f)->raw->i_mtime == OLD && ext4_inode_of(f)->raw->i_ctime == OLD;
}

SELFTEST(times_store, "times.store-through-a-mapping",
	 "a store through a shared mapping, by 4 KiB or 2 MiB, changes mtime and ctime at the next "
	 "fsync; a load, a private store and an fsync without a store change nothing")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t small = fx_map(&fx, "f", 2, 'a'), large = map_huge(&fx, "h", 1), own;
	bool small_new, large_new, kept, again;
	struct dax_inode *f;

	EXPECT_OR(out, small && large && level_at(large) == 2, "not mapped");
	f = fx.inode[0];
	dax_fsync(f);
	dax_fsync(fx.inode[1]);
	make_old(f);
	make_old(fx.inode[1]);
	own = 0;
	EXPECT_OR(out, !dax_mmap_private(current_mm(), f, 0, 2, true, &own), "no private mapping");
	*at(own) = 'p';
	kept = *at(PAGE(small, 1)) == 'a' && !dax_fsync(f) && is_old(f);
	unmap(own, 2);
	*at(small) = *at(large) = 'x';
	small_new = !dax_fsync(f) && is_new(f);
	large_new = !dax_fsync(fx.inode[1]) && is_new(fx.inode[1]);
	make_old(f);
	kept &= !dax_fsync(f) && is_old(f);
	*at(small) = 'y'; /* the page was write-protected: it faults and counts again */
	again = !dax_fsync(f) && is_new(f);
	EXPECT_OR(out, small_new && large_new && again, "4 KiB %d, 2 MiB %d, again %d", small_new,
		  large_new, again);
	EXPECT_OR(out, kept, "changed without a store");
out:
	fixture_end(&fx);
}

SELFTEST(times_asked, "times.asked-before-fsync",
	 "who asks for the times sees a store that was not synced, once; the fsync after that "
	 "changes them no more; a part's fsync does not lose a store to another part")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	uint64_t va = fx_map(&fx, "f", 2, 'a');
	bool asked, same, part;
	struct dax_inode *f;

	EXPECT_OR(out, va, "not mapped");
	f = fx.inode[0];
	dax_fsync(f);
	make_old(f);
	*at(va) = *at(PAGE(va, 1)) = 'x';
	mutex_lock(&fx.fs->lock);
	asked = !times_tell(f) && is_new(f);
	mutex_unlock(&fx.fs->lock);
	make_old(f);
	same = !dax_fsync_range(f, 0, 1) && is_old(f);
	*at(PAGE(va, 1)) = 'y'; /* still writable: no fault, and no note */
	part = !dax_fsync(f) && is_new(f);
	EXPECT_OR(out, asked && same && part, "asked %d, same %d, part %d", asked, same, part);
out:
	fixture_end(&fx);
}

static int do_write(struct dax_inode *f)
{
	return dax_write(f, 0, "x", 1) == 1 ? 0 : -EIO;
}

static int do_truncate(struct dax_inode *f)
{
	return dax_truncate(f, 3 * PAGE_SIZE);
}

static int do_punch(struct dax_inode *f)
{
	return dax_punch(f, PAGE_SIZE, PAGE_SIZE);
}

static int do_punch_part(struct dax_inode *f)
{
	return dax_punch(f, 100, 100);
}

static int do_fallocate(struct dax_inode *f)
{
	return dax_fallocate(f, PAGE_SIZE, PAGE_SIZE, false);
}

static int do_zero(struct dax_inode *f)
{
	return dax_zero_range(f, 0, PAGE_SIZE, false);
}

static int do_collapse(struct dax_inode *f)
{
	return dax_collapse(f, 0, PAGE_SIZE);
}

static int do_insert(struct dax_inode *f)
{
	return dax_insert(f, 0, PAGE_SIZE);
}

SELFTEST(times_changes, "times.every-change",
	 "write, truncate, punch of a page or a part of one, fallocate, zero, collapse and insert "
	 "change mtime and ctime at once")
{
	static int (*const change[])(struct dax_inode *) = {
		do_write, do_truncate,	do_punch,    do_punch_part,
		do_zero,  do_fallocate, do_collapse, do_insert};
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 4, 'a');

	EXPECT_OR(out, f, "no file");
	for (unsigned i = 0; i < ARRAY_SIZE(change); i++) {
		int err;

		make_old(f);
		err = change[i](f);
		EXPECT_OR(close, !err && is_new(f), "change %u: error %d, mtime %u", i, err,
			  ext4_inode_of(f)->raw->i_mtime);
	}
close:
	dax_put(f);
out:
	fixture_end(&fx);
}

/* A second name, as another system may have made it. */
static int name_again(struct ext4_inode *root, struct ext4_inode *ip, const char *name)
{
	int err = ext4_begin(ip->fs);

	if (!err)
		err = ext4_dir_add(root, name, ip->ino, EXT4_FT_REG);
	if (!err)
		ext4_store_links(ip, 2);
	return err;
}

static void names_go(struct selftest_run *t, struct dax_inode *f, struct ext4_inode *root)
{
	struct ext4_inode *ip = ext4_inode_of(f);
	int err = name_again(root, ip, "g");

	for (uint32_t left = 2; !err && left-- > 0;) {
		make_old(f);
		root->raw->i_mtime = root->raw->i_ctime = OLD;
		err = dax_unlink(left ? SCRATCH_PATH "/g" : SCRATCH_PATH "/f");
		if (err)
			break;
		EXPECT(ip->raw->i_ctime > OLD, "ctime of a file that lost a name is %u",
		       ip->raw->i_ctime);
		EXPECT(ip->raw->i_mtime == OLD, "mtime of a file that lost a name is %u",
		       ip->raw->i_mtime);
		EXPECT(root->raw->i_mtime > OLD && root->raw->i_ctime > OLD,
		       "a directory lost a name: mtime %u, ctime %u", root->raw->i_mtime,
		       root->raw->i_ctime);
		EXPECT(ip->links == left && (ip->fs->sb->s_last_orphan == ip->ino) == !left,
		       "%u name(s) left: %u link(s), the list begins with inode %u", left,
		       ip->links, ip->fs->sb->s_last_orphan);
	}
	EXPECT(!err, "error %d", err);
}

SELFTEST(
	times_names, "times.name-goes",
	"a name that goes changes ctime of the file and mtime and ctime of its directory; only the "
	"last one puts the file on the list of those without a name")
{
	FIXTURE(fx, LIFETIME_DEFAULT);
	struct dax_inode *f = scratch_file("f", 1, 'a');
	struct ext4_inode *root = NULL;
	int err = f ? ext4_iget(ext4_inode_of(f)->fs, EXT4_ROOT_INO, &root) : -EIO;

	EXPECT(!err, "error %d", err);
	if (!err) {
		names_go(t, f, root);
		ext4_iput(root);
	}
	if (f)
		dax_put(f);
	fixture_end(&fx);
}
