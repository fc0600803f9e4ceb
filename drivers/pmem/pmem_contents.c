/* SPDX-License-Identifier: MIT */
/*
 * What is on a region, and may it be lost?
 *
 * Races, benchmarks and self-tests overwrite the device they run on. So a device is theirs only if
 * it was given as scratch (a name in the firmware file opt/holdfast/scratch; PMEM="FILE,scratch"
 * writes it), or if nothing known is on it, or only what an earlier race left: its ext4 has a UUID
 * of its own. A bystander's data is told by signatures (pmem.h).
 *
 * A signature is looked for twice when a range was trimmed to 2 MiB borders: from the first usable
 * byte, which is where Holdfast and its tools see a file system begin, and from the first byte of
 * the DIMM, which is where everybody else does. The cut parts are not mapped, so they are read a
 * page at a time, once, at boot; nobody here writes there.
 */
#include "drivers/drivers.h"

#define SCRATCH_FILE "opt/holdfast/scratch"
#define EXT_UUID     0x468
static const char scratch_uuid[16] = "holdfastscratch"; /* tests/tools/scratch.py */

/* ---- reading ------------------------------------------------------------------------------ */

static bool read_usable(void *ctx, uint64_t off, void *buf, size_t n)
{
	const struct pmem_region *r = ctx;

	memcpy(buf, (char *)r->kaddr + off, n);
	return true;
}

/* One page of the range's cut parts, or a part of it; a page that is mapped is read as it is. */
static bool read_page(uint64_t phys, void *buf, size_t n)
{
	uint64_t page = ALIGN_DOWN(phys, PAGE_SIZE), va = DIRECT_BASE + page;
	bool mapped = kernel_is_mapped(va, PAGE_SIZE);

	if (!mapped && kernel_map(va, page, PAGE_SIZE, PTE_NX | PTE_G, 1)) {
		kernel_unmap(va, PAGE_SIZE, false);
		return false;
	}
	memcpy(buf, phys_to_virt(phys), n);
	if (!mapped)
		kernel_unmap(va, PAGE_SIZE, false);
	return true;
}

static bool read_range(void *ctx, uint64_t off, void *buf, size_t n)
{
	const struct pmem_region *r = ctx;
	bool ok = true;

	for (size_t done = 0, part; done < n && ok; done += part) {
		uint64_t phys = r->spa->base + off + done;

		part = MIN(n - done, PAGE_SIZE - phys % PAGE_SIZE);
		ok = read_page(phys, (char *)buf + done, part);
	}
	return ok;
}

unsigned pmem_signatures(const struct pmem_region *r, struct signature *out, unsigned max)
{
	return pmem_is_there(r) ? signature_find(read_usable, (void *)r, r->len, out, max) : 0;
}

void pmem_look_at_cut_parts(struct pmem_region *r)
{
	const struct nfit_spa *spa = r->spa;
	struct signature s[SIGNATURES_MAX] = {0};
	unsigned nr, kept = 0;
	char text[200];

	if (!spa->lost_start && !spa->lost_end)
		return;
	nr = signature_find(read_range, r, spa->length, s, SIGNATURES_MAX);
	for (unsigned i = 0; i < nr; i++) /* the others are seen from the first usable byte too */
		if (spa->lost_start || s[i].offset >= spa->length - spa->lost_end)
			s[kept++] = s[i];
	signature_text(s, kept, text, sizeof(text));
	r->whole_contents = kept ? strdup(text) : NULL;
}

/* ---- sentences ---------------------------------------------------------------------------- */

bool pmem_contents(const struct pmem_region *r, char *buf, size_t n)
{
	struct signature s[SIGNATURES_MAX] = {0};
	unsigned nr = pmem_signatures(r, s, SIGNATURES_MAX);
	size_t used;

	signature_text(s, nr, buf, n);
	used = strlen(buf);
	if (r->whole_contents)
		snprintf(buf + used, n - used, "%swith its cut parts %s", nr ? "; " : "",
			 r->whole_contents);
	return nr || r->whole_contents;
}

bool pmem_trimmed(const struct pmem_region *r, char *buf, size_t n)
{
	uint64_t start = r->spa->lost_start, end = r->spa->lost_end;

	if (start && end)
		snprintf(buf, n, "its start was cut by %lu bytes and its end by %lu", start, end);
	else
		snprintf(buf, n, "its %s was cut by %lu bytes", start ? "start" : "end",
			 start + end);
	return start || end;
}

/* Is an ext4 that a race or a self-test left all that is there? */
static bool left_by_a_race(const struct pmem_region *r, const struct signature *s, unsigned nr)
{
	return nr == 1 && s[0].kind == SIGNATURE_EXT && !r->whole_contents &&
	       !memcmp((char *)r->kaddr + EXT_UUID, scratch_uuid, sizeof(scratch_uuid));
}

int pmem_may_overwrite(const struct pmem_region *r)
{
	struct signature s[SIGNATURES_MAX] = {0};
	unsigned nr = pmem_signatures(r, s, SIGNATURES_MAX);
	char text[200];

	if (r->scratch || (!nr && !r->whole_contents) || left_by_a_race(r, s, nr))
		return 0;
	pmem_contents(r, text, sizeof(text));
	return refuse(-EPERM,
		      "%s holds %s, which would be lost; PMEM=\"FILE,scratch\" would allow it",
		      r->name, text);
}

int pmem_bars_ext4(const struct pmem_region *r)
{
	struct signature s[SIGNATURES_MAX] = {0};
	unsigned nr = pmem_signatures(r, s, SIGNATURES_MAX), ext = 0, bars = 0;
	char text[200], cut[100];

	for (unsigned i = 0; i < nr; i++) {
		ext += s[i].kind == SIGNATURE_EXT;
		bars += s[i].kind == SIGNATURE_NAMESPACE || s[i].kind == SIGNATURE_RAID;
	}
	pmem_contents(r, text, sizeof(text));
	if (!ext && r->spa->lost_start && pmem_trimmed(r, cut, sizeof(cut)))
		return refuse(-EINVAL,
			      "no ext4 at its first usable byte: %s, to multiples of 2 MiB%s%s; "
			      "align=2M would do",
			      cut, *text ? ", and it holds " : "", text);
	if (!ext && nr)
		return refuse(-EINVAL, "no ext4 here: it holds %s, which mkfs.ext4 would destroy",
			      text);
	if (bars)
		return refuse(-EINVAL,
			      "it holds %s: an ext4 superblock beside that is a left-over, or one "
			      "copy of several",
			      text);
	return 0;
}

/* ---- given as scratch --------------------------------------------------------------------- */

static void mark(char *list)
{
	char *name;

	while ((name = strsep(&list, ", \n"))) {
		struct pmem_region *r = pmem_find(name);

		if (r)
			r->scratch = true;
		else if (*name)
			kprintf("%s: there is no region '%s' to be scratch\n", SCRATCH_FILE, name);
	}
}

static int scratch_init(const struct boot_info *bi)
{
	char *list;
	size_t len;
	int err = fwcfg_read(SCRATCH_FILE, 64 * KIB, &list, &len);

	(void)bi;
	if (err == -ENODEV || err == -ENOENT)
		return 0; /* nothing was given as scratch */
	if (err)
		return err;
	mark(list);
	free(list);
	return 0;
}
INITCALL(INIT_SCRATCH, scratch, "scratch devices", scratch_init);
