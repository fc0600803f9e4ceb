/* SPDX-License-Identifier: MIT */
/*
 * The name index: where in a directory its names stand, for a look-up that reads one entry.
 *
 * On the device a directory is blocks of entries, in any order. So the places of a directory of
 * more than one block are kept in memory, in a table of hashes. It belongs to the mount, by inode
 * number, and outlives the look-ups; the device knows nothing of it.
 *
 * The first look-up walks, since many directories are looked into once; the second one reads all
 * blocks into the table. From then on the table holds exactly the names of the blocks before
 * `read`: whoever changes an entry there says so (ext4_names_added, ext4_names_removed), and blocks
 * that were added are read by the next look-up. Beside it stands how large the gaps of each block
 * are at most, so that a new name is not tried in every full block.
 *
 * Nothing depends on the index: without one, or without memory for it, a directory is walked. It
 * names a place only; what is there is checked and compared as on a walk. The tables of a
 * mount have EXT4_NAMES_BYTES together, and there are EXT4_NAMES_MAX at most; the one that was used
 * longest ago goes first, a directory whose own table would be larger is walked from then on.
 */
#include "dax/ext4/internal.h"

#define UNREAD	  UINT16_MAX		 /* how large the gaps of a block are: nobody looked */
#define BLOCK_MAX (EXT4_BLOCK_SIZE / 12) /* names in a block */

/* A place: hash in the upper half, never zero; block and entry, by 4 bytes, in the lower one. A
 * directory has at most 2 GiB, which leaves two bits. */
typedef uint64_t place_t;

struct ext4_names {
	struct ext4_names *next; /* of the mount's, the one that was used last comes first */
	uint32_t ino, generation;
	place_t *table; /* 2^bits places, 0: none; a name stands at its hash or behind. NULL: not
			   yet */
	uint32_t bits, used;
	bool too_large; /* for a table: the directory is walked */
	uint32_t read;	/* blocks that are in the table */
	uint16_t *room; /* of each of the first `rooms` blocks: its gaps are not larger */
	uint32_t rooms;
};

/* A name that is looked for: @tail is its last 8 bytes, or all, as a number.  Whoever compares may
 * read 8 bytes before a name: those of an entry are its numbers. */
struct key {
	char before[8], name[EXT4_NAME_MAX + 1];
	uint32_t len, shift;
	uint64_t tail;
};

static inline uint64_t word_at(const char *p)
{
	typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;

	return *(const word_t *)(const void *)p;
}

static void key_set(struct key *key, const char *name, size_t n)
{
	memset(key->before, 0, sizeof(key->before));
	memcpy(key->name, name, n);
	key->len = (uint32_t)n;
	key->shift = n - 1 < 8 ? 64 - 8 * key->len : 0;
	key->tail = word_at(key->name + n - 8) >> key->shift;
}

static inline bool is_name(const struct ext4_dirent *de, const struct key *key)
{
	return de->name_len == key->len &&
	       word_at(de->name + key->len - 8) >> key->shift == key->tail && de->inode &&
	       (key->len <= 8 || !memcmp(de->name, key->name, key->len));
}

/* ---- the table ------------------------------------------------------------------------------ */

/* Eight bytes before the name are there: of an entry its numbers, of a key anything. */
static inline uint32_t hash_of(const char *name, uint32_t n)
{
	const uint64_t k = 0x9E3779B97F4A7C15; /* odd, its bits without a pattern */
	uint64_t h = n;

	for (; n >= 8; n -= 8, name += 8) {
		h = (h ^ word_at(name)) * k;
		h ^= h >> 29;
	}
	if (n) /* the last ones, in the upper bytes of the word that ends with the name */
		h ^= word_at(name + n - 8) >> (64 - 8 * n);
	h *= k;
	h = (h ^ h >> 32) * k;
	return (uint32_t)(h >> 32) | 1;
}

