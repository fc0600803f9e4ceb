#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Under valgrind a handler of SIGSEGV finds old values in most registers of the context that it is given.
#
# Valgrind keeps registers of the program in registers of its own while a block runs, and by default
# writes only the stack's pointers and the instruction's back before an access to memory. A program that
# handles faults on purpose (a user-space pager, a checked copy, an emulator, a write barrier) and decodes
# the instruction sees operands from some time ago. It is right without valgrind, and with
# --px-default=allregs-at-mem-access.
#
# Seen with valgrind 1:3.19.0-1 (Debian 12), the program compiled by the system's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure valgrind=1:3.19.0-1

cat >fault.c <<'C'
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>
static void handler(int signal, siginfo_t *info, void *context)
{
	greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
	char text[] = "rbx wrong, rcx wrong\n";
	if (regs[REG_RBX] == 2)
		__builtin_memcpy(text + 4, "right", 5);
	if (regs[REG_RCX] == 42)
		__builtin_memcpy(text + 15, "right", 5);
	write(1, text, sizeof(text) - 1);
	_exit(0);
}
int main(void)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	sigaction(SIGSEGV, &action, NULL);
	__asm__ volatile("xor %%ebx, %%ebx; inc %%rbx; inc %%rbx; mov $42, %%ecx; movl %%eax, (0);"
			 "mov $9, %%ecx; mov $9, %%ebx" ::: "rbx", "rcx", "memory");
	return 1;
}
C
gcc -w -O1 -o fault fault.c
valgrind() { VALGRIND_LIB=$root/usr/libexec/valgrind "$root/usr/bin/valgrind" -q --tool=none "$@" ./fault; }
expect "alone" "$(./fault)" "rbx right, rcx right"
expect "under valgrind" "$(valgrind)" "rbx wrong, rcx wrong"
expect "with the option" "$(valgrind --px-default=allregs-at-mem-access)" "rbx right, rcx right"
