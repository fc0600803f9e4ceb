/* SPDX-License-Identifier: MIT */
/*
 * The I/O ports of this machine: what is behind each that the kernel asks.
 *
 *   0x40…0x43, 0x61   channel 2 of the timer, by which the clock is measured
 *   0x70, 0x71        the time of day
 *   0x3f8…0x3ff       the serial line (uart.c)
 *   0x510, 0x511      files from outside, as QEMU's firmware configuration device hands them over
 *   0x604, 0x608      ACPI: turned off; its timer
 *   0xcf8…0xcff       PCI configuration space (pci.c)
 *   0xf4              the end, with a verdict
 *
 * A port that nobody is behind reads as ones.
 */
#include "boot/host/machine.h"

#define PIT_HZ	  1193182ull
#define PM_HZ	  3579545ull
#define COM1	  0x3f8
#define EXIT_PORT 0xf4
#define SLEEP_NOW 0x2000u
#define ACCESS_NS 500ull /* a port is slow */
#define NAME_SIZE 56

static bool pit_low_read; /* the low byte of the latched count was read */
static uint64_t pit_start;
static uint8_t cmos_register;

/* Channel 2 counts down from 65535. */
static uint16_t pit_count(void)
{
	return (uint16_t)(0xffff - (machine_now - pit_start) * PIT_HZ / 1000000000);
}

static uint8_t pit_read(void)
{
	static uint16_t latched;

	pit_low_read = !pit_low_read;
	if (pit_low_read)
		latched = pit_count();
	return (uint8_t)(pit_low_read ? latched : latched >> 8);
}

/* ---- the time of day, binary and 24 hours */

static unsigned days_in(unsigned year, unsigned month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month] + (month == 1 && year % 4 == 0);
}

static uint8_t cmos_read(void)
{
	uint64_t t = host_unix_time() + machine_now / 1000000000, day = t / 86400;
	unsigned year = 1970, month = 0;

	for (; day >= 365u + (year % 4 == 0); year++)
		day -= 365u + (year % 4 == 0);
	for (; day >= days_in(year, month); month++)
		day -= days_in(year, month);
	switch (cmos_register) {
	case 0: return (uint8_t)(t % 60);
	case 2: return (uint8_t)(t / 60 % 60);
	case 4: return (uint8_t)(t / 3600 % 24);
	case 7: return (uint8_t)(day + 1);
	case 8: return (uint8_t)(month + 1);
	case 9: return (uint8_t)(year - 2000);
	case 0xb: return 6;
	default: return 0;
	}
}

/* ---- files from outside: see kernel/lib/fwcfg.c for the protocol */

#define KEY_DIRECTORY 0x19
#define KEY_FIRST     0x20
static unsigned fw_key;
static size_t fw_at;

static uint8_t big_endian(uint64_t v, unsigned bytes, size_t at)
{
	return (uint8_t)(v >> 8 * (bytes - 1 - at));
}

/* Byte `at` of the list of files: a count, then 64 bytes for each. */
static uint8_t directory_byte(size_t at)
{
	const char *name;
	unsigned n = 0;
	size_t len;

	if (at < 4) {
		while (firmware_file(n, &name, &len))
			n++;
		return big_endian(n, 4, at);
	}
	n = (unsigned)(at - 4) / (NAME_SIZE + 8);
	at = (at - 4) % (NAME_SIZE + 8);
	if (!firmware_file(n, &name, &len))
		return 0;
	if (at < 4)
		return big_endian(len, 4, at);
	if (at < 6)
		return big_endian(KEY_FIRST + n, 2, at - 4);
	return at >= 8 && at - 8 < strlen(name) ? (uint8_t)name[at - 8] : 0;
}

static uint8_t fw_byte(void)
{
	size_t at = fw_at++, len;
	const char *name;
	const uint8_t *bytes;

	if (fw_key == 0)
		return at < 4 ? (uint8_t) "QEMU"[at] : 0;
	if (fw_key == KEY_DIRECTORY)
		return directory_byte(at);
	bytes = fw_key < KEY_FIRST ? NULL : firmware_file(fw_key - KEY_FIRST, &name, &len);
	return bytes && at < len ? bytes[at] : 0;
}

/* ---- */

uint32_t port_read(uint16_t port, unsigned bytes)
{
	machine_now += ACCESS_NS;
	if (port >= COM1 && port < COM1 + 8)
		return uart_read(port - COM1);
	if (port >= 0xcfc && port < 0xd00)
		return pci_config_read(port - 0xcfc, bytes);
	switch (port) {
	case 0x42: return pit_read();
	case 0x61: return 0;
	case 0x71: return cmos_read();
	case 0x511: return fw_byte();
	case PORT_SLEEP: return 1;
	case PORT_PM_TIMER: return (uint32_t)(machine_now * PM_HZ / 1000000000) & 0xffffff;
	default: return bytes == 4 ? UINT32_MAX : (1u << 8 * bytes) - 1;
	}
}

void port_write(uint16_t port, unsigned bytes, uint32_t v)
{
	(void)bytes;
	if (port >= COM1 && port < COM1 + 8)
		uart_write(port - COM1, (uint8_t)v);
	else if (port == 0x43 && (v & 0x30) == 0x30)
		pit_start = machine_now;
	else if (port == 0x43)
		pit_low_read = false;
	else if (port == 0x70)
		cmos_register = (uint8_t)v;
	else if (port == EXIT_PORT)
		host_exit(v == EXIT_OK ? 0 : v == EXIT_PANIC ? 2 : 1);
	else if (port == PORT_SLEEP && (v & SLEEP_NOW))
		host_exit(0);
	else if (port == 0xcf8)
		pci_config_select(v);
	else if (port >= 0xcfc && port < 0xd00)
		pci_config_write(port - 0xcfc, bytes, v);
	else if (port == 0x510)
		fw_key = v, fw_at = 0;
}
