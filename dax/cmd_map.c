/* SPDX-License-Identifier: MIT */
/*
 * map, touch, unmap: mappings of DAX files in the shell's address space.
 *
 * A mapping gets a short name (m1, m2, …) that other commands take: m1+0x1000 is a place in it.
 */
#include <ctype.h>

#include "dax/internal.h"

#define MAX_MAPS 32

static struct {
	bool used;
	uint64_t start, pages;
	char file[64];
} maps[MAX_MAPS];
static struct mutex maps_lock = MUTEX_INIT("shell mappings");

int dax_parse_place(const char *word, uint64_t *addr, uint64_t *left)
{
	uint64_t n = 0, off = 0;
	const char *p = word + 1;
	int err = -EINVAL;

	while (word[0] == 'm' && isdigit((unsigned char)*p) && n < MAX_MAPS)
		n = n * 10 + (*p++ - '0');
	if (word[0] != 'm' || p == word + 1 || (*p && *p != '+'))
		return shell_fail(-EINVAL, "'%s' is no place in a mapping; write m1 or m1+OFFSET "
				  "('map' lists them)", word);
	if (*p == '+') {
		err = shell_number("offset", p + 1, &off);
		if (err)
			return err;
	}
	mutex_lock(&maps_lock);
	if (!n || n > MAX_MAPS || !maps[n - 1].used)
		err = shell_fail(-ENOENT, "there is no mapping m%lu; 'map' lists them", n);
	else if (off >= maps[n - 1].pages << PAGE_SHIFT)
		err = shell_fail(-EINVAL, "offset 0x%lx is beyond m%lu, which has %lu page(s)", off, n,
				 maps[n - 1].pages);
	else
		err = 0;
	if (!err) {
		*addr = maps[n - 1].start + off;
		*left = (maps[n - 1].pages << PAGE_SHIFT) - off;
	}
	mutex_unlock(&maps_lock);
	return err;
}

static int list_maps(void)
{
	bool any = false;

	for (unsigned i = 0; i < MAX_MAPS; i++) {
		if (!maps[i].used)
			continue;
		any = true;
		kprintf("m%u: %s at 0x%lx, %lu page(s)\n", i + 1, maps[i].file, maps[i].start,
			maps[i].pages);
	}
	if (!any)
		kprintf("nothing is mapped; try: map /t/f\n");
	return 0;
}

/* maps_lock held. Slot number, or -ENOSPC. */
static int free_slot(void)
{
	for (unsigned i = 0; i < MAX_MAPS; i++)
		if (!maps[i].used)
			return i;
	return -ENOSPC;
}

static int map_file(struct dax_inode *inode, uint64_t off, uint64_t len, bool write)
{
	uint64_t addr = 0, pages = ALIGN_UP(len, PAGE_SIZE) >> PAGE_SHIFT;
	int slot, err;

	mutex_lock(&maps_lock);
	slot = free_slot();
	err = slot < 0 ? dax_refuse(slot, "all %u names are in use; 'unmap' one", MAX_MAPS)
		       : dax_mmap(current_mm(), inode, off >> PAGE_SHIFT, pages, write, &addr);
	if (!err) {
		maps[slot].used = true;
		maps[slot].start = addr;
		maps[slot].pages = pages;
		snprintf(maps[slot].file, sizeof(maps[slot].file), "%s", inode->name);
		kprintf("m%u: %s at 0x%lx, %lu page(s)", slot + 1, inode->name, addr, pages);
		if (inode->fs->region->readonly)
			kprintf(", read-only (%s)", inode->fs->region->ro_reason);
		kprintf("\n");
	} else if (err == -ENOMEM) {
		dax_refuse(err, "no room for %lu page(s) in the address space", pages);
	}
	mutex_unlock(&maps_lock);
	return err;
}

