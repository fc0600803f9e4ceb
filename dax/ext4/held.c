/* SPDX-License-Identifier: MIT */
/*
 * The inodes that somebody holds: found by number, in a table that grows with them.
 *
 * There is a bucket for each inode at least, as long as there was memory when it was time to grow;
 * otherwise the chains are longer, and nothing else changes.  Structures that were given back wait
 * for the next inode, EXT4_SPARE of them: a path is walked by taking and giving back a few.
 */
#include "dax/ext4/internal.h"

#define EXT4_SPARE 4u
#define BITS_FIRST 6u

static struct ext4_inode **bucket_of(const struct ext4_fs *fs, uint32_t ino)
{
	return &fs->held[ino & ((1u << fs->held_bits) - 1)];
}

static struct ext4_inode **new_table(uint32_t bits)
{
	return calloc((size_t)1 << bits, sizeof(struct ext4_inode *));
}

int ext4_held_init(struct ext4_fs *fs)
{
	fs->held_bits = BITS_FIRST;
	fs->held = new_table(BITS_FIRST);
	return fs->held ? 0 : ext4_fail(fs, -ENOMEM, "no memory for the mount");
}

void ext4_held_end(struct ext4_fs *fs)
{
	struct ext4_inode *ip;

	while ((ip = fs->spare)) {
		fs->spare = ip->hash_next;
		free(ip);
	}
	free(fs->held);
}

struct ext4_inode *ext4_held(struct ext4_fs *fs, uint32_t ino)
{
	struct ext4_inode *ip = *bucket_of(fs, ino);

	while (ip && ip->ino != ino)
		ip = ip->hash_next;
	return ip;
}

struct ext4_inode *ext4_held_any(struct ext4_fs *fs)
{
	for (uint32_t i = 0; i < 1u << fs->held_bits; i++)
		if (fs->held[i])
			return fs->held[i];
	return NULL;
}

static void insert(struct ext4_inode *ip)
{
	struct ext4_inode **bucket = bucket_of(ip->fs, ip->ino);

	ip->hash_next = *bucket;
	*bucket = ip;
}

static void grow(struct ext4_fs *fs)
{
	struct ext4_inode **old = fs->held, **table = new_table(fs->held_bits + 1), *ip;
	const uint32_t n = 1u << fs->held_bits;

	if (!table)
		return;
	fs->held = table;
	fs->held_bits++;
	for (uint32_t i = 0; i < n; i++)
		while ((ip = old[i])) {
			old[i] = ip->hash_next;
			insert(ip);
		}
	free(old);
}

/* A structure, to be filled by the caller but for its place in the table; NULL: no memory. */
struct ext4_inode *ext4_held_new(struct ext4_fs *fs)
{
	struct ext4_inode *ip = fs->spare;

	if (!ip)
		return malloc(sizeof(*ip));
	fs->spare = ip->hash_next;
	fs->spares--;
	return ip;
}

void ext4_held_add(struct ext4_inode *ip)
{
	struct ext4_fs *fs = ip->fs;

	if (++fs->held_nr > 1u << fs->held_bits)
		grow(fs);
	insert(ip);
}

void ext4_held_remove(struct ext4_inode *ip)
{
	struct ext4_inode **p = bucket_of(ip->fs, ip->ino);

	while (*p != ip)
		p = &(*p)->hash_next;
	*p = ip->hash_next;
	ip->fs->held_nr--;
}

/* The end of a structure that is in the table no more. */
void ext4_held_free(struct ext4_inode *ip)
{
	struct ext4_fs *fs = ip->fs;

	if (fs->spares == EXT4_SPARE) {
		free(ip);
		return;
	}
	ip->hash_next = fs->spare;
	fs->spare = ip;
	fs->spares++;
}
