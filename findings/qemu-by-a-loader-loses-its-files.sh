#!/bin/sh
# SPDX-License-Identifier: MIT
#
# QEMU looks for its BIOS, its option ROMs and its modules beside the file that /proc/self/exe names.
# Started through a dynamic loader of one's own choice (ld.so --library-path … qemu), as one does
# with a QEMU of another release, that file is the loader: with all libraries found, TCG itself
# "could not be loaded", and the firmware is looked for where none is (QEMU 10.0 goes on to
# /usr/share/qemu: the new QEMU runs the host's old firmware, without a word).
#
# QEMU_MODULE_DIR for the modules and -L for each folder of firmware cure it.
#
# Seen with qemu-system-x86 1:7.2+dfsg-7+deb12u18+b3 (Debian 12).
. "$(dirname "$(readlink -f "$0")")/lib/packages.sh"
closure qemu-system-x86=1:7.2+dfsg-7+deb12u18+b3

qemu=$root/usr/bin/qemu-system-x86_64
loader="$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2 --library-path $lib"
folders() { "$@" -L help | tr '\n' ' ' | sed "s,$root,TREE,g"; }
# What a machine that is told to end at once says on stderr.
started()
{
	echo quit | "$@" -M q35 -accel tcg -display none -nodefaults -S -monitor stdio 2>&1 >/dev/null |
		sed 's/^[^:]*: //'
}
expect "folders of the firmware, started directly" "$(folders unpacked "$qemu")" \
	"TREE/usr/bin/../share/qemu TREE/usr/bin/../share/seabios TREE/usr/bin/../lib/ipxe/qemu "
expect "started by the loader of its own tree" "$(folders $loader "$qemu")" \
	"TREE/lib/x86_64-linux-gnu/../share/qemu TREE/lib/x86_64-linux-gnu/../share/seabios TREE/lib/x86_64-linux-gnu/../lib/ipxe/qemu "
expect "a machine, started directly, says" "$(started unpacked "$qemu")" ""
expect "a machine, by the loader, says" "$(started $loader "$qemu")" \
	"fatal: could not load module for type 'tcg-accel-ops'"
export QEMU_MODULE_DIR="$root/usr/lib/x86_64-linux-gnu/qemu"
expect "with both told, says" \
	"$(started $loader "$qemu" -L "$root/usr/share/qemu" -L "$root/usr/share/seabios")" ""
