/* SPDX-License-Identifier: MIT */
/*
 * The checksum of group descriptors, eight bytes at a time.
 *
 * table[k][b] is what byte b contributes when k zero bytes follow it.  A CRC is linear, so the
 * eight contributions of a word are added up (XOR), the running CRC being part of its first two
 * bytes. Descriptors are mostly zeroes: of a zero word only those two count.
 */
#include "dax/ext4/internal.h"

static uint16_t table[8][256];

void ext4_crc16_init(void)
{
	for (unsigned b = 0; b < 256; b++) {
		uint16_t crc = (uint16_t)b;

		for (int i = 0; i < 8; i++)
			crc = crc & 1 ? crc >> 1 ^ 0xA001 : crc >> 1;
		table[0][b] = crc;
	}
	for (unsigned k = 1; k < 8; k++)
		for (unsigned b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 0xFF];
}

static inline uint16_t one_word(uint16_t crc, uint64_t word)
{
	if (!word)
		return table[7][crc & 0xFF] ^ table[6][crc >> 8];
	word ^= crc;
	return table[7][word & 0xFF] ^ table[6][word >> 8 & 0xFF] ^ table[5][word >> 16 & 0xFF] ^
	       table[4][word >> 24 & 0xFF] ^ table[3][word >> 32 & 0xFF] ^
	       table[2][word >> 40 & 0xFF] ^ table[1][word >> 48 & 0xFF] ^ table[0][word >> 56];
}

uint16_t ext4_crc16(uint16_t crc, const void *data, size_t n)
{
	typedef uint64_t __attribute__((may_alias, aligned(1))) word_t;
	const uint8_t *p = data;

	for (; n >= sizeof(word_t); n -= sizeof(word_t), p += sizeof(word_t))
		crc = one_word(crc, *(const word_t *)p);
	for (; n; n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 0xFF];
	return crc;
}
