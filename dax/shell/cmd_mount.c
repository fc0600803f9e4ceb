/* SPDX-License-Identifier: MIT */
/* mount, umount, sync, powercut: commands about whole devices. */
#include "dax/shell/internal.h"

/* What was asked for beside the lifetime, and is not the default. */
static const char *options_text(const struct mount_options *o)
{
	return o->longterm ? ", longterm=allow" : o->sectors ? ", entries=sectors" : "";
}

static int print_mount(struct dax_fs *fs, void *arg)
{
	const struct mount_options o = {.longterm = fs->longterm, .sectors = fs->sectors};
	struct dax_space st;
	uint64_t busy;

	char text[40];

	*(unsigned *)arg += 1;
	lifetime_text(fs->lifetime, text, sizeof(text));
	if (!fs->ops->space) {
		kprintf("%s on %s, lifetime %s: %s\n", fs->region->name, fs->path, text,
			fs->ops->name);
		return 0;
	}
	mutex_lock(&fs->lock);
	fs->ops->space(fs, &st);
	mutex_unlock(&fs->lock);
	kprintf("%s on %s, lifetime %s%s%s: %lu of %lu blocks free", fs->region->name, fs->path,
		text, options_text(&o), fs->region->readonly ? ", read-only" : "", st.free_blocks,
		st.blocks);
	if (st.inodes)
		kprintf(", %lu of %lu inodes free", st.free_inodes, st.inodes);
	kprintf("\n");
	pmem_held(fs->region, &busy);
	if (busy)
		kprintf("  of the free blocks %lu are busy: out of reach until their holders let "
			"go ('pmem %s' names them)\n",
			busy, fs->region->name);
	if (st.enospc_busy)
		kprintf("  %lu request(s) for space failed because of busy blocks\n",
			st.enospc_busy);
	return 0;
}

static int print_mounts(void)
{
	unsigned n = 0;

	dax_fs_for_each(print_mount, &n);
	n += dax_fs_print_changing();
	if (!n)
		kprintf("nothing is mounted; try: mount pmem0 /t\n");
	return 0;
}

int dax_parse_lifetime(const char *word, const struct lifetime **lt)
{
	const char *names[8];
	unsigned n = 0;

	for (; lifetime_nth(n) && n < ARRAY_SIZE(names); n++)
		names[n] = lifetime_nth(n)->name;
	*lt = lifetime_find(word);
	return *lt ? 0 : shell_unknown("lifetime", word, names, n);
}

int dax_unknown_option(const char *word, const char *known)
{
	const char *names[8], *near;
	unsigned n = 0;

	for (; lifetime_nth(n) && n < ARRAY_SIZE(names); n++)
		names[n] = lifetime_nth(n)->name;
	near = shell_nearest(word, names, n);
	if (near)
		return shell_fail(-EINVAL, "unknown option '%s': did you mean 'lifetime=%s'?", word,
				  near);
	if (*word == '-')
		return shell_fail(
			-EINVAL,
			"unknown option '%s': options are words without a dash here; there "
			"are %s",
			word, known);
	return shell_fail(-EINVAL, "unknown option '%s'; there are %s", word, known);
}

/* Every era of a design, or of all, for a refusal. */
static void list_eras(const char *name, char *buf, unsigned n)
{
	const struct lifetime *lt;
	unsigned at = 0;

	buf[0] = '\0';
	for (unsigned i = 0; (lt = lifetime_variant(i)) && at < n; i++)
		if (lt->era && (!name || !strcmp(name, lt->name)))
			at += snprintf(buf + at, n - at, "%s%s (%s)", at ? ", " : "", lt->era,
				       name ? lt->era_years : lt->name);
}

int dax_parse_era(const char *word, const struct lifetime *named, const struct lifetime **lt)
{
	const char *name = named ? named->name : NULL;
	char eras[160];

	*lt = lifetime_era(name, word);
	if (*lt)
		return 0;
	list_eras(name, eras, sizeof(eras));
	if (!eras[0])
		return shell_fail(-EINVAL, "%s has one era only; leave out era=%s", name, word);
	return shell_fail(-EINVAL,
			  "no era '%s'%s%s; an era is named by its first release of Linux: %s",
			  word, name ? " of " : "", name ? name : "", eras);
}

