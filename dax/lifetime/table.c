/* SPDX-License-Identifier: MIT */
/* The list of designs, in the order of history, and what each says of itself; `lifetime` prints
 * it. */
#include "dax/file/internal.h"

/* What a design says of itself. */
static const struct design {
	const struct lifetime *lt;
	const char *who;	   /* years and where it came from */
	const char *busy_truncate; /* what truncate of a busy page does */
	const char *mapping_holds; /* what a mapping holds of its page */
	const char *busy;	   /* what busy means */
	const char *waker;	   /* the event that ends a wait */
	const char *fixed, *broken;
} designs[] = {
	{&lifetime_unaware, "Linux 4.5 - 4.16", "frees the block: the bug everything is about",
	 "nothing", "none", "none", "get_user_pages works on DAX mappings at all",
	 "A-1 (a device writes into the block's next owner), A-2 (entries=sectors)"},
	{&lifetime_lease_poll, "proposed for Linux in 2017",
	 "truncate frees the block (B-7); punch waits for the calls' leases",
	 "nothing; the entry links page and file", "references > 1 of a leased page, once a second",
	 "a poll that unlocks the lease, up to a second after the put",
	 "A-1 for punch, zero, collapse and insert",
	 "B-1 (first VMA only), B-2 (lost lease), B-3 (a lease and polls per call), B-4 (ways "
	 "without a lease), B-6 (starvation), B-7 (truncate not wired), C-3, C-4"},
	{&lifetime_idle_at_one, "Linux 4.17 - 6.14", "sleeps until the count falls from 2 to 1",
	 "nothing; the entry links page and file", "references > 1", "the put from 2 to 1",
	 "A-1 (truncate waits by an event), B-1 to B-7 (no lease per call)",
	 "C-1 (held and not mapped), C-2 (locked entry), C-3 (eviction), C-4 (a mapping keeps no "
	 "device), C-6 (starvation), C-7 (the device's teardown); later eras: C-5 (a put that "
	 "wakes nobody), C-8 (nor does a reference)"},
	{&lifetime_zap_to_zero, "proposed for Linux in 2022",
	 "zaps the entries, sleeps until the count falls from 1 to 0",
	 "nothing; the entry holds one reference until it is zapped",
	 "references > 0 after the zap", "the put from 1 to 0",
	 "C-1, C-3 (eviction waits), C-4, C-8 (a page in use holds the device)",
	 "C-2, D-1 (ZAP is for ever), D-6 (eviction deadlock), C-6 (starvation)"},
	{&lifetime_counted_map, "Linux 6.15 and later",
	 "sleeps until neither a reference nor a mapping is left",
	 "the page, one count per page-table entry", "references that are no mapping != 0",
	 "the last use of the page",
	 "C-1, C-2 (locked entries are waited for), C-3, C-5, D-1 to D-9",
	 "C-6 (starvation), E-1 (birth without a liveness test), E-2 (unbind looks at no "
	 "reference), E-3 (eviction waits in reclaim), E-7 (a refault outlasts the put); later "
	 "era: C-4 (nor at a mapping), E-3 in an unbind"},
	{&lifetime_refuse_busy, "proposed for Linux in 2019 and 2025",
	 "unmaps the range and fails at once, -EAGAIN, naming the page",
	 "the page, one count per page-table entry",
	 "references that are no mapping != 0, after the unmap",
	 "nobody: the caller asks again; an eviction waits for the last put",
	 "A-1, C-1 to C-5, C-7, C-8, D-1 to D-5, E-1, E-2, E-7: nobody sleeps for a page but an "
	 "eviction",
	 "C-6 and G-1 (a holder forbids truncate for ever), D-6, E-3 (eviction waits), G-2 "
	 "(unmapped, though it failed), G-3 (a half-cut file), G-4 (the put tells nobody), "
	 "G-5 (each look unmaps anew)"},
	{&lifetime_busy_extent, "Holdfast's own",
	 "never waits: the allocator keeps the block out of reach until the last put",
	 "the page, one count per page-table entry", "references != 0; its freed blocks are marked",
	 "nobody waits; the put to zero releases the block", "everything from A-1 to E-7",
	 "F-13 (a holder may sit on blocks; pmem and ps name him)"},
};

