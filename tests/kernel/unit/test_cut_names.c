/* SPDX-License-Identifier: MIT */
/* Self-tests: the power fails at every moment of a change of names (cut.*). */
#include "dax/ext4/internal.h"
#include "tests/kernel/lib/cut_test.h"

/* ---- names that come ---------------------------------------------------------------------- */

static int create_f(struct ext4_fs *fs)
{
	return cut_create(fs, "/f");
}

CUT_TEST(create, "cut.create", "a file is there as a whole, with its name, or not at all",
	 .change = create_f)

static int mkdir_d(struct ext4_fs *fs)
{
	return cut_mkdir(fs, "/d");
}

CUT_TEST(mkdir, "cut.mkdir", "a directory is there with \".\" and \"..\", or not at all",
	 .change = mkdir_d)

/* Names that fill the first block of /d to its end: 24 + 15 * 260 + 172. */
static int crowd(struct ext4_fs *fs)
{
	char path[280] = "/d/";
	int err = cut_mkdir(fs, "/d");

	for (int i = 0; !err && i < 16; i++) {
		const int n = i < 15 ? 250 : 162;

		memset(path + 3, 'a' + i, (size_t)n);
		path[3 + n] = '\0';
		err = cut_create(fs, path);
	}
	return err;
}

static int create_in_d(struct ext4_fs *fs)
{
	return cut_create(fs, "/d/f");
}

CUT_TEST(new_block, "cut.new-block", "a name for which its directory needs one more block",
	 .before = crowd, .change = create_in_d)

static int crowd_two(struct ext4_fs *fs)
{
	int err = crowd(fs);

	err = err ? err : cut_create(fs, "/d/f");
	err = err ? err : cut_create(fs, "/d/g");
	return err ? err : cut_remove(fs, "/d/f");
}

CUT_TEST(reused, "cut.entry-again", "a name where another one was, the first of its block",
	 .before = crowd_two, .change = create_in_d)

/* A name of `n` times c in the directory; it lies in several cache lines if it is long. */
static int create_long(struct ext4_fs *fs, const char *dir, char c, size_t n)
{
	char path[280];
	int at = snprintf(path, sizeof(path), "%s/", dir);

	memset(path + at, c, n);
	path[(size_t)at + n] = '\0';
	return cut_create(fs, path);
}

static int long_in_root(struct ext4_fs *fs)
{
	return create_long(fs, "", 'n', 200);
}

/* Breaks it: the first line of an entry alone is written back. */
CUT_TEST(create_long, "cut.create-long", "a name that lies in four lines of the cache",
	 .change = long_in_root)

/* The first entry of a block is free, and has 108 bytes. */
static int free_and_long(struct ext4_fs *fs)
{
	char path[] = "/d/"
		      "ffffffffffffffffffffffffffffffffffffffffffffffffff"
		      "ffffffffffffffffffffffffffffffffffffffffffffffffff";
	int err = crowd(fs);

	err = err ? err : cut_create(fs, path);
	err = err ? err : cut_create(fs, "/d/g");
	return err ? err : cut_remove(fs, path);
}

static int shorter_in_d(struct ext4_fs *fs)
{
	return create_long(fs, "/d", 's', 70);
}

/* Breaks it: a free entry becomes as short as its new name, and what follows it is no entry. */
CUT_TEST(reused_longer, "cut.entry-longer",
	 "a name where a longer one was, with another one behind it", .before = free_and_long,
	 .change = shorter_in_d)

/* ---- names that move ---------------------------------------------------------------------- */

static int file_f(struct ext4_fs *fs)
{
	int err = cut_create(fs, "/f");

	return err ? err : cut_write(fs, "/f", 0, 5000, 'f');
}

static int rename_f(struct ext4_fs *fs)
{
	return cut_rename(fs, "/f", "/another-name");
}

CUT_TEST(rename, "cut.rename", "a file has its old name, its new one, or both", .before = file_f,
	 .change = rename_f)

static int file_and_dir(struct ext4_fs *fs)
{
	int err = file_f(fs);

	return err ? err : cut_mkdir(fs, "/d");
}

static int rename_away(struct ext4_fs *fs)
{
	return cut_rename(fs, "/f", "/d/f");
}

CUT_TEST(rename_away, "cut.rename-away", "the same where the two names stand in two directories",
	 .before = file_and_dir, .change = rename_away)

static int dirs(struct ext4_fs *fs)
{
	int err = cut_mkdir(fs, "/d");

	err = err ? err : cut_mkdir(fs, "/d/e");
	err = err ? err : cut_create(fs, "/d/e/f");
	return err ? err : cut_mkdir(fs, "/g");
}

static int move_e(struct ext4_fs *fs)
{
	return cut_rename(fs, "/d/e", "/g/e");
}

CUT_TEST(move, "cut.rename-dir", "a directory moves, with what is in it", .before = dirs,
	 .change = move_e)

