/* SPDX-License-Identifier: MIT */
/*
 * The name index and the table of held inodes: they say what a walk of the device says, whatever
 * happened in between, and whatever memory there is.
 *
 * A directory is looked into twice before each comparison, so that its index is there; readdir
 * knows nothing of it and is the truth.
 */
/* LINK: tests/host/ext4_image.c dax/ext4/[a-z]*.c */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dax/ext4/internal.h"
#include "tests/host/ext4_image.h"

#define NAMES 1500

static struct image im;
static uint32_t seed;
static bool there[NAMES];

static uint32_t rnd(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 17;
	seed ^= seed << 5;
	return seed % n;
}

static int up(void **state)
{
	(void)state;
	image_make(&im, 32, OURS " -N 12288");
	image_up(&im);
	seed = 4711;
	memset(there, 0, sizeof(there));
	return 0;
}

static int down(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

/* Names of 4 to 150 bytes; those of one length differ at their begin, or at their end only. */
static const char *name_of(unsigned n)
{
	static char name[200];
	char fill[160];

	memset(fill, 'x', sizeof(fill));
	fill[n * 7 % 146] = '\0';
	snprintf(name, sizeof(name), n % 2 ? "%2$s%1$04u" : "%1$04u%2$s", n, fill);
	return name;
}

static int find(struct ext4_inode *dir, const char *name, uint32_t *ino)
{
	struct ext4_slot slot;
	int err = ext4_dir_find(dir, name, &slot);

	if (!err)
		*ino = slot.de->inode;
	return err;
}

static struct ext4_names *index_of(struct ext4_inode *dir)
{
	uint32_t ino;

	find(dir, ".", &ino);
	find(dir, ".", &ino);
	return dir->fs->names;
}

/* Every name that readdir shows is found, with its inode, and no other one of ours. */
static void agree(struct ext4_inode *dir)
{
	struct ext4_dirent_info info;
	unsigned shown = 0, expected = 0;
	uint64_t pos = 0;
	uint32_t ino;
	int got;

	while ((got = ext4_readdir(dir, &pos, &info)) == 1) {
		assert_int_equal(find(dir, info.name, &ino), 0);
		assert_int_equal(ino, info.ino);
		shown += info.len > 2;
	}
	assert_int_equal(got, 0);
	for (unsigned n = 0; n < NAMES; n++) {
		assert_int_equal(find(dir, name_of(n), &ino), there[n] ? 0 : -ENOENT);
		expected += there[n];
	}
	assert_int_equal(shown, expected);
}

static void make_name(struct ext4_inode *dir, unsigned n)
{
	assert_int_equal(ext4_create(dir, name_of(n), 0644, NULL), there[n] ? -EEXIST : 0);
	there[n] = true;
}

static void remove_name(struct ext4_inode *dir, unsigned n)
{
	struct ext4_inode *victim;
	int err = ext4_unlink(dir, name_of(n), &victim);

	assert_int_equal(err, there[n] ? 0 : -ENOENT);
	there[n] = false;
	if (!err && ext4_iput(victim))
		assert_int_equal(ext4_evict(victim), 0);
}

static void rename_one(struct ext4_inode *dir, unsigned n, unsigned m)
{
	char from[200];
	int err;

	snprintf(from, sizeof(from), "%s", name_of(n));
	err = ext4_rename(dir, from, dir, name_of(m));
	assert_int_equal(err, !there[n] ? -ENOENT : there[m] ? -EEXIST : 0);
	if (!err) {
		there[n] = false;
		there[m] = true;
	}
}

static void at_random(struct ext4_inode *dir, unsigned steps, unsigned creations)
{
	while (steps--) {
		unsigned what = rnd(10);

		if (what < creations)
			make_name(dir, rnd(NAMES));
		else if (what == 9)
			rename_one(dir, rnd(NAMES), rnd(NAMES));
		else
			remove_name(dir, rnd(NAMES));
	}
}

static struct ext4_inode *folder(const char *path)
{
	im_mkdir(&im, path);
	return im_open(&im, path);
}

static void says_what_a_walk_says(void **state)
{
	struct ext4_inode *dir = folder("/d");

	(void)state;
	for (unsigned round = 0; round < 12; round++) {
		at_random(dir, 600, round % 3 == 2 ? 2 : 7);
		agree(dir);
	}
	assert_true(dir->size > 8 * EXT4_BLOCK_SIZE);
	assert_non_null(index_of(dir));
	im_put(dir);
	image_check(&im);
	dir = im_open(&im, "/d"); /* a fresh mount, a fresh index */
	assert_null(im.fs->names);
	agree(dir);
	at_random(dir, 600, 5);
	agree(dir);
	im_put(dir);
	image_check(&im);
}

/* Two directories, and names that move between them. */
static void follows_a_name_to_another_directory(void **state)
{
	struct ext4_inode *a = folder("/a"), *b = folder("/b");
	uint32_t ino;

	(void)state;
	for (unsigned n = 0; n < NAMES; n++)
		make_name(a, n);
	agree(a);
	for (unsigned n = 0; n < NAMES; n += 2) {
		assert_int_equal(ext4_rename(a, name_of(n), b, name_of(n)), 0);
		assert_int_equal(find(a, name_of(n), &ino), -ENOENT);
		assert_int_equal(find(b, name_of(n), &ino), 0);
		there[n] = false;
	}
	agree(a);
	for (unsigned n = 0; n < NAMES; n++)
		there[n] = !there[n];
	agree(b);
	im_put(a);
	im_put(b);
	image_check(&im);
}

/* The number of a directory that was removed is another one's: nothing of the first is found. */
static void forgets_a_removed_directory(void **state)
{
	struct ext4_inode *dir = folder("/d"), *root = im_open(&im, "/"), *victim;
	uint32_t number = dir->ino, ino;

	(void)state;
	for (unsigned n = 0; n < 300; n++)
		make_name(dir, n);
	agree(dir);
	for (unsigned n = 0; n < 300; n++)
		remove_name(dir, n);
	assert_non_null(index_of(dir));
	im_put(dir);
	assert_int_equal(ext4_rmdir(root, "d", &victim), 0);
	if (ext4_iput(victim))
		assert_int_equal(ext4_evict(victim), 0);
	assert_null(im.fs->names); /* memory is given back at once */
	dir = folder("/e");
	assert_int_equal(dir->ino, number);
	for (unsigned n = 300; n < 600; n++)
		make_name(dir, n);
	agree(dir);
	assert_int_equal(find(dir, name_of(0), &ino), -ENOENT);
	im_put(dir);
	im_put(root);
	image_check(&im);
}

/* The place of names that went is used for others: the directory does not grow for them. */
static void uses_gaps_again(void **state)
{
	struct ext4_inode *dir = folder("/d");
	uint64_t size;

	(void)state;
	for (unsigned n = 0; n < NAMES; n++)
		make_name(dir, n);
	size = dir->size;
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned n = 0; n < NAMES; n++)
			remove_name(dir, n);
		for (unsigned n = 0; n < NAMES; n++)
			make_name(dir, n);
		assert_int_equal(dir->size, size);
	}
	agree(dir);
	im_put(dir);
	image_check(&im);
}

