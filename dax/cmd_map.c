/* SPDX-License-Identifier: MIT */
/*
 * map, touch, unmap and what changes mappings: the shell's own address space.
 *
 * A mapping gets a short name (m1, m2, …) that other commands take: m1+0x1000 is a place in it. A
 * name stands for one range that is mapped from end to end: where a piece is taken out of the
 * middle, what is left behind it gets a name of its own.
 */
#include <ctype.h>

#include "dax/internal.h"

#define MAX_MAPS 32

static struct name {
	bool used;
	uint64_t start, pages;
	char what[80]; /* "/t/f", "/t/f, private", "anonymous" */
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
		return shell_fail(-EINVAL,
				  "'%s' is no place in a mapping; write m1 or m1+OFFSET "
				  "('map' lists them)",
				  word);
	if (*p == '+') {
		err = shell_number("offset", p + 1, &off);
		if (err)
			return err;
	}
	mutex_lock(&maps_lock);
	if (!n || n > MAX_MAPS || !maps[n - 1].used)
		err = shell_fail(-ENOENT, "there is no mapping m%lu; 'map' lists them", n);
	else if (off >= maps[n - 1].pages << PAGE_SHIFT)
		err = shell_fail(-EINVAL, "offset 0x%lx is beyond m%lu, which has %lu page(s)", off,
				 n, maps[n - 1].pages);
	else
		err = 0;
	if (!err) {
		*addr = maps[n - 1].start + off;
		*left = (maps[n - 1].pages << PAGE_SHIFT) - off;
	}
	mutex_unlock(&maps_lock);
	return err;
}

static void print_name(unsigned i)
{
	kprintf("m%u: %s at 0x%lx, %lu page(s)\n", i + 1, maps[i].what, maps[i].start,
		maps[i].pages);
}

static int list_maps(void)
{
	bool any = false;

	for (unsigned i = 0; i < MAX_MAPS; i++) {
		if (!maps[i].used)
			continue;
		any = true;
		print_name(i);
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
	return dax_refuse(-ENOSPC, "all %u names are in use; 'unmap' one", MAX_MAPS);
}

static unsigned free_slots(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_MAPS; i++)
		n += !maps[i].used;
	return n;
}

/* There is a free slot. maps_lock held. */
static void new_name(uint64_t start, uint64_t pages, const char *what)
{
	int i = free_slot();

	maps[i].used = true;
	maps[i].start = start;
	maps[i].pages = pages;
	snprintf(maps[i].what, sizeof(maps[i].what), "%s", what);
	print_name(i);
}

int dax_name_mapping(const char *what, uint64_t addr)
{
	struct mm *mm = current_mm();
	uint64_t pages;
	int err;

	down_read(&mm->mmap_lock);
	pages = (mm_find_vma(mm, addr)->end - addr) >> PAGE_SHIFT;
	up_read(&mm->mmap_lock);
	mutex_lock(&maps_lock);
	err = MIN(free_slot(), 0);
	if (!err)
		new_name(addr, pages, what);
	mutex_unlock(&maps_lock);
	if (err)
		mm_unmap(mm, addr, pages << PAGE_SHIFT);
	return err;
}

struct request {
	struct dax_inode *inode; /* NULL: anonymous */
	uint64_t off, len;
	bool write, private;
};

static int do_map(const struct request *rq, uint64_t pages, uint64_t *addr)
{
	struct mm *mm = current_mm();

	if (!rq->inode)
		return mm_map_anon(mm, addr, pages << PAGE_SHIFT, rq->write);
	return (rq->private ? dax_mmap_private : dax_mmap)(mm, rq->inode, rq->off >> PAGE_SHIFT,
							   pages, rq->write, addr);
}