/* ---- names that go ------------------------------------------------------------------------ */

static int remove_f(struct ext4_fs *fs)
{
	return cut_remove(fs, "/f");
}

CUT_TEST(remove, "cut.remove",
	 "a file is there, or gone with its blocks; repair finds nothing lost", .before = file_f,
	 .change = remove_f)

static int remove_d(struct ext4_fs *fs)
{
	return cut_remove(fs, "/d");
}

CUT_TEST(rmdir, "cut.rmdir", "a directory is there, or gone with its block", .before = mkdir_d,
	 .change = remove_d)

static int crowd_one(struct ext4_fs *fs)
{
	int err = crowd(fs);

	return err ? err : cut_create(fs, "/d/f");
}

static int remove_in_d(struct ext4_fs *fs)
{
	return cut_remove(fs, "/d/f");
}

CUT_TEST(first_entry, "cut.remove-first-entry", "a name that is the first of its block goes",
	 .before = crowd_one, .change = remove_in_d)

static struct ext4_inode *held[2]; /* files without a name */

static int let_go(void)
{
	int err = 0;

	for (unsigned i = 0; i < 2; i++) {
		if (held[i] && ext4_iput(held[i]))
			err = ext4_evict(held[i]);
		held[i] = NULL;
	}
	return err;
}

static int unlink_held(struct ext4_fs *fs, const char *name, unsigned i)
{
	struct ext4_inode *root;
	int err = ext4_iget(fs, EXT4_ROOT_INO, &root);

	if (err)
		return err;
	err = ext4_unlink(root, name, &held[i]);
	ext4_iput(root);
	return err;
}

static int unlink_f(struct ext4_fs *fs)
{
	return unlink_held(fs, "f", 0);
}

static int all_gone(struct ext4_fs *fs)
{
	(void)fs;
	return let_go();
}

CUT_TEST(unlink, "cut.unlink-held",
	 "a file that somebody has open loses its name, and a cut frees it", .before = file_f,
	 .change = unlink_f, .after = all_gone)

static int one_held(struct ext4_fs *fs)
{
	int err = file_f(fs);

	err = err ? err : cut_create(fs, "/g");
	err = err ? err : cut_write(fs, "/g", 0, 9000, 'g');
	return err ? err : unlink_held(fs, "g", 1);
}

CUT_TEST(unlink_two, "cut.unlink-second", "the same while another file without a name is open",
	 .before = one_held, .change = unlink_f, .after = all_gone)

static int evict(struct ext4_fs *fs)
{
	(void)fs;
	return let_go();
}

static int both_held(struct ext4_fs *fs)
{
	int err = one_held(fs);

	return err ? err : unlink_held(fs, "f", 0);
}

CUT_TEST(evict, "cut.evict", "two files without a name are let go: their blocks come back once",
	 .before = both_held, .change = evict, .after = all_gone, .silent = true)

SELFTEST(cut_few_fences_names, "cut.few-fences-of-names",
	 "a name that comes, into a free entry, too, and one that goes have no more fences "
	 "than their steps need")
{
	static const struct cut_fences row[] = {
		{"a create in a free entry", {.before = crowd_two, .change = create_in_d}, 5},
		{"a rename", {.before = file_f, .change = rename_f}, 4},
		{"an unlink", {.before = file_f, .change = unlink_f, .after = all_gone}, 4},
		{"an rmdir", {.before = mkdir_d, .change = remove_d}, 10}};

	cut_fences_test(t, row, ARRAY_SIZE(row));
}

/* ---- the whole device --------------------------------------------------------------------- */

static int sync_all(struct ext4_fs *fs)
{
	return ext4_sync(fs);
}

CUT_TEST(sync, "cut.sync", "a device is marked clean after all else is durable", .before = file_f,
	 .change = sync_all, .silent = true)

static int synced(struct ext4_fs *fs)
{
	int err = file_f(fs);

	return err ? err : ext4_sync(fs);
}

CUT_TEST(dirty, "cut.dirty", "a clean device is marked dirty before its first change",
	 .before = synced, .change = remove_f)

SELFTEST(cut_lost_fences, "cut.lost-fences-are-noticed",
	 "what judges the cuts can fail: fences that do nothing are found out")
{
	static const struct cut_change lost[] = {
		{.change = create_f, .lose_one_in = 1},
		{.change = mkdir_d, .lose_one_in = 1},
		{.before = file_f, .change = rename_f, .lose_one_in = 1},
		{.before = file_f, .change = remove_f, .lose_one_in = 1}};
	struct cut_found found;

	for (unsigned i = 0; i < ARRAY_SIZE(lost); i++) {
		int err = cut_play(&lost[i], &found);

		EXPECT(!err, "%d: %s", err, found.text);
		EXPECT(found.broken, "change %u: none of %u cuts is wrong", i, found.outcomes);
	}
}