/* Each design with its eras, and how an era differs from the one before, in words. */
static const struct variant {
	const struct lifetime *lt;
	const char *differs;
} variants[] = {
	{&lifetime_unaware, NULL},
	{&lifetime_lease_poll, NULL},
	{&lifetime_idle_at_one, "each page counts for the device, so unbinding waits for holders"},
	{&lifetime_idle_at_one_5_18,
	 "the device counts its pages in bulk and waits for no holder (C-8, and C-7 by the record "
	 "that goes); unpin_user_pages() wakes nobody (C-5)"},
	{&lifetime_idle_at_one_6_1,
	 "unpin_user_pages() wakes again; what a block request gives back when it is complete "
	 "wakes nobody (C-5)"},
	{&lifetime_zap_to_zero, NULL},
	{&lifetime_counted_map,
	 "as designed: a break asks for the range, unbinding waits for mappings, which the file "
	 "system has to take away"},
	{&lifetime_counted_map_7_3,
	 "ext4 asks the whole file, and unmaps nothing when the device goes (C-4); the unbinding "
	 "evicts unused files first, and that waits (E-3)"},
	{&lifetime_refuse_busy, NULL},
	{&lifetime_busy_extent, NULL},
};

const struct lifetime *lifetime_variant(unsigned n)
{
	return n < ARRAY_SIZE(variants) ? variants[n].lt : NULL;
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
	return n < ARRAY_SIZE(designs) ? designs[n].lt : NULL;
}

const struct lifetime *lifetime_find(const char *name)
{
	for (unsigned n = 0; n < ARRAY_SIZE(designs); n++)
		if (!strcmp(designs[n].lt->name, name))
			return designs[n].lt;
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

static void print_line(const struct design *d)
{
	const struct lifetime *lt = d->lt;

	kprintf("%-12s %s%s\n  page at rest: %u reference(s); page knows its file: %s\n"
		"  truncate of a busy page: %s\n",
		lt->name, d->who, lt == LIFETIME_DEFAULT ? " (default)" : "", lt->rest,
		lt->associates ? "yes" : "no", d->busy_truncate);
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
	for (unsigned n = 0; n < ARRAY_SIZE(variants); n++) {
		const struct lifetime *lt = variants[n].lt;

		if (!lt->era || strcmp(lt->name, design->name))
			continue;
		kprintf("  era=%s%s: Linux %s, %s%s\n    %s\n    unbind: %s\n", lt->era,
			lt == design ? " (default)" : "", lt->era_years,
			lt->measured ? "measured on " : "not measured",
			lt->measured ? lt->measured : "", variants[n].differs,
			unbind_text(lt->unbind));
	}
}

static void explain(const struct lifetime *lt)
{
	const struct design *d = designs;

	while (strcmp(d->lt->name, lt->name))
		d++;
	print_line(d);
	kprintf("  a mapping holds: %s\n  busy means: %s\n  woken by: %s\n", d->mapping_holds,
		d->busy, d->waker);
	if (!lt->era)
		kprintf("  unbind: %s\n", unbind_text(lt->unbind));
	kprintf("  fixed: %s\n  broken: %s\n", d->fixed, d->broken);
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
	for (unsigned n = 0; n < ARRAY_SIZE(designs); n++)
		print_line(&designs[n]);
	dax_fs_for_each(print_device, &mounted);
	if (!mounted)
		kprintf("nothing is mounted\n");
	return 0;
}

static void offer_lifetimes(struct shell_offers *o)
{
	for (unsigned i = 0; i < ARRAY_SIZE(designs); i++)
		shell_offer(o, designs[i].lt->name);
}
SHELL_KIND(lifetime_name, "NAME", "lifetime", offer_lifetimes);
SHELL_KIND(lifetime, "L", NULL, offer_lifetimes);

static void offer_eras(struct shell_offers *o)
{
	for (unsigned i = 0; i < ARRAY_SIZE(variants); i++)
		if (variants[i].lt->era)
			shell_offer(o, variants[i].lt->era);
}
SHELL_KIND(era, "E", NULL, offer_eras);
SHELL_COMMAND(
	lifetime, cmd_lifetime, "lifetime [NAME]",
	"the designs for 'who waits for whom', and which mount uses which\n"
	"With a name: what a mapping holds, what busy means, who wakes, what the design fixed\n"
	"what it left broken, and its eras: years of Linux in which it behaved otherwise. One is\n"
	"chosen by 'mount DEV PATH lifetime=NAME', an era by 'mount DEV PATH era=6.1'.");
SHELL_GROUP(lifetimes, 30, "dax/lifetime/", "page lifetimes");
