/* SPDX-License-Identifier: MIT */
/*
 * Hand-made NFITs: structures are appended one by one, then sealed with length and checksum.
 *
 * parse() copies the table into an allocation of exactly its size, so that reading one byte too
 * far is an error of the address sanitizer and not a lucky zero.
 */
#ifndef TESTS_HOST_TEST_NFIT_BUILD_H
#define TESTS_HOST_TEST_NFIT_BUILD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "drivers/nfit/nfit.h"

#define MiB 0x100000ull
#define GiB 0x40000000ull

struct table {
	uint8_t b[65536];
	size_t len;
};

static inline void put(uint8_t *p, uint64_t v, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline void begin(struct table *t)
{
	memset(t, 0, sizeof(*t));
	memcpy(t->b, "NFIT", 4);
	t->b[8] = 1;
	memcpy(t->b + 10, "BOCHS BXPC    ", 14);
	t->len = 40;
}

/* Room for a structure of `len` bytes with its first four filled in. */
static inline uint8_t *add(struct table *t, uint16_t type, uint16_t len)
{
	uint8_t *s = t->b + t->len;

	put(s, type, 2);
	put(s + 2, len, 2);
	t->len += len;
	assert_true(t->len <= sizeof(t->b));
	return s;
}

static const uint8_t guid_pm[16] = {0x79, 0xd3, 0xf0, 0x66, 0xf3, 0xb4, 0x74, 0x40,
				    0xac, 0x43, 0x0d, 0x33, 0x18, 0xb7, 0x8c, 0xdb};
static const uint8_t guid_volatile[16] = {0x4f, 0x94, 0x05, 0x73, 0xda, 0xfd, 0xe3, 0x44,
					  0xb1, 0x6c, 0x3f, 0x22, 0xd2, 0x52, 0xe5, 0xd0};
static const uint8_t guid_control[16] = {0xf6, 0x01, 0xf7, 0x92, 0xb4, 0x13, 0x5d, 0x40,
					 0x91, 0x0b, 0x29, 0x93, 0x67, 0xe8, 0x23, 0x4c};

static inline uint8_t *add_spa(struct table *t, uint16_t index, uint64_t base, uint64_t length)
{
	uint8_t *s = add(t, 0, 56);

	put(s + 4, index, 2);
	put(s + 6, 3, 2);
	memcpy(s + 16, guid_pm, 16);
	put(s + 32, base, 8);
	put(s + 40, length, 8);
	put(s + 48, 0x8008, 8);
	return s;
}

static inline uint8_t *add_memdev(struct table *t, uint32_t handle, uint16_t range, uint16_t dcr,
				  uint64_t size)
{
	uint8_t *s = add(t, 1, 48);

	put(s + 4, handle, 4);
	put(s + 12, range, 2);
	put(s + 14, dcr, 2);
	put(s + 16, size, 8);
	put(s + 42, 1, 2);
	return s;
}

static inline uint8_t *add_dcr(struct table *t, uint16_t index, uint32_t serial)
{
	uint8_t *s = add(t, 4, 80);

	put(s + 4, index, 2);
	put(s + 6, 0x8086, 2);
	put(s + 8, 1, 2);
	put(s + 10, 1, 2);
	put(s + 24, serial, 4);
	put(s + 28, 0x301, 2);
	return s;
}

static inline uint8_t *add_interleave(struct table *t, uint16_t index, uint32_t count,
				      uint32_t size)
{
	uint8_t *s = add(t, 2, (uint16_t)(16 + 4 * count));

	put(s + 4, index, 2);
	put(s + 8, count, 4);
	put(s + 12, size, 4);
	return s;
}

static inline uint8_t *add_flush(struct table *t, uint32_t handle, uint16_t count, uint64_t first)
{
	uint8_t *s = add(t, 6, (uint16_t)(16 + 8 * count));

	put(s + 4, handle, 4);
	put(s + 8, count, 2);
	for (unsigned int i = 0; i < count; i++)
		put(s + 16 + 8 * i, first + 64 * i, 8);
	return s;
}

static inline uint8_t *add_caps(struct table *t, uint8_t highest, uint32_t caps)
{
	uint8_t *s = add(t, 7, 16);

	s[4] = highest;
	put(s + 8, caps, 4);
	return s;
}

/* The three structures QEMU writes for the DIMM in `slot`. */
static inline void add_qemu_dimm(struct table *t, unsigned int slot, uint64_t base, uint64_t length)
{
	uint16_t spa = (uint16_t)(2 * (slot + 1));

	add_spa(t, spa, base, length);
	add_memdev(t, slot + 1, spa, (uint16_t)(spa + 1), length);
	add_dcr(t, (uint16_t)(spa + 1), 0x123456 + slot);
}

static inline void seal(struct table *t)
{
	uint8_t sum = 0;

	put(t->b + 4, t->len, 4);
	t->b[9] = 0;
	for (size_t i = 0; i < t->len; i++)
		sum = (uint8_t)(sum + t->b[i]);
	t->b[9] = (uint8_t)-sum;
}

static inline int parse_bytes(struct nfit *n, const uint8_t *b, size_t len,
			      const struct nfit_env *env)
{
	static const struct nfit_env none;
	uint8_t *exact = malloc(len ? len : 1);
	int err;

	memcpy(exact, b, len);
	err = nfit_parse(n, exact, len, env ? env : &none);
	free(exact); /* the parser promised to keep no pointer into it */
	return err;
}

static inline int parse(struct nfit *n, struct table *t, const struct nfit_env *env)
{
	seal(t);
	return parse_bytes(n, t->b, t->len, env);
}

static inline const struct nfit_spa *range(const struct nfit *n, uint16_t index)
{
	for (unsigned int i = 0; i < n->nr_spas; i++) {
		if (n->spas[i].index == index)
			return &n->spas[i];
	}
	fail_msg("no range %u", index);
	return NULL;
}

static inline void assert_contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" does not contain \"%s\"", text, part);
}

/* True when one of the warnings contains `part`. */
static inline bool warned(const struct nfit *n, const char *part)
{
	for (unsigned int i = 0; i < n->notes.nr; i++) {
		if (strstr(n->notes.line[i], part))
			return true;
	}
	return false;
}

#endif
