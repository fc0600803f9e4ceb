/* SPDX-License-Identifier: MIT */
/*
 * `museum`: the switches of the bugs on purpose.
 *
 * Exhibits lie in a linker section, each defined beside the rule it breaks. This file only finds
 * them by name, turns them on and off, and shows what each one breaks and which test notices.
 */
#include "kernel/kernel.h"

extern struct museum __start_hf_museum[], __stop_hf_museum[];

static unsigned nr_exhibits(void)
{
	return (unsigned)(__stop_hf_museum - __start_hf_museum);
}

struct museum *museum_at(unsigned n)
{
	return n < nr_exhibits() ? &__start_hf_museum[n] : NULL;
}

struct museum *museum_find(const char *name)
{
	struct museum *m;

	for (unsigned i = 0; (m = museum_at(i)); i++)
		if (!strcmp(m->name, name))
			return m;
	return NULL;
}

static bool bit_of(const struct museum_set *set, unsigned n)
{
	return set->on[n / 64] >> n % 64 & 1;
}

/* As a switch: what is planted is none. */
static bool is_on(const struct museum *m)
{
	return m->on == 1;
}

static void turn(struct museum *m, bool on)
{
	if (m->on != MUSEUM_PLANTED)
		m->on = on;
}

bool museum_any(void)
{
	struct museum *m;
	bool any = false;

	for (unsigned i = 0; (m = museum_at(i)); i++)
		any |= is_on(m);
	return any;
}

void museum_save(struct museum_set *set)
{
	struct museum *m;

	*set = (struct museum_set){{0}};
	for (unsigned i = 0; (m = museum_at(i)) && i < MUSEUM_MAX; i++)
		set->on[i / 64] |= (uint64_t)is_on(m) << i % 64;
}

void museum_restore(const struct museum_set *set)
{
	struct museum *m;

	for (unsigned i = 0; (m = museum_at(i)) && i < MUSEUM_MAX; i++)
		turn(m, bit_of(set, i));
}

struct museum *museum_changed(const struct museum_set *set)
{
	struct museum *m;

	for (unsigned i = 0; (m = museum_at(i)) && i < MUSEUM_MAX; i++)
		if (is_on(m) != bit_of(set, i))
			return m;
	return NULL;
}

static void show(const struct museum *m)
{
	kprintf("%-20s %-3s  %s\n", m->name, is_on(m) ? "on" : "off", m->what);
}

static int list(void)
{
	struct museum *m;

	for (unsigned i = 0; (m = museum_at(i)); i++)
		show(m);
	if (!nr_exhibits())
		kprintf("the museum is empty: no exhibit is built in\n");
	return 0;
}

static int unknown_exhibit(const char *name)
{
	const char *names[MUSEUM_MAX + 1] = {"all"};
	unsigned n = MIN(nr_exhibits(), MUSEUM_MAX);

	for (unsigned i = 0; i < n; i++)
		names[i + 1] = museum_at(i)->name;
	return shell_unknown("exhibit", name, names, n + 1);
}

/* 0: off, 1: on, or a negative errno after a sentence. */
static int parse_state(const char *text)
{
	static const char *const states[] = {"off", "on"};

	if (!strcmp(text, "on"))
		return 1;
	return strcmp(text, "off") ? shell_unknown("state", text, states, 2) : 0;
}

static int set_one(const char *name, const char *state)
{
	struct museum *m = museum_find(name);
	int on;

	if (!m)
		return unknown_exhibit(name);
	on = parse_state(state);
	if (on < 0)
		return on;
	turn(m, on);
	show(m);
	return 0;
}

static int set_all(const char *state)
{
	int on = parse_state(state);

	if (on < 0)
		return on;
	if (on)
		return shell_fail(-EINVAL,
				  "`all` can only be turned off: a fault is put in by name, "
				  "so that what fails can be told from what was broken");
	museum_restore(&(struct museum_set){{0}});
	return 0;
}

static int cmd_museum(int argc, char **argv)
{
	if (argc == 1)
		return list();
	if (argc > 3)
		return shell_usage();
	if (argc == 3 && !strcmp(argv[1], "all"))
		return set_all(argv[2]);
	if (argc == 3)
		return set_one(argv[1], argv[2]);
	if (!museum_find(argv[1]))
		return unknown_exhibit(argv[1]);
	show(museum_find(argv[1]));
	return 0;
}

static void offer_exhibits(struct shell_offers *o)
{
	for (unsigned i = 0; i < nr_exhibits(); i++)
		shell_offer(o, museum_at(i)->name);
}
SHELL_KIND(exhibit, "NAME", "museum", offer_exhibits);
SHELL_COMMAND(museum, cmd_museum, "museum [NAME [on|off] | all off]",
	      "lists the bugs built in on purpose, or puts one in and takes it out\n"
	      "Each says what it breaks and which test must notice. All are off at boot.");

SELFTEST(museum_names, "museum.names", "each exhibit has a name of its own and says what it breaks")
{
	struct museum *m;

	for (unsigned i = 0; (m = museum_at(i)); i++) {
		EXPECT(m->name && *m->name, "exhibit %u has no name", i);
		EXPECT(m->what && *m->what, "'%s' does not say what it breaks", m->name);
		EXPECT(museum_find(m->name) == m, "'%s' is there twice", m->name);
		EXPECT(!strpbrk(m->name, " *?;&'\""), "'%s' cannot be typed as it is", m->name);
	}
	EXPECT(nr_exhibits() <= MUSEUM_MAX, "%u exhibits, and the runner watches %u", nr_exhibits(),
	       MUSEUM_MAX);
}

SELFTEST(museum_refusals, "museum.refusals", "wrong words change no exhibit and get a status")
{
	struct museum_set before;

	museum_save(&before);
	EXPECT(shell_run_line("museum no-such-bug on") == -EINVAL, "an unknown name must fail");
	EXPECT(shell_run_line("museum selftest-fails onn") == -EINVAL,
	       "an unknown state must fail");
	EXPECT(shell_run_line("museum all on") == -EINVAL, "all on must fail");
	EXPECT(!museum_changed(&before), "'%s' was changed", museum_changed(&before)->name);
}

SELFTEST(museum_set, "museum.set",
	 "the last exhibit is saved, found changed and restored like the first one")
{
	struct museum *const at[] = {museum_at(0), museum_at(nr_exhibits() - 1)};
	struct museum_set before;
	bool found = true, back = true, any = true;

	museum_save(&before);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		at[i]->on = !at[i]->on;
		found &= museum_changed(&before) == at[i];
		any &= museum_any() || !at[i]->on;
		museum_restore(&before);
		back &= !museum_changed(&before);
	}
	EXPECT(found && back && any, "found %d, back %d, any %d", found, back, any);
}

SELFTEST(museum_planted, "museum.planted", "a planted bug is no switch: it looks off, and stays")
{
	struct museum *m = museum_find("selftest-fails");
	struct museum_set before;
	bool hidden, stays;

	museum_save(&before);
	m->on = MUSEUM_PLANTED;
	hidden = !museum_any() && !museum_changed(&before);
	museum_restore(&(struct museum_set){{0}});
	stays = shell_run_line("museum selftest-fails off") == 0 && m->on == MUSEUM_PLANTED;
	m->on = 0;
	EXPECT(hidden && stays, "hidden %d, stays %d", hidden, stays);
}
