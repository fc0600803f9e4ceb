/* SPDX-License-Identifier: MIT */
/*
 * region: memory regions by hand, and what becomes of one whose file wants its pages back.
 *
 * On a mapping with MAP_DIRECT a region can be watched through its whole life: registered, told by
 * a notice, and then deregistered in time, or revoked. No lock is held while a region is
 * registered, works or is deregistered, so that other commands can look at it meanwhile; its place
 * is taken, and says so.
 */
#include <ctype.h>

#include "drivers/clients/internal.h"

#define MAX_REGIONS 8u

static struct shell_region {
	char name[8];
	bool taken;	    /* by somebody who registers, deregisters, or has it */
	struct region *reg; /* NULL: not yet, or not any more */
	unsigned working;   /* transfers; zero: it may be deregistered */
	struct edu *e;
	enum region_kind kind;
	uint64_t nr;
} regions[MAX_REGIONS];
static struct mutex lock = MUTEX_INIT("shell regions"); /* never while one sleeps */

static const char *state_words(const struct shell_region *s)
{
	static const char *const words[] = {
		[REGION_LIVE] = "registered",
		[REGION_TOLD] = "told: its file is to change, deregister it",
		[REGION_REVOKED] = "revoked: its device reaches nothing, deregister it"};

	return s->kind == REGION_ON_DEMAND ? "on demand, holds no page"
					   : words[region_state(s->reg)];
}

static void show(const struct shell_region *s)
{
	const struct dma_mapping *m = region_bus(s->reg);

	kprintf("%s on %s: %lu page(s)", s->name, edu_name(s->e), s->nr);
	if (m->dev)
		kprintf(" at bus address 0x%lx", m->bus);
	kprintf(", %s\n", state_words(s));
}

static int list_regions(void)
{
	bool any = false;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_REGIONS; i++)
		if (regions[i].reg) {
			any = true;
			show(&regions[i]);
		}
	mutex_unlock(&lock);
	if (!any)
		kprintf("no region is registered; try: region register m1\n");
	return 0;
}

/* ---- names ---------------------------------------------------------------------------------- */

int client_pages(const char *place, uint64_t len, uint64_t *addr, uint64_t *nr)
{
	uint64_t left;
	int err = dax_parse_place(place, addr, &left);

	if (err)
		return err;
	if (len > left)
		return shell_fail(-EINVAL, "%s reach beyond the mapping: from %s on it has %s",
				  SIZE_TEXT(len), place, SIZE_TEXT(left));
	*nr = dma_pages(&(struct dma_piece){*addr, len ? len : left}, 1);
	*addr = ALIGN_DOWN(*addr, PAGE_SIZE);
	return 0;
}

int client_length(const char *text, uint64_t *len)
{
	int err = shell_number("length", text, len);

	if (err || *len)
		return err;
	return shell_fail(-EINVAL,
			  "0 bytes are no page: without LEN it is all up to the end of the "
			  "mapping");
}

int client_text(const char *text)
{
	return *text && strlen(text) < DMA_TEXT
		       ? 0
		       : shell_fail(-EINVAL, "the text must have 1 to %d bytes", DMA_TEXT - 1);
}

static struct shell_region *take_place(void)
{
	struct shell_region *s = NULL;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_REGIONS && !s; i++)
		if (!regions[i].taken) {
			s = &regions[i];
			*s = (struct shell_region){.taken = true};
			snprintf(s->name, sizeof(s->name), "r%u", i + 1);
		}
	mutex_unlock(&lock);
	return s;
}

static void give_place(struct shell_region *s, struct region *reg)
{
	mutex_lock(&lock);
	s->reg = reg;
	s->taken = reg != NULL;
	mutex_unlock(&lock);
}

/* lock held. NULL after a sentence. */
static struct shell_region *region_by_name(const char *word)
{
	for (unsigned i = 0; i < MAX_REGIONS; i++)
		if (regions[i].reg && !strcmp(regions[i].name, word))
			return &regions[i];
	shell_fail(-ENOENT, "there is no region '%s'; 'region' lists them", word);
	return NULL;
}

/* ---- the verbs ------------------------------------------------------------------------------ */

struct region_args {
	const char *text;
	uint64_t len, edu, times;
	bool demand;
};

static int region_option(const char *word, struct region_args *a)
{
	if (!strncmp(word, "edu=", 4))
		return shell_number("edu", word + 4, &a->edu);
	if (!strncmp(word, "times=", 6))
		return shell_number("times", word + 6, &a->times);
	if (!strcmp(word, "demand"))
		a->demand = true;
	else if (isdigit((unsigned char)*word))
		return client_length(word, &a->len);
	else
		return shell_fail(-EINVAL, "'%s' is not understood; see 'help region'", word);
	return 0;
}

static int parse_register(int argc, char **argv, struct region_args *a)
{
	int err = 0;

	for (int i = 3; i < argc && !err; i++)
		err = region_option(argv[i], a);
	if (!err && a->times != 1)
		err = shell_fail(-EINVAL, "times= belongs to 'region receive'");
	if (!err && a->edu >= edu_count())
		err = shell_fail(-ENODEV, "no device edu%lu; there are %u (QEMU: -device edu)",
				 a->edu, edu_count());
	return err;
}

