/* SPDX-License-Identifier: MIT */
/* devdax: a whole region as one mapping of the shell's. */
#include "dax/device/internal.h"

static int parse_align(const char *word, uint64_t *align)
{
	static const struct {
		const char *word;
		uint64_t bytes;
	} sizes[] = {{"align=4K", PAGE_SIZE}, {"align=2M", PMD_SIZE}, {"align=1G", PUD_SIZE}};

	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if (!strcmp(word, sizes[i].word)) {
			*align = sizes[i].bytes;
			return 0;
		}
	return shell_fail(-EINVAL, "'%s' must be align=4K, align=2M, align=1G or ro", word);
}

static int cmd_devdax(int argc, char **argv)
{
	struct pmem_region *r = argc > 1 ? pmem_find(argv[1]) : NULL;
	uint64_t align = r && r->info.mode == PMEM_DEVDAX ? r->info.align : PMD_SIZE, addr = 0;
	unsigned flags = VM_READ | VM_WRITE | VM_SHARED | VM_MAYWRITE;
	char what[32];
	int err = 0;

	if (argc < 2 || argc > 4)
		return shell_usage();
	if (!r)
		return shell_fail(-ENODEV, "no region '%s'; 'pmem' lists them", argv[1]);
	for (int i = 2; i < argc && !err; i++)
		if (!strcmp(argv[i], "ro"))
			flags = VM_READ | VM_SHARED;
		else
			err = parse_align(argv[i], &align);
	if (err)
		return err;
	snprintf(what, sizeof(what), "device %s", r->name);
	err = devdax_mmap(current_mm(), r, align, 0, DEVDAX_ALL, flags, &addr);
	if (!err)
		err = dax_name_mapping(what, addr);
	return err ? shell_fail(err, "%s", refusal()) : 0;
}
SHELL_COMMAND(
	devdax, cmd_devdax, "devdax REGION [align=4K|2M|1G] [ro]",
	"map a whole region that is not mounted, as one device, shared (align: 2M)\n"
	"The mapping gets a name like those of 'map'; 'unmap' takes it away. With 1G only the "
	"whole\ngigabytes at multiples of 1 GiB are mapped.");
