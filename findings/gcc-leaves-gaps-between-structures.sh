#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Structures that are gathered in a section (a table of commands, of tests, of drivers) are no array: gcc
# aligns an object of 16 bytes or more to 16, of 32 or more to 32 bytes, whatever its type wants.
#
# Three structures of 40 bytes take 168; a loop from the section's start to its end by sizeof finds the first
# and then gaps and middles. With 16, 32 or 64 bytes the same table works at every level of optimisation, so
# the error comes with a new member. aligned(8) on the type does not help, on each variable it does; so do
# -malign-data=abi and a section of pointers to the structures.
#
# Seen with gcc-12 12.2.0-14+deb12u1 (Debian 12), assembled and linked by the system's gcc.
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
packages gcc-12=12.2.0-14+deb12u1 cpp-12=12.2.0-14+deb12u1 libisl23=0.25-1.1 libmpc3=1.3.1-1 \
	libmpfr6=4.2.0-1

cat >table.c <<'C'
extern int printf(const char *, ...);
struct TYPE command {
	const char *name;
	long members[MEMBERS - 1];
};
#define COMMAND(name) \
	static struct command name __attribute__((used, section("commands") VARIABLE)) = {#name}
COMMAND(mount);
COMMAND(write);
COMMAND(check);
extern struct command __start_commands[], __stop_commands[];
int main(void)
{
	int named = 0;
	for (struct command *c = __start_commands; c < __stop_commands; c++)
		named += c->name != 0;
	printf("%d bytes, %d of 3 named\n", (int)((char *)__stop_commands - (char *)__start_commands), named);
	return 0;
}
C
table()
{
	members=$1
	shift
	unpacked gcc-12 -w -O2 -fpie -DMEMBERS="$members" -DTYPE= -DVARIABLE= "$@" -S table.c -o table.s
	gcc -o table table.s
	./table
}
expect "of 16 bytes" "$(table 2)" "48 bytes, 3 of 3 named"
expect "of 24 bytes" "$(table 3)" "88 bytes, 1 of 3 named"
expect "of 32 bytes" "$(table 4)" "96 bytes, 3 of 3 named"
expect "of 40 bytes" "$(table 5)" "168 bytes, 1 of 3 named"
expect "of 64 bytes" "$(table 8)" "192 bytes, 3 of 3 named"
expect "of 40 bytes, the type aligned to 8" "$(table 5 -UTYPE '-DTYPE=__attribute__((aligned(8)))')" \
	"168 bytes, 1 of 3 named"
expect "of 40 bytes, the variables aligned to 8" "$(table 5 -UVARIABLE '-DVARIABLE=,aligned(8)')" \
	"120 bytes, 3 of 3 named"
expect "of 40 bytes, -malign-data=abi" "$(table 5 -malign-data=abi)" "120 bytes, 3 of 3 named"
