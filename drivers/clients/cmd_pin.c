/* SPDX-License-Identifier: MIT */
/*
 * pin, unpin, dma: holding pages by hand.
 *
 * `pin` does what a driver does before it programs a device; `dma` lets a device really work on the
 * pages, and gives them back from its completion interrupt. With both, a waiting truncate can be
 * built command by command, and looked at with `ps` and `page`.
 */
#include <ctype.h>

#include "drivers/clients/internal.h"

#define MAX_PINS	16
#define MAX_JOBS	16
#define DMA_PATIENCE_NS 5000000000ull

static struct pin {
	bool used;
	struct page **pages; /* nr of them, malloc'ed */
	unsigned nr;
	bool readonly;		/* pinned with `ro`: a device may read there, and not write */
	struct dma_mapping map; /* for the device it was pinned for; dev NULL: for none */
	struct holder holder;
	char name[16];
} pins[MAX_PINS];

static struct {
	struct dma_job *job;
	enum dma_dir dir;
	char what[48];
} jobs[MAX_JOBS];
static struct mutex lock = MUTEX_INIT_GLOBAL("shell pins");

/* `want` pages from addr on into pages[]; how many, or a negative errno after a sentence. */
static long grab(uint64_t addr, uint64_t want, unsigned flags, struct page **pages)
{
	long got;

	refusal_clear(); /* a sentence of before is not about this one */
	got = get_user_pages_fast(addr, want, flags, pages);
	if (got == -EOPNOTSUPP)
		return shell_fail(
			got, "a long-term pin is refused on a file's pages (FOLL_LONGTERM on "
			     "file-system DAX): it could block truncate for ever; leave "
			     "'longterm' out, or take a device's or an anonymous mapping, or a "
			     "mount with longterm=allow (busy-extent)");
	if (got < 0)
		return shell_fail(got, "get_user_pages: %s",
				  *refusal() ? refusal() : errno_name(got));
	if ((uint64_t)got < want) {
		unpin_user_pages(pages, got);
		return shell_fail(-EFAULT,
				  "only %ld of %lu page(s) could be had; is the file long "
				  "enough?",
				  got, want);
	}
	return got;
}

static int list_pins(void)
{
	bool any = false;

	for (unsigned i = 0; i < MAX_PINS; i++) {
		if (!pins[i].used)
			continue;
		any = true;
		kprintf("p%u: %u page(s) from pfn 0x%lx%s%s\n", i + 1, pins[i].nr,
			page_to_pfn(pins[i].pages[0]), pins[i].holder.device ? ", for " : "",
			pins[i].holder.device ? pins[i].holder.device : "");
	}
	if (!any)
		kprintf("nothing is pinned; try: pin m1\n");
	return 0;
}

struct pin_args {
	const char *place;
	uint64_t len;
	unsigned flags;
	struct edu *e; /* NULL: no device is told of the pages */
};

/* A pin for a device is in its reach from now on. 0, or after a sentence. */
static int let_device_reach(struct pin *p, struct edu *e)
{
	int err;

	p->map = (struct dma_mapping){.what = p->name};
	if (!e)
		return 0;
	err = dma_map(edu_dma(e), &p->map, p->pages, p->nr, p->readonly ? DMA_TO_DEVICE : DMA_BOTH);
	return err ? shell_fail(refuse_map(err, edu_dma(e), "pin"), "%s", refusal()) : 0;
}

/* lock held. The device reaches it no more, and it is nobody's; its pages stay referenced. */
static void drop_pin(struct pin *p)
{
	holder_remove(&p->holder);
	if (p->map.dev)
		dma_unmap(&p->map);
	p->used = false;
}