static int map_request(struct request *rq)
{
	uint64_t addr = 0, pages = ALIGN_UP(rq->len, PAGE_SIZE) >> PAGE_SHIFT;
	const struct pmem_region *r = rq->inode ? rq->inode->fs->region : NULL;
	char what[sizeof(maps[0].what)];
	int err;

	if (r && r->readonly && !rq->private)
		rq->write = false;
	mutex_lock(&maps_lock);
	err = MIN(free_slot(), 0);
	if (!err)
		err = do_map(rq, pages, &addr);
	if (err == -ENOMEM)
		dax_refuse(err, "no room for %lu page(s) in the address space", pages);
	if (!err) {
		snprintf(what, sizeof(what), "%s%s", r ? rq->inode->name : "anonymous",
			 r && rq->private ? ", private" : "");
		new_name(addr, pages, what);
		if (r && r->readonly)
			kprintf("read-only device: %s%s\n", r->ro_reason,
				rq->private ? "; stores go to copies" : "");
	}
	mutex_unlock(&maps_lock);
	return err;
}

static int map_file(const char *path, bool with_len, struct request *rq)
{
	int err = dax_open(path, false, &rq->inode);

	if (err)
		return err;
	if (!with_len)
		rq->len = rq->inode->size > rq->off ? rq->inode->size - rq->off : 0;
	if (!rq->len || rq->len > DAX_TO_END)
		err = dax_refuse(-EINVAL,
				 "%s has %lu bytes: nothing to map at offset 0x%lx; write or "
				 "fallocate first, or give OFF and LEN",
				 rq->inode->name, rq->inode->size, rq->off);
	else
		err = map_request(rq);
	dax_put(rq->inode); /* the mapping holds its own reference */
	return err;
}

/* Takes "ro" and "private" off the end of the words; how many words are left. */
static int take_flags(int argc, char **argv, struct request *rq)
{
	for (rq->write = true; argc > 2; argc--) {
		if (!strcmp(argv[argc - 1], "ro"))
			rq->write = false;
		else if (!strcmp(argv[argc - 1], "private"))
			rq->private = true;
		else
			break;
	}
	return argc;
}

static int map_anon(int words, char **argv, struct request *rq)
{
	int err;

	if (words != 3)
		return shell_usage();
	err = shell_number("length", argv[2], &rq->len);
	if (err)
		return err;
	if (!rq->len || rq->len > USER_END)
		return shell_fail(-EINVAL, "a mapping has at least one byte and fits below 0x%lx",
				  (uint64_t)USER_END);
	err = map_request(rq);
	return err ? shell_fail(err, "%s", dax_why()) : 0;
}

static int cmd_map(int argc, char **argv)
{
	struct request rq = {0};
	int err = 0, words = take_flags(argc, argv, &rq);

	if (argc == 1)
		return list_maps();
	if (!strcmp(argv[1], "anon"))
		return map_anon(words, argv, &rq);
	if (words > 4)
		return shell_usage();
	if (words > 2)
		err = shell_number("offset", argv[2], &rq.off);
	if (!err && words > 3)
		err = shell_number("length", argv[3], &rq.len);
	if (err)
		return err;
	if (!IS_ALIGNED(rq.off, PAGE_SIZE))
		return shell_fail(-EINVAL, "offset 0x%lx is not 4 KiB aligned; 0x%lx is", rq.off,
				  ALIGN_DOWN(rq.off, PAGE_SIZE));
	err = map_file(argv[1], words > 3, &rq);
	return err ? shell_fail(err, "%s", dax_why()) : 0;
}
SHELL_COMMAND(
	map, cmd_map, "map [FILE [OFF [LEN]] [ro] [private] | anon LEN [ro]]",
	"map a file or anonymous memory, or list the mappings\n"
	"OFF and LEN in bytes (OFF a multiple of 4 KiB; LEN: to the end of the file). private:\n"
	"stores go to copies of the file's pages. The mapping gets a name, m1, m2, …; m1+0x1000\n"
	"is a place in it.");

/* ---- changing mappings -------------------------------------------------------------------- */

