/* SPDX-License-Identifier: MIT */
/*
 * The half that talks to Linux: memory from memfds and files, signals, the terminal, the end.
 *
 * Compiled with the host's own headers and library; host.h says what the machine may ask. RAM is a
 * memfd in which the program's own variables lie too, at the place where the kernel believes its
 * image to be, so that a variable has a physical address like everything else. Signals run on a
 * stack of their own, because what they are about is often that there is no stack yet.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <termios.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "boot/host/host.h"
#include "boot/host/layout.h"
#include "boot/host/options.h"

#define PAGE	4096ul
#define TICK_US 20000

static int memory_fd[1 + HOST_MAX_DIMMS];
static uint8_t *ram;
static char signal_stack[256 * 1024];
static struct termios terminal; /* as it was; restored at the end */
static bool raw;
static void *first_stack; /* Linux's own, deep enough for exit() */
static uint64_t started_at;

/* ---- memory */

void host_map(uint64_t va, unsigned memory, uint64_t offset, uint64_t len, unsigned rights)
{
	int prot = PROT_READ | (rights & HOST_WRITE ? PROT_WRITE : 0);

	if (mmap((void *)va, len, prot, MAP_SHARED | MAP_FIXED, memory_fd[memory], (off_t)offset) ==
	    MAP_FAILED)
		options_fail("cannot map %#lx bytes at %#lx: %s", len, va, strerror(errno));
}

void host_unmap(uint64_t va, uint64_t len)
{
	if (munmap((void *)va, len))
		options_fail("cannot unmap %#lx bytes at %#lx: %s", len, va, strerror(errno));
}

void host_copy(unsigned memory, uint64_t offset, void *buffer, uint64_t len, bool to_memory)
{
	ssize_t n = to_memory ? pwrite(memory_fd[memory], buffer, len, (off_t)offset)
			      : pread(memory_fd[memory], buffer, len, (off_t)offset);

	if (n != (ssize_t)len)
		options_fail("a device cannot reach %lu bytes of memory: %s", len, strerror(errno));
}

uint8_t *host_ram(void)
{
	return ram;
}