/* lock held. */
static int do_pin(const struct pin_args *a)
{
	struct pin *p = pins;
	uint64_t addr, nr;
	long got;
	int err;

	while (p < pins + MAX_PINS && p->used)
		p++;
	if (p == pins + MAX_PINS)
		return shell_fail(-ENOSPC, "all %u names are in use; 'unpin' one", MAX_PINS);
	err = client_pages(a->place, a->len, &addr, &nr);
	if (err)
		return err;
	p->pages = malloc(nr * sizeof(*p->pages));
	if (!p->pages)
		return shell_fail(-ENOMEM, "no memory for a list of %lu pages; give a LEN", nr);
	got = grab(addr, nr, a->flags, p->pages);
	if (got < 0) {
		free(p->pages);
		return got;
	}
	p->nr = got;
	p->readonly = !(a->flags & FOLL_WRITE);
	snprintf(p->name, sizeof(p->name), "pin p%u", (unsigned)(p - pins) + 1);
	err = let_device_reach(p, a->e);
	if (err) {
		unpin_user_pages(p->pages, p->nr);
		free(p->pages);
		return err;
	}
	p->used = true;
	p->holder = (struct holder){.what = p->name,
				    .device = a->e ? edu_name(a->e) : NULL,
				    .pages = p->pages,
				    .nr = p->nr};
	holder_add(&p->holder);
	kprintf("p%u: %u page(s) from pfn 0x%lx\n", (unsigned)(p - pins) + 1, p->nr,
		page_to_pfn(p->pages[0]));
	return 0;
}

/* One word behind the place. */
static int pin_word(const char *word, struct pin_args *a)
{
	uint64_t edu = 0;
	int err;

	if (!strcmp(word, "longterm"))
		a->flags |= FOLL_LONGTERM;
	else if (!strcmp(word, "ro"))
		a->flags &= ~FOLL_WRITE;
	else if (strncmp(word, "edu=", 4) != 0)
		return client_length(word, &a->len);
	else {
		err = shell_number("edu", word + 4, &edu);
		if (!err && edu >= edu_count())
			err = shell_fail(-ENODEV,
					 "no device edu%lu; there are %u (QEMU: -device edu)", edu,
					 edu_count());
		a->e = err ? NULL : edu_nth((unsigned)edu);
		return err;
	}
	return 0;
}

static int cmd_pin(int argc, char **argv)
{
	struct pin_args a = {.place = argv[1], .flags = FOLL_PIN | FOLL_WRITE};
	int err = 0, lengths = 0;

	if (argc == 1)
		return list_pins();
	for (int i = 2; i < argc && !err; i++) {
		err = pin_word(argv[i], &a);
		lengths += isdigit((unsigned char)argv[i][0]) != 0;
	}
	if (!err && lengths > 1)
		return shell_usage();
	if (err)
		return err;
	mutex_lock(&lock);
	err = do_pin(&a);
	mutex_unlock(&lock);
	return err;
}
SHELL_COMMAND(
	pin, cmd_pin, "pin [MAPPING[+OFF] [LEN] [ro] [longterm] [edu=N]]",
	"hold the pages of a mapping as a driver does (get_user_pages), or list the pins\n"
	"ro: for reading only; longterm: refused on files, as it could block truncate for ever.\n"
	"edu: for that device, which can reach them ('iommu') until 'unpin'.");

/* lock held. NULL after a sentence. */
static struct pin *pin_by_name(const char *word)
{
	char *end;
	unsigned long n =
		word[0] == 'p' && isdigit((unsigned char)word[1]) ? strtoul(word + 1, &end, 10) : 0;

	if (!n || *end || n > MAX_PINS || !pins[n - 1].used) {
		shell_fail(-ENOENT, "there is no pin '%s'; 'pin' lists them", word);
		return NULL;
	}
	return &pins[n - 1];
}

/* lock held. */
static void do_unpin(struct pin *p)
{
	drop_pin(p);
	unpin_user_pages(p->pages, p->nr);
	free(p->pages);
}

static int cmd_unpin(int argc, char **argv)
{
	struct pin *p;

	if (argc != 2)
		return shell_usage();
	mutex_lock(&lock);
	p = pin_by_name(argv[1]);
	if (p)
		do_unpin(p);
	mutex_unlock(&lock);
	return p ? 0 : -ENOENT;
}
static void offer_pins(struct shell_offers *o)
{
	char name[12];

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_PINS; i++) {
		snprintf(name, sizeof(name), "p%u", i + 1);
		if (pins[i].used)
			shell_offer(o, name);
	}
	mutex_unlock(&lock);
}
SHELL_KIND(pin, "PIN", NULL, offer_pins);
SHELL_COMMAND(unpin, cmd_unpin, "unpin PIN", "give the pages of a pin back");

