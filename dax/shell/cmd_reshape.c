/* SPDX-License-Identifier: MIT */
/* Shell commands that move or zero whole blocks: zero, collapse, insert, exchange (reshape.c). */
#include "dax/file/internal.h"
#include "dax/shell/internal.h"

static const char *const range[] = {"offset", "length"};

static int do_zero(struct dax_inode *inode, const uint64_t *v)
{
	return dax_zero_range(inode, v[0], v[1], false);
}

static int cmd_zero(int argc, char **argv)
{
	return dax_cmd_change(argc, argv, 2, range, do_zero);
}
SHELL_COMMAND(
	zero, cmd_zero, "zero FILE OFF LEN",
	"zero a range that stays allocated: its blocks become unwritten; may extend the file");

static int do_collapse(struct dax_inode *inode, const uint64_t *v)
{
	return dax_collapse(inode, v[0], v[1]);
}

static int cmd_collapse(int argc, char **argv)
{
	return dax_cmd_change(argc, argv, 2, range, do_collapse);
}
SHELL_COMMAND(collapse, cmd_collapse, "collapse FILE OFF LEN",
	      "take whole blocks out of a file; what is behind them moves down, nothing is copied");

static int do_insert(struct dax_inode *inode, const uint64_t *v)
{
	return dax_insert(inode, v[0], v[1]);
}

static int cmd_insert(int argc, char **argv)
{
	return dax_cmd_change(argc, argv, 2, range, do_insert);
}
SHELL_COMMAND(insert, cmd_insert, "insert FILE OFF LEN",
	      "make a hole of whole blocks; what is behind moves up, nothing is copied");

static int failed(int err)
{
	return shell_fail(err, "%s", refusal());
}

/* Opens both files, exchanges, reports waiting. */
static int exchange(const char *command, char **path, const uint64_t *off, uint64_t len)
{
	struct dax_inode *a, *b;
	int err = dax_open(path[0], false, &a);

	if (err)
		return failed(err);
	err = dax_open(path[1], false, &b);
	if (!err) {
		err = dax_exchange(a, off[0], b, off[1], len);
		dax_cmd_waited(command, a);
		dax_cmd_waited(command, b);
		dax_put(b);
	}
	dax_put(a);
	return err ? failed(err) : 0;
}

static int cmd_exchange(int argc, char **argv)
{
	static const char *const what[] = {"first offset", "second offset", "length"};
	static const int place[] = {2, 4, 5};
	uint64_t v[3];
	int err;

	if (argc != 6)
		return shell_usage();
	for (unsigned i = 0; i < ARRAY_SIZE(v); i++) {
		err = shell_number(what[i], argv[place[i]], &v[i]);
		if (err)
			return err;
	}
	return exchange(argv[0], (char *[]){argv[1], argv[3]}, v, v[2]);
}
SHELL_COMMAND(exchange, cmd_exchange, "exchange FILE1 OFF1 FILE2 OFF2 LEN",
	      "two ranges of two files change their blocks; nothing is copied\n"
	      "Refused while a page is held in a design that does not wait.");
