/* SPDX-License-Identifier: MIT */
/*
 * Reading firmware bytes.
 *
 * ACPI tables are little-endian and packed: a 64-bit field may start at any address. Every field
 * is therefore put together from single bytes; the compiler makes one load of it where it may.
 * None of these check bounds: the caller has shown that the field lies inside its structure.
 */
#ifndef DRIVERS_ACPI_ACPI_BYTES_H
#define DRIVERS_ACPI_ACPI_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static inline uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* Byte sum of `len` bytes. Zero means: intact, as ACPI tables carry a byte that makes it zero. */
static inline uint8_t byte_sum(const uint8_t *p, size_t len)
{
	uint8_t sum = 0;

	while (len--)
		sum = (uint8_t)(sum + *p++);
	return sum;
}

#endif