/* What a device received: the bytes before the first zero, 32 at most, unprintable ones as dots. */
static void print_received(const struct dma_job *job)
{
	char text[33];

	snprintf(text, sizeof(text), "%s", dma_received(job));
	for (char *c = text; *c; c++)
		if (!isprint((unsigned char)*c))
			*c = '.';
	kprintf(", the device received \"%s\"", text);
}

/* lock held: finished jobs are reported and their slots freed. */
static void reap_jobs(bool list)
{
	for (unsigned i = 0; i < MAX_JOBS; i++) {
		if (!jobs[i].job)
			continue;
		if (!dma_done(jobs[i].job)) {
			if (list)
				kprintf("%s: running\n", jobs[i].what);
			continue;
		}
		kprintf("%s: done", jobs[i].what);
		if (jobs[i].dir == DMA_OUT)
			print_received(jobs[i].job);
		kprintf("\n");
		dma_free(jobs[i].job);
		jobs[i].job = NULL;
	}
}

/* For the prompt: never waits for somebody who is just pinning. */
static bool any_done(void)
{
	bool done = false;

	if (!mutex_trylock(&lock))
		return false;
	for (unsigned i = 0; i < MAX_JOBS; i++)
		done |= jobs[i].job && dma_done(jobs[i].job);
	mutex_unlock(&lock);
	return done;
}

static void report_done(void)
{
	if (!mutex_trylock(&lock))
		return;
	reap_jobs(false);
	mutex_unlock(&lock);
}

static int pins_init(const struct boot_info *bi)
{
	(void)bi;
	shell_at_prompt(any_done, report_done);
	return 0;
}
INITCALL(INIT_LATE, pins, "transfers by hand", pins_init);

struct dma_args {
	const char *place, *text;
	enum dma_dir dir;
	uint64_t edu, times;
};

static int parse_dma(int argc, char **argv, struct dma_args *a)
{
	int err = 0;

	*a = (struct dma_args){.place = argv[1], .times = 1};
	if (argc < 3)
		return shell_usage();
	if (strcmp(argv[2], "in") && strcmp(argv[2], "out"))
		return shell_fail(-EINVAL,
				  "direction '%s' must be in (device writes) or out (device "
				  "reads)",
				  argv[2]);
	a->dir = argv[2][0] == 'i' ? DMA_IN : DMA_OUT;
	for (int i = 3; i < argc && !err; i++) {
		if (!strncmp(argv[i], "edu=", 4))
			err = shell_number("edu", argv[i] + 4, &a->edu);
		else if (!strncmp(argv[i], "times=", 6))
			err = shell_number("times", argv[i] + 6, &a->times);
		else if (a->dir == DMA_IN && !a->text)
			a->text = argv[i];
		else
			err = shell_fail(-EINVAL, "'%s' is not understood; see 'help dma'",
					 argv[i]);
	}
	if (!err && a->dir == DMA_IN && !a->text)
		a->text = "DMA ";
	if (!err && a->text && (!*a->text || strlen(a->text) >= DMA_TEXT))
		err = shell_fail(-EINVAL, "the text must have 1 to %d bytes", DMA_TEXT - 1);
	if (!err && (!a->times || a->times > 10000))
		err = shell_fail(-EINVAL, "times must be 1 to 10000");
	if (!err && a->edu >= edu_count())
		err = shell_fail(-ENODEV, "no device edu%lu; there are %u (QEMU: -device edu)",
				 a->edu, edu_count());
	return err;
}

/* A pin hands its references to the job; a place in a mapping is pinned for it. lock held. */
static long take_pages(const struct dma_args *a, struct page **pages, struct pin **from)
{
	uint64_t addr, nr;
	int err = 0;

	*from = NULL;
	if (a->place[0] == 'p') {
		*from = pin_by_name(a->place);
		if (!*from)
			return -ENOENT;
		nr = (*from)->nr;
	} else {
		err = client_pages(a->place, 0, &addr, &nr);
	}
	if (err)
		return err;
	if (nr > DMA_MAX_PAGES)
		return shell_fail(
			-EINVAL,
			"%s has %lu pages, the device takes %u at a time (%s): pin a piece "
			"first (`pin m1 256K`) and hand that over",
			a->place, nr, DMA_MAX_PAGES, SIZE_TEXT(DMA_MAX_PAGES * PAGE_SIZE));
	if (*from && (*from)->readonly && a->dir == DMA_IN)
		return shell_fail(-EACCES,
				  "%s was pinned for reading only: a device may not write there "
				  "(`pin` without ro)",
				  a->place);
	if (!*from)
		return grab(addr, nr, FOLL_PIN | (a->dir == DMA_IN ? FOLL_WRITE : 0), pages);
	memcpy(pages, (*from)->pages, nr * sizeof(*pages));
	return (long)nr;
}

