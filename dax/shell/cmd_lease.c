/* SPDX-License-Identifier: MIT */
/*
 * lease: the promises about files' blocks, and a hand to set and break them.
 *
 * A lease that the shell sets belongs to nobody in particular: told to give it back, it keeps it,
 * so that one can watch the breaker wait; the notice comes at the prompt, and `lease drop` is the
 * answer.
 */
#include "dax/file/internal.h"

#define MAX_SHELL_LEASES 8

static struct shell_lease {
	struct lease lease;
	struct dax_inode *inode; /* one reference; NULL: the place is free */
	bool over;		 /* off the list: expired, or its file went */
} shell_leases[MAX_SHELL_LEASES];
static struct mutex lock = MUTEX_INIT_GLOBAL("shell leases");

static void gone(struct lease *l)
{
	container_of(l, struct shell_lease, lease)->over = true;
}

static const struct lease_ops shell_ops = {.what = "the shell", .gone = gone};

static void print_state(const struct lease *l)
{
	uint64_t now = clock_ns();

	if (!l->pending)
		kprintf(", set\n");
	else if (l->revoking || (l->until_ns && l->until_ns <= now))
		kprintf(", being revoked\n");
	else if (l->until_ns)
		kprintf(", being broken, expires in %lu ms\n", (l->until_ns - now) / 1000000);
	else
		kprintf(", being broken, without a deadline\n");
}

static void print_lease(const struct lease *l, void *arg)
{
	kprintf("%s: %s, of %s%s%s", l->file ? l->file : "a file",
		l->class == LEASE_LAYOUT ? "layout" : "allocated blocks", l->ops->what,
		l->name ? " " : "", l->name ? l->name : "");
	if (l->tid)
		kprintf(", thread %u", l->tid);
	print_state(l);
	*(unsigned *)arg += 1;
}

static int list(void)
{
	unsigned n = 0;

	lease_for_each(print_lease, &n);
	if (!n)
		kprintf("no leases; an owner that is asked has %lu ms\n",
			lease_break_time_ns / 1000000);
	return 0;
}

/* Places of leases that have gone are free again. The references go when the lock is free: the last
 * one of a removed file may wait for whoever holds its pages, who may need the lock. Not locked. */
static void sweep(void)
{
	struct dax_inode *gone[MAX_SHELL_LEASES];
	unsigned n = 0;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_SHELL_LEASES; i++) {
		struct shell_lease *s = &shell_leases[i];

		if (!s->inode || !s->over)
			continue;
		gone[n++] = s->inode;
		*s = (struct shell_lease){0};
	}
	mutex_unlock(&lock);
	while (n)
		dax_put(gone[--n]);
}

/* The shell's lease of that file; of NULL: a free place. lock held. */
static struct shell_lease *find(const struct dax_inode *inode)
{
	for (unsigned i = 0; i < MAX_SHELL_LEASES; i++)
		if (shell_leases[i].inode == inode)
			return &shell_leases[i];
	return NULL;
}

static int set(struct dax_inode *inode)
{
	struct shell_lease *s = find(NULL);
	int err;

	if (find(inode))
		return shell_fail(-EEXIST, "the shell has a lease of %s already", inode->name);
	if (!s)
		return shell_fail(-ENOSPC, "the shell has %u leases; 'lease drop' one",
				  MAX_SHELL_LEASES);
	*s = (struct shell_lease){.lease = {.class = LEASE_LAYOUT,
					    .ops = &shell_ops,
					    .file = inode->name,
					    .tid = current_thread()->tid}};
	err = layout_lease_set(inode, &s->lease, true);
	if (err)
		return shell_fail(err, "%s", refusal());
	dax_get(inode);
	s->inode = inode;
	return 0;
}

/* The file's lease, and those of removed files of that name, which is what `lease` prints: they
 * would stay for ever if they could not be dropped. How many there were. lock held. */
static unsigned unlock(const char *path, const struct dax_inode *inode)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MAX_SHELL_LEASES; i++) {
		struct shell_lease *s = &shell_leases[i];

		if (!s->inode || (s->inode != inode && strcmp(s->inode->name, path)))
			continue;
		lease_unlock(&s->lease);
		n++;
	}
	return n;
}