static inline place_t place_of(uint32_t hash, uint64_t lblk, uint32_t off)
{
	return (uint64_t)hash << 32 | (uint32_t)(lblk * EXT4_BLOCK_SIZE + off) / 4;
}

static inline uint32_t home_of(const struct ext4_names *names, place_t place)
{
	return (uint32_t)(place >> (64 - names->bits));
}

static inline void table_add(struct ext4_names *names, place_t place)
{
	const uint32_t mask = (1u << names->bits) - 1;
	uint32_t i = home_of(names, place);

	while (names->table[i])
		i = (i + 1) & mask;
	names->table[i] = place;
	names->used++;
}

/* The places behind move up, each as far as its home allows: no hole stays before a name. */
static void table_remove(struct ext4_names *names, uint32_t hole)
{
	const uint32_t mask = (1u << names->bits) - 1;

	for (uint32_t i = (hole + 1) & mask; names->table[i]; i = (i + 1) & mask) {
		if (((i - home_of(names, names->table[i])) & mask) < ((i - hole) & mask))
			continue;
		names->table[hole] = names->table[i];
		hole = i;
	}
	names->table[hole] = 0;
	names->used--;
}

/* ---- the indexes of a mount ----------------------------------------------------------------- */

static size_t table_bytes(const struct ext4_names *names)
{
	return names->table ? sizeof(place_t) << names->bits : 0;
}

static void drop(struct ext4_fs *fs, struct ext4_names **link)
{
	struct ext4_names *names = *link;

	*link = names->next;
	fs->names_nr--;
	fs->names_bytes -= table_bytes(names);
	free(names->table);
	free(names->room);
	free(names);
}

void ext4_names_forget(struct ext4_fs *fs, uint32_t ino)
{
	struct ext4_names **link = &fs->names;

	while (*link && (*link)->ino != ino)
		link = &(*link)->next;
	if (*link)
		drop(fs, link);
}

void ext4_names_drop(struct ext4_fs *fs)
{
	while (fs->names)
		drop(fs, &fs->names);
}

/* Those used longest ago go, until `bytes` more fit; not the first, which asks. False: they never
 * do. */
static bool make_room(struct ext4_fs *fs, size_t bytes)
{
	while (fs->names_bytes + bytes > EXT4_NAMES_BYTES || fs->names_nr > EXT4_NAMES_MAX) {
		struct ext4_names **last = &fs->names;

		while ((*last)->next)
			last = &(*last)->next;
		if (last == &fs->names)
			return false;
		drop(fs, last);
	}
	return true;
}

/* The mount's first index gets a table of 2^bits, with what it has. False: no memory, nothing
 * changed; or its directory is too large, and it has none any more. */
static bool set_bits(struct ext4_fs *fs, struct ext4_names *names, uint32_t bits)
{
	struct ext4_names old = *names;
	size_t bytes = sizeof(place_t) << bits;
	bool fits = make_room(fs, bytes);
	place_t *table = fits ? calloc(1, bytes) : NULL;

	if (fits && !table)
		return false;
	names->too_large = !fits;
	names->table = table;
	names->bits = bits;
	names->used = 0;
	for (uint32_t i = 0; table && old.table && i < 1u << old.bits; i++)
		if (old.table[i])
			table_add(names, old.table[i]);
	fs->names_bytes += table_bytes(names) - table_bytes(&old);
	free(old.table);
	return fits;
}

/* A quarter of the table stays empty. False: as above. */
static bool room_for(struct ext4_fs *fs, struct ext4_names *names, uint32_t n)
{
	return (names->used + n) / 3 * 4 < 1u << names->bits ||
	       set_bits(fs, names, names->bits + 1);
}

/* The directory's index, which is the mount's first one then; NULL: it has none. */
static struct ext4_names *names_of(struct ext4_inode *dir)
{
	struct ext4_fs *fs = dir->fs;
	struct ext4_names **link = &fs->names, *names;