static int start_job(const struct dma_args *a, unsigned slot)
{
	struct page *pages[DMA_MAX_PAGES];
	struct pin *from;
	long nr = take_pages(a, pages, &from);
	int err;

	if (nr < 0)
		return nr;
	jobs[slot].job = dma_start(edu_nth(a->edu), pages, nr, a->dir, a->text, a->times, &err);
	if (!jobs[slot].job) {
		if (!from)
			unpin_user_pages(pages, nr);
		return shell_fail(err, "the device did not take the job");
	}
	if (from) {
		drop_pin(from);
		free(from->pages);
	}
	jobs[slot].dir = a->dir;
	snprintf(jobs[slot].what, sizeof(jobs[slot].what), "%s %s %s (%ld pages)",
		 edu_name(edu_nth(a->edu)), a->dir == DMA_IN ? "writing" : "reading", a->place, nr);
	kprintf("%s: started, about %ld ms\n", jobs[slot].what,
		100 * (1 + 2 * nr * (long)a->times));
	return 0;
}

static int cmd_dma(int argc, char **argv)
{
	struct dma_args a;
	unsigned slot = 0;
	int err = argc > 1 ? parse_dma(argc, argv, &a) : 0;

	if (err)
		return err;
	mutex_lock(&lock);
	reap_jobs(argc == 1);
	while (slot < MAX_JOBS && jobs[slot].job)
		slot++;
	if (argc > 1)
		err = slot < MAX_JOBS
			      ? start_job(&a, slot)
			      : shell_fail(-EBUSY, "%u jobs are running; wait for one", slot);
	mutex_unlock(&lock);
	return err;
}
static void offer_engines(struct shell_offers *o)
{
	for (unsigned i = 0; i < edu_count(); i++)
		shell_offer(o, (char[2]){(char)('0' + i), '\0'}); /* fewer than EDU_MAX */
}
SHELL_KIND(engine, "N", "dma", offer_engines);
SHELL_COMMAND(
	dma, cmd_dma, "dma [PIN|MAPPING[+OFF] in|out [TEXT] [edu=N] [times=K]]",
	"let a device write TEXT into pages (in) or read them (out), or list what runs\n"
	"It takes about 100 ms for every 2 KiB and holds the pages meanwhile; a PIN is "
	"handed over\n"
	"to the device, which gives it back when it is done. times: do it K times over, so that\n"
	"there is time to look around. The prompt tells when it is done.");

/* ---- what a self-test can leave behind (kernel/selftest/selftest_leaks.c) */

static int64_t count_pins(void)
{
	int64_t n = 0;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_PINS; i++)
		n += pins[i].used;
	mutex_unlock(&lock);
	return n;
}

static void unpin_all(int64_t before)
{
	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_PINS && !before; i++)
		if (pins[i].used)
			do_unpin(&pins[i]);
	mutex_unlock(&lock);
}
SELFTEST_LEAVES(pins, "pin(s) of the shell", LEAVES_USERS, count_pins, unpin_all);

static int64_t count_dma(void)
{
	int64_t n = 0;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_JOBS; i++)
		n += jobs[i].job != NULL;
	mutex_unlock(&lock);
	return n;
}

/* A device that works is waited for: nothing ends it. */
static void reap_dma(int64_t before)
{
	uint64_t until = clock_ns() + DMA_PATIENCE_NS;

	while (count_dma() > before && clock_ns() < until) {
		mutex_lock(&lock);
		reap_jobs(false);
		mutex_unlock(&lock);
		thread_sleep_ns(1000000);
	}
}
SELFTEST_LEAVES(dma, "DMA job(s) of the shell", LEAVES_USERS, count_dma, reap_dma);
SHELL_GROUP(clients, 50, "drivers/clients/", "devices that pin memory");
