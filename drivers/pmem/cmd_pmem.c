/* SPDX-License-Identifier: MIT */
/* pmem: the regions as a user sees them, and the ways to bind, unbind, kill and revive one. */
#include "drivers/pmem/internal.h"

static void print_dimms(const struct nfit_spa *spa)
{
	char health[120];

	for (unsigned i = 0; i < spa->nr_memdevs; i++) {
		const struct nfit_memdev *m = &spa->memdev[i];

		nfit_flags_text(m->flags, health, sizeof(health));
		kprintf("  DIMM handle 0x%x (node %u socket %u controller %u channel %u dimm %u)",
			m->handle, m->dimm->node, m->dimm->socket, m->dimm->controller,
			m->dimm->channel, m->dimm->dimm);
		if (m->dcr)
			kprintf(", serial 0x%x, vendor 0x%04x", m->dcr->serial, m->dcr->vendor);
		kprintf(", %s\n", health);
	}
}

static void print_contents(const struct pmem_region *r)
{
	char text[300];

	if (pmem_is_there(r))
		kprintf("  contents: %s%s\n",
			pmem_contents(r, text, sizeof(text)) ? text : "nothing known",
			r->scratch ? "; given as scratch" : "");
}

static const char *bound_as(const struct pmem_region *r, enum pmem_state state)
{
	if (state != PMEM_PRESENT && state != PMEM_KILLED)
		return pmem_state_text(state);
	return pmem_is_limited(r)	       ? "bound (limited: no page records)"
	       : r->pgmap.type == PGMAP_FS_DAX ? "bound (FS_DAX)"
					       : "bound (GENERIC: a device)";
}

static void print_region(const struct pmem_region *r)
{
	const enum pmem_state state = pmem_state(r);
	const struct nfit_spa *spa = r->spa;

	if (!r->len) {
		kprintf("%s: not usable: %s\n", r->name, r->unbound_why);
		print_dimms(spa);
		return;
	}
	kprintf("%s: 0x%lx - 0x%lx, %s, %s\n", r->name, r->start, r->start + r->len,
		SIZE_TEXT(r->len), bound_as(r, state));
	if (state == PMEM_GONE)
		kprintf("  why: %s\n", r->unbound_why);
	if (state == PMEM_KILLED)
		kprintf("  killed: no fault gets a page of it; 'pmem revive %s' ends that\n",
			r->name);
	print_dimms(spa);
	if (spa->has_proximity)
		kprintf("  node %u, ", spa->proximity);
	else
		kprintf("  node unknown, ");
	kprintf("%s%s%s\n", r->readonly ? "read-only (" : "armed, writable",
		r->readonly ? r->ro_reason : "", r->readonly ? ")" : "");
	kprintf("  persistence domain: %s; flush with %s\n",
		nfit_persistence_name(spa->table->persistence), cache_writeback_name());
	if (nfit_pages_lost(spa))
		kprintf("  trimmed: %lu page(s) lost to 2 MiB alignment (%lu bytes at the start, "
			"%lu at the end); give the DIMM align=2M\n",
			nfit_pages_lost(spa), spa->lost_start, spa->lost_end);
	else
		kprintf("  trimmed: nothing, start and end are 2 MiB aligned\n");
	print_contents(r);
	if (pmem_is_there(r))
		pmem_print_mode(r, "  mode");
	if (r->shadow)
		kprintf("  power-cut model: on\n");
}

static int cmd_unbind(int argc, char **argv)
{
	struct pmem_region *r = argc > 2 ? pmem_find(argv[2]) : NULL;
	bool wait = argc == 4 && !strcmp(argv[3], "wait");

	if (argc < 3 || argc > 4 || (argc == 4 && !wait))
		return shell_usage();
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[2]);
	return pmem_above()->unbind(r, wait);
}

static int cmd_bind(int argc, char **argv)
{
	struct pmem_region *r = argc > 2 ? pmem_find(argv[2]) : NULL;
	bool limited = argc == 4 && !strcmp(argv[3], "limited");
	int err;

	if (argc != 3 && !limited)
		return shell_usage();
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[2]);
	if (!r->len)
		return shell_fail(-ENXIO, "%s cannot be bound: %s", r->name, r->unbound_why);
	err = limited ? pmem_bind_limited(r) : pmem_bind(r);
	return err ? shell_fail(err, "%s", refusal()) : 0;
}

/* It is so already: said, as nobody types that on purpose. */
static int refuse_needless(const struct pmem_region *r, bool kill)
{
	if (pmem_state(r) == PMEM_KILLED && kill)
		return shell_fail(-EBUSY, "%s is killed already; 'pmem revive %s' ends that",
				  r->name, r->name);
	if (pmem_state(r) == PMEM_PRESENT && !kill)
		return shell_fail(-EBUSY, "%s was not killed: there is nothing to revive", r->name);
	return 0;
}

