/* SPDX-License-Identifier: MIT */
/*
 * One cell of a script: what the machine must have, the fresh file system, the play, and the
 * clearing up, in which everything goes that the play left, so that the next cell starts clean.
 */
#include <stdarg.h>

#include "tests/kernel/race/internal.h"

#define LOOKS_BEFORE 64 /* for others to come to rest, before a play begins */
#define LOOK_NS	     50000ull

void script_verdict(struct script *s, enum race_verdict v, const char *fmt, ...)
{
	va_list ap;

	if (s->decided)
		return;
	s->decided = true;
	s->result->verdict = v;
	va_start(ap, fmt);
	vsnprintf(s->result->text, sizeof(s->result->text), fmt, ap);
	va_end(ap);
}

void script_put_held(struct script *s)
{
	unsigned nr = __atomic_exchange_n(&s->nr_held, 0, __ATOMIC_ACQ_REL);

	if (!nr)
		return;
	holder_remove(&s->holder);
	unpin_user_pages(s->held, nr);
}

/* Nonzero: the machine lacks something, and the verdict says what. */
static int lacks(const struct script *last, const struct race *race, struct race_result *r)
{
	struct pmem_region *device;
	int err = last->stuck ? refuse(-EBUSY,
				       "race %s has left an actor that cannot be ended: boot "
				       "again",
				       last->race->name)
			      : scratch_choose(&device);

	if (!err)
		err = scratch_choose_edus(race->wants.edus);
	if (!err && race->wants.disk && block_nth(0))
		err = scratch_choose_disk();
	if (err)
		race_refused(r, err);
	else if (nr_cpus < race->wants.cpus)
		race_absent(r, "needs SMP=%u", race->wants.cpus);
	else if (race->wants.stops && !edu_dma(scratch_edu(0))->domain)
		race_absent(r, "%s: %s (QEMU: -device intel-iommu)", edu_name(scratch_edu(0)),
			    edu_dma(scratch_edu(0))->direct);
	else
		return 0;
	return -ENODEV;
}

static void close_file(struct dax_inode **inode)
{
	struct dax_inode *i = *inode;

	*inode = NULL;
	if (i)
		dax_put(i);
}

/* Nothing may be held when files close: a lifetime that waits at eviction would wait for us. */
static void strike(struct script *s)
{
	script_free_actors(s);
	mm_use(NULL);
	if (s->stuck)
		return;
	script_put_held(s);
	while (s->nr_actors)
		script_dismiss(&s->actor[--s->nr_actors]);
	mm_put(s->mm);
	close_file(&s->f);
	close_file(&s->g);
	if (s->fs)
		scratch_umount();
}

/*
 * Commands before this one leave work behind (the reaper has their threads' stacks to free): a
 * thread that gets its turn late, on an actor's own CPU, takes the translations there away, and
 * with them what a race about a TLB has to show. So the play begins when nobody else runs. A job in
 * the background may run for ever: after LOOKS_BEFORE the play begins beside it.
 */
static void let_others_rest(void)
{
	for (unsigned i = 0; i < LOOKS_BEFORE && quiet_somebody_runs(NULL, NULL); i++)
		thread_sleep_ns(look_ns(LOOK_NS, i));
}

/* The director. */
static void direct(void *arg)
{
	struct script *s = arg;
	const char *why = "";
	int err;

	let_others_rest();
	s->mm = mm_create("race");
	ASSERT(s->mm, "no memory for an address space");
	mm_use(s->mm);
	err = scratch_mount(s->race->wants.large ? SCRATCH_LARGE : SCRATCH_SMALL, s->lt, &s->fs,
			    &why);
	if (err == -ENOSPC) {
		race_absent(s->result, "%s", why);
		s->decided = true;
	} else if (err) {
		script_verdict(s, RACE_SKIP, "mount: %s: %s", errno_name(err), why);
	} else {
		s->race->play(s);
	}
	strike(s);
	script_verdict(s, RACE_SKIP, "the script came to no verdict");
}

void script_perform(const struct race *race, const struct lifetime *lt, struct race_result *r)
{
	static struct script s; /* one race at a time */
	struct thread *t;

	if (lacks(&s, race, r))
		return;
	s = (struct script){.race = race, .lt = lt, .result = r};
	/* CPU 0, where nobody spins with interrupts off: its timers must go on. */
	t = thread_create("race", direct, &s, 1);
	if (!t)
		race_set(r, RACE_SKIP, "no memory for a thread");
	else
		thread_join(t);
}