/* What the words said; NULL: nothing. */
struct lifetime_words {
	const struct lifetime *named;
	const char *era;
};

static int parse_layer(const char *word, struct mount_options *o)
{
	const char *names[8];
	unsigned n = 0;

	o->ops = dax_layer_find(word);
	if (o->ops)
		return 0;
	for (; n < ARRAY_SIZE(names) && dax_layer_nth(n); n++)
		names[n] = dax_layer_nth(n)->name;
	return shell_unknown("file layer", word, names, n);
}

static int parse_option(const char *word, struct lifetime_words *lw, struct mount_options *o)
{
	if (!strncmp(word, "lifetime=", 9))
		return dax_parse_lifetime(word + 9, &lw->named);
	if (!strncmp(word, "era=", 4)) {
		lw->era = word + 4;
		return 0;
	}
	if (!strcmp(word, "longterm=allow") || !strcmp(word, "longterm=refuse")) {
		o->longterm = word[9] == 'a';
		return 0;
	}
	if (!strcmp(word, "entries=sectors") || !strcmp(word, "entries=pfns")) {
		o->sectors = word[8] == 's';
		return 0;
	}
	if (!strncmp(word, "layer=", 6))
		return parse_layer(word + 6, o);
	return dax_unknown_option(word, "lifetime=L, era=E, longterm=refuse|allow, "
					"entries=pfns|sectors and layer=F");
}

static int cmd_mount(int argc, char **argv)
{
	const struct lifetime *lt = LIFETIME_DEFAULT;
	struct lifetime_words words = {NULL, NULL};
	struct mount_options options = {0};
	char text[40];
	struct block_device *disk;
	uint64_t pfn, pages;
	struct pmem_region *r;
	int err;

	if (argc == 1)
		return print_mounts();
	if (argc < 3 || argc > 8)
		return shell_usage();
	r = pmem_find(argv[1]);
	if (!r && (disk = block_find(argv[1]))) {
		err = dax_probe_disk(disk, &pfn, &pages);
		return shell_fail(err ? err : -EINVAL, "%s is a disk: %s", argv[1],
				  err ? refusal() : "its pages are a device's: mount that");
	}
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[1]);
	err = pmem_check_present(r);
	if (err)
		return shell_fail(err, "%s", refusal());
	for (int i = 3; i < argc; i++) {
		err = parse_option(argv[i], &words, &options);
		if (err)
			return err;
	}
	if (words.named)
		lt = words.named;
	err = words.era ? dax_parse_era(words.era, words.named, &lt) : 0;
	if (err)
		return err;
	err = dax_mount_with(r, argv[2], lt, &options, NULL);
	if (err)
		return shell_fail(err, "%s", refusal());
	kprintf("%s on %s, lifetime %s%s%s%s%s\n", r->name, argv[2],
		lifetime_text(lt, text, sizeof(text)), options_text(&options),
		r->readonly ? ", read-only (" : "", r->readonly ? r->ro_reason : "",
		r->readonly ? ")" : "");
	return 0;
}
SHELL_COMMAND(
	mount, cmd_mount,
	"mount [DEV PATH [lifetime=L] [era=E] [longterm=refuse|allow] [entries=pfns|sectors] "
	"[layer=F]]",
	"mount a region's file system, or list the mounts\n"
	"DEV is a region such as pmem0; PATH an absolute mount point such as /t;\n"
	"L one of the designs that 'lifetime' lists; E an era of it, such as 6.1: a run of years\n"
	"in which Linux behaved like that ('lifetime NAME' lists them; alone it names the "
	"design).\n"
	"longterm=allow (busy-extent only): pins without an end are taken, and the blocks they\n"
	"hold come back when the pin goes.\n"
	"entries=sectors (unaware only): as before 4.15, fsync needs the live device.\n"
	"F is the file layer, ext4 without the word; TAB lists them. That of the self-tests is "
	"made\n"
	"afresh at each mount of a scratch region, and its files can share blocks.");

static void offer_layers(struct shell_offers *o)
{
	for (unsigned n = 0; dax_layer_nth(n); n++)
		shell_offer(o, dax_layer_nth(n)->name);
}
SHELL_KIND(layer, "F", NULL, offer_layers);

