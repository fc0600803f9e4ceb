/* SPDX-License-Identifier: MIT */
/* The list of designs, in the order of history; `lifetime` prints it. */
#include "dax/internal.h"

static const struct lifetime *const lifetimes[] = {
	&lifetime_unaware,
	&lifetime_idle_at_one,
};

const struct lifetime *lifetime_nth(unsigned n)
{
	return n < ARRAY_SIZE(lifetimes) ? lifetimes[n] : NULL;
}

const struct lifetime *lifetime_find(const char *name)
{
	for (unsigned n = 0; n < ARRAY_SIZE(lifetimes); n++)
		if (!strcmp(lifetimes[n]->name, name))
			return lifetimes[n];
	return NULL;
}

static int print_device(struct dax_fs *fs, void *arg)
{
	*(unsigned *)arg += 1;
	kprintf("%s on %s: %s\n", fs->region->name, fs->path, fs->lifetime->name);
	return 0;
}

static int cmd_lifetime(int argc, char **argv)
{
	unsigned mounted = 0;

	(void)argv;
	if (argc > 1)
		return shell_fail(-EINVAL, "takes no argument; a lifetime is chosen by "
					   "'mount DEV PATH lifetime=NAME'");
	for (unsigned n = 0; n < ARRAY_SIZE(lifetimes); n++) {
		const struct lifetime *lt = lifetimes[n];

		kprintf("%-12s %s%s\n  page at rest: %u reference(s); page knows its file: %s\n"
			"  truncate of a busy page: %s\n",
			lt->name, lt->who, lt == LIFETIME_DEFAULT ? " (default)" : "", lt->rest,
			lt->associates ? "yes" : "no", lt->busy_truncate);
	}
	dax_fs_for_each(print_device, &mounted);
	if (!mounted)
		kprintf("nothing is mounted\n");
	return 0;
}
SHELL_COMMAND(lifetime, cmd_lifetime, "lifetime",
	      "the designs for 'who waits for whom', and which mount uses which");