static int cmd_map(int argc, char **argv)
{
	bool ro = argc > 2 && !strcmp(argv[argc - 1], "ro");
	struct dax_inode *inode;
	uint64_t off = 0, len = 0;
	int err = 0, words = argc - ro;

	if (argc == 1)
		return list_maps();
	if (words > 4)
		return shell_usage();
	if (words > 2)
		err = shell_number("offset", argv[2], &off);
	if (!err && words > 3)
		err = shell_number("length", argv[3], &len);
	if (err)
		return err;
	if (!IS_ALIGNED(off, PAGE_SIZE))
		return shell_fail(-EINVAL, "offset 0x%lx is not 4 KiB aligned; 0x%lx is", off,
				  ALIGN_DOWN(off, PAGE_SIZE));
	err = dax_open(argv[1], false, &inode);
	if (err)
		return shell_fail(err, "%s", dax_why());
	if (words <= 3)
		len = inode->size > off ? inode->size - off : 0;
	if (!len || len > DAX_TO_END)
		err = dax_refuse(-EINVAL, "%s has %lu bytes: nothing to map at offset 0x%lx; write or "
				 "fallocate first, or give OFF and LEN", inode->name, inode->size, off);
	else
		err = map_file(inode, off, len, !ro && !inode->fs->region->readonly);
	dax_put(inode); /* the mapping holds its own reference */
	return err ? shell_fail(err, "%s", dax_why()) : 0;
}
SHELL_COMMAND(map, cmd_map, "map [FILE [OFF [LEN]] [ro]]",
	      "map a file, shared, or list the mappings\n"
	      "OFF and LEN in bytes (OFF a multiple of 4 KiB; LEN: to the end of the file).\n"
	      "The mapping gets a name, m1, m2, …; m1+0x1000 is a place in it.");

static int cmd_unmap(int argc, char **argv)
{
	uint64_t addr, left;
	int err;

	if (argc != 2)
		return shell_usage();
	err = dax_parse_place(argv[1], &addr, &left);
	if (err)
		return err;
	if (strchr(argv[1], '+'))
		return shell_fail(-EINVAL, "a mapping goes as a whole: leave the offset away");
	mutex_lock(&maps_lock);
	err = mm_unmap(current_mm(), addr, left);
	for (unsigned i = 0; i < MAX_MAPS; i++)
		if (maps[i].used && maps[i].start == addr)
			maps[i].used = false;
	mutex_unlock(&maps_lock);
	return err ? shell_fail(err, "0x%lx is not mapped in this address space", addr) : 0;
}
SHELL_COMMAND(unmap, cmd_unmap, "unmap MAPPING", "take a mapping away");

static int show_bytes(uint64_t addr, uint64_t left)
{
	char text[33];
	int err = copy_checked(text, (void *)addr, MIN(left, 32ul));

	if (err)
		return shell_fail(err, "0x%lx cannot be read: %s", addr, mm_fault_reason());
	for (unsigned i = 0; i < 32; i++)
		if (i >= left || !isprint((unsigned char)text[i]))
			text[i] = '.';
	text[32] = '\0';
	kprintf("0x%lx: %s\n", addr, text);
	return 0;
}

static int cmd_touch(int argc, char **argv)
{
	uint64_t addr, left;
	int err;

	if (argc < 2 || argc > 3)
		return shell_usage();
	err = dax_parse_place(argv[1], &addr, &left);
	if (err)
		return err;
	if (argc == 2)
		return show_bytes(addr, left);
	if (strlen(argv[2]) > left)
		return shell_fail(-EINVAL, "%lu bytes do not fit in the %lu left of the mapping",
				  strlen(argv[2]), left);
	err = copy_checked((void *)addr, argv[2], strlen(argv[2]));
	return err ? shell_fail(err, "0x%lx cannot be written: %s", addr, mm_fault_reason()) : 0;
}
SHELL_COMMAND(touch, cmd_touch, "touch MAPPING[+OFF] [TEXT]",
	      "read through a mapping (32 bytes are shown), or store TEXT through it\n"
	      "A store is durable after 'sync' only.");