static int cmd_umount(int argc, char **argv)
{
	int err;

	if (argc != 2)
		return shell_usage();
	err = dax_umount(argv[1]);
	return err ? shell_fail(err, "%s", refusal()) : 0;
}
SHELL_COMMAND(umount, cmd_umount, "umount PATH", "unmount; refused while a file is open or mapped");

/* The next file behind `at` (NULL: the first) that has a name, with a reference, which also keeps
 * its place in the list. An unlinked file need not be durable, and may be going right now. */
static struct dax_inode *next_named(struct dax_fs *fs, struct dax_inode *at)
{
	struct dax_inode *inode;

	mutex_lock(&fs->lock);
	inode = at ? LIST_NEXT(at, link) : LIST_FIRST(&fs->inodes);
	while (inode && !inode->ops->has_name(inode))
		inode = LIST_NEXT(inode, link);
	if (inode)
		inode->refs++;
	mutex_unlock(&fs->lock);
	return inode;
}

static int sync_inodes(struct dax_fs *fs, void *arg)
{
	struct dax_inode *inode = next_named(fs, NULL), *next;
	int *err = arg;

	for (; inode; inode = next) {
		if (!*err)
			*err = dax_fsync(inode);
		next = next_named(fs, inode);
		dax_put(inode);
	}
	mutex_lock(&fs->lock);
	if (!*err && fs->ops->sync_all)
		*err = fs->ops->sync_all(fs);
	mutex_unlock(&fs->lock);
	return 0;
}

static int cmd_sync(int argc, char **argv)
{
	int err = 0;

	if (argc > 1)
		return dax_sync_mapping(argc, argv);
	dax_fs_for_each(sync_inodes, &err);
	return err ? shell_fail(err, "%s", refusal()) : 0;
}
SHELL_COMMAND(
	sync, cmd_sync, "sync [MAPPING [OFF LEN]]",
	"make everything that was written durable, or what was stored through a mapping (msync)");

static bool any_shadow(void)
{
	for (unsigned i = 0; i < pmem_count(); i++)
		if (pmem_nth(i)->shadow)
			return true;
	return false;
}

/* The power fails later, and nobody notices until `powercut`. */
static int fail_later(const char *word)
{
	uint64_t fences, fails_at;
	int err = shell_number("after", word, &fences);

	if (err)
		return err;
	if (pmem_shadow_fail_after(fences)) {
		pmem_shadow_fences(&fails_at);
		return shell_fail(-EBUSY,
				  "the power has failed already, behind fence %lu; 'powercut' "
				  "shows what is left",
				  fails_at);
	}
	kprintf("the power fails behind %lu more fence(s): what is made durable later is lost; "
		"'powercut' shows it\n",
		fences);
	return 0;
}

static void __attribute__((noreturn)) cut_now(void)
{
	uint64_t fails_at, fences = pmem_shadow_fences(&fails_at);

	for (unsigned i = 0; i < pci_count(); i++)
		if (pci_is_bus_master(pci_at(i)))
			pci_set_bus_master(pci_at(i), false); /* no device stores any more, … */
	machine_freeze();				      /* … and no other CPU */
	if (fences >= fails_at)
		kprintf("the power failed behind fence %lu of %lu\n", fails_at, fences);
	kprintf("power cut: %lu line(s) of 64 bytes were not durable and are lost\n",
		pmem_shadow_restore());
	shell_stop_here();
}

static int cmd_powercut(int argc, char **argv)
{
	bool later = argc == 2 && !strncmp(argv[1], "after=", 6);

	if (argc != 1 && !later)
		return shell_usage();
	if (!any_shadow())
		return shell_fail(-ENODEV, "no region has a second copy of what is durable; give a "
					   "DIMM the option shadow: PMEM=\"file,size=64M,shadow\"");
	if (later)
		return fail_later(argv[1] + 6);
	cut_now();
}
SHELL_COMMAND(
	powercut, cmd_powercut, "powercut [after=N]",
	"lose everything that was not made durable, and stop without unmounting\n"
	"after=N: the power fails behind the N-th fence from now that makes something durable, in\n"
	"the middle of whatever is done then; the machine goes on until 'powercut' shows what was\n"
	"left. 'shadow' counts these fences.");
SHELL_GROUP(mounts, 20, "dax/shell/cmd_mount", "mounts");