	while (*link && (*link)->ino != dir->ino)
		link = &(*link)->next;
	names = *link;
	if (!names)
		return NULL;
	*link = names->next;
	names->next = fs->names;
	fs->names = names;
	if (names->generation == dir->raw->i_generation &&
	    names->read <= dir->size / EXT4_BLOCK_SIZE)
		return names;
	drop(fs, &fs->names); /* another directory had the number */
	return NULL;
}

/* A directory is looked into for the first time. */
static void begin(struct ext4_inode *dir)
{
	struct ext4_fs *fs = dir->fs;
	struct ext4_names *names = calloc(1, sizeof(*names));

	if (!names)
		return;
	names->ino = dir->ino;
	names->generation = dir->raw->i_generation;
	names->next = fs->names;
	fs->names = names;
	fs->names_nr++;
	make_room(fs, 0);
}

/* The index of a directory that is looked into; NULL: it is walked, this time. */
static struct ext4_names *names_for(struct ext4_inode *dir)
{
	struct ext4_names *names = names_of(dir);
	uint32_t bits = 9;

	if (!names)
		begin(dir);
	if (!names || names->too_large)
		return NULL;
	while (bits < 30 && (uint64_t)32 << bits < dir->size) /* as many names as of 24 letters */
		bits++;
	return names->table || set_bits(dir->fs, names, bits) ? names : NULL;
}

/* ---- looking for a name --------------------------------------------------------------------- */

/* In the table: 0 and *slot, -ENOENT, -EIO. */
static int look(struct ext4_inode *dir, const struct ext4_names *names, const struct key *key,
		uint32_t hash, struct ext4_slot *slot)
{
	const uint32_t mask = (1u << names->bits) - 1;
	place_t first = place_of(hash, 0, 0), place;
	uint8_t *block;

	for (uint32_t i = home_of(names, first); (place = names->table[i]); i = (i + 1) & mask) {
		const uint64_t at = (place & UINT32_MAX) * 4;
		int err;

		if (place >> 32 != hash)
			continue;
		slot->lblk = at / EXT4_BLOCK_SIZE;
		err = ext4_dir_block(dir, slot->lblk, &block);
		if (err)
			return err;
		slot->de = ext4_dirent_at(dir, block, at % EXT4_BLOCK_SIZE);
		if (!slot->de)
			return -EIO;
		if (is_name(slot->de, key))
			return 0;
	}
	return -ENOENT;
}

/* The next block's names come into the table, which is the mount's first one. */
static bool read_block(struct ext4_inode *dir)
{
	struct ext4_names *names = dir->fs->names;
	struct ext4_dirent *de;
	uint8_t *block;

	if (!room_for(dir->fs, names, BLOCK_MAX) || ext4_dir_block(dir, names->read, &block))
		return false;
	for (uint32_t off = 0; off < EXT4_BLOCK_SIZE; off += de->rec_len) {
		de = ext4_dirent_at(dir, block, off);
		if (!de)
			return false;
		if (de->inode)
			table_add(names,
				  place_of(hash_of(de->name, de->name_len), names->read, off));
	}
	names->read++;
	return true;
}

/* All blocks that are not in it yet. */
static bool read_blocks(struct ext4_inode *dir, const struct ext4_names *names)
{
	bool ok = true;

	while (ok && names->read < dir->size / EXT4_BLOCK_SIZE)
		ok = read_block(dir);
	/* Out of memory or damaged, and perhaps half in: the walk says which. */
	if (!ok && names->table)
		ext4_names_forget(dir->fs, dir->ino);
	return ok;
}

