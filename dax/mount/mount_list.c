/* SPDX-License-Identifier: MIT */
/*
 * The list of mounts, and who may be at one.
 *
 * The list's lock is global: every command with a path takes it. So it is held for looking at the
 * list only. Whoever needs a mount for longer holds the mount:
 *
 *     dax_fs_find()       a path's; with fs->lock, which is the hold
 *     dax_fs_for_each()   one after the other, by fs->walkers
 *     dax_fs_of()         a region's, by fs->walkers, until dax_fs_put()
 *
 * COMING → LIVE → LEAVING → off the list; LEAVING → LIVE if a file is in use. An umount may sleep
 * for a device that holds a page, for as long as the device likes: that mount is LEAVING meanwhile,
 * found by nobody, and all others go on.
 */
#include "dax/file/internal.h"
#include "dax/mount/internal.h"

static LIST_HEAD(, dax_fs) mounts = LIST_HEAD_INITIALIZER(mounts);
static struct mutex mounts_lock = MUTEX_INIT_GLOBAL("mounts");

/* Does `path` lie in the mount at `mount`? The part behind it in *rest. */
static bool lies_in(const char *mount, const char *path, const char **rest)
{
	size_t n = strlen(mount);

	if (n == 1) /* "/" */
		n = 0;
	if (strncmp(path, mount, n) || (path[n] && path[n] != '/'))
		return false;
	*rest = path[n] ? path + n : "/";
	return true;
}

static void say_leaving(const struct dax_fs *fs)
{
	refuse(-ENOENT, "%s is being unmounted; 'ps' tells what that waits for", fs->path);
}

/* The innermost mount around `path`, held; NULL, with a sentence: there is none, or it leaves. */
static struct dax_fs *hold_around(const char *path, const char **rest)
{
	struct dax_fs *fs, *best = NULL;
	const char *tail;

	mutex_lock(&mounts_lock);
	LIST_FOREACH (fs, &mounts, link)
		if (fs->state != MOUNT_COMING && lies_in(fs->path, path, &tail) &&
		    (!best || strlen(fs->path) > strlen(best->path))) {
			best = fs;
			*rest = tail;
		}
	if (!best) {
		refuse(-ENOENT, "nothing is mounted at '%s'; see 'mount'", path);
	} else if (best->state == MOUNT_LEAVING) {
		say_leaving(best);
		best = NULL;
	} else {
		best->walkers++;
	}
	mutex_unlock(&mounts_lock);
	return best;
}

void dax_fs_put(struct dax_fs *fs)
{
	mutex_lock(&mounts_lock);
	if (!--fs->walkers)
		wake_up(&fs->walkers);
	mutex_unlock(&mounts_lock);
}

/*
 * The lock is waited for with the mount held and the list free. An umount says LEAVING before it
 * takes that lock to look who uses a file: so either it finds what our caller does, or we find
 * LEAVING. With the lock held the mount need not be held any longer.
 */
struct dax_fs *dax_fs_find(const char *path, const char **rest)
{
	struct dax_fs *fs = hold_around(path, rest);
	bool leaves;

	if (!fs)
		return NULL;
	mutex_lock(&fs->lock);
	leaves = __atomic_load_n(&fs->state, __ATOMIC_RELAXED) == MOUNT_LEAVING;
	if (leaves) {
		say_leaving(fs);
		mutex_unlock(&fs->lock);
	}
	dax_fs_put(fs);
	return leaves ? NULL : fs;
}

/* The first LIVE mount at `fs` or behind, held. mounts_lock held. */
static struct dax_fs *hold_live(struct dax_fs *fs)
{
	while (fs && fs->state != MOUNT_LIVE)
		fs = LIST_NEXT(fs, link);
	if (fs)
		fs->walkers++;
	return fs;
}

void dax_fs_for_each(int (*fn)(struct dax_fs *, void *), void *arg)
{
	struct dax_fs *fs, *next;
	int stop = 0;

	mutex_lock(&mounts_lock);
	fs = hold_live(LIST_FIRST(&mounts));
	while (fs) {
		mutex_unlock(&mounts_lock);
		stop = fn(fs, arg);
		mutex_lock(&mounts_lock);
		/* The next one while this one is held, which keeps its place in the list. */
		next = stop ? NULL : hold_live(LIST_NEXT(fs, link));
		if (!--fs->walkers)
			wake_up(&fs->walkers);
		fs = next;
	}
	mutex_unlock(&mounts_lock);
}

struct dax_fs *dax_fs_of(const struct pmem_region *region, bool *between)
{
	struct dax_fs *fs;

