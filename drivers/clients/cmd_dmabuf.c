/* SPDX-License-Identifier: MIT */
/*
 * dmabuf: a buffer that one side exports and edu devices import, and how it is taken back.
 *
 * Everything that may wait (a transfer, a revocation) runs without the lock, so that other commands
 * can look at the buffer meanwhile, or revoke it under a transfer; whoever runs is counted, and a
 * buffer with users is not closed.
 */
#include "drivers/clients/internal.h"

#define MAX_EXPORTS   4u
#define MAX_IMPORTERS 4u
#define BOUND_MS      1000u

struct shell_export {
	char name[8];
	struct dmabuf buf;
	struct page *pages[DMA_MAX_PAGES];
	struct holder holder;
	struct edu_importer imp[MAX_IMPORTERS]; /* by number of the device; imp.buf NULL: none */
	unsigned users;				/* commands; zero: it may be closed */
};
static struct shell_export *exports[MAX_EXPORTS];	/* NULL: the name is free */
static struct mutex lock = MUTEX_INIT("shell buffers"); /* never while one waits */

static const char *importer_words(const struct dmabuf_importer *i)
{
	return !i->map.dev  ? "not mapped"
	       : i->map.cut ? "cut off: its device reaches nothing"
			    : "mapped";
}

/* lock held. */
static void show_export(struct shell_export *x)
{
	kprintf("%s: %u page(s)%s\n", x->name, x->buf.nr, x->buf.revoked ? ", revoked" : "");
	mutex_lock(&x->buf.map_lock);
	for (unsigned i = 0; i < MAX_IMPORTERS; i++)
		if (x->imp[i].imp.buf)
			kprintf("  edu%u%s: %s\n", i, x->imp[i].deaf ? ", deaf" : "",
				importer_words(&x->imp[i].imp));
	mutex_unlock(&x->buf.map_lock);
}

static int list_exports(void)
{
	bool any = false;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_EXPORTS; i++)
		if (exports[i]) {
			any = true;
			show_export(exports[i]);
		}
	mutex_unlock(&lock);
	if (!any)
		kprintf("no buffer is exported; try: map anon 8K; dmabuf export m1\n");
	return 0;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* lock held. Its place in the table; NULL after a sentence. */
static struct shell_export **export_by_name(const char *name)
{
	for (unsigned i = 0; i < MAX_EXPORTS; i++)
		if (exports[i] && !strcmp(exports[i]->name, name))
			return &exports[i];
	shell_fail(-ENOENT, "there is no buffer '%s'; 'dmabuf' lists them", name);
	return NULL;
}

static struct shell_export *use_export(const char *name)
{
	struct shell_export **at;

	mutex_lock(&lock);
	at = export_by_name(name);
	if (at)
		(*at)->users++;
	mutex_unlock(&lock);
	return at ? *at : NULL;
}

static int end_use(struct shell_export *x, int err)
{
	mutex_lock(&lock);
	x->users--;
	mutex_unlock(&lock);
	return err ? shell_fail(err, "%s", *refusal() ? refusal() : errno_name(err)) : 0;
}

/* Into the table, with a name. False: it is full. */
static bool name_export(struct shell_export *x)
{
	unsigned i = 0;

	mutex_lock(&lock);
	while (i < MAX_EXPORTS && exports[i])
		i++;
	if (i < MAX_EXPORTS) {
		snprintf(x->name, sizeof(x->name), "b%u", i + 1);
		exports[i] = x;
	}
	mutex_unlock(&lock);
	return i < MAX_EXPORTS;
}

/* ---- the verbs ------------------------------------------------------------------------------ */

struct dmabuf_args {
	const char *text;
	uint64_t edu, ms;
	bool deaf;
};

