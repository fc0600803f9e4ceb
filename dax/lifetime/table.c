/* SPDX-License-Identifier: MIT */
/* The list of designs, in the order of history; `lifetime` prints it. */
#include "dax/internal.h"

static const struct lifetime *const lifetimes[] = {
	&lifetime_unaware,     &lifetime_lease_poll,  &lifetime_idle_at_one,
	&lifetime_zap_to_zero, &lifetime_counted_map, &lifetime_busy_extent,
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

static void print_line(const struct lifetime *lt)
{
	kprintf("%-12s %s%s\n  page at rest: %u reference(s); page knows its file: %s\n"
		"  truncate of a busy page: %s\n",
		lt->name, lt->who, lt == LIFETIME_DEFAULT ? " (default)" : "", lt->rest,
		lt->associates ? "yes" : "no", lt->busy_truncate);
}

static const char *unbind_text(enum unbind_rule rule)
{
	switch (rule) {
	case UNBIND_WAITS_FOR_REFERENCES: return "waits for references, forgets mappings";
	case UNBIND_WAITS_FOR_ALL: return "waits for references and mappings";
	case UNBIND_WAITS_FOR_NOBODY: return "unmaps, forgets references";
	default: return "refused while anything is held, or waits if told to";
	}
}

static void explain(const struct lifetime *lt)
{
	print_line(lt);
	kprintf("  a mapping holds: %s\n  busy means: %s\n  woken by: %s\n  unbind: %s\n"
		"  fixed: %s\n  broken: %s\n",
		lt->mapping_holds, lt->busy_test, lt->waker, unbind_text(lt->unbind), lt->fixed,
		lt->broken);
}

static int cmd_lifetime(int argc, char **argv)
{
	const struct lifetime *lt;
	unsigned mounted = 0;
	int err;

	if (argc > 2)
		return shell_usage();
	if (argc == 2) {
		err = dax_parse_lifetime(argv[1], &lt);
		if (!err)
			explain(lt);
		return err;
	}
	for (unsigned n = 0; n < ARRAY_SIZE(lifetimes); n++)
		print_line(lifetimes[n]);
	dax_fs_for_each(print_device, &mounted);
	if (!mounted)
		kprintf("nothing is mounted\n");
	return 0;
}

static const char *name_completion(int argno, unsigned n)
{
	return argno == 1 && lifetime_nth(n) ? lifetime_nth(n)->name : NULL;
}
SHELL_COMMAND(
	lifetime, cmd_lifetime, "lifetime [NAME]",
	"the designs for 'who waits for whom', and which mount uses which\n"
	"With a name: what a mapping holds, what busy means, who wakes, what the design fixed\n"
	"and what it left broken. One is chosen by 'mount DEV PATH lifetime=NAME'.",
	name_completion);
