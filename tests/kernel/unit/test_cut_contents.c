/* SPDX-License-Identifier: MIT */
/* Self-tests: the power fails at every moment of a change of a file's blocks (cut.*). */
#include "dax/ext4/internal.h"
#include "tests/kernel/lib/cut_test.h"

#define B EXT4_BLOCK_SIZE

/* /f with every second block of `blocks`, from the end, so that no two are written as one. */
static int holey(struct ext4_fs *fs, unsigned blocks)
{
	int err = cut_create(fs, "/f");

	for (unsigned i = 0; !err && i < blocks; i += 2)
		err = cut_write(fs, "/f", i * B, B, (char)('a' + i));
	return err;
}

static int on_f(struct ext4_fs *fs, int (*fn)(struct ext4_inode *ip, uint64_t off, uint64_t len),
		uint64_t off, uint64_t len)
{
	struct ext4_inode *ip;
	int err = ext4_walk(fs, "/f", &ip);

	if (err)
		return err;
	err = fn(ip, off, len);
	ext4_iput(ip);
	return err;
}

static int truncate_to(struct ext4_inode *ip, uint64_t off, uint64_t len)
{
	(void)len;
	return ext4_truncate(ip, off);
}

/* ---- blocks that come --------------------------------------------------------------------- */

static int empty(struct ext4_fs *fs)
{
	return cut_create(fs, "/f");
}

static int write_first(struct ext4_fs *fs)
{
	return cut_write(fs, "/f", 0, 6000, 'x');
}

CUT_TEST(write, "cut.write", "an empty file gets its first blocks: bytes before blocks before size",
	 .before = empty, .change = write_first)

static int three(struct ext4_fs *fs)
{
	int err = holey(fs, 1);

	return err ? err : cut_write(fs, "/f", B, 100, 'y');
}

static int append(struct ext4_fs *fs)
{
	return cut_write(fs, "/f", B + 100, 2 * B, 'z');
}

CUT_TEST(append, "cut.append",
	 "a file grows behind its last byte, in its last block and into new ones", .before = three,
	 .change = append)

/* Blocks 0, 2 and 4: three records, all in the root. */
static int three_apart(struct ext4_fs *fs)
{
	return holey(fs, 5);
}

static int write_between(struct ext4_fs *fs)
{
	return cut_write(fs, "/f", B, B, 'y');
}

CUT_TEST(between, "cut.write-between",
	 "a hole is filled: the records of the root are replaced in one step",
	 .before = three_apart, .change = write_between)

/* Gives the file an owner whose number has more than 16 bits: those stand at the inode's end. */
static int give_away(struct ext4_fs *fs, const char *path)
{
	struct ext4_inode *ip;
	int err = ext4_walk(fs, path, &ip);

	if (err)
		return err;
	ip->raw->i_uid_hi = ip->raw->i_gid_hi = 1;
	pm_wb(fs, ip->raw, sizeof(*ip->raw));
	pm_fence(fs);
	ext4_iput(ip);
	return 0;
}

static int three_of_a_high_owner(struct ext4_fs *fs)
{
	int err = three_apart(fs);

	return err ? err : give_away(fs, "/f");
}

CUT_TEST(high_owner, "cut.write-between-high-owner",
	 "the same, and the image of the inode counts to its last byte",
	 .before = three_of_a_high_owner, .change = write_between)

static int four_apart(struct ext4_fs *fs)
{
	return holey(fs, 8);
}

static int write_fifth(struct ext4_fs *fs)
{
	return cut_write(fs, "/f", 8 * B, B, 'y');
}

CUT_TEST(level, "cut.grow-level", "a fifth extent: the root's records move into a block",
	 .before = four_apart, .change = write_fifth)

static int unwritten(struct ext4_fs *fs)
{
	struct ext4_inode *ip;
	int err = cut_create(fs, "/f");

	err = err ? err : ext4_walk(fs, "/f", &ip);
	if (err)
		return err;
	err = ext4_fallocate(ip, 0, 9 * B, 0);
	ext4_iput(ip);
	return err;
}

static int write_middle(struct ext4_fs *fs)
{
	return cut_write(fs, "/f", 4 * B + 7, B, 'y');
}

