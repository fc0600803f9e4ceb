/* SPDX-License-Identifier: MIT */
/* touch: loads and stores through a mapping, as a program would do them, faults included. */
#include <ctype.h>

#include "dax/dax.h"

static int show_bytes(uint64_t addr, uint64_t left)
{
	char text[33];
	int err = copy_checked(text, (void *)addr, MIN(left, 32ul));

	if (err)
		return shell_fail(err, "0x%lx cannot be read: %s", addr, refusal());
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
	return err ? shell_fail(err, "0x%lx cannot be written: %s", addr, refusal()) : 0;
}
SHELL_COMMAND(touch, cmd_touch, "touch MAPPING[+OFF] [TEXT]",
	      "read through a mapping (32 bytes are shown), or store TEXT through it\n"
	      "A store is durable after 'sync' only.");
