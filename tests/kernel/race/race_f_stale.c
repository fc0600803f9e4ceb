/* SPDX-License-Identifier: MIT */
/*
 * Races F-12, F-15, F-16: something is remembered for too long, or not long enough
 * (docs/weaknesses.md): a block number, a TLB entry, a holder.
 */
#include "tests/kernel/race/internal.h"

/* ---- F-12: a block number outlives the fault lock ----------------------------------------- */

static void f12_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);
	bool slept;

	if (spare_block(s) || script_f(s, 1))
		return;
	script_stop_at(t1, "block_looked_up", 0);
	if (script_step(t1, piece_map, "maps F and stores: its fault has looked the block up") !=
	    ACTOR_STOPPED)
		return;
	slept = script_step(t2, piece_punch, "punches the page out of F") == ACTOR_ASLEEP;
	script_go(t1, "goes on: the block is mapped, as the fault lock is still its own");
	if (script_at_work(t2) && !script_await(t2, "has the fault lock: unmaps it, frees it"))
		return;
	/* T1's store comes behind its fault, and behind the punch if the host lets it: then its
	 * second fault has given F the block once more. */
	if (slept && !script_run(t2, piece_punch, "punches once more"))
		return;
	if (!script_run(t3, piece_make_g, "creates G and writes it: the block is G's now") ||
	    !script_run(t3, piece_free_spare, "removes \"spare\": there is one free block") ||
	    !script_run(t1, piece_store, "stores \"%s\" to F again", F_TEXT))
		return;
	script_judge_g(s);
}
/* No holder, so every design frees at once; the rule is not the lifetime's: what was looked up
 * under the fault lock is used under it, or looked up again. */
SCRIPT(f12, "F-12", f12_play, "a fault has looked a block up, and the block goes to another file",
       WANTS(0), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE}, {"idle-at-one", RACE_SAFE},
       {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE}, {"refuse-busy", RACE_SAFE},
       {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f12_stale, "F-12", "busy-extent", "stale-block", RACE_BROKEN_I1);

/* ---- F-15: the stale TLB entry of somebody else's unmapping ------------------------------- */

/*
 * A CPU that stores to F's page again and again, so that its TLB keeps the translation as long as
 * nobody takes it away. Interrupts are on: a flush is acknowledged if anybody asks for one. No
 * actor, as it never settles; it ends when it finds nothing mapped, or is told to.
 */
static struct writer {
	struct script *script;
	struct thread *thread;
	bool text, quit;       /* told by the director: store the device's text; end */
	uint64_t plain, texts; /* stores so far */
} writer;		       /* one race at a time */

static void write_on(void *arg)
{
	struct writer *w = arg;
	struct script *s = w->script;

	mm_use(s->mm);
	while (!__atomic_load_n(&w->quit, __ATOMIC_ACQUIRE)) {
		bool text = __atomic_load_n(&w->text, __ATOMIC_ACQUIRE);

		if (text ? piece_store(s) : store_checked((uint64_t *)s->va, 'f'))
			break;
		__atomic_fetch_add(text ? &w->texts : &w->plain, 1, __ATOMIC_RELEASE);
	}
	mm_use(NULL);
}

static bool has_stored(const uint64_t *n)
{
	return __atomic_load_n(n, __ATOMIC_ACQUIRE) > 0;
}

/* Looks until it has stored so, or cannot: it sleeps for the address space, or has ended. */
static void await_store(const uint64_t *n)
{
	while (!has_stored(n) && script_somebody_runs(writer.script))
		thread_sleep_ns(200000);
}

static bool start_writer(struct script *s, unsigned cpu)
{
	writer = (struct writer){.script = s};
	writer.thread = thread_create("writer", write_on, &writer, 1u << cpu);
	if (!writer.thread)
		return false;
	await_store(&writer.plain);
	return has_stored(&writer.plain);
}

static void end_writer(void)
{
	__atomic_store_n(&writer.quit, true, __ATOMIC_RELEASE);
	if (writer.thread)
		thread_join(writer.thread);
}