/* Not locked. */
static int drop(const char *path)
{
	struct dax_inode *inode = NULL;
	unsigned n;

	sweep();
	dax_open(path, false, &inode);
	mutex_lock(&lock);
	n = unlock(path, inode);
	mutex_unlock(&lock);
	if (inode)
		dax_put(inode);
	sweep();
	return n ? 0
		 : shell_fail(-ENOENT, "the shell has no lease of %s; 'lease' lists them", path);
}

/* ---- what a self-test leaves (kernel/selftest/selftest_leaks.c) */

static int64_t count_ours(void)
{
	int64_t n = 0;

	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_SHELL_LEASES; i++)
		n += shell_leases[i].inode != NULL;
	mutex_unlock(&lock);
	return n;
}

/* Each holds its file open: it must go before somebody else closes the file on its behalf, else the
 * next word to `lease` closes a file that may be gone. Whose they are nobody knows: all, or none.
 */
static void drop_ours(int64_t before)
{
	if (before)
		return;
	mutex_lock(&lock);
	for (unsigned i = 0; i < MAX_SHELL_LEASES; i++)
		if (shell_leases[i].inode)
			lease_unlock(&shell_leases[i].lease);
	mutex_unlock(&lock);
	sweep();
}
SELFTEST_LEAVES(shell_leases, "lease(s) of the shell", LEAVES_USERS, count_ours, drop_ours);

static int break_all(struct dax_inode *inode, bool wait)
{
	int err = lease_break(&inode->leases, LEASE_ALL, wait);

	if (err == -EWOULDBLOCK)
		return shell_fail(err,
				  "%u lease(s) of %s are being broken; 'lease break %s wait' "
				  "waits for them",
				  lease_count(&inode->leases, LEASE_ALL), inode->name, inode->name);
	return err ? shell_fail(err, "interrupted") : 0;
}

static int on_file(int argc, char **argv)
{
	bool wait = argc == 4 && !strcmp(argv[3], "wait"), breaks = !strcmp(argv[1], "break");
	struct dax_inode *inode;
	int err;

	if (argc > 4 || (argc == 4 && !(wait && breaks)))
		return shell_usage();
	if (!strcmp(argv[1], "drop"))
		return drop(argv[2]);
	err = dax_open(argv[2], false, &inode);
	if (err)
		return shell_fail(err, "%s", refusal());
	sweep();
	mutex_lock(&lock);
	if (!breaks)
		err = set(inode);
	mutex_unlock(&lock);
	if (breaks)
		err = break_all(inode, wait);
	dax_put(inode);
	return err;
}

static int set_break_time(const char *word)
{
	uint64_t seconds;
	int err = shell_number("seconds", word, &seconds);

	if (err)
		return err;
	if (seconds > 86400)
		return shell_fail(-EINVAL, "a lease's break time is 0 (no limit) to 86400 seconds");
	lease_break_time_ns = seconds * 1000000000;
	return 0;
}

static int cmd_lease(int argc, char **argv)
{
	static const char *const words[] = {"set", "drop", "break", "time"};

	if (argc == 1) {
		sweep();
		return list();
	}
	for (unsigned i = 0; i < 3; i++)
		if (!strcmp(argv[1], words[i]))
			return argc > 2 ? on_file(argc, argv) : shell_usage();
	if (!strcmp(argv[1], "time"))
		return argc == 3 ? set_break_time(argv[2]) : shell_usage();
	return shell_unknown("word", argv[1], words, ARRAY_SIZE(words));
}
SHELL_COMMAND(
	lease, cmd_lease, "lease [set FILE | drop FILE | break FILE [wait] | time SECONDS]",
	"promises that a file's blocks stay where they are\n"
	"Without words: every lease, its class, whose it is, and when it expires. set: one of\n"
	"the shell's own, of class layout; whatever writes to the file or changes its blocks "
	"breaks\n"
	"it and waits until 'drop', or until its break time is over (45 s; 'time' changes it, 0: "
	"no\n"
	"limit). A store through a mapping that needs a new block cannot wait: it fails until "
	"then.");