/* Words from argv[3] on, of which a verb takes those in `takes`: e(du=), d(eaf), m(s=), t(ext). */
static int dmabuf_words(int argc, char **argv, const char *takes, struct dmabuf_args *a)
{
	int err = 0;

	for (int i = 3; i < argc && !err; i++) {
		if (!strncmp(argv[i], "edu=", 4) && strchr(takes, 'e'))
			err = shell_number("edu", argv[i] + 4, &a->edu);
		else if (!strncmp(argv[i], "ms=", 3) && strchr(takes, 'm'))
			err = shell_number("ms", argv[i] + 3, &a->ms);
		else if (!strcmp(argv[i], "deaf") && strchr(takes, 'd'))
			a->deaf = true;
		else if (!a->text && strchr(takes, 't'))
			a->text = argv[i];
		else
			err = shell_fail(-EINVAL, "'%s' is not understood; see 'help dmabuf'",
					 argv[i]);
	}
	if (!err && (a->edu >= edu_count() || a->edu >= MAX_IMPORTERS))
		err = shell_fail(-ENODEV,
				 "no device edu%lu; there are %u (QEMU: -device edu), and the "
				 "first %u may import",
				 a->edu, edu_count(), MAX_IMPORTERS);
	return err;
}

static int pin_export(struct shell_export *x, uint64_t addr, uint64_t nr)
{
	int err = longterm_pin(addr, (unsigned)MIN(nr, UINT32_MAX), x->pages);

	if (err)
		return err;
	dmabuf_export(&x->buf, x->name, x->pages, (unsigned)nr);
	x->holder =
		(struct holder){.what = "exported buffer", .pages = x->pages, .nr = (unsigned)nr};
	holder_add(&x->holder);
	return 0;
}

static void unpin_export(struct shell_export *x)
{
	holder_remove(&x->holder);
	unpin_user_pages(x->pages, x->buf.nr);
	free(x);
}

/* export PLACE [LEN] */
static int do_export(int argc, char **argv)
{
	struct shell_export *x;
	uint64_t addr, nr, len = 0;
	int err = argc > 3 ? client_length(argv[3], &len) : 0;

	if (argc > 4)
		return shell_usage();
	err = err ?: client_pages(argv[2], len, &addr, &nr);
	if (err)
		return err;
	if (nr > DMA_MAX_PAGES)
		return shell_fail(-EINVAL, "%s has %lu pages, a buffer at most %u: give a LEN (%s)",
				  argv[2], nr, DMA_MAX_PAGES, SIZE_TEXT(DMA_MAX_PAGES * PAGE_SIZE));
	x = calloc(1, sizeof(*x));
	if (!x)
		return shell_fail(-ENOMEM, "no memory for a buffer");
	err = pin_export(x, addr, nr);
	if (err) {
		free(x);
		return shell_fail(err, "%s", *refusal() ? refusal() : errno_name(err));
	}
	if (!name_export(x)) {
		unpin_export(x);
		return shell_fail(-ENOSPC, "all %u names are in use; 'dmabuf close' one",
				  MAX_EXPORTS);
	}
	kprintf("%s: %lu page(s)\n", x->name, nr);
	return 0;
}

/* import BUF [deaf] [edu=N]: under the lock, as nothing of it waits for a device. */
static int do_import(int argc, char **argv)
{
	struct dmabuf_args a = {0};
	int err = dmabuf_words(argc, argv, "ed", &a);
	struct shell_export *x = err ? NULL : use_export(argv[2]);
	struct edu_importer *i;

	if (!x)
		return err ?: -ENOENT;
	i = &x->imp[a.edu];
	mutex_lock(&lock);
	if (i->imp.buf) {
		err = refuse(-EBUSY, "edu%lu has imported %s already", a.edu, x->name);
	} else {
		*i = (struct edu_importer){.deaf = a.deaf};
		err = edu_importer_open(i, edu_nth((unsigned)a.edu), &x->buf);
		if (err)
			i->imp.buf = NULL;
	}
	mutex_unlock(&lock);
	return end_use(x, err);
}