/* T2 stands still between the page-table lock and the end of its unmapping. */
static void f15_reuse(struct actor *t1, struct actor *t3)
{
	if (!script_run(t3, piece_punch, "punches the page out of F: finds nothing mapped") ||
	    !script_run(t3, piece_make_g, "creates G and writes it"))
		return;
	script_line(t1, true, "stores the bytes \"" F_TEXT "\" from now on");
	__atomic_store_n(&writer.text, true, __ATOMIC_RELEASE);
	await_store(&writer.texts);
	script_say(t1, has_stored(&writer.texts)
			       ? "goes on storing"
			       : "finds it unmapped, waits for the address space");
}

static void f15_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", ACTOR_OWN_CPU), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it"))
		return;
	script_line(t1, true, "goes on storing: the translation is in its TLB");
	script_stop_at(t2, "zap_unlocked", 0);
	if (start_writer(s, t1->cpu) &&
	    script_step(t2, piece_unmap, "unmaps F: entry cleared, page-table lock free again") ==
		    ACTOR_STOPPED) {
		f15_reuse(t1, t3);
		script_go(t2, "goes on to the end of the unmapping");
	}
	end_writer();
	if (s->g)
		script_judge_g(s);
}
/* Two rules, either of which is enough: the flush is acknowledged before the page-table lock is
 * free, and (where a mapping holds its page) before its count is dropped. The switch breaks both.
 */
SCRIPT(f15, "F-15", f15_play, "one CPU unmaps, another truncates, a third has it in its TLB",
       WANTS(.cpus = 2), {"unaware", RACE_SAFE}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_SAFE}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f15_flush, "F-15", "busy-extent", "count-before-flush", RACE_BROKEN_I1);
RACE_EXHIBIT(f15_rest, "F-15", "idle-at-one", "count-before-flush", RACE_BROKEN_I1);

/* ---- F-16: held without an entry ---------------------------------------------------------- */

static int mount_and_truncate(struct script *s)
{
	int err = piece_mount(s);

	if (!err)
		err = dax_open(SCRATCH_PATH "/F", false, &s->f);
	return err ? err : piece_truncate(s);
}

/* The holder goes before the file system, which waits for it, or is refused because of it. */
static void f16_waits(struct script *s, struct actor *t1, struct actor *t2, struct actor *t3)
{
	bool refused = !script_at_work(t2);

	if (!script_run(t1, piece_device_unpin,
			"tells the device to write \"%s\" into the page; then puts it", F_TEXT))
		return;
	script_pass_time(s, 3000000000ull);
	if (refused ? !script_run(t2, piece_umount, "unmounts it now")
		    : !script_await(t2, "wakes: the file system is unmounted"))
		return;
	if (script_run(t2, mount_and_truncate, "mounts it again and truncates F") &&
	    make_g_now(s, t3))
		script_judge_g(s);
}

static void f16_play(struct script *s)
{
	struct actor *t1 = script_actor(s, "T1", 0), *t2 = script_actor(s, "T2", 0),
		     *t3 = script_actor(s, "T3", 0);

	if (script_f(s, 1) || !script_run(t1, piece_map, "maps F and stores to it") ||
	    !script_run(t1, piece_pin, "pins the page for a device") ||
	    !script_run(t1, piece_unmap, "unmaps F") || !script_run(t1, piece_close, "closes F"))
		return;
	if (script_step(t2, piece_umount, "unmounts the file system") != ACTOR_DONE || t2->err) {
		f16_waits(s, t1, t2, t3);
		return;
	}
	script_step(t2, mount_and_truncate, "mounts it again and truncates F: it has no entry");
	script_g_after(s, t2, t3, t1);
}
/* idle-at-one: C-3, the unmount asks nobody, and afterwards no entry leads to the page. */
SCRIPT(f16, "F-16", f16_play, "pin, unmount, mount, truncate: no entry leads to the page",
       WANTS(.edus = 1), {"unaware", RACE_BROKEN_I1}, {"lease-poll", RACE_SAFE},
       {"idle-at-one", RACE_BROKEN_I1}, {"zap-to-zero", RACE_SAFE}, {"counted-map", RACE_SAFE},
       {"refuse-busy", RACE_SAFE}, {"busy-extent", RACE_SAFE});
RACE_EXHIBIT(f16_index, "F-16", "busy-extent", "mark-by-index", RACE_BROKEN_I1);
