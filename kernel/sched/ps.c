/* SPDX-License-Identifier: MIT */
/*
 * `ps`: who is there, and for those who sleep: what for, since when, and who would wake them.
 *
 * The list is copied under the run-queue lock, where a sleeping thread's waiter on its own stack
 * cannot go away, and printed afterwards: printing is slow. `ps -i` shows who interrupts: each
 * vector by the name it was asked for with.
 */
#include "kernel/trap/internal.h"

struct row {
	unsigned tid;
	char name[32];
	const char *state;
	uint32_t cpu;
	uint64_t ran_ns, since_ns; /* since: zero means it waits for nothing */
	char what[80], waker[96];
};
struct table {
	struct row *rows;
	unsigned room, used; /* used may exceed room: the copy was too small */
};

static void copy_row(struct thread *t, void *arg)
{
	struct table *table = arg;
	struct row *r = &table->rows[table->used];

	if (table->used++ >= table->room)
		return;
	memset(r, 0, sizeof(*r));
	r->tid = t->tid;
	strcpy(r->name, t->name);
	r->state = thread_state_name(t);
	r->cpu = t->cpu;
	r->ran_ns = t->ran_ns;
	if (t->state != THREAD_SLEEPING || !t->waiting)
		return;
	r->since_ns = t->waiting->since_ns;
	strncpy(r->what, t->waiting->what, sizeof(r->what) - 1);
	strncpy(r->waker, t->waiting->waker, sizeof(r->waker) - 1);
}

static int by_tid(const void *a, const void *b)
{
	return (int)((const struct row *)a)->tid - (int)((const struct row *)b)->tid;
}

static void print_row(const struct row *r, uint64_t now)
{
	kprintf("%4u  %-20s %-8s %3u %9lu", r->tid, r->name, r->state, r->cpu, r->ran_ns / 1000);
	if (r->since_ns)
		kprintf(" %9lu  waits for %s; woken by %s", (now - r->since_ns) / 1000000, r->what,
			r->waker);
	kprintf("\n");
}

static int list_vectors(void)
{
	kprintf("VECTOR  WHOSE\n");
	for (int v = VEC_DEVICE_FIRST; v <= VEC_SPURIOUS; v++)
		if (irq_vector_name(v))
			kprintf("%6d  %s\n", v, irq_vector_name(v));
	return 0;
}

#define MAX_ALSO 4

static void (*also[MAX_ALSO])(void); /* written during boot only */
static unsigned nr_also;

void ps_also(void (*fn)(void))
{
	ASSERT(nr_also < MAX_ALSO, "ps has room for %u reports", MAX_ALSO);
	also[nr_also++] = fn;
}

static int ps(int argc, char **argv)
{
	struct table t = {.room = 16};

	if (argc == 2 && !strcmp(argv[1], "-i"))
		return list_vectors();
	if (argc != 1)
		return shell_usage();
	do {
		free(t.rows);
		t.room = MAX(t.room, t.used + 4);
		t.used = 0;
		t.rows = calloc(t.room, sizeof(*t.rows));
		if (!t.rows)
			return shell_fail(-ENOMEM, "no memory for a list of %u threads", t.room);
		thread_for_each(copy_row, &t);
	} while (t.used > t.room);
	qsort(t.rows, t.used, sizeof(*t.rows), by_tid);
	kprintf(" TID  %-20s %-8s CPU    RAN us  SINCE ms  WAITS FOR\n", "NAME", "STATE");
	for (unsigned i = 0; i < t.used; i++)
		print_row(&t.rows[i], clock_ns());
	free(t.rows);
	for (unsigned i = 0; i < nr_also; i++)
		also[i]();
	return 0;
}
SHELL_COMMAND(
	ps, ps, "ps [-i]",
	"list threads: state, CPU, time used, what each waits for, since when, and who wakes it\n"
	"-i: interrupt vectors instead, and whose they are");