/* receive BUF [TEXT] [edu=N] */
static int do_transfer(int argc, char **argv)
{
	struct dmabuf_args a = {0};
	int err = dmabuf_words(argc, argv, "et", &a);
	struct shell_export *x;

	a.text = a.text ? a.text : "shared ";
	err = err ?: client_text(a.text);
	x = err ? NULL : use_export(argv[2]);
	if (!x)
		return err ?: -ENOENT;
	err = x->imp[a.edu].imp.buf
		      ? edu_importer_receive(&x->imp[a.edu], a.text)
		      : refuse(-EINVAL, "edu%lu has not imported %s: 'dmabuf import %s edu=%lu'",
			       a.edu, x->name, x->name, a.edu);
	return end_use(x, err);
}

/* revoke BUF [ms=N] */
static int do_revoke(int argc, char **argv)
{
	struct dmabuf_args a = {.ms = BOUND_MS};
	int err = dmabuf_words(argc, argv, "m", &a);
	struct shell_export *x;

	if (!err && a.ms > 60000)
		err = shell_fail(-EINVAL, "ms must be 0 to 60000, a minute");
	x = err ? NULL : use_export(argv[2]);
	return x ? end_use(x, dmabuf_revoke(&x->buf, a.ms * 1000000)) : err ?: -ENOENT;
}

/* close BUF: its importers leave, its pages go back. */
static int do_close(int argc, char **argv)
{
	struct shell_export **at, *x = NULL;
	int err = -ENOENT;

	if (argc > 3)
		return shell_usage();
	mutex_lock(&lock);
	at = export_by_name(argv[2]);
	if (at && (*at)->users) {
		err = shell_fail(-EBUSY, "%s is in use; wait for it ('jobs')", argv[2]);
	} else if (at) {
		x = *at;
		*at = NULL;
	}
	mutex_unlock(&lock);
	if (!x)
		return err;
	for (unsigned i = 0; i < MAX_IMPORTERS; i++)
		if (x->imp[i].imp.buf)
			edu_importer_close(&x->imp[i]);
	unpin_export(x);
	return 0;
}

static int cmd_dmabuf(int argc, char **argv)
{
	static const struct {
		const char *verb;
		int (*run)(int argc, char **argv);
	} verbs[] = {{"export", do_export},
		     {"import", do_import},
		     {"receive", do_transfer},
		     {"revoke", do_revoke},
		     {"close", do_close}};
	const char *names[ARRAY_SIZE(verbs)];

	if (argc == 1)
		return list_exports();
	refusal_clear();
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++) {
		names[i] = verbs[i].verb;
		if (!strcmp(argv[1], verbs[i].verb))
			return argc < 3 ? shell_usage() : verbs[i].run(argc, argv);
	}
	return shell_unknown("verb", argv[1], names, ARRAY_SIZE(verbs));
}

static void offer_exports(struct shell_offers *o)
{
	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_EXPORTS; i++)
		if (exports[i])
			shell_offer(o, exports[i]->name);
	mutex_unlock(&lock);
}
SHELL_KIND(buffer, "BUF", NULL, offer_exports);
SHELL_COMMAND(
	dmabuf, cmd_dmabuf,
	"dmabuf [export MAPPING[+OFF] [LEN] | import BUF [deaf] [edu=N] | receive BUF [TEXT] "
	"[edu=N] | revoke BUF [ms=N] | close BUF]",
	"a buffer that devices import until its exporter takes it back, or list such buffers\n"
	"export pins the pages, so not of a file; import maps them for a device. receive: the\n"
	"device writes TEXT over them. revoke tells every importer to stop and waits ms=1000 at\n"
	"most until none has it mapped; a deaf one is named, and cut off by its IOMMU.");

/* ---- what a self-test can leave behind ------------------------------------------------------- */

static int64_t count_exports(void)
{
	int64_t n = 0;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_EXPORTS; i++)
		n += exports[i] != NULL;
	mutex_unlock(&lock);
	return n;
}

static void close_exports(int64_t before)
{
	for (unsigned i = 0; i < MAX_EXPORTS && !before; i++)
		if (exports[i])
			do_close(3, (char *[]){"dmabuf", "close", exports[i]->name});
}
SELFTEST_LEAVES(exports, "exported buffer(s) of the shell", LEAVES_USERS, count_exports,
		close_exports);