static int cmd_kill(int argc, char **argv, bool kill)
{
	struct pmem_region *r = argc == 3 ? pmem_find(argv[2]) : NULL;
	int err;

	if (argc != 3)
		return shell_usage();
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[2]);
	err = refuse_needless(r, kill);
	if (err)
		return err;
	err = kill ? pmem_kill(r) : pmem_revive(r);
	return err ? shell_fail(err, "%s", refusal()) : 0;
}

static int parse_mode_words(int argc, char **argv, uint32_t *align, bool *force)
{
	static const struct {
		const char *word;
		uint32_t bytes;
	} sizes[] = {{"align=4K", PAGE_SIZE}, {"align=2M", PMD_SIZE}, {"align=1G", PUD_SIZE}};

	*force = argc > 4 && !strcmp(argv[argc - 1], "force");
	argc -= *force;
	*align = !strcmp(argv[3], "devdax") ? PMD_SIZE : 0;
	if (!*align && strcmp(argv[3], "raw"))
		return shell_fail(-EINVAL, "'%s' must be raw or devdax", argv[3]);
	if (!*align && argc == 5 && !strncmp(argv[4], "align=", 6))
		return shell_fail(-EINVAL, "'%s' is of devdax: raw has no alignment, leave it out",
				  argv[4]);
	for (unsigned i = 0; argc == 5 && i < ARRAY_SIZE(sizes); i++)
		if (*align && !strcmp(argv[4], sizes[i].word)) {
			*align = sizes[i].bytes;
			return 0;
		}
	return argc == 4 ? 0
			 : shell_fail(-EINVAL,
				      "'%s' must be align=4K, align=2M or align=1G, of devdax; or "
				      "force",
				      argv[4]);
}

static int cmd_mode(int argc, char **argv)
{
	struct pmem_region *r = argc > 2 ? pmem_find(argv[2]) : NULL;
	uint32_t align;
	bool force;
	int err;

	if (argc < 4 || argc > 6)
		return shell_usage();
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[2]);
	err = parse_mode_words(argc, argv, &align, &force);
	if (err)
		return err;
	err = pmem_above()->set_mode(r, align, force);
	return err ? shell_fail(err, "%s", refusal()) : 0;
}

static int cmd_pmem(int argc, char **argv)
{
	const struct pmem_region *r = argc > 1 ? pmem_find(argv[1]) : NULL;

	if (argc > 1 && !strcmp(argv[1], "unbind"))
		return cmd_unbind(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "bind"))
		return cmd_bind(argc, argv);
	if (argc > 1 && (!strcmp(argv[1], "kill") || !strcmp(argv[1], "revive")))
		return cmd_kill(argc, argv, argv[1][0] == 'k');
	if (argc > 1 && !strcmp(argv[1], "mode"))
		return cmd_mode(argc, argv);
	if (argc > 2)
		return shell_usage();
	if (!pmem_count() && nfit_missing())
		return shell_fail(-ENODEV, "%s", nfit_missing());
	if (argc > 1 && !r)
		return shell_fail(-ENODEV, "no region '%s'; there %s %u: pmem0 … (see 'pmem')",
				  argv[1], pmem_count() == 1 ? "is" : "are", pmem_count());
	if (!pmem_any_usable())
		kprintf("no persistent memory: start QEMU with -device nvdimm "
			"(PMEM=\"file,size=1G\")\n");
	for (unsigned i = 0; i < pmem_count(); i++)
		if (!r || r == pmem_nth(i)) {
			print_region(pmem_nth(i));
			pmem_print_held(pmem_nth(i));
		}
	return 0;
}
static void offer_regions(struct shell_offers *o)
{
	for (unsigned i = 0; i < pmem_count(); i++)
		shell_offer(o, pmem_nth(i)->name);
}
SHELL_KIND(region, "REGION", NULL, offer_regions);
SHELL_KIND(dev, "DEV", NULL, offer_regions);
SHELL_COMMAND(
	pmem, cmd_pmem,
	"pmem [REGION] | pmem unbind REGION [wait] | pmem bind REGION [limited] | pmem kill|revive "
	"REGION | pmem mode REGION raw|devdax [align=4K|2M|1G] [force]",
	"persistent memory: ranges, DIMMs, persistence, what alignment cost, who holds pages\n"
	"unbind takes a region's page records away, bind brings them back. It is refused while\n"
	"the region is mounted or mapped; a page that is held is treated as the lifetime of the\n"
	"last mount has it: busy-extent names the holders and refuses, or waits if told to; wait\n"
	"also removes a region that is mapped as a device, and waits for its pins. limited: "
	"without\n"
	"page records, so that files can be mapped and nothing of them pinned (lifetime=unaware).\n"
	"kill: no fault gets a page of the region any more, until revive.\n"
	"mode devdax: writes the info block that puts it into device mode, as ndctl does (align: "
	"2M);\nits first 8 KiB are lost, which is refused if something known is there, unless "
	"forced. raw: takes the\nblock away.");