/* "m1" and, if there are two more words, an offset and a length in it: whole pages. */
static int parse_range(const char *name, int argc, char **argv, uint64_t *addr, uint64_t *len)
{
	uint64_t off = 0, all;
	int err;

	if (strchr(name, '+'))
		return shell_fail(-EINVAL,
				  "a mapping goes as a whole: leave the offset away, or give "
				  "OFF and LEN");
	err = dax_parse_place(name, addr, &all);
	*len = all;
	if (!err && argc)
		err = shell_number("offset", argv[0], &off);
	if (!err && argc)
		err = shell_number("length", argv[1], len);
	if (err)
		return err;
	if (!*len || !IS_ALIGNED(off | *len, PAGE_SIZE))
		return shell_fail(-EINVAL,
				  "OFF 0x%lx and LEN 0x%lx must be multiples of 4096, LEN at "
				  "least 4096",
				  off, *len);
	if (off >= all || *len > all - off)
		return shell_fail(-EINVAL, "0x%lx bytes at 0x%lx reach beyond %s, which has 0x%lx",
				  *len, off, name, all);
	*addr += off;
	return 0;
}

/* Is the range inside one name, with something left on both sides? That something needs a name. */
static bool needs_name(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < MAX_MAPS; i++)
		if (maps[i].used && maps[i].start < start &&
		    maps[i].start + (maps[i].pages << PAGE_SHIFT) > end)
			return true;
	return false;
}

/* [start, end) does not belong to `m` any more. maps_lock held. */
static void cut_name(struct name *m, uint64_t start, uint64_t end)
{
	uint64_t first = m->start, last = first + (m->pages << PAGE_SHIFT);

	if (!m->used || first >= end || last <= start)
		return;
	if (first < start) {
		m->pages = (start - first) >> PAGE_SHIFT;
		if (end < last)
			new_name(end, (last - end) >> PAGE_SHIFT, m->what);
	} else if (end < last) {
		m->start = end;
		m->pages = (last - end) >> PAGE_SHIFT;
		print_name(m - maps);
	} else {
		m->used = false;
	}
}

static void cut_names(uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < MAX_MAPS; i++)
		cut_name(&maps[i], start, end);
}

static int cmd_unmap(int argc, char **argv)
{
	uint64_t addr, len;
	int err;

	if (argc != 2 && argc != 4)
		return shell_usage();
	err = parse_range(argv[1], argc - 2, argv + 2, &addr, &len);
	if (err)
		return err;
	mutex_lock(&maps_lock);
	err = needs_name(addr, addr + len) ? MIN(free_slot(), 0) : 0;
	if (!err) {
		err = mm_unmap(current_mm(), addr, len);
		if (err)
			dax_refuse(err, "0x%lx bytes at 0x%lx cannot be taken away: %s", len, addr,
				   err == -ENOMEM ? "no memory to cut the mapping"
						  : "its object refuses the cut");
		else
			cut_names(addr, addr + len);
	}
	mutex_unlock(&maps_lock);
	return err ? shell_fail(err, "%s", dax_why()) : 0;
}
SHELL_COMMAND(unmap, cmd_unmap, "unmap MAPPING [OFF LEN]",
	      "take a mapping away, or a piece of it (multiples of 4 KiB)\n"
	      "What is left behind a hole gets a name of its own.");

static int cmd_protect(int argc, char **argv)
{
	uint64_t addr, len;
	bool ro;
	int err;

	if (argc != 3 && argc != 5)
		return shell_usage();
	ro = !strcmp(argv[2], "ro");
	if (!ro && strcmp(argv[2], "rw"))
		return shell_fail(-EINVAL, "'%s' is neither ro nor rw", argv[2]);
	err = parse_range(argv[1], argc - 3, argv + 3, &addr, &len);
	if (err)
		return err;
	err = mm_protect(current_mm(), addr, len, VM_READ | (ro ? 0 : VM_WRITE));
	if (err == -EACCES)
		return shell_fail(err,
				  "%s may not be written: its device is read-only; map it "
				  "private",
				  argv[1]);
	return err ? shell_fail(err, "the rights of 0x%lx cannot be changed", addr) : 0;
}
SHELL_COMMAND(protect, cmd_protect, "protect MAPPING ro|rw [OFF LEN]",
	      "take the right to store away from a mapping or a piece of it, or give it back");