/* An index of an inode that had the number before, by whatever way it is still there. */
static void knows_an_older_generation(void **state)
{
	struct ext4_inode *dir = folder("/d");
	struct ext4_slot slot;
	uint32_t ino;

	(void)state;
	for (unsigned n = 0; n < 300; n++)
		make_name(dir, n);
	assert_non_null(index_of(dir));
	assert_int_equal(ext4_dir_find(dir, name_of(6), &slot), 0);
	slot.de->name[1] = 'X'; /* nobody is told */
	assert_int_equal(find(dir, "0X06xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &ino),
			 -ENOENT);
	dir->raw->i_generation++;
	assert_int_equal(find(dir, "0X06xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &ino), 0);
	assert_int_equal(find(dir, "0X06xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", &ino), 0);
	assert_int_equal(im.fs->names_nr, 1);
	im_put(dir);
	image_check(&im);
}

/* No byte more than allowed: directories are walked, and give their tables up. */
static void keeps_its_bounds(void **state)
{
	struct ext4_inode *dir = folder("/d");
	size_t bytes;

	(void)state;
	for (unsigned n = 0; n < NAMES / 2; n++)
		make_name(dir, n);
	agree(dir);
	bytes = im.fs->names_bytes;
	assert_true(bytes > 0 && bytes <= EXT4_NAMES_BYTES);
	im.fs->names_bytes = EXT4_NAMES_BYTES; /* as if others had them, and would not go */
	for (unsigned n = NAMES / 2; n < NAMES; n++)
		make_name(dir, n); /* the table would have to grow */
	assert_int_equal(im.fs->names_bytes, EXT4_NAMES_BYTES - bytes);
	im.fs->names_bytes = 0;
	agree(dir);
	assert_int_equal(im.fs->names_bytes, 0); /* too large for good */
	im_put(dir);
	image_check(&im);
}

/* Of many directories those that were looked into last have an index. */
static void drops_the_oldest(void **state)
{
	struct ext4_inode *dir;
	char path[32];

	(void)state;
	for (unsigned d = 0; d < EXT4_NAMES_MAX + 20; d++) {
		snprintf(path, sizeof(path), "/d%u", d);
		dir = folder(path);
		memset(there, 0, sizeof(there));
		for (unsigned n = 0; dir->size == EXT4_BLOCK_SIZE; n++)
			if (strlen(name_of(n)) > 120)
				make_name(dir, n);
		assert_non_null(index_of(dir));
		assert_true(im.fs->names_nr <= EXT4_NAMES_MAX);
		im_put(dir);
	}
	assert_int_equal(im.fs->names_nr, EXT4_NAMES_MAX);
	dir = im_open(&im, "/d0"); /* had one long ago */
	agree(dir);
	assert_int_equal(im.fs->names_nr, EXT4_NAMES_MAX);
	im_put(dir);
	image_check(&im);
}

/* A damaged entry: what comes before it is found, what is not there is an error and no crash. */
static void walks_up_to_the_damage(void **state)
{
	struct ext4_inode *dir = folder("/d");
	struct ext4_slot slot;
	uint32_t ino;
	uint16_t len;

	(void)state;
	for (unsigned n = 0; n < 300; n++)
		make_name(dir, n);
	im_put(dir);
	image_down(&im);
	image_up(&im);
	dir = im_open(&im, "/d");
	assert_int_equal(ext4_dir_find(dir, name_of(299), &slot), 0);
	len = slot.de->rec_len;
	slot.de->rec_len = 6;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(find(dir, name_of(1), &ino), 0);
		assert_int_equal(find(dir, "absent", &ino), -EIO);
		assert_non_null(strstr(ext4_why(im.fs), "damaged"));
	}
	slot.de->rec_len = len;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(find(dir, "absent", &ino), -ENOENT);
	slot.de->rec_len = 6; /* now it is in the index */
	assert_int_equal(find(dir, name_of(299), &ino), -EIO);
	slot.de->rec_len = len;
	for (unsigned n = 250; n < 300; n++) /* none of its block is in it twice */
		remove_name(dir, n);
	agree(dir);
	im_put(dir);
	image_check(&im);
}

/* As many open files as there are inodes: each is found, the same one. */
static void holds_many_inodes(void **state)
{
	struct ext4_inode *dir = folder("/d"), *ip[NAMES], *again;

	(void)state;
	for (unsigned n = 0; n < NAMES; n++)
		assert_int_equal(ext4_create(dir, name_of(n), 0644, &ip[n]), 0);
	assert_true(im.fs->held_nr > NAMES && 1u << im.fs->held_bits >= im.fs->held_nr);
	for (unsigned n = 0; n < NAMES; n++) {
		assert_int_equal(ext4_lookup(dir, name_of(n), &again), 0);
		assert_ptr_equal(again, ip[n]);
		im_put(again);
	}
	assert_int_equal(ext4_unmount(im.fs), -EBUSY);
	for (unsigned n = 0; n < NAMES; n++)
		im_put(ip[(n * 7 + 3) % NAMES]);
	im_put(dir);
	assert_int_equal(im.fs->held_nr, 0);
	image_check(&im);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_what_a_walk_says, up, down),
		cmocka_unit_test_setup_teardown(follows_a_name_to_another_directory, up, down),
		cmocka_unit_test_setup_teardown(forgets_a_removed_directory, up, down),
		cmocka_unit_test_setup_teardown(uses_gaps_again, up, down),
		cmocka_unit_test_setup_teardown(knows_an_older_generation, up, down),
		cmocka_unit_test_setup_teardown(keeps_its_bounds, up, down),
		cmocka_unit_test_setup_teardown(drops_the_oldest, up, down),
		cmocka_unit_test_setup_teardown(walks_up_to_the_damage, up, down),
		cmocka_unit_test_setup_teardown(holds_many_inodes, up, down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
