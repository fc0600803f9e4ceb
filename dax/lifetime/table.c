/* SPDX-License-Identifier: MIT */
/* The list of designs, in the order of history; `lifetime` prints it. */
#include "dax/internal.h"

static const struct lifetime *const lifetimes[] = {
	&lifetime_unaware,     &lifetime_lease_poll,  &lifetime_idle_at_one,
	&lifetime_zap_to_zero, &lifetime_counted_map, &lifetime_busy_extent,
};

static const struct lifetime *const variants[] = {
	&lifetime_unaware,	    &lifetime_lease_poll,      &lifetime_idle_at_one,
	&lifetime_idle_at_one_5_18, &lifetime_idle_at_one_6_1, &lifetime_zap_to_zero,
	&lifetime_counted_map,	    &lifetime_counted_map_7_3, &lifetime_busy_extent,
};

const struct lifetime *lifetime_variant(unsigned n)
{
	return n < ARRAY_SIZE(variants) ? variants[n] : NULL;
}

const struct lifetime *lifetime_era(const char *name, const char *era)
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_variant(n)); n++)
		if (lt->era && !strcmp(lt->era, era) && (!name || !strcmp(lt->name, name)))
			return lt;
	return NULL;
}

const char *lifetime_with(bool (*has)(const struct lifetime *lt))
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_nth(n)); n++)
		if (has(lt))
			return lt->name;
	return "none";
}

bool lifetime_is_first(const struct lifetime *lt)
{
	return !lt->era || lifetime_find(lt->name)->era == lt->era;
}

const char *lifetime_text(const struct lifetime *lt, char *buf, unsigned n)
{
	if (lifetime_is_first(lt))
		snprintf(buf, n, "%s", lt->name);
	else
		snprintf(buf, n, "%s, era %s", lt->name, lt->era);
	return buf;
}

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
	char text[40];

	*(unsigned *)arg += 1;
	kprintf("%s on %s: %s\n", fs->region->name, fs->path,
		lifetime_text(fs->lifetime, text, sizeof(text)));
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
	case UNBIND_WAITS_FOR_MAPPINGS: return "waits for mappings, forgets references";
	case UNBIND_WAITS_FOR_NOBODY: return "forgets references and mappings";
	default: return "refused while anything is held, or waits if told to";
	}
}

static void explain_eras(const struct lifetime *design)
{
	const struct lifetime *lt;

	for (unsigned n = 0; (lt = lifetime_variant(n)); n++) {
		if (!lt->era || strcmp(lt->name, design->name))
			continue;
		kprintf("  era=%s%s: Linux %s, %s%s\n    %s\n    unbind: %s\n", lt->era,
			lt == design ? " (default)" : "", lt->era_years,
			lt->measured ? "measured on " : "not measured",
			lt->measured ? lt->measured : "", lt->era_differs, unbind_text(lt->unbind));
	}
}

static void explain(const struct lifetime *lt)
{
	print_line(lt);
	kprintf("  a mapping holds: %s\n  busy means: %s\n  woken by: %s\n", lt->mapping_holds,
		lt->busy_test, lt->waker);
	if (!lt->era)
		kprintf("  unbind: %s\n", unbind_text(lt->unbind));
	kprintf("  fixed: %s\n  broken: %s\n", lt->fixed, lt->broken);
	explain_eras(lt);
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

static void offer_lifetimes(struct shell_offers *o)
{
	for (unsigned i = 0; i < ARRAY_SIZE(lifetimes); i++)
		shell_offer(o, lifetimes[i]->name);
}
SHELL_KIND(lifetime_name, "NAME", "lifetime", offer_lifetimes);
SHELL_KIND(lifetime, "L", NULL, offer_lifetimes);

static void offer_eras(struct shell_offers *o)
{
	for (unsigned i = 0; i < ARRAY_SIZE(variants); i++)
		if (variants[i]->era)
			shell_offer(o, variants[i]->era);
}
SHELL_KIND(era, "E", NULL, offer_eras);
SHELL_COMMAND(
	lifetime, cmd_lifetime, "lifetime [NAME]",
	"the designs for 'who waits for whom', and which mount uses which\n"
	"With a name: what a mapping holds, what busy means, who wakes, what the design fixed\n"
	"what it left broken, and its eras: years of Linux in which it behaved otherwise. One is\n"
	"chosen by 'mount DEV PATH lifetime=NAME', an era by 'mount DEV PATH era=6.1'.");
SHELL_GROUP(lifetimes, 30, "dax/lifetime/", "page lifetimes");
