#!/bin/sh
# SPDX-License-Identifier: MIT
#
# A misspelt name of a warning is no error for NASM, and without -Wall not even a message: -Werror
# does not make it one, in whichever order the options stand.
#
# So a build that switches a warning off, or asks for one, by a name that its NASM does not know
# goes on with the warning as it was; and a list of names that has to suit several versions may hold
# names that only some of them know. The message's own class, unknown-warning, is off unless -Wall.
#
# Seen with nasm 2.16.01-1 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure nasm=2.16.01-1

echo 'x: dq x' >a.asm
try()
{
	status=0
	said=$(unpacked "$root/usr/bin/nasm" -f elf64 "$@" -o a.o a.asm 2>&1) || status=$?
	echo "status $status, said: ${said:-nothing}"
}
expect "-Wmisspelt, nothing else" "$(try -Wmisspelt)" "status 0, said: nothing"
expect "-Werror -Wmisspelt" "$(try -Werror -Wmisspelt)" "status 0, said: nothing"
expect "-Werror=unknown-warning -Wmisspelt" "$(try -Werror=unknown-warning -Wmisspelt)" \
	"status 0, said: nothing"
expect "-Wall -Wmisspelt -Werror" "$(try -Wall -Wmisspelt -Werror)" \
	"status 0, said: nasm: warning: unknown warning name: misspelt [-w+unknown-warning]"