void host_text_writable(uint64_t va)
{
	if (mprotect((void *)(va & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC))
		options_fail("cannot write to the code at %#lx: %s", va, strerror(errno));
}

/* The program's segments, in RAM where the kernel says its image is; the writable one lives there.
 */
static void share_image(void)
{
	const Elf64_Phdr *ph = (const void *)getauxval(AT_PHDR);

	for (unsigned long n = getauxval(AT_PHNUM); n-- > 0; ph++) {
		uint64_t lo = ph->p_vaddr & ~(PAGE - 1);
		uint64_t len = (ph->p_vaddr + ph->p_memsz - lo + PAGE - 1) & ~(PAGE - 1);

		if (ph->p_type != PT_LOAD)
			continue;
		memcpy(ram + (lo - KERNEL_BASE), (void *)lo, len);
		if (!(ph->p_flags & PF_W))
			continue;
		host_map(lo, 0, lo - KERNEL_BASE, len, HOST_READ | HOST_WRITE);
		/* Behind the image is nothing, and not what brk() gives. */
		mmap((void *)(lo + len), PAGE, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	}
}

static void make_memory(const struct host_options *o)
{
	memory_fd[0] = memfd_create("ram", MFD_CLOEXEC);
	if (memory_fd[0] < 0 || ftruncate(memory_fd[0], (off_t)o->config.ram))
		options_fail("no memory for RAM: %s", strerror(errno));
	ram = mmap(NULL, o->config.ram, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd[0], 0);
	if (ram == MAP_FAILED)
		options_fail("cannot map RAM: %s", strerror(errno));
	for (unsigned i = 0; i < o->config.nr_dimms; i++)
		memory_fd[1 + i] = o->dimm_fd[i];
	share_image();
}

/* ---- exceptions */

/* Registers of a signal's context in the order of struct host_frame, up to rax. */
static const int order[] = {REG_R15, REG_R14, REG_R13, REG_R12, REG_R11, REG_R10, REG_R9, REG_R8,
			    REG_RBP, REG_RDI, REG_RSI, REG_RDX, REG_RCX, REG_RBX, REG_RAX};
#define NR_ORDER (sizeof(order) / sizeof(order[0]))

/* Hands the registers of a signal's context to fn, and takes back what it made of them. */
static void with_frame(ucontext_t *context, void (*fn)(struct host_frame *f, uint64_t addr))
{
	greg_t *g = context->uc_mcontext.gregs;
	uint64_t regs[sizeof(struct host_frame) / 8];
	struct host_frame *f = (struct host_frame *)regs;
	int saved = errno;

	for (unsigned i = 0; i < NR_ORDER; i++)
		regs[i] = (uint64_t)g[order[i]];
	f->vector = (uint64_t)g[REG_TRAPNO];
	f->error = (uint64_t)g[REG_ERR];
	f->rip = (uint64_t)g[REG_RIP];
	f->cs = (uint64_t)g[REG_CSGSFS] & 0xffff;
	f->rflags = (uint64_t)g[REG_EFL];
	f->rsp = (uint64_t)g[REG_RSP];
	f->ss = 0;
	fn(f, (uint64_t)g[REG_CR2]);
	for (unsigned i = 0; i < NR_ORDER; i++)
		g[order[i]] = (greg_t)regs[i];
	g[REG_RIP] = (greg_t)f->rip;
	g[REG_EFL] = (greg_t)f->rflags;
	g[REG_RSP] = (greg_t)f->rsp;
	errno = saved;
}

static void on_signal(int sig, siginfo_t *info, void *context)
{
	if (info->si_code <= 0) /* sent by somebody, not an instruction's doing */
		options_fail("signal %d from process %d", sig, info->si_pid);
	if (sig == SIGBUS && info->si_code == BUS_ADRERR)
		options_fail("no memory behind %p: where a DIMM's file lies there is no room for "
			     "what is written, or the file was cut meanwhile; see df",
			     info->si_addr);
	with_frame(context, machine_exception);
}

/* So much of the process's own time went by: has the kernel looked up since the last time? */
static void on_tick(int sig, siginfo_t *info, void *context)
{
	(void)sig, (void)info;
	with_frame(context, machine_tick);
}

static void catch_signals(void)
{
	static const struct itimerval tick = {{0, TICK_US}, {0, TICK_US}};
	static const int sigs[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	struct sigaction sa = {.sa_sigaction = on_signal,
			       .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};
	stack_t st = {.ss_sp = signal_stack, .ss_size = sizeof(signal_stack)};

	sigaltstack(&st, NULL);
	for (unsigned i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		sigaction(sigs[i], &sa, NULL);
	sa.sa_sigaction = on_tick;
	sigaction(SIGVTALRM, &sa, NULL);
	setitimer(ITIMER_VIRTUAL, &tick, NULL);
}

/* ---- the terminal */

static void terminal_raw(void)
{
	struct termios t;

	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &terminal))
		return;
	t = terminal;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	t.c_iflag &= ~(tcflag_t)(ICRNL | IXON);
	t.c_cc[VINTR] = t.c_cc[VSUSP] = 0; /* keys of the kernel's shell; Ctrl-\ ends the program */
	raw = !tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

void host_print(const char *s, size_t n)
{
	while (n) {
		ssize_t done = write(STDOUT_FILENO, s, n);

		if (done < 0 && errno != EINTR && errno != EAGAIN)
			return;
		s += done > 0 ? done : 0;
		n -= done > 0 ? (size_t)done : 0;
	}
}

int host_key(uint64_t ns)
{
	static struct pollfd p = {STDIN_FILENO, POLLIN, 0};
	static struct timespec t;
	static unsigned char key;
	ssize_t n;

	t = (struct timespec){(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	if (ppoll(&p, 1, ns == UINT64_MAX ? NULL : &t, NULL) <= 0)
		return -1;
	n = read(STDIN_FILENO, &key, 1);
	return n == 1 ? key : n < 0 && errno == EINTR ? -1 : -2;
}

uint64_t host_unix_time(void)
{
	return started_at;
}

uint64_t host_clock(void)
{
	static struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* ---- beginning and end */

static int end_status;

static void leave(void)
{
	machine_off();
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
	exit(end_status);
}

/* The kernel's stack is too small for what exit() may do. */
void host_exit(int status)
{
	end_status = status;
	__asm__ volatile("mov %0, %%rsp\n\txor %%ebp, %%ebp\n\tcall *%1"
			 :
			 : "r"(first_stack), "r"(leave)
			 : "memory");
	__builtin_unreachable();
}

int main(int argc, char **argv)
{
	struct host_options o;

	options_read(&o, argc, argv);
	options_open(&o);
	started_at = (uint64_t)time(NULL);
	make_memory(&o);
	catch_signals();
	if (!o.config.commands)
		terminal_raw();
	first_stack = (void *)(((uintptr_t)__builtin_frame_address(0) - 4096) & ~15ul);
	machine_start(&o.config);
}