/* register PLACE [LEN] [edu=N] [demand] */
static int do_register(int argc, char **argv)
{
	struct region_args a = {.times = 1};
	int err = parse_register(argc, argv, &a);
	struct region *reg = NULL;
	struct shell_region *s;
	uint64_t addr, nr;

	err = err ?: client_pages(argv[2], a.len, &addr, &nr);
	if (err)
		return err;
	if (nr > DMA_MAX_PAGES)
		return shell_fail(-EINVAL, "%s has %lu pages, a region at most %u: give a LEN (%s)",
				  argv[2], nr, DMA_MAX_PAGES, SIZE_TEXT(DMA_MAX_PAGES * PAGE_SIZE));
	s = take_place();
	if (!s)
		return shell_fail(-ENOSPC, "all %u names are in use; 'region deregister' one",
				  MAX_REGIONS);
	s->e = edu_nth((unsigned)a.edu);
	s->kind = a.demand ? REGION_ON_DEMAND : REGION_PINNED;
	s->nr = nr;
	err = region_register(s->e, addr, (unsigned)nr, s->kind, s->name, &reg);
	give_place(s, reg);
	if (err)
		return shell_fail(err, "%s", *refusal() ? refusal() : errno_name(err));
	mutex_lock(&lock);
	show(s);
	mutex_unlock(&lock);
	return 0;
}

/* By the addresses that the device was told, whatever becomes of them meanwhile. */
static int work(struct shell_region *s, const struct region_args *a)
{
	struct dma_job *job;
	int err;

	if (s->kind == REGION_ON_DEMAND || region_state(s->reg) == REGION_REVOKED)
		return region_receive(s->reg, a->text);
	job = region_start(s->reg, a->text, (unsigned)a->times, &err);
	if (!job)
		return refuse(err, "the device did not take the job");
	dma_wait(job);
	dma_free(job);
	return region_state(s->reg) == REGION_REVOKED
		       ? refuse(-ENXIO,
				"%s was revoked while its device wrote: 'iommu' shows what "
				"came too late",
				s->name)
		       : 0;
}

/* receive REGION [TEXT] [times=K] */
static int do_receive(int argc, char **argv)
{
	struct region_args a = {.times = 1};
	struct shell_region *s;
	int err = 0;

	for (int i = 3; i < argc && !err; i++)
		if (!a.text && !strchr(argv[i], '='))
			a.text = argv[i];
		else
			err = region_option(argv[i], &a);
	a.text = a.text ? a.text : "RDMA ";
	err = err ?: client_text(a.text);
	if (!err && (!a.times || a.times > 10000))
		err = shell_fail(-EINVAL, "times must be 1 to 10000");
	if (err)
		return err;
	mutex_lock(&lock);
	s = region_by_name(argv[2]);
	if (s)
		s->working++;
	mutex_unlock(&lock);
	if (!s)
		return -ENOENT;
	err = work(s, &a);
	mutex_lock(&lock);
	s->working--;
	mutex_unlock(&lock);
	return err ? shell_fail(err, "%s", *refusal() ? refusal() : errno_name(err)) : 0;
}

/* lock held: the region leaves its place, which stays taken; NULL after a sentence, *err set. */
static struct region *take_region(const char *name, struct shell_region **s, int *err)
{
	struct region *reg;

	*s = region_by_name(name);
	*err = !*s ? -ENOENT
	       : (*s)->working
		       ? shell_fail(-EBUSY, "the device of %s works; wait for it ('jobs')", name)
		       : 0;
	if (*err)
		return NULL;
	reg = (*s)->reg;
	(*s)->reg = NULL;
	return reg;
}

static int do_deregister(const char *name)
{
	struct shell_region *s;
	struct region *reg;
	int err;

	mutex_lock(&lock);
	reg = take_region(name, &s, &err);
	mutex_unlock(&lock);
	if (!reg)
		return err;
	region_deregister(reg);
	give_place(s, NULL);
	return 0;
}

static int cmd_region(int argc, char **argv)
{
	const char *const verbs[] = {"register", "receive", "deregister"};

	if (argc == 1)
		return list_regions();
	refusal_clear();
	if (argc >= 3 && !strcmp(argv[1], "register"))
		return do_register(argc, argv);
	if (argc >= 3 && !strcmp(argv[1], "receive"))
		return do_receive(argc, argv);
	if (argc == 3 && !strcmp(argv[1], "deregister"))
		return do_deregister(argv[2]);
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(argv[1], verbs[i]))
			return shell_usage();
	return shell_unknown("verb", argv[1], verbs, ARRAY_SIZE(verbs));
}

static void offer_memory_regions(struct shell_offers *o)
{
	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_REGIONS; i++)
		if (regions[i].reg)
			shell_offer(o, regions[i].name);
	mutex_unlock(&lock);
}
SHELL_KIND(region, "REGION", NULL, offer_memory_regions);
SHELL_COMMAND(
	region, cmd_region,
	"region [register MAPPING[+OFF] [LEN] [edu=N] [demand] | receive REGION [TEXT] [times=K] | "
	"deregister REGION]",
	"memory that a device may write into without asking again (RDMA), or list such regions\n"
	"register pins the pages and keeps bus addresses for them; of a file only if it is mapped\n"
	"with 'direct': then a change of the file tells the region by a notice, and takes its\n"
	"pages behind the break time ('lease'). demand: no page is pinned, faults bring them.\n"
	"receive: the device writes TEXT over the region; with '&' one can look meanwhile.");

/* ---- what a self-test can leave behind ------------------------------------------------------- */

static int64_t count_regions(void)
{
	int64_t n = 0;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_REGIONS; i++)
		n += regions[i].reg != NULL;
	mutex_unlock(&lock);
	return n;
}

static void deregister_all(int64_t before)
{
	for (unsigned i = 0; i < MAX_REGIONS && !before; i++)
		if (regions[i].reg)
			do_deregister(regions[i].name);
}
SELFTEST_LEAVES(regions, "region(s) of the shell", LEAVES_USERS, count_regions, deregister_all);
