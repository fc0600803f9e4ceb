/* SPDX-License-Identifier: MIT */
/*
 * Step points: hardware breakpoints on labels that cost nothing. The protocol is in step.h.
 *
 * A debug exception for an instruction breakpoint comes before the instruction, so the handler runs
 * exactly at the label; it disarms before it calls the script, so the instruction is then executed
 * as if nothing had been.
 */
#include "kernel/internal.h"

extern const struct step_point __start_hf_steps[], __stop_hf_steps[];

static struct {
	const char *name; /* NULL: nothing is armed on this CPU */
	void (*fn)(void *);
	void *arg;
	unsigned fired;
} armed[MAX_CPUS];

/* Addresses of all copies of the point; at most four fit in the debug registers. */
static unsigned find_copies(const char *name, uint64_t at[4])
{
	unsigned n = 0;

	for (const struct step_point *p = __start_hf_steps; p < __stop_hf_steps; p++)
		if (!strcmp(p->name, name) && n < 4)
			at[n++] = p->addr;
	return n;
}

int step_arm(const char *name, void (*fn)(void *), void *arg)
{
	unsigned cpu = cpu_id(), n;
	uint64_t at[4];

	ASSERT(this_cpu()->preempt, "a step point is armed for a CPU: preemption must be off");
	n = find_copies(name, at);
	if (!n)
		return -ENOENT;
	if (armed[cpu].name)
		return -EBUSY;
	armed[cpu].name = name;
	armed[cpu].fn = fn;
	armed[cpu].arg = arg;
	armed[cpu].fired = 0;
	write_debug_registers(at, n);
	return 0;
}

unsigned step_disarm(void)
{
	unsigned cpu = cpu_id();

	write_debug_registers(NULL, 0);
	armed[cpu].name = NULL;
	return armed[cpu].fired;
}

/* Called by the debug exception; false: it was not ours. */
bool step_hit(void)
{
	unsigned cpu = cpu_id();

	if (!armed[cpu].name)
		return false;
	write_debug_registers(NULL, 0);
	armed[cpu].name = NULL;
	armed[cpu].fired++;
	armed[cpu].fn(armed[cpu].arg);
	return true;
}