/* From front to back, every entry checked. */
static int walk(struct ext4_inode *dir, const struct key *key, struct ext4_slot *slot)
{
	const uint64_t blocks = dir->size / EXT4_BLOCK_SIZE;
	const uint32_t inodes = dir->fs->inodes;
	uint8_t *block;

	for (slot->lblk = 0; slot->lblk < blocks; slot->lblk++) {
		int err = ext4_dir_block(dir, slot->lblk, &block);

		for (uint32_t off = 0; !err && off < EXT4_BLOCK_SIZE;) {
			struct ext4_dirent *de = (void *)(block + off);

			if (!ext4_dirent_fits(de, EXT4_BLOCK_SIZE - off, inodes)) {
				ext4_dirent_at(dir, block, off);
				return -EIO;
			}
			slot->de = de;
			if (is_name(de, key))
				return 0;
			off += de->rec_len;
		}
		if (err)
			return err;
	}
	return -ENOENT;
}

/* The name of @n bytes: 0 and *slot, -ENOENT without a sentence, -EIO with one. */
int ext4_names_find(struct ext4_inode *dir, const char *name, size_t n, struct ext4_slot *slot)
{
	struct ext4_names *names = NULL;
	struct key key;

	key_set(&key, name, n);
	if (dir->size > EXT4_BLOCK_SIZE)
		names = names_for(dir);
	if (names && read_blocks(dir, names))
		return look(dir, names, &key, hash_of(key.name, key.len), slot);
	return walk(dir, &key, slot);
}

/* ---- what changes --------------------------------------------------------------------------- */

static uint32_t offset_of(const struct ext4_dirent *de)
{
	return (uint32_t)((uintptr_t)de % EXT4_BLOCK_SIZE);
}

/* The entry is in use now. */
void ext4_names_added(struct ext4_inode *dir, const struct ext4_slot *slot)
{
	struct ext4_names *names = names_of(dir);
	const struct ext4_dirent *de = slot->de;

	if (!names || !names->table || slot->lblk >= names->read)
		return;
	if (room_for(dir->fs, names, 1))
		table_add(names,
			  place_of(hash_of(de->name, de->name_len), slot->lblk, offset_of(de)));
	else if (names->table)
		ext4_names_forget(dir->fs, dir->ino);
}

/* The entry is about to go; its name is still there. */
void ext4_names_removed(struct ext4_inode *dir, const struct ext4_slot *slot)
{
	struct ext4_names *names = names_of(dir);
	const struct ext4_dirent *de = slot->de;
	place_t place;
	uint32_t mask, i;

	if (!names)
		return;
	if (slot->lblk < names->rooms)
		names->room[slot->lblk] = UNREAD;
	if (!names->table || slot->lblk >= names->read)
		return;
	place = place_of(hash_of(de->name, de->name_len), slot->lblk, offset_of(de));
	mask = (1u << names->bits) - 1;
	for (i = home_of(names, place); names->table[i] && names->table[i] != place;)
		i = (i + 1) & mask;
	if (names->table[i])
		table_remove(names, i);
	else /* somebody changed the device behind us: nothing in the table can be believed */
		ext4_names_forget(dir->fs, dir->ino);
}

/* The first block from @lblk on that may have a gap of @need bytes; @lblk itself without index. */
uint64_t ext4_names_room(struct ext4_inode *dir, uint64_t lblk, uint32_t need)
{
	const struct ext4_names *names = names_of(dir);

	while (names && lblk < names->rooms && names->room[lblk] < need)
		lblk++;
	return lblk;
}

/* Block @lblk has no gap of more than @room bytes. */
void ext4_names_full(struct ext4_inode *dir, uint64_t lblk, uint32_t room)
{
	struct ext4_names *names = names_of(dir);
	uint16_t *more;
	uint32_t n;

	if (!names)
		return;
	if (lblk >= names->rooms) {
		n = (uint32_t)lblk * 2 + 16;
		more = realloc(names->room, n * sizeof(*more));
		if (!more)
			return;
		memset(more + names->rooms, 0xFF, (n - names->rooms) * sizeof(*more));
		names->room = more;
		names->rooms = n;
	}
	names->room[lblk] = (uint16_t)room;
}
