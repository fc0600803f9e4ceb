#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Memcheck calls living, initialised memory invalid if it lies between two stacks of a program that
# switches stacks, less than 2 MB apart.
#
# A jump of the stack pointer that is longer counts as a switch and is left alone (with a warning). A
# shorter one counts as frames that are popped (or pushed), and all that it passes over, whatever it is, has
# no address any more (or no value). Stacks from a pool are close to each other, so it is the small programs
# of coroutines that are told of thousands of invalid reads, each inside a block that nobody freed.
# VALGRIND_STACK_REGISTER() for each stack ends it.
#
# Seen with valgrind 1:3.19.0-1 (Debian 12), the program compiled by the system's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure valgrind=1:3.19.0-1

cat >stacks.c <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <valgrind/valgrind.h>
enum { SIZE = 64 << 10 };
static ucontext_t back, one, two;
static void first(void)
{
	swapcontext(&one, &two);
}
static void second(void)
{
	swapcontext(&two, &back);
}
static void make(ucontext_t *context, char *stack, void (*body)(void))
{
	getcontext(context);
	context->uc_stack.ss_sp = stack;
	context->uc_stack.ss_size = SIZE;
	makecontext(context, body, 0);
#ifdef TELL
	(void)VALGRIND_STACK_REGISTER(stack, stack + SIZE);
#endif
}
int main(void)
{
	char *area = malloc(3 * SIZE), *table = area + SIZE;
	long sum = 0;
	memset(area, 1, 3 * SIZE);
	make(&one, area, first);
	make(&two, area + 2 * SIZE, second);
	swapcontext(&back, &one);
	for (int n = 0; n < SIZE; n++)
		sum += table[n];
	printf("%ld\n", sum);
	return 0;
}
C
check()
{
	gcc -g -O1 -I"$root/usr/include" "$@" -o stacks stacks.c
	VALGRIND_LIB=$root/usr/libexec/valgrind "$root/usr/bin/valgrind" --tool=memcheck \
		--extra-debuginfo-path="$root/usr/lib/debug" ./stacks >sum 2>said || :
	echo "sum $(cat sum), $(grep -q 'Invalid read' said && echo 'invalid reads' || echo 'none invalid')"
}
expect "the bytes between the stacks" "$(check)" "sum 65536, invalid reads"
expect "stacks registered" "$(check -DTELL)" "sum 65536, none invalid"
