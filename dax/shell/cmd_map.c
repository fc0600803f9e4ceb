/* SPDX-License-Identifier: MIT */
/*
 * map, touch, unmap and what changes mappings: the shell's own address space.
 *
 * A mapping gets a short name (m1, m2, …) that other commands take: m1+0x1000 is a place in it. The
 * names are in map_names.c.
 */
#include "dax/file/internal.h"
#include "dax/shell/internal.h"

struct request {
	struct dax_inode *inode; /* NULL: anonymous */
	uint64_t off, len;
	bool write, private, populate;
	unsigned flags; /* MAP_SYNC, MAP_DIRECT; zero: none is asked for */
};

static int do_map(const struct request *rq, uint64_t pages, uint64_t *addr)
{
	struct mm *mm = current_mm();
	struct dax_map map = {.flags = rq->private ? MAP_PRIVATE
				       : rq->flags ? MAP_SHARED_VALIDATE | rq->flags
						   : MAP_SHARED,
			      .pgoff = rq->off >> PAGE_SHIFT,
			      .pages = pages,
			      .write = rq->write};

	if (!rq->inode)
		return mm_map_anon(mm, addr, pages << PAGE_SHIFT, rq->write);
	return dax_map(mm, rq->inode, &map, addr);
}

/* Mapped, and with all its pages if that was asked for; else not at all. */
static int map_whole(const struct request *rq, uint64_t pages, uint64_t *addr)
{
	int err = do_map(rq, pages, addr);

	if (err == -ENOMEM)
		return refuse(err, "no room for %lu page(s) in the address space", pages);
	if (err || !rq->populate)
		return err;
	err = mm_populate(current_mm(), *addr, pages << PAGE_SHIFT);
	if (err)
		mm_unmap(current_mm(), *addr, pages << PAGE_SHIFT);
	return err;
}

static int map_request(struct request *rq)
{
	uint64_t addr = 0, pages = ALIGN_UP(rq->len, PAGE_SIZE) >> PAGE_SHIFT;
	const struct pmem_region *r = rq->inode ? rq->inode->fs->region : NULL;
	char what[MAP_NAME_WHAT];
	int err = names_reserve(1);

	if (err)
		return err;
	if (r && r->readonly && !rq->private)
		rq->write = false;
	err = map_whole(rq, pages, &addr);
	snprintf(what, sizeof(what), "%s%s%s%s", r ? rq->inode->name : "anonymous",
		 r && rq->private ? ", private" : "", rq->flags & MAP_SYNC ? ", sync" : "",
		 rq->flags & MAP_DIRECT ? ", direct" : "");
	names_add(addr, pages, err ? NULL : what);
	if (!err && r && r->readonly)
		kprintf("read-only device: %s%s\n", r->ro_reason,
			rq->private ? "; stores go to copies" : "");
	return err;
}

static int map_file(const char *path, bool with_len, struct request *rq)
{
	int err = dax_open(path, false, &rq->inode);

	if (err)
		return err;
	if (!with_len)
		rq->len = rq->inode->size > rq->off ? rq->inode->size - rq->off : 0;
	if (!with_len && !rq->len)
		err = refuse(-EINVAL,
			     "%s has %lu bytes: nothing to map at offset 0x%lx; write or "
			     "fallocate first, or give OFF and LEN",
			     rq->inode->name, rq->inode->size, rq->off);
	else
		err = map_request(rq);
	dax_put(rq->inode); /* the mapping holds its own reference */
	return err;
}

/* Takes "ro", "private", "populate", "sync", "direct" off the end of the words; how many words are
 * left. */
static int take_flags(int argc, char **argv, struct request *rq)
{
	for (rq->write = true; argc > 2; argc--) {
		if (!strcmp(argv[argc - 1], "ro"))
			rq->write = false;
		else if (!strcmp(argv[argc - 1], "private"))
			rq->private = true;
		else if (!strcmp(argv[argc - 1], "populate"))
			rq->populate = true;
		else if (!strcmp(argv[argc - 1], "sync"))
			rq->flags |= MAP_SYNC;
		else if (!strcmp(argv[argc - 1], "direct"))
			rq->flags |= MAP_DIRECT;
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
	return err ? shell_fail(err, "%s", refusal()) : 0;
}

static int cmd_map(int argc, char **argv)
{
	struct request rq = {0};
	int err = 0, words = take_flags(argc, argv, &rq);

	if (argc == 1)
		return names_list();
	if (rq.flags && (rq.private || !strcmp(argv[1], "anon")))
		return shell_fail(-EINVAL, "sync and direct are for files that are mapped shared");
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
	return err ? shell_fail(err, "%s", refusal()) : 0;
}
SHELL_COMMAND(
	map, cmd_map,
	"map [FILE [OFF [LEN]] [ro] [private] [populate] [sync] [direct] | anon LEN [ro] "
	"[populate]]",
	"map a file or anonymous memory, or list the mappings\n"
	"OFF and LEN in bytes (OFF a multiple of 4 KiB; LEN: to the end of the file). private:\n"
	"stores go to copies of the file's pages. populate: every page is faulted in at once, or\n"
	"nothing is mapped. sync (MAP_SYNC): a store's fault returns when the metadata is\n"
	"durable. direct (MAP_DIRECT): the blocks stay as long as a lease stands ('lease' lists\n"
	"it); whoever wants to change them breaks it, a notice says so, and when its time is over\n"
	"the mapping fails. The mapping gets a name, m1, m2, …; m1+0x1000 is a place in it.");

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

static int unmap(uint64_t start, uint64_t len)
{
	struct names_cut cut = {.start = {start}, .len = len, .nr = 1};
	int err = names_begin(&cut);

	if (err)
		return err;
	err = mm_unmap(current_mm(), start, len);
	names_end(&cut, !err, 0);
	return err ? refuse(err, "0x%lx bytes at 0x%lx cannot be taken away: %s", len, start,
			    err == -ENOMEM ? "no memory to cut the mapping" : refusal())
		   : 0;
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
	err = unmap(addr, len);
	return err ? shell_fail(err, "%s", refusal()) : 0;
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
	return err ? shell_fail(err, "the rights of 0x%lx cannot be changed: %s", addr,
				err == -ENOMEM ? "no memory to cut the mapping" : refusal())
		   : 0;
}
SHELL_COMMAND(protect, cmd_protect, "protect MAPPING ro|rw [OFF LEN]",
	      "take the right to store away from a mapping or a piece of it, or give it back");

/* Where to: "m2+OFF", or 0: anywhere. */
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
	struct names_cut cut = {.start = {from, to}, .len = len, .nr = to ? 2 : 1, .moves = true};
	int err = names_begin(&cut);

	if (err)
		return err;
	err = mm_remap(current_mm(), from, len, &to);
	names_end(&cut, !err, to);
	if (err == -EINVAL && to && to < from + len && from < to + len)
		return refuse(err, "the two places overlap: take one that is 0x%lx bytes away",
			      len);
	if (err == -EINVAL)
		return refuse(err, "0x%lx bytes at 0x%lx cannot be moved: %s", len, from,
			      refusal());
	if (err)
		return refuse(err, err == -EFAULT ? "the piece has pages of two mappings; move "
						    "them one by one"
						  : "no memory to cut and move the mapping");
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
	err = remap(from, len, to);
	return err ? shell_fail(err, "%s", refusal()) : 0;
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
				err == -ENOMEM ? "a part of it is not mapped" : refusal())
		   : 0;
}

/* ---- access ------------------------------------------------------------------------------- */
SHELL_GROUP(dax, 40, "dax/", "DAX: mappings, pins, leases");
