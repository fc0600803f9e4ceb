/* SPDX-License-Identifier: MIT */
/*
 * Self-tests: who waits for a holder keeps nobody else waiting, and a region changes its state one
 * transition at a time (mount.*, pmem.*, lock.global-*).
 */
#include "tests/kernel/lib/fixture.h"

SELFTEST(lock_global, "lock.global-is-found",
	 "a global lock that the thread holds is found by name among others, and not afterwards")
{
	static struct mutex global = MUTEX_INIT_GLOBAL("a global lock"), own = MUTEX_INIT("own");
	const char *none = global_lock_held(), *found, *after;

	mutex_lock(&global);
	mutex_lock(&own);
	found = global_lock_held();
	mutex_unlock(&global);
	after = global_lock_held();
	mutex_unlock(&own);
	EXPECT(!none && found && !strcmp(found, "a global lock") && !after, "%s, %s, %s",
	       none ? none : "none", found ? found : "none", after ? after : "none");
}

static int do_umount(struct dax_inode *unused, uint64_t arg)
{
	(void)unused, (void)arg;
	return dax_umount(SCRATCH_PATH);
}

static int count_mounts(struct dax_fs *fs, void *n)
{
	(void)fs;
	++*(unsigned *)n;
	return 0;
}

/* What strangers do meanwhile; bits of what went wrong. */
static int strangers(struct dax_inode *unused, uint64_t arg)
{
	struct pmem_region *r = scratch_device();
	struct dax_inode *f;
	unsigned n = 0;
	int wrong = 0;

	(void)unused, (void)arg;
	dax_fs_for_each(count_mounts, &n);
	wrong |= n != 0;
	wrong |= (dax_open(SCRATCH_PATH "/f", false, &f) != -ENOENT ||
		  !strstr(refusal(), "being unmounted"))
		 << 1;
	wrong |= (dax_umount(SCRATCH_PATH) != -EBUSY) << 2;
	wrong |= (dax_mount(r, "/elsewhere", LIFETIME_DEFAULT, NULL) != -EBUSY) << 3;
	wrong |= (dax_unbind(r, true) != -EBUSY) << 4;
	return wrong | (dax_fs_print_changing() != 1) << 5;
}

/* Is it through within a while? It may hang for ever, so nobody joins it before. */
static bool is_through(struct fx_op *op)
{
	for (unsigned i = 0; i < 10000 && !fx_done(op); i++)
		thread_sleep_ns(100000);
	return fx_done(op);
}

SELFTEST(
	mount_waits_alone, "mount.umount-waits-alone",
	"zap-to-zero: an umount sleeps for a held page; lists, opens and refusals go on meanwhile, "
	"and after the put it is done")
{
	FIXTURE(fx, &lifetime_zap_to_zero);
	uint64_t va = fx_map(&fx, "f", 1, 'a');
	struct fx_op umount = {.fn = do_umount}, others = {.fn = strangers};
	struct page *p = NULL;
	bool slept, through;

	if (!va || get_user_pages_fast(va, 1, FOLL_PIN | FOLL_WRITE, &p) != 1) {
		fixture_end(&fx);
		EXPECT(false, "no pinned page");
	}
	fx_unmap(&fx, va);
	dax_put(fx.inode[0]);
	fx_start(&umount);
	slept = fx_asleep(&umount, p);
	fx_start(&others);
	through = is_through(&others);
	unpin_user_pages(&p, 1);
	fx_join(&umount);
	fx_join(&others);
	EXPECT(slept && through, "umount slept %d, the others came through %d", slept, through);
	EXPECT(!umount.err && !others.err, "umount %d, others 0x%x", umount.err, others.err);
}

/* ---- one transition at a time ---------------------------------------------------------------- */

static struct step_stop stop;
static bool armed, armed_failed;
static char bind_line[32]; /* the command that both give */

/* Binds, and is stopped in the middle of it; on one CPU, as a step point asks for. */
static void bind_stopped(void *arg)
{
	int *err = arg;

	stop = (struct step_stop){.name = "pmem_binds", .deadline = PATIENCE_END()};
	armed_failed = step_stop(&stop) != 0;
	__atomic_store_n(&armed, true, __ATOMIC_RELEASE);
	*err = shell_run_line(bind_line);
	if (!armed_failed)
		step_unstop(&stop);
}

static int wait_stopped(void)
{
	return AWAIT(armed_failed ||
			     (__atomic_load_n(&armed, __ATOMIC_ACQUIRE) && step_stopped(&stop)),
		     "a bind to stop at its step point") &&
			       !armed_failed
		       ? 0
		       : -ETIMEDOUT;
}

SELFTEST(pmem_one_bind, "pmem.one-transition",
	 "a region that is being bound is not bound once more, nor mounted, nor unbound, until "
	 "that is over")
{
	int first = -1, stopped, bind, mount, unbind;
	struct thread *binder;
	struct pmem_region *r;
	const char *why;

	r = scratch_region(&why);
	if (!r)
		SKIP("%s", why);
	snprintf(bind_line, sizeof(bind_line), "pmem bind %s", r->name);
	EXPECT(!dax_unbind(r, false), "%s", refusal());
	armed = armed_failed = false;
	binder = thread_create("binder", bind_stopped, &first, 1);
	EXPECT(binder, "no thread");
	stopped = wait_stopped();
	bind = stopped ? 0 : shell_run_line(bind_line);
	mount = dax_mount(r, SCRATCH_PATH, LIFETIME_DEFAULT, NULL);
	unbind = dax_unbind(r, false);
	step_go(&stop);
	thread_join(binder);
	EXPECT(!stopped, "the first one did not stop: %d", stopped);
	EXPECT(bind == -EBUSY && mount == -EBUSY && unbind == -EBUSY,
	       "bind %d, mount %d, unbind %d", bind, mount, unbind);
	EXPECT(!first && pmem_is_present(r), "the first bind: %d", first);
}
