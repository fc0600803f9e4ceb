/* SPDX-License-Identifier: MIT */
/*
 * Between the machine layer and Linux: everything that one side may ask of the other.
 *
 * The program has two halves that never see each other's headers. One is the kernel with the
 * machine layer, on newlib, linked into one object whose names are its own; the other is linux.c,
 * on the C library of the host. This is the only header that both read.
 */
#ifndef BOOT_HOST_HOST_H
#define BOOT_HOST_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HOST_MAX_DIMMS 8

/* What the program was started with. */
struct host_config {
	unsigned cpus;
	uint64_t ram; /* bytes */
	unsigned nr_dimms;
	struct host_dimm {
		uint64_t size;
		bool scratch;
	} dimm[HOST_MAX_DIMMS];
	const char *commands; /* NULL: a person or a pipe types them */
	const char *cmdline;
};

/* The registers of code that did something exceptional; in the order of struct trap_frame. */
struct host_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

/* ---- linux.c, for the machine. None of them touches the kernel's stack beyond the call, or hands
 * Linux an address that the kernel maps: Linux would not fault on it, but refuse. */

/* Physical [phys, phys + size) is `memory` number n: 0 is RAM, 1 … the DIMMs. */
enum { HOST_READ = 1, HOST_WRITE = 2 };
/* Shows `len` bytes of a memory, from `offset` on, at `va`, in place of what was there. */
void host_map(uint64_t va, unsigned memory, uint64_t offset, uint64_t len, unsigned rights);
void host_unmap(uint64_t va, uint64_t len);
/* As a device does: bytes of a memory from or to `buffer`, by no mapping. */
void host_copy(unsigned memory, uint64_t offset, void *buffer, uint64_t len, bool to_memory);
uint8_t *host_ram(void); /* RAM, all of it, at an address that stays */
void host_text_writable(
	uint64_t va); /* the program's own code around va may be patched from now on */
void host_print(const char *s, size_t n);
/* The next byte typed, or -1: none within `ns` nanoseconds; -2: there will be none any more. */
int host_key(uint64_t ns);
uint64_t host_unix_time(void);
uint64_t host_clock(void); /* nanoseconds of real time, for what is only told */
/* Of the numbered pieces of work that processes share by a file (-t): is n free? Then it is ours
 * from now on, until it is given back. Without a file all are. */
bool host_take(uint64_t n);
void host_give_back(uint64_t n);
void host_exit(int status) __attribute__((noreturn));

/* ---- the machine, for linux.c */

void machine_start(const struct host_config *config) __attribute__((noreturn));
/* A signal came for what the frame's instruction did; on the signal stack, and `f` is where it goes
 * on afterwards. `addr`: of a page fault. */
void machine_exception(struct host_frame *f, uint64_t addr);
/* The end, already on Linux's own stack. */
void machine_off(void);
/* Some milliseconds of the process's own time went by. The same stack. */
void machine_tick(struct host_frame *f, uint64_t unused);

#endif
