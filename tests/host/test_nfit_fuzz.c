/* SPDX-License-Identifier: MIT */
/*
 * 10,000 damaged NFITs: whatever is still accepted keeps every promise of nfit.h.
 */
/* LINK: drivers/nfit/nfit.c drivers/nfit/nfit_frame.c */
/* LINK: drivers/nfit/nfit_decode.c drivers/nfit/nfit_resolve.c */
/* LINK: drivers/nfit/nfit_set.c drivers/nfit/nfit_print.c */
/* LINK: drivers/acpi/acpi_notes.c kernel/console/text.c */
#include <stdio.h>

#include "tests/host/test_nfit_build.h"

#define ROUNDS 10000

static struct table t;
static struct nfit n;
static const struct nfit_range ram[2] = {{0, 0xa0000}, {0x100000, 512 * MiB}};
static const struct nfit_env env = {.ram = ram, .nr_ram = 2, .phys_bits = 46};
static uint64_t seed;

/* splitmix64: a round is repeated exactly by its number. */
static uint64_t rnd(void)
{
	uint64_t z = (seed += 0x9e3779b97f4a7c15ull);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void add_pair(uint16_t base)
{
	add_spa(&t, base, (4 + base) * GiB, 64 * MiB);
	for (uint16_t i = 0; i < 2; i++) {
		uint8_t *m =
			add_memdev(&t, 0x100u + base + i, base, (uint16_t)(base + i), 32 * MiB);
		uint8_t *il = add_interleave(&t, (uint16_t)(base + i), 2, 4096);

		put(m + 40, base + i, 2);
		put(m + 42, 2, 2);
		put(il + 16, i, 4);
		put(il + 20, i + 2, 4);
		add_dcr(&t, (uint16_t)(base + i), base);
	}
	add_flush(&t, 0x100u + base, 2, 0xfe000000);
}

/* One of four valid tables, all structure types among them. */
static void build(unsigned int which)
{
	begin(&t);
	for (unsigned int i = 0; i <= which; i++)
		add_qemu_dimm(&t, i, 4 * GiB + i * 64 * MiB, 64 * MiB);
	if (which & 1)
		add_pair(100);
	if (which & 2)
		put(add(&t, 5, 40) + 4, 3, 2);
	add_caps(&t, 1, 3);
	add(&t, 3, 12);
	add(&t, (uint16_t)(8 + which), 20);
}

/* Damage: bytes, 16-bit fields with likely values, one structure copied over another, a cut. */
static void damage(void)
{
	static const uint16_t odd[] = {0, 1, 2, 3, 4, 7, 8, 31, 32, 56, 64, 0x7fff, 0x8000, 0xffff};
	unsigned int hits = 1 + rnd() % 6;

	while (hits--) {
		size_t at = 36 + rnd() % (t.len - 36);

		switch (rnd() % 5) {
		case 0: t.b[at] = (uint8_t)rnd(); break;
		case 1: t.b[at] ^= (uint8_t)(1 << rnd() % 8); break;
		case 2: put(t.b + (at & ~1ul), odd[rnd() % 14], 2); break;
		case 3: memmove(t.b + at, t.b + 40 + rnd() % (t.len - 40), rnd() % 16); break;
		default: put(t.b + (at & ~7ul), rnd() >> rnd() % 64, 8); break;
		}
	}
	if (rnd() % 4 == 0)
		t.len = rnd() % (t.len + 1);
}

static void ignore_line(void *ctx, const char *text)
{
	*(size_t *)ctx += strlen(text);
}

static void check_range(const struct nfit_spa *s)
{
	assert_true(s->usable_length > 0 && s->usable_length % NFIT_ALIGN == 0);
	assert_true(s->usable_base % NFIT_ALIGN == 0 && s->usable_base >= s->base);
	assert_true(s->usable_base + s->usable_length <= s->base + s->length);
	assert_true(s->usable_length + s->lost_start + s->lost_end == s->length);
	assert_true((s->base + s->length - 1) >> 46 == 0);
	for (int i = 0; i < 2; i++)
		assert_true(s->base >= ram[i].base + ram[i].len ||
			    s->base + s->length <= ram[i].base);
	if (s->nr_memdevs) {
		assert_true(s->memdev >= n.memdevs);
		assert_true(s->memdev + s->nr_memdevs <= n.memdevs + n.nr_memdevs);
	}
}

/* A translatable range gives every sampled offset one place, and takes it back. */
static void check_translation(const struct nfit_spa *s)
{
	for (int i = 0; i < 32 && s->translatable; i++) {
		const struct nfit_memdev *m;
		uint64_t off = rnd() % s->length, dpa, back;

		assert_int_equal(nfit_spa_to_dpa(s, off, &m, &dpa), 0);
		assert_true(m->spa == s && dpa - m->dpa < m->region_size);
		assert_int_equal(nfit_dpa_to_spa(m, dpa, &back), 0);
		assert_true(back == off);
	}
}

static void check_links(void)
{
	for (unsigned int i = 0; i < n.nr_memdevs; i++) {
		const struct nfit_memdev *m = &n.memdevs[i];

		assert_true(m->dimm >= n.dimms && m->dimm < n.dimms + n.nr_dimms);
		assert_int_equal(m->dimm->handle, m->handle);
		assert_true(!m->spa || (m->spa >= n.spas && m->spa < n.spas + n.nr_spas));
		assert_true(!m->dcr || (m->dcr >= n.dcrs && m->dcr < n.dcrs + n.nr_dcrs));
		if (!m->interleave)
			continue;
		assert_true(m->interleave->lines >= n.bytes);
		assert_true(m->interleave->lines + 4ul * m->interleave->line_count <=
			    n.bytes + n.length);
	}
	for (unsigned int i = 0; i < n.nr_dimms; i++) {
		const struct nfit_flush *f = n.dimms[i].flush;

		for (uint32_t k = 0; f && k < f->count; k++)
			assert_true(f->hints[k] % 8 == 0 && f->hints[k] >= 0x100000 + 512 * MiB);
	}
}

/* Accepted ranges, volatile ones too, never share a byte. */
static void check_disjoint(void)
{
	for (unsigned int i = 0; i < n.nr_spas; i++) {
		const struct nfit_spa *a = &n.spas[i];

		if (a->verdict != NFIT_ACCEPTED)
			continue;
		check_range(a);
		check_translation(a);
		for (unsigned int k = 0; k < i; k++) {
			const struct nfit_spa *b = &n.spas[k];

			if (b->verdict == NFIT_ACCEPTED)
				assert_true(a->base + a->length <= b->base ||
					    b->base + b->length <= a->base);
		}
	}
}

/* Counters that show the damage reached every kind of outcome. */
static unsigned int accepted, truncated, rejected, ranges_refused;

static void one_round(bool reseal)
{
	size_t printed = 0;

	if (reseal && t.len >= 40) {
		memcpy(t.b, "NFIT", 4);
		seal(&t);
	}
	parse_bytes(&n, t.b, t.len, &env);
	accepted += n.verdict == NFIT_ACCEPTED;
	truncated += n.verdict == NFIT_TRUNCATED;
	rejected += n.verdict == NFIT_REJECTED;
	for (unsigned int i = 0; i < n.nr_spas; i++)
		ranges_refused += n.spas[i].verdict == NFIT_REJECTED;
	check_links();
	check_disjoint();
	nfit_print(&n, ignore_line, &printed);
	assert_true(printed > 0);
	nfit_free(&n);
}

static void ten_thousand_mutations(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ROUNDS; i++) {
		seed = i;
		build(i % 4);
		damage();
		one_round(i % 16 != 15); /* one in 16 keeps its wrong checksum */
	}
	print_message("accepted %u, truncated %u, rejected %u, ranges refused %u\n", accepted,
		      truncated, rejected, ranges_refused);
	assert_true(accepted > 1000 && truncated > 500 && rejected > 1000 && ranges_refused > 500);
}

/* Every length a valid table can be cut to, sealed again: never a crash, never a wrong promise. */
static void every_truncation(void **state)
{
	size_t full;

	(void)state;
	build(3);
	full = t.len;
	for (size_t len = 0; len <= full; len++) {
		build(3);
		t.len = len;
		one_round(true);
	}
}

/* Bytes without any structure. */
static void pure_noise(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2000; i++) {
		seed = 1000000 + i;
		begin(&t);
		t.len = 40 + rnd() % 512;
		for (size_t k = 36; k < t.len; k++)
			t.b[k] = (uint8_t)(rnd() & (i & 1 ? 0xff : 0x07));
		one_round(true);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_thousand_mutations),
		cmocka_unit_test(every_truncation),
		cmocka_unit_test(pure_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