/* Where to: "m2+OFF", or 0: anywhere. maps_lock not held. */
static int parse_target(int argc, char **argv, uint64_t len, uint64_t *to)
{
	uint64_t left;
	int err;

	*to = 0;
	if (argc == 4)
		return 0;
	err = dax_parse_place(argv[4], to, &left);
	if (err)
		return err;
	if (!IS_ALIGNED(*to, PAGE_SIZE) || len > left)
		return shell_fail(-EINVAL,
				  "0x%lx bytes do not fit at %s: it must be a multiple of 4096 "
				  "with that much behind it",
				  len, argv[4]);
	return 0;
}

static int remap(uint64_t from, uint64_t len, uint64_t to)
{
	const struct name *m = maps;
	char what[sizeof(m->what)];
	int err;

	if (free_slots() < 3) /* behind either cut, and for the piece */
		return dax_refuse(-ENOSPC, "up to 3 of the %u names are needed; 'unmap' some",
				  MAX_MAPS);
	while (m < maps + MAX_MAPS &&
	       !(m->used && m->start <= from && from < m->start + (m->pages << PAGE_SHIFT)))
		m++;
	if (m == maps + MAX_MAPS)
		return dax_refuse(-ENOENT, "the mapping is gone");
	snprintf(what, sizeof(what), "%s", m->what);
	err = mm_remap(current_mm(), from, len, &to);
	if (err == -EINVAL)
		return dax_refuse(err, "the two places overlap, or the object refuses the cut");
	if (err)
		return dax_refuse(err, err == -EFAULT ? "the piece has pages of two mappings; move "
							"them one by one"
						      : "no memory to cut and move the mapping");
	cut_names(from, from + len);
	cut_names(to, to + len);
	new_name(to, len >> PAGE_SHIFT, what);
	return 0;
}

static int cmd_remap(int argc, char **argv)
{
	uint64_t from, len, to;
	int err;

	if (argc != 4 && argc != 5)
		return shell_usage();
	err = parse_range(argv[1], 2, argv + 2, &from, &len);
	if (!err)
		err = parse_target(argc, argv, len, &to);
	if (err)
		return err;
	mutex_lock(&maps_lock);
	err = remap(from, len, to);
	mutex_unlock(&maps_lock);
	return err ? shell_fail(err, "%s", dax_why()) : 0;
}
SHELL_COMMAND(remap, cmd_remap, "remap MAPPING OFF LEN [PLACE]",
	      "move a piece of a mapping to another address, anywhere or onto PLACE (m2+OFF)\n"
	      "What was mapped there goes. The piece gets a name of its own.");

static int cmd_advise(int argc, char **argv)
{
	static const char *const words[] = {"dontneed", "huge", "nohuge"};
	uint64_t addr, len;
	unsigned advice = 0;
	int err;

	if (argc != 3 && argc != 5)
		return shell_usage();
	while (advice < ARRAY_SIZE(words) && strcmp(argv[2], words[advice]))
		advice++;
	if (advice == ARRAY_SIZE(words))
		return shell_fail(-EINVAL, "'%s' is no advice; dontneed, huge, nohuge are",
				  argv[2]);
	err = parse_range(argv[1], argc - 3, argv + 3, &addr, &len);
	if (!err && mm_advise(current_mm(), addr, len, (enum mm_advice)advice))
		err = shell_fail(-ENOMEM, "0x%lx is not mapped in this address space", addr);
	return err;
}
SHELL_COMMAND(advise, cmd_advise, "advise MAPPING dontneed|huge|nohuge [OFF LEN]",
	      "dontneed: forget the translations, and private copies with them\n"
	      "huge, nohuge: accepted without effect, DAX decides by alignment alone.");

int dax_sync_mapping(int argc, char **argv)
{
	uint64_t addr, len;
	int err;

	if (argc != 2 && argc != 4)
		return shell_usage();
	err = parse_range(argv[1], argc - 2, argv + 2, &addr, &len);
	if (err)
		return err;
	err = mm_sync(current_mm(), addr, len);
	return err ? shell_fail(err, "%s",
				err == -ENOMEM ? "a part of it is not mapped" : dax_why())
		   : 0;
}

/* ---- access ------------------------------------------------------------------------------- */
