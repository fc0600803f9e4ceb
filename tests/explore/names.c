/* SPDX-License-Identifier: MIT */
/*
 * Names: of every scenario, and of what lies at an address, in words that are the same in every
 * run: a variable, a field of a page record, the heap of an execution, a thread's stack.
 */
#include "mm/mm.h"
#include "tests/explore/internal.h"

extern const struct x_scenario __start_hf_scenarios[], __stop_hf_scenarios[];

const struct x_scenario *x_scenario_nth(unsigned n)
{
	const struct x_scenario *s = __start_hf_scenarios + n;

	return s < __stop_hf_scenarios ? s : NULL;
}

const struct x_scenario *x_scenario_find(const char *name)
{
	for (const struct x_scenario *s = __start_hf_scenarios; s < __stop_hf_scenarios; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

static void name_record(uintptr_t at, char *buf, unsigned n)
{
	static const char *const fields[] = {"state", "mapping", "index", "pgmap"};
	uint64_t offset = at - RECORD_BASE;

	snprintf(buf, n, "page 0x%lx %s", (unsigned long)(offset / RECORD_SIZE),
		 fields[offset % RECORD_SIZE / 8]);
}

static void name_on_stack(uintptr_t at, char *buf, unsigned n)
{
	for (unsigned i = 0; i < x.nr; i++) {
		const struct x_actor *a = &x.actor[i];

		if (at <= (uintptr_t)a->stack && (uintptr_t)a->stack - at < 32 * KIB) {
			snprintf(buf, n, "a variable of %s", a->name);
			return;
		}
	}
	snprintf(buf, n, "a variable");
}

void x_name_address(uintptr_t at, char *buf, unsigned n)
{
	const char *name;
	unsigned long offset;

	if (x_on_stack(at)) {
		name_on_stack(at, buf, n);
	} else if (x_arena_offset(at, &offset)) {
		snprintf(buf, n, "heap+0x%lx", offset);
	} else if (at - RECORD_BASE < COMPOUND_BASE - RECORD_BASE) {
		name_record(at, buf, n);
	} else if ((name = machine_name(at, &offset))) {
		if (offset)
			snprintf(buf, n, "%s+0x%lx", name, offset);
		else
			snprintf(buf, n, "%s", name);
	} else {
		snprintf(buf, n, "0x%lx", (unsigned long)at);
	}
}
