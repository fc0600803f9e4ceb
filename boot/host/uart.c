/* SPDX-License-Identifier: MIT */
/*
 * The serial line: a 16550 whose other end is the process's standard input and output.
 *
 * Output is collected and written when a line is whole, or when the machine has nothing to do.
 * Input is asked for only where somebody types: with a list of commands there is none. At its end
 * the word that a person would type comes by itself.
 */
#include "boot/host/machine.h"

#define LSR_DATA 0x01
#define LSR_THRE 0x60
#define LOOK_NS	 2000000ull /* between looks at what was typed, while the machine works */

static char out[4096];
static size_t nr_out;
static uint8_t ier, lcr;
static int vector = -1;	   /* of its interrupt; -1: none yet */
static int byte = -1;	   /* typed and not yet read; -1: none */
static const char *at_end; /* of the input: still to come; NULL: it goes on */
static uint64_t next_look;

static void flush(void)
{
	host_print(out, nr_out);
	nr_out = 0;
}

static void put(char c)
{
	out[nr_out++] = c;
	if (c == '\n' || nr_out == sizeof(out))
		flush();
}

bool uart_wants(void)
{
	return !machine.commands && (!at_end || *at_end);
}

/* Takes the next byte typed, if the last one was read. */
static void type(uint64_t ns)
{
	int key;

	if (byte >= 0 || !uart_wants())
		return;
	if (!at_end) {
		key = host_key(ns);
		if (key == -2)
			at_end = "\npoweroff\n";
		else
			byte = key;
	}
	if (at_end && *at_end)
		byte = *at_end++;
}

static void interrupt(void)
{
	if (byte >= 0 && (ier & 1) && vector >= 0)
		cpu_raise(0, (unsigned)vector);
}

void uart_look(void)
{
	next_look = machine_now + LOOK_NS;
	type(0);
	interrupt();
}

uint64_t uart_next(void)
{
	return uart_wants() && byte < 0 ? next_look : NEVER;
}

bool uart_wait(uint64_t ns)
{
	flush();
	type(ns);
	interrupt();
	return byte >= 0;
}

uint8_t uart_read(unsigned reg)
{
	int key = byte;

	switch (reg) {
	case 0:
		byte = -1;
		type(0);
		interrupt();
		return (uint8_t)(key < 0 ? 0 : key);
	case 1: return ier;
	case 3: return lcr;
	case 5: return LSR_THRE | (byte >= 0 ? LSR_DATA : 0);
	default: return 0;
	}
}

void uart_write(unsigned reg, uint8_t v)
{
	bool latch = lcr & 0x80; /* the divisor is written, not a byte */

	if (reg == 0 && !latch) {
		put((char)v);
	} else if (reg == 1 && !latch) {
		ier = v;
		interrupt();
	} else if (reg == 3) {
		lcr = v;
	}
}

void uart_route(int to)
{
	vector = to;
	interrupt();
}