	mutex_lock(&mounts_lock);
	LIST_FOREACH (fs, &mounts, link)
		if (fs->region == region)
			break;
	*between = fs && fs->state != MOUNT_LIVE;
	if (*between)
		fs = NULL;
	if (fs)
		fs->walkers++;
	mutex_unlock(&mounts_lock);
	return fs;
}

unsigned dax_fs_print_changing(void)
{
	struct dax_fs *fs;
	unsigned n = 0;

	mutex_lock(&mounts_lock);
	LIST_FOREACH (fs, &mounts, link) {
		if (fs->state == MOUNT_LIVE)
			continue;
		n++;
		kprintf("%s on %s, lifetime %s: %s\n", fs->region->name, fs->path,
			fs->lifetime->name,
			fs->state == MOUNT_COMING
				? "being mounted"
				: "being unmounted; 'ps' tells what that waits for");
	}
	mutex_unlock(&mounts_lock);
	return n;
}

/* ---- steps of mount and umount -------------------------------------------------------------- */

/* The region of that mount is taken. mounts_lock held. */
static int refuse_mounted(const struct dax_fs *fs, const char *already)
{
	const char *name = fs->region->name;

	if (fs->state == MOUNT_LIVE)
		return refuse(-EBUSY, "%s is mounted at %s%s 'umount %s' first", name, fs->path,
			      already, fs->path);
	return refuse(-EBUSY, "%s is being %s %s; 'ps' tells what that waits for", name,
		      fs->state == MOUNT_COMING ? "mounted at" : "unmounted from", fs->path);
}

/* mounts_lock held. */
static int check_place(struct pmem_region *region, const char *path)
{
	struct dax_fs *fs;

	if (path[0] != '/' || strlen(path) >= sizeof(fs->path) || strstr(path, "//") ||
	    (path[1] && path[strlen(path) - 1] == '/'))
		return refuse(-EINVAL, "'%s' is no mount point; give an absolute path such as /t",
			      path);
	LIST_FOREACH (fs, &mounts, link) {
		if (fs->region == region)
			return refuse_mounted(fs, " already;");
		if (!strcmp(fs->path, path))
			return refuse(-EBUSY, "%s is mounted at %s; choose another path",
				      fs->region->name, path);
	}
	return 0;
}

int mount_enter(struct dax_fs *fs)
{
	int err;

	mutex_lock(&mounts_lock);
	err = check_place(fs->region, fs->path);
	if (!err)
		LIST_INSERT_HEAD(&mounts, fs, link);
	mutex_unlock(&mounts_lock);
	return err;
}

void mount_remove(struct dax_fs *fs)
{
	mutex_lock(&mounts_lock);
	LIST_REMOVE(fs, link);
	mutex_unlock(&mounts_lock);
}

void mount_lives(struct dax_fs *fs)
{
	mutex_lock(&mounts_lock);
	fs->state = MOUNT_LIVE;
	mutex_unlock(&mounts_lock);
}

int mount_leaves(const char *path, struct dax_fs **out)
{
	struct dax_fs *fs;
	int err = 0;

	mutex_lock(&mounts_lock);
	LIST_FOREACH (fs, &mounts, link)
		if (!strcmp(fs->path, path))
			break;
	if (!fs)
		err = refuse(-EINVAL, "nothing is mounted at %s; 'mount' lists the mounts", path);
	else if (fs->state != MOUNT_LIVE)
		err = refuse(-EBUSY, "%s is being %s already; 'ps' tells what that waits for", path,
			     fs->state == MOUNT_COMING ? "mounted" : "unmounted");
	else
		fs->state = MOUNT_LEAVING;
	mutex_unlock(&mounts_lock);
	if (err)
		return err;
	assert_no_global_lock("the users of a mount");
	wait_event(&fs->walkers, !__atomic_load_n(&fs->walkers, __ATOMIC_ACQUIRE),
		   "a walk through the mount", "the end of a command such as 'sync' or 'check'");
	*out = fs;
	return 0;
}

int mount_none_on(const struct pmem_region *region)
{
	struct dax_fs *fs;
	int err = 0;

	mutex_lock(&mounts_lock);
	LIST_FOREACH (fs, &mounts, link)
		if (fs->region == region)
			err = refuse_mounted(fs, ";");
	mutex_unlock(&mounts_lock);
	return err;
}

bool mount_first(char *path, size_t n)
{
	const struct dax_fs *fs;

	mutex_lock(&mounts_lock);
	fs = LIST_FIRST(&mounts);
	if (fs)
		snprintf(path, n, "%s", fs->path);
	mutex_unlock(&mounts_lock);
	return fs != NULL;
}
