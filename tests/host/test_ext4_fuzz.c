/* SPDX-License-Identifier: MIT */
/*
 * 4,000 seeded mutations of superblock, descriptors, inodes and everything else: whatever they
 * hit, mount refuses with a sentence and changes no byte, or the file layer goes on; nothing is
 * touched outside of the image (ASan, UBSan) and nothing hangs.  FUZZ_SEED=N tries other mutations.
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

static struct image im;
static uint8_t buf[1 << 20];

static int drop(void **state)
{
	(void)state;
	image_drop(&im);
	return 0;
}

static uint32_t rng(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

/* Look at everything and change something, whatever comes back. */
static void use_it(void)
{
	struct ext4_inode *root, *ip, *victim;
	struct ext4_dirent_info info;
	struct ext4_map map;
	uint64_t pos = 0;

	ext4_check(im.fs, NULL, NULL);
	if (ext4_iget(im.fs, 2, &root))
		return;
	for (int i = 0; i < 100 && ext4_readdir(root, &pos, &info) == 1; i++) {
		if (ext4_lookup(root, info.name, &ip))
			continue;
		ext4_read(ip, 0, buf, sizeof(buf));
		if ((ip->mode & EXT4_S_IFMT) == EXT4_S_IFREG) {
			ext4_write(ip, 5000, "mutant", 6);
			ext4_map_blocks(ip, 1, 5, EXT4_MAP_CREATE, &map);
			ext4_punch_hole(ip, 100, 30000);
			ext4_truncate(ip, 4097);
		}
		ext4_iput(ip);
	}
	ext4_create(root, "fresh", 0644, NULL);
	ext4_mkdir(root, "newdir", 0755, NULL);
	if (!ext4_unlink(root, "f", &victim) && ext4_iput(victim))
		ext4_evict(victim);
	ext4_iput(root);
}

/* As after a cut in a mount of ours, or of another system. */
static void left_dirty(bool ours)
{
	struct ext4_super *sb = (struct ext4_super *)(im.base + 1024);

	sb->s_state = 0;
	if (ours)
		sb->s_mark = ext4_mark_of(sb);
}

static void random_mutations(void **state)
{
	const char *other = getenv("FUZZ_SEED");
	uint32_t seed = other ? (uint32_t)strtoul(other, NULL, 0) | 1 : 20240229, mounted = 0;
	uint8_t *keep = malloc(4 << 20), *before = malloc(4 << 20);
	uint64_t meta;

	(void)state;
	image_make(&im, 4, OURS);
	image_up(&im);
	for (int i = 0; i < 12; i++) {
		char path[16];
		struct ext4_inode *ip;

		snprintf(path, sizeof(path), i ? "/f%d" : "/f", i);
		ip = im_create(&im, path);
		for (int b = 0; b < (i == 3 ? 60 : 3); b++)
			im_write(ip, b * 8192ull, "block", 5);
		im_put(ip);
	}
	image_down(&im);
	memcpy(keep, im.base, 4 << 20);
	meta = (uint64_t)((struct ext4_group_desc *)(keep + 4096))->bg_inode_table_lo * 4096;
	for (int round = 0; round < 4000; round++) {
		uint32_t n = 1 + rng(&seed) % 6;

		memcpy(im.base, keep, 4 << 20);
		while (n--) {
			/* superblock, descriptors, used inodes, or anywhere */
			static const uint32_t span[] = {264, 32, 24 * 256, 4 << 20};
			const uint64_t from[] = {1024, 4096, meta, 0};
			uint32_t kind = rng(&seed) % 4;

			im.base[from[kind] + rng(&seed) % span[kind]] ^= 1u << rng(&seed) % 8;
		}
		if (rng(&seed) % 4 == 0) /* let repair have its share, of both kinds */
			left_dirty(rng(&seed) % 2);
		memcpy(before, im.base, 4 << 20);
		if (image_mount(&im)) {
			assert_true(im.why[0]);
			if (memcmp(before, im.base, 4 << 20))
				fail_msg("round %d: refused, yet bytes changed: %s", round, im.why);
			continue;
		}
		mounted++;
		use_it();
		if (ext4_unmount(im.fs)) { /* damage may keep an inode from being put */
			fail_msg("round %d: %s", round, ext4_why(im.fs));
		}
		im.fs = NULL;
	}
	free(keep);
	free(before);
	assert_true(mounted >= 500 && mounted <= 3900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(random_mutations, drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