CUT_TEST(unwritten, "cut.write-unwritten",
	 "blocks without contents get some: one extent becomes three", .before = unwritten,
	 .change = write_middle)

/* ---- blocks that go ----------------------------------------------------------------------- */

static int nine(struct ext4_fs *fs)
{
	int err = cut_create(fs, "/f");

	return err ? err : cut_write(fs, "/f", 0, 9 * B, 'n');
}

static int punch(struct ext4_fs *fs)
{
	return on_f(fs, ext4_punch_hole, 3 * B, 2 * B);
}

CUT_TEST(punch, "cut.punch", "a hole in the middle of an extent, which becomes two", .before = nine,
	 .change = punch)

static int cut_short(struct ext4_fs *fs)
{
	return on_f(fs, truncate_to, 2 * B + 5, 0);
}

CUT_TEST(truncate, "cut.truncate", "a file is cut in the middle of a block", .before = nine,
	 .change = cut_short)

static int short_file(struct ext4_fs *fs)
{
	int err = nine(fs);

	return err ? err : cut_short(fs);
}

static int grow(struct ext4_fs *fs)
{
	return on_f(fs, truncate_to, 6 * B, 0);
}

CUT_TEST(grow, "cut.truncate-grow", "a file grows and shows zeroes, not what it had there before",
	 .before = short_file, .change = grow)

static int many(struct ext4_fs *fs)
{
	return holey(fs, 12);
}

static int cut_level(struct ext4_fs *fs)
{
	return on_f(fs, truncate_to, 3 * B, 0);
}

CUT_TEST(shrink, "cut.shrink-level", "few records are left, and the tree loses a level",
	 .before = many, .change = cut_level)

static int between_and_append(struct ext4_fs *fs)
{
	int err = write_between(fs);

	return err ? err : cut_write(fs, "/f", 5 * B, B, 'z');
}

CUT_TEST(later, "cut.after-a-commit",
	 "what changes an inode behind a replacement of it is not undone by the next repair",
	 .before = three_apart, .change = between_and_append)

/* ---- blocks that move --------------------------------------------------------------------- */

static int collapse(struct ext4_fs *fs)
{
	return on_f(fs, ext4_collapse_range, B, 2 * B);
}

CUT_TEST(collapse, "cut.collapse", "blocks leave the middle, and what is behind moves up",
	 .before = three_apart, .change = collapse)

static int insert(struct ext4_fs *fs)
{
	return on_f(fs, ext4_insert_range, B, 2 * B);
}

CUT_TEST(insert, "cut.insert", "a hole comes into the middle, and what is behind moves back",
	 .before = nine, .change = insert)

static int two_files(struct ext4_fs *fs)
{
	int err = nine(fs);

	err = err ? err : cut_create(fs, "/g");
	return err ? err : cut_write(fs, "/g", 0, 4 * B, 'g');
}

static int exchange(struct ext4_fs *fs)
{
	struct ext4_inode *f, *g;
	int err = ext4_walk(fs, "/f", &f);

	if (err)
		return err;
	err = ext4_walk(fs, "/g", &g);
	if (!err) {
		err = ext4_exchange_range(f, B, g, 0, 2 * B);
		ext4_iput(g);
	}
	ext4_iput(f);
	return err;
}

CUT_TEST(exchange, "cut.exchange", "two files exchange blocks, each in one step with the other",
	 .before = two_files, .change = exchange)

static int two_of_a_high_owner(struct ext4_fs *fs)
{
	int err = two_files(fs);

	err = err ? err : give_away(fs, "/f");
	return err ? err : give_away(fs, "/g");
}

CUT_TEST(exchange_high_owner, "cut.exchange-high-owner",
	 "the same, and the images of both inodes count to their last bytes",
	 .before = two_of_a_high_owner, .change = exchange)

SELFTEST(cut_few_fences, "cut.few-fences",
	 "a change has no more fences than its steps need: each one is a wait for memory")
{
	static const struct cut_fences row[] = {
		{"a first write", {.before = empty, .change = write_first}, 5},
		{"a write between", {.before = three_apart, .change = write_between}, 5},
		{"a punch", {.before = nine, .change = punch}, 5},
		{"a create", {.change = empty}, 8}};

	cut_fences_test(t, row, ARRAY_SIZE(row));
}
