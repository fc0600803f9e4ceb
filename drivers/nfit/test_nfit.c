/* SPDX-License-Identifier: MIT */
/*
 * Self-tests of NFIT discovery: what this machine's table promises, and what the parser says to
 * damaged copies of it.
 */
#include "drivers/acpi/acpi.h"
#include "drivers/nfit/internal.h"

SELFTEST(nfit_ram, "nfit.ranges-outside-ram",
	 "no accepted range shares a byte with RAM of the boot map or with another range")
{
	static struct nfit_range ram[BOOT_MAX_RANGES];
	unsigned nr = nfit_ram_ranges(boot_info(), ram, BOOT_MAX_RANGES);
	const struct nfit_spa *s = NULL, *before = NULL;

	if (!nfit_next(nfit_get(), NULL))
		SKIP("no persistent range");
	EXPECT(nr > 0, "RAM in the boot map");
	while ((s = nfit_next(nfit_get(), s))) {
		for (unsigned i = 0; i < nr; i++)
			EXPECT(s->base >= ram[i].base + ram[i].len ||
				       s->base + s->length <= ram[i].base,
			       "range 0x%lx with RAM at 0x%lx", s->base, ram[i].base);
		EXPECT(!before || before->base + before->length <= s->base,
		       "0x%lx begins before 0x%lx ends", s->base, before->base);
		before = s;
	}
}

SELFTEST(nfit_usable, "nfit.usable-aligned",
	 "what is given out of a range is a multiple of 2 MiB and lies inside it")
{
	const struct nfit_spa *s = NULL;

	if (!nfit_next(nfit_get(), NULL))
		SKIP("no persistent range");
	while ((s = nfit_next(nfit_get(), s))) {
		EXPECT(IS_ALIGNED(s->usable_base | s->usable_length, 2 * MIB), "0x%lx + 0x%lx",
		       s->usable_base, s->usable_length);
		EXPECT(s->usable_length && s->usable_base >= s->base, "begins at 0x%lx",
		       s->usable_base);
		EXPECT(s->usable_length + s->lost_start + s->lost_end == s->length,
		       "used and lost add up to 0x%lx", s->length);
	}
}

SELFTEST(nfit_dimms, "nfit.dimms-known",
	 "an accepted range whose DIMM names a control region has found it, and has its cookies")
{
	const struct nfit_spa *s = NULL;
	unsigned looked_at = 0;

	while ((s = nfit_next(nfit_get(), s))) {
		if (!s->nr_memdevs || !s->memdev->dcr_index)
			continue; /* used all the same, with a warning at boot */
		looked_at++;
		EXPECT(s->memdev->dimm && s->memdev->dcr, "a control region of DIMM 0x%x",
		       s->memdev->handle);
		EXPECT(s->cookie_v11 && s->cookie_v12, "cookies of range %u", s->index);
	}
	if (!looked_at)
		SKIP("no persistent range with a described DIMM");
}

/* A copy of the first NFIT, or NULL. */
static uint8_t *copy_table(uint32_t *len)
{
	const struct acpi_table *t = acpi_find(&acpi_get()->tables, "NFIT");
	uint8_t *copy = t ? malloc(t->length) : NULL;

	if (copy)
		memcpy(copy, t->bytes, t->length);
	*len = t ? t->length : 0;
	return copy;
}

static void reseal(uint8_t *b, uint32_t len)
{
	b[9] = (uint8_t)(b[9] - byte_sum(b, len));
}

SELFTEST(nfit_malformed, "nfit.refuses-damaged-copy",
	 "damaged copies of the machine's own NFIT get the verdict of their damage, the whole one "
	 "is fine")
{
	static const struct nfit_env env;
	struct nfit *n = malloc(sizeof(*n));
	uint32_t len;
	uint8_t *b = copy_table(&len);
	int err;

	if (!b) {
		free(n);
		SKIP("no NFIT");
	}
	EXPECT_OR(out, n, "memory");
	err = nfit_parse(n, b, len, &env);
	EXPECT_OR(out, err == 0, "the copy itself: %s", n->reason);
	b[len - 1] ^= 1;
	nfit_free(n);
	err = nfit_parse(n, b, len, &env);
	EXPECT_OR(out, err == -EINVAL && strstr(n->reason, "checksum"), "a flipped bit: %s",
		  n->reason);
	b[len - 1] ^= 1;
	b[42] = 55; /* length of the first structure */
	reseal(b, len);
	nfit_free(n);
	err = nfit_parse(n, b, len, &env);
	EXPECT_OR(out, err == -EINVAL && strstr(n->reason, "length 55"), "length 55: %s",
		  n->reason);
	b[42] = 0;
	reseal(b, len);
	nfit_free(n);
	err = nfit_parse(n, b, len, &env);
	EXPECT_OR(out, !err && n->verdict == NFIT_TRUNCATED && !n->nr_spas, "length 0: %s",
		  n->reason);
out:
	if (n)
		nfit_free(n);
	free(b);
	free(n);
}

SELFTEST(nfit_second, "nfit.second-copy-refused",
	 "the machine's NFIT offered a second time keeps its verdict but gets no range accepted")
{
	struct nfit_env env = {.earlier = nfit_get()};
	struct nfit *n = malloc(sizeof(*n));
	uint32_t len;
	uint8_t *b = copy_table(&len);
	int err;

	if (!b || !nfit_next(nfit_get(), NULL)) {
		free(b);
		free(n);
		SKIP("no NFIT with a persistent range");
	}
	EXPECT_OR(out, n, "memory");
	err = nfit_parse(n, b, len, &env);
	EXPECT_OR(out, !err, "%s", n->reason);
	for (unsigned i = 0; i < n->nr_spas; i++)
		EXPECT_OR(free_table, n->spas[i].verdict != NFIT_ACCEPTED,
			  "range %u accepted twice", n->spas[i].index);
free_table:
	nfit_free(n);
out:
	free(b);
	free(n);
}
