/* SPDX-License-Identifier: MIT */
/*
 * vfio: containers by hand, one for each edu device.
 *
 * The user chooses the bus addresses, as a guest does that takes them for physical ones. A
 * container is opened with the first range of its device and stays, so that no command has to ask
 * whether it is still there; only its ranges hold something.
 */
#include "drivers/clients/internal.h"

#define MAX_CONTAINERS 4u

static struct container *containers[MAX_CONTAINERS]; /* by number of the device; NULL: none yet */
static struct mutex lock = MUTEX_INIT("shell containers"); /* while one is opened */

struct vfio_args {
	uint64_t bus, len, edu;
	const char *text;
};

static struct container *container_at(uint64_t n)
{
	return __atomic_load_n(&containers[n], __ATOMIC_ACQUIRE);
}

static void show_range(const struct dma_mapping *m, void *any)
{
	kprintf("%s: %lu page(s) at bus address 0x%lx\n", m->dev->name, m->nr, m->bus);
	*(bool *)any = true;
}

static int list_ranges(void)
{
	bool any = false;

	for (unsigned i = 0; i < MAX_CONTAINERS; i++)
		if (container_at(i))
			container_for_each(container_at(i), show_range, &any);
	if (!any)
		kprintf("no container has a range; try: map anon 8K; vfio map 0x100000 m1\n");
	return 0;
}

static int no_device(uint64_t n)
{
	return n < MAX_CONTAINERS && n < edu_count()
		       ? 0
		       : shell_fail(-ENODEV,
				    "no device edu%lu; there are %u (QEMU: -device edu), and "
				    "containers for the first %u",
				    n, edu_count(), MAX_CONTAINERS);
}

/* Words from argv[i] on: edu=N, and one more that *other gets; NULL: there is none. */
static int parse_words(int i, int argc, char **argv, struct vfio_args *a, const char **other)
{
	int err = 0;

	for (; i < argc && !err; i++)
		if (!strncmp(argv[i], "edu=", 4))
			err = shell_number("edu", argv[i] + 4, &a->edu);
		else if (other && !*other)
			*other = argv[i];
		else
			err = shell_fail(-EINVAL, "'%s' is not understood; see 'help vfio'",
					 argv[i]);
	return err ?: no_device(a->edu);
}

/* The device's container, opened if need be; NULL after a sentence, *err set. */
static struct container *open_container(uint64_t n, int *err)
{
	struct container *c;

	mutex_lock(&lock);
	c = containers[n];
	if (!c) {
		c = container_open(edu_nth((unsigned)n), err);
		__atomic_store_n(&containers[n], c, __ATOMIC_RELEASE);
	}
	mutex_unlock(&lock);
	if (!c)
		shell_fail(*err, "%s", refusal());
	return c;
}

/* map BUS PLACE [LEN] [edu=N] */
static int map_for_guest(int argc, char **argv, struct vfio_args *a)
{
	const char *len = NULL;
	struct container *c;
	uint64_t addr, nr;
	int err = parse_words(4, argc, argv, a, &len);

	if (!err && len)
		err = client_length(len, &a->len);
	err = err ?: client_pages(argv[3], a->len, &addr, &nr);
	if (err)
		return err;
	if (nr > DMA_MAX_PAGES)
		return shell_fail(-EINVAL, "%s has %lu pages, a range at most %u: give a LEN (%s)",
				  argv[3], nr, DMA_MAX_PAGES, SIZE_TEXT(DMA_MAX_PAGES * PAGE_SIZE));
	c = open_container(a->edu, &err);
	if (!c)
		return err;
	err = container_map(c, current_mm(), addr, (unsigned)nr, a->bus);
	if (err)
		return shell_fail(err, "%s", *refusal() ? refusal() : errno_name(err));
	kprintf("%lu page(s) at bus address 0x%lx of edu%lu\n", nr, a->bus, a->edu);
	return 0;
}

/* receive BUS [TEXT] [edu=N] */
static int receive_of_guest(int argc, char **argv, struct vfio_args *a)
{
	int err = parse_words(3, argc, argv, a, &a->text);

	a->text = a->text ? a->text : "vfio ";
	err = err ?: client_text(a->text);
	if (err)
		return err;
	if (!container_at(a->edu))
		return shell_fail(-EINVAL, "no range is mapped for edu%lu; 'vfio map' makes one",
				  a->edu);
	err = container_receive(container_at(a->edu), a->bus, a->text);
	return err ? shell_fail(err, "%s", *refusal() ? refusal() : errno_name(err)) : 0;
}

/* unmap BUS LEN [edu=N] */
static int unmap_of_guest(int argc, char **argv, struct vfio_args *a)
{
	int64_t pages = 0;
	int err = parse_words(4, argc, argv, a, NULL) ?: shell_number("length", argv[3], &a->len);

	if (err)
		return err;
	if (container_at(a->edu))
		pages = container_unmap(container_at(a->edu), a->bus, a->len);
	if (pages < 0)
		return shell_fail((int)pages, "%s", refusal());
	if (!pages)
		return shell_fail(-ENOENT,
				  "no range of edu%lu lies in 0x%lx + 0x%lx; 'vfio' lists them",
				  a->edu, a->bus, a->len);
	kprintf("%ld page(s) unmapped\n", pages);
	return 0;
}

static int cmd_vfio(int argc, char **argv)
{
	static const struct {
		const char *verb;
		int words;
		int (*run)(int argc, char **argv, struct vfio_args *a);
	} verbs[] = {{"map", 4, map_for_guest},
		     {"receive", 3, receive_of_guest},
		     {"unmap", 4, unmap_of_guest}};
	const char *names[ARRAY_SIZE(verbs)];
	struct vfio_args a = {0};

	if (argc == 1)
		return list_ranges();
	refusal_clear();
	for (unsigned i = 0; i < ARRAY_SIZE(verbs); i++) {
		names[i] = verbs[i].verb;
		if (strcmp(argv[1], verbs[i].verb))
			continue;
		if (argc < verbs[i].words)
			return shell_usage();
		return shell_number("bus address", argv[2], &a.bus) ?: verbs[i].run(argc, argv, &a);
	}
	return shell_unknown("verb", argv[1], names, ARRAY_SIZE(verbs));
}
SHELL_COMMAND(vfio, cmd_vfio,
	      "vfio [map BUS MAPPING[+OFF] [LEN] | receive BUS [TEXT] | unmap BUS LEN] [edu=N]",
	      "memory at bus addresses that you choose (a vfio container), or list the ranges\n"
	      "map pins the pages, as a guest cannot be asked for them: not of a file. The device\n"
	      "has to stand behind an IOMMU. receive: the device writes TEXT over the range that\n"
	      "begins at BUS. unmap: all ranges in BUS + LEN; an end inside of one is refused.");

/* ---- what a self-test can leave behind ------------------------------------------------------- */

static void count_range(const struct dma_mapping *m, void *n)
{
	(void)m;
	++*(int64_t *)n;
}

static int64_t count_ranges(void)
{
	int64_t n = 0;

	for (unsigned i = 0; i < MAX_CONTAINERS; i++)
		if (container_at(i))
			container_for_each(container_at(i), count_range, &n);
	return n;
}

static void empty_containers(int64_t before)
{
	for (unsigned i = 0; i < MAX_CONTAINERS && !before; i++)
		if (container_at(i))
			container_unmap(container_at(i), 0, UINT64_MAX);
}
SELFTEST_LEAVES(vfio_ranges, "range(s) of the shell's containers", LEAVES_USERS, count_ranges,
		empty_containers);
